//! How the library is filled from a source: the one SQL of the importers and of the starter library, in one
//! transaction, where digests decide what changes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use uuid::Uuid;

use super::shelf::take_numbers;
use super::versions::VersionRow;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{
    attack_versions, library_procedure_versions, library_procedures, repositories, tactics, techniques,
};
use crate::library::changes::{Changes, Missing, plan};
use crate::library::domain::{
    AttackRelease, ContentDigest, ProcedureBody, RepositoryType, TechniqueStatus, version_rank,
};

/// The one domain whose releases are kept: the others have version numbers of their own that would collide.
const DOMAIN: &str = "enterprise-attack";

/// Rows of one INSERT: a statement holds at most 65,535 values.
const CHUNK: usize = 2_000;

/// Key of the advisory lock under which the library is filled, so that two imports (or two first starts) take
/// turns.
const LOCK: i64 = 0x5479_7269_616e_0001;

/// A repository that an importer owns.
pub(crate) struct Curated {
    pub key: &'static str,
    pub name: &'static str,
    pub short_name: &'static str,
    /// What the ids of its procedures begin with.
    pub prefix: &'static str,
    pub description: &'static str,
}

/// Waits until no other transaction fills the library.
pub(crate) fn lock(tx: &mut WriteTx<'_>) -> Result<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(tx.conn)?;
    Ok(())
}

/// The repository of an importer, if it was made already.
pub(crate) fn find_repository(conn: &mut PgConnection, curated: &Curated) -> Result<Option<RepositoryId>> {
    Ok(repositories::table
        .filter(repositories::key.eq(curated.key))
        .select(repositories::id)
        .first(conn)
        .optional()?)
}

/// The repository of an importer, made when it is not there yet, and whether it was made.
pub(crate) fn ensure_repository(tx: &mut WriteTx<'_>, curated: &Curated) -> Result<(RepositoryId, bool)> {
    if let Some(id) = find_repository(tx.conn, curated)? {
        return Ok((id, false));
    }
    let id = RepositoryId::new();
    diesel::insert_into(repositories::table)
        .values((
            repositories::id.eq(id),
            repositories::key.eq(curated.key),
            repositories::name.eq(curated.name),
            repositories::short_name.eq(curated.short_name),
            repositories::prefix.eq(curated.prefix),
            repositories::description.eq(curated.description),
            repositories::type_.eq(RepositoryType::Curated),
            repositories::created_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("repositories_name") => Error::Refused(format!(
                "A repository of your own is called {}. Rename it, then import again.",
                curated.name
            )),
            Some("repositories_prefix_key") => Error::Refused(format!(
                "A repository of your own has the prefix {}. Give it another, then import again.",
                curated.prefix
            )),
            _ => e.into(),
        })?;
    Ok((id, true))
}

#[derive(Insertable)]
#[diesel(table_name = tactics)]
struct TacticRow<'a> {
    version: &'a str,
    external_id: &'a str,
    short_name: &'a str,
    name: &'a str,
    description: &'a str,
    url: &'a str,
    position: i32,
    digest: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = techniques)]
struct TechniqueRow<'a> {
    version: &'a str,
    external_id: &'a str,
    name: &'a str,
    description: &'a str,
    url: &'a str,
    platforms: &'a [String],
    tactics: &'a [String],
    is_subtechnique: bool,
    status: TechniqueStatus,
    revoked_by: Option<&'a str>,
    digest: Vec<u8>,
}

/// Digest of a technique that its own release no longer holds: no content has it, so the technique's return
/// is a change.
const WITHDRAWN: &[u8] = &[];

/// What a release would change.
pub(crate) struct AttackPlan {
    pub tactics: Changes,
    pub techniques: Changes,
    /// Names of what is stored, by external id.
    pub names: HashMap<String, String>,
}

/// Compares a release with what is stored of its version.
///
/// # Errors
/// [`Error::Refused`] for another domain than Enterprise, and where a tactic would share its short name with
/// one that stays.
pub(crate) fn plan_attack(
    conn: &mut PgConnection,
    release: &AttackRelease,
    missing: Missing,
) -> Result<AttackPlan> {
    if release.domain != DOMAIN {
        return Err(Error::Refused(format!(
            "This is {}; Tyrian keeps {DOMAIN}. Import the Enterprise bundle.",
            release.domain
        )));
    }
    let version = release.version.as_str();
    let tactics: Vec<(String, String, String, Vec<u8>)> = tactics::table
        .filter(tactics::version.eq(version))
        .select((tactics::external_id, tactics::name, tactics::short_name, tactics::digest))
        .load(conn)?;
    let techniques: Vec<(String, String, Vec<u8>)> = techniques::table
        .filter(techniques::version.eq(version))
        .filter(techniques::digest.ne(WITHDRAWN))
        .select((techniques::external_id, techniques::name, techniques::digest))
        .load(conn)?;
    let (mut names, mut short_names) = (HashMap::new(), HashMap::new());
    let (mut tactic_digests, mut technique_digests) = (Vec::new(), Vec::new());
    for (id, name, short_name, digest) in tactics {
        names.insert(id.clone(), name);
        short_names.insert(id.clone(), short_name);
        tactic_digests.push((id, digest));
    }
    for (id, name, digest) in techniques {
        names.insert(id.clone(), name);
        technique_digests.push((id, digest));
    }
    let incoming: Vec<_> =
        release.tactics.iter().map(|tactic| (tactic.external_id.clone(), tactic.digest())).collect();
    let tactics = plan(&by_key(tactic_digests), &incoming, &[], missing);
    let incoming: Vec<_> = release
        .techniques
        .iter()
        .map(|technique| (technique.external_id.clone(), technique.digest()))
        .collect();
    let techniques = plan(&by_key(technique_digests), &incoming, &[], missing);
    // Techniques name their tactics by the short name, so one that stays keeps it.
    for stays in &tactics.kept {
        let taken = release.tactics.iter().find(|tactic| short_names.get(stays) == Some(&tactic.short_name));
        if let Some(tactic) = taken {
            return Err(Error::Refused(format!(
                "{} ({}) has the short name {}, which {stays} ({}) has in the stored release {version} and \
                    this file does not hold. Import with --withdraw to retire {stays}, or correct the file.",
                tactic.external_id,
                tactic.name,
                tactic.short_name,
                names.get(stays).map_or("", String::as_str),
            )));
        }
    }
    Ok(AttackPlan { tactics, techniques, names })
}

/// Brings one release to what `release` says. The caller holds [`lock`] and audits.
pub(crate) fn write_attack(
    tx: &mut WriteTx<'_>,
    release: &AttackRelease,
    missing: Missing,
) -> Result<AttackPlan> {
    let version = release.version.as_str();
    let plan = plan_attack(tx.conn, release, missing)?;
    ensure_version(tx, release)?;
    // Out first, then in: two tactics of a corrected release may have swapped their short names.
    let out: Vec<_> = plan.tactics.withdrawn.iter().chain(&plan.tactics.changed).collect();
    diesel::delete(
        tactics::table.filter(tactics::version.eq(version)).filter(tactics::external_id.eq_any(out)),
    )
    .execute(tx.conn)?;
    let written = written(&plan.tactics);
    let rows: Vec<_> = release
        .tactics
        .iter()
        .filter(|tactic| written.contains_key(tactic.external_id.as_str()))
        .map(|tactic| TacticRow {
            version,
            external_id: &tactic.external_id,
            short_name: &tactic.short_name,
            name: &tactic.name,
            description: &tactic.description,
            url: &tactic.url,
            position: tactic.position,
            digest: tactic.digest().to_vec(),
        })
        .collect();
    diesel::insert_into(tactics::table).values(&rows).execute_anew(tx.conn)?;
    write_techniques(tx, release, &plan.techniques)?;
    Ok(plan)
}

fn ensure_version(tx: &mut WriteTx<'_>, release: &AttackRelease) -> Result<()> {
    let version = release.version.as_str();
    diesel::insert_into(attack_versions::table)
        .values((
            attack_versions::version.eq(version),
            attack_versions::rank.eq(version_rank(version)),
            attack_versions::domain.eq(&release.domain),
            attack_versions::imported_at.eq(tx.now()),
        ))
        .on_conflict(attack_versions::version)
        .do_nothing()
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("attack_versions_rank_key") => {
                Error::Refused(format!("The version {version} has the number of a stored release."))
            }
            _ => e.into(),
        })?;
    Ok(())
}

fn write_techniques(tx: &mut WriteTx<'_>, release: &AttackRelease, changes: &Changes) -> Result<()> {
    let version = release.version.as_str();
    let written = written(changes);
    let rows: Vec<_> = release
        .techniques
        .iter()
        .filter(|technique| written.contains_key(technique.external_id.as_str()))
        .map(|technique| TechniqueRow {
            version,
            external_id: &technique.external_id,
            name: &technique.name,
            description: &technique.description,
            url: &technique.url,
            platforms: &technique.platforms,
            tactics: &technique.tactics,
            is_subtechnique: technique.is_subtechnique,
            status: technique.status,
            revoked_by: technique.revoked_by.as_deref(),
            digest: technique.digest().to_vec(),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(techniques::table)
            .values(chunk)
            .on_conflict((techniques::version, techniques::external_id))
            .do_update()
            .set((
                techniques::name.eq(excluded(techniques::name)),
                techniques::description.eq(excluded(techniques::description)),
                techniques::url.eq(excluded(techniques::url)),
                techniques::platforms.eq(excluded(techniques::platforms)),
                techniques::tactics.eq(excluded(techniques::tactics)),
                techniques::is_subtechnique.eq(excluded(techniques::is_subtechnique)),
                techniques::status.eq(excluded(techniques::status)),
                techniques::revoked_by.eq(excluded(techniques::revoked_by)),
                techniques::digest.eq(excluded(techniques::digest)),
            ))
            .execute_anew(tx.conn)?;
    }
    // Engagements name techniques by their ids and want the names back: the row stays.
    diesel::update(
        techniques::table
            .filter(techniques::version.eq(version))
            .filter(techniques::external_id.eq_any(&changes.withdrawn)),
    )
    .set((techniques::status.eq(TechniqueStatus::Deprecated), techniques::digest.eq(WITHDRAWN)))
    .execute(tx.conn)?;
    Ok(())
}

fn by_key(stored: Vec<(String, Vec<u8>)>) -> HashMap<String, ContentDigest> {
    // A digest of another length is none that content has; it counts as changed.
    stored.into_iter().map(|(key, digest)| (key, digest.try_into().unwrap_or_default())).collect()
}

/// Keys that are to be written, each with whether it is new.
fn written(changes: &Changes) -> HashMap<&str, bool> {
    let added = changes.added.iter().map(|key| (key.as_str(), true));
    added.chain(changes.changed.iter().map(|key| (key.as_str(), false))).collect()
}

#[derive(Queryable)]
struct Stored {
    id: LibraryProcedureId,
    key: String,
    number: i32,
    identity: Uuid,
    name: String,
    version: i32,
    digest: Vec<u8>,
    withdrawn_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = library_procedures)]
struct ProcedureRow<'a> {
    id: Uuid,
    repository_id: Uuid,
    source_key: &'a str,
    number: i32,
    identity: Uuid,
    name: &'a str,
    description: &'a str,
    technique_ids: &'a [String],
    platforms: &'a [String],
    tags: &'a [String],
    executors: Vec<String>,
    search: String,
    current_version: i32,
    imported_version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What a source says of a repository.
pub(crate) struct Incoming<'a> {
    /// Each under the key by which a second import finds it again.
    pub procedures: &'a [(String, ProcedureBody)],
    /// Keys that the source holds and that were refused.
    pub held: &'a [String],
    pub missing: Missing,
}

/// What a source would change in a repository.
pub(crate) struct ProcedurePlan {
    pub changes: Changes,
    stored: HashMap<String, Stored>,
    digests: Vec<ContentDigest>,
}

impl ProcedurePlan {
    /// The name under which a stored procedure is known.
    pub fn name(&self, key: &str) -> Option<&str> {
        self.stored.get(key).map(|row| row.name.as_str())
    }
}

/// Compares a source with a repository; with none where it is not made yet.
pub(crate) fn plan_procedures(
    conn: &mut PgConnection,
    repository: Option<RepositoryId>,
    incoming: &Incoming<'_>,
) -> Result<ProcedurePlan> {
    let stored: Vec<Stored> = match repository {
        None => Vec::new(),
        Some(repository) => library_procedures::table
            .inner_join(
                library_procedure_versions::table.on(library_procedure_versions::procedure_id
                    .eq(library_procedures::id)
                    .and(library_procedure_versions::n.eq(library_procedures::current_version))),
            )
            .filter(library_procedures::repository_id.eq(repository))
            .select((
                library_procedures::id,
                library_procedures::source_key,
                library_procedures::number,
                library_procedures::identity,
                library_procedures::name,
                library_procedures::current_version,
                library_procedure_versions::digest,
                library_procedures::withdrawn_at,
            ))
            .load(conn)?,
    };
    let there = stored
        .iter()
        .filter(|row| row.withdrawn_at.is_none())
        .map(|row| (row.key.clone(), row.digest.clone()))
        .collect();
    let keyed: Vec<_> = incoming.procedures.iter().map(|(key, body)| (key.clone(), body.digest())).collect();
    Ok(ProcedurePlan {
        changes: plan(&by_key(there), &keyed, incoming.held, incoming.missing),
        stored: stored.into_iter().map(|row| (row.key.clone(), row)).collect(),
        digests: keyed.into_iter().map(|(_, digest)| digest).collect(),
    })
}

/// Brings a repository to what the source says: the new come, the changed get their next version, the
/// returned come back, and the missing are withdrawn where that is asked for. The caller holds [`lock`] and
/// audits.
pub(crate) fn write_procedures(
    tx: &mut WriteTx<'_>,
    repository: RepositoryId,
    incoming: &Incoming<'_>,
) -> Result<Changes> {
    let ProcedurePlan { changes, stored, digests } = plan_procedures(tx.conn, Some(repository), incoming)?;

    let mut written = written(&changes);
    let added = written.keys().filter(|key| !stored.contains_key(**key)).count();
    let mut numbers = take_numbers(tx.conn, repository, added)?;
    let now = tx.now();
    let person = tx.actor().id;
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for ((key, body), digest) in incoming.procedures.iter().zip(&digests) {
        if written.remove(key.as_str()).is_none() {
            continue;
        }
        let before = stored.get(key.as_str());
        let id = before.map_or_else(|| LibraryProcedureId::new().0, |row| row.id.0);
        let number = match before {
            Some(row) => row.number,
            None => numbers.take(),
        };
        // What was withdrawn may come back as it was: then its last version still says it all.
        let is_same = before.is_some_and(|row| row.digest == digest);
        let version = before.map_or(0, |row| row.version) + i32::from(!is_same);
        if !is_same {
            versions.push(VersionRow::of(LibraryProcedureId(id), version, body, now, person)?);
        }
        rows.push(ProcedureRow {
            id,
            repository_id: repository.0,
            source_key: key,
            number,
            identity: before.map_or(id, |row| row.identity),
            name: &body.name,
            description: &body.description,
            technique_ids: &body.technique_ids,
            platforms: &body.platforms,
            tags: &body.tags,
            executors: body.executors(),
            search: body.search_text(&numbers.id(number)),
            current_version: version,
            imported_version: version,
            created_at: now,
            updated_at: now,
        });
    }
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(library_procedures::table)
            .values(chunk)
            .on_conflict((library_procedures::repository_id, library_procedures::source_key))
            .do_update()
            .set((
                library_procedures::name.eq(excluded(library_procedures::name)),
                library_procedures::description.eq(excluded(library_procedures::description)),
                library_procedures::technique_ids.eq(excluded(library_procedures::technique_ids)),
                library_procedures::platforms.eq(excluded(library_procedures::platforms)),
                library_procedures::tags.eq(excluded(library_procedures::tags)),
                library_procedures::executors.eq(excluded(library_procedures::executors)),
                library_procedures::search.eq(excluded(library_procedures::search)),
                library_procedures::current_version.eq(excluded(library_procedures::current_version)),
                library_procedures::imported_version.eq(excluded(library_procedures::imported_version)),
                library_procedures::updated_at.eq(excluded(library_procedures::updated_at)),
                library_procedures::withdrawn_at.eq(None::<DateTime<Utc>>),
            ))
            .execute_anew(tx.conn)?;
    }
    for chunk in versions.chunks(CHUNK) {
        diesel::insert_into(library_procedure_versions::table).values(chunk).execute_anew(tx.conn)?;
    }
    diesel::update(
        library_procedures::table
            .filter(library_procedures::repository_id.eq(repository))
            .filter(library_procedures::source_key.eq_any(&changes.withdrawn)),
    )
    .set((library_procedures::withdrawn_at.eq(now), library_procedures::updated_at.eq(now)))
    .execute(tx.conn)?;
    Ok(changes)
}
