//! Forms that work on a report: a step, the narrative, a finding, its remediation, a correction.

use askama::Template;

use crate::engagements::views::forms::Conflict;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{FindingId, PersonId, ReportId};
use crate::kernel::base::team::Team;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::lifecycle::domain::ReportStatus;
use crate::procedures::domain::Severity;
use crate::reports::content::{Correction, FindingState, NarrativeField};
use crate::reports::store::Head;
use crate::reports::workflow::Step;
use crate::settings::domain::Outcome;

/// A field as it was typed: name, value, and the version that its shown value came from.
pub type TypedValue = (&'static str, String, i32);

/// What a form that merges field by field shows beside its values.
#[derive(Debug, Clone, Default)]
pub struct Editing {
    /// The version of the values that are shown.
    pub version: i32,
    /// What was typed and is not saved.
    pub unsaved: Vec<TypedValue>,
    /// What both sides changed.
    pub conflicts: Vec<Conflict>,
    /// What is wrong with a field.
    pub errors: FieldErrors,
    /// Why nothing, or not all, is saved.
    pub problem: Option<String>,
    /// Whether the texts are shown as they will read.
    pub preview: bool,
}

impl Editing {
    /// What a field shows: as typed where that is not saved, otherwise as stored.
    pub fn value(&self, name: &str, stored: &str) -> String {
        self.unsaved
            .iter()
            .find(|(field, ..)| *field == name)
            .map_or_else(|| stored.to_owned(), |(_, typed, _)| typed.clone())
    }
    fn error(&self, field: &str) -> Option<&str> {
        self.errors.get(field)
    }
    fn conflict(&self, field: &str) -> Option<&Conflict> {
        self.conflicts.iter().find(|conflict| conflict.field == field)
    }
}

#[derive(Template)]
#[template(path = "reports/move.html")]
pub struct MovePage {
    pub frame: Frame,
    pub head: Head,
    pub step: &'static Step,
    /// What was typed to it.
    pub comment: String,
    /// Who may review: id, name, ticked, whether it is the person themselves.
    pub reviewers: Vec<(PersonId, String, bool, bool)>,
    pub errors: FieldErrors,
}

impl MovePage {
    fn sends(&self) -> bool {
        self.step.to == ReportStatus::ReadyForReview
    }
}

#[derive(Template)]
#[template(path = "reports/edit.html", blocks = ["previews"])]
pub struct NarrativePage {
    pub frame: Frame,
    pub id: ReportId,
    /// Every field with its value.
    pub values: Vec<(NarrativeField, String)>,
    /// The rest of the form.
    pub editing: Editing,
}

impl NarrativePage {
    fn previews(&self) -> Vec<(&'static str, String)> {
        if !self.editing.preview {
            return Vec::new();
        }
        let written = self
            .values
            .iter()
            .filter(|(field, text)| *field != NarrativeField::Title && !text.trim().is_empty());
        written.map(|(field, text)| (field.label(), markdown::render(text))).collect()
    }
    fn is_title(&self, field: &NarrativeField) -> bool {
        *field == NarrativeField::Title
    }
}

/// A row of boxes: id, name, more, ticked.
type Boxes = Vec<(String, String, String, bool)>;

#[derive(Template)]
#[template(path = "reports/finding.html")]
pub struct FindingPage {
    pub frame: Frame,
    pub report: ReportId,
    /// The finding; a new one has its id already, so that a second click adds no second one.
    pub id: FindingId,
    /// Whether it is new.
    pub is_new: bool,
    pub title: String,
    pub severity: String,
    pub description: String,
    pub recommendation: String,
    pub assets: Boxes,
    pub evidence: Boxes,
    /// The rest of the form.
    pub editing: Editing,
}

impl FindingPage {
    /// A conflict with names where its values are ids.
    fn conflict(&self, field: &str) -> Option<Conflict> {
        let mut conflict: Conflict = self.editing.conflict(field)?.clone();
        let boxes = match field {
            "assets" => &self.assets,
            "evidence" => &self.evidence,
            _ => return Some(conflict),
        };
        let named = |value: &str| {
            let names: Vec<&str> = boxes
                .iter()
                .filter(|(id, ..)| value.contains(id.as_str()))
                .map(|(_, name, ..)| name.as_str())
                .collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        (conflict.theirs_shown, conflict.mine) = (Some(named(&conflict.theirs)), named(&conflict.mine));
        Some(conflict)
    }
}

#[derive(Template)]
#[template(path = "reports/remediation.html")]
pub struct RemediationPage {
    pub frame: Frame,
    pub report: ReportId,
    pub id: FindingId,
    pub finding: String,
    /// What is recommended, rendered.
    pub recommendation: String,
    pub state: String,
    pub owner: String,
    /// "2026-11-21" or nothing.
    pub due_on: String,
    /// The rest of the form.
    pub editing: Editing,
}

impl RemediationPage {
    fn states(&self) -> &'static [FindingState] {
        FindingState::ALL
    }
}

#[derive(Template)]
#[template(path = "reports/correction.html")]
pub struct CorrectionPage {
    pub frame: Frame,
    pub url: String,
    pub back: String,
    /// Place and name of the procedure.
    pub name: String,
    pub team: Team,
    pub frozen: String,
    pub earlier: Option<Correction>,
    /// Key, label and definition of what can be chosen.
    pub choices: Vec<Outcome>,
    pub chosen: String,
    pub reason: String,
    /// The correction that the page showed.
    pub seen: String,
    pub errors: FieldErrors,
}

impl CorrectionPage {
    fn counts(&self) -> String {
        let earlier = self
            .earlier
            .as_ref()
            .map(|c| c.after.as_ref().map_or("Unanswered".to_owned(), |o| o.label.clone()));
        earlier.unwrap_or_else(|| self.frozen.clone())
    }
}

impl FindingPage {
    fn severities(&self) -> &'static [Severity] {
        Severity::ALL
    }
}
