//! Handlers of log entries. Each is stored at once, with its own time.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::place::{self, Ids};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, LogEntryId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::web::permit::{Action, Permit, ReadEngagement, WriteProcedure};
use crate::kernel::web::{Form, Query, redirect, redirect_with};
use crate::procedures::entries::TypedEntry;
use crate::procedures::store::logs;
use crate::procedures::store::place::Head;
use crate::procedures::store::work;
use crate::procedures::views::logs::{EntryForm, Logs, OneEntry, Removal, entry_time};

type EntryIds = web::Path<(EngagementId, ProcedureId, LogEntryId)>;

/// Which part of the section is asked for.
#[derive(Deserialize)]
pub struct Part {
    #[serde(default)]
    part: String,
    /// The entry before which the others are asked for.
    before: Option<LogEntryId>,
}

/// `GET …/logs`: the section, for htmx; everybody else goes to the procedure's page.
pub async fn list(
    permit: Permit<ReadEngagement>,
    path: Ids,
    Query(part): Query<Part>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    if part.part == "none" {
        return permit.html(StatusCode::OK, String::new());
    }
    if permit.partial {
        section(&permit, engagement, procedure, part.before, None).await
    } else {
        Ok(redirect(&back(engagement, procedure)))
    }
}

async fn section<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    before: Option<LogEntryId>,
    saved: Option<(&'static str, Option<Team>)>,
) -> Result<HttpResponse> {
    let read = move |conn: &mut diesel::PgConnection, head: &Head| {
        logs::list_for_procedure(conn, head.procedure, before)
    };
    let (head, page) = place::read(permit, engagement, procedure, read).await?;
    let mut view = Logs::new(&place::of(permit, &head), page, true);
    if let Some((word, closing)) = saved {
        view = view.saved(word, closing);
    }
    permit.page(&view)
}

fn back(engagement: EngagementId, procedure: ProcedureId) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}#logs")
}

/// Whose entry a new one is.
#[derive(Deserialize)]
pub struct Whose {
    #[serde(default)]
    team: String,
}

pub async fn new(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Query(whose): Query<Whose>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let team: Team = whose.team.parse().map_err(|_| Error::NotFound)?;
    let (head, ()) = place::read(&permit, engagement, procedure, |_, _| Ok(())).await?;
    may_write(&head, team)?;
    let starts_at = times::for_input(permit.app.clock.now(), head.zone);
    let typed = TypedEntry { starts_at, ..TypedEntry::default() };
    answer(&permit, StatusCode::OK, form(&permit, &head, None, team, typed))
}

fn may_write(head: &Head, team: Team) -> Result<()> {
    if let Some(closed) = &head.closed {
        return Err(Error::Refused(closed.clone()));
    }
    if head.sides.may_write_team(team) {
        Ok(())
    } else {
        Err(Error::Forbidden(format!("You do not write the {} side of this procedure.", team.as_str())))
    }
}

fn form(
    permit: &Permit<WriteProcedure>,
    head: &Head,
    entry: Option<LogEntryId>,
    team: Team,
    typed: TypedEntry,
) -> EntryForm {
    EntryForm {
        frame: place::frame(permit, head, "Log entry"),
        url: place::of(permit, head).url(),
        procedure: place::named(head),
        entry,
        team,
        zone: typed.zone(head.zone),
        typed,
        errors: FieldErrors::default(),
        problem: None,
        theirs: None,
        inline: permit.partial,
    }
}

fn answer(permit: &Permit<WriteProcedure>, status: StatusCode, form: EntryForm) -> Result<HttpResponse> {
    let body = if permit.partial { form.as_form().render()? } else { form.render()? };
    permit.html(status, body)
}

/// The form again, with what was typed, for whatever its author can mend; everything else stays an error.
fn again(permit: &Permit<WriteProcedure>, mut form: EntryForm, error: Error) -> Result<HttpResponse> {
    let status = error.status();
    match error {
        Error::Invalid(errors) => form.errors = errors,
        Error::Refused(sentence) | Error::Conflict(sentence) => form.problem = Some(sentence),
        other => return Err(other),
    }
    answer(permit, status, form)
}

/// Without scripts Now is a button that posts: it fills in the time and stores nothing.
fn with_now(mut typed: TypedEntry, now: String) -> TypedEntry {
    match typed.now.as_str() {
        "ends_at" => typed.ends_at = now,
        _ => typed.starts_at = now,
    }
    typed
}

pub async fn create(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(typed): Form<TypedEntry>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let team: Team = typed.team.parse().map_err(|_| Error::NotFound)?;
    let (head, ()) = place::read(&permit, engagement, procedure, |_, _| Ok(())).await?;
    if !typed.now.is_empty() {
        let now = times::for_input(permit.app.clock.now(), typed.zone(head.zone));
        return answer(&permit, StatusCode::OK, form(&permit, &head, None, team, with_now(typed, now)));
    }
    let saved = match typed.check(head.zone, &[]) {
        Ok(entry) => {
            let held = permit.clone();
            let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
                let mut work = work::begin(tx, &held, engagement, procedure)?;
                let id = logs::insert(tx, &mut work, team, &entry)?;
                work.finish(tx, id)
            };
            permit.write(write).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) if permit.partial => {
            section(&permit, engagement, procedure, None, Some(("Entry added", Some(team)))).await
        }
        Ok(_) => Ok(redirect_with(&back(engagement, procedure), "Log entry added.")),
        Err(error) => again(&permit, form(&permit, &head, None, team, typed), error),
    }
}

/// The entry alone, where its form stood.
async fn one(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    id: LogEntryId,
    saved: bool,
) -> Result<HttpResponse> {
    let (head, entry) =
        place::read(permit, engagement, procedure, move |conn, head| logs::get(conn, head.procedure, id))
            .await?;
    permit.page(&OneEntry::new(&place::of(permit, &head), entry, saved))
}

/// `GET …/logs/{entry}`: its form; for htmx, `part=entry` gives the entry back.
pub async fn edit(
    permit: Permit<WriteProcedure>,
    path: EntryIds,
    Query(part): Query<Part>,
) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    if permit.partial && part.part == "entry" {
        return one(&permit, engagement, procedure, id, false).await;
    }
    let (head, entry) =
        place::read(&permit, engagement, procedure, move |conn, head| logs::get(conn, head.procedure, id))
            .await?;
    owns(&permit, &head, &entry)?;
    let typed = TypedEntry {
        starts_at: times::for_input(entry.starts_at, head.zone),
        ends_at: entry.ends_at.map(|at| times::for_input(at, head.zone)).unwrap_or_default(),
        text: entry.text,
        version: entry.version,
        ..TypedEntry::default()
    };
    answer(&permit, StatusCode::OK, form(&permit, &head, Some(id), entry.team, typed))
}

fn owns(permit: &Permit<WriteProcedure>, head: &Head, entry: &logs::LogEntry) -> Result<()> {
    if let Some(closed) = &head.closed {
        return Err(Error::Refused(closed.clone()));
    }
    if place::of(permit, head).owns(entry.author_id, Some(entry.team)) {
        Ok(())
    } else if !head.sides.may_write_team(entry.team) {
        may_write(head, entry.team)
    } else {
        Err(Error::Forbidden(format!(
            "{} wrote this entry. Its author or a team lead can change it.",
            entry.author
        )))
    }
}

pub async fn update(
    permit: Permit<WriteProcedure>,
    path: EntryIds,
    Form(typed): Form<TypedEntry>,
) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    let (head, entry) =
        place::read(&permit, engagement, procedure, move |conn, head| logs::get(conn, head.procedure, id))
            .await?;
    if !typed.now.is_empty() {
        let now = times::for_input(permit.app.clock.now(), typed.zone(head.zone));
        return answer(
            &permit,
            StatusCode::OK,
            form(&permit, &head, Some(id), entry.team, with_now(typed, now)),
        );
    }
    let version = typed.version;
    let known: Vec<_> = std::iter::once(entry.starts_at).chain(entry.ends_at).collect();
    let saved = match typed.check(head.zone, &known) {
        Ok(text) => {
            let held = permit.clone();
            let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
                let mut work = work::begin(tx, &held, engagement, procedure)?;
                logs::save(tx, &mut work, id, &text, version)?;
                work.finish(tx, ())
            };
            permit.write(write).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) if permit.partial => one(&permit, engagement, procedure, id, true).await,
        Ok(()) => Ok(redirect_with(&back(engagement, procedure), "Log entry saved.")),
        Err(error) => {
            let mut form = form(&permit, &head, Some(id), entry.team, typed);
            if matches!(error, Error::Conflict(_)) {
                // The form goes on from the stored version: saving again is then a decision, with both texts
                // in sight.
                form.theirs = Some(format!("{}\n{}", entry_time(&entry, head.zone), entry.text));
                form.typed.version = entry.version;
            }
            again(&permit, form, error)
        }
    }
}

pub async fn removal(permit: Permit<WriteProcedure>, path: EntryIds) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    let (head, entry) =
        place::read(&permit, engagement, procedure, move |conn, head| logs::get(conn, head.procedure, id))
            .await?;
    owns(&permit, &head, &entry)?;
    permit.page(&Removal {
        frame: place::frame(&permit, &head, "Remove log entry"),
        heading: format!("Remove the entry of {}?", entry_time(&entry, head.zone)),
        shown: entry.text,
        sentence: "It disappears from the procedure, the timeline and the report. The audit log keeps that \
            it was there.",
        action: format!("/engagements/{engagement}/procedures/{procedure}/logs/{id}/removal"),
        cancel: back(engagement, procedure),
        button: "Remove log entry",
    })
}

pub async fn remove(permit: Permit<WriteProcedure>, path: EntryIds) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    let held = permit.clone();
    let write = move |tx: &mut crate::kernel::db::WriteTx<'_>| {
        let mut work = work::begin(tx, &held, engagement, procedure)?;
        logs::remove(tx, &mut work, id)?;
        work.finish(tx, ())
    };
    permit.write(write).await?;
    Ok(redirect_with(&back(engagement, procedure), "Log entry removed."))
}
