//! The frozen runbook, as Submit writes it into `report_revisions.body`. Field names are a stored format:
//! what was written stays readable, so a new field needs a default. Everything is there as text: later edits
//! of people, outcomes, assets or the library change no report.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::base::ids::ProcedureId;
use crate::kernel::base::team::Team;
use crate::kernel::base::zone::Zone;
use crate::library::domain::StepKind;
use crate::procedures::domain::{Answers, Observed, ProcedureStatus, Progress, Severity, Warning, warnings};
use crate::settings::domain::{Meaning, Outcome};

/// An engagement as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    /// Title of the engagement.
    pub title: String,
    /// Name of the client.
    pub client: String,
    /// Title of the test plan it started from; empty without one.
    pub plan: String,
    pub description: String,
    pub objective: String,
    pub scope: String,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    /// IANA name of the zone that all times are shown in.
    pub time_zone: Zone,
    pub tags: Vec<String>,
    /// The ATT&CK release that techniques and tactics are of.
    pub attack_version: String,
    /// That release's tactics, in matrix order; then those of one's own that procedures stand under.
    pub tactics: Vec<Tactic>,
    pub operators: Vec<Operator>,
    pub procedures: Vec<Procedure>,
    pub submitted_by: String,
    pub submitted_at: DateTime<Utc>,
}

/// A tactic's key and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tactic {
    /// Short name, such as `credential-access`.
    pub key: String,
    pub name: String,
}

/// Somebody on a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    pub name: String,
    pub team: Team,
}

/// A procedure as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields of the procedure page, by the names they post under")]
pub struct Procedure {
    pub id: ProcedureId,
    pub position: i32,
    pub name: String,
    pub description: String,
    pub technique_ids: Vec<String>,
    /// Their keys: of the release, and of one's own.
    pub tactics: Vec<String>,
    pub status: ProcedureStatus,
    pub not_applicable_reason: String,
    pub severity: Option<Severity>,
    pub recommendation: String,
    /// Its own operators, or where it names none of a side the engagement's.
    pub operators: Vec<Operator>,
    pub attack_source: String,
    pub red_outcome: Option<FrozenOutcome>,
    pub red_notes: String,
    pub executed_at: Option<DateTime<Utc>>,
    pub blue_outcome: Option<FrozenOutcome>,
    pub blue_notes: String,
    pub detected_at: Option<DateTime<Utc>>,
    pub detected_by: String,
    pub alert_reference: String,
    pub responded_at: Option<DateTime<Utc>>,
    pub steps: Vec<Step>,
    pub assets: Vec<Asset>,
    pub logs: Vec<Log>,
    pub attachments: Vec<Attachment>,
}

/// An outcome with what it meant on that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredOutcome")]
pub struct FrozenOutcome {
    pub key: String,
    pub label: String,
    #[serde(flatten)]
    pub meaning: Meaning,
}

/// An outcome as a revision holds it. Those frozen before `attempted` was a flag had what it says, and
/// whether red was stopped, in their key alone; those before `partial` was one, whether all was reached.
#[derive(Deserialize)]
struct StoredOutcome {
    key: String,
    label: String,
    attempted: Option<bool>,
    #[serde(default)]
    succeeded: bool,
    partial: Option<bool>,
    score: Option<i32>,
    #[serde(default)]
    prevented: bool,
    #[serde(default)]
    alerted: bool,
    #[serde(default)]
    logged: bool,
}

impl From<StoredOutcome> for FrozenOutcome {
    fn from(stored: StoredOutcome) -> Self {
        let StoredOutcome { key, label, attempted, succeeded, partial, score, prevented, alerted, logged } =
            stored;
        let by_key = attempted.is_none() && key.contains("block");
        let attempted = attempted.unwrap_or(key != "not_attempted");
        let prevented = prevented || by_key;
        let partial = partial.unwrap_or(key == "partial_success");
        let meaning = Meaning { succeeded, partial, attempted, score, prevented, alerted, logged };
        Self { key, label, meaning }
    }
}

impl From<Outcome> for FrozenOutcome {
    fn from(outcome: Outcome) -> Self {
        Self { key: outcome.key, label: outcome.label, meaning: outcome.meaning }
    }
}

/// A step and whether it was ticked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Prerequisite, step or cleanup.
    pub kind: StepKind,
    pub description: String,
    /// Who ticked it and when.
    pub done: Option<Tick>,
    /// The filled-in command, check and success criteria: for a runbook on paper, no part of what is frozen.
    #[serde(skip)]
    pub command: Option<String>,
    #[serde(skip)]
    pub check: Option<String>,
    #[serde(skip)]
    pub success_criteria: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    pub by: String,
    pub at: DateTime<Utc>,
}

/// An asset with its own outcomes, where it has any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id at the client.
    pub id: Uuid,
    pub name: String,
    /// Label of its kind.
    pub kind: String,
    /// Label of its criticality.
    pub criticality: String,
    pub address: String,
    /// Red's outcome on it.
    pub red_outcome: Option<FrozenOutcome>,
    /// Blue's outcome on it.
    pub blue_outcome: Option<FrozenOutcome>,
    /// Whether it belongs to the finding.
    pub in_finding: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub team: Team,
    pub author: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub text: String,
}

/// What is known of an attachment; the file itself stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: Uuid,
    pub team: Option<Team>,
    pub title: String,
    pub description: String,
    pub file_name: String,
    pub media_type: String,
    /// In bytes, as it was stored.
    pub size: i64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Whether it belongs to the finding.
    pub in_finding: bool,
    pub uploaded_by: String,
    pub uploaded_at: DateTime<Utc>,
}

impl Attachment {
    /// Whether the page shows the picture itself.
    pub fn is_image(&self) -> bool {
        matches!(self.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp")
    }
}

impl Runbook {
    /// How much of it is done.
    pub fn progress(&self) -> Progress {
        Progress::of(self.procedures.iter().map(|procedure| procedure.status))
    }

    /// Names of one side's operators.
    pub fn names(&self, team: Team) -> Vec<&str> {
        names(&self.operators, team)
    }

    /// The name of a tactic; its key where the release does not know it.
    pub fn tactic<'a>(&'a self, key: &'a str) -> &'a str {
        self.tactics.iter().find(|tactic| tactic.key == key).map_or(key, |tactic| tactic.name.as_str())
    }

    /// Every log entry with its procedure, in time order.
    pub fn timeline(&self) -> Vec<(&Procedure, &Log)> {
        let mut entries: Vec<_> =
            self.procedures.iter().flat_map(|p| p.logs.iter().map(move |log| (p, log))).collect();
        entries.sort_by_key(|(procedure, log)| (log.starts_at, procedure.position));
        entries
    }
}

impl Procedure {
    /// What contradicts itself on it.
    pub fn warnings(&self) -> Vec<Warning> {
        let red = self.red_outcome.as_ref().map(|red| red.meaning);
        warnings(self.observed(), red, &self.asset_answers())
    }

    /// Its times, and what blue's answer means.
    pub fn observed(&self) -> Observed {
        Observed {
            executed: self.executed_at,
            detected: self.detected_at,
            responded: self.responded_at,
            blue: self.blue_outcome.as_ref().map(|blue| blue.meaning),
        }
    }

    /// Both teams' own answers on each asset.
    pub fn asset_answers(&self) -> Vec<Answers> {
        let meaning = |outcome: &Option<FrozenOutcome>| outcome.as_ref().map(|outcome| outcome.meaning);
        self.assets.iter().map(|asset| (meaning(&asset.red_outcome), meaning(&asset.blue_outcome))).collect()
    }

    /// Names of one side's operators.
    pub fn names(&self, team: Team) -> Vec<&str> {
        names(&self.operators, team)
    }

    /// Ticked and all steps of a kind.
    pub fn ticked(&self, kind: StepKind) -> (usize, usize) {
        let of_kind = || self.steps.iter().filter(|step| step.kind == kind);
        (of_kind().filter(|step| step.done.is_some()).count(), of_kind().count())
    }
}

fn names(operators: &[Operator], team: Team) -> Vec<&str> {
    operators.iter().filter(|operator| operator.team == team).map(|operator| operator.name.as_str()).collect()
}

/// A finding about to be made from a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFinding<'a> {
    pub procedure: &'a Procedure,
    pub severity: Severity,
    /// From 1, the most severe first.
    pub position: i32,
}

/// A finding for each procedure that has a severity: the most severe first, then in the runbook's order.
pub fn findings(runbook: &Runbook) -> Vec<NewFinding<'_>> {
    let mut severe: Vec<_> =
        runbook.procedures.iter().filter_map(|p| p.severity.map(|severity| (p, severity))).collect();
    severe.sort_by_key(|(procedure, severity)| (std::cmp::Reverse(*severity), procedure.position));
    (1..)
        .zip(severe)
        .map(|(position, (procedure, severity))| NewFinding { procedure, severity, position })
        .collect()
}

/// What the confirmation page tells of a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub id: ProcedureId,
    pub position: i32,
    pub name: String,
    pub status: ProcedureStatus,
    pub red: Option<String>,
    /// Labels of both teams' outcomes; none: unanswered.
    pub blue: Option<String>,
    /// What contradicts itself on it.
    pub contradictions: Vec<Warning>,
    /// Cleanup steps that are not ticked.
    pub cleanup_left: usize,
    /// When blue was to look again, where its answer is provisional.
    pub look_again: Option<DateTime<Utc>>,
}

impl Pending {
    /// Whether it lowers the progress.
    pub fn is_incomplete(&self) -> bool {
        !matches!(self.status, ProcedureStatus::Completed | ProcedureStatus::NotApplicable)
    }
    /// Whether blue still owes an outcome.
    pub fn waits_on_blue(&self) -> bool {
        self.status != ProcedureStatus::NotApplicable && self.blue.is_none()
    }
    /// Whether red still owes an outcome.
    pub fn waits_on_red(&self) -> bool {
        self.status != ProcedureStatus::NotApplicable && self.red.is_none()
    }
    /// Whether something may have been left on a machine: it was begun, and its cleanup is not ticked.
    pub fn owes_cleanup(&self) -> bool {
        self.cleanup_left > 0
            && matches!(self.status, ProcedureStatus::InProgress | ProcedureStatus::Completed)
    }
    /// Whether both teams' answers or the times contradict each other.
    pub fn contradicts(&self) -> bool {
        !self.contradictions.is_empty()
    }
    /// Whether blue's answer is provisional.
    pub fn is_provisional(&self) -> bool {
        self.look_again.is_some()
    }
    /// Whether anything of that holds, or something contradicts itself.
    pub fn owes_anything(&self) -> bool {
        self.contradicts()
            || self.is_incomplete()
            || self.waits_on_red()
            || self.waits_on_blue()
            || self.owes_cleanup()
            || self.is_provisional()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrono::TimeZone;

    /// A procedure without anything on it.
    pub(crate) fn procedure(position: i32) -> Procedure {
        Procedure {
            id: ProcedureId::new(),
            position,
            name: format!("Procedure {position}"),
            description: String::new(),
            technique_ids: vec!["T1003.001".into()],
            tactics: vec!["credential-access".into()],
            status: ProcedureStatus::NotStarted,
            not_applicable_reason: String::new(),
            severity: None,
            recommendation: String::new(),
            operators: Vec::new(),
            attack_source: String::new(),
            red_outcome: None,
            red_notes: String::new(),
            executed_at: None,
            blue_outcome: None,
            blue_notes: String::new(),
            detected_at: None,
            detected_by: String::new(),
            alert_reference: String::new(),
            responded_at: None,
            steps: Vec::new(),
            assets: Vec::new(),
            logs: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// A runbook of these procedures.
    pub(crate) fn runbook(procedures: Vec<Procedure>) -> Runbook {
        Runbook {
            title: "Rehearsal".into(),
            client: "Harbour Lights".into(),
            plan: String::new(),
            description: String::new(),
            objective: String::new(),
            scope: String::new(),
            start_date: None,
            end_date: None,
            time_zone: Zone::default(),
            tags: Vec::new(),
            attack_version: "19.1".into(),
            tactics: vec![Tactic { key: "credential-access".into(), name: "Credential Access".into() }],
            operators: Vec::new(),
            procedures,
            submitted_by: "Noor Haddad".into(),
            submitted_at: Utc.with_ymd_and_hms(2026, 11, 21, 14, 5, 0).unwrap(),
        }
    }

    #[test]
    fn findings_come_the_most_severe_first_and_only_with_a_severity() {
        let severities = [
            None,
            Some(Severity::Low),
            Some(Severity::Critical),
            Some(Severity::Low),
            Some(Severity::Informational),
        ];
        let procedures =
            (1..).zip(severities).map(|(n, severity)| Procedure { severity, ..procedure(n) }).collect();
        let runbook = runbook(procedures);
        let order: Vec<_> = findings(&runbook).iter().map(|f| (f.position, f.procedure.position)).collect();
        assert_eq!(order, [(1, 3), (2, 2), (3, 4), (4, 5)]);
    }

    #[test]
    fn a_frozen_runbook_survives_its_column() {
        let frozen = runbook(vec![procedure(1)]);
        let json = serde_json::to_value(&frozen).unwrap();
        assert_eq!(serde_json::from_value::<Runbook>(json).unwrap(), frozen);
    }

    #[test]
    fn what_is_not_applicable_waits_on_nobody() {
        let pending = |status, cleanup_left| Pending {
            id: ProcedureId::new(),
            position: 1,
            name: String::new(),
            status,
            red: None,
            blue: None,
            contradictions: Vec::new(),
            look_again: None,
            cleanup_left,
        };
        let none = pending(ProcedureStatus::NotApplicable, 1);
        assert!(
            !none.is_incomplete() && !none.waits_on_blue() && !none.waits_on_red() && !none.owes_cleanup()
        );
        let begun = pending(ProcedureStatus::InProgress, 1);
        assert!(begun.is_incomplete() && begun.waits_on_blue() && begun.owes_cleanup());
        assert!(!pending(ProcedureStatus::NotStarted, 1).owes_cleanup(), "nothing was run");
    }
}
