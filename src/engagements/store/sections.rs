//! Bodies of the engagement page's sections, one statement each.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Array, BigInt, Bool, Date, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use serde::Deserialize;
use uuid::Uuid;

use crate::engagements::glance::Answered;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{AttachmentId, ClientId, EngagementId, LogEntryId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::{attachments, log_entries, people, procedures};
use crate::procedures::domain::{Observed, ProcedureStatus};
use crate::procedures::entries::{SHOWN, SHOWN_BYTES};
use crate::procedures::store::runbook::{ASSET_ANSWERS, AssetAnswers, meanings, procedures_of};
use crate::settings::domain::Outcome;

/// Somebody with access to a client, as a choice of operator.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub id: PersonId,
    pub name: String,
    /// The role at the client.
    pub role: String,
    /// Whether they may be chosen: access to the client and an account in use.
    pub has_access: bool,
    /// First day of theirs, where it is not the engagement's.
    pub from: Option<NaiveDate>,
    /// Last day of theirs.
    pub to: Option<NaiveDate>,
    /// Other engagements of theirs in these dates, each in a line.
    pub bookings: Vec<String>,
    /// Whether there are dates in which others could lie.
    pub dated: bool,
}

/// "Tor Lind: Winter drill, 3 Dec – 5 Dec" for each other booking of those who are meant.
pub fn clashes(candidates: &[Candidate], is_meant: impl Fn(PersonId) -> bool) -> Vec<String> {
    let of = |c: &Candidate| -> Vec<String> {
        c.bookings.iter().map(|booking| format!("{}: {booking}", c.name)).collect()
    };
    candidates.iter().filter(|c| is_meant(c.id)).flat_map(of).collect()
}

#[derive(Debug, Clone, QueryableByName)]
struct CandidateRow {
    #[diesel(sql_type = SqlUuid)]
    id: PersonId,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    has_access: bool,
    #[diesel(sql_type = Nullable<Date>)]
    from: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Date>)]
    to: Option<NaiveDate>,
    #[diesel(sql_type = Array<Jsonb>)]
    bookings: Vec<serde_json::Value>,
    #[diesel(sql_type = Bool)]
    dated: bool,
}

/// Another engagement of a person, as the database tells it.
#[derive(Deserialize)]
struct Booked {
    title: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl CandidateRow {
    fn read(self) -> Result<Candidate> {
        let Self { id, name, role, has_access, from, to, bookings, dated } = self;
        let more = bookings.len() > BOOKINGS;
        let told = |booked: serde_json::Value| -> Result<String> {
            let Booked { title, from, to } = serde_json::from_value(booked)?;
            let dates = show::dates(from, to);
            Ok(if dates.is_empty() { title } else { format!("{title}, {dates}") })
        };
        let mut bookings: Vec<String> =
            bookings.into_iter().take(BOOKINGS).map(told).collect::<Result<_>>()?;
        bookings.extend(more.then(|| "and more".to_owned()));
        Ok(Candidate { id, name, role, has_access, from, to, bookings, dated })
    }
}

/// How many bookings of a person are told one by one.
const BOOKINGS: usize = 20;

/// The people with access to a client, and the operators of `own` who lost it, each with their other bookings
/// that overlap the dates; without any dates, or with an end before the start, there are none. Titles of
/// other clients' engagements show only to who sees those clients.
pub fn list_candidates(
    conn: &mut PgConnection,
    client: ClientId,
    own: Option<EngagementId>,
    dates: (Option<NaiveDate>, Option<NaiveDate>),
    (visible, others): (&Visible, bool),
) -> Result<Vec<Candidate>> {
    // sql_query: overlapping dates, with open ends on either side, for all people at once. What runs without
    // an end may last; what is only booked without one takes its first day, as in the calendar.
    let candidates: Vec<CandidateRow> = diesel::sql_query(
        "SELECT p.id, p.name, coalesce(r.name, '') AS role,
            r.id IS NOT NULL AND p.status <> 'disabled' AND p.deleted_at IS NULL AS has_access,
            (SELECT min(starts_on) FROM engagement_operators WHERE engagement_id = $2 \
            AND person_id = p.id) AS \"from\",
            (SELECT max(ends_on) FROM engagement_operators WHERE engagement_id = $2 \
            AND person_id = p.id) AS \"to\",
            ARRAY(SELECT jsonb_build_object(
                    'title', CASE WHEN e.client_id = ANY ($5) THEN e.title ELSE 'Another client' END,
                    'from', coalesce(min(o.starts_on), e.start_date),
                    'to', coalesce(max(o.ends_on), e.end_date))
                FROM engagement_operators o JOIN engagements e ON e.id = o.engagement_id
                WHERE o.person_id = p.id AND (e.client_id = ANY ($5) OR $6) AND e.deleted_at IS NULL \
                AND e.status IN ('pending', 'scheduled', 'in_progress')
                    AND e.id IS DISTINCT FROM $2
                    AND ($3::date IS NULL OR coalesce(o.ends_on, e.end_date, CASE \
                    WHEN e.status = 'in_progress' THEN 'infinity' \
                    ELSE coalesce(e.start_date, 'infinity') END) >= $3)
                    AND ($4::date IS NULL OR coalesce(o.starts_on, e.start_date, '-infinity') <= $4)
                    AND ($3::date IS NOT NULL OR $4::date IS NOT NULL)
                GROUP BY e.id ORDER BY e.start_date NULLS FIRST, e.title LIMIT 21) AS bookings,
            coalesce(coalesce($3::date, $4) <= coalesce($4::date, $3), false) AS dated
         FROM people p LEFT JOIN client_access a ON a.person_id = p.id AND a.client_id = $1 LEFT \
         JOIN roles r ON r.id = a.role_id
         WHERE (a.client_id IS NOT NULL AND p.status <> 'disabled' AND p.deleted_at IS NULL) 
            OR p.id IN (SELECT person_id FROM engagement_operators WHERE engagement_id = $2) \
            ORDER BY p.name, p.id",
    )
    .bind::<SqlUuid, _>(client)
    .bind::<Nullable<SqlUuid>, _>(own)
    .bind::<Nullable<Date>, _>(dates.0)
    .bind::<Nullable<Date>, _>(dates.1)
    .bind::<Array<SqlUuid>, _>(visible.ids())
    .bind::<Bool, _>(others)
    .load(conn)?;
    candidates.into_iter().map(CandidateRow::read).collect()
}

/// An asset that procedures of the engagement use.
#[derive(Debug, Clone, QueryableByName)]
pub struct UsedAsset {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub criticality: String,
    #[diesel(sql_type = Text)]
    pub address: String,
    /// Positions of the procedures that use it.
    #[diesel(sql_type = Array<Integer>)]
    pub positions: Vec<i32>,
    /// Their ids, in the same order.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub procedures: Vec<ProcedureId>,
}

/// The assets in use, by name.
pub fn list_assets(conn: &mut PgConnection, id: EngagementId) -> Result<Vec<UsedAsset>> {
    // sql_query: ordered arrays of the procedures behind each asset.
    Ok(diesel::sql_query(
        "SELECT a.id, a.name, a.kind, a.criticality, a.address, array_agg(p.position \
            ORDER BY p.position) AS positions,
            array_agg(p.id ORDER BY p.position) AS procedures
         FROM procedure_assets pa JOIN procedures p ON p.id = pa.procedure_id \
         JOIN assets a ON a.id = pa.asset_id
         WHERE p.engagement_id = $1 GROUP BY a.id ORDER BY lower(a.name), a.id",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)?)
}

/// Both teams' answers with their times, for the glance.
pub fn list_answers(
    conn: &mut PgConnection,
    id: EngagementId,
    outcomes: &[Outcome],
    visible: &Visible,
) -> Result<Vec<Answered>> {
    type Row = (
        (ProcedureId, i32, String),
        Vec<String>,
        ProcedureStatus,
        Option<String>,
        Option<String>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        Option<DateTime<Utc>>,
        serde_json::Value,
    );
    let rows: Vec<Row> = procedures_of(id, visible)
        .select((
            (procedures::id, procedures::position, procedures::name),
            procedures::tactics,
            procedures::status,
            procedures::red_outcome,
            procedures::blue_outcome,
            procedures::executed_at,
            procedures::detected_at,
            procedures::responded_at,
            sql::<Jsonb>(ASSET_ANSWERS),
        ))
        .load(conn)?;
    let meaning = |key: Option<String>| {
        key.and_then(|key| outcomes.iter().find(|outcome| outcome.key == key)).map(|found| found.meaning)
    };
    let answered = |row: Row| {
        let ((id, position, name), tactics, status, red, blue, executed, detected, responded, assets) = row;
        let assets: AssetAnswers = serde_json::from_value(assets)?;
        Ok(Answered {
            id,
            position,
            name,
            tactics,
            red: meaning(red),
            observed: Observed { executed, detected, responded, blue: meaning(blue) },
            assets: meanings(&assets, outcomes),
            not_applicable: status == ProcedureStatus::NotApplicable,
        })
    };
    rows.into_iter().map(answered).collect()
}

/// A log entry in the timeline.
#[derive(Debug, Clone, Queryable)]
pub struct Entry {
    pub id: LogEntryId,
    pub team: Team,
    pub text: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub author: String,
    pub procedure: ProcedureId,
    pub position: i32,
    pub procedure_name: String,
}

/// How many entries the timeline shows at once, and how much text of theirs, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct TimelinePage {
    /// The entry before which they lie; the newest ones without it.
    pub before: Option<LogEntryId>,
    pub entries: i64,
    /// Bytes of their texts together, at most; one entry is shown whatever its length.
    pub bytes: i64,
}

impl TimelinePage {
    /// What a page shows; the others come on asking.
    pub const fn shown(before: Option<LogEntryId>) -> Self {
        Self { before, entries: SHOWN, bytes: SHOWN_BYTES }
    }
    pub const PRINTED: Self = Self { before: None, entries: 1_000, bytes: 1 << 20 };
}

/// Log entries of both teams in the order of time, and how many are older than those.
pub fn list_timeline(
    conn: &mut PgConnection,
    id: EngagementId,
    page: TimelinePage,
) -> Result<(Vec<Entry>, i64)> {
    let newest = sql::<Bool>(
        "log_entries.id IN (SELECT id FROM (SELECT id, row_number() OVER newest AS n, \
            sum(octet_length(text)) OVER newest AS bytes
            FROM log_entries WHERE removed_at IS NULL AND engagement_id = ",
    );
    let newest = newest.bind::<SqlUuid, _>(id).sql(" AND (").bind::<Nullable<SqlUuid>, _>(page.before);
    let newest =
        newest.sql(" IS NULL OR (starts_at, id) < (SELECT starts_at, id FROM log_entries WHERE id = ");
    let newest = newest.bind::<Nullable<SqlUuid>, _>(page.before);
    let newest =
        newest.sql(")) WINDOW newest AS (ORDER BY starts_at DESC, id DESC)) counted WHERE n = 1 OR (n <= ");
    let newest =
        newest.bind::<BigInt, _>(page.entries).sql(" AND bytes <= ").bind::<BigInt, _>(page.bytes).sql("))");
    let older = sql::<BigInt>(
        "(SELECT count(*) FROM log_entries t WHERE t.engagement_id = log_entries.engagement_id \
            AND t.removed_at IS NULL
            AND (t.starts_at, t.id) < (log_entries.starts_at, log_entries.id))",
    );
    let rows: Vec<(Entry, i64)> = log_entries::table
        .inner_join(procedures::table.on(procedures::id.eq(log_entries::procedure_id)))
        .inner_join(people::table.on(people::id.eq(log_entries::author_id)))
        .filter(log_entries::engagement_id.eq(id).and(log_entries::removed_at.is_null()))
        .filter(newest)
        .order((log_entries::starts_at, log_entries::id))
        .select((
            (
                log_entries::id,
                log_entries::team,
                log_entries::text,
                log_entries::starts_at,
                log_entries::ends_at,
                people::name,
                procedures::id,
                procedures::position,
                procedures::name,
            ),
            older,
        ))
        .load(conn)?;
    let older = rows.first().map_or(0, |(_, older)| *older);
    Ok((rows.into_iter().map(|(entry, _)| entry).collect(), older))
}

/// An attachment in the list.
#[derive(Debug, Clone, Queryable)]
pub struct File {
    pub id: AttachmentId,
    pub team: Option<Team>,
    pub title: String,
    /// The beginning of its description; the procedure's page has it whole.
    pub description: String,
    /// Name of the file.
    pub file_name: String,
    pub media_type: String,
    /// Size in bytes.
    pub size: i64,
    pub by: String,
    pub at: DateTime<Utc>,
    /// The procedure it belongs to.
    pub procedure: Option<ProcedureId>,
    pub position: Option<i32>,
}

/// Which of an engagement's attachments a page shows.
#[derive(Debug, Clone, Copy)]
pub struct FilesPage {
    /// How many lie before them.
    pub skip: i64,
    /// How many they are at most.
    pub rows: i64,
}

impl FilesPage {
    /// What a page shows; the others come on asking.
    pub fn shown(skip: i64) -> Self {
        Self { skip: skip.clamp(0, 1_000_000), rows: SHOWN }
    }
    pub const PRINTED: Self = Self { skip: 0, rows: 1_000 };
}

/// The attachments in the order of the procedures, then of time, with the beginning of what describes each;
/// and how many there are.
pub fn list_attachments(
    conn: &mut PgConnection,
    id: EngagementId,
    page: FilesPage,
) -> Result<(Vec<File>, i64)> {
    let rows: Vec<(File, i64)> = attachments::table
        .left_join(procedures::table.on(procedures::id.nullable().eq(attachments::procedure_id)))
        .inner_join(people::table.on(people::id.eq(attachments::uploaded_by)))
        .filter(attachments::engagement_id.eq(id).and(attachments::removed_at.is_null()))
        .order((
            sql::<BigInt>("coalesce(procedures.position, 0)::bigint"),
            attachments::uploaded_at,
            attachments::id,
        ))
        .offset(page.skip)
        .limit(page.rows)
        .select((
            (
                attachments::id,
                attachments::team.nullable(),
                attachments::title,
                sql::<Text>(
                    "CASE WHEN length(description) > 300 THEN left(description, 300) || '…' \
                    ELSE description END",
                ),
                attachments::file_name,
                attachments::media_type,
                attachments::size,
                people::name,
                attachments::uploaded_at,
                attachments::procedure_id,
                procedures::position.nullable(),
            ),
            sql::<BigInt>("count(*) OVER ()"),
        ))
        .load(conn)?;
    let total = rows.first().map_or(page.skip, |(_, total)| *total);
    Ok((rows.into_iter().map(|(file, _)| file).collect(), total))
}
