//! An event as people see it: a row of the log and of each page that tells what happened to its subject.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono_tz::Tz;
use serde_json::Value;

use super::domain::{ActorKind, Category, EventOutcome};
use super::record::{Place, Record};
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::show;

/// An event as a row, open or closed.
pub struct EventRow<'a> {
    pub event: &'a Record,
    /// Where its row opens, or closes; none where it stays as it is.
    pub href: Option<String>,
    /// Whether it shows everything.
    pub open: bool,
    /// Whether it opens within the list; else it leads to the log.
    pub here: bool,
    /// Its proof, where its reader may ask for it.
    pub proof: Option<ProofOf>,
    zone: Tz,
}

/// What the log tells of an event's proof.
#[derive(Debug, Clone)]
pub struct ProofOf {
    /// None while it is not sealed.
    pub sealed: Option<SealShown>,
    /// Where the event with its proof is.
    pub href: String,
}

/// The seal over an event, as a page shows it.
#[derive(Debug, Clone)]
pub struct SealShown {
    /// Number of the event itself.
    pub event: i64,
    /// Number of the seal.
    pub seal: i64,
    /// First and last event that it covers.
    pub first: i64,
    pub last: i64,
    /// Digests, hexadecimal.
    pub root: String,
    pub digest: String,
}

/// One changed field: its name, before and after.
pub struct Change {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// The person that an event is about, where nobody was signed in: whose sign-in failed.
pub fn not_signed_in(event: &Record) -> Option<&str> {
    let is_person = event.subject_type.as_deref() == Some("person");
    let anonymous = event.actor_kind == ActorKind::Anonymous.as_str();
    event.subject_label.as_deref().filter(|_| anonymous && is_person)
}

impl<'a> EventRow<'a> {
    /// A row in a zone.
    pub fn new(event: &'a Record, zone: Tz, href: Option<String>, open: bool) -> Self {
        Self { event, href, open, here: true, proof: None, zone }
    }
    /// The same on another page than the log, to which it leads.
    pub fn elsewhere(self) -> Self {
        Self { here: false, ..self }
    }
    /// The same with its proof.
    pub fn with_proof(self, proof: Option<ProofOf>) -> Self {
        Self { proof, ..self }
    }
    pub fn key(&self) -> String {
        format!("{}-{}", self.event.at.timestamp_micros(), self.event.id)
    }
    pub fn at(&self) -> String {
        show::seconds(self.event.at, self.zone)
    }
    pub fn utc(&self) -> String {
        self.event.at.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
    }
    pub fn iso(&self) -> String {
        self.event.at.to_rfc3339()
    }
    /// Whose act it was. Where nobody was signed in and it is about a person, their name as it was then: a
    /// failed sign-in is looked for under the account that was tried.
    pub fn who(&self) -> String {
        let name = self.not_signed_in().unwrap_or(&self.event.actor_name);
        harmless(name).into_owned()
    }
    /// The person it is about, where nobody was signed in.
    pub fn not_signed_in(&self) -> Option<&str> {
        not_signed_in(self.event)
    }
    pub fn sentence(&self) -> String {
        harmless(&self.event.sentence).into_owned()
    }
    pub fn email(&self) -> String {
        self.event.actor_email.as_deref().map(|text| harmless(text).into_owned()).unwrap_or_default()
    }
    pub fn category(&self) -> &str {
        if let Ok(category) = self.event.category.parse::<Category>() {
            category.label()
        } else {
            &self.event.category
        }
    }
    pub fn failed(&self) -> bool {
        !self.event.succeeded()
    }
    /// Whether the sentence itself says that it was refused or failed.
    pub fn says_so(&self) -> bool {
        let sentence = self.event.sentence.to_lowercase();
        ["refused", "failed", "wrong", "locked", "not accepted"].iter().any(|word| sentence.contains(word))
    }
    /// Everything that the row itself does not say: a name and a value.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let e = self.event;
        let text = |value: &Option<String>| value.as_deref().map(|text| harmless(text).into_owned());
        let id = |value: &Option<uuid::Uuid>| value.map(|id| id.to_string());
        let subject = match (&e.subject_type, &e.subject_label) {
            (Some(kind), Some(label)) => Some(format!("{} “{}”", kind.replace('_', " "), harmless(label))),
            _ => None,
        };
        let outcome = match (self.failed(), &e.reason) {
            (false, _) => EventOutcome::Success.label().to_owned(),
            (true, None) => EventOutcome::Failure.label().to_owned(),
            (true, Some(reason)) => format!("{}: {}", EventOutcome::Failure, reason.replace('_', " ")),
        };
        let all = [
            ("Kind", Some(e.kind.clone())),
            ("Outcome", Some(outcome)),
            ("Exact time", Some(self.utc())),
            ("User id", id(&e.actor_id)),
            ("On behalf of", id(&e.on_behalf_of)),
            ("Subject", subject),
            ("Subject id", id(&e.subject_id)),
            (
                "About user",
                id(&e.about_person)
                    .filter(|_| e.about_person != e.actor_id && e.about_person != e.subject_id),
            ),
            ("Client id", id(&e.client_id).filter(|_| e.client_id != e.subject_id)),
            ("Address", text(&e.address)),
            ("User agent", text(&e.user_agent)),
            ("Request id", id(&e.request_id)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
    pub fn detail(&self) -> serde_json::Map<String, Value> {
        serde_json::from_str(&self.event.detail).unwrap_or_default()
    }
    /// The changed fields; of long texts only that they changed, and their lengths.
    pub fn changes(&self) -> Vec<Change> {
        let detail = self.detail();
        let Some(fields) = detail.get("fields").and_then(Value::as_object) else { return Vec::new() };
        let chars = |entry: &Value, name: &str| {
            entry.get(name).and_then(Value::as_i64).map(|n| format!("{n} characters"))
        };
        let side = |entry: &Value, short: &str, long: &str| {
            entry.get(short).map(plain).or_else(|| chars(entry, long)).unwrap_or_default()
        };
        let one = |(field, entry): (&String, &Value)| Change {
            field: harmless(&field.replace('_', " ")).into_owned(),
            before: side(entry, "before", "before_chars"),
            after: side(entry, "after", "after_chars"),
        };
        fields.iter().map(one).collect()
    }
    /// Whatever else the event carries.
    pub fn others(&self) -> Vec<(String, String)> {
        let all = self.detail().into_iter().filter(|(name, _)| name != "fields");
        all.map(|(name, value)| (harmless(&name.replace('_', " ")).into_owned(), plain(&value))).collect()
    }
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    harmless(&text).into_owned()
}

/// The newest events about something, on its own page: the log's rows, which lead to the log for those who
/// may read it.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "event/_activity.html")]
pub struct Activity {
    /// Newest first.
    pub rows: Vec<Record>,
    /// How many there are, where that is known: "1,000+" beyond that.
    pub total: Option<String>,
    /// Whether older ones were archived.
    pub archived: bool,
    /// Whether their reader may read the log.
    pub reads_log: bool,
    /// The log with these events alone, where its filter can say so.
    pub log: Option<String>,
    /// The zone of the times.
    pub zone: Tz,
}

impl HtmlSafe for Activity {}

/// The log with this event open.
fn log_url(place: Place) -> String {
    format!("/admin/audit-log?open={place}")
}

impl Activity {
    fn row<'a>(&self, event: &'a Record) -> EventRow<'a> {
        let href = self.reads_log.then(|| log_url(event.place()));
        EventRow { here: false, ..EventRow::new(event, self.zone, href, false) }
    }
}
