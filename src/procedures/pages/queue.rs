//! The way through a queue of an engagement: where a procedure stands in it, and the page at its end.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::web::permit::{Action, Permit, ReadEngagement};
use crate::kernel::web::{Query, Section};
use crate::procedures::domain::{Sides, sides, working_allowed};
use crate::procedures::queue::{InQueue, Queue, Writer};
use crate::procedures::store::page::{self, EngagementPart};
use crate::procedures::store::runbook::{Me, list_operators, list_procedures, list_waiting};
use crate::procedures::store::work;
use crate::procedures::views::page::url_in;
use crate::procedures::views::queue::{Elsewhere, End};

/// The procedures of an engagement that belong to a queue of the permit's person, in order.
async fn list_queue<A: Action>(
    permit: &Permit<A>,
    engagement: &EngagementPart,
    queue: Queue,
) -> Result<Vec<(ProcedureId, i32)>> {
    let status = engagement.status.as_of(engagement.starts_at, permit.app.clock.now());
    let is_open = working_allowed(status, engagement.submitted_at.is_some()).is_ok();
    if !is_open && queue != Queue::Unanswered {
        return Ok(Vec::new());
    }
    let (rights, rule) =
        (work::rights(permit, engagement.client_id), work::rule(permit, engagement.write_rule.as_deref()));
    let own_sides = move |red, blue| if is_open { sides(rights, red, blue, rule) } else { Sides::default() };
    let writer = Writer { sides: own_sides, person: permit.viewer().id };
    let (visible, id): (Visible, EngagementId) = (permit.visible(), engagement.id);
    let now = permit.app.clock.now();
    permit
        .read(move |conn| {
            let operators = list_operators(conn, id, None, &visible)?;
            let rows = list_procedures(conn, id, &visible, now)?;
            let fitting = rows.iter().filter(|row| writer.fits(queue, row, &operators));
            Ok(fitting.map(|row| (row.id, row.position)).collect())
        })
        .await
}

/// Where a procedure stands in a queue.
pub(super) async fn find_place<A: Action>(
    permit: &Permit<A>,
    engagement: &EngagementPart,
    queue: Queue,
    procedure: (ProcedureId, i32),
) -> Result<InQueue> {
    Ok(InQueue::of(queue, &list_queue(permit, engagement, queue).await?, procedure))
}

/// Query of the page.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    queue: String,
}

/// `GET /engagements/{id}/queue?queue=…`: what is left of a queue, and at its end what waits elsewhere.
pub async fn show(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let queue: Queue = wanted.queue.parse().unwrap_or(Queue::Mine);
    let visible = permit.visible();
    let engagement = permit.read(move |conn| page::get_engagement(conn, id, &visible)).await?;
    permit.check(engagement.client_id)?;
    let left = list_queue(&permit, &engagement, queue).await?;
    let others = elsewhere(&permit, id).await?;
    let url = format!("/engagements/{id}");
    permit.page(&End {
        frame: permit
            .frame(Section::Engagements, format!("Nothing {queue}"))
            .crumb("Engagements", "/engagements")
            .crumb(&engagement.title, &url),
        first: left.first().map(|(procedure, _)| url_in(id, *procedure, Some(queue))),
        left: left.len(),
        words: queue.label(),
        title: engagement.title,
        url,
        others,
    })
}

/// What waits on the person in other engagements.
async fn elsewhere(permit: &Permit<ReadEngagement>, here: EngagementId) -> Result<Vec<Elsewhere>> {
    let rights = &permit.viewer().rights;
    let (clients, red_at, blue_at) = (
        permit.visible(),
        rights.clients_with(P::ProcedureWriteRed),
        rights.clients_with(P::ProcedureWriteBlue),
    );
    let (person, now) = (permit.viewer().id, permit.app.clock.now());
    let waiting = permit
        .read(move |conn: &mut PgConnection| {
            list_waiting(
                conn,
                &Me { person, clients: clients.ids(), red_at: red_at.ids(), blue_at: blue_at.ids(), now },
            )
        })
        .await?;
    let mut others: Vec<Elsewhere> = Vec::new();
    for one in waiting.iter().filter(|one| one.engagement != here) {
        match others.iter_mut().find(|other| other.engagement == one.engagement) {
            Some(other) => other.waiting += 1,
            None => others.push(Elsewhere {
                engagement: one.engagement,
                title: one.engagement_title.clone(),
                client: one.client.clone(),
                waiting: 1,
                first: url_in(one.engagement, one.id, Some(Queue::Mine)),
            }),
        }
    }
    Ok(others)
}
