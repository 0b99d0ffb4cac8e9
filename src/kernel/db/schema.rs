// @generated automatically by Diesel CLI.

diesel::table! {
    assets (id) {
        id -> Uuid,
        client_id -> Uuid,
        name -> Text,
        kind -> Text,
        criticality -> Text,
        address -> Text,
        description -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        version -> Int4,
        tags -> Array<Text>,
    }
}

diesel::table! {
    attachments (id) {
        id -> Uuid,
        client_id -> Uuid,
        engagement_id -> Uuid,
        procedure_id -> Nullable<Uuid>,
        team -> Nullable<Text>,
        title -> Text,
        description -> Text,
        file_name -> Text,
        media_type -> Text,
        size -> Int8,
        sha256 -> Bytea,
        in_finding -> Bool,
        uploaded_by -> Uuid,
        uploaded_at -> Timestamptz,
        removed_at -> Nullable<Timestamptz>,
        version -> Int4,
    }
}

diesel::table! {
    attack_groups (version, external_id) {
        version -> Text,
        external_id -> Text,
        name -> Text,
        description -> Text,
        url -> Text,
    }
}

diesel::table! {
    attack_versions (version) {
        version -> Text,
        rank -> Int4,
        domain -> Text,
        imported_at -> Timestamptz,
    }
}

diesel::table! {
    attempt_counts (subject) {
        subject -> Text,
        attempts -> Int4,
        since -> Timestamptz,
        locked_until -> Nullable<Timestamptz>,
        lockouts -> Int4,
    }
}

diesel::table! {
    audit_verifications (id) {
        id -> Uuid,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        events -> Int8,
        seals -> Int8,
        unsealed -> Int8,
        last_seal -> Nullable<Int8>,
        last_digest -> Nullable<Bytea>,
        fault -> Nullable<Text>,
        obstacle -> Nullable<Text>,
        notes -> Text,
    }
}

diesel::table! {
    client_access (person_id, client_id) {
        client_id -> Uuid,
        person_id -> Uuid,
        role_id -> Uuid,
        given_by -> Nullable<Uuid>,
        given_at -> Timestamptz,
    }
}

diesel::table! {
    clients (id) {
        id -> Uuid,
        name -> Text,
        description -> Text,
        contacts -> Text,
        tags -> Array<Text>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        version -> Int4,
    }
}

diesel::table! {
    drafts (person_id, subject_type, subject_id, place, tab) {
        person_id -> Uuid,
        subject_type -> Text,
        subject_id -> Uuid,
        tab -> Text,
        fields -> Jsonb,
        updated_at -> Timestamptz,
        place -> Text,
    }
}

diesel::table! {
    engagement_activity (engagement_id) {
        engagement_id -> Uuid,
        at -> Timestamptz,
        by_name -> Text,
    }
}

diesel::table! {
    engagement_inputs (engagement_id, name) {
        engagement_id -> Uuid,
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    engagement_operators (engagement_id, person_id, team) {
        engagement_id -> Uuid,
        person_id -> Uuid,
        team -> Text,
        starts_on -> Nullable<Date>,
        ends_on -> Nullable<Date>,
    }
}

diesel::table! {
    engagements (id) {
        id -> Uuid,
        client_id -> Uuid,
        title -> Text,
        description -> Text,
        objective -> Text,
        scope -> Text,
        access_info -> Text,
        special_instructions -> Text,
        tags -> Array<Text>,
        status -> Text,
        start_date -> Nullable<Date>,
        end_date -> Nullable<Date>,
        time_zone -> Text,
        starts_at -> Nullable<Timestamptz>,
        attack_version -> Text,
        test_plan_id -> Nullable<Uuid>,
        test_plan_title -> Text,
        earlier_engagement_id -> Nullable<Uuid>,
        write_rule -> Nullable<Text>,
        reveal -> Text,
        cancel_reason -> Nullable<Text>,
        submitted_at -> Nullable<Timestamptz>,
        submitted_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        deleted_by -> Nullable<Uuid>,
        version -> Int4,
        requested_by -> Nullable<Uuid>,
        requested_at -> Nullable<Timestamptz>,
        observation_window -> Text,
        test_plan_version -> Nullable<Int4>,
    }
}

diesel::table! {
    exchanged_texts (subject_id, digest) {
        subject_id -> Uuid,
        digest -> Bytea,
        body -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    field_history (subject_type, subject_id, field, version) {
        subject_type -> Text,
        subject_id -> Uuid,
        field -> Text,
        version -> Int4,
        value -> Text,
        person_id -> Nullable<Uuid>,
        person_name -> Text,
        at -> Timestamptz,
    }
}

diesel::table! {
    finding_assets (finding_id, asset_id) {
        finding_id -> Uuid,
        asset_id -> Uuid,
    }
}

diesel::table! {
    finding_attachments (finding_id, attachment_id) {
        finding_id -> Uuid,
        attachment_id -> Uuid,
    }
}

diesel::table! {
    findings (id) {
        id -> Uuid,
        report_id -> Uuid,
        procedure_id -> Nullable<Uuid>,
        position -> Int4,
        title -> Text,
        severity -> Text,
        description -> Text,
        recommendation -> Text,
        state -> Text,
        owner -> Text,
        due_on -> Nullable<Date>,
        version -> Int4,
        tags -> Array<Text>,
    }
}

diesel::table! {
    job_runs (id) {
        id -> Uuid,
        job -> Text,
        trigger -> Text,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        moved -> Nullable<Int4>,
        skipped -> Nullable<Int4>,
        failure -> Nullable<Text>,
        left_over -> Text,
        said -> Text,
    }
}

diesel::table! {
    known_devices (digest) {
        digest -> Bytea,
        person_id -> Uuid,
        last_at -> Timestamptz,
    }
}

diesel::table! {
    library_import_changes (import_id, position) {
        import_id -> Uuid,
        position -> Int4,
        verdict -> Text,
        key -> Text,
        label -> Text,
        detail -> Jsonb,
        subject_id -> Nullable<Uuid>,
        before -> Nullable<Jsonb>,
    }
}

diesel::table! {
    library_imports (id) {
        id -> Uuid,
        file_name -> Text,
        size -> Int8,
        kind -> Nullable<Text>,
        repository_id -> Nullable<Uuid>,
        attack_version -> Nullable<Text>,
        withdraw -> Bool,
        state -> Text,
        progress -> Int4,
        doing -> Text,
        claimed_at -> Nullable<Timestamptz>,
        counts -> Jsonb,
        outline -> Nullable<Bytea>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        closed_at -> Nullable<Timestamptz>,
        closed_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    library_procedure_versions (procedure_id, n) {
        procedure_id -> Uuid,
        n -> Int4,
        body -> Jsonb,
        digest -> Bytea,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    library_procedures (id) {
        id -> Uuid,
        repository_id -> Uuid,
        source_key -> Text,
        name -> Text,
        description -> Text,
        technique_ids -> Array<Text>,
        platforms -> Array<Text>,
        current_version -> Int4,
        withdrawn_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        search -> Text,
        number -> Int4,
        tags -> Array<Text>,
        executors -> Array<Text>,
        retired_at -> Nullable<Timestamptz>,
        identity -> Uuid,
        copied_from -> Nullable<Uuid>,
        copied_version -> Nullable<Int4>,
        imported_version -> Nullable<Int4>,
        edit_version -> Int4,
        origin -> Text,
        written_from -> Nullable<Bytea>,
    }
}

diesel::table! {
    log_entries (id) {
        id -> Uuid,
        engagement_id -> Uuid,
        procedure_id -> Uuid,
        team -> Text,
        text -> Text,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        author_id -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        removed_at -> Nullable<Timestamptz>,
        version -> Int4,
    }
}

diesel::table! {
    notices (id) {
        id -> Uuid,
        person_id -> Uuid,
        client_id -> Nullable<Uuid>,
        text -> Text,
        href -> Text,
        at -> Timestamptz,
        read_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    one_time_links (digest) {
        digest -> Bytea,
        purpose -> Text,
        person_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    outcome_corrections (id) {
        id -> Uuid,
        report_id -> Uuid,
        procedure_id -> Uuid,
        team -> Text,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
        reason -> Text,
        person_id -> Nullable<Uuid>,
        person_name -> Text,
        at -> Timestamptz,
    }
}

diesel::table! {
    outcomes (key) {
        key -> Text,
        team -> Text,
        label -> Text,
        definition -> Text,
        position -> Int4,
        succeeded -> Bool,
        score -> Nullable<Int4>,
        prevented -> Bool,
        alerted -> Bool,
        logged -> Bool,
        retired_at -> Nullable<Timestamptz>,
        attempted -> Bool,
        partial -> Bool,
    }
}

diesel::table! {
    people (id) {
        id -> Uuid,
        name -> Text,
        email -> Text,
        password_hash -> Nullable<Text>,
        status -> Text,
        theme -> Text,
        shortcuts -> Bool,
        created_at -> Timestamptz,
        last_sign_in_at -> Nullable<Timestamptz>,
        password_changed_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
        version -> Int4,
        totp_secret -> Nullable<Bytea>,
        totp_since -> Nullable<Timestamptz>,
        totp_step -> Int8,
    }
}

diesel::table! {
    person_roles (person_id, role_id) {
        person_id -> Uuid,
        role_id -> Uuid,
        given_by -> Nullable<Uuid>,
        given_at -> Timestamptz,
    }
}

diesel::table! {
    person_sections (person_id, engagement_id, section) {
        person_id -> Uuid,
        engagement_id -> Uuid,
        section -> Text,
        open -> Bool,
    }
}

diesel::table! {
    procedure_assets (procedure_id, asset_id) {
        procedure_id -> Uuid,
        asset_id -> Uuid,
        client_id -> Uuid,
        red_outcome -> Nullable<Text>,
        blue_outcome -> Nullable<Text>,
        in_finding -> Bool,
    }
}

diesel::table! {
    procedure_inputs (procedure_id, name) {
        procedure_id -> Uuid,
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    procedure_operators (procedure_id, person_id, team) {
        procedure_id -> Uuid,
        person_id -> Uuid,
        team -> Text,
    }
}

diesel::table! {
    procedures (id) {
        id -> Uuid,
        engagement_id -> Uuid,
        client_id -> Uuid,
        position -> Int4,
        origin_id -> Nullable<Uuid>,
        origin_version -> Nullable<Int4>,
        variant_of -> Nullable<Uuid>,
        body -> Jsonb,
        name -> Text,
        technique_ids -> Array<Text>,
        tactics -> Array<Text>,
        status -> Text,
        not_applicable_reason -> Text,
        severity -> Nullable<Text>,
        waiting_on -> Nullable<Text>,
        recommendation -> Text,
        attack_source -> Text,
        red_outcome -> Nullable<Text>,
        red_notes -> Text,
        executed_at -> Nullable<Timestamptz>,
        blue_outcome -> Nullable<Text>,
        blue_notes -> Text,
        detected_at -> Nullable<Timestamptz>,
        detected_by -> Text,
        alert_reference -> Text,
        responded_at -> Nullable<Timestamptz>,
        revealed_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
        version -> Int4,
        inputs -> Jsonb,
        status_by_hand -> Bool,
        step_ids -> Array<Text>,
        cleanup_ids -> Array<Text>,
        blue_answered_at -> Nullable<Timestamptz>,
        prerequisite_ids -> Array<Text>,
    }
}

diesel::table! {
    recovery_codes (person_id, digest) {
        person_id -> Uuid,
        digest -> Bytea,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    refusal_counts (address, minute) {
        address -> Text,
        minute -> Timestamptz,
        refused -> Int4,
    }
}

diesel::table! {
    report_moves (id) {
        id -> Uuid,
        report_id -> Uuid,
        from_status -> Text,
        to_status -> Text,
        comment -> Text,
        person_id -> Nullable<Uuid>,
        person_name -> Text,
        at -> Timestamptz,
    }
}

diesel::table! {
    report_publications (report_id, n) {
        report_id -> Uuid,
        n -> Int4,
        body -> Jsonb,
        content -> Jsonb,
        published_at -> Timestamptz,
        published_by -> Text,
    }
}

diesel::table! {
    report_reviewers (report_id, person_id) {
        report_id -> Uuid,
        person_id -> Uuid,
    }
}

diesel::table! {
    report_revisions (report_id, n) {
        report_id -> Uuid,
        n -> Int4,
        body -> Jsonb,
        frozen_at -> Timestamptz,
        frozen_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    reports (id) {
        id -> Uuid,
        engagement_id -> Uuid,
        client_id -> Uuid,
        title -> Text,
        status -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        version -> Int4,
        executive_summary -> Text,
        approach -> Text,
        observations -> Text,
        conclusion -> Text,
        classification -> Text,
        tags -> Array<Text>,
    }
}

diesel::table! {
    repositories (id) {
        id -> Uuid,
        key -> Nullable<Text>,
        name -> Text,
        short_name -> Text,
        description -> Text,
        #[sql_name = "type"]
        type_ -> Text,
        created_at -> Timestamptz,
        version -> Int4,
        prefix -> Text,
        next_number -> Int4,
        created_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    repository_people (repository_id, person_id) {
        repository_id -> Uuid,
        person_id -> Uuid,
        may_edit -> Bool,
    }
}

diesel::table! {
    role_permissions (role_id, permission) {
        role_id -> Uuid,
        permission -> Text,
    }
}

diesel::table! {
    roles (id) {
        id -> Uuid,
        key -> Nullable<Text>,
        name -> Text,
        description -> Text,
        built_in -> Bool,
        version -> Int4,
        requires_two_factor -> Bool,
    }
}

diesel::table! {
    secret_key (single) {
        single -> Bool,
        fingerprint -> Bytea,
        set_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (key_hash) {
        key_hash -> Bytea,
        person_id -> Nullable<Uuid>,
        state -> Jsonb,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        id -> Uuid,
        renew -> Bool,
    }
}

diesel::table! {
    settings (singleton) {
        singleton -> Bool,
        organisation_name -> Text,
        time_zone -> Text,
        idle_minutes -> Int4,
        write_rule -> Text,
        attachment_bytes -> Int8,
        version -> Int4,
        two_factor_rule -> Text,
        approval_rule -> Text,
        audit_days -> Int4,
        legal_hold -> Bool,
        retention_loosened_at -> Nullable<Timestamptz>,
        keys_kept_at -> Nullable<Timestamptz>,
        first_hour_over_at -> Nullable<Timestamptz>,
        classification -> Text,
    }
}

diesel::table! {
    step_ticks (procedure_id, step_id) {
        procedure_id -> Uuid,
        step_id -> Text,
        person_id -> Uuid,
        at -> Timestamptz,
    }
}

diesel::table! {
    tactics (version, external_id) {
        version -> Text,
        external_id -> Text,
        short_name -> Text,
        name -> Text,
        description -> Text,
        url -> Text,
        position -> Int4,
        digest -> Bytea,
    }
}

diesel::table! {
    techniques (version, external_id) {
        version -> Text,
        external_id -> Text,
        name -> Text,
        description -> Text,
        url -> Text,
        platforms -> Array<Text>,
        tactics -> Array<Text>,
        is_subtechnique -> Bool,
        status -> Text,
        revoked_by -> Nullable<Text>,
        digest -> Bytea,
        successors -> Array<Text>,
    }
}

diesel::table! {
    term_parents (term_id, parent_id) {
        term_id -> Uuid,
        parent_id -> Uuid,
    }
}

diesel::table! {
    terms (id) {
        id -> Uuid,
        key -> Nullable<Text>,
        name -> Text,
        short_name -> Text,
        description -> Text,
        kind -> Text,
        tags -> Array<Text>,
        position -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        version -> Int4,
        written_from -> Nullable<Bytea>,
        imported_digest -> Nullable<Bytea>,
    }
}

diesel::table! {
    test_plan_procedures (test_plan_id, position) {
        test_plan_id -> Uuid,
        position -> Int4,
        procedure_id -> Uuid,
    }
}

diesel::table! {
    test_plan_versions (test_plan_id, n) {
        test_plan_id -> Uuid,
        n -> Int4,
        body -> Jsonb,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    test_plans (id) {
        id -> Uuid,
        key -> Nullable<Text>,
        title -> Text,
        description -> Text,
        tags -> Array<Text>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        version -> Int4,
        written_from -> Nullable<Bytea>,
        imported_digest -> Nullable<Bytea>,
    }
}

diesel::joinable!(assets -> clients (client_id));
diesel::joinable!(attachments -> people (uploaded_by));
diesel::joinable!(attack_groups -> attack_versions (version));
diesel::joinable!(client_access -> clients (client_id));
diesel::joinable!(client_access -> roles (role_id));
diesel::joinable!(clients -> people (created_by));
diesel::joinable!(drafts -> people (person_id));
diesel::joinable!(engagement_activity -> engagements (engagement_id));
diesel::joinable!(engagement_inputs -> engagements (engagement_id));
diesel::joinable!(engagement_operators -> engagements (engagement_id));
diesel::joinable!(engagement_operators -> people (person_id));
diesel::joinable!(engagements -> attack_versions (attack_version));
diesel::joinable!(engagements -> clients (client_id));
diesel::joinable!(engagements -> test_plans (test_plan_id));
diesel::joinable!(field_history -> people (person_id));
diesel::joinable!(finding_assets -> assets (asset_id));
diesel::joinable!(finding_assets -> findings (finding_id));
diesel::joinable!(finding_attachments -> attachments (attachment_id));
diesel::joinable!(finding_attachments -> findings (finding_id));
diesel::joinable!(findings -> procedures (procedure_id));
diesel::joinable!(findings -> reports (report_id));
diesel::joinable!(known_devices -> people (person_id));
diesel::joinable!(library_import_changes -> library_imports (import_id));
diesel::joinable!(library_imports -> repositories (repository_id));
diesel::joinable!(library_procedure_versions -> people (created_by));
diesel::joinable!(library_procedures -> repositories (repository_id));
diesel::joinable!(log_entries -> people (author_id));
diesel::joinable!(notices -> clients (client_id));
diesel::joinable!(notices -> people (person_id));
diesel::joinable!(one_time_links -> people (person_id));
diesel::joinable!(outcome_corrections -> people (person_id));
diesel::joinable!(outcome_corrections -> reports (report_id));
diesel::joinable!(person_roles -> roles (role_id));
diesel::joinable!(person_sections -> engagements (engagement_id));
diesel::joinable!(person_sections -> people (person_id));
diesel::joinable!(procedure_inputs -> procedures (procedure_id));
diesel::joinable!(procedure_operators -> people (person_id));
diesel::joinable!(procedure_operators -> procedures (procedure_id));
diesel::joinable!(procedures -> people (updated_by));
diesel::joinable!(recovery_codes -> people (person_id));
diesel::joinable!(report_moves -> people (person_id));
diesel::joinable!(report_moves -> reports (report_id));
diesel::joinable!(report_publications -> reports (report_id));
diesel::joinable!(report_reviewers -> people (person_id));
diesel::joinable!(report_reviewers -> reports (report_id));
diesel::joinable!(report_revisions -> people (frozen_by));
diesel::joinable!(report_revisions -> reports (report_id));
diesel::joinable!(repositories -> people (created_by));
diesel::joinable!(repository_people -> people (person_id));
diesel::joinable!(repository_people -> repositories (repository_id));
diesel::joinable!(role_permissions -> roles (role_id));
diesel::joinable!(sessions -> people (person_id));
diesel::joinable!(step_ticks -> people (person_id));
diesel::joinable!(step_ticks -> procedures (procedure_id));
diesel::joinable!(tactics -> attack_versions (version));
diesel::joinable!(techniques -> attack_versions (version));
diesel::joinable!(terms -> people (created_by));
diesel::joinable!(test_plan_procedures -> library_procedures (procedure_id));
diesel::joinable!(test_plan_procedures -> test_plans (test_plan_id));
diesel::joinable!(test_plan_versions -> people (created_by));
diesel::joinable!(test_plan_versions -> test_plans (test_plan_id));
diesel::joinable!(test_plans -> people (created_by));

diesel::allow_tables_to_appear_in_same_query!(
    assets,
    attachments,
    attack_groups,
    attack_versions,
    attempt_counts,
    audit_verifications,
    client_access,
    clients,
    drafts,
    engagement_activity,
    engagement_inputs,
    engagement_operators,
    engagements,
    exchanged_texts,
    field_history,
    finding_assets,
    finding_attachments,
    findings,
    job_runs,
    known_devices,
    library_import_changes,
    library_imports,
    library_procedure_versions,
    library_procedures,
    log_entries,
    notices,
    one_time_links,
    outcome_corrections,
    outcomes,
    people,
    person_roles,
    person_sections,
    procedure_assets,
    procedure_inputs,
    procedure_operators,
    procedures,
    recovery_codes,
    refusal_counts,
    report_moves,
    report_publications,
    report_reviewers,
    report_revisions,
    reports,
    repositories,
    repository_people,
    role_permissions,
    roles,
    secret_key,
    sessions,
    settings,
    step_ticks,
    tactics,
    techniques,
    term_parents,
    terms,
    test_plan_procedures,
    test_plan_versions,
    test_plans,
);
