//! SQL of test plans.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;

use super::procedures::{Hit, list_hits};
use super::revisions;
use super::shelf::{is_seen, seen};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::{TAGS, like};
use crate::kernel::db::schema::{library_procedures, repositories, test_plan_procedures, test_plans};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::merge::{Conflict, Version};
pub use crate::library::planning::PlanContent;
use crate::library::planning::{self, Bases, PROCEDURES, PlanField, PostedPlan, woven};

/// A test plan as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct PlanRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: TestPlanId,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    /// How many procedures it has for this reader.
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
    /// Names of the tactics its procedures cover, in the order of the matrix, as with [`Hit::tactics`].
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
    /// When it was last changed.
    #[diesel(sql_type = Timestamptz)]
    pub updated_at: DateTime<Utc>,
}

/// Test plans by title whose title, description or tags hold every word of `q`.
pub fn list_plans(conn: &mut PgConnection, shelf: Shelf, q: &str, limit: i64) -> Result<Vec<PlanRow>> {
    let patterns: Vec<String> =
        q.split_whitespace().take(12).map(|word| like(&word.to_lowercase())).collect();
    // sql_query: the covered tactics come from the procedures' techniques by array membership.
    let sql = format!(
        "SELECT t.id, t.title, t.description, t.tags, t.updated_at,
            (SELECT count(*) FROM test_plan_procedures tp JOIN library_procedures p ON p.id = tp.procedure_id
                WHERE tp.test_plan_id = t.id AND p.repository_id = ANY (s.seen)) AS procedures,
            ARRAY(SELECT ta.name FROM test_plan_procedures tp \
                JOIN library_procedures p ON p.id = tp.procedure_id
                CROSS JOIN LATERAL tactics_of(p.technique_ids) ta
                WHERE tp.test_plan_id = t.id AND p.repository_id = ANY (s.seen)
                GROUP BY ta.name ORDER BY min(ta.place)) AS tactics
         FROM test_plans t CROSS JOIN (SELECT {} AS seen) s
         WHERE t.deleted_at IS NULL AND lower(t.title || ' ' || t.description || ' ' || \
         array_to_string(t.tags, ' ')) LIKE ALL ($1)
         ORDER BY lower(t.title), t.id LIMIT $2",
        seen(3)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Array<Text>, _>(patterns)
        .bind::<BigInt, _>(limit)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// A test plan without its procedures.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = test_plans, check_for_backend(diesel::pg::Pg))]
pub struct Plan {
    pub id: TestPlanId,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub version: i32,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A test plan that was not deleted.
///
/// # Errors
/// [`Error::NotFound`]
pub fn get_plan(conn: &mut PgConnection, id: TestPlanId) -> Result<Plan> {
    Ok(test_plans::table
        .find(id)
        .filter(test_plans::deleted_at.is_null())
        .select(Plan::as_select())
        .first(conn)?)
}

/// A plan's procedures in its order, withdrawn ones too; without those that the reader does not know of.
pub fn list_plan_procedures(conn: &mut PgConnection, shelf: Shelf, plan: TestPlanId) -> Result<Vec<Hit>> {
    let ids = plan_ids(conn, plan)?;
    list_hits(conn, shelf, &ids)
}

fn plan_ids(conn: &mut PgConnection, plan: TestPlanId) -> Result<Vec<LibraryProcedureId>> {
    Ok(test_plan_procedures::table
        .filter(test_plan_procedures::test_plan_id.eq(plan))
        .order(test_plan_procedures::position)
        .select(test_plan_procedures::procedure_id)
        .load(conn)?)
}

/// The plans that hold a procedure, by title.
pub fn list_plans_with(
    conn: &mut PgConnection,
    procedure: LibraryProcedureId,
) -> Result<Vec<(TestPlanId, String)>> {
    Ok(test_plans::table
        .filter(test_plans::deleted_at.is_null())
        .filter(
            test_plans::id.eq_any(
                test_plan_procedures::table
                    .filter(test_plan_procedures::procedure_id.eq(procedure))
                    .select(test_plan_procedures::test_plan_id),
            ),
        )
        .order(test_plans::title)
        .select((test_plans::id, test_plans::title))
        .load(conn)?)
}

fn taken(e: diesel::result::Error) -> Error {
    match Error::constraint(&e) {
        Some("test_plans_title") => {
            Error::field("title", "A test plan with this title exists already. Choose another title.")
        }
        Some("test_plan_procedures_procedure_id_fkey") => unknown(),
        _ => e.into(),
    }
}

fn insert_procedures(
    conn: &mut PgConnection,
    plan: TestPlanId,
    procedures: &[LibraryProcedureId],
) -> Result<()> {
    let rows: Vec<_> = (1i32..)
        .zip(procedures)
        .map(|(position, procedure)| {
            (
                test_plan_procedures::test_plan_id.eq(plan),
                test_plan_procedures::position.eq(position),
                test_plan_procedures::procedure_id.eq(procedure),
            )
        })
        .collect();
    diesel::insert_into(test_plan_procedures::table).values(rows).execute_anew(conn).map_err(taken)?;
    Ok(())
}

/// Those of these procedures that the reader knows of.
fn known(
    conn: &mut PgConnection,
    shelf: Shelf,
    ids: &[LibraryProcedureId],
) -> Result<HashSet<LibraryProcedureId>> {
    let known: Vec<LibraryProcedureId> = library_procedures::table
        .inner_join(repositories::table)
        .filter(library_procedures::id.eq_any(ids))
        .filter(is_seen(shelf))
        .select(library_procedures::id)
        .load(conn)?;
    Ok(known.into_iter().collect())
}

fn unknown() -> Error {
    Error::Refused("One of the chosen procedures does not exist.".into())
}

/// Creates a plan.
///
/// # Errors
/// [`Error::Invalid`] at `title` when another plan has it; [`Error::Refused`] for a procedure that the person
/// does not know of.
pub fn insert_plan(tx: &mut WriteTx<'_>, shelf: Shelf, content: &PlanContent) -> Result<Audited<TestPlanId>> {
    let known = known(tx.conn, shelf, &content.procedures)?;
    if !content.procedures.iter().all(|id| known.contains(id)) {
        return Err(unknown());
    }
    let id = TestPlanId::new();
    diesel::insert_into(test_plans::table)
        .values((
            test_plans::id.eq(id),
            test_plans::title.eq(&content.title),
            test_plans::description.eq(&content.description),
            test_plans::tags.eq(&content.tags),
            test_plans::created_at.eq(tx.now()),
            test_plans::created_by.eq(tx.actor().id),
            test_plans::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    insert_procedures(tx.conn, id, &content.procedures)?;
    revisions::note(tx, &[id])?;
    let event = Event::new(Kind::TestPlanCreated, format!("Created the test plan “{}”", content.title))
        .subject("test_plan", id.0, &content.title)
        .detail(json!({ "procedures": content.procedures.len() }));
    tx.audited(id, event)
}

/// Saves a plan as somebody wrote it from the version that they opened. Texts that both sides changed are not
/// stored and come back with both values; everything else is.
///
/// # Errors
/// [`Error::Invalid`] at `title` when another plan has it, and where the two sides together leave no plan;
/// [`Error::Refused`] for a procedure that the person does not know of.
pub fn save_plan(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: TestPlanId,
    posted: &PostedPlan,
) -> Result<Audited<Vec<Conflict<PlanField>>>> {
    let before: Plan = test_plans::table
        .find(id)
        .filter(test_plans::deleted_at.is_null())
        .for_update()
        .select(Plan::as_select())
        .first(tx.conn)?;
    let ids = plan_ids(tx.conn, id)?;
    let mut versions = revisions::list_contents(tx.conn, id, &posted.bases.versions())?;
    let stored = PlanContent {
        title: before.title.clone(),
        description: before.description.clone(),
        tags: before.tags.clone(),
        procedures: ids.clone(),
    };
    versions.insert(before.version, stored);
    let known = known(tx.conn, shelf, &[ids.as_slice(), &posted.content.procedures].concat())?;
    // One that the library deleted since is gone from the plan, too.
    let was_in = |one| versions.values().any(|content| content.procedures.contains(one));
    if !posted.content.procedures.iter().all(|one| known.contains(one) || was_in(one)) {
        return Err(unknown());
    }
    for content in versions.values_mut() {
        content.procedures.retain(|one| known.contains(one));
    }
    let mut posted = posted.clone();
    posted.content.procedures.retain(|one| known.contains(one));
    let newest = revisions::get_newest(tx.conn, id, before.version)?;
    let (mut content, conflicts) = planning::merge(&posted, &versions, &newest);
    // What somebody does not know of stays, behind what it stood behind.
    content.procedures = woven(content.procedures, &ids, |one| !known.contains(one));
    check_whole(&content, &newest.by)?;
    let same_head = before.title == content.title
        && before.description == content.description
        && before.tags == content.tags;
    if same_head && ids == content.procedures {
        return Ok(tx.unchanged(conflicts));
    }
    diesel::update(test_plans::table.find(id))
        .set((
            test_plans::title.eq(&content.title),
            test_plans::description.eq(&content.description),
            test_plans::tags.eq(&content.tags),
            test_plans::updated_at.eq(tx.now()),
            test_plans::version.eq(test_plans::version + 1),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    let (tags_before, tags_after) = (before.tags.join(", "), content.tags.join(", "));
    let fields = [
        ("title", before.title.as_str(), content.title.as_str(), false),
        ("description", before.description.as_str(), content.description.as_str(), true),
        ("tags", tags_before.as_str(), tags_after.as_str(), false),
    ];
    let mut event = Event::new(Kind::TestPlanUpdated, format!("Changed the test plan “{}”", content.title))
        .subject("test_plan", id.0, &content.title)
        .telling(fields.into_iter().filter(|(_, before, after, _)| before != after));
    if ids != content.procedures {
        diesel::delete(test_plan_procedures::table.filter(test_plan_procedures::test_plan_id.eq(id)))
            .execute(tx.conn)?;
        insert_procedures(tx.conn, id, &content.procedures)?;
        event.detail["procedures"] = procedure_changes(tx.conn, &ids, &content.procedures)?;
    }
    revisions::note(tx, &[id])?;
    tx.audited(conflicts, event)
}

/// Whether the two sides of a merge make a plan together.
fn check_whole(content: &PlanContent, by: &str) -> Result<()> {
    if content.procedures.is_empty() {
        return Err(Error::field(
            "chosen",
            format!("{by} took out the others meanwhile, so that none is left. Choose at least one."),
        ));
    }
    if content.procedures.len() > PROCEDURES {
        return Err(Error::field(
            "chosen",
            format!("With what {by} added a test plan of more than {PROCEDURES} comes of it. Remove some."),
        ));
    }
    if content.tags.len() > TAGS {
        return Err(Error::field(
            "tags",
            format!("With {by}’s there are more than {TAGS} tags. Remove some."),
        ));
    }
    Ok(())
}

/// Makes a plan say again what it said at an earlier save, as a save of its own. Says how many of its
/// procedures are no longer there.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Refused`] where none of its procedures is there; [`Error::Invalid`] at
/// `title` when another plan has its title now.
pub fn restore_plan(tx: &mut WriteTx<'_>, shelf: Shelf, id: TestPlanId, n: i32) -> Result<Audited<usize>> {
    let current: Version = test_plans::table
        .find(id)
        .filter(test_plans::deleted_at.is_null())
        .for_update()
        .select(test_plans::version)
        .first(tx.conn)?;
    let (revision, _) = revisions::get_revision(tx.conn, id, n)?;
    let body = revision.body()?;
    let ids: Vec<LibraryProcedureId> = body.procedures.iter().map(|one| one.id).collect();
    let there: Vec<LibraryProcedureId> =
        list_hits(tx.conn, shelf, &ids)?.into_iter().map(|hit| hit.id).collect();
    if there.is_empty() {
        return Err(Error::Refused(
            "None of the procedures of this version is there any more, so there is nothing to restore."
                .into(),
        ));
    }
    let hidden = revisions::list_hidden(tx.conn, shelf, &ids)?;
    let left = ids.len() - there.len() - hidden.len();
    let content =
        PlanContent { title: body.title, description: body.description, tags: body.tags, procedures: there };
    let bases = Bases { version: current, ..Bases::default() };
    Ok(save_plan(tx, shelf, id, &PostedPlan { content, bases })?.with(left))
}

/// Names of what came and went, and whether only the order changed.
fn procedure_changes(
    conn: &mut PgConnection,
    before: &[LibraryProcedureId],
    after: &[LibraryProcedureId],
) -> Result<serde_json::Value> {
    let moved: Vec<_> =
        before.iter().chain(after).filter(|id| before.contains(id) != after.contains(id)).collect();
    let names: std::collections::HashMap<LibraryProcedureId, String> = library_procedures::table
        .filter(library_procedures::id.eq_any(moved))
        .select((library_procedures::id, library_procedures::name))
        .load(conn)?
        .into_iter()
        .collect();
    let only = |these: &[LibraryProcedureId], those: &[LibraryProcedureId]| -> Vec<&String> {
        these.iter().filter(|id| !those.contains(id)).filter_map(|id| names.get(id)).collect()
    };
    let (added, removed) = (only(after, before), only(before, after));
    Ok(json!({ "before": before.len(), "after": after.len(), "added": added, "removed": removed }))
}

/// Deletes a plan. Engagements that were made from it keep its title.
///
/// # Errors
/// [`Error::NotFound`]
pub fn delete_plan(tx: &mut WriteTx<'_>, id: TestPlanId) -> Result<Audited<()>> {
    let plan = get_plan(tx.conn, id)?;
    diesel::update(test_plans::table.find(id)).set(test_plans::deleted_at.eq(tx.now())).execute(tx.conn)?;
    let event = Event::new(Kind::TestPlanDeleted, format!("Deleted the test plan “{}”", plan.title)).subject(
        "test_plan",
        id.0,
        &plan.title,
    );
    tx.audited((), event)
}
