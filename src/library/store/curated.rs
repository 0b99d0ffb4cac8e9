//! How the library is filled from a source: the one SQL of the importers and of the starter library, in one
//! transaction, where digests decide what changes.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Jsonb, Text};
use diesel::upsert::excluded;

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::RepositoryId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{attack_groups, attack_versions, repositories, tactics, techniques};
use crate::library::changes::{Changes, Missing, plan};
use crate::library::domain::{
    AttackRelease, ContentDigest, GroupFact, RepositoryType, TechniqueStatus, version_rank,
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
    successors: &'a [String],
    digest: Vec<u8>,
}

/// Digest of a technique that its own release no longer holds: no content has it, so the technique's return
/// is a change.
const WITHDRAWN: &[u8] = &[];

/// What a release would change.
pub(crate) struct AttackPlan {
    pub tactics: Changes,
    pub techniques: Changes,
    pub groups: Changes,
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
    groups: &[GroupFact],
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
    let stored: Vec<(String, String, String, String)> = attack_groups::table
        .filter(attack_groups::version.eq(version))
        .select((
            attack_groups::external_id,
            attack_groups::name,
            attack_groups::description,
            attack_groups::url,
        ))
        .load(conn)?;
    let stored: Vec<GroupFact> = stored
        .into_iter()
        .map(|(external_id, name, description, url)| GroupFact { external_id, name, description, url })
        .collect();
    names.extend(stored.iter().map(|group| (group.external_id.clone(), group.name.clone())));
    let keyed = |groups: &[GroupFact]| -> Vec<(String, ContentDigest)> {
        groups.iter().map(|group| (group.external_id.clone(), group.digest())).collect()
    };
    let groups = plan(&keyed(&stored).into_iter().collect(), &keyed(groups), &[], missing);
    Ok(AttackPlan { tactics, techniques, groups, names })
}

/// Brings one release to what `plan` says of it. Answers what stood before of everything that was changed or
/// withdrawn, by external id. The caller holds [`lock`] and audits.
pub(crate) fn write_attack(
    tx: &mut WriteTx<'_>,
    release: &AttackRelease,
    groups: &[GroupFact],
    plan: &AttackPlan,
) -> Result<HashMap<String, serde_json::Value>> {
    let version = release.version.as_str();
    let before = before(tx.conn, version, plan)?;
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
    write_groups(tx, version, groups, &plan.groups)?;
    Ok(before)
}

/// The tables of a release, in the order in which they may be filled.
const TABLES: [&str; 3] = ["tactics", "techniques", "attack_groups"];

/// How their rows are put back, in the same order.
const RESTORES: [&str; 3] = [
    "INSERT INTO tactics (version, external_id, short_name, name, description, url, position, digest)
         SELECT version, external_id, short_name, name, description, url, position, digest
         FROM jsonb_populate_recordset(NULL::tactics, $1)",
    "INSERT INTO techniques (version, external_id, name, description, url, platforms, tactics,
            is_subtechnique, status, revoked_by, digest, successors)
         SELECT version, external_id, name, description, url, platforms, tactics, is_subtechnique, status,
            revoked_by, digest, successors FROM jsonb_populate_recordset(NULL::techniques, $1)",
    "INSERT INTO attack_groups (version, external_id, name, description, url)
         SELECT version, external_id, name, description, url
         FROM jsonb_populate_recordset(NULL::attack_groups, $1)",
];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Jsonb)]
    row: serde_json::Value,
}

/// The rows that a plan changes or withdraws, each with the name of its table.
fn before(
    conn: &mut PgConnection,
    version: &str,
    plan: &AttackPlan,
) -> Result<HashMap<String, serde_json::Value>> {
    let mut found = HashMap::new();
    for (table, changes) in TABLES.into_iter().zip([&plan.tactics, &plan.techniques, &plan.groups]) {
        let ids: Vec<&String> = changes.changed.iter().chain(&changes.withdrawn).collect();
        if ids.is_empty() {
            continue;
        }
        // sql_query: whole rows, to be put back as they are. The table's name is one of ours.
        let sql = format!(
            "SELECT external_id AS id, jsonb_build_object('table', '{table}', 'row', to_jsonb(t)) AS row
             FROM {table} t WHERE version = $1 AND external_id = ANY ($2)"
        );
        let rows: Vec<Row> =
            diesel::sql_query(sql).bind::<Text, _>(version).bind::<Array<Text>, _>(ids).load(conn)?;
        found.extend(rows.into_iter().map(|row| (row.id, row.row)));
    }
    Ok(found)
}

/// Puts back what stood before an import of a release; what it brought, of which there is null, goes. The
/// caller holds [`lock`] and audits.
pub(crate) fn restore_release(
    tx: &mut WriteTx<'_>,
    version: &str,
    before: &HashMap<String, serde_json::Value>,
) -> Result<()> {
    // All of them out, then in: short names may have been swapped.
    let out: Vec<&String> = before.keys().collect();
    diesel::delete(
        tactics::table.filter(tactics::version.eq(version)).filter(tactics::external_id.eq_any(out.clone())),
    )
    .execute(tx.conn)?;
    diesel::delete(
        techniques::table
            .filter(techniques::version.eq(version))
            .filter(techniques::external_id.eq_any(out.clone())),
    )
    .execute(tx.conn)?;
    diesel::delete(
        attack_groups::table
            .filter(attack_groups::version.eq(version))
            .filter(attack_groups::external_id.eq_any(out)),
    )
    .execute(tx.conn)?;
    for (table, restore) in TABLES.into_iter().zip(RESTORES) {
        let rows: Vec<&serde_json::Value> =
            before.values().filter(|row| row["table"] == table).map(|row| &row["row"]).collect();
        // sql_query: rows as they were, from JSON.
        diesel::sql_query(restore).bind::<Jsonb, _>(serde_json::to_value(rows)?).execute(tx.conn)?;
    }
    Ok(())
}

/// Takes a whole release out. Engagements that pin it must have been asked for. The caller holds [`lock`] and
/// audits.
pub(crate) fn remove_release(tx: &mut WriteTx<'_>, version: &str) -> Result<()> {
    diesel::delete(attack_groups::table.filter(attack_groups::version.eq(version))).execute(tx.conn)?;
    diesel::delete(techniques::table.filter(techniques::version.eq(version))).execute(tx.conn)?;
    diesel::delete(tactics::table.filter(tactics::version.eq(version))).execute(tx.conn)?;
    diesel::delete(attack_versions::table.find(version)).execute(tx.conn)?;
    Ok(())
}

fn write_groups(tx: &mut WriteTx<'_>, version: &str, groups: &[GroupFact], changes: &Changes) -> Result<()> {
    let out: Vec<_> = changes.withdrawn.iter().chain(&changes.changed).collect();
    diesel::delete(
        attack_groups::table
            .filter(attack_groups::version.eq(version))
            .filter(attack_groups::external_id.eq_any(out)),
    )
    .execute(tx.conn)?;
    let written = written(changes);
    let rows: Vec<_> = groups
        .iter()
        .filter(|group| written.contains_key(group.external_id.as_str()))
        .map(|group| {
            (
                attack_groups::version.eq(version),
                attack_groups::external_id.eq(&group.external_id),
                attack_groups::name.eq(&group.name),
                attack_groups::description.eq(&group.description),
                attack_groups::url.eq(&group.url),
            )
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(attack_groups::table).values(chunk.to_vec()).execute_anew(tx.conn)?;
    }
    Ok(())
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
            successors: &technique.successors,
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
                techniques::successors.eq(excluded(techniques::successors)),
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
