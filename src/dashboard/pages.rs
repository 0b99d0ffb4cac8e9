//! The dashboard.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;

use super::store;
use super::views::{Dashboard, Loaded, week};
use crate::accounts::store::notices;
use crate::engagements::store::approval::list_requests;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::policy::Rights;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::PersonId;
use crate::kernel::web::Section;
use crate::kernel::web::permit::SignedIn;
use crate::procedures::store::runbook::{Me, list_waiting};

/// How many requests, reports and notices it shows.
const FEW: i64 = 20;
/// How many scheduled and running engagements the page looks at.
const ENGAGEMENTS: i64 = 200;

pub async fn show(ctx: SignedIn) -> Result<HttpResponse> {
    let viewer = ctx.viewer();
    let (person, rights, now) = (viewer.id, viewer.rights.clone(), ctx.app.clock.now());
    let loaded = ctx.read(move |conn| load(conn, person, &rights, now)).await?;
    let zone = viewer.organisation.zone();
    let today = now.with_timezone(&zone).date_naive();
    ctx.page(&Dashboard {
        frame: ctx.frame(Section::Dashboard, "Dashboard"),
        has_clients: !viewer.rights.clients.is_empty(),
        may_plan: viewer.rights.may_anywhere(P::EngagementPlan),
        may_request: viewer.rights.may_anywhere(P::EngagementRequest),
        week: week(&loaded.engagements, today),
        loaded,
        now,
        today,
        zone,
    })
}

fn load(conn: &mut PgConnection, person: PersonId, rights: &Rights, now: DateTime<Utc>) -> Result<Loaded> {
    let clients = rights.clients_with(P::EngagementRead);
    let (red_at, blue_at) =
        (rights.clients_with(P::ProcedureWriteRed), rights.clients_with(P::ProcedureWriteBlue));
    let me = Me { person, clients: &clients, red_at: &red_at, blue_at: &blue_at, now };
    let mut engagements = store::list_engagements(conn, &clients, ENGAGEMENTS)?;
    for engagement in &mut engagements {
        engagement.status = engagement.status.as_of(engagement.starts_at, now);
    }
    Ok(Loaded {
        waiting: list_waiting(conn, &me)?,
        requests: list_requests(conn, &rights.clients_with(P::EngagementApprove), FEW)?,
        reviews: store::list_to_review(
            conn,
            person,
            &rights.clients_with(P::ReportReview),
            &rights.clients_with(P::ReportPublish),
            FEW,
        )?,
        notices: notices::list_unread(conn, person, &rights.visible(), FEW)?,
        engagements,
    })
}
