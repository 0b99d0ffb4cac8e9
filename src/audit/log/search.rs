//! What the page shows of a filter: one page of events, ways to loosen it where nothing fits, and whom it can
//! choose from.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use diesel::pg::PgConnection;

use crate::audit::log::query::{Filter, Page, Part, Range};
use crate::audit::log::store::matching::Scope;
use crate::audit::log::store::search::{self as store, Found};
use crate::audit::proof::seal::Seal;
use crate::audit::proof::store::seal;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::PersonId;
use crate::kernel::event::months::get_floor;
use crate::kernel::event::record::Place;

/// How long the ways to see more may take to count, all of them together.
const HINTS_MILLISECONDS: u32 = 30;

/// What somebody may see of the log.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Only these clients' events; none means all.
    pub clients: Option<Visible>,
    /// The zone in which a filter's days are meant.
    pub zone: Tz,
    /// What the past 24 hours end with.
    pub now: DateTime<Utc>,
}

impl Reach {
    /// What a filter covers; what lies below the floor is no longer shown.
    pub fn scope(&self, filter: &Filter, floor: DateTime<Utc>) -> Scope {
        let (from, to) = filter.instants(self.zone);
        let from = if filter.past_day { Some(self.now - TimeDelta::hours(24)) } else { from };
        let from = Some(from.map_or(floor, |from| from.max(floor)));
        Scope { clients: self.clients.clone(), from, to, walked: store::WALKED }
    }
}

/// A way to see more where nothing was found.
#[derive(Debug, Clone)]
pub struct Hint {
    /// What is left out.
    pub words: &'static str,
    /// How many events that shows, up to [`store::COUNTED`]; none where counting took too long.
    pub count: Option<i64>,
    pub href: String,
}

pub struct Loaded {
    /// The oldest instant that is shown.
    pub floor: DateTime<Utc>,
    /// The page; none where it took too long.
    pub page: Option<Found>,
    /// Ways to see more.
    pub hints: Vec<Hint>,
    /// Whom the filter can choose from.
    pub people: Vec<(PersonId, String)>,
    /// Number and seal of the row that is open.
    pub sealed: Option<(i64, Seal)>,
}

pub fn search(conn: &mut PgConnection, reach: &Reach, filter: &Filter) -> Result<Loaded> {
    let floor = get_floor(conn)?;
    let people = store::list_people(conn, reach.clients.as_ref())?;
    let (wide, filter) =
        (reach.scope(filter, floor), Filter { page: filter.page_in(reach.zone), ..filter.clone() });
    let mut page = store::find_page(conn, &wide, &filter)?;
    // The address of an open row still shows it when newer events have pushed it off the first page.
    if let (Some(open), Some(found)) = (filter.open, &page)
        && !found.rows.iter().any(|row| row.place() == open)
    {
        let at =
            Filter { page: Page::Before(Place { id: open.id.saturating_add(1), ..open }), ..filter.clone() };
        let other = store::find_page(conn, &wide, &at)?;
        page = other.filter(|found| found.rows.first().is_some_and(|row| row.place() == open)).or(page);
    }
    let nothing = page.as_ref().is_some_and(|page| page.rows.is_empty());
    let hints = if nothing && filter.narrows() { hints(conn, reach, &filter, floor)? } else { Vec::new() };
    let shown = filter
        .open
        .filter(|open| page.as_ref().is_some_and(|page| page.rows.iter().any(|row| row.place() == *open)));
    let sealed = shown.map(|open| seal::find_number(conn, open)).transpose()?.flatten();
    Ok(Loaded { floor, page, hints, people, sealed })
}

/// Which filter to loosen: what each would show if it were left out.
fn hints(conn: &mut PgConnection, reach: &Reach, filter: &Filter, floor: DateTime<Utc>) -> Result<Vec<Hint>> {
    let all = filter.anew();
    let mut ways: Vec<(&'static str, Filter)> = Vec::new();
    if !filter.terms.is_empty() {
        ways.push(("Without the search", Filter { q: String::new(), terms: Vec::new(), ..all.clone() }));
    }
    if !filter.categories.is_empty() {
        ways.push(("In every category", Filter { categories: Vec::new(), ..all.clone() }));
    }
    if filter.user.is_some() {
        if filter.part != Part::Either {
            ways.push(("By or about the user", Filter { part: Part::Either, ..all.clone() }));
        }
        ways.push(("Of every user", Filter { user: None, part: Part::Either, ..all.clone() }));
    }
    if !filter.is_over(Range::All) {
        ways.push(("Over all dates", all.over(Range::All)));
    }
    let filters: Vec<_> =
        ways.iter().map(|(_, filter)| (reach.scope(filter, floor), filter.clone())).collect();
    let counts = store::count_each(conn, &filters, HINTS_MILLISECONDS)?;
    let hint = |((words, filter), count): ((&'static str, Filter), Option<i64>)| {
        (count != Some(0)).then(|| Hint { words, count, href: filter.url() })
    };
    Ok(ways.into_iter().zip(counts).filter_map(hint).collect())
}
