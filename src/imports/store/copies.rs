//! SQL of copies: procedures that were copied out of a repository in which an import, or somebody, has
//! changed the original since.

use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};

use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::library_procedures;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::library::compare::{Compared, compare};
use crate::library::store::incoming::{
    Imported, NextVersion, list_bodies, set_copied_version, write_versions,
};
use crate::library::store::shelf::seen;

/// A copy whose original has another version now.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Behind {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    /// `HLF-12`
    #[diesel(sql_type = Text)]
    pub shown: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = SqlUuid)]
    pub origin: LibraryProcedureId,
    #[diesel(sql_type = Text)]
    pub origin_shown: String,
    #[diesel(sql_type = Integer)]
    pub origin_version: i32,
    /// The version of the original that it was copied from, or taken over last.
    #[diesel(sql_type = Integer)]
    pub copied_version: i32,
    /// Whether the reader may write it.
    #[diesel(sql_type = Bool)]
    pub may_write: bool,
}

/// `reader` and `edits` are places among the statement's values.
fn behind(reader: usize, edits: usize) -> String {
    let seen = seen(reader);
    format!(
        "SELECT c.id, r.prefix || '-' || c.number AS shown, c.name, c.current_version AS version,
            o.id AS origin, origin.prefix || '-' || o.number AS origin_shown,
            o.current_version AS origin_version, c.copied_version,
            ${edits}::boolean AND (${reader}::uuid IS NULL OR r.type = 'open' OR r.type <> 'curated'
                AND EXISTS (SELECT FROM repository_people e WHERE e.repository_id = r.id
                    AND e.person_id = ${reader}::uuid AND e.may_edit)) AS may_write
         FROM library_procedures c JOIN repositories r ON r.id = c.repository_id
         JOIN library_procedures o ON o.id = c.copied_from
         JOIN repositories origin ON origin.id = o.repository_id
         WHERE o.current_version > c.copied_version AND c.withdrawn_at IS NULL AND c.retired_at IS NULL
            AND c.repository_id = ANY ({seen}) AND o.repository_id = ANY ({seen})"
    )
}

/// Copies whose original has changed, at most `limit`.
pub fn list_behind(conn: &mut PgConnection, shelf: Shelf, limit: i64) -> Result<Vec<Behind>> {
    // sql_query: the table of procedures twice, and who may see and write which repository.
    let sql = format!("{} ORDER BY r.prefix, c.number LIMIT $3", behind(1, 2));
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(shelf.edits())
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}

/// A copy with the three versions that its taking over compares: what it was copied from, what it says, and
/// what its original says now.
///
/// # Errors
/// [`Error::NotFound`] where it is no copy that the reader knows of, or its original has not changed.
pub fn get_behind(
    conn: &mut PgConnection,
    shelf: Shelf,
    id: LibraryProcedureId,
) -> Result<(Behind, Compared)> {
    // sql_query: as for the list.
    let sql = format!("{} AND c.id = $3", behind(1, 2));
    let found: Behind = diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(shelf.edits())
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .optional()?
        .ok_or(Error::NotFound)?;
    let versions = [
        (found.origin.0, found.copied_version),
        (found.id.0, found.version),
        (found.origin.0, found.origin_version),
    ];
    let bodies = list_bodies(conn, &versions)?;
    let body = |at: usize| bodies.get(&versions[at]).ok_or(Error::NotFound);
    let compared = compare(body(0)?, body(1)?, body(2)?)?;
    Ok((found, compared))
}

/// Takes what changed in its original over into a copy; in a conflict theirs where `takes` says so. `seen` is
/// the version of the copy and that of its original that somebody looked at.
///
/// # Errors
/// [`Error::Conflict`] when either has changed since, [`Error::Forbidden`] for whoever may not write it.
pub(crate) fn take_over(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: LibraryProcedureId,
    seen: (i32, i32),
    takes: &dyn Fn(&str) -> bool,
) -> Result<Audited<()>> {
    // Locked before it is read, so that nobody's save comes between.
    library_procedures::table
        .find(id)
        .select(library_procedures::id)
        .for_update()
        .first::<LibraryProcedureId>(tx.conn)?;
    let (copy, compared) = get_behind(tx.conn, shelf, id)?;
    if !copy.may_write {
        return Err(Error::Forbidden(String::new()));
    }
    if (copy.version, copy.origin_version) != seen {
        return Err(Error::Conflict(
            "The procedure or its original has changed since you looked. Nothing was taken over. Look again."
                .into(),
        ));
    }
    let body = compared.merged(takes)?;
    let next = NextVersion { id, body, imported: Imported::Stays, withdrawn_at: None };
    write_versions(tx, &[next])?;
    set_copied_version(tx, id, copy.origin_version)?;
    let sentence =
        format!("Took version {} of {} over into {}", copy.origin_version, copy.origin_shown, copy.shown);
    tx.audited((), Event::new(Kind::OriginTakenOver, sentence).subject("library_procedure", id.0, copy.name))
}
