//! Reads an archive: a folder, or a zip of one. What is shaped wrongly refuses the whole archive, with every
//! fault; an object that is well formed and cannot be taken is refused by itself.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::fields::{digest, line_of, short_texts, uuid};
use super::file::{Archive, Head, PlanFields, Procedure, TestPlan, code, is_prefix};
use super::read_terms::{self, ReadMethodology};
use super::terms::Place;
use super::write::{FORMAT, kind};
use crate::imports::archive::{Opened, Source};
use crate::imports::domain::{Faults, ID_MAX, ImportError, NAME_MAX, is_longer};
use crate::imports::findings::Findings;
use crate::imports::yaml::read::{Node, Object, no_tag, parse};
use crate::library::domain::{
    ContentDigest, Expected, Input, ProcedureBody, Reference, RepositoryType, Step, StepKind,
};

/// The largest file of an archive, in bytes.
const FILE_MAX: u64 = 4 * 1024 * 1024;
/// All of them together.
const TOTAL_MAX: u64 = 64 * 1024 * 1024;
const DESCRIPTION_MAX: usize = 350;

/// An archive that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadArchive {
    pub archive: Archive,
    pub refused: Vec<ImportError>,
    pub warnings: Vec<ImportError>,
    /// Identities that were refused: what is stored of them is not missing.
    pub held: Vec<Uuid>,
    /// Where each term of a methodology stands, by the methodology's id and its own.
    pub places: HashMap<(Uuid, Uuid), Place>,
}

/// Whether a link of this name would stand where a file of an archive does.
fn matters(name: &str) -> bool {
    let folders = ["procedures", "test-plans", "methodologies"];
    name.ends_with(".yaml") || name.ends_with(".yml") || folders.contains(&name)
}

/// So many files that lie elsewhere are named.
const STRAYS: usize = 20;

/// Reads an archive.
///
/// # Errors
/// Everything that is shaped wrongly, each with its file and place.
pub fn read(source: &Source) -> Result<ReadArchive, Faults> {
    let (place, mut opened) = match source {
        Source::Folder(root) => (root.display().to_string(), Opened::folder(root, matters)?),
        Source::Zip { name, bytes } => (name.clone(), Opened::zip(name, bytes)?),
        Source::File { name, .. } => {
            let sentence =
                "it is one file; a repository archive is a folder with repository.yaml, or a zip of it";
            return Err(ImportError::file(name, sentence).into());
        }
    };
    let Some(root) = root_of(&opened.names) else {
        let sentence = "it holds no repository.yaml, so it is no repository archive";
        return Err(ImportError::file(&place, sentence).into());
    };
    let mut reading =
        Reading { total: 0, faults: Vec::new(), warnings: Vec::new(), refused: Vec::new(), held: Vec::new() };
    let head = reading.file(&mut opened, &format!("{root}repository.yaml"), head)?;
    let names = opened.names.clone();
    let is_yaml = |name: &str| name.ends_with(".yaml") || name.ends_with(".yml");
    let below = |name: &str, folder: &str| {
        name.strip_prefix(&root)
            .and_then(|name| name.strip_prefix(folder))
            .is_some_and(|name| !name.contains('/'))
    };
    let (mut procedures, mut plans, mut methodologies) = (Vec::new(), Vec::new(), Vec::new());
    for name in names.iter().filter(|name| is_yaml(name) && below(name, "procedures/")) {
        let prefix = head.as_ref().map(|head| head.prefix.clone()).unwrap_or_default();
        let read = reading.file(&mut opened, name, |found, node| procedure(found, node, &prefix))?;
        procedures.extend(read.map(|read| (name.clone(), read)));
    }
    for name in names.iter().filter(|name| is_yaml(name) && below(name, "test-plans/")) {
        let read = reading.file(&mut opened, name, plan)?;
        plans.extend(read.map(|read| (name.clone(), read)));
    }
    for name in names.iter().filter(|name| is_yaml(name) && below(name, "methodologies/")) {
        let read = reading.file(&mut opened, name, read_terms::methodology)?;
        methodologies.extend(read.map(|read| (name.clone(), read)));
    }
    let is_read = |name: &str| {
        name.strip_prefix(&root) == Some("repository.yaml")
            || ["procedures/", "test-plans/", "methodologies/"].iter().any(|folder| below(name, folder))
    };
    // What a team keeps for its own tools begins with a dot.
    let is_hidden = |name: &str| name.split('/').any(|part| part.starts_with('.'));
    let strays = names.iter().filter(|name| is_yaml(name) && !is_read(name) && !is_hidden(name));
    for stray in strays.take(STRAYS) {
        let sentence = "it lies in none of the archive's folders, and is left out";
        reading.warnings.push(ImportError::file(stray, sentence));
    }
    if !reading.faults.is_empty() {
        return Err(Faults(reading.faults));
    }
    let Some(head) = head else {
        return Err(ImportError::file(&place, "its repository.yaml could not be read").into());
    };
    Ok(reading.judge(head, procedures, plans, methodologies))
}

/// The folder in which `repository.yaml` lies nearest to the top: empty, or with a slash at its end.
fn root_of(names: &[String]) -> Option<String> {
    let mut roots: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix("repository.yaml"))
        .filter(|root| root.is_empty() || root.ends_with('/'))
        .collect();
    roots.sort_by_key(|root| (root.matches('/').count(), root.len()));
    roots.first().map(|root| (*root).to_owned())
}

/// A procedure as its file says it.
struct ReadProcedure {
    identity: Uuid,
    /// None for one that was written by hand and has none yet.
    number: Option<i32>,
    written_from: Option<ContentDigest>,
    is_retired: bool,
    origin: String,
    body: ProcedureBody,
    /// Where the fields stand for which it may be refused.
    lines: HashMap<&'static str, usize>,
}

struct Reading {
    total: u64,
    faults: Vec<ImportError>,
    warnings: Vec<ImportError>,
    refused: Vec<ImportError>,
    held: Vec<Uuid>,
}

impl Reading {
    /// Reads one file. What is wrong inside of it gathers; what is wrong with the archive ends it.
    fn file<T>(
        &mut self,
        opened: &mut Opened<'_>,
        name: &str,
        read: impl FnOnce(&Findings, &Node) -> Option<T>,
    ) -> Result<Option<T>, ImportError> {
        let bytes = opened.read(name, FILE_MAX)?;
        self.total += bytes.len() as u64;
        if bytes.len() as u64 > FILE_MAX {
            return Err(crate::imports::archive::too_large(name, FILE_MAX));
        }
        if self.total > TOTAL_MAX {
            let sentence = format!("the files together are larger than {} MiB", TOTAL_MAX >> 20);
            return Err(ImportError::file(name, sentence));
        }
        let node = match parse(name, &bytes, no_tag) {
            Ok(node) => node,
            Err(fault) => {
                self.faults.push(fault);
                return Ok(None);
            }
        };
        let found = Findings::of(name);
        if let Some(anchor) = first_anchor(&node) {
            found.fault(None, None, Some(anchor), "an archive has neither anchors nor aliases");
        }
        let value = read(&found, &node);
        match found.done() {
            Ok(warnings) => {
                self.warnings.extend(warnings);
                Ok(value)
            }
            Err(Faults(faults)) => {
                self.faults.extend(faults);
                Ok(None)
            }
        }
    }

    /// `name`: what the object calls itself.
    fn refuse(&mut self, file: &str, name: &str, field: &str, line: Option<usize>, sentence: String) {
        let object = (!name.trim().is_empty()).then(|| name.to_owned());
        let field = Some(field.to_owned());
        self.refused.push(ImportError { object, field, line, ..ImportError::file(file, sentence) });
    }

    /// What can be taken of objects that are well formed.
    fn judge(
        mut self,
        head: Head,
        procedures: Vec<(String, ReadProcedure)>,
        plans: Vec<(String, (TestPlan, usize))>,
        methodologies: Vec<(String, ReadMethodology)>,
    ) -> ReadArchive {
        let mut places: HashMap<Uuid, String> = HashMap::new();
        let mut taken = Vec::new();
        let mut numbers: HashSet<i32> = HashSet::new();
        for (file, procedure) in procedures {
            let body = &procedure.body;
            let reason = if let Some(other) = places.get(&procedure.identity) {
                Some(("uuid", format!("the uuid is already that of {other}")))
            } else if body.name.trim().is_empty() {
                Some(("name", "it is empty".to_owned()))
            } else if body.steps.is_empty() {
                Some(("steps", "a procedure has at least one step".to_owned()))
            } else {
                None
            };
            if let Some((field, sentence)) = reason {
                let line = procedure.lines.get(field).copied();
                self.refuse(&file, &body.name, field, line, sentence);
                self.held.push(procedure.identity);
                continue;
            }
            places.insert(procedure.identity, file.clone());
            if procedure.number.is_some_and(|number| !numbers.insert(number)) {
                let sentence = "another file has this id; this procedure gets the next one that is free";
                let (field, line) = (Some("id".to_owned()), procedure.lines.get("id").copied());
                self.warnings.push(ImportError { field, line, ..ImportError::file(&file, sentence) });
                taken.push(ReadProcedure { number: None, ..procedure });
            } else {
                taken.push(procedure);
            }
        }
        let mut next = numbers.iter().map(|number| number + 1).chain([head.next_number]).max().unwrap_or(1);
        let mut archive =
            Archive { head, procedures: Vec::new(), plans: Vec::new(), methodologies: Vec::new() };
        for procedure in taken {
            let number = procedure.number.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            let digest = procedure.body.digest();
            archive.procedures.push(Procedure {
                identity: procedure.identity,
                number,
                written_from: procedure.written_from.unwrap_or(digest),
                is_retired: procedure.is_retired,
                origin: procedure.origin,
                body: procedure.body,
            });
        }
        archive.head.next_number = next;
        archive.procedures.sort_by_key(|procedure| procedure.number);
        let mut ids: HashMap<Uuid, String> = HashMap::new();
        let mut plan_places = HashMap::new();
        for (file, (plan, line)) in plans {
            let unknown = plan.content.procedures.iter().find(|id| !places.contains_key(id));
            let reason = if let Some(other) = ids.get(&plan.id) {
                Some(("uuid", format!("the uuid is already that of {other}")))
            } else if plan.content.title.trim().is_empty() {
                Some(("title", "it is empty".to_owned()))
            } else {
                unknown.map(|id| ("procedures", format!("no procedure of this archive has the uuid {id}")))
            };
            match reason {
                Some((field, sentence)) => self.refuse(&file, &plan.content.title, field, None, sentence),
                None => {
                    plan_places.insert((plan.id, plan.id), Place { file: file.clone(), line });
                    ids.insert(plan.id, file);
                    archive.plans.push(plan);
                }
            }
        }
        archive.plans.sort_by_key(|plan| (plan.content.title.to_lowercase(), plan.id));
        let terms = read_terms::judge(methodologies);
        archive.methodologies = terms.methodologies;
        self.refused.extend(terms.refused);
        let mut places = terms.places;
        places.extend(plan_places);
        ReadArchive { archive, refused: self.refused, warnings: self.warnings, held: self.held, places }
    }
}

/// The line of the first anchor or alias.
fn first_anchor(root: &Node) -> Option<usize> {
    use crate::imports::yaml::read::Value;
    let mut nodes = vec![root];
    while let Some(node) = nodes.pop() {
        if node.anchor.is_some() {
            return Some(node.line);
        }
        match &node.value {
            Value::Alias(_) => return Some(node.line),
            Value::List(list) => nodes.extend(list.iter().rev()),
            Value::Map(map) => nodes.extend(map.iter().rev().map(|(_, value)| value)),
            _ => {}
        }
    }
    None
}

fn name(object: &Object<'_, '_>, key: &str) -> String {
    let name = object.required_text(key);
    if is_longer(&name, NAME_MAX) {
        object.fault(key, line_of(object, key), format!("it has more than {NAME_MAX} characters"));
    }
    name
}

fn head(found: &Findings, node: &Node) -> Option<Head> {
    let object = Object::of(node, None, "", found)?;
    object.warn_of_others(&["format", "version", "name", "prefix", "type", "description", "next_number"]);
    let format = object.required_text("format");
    if object.find("format").is_some() && format != "tyrian-repository" {
        object.fault(
            "format",
            line_of(&object, "format"),
            format!("it is {format} and not tyrian-repository"),
        );
    }
    object.require("version");
    let version = object.number("version").unwrap_or(FORMAT);
    if version != FORMAT {
        let sentence = format!("this is version {version} of the format, and Tyrian reads {FORMAT}");
        object.fault("version", line_of(&object, "version"), sentence);
    }
    let prefix = object.required_text("prefix").to_uppercase();
    if object.find("prefix").is_some() && !is_prefix(&prefix) {
        object.fault("prefix", line_of(&object, "prefix"), "a prefix has 3 to 8 letters or digits");
    }
    let kind = object.text("type").unwrap_or_else(|| "open".to_owned());
    let kind = kind.parse::<RepositoryType>().ok().filter(|kind| *kind != RepositoryType::Curated);
    if kind.is_none() {
        object.fault("type", line_of(&object, "type"), "it is none of open, managed and private");
    }
    let name = name(&object, "name");
    if name.trim().is_empty() && object.find("name").is_some() {
        object.fault("name", line_of(&object, "name"), "it is empty");
    }
    let description = object.text("description").unwrap_or_default();
    if is_longer(&description, DESCRIPTION_MAX) {
        let sentence = format!("it has more than {DESCRIPTION_MAX} characters");
        object.fault("description", line_of(&object, "description"), sentence);
    }
    Some(Head {
        name,
        prefix,
        kind: kind?,
        description,
        next_number: object.number("next_number").unwrap_or(1).max(1),
    })
}

fn procedure(found: &Findings, node: &Node, prefix: &str) -> Option<ReadProcedure> {
    let object = Object::of(node, None, "", found)?;
    object.warn_of_others(&[
        "id",
        "uuid",
        "written_from",
        "name",
        "description",
        "techniques",
        "tags",
        "platforms",
        "emulates",
        "inputs",
        "steps",
        "expected",
        "recommendation",
        "references",
        "origin",
        "retired",
    ]);
    let number = object.text("id").and_then(|id| {
        let number = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|number| number.parse::<i32>().ok()).filter(|number| *number > 0);
        if number.is_none_or(|number| code(prefix, number) != id) {
            object.fault(
                "id",
                line_of(&object, "id"),
                format!("{id} is no id of this repository, such as {prefix}-12"),
            );
        }
        // The highest number has to leave room for the next.
        number.filter(|number| *number < i32::MAX / 2)
    });
    let inputs = object.list("inputs").iter().enumerate().filter_map(|(at, node)| {
        let input = object.inside(node, &format!("inputs[{at}]"))?;
        input.warn_of_others(&["name", "type", "default", "description"]);
        Some(Input {
            name: name(&input, "name"),
            kind: input.text("type").unwrap_or_else(|| "string".to_owned()),
            default: input.text("default"),
            description: input.text("description").unwrap_or_default(),
        })
    });
    let inputs = inputs.collect();
    let steps = steps(&object);
    let expected = object.find("expected").filter(|node| !node.is_null()).and_then(|node| {
        let expected = object.inside(node, "expected")?;
        expected.warn_of_others(&["prevented", "alerted", "logged", "minutes", "sentence"]);
        Some(Expected {
            prevented: expected.flag("prevented").unwrap_or_default(),
            alerted: expected.flag("alerted").unwrap_or_default(),
            logged: expected.flag("logged").unwrap_or_default(),
            minutes: expected.number("minutes"),
            sentence: expected.text("sentence").unwrap_or_default(),
        })
    });
    let references = object.list("references").iter().enumerate().filter_map(|(at, node)| {
        let reference = object.inside(node, &format!("references[{at}]"))?;
        reference.warn_of_others(&["title", "address"]);
        Some(Reference {
            title: reference.text("title").unwrap_or_default(),
            address: reference.required_text("address"),
        })
    });
    let body = ProcedureBody {
        name: name(&object, "name"),
        description: object.text("description").unwrap_or_default(),
        technique_ids: short_texts(&object, "techniques"),
        platforms: short_texts(&object, "platforms"),
        inputs,
        steps,
        recommendation: object.text("recommendation").unwrap_or_default(),
        tags: short_texts(&object, "tags"),
        expected: expected.unwrap_or_default(),
        references: references.collect(),
        emulates: short_texts(&object, "emulates"),
    };
    Some(ReadProcedure {
        number,
        written_from: digest(&object, "written_from"),
        is_retired: object.flag("retired").unwrap_or_default(),
        origin: object.text("origin").unwrap_or_default(),
        lines: ["uuid", "id", "name", "steps"]
            .into_iter()
            .filter_map(|field| Some((field, object.find(field)?.line)))
            .collect(),
        identity: uuid(&object, "uuid")?,
        body,
    })
}

fn steps(object: &Object<'_, '_>) -> Vec<Step> {
    object.require("steps");
    let mut ids = HashSet::new();
    let mut steps = Vec::new();
    for (at, node) in object.list("steps").iter().enumerate() {
        let Some(step) = object.inside(node, &format!("steps[{at}]")) else { continue };
        step.warn_of_others(&[
            "id",
            "kind",
            "description",
            "success_criteria",
            "executor",
            "platform",
            "elevated",
            "check",
            "command",
        ]);
        let word = step.required_text("kind");
        let kind = [StepKind::Prerequisite, StepKind::Step, StepKind::Cleanup]
            .into_iter()
            .find(|own| kind(*own) == word);
        if kind.is_none() && step.find("kind").is_some() {
            step.fault("kind", line_of(&step, "kind"), "it is none of prerequisite, step and cleanup");
        }
        let id = step.required_text("id");
        if step.find("id").is_some() && (id.is_empty() || is_longer(&id, ID_MAX)) {
            step.fault(
                "id",
                line_of(&step, "id"),
                format!("it is empty or has more than {ID_MAX} characters"),
            );
        } else if !ids.insert(id.clone()) {
            step.fault("id", line_of(&step, "id"), "another step of this procedure has it");
        }
        steps.push(Step {
            id,
            kind: kind.unwrap_or_default(),
            description: step.text("description").unwrap_or_default(),
            success_criteria: step.text("success_criteria"),
            command: step.text("command"),
            check_command: step.text("check"),
            executor: step.text("executor"),
            elevated: step.flag("elevated").unwrap_or_default(),
            platform: step.text("platform"),
        });
    }
    steps
}

/// A test plan and the line of its title.
fn plan(found: &Findings, node: &Node) -> Option<(TestPlan, usize)> {
    let object = Object::of(node, None, "", found)?;
    object.warn_of_others(&["uuid", "written_from", "title", "description", "tags", "procedures"]);
    object.require("procedures");
    let mut procedures = Vec::new();
    for (at, node) in object.list("procedures").iter().enumerate() {
        let Some(entry) = object.inside(node, &format!("procedures[{at}]")) else { continue };
        procedures.extend(uuid(&entry, "uuid"));
    }
    let content = PlanFields {
        title: name(&object, "title"),
        description: object.text("description").unwrap_or_default(),
        tags: short_texts(&object, "tags"),
        procedures,
    };
    let written_from = digest(&object, "written_from").unwrap_or_else(|| content.digest());
    let plan = TestPlan { id: uuid(&object, "uuid")?, written_from, content };
    Some((plan, line_of(&object, "title")))
}

#[cfg(test)]
mod tests {
    use super::super::file::{Methodology, MethodologyFields, Term};
    use super::super::write::{files, zip};
    use super::*;
    use crate::imports::archive::tests::zip_of;

    fn own() -> Methodology {
        let term = |n: u128, short_name: &str, tactics: &[u128]| Term {
            id: Uuid::from_u128(n),
            name: format!("Term {n}: \"x\""),
            short_name: short_name.into(),
            description: "Two\n\n- lines \u{202e}".into(),
            tags: vec!["a tag".into()],
            tactics: tactics.iter().map(|n| Uuid::from_u128(*n)).collect(),
        };
        let content = MethodologyFields {
            name: "Ours".into(),
            short_name: "OT / ICS".into(),
            tactics: vec![term(21, "web-recon", &[]), term(22, "after", &[])],
            techniques: vec![term(23, "OWN-1", &[21, 22]), term(24, "OWN-2", &[22])],
            ..MethodologyFields::default()
        };
        Methodology { id: Uuid::from_u128(20), written_from: content.digest(), content }
    }

    fn sample() -> Archive {
        let body = ProcedureBody {
            name: "Read: \"it\"".into(),
            description: "How.\n\n- and why\n".into(),
            technique_ids: vec!["T1003.001".into(), "OWN-1".into()],
            platforms: vec!["windows".into()],
            inputs: vec![
                Input {
                    name: "a".into(),
                    kind: "path".into(),
                    default: Some("C:\\x\r\n".into()),
                    ..Input::default()
                },
                Input { name: "b".into(), kind: "string".into(), ..Input::default() },
                Input {
                    name: "c".into(),
                    kind: "string".into(),
                    default: Some(String::new()),
                    ..Input::default()
                },
            ],
            steps: vec![
                Step {
                    id: "p1".into(),
                    kind: StepKind::Prerequisite,
                    check_command: Some("test -f x\n".into()),
                    ..Step::default()
                },
                Step {
                    id: "s1".into(),
                    description: "Run it".into(),
                    success_criteria: Some("It ran".into()),
                    command: Some("  dir \t \r\n\u{202e}x\n\n".into()),
                    executor: Some("command_prompt".into()),
                    elevated: true,
                    platform: Some("windows".into()),
                    ..Step::default()
                },
                Step {
                    id: "c1".into(),
                    kind: StepKind::Cleanup,
                    command: Some("rm x".into()),
                    ..Step::default()
                },
            ],
            recommendation: "Look.".into(),
            tags: vec!["a tag".into()],
            expected: Expected {
                alerted: true,
                minutes: Some(5),
                sentence: "Soon.".into(),
                ..Expected::default()
            },
            references: vec![Reference { title: "T".into(), address: "https://a.example".into() }],
            emulates: vec!["G0016".into()],
        };
        let other = ProcedureBody {
            name: "漢字".into(),
            steps: vec![Step { id: "s1".into(), ..Step::default() }],
            ..ProcedureBody::default()
        };
        let procedure = |n: u128, number, body: ProcedureBody| Procedure {
            identity: Uuid::from_u128(n),
            number,
            written_from: body.digest(),
            is_retired: number == 12,
            origin: if number == 12 { "Atomic Red Team, MIT License".into() } else { String::new() },
            body,
        };
        let content = PlanFields {
            title: "Plan".into(),
            description: "D".into(),
            tags: vec!["x".into()],
            procedures: vec![Uuid::from_u128(2), Uuid::from_u128(1)],
        };
        Archive {
            head: Head {
                name: "Highland".into(),
                prefix: "HLF".into(),
                kind: RepositoryType::Managed,
                description: "Ours.".into(),
                next_number: 14,
            },
            procedures: vec![procedure(1, 3, body), procedure(2, 12, other)],
            plans: vec![TestPlan { id: Uuid::from_u128(9), written_from: content.digest(), content }],
            methodologies: vec![own()],
        }
    }

    fn read_files(files: &[(String, String)]) -> Result<ReadArchive, String> {
        let entries: Vec<(&str, &[u8])> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        read_zip(&zip_of(&entries))
    }

    fn read_zip(bytes: &[u8]) -> Result<ReadArchive, String> {
        let source = Source::Zip { name: "a.zip".to_owned(), bytes: bytes.to_vec() };
        read(&source).map_err(|faults| faults.to_string())
    }

    #[test]
    fn an_archive_is_read_as_it_was_written_and_its_bytes_stay() {
        let packed = zip(&sample()).unwrap();
        let read = read_zip(&packed).unwrap();
        assert_eq!(read.archive, sample());
        assert_eq!((read.refused.len(), read.warnings.len()), (0, 0), "{:?}", read.warnings);
        assert_eq!(zip(&read.archive).unwrap(), packed);
        let names: Vec<String> = files(&sample()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "LICENSES",
                "README.md",
                "methodologies/ot-ics.yaml",
                "procedures/HLF-12-procedure.yaml",
                "procedures/HLF-3-read-it.yaml",
                "repository.yaml",
                "test-plans/plan.yaml"
            ]
        );
        let all = files(&sample());
        let text = |name: &str| all.iter().find(|(own, _)| own == name).unwrap().1.clone();
        assert!(text("LICENSES").ends_with("\nAtomic Red Team, MIT License\n  HLF-12\n"));
        let procedure = text("procedures/HLF-3-read-it.yaml");
        assert!(procedure.contains("    check: |\n      test -f x\n"), "{procedure}");
        assert!(procedure.contains("\\r\\n\\\n") && procedure.contains("\\u202E"), "{procedure}");
    }

    #[test]
    fn a_change_of_one_field_is_a_difference_of_its_lines() {
        let mut changed = sample();
        changed.procedures[0].body.steps[1].success_criteria = Some("It did not".into());
        let differing: Vec<(String, String)> = files(&sample())
            .into_iter()
            .zip(files(&changed))
            .flat_map(|((_, a), (_, b))| {
                let lines =
                    a.lines().map(str::to_owned).zip(b.lines().map(str::to_owned)).collect::<Vec<_>>();
                lines.into_iter().filter(|(a, b)| a != b)
            })
            .collect();
        assert_eq!(differing, [("      It ran".to_owned(), "      It did not".to_owned())]);
    }

    #[test]
    fn a_file_in_none_of_its_folders_is_named() {
        let mut all = files(&sample());
        all.push(("procedure/HLF-9-lost.yaml".to_owned(), "name: Lost\n".to_owned()));
        all.push((".github/workflows/check.yaml".to_owned(), "on: push\n".to_owned()));
        let read = read_files(&all).unwrap();
        let told: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
        assert!(matches!(&told[..], [one] if one.contains("HLF-9-lost.yaml")), "{told:?}");
    }

    #[test]
    fn faults_of_all_files_are_told_with_file_field_and_line() {
        let mut all = files(&sample());
        for (name, text) in &mut all {
            if name.ends_with("read-it.yaml") {
                *text = text.replace("kind: cleanup", "kind: never").replace("elevated: true", "elevated: 1");
            }
            if name == "repository.yaml" {
                *text = text.replace("prefix: HLF", "prefix: H");
            }
            if name.ends_with("plan.yaml") {
                *text = text.replace("title: Plan", "<<<<<<< ours\ntitle: Plan");
            }
        }
        let said = read_files(&all).unwrap_err();
        for part in [
            "repository.yaml, field prefix, line 4: a prefix has 3 to 8 letters or digits.",
            "procedures/HLF-3-read-it.yaml, field steps[1].elevated, line ",
            "field steps[2].kind, line ",
            "test-plans/plan.yaml, line ",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }

    #[test]
    fn objects_that_cannot_be_taken_are_refused_by_themselves() {
        let mut all = files(&sample());
        let copy = all.iter().find(|(name, _)| name.ends_with("read-it.yaml")).unwrap().1.clone();
        let lame = copy
            .replace("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-00000000000a")
            .replace("id: HLF-3", "id: HLF-4");
        let steps = lame.find("steps:").unwrap();
        let after = lame.find("expected:").unwrap();
        let lame = format!("{}steps: []\n{}", &lame[..steps], &lame[after..]);
        let clash =
            copy.replace("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-00000000000b");
        let line_of = |text: &str, key: &str| text.lines().position(|l| l.starts_with(key)).unwrap() + 1;
        let (copied, lamed) = (copy.clone(), lame.clone());
        all.push(("procedures/a-twin.yaml".to_owned(), copy));
        all.push(("procedures/b-lame.yaml".to_owned(), lame));
        all.push(("procedures/c-clash.yaml".to_owned(), clash));
        all.push((
            "test-plans/stray.yaml".to_owned(),
            "uuid: 00000000-0000-0000-0000-00000000000c\ntitle: Stray\nprocedures:\n  - uuid: \
                00000000-0000-0000-0000-0000000000ff\n"
                .to_owned(),
        ));
        let read = read_files(&all).unwrap();
        let refused: Vec<String> = read.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                format!(
                    "procedures/a-twin.yaml, Read: \"it\", field uuid, line {}: the uuid is already that of \
                        procedures/HLF-3-read-it.yaml.",
                    line_of(&copied, "uuid:")
                ),
                format!(
                    "procedures/b-lame.yaml, Read: \"it\", field steps, line {}: a procedure has at least \
                        one step.",
                    line_of(&lamed, "steps:")
                ),
                "test-plans/stray.yaml, Stray, field procedures: no procedure of this archive has the uuid \
                    00000000-0000-0000-0000-0000000000ff."
                    .to_owned(),
            ]
        );
        assert_eq!(read.held.len(), 2, "what is refused is not missing");
        assert!(read.warnings.iter().any(|w| w.to_string().contains("another file has this id")));
        let clash = read.archive.procedures.iter().find(|p| p.identity == Uuid::from_u128(11)).unwrap();
        assert_eq!(clash.number, 14);
        assert_eq!(read.archive.procedures.len(), 3);
    }

    #[test]
    fn terms_that_cannot_be_taken_are_refused_by_themselves_with_their_place() {
        let mut all = files(&sample());
        let (_, text) = all.iter_mut().find(|(name, _)| name.starts_with("methodologies/")).unwrap();
        *text = text
            .replace("short_name: after", "short_name: not one!")
            .replace("id: OWN-1", "id: T1003")
            .replace("  - id: OWN-2", "  - id: OWN-2\n    odd: 1");
        let text = text.clone();
        let line_of = |key: &str| {
            text.lines().position(|l| l.trim_start_matches([' ', '-']).starts_with(key)).unwrap() + 1
        };
        all.push(("methodologies/twin.yaml".to_owned(), text.clone()));
        let read = read_files(&all).unwrap();
        let refused: Vec<String> = read.refused.iter().map(ToString::to_string).collect();
        let file = "methodologies/ot-ics.yaml";
        assert_eq!(refused.len(), 4, "{refused:#?}");
        assert!(
            refused[0].starts_with(&format!(
                "{file}, tactic not one!, field short_name, line {}: a tactic’s short name is small letters",
                line_of("short_name: not")
            )),
            "{}",
            refused[0]
        );
        assert!(
            refused[1].starts_with(&format!(
                "{file}, technique T1003, field id, line {}: T1003 reads like an id of MITRE ATT&CK",
                line_of("id: T1003")
            )),
            "{}",
            refused[1]
        );
        assert!(refused[2].contains("technique OWN-2, field tactics, line "), "{}", refused[2]);
        assert_eq!(
            refused[3],
            format!(
                "methodologies/twin.yaml, methodology OT / ICS, field uuid, line 1: \
                    the uuid is already that of {file}."
            )
        );
        let [own] = &read.archive.methodologies[..] else { panic!("{:?}", read.archive.methodologies) };
        assert_eq!((own.content.tactics.len(), own.content.techniques.len()), (1, 0));
        assert!(read.warnings.iter().any(|w| w.to_string().contains("nobody knows this key")));
    }

    #[test]
    fn hostile_archives_are_refused() {
        let with = |name: &str, text: String| {
            let mut all = files(&sample());
            all.retain(|(own, _)| own != name);
            all.push((name.to_owned(), text));
            read_files(&all).unwrap_err()
        };
        let name = "procedures/x.yaml";
        for (text, expected) in [
            ("a: &a [x]\nb: *a\n".to_owned(), "x.yaml, line 1: an archive has neither anchors nor aliases"),
            (format!("a: {}", "[".repeat(10_000)), "procedures/x.yaml, line 1"),
            ("\u{feff}name: x\n".to_owned(), "x.yaml, line 1: it begins with a byte-order mark"),
            ("name: \"\\0\"\n".to_owned(), "U+0000"),
            ("name: !secret x\n".to_owned(), "the tag !secret is not known here"),
            ("uuid: nobody\nsteps: []\nname: x\n".to_owned(), "field uuid, line 1: nobody is no UUID"),
            ("x".repeat(5 * 1024 * 1024), "200 times"),
        ] {
            let said = with(name, text);
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        assert!(
            read_zip(&zip_of(&[("../repository.yaml", b"x")])).unwrap_err().contains("its path leads out")
        );
        assert!(read_zip(&zip_of(&[("notes.txt", b"x")])).unwrap_err().contains("no repository.yaml"));
        assert!(read_zip(b"PK").is_err());
        let mut linked = ::zip::write::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        linked
            .add_symlink("repository.yaml", "/etc/passwd", ::zip::write::SimpleFileOptions::default())
            .unwrap();
        assert!(read_zip(&linked.finish().unwrap().into_inner()).unwrap_err().contains("symbolic link"));
        let large = vec![0; 65 * 1024 * 1024];
        assert!(read_zip(&large).unwrap_err().contains("larger than 64 MiB"));
    }
}
