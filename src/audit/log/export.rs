//! Exports: the events of a filter as CSV or JSON Lines, in chunks, with an end that says whether they are
//! all there.

use chrono_tz::Tz;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::audit::log::request::{ExportRequest, Format};
use crate::audit::log::store::export::{self as store, Prover};
use crate::kernel::base::csv;
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::show;
use crate::kernel::event::record::Record;
use crate::kernel::event::views::not_signed_in;

const HEADINGS: [&str; 22] = [
    "Time",
    "Time (UTC)",
    "User",
    "E-mail",
    "Event",
    "Category",
    "Kind",
    "Outcome",
    "Reason",
    "Actor",
    "User id",
    "On behalf of",
    "Subject",
    "Subject type",
    "Subject id",
    "About user",
    "Client id",
    "Engagement id",
    "Address",
    "User agent",
    "Request id",
    "Detail",
];

/// How an export ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub events: u64,
    /// Why not all of them were; none where they were.
    pub cut: Option<String>,
}

/// Writes an export in chunks to `out`, which says whether anybody still listens. `conn` is a connection of
/// its own.
pub fn write(
    conn: &mut diesel::pg::PgConnection,
    wanted: &ExportRequest,
    out: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Ended {
    let mut ended = Ended { events: 0, cut: None };
    let mut gone = false;
    let mut send = |chunk: Vec<u8>| {
        gone = gone || !out(chunk);
        !gone
    };
    if wanted.format == Format::Csv {
        send(format!("{}{}", csv::MARK, csv::line(HEADINGS)).into_bytes());
    }
    let mut prover = Prover::new(wanted.proof && wanted.format == Format::Jsonl);
    let written = store::each_chunk(conn, wanted, &mut prover, &mut |rows, proofs| {
        let mut chunk = String::with_capacity(rows.len() * 900);
        for (row, proof) in rows.iter().zip(proofs.iter().map(Option::as_ref).chain(std::iter::repeat(None)))
        {
            match wanted.format {
                Format::Csv => chunk.push_str(&csv_line(row, wanted.zone)),
                Format::Jsonl => {
                    let way = proof.map(|(_, proof)| to_raw_value(proof)).transpose()?;
                    chunk.push_str(&row.to_line(proof.map(|(number, _)| *number), way.as_deref())?);
                    chunk.push('\n');
                }
            }
            ended.events += 1;
        }
        Ok(send(chunk.into_bytes()))
    });
    let seals = written.and_then(|()| {
        store::each_seal(conn, &prover, &mut |seals| {
            let mut chunk = String::new();
            for seal in seals {
                chunk.push_str(&json!({ "seal": seal }).to_string());
                chunk.push('\n');
            }
            Ok(send(chunk.into_bytes()))
        })
    });
    ended.cut = match seals {
        Err(cause) => {
            tracing::error!(%cause, "an export was cut short");
            Some("the database could not be read to the end".to_owned())
        }
        Ok(()) if gone => Some("nobody listened any more".to_owned()),
        Ok(()) => None,
    };
    let end = match (wanted.format, &ended.cut) {
        (Format::Jsonl, cut) => {
            json!({ "end": { "events": ended.events, "complete": cut.is_none(), "of": wanted.words() } })
                .to_string()
                + "\n"
        }
        (Format::Csv, None) => {
            csv::line(["End of the export", "complete", &format!("{} events", ended.events)])
        }
        (Format::Csv, Some(why)) => {
            csv::line(["End of the export", "CUT SHORT", &format!("{} events; {why}", ended.events)])
        }
    };
    if !gone {
        out(end.into_bytes());
    }
    ended
}

fn csv_line(event: &Record, zone: Tz) -> String {
    let text =
        |value: &Option<String>| value.as_deref().map(|text| harmless(text).into_owned()).unwrap_or_default();
    let id = |value: &Option<uuid::Uuid>| value.map(|id| id.to_string()).unwrap_or_default();
    let cells = [
        show::seconds(event.at, zone),
        event.at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        // As the page has it.
        match not_signed_in(event) {
            Some(name) => format!("{}, not signed in", harmless(name)),
            None => harmless(&event.actor_name).into_owned(),
        },
        text(&event.actor_email),
        harmless(&event.sentence).into_owned(),
        event.category.clone(),
        event.kind.clone(),
        event.outcome.clone(),
        text(&event.reason),
        event.actor_kind.clone(),
        id(&event.actor_id),
        id(&event.on_behalf_of),
        text(&event.subject_label),
        text(&event.subject_type),
        id(&event.subject_id),
        id(&event.about_person),
        id(&event.client_id),
        id(&event.engagement_id),
        text(&event.address),
        text(&event.user_agent),
        id(&event.request_id),
        crate::kernel::base::harmless::harmless_json(&event.detail).into_owned(),
    ];
    csv::line(cells.iter().map(String::as_str))
}
