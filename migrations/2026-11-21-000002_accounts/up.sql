CREATE TABLE people (
    id              uuid PRIMARY KEY,
    name            text NOT NULL CHECK (name <> ''),
    email           text NOT NULL CHECK (email LIKE '%_@_%'),
    password_hash   text,
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('invited', 'active', 'disabled')),
    theme           text NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    shortcuts       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL,
    last_sign_in_at timestamptz,
    password_changed_at timestamptz,
    deleted_at      timestamptz,
    version         integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX people_email ON people (lower(email)) WHERE deleted_at IS NULL;

-- First administrator, invitation, reset: a link works once and only its digest is kept.
CREATE TABLE one_time_links (
    digest      bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    purpose     text NOT NULL CHECK (purpose IN ('first_administrator', 'invitation', 'reset')),
    person_id   uuid REFERENCES people,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    CHECK ((purpose = 'first_administrator') = (person_id IS NULL))
);

-- The key is a keyed hash of the id in the cookie: a copy of this table opens no session.
CREATE TABLE sessions (
    key_hash    bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    person_id   uuid REFERENCES people ON DELETE CASCADE,
    state       jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    address     text,
    user_agent  text
);
CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE roles (
    id          uuid PRIMARY KEY,
    key         text UNIQUE,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    built_in    boolean NOT NULL DEFAULT false,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX roles_name ON roles (lower(name));

CREATE TABLE role_permissions (
    role_id     uuid NOT NULL REFERENCES roles ON DELETE CASCADE,
    permission  text NOT NULL,
    PRIMARY KEY (role_id, permission)
);

CREATE TABLE person_roles (
    person_id   uuid NOT NULL REFERENCES people,
    role_id     uuid NOT NULL REFERENCES roles,
    given_by    uuid REFERENCES people,
    given_at    timestamptz NOT NULL,
    PRIMARY KEY (person_id, role_id)
);

-- One row, edited with a version like everything that people edit.
CREATE TABLE settings (
    singleton           boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    organisation_name   text NOT NULL DEFAULT 'Tyrian',
    time_zone           text NOT NULL DEFAULT 'UTC',
    idle_minutes        integer NOT NULL DEFAULT 30 CHECK (idle_minutes BETWEEN 5 AND 720),
    write_rule          text NOT NULL DEFAULT 'everyone' CHECK (write_rule IN ('everyone', 'own_side')),
    attachment_bytes    bigint NOT NULL DEFAULT 52428800 CHECK (attachment_bytes > 0),
    version             integer NOT NULL DEFAULT 1
);
INSERT INTO settings DEFAULT VALUES;

SELECT audit.watch(name) FROM unnest(ARRAY['roles', 'role_permissions', 'person_roles', 'settings']) name;

-- As audit.watch, but for theme and shortcuts: a person's own taste is no act.
CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR DELETE
    OR UPDATE OF id, name, email, password_hash, status, created_at, last_sign_in_at, password_changed_at, deleted_at, version ON people
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event();
