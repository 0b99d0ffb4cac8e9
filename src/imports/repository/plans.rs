//! Test plans as the library stores them, for whoever compares and writes them.

use std::collections::HashMap;

use uuid::Uuid;

use super::file::PlanFields;
use crate::imports::known::{PlanHere, Said};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::library::domain::ContentDigest;
use crate::library::store::exchange::{
    Brought, EarlierPlan, StoredPlan, list_earlier_plans, list_members, list_names,
};
use crate::library::store::exchanged::list_exchanged;

/// What a test plan says now.
pub fn fields(row: &StoredPlan) -> PlanFields {
    PlanFields {
        title: row.title.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        procedures: row.procedures.clone(),
    }
}

/// What an import says of a test plan, as it is stored.
///
/// # Errors
/// When it is no JSON, which it always is.
pub(crate) fn brought(content: &PlanFields) -> Result<Brought> {
    Ok(Brought { digest: content.digest(), body: serde_json::to_value(content)? })
}

/// Test plans with everything that both sides may know of them.
///
/// # Errors
/// When a stored text is none.
pub fn list_here(conn: &mut PgConnection, shelf: Shelf, rows: &[StoredPlan]) -> Result<Vec<PlanHere>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
    let mut said: HashMap<Uuid, Vec<Said<PlanFields>>> = HashMap::new();
    for earlier in list_earlier_plans(conn, shelf, &ids)? {
        let EarlierPlan { id, at, title, description, tags, procedures } = earlier;
        let content = PlanFields { title, description, tags, procedures };
        said.entry(id.0).or_default().push(Said { at, digest: content.digest(), content });
    }
    let mut exchanged: Vec<(Uuid, Said<PlanFields>)> = Vec::new();
    for text in list_exchanged(conn, &ids)? {
        let (at, digest) = (text.at, text.digest());
        exchanged.push((text.subject_id, Said { at, digest, content: serde_json::from_value(text.body)? }));
    }
    // Somebody else may have exchanged it, who knew of more procedures.
    let named: Vec<Uuid> =
        exchanged.iter().flat_map(|(_, said)| said.content.procedures.iter().copied()).collect();
    let seen = list_names(conn, shelf, &named)?;
    for (plan, mut one) in exchanged {
        one.content.procedures.retain(|identity| seen.contains_key(identity));
        said.entry(plan).or_default().push(one);
    }
    let here = rows.iter().map(|row| {
        let content = fields(row);
        let mut said = said.remove(&row.id.0).unwrap_or_default();
        said.push(Said::here(content.digest(), content.clone()));
        let imported: Option<ContentDigest> =
            row.imported_digest.as_deref().and_then(|bytes| bytes.try_into().ok());
        PlanHere { id: row.id.0, content, imported, said }
    });
    Ok(here.collect())
}

/// Ids of the procedures that a test plan lists from now on, by their identities: those that it holds already
/// stay the ones that it holds, `others` are told by the importer.
pub(crate) fn list_procedures(
    conn: &mut PgConnection,
    shelf: Shelf,
    plan: TestPlanId,
    wanted: &[Uuid],
    others: &HashMap<Uuid, LibraryProcedureId>,
) -> Result<Vec<LibraryProcedureId>> {
    let held: HashMap<Uuid, LibraryProcedureId> =
        list_members(conn, shelf, plan)?.into_iter().map(|member| (member.identity, member.id)).collect();
    let id = |identity| held.get(identity).or_else(|| others.get(identity)).copied();
    Ok(wanted.iter().filter_map(id).collect())
}
