//! Engagement Details: the form, its save and its conflicts.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::plan::{frame, head, seen};
use crate::engagements::domain::{DetailField, NewEngagement};
use crate::engagements::store::details::{SavedDetails, save_details};
use crate::engagements::store::show::Head;
use crate::engagements::views::forms::Edit;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::Columns;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Form, redirect_with};

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
    match unsaved(saved.map(|saved| saved.fields), typed, zone, |_, value| value.to_owned())? {
        None => Ok(redirect_with(&format!("/engagements/{id}"), &message)),
        Some((status, editing)) => {
            let head = seen(&permit, id).await?;
            permit.html(status, page(&permit, &head, editing).render()?)
        }
    }
}

/// What is said of a save that went through.
fn said(saved: &SavedDetails) -> String {
    let message = if saved.fields.changes() { "Details saved." } else { "Nothing changed." };
    if saved.cleared.is_empty() {
        return message.to_owned();
    }
    format!("{message} Own dates no longer fit and were cleared: {}.", saved.cleared.join(", "))
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
