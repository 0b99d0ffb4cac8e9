//! Writes a test plan of version 2, with nothing in it that its reader would refuse or warn about: no tab,
//! one anchor, every parent that anything names.

use super::file::{Entry, TestPlanFile, known_lines};
use crate::imports::yaml::write::Writer;

pub fn write(file: &TestPlanFile) -> String {
    let mut yaml = Writer::without_tabs();
    yaml.list("methodologies", &file.methodologies, entry);
    yaml.list("tactics", &file.tactics, |yaml, tactic| {
        entry(yaml, tactic);
        ids(yaml, "methodologyIds", &tactic.parents);
    });
    yaml.list("techniques", &file.techniques, |yaml, technique| {
        entry(yaml, technique);
        ids(yaml, "tacticIds", &technique.parents);
    });
    yaml.list("repositories", &file.repositories, |yaml, repository| {
        yaml.text("id", &repository.id);
        yaml.text("name", &repository.name);
        yaml.text("shortName", &repository.short_name);
        yaml.block("description", &repository.description);
        yaml.text("type", &repository.kind);
        yaml.text("origin", &repository.origin);
        yaml.flag("isEditable", repository.is_editable);
    });
    yaml.list("procedures", &file.procedures, |yaml, procedure| {
        entry(yaml, &procedure.entry);
        yaml.text("repositoryId", &procedure.repository);
        yaml.list("executionSteps", &procedure.steps, |yaml, step| {
            yaml.block("description", &step.description);
            if let Some(criteria) = &step.success_criteria {
                yaml.block("successCriteria", criteria);
            }
        });
        ids(yaml, "techniqueIds", &procedure.entry.parents);
    });
    let plan = &file.plan;
    yaml.map("testPlan", " &ref_0", |yaml| {
        yaml.text("id", &plan.id);
        yaml.text("title", &plan.title);
        yaml.block("description", &plan.description);
        yaml.text("type", &plan.kind);
        yaml.text("origin", &plan.origin);
        yaml.flag("isEditable", plan.is_editable);
        ids(yaml, "procedureIds", &plan.procedures);
        yaml.texts("tags", []);
    });
    yaml.bare("runbook", "*ref_0");
    yaml.finish() + &known_lines(&file.known)
}

fn entry(yaml: &mut Writer, entry: &Entry) {
    yaml.text("id", &entry.id);
    yaml.text("name", &entry.name);
    yaml.text("shortName", &entry.short_name);
    yaml.block("description", &entry.description);
    yaml.text("origin", &entry.origin);
    yaml.flag("isEditable", entry.is_editable);
    yaml.text_or_null("sourceId", entry.source_id.as_deref());
    yaml.text_or_null("sourceKey", entry.source_key.as_deref());
    yaml.text_or_null("sourceValue", entry.source_value.as_deref());
    yaml.texts("tags", []);
}

fn ids(yaml: &mut Writer, key: &str, ids: &[String]) {
    yaml.texts(key, ids.iter().map(String::as_str));
}
