//! Engagement Details: the form, its save and its conflicts.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::plan::{frame, head, seen};
use crate::engagements::domain::{DetailField, NewEngagement};
use crate::engagements::store::details::{Typed, save_details};
use crate::engagements::store::show::Head;
use crate::engagements::views::forms::{Conflict, Edit};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::show;
use crate::kernel::web::form::{Pairs, is_merging, merging};
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Form, redirect_with};
use crate::procedures::merge;

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
    permit.page(&page(&permit, &head, &Posted::default(), &Outcome::default()))
}

/// What became of a save that did not go through whole.
#[derive(Default)]
struct Outcome {
    conflicts: Vec<merge::Conflict>,
    errors: FieldErrors,
    /// Why nothing at all is saved.
    problem: Option<String>,
}

/// What the form posted.
#[derive(Default)]
struct Posted {
    typed: Vec<Typed>,
}

impl Posted {
    /// Fields with the versions that their shown values came from; a choice in a conflict moves its field's
    /// base to the version that was shown as theirs.
    fn read(pairs: &Pairs) -> Self {
        let read = |field: &DetailField| {
            let (raw, base) = merging(pairs, field.as_str())?;
            Some(Typed { field: *field, raw, base })
        };
        let typed = DetailField::ALL.iter().filter_map(read).collect();
        Self { typed }
    }
}

pub async fn save(
    permit: Permit<PlanEngagement>,
    path: web::Path<EngagementId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    pairs.only(|name| is_merging(name, |field| field.parse::<DetailField>().is_ok()))?;
    let posted = Posted::read(&pairs);
    let (own, typed) = (permit.clone(), posted.typed.clone());
    let saved = permit.write(move |tx| save_details(tx, &own, id, &typed)).await;
    let (status, outcome) = match saved {
        Ok(saved) if saved.conflicts.is_empty() => {
            let mut message =
                if saved.accepted.is_empty() { "Nothing changed." } else { "Details saved." }.to_owned();
            if !saved.cleared.is_empty() {
                message.push_str(&format!(
                    " Own dates no longer fit and were cleared: {}.",
                    saved.cleared.join(", ")
                ));
            }
            return Ok(redirect_with(&format!("/engagements/{id}"), &message));
        }
        Ok(saved) => (StatusCode::CONFLICT, Outcome { conflicts: saved.conflicts, ..Outcome::default() }),
        Err(Error::Invalid(errors)) => {
            let problem = Some("Nothing is saved yet. Look at the marked fields.".into());
            (StatusCode::UNPROCESSABLE_ENTITY, Outcome { errors, problem, ..Outcome::default() })
        }
        // Canceled or submitted since the form was opened: what was typed stays, to be copied.
        Err(Error::Refused(why) | Error::Conflict(why)) => (
            StatusCode::CONFLICT,
            Outcome { problem: Some(format!("Nothing is saved. {why}")), ..Outcome::default() },
        ),
        Err(other) => return Err(other),
    };
    let head = seen(&permit, id).await?;
    permit.html(status, page(&permit, &head, &posted, &outcome).render()?)
}

fn page(permit: &Permit<PlanEngagement>, head: &Head, posted: &Posted, outcome: &Outcome) -> Edit {
    let mut details = NewEngagement::default();
    let mut bases = Vec::new();
    let zone = permit.viewer().organisation.zone();
    for field in DetailField::ALL {
        details.set(*field, head.own.detail(*field));
    }
    let unsaved = |name: &str| outcome.problem.is_some() || outcome.conflicts.iter().any(|c| c.field == name);
    for typed in posted.typed.iter().filter(|typed| unsaved(typed.field.as_str())) {
        details.set(typed.field, typed.raw.clone());
        bases.push((typed.field.as_str(), typed.base));
    }
    let conflicts = outcome
        .conflicts
        .iter()
        .filter_map(|c| {
            let field: DetailField = c.field.parse().ok()?;
            Some(Conflict {
                field: field.as_str(),
                label: field.label(),
                theirs: c.theirs.clone(),
                theirs_shown: None,
                by: c.theirs_by.clone().unwrap_or_else(|| "Somebody".into()),
                at: c.theirs_at.map(|at| show::time(at, zone)).unwrap_or_default(),
                version: c.theirs_version,
                mine: c.mine.clone(),
            })
        })
        .collect();
    let frame = frame(permit, head, "Engagement Details");
    let Outcome { errors, problem, .. } = outcome;
    Edit {
        frame,
        url: format!("/engagements/{}", head.own.id),
        details,
        version: head.own.version,
        bases,
        conflicts,
        errors: errors.clone(),
        problem: problem.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter().copied().collect()
    }

    #[test]
    fn a_choice_posts_the_version_shown_as_theirs() {
        let form = [
            ("version", "7"),
            ("base.scope", "3"),
            ("scope", "mine"),
            ("theirs.scope", "6"),
            ("value.scope", "theirs"),
            ("title", "A title"),
        ];
        let of = |extra: (&'static str, &'static str)| {
            let posted = Posted::read(&pairs(&[&form[..], &[extra]].concat()));
            let scope = posted.typed.into_iter().find(|t| t.field == DetailField::Scope).unwrap();
            (scope.raw, scope.base)
        };
        assert_eq!(of(("x", "")), ("mine".to_owned(), 3));
        assert_eq!(of(("keep", "scope")), ("mine".to_owned(), 6));
        assert_eq!(of(("take", "scope")), ("theirs".to_owned(), 6));
        assert_eq!(of(("keep", "title")), ("mine".to_owned(), 3));
    }
}
