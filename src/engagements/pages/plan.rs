//! Planning: add, order and remove procedures, operators, inputs.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::library::Filters;
use super::show::{refused_inputs, refused_operators};
use crate::engagements::periods::{changed_periods, ticked, typed_periods};
use crate::engagements::store::plan as store;
use crate::engagements::store::show::{self, Head};
use crate::engagements::views::forms::{Add, Confirm, Order, OrderLine, losses};
use crate::engagements::wizard::{Chosen, shift};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId, PersonId, ProcedureId};
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Permit, PlanEngagement, ReadEngagement};
use crate::kernel::web::{Form, Frame, Query, Section, redirect_with};
use crate::procedures::domain::planning_allowed;
use crate::procedures::inputs::{as_typed, changed, is_input};
use crate::procedures::store::runbook;

/// The head, for somebody who may plan there, while the editing rule allows it.
pub(super) async fn head(permit: &Permit<PlanEngagement>, id: EngagementId) -> Result<Head> {
    let head = seen(permit, id).await?;
    planning_allowed(head.own.status, head.own.submitted_at.is_some())
        .map_err(|refusal| Error::Refused(refusal.0))?;
    Ok(head)
}

/// The head, whatever the editing rule says.
pub(super) async fn seen(permit: &Permit<PlanEngagement>, id: EngagementId) -> Result<Head> {
    let visible = permit.visible();
    let head = permit.read(move |conn| show::get_head(conn, id, &visible)).await?;
    permit.check(head.own.client_id)?;
    Ok(head)
}

pub(super) fn frame(permit: &Permit<PlanEngagement>, head: &Head, title: &str) -> Frame {
    permit
        .frame(Section::Engagements, title)
        .crumb("Engagements", "/engagements")
        .crumb(&head.own.title, format!("/engagements/{}", head.own.id))
}

pub async fn add_form(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Query(filters): Query<Filters>,
) -> Result<HttpResponse> {
    let page = add_page(&permit, path.into_inner(), filters, None).await?;
    if permit.partial { permit.html(StatusCode::OK, page.as_step().render()?) } else { permit.page(&page) }
}

async fn add_page(
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    filters: Filters,
    problem: Option<String>,
) -> Result<Add> {
    let head = head(permit, id).await?;
    let (asked, shelf) = (filters.clone(), permit.shelf());
    let (found, origins) =
        permit.read(move |conn| Ok((asked.find(conn, shelf)?, store::list_origins(conn, id)?))).await?;
    let origins: BTreeSet<LibraryProcedureId> = origins.into_iter().collect();
    let library =
        filters.pane(format!("/engagements/{id}/procedures/add"), found, |hit| origins.contains(&hit));
    Ok(Add {
        frame: frame(permit, &head, "Add procedures"),
        url: format!("/engagements/{id}"),
        library,
        problem,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticked {
    #[serde(default)]
    id: Vec<String>,
}

pub async fn add(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Form(ticked): Form<Ticked>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let chosen: Vec<Chosen> = ticked
        .id
        .iter()
        .filter_map(|one| one.parse().ok())
        .filter(|c| matches!(c, Chosen::Library(_)))
        .collect();
    if chosen.is_empty() {
        let page =
            add_page(&permit, id, Filters::default(), Some("Tick at least one procedure, then add.".into()))
                .await?;
        return permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?);
    }
    let own = permit.clone();
    let added = permit.write(move |tx| store::add_procedures(tx, &own, id, &chosen)).await?;
    let message =
        if added == 1 { "Procedure added.".to_owned() } else { format!("{added} procedures added.") };
    Ok(redirect_with(&format!("/engagements/{id}#procedures"), &message))
}

/// What the last press of an arrow moved: the arrow keeps the keyboard's focus.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Moved {
    #[serde(rename = "moved")]
    id: Option<ProcedureId>,
    up: bool,
}

pub async fn order_form(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Query(moved): Query<Moved>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let head = head(&permit, id).await?;
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let rows = permit.read(move |conn| runbook::list_procedures(conn, id, &visible, now)).await?;
    let last = rows.len() as i32;
    let rows = rows
        .into_iter()
        .map(|row| OrderLine {
            // At either end the arrow just pressed is disabled: the other one takes the focus.
            focus: (moved.id == Some(row.id)).then_some(
                if row.position == last || (moved.up && row.position > 1) { "up" } else { "down" },
            ),
            id: row.id.to_string(),
            position: row.position,
            name: row.name,
            technique: row.technique_ids.into_iter().next().unwrap_or_default(),
        })
        .collect();
    permit.page(&Order {
        frame: frame(&permit, &head, "Reorder procedures"),
        url: format!("/engagements/{id}"),
        rows,
    })
}

/// The whole order, and at most one move.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    #[serde(default)]
    order: Vec<ProcedureId>,
    #[serde(default)]
    up: Option<ProcedureId>,
    #[serde(default)]
    down: Option<ProcedureId>,
}

pub async fn order(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Form(ordered): Form<Ordered>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    let Ordered { mut order, up, down } = ordered;
    let moved = up.or(down);
    if let Some(one) = &moved {
        shift(&mut order, one, down.is_some());
    }
    let own = permit.clone();
    permit.write(move |tx| store::reorder(tx, &own, id, &order)).await?;
    let focus = moved.map(|one| format!("?moved={one}&up={}", down.is_none())).unwrap_or_default();
    Ok(crate::kernel::web::redirect(&format!("/engagements/{id}/procedures/order{focus}")))
}

pub async fn removal(
    permit: Permit<PlanEngagement>,
    path: web::Path<(EngagementId, ProcedureId)>,
) -> Result<HttpResponse> {
    let (id, procedure) = path.into_inner();
    let head = head(&permit, id).await?;
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let (row, lost) = permit
        .read(move |conn| {
            let row = runbook::get_procedure(conn, id, procedure, &visible, now)?;
            Ok((row, store::get_losses(conn, procedure)?))
        })
        .await?;
    let goes = losses(lost);
    let lead = format!(
        "Procedure {} “{}” leaves this engagement. The library keeps its own.",
        row.position, row.name
    );
    permit.page(&Confirm {
        frame: frame(&permit, &head, "Remove procedure"),
        heading: "Remove procedure".into(),
        stays: if goes.is_empty() { "Nothing is recorded on it yet.".into() } else { String::new() },
        lead,
        goes,
        action: format!("/engagements/{id}/procedures/{procedure}/removal"),
        button: "Remove",
        back: format!("/engagements/{id}/procedures/order"),
        title: None,
        reason: None,
        error: None,
    })
}

pub async fn remove(
    permit: Permit<PlanEngagement>,
    path: web::Path<(EngagementId, ProcedureId)>,
) -> Result<HttpResponse> {
    let (id, procedure) = path.into_inner();
    let own = permit.clone();
    let name = permit.write(move |tx| store::remove_procedure(tx, &own, id, procedure)).await?;
    Ok(redirect_with(&format!("/engagements/{id}/procedures/order"), &format!("“{name}” removed.")))
}

/// Whether a name is one that the operators' form posts.
fn is_operators(name: &str) -> bool {
    matches!(name, "red" | "blue" | "had_red" | "had_blue")
        || name.split_once('.').is_some_and(|(kind, person)| {
            matches!(kind, "from" | "to" | "had_from" | "had_to") && person.parse::<PersonId>().is_ok()
        })
}

/// `POST /engagements/{id}/operators`: ticks `red` and `blue`, own dates `from.{person}` and `to.{person}`,
/// and each as it was rendered under `had_…`.
pub async fn operators(
    permit: Permit<PlanEngagement>,
    reading: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Form(posted): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    posted.only(is_operators)?;
    let change = SetChange::between(ticked(&posted, "had_"), ticked(&posted, ""));
    let typed = typed_periods(&posted);
    let (own, tried) = (permit.clone(), change.clone());
    let saved = match changed_periods(&posted) {
        Ok(dates) => {
            permit
                .write(move |tx| store::save_operators(tx, &own, id, &change.added, &change.removed, &dates))
                .await
        }
        Err(faults) => Err(Error::Invalid(faults)),
    };
    if let Err(Error::Invalid(errors)) = saved {
        return refused_operators(&reading, id, tried, typed, errors).await;
    }
    saved?;
    Ok(redirect_with(&format!("/engagements/{id}?open=operators#operators"), "Operators saved."))
}

/// `POST /engagements/{id}/inputs`: `value.{name}` as typed and `had.{name}` as rendered.
pub async fn inputs(
    permit: Permit<PlanEngagement>,
    reading: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Form(posted): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    posted.only(is_input)?;
    let (changed, errors) = changed(&posted);
    let saved = if errors.is_empty() {
        let own = permit.clone();
        permit.write(move |tx| store::save_inputs(tx, &own, id, &changed)).await
    } else {
        Err(Error::Invalid(errors))
    };
    let saved = match saved {
        Ok(saved) => saved,
        Err(Error::Invalid(errors)) => {
            return refused_inputs(&reading, id, as_typed(&posted), errors, None).await;
        }
        Err(Error::Refused(why)) => {
            return refused_inputs(&reading, id, as_typed(&posted), FieldErrors::default(), Some(why)).await;
        }
        Err(other) => return Err(other),
    };
    let message = match saved {
        0 => "Nothing changed.".to_owned(),
        1 => "1 input saved.".to_owned(),
        n => format!("{n} inputs saved."),
    };
    Ok(redirect_with(&format!("/engagements/{id}?open=inputs#inputs"), &message))
}
