//! Findings: added, edited, ordered and removed in Draft; their remediation is kept after publishing too.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::edit::{frame, open};
use super::get_head_of;
use crate::engagements::views::forms::Confirm;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{FindingId, ReportId};
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::{Columns, Typed};
use crate::kernel::merge::set::keys;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Action, EditReport, Permit, RemediateFinding};
use crate::kernel::web::{Form, Section, redirect_with};
use crate::procedures::domain::Severity;
use crate::reports::content::{FindingField, FindingState};
use crate::reports::store::{self, Head, Live};
use crate::reports::views::edit::{FindingPage, RemediationPage};

type Ids = web::Path<(ReportId, FindingId)>;

pub async fn new(permit: Permit<EditReport>, path: web::Path<ReportId>) -> Result<HttpResponse> {
    let head = open(&permit, path.into_inner()).await?;
    let page = page(&permit, &head, Live::blank(FindingId::new()), Editing::default()).await?;
    permit.page(&page)
}

async fn page(
    permit: &Permit<EditReport>,
    head: &Head,
    live: Live,
    editing: Editing<FindingField>,
) -> Result<FindingPage> {
    let (client, engagement) = (head.client, head.engagement);
    let (assets, evidence) = permit
        .read(move |conn| Ok((store::list_assets(conn, client)?, store::list_evidence(conn, engagement)?)))
        .await?;
    let one = |field: FindingField| editing.value(field, live.get(field));
    Ok(FindingPage {
        frame: frame(permit, head, if live.version == 0 { "Add finding" } else { "Edit finding" }),
        report: head.id,
        id: live.finding.id,
        is_new: live.version == 0,
        title: one(FindingField::Title),
        severity: one(FindingField::Severity),
        description: one(FindingField::Description),
        recommendation: one(FindingField::Recommendation),
        tags: one(FindingField::Tags),
        assets: ticked(
            assets.into_iter().map(|(id, name, address)| (id.to_string(), name, address)),
            &one(FindingField::Assets),
        ),
        evidence: ticked(evidence.into_iter().map(evidence_row), &one(FindingField::Evidence)),
        editing: Editing { version: live.version, ..editing },
    })
}

fn evidence_row(
    (id, title, file, position): (uuid::Uuid, String, String, Option<i32>),
) -> (String, String, String) {
    let place = position.map(|n| format!(", procedure {n}")).unwrap_or_default();
    (id.to_string(), title, format!("{file}{place}"))
}

fn ticked(
    rows: impl Iterator<Item = (String, String, String)>,
    chosen: &str,
) -> Vec<(String, String, String, bool)> {
    rows.map(|(id, name, more)| {
        let on = keys(chosen).any(|chosen| chosen == id);
        (id, name, more, on)
    })
    .collect()
}

/// The fields as typed; the ticks of a list are one field.
fn typed_of_report(pairs: &Pairs) -> Vec<Typed<FindingField>> {
    let mut single: Pairs = pairs.iter().filter(|(name, _)| !["assets", "evidence"].contains(name)).collect();
    for list in ["assets", "evidence"] {
        single.push(list, pairs.all(list).collect::<Vec<_>>().join(","));
    }
    typed(&single, FindingField::of_report())
}

/// A stored value as people read it.
fn worded(field: FindingField, value: &str) -> String {
    let word = match field {
        FindingField::State => value.parse::<FindingState>().ok().map(FindingState::label),
        FindingField::Severity => value.parse::<Severity>().ok().map(Severity::label),
        _ => None,
    };
    word.unwrap_or(value).to_owned()
}

async fn live<A: Action>(permit: &Permit<A>, report: ReportId, id: FindingId) -> Result<Live> {
    let found = permit.read(move |conn| store::list_findings(conn, report)).await?;
    let live = found.into_iter().find(|live| live.finding.id == id).ok_or(Error::NotFound)?;
    prepare([live.finding.recommendation.as_str()], permit.viewer().id.0).await?;
    Ok(live)
}

pub async fn edit(permit: Permit<EditReport>, path: Ids) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    let head = open(&permit, report).await?;
    let live = live(&permit, report, id).await?;
    let page = page(&permit, &head, live, Editing::default()).await?;
    permit.page(&page)
}

/// `POST /reports/{id}/findings/{fid}`: a new one under the id that its form was given, or changes to one.
pub async fn save(permit: Permit<EditReport>, path: Ids, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    pairs.only(is_ours::<FindingField>)?;
    let is_new = pairs.has("version", "0");
    let typed = typed_of_report(&pairs);
    let (held, fields) = (permit.clone(), typed.clone());
    let saved = permit
        .write(move |tx| {
            if is_new {
                return Ok(store::add_finding(tx, &held, report, id, &fields)?.with(Default::default()));
            }
            store::save_finding(tx, &held, report, id, &fields)
        })
        .await;
    let removed = matches!(saved, Err(Error::NotFound));
    let head = get_head_of(&permit, report).await?;
    let saved = if removed { Err(Error::Conflict(REMOVED.into())) } else { saved };
    let zone = permit.viewer().organisation.zone();
    let Some((status, editing)) = unsaved(saved, typed, zone, worded)? else {
        let message = if is_new { "Finding added." } else { "Finding saved." };
        return Ok(redirect_with(&format!("/reports/{report}#f-{id}"), message));
    };
    // What cannot be saved under this id any more, or was added under it already, is offered as a new
    // finding.
    let live = match status {
        _ if removed => Live::blank(FindingId::new()),
        StatusCode::CONFLICT if is_new => Live::blank(FindingId::new()),
        _ if is_new => Live::blank(id),
        _ => live(&permit, report, id).await?,
    };
    permit.html(status, page(&permit, &head, live, editing).await?.render()?)
}

/// The sentence for a finding that somebody removed while it was edited.
const REMOVED: &str = "Somebody removed this finding. What you typed is still here: add it as a new one.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    to: String,
}

pub async fn shift(permit: Permit<EditReport>, path: Ids, Form(posted): Form<Shift>) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    let (held, up) = (permit.clone(), posted.to == "up");
    permit.write(move |tx| store::shift_finding(tx, &held, report, id, up)).await?;
    Ok(redirect_with(&format!("/reports/{report}#f-{id}"), "Finding moved."))
}

pub async fn removal(permit: Permit<EditReport>, path: Ids) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    let head = open(&permit, report).await?;
    let live = live(&permit, report, id).await?;
    permit.page(&Confirm {
        frame: frame(&permit, &head, "Remove finding"),
        heading: "Remove finding".into(),
        lead: format!(
            "“{}” goes from this report, with its description, recommendation and remediation.",
            live.finding.title
        ),
        goes: Vec::new(),
        stays: match live.finding.procedure_id {
            Some(_) => "Its procedure keeps its severity, assets and attachments.".into(),
            None => "Assets and attachments stay where they are.".into(),
        },
        action: format!("/reports/{report}/findings/{id}/removal"),
        button: "Remove finding",
        back: format!("/reports/{report}#findings"),
        title: None,
        reason: None,
        error: None,
    })
}

pub async fn remove(permit: Permit<EditReport>, path: Ids) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    let held = permit.clone();
    let title = permit.write(move |tx| store::remove_finding(tx, &held, report, id)).await?;
    Ok(redirect_with(&format!("/reports/{report}#findings"), &format!("“{title}” removed.")))
}

pub async fn remediation(permit: Permit<RemediateFinding>, path: Ids) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    let head = get_head_of(&permit, report).await?;
    let live = live(&permit, report, id).await?;
    permit.page(&remediation_page(&permit, &head, &live, Editing::default()))
}

fn remediation_page(
    permit: &Permit<RemediateFinding>,
    head: &Head,
    live: &Live,
    editing: Editing<FindingField>,
) -> RemediationPage {
    let one = |field: FindingField| editing.value(field, live.get(field));
    RemediationPage {
        frame: permit
            .frame(Section::Reports, "Remediation")
            .crumb("Reports", "/reports")
            .crumb(&head.narrative.title, format!("/reports/{}", head.id)),
        report: head.id,
        id: live.finding.id,
        finding: live.finding.title.clone(),
        recommendation: crate::kernel::web::markdown::render(&live.finding.recommendation),
        state: one(FindingField::State),
        owner: one(FindingField::Owner),
        due_on: one(FindingField::DueOn),
        editing: Editing { version: live.version, ..editing },
    }
}

pub async fn remediate(
    permit: Permit<RemediateFinding>,
    path: Ids,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (report, id) = path.into_inner();
    pairs.only(is_ours::<FindingField>)?;
    let typed = typed(&pairs, FindingField::of_remediation());
    let (held, fields) = (permit.clone(), typed.clone());
    let saved = permit.write(move |tx| store::save_remediation(tx, &held, report, id, &fields)).await;
    match unsaved(saved, typed, permit.viewer().organisation.zone(), worded)? {
        None => Ok(redirect_with(&format!("/reports/{report}#f-{id}"), "Remediation saved.")),
        Some((status, editing)) => {
            let (head, live) = (get_head_of(&permit, report).await?, live(&permit, report, id).await?);
            permit.html(status, remediation_page(&permit, &head, &live, editing).render()?)
        }
    }
}
