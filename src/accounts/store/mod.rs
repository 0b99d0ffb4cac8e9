//! SQL of people, sessions, roles and access.

pub mod attempts;
pub mod factors;
pub mod notices;
pub mod secret_key;
pub mod sessions;
pub mod sign_in;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::Bool;
use uuid::Uuid;

use crate::accounts::domain::{AccountStatus, LinkPurpose};
use crate::kernel::authz::policy::ROLES;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{
    client_access, known_devices, one_time_links, people, person_roles, role_permissions, roles, settings,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::Theme;

pub use sessions::{
    LoadedSession, OwnSession, claim_renewal, delete_session, end_sessions, find_session, insert_session,
    list_sessions, renew_sessions, seconds_left, still_may, still_may_own, sweep_sessions, touch_session,
    update_session, with_others_ended,
};

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
    pub status: AccountStatus,
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
        .find(id)
        .filter(people::deleted_at.is_null())
        .select(Account::as_select())
        .first(conn)?)
}

/// What the log says of a password that takes no other's place.
const FIRST_PASSWORD: &str = "Chose a first password";

/// Sets a password, which ends every session of the person and every link that was made for them. An invited
/// account is in use from then on.
///
/// # Errors
/// [`Error::NotFound`] for an account that was deleted, [`Error::Refused`] for a disabled one.
pub fn set_password(tx: &mut WriteTx<'_>, id: PersonId, hash: &str, by_link: bool) -> Result<Audited<()>> {
    let in_use = people::table.find(id).filter(people::deleted_at.is_null());
    let account: Account = in_use.select(Account::as_select()).for_update().first(tx.conn)?;
    if account.status == AccountStatus::Disabled {
        return Err(Error::Refused("This account is disabled.".into()));
    }
    diesel::update(people::table.find(id))
        .set((
            people::password_hash.eq(hash),
            people::password_changed_at.eq(tx.now()),
            people::status.eq(AccountStatus::Active),
            people::version.eq(people::version + 1),
        ))
        .execute(tx.conn)?;
    end_everything(tx.conn, id)?;
    let (kind, sentence) = match account.status {
        AccountStatus::Invited => (Kind::PasswordChosen, FIRST_PASSWORD.to_owned()),
        _ if by_link => {
            (Kind::PasswordReset, format!("{} set a new password by a one-time link", account.name))
        }
        _ => (Kind::PasswordChanged, "Changed own password".to_owned()),
    };
    tx.audited((), Event::new(kind, sentence).subject("person", id.0, &account.name).about(id))
}

/// Ends the unused links of a person whose rights grow: whoever was allowed to make one for them then may do
/// less than they may now. Tells how many.
///
/// # Errors
/// When the database refuses.
pub fn end_links(conn: &mut PgConnection, id: PersonId) -> Result<usize> {
    let unused =
        one_time_links::table.filter(one_time_links::person_id.eq(id).and(one_time_links::used_at.is_null()));
    Ok(diesel::delete(unused).execute(conn)?)
}

/// As [`end_links`], of everybody who holds a role, themselves or at a client: the role grew.
///
/// # Errors
/// When the database refuses.
pub fn end_links_of_holders(conn: &mut PgConnection, role: RoleId) -> Result<usize> {
    let own = person_roles::table.filter(person_roles::role_id.eq(role)).select(person_roles::person_id);
    let at_client =
        client_access::table.filter(client_access::role_id.eq(role)).select(client_access::person_id);
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
    sessions::delete_all(conn, id)?;
    end_links(conn, id)?;
    diesel::delete(known_devices::table.filter(known_devices::person_id.eq(id))).execute(conn)?;
    Ok(())
}

/// Keeps a theme: a person's own taste, no act.
pub fn save_theme(conn: &mut PgConnection, id: PersonId, theme: Theme) -> Result<()> {
    diesel::update(people::table.find(id)).set(people::theme.eq(theme)).execute(conn)?;
    Ok(())
}

/// Keeps whether single-letter shortcuts are on.
pub fn save_shortcuts(conn: &mut PgConnection, id: PersonId, on: bool) -> Result<()> {
    diesel::update(people::table.find(id)).set(people::shortcuts.eq(on)).execute(conn)?;
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
    let status = if new.password_hash.is_some() { AccountStatus::Active } else { AccountStatus::Invited };
    diesel::insert_into(people::table)
        .values((
            people::id.eq(id),
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
                person_roles::person_id.eq(id),
                person_roles::role_id.eq(role),
                person_roles::given_by.eq(given_by),
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

/// Makes the first administrator, with the password that they chose behind the set-up link.
///
/// # Errors
/// As [`insert_person`].
pub fn insert_first_administrator(
    tx: &mut WriteTx<'_>,
    name: &str,
    email: &str,
    password_hash: &str,
) -> Result<Audited<PersonId>> {
    let new = NewPerson { name, email, password_hash: Some(password_hash), roles: &["administrator"] };
    let (id, mut made) = insert_person(tx, &new, None)?;
    made.sentence = format!("The set-up link made the administrator {}", name.trim());
    let chose =
        Event::new(Kind::PasswordChosen, FIRST_PASSWORD).subject("person", id.0, name.trim()).about(id);
    tx.audited_all(id, &[made, chose])
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
    let label: String = roles::table.find(role).select(roles::name).first(tx.conn)?;
    diesel::insert_into(client_access::table)
        .values((
            client_access::client_id.eq(client),
            client_access::person_id.eq(person),
            client_access::role_id.eq(role),
            client_access::given_by.eq(given_by),
            client_access::given_at.eq(tx.now()),
        ))
        .on_conflict((client_access::person_id, client_access::client_id))
        .do_update()
        .set((
            client_access::role_id.eq(role),
            client_access::given_at.eq(tx.now()),
            client_access::given_by.eq(given_by),
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
        diesel::insert_into(role_permissions::table).values(&rows).execute_anew(tx.conn)?;
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
            .filter(one_time_links::person_id.is_not_distinct_from(person)),
    )
    .execute(conn)?;
    diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::digest.eq(&digest[..]),
            one_time_links::purpose.eq(purpose.as_str()),
            one_time_links::person_id.eq(person),
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
    let found: Option<(LinkPurpose, Option<PersonId>, Option<AccountStatus>)> = one_time_links::table
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
        Some((purpose, Some(person), Some(status))) if status != AccountStatus::Disabled => {
            Some((purpose, Some(person)))
        }
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

pub fn get_organisation_name(conn: &mut PgConnection) -> Result<String> {
    Ok(settings::table.select(settings::organisation_name).first(conn)?)
}
