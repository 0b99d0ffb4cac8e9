//! Saving a procedure's fields: the one write path of the procedure page, of Start, and of the inline edits
//! in the engagement's table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::work::Work;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::ProcedureId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::times;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{outcomes, procedures};
use crate::kernel::event::domain::Kind;
use crate::kernel::merge::history::{Subject, SubjectKind};
use crate::kernel::merge::record::{Columns, Misfit, Record, Saved, Typed, save};
use crate::kernel::merge::value::Value;
use crate::kernel::merge::{Change, Version};
use crate::procedures::domain::{
    Field, OutcomeKeys, ProcedureStatus, Severity, Sides, WaitingOn, by_hand_after, check_field,
    check_together,
};

/// The fields that people edit, as the row holds them.
#[derive(Debug, Clone, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = procedures, treat_none_as_null = true, check_for_backend(diesel::pg::Pg))]
pub struct Fields {
    pub status: ProcedureStatus,
    pub not_applicable_reason: String,
    pub severity: Option<Severity>,
    pub waiting_on: Option<WaitingOn>,
    pub recommendation: String,
    pub attack_source: String,
    pub red_outcome: Option<String>,
    pub red_notes: String,
    pub executed_at: Option<DateTime<Utc>>,
    pub blue_outcome: Option<String>,
    pub blue_notes: String,
    pub detected_at: Option<DateTime<Utc>>,
    pub detected_by: String,
    pub alert_reference: String,
    pub responded_at: Option<DateTime<Utc>>,
}

crate::merge_columns! {
    Fields: Field {
        Status => status;
        NotApplicableReason => not_applicable_reason;
        Severity => severity;
        WaitingOn => waiting_on;
        Recommendation => recommendation;
        AttackSource => attack_source;
        RedOutcome => red_outcome;
        RedNotes => red_notes;
        ExecutedAt => executed_at;
        BlueOutcome => blue_outcome;
        BlueNotes => blue_notes;
        DetectedAt => detected_at;
        DetectedBy => detected_by;
        AlertReference => alert_reference;
        RespondedAt => responded_at;
    }
}

impl Fields {
    /// What a form shows of a field, times in `zone`.
    pub fn shown(&self, field: Field, zone: Tz) -> String {
        match self.time(field) {
            Some(at) => times::for_input(at, zone),
            None => self.get(field),
        }
    }

    /// The instant of a time field that has one.
    fn time(&self, field: Field) -> Option<DateTime<Utc>> {
        match field {
            Field::ExecutedAt => self.executed_at,
            Field::DetectedAt => self.detected_at,
            Field::RespondedAt => self.responded_at,
            _ => None,
        }
    }
}

/// A procedure locked for a save, with what its fields may hold.
struct Held {
    id: ProcedureId,
    version: Version,
    fields: Fields,
    /// Outcomes: key, team, label, since when retired.
    outcomes: Vec<(String, String, String, Option<DateTime<Utc>>)>,
    /// The zone in which times were typed.
    zone: Tz,
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
    fn keys(&self, team: &str, held: &Option<String>) -> Vec<&str> {
        self.outcomes
            .iter()
            .filter(|(key, of, _, retired)| of == team && (retired.is_none() || Some(key) == held.as_ref()))
            .map(|o| o.0.as_str())
            .collect()
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
        let red = self.keys("red", &self.fields.red_outcome);
        let blue = self.keys("blue", &self.fields.blue_outcome);
        check_field(field, raw, &OutcomeKeys { red: &red, blue: &blue }, self.zone)
    }

    /// A second that comes twice, when the clocks go back, is the one that the page showed.
    fn meant(&self, field: Field, value: String, shown: &str) -> String {
        let time = |value: &str| times::parse(value, Tz::UTC).ok();
        let Some(typed) = time(&value).filter(|_| field.is_time()) else { return value };
        let known = [time(shown), self.fields.time(field)];
        times::instant(times::nearest(typed, self.zone, known.into_iter().flatten()))
    }

    /// A choice of whose turn it is holds until an outcome changes.
    fn follow(&self, accepted: &mut Vec<Change<Field>>) {
        let changed = |field: Field| accepted.iter().find(|change| change.field == field);
        let outcome_changed = changed(Field::RedOutcome).or(changed(Field::BlueOutcome)).is_some();
        let chosen = changed(Field::WaitingOn).map(|change| change.new.parse::<WaitingOn>().ok());
        let before = self.fields.waiting_on;
        let after = by_hand_after(before, chosen, outcome_changed);
        if chosen.is_none() && after != before {
            accepted.push(Change { field: Field::WaitingOn, old: before.to_text(), new: after.to_text() });
        }
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
    let id = work.procedure;
    let fields: Fields = procedures::table.find(id.0).select(Fields::as_select()).first(tx.conn)?;
    let outcomes = outcomes::table
        .select((outcomes::key, outcomes::team, outcomes::label, outcomes::retired_at))
        .load(tx.conn)?;
    let mut held = Held { id, version: work.version, fields, outcomes, zone };
    let may = |field: Field| {
        if sides.may_write(field) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("{} is not yours to write on this procedure.", field.label())))
    };
    let saved = save(tx, &mut held, typed, may)?;
    if saved.changes() {
        work.version_is_raised(held.version);
        record(work, &saved, &held);
    }
    Ok(saved)
}

fn record(work: &mut Work, saved: &Saved<Field>, held: &Held) {
    let labels: BTreeMap<&str, &str> = held.outcomes.iter().map(|o| (o.0.as_str(), o.2.as_str())).collect();
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
    let sentence = format!("Saved procedure {} “{}”: {}", work.position, work.name, saved.labels());
    let event = work.event(Kind::ProcedureSaved, sentence).changes(changes.iter().map(Change::detail));
    work.record(event);
}
