//! The job `schedule-transitions`: moves what is due, each engagement once however many processes run it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Uuid as SqlUuid};
use uuid::Uuid;

use super::moves::{Locked, event};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId};
use crate::kernel::base::logging::without_quotes;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{engagement_activity, engagements};
use crate::kernel::db::{Db, WriteTx};
use crate::kernel::event::domain::{Actor, Event};
use crate::kernel::job::Done;
use crate::lifecycle::domain::{EngagementStatus, Facts, ReportStatus};

/// How many engagements one transaction moves: large enough that the round trips are few, small enough that
/// its locks are held for a fraction of a second.
const BATCH: i64 = 500;

/// How many engagements that could not be moved a run tells by name.
const TOLD: usize = 20;

type Columns =
    (EngagementId, ClientId, String, EngagementStatus, Zone, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Moves every engagement that is due. Data decides, not the tick: rows are claimed, and what another process
/// holds it moves itself. An engagement that the database refuses to move is left and reported; the others of
/// its batch move.
///
/// # Errors
/// When the database is away; what was committed before stays moved.
pub fn sweep(db: &Db, actor: &Actor, now: DateTime<Utc>) -> Result<Done> {
    let mut done = Done::default();
    let mut left: Vec<Uuid> = Vec::new();
    loop {
        match db.write_blocking(actor, |tx| move_batch(tx, now, &left, BATCH)) {
            Ok(0) => break,
            Ok(moved) => done.moved += moved,
            Err(Error::Unavailable(away)) => return Err(Error::Unavailable(away)),
            Err(cause) => {
                tracing::warn!(
                    cause = without_quotes(&cause.to_string()),
                    "a batch of due engagements did not move; trying them one by one"
                );
                one_by_one(db, actor, now, &mut left, &mut done)?;
            }
        }
    }
    done.skipped = left.len();
    Ok(done)
}

/// The first batch again, each engagement in a transaction of its own: what fails is left.
fn one_by_one(
    db: &Db,
    actor: &Actor,
    now: DateTime<Utc>,
    left: &mut Vec<Uuid>,
    done: &mut Done,
) -> Result<()> {
    let batch: Vec<(Uuid, String)> = db.read_blocking(|conn| {
        Ok(due(now, left)
            .limit(BATCH)
            .order(engagements::starts_at)
            .select((engagements::id, engagements::title))
            .load(conn)?)
    })?;
    for (id, title) in batch {
        match db.write_blocking(actor, |tx| move_one(tx, now, id)) {
            Ok(moved) => done.moved += moved,
            Err(Error::Unavailable(away)) => return Err(Error::Unavailable(away)),
            Err(cause) => {
                tracing::error!(engagement = %id, cause = without_quotes(&cause.to_string()), "a due \
                    engagement was left");
                if left.len() < TOLD {
                    done.left_over.push(format!("“{title}” ({id}): {cause}"));
                }
                left.push(id);
            }
        }
    }
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn due<'a>(now: DateTime<Utc>, left: &'a [Uuid]) -> _ {
    let starts: diesel::dsl::Le<engagements::starts_at, DateTime<Utc>> = engagements::starts_at.le(now);
    engagements::table
        .filter(engagements::status.eq("scheduled"))
        .filter(engagements::deleted_at.is_null())
        .filter(starts)
        .filter(engagements::id.ne_all(left))
}

const COLUMNS: (
    engagements::id,
    engagements::client_id,
    engagements::title,
    engagements::status,
    engagements::time_zone,
    engagements::starts_at,
    engagements::submitted_at,
) = (
    engagements::id,
    engagements::client_id,
    engagements::title,
    engagements::status,
    engagements::time_zone,
    engagements::starts_at,
    engagements::submitted_at,
);

/// Moves up to `limit` engagements that are due, but for those in `left`; tells how many.
///
/// # Errors
/// When the database refuses.
pub fn move_batch(
    tx: &mut WriteTx<'_>,
    now: DateTime<Utc>,
    left: &[Uuid],
    limit: i64,
) -> Result<crate::kernel::db::Audited<usize>> {
    let rows: Vec<Columns> = due(now, left)
        .order(engagements::starts_at)
        .limit(limit)
        .select(COLUMNS)
        .for_update()
        .skip_locked()
        .load(tx.conn)?;
    moved(tx, rows, now)
}

fn move_one(tx: &mut WriteTx<'_>, now: DateTime<Utc>, id: Uuid) -> Result<crate::kernel::db::Audited<usize>> {
    let rows: Vec<Columns> = due(now, &[])
        .filter(engagements::id.eq(id))
        .select(COLUMNS)
        .for_update()
        .skip_locked()
        .load(tx.conn)?;
    moved(tx, rows, now)
}

fn moved(
    tx: &mut WriteTx<'_>,
    rows: Vec<Columns>,
    now: DateTime<Utc>,
) -> Result<crate::kernel::db::Audited<usize>> {
    let (events, ids) = judge(rows, now);
    if ids.is_empty() {
        return Ok(tx.unchanged(0));
    }
    // sql_query: one parameter however many rows.
    diesel::sql_query(
        "UPDATE engagements SET status = 'in_progress', version = version + 1 WHERE id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .execute(tx.conn)?;
    diesel::update(engagement_activity::table.filter(engagement_activity::engagement_id.eq_any(&ids)))
        .set((engagement_activity::at.eq(tx.now()), engagement_activity::by_name.eq("System")))
        .execute(tx.conn)?;
    tx.audited_all(ids.len(), &events)
}

fn judge(due: Vec<Columns>, now: DateTime<Utc>) -> (Vec<Event>, Vec<Uuid>) {
    let mut events = Vec::new();
    let mut ids = Vec::new();
    for (id, client, title, status, time_zone, starts_at, submitted_at) in due {
        let facts = Facts {
            now,
            starts_at,
            report: Some(ReportStatus::Draft),
            anything_recorded: false,
            submitted: submitted_at.is_some(),
            has_procedures: true,
        };
        let Some(command) = status.due(&facts) else { continue };
        let Ok(transition) = status.apply(&command, &facts) else { continue };
        let locked = Locked { id, client, title, status, time_zone, facts };
        events.push(event(&locked, &transition, None));
        ids.push(id.0);
    }
    (events, ids)
}
