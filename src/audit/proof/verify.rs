//! Judges the log: every event, every number and every seal, recomputed. The first thing that does not fit is
//! named and ends it; what is odd by itself, such as a time that cannot be, is told beside it.
//!
//! Events come in the order of time, seals and numbers in that of transactions; the two differ by moments. So
//! an event waits until all lower numbers have come, and a batch is judged when it is whole.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::audit::proof::merkle::{Digest, root};
use crate::audit::proof::seal::Seal;
use crate::audit::proof::set_aside::{SetAside, Subject};
use crate::kernel::base::hex::hex;
use crate::kernel::event::record::Place;

/// What was done to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrong {
    /// An event says something else than when it was sealed.
    Changed,
    /// An event is gone.
    Removed,
    /// An event was put in later.
    SlippedIn,
    /// Events stand in another order.
    Reordered,
    /// The end of the log is gone.
    Truncated,
    /// A seal is gone or changed.
    SealBroken,
    /// An archive is gone or changed.
    Archive,
    /// A time that cannot be.
    Time,
    /// A function, trigger, table or column of the log is not the one that this version makes.
    Definition,
    /// The newest seal is not kept beside the key.
    Head,
}

/// A thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub wrong: Wrong,
    pub sentence: String,
    /// What `tyrian audit set-aside` takes to lay it aside, where that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

impl Fault {
    /// A fault in words.
    pub fn new(wrong: Wrong, sentence: impl Into<String>) -> Self {
        Self { wrong, sentence: sentence.into(), set_aside: None }
    }
    /// One that the owner can lay aside.
    pub fn aside(mut self, subject: Subject) -> Self {
        self.set_aside = Some(subject.typed());
        self
    }
}

/// What verification answers: what a command prints, and what can be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How far it got: all of it, unless a fault ended it.
    pub verified: Verified,
    /// What is wrong, the gravest first; nothing where everything holds.
    pub faults: Vec<Fault>,
    /// What holds, and a reader should know.
    pub notes: Vec<String>,
    pub newest: Option<Seal>,
    /// The keys that sealed it, in their order.
    pub keys: Vec<KeyUse>,
}

impl Report {
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What a key sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The public key, 64 hexadecimal digits.
    pub key: String,
    pub first_seal: i64,
    pub first_at: DateTime<Utc>,
    pub last_seal: i64,
}

/// An event with a number, or a number whose event is gone.
#[derive(Debug, Clone)]
pub struct Entry {
    pub place: Place,
    /// The transaction that wrote it.
    pub transaction: i64,
    pub number: i64,
    /// The leaf that the event gives now; none where it is gone.
    pub now: Option<Digest>,
    /// The leaf that is kept with its number; none for an archived event whose batch is archived with it.
    pub kept: Option<Digest>,
    /// Whether it comes from an archive.
    pub archived: bool,
}

impl Entry {
    /// The leaf it is held against: the kept one, or its own where an archive alone holds it.
    fn leaf(&self) -> Digest {
        self.kept.or(self.now).unwrap_or([0; 32])
    }
    fn name(&self) -> String {
        format!("{}, number {}", self.place.name(), self.number)
    }
}

/// A name as it stands within a sentence.
fn within(name: &str) -> String {
    name.replacen("The", "the", 1)
}

/// A length of time as a sentence tells it.
fn long(time: TimeDelta) -> String {
    match (time.num_days(), time.num_hours(), time.num_minutes(), time.num_seconds()) {
        (2.., ..) => format!("{} days", time.num_days()),
        (_, 2.., ..) => format!("{} hours", time.num_hours()),
        (_, _, 2.., _) => format!("{} minutes", time.num_minutes()),
        (.., seconds) => format!("{seconds} seconds"),
    }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How far an event's time may lie before that of an event with a lower number: longer than any transaction
/// of ours lasts.
const BACK: TimeDelta = TimeDelta::hours(1);
/// How far a clock may step, and how long a server may stop between giving an event its time and its id.
const STEP: TimeDelta = TimeDelta::seconds(10);
/// A transaction that was open for longer is noted.
const OPEN: TimeDelta = TimeDelta::minutes(5);
/// Events that waited for longer until they were sealed are noted.
const LATE: TimeDelta = TimeDelta::minutes(15);
/// How many events wait for a number that is missing before it counts as gone.
const WAITING: usize = 200_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub events: i64,
    pub seals: i64,
    /// Events that are not sealed yet.
    pub unsealed: i64,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// What is known of a log before its events are looked at.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Keys whose seals count.
    pub trusted: Vec<[u8; 32]>,
    /// The newest seal, where it was made in the cluster that the log is in now.
    pub newest: Option<Seal>,
    /// Whether the newest seal is the one kept beside the key: then no end was cut off.
    pub ends_here: bool,
    /// The first transaction that this cluster has not begun, once everything of another one is sealed.
    pub not_begun: Option<i64>,
    /// The first days of the months that are here or archived.
    pub months: BTreeSet<NaiveDate>,
    /// The oldest instant that is shown: months wholly below it are archived.
    pub floor: DateTime<Utc>,
    /// What the owner laid aside, signed by a trusted key.
    pub set_aside: Vec<SetAside>,
    /// Digests of the seals among it that stand in the chain for ever.
    pub void: BTreeSet<Digest>,
}

/// Faults and notes of one kind: the first in full, the others counted.
#[derive(Debug, Clone)]
struct Tally<T> {
    kind: &'static str,
    first: T,
    more: u64,
}

fn tally<T>(told: &mut Vec<Tally<T>>, kind: &'static str, found: impl FnOnce() -> T) {
    match told.iter_mut().find(|tally| tally.kind == kind) {
        Some(tally) => tally.more += 1,
        None => told.push(Tally { kind, first: found(), more: 0 }),
    }
}

fn with_more(sentence: String, more: u64) -> String {
    match more {
        0 => sentence,
        1 => sentence + " The same goes for one more.",
        more => format!("{sentence} The same goes for {more} more."),
    }
}

/// Judges a log that is fed to it. `next_seal` gives the seals in order.
pub struct Checker<S: FnMut() -> anyhow::Result<Option<Seal>>> {
    next_seal: S,
    known: Known,
    /// Events that the owner laid aside.
    aside: BTreeSet<Place>,
    before: Option<Seal>,
    current: Option<Seal>,
    /// Whether there is no further seal.
    over: bool,
    batch: Vec<Entry>,
    waiting: BTreeMap<i64, Entry>,
    /// The latest event so far in the order of numbers.
    latest: Place,
    unsealed: Vec<Place>,
    faults: Vec<Tally<Fault>>,
    notes: Vec<Tally<String>>,
    keys: Vec<KeyUse>,
    done: Verified,
}

/// A fault, or that the log cannot be read.
pub enum Halt {
    /// The log does not hold.
    Fault(Fault),
    /// It cannot be told.
    Error(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<S: FnMut() -> anyhow::Result<Option<Seal>>> Checker<S> {
    /// One for a log of which this much is known.
    pub fn new(next_seal: S, known: Known) -> Self {
        let aside = known.set_aside.iter().filter_map(|aside| aside.subject.event()).collect();
        Self {
            next_seal,
            known,
            aside,
            before: None,
            current: None,
            over: false,
            batch: Vec::new(),
            waiting: BTreeMap::new(),
            latest: Place { at: DateTime::UNIX_EPOCH, id: 0 },
            unsealed: Vec::new(),
            faults: Vec::new(),
            notes: Vec::new(),
            keys: Vec::new(),
            done: Verified::default(),
        }
    }

    fn next(&self) -> i64 {
        let last = self.before.as_ref().map_or(0, |seal| seal.last);
        last.saturating_add(self.batch.len() as i64 + 1)
    }

    /// An event that stands in the partition of another month than its own.
    pub fn misplaced(&mut self, place: Place, partition: &str) {
        tally(&mut self.faults, "partition", || {
            let sentence = format!(
                "{}, stands in the partition {partition}, which is not its month's: partitions were \
                    renamed or \
                    exchanged.",
                place.name()
            );
            Fault::new(Wrong::Definition, sentence)
        });
    }

    /// An event whose text for searches is not the one that its columns give.
    pub fn hidden(&mut self, place: Place) {
        tally(&mut self.faults, "search", || {
            let sentence = format!(
                "{}, is not found by what it says: the search column was changed and holds another text \
                    for it.",
                place.name()
            );
            Fault::new(Wrong::Changed, sentence)
        });
    }

    /// An event without a number: it must be newer than everything sealed.
    ///
    /// # Errors
    /// When it is not.
    pub fn unsealed(&mut self, place: Place, transaction: i64) -> Result<(), Halt> {
        self.done.unsealed += 1;
        if self.aside.contains(&place) {
            return Ok(());
        }
        if place.id <= 0 {
            return Err(no_id(&place.name(), place).into());
        }
        if let Some(seal) = &self.known.newest
            && (transaction, place.id) <= (seal.through_transaction, seal.through_id)
        {
            let sentence = format!(
                "{} was slipped in: it has no number, and everything up to its transaction was sealed.",
                place.name()
            );
            return Err(Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Event(place)).into());
        }
        if self.known.not_begun.is_some_and(|first| transaction >= first) {
            tally(&mut self.faults, "transaction", || {
                let sentence = format!(
                    "{} was slipped in: it names the transaction {transaction}, which the database has not \
                        begun, so that it would never be sealed.",
                    place.name()
                );
                Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Event(place))
            });
        }
        if self.unsealed.len() < WAITING {
            self.unsealed.push(place);
        }
        Ok(())
    }

    /// An event with a number, or a number whose event is gone.
    ///
    /// # Errors
    /// When it, or the batch that it completes, does not hold.
    pub fn sealed(&mut self, entry: Entry) -> Result<(), Halt> {
        if entry.number < self.next() || self.waiting.contains_key(&entry.number) {
            let sentence = format!("{}, was slipped in: another event has that number.", entry.name());
            let fault = Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Number(entry.place));
            return Err(fault.into());
        }
        self.waiting.insert(entry.number, entry);
        self.pass_void()?;
        while let Some(entry) = self.waiting.remove(&self.next()) {
            if self.current.is_none() && !self.open()? {
                return Err(self.beyond(&entry).into());
            }
            self.batch.push(entry);
            self.close()?;
            self.pass_void()?;
        }
        if self.waiting.len() > WAITING { Err(self.missing()) } else { Ok(()) }
    }

    /// A number that no seal reaches.
    fn beyond(&self, entry: &Entry) -> Fault {
        let fault = if self.known.ends_here {
            let sentence = format!(
                "{}, was slipped in: no seal reaches that number, and the newest seal is the one that is \
                    kept.",
                entry.name()
            );
            Fault::new(Wrong::SlippedIn, sentence)
        } else {
            let sentence =
                format!("The seals end before {}: the end of the log was cut off.", within(&entry.name()));
            Fault::new(Wrong::Truncated, sentence)
        };
        fault.aside(Subject::Number(entry.place))
    }

    /// What was laid aside amid the seals has numbers of its own, which no event bears: those that wait begin
    /// after them.
    fn pass_void(&mut self) -> Result<(), Halt> {
        let between = self.current.is_none() && self.batch.is_empty() && !self.known.void.is_empty();
        if between && !self.waiting.is_empty() && !self.waiting.contains_key(&self.next()) {
            self.open()?;
        }
        Ok(())
    }

    /// Takes the next seal; false at the end.
    fn open(&mut self) -> Result<bool, Halt> {
        loop {
            if self.over {
                return Ok(false);
            }
            let Some(seal) = (self.next_seal)()? else {
                self.over = true;
                return Ok(false);
            };
            let trusted = &self.known.trusted;
            if self.known.void.contains(&seal.digest()) && seal.own_fault(trusted).is_some() {
                // What was made on top of it names it; it says nothing of any event.
                self.before = Some(seal);
                continue;
            }
            if let Some(sentence) = seal.fault_after(self.before.as_ref(), trusted) {
                let fault = Fault::new(Wrong::SealBroken, sentence);
                return Err(fault.aside(Subject::Seal(seal.number)).into());
            }
            self.current = Some(seal);
            return Ok(true);
        }
    }

    fn close(&mut self) -> Result<(), Halt> {
        let Some(seal) = self.current.take_if(|seal| seal.events() == self.batch.len() as i64) else {
            return Ok(());
        };
        judge(self.before.as_ref(), &seal, &self.batch)?;
        self.look_at_times(&seal)?;
        self.note_key(&seal);
        self.done.events += seal.events();
        self.done.seals += 1;
        self.before = Some(seal);
        self.batch.clear();
        Ok(())
    }

    /// Times rise: those of the seals, and those of events by their ids, which the database gives in one
    /// breath.
    fn look_at_times(&mut self, seal: &Seal) -> Result<(), Halt> {
        let laid_aside = |number| self.known.set_aside.iter().any(|a| a.subject == Subject::Seal(number));
        if let Some(before) = &self.before
            && seal.at < before.at - STEP
            && !laid_aside(seal.number)
        {
            tally(&mut self.faults, "seal's time", || {
                let sentence = format!(
                    "Seal {} is dated back: it was made at {}, and seal {} before it at {}. The database's \
                        clock was set back, or audit.now() replaced.",
                    seal.number,
                    clock(seal.at),
                    before.number,
                    clock(before.at)
                );
                Fault::new(Wrong::Time, sentence).aside(Subject::Seal(seal.number))
            });
        }
        let oldest = self.batch.iter().map(|entry| entry.place.at).min().unwrap_or(seal.at);
        if self.before.as_ref().is_some_and(|before| seal.at < before.at - STEP) {
            // Its events were written by the clock that was set, and are held against that.
            self.latest.at = self.latest.at.min(oldest);
        }
        if seal.at - oldest > LATE {
            tally(&mut self.notes, "late", || {
                format!(
                    "Seal {} was made {} after the oldest of its events: until then a change to them would \
                        not \
                        have shown.",
                    seal.number,
                    long(seal.at - oldest)
                )
            });
        }
        for entry in &self.batch {
            let place = entry.place;
            let laid_aside = self.aside.contains(&place);
            if place.id <= 0 && !laid_aside {
                return Err(no_id(&(entry.name() + ","), place).into());
            }
            if place.at < self.latest.at - BACK && !laid_aside {
                let sentence = format!(
                    "{}, was slipped in: it is dated back behind events that were sealed before it.",
                    entry.name()
                );
                return Err(Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Event(place)).into());
            }
            if place.at > seal.at + STEP {
                if !laid_aside {
                    tally(&mut self.faults, "ahead", || {
                        let sentence = format!(
                            "{}, is dated ahead: seal {} over it was made {} earlier.",
                            entry.name(),
                            seal.number,
                            long(place.at - seal.at)
                        );
                        Fault::new(Wrong::Time, sentence).aside(Subject::Event(place))
                    });
                }
                continue;
            }
            let behind = self.latest.at - place.at;
            if place.id > self.latest.id && behind > STEP && !laid_aside {
                tally(&mut self.faults, "back", || dated_back(&entry.name(), place, self.latest));
            } else if place.id < self.latest.id && behind > OPEN {
                tally(&mut self.notes, "open", || {
                    format!(
                        "{}, stands before events that are up to {} older: its transaction was open for that \
                            long.",
                        self.latest.name(),
                        long(behind)
                    )
                });
            }
            self.latest = self.latest.max(place);
        }
        Ok(())
    }

    fn note_key(&mut self, seal: &Seal) {
        let key = hex(&seal.key);
        match self.keys.last_mut() {
            Some(last) if last.key == key => last.last_seal = seal.number,
            last => {
                if let Some(last) = last {
                    let sentence = format!(
                        "From seal {} of {} on the log is sealed with another key, {key}; until then it \
                            was {}.",
                        seal.number,
                        clock(seal.at),
                        last.key
                    );
                    // Each of them is told.
                    self.notes.push(Tally { kind: "key", first: sentence, more: 0 });
                }
                self.keys.push(KeyUse {
                    key,
                    first_seal: seal.number,
                    first_at: seal.at,
                    last_seal: seal.number,
                });
            }
        }
    }

    /// A number that is gone with its event: taken out, or left to an archive that nothing tells of any more.
    fn missing(&mut self) -> Halt {
        if self.current.is_none()
            && let Err(halt) = self.open()
        {
            return halt;
        }
        let number = self.next();
        let Some(seal) = &self.current else {
            if let Some(entry) = self.waiting.values().next() {
                return self.beyond(entry).into();
            }
            return Fault::new(
                Wrong::Removed,
                format!("The event with the number {number} was removed, and its number with it."),
            )
            .into();
        };
        // A batch may reach over the turn of a month; its events are as old as it is, or a little older.
        let month = (seal.at - BACK).date_naive().with_day(1).unwrap_or_default();
        let due = (month + Months::new(1)).and_time(NaiveTime::MIN).and_utc() <= self.known.floor;
        if due && !self.known.months.contains(&month) {
            let month = month.format("%B %Y");
            let sentence = format!(
                "The archive of {month} is missing, and the record of it: event number {number} of seal {} \
                    was there.",
                seal.number
            );
            return Fault::new(Wrong::Archive, sentence).into();
        }
        let sentence = format!(
            "The event with the number {number} of seal {} was removed, and its number with it.",
            seal.number
        );
        Fault::new(Wrong::Removed, sentence).into()
    }

    /// The end of the log.
    ///
    /// # Errors
    /// When something is missing there.
    pub fn finish(&mut self) -> Result<(), Halt> {
        if self.current.is_none() && self.open()? && self.waiting.is_empty() {
            let seal = self.current.as_ref().map_or(0, |seal| seal.number);
            let sentence = format!(
                "The log is truncated: the events from number {} on, those of seal {seal} and what follows, \
                    are gone.",
                self.next()
            );
            return Err(Fault::new(Wrong::Truncated, sentence).into());
        }
        if !self.waiting.is_empty() {
            return Err(self.missing());
        }
        if let Some(seal) = &self.current {
            let sentence = format!(
                "The log is truncated: the events from number {} on, within seal {}, are gone.",
                self.next(),
                seal.number
            );
            return Err(Fault::new(Wrong::Truncated, sentence).into());
        }
        for place in &self.unsealed {
            if place.at < self.latest.at - BACK {
                let sentence = format!(
                    "{} was slipped in: it is not sealed, and dated back behind events that are.",
                    place.name()
                );
                return Err(Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Event(*place)).into());
            }
            if place.id > self.latest.id && place.at < self.latest.at - STEP {
                tally(&mut self.faults, "back", || dated_back(&place.name(), *place, self.latest));
            }
        }
        self.done.waiting_since = self.unsealed.iter().map(|place| place.at).min();
        Ok(())
    }

    /// How far it got, what was told on the way, and which keys sealed.
    pub fn told(self) -> Report {
        let faults = self
            .faults
            .into_iter()
            .map(|tally| Fault { sentence: with_more(tally.first.sentence, tally.more), ..tally.first });
        let notes = self.notes.into_iter().map(|tally| with_more(tally.first, tally.more));
        Report {
            verified: self.done,
            faults: faults.collect(),
            notes: notes.collect(),
            newest: None,
            keys: self.keys,
        }
    }
}

/// The database counts its ids from 1 on: another one was not given by it, and a low one would hide that its
/// event is dated back.
fn no_id(name: &str, place: Place) -> Fault {
    let sentence = format!("{name} was slipped in: the database gives no such id.");
    Fault::new(Wrong::SlippedIn, sentence).aside(Subject::Event(place))
}

/// The database gives time and id in one breath: a lower time with a higher id was not given by it.
fn dated_back(name: &str, place: Place, latest: Place) -> Fault {
    let sentence = format!(
        "{name}, is dated back: its id was given after that of {}, whose time is {} later.",
        within(&latest.name()),
        long(latest.at - place.at)
    );
    Fault::new(Wrong::Time, sentence).aside(Subject::Event(place))
}

/// Judges a whole batch by its seal, whose signature holds.
fn judge(before: Option<&Seal>, seal: &Seal, batch: &[Entry]) -> Result<(), Fault> {
    let over = batch.iter().any(|entry| entry.archived) && batch.iter().any(|entry| !entry.archived);
    if let Some(entry) = batch.iter().find(|entry| over && entry.kept.is_none()) {
        return Err(Fault::new(
            Wrong::SealBroken,
            format!("The leaf kept for {} is gone.", within(&entry.name())),
        ));
    }
    let kept: Vec<Digest> = batch.iter().map(Entry::leaf).collect();
    let now: Option<Vec<Digest>> = batch.iter().map(|entry| entry.now).collect();
    let kept_holds = root(&kept) == seal.root;
    let other = batch.iter().find(|entry| entry.now != Some(entry.leaf()));
    match (other, now) {
        (None, _) if kept_holds => return Ok(()),
        // The events are what was sealed: somebody changed what was kept beside the numbers.
        (Some(entry), Some(now)) if root(&now) == seal.root => {
            let sentence = format!(
                "The leaf kept for {} was changed; the event itself is whole.",
                within(&entry.name())
            );
            return Err(Fault::new(Wrong::SealBroken, sentence));
        }
        _ => {}
    }
    if kept_holds && let Some(entry) = other {
        let (wrong, word) =
            if entry.now.is_none() { (Wrong::Removed, "removed") } else { (Wrong::Changed, "changed") };
        return Err(Fault::new(wrong, format!("{}, was {word} after it was sealed.", entry.name())));
    }
    // The numbers may have been exchanged: with another batch, where a transaction then lies outside this
    // one's range…
    let from = before.filter(|before| before.cluster == seal.cluster && before.through_transaction > 0);
    let outside = |entry: &&Entry| {
        let position = (entry.transaction, entry.place.id);
        let late = seal.through_transaction > 0 && position > (seal.through_transaction, seal.through_id);
        let early = from.is_some_and(|before| position <= (before.through_transaction, before.through_id));
        entry.now == Some(entry.leaf()) && (late || early)
    };
    if let Some(entry) = batch.iter().find(outside) {
        return Err(Fault::new(
            Wrong::Reordered,
            format!("{}, was reordered: it belongs to another seal.", entry.name()),
        ));
    }
    // … or within the batch: in their true order the leaves give the root.
    let mut ordered: Vec<&Entry> = batch.iter().collect();
    ordered.sort_by_key(|entry| (entry.transaction, entry.place.id));
    if root(&ordered.iter().map(|entry| entry.now.unwrap_or(entry.leaf())).collect::<Vec<_>>()) == seal.root {
        let moved = batch.iter().zip(&ordered).find(|(here, there)| here.place != there.place);
        let who = moved.map_or_else(|| format!("An event of seal {}", seal.number), |(here, _)| here.name());
        return Err(Fault::new(
            Wrong::Reordered,
            format!("{who}, was reordered: another event was sealed with that number."),
        ));
    }
    match other {
        Some(entry) if entry.now.is_none() => {
            Err(Fault::new(Wrong::Removed, format!("{}, was removed after it was sealed.", entry.name())))
        }
        Some(entry) => {
            Err(Fault::new(Wrong::Changed, format!("{}, was changed after it was sealed.", entry.name())))
        }
        None => {
            let sentence = format!(
                "An event with a number from {} to {} was changed after it was sealed: they do not give the \
                    root of seal {}.",
                seal.first, seal.last, seal.number
            );
            Err(Fault::new(Wrong::Changed, sentence))
        }
    }
}
