//! The report's steps: the page that asks, the step itself, and what was published before.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::{get_head_of, shown};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{PersonId, ReportId};
use crate::kernel::web::permit::{Permit, ReadReport, WorkReport};
use crate::kernel::web::turns::aside;
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::lifecycle::domain::ReportStatus;
use crate::reports::store::{self, Asked, Head, Reviewer};
use crate::reports::views::edit::MovePage;
use crate::reports::workflow::{Step, find_step};

#[derive(Deserialize)]
pub struct Wanted {
    to: String,
}

pub async fn ask(
    permit: Permit<WorkReport>,
    path: web::Path<ReportId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let head = get_head_of(&permit, path.into_inner()).await?;
    let to: ReportStatus = wanted.to.parse().map_err(|_| Error::NotFound)?;
    let step = match find_step(head.status, to) {
        Ok(step) => step,
        // The page that offered it was older than the report.
        Err(refusal) => return Ok(redirect_with(&format!("/reports/{}", head.id), &refusal.0)),
    };
    if !permit.may_at(step.needs, head.client) {
        return Err(Error::Forbidden(format!(
            "You may not do this with the reports of this client: {}.",
            step.label
        )));
    }
    if head.status == ReportStatus::Draft && head.waits() {
        return Err(Error::Refused(
            "The report leaves Draft only after its runbook is submitted. Submit the engagement first."
                .into(),
        ));
    }
    let page = page(&permit, head, step, Posted::default(), FieldErrors::default()).await?;
    permit.page(&page)
}

async fn page(
    permit: &Permit<WorkReport>,
    head: Head,
    step: &'static Step,
    typed: Posted,
    errors: FieldErrors,
) -> Result<MovePage> {
    let (client, report) = (head.client, head.id);
    let sends = step.to == ReportStatus::ReadyForReview;
    let (people, asked): (Vec<_>, Vec<Reviewer>) = permit
        .read(move |conn| {
            let people = if sends { store::list_reviewers(conn, client)? } else { Vec::new() };
            Ok((people, store::get_workflow(conn, report)?.reviewers))
        })
        .await?;
    let me = permit.viewer().id;
    let ticked = |id: PersonId| {
        if typed.from.is_empty() { asked.iter().any(|r| r.id == id) } else { typed.reviewer.contains(&id) }
    };
    Ok(MovePage {
        frame: permit
            .frame(Section::Reports, step.label)
            .crumb("Reports", "/reports")
            .crumb(&head.narrative.title, format!("/reports/{}", head.id)),
        reviewers: people.into_iter().map(|(id, name)| (id, name, ticked(id), id == me)).collect(),
        head,
        step,
        comment: typed.comment,
        errors,
    })
}

/// The form of a step.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Posted {
    from: String,
    to: String,
    comment: String,
    reviewer: Vec<PersonId>,
}

pub async fn act(
    permit: Permit<WorkReport>,
    path: web::Path<ReportId>,
    Form(typed): Form<Posted>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let status = |raw: &str| {
        raw.parse::<ReportStatus>()
            .map_err(|_| Error::Malformed("This step is not known. Reload the page.".into()))
    };
    let asked = Asked {
        from: status(&typed.from)?,
        to: status(&typed.to)?,
        comment: typed.comment.clone(),
        reviewers: typed.reviewer.clone(),
    };
    let (held, wants) = (permit.clone(), asked.clone());
    match permit.write(move |tx| store::move_report(tx, &held, id, &wants)).await {
        Ok(moved) => {
            let message = format!("Report: {}. The engagement is {}.", moved.report, moved.engagement);
            Ok(redirect_with(&format!("/reports/{id}"), &message))
        }
        Err(Error::Invalid(errors)) => {
            again(&permit, id, typed, StatusCode::UNPROCESSABLE_ENTITY, errors).await
        }
        // Somebody was quicker, or a rule says no: the comment stays.
        Err(Error::Conflict(why)) => {
            again(&permit, id, typed, StatusCode::CONFLICT, FieldErrors::one("comment", why)).await
        }
        Err(Error::Refused(why)) => {
            again(&permit, id, typed, StatusCode::UNPROCESSABLE_ENTITY, FieldErrors::one("comment", why))
                .await
        }
        Err(other) => Err(other),
    }
}

/// The page of the step again, with what was typed.
async fn again(
    permit: &Permit<WorkReport>,
    id: ReportId,
    typed: Posted,
    status: StatusCode,
    errors: FieldErrors,
) -> Result<HttpResponse> {
    let of = |raw: &str| raw.parse::<ReportStatus>().map_err(|_| Error::NotFound);
    let step = find_step(of(&typed.from)?, of(&typed.to)?).map_err(|refusal| Error::Refused(refusal.0))?;
    let head = get_head_of(permit, id).await?;
    let page = page(permit, head, step, typed, errors).await?;
    permit.html(status, page.render()?)
}

/// `GET /reports/{id}/revisions/{n}`: a revision as it was published. Who reads only published reports sees
/// the newest.
pub async fn revision(permit: Permit<ReadReport>, path: web::Path<(ReportId, i32)>) -> Result<HttpResponse> {
    let (id, n) = path.into_inner();
    let head = get_head_of(&permit, id).await?;
    if !permit.may_at(P::ReportRead, head.client) {
        return Err(Error::NotFound);
    }
    let (book, content, workflow) = permit
        .read(move |conn| {
            let (book, content) = store::get_published(conn, id, Some(n))?;
            Ok((book, content, store::get_workflow(conn, id)?))
        })
        .await?;
    let known = workflow.revisions.iter().find(|revision| revision.n == n).cloned();
    let approved = known.as_ref().and_then(|revision| workflow.approval_before(revision)).cloned();
    let mut page = shown(&permit, head, book, content, Vec::new(), workflow);
    // What was published is read as a whole.
    page.open = true;
    page.approval = approved;
    page.published = known.clone();
    page.revision = known;
    page.steps = Vec::new();
    (page.may_edit, page.may_remediate) = (false, false);
    let html = aside(permit.viewer().id.0, move || Ok(page.render()?)).await?;
    permit.html(StatusCode::OK, html)
}
