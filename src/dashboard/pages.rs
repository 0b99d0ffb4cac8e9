//! The dashboard.

use actix_web::HttpResponse;

use super::store;
use super::views::{Dashboard, week};
use crate::authz::Permission as P;
use crate::authz::permit::SignedIn;
use crate::error::Result;
use crate::web::Section;

/// How many scheduled and running engagements the page looks at.
const ENGAGEMENTS: i64 = 100;

/// `GET /`
pub async fn show(ctx: SignedIn) -> Result<HttpResponse> {
    let viewer = ctx.viewer();
    let (person, rights) = (viewer.id, viewer.rights.clone());
    let (engagements, waiting) = ctx
        .app
        .db
        .read(move |conn| {
            let clients = rights.clients_with(P::EngagementRead);
            let (red_at, blue_at) = (rights.clients_with(P::ProcedureWriteRed), rights.clients_with(P::ProcedureWriteBlue));
            let me = store::Me { person, clients: &clients, red_at: &red_at, blue_at: &blue_at };
            Ok((store::list_engagements(conn, &clients, ENGAGEMENTS)?, store::list_waiting(conn, &me)?))
        })
        .await?;
    let zone = viewer.organisation.zone();
    let today = ctx.app.clock.now().with_timezone(&zone).date_naive();
    ctx.page(&Dashboard {
        frame: ctx.frame(Section::Dashboard, "Dashboard"),
        has_clients: !viewer.rights.clients.is_empty(),
        may_plan: viewer.rights.may_anywhere(P::EngagementPlan),
        waiting,
        week: week(&engagements, today),
        engagements,
        today,
    })
}
