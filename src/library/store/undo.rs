//! Taking back what an import did to test plans, and to methodologies, tactics and techniques of one's own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::revisions;
use super::terms::write_known;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{TermId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{terms, test_plan_procedures, test_plans};
use crate::kernel::merge::Version;
use crate::library::terms::{TermKind, TermText};

/// How a test plan stood before an import, and where that left it: what taking it back needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlanBefore {
    pub id: TestPlanId,
    /// What it said; none where it was not there.
    pub was: Option<PlanWas>,
    /// Its counter for merging after the import.
    pub after: i32,
}

/// What a test plan said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
pub(crate) struct PlanWas {
    #[diesel(sql_type = Nullable<Text>)]
    key: Option<String>,
    #[diesel(sql_type = Text)]
    title: String,
    #[diesel(sql_type = Text)]
    description: String,
    #[diesel(sql_type = Array<Text>)]
    tags: Vec<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    written_from: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    imported_digest: Option<Vec<u8>>,
    #[diesel(sql_type = Array<SqlUuid>)]
    procedures: Vec<Uuid>,
}

/// What a test plan says that was not deleted.
pub(crate) fn find_plan_was(conn: &mut PgConnection, id: TestPlanId) -> Result<Option<PlanWas>> {
    // sql_query: a plan with its list in one row.
    let sql = "SELECT t.key, t.title, t.description, t.tags, t.written_from, t.imported_digest,
            ARRAY(SELECT tp.procedure_id FROM test_plan_procedures tp
                WHERE tp.test_plan_id = t.id ORDER BY tp.position) AS procedures
         FROM test_plans t WHERE t.id = $1 AND t.deleted_at IS NULL";
    Ok(diesel::sql_query(sql).bind::<SqlUuid, _>(id).get_result(conn).optional()?)
}

/// A test plan that an import left, and what has come to hang on it since.
#[derive(QueryableByName)]
pub(crate) struct PlanUse {
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    pub edited: bool,
    #[diesel(sql_type = BigInt)]
    pub engagements: i64,
}

/// Which test plans cannot be taken back, because they were changed or used. One that was there before stays,
/// whatever was made from it.
pub(crate) fn list_plan_uses(conn: &mut PgConnection, acts: &[PlanBefore]) -> Result<Vec<PlanUse>> {
    let ids: Vec<Uuid> = acts.iter().map(|act| act.id.0).collect();
    let after: Vec<i32> = acts.iter().map(|act| act.after).collect();
    let new: Vec<bool> = acts.iter().map(|act| act.was.is_none()).collect();
    // sql_query: rows beside a list of values. A plan that was deleted since is as it should be.
    let sql = "SELECT title, edited, engagements FROM (
            SELECT t.title, t.version <> acts.after AS edited,
                (SELECT count(*) FROM engagements e
                    WHERE acts.new AND e.test_plan_id = t.id AND e.deleted_at IS NULL) AS engagements
            FROM unnest($1, $2, $3) acts (id, after, new)
            JOIN test_plans t ON t.id = acts.id AND t.deleted_at IS NULL) used
         WHERE edited OR engagements > 0 ORDER BY lower(title)";
    Ok(diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<diesel::sql_types::Integer>, _>(after)
        .bind::<Array<diesel::sql_types::Bool>, _>(new)
        .load(conn)?)
}

/// Puts test plans back: what an import brought is deleted, what it changed says again what it said. The
/// caller has asked for what uses them, and audits.
pub(crate) fn take_plans_back(tx: &mut WriteTx<'_>, acts: &[PlanBefore]) -> Result<()> {
    let now = tx.now();
    let brought: Vec<TestPlanId> = acts.iter().filter(|act| act.was.is_none()).map(|act| act.id).collect();
    diesel::update(
        test_plans::table.filter(test_plans::id.eq_any(brought)).filter(test_plans::deleted_at.is_null()),
    )
    .set((test_plans::deleted_at.eq(now), test_plans::version.eq(test_plans::version + 1)))
    .execute(tx.conn)?;
    let mut rows = Vec::new();
    for act in acts {
        let Some(was) = &act.was else { continue };
        diesel::update(test_plans::table.find(act.id))
            .set((
                test_plans::key.eq(&was.key),
                test_plans::title.eq(&was.title),
                test_plans::description.eq(&was.description),
                test_plans::tags.eq(&was.tags),
                test_plans::written_from.eq(&was.written_from),
                test_plans::imported_digest.eq(&was.imported_digest),
                test_plans::deleted_at.eq(None::<DateTime<Utc>>),
                test_plans::updated_at.eq(now),
                test_plans::version.eq(test_plans::version + 1),
            ))
            .execute(tx.conn)?;
        rows.extend((1i32..).zip(&was.procedures).map(|(position, procedure)| {
            (
                test_plan_procedures::test_plan_id.eq(act.id),
                test_plan_procedures::position.eq(position),
                test_plan_procedures::procedure_id.eq(*procedure),
            )
        }));
    }
    let changed: Vec<TestPlanId> = acts.iter().filter(|act| act.was.is_some()).map(|act| act.id).collect();
    diesel::delete(test_plan_procedures::table.filter(test_plan_procedures::test_plan_id.eq_any(&changed)))
        .execute(tx.conn)?;
    for chunk in rows.chunks(2_000) {
        diesel::insert_into(test_plan_procedures::table).values(chunk).execute_anew(tx.conn)?;
    }
    // A version like any other: those of the import stay.
    revisions::note(tx, &changed)
}

/// How a term stood before an import, and where that left it: what taking it back needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TermBefore {
    pub id: TermId,
    /// What it said; none where it was not there.
    pub was: Option<TermText>,
    /// Its counter for merging after the import.
    pub after: Version,
}

/// What the import before said of a methodology: what taking the newer one back needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MethodologyBefore {
    pub id: TermId,
    pub written_from: Option<Vec<u8>>,
    pub imported_digest: Option<Vec<u8>>,
}

/// Forgets what an import said of methodologies. One that is gone needs nothing.
pub(crate) fn take_methodologies_back(tx: &mut WriteTx<'_>, acts: &[MethodologyBefore]) -> Result<()> {
    for act in acts {
        diesel::update(terms::table.find(act.id))
            .set((terms::written_from.eq(&act.written_from), terms::imported_digest.eq(&act.imported_digest)))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// Puts terms back: what an import changed says again what it said, and what it brought goes where nothing in
/// use names it. One that was changed since stays as it is. Procedures are taken back before; the caller
/// audits.
pub(crate) fn take_terms_back(tx: &mut WriteTx<'_>, acts: &[TermBefore]) -> Result<()> {
    if acts.is_empty() {
        return Ok(());
    }
    let ids: Vec<TermId> = acts.iter().map(|act| act.id).collect();
    let now: HashMap<TermId, Version> = terms::table
        .filter(terms::id.eq_any(&ids))
        .select((terms::id, terms::version))
        .load(tx.conn)?
        .into_iter()
        .collect();
    let left = acts.iter().filter(|act| now.get(&act.id) == Some(&act.after));
    let (changed, brought): (Vec<_>, Vec<_>) = left.partition(|act| act.was.is_some());
    for act in changed {
        if let Some(was) = &act.was {
            write_known(tx, act.id, was)?;
        }
    }
    let brought: Vec<Uuid> = brought.into_iter().map(|act| act.id.0).collect();
    // What stands under another goes first.
    for kind in [TermKind::Technique, TermKind::Tactic, TermKind::Methodology] {
        // sql_query: what uses a term, by arrays of other tables. What was withdrawn uses nothing: comes it
        // back, the import that brings it brings the term too.
        let sql = "DELETE FROM terms t WHERE t.id = ANY ($1) AND t.kind = $2
            AND NOT EXISTS (SELECT FROM term_parents p WHERE p.parent_id = t.id)
            AND NOT EXISTS (SELECT FROM terms below WHERE t.kind = 'technique' AND below.kind = 'technique'
                AND starts_with(below.short_name, t.short_name || '.'))
            AND NOT EXISTS (SELECT FROM library_procedures p WHERE t.kind = 'technique'
                AND p.withdrawn_at IS NULL AND p.technique_ids @> ARRAY[t.short_name])
            AND NOT EXISTS (SELECT FROM procedures p WHERE t.kind = 'technique'
                AND p.technique_ids @> ARRAY[t.short_name])
            AND NOT EXISTS (SELECT FROM procedures p WHERE t.kind = 'tactic'
                AND p.tactics @> ARRAY[t.short_name])";
        diesel::sql_query(sql).bind::<Array<SqlUuid>, _>(&brought).bind::<Text, _>(kind).execute(tx.conn)?;
    }
    Ok(())
}
