//! Gathers a runbook as it stands, names and labels as text, in one statement a table.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::sql_types::Jsonb;
use uuid::Uuid;

use crate::clients::domain::{AssetKind, Criticality};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{
    assets, attachments, clients, engagements, log_entries, people, procedure_assets, procedures, step_ticks,
};
use crate::library::domain::{ProcedureBody, Step as LibraryStep};
use crate::library::placeholders::exact_text;
use crate::library::store::terms::list_own_tactics_among;
use crate::procedures::inputs::{Inputs, Values};
use crate::procedures::store::page::list_inputs;
use crate::procedures::store::runbook::{self, Assignments, ProcedureRow, list_operators, procedures_of};
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
    time_zone: Zone,
    tags: Vec<String>,
    attack_version: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
struct Row {
    #[diesel(embed)]
    line: ProcedureRow,
    body: serde_json::Value,
    not_applicable_reason: String,
    recommendation: String,
    attack_source: String,
    red_notes: String,
    executed_at: Option<DateTime<Utc>>,
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
    ticks: HashMap<(Uuid, String), Tick>,
    assets: HashMap<Uuid, Vec<Asset>>,
    logs: HashMap<Uuid, Vec<Log>>,
    files: HashMap<Uuid, Vec<Attachment>>,
    /// Values of placeholders: the engagement's, and those of procedures.
    inputs: (Values, HashMap<Uuid, Values>),
}

/// The runbook of an engagement of one of these clients without procedures: its details and operators.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] without the engagement.
pub fn collect_empty(conn: &mut PgConnection, id: EngagementId, visible: &Visible) -> Result<Runbook> {
    let operators = list_operators(conn, id, None, visible)?;
    details(conn, id, visible, &operators)
}

fn details(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
    operators: &[runbook::Operator],
) -> Result<Runbook> {
    let (details, client, tactics): (Details, String, serde_json::Value) = engagements::table
        .inner_join(clients::table)
        .filter(engagements::id.eq(id).and(engagements::client_id.eq_any(visible.ids())))
        .select((
            Details::as_select(),
            clients::name,
            // The tactics of its release in the order of the matrix, in the same statement.
            sql::<Jsonb>(
                "coalesce((SELECT jsonb_agg(jsonb_build_object('key', t.short_name, 'name', t.name)
                    ORDER BY t.position) FROM tactics t WHERE t.version = engagements.attack_version), '[]')",
            ),
        ))
        .first(conn)?;
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
        tactics: serde_json::from_value(tactics)?,
        procedures: Vec::new(),
        operators: operators.iter().filter(|operator| !operator.is_own()).map(Operator::from).collect(),
        submitted_by: String::new(),
        submitted_at: DateTime::UNIX_EPOCH,
    })
}

/// The runbook of an engagement. The caller holds its lock, or shows it to nobody.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] without the engagement.
pub fn collect(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
    (submitted_by, submitted_at): (&str, DateTime<Utc>),
) -> Result<Runbook> {
    let operators = list_operators(conn, id, None, visible)?;
    let mut book = details(conn, id, visible, &operators)?;
    let rows: Vec<Row> = procedures_of(id, visible).select(Row::as_select()).load(conn)?;
    let mut parts = parts(conn, id)?;
    book.procedures =
        rows.into_iter().map(|row| procedure(row, &operators, &mut parts)).collect::<Result<_>>()?;
    let keys: BTreeSet<&String> = book.procedures.iter().flat_map(|procedure| &procedure.tactics).collect();
    let is_known = |key: &&&String| book.tactics.iter().any(|tactic| tactic.key == ***key);
    let others: Vec<String> = keys.iter().filter(|key| !is_known(key)).map(|key| (*key).clone()).collect();
    let own = list_own_tactics_among(conn, &others)?;
    book.tactics.extend(own.into_iter().map(|(key, name)| Tactic { key, name }));
    book.submitted_by = submitted_by.to_owned();
    book.submitted_at = submitted_at;
    Ok(book)
}

impl From<&runbook::Operator> for Operator {
    fn from(operator: &runbook::Operator) -> Self {
        Self { name: operator.name.clone(), team: operator.team }
    }
}

fn procedure(row: Row, operators: &Assignments, parts: &mut Parts) -> Result<Procedure> {
    let body: ProcedureBody = serde_json::from_value(row.body)?;
    let line = row.line;
    let key = line.id.0;
    let who_apply = Team::ALL.iter().flat_map(|team| operators.of(line.id, *team));
    let outcome = |given: Option<String>| given.and_then(|given| parts.outcomes.get(&given).cloned());
    let defaults: Values =
        body.inputs.into_iter().filter_map(|input| Some((input.name, input.default?))).collect();
    let (engagement, own) = (&parts.inputs.0, parts.inputs.1.get(&key));
    let none = Values::new();
    let inputs = Inputs { procedure: own.unwrap_or(&none), engagement, defaults: &defaults };
    // What is read in the report is what was read at work.
    let filled = |text: &str| exact_text(&inputs.fill(text));
    let description = filled(&body.description);
    let filled_too = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| filled(&text));
    let step = |step: LibraryStep, done: Option<Tick>| Step {
        kind: step.kind,
        description: filled(&step.description),
        done,
        command: filled_too(step.command),
        check: filled_too(step.check_command),
        success_criteria: filled_too(step.success_criteria),
    };
    let steps: Vec<Step> = body
        .steps
        .into_iter()
        .map(|one| {
            let done = parts.ticks.remove(&(key, one.id.clone()));
            step(one, done)
        })
        .collect();
    Ok(Procedure {
        steps,
        red_outcome: outcome(line.red_outcome),
        blue_outcome: outcome(line.blue_outcome),
        assets: parts.assets.remove(&key).unwrap_or_default(),
        logs: parts.logs.remove(&key).unwrap_or_default(),
        attachments: parts.files.remove(&key).unwrap_or_default(),
        operators: who_apply.map(Operator::from).collect(),
        id: line.id,
        position: line.position,
        name: line.name,
        description,
        technique_ids: line.technique_ids,
        tactics: line.tactics,
        status: line.status,
        not_applicable_reason: row.not_applicable_reason,
        severity: line.severity,
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
    let ticks: Vec<(Uuid, String, String, DateTime<Utc>)> = step_ticks::table
        .inner_join(people::table)
        .inner_join(procedures::table)
        .filter(procedures::engagement_id.eq(id))
        .select((step_ticks::procedure_id, step_ticks::step_id, people::name, step_ticks::at))
        .load(conn)?;
    let ticks =
        ticks.into_iter().map(|(procedure, step, by, at)| ((procedure, step), Tick { by, at })).collect();
    Ok(Parts {
        assets: of_assets(conn, id, &outcomes)?,
        outcomes,
        ticks,
        logs: logs(conn, id)?,
        files: files(conn, id)?,
        inputs: list_inputs(conn, id)?,
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
        .filter(procedures::engagement_id.eq(id))
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
        .filter(log_entries::engagement_id.eq(id).and(log_entries::removed_at.is_null()))
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
        .filter(attachments::engagement_id.eq(id).and(attachments::removed_at.is_null()))
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
