//! Reading reports.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Jsonb, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::content::Narrative;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AttachmentId, ClientId, EngagementId, ReportId};
use crate::kernel::base::keyset::Cursor;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{
    clients, engagements, report_publications, report_revisions, reports, settings,
};
use crate::kernel::web::permit::{Action, Permit, ReadReport};
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::reports::content::Cover;
use crate::reports::domain::{Attachment, Runbook};

/// Who may see which reports: everything at some clients, only what is published at others.
#[derive(Debug, Clone)]
pub struct Filter {
    all_at: Visible,
    published_at: Visible,
    /// Words that title, engagement or client must hold.
    pub q: String,
    pub client: Option<ClientId>,
    pub status: Option<ReportStatus>,
    /// Only those before this one in the list.
    pub after: Option<ReportCursor>,
}

impl Filter {
    /// Everything that this person may read.
    pub fn of(permit: &Permit<ReadReport>) -> Self {
        let rights = &permit.viewer().rights;
        Self {
            all_at: rights.clients_with(P::ReportRead),
            published_at: rights.clients_with(P::ReportReadPublished),
            q: String::new(),
            client: None,
            status: None,
            after: None,
        }
    }
}

/// A report in the list.
#[derive(Debug, Clone, Queryable)]
pub struct ReportRow {
    pub id: ReportId,
    pub title: String,
    pub status: ReportStatus,
    /// Name of the client.
    pub client: String,
    pub engagement: EngagementId,
    pub engagement_title: String,
    /// Whether it is still there.
    pub engagement_deleted: bool,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    pub tags: Vec<String>,
    pub updated_at: DateTime<Utc>,
}

/// The place of a report in the list, the last changed first.
pub type ReportCursor = Cursor<DateTime<Utc>, ReportId>;

impl ReportRow {
    pub fn cursor(&self) -> ReportCursor {
        Cursor { key: self.updated_at, id: self.id }
    }
}

macro_rules! joined {
    () => {
        reports::table
            .inner_join(engagements::table.on(engagements::id.eq(reports::engagement_id)))
            .inner_join(clients::table.on(clients::id.eq(reports::client_id)))
    };
}

/// The columns of a [`Head`] on the joined tables, and more beside them.
macro_rules! head_columns {
    ($($more:expr),*) => {
        (
            reports::id,
            reports::client_id,
            reports::status,
            clients::name,
            engagements::id,
            engagements::title,
            engagements::status,
            engagements::deleted_at,
            engagements::submitted_at,
            reports::version,
            Narrative::as_select(),
            sql::<Bool>("EXISTS (SELECT FROM procedures p WHERE p.engagement_id = engagements.id)"),
            $($more,)*
        )
    };
}

/// The filter's conditions on the joined tables. A macro, because the boxed query's type has no name worth
/// writing.
macro_rules! filtered {
    ($filter:expr) => {{
        let filter: &Filter = $filter;
        let published = reports::client_id
            .eq_any(filter.published_at.ids())
            .and(reports::status.eq(ReportStatus::Published));
        let mut query = joined!()
            .filter(reports::deleted_at.is_null())
            .filter(reports::client_id.eq_any(filter.all_at.ids()).or(published))
            // An engagement that was canceled before it was submitted has nothing to report.
            .filter(
                engagements::status
                    .ne(EngagementStatus::Canceled)
                    .or(engagements::submitted_at.is_not_null()),
            )
            .into_boxed();
        for word in filter.q.split_whitespace() {
            let pattern = like(word);
            let found = reports::title.ilike(pattern.clone()).or(engagements::title.ilike(pattern.clone()));
            let tagged =
                sql::<Bool>("array_to_string(reports.tags, ' ') ILIKE ").bind::<Text, _>(pattern.clone());
            query = query.filter(found.or(clients::name.ilike(pattern)).or(tagged));
        }
        if let Some(client) = filter.client {
            query = query.filter(reports::client_id.eq(client));
        }
        if let Some(status) = filter.status {
            query = query.filter(reports::status.eq(status));
        }
        query
    }};
}

/// Reports, the last changed first.
pub fn list_reports(conn: &mut PgConnection, filter: &Filter, limit: i64) -> Result<Vec<ReportRow>> {
    let mut query = filtered!(filter);
    if let Some(Cursor { key: at, id }) = filter.after {
        query =
            query.filter(reports::updated_at.lt(at).or(reports::updated_at.eq(at).and(reports::id.lt(id))));
    }
    Ok(query
        .order((reports::updated_at.desc(), reports::id.desc()))
        .limit(limit)
        .select((
            reports::id,
            reports::title,
            reports::status,
            clients::name,
            engagements::id,
            engagements::title,
            engagements::deleted_at.is_not_null(),
            engagements::submitted_at,
            reports::tags,
            reports::updated_at,
        ))
        .load(conn)?)
}

/// How many there are, counted no further than `cap`.
pub fn count_reports(conn: &mut PgConnection, filter: &Filter, cap: i64) -> Result<i64> {
    let query = filtered!(filter);
    Ok(query.limit(cap).select(reports::id).load::<Uuid>(conn)?.len() as i64)
}

/// A report's head, as it stands now.
#[derive(Debug, Clone, Queryable)]
pub struct Head {
    pub id: ReportId,
    pub client: ClientId,
    pub status: ReportStatus,
    /// Name of the client.
    pub client_name: String,
    pub engagement: EngagementId,
    pub engagement_title: String,
    pub engagement_status: EngagementStatus,
    /// When it was deleted.
    pub engagement_deleted_at: Option<DateTime<Utc>>,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub narrative: Narrative,
    /// Whether its runbook holds a procedure.
    pub has_procedures: bool,
}

impl Head {
    /// Whether the runbook has still to be submitted before the report can be written.
    pub fn waits(&self) -> bool {
        self.submitted_at.is_none() && self.has_procedures
    }
}

/// A report that this person may read; a draft is not there for whoever reads only published ones.
///
/// # Errors
/// [`Error::NotFound`].
pub fn get_head<A: Action>(conn: &mut PgConnection, id: ReportId, permit: &Permit<A>) -> Result<Head> {
    let head = load_head(conn, id, &permit.visible())?;
    visible_to(permit, head.status, head.client)?;
    Ok(head)
}

/// What a runbook on paper has beside its report.
pub struct OnPaper {
    pub cover: Cover,
    /// The engagement's own inputs.
    pub inputs: serde_json::Value,
    pub access_info: String,
    pub special_instructions: String,
}

/// The head of an engagement's report, for who reads the engagement itself, with what else its paper says.
///
/// # Errors
/// [`Error::NotFound`] when it has none yet.
pub fn get_head_of(
    conn: &mut PgConnection,
    engagement: EngagementId,
    visible: &Visible,
) -> Result<(Head, OnPaper)> {
    // The head's columns and the rest in one row: a tuple within a tuple is not read back where it holds a
    // struct.
    type Row = (
        ReportId,
        ClientId,
        ReportStatus,
        String,
        EngagementId,
        String,
        EngagementStatus,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        i32,
        Narrative,
        bool,
        String,
        String,
        serde_json::Value,
        String,
        String,
    );
    let row: Row = joined!()
        .filter(reports::engagement_id.eq(engagement).and(reports::deleted_at.is_null()))
        .filter(engagements::deleted_at.is_null())
        .filter(reports::client_id.eq_any(visible.ids()))
        .select(head_columns!(
            sql::<Text>("(SELECT organisation_name FROM settings)"),
            sql::<Text>("(SELECT classification FROM settings)"),
            sql::<Jsonb>(
                "coalesce((SELECT jsonb_object_agg(i.name, i.value) FROM engagement_inputs i \
                    WHERE i.engagement_id = reports.engagement_id), '{}')"
            ),
            engagements::access_info,
            engagements::special_instructions
        ))
        .first(conn)?;
    let head = Head {
        id: row.0,
        client: row.1,
        status: row.2,
        client_name: row.3,
        engagement: row.4,
        engagement_title: row.5,
        engagement_status: row.6,
        engagement_deleted_at: row.7,
        submitted_at: row.8,
        version: row.9,
        narrative: row.10,
        has_procedures: row.11,
    };
    let on_paper = OnPaper {
        cover: Cover { organisation: row.12, classification: row.13 },
        inputs: row.14,
        access_info: row.15,
        special_instructions: row.16,
    };
    Ok((head, on_paper))
}

fn load_head(conn: &mut PgConnection, id: ReportId, visible: &Visible) -> Result<Head> {
    Ok(joined!()
        .filter(reports::id.eq(id).and(reports::deleted_at.is_null()))
        .filter(reports::client_id.eq_any(visible.ids()))
        .select(head_columns!())
        .first(conn)?)
}

/// Whoever reads only published reports does not learn of the others, whatever they want with them.
pub(super) fn visible_to<A: Action>(
    permit: &Permit<A>,
    status: ReportStatus,
    client: ClientId,
) -> Result<()> {
    let only_published =
        permit.may_at(P::ReportReadPublished, client) && !permit.may_at(P::ReportRead, client);
    if only_published && status != ReportStatus::Published {
        return Err(Error::NotFound);
    }
    permit.check(client)
}

/// The runbook that Submit froze; none before it.
pub fn find_frozen(conn: &mut PgConnection, report: ReportId) -> Result<Option<Runbook>> {
    let body: Option<serde_json::Value> = report_revisions::table
        .filter(report_revisions::report_id.eq(report))
        .select(report_revisions::body)
        .first(conn)
        .optional()?;
    Ok(body.map(serde_json::from_value).transpose()?)
}

/// Who a report is from and who may read it: as it was published, else as it stands.
pub fn get_cover(conn: &mut PgConnection, head: &Head) -> Result<Cover> {
    let kept: Option<serde_json::Value> = report_publications::table
        .filter(report_publications::report_id.eq(head.id))
        .order(report_publications::n.desc())
        .select(sql::<Jsonb>("coalesce(report_publications.content -> 'cover', '{}')"))
        .first(conn)
        .optional()?;
    let published = kept.filter(|_| head.status == ReportStatus::Published);
    if let Some(cover) = published.and_then(|kept| serde_json::from_value::<Cover>(kept).ok()) {
        return Ok(cover);
    }
    let mut cover = get_house(conn)?;
    if !head.narrative.classification.is_empty() {
        cover.classification.clone_from(&head.narrative.classification);
    }
    Ok(cover)
}

/// The organisation as the settings name it, with its classification.
fn get_house(conn: &mut PgConnection) -> Result<Cover> {
    let (organisation, classification) =
        settings::table.select((settings::organisation_name, settings::classification)).first(conn)?;
    Ok(Cover { organisation, classification })
}

/// What a report shows of an attachment: among what Submit froze, its findings and what was published; for
/// who reads only published reports the newest publication alone.
///
/// # Errors
/// [`Error::NotFound`] when it shows no such file.
pub fn get_evidence(
    conn: &mut PgConnection,
    head: &Head,
    id: AttachmentId,
    inside: bool,
) -> Result<Attachment> {
    // sql_query: the frozen texts are searched in the database, and none of them is read here.
    let row: Option<EvidenceRow> = diesel::sql_query(
        "WITH shown AS (
            SELECT body, content FROM (SELECT p.body, p.content, p.n = max(p.n) OVER () AS newest
                FROM report_publications p WHERE p.report_id = $1) published WHERE newest OR $3
            UNION ALL SELECT v.body, NULL FROM report_revisions v WHERE v.report_id = $1 AND $3
        )
        SELECT file FROM (
            SELECT jsonb_path_query(body, '$.procedures[*].attachments[*] ? (@.id == $id)', vars) AS file
                FROM shown, jsonb_build_object('id', $2::text) AS vars
            UNION ALL SELECT jsonb_path_query(content, '$.findings[*].evidence[*] ? (@.id == $id)', vars)
                FROM shown, jsonb_build_object('id', $2::text) AS vars
            UNION ALL SELECT jsonb_build_object('id', t.id, 'team', t.team, 'title', t.title,
                    'description', t.description, 'file_name', t.file_name, 'media_type', t.media_type,
                    'size', t.size, 'sha256', encode(t.sha256, 'hex'), 'in_finding', t.in_finding,
                    'uploaded_by', '', 'uploaded_at', t.uploaded_at)
                FROM findings f JOIN finding_attachments a ON a.finding_id = f.id
                JOIN attachments t ON t.id = a.attachment_id
                WHERE f.report_id = $1 AND t.id = $2 AND $3
        ) found LIMIT 1",
    )
    .bind::<SqlUuid, _>(head.id)
    .bind::<SqlUuid, _>(id)
    .bind::<Bool, _>(inside)
    .get_result(conn)
    .optional()?;
    let row = row.ok_or(Error::NotFound)?;
    Ok(serde_json::from_value(row.file)?)
}

#[derive(QueryableByName)]
struct EvidenceRow {
    #[diesel(sql_type = Jsonb)]
    file: serde_json::Value,
}

/// Names of clients, to choose from.
pub fn list_client_names(conn: &mut PgConnection, of: &Visible) -> Result<Vec<(ClientId, String)>> {
    Ok(clients::table
        .filter(clients::id.eq_any(of.ids()))
        .order(clients::name)
        .select((clients::id, clients::name))
        .load(conn)?)
}
