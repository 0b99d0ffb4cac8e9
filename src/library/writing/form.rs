//! The form of a library procedure: what was typed, what each of its buttons does to it, and what is to be
//! stored. Nothing is stored before Save.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::RepositoryId;
use crate::kernel::base::pairs::{Pairs, not_ours};
use crate::kernel::base::text::{LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text, check_visible, parse_tags};
use crate::kernel::merge::Version;
use crate::library::domain::{Expected, Input, ProcedureBody, Reference, Step, StepKind};

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Most steps of one procedure.
const STEPS: usize = 100;
/// Most inputs of one procedure.
const INPUTS: usize = 200;
const TECHNIQUES: usize = 50;
const REFERENCES: usize = 50;
/// Longest id of a technique, a platform or an executor, in bytes.
const WORD_BYTES: usize = 100;

/// What an input may be.
pub const INPUT_KINDS: [&str; 5] = ["string", "path", "url", "integer", "float"];

/// What the form offers to run a command with; whatever a source said stays.
pub const EXECUTORS: [&str; 5] = ["powershell", "command_prompt", "bash", "sh", "manual"];

/// What the form offers as platforms; whatever a source said stays.
pub const PLATFORMS: [&str; 9] =
    ["windows", "linux", "macos", "containers", "esxi", "azure-ad", "office-365", "google-workspace", "saas"];

/// A step as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepForm {
    pub id: String,
    pub kind: StepKind,
    pub description: String,
    pub success_criteria: String,
    pub command: String,
    pub check_command: String,
    pub executor: String,
    pub platform: String,
    pub elevated: bool,
}

/// An input as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputForm {
    pub name: String,
    pub kind: String,
    pub default: String,
    pub description: String,
    /// Whether a text of the procedure uses it.
    pub is_used: bool,
}

/// What the form's button asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Save,
    /// Look again at what is typed: inputs.
    Look,
    Preview,
    AddStep(StepKind),
    CopyStep(String),
    RemoveStep(String),
    Up(String),
    Down(String),
    FindTechnique,
    AddTechnique(String),
    RemoveTechnique(String),
    AddReference,
    RemoveInput(String),
}

/// How a conflict of one part was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    /// The version that the form started from.
    pub version: Version,
    /// Parts that started from another one.
    pub of: BTreeMap<String, Version>,
    /// Parts whose value is left as it is stored.
    pub left: HashSet<String>,
}

impl Bases {
    /// The version that a part's shown value came from.
    pub fn of(&self, part: &str) -> Version {
        self.of.get(part).copied().unwrap_or(self.version)
    }
}

/// What is to be merged into a stored procedure.
#[derive(Debug, Clone)]
pub struct Posted {
    pub body: ProcedureBody,
    pub bases: Bases,
}

impl Posted {
    /// Every version that a part of it came from.
    pub fn versions(&self) -> Vec<Version> {
        let mut versions: Vec<Version> = self.bases.of.values().copied().collect();
        versions.push(self.bases.version);
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcedureForm {
    /// Where a new one is to stand.
    pub repository: Option<RepositoryId>,
    pub bases: Bases,
    pub name: String,
    pub description: String,
    pub techniques: Vec<String>,
    /// What is looked for among the techniques.
    pub technique_q: String,
    /// As they are typed, separated by commas.
    pub tags: String,
    pub platforms: Vec<String>,
    /// Other platforms, separated by commas.
    pub other_platforms: String,
    pub recommendation: String,
    pub prevented: bool,
    pub alerted: bool,
    pub logged: bool,
    pub minutes: String,
    pub sentence: String,
    /// Title and address of each, and an empty pair to go on with.
    pub references: Vec<(String, String)>,
    /// Ids of ATT&CK groups, separated by commas.
    pub emulates: String,
    pub steps: Vec<StepForm>,
    pub inputs: Vec<InputForm>,
}

fn word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Prerequisite => "prerequisite",
        StepKind::Step => "step",
        StepKind::Cleanup => "cleanup",
    }
}

fn kind_of(word: &str) -> Option<StepKind> {
    [StepKind::Prerequisite, StepKind::Step, StepKind::Cleanup]
        .into_iter()
        .find(|kind| self::word(*kind) == word)
}

impl StepKind {
    /// As a form posts it.
    pub fn key(self) -> &'static str {
        word(self)
    }
    pub const ALL: [Self; 3] = [Self::Prerequisite, Self::Step, Self::Cleanup];
}

impl ProcedureForm {
    /// The form of a new procedure: one empty step.
    pub fn new(step: String) -> Self {
        let mut form = Self::default();
        form.add_step(StepKind::Step, step);
        form.references.push(Default::default());
        form
    }

    /// The form of a stored procedure in the version that it shows.
    pub fn of(body: &ProcedureBody, version: Version) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (platforms, other): (Vec<String>, Vec<String>) =
            body.platforms.iter().cloned().partition(|platform| PLATFORMS.contains(&platform.as_str()));
        let mut references: Vec<(String, String)> =
            body.references.iter().map(|one| (one.title.clone(), one.address.clone())).collect();
        references.push(Default::default());
        let mut form = Self {
            repository: None,
            bases: Bases { version, ..Bases::default() },
            name: body.name.clone(),
            description: body.description.clone(),
            techniques: body.technique_ids.clone(),
            technique_q: String::new(),
            tags: body.tags.join(", "),
            platforms,
            other_platforms: other.join(", "),
            recommendation: body.recommendation.clone(),
            prevented: body.expected.prevented,
            alerted: body.expected.alerted,
            logged: body.expected.logged,
            minutes: body.expected.minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            sentence: body.expected.sentence.clone(),
            references,
            emulates: body.emulates.join(", "),
            steps: body
                .steps
                .iter()
                .map(|step| StepForm {
                    id: step.id.clone(),
                    kind: step.kind,
                    description: step.description.clone(),
                    success_criteria: text(&step.success_criteria),
                    command: text(&step.command),
                    check_command: text(&step.check_command),
                    executor: text(&step.executor),
                    platform: text(&step.platform),
                    elevated: step.elevated,
                })
                .collect(),
            inputs: body
                .inputs
                .iter()
                .map(|input| InputForm {
                    name: input.name.clone(),
                    kind: input.kind.clone(),
                    default: input.default.clone().unwrap_or_default(),
                    description: input.description.clone(),
                    is_used: false,
                })
                .collect(),
        };
        form.look();
        form
    }

    /// Reads a posted form and its button.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a field that does not belong to it.
    pub fn read(pairs: &Pairs) -> Result<(Self, Command)> {
        let mut form = Self::default();
        let mut steps: HashMap<&str, StepForm> = HashMap::new();
        let mut inputs: HashMap<&str, InputForm> = HashMap::new();
        let (mut step_order, mut input_order) = (Vec::new(), Vec::new());
        let (mut titles, mut addresses) = (Vec::new(), Vec::new());
        let mut theirs: BTreeMap<&str, Version> = BTreeMap::new();
        let mut command = Command::Look;
        let mut kept = None;
        let number = |value: &str| value.parse::<Version>().map_err(|_| not_ours());
        for (name, value) in pairs.iter() {
            let text = || value.to_owned();
            match name {
                "repository" => form.repository = value.parse().ok(),
                "version" => form.bases.version = number(value)?,
                "name" => form.name = text(),
                "description" => form.description = text(),
                "technique" if form.techniques.iter().all(|one| one != value) => form.techniques.push(text()),
                "technique" => {}
                "technique_q" => form.technique_q = text(),
                "tags" => form.tags = text(),
                "platform" => form.platforms.push(text()),
                "other_platforms" => form.other_platforms = text(),
                "recommendation" => form.recommendation = text(),
                "prevented" => form.prevented = value == "yes",
                "alerted" => form.alerted = value == "yes",
                "logged" => form.logged = value == "yes",
                "minutes" => form.minutes = text(),
                "sentence" => form.sentence = text(),
                "reference_title" => titles.push(text()),
                "reference_address" => addresses.push(text()),
                "emulates" => form.emulates = text(),
                "order" => {}
                "step" => step_order.push(value),
                "input" => input_order.push(value),
                "do" => command = read_command(value).ok_or_else(not_ours)?,
                "keep" => {
                    kept = Some(value);
                    command = Command::Save;
                }
                "take" => {
                    form.bases.left.insert(text());
                    command = Command::Save;
                }
                _ => {
                    if let Some(part) = name.strip_prefix("base.") {
                        form.bases.of.insert(part.to_owned(), number(value)?);
                    } else if let Some(part) = name.strip_prefix("theirs.") {
                        theirs.insert(part, number(value)?);
                    } else if let Some((id, field)) = dotted(name, "step.") {
                        let step = steps.entry(id).or_default();
                        match field {
                            "kind" => step.kind = kind_of(value).ok_or_else(not_ours)?,
                            "description" => step.description = text(),
                            "success_criteria" => step.success_criteria = text(),
                            "command" => step.command = text(),
                            "check_command" => step.check_command = text(),
                            "executor" => step.executor = text(),
                            "platform" => step.platform = text(),
                            "elevated" => step.elevated = value == "yes",
                            _ => return Err(not_ours()),
                        }
                    } else if let Some((name, field)) = dotted(name, "input.") {
                        let input = inputs.entry(name).or_default();
                        match field {
                            "kind" => input.kind = text(),
                            "default" => input.default = text(),
                            "description" => input.description = text(),
                            _ => return Err(not_ours()),
                        }
                    } else {
                        return Err(not_ours());
                    }
                }
            }
        }
        if let Some((part, version)) = kept.and_then(|part| Some((part, *theirs.get(part)?))) {
            form.bases.of.insert(part.to_owned(), version);
        }
        let mut seen = HashSet::new();
        for id in step_order.into_iter().filter(|id| seen.insert(*id)) {
            form.steps.push(StepForm { id: id.to_owned(), ..steps.remove(id).unwrap_or_default() });
        }
        let mut seen = HashSet::new();
        for name in input_order.into_iter().filter(|name| seen.insert(*name)) {
            form.inputs.push(InputForm { name: name.to_owned(), ..inputs.remove(name).unwrap_or_default() });
        }
        addresses.resize(titles.len(), String::new());
        form.references = titles.into_iter().zip(addresses).collect();
        form.look();
        Ok((form, command))
    }

    /// Does what a button asks for; what is stored or searched is the caller's. `fresh` is the id of a step
    /// that the command may add.
    pub fn apply(&mut self, command: &Command, fresh: String) {
        match command {
            Command::Save | Command::Look | Command::Preview | Command::FindTechnique => {}
            Command::AddStep(kind) => self.add_step(*kind, fresh),
            Command::CopyStep(id) => {
                if let Some(at) = self.place(id) {
                    let copy = StepForm { id: fresh, ..self.steps[at].clone() };
                    self.steps.insert(at + 1, copy);
                }
            }
            Command::RemoveStep(id) => self.steps.retain(|step| step.id != *id),
            Command::Up(id) => {
                if let Some(at) = self.place(id).filter(|at| *at > 0) {
                    self.steps.swap(at, at - 1);
                }
            }
            Command::Down(id) => {
                if let Some(at) = self.place(id).filter(|at| at + 1 < self.steps.len()) {
                    self.steps.swap(at, at + 1);
                }
            }
            Command::AddTechnique(id) => {
                if !self.techniques.contains(id) {
                    self.techniques.push(id.clone());
                }
                self.technique_q.clear();
            }
            Command::RemoveTechnique(id) => self.techniques.retain(|one| one != id),
            Command::AddReference => self.references.push(Default::default()),
            Command::RemoveInput(name) => self.inputs.retain(|input| input.name != *name || input.is_used),
        }
        self.look();
    }

    fn add_step(&mut self, kind: StepKind, id: String) {
        let executor = self.steps.iter().rev().map(|step| &step.executor).find(|name| !name.is_empty());
        let executor = executor.cloned().unwrap_or_default();
        let step = StepForm { id, kind, executor, ..StepForm::default() };
        // Prerequisites stand before the steps, cleanup behind them, as they are read.
        let at = self.steps.iter().rposition(|one| rank(one.kind) <= rank(kind)).map_or(0, |at| at + 1);
        self.steps.insert(at, step);
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    /// Finds the inputs that the texts name, and marks those that none names.
    fn look(&mut self) {
        let used = self.texts().placeholders();
        for input in &mut self.inputs {
            input.is_used = used.contains(&input.name);
        }
        for name in used {
            if !self.inputs.iter().any(|input| input.name == name) {
                let kind = "string".to_owned();
                self.inputs.push(InputForm { name, kind, is_used: true, ..InputForm::default() });
            }
        }
    }

    /// What is read for placeholders.
    fn texts(&self) -> ProcedureBody {
        ProcedureBody {
            description: self.description.clone(),
            steps: self.steps.iter().map(StepForm::as_typed).collect(),
            ..ProcedureBody::default()
        }
    }

    /// What is to be stored.
    ///
    /// # Errors
    /// Field by field, a sentence for each fault.
    pub fn check(&self) -> Result<ProcedureBody, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut body = ProcedureBody {
            name: keep(&mut errors, "name", check_name(&self.name)),
            description: keep(&mut errors, "description", long("The description", &self.description)),
            recommendation: keep(
                &mut errors,
                "recommendation",
                long("The recommendation", &self.recommendation),
            ),
            tags: keep(&mut errors, "tags", parse_tags(&self.tags)),
            technique_ids: keep(&mut errors, "technique_q", self.check_techniques()),
            platforms: keep(&mut errors, "other_platforms", self.check_platforms()),
            references: keep(&mut errors, "reference_address", self.check_references()),
            emulates: keep(&mut errors, "emulates", check_groups(&self.emulates)),
            ..ProcedureBody::default()
        };
        body.expected = Expected {
            prevented: self.prevented,
            alerted: self.alerted,
            logged: self.logged,
            minutes: keep(&mut errors, "minutes", check_minutes(&self.minutes)),
            sentence: keep(
                &mut errors,
                "sentence",
                check_text("The sentence", false, &self.sentence, SHORT_TEXT_BYTES, false),
            ),
        };
        if self.steps.is_empty() {
            errors.add("steps", "A procedure needs at least one step. Add one.");
        } else if self.steps.len() > STEPS {
            errors.add("steps", format!("A procedure has at most {STEPS} steps. Make two of it."));
        }
        for step in &self.steps {
            body.steps.push(step.check(&mut errors));
        }
        if self.inputs.len() > INPUTS {
            errors.add("inputs", format!("A procedure has at most {INPUTS} inputs. Use fewer names."));
        }
        for input in &self.inputs {
            body.inputs.push(input.check(&mut errors));
        }
        if errors.is_empty() { Ok(body) } else { Err(errors) }
    }

    fn check_techniques(&self) -> Result<Vec<String>, String> {
        if self.techniques.len() > TECHNIQUES {
            return Err(format!("A procedure names at most {TECHNIQUES} techniques. Take some out."));
        }
        let fits = |id: &&String| (1..=WORD_BYTES).contains(&id.len()) && !id.contains(char::is_control);
        match self.techniques.iter().find(|id| !fits(id)) {
            Some(id) => Err(format!("“{id}” is no id of a technique. Take it out.")),
            None => Ok(self.techniques.clone()),
        }
    }

    fn check_platforms(&self) -> Result<Vec<String>, String> {
        let mut platforms = self.platforms.clone();
        platforms.extend(words("The platforms", &self.other_platforms, false)?);
        let mut seen = HashSet::new();
        platforms.retain(|platform| !platform.is_empty() && seen.insert(platform.clone()));
        match platforms.iter().find(|platform| platform.len() > WORD_BYTES) {
            Some(long) => Err(format!("The platform “{}…” is too long. Shorten it.", head(long))),
            None => Ok(platforms),
        }
    }

    fn check_references(&self) -> Result<Vec<Reference>, String> {
        let mut references = Vec::new();
        for (title, address) in &self.references {
            let title = check_text("The title of a reference", false, title, SHORT_TEXT_BYTES, false)?;
            let address = check_text("The address of a reference", false, address, 2_000, false)?;
            if title.is_empty() && address.is_empty() {
                continue;
            }
            if !(address.starts_with("https://") || address.starts_with("http://")) {
                let which = if address.is_empty() { &title } else { &address };
                return Err(format!(
                    "“{which}” has no address that begins with https:// or http://. \
                        Correct it or empty both fields."
                ));
            }
            references.push(Reference { title, address });
        }
        if references.len() > REFERENCES {
            return Err(format!("A procedure has at most {REFERENCES} references. Take some out."));
        }
        Ok(references)
    }

    /// Takes a part back from what was typed, with the version that it started from: nothing of it is saved.
    pub fn take_back(&mut self, part: &str, typed: &Self, base: Version) {
        self.bases.of.insert(part.to_owned(), base);
        if let Some((id, field)) = dotted(part, "step.") {
            let mine = typed.steps.iter().find(|step| step.id == id);
            let step = self.steps.iter_mut().find(|step| step.id == id);
            if let (Some(mine), Some(step)) = (mine, step) {
                match field {
                    "kind" => step.kind = mine.kind,
                    "description" => step.description.clone_from(&mine.description),
                    "success_criteria" => step.success_criteria.clone_from(&mine.success_criteria),
                    "command" => step.command.clone_from(&mine.command),
                    "check_command" => step.check_command.clone_from(&mine.check_command),
                    "executor" => step.executor.clone_from(&mine.executor),
                    "platform" => step.platform.clone_from(&mine.platform),
                    _ => step.elevated = mine.elevated,
                }
            }
        } else if let Some((name, field)) = dotted(part, "input.") {
            let mine = typed.inputs.iter().find(|input| input.name == name);
            let input = self.inputs.iter_mut().find(|input| input.name == name);
            if let (Some(mine), Some(input)) = (mine, input) {
                match field {
                    "kind" => input.kind.clone_from(&mine.kind),
                    "default" => input.default.clone_from(&mine.default),
                    _ => input.description.clone_from(&mine.description),
                }
            }
        } else {
            match part {
                "name" => self.name.clone_from(&typed.name),
                "description" => self.description.clone_from(&typed.description),
                "recommendation" => self.recommendation.clone_from(&typed.recommendation),
                "prevented" => self.prevented = typed.prevented,
                "alerted" => self.alerted = typed.alerted,
                "logged" => self.logged = typed.logged,
                "minutes" => self.minutes.clone_from(&typed.minutes),
                "sentence" => self.sentence.clone_from(&typed.sentence),
                "references" => self.references.clone_from(&typed.references),
                "order" => {
                    let place = |id: &String| typed.steps.iter().position(|step| step.id == *id);
                    self.steps.sort_by_key(|step| place(&step.id).unwrap_or(usize::MAX));
                }
                _ => {}
            }
        }
        self.look();
    }

    /// The ids of its steps in their order.
    pub fn order(&self) -> String {
        self.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A stored step or an empty one, for what a control began with.
    pub fn step(&self, id: &str) -> Option<&StepForm> {
        self.steps.iter().find(|step| step.id == id)
    }

    pub fn input(&self, name: &str) -> Option<&InputForm> {
        self.inputs.iter().find(|input| input.name == name)
    }
}

impl StepForm {
    fn as_typed(&self) -> Step {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Step {
            id: self.id.clone(),
            kind: self.kind,
            description: self.description.clone(),
            success_criteria: some(&self.success_criteria),
            command: some(&self.command),
            check_command: some(&self.check_command),
            executor: some(&self.executor),
            elevated: self.elevated,
            platform: some(&self.platform),
        }
    }

    fn check(&self, errors: &mut FieldErrors) -> Step {
        let at = |field: &str| format!("step.{}.{field}", self.id);
        let text = |errors: &mut FieldErrors, field: &str, subject: &str, raw: &str| {
            let raw = keep(errors, &at(field), long(subject, raw));
            (!raw.trim().is_empty()).then_some(raw)
        };
        let command = text(errors, "command", "The command", &self.command);
        let check_command = text(errors, "check_command", "The check", &self.check_command);
        let success_criteria = text(errors, "success_criteria", "The criteria", &self.success_criteria);
        let description = text(errors, "description", "The text", &self.description).unwrap_or_default();
        let word = |errors: &mut FieldErrors, field: &str, subject: &str, raw: &str| {
            let raw = keep(errors, &at(field), check_text(subject, false, raw, WORD_BYTES, false));
            (!raw.is_empty()).then_some(raw)
        };
        let executor = word(errors, "executor", "The executor", &self.executor);
        let platform = word(errors, "platform", "The platform", &self.platform);
        if description.is_empty() && command.is_none() {
            errors.add(&at("description"), "Say what this step does, or give it a command.");
        }
        Step {
            id: self.id.clone(),
            kind: self.kind,
            description,
            success_criteria,
            command,
            check_command,
            executor,
            elevated: self.elevated,
            platform,
        }
    }
}

impl InputForm {
    fn check(&self, errors: &mut FieldErrors) -> Input {
        let at = |field: &str| format!("input.{}.{field}", self.name);
        let kind = self.kind.trim().to_lowercase();
        let default = keep(errors, &at("default"), long("The default", &self.default));
        let fits = match kind.as_str() {
            _ if default.is_empty() || default.contains("#{") => true,
            "integer" => default.trim().parse::<i64>().is_ok(),
            "float" => default.trim().parse::<f64>().is_ok(),
            _ => true,
        };
        if !fits {
            let what = if kind == "integer" { "a whole number" } else { "a number" };
            errors.add(
                &at("default"),
                format!("“{}” is not {what}. Type one, or choose another type.", head(&default)),
            );
        }
        Input {
            name: self.name.clone(),
            description: keep(errors, &at("description"), long("The description", &self.description)),
            kind: if kind.is_empty() { "string".to_owned() } else { kind },
            default: (!default.is_empty()).then_some(default),
        }
    }
}

fn rank(kind: StepKind) -> usize {
    StepKind::ALL.iter().position(|one| *one == kind).unwrap_or_default()
}

/// `step.<id>.<field>`: ids and names may hold dots, fields do not.
fn dotted<'a>(name: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    name.strip_prefix(prefix)?.rsplit_once('.')
}

fn keep<T: Default>(errors: &mut FieldErrors, field: &str, checked: Result<T, String>) -> T {
    checked.unwrap_or_else(|sentence| {
        errors.add(field, sentence);
        T::default()
    })
}

fn long(subject: &str, raw: &str) -> Result<String, String> {
    check_text(subject, false, raw, LONG_TEXT_BYTES, true)
}

fn head(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The name of a library procedure, one line.
///
/// # Errors
/// A sentence when it is empty or too long, or nothing of it can be seen.
pub fn check_name(raw: &str) -> Result<String, String> {
    let name = check_text("The name", false, raw, NAME_CHARS * 4, false)?;
    check_visible(&name)?;
    match name.chars().count() {
        0 => Err("Give the procedure a name.".to_owned()),
        1..=NAME_CHARS => Ok(name),
        length => Err(format!("The name is {length} characters; the limit is {NAME_CHARS}. Shorten it.")),
    }
}

fn check_minutes(raw: &str) -> Result<Option<i32>, String> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Ok(None);
    }
    match raw.parse() {
        Ok(minutes @ 1..=100_000) => Ok(Some(minutes)),
        _ => Err("Type whole minutes from 1 to 100,000, or nothing.".to_owned()),
    }
}

/// Words separated by commas, each once.
fn words(subject: &str, raw: &str, capitals: bool) -> Result<Vec<String>, String> {
    let text = check_text(subject, true, raw, LONG_TEXT_BYTES, false)?;
    let mut words: Vec<String> = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let word = if capitals { word.to_uppercase() } else { word.to_lowercase() };
        if word.len() > WORD_BYTES {
            return Err(format!("“{}…” is too long. Shorten it.", head(&word)));
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.len() > TECHNIQUES { Err("There can be at most 50. Remove some.".to_owned()) } else { Ok(words) }
}

/// Ids of ATT&CK groups, as they are typed with commas between them.
fn check_groups(raw: &str) -> Result<Vec<String>, String> {
    let groups = words("The groups", raw, true)?;
    let is_id = |word: &&String| {
        word.strip_prefix('G').is_some_and(|n| n.len() == 4 && n.bytes().all(|digit| digit.is_ascii_digit()))
    };
    match groups.iter().find(|word| !is_id(word)) {
        Some(other) => Err(format!(
            "“{}” is no id of an ATT&CK group, such as G0016. Choose one of the list.",
            head(other)
        )),
        None => Ok(groups),
    }
}

fn read_command(value: &str) -> Option<Command> {
    let (word, rest) = value.split_once(':').unwrap_or((value, ""));
    let rest = rest.to_owned();
    Some(match word {
        "save" => Command::Save,
        "look" => Command::Look,
        "preview" => Command::Preview,
        "add" => Command::AddStep(kind_of(&rest)?),
        "copy" => Command::CopyStep(rest),
        "remove" => Command::RemoveStep(rest),
        "up" => Command::Up(rest),
        "down" => Command::Down(rest),
        "find" => Command::FindTechnique,
        "technique" => Command::AddTechnique(rest),
        "untechnique" => Command::RemoveTechnique(rest),
        "reference" => Command::AddReference,
        "uninput" => Command::RemoveInput(rest),
        _ => return None,
    })
}

/// The sentence of a form that lost its repository.
pub fn no_repository() -> Error {
    Error::field("repository", "Choose the repository in which it is to stand.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(pairs: &[(&str, &str)]) -> (ProcedureForm, Command) {
        ProcedureForm::read(&pairs.iter().copied().collect()).unwrap()
    }

    fn ids(form: &ProcedureForm) -> Vec<&str> {
        form.steps.iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn buttons_change_the_steps_and_keep_what_was_typed() {
        let (mut form, command) = posted(&[
            ("name", " Read "),
            ("step", "a.1"),
            ("step.a.1.command", "cat #{file}"),
            ("step.a.1.executor", "sh"),
            ("step", "b"),
            ("step.b.kind", "cleanup"),
            ("step.b.description", "Tidy up"),
            ("do", "copy:a.1"),
        ]);
        form.apply(&command, "n".to_owned());
        assert_eq!(ids(&form), ["a.1", "n", "b"]);
        assert_eq!(form.steps[1].command, "cat #{file}");
        form.apply(&Command::Up("n".to_owned()), String::new());
        form.apply(&Command::Up("n".to_owned()), String::new());
        assert_eq!(ids(&form), ["n", "a.1", "b"], "the first stays first");
        form.apply(&Command::AddStep(StepKind::Step), "s".to_owned());
        form.apply(&Command::AddStep(StepKind::Prerequisite), "p".to_owned());
        assert_eq!(ids(&form), ["p", "n", "a.1", "s", "b"], "each kind has its place");
        assert_eq!(form.steps[3].executor, "sh", "as the step before");
        form.apply(&Command::RemoveStep("a.1".to_owned()), String::new());
        assert_eq!(ids(&form), ["p", "n", "s", "b"]);
        assert_eq!(form.name, " Read ");
    }

    #[test]
    fn inputs_are_found_where_they_are_named_and_the_unused_are_marked() {
        let (mut form, _) = posted(&[
            ("step", "a"),
            ("step.a.command", "cat #{file} #{out file}"),
            ("input", "old name"),
            ("input.old name.default", "x"),
        ]);
        let told: Vec<(&str, bool)> =
            form.inputs.iter().map(|input| (input.name.as_str(), input.is_used)).collect();
        assert_eq!(told, [("old name", false), ("file", true), ("out file", true)]);
        form.apply(&Command::RemoveInput("file".to_owned()), String::new());
        form.apply(&Command::RemoveInput("old name".to_owned()), String::new());
        assert_eq!(form.inputs.len(), 2, "one that is used stays");
    }

    #[test]
    fn faults_stand_beside_their_fields() {
        let (form, _) = posted(&[
            ("step", "a"),
            ("minutes", "soon"),
            ("emulates", "g0016, APT29"),
            ("reference_title", "A page"),
            ("reference_address", "javascript:alert(1)"),
            ("input", "port"),
            ("input.port.kind", "integer"),
            ("input.port.default", "many"),
        ]);
        let errors = form.check().unwrap_err();
        let fields =
            ["name", "step.a.description", "minutes", "emulates", "reference_address", "input.port.default"];
        for field in fields {
            assert!(errors.get(field).is_some(), "{field}");
        }
        assert!(posted(&[("name", "x")]).0.check().unwrap_err().get("steps").is_some());
        let foreign: Pairs = [("owner", "x")].into_iter().collect();
        assert!(ProcedureForm::read(&foreign).is_err());
    }

    #[test]
    fn a_stored_body_comes_back_from_its_form_as_it_was() {
        let body = ProcedureBody {
            name: "Read".to_owned(),
            technique_ids: vec!["T1003".to_owned()],
            platforms: vec!["windows".to_owned(), "beos".to_owned()],
            inputs: vec![Input { name: "file".to_owned(), kind: "path".to_owned(), ..Input::default() }],
            steps: vec![Step {
                id: "s".to_owned(),
                command: Some("cat #{file}".to_owned()),
                check_command: Some("test -f #{file}".to_owned()),
                elevated: true,
                ..Step::default()
            }],
            references: vec![Reference { title: String::new(), address: "https://a.example".to_owned() }],
            emulates: vec!["G0016".to_owned()],
            ..ProcedureBody::default()
        };
        assert_eq!(ProcedureForm::of(&body, 1).check().unwrap(), body);
    }
}
