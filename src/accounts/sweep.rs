//! What is left of sessions, counts and drafts when their time is over.

use chrono::{DateTime, Utc};

use super::store::{self, attempts};
use crate::kernel::base::error::Result;
use crate::kernel::db::Db;
use crate::kernel::drafts;
use crate::kernel::event::domain::Actor;
use crate::kernel::job::Done;

/// Ends sessions that have run out, with an event each, and forgets old counts and drafts.
pub fn sweep(db: &Db, now: DateTime<Utc>) -> Result<Done> {
    let ended = db.write_blocking(&Actor::system(), |tx| store::sweep_sessions(tx, now))?;
    let old = db.write_unaudited_blocking("old drafts and counts", |conn| {
        Ok(attempts::sweep(conn, now)? + drafts::sweep(conn, now)?)
    })?;
    Ok(Done { moved: ended + old, ..Done::default() })
}
