//! Which versions of the library an engagement's procedures were copied from.

use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Uuid as SqlUuid};

use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::library::store::shelf::seen;

/// A procedure of an engagement with its origin.
#[derive(Debug, Clone, QueryableByName)]
pub struct Origin {
    #[diesel(sql_type = Integer)]
    pub position: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The library procedure that it was copied from; none where it came otherwise, or where the reader does
    /// not know of it, or where it was deleted since.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub origin: Option<LibraryProcedureId>,
    /// The version that was copied.
    #[diesel(sql_type = Nullable<Integer>)]
    pub version: Option<i32>,
    /// The newest version of the origin.
    #[diesel(sql_type = Nullable<Integer>)]
    pub newest: Option<i32>,
    /// Whether the origin was withdrawn.
    #[diesel(sql_type = Bool)]
    pub withdrawn: bool,
}

impl Origin {
    /// Whether the library goes on where this copy stands still.
    pub fn is_behind(&self) -> bool {
        matches!((self.version, self.newest), (Some(version), Some(newest)) if version < newest)
    }
}

/// The procedures of an engagement at one of these clients, in order, with their origins.
pub fn list_origin_rows(
    conn: &mut PgConnection,
    engagement: EngagementId,
    visible: &Visible,
    shelf: Shelf,
) -> Result<Vec<Origin>> {
    // sql_query: an origin counts where its row is still there and the reader knows of it.
    Ok(diesel::sql_query(format!(
        "SELECT p.position, p.name, l.id AS origin, p.origin_version AS version, l.current_version AS newest,
            l.withdrawn_at IS NOT NULL AS withdrawn
         FROM procedures p LEFT JOIN library_procedures l ON l.id = p.origin_id AND l.repository_id = ANY ({})
         WHERE p.engagement_id = $1 AND p.client_id = ANY ($2) ORDER BY p.position",
        seen(3)
    ))
    .bind::<SqlUuid, _>(engagement)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .bind::<Nullable<SqlUuid>, _>(shelf.reader())
    .load(conn)?)
}
