//! Forms that work on a report: a step, the narrative, a finding, its remediation, a correction.

use askama::Template;

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{FindingId, PersonId, ReportId};
use crate::kernel::base::team::Team;
use crate::kernel::merge::form::Editing;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::lifecycle::domain::ReportStatus;
use crate::procedures::domain::Severity;
use crate::reports::content::{Correction, FindingField, FindingState, NarrativeField};
use crate::reports::store::Head;
use crate::reports::workflow::Step;
use crate::settings::domain::Outcome;

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
    /// Whether the texts are shown as they will read.
    pub preview: bool,
    /// The rest of the form.
    pub editing: Editing<NarrativeField>,
}

impl NarrativePage {
    fn previews(&self) -> Vec<(&'static str, String)> {
        if !self.preview {
            return Vec::new();
        }
        let written = self
            .values
            .iter()
            .filter(|(field, text)| NarrativeField::chapters().contains(field) && !text.trim().is_empty());
        written.map(|(field, text)| (field.label(), markdown::render(text))).collect()
    }
    fn is_classification(&self, field: &NarrativeField) -> bool {
        *field == NarrativeField::Classification
    }
    fn is_tags(&self, field: &NarrativeField) -> bool {
        *field == NarrativeField::Tags
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
    /// Separated by commas.
    pub tags: String,
    pub assets: Boxes,
    pub evidence: Boxes,
    /// The rest of the form.
    pub editing: Editing<FindingField>,
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
    pub editing: Editing<FindingField>,
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
