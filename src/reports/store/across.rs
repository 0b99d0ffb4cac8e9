//! Findings across all published reports that somebody may read, with where their remediation stands.

use chrono::NaiveDate;
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text, Uuid as SqlUuid};

use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, FindingId, ReportId};
use crate::kernel::base::keyset::Cursor;
use crate::kernel::base::query::prelude::*;
use crate::procedures::domain::Severity;
use crate::reports::content::{FindingSort, FindingState, Remediation};

#[derive(Debug, Clone)]
pub struct FindingFilter {
    /// Clients whose reports may be read.
    pub readable: Visible,
    /// Words that the title, the report or the owner must hold.
    pub q: String,
    pub client: Option<ClientId>,
    pub severity: Option<Severity>,
    /// None of them: every state.
    pub states: Vec<FindingState>,
    /// Names under which the reader would be the owner; empty: whoever owns it.
    pub owners: Vec<String>,
    /// Only those that should be done by now.
    pub overdue: bool,
    pub today: NaiveDate,
    pub sort: FindingSort,
    pub after: Option<FindingCursor>,
}

/// The place of a finding in the list.
pub type FindingCursor = Cursor<String, FindingId>;

/// A finding in the list.
#[derive(Debug, Clone, QueryableByName)]
pub struct FindingRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: FindingId,
    #[diesel(sql_type = SqlUuid)]
    pub report: ReportId,
    #[diesel(sql_type = Text)]
    pub report_title: String,
    #[diesel(sql_type = SqlUuid)]
    pub client: ClientId,
    #[diesel(sql_type = Text)]
    pub client_name: String,
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = Text)]
    pub severity: Severity,
    #[diesel(sql_type = Text)]
    pub state: FindingState,
    #[diesel(sql_type = Text)]
    pub owner: String,
    #[diesel(sql_type = Array<Text>)]
    pub tags: Vec<String>,
    #[diesel(sql_type = Nullable<Date>)]
    pub due_on: Option<NaiveDate>,
    /// What the list is sorted by.
    #[diesel(sql_type = Text)]
    pub key: String,
}

impl FindingRow {
    pub fn cursor(&self) -> FindingCursor {
        Cursor { key: self.key.clone(), id: self.id }
    }
    pub fn remediation(&self) -> Remediation {
        Remediation { state: self.state, owner: self.owner.clone(), due_on: self.due_on }
    }
}

/// The conditions of the filter, `$1` to `$8`.
const FILTERED: &str = "FROM findings f JOIN reports r ON r.id = f.report_id
    JOIN clients c ON c.id = r.client_id
    WHERE r.status = 'published' AND r.deleted_at IS NULL AND r.client_id = ANY ($1)
        AND ($2::uuid IS NULL OR r.client_id = $2)
        AND ($3::text IS NULL OR f.severity = $3)
        AND (cardinality($4::text[]) = 0 OR f.state = ANY ($4))
        AND (cardinality($5::text[]) = 0 OR lower(f.owner) = ANY ($5))
        AND (NOT $6 OR (f.due_on < $7 AND f.state IN ('open', 'in_remediation')))
        AND NOT EXISTS (SELECT FROM unnest($8::text[]) word WHERE NOT (f.title ILIKE word \
            OR r.title ILIKE word OR f.owner ILIKE word OR c.name ILIKE word \
            OR array_to_string(f.tags, ' ') ILIKE word))";

macro_rules! filtered {
    ($sql:expr, $filter:expr) => {{
        // sql_query: see the callers.
        let filter: &FindingFilter = $filter;
        let words: Vec<String> = filter.q.split_whitespace().map(crate::kernel::base::text::like).collect();
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        let owners: Vec<String> = filter.owners.iter().map(|owner| owner.to_lowercase()).collect();
        diesel::sql_query($sql)
            .bind::<Array<SqlUuid>, _>(filter.readable.ids())
            .bind::<Nullable<SqlUuid>, _>(filter.client)
            .bind::<Nullable<Text>, _>(filter.severity.map(|severity| severity.as_str()))
            .bind::<Array<Text>, _>(states)
            .bind::<Array<Text>, _>(owners)
            .bind::<Bool, _>(filter.overdue)
            .bind::<Date, _>(filter.today)
            .bind::<Array<Text>, _>(words)
    }};
}

/// What a list is sorted by, as a text that grows with it.
fn key_of(sort: FindingSort) -> &'static str {
    match sort {
        FindingSort::Due => "to_char(coalesce(f.due_on, '9999-12-31'), 'YYYY-MM-DD')",
        FindingSort::Severity => {
            "(array_position(ARRAY['critical', 'high', 'medium', 'low', 'informational'], f.severity))::text"
        }
        FindingSort::Title => "lower(f.title)",
    }
}

/// A page of them.
pub fn list_across(conn: &mut PgConnection, filter: &FindingFilter, limit: i64) -> Result<Vec<FindingRow>> {
    // sql_query: three sorts by one keyset, and words that must each be found somewhere.
    let key = key_of(filter.sort);
    let sql = format!(
        "SELECT f.id, r.id AS report, r.title AS report_title, c.id AS client, c.name AS client_name, \
            f.title, f.severity, f.state, f.owner, f.tags, f.due_on, {key} AS key {FILTERED}
            AND ($9::text IS NULL OR ({key} COLLATE \"C\", f.id) > ($9 COLLATE \"C\", $10::uuid))
         ORDER BY {key} COLLATE \"C\", f.id LIMIT $11"
    );
    let after = filter.after.as_ref();
    Ok(filtered!(sql, filter)
        .bind::<Nullable<Text>, _>(after.map(|cursor| cursor.key.clone()))
        .bind::<Nullable<SqlUuid>, _>(after.map(|cursor| cursor.id))
        .bind::<BigInt, _>(limit)
        .load(conn)?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How many there are, counted no further than `cap`.
pub fn count_across(conn: &mut PgConnection, filter: &FindingFilter, cap: i64) -> Result<i64> {
    let sql = format!("SELECT count(*) AS n FROM (SELECT 1 {FILTERED} LIMIT $9) counted");
    let row: Counted = filtered!(sql, filter).bind::<BigInt, _>(cap).get_result(conn)?;
    Ok(row.n)
}
