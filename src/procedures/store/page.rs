//! Reading the procedure page: one statement for each part, whatever its length.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use super::done::Ticked;
use super::fields::Fields;
use super::runbook::{ASSET_ANSWERS, AssetAnswers};
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, ProcedureId, ReportId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{
    clients, drafts, engagement_inputs, engagements, people, procedure_inputs, procedures, reports,
    step_ticks,
};
use crate::kernel::drafts::{Draft as DraftKey, DraftSubject, discard, keep as keep_draft};
use crate::library::domain::ProcedureBody;
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::ObservationWindow;
use crate::procedures::inputs::Values;

/// The engagement's part of the page.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = engagements, check_for_backend(diesel::pg::Pg))]
pub struct EngagementPart {
    pub id: EngagementId,
    pub client_id: ClientId,
    pub title: String,
    /// Status as stored; the hourly job may be late.
    pub status: EngagementStatus,
    pub time_zone: Zone,
    /// First instant of the start date.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the runbook was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// Its own rule of who writes which side.
    pub write_rule: Option<String>,
    /// Pinned release of ATT&CK.
    pub attack_version: String,
    pub observation_window: ObservationWindow,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
pub struct ProcedurePart {
    pub id: ProcedureId,
    pub position: i32,
    pub body: Value,
    pub name: String,
    pub technique_ids: Vec<String>,
    #[diesel(embed)]
    pub fields: Fields,
    #[diesel(embed)]
    pub ticked: Ticked,
    pub updated_at: DateTime<Utc>,
    pub version: i32,
}

/// Where a procedure stands among those of its engagement.
#[derive(Debug, Clone, Copy, Queryable)]
pub struct Neighbours {
    pub previous: Option<ProcedureId>,
    pub next: Option<ProcedureId>,
    /// Counted from one.
    pub nth: i64,
    pub of: i64,
}

/// The procedure with what surrounds it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub engagement: EngagementPart,
    pub client: String,
    pub procedure: ProcedurePart,
    pub body: ProcedureBody,
    pub updated_by: Option<String>,
    pub report: Option<ReportId>,
    /// Controls and rules that detected something at this client before.
    pub detectors: Vec<String>,
    pub neighbours: Neighbours,
    /// Keys of both teams' own answers on each asset.
    pub asset_answers: AssetAnswers,
}

/// The procedure with engagement and client.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or belongs to none of `visible`.
pub fn get(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: ProcedureId,
    visible: &Visible,
) -> Result<Shown> {
    type Row = (
        EngagementPart,
        String,
        ProcedurePart,
        Option<String>,
        Option<ReportId>,
        Vec<String>,
        Neighbours,
        Value,
    );
    let (engagement, client, procedure, updated_by, report, detectors, neighbours, answers) =
        procedures::table
        .inner_join(engagements::table.on(engagements::id.eq(procedures::engagement_id)))
        .inner_join(clients::table.on(clients::id.eq(engagements::client_id)))
        .left_join(people::table.on(people::id.nullable().eq(procedures::updated_by)))
        .left_join(reports::table.on(reports::engagement_id.eq(engagements::id)))
        .filter(
            procedures::id
                .eq(procedure)
                .and(engagements::id.eq(engagement))
                .and(engagements::deleted_at.is_null()),
        )
        .filter(engagements::client_id.eq_any(visible.ids()))
        .select((
            EngagementPart::as_select(),
            clients::name,
            ProcedurePart::as_select(),
            people::name.nullable(),
            reports::id.nullable(),
            sql::<Array<Text>>(
                "ARRAY(SELECT DISTINCT d.detected_by FROM procedures d \
                    WHERE d.client_id = engagements.client_id AND d.detected_by <> '' ORDER BY 1 LIMIT 30)",
            ),
            (
                sql::<Nullable<SqlUuid>>(
                    "(SELECT n.id FROM procedures n WHERE n.engagement_id = procedures.engagement_id
                        AND n.position < procedures.position ORDER BY n.position DESC LIMIT 1)",
                ),
                sql::<Nullable<SqlUuid>>(
                    "(SELECT n.id FROM procedures n WHERE n.engagement_id = procedures.engagement_id
                        AND n.position > procedures.position ORDER BY n.position LIMIT 1)",
                ),
                sql::<BigInt>(
                    "(SELECT count(*) FROM procedures n WHERE n.engagement_id = procedures.engagement_id
                        AND n.position <= procedures.position)",
                ),
                sql::<BigInt>(
                    "(SELECT count(*) FROM procedures n WHERE n.engagement_id = procedures.engagement_id)",
                ),
            ),
            sql::<Jsonb>(ASSET_ANSWERS),
        ))
        .first::<Row>(conn)?;
    let body = serde_json::from_value(procedure.body.clone())?;
    let asset_answers = serde_json::from_value(answers)?;
    Ok(Shown {
        engagement,
        client,
        procedure,
        body,
        updated_by,
        report,
        detectors,
        neighbours,
        asset_answers,
    })
}

/// The engagement's part alone.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or belongs to none of `visible`.
pub fn get_engagement(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
) -> Result<EngagementPart> {
    Ok(engagements::table
        .find(id)
        .filter(engagements::client_id.eq_any(visible.ids()).and(engagements::deleted_at.is_null()))
        .select(EngagementPart::as_select())
        .first(conn)?)
}

#[derive(Debug, Clone)]
pub struct Tick {
    /// The step's id in the body.
    pub step: String,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// The ticks of a procedure.
pub fn list_ticks(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Vec<Tick>> {
    let rows: Vec<(String, String, DateTime<Utc>)> = step_ticks::table
        .inner_join(people::table.on(people::id.eq(step_ticks::person_id)))
        .filter(step_ticks::procedure_id.eq(procedure))
        .select((step_ticks::step_id, people::name, step_ticks::at))
        .load(conn)?;
    Ok(rows.into_iter().map(|(step, by, at)| Tick { step, by, at }).collect())
}

/// Input values of the engagement and of the procedure.
#[derive(Debug, Clone, Default)]
pub struct InputValues {
    pub engagement: Values,
    /// The procedure's own, which win.
    pub procedure: Values,
}

/// Both sets of input values, in one statement.
pub fn get_inputs(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<InputValues> {
    let of_engagement = engagement_inputs::table
        .filter(engagement_inputs::engagement_id.eq(engagement))
        .select((sql::<Bool>("false"), engagement_inputs::name, engagement_inputs::value));
    let of_procedure = procedure_inputs::table.filter(procedure_inputs::procedure_id.eq(procedure)).select((
        sql::<Bool>("true"),
        procedure_inputs::name,
        procedure_inputs::value,
    ));
    let rows: Vec<(bool, String, String)> = of_engagement.union_all(of_procedure).load(conn)?;
    let mut values = InputValues::default();
    for (own, name, value) in rows {
        if own {
            values.procedure.insert(name, value)
        } else {
            values.engagement.insert(name, value)
        };
    }
    Ok(values)
}

/// The input values of an engagement, and those of its procedures by their ids, in one statement.
pub fn list_inputs(
    conn: &mut PgConnection,
    engagement: EngagementId,
) -> Result<(Values, HashMap<Uuid, Values>)> {
    let of_engagement = engagement_inputs::table
        .filter(engagement_inputs::engagement_id.eq(engagement))
        .select((sql::<Nullable<SqlUuid>>("NULL::uuid"), engagement_inputs::name, engagement_inputs::value));
    let of_procedures = procedure_inputs::table
        .inner_join(procedures::table)
        .filter(procedures::engagement_id.eq(engagement))
        .select((procedure_inputs::procedure_id.nullable(), procedure_inputs::name, procedure_inputs::value));
    let rows: Vec<(Option<Uuid>, String, String)> = of_engagement.union_all(of_procedures).load(conn)?;
    let (mut engagement, mut procedures) = (Values::new(), HashMap::<Uuid, Values>::new());
    for (procedure, name, value) in rows {
        match procedure {
            Some(procedure) => procedures.entry(procedure).or_default().insert(name, value),
            None => engagement.insert(name, value),
        };
    }
    Ok((engagement, procedures))
}

/// A technique of the procedure, as the pinned release names it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Technique {
    /// `T1003.001`
    #[diesel(sql_type = Text)]
    pub external_id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Its tactics' names, in matrix order.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
}

/// Names of the procedure's techniques and their tactics, of the engagement's release and of one's own.
pub fn list_techniques(conn: &mut PgConnection, version: &str, ids: &[String]) -> Result<Vec<Technique>> {
    // sql_query: the tactics' names in matrix order, gathered beside each technique.
    Ok(diesel::sql_query(
        "SELECT t.external_id, t.name, ARRAY(SELECT a.name FROM tactics a WHERE a.version = t.version \
            AND a.short_name = ANY (t.tactics)
                                             ORDER BY a.position) AS tactics
         FROM techniques t WHERE t.version = $1 AND t.external_id = ANY ($2)
         UNION ALL SELECT own.short_name, own.name,
            ARRAY(SELECT o.name FROM tactics_of(ARRAY[own.short_name]) o ORDER BY o.place, o.name)
         FROM terms own WHERE own.kind = 'technique' AND own.short_name = ANY ($2) ORDER BY 1",
    )
    .bind::<Text, _>(version)
    .bind::<Array<Text>, _>(ids)
    .load(conn)?)
}

/// What a person typed and has not saved.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Form field name → value, `base.` fields and `version` among them.
    pub fields: Values,
    /// The browser tab it came from.
    pub tab: String,
    /// When it was kept.
    pub at: DateTime<Utc>,
}

/// How many drafts of a person and procedure are looked at: one for each tab that was left.
const DRAFTS: i64 = 5;

/// The person's drafts of this procedure, the newest first.
pub fn list_drafts(conn: &mut PgConnection, person: PersonId, procedure: ProcedureId) -> Result<Vec<Draft>> {
    let rows: Vec<(Value, String, DateTime<Utc>)> = drafts::table
        .filter(
            drafts::person_id
                .eq(person)
                .and(drafts::subject_type.eq(DraftSubject::Procedure))
                .and(drafts::subject_id.eq(procedure)),
        )
        .order(drafts::updated_at.desc())
        .limit(DRAFTS)
        .select((drafts::fields, drafts::tab, drafts::updated_at))
        .load(conn)?;
    rows.into_iter()
        .map(|(fields, tab, at)| Ok(Draft { fields: serde_json::from_value(fields)?, tab, at }))
        .collect()
}

/// Keeps a tab's draft; says whether another tab goes on keeping one beside it.
pub fn save_draft(
    conn: &mut PgConnection,
    person: PersonId,
    procedure: ProcedureId,
    fields: &Values,
    tab: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let before = list_drafts(conn, person, procedure)?;
    let draft = DraftKey::of_thing(person, DraftSubject::Procedure, procedure.0, tab);
    keep_draft(conn, draft, &serde_json::to_value(fields)?, now)?;
    let own = before.iter().find(|draft| draft.tab == tab);
    Ok(own.is_some_and(|own| before.iter().any(|other| other.tab != tab && other.at > own.at)))
}

/// Forgets the draft of a tab.
pub fn delete_draft(
    conn: &mut PgConnection,
    person: PersonId,
    procedure: ProcedureId,
    tab: &str,
) -> Result<()> {
    discard(conn, DraftKey::of_thing(person, DraftSubject::Procedure, procedure.0, tab))
}

/// Whether the procedure is one of a client the person sees; for what needs nothing else of it.
///
/// # Errors
/// [`Error::NotFound`] otherwise.
pub fn check_visible(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: Option<ProcedureId>,
    visible: &Visible,
) -> Result<ClientId> {
    let client: ClientId = engagements::table
        .find(engagement)
        .filter(engagements::client_id.eq_any(visible.ids()).and(engagements::deleted_at.is_null()))
        .select(engagements::client_id)
        .first(conn)?;
    if let Some(procedure) = procedure {
        let found: Option<Uuid> = procedures::table
            .find(procedure)
            .filter(procedures::engagement_id.eq(engagement))
            .select(procedures::id)
            .first(conn)
            .optional()?;
        found.ok_or(Error::NotFound)?;
    }
    Ok(client)
}

/// One row of a field's history, for the fresh values of an open page.
#[derive(Debug, Clone, QueryableByName)]
pub struct FreshField {
    #[diesel(sql_type = Text)]
    pub field: String,
    /// Who wrote its present value.
    #[diesel(sql_type = Text)]
    pub by: String,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    pub at: DateTime<Utc>,
}

/// Who wrote each field's present value, and when.
pub fn list_authors(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Vec<FreshField>> {
    // sql_query: DISTINCT ON with its order, which diesel cannot type over a filtered key.
    Ok(diesel::sql_query(
        "SELECT DISTINCT ON (field) field, person_name AS by, at FROM field_history
         WHERE subject_type = 'procedure' AND subject_id = $1 ORDER BY field, version DESC",
    )
    .bind::<SqlUuid, _>(procedure)
    .load(conn)?)
}

/// Someone who can be made an operator.
#[derive(Debug, Clone, QueryableByName)]
pub struct Candidate {
    #[diesel(sql_type = SqlUuid)]
    pub id: PersonId,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Role at the client; none without access.
    #[diesel(sql_type = Nullable<Text>)]
    pub role: Option<String>,
}

/// Everybody who could work for a client: those with access to it, and whoever is an operator already.
pub fn list_candidates(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Vec<Candidate>> {
    // sql_query: the union of access and operators over four tables.
    Ok(diesel::sql_query(
        "SELECT p.id, p.name, r.name AS role FROM people p
         JOIN engagements e ON e.id = $1
         LEFT JOIN client_access a ON a.person_id = p.id AND a.client_id = e.client_id
         LEFT JOIN roles r ON r.id = a.role_id
         WHERE p.deleted_at IS NULL AND p.status <> 'disabled' AND (a.person_id IS NOT NULL
            OR EXISTS (SELECT FROM engagement_operators o WHERE o.engagement_id = $1 AND o.person_id = p.id)
            OR EXISTS (SELECT FROM procedure_operators o WHERE o.procedure_id = $2 AND o.person_id = p.id))
         ORDER BY p.name",
    )
    .bind::<SqlUuid, _>(engagement)
    .bind::<SqlUuid, _>(procedure)
    .load(conn)?)
}
