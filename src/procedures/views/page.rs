//! The procedure page: its bar, its form, its steps and what stands beside them.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::authz::permit::Viewer;
use crate::error::FieldErrors;
use crate::ids::{EngagementId, ProcedureId};
use crate::library::domain::{Piece as Visible, Step, StepKind, visible};
use crate::procedures::domain::{BlueFlags, Field, ProcedureStatus, Severity, Sides, Team, WaitingOn, times_to, waiting_on, warnings};
use crate::procedures::inputs::{Inputs, Piece, Source, Values, exact_text};
use crate::procedures::merge::Conflict;
use crate::procedures::store::page::{Draft, InputValues, Operator, OutcomeRow, Shown, Sibling, Technique, Tick, effective};
use crate::procedures::times;
use crate::web::Frame;
use crate::web::frame::initials;

/// More lines than this fold.
const FOLD_LINES: usize = 12;

/// What stands in the form instead of the saved values: after a 422, a conflict, or a restored draft.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// Form field name → value.
    pub values: BTreeMap<String, String>,
    /// Form field name → the version that its shown value came from.
    pub bases: BTreeMap<String, i32>,
}

/// Everything the page is made of.
pub struct Parts<'a> {
    /// The row and what surrounds it.
    pub shown: &'a Shown,
    /// Both outcome lists.
    pub outcomes: &'a [OutcomeRow],
    /// Every procedure of the engagement.
    pub siblings: &'a [Sibling],
    /// Operators of engagement and procedure.
    pub operators: &'a [Operator],
    /// Ticked steps.
    pub ticks: &'a [Tick],
    /// Input values.
    pub inputs: &'a InputValues,
    /// Techniques, as the pinned release names them.
    pub techniques: &'a [Technique],
    /// The person's draft.
    pub draft: Option<&'a Draft>,
    /// What the person may write now.
    pub sides: Sides,
    /// Whether the person may change the operators.
    pub plans: bool,
    /// Why nothing can be written, where that is so.
    pub closed: Option<String>,
    /// The time.
    pub now: DateTime<Utc>,
    /// Who looks.
    pub viewer: &'a Viewer,
}

/// One choice of a select.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is posted.
    pub value: String,
    /// What people see.
    pub label: String,
    /// Its one-line definition.
    pub title: String,
    /// Whether it is chosen.
    pub selected: bool,
}

/// Which control a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// A select.
    Select,
    /// A line.
    Line,
    /// Several lines.
    Text,
    /// A point in time.
    Time,
}

/// A conflict, as it is shown.
#[derive(Debug, Clone)]
pub struct ConflictView {
    /// Who saved the other value.
    pub by: String,
    /// First name, for the button.
    pub by_short: String,
    /// When.
    pub at: String,
    /// The other value, as people read it.
    pub theirs: String,
    /// One's own.
    pub mine: String,
    /// The version that resolving starts from.
    pub version: i32,
}

/// A field of the form.
#[derive(Debug, Clone)]
pub struct FieldView {
    /// Its name.
    pub name: &'static str,
    /// Its label.
    pub label: String,
    /// Its control.
    pub control: Control,
    /// The value in the control.
    pub value: String,
    /// The value as people read it, where it cannot be written.
    pub words: String,
    /// The saved value, where the control shows another.
    pub initial: Option<String>,
    /// The version that the shown value came from, where it is not the form's.
    pub base: Option<i32>,
    /// Choices of a select.
    pub choices: Vec<Choice>,
    /// Whether the person may write it.
    pub writable: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What does not fit.
    pub warning: Option<&'static str>,
    /// The other value.
    pub conflict: Option<ConflictView>,
    /// Name of a list of suggestions.
    pub list: Option<&'static str>,
    /// Limit, for the browser.
    pub max: usize,
}

/// A piece of a command.
#[derive(Debug, Clone)]
pub struct CommandPiece {
    /// `text`, `filled`, `missing` or `hidden`.
    pub kind: &'static str,
    /// What is shown.
    pub text: String,
    /// Where a value comes from.
    pub title: String,
}

/// A step.
#[derive(Debug, Clone)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// Heading, where a kind begins.
    pub heading: Option<&'static str>,
    /// Description, as HTML.
    pub description: String,
    /// Success criteria.
    pub success: Option<String>,
    /// Executor and elevation.
    pub executor: String,
    /// The command in pieces.
    pub command: Vec<CommandPiece>,
    /// The exact text, where characters had to be made visible.
    pub exact: Option<String>,
    /// How many lines it has.
    pub lines: usize,
    /// Its first lines, where it folds.
    pub preview: Option<String>,
    /// A command that checks the prerequisite.
    pub check: Option<String>,
    /// Who ticked it, when.
    pub done: Option<String>,
}

/// An input of the procedure.
#[derive(Debug, Clone)]
pub struct InputView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The procedure's own value.
    pub value: String,
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
    /// Platforms, executors.
    pub digest: String,
    /// Whether the person ticks.
    pub ticks: bool,
    /// The inputs.
    pub inputs: Vec<InputView>,
    /// How many of them nothing fills.
    pub unfilled: usize,
    /// Whether the person sets inputs.
    pub sets_inputs: bool,
}

/// An entry of the jump list.
#[derive(Debug, Clone)]
pub struct Jump {
    /// Where it leads.
    pub href: String,
    /// Its place.
    pub position: i32,
    /// Its name.
    pub name: String,
    /// CSS class of the state.
    pub class: &'static str,
    /// The status.
    pub status: &'static str,
    /// Whether it is this one.
    pub current: bool,
}

/// The bar at the top.
#[derive(Template)]
#[template(path = "procedures/_bar.html")]
pub struct Bar {
    /// Address of the engagement.
    pub engagement: String,
    /// Its title.
    pub engagement_title: String,
    /// The procedure's name.
    pub name: String,
    /// "4 of 13"
    pub place: String,
    /// The previous procedure.
    pub previous: Option<String>,
    /// The next procedure.
    pub next: Option<String>,
    /// Every procedure.
    pub jumps: Vec<Jump>,
    /// Whether there is anything to save.
    pub writable: bool,
    /// What was just done.
    pub saved: Option<String>,
}

/// A person on a side.
#[derive(Debug, Clone)]
pub struct Face {
    /// Name.
    pub name: String,
    /// Two letters.
    pub initials: String,
}

/// The one form.
#[derive(Template)]
#[template(path = "procedures/_form.html")]
pub struct SaveForm {
    /// Where it posts to.
    pub url: String,
    /// The engagement's zone.
    pub zone: String,
    /// The version that the shown values came from.
    pub version: i32,
    /// Why it cannot be saved now.
    pub problem: Option<String>,
    /// How many fields conflict.
    pub conflicts: usize,
    /// Fields of the strip.
    pub strip: Vec<FieldView>,
    /// Why it is not applicable.
    pub reason: FieldView,
    /// Red's fields.
    pub red: Vec<FieldView>,
    /// Blue's fields.
    pub blue: Vec<FieldView>,
    /// Red's people.
    pub red_people: Vec<Face>,
    /// Blue's people.
    pub blue_people: Vec<Face>,
    /// Whether Start is offered.
    pub starts: bool,
    /// "Time to detect 58 s"
    pub figures: Option<String>,
    /// Suggestions for detected by.
    pub detectors: Vec<String>,
    /// Whether there is anything to save.
    pub writable: bool,
    /// The steps.
    pub steps: Steps,
    /// Description, as HTML.
    pub description: String,
}

/// What stands beside the form.
#[derive(Template)]
#[template(path = "procedures/_aside.html")]
pub struct Aside {
    /// Techniques: id, name, tactics.
    pub techniques: Vec<(String, String, String)>,
    /// Release of ATT&CK.
    pub attack_version: String,
    /// Red's names.
    pub red: String,
    /// Blue's names.
    pub blue: String,
    /// Whether a team's operators are the procedure's own.
    pub own: bool,
    /// Address of Manage operators.
    pub manage: Option<String>,
    /// Who saved last, and when.
    pub last: String,
}

/// `/engagements/{id}/procedures/{pid}`
#[derive(Template)]
#[template(path = "procedures/show.html")]
pub struct Show {
    /// The frame.
    pub frame: Frame,
    /// The bar.
    pub bar: Bar,
    /// The form.
    pub form: SaveForm,
    /// What stands beside it.
    pub aside: Aside,
    /// The logs, as HTML.
    pub logs: String,
    /// The attachments, as HTML.
    pub attachments: String,
    /// The assets, as HTML.
    pub assets: String,
    /// Why nothing can be written.
    pub closed: Option<String>,
    /// When a draft was kept, where one differs from what is saved.
    pub draft: Option<String>,
    /// Address of live updates.
    pub events: String,
}

/// Address of a procedure's page.
pub fn url(engagement: EngagementId, procedure: ProcedureId) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}")
}

/// CSS class of a procedure status.
pub fn state_class(status: ProcedureStatus) -> &'static str {
    match status {
        ProcedureStatus::NotStarted => "",
        ProcedureStatus::InProgress => "doing",
        ProcedureStatus::Completed => "done",
        ProcedureStatus::NotApplicable => "na",
    }
}

impl Parts<'_> {
    fn zone(&self) -> Tz {
        self.shown.engagement.time_zone.parse().unwrap_or(chrono_tz::UTC)
    }

    fn url(&self) -> String {
        url(self.shown.engagement.id, self.shown.procedure.id)
    }

    /// Where Save and next leads: the next procedure, or after the last one the engagement.
    pub fn next_url(&self) -> String {
        let at = self.siblings.iter().position(|s| s.id == self.shown.procedure.id).map_or(0, |at| at + 1);
        match self.siblings.get(at) {
            Some(next) => url(self.shown.engagement.id, next.id),
            None => format!("/engagements/{}", self.shown.engagement.id),
        }
    }

    /// The bar.
    pub fn bar(&self, saved: Option<String>) -> Bar {
        let at = self.siblings.iter().position(|s| s.id == self.shown.procedure.id).unwrap_or(0);
        let link = |sibling: Option<&Sibling>| sibling.map(|s| url(self.shown.engagement.id, s.id));
        Bar {
            engagement: format!("/engagements/{}", self.shown.engagement.id),
            engagement_title: self.shown.engagement.title.clone(),
            name: self.shown.procedure.name.clone(),
            place: format!("{} of {}", at + 1, self.siblings.len()),
            previous: link(at.checked_sub(1).and_then(|before| self.siblings.get(before))),
            next: link(self.siblings.get(at + 1)),
            jumps: self
                .siblings
                .iter()
                .map(|s| Jump {
                    // Relative to this page: two hundred full addresses would be a fifth of it.
                    href: s.id.to_string(),
                    position: s.position,
                    name: s.name.clone(),
                    class: state_class(s.status),
                    status: s.status.label(),
                    current: s.id == self.shown.procedure.id,
                })
                .collect(),
            writable: self.sides.any(),
            saved,
        }
    }

    /// The form, with what was typed over what is saved.
    pub fn form(&self, overlay: &Overlay, errors: &FieldErrors, conflicts: &[Conflict], problem: Option<String>) -> SaveForm {
        let row = &self.shown.procedure.fields;
        let view = |field: Field| self.field(field, overlay, errors, conflicts);
        let faces =
            |team| effective(self.operators, team).iter().map(|o| Face { name: o.name.clone(), initials: initials(&o.name) }).collect();
        let (detect, respond) = times_to(row.executed_at, row.detected_at, row.responded_at);
        let figure = |word: &str, time: Option<_>| time.map(|t| format!("{word} {}", times::duration_words(t)));
        let figures: Vec<String> = [figure("Time to detect", detect), figure("time to respond", respond)].into_iter().flatten().collect();
        SaveForm {
            url: self.url(),
            zone: self.shown.engagement.time_zone.clone(),
            version: self.shown.procedure.version,
            problem,
            conflicts: conflicts.len(),
            strip: [Field::Status, Field::Severity, Field::WaitingOn, Field::Recommendation].map(view).into(),
            reason: view(Field::NotApplicableReason),
            red: [Field::RedOutcome, Field::ExecutedAt, Field::AttackSource, Field::RedNotes].map(view).into(),
            blue: [Field::BlueOutcome, Field::DetectedAt, Field::RespondedAt, Field::DetectedBy, Field::AlertReference, Field::BlueNotes]
                .map(view)
                .into(),
            red_people: faces(Team::Red),
            blue_people: faces(Team::Blue),
            starts: self.sides.red && row.status == ProcedureStatus::NotStarted,
            figures: (!figures.is_empty()).then(|| figures.join(" · ")),
            detectors: self.shown.detectors.clone(),
            writable: self.sides.any(),
            steps: self.steps(),
            description: crate::web::markdown::render(&self.shown.body.description),
        }
    }

    fn field(&self, field: Field, overlay: &Overlay, errors: &FieldErrors, conflicts: &[Conflict]) -> FieldView {
        let (name, zone) = (field.name(), self.zone());
        let saved = self.shown.procedure.fields.value(field, zone);
        let value = overlay.values.get(name).cloned().unwrap_or_else(|| saved.clone());
        let differs = value != saved;
        let choices = self.choices(field, &value);
        let conflict = conflicts.iter().find(|c| c.field == name).map(|c| self.conflict(field, c));
        let words = choices.iter().find(|c| c.selected).map_or_else(|| self.words(field, &value), |c| c.label.clone());
        let control = match field {
            Field::RedNotes | Field::BlueNotes | Field::Recommendation => Control::Text,
            f if f.is_choice() => Control::Select,
            f if f.is_time() => Control::Time,
            _ => Control::Line,
        };
        let label = match field {
            Field::RedOutcome | Field::BlueOutcome => "Outcome".into(),
            Field::RedNotes | Field::BlueNotes => "Notes".into(),
            Field::Severity => "Finding severity".into(),
            f if f.is_time() => format!("{} ({zone})", f.label()),
            f => f.label().to_owned(),
        };
        FieldView {
            name,
            label,
            control,
            words,
            initial: differs.then_some(saved),
            base: overlay.bases.get(name).copied().filter(|_| differs || conflict.is_some()),
            choices,
            writable: self.sides.may_write(field),
            error: errors.get(name).map(str::to_owned),
            warning: self.warning(field),
            conflict,
            list: (field == Field::DetectedBy).then_some("detectors"),
            max: field.max_bytes(),
            value,
        }
    }

    fn words(&self, field: Field, value: &str) -> String {
        if field.is_time() && !value.is_empty() {
            return times::parse(value, self.zone()).map(|at| times::display_seconds(at, self.zone())).unwrap_or_else(|_| value.to_owned());
        }
        value.to_owned()
    }

    fn choices(&self, field: Field, value: &str) -> Vec<Choice> {
        let choice = |key: &str, label: &str, title: &str| Choice {
            value: key.to_owned(),
            label: label.to_owned(),
            title: title.to_owned(),
            selected: key == value,
        };
        let row = &self.shown.procedure.fields;
        match field {
            Field::Status => ProcedureStatus::ALL.iter().map(|s| choice(s.as_str(), s.label(), "")).collect(),
            Field::Severity => std::iter::once(choice("", "No finding", ""))
                .chain(Severity::ALL.iter().rev().map(|s| choice(s.as_str(), s.label(), "")))
                .collect(),
            Field::WaitingOn => {
                let derived = waiting_on(row.status, row.red_outcome.is_some(), row.blue_outcome.is_some(), None);
                std::iter::once(choice("", &format!("From outcomes: {}", derived.label()), ""))
                    .chain(WaitingOn::ALL.iter().map(|w| choice(w.as_str(), w.label(), "")))
                    .collect()
            }
            Field::RedOutcome | Field::BlueOutcome => {
                let team = if field == Field::RedOutcome { Team::Red } else { Team::Blue };
                let held = self.shown.procedure.fields.value(field, self.zone());
                std::iter::once(choice("", "Unanswered", ""))
                    .chain(
                        self.outcomes
                            .iter()
                            .filter(|o| o.team == team && (o.retired_at.is_none() || o.key == held))
                            .map(|o| choice(&o.key, &o.label, &o.definition)),
                    )
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn conflict(&self, field: Field, conflict: &Conflict) -> ConflictView {
        let read = |value: &str| {
            let chosen = self.choices(field, value).into_iter().find(|c| c.selected).map(|c| c.label);
            let words = chosen.unwrap_or_else(|| self.words(field, value));
            if words.is_empty() { "(empty)".to_owned() } else { words }
        };
        let by = conflict.theirs_by.clone().unwrap_or_else(|| "Somebody".into());
        ConflictView {
            by_short: by.split_whitespace().next().unwrap_or(&by).to_owned(),
            at: conflict.theirs_at.map(|at| times::display(at, self.zone())).unwrap_or_default(),
            theirs: read(&conflict.theirs),
            mine: read(&conflict.mine),
            version: conflict.theirs_version,
            by,
        }
    }

    fn warning(&self, field: Field) -> Option<&'static str> {
        let row = &self.shown.procedure.fields;
        let outcome = |key: &Option<String>| key.as_ref().and_then(|k| self.outcomes.iter().find(|o| &o.key == k));
        let blue = outcome(&row.blue_outcome).map(|o| BlueFlags { prevented: o.prevented, alerted: o.alerted, logged: o.logged });
        let red_succeeded = outcome(&row.red_outcome).is_some_and(|o| o.succeeded && o.key == "success");
        warnings(row.executed_at, row.detected_at, row.responded_at, red_succeeded, blue)
            .into_iter()
            .find(|w| w.field() == field)
            .map(|w| w.sentence())
    }

    /// The block of steps.
    pub fn steps(&self) -> Steps {
        let body = &self.shown.body;
        let defaults: Values = body.inputs.iter().filter_map(|i| Some((i.name.clone(), i.default.clone()?))).collect();
        let inputs = Inputs { procedure: &self.inputs.procedure, engagement: &self.inputs.engagement, defaults: &defaults };
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
        let views: Vec<InputView> = self.input_views(&inputs);
        let executors: std::collections::BTreeSet<&str> =
            body.steps.iter().filter_map(|s| s.executor.as_deref()).map(executor_word).collect();
        let mut digest: Vec<String> = vec![body.platforms.iter().map(|p| platform_word(p)).collect::<Vec<_>>().join(", ")];
        digest.push(executors.into_iter().collect::<Vec<_>>().join(", "));
        if body.steps.iter().any(|s| s.elevated) {
            digest.push("elevated".into());
        }
        Steps {
            url: self.url(),
            done: steps.iter().filter(|s| s.done.is_some()).count(),
            steps,
            digest: digest.into_iter().filter(|d| !d.is_empty()).collect::<Vec<_>>().join(" · "),
            ticks: self.sides.red,
            unfilled: views.iter().filter(|i| i.unfilled).count(),
            inputs: views,
            sets_inputs: self.sides.any(),
        }
    }

    fn input_views(&self, inputs: &Inputs<'_>) -> Vec<InputView> {
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
                InputView {
                    name: name.clone(),
                    description: declared.map(|d| d.description.clone()).unwrap_or_default(),
                    value: self.inputs.procedure.get(name).cloned().unwrap_or_default(),
                    unfilled: inputs.resolve(name).is_none(),
                    fallback,
                }
            })
            .collect()
    }

    fn step(&self, step: &Step, heading: Option<&'static str>, inputs: &Inputs<'_>) -> StepView {
        let zone = self.zone();
        let pieces = step.command.as_deref().map(|c| inputs.fill(c)).unwrap_or_default();
        let exact = exact_text(&pieces);
        let command = shown_pieces(&pieces, inputs);
        let hides = command.iter().any(|p| p.kind == "hidden");
        let lines = exact.trim_end().lines().count();
        let folds = lines > FOLD_LINES;
        let executor = step.executor.as_deref().map(executor_word).unwrap_or_default();
        StepView {
            id: step.id.clone(),
            heading,
            description: crate::web::markdown::render(&step.description),
            success: step.success_criteria.clone().filter(|s| !s.is_empty()),
            executor: if step.elevated && step.command.is_some() { format!("{executor}, elevated") } else { executor.to_owned() },
            preview: folds.then(|| exact.lines().take(5).collect::<Vec<_>>().join("\n")),
            lines,
            exact: hides.then_some(exact),
            command,
            check: step.check_command.clone().filter(|c| !c.trim().is_empty()),
            done: self.ticks.iter().find(|t| t.step == step.id).map(|t| format!("Done {} by {}", times::display(t.at, zone), t.by)),
        }
    }

    /// What stands beside the form.
    pub fn aside(&self) -> Aside {
        let names = |team| {
            let names: Vec<&str> = effective(self.operators, team).iter().map(|o| o.name.as_str()).collect();
            if names.is_empty() { "Nobody assigned".to_owned() } else { names.join(", ") }
        };
        let updated = times::relative(self.shown.procedure.updated_at, self.now)
            .unwrap_or_else(|| times::display(self.shown.procedure.updated_at, self.viewer.organisation.zone()));
        let known = |id: &String| self.techniques.iter().find(|t| &t.external_id == id);
        Aside {
            techniques: self
                .shown
                .procedure
                .technique_ids
                .iter()
                .map(|id| match known(id) {
                    Some(t) => (id.clone(), t.name.clone(), t.tactics.join(", ")),
                    None => (id.clone(), "not in this release of ATT&CK".into(), String::new()),
                })
                .collect(),
            attack_version: self.shown.engagement.attack_version.clone(),
            red: names(Team::Red),
            blue: names(Team::Blue),
            own: self.operators.iter().any(|o| o.own),
            manage: self.plans.then(|| format!("{}/operators", self.url())),
            last: match &self.shown.updated_by {
                Some(by) if self.shown.procedure.version > 1 => format!("Saved {updated} by {by}"),
                _ => "Nothing saved yet".into(),
            },
        }
    }
}

fn shown_pieces(pieces: &[Piece], inputs: &Inputs<'_>) -> Vec<CommandPiece> {
    let mut shown = Vec::new();
    let mut add = |kind: &'static str, text: &str, title: &str| {
        for part in visible(text) {
            shown.push(match part {
                Visible::Text(text) => CommandPiece { kind, text: text.to_owned(), title: title.to_owned() },
                Visible::Hidden(name) => {
                    CommandPiece { kind: "hidden", text: name, title: "A character that is not shown by itself".into() }
                }
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
