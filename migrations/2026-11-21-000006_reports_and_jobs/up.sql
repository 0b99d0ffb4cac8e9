CREATE TABLE reports (
    id              uuid PRIMARY KEY,
    engagement_id   uuid NOT NULL UNIQUE,
    client_id       uuid NOT NULL,
    title           text NOT NULL,
    status          text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'ready_for_review', 'in_review', 'approved', 'published')),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz,
    version         integer NOT NULL DEFAULT 1,
    UNIQUE (client_id, id),
    FOREIGN KEY (client_id, engagement_id) REFERENCES engagements (client_id, id)
);

-- Written once by Submit: what the runbook said at that moment, names and labels as text.
CREATE TABLE report_revisions (
    report_id   uuid NOT NULL REFERENCES reports,
    n           integer NOT NULL,
    body        jsonb NOT NULL,
    frozen_at   timestamptz NOT NULL,
    frozen_by   uuid REFERENCES people,
    PRIMARY KEY (report_id, n)
);

CREATE TABLE findings (
    id              uuid PRIMARY KEY,
    report_id       uuid NOT NULL REFERENCES reports,
    procedure_id    uuid REFERENCES procedures,
    position        integer NOT NULL,
    title           text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    description     text NOT NULL DEFAULT '',
    recommendation  text NOT NULL DEFAULT '',
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'in_remediation', 'fixed', 'risk_accepted')),
    owner           text NOT NULL DEFAULT '',
    due_on          date,
    version         integer NOT NULL DEFAULT 1,
    UNIQUE (report_id, procedure_id)
);
CREATE TABLE finding_assets (
    finding_id  uuid NOT NULL REFERENCES findings ON DELETE CASCADE,
    asset_id    uuid NOT NULL REFERENCES assets,
    PRIMARY KEY (finding_id, asset_id)
);
CREATE TABLE finding_attachments (
    finding_id      uuid NOT NULL REFERENCES findings ON DELETE CASCADE,
    attachment_id   uuid NOT NULL REFERENCES attachments,
    PRIMARY KEY (finding_id, attachment_id)
);

CREATE TABLE job_runs (
    id          uuid PRIMARY KEY,
    job         text NOT NULL,
    trigger     text NOT NULL CHECK (trigger IN ('start', 'tick', 'by_hand', 'command')),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    moved       integer,
    skipped     integer,
    failure     text
);
CREATE INDEX job_runs_job ON job_runs (job, started_at DESC);

SELECT audit.watch(name) FROM unnest(ARRAY['reports', 'report_revisions', 'findings', 'finding_assets', 'finding_attachments']) name;
