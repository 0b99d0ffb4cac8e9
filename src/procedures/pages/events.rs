//! `GET /engagements/{id}/events`: server-sent events that say what changed; the page then asks for what it
//! may see.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::accounts::store::still_may;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::web::Query;
use crate::kernel::web::permit::{Permit, ReadEngagement};
use crate::procedures::store::page::check_visible;

/// How long one connection lives; the browser comes back by itself, and its rights are asked for again.
const LIFE: Duration = Duration::from_secs(300);
/// A comment this often keeps proxies from closing a quiet connection; before it, as before each message, the
/// session and its right are asked for again.
const QUIET: Duration = Duration::from_secs(10);

/// Which procedure the page shows; none on the engagement's own page.
#[derive(Deserialize)]
pub struct Wanted {
    procedure: Option<Uuid>,
}

/// A page of one procedure hears `procedure` when that one changed, the engagement's page hears `engagement`
/// at every change.
pub async fn events(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let engagement = path.into_inner();
    let visible = permit.visible();
    let client = permit.read(move |conn| check_visible(conn, engagement, None, &visible)).await?;
    permit.check(client)?;
    if permit.head {
        return Ok(HttpResponse::Ok().content_type("text/event-stream").finish());
    }
    let feed = permit.app.live.listen();
    let (app, session) = (permit.app.clone(), permit.viewer().session);
    let end = tokio::time::Instant::now() + LIFE;
    let stream = unfold(Some((feed, app)), move |going| async move {
        let (mut feed, app) = going?;
        let until = tokio::time::Instant::now() + QUIET;
        let text = loop {
            match tokio::time::timeout_at(until.min(end), feed.recv()).await {
                Ok(Ok(change)) if change.engagement == engagement => {
                    match wanted.procedure {
                        None => break "event: engagement\ndata: -\n\n",
                        // What has no procedure, such as a submit or a new asset, may concern every page.
                        Some(mine) if change.procedure.is_none_or(|changed| changed == mine) => {
                            break "event: procedure\ndata: -\n\n";
                        }
                        Some(_) => {}
                    }
                }
                Ok(Ok(_)) => {}
                // Some were missed: everything may have changed.
                Ok(Err(RecvError::Lagged(_))) => {
                    break if wanted.procedure.is_some() {
                        "event: procedure\ndata: -\n\n"
                    } else {
                        "event: engagement\ndata: -\n\n"
                    };
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) if tokio::time::Instant::now() >= end => return None,
                Err(_) => break ": quiet\n\n",
            }
        };
        let now = app.clock.now();
        let may =
            app.db.read(move |conn| still_may(conn, session, client, Permission::EngagementRead, now)).await;
        // A database that is away, or busy, says nothing about rights; and a message holds nothing of what
        // changed.
        if matches!(may, Ok(false)) {
            return None;
        }
        Some((Ok::<_, actix_web::Error>(web::Bytes::from_static(text.as_bytes())), Some((feed, app))))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Content-Encoding", "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream))
}
