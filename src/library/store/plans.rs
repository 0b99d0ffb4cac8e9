//! SQL of test plans.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;

use super::procedures::{Hit, list_hits};
use super::shelf::{is_seen, seen};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{library_procedures, repositories, test_plan_procedures, test_plans};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

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
                CROSS JOIN unnest(p.technique_ids) named (technique) CROSS \
                JOIN LATERAL (SELECT te.version, te.tactics FROM attack_versions v
                    JOIN techniques te ON te.version = v.version AND te.external_id = named.technique \
                    ORDER BY v.rank DESC LIMIT 1) known
                JOIN tactics ta ON ta.version = known.version AND ta.short_name = ANY (known.tactics)
                WHERE tp.test_plan_id = t.id AND p.repository_id = ANY (s.seen) \
                GROUP BY ta.name ORDER BY min(ta.position)) AS tactics
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
    /// Counts its saves.
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

/// A plan as checked, before it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanContent {
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub procedures: Vec<LibraryProcedureId>,
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

/// A plan's next procedures where somebody changed those that they know of: the others stay, each behind what
/// it stood behind.
fn with_unseen(
    before: &[LibraryProcedureId],
    known: &HashSet<LibraryProcedureId>,
    chosen: &[LibraryProcedureId],
) -> Vec<LibraryProcedureId> {
    let mut after = chosen.to_vec();
    for (place, id) in before.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
        let behind = before[..place].iter().rev().find_map(|one| after.iter().position(|id| id == one));
        after.insert(behind.map_or(0, |at| at + 1), *id);
    }
    after
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
    let event = Event::new(Kind::TestPlanCreated, format!("Created the test plan “{}”", content.title))
        .subject("test_plan", id.0, &content.title)
        .detail(json!({ "procedures": content.procedures.len() }));
    tx.audited(id, event)
}

/// Saves a plan as somebody edited it from `version`.
///
/// # Errors
/// [`Error::Conflict`] when somebody saved it since; [`Error::Invalid`] at `title` when another plan has it;
/// [`Error::Refused`] for a procedure that the person does not know of.
pub fn save_plan(
    tx: &mut WriteTx<'_>,
    shelf: Shelf,
    id: TestPlanId,
    version: i32,
    content: &PlanContent,
) -> Result<Audited<()>> {
    let before: Plan = test_plans::table
        .find(id)
        .filter(test_plans::deleted_at.is_null())
        .for_update()
        .select(Plan::as_select())
        .first(tx.conn)?;
    if before.version != version {
        return Err(Error::Conflict(
            "Somebody else saved this test plan while you edited it. Save again to replace theirs with \
                yours, or cancel to see theirs."
                .into(),
        ));
    }
    let ids = plan_ids(tx.conn, id)?;
    let known = known(tx.conn, shelf, &[ids.as_slice(), &content.procedures].concat())?;
    if !content.procedures.iter().all(|id| known.contains(id)) {
        return Err(unknown());
    }
    let procedures = with_unseen(&ids, &known, &content.procedures);
    let same_head = before.title == content.title
        && before.description == content.description
        && before.tags == content.tags;
    if same_head && ids == procedures {
        return Ok(tx.unchanged(()));
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
    if ids != procedures {
        diesel::delete(test_plan_procedures::table.filter(test_plan_procedures::test_plan_id.eq(id)))
            .execute(tx.conn)?;
        insert_procedures(tx.conn, id, &procedures)?;
        event.detail["procedures"] = procedure_changes(tx.conn, &ids, &procedures)?;
    }
    tx.audited((), event)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_does_not_know_of_stays_behind_what_it_stood_behind() {
        let ids: Vec<LibraryProcedureId> = (0..5).map(|_| LibraryProcedureId::new()).collect();
        let [a, b, c, x, y] = ids[..] else { panic!("five") };
        let known = HashSet::from([a, b, c]);
        assert_eq!(with_unseen(&[x, a, y, b], &known, &[b, a, c]), [x, b, a, y, c]);
        assert_eq!(with_unseen(&[a, x, y, b], &known, &[b]), [x, y, b], "what it stood behind is gone");
        assert_eq!(with_unseen(&[a, b], &known, &[b]), [b]);
    }
}
