//! Operators of an engagement and of those of its procedures that name their own.

use diesel::sql_types::{Array, Bool, Nullable, Text, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;

/// An operator of the engagement, or of one procedure that names its own.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Operator {
    /// The procedure that names its own for this team; none for the engagement's.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub procedure_id: Option<ProcedureId>,
    #[diesel(sql_type = SqlUuid)]
    pub person_id: PersonId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub team: Team,
    /// Whether the person still has access to the client.
    #[diesel(sql_type = Bool)]
    pub has_access: bool,
}

impl Operator {
    /// Whether a procedure names them itself.
    pub fn is_own(&self) -> bool {
        self.procedure_id.is_some()
    }
}

/// Operators of an engagement and those that its procedures, or `only` this one, name for themselves, by team
/// and name.
pub fn list_operators(
    conn: &mut PgConnection,
    engagement: EngagementId,
    only: Option<ProcedureId>,
    visible: &Visible,
) -> Result<Vec<Operator>> {
    // sql_query: both kinds in one statement, since the pages have a fixed number of them.
    Ok(diesel::sql_query(
        "SELECT o.procedure_id, o.person_id, p.name, o.team, p.status <> 'disabled' AND p.deleted_at IS NULL
            AND EXISTS (SELECT FROM client_access a WHERE a.client_id = e.client_id AND a.person_id = p.id)
            AS has_access
         FROM engagements e
         JOIN (SELECT NULL::uuid AS procedure_id, engagement_id, person_id, team
                FROM engagement_operators WHERE engagement_id = $1
            UNION ALL
            SELECT o.procedure_id, q.engagement_id, o.person_id, o.team
                FROM procedures q JOIN procedure_operators o ON o.procedure_id = q.id
                WHERE q.engagement_id = $1 AND ($2::uuid IS NULL OR q.id = $2)) o ON o.engagement_id = e.id
         JOIN people p ON p.id = o.person_id
         WHERE e.client_id = ANY ($3)
         ORDER BY o.team DESC, p.name, p.id",
    )
    .bind::<SqlUuid, _>(engagement)
    .bind::<Nullable<SqlUuid>, _>(only)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .load(conn)?)
}

/// The operators who apply to a procedure on a side: its own, or where it names none for that team the
/// engagement's. [`super::list_waiting`] has the same rule in SQL.
pub fn operators_of(all: &[Operator], procedure: ProcedureId, team: Team) -> impl Iterator<Item = &Operator> {
    let own = all.iter().any(|o| o.procedure_id == Some(procedure) && o.team == team);
    all.iter().filter(move |o| o.team == team && o.procedure_id == own.then_some(procedure))
}

/// Whether somebody is one of those who apply.
pub fn is_assigned(all: &[Operator], procedure: ProcedureId, team: Team, person: PersonId) -> bool {
    operators_of(all, procedure, team).any(|operator| operator.person_id == person)
}
