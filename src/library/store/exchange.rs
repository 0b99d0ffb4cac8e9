//! SQL of exchange: what an export reads of the library, and how what another installation or program wrote
//! comes in. Comparing is the importers' affair; here is what they read and write.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Binary, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::upsert::excluded;
use uuid::Uuid;

use super::exchanged::note_exchanged;
use super::revisions;
use super::rows::{Identity, Noted, ProcedureRow, note, put};
use super::shelf::seen;
use super::undo::{PlanBefore, find_plan_was};
use super::versions::{Notes, VersionRow};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, PersonId, RepositoryId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{
    library_procedures, repositories, repository_people, test_plan_procedures, test_plans,
};
use crate::library::domain::{ContentDigest, ProcedureBody, RepositoryType};
use crate::library::planning::woven;

/// A repository as an export or import needs it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct StoredRepository {
    #[diesel(sql_type = SqlUuid)]
    pub id: RepositoryId,
    /// Set where an importer or the binary owns it.
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub prefix: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Text)]
    pub kind: RepositoryType,
    #[diesel(sql_type = Integer)]
    pub next_number: i32,
    /// Whether the holder of the shelf may write in it.
    #[diesel(sql_type = Bool)]
    pub may_write: bool,
}

fn select_repository(filter: &str) -> String {
    format!(
        "SELECT r.id, r.key, r.name, r.prefix, r.description, r.type AS kind, r.next_number,
            $2 AND r.type <> 'curated' AND ($1::uuid IS NULL OR r.type = 'open' OR EXISTS (
                SELECT FROM repository_people e WHERE e.repository_id = r.id AND e.person_id = $1::uuid \
                AND e.may_edit)) AS may_write
         FROM repositories r WHERE r.id = ANY ({}) AND {filter}",
        seen(1)
    )
}

/// The repository of a prefix, where the reader knows of it.
pub fn find_by_prefix(
    conn: &mut PgConnection,
    shelf: Shelf,
    prefix: &str,
) -> Result<Option<StoredRepository>> {
    // sql_query: who writes is judged by rows of another table.
    let found = diesel::sql_query(select_repository("r.prefix = upper($3)"))
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(shelf.edits())
        .bind::<Text, _>(prefix)
        .get_result(conn);
    Ok(found.optional()?)
}

/// A repository by its id.
///
/// # Errors
/// [`Error::NotFound`] where it is not there, or the reader does not know of it.
pub fn get_stored(conn: &mut PgConnection, shelf: Shelf, id: RepositoryId) -> Result<StoredRepository> {
    // sql_query: as by its prefix.
    Ok(diesel::sql_query(select_repository("r.id = $3"))
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(shelf.edits())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)?)
}

/// Which of these prefixes are taken, by anybody's repository.
pub fn list_taken(conn: &mut PgConnection, prefixes: &[String]) -> Result<HashSet<String>> {
    let taken: Vec<String> = repositories::table
        .filter(repositories::prefix.eq_any(prefixes))
        .select(repositories::prefix)
        .load(conn)?;
    Ok(taken.into_iter().collect())
}

#[derive(QueryableByName)]
struct There {
    #[diesel(sql_type = Bool)]
    there: bool,
}

/// Refuses a name and a prefix that are taken, by anybody's repository. `elsewhere`: how a repository of
/// one's own is chosen, as the end of a sentence.
///
/// # Errors
/// [`Error::Refused`]
pub fn check_free(conn: &mut PgConnection, prefix: &str, name: &str, elsewhere: &str) -> Result<()> {
    if !list_taken(conn, &[prefix.to_owned()])?.is_empty() {
        return Err(prefix_taken(prefix, elsewhere));
    }
    // sql_query: names are told apart without regard to capitals, and nobody learns of a private one.
    let sql = "SELECT EXISTS (SELECT FROM repositories WHERE lower(name) = lower($1) AND type <> 'private') \
        AS there";
    let named: There = diesel::sql_query(sql).bind::<Text, _>(name).get_result(conn)?;
    if named.there { Err(name_taken(name, elsewhere)) } else { Ok(()) }
}

fn prefix_taken(prefix: &str, elsewhere: &str) -> Error {
    Error::Refused(format!(
        "Another repository here has the prefix {prefix}. Import into a repository of your own instead: \
            {elsewhere}."
    ))
}

fn name_taken(name: &str, elsewhere: &str) -> Error {
    Error::Refused(format!(
        "Another repository here is called {name}. Import into a repository of your own instead: {elsewhere}."
    ))
}

/// A procedure in its current version.
#[derive(Debug, Clone, QueryableByName)]
pub struct StoredProcedure {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = SqlUuid)]
    pub identity: Uuid,
    #[diesel(sql_type = Text)]
    pub source_key: String,
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Jsonb)]
    body: serde_json::Value,
    #[diesel(sql_type = Integer)]
    pub current_version: i32,
    /// The version that the last import wrote.
    #[diesel(sql_type = Nullable<Integer>)]
    pub imported_version: Option<i32>,
    /// Digest of that version.
    #[diesel(sql_type = Nullable<Binary>)]
    pub imported_digest: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    pub written_from: Option<Vec<u8>>,
    /// Where it was taken from, as it says or what it was copied from does.
    #[diesel(sql_type = Text)]
    pub origin: String,
    /// Key of the repository that it was copied from, or of its own, where an importer or the binary owns
    /// that.
    #[diesel(sql_type = Nullable<Text>)]
    pub origin_key: Option<String>,
    /// Retired, or withdrawn by its source.
    #[diesel(sql_type = Bool)]
    pub is_retired: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub withdrawn_at: Option<DateTime<Utc>>,
}

impl StoredProcedure {
    /// # Errors
    /// When the stored body is none.
    pub fn body(&self) -> Result<ProcedureBody> {
        Ok(serde_json::from_value(self.body.clone())?)
    }
}

/// All procedures of a repository, retired ones too, by number.
pub fn list_stored(conn: &mut PgConnection, repository: RepositoryId) -> Result<Vec<StoredProcedure>> {
    // sql_query: two versions of each, and back from copy to original until one says where it is from. A copy
    // is younger than its original, so that ends.
    let sql = "WITH RECURSIVE line AS (
            SELECT p.id, p.copied_from AS original, p.origin,
                CASE WHEN r.type = 'curated' THEN r.key END AS key, 0 AS steps
            FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
            WHERE p.repository_id = $1
         UNION ALL
            SELECT line.id, p.copied_from, p.origin, CASE WHEN r.type = 'curated' THEN r.key END, steps + 1
            FROM line JOIN library_procedures p ON p.id = line.original
            JOIN repositories r ON r.id = p.repository_id
            WHERE line.origin = '' AND line.key IS NULL),
         said AS (SELECT DISTINCT ON (id) id, origin, key FROM line ORDER BY id, steps DESC)
         SELECT p.id, p.identity, p.source_key, p.number, v.body, p.current_version, p.imported_version,
            i.digest AS imported_digest, p.written_from, said.origin, said.key AS origin_key,
            p.retired_at IS NOT NULL OR p.withdrawn_at IS NOT NULL AS is_retired, p.withdrawn_at
         FROM library_procedures p
         JOIN said ON said.id = p.id
         JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version
         LEFT JOIN library_procedure_versions i ON i.procedure_id = p.id AND i.n = p.imported_version
         WHERE p.repository_id = $1 ORDER BY p.number";
    Ok(diesel::sql_query(sql).bind::<SqlUuid, _>(repository).load(conn)?)
}

/// A version of a procedure.
#[derive(QueryableByName)]
struct BaseRow {
    #[diesel(sql_type = SqlUuid)]
    procedure_id: LibraryProcedureId,
    #[diesel(sql_type = Integer)]
    n: i32,
    #[diesel(sql_type = Jsonb)]
    body: serde_json::Value,
}

/// Versions of a repository's procedures that may be what both sides know: what the last import wrote, and
/// those of the digests that an archive names.
pub fn list_bases(
    conn: &mut PgConnection,
    repository: RepositoryId,
    digests: &[ContentDigest],
) -> Result<HashMap<LibraryProcedureId, Vec<(i32, ProcedureBody)>>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.to_vec()).collect();
    // sql_query: versions by number or by digest.
    let sql = "SELECT v.procedure_id, v.n, v.body FROM library_procedures p
         JOIN library_procedure_versions v ON v.procedure_id = p.id
         WHERE p.repository_id = $1 AND (v.n = p.imported_version OR v.digest = ANY ($2))";
    let rows: Vec<BaseRow> =
        diesel::sql_query(sql).bind::<SqlUuid, _>(repository).bind::<Array<Binary>, _>(digests).load(conn)?;
    let mut bases: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        bases.entry(row.procedure_id).or_default().push((row.n, serde_json::from_value(row.body)?));
    }
    Ok(bases)
}

/// A test plan with the identities of those of its procedures that the reader knows of.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct StoredPlan {
    #[diesel(sql_type = SqlUuid)]
    pub id: TestPlanId,
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    pub written_from: Option<Vec<u8>>,
    /// Digest of what the last import wrote.
    #[diesel(sql_type = Nullable<Binary>)]
    pub imported_digest: Option<Vec<u8>>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub procedures: Vec<Uuid>,
    /// Titles are told apart without regard to capitals.
    #[diesel(sql_type = Text)]
    pub lower_title: String,
}

/// `reader` is the place of the reader among the statement's values.
fn select_plan(reader: usize) -> String {
    format!(
        "SELECT t.id, t.key, t.title, t.description, t.tags, t.written_from, t.imported_digest,
            lower(t.title) AS lower_title,
            ARRAY(SELECT p.identity FROM test_plan_procedures tp
                JOIN library_procedures p ON p.id = tp.procedure_id
                WHERE tp.test_plan_id = t.id AND p.repository_id = ANY ({})
                ORDER BY tp.position) AS procedures
         FROM test_plans t WHERE t.deleted_at IS NULL",
        seen(reader)
    )
}

/// The test plans that need only procedures of one repository, by title.
pub fn list_plans_within(conn: &mut PgConnection, repository: RepositoryId) -> Result<Vec<StoredPlan>> {
    // sql_query: a plan with its list in one row.
    let sql = format!(
        "{} AND EXISTS (SELECT FROM test_plan_procedures tp WHERE tp.test_plan_id = t.id)
            AND NOT EXISTS (SELECT FROM test_plan_procedures tp
                JOIN library_procedures p ON p.id = tp.procedure_id
            WHERE tp.test_plan_id = t.id AND p.repository_id <> $1)
         ORDER BY lower(t.title), t.id",
        select_plan(2)
    );
    Ok(diesel::sql_query(sql)
        .bind::<SqlUuid, _>(repository)
        .bind::<Nullable<SqlUuid>, _>(Shelf::whole().reader())
        .load(conn)?)
}

/// All test plans that were not deleted, each as the reader sees it.
pub fn list_all_plans(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<StoredPlan>> {
    // sql_query: a plan with its list in one row.
    Ok(diesel::sql_query(format!("{} ORDER BY lower(t.title), t.id", select_plan(1)))
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// What a test plan said in one of its versions.
#[derive(QueryableByName)]
pub struct EarlierPlan {
    #[diesel(sql_type = SqlUuid)]
    pub id: TestPlanId,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    /// Identities of its procedures, in order.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub procedures: Vec<Uuid>,
}

/// What test plans said in each of their versions, as far as the reader knows of the procedures.
pub fn list_earlier_plans(conn: &mut PgConnection, shelf: Shelf, plans: &[Uuid]) -> Result<Vec<EarlierPlan>> {
    // sql_query: its lists stand in JSON.
    let sql = format!(
        "SELECT v.test_plan_id AS id, v.created_at AS at, \
            v.body ->> 'title' AS title, v.body ->> 'description' AS description, \
            ARRAY(SELECT jsonb_array_elements_text(v.body -> 'tags')) AS tags, \
            ARRAY(SELECT p.identity FROM jsonb_array_elements(v.body -> 'procedures') \
                WITH ORDINALITY listed (one, n) \
                JOIN library_procedures p ON p.id = (listed.one ->> 'id')::uuid \
                WHERE p.repository_id = ANY ({}) ORDER BY listed.n) AS procedures
         FROM test_plan_versions v WHERE v.test_plan_id = ANY ($1)",
        seen(2)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(plans)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// Makes a repository for what comes in. `editor` is the first who may write in it; `elsewhere` as for
/// [`check_free`].
///
/// # Errors
/// [`Error::Refused`] where its name or prefix is taken, or nobody could write in it.
pub(crate) fn insert_repository(
    tx: &mut WriteTx<'_>,
    new: &StoredRepository,
    editor: Option<PersonId>,
    elsewhere: &str,
) -> Result<RepositoryId> {
    let editor = editor.or(tx.actor().id);
    if matches!(new.kind, RepositoryType::Managed | RepositoryType::Private) && editor.is_none() {
        return Err(Error::Refused(format!(
            "The repository {} is {}: somebody has to be its first editor. Name them with --editor EMAIL.",
            new.prefix,
            new.kind.label().to_lowercase()
        )));
    }
    let id = RepositoryId::new();
    diesel::insert_into(repositories::table)
        .values((
            repositories::id.eq(id),
            repositories::name.eq(&new.name),
            repositories::short_name.eq(&new.name),
            repositories::prefix.eq(&new.prefix),
            repositories::description.eq(&new.description),
            repositories::type_.eq(new.kind),
            repositories::next_number.eq(new.next_number),
            repositories::created_at.eq(tx.now()),
            repositories::created_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("repositories_name") => name_taken(&new.name, elsewhere),
            Some("repositories_prefix_key") => prefix_taken(&new.prefix, elsewhere),
            _ => e.into(),
        })?;
    if let Some(editor) = editor {
        diesel::insert_into(repository_people::table)
            .values((
                repository_people::repository_id.eq(id),
                repository_people::person_id.eq(editor),
                repository_people::may_edit.eq(true),
            ))
            .execute(tx.conn)?;
    }
    Ok(id)
}

/// A procedure as it is to be stored.
pub(crate) struct IncomingProcedure {
    /// None for a new one.
    pub before: Option<(LibraryProcedureId, i32)>,
    pub identity: Uuid,
    /// Under which an importer finds it again.
    pub source_key: String,
    pub number: i32,
    /// What the source says.
    pub theirs: ProcedureBody,
    /// What stands on top of it, where both sides had changed it.
    pub merged: Option<ProcedureBody>,
    /// Whether that is what stands here already.
    pub stays: bool,
    pub written_from: Option<ContentDigest>,
    pub origin: String,
    pub is_retired: bool,
}

/// Where a procedure was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub id: LibraryProcedureId,
    /// The version that it now has.
    pub version: i32,
}

/// Stores procedures of one repository: what a source says is a version of its own, which the next import
/// compares with. Where it is not taken whole it is only noted, and what was merged is the next version,
/// unless that is what stands here already. What was withdrawn is back. Answers by identity; the caller
/// audits.
pub(crate) fn write_procedures(
    tx: &mut WriteTx<'_>,
    repository: RepositoryId,
    prefix: &str,
    incoming: Vec<IncomingProcedure>,
) -> Result<HashMap<Uuid, Written>> {
    let (now, person) = (tx.now(), tx.actor().id);
    let (mut rows, mut versions, mut written) = (Vec::new(), Vec::new(), HashMap::new());
    let there: Vec<LibraryProcedureId> = incoming
        .iter()
        .filter(|procedure| procedure.merged.is_some())
        .filter_map(|procedure| procedure.before.map(|(id, _)| id))
        .collect();
    let mut notes = Notes::of(tx.conn, &there)?;
    let mut noted = Vec::new();
    for procedure in incoming {
        let (id, before) = procedure.before.unwrap_or_else(|| (LibraryProcedureId::new(), 0));
        let is_whole = procedure.merged.as_ref().is_none_or(|merged| *merged == procedure.theirs);
        let imported = if is_whole { before + 1 } else { notes.next(id, before) };
        let current = if procedure.stays { before } else { before + 1 };
        versions.push(VersionRow::of(id, imported, &procedure.theirs, now, person)?);
        written.insert(procedure.identity, Written { id, version: current });
        let written_from = procedure.written_from.map(|digest| digest.to_vec());
        if procedure.stays {
            noted.push(Noted { id, imported: Some(imported), written_from });
            continue;
        }
        if !is_whole && let Some(merged) = &procedure.merged {
            versions.push(VersionRow::of(id, current, merged, now, person)?);
        }
        let body = procedure.merged.unwrap_or(procedure.theirs);
        let who = Identity {
            id,
            repository,
            key: procedure.source_key,
            number: procedure.number,
            identity: procedure.identity,
            shown: format!("{prefix}-{}", procedure.number),
            origin: procedure.origin,
            written_from,
        };
        let row = ProcedureRow::new(who, &body, current, Some(imported), now);
        rows.push(row.retired(procedure.is_retired.then_some(now)));
    }
    put(tx, &rows, &versions)?;
    note(tx, &noted)?;
    Ok(written)
}

/// Retires procedures of a repository; plans and engagements keep them.
pub(crate) fn retire(tx: &mut WriteTx<'_>, repository: RepositoryId, identities: &[Uuid]) -> Result<()> {
    if identities.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    diesel::update(
        library_procedures::table
            .filter(library_procedures::repository_id.eq(repository))
            .filter(library_procedures::identity.eq_any(identities))
            .filter(library_procedures::retired_at.is_null()),
    )
    .set((library_procedures::retired_at.eq(now), library_procedures::updated_at.eq(now)))
    .execute(tx.conn)?;
    Ok(())
}

/// Numbers only rise: one that was given is never given again.
pub(crate) fn raise_next_number(tx: &mut WriteTx<'_>, repository: RepositoryId, next: i32) -> Result<()> {
    diesel::update(repositories::table.find(repository).filter(repositories::next_number.lt(next)))
        .set(repositories::next_number.eq(next))
        .execute(tx.conn)?;
    Ok(())
}

/// The ids of a repository's procedures, by identity.
pub fn list_ids(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> Result<HashMap<Uuid, LibraryProcedureId>> {
    let ids: Vec<(Uuid, LibraryProcedureId)> = library_procedures::table
        .filter(library_procedures::repository_id.eq(repository))
        .select((library_procedures::identity, library_procedures::id))
        .load(conn)?;
    Ok(ids.into_iter().collect())
}

/// A test plan as it is to be stored.
pub(crate) struct IncomingPlan {
    pub id: TestPlanId,
    pub key: Option<String>,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub procedures: Vec<LibraryProcedureId>,
    pub written_from: Option<ContentDigest>,
    pub brought: Brought,
}

/// What an import says of a test plan, whatever of it is taken.
pub(crate) struct Brought {
    pub digest: ContentDigest,
    pub body: serde_json::Value,
}

/// Stores a test plan; one of its id that was deleted comes back. Procedures that the writer does not know of
/// stay in it, behind what they stood behind. The caller audits.
///
/// # Errors
/// [`Error::Refused`] where another plan has its title.
pub(crate) fn write_plan(tx: &mut WriteTx<'_>, shelf: Shelf, plan: &IncomingPlan) -> Result<PlanBefore> {
    let now = tx.now();
    let was = find_plan_was(tx.conn, plan.id)?;
    let stood: Vec<LibraryProcedureId> = test_plan_procedures::table
        .filter(test_plan_procedures::test_plan_id.eq(plan.id))
        .order(test_plan_procedures::position)
        .select(test_plan_procedures::procedure_id)
        .load(tx.conn)?;
    let hidden = revisions::list_hidden(tx.conn, shelf, &stood)?;
    let procedures = woven(plan.procedures.clone(), &stood, |one| hidden.contains(one));
    if let Some(key) = &plan.key {
        // One that was deleted keeps its row, and gives the key to the one that comes.
        diesel::update(
            test_plans::table
                .filter(test_plans::key.eq(key))
                .filter(test_plans::id.ne(plan.id))
                .filter(test_plans::deleted_at.is_not_null()),
        )
        .set(test_plans::key.eq(None::<String>))
        .execute(tx.conn)?;
    }
    let after: i32 = diesel::insert_into(test_plans::table)
        .values((
            test_plans::id.eq(plan.id),
            test_plans::key.eq(&plan.key),
            test_plans::title.eq(&plan.title),
            test_plans::description.eq(&plan.description),
            test_plans::tags.eq(&plan.tags),
            test_plans::created_at.eq(now),
            test_plans::created_by.eq(tx.actor().id),
            test_plans::updated_at.eq(now),
            test_plans::written_from.eq(plan.written_from.map(|digest| digest.to_vec())),
            test_plans::imported_digest.eq(plan.brought.digest.to_vec()),
        ))
        .on_conflict(test_plans::id)
        .do_update()
        .set((
            test_plans::title.eq(excluded(test_plans::title)),
            test_plans::description.eq(excluded(test_plans::description)),
            test_plans::tags.eq(excluded(test_plans::tags)),
            test_plans::updated_at.eq(excluded(test_plans::updated_at)),
            test_plans::written_from.eq(excluded(test_plans::written_from)),
            test_plans::imported_digest.eq(excluded(test_plans::imported_digest)),
            test_plans::deleted_at.eq(None::<DateTime<Utc>>),
            test_plans::version.eq(test_plans::version + 1),
        ))
        .returning(test_plans::version)
        .get_result(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("test_plans_title") => Error::Refused(format!(
                "Another test plan here is called “{}”. Rename one of them, then import again.",
                plan.title
            )),
            _ => e.into(),
        })?;
    diesel::delete(test_plan_procedures::table.filter(test_plan_procedures::test_plan_id.eq(plan.id)))
        .execute(tx.conn)?;
    let rows: Vec<_> = (1i32..)
        .zip(&procedures)
        .map(|(position, procedure)| {
            (
                test_plan_procedures::test_plan_id.eq(plan.id),
                test_plan_procedures::position.eq(position),
                test_plan_procedures::procedure_id.eq(procedure),
            )
        })
        .collect();
    diesel::insert_into(test_plan_procedures::table).values(rows).execute_anew(tx.conn)?;
    revisions::note(tx, &[plan.id])?;
    note_exchanged(tx, plan.id.0, plan.brought.digest, &plan.brought.body)?;
    Ok(PlanBefore { id: plan.id, was, after })
}

/// Notes that another side's version of a test plan is known, and leaves the plan as it is.
pub(crate) fn note_plan(tx: &mut WriteTx<'_>, plan: TestPlanId, brought: &Brought) -> Result<PlanBefore> {
    let was = find_plan_was(tx.conn, plan)?;
    let after = diesel::update(test_plans::table.find(plan))
        .set(test_plans::imported_digest.eq(brought.digest.to_vec()))
        .returning(test_plans::version)
        .get_result(tx.conn)?;
    note_exchanged(tx, plan.0, brought.digest, &brought.body)?;
    Ok(PlanBefore { id: plan, was, after })
}

/// A procedure of a test plan with the repository that it stands in.
#[derive(Debug, Clone, QueryableByName)]
pub struct PlanMember {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = SqlUuid)]
    pub identity: Uuid,
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Jsonb)]
    body: serde_json::Value,
    #[diesel(sql_type = SqlUuid)]
    pub repository_id: RepositoryId,
    #[diesel(sql_type = Text)]
    pub repository_name: String,
    #[diesel(sql_type = Text)]
    pub prefix: String,
    #[diesel(sql_type = Text)]
    pub repository_description: String,
    #[diesel(sql_type = Text)]
    pub kind: RepositoryType,
}

impl PlanMember {
    /// # Errors
    /// When the stored body is none.
    pub fn body(&self) -> Result<ProcedureBody> {
        Ok(serde_json::from_value(self.body.clone())?)
    }
}

/// The procedures of a test plan in its order, each in its current version; those that the reader does not
/// know of are left out.
pub fn list_members(conn: &mut PgConnection, shelf: Shelf, plan: TestPlanId) -> Result<Vec<PlanMember>> {
    // sql_query: three tables beside the list.
    let sql = format!(
        "SELECT p.id, p.identity, p.number, v.body, r.id AS repository_id, r.name AS repository_name, \
            r.prefix,
            r.description AS repository_description, r.type AS kind
         FROM test_plan_procedures tp JOIN library_procedures p ON p.id = tp.procedure_id
         JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version
         JOIN repositories r ON r.id = p.repository_id
         WHERE tp.test_plan_id = $2 AND p.repository_id = ANY ({}) ORDER BY tp.position",
        seen(1)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<SqlUuid, _>(plan)
        .load(conn)?)
}

/// A technique with one of its tactics.
#[derive(Debug, Clone, QueryableByName)]
pub struct TechniqueTactic {
    #[diesel(sql_type = Text)]
    pub external_id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Text)]
    pub version: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub tactic_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub tactic_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub tactic_description: Option<String>,
}

/// Techniques with their tactics, each in the newest release that has it; a row for each tactic, in the order
/// of the matrix.
pub fn list_technique_tactics(conn: &mut PgConnection, ids: &[String]) -> Result<Vec<TechniqueTactic>> {
    // sql_query: each id in its newest release.
    let sql = "SELECT te.external_id, te.name, te.description, te.version, ta.external_id AS tactic_id,
            ta.name AS tactic_name, ta.description AS tactic_description
         FROM (SELECT DISTINCT unnest($1) AS id) wanted
         JOIN LATERAL (SELECT t.external_id, t.name, t.description, t.version, t.tactics FROM techniques t
            JOIN attack_versions v ON v.version = t.version
            WHERE t.external_id = wanted.id ORDER BY v.rank DESC LIMIT 1) te ON true
         LEFT JOIN tactics ta ON ta.version = te.version AND ta.short_name = ANY (te.tactics)
         ORDER BY te.external_id, ta.position";
    Ok(diesel::sql_query(sql).bind::<Array<Text>, _>(ids).load(conn)?)
}

/// A procedure wherever it stands, as far as an importer has to know whether it is the same.
#[derive(Debug, Clone, QueryableByName)]
pub struct Known {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = SqlUuid)]
    pub identity: Uuid,
    #[diesel(sql_type = Text)]
    pub source_key: String,
    #[diesel(sql_type = SqlUuid)]
    pub repository_id: RepositoryId,
    #[diesel(sql_type = Text)]
    pub prefix: String,
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Integer)]
    pub current_version: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    pub imported_version: Option<i32>,
    #[diesel(sql_type = Text)]
    pub origin: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether the holder of the shelf may write in its repository.
    #[diesel(sql_type = Bool)]
    pub may_write: bool,
}

/// All procedures that the reader knows of, withdrawn ones too.
pub fn list_known(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Known>> {
    // sql_query: who writes is judged by rows of another table.
    let sql = format!(
        "SELECT p.id, p.identity, p.source_key, p.repository_id, r.prefix, p.number, p.current_version,
            p.imported_version, p.origin, p.withdrawn_at,
            $2 AND r.type <> 'curated' AND ($1::uuid IS NULL OR r.type = 'open' OR EXISTS (
                SELECT FROM repository_people e WHERE e.repository_id = r.id AND e.person_id = $1::uuid \
                AND e.may_edit)) AS may_write
         FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         WHERE p.repository_id = ANY ({}) ORDER BY p.id",
        seen(1)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(shelf.edits())
        .load(conn)?)
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = SqlUuid)]
    identity: Uuid,
    #[diesel(sql_type = Text)]
    shown: String,
}

/// What people call procedures, by identity; those that the reader does not know of have no name.
pub fn list_names(conn: &mut PgConnection, shelf: Shelf, wanted: &[Uuid]) -> Result<HashMap<Uuid, String>> {
    // sql_query: the predicate of what a reader knows of.
    let sql = format!(
        "SELECT DISTINCT ON (p.identity) p.identity, r.prefix || '-' || p.number || ' ' || p.name AS shown
         FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         WHERE p.identity = ANY ($2) AND p.repository_id = ANY ({}) ORDER BY p.identity, p.id",
        seen(1)
    );
    let rows: Vec<Named> = diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Array<SqlUuid>, _>(wanted)
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.identity, row.shown)).collect())
}

/// Versions of procedures: bodies by procedure and number. `digests`: of versions that a file names.
pub fn list_versions(
    conn: &mut PgConnection,
    wanted: &[LibraryProcedureId],
    digests: &[ContentDigest],
) -> Result<HashMap<(LibraryProcedureId, i32), ProcedureBody>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.to_vec()).collect();
    // sql_query: of each procedure the current version, the one that the last import wrote, and others.
    let sql = "SELECT v.procedure_id, v.n, v.body FROM library_procedures p
         JOIN library_procedure_versions v ON v.procedure_id = p.id
            AND (v.n = p.current_version OR v.n = p.imported_version OR v.digest = ANY ($2))
         WHERE p.id = ANY ($1)";
    let rows: Vec<BaseRow> = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(wanted)
        .bind::<Array<Binary>, _>(digests)
        .load(conn)?;
    rows.into_iter().map(|row| Ok(((row.procedure_id, row.n), serde_json::from_value(row.body)?))).collect()
}

/// A live technique of a release.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Placed {
    #[diesel(sql_type = Text)]
    pub external_id: String,
    /// Short names, in the order of the matrix.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
}

/// The techniques of a release with the tactics that they stand under.
pub fn list_placed(conn: &mut PgConnection, version: &str) -> Result<Vec<Placed>> {
    // sql_query: tactics that the release does not have cannot be drawn.
    let sql =
        "SELECT te.external_id, ARRAY(SELECT ta.short_name FROM tactics ta WHERE ta.version = te.version
            AND ta.short_name = ANY (te.tactics) ORDER BY ta.position) AS tactics
         FROM techniques te WHERE te.version = $1 ORDER BY te.external_id";
    Ok(diesel::sql_query(sql).bind::<Text, _>(version).load(conn)?)
}

/// A procedure with the techniques that it covers.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Cover {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = Text)]
    pub code: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Array<Text>)]
    pub technique_ids: Vec<String>,
    /// Whether an importer or the binary owns its repository.
    #[diesel(sql_type = Bool)]
    pub is_curated: bool,
}

/// The procedures that the reader knows of and that are in use, a team's own first.
pub fn list_covers(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Cover>> {
    // sql_query: the predicate of what a reader knows of.
    let sql = format!(
        "SELECT p.id, r.prefix || '-' || p.number AS code, p.name, p.technique_ids, r.type = 'curated' AS \
            is_curated
         FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL AND p.repository_id = ANY ({})
         ORDER BY r.type = 'curated', r.prefix, p.number",
        seen(1)
    );
    Ok(diesel::sql_query(sql).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?)
}
