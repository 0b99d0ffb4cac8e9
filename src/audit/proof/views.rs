//! The page of the proof.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::audit::proof::seal::Seal;
use crate::audit::proof::store::standing::{Archive, COUNTED, KeyUse, Waiting};
use crate::audit::proof::store::verification::Verification;
use crate::audit::proof::verification::{JOB, PAGE};
use crate::kernel::base::hex::hex;
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

pub struct Newest {
    pub number: i64,
    pub at: DateTime<Utc>,
    /// How many events all seals hold together.
    pub events: i64,
    pub digest: String,
    /// What is wrong with its own signature; none too where the list of keys cannot be read.
    pub fault: Option<String>,
}

impl Newest {
    pub fn of(seal: &Seal, trusted: Option<&[[u8; 32]]>) -> Self {
        Self {
            number: seal.number,
            at: seal.at,
            events: seal.last,
            digest: hex(&seal.digest()),
            fault: trusted.and_then(|trusted| seal.own_fault(trusted)),
        }
    }
}

/// A key, by what it signed and whether it is trusted.
pub struct KeyRow {
    pub key: String,
    /// Its first and last seal; none where it signed none.
    pub used: Option<KeyUse>,
    pub trusted: bool,
    /// Whether the newest seal is signed with it.
    pub current: bool,
}

impl KeyRow {
    /// Those that signed something in the order of their first use, then those that are only trusted.
    pub fn list(newest: Option<&Seal>, used: Vec<KeyUse>, trusted: &[[u8; 32]]) -> Vec<Self> {
        let is_current = |key: &[u8]| newest.is_some_and(|seal| seal.key.as_slice() == key);
        let unused = trusted.iter().filter(|key| !used.iter().any(|used| used.key == key.as_slice()));
        let unused: Vec<Self> =
            unused.map(|key| Self { key: hex(key), used: None, trusted: true, current: false }).collect();
        let mut rows: Vec<Self> = used
            .into_iter()
            .map(|used| Self {
                key: hex(&used.key),
                trusted: trusted.iter().any(|key| key.as_slice() == used.key),
                current: is_current(&used.key),
                used: Some(used),
            })
            .collect();
        rows.extend(unused);
        rows
    }
}

/// An archived month, and the size of its file where that is there.
pub struct ArchiveRow {
    pub archive: Archive,
    pub size: Option<u64>,
}

impl ArchiveRow {
    pub fn of((archive, size): (Archive, Option<u64>)) -> Self {
        Self { archive, size }
    }
    fn month(&self) -> String {
        self.archive.month.format("%B %Y").to_string()
    }
    fn digest(&self) -> String {
        hex(&self.archive.digest)
    }
    fn events(&self) -> String {
        show::thousands(usize::try_from(self.archive.events).unwrap_or_default())
    }
    fn size(&self) -> Option<String> {
        self.size.map(|bytes| show::size(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }
}

/// A verification that takes longer ago than this is told as old: it runs each night.
const OLD: TimeDelta = TimeDelta::hours(49);
/// An event that waits longer than this for its seal is told.
const LONG: TimeDelta = TimeDelta::minutes(1);

#[derive(Template)]
#[template(path = "audit/proof.html", blocks = ["verification"])]
pub struct Proof {
    pub frame: Frame,
    pub newest: Option<Newest>,
    /// What is not sealed yet; none while a log from another cluster is sealed anew.
    pub waiting: Option<Waiting>,
    /// The newest first.
    pub verifications: Vec<Verification>,
    /// Whether the newest of them goes on.
    pub running: bool,
    /// When the job runs next by its schedule.
    pub next: Option<DateTime<Utc>>,
    pub keys: Vec<KeyRow>,
    /// Why the list of trusted keys cannot be read.
    pub keys_unreadable: Option<String>,
    pub archives: Vec<ArchiveRow>,
    /// Whether this person may run jobs.
    pub may_run: bool,
    /// Of this installation, for the printed page.
    pub address: String,
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

impl Proof {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::seconds(*at, self.zone)
    }
    fn when(&self, at: &DateTime<Utc>) -> show::When {
        show::When::ago(*at, self.now, self.zone)
    }
    fn thousands(&self, number: &i64) -> String {
        show::thousands(usize::try_from(*number).unwrap_or_default())
    }
    fn finished(&self) -> impl Iterator<Item = &Verification> {
        self.verifications.iter().filter(|one| one.finished_at.is_some())
    }
    /// The newest that came to a result, or to an end at least: what the page says first. A fault is not
    /// forgotten because a later verification was stopped.
    fn last(&self) -> Option<&Verification> {
        self.finished().find(|one| one.is_decided()).or_else(|| self.finished().next())
    }
    /// A later one that came to no result.
    fn undecided(&self) -> Option<&Verification> {
        let last = self.last()?.id;
        self.finished().next().filter(|one| one.id != last)
    }
    fn earlier(&self) -> impl Iterator<Item = &Verification> {
        let last = self.last().map(|last| last.id);
        self.finished().filter(move |one| Some(one.id) != last)
    }
    /// The one that goes on.
    fn under_way(&self) -> Option<&Verification> {
        self.verifications.first().filter(|one| one.finished_at.is_none() && self.running)
    }
    /// One that began last and whose process ended first.
    fn broken_off(&self) -> Option<&Verification> {
        self.verifications.first().filter(|one| one.finished_at.is_none() && !self.running)
    }
    fn is_old(&self, one: &Verification) -> bool {
        self.now - one.started_at > OLD
    }
    fn took(&self, one: &Verification) -> String {
        one.finished_at.map_or_else(String::new, |end| show::took(end - one.started_at))
    }
    fn looked_at(&self, one: &Verification) -> String {
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        format!(
            "{} in {}",
            show::counted(count(one.events), "event", "events"),
            show::counted(count(one.seals), "seal", "seals")
        )
    }
    /// What is to be looked at, as far as it is known: what is sealed by now.
    fn all_events(&self) -> i64 {
        self.newest.as_ref().map_or(0, |newest| newest.events)
    }
    fn all_events_shown(&self) -> String {
        self.thousands(&self.all_events())
    }
    fn last_digest(&self, one: &Verification) -> String {
        one.last_digest.as_deref().map(hex).unwrap_or_default()
    }
    fn waits(&self, waiting: &Waiting) -> String {
        show::counted_to(waiting.events, COUNTED, "event", "events")
    }
    fn waits_long(&self, since: &DateTime<Utc>) -> bool {
        self.now - *since > LONG
    }
    fn missing(&self) -> usize {
        self.archives.iter().filter(|row| row.size.is_none()).count()
    }
    fn path(&self) -> &'static str {
        PAGE
    }
    fn job(&self) -> &'static str {
        JOB
    }
}

/// A digest or key in groups of eight, so that it can be read from paper and compared.
pub fn groups(text: &str) -> impl Iterator<Item = &str> {
    text.as_bytes().chunks(8).map(|group| std::str::from_utf8(group).unwrap_or_default())
}
