//! Pages of users.

use askama::Template;

use super::store::{Filter, HeldRole, Source, User, UserRow};
use crate::accounts::access::store::AccessRow;
use crate::accounts::domain::AccountStatus;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, RoleId};
use crate::kernel::base::show;
use crate::kernel::event::views::Activity;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "accounts/users.html", blocks = ["results"])]
pub struct Users {
    pub frame: Frame,
    pub filter: Filter,
    pub rows: Vec<UserRow>,
    /// Roles to filter by.
    pub roles: Vec<(RoleId, String)>,
    /// Clients to filter by; none for who does not read access.
    pub clients: Vec<(ClientId, String)>,
    /// The filter as a query.
    pub query: String,
    /// Link to later rows.
    pub later: Option<String>,
    /// Whether this is not the first page.
    pub earlier: bool,
    /// Whether users can be made.
    pub manages: bool,
    pub zone: chrono_tz::Tz,
}

impl Users {
    fn filtered(&self) -> bool {
        !self.query.is_empty()
    }
    fn is_role(&self, id: &RoleId) -> bool {
        self.filter.role == Some(*id)
    }
    fn is_status(&self, status: &AccountStatus) -> bool {
        self.filter.status == Some(*status)
    }
    fn is_client(&self, id: &ClientId) -> bool {
        self.filter.client == Some(*id)
    }
    /// "Locked until 05:45", where it is.
    fn locked(&self, row: &UserRow) -> Option<String> {
        let until = row.locked_until?.with_timezone(&self.zone);
        Some(format!("Locked until {}", until.format("%H:%M")))
    }
    fn last(&self, row: &UserRow) -> String {
        row.last_sign_in_at.map(|at| show::time(at, self.zone)).unwrap_or_else(|| "never".into())
    }
}

#[derive(Template)]
#[template(path = "accounts/user_new.html")]
pub struct NewUser {
    pub frame: Frame,
    pub name: String,
    pub email: String,
    /// Roles, and whether each is ticked.
    pub roles: Vec<(RoleId, String, String, bool)>,
    /// Whether roles can be assigned.
    pub assigns: bool,
    /// Clients to which access can be given; none for who gives none.
    pub clients: Vec<(ClientId, String)>,
    /// The client as chosen.
    pub client: String,
    /// The role there as chosen.
    pub client_role: String,
    pub errors: FieldErrors,
}

/// A right of a person and where it comes from.
pub struct Right {
    /// What it lets them do.
    pub label: &'static str,
    pub name: &'static str,
    /// "Team Lead at Quillfen Foods, Harbour Lights Ferries"
    pub sources: Vec<String>,
}

/// Rights of a module.
pub struct Module {
    pub name: &'static str,
    pub rights: Vec<Right>,
}

/// The modules in which permissions are grouped.
pub fn module(permission: Permission) -> &'static str {
    match permission.as_str().split('.').next().unwrap_or_default() {
        "user" | "role" | "access" => "Users and access",
        "setting" | "job" => "Installation",
        "audit_log" => "Audit log",
        "library" | "test_plan" => "Library and test plans",
        "client" | "asset" => "Clients",
        "engagement" => "Engagements",
        "procedure" => "Procedures",
        _ => "Reports",
    }
}

/// Every permission in its module, in the order in which people meet them.
pub fn modules() -> Vec<(&'static str, Vec<Permission>)> {
    let mut modules: Vec<(&'static str, Vec<Permission>)> = Vec::new();
    for permission in Permission::ALL {
        match modules.iter_mut().find(|(name, _)| *name == module(*permission)) {
            Some((_, list)) => list.push(*permission),
            None => modules.push((module(*permission), vec![*permission])),
        }
    }
    modules
}

/// What a person may do, by module, with the roles that give it.
pub fn sum(sources: &[Source]) -> Vec<Module> {
    modules()
        .into_iter()
        .filter_map(|(name, permissions)| {
            let rights: Vec<Right> =
                permissions.into_iter().filter_map(|permission| right(permission, sources)).collect();
            (!rights.is_empty()).then_some(Module { name, rights })
        })
        .collect()
}

fn right(permission: Permission, sources: &[Source]) -> Option<Right> {
    // A right without a client counts from own roles only, the others from client access only.
    let gives =
        |s: &&Source| s.permission == permission.as_str() && s.client.is_none() == permission.is_own();
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for source in sources.iter().filter(gives) {
        let at = source.client.clone().into_iter();
        match told.iter_mut().find(|(role, _)| *role == source.role) {
            Some((_, clients)) => clients.extend(at),
            None => told.push((source.role.clone(), at.collect())),
        }
    }
    let sources: Vec<String> = told
        .into_iter()
        .map(
            |(role, clients)| {
                if clients.is_empty() { role } else { format!("{role} at {}", clients.join(", ")) }
            },
        )
        .collect();
    (!sources.is_empty()).then_some(Right { label: permission.label(), name: permission.as_str(), sources })
}

#[derive(Template)]
#[template(path = "accounts/user.html")]
pub struct ShowUser {
    pub frame: Frame,
    pub user: User,
    /// As typed, or as stored.
    pub name: String,
    /// As typed, or as stored.
    pub email: String,
    /// What the form of both shows, for whoever saves after somebody else did.
    pub shown: String,
    pub roles: Vec<HeldRole>,
    pub access: Vec<AccessRow>,
    /// What they may do; shown to who reads roles.
    pub modules: Vec<Module>,
    /// Clients to which access can be given.
    pub clients: Vec<(ClientId, String)>,
    /// Roles that access can carry.
    pub access_roles: Vec<(RoleId, String)>,
    /// Until when the account is locked.
    pub locked: Option<String>,
    /// How many sessions are open.
    pub sessions: usize,
    /// What is recorded about them: when, who, what.
    pub activity: Activity,
    /// Whether the reader may read the audit log.
    pub reads_log: bool,
    /// Whether the user can be changed.
    pub manages: bool,
    /// Whether roles can be assigned.
    pub assigns: bool,
    /// Whether access can be given.
    pub gives: bool,
    pub zone: chrono_tz::Tz,
    pub errors: FieldErrors,
    /// Why nothing was saved.
    pub problem: Option<String>,
}

impl ShowUser {
    fn at(&self, at: &Option<chrono::DateTime<chrono::Utc>>) -> String {
        at.map(|at| show::time(at, self.zone)).unwrap_or_else(|| "never".into())
    }
}

/// A link that somebody hands on, shown once.
#[derive(Template)]
#[template(path = "accounts/user_link.html")]
pub struct MadeLink {
    pub frame: Frame,
    pub name: String,
    /// Whether it invites, or sets a new password.
    pub invites: bool,
    pub link: String,
    /// Hours for which it works.
    pub hours: i64,
    /// Where to go on.
    pub back: String,
}

/// A page that asks before an account loses something.
#[derive(Template)]
#[template(path = "accounts/user_confirm.html")]
pub struct ConfirmUser {
    pub frame: Frame,
    pub heading: String,
    pub lead: String,
    /// Where the form goes.
    pub action: String,
    /// Word on the button.
    pub button: &'static str,
    pub back: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_stands_in_one_module() {
        let all: Vec<Permission> = modules().into_iter().flat_map(|(_, list)| list).collect();
        assert_eq!(all.len(), Permission::ALL.len());
    }

    #[test]
    fn a_right_names_the_roles_that_give_it_and_only_those_that_count() {
        let source = |permission: &str, role: &str, client: Option<&str>| Source {
            permission: permission.into(),
            role: role.into(),
            client: client.map(str::to_owned),
        };
        let sources = [
            source("engagement.read", "Team Lead", Some("Alder")),
            source("engagement.read", "Team Lead", Some("Birch")),
            source("engagement.read", "Administrator", None),
            source("library.read", "Administrator", None),
            source("library.read", "Team Lead", Some("Alder")),
        ];
        let modules = sum(&sources);
        let told = |name: &str| {
            modules.iter().flat_map(|m| &m.rights).find(|r| r.name == name).unwrap().sources.clone()
        };
        assert_eq!(told("engagement.read"), ["Team Lead at Alder, Birch"], "an own role opens no client");
        assert_eq!(
            told("library.read"),
            ["Administrator"],
            "a client access gives no right without a client"
        );
    }
}
