//! Approving a request in four steps: details, report, dates, operators. What is typed is kept on the server
//! between them; nothing of the engagement changes before the last button.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::engagements::approval::{Draft, STEPS, is_approval};
use crate::engagements::domain::{DetailField, check_detail};
use crate::engagements::periods::changed_periods;
use crate::engagements::store::approval::{self as store, Approval};
use crate::engagements::store::sections::{Candidate, FilesPage, list_attachments, list_candidates};
use crate::engagements::store::show::{Head, get_head};
use crate::engagements::views::requests::ApprovalPage;
use crate::engagements::views::sections::Choosable;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::kernel::base::team::Team;
use crate::kernel::merge::record::{Columns, NEWEST, Typed};
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{ApproveEngagement, Permit};
use crate::kernel::web::{Form, Query, Section, redirect, redirect_with};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::store::runbook::list_operators;

#[derive(Deserialize)]
pub struct At {
    #[serde(default)]
    step: String,
}

impl At {
    fn step(&self) -> usize {
        self.step.parse().ok().filter(|n| (1..=4).contains(n)).unwrap_or(1)
    }
}

/// A request that is about to be approved.
struct Opened {
    head: Head,
    draft: Draft,
    operators: Vec<(PersonId, Team)>,
}

async fn open(permit: &Permit<ApproveEngagement>, id: EngagementId) -> Result<Opened> {
    let (visible, person) = (permit.visible(), permit.viewer().id);
    let (head, kept, operators) = permit
        .read(move |conn| {
            let head = get_head(conn, id, &visible)?;
            Ok((head, store::find_draft(conn, person, id)?, list_operators(conn, id, None, &visible)?))
        })
        .await?;
    permit.check(head.own.client_id)?;
    if head.own.status != EngagementStatus::Pending {
        return Err(Error::Conflict(format!(
            "This is no request any more: the engagement is {}.",
            head.own.status
        )));
    }
    let operators: Vec<_> =
        operators.iter().filter(|o| o.procedure_id.is_none()).map(|o| (o.person_id, o.team)).collect();
    let draft = kept
        .and_then(|fields| serde_json::from_value(fields).ok())
        .unwrap_or_else(|| Draft::of(head.own.version, details(&head), operators.clone()));
    Ok(Opened { head, draft, operators })
}

pub async fn show(
    permit: Permit<ApproveEngagement>,
    path: web::Path<EngagementId>,
    Query(at): Query<At>,
) -> Result<HttpResponse> {
    let mut opened = open(&permit, path.into_inner()).await?;
    let problem = catch_up(&mut opened);
    let page = page(&permit, opened, at.step(), FieldErrors::default(), problem).await?;
    permit.page(&page)
}

fn details(head: &Head) -> BTreeMap<String, String> {
    DetailField::ALL.iter().map(|field| (field.as_str().to_owned(), head.own.get(*field))).collect()
}

/// A sentence where the request changed since it was looked at.
fn catch_up(opened: &mut Opened) -> Option<String> {
    let stale = opened.draft.version != opened.head.own.version;
    let (changed, kept) =
        opened.draft.follow(opened.head.own.version, &details(&opened.head), &opened.operators);
    (stale || !changed.is_empty()).then(|| changed_meanwhile(&changed, &kept))
}

fn changed_meanwhile(changed: &[&str], kept: &[&str]) -> String {
    let mut sentence = match changed {
        [] => "Somebody changed this request since you opened it. Look at it again.".to_owned(),
        changed => format!("Somebody changed this request since you opened it: {}.", changed.join(", ")),
    };
    if !kept.is_empty() {
        sentence.push_str(&format!(" What you typed stays: {}.", kept.join(", ")));
    }
    sentence
}

async fn page(
    permit: &Permit<ApproveEngagement>,
    opened: Opened,
    step: usize,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<ApprovalPage> {
    let Opened { head, draft, .. } = opened;
    let (id, client, visible) = (head.own.id, head.own.client_id, permit.visible());
    let shelf = permit.shelf();
    // Whom others have booked is the planners' concern.
    let plans = permit.may_at(P::EngagementPlan, client);
    let dates = (draft.day(DetailField::StartDate), draft.day(DetailField::EndDate));
    let (facts, files, candidates) = permit
        .read(move |conn| {
            let candidates = if step == 4 || step == 1 {
                list_candidates(conn, client, Some(id), dates, (&visible, plans))?
            } else {
                Vec::new()
            };
            Ok((
                store::get_request_facts(conn, shelf, id)?,
                list_attachments(conn, id, FilesPage::shown(0))?.0,
                candidates,
            ))
        })
        .await?;
    let zone = check_detail(DetailField::TimeZone, draft.get(DetailField::TimeZone))
        .ok()
        .and_then(|zone| zone.parse().ok());
    Ok(ApprovalPage {
        frame: permit
            .frame(Section::Schedule, format!("Approve {}", head.own.title))
            .crumb("Schedule", "/schedule")
            .crumb("Requests", "/schedule/requests"),
        people: people(&draft, &candidates, &errors),
        today: permit.app.clock.now().with_timezone(&zone.unwrap_or(chrono_tz::UTC)).date_naive(),
        requested_by: facts.0,
        planned: facts.1,
        files,
        head,
        step,
        draft,
        errors,
        problem,
    })
}

fn people(draft: &Draft, candidates: &[Candidate], errors: &FieldErrors) -> Vec<Choosable> {
    Choosable::with_dates(
        Choosable::list(candidates, &[], Some(&draft.operators)),
        candidates,
        &draft.periods,
        errors,
    )
}

pub async fn post(
    permit: Permit<ApproveEngagement>,
    path: web::Path<EngagementId>,
    Query(at): Query<At>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (id, step) = (path.into_inner(), at.step());
    pairs.only(is_approval)?;
    let mut opened = open(&permit, id).await?;
    let mut stale = catch_up(&mut opened);
    let over = opened.draft.read(step, &pairs);
    // The first page approves as asked, and then asks there about a start that has passed.
    opened.draft.past |= step == 1 && pairs.get("past").is_some();
    let shown = pairs.get("version").and_then(|version| version.parse::<i32>().ok());
    if shown.is_some_and(|shown| shown != opened.head.own.version) && (stale.is_none() || !over.is_empty()) {
        stale = Some(changed_meanwhile(&[], &over));
    }
    keep(&permit, id, &opened.draft).await?;
    let wants = pairs.last("do").unwrap_or("stay");
    let zone = check_detail(DetailField::TimeZone, opened.draft.get(DetailField::TimeZone))
        .ok()
        .and_then(|zone| zone.parse().ok());
    let today = permit.app.clock.now().with_timezone(&zone.unwrap_or(chrono_tz::UTC)).date_naive();
    let checked: &[usize] = match wants {
        "approve" => &[1, 2, 3, 4],
        "next" => &[step],
        _ => &[],
    };
    for of in checked {
        let errors = opened.draft.faults(*of, today);
        if !errors.is_empty() {
            return refused(&permit, opened, *of, errors, stale).await;
        }
    }
    if stale.is_some() {
        return refused(&permit, opened, 1, FieldErrors::default(), stale).await;
    }
    let url = |step: usize| format!("/engagements/{id}/approval?step={step}");
    match wants {
        "approve" => approve(&permit, id, opened).await,
        "next" => Ok(redirect(&url((step + 1).min(4)))),
        "back" => Ok(redirect(&url(step.max(2) - 1))),
        other => {
            let to = other.strip_prefix("step-").and_then(|n| n.parse().ok()).filter(|n| (1..=4).contains(n));
            Ok(redirect(&url(to.unwrap_or(step))))
        }
    }
}

async fn keep(permit: &Permit<ApproveEngagement>, id: EngagementId, draft: &Draft) -> Result<()> {
    let (person, now, fields) = (permit.viewer().id, permit.app.clock.now(), serde_json::to_value(draft)?);
    permit
        .app
        .db
        .write_unaudited("approval draft", move |conn| store::save_draft(conn, person, id, &fields, now))
        .await
}

async fn refused(
    permit: &Permit<ApproveEngagement>,
    opened: Opened,
    step: usize,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<HttpResponse> {
    let status = if errors.is_empty() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    permit.html(status, page(permit, opened, step, errors, problem).await?.render()?)
}

/// "Schedule & create report"
async fn approve(
    permit: &Permit<ApproveEngagement>,
    id: EngagementId,
    opened: Opened,
) -> Result<HttpResponse> {
    let draft = &opened.draft;
    let posted: Pairs = draft
        .periods
        .iter()
        .filter(|(own, ..)| draft.operators.iter().any(|(person, _)| person == own))
        .flat_map(|(person, from, to)| {
            // Marked as changed whatever they hold: they were, when they were typed.
            [
                (format!("from.{person}"), from.clone()),
                (format!("to.{person}"), to.clone()),
                (format!("had_from.{person}"), "-".to_owned()),
            ]
        })
        .collect();
    let periods = match changed_periods(&posted) {
        Ok(periods) => periods,
        Err(errors) => return refused(permit, opened, 4, errors, None).await,
    };
    let SetChange { added, removed } =
        SetChange::between(draft.seen_operators.iter().copied(), draft.operators.iter().copied());
    let approval = Approval {
        version: draft.version,
        details: DetailField::ALL
            .iter()
            .map(|f| Typed { field: *f, raw: draft.get(*f).to_owned(), base: NEWEST })
            .collect(),
        report_title: draft.report_title.trim().to_owned(),
        copies_plan: draft.copies_plan,
        added,
        removed,
        periods,
        past: draft.past,
    };
    let held = permit.clone();
    match permit.write(move |tx| store::approve(tx, &held, id, &approval)).await {
        Ok(status) => Ok(redirect_with(
            &format!("/engagements/{id}"),
            &format!("Approved. It is {status}, and its report is made."),
        )),
        Err(Error::Invalid(errors)) => {
            let at = STEPS
                .iter()
                .position(|fields| fields.iter().any(|f| errors.get(f.as_str()).is_some()))
                .map(|n| n + 1);
            let step = at.unwrap_or(if errors.get("past").is_some() { 3 } else { 4 });
            // What belongs to no field of these pages is said above them.
            let problem = ["operators", "procedures"]
                .into_iter()
                .find_map(|field| errors.get(field))
                .map(str::to_owned);
            refused(permit, opened, step, errors, problem).await
        }
        Err(other) => Err(other),
    }
}
