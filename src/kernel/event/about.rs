//! The newest events of a subject.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;

use super::domain::Category;
use super::record::Record;
use super::schema::events;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};

/// What the events of an Activity list are about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// A person: by them or about them.
    Person(PersonId),
    /// An engagement; what was done to its report only for those who may read that before it is published.
    Engagement(EngagementId, bool),
    /// The report of an engagement.
    Report(EngagementId),
    Client(ClientId),
}

/// The newest `limit` events about something, newest first.
pub fn list_about(conn: &mut PgConnection, about: About, limit: i64) -> Result<Vec<Record>> {
    let query = events::table
        .order((events::at.desc(), events::id.desc()))
        .limit(limit)
        .select(Record::as_select())
        .into_boxed();
    // What is no longer shown in the log is shown nowhere else.
    let query = query.filter(events::at.ge(sql::<Timestamptz>("audit.floor()")));
    let query = match about {
        About::Person(id) => {
            query.filter(events::about_person.eq(id).or(events::actor_id.eq(id)).assume_not_null())
        }
        About::Engagement(id, inside) => {
            let query = query.filter(events::engagement_id.eq(id).assume_not_null());
            if inside { query } else { query.filter(events::category.ne(Category::Reports.as_str())) }
        }
        About::Report(id) => query
            .filter(events::engagement_id.eq(id).assume_not_null())
            .filter(events::category.eq(Category::Reports.as_str())),
        About::Client(id) => query.filter(events::client_id.eq(id).assume_not_null()),
    };
    Ok(query.load(conn)?)
}
