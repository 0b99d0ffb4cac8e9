//! The rows of versions, which whoever writes, imports or seeds procedures inserts.
//!
//! Numbers below zero are no versions of the procedure: they hold what a source said and nobody took whole,
//! so that its next import is compared with it. No list shows them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::library_procedure_versions;
use crate::library::compare::NOTES;
use crate::library::domain::ProcedureBody;

#[derive(Insertable)]
#[diesel(table_name = library_procedure_versions)]
pub(super) struct VersionRow {
    procedure_id: LibraryProcedureId,
    n: i32,
    body: serde_json::Value,
    digest: Vec<u8>,
    created_at: DateTime<Utc>,
    created_by: Option<PersonId>,
}

impl VersionRow {
    /// The `n`th version of a procedure, with the digest that later imports compare.
    pub fn of(
        procedure_id: LibraryProcedureId,
        n: i32,
        body: &ProcedureBody,
        created_at: DateTime<Utc>,
        created_by: Option<PersonId>,
    ) -> Result<Self> {
        let digest = body.digest().to_vec();
        Ok(Self { procedure_id, n, body: serde_json::to_value(body)?, digest, created_at, created_by })
    }
}

/// The numbers under which sources are noted.
pub(super) struct Notes(HashMap<LibraryProcedureId, i32>);

impl Notes {
    /// For those of which something may have to be noted.
    pub fn of(conn: &mut PgConnection, procedures: &[LibraryProcedureId]) -> Result<Self> {
        if procedures.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let lowest: Vec<(LibraryProcedureId, Option<i32>)> = library_procedure_versions::table
            .filter(library_procedure_versions::procedure_id.eq_any(procedures))
            .filter(library_procedure_versions::n.lt(0))
            .group_by(library_procedure_versions::procedure_id)
            .select((
                library_procedure_versions::procedure_id,
                diesel::dsl::min(library_procedure_versions::n),
            ))
            .load(conn)?;
        Ok(Self(lowest.into_iter().map(|(id, n)| (id, n.unwrap_or_default())).collect()))
    }

    /// The next one of a procedure whose current version is this.
    pub fn next(&mut self, id: LibraryProcedureId, current: i32) -> i32 {
        let lowest = self.0.entry(id).or_default();
        *lowest = (*lowest - 1).min(-(current * NOTES) - 1);
        *lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::compare::age;

    #[test]
    fn notes_are_below_zero_each_newer_than_the_version_that_stood() {
        let (id, mut notes) = (LibraryProcedureId::new(), Notes(HashMap::new()));
        let numbers = [notes.next(id, 2), notes.next(id, 2), notes.next(id, 3)];
        assert_eq!(numbers, [-2001, -2002, -3001]);
        let mut all = [3, -3001, 4, -2002, 2, -2001];
        all.sort_by_key(|n| age(*n));
        assert_eq!(all, [2, -2001, -2002, 3, -3001, 4]);
    }
}
