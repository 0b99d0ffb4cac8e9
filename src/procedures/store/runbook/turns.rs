//! Whose turn it is, asked over all runbooks for one person.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::procedures::domain::ProcedureStatus;
use crate::procedures::store::done::{look_again_sql, turn_sql};

/// Rows looked at for the queue; who has more waiting works from the engagements.
const LOOKED_AT: i64 = 500;

/// A procedure that waits on the person.
#[derive(Debug, Clone, QueryableByName)]
pub struct Waiting {
    #[diesel(sql_type = SqlUuid)]
    pub id: ProcedureId,
    #[diesel(sql_type = SqlUuid)]
    pub engagement: EngagementId,
    #[diesel(sql_type = Text)]
    pub engagement_title: String,
    /// Name of the client.
    #[diesel(sql_type = Text)]
    pub client: String,
    #[diesel(sql_type = Integer)]
    pub position: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub status: ProcedureStatus,
    /// The side it waits on, of those that are the person's.
    #[diesel(sql_type = Text)]
    pub side: Team,
    /// Since when blue is to look again, where its answer is provisional.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub look_again: Option<DateTime<Utc>>,
}

/// Whose turn it is, asked for one person.
pub struct Me<'a> {
    pub person: PersonId,
    /// Clients whose engagements they read.
    pub clients: &'a [ClientId],
    /// Clients at which they write red without being assigned.
    pub red_at: &'a [ClientId],
    /// Clients at which they write blue without being assigned.
    pub blue_at: &'a [ClientId],
    /// Now: what starts by it runs, whether or not the hourly job has been there.
    pub now: DateTime<Utc>,
}

/// Procedures of running engagements that wait on a side the person is assigned to; where nobody is assigned
/// to that side, on those who may write it.
pub fn list_waiting(conn: &mut PgConnection, me: &Me<'_>) -> Result<Vec<Waiting>> {
    // sql_query: whose turn it is in SQL, so that the limit counts what waits on the person; for each team
    // the procedure's own operators count, or where it names none the engagement's, as `Assignments::of` has
    // it. Who is on which side is found once for each engagement, and only where a procedure names its own
    // once more for it.
    Ok(diesel::sql_query(format!(
        "WITH running AS MATERIALIZED (
            SELECT e.id, e.title, e.client_id, e.end_date,
                coalesce(bool_or(o.team = 'red'), false) AS red,
                coalesce(bool_or(o.team = 'red' AND o.person_id = $2), false) AS my_red,
                coalesce(bool_or(o.team = 'blue'), false) AS blue,
                coalesce(bool_or(o.team = 'blue' AND o.person_id = $2), false) AS my_blue
            FROM engagements e LEFT JOIN engagement_operators o ON o.engagement_id = e.id
            WHERE e.client_id = ANY ($1) AND e.deleted_at IS NULL AND e.submitted_at IS NULL
                AND (e.status = 'in_progress' OR e.status = 'scheduled' AND e.starts_at <= $6)
            GROUP BY e.id
         ), own AS MATERIALIZED (
            SELECT o.procedure_id,
                bool_or(o.team = 'red') AS red, bool_or(o.team = 'red' AND o.person_id = $2) AS my_red,
                bool_or(o.team = 'blue') AS blue, bool_or(o.team = 'blue' AND o.person_id = $2) AS my_blue
            FROM running r JOIN procedures p ON p.engagement_id = r.id
            JOIN procedure_operators o ON o.procedure_id = p.id GROUP BY 1
         )
         SELECT q.id, q.engagement, q.engagement_title, q.position, q.name, q.status, q.look_again,
            c.name AS client,
            CASE WHEN q.side IN ('red', 'both') AND q.red THEN 'red' ELSE 'blue' END AS side
         FROM (
            SELECT p.id, p.engagement_id AS engagement, r.title AS engagement_title, r.client_id, r.end_date,
                p.position, p.name, p.status, {} AS side, {} AS look_again,
                CASE WHEN o.red THEN o.my_red WHEN r.red THEN r.my_red ELSE r.client_id = ANY ($3) END AS red,
                CASE WHEN o.blue THEN o.my_blue WHEN r.blue THEN r.my_blue
                    ELSE r.client_id = ANY ($4) END AS blue
            FROM running r JOIN procedures p ON p.engagement_id = r.id
            LEFT JOIN own o ON o.procedure_id = p.id
         ) q JOIN clients c ON c.id = q.client_id
         WHERE q.side IN ('red', 'both') AND q.red OR q.side IN ('blue', 'both') AND q.blue
         ORDER BY q.end_date NULLS LAST, q.engagement, q.position LIMIT $5",
        turn_sql("p", "$6"),
        look_again_sql("p")
    ))
    .bind::<Array<SqlUuid>, _>(me.clients)
    .bind::<SqlUuid, _>(me.person)
    .bind::<Array<SqlUuid>, _>(me.red_at)
    .bind::<Array<SqlUuid>, _>(me.blue_at)
    .bind::<BigInt, _>(LOOKED_AT)
    .bind::<Timestamptz, _>(me.now)
    .load(conn)?)
}
