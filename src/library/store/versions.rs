//! The rows of versions, which whoever writes, imports or seeds procedures inserts.

use chrono::{DateTime, Utc};

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::library_procedure_versions;
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
