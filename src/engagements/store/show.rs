//! The engagement's page: a fixed number of statements, whatever its length.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Deserialize;

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ReportId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{clients, engagement_activity, engagements, reports};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::domain::ObservationWindow;
use crate::procedures::inputs::{self, InputRow, ProcedureInputs, Values};

/// An engagement's own row.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = engagements, check_for_backend(diesel::pg::Pg))]
pub struct Own {
    pub id: EngagementId,
    pub client_id: ClientId,
    pub title: String,
    pub description: String,
    pub objective: String,
    pub scope: String,
    pub access_info: String,
    pub special_instructions: String,
    pub tags: Vec<String>,
    pub status: EngagementStatus,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    pub time_zone: Zone,
    pub observation_window: ObservationWindow,
    /// The first instant of the first day.
    pub starts_at: Option<DateTime<Utc>>,
    pub attack_version: String,
    /// The test plan's title when it was made, or nothing.
    pub test_plan_title: String,
    /// That plan, where it is known.
    pub test_plan_id: Option<TestPlanId>,
    /// The version of the plan that it was made from.
    pub test_plan_version: Option<i32>,
    /// The engagement it was made from.
    pub earlier_engagement_id: Option<EngagementId>,
    /// Who may write which side, where it overrides the organisation.
    pub write_rule: Option<String>,
    /// Why it was canceled.
    pub cancel_reason: Option<String>,
    /// When it was requested, where it began as a request.
    pub requested_at: Option<DateTime<Utc>>,
    /// When its runbook was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Own {
    pub fn zone(&self) -> Tz {
        self.time_zone.tz()
    }
}

/// The report that belongs to it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = reports, check_for_backend(diesel::pg::Pg))]
pub struct ReportRow {
    pub id: ReportId,
    pub status: ReportStatus,
    pub title: String,
    pub updated_at: DateTime<Utc>,
}

/// An engagement with what stands in its head.
#[derive(Debug, Clone)]
pub struct Head {
    pub own: Own,
    pub client_name: String,
    pub updated: DateTime<Utc>,
    pub updated_by: String,
    /// Its report; a request has none.
    pub report: Option<ReportRow>,
}

impl Head {
    /// As it stands at `now`, whether or not the hourly job has been there.
    pub fn as_of(mut self, now: DateTime<Utc>) -> Self {
        self.own.status = self.own.status.as_of(self.own.starts_at, now);
        self
    }
}

/// Finds an engagement of one of these clients.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] when it is not there, deleted, or another client's.
pub fn get_head(conn: &mut PgConnection, id: EngagementId, visible: &Visible) -> Result<Head> {
    let (own, client_name, updated, updated_by, report): (
        Own,
        String,
        Option<DateTime<Utc>>,
        Option<String>,
        Option<ReportRow>,
    ) = engagements::table
        .inner_join(clients::table)
        .left_join(engagement_activity::table)
        .left_join(
            reports::table.on(reports::engagement_id.eq(engagements::id).and(reports::deleted_at.is_null())),
        )
        .filter(
            engagements::id
                .eq(id)
                .and(engagements::deleted_at.is_null())
                .and(engagements::client_id.eq_any(visible.ids())),
        )
        .select((
            Own::as_select(),
            clients::name,
            engagement_activity::at.nullable(),
            engagement_activity::by_name.nullable(),
            Option::<ReportRow>::as_select(),
        ))
        .first(conn)?;
    let updated = updated.unwrap_or(DateTime::UNIX_EPOCH);
    // Nothing was submitted into the report of what was canceled, and nothing will be.
    let report = report.filter(|_| own.status != EngagementStatus::Canceled || own.submitted_at.is_some());
    Ok(Head { own, client_name, updated, updated_by: updated_by.unwrap_or_default(), report })
}

/// What the closed sections say, and what the person has open.
#[derive(Debug, Clone, Default, QueryableByName)]
pub struct Digests {
    /// Section → open, as the person left it.
    #[diesel(sql_type = Jsonb)]
    pub sections: serde_json::Value,
    #[diesel(sql_type = Jsonb)]
    pub inputs: serde_json::Value,
    /// Asset kind → how many of the assets in use.
    #[diesel(sql_type = Jsonb)]
    pub assets: serde_json::Value,
    #[diesel(sql_type = BigInt)]
    pub entries: i64,
    /// Start of the latest one.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_entry: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub last_author: Option<String>,
    /// Attachments of the red team.
    #[diesel(sql_type = BigInt)]
    pub red_files: i64,
    /// Attachments of the blue team.
    #[diesel(sql_type = BigInt)]
    pub blue_files: i64,
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    /// Their size in bytes.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// Audit events, up to 1,001.
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    /// The newest one's sentence.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_event: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_event_at: Option<DateTime<Utc>>,
    /// Whether events of this engagement were archived.
    #[diesel(sql_type = Bool)]
    pub archived: bool,
}

/// Counts and last lines of the sections, in one statement; events of its report count where somebody is
/// `inside`.
pub fn get_digests(
    conn: &mut PgConnection,
    id: EngagementId,
    person: PersonId,
    inside: bool,
) -> Result<Digests> {
    // sql_query: a dozen counts in one statement, since the page has a fixed number of them.
    Ok(diesel::sql_query(
        "SELECT
            coalesce((SELECT jsonb_object_agg(section, open) FROM person_sections WHERE engagement_id = $1 \
            AND person_id = $2), '{}') AS sections,
            coalesce((SELECT jsonb_object_agg(name, value) FROM engagement_inputs \
            WHERE engagement_id = $1), '{}') AS inputs,
            coalesce((SELECT jsonb_object_agg(kind, n) FROM (SELECT a.kind, count(DISTINCT a.id) AS n \
            FROM procedure_assets pa
                JOIN procedures p ON p.id = pa.procedure_id JOIN assets a ON a.id = pa.asset_id
                WHERE p.engagement_id = $1 GROUP BY a.kind) k), '{}') AS assets,
            (SELECT count(*) FROM log_entries WHERE engagement_id = $1 AND removed_at IS NULL) AS entries,
            l.starts_at AS last_entry, l.name AS last_author,
            f.red AS red_files, f.blue AS blue_files, f.files, f.bytes,
            (SELECT count(*) FROM (SELECT FROM audit.events WHERE engagement_id = $1 \
            AND at >= audit.floor() AND ($3 OR category <> 'reports') LIMIT 1001) e) AS events,
            v.sentence AS last_event, v.at AS last_event_at,
            (SELECT created_at < audit.floor() FROM engagements WHERE id = $1) AS archived
         FROM (SELECT count(*) FILTER (WHERE team = 'red') AS red, count(*) FILTER (WHERE team = 'blue') AS \
         blue, count(*) AS files,
                coalesce(sum(size), 0)::bigint AS bytes FROM attachments WHERE engagement_id = $1 \
                AND removed_at IS NULL) f
         LEFT JOIN (SELECT e.starts_at, p.name FROM log_entries e JOIN people p ON p.id = e.author_id
            WHERE e.engagement_id = $1 AND e.removed_at IS NULL ORDER BY e.starts_at DESC, e.id DESC \
            LIMIT 1) l ON true
         LEFT JOIN (SELECT sentence, at FROM audit.events WHERE engagement_id = $1 AND at >= audit.floor() \
         AND ($3 OR category <> 'reports')
            ORDER BY at DESC, id DESC LIMIT 1) v ON true",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(person)
    .bind::<Bool, _>(inside)
    .get_result(conn)?)
}

#[derive(QueryableByName)]
struct UsedRow {
    #[diesel(sql_type = Integer)]
    position: i32,
    /// As text, since it is read into its own type at once.
    #[diesel(sql_type = Text)]
    inputs: String,
    #[diesel(sql_type = Nullable<Text>)]
    own: Option<String>,
}

/// The placeholders of a procedure's commands, as the database keeps them beside its body.
#[derive(Deserialize, Default)]
struct Used {
    names: Vec<String>,
    defaults: Values,
}

fn values(json: &serde_json::Value) -> Values {
    serde_json::from_value(json.clone()).unwrap_or_default()
}

/// Every placeholder of an engagement's commands in one row.
pub fn list_inputs(
    conn: &mut PgConnection,
    id: EngagementId,
    engagement: &serde_json::Value,
) -> Result<Vec<InputRow>> {
    // sql_query: each procedure's own values gathered beside what it uses.
    let rows: Vec<UsedRow> = diesel::sql_query(
        "SELECT p.position, p.inputs::text AS inputs, own.own
         FROM procedures p
         LEFT JOIN (SELECT i.procedure_id, jsonb_object_agg(i.name, i.value)::text AS own
            FROM procedures q JOIN procedure_inputs i ON i.procedure_id = q.id
            WHERE q.engagement_id = $1 GROUP BY i.procedure_id) own ON own.procedure_id = p.id
         WHERE p.engagement_id = $1 AND p.inputs -> 'names' <> '[]' ORDER BY p.position",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)?;
    let prepared: Vec<(Values, Used)> = rows
        .iter()
        .map(|row| {
            let own = row.own.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
            Ok((own, serde_json::from_str(&row.inputs)?))
        })
        .collect::<Result<_>>()?;
    let procedures: Vec<ProcedureInputs<'_>> = rows
        .iter()
        .zip(&prepared)
        .map(|(row, (own, used))| ProcedureInputs {
            position: row.position,
            names: used.names.iter().map(String::as_str).collect(),
            values: own,
            defaults: &used.defaults,
        })
        .collect();
    Ok(inputs::rows(&values(engagement), &procedures))
}

/// Remembers whether the person has a section open, or all of them.
pub fn save_sections(
    conn: &mut PgConnection,
    id: EngagementId,
    person: PersonId,
    sections: &[&str],
    open: bool,
) -> Result<()> {
    use crate::kernel::db::schema::person_sections as s;
    let rows: Vec<_> = sections
        .iter()
        .map(|section| {
            (s::person_id.eq(person), s::engagement_id.eq(id), s::section.eq(*section), s::open.eq(open))
        })
        .collect();
    diesel::insert_into(s::table)
        .values(rows)
        .on_conflict((s::person_id, s::engagement_id, s::section))
        .do_update()
        .set(s::open.eq(open))
        .execute_anew(conn)?;
    Ok(())
}
