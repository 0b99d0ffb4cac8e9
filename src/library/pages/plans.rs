//! `/test-plans`: list, view, the form, deletion.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::kernel::authz::{Permission, Shelf};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::TestPlanId;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Action, EditTestPlan, Permit, ReadTestPlan};
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::library::editor::{Command, PlanForm, action};
use crate::library::store::plans::{delete_plan, insert_plan, save_plan};
use crate::library::{store, views};

/// Most plans of the list; beyond that the search is the way.
const PLANS: i64 = 200;

/// Search of the list.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    q: String,
}

pub async fn list(permit: Permit<ReadTestPlan>, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let (q, shelf) = (wanted.q.clone(), permit.shelf());
    let plans = permit.read(move |conn| store::list_plans(conn, shelf, &q, PLANS)).await?;
    let view = views::Plans {
        frame: permit.frame(Section::TestPlans, "Test plans"),
        q: wanted.q,
        plans,
        may_edit: permit.may(Permission::TestPlanEdit),
        may_start: may_start(&permit),
        zone: permit.viewer().organisation.zone(),
    };
    if permit.partial { permit.page(&view.as_results()) } else { permit.page(&view) }
}

fn may_start<A: Action>(permit: &Permit<A>) -> bool {
    permit.viewer().rights.may_anywhere(Permission::EngagementPlan)
}

pub async fn one(permit: Permit<ReadTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let (plan, hits) = permit
        .read(move |conn| Ok((store::get_plan(conn, id)?, store::list_plan_procedures(conn, shelf, id)?)))
        .await?;
    prepare([plan.description.as_str()], permit.viewer().id.0).await?;
    let frame = permit.frame(Section::TestPlans, &plan.title).crumb("Test plans", "/test-plans");
    let (may_edit, may_start) = (permit.may(Permission::TestPlanEdit), may_start(&permit));
    permit.page(&views::PlanPage::new(
        frame,
        plan,
        hits,
        may_edit,
        may_start,
        permit.viewer().organisation.zone(),
    ))
}

pub async fn new_form(permit: Permit<EditTestPlan>) -> Result<HttpResponse> {
    let editing = Editing {
        form: PlanForm::new(),
        plan: None,
        stored: None,
        errors: FieldErrors::default(),
        fault: None,
        moved: None,
    };
    answer(&permit, editing, StatusCode::OK).await
}

pub async fn edit_form(permit: Permit<EditTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (plan, shelf) = (id.into_inner(), permit.shelf());
    let form = permit.read(move |conn| stored_form(conn, shelf, plan)).await?;
    let stored = Some(form.clone());
    let editing =
        Editing { form, plan: Some(plan), stored, errors: FieldErrors::default(), fault: None, moved: None };
    answer(&permit, editing, StatusCode::OK).await
}

fn stored_form(conn: &mut diesel::PgConnection, shelf: Shelf, plan: TestPlanId) -> Result<PlanForm> {
    Ok(PlanForm::of(&store::get_plan(conn, plan)?, &store::list_plan_procedures(conn, shelf, plan)?))
}

pub async fn create(permit: Permit<EditTestPlan>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    work(permit, None, pairs).await
}

pub async fn edit(
    permit: Permit<EditTestPlan>,
    id: web::Path<TestPlanId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    work(permit, Some(id.into_inner()), pairs).await
}

/// The form while somebody works on it.
struct Editing {
    form: PlanForm,
    plan: Option<TestPlanId>,
    /// The plan as it is stored, where that was read already.
    stored: Option<PlanForm>,
    errors: FieldErrors,
    fault: Option<String>,
    /// The button that moved a procedure: the focus follows the procedure.
    moved: Option<Command>,
}

async fn work(permit: Permit<EditTestPlan>, plan: Option<TestPlanId>, pairs: Pairs) -> Result<HttpResponse> {
    let (mut form, command) = PlanForm::read(pairs)?;
    if command != Command::Save {
        form.apply(&command);
        let editing = Editing {
            form,
            plan,
            stored: None,
            errors: FieldErrors::default(),
            fault: None,
            moved: Some(command),
        };
        return answer(&permit, editing, StatusCode::OK).await;
    }
    let saved = match form.check() {
        Ok(content) => {
            let (version, shelf) = (form.version, permit.shelf());
            let message = format!(
                "Test plan “{}” {}.",
                content.title,
                if plan.is_some() { "saved" } else { "created" }
            );
            let id = permit
                .write(move |tx| match plan {
                    Some(id) => Ok(save_plan(tx, shelf, id, version, &content)?.with(id)),
                    None => insert_plan(tx, shelf, &content),
                })
                .await;
            id.map(|id| (id, message))
        }
        Err(errors) => Err(Error::Invalid(errors)),
    };
    match saved {
        Ok((id, message)) => Ok(redirect_with(&format!("/test-plans/{id}"), &message)),
        Err(Error::Invalid(errors)) => {
            let editing = Editing { form, plan, stored: None, errors, fault: None, moved: None };
            answer(&permit, editing, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(Error::Conflict(sentence)) => {
            // The next Save is meant to replace what the other one stored: that is what the sentence says.
            if let Some(id) = plan {
                form.version = permit.read(move |conn| Ok(store::get_plan(conn, id)?.version)).await?;
            }
            let editing = Editing {
                form,
                plan,
                stored: None,
                errors: FieldErrors::default(),
                fault: Some(sentence),
                moved: None,
            };
            answer(&permit, editing, StatusCode::CONFLICT).await
        }
        Err(other) => Err(other),
    }
}

async fn answer(permit: &Permit<EditTestPlan>, editing: Editing, status: StatusCode) -> Result<HttpResponse> {
    let Editing { form, plan, stored, errors, fault, moved } = editing;
    let (search, ids, shown) = (form.search.clone(), form.chosen.clone(), form.shown);
    let shelf = permit.shelf();
    let (choices, found, chosen, stored) = permit
        .read(move |conn| {
            let choices = store::list_choices(conn, shelf, false)?;
            let most = i64::try_from(shown).unwrap_or(i64::MAX).saturating_add(1);
            let found = store::search(conn, shelf, &search, most)?;
            let chosen = store::list_hits(conn, shelf, &ids)?;
            let stored = match &stored {
                Some(stored) => Some(stored.clone()),
                None => plan.map(|id| stored_form(conn, shelf, id)).transpose()?,
            };
            Ok((choices, found, chosen, stored))
        })
        .await?;
    let title =
        stored.as_ref().map_or_else(|| "New Test Plan".to_owned(), |stored| format!("Edit {}", stored.title));
    let mut frame = permit.frame(Section::TestPlans, title).crumb("Test plans", "/test-plans");
    if let (Some(id), Some(stored)) = (plan, &stored) {
        frame = frame.crumb(&stored.title, format!("/test-plans/{id}"));
    }
    let view = views::PlanEditor {
        frame,
        action: action(plan),
        back: plan.map_or_else(|| "/test-plans".to_owned(), |id| format!("/test-plans/{id}")),
        stored: stored.unwrap_or_default(),
        more: found.len() > shown,
        found: found.into_iter().take(shown).collect(),
        chosen,
        choices,
        form,
        errors,
        fault,
        moved,
    };
    let html =
        if permit.partial && status == StatusCode::OK { view.as_picker().render()? } else { view.render()? };
    permit.html(status, html)
}

pub async fn delete_form(permit: Permit<EditTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let (plan, procedures) = permit
        .read(move |conn| {
            Ok((store::get_plan(conn, id)?, store::list_plan_procedures(conn, shelf, id)?.len()))
        })
        .await?;
    let frame = permit
        .frame(Section::TestPlans, format!("Delete {}", plan.title))
        .crumb("Test plans", "/test-plans")
        .crumb(&plan.title, format!("/test-plans/{id}"));
    permit.page(&views::DeletePlan { frame, plan, procedures })
}

pub async fn delete(permit: Permit<EditTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let id = id.into_inner();
    permit.write(move |tx| delete_plan(tx, id)).await?;
    Ok(redirect_with("/test-plans", "Test plan deleted."))
}
