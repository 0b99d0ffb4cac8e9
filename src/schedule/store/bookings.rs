//! What the schedule's views show: engagements between two days or page by page, counts by status, parts of
//! people.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, TestPlanId};
use crate::kernel::base::keyset::Cursor;
use crate::kernel::base::query::prelude::*;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::schedule::availability::Part;

#[derive(Debug, Clone)]
pub struct Wanted {
    /// Clients whose engagements the person reads.
    pub at: Visible,
    pub client: Option<ClientId>,
    /// Those with this operator.
    pub operator: Option<PersonId>,
    /// Those from this test plan.
    pub plan: Option<TestPlanId>,
    /// Those in this status.
    pub status: Option<EngagementStatus>,
    /// Whether the person plans somewhere: then they learn when somebody is booked elsewhere, though not for
    /// what.
    pub plans: bool,
    /// Clients whose unpublished reports they read.
    pub reads_reports: Visible,
    /// The moment that statuses are judged at, whether or not the hourly job has been there.
    pub now: DateTime<Utc>,
}

/// An engagement as the views show it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Booking {
    #[diesel(sql_type = SqlUuid)]
    pub id: EngagementId,
    #[diesel(sql_type = Text)]
    pub title: String,
    /// Name of the client.
    #[diesel(sql_type = Text)]
    pub client: String,
    #[diesel(sql_type = Text)]
    pub status: EngagementStatus,
    #[diesel(sql_type = Nullable<Date>)]
    pub start_date: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    pub end_date: Option<NaiveDate>,
    /// Title of the test plan, or nothing.
    #[diesel(sql_type = Text)]
    pub plan: String,
    #[diesel(sql_type = SqlUuid)]
    pub client_id: ClientId,
    /// Status of its report, where the person may know it.
    #[diesel(sql_type = Nullable<Text>)]
    pub report: Option<ReportStatus>,
    /// A request whose start has passed.
    #[diesel(sql_type = Bool)]
    pub overdue: bool,
    /// Names of the operators.
    #[diesel(sql_type = Array<Text>)]
    pub operators: Vec<String>,
    /// What the list is sorted by: the start, or when it was made.
    #[diesel(sql_type = Timestamptz)]
    pub place: DateTime<Utc>,
}

/// The place of an engagement in the list, the latest start first.
pub type BookingCursor = Cursor<DateTime<Utc>, EngagementId>;

impl Booking {
    pub fn cursor(&self) -> BookingCursor {
        Cursor { key: self.place, id: self.id }
    }
}

/// The status that counts at `$1`.
const STATUS: &str =
    "CASE WHEN e.status = 'scheduled' AND e.starts_at <= $1 THEN 'in_progress' ELSE e.status END";

const FILTERED: &str = "e.deleted_at IS NULL AND e.client_id = ANY ($2) AND ($3::uuid IS NULL \
    OR e.client_id = $3)
    AND ($4::uuid IS NULL OR EXISTS (SELECT FROM engagement_operators o WHERE o.engagement_id = e.id \
    AND o.person_id = $4))
    AND ($5::uuid IS NULL OR e.test_plan_id = $5)";

/// Overlaps the days from `$7` to `$8`; what has no end lasts, while it is in progress, until `$9`, as
/// `calendar::taken` has it.
const OVERLAPS: &str = "coalesce(e.start_date, e.end_date) <= $8 AND coalesce(e.end_date,
    CASE WHEN (CASE WHEN e.status = 'scheduled' AND e.starts_at <= $1 THEN 'in_progress' \
    ELSE e.status END) = 'in_progress'
        THEN greatest(e.start_date, $9) ELSE e.start_date END) >= $7";

fn columns() -> String {
    format!(
        "SELECT e.id, e.title, e.client_id, c.name AS client, {STATUS} AS status, e.start_date, e.end_date, \
            e.test_plan_title AS plan,
            CASE WHEN e.status <> 'canceled' OR e.submitted_at IS NOT NULL THEN r.status END AS report,
            e.status = 'pending' AND coalesce(e.starts_at <= $1, false) AS overdue,
            ARRAY(SELECT p.name FROM people p WHERE p.id IN (SELECT o.person_id FROM engagement_operators o \
            WHERE o.engagement_id = e.id)
                ORDER BY p.name) AS operators,
            coalesce(e.starts_at, e.created_at) AS place
         FROM engagements e JOIN clients c ON c.id = e.client_id
         LEFT JOIN reports r ON r.engagement_id = e.id AND r.deleted_at IS NULL
         WHERE {FILTERED} AND ($6::text IS NULL OR {STATUS} = $6)"
    )
}

/// The first six binds, the same for every query of the views.
fn bound<'a>(sql: String, wanted: &Wanted) -> BoxedSqlQuery<'a, Pg, SqlQuery> {
    // sql_query: the status that counts is an expression, and the filters are the same in three shapes of
    // query.
    diesel::sql_query(sql)
        .into_boxed::<Pg>()
        .bind::<Timestamptz, _>(wanted.now)
        .bind::<Array<SqlUuid>, _>(wanted.at.ids().to_vec())
        .bind::<Nullable<SqlUuid>, _>(wanted.client)
        .bind::<Nullable<SqlUuid>, _>(wanted.operator)
        .bind::<Nullable<SqlUuid>, _>(wanted.plan)
        .bind::<Nullable<Text>, _>(wanted.status.map(|status| status.as_str().to_owned()))
}

#[derive(Debug, Clone, Copy)]
pub struct Days {
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// Today, until when an engagement in progress without an end lasts.
    pub today: NaiveDate,
}

/// Engagements that take up a day from `first` to `last`, the earlier first.
pub fn list_between(
    conn: &mut PgConnection,
    wanted: &Wanted,
    days: Days,
    limit: i64,
) -> Result<Vec<Booking>> {
    let sql = format!(
        "{} AND {OVERLAPS} ORDER BY coalesce(e.start_date, e.end_date), lower(e.title), e.id LIMIT $10",
        columns()
    );
    let rows = bound(sql, wanted)
        .bind::<Date, _>(days.first)
        .bind::<Date, _>(days.last)
        .bind::<Date, _>(days.today)
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(known(rows, wanted))
}

/// A page of the list, the latest start first, from behind `after` on.
pub fn list_page(
    conn: &mut PgConnection,
    wanted: &Wanted,
    after: Option<BookingCursor>,
    limit: i64,
) -> Result<Vec<Booking>> {
    let sql = format!(
        "{} AND ($7::timestamptz IS NULL OR (coalesce(e.starts_at, e.created_at), e.id) < ($7, $8))
         ORDER BY coalesce(e.starts_at, e.created_at) DESC, e.id DESC LIMIT $9",
        columns()
    );
    let rows = bound(sql, wanted)
        .bind::<Nullable<Timestamptz>, _>(after.map(|place| place.key))
        .bind::<Nullable<SqlUuid>, _>(after.map(|place| place.id))
        .bind::<BigInt, _>(limit)
        .load(conn)?;
    Ok(known(rows, wanted))
}

/// A report that is not published is nothing to who reads only published ones.
fn known(mut rows: Vec<Booking>, wanted: &Wanted) -> Vec<Booking> {
    for row in &mut rows {
        row.report = row.report.filter(|status| {
            *status == ReportStatus::Published || wanted.reads_reports.contains(&row.client_id)
        });
    }
    rows
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    status: EngagementStatus,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = BigInt)]
    undated: i64,
}

/// How many engagements there are of each status, whatever status is wanted; and how many of them all have no
/// date.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub by_status: Vec<(EngagementStatus, i64)>,
    /// Without any date: no calendar shows them.
    pub undated: i64,
}

/// Counts by status, of all time or of some days.
pub fn count_by_status(conn: &mut PgConnection, wanted: &Wanted, days: Option<Days>) -> Result<Counts> {
    let within = if days.is_some() { format!("({OVERLAPS})") } else { "true".to_owned() };
    let open = "(e.start_date IS NULL AND e.end_date IS NULL)";
    let sql = format!(
        "SELECT {STATUS} AS status, count(*) FILTER (WHERE {within}) AS n, count(*) FILTER (WHERE {open}) \
            AS undated
         FROM engagements e WHERE {FILTERED} AND $6::text IS NULL GROUP BY 1"
    );
    let query = bound(sql, &Wanted { status: None, ..wanted.clone() });
    let counted: Vec<Counted> = match days {
        Some(days) => query
            .bind::<Date, _>(days.first)
            .bind::<Date, _>(days.last)
            .bind::<Date, _>(days.today)
            .load(conn)?,
        None => query.load(conn)?,
    };
    Ok(Counts {
        by_status: counted.iter().map(|row| (row.status, row.n)).collect(),
        undated: counted.iter().map(|row| row.undated).sum(),
    })
}

/// What the filters offer.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    pub clients: Vec<(ClientId, String)>,
    /// Operators of engagements that can be seen, by name.
    pub operators: Vec<(PersonId, String)>,
    /// Test plans that engagements were made from, by title.
    pub plans: Vec<(TestPlanId, String)>,
}

#[derive(QueryableByName)]
struct Choice {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
}

/// What the filters offer to who sees these clients.
pub fn choices(conn: &mut PgConnection, at: &Visible) -> Result<Choices> {
    // sql_query: three short lists in one statement.
    let rows: Vec<Choice> = diesel::sql_query(
        "WITH own AS MATERIALIZED (SELECT id, test_plan_id FROM engagements WHERE deleted_at IS NULL \
            AND client_id = ANY ($1))
         SELECT 'client' AS kind, id, name FROM clients WHERE id = ANY ($1)
         UNION ALL SELECT 'operator', id, name FROM people
            WHERE id IN (SELECT o.person_id FROM engagement_operators o JOIN own ON own.id = o.engagement_id)
         UNION ALL SELECT 'plan', id, title FROM test_plans WHERE id IN (SELECT test_plan_id FROM own)
         ORDER BY 3, 2",
    )
    .bind::<Array<SqlUuid>, _>(at.ids())
    .load(conn)?;
    let mut choices = Choices::default();
    for row in rows {
        match row.kind.as_str() {
            "client" => choices.clients.push((ClientId(row.id), row.name)),
            "operator" => choices.operators.push((PersonId(row.id), row.name)),
            _ => choices.plans.push((TestPlanId(row.id), row.name)),
        }
    }
    Ok(choices)
}

#[derive(QueryableByName)]
struct PersonRow {
    #[diesel(sql_type = SqlUuid)]
    id: PersonId,
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct PartRow {
    #[diesel(sql_type = SqlUuid)]
    person: PersonId,
    #[diesel(sql_type = SqlUuid)]
    engagement: EngagementId,
    #[diesel(sql_type = Text)]
    title: String,
    #[diesel(sql_type = Text)]
    status: EngagementStatus,
    /// Whether it is of a client that the reader sees.
    #[diesel(sql_type = Bool)]
    own: bool,
    #[diesel(sql_type = Nullable<Date>)]
    start_date: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    end_date: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    from: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    to: Option<NaiveDate>,
}

pub type Named = Vec<(PersonId, String)>;

/// Who may be an operator at these clients, by name, and what each takes part in on some days: requests,
/// scheduled and running engagements; for planners also those of other clients, whose titles, plans and
/// statuses stay theirs.
pub fn list_parts(
    conn: &mut PgConnection,
    wanted: &Wanted,
    days: Days,
    limit: i64,
) -> Result<(Named, Vec<Part>)> {
    // sql_query: distinct people of several clients, in the order of their names.
    let people: Vec<PersonRow> = diesel::sql_query(
        "SELECT p.id, p.name FROM people p WHERE p.status <> 'disabled' AND p.deleted_at IS NULL \
            AND ($3::uuid IS NULL OR p.id = $3)
            AND EXISTS (SELECT FROM client_access a WHERE a.person_id = p.id AND a.client_id = ANY ($1) \
            AND ($2::uuid IS NULL OR a.client_id = $2))
         ORDER BY p.name, p.id LIMIT $4",
    )
    .bind::<Array<SqlUuid>, _>(wanted.at.ids())
    .bind::<Nullable<SqlUuid>, _>(wanted.client)
    .bind::<Nullable<SqlUuid>, _>(wanted.operator)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    let ids: Vec<Uuid> = people.iter().map(|person| person.id.0).collect();
    // sql_query: parts in both teams are one.
    let rows: Vec<PartRow> = diesel::sql_query(format!(
        "SELECT o.person_id AS person, e.id AS engagement, CASE WHEN e.client_id = ANY ($2) THEN e.title \
            ELSE 'Another client' END AS title,
            {STATUS} AS status, e.client_id = ANY ($2) AS own, e.start_date, e.end_date, \
            min(o.starts_on) AS \"from\", max(o.ends_on) AS \"to\"
         FROM engagement_operators o JOIN engagements e ON e.id = o.engagement_id
         WHERE o.person_id = ANY ($3) AND e.deleted_at IS NULL \
         AND e.status IN ('pending', 'scheduled', 'in_progress')
            AND (e.client_id = ANY ($2) AND ($4::uuid IS NULL OR e.test_plan_id = $4) AND ($5::text IS NULL \
            OR {STATUS} = $5)
                OR $7 AND NOT e.client_id = ANY ($2) AND $4 IS NULL AND $5 IS NULL)
            AND coalesce(e.start_date, e.end_date) <= $6
         GROUP BY o.person_id, e.id"
    ))
    .bind::<Timestamptz, _>(wanted.now)
    .bind::<Array<SqlUuid>, _>(wanted.at.ids())
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Nullable<SqlUuid>, _>(wanted.plan)
    .bind::<Nullable<Text>, _>(wanted.status.map(EngagementStatus::as_str))
    .bind::<Date, _>(days.last)
    .bind::<Bool, _>(wanted.plans)
    .load(conn)?;
    let part = |row: PartRow| {
        let taken = crate::schedule::calendar::taken(row.status, row.start_date, row.end_date, days.today)?;
        let (from, to) = crate::schedule::availability::within(taken, (row.from, row.to))?;
        (from <= days.last && to >= days.first).then_some(Part {
            person: row.person,
            engagement: row.engagement,
            title: row.title,
            status: row.own.then_some(row.status),
            from,
            to,
        })
    };
    Ok((
        people.into_iter().map(|person| (person.id, person.name)).collect(),
        rows.into_iter().filter_map(part).collect(),
    ))
}
