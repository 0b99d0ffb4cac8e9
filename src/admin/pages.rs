//! The administration's index and its jobs.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::store;
use super::views::{Card, Index, JobCard, Jobs, RunRow};
use crate::accounts::pages::sign_in::own_path;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::job::{Ran, late_since, next_run};
use crate::kernel::web::permit::{Permit, RunJob, SignedIn};
use crate::kernel::web::{Form, Section, redirect_with};

/// How many runs of each job the page shows.
const RUNS: i64 = 8;

pub async fn index(ctx: SignedIn) -> Result<HttpResponse> {
    let rights = &ctx.viewer().rights;
    let known_rights = [
        P::JobRun,
        P::UserRead,
        P::AuditLogRead,
        P::AuditLogReadClient,
        P::SettingManage,
        P::RoleRead,
        P::AccessRead,
    ];
    if !known_rights.into_iter().any(|right| rights.may_anywhere(right)) {
        return Err(Error::Forbidden(String::new()));
    }
    let mut cards = Vec::new();
    let audit_log = if rights.may(P::AuditLogRead) { P::AuditLogRead } else { P::AuditLogReadClient };
    let known = [
        (
            audit_log,
            Card {
                icon: "history",
                href: "/admin/audit-log",
                name: "Audit log",
                about: "Who did what, and when; to search, to export and to prove.",
            },
        ),
        (
            P::UserRead,
            Card {
                icon: "users",
                href: "/admin/users",
                name: "Users",
                about: "Who has an account, in which role, with which second factor.",
            },
        ),
        (
            P::RoleRead,
            Card {
                icon: "lock",
                href: "/admin/roles",
                name: "Roles",
                about: "What each role may do, and roles of your own.",
            },
        ),
        (
            P::AccessRead,
            Card {
                icon: "clients",
                href: "/admin/access",
                name: "Client access",
                about: "Who sees which client, given by whom and when.",
            },
        ),
        (
            P::SettingManage,
            Card {
                icon: "settings",
                href: "/admin/settings",
                name: "Settings",
                about: "Name, zone, sessions, second factor, outcome lists.",
            },
        ),
        (
            P::SettingManage,
            Card {
                icon: "tag",
                href: "/admin/tags",
                name: "Tags",
                about: "Which words are in use and how often; to rename and to merge.",
            },
        ),
        (
            P::JobRun,
            Card {
                icon: "jobs",
                href: "/admin/jobs",
                name: "Jobs",
                about: "What the server does by itself, when it last ran, and Run now.",
            },
        ),
    ];
    cards.extend(known.into_iter().filter(|(right, _)| rights.may_anywhere(*right)).map(|(_, card)| card));
    ctx.page(&Index { frame: ctx.frame(Section::Admin, "Administration"), cards })
}

pub async fn jobs(permit: Permit<RunJob>) -> Result<HttpResponse> {
    let names: Vec<&str> = permit.app.jobs.all().iter().map(|job| job.name).collect();
    let (runs, since) = permit
        .read(move |conn| {
            Ok((store::list_last_runs(conn, &names, RUNS)?, crate::kernel::job::store::list_since(conn)?))
        })
        .await?;
    let (now, zone) = (permit.app.clock.now(), permit.viewer().organisation.zone());
    let jobs = permit
        .app
        .jobs
        .all()
        .iter()
        .map(|job| JobCard {
            name: job.name,
            title: job.title,
            about: job.about,
            schedule: job.schedule,
            next: next_run(job, now),
            late: late_since(
                job,
                since.iter().find(|(name, _)| name == job.name).map(|(_, since)| *since),
                now,
            ),
            runs: runs.iter().filter(|run| run.job == job.name).cloned().map(RunRow).collect(),
        })
        .collect();
    permit.page(&Jobs {
        frame: permit.frame(Section::Admin, "Jobs").crumb("Administration", "/admin"),
        jobs,
        now,
        zone,
    })
}

/// Where to go on; empty: the jobs.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Back {
    back: String,
}

pub async fn run(
    permit: Permit<RunJob>,
    path: web::Path<String>,
    Form(from): Form<Back>,
) -> Result<HttpResponse> {
    let job = permit.app.jobs.find(&path)?;
    let event = Event::new(Kind::JobRun, format!("Ran the job “{}” ({}) by hand", job.title, job.name))
        .detail(serde_json::json!({ "job": job.name }));
    permit.write(|tx| tx.audited((), event)).await?;
    let message = match permit.app.jobs.run_now(job.name, Some(permit.viewer().id)).await {
        Ok(Ran::Begun) => format!("“{}” has begun and goes on.", job.title),
        Ok(Ran::Done(done)) if done.wrong.is_some() => {
            format!("“{}” found something wrong. Its last run says what.", job.title)
        }
        Ok(Ran::Done(done)) if !done.said.is_empty() => done.said,
        Ok(Ran::Done(done)) if done.skipped > 0 => {
            format!("“{}” ran: {} moved, {} skipped.", job.title, done.moved, done.skipped)
        }
        Ok(Ran::Done(done)) => format!("“{}” ran: {} moved.", job.title, done.moved),
        Err(away @ Error::Unavailable(_)) => return Err(away),
        Err(_) => format!("“{}” failed. Its last run says why.", job.title),
    };
    let back = if from.back.is_empty() { "/admin/jobs".to_owned() } else { own_path(&from.back) };
    Ok(redirect_with(&back, &message))
}
