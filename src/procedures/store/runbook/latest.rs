//! What blue answered last, by technique: for heat maps.

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::procedures::store::done::look_again_sql;

/// The newest answers that mean the same, on one technique.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct LatestAnswers {
    /// As the procedures name it.
    #[diesel(sql_type = Text)]
    pub technique: String,
    #[diesel(sql_type = Bool)]
    pub prevented: bool,
    #[diesel(sql_type = Bool)]
    pub alerted: bool,
    #[diesel(sql_type = Bool)]
    pub logged: bool,
    /// How many procedures have it as their newest answer.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// The newest scored answer of each procedure at each of these clients, counted by technique and meaning.
/// What red did not attempt asked nothing of blue and is left out, and so is an answer that is provisional;
/// the same library procedure run again at the same client counts once, with its newest answer.
pub fn list_latest(conn: &mut PgConnection, visible: &Visible) -> Result<Vec<LatestAnswers>> {
    // sql_query: the newest of each by DISTINCT ON.
    Ok(diesel::sql_query(format!(
        "WITH newest AS (
            SELECT DISTINCT ON (p.client_id, coalesce(p.origin_id, p.id)) p.technique_ids, o.prevented,
                o.alerted, o.logged
            FROM procedures p JOIN engagements e ON e.id = p.engagement_id
            JOIN outcomes o ON o.key = p.blue_outcome LEFT JOIN outcomes r ON r.key = p.red_outcome
            WHERE p.client_id = ANY ($1) AND e.deleted_at IS NULL AND p.status <> 'not_applicable'
                AND o.score IS NOT NULL AND r.attempted IS DISTINCT FROM false AND {} IS NULL
            ORDER BY p.client_id, coalesce(p.origin_id, p.id), coalesce(p.executed_at, p.updated_at) DESC,
                p.id DESC)
         SELECT technique, prevented, alerted, logged, count(*) AS n
         FROM newest CROSS JOIN unnest(technique_ids) technique
         GROUP BY technique, prevented, alerted, logged ORDER BY technique",
        look_again_sql("p")
    ))
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .load(conn)?)
}
