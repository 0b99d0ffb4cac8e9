//! A repository out of the library and into it.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::file::{Archive, Head, Methodology, MethodologyFields, Procedure, TestPlan};
use super::merge::{Here, Plan, State, Write, plan};
use super::plans::{brought, fields, list_here, list_procedures};
use super::read::ReadArchive;
use super::terms::{self, TermsPlan, methodologies};
use crate::imports::domain::ImportError;
use crate::imports::known::{PlanWrite, Said, written_from};
use crate::imports::outcome::{Act, Agree, Done, How, Outcome};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{RepositoryId, TermId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::domain::{ContentDigest, RepositoryType};
use crate::library::repository::origin_of;
use crate::library::store::curated::lock;
use crate::library::store::exchange::{
    IncomingPlan, IncomingProcedure, StoredPlan, StoredProcedure, StoredRepository, check_free,
    find_by_prefix, insert_repository, list_all_plans, list_bases, list_ids, list_plans_within, list_stored,
    note_plan, raise_next_number, retire, write_plan, write_procedures,
};
use crate::library::store::exchanged::{list_exchanged, note_exchanged};
use crate::library::store::incoming::Before;
use crate::library::store::term_exchange::{list_methodologies_named, list_terms_here, note_methodology};
use crate::library::store::terms::{insert_known, write_known};
use crate::library::store::undo::TermBefore;

/// Reads a repository as an archive holds it: current versions, and the test plans that need no other.
///
/// # Errors
/// When a stored body is none.
pub fn read_archive(conn: &mut PgConnection, repository: &StoredRepository) -> Result<Archive> {
    let mut procedures = Vec::new();
    for row in list_stored(conn, repository.id)? {
        let body = row.body()?;
        let derived = row.origin_key.as_deref().map(origin_of).unwrap_or_default();
        procedures.push(Procedure {
            identity: row.identity,
            number: row.number,
            written_from: written_from(
                body.digest(),
                row.imported_digest.as_deref(),
                row.written_from.as_deref(),
            ),
            is_retired: row.is_retired,
            origin: if row.origin.is_empty() { derived.to_owned() } else { row.origin },
            body,
        });
    }
    let mut named: Vec<String> =
        procedures.iter().flat_map(|procedure| procedure.body.technique_ids.clone()).collect();
    named.sort_unstable();
    named.dedup();
    let terms = list_methodologies_named(conn, &named)?;
    let rows = list_plans_within(conn, repository.id)?;
    let plans = rows.iter().map(|row| {
        let content = fields(row);
        let known =
            written_from(content.digest(), row.imported_digest.as_deref(), row.written_from.as_deref());
        TestPlan { id: row.id.0, written_from: known, content }
    });
    Ok(Archive {
        plans: plans.collect(),
        procedures,
        methodologies: methodologies(&terms),
        head: Head {
            name: repository.name.clone(),
            prefix: repository.prefix.clone(),
            // A copy of what an importer owns belongs to whoever takes it.
            kind: match repository.kind {
                RepositoryType::Curated => RepositoryType::Open,
                kind => kind,
            },
            description: repository.description.clone(),
            next_number: repository.next_number,
        },
    })
}

/// Notes that an archive leaves, and what its methodologies say in it: procedures and test plans have
/// versions, they have none.
///
/// # Errors
/// As every write.
pub fn note_export(
    tx: &mut WriteTx<'_>,
    repository: &StoredRepository,
    archive: &Archive,
) -> Result<Audited<()>> {
    for methodology in &archive.methodologies {
        let content = &methodology.content;
        note_exchanged(tx, methodology.id, content.digest(), content)?;
    }
    let sentence = format!(
        "Exported the repository “{}” ({}): {} procedures, {} test plans",
        repository.name,
        repository.prefix,
        archive.procedures.len(),
        archive.plans.len()
    );
    let event = Event::new(Kind::RepositoryExported, sentence)
        .subject("repository", repository.id.0, &repository.name)
        .detail(json!({ "procedures": archive.procedures.len(), "test_plans": archive.plans.len() }));
    tx.audited((), event)
}

/// What an archive would do here, with the repository that it goes to; none where it makes one.
struct Prepared {
    archive: Archive,
    repository: Option<StoredRepository>,
    plan: Plan,
    terms: TermsPlan,
}

fn prepare(conn: &mut PgConnection, shelf: Shelf, read: &ReadArchive, how: &How) -> Result<Prepared> {
    let mut archive = read.archive.clone();
    if let Some(prefix) = &how.repository {
        archive.head.prefix = prefix.to_uppercase();
    }
    let prefix = archive.head.prefix.clone();
    let repository = find_by_prefix(conn, shelf, &prefix)?;
    if repository.is_none() && how.repository.is_some() {
        return Err(Error::Refused(format!("There is no repository with the prefix {prefix} here.")));
    }
    if repository.as_ref().is_none_or(|repository| !repository.may_write) {
        if !shelf.edits() {
            return Err(Error::Forbidden(String::new()));
        }
        if let Some(closed) = &repository {
            return Err(Error::Refused(format!(
                "{} is {} here, and you do not write in it. Import into a repository of your own instead: \
                    {}.",
                closed.prefix,
                closed.kind.label().to_lowercase(),
                how.surface.elsewhere()
            )));
        }
    }
    if repository.is_none() {
        check_free(conn, &prefix, &archive.head.name, how.surface.elsewhere())?;
    }
    let state = match &repository {
        Some(repository) => state(conn, shelf, repository, &archive)?,
        None => State { next_number: 1, ..plans_state(conn, shelf, &archive)? },
    };
    let plan = plan(&archive, &read.held, &state, how.missing, &how.takes)?;
    let terms = match &archive.methodologies[..] {
        [] => TermsPlan::default(),
        // The same right as to make terms by hand.
        _ if !shelf.edits() => return Err(Error::Forbidden(String::new())),
        brought => {
            let said = said(conn, brought)?;
            terms::plan(brought, &read.places, &list_terms_here(conn)?, said, &how.takes)?
        }
    };
    Ok(Prepared { archive, repository, plan, terms })
}

/// What was exchanged of methodologies, by their ids.
fn said(
    conn: &mut PgConnection,
    methodologies: &[Methodology],
) -> Result<HashMap<Uuid, Vec<Said<MethodologyFields>>>> {
    let ids: Vec<Uuid> = methodologies.iter().map(|own| own.id).collect();
    let mut said: HashMap<Uuid, Vec<Said<MethodologyFields>>> = HashMap::new();
    for text in list_exchanged(conn, &ids)? {
        let (at, digest) = (text.at, text.digest());
        let content = serde_json::from_value(text.body)?;
        said.entry(text.subject_id).or_default().push(Said { at, digest, content });
    }
    Ok(said)
}

fn state(
    conn: &mut PgConnection,
    shelf: Shelf,
    repository: &StoredRepository,
    archive: &Archive,
) -> Result<State> {
    let digests: Vec<ContentDigest> =
        archive.procedures.iter().map(|procedure| procedure.written_from).collect();
    let mut bases = list_bases(conn, repository.id, &digests)?;
    let mut procedures = Vec::new();
    for row in list_stored(conn, repository.id)? {
        procedures.push(Here {
            identity: row.identity,
            number: row.number,
            is_retired: row.is_retired,
            is_withdrawn: row.withdrawn_at.is_some(),
            body: row.body()?,
            current_version: row.current_version,
            imported_version: row.imported_version,
            bases: bases.remove(&row.id).unwrap_or_default(),
        });
    }
    Ok(State { procedures, next_number: repository.next_number, ..plans_state(conn, shelf, archive)? })
}

fn plans_state(conn: &mut PgConnection, shelf: Shelf, archive: &Archive) -> Result<State> {
    let named: HashSet<Uuid> = archive.plans.iter().map(|plan| plan.id).collect();
    let (named, others): (Vec<StoredPlan>, Vec<StoredPlan>) =
        list_all_plans(conn, shelf)?.into_iter().partition(|row| named.contains(&row.id.0));
    Ok(State {
        plans: list_here(conn, shelf, &named)?,
        titles: others.into_iter().map(|row| row.lower_title).collect(),
        ..State::default()
    })
}

fn outcome(read: &ReadArchive, plan: &Plan, terms: &TermsPlan) -> Outcome {
    let mut refused = read.refused.clone();
    refused.extend(terms.refused.iter().cloned());
    refused.extend(plan.refused.iter().map(|(id, title, sentence)| {
        let place = read.places.get(&(*id, *id)).cloned().unwrap_or_default();
        ImportError {
            object: Some(title.clone()),
            field: Some("title".to_owned()),
            line: (place.line > 0).then_some(place.line),
            ..ImportError::file(
                if place.file.is_empty() { "test-plans" } else { &place.file },
                sentence.clone(),
            )
        }
    }));
    let mut changes = terms.changes.clone();
    let conflicts = [&terms.conflicts[..], &plan.conflicts].concat();
    changes.added.extend(plan.changes.added.iter().cloned());
    changes.changed.extend(plan.changes.changed.iter().cloned());
    changes.unchanged.extend(plan.changes.unchanged.iter().cloned());
    changes.withdrawn.extend(plan.changes.withdrawn.iter().cloned());
    changes.kept.extend(plan.changes.kept.iter().cloned());
    Outcome {
        changes,
        touched: [&terms.touched[..], &plan.touched].concat(),
        conflicts,
        notes: plan.notes.clone(),
        refused,
        warnings: read.warnings.clone(),
    }
}

/// What [`apply_archive`] would do.
///
/// # Errors
/// [`Error::Refused`] where nobody may write, or the repository that was named is not there.
pub fn preview_archive(
    conn: &mut PgConnection,
    shelf: Shelf,
    read: &ReadArchive,
    how: &How,
) -> Result<Outcome> {
    let prepared = prepare(conn, shelf, read, how)?;
    Ok(outcome(read, &prepared.plan, &prepared.terms))
}

/// Brings an archive into the library, in one transaction.
///
/// # Errors
/// As [`preview_archive`], and [`Error::Refused`] where a new repository's name or prefix is taken.
pub fn apply_archive(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    read: &ReadArchive,
    how: &How,
) -> Result<Audited<Outcome>> {
    write_archive(tx, shelf, read, how, &mut |_, _| Ok(()))?.audit(tx)
}

/// As [`apply_archive`]; the caller audits.
pub(crate) fn write_archive(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    read: &ReadArchive,
    how: &How,
    agree: &mut Agree<'_>,
) -> Result<Done> {
    lock(tx)?;
    let Prepared { archive, repository, plan, terms } = prepare(tx.conn, shelf, read, how)?;
    let outcome = outcome(read, &plan, &terms);
    agree(tx.conn, &outcome)?;
    if repository.is_some() && plan.is_empty() && terms.is_empty() {
        let repository = repository.map(|repository| repository.id);
        return Ok(Done { outcome, repository, ..Done::default() });
    }
    let head = &archive.head;
    let (id, name) = match &repository {
        Some(repository) => (repository.id, repository.name.clone()),
        None => {
            let new = StoredRepository {
                id: RepositoryId::new(),
                key: None,
                name: head.name.clone(),
                prefix: head.prefix.clone(),
                description: head.description.clone(),
                kind: head.kind,
                next_number: plan.next_number,
                may_write: true,
            };
            (insert_repository(tx, &new, how.editor, how.surface.elsewhere())?, head.name.clone())
        }
    };
    let mut acts = Vec::new();
    for new in &terms.added {
        let after = insert_known(tx, TermId(new.id), new.kind, &new.text)?;
        acts.push(Act::term(&TermBefore { id: TermId(new.id), was: None, after }));
    }
    for (term, text) in &terms.changed {
        let was = write_known(tx, TermId(*term), text)?;
        let after = was.version + 1;
        acts.push(Act::term(&TermBefore { id: TermId(*term), was: Some(was.text), after }));
    }
    for own in &terms.noted {
        let digest = own.content.digest();
        note_exchanged(tx, own.id, digest, &own.content)?;
        acts.push(Act::methodology(&note_methodology(tx, TermId(own.id), digest, own.written_from)?));
    }
    acts.extend(write(tx, shelf, id, &head.prefix, &plan)?);
    let counts = outcome.counts();
    let sentence = format!("Imported an archive into the repository “{name}” ({}): {counts}", head.prefix);
    let event =
        Event::new(Kind::LibraryImported, sentence).subject("repository", id.0, &name).detail(json!({
            "source": "archive",
            "counts": {
                "added": counts.added, "changed": counts.changed, "withdrawn": counts.withdrawn,
                "unchanged": counts.unchanged, "refused": counts.refused, "kept": counts.kept,
            },
            "conflicts": outcome.conflicts.len(),
            "terms": terms.added.len() + terms.changed.len(),
        }));
    Ok(Done { outcome, event: Some(event), repository: Some(id), acts })
}

fn write(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    repository: RepositoryId,
    prefix: &str,
    plan: &Plan,
) -> Result<Vec<Act>> {
    let here: HashMap<Uuid, StoredProcedure> =
        list_stored(tx.conn, repository)?.into_iter().map(|row| (row.identity, row)).collect();
    let mut gone = Vec::new();
    let mut incoming = Vec::new();
    for write in &plan.writes {
        let (procedure, number, merged) = match write {
            Write::Retire { identity } => {
                gone.push(*identity);
                continue;
            }
            Write::Add { procedure, number } => (procedure, *number, None),
            Write::Take { procedure } => (procedure, procedure.number, None),
            Write::Merge { procedure, merged } => (procedure, procedure.number, Some((**merged).clone())),
        };
        let before = here.get(&procedure.identity);
        let stays = match (before, &merged) {
            (Some(row), Some(merged)) => row.withdrawn_at.is_none() && row.body()? == *merged,
            _ => false,
        };
        incoming.push(IncomingProcedure {
            before: before.map(|row| (row.id, row.current_version)),
            identity: procedure.identity,
            source_key: before.map_or_else(|| procedure.identity.to_string(), |row| row.source_key.clone()),
            number: before.map_or(number, |row| row.number),
            theirs: procedure.body.clone(),
            merged,
            stays,
            written_from: Some(procedure.written_from),
            origin: match before {
                Some(row) if !row.origin.is_empty() => row.origin.clone(),
                _ => procedure.origin.clone(),
            },
            is_retired: procedure.is_retired,
        });
    }
    let written = write_procedures(tx, repository, prefix, incoming)?;
    retire(tx, repository, &gone)?;
    raise_next_number(tx, repository, plan.next_number)?;
    let gone: HashSet<Uuid> = gone.into_iter().collect();
    let mut acts = Vec::new();
    for identity in written.keys().chain(gone.iter().filter(|identity| !written.contains_key(identity))) {
        let row = here.get(identity);
        let now = written.get(identity).copied();
        let Some(id) = now.map(|now| now.id).or(row.map(|row| row.id)) else { continue };
        let before = Before {
            current: row.map(|row| row.current_version),
            imported: row.and_then(|row| row.imported_version),
            withdrawn_at: row.and_then(|row| row.withdrawn_at),
            retired: gone.contains(identity),
            after: now.map(|now| now.version).or(row.map(|row| row.current_version)).unwrap_or_default(),
        };
        acts.push(Act::procedure(*identity, id.0, &before)?);
    }
    if plan.plan_writes.is_empty() {
        return Ok(acts);
    }
    let ids = list_ids(tx.conn, repository)?;
    for (plan, write) in &plan.plan_writes {
        let id = TestPlanId(plan.id);
        let brought = brought(&plan.content)?;
        let content = match write {
            PlanWrite::Note => {
                acts.push(Act::plan(plan.id, &note_plan(tx, id, &brought)?)?);
                continue;
            }
            PlanWrite::Add => &plan.content,
            PlanWrite::Write(content) => content,
        };
        let incoming = IncomingPlan {
            id,
            key: None,
            title: content.title.clone(),
            description: content.description.clone(),
            tags: content.tags.clone(),
            procedures: list_procedures(tx.conn, shelf, id, &content.procedures, &ids)?,
            written_from: Some(plan.written_from),
            brought,
        };
        let before = write_plan(tx, shelf, &incoming)?;
        acts.push(Act::plan(plan.id, &before)?);
    }
    Ok(acts)
}
