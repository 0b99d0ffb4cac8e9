//! SQL of ATT&CK releases.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::procedures::Number;
use super::shelf::seen;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::keyset::At;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{attack_groups, attack_versions, tactics, terms};
use crate::library::domain::TechniqueStatus;
use crate::library::terms::TermKind;

/// The newest release: what library pages show and new engagements pin.
pub fn highest_version(conn: &mut PgConnection) -> Result<String> {
    Ok(attack_versions::table
        .order(attack_versions::rank.desc())
        .select(attack_versions::version)
        .first(conn)?)
}

/// A tactic of a release.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tactics, check_for_backend(diesel::pg::Pg))]
pub struct Tactic {
    /// `TA0006`
    pub external_id: String,
    /// `credential-access`; what techniques name.
    pub short_name: String,
    pub name: String,
    /// 0 is the leftmost column of the matrix.
    pub position: i32,
}

/// The tactics of a release, in the order of the matrix.
pub fn list_tactics(conn: &mut PgConnection, version: &str) -> Result<Vec<Tactic>> {
    Ok(tactics::table
        .filter(tactics::version.eq(version))
        .order(tactics::position)
        .select(Tactic::as_select())
        .load(conn)?)
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = attack_versions, check_for_backend(diesel::pg::Pg))]
pub struct Release {
    /// `19.1`
    pub version: String,
    /// When it first came into the library.
    pub imported_at: DateTime<Utc>,
}

/// The stored releases, newest first.
pub fn list_releases(conn: &mut PgConnection) -> Result<Vec<Release>> {
    Ok(attack_versions::table.order(attack_versions::rank.desc()).select(Release::as_select()).load(conn)?)
}

/// A tactic with what stands under it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct TacticRow {
    #[diesel(sql_type = Text)]
    pub external_id: String,
    /// `credential-access`
    #[diesel(sql_type = Text)]
    pub short_name: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// MITRE's text, Markdown with some HTML.
    #[diesel(sql_type = Text)]
    pub description: String,
    /// Its page at MITRE.
    #[diesel(sql_type = Text)]
    pub url: String,
    #[diesel(sql_type = BigInt)]
    pub techniques: i64,
    #[diesel(sql_type = BigInt)]
    pub subtechniques: i64,
    /// Library procedures that use one of either.
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
}

/// The tactics of a release with their counts, in the order of the matrix.
pub fn list_tactic_rows(conn: &mut PgConnection, shelf: Shelf, version: &str) -> Result<Vec<TacticRow>> {
    // sql_query: counts by array membership.
    let sql = format!(
        "SELECT ta.external_id, ta.short_name, ta.name, ta.description, ta.url, under.techniques, \
        under.subtechniques,
            (SELECT count(*) FROM library_procedures p WHERE p.withdrawn_at IS NULL \
            AND p.retired_at IS NULL AND p.repository_id = ANY ({}) \
            AND p.technique_ids && under.ids) AS procedures
         FROM tactics ta CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE NOT te.is_subtechnique) AS \
         techniques,
            count(*) FILTER (WHERE te.is_subtechnique) AS subtechniques, array_agg(te.external_id) AS ids
            FROM techniques te WHERE te.version = ta.version AND te.status = 'live' \
            AND te.tactics @> ARRAY[ta.short_name]) under
         WHERE ta.version = $1 ORDER BY ta.position",
        seen(2)
    );
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(version)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// Which techniques to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TechniqueSearch {
    pub version: String,
    /// Words that all occur in id, name or the parent's name.
    pub q: String,
    /// Short name of a tactic.
    pub tactic: String,
    pub status: Option<TechniqueStatus>,
    pub at: At<String>,
}

/// A technique as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct TechniqueRow {
    /// `T1003.001`
    #[diesel(sql_type = Text)]
    pub external_id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Name of the technique above a sub-technique.
    #[diesel(sql_type = Nullable<Text>)]
    pub parent: Option<String>,
    /// Names of its tactics, in the order of the matrix.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    pub platforms: Vec<String>,
    #[diesel(sql_type = Text)]
    pub status: TechniqueStatus,
    /// Successor of a revoked one.
    #[diesel(sql_type = Nullable<Text>)]
    pub revoked_by: Option<String>,
    /// Library procedures that use it or one of its sub-techniques.
    #[diesel(sql_type = BigInt)]
    pub procedures: i64,
}

const TECHNIQUE_ROW: &str = "te.external_id, te.name, above.name AS parent, te.platforms, te.status, \
    te.revoked_by,
    ARRAY(SELECT ta.name FROM tactics ta WHERE ta.version = te.version AND ta.short_name = ANY (te.tactics) \
    ORDER BY ta.position) AS tactics,
    (SELECT count(*) FROM library_procedures p WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL \
    AND p.repository_id = ANY ({seen}) AND p.technique_ids && ARRAY(
        SELECT sub.external_id FROM techniques sub WHERE sub.version = te.version
        AND (sub.external_id = te.external_id OR starts_with(sub.external_id, te.external_id || '.')))) AS \
        procedures
 FROM {from} te LEFT JOIN techniques above ON te.is_subtechnique AND above.version = te.version
    AND above.external_id = split_part(te.external_id, '.', 1)";

const TECHNIQUE_MATCHES: &str = "te.version = $1
    AND ($2 = '{}' OR lower(te.external_id || ' ' || te.name || ' ' || coalesce((SELECT above.name \
    FROM techniques above
        WHERE te.is_subtechnique AND above.version = te.version \
        AND above.external_id = split_part(te.external_id, '.', 1)), '')) LIKE ALL ($2))
    AND ($3 = '' OR te.tactics @> ARRAY[$3])
    AND ($4::text IS NULL OR te.status = $4)";

pub(super) fn patterns(q: &str) -> Vec<String> {
    q.split_whitespace().take(12).map(|word| like(&word.to_lowercase())).collect()
}

/// Techniques by external id, at most `limit`; before one against the list's order.
pub fn search_techniques(
    conn: &mut PgConnection,
    shelf: Shelf,
    search: &TechniqueSearch,
    limit: i64,
) -> Result<Vec<TechniqueRow>> {
    let (beyond, order) = if search.at.is_backwards() { ("<", "DESC") } else { (">", "ASC") };
    // sql_query: a row's counts and tactics by array membership, one page of them.
    let sql = format!(
        "WITH picked AS (SELECT te.version, te.external_id, te.name, te.platforms, te.status, te.revoked_by,
                te.tactics, te.is_subtechnique
            FROM techniques te WHERE {TECHNIQUE_MATCHES} AND ($5 IS NULL \
            OR te.external_id {beyond} $5) ORDER BY te.external_id {order} LIMIT $6)
         SELECT {} ORDER BY te.external_id {order}",
        TECHNIQUE_ROW.replace("{from}", "picked").replace("{seen}", &seen(7))
    );
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(&search.version)
        .bind::<Array<Text>, _>(patterns(&search.q))
        .bind::<Text, _>(&search.tactic)
        .bind::<Nullable<Text>, _>(search.status)
        .bind::<Nullable<Text>, _>(search.at.cursor())
        .bind::<BigInt, _>(limit)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// How many techniques a search finds, wherever it starts.
pub fn count_techniques(conn: &mut PgConnection, search: &TechniqueSearch) -> Result<i64> {
    // sql_query: the condition of the search, so that the count is of what it finds.
    let number: Number =
        diesel::sql_query(format!("SELECT count(*) AS n FROM techniques te WHERE {TECHNIQUE_MATCHES}"))
            .bind::<Text, _>(&search.version)
            .bind::<Array<Text>, _>(patterns(&search.q))
            .bind::<Text, _>(&search.tactic)
            .bind::<Nullable<Text>, _>(search.status)
            .get_result(conn)?;
    Ok(number.n)
}

/// The sub-techniques of a technique.
pub fn list_subtechniques(
    conn: &mut PgConnection,
    shelf: Shelf,
    version: &str,
    external_id: &str,
) -> Result<Vec<TechniqueRow>> {
    // sql_query: a row's counts and tactics by array membership.
    let sql = format!(
        "SELECT {} WHERE te.version = $1 AND te.is_subtechnique AND starts_with(te.external_id, $2 || '.') \
            AND te.status = 'live'
         ORDER BY te.external_id",
        TECHNIQUE_ROW.replace("{from}", "techniques").replace("{seen}", &seen(3))
    );
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(version)
        .bind::<Text, _>(external_id)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .load(conn)?)
}

/// A technique of one release.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Technique {
    #[diesel(sql_type = Text)]
    pub version: String,
    #[diesel(sql_type = Text)]
    pub external_id: String,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// MITRE's text, Markdown with some HTML.
    #[diesel(sql_type = Text)]
    pub description: String,
    /// Its page at MITRE.
    #[diesel(sql_type = Text)]
    pub url: String,
    #[diesel(sql_type = Array<Text>)]
    pub platforms: Vec<String>,
    /// Names of its tactics, in the order of the matrix.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
    #[diesel(sql_type = Text)]
    pub status: TechniqueStatus,
    /// Id of the technique above a sub-technique.
    #[diesel(sql_type = Nullable<Text>)]
    pub parent_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub parent: Option<String>,
    /// Id of the successor of a revoked one.
    #[diesel(sql_type = Nullable<Text>)]
    pub revoked_by: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub successor: Option<String>,
    /// Every release that has this id, newest first.
    #[diesel(sql_type = Array<Text>)]
    pub versions: Vec<String>,
}

/// A technique in the release asked for, or in the newest one that has it.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`]
pub fn get_technique(conn: &mut PgConnection, version: Option<&str>, external_id: &str) -> Result<Technique> {
    // sql_query: parent and successor are rows of the same table.
    let sql = "SELECT te.version, te.external_id, te.name, te.description, te.url, te.platforms, te.status,
            above.external_id AS parent_id, above.name AS parent, te.revoked_by, heir.name AS successor,
            ARRAY(SELECT ta.name FROM tactics ta WHERE ta.version = te.version \
            AND ta.short_name = ANY (te.tactics) ORDER BY ta.position)
                AS tactics,
            ARRAY(SELECT av.version FROM attack_versions av \
            JOIN techniques other ON other.version = av.version
                WHERE other.external_id = te.external_id ORDER BY av.rank DESC) AS versions
         FROM techniques te JOIN attack_versions v ON v.version = te.version
         LEFT JOIN techniques above ON te.is_subtechnique AND above.version = te.version
            AND above.external_id = split_part(te.external_id, '.', 1)
         LEFT JOIN techniques heir ON heir.version = te.version AND heir.external_id = te.revoked_by
         WHERE te.external_id = $1 AND ($2 IS NULL OR te.version = $2) ORDER BY v.rank DESC LIMIT 1";
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(external_id)
        .bind::<Nullable<Text>, _>(version)
        .get_result(conn)?)
}

/// A technique that a procedure names; `None` as name where no release has it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct NamedTechnique {
    #[diesel(sql_type = Text)]
    pub external_id: String,
    /// `OS Credential Dumping: LSASS Memory`
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// Names of its tactics.
    #[diesel(sql_type = Array<Text>)]
    pub tactics: Vec<String>,
}

/// Names the techniques of a procedure, each in the newest release that has it or as one's own, in the order
/// given.
pub fn list_named(conn: &mut PgConnection, ids: &[String]) -> Result<Vec<NamedTechnique>> {
    // sql_query: each id in its newest release.
    let sql = "SELECT wanted.id AS external_id,
            coalesce(coalesce(above.name || ': ', '') || te.name, own.name) AS name,
            ARRAY(SELECT t.name FROM tactics_of(ARRAY[wanted.id]) t ORDER BY t.place, t.name) AS tactics
         FROM unnest($1) WITH ORDINALITY wanted (id, place)
         LEFT JOIN LATERAL (SELECT t.version, t.external_id, t.name, t.tactics, t.is_subtechnique
            FROM techniques t JOIN attack_versions v ON v.version = t.version
            WHERE t.external_id = wanted.id ORDER BY v.rank DESC LIMIT 1) te ON true
         LEFT JOIN techniques above ON te.is_subtechnique AND above.version = te.version
            AND above.external_id = split_part(te.external_id, '.', 1)
         LEFT JOIN terms own ON own.kind = 'technique' AND own.short_name = wanted.id
         ORDER BY wanted.place";
    Ok(diesel::sql_query(sql).bind::<Array<Text>, _>(ids).load(conn)?)
}

/// The groups of a release: id and name, by name.
pub fn list_groups(conn: &mut PgConnection, version: &str) -> Result<Vec<(String, String)>> {
    Ok(attack_groups::table
        .filter(attack_groups::version.eq(version))
        .order(attack_groups::name)
        .select((attack_groups::external_id, attack_groups::name))
        .load(conn)?)
}

/// A methodology that the binary knows: a way to sort what intruders do.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = terms, check_for_backend(diesel::pg::Pg))]
pub struct Methodology {
    /// Set where the binary knows it: `attack-enterprise`.
    pub key: Option<String>,
    pub name: String,
    pub short_name: String,
    pub description: String,
}

pub fn list_methodologies(conn: &mut PgConnection) -> Result<Vec<Methodology>> {
    Ok(terms::table
        .filter(terms::key.is_not_null())
        .order(terms::name)
        .select(Methodology::as_select())
        .load(conn)?)
}

/// Those of these names that no methodology has.
pub fn list_unknown_methodologies(conn: &mut PgConnection, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let own: Vec<String> =
        terms::table.filter(terms::kind.eq(TermKind::Methodology)).select(terms::name).load(conn)?;
    let own: HashSet<String> = own.into_iter().map(|name| name.to_lowercase()).collect();
    Ok(names.iter().filter(|name| !own.contains(&name.to_lowercase())).cloned().collect())
}

/// A stored release with its size.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ReleaseSize {
    #[diesel(sql_type = Text)]
    pub version: String,
    /// When it first came into the library.
    #[diesel(sql_type = Timestamptz)]
    pub imported_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub tactics: i64,
    /// Live techniques and sub-techniques.
    #[diesel(sql_type = BigInt)]
    pub techniques: i64,
}

/// The stored releases with their sizes, newest first.
pub fn list_release_sizes(conn: &mut PgConnection) -> Result<Vec<ReleaseSize>> {
    // sql_query: two counts beside each row.
    let sql = "SELECT v.version, v.imported_at, (SELECT count(*) FROM tactics ta \
        WHERE ta.version = v.version) AS tactics,
            (SELECT count(*) FROM techniques te WHERE te.version = v.version \
            AND te.status = 'live') AS techniques
         FROM attack_versions v ORDER BY v.rank DESC";
    Ok(diesel::sql_query(sql).load(conn)?)
}
