//! Test plans of version 1: one methodology, and tactics, techniques and procedures that name their parents
//! by YAML aliases, some of them twice. Steps are HTML.

use std::collections::HashMap;

use super::file::{Entry, PlanEntry, ProcedureEntry, RepositoryEntry, StepEntry, TestPlanFile};
use crate::imports::domain::{NAME_MAX, is_longer};
use crate::imports::findings::Findings;
use crate::imports::yaml::read::{Node, Object, Value};

/// What a program wrote for a value that it did not have.
pub fn is_known_tag(tag: &str) -> bool {
    tag == "tag:yaml.org,2002:js/undefined"
}

/// Whether a document is of version 1: it has a methodology of its own and none of version 2's lists.
pub fn is_legacy(top: &Object<'_, '_>) -> bool {
    top.find("methodology").is_some() && top.find("testPlan").is_none() && top.find("methodologies").is_none()
}

const KEYS: &[&str] = &[
    "id",
    "name",
    "shortName",
    "description",
    "depth",
    "parents",
    "executionSteps",
    "categories",
    "tags",
    "title",
    "successCriteria",
];

/// The same as version 2 says it.
pub fn read(top: &Object<'_, '_>, found: &Findings) -> TestPlanFile {
    let mut reading = Reading { found, anchors: HashMap::new() };
    top.warn_of_others(&[
        "title",
        "version",
        "description",
        "methodology",
        "tactics",
        "techniques",
        "procedures",
    ]);
    let sections = ["tactics", "techniques", "procedures"].map(|section| (section, top.list(section)));
    for (section, _) in &sections {
        top.require(section);
    }
    if let Some(node) = top.find("methodology") {
        reading.note(node, "methodology");
    }
    for (section, list) in &sections {
        for (at, node) in list.iter().enumerate() {
            reading.note(node, &format!("{section}[{at}]"));
        }
    }
    let mut file = TestPlanFile::default();
    if let Some(node) = top.find("methodology")
        && let Some(object) = Object::of(node, Some("methodology".to_owned()), "", found)
    {
        file.methodologies.push(reading.entry(&object, "methodology"));
    }
    let [(_, tactics), (_, techniques), (_, procedures)] = sections;
    for (at, node) in tactics.iter().enumerate() {
        file.tactics
            .extend(reading.object(node, "tactics", at).map(|(object, key)| reading.entry(&object, &key)));
    }
    for (at, node) in techniques.iter().enumerate() {
        file.techniques
            .extend(reading.object(node, "techniques", at).map(|(object, key)| reading.entry(&object, &key)));
    }
    for (at, node) in procedures.iter().enumerate() {
        if let Some((object, key)) = reading.object(node, "procedures", at) {
            file.procedures.extend(reading.procedure(&object, &key));
        }
    }
    let methodology = file.methodologies.first().cloned().unwrap_or_default();
    file.repositories.push(RepositoryEntry {
        id: "repository".to_owned(),
        name: methodology.name,
        short_name: methodology.short_name,
        description: String::new(),
        kind: "open".to_owned(),
        origin: String::new(),
        is_editable: true,
    });
    let title = top.required_text("title");
    if title.trim().is_empty() && top.find("title").is_some() {
        top.fault("title", top.line(), "it is empty");
    }
    file.plan = PlanEntry {
        id: format!("v1:{title}"),
        title,
        description: top.text("description").unwrap_or_default(),
        procedures: file.procedures.iter().map(|procedure| procedure.entry.id.clone()).collect(),
        ..PlanEntry::default()
    };
    file
}

struct Reading<'f> {
    found: &'f Findings,
    /// The key of the object that an anchor stands on.
    anchors: HashMap<usize, String>,
}

/// The id of an object, or its place where it has none.
fn key_of(node: &Node, place: &str) -> String {
    let id = node.as_map().and_then(|map| map.iter().find(|(key, _)| key == "id"));
    let id = id.and_then(|(_, node)| node.as_text()).filter(|id| !id.trim().is_empty());
    id.unwrap_or(place).to_owned()
}

impl<'f> Reading<'f> {
    /// Remembers the anchors on an object, and on parents that are written out inside of it.
    fn note(&mut self, node: &Node, place: &str) {
        if let Some((id, _)) = node.anchor {
            self.anchors.insert(id, key_of(node, place));
        }
        let parents = node.as_map().and_then(|map| map.iter().find(|(key, _)| key == "parents"));
        for parent in parents.and_then(|(_, list)| list.as_list()).unwrap_or_default() {
            if parent.as_map().is_some() {
                self.note(parent, place);
            }
        }
    }

    fn object<'n>(&self, node: &'n Node, section: &str, at: usize) -> Option<(Object<'n, 'f>, String)> {
        let place = format!("{section}[{at}]");
        let name = node.as_map().and_then(|map| map.iter().find(|(key, _)| key == "name"));
        let name = match name.and_then(|(_, node)| node.as_text()) {
            Some(name) => format!("{place} \"{name}\""),
            None => place.clone(),
        };
        Some((Object::of(node, Some(name), "", self.found)?, key_of(node, &place)))
    }

    fn entry(&self, object: &Object<'_, '_>, key: &str) -> Entry {
        object.warn_of_others(KEYS);
        let name = object.required_text("name");
        if is_longer(&name, NAME_MAX) {
            object.fault("name", object.line(), format!("it has more than {NAME_MAX} characters"));
        }
        let mut parents = Vec::new();
        for (at, parent) in object.list("parents").iter().enumerate() {
            let key = match &parent.value {
                Value::Alias(id) => self.anchors.get(id).cloned(),
                Value::Map(_) => Some(key_of(parent, key)),
                Value::Text(id) | Value::Plain(id) => Some(id.clone()),
                _ => None,
            };
            match key {
                Some(key) if !parents.contains(&key) => parents.push(key),
                Some(_) => {}
                None => object.fault(&format!("parents[{at}]"), parent.line, "it names nothing of this file"),
            }
        }
        Entry {
            id: key.to_owned(),
            name,
            short_name: object.text("shortName").unwrap_or_default(),
            description: object.text("description").unwrap_or_default(),
            is_editable: true,
            parents,
            ..Entry::default()
        }
    }

    fn procedure(&self, object: &Object<'_, '_>, key: &str) -> Option<ProcedureEntry> {
        let entry = self.entry(object, key);
        if entry.name.trim().is_empty() {
            object.fault("name", object.line(), "it is empty");
        }
        let steps = object.texts("executionSteps");
        if steps.is_empty() {
            let line = object.find("executionSteps").map_or(object.line(), |node| node.line);
            object.fault("executionSteps", line, "it is empty; a procedure has at least one step");
        }
        let steps = steps
            .into_iter()
            .enumerate()
            .map(|(at, (description, line))| {
                if description.trim().is_empty() {
                    object.fault(&format!("executionSteps[{at}]"), line, "it is empty");
                }
                StepEntry { description, success_criteria: None }
            })
            .collect();
        Some(ProcedureEntry { entry, repository: "repository".to_owned(), steps })
    }
}
