//! The newest events of a subject.

use diesel::dsl::sql;
use diesel::sql_types::Timestamptz;

use super::domain::Category;
use super::record::Record;
use super::schema::events;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};
use crate::kernel::base::query::prelude::*;

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
    let newest = || {
        // What is no longer shown in the log is shown nowhere else.
        events::table
            .filter(events::at.ge(sql::<Timestamptz>("audit.floor()")))
            .order((events::at.desc(), events::id.desc()))
            .limit(limit)
            .select(Record::as_select())
            .into_boxed()
    };
    let query = match about {
        About::Person(id) => {
            // One index gives those by them and another those about them, each in its order; of both at once
            // PostgreSQL would read all there are and sort them.
            let mut rows = newest().filter(events::actor_id.eq(id).assume_not_null()).load(conn)?;
            rows.extend(newest().filter(events::about_person.eq(id).assume_not_null()).load(conn)?);
            rows.sort_by_key(|row: &Record| std::cmp::Reverse(row.place()));
            rows.dedup_by_key(|row| row.place());
            rows.truncate(limit as usize);
            return Ok(rows);
        }
        About::Engagement(id, inside) => {
            let query = newest().filter(events::engagement_id.eq(id).assume_not_null());
            if inside { query } else { query.filter(events::category.ne(Category::Reports.as_str())) }
        }
        About::Report(id) => newest()
            .filter(events::engagement_id.eq(id).assume_not_null())
            .filter(events::category.eq(Category::Reports.as_str())),
        About::Client(id) => newest().filter(events::client_id.eq(id).assume_not_null()),
    };
    Ok(query.load(conn)?)
}
