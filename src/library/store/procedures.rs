//! SQL of library procedures: search, and lists of chosen ones.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use serde::Deserialize;

use super::shelf::{is_seen, seen};
use super::under::{is_of_methodology, is_under_tactic};
use crate::kernel::authz::{Shelf, Visible};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId, TestPlanId};
use crate::kernel::base::keyset::{At, Cursor};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::repositories;
use crate::library::domain::ProcedureBody;
use crate::library::revisions::Planned;

/// The place of a hit in the list: its name as sorted.
pub type HitCursor = Cursor<String, LibraryProcedureId>;

crate::text_enum! {
    /// Which procedures a list holds.
    #[derive(Default)]
    pub enum State {
        #[default]
        Live => "", "In use";
        Retired => "retired", "Retired";
        Withdrawn => "withdrawn", "Withdrawn";
        All => "all", "All";
    }
}

crate::text_enum! {
    /// What a list is ordered by.
    #[derive(Default)]
    pub enum Sort {
        #[default]
        Name => "", "Name";
        Id => "id", "Id";
        Changed => "changed", "Last changed";
    }
}

/// Where a procedure is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Used {
    #[default]
    Anywhere,
    InPlans,
    InPlan(TestPlanId),
    InEngagements,
    NeverRun,
}

impl Used {
    /// As the address says it.
    pub fn of_text(text: &str) -> Self {
        match text {
            "plan" => Self::InPlans,
            "engagement" => Self::InEngagements,
            "never" => Self::NeverRun,
            other => other.parse().map_or(Self::Anywhere, Self::InPlan),
        }
    }
}

/// What to look for. Empty texts and `None` mean any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that all occur in name, id, description, tags or commands; a word such as `T1003` asks for the
    /// technique.
    pub q: String,
    /// Short name of a tactic of the newest release, or of one's own.
    pub tactic: String,
    /// External id; a technique includes its sub-techniques.
    pub technique: String,
    /// As procedures write it: `windows`.
    pub platform: String,
    /// As steps write it: `powershell`.
    pub executor: String,
    pub tag: String,
    /// Key of a methodology: its procedures name one of its techniques.
    pub methodology: String,
    pub repository: Option<RepositoryId>,
    pub used: Used,
    /// The clients at which engagements count as uses.
    pub clients: Visible,
    pub state: State,
    pub sort: Sort,
    /// Whether it is known to find much: see [`rows`].
    pub finds_much: bool,
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
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    /// Its id as people call it: `HLF-12`.
    #[diesel(sql_type = Text)]
    pub shown_id: String,
    /// Short name of its repository.
    #[diesel(sql_type = Text)]
    pub repository: String,
    /// Number of its current version.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Whether its source no longer holds it.
    #[diesel(sql_type = Bool)]
    pub withdrawn: bool,
    /// Whether the team takes it no longer.
    #[diesel(sql_type = Bool)]
    pub retired: bool,
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
const HIT: &str = "SELECT p.id, p.name, p.technique_ids, p.platforms, p.tags, r.short_name AS repository, \
    r.prefix || '-' || p.number AS shown_id, p.current_version AS version, p.sort_name,
    p.withdrawn_at IS NOT NULL AS withdrawn, p.retired_at IS NOT NULL AS retired,
    ARRAY(SELECT t.name FROM tactics_of(p.technique_ids) t ORDER BY t.place, t.name) AS tactics
 FROM picked p JOIN repositories r ON r.id = p.repository_id";

/// What a hit needs of its row, without the long texts.
const PICKED: &str = "p.id, p.name, p.technique_ids, p.platforms, p.tags, p.repository_id, p.number, \
    p.current_version, p.withdrawn_at, p.retired_at";

/// What conditions and orders ask for beside it.
const ASKED: &str = "p.executors, p.updated_at, p.search";

/// Values of a search before its words.
const FIXED: usize = 13;

/// Its words, a pattern each. Each stands by itself, because the index finds one pattern and no array of
/// them.
fn has_words(words: usize) -> String {
    let each: Vec<String> = (1..=words).map(|word| format!("p.search LIKE ${}", FIXED + word)).collect();
    each.join(" AND ")
}

/// The rows that a search looks at, and its condition. Which index finds them is not left to the planner, who
/// cannot know how many rows hold a word, and takes a library that was filled a moment ago for an empty one.
/// Few are gathered by their words; OFFSET 0 keeps the other conditions out of that. Where there are many, a
/// walk in the order of the names comes to a page of them sooner: of a CASE the planner expects many to fit.
fn found_by(search: &Search, words: usize) -> (String, String) {
    let table = "library_procedures p".to_owned();
    let matches = matches(search);
    if words > 0 && !search.finds_much {
        let few = format!("(SELECT {PICKED}, {ASKED} FROM {table} WHERE {} OFFSET 0) p", has_words(words));
        return (few, matches);
    }
    let all = if words > 0 { format!("{matches} AND {}", has_words(words)) } else { matches };
    if search.finds_much && search.sort == Sort::Name {
        return (table, format!("CASE WHEN {all} THEN true ELSE false END"));
    }
    (table, all)
}

/// The condition of a search but for its words: `$1` to `$12` by [`bound!`].
fn matches(search: &Search) -> String {
    let state = match search.state {
        State::Live => "p.withdrawn_at IS NULL AND p.retired_at IS NULL",
        State::Retired => "p.retired_at IS NOT NULL",
        State::Withdrawn => "p.withdrawn_at IS NOT NULL",
        State::All => "true",
    };
    let used = match search.used {
        Used::Anywhere => "true",
        Used::InPlans | Used::InPlan(_) => {
            "EXISTS (SELECT FROM test_plan_procedures tp \
                JOIN test_plans t ON t.id = tp.test_plan_id \
                WHERE tp.procedure_id = p.id AND t.deleted_at IS NULL AND ($11::uuid IS NULL OR t.id = $11))"
        }
        Used::InEngagements => {
            "EXISTS (SELECT FROM procedures o JOIN engagements e ON e.id = o.engagement_id \
                WHERE o.origin_id = p.id AND o.client_id = ANY ($12) AND e.deleted_at IS NULL)"
        }
        Used::NeverRun => {
            "NOT EXISTS (SELECT FROM procedures o \
                JOIN engagements e ON e.id = o.engagement_id \
                WHERE o.origin_id = p.id AND o.client_id = ANY ($12) AND e.deleted_at IS NULL \
                    AND o.executed_at IS NOT NULL)"
        }
    };
    format!(
        "{state} AND {used} AND p.repository_id = ANY ({})
    AND ($1 = '{{}}' OR NOT EXISTS (SELECT FROM unnest($1) wanted WHERE NOT EXISTS (
        SELECT FROM unnest(p.technique_ids) id WHERE id = wanted OR id LIKE wanted || '.%')))
    AND {}
    AND ($3 = '' OR p.platforms @> ARRAY[$3])
    AND ($4 = '' OR p.executors @> ARRAY[$4])
    AND ($5 = '' OR p.tags @> ARRAY[$5])
    AND {}
    AND ($7 IS NULL OR p.repository_id = $7)",
        seen(8),
        is_under_tactic(2),
        is_of_methodology(6)
    )
}

/// Binds what every search binds: `$1` to `$13`, then its words.
// sql_query: techniques match by array membership, and a word is a pattern more.
macro_rules! bound {
    ($sql:expr, $shelf:expr, $search:expr, $limit:expr) => {{
        let (patterns, techniques) = words($search);
        let place = $search.at.cursor();
        let plan = match $search.used {
            Used::InPlan(plan) => Some(plan),
            _ => None,
        };
        let mut query = diesel::sql_query($sql)
            .into_boxed::<diesel::pg::Pg>()
            .bind::<Array<Text>, _>(techniques)
            .bind::<Text, _>($search.tactic.clone())
            .bind::<Text, _>($search.platform.clone())
            .bind::<Text, _>($search.executor.clone())
            .bind::<Text, _>($search.tag.clone())
            .bind::<Text, _>($search.methodology.clone())
            .bind::<Nullable<SqlUuid>, _>($search.repository)
            .bind::<Nullable<SqlUuid>, _>($shelf.reader())
            .bind::<Nullable<Text>, _>(place.map(|place| place.key.clone()))
            .bind::<Nullable<SqlUuid>, _>(place.map(|place| place.id))
            .bind::<Nullable<SqlUuid>, _>(plan)
            .bind::<Array<SqlUuid>, _>($search.clients.ids().to_vec())
            .bind::<BigInt, _>($limit);
        for pattern in patterns {
            query = query.bind::<Text, _>(pattern);
        }
        query
    }};
}

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

/// Procedures in the order asked for, at most `limit`; before a place against that order.
pub fn search(conn: &mut PgConnection, shelf: Shelf, search: &Search, limit: i64) -> Result<Vec<Hit>> {
    // A name and an id read from the first on, changes from the newest.
    let (key, falls) = match search.sort {
        Sort::Name => ("lower(p.name)", false),
        Sort::Id => (
            "(SELECT s.prefix FROM repositories s WHERE s.id = p.repository_id) \
            || lpad(p.number::text, 10, '0')",
            false,
        ),
        Sort::Changed => ("to_char(p.updated_at, 'YYYYMMDDHH24MISSUS')", true),
    };
    let words = words(search).0.len();
    let (beyond, order) = if search.at.is_backwards() != falls { ("<", "DESC") } else { (">", "ASC") };
    let (rows, matches) = found_by(search, words);
    // In the text the planner sees how few rows of a walk are wanted; a list that walks has one limit.
    let most = if search.finds_much { limit.to_string() } else { "$13".to_owned() };
    // sql_query: words and techniques match by array membership; the order turns with the direction.
    let sql = format!(
        "WITH picked AS (SELECT {PICKED}, {key} AS sort_name FROM {rows} WHERE {matches}
            AND ($9 IS NULL OR ({key}, p.id) {beyond} ($9, $10))
            ORDER BY {key} {order}, p.id {order} LIMIT {most})
         {HIT} ORDER BY sort_name {order}, p.id {order}"
    );
    Ok(bound!(sql, shelf, search, limit).load(conn)?)
}

#[derive(QueryableByName)]
pub(super) struct Number {
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// How many procedures a search finds, at most `cap`, wherever it starts.
pub fn count(conn: &mut PgConnection, shelf: Shelf, search: &Search, cap: i64) -> Result<i64> {
    // sql_query: the condition of the search, so that the count is of what it finds.
    let (rows, matches) = found_by(search, words(search).0.len());
    let sql = format!("SELECT count(*) AS n FROM (SELECT FROM {rows} WHERE {matches} LIMIT $13) found");
    let everywhere = Search { at: At::default(), ..search.clone() };
    let number: Number = bound!(sql, shelf, &everywhere, cap).get_result(conn)?;
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
        "WITH picked AS (SELECT {PICKED}, lower(p.name) AS sort_name FROM library_procedures p \
            WHERE p.id = ANY ($1) \
            AND p.repository_id = ANY ({})) {HIT}",
        seen(2)
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Nullable<SqlUuid>, _>(shelf.reader())
    .load(conn)?;
    let by_id: HashMap<LibraryProcedureId, Hit> = found.into_iter().map(|hit| (hit.id, hit)).collect();
    Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
}

/// What the library can be filtered by: words that the procedures have which the reader knows of.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Choices {
    /// Tactics of the newest release, by short name, in the order of the matrix; then one's own.
    pub tactics: Vec<Choice>,
    pub platforms: Vec<String>,
    pub executors: Vec<String>,
    pub tags: Vec<String>,
    pub methodologies: Vec<Choice>,
    pub repositories: Vec<Choice>,
    /// Those of them that the reader may write in, as [`may_write`](super::shelf::may_write) says it.
    pub targets: Vec<Choice>,
    /// Test plans; none for whoever may not read them.
    pub plans: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Choice {
    /// Short name, key or id: what a form posts.
    pub key: String,
    pub name: String,
}

#[derive(QueryableByName)]
struct Json {
    #[diesel(sql_type = diesel::sql_types::Jsonb)]
    json: serde_json::Value,
}

/// What the library can be filtered by, in one statement.
pub fn list_choices(conn: &mut PgConnection, shelf: Shelf, reads_plans: bool) -> Result<Choices> {
    // sql_query: eight short lists at once.
    let sql = format!(
        "WITH known AS MATERIALIZED (SELECT p.platforms, p.executors, p.tags FROM library_procedures p
            WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL AND p.repository_id = ANY ({seen}) \
            GROUP BY p.platforms, p.executors, p.tags)
         SELECT jsonb_build_object(
            'tactics', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', t.key, 'name', t.name) \
                ORDER BY t.own, t.place, t.key), '[]') FROM (
                SELECT short_name AS key, name COLLATE names AS name, position AS place, 0 AS own \
                    FROM tactics \
                    WHERE version = (SELECT version FROM attack_versions ORDER BY rank DESC LIMIT 1)
                UNION ALL SELECT short_name, name, position, 1 FROM terms WHERE kind = 'tactic') t),
            'platforms', (SELECT coalesce(jsonb_agg(word ORDER BY word), '[]') \
                FROM (SELECT DISTINCT unnest(platforms) AS word FROM known) words),
            'executors', (SELECT coalesce(jsonb_agg(word ORDER BY word), '[]') \
                FROM (SELECT DISTINCT unnest(executors) AS word FROM known) words),
            'tags', (SELECT coalesce(jsonb_agg(word ORDER BY word), '[]') \
                FROM (SELECT DISTINCT unnest(tags) AS word FROM known) words),
            'methodologies', (SELECT coalesce(jsonb_agg(jsonb_build_object( \
                'key', coalesce(m.key, m.id::text), 'name', m.name) \
                ORDER BY m.key IS NULL, lower(m.name)), '[]') FROM terms m WHERE m.kind = 'methodology'),
            'repositories', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', r.id, \
                'name', r.name || ' (' || r.prefix || ')') \
                ORDER BY (r.key IS NOT NULL), lower(r.name), r.id), '[]') FROM repositories r \
                WHERE r.id = ANY ({seen})),
            'targets', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', r.id, \
                'name', r.name || ' (' || r.prefix || ')') \
                ORDER BY lower(r.name), r.id), '[]') FROM repositories r WHERE $3 AND (r.type = 'open' \
                OR r.type IN ('managed', 'private') AND EXISTS (SELECT FROM repository_people e \
                    WHERE e.repository_id = r.id AND e.person_id = $1 AND e.may_edit))),
            'plans', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', t.id, 'name', t.title) \
                ORDER BY lower(t.title)), '[]') FROM test_plans t \
                WHERE $2 AND t.deleted_at IS NULL)) AS json",
        seen = seen(1)
    );
    let row: Json = diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(shelf.reader())
        .bind::<Bool, _>(reads_plans)
        .bind::<Bool, _>(shelf.edits())
        .get_result(conn)?;
    Ok(serde_json::from_value(row.json)?)
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
    /// When the team retired it.
    pub retired_at: Option<DateTime<Utc>>,
    pub repository: RepositoryId,
    pub repository_name: String,
    /// Its id as people call it: `HLF-12`.
    pub shown_id: String,
    /// What it was copied from, and in which version.
    pub copied_from: Option<(LibraryProcedureId, i32)>,
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
            (versions::body, versions::n, versions::created_at),
            (procedures::current_version, procedures::withdrawn_at, procedures::retired_at),
            (repositories::id, repositories::name, repositories::prefix, procedures::number),
            (procedures::copied_from, procedures::copied_version),
        ))
        .into_boxed();
    let wanted = match version {
        Some(n) => wanted.filter(versions::n.eq(n)).filter(versions::n.gt(0)),
        None => wanted.filter(versions::n.eq(procedures::current_version)),
    };
    type Row = (
        (serde_json::Value, i32, DateTime<Utc>),
        (i32, Option<DateTime<Utc>>, Option<DateTime<Utc>>),
        (RepositoryId, String, String, i32),
        (Option<LibraryProcedureId>, Option<i32>),
    );
    let row: Row = wanted.first(conn)?;
    let (
        (body, version, version_at),
        (current, withdrawn_at, retired_at),
        (repository, repository_name, prefix, number),
        (from, from_version),
    ) = row;
    Ok(Procedure {
        id,
        body: serde_json::from_value(body)?,
        version,
        version_at,
        current,
        withdrawn_at,
        retired_at,
        repository,
        repository_name,
        shown_id: format!("{prefix}-{number}"),
        copied_from: from.zip(from_version),
    })
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
