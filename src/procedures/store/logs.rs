//! SQL of log entries. Their text never enters the audit log.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, sql};
use diesel::sql_types::{BigInt, Bool, Nullable, Uuid as SqlUuid};

use super::save::follow_work;
use super::work::Work;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, LogEntryId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::WriteTx;
use crate::kernel::db::schema::{log_entries, people, procedures};
use crate::kernel::event::domain::Kind;
use crate::procedures::entries::{
    END_BEFORE_START, ENTRIES, ENTRIES_BYTES, EntryText, FULL, SHOWN, SHOWN_BYTES,
};

#[derive(Debug, Clone, Queryable)]
pub struct LogEntry {
    pub id: LogEntryId,
    pub engagement_id: EngagementId,
    pub procedure_id: ProcedureId,
    pub position: i32,
    pub procedure: String,
    /// Whose it is; never changes.
    pub team: Team,
    pub text: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub author_id: PersonId,
    pub author: String,
    /// Rises with every change.
    pub version: i32,
}

/// Which entries of a procedure.
enum Of {
    /// The newest, older than this one where there is one, as many as a page shows.
    Newest(ProcedureId, Option<LogEntryId>),
    One(ProcedureId, LogEntryId),
}

/// As many entries as a page shows, oldest first, and how many older and newer ones there are.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    /// All entries of the procedure.
    pub total: i64,
    /// Those older than the ones shown.
    pub older: i64,
}

impl LogPage {
    /// Those newer than the ones shown.
    pub fn newer(&self) -> i64 {
        self.total - self.older - self.entries.len() as i64
    }
}

type Counts = (i64, i64);

fn load(conn: &mut PgConnection, of: Of) -> Result<Vec<(LogEntry, Counts)>> {
    let total = sql::<BigInt>(
        "(SELECT count(*) FROM log_entries t WHERE t.procedure_id = procedures.id AND t.removed_at IS NULL)",
    );
    let older = sql::<BigInt>(
        "(SELECT count(*) FROM log_entries t WHERE t.procedure_id = procedures.id AND t.removed_at IS NULL
            AND (t.starts_at, t.id) < (log_entries.starts_at, log_entries.id))",
    );
    let query = log_entries::table
        .inner_join(people::table.on(people::id.eq(log_entries::author_id)))
        .inner_join(procedures::table.on(procedures::id.eq(log_entries::procedure_id)))
        .filter(log_entries::removed_at.is_null())
        .order((log_entries::starts_at, log_entries::id))
        .select((
            (
                log_entries::id,
                log_entries::engagement_id,
                log_entries::procedure_id,
                procedures::position,
                procedures::name,
                log_entries::team,
                log_entries::text,
                log_entries::starts_at,
                log_entries::ends_at,
                log_entries::author_id,
                people::name,
                log_entries::version,
            ),
            (total, older),
        ))
        .into_boxed();
    let query = match of {
        // By number and by size, before a text is read.
        Of::Newest(procedure, before) => {
            let page = sql::<Bool>(
                "log_entries.id IN (SELECT id FROM (SELECT id, row_number() OVER newest AS n, \
                    sum(octet_length(text)) OVER newest AS bytes
                    FROM log_entries WHERE removed_at IS NULL AND procedure_id = ",
            );
            let page = page.bind::<SqlUuid, _>(procedure).sql(" AND (");
            let page = page.bind::<Nullable<SqlUuid>, _>(before);
            let page =
                page.sql(" IS NULL OR (starts_at, id) < (SELECT starts_at, id FROM log_entries WHERE id = ");
            let page = page.bind::<Nullable<SqlUuid>, _>(before);
            let page = page
                .sql(")) WINDOW newest AS (ORDER BY starts_at DESC, id DESC)) counted WHERE n = 1 OR (n <= ");
            let page =
                page.bind::<BigInt, _>(SHOWN).sql(" AND bytes <= ").bind::<BigInt, _>(SHOWN_BYTES).sql("))");
            query.filter(log_entries::procedure_id.eq(procedure)).filter(page)
        }
        Of::One(procedure, id) => {
            query.filter(log_entries::procedure_id.eq(procedure).and(log_entries::id.eq(id)))
        }
    };
    Ok(query.load(conn)?)
}

/// The newest entries of both teams on a procedure, or those before one, by start. The caller has found the
/// procedure.
pub fn list_for_procedure(
    conn: &mut PgConnection,
    procedure: ProcedureId,
    before: Option<LogEntryId>,
) -> Result<LogPage> {
    let rows = load(conn, Of::Newest(procedure, before))?;
    let (total, older) = rows.first().map_or((0, 0), |(_, counts)| *counts);
    Ok(LogPage { entries: rows.into_iter().map(|(entry, _)| entry).collect(), total, older })
}

/// One entry of a procedure that the caller has found.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or was removed.
pub fn get(conn: &mut PgConnection, procedure: ProcedureId, id: LogEntryId) -> Result<LogEntry> {
    load(conn, Of::One(procedure, id))?.pop().map(|(entry, _)| entry).ok_or(Error::NotFound)
}

/// Adds an entry for a team.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write that side.
pub fn insert(tx: &mut WriteTx<'_>, work: &mut Work, team: Team, entry: &EntryText) -> Result<LogEntryId> {
    may_write(work, team)?;
    check_room(tx.conn, work.procedure, 1, entry.text.len())?;
    let author = tx.actor().id.ok_or(Error::Unauthenticated)?;
    let id = LogEntryId::new();
    diesel::insert_into(log_entries::table)
        .values((
            log_entries::id.eq(id),
            log_entries::engagement_id.eq(work.engagement),
            log_entries::procedure_id.eq(work.procedure),
            log_entries::team.eq(team),
            log_entries::text.eq(&entry.text),
            log_entries::starts_at.eq(entry.starts_at),
            log_entries::ends_at.eq(entry.ends_at),
            log_entries::author_id.eq(author),
            log_entries::created_at.eq(tx.now()),
            log_entries::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(end_before_start)?;
    let event = work
        .event(Kind::LogEntryAdded, format!("Added a {} log entry to {}", team.as_str(), named(work)))
        .detail(serde_json::json!({ "entry": id, "team": team, "chars": entry.text.chars().count() }));
    work.record(event);
    follow_work(tx, work)?;
    Ok(id)
}

/// Saves an entry; nothing changed is no save.
///
/// # Errors
/// [`Error::Forbidden`] unless the author or a lead asks, [`Error::Conflict`] when somebody saved since
/// `version`.
pub fn save(
    tx: &mut WriteTx<'_>,
    work: &mut Work,
    id: LogEntryId,
    entry: &EntryText,
    version: i32,
) -> Result<()> {
    let before = owned(tx, work, id)?;
    let held = EntryText { text: before.text.clone(), starts_at: before.starts_at, ends_at: before.ends_at };
    if held == *entry {
        return Ok(());
    }
    check_room(tx.conn, work.procedure, 0, entry.text.len().saturating_sub(held.text.len()))?;
    let saved = diesel::update(log_entries::table.find(id).filter(log_entries::version.eq(version)))
        .set((
            log_entries::text.eq(&entry.text),
            log_entries::starts_at.eq(entry.starts_at),
            log_entries::ends_at.eq(entry.ends_at),
            log_entries::updated_at.eq(tx.now()),
            log_entries::version.eq(log_entries::version + 1),
        ))
        .execute(tx.conn)
        .map_err(end_before_start)?;
    if saved == 0 {
        return Err(Error::Conflict(
            "Somebody saved this entry since you opened it. What you typed is still here.".into(),
        ));
    }
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let (old_start, new_start) = (time(Some(held.starts_at)), time(Some(entry.starts_at)));
    let (old_end, new_end) = (time(held.ends_at), time(entry.ends_at));
    let changes = [
        ("text", held.text.as_str(), entry.text.as_str(), true),
        ("starts_at", old_start.as_str(), new_start.as_str(), false),
        ("ends_at", old_end.as_str(), new_end.as_str(), false),
    ];
    let event = work
        .event(
            Kind::LogEntryUpdated,
            format!("Changed a {} log entry of {}", before.team.as_str(), named(work)),
        )
        .detail(serde_json::json!({ "entry": id, "team": before.team, "author": before.author }))
        .telling(changes.into_iter().filter(|c| c.1 != c.2));
    work.record(event);
    Ok(())
}

/// Removes an entry from the pages; its row stays, with the time.
///
/// # Errors
/// [`Error::Forbidden`] unless the author or a lead asks.
pub fn remove(tx: &mut WriteTx<'_>, work: &mut Work, id: LogEntryId) -> Result<()> {
    let before = owned(tx, work, id)?;
    diesel::update(log_entries::table.find(id))
        .set((log_entries::removed_at.eq(tx.now()), log_entries::version.eq(log_entries::version + 1)))
        .execute(tx.conn)?;
    let event = work
        .event(
            Kind::LogEntryRemoved,
            format!("Removed a {} log entry from {}", before.team.as_str(), named(work)),
        )
        .detail(serde_json::json!({ "entry": id, "team": before.team, "author": before.author }));
    work.record(event);
    follow_work(tx, work)?;
    Ok(())
}

/// The procedure's row is locked, so the entry cannot change under us.
fn owned(tx: &mut WriteTx<'_>, work: &Work, id: LogEntryId) -> Result<LogEntry> {
    let entry = get(tx.conn, work.procedure, id)?;
    if !work.lead && tx.actor().id != Some(entry.author_id) {
        return Err(Error::Forbidden(format!(
            "{} wrote this entry. Its author or a team lead can change it.",
            entry.author
        )));
    }
    may_write(work, entry.team)?;
    Ok(entry)
}

/// `Ok` while a procedure's log has room; its row is locked, so that two cannot take the last of it.
fn check_room(conn: &mut PgConnection, procedure: ProcedureId, entries: i64, bytes: usize) -> Result<()> {
    let of = log_entries::table
        .filter(log_entries::procedure_id.eq(procedure).and(log_entries::removed_at.is_null()));
    let held: (i64, i64) = of
        .select((count_star(), sql::<BigInt>("coalesce(sum(octet_length(text)), 0)::bigint")))
        .first(conn)?;
    let room =
        held.0 + entries <= ENTRIES && held.1 + i64::try_from(bytes).unwrap_or(i64::MAX) <= ENTRIES_BYTES;
    if room { Ok(()) } else { Err(Error::field("text", FULL)) }
}

/// `Ok` for who writes a team's side: one's own words of a side that one no longer writes are no longer one's
/// to change.
pub(super) fn may_write(work: &Work, team: Team) -> Result<()> {
    if work.sides.may_write_team(team) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "You do not write the {} side of this procedure.",
        team.label().to_lowercase()
    )))
}

pub(super) fn named(work: &Work) -> String {
    format!("procedure {} “{}”", work.position, work.name)
}

fn end_before_start(error: diesel::result::Error) -> Error {
    match Error::constraint(&error) {
        Some("log_entries_times") => Error::field("ends_at", END_BEFORE_START),
        _ => error.into(),
    }
}
