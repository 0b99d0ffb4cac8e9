//! Pages of test plans.

use askama::Template;
use chrono_tz::Tz;

use super::revisions::SinceUse;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::merge::form::ConflictView;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::library::editor::{Command as Button, PlanForm};
use crate::library::store::{Choice, Choices, Hit, Plan, PlanRow};
use crate::library::views::words;

#[derive(Template)]
#[template(path = "test_plans/list.html", blocks = ["results"])]
pub struct Plans {
    pub frame: Frame,
    pub q: String,
    pub plans: Vec<PlanRow>,
    /// Whether plans may be changed.
    pub may_edit: bool,
    /// Whether an engagement may be started.
    pub may_start: bool,
    pub zone: Tz,
}

#[derive(Template)]
#[template(path = "test_plans/plan.html")]
pub struct PlanPage {
    pub frame: Frame,
    pub plan: Plan,
    /// Description, safe HTML.
    pub description: String,
    /// Its procedures in order.
    pub hits: Vec<Hit>,
    /// Tactics it covers with the number of procedures, in the order they first come.
    pub tactics: Vec<(String, usize)>,
    /// Platforms in one line.
    pub platforms: String,
    /// What changed since it was last used.
    pub since: Option<SinceUse>,
    /// How many of its procedures were withdrawn.
    pub withdrawn: usize,
    /// Whether it may be changed.
    pub may_edit: bool,
    /// Whether an engagement may be started.
    pub may_start: bool,
    pub zone: Tz,
}

impl PlanPage {
    pub fn new(
        frame: Frame,
        plan: Plan,
        hits: Vec<Hit>,
        since: Option<SinceUse>,
        (may_edit, may_start): (bool, bool),
        zone: Tz,
    ) -> Self {
        let mut tactics: Vec<(String, usize)> = Vec::new();
        let mut platforms: Vec<String> = Vec::new();
        for hit in &hits {
            for tactic in &hit.tactics {
                match tactics.iter_mut().find(|(name, _)| name == tactic) {
                    Some((_, number)) => *number += 1,
                    None => tactics.push((tactic.clone(), 1)),
                }
            }
            platforms.extend(
                hit.platforms.iter().filter(|key| !platforms.contains(key)).cloned().collect::<Vec<_>>(),
            );
        }
        platforms.sort_unstable();
        Self {
            frame,
            description: markdown::render(&plan.description),
            withdrawn: hits.iter().filter(|hit| hit.withdrawn).count(),
            platforms: words::platforms(&platforms),
            plan,
            hits,
            since,
            tactics,
            may_edit,
            may_start,
            zone,
        }
    }
}

#[derive(Template)]
#[template(path = "test_plans/edit.html", blocks = ["picker"])]
pub struct PlanEditor {
    pub frame: Frame,
    /// Where the form is posted.
    pub action: String,
    pub back: String,
    /// What is stored; empty for a new plan.
    pub stored: PlanForm,
    pub form: PlanForm,
    /// What the library can be filtered by.
    pub choices: Choices,
    /// What the filter finds.
    pub found: Vec<Hit>,
    /// Whether it finds more than is shown.
    pub more: bool,
    /// Chosen procedures in order.
    pub chosen: Vec<Hit>,
    /// Every tactic with how many of the chosen fall under it, in the order of the matrix.
    pub coverage: Vec<(String, usize)>,
    pub errors: FieldErrors,
    /// Why nothing is saved.
    pub problem: Option<String>,
    /// Texts that both sides changed.
    pub conflicts: Vec<ConflictView>,
    /// The button that moved a procedure: the focus stays on it.
    pub moved: Option<Button>,
}

impl PlanEditor {
    fn conflict(&self, field: &str) -> Option<&ConflictView> {
        self.conflicts.iter().find(|conflict| conflict.field == field)
    }
    fn covered(&self) -> usize {
        self.coverage.iter().filter(|(_, number)| *number > 0).count()
    }
    fn is_chosen(&self, id: &LibraryProcedureId) -> bool {
        self.form.chosen.contains(id)
    }
    fn moved_up(&self, id: &LibraryProcedureId) -> bool {
        self.moved == Some(Button::Up(*id))
    }
    fn moved_down(&self, id: &LibraryProcedureId) -> bool {
        self.moved == Some(Button::Down(*id))
    }
    fn order(ids: &[LibraryProcedureId]) -> String {
        ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
    fn is_repository(&self, repository: &Choice) -> bool {
        self.form.search.repository.is_some_and(|id| id.to_string() == repository.key)
    }
}

/// How many of these procedures fall under each tactic: those of the matrix first, then any other.
pub fn coverage<'a>(tactics: impl Iterator<Item = &'a str>, chosen: &[Hit]) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = tactics.map(|name| (name.to_owned(), 0)).collect();
    for name in chosen.iter().flat_map(|hit| &hit.tactics) {
        match counts.iter_mut().find(|(known, _)| known == name) {
            Some((_, number)) => *number += 1,
            None => counts.push((name.clone(), 1)),
        }
    }
    counts
}

#[derive(Template)]
#[template(path = "test_plans/delete.html")]
pub struct DeletePlan {
    pub frame: Frame,
    pub plan: Plan,
    /// How many procedures it names.
    pub procedures: usize,
}
