//! The list of engagements: filtered, sorted by stored columns, paged by keyset.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::{exists, sql};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};

use crate::engagements::domain::RunbookState;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};
use crate::kernel::base::keyset::{At, Cursor, Key, Page};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{clients, engagement_activity, engagement_operators, engagements, people};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::Progress;
use crate::procedures::store::runbook::list_progress;

crate::text_enum! {
    /// What the list is sorted by.
    pub enum Sort {
        Activity => "activity", "Last updated";
        Title => "title", "Title";
        Client => "client", "Client";
        Start => "start", "Start";
    }
}

/// What the list shows, in which order, and from where on.
#[derive(Debug, Clone)]
pub struct Search {
    /// Part of a title, a client's name or a test plan's title.
    pub q: String,
    pub client: Option<ClientId>,
    /// Only those in this status.
    pub status: Option<EngagementStatus>,
    /// The moment that statuses are judged at.
    pub now: DateTime<Utc>,
    /// Only those with this operator.
    pub operator: Option<PersonId>,
    /// Only those with this tag.
    pub tag: String,
    pub sort: Sort,
    pub descending: bool,
    pub at: At<Place>,
}

/// A place in the sorted list: the row's sorting value, times as [`keyset::Key`] writes them, and its id.
pub type Place = Cursor<String, EngagementId>;

/// A row of the list.
#[derive(Debug, Clone, Queryable)]
pub struct Row {
    pub id: EngagementId,
    pub title: String,
    pub client: ClientId,
    pub client_name: String,
    /// The test plan's title when it was made, or nothing.
    pub plan: String,
    pub status: EngagementStatus,
    pub start: Option<NaiveDate>,
    /// When it starts or, without a date, when it was made.
    pub starts: DateTime<Utc>,
    /// Whether its runbook is submitted.
    pub submitted: Option<DateTime<Utc>>,
    pub updated: DateTime<Utc>,
    pub updated_by: String,
    /// The title as the database sorts it.
    pub title_key: String,
    /// The client's name as the database sorts it.
    pub client_key: String,
}

impl Row {
    pub fn place(&self, sort: Sort) -> Place {
        let key = match sort {
            Sort::Activity => self.updated.written(),
            Sort::Title => self.title_key.clone(),
            Sort::Client => self.client_key.clone(),
            Sort::Start => self.starts.written(),
        };
        Place { key, id: self.id }
    }
}

/// A page of the list: its rows and where their runbooks stand.
pub type EngagementPage = Page<(Row, RunbookState, Progress)>;

/// The instant that a key in an address names; 1970 for a broken one.
fn instant(key: &str) -> DateTime<Utc> {
    Key::read(key).unwrap_or(DateTime::UNIX_EPOCH)
}

/// One page of the engagements at these clients.
pub fn list(conn: &mut PgConnection, at: &Visible, search: &Search, limit: usize) -> Result<EngagementPage> {
    let mut query = engagements::table
        .inner_join(clients::table)
        .inner_join(engagement_activity::table)
        .filter(engagements::deleted_at.is_null().and(engagements::client_id.eq_any(at.ids())))
        .into_boxed();
    if !search.q.is_empty() {
        let like = like(&search.q);
        query = query.filter(
            engagements::title
                .ilike(like.clone())
                .or(clients::name.ilike(like.clone()))
                .or(engagements::test_plan_title.ilike(like)),
        );
    }
    if let Some(client) = search.client {
        query = query.filter(engagements::client_id.eq(client));
    }
    // What time has brought counts, whether or not the hourly job has been there.
    let began = || {
        engagements::status
            .eq(EngagementStatus::Scheduled)
            .and(engagements::starts_at.le(search.now))
            .assume_not_null()
    };
    query = match search.status {
        None => query,
        Some(EngagementStatus::InProgress) => {
            query.filter(engagements::status.eq(EngagementStatus::InProgress).or(began()))
        }
        Some(EngagementStatus::Scheduled) => query.filter(
            engagements::status
                .eq(EngagementStatus::Scheduled)
                .and(engagements::starts_at.gt(search.now).assume_not_null()),
        ),
        Some(status) => query.filter(engagements::status.eq(status)),
    };
    if let Some(operator) = search.operator {
        query = query.filter(exists(
            engagement_operators::table.filter(
                engagement_operators::engagement_id
                    .eq(engagements::id)
                    .and(engagement_operators::person_id.eq(operator)),
            ),
        ));
    }
    if !search.tag.is_empty() {
        query = query.filter(engagements::tags.contains(vec![search.tag.clone()]));
    }
    let descending = search.descending != search.at.is_backwards();
    // One sorting value for each name of the enum; ids break ties, so that no row is shown twice or left out.
    macro_rules! sorted {
        ($key:expr, $value:expr) => {{
            if let Some(from) = search.at.cursor() {
                let value = $value(&from.key);
                query = if descending {
                    query.filter($key.lt(value.clone()).or($key.eq(value).and(engagements::id.lt(from.id))))
                } else {
                    query.filter($key.gt(value.clone()).or($key.eq(value).and(engagements::id.gt(from.id))))
                };
            }
            query = if descending {
                query.order(($key.desc(), engagements::id.desc()))
            } else {
                query.order(($key.asc(), engagements::id.asc()))
            };
        }};
    }
    let text = |key: &String| key.clone();
    let time = |key: &String| instant(key);
    match search.sort {
        Sort::Activity => sorted!(engagement_activity::at, time),
        Sort::Title => sorted!(sql::<Text>("lower(engagements.title)"), text),
        Sort::Client => sorted!(sql::<Text>("lower(clients.name)"), text),
        Sort::Start => {
            sorted!(sql::<Timestamptz>("coalesce(engagements.starts_at, engagements.created_at)"), time)
        }
    }
    let rows: Vec<Row> = query
        .limit(limit as i64 + 1)
        .select((
            engagements::id,
            engagements::title,
            engagements::client_id,
            clients::name,
            engagements::test_plan_title,
            engagements::status,
            engagements::start_date,
            sql::<Timestamptz>("coalesce(engagements.starts_at, engagements.created_at)"),
            engagements::submitted_at,
            engagement_activity::at,
            engagement_activity::by_name,
            sql::<Text>("lower(engagements.title)"),
            sql::<Text>("lower(clients.name)"),
        ))
        .load(conn)?;
    let page = Page::cut(rows, &search.at, limit);
    let ids: Vec<EngagementId> = page.rows.iter().map(|row| row.id).collect();
    let progress = list_progress(conn, &ids, at)?;
    Ok(page.map(|mut row| {
        row.status = row.status.as_of(Some(row.starts), search.now);
        let progress = progress.get(&row.id).copied().unwrap_or_default();
        let state = RunbookState::of(progress, row.submitted.is_some());
        (row, state, progress)
    }))
}

/// What the filters offer.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    pub clients: Vec<(ClientId, String)>,
    /// People who are operators of an engagement that can be seen, by name.
    pub operators: Vec<(PersonId, String)>,
    pub tags: Vec<String>,
    /// How many engagements can be seen at all.
    pub engagements: i64,
}

#[derive(QueryableByName)]
struct Tags {
    #[diesel(sql_type = Array<Text>)]
    tags: Vec<String>,
    #[diesel(sql_type = BigInt)]
    engagements: i64,
}

/// What the filters of the list offer somebody who sees these clients.
pub fn choices(conn: &mut PgConnection, at: &Visible) -> Result<Choices> {
    let own = engagements::table
        .filter(engagements::deleted_at.is_null().and(engagements::client_id.eq_any(at.ids())))
        .select(engagements::id);
    let clients = clients::table
        .filter(clients::id.eq_any(at.ids()))
        .order(clients::name)
        .select((clients::id, clients::name))
        .load(conn)?;
    let operators = people::table
        .filter(
            people::id.eq_any(
                engagement_operators::table
                    .filter(engagement_operators::engagement_id.eq_any(own))
                    .select(engagement_operators::person_id),
            ),
        )
        .order(people::name)
        .select((people::id, people::name))
        .load(conn)?;
    // sql_query: the tags' elements and the count in one pass.
    let tags: Tags = diesel::sql_query(
        "SELECT count(*) AS engagements, ARRAY(SELECT DISTINCT tag FROM engagements e, unnest(e.tags) tag
            WHERE e.deleted_at IS NULL AND e.client_id = ANY ($1) ORDER BY tag LIMIT 200) AS tags
         FROM engagements WHERE deleted_at IS NULL AND client_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(at.ids())
    .get_result(conn)?;
    Ok(Choices { clients, operators, tags: tags.tags, engagements: tags.engagements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_for_a_percent_sign_finds_a_percent_sign() {
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn a_broken_cursor_is_harmless() {
        assert_eq!(instant("x"), DateTime::UNIX_EPOCH);
        assert_eq!(instant("1000000").timestamp(), 1);
    }
}
