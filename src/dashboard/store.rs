//! SQL of the dashboard.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ProcedureId, ReportId};
use crate::kernel::base::team::Team;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::{ProcedureStatus, Progress, WaitingOn, waiting_on};

/// Rows looked at for the queue; who has more waiting works from the engagements.
const LOOKED_AT: i64 = 500;

/// An engagement that is scheduled or under way.
#[derive(Debug, Clone, QueryableByName)]
pub struct Engagement {
    #[diesel(sql_type = SqlUuid)]
    pub id: EngagementId,
    #[diesel(sql_type = Text)]
    pub title: String,
    /// Name of the client.
    #[diesel(sql_type = Text)]
    pub client: String,
    #[diesel(sql_type = Text)]
    pub status: EngagementStatus,
    /// The first instant of the first day.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub starts_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Date>)]
    pub start_date: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    pub end_date: Option<NaiveDate>,
    /// Whether it was submitted.
    #[diesel(sql_type = Bool)]
    pub submitted: bool,
    #[diesel(sql_type = BigInt)]
    pub total: i64,
    /// Completed or Not Applicable ones.
    #[diesel(sql_type = BigInt)]
    pub done: i64,
}

impl Engagement {
    /// How much is done.
    pub fn progress(&self) -> Progress {
        Progress {
            done: u32::try_from(self.done).unwrap_or(u32::MAX),
            total: u32::try_from(self.total).unwrap_or(u32::MAX),
        }
    }
}

/// A report that waits on the person.
#[derive(Debug, Clone, QueryableByName)]
pub struct ToReview {
    #[diesel(sql_type = SqlUuid)]
    pub id: ReportId,
    #[diesel(sql_type = Text)]
    pub title: String,
    /// Name of the client.
    #[diesel(sql_type = Text)]
    pub client: String,
    #[diesel(sql_type = Text)]
    pub status: ReportStatus,
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}

/// Reports that wait on somebody: to be reviewed by them, where they were asked or nobody was; or approved,
/// where they publish. The one that waits longest first.
pub fn list_to_review(
    conn: &mut PgConnection,
    person: PersonId,
    review_at: &[ClientId],
    publish_at: &[ClientId],
    limit: i64,
) -> Result<Vec<ToReview>> {
    // sql_query: "asked, or nobody was" in one pass.
    Ok(diesel::sql_query(
        "SELECT r.id, r.title, c.name AS client, r.status, r.updated_at FROM reports r \
            JOIN clients c ON c.id = r.client_id
         JOIN engagements e ON e.id = r.engagement_id AND e.deleted_at IS NULL AND e.status <> 'canceled'
         WHERE r.deleted_at IS NULL AND (r.status = 'approved' AND r.client_id = ANY ($3)
            OR r.status IN ('ready_for_review', 'in_review') AND r.client_id = ANY ($2)
                AND (EXISTS (SELECT FROM report_reviewers v WHERE v.report_id = r.id AND v.person_id = $1)
                    OR NOT EXISTS (SELECT FROM report_reviewers v WHERE v.report_id = r.id)))
         ORDER BY r.updated_at, r.id LIMIT $4",
    )
    .bind::<SqlUuid, _>(person.0)
    .bind::<Array<SqlUuid>, _>(raw(review_at))
    .bind::<Array<SqlUuid>, _>(raw(publish_at))
    .bind::<BigInt, _>(limit)
    .load(conn)?)
}

/// Scheduled and running engagements at these clients, the next to end first.
pub fn list_engagements(
    conn: &mut PgConnection,
    clients: &[ClientId],
    limit: i64,
) -> Result<Vec<Engagement>> {
    // sql_query: the progress of each by a lateral count, in one statement.
    Ok(diesel::sql_query(
        "SELECT e.id, e.title, c.name AS client, e.status, e.starts_at, e.start_date, e.end_date, \
            e.submitted_at IS NOT NULL AS submitted, p.total, p.done
         FROM engagements e JOIN clients c ON c.id = e.client_id
         CROSS JOIN LATERAL (SELECT count(*) AS total, count(*) FILTER (WHERE status IN ('completed', \
         'not_applicable')) AS done
                             FROM procedures WHERE engagement_id = e.id) p
         WHERE e.client_id = ANY ($1) AND e.deleted_at IS NULL AND e.status IN ('scheduled', 'in_progress')
         ORDER BY e.end_date NULLS LAST, e.start_date NULLS LAST, lower(e.title), e.id LIMIT $2",
    )
    .bind::<Array<SqlUuid>, _>(raw(clients))
    .bind::<BigInt, _>(limit)
    .load(conn)?)
}

/// A procedure that waits on the person.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub id: ProcedureId,
    pub engagement: EngagementId,
    pub engagement_title: String,
    /// Name of the client.
    pub client: String,
    pub position: i32,
    pub name: String,
    pub status: ProcedureStatus,
    /// The side it waits on.
    pub side: Team,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: ProcedureId,
    #[diesel(sql_type = SqlUuid)]
    engagement: EngagementId,
    #[diesel(sql_type = Text)]
    engagement_title: String,
    #[diesel(sql_type = Text)]
    client: String,
    #[diesel(sql_type = Integer)]
    position: i32,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    status: ProcedureStatus,
    #[diesel(sql_type = Bool)]
    red_answered: bool,
    #[diesel(sql_type = Bool)]
    blue_answered: bool,
    #[diesel(sql_type = Nullable<Text>)]
    by_hand: Option<WaitingOn>,
    #[diesel(sql_type = Bool)]
    red: bool,
    #[diesel(sql_type = Bool)]
    blue: bool,
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
    // sql_query: whose turn it is as `waiting_on` has it, so that the limit counts what waits on the person;
    // for each team the procedure's own operators count, or where it names none the engagement's. Who is on
    // which side is found once for each engagement, and only where a procedure names its own once more for
    // it.
    let rows: Vec<Row> = diesel::sql_query(
        "WITH running AS MATERIALIZED (
            SELECT e.id, e.title, e.client_id, e.end_date, coalesce(bool_or(o.team = 'red'), false) AS red,
                coalesce(bool_or(o.team = 'red' AND o.person_id = $2), false) AS my_red, \
                coalesce(bool_or(o.team = 'blue'), false) AS blue,
                coalesce(bool_or(o.team = 'blue' AND o.person_id = $2), false) AS my_blue
            FROM engagements e LEFT JOIN engagement_operators o ON o.engagement_id = e.id
            WHERE e.client_id = ANY ($1) AND e.deleted_at IS NULL AND e.submitted_at IS NULL
                AND (e.status = 'in_progress' OR e.status = 'scheduled' AND e.starts_at <= $6)
            GROUP BY e.id
         ), own AS MATERIALIZED (
            SELECT o.procedure_id, bool_or(o.team = 'red') AS red, bool_or(o.team = 'red' \
            AND o.person_id = $2) AS my_red,
                bool_or(o.team = 'blue') AS blue, bool_or(o.team = 'blue' AND o.person_id = $2) AS my_blue
            FROM running r JOIN procedures p ON p.engagement_id = r.id \
            JOIN procedure_operators o ON o.procedure_id = p.id GROUP BY 1
         )
         SELECT q.*, c.name AS client FROM (SELECT t.*, coalesce(t.by_hand, CASE \
         WHEN t.status = 'not_applicable' THEN 'nobody'
                WHEN NOT t.red_answered THEN 'red' WHEN NOT t.blue_answered THEN 'blue' \
                ELSE 'nobody' END) AS turn FROM (
            SELECT p.id, p.engagement_id AS engagement, r.title AS engagement_title, r.client_id, \
            r.end_date, p.position, p.name, p.status,
                p.red_outcome IS NOT NULL AS red_answered, p.blue_outcome IS NOT NULL AS blue_answered, \
                p.waiting_on AS by_hand,
                CASE WHEN o.red THEN o.my_red WHEN r.red THEN r.my_red ELSE r.client_id = ANY ($3) END AS red,
                CASE WHEN o.blue THEN o.my_blue WHEN r.blue THEN r.my_blue \
                ELSE r.client_id = ANY ($4) END AS blue
            FROM running r JOIN procedures p ON p.engagement_id = r.id LEFT \
            JOIN own o ON o.procedure_id = p.id
            WHERE p.waiting_on IS NOT NULL OR p.status <> 'not_applicable' AND (p.red_outcome IS NULL \
            OR p.blue_outcome IS NULL)
         ) t) q JOIN clients c ON c.id = q.client_id
         WHERE q.turn = 'red' AND q.red OR q.turn = 'blue' AND q.blue \
         ORDER BY q.end_date NULLS LAST, q.engagement, q.position LIMIT $5",
    )
    .bind::<Array<SqlUuid>, _>(raw(me.clients))
    .bind::<SqlUuid, _>(me.person.0)
    .bind::<Array<SqlUuid>, _>(raw(me.red_at))
    .bind::<Array<SqlUuid>, _>(raw(me.blue_at))
    .bind::<BigInt, _>(LOOKED_AT)
    .bind::<Timestamptz, _>(me.now)
    .load(conn)?;
    Ok(rows.into_iter().filter_map(mine).collect())
}

fn mine(row: Row) -> Option<Waiting> {
    let side = match waiting_on(row.status, row.red_answered, row.blue_answered, row.by_hand) {
        WaitingOn::Red if row.red => Team::Red,
        WaitingOn::Blue if row.blue => Team::Blue,
        _ => return None,
    };
    Some(Waiting {
        id: row.id,
        engagement: row.engagement,
        engagement_title: row.engagement_title,
        client: row.client,
        position: row.position,
        name: row.name,
        status: row.status,
        side,
    })
}

fn raw(clients: &[ClientId]) -> Vec<Uuid> {
    clients.iter().map(|client| client.0).collect()
}
