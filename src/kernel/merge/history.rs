//! The history of fields that are saved one by one, which the merge compares against. One table for
//! procedures, engagements, reports and findings.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::field_history;
use crate::kernel::merge::{History, MergeField, Posted, Revision, Version};

crate::text_enum! {
    /// What merges field by field.
    pub enum SubjectKind {
        Procedure => "procedure", "Procedure";
        Engagement => "engagement", "Engagement";
        Report => "report", "Report";
        Finding => "finding", "Finding";
        Repository => "repository", "Repository";
        Client => "client", "Client";
        Asset => "asset", "Asset";
        Term => "term", "Term";
    }
}

/// What a history belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Subject(pub SubjectKind, pub Uuid);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    field: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    value: String,
    #[diesel(sql_type = Text)]
    person_name: String,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

/// For each posted field its newest revision and the newest one at or below the posted base.
pub fn read<F: MergeField>(
    conn: &mut PgConnection,
    subject: Subject,
    posted: &[Posted<F>],
) -> Result<History<F>> {
    let fields: Vec<&str> = posted.iter().map(|p| p.field.as_str()).collect();
    let bases: Vec<i32> = posted.iter().map(|p| p.base).collect();
    // sql_query: two index probes a field, all fields in one statement.
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT p.field, h.version, h.value, h.person_name, h.at
         FROM unnest($3::text[], $4::int[]) AS p(field, base) CROSS JOIN LATERAL (
            (SELECT version, value, person_name, at FROM field_history
             WHERE subject_type = $1 AND subject_id = $2 AND field = p.field ORDER BY version DESC LIMIT 1)
            UNION ALL
            (SELECT version, value, person_name, at FROM field_history
             WHERE subject_type = $1 AND subject_id = $2 AND field = p.field AND version <= p.base \
             ORDER BY version DESC LIMIT 1)
         ) h",
    )
    .bind::<Text, _>(subject.0.as_str())
    .bind::<SqlUuid, _>(subject.1)
    .bind::<Array<Text>, _>(&fields)
    .bind::<Array<Integer>, _>(&bases)
    .load(conn)?;
    let mut history = History::default();
    for row in rows {
        history.push(
            row.field.parse::<F>().map_err(|unknown| Error::Internal(unknown.into()))?,
            Revision { version: row.version, value: row.value, by: row.person_name, at: row.at },
        );
    }
    Ok(history)
}

/// The newest version of which something is noted; 0 where nothing is. What was deleted leaves its history.
pub fn last_version(conn: &mut PgConnection, subject: Subject) -> Result<Version> {
    let last: Option<i32> = field_history::table
        .filter(field_history::subject_type.eq(subject.0.as_str()))
        .filter(field_history::subject_id.eq(subject.1))
        .select(diesel::dsl::max(field_history::version))
        .first(conn)?;
    Ok(last.unwrap_or(0))
}

/// Notes the values that fields have from a version on, under the transaction's person and time.
///
/// # Errors
/// When the database refuses.
pub fn note<F: MergeField>(
    tx: &mut WriteTx<'_>,
    subject: Subject,
    values: &[(F, Version, &str)],
) -> Result<()> {
    let fields: Vec<&str> = values.iter().map(|(field, ..)| field.as_str()).collect();
    let versions: Vec<Version> = values.iter().map(|(_, version, _)| *version).collect();
    let texts: Vec<&str> = values.iter().map(|(.., value)| *value).collect();
    // sql_query: one text for any number of rows.
    diesel::sql_query(
        "INSERT INTO field_history \
            (subject_type, subject_id, field, version, value, person_id, person_name, at)
         SELECT $1, $2, field, version, value, $6, $7, $8
         FROM unnest($3::text[], $4::int[], $5::text[]) AS n(field, version, value)",
    )
    .bind::<Text, _>(subject.0)
    .bind::<SqlUuid, _>(subject.1)
    .bind::<Array<Text>, _>(fields)
    .bind::<Array<Integer>, _>(versions)
    .bind::<Array<Text>, _>(texts)
    .bind::<Nullable<SqlUuid>, _>(tx.actor().id.map(|id| id.0))
    .bind::<Text, _>(tx.actor().name.clone())
    .bind::<Timestamptz, _>(tx.now())
    .execute(tx.conn)?;
    Ok(())
}
