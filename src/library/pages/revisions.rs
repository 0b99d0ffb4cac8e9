//! `/test-plans/{id}/versions`: every save of a plan, what differs, and a way back to an older one.

use std::collections::HashSet;

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::kernel::authz::{Permission, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::web::permit::{Action, EditTestPlan, Permit, ReadTestPlan};
use crate::kernel::web::{Query, Section, redirect_with};
use crate::library::revisions::{Difference, PlanBody};
use crate::library::store::revisions::{Revision, get_revision, list_revisions};
use crate::library::store::{self, Hit, Plan};
use crate::library::views::revisions::{RevisionPage, RevisionRow, Revisions};

/// Versions on a page.
const SHOWN: i64 = 50;

/// The clients whose engagements count as uses of a plan.
pub(super) fn uses<A: Action>(permit: &Permit<A>) -> Visible {
    permit.viewer().rights.clients_with(Permission::EngagementRead)
}

/// Which versions.
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
    let (plan, found) = permit
        .read(move |conn| {
            // One more, so that the last one shown has what it differs from.
            Ok((store::get_plan(conn, id)?, list_revisions(conn, id, wanted.before, SHOWN + 1)?))
        })
        .await?;
    let bodies = found.iter().map(Revision::body).collect::<Result<Vec<PlanBody>>>()?;
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
    let (plan, hits, (revision, before), known) = permit
        .read(move |conn| {
            let plan = store::get_plan(conn, id)?;
            let hits = store::list_plan_procedures(conn, shelf, id)?;
            let (revision, before) = get_revision(conn, id, n)?;
            let mut ids = procedures_of(&revision.body()?);
            if let Some(before) = &before {
                ids.extend(procedures_of(&before.body()?));
            }
            let known: HashSet<LibraryProcedureId> =
                store::list_hits(conn, shelf, &ids)?.into_iter().map(|hit| hit.id).collect();
            Ok((plan, hits, (revision, before), known))
        })
        .await?;
    let body = revision.body()?;
    // Of what the reader cannot open, not even the name is told.
    let mut before = before.map(|before| before.body()).transpose()?;
    if let Some(before) = &mut before {
        before.procedures.retain(|one| known.contains(&one.id));
    }
    let mut seen = body.clone();
    seen.procedures.retain(|one| known.contains(&one.id));
    let mut row = RevisionRow::new(&revision, before.as_ref(), &seen);
    row.procedures = body.procedures.len();
    let mut to_now = Difference::between(&now(&plan, &hits), &seen);
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
