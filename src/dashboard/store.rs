//! SQL of the dashboard.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, PersonId, ReportId};
use crate::kernel::base::query::prelude::*;
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
