//! Layers of the library and of its test plans, and a layer as a test plan.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::domain::ImportError;
use super::layer::{ImportedLayer, Layer, LayerContent, LegendItem, Mark, Metadata, Place, color_of, layer};
use super::outcome::{Act, Agree, Done, Outcome, Touched};
use super::preview::Verdict;
use super::repository::file::PlanFields;
use super::repository::plans::brought;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show::counted;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::store::curated::lock;
use crate::library::store::exchange::{
    Cover, IncomingPlan, list_all_plans, list_covers, list_members, list_placed, write_plan,
};
use crate::library::store::{Plan, get_plan, highest_version};

/// Most procedures of one plan, as in its editor.
const PLAN_MAX: usize = 500;
/// More names beside a technique are a number.
const NAMED: usize = 20;

/// The techniques of a release, for drawing.
pub fn places(conn: &mut PgConnection, version: &str) -> Result<Vec<Place>> {
    let placed = list_placed(conn, version)?;
    Ok(placed.into_iter().map(|row| Place { external_id: row.external_id, tactics: row.tactics }).collect())
}

/// Marks of techniques by the procedures that cover them, each with its code and name.
fn covered(procedures: impl Iterator<Item = (String, Vec<String>)>) -> BTreeMap<String, Mark> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, techniques) in procedures {
        for technique in techniques {
            names.entry(technique).or_default().push(name.clone());
        }
    }
    let mark = |names: Vec<String>| {
        let mut comment = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join("\n");
        if names.len() > NAMED {
            comment.push_str(&format!("\nand {} more", names.len() - NAMED));
        }
        let value = names.len().to_string();
        Mark { score: Some(100), comment, metadata: vec![Metadata { name: "Procedures".to_owned(), value }] }
    };
    names.into_iter().map(|(technique, names)| (technique, mark(names))).collect()
}

fn legend(label: &str) -> Vec<LegendItem> {
    vec![LegendItem { label: label.to_owned(), color: color_of(100) }]
}

/// The layer of a test plan, as far as the reader knows of its procedures.
///
/// # Errors
/// [`Error::NotFound`]
pub fn plan_layer(conn: &mut PgConnection, shelf: Shelf, id: TestPlanId) -> Result<(Plan, Layer)> {
    let plan = get_plan(conn, id)?;
    let members = list_members(conn, shelf, id)?;
    let mut procedures = Vec::new();
    for member in &members {
        let body = member.body()?;
        procedures.push((format!("{}-{} {}", member.prefix, member.number, body.name), body.technique_ids));
    }
    let attack = highest_version(conn)?;
    let places = places(conn, &attack)?;
    let content = LayerContent {
        name: plan.title.clone(),
        description: plan.description.clone(),
        attack,
        marks: covered(procedures.into_iter()),
        legend: legend("In the test plan"),
    };
    Ok((plan, layer(content, &places)))
}

/// The layer of everything that the reader knows of and that is in use.
///
/// # Errors
/// When the database refuses.
pub fn library_layer(conn: &mut PgConnection, shelf: Shelf, organisation: &str) -> Result<Layer> {
    let covers = list_covers(conn, shelf)?;
    let attack = highest_version(conn)?;
    let places = places(conn, &attack)?;
    let count = covers.len();
    let procedures =
        covers.into_iter().map(|cover| (format!("{} {}", cover.code, cover.name), cover.technique_ids));
    let content = LayerContent {
        name: format!("{organisation}: library"),
        description: format!("Techniques that {} cover.", counted(count, "procedure", "procedures")),
        attack,
        marks: covered(procedures),
        legend: legend("Covered by a procedure"),
    };
    Ok(layer(content, &places))
}

/// A plan made of a layer, before it is stored.
struct Prepared {
    outcome: Outcome,
    key: String,
    title: String,
    procedures: Vec<LibraryProcedureId>,
    is_new: bool,
}

/// Which procedures cover a technique: those that name it, or where none does those that name one of its
/// sub-techniques; a team's own before those of importers.
fn choose(technique: &str, by_technique: &HashMap<&str, Vec<&Cover>>) -> Vec<LibraryProcedureId> {
    let below = format!("{technique}.");
    let exact = by_technique.get(technique).cloned().unwrap_or_default();
    let found = if exact.is_empty() {
        let mut subs: Vec<_> = by_technique.iter().filter(|(id, _)| id.starts_with(&below)).collect();
        subs.sort_by_key(|(id, _)| **id);
        subs.into_iter().flat_map(|(_, covers)| covers.iter().copied()).collect()
    } else {
        exact
    };
    let has_own = found.iter().any(|cover| !cover.is_curated);
    found.into_iter().filter(|cover| !has_own || !cover.is_curated).map(|cover| cover.id).collect()
}

fn prepare(conn: &mut PgConnection, shelf: Shelf, read: &ImportedLayer) -> Result<Prepared> {
    let covers = list_covers(conn, shelf)?;
    let mut by_technique: HashMap<&str, Vec<&Cover>> = HashMap::new();
    for cover in &covers {
        for technique in &cover.technique_ids {
            by_technique.entry(technique).or_default().push(cover);
        }
    }
    let mut outcome = Outcome { warnings: read.warnings.clone(), ..Outcome::default() };
    let (mut procedures, mut seen, mut bare) = (Vec::new(), HashSet::new(), Vec::new());
    for technique in &read.techniques {
        let found = choose(technique, &by_technique);
        if found.is_empty() {
            bare.push(technique.clone());
        }
        procedures.extend(found.into_iter().filter(|id| seen.insert(*id)));
    }
    if procedures.len() > PLAN_MAX {
        outcome.notes.push(format!(
            "{} procedures cover the layer; a test plan holds the first {PLAN_MAX} of them.",
            procedures.len()
        ));
        procedures.truncate(PLAN_MAX);
    }
    if !bare.is_empty() {
        let which = if bare.len() == 1 { "This technique is" } else { "These techniques are" };
        outcome.notes.push(format!("{which} covered by no procedure: {}.", bare.join(", ")));
    }
    let mut hash = Sha256::new();
    for text in std::iter::once(&read.name).chain(&read.techniques) {
        hash.update(text);
        hash.update([0]);
    }
    let key = format!("layer:{}", hex(&hash.finalize()));
    let plans = list_all_plans(conn, shelf)?;
    let label = format!("test plan “{}”", read.name);
    let is_new = plans.iter().all(|plan| plan.key.as_ref() != Some(&key));
    let mut title = read.name.clone();
    let mut n = 2;
    while plans.iter().any(|plan| plan.lower_title == title.to_lowercase()) {
        title = format!("{} ({n})", read.name);
        n += 1;
    }
    if !is_new {
        outcome.changes.unchanged.push(label);
    } else if procedures.is_empty() {
        outcome
            .refused
            .push(ImportError::file(&read.name, "no procedure of the library covers any of its techniques"));
    } else {
        if title != read.name {
            outcome.notes.push(format!(
                "A test plan called “{}” is here already, so this one becomes “{title}”.",
                read.name
            ));
        }
        let sentence =
            format!("It holds {} that cover it.", counted(procedures.len(), "procedure", "procedures"));
        outcome.touched.push(Touched::new(Verdict::Added, &key, &label).saying(sentence));
        outcome.changes.added.push(label);
    }
    Ok(Prepared { outcome, key, title, procedures, is_new })
}

/// What [`apply_layer`] would do.
///
/// # Errors
/// When the database refuses.
pub fn preview_layer(conn: &mut PgConnection, shelf: Shelf, read: &ImportedLayer) -> Result<Outcome> {
    Ok(prepare(conn, shelf, read)?.outcome)
}

/// Makes a test plan of the procedures that cover what a layer marks.
///
/// # Errors
/// [`Error::Forbidden`] without the right to change the library.
pub fn apply_layer(tx: &mut WriteTx<'_>, shelf: Shelf, read: &ImportedLayer) -> Result<Audited<Outcome>> {
    write_layer(tx, shelf, read, &mut |_, _| Ok(()))?.audit(tx)
}

/// As [`apply_layer`]; the caller audits.
pub(crate) fn write_layer(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    read: &ImportedLayer,
    agree: &mut Agree<'_>,
) -> Result<Done> {
    if !shelf.edits() {
        return Err(Error::Forbidden(String::new()));
    }
    lock(tx)?;
    let Prepared { outcome, key, title, procedures, is_new } = prepare(tx.conn, shelf, read)?;
    agree(tx.conn, &outcome)?;
    if !is_new || procedures.is_empty() {
        return Ok(Done { outcome, ..Done::default() });
    }
    let id = TestPlanId::new();
    let content =
        PlanFields { title: title.clone(), description: read.description.clone(), ..PlanFields::default() };
    let count = procedures.len();
    let incoming = IncomingPlan {
        id,
        key: Some(key.clone()),
        title: title.clone(),
        description: read.description.clone(),
        tags: Vec::new(),
        procedures,
        written_from: None,
        brought: brought(&content)?,
    };
    let before = write_plan(tx, shelf, &incoming)?;
    let sentence = format!("Made the test plan “{title}” of a Navigator layer: {count} procedures");
    let event = Event::new(Kind::LibraryImported, sentence)
        .subject("test_plan", id.0, &title)
        .detail(json!({ "source": "layer", "procedures": count, "techniques": read.techniques.len() }));
    let acts = vec![Act::plan(key, &before)?];
    Ok(Done { outcome, event: Some(event), repository: None, acts })
}

/// The event of an export of a layer that belongs to no client.
pub fn export_event(what: &str) -> Event {
    Event::new(Kind::LayerExported, format!("Exported a Navigator layer of {what}"))
        .detail(json!({ "format": "navigator 4.5" }))
}
