-- The schedule: requests, notices, and the report's way from Draft to Published.

ALTER TABLE engagements
    ADD COLUMN requested_by uuid REFERENCES people,
    ADD COLUMN requested_at timestamptz;
CREATE INDEX engagements_pending ON engagements (client_id) WHERE status = 'pending' AND deleted_at IS NULL;

-- Progress is counted on every list: from the index alone.
CREATE INDEX procedures_progress ON procedures (engagement_id, status);

-- What somebody should know without looking for it. No act of theirs: written beside the event of whoever acted.
CREATE TABLE notices (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    client_id   uuid NOT NULL REFERENCES clients ON DELETE CASCADE,
    text        text NOT NULL,
    href        text NOT NULL,
    at          timestamptz NOT NULL,
    read_at     timestamptz
);
CREATE INDEX notices_unread ON notices (person_id, at DESC) WHERE read_at IS NULL;
CREATE INDEX notices_about ON notices (href) WHERE read_at IS NULL;

-- The narrative, in Markdown. Like all that is edited in Draft it shares the merge of field_history.
ALTER TABLE reports
    ADD COLUMN executive_summary text NOT NULL DEFAULT '',
    ADD COLUMN approach          text NOT NULL DEFAULT '',
    ADD COLUMN observations      text NOT NULL DEFAULT '',
    ADD COLUMN conclusion        text NOT NULL DEFAULT '';

CREATE TABLE report_reviewers (
    report_id   uuid NOT NULL REFERENCES reports,
    person_id   uuid NOT NULL REFERENCES people,
    PRIMARY KEY (report_id, person_id)
);
CREATE INDEX report_reviewers_person ON report_reviewers (person_id);

CREATE TABLE report_moves (
    id          uuid PRIMARY KEY,
    report_id   uuid NOT NULL REFERENCES reports,
    from_status text NOT NULL CHECK (from_status IN ('draft', 'ready_for_review', 'in_review', 'approved', 'published')),
    to_status   text NOT NULL CHECK (to_status IN ('draft', 'ready_for_review', 'in_review', 'approved', 'published')),
    comment     text NOT NULL DEFAULT '',
    person_id   uuid REFERENCES people,
    person_name text NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX report_moves_report ON report_moves (report_id, at);

-- A frozen outcome and the one that counts in the report instead; both as they were called on that day.
CREATE TABLE outcome_corrections (
    id           uuid PRIMARY KEY,
    report_id    uuid NOT NULL REFERENCES reports,
    procedure_id uuid NOT NULL,
    team         text NOT NULL CHECK (team IN ('red', 'blue')),
    before       jsonb,
    after        jsonb,
    reason       text NOT NULL CHECK (reason <> ''),
    person_id    uuid REFERENCES people,
    person_name  text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX outcome_corrections_report ON outcome_corrections (report_id, at);

-- What a published report said, whole, with its runbook. A report that is taken back goes on as the next revision; what was
-- published stays, for the app may only insert here.
CREATE TABLE report_publications (
    report_id    uuid NOT NULL REFERENCES reports,
    n            integer NOT NULL,
    body         jsonb NOT NULL,
    content      jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text NOT NULL,
    PRIMARY KEY (report_id, n)
);

ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding'));
ALTER TABLE drafts
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check CHECK (subject_type IN ('procedure', 'wizard', 'test_plan', 'approval'));

ALTER TABLE settings ADD COLUMN approval_rule text NOT NULL DEFAULT 'anyone' CHECK (approval_rule IN ('anyone', 'not_author'));

-- What a run left and why.
ALTER TABLE job_runs ADD COLUMN left_over text NOT NULL DEFAULT '';

SELECT audit.watch(name) FROM unnest(ARRAY['report_reviewers', 'report_moves', 'report_publications', 'outcome_corrections']) name;
