//! What was done on a procedure beside its fields, whose turn it is and whether it is ready, in SQL: of one
//! table or alias.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz};

use super::fields::Fields;
use crate::kernel::base::query::prelude::*;
use crate::procedures::domain::{Done, ObservationWindow, ProcedureStatus};
use crate::settings::domain::{Meaning, Outcome};

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

/// Whether an answer is one of those that a condition picks from its team's outcomes: asked once for a whole
/// list, and not once for each of its rows.
fn answer_is(answer: &str, condition: &str) -> String {
    format!("coalesce({answer} = ANY (ARRAY(SELECT o.key FROM outcomes o WHERE {condition})), false)")
}

/// Whether red's answer says that it was not attempted.
fn not_attempted_sql(procedure: &str) -> String {
    answer_is(&format!("{procedure}.red_outcome"), "o.team = 'red' AND NOT o.attempted")
}

/// When blue looks again, as [`ObservationWindow::look_again`] has it; NULL where its answer stands.
pub fn look_again_sql(procedure: &str) -> String {
    let end = format!("{procedure}.executed_at + make_interval(mins => e.observation_window::int)");
    format!(
        "CASE WHEN {procedure}.blue_answered_at IS NULL OR {procedure}.executed_at IS NULL
            OR {procedure}.status = 'not_applicable' OR NOT {may_change} OR {not_attempted} THEN NULL ELSE (
            SELECT {end} FROM engagements e
            WHERE e.id = {procedure}.engagement_id AND e.observation_window <> '0'
                AND {procedure}.blue_answered_at < {end}) END",
        may_change = answer_is(
            &format!("{procedure}.blue_outcome"),
            "o.team = 'blue' AND o.score IS NOT NULL AND NOT o.prevented AND NOT o.alerted"
        ),
        not_attempted = not_attempted_sql(procedure)
    )
}

/// Whose turn it is on a procedure at `now`, an expression of SQL, as [`Done::turn`] has it.
pub fn turn_sql(procedure: &str, now: &str) -> String {
    format!(
        "coalesce({procedure}.waiting_on, CASE
            WHEN {procedure}.status = 'not_applicable' OR {not_attempted} THEN 'nobody'
            WHEN {procedure}.red_outcome IS NULL THEN
                CASE WHEN {procedure}.blue_outcome IS NULL AND {procedure}.executed_at IS NOT NULL
                    OR {look_again} <= {now} THEN 'both' ELSE 'red' END
            WHEN {procedure}.blue_outcome IS NULL THEN 'blue'
            WHEN {look_again} <= {now} THEN CASE WHEN {cleanup_left} THEN 'both' ELSE 'blue' END
            WHEN {cleanup_left} THEN 'red' ELSE 'nobody' END)",
        not_attempted = not_attempted_sql(procedure),
        look_again = look_again_sql(procedure),
        cleanup_left = cleanup_left_sql(procedure)
    )
}

/// The same as a column, once every window has ended: who reads it takes back what is still to come.
pub fn turn_column() -> SqlLiteral<Text> {
    sql(&turn_sql("procedures", "'infinity'::timestamptz"))
}

pub fn look_again_column() -> SqlLiteral<Nullable<Timestamptz>> {
    sql(&look_again_sql("procedures"))
}

/// Whether a procedure can begin: somebody had something to prepare, every prerequisite is ticked, and every
/// input that no default fills has a value. What has begun is not marked any more.
pub fn ready_column() -> SqlLiteral<Bool> {
    const OPEN: &str = "jsonb_array_elements_text(procedures.inputs -> 'names') AS open (name)
        WHERE NOT jsonb_exists(procedures.inputs -> 'defaults', open.name)";
    sql(&format!(
        "(procedures.status = 'not_started' AND procedures.executed_at IS NULL
            AND (procedures.prerequisite_ids <> '{{}}'
                OR procedures.inputs -> 'names' <> '[]' AND EXISTS (SELECT FROM {OPEN}))
            AND procedures.prerequisite_ids <@ ARRAY(
                SELECT t.step_id FROM step_ticks t WHERE t.procedure_id = procedures.id)
            AND NOT EXISTS (SELECT FROM {OPEN}
                AND NOT EXISTS (SELECT FROM procedure_inputs i WHERE i.procedure_id = procedures.id
                    AND i.name = open.name AND i.value <> '')
                AND NOT EXISTS (SELECT FROM engagement_inputs i
                    WHERE i.engagement_id = procedures.engagement_id
                        AND i.name = open.name AND i.value <> '')))"
    ))
}

/// What the answers of a procedure mean, as far as its status and turn follow them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answered {
    /// Whether red's answer says that it was not attempted.
    pub not_attempted: bool,
    /// None while blue has not answered.
    pub blue: Option<Meaning>,
    pub window: ObservationWindow,
}

impl Fields {
    /// What both answers mean as they stand.
    pub fn answered(&self, outcomes: &[Outcome], window: ObservationWindow) -> Answered {
        let held = |key: &Option<String>| {
            let found = key.as_ref().and_then(|key| outcomes.iter().find(|outcome| &outcome.key == key));
            found.map(|outcome| outcome.meaning)
        };
        Answered {
            not_attempted: held(&self.red_outcome).is_some_and(|red| !red.attempted),
            blue: held(&self.blue_outcome),
            window,
        }
    }

    /// When blue looks again, where its answer is provisional.
    pub fn look_again(&self, answered: Answered) -> Option<DateTime<Utc>> {
        if answered.not_attempted || self.status == ProcedureStatus::NotApplicable {
            return None;
        }
        answered.window.look_again(self.executed_at, self.blue_answered_at, answered.blue)
    }

    pub fn done(&self, ticked: Ticked, answered: Answered) -> Done {
        Done {
            executed: self.executed_at.is_some(),
            stepped: ticked.stepped,
            logged: ticked.logged,
            red_answered: self.red_outcome.is_some(),
            not_attempted: answered.not_attempted,
            blue_answered: self.blue_outcome.is_some(),
            cleanup_left: ticked.cleanup_left,
            look_again: self.look_again(answered),
        }
    }
}
