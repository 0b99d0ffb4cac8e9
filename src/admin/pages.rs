//! The administration's index and its jobs.

use actix_web::{HttpResponse, web};

use super::store;
use super::views::{Card, Index, JobCard, Jobs, RunRow};
use crate::audit::domain::{Event, Kind};
use crate::authz::Permission as P;
use crate::authz::permit::{Permit, RunJob, SignedIn};
use crate::error::{Error, Result};
use crate::jobs::{JOBS, find, next_run};
use crate::web::{Section, redirect_with};

/// How many runs of each job the page shows.
const RUNS: i64 = 8;

/// `GET /admin`
pub async fn index(ctx: SignedIn) -> Result<HttpResponse> {
    let rights = &ctx.viewer().rights;
    if ![P::JobRun, P::UserRead, P::AuditLogRead].into_iter().any(|right| rights.may(right)) {
        return Err(Error::Forbidden(String::new()));
    }
    let mut cards = Vec::new();
    if rights.may(P::JobRun) {
        cards.push(Card {
            icon: "jobs",
            href: "/admin/jobs",
            name: "Jobs",
            about: "What the server does by itself, when it last ran, and Run now.",
        });
    }
    ctx.page(&Index { frame: ctx.frame(Section::Admin, "Administration"), cards })
}

/// `GET /admin/jobs`
pub async fn jobs(permit: Permit<RunJob>) -> Result<HttpResponse> {
    let names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
    let runs = permit.app.db.read(move |conn| store::list_last_runs(conn, &names, RUNS)).await?;
    let (now, zone) = (permit.app.clock.now(), permit.viewer().organisation.zone());
    let jobs = JOBS
        .iter()
        .map(|job| JobCard {
            name: job.name,
            about: job.about,
            schedule: job.schedule,
            next: next_run(job, now),
            runs: runs.iter().filter(|run| run.job == job.name).cloned().map(RunRow).collect(),
        })
        .collect();
    permit.page(&Jobs { frame: permit.frame(Section::Admin, "Jobs").crumb("Administration", "/admin"), jobs, now, zone })
}

/// `POST /admin/jobs/{name}/run`
pub async fn run(permit: Permit<RunJob>, path: web::Path<String>) -> Result<HttpResponse> {
    let job = find(&path)?;
    let event = Event::new(Kind::JobRun, format!("Ran the job {} by hand", job.name)).detail(serde_json::json!({ "job": job.name }));
    permit.app.db.write(permit.actor(), |tx| tx.audited((), event)).await?;
    let message = match permit.app.jobs.run_now(job.name).await {
        Ok(done) if done.skipped > 0 => format!("{} ran: {} moved, {} skipped.", job.name, done.moved, done.skipped),
        Ok(done) => format!("{} ran: {} moved.", job.name, done.moved),
        Err(away @ Error::Unavailable(_)) => return Err(away),
        Err(_) => format!("{} failed. Its last run says why.", job.name),
    };
    Ok(redirect_with("/admin/jobs", &message))
}
