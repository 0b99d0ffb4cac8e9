//! Reads the whole log for its verification: archives, then events beside their numbers in the order of time,
//! of one snapshot. Reading and hashing go on at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Oid, Text};

use crate::audit::proof::archive;
use crate::audit::proof::merkle::{Digest, leaf};
use crate::audit::proof::seal::{Kept, KeyFiles, Loss, Seal};
use crate::audit::proof::set_aside::{SetAside, Subject};
use crate::audit::proof::store::definitions::{self, Partitions};
use crate::audit::proof::store::rights;
use crate::audit::proof::store::seal as seals;
use crate::audit::proof::store::set_aside;
use crate::audit::proof::verify::{Checker, Entry, Fault, Halt, Known, Report, Wrong};
use crate::kernel::base::error::Error;
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::hex::hex;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::cursor::{declare, fetch};
use crate::kernel::db::migrate::{Standing, standing};
use crate::kernel::event::domain::Kind;
use crate::kernel::event::months;
use crate::kernel::event::record::Place;
use crate::kernel::event::record::{Columns, Record};
use crate::kernel::event::schema::{archives, boundary_leaves, events, sealed};

/// Rows that are fetched at once.
const ROWS: usize = 4_000;
/// Seals that are fetched at once.
const SEALS: i64 = 1_000;

type Numbered = (DateTime<Utc>, i64, i64, Vec<u8>);
type NumberedColumns = diesel::dsl::SqlTypeOf<(sealed::at, sealed::id, sealed::number, sealed::leaf)>;

/// A place in the log: its event, its number and kept leaf.
struct Row {
    event: Option<Here>,
    numbered: Option<Numbered>,
}

/// An event, the partition it stands in, and its text for searches where that is not what its columns give.
type Here = (Record, u32, Option<String>);
type HereColumns = (Columns, Oid, Nullable<Text>);

/// Progress, as events read.
pub type Tell<'a> = &'a mut dyn FnMut(u64);

/// What verification is held against.
#[derive(Debug, Clone)]
pub struct Against<'a> {
    /// Keys whose seals count.
    pub trusted: Vec<[u8; 32]>,
    /// Seals kept elsewhere, each with what it is called in a sentence.
    pub kept: Vec<(String, Seal)>,
    /// The directory of the archives.
    pub archives: &'a Path,
    /// What is to be kept beside the key; none for a copy whose newest seal is not asked for.
    pub head: Option<Head>,
    /// Definitions that whoever asks has replaced, as a test does that moves the log's clock.
    pub replaced: &'a [&'a str],
}

/// What is kept beside the key, and where.
#[derive(Debug, Clone)]
pub struct Head {
    pub kept: Kept,
    pub path: PathBuf,
    /// Whether there is a key, or was: where one is, the newest seal is beside it.
    pub is_any_key: bool,
    /// What the log has to tell, because the newest seal was found lost, and where that is kept.
    pub loss: Option<(Loss, PathBuf)>,
    /// The public half of the key, where it can be read.
    pub public_key: Option<[u8; 32]>,
}

impl<'a> Against<'a> {
    /// An installation's own files.
    ///
    /// # Errors
    /// When the list of keys cannot be read.
    pub fn of(files: &KeyFiles, archives: &'a Path) -> anyhow::Result<Self> {
        let path = files.head_path().to_owned();
        let head = Head {
            kept: files.kept(),
            path,
            is_any_key: files.is_any_key(),
            loss: files.loss()?.map(|loss| (loss, files.lost_path().to_owned())),
            public_key: files.public_key(),
        };
        Ok(Self { trusted: files.trusted()?, kept: Vec::new(), archives, head: Some(head), replaced: &[] })
    }

    fn head(&self) -> Option<&Seal> {
        self.head.as_ref().and_then(|head| head.kept.seal())
    }
}

/// Verifies everything. `conn` and `reader` are connections of their own.
///
/// # Errors
/// What could not be read.
pub fn verify(
    conn: PgConnection,
    reader: PgConnection,
    against: &Against<'_>,
    tell: Tell<'_>,
) -> anyhow::Result<Report> {
    verify_until(conn, reader, against, tell, &|| false)
}

/// As [`verify`], until `stop` says so: it is asked at every few thousand events.
///
/// # Errors
/// As [`verify`]; it cannot be told where it was stopped.
pub fn verify_until(
    mut conn: PgConnection,
    mut reader: PgConnection,
    against: &Against<'_>,
    tell: Tell<'_>,
    stop: &dyn Fn() -> bool,
) -> anyhow::Result<Report> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    // A constraint that somebody added keeps no partition from being read.
    let all = "SET constraint_exclusion = off";
    conn.batch_execute(&format!("{all}; {begin}"))?;
    // Both connections look at one snapshot.
    let snapshot: String = diesel::select(sql::<Text>("pg_export_snapshot()")).get_result(&mut conn)?;
    reader.batch_execute(&format!("{all}; {begin}; SET TRANSACTION SNAPSHOT '{snapshot}'"))?;
    // Declared before the archives are looked at: from here on no month can be dropped.
    declare_both(&mut reader)?;
    let (partitions, mut causes) = definitions::partitions(&mut conn)?;
    let mut notes = Vec::new();
    if standing(&mut conn)? == Standing::Current {
        causes.extend(definitions::faults(&mut conn, against.replaced)?);
        let told = rights::look(&mut conn)?;
        causes.extend(told.faults);
        notes.extend(told.notes);
    } else {
        notes.push("The database's schema is of another version: its functions were not compared.".into());
    }
    let (mut report, ended) = match read(conn, reader, against, &partitions, tell, stop) {
        Ok(read) => read,
        // What was changed may be what cannot be read.
        Err(_) if !causes.is_empty() && !stop() => (Report::default(), None),
        Err(error) => return Err(error),
    };
    // Causes come first: what they brought about reads otherwise then.
    let beside = std::mem::take(&mut report.faults);
    report.faults = causes.into_iter().chain(ended).chain(beside).collect();
    let mut told = BTreeSet::new();
    report.faults.retain(|fault| told.insert(fault.sentence.clone()));
    report.notes.extend(notes);
    // What somebody wrote into the log is no order for the terminal that tells of it.
    for fault in &mut report.faults {
        fault.sentence = harmless(&fault.sentence).into_owned();
    }
    for note in &mut report.notes {
        *note = harmless(note).into_owned();
    }
    Ok(report)
}

/// Reads archives and log; what ended it, where something did.
fn read(
    mut conn: PgConnection,
    mut reader: PgConnection,
    against: &Against<'_>,
    partitions: &Partitions,
    tell: Tell<'_>,
    stop: &dyn Fn() -> bool,
) -> anyhow::Result<(Report, Option<Fault>)> {
    let now = seals::get_standing(&mut conn)?;
    let newest = seals::get_end(&mut conn, against.head()).map_err(plain)?.sound;
    let archived: Vec<(NaiveDate, String, Vec<u8>)> = archives::table
        .order(archives::month)
        .select((archives::month, archives::file_name, archives::digest))
        .load(&mut conn)?;
    let floor = months::get_floor(&mut conn).map_err(plain)?;
    let mut months: BTreeSet<NaiveDate> = partitions.values().filter_map(|(_, month)| *month).collect();
    let boundary: HashMap<i64, Vec<u8>> =
        boundary_leaves::table.load::<(i64, Vec<u8>)>(&mut conn)?.into_iter().collect();
    let mut dropped = Vec::new();
    for (month, file, digest) in archived {
        dropped.push((file, digest, months.insert(month)));
    }
    let mut kept_at = Vec::new();
    let head = against.head().map(|seal| ("kept beside the key".to_owned(), seal.clone()));
    for (name, kept) in head.into_iter().chain(against.kept.iter().cloned()) {
        let here = seals::find_seal(&mut conn, kept.number).map_err(plain)?;
        kept_at.push((name, kept, here));
    }
    let mut beside = Vec::new();
    let (set_aside, moved) = laid_aside(&mut conn, &against.trusted, &mut beside)?;
    let here = newest.clone().filter(|seal| seal.cluster == now.cluster);
    let known = Known {
        trusted: against.trusted.clone(),
        not_begun: here.as_ref().filter(|seal| seal.through_transaction > 0).map(|_| now.not_begun),
        newest: here,
        ends_here: against.head().is_some_and(|head| Some(head) == newest.as_ref()),
        months,
        floor,
        void: moved.values().map(Seal::digest).collect(),
        set_aside,
    };
    let aside: Vec<String> = known.set_aside.iter().map(SetAside::note).collect();
    let mut ready: VecDeque<Seal> = VecDeque::new();
    let mut from = 1;
    let mut expected = 1i64;
    let next_seal = || {
        if ready.is_empty() {
            ready = seals::list_seals_from(&mut conn, from, SEALS).map_err(plain)?.into();
            from = ready.back().map_or(from, |seal| seal.number.saturating_add(1));
        }
        // What was made on top of a row that is laid aside now follows it.
        let gap = ready.front().is_some_and(|seal| seal.number > expected);
        let next = if gap { moved.get(&expected).cloned() } else { None }.or_else(|| ready.pop_front());
        expected = next.as_ref().map_or(expected, |seal| seal.number.saturating_add(1));
        Ok(next)
    };
    let mut checker = Checker::new(next_seal, known);
    let mut seen = Seen::default();
    let source =
        Source { archives: against.archives, dropped: &dropped, boundary: &boundary, partitions, stop };
    let fed = feed(&mut checker, &mut reader, &source, &mut seen, tell);
    let mut ended = match fed {
        Ok(()) => None,
        Err(Halt::Fault(fault)) => Some(fault),
        Err(Halt::Error(error)) => return Err(error),
    };
    let mut report = checker.told();
    if ended.is_none() {
        let lost = |(name, kept, here): (String, Seal, Option<Seal>)| {
            held(&name, &kept, here.as_ref(), newest.as_ref()).err()
        };
        ended = kept_at.into_iter().find_map(lost);
        report.faults.extend(seen.untold_loss(against));
        report.faults.extend(seen.strange_leaf(&boundary));
    }
    report.faults.extend(beside);
    report.faults.extend(missing_head(against, newest.as_ref()));
    let mut notes = seen.notes;
    notes.append(&mut report.notes);
    notes.extend(aside);
    notes.extend(other_key(against, newest.as_ref()));
    report.notes = notes;
    report.newest = newest;
    Ok((report, ended))
}

/// What is remembered of the events that were read.
#[derive(Default)]
struct Seen {
    notes: Vec<String>,
    /// The losses that events tell of: the seal's digest and the sentence.
    losses: Vec<(String, String)>,
    /// Numbers of events for which the leaf that is kept beside the archives is theirs.
    leaves: BTreeSet<i64>,
}

impl Seen {
    fn note_loss(&mut self, event: &Record) {
        self.notes.push(format!("{}: {}.", event.at.format("%Y-%m-%d %H:%M:%S UTC"), event.sentence));
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap_or_default();
        let seal = detail["lost"].as_str().unwrap_or_default();
        self.losses.push((seal.to_owned(), event.sentence.clone()));
    }

    /// The last loss that was found, where no event tells of it any more. Earlier ones may be gone with an
    /// older copy that was restored.
    fn untold_loss(&self, against: &Against<'_>) -> Option<Fault> {
        let (loss, path) = against.head.as_ref()?.loss.as_ref()?;
        let is_told = self.losses.iter().any(|(seal, told)| *seal == loss.seal && *told == loss.sentence);
        let sentence = format!(
            "An event was removed: on {} the log was told “{}”, as {} says, and that event is gone.",
            loss.found.format("%Y-%m-%d %H:%M:%S UTC"),
            loss.sentence,
            path.display()
        );
        (!is_told).then(|| Fault::new(Wrong::Removed, sentence))
    }

    /// A leaf that is kept for an event that was not archived, or is another than that event's.
    fn strange_leaf(&self, boundary: &HashMap<i64, Vec<u8>>) -> Option<Fault> {
        let number = boundary.keys().filter(|number| !self.leaves.contains(number)).min()?;
        let sentence = format!(
            "The leaf kept for event number {number} belongs to no event: the proofs of its batch lead to \
                another root."
        );
        Some(Fault::new(Wrong::SealBroken, sentence).aside(Subject::Leaf(*number)))
    }
}

/// Whether the log was sealed last with another key than the one that lies here: a key may be replaced, and
/// whoever owns the database may have made seals of their own.
fn other_key(against: &Against<'_>, newest: Option<&Seal>) -> Option<String> {
    let (own, newest) = (against.head.as_ref()?.public_key?, newest?);
    (newest.key != own).then(|| {
        format!(
            "Seal {} was made with the key {}, and the key that lies here is {}.",
            newest.number,
            hex(&newest.key),
            hex(&own)
        )
    })
}

type Moved = BTreeMap<i64, Seal>;

/// What the owner laid aside, by the word of a trusted key, and the seals among it; a record without that
/// word is a fault.
fn laid_aside(
    conn: &mut PgConnection,
    trusted: &[[u8; 32]],
    faults: &mut Vec<Fault>,
) -> anyhow::Result<(Vec<SetAside>, Moved)> {
    let mut held = Vec::new();
    for record in set_aside::list(conn).map_err(plain)? {
        match record.filter(|record| record.holds(trusted)) {
            Some(record) => held.push(record),
            None => faults.push(Fault::new(
                Wrong::SealBroken,
                "A record of what was set aside is not signed by a key of this log: it counts for nothing.",
            )),
        }
    }
    let numbers: BTreeSet<i64> = held
        .iter()
        .filter_map(|record| match record.subject {
            Subject::Seal(number) if record.moved.is_some() => Some(number),
            _ => None,
        })
        .collect();
    let moved = set_aside::list_moved_seals(conn).map_err(plain)?;
    Ok((held, moved.into_iter().map(|s| (s.number, s)).filter(|(n, _)| numbers.contains(n)).collect()))
}

/// What is wrong with what is kept beside the key.
fn missing_head(against: &Against<'_>, newest: Option<&Seal>) -> Option<Fault> {
    let head = against.head.as_ref()?;
    let path = head.path.display();
    let sealed = newest.map_or_else(|| "no seal".to_owned(), |seal| format!("seal {}", seal.number));
    let sentence = match &head.kept {
        Kept::Missing if newest.is_some() || head.is_any_key => format!(
            "The newest seal is not kept beside the key: {path} is missing, so that an end that was cut \
                off, or a \
                log that was rewritten whole, would not show. The log ends with {sealed}."
        ),
        Kept::Nothing if newest.is_some_and(|seal| seal.number > 1) => format!(
            "The newest seal is not kept beside the key: {path} says that nothing was sealed yet. The log \
                ends with \
                {sealed}."
        ),
        Kept::Unreadable(why) => format!("The newest seal beside the key cannot be read: {why}."),
        _ => return None,
    };
    Some(Fault::new(Wrong::Head, sentence))
}

/// What is read beside the events of the log.
struct Source<'a> {
    archives: &'a Path,
    /// File and digest of each archive, and whether its month is dropped.
    dropped: &'a [(String, Vec<u8>, bool)],
    /// Leaves of dropped events by their numbers.
    boundary: &'a HashMap<i64, Vec<u8>>,
    partitions: &'a Partitions,
    stop: &'a dyn Fn() -> bool,
}

/// Feeds archives and log to the checker. Reading and hashing go on at the same time.
fn feed<S: FnMut() -> anyhow::Result<Option<Seal>>>(
    checker: &mut Checker<S>,
    reader: &mut PgConnection,
    source: &Source<'_>,
    seen: &mut Seen,
    tell: Tell<'_>,
) -> Result<(), Halt> {
    let go_on = || if (source.stop)() { Err(anyhow::anyhow!("stopped before the end")) } else { Ok(()) };
    let mut bytes = Vec::new();
    let mut read = 0u64;
    let restored = Kind::LogRestored.as_str();
    let mut look = |event: &Record, seen: &mut Seen, tell: Tell<'_>| -> Digest {
        read += 1;
        if read.is_multiple_of(50_000) {
            tell(read);
        }
        if event.kind == restored {
            seen.note_loss(event);
        }
        event.canonical(&mut bytes);
        leaf(&bytes)
    };
    for (file, digest, is_dropped) in source.dropped {
        // Somebody may have named any file of the machine.
        if file.contains('/') || !source.archives.join(file).is_file() {
            return Err(Fault::new(Wrong::Archive, format!("The archive {file} is missing.")).into());
        }
        let path = source.archives.join(file);
        let checked = archive::check_digest(&path, digest);
        checked.map_err(|sentence| Fault::new(Wrong::Archive, sentence))?;
        if *is_dropped {
            let unreadable = |error: anyhow::Error| {
                Fault::new(Wrong::Archive, format!("The archive {file} was changed: {error}."))
            };
            let events = archive::events(&path).map_err(unreadable)?;
            for (at, event) in events.enumerate() {
                if at.is_multiple_of(ROWS) {
                    go_on()?;
                }
                let (event, number) = event.map_err(unreadable)?;
                let now = look(&event, seen, tell);
                let kept =
                    source.boundary.get(&number).map(|leaf| leaf.as_slice().try_into().unwrap_or([0; 32]));
                // One that is another than the event's own breaks its batch.
                if kept.is_some() {
                    seen.leaves.insert(number);
                }
                let place = event.place();
                checker.sealed(Entry {
                    place,
                    transaction: event.transaction_id,
                    number,
                    now: Some(now),
                    kept,
                    archived: true,
                })?;
            }
        }
    }
    std::thread::scope(|scope| -> Result<(), Halt> {
        let (sender, rows) = sync_channel::<anyhow::Result<Vec<Row>>>(4);
        scope.spawn(move || read_all(reader, &mut |rows| sender.send(rows).is_ok()));
        for chunk in rows {
            go_on()?;
            for row in chunk? {
                if let Some((event, partition, other)) = &row.event {
                    look_beside(checker, event, source.partitions.get(partition), other.as_deref());
                }
                let now = row.event.as_ref().map(|(event, ..)| look(event, seen, tell));
                if let Some((.., number, leaf)) = &row.numbered
                    && source.boundary.get(number) == Some(leaf)
                {
                    seen.leaves.insert(*number);
                }
                let transaction = row.event.as_ref().map(|(event, ..)| event.transaction_id);
                match (row.event, row.numbered) {
                    (Some((event, ..)), None) => checker.unsealed(event.place(), event.transaction_id)?,
                    (_, Some((at, id, number, kept))) => checker.sealed(Entry {
                        place: Place { at, id },
                        transaction: transaction.unwrap_or_default(),
                        number,
                        now,
                        kept: Some(kept.try_into().unwrap_or([0; 32])),
                        archived: false,
                    })?,
                    (None, None) => {}
                }
            }
        }
        Ok(())
    })?;
    checker.finish()
}

/// What is beside an event in its row: the partition it stands in, and its text for searches.
fn look_beside<S: FnMut() -> anyhow::Result<Option<Seal>>>(
    checker: &mut Checker<S>,
    event: &Record,
    partition: Option<&(String, Option<NaiveDate>)>,
    other: Option<&str>,
) {
    if let Some((name, Some(month))) = partition
        && !definitions::is_within(event.at, *month)
    {
        checker.misplaced(event.place(), name);
    }
    if let Some(other) = other {
        let own = [
            event.sentence.as_str(),
            &event.actor_name,
            event.actor_email.as_deref().unwrap_or_default(),
            event.address.as_deref().unwrap_or_default(),
            &event.search_values,
        ];
        // Which letter is the small one of which, a later version of the system may know better.
        let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
        if fold(&own.join(" ")) != fold(other) {
            checker.hidden(event.place());
        }
    }
}

/// Whether the log still holds a seal that was kept elsewhere.
fn held(name: &str, kept: &Seal, here: Option<&Seal>, newest: Option<&Seal>) -> Result<(), Fault> {
    match here {
        Some(seal) if seal.digest() == kept.digest() => Ok(()),
        Some(_) => Err(Fault::new(
            Wrong::SealBroken,
            format!("Seal {} is broken: it is not the one {name}.", kept.number),
        )),
        None => {
            let last = newest.map_or(0, |seal| seal.number);
            let sentence = format!(
                "The log is truncated: it ends with seal {last}, and seal {}, {name}, is gone. It was cut \
                    off, or restored from an older copy.",
                kept.number
            );
            Err(Fault::new(Wrong::Truncated, sentence))
        }
    }
}

fn plain(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// What the database fills the search column with, for each event anew; nothing where it stands there. By the
/// database's own collation, whatever the columns were given.
const OTHER_SEARCH: &str = "CASE WHEN audit.events.search IS DISTINCT FROM \
    lower((sentence || ' ' || actor_name || ' ' || coalesce(actor_email, '') || ' ' || coalesce(address, \
    '') || ' ' \
    || search_values) COLLATE \"default\") THEN coalesce(audit.events.search, '') END";

fn declare_both(conn: &mut PgConnection) -> QueryResult<()> {
    // The whole result is wanted, not its first rows; sorting would write every event to disk once more.
    conn.batch_execute("SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_sort = off")?;
    let is_there = "EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'audit.events'::regclass \
        AND attname = 'search' AND NOT attisdropped)";
    let is_there: bool = diesel::select(sql::<Bool>(is_there)).get_result(conn)?;
    let other = if is_there { OTHER_SEARCH } else { "NULL::text" };
    let here = (Record::as_select(), sql::<Oid>("audit.events.tableoid"), sql::<Nullable<Text>>(other));
    declare(conn, "events", events::table.order((events::at, events::id)).select(here))?;
    let numbers = sealed::table.order((sealed::at, sealed::id)).select((
        sealed::at,
        sealed::id,
        sealed::number,
        sealed::leaf,
    ));
    declare(conn, "sealed", numbers)
}

/// Merges both cursors by place.
fn read_all(conn: &mut PgConnection, send: &mut dyn FnMut(anyhow::Result<Vec<Row>>) -> bool) {
    let mut events: VecDeque<Here> = VecDeque::new();
    let mut numbers: VecDeque<Numbered> = VecDeque::new();
    let (mut more_events, mut more_numbers) = (true, true);
    loop {
        let filled = (|| -> QueryResult<()> {
            if events.is_empty() && more_events {
                events = fetch::<HereColumns>("events", ROWS).load(conn)?.into();
                more_events = !events.is_empty();
            }
            if numbers.is_empty() && more_numbers {
                numbers = fetch::<NumberedColumns>("sealed", ROWS).load(conn)?.into();
                more_numbers = !numbers.is_empty();
            }
            Ok(())
        })();
        if let Err(error) = filled {
            send(Err(error.into()));
            return;
        }
        if events.is_empty() && numbers.is_empty() {
            return;
        }
        let mut rows = Vec::with_capacity(ROWS);
        // Until one of them is used up: what comes next may belong before the rest of the other.
        while (!events.is_empty() || !more_events) && (!numbers.is_empty() || !more_numbers) {
            let event = events.front().map(|(event, ..)| event.place());
            let number = numbers.front().map(|(at, id, ..)| Place { at: *at, id: *id });
            let row = match (event, number) {
                (None, None) => break,
                (Some(event), Some(number)) if event == number => {
                    Row { event: events.pop_front(), numbered: numbers.pop_front() }
                }
                (Some(event), number) if number.is_none_or(|number| event < number) => {
                    Row { event: events.pop_front(), numbered: None }
                }
                _ => Row { event: None, numbered: numbers.pop_front() },
            };
            rows.push(row);
        }
        if !send(Ok(rows)) {
            return;
        }
    }
}
