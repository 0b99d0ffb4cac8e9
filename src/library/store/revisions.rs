//! SQL of a test plan's versions, and of what its last use was made from.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::procedures::{Hit, list_hits};
use super::shelf::is_seen;
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{library_procedures, people, repositories, test_plan_versions};
use crate::kernel::merge::Version;
use crate::library::planning::{Newest, PlanContent};
use crate::library::revisions::{Difference, PlanBody, Planned};

/// Writes what plans say from their current version on, with the current version of each procedure: whoever
/// raises a plan's version calls this behind it, in the same transaction.
pub(super) fn note(tx: &mut WriteTx<'_>, plans: &[TestPlanId]) -> Result<()> {
    // sql_query: one statement for any number of plans.
    diesel::sql_query(
        "INSERT INTO test_plan_versions (test_plan_id, n, body, created_at, created_by)
         SELECT t.id, t.version, jsonb_build_object('title', t.title, 'description', t.description, \
            'tags', to_jsonb(t.tags), 'procedures', coalesce((SELECT jsonb_agg(jsonb_build_object( \
                'id', p.id, 'version', p.current_version, 'name', p.name) ORDER BY tp.position)
                FROM test_plan_procedures tp JOIN library_procedures p ON p.id = tp.procedure_id
                WHERE tp.test_plan_id = t.id), '[]')), $2, $3
         FROM test_plans t WHERE t.id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(plans)
    .bind::<Timestamptz, _>(tx.now())
    .bind::<Nullable<SqlUuid>, _>(tx.actor().id)
    .execute(tx.conn)?;
    Ok(())
}

/// A version in the list.
#[derive(Debug, Clone, Queryable)]
pub struct Revision {
    pub n: i32,
    pub at: DateTime<Utc>,
    /// Who saved it; none where the product itself did, or where that is not known.
    pub by: Option<String>,
    body: serde_json::Value,
}

impl Revision {
    /// # Errors
    /// When it was not stored by this product.
    pub fn body(&self) -> Result<PlanBody> {
        Ok(serde_json::from_value(self.body.clone())?)
    }
}

/// The versions of a plan, the newest first, those before `before`.
pub fn list_revisions(
    conn: &mut PgConnection,
    plan: TestPlanId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Revision>> {
    Ok(test_plan_versions::table
        .left_join(people::table)
        .filter(test_plan_versions::test_plan_id.eq(plan))
        .filter(test_plan_versions::n.lt(before.unwrap_or(i32::MAX)))
        .order(test_plan_versions::n.desc())
        .limit(limit)
        .select((
            test_plan_versions::n,
            test_plan_versions::created_at,
            people::name.nullable(),
            test_plan_versions::body,
        ))
        .load(conn)?)
}

/// What these versions of a plan say; versions that are not there are left out.
pub(super) fn list_contents(
    conn: &mut PgConnection,
    plan: TestPlanId,
    versions: &[Version],
) -> Result<BTreeMap<Version, PlanContent>> {
    let rows: Vec<(Version, serde_json::Value)> = test_plan_versions::table
        .filter(test_plan_versions::test_plan_id.eq(plan))
        .filter(test_plan_versions::n.eq_any(versions))
        .select((test_plan_versions::n, test_plan_versions::body))
        .load(conn)?;
    let content = |body: serde_json::Value| -> Result<PlanContent> {
        let PlanBody { title, description, tags, procedures } = serde_json::from_value(body)?;
        let procedures = procedures.into_iter().map(|one| one.id).collect();
        Ok(PlanContent { title, description, tags, procedures })
    };
    rows.into_iter().map(|(n, body)| Ok((n, content(body)?))).collect()
}

/// Who saved the version that stands now, and when.
pub(super) fn get_newest(conn: &mut PgConnection, plan: TestPlanId, version: Version) -> Result<Newest> {
    let (by, at): (Option<String>, DateTime<Utc>) = test_plan_versions::table
        .left_join(people::table)
        .filter(test_plan_versions::test_plan_id.eq(plan))
        .filter(test_plan_versions::n.eq(version))
        .select((people::name.nullable(), test_plan_versions::created_at))
        .first(conn)?;
    Ok(Newest { version, by: by.unwrap_or_else(|| "An import".to_owned()), at })
}

/// One version and the one before it.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`]
pub fn get_revision(
    conn: &mut PgConnection,
    plan: TestPlanId,
    n: i32,
) -> Result<(Revision, Option<Revision>)> {
    let mut two = list_revisions(conn, plan, Some(n.saturating_add(1)), 2)?.into_iter();
    match two.next() {
        Some(found) if found.n == n => Ok((found, two.next())),
        _ => Err(crate::kernel::base::error::Error::NotFound),
    }
}

/// Those of these procedures that are in the library and that the reader does not know of: versions are told
/// as if they had never been in.
pub fn list_hidden(
    conn: &mut PgConnection,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
) -> Result<HashSet<LibraryProcedureId>> {
    let hidden: Vec<LibraryProcedureId> = library_procedures::table
        .inner_join(repositories::table)
        .filter(library_procedures::id.eq_any(ids))
        .filter(diesel::dsl::not(is_seen(shelf)))
        .select(library_procedures::id)
        .load(conn)?;
    Ok(hidden.into_iter().collect())
}

/// The last engagement that was made from a plan, of those that somebody may see.
#[derive(Debug, Clone, QueryableByName)]
pub struct LastUse {
    #[diesel(sql_type = SqlUuid)]
    pub engagement: EngagementId,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub client: String,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// The version of the plan, where that is known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub version: Option<i32>,
    /// What that version said.
    #[diesel(sql_type = Nullable<Jsonb>)]
    body: Option<serde_json::Value>,
    /// The procedures that were copied from the library, with the version that was copied.
    #[diesel(sql_type = Jsonb)]
    origins: serde_json::Value,
}

impl LastUse {
    /// The plan's procedures as they were copied then: what the plan named, in the version that the
    /// engagement took. Where the plan's version is not known, all that the engagement took.
    ///
    /// # Errors
    /// When it was not stored by this product.
    pub fn procedures(&self) -> Result<Vec<Planned>> {
        let taken: Vec<Planned> = serde_json::from_value(self.origins.clone())?;
        let Some(body) = &self.body else { return Ok(taken) };
        let mut named: PlanBody = serde_json::from_value(body.clone())?;
        for one in &mut named.procedures {
            if let Some(copied) = taken.iter().find(|taken| taken.id == one.id) {
                one.version = copied.version;
            }
        }
        Ok(named.procedures)
    }
}

/// The last use of a plan at one of these clients.
fn find_last_use(conn: &mut PgConnection, plan: TestPlanId, visible: &Visible) -> Result<Option<LastUse>> {
    // sql_query: the engagement with its origins in one row.
    Ok(diesel::sql_query(
        "SELECT e.id AS engagement, e.title, c.name AS client, e.created_at AS at, \
            e.test_plan_version AS version, v.body,
            coalesce((SELECT jsonb_agg(jsonb_build_object('id', p.origin_id, 'version', p.origin_version, \
                'name', p.name) ORDER BY p.position)
                FROM procedures p WHERE p.engagement_id = e.id AND p.origin_id IS NOT NULL \
                    AND p.origin_version IS NOT NULL), '[]') AS origins
         FROM engagements e JOIN clients c ON c.id = e.client_id
         LEFT JOIN test_plan_versions v ON v.test_plan_id = e.test_plan_id AND v.n = e.test_plan_version
         WHERE e.test_plan_id = $1 AND e.client_id = ANY ($2) AND e.deleted_at IS NULL
         ORDER BY e.created_at DESC, e.id DESC LIMIT 1",
    )
    .bind::<SqlUuid, _>(plan)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .get_result(conn)
    .optional()?)
}

/// What changed in a plan, whose procedures are `hits` now, since its last use at one of these clients: a
/// Start takes the newest version of each procedure.
pub fn find_since_use(
    conn: &mut PgConnection,
    shelf: Shelf,
    plan: TestPlanId,
    hits: &[Hit],
    visible: &Visible,
) -> Result<Option<(LastUse, Difference)>> {
    let Some(last) = find_last_use(conn, plan, visible)? else { return Ok(None) };
    let mut then = last.procedures()?;
    let is_in = |id: &LibraryProcedureId, hits: &[Hit]| hits.iter().any(|hit| hit.id == *id);
    let were: Vec<LibraryProcedureId> = then.iter().map(|one| one.id).filter(|id| !is_in(id, hits)).collect();
    // One that was taken out is named where the reader can still open it.
    let open = list_hits(conn, shelf, &were)?;
    then.retain(|one| is_in(&one.id, hits) || is_in(&one.id, &open));
    let now: Vec<Planned> = hits.iter().map(Hit::planned).collect();
    Ok(Some((last, Difference::of_procedures(&then, &now))))
}
