//! What the methodologies of an archive would do here. What is only in the file is added. What reads
//! differently is taken where nobody changed the methodology here since its file was written; else it
//! stays as it is here and is told. What is here comes in as values.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::file::{Methodology, MethodologyFields, Term, short_key};
use crate::imports::domain::ImportError;
use crate::imports::outcome::Touched;
use crate::imports::preview::Verdict;
use crate::library::changes::Changes;
use crate::library::compare::Field;
use crate::library::domain::ContentDigest;
use crate::library::store::term_exchange::{StoredTerm, TermsHere};
use crate::library::terms::{TermKind, TermText};

/// Where a term stands in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// Of its short name.
    pub line: usize,
}

/// The methodologies among terms, each with those that stand under it.
pub fn methodologies(terms: &[StoredTerm]) -> Vec<Methodology> {
    let term = |stored: &StoredTerm, tactics: Vec<Uuid>| Term {
        id: stored.id,
        name: stored.name.clone(),
        short_name: stored.short_name.clone(),
        description: stored.description.clone(),
        tags: stored.tags.clone(),
        tactics,
    };
    let of = |kind: TermKind| terms.iter().filter(move |term| term.kind == kind);
    let mut found: Vec<Methodology> = of(TermKind::Methodology)
        .map(|own| {
            let tactics: Vec<Term> = of(TermKind::Tactic)
                .filter(|tactic| tactic.parents.contains(&own.id))
                .map(|tactic| term(tactic, Vec::new()))
                .collect();
            let techniques = of(TermKind::Technique).filter_map(|technique| {
                let above =
                    tactics.iter().map(|tactic| tactic.id).filter(|id| technique.parents.contains(id));
                let above: Vec<Uuid> = above.collect();
                (!above.is_empty()).then(|| term(technique, above))
            });
            let mut techniques: Vec<Term> = techniques.collect();
            techniques.sort_by(|a, b| a.short_name.cmp(&b.short_name));
            let content = MethodologyFields {
                name: own.name.clone(),
                short_name: own.short_name.clone(),
                description: own.description.clone(),
                tags: own.tags.clone(),
                tactics,
                techniques,
            };
            Methodology { id: own.id, written_from: content.digest(), content }
        })
        .collect();
    found.sort_by_key(|methodology| (methodology.content.short_name.to_lowercase(), methodology.id));
    found
}

/// A term to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTerm {
    pub id: Uuid,
    pub kind: TermKind,
    pub text: TermText,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermsPlan {
    pub changes: Changes,
    pub touched: Vec<Touched>,
    pub refused: Vec<ImportError>,
    /// What stands under another comes after it.
    pub added: Vec<NewTerm>,
    /// Terms that are here, with what they say from now on.
    pub changed: Vec<(Uuid, TermText)>,
}

impl TermsPlan {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty()
    }
}

/// A term of the archive, of all methodologies that hold it.
struct Incoming<'a> {
    kind: TermKind,
    term: &'a Term,
    /// What it stands under in the archive, as far as that can be taken.
    parents: Vec<Uuid>,
    place: Place,
    /// Whether all methodologies that hold it are here as their files were written from.
    untouched: bool,
}

/// Compares the methodologies of an archive with the terms that are here.
pub fn plan(archive: &[Methodology], places: &HashMap<(Uuid, Uuid), Place>, here: &TermsHere) -> TermsPlan {
    let mut judging =
        Judging { here, plan: TermsPlan::default(), known: HashSet::new(), taken: HashSet::new() };
    let stored: HashMap<Uuid, ContentDigest> =
        methodologies(&here.terms).into_iter().map(|own| (own.id, own.written_from)).collect();
    let is_untouched = |own: &Methodology| stored.get(&own.id) == Some(&own.written_from);
    let place = |methodology: Uuid, term: Uuid| places.get(&(methodology, term)).cloned().unwrap_or_default();
    let heads: Vec<Term> = archive
        .iter()
        .map(|methodology| Term {
            id: methodology.id,
            name: methodology.content.name.clone(),
            short_name: methodology.content.short_name.clone(),
            description: methodology.content.description.clone(),
            tags: methodology.content.tags.clone(),
            tactics: Vec::new(),
        })
        .collect();
    for (term, own) in heads.iter().zip(archive) {
        let (place, untouched) = (place(term.id, term.id), is_untouched(own));
        let kind = TermKind::Methodology;
        judging.judge(&Incoming { kind, term, parents: Vec::new(), place, untouched });
    }
    let orders: Vec<Vec<Uuid>> =
        archive.iter().map(|own| own.content.tactics.iter().map(|tactic| tactic.id).collect()).collect();
    for kind in [TermKind::Tactic, TermKind::Technique] {
        let mut incoming: HashMap<Uuid, Incoming<'_>> = HashMap::new();
        let mut order = Vec::new();
        for own in archive.iter().filter(|own| judging.known.contains(&own.id)) {
            let terms = if kind == TermKind::Tactic { &own.content.tactics } else { &own.content.techniques };
            for term in terms {
                let above = if kind == TermKind::Tactic { vec![own.id] } else { term.tactics.clone() };
                let above = above.into_iter().filter(|id| judging.known.contains(id));
                let entry = incoming.entry(term.id).or_insert_with(|| {
                    order.push(term.id);
                    let place = place(own.id, term.id);
                    Incoming { kind, term, parents: Vec::new(), place, untouched: true }
                });
                entry.untouched &= is_untouched(own);
                if !is_same(entry.term, term) {
                    let sentence = format!("it reads differently in {}", entry.place.file);
                    judging.plan.refused.push(refusal(kind, term, &place(own.id, term.id), sentence));
                    continue;
                }
                entry.parents.extend(above);
            }
        }
        if kind == TermKind::Tactic {
            order = in_order(&orders);
        }
        for id in order {
            if let Some(term) = incoming.get(&id) {
                judging.judge(term);
            }
        }
    }
    judging.plan
}

/// Whether two files say the same of a term but for what it stands under.
fn is_same(a: &Term, b: &Term) -> bool {
    (&a.name, &a.short_name, &a.description, &a.tags) == (&b.name, &b.short_name, &b.description, &b.tags)
}

fn label(kind: TermKind, term: &Term) -> String {
    match kind {
        TermKind::Methodology => format!("methodology “{}”", term.name),
        TermKind::Tactic | TermKind::Technique => {
            format!("{} {} “{}”", kind.noun(), term.short_name, term.name)
        }
    }
}

fn refusal(kind: TermKind, term: &Term, place: &Place, sentence: String) -> ImportError {
    ImportError {
        object: Some(label(kind, term)),
        field: Some(short_key(kind).to_owned()),
        line: (place.line > 0).then_some(place.line),
        ..ImportError::file(if place.file.is_empty() { "methodologies" } else { &place.file }, sentence)
    }
}

struct Judging<'a> {
    here: &'a TermsHere,
    plan: TermsPlan,
    /// Terms that are here, or will be.
    known: HashSet<Uuid>,
    /// Short names that the archive takes.
    taken: HashSet<(TermKind, String)>,
}

impl Judging<'_> {
    fn judge(&mut self, incoming: &Incoming<'_>) {
        let Incoming { kind, term, parents, place, untouched } = incoming;
        let kind = *kind;
        let label = label(kind, term);
        let here = self.here.terms.iter().find(|own| own.id == term.id);
        let refused = match here {
            Some(own) if own.kind != kind => Some(format!("its uuid is that of a {} here", own.kind.noun())),
            Some(_) => None,
            None => self.obstacle(kind, term, parents),
        };
        if let Some(sentence) = refused {
            self.plan.refused.push(refusal(kind, term, place, sentence));
            return;
        }
        self.known.insert(term.id);
        let Some(own) = here else {
            self.taken.insert((kind, term.short_name.to_lowercase()));
            let mut parents = parents.clone();
            parents.sort_unstable();
            parents.dedup();
            self.plan.added.push(NewTerm {
                id: term.id,
                kind,
                text: TermText {
                    name: term.name.clone(),
                    short_name: term.short_name.clone(),
                    description: term.description.clone(),
                    parents,
                    tags: term.tags.clone(),
                },
            });
            self.plan.touched.push(Touched::new(Verdict::Added, term.id, &label));
            self.plan.changes.added.push(label);
            return;
        };
        let mut differing = differing(kind, own, term);
        // Procedures name it by its short name: that is changed by hand alone.
        let is_taken = *untouched && own.short_name == term.short_name;
        for field in differing.iter_mut().filter(|_| is_taken) {
            field.base = field.ours.clone();
        }
        if !differing.is_empty() && !is_taken {
            let names: Vec<String> = differing.iter().map(|field| field.label().to_lowercase()).collect();
            let sentence =
                format!("Reads differently in the file, and stays as it is here: {}.", names.join(", "));
            let told = Touched::new(Verdict::Kept, term.id, &label).with(std::mem::take(&mut differing));
            self.plan.touched.push(told.saying(sentence));
        }
        let mut above = own.parents.clone();
        above.extend(parents.iter().filter(|id| !own.parents.contains(id)));
        above.sort_unstable();
        above.dedup();
        if above.len() != own.parents.len() {
            let named =
                |ids: &[Uuid]| -> Value { json!(ids.iter().map(|id| self.name(*id)).collect::<Vec<_>>()) };
            let (ours, theirs) = (named(&own.parents), named(&above));
            differing.push(Field {
                key: "belongs to".to_owned(),
                base: ours.clone(),
                ours,
                theirs,
                step: None,
            });
        }
        if differing.is_empty() {
            self.plan.changes.unchanged.push(label);
            return;
        }
        let (name, description, tags) = if is_taken {
            (&term.name, &term.description, &term.tags)
        } else {
            (&own.name, &own.description, &own.tags)
        };
        let text = TermText {
            name: name.clone(),
            short_name: own.short_name.clone(),
            description: description.clone(),
            parents: above,
            tags: tags.clone(),
        };
        self.plan.touched.push(Touched::new(Verdict::Changed, term.id, &label).with(differing));
        self.plan.changes.changed.push(label);
        self.plan.changed.push((term.id, text));
    }

    /// Why a new term cannot be taken.
    fn obstacle(&self, kind: TermKind, term: &Term, parents: &[Uuid]) -> Option<String> {
        let short = term.short_name.to_lowercase();
        if self.here.is_taken(kind, &short) || self.taken.contains(&(kind, short)) {
            let what = if kind == TermKind::Technique { "id" } else { "short name" };
            return Some(format!("another {} here has this {what}; rename one of them", kind.noun()));
        }
        if kind == TermKind::Tactic && self.here.attacks.contains(&term.short_name) {
            return Some("a tactic of MITRE ATT&CK has this short name".to_owned());
        }
        (kind.above().is_some() && parents.is_empty()).then(|| "what it belongs to was refused".to_owned())
    }

    fn name(&self, id: Uuid) -> String {
        let here = self.here.terms.iter().find(|own| own.id == id).map(|own| &own.short_name);
        let new = self.plan.added.iter().find(|new| new.id == id).map(|new| &new.text.short_name);
        here.or(new).cloned().unwrap_or_default()
    }
}

/// The fields that read differently, but for what the term stands under.
fn differing(kind: TermKind, own: &StoredTerm, theirs: &Term) -> Vec<Field> {
    let field = |key: &str, ours: Value, theirs: Value| Field {
        key: key.to_owned(),
        base: Value::Null,
        ours,
        theirs,
        step: None,
    };
    let short = if kind == TermKind::Technique { "id" } else { "short name" };
    let mut fields = vec![
        field("name", json!(own.name), json!(theirs.name)),
        field(short, json!(own.short_name), json!(theirs.short_name)),
        field("description", json!(own.description), json!(theirs.description)),
        field("tags", json!(own.tags), json!(theirs.tags)),
    ];
    fields.retain(|field| field.ours != field.theirs);
    fields
}

/// One order that keeps those of all lists; where they contradict each other, what came first comes first.
fn in_order(lists: &[Vec<Uuid>]) -> Vec<Uuid> {
    let mut all: Vec<Uuid> = Vec::new();
    let mut seen = HashSet::new();
    let mut waits: HashMap<Uuid, usize> = HashMap::new();
    let mut after: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for list in lists {
        all.extend(list.iter().filter(|id| seen.insert(**id)));
        for pair in list.windows(2) {
            after.entry(pair[0]).or_default().push(pair[1]);
            *waits.entry(pair[1]).or_default() += 1;
        }
    }
    let mut ordered = Vec::with_capacity(all.len());
    let mut done = HashSet::new();
    let mut ready: Vec<Uuid> =
        all.iter().rev().filter(|id| waits.get(id).is_none_or(|n| *n == 0)).copied().collect();
    let mut rest = all.into_iter();
    loop {
        let next = match ready.pop() {
            Some(id) => id,
            None => match rest.find(|id| !done.contains(id)) {
                Some(id) => id,
                None => return ordered,
            },
        };
        if !done.insert(next) {
            continue;
        }
        ordered.push(next);
        for id in after.get(&next).into_iter().flatten().rev() {
            let left = waits.entry(*id).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(*id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_order_keeps_those_of_all_methodologies() {
        let ids = |numbers: &[u128]| numbers.iter().map(|n| Uuid::from_u128(*n)).collect::<Vec<_>>();
        assert_eq!(in_order(&[ids(&[1, 3]), ids(&[2, 3]), ids(&[1, 2])]), ids(&[1, 2, 3]));
        assert_eq!(in_order(&[ids(&[3, 1, 2])]), ids(&[3, 1, 2]));
        let mut circle = in_order(&[ids(&[1, 2]), ids(&[2, 1])]);
        circle.sort();
        assert_eq!(circle, ids(&[1, 2]), "each once, though nobody can keep both");
        assert_eq!(in_order(&[]), ids(&[]));
    }
}
