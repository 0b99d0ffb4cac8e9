//! Refusals are recorded one by one up to twenty a minute for each network, then as one event a minute with
//! their count: whoever floods the app must not flood the log, and nothing of the flood goes unsaid.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::sql_types::{Integer, Text, Timestamptz};

use crate::kernel::base::error::Result;
use crate::kernel::base::network::network;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::refusal_counts;
use crate::kernel::db::{Audited, Db, WriteTx};
use crate::kernel::event::domain::{Actor, Event, Kind};

/// Refusals of a network that have events of their own, in each minute.
pub const ONE_BY_ONE: i32 = 20;

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Integer)]
    refused: i32,
}

/// Writes a refusal's events, or counts it where its network has had its twenty this minute.
///
/// # Errors
/// When the database refuses.
pub fn record<T>(tx: &mut WriteTx<'_>, value: T, events: &[Event]) -> Result<Audited<T>> {
    let from = tx.actor().address.as_deref().map_or_else(|| "unknown".to_owned(), network);
    let minute = tx.now().duration_trunc(TimeDelta::minutes(1)).unwrap_or(tx.now());
    // sql_query: count and answer in one statement.
    let counted: Counted = diesel::sql_query(
        "INSERT INTO refusal_counts AS c (address, minute, refused) VALUES ($1, $2, 1)
         ON CONFLICT (address, minute) DO UPDATE SET refused = c.refused + 1 RETURNING refused",
    )
    .bind::<Text, _>(&from)
    .bind::<Timestamptz, _>(minute)
    .get_result(tx.conn)?;
    if counted.refused <= ONE_BY_ONE { tx.audited_all(value, events) } else { Ok(tx.unchanged(value)) }
}

/// Writes the events of the minutes that are over; the job `refusal-floods`, safe to run twice and on several
/// nodes.
///
/// # Errors
/// When the database refuses.
pub fn sum_up(db: &Db, now: DateTime<Utc>) -> Result<usize> {
    let over = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    db.write_blocking(&Actor::system(), |tx| {
        let rows: Vec<(String, DateTime<Utc>, i32)> =
            diesel::delete(refusal_counts::table.filter(refusal_counts::minute.lt(over)))
                .returning((refusal_counts::address, refusal_counts::minute, refusal_counts::refused))
                .get_results(tx.conn)?;
        let events: Vec<Event> = rows
            .into_iter()
            .filter(|(.., refused)| *refused > ONE_BY_ONE)
            .map(|(address, minute, refused)| {
                let more = refused - ONE_BY_ONE;
                let sentence = format!(
                    "Refused {more} more attempts from {address} in the minute of {} UTC",
                    minute.format("%-d %b %Y, %H:%M")
                );
                Event::failed(Kind::RefusalsCounted, "flood", sentence)
                    .detail(serde_json::json!({ "address": address, "minute": minute, "refused": more }))
            })
            .collect();
        if events.is_empty() { Ok(tx.unchanged(0)) } else { tx.audited_all(events.len(), &events) }
    })
}
