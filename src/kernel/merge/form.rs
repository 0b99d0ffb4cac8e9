//! The form over a record that merges: what it posts, and what it shows after a save that did not go through
//! whole.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use chrono_tz::Tz;

use super::record::{Saved, Typed};
use super::{Conflict, MergeField, Version};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::show;

/// The fields that a form posted, each with the version that its shown value came from (`base.<field>`, or
/// `version` for a field without one). A conflict is decided by its buttons: `keep` posts the field from the
/// version that was shown as theirs, so that a third save conflicts again; `take` leaves it out.
pub fn typed<F: MergeField>(pairs: &Pairs, fields: &[F]) -> Vec<Typed<F>> {
    let number = |name: &str| pairs.get(name).and_then(|value| value.parse().ok());
    let version: Version = number("version").unwrap_or(0);
    let read = |field: &F| {
        let name = field.as_str();
        let raw = pairs.get(name).filter(|_| pairs.get("take") != Some(name))?.to_owned();
        let kept = pairs.get("keep").filter(|kept| *kept == name);
        let theirs = kept.and_then(|_| number(&format!("theirs.{name}")));
        let base = theirs.or_else(|| number(&format!("base.{name}"))).unwrap_or(version);
        Some(Typed { field: *field, raw, base })
    };
    fields.iter().filter_map(read).collect()
}

/// Whether a name is one that the form of a record posts.
pub fn is_ours<F: MergeField>(name: &str) -> bool {
    let is_field = |name: &str| name.parse::<F>().is_ok();
    match name.split_once('.') {
        Some(("base" | "theirs", field)) => is_field(field),
        Some(_) => false,
        None => matches!(name, "version" | "keep" | "take") || is_field(name),
    }
}

/// Whether a name's value is a version.
pub fn is_version(name: &str) -> bool {
    name == "version" || name.starts_with("base.") || name.starts_with("theirs.")
}

/// A conflict as a page shows it.
#[derive(Debug, Clone)]
pub struct ConflictView {
    /// Name of the field.
    pub field: Cow<'static, str>,
    pub label: String,
    /// Who saved the other value.
    pub by: String,
    pub at: String,
    /// The other value, as people read it.
    pub theirs: String,
    pub mine: String,
    /// The version that "Keep mine" starts from.
    pub version: Version,
}

impl ConflictView {
    /// `read` tells a canonical value as people read it.
    pub fn new<F: MergeField>(
        conflict: &Conflict<F>,
        label: impl Into<String>,
        zone: Tz,
        read: impl Fn(&str) -> String,
    ) -> Self {
        let told = |value: &str| {
            let words = read(value);
            if words.is_empty() { "(empty)".to_owned() } else { words }
        };
        Self {
            field: conflict.field.as_str().into(),
            label: label.into(),
            by: conflict.theirs_by.clone().unwrap_or_else(|| "Somebody".into()),
            at: conflict.theirs_at.map(|at| show::time(at, zone)).unwrap_or_default(),
            theirs: told(&conflict.theirs),
            mine: told(&conflict.mine),
            version: conflict.theirs_version,
        }
    }

    /// First name, for the button.
    pub fn by_short(&self) -> &str {
        self.by.split_whitespace().next().unwrap_or(&self.by)
    }
}

/// What a form shows beside its values.
#[derive(Debug, Clone)]
pub struct Editing<F> {
    /// The version of the values that are shown.
    pub version: Version,
    /// What was typed and is not saved.
    pub unsaved: Vec<Typed<F>>,
    /// What both sides changed.
    pub conflicts: Vec<ConflictView>,
    /// What is wrong with a field.
    pub errors: FieldErrors,
    /// Why nothing is saved.
    pub problem: Option<String>,
}

impl<F> Default for Editing<F> {
    fn default() -> Self {
        Self {
            version: 0,
            unsaved: Vec::new(),
            conflicts: Vec::new(),
            errors: FieldErrors::default(),
            problem: None,
        }
    }
}

impl<F: MergeField> Editing<F> {
    /// A form over a record that stands at `version`.
    pub fn at(version: Version) -> Self {
        Self { version, ..Self::default() }
    }

    /// What a field shows: as typed where that is not saved, otherwise as stored.
    pub fn value(&self, field: F, stored: String) -> String {
        self.unsaved.iter().find(|typed| typed.field == field).map_or(stored, |typed| typed.raw.clone())
    }

    /// What is wrong with a field, by its name.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.get(field)
    }

    /// The conflict of a field, by its name.
    pub fn conflict(&self, field: &str) -> Option<&ConflictView> {
        self.conflicts.iter().find(|conflict| conflict.field == field)
    }
}

/// What the form shows after a save that did not go through whole; nothing after one that did. `read` tells a
/// canonical value as people read it.
///
/// # Errors
/// What is no matter of the form.
pub fn unsaved<F: MergeField>(
    saved: Result<Saved<F>>,
    typed: Vec<Typed<F>>,
    zone: Tz,
    read: impl Fn(F, &str) -> String,
) -> Result<Option<(StatusCode, Editing<F>)>> {
    let (status, errors, problem) = match saved {
        Ok(saved) if saved.conflicts.is_empty() => return Ok(None),
        Ok(saved) => return Ok(Some((StatusCode::CONFLICT, conflicting(&saved, typed, zone, read)))),
        Err(Error::Invalid(errors)) => {
            let problem = "Nothing is saved yet. Look at the marked fields.".to_owned();
            (StatusCode::UNPROCESSABLE_ENTITY, errors, problem)
        }
        // Closed since the form was opened: what was typed stays, to be copied.
        Err(Error::Refused(why) | Error::Conflict(why)) => {
            (StatusCode::CONFLICT, FieldErrors::default(), format!("Nothing is saved. {why}"))
        }
        Err(other) => return Err(other),
    };
    let editing = Editing { unsaved: typed, errors, problem: Some(problem), ..Editing::default() };
    Ok(Some((status, editing)))
}

fn conflicting<F: MergeField>(
    saved: &Saved<F>,
    mut typed: Vec<Typed<F>>,
    zone: Tz,
    read: impl Fn(F, &str) -> String,
) -> Editing<F> {
    typed.retain(|typed| saved.conflicts.iter().any(|conflict| conflict.field == typed.field));
    let view = |conflict: &Conflict<F>| {
        let field = conflict.field;
        ConflictView::new(conflict, field.label(), zone, |value| read(field, value))
    };
    let conflicts = saved.conflicts.iter().map(view).collect();
    Editing { unsaved: typed, conflicts, ..Editing::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::text_enum! {
        pub enum Chapter {
            Title => "title", "Title";
            Scope => "scope", "Scope";
        }
    }

    impl MergeField for Chapter {
        fn is_long(self) -> bool {
            self == Self::Scope
        }
    }

    #[test]
    fn a_choice_decides_a_conflict_from_the_version_shown_as_theirs() {
        let form = [
            ("version", "7"),
            ("base.scope", "3"),
            ("scope", "mine"),
            ("theirs.scope", "6"),
            ("title", "A title"),
        ];
        let of = |extra: (&'static str, &'static str)| {
            let pairs: Pairs = form.into_iter().chain([extra]).collect();
            assert!(extra.0 == "x" || pairs.only(is_ours::<Chapter>).is_ok());
            let scope = typed(&pairs, Chapter::ALL).into_iter().find(|t| t.field == Chapter::Scope);
            scope.map(|scope| (scope.raw, scope.base))
        };
        assert_eq!(of(("x", "")), Some(("mine".to_owned(), 3)));
        assert_eq!(of(("keep", "scope")), Some(("mine".to_owned(), 6)));
        assert_eq!(of(("take", "scope")), None, "theirs stays");
        assert_eq!(of(("keep", "title")), Some(("mine".to_owned(), 3)));
    }

    #[test]
    fn a_form_of_a_record_has_its_fields_and_their_bases() {
        for name in ["version", "scope", "base.scope", "theirs.title", "keep"] {
            assert!(is_ours::<Chapter>(name), "{name}");
        }
        for name in ["owner", "base.owner", "had.scope", "x.y.z"] {
            assert!(!is_ours::<Chapter>(name), "{name}");
        }
    }
}
