//! The audit schema as diesel sees it. Written by hand, unlike `db::schema`: the generator does not know `xid8`, and the
//! columns that PostgreSQL fills (transaction id, search) are left out so that nothing here can write them.
#![allow(missing_docs)] // the columns are described in the migration

diesel::table! {
    audit.events (at, id) {
        at -> Timestamptz,
        id -> Int8,
        kind -> Text,
        category -> Text,
        outcome -> Text,
        reason -> Nullable<Text>,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        actor_name -> Text,
        actor_email -> Nullable<Text>,
        on_behalf_of -> Nullable<Uuid>,
        subject_type -> Nullable<Text>,
        subject_id -> Nullable<Uuid>,
        subject_label -> Nullable<Text>,
        about_person -> Nullable<Uuid>,
        client_id -> Nullable<Uuid>,
        engagement_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Uuid>,
        sentence -> Text,
        detail -> Jsonb,
        search_values -> Text,
    }
}
