//! The engine's part for what other installations and programs wrote: test plans, layers and archives, each
//! compared and written by its own module, and told as every import is.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::target::{Applied, Target, agreed, settle, strangers};
use crate::imports::known::PLAN_PROCEDURES;
use crate::imports::layers::{preview_layer, write_layer};
use crate::imports::outcome::{Agree, Done, How, Outcome, Takes};
use crate::imports::plextrac::store::{new_identity, preview_plan, write_read_plan};
use crate::imports::preview::{Change, Detail, Preview, ShownField, Verdict};
use crate::imports::repository::store::{preview_archive, write_archive};
use crate::imports::source::Content;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::library::domain::ProcedureBody;
use crate::library::store::exchange::{get_stored, list_names};

/// What the file calls itself.
fn title(content: &Content) -> String {
    match content {
        Content::Plan(read) => format!("test plan “{}”", read.plan.title),
        Content::Layer(layer) => format!("layer “{}”", layer.name),
        Content::Archive(read) => read.archive.head.name.clone(),
        Content::Attack(_) | Content::Atomics(_) => String::new(),
    }
}

fn procedures(content: &Content) -> Vec<&ProcedureBody> {
    match content {
        Content::Plan(read) => read.plan.procedures.iter().map(|procedure| &procedure.body).collect(),
        Content::Archive(read) => read.archive.procedures.iter().map(|procedure| &procedure.body).collect(),
        _ => Vec::new(),
    }
}

/// Ids of the techniques that the file itself brings, or that it says why it cannot.
fn techniques(content: &Content) -> HashSet<&str> {
    let Content::Archive(read) = content else { return HashSet::new() };
    let all = read.archive.methodologies.iter().flat_map(|methodology| &methodology.content.techniques);
    all.map(|technique| technique.short_name.as_str()).collect()
}

fn how(conn: &mut PgConnection, target: &Target, takes: Takes) -> Result<How> {
    if !target.shelf.edits() {
        return Err(Error::Refused(
            "Your roles let you import, but not write in the library, as this file would. Ask an \
                administrator for the right to edit the library."
                .into(),
        ));
    }
    let repository = match target.repository {
        Some(id) => Some(get_stored(conn, target.shelf, id)?.prefix),
        None => None,
    };
    Ok(How { repository, missing: target.missing, takes, editor: target.editor, surface: target.surface })
}

fn compared(conn: &mut PgConnection, content: &Content, target: &Target, how: &How) -> Result<Outcome> {
    match content {
        Content::Plan(read) => preview_plan(conn, target.shelf, read, how),
        Content::Layer(layer) => preview_layer(conn, target.shelf, layer),
        Content::Archive(read) => preview_archive(conn, target.shelf, read, how),
        Content::Attack(_) | Content::Atomics(_) => Ok(Outcome::default()),
    }
}

/// What [`apply`] would do.
///
/// # Errors
/// [`Error::Refused`] for what the library cannot take.
pub(super) fn preview(conn: &mut PgConnection, content: &Content, target: &Target) -> Result<Preview> {
    let how = how(conn, target, Takes::new())?;
    let outcome = compared(conn, content, target, &how)?;
    told(conn, content, target, outcome)
}

/// What somebody is told of an import, the same whatever they choose in its conflicts.
fn told(
    conn: &mut PgConnection,
    content: &Content,
    target: &Target,
    mut outcome: Outcome,
) -> Result<Preview> {
    name_members(conn, content, target, &mut outcome)?;
    let brought = techniques(content);
    let named: Vec<(&str, &str)> = procedures(content)
        .into_iter()
        .flat_map(|body| body.technique_ids.iter().map(|id| (id.as_str(), body.name.as_str())))
        .filter(|(id, _)| !brought.contains(id))
        .collect();
    let strangers = strangers(conn, &named, ("procedure names", "procedures name"))?;
    Ok(of_outcome(&title(content), outcome, strangers))
}

/// Identities and names of the procedures that the file itself brings.
fn members(content: &Content) -> Vec<(Uuid, &str)> {
    match content {
        Content::Plan(read) => {
            let procedures = read.plan.procedures.iter();
            procedures.map(|one| (new_identity(&one.key), one.body.name.as_str())).collect()
        }
        Content::Archive(read) => {
            read.archive.procedures.iter().map(|one| (one.identity, one.body.name.as_str())).collect()
        }
        Content::Layer(_) | Content::Attack(_) | Content::Atomics(_) => Vec::new(),
    }
}

/// In the lists of test plans, names stand in the place of identities.
fn name_members(
    conn: &mut PgConnection,
    content: &Content,
    target: &Target,
    outcome: &mut Outcome,
) -> Result<()> {
    let fields = outcome.touched.iter_mut().flat_map(|told| &mut told.fields);
    let mut lists: Vec<&mut Value> = fields
        .filter(|field| field.key == PLAN_PROCEDURES)
        .flat_map(|field| [&mut field.base, &mut field.ours, &mut field.theirs])
        .flat_map(|list| list.as_array_mut().into_iter().flatten())
        .collect();
    let id = |value: &Value| value.as_str().and_then(|text| text.parse::<Uuid>().ok());
    let wanted: Vec<Uuid> = lists.iter().filter_map(|value| id(value)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut names = list_names(conn, target.shelf, &wanted)?;
    for (identity, name) in members(content) {
        names.entry(identity).or_insert_with(|| name.to_owned());
    }
    for value in &mut lists {
        if let Some(name) = id(value).and_then(|id| names.get(&id)) {
            **value = name.as_str().into();
        }
    }
    Ok(())
}

fn of_outcome(title: &str, outcome: Outcome, strangers: Vec<Change>) -> Preview {
    let mut counts = outcome.counts();
    // Where both sides changed it somebody chooses: until then it counts as changed.
    let kept: HashSet<&str> = outcome.changes.kept.iter().map(String::as_str).collect();
    let open = outcome.conflicts.iter().filter(|one| kept.contains(one.label.as_str())).count();
    counts.changed += open;
    counts.kept -= open;
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(outcome.refused.iter().map(|place| Change::placed(Verdict::Refused, place)));
    changes.extend(outcome.touched.into_iter().map(|told| Change {
        detail: Detail {
            fields: told.fields.iter().map(ShownField::from).collect(),
            sentence: told.sentence,
            ..Detail::default()
        },
        returns: told.returns,
        ..Change::new(told.verdict, told.key, told.label)
    }));
    changes.extend(outcome.warnings.iter().map(|place| Change::placed(Verdict::Warning, place)));
    let notes = outcome.notes.into_iter();
    changes.extend(notes.map(|note| Change::new(Verdict::Warning, "", title).saying(note)));
    changes.extend(strangers);
    let stored = counts.changed + counts.withdrawn + counts.unchanged + counts.kept;
    let mut preview = Preview { counts, changes, stored };
    preview.sort();
    preview
}

/// Writes what was read; the caller audits.
///
/// # Errors
/// As [`preview`]; [`Error::Conflict`] when the library has changed since.
pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    content: &Content,
    target: &Target,
    takes: &Takes,
    outline: Option<&[u8]>,
) -> Result<Applied> {
    let how = how(tx.conn, target, takes.clone())?;
    let mut preview = Preview::default();
    let agree: &mut Agree<'_> = &mut |conn, outcome| {
        preview = told(conn, content, target, outcome.clone())?;
        agreed(&preview, outline)
    };
    let Done { event, repository, acts, .. } = match content {
        Content::Plan(read) => write_read_plan(tx, target.shelf, read, &how, agree)?,
        Content::Layer(layer) => write_layer(tx, target.shelf, layer, agree)?,
        Content::Archive(read) => write_archive(tx, target.shelf, read, &how, agree)?,
        Content::Attack(_) | Content::Atomics(_) => Done::default(),
    };
    let mut rows = HashSet::new();
    for act in acts {
        let row =
            preview.changes.iter().position(|change| change.verdict.is_change() && change.key == act.key);
        match row.filter(|at| rows.insert(*at)) {
            Some(at) => {
                preview.changes[at].subject = act.subject;
                preview.changes[at].before = Some(act.before);
            }
            // Written only to be known: taking the import back has to take it too.
            None => preview.changes.push(Change {
                subject: act.subject,
                before: Some(act.before),
                ..Change::new(Verdict::Noted, act.key, "")
            }),
        }
    }
    settle(&mut preview, takes);
    Ok(Applied { preview, repository, version: None, made: event.is_some(), event })
}
