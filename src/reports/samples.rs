//! Every view of the slice with hostile text, for the samples test.

use askama::Template;

use super::content::{Content, Correction, Finding, FindingAsset, FindingState, NarrativeField, Remediation};
use super::domain::{
    Asset, Attachment, FrozenOutcome, Log, Operator, Pending, Procedure, Runbook, Step, Tactic, Tick,
};
use super::figures::{Figures, glance};
use super::store::{Head, Move, Narrative, ReportRow, Reviewer, Revision, Submission, Workflow};
use super::views::edit::{CorrectionPage, Editing, FindingPage, MovePage, NarrativePage, RemediationPage};
use super::views::{List, Show, Submit, Waiting};
use super::workflow;
use crate::engagements::views::forms::Conflict;
use crate::engagements::views::glance::GlanceView;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, EngagementId, FindingId, PersonId, ProcedureId, ReportId};
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::library::domain::StepKind;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::{ProcedureStatus, Severity};

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let head = Head {
        id: ReportId::new(),
        client: ClientId::new(),
        status: ReportStatus::Draft,
        client_name: "Harbour & Lights".into(),
        engagement: EngagementId::new(),
        engagement_title: "Rehearsal <b>".into(),
        engagement_status: EngagementStatus::InProgress,
        engagement_deleted_at: None,
        submitted_at: None,
        version: 3,
        narrative: sample_narrative(),
        has_procedures: true,
    };
    let (book, content) = sample_book();
    let submission = sample_submission(&head);
    let row = ReportRow {
        id: head.id,
        title: head.narrative.title.clone(),
        status: ReportStatus::Published,
        client: head.client_name.clone(),
        engagement: head.engagement,
        engagement_title: head.engagement_title.clone(),
        engagement_deleted: false,
        submitted_at: Some(book.submitted_at),
        updated_at: book.submitted_at,
    };
    let list = List {
        frame: Frame::sample("Reports"),
        reports: vec![row],
        count: "1 report".into(),
        q: "\"><script>".into(),
        client: None,
        status: Some(ReportStatus::Draft),
        clients: vec![(head.client, head.client_name.clone())],
        older: Some("after=1".into()),
        later: true,
        newest: "q=a".into(),
        zone: chrono_tz::UTC,
    };
    let show = sample_show(&head, book, content);
    let waiting =
        Waiting { frame: Frame::sample("Report"), head, submission: submission.clone(), may_submit: true };
    let submit = Submit {
        frame: Frame::sample("Submit"),
        submission,
        accepted: false,
        errors: FieldErrors::one("incomplete", "Tick this."),
    };
    let empty = List { reports: Vec::new(), ..sample_list_again(&list) };
    let forms = sample_forms(&show);
    let pages = crate::kernel::web::rendered([
        ("list", list.render()),
        ("list results", list.as_results().render()),
        ("list empty", empty.render()),
        ("show", show.render()),
        ("waiting", waiting.render()),
        ("submit", submit.render()),
    ]);
    pages.into_iter().chain(forms).collect()
}

fn evil() -> String {
    "<script>alert(1)</script> **bold**".to_owned()
}

fn sample_narrative() -> Narrative {
    Narrative {
        title: evil(),
        executive_summary: evil(),
        approach: evil(),
        observations: evil(),
        conclusion: evil(),
    }
}

fn sample_show(head: &Head, book: Runbook, content: Content) -> Show {
    let at = book.submitted_at;
    let remediation = Remediation {
        state: FindingState::Open,
        owner: evil(),
        due_on: Some(at.date_naive() - chrono::TimeDelta::days(1)),
    };
    let revision = Revision {
        n: 1,
        published_at: at,
        published_by: evil(),
        taken_back_at: Some(at),
        taken_back_by: Some(evil()),
        taken_back_reason: Some(evil()),
    };
    let step =
        Move { from: ReportStatus::Draft, to: ReportStatus::ReadyForReview, comment: evil(), by: evil(), at };
    let reviewers = vec![Reviewer { id: PersonId::new(), name: evil() }];
    Show {
        activity: Some(crate::kernel::event::views::Activity::default()),
        frame: Frame::sample("Report"),
        head: Head { submitted_at: Some(at), ..head.clone() },
        figures: Figures::of(&book),
        glance: GlanceView { glance: glance(&book) },
        remediations: content.findings.iter().map(|finding| (finding.id, remediation.clone())).collect(),
        workflow: Workflow {
            corrections: content.corrections.clone(),
            moves: vec![step],
            revisions: vec![revision.clone()],
            reviewers,
        },
        steps: workflow::steps(ReportStatus::InReview).collect(),
        revision: Some(revision),
        may_edit: true,
        may_remediate: true,
        today: at.date_naive(),
        book,
        content,
        zone: chrono_tz::Europe::Lisbon,
        linked: true,
    }
}

/// The forms that work on a report, each with a conflict and a fault.
fn sample_forms(show: &Show) -> Vec<(&'static str, String)> {
    let conflict = |field: &'static str| Conflict {
        field,
        label: "Title",
        theirs: evil(),
        theirs_shown: None,
        by: evil(),
        at: "21 Nov 2026, 14:05".into(),
        version: 4,
        mine: evil(),
    };
    let editing = |field: &'static str| Editing {
        version: 3,
        unsaved: vec![(field, evil(), 2)],
        conflicts: vec![conflict(field)],
        errors: FieldErrors::one(field, "Shorten it."),
        problem: Some("Nothing is saved.".into()),
        preview: true,
    };
    let step = &workflow::STEPS[0];
    let asks = MovePage {
        frame: Frame::sample(step.label),
        head: show.head.clone(),
        step,
        comment: evil(),
        reviewers: vec![(PersonId::new(), evil(), true, true)],
        errors: FieldErrors::one("comment", "Say what has to be mended."),
    };
    let narrative = NarrativePage {
        frame: Frame::sample("Edit text"),
        id: show.head.id,
        values: NarrativeField::ALL.iter().map(|field| (*field, evil())).collect(),
        editing: editing("approach"),
    };
    let boxes = || vec![(uuid::Uuid::nil().to_string(), evil(), evil(), true)];
    let finding = FindingPage {
        frame: Frame::sample("Edit finding"),
        report: show.head.id,
        id: FindingId::new(),
        is_new: false,
        title: evil(),
        severity: "high".into(),
        description: evil(),
        recommendation: evil(),
        assets: boxes(),
        evidence: boxes(),
        editing: editing("assets"),
    };
    let remediation = RemediationPage {
        frame: Frame::sample("Remediation"),
        report: show.head.id,
        id: FindingId::new(),
        finding: evil(),
        recommendation: crate::kernel::web::markdown::render(&evil()),
        state: "open".into(),
        owner: evil(),
        due_on: evil(),
        editing: editing("owner"),
    };
    let correction = CorrectionPage {
        frame: Frame::sample("Correct outcome"),
        url: "/reports/x".into(),
        back: "/reports/x".into(),
        name: evil(),
        team: Team::Blue,
        frozen: evil(),
        earlier: show.content.corrections.first().cloned(),
        choices: Vec::new(),
        chosen: "logged".into(),
        reason: evil(),
        seen: String::new(),
        errors: FieldErrors::one("reason", "Give a reason."),
    };
    crate::kernel::web::rendered([
        ("move", asks.render()),
        ("edit", narrative.render()),
        ("edit previews", narrative.as_previews().render()),
        ("finding", finding.render()),
        ("remediation", remediation.render()),
        ("correction", correction.render()),
    ])
}

/// A runbook with hostile text in every place that people write.
fn sample_book() -> (Runbook, Content) {
    let at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_778);
    let outcome = FrozenOutcome {
        key: "logged".into(),
        label: evil(),
        meaning: crate::settings::domain::Meaning::default(),
    };
    let attachment = Attachment {
        id: uuid::Uuid::now_v7(),
        team: Some(Team::Red),
        title: evil(),
        description: evil(),
        file_name: "a\"b.png".into(),
        media_type: "image/png".into(),
        size: 54_000,
        sha256: "00".repeat(32),
        in_finding: true,
        uploaded_by: evil(),
        uploaded_at: at,
    };
    let asset = Asset {
        id: uuid::Uuid::now_v7(),
        name: evil(),
        kind: "Server".into(),
        criticality: "High".into(),
        address: evil(),
        red_outcome: None,
        blue_outcome: Some(outcome.clone()),
        in_finding: true,
    };
    let procedure = Procedure {
        id: ProcedureId::new(),
        position: 1,
        name: evil(),
        description: evil(),
        technique_ids: vec!["T1003.001".into()],
        tactics: vec!["credential-access".into(), "<b>".into()],
        status: ProcedureStatus::Completed,
        not_applicable_reason: evil(),
        severity: Some(Severity::Critical),
        recommendation: evil(),
        operators: vec![Operator { name: evil(), team: Team::Red }],
        attack_source: evil(),
        red_outcome: Some(outcome.clone()),
        red_notes: evil(),
        executed_at: Some(at),
        blue_outcome: Some(outcome),
        blue_notes: evil(),
        detected_at: Some(at - chrono::TimeDelta::seconds(45)),
        detected_by: evil(),
        alert_reference: evil(),
        responded_at: Some(at),
        steps: vec![Step {
            kind: StepKind::Cleanup,
            description: evil(),
            done: Some(Tick { by: evil(), at }),
        }],
        assets: vec![asset],
        logs: vec![Log { team: Team::Blue, author: evil(), starts_at: at, ends_at: Some(at), text: evil() }],
        attachments: vec![attachment],
    };
    let finding = Finding {
        id: FindingId::new(),
        procedure_id: Some(procedure.id),
        title: evil(),
        severity: Severity::Critical,
        description: evil(),
        recommendation: evil(),
        assets: vec![FindingAsset {
            id: uuid::Uuid::now_v7(),
            name: evil(),
            kind: "server".into(),
            criticality: evil(),
            address: evil(),
        }],
        evidence: procedure.attachments.clone(),
    };
    let correction = Correction {
        id: uuid::Uuid::now_v7(),
        procedure_id: procedure.id,
        team: Team::Blue,
        before: None,
        after: procedure.blue_outcome.clone(),
        reason: evil(),
        by: evil(),
        at,
    };
    let book = Runbook {
        title: evil(),
        client: evil(),
        plan: evil(),
        description: evil(),
        objective: evil(),
        scope: evil(),
        start_date: Some(at.date_naive()),
        end_date: None,
        time_zone: "Europe/Lisbon".into(),
        tags: vec!["<i>".into()],
        attack_version: "19.1".into(),
        tactics: vec![Tactic { key: "credential-access".into(), name: "Credential Access".into() }],
        operators: vec![Operator { name: evil(), team: Team::Blue }],
        procedures: vec![procedure],
        submitted_by: evil(),
        submitted_at: at,
    };
    let content = Content {
        title: evil(),
        narrative: sample_narrative().chapters(),
        findings: vec![finding],
        corrections: vec![correction],
    };
    (book, content)
}

fn sample_list_again(list: &List) -> List {
    List {
        frame: list.frame.clone(),
        reports: Vec::new(),
        count: "0 reports".into(),
        q: list.q.clone(),
        client: None,
        status: None,
        clients: list.clients.clone(),
        older: None,
        later: false,
        newest: String::new(),
        zone: list.zone,
    }
}

fn sample_submission(head: &Head) -> Submission {
    Submission {
        id: head.engagement,
        client: head.client,
        client_name: head.client_name.clone(),
        title: head.engagement_title.clone(),
        status: EngagementStatus::InProgress,
        submitted: false,
        report: Some(head.id),
        procedures: vec![Pending {
            id: ProcedureId::new(),
            position: 1,
            name: "<script>alert(1)</script>".into(),
            status: ProcedureStatus::InProgress,
            red_answered: true,
            blue_answered: false,
            cleanup_left: 2,
        }],
    }
}
