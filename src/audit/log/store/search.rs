//! SQL of the audit log's page: one page of events by keyset, the capped count, what came since, and whom to
//! choose from.
//!
//! What a search costs must not hang on what the planner guesses of a word. So it has two steps, each of
//! which is bounded whatever the words are. First the newest [`WALKED`] events are read one after another:
//! what is common is found there. Where that is not enough the events beyond are asked of the indexes, month
//! by month and then more months at once: what the walk did not find often enough is rare there too.

use std::time::Instant;

use chrono::{DateTime, Datelike, Months, NaiveTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::{not, sql};
use diesel::pg::Pg;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz};
use uuid::Uuid;

use crate::audit::log::query::{Filter, Page, Part, Term};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::keyset::{self, At, LOADED, ROWS};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like_literal;
use crate::kernel::db::schema::{client_access, people};
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::events;

/// What the walk found in fewer than one of so many events is rare: all the others are asked for at once, and
/// otherwise month by month.
const RARE: i64 = 200;
/// Counts stop here: nobody reads on to learn whether it is two thousand or three.
pub const COUNTED: i64 = 1_001;
/// So many of the newest events are read before the indexes are asked. A word that is found less than
/// [`COUNTED`] times among them is in about a twentieth of all events, or fewer.
pub const WALKED: i64 = 25_000;
/// The most people that the filter offers.
const PEOPLE: i64 = 1_000;

/// Whose events, over which instants.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Only these clients' events; none means all.
    pub clients: Option<Visible>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// [`WALKED`], except where a test has fewer events.
    pub walked: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Newest first.
    pub rows: Vec<Record>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there may be newer ones.
    pub newer: bool,
    /// How many there are, up to [`COUNTED`].
    pub count: i64,
}

/// Why a search gave nothing to show.
pub const TOO_BROAD: &str = "Too broad: shorten the dates or add a word.";

type Boxed<'a> = events::BoxedQuery<'a, Pg>;

/// The events between a scope's instants, whosever they are.
fn within<'a>(scope: &Scope) -> Boxed<'a> {
    let mut query = events::table.into_boxed();
    if let Some(from) = scope.from {
        query = query.filter(events::at.ge(from));
    }
    if let Some(to) = scope.to {
        query = query.filter(events::at.lt(to));
    }
    query
}

/// The events of a filter within a scope, in no order yet.
pub(super) fn matching<'a>(scope: &Scope, filter: &Filter) -> Boxed<'a> {
    let mut query = within(scope);
    if let Some(clients) = &scope.clients {
        query = query.filter(events::client_id.eq_any(clients.ids().to_vec()).assume_not_null());
    }
    if !filter.categories.is_empty() {
        query = query.filter(events::category.eq_any(categories(filter)));
    }
    if let Some(user) = filter.user {
        query = match filter.part {
            Part::By => query.filter(events::actor_id.eq(user).assume_not_null()),
            Part::About => query.filter(events::about_person.eq(user).assume_not_null()),
            Part::Either => {
                query.filter(events::actor_id.eq(user).or(events::about_person.eq(user)).assume_not_null())
            }
        };
    }
    having_terms(query, filter)
}

/// The same, written so that the index of words answers all of it: of two indexes that apply the planner
/// would ask the one that it guesses to be better, and be wrong where two filters never meet. What has
/// several ways (a person who acts or is meant, a word behind a space or a quotation mark, an id) is a way
/// for each combination, and each holds everything.
fn matching_by_words<'a>(scope: &Scope, filter: &Filter) -> Boxed<'a> {
    let (wanted, unwanted): (Vec<&Term>, Vec<&Term>) = filter.terms.iter().partition(|term| !term.not);
    let people = if filter.user.is_some() && filter.part == Part::Either { 2 } else { 1 };
    let ways: Vec<usize> = wanted.iter().map(|term| ways_to_have(term).len()).collect();
    let combinations = people * ways.iter().product::<usize>();
    if combinations > COMBINATIONS {
        return matching(scope, filter);
    }
    let combination = |number: usize| {
        let (mut conditions, mut by_words) = (Vec::new(), true);
        let mut rest = number / people;
        for term in &wanted {
            let mut ways = ways_to_have_as(term, number % people);
            let chosen = rest % ways.len();
            rest /= ways.len();
            let Way { condition, is_id } = ways.swap_remove(chosen);
            conditions.push(condition);
            by_words &= !is_id;
        }
        // An id has an index of its own, and is rarer than anything beside it.
        conditions.extend(narrowed(scope, filter, number % people, by_words));
        all(conditions)
    };
    let query = within(scope).filter(any((0..combinations).map(combination).collect()));
    unwanted.into_iter().fold(query, |query, term| query.filter(not(term_is_in(term))))
}

/// Up to so many combinations of ways are asked one by one.
const COMBINATIONS: usize = 32;

/// What narrows a search beside its words, as the index of words holds it, or as no index does. The person as
/// who acted, or as whom it is about.
fn narrowed(scope: &Scope, filter: &Filter, person: usize, by_words: bool) -> Vec<Condition> {
    let end = if by_words { ")" } else { ") IS TRUE" };
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(clients) = &scope.clients {
        let ids: Vec<String> = clients.ids().iter().map(ToString::to_string).collect();
        let is_one = sql::<Bool>("((events.client_id::text) = ANY (").bind::<Array<Text>, _>(ids);
        conditions.push(Box::new(is_one.sql(")").sql(end)));
    }
    if !filter.categories.is_empty() {
        let is_one =
            sql::<Bool>("((events.category || '') = ANY (").bind::<Array<Text>, _>(categories(filter));
        conditions.push(Box::new(is_one.sql(")").sql(end)));
    }
    if let Some(user) = filter.user {
        let acted = match filter.part {
            Part::By => true,
            Part::About => false,
            Part::Either => person == 0,
        };
        let column = if acted { "((events.actor_id::text) = " } else { "((events.about_person::text) = " };
        conditions.push(Box::new(sql::<Bool>(column).bind::<Text, _>(user.to_string()).sql(end)));
    }
    conditions
}

fn categories(filter: &Filter) -> Vec<&'static str> {
    filter.categories.iter().map(|category| category.as_str()).collect()
}

fn having_terms<'a>(query: Boxed<'a>, filter: &Filter) -> Boxed<'a> {
    filter.terms.iter().fold(query, |query, term| {
        let has = term_is_in(term);
        if term.not { query.filter(not(has)) } else { query.filter(has) }
    })
}

type Condition = Box<dyn BoxableExpression<events::table, Pg, SqlType = Bool>>;

/// Signs at which a word of ASCII begins, as a class of a regular expression that the index of three-letter
/// parts can use: it gives up at any sign beyond U+07FF.
const WORD_BEGINS: &str = r"(^|[ !-/:-@\[-`{-~\u00a0\u00ab\u00b7\u00bb])";
/// The others before names: sentences of ours quote them.
const WORD_BEGINS_TOO: [&str; 2] = ["“", "‘"];

/// Whether an event has a term.
fn term_is_in(term: &Term) -> Condition {
    any(ways_to_have(term).into_iter().map(|way| way.condition).collect())
}

/// A way to have a term.
struct Way {
    condition: Condition,
    /// Whether it is an id or a digest, which has an index of its own, and not the words'.
    is_id: bool,
}

fn ways_to_have(term: &Term) -> Vec<Way> {
    ways_to_have_as(term, 0)
}

/// The ways in which an event can have a term; an index answers each. The search column is the database's
/// own and unknown to diesel; both sides are lowered by the same function. `variant` writes the same in
/// another way: what two sides of an OR have in common, word for word, PostgreSQL takes out of it, and asks
/// for alone.
fn ways_to_have_as(term: &Term, variant: usize) -> Vec<Way> {
    let like = |pattern: String| -> Condition {
        let pattern = pattern + &"%".repeat(variant);
        Box::new(sql::<Bool>("events.search LIKE lower(").bind::<Text, _>(pattern).sql(")"))
    };
    let mut ways: Vec<Condition> = Vec::new();
    if term.is_short_word() {
        // The index holds the beginnings of words, however short. What only looks alike is left out by
        // plain comparison, which is cheaper, before that is asked.
        let holds =
            || sql::<Bool>("strpos(events.search, lower(").bind::<Text, _>(term.text.clone()).sql(")) > 0");
        let mut signs: Vec<&str> = WORD_BEGINS_TOO.to_vec();
        if term.text.chars().all(|c| c <= '\u{7ff}') {
            let pattern = format!("{WORD_BEGINS}{}", regex_literal(&term.text));
            let begins = sql::<Bool>("events.search ~ lower(").bind::<Text, _>(pattern).sql(")");
            ways.push(Box::new(holds().and(begins)));
        } else {
            ways.push(like(format!("{}%", like_literal(&term.text))));
            signs.extend([" ", "\"", "'", "(", "-", ".", ",", ":", "/", "@", "·"]);
        }
        ways.extend(signs.into_iter().map(|sign| like(format!("%{sign}{}%", like_literal(&term.text)))));
    } else {
        ways.push(like(format!("%{}%", like_literal(&term.text))));
    }
    let mut ids: Vec<Condition> = Vec::new();
    if let Some((first, last)) = term.ids() {
        // The id of a request, as error pages show it, may be cut short.
        ids.push(Box::new(events::request_id.between(first, last).assume_not_null()));
        if first == last {
            ids.push(Box::new(events::subject_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::actor_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::about_person.eq(first).assume_not_null()));
            ids.push(Box::new(events::client_id.eq(first).assume_not_null()));
            ids.push(Box::new(events::engagement_id.eq(first).assume_not_null()));
        }
    }
    if term.is_digest() {
        let digest = sql::<Bool>("(events.detail ->> 'sha256') LIKE lower(");
        ids.push(Box::new(digest.bind::<Text, _>(format!("{}%", like_literal(&term.text))).sql(")")));
    }
    let words = ways.into_iter().map(|condition| Way { condition, is_id: false });
    words.chain(ids.into_iter().map(|condition| Way { condition, is_id: true })).collect()
}

/// The text itself as a part of a regular expression.
fn regex_literal(text: &str) -> String {
    text.chars().flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect()
}

/// Whether all of them hold.
fn all(conditions: Vec<Condition>) -> Condition {
    let none: Condition = Box::new(sql::<Bool>("true"));
    conditions.into_iter().reduce(|a, b| Box::new(a.and(b))).unwrap_or(none)
}

/// Whether one of them holds.
fn any(conditions: Vec<Condition>) -> Condition {
    let none: Condition = Box::new(sql::<Bool>("false"));
    conditions.into_iter().reduce(|a, b| Box::new(a.or(b))).unwrap_or(none)
}

/// The events before or after a place. The plain comparison beside the one by rows lets whole months be left
/// out.
fn beyond<'a>(query: Boxed<'a>, page: Page) -> Boxed<'a> {
    let rows = |sign: &str, place: Place| {
        sql::<Bool>(&format!("(events.at, events.id) {sign} ("))
            .bind::<Timestamptz, _>(place.at)
            .sql(", ")
            .bind::<BigInt, _>(place.id)
            .sql(")")
    };
    match page {
        Page::Newest | Page::Day(_) => query,
        Page::Before(place) => query.filter(events::at.le(place.at)).filter(rows("<", place)),
        Page::After(place) => query.filter(events::at.ge(place.at)).filter(rows(">", place)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

/// The places of a filter's events from the page's edge on, at most `wanted` of them, in that order.
fn find_places(
    conn: &mut PgConnection,
    scope: &Scope,
    filter: &Filter,
    page: Page,
    order: Order,
    wanted: i64,
) -> QueryResult<Vec<Place>> {
    let places = |conn: &mut PgConnection, query: Boxed<'_>, limit: i64| {
        let query = match order {
            Order::NewestFirst => query.order((events::at.desc(), events::id.desc())),
            Order::OldestFirst => query.order((events::at.asc(), events::id.asc())),
        };
        let rows: Vec<(DateTime<Utc>, i64)> =
            query.limit(limit).select((events::at, events::id)).load_anew(conn)?;
        Ok::<Vec<Place>, diesel::result::Error>(rows.into_iter().map(|(at, id)| Place { at, id }).collect())
    };
    // An index by time gives the rows in their order, and no more of them than lie before the walk's end.
    conn.batch_execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = off")?;
    let everything = filter.terms.is_empty() && filter.categories.is_empty() && filter.user.is_none();
    if everything && scope.clients.is_none() {
        return places(conn, beyond(within(scope), page), wanted);
    }
    let end = places(conn, beyond(within(scope), page).offset(scope.walked), 1)?.pop();
    let matches = || beyond(matching(scope, filter), page);
    let near = match (end, order) {
        (None, _) => matches(),
        (Some(end), Order::NewestFirst) => beyond(matches(), Page::After(end)),
        (Some(end), Order::OldestFirst) => beyond(matches(), Page::Before(end)),
    };
    let mut found = places(conn, near, wanted)?;
    let Some(end) = end else { return Ok(found) };
    // A set of rows from the indexes, put into their order afterwards.
    conn.batch_execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on")?;
    let has_words = filter.terms.iter().any(|term| !term.not && !term.is_sign());
    if has_words && found.len() as i64 * RARE < scope.walked {
        // Rare as they are, all that are left are asked for at once.
        let beyond_end = lies_beyond(scope, end, order);
        let rest = matching_by_words(&Scope { from: None, to: None, ..scope.clone() }, filter);
        found.extend(places(conn, rest.filter(beyond_end), wanted - found.len() as i64)?);
        return Ok(found);
    }
    let matches = || {
        let query = if has_words { matching_by_words(scope, filter) } else { matching(scope, filter) };
        beyond(query, page)
    };
    let last = match order {
        Order::NewestFirst => scope.from,
        Order::OldestFirst => {
            let newest = within(scope).order((events::at.desc(), events::id.desc())).limit(1);
            newest.select(events::at).load_anew(conn)?.pop()
        }
    };
    for (from, to) in stretches(end.at, last, order) {
        let missing = wanted - found.len() as i64;
        if missing <= 0 {
            break;
        }
        let mut query = match order {
            // The walk's end itself belongs to what lies beyond.
            Order::NewestFirst => beyond(matches(), Page::Before(Place { id: end.id + 1, ..end })),
            Order::OldestFirst => beyond(matches(), Page::After(Place { id: end.id - 1, ..end })),
        };
        if let Some(from) = from {
            query = query.filter(events::at.ge(from));
        }
        if let Some(to) = to {
            query = query.filter(events::at.lt(to));
        }
        found.extend(places(conn, query, missing)?);
    }
    Ok(found)
}

/// Whether an event lies beyond the walk's end within the scope, in words that no index of times answers:
/// where the database has no statistics yet it would take that for the best of all indexes.
fn lies_beyond(scope: &Scope, end: Place, order: Order) -> Condition {
    let is = |sql_text: &str, at: DateTime<Utc>| -> Condition {
        Box::new(sql::<Bool>(sql_text).bind::<Timestamptz, _>(at).sql(") IS TRUE"))
    };
    let far = if order == Order::NewestFirst {
        "((events.at, events.id) <= ("
    } else {
        "((events.at, events.id) >= ("
    };
    let place = sql::<Bool>(far).bind::<Timestamptz, _>(end.at).sql(", ").bind::<BigInt, _>(end.id);
    let mut conditions: Vec<Condition> = vec![Box::new(place.sql(")) IS TRUE"))];
    conditions.extend(scope.from.map(|from| is("(events.at >= ", from)));
    conditions.extend(scope.to.map(|to| is("(events.at < ", to)));
    all(conditions)
}

/// From an instant on and before another, each where there is one.
type Stretch = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The time beyond the walk's end, up to the last instant, in whole months of UTC, as the log is divided: the
/// end's own, then one more, two, four and so on, so that many years are a few statements.
fn stretches(end: DateTime<Utc>, last: Option<DateTime<Utc>>, order: Order) -> Vec<Stretch> {
    let month = |months: u32| {
        let first = end.date_naive().with_day(1)?;
        let first = match order {
            Order::NewestFirst => first.checked_sub_months(Months::new(months))?,
            Order::OldestFirst => first.checked_add_months(Months::new(months + 1))?,
        };
        Some(first.and_time(NaiveTime::MIN).and_utc())
    };
    let mut stretches = Vec::new();
    let (mut near, mut months) = (None, 0);
    loop {
        let far = month(months).filter(|far| match order {
            Order::NewestFirst => last.is_some_and(|last| *far > last),
            Order::OldestFirst => last.is_some_and(|last| *far <= last),
        });
        stretches.push(match order {
            Order::NewestFirst => (far, near),
            Order::OldestFirst => (near, far),
        });
        if far.is_none() {
            return stretches;
        }
        (near, months) = (far, months * 2 + 1);
    }
}

/// One page of a filter's events, with their count. None when that takes more than three seconds.
pub fn find_page(conn: &mut PgConnection, scope: &Scope, filter: &Filter) -> Result<Option<Found>> {
    in_time(conn, 3_000, |conn| {
        let counted =
            find_places(conn, scope, filter, Page::Newest, Order::NewestFirst, COUNTED.max(LOADED))?;
        let newest: Vec<Place> = counted.iter().copied().take(LOADED as usize).collect();
        let newest = keyset::Page::cut(newest, &At::<Place>::First, ROWS);
        let page = match filter.page {
            Page::Newest | Page::Day(_) => newest,
            Page::Before(place) => {
                let rows = find_places(conn, scope, filter, filter.page, Order::NewestFirst, LOADED)?;
                keyset::Page::cut(rows, &At::After(place), ROWS)
            }
            Page::After(place) => {
                let rows = find_places(conn, scope, filter, filter.page, Order::OldestFirst, LOADED)?;
                let page = keyset::Page::cut(rows, &At::Before(place), ROWS);
                // Near the top: the newest page whole, and not half a page.
                if page.rows.len() < ROWS { newest } else { page }
            }
        };
        Ok(Found {
            rows: list_records(conn, &page.rows)?,
            older: page.later,
            newer: page.earlier,
            count: counted.len() as i64,
        })
    })
}

/// The events at these places, newest first.
fn list_records(conn: &mut PgConnection, places: &[Place]) -> QueryResult<Vec<Record>> {
    let (Some(newest), Some(oldest)) = (places.iter().max(), places.iter().min()) else {
        return Ok(Vec::new());
    };
    conn.batch_execute("SET LOCAL enable_indexscan = on")?;
    events::table
        // The plain comparisons let the other months be left out.
        .filter(events::at.ge(oldest.at).and(events::at.le(newest.at)))
        .filter(events::at.eq_any(places.iter().map(|place| place.at).collect::<Vec<_>>()))
        .filter(events::id.eq_any(places.iter().map(|place| place.id).collect::<Vec<_>>()))
        .order((events::at.desc(), events::id.desc()))
        .select(Record::as_select())
        .load_anew(conn)
}

/// How many events each of these filters would show, up to [`COUNTED`]. None for those whose turn came when
/// the milliseconds were used up.
pub fn count_each(
    conn: &mut PgConnection,
    filters: &[(Scope, Filter)],
    milliseconds: u32,
) -> Result<Vec<Option<i64>>> {
    let begun = Instant::now();
    let count = |(scope, filter): &(Scope, Filter)| {
        let left = milliseconds.saturating_sub(begun.elapsed().as_millis() as u32);
        if left == 0 {
            return Ok(None);
        }
        in_time(conn, left, |conn| {
            let places = find_places(conn, scope, filter, Page::Newest, Order::NewestFirst, COUNTED)?;
            Ok(places.len() as i64)
        })
    };
    filters.iter().map(count).collect()
}

/// How many events came after a place, up to a hundred.
pub fn count_after(
    conn: &mut PgConnection,
    scope: &Scope,
    filter: &Filter,
    place: Place,
) -> Result<Option<i64>> {
    in_time(conn, 1_000, |conn| {
        let places = find_places(conn, scope, filter, Page::After(place), Order::OldestFirst, 100)?;
        Ok(places.len() as i64)
    })
}

/// Runs `f` under a time limit of its own; none when it ran out. Each search is planned for its own words and
/// dates: a plan for any word would read everything for a rare one.
fn in_time<T>(
    conn: &mut PgConnection,
    milliseconds: u32,
    f: impl FnOnce(&mut PgConnection) -> QueryResult<T>,
) -> Result<Option<T>> {
    let done = conn.transaction(|conn| {
        conn.batch_execute(&format!(
            "SET LOCAL statement_timeout = {milliseconds}; SET LOCAL plan_cache_mode = force_custom_plan; \
                SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '64MB'"
        ))?;
        f(conn)
    });
    match done {
        Ok(value) => Ok(Some(value)),
        Err(diesel::result::Error::DatabaseError(_, info))
            if info.message().contains("statement timeout") =>
        {
            Ok(None)
        }
        Err(other) => Err(Error::from(other)),
    }
}

/// Whom the filter offers, by name: everybody, or the people of these clients.
pub fn list_people(conn: &mut PgConnection, clients: Option<&Visible>) -> Result<Vec<(PersonId, String)>> {
    let mut query = people::table
        .order((people::name, people::id))
        .limit(PEOPLE)
        .select((people::id, people::name))
        .into_boxed();
    if let Some(clients) = clients {
        let at = client_access::client_id.eq_any(clients.ids());
        query =
            query.filter(people::id.eq_any(client_access::table.filter(at).select(client_access::person_id)));
    }
    Ok(query.load::<(Uuid, String)>(conn)?.into_iter().map(|(id, name)| (PersonId(id), name)).collect())
}
