//! The editor of a library procedure.

use askama::Template;

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::RepositoryId;
use crate::kernel::merge::form::ConflictView;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::library::domain::StepKind;
use crate::library::store::attack::{NamedTechnique, TechniqueRow};
use crate::library::views::words;
use crate::library::writing::form::{
    Command, EXECUTORS, INPUT_KINDS, InputForm, PLATFORMS, ProcedureForm, StepForm,
};

/// What stands around the form.
pub struct Around {
    /// Where it is posted.
    pub action: String,
    pub back: String,
    /// Repositories for a new one.
    pub targets: Vec<(RepositoryId, String)>,
    /// ATT&CK groups: id and name.
    pub groups: Vec<(String, String)>,
}

/// A step in the form.
pub struct StepLine {
    /// Where it stands, from 1.
    pub number: usize,
    pub form: StepForm,
    /// As it is stored; empty for a new one.
    pub begun: StepForm,
    pub is_first: bool,
    pub is_last: bool,
    /// Which of its controls has the focus.
    pub focus: Focus,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Nothing,
    Text,
    Up,
    Down,
}

impl StepLine {
    fn has_focus(&self, on: Focus) -> bool {
        self.focus == on
    }
    /// Whether what is folded holds something.
    fn is_open(&self) -> bool {
        let StepForm { success_criteria, check_command, platform, .. } = &self.form;
        ![success_criteria, check_command, platform].iter().all(|text| text.is_empty())
    }
    /// The first line, for whoever reads the list by ear.
    fn label(&self) -> String {
        let text = if self.form.description.is_empty() { &self.form.command } else { &self.form.description };
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() { format!("step {}", self.number) } else { line.chars().take(60).collect() }
    }
}

/// The steps of a form, and where the focus goes after a button.
pub fn step_views(form: &ProcedureForm, begun: &ProcedureForm, command: Option<&Command>) -> Vec<StepLine> {
    let last = form.steps.len();
    // A new step is the one that is not stored and was not there before: the newest id is not known here, so
    // an empty one is it.
    let added = |step: &StepForm| match command {
        Some(Command::AddStep(kind)) => {
            step.kind == *kind && step.description.is_empty() && step.command.is_empty()
        }
        _ => false,
    };
    let focus = |step: &StepForm| match command {
        Some(Command::Up(id)) if *id == step.id => Focus::Up,
        Some(Command::Down(id)) if *id == step.id => Focus::Down,
        _ if added(step) => Focus::Text,
        _ => Focus::Nothing,
    };
    (1..)
        .zip(&form.steps)
        .map(|(number, step)| StepLine {
            number,
            focus: focus(step),
            begun: begun.step(&step.id).cloned().unwrap_or_default(),
            form: step.clone(),
            is_first: number == 1,
            is_last: number == last,
        })
        .collect()
}

#[derive(Template)]
#[template(
    path = "library/edit.html",
    blocks = ["work", "placeholders", "techniques", "references", "previews"]
)]
pub struct ProcedureEditor {
    pub frame: Frame,
    pub around: Around,
    pub is_new: bool,
    pub form: ProcedureForm,
    /// What is stored; empty for a new one.
    pub begun: ProcedureForm,
    pub steps: Vec<StepLine>,
    pub preview: bool,
    /// Techniques that the search in the form finds and that are not taken yet.
    pub found: Vec<TechniqueRow>,
    /// Those that are, with their names.
    pub named: Vec<NamedTechnique>,
    pub errors: FieldErrors,
    pub conflicts: Vec<ConflictView>,
    /// What the person should know of a save that kept more than they meant.
    pub notes: Vec<String>,
    pub problem: Option<String>,
}

impl ProcedureEditor {
    fn kinds(&self) -> &'static [StepKind] {
        &StepKind::ALL
    }
    fn platforms(&self) -> Vec<(&'static str, String, bool)> {
        let one =
            |key: &&'static str| (*key, words::platform(key), self.form.platforms.iter().any(|p| p == key));
        PLATFORMS.iter().map(one).collect()
    }
    fn executors(&self) -> [&'static str; 5] {
        EXECUTORS
    }
    /// The types that an input may have, and the one that it came with.
    fn input_kinds(input: &InputForm) -> Vec<&str> {
        let mut kinds = INPUT_KINDS.to_vec();
        if !input.kind.is_empty() && !kinds.contains(&input.kind.as_str()) {
            kinds.push(&input.kind);
        }
        kinds
    }
    fn error(&self, field: &str) -> Option<&str> {
        self.errors.get(field)
    }
    fn step_error(&self, step: &StepLine, field: &str) -> Option<&str> {
        self.errors.get(&format!("step.{}.{field}", step.form.id))
    }
    fn input_error(&self, input: &InputForm) -> Option<&str> {
        let of = |field: &str| self.errors.get(&format!("input.{}.{field}", input.name));
        of("default").or_else(|| of("description"))
    }
    fn begun_input(&self, name: &str) -> InputForm {
        self.begun.input(name).cloned().unwrap_or_default()
    }
    fn is_target(&self, id: &RepositoryId) -> bool {
        self.form.repository == Some(*id)
    }
    /// What the order of the steps began with: of a new procedure its one empty step.
    fn begun_order(&self) -> String {
        if self.is_new && self.steps.len() == 1 { self.form.order() } else { self.begun.order() }
    }
    /// The texts as they will read: labels and safe HTML.
    fn previews(&self) -> Vec<(String, String)> {
        let mut texts = vec![("Description".to_owned(), self.form.description.as_str())];
        let steps =
            self.steps.iter().map(|step| (format!("Step {}", step.number), step.form.description.as_str()));
        texts.extend(steps);
        texts.push(("Recommendation".to_owned(), self.form.recommendation.as_str()));
        texts
            .into_iter()
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(label, text)| (label, markdown::render(text)))
            .collect()
    }
}
