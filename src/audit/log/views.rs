//! The audit log's page.

use askama::Template;
use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::audit::log::query::{Filter, Page, Part, presets};
use crate::audit::log::search::Hint;
use crate::audit::log::store::search::{COUNTED, Found, TOO_BROAD};
use crate::audit::proof::seal::Seal;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::hex::hex;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::show;
use crate::kernel::event::domain::Category;
use crate::kernel::event::record::Record;
use crate::kernel::event::views::{EventRow, ProofOf, SealShown};
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

impl Hint {
    fn counted(&self) -> Option<String> {
        self.count.map(counted)
    }
}

/// "2 events", "1,000+ events".
fn counted(count: i64) -> String {
    show::counted_to(count, COUNTED, "event", "events")
}

/// What the search gave.
pub enum Outcome {
    /// It took too long.
    TooBroad,
    /// A page, and what would show more where it is empty.
    Found {
        page: Found,
        /// Ways to see more.
        hints: Vec<Hint>,
    },
}

#[derive(Template)]
#[template(path = "audit/show.html", blocks = ["log"])]
pub struct AuditLog {
    pub frame: Frame,
    pub filter: Filter,
    /// A sentence beside each filter that does not apply.
    pub errors: FieldErrors,
    pub outcome: Outcome,
    /// Number and seal of the row that is open.
    pub sealed: Option<(i64, Seal)>,
    /// Whom the filter offers.
    pub people: Vec<(PersonId, String)>,
    /// Whether this person reads everything, and not only their clients' events.
    pub whole: bool,
    /// The first day that was searched.
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// Today in the organisation's zone.
    pub today: NaiveDate,
    pub zone: Tz,
}

fn shown(event: i64, seal: &Seal) -> SealShown {
    SealShown {
        event,
        seal: seal.number,
        first: seal.first,
        last: seal.last,
        root: hex(seal.root.as_slice()),
        digest: hex(seal.digest().as_slice()),
    }
}

impl AuditLog {
    fn searched(&self) -> String {
        let days = show::dates(Some(self.first.min(self.last)), Some(self.last));
        match &self.outcome {
            Outcome::TooBroad => format!("Searched {days}"),
            Outcome::Found { page, .. } => format!("Searched {days}: {}", counted(page.count)),
        }
    }
    fn row<'a>(&self, event: &'a Record) -> EventRow<'a> {
        let place = event.place();
        let open = self.filter.open == Some(place);
        let other = Filter { open: (!open).then_some(place), ..self.filter.clone() };
        let proof = ProofOf {
            sealed: self.sealed.as_ref().map(|(number, seal)| shown(*number, seal)),
            href: format!("/admin/audit-log.jsonl?event={place}&proof=1"),
        };
        EventRow::new(event, self.zone, Some(other.url()), open).with_proof(open.then_some(proof))
    }
    fn presets(&self) -> Vec<(&'static str, String, bool)> {
        let preset = |(name, range)| (name, self.filter.over(range).url(), self.filter.is_over(range));
        presets(self.today).into_iter().map(preset).collect()
    }
    fn everything(&self) -> String {
        Filter { categories: Vec::new(), ..self.filter.anew() }.url()
    }
    fn toggled(&self, category: &Category) -> String {
        self.filter.toggled(*category).url()
    }
    fn has(&self, category: &Category) -> bool {
        self.filter.categories.contains(category)
    }
    /// How many events of the search a category has, where that is known.
    fn count(&self, category: &Category) -> Option<i64> {
        let Outcome::Found { page, .. } = &self.outcome else { return None };
        page.categories.get(category.as_str()).copied()
    }
    fn is_user(&self, id: &PersonId) -> bool {
        self.filter.user == Some(*id)
    }
    fn is_part(&self, part: &Part) -> bool {
        self.filter.part == *part
    }
    fn day(&self, day: &Option<NaiveDate>) -> String {
        day.map(|day| day.to_string()).unwrap_or_default()
    }
    fn jump(&self) -> String {
        if let Page::Day(day) = self.filter.page { day.to_string() } else { String::new() }
    }
    /// Where what came since is asked for; only the newest page asks.
    fn fresh(&self, page: &Found) -> Option<String> {
        let newest = page.rows.first().filter(|_| self.filter.page == Page::Newest)?;
        let since = self.filter.at(Page::After(newest.place()));
        Some(format!("/admin/audit-log/fresh?{}", since.query()))
    }
    fn newer(&self, page: &Found) -> Option<String> {
        let first = page.rows.first().filter(|_| page.newer)?;
        Some(self.filter.at(Page::After(first.place())).url())
    }
    fn older(&self, page: &Found) -> Option<String> {
        let last = page.rows.last().filter(|_| page.older)?;
        Some(self.filter.at(Page::Before(last.place())).url())
    }
    /// The label of a filter, for the sentence beside it.
    fn field_name(&self, field: &str) -> &'static str {
        match field {
            "from" => "Start date",
            "to" => "End date",
            "q" => "Search",
            "user" => "User",
            "jump" => "Jump to",
            "category" => "Category",
            _ => "Page",
        }
    }
    /// Where the filter is exported.
    fn export(&self, ending: &str) -> String {
        format!("/admin/audit-log.{ending}?{}", self.filter.anew().query())
    }
    fn too_broad(&self) -> &'static str {
        TOO_BROAD
    }
}

/// What came since the page was drawn.
#[derive(Template)]
#[template(path = "audit/_news.html")]
pub struct News {
    /// How many, up to a hundred.
    pub count: i64,
    pub href: String,
}

impl News {
    fn words(&self) -> String {
        match self.count {
            1 => "1 new event".to_owned(),
            100.. => "100 or more new events".to_owned(),
            n => format!("{n} new events"),
        }
    }
}
