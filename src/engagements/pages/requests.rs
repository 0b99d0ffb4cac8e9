//! Requests: the form that asks, the queue of those who may approve, and Decline.

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::engagements::domain::{DetailField, NewEngagement as TypedDetails};
use crate::engagements::store::approval as store;
use crate::engagements::store::create::NewEngagement;
use crate::engagements::store::lifecycle;
use crate::engagements::store::show::get_head;
use crate::engagements::views::forms::Confirm;
use crate::engagements::views::requests::{Queue, RequestForm};
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{ClientId, EngagementId};
use crate::kernel::base::show;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{ApproveEngagement, Permit, RequestEngagement};
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::inputs::Values;
use crate::procedures::store::attachments::Arrived;
use crate::procedures::upload;

/// The most requests that the queue shows.
const SHOWN: i64 = 100;

/// The fields of the form.
const FIELDS: [&str; 11] = [
    "id",
    "client",
    "plan",
    "title",
    "description",
    "objective",
    "scope",
    "start_date",
    "end_date",
    "time_zone",
    "special_instructions",
];

/// With which client the form opens.
#[derive(Deserialize)]
pub struct Opened {
    #[serde(default)]
    client: String,
}

pub async fn new(permit: Permit<RequestEngagement>, Query(opened): Query<Opened>) -> Result<HttpResponse> {
    permit.anywhere()?;
    let only = match permit.clients().ids() {
        [one] => one.to_string(),
        _ => opened.client,
    };
    let zone = permit.viewer().organisation.zone().name().to_owned();
    let typed = [("id", EngagementId::new().to_string()), ("client", only), ("time_zone", zone)]
        .into_iter()
        .collect();
    let page = form(&permit, typed, FieldErrors::default(), None).await?;
    permit.page(&page)
}

async fn form(
    permit: &Permit<RequestEngagement>,
    typed: Pairs,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<RequestForm> {
    let (clients, reads_plans) = (permit.clients(), permit.may(P::TestPlanRead));
    let (clients, plans) = permit
        .read(move |conn| {
            let plans = if reads_plans { store::list_plan_titles(conn)? } else { Vec::new() };
            Ok((store::list_client_names(conn, &clients)?, plans))
        })
        .await?;
    Ok(RequestForm {
        frame: permit.frame(Section::Schedule, "Request an engagement").crumb("Schedule", "/schedule"),
        limit: show::size(permit.viewer().organisation.attachment_bytes),
        clients,
        plans,
        reads_plans,
        typed,
        errors,
        problem,
    })
}

/// `POST /schedule/request`: the fields and files of one form.
pub async fn create(permit: Permit<RequestEngagement>, multipart: Multipart) -> Result<HttpResponse> {
    permit.anywhere()?;
    let wanted = upload::Wanted {
        fields: &FIELDS,
        some_file: false,
        limit: permit.viewer().organisation.attachment_bytes,
    };
    let (typed, received) = upload::receive(&permit.app, multipart, wanted, permit.viewer().id).await;
    let made = match received {
        Ok(received) => {
            let told = received.told();
            request(&permit, &typed, received.files).await.map(|id| (id, told))
        }
        Err(error) => Err(error),
    };
    match made {
        Ok((id, told)) => {
            let message = format!("Requested. Whoever may approve it was told. {told}");
            Ok(redirect_with(&format!("/engagements/{id}"), message.trim_end()))
        }
        Err(Error::Invalid(errors)) => {
            let page = form(
                &permit,
                typed,
                errors,
                Some("Nothing is sent yet. Look at the marked fields; choose files again.".into()),
            )
            .await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        // Not this request, or not now: what was typed stays, under an id of its own.
        Err(Error::Conflict(why) | Error::Refused(why)) => {
            let mut typed: Pairs = typed.iter().filter(|(name, _)| *name != "id").collect();
            typed.push("id", EngagementId::new().to_string());
            let problem = format!("Nothing is sent yet; choose files again before you send it. {why}");
            let page = form(&permit, typed, FieldErrors::default(), Some(problem)).await?;
            permit.html(StatusCode::CONFLICT, page.render()?)
        }
        Err(Error::TooLarge(why)) => {
            let page =
                form(&permit, typed, FieldErrors::one("file", why), Some("Nothing is sent yet.".into()))
                    .await?;
            permit.html(StatusCode::PAYLOAD_TOO_LARGE, page.render()?)
        }
        Err(other) => Err(other),
    }
}

async fn request(
    permit: &Permit<RequestEngagement>,
    typed: &Pairs,
    files: Vec<Arrived>,
) -> Result<EngagementId> {
    let new = match read(permit, typed) {
        Ok(new) => new,
        Err(errors) => {
            upload::discard(&permit.app, &files).await;
            return Err(Error::Invalid(errors));
        }
    };
    let id = new.id;
    upload::keep(&permit.app, &files).await?;
    let (held, rows, asked) = (permit.clone(), files.clone(), new.clone());
    let written = permit.write(move |tx| store::request(tx, &held, &asked, &rows)).await;
    // Where the database went away nobody knows whether it had committed: then the sweep asks it later.
    if !matches!(written, Ok(()) | Err(Error::Unavailable(_) | Error::Internal(_))) {
        upload::discard(&permit.app, &files).await;
    }
    match written {
        Err(Error::Conflict(why)) => {
            let person = permit.viewer().id;
            let there = permit.read(move |conn| store::is_requested(conn, &new, person)).await?;
            if there { Ok(id) } else { Err(Error::Conflict(why)) }
        }
        other => other.map(|()| id),
    }
}

fn read(permit: &Permit<RequestEngagement>, typed: &Pairs) -> Result<NewEngagement, FieldErrors> {
    let find = |name: &str| typed.get(name).unwrap_or_default().to_owned();
    let mut details = TypedDetails::default();
    for field in DetailField::ALL {
        details.set(*field, find(field.as_str()));
    }
    let mut errors = FieldErrors::default();
    let checked = details.check();
    for (field, sentence) in checked.as_ref().err().into_iter().flatten() {
        errors.add(field.as_str(), sentence.clone());
    }
    let client: Option<ClientId> = find("client").parse().ok().filter(|client| permit.covers(*client));
    if client.is_none() {
        errors.add("client", "Choose the client.");
    }
    match (client, checked) {
        (Some(client), Ok(details)) if errors.is_empty() => Ok(NewEngagement {
            id: find("id").parse().unwrap_or_else(|_| EngagementId::new()),
            client,
            details,
            // Whoever does not read test plans names one in words.
            plan: find("plan").parse().ok().filter(|_| permit.may(P::TestPlanRead)),
            earlier: None,
            operators: Vec::new(),
            inputs: Values::new(),
            procedures: Vec::new(),
        }),
        _ => Err(errors),
    }
}

/// `GET /schedule/requests`: what waits on whoever may approve.
pub async fn queue(permit: Permit<ApproveEngagement>) -> Result<HttpResponse> {
    permit.anywhere_or_promised()?;
    let at = permit.clients();
    let requests = permit.read(move |conn| store::list_requests(conn, &at, SHOWN)).await?;
    permit.page(&Queue {
        frame: permit.frame(Section::Schedule, "Requests").crumb("Schedule", "/schedule"),
        requests,
        now: permit.app.clock.now(),
        zone: permit.viewer().organisation.zone(),
    })
}

async fn decline_page(
    permit: &Permit<ApproveEngagement>,
    id: EngagementId,
    reason: String,
    error: Option<String>,
) -> Result<Confirm> {
    let visible = permit.visible();
    let head = permit.read(move |conn| get_head(conn, id, &visible)).await?;
    permit.check(head.own.client_id)?;
    if head.own.status != EngagementStatus::Pending && error.is_none() {
        return Err(Error::Conflict(format!(
            "This is no request any more: the engagement is {}.",
            head.own.status
        )));
    }
    Ok(Confirm {
        frame: permit
            .frame(Section::Schedule, "Decline request")
            .crumb("Schedule", "/schedule")
            .crumb("Requests", "/schedule/requests"),
        heading: "Decline request".into(),
        lead: format!(
            "“{}” of {} becomes Canceled, for good. Whoever asked is told your reason.",
            head.own.title, head.client_name
        ),
        goes: Vec::new(),
        stays: "The request stays readable.".into(),
        action: format!("/engagements/{id}/declination"),
        button: "Decline request",
        back: format!("/engagements/{id}"),
        title: None,
        reason: Some(reason),
        error,
    })
}

pub async fn decline_form(
    permit: Permit<ApproveEngagement>,
    path: web::Path<EngagementId>,
) -> Result<HttpResponse> {
    let page = decline_page(&permit, path.into_inner(), String::new(), None).await?;
    permit.page(&page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

pub async fn decline(
    permit: Permit<ApproveEngagement>,
    path: web::Path<EngagementId>,
    Form(typed): Form<Reason>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let (held, reason) = (permit.clone(), typed.reason.clone());
    match permit.write(move |tx| lifecycle::decline(tx, &held, id, &reason)).await {
        Ok(()) => Ok(redirect_with("/schedule/requests", "Declined. Whoever asked was told.")),
        Err(Error::Invalid(errors)) => {
            let page =
                decline_page(&permit, id, typed.reason, errors.get("reason").map(str::to_owned)).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        // Somebody was quicker: the reason stays, to be copied.
        Err(Error::Refused(why) | Error::Conflict(why)) => {
            let page = decline_page(&permit, id, typed.reason, Some(why)).await?;
            permit.html(StatusCode::CONFLICT, page.render()?)
        }
        Err(other) => Err(other),
    }
}
