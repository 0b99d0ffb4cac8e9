//! SQL of the dashboard.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, PersonId, ReportId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::event::domain::{Category, EventOutcome};
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::events;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::Progress;
use crate::procedures::store::runbook::{ProgressColumns, progress_sql};

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
    #[diesel(embed)]
    pub counted: ProgressColumns,
}

impl Engagement {
    /// How much is done.
    pub fn progress(&self) -> Progress {
        self.counted.into()
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
    review_at: &Visible,
    publish_at: &Visible,
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
    .bind::<SqlUuid, _>(person)
    .bind::<Array<SqlUuid>, _>(review_at.ids())
    .bind::<Array<SqlUuid>, _>(publish_at.ids())
    .bind::<BigInt, _>(limit)
    .load(conn)?)
}

/// Scheduled and running engagements at these clients, the next to end first.
pub fn list_engagements(conn: &mut PgConnection, clients: &Visible, limit: i64) -> Result<Vec<Engagement>> {
    // sql_query: the progress of each by a lateral count, in one statement.
    Ok(diesel::sql_query(format!(
        "SELECT e.id, e.title, c.name AS client, e.status, e.starts_at, e.start_date, e.end_date, \
            e.submitted_at IS NOT NULL AS submitted, p.total, p.done
         FROM engagements e JOIN clients c ON c.id = e.client_id
         CROSS JOIN LATERAL {} p
         WHERE e.client_id = ANY ($1) AND e.deleted_at IS NULL AND e.status IN ('scheduled', 'in_progress')
         ORDER BY e.end_date NULLS LAST, e.start_date NULLS LAST, lower(e.title), e.id LIMIT $2",
        progress_sql()
    ))
    .bind::<Array<SqlUuid>, _>(clients.ids())
    .bind::<BigInt, _>(limit)
    .load(conn)?)
}

/// How far the first hour has come, and the plan that it tries.
#[derive(Debug, Clone, QueryableByName)]
pub struct FirstHour {
    /// Whether somebody saved the organisation's name and zone.
    #[diesel(sql_type = Bool)]
    pub named: bool,
    #[diesel(sql_type = Bool)]
    pub has_client: bool,
    /// Whether there is more than one account.
    #[diesel(sql_type = Bool)]
    pub has_team: bool,
    #[diesel(sql_type = Bool)]
    pub has_engagement: bool,
    #[diesel(sql_type = Bool)]
    pub keys_kept: bool,
    /// Whether it was put away.
    #[diesel(sql_type = Bool)]
    pub over: bool,
    /// The starter library's first plan, where it is still there.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub plan: Option<TestPlanId>,
}

pub fn get_first_hour(conn: &mut PgConnection) -> Result<FirstHour> {
    // sql_query: a question of many tables in one statement.
    Ok(diesel::sql_query(
        "SELECT s.version > 1 OR s.organisation_name <> 'Tyrian' AS named,
            EXISTS (SELECT FROM clients) AS has_client,
            (SELECT count(*) FROM (SELECT FROM people WHERE deleted_at IS NULL LIMIT 2) p) > 1 AS has_team,
            EXISTS (SELECT FROM engagements) AS has_engagement,
            s.keys_kept_at IS NOT NULL AS keys_kept, s.first_hour_over_at IS NOT NULL AS over,
            (SELECT id FROM test_plans WHERE title = $1 LIMIT 1) AS plan
         FROM settings s",
    )
    .bind::<Text, _>(FIRST_PLAN)
    .get_result(conn)?)
}

/// Title of the starter library's plan for the first hour.
const FIRST_PLAN: &str = "First-hour detection check";

/// What whoever reads the whole log looks at first.
#[derive(Debug, Clone, QueryableByName)]
pub struct Watch {
    /// Failed sign-ins since then, counted up to [`COUNTED`].
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Refused attempts since then, counted up to [`COUNTED`].
    #[diesel(sql_type = BigInt)]
    pub refused: i64,
    /// New accounts since then.
    #[diesel(sql_type = BigInt)]
    pub new_users: i64,
    /// Changed passwords since then.
    #[diesel(sql_type = BigInt)]
    pub passwords: i64,
}

/// Counts go so far and then say "1,000+".
pub const COUNTED: i64 = 1_001;

pub fn get_watch(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Watch> {
    // sql_query: four counts in one statement, each of which ends at a limit.
    Ok(diesel::sql_query(
        "SELECT
            (SELECT count(*) FROM (SELECT FROM audit.events WHERE category = 'sign_in' AND at >= $1
                AND outcome = 'failure' LIMIT $2) e) AS failed,
            (SELECT count(*) FROM (SELECT FROM audit.events WHERE category = 'refused' AND at >= $1
                LIMIT $2) e) AS refused,
            (SELECT count(*) FROM people WHERE deleted_at IS NULL AND created_at >= $1) AS new_users,
            (SELECT count(*) FROM people WHERE deleted_at IS NULL AND password_changed_at >= $1) AS \
            passwords",
    )
    .bind::<Timestamptz, _>(since)
    .bind::<BigInt, _>(COUNTED)
    .get_result(conn)?)
}

/// The newest failed sign-ins since then.
pub fn list_failed(conn: &mut PgConnection, since: DateTime<Utc>, limit: i64) -> Result<Vec<Record>> {
    Ok(events::table
        .filter(events::category.eq(Category::SignIn.as_str()))
        .filter(events::outcome.eq(EventOutcome::Failure.as_str()))
        .filter(events::at.ge(since))
        .order((events::at.desc(), events::id.desc()))
        .limit(limit)
        .select(Record::as_select())
        .load(conn)?)
}
