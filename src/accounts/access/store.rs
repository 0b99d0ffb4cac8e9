//! SQL of client access.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::accounts::domain::AccountStatus;
use crate::accounts::store::{end_links, renew_sessions};
use crate::kernel::authz::Permission;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::text::like;
use crate::kernel::db::schema::{client_access, clients, people, role_permissions, roles};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// What the list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of a person's name or address.
    pub q: String,
    pub person: Option<PersonId>,
    pub client: Option<ClientId>,
    pub role: Option<RoleId>,
}

/// One person's access to one client.
#[derive(Debug, Clone, QueryableByName)]
pub struct AccessRow {
    #[diesel(sql_type = SqlUuid)]
    pub person: PersonId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub email: String,
    #[diesel(sql_type = Text)]
    pub status: AccountStatus,
    #[diesel(sql_type = SqlUuid)]
    pub client: ClientId,
    #[diesel(sql_type = Text)]
    pub client_name: String,
    #[diesel(sql_type = SqlUuid)]
    pub role: RoleId,
    #[diesel(sql_type = Text)]
    pub role_name: String,
    /// Who gave it; nobody for what came with the demo data or the command line.
    #[diesel(sql_type = Nullable<Text>)]
    pub given_by: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub given_at: DateTime<Utc>,
}

/// Access, by client and person.
pub fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> Result<Vec<AccessRow>> {
    let like = like(filter.q.trim());
    // sql_query: two people of one row, who has it and who gave it.
    Ok(diesel::sql_query(
        "SELECT p.id AS person, p.name, p.email, p.status, c.id AS client, c.name AS client_name, r.id AS \
            role, r.name AS role_name,
            g.name AS given_by, a.given_at
         FROM client_access a JOIN people p ON p.id = a.person_id JOIN clients c ON c.id = a.client_id \
         JOIN roles r ON r.id = a.role_id
            LEFT JOIN people g ON g.id = a.given_by
         WHERE p.deleted_at IS NULL AND (p.name ILIKE $1 OR p.email ILIKE $1) AND ($2::uuid IS NULL \
         OR p.id = $2)
            AND ($3::uuid IS NULL OR c.id = $3) AND ($4::uuid IS NULL OR r.id = $4)
         ORDER BY lower(c.name), lower(p.name), p.id LIMIT $5",
    )
    .bind::<Text, _>(like)
    .bind::<Nullable<SqlUuid>, _>(filter.person)
    .bind::<Nullable<SqlUuid>, _>(filter.client)
    .bind::<Nullable<SqlUuid>, _>(filter.role)
    .bind::<BigInt, _>(limit)
    .load(conn)?)
}

/// People who could be given access: everybody with an account in use, by name.
pub fn list_people(conn: &mut PgConnection) -> Result<Vec<(PersonId, String)>> {
    Ok(people::table
        .filter(people::deleted_at.is_null().and(people::status.ne(AccountStatus::Disabled)))
        .order(people::name)
        .select((people::id, people::name))
        .load(conn)?)
}

pub fn get_client_name(conn: &mut PgConnection, client: ClientId) -> Result<String> {
    Ok(clients::table.find(client).select(clients::name).first(conn)?)
}

/// People who have no access to a client: everybody else with an account in use, by name.
pub fn list_people_without(conn: &mut PgConnection, client: ClientId) -> Result<Vec<(PersonId, String)>> {
    let within =
        client_access::table.filter(client_access::client_id.eq(client)).select(client_access::person_id);
    Ok(people::table
        .filter(people::deleted_at.is_null().and(people::status.ne(AccountStatus::Disabled)))
        .filter(people::id.ne_all(within))
        .order((people::name, people::id))
        .select((people::id, people::name))
        .load(conn)?)
}

/// A role that an access can carry.
#[derive(Debug, Clone)]
pub struct OfferedRole {
    pub id: RoleId,
    pub name: String,
    pub description: String,
}

/// The roles that may do something at a client, and no more than `own`, by name.
pub fn list_roles_within(conn: &mut PgConnection, own: PermissionSet) -> Result<Vec<OfferedRole>> {
    let rows: Vec<(RoleId, String, String, String)> = roles::table
        .inner_join(role_permissions::table)
        .order((roles::name, roles::id))
        .select((roles::id, roles::name, roles::description, role_permissions::permission))
        .load(conn)?;
    let mut offered: Vec<(OfferedRole, Vec<Permission>)> = Vec::new();
    for (id, name, description, permission) in rows {
        if offered.last().is_none_or(|(role, _)| role.id != id) {
            offered.push((OfferedRole { id, name, description }, Vec::new()));
        }
        if let (Some((_, held)), Ok(permission)) = (offered.last_mut(), permission.parse()) {
            held.push(permission);
        }
    }
    offered.retain(|(_, held)| {
        held.iter().any(|permission| !permission.is_own())
            && own.covers_at_client(held.iter().copied().collect())
    });
    Ok(offered.into_iter().map(|(role, _)| role).collect())
}

/// As [`give`], by somebody who holds `own` at the client: only to who has no access yet, and only a role
/// that may do no more there than they may.
///
/// # Errors
/// [`Error::Invalid`] for any other person or role.
pub fn give_within(
    tx: &mut WriteTx<'_>,
    own: PermissionSet,
    person: PersonId,
    client: ClientId,
    role: RoleId,
) -> Result<Audited<usize>> {
    if !list_roles_within(tx.conn, own)?.iter().any(|offered| offered.id == role) {
        return Err(Error::field("role", "This role may do more at this client than you. Choose another."));
    }
    let has = client_access::table
        .filter(client_access::person_id.eq(person).and(client_access::client_id.eq(client)));
    if diesel::select(diesel::dsl::exists(has)).get_result(tx.conn)? {
        return Err(Error::field(
            "person",
            "They have access to this client already. An administrator changes the role.",
        ));
    }
    give(tx, person, client, role)
}

/// Gives a person access to a client, or another role there; tells how many unused links of theirs ended with
/// that.
///
/// # Errors
/// [`Error::Invalid`] for a person, client or role that does not exist.
pub fn give(
    tx: &mut WriteTx<'_>,
    person: PersonId,
    client: ClientId,
    role: RoleId,
) -> Result<Audited<usize>> {
    let known = |found: Option<String>, field: &str| {
        found.ok_or_else(|| Error::field(field, "Choose one from the list."))
    };
    let in_use = people::table
        .find(person)
        .filter(people::deleted_at.is_null().and(people::status.ne(AccountStatus::Disabled)));
    let name = known(in_use.select(people::name).for_update().first(tx.conn).optional()?, "person")?;
    let client_name =
        known(clients::table.find(client).select(clients::name).first(tx.conn).optional()?, "client")?;
    let role_name = known(roles::table.find(role).select(roles::name).first(tx.conn).optional()?, "role")?;
    let before: Option<(RoleId, String)> = client_access::table
        .inner_join(roles::table)
        .filter(client_access::person_id.eq(person).and(client_access::client_id.eq(client)))
        .select((roles::id, roles::name))
        .first(tx.conn)
        .optional()?;
    if before.as_ref().is_some_and(|(held, _)| *held == role) {
        return Ok(tx.unchanged(0));
    }
    let given = (
        client_access::role_id.eq(role),
        client_access::given_by.eq(tx.actor().id),
        client_access::given_at.eq(tx.now()),
    );
    diesel::insert_into(client_access::table)
        .values((client_access::client_id.eq(client), client_access::person_id.eq(person), given))
        .on_conflict((client_access::person_id, client_access::client_id))
        .do_update()
        .set(given)
        .execute(tx.conn)?;
    renew_sessions(tx.conn, person)?;
    let ended = end_links(tx.conn, person)?;
    let event = match before {
        None => Event::new(Kind::AccessGiven, format!("Gave {name} access to {client_name} as {role_name}"))
            .detail(serde_json::json!({ "role": role_name })),
        Some((_, old)) => Event::new(
            Kind::AccessChanged,
            format!("Changed the access of {name} to {client_name} from {old} to {role_name}"),
        )
        .changes([("role", old.as_str(), role_name.as_str(), false)]),
    };
    tx.audited(ended, event.subject("client", client.0, &client_name).client(client).about(person))
}

/// Takes a person's access to a client.
///
/// # Errors
/// [`Error::NotFound`] where there is none.
pub fn take(tx: &mut WriteTx<'_>, person: PersonId, client: ClientId) -> Result<Audited<String>> {
    let name: String = people::table.find(person).select(people::name).first(tx.conn)?;
    let client_name: String = clients::table.find(client).select(clients::name).first(tx.conn)?;
    let gone = client_access::table
        .filter(client_access::person_id.eq(person).and(client_access::client_id.eq(client)));
    if diesel::delete(gone).execute(tx.conn)? == 0 {
        return Err(Error::NotFound);
    }
    renew_sessions(tx.conn, person)?;
    let event = Event::new(Kind::AccessRemoved, format!("Took the access to {client_name} from {name}"))
        .subject("client", client.0, &client_name)
        .client(client)
        .about(person);
    tx.audited(format!("{name} no longer sees {client_name}."), event)
}
