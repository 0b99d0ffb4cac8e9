//! A new name for a tag of library procedures.

use diesel::sql_types::{Jsonb, Timestamptz};
use serde_json::json;

use super::versions::VersionRow;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{library_procedure_versions, library_procedures, repositories};
use crate::library::domain::ProcedureBody;

/// Rows of one INSERT: a statement holds at most 65,535 values.
const CHUNK: usize = 2_000;

/// Gives a tag another name on every procedure, whoever may see it. A body is never rewritten, so each gets a
/// next version that says the new word; copies in engagements keep what they say. Says how many; the caller
/// audits.
pub fn rename_tag(tx: &mut WriteTx<'_>, from: &str, to: &str) -> Result<usize> {
    let rows: Vec<(LibraryProcedureId, i32, String, i32, serde_json::Value)> = library_procedures::table
        .inner_join(repositories::table)
        .inner_join(
            library_procedure_versions::table.on(library_procedure_versions::procedure_id
                .eq(library_procedures::id)
                .and(library_procedure_versions::n.eq(library_procedures::current_version))),
        )
        .filter(library_procedures::tags.contains(vec![from.to_owned()]))
        .order(library_procedures::id)
        .select((
            library_procedures::id,
            library_procedures::current_version,
            repositories::prefix,
            library_procedures::number,
            library_procedure_versions::body,
        ))
        .load(tx.conn)?;
    let (mut versions, mut changed) = (Vec::new(), Vec::new());
    for (id, version, prefix, number, body) in rows {
        let mut body: ProcedureBody = serde_json::from_value(body)?;
        let mut tags: Vec<String> = Vec::new();
        for tag in body.tags {
            let tag = if tag == from { to.to_owned() } else { tag };
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        body.tags = tags;
        versions.push(VersionRow::of(id, version + 1, &body, tx.now(), tx.actor().id)?);
        let search = body.search_text(&format!("{prefix}-{number}"));
        changed.push(json!({ "id": id, "n": version + 1, "tags": body.tags, "search": search }));
    }
    let count = changed.len();
    for chunk in versions.chunks(CHUNK) {
        diesel::insert_into(library_procedure_versions::table).values(chunk).execute_anew(tx.conn)?;
    }
    // sql_query: one statement for any number of procedures.
    diesel::sql_query(
        "UPDATE library_procedures p SET tags = v.tags, search = v.search, current_version = v.n, \
            edit_version = p.edit_version + 1, updated_at = $2
         FROM jsonb_to_recordset($1) AS v (id uuid, n integer, tags text[], search text) WHERE p.id = v.id",
    )
    .bind::<Jsonb, _>(serde_json::Value::Array(changed))
    .bind::<Timestamptz, _>(tx.now())
    .execute(tx.conn)?;
    Ok(count)
}
