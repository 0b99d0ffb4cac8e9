//! Reads a test plan and holds it against every rule of the format. All faults are told at once, each with
//! its place; what is merely odd is a warning.

use std::collections::{HashMap, HashSet};

use super::file::{
    ENTRY_KEYS, Entry, PLAN_KEYS, PlanEntry, ProcedureEntry, REPOSITORY_KEYS, RepositoryEntry, StepEntry,
    TestPlanFile, is_cuid, read_known,
};
use super::legacy;
use crate::imports::domain::{Faults, ImportError, NAME_MAX, is_longer};
use crate::imports::findings::Findings;
use crate::imports::yaml::read::{Node, Object, Value, parse};

/// The largest file, in bytes; a real one of 200 procedures has 800 KB.
const FILE_MAX: usize = 16 * 1024 * 1024;

const TOP_KEYS: &[&str] =
    &["methodologies", "tactics", "techniques", "repositories", "procedures", "testPlan", "runbook"];

/// A test plan that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub file: TestPlanFile,
    pub warnings: Vec<ImportError>,
}

/// Reads a file of version 2, or of version 1 where it is one.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read(name: &str, bytes: &[u8]) -> Result<Plan, Faults> {
    if bytes.len() > FILE_MAX {
        let sentence = format!("it is larger than the {} MiB of a test plan", FILE_MAX >> 20);
        return Err(ImportError::file(name, sentence).into());
    }
    let root = parse(name, bytes, legacy::is_known_tag)?;
    let found = Findings::of(name);
    let Some(top) = Object::of(&root, None, "", &found) else {
        return Err(refused(found));
    };
    let file = if legacy::is_legacy(&top) {
        legacy::read(&top, &found)
    } else {
        // The tag of version 1 is none of version 2.
        parse(name, bytes, crate::imports::yaml::read::no_tag)?;
        let reading = Reading { found: &found, ids: HashMap::new() };
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        TestPlanFile { known: read_known(text), ..reading.document(&root, &top) }
    };
    Ok(Plan { file, warnings: found.done()? })
}

fn refused(found: Findings) -> Faults {
    match found.done() {
        Err(faults) => faults,
        Ok(_) => Faults(Vec::new()),
    }
}

struct Reading<'f> {
    found: &'f Findings,
    /// Each id with the object that has it.
    ids: HashMap<String, String>,
}

/// The references of one object, judged when all ids are known.
struct References {
    object: String,
    field: &'static str,
    noun: &'static str,
    ids: Vec<(String, usize)>,
    line: usize,
}

impl<'f> Reading<'f> {
    fn document(mut self, root: &Node, top: &Object<'_, 'f>) -> TestPlanFile {
        self.check_anchors(root);
        top.warn_of_others(TOP_KEYS);
        let mut references = Vec::new();
        let mut file = TestPlanFile::default();
        for (at, node) in self.section(top, "methodologies").iter().enumerate() {
            file.methodologies.extend(self.parent(node, "methodologies", at, None, &mut references));
        }
        for (at, node) in self.section(top, "tactics").iter().enumerate() {
            let parents = Some(("methodologyIds", "methodology"));
            file.tactics.extend(self.parent(node, "tactics", at, parents, &mut references));
        }
        for (at, node) in self.section(top, "techniques").iter().enumerate() {
            let parents = Some(("tacticIds", "tactic"));
            file.techniques.extend(self.parent(node, "techniques", at, parents, &mut references));
        }
        for (at, node) in self.section(top, "repositories").iter().enumerate() {
            file.repositories.extend(self.repository(node, at));
        }
        for (at, node) in self.section(top, "procedures").iter().enumerate() {
            file.procedures.extend(self.procedure(node, at, &mut references));
        }
        file.plan = self.plan(top, &mut references);
        self.check_runbook(top);
        self.check_references(&file, &references);
        self.check_short_names(&file);
        file
    }

    /// The elements of a list of the document, which has to be there.
    fn section<'n>(&self, top: &Object<'n, 'f>, key: &str) -> &'n [Node] {
        top.require(key);
        if top.find(key).is_some_and(Node::is_null) {
            top.fault(key, top.line(), "it is nothing where a list is expected");
        }
        top.list(key)
    }

    /// `procedures[3] "Name"`, or with its short name where it has no name.
    fn object<'n>(&self, node: &'n Node, section: &str, at: usize) -> Option<Object<'n, 'f>> {
        let text = |key: &str| {
            let fields = node.as_map()?;
            let (_, value) = fields.iter().find(|(own, _)| own == key)?;
            value.as_text().filter(|text| !text.is_empty())
        };
        let name = match text("name").or_else(|| text("shortName")) {
            Some(label) => format!("{section}[{at}] \"{label}\""),
            None => format!("{section}[{at}]"),
        };
        Object::of(node, Some(name), "", self.found)
    }

    fn id(&mut self, object: &Object<'_, '_>) -> String {
        let id = object.required_text("id");
        let Some(node) = object.find("id") else { return id };
        let place = object.name().unwrap_or("testPlan").to_owned();
        if !is_cuid(&id) {
            object.fault(
                "id",
                node.line,
                format!("{id} is not an id: a c and 24 lower-case letters or digits"),
            );
        } else if let Some(other) = self.ids.get(&id) {
            object.fault("id", node.line, format!("the id {id} is already that of {other}"));
        } else {
            self.ids.insert(id.clone(), place);
        }
        id
    }

    fn check_tags(&self, object: &Object<'_, '_>) {
        if let Some(node) = object.require("tags")
            && node.as_list().is_none_or(|tags| !tags.is_empty())
        {
            object.fault("tags", node.line, "it has to be an empty list; tags are given after the import");
        }
    }

    fn name(&self, object: &Object<'_, '_>, key: &str) -> String {
        let name = object.required_text(key);
        if is_longer(&name, NAME_MAX) {
            object.fault(key, object.line(), format!("it has more than {NAME_MAX} characters"));
        }
        name
    }

    fn entry(&mut self, object: &Object<'_, '_>) -> Entry {
        let id = self.id(object);
        for key in ["sourceId", "sourceKey", "sourceValue"] {
            object.require(key);
        }
        object.require("isEditable");
        self.check_tags(object);
        Entry {
            id,
            name: self.name(object, "name"),
            short_name: self.name(object, "shortName"),
            description: object.required_text("description"),
            origin: object.required_text("origin"),
            is_editable: object.flag("isEditable").unwrap_or_default(),
            source_id: object.text("sourceId"),
            source_key: object.text("sourceKey"),
            source_value: object.text("sourceValue"),
            parents: Vec::new(),
        }
    }

    fn parents(
        &self,
        object: &Object<'_, '_>,
        field: &'static str,
        noun: &'static str,
        references: &mut Vec<References>,
    ) -> Vec<String> {
        let line = object.require(field).map_or(object.line(), |node| node.line);
        let ids = object.texts(field);
        let parents = ids.iter().map(|(id, _)| id.clone()).collect();
        let object = object.name().unwrap_or("testPlan").to_owned();
        references.push(References { object, field, noun, ids, line });
        parents
    }

    fn parent(
        &mut self,
        node: &Node,
        section: &'static str,
        at: usize,
        parents: Option<(&'static str, &'static str)>,
        references: &mut Vec<References>,
    ) -> Option<Entry> {
        let object = self.object(node, section, at)?;
        let mut entry = self.entry(&object);
        let mut known = ENTRY_KEYS.to_vec();
        if let Some((field, noun)) = parents {
            known.push(field);
            entry.parents = self.parents(&object, field, noun, references);
        }
        object.warn_of_others(&known);
        Some(entry)
    }

    fn repository(&mut self, node: &Node, at: usize) -> Option<RepositoryEntry> {
        let object = self.object(node, "repositories", at)?;
        object.warn_of_others(REPOSITORY_KEYS);
        object.require("isEditable");
        Some(RepositoryEntry {
            id: self.id(&object),
            name: self.name(&object, "name"),
            short_name: self.name(&object, "shortName"),
            description: object.required_text("description"),
            kind: object.required_text("type"),
            origin: object.required_text("origin"),
            is_editable: object.flag("isEditable").unwrap_or_default(),
        })
    }

    fn procedure(
        &mut self,
        node: &Node,
        at: usize,
        references: &mut Vec<References>,
    ) -> Option<ProcedureEntry> {
        let object = self.object(node, "procedures", at)?;
        let mut entry = self.entry(&object);
        let known: Vec<_> =
            ENTRY_KEYS.iter().copied().chain(["repositoryId", "executionSteps", "techniqueIds"]).collect();
        object.warn_of_others(&known);
        if entry.name.trim().is_empty() && object.find("name").is_some() {
            object.fault("name", object.line(), "it is empty");
        }
        if entry.description.trim().is_empty()
            && let Some(node) = object.find("description")
        {
            object.warn("description", node.line, "it is empty");
        }
        let line = object.require("repositoryId").map_or(object.line(), |node| node.line);
        let repository = object.text("repositoryId").unwrap_or_default();
        references.push(References {
            object: object.name().unwrap_or_default().to_owned(),
            field: "repositoryId",
            noun: "repository",
            ids: vec![(repository.clone(), line)],
            line,
        });
        entry.parents = self.parents(&object, "techniqueIds", "technique", references);
        Some(ProcedureEntry { entry, repository, steps: self.steps(&object) })
    }

    fn steps(&self, object: &Object<'_, '_>) -> Vec<StepEntry> {
        let Some(node) = object.require("executionSteps") else { return Vec::new() };
        let list = object.list("executionSteps");
        if list.is_empty() && (node.is_null() || node.as_list().is_some()) {
            object.fault("executionSteps", node.line, "it is empty; a procedure has at least one step");
        }
        let mut steps = Vec::new();
        for (at, node) in list.iter().enumerate() {
            let Some(step) = object.inside(node, &format!("executionSteps[{at}]")) else { continue };
            step.warn_of_others(&["description", "successCriteria"]);
            let description = step.text("description").unwrap_or_default();
            if description.trim().is_empty() {
                let line = step.find("description").map_or(step.line(), |node| node.line);
                let is_there = step.find("description").is_some();
                step.fault("description", line, if is_there { "it is empty" } else { "it is missing" });
            }
            steps.push(StepEntry { description, success_criteria: step.text("successCriteria") });
        }
        steps
    }

    fn plan(&mut self, top: &Object<'_, 'f>, references: &mut Vec<References>) -> PlanEntry {
        let Some(object) = top
            .require("testPlan")
            .and_then(|node| Object::of(node, Some("testPlan".to_owned()), "", self.found))
        else {
            return PlanEntry::default();
        };
        object.warn_of_others(PLAN_KEYS);
        self.check_tags(&object);
        object.require("isEditable");
        let title = self.name(&object, "title");
        if title.trim().is_empty() && object.find("title").is_some() {
            object.fault("title", object.line(), "it is empty");
        }
        PlanEntry {
            id: self.id(&object),
            title,
            description: object.required_text("description"),
            kind: object.required_text("type"),
            origin: object.required_text("origin"),
            is_editable: object.flag("isEditable").unwrap_or_default(),
            procedures: self.parents(&object, "procedureIds", "procedure", references),
        }
    }

    /// The one anchor is `ref_0`, and it stands on the test plan.
    fn check_anchors(&self, root: &Node) {
        let plan = root.as_map().unwrap_or_default().iter().find(|(key, _)| key == "testPlan");
        let plan = plan.and_then(|(_, node)| node.anchor.as_ref()).map(|(id, _)| *id);
        let mut nodes = vec![root];
        while let Some(node) = nodes.pop() {
            if let Some((id, name)) = &node.anchor {
                let place = Some(node.line);
                if name != "ref_0" {
                    let sentence = format!("the anchor &{name} is not allowed; the one anchor is &ref_0");
                    self.found.fault(None, None, place, sentence);
                } else if Some(*id) != plan {
                    self.found.fault(None, None, place, "the anchor &ref_0 belongs on testPlan alone");
                }
            }
            match &node.value {
                Value::List(list) => nodes.extend(list),
                Value::Map(map) => nodes.extend(map.iter().map(|(_, value)| value)),
                _ => {}
            }
        }
    }

    fn check_runbook(&self, top: &Object<'_, '_>) {
        let Some(runbook) = top.require("runbook") else { return };
        let plan = top.find("testPlan").and_then(|node| node.anchor.as_ref()).map(|(id, _)| *id);
        match runbook.value {
            Value::Alias(id) if Some(id) == plan => {}
            Value::Alias(_) => {
                top.fault("runbook", runbook.line, "it is an alias of something else than testPlan");
            }
            _ => {
                let sentence = "it is a copy; it has to be the alias *ref_0 of testPlan: &ref_0";
                top.fault("runbook", runbook.line, sentence);
            }
        }
    }

    fn check_references(&self, file: &TestPlanFile, references: &[References]) {
        let of = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<HashSet<_>>();
        let known: HashMap<&str, HashSet<String>> = HashMap::from([
            ("methodology", of(&file.methodologies)),
            ("tactic", of(&file.tactics)),
            ("technique", of(&file.techniques)),
            ("repository", file.repositories.iter().map(|entry| entry.id.clone()).collect()),
            ("procedure", file.procedures.iter().map(|procedure| procedure.entry.id.clone()).collect()),
        ]);
        for References { object, field, noun, ids, line } in references {
            for (at, (id, line)) in ids.iter().enumerate() {
                if !known[noun].contains(id) {
                    let field =
                        if *field == "repositoryId" { (*field).to_owned() } else { format!("{field}[{at}]") };
                    let sentence = format!("no {noun} of this file has the id {id}");
                    self.found.fault(Some(object), Some(&field), Some(*line), sentence);
                }
            }
            let is_parent = ["methodologyIds", "tacticIds", "techniqueIds"].contains(field);
            if ids.is_empty() && is_parent {
                self.found.warn(Some(object), Some(field), Some(*line), "it is empty");
            }
        }
        let listed: HashSet<_> = file.plan.procedures.iter().collect();
        for (at, procedure) in file.procedures.iter().enumerate() {
            if !listed.contains(&procedure.entry.id) {
                let object = format!("procedures[{at}] \"{}\"", procedure.entry.name);
                let sentence =
                    "the test plan does not name it; it comes into the library and not into the plan";
                self.found.warn(Some(&object), None, None, sentence);
            }
        }
        if listed.len() < file.plan.procedures.len() {
            let sentence = "it names a procedure twice; the second time is left out";
            self.found.warn(Some("testPlan"), Some("procedureIds"), None, sentence);
        }
    }

    fn check_short_names(&self, file: &TestPlanFile) {
        let names = |entries: &[Entry]| {
            entries.iter().map(|entry| (entry.short_name.clone(), entry.name.clone())).collect::<Vec<_>>()
        };
        let procedures: Vec<_> = file
            .procedures
            .iter()
            .map(|procedure| (procedure.entry.short_name.clone(), procedure.entry.name.clone()))
            .collect();
        let repositories: Vec<_> = file
            .repositories
            .iter()
            .map(|repository| (repository.short_name.clone(), repository.name.clone()))
            .collect();
        for (section, entries) in [
            ("methodologies", names(&file.methodologies)),
            ("tactics", names(&file.tactics)),
            ("techniques", names(&file.techniques)),
            ("repositories", repositories),
            ("procedures", procedures),
        ] {
            let mut seen: HashMap<String, usize> = HashMap::new();
            for (at, (short_name, name)) in entries.into_iter().enumerate() {
                if short_name.is_empty() {
                    continue;
                }
                if let Some(first) = seen.get(&short_name) {
                    let object = format!("{section}[{at}] \"{name}\"");
                    let sentence = format!("{section}[{first}] has the short name {short_name} as well");
                    self.found.warn(Some(&object), Some("shortName"), None, sentence);
                } else {
                    seen.insert(short_name, at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::write;
    use std::collections::BTreeMap;

    use super::*;

    fn id(letter: char) -> String {
        format!("c{}", letter.to_string().repeat(24))
    }

    fn entry(letter: char, name: &str, parents: &[char]) -> Entry {
        Entry {
            id: id(letter),
            name: name.to_owned(),
            short_name: format!("{name}-1"),
            description: "Words".to_owned(),
            origin: "custom".to_owned(),
            is_editable: true,
            parents: parents.iter().map(|letter| id(*letter)).collect(),
            ..Entry::default()
        }
    }

    fn sample() -> TestPlanFile {
        TestPlanFile {
            known: BTreeMap::from([(id('a'), [7; 32])]),
            methodologies: vec![entry('m', "Method", &[])],
            tactics: vec![entry('t', "Tactic", &['m'])],
            techniques: vec![entry('q', "Technique", &['t'])],
            repositories: vec![RepositoryEntry {
                id: id('r'),
                name: "Repository".to_owned(),
                short_name: "REP".to_owned(),
                description: "Words".to_owned(),
                kind: "open".to_owned(),
                origin: "custom".to_owned(),
                is_editable: true,
            }],
            procedures: vec![ProcedureEntry {
                entry: entry('p', "Procedure", &['q']),
                repository: id('r'),
                steps: vec![StepEntry {
                    description: "Do\tit\r\n\u{202e}now".to_owned(),
                    success_criteria: Some("Done".to_owned()),
                }],
            }],
            plan: PlanEntry {
                id: id('z'),
                title: "Plan: \"one\"".to_owned(),
                description: "Words\nand more".to_owned(),
                kind: "open".to_owned(),
                origin: "custom".to_owned(),
                is_editable: true,
                procedures: vec![id('p')],
            },
        }
    }

    fn read_text(text: &str) -> Result<Plan, String> {
        read("p.yaml", text.as_bytes()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn what_is_written_is_read_back_equal_and_clean() {
        let text = write(&sample());
        let plan = read_text(&text).unwrap();
        assert_eq!(plan.file, sample());
        assert_eq!(plan.warnings, []);
        assert!(!text.contains('\t'), "no tab anywhere");
        let keys: Vec<&str> = text.lines().filter(|line| !line.starts_with([' ', '-', '#'])).collect();
        assert_eq!(
            keys,
            [
                "methodologies:",
                "tactics:",
                "techniques:",
                "repositories:",
                "procedures:",
                "testPlan: &ref_0",
                "runbook: *ref_0"
            ]
        );
        assert_eq!(text.matches('&').count(), 1, "one anchor");
    }

    /// The line on which a text stands.
    fn line_of(text: &str, part: &str) -> usize {
        1 + text[..text.find(part).unwrap_or_else(|| panic!("{part} in {text}"))].matches('\n').count()
    }

    #[test]
    fn every_rule_refuses_with_its_place() {
        let whole = write(&sample());
        let p = id('p');
        // What is replaced, by what, what is said, and the text on whose line it is said.
        let cases: &[(&str, &str, &str, &str)] = &[
            ("runbook: *ref_0", "runbook:\n  id: x", "field runbook, line {}: it is a copy", "  id: x"),
            ("runbook: *ref_0\n", "", "field runbook, line 1: it is missing", "methodologies"),
            ("  - id: cq", "  - &ref_0\n    id: cq", "the anchor &ref_0 belongs on testPlan alone", "&ref_0"),
            ("methodologies:\n", "methodologies: &a\n", "line {}: the anchor &a is not allowed", "- id: cm"),
            (
                "    sourceKey: null\n",
                "",
                "methodologies[0] \"Method\", field sourceKey, line {}: it is missing",
                "- id: cm",
            ),
            (
                "    origin: custom\n",
                "",
                "methodologies[0] \"Method\", field origin, line {}: it is missing",
                "- id: cm",
            ),
            ("    isEditable: true\n", "", "field isEditable, line {}: it is missing", "- id: cm"),
            (
                "    isEditable: true\n",
                "    isEditable: perhaps\n",
                "isEditable, line {}: it is text where true or false",
                "perhaps",
            ),
            ("- id: cmmm", "- id: Cmmm", "field id, line {}: Cmmm", "Cmmm"),
            ("- id: cmmm", "- id: cmm", "is not an id", "- id: cmm"),
            ("  - id: cq", "  - id: c", "is not an id", "methodologies"),
            (
                "    tags: []\n",
                "    tags: [x]\n",
                "field tags, line {}: it has to be an empty list",
                "tags: [x]",
            ),
            ("    tags: []\n", "    tags: x\n", "field tags, line {}: it has to be an empty list", "tags: x"),
            ("    tags: []\n", "", "field tags, line {}: it is missing", "- id: cm"),
            (
                "      - cmmmmmmmmmmmmmmmmmmmmmmmm",
                "      - cxxxxxxxxxxxxxxxxxxxxxxxx",
                "tactics[0] \"Tactic\", field methodologyIds[0], line {}: no methodology of this file has \
                    the id cxx",
                "- cxx",
            ),
            (
                "    repositoryId: cr",
                "    repositoryId: cx",
                "field repositoryId, line {}: no repository",
                "repositoryId",
            ),
            ("procedures:\n  - ", "procedures:\n  - ", "", ""),
            ("tactics:\n", "tactic:\n", "field tactics, line 1: it is missing", "methodologies"),
        ];
        for (from, to, expected, on) in cases.iter().filter(|case| !case.2.is_empty()) {
            let text = whole.replacen(from, to, 1);
            assert_ne!(&text, &whole, "{from}");
            let said = read_text(&text).unwrap_err();
            let expected = expected.replace("{}", &line_of(&text, on).to_string());
            assert!(said.contains(&expected), "{from} → {to}: {expected}\n{said}");
        }
        let renamed = whole.replace("ref_0", "plan");
        let said = read_text(&renamed).unwrap_err();
        let at = line_of(&renamed, "testPlan") + 1;
        assert!(said.contains(&format!("line {at}: the anchor &plan is not allowed")), "{said}");
        let twice = whole.replacen(&id('q'), &p, 1);
        assert!(
            read_text(&twice).unwrap_err().contains("is already that of techniques[0]"),
            "ids are unique across lists"
        );
        let file = |change: fn(&mut TestPlanFile)| {
            let mut file = sample();
            change(&mut file);
            read_text(&write(&file)).unwrap_err()
        };
        assert!(file(|file| file.procedures[0].steps.clear()).contains("executionSteps, line"));
        assert!(
            file(|file| file.procedures[0].steps[0].description = " ".into())
                .contains("executionSteps[0].description")
        );
        let said = whole.replace("      - description: \"Do", "      - text: \"Do");
        assert!(read_text(&said).unwrap_err().contains("field executionSteps[0].description, line"));
        let said = file(|file| file.plan.procedures.push("cyyyyyyyyyyyyyyyyyyyyyyyy".into()));
        assert!(said.contains("testPlan, field procedureIds[1]"), "{said}");
        assert!(
            read_text(&format!("\u{feff}{whole}"))
                .unwrap_err()
                .contains("line 1: it begins with a byte-order mark")
        );
        let tabbed = whole.replacen("    name: Tactic", "\tname: Tactic", 1);
        let said = read_text(&tabbed).unwrap_err();
        assert!(
            said.contains(&format!("line {}: a tab is used for indentation", line_of(&tabbed, "\tname"))),
            "{said}"
        );
        assert!(read_text("a: [").unwrap_err().contains("line"));
        assert!(read_text("- a").unwrap_err().contains("it is a list where a map is expected"));
        assert!(read_text("").is_err());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text =
            write(&sample()).replacen("    origin: custom\n", "", 2).replacen("tags: []", "tags: [x]", 1);
        let faults = read("p.yaml", text.as_bytes()).unwrap_err();
        assert_eq!(faults.0.len(), 3, "{faults}");
    }

    #[test]
    fn what_is_odd_is_a_warning() {
        let warned = |text: &str| {
            let plan = read_text(text).unwrap();
            plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let whole = write(&sample());
        assert!(
            warned(&whole.replacen("    tags: []\n", "    tags: []\n    colour: red\n", 1))
                .contains("field colour, line")
        );
        assert!(warned(&whole.replacen("runbook:", "extra: 1\nrunbook:", 1)).contains("field extra, line"));
        let file = |change: fn(&mut TestPlanFile)| {
            let mut file = sample();
            change(&mut file);
            warned(&write(&file))
        };
        assert!(file(|file| file.procedures[0].entry.parents.clear()).contains("techniqueIds, line"));
        assert!(file(|file| file.tactics[0].parents.clear()).contains("methodologyIds, line"));
        assert!(file(|file| file.plan.procedures.clear()).contains("the test plan does not name it"));
        assert!(
            file(|file| file.procedures[0].entry.description = " ".into())
                .contains("field description, line")
        );
        assert!(
            file(|file| {
                let mut other = file.tactics[0].clone();
                other.id = id('u');
                file.tactics.push(other);
            })
            .contains(
                "tactics[1] \"Tactic\", field shortName: tactics[0] has the short name Tactic-1 as well"
            )
        );
    }

    #[test]
    fn version_1_is_read_with_its_html_and_its_parents() {
        let text = "\
            title: Old plan\nversion: 1\n\
            methodology: &ref_0\n  id: m1\n  name: ATT&CK\n  description: d\n  \
            shortName: ATTACK\n  depth: 0\n\
            tactics:\n  - &ref_1\n    id: t1\n    name: Execution\n    shortName: TA0002\n    depth: 0\n    \
            parents:\n      - *ref_0\n      - *ref_0\n    \
            categories: !<tag:yaml.org,2002:js/undefined> ''\n\
            techniques:\n  - &ref_2\n    id: q1\n    name: Shell\n    shortName: T1059\n    depth: 1\n    \
            parents: [*ref_1]\n\
            procedures:\n  - id: p1\n    name: Run\n    shortName: P1\n    \
            description: <p>How &amp; why</p>\n    depth: 2\n    parents: [*ref_2, *ref_2]\n    \
            executionSteps:\n      - <p>One <strong>two</strong></p><p><img src=\"x\"></p>\n";
        let plan = read_text(text).unwrap();
        let (imported, warnings) = super::super::convert::imported("p.yaml", &plan.file);
        assert_eq!(imported.title, "Old plan");
        let [procedure] = &imported.procedures[..] else { panic!("one") };
        assert_eq!(procedure.body.technique_ids, ["T1059"]);
        assert_eq!(procedure.body.description, "How & why");
        assert_eq!(procedure.body.steps[0].description, "One **two**");
        assert!(warnings[0].to_string().contains("1 image that is left out"), "{warnings:?}");
        assert_eq!(imported.order, [0]);
        let v2 = write(&sample()).replacen("name: Method", "name: !<tag:yaml.org,2002:js/undefined> ''", 1);
        assert!(read_text(&v2).unwrap_err().contains("is not known here"), "the tag is version 1's alone");
        let broken = text.replace("[*ref_2, *ref_2]", "[null]");
        assert!(read_text(&broken).unwrap_err().contains("field parents[0], line"));
    }

    #[test]
    fn hostile_files_are_refused_quickly() {
        let whole = write(&sample());
        for (text, expected) in [
            (format!("x: {}\n{whole}", "[".repeat(10_000)), "line 1"),
            (whole.replacen("name: Method", "name: \"a\\0b\"", 1), "U+0000"),
            (whole.replacen("name: Method", &format!("name: {}", "x".repeat(70_000)), 1), "65536"),
            (whole.replacen("name: Method", "name: !!python/object:os.system x", 1), "is not known here"),
        ] {
            let said = read_text(&text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
        let large = vec![b'a'; FILE_MAX + 1];
        assert!(read("p.yaml", &large).unwrap_err().to_string().contains("larger than the 16 MiB"));
        assert!(read("p.yaml", b"a: \xff").unwrap_err().to_string().contains("line 1: it is not UTF-8"));
    }
}
