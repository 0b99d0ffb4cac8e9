//! Reads Atomic Red Team tests: one test becomes one procedure. Commands are text to be shown and
//! copied; nothing here or elsewhere runs them.

use std::collections::{HashMap, HashSet};

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Budget, MessageFormatter, Options, UserMessageFormatter};
use sha2::{Digest, Sha256};

use super::archive::{TechniqueFile, technique_files, technique_of};
use super::domain::{
    Entries, Faults, ID_MAX, ImportError, NAME_MAX, Skipped, Tracked, Trail, is_longer, plain_words, record,
};
use super::yaml::read as yaml;
use crate::kernel::base::hex::hex;
use crate::library::domain::{Input, ProcedureBody, Step, StepKind};

pub use super::archive::Source;

/// The procedures of a source, by key, in the order of its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Atomics {
    /// Keys are unique.
    pub procedures: Vec<(String, ProcedureBody)>,
    /// Tests and technique files that were read and left out, with the reason.
    pub refused: Vec<ImportError>,
    /// Tests that are taken, and what to know of them.
    pub warnings: Vec<ImportError>,
    /// Their keys: a test that is refused is there all the same, so its earlier copy is not withdrawn.
    pub refused_keys: Vec<String>,
    /// Techniques of which the tests themselves were left out, so that nobody knows their keys.
    pub refused_techniques: Vec<String>,
    /// Files that were left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// How many entries of the source are not YAML, or hidden.
    pub others: usize,
}

record! {
    Technique {
        ;
        "attack_technique" => id: String,
        "atomic_tests" => tests: Vec<Test>,
    }
}

record! {
    Test labelled "name" {
;
        "name" => name: String,
        "executor" => executor: Executor,
        "auto_generated_guid" => guid: String,
        "description" => description: String,
        "supported_platforms" => platforms: Vec<String>,
        "input_arguments" => inputs: Entries<Argument>,
        "dependency_executor_name" => dependency_executor: String,
        "dependencies" => dependencies: Vec<Dependency>,
    }
}

record! {
    Argument {
        ;
        "description" => description: String,
        "type" => kind: String,
        "default" => default: String,
    }
}

record! {
    Dependency {
        ;
        "description" => description: String,
        "prereq_command" => check: String,
        "get_prereq_command" => get: String,
    }
}

record! {
    Executor {
        ;
        "name" => name: String,
        "command" => command: String,
        "steps" => steps: String,
        "cleanup_command" => cleanup: String,
        "elevation_required" => elevated: bool,
    }
}

/// Reads all technique files of a folder or zip.
///
/// A test's identity is its `auto_generated_guid`. One without a GUID gets a key from technique,
/// name and its number among the tests of that name, which holds until one of the three changes.
///
/// # Errors
/// Every file that cannot be read as it should, each with the test, field and line of its first fault; then
/// nothing of the source is taken. A test that is well formed and still of no use, and a file that does not
/// name its technique or hold its tests, are listed in [`Atomics::refused`].
pub fn parse(source: &Source) -> Result<Atomics, Faults> {
    let found = technique_files(source)?;
    let mut gathered = Gathered::default();
    gathered.atomics.skipped = found.skipped;
    gathered.atomics.others = found.others;
    let mut faults = Vec::new();
    for file in found.files {
        match read(&file) {
            Ok(technique) => gathered.take(&file, technique),
            Err(fault) if faults.len() < FAULTS_MAX => faults.push(fault),
            Err(_) => break,
        }
    }
    if faults.is_empty() { Ok(gathered.atomics) } else { Err(Faults(faults)) }
}

/// Where the tests of a file stand, for messages.
struct Places<'a> {
    file: &'a str,
    text: &'a str,
    /// Lines at which the tests begin, counted from 0; none where the file is not laid out as people do.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    /// In a list laid out over lines no text of an item can stand as far left as its dash.
    fn of(file: &'a TechniqueFile, tests: usize) -> Self {
        let text = std::str::from_utf8(&file.bytes).unwrap_or_default();
        let mut lines = Vec::with_capacity(tests);
        let mut indent = None;
        let numbered = text.lines().enumerate();
        for (at, line) in numbered.skip_while(|(_, line)| !line.starts_with("atomic_tests:")).skip(1) {
            let trimmed = line.trim_start_matches(' ');
            let is_item = trimmed.starts_with("- ") || trimmed.trim_end() == "-";
            let depth = line.len() - trimmed.len();
            if is_item && *indent.get_or_insert(depth) == depth {
                lines.push(at);
            }
        }
        if lines.len() != tests {
            lines.clear();
        }
        Self { file: &file.name, text, lines }
    }

    fn fault(&self, at: usize, name: Option<&str>, field: &str, sentence: impl Into<String>) -> ImportError {
        ImportError {
            object: Some(test_name(at + 1, name)),
            field: Some(field.to_owned()),
            line: self.line(at, field),
            ..ImportError::file(self.file, sentence)
        }
    }

    /// What is wrong with the file as a whole, at one of its own fields.
    fn fault_of_file(&self, technique: Option<&str>, field: &str, sentence: &str) -> ImportError {
        let object = match technique {
            Some(technique) => format!("technique {technique}"),
            None => "technique file".to_owned(),
        };
        let begins = |key: &str| self.text.lines().position(|line| line.starts_with(key));
        let is_said = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '-', '%']);
        let at = begins(field).or_else(|| self.text.lines().position(is_said)).unwrap_or_default();
        ImportError {
            object: Some(object),
            field: Some(field.to_owned()),
            line: Some(at + 1),
            ..ImportError::file(self.file, sentence)
        }
    }

    /// The line of a field, or of what holds it where it is not there.
    fn line(&self, at: usize, field: &str) -> Option<usize> {
        let begin = *self.lines.get(at)?;
        let end = self.lines.get(at + 1).copied().unwrap_or(usize::MAX);
        let own = || self.text.lines().enumerate().skip(begin).take(end - begin);
        // How far right a line's key stands; those of the test stand below its first one.
        let column = |line: &str| line.len() - line.trim_start_matches(['-', ' ']).len();
        let outer = own().next().map_or(0, |(_, line)| column(line));
        let mut found = begin;
        for (depth, key) in field.split('.').enumerate() {
            let is_key = |line: &str| {
                let is_at = if depth == 0 { column(line) == outer } else { column(line) > outer };
                let rest = line[column(line)..].strip_prefix(key);
                is_at && rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
            };
            match own().skip(found - begin).find(|(_, line)| is_key(line)) {
                Some((line, _)) => found = line,
                None => break,
            }
        }
        Some(found + 1)
    }
}

#[derive(Default)]
struct Gathered {
    atomics: Atomics,
    /// Key → file and test that has it.
    places: HashMap<String, String>,
    /// Technique and name → how many tests had them.
    namesakes: HashMap<(String, String), usize>,
}

impl Gathered {
    /// Takes the tests of a file. One that does not say whose they are, or holds none, is refused by itself.
    fn take(&mut self, file: &TechniqueFile, technique: Technique) {
        let Technique { id, tests } = technique;
        let id = id.filter(|id| !id.trim().is_empty());
        let places = Places::of(file, tests.as_ref().map_or(0, Vec::len));
        let (field, sentence) = match (&id, &tests) {
            (Some(_), Some(_)) => {
                let (id, tests) = (id.unwrap_or_default(), tests.unwrap_or_default());
                for (at, test) in tests.into_iter().enumerate() {
                    self.add(&places, &id, at, test);
                }
                return;
            }
            (None, Some(_)) => ("attack_technique", "its attack_technique is missing"),
            (Some(_), None) => ("atomic_tests", "its atomic_tests are missing"),
            (None, None) => ("attack_technique", "its attack_technique and atomic_tests are missing"),
        };
        let technique = id.as_deref().map(|id| id.trim().to_owned()).or_else(|| technique_of(&file.name));
        self.atomics.refused.push(places.fault_of_file(technique.as_deref(), field, sentence));
        let technique = technique.unwrap_or_default();
        match tests {
            Some(tests) => {
                let keys = tests.iter().map(|test| self.key(&technique, test).0).collect::<Vec<_>>();
                self.atomics.refused_keys.extend(keys);
            }
            None if technique.is_empty() => {}
            None => self.atomics.refused_techniques.push(technique),
        }
    }

    /// What a test is known by, and whether that is a GUID.
    fn key(&mut self, technique: &str, test: &Test) -> (String, bool) {
        let name = test.name.clone().unwrap_or_default();
        // Tests with a GUID count as well: when one is given to a namesake, the others stay.
        let namesakes = (technique.to_owned(), name.clone());
        let ordinal = self.namesakes.entry(namesakes).or_default();
        *ordinal += 1;
        match test.guid.as_deref().map(str::trim).filter(|guid| !guid.is_empty()) {
            Some(guid) => (guid.to_lowercase(), true),
            None => (derived_key(technique, &name, *ordinal), false),
        }
    }

    fn add(&mut self, places: &Places<'_>, technique: &str, at: usize, test: Test) {
        let name = test.name.clone().unwrap_or_default();
        let object = test_name(at + 1, test.name.as_deref());
        let (key, has_guid) = self.key(technique, &test);
        let outcome = if is_longer(&key, ID_MAX) {
            Err(("auto_generated_guid", format!("its auto_generated_guid has more than {ID_MAX} characters")))
        } else if let Some(other) = self.places.get(&key) {
            Err(("auto_generated_guid", format!("its auto_generated_guid is already that of {other}")))
        } else {
            body(technique, test)
        };
        let named = Some(name.as_str()).filter(|name| !name.is_empty());
        match outcome {
            Ok(body) => {
                if !has_guid {
                    let sentence = "without an auto_generated_guid it is known by its technique and name: \
                        renamed, it comes as another test";
                    self.warn(places.fault(at, named, "auto_generated_guid", sentence));
                }
                self.places.insert(key.clone(), format!("{object} in {}", places.file));
                self.atomics.procedures.push((key, body));
            }
            Err((field, sentence)) => {
                self.atomics.refused.push(places.fault(at, named, field, sentence));
                self.atomics.refused_keys.push(key);
            }
        }
    }

    fn warn(&mut self, warning: ImportError) {
        if self.atomics.warnings.len() < WARNINGS_MAX {
            self.atomics.warnings.push(warning);
        }
    }
}

/// Tests are counted from 1, as Invoke-AtomicTest counts them.
fn test_name(number: usize, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("test {number} \"{name}\""),
        None => format!("test {number}"),
    }
}

fn derived_key(technique: &str, name: &str, ordinal: usize) -> String {
    let hash = Sha256::digest(format!("{technique}\n{name}\n{ordinal}"));
    let hex = hex(&hash[..16]);
    format!("no-guid-{hex}")
}

/// How many files with faults are named at once.
const FAULTS_MAX: usize = 50;
/// How many warnings one source gives; more of them say nothing new.
const WARNINGS_MAX: usize = 500;

const DEPTH_MAX: usize = 24;

/// Limits for one file of at most 4 MiB. Real files stay far below them and use no anchor.
fn options() -> Options {
    serde_saphyr::options! {
        budget: Some(budget()),
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 100,
        },
        ignore_binary_tag_for_string: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn budget() -> Budget {
    let mut budget = Budget::default();
    budget.max_documents = 1;
    budget.max_depth = DEPTH_MAX;
    budget.flow_nesting_limit = DEPTH_MAX;
    budget.max_events = 200_000;
    budget.max_nodes = 100_000;
    budget.max_aliases = 500;
    budget.max_anchors = 500;
    budget.max_recorded_anchor_events = 50_000;
    budget.max_recorded_anchor_bytes = 1024 * 1024;
    budget.max_merge_keys = 100;
    budget.max_total_scalar_bytes = 8 * 1024 * 1024;
    budget
}

fn read(file: &TechniqueFile) -> Result<Technique, ImportError> {
    let text = yaml::text(&file.name, &file.bytes)?;
    let trail = Trail::default();
    serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        Technique::read(yaml, &trail)
    })
    .map_err(|error| locate(&file.name, &error, &trail))
}

fn locate(file: &str, error: &serde_saphyr::Error, trail: &Trail) -> ImportError {
    let (object, field) = trail.place();
    let line =
        error.location().and_then(|location| usize::try_from(location.line()).ok()).filter(|line| *line > 0);
    ImportError {
        object: object.map(|(index, label)| test_name(index + 1, label.as_deref())),
        field,
        line,
        ..ImportError::file(file, sentence(error.without_snippet()))
    }
}

/// What the parser says, in words of people where it tells its own counters.
fn sentence(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let said = match error {
        Error::AliasError { error, .. } => return sentence(error.without_snippet()),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => MULTIPLIES,
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Aliases { .. }
            | BudgetBreach::Anchors { .. }
            | BudgetBreach::AliasAnchorRatio { .. }
            | BudgetBreach::RecordedAnchorEvents { .. }
            | BudgetBreach::RecordedAnchorBytes { .. }
            | BudgetBreach::MergeKeys { .. } => MULTIPLIES,
            BudgetBreach::Depth { .. } => return too_deep(),
            BudgetBreach::Documents { .. } => "it holds more than one document",
            _ => "it holds more than any technique file of people",
        },
        other => {
            let said = UserMessageFormatter.format_message(other);
            // The scanner below has a limit of its own, and no kind of error for it.
            let is_deep = said.contains("recursion limit");
            return if is_deep { too_deep() } else { plain_words(&said) };
        }
    };
    said.to_owned()
}

fn too_deep() -> String {
    format!("it is nested deeper than {DEPTH_MAX} levels")
}

const MULTIPLIES: &str =
    "its anchors and aliases multiply what it holds; write what they stand for in their place";

/// The procedure, or the field that is at fault and why.
fn body(technique: &str, test: Test) -> Result<ProcedureBody, (&'static str, String)> {
    let Some(name) = test.name else { return Err(("name", "its name is missing".to_owned())) };
    if name.trim().is_empty() {
        return Err(("name", "its name is empty".to_owned()));
    }
    if is_longer(&name, NAME_MAX) {
        return Err(("name", format!("its name has more than {NAME_MAX} characters")));
    }
    if is_longer(technique, ID_MAX) {
        let sentence = format!("its file's attack_technique has more than {ID_MAX} characters");
        return Err(("attack_technique", sentence));
    }
    if test.platforms.iter().flatten().any(|platform| is_longer(platform, ID_MAX)) {
        let sentence = format!("a supported platform has more than {ID_MAX} characters");
        return Err(("supported_platforms", sentence));
    }
    let Some(executor) = test.executor else {
        return Err(("executor", "its executor is missing".to_owned()));
    };
    let steps = steps(executor, test.dependency_executor, test.dependencies.unwrap_or_default())?;
    let inputs = test.inputs.map(|entries| entries.0).unwrap_or_default();
    Ok(ProcedureBody {
        name: name.trim().to_owned(),
        description: prose(test.description),
        technique_ids: vec![technique.trim().to_owned()],
        platforms: platforms(test.platforms.unwrap_or_default()),
        inputs: inputs.into_iter().map(input).collect(),
        steps,
        ..ProcedureBody::default()
    })
}

/// In the order of the file, each once.
fn platforms(mut platforms: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    platforms.retain(|platform| seen.insert(platform.clone()));
    platforms
}

fn input((name, argument): (String, Argument)) -> Input {
    let kind = argument.kind.map(|kind| kind.trim().to_lowercase());
    Input {
        name,
        description: prose(argument.description),
        kind: kind.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "string".to_owned()),
        default: argument.default,
    }
}

fn steps(
    executor: Executor,
    dependency_executor: Option<String>,
    dependencies: Vec<Dependency>,
) -> Result<Vec<Step>, (&'static str, String)> {
    let Some(name) = filled(executor.name) else {
        return Err(("executor.name", "its executor has no name".to_owned()));
    };
    let (command, manual) = (filled(executor.command), filled(executor.steps));
    if command.is_none() && manual.is_none() {
        return Err(("executor", "its executor has neither a command nor steps".to_owned()));
    }
    let elevated = executor.elevated.unwrap_or(false);
    let checker = filled(dependency_executor).unwrap_or_else(|| name.clone());
    let mut steps: Vec<Step> = dependencies
        .into_iter()
        .map(|dependency| Step {
            description: prose(dependency.description),
            command: filled(dependency.get),
            check_command: filled(dependency.check),
            ..step(StepKind::Prerequisite, &checker)
        })
        .collect();
    if manual.is_some() {
        steps.push(Step { description: prose(manual), elevated, ..step(StepKind::Step, "manual") });
    }
    if command.is_some() {
        steps.push(Step {
            description: format!("Run the command in {}.", shell(&name)),
            command,
            elevated,
            ..step(StepKind::Step, &name)
        });
    }
    if let Some(cleanup) = filled(executor.cleanup) {
        steps.push(Step {
            description: format!("Clean up in {}.", shell(&name)),
            command: Some(cleanup),
            elevated,
            ..step(StepKind::Cleanup, &name)
        });
    }
    number(&mut steps);
    Ok(steps)
}

fn step(kind: StepKind, executor: &str) -> Step {
    Step { kind, executor: Some(executor.to_owned()), ..Step::default() }
}

/// Each kind counts for itself, so that a new prerequisite leaves the other steps their ids.
fn number(steps: &mut [Step]) {
    let mut counts = [0; 3];
    for step in steps {
        let (letter, count) = match step.kind {
            StepKind::Prerequisite => ('p', &mut counts[0]),
            StepKind::Step => ('s', &mut counts[1]),
            StepKind::Cleanup => ('c', &mut counts[2]),
        };
        *count += 1;
        step.id = format!("{letter}{count}");
    }
}

fn shell(executor: &str) -> &str {
    match executor {
        "powershell" => "PowerShell",
        "command_prompt" => "the command prompt",
        "manual" => "a shell",
        other => other,
    }
}

/// Commands are kept to the letter; only one without any text is none.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Markdown, with the line ends of one system.
fn prose(text: Option<String>) -> String {
    text.unwrap_or_default().replace("\r\n", "\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::zip_of;
    use super::*;

    const FULL: &str = r#"attack_technique: T1003.008
display_name: Not to be trusted
atomic_tests:
- name: Read the password file
  auto_generated_guid: AAAAAAAA-0000-4000-8000-000000000001
  description: |
    Copies it.
    Twice.
  supported_platforms: [linux, macos, linux]
  unknown_key: {a: [1, 2]}
  input_arguments:
    target: {description: Where, type: Path, default: /tmp/x}
    count: {description: How often, type: Integer, default: 010}
    ratio: {type: float, default: 1.50}
    none: {description: Nothing, type: String, default: null}
    empty: {type: string, default: ""}
    7: {}
  dependency_executor_name: bash
  dependencies:
  - description: A file is there
    prereq_command: "test -f #{target}\n"
    get_prereq_command: ""
  executor:
    name: sh
    elevation_required: true
    command: "cat /etc/passwd > #{target}\t\r\n\u202e"
    cleanup_command: rm #{target}
- name: By hand
  auto_generated_guid: aaaaaaaa-0000-4000-8000-000000000002
  description: None
  supported_platforms: [windows]
  executor:
    name: manual
    steps: |
      1. Open #{program}
    cleanup_command: null
"#;

    fn parse_files(files: &[(&str, &str)]) -> Result<Atomics, String> {
        let entries: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let source = Source::Zip { name: "tests.zip".to_owned(), bytes: zip_of(&entries) };
        parse(&source).map_err(|error| error.to_string())
    }

    fn parse_one(text: &str) -> Result<Atomics, String> {
        parse_files(&[("T1003/T1003.yaml", text)])
    }

    /// A file of tests that have a name, a GUID or none, and a command.
    fn listed(tests: &[(&str, &str)]) -> String {
        let mut yaml = "attack_technique: T1003\natomic_tests:\n".to_owned();
        for (name, guid) in tests {
            yaml += &format!("- name: {name}\n  auto_generated_guid: {guid}\n");
            yaml += "  executor: {name: sh, command: id}\n";
        }
        yaml
    }

    #[test]
    fn a_test_becomes_a_procedure() {
        let atomics = parse_one(FULL).unwrap();
        let [(key, full), (_, by_hand)] = &atomics.procedures[..] else {
            panic!("two procedures");
        };
        assert_eq!(key, "aaaaaaaa-0000-4000-8000-000000000001");
        assert_eq!(full.description, "Copies it.\nTwice.");
        assert_eq!(full.technique_ids, ["T1003.008"]);
        assert_eq!(full.platforms, ["linux", "macos"]);
        let inputs: Vec<_> = full
            .inputs
            .iter()
            .map(|input| (input.name.as_str(), input.kind.as_str(), input.default.as_deref()))
            .collect();
        assert_eq!(
            inputs,
            [
                ("target", "path", Some("/tmp/x")),
                ("count", "integer", Some("010")),
                ("ratio", "float", Some("1.50")),
                ("none", "string", None),
                ("empty", "string", Some("")),
                ("7", "string", None),
            ]
        );
        let [before, step, after] = &full.steps[..] else {
            panic!("three steps");
        };
        assert_eq!((before.id.as_str(), before.kind), ("p1", StepKind::Prerequisite));
        assert_eq!(before.executor.as_deref(), Some("bash"));
        assert_eq!(before.check_command.as_deref(), Some("test -f #{target}\n"));
        assert_eq!((before.command.as_ref(), before.elevated), (None, false));
        assert_eq!((step.id.as_str(), step.elevated), ("s1", true));
        let exact = "cat /etc/passwd > #{target}\t\r\n\u{202e}";
        assert_eq!(step.command.as_deref(), Some(exact));
        assert_eq!((after.id.as_str(), after.kind), ("c1", StepKind::Cleanup));

        let [manual] = &by_hand.steps[..] else {
            panic!("one step and no cleanup");
        };
        assert_eq!(manual.description, "1. Open #{program}");
        assert_eq!((manual.command.as_ref(), manual.executor.as_deref()), (None, Some("manual")));
        assert_eq!(by_hand.placeholders(), ["program"]);
    }

    #[test]
    fn windows_line_ends_change_nothing_and_a_byte_order_mark_is_refused() {
        assert_eq!(parse_one(&FULL.replace('\n', "\r\n")), parse_one(FULL));
        assert_eq!(
            parse_one(&format!("\u{feff}{FULL}")).unwrap_err(),
            "T1003/T1003.yaml, line 1: it begins with a byte-order mark; save it as UTF-8 without one."
        );
    }

    #[test]
    fn a_file_without_its_technique_or_tests_is_refused_by_itself_and_takes_nothing_away() {
        let guid = "AAAAAAAA-0000-4000-8000-000000000001";
        let atomics = parse_files(&[
            ("atomics/T1001/T1001.yaml", &listed(&[("One", guid), ("Two", "")]).replace("T1003", "T1001")),
            ("atomics/T1002/T1002.yaml", "# Words\n---\nattack_technique: T1002\ndisplay_name: Two\n"),
            ("atomics/T1003/T1003.yaml", &listed(&[("Three", "")])),
            ("atomics/T1004/T1004.yaml", "display_name: Four\nattack_technique: ''\natomic_tests:\n"),
        ])
        .unwrap();
        assert_eq!((atomics.procedures.len(), atomics.refused.len()), (3, 2), "{:?}", atomics.refused);
        let without = parse_files(&[
            (
                "atomics/T1001/T1001.yaml",
                &listed(&[("One", guid), ("Two", "")]).replace("attack_technique: T1003\n", "# None\n"),
            ),
            ("atomics/T1003/T1003.yaml", &listed(&[("Three", "")])),
        ])
        .unwrap();
        let said: Vec<_> = atomics.refused.iter().chain(&without.refused).map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "atomics/T1002/T1002.yaml, technique T1002, field atomic_tests, line 3: its atomic_tests are \
                    missing.",
                "atomics/T1004/T1004.yaml, technique T1004, field attack_technique, line 2: its \
                    attack_technique and atomic_tests are missing.",
                "atomics/T1001/T1001.yaml, technique T1001, field attack_technique, line 2: its \
                    attack_technique is missing.",
            ]
        );
        assert_eq!(atomics.refused_techniques, ["T1002", "T1004"]);
        let keys: Vec<_> = atomics.procedures.iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(without.refused_keys, keys[..2], "what is refused is in the source all the same");
        assert_eq!(without.procedures.len(), 1);
    }

    #[test]
    fn a_repeated_guid_is_refused_with_its_place() {
        let guid = "aaaaaaaa-0000-4000-8000-000000000001";
        let atomics = parse_files(&[
            ("atomics/T1003/T1003.yaml", &listed(&[("One", guid)])),
            ("atomics/T1004/T1004.yaml", &listed(&[("Two", ""), ("Three", &guid.to_uppercase())])),
        ])
        .unwrap();
        assert_eq!(atomics.procedures.len(), 2);
        assert_eq!(
            atomics.refused[0].to_string(),
            "atomics/T1004/T1004.yaml, test 2 \"Three\", field auto_generated_guid, line 7: its \
             auto_generated_guid is already that of test 1 \"One\" in atomics/T1003/T1003.yaml."
        );
    }

    #[test]
    fn a_missing_guid_gives_a_key_that_stays() {
        let keys = |tests: &[(&str, &str)]| -> Vec<String> {
            let atomics = parse_one(&listed(tests)).unwrap();
            atomics.procedures.into_iter().map(|(key, _)| key).collect()
        };
        let before = keys(&[("Same", ""), ("Same", "null"), ("Other", "")]);
        assert_eq!(before.iter().collect::<HashSet<_>>().len(), 3);
        assert_eq!(keys(&[("Other", ""), ("New", ""), ("Same", ""), ("Same", "")])[2..], before[..2]);
        let given = keys(&[("Same", "aaaaaaaa-0000-4000-8000-000000000009"), ("Same", ""), ("Other", "")]);
        assert_eq!(given[1..], before[1..]);
    }

    #[test]
    fn a_test_without_a_name_or_an_executor_is_refused_by_itself_with_its_line() {
        let yaml = "attack_technique: T1003\natomic_tests:\n- description: |\n    - name: no item\n  \
            executor: {name: sh, command: id}\n- name: Good\n  executor: {name: sh, command: id}\n- \
            name: Idle\n- name: Shell of none\n  executor:\n    command: id\n- name: null\n";
        let atomics = parse_one(yaml).unwrap();
        assert_eq!(atomics.procedures.len(), 1);
        let said: Vec<_> = atomics.refused.iter().map(ToString::to_string).collect();
        let file = "T1003/T1003.yaml";
        assert_eq!(
            said,
            [
                format!("{file}, test 1, field name, line 3: its name is missing."),
                format!("{file}, test 3 \"Idle\", field executor, line 8: its executor is missing."),
                format!(
                    "{file}, test 4 \"Shell of none\", field executor.name, line 10: its executor has no \
                    name."
                ),
                format!("{file}, test 5, field name, line 12: its name is missing."),
            ]
        );
        assert_eq!(atomics.warnings[0].line, Some(6), "{:?}", atomics.warnings);
    }

    #[test]
    fn every_file_that_cannot_be_read_is_named_at_once() {
        let error = parse_files(&[
            ("T1001/T1001.yaml", "attack_technique: [\n"),
            ("T1002/T1002.yaml", &listed(&[("One", "")])),
            ("T1003/T1003.yaml", "attack_technique: T1003\natomic_tests: none\n"),
        ])
        .unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(
            lines[0].starts_with("T1001/T1001.yaml") && lines[1].starts_with("T1003/T1003.yaml"),
            "{error}"
        );
    }

    #[test]
    fn tests_of_no_use_are_refused_and_the_rest_is_kept() {
        let yaml =
            listed(&[("Good", ""), ("\"\"", "")]) + "- name: Idle\n  executor: {name: sh, command: ' '}\n";
        let atomics = parse_one(&yaml).unwrap();
        assert_eq!(atomics.procedures.len(), 1);
        let reasons: Vec<_> = atomics.refused.iter().map(|refused| refused.sentence.as_str()).collect();
        assert_eq!(reasons, ["its name is empty", "its executor has neither a command nor steps"]);
        assert_eq!(atomics.refused_keys.len(), 2, "what is refused is in the source all the same");
    }

    #[test]
    fn what_no_index_of_the_database_could_hold_is_refused_with_its_reason() {
        let long = "x".repeat(3000);
        let long_platform = FULL.replace("[windows]", &format!("[{long}]"));
        for (yaml, reason) in [
            (listed(&[("One", &long)]), "its auto_generated_guid has more than 100 characters"),
            (listed(&[(&long, "")]), "its name has more than 500 characters"),
            (
                listed(&[("One", "")]).replace("T1003", &long),
                "its file's attack_technique has more than 100 characters",
            ),
            (long_platform, "a supported platform has more than 100 characters"),
        ] {
            let atomics = parse_one(&yaml).unwrap();
            assert_eq!(atomics.refused.last().unwrap().sentence, reason);
        }
    }

    /// The line of the text in the file, counted from 1.
    fn line_of(yaml: &str, text: &str) -> usize {
        1 + yaml[..yaml.find(text).unwrap()].matches('\n').count()
    }

    #[test]
    fn a_wrong_type_names_test_field_and_line() {
        for (from, to, field, sentence) in [
            (
                "elevation_required: true",
                "elevation_required: maybe",
                "executor.elevation_required",
                "invalid boolean",
            ),
            ("name: By hand", "name: [By, hand]", "name", "expected"),
            ("default: null", "default: [1]", "input_arguments.none.default", "expected"),
            ("name: manual", "name: [manual]", "executor.name", "expected"),
            (
                "prereq_command: \"test",
                "prereq_command: \"\\0test",
                "dependencies[0].prereq_command",
                "U+0000",
            ),
        ] {
            let yaml = FULL.replacen(from, to, 1);
            let error = parse_one(&yaml).unwrap_err();
            let line = error_line(&error);
            assert!(error.starts_with("T1003/T1003.yaml, test "), "{error}");
            assert!(error.contains(&format!(", field {field}, line ")), "{error}");
            assert!(error.contains(sentence), "{error}");
            assert!(line.abs_diff(line_of(&yaml, to)) <= 3, "{error}");
        }
    }

    fn error_line(error: &str) -> usize {
        let after = error.split(", line ").nth(1).unwrap();
        after.split(':').next().unwrap().parse().unwrap()
    }

    #[test]
    fn malformed_yaml_names_the_test_and_line() {
        let unclosed = FULL.replace("  executor:\n    name: manual", "  executor: {\n    name: manual");
        let tabbed = FULL.replace("    name: sh\n", "\t name: sh\n");
        let twice = FULL.replace("name: sh", "name: sh\n    name: bash");
        for (yaml, place, near) in [
            (&unclosed, "test 2 \"By hand\", field executor", "name: manual"),
            (&tabbed, "test 1 \"Read the password file\", field executor", "\t name: sh"),
            (&twice, "test 1 \"Read the password file\", field executor", "    name: bash"),
        ] {
            let error = parse_one(yaml).unwrap_err();
            assert!(error.contains(place), "{error}");
            assert!(error_line(&error).abs_diff(line_of(yaml, near)) <= 1, "{error}");
        }
        let empty = parse_one("").unwrap();
        assert_eq!((empty.procedures.len(), empty.refused_techniques.len()), (0, 1), "it holds no test");
        assert!(parse_one(&format!("{FULL}---\na: 1\n")).is_err());
    }

    #[test]
    fn what_is_no_text_or_grows_too_large_is_refused() {
        let source = |bytes: &[u8]| Source::Zip {
            name: "tests.zip".to_owned(),
            bytes: zip_of(&[("T1003/T1003.yaml", bytes)]),
        };
        let error = parse(&source(b"a: 1\nb: \xff\n")).unwrap_err().to_string();
        assert_eq!(error, "T1003/T1003.yaml, line 2: it is not UTF-8 text.");

        let mut bomb = "attack_technique: T1003\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{alias}]\n");
        }
        bomb += "atomic_tests: []\n";
        let error = parse_one(&bomb).unwrap_err();
        assert!(error.starts_with("T1003/T1003.yaml, field a") && error.contains(", line "), "{error}");
        assert!(error.ends_with(&format!(": {MULTIPLIES}.")), "{error}");
        let deep = format!("attack_technique: T1003\natomic_tests: {}", "[".repeat(5000));
        let error = parse_one(&deep).unwrap_err();
        assert!(error.ends_with(", line 2: it is nested deeper than 24 levels."), "{error}");
        let long = FULL.replace("Copies it.", &"x".repeat(70_000));
        let error = parse_one(&long).unwrap_err();
        assert!(error.contains("field description, line") && error.contains("65536"), "{error}");
    }
}
