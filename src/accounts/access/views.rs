//! Pages of client access.

use askama::Template;

use super::store::{AccessRow, Filter, OfferedRole};
use crate::accounts::domain::AccountStatus;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, PersonId, RoleId};
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "accounts/access.html", blocks = ["results"])]
pub struct Access {
    pub frame: Frame,
    pub filter: Filter,
    pub rows: Vec<AccessRow>,
    /// Whether there are more than shown.
    pub more: bool,
    pub clients: Vec<(ClientId, String)>,
    pub roles: Vec<(RoleId, String)>,
    /// People to give access to.
    pub people: Vec<(PersonId, String)>,
    /// The filter as a query.
    pub query: String,
    /// Whether access can be given and taken.
    pub manages: bool,
    /// Whether the reader may create a client.
    pub creates: bool,
    /// Why the last form was refused.
    pub problem: Option<String>,
    pub zone: chrono_tz::Tz,
}

impl Access {
    /// Whether the list is narrowed at all.
    fn filtered(&self) -> bool {
        !self.query.is_empty()
    }
    fn is_role(&self, id: &RoleId) -> bool {
        self.filter.role == Some(*id)
    }
    fn is_client(&self, id: &ClientId) -> bool {
        self.filter.client == Some(*id)
    }
    fn at(&self, row: &AccessRow) -> String {
        show::time(row.given_at, self.zone)
    }
}

/// Giving access to one client, for who staffs it.
#[derive(Template)]
#[template(path = "accounts/access_give.html")]
pub struct GiveAtClient {
    pub frame: Frame,
    pub client: ClientId,
    pub client_name: String,
    /// People without access, by name.
    pub people: Vec<(PersonId, String)>,
    /// Roles that may do no more than the giver.
    pub roles: Vec<OfferedRole>,
    pub person: String,
    pub role: String,
    /// Whether the giver makes accounts too.
    pub invites: bool,
    pub errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "accounts/access_removal.html")]
pub struct Removal {
    pub frame: Frame,
    pub row: AccessRow,
    /// Where to go on.
    pub back: String,
}
