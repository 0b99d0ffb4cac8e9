//! SQL of the audit log: writing events and the newest events of a subject.

use std::borrow::Cow;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use serde_json::Value;
use uuid::Uuid;

use super::record::Record;
use super::schema::events;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId};
use crate::kernel::event::domain::{Actor, ActorKind, Category, Event};

#[derive(Insertable)]
#[diesel(table_name = events)]
struct Row<'a> {
    kind: &'a str,
    category: &'a str,
    outcome: &'a str,
    reason: Option<&'a str>,
    actor_kind: &'a str,
    actor_id: Option<Uuid>,
    actor_name: Cow<'a, str>,
    actor_email: Option<Cow<'a, str>>,
    on_behalf_of: Option<Uuid>,
    subject_type: Option<&'a str>,
    subject_id: Option<Uuid>,
    subject_label: Option<Cow<'a, str>>,
    about_person: Option<Uuid>,
    client_id: Option<Uuid>,
    engagement_id: Option<Uuid>,
    address: Option<Cow<'a, str>>,
    user_agent: Option<Cow<'a, str>>,
    request_id: Option<Uuid>,
    sentence: Cow<'a, str>,
    detail: &'a Value,
    search_values: Cow<'a, str>,
}

/// Writes events in one statement. Time, order and transaction id are the database's.
pub(crate) fn insert(conn: &mut PgConnection, actor: &Actor, written: &[Event]) -> QueryResult<()> {
    let details: Vec<Value> = written.iter().map(|event| storable_json(&event.detail)).collect();
    let rows: Vec<Row> = written
        .iter()
        .zip(&details)
        .map(|(event, detail)| Row {
            kind: event.kind.as_str(),
            category: event.kind.category().as_str(),
            outcome: if event.succeeded { "success" } else { "failure" },
            reason: event.reason,
            actor_kind: match actor.kind {
                ActorKind::Person => "person",
                ActorKind::System => "system",
                ActorKind::Command => "command",
                ActorKind::Anonymous => "anonymous",
            },
            actor_id: actor.id.map(|id| id.0),
            actor_name: storable(&actor.name),
            actor_email: actor.email.as_deref().map(storable),
            on_behalf_of: actor.on_behalf_of.map(|id| id.0),
            subject_type: event.subject.as_ref().map(|s| s.kind),
            subject_id: event.subject.as_ref().map(|s| s.id),
            subject_label: event.subject.as_ref().map(|s| storable(&s.label)),
            about_person: event.about_person.map(|id| id.0),
            client_id: event.client.map(|id| id.0),
            engagement_id: event.engagement.map(|id| id.0),
            address: actor.address.as_deref().map(storable),
            user_agent: actor.user_agent.as_deref().map(storable),
            request_id: actor.request_id,
            sentence: storable(&event.sentence),
            detail,
            search_values: storable(&event.search_values),
        })
        .collect();
    diesel::insert_into(events::table).values(&rows).execute(conn).map(drop)
}

/// The text as PostgreSQL can hold it: all but NUL, in whose place the sign of an unreadable character stands.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn storable_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text).into_owned()),
        Value::Array(items) => items.iter().map(storable_json).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (storable(name).into_owned(), storable_json(value))).collect(),
        other => other.clone(),
    }
}

/// What the events of an Activity list are about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// A person: by them or about them.
    Person(PersonId),
    /// An engagement; what was done to its report only for those who may read that before it is published.
    Engagement(EngagementId, bool),
    /// The report of an engagement.
    Report(EngagementId),
    /// A client.
    Client(ClientId),
}

/// The newest `limit` events about something, newest first.
///
/// # Errors
/// When the database is not to be had.
pub fn list_about(conn: &mut PgConnection, about: About, limit: i64) -> Result<Vec<Record>> {
    let query = events::table.order((events::at.desc(), events::id.desc())).limit(limit).select(Record::as_select()).into_boxed();
    // What is no longer shown in the log is shown nowhere else.
    let query = query.filter(events::at.ge(sql::<Timestamptz>("audit.floor()")));
    let query = match about {
        About::Person(id) => query.filter(events::about_person.eq(id.0).or(events::actor_id.eq(id.0)).assume_not_null()),
        About::Engagement(id, inside) => {
            let query = query.filter(events::engagement_id.eq(id.0).assume_not_null());
            if inside { query } else { query.filter(events::category.ne(Category::Reports.as_str())) }
        }
        About::Report(id) => {
            query.filter(events::engagement_id.eq(id.0).assume_not_null()).filter(events::category.eq(Category::Reports.as_str()))
        }
        About::Client(id) => query.filter(events::client_id.eq(id.0).assume_not_null()),
    };
    Ok(query.load(conn)?)
}
