//! SQL of how the log stands: its keys, its archives, and what is not sealed yet. None of it looks at every
//! event or every seal.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{BigInt, Bytea, Nullable, Text, Timestamptz};

use crate::audit::proof::seal::Seal;
use crate::audit::proof::store::seal::{get_end, get_standing};
use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::event::schema::archives;

/// The most events that wait which are counted; one more says that there are more.
pub const COUNTED: i64 = 1_001;
/// The most keys that are listed: a log has a handful.
const KEYS: i64 = 100;

/// The seals of a key.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct KeyUse {
    #[diesel(sql_type = Bytea)]
    pub key: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    pub first_seal: i64,
    #[diesel(sql_type = Timestamptz)]
    pub first_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub last_seal: i64,
    #[diesel(sql_type = Timestamptz)]
    pub last_at: DateTime<Utc>,
}

/// Each key that any seal is signed with, in the order of their first seals.
pub fn list_keys(conn: &mut PgConnection) -> Result<Vec<KeyUse>> {
    // sql_query: from key to key by the index on (public_key, number), one step for each. A condition of
    // equality would let the planner walk the seals themselves in search of a key.
    let mut keys: Vec<KeyUse> = diesel::sql_query(
        "WITH RECURSIVE keys AS (
             (SELECT public_key, number, at FROM audit.seals ORDER BY public_key, number LIMIT 1)
             UNION ALL
             SELECT n.public_key, n.number, n.at FROM keys k CROSS JOIN LATERAL (
                 SELECT s.public_key, s.number, s.at FROM audit.seals s WHERE s.public_key > k.public_key
                 ORDER BY s.public_key, s.number LIMIT 1) n)
         SELECT k.public_key AS key, k.number AS first_seal, k.at AS first_at, l.number AS last_seal, \
             l.at AS last_at
         FROM keys k CROSS JOIN LATERAL (
             SELECT s.number, s.at FROM audit.seals s WHERE s.public_key <= k.public_key
             ORDER BY s.public_key DESC, s.number DESC LIMIT 1) l
         LIMIT $1",
    )
    .bind::<BigInt, _>(KEYS)
    .load(conn)?;
    keys.sort_by_key(|key| key.first_seal);
    Ok(keys)
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = archives)]
pub struct Archive {
    pub month: NaiveDate,
    pub file_name: String,
    pub digest: Vec<u8>,
    pub events: i64,
    pub archived_at: DateTime<Utc>,
}

/// Every archive that is recorded, the newest month first.
pub fn list_archives(conn: &mut PgConnection) -> Result<Vec<Archive>> {
    Ok(archives::table.order(archives::month.desc()).select(Archive::as_select()).load(conn)?)
}

/// What waits for its seal.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Waiting {
    /// Counted up to [`COUNTED`].
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub since: Option<DateTime<Utc>>,
}

/// The newest seal, and what came after it. The latter is none where the log came from another cluster and
/// its first pass is not through: then nobody knows without looking at everything.
pub fn get_newest(conn: &mut PgConnection) -> Result<(Option<Seal>, Option<Waiting>)> {
    let newest = get_end(conn, None)?.sound;
    let standing = get_standing(conn)?;
    let after = match &newest {
        None => (0, 0),
        Some(seal) if seal.cluster == standing.cluster && seal.through_transaction > 0 => {
            (seal.through_transaction, seal.through_id)
        }
        Some(_) => return Ok((newest, None)),
    };
    // sql_query: the order of transactions, which diesel has no words for. Those that have not begun are a
    // restored log's.
    let waiting = diesel::sql_query(
        "SELECT count(*) AS events, min(at) AS since FROM (
             SELECT at FROM audit.events
             WHERE (transaction_id, id) > ($1::xid8, $2) AND transaction_id < $3::xid8
             ORDER BY transaction_id, id LIMIT $4) waiting",
    )
    .bind::<Text, _>(after.0.to_string())
    .bind::<BigInt, _>(after.1)
    .bind::<Text, _>(standing.not_begun.to_string())
    .bind::<BigInt, _>(COUNTED)
    .get_result(conn)?;
    Ok((newest, Some(waiting)))
}
