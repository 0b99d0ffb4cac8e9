//! One way to save what two people may write: a record of fields, and the one save over it.

use super::history::{self, Subject};
use super::{Change, Conflict, Current, History, MergeField, Outcome, Posted, Version, merge, set};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::text_enum::TextEnum;
use crate::kernel::db::WriteTx;

/// The base of whoever takes what stands there now, whoever wrote it.
pub const NEWEST: Version = Version::MAX;

/// A field as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed<F> {
    pub field: F,
    pub raw: String,
    /// The version that its shown value came from.
    pub base: Version,
}

/// What a save did.
#[derive(Debug, Clone)]
pub struct Saved<F> {
    pub accepted: Vec<Change<F>>,
    /// What was not stored, because somebody else changed it too.
    pub conflicts: Vec<Conflict<F>>,
}

impl<F> Default for Saved<F> {
    fn default() -> Self {
        Self { accepted: Vec::new(), conflicts: Vec::new() }
    }
}

impl<F: MergeField> Saved<F> {
    /// Whether anything was stored.
    pub fn changes(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// The change of a field.
    pub fn change(&self, field: F) -> Option<&Change<F>> {
        self.accepted.iter().find(|change| change.field == field)
    }
}

impl<F: MergeField> Change<F> {
    /// The change as an event's detail keeps it: field, before, after, and whether it is too long for that.
    pub fn detail(&self) -> (&str, &str, &str, bool) {
        (self.field.as_str(), &self.old, &self.new, self.field.is_long())
    }
}

/// The fields of a record by their canonical values: what history keeps and the merge compares.
pub trait Columns {
    type Field: MergeField;

    fn get(&self, field: Self::Field) -> String;

    /// Takes a canonical value.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that is none; a checked one is.
    fn set(&mut self, field: Self::Field, value: &str) -> Result<()>;
}

/// Gives a struct its [`Columns`]: each field of the form with the struct's field that holds it.
#[macro_export]
macro_rules! merge_columns {
    ($record:ty: $field:ident { $($variant:ident => $($column:ident).+;)+ }) => {
        impl $crate::kernel::merge::record::Columns for $record {
            type Field = $field;

            fn get(&self, field: $field) -> String {
                match field {
                    $($field::$variant => $crate::kernel::merge::value::Value::to_text(&self.$($column).+),)+
                }
            }

            fn set(&mut self, field: $field, value: &str) -> $crate::kernel::base::error::Result<()> {
                let taken = match field {
                    $($field::$variant => $crate::kernel::merge::value::Value::of_text(value)
                        .map(|value| self.$($column).+ = value),)+
                };
                taken.map_err(|sentence| {
                    $crate::kernel::base::error::Error::field(field.as_str(), sentence)
                })
            }
        }
    };
}

/// What is wrong with fields that do not fit together: the field that says so, and the sentence beside it.
pub type Misfit<F> = (F, &'static str);

/// A locked record that several people write: what its fields accept, and how it is stored.
pub trait Record: Columns {
    /// What its history is filed under.
    fn subject(&self) -> Subject;

    /// The version that it stands at.
    fn version(&self) -> Version;

    /// The canonical value of a field as it was typed.
    ///
    /// # Errors
    /// A sentence for beside the field.
    fn check(&self, field: Self::Field, raw: &str) -> Result<String, String>;

    /// Stores the record, whose fields hold the changes already, as of `version`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that the database does not have, or when it refuses.
    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        changes: &[Change<Self::Field>],
    ) -> Result<()>;

    /// The value that a field has before anybody saves it.
    fn initial(&self, _field: Self::Field) -> &'static str {
        ""
    }

    /// Whether what was typed fits together, told beside what is wrong with single fields.
    fn check_typed(&self, _posted: &[Posted<Self::Field>]) -> Result<(), Misfit<Self::Field>> {
        Ok(())
    }

    /// Whether the record fits together with the changes, some of which may meet another's.
    fn check_whole(&self) -> Result<(), Misfit<Self::Field>> {
        Ok(())
    }

    /// The value that was meant, where a form cannot tell it apart from the one that it showed.
    fn meant(&self, _field: Self::Field, value: String, _shown: &str) -> String {
        value
    }

    /// Adds what changes along with the accepted.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that the record does not take.
    fn follow(&mut self, _accepted: &mut Vec<Change<Self::Field>>) -> Result<()> {
        Ok(())
    }
}

/// Saves typed fields of a locked record. What conflicts is not stored and comes back with both values;
/// everything else is. `may` judges each field that would change.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold (nothing is stored), and what `may`
/// says.
pub fn save<R: Record>(
    tx: &mut WriteTx<'_>,
    record: &mut R,
    typed: &[Typed<R::Field>],
    may: impl Fn(R::Field) -> Result<()>,
) -> Result<Saved<R::Field>> {
    let posted = checked(record, typed)?;
    let mut history = history::read(tx.conn, record.subject(), &posted)?;
    for field in R::Field::ALL {
        history.initial(*field, record.initial(*field));
    }
    let current: Vec<Current<R::Field>> = R::Field::ALL
        .iter()
        .map(|field| Current {
            field: *field,
            value: record.get(*field),
            version: history.newest(field).map_or(0, |newest| newest.version),
        })
        .collect();
    let posted = meant(record, posted, &current, &history);
    let Outcome { mut accepted, conflicts, .. } = merge(&posted, &current, &history);
    let mut touched = accepted.iter().map(|change| change.field).chain(conflicts.iter().map(|c| c.field));
    touched.try_for_each(may)?;
    if accepted.is_empty() {
        whole(record)?;
        return Ok(Saved { accepted, conflicts });
    }
    // A value without history is noted as it was, so that whoever posts it unchanged from an older page is
    // not taken for having changed it.
    let unnoted = |change: &&Change<R::Field>| {
        history.newest(&change.field).is_none() && change.old != record.initial(change.field)
    };
    let first: Vec<Change<R::Field>> = accepted.iter().filter(unnoted).cloned().collect();
    record.follow(&mut accepted)?;
    for change in &accepted {
        record.set(change.field, &change.new)?;
    }
    whole(record)?;
    let version = record.version() + 1;
    record.store(tx, version, &accepted)?;
    let values: Vec<_> = first
        .iter()
        .map(|change| (change.field, 1, change.old.as_str()))
        .chain(accepted.iter().map(|change| (change.field, version, change.new.as_str())))
        .collect();
    history::note(tx, record.subject(), &values)?;
    Ok(Saved { accepted, conflicts })
}

/// Checks what was typed.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold.
pub fn checked<R: Record>(record: &R, typed: &[Typed<R::Field>]) -> Result<Vec<Posted<R::Field>>> {
    let mut errors = FieldErrors::default();
    let mut posted = Vec::with_capacity(typed.len());
    for one in typed {
        match record.check(one.field, &one.raw) {
            Ok(value) => posted.push(Posted { field: one.field, value, base: one.base }),
            Err(sentence) => errors.add(one.field.as_str(), sentence),
        }
    }
    if let Err((field, sentence)) = record.check_typed(&posted) {
        errors.add(field.as_str(), sentence);
    }
    errors.done()?;
    Ok(posted)
}

/// What was posted as it was meant, seen from what the page showed.
fn meant<R: Record>(
    record: &R,
    posted: Vec<Posted<R::Field>>,
    current: &[Current<R::Field>],
    history: &History<R::Field>,
) -> Vec<Posted<R::Field>> {
    let of = |mut one: Posted<R::Field>| {
        let now = current.iter().find(|now| now.field == one.field)?;
        let shown = history.base(now, one.base);
        if one.field.is_set() {
            one.value = set::rebased(shown, &one.value, &now.value);
            one.base = NEWEST;
        } else {
            one.value = record.meant(one.field, one.value, shown);
        }
        Some(one)
    };
    posted.into_iter().filter_map(of).collect()
}

fn whole<R: Record>(record: &R) -> Result<()> {
    record.check_whole().map_err(|(field, sentence)| Error::field(field.as_str(), sentence))
}
