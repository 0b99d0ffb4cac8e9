CREATE TABLE clients (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    contacts    text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    created_by  uuid REFERENCES people,
    updated_at  timestamptz NOT NULL,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX clients_name ON clients (lower(name));
CREATE INDEX clients_tags ON clients USING gin (tags);

-- Who may see a client's data, in which role. Rights on a client come from here and from nowhere else.
CREATE TABLE client_access (
    client_id   uuid NOT NULL REFERENCES clients ON DELETE CASCADE,
    person_id   uuid NOT NULL REFERENCES people,
    role_id     uuid NOT NULL REFERENCES roles,
    given_by    uuid REFERENCES people,
    given_at    timestamptz NOT NULL,
    PRIMARY KEY (person_id, client_id)
);
CREATE INDEX client_access_client ON client_access (client_id);

CREATE TABLE assets (
    id          uuid PRIMARY KEY,
    client_id   uuid NOT NULL REFERENCES clients,
    name        text NOT NULL CHECK (name <> ''),
    kind        text NOT NULL CHECK (kind IN ('server', 'workstation', 'network_device', 'application', 'cloud_resource', 'identity', 'general')),
    criticality text NOT NULL CHECK (criticality IN ('critical', 'high', 'medium', 'low', 'informational')),
    address     text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    UNIQUE (client_id, id)
);
CREATE UNIQUE INDEX assets_name ON assets (client_id, lower(name));

SELECT audit.watch(name) FROM unnest(ARRAY['clients', 'client_access', 'assets']) name;
