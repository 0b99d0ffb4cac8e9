//! Versions of a test plan.

use std::collections::HashSet;

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::revisions::{Difference, PlanBody};
use crate::library::store::Plan;
use crate::library::store::revisions::{LastUse, Revision};

/// What changed since a plan was last used.
pub struct SinceUse {
    pub last: LastUse,
    pub changed: Difference,
    pub zone: Tz,
}

impl SinceUse {
    pub fn at(&self) -> String {
        show::time(self.last.at, self.zone)
    }
}

/// A version with what differs from the one before.
pub struct RevisionRow {
    pub n: i32,
    pub at: DateTime<Utc>,
    pub by: Option<String>,
    /// How many procedures it names.
    pub procedures: usize,
    /// None for the first that is known.
    pub changed: Option<Difference>,
}

impl RevisionRow {
    pub fn new(revision: &Revision, before: Option<&PlanBody>, body: &PlanBody) -> Self {
        Self {
            n: revision.n,
            at: revision.at,
            by: revision.by.clone(),
            procedures: body.procedures.len(),
            changed: before.map(|before| Difference::between(before, body)),
        }
    }

    /// The difference in words: "title, 2 procedures added".
    pub fn digest(&self) -> String {
        let Some(changed) = &self.changed else { return "The first version that is kept".into() };
        let mut words: Vec<String> = changed.texts.iter().map(|(label, ..)| label.to_lowercase()).collect();
        let mut count = |number: usize, what: &str| {
            if number > 0 {
                words.push(format!("{} {what}", show::counted(number, "procedure", "procedures")));
            }
        };
        count(changed.added.len(), "added");
        count(changed.removed.len(), "removed");
        count(changed.newer.len(), "in a newer version");
        if changed.reordered {
            words.push("order".into());
        }
        if words.is_empty() { "Nothing that is shown".into() } else { words.join(", ") }
    }
}

#[derive(Template)]
#[template(path = "test_plans/versions.html")]
pub struct Revisions {
    pub frame: Frame,
    pub plan: Plan,
    pub rows: Vec<RevisionRow>,
    /// The last number on this page, where there are older ones.
    pub older: Option<i32>,
    pub zone: Tz,
}

#[derive(Template)]
#[template(path = "test_plans/version.html")]
pub struct RevisionPage {
    pub frame: Frame,
    pub plan: Plan,
    pub row: RevisionRow,
    pub body: PlanBody,
    /// What restoring it would change.
    pub to_now: Difference,
    /// The procedures that the reader can open.
    pub known: HashSet<LibraryProcedureId>,
    /// Whether plans may be changed.
    pub may_edit: bool,
    pub zone: Tz,
}

impl RevisionPage {
    fn is_current(&self) -> bool {
        self.row.n == self.plan.version
    }
    fn is_known(&self, id: &LibraryProcedureId) -> bool {
        self.known.contains(id)
    }
    /// How many of its procedures a restored plan would have to do without.
    fn gone(&self) -> usize {
        self.body.procedures.iter().filter(|one| !self.known.contains(&one.id)).count()
    }
}
