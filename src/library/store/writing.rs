//! SQL of writing in the library: procedures, their versions, and what is done to ticked ones.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::shelf::{Numbers, Writable, is_seen, lock_one, lock_writable, take_numbers};
use super::versions::VersionRow;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show::counted;
use crate::kernel::db::schema::{library_procedure_versions, library_procedures, people, repositories};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::domain::{ProcedureBody, RepositoryType};
use crate::library::repository::origin_of;
use crate::library::writing::form::Posted;
use crate::library::writing::merge::{Merged, Saved, Versions, merge};

/// Rows of one INSERT: a statement holds at most 65,535 values.
const CHUNK: usize = 2_000;

#[derive(Insertable)]
#[diesel(table_name = library_procedures)]
struct ProcedureRow<'a> {
    id: Uuid,
    repository_id: Uuid,
    source_key: String,
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
    copied_from: Option<Uuid>,
    copied_version: Option<i32>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    origin: &'a str,
}

/// A procedure as it comes into a repository, with the procedure and version that it is a copy of.
pub(crate) struct NewProcedure {
    pub body: ProcedureBody,
    pub copied: Option<(LibraryProcedureId, i32)>,
    /// Where its original was taken from, for the list of licences: that stays when the original goes.
    pub origin: String,
}

/// Writes new procedures behind the last number of a repository. The caller may write there, and audits.
pub(crate) fn insert_all(
    tx: &mut WriteTx<'_>,
    repository: RepositoryId,
    new: &[NewProcedure],
) -> Result<Vec<(LibraryProcedureId, String)>> {
    let mut numbers = take_numbers(tx.conn, repository, new.len())?;
    let (now, person) = (tx.now(), tx.actor().id);
    let (mut rows, mut versions, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for NewProcedure { body, copied, origin } in new {
        let (id, number) = (LibraryProcedureId::new(), numbers.take());
        let shown = numbers.id(number);
        versions.push(VersionRow::of(id, 1, body, now, person)?);
        rows.push(ProcedureRow {
            id: id.0,
            repository_id: repository.0,
            source_key: id.to_string(),
            number,
            identity: id.0,
            name: &body.name,
            description: &body.description,
            technique_ids: &body.technique_ids,
            platforms: &body.platforms,
            tags: &body.tags,
            executors: body.executors(),
            search: body.search_text(&shown),
            current_version: 1,
            copied_from: copied.map(|(from, _)| from.0),
            copied_version: copied.map(|(_, version)| version),
            created_at: now,
            updated_at: now,
            origin,
        });
        made.push((id, shown));
    }
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(library_procedures::table).values(chunk).execute_anew(tx.conn)?;
    }
    for chunk in versions.chunks(CHUNK) {
        diesel::insert_into(library_procedure_versions::table).values(chunk).execute_anew(tx.conn)?;
    }
    Ok(made)
}

/// Makes a procedure of one's own.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] by the repository.
pub fn insert_procedure(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    repository: RepositoryId,
    body: ProcedureBody,
) -> Result<Audited<(LibraryProcedureId, String)>> {
    insert_copy(tx, shelf, repository, body, None)
}

/// As [`insert_procedure`], with the procedure and version that it is a copy of.
///
/// # Errors
/// As [`insert_procedure`].
pub fn insert_copy(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    repository: RepositoryId,
    body: ProcedureBody,
    copied: Option<(LibraryProcedureId, i32)>,
) -> Result<Audited<(LibraryProcedureId, String)>> {
    let repository = lock_one(tx.conn, shelf, repository)?;
    let name = body.name.clone();
    let new = NewProcedure { body, copied, origin: String::new() };
    let made = insert_all(tx, repository.id, &[new])?.swap_remove(0);
    let event = Event::new(
        Kind::LibraryProcedureCreated,
        format!("Created the library procedure {} “{name}” in “{}”", made.1, repository.name),
    )
    .subject("library_procedure", made.0.0, &name);
    tx.audited(made, event)
}

/// A procedure that is locked to be changed, with what its current version says.
pub struct Held {
    pub id: LibraryProcedureId,
    pub repository: Writable,
    pub number: i32,
    /// Number of the current version.
    pub version: i32,
    pub body: ProcedureBody,
    pub is_retired: bool,
}

impl Held {
    /// Its id as people call it: `HLF-12`.
    pub fn shown_id(&self) -> String {
        format!("{}-{}", self.repository.prefix, self.number)
    }

    fn event(&self, kind: Kind, what: &str) -> Event {
        Event::new(kind, format!("{what} the library procedure {} “{}”", self.shown_id(), self.body.name))
            .subject("library_procedure", self.id.0, &self.body.name)
    }
}

/// Locks procedures that the person may change, in the order given: their repositories first.
///
/// # Errors
/// [`Error::NotFound`] where one is not there or not known to them, [`Error::Forbidden`] where they may read
/// and not write.
pub fn lock_procedures(
    conn: &mut PgConnection,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
) -> Result<Vec<Held>> {
    let of: Vec<RepositoryId> = library_procedures::table
        .filter(library_procedures::id.eq_any(ids))
        .select(library_procedures::repository_id)
        .load(conn)?;
    let writable = lock_writable(conn, shelf, &of)?;
    type Row = (LibraryProcedureId, RepositoryId, i32, i32, bool);
    let rows: Vec<Row> = library_procedures::table
        .filter(library_procedures::id.eq_any(ids))
        .filter(library_procedures::repository_id.eq_any(&of))
        .order(library_procedures::id)
        .select((
            library_procedures::id,
            library_procedures::repository_id,
            library_procedures::number,
            library_procedures::current_version,
            library_procedures::retired_at.is_not_null(),
        ))
        .for_update()
        .load(conn)?;
    let bodies = current_bodies(conn, ids)?;
    let mut held: HashMap<LibraryProcedureId, Held> = HashMap::new();
    for (id, repository, number, version, is_retired) in rows {
        let repository = writable.iter().find(|one| one.id == repository).ok_or(Error::NotFound)?.clone();
        let body = bodies.get(&id).cloned().ok_or(Error::NotFound)?;
        held.insert(id, Held { id, repository, number, version, body, is_retired });
    }
    ids.iter().map(|id| held.remove(id).ok_or(Error::NotFound)).collect()
}

fn current_bodies(
    conn: &mut PgConnection,
    ids: &[LibraryProcedureId],
) -> Result<HashMap<LibraryProcedureId, ProcedureBody>> {
    let rows: Vec<(LibraryProcedureId, serde_json::Value)> = library_procedures::table
        .inner_join(
            library_procedure_versions::table.on(library_procedure_versions::procedure_id
                .eq(library_procedures::id)
                .and(library_procedure_versions::n.eq(library_procedures::current_version))),
        )
        .filter(library_procedures::id.eq_any(ids))
        .select((library_procedures::id, library_procedure_versions::body))
        .load(conn)?;
    rows.into_iter().map(|(id, body)| Ok((id, serde_json::from_value(body)?))).collect()
}

/// Stores what locked procedures say from now on, each as its next version. Bodies that say what they said
/// before are left out by the caller, who audits.
fn write_bodies(tx: &mut WriteTx<'_>, changes: &[(&Held, &ProcedureBody)]) -> Result<()> {
    let (now, person) = (tx.now(), tx.actor().id);
    let mut versions = Vec::new();
    let mut rows = Vec::new();
    for (held, body) in changes {
        versions.push(VersionRow::of(held.id, held.version + 1, body, now, person)?);
        rows.push(json!({
            "id": held.id,
            "n": held.version + 1,
            "name": body.name,
            "description": body.description,
            "technique_ids": body.technique_ids,
            "platforms": body.platforms,
            "tags": body.tags,
            "executors": body.executors(),
            "search": body.search_text(&held.shown_id()),
        }));
    }
    for chunk in versions.chunks(CHUNK) {
        diesel::insert_into(library_procedure_versions::table).values(chunk).execute_anew(tx.conn)?;
    }
    // sql_query: one statement for any number of procedures.
    diesel::sql_query(
        "UPDATE library_procedures p SET name = v.name, description = v.description,
            technique_ids = v.technique_ids, platforms = v.platforms, tags = v.tags, executors = v.executors,
            search = v.search, current_version = v.n, edit_version = p.edit_version + 1, updated_at = $2
         FROM jsonb_to_recordset($1) AS v (id uuid, n integer, name text, description text,
            technique_ids text[], platforms text[], tags text[], executors text[], search text)
         WHERE p.id = v.id",
    )
    .bind::<Jsonb, _>(serde_json::Value::Array(rows))
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn)?;
    Ok(())
}

/// Saves a procedure as somebody wrote it from the version that they opened. What both sides changed is not
/// stored and comes back with both values; everything else is.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] by the repository.
pub fn save_procedure(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: LibraryProcedureId,
    posted: &Posted,
) -> Result<Audited<Saved>> {
    let held = lock_procedures(tx.conn, shelf, &[id])?.swap_remove(0);
    let versions = list_since(tx.conn, id, &posted.versions(), held.version)?;
    let Merged { body, conflicts, notes } = merge(posted, &versions);
    if body == held.body {
        return Ok(tx.unchanged(Saved { version: held.version, conflicts, notes, changed: false }));
    }
    write_bodies(tx, &[(&held, &body)])?;
    let changed = changed_parts(&held.body, &body);
    let event = held
        .event(Kind::LibraryProcedureUpdated, "Changed")
        .detail(json!({ "version": held.version + 1, "changed": changed }));
    let mut event = event;
    event.sentence = format!("{}: {}", event.sentence, changed.join(", "));
    tx.audited(Saved { version: held.version + 1, conflicts, notes, changed: true }, event)
}

/// What differs between two bodies, as the log and the list of versions tell it.
pub fn changed_parts(before: &ProcedureBody, after: &ProcedureBody) -> Vec<&'static str> {
    let parts = [
        ("name", before.name != after.name),
        ("description", before.description != after.description),
        ("techniques", before.technique_ids != after.technique_ids),
        ("tags", before.tags != after.tags),
        ("platforms", before.platforms != after.platforms),
        ("steps", before.steps != after.steps),
        ("inputs", before.inputs != after.inputs),
        ("recommendation", before.recommendation != after.recommendation),
        ("expected from blue", before.expected != after.expected),
        ("references", before.references != after.references),
        ("emulates", before.emulates != after.emulates),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// Versions that are looked through for who changed something, at most: each may be as long as a procedure.
const LOOKED_THROUGH: i32 = 100;

/// What a procedure said in the versions that something was posted from, and in those since, with who wrote
/// it.
fn list_since(
    conn: &mut PgConnection,
    id: LibraryProcedureId,
    bases: &[i32],
    newest: i32,
) -> Result<Versions> {
    let oldest = bases.iter().copied().min().unwrap_or(newest).max(newest - LOOKED_THROUGH);
    let rows: Vec<(i32, serde_json::Value, Option<String>, DateTime<Utc>)> =
        library_procedure_versions::table
            .left_join(people::table)
            .filter(library_procedure_versions::procedure_id.eq(id))
            .filter(library_procedure_versions::n.gt(0))
            .filter(
                library_procedure_versions::n
                    .ge(oldest)
                    .or(library_procedure_versions::n.eq_any(bases.to_vec())),
            )
            .select((
                library_procedure_versions::n,
                library_procedure_versions::body,
                people::name.nullable(),
                library_procedure_versions::created_at,
            ))
            .load(conn)?;
    let mut versions = Versions::default();
    for (n, body, by, at) in rows {
        versions.bodies.insert(n, serde_json::from_value(body)?);
        versions.stamps.insert(n, (by.unwrap_or_else(|| "An import".to_owned()), at));
    }
    Ok(versions)
}

/// A version in the list of a procedure's.
#[derive(Debug, Clone)]
pub struct VersionLine {
    pub n: i32,
    pub at: DateTime<Utc>,
    /// Who saved it; nobody where an import or the product wrote it.
    pub by: Option<String>,
    pub body: ProcedureBody,
}

/// The versions of a procedure, the newest first.
pub fn list_versions(
    conn: &mut PgConnection,
    id: LibraryProcedureId,
    limit: i64,
) -> Result<Vec<VersionLine>> {
    let rows: Vec<(i32, DateTime<Utc>, Option<String>, serde_json::Value)> =
        library_procedure_versions::table
            .left_join(people::table)
            .filter(library_procedure_versions::procedure_id.eq(id))
            .filter(library_procedure_versions::n.gt(0))
            .order(library_procedure_versions::n.desc())
            .limit(limit)
            .select((
                library_procedure_versions::n,
                library_procedure_versions::created_at,
                people::name.nullable(),
                library_procedure_versions::body,
            ))
            .load(conn)?;
    rows.into_iter()
        .map(|(n, at, by, body)| Ok(VersionLine { n, at, by, body: serde_json::from_value(body)? }))
        .collect()
}

/// Makes what an older version says the newest one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] where somebody saved since `seen` was the
/// newest.
pub fn restore_version(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: LibraryProcedureId,
    version: i32,
    seen: i32,
) -> Result<Audited<()>> {
    let held = lock_procedures(tx.conn, shelf, &[id])?.swap_remove(0);
    if held.version != seen {
        return Err(Error::Conflict(
            "Somebody saved this procedure meanwhile. Look at the newest version, then restore again.".into(),
        ));
    }
    let body: serde_json::Value = library_procedure_versions::table
        .find((id, version))
        .filter(library_procedure_versions::n.gt(0))
        .select(library_procedure_versions::body)
        .first(tx.conn)
        .optional()?
        .ok_or(Error::NotFound)?;
    let body: ProcedureBody = serde_json::from_value(body)?;
    if body == held.body {
        return Ok(tx.unchanged(()));
    }
    write_bodies(tx, &[(&held, &body)])?;
    let event = held.event(Kind::LibraryProcedureUpdated, &format!("Restored version {version} of"));
    tx.audited((), event.detail(json!({ "version": held.version + 1, "restored": version })))
}

/// An event about one procedure, or about several at once.
fn about(kind: Kind, verb: &str, held: &[&Held], rest: &str) -> Event {
    match held {
        [one] => {
            let mut event = one.event(kind, verb);
            event.sentence.push_str(rest);
            event
        }
        _ => Event::new(kind, format!("{verb} {} library procedures{rest}", held.len())),
    }
    .detail(json!({ "procedures": held.iter().map(|one| one.shown_id()).collect::<Vec<_>>() }))
}

/// Adds tags to procedures, or takes them off; says how many changed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Refused`] where one would have too many tags.
pub fn tag(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
    tags: &[String],
    adds: bool,
) -> Result<Audited<usize>> {
    let held = lock_procedures(tx.conn, shelf, ids)?;
    let mut changed = Vec::new();
    for one in &held {
        let mut body = one.body.clone();
        if adds {
            body.tags.extend(tags.iter().filter(|tag| !one.body.tags.contains(tag)).cloned());
        } else {
            body.tags.retain(|tag| !tags.contains(tag));
        }
        if body.tags.len() > crate::kernel::base::text::TAGS {
            return Err(Error::Refused(format!(
                "{} would have more than {} tags. Take some off first.",
                one.shown_id(),
                crate::kernel::base::text::TAGS
            )));
        }
        if body != one.body {
            changed.push((one, body));
        }
    }
    if changed.is_empty() {
        return Ok(tx.unchanged(0));
    }
    let bodies: Vec<(&Held, &ProcedureBody)> = changed.iter().map(|(one, body)| (*one, body)).collect();
    write_bodies(tx, &bodies)?;
    let which: Vec<&Held> = bodies.iter().map(|(one, _)| *one).collect();
    let (verb, rest) = if adds { ("Tagged", "") } else { ("Untagged", "") };
    let event = about(Kind::LibraryProcedureTagged, verb, &which, &format!("{rest}: {}", tags.join(", ")));
    tx.audited(which.len(), event)
}

/// Retires procedures, or takes them back; says how many changed. What uses them keeps them.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub fn retire(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
    retires: bool,
) -> Result<Audited<usize>> {
    let held = lock_procedures(tx.conn, shelf, ids)?;
    let which: Vec<&Held> = held.iter().filter(|one| one.is_retired != retires).collect();
    if which.is_empty() {
        return Ok(tx.unchanged(0));
    }
    let ids: Vec<LibraryProcedureId> = which.iter().map(|one| one.id).collect();
    diesel::update(library_procedures::table.filter(library_procedures::id.eq_any(ids)))
        .set((
            library_procedures::retired_at.eq(retires.then(|| tx.now())),
            library_procedures::updated_at.eq(tx.now()),
            library_procedures::edit_version.eq(library_procedures::edit_version + 1),
        ))
        .execute(tx.conn)?;
    let (kind, verb) = if retires {
        (Kind::LibraryProcedureRetired, "Retired")
    } else {
        (Kind::LibraryProcedureReinstated, "Reinstated")
    };
    let event = about(kind, verb, &which, "");
    tx.audited(which.len(), event)
}

/// Moves procedures to another repository, where they get new numbers; those that are there already stay.
/// Versions, test plans and engagements go on naming them.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] by either repository.
pub fn move_to(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
    repository: RepositoryId,
) -> Result<Audited<usize>> {
    let target = lock_one(tx.conn, shelf, repository)?;
    let held = lock_procedures(tx.conn, shelf, ids)?;
    let which: Vec<&Held> = held.iter().filter(|one| one.repository.id != repository).collect();
    if which.is_empty() {
        return Ok(tx.unchanged(0));
    }
    let mut numbers: Numbers = take_numbers(tx.conn, repository, which.len())?;
    let (mut moved, mut given, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for one in &which {
        let number = numbers.take();
        moved.push(one.id);
        given.push(number);
        texts.push(one.body.search_text(&numbers.id(number)));
    }
    // sql_query: each its own number, in one statement. Where the target knows the key or identity of another
    // procedure already, the one that comes gets its id for it.
    diesel::sql_query(
        "UPDATE library_procedures p SET repository_id = $1, number = m.number, search = m.search,
            updated_at = $5, edit_version = p.edit_version + 1,
            source_key = CASE WHEN EXISTS (SELECT FROM library_procedures o WHERE o.repository_id = $1 \
                AND o.source_key = p.source_key) THEN p.id::text ELSE p.source_key END,
            identity = CASE WHEN EXISTS (SELECT FROM library_procedures o WHERE o.repository_id = $1 \
                AND o.identity = p.identity) THEN p.id ELSE p.identity END
         FROM unnest($2, $3, $4) AS m (id, number, search) WHERE p.id = m.id",
    )
    .bind::<SqlUuid, _>(repository)
    .bind::<Array<SqlUuid>, _>(&moved)
    .bind::<Array<Integer>, _>(&given)
    .bind::<Array<Text>, _>(&texts)
    .bind::<Timestamptz, _>(tx.now())
    .execute(tx.conn)?;
    let event = about(Kind::LibraryProcedureMoved, "Moved", &which, &format!(" to “{}”", target.name));
    tx.audited(which.len(), event)
}

/// Copies procedures that the person knows of into a repository that they write in.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] by the target.
pub fn copy_to(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
    repository: RepositoryId,
) -> Result<Audited<usize>> {
    let target = lock_one(tx.conn, shelf, repository)?;
    let seen: Vec<LibraryProcedureId> = library_procedures::table
        .inner_join(repositories::table)
        .filter(library_procedures::id.eq_any(ids))
        .filter(is_seen(shelf))
        .select(library_procedures::id)
        .load(tx.conn)?;
    if !ids.iter().all(|id| seen.contains(id)) {
        return Err(Error::NotFound);
    }
    let made = copy(tx, ids, repository)?;
    let sentence = format!(
        "Copied {} to “{}”",
        counted(made.len(), "library procedure", "library procedures"),
        target.name
    );
    let event = Event::new(Kind::LibraryProcedureCopied, sentence)
        .subject("repository", repository.0, &target.name)
        .detail(json!({ "procedures": made.iter().map(|(_, id)| id).collect::<Vec<_>>() }));
    tx.audited(made.len(), event)
}

/// Copies all that a repository holds and nobody withdrew or retired; says how many.
pub(super) fn copy_all(tx: &mut WriteTx<'_>, from: RepositoryId, to: RepositoryId) -> Result<usize> {
    let ids: Vec<LibraryProcedureId> = library_procedures::table
        .filter(library_procedures::repository_id.eq(from))
        .filter(library_procedures::withdrawn_at.is_null().and(library_procedures::retired_at.is_null()))
        .order(library_procedures::number)
        .select(library_procedures::id)
        .load(tx.conn)?;
    Ok(copy(tx, &ids, to)?.len())
}

fn copy(
    tx: &mut WriteTx<'_>,
    ids: &[LibraryProcedureId],
    to: RepositoryId,
) -> Result<Vec<(LibraryProcedureId, String)>> {
    type Row = (LibraryProcedureId, i32, String, RepositoryType, Option<String>);
    let rows: Vec<Row> = library_procedures::table
        .inner_join(repositories::table)
        .filter(library_procedures::id.eq_any(ids))
        .select((
            library_procedures::id,
            library_procedures::current_version,
            library_procedures::origin,
            repositories::type_,
            repositories::key,
        ))
        .load(tx.conn)?;
    let mut known: HashMap<LibraryProcedureId, (i32, String)> = HashMap::new();
    for (id, version, mut origin, kind, key) in rows {
        if origin.is_empty() && kind == RepositoryType::Curated {
            origin = key.as_deref().map(origin_of).unwrap_or_default().to_owned();
        }
        known.insert(id, (version, origin));
    }
    let mut bodies = current_bodies(tx.conn, ids)?;
    let new: Vec<NewProcedure> = ids
        .iter()
        .filter_map(|id| {
            let (version, origin) = known.remove(id)?;
            Some(NewProcedure { body: bodies.remove(id)?, copied: Some((*id, version)), origin })
        })
        .collect();
    insert_all(tx, to, &new)
}

/// Adds what an engagement's procedure became as the next version of its origin. The caller saw `seen` as the
/// newest version.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] where somebody saved since.
pub fn add_version(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: LibraryProcedureId,
    seen: i32,
    body: &ProcedureBody,
    why: &str,
) -> Result<Audited<()>> {
    let held = lock_procedures(tx.conn, shelf, &[id])?.swap_remove(0);
    if held.version != seen {
        return Err(Error::Conflict(
            "Somebody saved the library procedure meanwhile. Look at the differences again.".into(),
        ));
    }
    if *body == held.body {
        return Ok(tx.unchanged(()));
    }
    write_bodies(tx, &[(&held, body)])?;
    let mut event = held.event(Kind::LibraryProcedureUpdated, "Changed");
    event.sentence.push_str(why);
    tx.audited((), event.detail(json!({ "version": held.version + 1 })))
}
