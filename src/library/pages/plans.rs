//! `/test-plans`: list, view, the form, deletion.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::revisions::uses;
use crate::kernel::authz::{Permission, Shelf};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::TestPlanId;
use crate::kernel::merge::Conflict;
use crate::kernel::merge::form::ConflictView;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Action, EditTestPlan, Permit, ReadTestPlan};
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::library::editor::{Command, PlanForm, action};
use crate::library::planning::{PlanField, PostedPlan};
use crate::library::store::plans::{delete_plan, insert_plan, save_plan};
use crate::library::store::revisions::find_since_use;
use crate::library::views::revisions::SinceUse;
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
    let (visible, zone) = (uses(&permit), permit.viewer().organisation.zone());
    let (plan, hits, since) = permit
        .read(move |conn| {
            let (plan, hits) = (store::get_plan(conn, id)?, store::list_plan_procedures(conn, shelf, id)?);
            let since = find_since_use(conn, shelf, id, &hits, &visible)?;
            Ok((plan, hits, since.map(|(last, changed)| SinceUse { last, changed, zone })))
        })
        .await?;
    prepare([plan.description.as_str()], permit.viewer().id.0).await?;
    let frame = permit.frame(Section::TestPlans, &plan.title).crumb("Test plans", "/test-plans");
    let (may_edit, may_start) = (permit.may(Permission::TestPlanEdit), may_start(&permit));
    permit.page(&views::PlanPage::new(frame, plan, hits, since, (may_edit, may_start), zone))
}

/// What a new plan starts from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct From {
    /// Id of the plan that it is a copy of.
    from: String,
}

pub async fn new_form(permit: Permit<EditTestPlan>, Query(start): Query<From>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let form = match start.from.parse().ok() {
        Some(plan) => permit.read(move |conn| stored_form(conn, shelf, plan)).await?.copy(),
        None => PlanForm::new(),
    };
    let editing = Editing { form, ..Editing::default() };
    answer(&permit, editing, StatusCode::OK).await
}

pub async fn edit_form(permit: Permit<EditTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (plan, shelf) = (id.into_inner(), permit.shelf());
    let form = permit.read(move |conn| stored_form(conn, shelf, plan)).await?;
    let stored = Some(form.clone());
    let editing = Editing { form, plan: Some(plan), stored, ..Editing::default() };
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
#[derive(Default)]
struct Editing {
    form: PlanForm,
    plan: Option<TestPlanId>,
    /// The plan as it is stored, where that was read already.
    stored: Option<PlanForm>,
    errors: FieldErrors,
    /// Why nothing is saved.
    problem: Option<String>,
    /// Texts that both sides changed.
    conflicts: Vec<ConflictView>,
    /// The button that moved a procedure: the focus follows the procedure.
    moved: Option<Command>,
}

async fn work(permit: Permit<EditTestPlan>, plan: Option<TestPlanId>, pairs: Pairs) -> Result<HttpResponse> {
    let (mut form, command) = PlanForm::read(pairs)?;
    if command != Command::Save {
        form.apply(&command);
        let editing = Editing { form, plan, moved: Some(command), ..Editing::default() };
        return answer(&permit, editing, StatusCode::OK).await;
    }
    let content = match form.check() {
        Ok(content) => content,
        Err(errors) => return refused(&permit, form, plan, Error::Invalid(errors)).await,
    };
    let shelf = permit.shelf();
    let Some(id) = plan else {
        let title = content.title.clone();
        return match permit.write(move |tx| insert_plan(tx, shelf, &content)).await {
            Ok(id) => Ok(done(id, &title, "created")),
            Err(error) => refused(&permit, form, plan, error).await,
        };
    };
    let posted = PostedPlan { content, bases: form.bases.clone() };
    let saved = permit.write(move |tx| save_plan(tx, shelf, id, &posted)).await;
    match saved {
        Ok(conflicts) if conflicts.is_empty() => {
            let plan = permit.read(move |conn| store::get_plan(conn, id)).await?;
            Ok(done(id, &plan.title, "saved"))
        }
        Ok(conflicts) => conflicting(&permit, id, &form, &conflicts).await,
        Err(error) => refused(&permit, form, plan, error).await,
    }
}

fn done(id: TestPlanId, title: &str, what: &str) -> HttpResponse {
    redirect_with(&format!("/test-plans/{id}"), &format!("Test plan “{title}” {what}."))
}

/// The form as it was typed, with what is wrong with it.
async fn refused(
    permit: &Permit<EditTestPlan>,
    form: PlanForm,
    plan: Option<TestPlanId>,
    error: Error,
) -> Result<HttpResponse> {
    let (status, errors, problem) = match error {
        Error::Invalid(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors, None),
        Error::Refused(why) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            FieldErrors::default(),
            Some(format!("Nothing is saved. {why}")),
        ),
        other => return Err(other),
    };
    answer(permit, Editing { form, plan, errors, problem, ..Editing::default() }, status).await
}

/// What both sides changed comes back as it was typed, over what is stored now.
async fn conflicting(
    permit: &Permit<EditTestPlan>,
    id: TestPlanId,
    typed: &PlanForm,
    conflicts: &[Conflict<PlanField>],
) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let stored = permit.read(move |conn| stored_form(conn, shelf, id)).await?;
    let mut form = PlanForm { search: typed.search.clone(), shown: typed.shown, ..stored.clone() };
    for conflict in conflicts {
        form.take_back(typed, conflict.field, conflict.base_version);
    }
    let zone = permit.viewer().organisation.zone();
    let view = |conflict: &Conflict<PlanField>| {
        ConflictView::new(conflict, conflict.field.label(), zone, str::to_owned)
    };
    let conflicts = conflicts.iter().map(view).collect();
    let editing = Editing { form, plan: Some(id), stored: Some(stored), conflicts, ..Editing::default() };
    answer(permit, editing, StatusCode::CONFLICT).await
}

async fn answer(permit: &Permit<EditTestPlan>, editing: Editing, status: StatusCode) -> Result<HttpResponse> {
    let Editing { form, plan, stored, errors, problem, conflicts, moved } = editing;
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
        coverage: views::coverage(choices.tactics.iter().map(|tactic| tactic.name.as_str()), &chosen),
        chosen,
        choices,
        form,
        errors,
        problem,
        conflicts,
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
