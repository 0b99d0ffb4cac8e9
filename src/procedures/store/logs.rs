//! SQL of log entries. Their text never enters the audit log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::work::Work;
use crate::audit::domain::Kind;
use crate::db::WriteTx;
use crate::db::schema::{log_entries, people, procedures};
use crate::error::{Error, Result};
use crate::ids::{EngagementId, LogEntryId, PersonId, ProcedureId};
use crate::procedures::domain::Team;
use crate::procedures::entries::{END_BEFORE_START, EntryText};

/// A log entry.
#[derive(Debug, Clone, Queryable)]
pub struct LogEntry {
    /// Its id.
    pub id: LogEntryId,
    /// Its engagement.
    pub engagement_id: EngagementId,
    /// Its procedure.
    pub procedure_id: ProcedureId,
    /// The procedure's place.
    pub position: i32,
    /// The procedure's name.
    pub procedure: String,
    /// Whose it is; never changes.
    pub team: Team,
    /// Markdown.
    pub text: String,
    /// When it began.
    pub starts_at: DateTime<Utc>,
    /// When it ended.
    pub ends_at: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub author_id: PersonId,
    /// Their name.
    pub author: String,
    /// Rises with every change.
    pub version: i32,
}

enum Of {
    Procedure(ProcedureId),
    Engagement(EngagementId),
    One(ProcedureId, LogEntryId),
}

fn load(conn: &mut PgConnection, of: Of) -> Result<Vec<LogEntry>> {
    let query = log_entries::table
        .inner_join(people::table.on(people::id.eq(log_entries::author_id)))
        .inner_join(procedures::table.on(procedures::id.eq(log_entries::procedure_id)))
        .filter(log_entries::removed_at.is_null())
        .order((log_entries::starts_at, log_entries::id))
        .select((
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
        ))
        .into_boxed();
    let query = match of {
        Of::Procedure(id) => query.filter(log_entries::procedure_id.eq(id.0)),
        Of::Engagement(id) => query.filter(log_entries::engagement_id.eq(id.0)),
        Of::One(procedure, id) => query.filter(log_entries::procedure_id.eq(procedure.0).and(log_entries::id.eq(id.0))),
    };
    Ok(query.load(conn)?)
}

/// The entries of both teams on a procedure, by start. The caller has found the procedure.
pub fn list_for_procedure(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Vec<LogEntry>> {
    load(conn, Of::Procedure(procedure))
}

/// The entries of both teams in an engagement, by start. The caller has found the engagement.
pub fn list_for_engagement(conn: &mut PgConnection, engagement: EngagementId) -> Result<Vec<LogEntry>> {
    load(conn, Of::Engagement(engagement))
}

/// One entry of a procedure that the caller has found.
///
/// # Errors
/// [`Error::NotFound`] when it is not there or was removed.
pub fn get(conn: &mut PgConnection, procedure: ProcedureId, id: LogEntryId) -> Result<LogEntry> {
    load(conn, Of::One(procedure, id))?.pop().ok_or(Error::NotFound)
}

/// Adds an entry for a team.
///
/// # Errors
/// [`Error::Forbidden`] for who does not write that side.
pub fn insert(tx: &mut WriteTx<'_>, work: &mut Work, team: Team, entry: &EntryText) -> Result<LogEntryId> {
    may_write(work, team)?;
    let author = tx.actor().id.ok_or(Error::Unauthenticated)?;
    let id = LogEntryId::new();
    diesel::insert_into(log_entries::table)
        .values((
            log_entries::id.eq(id.0),
            log_entries::engagement_id.eq(work.engagement.0),
            log_entries::procedure_id.eq(work.procedure.0),
            log_entries::team.eq(team),
            log_entries::text.eq(&entry.text),
            log_entries::starts_at.eq(entry.starts_at),
            log_entries::ends_at.eq(entry.ends_at),
            log_entries::author_id.eq(author.0),
            log_entries::created_at.eq(tx.now()),
            log_entries::updated_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(end_before_start)?;
    let event = work
        .event(Kind::LogEntryAdded, format!("Added a {} log entry to {}", team.as_str(), named(work)))
        .detail(serde_json::json!({ "entry": id, "team": team, "chars": entry.text.chars().count() }));
    work.record(event);
    Ok(id)
}

/// Saves an entry; nothing changed is no save.
///
/// # Errors
/// [`Error::Forbidden`] unless the author or a lead asks, [`Error::Conflict`] when somebody saved since `version`.
pub fn save(tx: &mut WriteTx<'_>, work: &mut Work, id: LogEntryId, entry: &EntryText, version: i32) -> Result<()> {
    let before = owned(tx, work, id)?;
    let held = EntryText { text: before.text.clone(), starts_at: before.starts_at, ends_at: before.ends_at };
    if held == *entry {
        return Ok(());
    }
    let saved = diesel::update(log_entries::table.find(id.0).filter(log_entries::version.eq(version)))
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
        return Err(Error::Conflict("Somebody saved this entry since you opened it. What you typed is still here.".into()));
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
        .event(Kind::LogEntryUpdated, format!("Changed a {} log entry of {}", before.team.as_str(), named(work)))
        .detail(serde_json::json!({ "entry": id, "team": before.team, "author": before.author }))
        .changes(changes.into_iter().filter(|c| c.1 != c.2));
    work.record(event);
    Ok(())
}

/// Removes an entry from the pages; its row stays, with the time.
///
/// # Errors
/// [`Error::Forbidden`] unless the author or a lead asks.
pub fn remove(tx: &mut WriteTx<'_>, work: &mut Work, id: LogEntryId) -> Result<()> {
    let before = owned(tx, work, id)?;
    diesel::update(log_entries::table.find(id.0))
        .set((log_entries::removed_at.eq(tx.now()), log_entries::version.eq(log_entries::version + 1)))
        .execute(tx.conn)?;
    let event = work
        .event(Kind::LogEntryRemoved, format!("Removed a {} log entry from {}", before.team.as_str(), named(work)))
        .detail(serde_json::json!({ "entry": id, "team": before.team, "author": before.author }));
    work.record(event);
    Ok(())
}

/// The procedure's row is locked, so the entry cannot change under us.
fn owned(tx: &mut WriteTx<'_>, work: &Work, id: LogEntryId) -> Result<LogEntry> {
    let entry = get(tx.conn, work.procedure, id)?;
    if !work.lead && tx.actor().id != Some(entry.author_id) {
        return Err(Error::Forbidden(format!("{} wrote this entry. Its author or a team lead can change it.", entry.author)));
    }
    may_write(work, entry.team)?;
    Ok(entry)
}

/// `Ok` for who writes a team's side: one's own words of a side that one no longer writes are no longer one's to change.
pub(super) fn may_write(work: &Work, team: Team) -> Result<()> {
    if work.sides.may_write_team(team) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("You do not write the {} side of this procedure.", team.label().to_lowercase())))
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
