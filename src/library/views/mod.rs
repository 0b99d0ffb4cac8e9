//! Pages of the library and of test plans.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use self::terms::Outline;
use crate::kernel::base::ids::TestPlanId;
use crate::kernel::base::show;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::library::domain::{Step, StepKind, TechniqueStatus};
use crate::library::forms::{ProcedureFilter, TechniqueFilter};
use crate::library::store::attack::{
    Methodology, NamedTechnique, Release, ReleaseSize, TacticRow, Technique, TechniqueRow,
};
use crate::library::store::procedures::{Procedure, Sort, State};
use crate::library::store::terms::Named;
use crate::library::store::{Choices, Hit, Tactic};
use crate::library::writing::differences::{Difference, told_expected};

#[derive(Template)]
#[template(path = "library/procedures.html", blocks = ["results"])]
pub struct Procedures {
    pub frame: Frame,
    pub filters: ProcedureFilter,
    /// This list, as its address says it.
    pub here: String,
    /// What can be filtered; empty in a fragment.
    pub choices: Choices,
    /// Whether rows can be ticked and procedures made.
    pub may_edit: bool,
    /// Why nothing was done to the ticked rows.
    pub problem: Option<String>,
    pub hits: Vec<Hit>,
    /// How many there are in all, in words.
    pub found: String,
    pub earlier: Option<String>,
    pub later: Option<String>,
}

impl Procedures {
    fn states(&self) -> &'static [State] {
        State::ALL
    }
    fn sorts(&self) -> &'static [Sort] {
        Sort::ALL
    }
}

#[derive(Template)]
#[template(path = "library/versions.html")]
pub struct VersionsPage {
    pub frame: Frame,
    pub procedure: Procedure,
    pub versions: Vec<VersionView>,
    pub compared: Option<Comparison>,
    pub may_write: bool,
    pub zone: Tz,
}

impl VersionsPage {
    fn url(&self) -> String {
        format!("/library/procedures/{}/versions", self.procedure.id)
    }
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
}

pub struct VersionView {
    pub n: i32,
    pub at: DateTime<Utc>,
    pub by: Option<String>,
    /// What differs from the version before.
    pub changed: String,
    pub is_first: bool,
}

/// Two versions side by side.
pub struct Comparison {
    pub from: i32,
    pub to: i32,
    pub differences: Vec<Difference>,
}

/// A step as the page shows it.
pub struct StepView {
    /// Where it stands among the steps of its kind, from 1.
    pub number: usize,
    /// Id that is unique on the page.
    pub anchor: String,
    /// Description, safe HTML.
    pub description: String,
    /// Success criteria, safe HTML.
    pub success: Option<String>,
    /// The command that checks a prerequisite, and the command itself, each with a heading where both are
    /// there.
    pub commands: Vec<(&'static str, String, words::Command)>,
    pub executor: String,
    /// Where it runs, when that is narrower than the procedure's platforms.
    pub platform: Option<String>,
    /// Whether it needs administrator rights.
    pub elevated: bool,
}

impl StepView {
    fn new(number: usize, step: &Step) -> Self {
        let anchor: String = step.id.chars().filter(char::is_ascii_alphanumeric).collect();
        let anchor = format!("{}-{number}-{anchor}", step.kind.label().to_lowercase());
        let both = step.check_command.is_some() && step.command.is_some();
        let check = step
            .check_command
            .as_deref()
            .map(|text| ("Check", format!("{anchor}-check"), words::command(text)));
        let heading = if both { "If it is missing" } else { "" };
        let command =
            step.command.as_deref().map(|text| (heading, format!("{anchor}-command"), words::command(text)));
        Self {
            number,
            description: markdown::render(&step.description),
            success: step.success_criteria.as_deref().filter(|text| !text.is_empty()).map(markdown::render),
            commands: check.into_iter().chain(command).collect(),
            executor: step.executor.as_deref().map(|key| words::executor(key).to_owned()).unwrap_or_default(),
            platform: step.platform.as_deref().map(words::platform),
            elevated: step.elevated,
            anchor,
        }
    }
}

#[derive(Template)]
#[template(path = "library/procedure.html")]
pub struct ProcedurePage {
    pub frame: Frame,
    pub procedure: Procedure,
    /// Description, safe HTML.
    pub description: String,
    /// Recommendation, safe HTML.
    pub recommendation: String,
    /// Steps by kind, with the heading of the kind.
    pub kinds: Vec<(&'static str, Vec<StepView>)>,
    /// Its techniques with their names.
    pub techniques: Vec<NamedTechnique>,
    /// Tactics of its techniques, each once.
    pub tactics: Vec<String>,
    /// Test plans that hold it; none for whoever may not read them.
    pub plans: Option<Vec<(TestPlanId, String)>>,
    /// What it was copied from, and in which version.
    pub origin: Option<(Hit, i32)>,
    pub may_write: bool,
    pub zone: Tz,
}

impl ProcedurePage {
    pub fn new(
        frame: Frame,
        procedure: Procedure,
        techniques: Vec<NamedTechnique>,
        plans: Option<Vec<(TestPlanId, String)>>,
        origin: Option<(Hit, i32)>,
        may_write: bool,
        zone: Tz,
    ) -> Self {
        let kinds = [
            (StepKind::Prerequisite, "Prerequisites"),
            (StepKind::Step, "Steps"),
            (StepKind::Cleanup, "Cleanup"),
        ]
        .into_iter()
        .map(|(kind, heading)| {
            let steps = procedure.body.steps.iter().filter(|step| step.kind == kind);
            (heading, (1..).zip(steps).map(|(number, step)| StepView::new(number, step)).collect::<Vec<_>>())
        })
        .filter(|(_, steps)| !steps.is_empty())
        .collect();
        let mut tactics: Vec<String> = Vec::new();
        for tactic in techniques.iter().flat_map(|technique| &technique.tactics) {
            if !tactics.contains(tactic) {
                tactics.push(tactic.clone());
            }
        }
        Self {
            frame,
            description: markdown::render(&procedure.body.description),
            recommendation: markdown::render(&procedure.body.recommendation),
            kinds,
            techniques,
            tactics,
            plans,
            origin,
            may_write,
            zone,
            procedure,
        }
    }
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::time(*at, self.zone)
    }
    /// What blue is expected to do, in one line; empty where nothing is.
    fn expected(&self) -> String {
        told_expected(&self.procedure.body)
    }
}

#[derive(Template)]
#[template(path = "library/tactics.html")]
pub struct Tactics {
    pub frame: Frame,
    /// Stored releases, newest first.
    pub releases: Vec<Release>,
    pub version: String,
    pub tactics: Vec<TacticRow>,
    pub outline: Outline,
    /// Whether the library may be changed.
    pub may_edit: bool,
}

#[derive(Template)]
#[template(path = "library/techniques.html", blocks = ["results"])]
pub struct Techniques {
    pub frame: Frame,
    /// Stored releases, newest first.
    pub releases: Vec<Release>,
    pub version: String,
    /// Whether that is the newest.
    pub is_newest: bool,
    /// Methodologies of one's own.
    pub own: Vec<Named>,
    pub tactics: Vec<Tactic>,
    pub filters: TechniqueFilter,
    pub rows: Vec<TechniqueRow>,
    /// How many there are in all, in words.
    pub found: String,
    pub earlier: Option<String>,
    pub later: Option<String>,
}

impl Techniques {
    fn href(&self, external_id: &str) -> String {
        if self.is_newest {
            format!("/library/techniques/{external_id}")
        } else {
            versioned_url(external_id, &self.version)
        }
    }
}

fn versioned_url(external_id: &str, version: &str) -> String {
    format!("/library/techniques/{external_id}?version={version}")
}

/// Where another technique of the same release is, as seen from `shown`.
pub fn technique_url(external_id: &str, shown: &Technique) -> String {
    let newest = shown.versions.first().is_some_and(|newest| *newest == shown.version);
    if newest {
        format!("/library/techniques/{external_id}")
    } else {
        versioned_url(external_id, &shown.version)
    }
}

#[derive(Template)]
#[template(path = "library/technique.html")]
pub struct TechniquePage {
    pub frame: Frame,
    pub technique: Technique,
    pub subtechniques: Vec<TechniqueRow>,
    /// The first procedures that use it or one of them.
    pub hits: Vec<Hit>,
    /// How many do in all.
    pub count: i64,
}

impl TechniquePage {
    fn href(&self, external_id: &str) -> String {
        technique_url(external_id, &self.technique)
    }
}

#[derive(Template)]
#[template(path = "library/methodologies.html")]
pub struct Methodologies {
    pub frame: Frame,
    pub methodologies: Vec<Methodology>,
    pub releases: Vec<ReleaseSize>,
    pub outline: Outline,
    /// Whether the library may be changed.
    pub may_edit: bool,
    pub zone: Tz,
}

mod plans;
pub mod repositories;
pub mod revisions;
pub mod terms;
pub mod words;
pub mod writing;
pub use plans::{DeletePlan, PlanEditor, PlanPage, Plans, coverage};
