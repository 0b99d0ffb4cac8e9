//! A recorded event outside the database: its canonical bytes, which seals are made over, and its line of
//! JSON, from which the same bytes can be made again.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::kernel::base::harmless::{acts, harmless_json};
use crate::kernel::event::record::Record;

/// What the canonical bytes of an event begin with; another number would mean another order of fields.
const CANONICAL: &[u8] = b"tyrian event 1";

impl Record {
    /// Writes the bytes that seals are made over: every field in this order, each with its length in eight
    /// bytes before it; an absent one has a length of all ones. Numbers have eight bytes, the most
    /// significant first; times count microseconds from 1970 on.
    pub fn canonical(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(CANONICAL);
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
                out.extend_from_slice(bytes);
            }
            None => out.extend_from_slice(&u64::MAX.to_be_bytes()),
        };
        field(Some(&self.at.timestamp_micros().to_be_bytes()));
        field(Some(&self.id.to_be_bytes()));
        field(Some(&self.transaction_id.to_be_bytes()));
        field(Some(self.kind.as_bytes()));
        field(Some(self.category.as_bytes()));
        field(Some(self.outcome.as_bytes()));
        field(self.reason.as_deref().map(str::as_bytes));
        field(Some(self.actor_kind.as_bytes()));
        field(self.actor_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(Some(self.actor_name.as_bytes()));
        field(self.actor_email.as_deref().map(str::as_bytes));
        field(self.on_behalf_of.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.subject_type.as_deref().map(str::as_bytes));
        field(self.subject_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.subject_label.as_deref().map(str::as_bytes));
        field(self.about_person.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.client_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.engagement_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(self.address.as_deref().map(str::as_bytes));
        field(self.user_agent.as_deref().map(str::as_bytes));
        field(self.request_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(Some(self.sentence.as_bytes()));
        field(Some(self.detail.as_bytes()));
        field(Some(self.search_values.as_bytes()));
    }

    /// Its line of JSON, without an end; `proof` stands in it as given. Characters that act on a terminal are
    /// escaped.
    ///
    /// # Errors
    /// When its detail is no JSON, which the database does not let happen.
    pub fn to_line(&self, number: Option<i64>, proof: Option<&RawValue>) -> serde_json::Result<String> {
        let detail: &RawValue = serde_json::from_str(&self.detail)?;
        let line = Line {
            at: self.at.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
            id: self.id,
            transaction_id: self.transaction_id,
            kind: (&self.kind).into(),
            category: (&self.category).into(),
            outcome: (&self.outcome).into(),
            reason: borrowed(&self.reason),
            actor_kind: (&self.actor_kind).into(),
            actor_id: self.actor_id,
            actor_name: (&self.actor_name).into(),
            actor_email: borrowed(&self.actor_email),
            on_behalf_of: self.on_behalf_of,
            subject_type: borrowed(&self.subject_type),
            subject_id: self.subject_id,
            subject_label: borrowed(&self.subject_label),
            about_person: self.about_person,
            client_id: self.client_id,
            engagement_id: self.engagement_id,
            address: borrowed(&self.address),
            user_agent: borrowed(&self.user_agent),
            request_id: self.request_id,
            sentence: (&self.sentence).into(),
            detail,
            search_values: (&self.search_values).into(),
            number,
            proof,
        };
        let line = serde_json::to_string(&line)?;
        Ok(match harmless_json(&line) {
            Cow::Borrowed(_) => line,
            Cow::Owned(safe) => safe,
        })
    }

    /// Reads such a line: the event, its number where it has one, and its proof.
    ///
    /// # Errors
    /// When it is no such line.
    pub fn from_line(line: &str) -> anyhow::Result<(Self, Option<i64>, Option<Box<RawValue>>)> {
        let line: Line<'_> = serde_json::from_str(line)?;
        let record = Self {
            at: read_time(&line.at)?,
            id: line.id,
            transaction_id: line.transaction_id,
            kind: line.kind.into_owned(),
            category: line.category.into_owned(),
            outcome: line.outcome.into_owned(),
            reason: owned(line.reason),
            actor_kind: line.actor_kind.into_owned(),
            actor_id: line.actor_id,
            actor_name: line.actor_name.into_owned(),
            actor_email: owned(line.actor_email),
            on_behalf_of: line.on_behalf_of,
            subject_type: owned(line.subject_type),
            subject_id: line.subject_id,
            subject_label: owned(line.subject_label),
            about_person: line.about_person,
            client_id: line.client_id,
            engagement_id: line.engagement_id,
            address: owned(line.address),
            user_agent: owned(line.user_agent),
            request_id: line.request_id,
            sentence: line.sentence.into_owned(),
            detail: as_recorded(line.detail.get()).into_owned(),
            search_values: line.search_values.into_owned(),
        };
        Ok((record, line.number, line.proof.map(ToOwned::to_owned)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    at: Cow<'a, str>,
    id: i64,
    transaction_id: i64,
    kind: Cow<'a, str>,
    category: Cow<'a, str>,
    outcome: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    actor_kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_id: Option<Uuid>,
    actor_name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_email: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_label: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about_person: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    engagement_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    sentence: Cow<'a, str>,
    #[serde(borrow)]
    detail: &'a RawValue,
    search_values: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    proof: Option<&'a RawValue>,
}

/// Only what [`Record::to_line`] writes: digits beyond the microsecond would be covered by no seal.
fn read_time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text)?.to_utc();
    anyhow::ensure!(at.to_rfc3339_opts(SecondsFormat::Micros, true) == text, "{text} is no time of an event");
    Ok(at)
}

fn borrowed(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}
fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

/// Undoes [`harmless_json`] on the text of a jsonb. PostgreSQL itself escapes only the controls below the
/// space, so every other escape of an acting character is ours.
fn as_recorded(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let unit = |text: &str| {
            text.strip_prefix("\\u").and_then(|rest| u16::from_str_radix(rest.get(..4)?, 16).ok())
        };
        let first = unit(rest);
        let ours = first.and_then(|first| {
            let second = rest.get(6..).and_then(unit);
            match char::decode_utf16([first]).next() {
                Some(Ok(c)) => Some((c, 6)),
                _ => char::decode_utf16([first, second?]).next().and_then(Result::ok).map(|c| (c, 12)),
            }
        });
        match ours.filter(|(c, _)| *c > ' ' && acts(*c)) {
            Some((c, length)) => {
                text.push(c);
                rest = &rest[length..];
            }
            // Another escape: its two characters stay together, so that a backslash that is itself escaped
            // hides nothing.
            None => {
                let length = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
                text.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::event::domain::{ActorKind, EventOutcome};
    use proptest::prelude::*;

    /// An event with these texts everywhere.
    pub(crate) fn record(id: i64, text: &str) -> Record {
        let uuid = Some(Uuid::from_u128(id as u128));
        let some = || Some(text.to_owned());
        Record {
            at: DateTime::UNIX_EPOCH + chrono::TimeDelta::microseconds(1_790_000_000_000_000 + id),
            id,
            transaction_id: id * 2,
            kind: "client.updated".into(),
            category: "clients".into(),
            outcome: EventOutcome::Success.as_str().into(),
            reason: None,
            actor_kind: ActorKind::Person.as_str().into(),
            actor_id: uuid,
            actor_name: text.into(),
            actor_email: some(),
            on_behalf_of: None,
            subject_type: some(),
            subject_id: uuid,
            subject_label: some(),
            about_person: None,
            client_id: uuid,
            engagement_id: None,
            address: some(),
            user_agent: some(),
            request_id: uuid,
            sentence: text.into(),
            detail: as_jsonb(text),
            search_values: text.into(),
        }
    }

    /// `{"text": "…"}` as PostgreSQL writes a jsonb: only quotes, backslashes and the controls are escaped.
    fn as_jsonb(text: &str) -> String {
        format!("{{\"text\": {}}}", serde_json::to_string(text).unwrap())
    }

    fn canonical(record: &Record) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.canonical(&mut bytes);
        bytes
    }

    #[test]
    fn absent_and_empty_fields_differ_and_no_field_runs_into_the_next() {
        let event = record(7, "ab");
        let other = |change: fn(&mut Record)| {
            let mut other = event.clone();
            change(&mut other);
            canonical(&other)
        };
        let all = [
            canonical(&event),
            other(|r| r.reason = Some(String::new())),
            other(|r| r.address = None),
            other(|r| (r.sentence, r.actor_name) = ("a".into(), "bab".into())),
            other(|r| std::mem::swap(&mut r.subject_id, &mut r.about_person)),
            other(|r| r.at += chrono::TimeDelta::microseconds(1)),
            other(|r| r.transaction_id += 1),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn words_that_are_none_of_ours_are_read_as_they_were_recorded() {
        let tampered = Record { outcome: "maybe".into(), actor_kind: "robot".into(), ..record(7, "ab") };
        let (read, ..) = Record::from_line(&tampered.to_line(None, None).unwrap()).unwrap();
        assert_eq!(canonical(&read), canonical(&tampered));
        assert!(!read.succeeded() && !read.is_by_system());
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn a_line_gives_the_same_bytes_again(
            text in "\\PC*|.*|[\\\\u0-9a-f\u{202e}\u{e0001}\u{9b}\u{7f}\"]{0,20}",
            number in proptest::option::of(1..i64::MAX),
        ) {
            let event = record(3, &text.replace('\0', ""));
            let line = event.to_line(number, None).unwrap();
            prop_assert!(!line.chars().any(acts));
            let (read, read_number, proof) = Record::from_line(&line).unwrap();
            prop_assert_eq!(&read, &event);
            prop_assert_eq!(canonical(&read), canonical(&event));
            prop_assert_eq!((read_number, proof.is_none()), (number, true));
        }
    }
}
