//! Samples of the engagement's page and its parts, with hostile text in every field.

use askama::Template;
use chrono::{DateTime, TimeDelta};

use super::sections::Files;
use super::sections::Part;
use super::show::{Around, Loaded, May, Show, body};
use super::table::{CellShown, Choice, Editor, Line, Meter, Writer};
use crate::engagements::glance::Answered;
use crate::engagements::store::sections::{Candidate, Entry, File, UsedAsset};
use crate::engagements::store::show::{Digests, Head, Operator, Own, ProcedureRow, ReportRow};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{
    AttachmentId, ClientId, EngagementId, LogEntryId, PersonId, ProcedureId, ReportId,
};
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::{ProcedureStatus, Severity, Sides};
use crate::procedures::inputs::InputRow;
use crate::settings::domain::Outcome;

pub(super) fn sample() -> (Loaded, Around<impl Fn(bool, bool) -> Sides>) {
    let hostile = "<script>alert(1)</script>";
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let person = PersonId::new();
    let own = Own {
        id: EngagementId::new(),
        client_id: ClientId::new(),
        title: hostile.into(),
        description: format!("{hostile} **bold**"),
        objective: hostile.into(),
        scope: String::new(),
        access_info: String::new(),
        special_instructions: String::new(),
        tags: vec![hostile.into()],
        status: EngagementStatus::InProgress,
        start_date: "2026-11-16".parse().ok(),
        end_date: "2026-11-27".parse().ok(),
        time_zone: "Europe/Lisbon".into(),
        starts_at: Some(now),
        attack_version: "19.1".into(),
        test_plan_title: hostile.into(),
        earlier_engagement_id: None,
        write_rule: None,
        cancel_reason: None,
        requested_at: Some(now),
        submitted_at: None,
        version: 3,
    };
    let report =
        ReportRow { id: ReportId::new(), status: ReportStatus::Draft, title: String::new(), updated_at: now };
    let row = |position, status, severity, blue: Option<&str>| ProcedureRow {
        id: ProcedureId::new(),
        position,
        name: hostile.into(),
        technique_ids: vec!["T1003.001".into(), "T1021".into()],
        tactics: vec!["credential-access".into()],
        status,
        severity,
        waiting_on: None,
        red_outcome: blue.map(|_| "success".into()),
        blue_outcome: blue.map(str::to_owned),
        version: 1,
    };
    let outcome = |key: &str, team, score| Outcome {
        key: key.into(),
        team,
        label: hostile.into(),
        definition: hostile.into(),
        meaning: crate::settings::domain::Meaning { score, ..Default::default() },
        retired_at: None,
    };
    let operator = |team| Operator {
        procedure_id: None,
        person_id: person,
        name: "Mika \"Kuusi\"".into(),
        team,
        has_access: team == Team::Red,
    };
    let loaded = Loaded {
        head: Head {
            own,
            client_name: "Harbour Lights Ferries".into(),
            updated: now,
            updated_by: "Mika Kuusi".into(),
            report: Some(report),
        },
        outcomes: vec![outcome("success", Team::Red, None), outcome("logged", Team::Blue, Some(30))],
        procedures: vec![
            row(1, ProcedureStatus::Completed, Some(Severity::High), Some("logged")),
            row(2, ProcedureStatus::NotStarted, None, None),
        ],
        operators: vec![operator(Team::Red), operator(Team::Blue)],
        digests: Digests {
            sections: serde_json::json!({ "timeline": true }),
            inputs: serde_json::json!({}),
            assets: serde_json::json!({ "server": 2 }),
            entries: 1,
            last_entry: Some(now),
            last_author: Some(hostile.into()),
            last_event: Some(hostile.into()),
            last_event_at: Some(now),
            events: 2_000,
            archived: true,
            ..Digests::default()
        },
        inputs: vec![InputRow {
            name: "domain_controller".into(),
            engagement_value: None,
            defaults: vec![(hostile.into(), 2)],
            used_by: vec![1, 2],
            unfilled: true,
        }],
        candidates: vec![
            Candidate {
                id: person,
                name: hostile.into(),
                role: "Standard User".into(),
                has_access: true,
                from: "2026-11-17".parse().ok(),
                to: None,
                bookings: vec![hostile.into()],
            },
            Candidate {
                id: PersonId::new(),
                name: "Gone".into(),
                role: String::new(),
                has_access: false,
                from: None,
                to: None,
                bookings: vec![],
            },
        ],
        assets: vec![UsedAsset {
            id: uuid::Uuid::nil(),
            name: hostile.into(),
            kind: "server".into(),
            criticality: "high".into(),
            address: hostile.into(),
            positions: vec![1],
            procedures: vec![ProcedureId::new()],
        }],
        answers: vec![Answered {
            tactics: vec!["credential-access".into()],
            red: Some(crate::settings::domain::Meaning::default()),
            blue: None,
            not_applicable: false,
            executed_at: Some(now),
            detected_at: Some(now),
            responded_at: None,
        }],
        tactics: vec![("credential-access".into(), hostile.into())],
        older_entries: 4,
        paged: true,
        entries: vec![Entry {
            id: LogEntryId::new(),
            team: Team::Blue,
            text: hostile.into(),
            starts_at: now,
            ends_at: Some(now + TimeDelta::hours(30)),
            author: hostile.into(),
            procedure: ProcedureId::new(),
            position: 1,
            procedure_name: hostile.into(),
        }],
        files: Files {
            skipped: 100,
            total: 300,
            files: vec![File {
                id: AttachmentId::new(),
                team: Some(Team::Red),
                title: hostile.into(),
                description: hostile.into(),
                file_name: "console.png".into(),
                media_type: "image/png".into(),
                size: 48_000,
                by: hostile.into(),
                at: now,
                procedure: Some(ProcedureId::new()),
                position: Some(1),
            }],
        },
        events: vec![crate::kernel::event::views::sample_event(1)],
    };
    let sides = |_, _| Sides::ALL;
    let may = May {
        plan: true,
        bookings: true,
        start: true,
        approve: true,
        cancel: true,
        delete: true,
        submit: true,
        report: true,
        log: true,
    };
    let around = Around {
        writer: Writer { sides, person },
        may,
        now,
        zone: chrono_tz::UTC,
        show: String::new(),
        typed: [("domain_controller".to_owned(), hostile.to_owned())].into(),
        errors: FieldErrors::one("domain_controller", "Too long."),
        ticked: None,
        dates: Vec::new(),
    };
    (loaded, around)
}

/// Samples of the page.
pub(super) fn pages() -> Vec<(&'static str, String)> {
    let (loaded, around) = sample();
    let page = |open: &[Part]| {
        Show::new(Frame::sample("Engagement"), &loaded, &around, open, Some("No.".into()))
            .and_then(|page| page.render())
    };
    vec![
        ("engagements/show", page(&[]).unwrap_or_default()),
        ("engagements/show open=all", page(Part::ALL).unwrap_or_default()),
    ]
}

/// Samples of the sections, the inline editor and its cell.
pub(super) fn fragments() -> Vec<(&'static str, String)> {
    let (loaded, around) = sample();
    let named = |part: Part| match part {
        Part::Overview => "engagements/overview#fragment",
        Part::Procedures => "engagements/procedures#fragment",
        Part::Operators => "engagements/operators#fragment",
        Part::Inputs => "engagements/inputs#fragment",
        Part::Assets => "engagements/assets#fragment",
        Part::Outcomes => "engagements/outcomes#fragment",
        Part::Timeline => "engagements/timeline#fragment",
        Part::Attachments => "engagements/attachments#fragment",
        Part::Report => "engagements/report#fragment",
        Part::Activity => "engagements/activity#fragment",
    };
    let mut all: Vec<(&'static str, String)> = Part::ALL
        .iter()
        .map(|part| (named(*part), body(*part, &loaded, &around).unwrap_or_default()))
        .collect();
    let editor = Editor {
        url: "/engagements/x/procedures/y/cell/status".into(),
        label: "Status of 4 <b>".into(),
        choices: vec![Choice { value: "not_started".into(), label: "<b>".into(), title: "\"".into() }],
        value: "not_started".into(),
        saved: Some("completed".into()),
        base: 3,
        reason: Some("\">".into()),
        error: Some("Say why.".into()),
    };
    let cells =
        Line::new(&loaded.procedures[0], loaded.head.own.id, &loaded.outcomes, &loaded.operators, Sides::ALL)
            .cells;
    let meter = Meter::new(&loaded.procedures, false);
    all.push(("engagements/editor#fragment", editor.render().unwrap_or_default()));
    for cell in cells {
        let shown = CellShown {
            key: "0123456789ab".into(),
            cell,
            saved: true,
            turn: "Blue",
            progress: Some(meter.clone()),
        };
        all.push(("engagements/cell#fragment", shown.render().unwrap_or_default()));
    }
    all
}
