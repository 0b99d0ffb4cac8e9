//! Where a procedure of the library was used, and how it ended there.

use chrono::{DateTime, NaiveDate, Utc};

use super::rows::ProcedureRow;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{clients, engagements, procedures};

/// A copy of a library procedure in an engagement.
#[derive(Debug, Clone, Queryable)]
pub struct Use {
    pub engagement: EngagementId,
    pub title: String,
    pub client: String,
    pub start: Option<NaiveDate>,
    /// The version that was copied.
    pub version: Option<i32>,
    pub executed_at: Option<DateTime<Utc>>,
    pub row: ProcedureRow,
}

/// The uses of a library procedure at these clients, the newest engagement first.
pub fn list_uses(
    conn: &mut PgConnection,
    origin: LibraryProcedureId,
    visible: &Visible,
    limit: i64,
) -> Result<Vec<Use>> {
    Ok(procedures::table
        .inner_join(engagements::table.on(engagements::id.eq(procedures::engagement_id)))
        .inner_join(clients::table.on(clients::id.eq(engagements::client_id)))
        .filter(procedures::origin_id.eq(origin))
        .filter(procedures::client_id.eq_any(visible.ids()))
        .filter(engagements::deleted_at.is_null())
        .order((
            engagements::start_date.desc().nulls_last(),
            engagements::created_at.desc(),
            procedures::position,
        ))
        .limit(limit)
        .select((
            engagements::id,
            engagements::title,
            clients::name,
            engagements::start_date,
            procedures::origin_version,
            procedures::executed_at,
            ProcedureRow::as_select(),
        ))
        .load(conn)?)
}
