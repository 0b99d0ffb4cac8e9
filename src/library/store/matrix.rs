//! SQL of the matrix: tactics as columns, techniques under them, and how many procedures there are for each.

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};

use super::shelf::seen;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::TermId;
use crate::kernel::base::query::prelude::*;

/// What a matrix can be of: a release of ATT&CK, or a methodology of one's own.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Source {
    /// The release, or the methodology's id.
    #[diesel(sql_type = Text)]
    pub key: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// None for a release.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub methodology: Option<TermId>,
}

/// Releases, the newest first, then one's own methodologies by name.
pub fn list_sources(conn: &mut PgConnection) -> Result<Vec<Source>> {
    // sql_query: one list of two kinds.
    Ok(diesel::sql_query(
        "SELECT key, name, methodology FROM (
            SELECT version AS key, ('MITRE ATT&CK ' || version) COLLATE names AS name, \
                NULL::uuid AS methodology, -rank AS place FROM attack_versions
            UNION ALL SELECT id::text, name, id, 0 FROM terms WHERE kind = 'methodology' AND key IS NULL) s
         ORDER BY methodology IS NOT NULL, place, lower(name), key",
    )
    .load(conn)?)
}

/// A column: a tactic with the key that techniques name it by.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Column {
    #[diesel(sql_type = Text)]
    pub key: String,
    #[diesel(sql_type = Text)]
    pub name: String,
}

/// A technique of a matrix.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Placed {
    #[diesel(sql_type = Text)]
    pub id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Keys of the columns that it stands under.
    #[diesel(sql_type = Array<Text>)]
    pub columns: Vec<String>,
    /// Id of the technique above a sub-technique.
    #[diesel(sql_type = Nullable<Text>)]
    pub above: Option<String>,
    /// Library procedures that name it; above sub-techniques, it or one of them.
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
    #[diesel(sql_type = Bool)]
    pub is_own: bool,
}

/// Procedures of the library by the technique that they name, and again by the one above it.
fn counts(reader: usize) -> String {
    format!(
        "named AS (SELECT p.id AS procedure, unnest(p.technique_ids) AS technique FROM library_procedures p
            WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL AND p.repository_id = ANY ({})),
         counts AS (SELECT technique, count(*) AS n FROM named WHERE technique LIKE '%.%' GROUP BY 1
            UNION ALL SELECT split_part(technique, '.', 1), count(DISTINCT procedure) FROM named GROUP BY 1)",
        seen(reader)
    )
}

/// Columns and techniques of a release, in its order.
pub fn list_release_matrix(
    conn: &mut PgConnection,
    shelf: Shelf,
    version: &str,
) -> Result<(Vec<Column>, Vec<Placed>)> {
    // sql_query: the columns as every matrix has them.
    let columns =
        diesel::sql_query("SELECT short_name AS key, name FROM tactics WHERE version = $1 ORDER BY position")
            .bind::<Text, _>(version)
            .load(conn)?;
    // sql_query: counts by array membership in one pass.
    let sql = format!(
        "WITH {} SELECT te.external_id AS id, te.name, te.tactics AS columns, false AS is_own,
            CASE WHEN te.is_subtechnique THEN split_part(te.external_id, '.', 1) END AS above,
            coalesce(c.n, 0) AS procedures
         FROM techniques te LEFT JOIN counts c ON c.technique = te.external_id
         WHERE te.version = $1 AND te.status = 'live' ORDER BY lower(te.name), te.external_id",
        counts(2)
    );
    let techniques = diesel::sql_query(sql)
        .bind::<Text, _>(version)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?;
    Ok((columns, techniques))
}

/// Columns and techniques of one's own methodology.
pub fn list_own_matrix(
    conn: &mut PgConnection,
    shelf: Shelf,
    methodology: TermId,
) -> Result<(Vec<Column>, Vec<Placed>)> {
    // sql_query: the columns as every matrix has them.
    let columns = diesel::sql_query(
        "SELECT t.short_name AS key, t.name FROM terms t JOIN term_parents p ON p.term_id = t.id
         WHERE p.parent_id = $1 ORDER BY t.position, t.short_name",
    )
    .bind::<SqlUuid, _>(methodology)
    .load(conn)?;
    // sql_query: counts by array membership in one pass.
    let sql = format!(
        "WITH {}, placed AS (SELECT q.short_name AS id, q.name, array_agg(t.short_name) AS columns
            FROM terms q JOIN term_parents qp ON qp.term_id = q.id JOIN terms t ON t.id = qp.parent_id
            JOIN term_parents tp ON tp.term_id = t.id AND tp.parent_id = $1
            WHERE q.kind = 'technique' GROUP BY q.id)
         SELECT d.id, d.name, d.columns, true AS is_own, coalesce(c.n, 0) AS procedures,
            (SELECT a.id FROM placed a WHERE d.id LIKE '%.%' AND a.id = split_part(d.id, '.', 1)) AS above
         FROM placed d LEFT JOIN counts c ON c.technique = d.id ORDER BY lower(d.name), d.id",
        counts(2)
    );
    let techniques = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(methodology)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?;
    Ok((columns, techniques))
}
