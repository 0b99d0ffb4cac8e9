-- Rows, not code: an administrator may rename, reorder, retire or add an outcome. key is stable and what forms post.
CREATE TABLE outcomes (
    key         text PRIMARY KEY,
    team        text NOT NULL CHECK (team IN ('red', 'blue')),
    label       text NOT NULL,
    definition  text NOT NULL,
    position    integer NOT NULL,
    succeeded   boolean NOT NULL DEFAULT false,
    score       integer CHECK (score BETWEEN 0 AND 100),
    prevented   boolean NOT NULL DEFAULT false,
    alerted     boolean NOT NULL DEFAULT false,
    logged      boolean NOT NULL DEFAULT false,
    retired_at  timestamptz,
    UNIQUE (team, key)
);
INSERT INTO outcomes (key, team, label, definition, position, succeeded, score, prevented, alerted, logged) VALUES
    ('success', 'red', 'Success', 'The procedure reached its objective.', 1, true, NULL, false, false, false),
    ('partial_success', 'red', 'Partial Success', 'Part of the objective was reached.', 2, true, NULL, false, false, false),
    ('blocked_by_control', 'red', 'Blocked by Control', 'A security control stopped it.', 3, false, NULL, false, false, false),
    ('failed', 'red', 'Failed (no control involved)', 'It did not work, and no control was the reason.', 4, false, NULL, false, false, false),
    ('not_attempted', 'red', 'Not Attempted', 'It was not run in this engagement.', 5, false, NULL, false, false, false),
    ('prevented_alerted', 'blue', 'Prevented and Alerted', 'A control stopped it and raised an alert.', 1, false, 100, true, true, true),
    ('prevented_not_alerted', 'blue', 'Prevented, Not Alerted', 'A control stopped it in silence.', 2, false, 90, true, false, true),
    ('alerted_not_prevented', 'blue', 'Alerted, Not Prevented', 'It ran, and an alert was raised.', 3, false, 60, false, true, true),
    ('logged', 'blue', 'Logged', 'It ran and left records, but nobody was told.', 4, false, 30, false, false, true),
    ('no_evidence', 'blue', 'No Evidence', 'We looked and found nothing.', 5, false, 0, false, false, false),
    ('not_applicable', 'blue', 'Not Applicable', 'There was nothing for the blue team to see.', 6, false, NULL, false, false, false);

CREATE TABLE engagements (
    id                  uuid PRIMARY KEY,
    client_id           uuid NOT NULL REFERENCES clients,
    title               text NOT NULL CHECK (title <> ''),
    description         text NOT NULL DEFAULT '',
    objective           text NOT NULL DEFAULT '',
    scope               text NOT NULL DEFAULT '',
    access_info         text NOT NULL DEFAULT '',
    special_instructions text NOT NULL DEFAULT '',
    tags                text[] NOT NULL DEFAULT '{}',
    status              text NOT NULL CHECK (status IN ('pending', 'scheduled', 'in_progress', 'in_review', 'complete', 'canceled')),
    start_date          date,
    end_date            date,
    time_zone           text NOT NULL,
    -- The first instant of start_date in time_zone, computed by the app whenever either changes.
    starts_at           timestamptz,
    attack_version      text NOT NULL REFERENCES attack_versions,
    test_plan_id        uuid REFERENCES test_plans,
    test_plan_title     text NOT NULL DEFAULT '',
    earlier_engagement_id uuid REFERENCES engagements,
    write_rule          text CHECK (write_rule IN ('everyone', 'own_side')),
    reveal              text NOT NULL DEFAULT 'always' CHECK (reveal IN ('always', 'on_start', 'by_hand')),
    cancel_reason       text,
    submitted_at        timestamptz,
    submitted_by        uuid REFERENCES people,
    created_at          timestamptz NOT NULL,
    created_by          uuid REFERENCES people,
    deleted_at          timestamptz,
    deleted_by          uuid REFERENCES people,
    version             integer NOT NULL DEFAULT 1,
    UNIQUE (client_id, id),
    CONSTRAINT engagements_dates CHECK (end_date >= start_date),
    CONSTRAINT engagements_starts CHECK ((start_date IS NULL) = (starts_at IS NULL)),
    CONSTRAINT engagements_reason CHECK (status <> 'canceled' OR cancel_reason IS NOT NULL)
);
CREATE INDEX engagements_due ON engagements (starts_at) WHERE status = 'scheduled' AND deleted_at IS NULL;
CREATE INDEX engagements_title ON engagements (lower(title), id) WHERE deleted_at IS NULL;
CREATE INDEX engagements_client ON engagements (client_id) WHERE deleted_at IS NULL;
CREATE INDEX engagements_tags ON engagements USING gin (tags);

-- Apart from its engagement, because every save touches it: savers share the engagement's row and would wait for each
-- other, or deadlock, if they had to update it.
CREATE TABLE engagement_activity (
    engagement_id   uuid PRIMARY KEY REFERENCES engagements ON DELETE CASCADE,
    at              timestamptz NOT NULL,
    by_name         text NOT NULL
);
CREATE INDEX engagement_activity_at ON engagement_activity (at DESC, engagement_id DESC);

CREATE TABLE engagement_operators (
    engagement_id   uuid NOT NULL REFERENCES engagements ON DELETE CASCADE,
    person_id       uuid NOT NULL REFERENCES people,
    team            text NOT NULL CHECK (team IN ('red', 'blue')),
    starts_on       date,
    ends_on         date,
    PRIMARY KEY (engagement_id, person_id, team),
    CHECK (ends_on >= starts_on)
);
CREATE INDEX engagement_operators_person ON engagement_operators (person_id);

CREATE TABLE engagement_inputs (
    engagement_id   uuid NOT NULL REFERENCES engagements ON DELETE CASCADE,
    name            text NOT NULL,
    value           text NOT NULL,
    PRIMARY KEY (engagement_id, name)
);

CREATE TABLE procedures (
    id                  uuid PRIMARY KEY,
    engagement_id       uuid NOT NULL,
    client_id           uuid NOT NULL,
    position            integer NOT NULL CHECK (position > 0),
    origin_id           uuid REFERENCES library_procedures,
    origin_version      integer,
    variant_of          uuid REFERENCES procedures,
    body                jsonb NOT NULL,
    name                text NOT NULL,
    technique_ids       text[] NOT NULL DEFAULT '{}',
    -- Short names of the pinned release's tactics, in matrix order.
    tactics             text[] NOT NULL DEFAULT '{}',
    status              text NOT NULL DEFAULT 'not_started' CHECK (status IN ('not_started', 'in_progress', 'completed', 'not_applicable')),
    not_applicable_reason text NOT NULL DEFAULT '',
    severity            text CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    waiting_on          text CHECK (waiting_on IN ('red', 'blue', 'nobody')),
    recommendation      text NOT NULL DEFAULT '',
    attack_source       text NOT NULL DEFAULT '',
    red_outcome         text REFERENCES outcomes,
    red_notes           text NOT NULL DEFAULT '',
    executed_at         timestamptz,
    blue_outcome        text REFERENCES outcomes,
    blue_notes          text NOT NULL DEFAULT '',
    detected_at         timestamptz,
    detected_by         text NOT NULL DEFAULT '',
    alert_reference     text NOT NULL DEFAULT '',
    responded_at        timestamptz,
    revealed_at         timestamptz,
    updated_at          timestamptz NOT NULL,
    updated_by          uuid REFERENCES people,
    version             integer NOT NULL DEFAULT 1,
    UNIQUE (engagement_id, id),
    UNIQUE (client_id, id),
    UNIQUE (engagement_id, position) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (client_id, engagement_id) REFERENCES engagements (client_id, id)
);
CREATE INDEX procedures_origin ON procedures (origin_id, client_id);

-- One row for each field that a save changed. A field's base is its newest row at or below the version that was shown.
CREATE TABLE field_history (
    subject_type    text NOT NULL CHECK (subject_type IN ('procedure', 'engagement', 'report')),
    subject_id      uuid NOT NULL,
    field           text NOT NULL,
    version         integer NOT NULL,
    value           text NOT NULL,
    person_id       uuid REFERENCES people,
    person_name     text NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (subject_type, subject_id, field, version)
);

CREATE TABLE drafts (
    person_id       uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    subject_type    text NOT NULL CHECK (subject_type IN ('procedure', 'wizard', 'test_plan')),
    subject_id      uuid NOT NULL,
    tab             text NOT NULL DEFAULT '',
    fields          jsonb NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (person_id, subject_type, subject_id)
);
CREATE INDEX drafts_age ON drafts (updated_at);

CREATE TABLE person_sections (
    person_id       uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    engagement_id   uuid NOT NULL REFERENCES engagements ON DELETE CASCADE,
    section         text NOT NULL,
    open            boolean NOT NULL,
    PRIMARY KEY (person_id, engagement_id, section)
);

CREATE TABLE procedure_operators (
    procedure_id    uuid NOT NULL REFERENCES procedures ON DELETE CASCADE,
    person_id       uuid NOT NULL REFERENCES people,
    team            text NOT NULL CHECK (team IN ('red', 'blue')),
    PRIMARY KEY (procedure_id, person_id, team)
);

CREATE TABLE procedure_inputs (
    procedure_id    uuid NOT NULL REFERENCES procedures ON DELETE CASCADE,
    name            text NOT NULL,
    value           text NOT NULL,
    PRIMARY KEY (procedure_id, name)
);

CREATE TABLE step_ticks (
    procedure_id    uuid NOT NULL REFERENCES procedures ON DELETE CASCADE,
    step_id         text NOT NULL,
    person_id       uuid NOT NULL REFERENCES people,
    at              timestamptz NOT NULL,
    PRIMARY KEY (procedure_id, step_id)
);

-- The composite keys make an asset of another client impossible, whatever the app believes.
CREATE TABLE procedure_assets (
    procedure_id    uuid NOT NULL,
    asset_id        uuid NOT NULL,
    client_id       uuid NOT NULL,
    red_outcome     text REFERENCES outcomes,
    blue_outcome    text REFERENCES outcomes,
    in_finding      boolean NOT NULL DEFAULT true,
    PRIMARY KEY (procedure_id, asset_id),
    CONSTRAINT procedure_assets_procedure FOREIGN KEY (client_id, procedure_id) REFERENCES procedures (client_id, id) ON DELETE CASCADE,
    CONSTRAINT procedure_assets_asset FOREIGN KEY (client_id, asset_id) REFERENCES assets (client_id, id)
);
CREATE INDEX procedure_assets_asset ON procedure_assets (asset_id);

CREATE TABLE log_entries (
    id              uuid PRIMARY KEY,
    engagement_id   uuid NOT NULL,
    procedure_id    uuid NOT NULL,
    team            text NOT NULL CHECK (team IN ('red', 'blue')),
    text            text NOT NULL CHECK (text <> ''),
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz,
    author_id       uuid NOT NULL REFERENCES people,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    removed_at      timestamptz,
    version         integer NOT NULL DEFAULT 1,
    CONSTRAINT log_entries_times CHECK (ends_at >= starts_at),
    FOREIGN KEY (engagement_id, procedure_id) REFERENCES procedures (engagement_id, id) ON DELETE CASCADE
);
CREATE INDEX log_entries_procedure ON log_entries (procedure_id, starts_at) WHERE removed_at IS NULL;
CREATE INDEX log_entries_engagement ON log_entries (engagement_id, starts_at, id) WHERE removed_at IS NULL;

CREATE TABLE attachments (
    id              uuid PRIMARY KEY,
    client_id       uuid NOT NULL,
    engagement_id   uuid NOT NULL,
    procedure_id    uuid,
    team            text CHECK (team IN ('red', 'blue')),
    title           text NOT NULL CHECK (title <> ''),
    description     text NOT NULL DEFAULT '',
    file_name       text NOT NULL,
    media_type      text NOT NULL,
    size            bigint NOT NULL CHECK (size >= 0),
    sha256          bytea NOT NULL CHECK (octet_length(sha256) = 32),
    in_finding      boolean NOT NULL DEFAULT false,
    uploaded_by     uuid NOT NULL REFERENCES people,
    uploaded_at     timestamptz NOT NULL,
    removed_at      timestamptz,
    version         integer NOT NULL DEFAULT 1,
    FOREIGN KEY (client_id, engagement_id) REFERENCES engagements (client_id, id),
    FOREIGN KEY (engagement_id, procedure_id) REFERENCES procedures (engagement_id, id)
);
CREATE INDEX attachments_procedure ON attachments (procedure_id) WHERE removed_at IS NULL;
CREATE INDEX attachments_engagement ON attachments (engagement_id, uploaded_at) WHERE removed_at IS NULL;

SELECT audit.watch(name) FROM unnest(ARRAY['outcomes', 'engagements', 'engagement_operators', 'engagement_inputs', 'procedures',
    'field_history', 'procedure_operators', 'procedure_inputs', 'step_ticks', 'procedure_assets', 'log_entries', 'attachments']) name;
