//! Saving a procedure's fields: the one write path of the procedure page, of Start, and of the inline edits
//! in the engagement's table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::done::{Answered, Ticked};
use super::fields::Fields;
use super::work::{Planned, Work};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::ProcedureId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::procedures;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::history::{Subject, SubjectKind};
use crate::kernel::merge::record::{Columns, Misfit, NEWEST, Record, Saved, Typed, save};
use crate::kernel::merge::value::Value;
use crate::kernel::merge::{Change, Version};
use crate::procedures::domain::{
    Field, ObservationWindow, OutcomeKeys, ProcedureStatus, Sides, WaitingOn, by_hand_after, check_field,
    check_together, chosen_after,
};
use crate::settings::domain::Outcome;
use crate::settings::store::list_outcomes;

/// A procedure locked for a save, with what its fields may hold.
struct Held {
    id: ProcedureId,
    version: Version,
    fields: Fields,
    ticked: Ticked,
    outcomes: Vec<Outcome>,
    /// Whether a status that is posted is one that follows the work, and nobody's choice.
    follows_only: bool,
    /// The zone in which times were typed.
    zone: Tz,
    window: ObservationWindow,
    now: DateTime<Utc>,
    /// Times that are saved together with the one that follows them.
    executed: Option<DateTime<Utc>>,
    detected: Option<DateTime<Utc>>,
}

impl Columns for Held {
    type Field = Field;

    fn get(&self, field: Field) -> String {
        self.fields.get(field)
    }

    fn set(&mut self, field: Field, value: &str) -> Result<()> {
        self.fields.set(field, value)
    }
}

impl Held {
    /// Outcomes of a team that may be chosen: those in use, and the one that stands there.
    fn keys(&self, team: Team, held: &Option<String>) -> Vec<&str> {
        self.outcomes
            .iter()
            .filter(|o| o.team == team && (o.retired_at.is_none() || Some(&o.key) == held.as_ref()))
            .map(|o| o.key.as_str())
            .collect()
    }

    /// The time that a field has after this save: the one that is typed, else the one that stands there. One
    /// that is no time is told with its field.
    fn typed_time(&self, field: Field, typed: &[Typed<Field>]) -> Option<DateTime<Utc>> {
        let Some(one) = typed.iter().find(|one| one.field == field) else { return self.fields.time(field) };
        let value = self.check(field, &one.raw).ok()?;
        times::parse(&self.meant(field, value, ""), Tz::UTC).ok()
    }

    fn answered(&self) -> Answered {
        self.fields.answered(&self.outcomes, self.window)
    }
}

impl Record for Held {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Procedure, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn initial(&self, field: Field) -> &'static str {
        if field == Field::Status { ProcedureStatus::NotStarted.as_str() } else { "" }
    }

    fn check(&self, field: Field, raw: &str) -> Result<String, String> {
        let red = self.keys(Team::Red, &self.fields.red_outcome);
        let blue = self.keys(Team::Blue, &self.fields.blue_outcome);
        let value = check_field(field, raw, &OutcomeKeys { red: &red, blue: &blue }, self.zone)?;
        let start = match field {
            Field::DetectedAt => self.executed,
            Field::RespondedAt => self.detected.or(self.executed),
            _ => None,
        };
        // An instant is what it says; of a wall clock that comes twice the pass that fits is meant.
        let start = start.filter(|_| !raw.trim().ends_with('Z'));
        Ok(match start.zip(times::parse(&value, Tz::UTC).ok()) {
            Some((start, typed)) => times::instant(times::not_before(start, typed, self.zone)),
            None => value,
        })
    }

    /// A second that comes twice, when the clocks go back, is the one that the page showed.
    fn meant(&self, field: Field, value: String, shown: &str) -> String {
        let time = |value: &str| times::parse(value, Tz::UTC).ok();
        let Some(typed) = time(&value).filter(|_| field.is_time()) else { return value };
        let known = [time(shown), self.fields.time(field)];
        times::instant(times::nearest(typed, self.zone, known.into_iter().flatten()))
    }

    /// A choice of whose turn it is holds until an outcome changes, and so does one of the status, which
    /// follows the work otherwise.
    fn follow(&mut self, accepted: &mut Vec<Change<Field>>) -> Result<()> {
        let changed = |field: Field| accepted.iter().find(|change| change.field == field);
        let blue_changed = changed(Field::BlueOutcome).is_some();
        let outcome_changed = changed(Field::RedOutcome).is_some() || blue_changed;
        let chosen = changed(Field::WaitingOn).map(|change| change.new.parse::<WaitingOn>().ok());
        let status_chosen = changed(Field::Status).is_some() && !self.follows_only;
        let before = self.fields.waiting_on;
        let after = by_hand_after(before, chosen, outcome_changed);
        if chosen.is_none() && after != before {
            accepted.push(Change { field: Field::WaitingOn, old: before.to_text(), new: after.to_text() });
        }
        let stored = self.fields.status;
        for change in &*accepted {
            self.fields.set(change.field, &change.new)?;
        }
        if blue_changed {
            self.fields.blue_answered_at = self.fields.blue_outcome.as_ref().map(|_| self.now);
        }
        let by_hand = self.fields.status_by_hand;
        self.fields.status_by_hand =
            chosen_after(by_hand, self.fields.status, status_chosen, outcome_changed);
        let follows = self.fields.done(self.ticked, self.answered()).status();
        if !self.fields.status_by_hand && !self.follows_only && follows != stored {
            let (old, new) = (stored.to_text(), follows.to_text());
            accepted.push(Change { field: Field::Status, old, new });
        }
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Misfit<Field>> {
        check_together(self.fields.status, &self.fields.not_applicable_reason)
            .map_err(|sentence| (Field::NotApplicableReason, sentence))
    }

    fn store(&mut self, tx: &mut WriteTx<'_>, version: Version, _changes: &[Change<Field>]) -> Result<()> {
        diesel::update(procedures::table.find(self.id.0))
            .set((
                &self.fields,
                procedures::version.eq(version),
                procedures::updated_at.eq(tx.now()),
                procedures::updated_by.eq(tx.actor().id.map(|id| id.0)),
            ))
            .execute(tx.conn)?;
        self.version = version;
        Ok(())
    }
}

/// Saves typed fields on a locked procedure. What conflicts is not stored and comes back with both values;
/// everything else is. `sides` is what this act may write: the person's own, unless the act is one of its own
/// kind. Times were typed in `zone`, the one that the form showed. The event is recorded on `work`; end with
/// [`Work::finish`].
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold (nothing is stored),
/// [`Error::Forbidden`] for a change on a side that the person may not write.
pub fn save_fields(
    tx: &mut WriteTx<'_>,
    work: &mut Work,
    sides: Sides,
    typed: &[Typed<Field>],
    zone: Tz,
) -> Result<Saved<Field>> {
    let mut held = hold(tx, work, zone)?;
    let may = |field: Field| {
        if sides.may_write(field) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("{} is not yours to write on this procedure.", field.label())))
    };
    held.executed = held.typed_time(Field::ExecutedAt, typed);
    held.detected = held.typed_time(Field::DetectedAt, typed);
    let saved = save(tx, &mut held, typed, may)?;
    if saved.changes() {
        work.version_is_raised(held.version);
        work.fields.clone_from(&held.fields);
        record(work, &saved, &held);
    }
    Ok(saved)
}

fn hold(tx: &mut WriteTx<'_>, work: &Work, zone: Tz) -> Result<Held> {
    Ok(Held { outcomes: list_outcomes(tx.conn)?, ..held_of(tx, work, zone) })
}

/// The same without the outcomes.
fn held_of(tx: &WriteTx<'_>, work: &Work, zone: Tz) -> Held {
    Held {
        id: work.procedure,
        version: work.version,
        fields: work.fields.clone(),
        ticked: work.ticked,
        outcomes: Vec::new(),
        follows_only: false,
        zone,
        window: work.window,
        now: tx.now(),
        executed: work.fields.executed_at,
        detected: work.fields.detected_at,
    }
}

/// Brings the statuses that follow the work after the engagement's observation window has changed; the
/// engagement is locked. Gives the events.
///
/// # Errors
/// When the database refuses.
pub fn follow_window(tx: &mut WriteTx<'_>, planned: &Planned) -> Result<Vec<Event>> {
    let outcomes = list_outcomes(tx.conn)?;
    let mut events = Vec::new();
    for mut work in planned.list_work(tx)? {
        let held = Held { follows_only: true, outcomes: outcomes.clone(), ..held_of(tx, &work, work.zone) };
        follow(tx, &mut work, held)?;
        events.extend(work.into_events());
    }
    Ok(events)
}

/// Brings the status of a locked procedure after its ticks and entries have changed, unless somebody chose
/// it. Its event is recorded on `work`.
///
/// # Errors
/// When the database refuses.
pub(super) fn follow_work(tx: &mut WriteTx<'_>, work: &mut Work) -> Result<()> {
    if work.fields.status_by_hand {
        return Ok(());
    }
    work.ticked = procedures::table.find(work.procedure).select(Ticked::as_select()).first(tx.conn)?;
    let held = Held { follows_only: true, ..hold(tx, work, work.zone)? };
    follow(tx, work, held)
}

/// Stores the status that follows from what is held, where it is another.
fn follow(tx: &mut WriteTx<'_>, work: &mut Work, mut held: Held) -> Result<()> {
    let follows = held.fields.done(held.ticked, held.answered()).status();
    if follows == held.fields.status {
        return Ok(());
    }
    let typed = Typed { field: Field::Status, raw: follows.as_str().to_owned(), base: NEWEST };
    let saved = save(tx, &mut held, &[typed], |_| Ok(()))?;
    work.version_is_raised(held.version);
    work.fields.clone_from(&held.fields);
    record(work, &saved, &held);
    Ok(())
}

fn record(work: &mut Work, saved: &Saved<Field>, held: &Held) {
    let labels: BTreeMap<&str, &str> =
        held.outcomes.iter().map(|o| (o.key.as_str(), o.label.as_str())).collect();
    let worded = |field: Field, value: &str| -> String {
        match field {
            Field::RedOutcome | Field::BlueOutcome => labels.get(value).copied().unwrap_or(value).to_owned(),
            Field::Status => {
                value.parse::<ProcedureStatus>().map_or_else(|_| value.to_owned(), |s| s.label().to_owned())
            }
            _ => value.to_owned(),
        }
    };
    let changes: Vec<Change<Field>> = saved
        .accepted
        .iter()
        .map(|c| Change { field: c.field, old: worded(c.field, &c.old), new: worded(c.field, &c.new) })
        .collect();
    let sentence = format!("Saved procedure {} “{}”", work.position, work.name);
    let event = work.event(Kind::ProcedureSaved, sentence).telling(changes.iter().map(Change::detail));
    work.record(event);
}
