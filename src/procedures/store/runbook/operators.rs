//! Operators of an engagement and of those of its procedures that name their own.

use std::collections::HashMap;
use std::ops::Deref;

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

/// Operators of an engagement and of its procedures, in order. Each row of a runbook asks for its own more
/// than once, so they are found without walking through all.
#[derive(Debug, Clone, Default)]
pub struct Assignments {
    all: Vec<Operator>,
    /// Places in `all` of those who are named by a procedure, or by the engagement, for a team.
    named: HashMap<(Option<ProcedureId>, Team), Vec<usize>>,
}

impl From<Vec<Operator>> for Assignments {
    fn from(all: Vec<Operator>) -> Self {
        let mut named: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, operator) in all.iter().enumerate() {
            named.entry((operator.procedure_id, operator.team)).or_default().push(place);
        }
        Self { all, named }
    }
}

impl Deref for Assignments {
    type Target = [Operator];

    fn deref(&self) -> &[Operator] {
        &self.all
    }
}

impl Assignments {
    /// Those who apply to a procedure on a side: its own, or where it names none for that team the
    /// engagement's. [`super::list_waiting`] has the same rule in SQL.
    pub fn of(&self, procedure: ProcedureId, team: Team) -> impl Iterator<Item = &Operator> {
        let own = self.named.get(&(Some(procedure), team));
        let places = own.or_else(|| self.named.get(&(None, team)));
        places.into_iter().flatten().map(|place| &self.all[*place])
    }

    /// Whether somebody is one of those who apply.
    pub fn is_assigned(&self, procedure: ProcedureId, team: Team, person: PersonId) -> bool {
        self.of(procedure, team).any(|operator| operator.person_id == person)
    }
}

/// Operators of an engagement and those that its procedures, or `only` this one, name for themselves, by team
/// and name.
pub fn list_operators(
    conn: &mut PgConnection,
    engagement: EngagementId,
    only: Option<ProcedureId>,
    visible: &Visible,
) -> Result<Assignments> {
    // sql_query: both kinds in one statement, since the pages have a fixed number of them.
    let all: Vec<Operator> = diesel::sql_query(
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
    .load(conn)?;
    Ok(all.into())
}
