//! How a repository is filled from a source: what would change, by digests; what was changed here as well, by
//! comparing three versions; and the writing, from which every import can be taken back.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::{Identity, Noted, ProcedureRow, note, put};
use super::shelf::take_numbers;
use super::versions::{Notes, VersionRow};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::library_procedures;
use crate::library::changes::{Changes, Missing, plan};
use crate::library::compare::{Compared, compare};
use crate::library::domain::{ContentDigest, ProcedureBody};

/// What a source says of a repository.
pub(crate) struct Incoming<'a> {
    /// Each under the key by which a second import finds it again.
    pub procedures: &'a [(String, ProcedureBody)],
    /// Keys that the source holds and that were refused.
    pub held: &'a [String],
    /// Techniques of which the source holds what it was refused with, under keys that nobody knows.
    pub held_techniques: &'a [String],
    pub missing: Missing,
    /// Where it all was taken from, for the list of licences; empty where its repository says so.
    pub origin: &'a str,
}

/// A procedure as it stands in the repository.
#[derive(QueryableByName)]
pub(crate) struct Stored {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = SqlUuid)]
    identity: Uuid,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Binary)]
    digest: Vec<u8>,
    /// The version that the last import wrote; none of a procedure that no import brought.
    #[diesel(sql_type = Nullable<Integer>)]
    imported: Option<i32>,
    #[diesel(sql_type = Nullable<Binary>)]
    imported_digest: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    withdrawn_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = Nullable<Binary>)]
    written_from: Option<Vec<u8>>,
}

impl Stored {
    /// Digest of what the last import brought; of a procedure that none brought there is nothing.
    fn base(&self) -> &[u8] {
        self.imported_digest.as_deref().unwrap_or_default()
    }

    fn is_edited(&self) -> bool {
        self.imported != Some(self.version)
    }
}

/// What a source would change in a repository.
pub(crate) struct ProcedurePlan {
    pub changes: Changes,
    pub stored: HashMap<String, Stored>,
    /// Of each changed one, what the last import brought, what stands here, and what comes.
    pub compared: HashMap<String, Compared>,
    digests: Vec<ContentDigest>,
}

impl ProcedurePlan {
    /// The name under which a stored procedure is known.
    pub fn name(&self, key: &str) -> Option<&str> {
        self.stored.get(key).map(|row| row.name.as_str())
    }
}

/// Compares a source with a repository; with none where it is not made yet. What nobody imported is never
/// missing from a source.
pub(crate) fn plan_procedures(
    conn: &mut PgConnection,
    repository: Option<RepositoryId>,
    incoming: &Incoming<'_>,
) -> Result<ProcedurePlan> {
    let stored: HashMap<String, Stored> = match repository {
        None => HashMap::new(),
        Some(repository) => {
            list_stored(conn, repository)?.into_iter().map(|row| (row.key.clone(), row)).collect()
        }
    };
    let keyed: Vec<_> = incoming.procedures.iter().map(|(key, body)| (key.clone(), body.digest())).collect();
    let comes: HashSet<&str> = keyed.iter().map(|(key, _)| key.as_str()).collect();
    let arriving: HashMap<&str, &ContentDigest> =
        keyed.iter().map(|(key, digest)| (key.as_str(), digest)).collect();
    let there = stored
        .values()
        .filter(|row| row.withdrawn_at.is_none())
        .filter(|row| row.imported.is_some() || comes.contains(row.key.as_str()))
        .map(|row| {
            // A source that says what was changed here to changes nothing.
            let agrees = arriving.get(row.key.as_str()).is_some_and(|digest| row.digest == **digest);
            let base = if agrees { &row.digest } else { row.base() };
            (row.key.clone(), ContentDigest::try_from(base).unwrap_or_default())
        })
        .collect();
    let mut held = incoming.held.to_vec();
    if let Some(repository) = repository.filter(|_| !incoming.held_techniques.is_empty()) {
        held.extend(list_keys_naming(conn, repository, incoming.held_techniques)?);
    }
    let changes = plan(&there, &keyed, &held, incoming.missing);
    let compared = compare_changed(conn, &stored, &changes, incoming)?;
    let digests = keyed.into_iter().map(|(_, digest)| digest).collect();
    Ok(ProcedurePlan { changes, stored, compared, digests })
}

fn list_stored(conn: &mut PgConnection, repository: RepositoryId) -> Result<Vec<Stored>> {
    // sql_query: the table of versions twice, for what stands and for what was imported.
    let sql = "SELECT p.id, p.source_key AS key, p.number, p.identity, p.name, p.current_version AS version,
            v.digest, p.imported_version AS imported, i.digest AS imported_digest, p.withdrawn_at,
            p.origin, p.written_from
         FROM library_procedures p
         JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version
         LEFT JOIN library_procedure_versions i ON i.procedure_id = p.id AND i.n = p.imported_version
         WHERE p.repository_id = $1";
    Ok(diesel::sql_query(sql).bind::<SqlUuid, _>(repository).load(conn)?)
}

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = Text)]
    key: String,
}

/// Keys of what the last imports brought for these techniques.
fn list_keys_naming(
    conn: &mut PgConnection,
    repository: RepositoryId,
    techniques: &[String],
) -> Result<Vec<String>> {
    // sql_query: a condition inside of what a version says, whatever was re-tagged here since.
    let sql = "SELECT p.source_key AS key FROM library_procedures p
         JOIN library_procedure_versions i ON i.procedure_id = p.id AND i.n = p.imported_version
         WHERE p.repository_id = $1 AND i.body -> 'technique_ids' ?| $2";
    let keys: Vec<Key> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(repository)
        .bind::<Array<Text>, _>(techniques)
        .load(conn)?;
    Ok(keys.into_iter().map(|row| row.key).collect())
}

/// Three versions of everything that is there and comes differently.
fn compare_changed(
    conn: &mut PgConnection,
    stored: &HashMap<String, Stored>,
    changes: &Changes,
    incoming: &Incoming<'_>,
) -> Result<HashMap<String, Compared>> {
    let written: HashSet<&str> = changes.changed.iter().chain(&changes.added).map(String::as_str).collect();
    let rows: Vec<(&ProcedureBody, &Stored)> = incoming
        .procedures
        .iter()
        .filter(|(key, _)| written.contains(key.as_str()))
        .filter_map(|(key, body)| Some((body, stored.get(key)?)))
        .collect();
    let wanted: Vec<(Uuid, i32)> = rows
        .iter()
        .flat_map(|(_, row)| [Some(row.version), row.imported].into_iter().flatten().map(|n| (row.id.0, n)))
        .collect();
    let bodies = list_bodies(conn, &wanted)?;
    let nothing = ProcedureBody::default();
    let mut compared = HashMap::new();
    for (theirs, row) in rows {
        let Some(ours) = bodies.get(&(row.id.0, row.version)) else { continue };
        let base = row.imported.and_then(|n| bodies.get(&(row.id.0, n))).unwrap_or(&nothing);
        compared.entry(row.key.clone()).or_insert(compare(base, ours, theirs)?);
    }
    Ok(compared)
}

#[derive(QueryableByName)]
struct Body {
    #[diesel(sql_type = SqlUuid)]
    procedure_id: Uuid,
    #[diesel(sql_type = Integer)]
    n: i32,
    #[diesel(sql_type = diesel::sql_types::Jsonb)]
    body: serde_json::Value,
}

/// What versions of procedures say.
pub(crate) fn list_bodies(
    conn: &mut PgConnection,
    wanted: &[(Uuid, i32)],
) -> Result<HashMap<(Uuid, i32), ProcedureBody>> {
    let (ids, numbers): (Vec<Uuid>, Vec<i32>) = wanted.iter().copied().unzip();
    // sql_query: pairs of values, which the query builder takes one by one only.
    let sql = "SELECT v.procedure_id, v.n, v.body FROM unnest($1, $2) wanted (id, n)
         JOIN library_procedure_versions v ON v.procedure_id = wanted.id AND v.n = wanted.n";
    let rows: Vec<Body> = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Integer>, _>(numbers)
        .load(conn)?;
    rows.into_iter().map(|row| Ok(((row.procedure_id, row.n), serde_json::from_value(row.body)?))).collect()
}

/// How a procedure stood before an import, and where that left it: what taking it back needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// The version that stood; none where the import brought the procedure.
    pub current: Option<i32>,
    pub imported: Option<i32>,
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether the import retired it.
    #[serde(default)]
    pub retired: bool,
    /// The version that the import left.
    pub after: i32,
}

/// What an import did to one procedure.
pub(crate) struct Act {
    pub key: String,
    pub id: LibraryProcedureId,
    pub before: Before,
}

/// Brings a repository to what the source says: the new come, the changed get their next version, what was
/// changed here as well is merged (`takes` says of key and field where theirs stands in a conflict), the
/// returned come back, and the missing are withdrawn where that is asked for. The caller holds the lock and
/// audits.
pub(crate) fn write_procedures(
    tx: &mut WriteTx<'_>,
    repository: RepositoryId,
    incoming: &Incoming<'_>,
    plan: &ProcedurePlan,
    takes: &dyn Fn(&str, &str) -> bool,
) -> Result<Vec<Act>> {
    let mut left: HashSet<&str> =
        plan.changes.added.iter().chain(&plan.changes.changed).map(String::as_str).collect();
    let new = left.iter().filter(|key| !plan.stored.contains_key(**key)).count();
    let mut numbers = take_numbers(tx.conn, repository, new)?;
    let (now, person) = (tx.now(), tx.actor().id);
    let edited = plan.stored.iter().filter(|(key, row)| row.is_edited() && plan.compared.contains_key(*key));
    let edited: Vec<LibraryProcedureId> = edited.map(|(_, row)| row.id).collect();
    let mut notes = Notes::of(tx.conn, &edited)?;
    let (mut rows, mut versions, mut acts) = (Vec::new(), Vec::new(), Vec::new());
    let mut noted = Vec::new();
    for ((key, theirs), digest) in incoming.procedures.iter().zip(&plan.digests) {
        if !left.remove(key.as_str()) {
            continue;
        }
        let stored = plan.stored.get(key);
        let id = stored.map_or_else(LibraryProcedureId::new, |row| row.id);
        let number = match stored {
            Some(row) => row.number,
            None => numbers.take(),
        };
        let mut version = stored.map_or(0, |row| row.version);
        let mut imported = stored.and_then(|row| row.imported);
        let mut body = theirs.clone();
        let mut stays = false;
        // What was withdrawn may come back as it was: then its last version still says it all.
        let brings_nothing = stored.is_some_and(|row| row.digest == *digest || row.base() == *digest);
        if brings_nothing {
            if let Some(ours) = plan.compared.get(key) {
                body = ours.merged(|_| false)?;
            }
        } else {
            let mut add = |n: i32, body: &ProcedureBody| -> Result<()> {
                versions.push(VersionRow::of(id, n, body, now, person)?);
                Ok(())
            };
            let edited = plan.compared.get(key).filter(|_| stored.is_some_and(Stored::is_edited));
            if let Some(compared) = edited {
                body = compared.merged(|field| takes(key, field))?;
                stays = compared.keeps_ours(|field| takes(key, field));
            }
            if body == *theirs {
                version += 1;
                imported = Some(version);
                add(version, theirs)?;
            } else {
                // Theirs is noted as it came, so that the next import knows what it was.
                let note = notes.next(id, version);
                imported = Some(note);
                add(note, theirs)?;
                if !stays {
                    version += 1;
                    add(version, &body)?;
                }
            }
        }
        acts.push(Act {
            key: key.clone(),
            id,
            before: Before {
                current: stored.map(|row| row.version),
                imported: stored.and_then(|row| row.imported),
                withdrawn_at: stored.and_then(|row| row.withdrawn_at),
                retired: false,
                after: version,
            },
        });
        if stays && stored.is_some_and(|row| row.withdrawn_at.is_none()) {
            noted.push(Noted { id, imported, written_from: None });
            continue;
        }
        let who = Identity {
            id,
            repository,
            key: key.clone(),
            number,
            identity: stored.map_or(id.0, |row| row.identity),
            shown: numbers.id(number),
            origin: stored
                .map(|row| row.origin.as_str())
                .filter(|origin| !origin.is_empty())
                .unwrap_or(incoming.origin)
                .to_owned(),
            written_from: stored.and_then(|row| row.written_from.clone()),
        };
        rows.push(ProcedureRow::new(who, &body, version, imported, now));
    }
    put(tx, &rows, &versions)?;
    note(tx, &noted)?;
    diesel::update(
        library_procedures::table
            .filter(library_procedures::repository_id.eq(repository))
            .filter(library_procedures::source_key.eq_any(&plan.changes.withdrawn)),
    )
    .set((library_procedures::withdrawn_at.eq(tx.now()), library_procedures::updated_at.eq(tx.now())))
    .execute(tx.conn)?;
    let withdrawn = plan.changes.withdrawn.iter().filter_map(|key| Some((key, plan.stored.get(key)?)));
    acts.extend(withdrawn.map(|(key, row)| Act {
        key: key.clone(),
        id: row.id,
        before: Before {
            current: Some(row.version),
            imported: row.imported,
            withdrawn_at: None,
            retired: false,
            after: row.version,
        },
    }));
    Ok(acts)
}

/// The next version of a procedure with what it now says.
pub(crate) struct NextVersion {
    pub id: LibraryProcedureId,
    pub body: ProcedureBody,
    pub imported: Imported,
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// Which version of a procedure counts as the one that the last import wrote.
pub(crate) enum Imported {
    /// The same as before.
    Stays,
    This,
    Was(Option<i32>),
}

#[derive(QueryableByName)]
struct Who {
    #[diesel(sql_type = SqlUuid)]
    id: LibraryProcedureId,
    #[diesel(sql_type = SqlUuid)]
    repository_id: RepositoryId,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = SqlUuid)]
    identity: Uuid,
    #[diesel(sql_type = Text)]
    shown: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    imported: Option<i32>,
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = Nullable<Binary>)]
    written_from: Option<Vec<u8>>,
}

/// Gives procedures their next version. The caller audits.
pub(crate) fn write_versions(tx: &mut WriteTx<'_>, next: &[NextVersion]) -> Result<()> {
    let ids: Vec<Uuid> = next.iter().map(|next| next.id.0).collect();
    // sql_query: the shown id is put together of two tables, and the rows stay locked.
    let sql = "SELECT p.id, p.repository_id, p.source_key AS key, p.number, p.identity,
            r.prefix || '-' || p.number AS shown, p.current_version AS version,
            p.imported_version AS imported, p.origin, p.written_from
         FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         WHERE p.id = ANY ($1) ORDER BY p.id FOR UPDATE OF p";
    let known: Vec<Who> = diesel::sql_query(sql).bind::<Array<SqlUuid>, _>(ids).load(tx.conn)?;
    let mut known: HashMap<LibraryProcedureId, Who> = known.into_iter().map(|who| (who.id, who)).collect();
    let person = tx.actor().id;
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for next in next {
        let Some(who) = known.remove(&next.id) else { continue };
        let n = who.version + 1;
        versions.push(VersionRow::of(next.id, n, &next.body, tx.now(), person)?);
        let imported = match next.imported {
            Imported::Stays => who.imported,
            Imported::This => Some(n),
            Imported::Was(imported) => imported,
        };
        let identity = Identity {
            id: who.id,
            repository: who.repository_id,
            key: who.key,
            number: who.number,
            identity: who.identity,
            shown: who.shown,
            origin: who.origin,
            written_from: who.written_from,
        };
        let row = ProcedureRow::new(identity, &next.body, n, imported, tx.now());
        rows.push(row.withdrawn(next.withdrawn_at));
    }
    put(tx, &rows, &versions)
}

/// Notes which version of its original a copy goes by from now on. The caller audits.
pub(crate) fn set_copied_version(tx: &mut WriteTx<'_>, id: LibraryProcedureId, version: i32) -> Result<()> {
    diesel::update(library_procedures::table.find(id))
        .set(library_procedures::copied_version.eq(version))
        .execute(tx.conn)?;
    Ok(())
}

/// Takes back what an import did: what it brought is withdrawn, what it changed says again what it said, as a
/// version of its own, and what it withdrew or retired is back. The caller holds the lock, has asked for what
/// uses it, and audits.
pub(crate) fn take_back(tx: &mut WriteTx<'_>, acts: &[(LibraryProcedureId, Before)]) -> Result<()> {
    let brought: Vec<Uuid> =
        acts.iter().filter(|(_, before)| before.current.is_none()).map(|(id, _)| id.0).collect();
    let now = tx.now();
    set_withdrawn(tx, &brought, Some(now))?;
    let retired: Vec<Uuid> = acts.iter().filter(|(_, before)| before.retired).map(|(id, _)| id.0).collect();
    diesel::update(library_procedures::table.filter(library_procedures::id.eq_any(retired)))
        .set((
            library_procedures::retired_at.eq(None::<DateTime<Utc>>),
            library_procedures::updated_at.eq(now),
        ))
        .execute(tx.conn)?;
    let same = |before: &Before| before.current == Some(before.after);
    let back: Vec<Uuid> = acts
        .iter()
        .filter(|(_, before)| same(before) && before.withdrawn_at.is_none())
        .map(|(id, _)| id.0)
        .collect();
    set_withdrawn(tx, &back, None)?;
    // What came back as it was goes again.
    let gone: Vec<Uuid> = acts
        .iter()
        .filter(|(_, before)| same(before) && before.withdrawn_at.is_some())
        .map(|(id, _)| id.0)
        .collect();
    set_withdrawn(tx, &gone, Some(now))?;
    let noted: Vec<Noted> = acts
        .iter()
        .filter(|(_, before)| same(before))
        .map(|(id, before)| Noted { id: *id, imported: before.imported, written_from: None })
        .collect();
    note(tx, &noted)?;
    let changed: Vec<(LibraryProcedureId, Before, i32)> = acts
        .iter()
        .filter(|(_, before)| !same(before))
        .filter_map(|(id, before)| Some((*id, *before, before.current?)))
        .collect();
    let wanted: Vec<(Uuid, i32)> = changed.iter().map(|(id, _, n)| (id.0, *n)).collect();
    let mut bodies = list_bodies(tx.conn, &wanted)?;
    let next: Vec<NextVersion> = changed
        .into_iter()
        .filter_map(|(id, before, n)| {
            let was_untouched = before.imported == Some(n);
            Some(NextVersion {
                id,
                body: bodies.remove(&(id.0, n))?,
                imported: if was_untouched { Imported::This } else { Imported::Was(before.imported) },
                withdrawn_at: before.withdrawn_at,
            })
        })
        .collect();
    write_versions(tx, &next)
}

fn set_withdrawn(tx: &mut WriteTx<'_>, ids: &[Uuid], at: Option<DateTime<Utc>>) -> Result<()> {
    let now = tx.now();
    diesel::update(library_procedures::table.filter(library_procedures::id.eq_any(ids)))
        .set((library_procedures::withdrawn_at.eq(at), library_procedures::updated_at.eq(now)))
        .execute(tx.conn)?;
    Ok(())
}

/// A procedure that an import left, and what has come to hang on it since.
#[derive(QueryableByName)]
pub(crate) struct Use {
    /// `ATOMIC-12`
    #[diesel(sql_type = Text)]
    pub shown: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Whether somebody has changed it since.
    #[diesel(sql_type = Bool)]
    pub edited: bool,
    /// Titles of test plans.
    #[diesel(sql_type = Array<Text>)]
    pub plans: Vec<String>,
    #[diesel(sql_type = BigInt)]
    pub engagements: i64,
    #[diesel(sql_type = BigInt)]
    pub copies: i64,
}

/// Which of the acts of an import cannot be taken back, because something uses what it left. `plans` are test
/// plans that are taken back with them.
pub(crate) fn list_uses(
    conn: &mut PgConnection,
    acts: &[(LibraryProcedureId, Before)],
    plans: &[TestPlanId],
) -> Result<Vec<Use>> {
    let ids: Vec<Uuid> = acts.iter().map(|(id, _)| id.0).collect();
    let before: Vec<i32> = acts.iter().map(|(_, before)| before.current.unwrap_or(0)).collect();
    let after: Vec<i32> = acts.iter().map(|(_, before)| before.after).collect();
    // Of one that was left as it was, taking back touches nothing that somebody could have changed since.
    let left: Vec<bool> = acts
        .iter()
        .map(|(_, before)| before.current == Some(before.after) && before.withdrawn_at.is_none())
        .collect();
    // sql_query: what hangs on a version, of many procedures at once. A test plan takes the newest version,
    // so it uses what is new alone.
    // Content counts, not numbers: what was changed and taken back again is as it was.
    let sql = "SELECT shown, name, edited, plans, engagements, copies FROM (
            SELECT r.prefix || '-' || p.number AS shown, p.name,
                NOT acts.is_left AND now.digest <> was.digest AS edited,
                ARRAY(SELECT t.title FROM test_plan_procedures tp JOIN test_plans t ON t.id = tp.test_plan_id
                    WHERE acts.before = 0 AND tp.procedure_id = p.id AND t.deleted_at IS NULL
                    AND t.id <> ALL ($4)
                    ORDER BY t.title) AS plans,
                (SELECT count(DISTINCT e.engagement_id) FROM procedures e
                    WHERE e.origin_id = p.id AND e.origin_version > acts.before
                    AND acts.after > acts.before) AS engagements,
                (SELECT count(*) FROM library_procedures c
                    WHERE c.copied_from = p.id AND c.copied_version > acts.before
                    AND acts.after > acts.before) AS copies
            FROM unnest($1, $2, $3, $5) acts (id, before, after, is_left)
            JOIN library_procedures p ON p.id = acts.id JOIN repositories r ON r.id = p.repository_id
            JOIN library_procedure_versions now ON now.procedure_id = p.id AND now.n = p.current_version
            JOIN library_procedure_versions was ON was.procedure_id = p.id AND was.n = acts.after
            ORDER BY r.prefix, p.number) used
         WHERE edited OR plans <> '{}' OR engagements > 0 OR copies > 0";
    Ok(diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Integer>, _>(before)
        .bind::<Array<Integer>, _>(after)
        .bind::<Array<SqlUuid>, _>(plans)
        .bind::<Array<Bool>, _>(left)
        .load(conn)?)
}
