//! Outcomes that were put right in the report after the runbook was frozen, to stand beside the frozen ones.

use std::collections::HashMap;

use diesel::sql_types::{Bool, Text, Uuid as SqlUuid};

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;

/// What an outcome was put right to, by procedure and team.
pub type Corrections = HashMap<(ProcedureId, Team), String>;

#[derive(QueryableByName)]
struct CorrectionRow {
    #[diesel(sql_type = SqlUuid)]
    procedure_id: ProcedureId,
    #[diesel(sql_type = Text)]
    team: Team,
    #[diesel(sql_type = Text)]
    label: String,
}

/// The corrections of an engagement's report. Who is not `inside` reads only what is published.
pub fn list_corrections(
    conn: &mut PgConnection,
    engagement: EngagementId,
    inside: bool,
) -> Result<Corrections> {
    // sql_query: of each outcome the last correction counts.
    let rows: Vec<CorrectionRow> = diesel::sql_query(
        "SELECT DISTINCT ON (c.procedure_id, c.team) c.procedure_id, c.team,
            coalesce(c.after ->> 'label', 'Unanswered') AS label
         FROM outcome_corrections c JOIN reports r ON r.id = c.report_id
         WHERE r.engagement_id = $1 AND r.deleted_at IS NULL AND ($2 OR r.status = 'published')
         ORDER BY c.procedure_id, c.team, c.at DESC, c.id DESC",
    )
    .bind::<SqlUuid, _>(engagement)
    .bind::<Bool, _>(inside)
    .load(conn)?;
    Ok(rows.into_iter().map(|row| ((row.procedure_id, row.team), row.label)).collect())
}
