//! Retention: months that lie wholly below the floor are archived, the archive is read back, recorded, and
//! the month dropped. Each step can be repeated, on any node; a legal hold stops all of it.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use crate::audit::log::store::retention::{self as store, Due};
use crate::audit::proof::archive::check_digest;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;
use crate::kernel::db::claim::Claim;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::job::{Done, Reach};

/// Name of the claim under which one node at a time archives and drops.
const WORK: &str = "tyrian.audit.retention";

/// How often a drop is tried in one run.
const ATTEMPTS: usize = 25;

/// The job `audit-refresh`: partitions ahead, then what is due.
pub fn refresh(reach: &Reach, now: DateTime<Utc>) -> Result<Done> {
    let mut done = crate::audit::log::store::retention::make_audit_months(&reach.db, now)?;
    let due = reach.sealing.read_blocking(store::list_due)?;
    if due.is_empty() {
        return Ok(done);
    }
    if reach.sealing.read_blocking(store::is_held)? {
        done.skipped += due.len();
        done.left_over.push("A legal hold keeps every month of the audit log.".into());
        return Ok(done);
    }
    let Some(mut claim) = Claim::take(reach.sealing.connect()?, WORK)? else {
        return Ok(done);
    };
    // Read again: whoever held the claim before may have done it all.
    for month in reach.sealing.read_blocking(store::list_due)? {
        match keep_and_drop(reach, &month, claim.conn()) {
            Ok(()) => done.moved += 1,
            Err(cause) => {
                // Months go in their order: a later one dropped before an earlier one would leave a hole in
                // the numbers.
                done.skipped += 1;
                done.left_over.push(format!("The audit log's {}: {cause:#}.", month.month.format("%B %Y")));
                break;
            }
        }
    }
    Ok(done)
}

fn words(month: NaiveDate) -> String {
    month.format("%B %Y").to_string()
}

fn keep_and_drop(reach: &Reach, due: &Due, conn: &mut diesel::pg::PgConnection) -> anyhow::Result<()> {
    let month = due.month;
    let file = due.file.clone().unwrap_or_else(|| format!("events-{}.jsonl.zst", month.format("%Y-%m")));
    let path = reach.archives.join(&file);
    let archived = match &due.digest {
        // Whole, and compared with the seals when it was recorded.
        Some(digest) if due.compared => {
            check_digest(&path, digest).map_err(anyhow::Error::msg)?;
            None
        }
        // Recorded by an earlier version, which compared it elsewhere: read again.
        Some(digest) => {
            check_digest(&path, digest).map_err(anyhow::Error::msg)?;
            Some(store::reread(&path, digest)?)
        }
        None => Some(store::archive(conn, month, &path)?),
    };
    if let Some(archived) = archived {
        reach.sealing.write_blocking(&reach.actor(), |tx| {
            let event = Event::new(
                Kind::MonthArchived,
                format!("Archived the audit log of {} as {file}", words(month)),
            )
            .detail(json!({ "file": file, "events": archived.events, "sha256": hex(&archived.digest) }));
            if store::record(tx.conn, month, &file, &archived)? {
                tx.audited((), event)
            } else {
                Ok(tx.unchanged(()))
            }
        })?;
    }
    for _ in 0..ATTEMPTS {
        let dropped = reach.sealing.write_blocking(&reach.actor(), |tx| {
            if !store::drop_month(tx.conn, month)? {
                return Ok(tx.unchanged(()));
            }
            tx.audited(
                (),
                Event::new(
                    Kind::MonthDropped,
                    format!("Dropped the audit log of {}, kept as {file}", words(month)),
                ),
            )
        });
        match dropped {
            Err(Error::Unavailable(_)) => store::pause(conn)?,
            other => return Ok(other?),
        }
    }
    anyhow::bail!("somebody reads it all the time; it is archived, and dropped another day")
}
