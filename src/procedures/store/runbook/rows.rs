//! Rows of procedures.

use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, EngagementId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::procedures;
use crate::procedures::domain::{ProcedureStatus, Severity, Turn, WaitingOn};
use crate::procedures::store::done::{look_again_column, ready_column, turn_column};
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz};

/// A procedure as tables and lists show it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
pub struct ProcedureRow {
    pub id: ProcedureId,
    pub position: i32,
    pub name: String,
    pub technique_ids: Vec<String>,
    /// Short names of its tactics.
    pub tactics: Vec<String>,
    pub status: ProcedureStatus,
    /// Severity of its finding.
    pub severity: Option<Severity>,
    /// Whose turn it is.
    #[diesel(select_expression = turn_column(), select_expression_type = SqlLiteral<Text>)]
    pub turn: Turn,
    /// Whose turn somebody chose that it is.
    pub waiting_on: Option<WaitingOn>,
    /// When blue looks again, where its answer is provisional.
    #[diesel(select_expression = look_again_column())]
    #[diesel(select_expression_type = SqlLiteral<Nullable<Timestamptz>>)]
    pub look_again: Option<DateTime<Utc>>,
    /// Whether everything is prepared, and it has not begun.
    #[diesel(select_expression = ready_column(), select_expression_type = SqlLiteral<Bool>)]
    pub ready: bool,
    /// Key of the red outcome.
    pub red_outcome: Option<String>,
    /// Key of the blue outcome.
    pub blue_outcome: Option<String>,
    pub version: i32,
}

impl ProcedureRow {
    /// As it stands at `now`: what blue looks at again is not its turn before.
    fn seen_at(mut self, now: DateTime<Utc>) -> Self {
        if self.waiting_on.is_none() && self.look_again.is_some_and(|at| at > now) {
            self.turn = self.turn.without_blue();
        }
        self
    }
}

/// Nothing waits on anybody where no work is allowed.
pub fn pause_turns(rows: &mut [ProcedureRow]) {
    for row in rows {
        (row.turn, row.look_again) = (Turn::Nobody, None);
    }
}

/// The procedures of an engagement of one of these clients, in order; `select` what a page needs of them.
#[auto_type]
pub fn procedures_of<'a>(engagement: EngagementId, visible: &'a [ClientId]) -> _ {
    procedures::table
        .filter(procedures::engagement_id.eq(engagement))
        .filter(procedures::client_id.eq_any(visible))
        .order(procedures::position)
}

/// The procedures of an engagement, in order, as they stand at `now`.
pub fn list_procedures(
    conn: &mut PgConnection,
    engagement: EngagementId,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<Vec<ProcedureRow>> {
    let rows = procedures_of(engagement, visible.ids()).select(ProcedureRow::as_select());
    Ok(rows.load(conn)?.into_iter().map(|row: ProcedureRow| row.seen_at(now)).collect())
}

/// One procedure of an engagement.
///
/// # Errors
/// [`Error::NotFound`] when it is not one of the engagement's, or the engagement another client's.
pub fn get_procedure(
    conn: &mut PgConnection,
    engagement: EngagementId,
    procedure: ProcedureId,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<ProcedureRow> {
    let row: ProcedureRow = procedures_of(engagement, visible.ids())
        .filter(procedures::id.eq(procedure))
        .select(ProcedureRow::as_select())
        .first(conn)?;
    Ok(row.seen_at(now))
}

/// The procedure of an engagement that a short key stands for.
///
/// # Errors
/// [`Error::NotFound`] when no procedure of the engagement, or more than one, ends like this.
pub fn get_procedure_by_key(
    conn: &mut PgConnection,
    engagement: EngagementId,
    key: &str,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<ProcedureRow> {
    let mut rows = list_procedures(conn, engagement, visible, now)?;
    rows.retain(|row| row.id.short_key() == key);
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        _ => Err(Error::NotFound),
    }
}
