//! Saving a procedure's fields: check, merge field by field against the history, store, record. The one write
//! path of the procedure page, of Start, and of the inline edits in the engagement's table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;

use super::history::{self, Subject};
use super::work::Work;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::times;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{outcomes, procedures};
use crate::kernel::event::domain::Kind;
use crate::procedures::domain::{
    Field, OutcomeKeys, ProcedureStatus, Severity, Sides, WaitingOn, by_hand_after, check_field,
    check_together,
};
use crate::procedures::merge::{Change, Conflict, Current, Posted, merge};

/// A field as it was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    pub field: Field,
    pub raw: String,
    /// The version that its shown value came from.
    pub base: i32,
}

/// What a save did.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// The procedure's version after it.
    pub version: i32,
    pub accepted: Vec<Change>,
    /// What was not, because somebody else changed it too.
    pub conflicts: Vec<Conflict>,
    /// What only others had changed since the page was loaded.
    pub merged_from_others: Vec<String>,
}

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

impl Fields {
    /// What a form shows of a field, times in `zone`.
    pub fn shown(&self, field: Field, zone: Tz) -> String {
        match self.time(field) {
            Some(at) => times::for_input(at, zone),
            None => self.value(field),
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

    /// The canonical value of a field: what history keeps and merge compares.
    pub fn value(&self, field: Field) -> String {
        let time = |at: Option<DateTime<Utc>>| at.map(times::instant).unwrap_or_default();
        match field {
            Field::Status => self.status.as_str().to_owned(),
            Field::NotApplicableReason => self.not_applicable_reason.clone(),
            Field::Severity => self.severity.map(Severity::as_str).unwrap_or_default().to_owned(),
            Field::WaitingOn => self.waiting_on.map(WaitingOn::as_str).unwrap_or_default().to_owned(),
            Field::Recommendation => self.recommendation.clone(),
            Field::AttackSource => self.attack_source.clone(),
            Field::RedOutcome => self.red_outcome.clone().unwrap_or_default(),
            Field::RedNotes => self.red_notes.clone(),
            Field::ExecutedAt => time(self.executed_at),
            Field::BlueOutcome => self.blue_outcome.clone().unwrap_or_default(),
            Field::BlueNotes => self.blue_notes.clone(),
            Field::DetectedAt => time(self.detected_at),
            Field::DetectedBy => self.detected_by.clone(),
            Field::AlertReference => self.alert_reference.clone(),
            Field::RespondedAt => time(self.responded_at),
        }
    }

    /// Takes a canonical value that [`check_field`] has passed.
    fn set(&mut self, field: Field, value: &str) -> Result<()> {
        let optional = || (!value.is_empty()).then(|| value.to_owned());
        let time = || {
            if value.is_empty() {
                Ok(None)
            } else {
                times::parse(value, Tz::UTC).map(Some).map_err(|s| Error::field(field.name(), s))
            }
        };
        match field {
            Field::Status => self.status = value.parse().map_err(unchecked)?,
            Field::NotApplicableReason => self.not_applicable_reason = value.to_owned(),
            Field::Severity => {
                self.severity = optional().map(|v| v.parse()).transpose().map_err(unchecked)?
            }
            Field::WaitingOn => {
                self.waiting_on = optional().map(|v| v.parse()).transpose().map_err(unchecked)?
            }
            Field::Recommendation => self.recommendation = value.to_owned(),
            Field::AttackSource => self.attack_source = value.to_owned(),
            Field::RedOutcome => self.red_outcome = optional(),
            Field::RedNotes => self.red_notes = value.to_owned(),
            Field::ExecutedAt => self.executed_at = time()?,
            Field::BlueOutcome => self.blue_outcome = optional(),
            Field::BlueNotes => self.blue_notes = value.to_owned(),
            Field::DetectedAt => self.detected_at = time()?,
            Field::DetectedBy => self.detected_by = value.to_owned(),
            Field::AlertReference => self.alert_reference = value.to_owned(),
            Field::RespondedAt => self.responded_at = time()?,
        }
        Ok(())
    }
}

fn unchecked(unknown: crate::kernel::base::text_enum::UnknownValue) -> Error {
    Error::Internal(unknown.into())
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
    typed: &[Typed],
    zone: Tz,
) -> Result<Saved> {
    let mut row: Fields =
        procedures::table.find(work.procedure.0).select(Fields::as_select()).first(tx.conn)?;
    let known: Vec<(String, String, String, Option<DateTime<Utc>>)> = outcomes::table
        .select((outcomes::key, outcomes::team, outcomes::label, outcomes::retired_at))
        .load(tx.conn)?;
    let mut posted = check(&row, typed, &known, zone)?;
    let mut history = history::read(tx.conn, Subject("procedure", work.procedure.0), &posted)?;
    history.initial(Field::Status.name(), ProcedureStatus::NotStarted.as_str());
    let current: Vec<Current> = Field::ALL
        .iter()
        .map(|field| Current {
            field: field.name().to_owned(),
            value: row.value(*field),
            version: history.newest(field.name()).map_or(0, |newest| newest.version),
        })
        .collect();
    for one in &mut posted {
        let time = |value: &str| times::parse(value, Tz::UTC).ok();
        if let Some((field, typed)) =
            one.field.parse::<Field>().ok().filter(|field| field.is_time()).zip(time(&one.value))
        {
            let shown = [time(history.value_at(&one.field, one.base)), row.time(field)];
            one.value = times::instant(times::nearest(typed, zone, shown.into_iter().flatten()));
        }
    }
    let mut outcome = merge(&posted, &current, &history);
    for field in outcome.accepted.iter().map(|c| &c.field).chain(outcome.conflicts.iter().map(|c| &c.field)) {
        let field: Field = field.parse().map_err(unchecked)?;
        if !sides.may_write(field) {
            return Err(Error::Forbidden(format!(
                "{} is not yours to write on this procedure.",
                field.label()
            )));
        }
    }
    hand_over(&row, &mut outcome.accepted);
    for change in &outcome.accepted {
        row.set(change.field.parse().map_err(unchecked)?, &change.new)?;
    }
    check_together(row.status, &row.not_applicable_reason)
        .map_err(|s| Error::field(Field::NotApplicableReason.name(), s))?;
    if !outcome.accepted.is_empty() {
        store(tx, work, &row, &outcome.accepted)?;
        record(work, &outcome.accepted, &known);
    }
    Ok(Saved {
        version: work.version,
        accepted: outcome.accepted,
        conflicts: outcome.conflicts,
        merged_from_others: outcome.merged_from_others,
    })
}

fn check(
    row: &Fields,
    typed: &[Typed],
    known: &[(String, String, String, Option<DateTime<Utc>>)],
    zone: Tz,
) -> Result<Vec<Posted>> {
    let keys = |team: &str, held: &Option<String>| -> Vec<&str> {
        known
            .iter()
            .filter(|(key, of, _, retired)| of == team && (retired.is_none() || Some(key) == held.as_ref()))
            .map(|o| o.0.as_str())
            .collect()
    };
    let (red, blue) = (keys("red", &row.red_outcome), keys("blue", &row.blue_outcome));
    let allowed = OutcomeKeys { red: &red, blue: &blue };
    let mut errors = FieldErrors::default();
    let mut posted = Vec::with_capacity(typed.len());
    for one in typed {
        match check_field(one.field, &one.raw, &allowed, zone) {
            Ok(value) => posted.push(Posted { field: one.field.name().to_owned(), value, base: one.base }),
            Err(sentence) => errors.add(one.field.name(), sentence),
        }
    }
    errors.done()?;
    Ok(posted)
}

/// A choice of whose turn it is holds until an outcome changes.
fn hand_over(row: &Fields, accepted: &mut Vec<Change>) {
    let changed = |field: Field, changes: &[Change]| {
        changes.iter().find(|c| c.field == field.name()).map(|c| c.new.clone())
    };
    let outcome_changed =
        changed(Field::RedOutcome, accepted).is_some() || changed(Field::BlueOutcome, accepted).is_some();
    let chosen = changed(Field::WaitingOn, accepted).map(|value| value.parse::<WaitingOn>().ok());
    let after = by_hand_after(row.waiting_on, chosen, outcome_changed);
    if chosen.is_none() && after != row.waiting_on {
        let word = |value: Option<WaitingOn>| value.map(WaitingOn::as_str).unwrap_or_default().to_owned();
        accepted.push(Change {
            field: Field::WaitingOn.name().to_owned(),
            old: word(row.waiting_on),
            new: word(after),
        });
    }
}

fn store(tx: &mut WriteTx<'_>, work: &mut Work, row: &Fields, accepted: &[Change]) -> Result<()> {
    let version = work.version + 1;
    diesel::update(procedures::table.find(work.procedure.0))
        .set((
            row,
            procedures::version.eq(version),
            procedures::updated_at.eq(tx.now()),
            procedures::updated_by.eq(tx.actor().id.map(|id| id.0)),
        ))
        .execute(tx.conn)?;
    let values: Vec<(&str, &str)> =
        accepted.iter().map(|change| (change.field.as_str(), change.new.as_str())).collect();
    history::note(tx, Subject("procedure", work.procedure.0), version, &values)?;
    work.version_is_raised(version);
    Ok(())
}

fn record(work: &mut Work, accepted: &[Change], known: &[(String, String, String, Option<DateTime<Utc>>)]) {
    let labels: BTreeMap<&str, &str> = known.iter().map(|o| (o.0.as_str(), o.2.as_str())).collect();
    let shown = |field: Field, value: &str| -> String {
        match field {
            Field::RedOutcome | Field::BlueOutcome => labels.get(value).copied().unwrap_or(value).to_owned(),
            Field::Status => {
                value.parse::<ProcedureStatus>().map_or_else(|_| value.to_owned(), |s| s.label().to_owned())
            }
            _ => value.to_owned(),
        }
    };
    let changes: Vec<(Field, String, String)> = accepted
        .iter()
        .filter_map(|c| {
            c.field.parse::<Field>().ok().map(|field| (field, shown(field, &c.old), shown(field, &c.new)))
        })
        .collect();
    let names: Vec<String> = changes.iter().map(|(field, ..)| field.label().to_lowercase()).collect();
    let event = work
        .event(
            Kind::ProcedureSaved,
            format!("Saved procedure {} “{}”: {}", work.position, work.name, names.join(", ")),
        )
        .changes(
            changes.iter().map(|(field, before, after)| {
                (field.name(), before.as_str(), after.as_str(), field.is_long())
            }),
        );
    work.record(event);
}
