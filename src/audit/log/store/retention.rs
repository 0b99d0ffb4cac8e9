//! SQL of retention: which months are due, their events with their numbers, what is recorded of an archive,
//! and the drop.

use std::path::Path;

use anyhow::bail;
use chrono::{DateTime, Months, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Binary, Bool, Date, Nullable, Text};

use crate::audit::proof::archive::{self, Writer};
use crate::audit::proof::merkle::{Digest, leaf, root};
use crate::audit::proof::store::seal as seals;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::Db;
use crate::kernel::db::cursor::{declare, fetch};
use crate::kernel::db::schema::settings;
use crate::kernel::event::months::MONTHS;
use crate::kernel::event::record::{Columns, Record};
use crate::kernel::event::schema::{boundary_leaves, events, sealed};
use crate::kernel::job::Done;

/// How long a drop waits for the lock before it lets everybody else pass.
const LOCK: &str = "SET LOCAL lock_timeout = '150ms'";

/// A month that lies wholly below the floor.
#[derive(Debug, Clone, QueryableByName)]
pub struct Due {
    #[diesel(sql_type = Date)]
    pub month: NaiveDate,
    /// File and digest of its archive, where there is one.
    #[diesel(sql_type = Nullable<Text>)]
    pub file: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    pub digest: Option<Vec<u8>>,
    /// Whether the database compared it with the month's seals.
    #[diesel(sql_type = Bool)]
    pub compared: bool,
}

/// Whether a legal hold keeps every month.
pub fn is_held(conn: &mut PgConnection) -> Result<bool> {
    Ok(settings::table.select(settings::legal_hold).first(conn)?)
}

/// The months that are due, oldest first.
pub fn list_due(conn: &mut PgConnection) -> Result<Vec<Due>> {
    // sql_query: the catalog is no table of ours.
    Ok(diesel::sql_query(format!(
        "SELECT m.month, a.file_name AS file, a.digest, a.root IS NOT NULL AS compared FROM ({MONTHS}) m \
            LEFT JOIN audit.archives a ON a.month = m.month
         WHERE (m.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' <= audit.floor() ORDER BY m.month"
    ))
    .load(conn)?)
}

pub struct Archived {
    /// Digest of the file.
    pub digest: Digest,
    /// Root of the Merkle tree over the leaves of its events, in the order of their numbers, from the file as
    /// it was read back.
    pub root: Digest,
    pub events: i64,
    /// Leaves of its events whose batches reach into other months.
    pub boundary: Vec<(i64, Digest)>,
}

/// Writes a month's archive, reads it back and compares each event with the leaf it was sealed with.
///
/// # Errors
/// When an event is not sealed or does not give its leaf, when the file cannot be written, or is not what was
/// written.
pub fn archive(conn: &mut PgConnection, month: NaiveDate, path: &Path) -> anyhow::Result<Archived> {
    conn.transaction(|conn| {
        conn.batch_execute(
            "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_sort = off; \
                SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        )?;
        let start = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
        let (from, to) = (start(month), start(month + Months::new(1)));
        let within = events::table.filter(events::at.ge(from).and(events::at.lt(to)));
        declare(conn, "events", within.order((events::at, events::id)).select(Record::as_select()))?;
        let numbers =
            sealed::table.filter(sealed::at.ge(from).and(sealed::at.lt(to))).order((sealed::at, sealed::id));
        declare(conn, "sealed", numbers.select((sealed::number, sealed::leaf)))?;
        let mut out = Writer::begin(path)?;
        let mut kept: Vec<(i64, Digest)> = Vec::new();
        let mut bytes = Vec::new();
        loop {
            let chunk: Vec<Record> = fetch::<Columns>("events", 4_000).load(conn)?;
            let numbers: Vec<(i64, Vec<u8>)> = fetch::<(BigInt, Binary)>("sealed", 4_000).load(conn)?;
            if chunk.len() != numbers.len() {
                bail!("not every event of the month is sealed");
            }
            if chunk.is_empty() {
                break;
            }
            for (event, (number, digest)) in chunk.iter().zip(numbers) {
                event.canonical(&mut bytes);
                if leaf(&bytes).as_slice() != digest {
                    bail!(
                        "{} is not what was sealed; `tyrian audit verify` tells more",
                        event.place().name()
                    );
                }
                out.event(event, number)?;
                kept.push((number, leaf(&bytes)));
            }
        }
        kept.sort_unstable();
        let boundary = add_seals(conn, &mut out, &kept)?;
        let digest = out.end()?;
        let read = read_back(path, &digest)?;
        if read != kept {
            bail!("the archive {} does not hold what was written", path.display());
        }
        Ok(archived(digest, &read, boundary))
    })
}

/// Adds the seals over these events, and the other leaves of their batches; the events in such batches.
fn add_seals(
    conn: &mut PgConnection,
    out: &mut Writer,
    kept: &[(i64, Digest)],
) -> anyhow::Result<Vec<(i64, Digest)>> {
    let mut boundary = Vec::new();
    let mut rest = kept;
    let mut written = Vec::new();
    while let Some((number, _)) = rest.first() {
        let seal = seals::find_seal_over(conn, *number)?
            .ok_or_else(|| anyhow::anyhow!("event number {number} has no seal"))?;
        let (batch, later) = rest.split_at(rest.partition_point(|(number, _)| *number <= seal.last));
        if (batch.len() as i64) < seal.events() {
            boundary.extend_from_slice(batch);
            let leaves = seals::list_leaves(conn, &seal)?;
            for (number, leaf) in (seal.first..).zip(&leaves) {
                if batch.binary_search_by_key(&number, |(number, _)| *number).is_err() {
                    out.leaf(number, leaf)?;
                }
            }
        }
        written.push(seal);
        rest = later;
    }
    for seal in written {
        out.seal(&seal)?;
    }
    Ok(boundary)
}

fn archived(digest: Digest, read: &[(i64, Digest)], boundary: Vec<(i64, Digest)>) -> Archived {
    let leaves: Vec<Digest> = read.iter().map(|(_, leaf)| *leaf).collect();
    Archived { digest, root: root(&leaves), events: read.len() as i64, boundary }
}

/// The archive that an earlier version recorded, read again; what other months need of it was kept then.
///
/// # Errors
/// When it cannot be read.
pub fn reread(path: &Path, digest: &[u8]) -> anyhow::Result<Archived> {
    let digest: Digest = digest.try_into().map_err(|_| anyhow::anyhow!("a digest of the wrong length"))?;
    Ok(archived(digest, &read_back(path, &digest)?, Vec::new()))
}

/// The numbers and leaves of an archive's events as the file has them, in the order of the numbers.
fn read_back(path: &Path, digest: &Digest) -> anyhow::Result<Vec<(i64, Digest)>> {
    archive::check_digest(path, digest).map_err(anyhow::Error::msg)?;
    let mut bytes = Vec::new();
    let mut read = Vec::new();
    for event in archive::events(path)? {
        let (event, number) = event?;
        event.canonical(&mut bytes);
        read.push((number, leaf(&bytes)));
    }
    read.sort_unstable();
    Ok(read)
}

/// Records an archive, and the leaves that other months' proofs will need; false where another node had
/// recorded it.
///
/// # Errors
/// When the database refuses.
pub fn record(conn: &mut PgConnection, month: NaiveDate, file: &str, archived: &Archived) -> Result<bool> {
    // The database builds the tree over the month's leaves once more.
    conn.batch_execute("SET LOCAL statement_timeout = '10min'")?;
    let recorded =
        sql::<Bool>("audit.record_archive(").bind::<Date, _>(month).sql(", ").bind::<Text, _>(file);
    let recorded = recorded.sql(", ").bind::<Binary, _>(archived.digest.as_slice());
    let recorded = recorded.sql(", ").bind::<Binary, _>(archived.root.as_slice()).sql(", ");
    let recorded = recorded.bind::<BigInt, _>(archived.events).sql(")");
    if !diesel::select(recorded).get_result::<bool>(conn)? {
        return Ok(false);
    }
    let leaves: Vec<_> = archived
        .boundary
        .iter()
        .map(|(number, leaf)| (boundary_leaves::number.eq(number), boundary_leaves::leaf.eq(leaf.as_slice())))
        .collect();
    diesel::insert_into(boundary_leaves::table).values(leaves).on_conflict_do_nothing().execute_anew(conn)?;
    Ok(true)
}

/// Drops a month. It waits a moment for the lock, no longer: whoever reads or writes the log comes first.
///
/// # Errors
/// [`Error::Unavailable`] where the lock was not to be had; else what the database says.
pub fn drop_month(conn: &mut PgConnection, month: NaiveDate) -> Result<bool> {
    conn.batch_execute(LOCK)?;
    let dropped =
        diesel::select(sql::<Bool>("audit.drop_month(").bind::<Date, _>(month).sql(")")).get_result(conn);
    dropped.map_err(|error| match error {
        diesel::result::Error::DatabaseError(_, info) if info.message().contains("lock timeout") => {
            Error::Unavailable("somebody reads the month".into())
        }
        other => other.into(),
    })
}

/// Waits between two attempts, on the database's side.
pub fn pause(conn: &mut PgConnection) -> Result<()> {
    Ok(conn.batch_execute("SELECT pg_sleep(0.4)")?)
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = Bool)]
    made: bool,
}

/// Makes the partitions of this month and the three after it. It waits a moment for the lock, no longer:
/// everybody who writes an event would wait behind it, and a month that is missing today is made tomorrow.
pub fn make_audit_months(db: &Db, now: DateTime<Utc>) -> Result<Done> {
    let mut done = Done::default();
    for ahead in 0..4u32 {
        let month = now.date_naive() + chrono::Months::new(ahead);
        let made = db.write_unaudited_blocking("audit partitions", |conn| {
            conn.batch_execute("SET LOCAL lock_timeout = '150ms'")?;
            // sql_query: a function of the owner's, which diesel has no name for.
            Ok(diesel::sql_query("SELECT audit.make_month($1) AS made")
                .bind::<Date, _>(month)
                .get_result::<Made>(conn)?
                .made)
        });
        match made {
            Ok(made) => done.moved += usize::from(made),
            Err(Error::Unavailable(away)) => return Err(Error::Unavailable(away)),
            Err(cause) => {
                done.skipped += 1;
                done.left_over
                    .push(format!("The audit log's {} is not made yet: {cause}.", month.format("%B %Y")));
            }
        }
    }
    Ok(done)
}
