//! Handlers of the procedure pages.

pub mod events;
pub mod operators;
pub mod page;

use crate::authz::permit::{Action, Permit};
use crate::error::Result;
use crate::procedures::domain::Sides;
use crate::procedures::store::page::Shown;

/// The parts of the page that are stored at once, as HTML.
pub(crate) struct Pieces {
    /// The section of log entries.
    pub logs: String,
    /// The section of attachments.
    pub attachments: String,
    /// The card of assets.
    pub assets: String,
}

pub(crate) async fn pieces<A: Action>(_permit: &Permit<A>, _shown: &Shown, _sides: Sides) -> Result<Pieces> {
    Ok(Pieces { logs: String::new(), attachments: String::new(), assets: String::new() })
}

/// Where a button of the form leads after the save: a part's own page.
pub(crate) fn follow(_then: &str) -> Option<String> {
    None
}

/// The answer to Start: fresh values for the form, and the section of log entries with the new one.
pub(crate) fn views_start(fresh: &str, logs: &str) -> String {
    format!(
        "<hx-partial hx-target=\"#fresh\" hx-swap=\"innerHTML\">{fresh}</hx-partial><hx-partial hx-target=\"#logs\" hx-swap=\"outerMorph\">{logs}</hx-partial>"
    )
}
