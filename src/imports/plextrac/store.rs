//! A test plan out of the library as PlexTrac reads it, and one of PlexTrac into the library.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::convert::{
    ImportedPlan, ImportedProcedure, KnownTactic, KnownTechnique, LibraryPlan, LibraryProcedure,
    LibraryRepository, Origin, OwnMethodology, OwnTactic, adopt_step_ids, cuid, plan_cuid, procedure_cuid,
};
use super::file::RepositoryEntry;
use crate::imports::domain::ImportError;
use crate::imports::known::PlanWrite;
use crate::imports::outcome::{Act, Agree, Conflict, Done, How, Outcome, Touched};
use crate::imports::preview::Verdict as Said;
use crate::imports::repository::file::{PlanFields, code, is_prefix};
use crate::imports::repository::plans::{brought, list_here, list_procedures};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::compare::{Field, age, caught_up, compare};
use crate::library::domain::{ContentDigest, ProcedureBody, RepositoryType};
use crate::library::store::attack::list_unknown_methodologies;
use crate::library::store::curated::lock;
use crate::library::store::exchange::{
    IncomingPlan, IncomingProcedure, Known, StoredPlan, StoredRepository, Written, find_by_prefix,
    insert_repository, list_all_plans, list_known, list_members, list_taken, list_technique_tactics,
    list_versions, note_plan, raise_next_number, write_plan, write_procedures,
};
use crate::library::store::get_plan;
use crate::library::store::incoming::Before;
use crate::library::store::term_exchange::{StoredTerm, list_terms_named};
use crate::library::terms::TermKind;

/// Reads a test plan as far as the reader may see it, with what is known of its techniques.
///
/// # Errors
/// [`Error::NotFound`]
pub fn read_plan(
    conn: &mut PgConnection,
    shelf: Shelf,
    id: TestPlanId,
) -> Result<(LibraryPlan, Vec<KnownTechnique>)> {
    let plan = get_plan(conn, id)?;
    let members = list_members(conn, shelf, id)?;
    let mut procedures = Vec::new();
    for member in members {
        procedures.push(LibraryProcedure {
            identity: member.identity,
            code: code(&member.prefix, member.number),
            body: member.body()?,
            repository: LibraryRepository {
                id: member.repository_id.0,
                name: member.repository_name,
                prefix: member.prefix,
                description: member.repository_description,
                kind: member.kind.as_str().to_owned(),
            },
        });
    }
    let mut ids: Vec<String> =
        procedures.iter().flat_map(|procedure| procedure.body.technique_ids.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut known: Vec<KnownTechnique> = Vec::new();
    for row in list_technique_tactics(conn, &ids)? {
        if known.last().is_none_or(|last| last.external_id != row.external_id) {
            known.push(KnownTechnique {
                external_id: row.external_id.clone(),
                name: row.name,
                description: row.description,
                origin: Origin::Release(row.version),
                tactics: Vec::new(),
            });
        }
        if let (Some(external_id), Some(technique)) = (row.tactic_id, known.last_mut()) {
            technique.tactics.push(KnownTactic {
                external_id,
                name: row.tactic_name.unwrap_or_default(),
                description: row.tactic_description.unwrap_or_default(),
                own: None,
            });
        }
    }
    known.extend(own_techniques(&list_terms_named(conn, &ids)?));
    let plan = LibraryPlan {
        id: plan.id.0,
        title: plan.title,
        description: plan.description,
        tags: plan.tags,
        procedures,
    };
    Ok((plan, known))
}

/// The techniques among own terms, with the tactics and methodologies that they stand under.
fn own_techniques(terms: &[StoredTerm]) -> Vec<KnownTechnique> {
    let above = |term: &StoredTerm| {
        let parents = term.parents.clone();
        terms.iter().filter(move |other| parents.contains(&other.id))
    };
    let methodology = |term: &StoredTerm| OwnMethodology {
        id: term.id,
        name: term.name.clone(),
        short_name: term.short_name.clone(),
        description: term.description.clone(),
    };
    let tactic = |term: &StoredTerm| KnownTactic {
        external_id: term.short_name.clone(),
        name: term.name.clone(),
        description: term.description.clone(),
        own: Some(OwnTactic { id: term.id, methodologies: above(term).map(methodology).collect() }),
    };
    terms
        .iter()
        .filter(|term| term.kind == TermKind::Technique)
        .map(|term| KnownTechnique {
            external_id: term.short_name.clone(),
            name: term.name.clone(),
            description: term.description.clone(),
            origin: Origin::Own(term.id),
            tactics: above(term).map(tactic).collect(),
        })
        .collect()
}

/// The event of an export.
pub fn export_event(plan: &LibraryPlan) -> Event {
    let count = plan.procedures.len();
    Event::new(
        Kind::TestPlanExported,
        format!("Exported the test plan “{}” as PlexTrac YAML: {count} procedures", plan.title),
    )
    .subject("test_plan", plan.id, &plan.title)
    .detail(json!({ "format": "plextrac", "procedures": count }))
}

/// A plan that was read, with what its reader said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadPlan {
    pub file_name: String,
    pub plan: ImportedPlan,
    pub warnings: Vec<ImportError>,
}

/// What is to become of one procedure of the file.
enum Verdict {
    /// The library has it; nothing is written.
    Same(LibraryProcedureId),
    Add,
    Change(Box<Change>),
}

/// A procedure that is here, with theirs on its own or what was merged on top.
struct Change {
    row: Known,
    theirs: ProcedureBody,
    merged: Option<ProcedureBody>,
    /// Whether what was merged is what stands here already.
    stays: bool,
}

struct Prepared {
    outcome: Outcome,
    verdicts: Vec<Verdict>,
    /// Of each repository of the file: one that is here, or one to make.
    targets: Vec<Target>,
    plan: Option<PlanVerdict>,
    title: String,
}

#[derive(Clone)]
enum Target {
    Here(StoredRepository),
    New(StoredRepository),
}

/// What becomes of the file's test plan; none where nothing is written.
struct PlanVerdict {
    id: TestPlanId,
    /// As [`Touched::key`].
    key: String,
    write: PlanWrite,
}

fn prepare(conn: &mut PgConnection, shelf: Shelf, read: &ReadPlan, how: &How) -> Result<Prepared> {
    if !shelf.edits() {
        return Err(Error::Forbidden(String::new()));
    }
    let plan = &read.plan;
    let mut outcome = Outcome { warnings: read.warnings.clone(), ..Outcome::default() };
    for name in list_unknown_methodologies(conn, &plan.methodologies)? {
        outcome.notes.push(format!(
            "The methodology “{name}” is not in the library and does not come with a test plan. The \
                procedures keep the ids of its techniques; make it under Library, Methodologies, and they \
                belong to it."
        ));
    }
    let known = list_known(conn, shelf)?;
    let mut by_key: HashMap<String, &Known> = HashMap::new();
    // What was withdrawn comes back where the importer may write it; elsewhere the file's comes anew.
    for row in known.iter().filter(|row| row.withdrawn_at.is_none() || row.may_write) {
        by_key.entry(procedure_cuid(row.identity)).or_insert(row);
        if let Some(key) = row.source_key.strip_prefix("plextrac:") {
            by_key.entry(key.to_owned()).or_insert(row);
        }
    }
    let found: Vec<LibraryProcedureId> =
        plan.procedures.iter().filter_map(|procedure| by_key.get(&procedure.key)).map(|row| row.id).collect();
    let marked: Vec<ContentDigest> = plan.known.values().copied().collect();
    let versions = list_versions(conn, &found, &marked)?;
    let mut verdicts = Vec::new();
    for procedure in &plan.procedures {
        verdicts.push(match by_key.get(&procedure.key) {
            None => {
                let name = &procedure.body.name;
                let told = Touched::new(Said::Added, new_identity(&procedure.key), name);
                outcome.touched.push(told);
                outcome.changes.added.push(name.clone());
                Verdict::Add
            }
            Some(row) => {
                let marked = plan.known.get(&procedure.key);
                judge(procedure, row, marked, &versions, how, &mut outcome)?
            }
        });
    }
    let targets = targets(conn, shelf, plan, &verdicts, how, &mut outcome)?;
    let plans = list_all_plans(conn, shelf)?;
    let identities = identities(plan, &by_key);
    let (plan_verdict, title) = judge_plan(conn, shelf, plan, &plans, identities, how, &mut outcome)?;
    Ok(Prepared { outcome, verdicts, targets, plan: plan_verdict, title })
}

fn judge(
    procedure: &ImportedProcedure,
    row: &Known,
    marked: Option<&ContentDigest>,
    versions: &HashMap<(LibraryProcedureId, i32), ProcedureBody>,
    how: &How,
    outcome: &mut Outcome,
) -> Result<Verdict> {
    let label = format!("{} {}", code(&row.prefix, row.number), procedure.body.name);
    let Some(ours) = versions.get(&(row.id, row.current_version)) else {
        return Ok(Verdict::Same(row.id));
    };
    let mut theirs = procedure.body.clone();
    adopt_step_ids(&mut theirs, ours);
    // The newest version that both sides know: what the last import wrote, or what the file was written from.
    let base = versions
        .iter()
        .filter(|((id, n), body)| {
            *id == row.id && (Some(*n) == row.imported_version || marked == Some(&body.digest()))
        })
        .max_by_key(|((_, n), _)| age(*n))
        .map(|(_, body)| body);
    let origin = versions.iter().find(|((id, _), body)| *id == row.id && marked == Some(&body.digest()));
    let theirs_now = match (origin, base) {
        (Some((_, origin)), Some(base)) => {
            let mut left = theirs.clone();
            adopt_step_ids(&mut left, origin);
            let mut now = caught_up(origin, base, &left)?;
            adopt_step_ids(&mut now, ours);
            now
        }
        _ => theirs.clone(),
    };
    let is_known = base.is_some_and(|base| {
        let mut again = theirs_now.clone();
        adopt_step_ids(&mut again, base);
        again == *base
    });
    let returns = row.withdrawn_at.is_some();
    if !returns && (theirs == *ours || theirs_now == *ours || is_known) {
        outcome.changes.unchanged.push(label);
        return Ok(Verdict::Same(row.id));
    }
    if !row.may_write {
        outcome.notes.push(format!(
            "{label} reads differently here, and you do not write in its repository: the plan takes it as \
                it is here."
        ));
        outcome.changes.unchanged.push(label);
        return Ok(Verdict::Same(row.id));
    }
    let nothing = ProcedureBody::default();
    let compared = compare(base.unwrap_or(&nothing), ours, &theirs_now)?;
    let untouched = theirs == *ours || base == Some(ours);
    let merged = if untouched {
        theirs_now
    } else {
        compared.merged(|key| how.takes.takes(&row.identity.to_string(), key))?
    };
    let conflicts: Vec<Field> = compared.conflicts().filter(|_| !untouched).cloned().collect();
    let said = match (conflicts.is_empty(), returns) {
        (false, _) => Said::Conflict,
        (true, true) => Said::Added,
        (true, false) => Said::Changed,
    };
    if !conflicts.is_empty() || returns || merged != *ours {
        let told = Touched::new(said, row.identity, &label);
        outcome.touched.push(told.with(compared.told().cloned().collect()).returning(returns));
    }
    let is_asked = !conflicts.is_empty();
    if is_asked {
        outcome.conflicts.push(Conflict { id: row.identity, label: label.clone(), fields: conflicts });
    }
    let stays = !untouched && !returns && merged == *ours;
    let list = match (returns, merged == *ours) {
        (true, _) => &mut outcome.changes.added,
        (false, true) if is_asked => &mut outcome.changes.kept,
        (false, true) => &mut outcome.changes.unchanged,
        (false, false) => &mut outcome.changes.changed,
    };
    list.push(label);
    let merged = (!untouched || merged != theirs).then_some(merged);
    Ok(Verdict::Change(Box::new(Change { row: row.clone(), theirs, merged, stays })))
}

/// Where new procedures go: the repository that was named; else, for each of the file, the one here that has
/// its prefix and is open to the importer, or a new one.
fn targets(
    conn: &mut PgConnection,
    shelf: Shelf,
    plan: &ImportedPlan,
    verdicts: &[Verdict],
    how: &How,
    outcome: &mut Outcome,
) -> Result<Vec<Target>> {
    if let Some(prefix) = &how.repository {
        let Some(found) = find_by_prefix(conn, shelf, prefix)? else {
            return Err(Error::Refused(format!(
                "There is no repository with the prefix {} here.",
                prefix.to_uppercase()
            )));
        };
        if !found.may_write {
            return Err(Error::Refused(format!(
                "{} is {} here, and you do not write in it. Import into a repository of your own instead: \
                    {}.",
                found.prefix,
                found.kind.label().to_lowercase(),
                how.surface.elsewhere()
            )));
        }
        return Ok(vec![Target::Here(found); plan.repositories.len()]);
    }
    let needed: HashSet<usize> = plan
        .procedures
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::Add))
        .map(|(procedure, _)| procedure.repository)
        .collect();
    let mut targets = Vec::new();
    let mut made: HashSet<String> = HashSet::new();
    for (at, repository) in plan.repositories.iter().enumerate() {
        let wanted = prefix_of(repository);
        let found = find_by_prefix(conn, shelf, &wanted)?;
        if let Some(found) = found.filter(|found| found.may_write) {
            targets.push(Target::Here(found));
            continue;
        }
        let candidates: Vec<String> = std::iter::once(wanted.clone())
            .chain((2..100).map(|n| format!("{}{n}", wanted.chars().take(6).collect::<String>())))
            .collect();
        let taken = list_taken(conn, &candidates)?;
        let prefix = candidates.into_iter().find(|prefix| !taken.contains(prefix) && !made.contains(prefix));
        let Some(prefix) = prefix else {
            return Err(Error::Refused(format!(
                "No prefix is free for the repository “{}”. Import into a repository of your own instead: \
                    {}.",
                repository.name,
                how.surface.elsewhere()
            )));
        };
        made.insert(prefix.clone());
        if needed.contains(&at) {
            outcome.notes.push(format!(
                "The repository “{}” of the file becomes a new one here, with the prefix {prefix}.",
                repository.name
            ));
        }
        let kind = repository.kind.parse::<RepositoryType>().unwrap_or(RepositoryType::Open);
        targets.push(Target::New(StoredRepository {
            id: RepositoryId::new(),
            key: None,
            name: name_of(repository, &prefix),
            prefix,
            description: repository.description.chars().take(350).collect(),
            kind: if kind == RepositoryType::Curated { RepositoryType::Open } else { kind },
            next_number: 1,
            may_write: true,
        }));
    }
    Ok(targets)
}

/// A repository of another installation has a name that may be taken here; with its prefix it is its own.
fn name_of(repository: &RepositoryEntry, prefix: &str) -> String {
    let name = repository.name.trim();
    if name.is_empty() { format!("Imported ({prefix})") } else { format!("{name} ({prefix})") }
}

/// The letters and digits of its short name, or of its name.
fn prefix_of(repository: &RepositoryEntry) -> String {
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_uppercase()
    };
    let short = letters(&repository.short_name);
    let prefix = if is_prefix(&short) { short } else { letters(&repository.name) };
    if is_prefix(&prefix) { prefix } else { "PLEX".to_owned() }
}

/// What makes a procedure of the file the same when it is read again.
fn identity_of(procedure: &ImportedProcedure, by_key: &HashMap<String, &Known>) -> Uuid {
    by_key.get(&procedure.key).map_or_else(|| new_identity(&procedure.key), |row| row.identity)
}

/// The same for the same id of a file, so that two installations that read it know it as one.
pub fn new_identity(key: &str) -> Uuid {
    let hash = Sha256::digest(format!("plextrac\n{key}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn identities(plan: &ImportedPlan, by_key: &HashMap<String, &Known>) -> Vec<Uuid> {
    plan.order.iter().filter_map(|at| plan.procedures.get(*at)).map(|p| identity_of(p, by_key)).collect()
}

fn content(plan: &ImportedPlan, title: &str, procedures: Vec<Uuid>) -> PlanFields {
    PlanFields {
        title: title.to_owned(),
        description: plan.description.clone(),
        tags: plan.tags.clone(),
        procedures,
    }
}

fn judge_plan(
    conn: &mut PgConnection,
    shelf: Shelf,
    plan: &ImportedPlan,
    plans: &[StoredPlan],
    identities: Vec<Uuid>,
    how: &How,
    outcome: &mut Outcome,
) -> Result<(Option<PlanVerdict>, String)> {
    let own = find_own(plan, plans);
    let is_taken = |title: &str| {
        let title = title.to_lowercase();
        plans.iter().any(|row| row.lower_title == title && own.is_none_or(|own| own.id != row.id))
    };
    let label = format!("test plan “{}”", plan.title);
    let mut title = plan.title.clone();
    let mut n = 2;
    while is_taken(&title) {
        title = format!("{} ({n})", plan.title);
        n += 1;
    }
    let Some(own) = own else {
        if title != plan.title {
            outcome.notes.push(format!(
                "A test plan called “{}” is here already, so this one becomes “{title}”.",
                plan.title
            ));
        }
        let key = key_of(plan);
        outcome.touched.push(Touched::new(Said::Added, &key, &label));
        outcome.changes.added.push(label);
        return Ok((Some(PlanVerdict { id: TestPlanId::new(), key, write: PlanWrite::Add }), title));
    };
    let theirs = content(plan, &title, identities);
    let written_from = plan.known.get(&plan.key).copied();
    let mut here = list_here(conn, shelf, std::slice::from_ref(own))?;
    let here = here.pop().ok_or(Error::NotFound)?;
    let judged = here.judge(&theirs, written_from, &label, &how.takes)?;
    judged.count(label, &mut outcome.changes);
    outcome.touched.extend(judged.touched);
    outcome.conflicts.extend(judged.conflict);
    let verdict = |write| PlanVerdict { id: own.id, key: own.id.to_string(), write };
    Ok((judged.write.map(verdict), title))
}

fn key_of(plan: &ImportedPlan) -> String {
    format!("plextrac:{}", plan.key)
}

/// The test plan here that a file means.
fn find_own<'p>(plan: &ImportedPlan, plans: &'p [StoredPlan]) -> Option<&'p StoredPlan> {
    let key = key_of(plan);
    plans.iter().find(|row| row.key.as_ref() == Some(&key) || plan_cuid(row.id.0) == plan.key)
}

/// What [`apply_plan`] would do.
///
/// # Errors
/// [`Error::Refused`] where nobody may write, or the repository that was named is not there.
pub fn preview_plan(conn: &mut PgConnection, shelf: Shelf, read: &ReadPlan, how: &How) -> Result<Outcome> {
    Ok(prepare(conn, shelf, read, how)?.outcome)
}

/// Brings a test plan with its procedures into the library, in one transaction.
///
/// # Errors
/// As [`preview_plan`], and [`Error::Refused`] where a new repository's name is taken.
pub fn apply_plan(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    read: &ReadPlan,
    how: &How,
) -> Result<Audited<Outcome>> {
    write_read_plan(tx, shelf, read, how, &mut |_, _| Ok(()))?.audit(tx)
}

/// As [`apply_plan`]; the caller audits.
pub(crate) fn write_read_plan(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    read: &ReadPlan,
    how: &How,
    agree: &mut Agree<'_>,
) -> Result<Done> {
    lock(tx)?;
    let Prepared { outcome, verdicts, targets, plan: verdict, title } = prepare(tx.conn, shelf, read, how)?;
    agree(tx.conn, &outcome)?;
    let writes = verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Same(_)));
    if !writes && verdict.is_none() {
        return Ok(Done { outcome, ..Done::default() });
    }
    let plan = &read.plan;
    let All { ids, mut acts, repositories } = write_all(tx, read, verdicts, &targets, how)?;
    let listed: Vec<(LibraryProcedureId, Uuid)> =
        plan.order.iter().filter_map(|at| ids.get(*at).copied().flatten()).collect();
    let theirs = content(plan, &title, listed.iter().map(|(_, identity)| *identity).collect());
    let id = verdict.as_ref().map(|verdict| verdict.id);
    if let Some(PlanVerdict { id, key, write }) = verdict {
        let brought = brought(&theirs)?;
        let content = match write {
            PlanWrite::Note => None,
            PlanWrite::Add => Some(theirs),
            PlanWrite::Write(content) => Some(content),
        };
        let before = match content {
            None => note_plan(tx, id, &brought)?,
            Some(content) => {
                let others = listed.into_iter().map(|(id, identity)| (identity, id)).collect();
                let procedures = list_procedures(tx.conn, shelf, id, &content.procedures, &others)?;
                let incoming = IncomingPlan {
                    id,
                    key: Some(key_of(plan)),
                    title: content.title,
                    description: content.description,
                    tags: content.tags,
                    procedures,
                    written_from: None,
                    brought,
                };
                write_plan(tx, shelf, &incoming)?
            }
        };
        acts.push(Act::plan(key, &before)?);
    }
    let counts = outcome.counts();
    let mut event = Event::new(Kind::LibraryImported, format!("Imported the test plan “{title}”: {counts}"))
        .detail(
            json!({ "source": "plextrac", "file": read.file_name, "conflicts": outcome.conflicts.len() }),
        );
    if let Some(id) = id {
        event = event.subject("test_plan", id.0, &title);
    }
    let repository = match &repositories[..] {
        [one] => Some(*one),
        _ => None,
    };
    Ok(Done { outcome, event: Some(event), repository, acts })
}

/// What was stored of the procedures of a file.
struct All {
    /// Id and identity of each procedure of the file.
    ids: Vec<Option<(LibraryProcedureId, Uuid)>>,
    acts: Vec<Act>,
    /// Where something was written.
    repositories: Vec<RepositoryId>,
}

/// Stores what is new or changed.
fn write_all(
    tx: &mut WriteTx<'_>,
    read: &ReadPlan,
    verdicts: Vec<Verdict>,
    targets: &[Target],
    how: &How,
) -> Result<All> {
    let plan = &read.plan;
    let origin = format!("PlexTrac, test plan “{}”", plan.title);
    let mut made: HashMap<String, (RepositoryId, i32)> = HashMap::new();
    let mut batches: HashMap<RepositoryId, (String, Vec<IncomingProcedure>)> = HashMap::new();
    let mut ids: Vec<Option<(LibraryProcedureId, Uuid)>> = vec![None; plan.procedures.len()];
    let mut pending: Vec<(usize, Uuid)> = Vec::new();
    let mut before: HashMap<Uuid, Before> = HashMap::new();
    let known: HashMap<LibraryProcedureId, Uuid> =
        list_known(tx.conn, Shelf::whole())?.into_iter().map(|row| (row.id, row.identity)).collect();
    for (at, (procedure, verdict)) in plan.procedures.iter().zip(verdicts).enumerate() {
        match verdict {
            Verdict::Same(id) => ids[at] = known.get(&id).map(|identity| (id, *identity)),
            Verdict::Change(change) => {
                let Change { row, theirs, merged, stays } = *change;
                let batch =
                    batches.entry(row.repository_id).or_insert_with(|| (row.prefix.clone(), Vec::new()));
                ids[at] = Some((row.id, row.identity));
                before.insert(
                    row.identity,
                    Before {
                        current: Some(row.current_version),
                        imported: row.imported_version,
                        withdrawn_at: row.withdrawn_at,
                        retired: false,
                        after: 0,
                    },
                );
                batch.1.push(IncomingProcedure {
                    before: Some((row.id, row.current_version)),
                    identity: row.identity,
                    source_key: row.source_key,
                    number: row.number,
                    theirs,
                    merged,
                    stays,
                    written_from: None,
                    origin: row.origin,
                    is_retired: false,
                });
            }
            Verdict::Add => {
                let Some(target) = targets.get(procedure.repository) else { continue };
                let (Target::Here(repository) | Target::New(repository)) = target;
                let (id, number) = match made.get(&repository.prefix) {
                    Some((id, next)) => (*id, *next),
                    None => match target {
                        Target::Here(_) => (repository.id, repository.next_number),
                        Target::New(_) => {
                            (insert_repository(tx, repository, how.editor, how.surface.elsewhere())?, 1)
                        }
                    },
                };
                made.insert(repository.prefix.clone(), (id, number + 1));
                let identity = new_identity(&procedure.key);
                pending.push((at, identity));
                let batch = batches.entry(id).or_insert_with(|| (repository.prefix.clone(), Vec::new()));
                batch.1.push(IncomingProcedure {
                    before: None,
                    identity,
                    source_key: format!("plextrac:{}", procedure.key),
                    number,
                    theirs: procedure.body.clone(),
                    merged: None,
                    stays: false,
                    written_from: None,
                    origin: origin.clone(),
                    is_retired: false,
                });
            }
        }
    }
    let mut written = HashMap::new();
    let repositories = batches.keys().copied().collect();
    for (repository, (prefix, batch)) in batches {
        let next = batch.iter().map(|procedure| procedure.number + 1).max().unwrap_or(1);
        written.extend(write_procedures(tx, repository, &prefix, batch)?);
        raise_next_number(tx, repository, next)?;
    }
    for (at, identity) in pending {
        ids[at] = written.get(&identity).map(|written: &Written| (written.id, identity));
    }
    let mut acts = Vec::new();
    for (identity, written) in &written {
        let new = Before { current: None, imported: None, withdrawn_at: None, retired: false, after: 0 };
        let before = Before { after: written.version, ..before.remove(identity).unwrap_or(new) };
        acts.push(Act::procedure(identity, written.id.0, &before)?);
    }
    Ok(All { ids, acts, repositories })
}

/// The name under which a file of this test plan is saved.
pub fn export_name(plan: &LibraryPlan) -> String {
    let name: String = plan
        .title
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .split('-')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    if name.is_empty() { cuid("file", &plan.title) } else { name.chars().take(60).collect() }
}
