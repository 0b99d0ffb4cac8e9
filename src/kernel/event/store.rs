//! How events are written: by the transaction whose change they tell of, and by nothing else.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::domain::{Actor, ActorKind, Event, EventOutcome};
use super::schema::events;
use crate::kernel::base::query::prelude::*;

/// Up to so many events in one statement its text is kept prepared.
const FEW: usize = 8;

// Nothing is left to a column's default, so that the text depends on the number of rows alone.
#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
struct Row<'a> {
    kind: &'a str,
    category: &'a str,
    outcome: EventOutcome,
    reason: Option<&'a str>,
    actor_kind: ActorKind,
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

/// Writes events in one statement. Order and transaction id are the database's, and so is the time unless
/// `at` names it, which the owner's role alone may.
pub(crate) fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    written: &[Event],
    at: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    let details: Vec<Value> = written.iter().map(|event| storable_json(&event.detail)).collect();
    let rows: Vec<Row> = written
        .iter()
        .zip(&details)
        .map(|(event, detail)| Row {
            kind: event.kind.as_str(),
            category: event.kind.category().as_str(),
            outcome: event.outcome,
            reason: event.reason,
            actor_kind: actor.kind,
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
    let written = match at {
        // Not even its default may be asked for by a role without the grant: the column is left out.
        None if rows.len() <= FEW => diesel::insert_into(events::table).values(&rows).execute(conn),
        None => diesel::insert_into(events::table).values(&rows).execute_anew(conn),
        Some(at) => {
            let rows: Vec<_> = rows.iter().map(|row| (events::at.eq(at), row)).collect();
            diesel::insert_into(events::table).values(rows).execute_anew(conn)
        }
    };
    written.map(drop)
}

/// The text as PostgreSQL can hold it: all but NUL, in whose place the sign of an unreadable character
/// stands.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn storable_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text).into_owned()),
        Value::Array(items) => items.iter().map(storable_json).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (storable(name).into_owned(), storable_json(value))).collect()
        }
        other => other.clone(),
    }
}
