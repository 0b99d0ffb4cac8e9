//! Every view of the slice with hostile text in it, for the samples test.

use askama::Template;
use chrono::DateTime;
use chrono_tz::UTC;

use super::*;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::library::domain::{Input, ProcedureBody};
use crate::library::editor::{Command as Button, PlanForm};
use crate::library::store::{Plan, PlanRow};

const HOSTILE: &str = "<script>alert(1)</script>";

fn hit(withdrawn: bool) -> Hit {
    Hit {
        id: LibraryProcedureId::new(),
        name: format!("Read LSASS memory {HOSTILE}"),
        technique_ids: vec!["T1003.001".into()],
        platforms: vec!["windows".into()],
        tactics: vec!["Credential Access".into()],
        repository: "Starter".into(),
        version: 1,
        withdrawn,
        sort_name: "read lsass memory".into(),
    }
}

fn choices() -> Choices {
    let repository = Repository {
        id: RepositoryId::new(),
        key: Some("starter".into()),
        name: format!("Tyrian Starter {HOSTILE}"),
        short_name: "Starter".into(),
        description: HOSTILE.into(),
        kind: "curated".into(),
        procedures: 28,
    };
    let tactic = Tactic {
        external_id: "TA0006".into(),
        short_name: "credential-access".into(),
        name: "Credential Access".into(),
        position: 8,
    };
    Choices {
        tactics: vec![tactic],
        platforms: vec!["windows".into(), HOSTILE.into()],
        repositories: vec![repository],
    }
}

fn procedure() -> Procedure {
    let step = |id: &str, kind, check: Option<&str>| Step {
        id: id.into(),
        kind,
        description: format!("**Run** it {HOSTILE}"),
        success_criteria: Some("A file appears.".into()),
        command: Some(format!("tool #{{target}} \u{202E} {HOSTILE}\n{}", "line\n".repeat(20))),
        check_command: check.map(str::to_owned),
        executor: Some("powershell".into()),
        elevated: true,
    };
    let input = Input {
        name: "target".into(),
        description: HOSTILE.into(),
        kind: "path".into(),
        default: Some("C:\\temp".into()),
    };
    Procedure {
        id: LibraryProcedureId::new(),
        body: ProcedureBody {
            name: format!("Read LSASS memory {HOSTILE}"),
            description: format!("Reads memory. {HOSTILE}"),
            technique_ids: vec!["T1003.001".into()],
            platforms: vec!["windows".into()],
            inputs: vec![input],
            steps: vec![
                step("p1", StepKind::Prerequisite, Some("where tool")),
                step("s1", StepKind::Step, None),
                step("c1", StepKind::Cleanup, None),
            ],
            recommendation: "Protect it.".into(),
        },
        version: 2,
        version_at: DateTime::UNIX_EPOCH,
        current: 3,
        withdrawn_at: Some(DateTime::UNIX_EPOCH),
        repository: RepositoryId::new(),
        repository_name: "Atomic Red Team".into(),
    }
}

fn technique_row() -> TechniqueRow {
    TechniqueRow {
        external_id: "T1003.001".into(),
        name: format!("LSASS Memory {HOSTILE}"),
        parent: Some("OS Credential Dumping".into()),
        tactics: vec!["Credential Access".into()],
        platforms: vec!["Windows".into()],
        status: "revoked".into(),
        revoked_by: Some("T1003".into()),
        procedures: 13,
    }
}

fn releases() -> Vec<Release> {
    ["19.1", "18.1"]
        .map(|version| Release { version: version.into(), imported_at: DateTime::UNIX_EPOCH })
        .to_vec()
}

fn plan() -> Plan {
    Plan {
        id: TestPlanId::new(),
        title: format!("Ransomware rehearsal {HOSTILE}"),
        description: format!("*Two days.* {HOSTILE}"),
        tags: vec!["ransomware".into()],
        version: 2,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn editor() -> PlanEditor {
    let chosen = vec![hit(false), hit(true)];
    let form = PlanForm {
        title: HOSTILE.into(),
        description: HOSTILE.into(),
        tags: HOSTILE.into(),
        version: 2,
        chosen: chosen.iter().map(|hit| hit.id).collect(),
        search: crate::library::store::Search { q: HOSTILE.into(), ..Default::default() },
        shown: 30,
    };
    let mut errors = FieldErrors::one("title", "Give the test plan a title.");
    errors.add("description", "The description is too long.");
    errors.add("tags", "There can be at most 20 tags.");
    errors.add("chosen", "Choose at least one procedure.");
    let moved = Some(Button::Up(chosen[1].id));
    PlanEditor {
        frame: Frame::sample("New Test Plan"),
        action: "/test-plans/new".into(),
        back: "/test-plans".into(),
        stored: PlanForm::default(),
        form,
        choices: choices(),
        found: vec![hit(false)],
        more: true,
        chosen,
        errors,
        fault: Some("Somebody else saved this test plan.".into()),
        moved,
    }
}

/// One of each page and fragment.
pub fn samples() -> Vec<(&'static str, String)> {
    let frame = Frame::sample;
    let url = || Some("/library/procedures?after=x".to_owned());
    let procedures = Procedures {
        frame: frame("Procedures"),
        filters: ProcedureFilter { q: HOSTILE.into(), ..Default::default() },
        choices: choices(),
        hits: vec![hit(false), hit(false)],
        found: "1,818 procedures".into(),
        earlier: url(),
        later: url(),
    };
    let none = Procedures {
        frame: frame("Procedures"),
        filters: ProcedureFilter::default(),
        choices: choices(),
        hits: Vec::new(),
        found: "0 procedures".into(),
        earlier: None,
        later: None,
    };
    let named = NamedTechnique {
        external_id: "T1003.001".into(),
        name: Some(format!("OS Credential Dumping: LSASS Memory {HOSTILE}")),
        tactics: vec!["Credential Access".into()],
    };
    let one = ProcedurePage::new(
        frame("Read LSASS memory"),
        procedure(),
        vec![named],
        vec![(TestPlanId::new(), HOSTILE.into())],
        UTC,
    );
    let tactic = TacticRow {
        external_id: "TA0006".into(),
        short_name: "credential-access".into(),
        name: "Credential Access".into(),
        description: format!("Steal names. {HOSTILE}"),
        url: String::new(),
        techniques: 17,
        subtechniques: 50,
        procedures: 120,
    };
    let tactics = Tactics {
        frame: frame("Tactics"),
        releases: releases(),
        version: "18.1".into(),
        tactics: vec![tactic],
    };
    let techniques = Techniques {
        frame: frame("Techniques"),
        releases: releases(),
        version: "18.1".into(),
        is_newest: false,
        tactics: choices().tactics,
        filters: TechniqueFilter { q: HOSTILE.into(), ..Default::default() },
        rows: vec![technique_row()],
        found: "691 techniques".into(),
        earlier: None,
        later: url(),
    };
    let technique = TechniquePage {
        frame: frame("LSASS Memory"),
        technique: Technique {
            version: "18.1".into(),
            external_id: "T1003".into(),
            name: format!("OS Credential Dumping {HOSTILE}"),
            description: format!("Uses <code>lsass</code>. {HOSTILE} (Citation: X)"),
            url: "https://attack.mitre.org/techniques/T1003".into(),
            platforms: vec!["Windows".into()],
            tactics: vec!["Credential Access".into()],
            status: "revoked".into(),
            parent_id: Some("T1000".into()),
            parent: Some("Parent".into()),
            revoked_by: Some("T1004".into()),
            successor: Some("Heir".into()),
            versions: vec!["19.1".into(), "18.1".into()],
        },
        subtechniques: vec![technique_row()],
        hits: vec![hit(false)],
        count: 2,
    };
    let methodology = Methodology {
        key: Some("attack-enterprise".into()),
        name: "MITRE ATT&CK for Enterprise".into(),
        short_name: "ATT&CK".into(),
        description: HOSTILE.into(),
    };
    let size = ReleaseSize {
        version: "19.1".into(),
        imported_at: DateTime::UNIX_EPOCH,
        tactics: 15,
        techniques: 697,
    };
    let row = PlanRow {
        id: TestPlanId::new(),
        title: plan().title,
        description: String::new(),
        tags: vec![HOSTILE.into()],
        procedures: 13,
        tactics: vec!["Execution".into()],
        updated_at: DateTime::UNIX_EPOCH,
    };
    let plans = Plans {
        frame: frame("Test plans"),
        q: HOSTILE.into(),
        plans: vec![row],
        may_edit: true,
        may_start: true,
        zone: UTC,
    };
    let no_plans = Plans {
        frame: frame("Test plans"),
        q: String::new(),
        plans: Vec::new(),
        may_edit: true,
        may_start: true,
        zone: UTC,
    };
    let editor = editor();
    crate::kernel::web::rendered([
        ("library/procedures", procedures.render()),
        ("library/procedures#results", procedures.as_results().render()),
        ("library/procedures_none", none.render()),
        ("library/procedure", one.render()),
        (
            "library/repositories",
            Repositories { frame: frame("Repositories"), repositories: choices().repositories }.render(),
        ),
        ("library/tactics", tactics.render()),
        ("library/techniques", techniques.render()),
        ("library/techniques#results", techniques.as_results().render()),
        ("library/technique", technique.render()),
        (
            "library/methodologies",
            Methodologies {
                frame: frame("Methodologies"),
                methodologies: vec![methodology],
                releases: vec![size],
                zone: UTC,
            }
            .render(),
        ),
        ("test_plans/list", plans.render()),
        ("test_plans/list#results", plans.as_results().render()),
        ("test_plans/list_none", no_plans.render()),
        (
            "test_plans/plan",
            PlanPage::new(frame("Plan"), plan(), vec![hit(false), hit(true)], true, true, UTC).render(),
        ),
        ("test_plans/edit", editor.render()),
        ("test_plans/edit#picker", editor.as_picker().render()),
        ("test_plans/delete", DeletePlan { frame: frame("Delete"), plan: plan(), procedures: 13 }.render()),
    ])
}
