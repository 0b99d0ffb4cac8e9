//! What the story has to find before it begins: an empty log, and the starter library by its keys.

use std::collections::HashMap;

use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, TestPlanId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{library_procedures, repositories, test_plan_procedures, test_plans};
use crate::kernel::event::schema::events;

/// Whether nothing was ever recorded here.
///
/// # Errors
/// When the database is not to be had.
pub fn is_log_empty(conn: &mut PgConnection) -> Result<bool> {
    let any: bool = diesel::select(diesel::dsl::exists(events::table.select(events::id))).get_result(conn)?;
    Ok(!any)
}

/// The starter procedures by their keys.
///
/// # Errors
/// When the database is not to be had.
pub fn list_procedures(conn: &mut PgConnection) -> Result<HashMap<String, LibraryProcedureId>> {
    let rows: Vec<(String, LibraryProcedureId)> = library_procedures::table
        .inner_join(repositories::table)
        .filter(repositories::key.eq("starter"))
        .select((library_procedures::source_key, library_procedures::id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// A starter test plan, and the keys of its procedures in their order.
///
/// # Errors
/// When it is not there.
pub fn get_plan(conn: &mut PgConnection, key: &str) -> Result<(TestPlanId, Vec<String>)> {
    let id: TestPlanId =
        test_plans::table.filter(test_plans::key.eq(key)).select(test_plans::id).first(conn)?;
    let keys = test_plan_procedures::table
        .inner_join(library_procedures::table)
        .filter(test_plan_procedures::test_plan_id.eq(id))
        .order(test_plan_procedures::position)
        .select(library_procedures::source_key)
        .load(conn)?;
    Ok((id, keys))
}
