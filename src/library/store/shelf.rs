//! Who sees and writes which repository, and the numbers of their procedures: what every other file here
//! asks.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Nullable, Uuid as SqlUuid};

use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{library_procedures, repositories, repository_people};
use crate::library::domain::RepositoryType;

/// The one predicate of what a reader knows of: an array of the ids of their repositories, made once for a
/// statement. `reader` is the place of [`Shelf::reader`] among the statement's values, a `Nullable<Uuid>`.
pub fn seen(reader: usize) -> String {
    format!(
        "ARRAY(SELECT seen.id FROM repositories seen WHERE ${reader}::uuid IS NULL OR seen.type <> 'private' \
            OR EXISTS (SELECT FROM repository_people known WHERE known.repository_id = seen.id \
            AND known.person_id = ${reader}::uuid))"
    )
}

/// The same for the query builder: whether a row of `repositories` is one that the reader knows of.
pub fn is_seen<Source>(shelf: Shelf) -> Box<dyn BoxableExpression<Source, Pg, SqlType = Bool>> {
    let reader = shelf.reader();
    Box::new(
        sql::<Bool>("(repositories.type <> 'private' OR ")
            .bind::<Nullable<SqlUuid>, _>(reader)
            .sql("::uuid IS NULL OR EXISTS (SELECT FROM repository_people known ")
            .sql("WHERE known.repository_id = repositories.id AND known.person_id = ")
            .bind::<Nullable<SqlUuid>, _>(reader)
            .sql("))"),
    )
}

/// Numbers that a repository has given out and nobody has taken yet.
pub(crate) struct Numbers {
    prefix: String,
    next: i32,
}

impl Numbers {
    pub fn take(&mut self) -> i32 {
        self.next += 1;
        self.next - 1
    }

    /// Its id as people call it: `HLF-12`.
    pub fn id(&self, number: i32) -> String {
        format!("{}-{number}", self.prefix)
    }
}

/// Gives out the next `count` numbers of a repository. They are never given out again, and whoever asks next
/// waits for this transaction.
pub(crate) fn take_numbers(
    conn: &mut PgConnection,
    repository: RepositoryId,
    count: usize,
) -> Result<Numbers> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    if count == 0 {
        let (prefix, next) = repositories::table
            .find(repository)
            .select((repositories::prefix, repositories::next_number))
            .first(conn)?;
        return Ok(Numbers { prefix, next });
    }
    let (prefix, after): (String, i32) = diesel::update(repositories::table.find(repository))
        .set(repositories::next_number.eq(repositories::next_number + count))
        .returning((repositories::prefix, repositories::next_number))
        .get_result(conn)?;
    Ok(Numbers { prefix, next: after - count })
}

/// A repository that is locked to be written in, or to be changed itself.
#[derive(Debug, Clone, Queryable)]
pub struct Writable {
    pub id: RepositoryId,
    pub name: String,
    pub prefix: String,
    pub description: String,
    pub kind: RepositoryType,
    pub version: i32,
}

/// Whether the holder of a shelf may write in a repository of this type; `is_editor` where they are named as
/// an editor of it. The product itself writes in all but the curated ones, which [`super::curated`] fills.
pub fn may_write(shelf: Shelf, kind: RepositoryType, is_editor: bool) -> bool {
    match kind {
        RepositoryType::Open => shelf.edits(),
        RepositoryType::Managed | RepositoryType::Private => {
            shelf.edits() && (is_editor || shelf.reader().is_none())
        }
        RepositoryType::Curated => false,
    }
}

/// The sentence for who may read a repository and not write in it.
const READ_ONLY: &str =
    "This stands in a repository in which you may not write. Copy it into one of your own, and change it.";

/// Locks repositories that the person may write in.
///
/// # Errors
/// [`Error::NotFound`] where one is not there or not known to them, [`Error::Forbidden`] where they may read
/// and not write.
pub fn lock_writable(conn: &mut PgConnection, shelf: Shelf, ids: &[RepositoryId]) -> Result<Vec<Writable>> {
    let ids: BTreeSet<RepositoryId> = ids.iter().copied().collect();
    let rows: Vec<Writable> = repositories::table
        .filter(repositories::id.eq_any(&ids))
        .filter(is_seen(shelf))
        .order(repositories::id)
        .select((
            repositories::id,
            repositories::name,
            repositories::prefix,
            repositories::description,
            repositories::type_,
            repositories::version,
        ))
        .for_update()
        .load(conn)?;
    if rows.len() != ids.len() {
        return Err(Error::NotFound);
    }
    let edited: Vec<RepositoryId> = repository_people::table
        .filter(repository_people::repository_id.eq_any(&ids))
        .filter(repository_people::person_id.nullable().eq(shelf.reader()))
        .filter(repository_people::may_edit)
        .select(repository_people::repository_id)
        .load(conn)?;
    if rows.iter().all(|row| may_write(shelf, row.kind, edited.contains(&row.id))) {
        Ok(rows)
    } else {
        Err(Error::Forbidden(READ_ONLY.into()))
    }
}

/// As [`lock_writable`], for one.
///
/// # Errors
/// As [`lock_writable`].
pub fn lock_one(conn: &mut PgConnection, shelf: Shelf, id: RepositoryId) -> Result<Writable> {
    lock_writable(conn, shelf, &[id])?.pop().ok_or(Error::NotFound)
}

/// The repositories that the person may write in, by name, each with its prefix: two private ones may have
/// one name. Where something is made, copied or moved to.
pub fn list_writable(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<(RepositoryId, String)>> {
    let own = repository_people::repository_id
        .eq(repositories::id)
        .and(repository_people::person_id.nullable().eq(shelf.reader()));
    let rows: Vec<(RepositoryId, String, String, RepositoryType, Option<bool>)> = repositories::table
        .left_join(repository_people::table.on(own))
        .filter(is_seen(shelf))
        .filter(repositories::type_.ne(RepositoryType::Curated))
        .order((repositories::name, repositories::id))
        .select((
            repositories::id,
            repositories::name,
            repositories::prefix,
            repositories::type_,
            repository_people::may_edit.nullable(),
        ))
        .load(conn)?;
    let is_writable = |kind, part: Option<bool>| may_write(shelf, kind, part.unwrap_or(false));
    Ok(rows
        .into_iter()
        .filter(|(.., kind, part)| is_writable(*kind, *part))
        .map(|(id, name, prefix, ..)| (id, format!("{name} ({prefix})")))
        .collect())
}

/// Whether the person may write in the repository of a procedure; not where they do not know of it.
pub fn may_write_procedure(conn: &mut PgConnection, shelf: Shelf, id: LibraryProcedureId) -> Result<bool> {
    let own = repository_people::repository_id
        .eq(repositories::id)
        .and(repository_people::person_id.nullable().eq(shelf.reader()));
    let row: Option<(RepositoryType, Option<bool>)> = repositories::table
        .inner_join(library_procedures::table)
        .left_join(repository_people::table.on(own))
        .filter(library_procedures::id.eq(id))
        .filter(is_seen(shelf))
        .select((repositories::type_, repository_people::may_edit.nullable()))
        .first(conn)
        .optional()?;
    Ok(row.is_some_and(|(kind, part)| may_write(shelf, kind, part.unwrap_or(false))))
}
