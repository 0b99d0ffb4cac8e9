-- Each tab keeps its own draft: what was typed in one is still offered when another page of the same procedure is open.
ALTER TABLE drafts DROP CONSTRAINT drafts_pkey, ADD PRIMARY KEY (person_id, subject_type, subject_id, tab);

-- Signing in: attempts that are counted, devices that are known, second factors, sessions that can be told apart.

-- An attempt is claimed here before a password or code is looked at, so that every process sees one count. The subject is
-- 'account:', 'device:' or 'proof:' with a keyed hash, 'code:' with a person, or 'address:' with a network.
CREATE TABLE attempt_counts (
    subject      text PRIMARY KEY,
    attempts     integer NOT NULL,
    since        timestamptz NOT NULL,
    locked_until timestamptz,
    lockouts     integer NOT NULL DEFAULT 0
);
CREATE INDEX attempt_counts_since ON attempt_counts (since);

-- Refusals of an address in a minute: the first twenty have events of their own, the others one together.
CREATE TABLE refusal_counts (
    address text NOT NULL,
    minute  timestamptz NOT NULL,
    refused integer NOT NULL,
    PRIMARY KEY (address, minute)
);

-- A device on which somebody signed in before: a stranger's failures elsewhere do not lock its owner out of it.
CREATE TABLE known_devices (
    digest    bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    person_id uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    last_at   timestamptz NOT NULL
);
CREATE INDEX known_devices_person ON known_devices (person_id);

-- The secret is encrypted with a key made from the app's own; the step is the last one whose code was taken.
ALTER TABLE people
    ADD COLUMN totp_secret bytea,
    ADD COLUMN totp_since  timestamptz,
    ADD COLUMN totp_step   bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT people_totp CHECK ((totp_secret IS NULL) = (totp_since IS NULL));

CREATE TABLE recovery_codes (
    person_id uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
    used_at   timestamptz,
    PRIMARY KEY (person_id, digest)
);

-- The public id names a session on pages; renew says that its rights changed and that it needs a new secret.
ALTER TABLE sessions
    ADD COLUMN id    uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN renew boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX sessions_id ON sessions (id);

ALTER TABLE settings
    ADD COLUMN two_factor_rule text NOT NULL DEFAULT 'optional' CHECK (two_factor_rule IN ('optional', 'everyone'));
ALTER TABLE roles ADD COLUMN requires_two_factor boolean NOT NULL DEFAULT false;

DROP TRIGGER audited ON people;
CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR DELETE
    OR UPDATE OF id, name, email, password_hash, status, created_at, last_sign_in_at, password_changed_at, deleted_at, version,
        totp_secret, totp_since ON people
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event();
