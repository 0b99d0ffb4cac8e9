//! Pages of what engagements give back.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::domain::Found;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{LibraryProcedureId, ProcedureId, RepositoryId};
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::writing::differences::Difference;
use crate::procedures::store::runbook::Use;
use crate::settings::domain::Outcome;

/// A name of the client's in the form, with what was decided about it.
pub struct FoundLine {
    pub found: Found,
    /// Whether it may go along.
    pub stays: bool,
    /// What stands in its place.
    pub by: String,
}

/// What a worked procedure was copied from, as far as it can get a new version.
pub struct Origin {
    pub id: LibraryProcedureId,
    pub shown_id: String,
    pub name: String,
    pub version: i32,
    pub may_write: bool,
    pub differences: Vec<Difference>,
}

#[derive(Template)]
#[template(path = "harvest/procedure.html")]
pub struct SaveProcedure {
    pub frame: Frame,
    pub action: String,
    pub back: String,
    pub name: String,
    pub origin: Option<Origin>,
    /// Whether a new version of the origin is chosen.
    pub is_version: bool,
    pub targets: Vec<(RepositoryId, String)>,
    pub repository: String,
    pub found: Vec<FoundLine>,
    /// Values that became names of inputs again.
    pub inputs: Vec<String>,
    pub errors: FieldErrors,
    pub problem: Option<String>,
}

impl SaveProcedure {
    fn is_target(&self, id: &RepositoryId) -> bool {
        id.to_string() == self.repository
    }
    pub fn may_version(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.may_write && !origin.differences.is_empty())
    }
}

/// A procedure of the engagement in the form of its test plan.
pub struct PlanLine {
    pub procedure: ProcedureId,
    pub position: i32,
    pub name: String,
    /// The library procedure that the plan will name.
    pub origin: Option<(LibraryProcedureId, String)>,
}

#[derive(Template)]
#[template(path = "harvest/plan.html")]
pub struct SavePlan {
    pub frame: Frame,
    pub engagement: String,
    pub back: String,
    pub title: String,
    pub description: String,
    pub tags: String,
    pub lines: Vec<PlanLine>,
    pub found: Vec<FoundLine>,
    pub errors: FieldErrors,
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "harvest/uses.html")]
pub struct UsesPage {
    pub frame: Frame,
    pub shown_id: String,
    pub name: String,
    pub procedure: LibraryProcedureId,
    pub uses: Vec<Use>,
    pub outcomes: Vec<Outcome>,
    pub zone: Tz,
    /// Whether more uses exist than are shown.
    pub is_cut: bool,
}

impl UsesPage {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
    /// Tone and label of an outcome.
    fn outcome(&self, key: &Option<String>) -> (&'static str, String) {
        match key {
            None => ("unanswered", "Unanswered".to_owned()),
            Some(key) => match self.outcomes.iter().find(|outcome| outcome.key == *key) {
                Some(outcome) => (outcome.tone(), outcome.label.clone()),
                None => ("none", key.clone()),
            },
        }
    }
}
