//! SQL of exports: a cursor over exactly what the page shows, and the ways from its events to their seals.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Timestamptz};

use crate::audit::log::request::ExportRequest;
use crate::audit::log::store::matching::matching;
use crate::audit::proof::inclusion::Proof;
use crate::audit::proof::merkle::{Digest, paths};
use crate::audit::proof::seal::Seal;
use crate::audit::proof::store::seal as seals;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::cursor::{declare, fetch};
use crate::kernel::event::record::{Columns, Record};
use crate::kernel::event::schema::events;

/// Rows that are fetched at once.
const ROWS: usize = 1_000;
/// Batches whose paths are kept for the next rows.
const BATCHES: usize = 16;

/// An event's number and proof; none where it is not sealed yet.
pub type Numbered = Option<(i64, Proof)>;

/// Finds the ways from events to their seals.
pub struct Prover {
    wanted: bool,
    batches: BTreeMap<i64, (Seal, Vec<Vec<Digest>>)>,
    first: Option<i64>,
}

impl Prover {
    /// One that finds them, or none.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, batches: BTreeMap::new(), first: None }
    }

    fn prove(&mut self, conn: &mut PgConnection, rows: &[Record]) -> anyhow::Result<Vec<Numbered>> {
        if !self.wanted {
            return Ok(Vec::new());
        }
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = Nullable<BigInt>)]
            number: Option<i64>,
        }
        // sql_query: the numbers of many places in their order.
        let numbers: Vec<Number> = diesel::sql_query(
            "SELECT s.number FROM unnest($1, $2) WITH ORDINALITY AS w (at, id, n) LEFT \
                JOIN audit.sealed s ON s.at = w.at AND s.id = w.id ORDER BY w.n",
        )
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.at).collect::<Vec<DateTime<Utc>>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.id).collect::<Vec<i64>>())
        .load(conn)?;
        numbers.into_iter().map(|row| row.number.map(|number| self.one(conn, number)).transpose()).collect()
    }

    fn one(&mut self, conn: &mut PgConnection, number: i64) -> anyhow::Result<(i64, Proof)> {
        let near = self.batches.range(..=number).next_back().filter(|(_, (seal, _))| number <= seal.last);
        if near.is_none() {
            let seal = seals::find_seal_over(conn, number)?
                .ok_or_else(|| anyhow::anyhow!("event number {number} has no seal"))?;
            let leaves = seals::list_leaves(conn, &seal)?;
            anyhow::ensure!(
                leaves.len() as i64 == seal.events(),
                "seal {} lacks leaves: `tyrian audit verify` tells more",
                seal.number
            );
            if self.batches.len() >= BATCHES {
                self.batches.clear();
            }
            self.first = Some(self.first.map_or(seal.number, |first| first.min(seal.number)));
            self.batches.insert(seal.first, (seal, paths(&leaves)));
        }
        let found = self.batches.range(..=number).next_back();
        let (seal, ways) = found
            .map(|(_, batch)| batch)
            .ok_or_else(|| anyhow::anyhow!("event number {number} has no seal"))?;
        Ok((number, Proof::new(seal, &ways[(number - seal.first) as usize])))
    }
}

/// What is done with the rows of a chunk and their proofs; false stops.
pub type Chunk<'a> = &'a mut dyn FnMut(&[Record], &[Numbered]) -> anyhow::Result<bool>;

/// Goes through the events of an export, newest first, in one snapshot that the seals after it share.
///
/// # Errors
/// When the database cannot be read to the end.
pub fn each_chunk(
    conn: &mut PgConnection,
    wanted: &ExportRequest,
    prover: &mut Prover,
    chunk: Chunk<'_>,
) -> anyhow::Result<()> {
    conn.batch_execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL cursor_tuple_fraction = 1",
    )?;
    let mut query = matching(&wanted.scope, &wanted.filter);
    if let Some(place) = wanted.event {
        query = query.filter(events::at.eq(place.at).and(events::id.eq(place.id)));
    }
    if prover.wanted {
        // The newest are not sealed yet, the event of this export among them: they have no proof to carry.
        query = query.filter(sql::<Bool>(
            "EXISTS (SELECT FROM audit.sealed s WHERE s.at = events.at AND s.id = events.id)",
        ));
    }
    declare(conn, "export", query.order((events::at.desc(), events::id.desc())).select(Record::as_select()))?;
    // The cursor's plan is made; what follows asks for the numbers of a few rows, which is never worth a
    // whole month.
    conn.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")?;
    loop {
        let rows: Vec<Record> = fetch::<Columns>("export", ROWS).load(conn)?;
        let proofs = prover.prove(conn, &rows)?;
        if rows.is_empty() || !chunk(&rows, &proofs)? {
            return Ok(());
        }
    }
}

/// Goes through the seals from the first one that a proof leads to up to the newest.
///
/// # Errors
/// When the database cannot be read to the end.
pub fn each_seal(
    conn: &mut PgConnection,
    prover: &Prover,
    chunk: &mut dyn FnMut(&[Seal]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let Some(mut next) = prover.first else { return Ok(()) };
    loop {
        let some = seals::list_seals_from(conn, next, 1_000)?;
        let Some(last) = some.last() else { return Ok(()) };
        next = last.number + 1;
        if !chunk(&some)? {
            return Ok(());
        }
    }
}
