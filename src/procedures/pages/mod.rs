//! Handlers of the procedure pages.

pub mod assets;
pub mod attachments;
pub mod events;
pub mod logs;
pub mod operators;
pub mod page;
pub mod place;
pub mod queue;

use askama::Template;

use crate::kernel::authz::Permission;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{AttachmentId, LogEntryId};
use crate::kernel::web::permit::{Action, Permit};
use crate::procedures::domain::Sides;
use crate::procedures::store::{self, page::Shown};
use crate::procedures::views::assets::Assets;
use crate::procedures::views::attachments::Attachments;
use crate::procedures::views::logs::Logs;
use crate::procedures::views::place::Place;
use crate::settings::domain::Outcome;

/// Where the lists of a page begin, in place of the newest: the entry and the attachment before which they go
/// on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Older {
    pub logs: Option<LogEntryId>,
    pub files: Option<AttachmentId>,
}

/// The parts of the page that are stored at once, as HTML.
pub(crate) struct Pieces {
    /// The section of log entries.
    pub logs: String,
    /// The section of attachments.
    pub attachments: String,
    /// The card of assets.
    pub assets: String,
}

/// Reads and renders the three parts in three statements.
pub(crate) async fn pieces<A: Action>(
    permit: &Permit<A>,
    (shown, outcomes): (&Shown, &[Outcome]),
    sides: Sides,
    older: Older,
) -> Result<Pieces> {
    let engagement = &shown.engagement;
    let id = shown.procedure.id;
    let at = Place {
        engagement: engagement.id,
        procedure: id,
        zone: engagement.time_zone.tz(),
        now: permit.app.clock.now(),
        viewer: permit.viewer().id,
        sides,
        lead: permit.may_at(Permission::EngagementApprove, engagement.client_id),
        attachment_bytes: permit.viewer().organisation.attachment_bytes,
    };
    let outcomes = outcomes.to_vec();
    let (entries, files, assets) = permit
        .read(move |conn| {
            Ok((
                store::logs::list_for_procedure(conn, id, older.logs)?,
                store::attachments::list_for_procedure(conn, id, older.files)?,
                store::assets::list_with(conn, id, &outcomes)?,
            ))
        })
        .await?;
    Ok(Pieces {
        logs: Logs::new(&at, entries, true).render()?,
        attachments: Attachments::new(&at, files, true).render()?,
        assets: Assets::new(&at, assets).render()?,
    })
}

pub(crate) use crate::procedures::views::place::follow;
