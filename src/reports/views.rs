//! Pages of submitting and of reports.

pub mod across;
pub mod edit;
pub mod printed;

use std::collections::HashMap;

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::content::{Content, Correction, Finding, Remediation};
use super::domain::{Attachment, FrozenOutcome, Log, Pending, Procedure, Runbook};
use super::figures::Figures;
use super::store::{Head, Move, ReportRow, Revision, Submission, Workflow};
use super::workflow::Step;
use crate::engagements::views::glance::{GlanceView, legend};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, FindingId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::event::views::Activity;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::{ProcedureStatus, Severity};

/// Above so many procedures a report's page does not list them until they are asked for.
const LISTED: usize = 50;

/// How many procedures the confirmation page lists.
const SHOWN: usize = 100;

/// CSS class of a procedure status.
pub fn state_class(status: &ProcedureStatus) -> &'static str {
    crate::procedures::views::page::state_class(*status)
}

#[derive(Template)]
#[template(path = "reports/list.html", blocks = ["results"])]
pub struct List {
    pub frame: Frame,
    /// This page of them.
    pub reports: Vec<ReportRow>,
    /// How many there are.
    pub count: String,
    pub q: String,
    pub client: Option<ClientId>,
    pub status: Option<ReportStatus>,
    /// Clients to choose from.
    pub clients: Vec<(ClientId, String)>,
    /// Query of the next page.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub later: bool,
    /// Query of the first page under the same filter.
    pub newest: String,
    pub zone: Tz,
}

impl List {
    fn filtered(&self) -> bool {
        !self.q.is_empty() || self.client.is_some() || self.status.is_some()
    }
    fn is_client(&self, id: &ClientId) -> bool {
        self.client == Some(*id)
    }
    fn is_status(&self, status: &ReportStatus) -> bool {
        self.status == Some(*status)
    }
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
    fn day(&self, at: &DateTime<Utc>) -> String {
        show::date(at.with_timezone(&self.zone).date_naive())
    }
}

/// `/reports/{id}` before the engagement is submitted.
#[derive(Template)]
#[template(path = "reports/waiting.html")]
pub struct Waiting {
    pub frame: Frame,
    pub head: Head,
    /// How far the engagement is.
    pub submission: Submission,
    /// Whether this person may submit it.
    pub may_submit: bool,
}

#[derive(Template)]
#[template(path = "reports/show.html")]
pub struct Show {
    pub frame: Frame,
    /// Whether everything is drawn, and nothing waits to be opened.
    pub open: bool,
    pub head: Head,
    /// What Submit froze, with the outcomes that were put right since.
    pub book: Runbook,
    pub figures: Figures,
    /// Outcomes at a glance.
    pub glance: GlanceView,
    /// What it says beside the runbook.
    pub content: Content,
    /// Where the remediation of each finding stands.
    pub remediations: HashMap<FindingId, Remediation>,
    /// Who approved it, and when.
    pub approval: Option<Move>,
    /// The revision that is published now.
    pub published: Option<Revision>,
    /// Its newest events, for those who work on its engagement.
    pub activity: Option<Activity>,
    /// How it came where it stands; empty for who reads only published reports.
    pub workflow: Workflow,
    /// The steps that this person may take.
    pub steps: Vec<&'static Step>,
    /// The published revision that is shown, where it is not the report of now.
    pub revision: Option<Revision>,
    /// Whether this person may write in it now.
    pub may_edit: bool,
    /// Whether they keep the remediation of its findings.
    pub may_remediate: bool,
    /// Today in the engagement's zone.
    pub today: NaiveDate,
    pub zone: Tz,
    /// Whether engagement and procedures can be opened.
    pub linked: bool,
    /// Whether steps and recommendations stand with the procedures, as in a runbook on paper; a report has
    /// recommendations in its findings.
    pub whole: bool,
    /// Address under which its files are served.
    pub files: String,
}

/// What is fetched when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Outcomes,
    Timeline,
    /// All of them, each closed.
    Procedures,
    /// The procedures of the page's runbook, which holds no more than the one that was opened.
    Procedure,
}

/// A part of a report's page. Its templates are the page's own, and ask the page.
#[derive(Template)]
#[template(path = "reports/opened.html")]
pub struct Opened {
    pub page: Show,
    pub part: Part,
}

impl std::ops::Deref for Opened {
    type Target = Show;

    fn deref(&self) -> &Show {
        &self.page
    }
}

/// An outcome as a mark.
#[derive(Template)]
#[template(path = "components/outcome.html")]
pub struct Mark {
    tone: &'static str,
    label: String,
}

impl HtmlSafe for Mark {}

/// An outcome, "3 of 12" and "25 %".
type Counted = (Mark, String, String);

impl Mark {
    fn of(outcome: Option<&FrozenOutcome>, team: Team) -> Self {
        match outcome {
            Some(outcome) => Self { tone: outcome.meaning.tone(team), label: outcome.label.clone() },
            None => Self { tone: "unanswered", label: "Unanswered".into() },
        }
    }
}

impl Show {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::seconds(*at, self.zone)
    }
    fn clock(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%H:%M:%S").to_string()
    }
    /// The contents, for who reads it on paper: anchors and titles.
    fn contents(&self) -> Vec<(&'static str, String)> {
        let chapter = |label: &str| self.content.narrative.iter().any(|(written, _)| written == label);
        let all = [
            (chapter("Executive summary"), "executive-summary", "Executive summary".to_owned()),
            (true, "summary", "Summary".to_owned()),
            (chapter("Approach"), "approach", "Approach".to_owned()),
            (true, "findings", format!("Findings ({})", self.content.findings.len())),
            (chapter("Observations"), "observations", "Observations".to_owned()),
            (true, "outcomes", "Outcomes at a glance".to_owned()),
            (true, "coverage", "Coverage by tactic".to_owned()),
            (true, "procedures", format!("Procedures ({})", self.book.procedures.len())),
            (true, "timeline", "Timeline".to_owned()),
            (chapter("Conclusion"), "conclusion", "Conclusion".to_owned()),
        ];
        all.into_iter().filter(|(written, ..)| *written).map(|(_, href, title)| (href, title)).collect()
    }
    fn dates(&self) -> String {
        match show::dates(self.book.start_date, self.book.end_date) {
            dates if dates.is_empty() => "No dates".to_owned(),
            dates => dates,
        }
    }
    fn legend(&self) -> Vec<(&'static str, &'static str)> {
        legend(Team::Blue).collect()
    }
    fn red(&self, procedure: &Procedure) -> Mark {
        self.mark(procedure, procedure.red_outcome.as_ref(), Team::Red)
    }
    fn blue(&self, procedure: &Procedure) -> Mark {
        self.mark(procedure, procedure.blue_outcome.as_ref(), Team::Blue)
    }
    fn mark(&self, procedure: &Procedure, outcome: Option<&FrozenOutcome>, team: Team) -> Mark {
        if outcome.is_none() && procedure.status == ProcedureStatus::NotApplicable {
            return Mark { tone: "none", label: "Not Applicable".into() };
        }
        Mark::of(outcome, team)
    }
    fn of_asset(&self, outcome: &Option<FrozenOutcome>, red: bool) -> Mark {
        Mark::of(outcome.as_ref(), if red { Team::Red } else { Team::Blue })
    }
    /// Both teams' counts of outcomes, for one table each.
    fn sides(&self) -> Vec<(&'static str, &'static str, Vec<Counted>)> {
        let rows = |team| -> Vec<Counted> {
            let given = if team == Team::Red { &self.figures.red } else { &self.figures.blue };
            given
                .iter()
                .map(|given| {
                    (Mark::of(given.outcome.as_ref(), team), given.share.words(), given.share.shown())
                })
                .collect()
        };
        vec![("red", "Red", rows(Team::Red)), ("blue", "Blue", rows(Team::Blue))]
    }
    /// The procedures of a tactic; of none for the row without a tactic.
    fn under(&self, key: &str) -> Vec<&Procedure> {
        let known = |procedure: &&Procedure| match key {
            "" => !procedure.tactics.iter().any(|tactic| self.book.tactics.iter().any(|t| t.key == *tactic)),
            key => procedure.tactics.iter().any(|tactic| tactic == key),
        };
        self.book.procedures.iter().filter(known).collect()
    }
    fn score(&self, procedure: &Procedure) -> String {
        procedure
            .blue_outcome
            .as_ref()
            .and_then(|outcome| outcome.meaning.score)
            .map(|score| score.to_string())
            .unwrap_or_default()
    }
    /// The step that brought a Draft back, so that whoever mends it reads why.
    fn sent_back(&self) -> Option<&Move> {
        let last = self.workflow.moves.last()?;
        (self.head.status == ReportStatus::Draft && last.to == ReportStatus::Draft && self.revision.is_none())
            .then_some(last)
    }
    /// A chapter of the narrative, rendered.
    fn chapter(&self, label: &str) -> Option<String> {
        self.content
            .narrative
            .iter()
            .find(|(heading, _)| heading == label)
            .map(|(_, text)| markdown::render(text))
    }
    fn url(&self) -> String {
        format!("/reports/{}", self.head.id)
    }
    /// Whether the list of procedures waits to be opened.
    fn is_folded(&self) -> bool {
        !self.open && self.book.procedures.len() > LISTED
    }
    /// Where a procedure is read.
    fn link(&self, procedure: &Procedure) -> String {
        let page = if self.is_folded() { "?open=all" } else { "" };
        format!("{page}#p{}", procedure.position)
    }
    fn is_forward(&self, step: &&&Step) -> bool {
        step.to > step.from
    }
    fn remediation(&self, finding: &Finding) -> Option<&Remediation> {
        self.remediations.get(&finding.id)
    }
    fn overdue(&self, remediation: &Remediation) -> bool {
        remediation.overdue(self.today)
    }
    fn date(&self, date: &NaiveDate) -> String {
        show::date(*date)
    }
    fn correction(&self, procedure: &Procedure, team: &str) -> Option<&Correction> {
        self.content.correction(procedure.id, if team == "red" { Team::Red } else { Team::Blue })
    }
    fn frozen(&self, correction: &Correction) -> String {
        correction.before.as_ref().map_or_else(|| "Unanswered".to_owned(), |outcome| outcome.label.clone())
    }
    fn kind(&self, stored: &str) -> String {
        stored
            .parse::<crate::clients::domain::AssetKind>()
            .map_or_else(|_| stored.to_owned(), |kind| kind.label().to_owned())
    }
    fn severities(&self) -> Vec<(Severity, usize)> {
        let count =
            |severity: &Severity| self.content.findings.iter().filter(|f| f.severity == *severity).count();
        Severity::ALL
            .iter()
            .rev()
            .map(|severity| (*severity, count(severity)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
    fn procedure_of(&self, finding: &Finding) -> Option<&Procedure> {
        self.book.procedures.iter().find(|procedure| Some(procedure.id) == finding.procedure_id)
    }
    fn names(&self, procedure: &Procedure, team: &str) -> String {
        listed(procedure.names(if team == "red" { Team::Red } else { Team::Blue }))
    }
    fn operators(&self, team: &str) -> String {
        listed(self.book.names(if team == "red" { Team::Red } else { Team::Blue }))
    }
    fn tactics(&self, procedure: &Procedure) -> String {
        let names: Vec<&str> = procedure.tactics.iter().map(|key| self.book.tactic(key)).collect();
        names.join(", ")
    }
    /// The timeline by day.
    fn days(&self) -> Vec<(String, Vec<(&Procedure, &Log)>)> {
        let mut days: Vec<(String, Vec<(&Procedure, &Log)>)> = Vec::new();
        for entry in self.book.timeline() {
            let day = show::date(entry.1.starts_at.with_timezone(&self.zone).date_naive());
            match days.last_mut() {
                Some((last, entries)) if *last == day => entries.push(entry),
                _ => days.push((day, vec![entry])),
            }
        }
        days
    }
    fn steps(&self, procedure: &Procedure) -> String {
        use crate::library::domain::StepKind;
        let words = [
            (StepKind::Prerequisite, "prerequisites"),
            (StepKind::Step, "steps"),
            (StepKind::Cleanup, "cleanup"),
        ];
        let parts = words.into_iter().filter_map(|(kind, word)| {
            let (ticked, all) = procedure.ticked(kind);
            (all > 0).then(|| format!("{word} {ticked} of {all}"))
        });
        parts.collect::<Vec<_>>().join(" · ")
    }
    fn file_url(&self, file: &Attachment) -> String {
        format!("{}/attachments/{}", self.files, file.id)
    }
    fn size(&self, file: &Attachment) -> String {
        show::size(file.size)
    }
    fn detected_after(&self, procedure: &Procedure) -> Option<String> {
        procedure.observed().spans().0.map(show::duration)
    }
    fn responded_after(&self, procedure: &Procedure) -> Option<String> {
        procedure.observed().spans().1.map(show::duration)
    }
}

fn listed(names: Vec<&str>) -> String {
    if names.is_empty() { "Nobody assigned".to_owned() } else { names.join(", ") }
}

#[derive(Template)]
#[template(path = "reports/submit.html")]
pub struct Submit {
    pub frame: Frame,
    /// What is to be submitted.
    pub submission: Submission,
    /// Whether the tick for an incomplete one was set.
    pub accepted: bool,
    pub errors: FieldErrors,
}

impl Submit {
    /// Procedures with something left to do, the first of them.
    fn owing(&self) -> Vec<&Pending> {
        self.submission.procedures.iter().filter(|p| p.owes_anything()).take(SHOWN).collect()
    }
    fn count(&self, what: &str) -> usize {
        let is: fn(&Pending) -> bool = match what {
            "incomplete" => Pending::is_incomplete,
            "red" => Pending::waits_on_red,
            "blue" => Pending::waits_on_blue,
            "cleanup" => Pending::owes_cleanup,
            "contradictions" => Pending::contradicts,
            "provisional" => Pending::is_provisional,
            _ => Pending::owes_anything,
        };
        self.submission.procedures.iter().filter(|p| is(p)).count()
    }
    /// What a side answered; who owes no answer gave none.
    fn said<'a>(&self, outcome: &'a Option<String>) -> &'a str {
        outcome.as_deref().unwrap_or("None needed")
    }
    /// A time in the engagement's zone.
    fn time(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.submission.zone)
    }
    fn complete(&self) -> bool {
        self.submission.progress().complete()
    }
}
