//! What the pages of a procedure's parts read before anything is written: where they stand and what the
//! person may do.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::work::own_sides;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{engagements, procedures};
use crate::kernel::web::permit::{Action, Permit};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::{Sides, working_allowed};

/// A procedure as far as its parts need it.
#[derive(Debug, Clone)]
pub struct Head {
    pub engagement: EngagementId,
    pub client: ClientId,
    pub engagement_title: String,
    pub zone: Tz,
    pub procedure: ProcedureId,
    pub name: String,
    /// Its place in the engagement.
    pub position: i32,
    /// What the person may write; nothing where the work is closed.
    pub sides: Sides,
    /// Whether the person leads at this client.
    pub lead: bool,
    /// Why nothing can be written, where that is so.
    pub closed: Option<String>,
}

type Columns = (
    ClientId,
    String,
    EngagementStatus,
    Zone,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<String>,
    String,
    i32,
);

/// A procedure of a visible client, in two statements.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`] when it is not there or the client is foreign, `Forbidden`
/// without the permit's right.
pub fn get<A: Action>(
    conn: &mut PgConnection,
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    now: DateTime<Utc>,
) -> Result<Head> {
    let row: Columns = procedures::table
        .inner_join(engagements::table.on(engagements::id.eq(procedures::engagement_id)))
        .filter(procedures::id.eq(procedure).and(engagements::id.eq(engagement)))
        .filter(engagements::client_id.eq_any(permit.visible().ids()))
        .filter(engagements::deleted_at.is_null())
        .select((
            engagements::client_id,
            engagements::title,
            engagements::status,
            engagements::time_zone,
            engagements::starts_at,
            engagements::submitted_at,
            engagements::write_rule,
            procedures::name,
            procedures::position,
        ))
        .first(conn)?;
    let (client, engagement_title, status, time_zone, starts_at, submitted_at, write_rule, name, position) =
        row;
    permit.check(client)?;
    let closed =
        working_allowed(status.as_of(starts_at, now), submitted_at.is_some()).err().map(|refusal| refusal.0);
    let may = own_sides(conn, permit, (engagement, procedure), client, write_rule.as_deref())?;
    Ok(Head {
        engagement,
        client,
        engagement_title,
        zone: time_zone.tz(),
        procedure,
        name,
        position,
        sides: if closed.is_none() { may } else { Sides::default() },
        lead: permit.may_at(P::EngagementApprove, client),
        closed,
    })
}
