-- A team's own repositories. Prefix and number make the id of a procedure (HLF-12); a number is never used again.
ALTER TABLE repositories
    ADD COLUMN prefix text,
    ADD COLUMN next_number integer NOT NULL DEFAULT 1,
    ADD COLUMN created_by uuid REFERENCES people;

-- Who may see a private repository (viewers), and who may write in a managed or private one (editors).
CREATE TABLE repository_people (
    repository_id   uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    person_id       uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    may_edit        boolean NOT NULL,
    PRIMARY KEY (repository_id, person_id)
);
CREATE INDEX repository_people_person ON repository_people (person_id);

-- identity is the procedure's id in archives; source_key is the key under which an importer finds it again.
-- imported_version is what the last import wrote: equal to current_version, nobody has touched it here.
-- version counts imports and saves as readers see them; edit_version is the merge's.
ALTER TABLE library_procedures
    ALTER COLUMN search DROP EXPRESSION,
    ADD COLUMN number integer,
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN executors text[] NOT NULL DEFAULT '{}',
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN identity uuid,
    ADD COLUMN copied_from uuid REFERENCES library_procedures ON DELETE SET NULL,
    ADD COLUMN copied_version integer,
    ADD COLUMN imported_version integer,
    ADD COLUMN edit_version integer NOT NULL DEFAULT 1;

ALTER TABLE repositories DISABLE TRIGGER audited;
ALTER TABLE library_procedures DISABLE TRIGGER audited;

-- The repositories that are there get the prefix that they are known by, or the first letters of their name; two of
-- the same letters are told apart by a number at their end.
UPDATE repositories SET prefix = CASE key WHEN 'starter' THEN 'START' WHEN 'atomic-red-team' THEN 'ATOMIC' END
    WHERE key IN ('starter', 'atomic-red-team');
WITH named AS (
    SELECT id, rpad(left(regexp_replace(upper(name), '[^A-Z0-9]', '', 'g'), 5), 3, 'X') AS letters,
        row_number() OVER (ORDER BY created_at, id) AS place
    FROM repositories WHERE prefix IS NULL
), counted AS (
    SELECT id, letters, place, row_number() OVER (PARTITION BY letters ORDER BY place) AS again FROM named
)
UPDATE repositories r SET prefix = CASE
        WHEN c.again = 1 AND NOT EXISTS (SELECT FROM repositories o WHERE o.prefix = c.letters) THEN c.letters
        ELSE c.letters || lpad(c.place::text, 3, '0')
    END
    FROM counted c WHERE c.id = r.id;

-- In the order in which they came, so that every installation with the same history has the same ids.
WITH numbered AS (
    SELECT id, row_number() OVER (PARTITION BY repository_id ORDER BY created_at, source_key) AS number
    FROM library_procedures
)
UPDATE library_procedures p SET
        number = n.number,
        identity = p.id,
        imported_version = p.current_version,
        executors = ARRAY(SELECT DISTINCT step ->> 'executor' FROM jsonb_array_elements(v.body -> 'steps') step
            WHERE step ->> 'executor' <> '' ORDER BY 1),
        search = lower(r.prefix || '-' || n.number || E'\n' || p.name || E'\n' || p.description || E'\n'
            || coalesce((SELECT string_agg(E'\n' || concat_ws(E'\n', step ->> 'check_command', step ->> 'command'), ''
                ORDER BY place) FROM jsonb_array_elements(v.body -> 'steps') WITH ORDINALITY s (step, place)), ''))
    FROM numbered n, repositories r, library_procedure_versions v
    WHERE n.id = p.id AND r.id = p.repository_id AND v.procedure_id = p.id AND v.n = p.current_version;
UPDATE repositories r SET next_number = 1 + (SELECT count(*) FROM library_procedures p WHERE p.repository_id = r.id);

ALTER TABLE library_procedures ENABLE TRIGGER audited;
ALTER TABLE repositories ENABLE TRIGGER audited;

ALTER TABLE repositories
    ALTER COLUMN prefix SET NOT NULL,
    ADD CONSTRAINT repositories_prefix_key UNIQUE (prefix),
    ADD CONSTRAINT repositories_prefix_check CHECK (prefix ~ '^[A-Z0-9]{3,8}$');
ALTER TABLE library_procedures
    ALTER COLUMN search SET DEFAULT '',
    ALTER COLUMN search SET NOT NULL,
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN identity SET NOT NULL,
    ADD CONSTRAINT library_procedures_number UNIQUE (repository_id, number),
    ADD CONSTRAINT library_procedures_identity UNIQUE (repository_id, identity);
CREATE INDEX library_procedures_tags ON library_procedures USING gin (tags);
CREATE INDEX library_procedures_executors ON library_procedures USING gin (executors);
CREATE INDEX library_procedures_copies ON library_procedures (copied_from);

-- An engagement keeps its copy, and the id of what it was copied from, when the library deletes that.
ALTER TABLE procedures DROP CONSTRAINT procedures_origin_id_fkey;

-- Groups of a release: what a procedure emulates.
CREATE TABLE attack_groups (
    version     text NOT NULL REFERENCES attack_versions,
    external_id text NOT NULL,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    url         text NOT NULL DEFAULT '',
    PRIMARY KEY (version, external_id)
);

ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding', 'repository'));

SELECT audit.watch(name) FROM unnest(ARRAY['repository_people', 'attack_groups']) name;
