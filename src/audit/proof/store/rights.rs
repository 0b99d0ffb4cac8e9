//! Who can do more with the log than Tyrian gives: rights that were granted beyond what `migrate` grants, and
//! settings that let names, roles or triggers do something else.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Text};

use crate::audit::proof::verify::{Fault, Wrong};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::migrate::excess_of;

/// What a look at rights and settings told.
#[derive(Default)]
pub struct Told {
    pub faults: Vec<Fault>,
    pub notes: Vec<String>,
}

impl Told {
    fn fault(&mut self, sentence: impl Into<String>) {
        self.faults.push(Fault::new(Wrong::Definition, sentence));
    }
}

/// Looks at the settings and the rights of whoever reaches the log.
pub fn look(conn: &mut PgConnection) -> QueryResult<Told> {
    let mut told = Told::default();
    settings(conn, &mut told)?;
    rights(conn, &mut told)?;
    Ok(told)
}

/// Settings that roles of the log, or all, were given.
fn settings(conn: &mut PgConnection, told: &mut Told) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Nullable<Text>)]
        role: Option<String>,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        value: String,
    }
    // sql_query: the catalogs are no tables of ours. Roles that write events, and what goes for all.
    let given: Vec<Setting> = diesel::sql_query(
        "SELECT r.rolname::text AS role, lower(split_part(given, '=', 1)) AS name,
             substr(given, strpos(given, '=') + 1) AS value
         FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) given
         WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             AND (s.setrole = 0 OR NOT r.rolsuper AND has_any_column_privilege(r.oid, 'audit.events', \
             'INSERT'))
         UNION ALL SELECT NULL, 'session_replication_role', current_setting('session_replication_role')
         ORDER BY 1, 2",
    )
    .load(conn)?;
    for Setting { role, name, value } in given {
        let whom = role.map_or("The database".into(), |role| format!("The role {role}"));
        match name.as_str() {
            "session_replication_role" if value != "origin" => told.fault(format!(
                "{whom} was given {name} = {value}: the triggers that ask for events do not run."
            )),
            "role" if value != "none" => {
                told.fault(format!("{whom} was given {name} = {value}: it acts as another role."));
            }
            // The app names its own path on every connection, so this acts on others alone. That other names
            // come before PostgreSQL's own, nobody sets by the way.
            "search_path" => match names_of(&value) {
                names if names.iter().skip(1).any(|name| name == "pg_catalog") => told.fault(format!(
                    "{whom} was given {name} = {value}: names in the log's functions may mean something else."
                )),
                names if names.iter().any(|name| !USUAL.contains(&name.as_str())) => told.notes.push(
                    format!("{whom} was given {name} = {value}; Tyrian's own connections do not go by it."),
                ),
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}

/// Schemas that are on anybody's path.
const USUAL: [&str; 5] = ["$user", "public", "pg_catalog", "audit", "pg_temp"];

/// The names of a list as PostgreSQL writes it: with commas between them, and in quotes where one would not
/// stand by itself.
fn names_of(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut is_quoted = false;
    for c in list.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => names.push(std::mem::take(&mut name)),
            ' ' if !is_quoted => {}
            c => name.push(c),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

/// A right that the catalogs tell of.
#[derive(QueryableByName)]
struct Right {
    /// Nobody's name: everybody.
    #[diesel(sql_type = Nullable<Text>)]
    role: Option<String>,
    #[diesel(sql_type = Text)]
    right: String,
    #[diesel(sql_type = Text)]
    thing: String,
    /// Whether it is one to write events, which the roles of the app have.
    #[diesel(sql_type = Bool)]
    writes: bool,
    /// Whether it is one to write seals.
    #[diesel(sql_type = Bool)]
    seals: bool,
}

/// Rights beyond those that `migrate` grants. Its owner's are the database's own matter.
fn rights(conn: &mut PgConnection, told: &mut Told) -> QueryResult<()> {
    // sql_query: the catalogs are no tables of ours. A function has its rights from its making on: where no
    // right at all was given, as in a copy that was restored without them, nobody has any to use it by.
    let rights: Vec<Right> = diesel::sql_query(include_str!("rights.sql")).load(conn)?;
    let named = |is: fn(&&Right) -> bool| -> BTreeSet<&str> {
        rights.iter().filter(is).filter_map(|right| right.role.as_deref()).collect()
    };
    let (writers, sealers) = (named(|right| right.writes), named(|right| right.seals));
    let list = |roles: &[&str]| roles.join(" and ");
    let apps: Vec<&str> = writers.difference(&sealers).copied().collect();
    if apps.len() > 1 {
        told.fault(format!("Rights too many: {} may write events; one role of the app's does.", list(&apps)));
    }
    if sealers.len() > 1 {
        let sealers: Vec<&str> = sealers.iter().copied().collect();
        told.fault(format!("Rights too many: {} may seal; one role does.", list(&sealers)));
    }
    for role in &writers {
        let sealer = sealers.get(role).or_else(|| sealers.first()).copied().unwrap_or(role);
        for excess in excess_of(conn, role, sealers.contains(role), sealer)? {
            if excess.grave {
                told.fault(format!("Rights too many: {}.", excess.sentence));
            } else {
                told.notes.push(format!("Rights too many: {}.", excess.sentence));
            }
        }
    }
    for right in &rights {
        if right.role.as_deref().is_some_and(|role| writers.contains(role)) {
            continue;
        }
        let whom = right.role.as_deref().unwrap_or("everybody");
        told.fault(format!("Rights too many: {whom} may {} {}.", right.right, right.thing));
    }
    let owner = "(SELECT r.rolname::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
        WHERE c.oid = 'audit.events'::regclass AND r.rolname = current_user)";
    let owner: Option<String> = diesel::select(sql::<Nullable<Text>>(owner)).get_result(conn)?;
    if let Some(owner) = owner {
        told.notes.push(format!(
            "The role {owner}, by which this asks, owns the log: it can change everything about it."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::names_of;

    #[test]
    fn a_list_of_names_is_read_with_its_quotes() {
        assert_eq!(names_of("\"$user\", public, extensions"), ["$user", "public", "extensions"]);
        assert_eq!(names_of("\"\"\"$user\"\", public\""), ["$user, public"]);
        assert_eq!(names_of("\"\""), [""; 0]);
    }
}
