//! Pages of roles.

use askama::Template;

use super::store::Role;
use crate::accounts::users::views::modules;
use crate::kernel::authz::Permission;
use crate::kernel::authz::policy::PermissionSet;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "accounts/roles.html")]
pub struct Roles {
    pub frame: Frame,
    /// Roles, built-in ones first.
    pub roles: Vec<Role>,
    /// Whether roles can be made.
    pub manages: bool,
}

#[derive(Template)]
#[template(path = "accounts/role.html")]
pub struct ShowRole {
    pub frame: Frame,
    /// The role; none for a new one.
    pub role: Option<Role>,
    /// Where the form goes.
    pub action: String,
    /// As typed, or as stored.
    pub name: String,
    /// As typed, or as stored.
    pub description: String,
    pub permissions: PermissionSet,
    pub requires_two_factor: bool,
    /// The version that was shown.
    pub version: i32,
    /// What the form shows, for whoever saves after somebody else did.
    pub shown: String,
    /// Whether the form can be changed.
    pub manages: bool,
    pub errors: FieldErrors,
    /// Why nothing was saved.
    pub problem: Option<String>,
}

impl ShowRole {
    fn modules(&self) -> Vec<(&'static str, Vec<Permission>)> {
        modules()
    }
    fn fixed(&self) -> bool {
        !self.manages || self.role.as_ref().is_some_and(|role| role.built_in)
    }
    fn heading(&self) -> &str {
        self.role.as_ref().map_or("New role", |role| role.name.as_str())
    }
}
