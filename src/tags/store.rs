//! SQL of tags over all tables that have them. Counts and suggestions are of what the reader may see; a new
//! name is taken over everywhere, because a tag is one word of the whole installation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::json;

use super::domain::Bearer;
use crate::kernel::authz::{Permission as P, Shelf, Visible};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::Viewer;
use crate::library::store::shelf::seen;
use crate::library::store::tags::rename_tag;

/// Most tags that a field is offered.
const OFFERED: i64 = 500;

/// What somebody may see of what bears tags.
#[derive(Debug, Clone)]
pub struct Sight {
    clients: Visible,
    engagements: Visible,
    reports: Visible,
    published: Visible,
    library: bool,
    plans: bool,
    shelf: Shelf,
}

impl Sight {
    pub fn of(viewer: &Viewer) -> Self {
        let rights = &viewer.rights;
        Self {
            clients: rights.clients_with(P::ClientRead),
            engagements: rights.clients_with(P::EngagementRead),
            reports: rights.clients_with(P::ReportRead),
            published: rights.clients_with(P::ReportReadPublished),
            library: rights.may(P::LibraryRead),
            plans: rights.may(P::TestPlanRead),
            shelf: rights.shelf(viewer.id),
        }
    }
}

/// Every tag with what bears it, `$1` to `$7` as [`Sight`] has them.
const BORNE: &str = "SELECT 'client' AS bearer, unnest(tags) AS tag FROM clients WHERE id = ANY ($1)
    UNION ALL SELECT 'asset', unnest(tags) FROM assets WHERE client_id = ANY ($1)
    UNION ALL SELECT 'engagement', unnest(tags) FROM engagements
        WHERE client_id = ANY ($2) AND deleted_at IS NULL
    UNION ALL SELECT 'report', unnest(tags) FROM reports WHERE deleted_at IS NULL
        AND (client_id = ANY ($3) OR status = 'published' AND client_id = ANY ($4))
    UNION ALL SELECT 'finding', unnest(f.tags) FROM findings f JOIN reports r ON r.id = f.report_id
        WHERE r.deleted_at IS NULL
        AND (r.client_id = ANY ($3) OR r.status = 'published' AND r.client_id = ANY ($4))
    UNION ALL SELECT 'term', unnest(tags) FROM terms WHERE $5
    UNION ALL SELECT 'plan', unnest(tags) FROM test_plans WHERE $6 AND deleted_at IS NULL
    UNION ALL SELECT 'procedure', unnest(tags) FROM library_procedures
        WHERE $5 AND withdrawn_at IS NULL AND retired_at IS NULL AND repository_id = ANY ({seen})";

fn borne() -> String {
    BORNE.replace("{seen}", &seen(7))
}

macro_rules! seen {
    ($sql:expr, $sight:expr) => {{
        // sql_query: see the callers.
        let sight: &Sight = $sight;
        diesel::sql_query($sql)
            .bind::<Array<SqlUuid>, _>(sight.clients.ids())
            .bind::<Array<SqlUuid>, _>(sight.engagements.ids())
            .bind::<Array<SqlUuid>, _>(sight.reports.ids())
            .bind::<Array<SqlUuid>, _>(sight.published.ids())
            .bind::<Bool, _>(sight.library)
            .bind::<Bool, _>(sight.plans)
            .bind::<Nullable<SqlUuid>, _>(sight.shelf.reader())
    }};
}

#[derive(QueryableByName)]
struct Offered {
    #[diesel(sql_type = Text)]
    tag: String,
}

/// The tags that a field offers, the most used first.
pub fn list_offered(conn: &mut PgConnection, sight: &Sight) -> Result<Vec<String>> {
    // sql_query: one list over eight tables.
    let sql = format!("SELECT tag FROM ({}) b GROUP BY tag ORDER BY count(*) DESC, tag LIMIT $8", borne());
    let rows: Vec<Offered> = seen!(sql, sight).bind::<BigInt, _>(OFFERED).load(conn)?;
    Ok(rows.into_iter().map(|row| row.tag).collect())
}

/// A tag and how often it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagUse {
    pub tag: String,
    /// How many of each bear it, where any does.
    pub by: Vec<(Bearer, i64)>,
}

impl TagUse {
    pub fn total(&self) -> i64 {
        self.by.iter().map(|(_, number)| number).sum()
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    tag: String,
    #[diesel(sql_type = Text)]
    bearer: Bearer,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The tags that hold every word of `q`, by name; with `exactly` only the one of that name.
fn list_counted(
    conn: &mut PgConnection,
    sight: &Sight,
    q: &str,
    exactly: Option<&str>,
) -> Result<Vec<TagUse>> {
    let words: Vec<String> = q
        .split_whitespace()
        .take(8)
        .map(|word| crate::kernel::base::text::like(&word.to_lowercase()))
        .collect();
    // sql_query: one count over eight tables.
    let sql = format!(
        "SELECT tag, bearer, count(*) AS n FROM ({}) b WHERE tag LIKE ALL ($8) \
            AND ($9::text IS NULL OR tag = $9) GROUP BY tag, bearer ORDER BY tag",
        borne()
    );
    let rows: Vec<Counted> =
        seen!(sql, sight).bind::<Array<Text>, _>(words).bind::<Nullable<Text>, _>(exactly).load(conn)?;
    let mut tags: BTreeMap<String, Vec<(Bearer, i64)>> = BTreeMap::new();
    for row in rows {
        tags.entry(row.tag).or_default().push((row.bearer, row.n));
    }
    let place = |bearer: &Bearer| Bearer::ALL.iter().position(|one| one == bearer);
    Ok(tags
        .into_iter()
        .map(|(tag, mut by)| {
            by.sort_by_key(|(bearer, _)| place(bearer));
            TagUse { tag, by }
        })
        .collect())
}

/// The tags that hold every word of `q`, by name.
pub fn list_tags(conn: &mut PgConnection, sight: &Sight, q: &str) -> Result<Vec<TagUse>> {
    list_counted(conn, sight, q, None)
}

/// A tag that something which the reader sees bears.
pub fn find_tag(conn: &mut PgConnection, sight: &Sight, tag: &str) -> Result<Option<TagUse>> {
    Ok(list_counted(conn, sight, "", Some(tag))?.pop())
}

/// A row's tags with `$1` called `$2`, each once and in their order.
const RENAMED: &str = "ARRAY(SELECT tag FROM (SELECT CASE WHEN old = $1 THEN $2 ELSE old END AS tag, \
    min(place) AS place FROM unnest(tags) WITH ORDINALITY o (old, place) GROUP BY 1) n ORDER BY place)";

/// What several people may edit at once: how its table's statement begins, and what its history is filed
/// under.
const MERGING: [(&str, &str); 6] = [
    ("UPDATE clients SET tags =", "client"),
    ("UPDATE assets SET tags =", "asset"),
    ("UPDATE engagements SET tags =", "engagement"),
    ("UPDATE reports SET tags =", "report"),
    ("UPDATE findings SET tags =", "finding"),
    ("UPDATE terms SET tags =", "term"),
];

/// Gives a tag another name wherever it stands, also where the person sees nothing of it; one that is there
/// already takes it in. Says how many rows bore it.
///
/// # Errors
/// [`Error::NotFound`] where nothing that the person sees bears it.
pub fn rename(tx: &mut WriteTx<'_>, sight: &Sight, from: &str, to: &str) -> Result<Audited<usize>> {
    find_tag(tx.conn, sight, from)?.ok_or(Error::NotFound)?;
    if from == to {
        return Ok(tx.unchanged(0));
    }
    let merges = find_tag(tx.conn, sight, to)?.is_some();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (update, subject) in MERGING {
        counts.insert(subject, rename_merging(tx, update, subject, (from, to))?);
    }
    counts.insert("test_plan", rename_plans(tx, from, to)?);
    counts.insert("library_procedure", rename_tag(tx, from, to)?);
    let total = counts.values().sum();
    let (kind, sentence) = if merges {
        (Kind::TagMerged, format!("Merged the tag “{from}” into “{to}”"))
    } else {
        (Kind::TagRenamed, format!("Renamed the tag “{from}” to “{to}”"))
    };
    tx.audited(
        total,
        Event::new(kind, sentence).detail(json!({ "before": from, "after": to, "rows": counts })),
    )
}

/// The field's history goes on, so that an edit from before meets the new name and does not bring back the
/// old.
fn rename_merging(tx: &mut WriteTx<'_>, update: &str, subject: &str, names: (&str, &str)) -> Result<usize> {
    let (person, name, now): (_, String, DateTime<Utc>) = (tx.actor().id, tx.actor().name.clone(), tx.now());
    // sql_query: row and history in one statement for each table.
    let sql = format!(
        "WITH moved AS ({update} {RENAMED}, version = version + 1 WHERE tags @> ARRAY[$1] \
            RETURNING id, version, tags)
         INSERT INTO field_history \
            (subject_type, subject_id, field, version, value, person_id, person_name, at)
         SELECT $3, id, 'tags', version, array_to_string(tags, ', '), $4, $5, $6 FROM moved"
    );
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(names.0)
        .bind::<Text, _>(names.1)
        .bind::<Text, _>(subject)
        .bind::<Nullable<SqlUuid>, _>(person)
        .bind::<Text, _>(name)
        .bind::<Timestamptz, _>(now)
        .execute(tx.conn)?)
}

/// Of a plan it is a save like any other: a version of its own.
fn rename_plans(tx: &mut WriteTx<'_>, from: &str, to: &str) -> Result<usize> {
    // sql_query: row and version in one statement.
    let sql = format!(
        "WITH moved AS (UPDATE test_plans SET tags = {RENAMED}, version = version + 1, updated_at = $3 \
            WHERE tags @> ARRAY[$1] RETURNING id, version, tags)
         INSERT INTO test_plan_versions (test_plan_id, n, body, created_at, created_by)
         SELECT m.id, m.version, v.body || jsonb_build_object('tags', to_jsonb(m.tags)), $3, $4
         FROM moved m JOIN test_plan_versions v ON v.test_plan_id = m.id AND v.n = m.version - 1"
    );
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(from)
        .bind::<Text, _>(to)
        .bind::<Timestamptz, _>(tx.now())
        .bind::<Nullable<SqlUuid>, _>(tx.actor().id)
        .execute(tx.conn)?)
}
