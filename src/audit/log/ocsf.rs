//! Events in the Open Cybersecurity Schema Framework, version 1.8. The one place that knows its numbers: 1.9
//! deprecates classes 3001 and 3005 in favour of 3007, and then only [`class`] changes.

use serde_json::{Map, Value, json};

use crate::kernel::base::harmless::harmless_json;
use crate::kernel::event::domain::{Category, Kind};
use crate::kernel::event::record::Record;

/// The version that the numbers are of.
const VERSION: &str = "1.8.0";

/// Class and activity of a kind.
pub fn class(kind: Kind) -> (u32, u32) {
    use Kind as K;
    const AUTHENTICATION: u32 = 3002;
    const ACCOUNT_CHANGE: u32 = 3001;
    const USER_ACCESS: u32 = 3005;
    const ENTITY: u32 = 3004;
    const API: u32 = 6003;
    const OTHER: u32 = 99;
    match kind {
        K::SessionStarted | K::SessionRefused | K::SessionProved => (AUTHENTICATION, 1),
        K::SessionEnded | K::SessionExpired | K::SessionEndedByOther => (AUTHENTICATION, 2),
        K::SessionLockedOut => (ACCOUNT_CHANGE, 9),
        K::SessionUnlocked => (ACCOUNT_CHANGE, 12),
        K::UserCreated | K::UserInvited => (ACCOUNT_CHANGE, 1),
        K::UserEnabled => (ACCOUNT_CHANGE, 2),
        K::PasswordChanged | K::PasswordChosen => (ACCOUNT_CHANGE, 3),
        K::PasswordReset | K::PasswordLinkMade => (ACCOUNT_CHANGE, 4),
        K::UserDisabled => (ACCOUNT_CHANGE, 5),
        K::UserDeleted => (ACCOUNT_CHANGE, 6),
        K::TwoFactorEnrolled => (ACCOUNT_CHANGE, 10),
        K::TwoFactorRemoved | K::TwoFactorReset => (ACCOUNT_CHANGE, 11),
        K::UserUpdated | K::RecoveryCodesMade => (ACCOUNT_CHANGE, OTHER),
        K::RoleAssigned | K::AccessGiven => (USER_ACCESS, 1),
        K::RoleRemoved | K::AccessRemoved => (USER_ACCESS, 2),
        K::AccessChanged => (USER_ACCESS, OTHER),
        other => match other.category() {
            Category::Refused | Category::Export | Category::System => {
                (API, if other == K::UsersExported || other == K::LogExported { 2 } else { OTHER })
            }
            _ => (ENTITY, entity_activity(other)),
        },
    }
}

/// Create, update or delete, by the word that ends the kind.
fn entity_activity(kind: Kind) -> u32 {
    match kind.as_str().split_once('.').map_or("", |(_, done)| done) {
        "created" | "added" | "requested" | "imported" => 1,
        "removed" | "deleted" => 4,
        _ => 3,
    }
}

/// Informational, low, or critical.
fn severity(kind: Option<Kind>, succeeded: bool) -> u32 {
    match kind {
        Some(Kind::LogFaultFound) => 5,
        _ if succeeded => 1,
        _ => 2,
    }
}

/// An event as one line, without an end. What the schema has no field for stands under `unmapped`.
pub fn line(event: &Record) -> String {
    let kind = Kind::ALL.iter().find(|kind| kind.as_str() == event.kind);
    let (class_uid, activity_id) = kind.map_or((6003, 99), |kind| class(*kind));
    let succeeded = event.succeeded();
    let mut user = Map::new();
    user.insert("name".into(), json!(event.actor_name));
    insert(&mut user, "uid", event.actor_id.map(|id| id.to_string()));
    insert(&mut user, "email_addr", event.actor_email.clone());
    user.insert("type_id".into(), json!(if event.is_by_system() { 3 } else { 1 }));
    let mut unmapped = Map::new();
    unmapped.insert("kind".into(), json!(event.kind));
    unmapped.insert("category".into(), json!(event.category));
    unmapped.insert("actor_kind".into(), json!(event.actor_kind));
    insert(&mut unmapped, "on_behalf_of", event.on_behalf_of.map(|id| id.to_string()));
    insert(&mut unmapped, "client_id", event.client_id.map(|id| id.to_string()));
    insert(&mut unmapped, "engagement_id", event.engagement_id.map(|id| id.to_string()));
    unmapped.insert("detail".into(), serde_json::from_str(&event.detail).unwrap_or(Value::Null));
    let mut line = json!({
        "metadata": {
            "version": VERSION,
            "product": { "name": "Tyrian", "vendor_name": "Tyrian", "version": env!("CARGO_PKG_VERSION") },
            "uid": event.place().to_string(),
            "log_name": "audit",
        },
        "time": event.at.timestamp_millis(),
        "category_uid": class_uid / 1_000,
        "class_uid": class_uid,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": severity(kind.copied(), succeeded),
        "status_id": if succeeded { 1 } else { 2 },
        "message": event.sentence,
        "actor": { "user": user },
        "unmapped": unmapped,
    });
    if let Some(fields) = line.as_object_mut() {
        insert(fields, "status_code", event.reason.clone());
        if let Some(address) = &event.address {
            fields.insert("src_endpoint".into(), json!({ "ip": address }));
        }
        if event.user_agent.is_some() || event.request_id.is_some() {
            let mut request = Map::new();
            insert(&mut request, "user_agent", event.user_agent.clone());
            insert(&mut request, "uid", event.request_id.map(|id| id.to_string()));
            fields.insert("http_request".into(), Value::Object(request));
        }
        let mut subject = Map::new();
        insert(&mut subject, "type", event.subject_type.clone());
        insert(&mut subject, "uid", event.subject_id.map(|id| id.to_string()));
        insert(&mut subject, "name", event.subject_label.clone());
        let person = event.about_person.or(event.actor_id).map(|id| id.to_string());
        match class_uid {
            // These classes require the user that was changed or signed in.
            3001 | 3002 | 3005 if !subject.is_empty() => {
                subject.remove("type");
                fields.insert("user".into(), Value::Object(subject));
            }
            3001 | 3002 | 3005 => {
                let mut user = Map::new();
                insert(&mut user, "uid", person);
                user.insert("name".into(), json!(event.actor_name));
                fields.insert("user".into(), Value::Object(user));
            }
            3004 => {
                fields.insert("entity".into(), Value::Object(subject));
            }
            _ => {
                fields.insert("api".into(), json!({ "operation": event.kind }));
                if !subject.is_empty() {
                    fields.insert("resources".into(), json!([subject]));
                }
            }
        }
    }
    let text = line.to_string();
    harmless_json(&text).into_owned()
}

fn insert(map: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        map.insert(name.into(), Value::String(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_class_and_an_activity() {
        for kind in Kind::ALL {
            let (class, activity) = class(*kind);
            assert!([3001, 3002, 3004, 3005, 6003].contains(&class) && activity > 0, "{kind:?}");
        }
        assert_eq!(class(Kind::SessionRefused), (3002, 1));
        assert_eq!(class(Kind::PasswordChanged), (3001, 3));
        assert_eq!(class(Kind::AccessGiven), (3005, 1));
        assert_eq!(class(Kind::EngagementCreated), (3004, 1));
        assert_eq!(class(Kind::FindingRemoved), (3004, 4));
        assert_eq!(class(Kind::AccessRefused), (6003, 99));
    }

    #[test]
    fn lines_are_single_and_harmless() {
        let line = line(&crate::audit::proof::record::tests::record(1, "a\n\u{1b}[2J\u{202e}=1+1<b>"));
        assert!(!line.chars().any(crate::kernel::base::harmless::acts));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["type_uid"], 300_403);
        assert_eq!(value["message"], "a\n\u{1b}[2J\u{202e}=1+1<b>");
    }
}
