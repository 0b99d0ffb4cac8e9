//! Who sees and writes which repository, and the numbers of their procedures: what every other file here
//! asks.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Nullable, Uuid as SqlUuid};

use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::RepositoryId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::repositories;

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

    /// `HLF-12`
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
