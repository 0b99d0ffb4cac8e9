//! SQL of the sealer: the next batch by the horizon of transactions, and the seal over it.
//!
//! An event is settled when every transaction with a lower id than its own has ended: nothing can then appear
//! before it in the order of (transaction, id). Going by id or time instead loses events of transactions that
//! commit late.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Untyped};
use ed25519_dalek::SigningKey;

use crate::audit::proof::merkle::{Digest, leaf};
use crate::audit::proof::seal::{Kept, Seal, make};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::event::record::Place;
use crate::kernel::event::record::Record;
use crate::kernel::event::schema::{events, seals};

/// How far the database's clock may step back without a word.
pub const CLOCK_STEP: TimeDelta = TimeDelta::seconds(5);
/// The most events of a batch.
pub const BATCH: i64 = 500;

/// What a turn of the sealer did.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Another node is sealing.
    Busy,
    /// The newest seal that is known is not in the log as it was made: nothing is sealed on top of that.
    Lost,
    /// On top of the seals stands a row with this number that is none: nothing is sealed on top of that
    /// either.
    Nonsense(i64),
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

/// A row of the seals, whatever somebody wrote into it.
#[derive(Queryable, Selectable, QueryableByName)]
#[diesel(table_name = seals, check_for_backend(diesel::pg::Pg))]
pub struct SealRow {
    number: i64,
    first_number: i64,
    last_number: i64,
    root: Vec<u8>,
    previous: Vec<u8>,
    #[diesel(select_expression = sayable(), select_expression_type = SqlLiteral<Timestamptz>)]
    at: DateTime<Utc>,
    cluster: i64,
    through_transaction: i64,
    through_id: i64,
    public_key: Vec<u8>,
    signature: Vec<u8>,
}

/// The times that Rust has words for, as a condition on a seal. The database knows infinity too, and
/// years that no calendar of Rust's reaches; nothing of ours is of then.
pub const SAYABLE: &str = "seals.at > '0001-01-01' AND seals.at < '10000-01-01'";

fn sayable() -> SqlLiteral<Timestamptz> {
    sql(&format!("CASE WHEN {SAYABLE} THEN seals.at ELSE 'epoch' END"))
}

pub fn seal_of(row: SealRow) -> Result<Seal> {
    let number = row.number;
    let short = || Error::Internal(anyhow::anyhow!("seal {number} holds bytes of the wrong length"));
    Ok(Seal {
        number,
        first: row.first_number,
        last: row.last_number,
        root: row.root.try_into().map_err(|_| short())?,
        previous: row.previous.try_into().map_err(|_| short())?,
        at: row.at,
        cluster: row.cluster,
        through_transaction: row.through_transaction,
        through_id: row.through_id,
        key: row.public_key.try_into().map_err(|_| short())?,
        signature: row.signature.try_into().map_err(|_| short())?,
    })
}

/// The end of the chain of seals.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// The newest seal that follows the one before it.
    pub sound: Option<Seal>,
    /// The number of the row on top of it that is no seal.
    pub nonsense: Option<i64>,
}

/// How many rows of nonsense are looked through for the newest seal.
const LOOKED_THROUGH: usize = 10_000;

/// Reads the end of the chain. `kept` is the seal that is known to be one.
pub fn get_end(conn: &mut PgConnection, kept: Option<&Seal>) -> Result<End> {
    let mut end = End::default();
    let mut below = i64::MAX;
    for _ in 0..LOOKED_THROUGH {
        let top = seals::table.filter(seals::number.le(below)).order(seals::number.desc());
        let Some(seal) = top.select(SealRow::as_select()).first(conn).optional()?.map(seal_of).transpose()?
        else {
            break;
        };
        let is_sound = kept.is_some_and(|kept| kept.digest() == seal.digest()) || {
            let before = find_seal(conn, seal.number.saturating_sub(1))?;
            seal.is_sound_after(before.as_ref())
        };
        if is_sound {
            end.sound = Some(seal);
            break;
        }
        end.nonsense = Some(seal.number);
        below = seal.number.saturating_sub(1);
    }
    Ok(end)
}

pub fn find_last(conn: &mut PgConnection) -> Result<Option<Seal>> {
    seals::table
        .order(seals::number.desc())
        .select(SealRow::as_select())
        .first(conn)
        .optional()?
        .map(seal_of)
        .transpose()
}

/// A seal by its number.
pub fn find_seal(conn: &mut PgConnection, number: i64) -> Result<Option<Seal>> {
    let found = seals::table.find(number).select(SealRow::as_select()).first(conn).optional()?;
    found.map(seal_of).transpose()
}

/// Whether the log, whose end this is, holds what is kept beside the key.
pub fn holds(conn: &mut PgConnection, kept: &Kept, end: &End) -> Result<bool> {
    Ok(match kept {
        Kept::Seal(head) => find_seal(conn, head.number)?.is_some_and(|seal| seal.digest() == head.digest()),
        // The first seal is kept a moment after it is in the log.
        Kept::Nothing => end.sound.as_ref().is_none_or(|seal| seal.number == 1),
        Kept::Missing | Kept::Unreadable(_) => false,
    })
}

/// Up to `limit` seals from a number on, in order.
pub fn list_seals_from(conn: &mut PgConnection, number: i64, limit: i64) -> Result<Vec<Seal>> {
    let from = seals::table.filter(seals::number.ge(number)).order(seals::number).limit(limit);
    let rows: Vec<SealRow> = from.select(SealRow::as_select()).load(conn)?;
    rows.into_iter().map(seal_of).collect()
}

/// The seal over the event with a number.
pub fn find_seal_over(conn: &mut PgConnection, event: i64) -> Result<Option<Seal>> {
    let over = seals::table.filter(seals::last_number.ge(event)).order(seals::last_number);
    let seal = over.select(SealRow::as_select()).first(conn).optional()?.map(seal_of).transpose()?;
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
    kept: &Kept,
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
    let end = get_end(conn, kept.seal())?;
    // After the seal that the next one follows was read: who cuts the log between the two is found out either
    // way.
    if !holds(conn, kept, &end)? {
        return Ok(Turn::Lost);
    }
    if let Some(number) = end.nonsense {
        return Ok(Turn::Nonsense(number));
    }
    let last = end.sound;
    let position = match &last {
        // A log that never had a seal may still have come from another cluster.
        None if !has_foreign(conn, &standing)? => Some((0, 0)),
        Some(seal) if seal.cluster == standing.cluster && seal.through_transaction > 0 => {
            Some((seal.through_transaction, seal.through_id))
        }
        _ => None,
    };
    // What was laid aside stands behind the position; in a log from elsewhere, everything does.
    let mut batch = if position.is_some() { list_set_aside(conn, BATCH / 2)? } else { Vec::new() };
    let regular = next_batch(conn, position, &standing, BATCH - batch.len() as i64)?;
    let newest = regular.last().map(|newest| (newest.transaction_id, newest.id)).or(position);
    // The position may not have passed them yet.
    let is_new = |event: &Record| batch.iter().all(|aside| aside.place() != event.place());
    let regular: Vec<Record> = regular.into_iter().filter(is_new).collect();
    batch.extend(regular);
    let full = batch.len() as i64 == BATCH;
    // An event of the time to come waits for nothing.
    let is_young = |event: &Record| (TimeDelta::zero()..wait).contains(&(standing.now - event.at));
    if batch.is_empty() || (!full && batch.iter().all(is_young)) {
        return Ok(Turn::Waiting);
    }
    let mut bytes = Vec::new();
    let mut leaves: Vec<Digest> = Vec::with_capacity(batch.len());
    for event in &batch {
        event.canonical(&mut bytes);
        leaves.push(leaf(&bytes));
    }
    let through = match (position, full) {
        (Some(position), _) => newest.unwrap_or(position),
        // The first pass after a restore looks at everything; when it is through, all that is settled is
        // sealed.
        (None, true) => (0, 0),
        (None, false) => (standing.lowest_running - 1, i64::MAX),
    };
    // Times of seals rise, though a clock that is set steps back a little; one that was set back far is told
    // as it is.
    let at = match &last {
        Some(last) if standing.now <= last.at && last.at - standing.now < CLOCK_STEP => {
            last.at + TimeDelta::microseconds(1)
        }
        _ => standing.now,
    };
    let seal = make(key, last.as_ref(), &leaves, at, standing.cluster, through);
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
    limit: i64,
) -> Result<Vec<Record>> {
    let unsealed = "NOT EXISTS (SELECT FROM audit.sealed s WHERE s.at = events.at AND s.id = events.id)";
    let mut query =
        events::table.filter(sql::<Bool>(unsealed)).limit(limit).select(Record::as_select()).into_boxed();
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

/// Events that were laid aside and are not sealed: they come into the next batch, wherever its order is.
fn list_set_aside(conn: &mut PgConnection, limit: i64) -> QueryResult<Vec<Record>> {
    let waiting = "(events.at, events.id) IN (SELECT a.event_at, a.event_id FROM audit.set_aside a \
        WHERE a.event_at IS NOT NULL) \
        AND NOT EXISTS (SELECT FROM audit.sealed s WHERE s.at = events.at AND s.id = events.id)";
    events::table
        .filter(sql::<Bool>(waiting))
        .order(sql::<Untyped>("events.at, events.id"))
        .limit(limit)
        .select(Record::as_select())
        .load(conn)
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
    /// Whether the role of this connection may write seals.
    #[diesel(sql_type = Bool)]
    pub by_app: bool,
    /// How many events can never be sealed as they are: their transaction has not begun.
    #[diesel(sql_type = BigInt)]
    pub stuck: i64,
    /// The database's time.
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
}

pub fn get_progress(conn: &mut PgConnection) -> Result<Progress> {
    // A row of nonsense on top of the seals tells nothing of how far they reach. Nearly always the newest two
    // rows tell that there is none.
    let top = seals::table.order(seals::number.desc()).limit(2).select(SealRow::as_select());
    let newest: Vec<Seal> = top.load(conn)?.into_iter().map(seal_of).collect::<Result<_>>()?;
    let sound = match newest.first() {
        Some(seal) if !seal.is_sound_after(newest.get(1)) => get_end(conn, None)?.sound,
        top => top.cloned(),
    };
    // sql_query: an anti-join by the order of transactions, which diesel has no words for. Transactions that
    // have not begun are a restored log's: sealed in its first pass, and millions.
    Ok(diesel::sql_query(
        "SELECT $1 AS number, $2 AS at, audit.now() AS now,
             has_table_privilege('audit.seals', 'INSERT') AS by_app,
             (SELECT e.at FROM audit.events e WHERE (e.transaction_id, e.id) > ($4::text::xid8, $5)
                AND e.transaction_id < pg_snapshot_xmax(pg_current_snapshot())
                AND NOT EXISTS (SELECT FROM audit.sealed d WHERE d.at = e.at AND d.id = e.id)
                ORDER BY e.transaction_id, e.id LIMIT 1) AS waiting_since,
             (SELECT count(*) FROM audit.events e
                WHERE $4 > 0 AND $3 = (SELECT system_identifier FROM pg_control_system())
                AND e.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
                AND NOT EXISTS (SELECT FROM audit.sealed d WHERE d.at = e.at AND d.id = e.id)) AS stuck",
    )
    .bind::<Nullable<BigInt>, _>(sound.as_ref().map(|seal| seal.number))
    .bind::<Nullable<Timestamptz>, _>(sound.as_ref().map(|seal| seal.at))
    .bind::<BigInt, _>(sound.as_ref().map_or(0, |seal| seal.cluster))
    .bind::<BigInt, _>(sound.as_ref().map_or(0, |seal| seal.through_transaction.max(0)))
    .bind::<BigInt, _>(sound.as_ref().map_or(0, |seal| seal.through_id))
    .get_result(conn)?)
}
