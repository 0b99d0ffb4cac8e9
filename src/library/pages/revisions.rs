//! `/test-plans/{id}/versions`: every save of a plan, what differs, and a way back to an older one.

use std::collections::HashSet;

use actix_web::{HttpResponse, web};
use diesel::PgConnection;
use serde::Deserialize;

use crate::kernel::authz::{Permission, Shelf, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Action, EditTestPlan, Permit, ReadTestPlan};
use crate::kernel::web::{Query, Section, redirect_with};
use crate::library::revisions::{Difference, PlanBody};
use crate::library::store::revisions::{Revision, get_revision, list_hidden, list_revisions};
use crate::library::store::{self, Hit, Plan};
use crate::library::views::revisions::{RevisionPage, RevisionRow, Revisions};

/// Versions on a page.
const SHOWN: i64 = 50;

/// The clients whose engagements count as uses of a plan.
pub(super) fn uses<A: Action>(permit: &Permit<A>) -> Visible {
    permit.viewer().rights.clients_with(Permission::EngagementRead)
}

#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// The version after the page.
    before: Option<i32>,
}

pub async fn list(
    permit: Permit<ReadTestPlan>,
    id: web::Path<TestPlanId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let id = id.into_inner();
    let shelf = permit.shelf();
    let (plan, found, bodies) = permit
        .read(move |conn| {
            let plan = store::get_plan(conn, id)?;
            // One more, so that the last one shown has what it differs from.
            let found = list_revisions(conn, id, wanted.before, SHOWN + 1)?;
            let bodies = bodies(conn, shelf, &found)?;
            Ok((plan, found, bodies))
        })
        .await?;
    let all: Vec<RevisionRow> = found
        .iter()
        .enumerate()
        .map(|(at, revision)| RevisionRow::new(revision, bodies.get(at + 1), &bodies[at]))
        .collect();
    let is_more = all.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let mut rows = all;
    if is_more {
        rows.pop();
    }
    let frame = permit
        .frame(Section::TestPlans, "Versions")
        .crumb("Test plans", "/test-plans")
        .crumb(&plan.title, format!("/test-plans/{id}"));
    let zone = permit.viewer().organisation.zone();
    let older = rows.last().filter(|_| is_more).map(|row| row.n);
    permit.page(&Revisions { frame, plan, rows, older, zone })
}

/// The name of what the library holds no longer.
const GONE: &str = "A procedure that the library holds no longer";

/// What versions say to this reader.
fn bodies(conn: &mut PgConnection, shelf: Shelf, found: &[Revision]) -> Result<Vec<PlanBody>> {
    let mut bodies = found.iter().map(Revision::body).collect::<Result<Vec<PlanBody>>>()?;
    let ids: HashSet<LibraryProcedureId> = bodies.iter().flat_map(procedures_of).collect();
    let hidden = list_hidden(conn, shelf, &ids.into_iter().collect::<Vec<_>>())?;
    for body in &mut bodies {
        body.procedures.retain(|one| !hidden.contains(&one.id));
    }
    Ok(bodies)
}

/// What a plan says now.
fn now(plan: &Plan, hits: &[Hit]) -> PlanBody {
    PlanBody {
        title: plan.title.clone(),
        description: plan.description.clone(),
        tags: plan.tags.clone(),
        procedures: hits.iter().map(Hit::planned).collect(),
    }
}

pub async fn one(permit: Permit<ReadTestPlan>, path: web::Path<(TestPlanId, i32)>) -> Result<HttpResponse> {
    let ((id, n), shelf) = (path.into_inner(), permit.shelf());
    let (plan, hits, revision, mut bodies, known) = permit
        .read(move |conn| {
            let plan = store::get_plan(conn, id)?;
            let hits = store::list_plan_procedures(conn, shelf, id)?;
            let (revision, before) = get_revision(conn, id, n)?;
            let both: Vec<Revision> = [revision.clone()].into_iter().chain(before).collect();
            let mut bodies = bodies(conn, shelf, &both)?;
            let ids: Vec<LibraryProcedureId> = bodies.iter().flat_map(procedures_of).collect();
            let known: HashSet<LibraryProcedureId> =
                store::list_hits(conn, shelf, &ids)?.into_iter().map(|hit| hit.id).collect();
            // What is gone may have been private: not even its name is told.
            for one in bodies.iter_mut().flat_map(|body| &mut body.procedures) {
                if !known.contains(&one.id) {
                    GONE.clone_into(&mut one.name);
                }
            }
            Ok((plan, hits, revision, bodies.into_iter(), known))
        })
        .await?;
    let (body, before) = (bodies.next().ok_or(Error::NotFound)?, bodies.next());
    prepare([body.description.as_str()], permit.viewer().id.0).await?;
    let row = RevisionRow::new(&revision, before.as_ref(), &body);
    let mut to_now = Difference::between(&now(&plan, &hits), &body);
    // One that the library holds no longer cannot come back.
    to_now.added.retain(|one| known.contains(&one.id));
    // Restoring takes the newest version of each procedure, as a Start does.
    to_now.newer.clear();
    let frame = permit
        .frame(Section::TestPlans, format!("Version {n}"))
        .crumb("Test plans", "/test-plans")
        .crumb(&plan.title, format!("/test-plans/{id}"))
        .crumb("Versions", format!("/test-plans/{id}/versions"));
    let (may_edit, zone) = (permit.may(Permission::TestPlanEdit), permit.viewer().organisation.zone());
    permit.page(&RevisionPage { frame, plan, row, body, to_now, known, may_edit, zone })
}

fn procedures_of(body: &PlanBody) -> Vec<LibraryProcedureId> {
    body.procedures.iter().map(|one| one.id).collect()
}

pub async fn restore(
    permit: Permit<EditTestPlan>,
    path: web::Path<(TestPlanId, i32)>,
) -> Result<HttpResponse> {
    let ((id, n), shelf) = (path.into_inner(), permit.shelf());
    let restored = permit.write(move |tx| store::plans::restore_plan(tx, shelf, id, n)).await;
    match restored {
        Ok(left) => {
            let message = match left {
                0 => format!("Version {n} restored."),
                1 => format!("Version {n} restored, without one procedure that is no longer there."),
                left => format!("Version {n} restored, without {left} procedures that are no longer there."),
            };
            Ok(redirect_with(&format!("/test-plans/{id}"), &message))
        }
        Err(Error::Invalid(errors)) => {
            let said: Vec<String> = errors.0.into_values().collect();
            Err(Error::Refused(said.join(" ")))
        }
        Err(other) => Err(other),
    }
}
