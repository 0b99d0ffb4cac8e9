//! Start now, Decline, Cancel and Delete.

use crate::accounts::store::notices;
use crate::accounts::store::notices::NewNotice;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{engagement_operators, engagements, reports};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::{Action, ApproveEngagement, CancelEngagement, DeleteEngagement, Permit};
use crate::lifecycle::domain::{Command, ReportStatus, check_reason};
use crate::lifecycle::store::{Locked, apply, lock_engagement, touch};

/// Starts an engagement before its date.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Refused`] with the lifecycle's sentence.
pub fn start_now(
    tx: &mut WriteTx<'_>,
    permit: &Permit<ApproveEngagement>,
    id: EngagementId,
) -> Result<Audited<()>> {
    command(tx, permit, id, &Command::StartNow)
}

/// Terminates an engagement, for good.
///
/// # Errors
/// As [`start_now`], and [`Error::Invalid`] for a missing or overlong reason.
pub fn cancel(
    tx: &mut WriteTx<'_>,
    permit: &Permit<CancelEngagement>,
    id: EngagementId,
    reason: &str,
) -> Result<Audited<()>> {
    let reason = check_reason(reason).map_err(|sentence| Error::field("reason", sentence))?;
    command(tx, permit, id, &Command::Cancel { reason })
}

/// Declines a request.
///
/// # Errors
/// As [`cancel`].
pub fn decline(
    tx: &mut WriteTx<'_>,
    permit: &Permit<ApproveEngagement>,
    id: EngagementId,
    reason: &str,
) -> Result<Audited<()>> {
    let reason = check_reason(reason).map_err(|sentence| Error::field("reason", sentence))?;
    command(tx, permit, id, &Command::Decline { reason })
}

/// Tells whoever asked for the engagement and its operators what became of it, once each.
fn tell(tx: &mut WriteTx<'_>, locked: &Locked, text: &str) -> Result<()> {
    let mut people: Vec<PersonId> = engagement_operators::table
        .filter(engagement_operators::engagement_id.eq(locked.id))
        .select(engagement_operators::person_id)
        .load(tx.conn)?;
    let requester: Option<PersonId> =
        engagements::table.find(locked.id).select(engagements::requested_by).first(tx.conn)?;
    people.extend(requester);
    give(tx, locked, people.into_iter().map(|person| (person, text.to_owned())).collect())
}

/// Gives notices about an engagement. What was said of it before is overtaken, and read.
pub(super) fn give(tx: &mut WriteTx<'_>, locked: &Locked, told: Vec<(PersonId, String)>) -> Result<()> {
    let href = format!("/engagements/{}", locked.id);
    notices::overtake(tx, &href)?;
    let notices = told
        .into_iter()
        .map(|(person, text)| NewNotice { person, client: Some(locked.client), text, href: href.clone() })
        .collect();
    notices::give(tx, notices)
}

fn command<A: Action>(
    tx: &mut WriteTx<'_>,
    permit: &Permit<A>,
    id: EngagementId,
    command: &Command,
) -> Result<Audited<()>> {
    let (mut locked, due) = lock_engagement(tx, id, &permit.visible())?;
    permit.check(locked.client)?;
    let mut events: Vec<Event> = due.into_iter().collect();
    let actor = tx.actor();
    events.extend(apply(tx, &mut locked, command, actor)?);
    match command {
        Command::Cancel { reason } => {
            tell(tx, &locked, &format!("“{}” was canceled: {reason}", locked.title))?
        }
        Command::Decline { reason } => {
            tell(tx, &locked, &format!("The request “{}” was declined: {reason}", locked.title))?
        }
        Command::StartNow => tell(tx, &locked, &format!("“{}” was started.", locked.title))?,
        _ => {}
    }
    if events.is_empty() { Ok(tx.unchanged(())) } else { tx.audited_all((), &events) }
}

/// Deletes an engagement. Unsubmitted it takes its Draft along; after submission the report stays with its
/// evidence. Where that is published, `typed` must be the title.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Invalid`] at `title`.
pub fn delete(
    tx: &mut WriteTx<'_>,
    permit: &Permit<DeleteEngagement>,
    id: EngagementId,
    typed: &str,
) -> Result<Audited<String>> {
    let (locked, due) = lock_engagement(tx, id, &permit.visible())?;
    permit.check(locked.client)?;
    let published = reports::table
        .filter(reports::engagement_id.eq(id).and(reports::deleted_at.is_null()))
        .filter(reports::status.eq(ReportStatus::Published));
    let published: bool = diesel::select(diesel::dsl::exists(published)).get_result(tx.conn)?;
    if published && typed.trim() != locked.title.trim() {
        return Err(Error::field("title", "This is not its title. Type it as it stands above."));
    }
    diesel::update(engagements::table.find(id))
        .set((
            engagements::deleted_at.eq(tx.now()),
            engagements::deleted_by.eq(tx.actor().id),
            engagements::version.eq(engagements::version + 1),
        ))
        .execute(tx.conn)?;
    if !locked.facts.submitted {
        diesel::update(
            reports::table.filter(reports::engagement_id.eq(id).and(reports::deleted_at.is_null())),
        )
        .set((reports::deleted_at.eq(tx.now()), reports::updated_at.eq(tx.now())))
        .execute(tx.conn)?;
    }
    let actor = tx.actor().name.clone();
    touch(tx.conn, id, tx.now(), &actor)?;
    let with = if locked.facts.submitted { "its report stays" } else { "and its Draft report" };
    let event =
        Event::new(Kind::EngagementDeleted, format!("Deleted the engagement “{}”, {with}", locked.title))
            .subject("engagement", id.0, &locked.title)
            .engagement(locked.client, id);
    let events: Vec<Event> = due.into_iter().chain([event]).collect();
    tx.audited_all(locked.title, &events)
}
