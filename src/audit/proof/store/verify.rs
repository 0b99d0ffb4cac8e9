//! Reads the whole log for its verification: archives, then events beside their numbers in the order of time,
//! of one snapshot. Reading and hashing go on at the same time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::mpsc::sync_channel;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};

use crate::audit::proof::archive;
use crate::audit::proof::merkle::{Digest, leaf};
use crate::audit::proof::seal::Seal;
use crate::audit::proof::store::seal as seals;
use crate::audit::proof::verify::{Checker, Entry, Fault, Halt, Known, Verified, Wrong};
use crate::kernel::base::error::Error;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::cursor::{declare, fetch};
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
    event: Option<Record>,
    numbered: Option<Numbered>,
}

/// Progress, as events read.
pub type Tell<'a> = &'a mut dyn FnMut(u64);

/// What verification is held against.
pub struct Against<'a> {
    /// Keys whose seals count.
    pub trusted: Vec<[u8; 32]>,
    /// Seals kept elsewhere, each with what it is called in a sentence.
    pub kept: Vec<(String, Seal)>,
    /// The directory of the archives.
    pub archives: &'a Path,
}

/// What held, and what its reader should know.
#[derive(Debug)]
pub struct Outcome {
    pub verified: Verified,
    /// Sentences of the log about itself: that it was restored.
    pub notes: Vec<String>,
    pub newest: Option<Seal>,
}

/// Verifies everything. `conn` and `reader` are connections of their own.
///
/// # Errors
/// The first fault, or what could not be read.
pub fn verify(
    conn: PgConnection,
    reader: PgConnection,
    against: &Against<'_>,
    tell: Tell<'_>,
) -> Result<Outcome, Halt> {
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
) -> Result<Outcome, Halt> {
    let go_on = || if stop() { Err(anyhow::anyhow!("stopped before the end")) } else { Ok(()) };
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    conn.batch_execute(begin)?;
    // Both connections look at one snapshot.
    let snapshot: String = diesel::select(sql::<Text>("pg_export_snapshot()")).get_result(&mut conn)?;
    reader.batch_execute(&format!("{begin}; SET TRANSACTION SNAPSHOT '{snapshot}'"))?;
    // Declared before the archives are looked at: from here on no month can be dropped.
    declare_both(&mut reader)?;
    // A search column that is no longer computed could hide an event from every search.
    let computed = "NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'audit'::regnamespace AND c.relname LIKE 'events%' \
        AND c.relkind IN ('r', 'p') AND a.attname = 'search' AND a.attgenerated <> 's')";
    if !diesel::select(sql::<Bool>(computed)).get_result::<bool>(&mut conn)? {
        return Err(Fault::new(
            Wrong::Changed,
            "The search column was changed: the database no longer computes it from the events.",
        )
        .into());
    }
    let cluster = seals::get_standing(&mut conn)?.cluster;
    let newest = seals::find_last(&mut conn).map_err(plain)?;
    let archived: Vec<(NaiveDate, String, Vec<u8>)> = archives::table
        .order(archives::month)
        .select((archives::month, archives::file_name, archives::digest))
        .load(&mut conn)?;
    let floor = months::get_floor(&mut conn).map_err(plain)?;
    let mut months: BTreeSet<NaiveDate> =
        months::list_months(&mut conn).map_err(plain)?.into_iter().collect();
    let boundary: HashMap<i64, Vec<u8>> =
        boundary_leaves::table.load::<(i64, Vec<u8>)>(&mut conn)?.into_iter().collect();
    let mut dropped = Vec::new();
    for (month, file, digest) in archived {
        dropped.push((file, digest, months.insert(month)));
    }
    let mut kept_at = Vec::new();
    for (name, kept) in &against.kept {
        kept_at.push((name, kept, seals::find_seal(&mut conn, kept.number).map_err(plain)?));
    }
    let mut ready: VecDeque<Seal> = VecDeque::new();
    let mut from = 1;
    let next_seal = || {
        if ready.is_empty() {
            ready = seals::list_seals_from(&mut conn, from, SEALS).map_err(plain)?.into();
            from = ready.back().map_or(from, |seal| seal.number.saturating_add(1));
        }
        Ok(ready.pop_front())
    };
    let here = newest.clone().filter(|seal| seal.cluster == cluster);
    let mut checker =
        Checker::new(next_seal, Known { trusted: against.trusted.clone(), newest: here, months, floor });
    let mut notes = Vec::new();
    let mut bytes = Vec::new();
    let mut read = 0u64;
    let restored = Kind::LogRestored.as_str();
    let mut look = |event: &Record, notes: &mut Vec<String>, tell: Tell<'_>| -> Digest {
        read += 1;
        if read.is_multiple_of(50_000) {
            tell(read);
        }
        if event.kind == restored {
            notes.push(format!("{}: {}.", event.at.format("%Y-%m-%d %H:%M:%S UTC"), event.sentence));
        }
        event.canonical(&mut bytes);
        leaf(&bytes)
    };
    for (file, digest, is_dropped) in &dropped {
        let checked = archive::check_digest(&against.archives.join(file), digest);
        checked.map_err(|sentence| Fault::new(Wrong::Archive, sentence))?;
        if *is_dropped {
            let unreadable = |error: anyhow::Error| {
                Fault::new(Wrong::Archive, format!("The archive {file} was changed: {error}."))
            };
            for (at, event) in archive::events(&against.archives.join(file)).map_err(unreadable)?.enumerate()
            {
                if at.is_multiple_of(ROWS) {
                    go_on()?;
                }
                let (event, number) = event.map_err(unreadable)?;
                let now = look(&event, &mut notes, tell);
                let kept = boundary.get(&number).map(|leaf| leaf.as_slice().try_into().unwrap_or([0; 32]));
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
        scope.spawn(move || read_all(&mut reader, &mut |rows| sender.send(rows).is_ok()));
        for chunk in rows {
            go_on()?;
            for row in chunk? {
                let now = row.event.as_ref().map(|event| look(event, &mut notes, tell));
                match (row.event, row.numbered) {
                    (Some(event), None) => checker.unsealed(event.place(), event.transaction_id)?,
                    (event, Some((at, id, number, kept))) => {
                        let kept = Some(kept.try_into().unwrap_or([0; 32]));
                        let transaction = event.map_or(0, |event| event.transaction_id);
                        checker.sealed(Entry {
                            place: Place { at, id },
                            transaction,
                            number,
                            now,
                            kept,
                            archived: false,
                        })?;
                    }
                    (None, None) => {}
                }
            }
        }
        Ok(())
    })?;
    let verified = checker.finish()?;
    for (name, kept, here) in kept_at {
        held(name, kept, here.as_ref(), newest.as_ref())?;
    }
    Ok(Outcome { verified, notes, newest })
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

fn declare_both(conn: &mut PgConnection) -> QueryResult<()> {
    // The whole result is wanted, not its first rows; sorting would write every event to disk once more.
    conn.batch_execute("SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_sort = off")?;
    declare(conn, "events", events::table.order((events::at, events::id)).select(Record::as_select()))?;
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
    let mut events: VecDeque<Record> = VecDeque::new();
    let mut numbers: VecDeque<Numbered> = VecDeque::new();
    let (mut more_events, mut more_numbers) = (true, true);
    loop {
        let filled = (|| -> QueryResult<()> {
            if events.is_empty() && more_events {
                events = fetch::<Columns>("events", ROWS).load(conn)?.into();
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
            let event = events.front().map(Record::place);
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
