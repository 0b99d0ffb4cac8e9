//! What a report says beside its frozen runbook: the narrative, the findings, corrections of outcomes. In
//! Draft it is rows that people edit; Publish keeps it whole, as text, in `report_revisions.content`, so
//! field names are a stored format.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::domain::{Attachment, FrozenOutcome, Runbook};
use crate::kernel::base::ids::{FindingId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::base::text::{LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text, check_title, parse_tags};
use crate::kernel::base::times;
use crate::kernel::merge::{MergeField, set};
use crate::procedures::domain::Severity;

crate::text_enum! {
    /// The fields of the narrative, by the names they post under. They share the field-by-field merge.
    pub enum NarrativeField {
        Title => "title", "Title";
        Classification => "classification", "Classification";
        Tags => "tags", "Tags";
        ExecutiveSummary => "executive_summary", "Executive summary";
        Approach => "approach", "Approach";
        Observations => "observations", "Observations";
        Conclusion => "conclusion", "Conclusion";
    }
}

crate::text_enum! {
    /// The fields of a finding, by the names they post under. They share the field-by-field merge.
    pub enum FindingField {
        Title => "title", "Title";
        Severity => "severity", "Severity";
        Description => "description", "Description";
        Recommendation => "recommendation", "Recommendation";
        Tags => "tags", "Tags";
        Assets => "assets", "Assets";
        Evidence => "evidence", "Evidence";
        State => "state", "State";
        Owner => "owner", "Owner";
        DueOn => "due_on", "Due";
    }
}

crate::text_enum! {
    /// Where the remediation of a finding stands; it goes on after the report is published.
    pub enum FindingState {
        Open => "open", "Open";
        InRemediation => "in_remediation", "In Remediation";
        Fixed => "fixed", "Fixed";
        RiskAccepted => "risk_accepted", "Risk Accepted";
    }
}

crate::text_enum! {
    /// What the list of findings is sorted by.
    pub enum FindingSort {
        Due => "due", "Due first";
        Severity => "severity", "Most severe first";
        Title => "title", "Title";
    }
}

impl NarrativeField {
    /// The chapters: every field but those of the cover and the tags.
    pub fn chapters() -> &'static [Self] {
        &Self::ALL[3..]
    }

    /// The canonical value of a field as typed.
    ///
    /// # Errors
    /// A sentence for beside the field.
    pub fn check(self, raw: &str) -> Result<String, String> {
        match self {
            Self::Title => check_title("report", raw),
            Self::Classification => check_text(self.label(), false, raw, 200, false),
            Self::Tags => Ok(parse_tags(raw)?.join(", ")),
            _ => check_text(self.label(), false, raw, LONG_TEXT_BYTES, true),
        }
    }

    /// What it is for, beside the field.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Title => "What the client reads first",
            Self::Tags => "Separated by commas",
            Self::Classification => "Who may read it, on every page; empty takes the organisation’s",
            Self::ExecutiveSummary => "For whoever reads one page: what was tested, what held, what did not",
            Self::Approach => "How the teams worked, from where, with which limits",
            Self::Observations => "What stood out beyond single findings",
            Self::Conclusion => "What to do first, and when to test again",
        }
    }
}

impl FindingField {
    /// What an editor of the report changes in Draft.
    pub fn of_report() -> &'static [Self] {
        &Self::ALL[..7]
    }
    /// What is kept after publishing too.
    pub fn of_remediation() -> &'static [Self] {
        &Self::ALL[7..]
    }
    /// The canonical value of a field as typed: ids sorted and separated by commas, dates as "2026-11-21".
    ///
    /// # Errors
    /// A sentence for beside the field.
    pub fn check(self, raw: &str) -> Result<String, String> {
        match self {
            Self::Title => check_title("finding", raw),
            Self::Severity => match raw.parse::<Severity>() {
                Ok(severity) => Ok(severity.as_str().to_owned()),
                Err(_) => Err("Choose how severe it is.".into()),
            },
            Self::Description | Self::Recommendation => {
                check_text(self.label(), false, raw, LONG_TEXT_BYTES, true)
            }
            Self::Tags => Ok(parse_tags(raw)?.join(", ")),
            Self::Assets | Self::Evidence => ids(raw),
            Self::State => match raw.parse::<FindingState>() {
                Ok(state) => Ok(state.as_str().to_owned()),
                Err(_) => Err("Choose where the remediation stands.".into()),
            },
            Self::Owner => check_text("The owner", false, raw, SHORT_TEXT_BYTES, false),
            Self::DueOn => Ok(times::parse_date(raw)?.map_or_else(String::new, |date| date.to_string())),
        }
    }
}

impl MergeField for NarrativeField {
    fn is_long(self) -> bool {
        !matches!(self, Self::Title | Self::Classification | Self::Tags)
    }
}

impl MergeField for FindingField {
    fn is_long(self) -> bool {
        self.is_set() || matches!(self, Self::Description | Self::Recommendation)
    }

    fn is_set(self) -> bool {
        matches!(self, Self::Assets | Self::Evidence)
    }
}

fn ids(raw: &str) -> Result<String, String> {
    let parsed: Result<Vec<Uuid>, _> = set::keys(raw).map(str::parse).collect();
    let mut ids =
        parsed.map_err(|_| "One of the chosen is not known. Reload the page and choose again.".to_owned())?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingAsset {
    /// Its id at the client.
    pub id: Uuid,
    pub name: String,
    pub kind: String,
    pub criticality: String,
    pub address: String,
}

/// A finding as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub id: FindingId,
    /// The procedure it was made from.
    pub procedure_id: Option<ProcedureId>,
    pub title: String,
    pub severity: Severity,
    pub description: String,
    pub recommendation: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default)]
    pub assets: Vec<FindingAsset>,
    #[serde(default)]
    pub evidence: Vec<Attachment>,
}

/// Where a finding's remediation stands: live, whatever was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remediation {
    pub state: FindingState,
    /// Who sees to it.
    pub owner: String,
    pub due_on: Option<NaiveDate>,
}

impl Remediation {
    /// Whether it should be done by now.
    pub fn overdue(&self, today: NaiveDate) -> bool {
        matches!(self.state, FindingState::Open | FindingState::InRemediation)
            && self.due_on.is_some_and(|due| due < today)
    }
}

/// A frozen outcome that was put right in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub id: Uuid,
    pub procedure_id: ProcedureId,
    pub team: Team,
    pub before: Option<FrozenOutcome>,
    pub after: Option<FrozenOutcome>,
    pub reason: String,
    /// Who put it right.
    pub by: String,
    pub at: DateTime<Utc>,
}

/// Who a report is from, and who may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub organisation: String,
    pub classification: String,
}

/// What a report says beside its runbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What was published before it had a cover has an empty one.
    #[serde(default)]
    pub cover: Cover,
    pub title: String,
    /// Chapters that are written, with their headings.
    pub narrative: Vec<(String, String)>,
    pub findings: Vec<Finding>,
    /// In the order they were made; the last of an outcome counts.
    #[serde(default)]
    pub corrections: Vec<Correction>,
}

impl Content {
    /// The correction that counts for an outcome.
    pub fn correction(&self, procedure: ProcedureId, team: Team) -> Option<&Correction> {
        self.corrections.iter().rev().find(|c| c.procedure_id == procedure && c.team == team)
    }

    /// The runbook with every outcome that was put right.
    pub fn corrected(&self, mut book: Runbook) -> Runbook {
        for procedure in &mut book.procedures {
            if let Some(correction) = self.correction(procedure.id, Team::Red) {
                procedure.red_outcome.clone_from(&correction.after);
            }
            if let Some(correction) = self.correction(procedure.id, Team::Blue) {
                procedure.blue_outcome.clone_from(&correction.after);
            }
        }
        book
    }
}

#[cfg(test)]
mod tests {
    use super::super::domain::tests::{procedure, runbook};
    use super::*;

    fn outcome(key: &str) -> FrozenOutcome {
        FrozenOutcome {
            key: key.into(),
            label: key.into(),
            meaning: crate::settings::domain::Meaning { score: Some(30), logged: true, ..Default::default() },
        }
    }

    #[test]
    fn fields_are_checked_with_a_sentence() {
        assert_eq!(NarrativeField::Title.check("  ").unwrap_err(), "Give the report a title.");
        assert_eq!(FindingField::Severity.check("worst").unwrap_err(), "Choose how severe it is.");
        assert_eq!(
            FindingField::DueOn.check("2026-02-30").unwrap_err(),
            "This is not a date. Write it like 2026-11-21."
        );
        assert_eq!(FindingField::State.check("fixed").unwrap(), "fixed");
        let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(
            FindingField::Assets.check(&format!("{b},{a},{b}")).unwrap(),
            format!("{a},{b}"),
            "sorted, each once"
        );
        assert!(FindingField::Evidence.check("a,b").is_err());
    }

    #[test]
    fn the_last_correction_counts_and_the_frozen_value_stays() {
        let book = runbook(vec![procedure(1)]);
        let id = book.procedures[0].id;
        let put_right = |after: Option<&str>| Correction {
            id: Uuid::now_v7(),
            procedure_id: id,
            team: Team::Blue,
            before: None,
            after: after.map(outcome),
            reason: "The alert was in the other queue.".into(),
            by: "Ines".into(),
            at: DateTime::UNIX_EPOCH,
        };
        let content = Content {
            cover: Cover::default(),
            title: "T".into(),
            narrative: Vec::new(),
            findings: Vec::new(),
            corrections: vec![put_right(Some("logged")), put_right(Some("alerted"))],
        };
        let corrected = content.corrected(book.clone());
        assert_eq!(corrected.procedures[0].blue_outcome, Some(outcome("alerted")));
        assert_eq!(corrected.procedures[0].red_outcome, None);
        assert_eq!(book.procedures[0].blue_outcome, None);
        assert_eq!(content.correction(id, Team::Blue).unwrap().before, None);
        let json = serde_json::to_value(&content).unwrap();
        assert_eq!(serde_json::from_value::<Content>(json).unwrap(), content);
    }

    #[test]
    fn what_is_done_is_never_overdue() {
        let day = |n| NaiveDate::from_ymd_opt(2026, 11, n);
        let due = |state| Remediation { state, owner: String::new(), due_on: day(20) };
        assert!(due(FindingState::Open).overdue(day(21).unwrap()));
        assert!(!due(FindingState::Open).overdue(day(20).unwrap()));
        assert!(!due(FindingState::Fixed).overdue(day(21).unwrap()));
    }
}
