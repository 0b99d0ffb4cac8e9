//! Samples of every view, for the test that renders them all.

use askama::Template;
use chrono::{DateTime, Utc};

use super::page::{Overlay, Show};
use super::parts::Parts;
use super::steps::RefusedInputs;
use super::{Fresh, FreshPage, Operators, Pick, PickSide};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::kernel::web::permit::Viewer;
use crate::library::domain::{Input, ProcedureBody, Step, StepKind};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::{Field, ProcedureStatus, Severity, Sides};
use crate::procedures::merge::Conflict;
use crate::procedures::store::page::{
    EngagementPart, InputValues, Operator, ProcedureRow, Shown, Sibling, Technique, Tick,
};
use crate::procedures::store::save::Fields;
use crate::settings::domain::Outcome;

const HOSTILE: &str = "<script>alert(1)</script> \u{202e}txt";

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_270_268, 0).unwrap_or_default()
}

fn body() -> ProcedureBody {
    let step = |id: &str, kind, command: Option<String>| Step {
        id: id.into(),
        kind,
        description: HOSTILE.into(),
        success_criteria: Some(HOSTILE.into()),
        command,
        check_command: None,
        executor: Some("powershell".into()),
        elevated: true,
    };
    ProcedureBody {
        name: HOSTILE.into(),
        description: HOSTILE.into(),
        technique_ids: vec!["T1003.001".into(), "T9999".into()],
        platforms: vec!["windows".into()],
        inputs: vec![Input {
            name: "out".into(),
            description: HOSTILE.into(),
            kind: "path".into(),
            default: None,
        }],
        steps: vec![
            step("p1", StepKind::Prerequisite, None),
            step("s1", StepKind::Step, Some(format!("{HOSTILE} #{{out}}"))),
            step("s2", StepKind::Step, Some("line\n".repeat(40))),
            step("c1", StepKind::Cleanup, Some("del #{out}".into())),
        ],
        recommendation: String::new(),
    }
}

fn shown() -> Shown {
    let (engagement, body) = (EngagementId::new(), body());
    Shown {
        engagement: EngagementPart {
            id: engagement,
            client_id: ClientId::new(),
            title: HOSTILE.into(),
            status: EngagementStatus::InProgress,
            time_zone: "Europe/Lisbon".into(),
            starts_at: None,
            submitted_at: None,
            write_rule: None,
            attack_version: "19.1".into(),
        },
        client: HOSTILE.into(),
        procedure: ProcedureRow {
            id: ProcedureId::new(),
            position: 2,
            body: serde_json::Value::Null,
            name: HOSTILE.into(),
            technique_ids: body.technique_ids.clone(),
            fields: Fields {
                status: ProcedureStatus::InProgress,
                not_applicable_reason: HOSTILE.into(),
                severity: Some(Severity::High),
                waiting_on: None,
                recommendation: HOSTILE.into(),
                attack_source: HOSTILE.into(),
                red_outcome: Some("success".into()),
                red_notes: HOSTILE.into(),
                executed_at: Some(at()),
                blue_outcome: None,
                blue_notes: HOSTILE.into(),
                detected_at: Some(at() - chrono::TimeDelta::minutes(1)),
                detected_by: HOSTILE.into(),
                alert_reference: HOSTILE.into(),
                responded_at: None,
            },
            updated_at: at(),
            version: 3,
        },
        body,
        updated_by: Some(HOSTILE.into()),
        report: None,
        detectors: vec![HOSTILE.into()],
    }
}

/// Every view of the slice.
pub fn samples() -> Vec<(&'static str, String)> {
    let (shown, viewer) = (shown(), Viewer::sample());
    let outcome = |key: &str, team| Outcome {
        key: key.into(),
        team,
        label: HOSTILE.into(),
        definition: HOSTILE.into(),
        meaning: crate::settings::domain::Meaning::default(),
        retired_at: None,
    };
    let sibling =
        |id, position| Sibling { id, position, name: HOSTILE.into(), status: ProcedureStatus::Completed };
    let siblings =
        [sibling(ProcedureId::new(), 1), sibling(shown.procedure.id, 2), sibling(ProcedureId::new(), 3)];
    let operators = [Operator {
        person_id: PersonId::new(),
        name: HOSTILE.into(),
        team: Team::Red,
        own: true,
        has_access: false,
    }];
    let ticks = [Tick { step: "p1".into(), by: HOSTILE.into(), at: at() }];
    let techniques =
        [Technique { external_id: "T1003.001".into(), name: HOSTILE.into(), tactics: vec![HOSTILE.into()] }];
    let (outcomes, inputs) =
        ([outcome("success", Team::Red), outcome("logged", Team::Blue)], InputValues::default());
    let parts = |sides| Parts {
        shown: &shown,
        outcomes: &outcomes,
        siblings: &siblings,
        operators: &operators,
        ticks: &ticks,
        inputs: &inputs,
        techniques: &techniques,
        sides,
        plans: true,
        closed: None,
        now: at(),
        viewer: &viewer,
    };
    let page = |sides: Sides,
                overlay: &Overlay,
                errors: &FieldErrors,
                conflicts: &[Conflict],
                problem: Option<&str>| {
        let parts = parts(sides);
        Show {
            frame: Frame::sample(HOSTILE),
            bar: parts.bar(Some("Saved 14:33".into())),
            form: parts.form(overlay, errors, conflicts, problem.map(str::to_owned)),
            aside: parts.aside(),
            logs: String::new(),
            attachments: String::new(),
            assets: String::new(),
            closed: (!sides.any()).then(|| HOSTILE.to_owned()),
            draft: Some(("14:29".into(), "a tab".into())),
            events: "/engagements/1/events".into(),
        }
        .render()
    };
    let both = Sides::ALL;
    let (none, clean) = (Overlay::default(), FieldErrors::default());
    let mut typed = Overlay::default();
    typed.values.insert("attack_source".into(), HOSTILE.into());
    typed.bases.insert("attack_source".into(), 1);
    let conflict = Conflict {
        field: "attack_source".into(),
        theirs: HOSTILE.into(),
        theirs_by: Some(HOSTILE.into()),
        theirs_at: Some(at()),
        theirs_version: 3,
        mine: HOSTILE.into(),
        base_version: 1,
    };
    let side = |team| {
        PickSide::of(
            team,
            HOSTILE.into(),
            vec![Pick { id: PersonId::new().to_string(), name: HOSTILE.into(), role: None, ticked: true }],
        )
    };
    let operators_page = Operators {
        frame: Frame::sample("Manage operators"),
        position: 2,
        name: HOSTILE.into(),
        problem: Some(HOSTILE.into()),
        sides: vec![side(Team::Red), side(Team::Blue)],
        back: "/engagements".into(),
    };
    let names = parts(both).shown.body.placeholders();
    let refused = RefusedInputs {
        typed: names.iter().map(|name| (name.clone(), HOSTILE.to_owned())).collect(),
        errors: names.first().map(|name| FieldErrors::one(name, HOSTILE)).unwrap_or_default(),
        problem: Some(HOSTILE.into()),
    };
    let fresh = FreshPage {
        version: 3,
        fields: vec![Fresh {
            name: Field::RedNotes.name(),
            value: HOSTILE.into(),
            by: HOSTILE.into(),
            at: "14:30".into(),
        }],
        parts: vec![("#steps".to_owned(), parts(both).steps(None).render().unwrap_or_default())],
    };
    crate::kernel::web::rendered([
        ("show", page(both, &none, &clean, &[], None)),
        ("show_closed", page(Sides::default(), &none, &clean, &[], None)),
        ("show_conflict", page(both, &typed, &clean, &[conflict], None)),
        ("show_invalid", page(both, &typed, &FieldErrors::one("attack_source", HOSTILE), &[], Some(HOSTILE))),
        ("form", parts(both).form(&none, &clean, &[], None).render()),
        ("steps", parts(both).steps(None).render()),
        ("steps_refused", parts(both).steps(Some(&refused)).render()),
        ("operators", operators_page.render()),
        ("fresh", fresh.render()),
    ])
    .into_iter()
    .chain(super::logs::samples())
    .chain(super::attachments::samples())
    .chain(super::assets::samples())
    .collect()
}
