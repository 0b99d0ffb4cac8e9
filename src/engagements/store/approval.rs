//! Requests and their approval: what begins Pending becomes Scheduled or In Progress with dates, operators
//! and a report, or is declined.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::create::{
    Chosen, NewEngagement, Target, copy_procedures, find_plan_title, insert_engagement, insert_report,
    newest_release,
};
use super::details::write_details;
use super::lifecycle::give;
use super::plan::{Planning, change_operators};
use crate::accounts::domain::AccountStatus;
use crate::accounts::store::notices;
use crate::accounts::store::notices::NewNotice;
use crate::engagements::approval::asks_at_once;
use crate::engagements::domain::DetailField;
use crate::engagements::periods::OwnPeriod;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, LibraryProcedureId, PersonId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::{
    client_access, clients, drafts, engagement_operators, engagements, library_procedures, people,
    procedures, repositories, role_permissions, test_plan_procedures, test_plans,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::drafts::{Draft as DraftKey, DraftSubject, keep as keep_draft};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::record::Typed;
use crate::kernel::web::permit::{ApproveEngagement, Permit, RequestEngagement};
use crate::library::store::shelf::is_seen;
use crate::lifecycle::domain::{Command, EngagementStatus};
use crate::lifecycle::store::{apply, lock_engagement};
use crate::procedures::store::attachments::{Arrived, insert_of_engagement};

/// Requests of one person that may wait for an answer.
const REQUESTS: i64 = 50;

/// Asks for an engagement: it is Pending until somebody approves or declines it, and those who may are told.
///
/// # Errors
/// [`Error::NotFound`] for another client, [`Error::Forbidden`] without the right at it, [`Error::Conflict`]
/// when the same form was sent already.
pub fn request(
    tx: &mut WriteTx<'_>,
    permit: &Permit<RequestEngagement>,
    new: &NewEngagement,
    files: &[Arrived],
) -> Result<Audited<()>> {
    permit.check(new.client)?;
    let waiting: i64 = engagements::table
        .filter(
            engagements::requested_by
                .eq(tx.actor().id)
                .and(engagements::status.eq(EngagementStatus::Pending)),
        )
        .filter(engagements::deleted_at.is_null())
        .count()
        .get_result(tx.conn)?;
    if waiting >= REQUESTS {
        return Err(Error::Refused(format!(
            "{waiting} requests of yours wait for an answer, as many as there may be. Wait for one."
        )));
    }
    let client_name: String = clients::table.find(new.client).select(clients::name).first(tx.conn)?;
    let attack_version = newest_release(tx.conn)?;
    let plan_title = find_plan_title(tx.conn, new.plan)?;
    let status = EngagementStatus::on_request(None).map_err(|refusal| Error::Refused(refusal.0))?;
    insert_engagement(tx, new, status, &attack_version, plan_title.as_deref())?;
    diesel::update(engagements::table.find(new.id))
        .set((engagements::requested_by.eq(tx.actor().id), engagements::requested_at.eq(tx.now())))
        .execute(tx.conn)?;
    let title = &new.details.title;
    let requested = Event::new(
        Kind::EngagementRequested,
        format!("Requested the engagement “{title}” for {client_name}"),
    )
    .subject("engagement", new.id.0, title)
    .engagement(new.client, new.id)
    .detail(json!({
        "test_plan": plan_title,
        "start_date": new.details.start_date,
        "end_date": new.details.end_date,
    }));
    let mut events = vec![requested];
    events.extend(insert_of_engagement(tx, new.client, new.id, files)?);
    let text = format!("{} requests “{title}” for {client_name}.", tx.actor().name);
    let notices = list_approvers(tx.conn, new.client)?
        .into_iter()
        .map(|person| NewNotice {
            person,
            client: Some(new.client),
            text: text.clone(),
            href: format!("/engagements/{}", new.id),
        })
        .collect();
    notices::give(tx, notices)?;
    tx.audited_all((), &events)
}

/// Whether this very request is there already: a second click on its form.
pub fn is_requested(conn: &mut PgConnection, new: &NewEngagement, by: PersonId) -> Result<bool> {
    let details = &new.details;
    let same = engagements::table
        .filter(engagements::id.eq(new.id).and(engagements::client_id.eq(new.client)))
        .filter(engagements::title.eq(&details.title).and(engagements::scope.eq(&details.scope)))
        .filter(engagements::start_date.is_not_distinct_from(details.start_date))
        .filter(engagements::end_date.is_not_distinct_from(details.end_date))
        .filter(engagements::requested_by.eq(by));
    Ok(diesel::select(diesel::dsl::exists(same)).get_result(conn)?)
}

fn list_approvers(conn: &mut PgConnection, client: ClientId) -> Result<Vec<PersonId>> {
    Ok(client_access::table
        .inner_join(people::table.on(people::id.eq(client_access::person_id)))
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(client_access::role_id)))
        .filter(
            client_access::client_id
                .eq(client)
                .and(role_permissions::permission.eq(P::EngagementApprove.as_str())),
        )
        .filter(people::deleted_at.is_null().and(people::status.eq(AccountStatus::Active)))
        .select(people::id)
        .load(conn)?)
}

/// What an approval sets.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The engagement's version when the approval was opened.
    pub version: i32,
    /// Details, by field; their bases are not asked: the version above is.
    pub details: Vec<Typed<DetailField>>,
    /// Title of the report.
    pub report_title: String,
    /// Whether the test plan's procedures are copied.
    pub copies_plan: bool,
    pub added: Vec<(PersonId, Team)>,
    /// Operators to take out.
    pub removed: Vec<(PersonId, Team)>,
    /// Own dates to set.
    pub periods: Vec<OwnPeriod>,
    /// Whether a start that has passed is meant so.
    pub past: bool,
}

/// Approves a request: details, dates, operators and the Draft report in one transaction.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Refused`] when it is no request any more;
/// [`Error::Conflict`] when somebody changed it since; [`Error::Invalid`] at the field that does not hold, or
/// at `past` when the start has passed and nobody said that it is meant so.
pub fn approve(
    tx: &mut WriteTx<'_>,
    permit: &Permit<ApproveEngagement>,
    id: EngagementId,
    approval: &Approval,
) -> Result<Audited<EngagementStatus>> {
    let (locked, due) = lock_engagement(tx, id, &permit.visible())?;
    permit.check(locked.client)?;
    if locked.status != EngagementStatus::Pending {
        return Err(Error::Conflict(format!(
            "This is no request any more: the engagement is {}.",
            locked.status
        )));
    }
    let version: i32 = engagements::table.find(id).select(engagements::version).first(tx.conn)?;
    if version != approval.version {
        return Err(Error::Conflict(
            "Somebody changed this request since you opened it. Look at what is new, then approve it.".into(),
        ));
    }
    let mut planning = Planning { locked, events: due.into_iter().collect() };
    write_details(tx, &mut planning, &approval.details)?;
    let today = tx.now().with_timezone(&planning.locked.time_zone.tz()).date_naive();
    let period: (Option<NaiveDate>, Option<NaiveDate>) = engagements::table
        .find(id)
        .select((engagements::start_date, engagements::end_date))
        .first(tx.conn)?;
    if let Some(sentence) = asks_at_once(period.0, today).filter(|_| !approval.past) {
        return Err(Error::field("past", sentence));
    }
    change_operators(tx, &mut planning, &approval.added, &approval.removed, &approval.periods)?;
    if approval.copies_plan {
        copy_plan(tx, permit.shelf(), &mut planning)?;
    }
    let report = insert_report(tx, id, planning.locked.client, &approval.report_title)?;
    let actor = tx.actor();
    let approved = apply(tx, &mut planning.locked, &Command::Approve, actor)?;
    planning.events.extend(approved);
    let drafted = planning
        .event(Kind::ReportCreated, format!("Made the Draft report of “{}”", planning.locked.title))
        .subject("report", report.0, &approval.report_title);
    planning.events.push(drafted);
    let status = planning.locked.status;
    let requester: Option<PersonId> =
        engagements::table.find(id).select(engagements::requested_by).first(tx.conn)?;
    let requester = requester
        .map(|person| (person, format!("“{}” was approved and is {status}.", planning.locked.title)));
    let booked = list_booked(tx.conn, &planning)?;
    give(tx, &planning.locked, requester.into_iter().chain(booked).collect())?;
    diesel::delete(
        drafts::table.filter(drafts::subject_type.eq(DraftSubject::Approval).and(drafts::subject_id.eq(id))),
    )
    .execute(tx.conn)?;
    planning.finish(tx, status)
}

/// What each operator is told: on which team, and when.
fn list_booked(conn: &mut PgConnection, planning: &Planning) -> Result<Vec<(PersonId, String)>> {
    type Row = (PersonId, Team, Option<NaiveDate>, Option<NaiveDate>, Option<NaiveDate>, Option<NaiveDate>);
    let rows: Vec<Row> = engagement_operators::table
        .inner_join(engagements::table)
        .filter(engagements::id.eq(planning.locked.id))
        .select((
            engagement_operators::person_id,
            engagement_operators::team,
            engagement_operators::starts_on,
            engagement_operators::ends_on,
            engagements::start_date,
            engagements::end_date,
        ))
        .load(conn)?;
    let told = |(person, team, from, to, start, end): Row| {
        let dates = crate::kernel::base::show::dates(from.or(start), to.or(end));
        let when = if dates.is_empty() { String::new() } else { format!(", {dates}") };
        (
            person,
            format!(
                "You are on the {} team of “{}”{when}.",
                team.label().to_lowercase(),
                planning.locked.title
            ),
        )
    };
    Ok(rows.into_iter().map(told).collect())
}

/// Copies the procedures of the requested test plan into an engagement that has none yet, under the newest
/// release: those that the approver knows of.
fn copy_plan(tx: &mut WriteTx<'_>, shelf: Shelf, planning: &mut Planning) -> Result<()> {
    let id = planning.locked.id;
    let plan: Option<TestPlanId> =
        engagements::table.find(id).select(engagements::test_plan_id).first(tx.conn)?;
    let there: i64 =
        procedures::table.filter(procedures::engagement_id.eq(id)).count().get_result(tx.conn)?;
    let Some(plan) = plan.filter(|_| there == 0) else { return Ok(()) };
    let attack_version = newest_release(tx.conn)?;
    diesel::update(engagements::table.find(id))
        .set((
            engagements::attack_version.eq(&attack_version),
            engagements::test_plan_version
                .eq(test_plans::table.find(plan).select(test_plans::version).single_value()),
        ))
        .execute(tx.conn)?;
    let chosen: Vec<LibraryProcedureId> = test_plan_procedures::table
        .inner_join(library_procedures::table.inner_join(repositories::table))
        .filter(test_plan_procedures::test_plan_id.eq(plan))
        .filter(is_seen(shelf))
        .order(test_plan_procedures::position)
        .select(test_plan_procedures::procedure_id)
        .load(tx.conn)?;
    let chosen: Vec<Chosen> = chosen.into_iter().map(Chosen::Library).collect();
    let target = Target {
        engagement: id,
        client: planning.locked.client,
        shelf,
        attack_version: &attack_version,
        after: 0,
    };
    let copied = copy_procedures(tx, &target, &chosen)?;
    if !copied.is_empty() {
        let event = planning
            .event(Kind::ProceduresAdded, format!("Added {} procedures from the test plan", copied.len()));
        planning.events.push(event);
    }
    Ok(())
}

/// A request as the queue and the approval show it.
#[derive(Debug, Clone, Queryable)]
pub struct Request {
    pub id: EngagementId,
    pub title: String,
    /// Name of the client.
    pub client: String,
    /// Who asked; none when it began otherwise.
    pub by: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    /// The first instant of the first day.
    pub starts_at: Option<DateTime<Utc>>,
    /// Title of the test plan, or nothing.
    pub plan: String,
}

/// Requests at these clients, those that should start first on top.
pub fn list_requests(conn: &mut PgConnection, at: &Visible, limit: i64) -> Result<Vec<Request>> {
    Ok(engagements::table
        .inner_join(clients::table)
        .left_join(people::table.on(people::id.nullable().eq(engagements::requested_by)))
        .filter(engagements::status.eq(EngagementStatus::Pending).and(engagements::deleted_at.is_null()))
        .filter(engagements::client_id.eq_any(at.ids()))
        .order((engagements::starts_at.asc().nulls_last(), engagements::created_at, engagements::id))
        .limit(limit)
        .select((
            engagements::id,
            engagements::title,
            clients::name,
            people::name.nullable(),
            engagements::requested_at,
            engagements::start_date,
            engagements::end_date,
            engagements::starts_at,
            engagements::test_plan_title,
        ))
        .load(conn)?)
}

/// The approval somebody has begun, as it was kept.
pub fn find_draft(
    conn: &mut PgConnection,
    person: PersonId,
    id: EngagementId,
) -> Result<Option<serde_json::Value>> {
    Ok(drafts::table
        .find((person, DraftSubject::Approval, id, "", ""))
        .select(drafts::fields)
        .first(conn)
        .optional()?)
}

/// Keeps the approval that somebody has begun.
///
/// # Errors
/// When the database refuses.
pub fn save_draft(
    conn: &mut PgConnection,
    person: PersonId,
    id: EngagementId,
    fields: &serde_json::Value,
    at: DateTime<Utc>,
) -> Result<()> {
    keep_draft(conn, DraftKey::of_thing(person, DraftSubject::Approval, id.0, ""), fields, at)
}

/// Who asked for an engagement, and how many procedures its test plan has for this reader.
pub fn get_request_facts(
    conn: &mut PgConnection,
    shelf: Shelf,
    id: EngagementId,
) -> Result<(Option<String>, i64)> {
    let by: Option<String> = engagements::table
        .left_join(people::table.on(people::id.nullable().eq(engagements::requested_by)))
        .filter(engagements::id.eq(id))
        .select(people::name.nullable())
        .first(conn)?;
    let plan = engagements::table.find(id).select(engagements::test_plan_id).single_value();
    let planned = test_plan_procedures::table
        .inner_join(library_procedures::table.inner_join(repositories::table))
        .filter(is_seen(shelf))
        .filter(test_plan_procedures::test_plan_id.nullable().eq(plan))
        .count()
        .get_result(conn)?;
    Ok((by, planned))
}

/// Test plans to choose from, by title.
pub fn list_plan_titles(conn: &mut PgConnection) -> Result<Vec<(TestPlanId, String)>> {
    use crate::kernel::db::schema::test_plans;
    Ok(test_plans::table
        .filter(test_plans::deleted_at.is_null())
        .order((test_plans::title, test_plans::id))
        .select((test_plans::id, test_plans::title))
        .load(conn)?)
}

/// Names of clients, by name.
pub fn list_client_names(conn: &mut PgConnection, of: &Visible) -> Result<Vec<(ClientId, String)>> {
    Ok(clients::table
        .filter(clients::id.eq_any(of.ids()))
        .order(clients::name)
        .select((clients::id, clients::name))
        .load(conn)?)
}
