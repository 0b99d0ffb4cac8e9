//! `/healthz` (the process is up) and `/readyz` (database reachable, schema current, audit partitions there;
//! late jobs, sealing and the last verification of the audit log are told).

use std::path::Path;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::sql_types::Bool;
use uuid::Uuid;

use crate::accounts::store::secret_key;
use crate::audit::proof::store::seal::{Progress, get_progress};
use crate::audit::proof::store::verification::{Verification, find_last_decided};
use crate::kernel::app::App;
use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::migrate::{Standing, standing};
use crate::kernel::job::{Job, late_since};
use crate::kernel::web::route::{Row, rows};
use crate::procedures::store::attachments::has_attachments;

pub const ROWS: &[Row] = rows! { machine:
    get "/healthz" => healthz;
    get "/readyz" => readyz;
};

/// Said where nothing but the seals themselves keeps whoever takes over the app's role from sealing.
const SEALED_BY_APP: &str =
    "audit role: the app's own seals, archives and drops (TYRIAN_SEALER_DATABASE_URL is not set)\n";

const OTHER_KEY: &str = "secret key: not the one the database was made with (`tyrian secret-key adopt` was \
    run \
    elsewhere, or another database is behind this name): start again with that one\n";
/// Said where attachments have rows and no file; it makes no server unfit to answer.
const LOST: &str =
    "attachments: the folder is missing or empty, though files are recorded: restore it from a backup\n";

/// How long an event may wait for its seal before that is told.
const LATE_SECONDS: i64 = 60;
const STANDS_STILL: &str = "audit sealing: stands still: no server runs that seals, a writing transaction \
    was \
    left open, or `tyrian audit verify` says what is in its way\n";

/// Whether a directory holds the file of any attachment.
fn holds_files(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<Uuid>().is_ok()))
}

pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = Bool)]
    present: bool,
}

pub async fn readyz(app: web::Data<App>) -> HttpResponse {
    let (keys, now) = (app.keys.clone(), app.clock.now());
    let asked = app.db.read(move |conn| {
        let schema = standing(conn)?;
        // sql_query: the catalog is no table of ours. An event at the turn of the month must find its
        // partition.
        let next = diesel::sql_query(
            "SELECT to_regclass('audit.events_' || to_char((audit.now() AT TIME ZONE 'UTC') + interval '1 \
                month', 'YYYY_MM')) IS NOT NULL AS present",
        )
        .get_result::<Present>(conn)?;
        // An older schema may not know the jobs' rows.
        let since = if schema == Standing::Current {
            crate::kernel::job::store::list_since(conn)?
        } else {
            Vec::new()
        };
        let other_key = schema == Standing::Current && secret_key::goes_with_another(conn, &keys)?;
        let sealing = if schema == Standing::Current {
            Some((get_progress(conn)?, find_last_decided(conn, now)?))
        } else {
            None
        };
        let files = schema == Standing::Current && has_attachments(conn)?;
        Ok((schema, next.present, since, sealing, (other_key, files)))
    });
    let asked = asked.await;
    let lost = matches!(&asked, Ok((.., (_, true)))) && !holds_files(&app.config.attachments());
    let (ready, mut lines) = told(asked, app.jobs.all(), now);
    if lost {
        lines.push_str(LOST);
    }
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.content_type("text/plain; charset=utf-8").body(lines)
}

type Sealing = (Progress, Option<Verification>);
type Asked = (Standing, bool, Vec<(String, DateTime<Utc>)>, Option<Sealing>, (bool, bool));

fn told(asked: Result<Asked>, jobs: &[Job], now: DateTime<Utc>) -> (bool, String) {
    match asked {
        Err(_) => (false, "database: away\n".into()),
        Ok((schema, months, since, sealing, (other_key, _))) => {
            let schema_line = match schema {
                Standing::Current => "schema: current",
                Standing::Older(_) => "schema: older than this version, run `tyrian migrate`",
                Standing::Newer => "schema: newer than this version",
            };
            let months_line = if months {
                "audit partitions: made ahead"
            } else {
                "audit partitions: the next month is missing"
            };
            // A late job makes no server unfit to answer: it is told, and does not count.
            let late: String = jobs
                .iter()
                .filter_map(|job| {
                    let since = since.iter().find(|(name, _)| name == job.name).map(|(_, since)| *since);
                    let since = late_since(job, since, now)?;
                    Some(format!(
                        "job {}: not succeeded since {}\n",
                        job.name,
                        since.to_rfc3339_opts(SecondsFormat::Secs, true)
                    ))
                })
                .collect();
            let jobs = if late.is_empty() { "jobs: on time\n".to_owned() } else { late };
            let sealing = sealing.map_or_else(String::new, |(progress, last)| {
                format!("{}{}", sealing_line(&progress), verification_line(last.as_ref()))
            });
            let key = if other_key { OTHER_KEY } else { "secret key: the one the database was made with\n" };
            (
                schema == Standing::Current && months && !other_key,
                format!("database: reachable\n{schema_line}\n{months_line}\n{jobs}{sealing}{key}"),
            )
        }
    }
}

/// The newest seal, and for how long the oldest event waits for one: sealing stands still where a transaction
/// in any database of the cluster does.
fn sealing_line(progress: &Progress) -> String {
    let newest = match (progress.number, progress.at) {
        (Some(number), Some(at)) => {
            format!("seal {number} of {}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        _ => "no seal yet".to_owned(),
    };
    let waits = progress.waiting_since.map_or(0, |since| (progress.now - since).num_seconds().max(0));
    let role = if progress.by_app {
        SEALED_BY_APP
    } else {
        "audit role: the app's own cannot seal, archive or drop\n"
    };
    let late = if waits > LATE_SECONDS { STANDS_STILL } else { "" };
    let stuck = match progress.stuck {
        0 => String::new(),
        1 => "audit sealing: 1 event can never be sealed as it is (`tyrian audit verify` names it)\n".into(),
        stuck => format!(
            "audit sealing: {stuck} events can never be sealed as they are (`tyrian audit verify` names \
                the first)\n"
        ),
    };
    format!("audit sealing: {newest}, oldest unsealed event waits {waits} s\n{late}{stuck}{role}")
}

/// What the last verification found. A log that does not hold makes no server unfit to answer: it is told,
/// and does not count; which event it is stands on the page alone, because anybody may ask here.
fn verification_line(last: Option<&Verification>) -> String {
    let Some(last) = last else { return "audit verification: none yet\n".to_owned() };
    let at = last.started_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    match &last.fault {
        None => format!("audit verification: everything held at {at}, {} events\n", last.events),
        Some(_) => format!("audit verification: THE LOG DID NOT HOLD at {at} (`tyrian audit verify`)\n"),
    }
}
