//! SQL of the sealer: the next batch by the horizon of transactions, and the seal over it.
//!
//! An event is settled when every transaction with a lower id than its own has ended: nothing can then appear
//! before it in the order of (transaction, id). Going by id or time instead loses events of transactions that
//! commit late.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Untyped};
use ed25519_dalek::SigningKey;

use crate::audit::proof::merkle::{Digest, leaf};
use crate::audit::proof::seal::{Seal, make};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::{events, seals};

/// The most events of a batch.
pub const BATCH: i64 = 500;

/// What a turn of the sealer did.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Another node is sealing.
    Busy,
    /// The newest seal that is known is not in the log as it was made: nothing is sealed on top of that.
    Lost,
    /// Nothing is settled, or what is settled is younger than the batch shall wait.
    Waiting,
    /// A seal was written; whether more may wait.
    Sealed(Box<Seal>, bool),
}

/// Where the order of transactions stands.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Standing {
    /// System identifier of the cluster.
    #[diesel(sql_type = BigInt)]
    pub cluster: i64,
    /// The lowest transaction that may still be running.
    #[diesel(sql_type = BigInt)]
    pub lowest_running: i64,
    /// The first transaction that has not begun.
    #[diesel(sql_type = BigInt)]
    pub not_begun: i64,
    /// The database's time.
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
}

/// Reads where the order of transactions stands.
pub fn get_standing(conn: &mut PgConnection) -> QueryResult<Standing> {
    // sql_query: functions of the database's own that diesel has no names for.
    diesel::sql_query(
        "SELECT (SELECT system_identifier FROM pg_control_system()) AS cluster, \
            pg_snapshot_xmin(s)::text::bigint AS lowest_running,
             pg_snapshot_xmax(s)::text::bigint AS not_begun, audit.now() AS now FROM pg_current_snapshot() s",
    )
    .get_result(conn)
}

/// Whether the role of this connection may write seals.
pub fn may_seal(conn: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(sql::<Bool>("has_table_privilege('audit.seals', 'INSERT')")).get_result(conn)
}

type SealRow = (i64, i64, i64, Vec<u8>, Vec<u8>, DateTime<Utc>, i64, i64, i64, Vec<u8>, Vec<u8>);

fn seal_of(row: SealRow) -> Result<Seal> {
    let (number, first, last, root, previous, at, cluster, through_transaction, through_id, key, signature) =
        row;
    let short = || Error::Internal(anyhow::anyhow!("seal {number} holds bytes of the wrong length"));
    Ok(Seal {
        number,
        first,
        last,
        root: root.try_into().map_err(|_| short())?,
        previous: previous.try_into().map_err(|_| short())?,
        at,
        cluster,
        through_transaction,
        through_id,
        key: key.try_into().map_err(|_| short())?,
        signature: signature.try_into().map_err(|_| short())?,
    })
}

pub fn find_last(conn: &mut PgConnection) -> Result<Option<Seal>> {
    seals::table.order(seals::number.desc()).first::<SealRow>(conn).optional()?.map(seal_of).transpose()
}

/// A seal by its number.
pub fn find_seal(conn: &mut PgConnection, number: i64) -> Result<Option<Seal>> {
    seals::table.find(number).first::<SealRow>(conn).optional()?.map(seal_of).transpose()
}

/// Whether the log holds a seal as it was made; one that nobody made is no loss.
pub fn holds(conn: &mut PgConnection, head: Option<&Seal>) -> Result<bool> {
    let Some(head) = head else { return Ok(true) };
    Ok(find_seal(conn, head.number)?.is_some_and(|seal| seal.digest() == head.digest()))
}

/// Up to `limit` seals from a number on, in order.
pub fn list_seals_from(conn: &mut PgConnection, number: i64, limit: i64) -> Result<Vec<Seal>> {
    let rows: Vec<SealRow> =
        seals::table.filter(seals::number.ge(number)).order(seals::number).limit(limit).load(conn)?;
    rows.into_iter().map(seal_of).collect()
}

/// The seal over the event with a number.
pub fn find_seal_over(conn: &mut PgConnection, event: i64) -> Result<Option<Seal>> {
    let over = seals::table.filter(seals::last_number.ge(event)).order(seals::last_number);
    let seal = over.first::<SealRow>(conn).optional()?.map(seal_of).transpose()?;
    Ok(seal.filter(|seal| seal.first <= event))
}

/// An event's number and the seal over it; none while it is not sealed.
pub fn find_number(conn: &mut PgConnection, place: Place) -> Result<Option<(i64, Seal)>> {
    use crate::kernel::event::schema::sealed;
    let number: Option<i64> =
        sealed::table.find((place.at, place.id)).select(sealed::number).first(conn).optional()?;
    let Some(number) = number else { return Ok(None) };
    Ok(find_seal_over(conn, number)?.map(|seal| (number, seal)))
}

/// The leaves of a seal's batch in order: of events that are here, and of those that were dropped beside
/// them. Fewer than the seal says where some were dropped with all their batch.
pub fn list_leaves(conn: &mut PgConnection, seal: &Seal) -> Result<Vec<Digest>> {
    use crate::kernel::event::schema::{boundary_leaves, sealed};
    let here = sealed::table
        .filter(sealed::number.between(seal.first, seal.last))
        .select((sealed::number, sealed::leaf));
    let gone = boundary_leaves::table.filter(boundary_leaves::number.between(seal.first, seal.last));
    let mut leaves: Vec<(i64, Vec<u8>)> = here.load(conn)?;
    leaves.extend(gone.load::<(i64, Vec<u8>)>(conn)?);
    leaves.sort_unstable();
    leaves.dedup();
    let short = |_| Error::Internal(anyhow::anyhow!("a leaf of the wrong length"));
    leaves.into_iter().map(|(_, leaf)| leaf.try_into().map_err(short)).collect()
}

/// Seals the next batch, in the transaction that `conn` is in. `tell` hears of its events before they are
/// committed as sealed, so that each is told at least once.
///
/// # Errors
/// When the database refuses.
pub fn seal_next(
    conn: &mut PgConnection,
    key: &SigningKey,
    head: Option<&Seal>,
    wait: TimeDelta,
    tell: &mut dyn FnMut(&[Record]),
) -> Result<Turn> {
    // One sealer at a time over all nodes, until the end of the transaction.
    if !diesel::select(sql::<Bool>("pg_try_advisory_xact_lock(hashtext('tyrian.audit.seal'))"))
        .get_result::<bool>(conn)?
    {
        return Ok(Turn::Busy);
    }
    let standing = get_standing(conn)?;
    let last = find_last(conn)?;
    // After the seal that the next one follows was read: who cuts the log between the two is found out either
    // way.
    if !holds(conn, head)? {
        return Ok(Turn::Lost);
    }
    let position = match &last {
        // A log that never had a seal may still have come from another cluster.
        None if !has_foreign(conn, &standing)? => Some((0, 0)),
        Some(seal) if seal.cluster == standing.cluster && seal.through_transaction > 0 => {
            Some((seal.through_transaction, seal.through_id))
        }
        _ => None,
    };
    let batch = next_batch(conn, position, &standing)?;
    let full = batch.len() as i64 == BATCH;
    let Some(newest) = batch.last() else { return Ok(Turn::Waiting) };
    if !full && batch.iter().all(|event| standing.now - event.at < wait) {
        return Ok(Turn::Waiting);
    }
    let mut bytes = Vec::new();
    let mut leaves: Vec<Digest> = Vec::with_capacity(batch.len());
    for event in &batch {
        event.canonical(&mut bytes);
        leaves.push(leaf(&bytes));
    }
    let through = match (position, full) {
        (Some(_), _) => (newest.transaction_id, newest.id),
        // The first pass after a restore looks at everything; when it is through, all that is settled is
        // sealed.
        (None, true) => (0, 0),
        (None, false) => (standing.lowest_running - 1, i64::MAX),
    };
    let seal = make(key, last.as_ref(), &leaves, standing.now, standing.cluster, through);
    write(conn, &seal, &batch, &leaves)?;
    tell(&batch);
    Ok(Turn::Sealed(Box::new(seal), full))
}

/// Whether there are events of transactions that this cluster has not begun.
fn has_foreign(conn: &mut PgConnection, standing: &Standing) -> QueryResult<bool> {
    let foreign = sql::<Bool>("events.transaction_id >= ")
        .bind::<Text, _>(standing.not_begun.to_string())
        .sql("::xid8");
    diesel::select(diesel::dsl::exists(events::table.filter(foreign))).get_result(conn)
}

fn next_batch(
    conn: &mut PgConnection,
    position: Option<(i64, i64)>,
    standing: &Standing,
) -> Result<Vec<Record>> {
    let unsealed = "NOT EXISTS (SELECT FROM audit.sealed s WHERE s.at = events.at AND s.id = events.id)";
    let mut query =
        events::table.filter(sql::<Bool>(unsealed)).limit(BATCH).select(Record::as_select()).into_boxed();
    let settled = sql::<Bool>("events.transaction_id < ")
        .bind::<Text, _>(standing.lowest_running.to_string())
        .sql("::xid8");
    match position {
        Some((transaction, id)) => {
            // By the index, and one probe for each row: statistics know nothing of rows this new.
            conn.batch_execute(
                "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
                    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off",
            )?;
            let after = sql::<Bool>("(events.transaction_id, events.id) > (")
                .bind::<Text, _>(transaction.to_string());
            query = query.order((sql::<Untyped>("events.transaction_id"), events::id));
            query = query.filter(settled).filter(after.sql("::xid8, ").bind::<BigInt, _>(id).sql(")"));
        }
        None => {
            // Transactions that this cluster has not begun were another's: the log was restored, and they are
            // settled.
            let another = sql::<Bool>("events.transaction_id >= ")
                .bind::<Text, _>(standing.not_begun.to_string())
                .sql("::xid8");
            // Theirs first: they are older than whatever was written here.
            let ours = format!("events.transaction_id < '{}'::xid8", standing.not_begun);
            query = query.order((sql::<Untyped>(&ours), sql::<Untyped>("events.transaction_id"), events::id));
            query = query.filter(settled.or(another));
            // It compares everything with everything sealed, once for each cluster.
            conn.batch_execute("SET LOCAL statement_timeout = '10min'")?;
        }
    }
    Ok(query.load(conn)?)
}

fn write(conn: &mut PgConnection, seal: &Seal, batch: &[Record], leaves: &[Digest]) -> Result<()> {
    diesel::insert_into(seals::table)
        .values((
            seals::number.eq(seal.number),
            seals::first_number.eq(seal.first),
            seals::last_number.eq(seal.last),
            seals::root.eq(seal.root.as_slice()),
            seals::previous.eq(seal.previous.as_slice()),
            seals::at.eq(seal.at),
            seals::cluster.eq(seal.cluster),
            seals::through_transaction.eq(seal.through_transaction),
            seals::through_id.eq(seal.through_id),
            seals::public_key.eq(seal.key.as_slice()),
            seals::signature.eq(seal.signature.as_slice()),
        ))
        .execute(conn)?;
    // sql_query: one statement of one shape for any number of rows.
    diesel::sql_query(
        "INSERT INTO audit.sealed (at, id, number, leaf)
         SELECT at, id, number, leaf FROM unnest($1, $2, $3, $4) AS n (at, id, number, leaf)",
    )
    .bind::<Array<Timestamptz>, _>(batch.iter().map(|event| event.at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(batch.iter().map(|event| event.id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>((seal.first..=seal.last).collect::<Vec<_>>())
    .bind::<Array<Binary>, _>(leaves.iter().map(|leaf| leaf.as_slice()).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}

/// What `/readyz` tells of sealing: the newest seal's number and time, and since when the oldest unsealed
/// event waits.
#[derive(Debug, Clone, QueryableByName)]
pub struct Progress {
    /// The newest seal's number.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub number: Option<i64>,
    /// When it was made.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub at: Option<DateTime<Utc>>,
    /// Time of the oldest event that is not sealed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// The database's time.
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
}

pub fn get_progress(conn: &mut PgConnection) -> QueryResult<Progress> {
    // sql_query: an anti-join by the order of transactions, which diesel has no words for. Transactions that
    // have not begun are a restored log's: sealed in its first pass, and millions.
    diesel::sql_query(
        "SELECT s.number, s.at, audit.now() AS now,
             (SELECT e.at FROM audit.events e WHERE (e.transaction_id, e.id) > \
             (coalesce(s.through_transaction, 0)::text::xid8, coalesce(s.through_id, 0))
                AND e.transaction_id < pg_snapshot_xmax(pg_current_snapshot())
                AND NOT EXISTS (SELECT FROM audit.sealed d WHERE d.at = e.at AND d.id = e.id)
                ORDER BY e.transaction_id, e.id LIMIT 1) AS waiting_since
         FROM (SELECT) one LEFT JOIN (
             SELECT number, at, through_transaction, through_id FROM audit.seals
             ORDER BY number DESC LIMIT 1) s ON true",
    )
    .get_result(conn)
}
