//! The dashboard.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::PgConnection;

use super::store;
use super::views::{Dashboard, Loaded, NoClients, Watched, queues, steps, week};
use crate::accounts::store::notices;
use crate::audit::proof::store::seal::get_progress;
use crate::engagements::store::approval::list_requests;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::policy::Rights;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::show;
use crate::kernel::job::store::list_since;
use crate::kernel::job::{Job, late_since};
use crate::kernel::web::permit::{ManageSettings, Permit, SignedIn};
use crate::kernel::web::{Section, redirect};
use crate::procedures::store::runbook::{Me, list_waiting};
use crate::settings::store::{self as settings, FirstHour};

/// How many requests, reports and notices it shows.
const FEW: i64 = 20;
/// How many scheduled and running engagements the page looks at.
const ENGAGEMENTS: i64 = 200;

/// How far back "lately" goes for whoever watches over the log.
const LATELY: TimeDelta = TimeDelta::days(7);
/// How many failed sign-ins stand there.
const FAILED: i64 = 5;

pub async fn show(ctx: SignedIn) -> Result<HttpResponse> {
    let viewer = ctx.viewer();
    let (person, rights, now) = (viewer.id, viewer.rights.clone(), ctx.app.clock.now());
    let (loaded, since) = ctx.read(move |conn| load(conn, person, &rights, now)).await?;
    let zone = viewer.organisation.zone();
    let today = now.with_timezone(&zone).date_naive();
    let rights = &viewer.rights;
    let late = |job: &Job| {
        let since = since.iter().find(|(name, _)| name == job.name).map(|(_, since)| *since);
        Some((job.name, show::time(late_since(job, since, now)?, zone)))
    };
    ctx.page(&Dashboard {
        frame: ctx.frame(Section::Dashboard, "Dashboard"),
        no_clients: NoClients::of(rights, &loaded),
        first_hour: loaded
            .first_hour
            .as_ref()
            .map(|hour| steps(hour, viewer.two_factor, rights))
            .filter(|steps| steps.iter().any(|step| !step.done)),
        late_jobs: ctx.app.jobs.all().iter().filter_map(late).collect(),
        may_plan: rights.may_anywhere(P::EngagementPlan),
        may_request: rights.may_anywhere(P::EngagementRequest),
        week: week(&loaded.engagements, today),
        queues: queues(&loaded.waiting, &loaded.engagements),
        loaded,
        now,
        today,
        zone,
    })
}

/// `POST /admin/first-hour/{noted}`: a step that is done outside, or the whole checklist put away.
pub async fn note_first_hour(
    permit: Permit<ManageSettings>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let noted = match path.as_str() {
        "keys" => FirstHour::KeysKept,
        "over" => FirstHour::Over,
        _ => return Err(Error::NotFound),
    };
    permit.write(move |tx| settings::note_first_hour(tx, noted)).await?;
    Ok(redirect("/"))
}

/// When each job last did what it should.
type JobsSince = Vec<(String, DateTime<Utc>)>;

fn load(
    conn: &mut PgConnection,
    person: PersonId,
    rights: &Rights,
    now: DateTime<Utc>,
) -> Result<(Loaded, JobsSince)> {
    let mut loaded =
        Loaded { notices: notices::list_unread(conn, person, &rights.visible(), FEW)?, ..Loaded::default() };
    if !rights.clients.is_empty() {
        load_work(conn, person, rights, now, &mut loaded)?;
    }
    if rights.may(P::SettingManage) {
        let hour = store::get_first_hour(conn)?;
        loaded.any_client = Some(hour.has_client);
        loaded.first_hour = Some(hour).filter(|hour| !hour.over);
    }
    let mut since = Vec::new();
    if rights.may(P::AuditLogRead) {
        let lately = now - LATELY;
        let counts = store::get_watch(conn, lately)?;
        // Whoever works at clients too has a page full of that already, and the rest a click away.
        loaded.watch = Some(if rights.clients.is_empty() {
            since = list_since(conn)?;
            Watched {
                counts,
                failed: store::list_failed(conn, lately, FAILED)?,
                sealing: Some(get_progress(conn)?),
            }
        } else {
            Watched { counts, failed: Vec::new(), sealing: None }
        });
    }
    Ok((loaded, since))
}

fn load_work(
    conn: &mut PgConnection,
    person: PersonId,
    rights: &Rights,
    now: DateTime<Utc>,
    loaded: &mut Loaded,
) -> Result<()> {
    let clients = rights.clients_with(P::EngagementRead);
    let (red_at, blue_at) =
        (rights.clients_with(P::ProcedureWriteRed), rights.clients_with(P::ProcedureWriteBlue));
    let me = Me { person, clients: &clients, red_at: &red_at, blue_at: &blue_at, now };
    loaded.engagements = store::list_engagements(conn, &clients, ENGAGEMENTS)?;
    for engagement in &mut loaded.engagements {
        engagement.status = engagement.status.as_of(engagement.starts_at, now);
    }
    loaded.waiting = list_waiting(conn, &me)?;
    loaded.requests = list_requests(conn, &rights.clients_with(P::EngagementApprove), FEW)?;
    loaded.reviews = store::list_to_review(
        conn,
        person,
        &rights.clients_with(P::ReportReview),
        &rights.clients_with(P::ReportPublish),
        FEW,
    )?;
    Ok(())
}
