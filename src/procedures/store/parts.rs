//! What is stored at once on a procedure: Start, ticks, input values, its own operators.

use std::collections::BTreeSet;

use super::logs::insert as insert_entry;
use super::page::list_candidates;
use super::runbook::list_operators;
use super::save::{follow_work, save_fields};
use super::work::Work;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, LogEntryId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::check_text;
use crate::kernel::base::times;
use crate::kernel::db::schema::{log_entries, procedure_inputs, procedure_operators, procedures, step_ticks};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::record::{NEWEST, Saved, Typed};
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::library::domain::{ProcedureBody, StepKind};
use crate::lifecycle::store::{lock_engagement, touch};
use crate::procedures::domain::{Field, ProcedureStatus, Sides, WaitingOn, planning_allowed};
use crate::procedures::entries::EntryText;
use crate::procedures::inputs::{TypedInput, Values, check_seen};
use crate::settings::store::list_outcomes;

/// Red starts the procedure: executed now, and a log entry that says so. Its status follows, as after any
/// work.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write red, [`Error::Refused`] where a time of execution stands
/// already, or the procedure is Not Applicable.
pub fn start(tx: &mut WriteTx<'_>, work: &mut Work) -> Result<Saved<Field>> {
    if !work.sides.red {
        return Err(Error::Forbidden("Only the red team starts a procedure.".into()));
    }
    if work.fields.executed_at.is_some() {
        return Err(Error::Refused("A time of execution stands here already. Change it in the form.".into()));
    }
    if work.fields.status == ProcedureStatus::NotApplicable {
        return Err(Error::Refused(
            "This procedure is Not Applicable. Choose another status before you start it.".into(),
        ));
    }
    // The entry first: the status follows it along with the time.
    work.ticked.logged = true;
    // The newest base there is: Start takes what stands there now, whoever wrote it.
    let executed = Typed { field: Field::ExecutedAt, raw: times::instant(tx.now()), base: NEWEST };
    let saved = save_fields(tx, work, work.sides, &[executed], work.zone)?;
    let author = tx.actor().id.ok_or(Error::Unauthenticated)?;
    diesel::insert_into(log_entries::table)
        .values((
            log_entries::id.eq(LogEntryId::new()),
            log_entries::engagement_id.eq(work.engagement),
            log_entries::procedure_id.eq(work.procedure),
            log_entries::team.eq(Team::Red),
            log_entries::text.eq("Started."),
            log_entries::starts_at.eq(tx.now()),
            log_entries::author_id.eq(author),
            log_entries::created_at.eq(tx.now()),
            log_entries::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)?;
    let event =
        work.event(Kind::ProcedureStarted, format!("Started procedure {} “{}”", work.position, work.name));
    work.record(event);
    Ok(saved)
}

/// Longest note of a hand-over, in bytes.
pub const NOTE_BYTES: usize = 500;

/// Blue hands the procedure over to red: it waits on red from now on, and a blue log entry says why.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write blue, [`Error::Invalid`] without a note.
pub fn hand_over(tx: &mut WriteTx<'_>, work: &mut Work, note: &str) -> Result<()> {
    if !work.sides.blue {
        return Err(Error::Forbidden("Only the blue team hands over to red.".into()));
    }
    let note = check_text("The note", false, note, NOTE_BYTES, false)
        .map_err(|sentence| Error::field("hand_over_note", sentence))?;
    if note.is_empty() {
        return Err(Error::field("hand_over_note", "Say in a line what red should look at."));
    }
    let turn = Typed { field: Field::WaitingOn, raw: WaitingOn::Red.as_str().to_owned(), base: NEWEST };
    save_fields(tx, work, Sides { shared: true, ..work.sides }, &[turn], work.zone)?;
    let entry = EntryText { text: format!("Handed over to red: {note}"), starts_at: tx.now(), ends_at: None };
    insert_entry(tx, work, Team::Blue, &entry)?;
    Ok(())
}

/// Ticks or unticks a step; a tick that stands already keeps who and when.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write red, nor plans where it is a prerequisite; [`Error::Refused`]
/// for any other step where the engagement is not being worked on; [`Error::NotFound`] for an unknown step.
pub fn tick(tx: &mut WriteTx<'_>, work: &mut Work, step: &str, done: bool) -> Result<()> {
    let body: serde_json::Value =
        procedures::table.find(work.procedure).select(procedures::body).first(tx.conn)?;
    let body: ProcedureBody = serde_json::from_value(body)?;
    let at = body.steps.iter().position(|s| s.id == step).ok_or(Error::NotFound)?;
    let kind = body.steps[at].kind;
    if kind != StepKind::Prerequisite || !work.prepares {
        if let Some(refusal) = &work.closed {
            return Err(Error::Refused(refusal.0.clone()));
        }
        if !work.sides.red {
            return Err(Error::Forbidden("Only the red team ticks steps.".into()));
        }
    }
    let changed = if done {
        let by = tx.actor().id.ok_or(Error::Unauthenticated)?;
        diesel::insert_into(step_ticks::table)
            .values((
                step_ticks::procedure_id.eq(work.procedure),
                step_ticks::step_id.eq(step),
                step_ticks::person_id.eq(by),
                step_ticks::at.eq(tx.now()),
            ))
            .on_conflict_do_nothing()
            .execute(tx.conn)?
    } else {
        diesel::delete(step_ticks::table.find((work.procedure, step))).execute(tx.conn)?
    };
    if changed > 0 {
        let word = match kind {
            StepKind::Prerequisite => "prerequisite",
            StepKind::Step => "step",
            StepKind::Cleanup => "cleanup",
        };
        let (event, verb) =
            if done { (Kind::StepTicked, "Ticked") } else { (Kind::StepUnticked, "Unticked") };
        let event = work
            .event(event, format!("{verb} {word} {} of procedure {} “{}”", at + 1, work.position, work.name));
        work.record(event);
        follow_work(tx, work)?;
    }
    Ok(())
}

/// Blue looked again, and its answer stands: it was recorded now.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write blue, [`Error::Refused`] where nothing is provisional or the
/// window is still open.
pub fn look_again(tx: &mut WriteTx<'_>, work: &mut Work) -> Result<()> {
    if !work.sides.blue {
        return Err(Error::Forbidden("Only the blue team looks again.".into()));
    }
    let outcomes = list_outcomes(tx.conn)?;
    let Some(at) = work.fields.look_again(work.fields.answered(&outcomes, work.window)) else {
        return Err(Error::Refused(
            "Blue’s answer is not provisional: there is nothing to look at again.".into(),
        ));
    };
    if at > tx.now() {
        let when = show::time(at, work.zone);
        return Err(Error::Refused(format!("Alerts may still come in. Look again at {when} or later.")));
    }
    work.fields.blue_answered_at = Some(tx.now());
    diesel::update(procedures::table.find(work.procedure))
        .set(procedures::blue_answered_at.eq(tx.now()))
        .execute(tx.conn)?;
    let stands = work.fields.blue_outcome.as_ref();
    let label =
        outcomes.iter().find(|o| Some(&o.key) == stands).map(|o| o.label.as_str()).unwrap_or_default();
    let sentence = format!("Looked again at procedure {} “{}”: {label} stands", work.position, work.name);
    let event = work.event(Kind::ProcedureSaved, sentence);
    work.record(event);
    follow_work(tx, work)
}

/// Sets the procedure's own input values; an empty one falls back to the engagement's or the default.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write red, whose commands they fill; [`Error::Invalid`] for an input
/// that somebody else set since the form was shown, or one that the procedure does not use.
pub fn save_inputs(tx: &mut WriteTx<'_>, work: &mut Work, typed: &[TypedInput]) -> Result<()> {
    if !work.sides.red {
        return Err(Error::Forbidden("Only the red team sets the inputs of its commands.".into()));
    }
    let body: serde_json::Value =
        procedures::table.find(work.procedure).select(procedures::body).first(tx.conn)?;
    let known = serde_json::from_value::<ProcedureBody>(body)?.placeholders();
    let before: Values = procedure_inputs::table
        .filter(procedure_inputs::procedure_id.eq(work.procedure))
        .select((procedure_inputs::name, procedure_inputs::value))
        .load::<(String, String)>(tx.conn)?
        .into_iter()
        .collect();
    if let Some(strange) = typed.iter().find(|one| !known.contains(&one.name)) {
        return Err(Error::field(&strange.name, "This procedure does not use this input. Reload the page."));
    }
    check_seen(typed, &before).map_err(Error::Invalid)?;
    let old = |name: &str| before.get(name).map(String::as_str).unwrap_or_default();
    let changed: Vec<(&str, &str, &str)> = typed
        .iter()
        .filter(|one| old(&one.name) != one.value)
        .map(|one| (one.name.as_str(), old(&one.name), one.value.as_str()))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = changed.iter().map(|c| c.0).collect();
    diesel::delete(procedure_inputs::table.filter(
        procedure_inputs::procedure_id.eq(work.procedure).and(procedure_inputs::name.eq_any(&names)),
    ))
    .execute(tx.conn)?;
    let rows: Vec<_> = changed
        .iter()
        .filter(|c| !c.2.is_empty())
        .map(|c| {
            (
                procedure_inputs::procedure_id.eq(work.procedure),
                procedure_inputs::name.eq(c.0),
                procedure_inputs::value.eq(c.2),
            )
        })
        .collect();
    diesel::insert_into(procedure_inputs::table).values(&rows).execute_anew(tx.conn)?;
    // Values may be credentials: the event names the inputs and nothing more.
    let event = work
        .event(
            Kind::InputsChanged,
            format!("Set inputs of procedure {} “{}”: {}", work.position, work.name, names.join(", ")),
        )
        .detail(serde_json::json!({ "inputs": names }));
    work.record(event);
    Ok(())
}

/// Sets the procedure's own operators for both teams; an empty list falls back to the engagement's.
///
/// # Errors
/// [`Error::Refused`] when the engagement can no longer be planned.
pub fn save_operators(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    engagement: EngagementId,
    procedure: ProcedureId,
    change: &SetChange<(PersonId, Team)>,
) -> Result<Audited<()>> {
    let (locked, due) = lock_engagement(tx, engagement, &permit.visible())?;
    permit.check(locked.client)?;
    planning_allowed(locked.status, locked.facts.submitted).map_err(|refusal| Error::Refused(refusal.0))?;
    let (name, position): (String, i32) = procedures::table
        .find(procedure)
        .filter(procedures::engagement_id.eq(engagement))
        .select((procedures::name, procedures::position))
        .for_update()
        .first(tx.conn)?;
    let before: BTreeSet<(PersonId, Team)> =
        list_operators(tx.conn, engagement, Some(procedure), &Visible::found(locked.client))?
            .iter()
            .filter(|operator| operator.is_own())
            .map(|operator| (operator.person_id, operator.team))
            .collect();
    let mut events: Vec<Event> = due.into_iter().collect();
    let wanted = change.on(before.iter().copied());
    if before != wanted {
        let candidates = list_candidates(tx.conn, engagement, procedure)?;
        if wanted.iter().any(|(person, _)| !candidates.iter().any(|c| c.id == *person)) {
            return Err(Error::Refused(
                "One of the ticked people cannot work for this client. Give them access first.".into(),
            ));
        }
        diesel::delete(procedure_operators::table.filter(procedure_operators::procedure_id.eq(procedure)))
            .execute(tx.conn)?;
        let rows: Vec<_> = wanted
            .iter()
            .map(|(person, team)| {
                (
                    procedure_operators::procedure_id.eq(procedure),
                    procedure_operators::person_id.eq(person),
                    procedure_operators::team.eq(*team),
                )
            })
            .collect();
        diesel::insert_into(procedure_operators::table).values(&rows).execute_anew(tx.conn)?;
        let names = |set: &BTreeSet<(PersonId, Team)>| {
            set.iter().map(|(p, t)| format!("{}:{p}", t.as_str())).collect::<Vec<_>>()
        };
        events.push(
            Event::new(
                Kind::OperatorsChanged,
                format!("Changed the operators of procedure {position} “{name}”"),
            )
            .subject("procedure", procedure.0, &name)
            .engagement(locked.client, engagement)
            .detail(serde_json::json!({ "before": names(&before), "after": names(&wanted) })),
        );
        touch(tx.conn, engagement, tx.now(), &tx.actor().name)?;
    }
    if events.is_empty() { Ok(tx.unchanged(())) } else { tx.audited_all((), &events) }
}
