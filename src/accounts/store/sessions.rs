//! SQL of sessions: found with the viewer they belong to, renewed, listed and ended.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Bool, Bytea, Jsonb, Nullable, Timestamptz};

use super::{Account, get_account};
use crate::accounts::domain::AccountStatus;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::show;
use crate::kernel::db::schema::{client_access, people, person_roles, role_permissions, sessions, settings};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::Viewer;

/// Key of the signed-in person's id in the session.
pub const PERSON: &str = "person";
/// Key of the time at which the person last proved who they are.
pub const PROVED: &str = "proved";
/// Key of a sign-in that waits for its second factor.
pub const PENDING: &str = "pending";
/// Keys of where the session began: network address and browser.
pub const ADDRESS: &str = "address";
/// Key of the session's end, whatever is done in it; it outlives a change of the session's secret.
pub const UNTIL: &str = "until";
/// Longest life of a session, in hours, whatever is done in it.
pub const ABSOLUTE_HOURS: i64 = 12;
pub const AGENT: &str = "agent";

/// A session as loaded with every request.
pub struct LoadedSession {
    /// What the session holds.
    pub state: HashMap<String, String>,
    /// The person, unless nobody is signed in or the account was disabled.
    pub viewer: Option<Viewer>,
    /// Whether its last use was a minute or more ago.
    pub is_stale: bool,
    /// Whether rights changed since its secret was made.
    pub renew: bool,
}

#[derive(QueryableByName)]
struct SessionRow {
    #[diesel(sql_type = Jsonb)]
    state: serde_json::Value,
    #[diesel(sql_type = Bool)]
    is_stale: bool,
    #[diesel(sql_type = Bool)]
    renew: bool,
    #[diesel(sql_type = Nullable<Jsonb>)]
    viewer: Option<serde_json::Value>,
}

/// The session, the person and all their rights, in one statement.
pub fn find_session(
    conn: &mut PgConnection,
    key_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<LoadedSession>> {
    // sql_query: rights of two kinds gathered as JSON in the statement that every request pays for.
    let query = diesel::sql_query(
        "SELECT s.state, s.last_used_at < $2 - interval '1 minute' AS is_stale, s.renew,
            CASE WHEN p.id IS NULL THEN NULL ELSE jsonb_build_object(
                'id', p.id, 'name', p.name, 'email', p.email, 'theme', p.theme, 'shortcuts', p.shortcuts,
                'session', s.id, 'proved_at', (s.state ->> 'proved')::jsonb, 'two_factor', p.totp_since IS \
                NOT NULL,
                'two_factor_due', p.totp_since IS NULL AND (o.two_factor_rule = 'everyone'
                    OR EXISTS (SELECT FROM person_roles pr JOIN roles r ON r.id = pr.role_id \
                    WHERE pr.person_id = p.id AND r.requires_two_factor)
                    OR EXISTS (SELECT FROM client_access ca JOIN roles r ON r.id = ca.role_id \
                    WHERE ca.person_id = p.id AND r.requires_two_factor)),
                'role', coalesce((SELECT r.name FROM person_roles pr JOIN roles r ON r.id = pr.role_id \
                WHERE pr.person_id = p.id
                         ORDER BY r.built_in DESC, pr.given_at LIMIT 1), ''),
                'rights', jsonb_build_object(
                    'own', coalesce((SELECT jsonb_agg(DISTINCT rp.permission) FROM person_roles pr
                             JOIN role_permissions rp ON rp.role_id = pr.role_id \
                             WHERE pr.person_id = p.id), '[]'),
                    'clients', coalesce((SELECT jsonb_object_agg(ca.client_id, (SELECT \
                    coalesce(jsonb_agg(rp.permission), '[]')
                             FROM role_permissions rp WHERE rp.role_id = ca.role_id)) FROM client_access ca \
                             WHERE ca.person_id = p.id), '{}')),
                'notices', (SELECT count(*) FROM (SELECT FROM notices n WHERE n.person_id = p.id \
                AND n.read_at IS NULL
                    AND (n.client_id IS NULL OR EXISTS (SELECT FROM client_access ca \
                    WHERE ca.person_id = p.id AND ca.client_id = n.client_id)) LIMIT 100) u),
                'organisation', jsonb_build_object('name', o.organisation_name, 'time_zone', o.time_zone,
                    'idle_minutes', o.idle_minutes, 'write_rule', o.write_rule, 'attachment_bytes', \
                    o.attachment_bytes)) END AS viewer
         FROM sessions s CROSS JOIN settings o
         LEFT JOIN people p ON p.id = s.person_id AND p.status = 'active' AND p.deleted_at IS NULL
         WHERE s.key_hash = $1 AND s.expires_at > $2 AND s.last_used_at > $2 - make_interval(mins => \
         o.idle_minutes)",
    )
    .bind::<Bytea, _>(&key_hash[..])
    .bind::<Timestamptz, _>(now);
    let row: Option<SessionRow> = query.get_result(conn).optional()?;
    let Some(row) = row else { return Ok(None) };
    let viewer = row.viewer.map(serde_json::from_value).transpose()?;
    Ok(Some(LoadedSession {
        state: serde_json::from_value(row.state)?,
        viewer,
        is_stale: row.is_stale,
        renew: row.renew,
    }))
}

/// The person whose id a session's state names.
fn person_of(state: &HashMap<String, String>) -> Option<PersonId> {
    serde_json::from_str(state.get(PERSON)?).ok()
}

/// Stores a new session.
pub fn insert_session(
    conn: &mut PgConnection,
    key_hash: &[u8; 32],
    state: &HashMap<String, String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let kept = |key: &str| state.get(key).and_then(|json| serde_json::from_str::<String>(json).ok());
    let mut state = state.clone();
    let until = match state.get(UNTIL).and_then(|json| serde_json::from_str(json).ok()) {
        Some(until) => until,
        None => now + TimeDelta::hours(ABSOLUTE_HOURS),
    };
    state.insert(UNTIL.to_owned(), serde_json::to_string(&until)?);
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(&key_hash[..]),
            sessions::person_id.eq(person_of(&state).map(|p| p.0)),
            sessions::state.eq(serde_json::to_value(&state)?),
            sessions::created_at.eq(until - TimeDelta::hours(ABSOLUTE_HOURS)),
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(until),
            sessions::address.eq(kept(ADDRESS)),
            sessions::user_agent.eq(kept(AGENT)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Stores a session's changed state, under a new secret where that changed; its end stays where it was, and a
/// session that was ended meanwhile does not come back.
pub fn update_session(
    conn: &mut PgConnection,
    key_hash: &[u8; 32],
    new: &[u8; 32],
    state: &HashMap<String, String>,
) -> Result<()> {
    diesel::update(sessions::table.find(&key_hash[..]))
        .set((
            sessions::key_hash.eq(&new[..]),
            sessions::state.eq(serde_json::to_value(state)?),
            sessions::person_id.eq(person_of(state).map(|p| p.0)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that a session was used.
pub fn touch_session(conn: &mut PgConnection, id: uuid::Uuid, now: DateTime<Utc>) -> Result<()> {
    diesel::update(sessions::table.filter(sessions::id.eq(id)))
        .set(sessions::last_used_at.eq(now))
        .execute(conn)?;
    Ok(())
}

/// Claims the renewal of a session's secret; `false` when another request has it, or there is none to do.
pub fn claim_renewal(conn: &mut PgConnection, id: uuid::Uuid) -> Result<bool> {
    let marked = sessions::table.filter(sessions::id.eq(id).and(sessions::renew.eq(true)));
    Ok(diesel::update(marked).set(sessions::renew.eq(false)).execute(conn)? == 1)
}

pub fn delete_session(conn: &mut PgConnection, key_hash: &[u8; 32]) -> Result<()> {
    diesel::delete(sessions::table.find(&key_hash[..])).execute(conn)?;
    Ok(())
}

/// Removes sessions that have ended by time; the `session-sweep` job. Each has an event, once.
///
/// # Errors
/// When the database refuses.
pub fn sweep_sessions(tx: &mut WriteTx<'_>, now: DateTime<Utc>) -> Result<Audited<usize>> {
    let idle: i32 = settings::table.select(settings::idle_minutes).first(tx.conn)?;
    let over =
        sessions::expires_at.le(now).or(sessions::last_used_at.le(now - TimeDelta::minutes(idle.into())));
    let gone: Vec<Option<PersonId>> =
        diesel::delete(sessions::table.filter(over)).returning(sessions::person_id).get_results(tx.conn)?;
    let ids: Vec<uuid::Uuid> = gone.iter().flatten().map(|id| id.0).collect();
    let names: Vec<(PersonId, String)> =
        people::table.filter(people::id.eq_any(&ids)).select((people::id, people::name)).load(tx.conn)?;
    let expired = |id: &PersonId| {
        let name = names.iter().find(|(of, _)| of == id).map(|(_, name)| name.as_str()).unwrap_or_default();
        Event::new(Kind::SessionExpired, format!("A session of {name} expired"))
            .subject("person", id.0, name)
            .about(*id)
    };
    let events: Vec<Event> = gone.iter().flatten().map(expired).collect();
    if events.is_empty() { Ok(tx.unchanged(gone.len())) } else { tx.audited_all(gone.len(), &events) }
}

/// A session, as its person sees it.
#[derive(Debug, Clone, Queryable)]
pub struct OwnSession {
    pub id: uuid::Uuid,
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_used_at: DateTime<Utc>,
    /// From where it began.
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

/// The sessions of a person that have not ended, the last used one first.
pub fn list_sessions(
    conn: &mut PgConnection,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<Vec<OwnSession>> {
    let idle: i32 = settings::table.select(settings::idle_minutes).first(conn)?;
    Ok(sessions::table
        .filter(sessions::person_id.eq(person.0).and(sessions::expires_at.gt(now)))
        .filter(sessions::last_used_at.gt(now - TimeDelta::minutes(idle.into())))
        .order((sessions::last_used_at.desc(), sessions::id))
        .select((
            sessions::id,
            sessions::created_at,
            sessions::last_used_at,
            sessions::address,
            sessions::user_agent,
        ))
        .load(conn)?)
}

/// Ends sessions of a person: the one of this public id, or all but `keep`. Tells how many.
///
/// # Errors
/// When the database refuses.
pub fn end_sessions(
    tx: &mut WriteTx<'_>,
    person: PersonId,
    only: Option<uuid::Uuid>,
    keep: Option<uuid::Uuid>,
) -> Result<Audited<usize>> {
    let account = get_account(tx.conn, person)?;
    match end_some(tx, &account, only, keep)? {
        (0, _) => Ok(tx.unchanged(0)),
        (ended, event) => tx.audited(ended, event),
    }
}

/// As [`end_sessions`], for a write that has an event of its own: the events with which it ends every other
/// session of the person's than the one that acts.
///
/// # Errors
/// When the database refuses.
pub fn with_others_ended(tx: &mut WriteTx<'_>, account: &Account, event: Event) -> Result<Vec<Event>> {
    let own = tx.actor().session;
    let (ended, told) = end_some(tx, account, None, own)?;
    Ok(if ended == 0 { vec![event] } else { vec![event, told] })
}

fn end_some(
    tx: &mut WriteTx<'_>,
    account: &Account,
    only: Option<uuid::Uuid>,
    keep: Option<uuid::Uuid>,
) -> Result<(usize, Event)> {
    let person = account.id;
    let mut gone = diesel::delete(sessions::table.filter(sessions::person_id.eq(person.0))).into_boxed();
    if let Some(id) = only {
        gone = gone.filter(sessions::id.eq(id));
    }
    if let Some(id) = keep {
        gone = gone.filter(sessions::id.ne(id));
    }
    let ended = gone.execute(tx.conn)?;
    let whose = if tx.actor().id == Some(person) {
        "their own".to_owned()
    } else {
        format!("those of {}", account.name)
    };
    let count = show::counted(ended, "session", "sessions");
    let event = Event::new(Kind::SessionEndedByOther, format!("Ended {count}, of {whose}"))
        .subject("person", person.0, &account.name)
        .about(person)
        .detail(serde_json::json!({ "sessions": ended }));
    Ok((ended, event))
}

/// Whether a session still stands and its person still holds a right at a client: for answers that go on for
/// minutes.
pub fn still_may(
    conn: &mut PgConnection,
    session: uuid::Uuid,
    client: ClientId,
    right: crate::kernel::authz::Permission,
    now: DateTime<Utc>,
) -> Result<bool> {
    let idle: i32 = settings::table.select(settings::idle_minutes).first(conn)?;
    let stands = sessions::table
        .inner_join(people::table.on(people::id.nullable().eq(sessions::person_id)))
        .inner_join(client_access::table.on(client_access::person_id.eq(people::id)))
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(client_access::role_id)))
        .filter(sessions::id.eq(session).and(sessions::expires_at.gt(now)))
        .filter(sessions::last_used_at.gt(now - TimeDelta::minutes(idle.into())))
        .filter(people::status.eq(AccountStatus::Active).and(people::deleted_at.is_null()))
        .filter(client_access::client_id.eq(client.0).and(role_permissions::permission.eq(right.as_str())));
    Ok(diesel::select(diesel::dsl::exists(stands)).get_result(conn)?)
}

/// Whether a session still stands and its person still holds a right without a client.
pub fn still_may_own(
    conn: &mut PgConnection,
    session: uuid::Uuid,
    right: crate::kernel::authz::Permission,
    now: DateTime<Utc>,
) -> Result<bool> {
    let idle: i32 = settings::table.select(settings::idle_minutes).first(conn)?;
    let stands = sessions::table
        .inner_join(people::table.on(people::id.nullable().eq(sessions::person_id)))
        .inner_join(person_roles::table.on(person_roles::person_id.eq(people::id)))
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(person_roles::role_id)))
        .filter(sessions::id.eq(session).and(sessions::expires_at.gt(now)))
        .filter(sessions::last_used_at.gt(now - TimeDelta::minutes(idle.into())))
        .filter(people::status.eq(AccountStatus::Active).and(people::deleted_at.is_null()))
        .filter(role_permissions::permission.eq(right.as_str()));
    Ok(diesel::select(diesel::dsl::exists(stands)).get_result(conn)?)
}

/// Seconds until a session ends when nothing happens in it.
///
/// # Errors
/// [`Error::NotFound`] when it ended.
pub fn seconds_left(
    conn: &mut PgConnection,
    session: uuid::Uuid,
    idle_minutes: i32,
    now: DateTime<Utc>,
) -> Result<i64> {
    let (used, end): (DateTime<Utc>, DateTime<Utc>) = sessions::table
        .filter(sessions::id.eq(session))
        .select((sessions::last_used_at, sessions::expires_at))
        .first(conn)?;
    Ok((end.min(used + TimeDelta::minutes(idle_minutes.into())) - now).num_seconds().max(0))
}

/// Makes every session of a person go on under a new secret: their rights changed.
///
/// # Errors
/// When the database refuses.
pub fn renew_sessions(conn: &mut PgConnection, person: PersonId) -> Result<()> {
    diesel::update(sessions::table.filter(sessions::person_id.eq(person.0)))
        .set(sessions::renew.eq(true))
        .execute(conn)?;
    Ok(())
}

/// Ends every session of a person.
pub fn delete_all(conn: &mut PgConnection, person: PersonId) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::person_id.eq(person.0))).execute(conn)?;
    Ok(())
}
