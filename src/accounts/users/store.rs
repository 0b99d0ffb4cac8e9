//! SQL of users.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::accounts::domain::AccountStatus;
use crate::accounts::store::attempts;
use crate::accounts::store::factors::code_subject;
use crate::accounts::store::sign_in::account_subject;
use crate::accounts::store::{end_everything, end_links, renew_sessions};
use crate::kernel::app::Keys;
use crate::kernel::authz::Permission;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::{hex, unhex};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::base::keyset::Cursor;
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{
    client_access, clients, known_devices, people, person_roles, role_permissions, roles,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// What the filter of the status calls accounts that are locked after failed attempts.
pub const LOCKED: &str = "locked";

/// What the list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of a name or an e-mail address.
    pub q: String,
    /// Holders of this role, of their own or at a client.
    pub role: Option<RoleId>,
    /// People with access to this client.
    pub client: Option<ClientId>,
    pub status: Option<AccountStatus>,
    /// `with` or `without` a second factor; anything else is no filter.
    pub two_factor: String,
    /// Only people whose account is locked now.
    pub locked: bool,
    /// The last row of the page before.
    pub after: Option<UserCursor>,
}

/// A row of the list.
#[derive(Debug, Clone, QueryableByName)]
pub struct UserRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: PersonId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub email: String,
    #[diesel(sql_type = Text)]
    pub status: AccountStatus,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// Whether there is a second factor.
    #[diesel(sql_type = Bool)]
    pub two_factor: bool,
    /// Names of the own roles.
    #[diesel(sql_type = Array<Text>)]
    pub roles: Vec<String>,
    /// How many clients can be seen.
    #[diesel(sql_type = BigInt)]
    pub clients: i64,
    /// What the list is sorted by.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// Until when the account is locked, where it is.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub locked_until: Option<DateTime<Utc>>,
}

/// The place of a user in the list: their name as sorted.
pub type UserCursor = Cursor<String, PersonId>;

impl UserRow {
    pub fn cursor(&self) -> UserCursor {
        Cursor { key: self.key.clone(), id: self.id }
    }
}

/// A page of the list, by name.
pub fn list(
    conn: &mut PgConnection,
    keys: &Keys,
    filter: &Filter,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<UserRow>> {
    let locked = list_locked(conn, keys, now)?;
    let mut rows = list_rows(conn, filter, &locked, limit)?;
    for row in &mut rows {
        row.locked_until = locked.get(&row.id).copied();
    }
    Ok(rows)
}

/// Whose accounts are locked, and until when. What failures are counted by tells no address, so that those of
/// all people are asked for it; mostly nothing is locked and nobody is asked.
fn list_locked(
    conn: &mut PgConnection,
    keys: &Keys,
    now: DateTime<Utc>,
) -> Result<HashMap<PersonId, DateTime<Utc>>> {
    let mut locked = HashMap::new();
    let subjects = attempts::list_locked(conn, now)?;
    if subjects.is_empty() {
        return Ok(locked);
    }
    let emails: Vec<(PersonId, String)> =
        people::table.filter(people::deleted_at.is_null()).select((people::id, people::email)).load(conn)?;
    let digests: Vec<Vec<u8>> = subjects
        .iter()
        .filter_map(|(subject, _)| {
            unhex::<32>(subject.strip_prefix("device:")?).map(|digest| digest.to_vec())
        })
        .collect();
    let devices: Vec<(Vec<u8>, PersonId)> = known_devices::table
        .filter(known_devices::digest.eq_any(&digests))
        .select((known_devices::digest, known_devices::person_id))
        .load(conn)?;
    let of_devices = devices.into_iter().map(|(digest, person)| (format!("device:{}", hex(&digest)), person));
    let of_people = emails.into_iter().flat_map(|(person, email)| {
        [account_subject(keys, &email), code_subject(person), format!("proof:{person}")]
            .map(|subject| (subject, person))
    });
    let people: HashMap<String, PersonId> = of_people.chain(of_devices).collect();
    for (subject, until) in subjects {
        if let Some(person) = people.get(&subject) {
            let latest = locked.entry(*person).or_insert(until);
            *latest = until.max(*latest);
        }
    }
    Ok(locked)
}

fn list_rows(
    conn: &mut PgConnection,
    filter: &Filter,
    locked: &HashMap<PersonId, DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<UserRow>> {
    let only: Option<Vec<Uuid>> = filter.locked.then(|| locked.keys().map(|id| id.0).collect());
    let like = like(filter.q.trim());
    let after = filter.after.as_ref();
    // sql_query: roles and access of each person in one statement, filtered by either.
    Ok(diesel::sql_query(
        "SELECT p.id, p.name, p.email, p.status, p.last_sign_in_at, p.totp_since IS NOT NULL AS two_factor, \
            lower(p.name) AS key, NULL::timestamptz AS locked_until,
            ARRAY(SELECT r.name FROM person_roles pr JOIN roles r ON r.id = pr.role_id \
            WHERE pr.person_id = p.id ORDER BY r.name) AS roles,
            (SELECT count(*) FROM client_access ca WHERE ca.person_id = p.id) AS clients
         FROM people p
         WHERE p.deleted_at IS NULL AND (p.name ILIKE $1 OR p.email ILIKE $1)
            AND ($2::uuid IS NULL OR EXISTS (SELECT FROM person_roles pr WHERE pr.person_id = p.id \
            AND pr.role_id = $2)
                OR EXISTS (SELECT FROM client_access ca WHERE ca.person_id = p.id AND ca.role_id = $2))
            AND ($3::uuid IS NULL OR EXISTS (SELECT FROM client_access ca WHERE ca.person_id = p.id \
            AND ca.client_id = $3))
            AND ($4::text IS NULL OR p.status = $4)
            AND ($5 NOT IN ('with', 'without') OR (p.totp_since IS NOT NULL) = ($5 = 'with'))
            AND ($6::text IS NULL OR (lower(p.name), p.id) > ($6, $7))
            AND ($9::uuid[] IS NULL OR p.id = ANY($9))
         ORDER BY lower(p.name), p.id LIMIT $8",
    )
    .bind::<Text, _>(like)
    .bind::<Nullable<SqlUuid>, _>(filter.role)
    .bind::<Nullable<SqlUuid>, _>(filter.client)
    .bind::<Nullable<Text>, _>(filter.status)
    .bind::<Text, _>(&filter.two_factor)
    .bind::<Nullable<Text>, _>(after.map(|after| &after.key))
    .bind::<Nullable<SqlUuid>, _>(after.map(|after| after.id))
    .bind::<BigInt, _>(limit)
    .bind::<Nullable<Array<SqlUuid>>, _>(only)
    .load(conn)?)
}

/// Every role, by name.
pub fn list_roles(conn: &mut PgConnection) -> Result<Vec<(RoleId, String)>> {
    Ok(roles::table.order(roles::name).select((roles::id, roles::name)).load(conn)?)
}

/// Every client, by name: for who reads or gives access.
pub fn list_clients(conn: &mut PgConnection) -> Result<Vec<(ClientId, String)>> {
    Ok(clients::table.order(clients::name).select((clients::id, clients::name)).load(conn)?)
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = people, check_for_backend(diesel::pg::Pg))]
pub struct User {
    pub id: PersonId,
    pub name: String,
    pub email: String,
    pub status: AccountStatus,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// Last change of the password.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// When the second factor was set up.
    pub totp_since: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
}

/// A role that somebody holds, and since when, by whom.
#[derive(Debug, Clone, QueryableByName)]
pub struct HeldRole {
    #[diesel(sql_type = SqlUuid)]
    pub role: RoleId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    /// Whether this person holds it.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Who gave it; nobody for the first ones.
    #[diesel(sql_type = Nullable<Text>)]
    pub given_by: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub given_at: Option<DateTime<Utc>>,
}

/// A right, and what gives it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Source {
    /// Stored name of the permission.
    #[diesel(sql_type = Text)]
    pub permission: String,
    /// The role that gives it.
    #[diesel(sql_type = Text)]
    pub role: String,
    /// The client at which, for rights of client access.
    #[diesel(sql_type = Nullable<Text>)]
    pub client: Option<String>,
}

/// A user by id.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it was deleted.
pub fn get(conn: &mut PgConnection, id: PersonId) -> Result<User> {
    Ok(people::table.find(id).filter(people::deleted_at.is_null()).select(User::as_select()).first(conn)?)
}

/// Every role, with who gave it to this person and when.
pub fn list_held_roles(conn: &mut PgConnection, id: PersonId) -> Result<Vec<HeldRole>> {
    // sql_query: every role beside the assignment that may be missing, and its giver's name.
    Ok(diesel::sql_query(
        "SELECT r.id AS role, r.name, r.description, pr.role_id IS NOT NULL AS held, g.name AS given_by, \
            pr.given_at
         FROM roles r LEFT JOIN person_roles pr ON pr.role_id = r.id AND pr.person_id = $1 LEFT \
         JOIN people g ON g.id = pr.given_by
         ORDER BY r.built_in DESC, r.name",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)?)
}

/// What a person may do: every right with the roles, and clients, that give it.
pub fn list_sources(conn: &mut PgConnection, id: PersonId) -> Result<Vec<Source>> {
    // sql_query: own roles and the roles of client access, as one list.
    Ok(diesel::sql_query(
        "SELECT rp.permission, r.name AS role, NULL AS client FROM person_roles pr \
            JOIN roles r ON r.id = pr.role_id
            JOIN role_permissions rp ON rp.role_id = r.id WHERE pr.person_id = $1
         UNION ALL
         SELECT rp.permission, r.name, c.name FROM client_access ca JOIN roles r ON r.id = ca.role_id
            JOIN role_permissions rp ON rp.role_id = r.id JOIN clients c ON c.id = ca.client_id \
            WHERE ca.person_id = $1
         ORDER BY role, client",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)?)
}

fn subjects(conn: &mut PgConnection, keys: &Keys, user: &User) -> Result<Vec<String>> {
    let devices: Vec<Vec<u8>> = known_devices::table
        .filter(known_devices::person_id.eq(user.id))
        .select(known_devices::digest)
        .load(conn)?;
    let own = [account_subject(keys, &user.email), code_subject(user.id), format!("proof:{}", user.id)];
    Ok(own.into_iter().chain(devices.iter().map(|digest| format!("device:{}", hex(digest)))).collect())
}

/// Until when a user is locked out, if they are.
pub fn locked_until(
    conn: &mut PgConnection,
    keys: &Keys,
    user: &User,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let subjects = subjects(conn, keys, user)?;
    Ok(attempts::locked(conn, &subjects, now)?.into_iter().map(|(_, until)| until).max())
}

/// Nobody acts on somebody who may do more: it would be a way to their rights.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn check_rank(conn: &mut PgConnection, own: PermissionSet, id: PersonId) -> Result<()> {
    let held: Vec<String> = person_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(person_roles::role_id)))
        .filter(person_roles::person_id.eq(id))
        .select(role_permissions::permission)
        .load(conn)?;
    covers(own, &held).map_err(|right| {
        Error::Forbidden(format!("This user may do more than you: {right}. Ask an administrator."))
    })?;
    // Whoever becomes this user sees their clients: that is for those who could give themselves the same
    // access openly.
    let sees = diesel::dsl::exists(client_access::table.filter(client_access::person_id.eq(id)));
    if !own.has(Permission::AccessManage) && diesel::select(sees).get_result::<bool>(conn)? {
        return Err(Error::Forbidden(
            "This user sees clients. Ask somebody who gives access to clients.".into(),
        ));
    }
    Ok(())
}

/// `Ok` when a set holds every right among these names.
fn covers(own: PermissionSet, held: &[String]) -> Result<(), String> {
    let more = held.iter().filter_map(|name| name.parse::<Permission>().ok()).find(|right| !own.has(*right));
    more.map_or(Ok(()), |right| Err(right.label().to_lowercase()))
}

/// Locks what decides who is an administrator, so that two of them cannot take each other out at the same
/// moment. Says how many there are.
fn lock_administrators(conn: &mut PgConnection) -> Result<i64> {
    roles::table.filter(roles::key.eq("administrator")).select(roles::id).for_update().first::<Uuid>(conn)?;
    count_administrators(conn)
}

/// Accounts in use that may administer.
fn count_administrators(conn: &mut PgConnection) -> Result<i64> {
    Ok(people::table
        .inner_join(person_roles::table.on(person_roles::person_id.eq(people::id)))
        .inner_join(roles::table.on(roles::id.eq(person_roles::role_id)))
        .filter(
            roles::key
                .eq("administrator")
                .and(people::status.eq(AccountStatus::Active))
                .and(people::deleted_at.is_null()),
        )
        .count()
        .get_result(conn)?)
}

/// What was just changed must leave somebody who can administer. Where there was nobody `before`, it took
/// nobody away: the command line makes the first one.
fn check_administrators(conn: &mut PgConnection, before: i64) -> Result<()> {
    if before > 0 && count_administrators(conn)? == 0 {
        return Err(Error::Refused("This is the last active administrator. Make another one first.".into()));
    }
    Ok(())
}

fn event(kind: Kind, sentence: String, user: &User) -> Event {
    let mut event = Event::new(kind, sentence).subject("person", user.id.0, &user.name).about(user.id);
    event.search_values = user.email.clone();
    event
}

fn lock(tx: &mut WriteTx<'_>, id: PersonId) -> Result<User> {
    Ok(people::table
        .find(id)
        .filter(people::deleted_at.is_null())
        .select(User::as_select())
        .for_update()
        .first(tx.conn)?)
}

/// Saves name and e-mail address. Nothing changed is no save.
///
/// # Errors
/// [`Error::Conflict`] when somebody saved since `version` was shown, [`Error::Invalid`] when the address is
/// taken.
pub fn save(
    tx: &mut WriteTx<'_>,
    own: PermissionSet,
    id: PersonId,
    name: &str,
    email: &str,
    version: i32,
) -> Result<Audited<()>> {
    let before = lock(tx, id)?;
    check_rank(tx.conn, own, id)?;
    let (name, email) = (name.trim(), email.trim());
    if (before.name.as_str(), before.email.as_str()) == (name, email) {
        return Ok(tx.unchanged(()));
    }
    if before.version != version {
        return Err(Error::Conflict(
            "Somebody saved this user since you opened it. What you typed is still here.".into(),
        ));
    }
    diesel::update(people::table.find(id))
        .set((people::name.eq(name), people::email.eq(email), people::version.eq(version + 1)))
        .execute(tx.conn)
        .map_err(|e| match Error::constraint(&e) {
            Some("people_email") => {
                Error::field("email", "An account with this e-mail address exists already.")
            }
            _ => e.into(),
        })?;
    let changes =
        [("name", before.name.as_str(), name, false), ("email", before.email.as_str(), email, false)];
    let event = event(Kind::UserUpdated, format!("Changed the user {name}"), &before)
        .telling(changes.into_iter().filter(|(_, old, new, _)| old != new));
    tx.audited((), event)
}

/// What a save of somebody's roles did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolesSaved {
    /// Roles given and taken.
    pub changes: usize,
    /// Unused links that ended, because the person may do more than when they were made.
    pub links_ended: usize,
}

/// Assigns and takes roles of a person's own.
///
/// # Errors
/// [`Error::Forbidden`] for a role with rights that the assigner lacks, [`Error::Refused`] for the last
/// administrator.
pub fn save_roles(
    tx: &mut WriteTx<'_>,
    own: PermissionSet,
    id: PersonId,
    added: &[RoleId],
    removed: &[RoleId],
) -> Result<Audited<RolesSaved>> {
    let user = lock(tx, id)?;
    let administrators = lock_administrators(tx.conn)?;
    check_rank(tx.conn, own, id)?;
    let mut events = Vec::new();
    for (list, adds) in [(added, true), (removed, false)] {
        for role in list {
            let name: String = roles::table.find(role).select(roles::name).first(tx.conn)?;
            let gives: Vec<String> = role_permissions::table
                .filter(role_permissions::role_id.eq(role))
                .select(role_permissions::permission)
                .load(tx.conn)?;
            covers(own, &gives).map_err(|right| {
                Error::Forbidden(format!("The role {name} may do more than you: {right}."))
            })?;
            let changed = if adds {
                diesel::insert_into(person_roles::table)
                    .values((
                        person_roles::person_id.eq(id),
                        person_roles::role_id.eq(role),
                        person_roles::given_by.eq(tx.actor().id),
                        person_roles::given_at.eq(tx.now()),
                    ))
                    .on_conflict_do_nothing()
                    .execute(tx.conn)?
            } else {
                diesel::delete(person_roles::table.find((id, role))).execute(tx.conn)?
            };
            if changed > 0 {
                let (kind, sentence) = if adds {
                    (Kind::RoleAssigned, format!("Gave {} the role {name}", user.name))
                } else {
                    (Kind::RoleRemoved, format!("Took the role {name} from {}", user.name))
                };
                events.push(event(kind, sentence, &user).detail(serde_json::json!({ "role": name })));
            }
        }
    }
    check_administrators(tx.conn, administrators)?;
    if events.is_empty() {
        return Ok(tx.unchanged(RolesSaved::default()));
    }
    renew_sessions(tx.conn, id)?;
    let links_ended = if added.is_empty() { 0 } else { end_links(tx.conn, id)? };
    tx.audited_all(RolesSaved { changes: events.len(), links_ended }, &events)
}

/// Disables an account: its sessions and links end. Nobody can disable the last active administrator.
///
/// # Errors
/// [`Error::Refused`] for the last active administrator, [`Error::Forbidden`] for somebody who may do more.
pub fn disable(tx: &mut WriteTx<'_>, own: PermissionSet, id: PersonId) -> Result<Audited<()>> {
    let user = lock(tx, id)?;
    let administrators = lock_administrators(tx.conn)?;
    check_rank(tx.conn, own, id)?;
    if user.status == AccountStatus::Disabled {
        return Ok(tx.unchanged(()));
    }
    diesel::update(people::table.find(id))
        .set((people::status.eq(AccountStatus::Disabled), people::version.eq(people::version + 1)))
        .execute(tx.conn)?;
    check_administrators(tx.conn, administrators)?;
    end_everything(tx.conn, id)?;
    tx.audited((), event(Kind::UserDisabled, format!("Disabled the user {}", user.name), &user))
}

/// Enables a disabled account: in use where it has a password, else invited again.
///
/// # Errors
/// [`Error::Forbidden`] for somebody who may do more.
pub fn enable(tx: &mut WriteTx<'_>, own: PermissionSet, id: PersonId) -> Result<Audited<()>> {
    let user = lock(tx, id)?;
    check_rank(tx.conn, own, id)?;
    if user.status != AccountStatus::Disabled {
        return Ok(tx.unchanged(()));
    }
    let has_password: bool =
        people::table.find(id).select(people::password_hash.is_not_null()).first(tx.conn)?;
    let status = if has_password { AccountStatus::Active } else { AccountStatus::Invited };
    diesel::update(people::table.find(id))
        .set((people::status.eq(status), people::version.eq(people::version + 1)))
        .execute(tx.conn)?;
    tx.audited((), event(Kind::UserEnabled, format!("Enabled the user {}", user.name), &user))
}

/// Unlocks an account after failed attempts.
///
/// # Errors
/// When the database refuses.
pub fn unlock(tx: &mut WriteTx<'_>, keys: &Keys, id: PersonId) -> Result<Audited<bool>> {
    let user = lock(tx, id)?;
    let was_locked = locked_until(tx.conn, keys, &user, tx.now())?.is_some();
    let subjects = subjects(tx.conn, keys, &user)?;
    attempts::forget(tx.conn, &subjects)?;
    if !was_locked {
        return Ok(tx.unchanged(false));
    }
    tx.audited(true, event(Kind::SessionUnlocked, format!("Unlocked the account of {}", user.name), &user))
}

/// Deletes an account. Its name stays on what the person did; roles, access, sessions and links go.
///
/// # Errors
/// [`Error::Refused`] for the last active administrator, [`Error::Forbidden`] for somebody who may do more.
pub fn delete(tx: &mut WriteTx<'_>, own: PermissionSet, id: PersonId) -> Result<Audited<String>> {
    let user = lock(tx, id)?;
    let administrators = lock_administrators(tx.conn)?;
    check_rank(tx.conn, own, id)?;
    diesel::update(people::table.find(id))
        .set((
            people::deleted_at.eq(tx.now()),
            people::status.eq(AccountStatus::Disabled),
            people::password_hash.eq(None::<String>),
            people::totp_secret.eq(None::<Vec<u8>>),
            people::totp_since.eq(None::<DateTime<Utc>>),
            people::version.eq(people::version + 1),
        ))
        .execute(tx.conn)?;
    let held: Vec<String> = person_roles::table
        .inner_join(roles::table)
        .filter(person_roles::person_id.eq(id))
        .select(roles::name)
        .load(tx.conn)?;
    let seen: Vec<(ClientId, String)> = client_access::table
        .inner_join(clients::table)
        .filter(client_access::person_id.eq(id))
        .select((clients::id, clients::name))
        .load(tx.conn)?;
    diesel::delete(person_roles::table.filter(person_roles::person_id.eq(id))).execute(tx.conn)?;
    diesel::delete(client_access::table.filter(client_access::person_id.eq(id))).execute(tx.conn)?;
    check_administrators(tx.conn, administrators)?;
    end_everything(tx.conn, id)?;
    let mut events = vec![
        event(Kind::UserDeleted, format!("Deleted the user {}", user.name), &user)
            .detail(serde_json::json!({ "email": user.email })),
    ];
    for role in &held {
        let sentence = format!("Took the role {role} from {}", user.name);
        events.push(event(Kind::RoleRemoved, sentence, &user).detail(serde_json::json!({ "role": role })));
    }
    for (client, name) in &seen {
        let removed =
            Event::new(Kind::AccessRemoved, format!("Took the access to {name} from {}", user.name));
        events.push(removed.subject("client", client.0, name).client(*client).about(id));
    }
    tx.audited_all(user.name, &events)
}

/// Notes that somebody made a link for a new password, or an invitation, of another.
///
/// # Errors
/// [`Error::Forbidden`] for somebody who may do more, [`Error::Refused`] for a disabled account.
pub fn record_link(tx: &mut WriteTx<'_>, own: PermissionSet, id: PersonId) -> Result<Audited<User>> {
    let user = lock(tx, id)?;
    check_rank(tx.conn, own, id)?;
    let (kind, sentence) = match user.status {
        AccountStatus::Disabled => {
            return Err(Error::Refused("This account is disabled. Enable it first.".into()));
        }
        AccountStatus::Invited => (Kind::UserInvited, format!("Made an invitation link for {}", user.name)),
        AccountStatus::Active => {
            (Kind::PasswordLinkMade, format!("Made a link for a new password of {}", user.name))
        }
    };
    let made = event(kind, sentence, &user);
    tx.audited(user, made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_asks_for_every_right() {
        let own: PermissionSet = [Permission::UserManage].into_iter().collect();
        assert!(covers(own, &["user.manage".into(), "unknown".into()]).is_ok());
        assert!(covers(own, &["user.manage".into(), "engagement.delete".into()]).is_err());
        assert_eq!(
            covers(own, &["role.manage".into()]),
            Err("create, change, delete and assign roles".into())
        );
    }
}
