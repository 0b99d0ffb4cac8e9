CREATE TABLE methodologies (
    id          uuid PRIMARY KEY,
    key         text UNIQUE,
    name        text NOT NULL,
    short_name  text NOT NULL,
    description text NOT NULL DEFAULT ''
);

-- Releases of ATT&CK stand side by side: an engagement keeps the one it was made with.
-- rank orders them: major * 1000 + minor, so that 19.1 comes after 2.0.
CREATE TABLE attack_versions (
    version     text PRIMARY KEY,
    rank        integer NOT NULL UNIQUE,
    domain      text NOT NULL,
    imported_at timestamptz NOT NULL
);

CREATE TABLE tactics (
    version     text NOT NULL REFERENCES attack_versions,
    external_id text NOT NULL,
    short_name  text NOT NULL,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    url         text NOT NULL DEFAULT '',
    position    integer NOT NULL,
    digest      bytea NOT NULL,
    PRIMARY KEY (version, external_id),
    UNIQUE (version, short_name)
);

CREATE TABLE techniques (
    version         text NOT NULL REFERENCES attack_versions,
    external_id     text NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL DEFAULT '',
    url             text NOT NULL DEFAULT '',
    platforms       text[] NOT NULL DEFAULT '{}',
    tactics         text[] NOT NULL DEFAULT '{}',
    is_subtechnique boolean NOT NULL,
    status          text NOT NULL CHECK (status IN ('live', 'revoked', 'deprecated')),
    revoked_by      text,
    digest          bytea NOT NULL,
    PRIMARY KEY (version, external_id)
);
CREATE INDEX techniques_tactics ON techniques USING gin (tactics);

CREATE TABLE repositories (
    id          uuid PRIMARY KEY,
    key         text UNIQUE,
    name        text NOT NULL,
    short_name  text NOT NULL,
    description text NOT NULL DEFAULT '',
    type        text NOT NULL CHECK (type IN ('open', 'managed', 'private', 'curated')),
    created_at  timestamptz NOT NULL,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX repositories_name ON repositories (lower(name));

-- The current version's name, ids and platforms stand here too, for the search; the body is in its version.
CREATE TABLE library_procedures (
    id              uuid PRIMARY KEY,
    repository_id   uuid NOT NULL REFERENCES repositories,
    source_key      text NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL DEFAULT '',
    technique_ids   text[] NOT NULL DEFAULT '{}',
    platforms       text[] NOT NULL DEFAULT '{}',
    current_version integer NOT NULL,
    withdrawn_at    timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    search          text GENERATED ALWAYS AS (lower(name || ' ' || description)) STORED,
    UNIQUE (repository_id, source_key)
);
CREATE INDEX library_procedures_name ON library_procedures (lower(name), id) WHERE withdrawn_at IS NULL;
CREATE INDEX library_procedures_search ON library_procedures USING gin (search gin_trgm_ops);
CREATE INDEX library_procedures_techniques ON library_procedures USING gin (technique_ids);
CREATE INDEX library_procedures_platforms ON library_procedures USING gin (platforms);

-- Immutable: an engagement names the version it copied.
CREATE TABLE library_procedure_versions (
    procedure_id    uuid NOT NULL REFERENCES library_procedures,
    n               integer NOT NULL,
    body            jsonb NOT NULL,
    digest          bytea NOT NULL CHECK (octet_length(digest) = 32),
    created_at      timestamptz NOT NULL,
    created_by      uuid REFERENCES people,
    PRIMARY KEY (procedure_id, n)
);
ALTER TABLE library_procedures ADD CONSTRAINT library_procedures_current
    FOREIGN KEY (id, current_version) REFERENCES library_procedure_versions (procedure_id, n) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE test_plans (
    id          uuid PRIMARY KEY,
    key         text UNIQUE,
    title       text NOT NULL CHECK (title <> ''),
    description text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    created_by  uuid REFERENCES people,
    updated_at  timestamptz NOT NULL,
    deleted_at  timestamptz,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX test_plans_title ON test_plans (lower(title)) WHERE deleted_at IS NULL;

CREATE TABLE test_plan_procedures (
    test_plan_id    uuid NOT NULL REFERENCES test_plans ON DELETE CASCADE,
    position        integer NOT NULL CHECK (position > 0),
    procedure_id    uuid NOT NULL REFERENCES library_procedures,
    PRIMARY KEY (test_plan_id, position) DEFERRABLE INITIALLY DEFERRED
);

SELECT audit.watch(name) FROM unnest(ARRAY['methodologies', 'attack_versions', 'tactics', 'techniques', 'repositories',
    'library_procedures', 'library_procedure_versions', 'test_plans', 'test_plan_procedures']) name;
