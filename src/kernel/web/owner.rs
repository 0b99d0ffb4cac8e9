//! Whose data an address is about, so that the right is asked before a form is read.

use uuid::Uuid;

use crate::kernel::base::ids::ClientId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{clients, engagements, reports};

/// What the id in an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Client(Uuid),
    /// An engagement that is not deleted.
    Engagement(Uuid),
    Report(Uuid),
}

impl Subject {
    /// The subject of a row's path with its placeholders filled in; none where the path names nothing of a
    /// client.
    pub fn of(pattern: &str, value: impl Fn(&str) -> Option<Uuid>) -> Option<Self> {
        match pattern.split('/').nth(1)? {
            "clients" => value("client").map(Self::Client),
            "reports" => value("report").map(Self::Report),
            "engagements" | "schedule" => value("id").or_else(|| value("engagement")).map(Self::Engagement),
            _ => None,
        }
    }

    /// The client it belongs to; none where there is no such thing.
    pub fn find_owner(self, conn: &mut PgConnection) -> QueryResult<Option<Owner>> {
        let owner = |client| Owner { client, unpublished: false };
        match self {
            Self::Client(id) => {
                Ok(clients::table.find(id).select(clients::id).first(conn).optional()?.map(owner))
            }
            Self::Engagement(id) => {
                let there = engagements::table.find(id).filter(engagements::deleted_at.is_null());
                Ok(there.select(engagements::client_id).first(conn).optional()?.map(owner))
            }
            Self::Report(id) => {
                let there = reports::table.find(id).filter(reports::deleted_at.is_null());
                let found = there
                    .select((reports::client_id, reports::status.ne("published")))
                    .first(conn)
                    .optional()?;
                Ok(found.map(|(client, unpublished)| Owner { client, unpublished }))
            }
        }
    }
}

/// The client something belongs to, as the guard before the body asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub client: ClientId,
    /// A report before it is published: for who reads published ones only it does not exist.
    pub unpublished: bool,
}
