//! The audit schema as diesel sees it. Written by hand, unlike `db::schema`: the generator does not know
//! `xid8`, which is read as the eight bytes that it is, and the search column is left out: only the database
//! fills it, and only patterns read it.

diesel::table! {
    audit.events (at, id) {
        at -> Timestamptz,
        id -> Int8,
        transaction_id -> Int8,
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

diesel::table! {
    audit.seals (number) {
        number -> Int8,
        first_number -> Int8,
        last_number -> Int8,
        root -> Bytea,
        previous -> Bytea,
        at -> Timestamptz,
        cluster -> Int8,
        through_transaction -> Int8,
        through_id -> Int8,
        public_key -> Bytea,
        signature -> Bytea,
    }
}

diesel::table! {
    audit.sealed (at, id) {
        at -> Timestamptz,
        id -> Int8,
        number -> Int8,
        leaf -> Bytea,
    }
}

diesel::table! {
    audit.boundary_leaves (number) {
        number -> Int8,
        leaf -> Bytea,
    }
}

diesel::table! {
    audit.archives (month) {
        month -> Date,
        file_name -> Text,
        digest -> Bytea,
        events -> Int8,
        archived_at -> Timestamptz,
        root -> Nullable<Bytea>,
    }
}

diesel::table! {
    audit.set_aside (id) {
        id -> Int8,
        kind -> Text,
        subject -> Text,
        event_at -> Nullable<Timestamptz>,
        event_id -> Nullable<Int8>,
        moved -> Nullable<Jsonb>,
        reason -> Text,
        at -> Timestamptz,
        public_key -> Bytea,
        signature -> Bytea,
    }
}
