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
use crate::kernel::web::permit::{Action, Permit, WriteProcedure};
use crate::lifecycle::domain::EngagementStatus;
use crate::lifecycle::store::{lock_engagement, touch};
use crate::procedures::domain::{Sides, WriteRights, sides, working_allowed};
use crate::procedures::store::runbook::{is_assigned, list_operators};

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
    type Row = (String, i32, i32, Fields, Ticked);
    let (name, position, version, fields, ticked): Row = procedures::table
        .find(procedure)
        .filter(procedures::engagement_id.eq(engagement))
        .select((
            procedures::name,
            procedures::position,
            procedures::version,
            Fields::as_select(),
            Ticked::as_select(),
        ))
        .for_update()
        .first(tx.conn)?;
    working_allowed(row.status, submitted).map_err(|refusal| Error::Refused(refusal.0))?;
    let write_rule = row.write_rule.as_deref();
    let sides = own_sides(tx.conn, permit, (engagement, procedure), row.client_id, write_rule)?;
    if !sides.any() {
        return Err(Error::Forbidden("You are not assigned to a side of this procedure.".into()));
    }
    Ok(Work {
        engagement,
        client: row.client_id,
        engagement_title: row.title,
        zone: row.time_zone.tz(),
        procedure,
        name,
        position,
        version,
        fields,
        ticked,
        sides,
        lead: permit.may_at(P::EngagementApprove, row.client_id),
        events,
        version_raised: false,
    })
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
    let on = |team| is_assigned(&operators, procedure, team, permit.viewer().id);
    Ok(sides(rights(permit, client), on(Team::Red), on(Team::Blue), rule(permit, write_rule)))
}
