//! SQL of roles.

use diesel::sql_types::{BigInt, Bool, Integer, Text, Uuid as SqlUuid};

use crate::accounts::store::end_links_of_holders;
use crate::kernel::authz::Permission;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::RoleId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{role_permissions, roles};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// A role and who holds it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Role {
    #[diesel(sql_type = SqlUuid)]
    pub id: RoleId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub description: String,
    /// Whether it is read-only.
    #[diesel(sql_type = Bool)]
    pub built_in: bool,
    /// Whether its holders need a second factor.
    #[diesel(sql_type = Bool)]
    pub requires_two_factor: bool,
    /// Rises with every change.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// How many people hold it themselves.
    #[diesel(sql_type = BigInt)]
    pub people: i64,
    /// How many client accesses carry it.
    #[diesel(sql_type = BigInt)]
    pub accesses: i64,
}

fn query(wanted: &str) -> String {
    format!(
        "SELECT r.id, r.name, r.description, r.built_in, r.requires_two_factor, r.version,
            (SELECT count(*) FROM person_roles pr WHERE pr.role_id = r.id) AS people,
            (SELECT count(*) FROM client_access ca WHERE ca.role_id = r.id) AS accesses
         FROM roles r {wanted} ORDER BY r.built_in DESC, r.name"
    )
}

/// Every role, built-in ones first.
pub fn list(conn: &mut PgConnection) -> Result<Vec<Role>> {
    // sql_query: two counts beside each row.
    Ok(diesel::sql_query(query("")).load(conn)?)
}

/// A role with its permissions.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub fn get(conn: &mut PgConnection, id: RoleId) -> Result<(Role, PermissionSet)> {
    // sql_query: the same two counts as in the list.
    let role: Role = diesel::sql_query(query("WHERE r.id = $1")).bind::<SqlUuid, _>(id).get_result(conn)?;
    Ok((role, permissions(conn, id)?))
}

fn permissions(conn: &mut PgConnection, id: RoleId) -> Result<PermissionSet> {
    let names: Vec<String> = role_permissions::table
        .filter(role_permissions::role_id.eq(id))
        .select(role_permissions::permission)
        .load(conn)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// A role as it shall be.
#[derive(Debug, Clone)]
pub struct RoleText {
    pub name: String,
    pub description: String,
    pub permissions: PermissionSet,
    /// Whether its holders need a second factor.
    pub requires_two_factor: bool,
}

fn name_taken(error: diesel::result::Error) -> Error {
    match Error::constraint(&error) {
        Some("roles_name") => Error::field("name", "Another role has this name. Choose a different one."),
        _ => error.into(),
    }
}

/// Nobody makes or keeps a role with rights that they lack themselves: it would be a way to them.
fn check_rank(own: PermissionSet, wanted: PermissionSet) -> Result<()> {
    match wanted.iter().find(|right| !own.has(*right)) {
        Some(right) => Err(Error::field(
            "permissions",
            format!("You do not hold this right yourself: {}.", right.label().to_lowercase()),
        )),
        None => Ok(()),
    }
}

fn names(set: PermissionSet) -> String {
    set.iter().map(Permission::as_str).collect::<Vec<_>>().join(", ")
}

fn store_permissions(tx: &mut WriteTx<'_>, id: RoleId, set: PermissionSet) -> Result<()> {
    diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(id))).execute(tx.conn)?;
    let rows: Vec<_> = set
        .iter()
        .map(|p| (role_permissions::role_id.eq(id), role_permissions::permission.eq(p.as_str())))
        .collect();
    diesel::insert_into(role_permissions::table).values(rows).execute_anew(tx.conn)?;
    Ok(())
}

/// Makes a custom role.
///
/// # Errors
/// [`Error::Invalid`] for a taken name, or rights that the maker lacks.
pub fn create(tx: &mut WriteTx<'_>, own: PermissionSet, text: &RoleText) -> Result<Audited<RoleId>> {
    check_rank(own, text.permissions)?;
    let id = RoleId::new();
    diesel::insert_into(roles::table)
        .values((
            roles::id.eq(id),
            roles::name.eq(&text.name),
            roles::description.eq(&text.description),
            roles::requires_two_factor.eq(text.requires_two_factor),
        ))
        .execute(tx.conn)
        .map_err(name_taken)?;
    store_permissions(tx, id, text.permissions)?;
    let event = Event::new(Kind::RoleCreated, format!("Created the role {}", text.name))
        .subject("role", id.0, &text.name)
        .detail(serde_json::json!({ "permissions": text.permissions }));
    tx.audited(id, event)
}

/// Saves a role. Of a built-in one only whether it requires a second factor can change.
///
/// # Errors
/// [`Error::Conflict`] when somebody saved since `version` was shown, [`Error::Invalid`] for a taken name or
/// rights that the person lacks, [`Error::Refused`] for other changes of a built-in role.
pub fn save(
    tx: &mut WriteTx<'_>,
    own: PermissionSet,
    id: RoleId,
    text: &RoleText,
    version: i32,
) -> Result<Audited<()>> {
    roles::table.find(id).select(roles::id).for_update().first::<uuid::Uuid>(tx.conn)?;
    let (before, held) = get(tx.conn, id)?;
    let same_text = (before.name.as_str(), before.description.as_str(), held)
        == (text.name.as_str(), text.description.as_str(), text.permissions);
    if same_text && before.requires_two_factor == text.requires_two_factor {
        return Ok(tx.unchanged(()));
    }
    if before.built_in && !same_text {
        return Err(Error::Refused(
            "Built-in roles stay as they are. Copy this one and change the copy.".into(),
        ));
    }
    if before.version != version {
        return Err(Error::Conflict(
            "Somebody saved this role since you opened it. What you typed is still here.".into(),
        ));
    }
    check_rank(own, text.permissions)?;
    check_rank(own, held)?;
    if !before.built_in {
        store_permissions(tx, id, text.permissions)?;
    }
    diesel::update(roles::table.find(id))
        .set((
            roles::name.eq(&text.name),
            roles::description.eq(&text.description),
            roles::requires_two_factor.eq(text.requires_two_factor),
            roles::version.eq(version + 1),
        ))
        .execute(tx.conn)
        .map_err(name_taken)?;
    // sql_query: everybody who holds the role, themselves or at a client.
    diesel::sql_query(
        "UPDATE sessions SET renew = true WHERE person_id IN
            (SELECT person_id FROM person_roles WHERE role_id = $1 UNION SELECT person_id \
            FROM client_access WHERE role_id = $1)",
    )
    .bind::<SqlUuid, _>(id)
    .execute(tx.conn)?;
    if text.permissions.iter().any(|right| !held.has(right)) {
        end_links_of_holders(tx.conn, id)?;
    }
    let factor = |needed: bool| if needed { "required" } else { "optional" };
    let (old, new) = (names(held), names(text.permissions));
    let changes = [
        ("name", before.name.as_str(), text.name.as_str(), false),
        ("description", before.description.as_str(), text.description.as_str(), false),
        ("permissions", old.as_str(), new.as_str(), false),
        ("two_factor", factor(before.requires_two_factor), factor(text.requires_two_factor), false),
    ];
    let event = Event::new(Kind::RoleUpdated, format!("Changed the role {}", text.name))
        .subject("role", id.0, &text.name)
        .telling(changes.into_iter().filter(|(_, old, new, _)| old != new));
    tx.audited((), event)
}

/// Deletes a custom role that nobody holds.
///
/// # Errors
/// [`Error::Refused`] for a built-in role, or one that is held.
pub fn delete(tx: &mut WriteTx<'_>, own: PermissionSet, id: RoleId) -> Result<Audited<String>> {
    roles::table.find(id).select(roles::id).for_update().first::<uuid::Uuid>(tx.conn)?;
    let (role, held) = get(tx.conn, id)?;
    check_rank(own, held)
        .map_err(|_| Error::Forbidden("This role may do more than you. Ask an administrator.".into()))?;
    if role.built_in {
        return Err(Error::Refused("Built-in roles cannot be deleted.".into()));
    }
    if role.people + role.accesses > 0 {
        let sentence = format!(
            "{} is held by {} users and carried by {} client accesses. Give them another role first.",
            role.name, role.people, role.accesses
        );
        return Err(Error::Refused(sentence));
    }
    diesel::delete(roles::table.find(id)).execute(tx.conn)?;
    let event = Event::new(Kind::RoleDeleted, format!("Deleted the role {}", role.name))
        .subject("role", id.0, &role.name);
    tx.audited(role.name, event)
}
