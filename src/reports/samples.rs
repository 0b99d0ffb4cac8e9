//! Every view of the slice with hostile text, for the samples test.

use askama::Template;

use super::domain::{Asset, Attachment, Log, Operator, Outcome, Pending, Procedure, Runbook, Step, Tactic, Tick};
use super::figures::Figures;
use super::store::{FindingRow, Head, ReportRow, Submission};
use super::views::{List, Show, Submit, Waiting};
use crate::error::FieldErrors;
use crate::ids::{ClientId, EngagementId, FindingId, ProcedureId, ReportId};
use crate::library::domain::StepKind;
use crate::procedures::domain::{ProcedureStatus, Severity, Team};
use crate::schedule::domain::{EngagementStatus, ReportStatus};
use crate::web::Frame;

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let head = Head {
        id: ReportId::new(),
        client: ClientId::new(),
        title: "<script>alert(1)</script>".into(),
        status: ReportStatus::Draft,
        client_name: "Harbour & Lights".into(),
        engagement: EngagementId::new(),
        engagement_title: "Rehearsal <b>".into(),
        engagement_status: EngagementStatus::InProgress,
        engagement_deleted_at: None,
        submitted_at: None,
    };
    let (book, findings) = sample_book();
    let submission = sample_submission(&head);
    let row = ReportRow {
        id: head.id,
        title: head.title.clone(),
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
    let show = Show {
        frame: Frame::sample("Report"),
        head: head.clone(),
        figures: Figures::of(&book),
        book,
        findings,
        zone: chrono_tz::Europe::Lisbon,
        linked: true,
    };
    let waiting = Waiting { frame: Frame::sample("Report"), head, submission: submission.clone(), may_submit: true };
    let submit =
        Submit { frame: Frame::sample("Submit"), submission, accepted: false, errors: FieldErrors::one("incomplete", "Tick this.") };
    let empty = List { reports: Vec::new(), ..sample_list_again(&list) };
    crate::web::rendered([
        ("list", list.render()),
        ("list results", list.as_results().render()),
        ("list empty", empty.render()),
        ("show", show.render()),
        ("waiting", waiting.render()),
        ("submit", submit.render()),
    ])
}

/// A runbook with hostile text in every place that people write.
fn sample_book() -> (Runbook, Vec<FindingRow>) {
    let evil = || "<script>alert(1)</script> **bold**".to_owned();
    let at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_778);
    let outcome =
        Outcome { key: "logged".into(), label: evil(), succeeded: true, score: Some(30), prevented: true, alerted: false, logged: true };
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
        steps: vec![Step { kind: StepKind::Cleanup, description: evil(), done: Some(Tick { by: evil(), at }) }],
        assets: vec![asset],
        logs: vec![Log { team: Team::Blue, author: evil(), starts_at: at, ends_at: Some(at), text: evil() }],
        attachments: vec![attachment],
    };
    let finding = FindingRow {
        id: FindingId::new(),
        procedure_id: Some(procedure.id),
        title: evil(),
        severity: Severity::Critical,
        description: evil(),
        recommendation: evil(),
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
    (book, vec![finding])
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
