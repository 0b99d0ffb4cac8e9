//! Engagement Details: the form, its save and its conflicts.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::plan::{frame, head, seen};
use crate::engagements::domain::{DetailField, NewEngagement};
use crate::engagements::store::details::{SavedDetails, save_details};
use crate::engagements::store::sections::{clashes, list_candidates};
use crate::engagements::store::show::{Head, get_head};
use crate::engagements::views::forms::Edit;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::Columns;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Form, redirect_with};
use crate::procedures::domain::ObservationWindow;
use crate::procedures::store::runbook::list_operators;

impl NewEngagement {
    /// Puts a value into a field.
    pub fn set(&mut self, field: DetailField, value: String) {
        match field {
            DetailField::Title => self.title = value,
            DetailField::Description => self.description = value,
            DetailField::Tags => self.tags = value,
            DetailField::StartDate => self.start_date = value,
            DetailField::EndDate => self.end_date = value,
            DetailField::TimeZone => self.time_zone = value,
            DetailField::ObservationWindow => self.observation_window = value,
            DetailField::Objective => self.objective = value,
            DetailField::Scope => self.scope = value,
            DetailField::AccessInfo => self.access_info = value,
            DetailField::SpecialInstructions => self.special_instructions = value,
        }
    }
}

pub async fn edit(permit: Permit<PlanEngagement>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let head = head(&permit, path.into_inner()).await?;
    permit.page(&page(&permit, &head, Editing::default()))
}

pub async fn save(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    pairs.only(is_ours::<DetailField>)?;
    let typed = typed(&pairs, DetailField::ALL);
    let (own, fields) = (permit.clone(), typed.clone());
    let saved = permit.write(move |tx| save_details(tx, &own, id, &fields)).await;
    let message = saved.as_ref().map(said).unwrap_or_default();
    let zone = permit.viewer().organisation.zone();
    let moved = saved.as_ref().is_ok_and(|saved| {
        [DetailField::StartDate, DetailField::EndDate].iter().any(|date| saved.fields.change(*date).is_some())
    });
    match unsaved(saved.map(|saved| saved.fields), typed, zone, read)? {
        None => {
            let clashes = if moved { clashes_of(&permit, id).await? } else { Vec::new() };
            Ok(redirect_with(&format!("/engagements/{id}"), &(message + &clashing(&clashes))))
        }
        Some((status, editing)) => {
            let head = seen(&permit, id).await?;
            permit.html(status, page(&permit, &head, editing).render()?)
        }
    }
}

/// Other bookings of its operators in the dates that it has now.
async fn clashes_of(permit: &Permit<PlanEngagement>, id: EngagementId) -> Result<Vec<String>> {
    let visible = permit.visible();
    permit
        .read(move |conn| {
            let head = get_head(conn, id, &visible)?;
            let operators = list_operators(conn, id, None, &visible)?;
            let dates = (head.own.start_date, head.own.end_date);
            let all = list_candidates(conn, head.own.client_id, Some(id), dates, (&visible, true))?;
            Ok(clashes(&all, |person| operators.iter().any(|operator| operator.person_id == person)))
        })
        .await
}

/// How many clashes are told in the message of a save; the engagement's Operators show them all.
const TOLD: usize = 3;

fn clashing(clashes: &[String]) -> String {
    let more = clashes.len().saturating_sub(TOLD);
    let rest = if more == 0 { String::new() } else { format!("; and {more} more under Operators") };
    match clashes {
        [] => String::new(),
        _ => format!(" Clashes in the new dates: {}{rest}.", clashes[..clashes.len().min(TOLD)].join("; ")),
    }
}

/// A stored value as people read it.
fn read(field: DetailField, value: &str) -> String {
    let window = || value.parse::<ObservationWindow>().ok().map(|window| window.label().to_owned());
    let read = (field == DetailField::ObservationWindow).then(window).flatten();
    read.unwrap_or_else(|| value.to_owned())
}

/// What is said of a save that went through.
fn said(saved: &SavedDetails) -> String {
    let message = if saved.fields.changes() { "Details saved." } else { "Nothing changed." };
    if saved.cleared.is_empty() {
        return message.to_owned();
    }
    format!("{message} Own dates no longer fit and were cleared: “{}”.", saved.cleared.join("”, “"))
}

fn page(permit: &Permit<PlanEngagement>, head: &Head, editing: Editing<DetailField>) -> Edit {
    let mut details = NewEngagement::default();
    for field in DetailField::ALL {
        details.set(*field, editing.value(*field, head.own.get(*field)));
    }
    Edit {
        frame: frame(permit, head, "Engagement Details"),
        url: format!("/engagements/{}", head.own.id),
        details,
        editing: Editing { version: head.own.version, ..editing },
    }
}
