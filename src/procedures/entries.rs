//! A log entry as typed: text, start and end in the engagement's zone. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::kernel::base::error::{Error, FieldErrors};
use crate::kernel::base::text::{LONG_TEXT_BYTES, check_text};
use crate::kernel::base::times;

/// A log entry's form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedEntry {
    /// Stored value of the team; fixed once the entry exists.
    #[serde(default)]
    pub team: String,
    #[serde(default)]
    pub text: String,
    /// Wall clock of `zone`.
    #[serde(default)]
    pub starts_at: String,
    /// Wall clock of `zone`; may be empty.
    #[serde(default)]
    pub ends_at: String,
    /// The zone in which the form was shown.
    #[serde(default)]
    pub zone: String,
    /// The version that was shown; none for a new entry.
    #[serde(default)]
    pub version: i32,
    /// Name of the time field whose Now was pressed, without scripts.
    #[serde(default)]
    pub now: String,
}

/// A log entry's content, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryText {
    pub text: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
}

/// Log entries of one procedure, both teams' together.
pub const ENTRIES: i64 = 500;
/// Their texts together, in bytes.
pub const ENTRIES_BYTES: i64 = 4 << 20;
/// Log entries that a page shows at once, the newest ones; the others come on asking.
pub const SHOWN: i64 = 100;
/// Their texts together, in bytes: a page stays a page.
pub const SHOWN_BYTES: i64 = 256 << 10;

/// The sentence where a procedure's log is full.
pub const FULL: &str = "The log of this procedure is full: it holds 500 entries, or 4 MiB of text. Edit an \
    entry, or attach a file.";

/// The sentence of an end before its start, from the check and from the table's constraint alike.
pub const END_BEFORE_START: &str = "The end lies before the start. Choose a later end.";

impl TypedEntry {
    /// The zone in which the times were typed: the one that the form was shown in, else the engagement's.
    pub fn zone(&self, engagement: Tz) -> Tz {
        times::zone(&self.zone).unwrap_or(engagement)
    }

    /// Checks every field. A time that shows one of `known` as it was saved means that very instant.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a sentence for each field.
    pub fn check(&self, engagement: Tz, known: &[DateTime<Utc>]) -> Result<EntryText, Error> {
        let zone = self.zone(engagement);
        let mut errors = FieldErrors::default();
        let same = |typed| times::nearest(typed, zone, known.iter().copied());
        let text = match check_text("The entry", false, &self.text, LONG_TEXT_BYTES, true) {
            Ok(text) if text.is_empty() => Err("Write what happened.".to_owned()),
            checked => checked,
        };
        let starts_at = match self.starts_at.trim() {
            "" => Err("Give the time at which it began.".to_owned()),
            typed => times::parse(typed, zone).map(same),
        };
        let ends_at = match self.ends_at.trim() {
            "" => Ok(None),
            typed => times::parse(typed, zone).map(same).map(Some),
        };
        // An instant is what it says; a wall clock that comes twice ends it after it began.
        let ends_at = match (&starts_at, ends_at) {
            (Ok(start), Ok(Some(end))) if !self.ends_at.trim().ends_with('Z') => {
                Ok(Some(times::not_before(*start, end, zone)))
            }
            (_, ends_at) => ends_at,
        };
        if let (Ok(start), Ok(Some(end))) = (&starts_at, &ends_at)
            && end < start
        {
            errors.add("ends_at", END_BEFORE_START);
        }
        let text = text.map_err(|sentence| errors.add("text", sentence)).ok();
        let starts_at = starts_at.map_err(|sentence| errors.add("starts_at", sentence)).ok();
        let ends_at = ends_at.map_err(|sentence| errors.add("ends_at", sentence)).ok();
        match (errors.is_empty(), text, starts_at, ends_at) {
            (true, Some(text), Some(starts_at), Some(ends_at)) => Ok(EntryText { text, starts_at, ends_at }),
            _ => Err(Error::Invalid(errors)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str, starts_at: &str, ends_at: &str) -> TypedEntry {
        TypedEntry {
            text: text.into(),
            starts_at: starts_at.into(),
            ends_at: ends_at.into(),
            ..TypedEntry::default()
        }
    }

    #[test]
    fn an_entry_has_text_and_start_and_does_not_end_before() {
        let ok = typed("Ran it.\r\n", "2026-11-21T14:05:08", "2026-11-21T14:06").check(Tz::UTC, &[]).unwrap();
        assert_eq!(ok.text, "Ran it.");
        assert_eq!(ok.ends_at.unwrap() - ok.starts_at, chrono::TimeDelta::seconds(52));
        let Err(Error::Invalid(errors)) = typed(" ", "", "soon").check(Tz::UTC, &[]) else {
            panic!("refused")
        };
        assert_eq!(errors.0.len(), 3);
        let Err(Error::Invalid(errors)) =
            typed("x", "2026-11-21T14:05", "2026-11-21T14:04:59").check(Tz::UTC, &[])
        else {
            panic!("refused")
        };
        assert_eq!(errors.get("ends_at"), Some(END_BEFORE_START));
        assert!(typed("x", "2026-11-21T14:05", "2026-11-21T14:05").check(Tz::UTC, &[]).is_ok());
    }

    #[test]
    fn an_entry_over_the_hour_that_comes_twice_ends_after_it_began() {
        let over = |ends_at| {
            let entry =
                TypedEntry { zone: "America/New_York".into(), ..typed("x", "2026-11-01T01:50", ends_at) };
            entry.check(Tz::UTC, &[]).map(|entry| entry.ends_at.unwrap() - entry.starts_at)
        };
        assert_eq!(over("2026-11-01T01:10").unwrap(), chrono::TimeDelta::minutes(20));
        assert!(over("2026-11-01T05:10:00Z").is_err() && over("2026-11-01T00:50").is_err());
    }

    #[test]
    fn text_is_limited_and_plain() {
        assert!(typed(&"x".repeat(LONG_TEXT_BYTES), "2026-11-21T14:05", "").check(Tz::UTC, &[]).is_ok());
        assert!(typed(&"x".repeat(LONG_TEXT_BYTES + 1), "2026-11-21T14:05", "").check(Tz::UTC, &[]).is_err());
        assert!(typed("a\u{0}", "2026-11-21T14:05", "").check(Tz::UTC, &[]).is_err());
    }

    #[test]
    fn times_are_read_in_the_zone_that_the_form_was_shown_in() {
        let lisbon = TypedEntry { zone: "Europe/Lisbon".into(), ..typed("x", "2026-07-01T12:00", "") };
        assert_eq!(lisbon.check(Tz::UTC, &[]).unwrap().starts_at.to_rfc3339(), "2026-07-01T11:00:00+00:00");
        let unknown = TypedEntry { zone: "Mars/Olympus".into(), ..typed("x", "2026-07-01T12:00", "") };
        assert_eq!(unknown.check(Tz::UTC, &[]).unwrap().starts_at.to_rfc3339(), "2026-07-01T12:00:00+00:00");
    }
}
