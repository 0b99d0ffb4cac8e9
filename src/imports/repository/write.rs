//! Writes an archive's files. Keys have one order, and nothing of the moment (no time, no name of a person)
//! goes in, so that a difference between two exports is a difference of content.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Cursor, Write};

use uuid::Uuid;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::file::{Archive, Methodology, Procedure, Term, TestPlan, code};
use crate::imports::yaml::write::Writer;
use crate::kernel::base::hex::hex;
use crate::library::domain::{Step, StepKind};

/// The number of this layout.
pub(super) const FORMAT: i32 = 1;

const README: &str = "\
This folder is a repository of Tyrian procedures. It is made for version control: two exports of the
same state are equal, and a change of one field is a difference of its lines.

- `repository.yaml`: the repository itself: its name, prefix, type and description.
- `procedures/`: one file for each procedure. `id` is the prefix and a number, which is never used
  twice. `uuid` is what makes it the same procedure in another installation, whatever its number there.
  `written_from` is the SHA-256 of the version from which the file was written: an import compares with
  it to tell which side changed what.
- `test-plans/`: the test plans that need only procedures of this repository.
- `methodologies/`: methodologies of the team's own that the procedures' techniques stand under, each with
  its tactics and techniques. What an import finds under the same `uuid` stays as it is there.
- `LICENSES`: where procedures came from, with the licence that goes along.

Commands stand byte for byte. A text with carriage returns, or with characters that nobody sees, is in
quotes with escapes, so that nothing hides in a review. Steps of the kind prerequisite come before,
cleanup after. `#{name}` is an input.

To read it: `tyrian import repository FOLDER --dry-run` tells what would change, and without `--dry-run`
it does. To write it again: `tyrian export repository PREFIX FOLDER`.

Edit the files as you like, but leave `uuid` and `written_from` as they are; a new procedure needs a
`uuid` of its own and neither an `id` nor `written_from`.
";

/// All files with their names, sorted.
pub fn files(archive: &Archive) -> Vec<(String, String)> {
    let prefix = &archive.head.prefix;
    let mut files = BTreeMap::new();
    files.insert("README.md".to_owned(), format!("# {}\n\n{README}", one_line(&archive.head.name)));
    files.insert("LICENSES".to_owned(), licenses(archive));
    files.insert("repository.yaml".to_owned(), head(archive));
    for procedure in &archive.procedures {
        let name = short_name(&procedure.body.name, "procedure");
        let name = format!("procedures/{}-{name}.yaml", code(prefix, procedure.number));
        files.insert(name, self::procedure(prefix, procedure));
    }
    let codes: HashMap<Uuid, (i32, &str)> = archive
        .procedures
        .iter()
        .map(|procedure| (procedure.identity, (procedure.number, procedure.body.name.as_str())))
        .collect();
    let mut taken = HashSet::new();
    for plan in &archive.plans {
        let name = free_name(short_name(&plan.content.title, "test-plan"), &mut taken);
        files.insert(format!("test-plans/{name}.yaml"), self::plan(prefix, plan, &codes));
    }
    let mut taken = HashSet::new();
    for methodology in &archive.methodologies {
        let name = free_name(short_name(&methodology.content.short_name, "methodology"), &mut taken);
        files.insert(format!("methodologies/{name}.yaml"), self::methodology(methodology));
    }
    files.into_iter().collect()
}

/// A name that no file of the folder has yet.
fn free_name(short: String, taken: &mut HashSet<String>) -> String {
    let mut name = short.clone();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = format!("{short}-{n}");
        n += 1;
    }
    name
}

/// The files as a zip, in one folder, without times.
///
/// # Errors
/// When a file is too large for a zip.
pub fn zip(archive: &Archive) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        SimpleFileOptions::default().last_modified_time(zip::DateTime::default()).unix_permissions(0o644);
    for (name, text) in files(archive) {
        zip.start_file(format!("{}/{name}", archive.head.prefix), options)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The name as a part of a file's name that every system takes.
fn short_name(name: &str, otherwise: &str) -> String {
    let mut short = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            short.push(c);
        } else if !short.is_empty() && !short.ends_with('-') {
            short.push('-');
        }
        if short.len() >= 48 {
            break;
        }
    }
    let short = short.trim_end_matches('-');
    if short.is_empty() { otherwise.to_owned() } else { short.to_owned() }
}

fn licenses(archive: &Archive) -> String {
    let mut text = "\
        Where procedures of this repository came from. Each keeps the licence of its origin; what is not\n\
        named here is the repository's own.\n\n\
        Technique, tactic and group ids are facts of MITRE ATT&CK. (c) The MITRE Corporation. This work is\n\
        reproduced and distributed with the permission of The MITRE Corporation.\n"
        .to_owned();
    let mut origins: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for procedure in archive.procedures.iter().filter(|procedure| !procedure.origin.is_empty()) {
        let code = code(&archive.head.prefix, procedure.number);
        origins.entry(&procedure.origin).or_default().push(code);
    }
    for (origin, codes) in origins {
        text.push_str(&format!("\n{}\n", one_line(origin)));
        for code in codes {
            text.push_str(&format!("  {code}\n"));
        }
    }
    text
}

fn head(archive: &Archive) -> String {
    let mut yaml = Writer::new();
    let head = &archive.head;
    yaml.text("format", "tyrian-repository");
    yaml.bare("version", &FORMAT.to_string());
    yaml.text("name", &head.name);
    yaml.text("prefix", &head.prefix);
    yaml.text("type", head.kind.as_str());
    yaml.block("description", &head.description);
    yaml.bare("next_number", &head.next_number.to_string());
    yaml.finish()
}

fn procedure(prefix: &str, procedure: &Procedure) -> String {
    let mut yaml = Writer::new();
    let body = &procedure.body;
    yaml.text("id", &code(prefix, procedure.number));
    yaml.text("uuid", &procedure.identity.to_string());
    yaml.text("written_from", &hex(&procedure.written_from));
    yaml.text("name", &body.name);
    yaml.block("description", &body.description);
    texts(&mut yaml, "techniques", &body.technique_ids);
    texts(&mut yaml, "tags", &body.tags);
    texts(&mut yaml, "platforms", &body.platforms);
    texts(&mut yaml, "emulates", &body.emulates);
    yaml.list("inputs", &body.inputs, |yaml, input| {
        yaml.text("name", &input.name);
        yaml.text("type", &input.kind);
        if let Some(default) = &input.default {
            yaml.text("default", default);
        }
        yaml.block("description", &input.description);
    });
    yaml.list("steps", &body.steps, step);
    let expected = &body.expected;
    if !expected.is_empty() {
        yaml.map("expected", "", |yaml| {
            yaml.flag("prevented", expected.prevented);
            yaml.flag("alerted", expected.alerted);
            yaml.flag("logged", expected.logged);
            if let Some(minutes) = expected.minutes {
                yaml.bare("minutes", &minutes.to_string());
            }
            yaml.text("sentence", &expected.sentence);
        });
    }
    yaml.block("recommendation", &body.recommendation);
    yaml.list("references", &body.references, |yaml, reference| {
        yaml.text("title", &reference.title);
        yaml.text("address", &reference.address);
    });
    if !procedure.origin.is_empty() {
        yaml.text("origin", &procedure.origin);
    }
    if procedure.is_retired {
        yaml.flag("retired", true);
    }
    yaml.finish()
}

fn texts(yaml: &mut Writer, key: &str, texts: &[String]) {
    yaml.texts(key, texts.iter().map(String::as_str));
}

fn step(yaml: &mut Writer, step: &Step) {
    yaml.text("id", &step.id);
    yaml.text("kind", kind(step.kind));
    yaml.block("description", &step.description);
    if let Some(criteria) = &step.success_criteria {
        yaml.block("success_criteria", criteria);
    }
    if let Some(executor) = &step.executor {
        yaml.text("executor", executor);
    }
    if let Some(platform) = &step.platform {
        yaml.text("platform", platform);
    }
    if step.elevated {
        yaml.flag("elevated", true);
    }
    if let Some(check) = &step.check_command {
        yaml.block("check", check);
    }
    if let Some(command) = &step.command {
        yaml.block("command", command);
    }
}

pub(super) fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Prerequisite => "prerequisite",
        StepKind::Step => "step",
        StepKind::Cleanup => "cleanup",
    }
}

fn plan(prefix: &str, plan: &TestPlan, codes: &HashMap<Uuid, (i32, &str)>) -> String {
    let mut yaml = Writer::new();
    let content = &plan.content;
    yaml.text("uuid", &plan.id.to_string());
    yaml.text("written_from", &hex(&plan.written_from));
    yaml.text("title", &content.title);
    yaml.block("description", &content.description);
    texts(&mut yaml, "tags", &content.tags);
    yaml.list("procedures", &content.procedures, |yaml, identity| {
        yaml.text("uuid", &identity.to_string());
        // For people: the reader goes by the uuid.
        if let Some((number, name)) = codes.get(identity) {
            yaml.text("id", &code(prefix, *number));
            yaml.text("name", name);
        }
    });
    yaml.finish()
}

fn methodology(methodology: &Methodology) -> String {
    let mut yaml = Writer::new();
    let content = &methodology.content;
    yaml.text("uuid", &methodology.id.to_string());
    yaml.text("written_from", &hex(&methodology.written_from));
    yaml.text("name", &content.name);
    yaml.text("short_name", &content.short_name);
    yaml.block("description", &content.description);
    texts(&mut yaml, "tags", &content.tags);
    yaml.list("tactics", &content.tactics, |yaml, tactic| term(yaml, "short_name", tactic));
    yaml.list("techniques", &content.techniques, |yaml, technique| {
        term(yaml, "id", technique);
        let above = technique.tactics.iter().filter_map(|id| content.tactics.iter().find(|t| t.id == *id));
        yaml.texts("tactics", above.map(|tactic| tactic.short_name.as_str()));
    });
    yaml.finish()
}

/// `short`: what the short name is called.
fn term(yaml: &mut Writer, short: &str, term: &Term) {
    yaml.text(short, &term.short_name);
    yaml.text("uuid", &term.id.to_string());
    yaml.text("name", &term.name);
    yaml.block("description", &term.description);
    texts(yaml, "tags", &term.tags);
}
