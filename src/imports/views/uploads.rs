//! The page of uploads with the history of imports, and the page of one import.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::imports::forms::ApplyForm;
use crate::imports::preview::{ImportState, ShownField, Verdict};
use crate::imports::source::ImportKind;
use crate::imports::store::runs::{Goal, Import, Tally, Told};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::changes::withdraws_much;

#[derive(Template)]
#[template(path = "imports/list.html")]
pub struct List {
    pub frame: Frame,
    /// Repositories that the person may import into.
    pub goals: Vec<Goal>,
    /// Id of the repository that was chosen.
    pub chosen: String,
    pub withdraws: bool,
    pub imports: Vec<Import>,
    pub earlier: Option<String>,
    pub later: Option<String>,
    pub errors: FieldErrors,
    /// Why nothing was stored.
    pub problem: Option<String>,
    pub zone: Tz,
}

impl List {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
    fn goal_is(&self, goal: &Goal) -> bool {
        goal.id.to_string() == self.chosen
    }
    fn counted(&self, count: &usize) -> String {
        show::thousands(*count)
    }
    fn shown(&self) -> usize {
        self.imports.len()
    }
    fn tone(&self, import: &Import) -> &'static str {
        tone_of(import.state)
    }
}

/// The colour of a state.
fn tone_of(state: ImportState) -> &'static str {
    match state {
        ImportState::Waiting | ImportState::Checking | ImportState::Ready => "doing",
        ImportState::Applied => "done",
        ImportState::Failed | ImportState::Discarded | ImportState::Undone => "",
    }
}

/// The rows of one verdict.
pub struct Part {
    pub verdict: Verdict,
    pub total: i64,
    pub rows: Vec<Told>,
}

impl Part {
    fn count(&self) -> String {
        show::thousands(usize::try_from(self.total).unwrap_or_default())
    }
    fn has_more(&self) -> bool {
        self.total > i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }
    fn last(&self) -> i32 {
        self.rows.last().map_or(-1, |row| row.position)
    }
    fn tells_places(&self) -> bool {
        matches!(self.verdict, Verdict::Fault | Verdict::Refused | Verdict::Warning)
    }
    fn tells_sentences(&self) -> bool {
        self.rows.iter().any(|row| !row.detail.sentence.is_empty())
    }
    fn tells_fields(&self) -> bool {
        self.verdict == Verdict::Changed
    }
}

#[derive(Template)]
#[template(path = "imports/show.html", blocks = ["checked"])]
pub struct Show {
    pub frame: Frame,
    pub import: Import,
    pub parts: Vec<Part>,
    /// The one kind that is shown alone.
    pub only: Option<Verdict>,
    /// Copies elsewhere whose original has changed.
    pub behind: usize,
    /// What was ticked, where the form comes back.
    pub typed: ApplyForm,
    pub problem: Option<String>,
    pub zone: Tz,
}

impl Show {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
    fn url(&self) -> String {
        format!("/library/imports/{}", self.import.id)
    }
    fn tally(&self) -> Tally {
        self.import.tally()
    }
    fn tone(&self) -> &'static str {
        tone_of(self.import.state)
    }
    fn is_under_way(&self) -> bool {
        self.import.state.is_under_way()
    }
    fn is(&self, state: &str) -> bool {
        self.import.state.as_str() == state
    }
    /// Where it goes, or went.
    fn goal(&self) -> &str {
        match (&self.import.repository_name, self.import.kind) {
            (_, Some(ImportKind::Layer)) => "Test plans",
            (Some(name), _) => name,
            (None, Some(ImportKind::Atomics)) => "Atomic Red Team",
            (None, Some(ImportKind::Attack)) => "ATT&CK releases",
            (None, Some(ImportKind::Archive)) => "The repository that it names",
            (None, Some(ImportKind::TestPlan)) => "The repositories that it names",
            (None, _) => "The library",
        }
    }
    /// Whether so much would be withdrawn that it takes a tick.
    fn withdraws_much(&self) -> bool {
        let Tally { counts, stored } = self.tally();
        withdraws_much(counts.withdrawn, stored)
    }
    /// Whether the file itself is at fault, and not where it was to go.
    fn is_unread(&self) -> bool {
        let faults = self.parts.iter().filter(|part| part.verdict == Verdict::Fault);
        faults.flat_map(|part| &part.rows).any(|row| row.detail.place.is_some())
    }
    fn conflicts(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.verdict == Verdict::Conflict)
    }
    /// Parts above the button that applies, and below it.
    fn parts_of(&self, faults: bool) -> Vec<&Part> {
        let first = |verdict: Verdict| matches!(verdict, Verdict::Fault | Verdict::Refused);
        let told = self.parts.iter().filter(|part| part.verdict != Verdict::Conflict);
        told.filter(|part| first(part.verdict) == faults).collect()
    }
    fn takes(&self, row: &Told, field: &ShownField) -> bool {
        self.typed.takes(row.position, Some(&field.key))
    }
    fn takes_all(&self, row: &Told) -> bool {
        self.typed.takes(row.position, None)
    }
    fn behind_told(&self) -> String {
        show::counted(self.behind, "copy", "copies")
    }
}

#[derive(Template)]
#[template(path = "imports/undo.html")]
pub struct Undo {
    pub frame: Frame,
    pub import: Import,
    /// What stands in the way.
    pub obstacles: Vec<String>,
}

impl Undo {
    fn url(&self) -> String {
        format!("/library/imports/{}", self.import.id)
    }
    fn brought(&self) -> String {
        self.import.tally().counts.to_string()
    }
}
