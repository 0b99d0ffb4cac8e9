//! The way into every write on a procedure's work: locks in order (engagement `FOR SHARE`, then the
//! procedure), applies what is due, asks the editing rule and finds out which side the person writes.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::dsl::{AsSelect, auto_type};
use diesel::pg::Pg;

use super::done::Ticked;
use super::fields::Fields;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::authz::WriteRule;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{engagements, procedures};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::Event;
use crate::kernel::web::permit::{Action, Permit, TickStep, WriteProcedure};
use crate::lifecycle::domain::{EngagementStatus, Refusal};
use crate::lifecycle::store::{lock_engagement, touch};
use crate::procedures::domain::{
    ObservationWindow, Sides, WriteRights, planning_allowed, sides, working_allowed,
};
use crate::procedures::store::runbook::list_operators;

/// A procedure locked for a write, and what the write may do.
#[derive(Debug)]
pub struct Work {
    pub engagement: EngagementId,
    pub client: ClientId,
    pub engagement_title: String,
    /// The engagement's zone: times on the form are in it.
    pub zone: Tz,
    pub procedure: ProcedureId,
    pub name: String,
    /// Its place in the engagement.
    pub position: i32,
    /// Its version before this write.
    pub version: i32,
    /// Its fields before this write, and after it where it saved any.
    pub(super) fields: Fields,
    /// Ticks and entries as they stand.
    pub(super) ticked: Ticked,
    /// What the person may write on it.
    pub sides: Sides,
    /// Whether the person leads at this client.
    pub lead: bool,
    /// The engagement's observation window.
    pub(super) window: ObservationWindow,
    /// Whether the person may tick prerequisites, which is open to who plans too, and before the start.
    pub(super) prepares: bool,
    /// Why nothing but prerequisites can be ticked, where that is so.
    pub(super) closed: Option<Refusal>,
    events: Vec<Event>,
    version_raised: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = engagements, check_for_backend(diesel::pg::Pg))]
struct EngagementRow {
    client_id: ClientId,
    title: String,
    status: EngagementStatus,
    time_zone: Zone,
    submitted_at: Option<DateTime<Utc>>,
    write_rule: Option<String>,
    observation_window: ObservationWindow,
}

/// Locks a procedure for a write on its work.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or the client is foreign, [`Error::Forbidden`] without a side to
/// write, [`Error::Refused`] when the engagement is not being worked on.
pub fn begin(
    tx: &mut WriteTx<'_>,
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Work> {
    let mut work = lock(tx, permit, engagement, procedure)?;
    if let Some(refusal) = work.closed.take() {
        return Err(Error::Refused(refusal.0));
    }
    if !work.sides.any() {
        return Err(Error::Forbidden("You are not assigned to a side of this procedure.".into()));
    }
    Ok(work)
}

/// Locks a procedure for a tick. Prerequisites may be ticked as soon as the engagement can be planned, by who
/// plans or writes red; which step it is decides whether the rest of the rule asks for more.
///
/// # Errors
/// The same, where not even a prerequisite can be ticked.
pub fn begin_tick(
    tx: &mut WriteTx<'_>,
    permit: &Permit<TickStep>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Work> {
    let work = lock(tx, permit, engagement, procedure)?;
    match work.closed {
        Some(ref refusal) if !work.prepares => Err(Error::Refused(refusal.0.clone())),
        _ => Ok(work),
    }
}

fn lock<A: Action>(
    tx: &mut WriteTx<'_>,
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<Work> {
    let visible = permit.visible();
    let mut events = Vec::new();
    let (row, submitted) = match share_unless_due(tx, engagement, &visible)? {
        Some(row) => {
            let submitted = row.submitted_at.is_some();
            (row, submitted)
        }
        None => {
            // What is due needs the row for itself, and a share lock cannot be raised to that without two
            // savers waiting for each other.
            let mut row = engagement_of(engagement, visible.ids()).first(tx.conn)?;
            permit.check(row.client_id)?;
            let (locked, due) = lock_engagement(tx, engagement, &visible)?;
            (row.status, row.title) = (locked.status, locked.title);
            events.extend(due);
            (row, locked.facts.submitted)
        }
    };
    permit.check(row.client_id)?;
    let locked: LockedRow = procedures::table
        .find(procedure)
        .filter(procedures::engagement_id.eq(engagement))
        .select(LockedRow::as_select())
        .for_update()
        .first(tx.conn)?;
    let write_rule = row.write_rule.as_deref();
    let sides = own_sides(tx.conn, permit, (engagement, procedure), row.client_id, write_rule)?;
    let prepares = sides.red || permit.may_at(P::EngagementPlan, row.client_id);
    Ok(Work {
        engagement_title: row.title,
        sides,
        lead: permit.may_at(P::EngagementApprove, row.client_id),
        prepares: prepares && planning_allowed(row.status, submitted).is_ok(),
        closed: working_allowed(row.status, submitted).err(),
        events,
        ..locked.work((engagement, row.client_id), row.time_zone.tz(), row.observation_window)
    })
}

/// A procedure as a write locks it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
struct LockedRow {
    id: ProcedureId,
    name: String,
    position: i32,
    version: i32,
    #[diesel(embed)]
    fields: Fields,
    #[diesel(embed)]
    ticked: Ticked,
}

impl LockedRow {
    /// A write of the system's own on it: nobody's sides.
    fn work(
        self,
        (engagement, client): (EngagementId, ClientId),
        zone: Tz,
        window: ObservationWindow,
    ) -> Work {
        let Self { id, name, position, version, fields, ticked } = self;
        Work {
            engagement,
            client,
            engagement_title: String::new(),
            zone,
            procedure: id,
            name,
            position,
            version,
            fields,
            ticked,
            sides: Sides::default(),
            lead: false,
            window,
            prepares: false,
            closed: None,
            events: Vec::new(),
            version_raised: false,
        }
    }
}

/// An engagement that is locked for planning, whose observation window was changed.
pub struct Planned {
    pub engagement: EngagementId,
    pub client: ClientId,
    pub zone: Tz,
    pub window: ObservationWindow,
}

impl Planned {
    /// The procedures that both sides have answered and whose status nobody chose, locked.
    pub(super) fn list_work(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Work>> {
        let rows: Vec<LockedRow> = procedures::table
            .filter(procedures::engagement_id.eq(self.engagement))
            .filter(procedures::red_outcome.is_not_null().and(procedures::blue_outcome.is_not_null()))
            .filter(procedures::status_by_hand.eq(false))
            .order(procedures::position)
            .select(LockedRow::as_select())
            .for_update()
            .load(tx.conn)?;
        let of = |row: LockedRow| row.work((self.engagement, self.client), self.zone, self.window);
        Ok(rows.into_iter().map(of).collect())
    }
}

impl Work {
    /// The procedure as an event's subject, with its client and engagement.
    pub fn event(&self, kind: crate::kernel::event::domain::Kind, sentence: impl Into<String>) -> Event {
        Event::new(kind, sentence)
            .subject("procedure", self.procedure.0, &self.name)
            .engagement(self.client, self.engagement)
    }

    /// Adds an event to what the write will record.
    pub fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    /// What the write would record.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Says that the write has raised the procedure's version itself.
    pub(crate) fn version_is_raised(&mut self, to: i32) {
        self.version = to;
        self.version_raised = true;
    }

    /// Ends the write: raises the version, notes the activity and writes the events; nothing of that when
    /// nothing happened.
    ///
    /// # Errors
    /// When the events cannot be written.
    pub fn finish<T>(self, tx: &mut WriteTx<'_>, value: T) -> Result<Audited<T>> {
        if self.events.is_empty() {
            return Ok(tx.unchanged(value));
        }
        if !self.version_raised {
            diesel::update(procedures::table.find(self.procedure))
                .set((
                    procedures::version.eq(procedures::version + 1),
                    procedures::updated_at.eq(tx.now()),
                    procedures::updated_by.eq(tx.actor().id),
                ))
                .execute(tx.conn)?;
        }
        let name = tx.actor().name.clone();
        let audited = tx.audited_all(value, &self.events)?;
        // Last, because every save of the engagement meets at this row.
        touch(tx.conn, self.engagement, tx.now(), &name)?;
        Ok(audited)
    }
}

#[auto_type]
fn engagement_of<'a>(id: EngagementId, visible: &'a [ClientId]) -> _ {
    let columns: AsSelect<EngagementRow, Pg> = EngagementRow::as_select();
    engagements::table
        .find(id)
        .filter(engagements::client_id.eq_any(visible).and(engagements::deleted_at.is_null()))
        .select(columns)
}

/// Locks the engagement in common with other savers. None where something is due on it, as
/// [`EngagementStatus::as_of`] has it, or where it is not there.
fn share_unless_due(
    tx: &mut WriteTx<'_>,
    id: EngagementId,
    visible: &Visible,
) -> Result<Option<EngagementRow>> {
    let now = tx.now();
    let stands = engagements::status
        .ne(EngagementStatus::Scheduled)
        .or(engagements::starts_at.gt(now).assume_not_null());
    Ok(engagement_of(id, visible.ids()).filter(stands).for_share().first(tx.conn).optional()?)
}

/// The rights that decide which side somebody writes at a client.
pub fn rights<A: Action>(permit: &Permit<A>, client: ClientId) -> WriteRights {
    WriteRights {
        write_red: permit.may_at(P::ProcedureWriteRed, client),
        write_blue: permit.may_at(P::ProcedureWriteBlue, client),
        write_blue_assigned: permit.may_at(P::ProcedureWriteBlueAssigned, client),
        lead: permit.may_at(P::EngagementApprove, client),
        plan: permit.may_at(P::EngagementPlan, client),
    }
}

/// The engagement's own rule, or the organisation's.
pub fn rule<A: Action>(permit: &Permit<A>, own: Option<&str>) -> WriteRule {
    own.and_then(|own| own.parse().ok()).unwrap_or(permit.viewer().organisation.write_rule)
}

/// The sides that the permit's person may write on one procedure while it is open.
pub(super) fn own_sides<A: Action>(
    conn: &mut PgConnection,
    permit: &Permit<A>,
    (engagement, procedure): (EngagementId, ProcedureId),
    client: ClientId,
    write_rule: Option<&str>,
) -> Result<Sides> {
    let operators = list_operators(conn, engagement, Some(procedure), &Visible::found(client))?;
    let on = |team| operators.is_assigned(procedure, team, permit.viewer().id);
    Ok(sides(rights(permit, client), on(Team::Red), on(Team::Blue), rule(permit, write_rule)))
}
