//! `/metrics`, for Prometheus and what reads its text: requests, the pools, the database, jobs, the sealing
//! of the audit log. It answers within two seconds, also while the database is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use prometheus::{GaugeVec, IntCounter, Opts, Registry, TextEncoder};

use crate::admin::store::{Run, list_last_runs};
use crate::audit::proof::store::seal::{Progress, get_progress};
use crate::audit::proof::store::verification::{Verification, find_last_decided};
use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::db::STATEMENTS;
use crate::kernel::web::measure::{self, requests};

/// A database that takes longer counts as away: whoever scrapes waits, too.
const PATIENCE: Duration = Duration::from_secs(1);

pub async fn metrics(app: web::Data<App>) -> Result<HttpResponse> {
    let names: Vec<&'static str> = app.jobs.all().iter().map(|job| job.name).collect();
    // The last that ended, also while the next one runs.
    let now = app.clock.now();
    let asked = app.db.read(move |conn| {
        Ok((get_progress(conn)?, list_last_runs(conn, &names, 2)?, find_last_decided(conn, now)?))
    });
    let found = tokio::time::timeout(PATIENCE, asked).await.ok().and_then(Result::ok);
    let text = text(&app, found).map_err(|fault| Error::Internal(fault.into()))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

type Found = (Progress, Vec<Run>, Option<Verification>);

fn text(app: &App, found: Option<Found>) -> prometheus::Result<String> {
    let registry = Registry::new();
    registry.register(Box::new(requests().clone()))?;
    registry.register(Box::new(measure::statements().clone()))?;
    let statements = IntCounter::new("tyrian_statements_total", "Statements sent to the database.")?;
    statements.inc_by(STATEMENTS.load(Ordering::Relaxed));
    registry.register(Box::new(statements))?;

    let connections = gauge("tyrian_pool_connections", "Connections of a pool.", &["pool", "state"]);
    let limit = gauge("tyrian_pool_connections_limit", "The most connections of a pool.", &["pool"]);
    let waiting = gauge("tyrian_pool_waiting", "Requests that wait for a connection.", &["pool"]);
    for pool in app.db.pools() {
        connections.with_label_values(&[pool.name, "idle"]).set(pool.idle.into());
        connections.with_label_values(&[pool.name, "busy"]).set(pool.busy.into());
        limit.with_label_values(&[pool.name]).set(pool.limit.into());
        waiting.with_label_values(&[pool.name]).set(pool.waiting as f64);
    }
    let up = gauge("tyrian_database_up", "Whether the database answered within a second.", &[]);
    up.with_label_values::<&str>(&[]).set(f64::from(u8::from(found.is_some())));
    let mut all = vec![connections, limit, waiting, up];
    if let Some((progress, runs, verification)) = found {
        all.extend(of_jobs(&runs));
        all.extend(of_sealing(&progress));
        all.extend(of_verification(verification.as_ref()));
    }
    for one in all {
        registry.register(Box::new(one))?;
    }
    TextEncoder::new().encode_to_string(&registry.gather())
}

fn gauge(name: &str, about: &str, labels: &[&str]) -> GaugeVec {
    GaugeVec::new(Opts::new(name, about), labels).unwrap_or_else(|fault| unreachable!("{fault}"))
}

fn of_jobs(runs: &[Run]) -> [GaugeVec; 3] {
    let begun = gauge("tyrian_job_last_run_timestamp_seconds", "When a job's last run began.", &["job"]);
    let lasted = gauge("tyrian_job_last_run_duration_seconds", "How long it took.", &["job"]);
    let succeeded = gauge("tyrian_job_last_run_succeeded", "Whether it succeeded.", &["job"]);
    // The newest last, so that it stands.
    for run in runs.iter().rev() {
        let Some(finished) = run.finished_at else { continue };
        let seconds = |millis: i64| millis as f64 / 1_000.0;
        let took = (finished - run.started_at).num_milliseconds();
        begun.with_label_values(&[&run.job]).set(seconds(run.started_at.timestamp_millis()));
        lasted.with_label_values(&[&run.job]).set(seconds(took));
        succeeded.with_label_values(&[&run.job]).set(f64::from(u8::from(run.failure.is_none())));
    }
    [begun, lasted, succeeded]
}

fn of_sealing(progress: &Progress) -> [GaugeVec; 2] {
    let lag = gauge(
        "tyrian_audit_sealing_lag_seconds",
        "For how long the oldest event of the audit log waits to be sealed; 0 where none does.",
        &[],
    );
    let waits = progress.waiting_since.map_or(0, |since| (progress.now - since).num_milliseconds().max(0));
    lag.with_label_values::<&str>(&[]).set(waits as f64 / 1_000.0);
    let newest = gauge("tyrian_audit_newest_seal_timestamp_seconds", "When the newest seal was made.", &[]);
    if let Some(at) = progress.at {
        newest.with_label_values::<&str>(&[]).set(at.timestamp_millis() as f64 / 1_000.0);
    }
    [lag, newest]
}

fn of_verification(last: Option<&Verification>) -> [GaugeVec; 3] {
    let holds =
        gauge("tyrian_audit_log_holds", "Whether the last verification found that the audit log holds.", &[]);
    let at =
        gauge("tyrian_audit_last_verification_timestamp_seconds", "When the last verification began.", &[]);
    let events = gauge("tyrian_audit_verified_events", "Events that it found whole.", &[]);
    if let Some(last) = last {
        let whole = last.fault.is_none();
        holds.with_label_values::<&str>(&[]).set(f64::from(u8::from(whole)));
        at.with_label_values::<&str>(&[]).set(last.started_at.timestamp_millis() as f64 / 1_000.0);
        if whole {
            events.with_label_values::<&str>(&[]).set(last.events as f64);
        }
    }
    [holds, at, events]
}
