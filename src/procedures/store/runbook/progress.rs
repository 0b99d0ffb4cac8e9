//! How much of a runbook is done, counted by the database: for lists, which do not read the procedures.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::query::prelude::*;
use crate::procedures::domain::{ProcedureStatus, Progress};

/// A table expression of one row with `total` and `done` for the engagement `e`, to be joined laterally and
/// read as [`ProgressColumns`].
pub fn progress_sql() -> String {
    let done: Vec<String> = ProcedureStatus::ALL
        .iter()
        .filter(|status| status.is_done())
        .map(|status| format!("'{}'", status.as_str()))
        .collect();
    format!(
        "(SELECT count(*) AS total, count(*) FILTER (WHERE status IN ({})) AS done
            FROM procedures WHERE engagement_id = e.id)",
        done.join(", ")
    )
}

/// The columns of [`progress_sql`].
#[derive(Debug, Clone, Copy, Default, QueryableByName)]
pub struct ProgressColumns {
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    done: i64,
}

impl From<ProgressColumns> for Progress {
    fn from(columns: ProgressColumns) -> Self {
        let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        Self { done: count(columns.done), total: count(columns.total) }
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    id: EngagementId,
    #[diesel(embed)]
    progress: ProgressColumns,
}

/// The progress of each of these engagements.
pub fn list_progress(
    conn: &mut PgConnection,
    engagements: &[EngagementId],
    visible: &Visible,
) -> Result<HashMap<EngagementId, Progress>> {
    // sql_query: two counts in one pass, which the query builder has no FILTER for.
    let counted: Vec<Counted> = diesel::sql_query(format!(
        "SELECT e.id, p.total, p.done FROM engagements e CROSS JOIN LATERAL {} p
         WHERE e.id = ANY ($1) AND e.client_id = ANY ($2)",
        progress_sql()
    ))
    .bind::<Array<SqlUuid>, _>(engagements)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .load(conn)?;
    Ok(counted.into_iter().map(|counted| (counted.id, counted.progress.into())).collect())
}

/// The progress of one engagement.
pub fn get_progress(conn: &mut PgConnection, id: EngagementId, visible: &Visible) -> Result<Progress> {
    Ok(list_progress(conn, &[id], visible)?.remove(&id).unwrap_or_default())
}
