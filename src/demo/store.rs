//! SQL of the demo data: plain inserts, a batch for each table.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use super::content::{Asset, Client, Engagement};
use super::story::{AssetRow, AttachmentRow, HistoryRow, LogRow, Planned, TickRow};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{AssetId, ClientId, PersonId, ProcedureId, ReportId, TestPlanId};
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{
    assets, attachments, clients, engagement_activity, engagement_inputs, engagement_operators, engagements,
    field_history, findings, log_entries, procedure_assets, reports, step_ticks, test_plan_procedures,
    test_plans,
};
use crate::kernel::event::domain::{Actor, Event};
use crate::lifecycle::domain::ReportStatus;

pub fn insert_client(tx: &mut WriteTx<'_>, client: &Client, by: PersonId) -> Result<ClientId> {
    let id = ClientId::new();
    diesel::insert_into(clients::table)
        .values((
            clients::id.eq(id.0),
            clients::name.eq(&client.name),
            clients::description.eq(&client.description),
            clients::contacts.eq(&client.contacts),
            clients::tags.eq(&client.tags),
            clients::created_at.eq(tx.now()),
            clients::created_by.eq(by.0),
            clients::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)?;
    Ok(id)
}

/// Makes a client's assets.
pub fn insert_assets(tx: &mut WriteTx<'_>, client: ClientId, new: &[(AssetId, &Asset)]) -> Result<()> {
    let rows: Vec<_> = new
        .iter()
        .map(|(id, asset)| {
            (
                assets::id.eq(id.0),
                assets::client_id.eq(client.0),
                assets::name.eq(&asset.name),
                assets::kind.eq(&asset.kind),
                assets::criticality.eq(&asset.criticality),
                assets::address.eq(&asset.address),
                assets::description.eq(&asset.description),
                assets::created_at.eq(tx.now()),
                assets::updated_at.eq(tx.now()),
            )
        })
        .collect();
    diesel::insert_into(assets::table).values(rows).execute(tx.conn)?;
    Ok(())
}

/// A starter test plan: id, title and its procedures' keys in order.
pub fn get_plan(conn: &mut PgConnection, key: &str) -> Result<(TestPlanId, String, Vec<String>)> {
    use crate::kernel::db::schema::library_procedures;
    let (id, title): (TestPlanId, String) = test_plans::table
        .filter(test_plans::key.eq(key))
        .select((test_plans::id, test_plans::title))
        .first(conn)?;
    let keys = test_plan_procedures::table
        .inner_join(library_procedures::table)
        .filter(test_plan_procedures::test_plan_id.eq(id.0))
        .order(test_plan_procedures::position)
        .select(library_procedures::source_key)
        .load(conn)?;
    Ok((id, title, keys))
}

/// Makes an engagement with its operators, inputs and, unless it is only requested or was canceled, its empty
/// report.
pub fn insert_engagement(tx: &mut WriteTx<'_>, new: &Planned<'_>) -> Result<()> {
    let told = new.told;
    diesel::insert_into(engagements::table)
        .values((
            engagements::id.eq(new.id.0),
            engagements::client_id.eq(new.client.0),
            engagements::title.eq(&told.title),
            engagements::description.eq(&told.description),
            engagements::objective.eq(&told.objective),
            engagements::scope.eq(&told.scope),
            engagements::access_info.eq(&told.access_info),
            engagements::special_instructions.eq(&told.special_instructions),
            engagements::tags.eq(&told.tags),
            engagements::status.eq(new.status),
            engagements::start_date.eq(new.start_date),
            engagements::end_date.eq(new.end_date),
            engagements::time_zone.eq(&told.time_zone),
            engagements::starts_at.eq(new.starts_at),
            engagements::attack_version.eq(&new.attack_version),
            engagements::test_plan_id.eq(new.plan.as_ref().map(|plan| plan.0.0)),
            engagements::test_plan_title.eq(new.plan.as_ref().map_or("", |plan| plan.1.as_str())),
            engagements::cancel_reason.eq(&told.cancel_reason),
            engagements::created_at.eq(new.created_at),
            engagements::created_by.eq(new.lead.id.map(|id| id.0)),
            engagements::requested_by.eq(new.requested_by.map(|id| id.0)),
            engagements::requested_at.eq(new.requested_by.map(|_| new.created_at)),
        ))
        .execute(tx.conn)?;
    let operators: Vec<_> = new
        .operators
        .iter()
        .map(|(person, team)| {
            (
                engagement_operators::engagement_id.eq(new.id.0),
                engagement_operators::person_id.eq(person.0),
                engagement_operators::team.eq(*team),
            )
        })
        .collect();
    diesel::insert_into(engagement_operators::table).values(operators).execute(tx.conn)?;
    let inputs: Vec<_> = told
        .inputs
        .iter()
        .map(|(name, value)| {
            (
                engagement_inputs::engagement_id.eq(new.id.0),
                engagement_inputs::name.eq(name),
                engagement_inputs::value.eq(value),
            )
        })
        .collect();
    diesel::insert_into(engagement_inputs::table).values(inputs).execute(tx.conn)?;
    diesel::insert_into(engagement_activity::table)
        .values((
            engagement_activity::engagement_id.eq(new.id.0),
            engagement_activity::at.eq(new.created_at),
            engagement_activity::by_name.eq(&new.lead.name),
        ))
        .execute(tx.conn)?;
    if let Some(report) = new.report {
        diesel::insert_into(reports::table)
            .values((
                reports::id.eq(report.0),
                reports::engagement_id.eq(new.id.0),
                reports::client_id.eq(new.client.0),
                reports::title.eq(&told.title),
                reports::created_at.eq(new.created_at),
                reports::updated_at.eq(new.created_at),
            ))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// A procedure as it was copied.
#[derive(QueryableByName)]
pub struct Copied {
    /// Key of the starter procedure.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// Its id in the engagement.
    #[diesel(sql_type = SqlUuid)]
    pub id: ProcedureId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pub position: i32,
    #[diesel(sql_type = Text)]
    pub recommendation: String,
}

/// Copies starter procedures into an engagement, as the wizard does.
pub fn copy_procedures(tx: &mut WriteTx<'_>, new: &Planned<'_>) -> Result<Vec<Copied>> {
    let ids: Vec<Uuid> = new.keys.iter().map(|_| ProcedureId::new().0).collect();
    // sql_query: one INSERT … SELECT copies bodies that need not travel.
    diesel::sql_query(
        "INSERT INTO procedures (id, engagement_id, client_id, position, origin_id, origin_version, body, \
            name, technique_ids, tactics,
                                 recommendation, updated_at, updated_by)
         SELECT chosen.id, $1, $2, chosen.position, l.id, v.n, v.body, l.name, l.technique_ids,
                coalesce((SELECT array_agg(t.short_name ORDER BY t.position) FROM tactics t \
                WHERE t.version = $3 AND EXISTS (
                    SELECT FROM techniques k WHERE k.version = $3 AND k.external_id = ANY (l.technique_ids) \
                    AND t.short_name = ANY (k.tactics))), '{}'),
                coalesce(v.body ->> 'recommendation', ''), $6, $7
         FROM unnest($4::uuid[], $5::text[]) WITH ORDINALITY AS chosen (id, key, position)
         JOIN library_procedures l ON l.source_key = chosen.key
         JOIN repositories r ON r.id = l.repository_id AND r.key = 'starter'
         JOIN library_procedure_versions v ON v.procedure_id = l.id AND v.n = l.current_version
         RETURNING (SELECT source_key FROM library_procedures \
         WHERE id = origin_id) AS key, id, name, position, recommendation",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .bind::<SqlUuid, _>(new.client.0)
    .bind::<Text, _>(&new.attack_version)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Text>, _>(&new.keys)
    .bind::<Timestamptz, _>(new.created_at)
    .bind::<Nullable<SqlUuid>, _>(new.lead.id.map(|id| id.0))
    .load(tx.conn)
    .map_err(Into::into)
}

/// Writes what was done: an array of objects with the columns' names.
pub fn save_work(tx: &mut WriteTx<'_>, work: &Value) -> Result<()> {
    // sql_query: one UPDATE for all procedures of an engagement.
    diesel::sql_query(
        "UPDATE procedures p SET status = w.status, not_applicable_reason = w.not_applicable_reason, \
            severity = w.severity,
            recommendation = w.recommendation, attack_source = w.attack_source, red_outcome = \
            w.red_outcome, red_notes = w.red_notes,
            executed_at = w.executed_at, blue_outcome = w.blue_outcome, blue_notes = w.blue_notes, \
            detected_at = w.detected_at,
            detected_by = w.detected_by, alert_reference = w.alert_reference, responded_at = w.responded_at,
            updated_at = w.updated_at, updated_by = w.updated_by, version = w.version
         FROM jsonb_to_recordset($1) AS w (id uuid, status text, not_applicable_reason text, severity text, \
         recommendation text,
            attack_source text, red_outcome text, red_notes text, executed_at timestamptz, blue_outcome \
            text, blue_notes text,
            detected_at timestamptz, detected_by text, alert_reference text, responded_at timestamptz, \
            updated_at timestamptz,
            updated_by uuid, version integer)
         WHERE p.id = w.id",
    )
    .bind::<Jsonb, _>(work)
    .execute(tx.conn)?;
    Ok(())
}

/// Writes the rows that hang on procedures, and the fields' history.
pub fn insert_rows(
    tx: &mut WriteTx<'_>,
    ticks: &[TickRow],
    of_assets: &[AssetRow],
    logs: &[LogRow<'_>],
    files: &[AttachmentRow<'_>],
    history: &[HistoryRow<'_>],
) -> Result<()> {
    diesel::insert_into(step_ticks::table).values(ticks).execute(tx.conn)?;
    diesel::insert_into(procedure_assets::table).values(of_assets).execute(tx.conn)?;
    diesel::insert_into(log_entries::table).values(logs).execute(tx.conn)?;
    diesel::insert_into(attachments::table).values(files).execute(tx.conn)?;
    diesel::insert_into(field_history::table).values(history).execute(tx.conn)?;
    Ok(())
}

/// Writes events under the names of those who did what they tell, in order.
pub fn insert_events(tx: &mut WriteTx<'_>, told: &[(Actor, Event)]) -> Result<()> {
    for run in told.chunk_by(|one, next| one.0.id == next.0.id) {
        let events: Vec<Event> = run.iter().map(|(_, event)| event.clone()).collect();
        crate::kernel::event::store::insert(tx.conn, &run[0].0, &events)?;
    }
    Ok(())
}

/// Writes the chapters of a report and leaves it where the story says.
pub fn write_report(
    tx: &mut WriteTx<'_>,
    report: ReportId,
    told: &Engagement,
    at: DateTime<Utc>,
) -> Result<()> {
    let chapter = |name: &str| told.narrative.get(name).map_or("", String::as_str);
    diesel::update(reports::table.find(report.0))
        .set((
            reports::executive_summary.eq(chapter("executive_summary")),
            reports::approach.eq(chapter("approach")),
            reports::observations.eq(chapter("observations")),
            reports::conclusion.eq(chapter("conclusion")),
            reports::updated_at.eq(at),
        ))
        .execute(tx.conn)?;
    let today = tx.now().date_naive();
    let found: Vec<Uuid> = findings::table
        .filter(findings::report_id.eq(report.0))
        .order(findings::position)
        .select(findings::id)
        .load(tx.conn)?;
    for (id, told) in found.into_iter().zip(&told.remediation) {
        diesel::update(findings::table.find(id))
            .set((
                findings::state.eq(&told.state),
                findings::owner.eq(&told.owner),
                findings::due_on.eq(told.due_offset_days.map(|days| today + chrono::TimeDelta::days(days))),
            ))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// Leaves a report in this status.
pub fn move_report(
    tx: &mut WriteTx<'_>,
    report: ReportId,
    to: ReportStatus,
    at: DateTime<Utc>,
) -> Result<()> {
    diesel::update(reports::table.find(report.0))
        .set((reports::status.eq(to), reports::updated_at.eq(at)))
        .execute(tx.conn)?;
    Ok(())
}
