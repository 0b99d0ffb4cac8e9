//! Gathers a runbook as it stands, names and labels as text, in one statement a table.

use std::collections::HashMap;
use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use crate::clients::domain::{AssetKind, Criticality};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::{
    assets, attachments, clients, engagement_operators, engagements, log_entries, people, procedure_assets,
    procedure_operators, procedures, step_ticks,
};
use crate::library::domain::ProcedureBody;
use crate::procedures::domain::{ProcedureStatus, Severity};
use crate::reports::domain::{
    Asset, Attachment, FrozenOutcome, Log, Operator, Procedure, Runbook, Step, Tactic, Tick,
};
use crate::settings::store::list_outcomes;

#[derive(Queryable, Selectable)]
#[diesel(table_name = engagements, check_for_backend(diesel::pg::Pg))]
struct Details {
    title: String,
    test_plan_title: String,
    description: String,
    objective: String,
    scope: String,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
    time_zone: String,
    tags: Vec<String>,
    attack_version: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: ProcedureId,
    position: i32,
    name: String,
    body: serde_json::Value,
    technique_ids: Vec<String>,
    tactics: Vec<String>,
    status: ProcedureStatus,
    not_applicable_reason: String,
    severity: Option<Severity>,
    recommendation: String,
    attack_source: String,
    red_outcome: Option<String>,
    red_notes: String,
    executed_at: Option<DateTime<Utc>>,
    blue_outcome: Option<String>,
    blue_notes: String,
    detected_at: Option<DateTime<Utc>>,
    detected_by: String,
    alert_reference: String,
    responded_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = attachments, check_for_backend(diesel::pg::Pg))]
struct FileRow {
    procedure_id: Option<Uuid>,
    id: Uuid,
    team: Option<Team>,
    title: String,
    description: String,
    file_name: String,
    media_type: String,
    size: i64,
    sha256: Vec<u8>,
    in_finding: bool,
    uploaded_at: DateTime<Utc>,
}

/// What hangs on procedures, by their ids.
struct Parts {
    outcomes: HashMap<String, FrozenOutcome>,
    operators: HashMap<Uuid, Vec<Operator>>,
    ticks: HashMap<(Uuid, String), Tick>,
    assets: HashMap<Uuid, Vec<Asset>>,
    logs: HashMap<Uuid, Vec<Log>>,
    files: HashMap<Uuid, Vec<Attachment>>,
}

/// The runbook of an engagement without procedures: its details and operators.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] without the engagement.
pub fn collect_empty(
    conn: &mut PgConnection,
    id: EngagementId,
    submitted_by: &str,
    submitted_at: DateTime<Utc>,
) -> Result<Runbook> {
    let (details, client): (Details, String) = engagements::table
        .inner_join(clients::table)
        .filter(engagements::id.eq(id.0))
        .select((Details::as_select(), clients::name))
        .first(conn)?;
    let operators: Vec<Operator> = engagement_operators::table
        .inner_join(people::table)
        .filter(engagement_operators::engagement_id.eq(id.0))
        .order((engagement_operators::team.desc(), people::name))
        .select((people::name, engagement_operators::team))
        .load::<(String, Team)>(conn)?
        .into_iter()
        .map(|(name, team)| Operator { name, team })
        .collect();
    let tactics = crate::library::store::list_tactics(conn, &details.attack_version)?;
    Ok(Runbook {
        title: details.title,
        client,
        plan: details.test_plan_title,
        description: details.description,
        objective: details.objective,
        scope: details.scope,
        start_date: details.start_date,
        end_date: details.end_date,
        time_zone: details.time_zone,
        tags: details.tags,
        attack_version: details.attack_version,
        tactics: tactics.into_iter().map(|t| Tactic { key: t.short_name, name: t.name }).collect(),
        procedures: Vec::new(),
        operators,
        submitted_by: submitted_by.to_owned(),
        submitted_at,
    })
}

/// The runbook of an engagement. The caller holds its lock, or shows it to nobody.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] without the engagement.
pub fn collect(
    conn: &mut PgConnection,
    id: EngagementId,
    submitted_by: &str,
    submitted_at: DateTime<Utc>,
) -> Result<Runbook> {
    let mut book = collect_empty(conn, id, submitted_by, submitted_at)?;
    let rows: Vec<Row> = procedures::table
        .filter(procedures::engagement_id.eq(id.0))
        .order(procedures::position)
        .select(Row::as_select())
        .load(conn)?;
    let mut parts = parts(conn, id)?;
    book.procedures =
        rows.into_iter().map(|row| procedure(row, &book.operators, &mut parts)).collect::<Result<_>>()?;
    Ok(book)
}

fn procedure(row: Row, of_engagement: &[Operator], parts: &mut Parts) -> Result<Procedure> {
    let body: ProcedureBody = serde_json::from_value(row.body)?;
    let key = row.id.0;
    let own = parts.operators.remove(&key).unwrap_or_default();
    // For each side that the procedure names nobody of, the engagement's operators apply.
    let mut operators: Vec<Operator> = of_engagement
        .iter()
        .filter(|operator| own.iter().all(|named| named.team != operator.team))
        .cloned()
        .collect();
    operators.extend(own);
    let outcome = |given: Option<String>| given.and_then(|given| parts.outcomes.get(&given).cloned());
    Ok(Procedure {
        steps: body
            .steps
            .into_iter()
            .map(|step| Step {
                kind: step.kind,
                description: step.description,
                done: parts.ticks.remove(&(key, step.id)),
            })
            .collect(),
        red_outcome: outcome(row.red_outcome),
        blue_outcome: outcome(row.blue_outcome),
        assets: parts.assets.remove(&key).unwrap_or_default(),
        logs: parts.logs.remove(&key).unwrap_or_default(),
        attachments: parts.files.remove(&key).unwrap_or_default(),
        operators,
        id: row.id,
        position: row.position,
        name: row.name,
        description: body.description,
        technique_ids: row.technique_ids,
        tactics: row.tactics,
        status: row.status,
        not_applicable_reason: row.not_applicable_reason,
        severity: row.severity,
        recommendation: row.recommendation,
        attack_source: row.attack_source,
        red_notes: row.red_notes,
        executed_at: row.executed_at,
        blue_notes: row.blue_notes,
        detected_at: row.detected_at,
        detected_by: row.detected_by,
        alert_reference: row.alert_reference,
        responded_at: row.responded_at,
    })
}

fn parts(conn: &mut PgConnection, id: EngagementId) -> Result<Parts> {
    let outcomes: HashMap<String, FrozenOutcome> =
        list_outcomes(conn)?.into_iter().map(|outcome| (outcome.key.clone(), outcome.into())).collect();
    let mut operators: HashMap<Uuid, Vec<Operator>> = HashMap::new();
    let own: Vec<(Uuid, String, Team)> = procedure_operators::table
        .inner_join(people::table)
        .inner_join(procedures::table)
        .filter(procedures::engagement_id.eq(id.0))
        .order(people::name)
        .select((procedure_operators::procedure_id, people::name, procedure_operators::team))
        .load(conn)?;
    for (procedure, name, team) in own {
        operators.entry(procedure).or_default().push(Operator { name, team });
    }
    let ticks: Vec<(Uuid, String, String, DateTime<Utc>)> = step_ticks::table
        .inner_join(people::table)
        .inner_join(procedures::table)
        .filter(procedures::engagement_id.eq(id.0))
        .select((step_ticks::procedure_id, step_ticks::step_id, people::name, step_ticks::at))
        .load(conn)?;
    let ticks =
        ticks.into_iter().map(|(procedure, step, by, at)| ((procedure, step), Tick { by, at })).collect();
    Ok(Parts {
        assets: of_assets(conn, id, &outcomes)?,
        outcomes,
        operators,
        ticks,
        logs: logs(conn, id)?,
        files: files(conn, id)?,
    })
}

fn of_assets(
    conn: &mut PgConnection,
    id: EngagementId,
    outcomes: &HashMap<String, FrozenOutcome>,
) -> Result<HashMap<Uuid, Vec<Asset>>> {
    #[derive(Queryable, Selectable)]
    #[diesel(table_name = assets, check_for_backend(diesel::pg::Pg))]
    struct AssetRow {
        id: Uuid,
        name: String,
        kind: AssetKind,
        criticality: Criticality,
        address: String,
    }
    type Row = (Uuid, AssetRow, Option<String>, Option<String>, bool);
    let rows: Vec<Row> = procedure_assets::table
        .inner_join(assets::table.on(assets::id.eq(procedure_assets::asset_id)))
        .inner_join(procedures::table.on(procedures::id.eq(procedure_assets::procedure_id)))
        .filter(procedures::engagement_id.eq(id.0))
        .order(assets::name)
        .select((
            procedure_assets::procedure_id,
            AssetRow::as_select(),
            procedure_assets::red_outcome,
            procedure_assets::blue_outcome,
            procedure_assets::in_finding,
        ))
        .load(conn)?;
    let mut by_procedure: HashMap<Uuid, Vec<Asset>> = HashMap::new();
    let outcome = |given: Option<String>| given.and_then(|given| outcomes.get(&given).cloned());
    for (procedure, asset, red, blue, in_finding) in rows {
        by_procedure.entry(procedure).or_default().push(Asset {
            id: asset.id,
            name: asset.name,
            kind: asset.kind.label().to_owned(),
            criticality: asset.criticality.label().to_owned(),
            address: asset.address,
            red_outcome: outcome(red),
            blue_outcome: outcome(blue),
            in_finding,
        });
    }
    Ok(by_procedure)
}

fn logs(conn: &mut PgConnection, id: EngagementId) -> Result<HashMap<Uuid, Vec<Log>>> {
    type LogRow = (Uuid, Team, String, DateTime<Utc>, Option<DateTime<Utc>>, String);
    let rows: Vec<LogRow> = log_entries::table
        .inner_join(people::table)
        .filter(log_entries::engagement_id.eq(id.0).and(log_entries::removed_at.is_null()))
        .order((log_entries::starts_at, log_entries::id))
        .select((
            log_entries::procedure_id,
            log_entries::team,
            people::name,
            log_entries::starts_at,
            log_entries::ends_at,
            log_entries::text,
        ))
        .load(conn)?;
    let mut by_procedure: HashMap<Uuid, Vec<Log>> = HashMap::new();
    for (procedure, team, author, starts_at, ends_at, text) in rows {
        by_procedure.entry(procedure).or_default().push(Log { team, author, starts_at, ends_at, text });
    }
    Ok(by_procedure)
}

fn files(conn: &mut PgConnection, id: EngagementId) -> Result<HashMap<Uuid, Vec<Attachment>>> {
    let rows: Vec<(FileRow, String)> = attachments::table
        .inner_join(people::table)
        .filter(attachments::engagement_id.eq(id.0).and(attachments::removed_at.is_null()))
        .order((attachments::uploaded_at, attachments::id))
        .select((FileRow::as_select(), people::name))
        .load(conn)?;
    let mut by_procedure: HashMap<Uuid, Vec<Attachment>> = HashMap::new();
    for (file, uploaded_by) in rows {
        let Some(procedure) = file.procedure_id else { continue };
        by_procedure.entry(procedure).or_default().push(Attachment {
            id: file.id,
            team: file.team,
            title: file.title,
            description: file.description,
            file_name: file.file_name,
            media_type: file.media_type,
            size: file.size,
            sha256: file.sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
            in_finding: file.in_finding,
            uploaded_by,
            uploaded_at: file.uploaded_at,
        });
    }
    Ok(by_procedure)
}
