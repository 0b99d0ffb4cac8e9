//! What was done on a procedure beside its fields, and whose turn it is, in SQL: of one table or alias.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{Bool, Text};

use super::fields::Fields;
use crate::kernel::base::query::prelude::*;
use crate::procedures::domain::{Done, Turn};

/// Ticks and log entries, as far as the status follows them.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = procedures, check_for_backend(diesel::pg::Pg))]
pub struct Ticked {
    #[diesel(select_expression = stepped(), select_expression_type = SqlLiteral<Bool>)]
    pub stepped: bool,
    #[diesel(select_expression = logged(), select_expression_type = SqlLiteral<Bool>)]
    pub logged: bool,
    #[diesel(select_expression = sql::<Bool>(&cleanup_left_sql("procedures")))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub cleanup_left: bool,
}

fn stepped() -> SqlLiteral<Bool> {
    sql("EXISTS (SELECT FROM step_ticks t WHERE t.procedure_id = procedures.id
        AND t.step_id = ANY (procedures.step_ids))")
}

fn logged() -> SqlLiteral<Bool> {
    sql("EXISTS (SELECT FROM log_entries l WHERE l.procedure_id = procedures.id AND l.removed_at IS NULL)")
}

/// Whether a cleanup step of the procedure is not ticked.
fn cleanup_left_sql(procedure: &str) -> String {
    format!(
        "({procedure}.cleanup_ids <> '{{}}' AND NOT {procedure}.cleanup_ids <@ ARRAY(
            SELECT t.step_id FROM step_ticks t WHERE t.procedure_id = {procedure}.id))"
    )
}

/// Whose turn it is on a procedure, as [`Done::turn`] has it.
pub fn turn_sql(procedure: &str) -> String {
    format!(
        "coalesce({procedure}.waiting_on, CASE
            WHEN {procedure}.status = 'not_applicable' THEN 'nobody'
            WHEN {procedure}.red_outcome IS NULL THEN
                CASE WHEN {procedure}.executed_at IS NULL OR {procedure}.blue_outcome IS NOT NULL THEN 'red'
                    ELSE 'both' END
            WHEN EXISTS (SELECT FROM outcomes o WHERE o.team = 'red' AND o.key = {procedure}.red_outcome
                AND NOT o.attempted) THEN 'nobody'
            WHEN {procedure}.blue_outcome IS NULL THEN 'blue'
            WHEN {cleanup_left} THEN 'red' ELSE 'nobody' END)",
        cleanup_left = cleanup_left_sql(procedure)
    )
}

/// The same as a column.
pub fn turn_column() -> SqlLiteral<Text> {
    sql(&turn_sql("procedures"))
}

impl Fields {
    /// What was done; `not_attempted` is whether red's answer says so.
    pub fn done(&self, ticked: Ticked, not_attempted: bool) -> Done {
        Done {
            executed: self.executed_at.is_some(),
            stepped: ticked.stepped,
            logged: ticked.logged,
            red_answered: self.red_outcome.is_some(),
            not_attempted,
            blue_answered: self.blue_outcome.is_some(),
            cleanup_left: ticked.cleanup_left,
        }
    }

    /// Whose turn it would be without a choice by hand.
    pub fn turn(&self, ticked: Ticked, not_attempted: bool) -> Turn {
        self.done(ticked, not_attempted).turn(self.status, None)
    }
}
