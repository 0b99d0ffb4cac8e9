-- What does not belong into the log and stands there, laid aside by the owner: a seal, a number or a leaf that somebody
-- else wrote, which is moved here, or an event that can never be sealed as it is, which stays. Each is signed with the
-- log's key, so that whoever owns the database alone cannot explain a fault away. `event_at` and `event_id` name the event
-- that it is about.
CREATE TABLE audit.set_aside (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('seal', 'number', 'leaf', 'event')),
    subject    text NOT NULL,
    event_at   timestamptz,
    event_id   bigint,
    moved      jsonb,
    reason     text NOT NULL,
    at         timestamptz NOT NULL,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
    signature  bytea NOT NULL CHECK (octet_length(signature) = 64),
    CHECK ((event_at IS NULL) = (event_id IS NULL))
);

-- The log's clock names its function whole: whatever is searched first, it is the database's.
CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT pg_catalog.clock_timestamp()';
