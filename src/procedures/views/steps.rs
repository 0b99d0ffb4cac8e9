//! The block of steps: commands with their inputs filled in, ticks, and the inputs themselves.

use askama::Template;
use askama::filters::HtmlSafe;

use super::parts::Parts;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::show;
use crate::kernel::web::filters;
use crate::library::domain::{Piece as Visible, Step, StepKind, visible};
use crate::library::placeholders::{Piece, exact_text, is_name};
use crate::procedures::domain::{ProcedureStatus, planning_allowed};
use crate::procedures::inputs::{Inputs, Source, Values};

/// A text of prose with the values of its placeholders in it.
#[derive(Template)]
#[template(path = "procedures/_filled.html")]
struct Filled {
    /// Safe HTML between the placeholders.
    pieces: Vec<Piece>,
}

/// A command, or a text that is to be typed somewhere, as the page shows and copies it.
#[derive(Debug, Clone)]
pub struct CommandView {
    pub pieces: Vec<CommandPiece>,
    /// The exact text, where characters had to be made visible.
    pub exact: Option<String>,
}

impl CommandView {
    fn new(text: &str, inputs: &Inputs<'_>) -> Self {
        let filled = inputs.fill(text);
        let pieces = shown_pieces(&filled, inputs);
        let hides = text.contains('\r') || pieces.iter().any(|piece| piece.kind == "hidden");
        Self { exact: hides.then(|| exact_text(&filled)), pieces }
    }
}

/// More lines than this fold.
const FOLD_LINES: usize = 12;

/// A piece of a command.
#[derive(Debug, Clone)]
pub struct CommandPiece {
    /// `text`, `filled`, `missing` or `hidden`.
    pub kind: &'static str,
    pub text: String,
    /// Where a value comes from.
    pub title: String,
}

#[derive(Debug, Clone)]
pub struct StepView {
    pub id: String,
    /// Heading, where a kind begins.
    pub heading: Option<&'static str>,
    pub description: String,
    pub success: Option<String>,
    pub executor: String,
    /// None where the step is a text alone.
    pub command: Option<CommandView>,
    /// What a step without a command says, filled in, for copying.
    pub instruction: Option<String>,
    /// How many lines it has.
    pub lines: usize,
    /// Its first lines, where it folds.
    pub preview: Option<String>,
    /// A command that checks the prerequisite.
    pub check: Option<CommandView>,
    /// Who ticked it, when.
    pub done: Option<String>,
    /// Whether the person ticks it.
    pub ticks: bool,
}

impl StepView {
    /// What its box does.
    fn act(&self) -> &'static str {
        if self.done.is_some() { "untick" } else { "tick" }
    }
}

/// An input of the procedure.
#[derive(Debug, Clone)]
pub struct InputView {
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The procedure's own value, or the one typed.
    pub value: String,
    /// The procedure's own value as saved.
    pub had: String,
    /// What is wrong with the one typed.
    pub error: Option<String>,
    /// What counts when that is empty.
    pub fallback: String,
    /// Whether nothing fills it.
    pub unfilled: bool,
}

/// The block of steps.
#[derive(Template)]
#[template(path = "procedures/_steps.html")]
pub struct Steps {
    /// Address of the procedure.
    pub url: String,
    /// The steps, prerequisites first.
    pub steps: Vec<StepView>,
    /// How many are ticked.
    pub done: usize,
    pub digest: String,
    /// Whether the block is open at first: not for who only writes what came of it.
    pub open: bool,
    /// Whether everything is prepared, and it has not begun.
    pub ready: bool,
    /// Whether the boxes save the form along with the tick; before the start, and for who does not write red,
    /// each posts by itself.
    pub saves: bool,
    /// Whether the person ticks any.
    pub ticks: bool,
    pub inputs: Vec<InputView>,
    /// How many of them nothing fills.
    pub unfilled: usize,
    /// Whether the person sets inputs.
    pub sets_inputs: bool,
    /// Why none of the typed inputs is saved.
    pub problem: Option<String>,
}

impl HtmlSafe for Steps {}

impl Steps {
    fn wrong(&self) -> bool {
        self.problem.is_some() || self.inputs.iter().any(|input| input.error.is_some())
    }
}

/// Inputs that were not saved.
#[derive(Debug, Clone, Default)]
pub struct RefusedInputs {
    /// As typed, by name.
    pub typed: Values,
    /// What is wrong, by name.
    pub errors: FieldErrors,
    /// What is wrong with all of them.
    pub problem: Option<String>,
}

impl Parts<'_> {
    /// The block of steps, with inputs as typed after a refused save.
    pub fn steps(&self, refused: Option<&RefusedInputs>) -> Steps {
        let body = &self.shown.body;
        let defaults = self.defaults();
        let inputs = self.inputs(&defaults);
        let mut ordered: Vec<&Step> = body.steps.iter().collect();
        ordered.sort_by_key(|s| match s.kind {
            StepKind::Prerequisite => 0,
            StepKind::Step => 1,
            StepKind::Cleanup => 2,
        });
        let mut before = None;
        let steps: Vec<StepView> = ordered
            .iter()
            .map(|step| {
                let heading = (before != Some(step.kind)).then_some(match step.kind {
                    StepKind::Prerequisite => "Prerequisites",
                    StepKind::Step => "Steps",
                    StepKind::Cleanup => "Cleanup",
                });
                before = Some(step.kind);
                self.step(step, heading, &inputs)
            })
            .collect();
        let views: Vec<InputView> = self.input_views(&inputs, refused);
        let executors: std::collections::BTreeSet<&str> =
            body.steps.iter().filter_map(|s| s.executor.as_deref()).map(executor_word).collect();
        let mut digest: Vec<String> =
            vec![body.platforms.iter().map(|p| platform_word(p)).collect::<Vec<_>>().join(", ")];
        digest.push(executors.into_iter().collect::<Vec<_>>().join(", "));
        if body.steps.iter().any(|s| s.elevated) {
            digest.push("elevated".into());
        }
        Steps {
            url: self.url(),
            done: steps.iter().filter(|s| s.done.is_some()).count(),
            steps,
            digest: digest.into_iter().filter(|d| !d.is_empty()).collect::<Vec<_>>().join(" · "),
            open: !self.is_blue_only(),
            ready: self.is_ready(&inputs),
            saves: self.sides.red,
            ticks: self.sides.red || self.prepares,
            unfilled: views.iter().filter(|i| i.unfilled).count(),
            inputs: views,
            sets_inputs: self.sides.red,
            problem: refused.and_then(|r| r.problem.clone()),
        }
    }

    fn defaults(&self) -> Values {
        let inputs = self.shown.body.inputs.iter();
        inputs.filter_map(|input| Some((input.name.clone(), input.default.clone()?))).collect()
    }

    fn inputs<'i>(&'i self, defaults: &'i Values) -> Inputs<'i> {
        Inputs { procedure: &self.inputs.procedure, engagement: &self.inputs.engagement, defaults }
    }

    /// The procedure's own description as safe HTML, filled in as its steps are.
    pub fn description(&self) -> String {
        prose(&self.shown.body.description, &self.inputs(&self.defaults()))
    }

    /// Whether it can begin: there was something to prepare, every prerequisite is ticked, and every input
    /// that no default fills has a value. What has begun is not marked any more.
    fn is_ready(&self, inputs: &Inputs<'_>) -> bool {
        let (e, fields) = (&self.shown.engagement, &self.shown.procedure.fields);
        let status = e.status.as_of(e.starts_at, self.now);
        let begun = fields.status != ProcedureStatus::NotStarted || fields.executed_at.is_some();
        if begun || planning_allowed(status, e.submitted_at.is_some()).is_err() {
            return false;
        }
        let mut wanted = self.shown.body.steps.iter().filter(|step| step.kind == StepKind::Prerequisite);
        let mut open = self.shown.body.placeholders();
        open.retain(|name| is_name(name) && !inputs.defaults.contains_key(name));
        let something = wanted.clone().next().is_some() || !open.is_empty();
        something
            && wanted.all(|step| self.ticks.iter().any(|tick| tick.step == step.id))
            && open.iter().all(|name| inputs.resolve(name).is_some())
    }

    fn input_views(&self, inputs: &Inputs<'_>, refused: Option<&RefusedInputs>) -> Vec<InputView> {
        let body = &self.shown.body;
        let used = body.placeholders();
        used.iter()
            .map(|name| {
                let declared = body.inputs.iter().find(|i| &i.name == name);
                let without = Inputs { procedure: &Values::new(), ..*inputs }.resolve(name);
                let fallback = match &without {
                    Some(r) => match r.source {
                        Source::Engagement => format!("{} (engagement)", r.value),
                        _ => format!("{} (default)", r.value),
                    },
                    None => String::new(),
                };
                let had = self.inputs.procedure.get(name).cloned().unwrap_or_default();
                InputView {
                    name: name.clone(),
                    description: declared.map(|d| d.description.clone()).unwrap_or_default(),
                    value: refused.and_then(|r| r.typed.get(name)).unwrap_or(&had).clone(),
                    error: refused.and_then(|r| r.errors.get(name)).map(str::to_owned),
                    had,
                    unfilled: inputs.resolve(name).is_none(),
                    fallback,
                }
            })
            .collect()
    }

    fn step(&self, step: &Step, heading: Option<&'static str>, inputs: &Inputs<'_>) -> StepView {
        let zone = self.zone();
        let present = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let command = present(&step.command);
        let exact = exact_text(&inputs.fill(command.as_deref().unwrap_or_default()));
        let lines = exact.trim_end().lines().count();
        let folds = lines > FOLD_LINES;
        let executor = step.executor.as_deref().map(executor_word).unwrap_or_default();
        StepView {
            id: step.id.clone(),
            heading,
            description: prose(&step.description, inputs),
            success: present(&step.success_criteria).map(|text| exact_text(&inputs.fill(&text))),
            executor: if step.elevated && step.command.is_some() {
                format!("{executor}, elevated")
            } else {
                executor.to_owned()
            },
            preview: folds.then(|| exact.lines().take(5).collect::<Vec<_>>().join("\n")),
            lines,
            instruction: command.is_none().then(|| exact_text(&inputs.fill(&step.description))),
            command: command.map(|text| CommandView::new(&text, inputs)),
            check: present(&step.check_command).map(|text| CommandView::new(&text, inputs)),
            ticks: self.sides.red || self.prepares && step.kind == StepKind::Prerequisite,
            done: self
                .ticks
                .iter()
                .find(|t| t.step == step.id)
                .map(|t| format!("Done {} by {}", show::time(t.at, zone), t.by)),
        }
    }
}

/// Prose as safe HTML with its placeholders filled in. What stands in their place is no Markdown.
fn prose(text: &str, inputs: &Inputs<'_>) -> String {
    let html = crate::kernel::web::markdown::render(text);
    if !html.contains("#{") {
        return html;
    }
    // A template without conditions does not fail.
    Filled { pieces: inputs.fill(&html) }.render().unwrap_or(html)
}

fn shown_pieces(pieces: &[Piece], inputs: &Inputs<'_>) -> Vec<CommandPiece> {
    let mut shown = Vec::new();
    let mut add = |kind: &'static str, text: &str, title: &str| {
        for part in visible(text) {
            shown.push(match part {
                Visible::Text(text) => CommandPiece { kind, text: text.to_owned(), title: title.to_owned() },
                Visible::Hidden(name) => CommandPiece {
                    kind: "hidden",
                    text: name,
                    title: "A character that is not shown by itself".into(),
                },
            });
        }
    };
    for piece in pieces {
        match piece {
            Piece::Text(text) => add("text", text, ""),
            Piece::Filled { name, value } => {
                let source = match inputs.resolve(name).map(|r| r.source) {
                    Some(Source::Procedure) => "this procedure's value",
                    Some(Source::Engagement) => "the engagement's value",
                    _ => "default",
                };
                add("filled", value, &format!("{name}: {source}"));
            }
            Piece::Missing { name } => add("missing", &format!("#{{{name}}}"), "Not filled in"),
        }
    }
    shown
}

/// The word for an executor.
pub fn executor_word(executor: &str) -> &str {
    match executor {
        "powershell" => "PowerShell",
        "command_prompt" => "Command Prompt",
        "manual" => "By hand",
        other => other,
    }
}

/// The word for a platform.
pub fn platform_word(platform: &str) -> String {
    match platform {
        "windows" => "Windows".into(),
        "linux" => "Linux".into(),
        "macos" => "macOS".into(),
        other => other.to_owned(),
    }
}
