//! SQL of the audit log's page: one page of events by keyset, the capped count, what came since, and whom to
//! choose from.

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Timestamptz};
use uuid::Uuid;

use crate::audit::log::query::{Filter, Page, Part};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::keyset::{self, At, LOADED, ROWS};
use crate::kernel::db::schema::{client_access, people};
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::events;

/// Counts stop here.
pub const COUNTED: i64 = 1_001;
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

/// The events of a filter within a scope, in no order yet.
pub(super) fn matching<'a>(scope: &Scope, filter: &Filter) -> Boxed<'a> {
    let mut query = events::table.into_boxed();
    if let Some(clients) = &scope.clients {
        query = query.filter(events::client_id.eq_any(clients.ids().to_vec()).assume_not_null());
    }
    if let Some(from) = scope.from {
        query = query.filter(events::at.ge(from));
    }
    if let Some(to) = scope.to {
        query = query.filter(events::at.lt(to));
    }
    if !filter.categories.is_empty() {
        query = query.filter(
            events::category
                .eq_any(filter.categories.iter().map(|category| category.as_str()).collect::<Vec<_>>()),
        );
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
    for term in &filter.terms {
        // The column is the database's own and unknown to diesel, and both sides are lowered by the same
        // function.
        let like = if term.not { "events.search NOT LIKE lower(" } else { "events.search LIKE lower(" };
        query = query.filter(sql::<Bool>(like).bind::<Text, _>(term.pattern()).sql(")"));
    }
    query
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

/// One page of a filter's events, with their count. None when that takes more than three seconds.
pub fn find_page(conn: &mut PgConnection, scope: &Scope, filter: &Filter) -> Result<Option<Found>> {
    in_time(conn, 3_000, |conn| {
        let newest_first = |query: Boxed<'static>| {
            query.order((events::at.desc(), events::id.desc())).limit(LOADED).select(Record::as_select())
        };
        let newest = || newest_first(matching(scope, filter));
        // The list begins with the newest: a page before a place comes after it.
        let page = match filter.page {
            Page::Newest | Page::Day(_) => keyset::Page::cut(newest().load(conn)?, &At::<Place>::First, ROWS),
            Page::Before(place) => {
                let rows = newest_first(beyond(matching(scope, filter), filter.page)).load(conn)?;
                keyset::Page::cut(rows, &At::After(place), ROWS)
            }
            Page::After(place) => {
                let later =
                    beyond(matching(scope, filter), filter.page).order((events::at.asc(), events::id.asc()));
                let rows = later.limit(LOADED).select(Record::as_select()).load(conn)?;
                let page = keyset::Page::cut(rows, &At::Before(place), ROWS);
                if page.rows.len() < ROWS {
                    // Near the top: the newest page whole, and not half a page.
                    keyset::Page::cut(newest().load(conn)?, &At::<Place>::First, ROWS)
                } else {
                    page
                }
            }
        };
        let whole = !page.later && !page.earlier;
        let count = if whole { page.rows.len() as i64 } else { count(conn, scope, filter)? };
        Ok(Found { rows: page.rows, older: page.later, newer: page.earlier, count })
    })
}

/// How many events there are, up to [`COUNTED`].
fn count(conn: &mut PgConnection, scope: &Scope, filter: &Filter) -> QueryResult<i64> {
    let found: Vec<i64> = matching(scope, filter).limit(COUNTED).select(events::id).load(conn)?;
    Ok(found.len() as i64)
}

/// How many events each of these filters would show, up to [`COUNTED`]; none where that takes more than half
/// a second.
pub fn count_each(conn: &mut PgConnection, filters: &[(Scope, Filter)]) -> Result<Vec<Option<i64>>> {
    filters.iter().map(|(scope, filter)| in_time(conn, 500, |conn| count(conn, scope, filter))).collect()
}

/// How many events came after a place, up to a hundred.
pub fn count_after(
    conn: &mut PgConnection,
    scope: &Scope,
    filter: &Filter,
    place: Place,
) -> Result<Option<i64>> {
    in_time(conn, 1_000, |conn| {
        let found: Vec<i64> =
            beyond(matching(scope, filter), Page::After(place)).limit(100).select(events::id).load(conn)?;
        Ok(found.len() as i64)
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
            "SET LOCAL statement_timeout = {milliseconds}; SET LOCAL plan_cache_mode = force_custom_plan"
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
