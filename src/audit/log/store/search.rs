//! SQL of the audit log's page: one page of events by keyset, the capped count, what came since, and whom to
//! choose from.
//!
//! What a search costs must not hang on what the planner guesses of a word. So it has steps, each of which is
//! bounded whatever the words are. First the newest [`WALKED`] events are read one after another, and, where
//! words are found there often but not often enough, more of them up to [`WALKS_ON`] times as many: what is
//! common is found so. Only what is rare is asked of the indexes: words all at once, in a form that no index
//! but their own can answer, and other filters a month and then more months at a time.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Datelike, Months, NaiveTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz};
use uuid::Uuid;

use crate::audit::log::query::{Filter, Page};
use crate::audit::log::store::matching::{Boxed, Condition, Scope, all, matching, matching_by_words, within};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::keyset::{self, At, LOADED, ROWS};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{client_access, people};
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::events;

/// Words that a walk found in fewer than one of so many events are rare, and walking on would not find them.
const RARE: i64 = 200;
/// So many times [`WALKED`] events are read at most: enough to find [`COUNTED`] of what is in one of
/// [`RARE`].
const WALKS_ON: i64 = 8;
/// Counts stop here: nobody reads on to learn whether it is two thousand or three.
pub const COUNTED: i64 = 1_001;
/// So many of the newest events are read before the indexes are asked. A word that is found less than
/// [`COUNTED`] times among them is in about one of twenty-five events, or fewer.
pub const WALKED: i64 = 25_000;
/// The most people that the filter offers.
const PEOPLE: i64 = 1_000;

#[derive(Debug, Clone, Default)]
pub struct Found {
    /// A page of them, the newest first.
    pub rows: Vec<Record>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there may be newer ones.
    pub newer: bool,
    /// How many there are, up to [`COUNTED`].
    pub count: i64,
    /// How many of each category, by its stored name; empty where a category is chosen, or where there are
    /// more than are counted.
    pub categories: BTreeMap<String, i64>,
}

/// Why a search gave nothing to show.
pub const TOO_BROAD: &str = "Too broad: shorten the dates or add a word.";

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

/// What lies beyond a walk, its end included, which the walk has not read.
fn from_on(end: Place, order: Order) -> Page {
    match order {
        Order::NewestFirst => Page::Before(Place { id: end.id + 1, ..end }),
        Order::OldestFirst => Page::After(Place { id: end.id - 1, ..end }),
    }
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
    let has_words = filter.terms.iter().any(|term| !term.not && !term.is_sign());
    let (mut found, mut walked, mut begin) = (Vec::new(), 0, page);
    let end = loop {
        // Each walk on is as long as all before it.
        let step = scope.walked.max(walked);
        let end = places(conn, beyond(within(scope), begin).offset(step), 1)?.pop();
        let matches = beyond(matching(scope, filter), begin);
        let near = match (end, order) {
            (None, _) => matches,
            (Some(end), Order::NewestFirst) => beyond(matches, Page::After(end)),
            (Some(end), Order::OldestFirst) => beyond(matches, Page::Before(end)),
        };
        found.extend(places(conn, near, wanted - found.len() as i64)?);
        let Some(end) = end else { return Ok(found) };
        walked += step;
        if found.len() as i64 >= wanted {
            return Ok(found);
        }
        let is_rare = found.len() as i64 * RARE < walked;
        if !has_words || is_rare || walked >= scope.walked * WALKS_ON {
            break end;
        }
        begin = from_on(end, order);
    };
    // A set of rows from the indexes, put into their order afterwards.
    conn.batch_execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on")?;
    if has_words {
        let beyond_end = lies_beyond(scope, end, order);
        let rest = matching_by_words(&Scope { from: None, to: None, ..scope.clone() }, filter);
        found.extend(places(conn, rest.filter(beyond_end), wanted - found.len() as i64)?);
        return Ok(found);
    }
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
        let mut query = beyond(matching(scope, filter), from_on(end, order));
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
            categories: if filter.categories.is_empty() && (counted.len() as i64) < COUNTED {
                count_categories(conn, &counted)?
            } else {
                BTreeMap::new()
            },
        })
    })
}

/// How many of the events at these places each category has. They are found already, so that this asks for
/// as many rows as there are places, one by one.
fn count_categories(conn: &mut PgConnection, places: &[Place]) -> QueryResult<BTreeMap<String, i64>> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = Text)]
        category: String,
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    conn.batch_execute("SET LOCAL enable_indexscan = on")?;
    // sql_query: a look for each pair of two arrays, because one comparison with each of them would pair
    // every time with every id, and a plain join may begin with the events.
    let counted: Vec<Counted> = diesel::sql_query(
        "SELECT e.category, count(*) AS count
         FROM unnest($1, $2) AS place (at, id)
         CROSS JOIN LATERAL (SELECT category FROM audit.events
            WHERE audit.events.at = place.at AND audit.events.id = place.id LIMIT 1) e
         GROUP BY e.category",
    )
    .bind::<Array<Timestamptz>, _>(places.iter().map(|place| place.at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(places.iter().map(|place| place.id).collect::<Vec<_>>())
    .load(conn)?;
    Ok(counted.into_iter().map(|row| (row.category, row.count)).collect())
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
