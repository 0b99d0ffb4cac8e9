//! SQL of the lifecycle: what a move judges from, and the move itself.

use chrono::{DateTime, Utc};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{engagement_activity, engagements, procedures, reports};
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::lifecycle::domain::{Command, EngagementStatus, Facts, ReportStatus, Transition};

/// An engagement's row, locked, as far as a move needs it.
#[derive(Debug, Clone)]
pub struct Locked {
    pub id: EngagementId,
    pub client: ClientId,
    pub title: String,
    /// Its status before the move.
    pub status: EngagementStatus,
    pub time_zone: Zone,
    /// What the lifecycle judges from.
    pub facts: Facts,
}

type Columns =
    (EngagementId, ClientId, String, EngagementStatus, Zone, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Locks an engagement `FOR UPDATE`, to move or submit it, applies what is due to it, and returns it as it
/// then stands.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or belongs to none of `visible`.
pub fn lock_engagement(
    tx: &mut WriteTx<'_>,
    id: EngagementId,
    visible: &Visible,
) -> Result<(Locked, Option<Event>)> {
    let row: Columns = engagements::table
        .find(id)
        .filter(engagements::client_id.eq_any(visible.ids()).and(engagements::deleted_at.is_null()))
        .select((
            engagements::id,
            engagements::client_id,
            engagements::title,
            engagements::status,
            engagements::time_zone,
            engagements::starts_at,
            engagements::submitted_at,
        ))
        .for_update()
        .first(tx.conn)?;
    let mut locked = with_facts(tx.conn, row, tx.now())?;
    let due = match locked.status.due(&locked.facts) {
        Some(command) => apply(tx, &mut locked, &command, &Actor::system())?,
        None => None,
    };
    Ok((locked, due))
}

fn with_facts(conn: &mut PgConnection, row: Columns, now: DateTime<Utc>) -> Result<Locked> {
    use diesel::dsl::exists;
    let (id, client, title, status, time_zone, starts_at, submitted_at) = row;
    let report: Option<ReportStatus> = reports::table
        .filter(reports::engagement_id.eq(id).and(reports::deleted_at.is_null()))
        .select(reports::status)
        .first(conn)
        .optional()?;
    let own = || procedures::table.filter(procedures::engagement_id.eq(id));
    let has_procedures: bool = diesel::select(exists(own())).get_result(conn)?;
    // A procedure's version rises with every save, tick, entry and file.
    let anything_recorded: bool =
        diesel::select(exists(own().filter(procedures::version.gt(1)))).get_result(conn)?;
    let facts = Facts {
        now,
        starts_at,
        report,
        anything_recorded,
        submitted: submitted_at.is_some(),
        has_procedures,
    };
    Ok(Locked { id, client, title, status, time_zone, facts })
}

/// Applies a command to a locked engagement, writes the new status and returns the event to be audited; none
/// when the command leaves the status as it is.
///
/// # Errors
/// [`Error::Refused`] with the lifecycle's sentence.
pub fn apply(
    tx: &mut WriteTx<'_>,
    locked: &mut Locked,
    command: &Command,
    by: &Actor,
) -> Result<Option<Event>> {
    let transition =
        locked.status.apply(command, &locked.facts).map_err(|refusal| Error::Refused(refusal.0))?;
    if !transition.changed() {
        return Ok(None);
    }
    let reason = match command {
        Command::Cancel { reason } | Command::Decline { reason } => Some(reason.as_str()),
        _ => None,
    };
    diesel::update(engagements::table.find(locked.id))
        .set((
            engagements::status.eq(transition.to),
            engagements::version.eq(engagements::version + 1),
            reason.map(|r| engagements::cancel_reason.eq(r)),
        ))
        .execute(tx.conn)?;
    if transition.starts_now {
        start_today(tx, locked)?;
    }
    touch(tx.conn, locked.id, tx.now(), &by.name)?;
    locked.status = transition.to;
    Ok(Some(event(locked, &transition, reason)))
}

/// "Start now" sets the start date to today in the engagement's zone.
fn start_today(tx: &mut WriteTx<'_>, locked: &mut Locked) -> Result<()> {
    let zone = locked.time_zone.tz();
    let today = tx.now().with_timezone(&zone).date_naive();
    let starts_at = crate::lifecycle::domain::starts_at(today, zone);
    // An end before today would break the dates' order: it moves along.
    diesel::update(engagements::table.find(locked.id).filter(engagements::end_date.lt(today)))
        .set(engagements::end_date.eq(today))
        .execute(tx.conn)?;
    diesel::update(engagements::table.find(locked.id))
        .set((engagements::start_date.eq(today), engagements::starts_at.eq(starts_at)))
        .execute(tx.conn)?;
    locked.facts.starts_at = Some(starts_at);
    Ok(())
}

/// The event of a move.
pub(super) fn event(locked: &Locked, transition: &Transition, reason: Option<&str>) -> Event {
    let kind = if transition.to == EngagementStatus::Canceled {
        Kind::EngagementCanceled
    } else {
        Kind::EngagementMoved
    };
    Event::new(
        kind,
        format!(
            "Moved “{}” from {} to {}: {}",
            locked.title,
            transition.from.label(),
            transition.to.label(),
            // The status is said already.
            transition.reason.strip_prefix("Canceled: ").unwrap_or(&transition.reason)
        ),
    )
    .subject("engagement", locked.id.0, &locked.title)
    .engagement(locked.client, locked.id)
    .detail(serde_json::json!({ "from": transition.from, "to": transition.to, "reason": reason }))
}

/// Notes the last activity on an engagement, for the list and its sorting.
pub fn touch(conn: &mut PgConnection, id: EngagementId, at: DateTime<Utc>, by: &str) -> Result<()> {
    diesel::insert_into(engagement_activity::table)
        .values((
            engagement_activity::engagement_id.eq(id),
            engagement_activity::at.eq(at),
            engagement_activity::by_name.eq(by),
        ))
        .on_conflict(engagement_activity::engagement_id)
        .do_update()
        .set((engagement_activity::at.eq(at), engagement_activity::by_name.eq(by)))
        .execute(conn)?;
    Ok(())
}
