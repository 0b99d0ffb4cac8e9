//! The audit log's page, and the rows of an event wherever they are shown.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::query::{Filter, Page, Part, presets};
use super::record::Record;
use super::seal::Seal;
use super::search::Hint;
use super::search_store::{COUNTED, Found, TOO_BROAD};
use super::text::harmless;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::times;
use crate::kernel::event::domain::Category;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

impl Hint {
    fn counted(&self) -> String {
        counted(self.count)
    }
}

/// "2 results", "1,000+ results".
fn counted(count: i64) -> String {
    match count {
        1 => "1 event".to_owned(),
        COUNTED.. => "1,000+ events".to_owned(),
        1_000 => "1,000 events".to_owned(),
        n => format!("{n} events"),
    }
}

/// What the search gave.
pub enum Outcome {
    /// It took too long.
    TooBroad,
    /// A page, and what would show more where it is empty.
    Found {
        page: Found,
        /// Ways to see more.
        hints: Vec<Hint>,
    },
}

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

/// What the page tells of an event's proof.
#[derive(Debug, Clone)]
pub struct ProofOf {
    /// Its number and the seal over it; none while it is not sealed.
    pub sealed: Option<(i64, Seal)>,
    /// Where the event with its proof is.
    pub href: String,
}

/// One changed field: its name, before and after.
pub struct Change {
    pub field: String,
    pub before: String,
    pub after: String,
}

impl<'a> EventRow<'a> {
    /// A row in a zone.
    pub fn new(event: &'a Record, zone: Tz, href: Option<String>, open: bool) -> Self {
        Self { event, href, open, here: true, proof: None, zone }
    }
    fn key(&self) -> String {
        format!("{}-{}", self.event.at.timestamp_micros(), self.event.id)
    }
    fn at(&self) -> String {
        times::display_seconds(self.event.at, self.zone)
    }
    fn utc(&self) -> String {
        self.event.at.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
    }
    fn iso(&self) -> String {
        self.event.at.to_rfc3339()
    }
    fn who(&self) -> String {
        harmless(&self.event.actor_name).into_owned()
    }
    fn sentence(&self) -> String {
        harmless(&self.event.sentence).into_owned()
    }
    fn email(&self) -> String {
        self.event.actor_email.as_deref().map(|text| harmless(text).into_owned()).unwrap_or_default()
    }
    fn category(&self) -> &str {
        if let Ok(category) = self.event.category.parse::<Category>() {
            category.label()
        } else {
            &self.event.category
        }
    }
    fn failed(&self) -> bool {
        self.event.outcome != "success"
    }
    /// Everything that the row itself does not say: a name and a value.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let e = self.event;
        let text = |value: &Option<String>| value.as_deref().map(|text| harmless(text).into_owned());
        let id = |value: &Option<uuid::Uuid>| value.map(|id| id.to_string());
        let subject = match (&e.subject_type, &e.subject_label) {
            (Some(kind), Some(label)) => Some(format!("{} “{}”", kind.replace('_', " "), harmless(label))),
            _ => None,
        };
        let outcome = match (self.failed(), &e.reason) {
            (false, _) => "Succeeded".to_owned(),
            (true, None) => "Refused".to_owned(),
            (true, Some(reason)) => format!("Refused: {}", reason.replace('_', " ")),
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
    fn detail(&self) -> serde_json::Map<String, Value> {
        serde_json::from_str(&self.event.detail).unwrap_or_default()
    }
    /// The changed fields; of long texts only that they changed, and their lengths.
    fn changes(&self) -> Vec<Change> {
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
    fn others(&self) -> Vec<(String, String)> {
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

#[derive(Template)]
#[template(path = "audit/show.html", blocks = ["log"])]
pub struct AuditLog {
    pub frame: Frame,
    pub filter: Filter,
    /// A sentence beside each filter that does not apply.
    pub errors: FieldErrors,
    pub outcome: Outcome,
    /// Number and seal of the row that is open.
    pub sealed: Option<(i64, Seal)>,
    /// Whom the filter offers.
    pub people: Vec<(PersonId, String)>,
    /// Whether this person reads everything, and not only their clients' events.
    pub whole: bool,
    /// The first day that was searched.
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// Today in the organisation's zone.
    pub today: NaiveDate,
    pub zone: Tz,
}

impl AuditLog {
    fn searched(&self) -> String {
        let days = crate::engagements::views::marks::dates(Some(self.first.min(self.last)), Some(self.last));
        match &self.outcome {
            Outcome::TooBroad => format!("searched {days}"),
            Outcome::Found { page, .. } => format!("searched {days}: {}", counted(page.count)),
        }
    }
    fn row<'a>(&self, event: &'a Record) -> EventRow<'a> {
        let place = event.place();
        let open = self.filter.open == Some(place);
        let other = Filter { open: (!open).then_some(place), ..self.filter.clone() };
        let proof = ProofOf {
            sealed: self.sealed.clone(),
            href: format!("/admin/audit-log.jsonl?event={place}&proof=1"),
        };
        EventRow { proof: open.then_some(proof), ..EventRow::new(event, self.zone, Some(other.url()), open) }
    }
    fn presets(&self) -> Vec<(&'static str, String, bool)> {
        let same = |from, to| self.filter.from == Some(from) && self.filter.to == Some(to);
        let mut list = vec![(
            "All",
            Filter { from: None, to: None, ..self.filter.anew() }.url(),
            self.filter.from.is_none() && self.filter.to.is_none(),
        )];
        list.extend(
            presets(self.today)
                .into_iter()
                .map(|(name, from, to)| (name, self.filter.over(from, to).url(), same(from, to))),
        );
        list
    }
    fn everything(&self) -> String {
        Filter { categories: Vec::new(), ..self.filter.anew() }.url()
    }
    fn toggled(&self, category: &Category) -> String {
        self.filter.toggled(*category).url()
    }
    fn has(&self, category: &Category) -> bool {
        self.filter.categories.contains(category)
    }
    fn is_user(&self, id: &PersonId) -> bool {
        self.filter.user == Some(*id)
    }
    fn is_part(&self, part: &Part) -> bool {
        self.filter.part == *part
    }
    fn day(&self, day: &Option<NaiveDate>) -> String {
        day.map(|day| day.to_string()).unwrap_or_default()
    }
    fn jump(&self) -> String {
        if let Page::Day(day) = self.filter.page { day.to_string() } else { String::new() }
    }
    /// Where what came since is asked for; only the newest page asks.
    fn fresh(&self, page: &Found) -> Option<String> {
        let newest = page.rows.first().filter(|_| self.filter.page == Page::Newest)?;
        let since = self.filter.at(Page::After(newest.place()));
        Some(format!("/admin/audit-log/fresh?{}", since.query()))
    }
    fn newer(&self, page: &Found) -> Option<String> {
        let first = page.rows.first().filter(|_| page.newer)?;
        Some(self.filter.at(Page::After(first.place())).url())
    }
    fn older(&self, page: &Found) -> Option<String> {
        let last = page.rows.last().filter(|_| page.older)?;
        Some(self.filter.at(Page::Before(last.place())).url())
    }
    /// The label of a filter, for the sentence beside it.
    fn field_name(&self, field: &str) -> &'static str {
        match field {
            "from" => "Start date",
            "to" => "End date",
            "q" => "Search",
            "user" => "User",
            "jump" => "Jump to",
            "category" => "Category",
            _ => "Page",
        }
    }
    /// Where the filter is exported.
    fn export(&self, ending: &str) -> String {
        format!("/admin/audit-log.{ending}?{}", self.filter.anew().query())
    }
    fn too_broad(&self) -> &'static str {
        TOO_BROAD
    }
}

/// The newest events about something, on its own page: the log's rows, which lead to the log for those who
/// may read it.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "audit/_activity.html")]
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

impl Activity {
    fn row<'a>(&self, event: &'a Record) -> EventRow<'a> {
        let href = self.reads_log.then(|| Filter { open: Some(event.place()), ..Filter::default() }.url());
        EventRow { here: false, ..EventRow::new(event, self.zone, href, false) }
    }
}

/// What came since the page was drawn.
#[derive(Template)]
#[template(path = "audit/_news.html")]
pub struct News {
    /// How many, up to a hundred.
    pub count: i64,
    pub href: String,
}

impl News {
    fn words(&self) -> String {
        match self.count {
            1 => "1 new event".to_owned(),
            100.. => "100 or more new events".to_owned(),
            n => format!("{n} new events"),
        }
    }
}

/// An event full of hostile text, for the samples test.
pub fn sample_event(id: i64) -> Record {
    let hostile = || "<script>alert(1)</script>\u{1b}[2J\u{202e}".to_owned();
    let at: DateTime<Utc> = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    let person = PersonId(uuid::Uuid::from_u128(7));
    let fields = serde_json::json!({ "red_notes": { "before_chars": 0, "after_chars": 12 }, "<b>": { "before": "<i>", "after": hostile() } });
    Record {
        at,
        id,
        transaction_id: 1,
        kind: "procedure.saved".into(),
        category: "procedures".into(),
        outcome: if id == 2 { "failure".into() } else { "success".into() },
        reason: (id == 2).then(|| "not_allowed".into()),
        actor_kind: "person".into(),
        actor_id: Some(person.0),
        actor_name: hostile(),
        actor_email: Some(hostile()),
        on_behalf_of: None,
        subject_type: Some("procedure".into()),
        subject_id: Some(person.0),
        subject_label: Some(hostile()),
        about_person: None,
        client_id: Some(person.0),
        engagement_id: None,
        address: Some(hostile()),
        user_agent: Some(hostile()),
        request_id: Some(person.0),
        sentence: hostile(),
        detail: serde_json::json!({ "fields": fields, "<u>": [1, "<s>"] }).to_string(),
        search_values: String::new(),
    }
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let hostile = || "<script>alert(1)</script>\u{1b}[2J\u{202e}".to_owned();
    let at: DateTime<Utc> = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    let person = PersonId::new();
    let event = sample_event;
    let place = event(1).place();
    let page = |filter: Filter, outcome: Outcome| AuditLog {
        frame: Frame::sample("Audit log"),
        filter,
        errors: ["from", "to", "q", "category", "user", "page", "jump"].iter().fold(
            FieldErrors::default(),
            |mut errors, field| {
                errors.add(field, "No.");
                errors
            },
        ),
        outcome,
        sealed: None,
        people: vec![(person, hostile())],
        whole: false,
        first: at.date_naive(),
        last: at.date_naive(),
        today: at.date_naive(),
        zone: chrono_tz::UTC,
    };
    let found = |rows: Vec<Record>, hints| Outcome::Found {
        page: Found { rows, older: true, newer: true, count: COUNTED },
        hints,
    };
    let open = Filter {
        q: hostile(),
        categories: vec![Category::Procedures],
        user: Some(person),
        open: Some(place),
        ..Filter::default()
    };
    let hint = Hint { words: "Without the search", count: 3, href: "/admin/audit-log".into() };
    let list = page(open.clone(), found(vec![event(1), event(2)], Vec::new()));
    let nothing = page(open, found(Vec::new(), vec![hint]));
    let empty = page(Filter::default(), found(Vec::new(), Vec::new()));
    let broad = page(Filter::default(), Outcome::TooBroad);
    let activity = Activity {
        rows: vec![event(1)],
        total: Some("1".into()),
        archived: true,
        reads_log: true,
        log: Some("/admin/audit-log".into()),
        zone: Tz::UTC,
    };
    let quiet = Activity::default();
    let news = News { count: 3, href: "/admin/audit-log".into() };
    crate::kernel::web::rendered([
        ("log", list.render()),
        ("log block", list.as_log().render()),
        ("log nothing", nothing.render()),
        ("log empty", empty.render()),
        ("log too broad", broad.render()),
        ("news", news.render()),
        ("activity#fragment", activity.render()),
        ("activity empty#fragment", quiet.render()),
    ])
}
