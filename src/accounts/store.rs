//! SQL of people, sessions, roles and access.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Bytea, Jsonb, Nullable, Timestamptz};
use uuid::Uuid;

use super::domain::LinkPurpose;
use super::session::{ABSOLUTE_HOURS, ADDRESS, AGENT, PERSON, UNTIL};
use crate::kernel::authz::policy::ROLES;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::db::schema::{
    client_access, known_devices, one_time_links, people, person_roles, role_permissions, roles, sessions,
    settings,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::Viewer;

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
    let row: Option<SessionRow> = diesel::sql_query(
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
                    AND EXISTS (SELECT FROM client_access ca WHERE ca.person_id = p.id \
                    AND ca.client_id = n.client_id) LIMIT 100) u),
                'organisation', jsonb_build_object('name', o.organisation_name, 'time_zone', o.time_zone,
                    'idle_minutes', o.idle_minutes, 'write_rule', o.write_rule, 'attachment_bytes', \
                    o.attachment_bytes)) END AS viewer
         FROM sessions s CROSS JOIN settings o
         LEFT JOIN people p ON p.id = s.person_id AND p.status = 'active' AND p.deleted_at IS NULL
         WHERE s.key_hash = $1 AND s.expires_at > $2 AND s.last_used_at > $2 - make_interval(mins => \
         o.idle_minutes)",
    )
    .bind::<Bytea, _>(&key_hash[..])
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .optional()?;
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

/// What signing in needs of an account.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    pub id: PersonId,
    pub name: String,
    /// E-mail address as typed by whoever made the account.
    pub email: String,
    /// Argon2id hash, where a password was set.
    pub password_hash: Option<String>,
    /// invited, active or disabled.
    pub status: String,
    /// The sealed secret of the second factor, where there is one.
    pub totp_secret: Option<Vec<u8>>,
}

/// The account of an e-mail address, whatever its case.
pub fn find_account(conn: &mut PgConnection, email: &str) -> Result<Option<Account>> {
    use diesel::dsl::sql;
    Ok(people::table
        .filter(
            sql::<Bool>("lower(email) = ").bind::<diesel::sql_types::Text, _>(email.trim().to_lowercase()),
        )
        .filter(people::deleted_at.is_null())
        .select(Account::as_select())
        .first(conn)
        .optional()?)
}

/// An account by its id.
pub fn get_account(conn: &mut PgConnection, id: PersonId) -> Result<Account> {
    Ok(people::table
        .find(id.0)
        .filter(people::deleted_at.is_null())
        .select(Account::as_select())
        .first(conn)?)
}

/// Sets a password, which ends every session of the person and every link that was made for them. An invited
/// account is in use from then on.
///
/// # Errors
/// [`Error::NotFound`] for an account that was deleted, [`Error::Refused`] for a disabled one.
pub fn set_password(tx: &mut WriteTx<'_>, id: PersonId, hash: &str, by_link: bool) -> Result<Audited<()>> {
    let in_use = people::table.find(id.0).filter(people::deleted_at.is_null());
    let account: Account = in_use.select(Account::as_select()).for_update().first(tx.conn)?;
    if account.status == "disabled" {
        return Err(Error::Refused("This account is disabled.".into()));
    }
    let status = "active";
    diesel::update(people::table.find(id.0))
        .set((
            people::password_hash.eq(hash),
            people::password_changed_at.eq(tx.now()),
            people::status.eq(status),
            people::version.eq(people::version + 1),
        ))
        .execute(tx.conn)?;
    end_everything(tx.conn, id)?;
    let (kind, sentence) = if by_link {
        (Kind::PasswordReset, format!("{} set a new password by a one-time link", account.name))
    } else {
        (Kind::PasswordChanged, "Changed own password".to_owned())
    };
    tx.audited((), Event::new(kind, sentence).subject("person", id.0, &account.name).about(id))
}

/// Ends the unused links of a person whose rights grow: whoever was allowed to make one for them then may do
/// less than they may now. Tells how many.
///
/// # Errors
/// When the database refuses.
pub fn end_links(conn: &mut PgConnection, id: PersonId) -> Result<usize> {
    let unused = one_time_links::table
        .filter(one_time_links::person_id.eq(id.0).and(one_time_links::used_at.is_null()));
    Ok(diesel::delete(unused).execute(conn)?)
}

/// As [`end_links`], of everybody who holds a role, themselves or at a client: the role grew.
///
/// # Errors
/// When the database refuses.
pub fn end_links_of_holders(conn: &mut PgConnection, role: RoleId) -> Result<usize> {
    let own = person_roles::table.filter(person_roles::role_id.eq(role.0)).select(person_roles::person_id);
    let at_client =
        client_access::table.filter(client_access::role_id.eq(role.0)).select(client_access::person_id);
    // A link that is being made waits for its person, or has been waited for here.
    let holders: Vec<Uuid> = people::table
        .filter(people::id.eq_any(own).or(people::id.eq_any(at_client)))
        .order(people::id)
        .select(people::id)
        .for_update()
        .load(conn)?;
    let theirs = one_time_links::person_id.eq_any(&holders);
    let unused = one_time_links::table.filter(one_time_links::used_at.is_null().and(theirs));
    Ok(diesel::delete(unused).execute(conn)?)
}

/// Ends every session and every unused link of a person; no device is known to them any more.
///
/// # Errors
/// When the database refuses.
pub fn end_everything(conn: &mut PgConnection, id: PersonId) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::person_id.eq(id.0))).execute(conn)?;
    end_links(conn, id)?;
    diesel::delete(known_devices::table.filter(known_devices::person_id.eq(id.0))).execute(conn)?;
    Ok(())
}

/// Keeps a theme: a person's own taste, no act.
pub fn save_theme(conn: &mut PgConnection, id: PersonId, theme: &str) -> Result<()> {
    diesel::update(people::table.find(id.0)).set(people::theme.eq(theme)).execute(conn)?;
    Ok(())
}

/// Keeps whether single-letter shortcuts are on.
pub fn save_shortcuts(conn: &mut PgConnection, id: PersonId, on: bool) -> Result<()> {
    diesel::update(people::table.find(id.0)).set(people::shortcuts.eq(on)).execute(conn)?;
    Ok(())
}

/// A person about to be made.
pub struct NewPerson<'a> {
    pub name: &'a str,
    pub email: &'a str,
    /// Hash of the password, if it is known already.
    pub password_hash: Option<&'a str>,
    /// Keys of their own roles.
    pub roles: &'a [&'a str],
}

/// Makes a person with their own roles.
///
/// # Errors
/// [`Error::Invalid`] at `email` when an account has it already.
pub fn insert_person(
    tx: &mut WriteTx<'_>,
    new: &NewPerson<'_>,
    given_by: Option<PersonId>,
) -> Result<(PersonId, Event)> {
    let id = PersonId::new();
    let status = if new.password_hash.is_some() { "active" } else { "invited" };
    diesel::insert_into(people::table)
        .values((
            people::id.eq(id.0),
            people::name.eq(new.name.trim()),
            people::email.eq(new.email.trim()),
            people::password_hash.eq(new.password_hash),
            people::status.eq(status),
            people::created_at.eq(tx.now()),
        ))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("people_email") => {
                Error::field("email", "An account with this e-mail address exists already.")
            }
            _ => e.into(),
        })?;
    for key in new.roles {
        let role = role_id(tx.conn, key)?;
        diesel::insert_into(person_roles::table)
            .values((
                person_roles::person_id.eq(id.0),
                person_roles::role_id.eq(role.0),
                person_roles::given_by.eq(given_by.map(|p| p.0)),
                person_roles::given_at.eq(tx.now()),
            ))
            .execute(tx.conn)?;
    }
    let event = Event::new(Kind::UserCreated, format!("Created the user {}", new.name.trim()))
        .subject("person", id.0, new.name.trim())
        .about(id)
        .detail(serde_json::json!({ "email": new.email.trim(), "roles": new.roles }));
    Ok((id, event))
}

/// Gives or changes a person's access to a client.
pub fn give_access(
    tx: &mut WriteTx<'_>,
    client: ClientId,
    client_name: &str,
    person: PersonId,
    person_name: &str,
    role_key: &str,
    given_by: Option<PersonId>,
) -> Result<Event> {
    let role = role_id(tx.conn, role_key)?;
    let label: String = roles::table.find(role.0).select(roles::name).first(tx.conn)?;
    diesel::insert_into(client_access::table)
        .values((
            client_access::client_id.eq(client.0),
            client_access::person_id.eq(person.0),
            client_access::role_id.eq(role.0),
            client_access::given_by.eq(given_by.map(|p| p.0)),
            client_access::given_at.eq(tx.now()),
        ))
        .on_conflict((client_access::person_id, client_access::client_id))
        .do_update()
        .set((
            client_access::role_id.eq(role.0),
            client_access::given_at.eq(tx.now()),
            client_access::given_by.eq(given_by.map(|p| p.0)),
        ))
        .execute(tx.conn)?;
    end_links(tx.conn, person)?;
    Ok(Event::new(Kind::AccessGiven, format!("Gave {person_name} access to {client_name} as {label}"))
        .subject("client", client.0, client_name)
        .client(client)
        .about(person)
        .detail(serde_json::json!({ "role": label })))
}

fn role_id(conn: &mut PgConnection, key: &str) -> Result<RoleId> {
    Ok(RoleId(roles::table.filter(roles::key.eq(key)).select(roles::id).first(conn)?))
}

/// Makes the roles that come with the product and gives built-in ones the rights that this version says.
pub fn seed_roles(tx: &mut WriteTx<'_>) -> Result<Audited<usize>> {
    let mut events = Vec::new();
    for seeded in ROLES {
        let wanted: Vec<&str> = seeded.permissions.iter().map(|p| p.as_str()).collect();
        let present: Option<uuid::Uuid> =
            roles::table.filter(roles::key.eq(seeded.key)).select(roles::id).first(tx.conn).optional()?;
        let id = match present {
            Some(_) if !seeded.built_in => continue,
            Some(id) => {
                let mut held: Vec<String> = role_permissions::table
                    .filter(role_permissions::role_id.eq(id))
                    .select(role_permissions::permission)
                    .load(tx.conn)?;
                let mut sorted = wanted.clone();
                held.sort_unstable();
                sorted.sort_unstable();
                if held == sorted {
                    continue;
                }
                if sorted.iter().any(|right| !held.iter().any(|had| had == right)) {
                    end_links_of_holders(tx.conn, RoleId(id))?;
                }
                diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(id)))
                    .execute(tx.conn)?;
                id
            }
            None => {
                let id = RoleId::new().0;
                diesel::insert_into(roles::table)
                    .values((
                        roles::id.eq(id),
                        roles::key.eq(seeded.key),
                        roles::name.eq(seeded.name),
                        roles::description.eq(seeded.description),
                        roles::built_in.eq(seeded.built_in),
                    ))
                    .execute(tx.conn)?;
                id
            }
        };
        let rows: Vec<_> = wanted
            .iter()
            .map(|p| (role_permissions::role_id.eq(id), role_permissions::permission.eq(*p)))
            .collect();
        diesel::insert_into(role_permissions::table).values(&rows).execute(tx.conn)?;
        events.push(Event::new(Kind::RoleCreated, format!("Set up the role {}", seeded.name)).subject(
            "role",
            id,
            seeded.name,
        ));
    }
    if events.is_empty() { Ok(tx.unchanged(0)) } else { tx.audited_all(events.len(), &events) }
}

/// Whether anybody has an account.
pub fn has_people(conn: &mut PgConnection) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(people::table.filter(people::deleted_at.is_null())))
        .get_result(conn)?)
}

/// Keeps the digest of a one-time link. Links of the same purpose and person that were not used end.
pub fn insert_link(
    conn: &mut PgConnection,
    digest: &[u8; 32],
    purpose: LinkPurpose,
    person: Option<PersonId>,
    now: DateTime<Utc>,
    hours: i64,
) -> Result<()> {
    diesel::delete(
        one_time_links::table
            .filter(one_time_links::purpose.eq(purpose.as_str()))
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::person_id.is_not_distinct_from(person.map(|p| p.0))),
    )
    .execute(conn)?;
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::digest.eq(&digest[..]),
            one_time_links::purpose.eq(purpose.as_str()),
            one_time_links::person_id.eq(person.map(|p| p.0)),
            one_time_links::created_at.eq(now),
            one_time_links::expires_at.eq(now + TimeDelta::hours(hours)),
        ))
        .execute(conn)?;
    Ok(())
}

/// A link that still works: not used, not expired, its account neither disabled nor deleted, and the first
/// administrator's only while nobody has an account.
pub fn find_link(
    conn: &mut PgConnection,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<(LinkPurpose, Option<PersonId>)>> {
    let found: Option<(LinkPurpose, Option<PersonId>, Option<String>)> = one_time_links::table
        .find(&digest[..])
        .left_join(
            people::table
                .on(people::id.nullable().eq(one_time_links::person_id).and(people::deleted_at.is_null())),
        )
        .filter(one_time_links::used_at.is_null())
        .filter(one_time_links::expires_at.gt(now))
        .select((one_time_links::purpose, one_time_links::person_id, people::status.nullable()))
        .first(conn)
        .optional()?;
    Ok(match found {
        Some((purpose, None, _)) if !has_people(conn)? => Some((purpose, None)),
        Some((purpose, Some(person), Some(status))) if status != "disabled" => Some((purpose, Some(person))),
        _ => None,
    })
}

/// Uses a link up; of two requests at once one gets it.
///
/// # Errors
/// [`Error::Refused`] when it was used, has expired or never was.
pub fn use_link(conn: &mut PgConnection, digest: &[u8; 32], now: DateTime<Utc>) -> Result<()> {
    let works = find_link(conn, digest, now)?.is_some();
    let used = diesel::update(
        one_time_links::table
            .find(&digest[..])
            .filter(one_time_links::used_at.is_null())
            .filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .execute(conn)?;
    if works && used == 1 {
        Ok(())
    } else {
        Err(Error::Refused("This link was used already or has expired. Ask for a new one.".into()))
    }
}

/// Sets the organisation's time zone at the first start.
pub fn seed_time_zone(tx: &mut WriteTx<'_>, zone: &str) -> Result<Audited<()>> {
    diesel::update(settings::table).set(settings::time_zone.eq(zone)).execute(tx.conn)?;
    tx.audited((), Event::new(Kind::SettingsChanged, format!("Set the organisation's time zone to {zone}")))
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
///
/// # Errors
/// When the database is not to be had.
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
        "own sessions".to_owned()
    } else {
        format!("sessions of {}", account.name)
    };
    let event = Event::new(Kind::SessionEndedByOther, format!("Ended {ended} of the {whose}"))
        .subject("person", person.0, &account.name)
        .about(person)
        .detail(serde_json::json!({ "sessions": ended }));
    Ok((ended, event))
}

/// Whether a session still stands and its person still holds a right at a client: for answers that go on for
/// minutes.
///
/// # Errors
/// When the database is unavailable.
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
        .filter(people::status.eq("active").and(people::deleted_at.is_null()))
        .filter(client_access::client_id.eq(client.0).and(role_permissions::permission.eq(right.as_str())));
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

/// The organisation's name.
///
/// # Errors
/// When the database is not to be had.
pub fn get_organisation_name(conn: &mut PgConnection) -> Result<String> {
    Ok(settings::table.select(settings::organisation_name).first(conn)?)
}
