//! SQL of the audit log: writing events and the newest events of a subject.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::domain::{Actor, ActorKind, Event};
use super::schema::events;
use crate::error::Result;
use crate::ids::{EngagementId, PersonId};

#[derive(Insertable)]
#[diesel(table_name = events)]
struct Row<'a> {
    kind: &'a str,
    category: &'a str,
    outcome: &'a str,
    reason: Option<&'a str>,
    actor_kind: &'a str,
    actor_id: Option<Uuid>,
    actor_name: &'a str,
    actor_email: Option<&'a str>,
    subject_type: Option<&'a str>,
    subject_id: Option<Uuid>,
    subject_label: Option<&'a str>,
    about_person: Option<Uuid>,
    client_id: Option<Uuid>,
    engagement_id: Option<Uuid>,
    address: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: Option<Uuid>,
    sentence: &'a str,
    detail: &'a Value,
    search_values: &'a str,
}

/// Writes events in one statement. Time, order and transaction id are the database's.
pub(crate) fn insert(conn: &mut PgConnection, actor: &Actor, written: &[Event]) -> QueryResult<()> {
    let rows: Vec<Row> = written
        .iter()
        .map(|event| Row {
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
            actor_name: &actor.name,
            actor_email: actor.email.as_deref(),
            subject_type: event.subject.as_ref().map(|s| s.kind),
            subject_id: event.subject.as_ref().map(|s| s.id),
            subject_label: event.subject.as_ref().map(|s| s.label.as_str()),
            about_person: event.about_person.map(|id| id.0),
            client_id: event.client.map(|id| id.0),
            engagement_id: event.engagement.map(|id| id.0),
            address: actor.address.as_deref(),
            user_agent: actor.user_agent.as_deref(),
            request_id: actor.request_id,
            sentence: &event.sentence,
            detail: &event.detail,
            search_values: &event.search_values,
        })
        .collect();
    diesel::insert_into(events::table).values(&rows).execute(conn).map(drop)
}

/// An event as the Activity lists show it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = events)]
pub struct Activity {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Its order.
    pub id: i64,
    /// Who.
    pub actor_name: String,
    /// What.
    pub sentence: String,
}

/// The newest `limit` events by or about a person, newest first.
///
/// # Errors
/// When the database is not to be had.
pub fn list_about_person(conn: &mut PgConnection, person: PersonId, limit: i64) -> Result<Vec<Activity>> {
    Ok(events::table
        .filter(events::about_person.eq(person.0).or(events::actor_id.eq(person.0)))
        .order((events::at.desc(), events::id.desc()))
        .limit(limit)
        .select(Activity::as_select())
        .load(conn)?)
}

/// The newest `limit` events of an engagement, newest first.
pub fn list_for_engagement(conn: &mut PgConnection, engagement: EngagementId, limit: i64) -> Result<Vec<Activity>> {
    Ok(events::table
        .filter(events::engagement_id.eq(engagement.0))
        .order((events::at.desc(), events::id.desc()))
        .limit(limit)
        .select(Activity::as_select())
        .load(conn)?)
}
