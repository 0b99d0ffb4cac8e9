//! Making an engagement: one transaction that leaves its report, its operators, its inputs and its copied
//! procedures.

use std::collections::BTreeMap;

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use crate::engagements::domain::{DetailField, Details, status_on_create};
pub use crate::engagements::wizard::Chosen;
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{
    ClientId, EngagementId, LibraryProcedureId, PersonId, ProcedureId, ReportId, TestPlanId,
};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::{
    attack_versions, client_access, clients, engagement_inputs, engagement_operators, engagements, reports,
    test_plans,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{self, Subject, SubjectKind};
use crate::kernel::merge::record::Columns;
use crate::library::store::shelf::seen;
use crate::lifecycle::domain::EngagementStatus;
use crate::lifecycle::store::touch;
use crate::procedures::inputs::Values;

/// Everything an engagement is made from.
#[derive(Debug, Clone)]
pub struct NewEngagement {
    /// The id it gets. The wizard gives its own, so that a second Create finds the first one's engagement.
    pub id: EngagementId,
    /// Its client, for good.
    pub client: ClientId,
    pub details: Details,
    /// The test plan it starts from.
    pub plan: Option<TestPlanId>,
    /// The engagement it starts from, of the same client.
    pub earlier: Option<EngagementId>,
    /// Its operators, each red, blue or both.
    pub operators: Vec<(PersonId, Team)>,
    /// Values of its inputs.
    pub inputs: Values,
    /// Its procedures, in order.
    pub procedures: Vec<Chosen>,
}

#[derive(Debug, Clone)]
pub struct Created {
    pub id: EngagementId,
    pub report: ReportId,
    pub status: EngagementStatus,
    /// Its procedures, in order.
    pub procedures: Vec<ProcedureId>,
}

/// Makes an engagement with its Draft report at one of `clients`, those at which the person may plan.
///
/// # Errors
/// [`Error::NotFound`] for another client, [`Error::Invalid`] for an operator without access to the client or
/// a procedure that is not there, [`Error::Refused`] without an ATT&CK release, [`Error::Conflict`] when the
/// id is taken.
pub fn create(
    tx: &mut WriteTx<'_>,
    clients: &Visible,
    shelf: Shelf,
    new: &NewEngagement,
) -> Result<(Created, Audited<()>)> {
    if !clients.contains(&new.client) {
        return Err(Error::NotFound);
    }
    let client_name: String = clients::table.find(new.client).select(clients::name).first(tx.conn)?;
    check_operators(tx.conn, new.client, &new.operators)?;
    check_earlier(tx.conn, new.client, new.earlier)?;
    let attack_version = newest_release(tx.conn)?;
    let plan_title = find_plan_title(tx.conn, new.plan)?;
    let status = status_on_create(new.details.start_date, new.details.time_zone, tx.now());
    insert_engagement(tx, new, status, &attack_version, plan_title.as_deref())?;
    insert_operators(tx.conn, new.id, &new.operators)?;
    insert_inputs(tx.conn, new.id, &new.inputs)?;
    let report = insert_report(tx, new.id, new.client, &new.details.title)?;
    let target =
        Target { engagement: new.id, client: new.client, shelf, attack_version: &attack_version, after: 0 };
    let procedures = copy_procedures(tx, &target, &new.procedures)?;
    let made = Event::new(
        Kind::EngagementCreated,
        format!(
            "Created the engagement “{}” for {client_name}: {}, {}",
            new.details.title,
            status.label(),
            count(procedures.len())
        ),
    )
    .subject("engagement", new.id.0, &new.details.title)
    .engagement(new.client, new.id)
    .detail(json!({
        "status": status,
        "procedures": procedures.len(),
        "test_plan": plan_title,
        "earlier_engagement": new.earlier,
    }));
    let drafted =
        Event::new(Kind::ReportCreated, format!("Made the Draft report of “{}”", new.details.title))
            .subject("report", report.0, &new.details.title)
            .engagement(new.client, new.id);
    let audited = tx.audited_all((), &[made, drafted])?;
    Ok((Created { id: new.id, report, status, procedures }, audited))
}

/// The ATT&CK release that a new engagement is pinned to.
pub(super) fn newest_release(conn: &mut PgConnection) -> Result<String> {
    let version: Option<String> = attack_versions::table
        .order(attack_versions::rank.desc())
        .select(attack_versions::version)
        .first(conn)
        .optional()?;
    version.ok_or_else(|| {
        Error::Refused(
            "The library holds no ATT&CK release yet. Import one, then create the engagement.".into(),
        )
    })
}

/// The title of a test plan that is still there.
pub(super) fn find_plan_title(conn: &mut PgConnection, plan: Option<TestPlanId>) -> Result<Option<String>> {
    match plan {
        Some(plan) => Ok(test_plans::table
            .find(plan)
            .filter(test_plans::deleted_at.is_null())
            .select(test_plans::title)
            .first(conn)
            .optional()?),
        None => Ok(None),
    }
}

fn count(procedures: usize) -> String {
    match procedures {
        0 => "no procedures yet".to_owned(),
        1 => "1 procedure".to_owned(),
        n => format!("{n} procedures"),
    }
}

/// Operators are people with access to the client; what they may do there is their role's affair.
pub(crate) fn check_operators(
    conn: &mut PgConnection,
    client: ClientId,
    operators: &[(PersonId, Team)],
) -> Result<()> {
    let wanted: Vec<Uuid> = operators.iter().map(|(person, _)| person.0).collect();
    let allowed: Vec<Uuid> = client_access::table
        .filter(client_access::client_id.eq(client).and(client_access::person_id.eq_any(&wanted)))
        .select(client_access::person_id)
        .load(conn)?;
    if wanted.iter().all(|person| allowed.contains(person)) {
        return Ok(());
    }
    Err(Error::field(
        "operators",
        "One of the operators has no access to this client. Take them out, or give them access first.",
    ))
}

/// An engagement starts from one of its own client. One deleted since is as good as any, for its procedures
/// are chosen.
fn check_earlier(conn: &mut PgConnection, client: ClientId, earlier: Option<EngagementId>) -> Result<()> {
    let Some(earlier) = earlier else { return Ok(()) };
    let own =
        engagements::table.find(earlier).filter(engagements::client_id.eq(client)).select(engagements::id);
    match own.first::<Uuid>(conn).optional()? {
        Some(_) => Ok(()),
        None => Err(Error::field(
            "earlier",
            "The earlier engagement is not one of this client’s. Choose another in the first step.",
        )),
    }
}

/// Writes an engagement's row, with the first values of its details for the merge of later edits.
pub(super) fn insert_engagement(
    tx: &mut WriteTx<'_>,
    new: &NewEngagement,
    status: EngagementStatus,
    attack_version: &str,
    plan_title: Option<&str>,
) -> Result<()> {
    let details = &new.details;
    let plan_version: Option<i32> = match plan_title.and(new.plan) {
        Some(plan) => Some(test_plans::table.find(plan).select(test_plans::version).first(tx.conn)?),
        None => None,
    };
    diesel::insert_into(engagements::table)
        .values((
            engagements::id.eq(new.id),
            engagements::client_id.eq(new.client),
            engagements::title.eq(&details.title),
            engagements::description.eq(&details.description),
            engagements::objective.eq(&details.objective),
            engagements::scope.eq(&details.scope),
            engagements::access_info.eq(&details.access_info),
            engagements::special_instructions.eq(&details.special_instructions),
            engagements::tags.eq(&details.tags),
            engagements::status.eq(status),
            engagements::start_date.eq(details.start_date),
            engagements::end_date.eq(details.end_date),
            engagements::time_zone.eq(details.time_zone.name()),
            engagements::starts_at.eq(details.starts_at()),
            engagements::observation_window.eq(details.observation_window),
            engagements::attack_version.eq(attack_version),
            engagements::test_plan_id.eq(plan_title.and(new.plan)),
            engagements::test_plan_title.eq(plan_title.unwrap_or_default()),
            engagements::test_plan_version.eq(plan_version),
            engagements::earlier_engagement_id.eq(new.earlier),
            engagements::created_at.eq(tx.now()),
            engagements::created_by.eq(tx.actor().id),
        ))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("engagements_pkey") => Error::Conflict(
                "This engagement was created already. Find it in the list of engagements.".into(),
            ),
            _ => e.into(),
        })?;
    note_details(tx, new.id, &new.details)?;
    touch(tx.conn, new.id, tx.now(), &tx.actor().name)
}

/// The first values of the details, for the merge of later edits.
fn note_details(tx: &mut WriteTx<'_>, id: EngagementId, details: &Details) -> Result<()> {
    let values: Vec<(DetailField, String)> = DetailField::ALL
        .iter()
        .map(|field| (*field, details.get(*field)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let first: Vec<_> = values.iter().map(|(field, value)| (*field, 1, value.as_str())).collect();
    history::note(tx, Subject(SubjectKind::Engagement, id.0), &first)
}

pub(crate) fn insert_operators(
    conn: &mut PgConnection,
    id: EngagementId,
    operators: &[(PersonId, Team)],
) -> Result<()> {
    let rows: Vec<_> = operators
        .iter()
        .map(|(person, team)| {
            (
                engagement_operators::engagement_id.eq(id),
                engagement_operators::person_id.eq(person),
                engagement_operators::team.eq(*team),
            )
        })
        .collect();
    diesel::insert_into(engagement_operators::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute_anew(conn)?;
    Ok(())
}

fn insert_inputs(conn: &mut PgConnection, id: EngagementId, inputs: &BTreeMap<String, String>) -> Result<()> {
    let rows: Vec<_> = inputs
        .iter()
        .map(|(name, value)| {
            (
                engagement_inputs::engagement_id.eq(id),
                engagement_inputs::name.eq(name),
                engagement_inputs::value.eq(value),
            )
        })
        .collect();
    diesel::insert_into(engagement_inputs::table).values(rows).execute_anew(conn)?;
    Ok(())
}

/// Makes the empty Draft report.
pub(super) fn insert_report(
    tx: &mut WriteTx<'_>,
    engagement: EngagementId,
    client: ClientId,
    title: &str,
) -> Result<ReportId> {
    let report = ReportId::new();
    diesel::insert_into(reports::table)
        .values((
            reports::id.eq(report),
            reports::engagement_id.eq(engagement),
            reports::client_id.eq(client),
            reports::title.eq(title),
            reports::created_at.eq(tx.now()),
            reports::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)?;
    Ok(report)
}

/// Where procedures are copied to.
pub(crate) struct Target<'a> {
    pub engagement: EngagementId,
    pub client: ClientId,
    /// Whose choice it is: what they do not know of is not there.
    pub shelf: Shelf,
    /// The release that names the tactics.
    pub attack_version: &'a str,
    /// The last position taken.
    pub after: i32,
}

#[derive(QueryableByName)]
struct Copied {
    #[diesel(sql_type = BigInt)]
    copied: i64,
}

/// Copies procedures behind the last one, with their origin, the tactics of the engagement's release in
/// matrix order, then those of one's own, and the recommendation as the first value of its history.
pub(crate) fn copy_procedures(
    tx: &mut WriteTx<'_>,
    target: &Target<'_>,
    chosen: &[Chosen],
) -> Result<Vec<ProcedureId>> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<ProcedureId> = chosen.iter().map(|_| ProcedureId::new()).collect();
    let library: Vec<Option<LibraryProcedureId>> =
        chosen.iter().map(|c| if let Chosen::Library(id) = c { Some(*id) } else { None }).collect();
    let earlier: Vec<Option<ProcedureId>> =
        chosen.iter().map(|c| if let Chosen::Earlier(id) = c { Some(*id) } else { None }).collect();
    let positions: Vec<i32> = (target.after + 1..).take(chosen.len()).collect();
    // sql_query: the copy is one INSERT … SELECT, however many procedures, and their histories and inputs
    // ride along.
    let copied: Copied = diesel::sql_query(format!(
        "WITH chosen AS (
            SELECT c.id, c.library, c.earlier, c.place FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], \
            $4::int[]) AS c(id, library, earlier, place)
        ), source AS (
            SELECT c.id, c.place, p.id AS origin_id, v.n AS origin_version, v.body, p.name, p.technique_ids
            FROM chosen c JOIN library_procedures p ON p.id = c.library
            JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version
            WHERE p.repository_id = ANY ({})
            UNION ALL
            SELECT c.id, c.place, o.origin_id, o.origin_version, o.body, o.name, o.technique_ids
            FROM chosen c JOIN procedures o ON o.id = c.earlier AND o.client_id = $6
        ), copied AS (
            INSERT INTO procedures (id, engagement_id, client_id, position, origin_id, origin_version, \
            body, name, technique_ids,
                tactics, recommendation, updated_at, updated_by)
            SELECT s.id, $5, $6, s.place, s.origin_id, s.origin_version, s.body, s.name, s.technique_ids,
                ARRAY(SELECT t.short_name FROM tactics t WHERE t.version = $7 AND EXISTS (
                    SELECT FROM techniques q WHERE q.version = $7 AND q.external_id = ANY (s.technique_ids)
                        AND t.short_name = ANY (q.tactics)) ORDER BY t.position)
                || ARRAY(SELECT DISTINCT own.short_name FROM terms technique \
                    JOIN term_parents tp ON tp.term_id = technique.id JOIN terms own ON own.id = tp.parent_id
                    WHERE technique.kind = 'technique' AND technique.short_name = ANY (s.technique_ids)),
                coalesce(s.body ->> 'recommendation', ''), $8, $9
            FROM source s RETURNING id, recommendation
        ), noted AS (
            INSERT INTO field_history (subject_type, subject_id, field, version, value, person_id, \
            person_name, at)
            SELECT 'procedure', id, 'recommendation', 1, recommendation, $9, $10, $8 FROM copied \
            WHERE recommendation <> ''
        ), filled AS (
            INSERT INTO procedure_inputs (procedure_id, name, value)
            SELECT c.id, i.name, i.value FROM chosen c JOIN procedure_inputs i ON i.procedure_id = c.earlier
                JOIN source s ON s.id = c.id
        )
        SELECT count(*) AS copied FROM copied",
        seen(11)
    ))
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<Nullable<SqlUuid>>, _>(library)
    .bind::<Array<Nullable<SqlUuid>>, _>(earlier)
    .bind::<Array<Integer>, _>(positions)
    .bind::<SqlUuid, _>(target.engagement)
    .bind::<SqlUuid, _>(target.client)
    .bind::<Text, _>(target.attack_version)
    .bind::<Timestamptz, _>(tx.now())
    .bind::<Nullable<SqlUuid>, _>(tx.actor().id)
    .bind::<Text, _>(&tx.actor().name)
    .bind::<Nullable<SqlUuid>, _>(target.shelf.reader())
    .get_result(tx.conn)?;
    if copied.copied as usize != chosen.len() {
        return Err(Error::field(
            "procedures",
            "A selected procedure is no longer there. Take it out of the selection.",
        ));
    }
    Ok(ids)
}
