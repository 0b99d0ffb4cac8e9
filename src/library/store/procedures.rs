//! SQL of library procedures: search, and lists of chosen ones.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};

use super::shelf::{is_seen, seen};
use super::terms::{is_of_methodology, is_under_tactic};
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::keyset::{At, Cursor};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::repositories;
use crate::library::domain::{ProcedureBody, RepositoryType};
use crate::library::revisions::Planned;

/// The place of a hit in the list: its name as sorted.
pub type HitCursor = Cursor<String, LibraryProcedureId>;

/// What to look for. Empty texts and `None` mean any. Withdrawn and retired procedures are never found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that all occur in name or description; a word such as `T1003` asks for the technique.
    pub q: String,
    /// Short name of a tactic of the newest release, or of one's own.
    pub tactic: String,
    /// External id; a technique includes its sub-techniques.
    pub technique: String,
    /// As procedures write it: `windows`.
    pub platform: String,
    /// Key of a methodology: its procedures name one of its techniques.
    pub methodology: String,
    pub repository: Option<RepositoryId>,
    pub at: At<HitCursor>,
}

/// A procedure as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Hit {
    #[diesel(sql_type = SqlUuid)]
    pub id: LibraryProcedureId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Array<Text>)]
    pub technique_ids: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    pub platforms: Vec<String>,
    /// Names of the tactics its techniques stand under, in the order of the matrix: of each technique the
    /// newest release that has it counts, so that one which a release revoked keeps its tactic.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
    /// Short name of its repository.
    #[diesel(sql_type = Text)]
    pub repository: String,
    /// Number of its current version.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Whether its source no longer holds it.
    #[diesel(sql_type = Bool)]
    pub withdrawn: bool,
    /// What the list is ordered by, before the id.
    #[diesel(sql_type = Text)]
    pub sort_name: String,
}

impl Hit {
    /// Where the next page starts after this one.
    pub fn cursor(&self) -> HitCursor {
        Cursor { key: self.sort_name.clone(), id: self.id }
    }

    /// As a test plan names it, in its current version.
    pub fn planned(&self) -> Planned {
        Planned { id: self.id, version: self.version, name: self.name.clone() }
    }
}

// sql_query: the tactics of a hit come from its techniques by array membership, for the rows of the page
// alone.
const HIT: &str = "SELECT p.id, p.name, p.technique_ids, p.platforms, r.short_name AS repository, \
    p.current_version AS version,
    p.withdrawn_at IS NOT NULL AS withdrawn, lower(p.name) AS sort_name,
    ARRAY(SELECT t.name FROM tactics_of(p.technique_ids) t ORDER BY t.place, t.name) AS tactics
 FROM picked p JOIN repositories r ON r.id = p.repository_id";

/// What a hit needs of its row, without the description.
const PICKED: &str = "p.id, p.name, p.technique_ids, p.platforms, p.repository_id, p.current_version, \
    p.withdrawn_at";

const MATCHES: &str = "p.withdrawn_at IS NULL AND p.retired_at IS NULL
    AND p.repository_id = ANY ({seen})
    AND p.search LIKE ALL ($1)
    AND ($2 = '{}' OR NOT EXISTS (SELECT FROM unnest($2) wanted WHERE NOT EXISTS (
        SELECT FROM unnest(p.technique_ids) id WHERE id = wanted OR id LIKE wanted || '.%')))
    AND {tactic}
    AND ($4 = '' OR p.platforms @> ARRAY[$4])
    AND ($5 IS NULL OR p.repository_id = $5)
    AND {methodology}";

/// Words of a search as LIKE patterns, and those that name techniques.
fn words(search: &Search) -> (Vec<String>, Vec<String>) {
    let mut patterns = Vec::new();
    let mut techniques = Vec::new();
    if !search.technique.trim().is_empty() {
        techniques.push(search.technique.trim().to_uppercase());
    }
    for word in search.q.split_whitespace().take(12) {
        if is_technique_id(word) {
            techniques.push(word.to_uppercase());
        } else {
            patterns.push(like(&word.to_lowercase()));
        }
    }
    (patterns, techniques)
}

/// Whether a word reads like `T1003` or `t1003.001`.
fn is_technique_id(word: &str) -> bool {
    let Some(number) = word.strip_prefix(['T', 't']) else { return false };
    let (main, sub) = number.split_once('.').unwrap_or((number, "000"));
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    digits(main, 4) && digits(sub, 3)
}

/// [`MATCHES`] with the tactic as `$3`, the reader as `$6` and the methodology as `$7`.
fn matches() -> String {
    MATCHES
        .replace("{seen}", &seen(6))
        .replace("{tactic}", &is_under_tactic(3))
        .replace("{methodology}", &is_of_methodology(7))
}

/// Procedures by name, at most `limit`; before a place against the list's order.
pub fn search(conn: &mut PgConnection, shelf: Shelf, search: &Search, limit: i64) -> Result<Vec<Hit>> {
    let (patterns, techniques) = words(search);
    let (beyond, order) = if search.at.is_backwards() { ("<", "DESC") } else { (">", "ASC") };
    let place = search.at.cursor();
    // sql_query: words and techniques match by array membership; the order turns with the direction.
    let sql = format!(
        "WITH picked AS (SELECT {PICKED} FROM library_procedures p WHERE {} AND ($8 IS NULL \
            OR (lower(p.name), p.id) {beyond} ($8, $9))
            ORDER BY lower(p.name) {order}, p.id {order} LIMIT $10)
         {HIT} ORDER BY sort_name {order}, p.id {order}",
        matches()
    );
    Ok(diesel::sql_query(sql)
        .bind::<Array<Text>, _>(patterns)
        .bind::<Array<Text>, _>(techniques)
        .bind::<Text, _>(&search.tactic)
        .bind::<Text, _>(&search.platform)
        .bind::<Nullable<SqlUuid>, _>(search.repository)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Text, _>(&search.methodology)
        .bind::<Nullable<Text>, _>(place.map(|place| &place.key))
        .bind::<Nullable<SqlUuid>, _>(place.map(|place| place.id))
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}

#[derive(QueryableByName)]
pub(super) struct Number {
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// How many procedures a search finds, at most `cap`, wherever it starts.
pub fn count(conn: &mut PgConnection, shelf: Shelf, search: &Search, cap: i64) -> Result<i64> {
    let (patterns, techniques) = words(search);
    // sql_query: the condition of the search, so that the count is of what it finds.
    let sql = format!(
        "SELECT count(*) AS n FROM (SELECT FROM library_procedures p WHERE {} LIMIT $8) found",
        matches()
    );
    let number: Number = diesel::sql_query(sql)
        .bind::<Array<Text>, _>(patterns)
        .bind::<Array<Text>, _>(techniques)
        .bind::<Text, _>(&search.tactic)
        .bind::<Text, _>(&search.platform)
        .bind::<Nullable<SqlUuid>, _>(search.repository)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Text, _>(&search.methodology)
        .bind::<BigInt, _>(cap)
        .get_result(conn)?;
    Ok(number.n)
}

/// Chosen procedures in the order given, withdrawn and retired ones too; those that the reader does not know
/// of are left out.
pub fn list_hits(conn: &mut PgConnection, shelf: Shelf, ids: &[LibraryProcedureId]) -> Result<Vec<Hit>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // sql_query: a hit's tactics come from its techniques by array membership.
    let found: Vec<Hit> = diesel::sql_query(format!(
        "WITH picked AS (SELECT {PICKED} FROM library_procedures p WHERE p.id = ANY ($1) \
            AND p.repository_id = ANY ({})) {HIT}",
        seen(2)
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Nullable<SqlUuid>, _>(shelf.reader())
    .load(conn)?;
    let by_id: HashMap<LibraryProcedureId, Hit> = found.into_iter().map(|hit| (hit.id, hit)).collect();
    Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

/// The platforms that procedures name, in alphabetical order.
pub fn list_platforms(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<String>> {
    // sql_query: unnest is no function of the query builder.
    let sql = format!(
        "SELECT DISTINCT unnest(platforms) AS word FROM library_procedures WHERE withdrawn_at IS NULL \
            AND retired_at IS NULL AND repository_id = ANY ({}) ORDER BY word",
        seen(1)
    );
    let words: Vec<Word> = diesel::sql_query(sql).bind::<Nullable<SqlUuid>, _>(shelf.reader()).load(conn)?;
    Ok(words.into_iter().map(|row| row.word).collect())
}

/// A library procedure as its page shows it.
pub struct Procedure {
    pub id: LibraryProcedureId,
    /// What this version says.
    pub body: ProcedureBody,
    /// Number of this version.
    pub version: i32,
    /// When this version came into the library.
    pub version_at: DateTime<Utc>,
    /// Number of the current version.
    pub current: i32,
    /// When its source withdrew it.
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub repository: RepositoryId,
    pub repository_name: String,
}

/// A procedure in its current version or in the one asked for.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`]
pub fn get_procedure(
    conn: &mut PgConnection,
    shelf: Shelf,
    id: LibraryProcedureId,
    version: Option<i32>,
) -> Result<Procedure> {
    use crate::kernel::db::schema::{
        library_procedure_versions as versions, library_procedures as procedures,
    };
    let wanted = procedures::table
        .inner_join(versions::table.on(versions::procedure_id.eq(procedures::id)))
        .inner_join(repositories::table)
        .filter(procedures::id.eq(id))
        .filter(is_seen(shelf))
        .select((
            versions::body,
            versions::n,
            versions::created_at,
            procedures::current_version,
            procedures::withdrawn_at,
            repositories::id,
            repositories::name,
        ))
        .into_boxed();
    let wanted = match version {
        Some(n) => wanted.filter(versions::n.eq(n)),
        None => wanted.filter(versions::n.eq(procedures::current_version)),
    };
    type Row = (serde_json::Value, i32, DateTime<Utc>, i32, Option<DateTime<Utc>>, RepositoryId, String);
    let (body, version, version_at, current, withdrawn_at, repository, repository_name): Row =
        wanted.first(conn)?;
    let body = serde_json::from_value(body)?;
    Ok(Procedure { id, body, version, version_at, current, withdrawn_at, repository, repository_name })
}

/// A repository with the number of procedures that are neither withdrawn nor retired.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Repository {
    pub id: RepositoryId,
    /// Set where an importer or the binary owns it.
    pub key: Option<String>,
    pub name: String,
    pub short_name: String,
    pub description: String,
    pub kind: RepositoryType,
    pub procedures: i64,
}

pub fn list_repositories(conn: &mut PgConnection, shelf: Shelf) -> Result<Vec<Repository>> {
    use diesel::dsl::sql;
    Ok(repositories::table
        .filter(is_seen(shelf))
        .order(sql::<Text>("lower(repositories.name)"))
        .select((
            repositories::id,
            repositories::key,
            repositories::name,
            repositories::short_name,
            repositories::description,
            repositories::type_,
            sql::<BigInt>(
                "(SELECT count(*) FROM library_procedures p \
                WHERE p.repository_id = repositories.id AND p.withdrawn_at IS NULL AND p.retired_at IS NULL)",
            ),
        ))
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_read_like_techniques_ask_for_them() {
        let search = Search { q: "T1003 100% t1059.001 T10".into(), ..Search::default() };
        let (patterns, techniques) = words(&search);
        assert_eq!(patterns, ["%100\\%%", "%t10%"]);
        assert_eq!(techniques, ["T1003", "T1059.001"]);
    }
}
