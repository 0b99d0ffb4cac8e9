//! SQL of people, sessions, roles and access.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Bytea, Jsonb, Nullable, Timestamptz};

use super::domain::LinkPurpose;
use super::session::{ABSOLUTE_HOURS, PERSON};
use crate::audit::domain::{Event, Kind};
use crate::authz::Viewer;
use crate::authz::policy::ROLES;
use crate::db::schema::{client_access, one_time_links, people, person_roles, role_permissions, roles, sessions, settings};
use crate::db::{Audited, WriteTx};
use crate::error::{Error, Result};
use crate::ids::{ClientId, PersonId, RoleId};

/// A session as loaded with every request.
pub struct LoadedSession {
    /// What the session holds.
    pub state: HashMap<String, String>,
    /// The person, unless nobody is signed in or the account was disabled.
    pub viewer: Option<Viewer>,
    /// Whether its last use was a minute or more ago.
    pub is_stale: bool,
}

#[derive(QueryableByName)]
struct SessionRow {
    #[diesel(sql_type = Jsonb)]
    state: serde_json::Value,
    #[diesel(sql_type = Bool)]
    is_stale: bool,
    #[diesel(sql_type = Nullable<Jsonb>)]
    viewer: Option<serde_json::Value>,
}

/// The session, the person and all their rights, in one statement.
pub fn find_session(conn: &mut PgConnection, key_hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<LoadedSession>> {
    // sql_query: rights of two kinds gathered as JSON in the statement that every request pays for.
    let row: Option<SessionRow> = diesel::sql_query(
        "SELECT s.state, s.last_used_at < $2 - interval '1 minute' AS is_stale,
            CASE WHEN p.id IS NULL THEN NULL ELSE jsonb_build_object(
                'id', p.id, 'name', p.name, 'email', p.email, 'theme', p.theme, 'shortcuts', p.shortcuts,
                'role', coalesce((SELECT r.name FROM person_roles pr JOIN roles r ON r.id = pr.role_id WHERE pr.person_id = p.id
                         ORDER BY r.built_in DESC, pr.given_at LIMIT 1), ''),
                'rights', jsonb_build_object(
                    'own', coalesce((SELECT jsonb_agg(DISTINCT rp.permission) FROM person_roles pr
                             JOIN role_permissions rp ON rp.role_id = pr.role_id WHERE pr.person_id = p.id), '[]'),
                    'clients', coalesce((SELECT jsonb_object_agg(ca.client_id, (SELECT coalesce(jsonb_agg(rp.permission), '[]')
                             FROM role_permissions rp WHERE rp.role_id = ca.role_id)) FROM client_access ca WHERE ca.person_id = p.id), '{}')),
                'organisation', jsonb_build_object('name', o.organisation_name, 'time_zone', o.time_zone,
                    'write_rule', o.write_rule, 'attachment_bytes', o.attachment_bytes)) END AS viewer
         FROM sessions s CROSS JOIN settings o
         LEFT JOIN people p ON p.id = s.person_id AND p.status = 'active' AND p.deleted_at IS NULL
         WHERE s.key_hash = $1 AND s.expires_at > $2 AND s.last_used_at > $2 - make_interval(mins => o.idle_minutes)",
    )
    .bind::<Bytea, _>(&key_hash[..])
    .bind::<Timestamptz, _>(now)
    .get_result(conn)
    .optional()?;
    let Some(row) = row else { return Ok(None) };
    let viewer = row.viewer.map(serde_json::from_value).transpose()?;
    Ok(Some(LoadedSession { state: serde_json::from_value(row.state)?, viewer, is_stale: row.is_stale }))
}

/// The person whose id a session's state names.
fn person_of(state: &HashMap<String, String>) -> Option<PersonId> {
    serde_json::from_str(state.get(PERSON)?).ok()
}

/// Stores a new session.
pub fn insert_session(conn: &mut PgConnection, key_hash: &[u8; 32], state: &HashMap<String, String>, now: DateTime<Utc>) -> Result<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(&key_hash[..]),
            sessions::person_id.eq(person_of(state).map(|p| p.0)),
            sessions::state.eq(serde_json::to_value(state)?),
            sessions::created_at.eq(now),
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(now + TimeDelta::hours(ABSOLUTE_HOURS)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Stores a session's changed state; its end stays where it was.
pub fn update_session(conn: &mut PgConnection, key_hash: &[u8; 32], state: &HashMap<String, String>) -> Result<()> {
    diesel::update(sessions::table.find(&key_hash[..]))
        .set((sessions::state.eq(serde_json::to_value(state)?), sessions::person_id.eq(person_of(state).map(|p| p.0))))
        .execute(conn)?;
    Ok(())
}

/// Notes that a session was used.
pub fn touch_session(conn: &mut PgConnection, key_hash: &[u8; 32], now: DateTime<Utc>) -> Result<()> {
    diesel::update(sessions::table.find(&key_hash[..])).set(sessions::last_used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Ends a session.
pub fn delete_session(conn: &mut PgConnection, key_hash: &[u8; 32]) -> Result<()> {
    diesel::delete(sessions::table.find(&key_hash[..])).execute(conn)?;
    Ok(())
}

/// Removes sessions that have ended; the `session-sweep` job.
pub fn sweep_sessions(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<usize> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(conn)?)
}

/// What signing in needs of an account.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    /// Id.
    pub id: PersonId,
    /// Name.
    pub name: String,
    /// E-mail address as typed by whoever made the account.
    pub email: String,
    /// Argon2id hash, where a password was set.
    pub password_hash: Option<String>,
    /// invited, active or disabled.
    pub status: String,
}

/// The account of an e-mail address, whatever its case.
pub fn find_account(conn: &mut PgConnection, email: &str) -> Result<Option<Account>> {
    use diesel::dsl::sql;
    Ok(people::table
        .filter(sql::<Bool>("lower(email) = ").bind::<diesel::sql_types::Text, _>(email.trim().to_lowercase()))
        .filter(people::deleted_at.is_null())
        .select(Account::as_select())
        .first(conn)
        .optional()?)
}

/// An account by its id.
pub fn get_account(conn: &mut PgConnection, id: PersonId) -> Result<Account> {
    Ok(people::table.find(id.0).filter(people::deleted_at.is_null()).select(Account::as_select()).first(conn)?)
}

/// Notes a successful sign-in.
pub fn record_sign_in(tx: &mut WriteTx<'_>, account: &Account) -> Result<Audited<()>> {
    diesel::update(people::table.find(account.id.0)).set(people::last_sign_in_at.eq(tx.now())).execute(tx.conn)?;
    let event = Event::new(Kind::SessionStarted, "Signed in").subject("person", account.id.0, &account.name).about(account.id);
    tx.audited((), event)
}

/// Notes a failed sign-in. The typed name enters the log only where it is an account's.
pub fn record_refused_sign_in(tx: &mut WriteTx<'_>, account: Option<&Account>) -> Result<Audited<()>> {
    let mut event = Event::failed(Kind::SessionRefused, "wrong_credentials", "Sign-in failed: wrong credentials");
    if let Some(account) = account {
        event = event.subject("person", account.id.0, &account.name).about(account.id);
        event.search_values = format!("{} {}", account.name, account.email);
    }
    tx.audited((), event)
}

/// Sets a password and ends every other session of the person.
pub fn set_password(tx: &mut WriteTx<'_>, id: PersonId, hash: &str, by_self: bool, keep: Option<&[u8; 32]>) -> Result<Audited<()>> {
    let account = get_account(tx.conn, id)?;
    diesel::update(people::table.find(id.0))
        .set((
            people::password_hash.eq(hash),
            people::password_changed_at.eq(tx.now()),
            people::status.eq("active"),
            people::version.eq(people::version + 1),
        ))
        .execute(tx.conn)?;
    let kept = keep.map(|k| k.to_vec()).unwrap_or_default();
    diesel::delete(sessions::table.filter(sessions::person_id.eq(id.0)).filter(sessions::key_hash.ne(kept))).execute(tx.conn)?;
    let (kind, sentence) = if by_self {
        (Kind::PasswordChanged, "Changed own password".to_owned())
    } else {
        (Kind::PasswordReset, format!("Set a new password for {}", account.name))
    };
    tx.audited((), Event::new(kind, sentence).subject("person", id.0, &account.name).about(id))
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
    /// Name.
    pub name: &'a str,
    /// E-mail address.
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
pub fn insert_person(tx: &mut WriteTx<'_>, new: &NewPerson<'_>, given_by: Option<PersonId>) -> Result<(PersonId, Event)> {
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
            Some("people_email") => Error::field("email", "An account with this e-mail address exists already."),
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
        .set((client_access::role_id.eq(role.0), client_access::given_at.eq(tx.now()), client_access::given_by.eq(given_by.map(|p| p.0))))
        .execute(tx.conn)?;
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
        let present: Option<uuid::Uuid> = roles::table.filter(roles::key.eq(seeded.key)).select(roles::id).first(tx.conn).optional()?;
        let id = match present {
            Some(_) if !seeded.built_in => continue,
            Some(id) => {
                let mut held: Vec<String> =
                    role_permissions::table.filter(role_permissions::role_id.eq(id)).select(role_permissions::permission).load(tx.conn)?;
                let mut sorted = wanted.clone();
                held.sort_unstable();
                sorted.sort_unstable();
                if held == sorted {
                    continue;
                }
                diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(id))).execute(tx.conn)?;
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
        let rows: Vec<_> = wanted.iter().map(|p| (role_permissions::role_id.eq(id), role_permissions::permission.eq(*p))).collect();
        diesel::insert_into(role_permissions::table).values(&rows).execute(tx.conn)?;
        events.push(Event::new(Kind::RoleCreated, format!("Set up the role {}", seeded.name)).subject("role", id, seeded.name));
    }
    if events.is_empty() { Ok(tx.unchanged(0)) } else { tx.audited_all(events.len(), &events) }
}

/// Whether anybody has an account.
pub fn has_people(conn: &mut PgConnection) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(people::table.filter(people::deleted_at.is_null()))).get_result(conn)?)
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

/// A link that still works: not used, not expired, its account neither disabled nor deleted, and the first administrator's
/// only while nobody has an account.
pub fn find_link(conn: &mut PgConnection, digest: &[u8; 32], now: DateTime<Utc>) -> Result<Option<(LinkPurpose, Option<PersonId>)>> {
    let found: Option<(LinkPurpose, Option<PersonId>, Option<String>)> = one_time_links::table
        .find(&digest[..])
        .left_join(people::table.on(people::id.nullable().eq(one_time_links::person_id).and(people::deleted_at.is_null())))
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
        one_time_links::table.find(&digest[..]).filter(one_time_links::used_at.is_null()).filter(one_time_links::expires_at.gt(now)),
    )
    .set(one_time_links::used_at.eq(now))
    .execute(conn)?;
    if works && used == 1 { Ok(()) } else { Err(Error::Refused("This link was used already or has expired. Ask for a new one.".into())) }
}

/// Sets the organisation's time zone at the first start.
pub fn seed_time_zone(tx: &mut WriteTx<'_>, zone: &str) -> Result<Audited<()>> {
    diesel::update(settings::table).set(settings::time_zone.eq(zone)).execute(tx.conn)?;
    tx.audited((), Event::new(Kind::SettingsChanged, format!("Set the organisation's time zone to {zone}")))
}

/// Disables an account and ends its sessions. Nobody can disable the last active administrator.
///
/// # Errors
/// [`Error::Refused`] for the last active administrator.
pub fn disable(tx: &mut WriteTx<'_>, account: &Account) -> Result<Audited<()>> {
    // Locked, so that two administrators cannot disable each other at the same moment.
    let administrators: Vec<uuid::Uuid> = people::table
        .inner_join(person_roles::table.on(person_roles::person_id.eq(people::id)))
        .inner_join(roles::table.on(roles::id.eq(person_roles::role_id)))
        .filter(roles::key.eq("administrator").and(people::status.eq("active")).and(people::deleted_at.is_null()))
        .select(people::id)
        .for_update()
        .load(tx.conn)?;
    if administrators == [account.id.0] {
        return Err(Error::Refused(format!("{} is the last active administrator. Make another one first.", account.name)));
    }
    diesel::update(people::table.find(account.id.0))
        .set((people::status.eq("disabled"), people::version.eq(people::version + 1)))
        .execute(tx.conn)?;
    diesel::delete(sessions::table.filter(sessions::person_id.eq(account.id.0))).execute(tx.conn)?;
    diesel::delete(one_time_links::table.filter(one_time_links::person_id.eq(account.id.0).and(one_time_links::used_at.is_null())))
        .execute(tx.conn)?;
    let event = Event::new(Kind::UserDisabled, format!("Disabled the user {}", account.name))
        .subject("person", account.id.0, &account.name)
        .about(account.id);
    tx.audited((), event)
}
