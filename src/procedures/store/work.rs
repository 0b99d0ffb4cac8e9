//! The way into every write on a procedure's work: locks in order (engagement `FOR SHARE`, then the
//! procedure), applies what is due, asks the editing rule and finds out which side the person writes.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

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
    starts_at: Option<DateTime<Utc>>,
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
    // Looked at before it is locked: what is due needs the row for itself, and a share lock cannot be raised
    // to that without two savers waiting for each other.
    let mut row = engagement_row(tx.conn, engagement, &visible, false)?;
    permit.check(row.client_id)?;
    let submitted;
    if row.status.as_of(row.starts_at, tx.now()) != row.status {
        let (locked, due) = lock_engagement(tx, engagement, &visible)?;
        (row.status, row.title) = (locked.status, locked.title);
        submitted = locked.facts.submitted;
        events.extend(due);
    } else {
        row = engagement_row(tx.conn, engagement, &visible, true)?;
        submitted = row.submitted_at.is_some();
    }
    let (name, position, version): (String, i32, i32) = procedures::table
        .find(procedure)
        .filter(procedures::engagement_id.eq(engagement))
        .select((procedures::name, procedures::position, procedures::version))
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

fn engagement_row(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
    lock: bool,
) -> Result<EngagementRow> {
    let query = engagements::table
        .find(id)
        .filter(engagements::client_id.eq_any(visible.ids()).and(engagements::deleted_at.is_null()))
        .select(EngagementRow::as_select());
    Ok(if lock { query.for_share().first(conn)? } else { query.first(conn)? })
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
