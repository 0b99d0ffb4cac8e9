//! What the handlers of a procedure's parts share.

use actix_web::web;

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::web::permit::{Action, Permit};
use crate::kernel::web::{Frame, Section};
use crate::procedures::store::place::{self, Head};
use crate::procedures::views::place::Place;

/// Engagement and procedure from the address.
pub type Ids = web::Path<(EngagementId, ProcedureId)>;

/// Reads a procedure's head and something of it in one go.
///
/// # Errors
/// As [`place::get`].
pub async fn read<A: Action, T: Send + 'static>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    more: impl Fn(&mut diesel::PgConnection, &Head) -> Result<T> + Send + 'static,
) -> Result<(Head, T)> {
    let (held, now) = (permit.clone(), permit.app.clock.now());
    permit
        .read(move |conn| {
            let head = place::get(conn, &held, engagement, procedure, now)?;
            let more = more(conn, &head)?;
            Ok((head, more))
        })
        .await
}

/// Where the parts stand, for the views.
pub fn of<A: Action>(permit: &Permit<A>, head: &Head) -> Place {
    Place {
        engagement: head.engagement,
        procedure: head.procedure,
        zone: head.zone,
        now: permit.app.clock.now(),
        viewer: permit.viewer().id,
        sides: head.sides,
        lead: head.lead,
        attachment_bytes: permit.viewer().organisation.attachment_bytes,
    }
}

/// The frame of a part's own page.
pub fn frame<A: Action>(permit: &Permit<A>, head: &Head, title: &str) -> Frame {
    let url = format!("/engagements/{}", head.engagement);
    permit
        .frame(Section::Engagements, title)
        .crumb("Engagements", "/engagements")
        .crumb(&head.engagement_title, &url)
        .crumb(named(head), format!("{url}/procedures/{}", head.procedure))
}

/// "4 Read LSASS memory".
pub fn named(head: &Head) -> String {
    format!("{} {}", head.position, head.name)
}
