//! What the methodologies of an archive would do here. What is only in the file is added. What reads
//! differently is compared with what both sides know of its methodology, field by field, as for procedures.
//! What is here comes in as values.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::file::{Methodology, MethodologyFields, Term, short_key};
use crate::imports::domain::ImportError;
use crate::imports::known::{Judged, Known, Said, judge, written_from};
use crate::imports::outcome::{Conflict, Takes, Touched};
use crate::imports::preview::Verdict;
use crate::kernel::base::error::Result;
use crate::library::changes::Changes;
use crate::library::compare::Field;
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
            let known =
                written_from(content.digest(), own.imported_digest.as_deref(), own.written_from.as_deref());
            Methodology { id: own.id, written_from: known, content }
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
    pub conflicts: Vec<Conflict>,
    pub refused: Vec<ImportError>,
    /// What stands under another comes after it.
    pub added: Vec<NewTerm>,
    /// Terms that are here, with what they say from now on.
    pub changed: Vec<(Uuid, TermText)>,
    /// Methodologies of which something came in, or was asked: what their files say is known from now on.
    pub noted: Vec<Methodology>,
}

impl TermsPlan {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.noted.is_empty()
    }
}

/// What a term says by itself: its short name is changed by hand alone, and what it stands under is added to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TermWords {
    name: String,
    description: String,
    tags: Vec<String>,
}

impl From<&Term> for TermWords {
    fn from(term: &Term) -> Self {
        Self { name: term.name.clone(), description: term.description.clone(), tags: term.tags.clone() }
    }
}

/// The methodology itself as a term.
fn head_of(id: Uuid, content: &MethodologyFields) -> Term {
    Term {
        id,
        name: content.name.clone(),
        short_name: content.short_name.clone(),
        description: content.description.clone(),
        tags: content.tags.clone(),
        tactics: Vec::new(),
    }
}

/// A term of a methodology, or the methodology itself.
fn find_term(methodology: Uuid, content: &MethodologyFields, id: Uuid) -> Option<Term> {
    if id == methodology {
        return Some(head_of(id, content));
    }
    content.tactics.iter().chain(&content.techniques).find(|term| term.id == id).cloned()
}

/// A term of the archive, of all methodologies that hold it.
struct Incoming<'a> {
    kind: TermKind,
    term: &'a Term,
    /// What it stands under in the archive, as far as that can be taken.
    parents: Vec<Uuid>,
    place: Place,
    /// What both sides know of it.
    known: Known<Term>,
    /// The methodologies of the archive that hold it.
    holders: Vec<Uuid>,
}

/// Compares the methodologies of an archive with the terms that are here. `said`: what was exchanged of them.
///
/// # Errors
/// As [`judge`].
pub fn plan(
    archive: &[Methodology],
    places: &HashMap<(Uuid, Uuid), Place>,
    here: &TermsHere,
    said: HashMap<Uuid, Vec<Said<MethodologyFields>>>,
    takes: &Takes,
) -> Result<TermsPlan> {
    let mut judging = Judging {
        here,
        takes,
        plan: TermsPlan::default(),
        known: HashSet::new(),
        taken: HashSet::new(),
        moved: HashSet::new(),
    };
    let known = known(archive, here, said);
    let known_of = |methodology: Uuid, term: Uuid| {
        known[&methodology].part(|content| find_term(methodology, content, term))
    };
    let place = |methodology: Uuid, term: Uuid| places.get(&(methodology, term)).cloned().unwrap_or_default();
    for own in archive {
        judging.judge(&Incoming {
            kind: TermKind::Methodology,
            term: &head_of(own.id, &own.content),
            parents: Vec::new(),
            place: place(own.id, own.id),
            known: known_of(own.id, own.id),
            holders: vec![own.id],
        })?;
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
                let known = known_of(own.id, term.id);
                let entry = incoming.entry(term.id).or_insert_with(|| {
                    order.push(term.id);
                    Incoming {
                        kind,
                        term,
                        parents: Vec::new(),
                        place: place(own.id, term.id),
                        known: known.clone(),
                        holders: Vec::new(),
                    }
                });
                if !is_same(entry.term, term) {
                    let sentence = format!("it reads differently in {}", entry.place.file);
                    judging.plan.refused.push(refusal(kind, term, &place(own.id, term.id), sentence));
                    continue;
                }
                if entry.known.base().is_none() {
                    entry.known = known;
                }
                entry.holders.push(own.id);
                entry.parents.extend(above);
            }
        }
        if kind == TermKind::Tactic {
            order = in_order(&orders);
        }
        for id in order {
            if let Some(term) = incoming.get(&id) {
                judging.judge(term)?;
            }
        }
    }
    let noted = |own: &&Methodology| judging.known.contains(&own.id) && judging.moved.contains(&own.id);
    judging.plan.noted = archive.iter().filter(noted).cloned().collect();
    Ok(judging.plan)
}

/// What both sides know of each methodology of an archive.
fn known(
    archive: &[Methodology],
    here: &TermsHere,
    mut said: HashMap<Uuid, Vec<Said<MethodologyFields>>>,
) -> HashMap<Uuid, Known<MethodologyFields>> {
    let stored: HashMap<Uuid, MethodologyFields> =
        methodologies(&here.terms).into_iter().map(|own| (own.id, own.content)).collect();
    let of = |own: &Methodology| {
        let mut said = said.remove(&own.id).unwrap_or_default();
        said.extend(stored.get(&own.id).map(|content| Said::here(content.digest(), content.clone())));
        let row = here.terms.iter().find(|term| term.id == own.id);
        let imported = row.and_then(|row| row.imported_digest.as_deref()?.try_into().ok());
        (own.id, Known::among(&said, imported, Some(own.written_from)))
    };
    archive.iter().map(of).collect()
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
    takes: &'a Takes,
    plan: TermsPlan,
    /// Terms that are here, or will be.
    known: HashSet<Uuid>,
    /// Short names that the archive takes.
    taken: HashSet<(TermKind, String)>,
    /// Methodologies of the archive of which something comes in, or is asked.
    moved: HashSet<Uuid>,
}

impl Judging<'_> {
    fn judge(&mut self, incoming: &Incoming<'_>) -> Result<()> {
        let Incoming { kind, term, parents, place, known, holders } = incoming;
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
            return Ok(());
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
            self.moved.extend(holders);
            return Ok(());
        };
        if own.short_name != term.short_name && known.base().is_none_or(|base| !is_called_alike(base, term)) {
            self.plan.touched.push(kept_name(kind, own, term, &label));
        }
        let id = term.id.to_string();
        let (ours, theirs) = (TermWords::from(own), TermWords::from(*term));
        let known = known.part(|term| Some(TermWords::from(term)));
        let judged = judge(&ours, &theirs, &known, |key| self.takes.takes(&id, key))?;
        if judged.is_some() {
            self.moved.extend(holders);
        }
        let Judged { mut told, conflicts, merged } = judged.unwrap_or_else(|| Judged {
            told: Vec::new(),
            conflicts: Vec::new(),
            merged: ours.clone(),
        });
        let above = self.above(own, parents);
        let is_moved = above.len() != own.parents.len();
        if is_moved {
            let named =
                |ids: &[Uuid]| -> Value { json!(ids.iter().map(|id| self.name(*id)).collect::<Vec<_>>()) };
            let (ours, theirs) = (named(&own.parents), named(&above));
            told.push(Field { key: "belongs to".to_owned(), base: ours.clone(), ours, theirs, step: None });
        }
        let is_changed = is_moved || merged != ours;
        let is_asked = !conflicts.is_empty();
        if is_changed || is_asked {
            let verdict = if is_asked { Verdict::Conflict } else { Verdict::Changed };
            self.plan.touched.push(Touched::new(verdict, term.id, &label).with(told));
        }
        if is_asked {
            self.plan.conflicts.push(Conflict { id: term.id, label: label.clone(), fields: conflicts });
        }
        let changes = &mut self.plan.changes;
        let list = match (is_changed, is_asked) {
            (true, _) => &mut changes.changed,
            (false, true) => &mut changes.kept,
            (false, false) => &mut changes.unchanged,
        };
        list.push(label);
        if is_changed {
            let TermWords { name, description, tags } = merged;
            let short_name = own.short_name.clone();
            let text = TermText { name, short_name, description, parents: above, tags };
            self.plan.changed.push((term.id, text));
        }
        Ok(())
    }

    /// What a term stands under from now on: nothing is taken away.
    fn above(&self, own: &StoredTerm, parents: &[Uuid]) -> Vec<Uuid> {
        let mut above = own.parents.clone();
        above.extend(parents.iter().filter(|id| !own.parents.contains(id)));
        above.sort_unstable();
        above.dedup();
        above
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

impl From<&StoredTerm> for TermWords {
    fn from(own: &StoredTerm) -> Self {
        Self { name: own.name.clone(), description: own.description.clone(), tags: own.tags.clone() }
    }
}

fn is_called_alike(a: &Term, b: &Term) -> bool {
    a.short_name == b.short_name
}

/// Tells of a short name that the file changed: procedures name a technique by it.
fn kept_name(kind: TermKind, own: &StoredTerm, theirs: &Term, label: &str) -> Touched {
    let short = if kind == TermKind::Technique { "id" } else { "short name" };
    let field = Field {
        key: short.to_owned(),
        base: json!(own.short_name),
        ours: json!(own.short_name),
        theirs: json!(theirs.short_name),
        step: None,
    };
    let sentence =
        format!("Its {short} reads differently in the file, and stays as it is here: change it by hand.");
    Touched::new(Verdict::Kept, theirs.id, label).with(vec![field]).saying(sentence)
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
