//! Verification: every event, every number and every seal, recomputed. The first thing that does not fit is
//! named.
//!
//! Events come in the order of time, seals and numbers in that of transactions; the two differ by moments. So
//! an event waits until all lower numbers have come, and a batch is judged when it is whole.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::audit::proof::merkle::{Digest, root};
use crate::audit::proof::seal::Seal;
use crate::kernel::event::record::Place;

/// What was done to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub wrong: Wrong,
    pub sentence: String,
}

impl Fault {
    /// A fault in words.
    pub fn new(wrong: Wrong, sentence: impl Into<String>) -> Self {
        Self { wrong, sentence: sentence.into() }
    }
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
        format!("{}, number {}", name(self.place), self.number)
    }
}

/// How an event is named in a sentence.
pub fn name(place: Place) -> String {
    format!("The event of {} UTC, id {}", place.at.format("%Y-%m-%d %H:%M:%S%.6f"), place.id)
}

/// How far an event's time may lie before that of an event with a lower number: longer than any transaction
/// of ours lasts.
const BACK: TimeDelta = TimeDelta::hours(1);
/// How many events wait for a number that is missing before it counts as gone.
const WAITING: usize = 200_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The first days of the months that are here or archived.
    pub months: BTreeSet<NaiveDate>,
    /// The oldest instant that is shown: months wholly below it are archived.
    pub floor: DateTime<Utc>,
}

/// Judges a log that is fed to it. `next_seal` gives the seals in order.
pub struct Checker<S: FnMut() -> anyhow::Result<Option<Seal>>> {
    next_seal: S,
    known: Known,
    before: Option<Seal>,
    current: Option<Seal>,
    batch: Vec<Entry>,
    waiting: BTreeMap<i64, Entry>,
    latest: DateTime<Utc>,
    unsealed: Vec<Place>,
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
        Self {
            next_seal,
            known,
            before: None,
            current: None,
            batch: Vec::new(),
            waiting: BTreeMap::new(),
            latest: DateTime::UNIX_EPOCH,
            unsealed: Vec::new(),
            done: Verified::default(),
        }
    }

    fn next(&self) -> i64 {
        self.before.as_ref().map_or(0, |seal| seal.last) + self.batch.len() as i64 + 1
    }

    /// An event without a number: it must be newer than everything sealed.
    ///
    /// # Errors
    /// When it is not.
    pub fn unsealed(&mut self, place: Place, transaction: i64) -> Result<(), Halt> {
        if let Some(seal) = &self.known.newest
            && (transaction, place.id) <= (seal.through_transaction, seal.through_id)
        {
            let sentence = format!(
                "{} was slipped in: it has no number, and everything up to its transaction was sealed.",
                name(place)
            );
            return Err(Fault::new(Wrong::SlippedIn, sentence).into());
        }
        self.done.unsealed += 1;
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
            return Err(Fault::new(Wrong::SlippedIn, sentence).into());
        }
        self.waiting.insert(entry.number, entry);
        while let Some(entry) = self.waiting.remove(&self.next()) {
            if self.current.is_none() && !self.open()? {
                let sentence = format!(
                    "The seals end before {}: the end of the log was cut off.",
                    entry.name().to_lowercase()
                );
                return Err(Fault::new(Wrong::Truncated, sentence).into());
            }
            self.batch.push(entry);
            self.close()?;
        }
        if self.waiting.len() > WAITING { Err(self.missing()) } else { Ok(()) }
    }

    /// Takes the next seal; false at the end.
    fn open(&mut self) -> Result<bool, Halt> {
        let Some(seal) = (self.next_seal)()? else { return Ok(false) };
        if let Some(sentence) = seal.fault_after(self.before.as_ref(), &self.known.trusted) {
            return Err(Fault::new(Wrong::SealBroken, sentence).into());
        }
        self.current = Some(seal);
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Halt> {
        let Some(seal) = self.current.take_if(|seal| seal.events() == self.batch.len() as i64) else {
            return Ok(());
        };
        judge(self.before.as_ref(), &seal, &self.batch)?;
        for entry in &self.batch {
            if entry.place.at < self.latest - BACK {
                let sentence = format!(
                    "{}, was slipped in: it is dated back behind events that were sealed before it.",
                    entry.name()
                );
                return Err(Fault::new(Wrong::SlippedIn, sentence).into());
            }
            self.latest = self.latest.max(entry.place.at);
        }
        self.done.events += seal.events();
        self.done.seals += 1;
        self.before = Some(seal);
        self.batch.clear();
        Ok(())
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
    pub fn finish(mut self) -> Result<Verified, Halt> {
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
        if let Some(place) = self.unsealed.iter().find(|place| place.at < self.latest - BACK) {
            let sentence = format!(
                "{} was slipped in: it is not sealed, and dated back behind events that are.",
                name(*place)
            );
            return Err(Fault::new(Wrong::SlippedIn, sentence).into());
        }
        self.done.waiting_since = self.unsealed.iter().map(|place| place.at).min();
        Ok(self.done)
    }
}

/// Judges a whole batch by its seal, whose signature holds.
fn judge(before: Option<&Seal>, seal: &Seal, batch: &[Entry]) -> Result<(), Fault> {
    let over = batch.iter().any(|entry| entry.archived) && batch.iter().any(|entry| !entry.archived);
    if let Some(entry) = batch.iter().find(|entry| over && entry.kept.is_none()) {
        return Err(Fault::new(
            Wrong::SealBroken,
            format!("The leaf kept for {} is gone.", entry.name().to_lowercase()),
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
                entry.name().to_lowercase()
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
