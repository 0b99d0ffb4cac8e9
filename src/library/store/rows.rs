//! The rows of procedures that importers write: those that come, and what those that are here say from now
//! on.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Binary, Integer, Nullable, Uuid as SqlUuid};
use diesel::upsert::excluded;
use uuid::Uuid;

use super::versions::VersionRow;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{library_procedure_versions, library_procedures};
use crate::library::domain::ProcedureBody;

/// Rows of one INSERT: a statement holds at most 65,535 values.
const CHUNK: usize = 2_000;

#[derive(Insertable)]
#[diesel(table_name = library_procedures)]
pub(super) struct ProcedureRow {
    id: LibraryProcedureId,
    repository_id: RepositoryId,
    source_key: String,
    number: i32,
    identity: Uuid,
    name: String,
    description: String,
    technique_ids: Vec<String>,
    platforms: Vec<String>,
    tags: Vec<String>,
    executors: Vec<String>,
    search: String,
    current_version: i32,
    imported_version: Option<i32>,
    withdrawn_at: Option<DateTime<Utc>>,
    /// Of a new one; one that is here is retired by itself.
    retired_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    origin: String,
    written_from: Option<Vec<u8>>,
}

/// Who a procedure is, whatever it says.
pub(super) struct Identity {
    pub id: LibraryProcedureId,
    pub repository: RepositoryId,
    pub key: String,
    pub number: i32,
    pub identity: Uuid,
    /// `HLF-12`
    pub shown: String,
    /// Where it was taken from, for the list of licences.
    pub origin: String,
    /// Digest of what both sides of an exchange knew.
    pub written_from: Option<Vec<u8>>,
}

impl ProcedureRow {
    pub fn new(
        who: Identity,
        body: &ProcedureBody,
        current: i32,
        imported: Option<i32>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id: who.id,
            repository_id: who.repository,
            source_key: who.key,
            number: who.number,
            identity: who.identity,
            name: body.name.clone(),
            description: body.description.clone(),
            technique_ids: body.technique_ids.clone(),
            platforms: body.platforms.clone(),
            tags: body.tags.clone(),
            executors: body.executors(),
            search: body.search_text(&who.shown),
            current_version: current,
            imported_version: imported,
            withdrawn_at: None,
            retired_at: None,
            created_at: at,
            updated_at: at,
            origin: who.origin,
            written_from: who.written_from,
        }
    }

    pub fn withdrawn(self, at: Option<DateTime<Utc>>) -> Self {
        Self { withdrawn_at: at, ..self }
    }

    pub fn retired(self, at: Option<DateTime<Utc>>) -> Self {
        Self { retired_at: at, ..self }
    }
}

/// Stores procedures with their versions.
pub(super) fn put(tx: &mut WriteTx<'_>, rows: &[ProcedureRow], versions: &[VersionRow]) -> Result<()> {
    for chunk in rows.chunks(CHUNK) {
        diesel::insert_into(library_procedures::table)
            .values(chunk)
            .on_conflict(library_procedures::id)
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
                library_procedures::withdrawn_at.eq(excluded(library_procedures::withdrawn_at)),
                library_procedures::origin.eq(excluded(library_procedures::origin)),
                library_procedures::written_from.eq(excluded(library_procedures::written_from)),
                // Whoever has it open finds that it was changed beneath them.
                library_procedures::edit_version.eq(library_procedures::edit_version + 1),
            ))
            .execute_anew(tx.conn)?;
    }
    for chunk in versions.chunks(CHUNK) {
        diesel::insert_into(library_procedure_versions::table).values(chunk).execute_anew(tx.conn)?;
    }
    Ok(())
}

/// What the last import of a procedure left where the procedure itself stays as it is.
pub(super) struct Noted {
    pub id: LibraryProcedureId,
    /// The version or note that counts as what that import brought.
    pub imported: Option<i32>,
    /// Set where the source says what it was written from.
    pub written_from: Option<Vec<u8>>,
}

/// Notes what was imported, and leaves the procedures as they are.
pub(super) fn note(tx: &mut WriteTx<'_>, noted: &[Noted]) -> Result<()> {
    if noted.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = noted.iter().map(|one| one.id.0).collect();
    let imported: Vec<Option<i32>> = noted.iter().map(|one| one.imported).collect();
    let written_from: Vec<Option<&[u8]>> = noted.iter().map(|one| one.written_from.as_deref()).collect();
    // sql_query: each its own values, in one statement.
    diesel::sql_query(
        "UPDATE library_procedures p SET imported_version = noted.imported,
            written_from = coalesce(noted.written_from, p.written_from)
         FROM unnest($1, $2, $3) noted (id, imported, written_from) WHERE p.id = noted.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Nullable<Integer>>, _>(imported)
    .bind::<Array<Nullable<Binary>>, _>(written_from)
    .execute(tx.conn)?;
    Ok(())
}
