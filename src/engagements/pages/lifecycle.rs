//! Start now, Cancel and Delete.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::engagements::store::lifecycle as store;
use crate::engagements::store::show::{self, Head};
use crate::engagements::views::forms::Confirm;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::show::counted;
use crate::kernel::web::permit::{Action, ApproveEngagement, CancelEngagement, DeleteEngagement, Permit};
use crate::kernel::web::{Form, Frame, Section, redirect_with};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::store::runbook;

async fn head<A: Action>(permit: &Permit<A>, id: EngagementId) -> Result<Head> {
    let visible = permit.visible();
    let head = permit.read(move |conn| show::get_head(conn, id, &visible)).await?;
    permit.check(head.own.client_id)?;
    Ok(head)
}

fn frame<A: Action>(permit: &Permit<A>, head: &Head, title: &str) -> Frame {
    permit
        .frame(Section::Engagements, title)
        .crumb("Engagements", "/engagements")
        .crumb(&head.own.title, format!("/engagements/{}", head.own.id))
}

pub async fn start(permit: Permit<ApproveEngagement>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let id = path.into_inner();
    let own = permit.clone();
    permit.write(move |tx| store::start_now(tx, &own, id)).await?;
    Ok(redirect_with(&format!("/engagements/{id}"), "Started. It is In Progress from today."))
}

pub async fn cancel_form(
    permit: Permit<CancelEngagement>,
    path: web::Path<EngagementId>,
) -> Result<HttpResponse> {
    let head = head(&permit, path.into_inner()).await?;
    if matches!(head.own.status, EngagementStatus::Complete | EngagementStatus::Canceled) {
        return Err(Error::Refused(format!(
            "This engagement is {}. It can no longer be canceled.",
            head.own.status.label()
        )));
    }
    permit.page(&cancel_page(&permit, &head, String::new(), None))
}

fn cancel_page(
    permit: &Permit<CancelEngagement>,
    head: &Head,
    reason: String,
    error: Option<String>,
) -> Confirm {
    let url = format!("/engagements/{}", head.own.id);
    Confirm {
        frame: frame(permit, head, "Cancel engagement"),
        heading: "Cancel engagement".into(),
        lead: format!("“{}” ends here, for good. Nobody can work on it afterwards.", head.own.title),
        goes: Vec::new(),
        stays: "What is recorded stays readable.".into(),
        action: format!("{url}/cancellation"),
        button: "Cancel engagement",
        back: url,
        title: None,
        reason: Some(reason),
        error,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

pub async fn cancel(
    permit: Permit<CancelEngagement>,
    path: web::Path<EngagementId>,
    Form(typed): Form<Reason>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let (own, reason) = (permit.clone(), typed.reason.clone());
    match permit.write(move |tx| store::cancel(tx, &own, id, &reason)).await {
        Ok(()) => Ok(redirect_with(&format!("/engagements/{id}"), "Canceled.")),
        Err(Error::Invalid(errors)) => {
            let head = head(&permit, id).await?;
            let error = errors.get("reason").map(str::to_owned);
            permit.html(
                StatusCode::UNPROCESSABLE_ENTITY,
                cancel_page(&permit, &head, typed.reason, error).render()?,
            )
        }
        // Somebody was quicker: the reason stays, to be copied.
        Err(Error::Refused(why) | Error::Conflict(why)) => {
            let head = head(&permit, id).await?;
            permit.html(StatusCode::CONFLICT, cancel_page(&permit, &head, typed.reason, Some(why)).render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn delete_form(
    permit: Permit<DeleteEngagement>,
    path: web::Path<EngagementId>,
) -> Result<HttpResponse> {
    let page = delete_page(&permit, path.into_inner(), String::new(), None).await?;
    permit.page(&page)
}

async fn delete_page(
    permit: &Permit<DeleteEngagement>,
    id: EngagementId,
    typed: String,
    error: Option<String>,
) -> Result<Confirm> {
    let head = head(permit, id).await?;
    let (visible, person, now) = (permit.visible(), permit.viewer().id, permit.app.clock.now());
    let (rows, digests) = permit
        .read(move |conn| {
            let rows = runbook::list_procedures(conn, id, &visible, now)?;
            Ok((rows, show::get_digests(conn, id, person, false)?))
        })
        .await?;
    let line = |n: i64, one: &str, many: &str| (n > 0).then(|| counted(n.unsigned_abs() as usize, one, many));
    let submitted = head.own.submitted_at.is_some();
    let report = head.report.as_ref().map(|report| report.status);
    let published = report == Some(ReportStatus::Published);
    let goes = [
        line(
            rows.len() as i64,
            "procedure with its outcomes and notes",
            "procedures with their outcomes and notes",
        ),
        line(digests.entries, "log entry", "log entries"),
        line(digests.files, "attachment", "attachments")
            .map(|files| if submitted { format!("{files}, from the engagement’s pages") } else { files }),
        (!submitted && report.is_some()).then(|| "its Draft report".to_owned()),
    ];
    let url = format!("/engagements/{id}");
    Ok(Confirm {
        frame: frame(permit, &head, "Delete engagement"),
        heading: "Delete engagement".into(),
        lead: format!("“{}” of {} disappears from every list.", head.own.title, head.client_name),
        goes: goes.into_iter().flatten().collect(),
        stays: match report {
            Some(ReportStatus::Published) => {
                "Its published report stays with its evidence: whoever may read \
                it opens both there, the client’s people too."
                    .into()
            }
            Some(_) if submitted => "Its report stays with its evidence, and is no longer changed.".into(),
            _ => "The library and the client’s assets stay.".into(),
        },
        action: format!("{url}/delete"),
        button: "Delete engagement",
        back: url,
        title: published.then_some(typed),
        reason: None,
        error,
    })
}

/// The title, typed where the report is published.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteForm {
    #[serde(default)]
    title: String,
}

pub async fn delete(
    permit: Permit<DeleteEngagement>,
    path: web::Path<EngagementId>,
    Form(typed): Form<DeleteForm>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let (own, title) = (permit.clone(), typed.title.clone());
    match permit.write(move |tx| store::delete(tx, &own, id, &title)).await {
        Ok(title) => Ok(redirect_with("/engagements", &format!("“{title}” deleted."))),
        Err(Error::Invalid(errors)) => {
            let error = errors.get("title").map(str::to_owned);
            let page = delete_page(&permit, id, typed.title, error).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}
