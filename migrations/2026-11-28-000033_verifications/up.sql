-- What the server found when it verified the audit log by itself. The newest row is what its page shows; that is
-- bookkeeping of a job, and proves nothing: whoever owns the database can write one.
CREATE TABLE audit_verifications (
    id          uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    -- Empty while it runs, and where its process ended first.
    finished_at timestamptz,
    -- Events looked at, archived ones among them; rises while it runs.
    events      bigint NOT NULL DEFAULT 0,
    seals       bigint NOT NULL DEFAULT 0,
    unsealed    bigint NOT NULL DEFAULT 0,
    -- The newest seal that it found.
    last_seal   bigint,
    last_digest bytea CHECK (octet_length(last_digest) = 32),
    -- What does not hold, a line for each thing; or why it cannot be told.
    fault       text,
    obstacle    text,
    -- A line for each thing that its reader should know.
    notes       text NOT NULL DEFAULT ''
);
CREATE INDEX audit_verifications_started ON audit_verifications (started_at DESC);

-- The first and the last seal of each key, without a look at all the others.
CREATE INDEX seals_key ON audit.seals (public_key, number);

-- What a run says of itself, beside what it moved.
ALTER TABLE job_runs ADD COLUMN said text NOT NULL DEFAULT '';

-- A notice about the installation belongs to no client.
ALTER TABLE notices ALTER COLUMN client_id DROP NOT NULL;
