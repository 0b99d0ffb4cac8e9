//! Reads the methodologies of an archive. What a form would not take is refused by itself, with its place.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::fields::{digest, short_texts, uuid};
use super::file::{Methodology, MethodologyFields, Term, short_key};
use super::terms::Place;
use crate::imports::domain::ImportError;
use crate::imports::findings::Findings;
use crate::imports::yaml::read::{Node, Object};
use crate::library::domain::ContentDigest;
use crate::library::terms::{TermField, TermKind};

/// The most tactics and techniques of one methodology.
const TERMS_MAX: usize = 5_000;

/// A term as its file says it.
pub(super) struct ReadTerm {
    id: Uuid,
    kind: TermKind,
    name: String,
    short_name: String,
    description: String,
    tags: Vec<String>,
    /// Short names of the tactics of the same file that it stands under.
    tactics: Vec<String>,
    /// Where the fields stand for which it may be refused.
    lines: HashMap<&'static str, usize>,
    line: usize,
}

/// A methodology as its file says it.
pub(super) struct ReadMethodology {
    term: ReadTerm,
    written_from: Option<ContentDigest>,
    tactics: Vec<ReadTerm>,
    techniques: Vec<ReadTerm>,
}

pub(super) fn methodology(found: &Findings, node: &Node) -> Option<ReadMethodology> {
    let object = Object::of(node, None, "", found)?;
    object.warn_of_others(&[
        "uuid",
        "written_from",
        "name",
        "short_name",
        "description",
        "tags",
        "tactics",
        "techniques",
    ]);
    let count = object.list("tactics").len() + object.list("techniques").len();
    if count > TERMS_MAX {
        let sentence = format!("it has {count} tactics and techniques; the limit is {TERMS_MAX}");
        object.fault("", object.line(), sentence);
        return None;
    }
    let list = |key: &str, kind: TermKind| -> Vec<ReadTerm> {
        let nodes = object.list(key).iter().enumerate();
        nodes
            .filter_map(|(at, node)| {
                let inner = object.inside(node, &format!("{key}[{at}]"))?;
                let tactics: &[&str] = if kind == TermKind::Technique { &["tactics"] } else { &[] };
                let known = ["uuid", "name", short_key(kind), "description", "tags"];
                inner.warn_of_others(&[&known, tactics].concat());
                term(&inner, kind)
            })
            .collect()
    };
    let (tactics, techniques) = (list("tactics", TermKind::Tactic), list("techniques", TermKind::Technique));
    let written_from = digest(&object, "written_from");
    Some(ReadMethodology { term: term(&object, TermKind::Methodology)?, written_from, tactics, techniques })
}

fn term(object: &Object<'_, '_>, kind: TermKind) -> Option<ReadTerm> {
    let short = short_key(kind);
    let tactics = if kind == TermKind::Technique { short_texts(object, "tactics") } else { Vec::new() };
    Some(ReadTerm {
        name: object.required_text("name"),
        short_name: object.required_text(short),
        description: object.text("description").unwrap_or_default(),
        tags: short_texts(object, "tags"),
        tactics,
        lines: ["uuid", "name", short, "description", "tags", "tactics"]
            .into_iter()
            .filter_map(|field| Some((field, object.find(field)?.line)))
            .collect(),
        line: object.line(),
        kind,
        id: uuid(object, "uuid")?,
    })
}

impl ReadTerm {
    fn line(&self, field: &str) -> usize {
        self.lines.get(field).copied().unwrap_or(self.line)
    }

    fn place(&self, file: &str) -> Place {
        Place { file: file.to_owned(), line: self.line(short_key(self.kind)) }
    }

    /// The term as a form would take it; else the field and why not.
    fn checked(&self) -> Result<Term, (&'static str, String)> {
        let check = |field: TermField, key: &'static str, raw: &str| {
            self.kind.check(field, raw).map_err(|sentence| (key, inner(&sentence)))
        };
        let tags = check(TermField::Tags, "tags", &self.tags.join(", "))?;
        Ok(Term {
            id: self.id,
            name: check(TermField::Name, "name", &self.name)?,
            short_name: check(TermField::ShortName, short_key(self.kind), &self.short_name)?,
            description: check(TermField::Description, "description", &self.description)?,
            tags: crate::kernel::base::text::split_tags(&tags).collect(),
            tactics: Vec::new(),
        })
    }

    fn refusal(&self, file: &str, field: &'static str, sentence: String) -> ImportError {
        ImportError {
            object: Some(format!("{} {}", self.kind.noun(), self.short_name)),
            field: Some(field.to_owned()),
            line: Some(self.line(field)),
            ..ImportError::file(file, sentence)
        }
    }
}

/// A sentence of a form inside of a message that begins with its place.
fn inner(sentence: &str) -> String {
    let text = sentence.trim_end_matches('.');
    let mut letters = text.chars();
    match (letters.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() && !second.is_ascii_digit() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// What can be taken of the methodologies of an archive.
#[derive(Default)]
pub(super) struct Judged {
    pub methodologies: Vec<Methodology>,
    /// Of each term, by its methodology's id and its own.
    pub places: HashMap<(Uuid, Uuid), Place>,
    pub refused: Vec<ImportError>,
}

pub(super) fn judge(read: Vec<(String, ReadMethodology)>) -> Judged {
    let mut judged = Judged::default();
    let mut files: HashMap<Uuid, String> = HashMap::new();
    for (file, methodology) in read {
        let own = &methodology.term;
        if let Some(other) = files.get(&own.id) {
            let sentence = format!("the uuid is already that of {other}");
            judged.refused.push(own.refusal(&file, "uuid", sentence));
            continue;
        }
        match own.checked() {
            Ok(head) => {
                files.insert(own.id, file.clone());
                judged.take(&file, &methodology, head);
            }
            Err((field, sentence)) => judged.refused.push(own.refusal(&file, field, sentence)),
        }
    }
    judged
        .methodologies
        .sort_by_key(|methodology| (methodology.content.short_name.to_lowercase(), methodology.id));
    judged
}

impl Judged {
    fn take(&mut self, file: &str, read: &ReadMethodology, head: Term) {
        let id = read.term.id;
        self.places.insert((id, id), read.term.place(file));
        let mut content = MethodologyFields {
            name: head.name,
            short_name: head.short_name,
            description: head.description,
            tags: head.tags,
            ..MethodologyFields::default()
        };
        let mut ids = HashSet::from([id]);
        let mut shorts = HashSet::new();
        for tactic in &read.tactics {
            if let Some(term) = self.term(file, id, tactic, &mut ids, &mut shorts) {
                content.tactics.push(term);
            }
        }
        let mut shorts = HashSet::new();
        for technique in &read.techniques {
            let Some(mut term) = self.term(file, id, technique, &mut ids, &mut shorts) else { continue };
            let is_named =
                |tactic: &Term| technique.tactics.iter().any(|name| name.to_lowercase() == tactic.short_name);
            term.tactics = content.tactics.iter().filter(|tactic| is_named(tactic)).map(|t| t.id).collect();
            if term.tactics.is_empty() {
                let sentence = "it names no tactic that this file holds and that can be taken".to_owned();
                self.refused.push(technique.refusal(file, "tactics", sentence));
                continue;
            }
            content.techniques.push(term);
        }
        content.techniques.sort_by(|a, b| a.short_name.cmp(&b.short_name));
        let written_from = read.written_from.unwrap_or_else(|| content.digest());
        self.methodologies.push(Methodology { id, written_from, content });
    }

    fn term(
        &mut self,
        file: &str,
        methodology: Uuid,
        read: &ReadTerm,
        ids: &mut HashSet<Uuid>,
        shorts: &mut HashSet<String>,
    ) -> Option<Term> {
        let (field, sentence) = match read.checked() {
            Err(fault) => fault,
            Ok(_) if !ids.insert(read.id) => {
                ("uuid", "the uuid is already that of another one here".to_owned())
            }
            Ok(term) if !shorts.insert(term.short_name.clone()) => {
                (short_key(read.kind), "another one of this file has it".to_owned())
            }
            Ok(term) => {
                self.places.insert((methodology, read.id), read.place(file));
                return Some(term);
            }
        };
        self.refused.push(read.refusal(file, field, sentence));
        None
    }
}
