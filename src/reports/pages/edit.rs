//! Writing the narrative, and putting outcomes right.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::get_head_of;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{ProcedureId, ReportId};
use crate::kernel::base::team::Team;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::Columns;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{EditReport, Permit};
use crate::kernel::web::{Form, Frame, Query, Section, redirect_with};
use crate::reports::content::NarrativeField;
use crate::reports::domain::FrozenOutcome;
use crate::reports::store::{self, Head, TypedCorrection};
use crate::reports::views::edit::{CorrectionPage, NarrativePage};
use crate::reports::workflow::check_editing;
use crate::settings::store::list_choices;

/// A report that may be written in.
pub(super) async fn open(permit: &Permit<EditReport>, id: ReportId) -> Result<Head> {
    let head = get_head_of(permit, id).await?;
    check_editing(head.status, head.submitted_at.is_some(), head.has_procedures)
        .map_err(|refusal| Error::Refused(refusal.0))?;
    Ok(head)
}

pub(super) fn frame(permit: &Permit<EditReport>, head: &Head, title: &str) -> Frame {
    permit
        .frame(Section::Reports, title)
        .crumb("Reports", "/reports")
        .crumb(&head.narrative.title, format!("/reports/{}", head.id))
}

pub async fn narrative(permit: Permit<EditReport>, path: web::Path<ReportId>) -> Result<HttpResponse> {
    let head = open(&permit, path.into_inner()).await?;
    permit.page(&narrative_page(&permit, &head, Editing::default()))
}

fn narrative_page(
    permit: &Permit<EditReport>,
    head: &Head,
    editing: Editing<NarrativeField>,
) -> NarrativePage {
    let value = |field: &NarrativeField| editing.value(*field, head.narrative.get(*field));
    NarrativePage {
        frame: frame(permit, head, "Edit text"),
        id: head.id,
        values: NarrativeField::ALL.iter().map(|field| (*field, value(field))).collect(),
        preview: false,
        editing: Editing { version: head.version, ..editing },
    }
}

/// `POST /reports/{id}/edit`; with `do=preview` nothing is saved and the texts are shown as they will read.
pub async fn save_narrative(
    permit: Permit<EditReport>,
    path: web::Path<ReportId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let typed = typed(&pairs, NarrativeField::ALL);
    pairs.only(|name| name == "do" || is_ours::<NarrativeField>(name))?;
    if pairs.has("do", "preview") {
        let head = get_head_of(&permit, id).await?;
        prepare(typed.iter().map(|typed| typed.raw.as_str()), permit.viewer().id.0).await?;
        let editing = Editing { unsaved: typed, ..Editing::default() };
        let page = NarrativePage { preview: true, ..narrative_page(&permit, &head, editing) };
        return permit.html(
            StatusCode::OK,
            if permit.partial { page.as_previews().render()? } else { page.render()? },
        );
    }
    let (held, fields) = (permit.clone(), typed.clone());
    let saved = permit.write(move |tx| store::save_narrative(tx, &held, id, &fields)).await;
    let zone = permit.viewer().organisation.zone();
    match unsaved(saved, typed, zone, |_, text| text.to_owned())? {
        None => Ok(redirect_with(&format!("/reports/{id}"), "Text saved.")),
        Some((status, editing)) => {
            let head = get_head_of(&permit, id).await?;
            permit.html(status, narrative_page(&permit, &head, editing).render()?)
        }
    }
}

#[derive(Deserialize)]
pub struct Whose {
    #[serde(default)]
    team: String,
}

pub async fn correction(
    permit: Permit<EditReport>,
    path: web::Path<(ReportId, ProcedureId)>,
    Query(whose): Query<Whose>,
) -> Result<HttpResponse> {
    let (id, procedure) = path.into_inner();
    let head = open(&permit, id).await?;
    let team: Team = whose.team.parse().map_err(|_| Error::NotFound)?;
    let page = correction_page(&permit, head, procedure, team, None, FieldErrors::default()).await?;
    permit.page(&page)
}

async fn correction_page(
    permit: &Permit<EditReport>,
    head: Head,
    procedure: ProcedureId,
    team: Team,
    typed: Option<&Corrected>,
    errors: FieldErrors,
) -> Result<CorrectionPage> {
    let id = head.id;
    let (revision, workflow, choices) = permit
        .read(move |conn| {
            Ok((
                store::find_frozen(conn, id)?,
                store::get_workflow(conn, id)?,
                list_choices(conn, team, None)?,
            ))
        })
        .await?;
    let book = revision.ok_or(Error::NotFound)?;
    let of = book.procedures.iter().find(|p| p.id == procedure).ok_or(Error::NotFound)?;
    let last = workflow.corrections.iter().rev().find(|c| c.procedure_id == procedure && c.team == team);
    let frozen = if team == Team::Red { of.red_outcome.clone() } else { of.blue_outcome.clone() };
    let counts: Option<FrozenOutcome> = last.map_or_else(|| frozen.clone(), |c| c.after.clone());
    Ok(CorrectionPage {
        frame: frame(permit, &head, "Correct outcome"),
        url: format!("/reports/{id}/procedures/{procedure}/correction"),
        back: format!("/reports/{id}#p{}", of.position),
        name: format!("{} {}", of.position, of.name),
        team,
        chosen: typed.map_or_else(
            || counts.as_ref().map(|o| o.key.clone()).unwrap_or_default(),
            |typed| typed.outcome.clone(),
        ),
        reason: typed.map(|typed| typed.reason.clone()).unwrap_or_default(),
        seen: typed
            .map_or_else(|| last.map(|c| c.id.to_string()).unwrap_or_default(), |typed| typed.seen.clone()),
        frozen: frozen.map_or_else(|| "Unanswered".to_owned(), |o| o.label),
        earlier: last.cloned(),
        choices,
        errors,
    })
}

/// The form of a correction.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Corrected {
    team: String,
    outcome: String,
    reason: String,
    seen: String,
}

pub async fn correct(
    permit: Permit<EditReport>,
    path: web::Path<(ReportId, ProcedureId)>,
    Form(typed): Form<Corrected>,
) -> Result<HttpResponse> {
    let (id, procedure) = path.into_inner();
    let team: Team = typed.team.parse().map_err(|_| Error::NotFound)?;
    let wanted = TypedCorrection {
        procedure,
        team,
        outcome: typed.outcome.clone(),
        reason: typed.reason.clone(),
        seen: typed.seen.parse().ok(),
    };
    let held = permit.clone();
    match permit.write(move |tx| store::correct_outcome(tx, &held, id, &wanted)).await {
        Ok(position) => Ok(redirect_with(
            &format!("/reports/{id}?open=all#p{position}"),
            "Outcome corrected. The frozen value stays visible.",
        )),
        // Somebody was quicker, or the report is closed: the reason stays, beside what counts now.
        Err(Error::Conflict(why) | Error::Refused(why)) => {
            let head = get_head_of(&permit, id).await?;
            let typed = Corrected { seen: String::new(), ..typed };
            let mut page = correction_page(
                &permit,
                head,
                procedure,
                team,
                Some(&typed),
                FieldErrors::one("outcome", why),
            )
            .await?;
            page.seen = page.earlier.as_ref().map(|c| c.id.to_string()).unwrap_or_default();
            permit.html(StatusCode::CONFLICT, page.render()?)
        }
        Err(Error::Invalid(errors)) => {
            let head = get_head_of(&permit, id).await?;
            let page = correction_page(&permit, head, procedure, team, Some(&typed), errors).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}
