//! Log entries: the section of the procedure page, the form and the page before one is removed.

use askama::Template;
use chrono_tz::Tz;

use super::place::Place;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::LogEntryId;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::procedures::entries::TypedEntry;
use crate::procedures::store::logs::{LogEntry, LogPage};

/// An entry as shown.
pub struct ShownEntry {
    url: String,
    entry: LogEntry,
    span: Span,
    mine: bool,
    saved: bool,
}

impl ShownEntry {
    fn new(place: &Place, entry: LogEntry) -> Self {
        Self {
            url: place.url(),
            span: span(&entry, place.zone),
            mine: place.owns(entry.author_id, Some(entry.team)),
            saved: false,
            entry,
        }
    }
}

/// One entry, where its form stood.
#[derive(Template)]
#[template(path = "procedures/_log.html")]
pub struct OneEntry {
    shown: ShownEntry,
}

impl OneEntry {
    /// The entry; `saved` says that it has just been.
    pub fn new(place: &Place, entry: LogEntry, saved: bool) -> Self {
        Self { shown: ShownEntry { saved, ..ShownEntry::new(place, entry) } }
    }
}

/// When something was, for people and machines.
struct Span {
    start: String,
    end: Option<String>,
    machine: String,
}

fn span(entry: &LogEntry, zone: Tz) -> Span {
    let same_day = |end: &chrono::DateTime<chrono::Utc>| {
        end.with_timezone(&zone).date_naive() == entry.starts_at.with_timezone(&zone).date_naive()
    };
    let end = entry.ends_at.map(|end| {
        let full = show::seconds(end, zone);
        if same_day(&end) { end.with_timezone(&zone).format("%H:%M:%S").to_string() } else { full }
    });
    Span { start: show::seconds(entry.starts_at, zone), end, machine: entry.starts_at.to_rfc3339() }
}

/// The section of the procedure page.
#[derive(Template)]
#[template(path = "procedures/_logs.html")]
pub struct Logs {
    url: String,
    zone: Tz,
    entries: Vec<ShownEntry>,
    total: i64,
    /// How many entries are older than those shown, and the oldest that is shown.
    older: i64,
    oldest: Option<LogEntryId>,
    /// How many are newer.
    newer: i64,
    teams: Vec<Team>,
    digest: String,
    open: bool,
    saved: Option<&'static str>,
    /// Tells one flash from the one before, so that it shows again; what others change leaves it standing.
    moment: i64,
    /// The team whose open form is done with; another one's stays, with what is typed in it.
    closing: Option<Team>,
}

impl Logs {
    /// The section; `open` shows what is inside.
    pub fn new(place: &Place, page: LogPage, open: bool) -> Self {
        let newer = page.newer();
        let LogPage { entries, total, older } = page;
        let digest = entries
            .last()
            .map(|last| format!("Last entry {}, {}", show::time(last.starts_at, place.zone), last.author))
            .unwrap_or_default();
        Self {
            url: place.url(),
            zone: place.zone,
            teams: place.teams(),
            oldest: entries.first().map(|entry| entry.id),
            total,
            older,
            newer,
            entries: entries.into_iter().map(|entry| ShownEntry::new(place, entry)).collect(),
            digest,
            open,
            saved: None,
            moment: place.now.timestamp_millis(),
            closing: None,
        }
    }

    fn closes(&self, team: &Team) -> bool {
        self.closing == Some(*team)
    }

    /// Says what has just happened, and closes the form of a new entry of `closing`.
    #[must_use]
    pub fn saved(self, word: &'static str, closing: Option<Team>) -> Self {
        Self { saved: Some(word), closing, ..self }
    }
}

/// The form of a new or an existing entry: a page of its own, or, asked for by htmx, the form alone.
#[derive(Template)]
#[template(path = "procedures/log_entry.html", blocks = ["form"])]
pub struct EntryForm {
    pub frame: Frame,
    pub url: String,
    /// The procedure, as "4 Read LSASS memory".
    pub procedure: String,
    /// The entry; none for a new one.
    pub entry: Option<LogEntryId>,
    pub team: Team,
    /// The zone of its times.
    pub zone: Tz,
    /// What was typed, or what is stored.
    pub typed: TypedEntry,
    /// What is wrong with it.
    pub errors: FieldErrors,
    /// Why it was not saved.
    pub problem: Option<String>,
    /// What somebody else saved meanwhile.
    pub theirs: Option<String>,
    /// Whether it stands in the procedure's page.
    pub inline: bool,
}

impl EntryForm {
    fn action(&self) -> String {
        match self.entry {
            Some(id) => format!("{}/logs/{id}", self.url),
            None => format!("{}/logs", self.url),
        }
    }
    /// Unique on a page that shows several of these forms.
    fn id(&self) -> String {
        self.entry.map_or_else(|| format!("entry-new-{}", self.team.as_str()), |id| format!("entry-{id}"))
    }
    fn title(&self) -> String {
        let team = self.team.label().to_lowercase();
        if self.entry.is_some() {
            format!("Edit the {team} log entry")
        } else {
            format!("New {team} log entry")
        }
    }
}

/// The page before something is removed.
#[derive(Template)]
#[template(path = "procedures/removal.html")]
pub struct Removal {
    pub frame: Frame,
    pub heading: String,
    /// What goes, as it was typed.
    pub shown: String,
    pub sentence: &'static str,
    /// Where the form goes.
    pub action: String,
    pub cancel: String,
    /// Word on the button.
    pub button: &'static str,
}

/// When an entry was, in words.
pub fn entry_time(entry: &LogEntry, zone: Tz) -> String {
    let span = span(entry, zone);
    match span.end {
        Some(end) => format!("{} – {end}", span.start),
        None => span.start,
    }
}
