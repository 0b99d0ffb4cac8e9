-- Methodologies, tactics and techniques of a team's own are terms of one kind of row. The short name of a technique is
-- the id that procedures name it by, so it never reads like one of ATT&CK's; that of a tactic is what lists filter by.
-- key is set where the binary knows the methodology; those rows, and all of ATT&CK's releases, are read-only.
ALTER TABLE methodologies RENAME TO terms;
ALTER TABLE terms RENAME CONSTRAINT methodologies_pkey TO terms_pkey;
ALTER TABLE terms RENAME CONSTRAINT methodologies_key_key TO terms_key_key;
ALTER TABLE terms
    ADD COLUMN kind text NOT NULL DEFAULT 'methodology' CHECK (kind IN ('methodology', 'tactic', 'technique')),
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    -- The order of a methodology's tactics.
    ADD COLUMN position integer NOT NULL DEFAULT 0,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN created_by uuid REFERENCES people,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT terms_name CHECK (name <> ''),
    ADD CONSTRAINT terms_tactic CHECK (kind <> 'tactic' OR short_name ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    ADD CONSTRAINT terms_technique CHECK (kind <> 'technique' OR short_name ~ '^[A-Z0-9]+([-_.][A-Z0-9]+)*$'
        AND short_name !~ '^TA?[0-9]{4}(\.[0-9]+)?$');
CREATE UNIQUE INDEX terms_short_name ON terms (kind, lower(short_name));
CREATE INDEX terms_tags ON terms USING gin (tags);

-- The methodologies of a tactic, the tactics of a technique.
CREATE TABLE term_parents (
    term_id     uuid NOT NULL REFERENCES terms ON DELETE CASCADE,
    parent_id   uuid NOT NULL REFERENCES terms,
    PRIMARY KEY (term_id, parent_id)
);
CREATE INDEX term_parents_parent ON term_parents (parent_id);

-- The tactics of techniques: of each ATT&CK technique as the newest release that has it says, one that a release
-- revoked keeping its tactic; then those of one's own. In the order of the matrix.
CREATE FUNCTION tactics_of(technique_ids text[]) RETURNS TABLE (key text, name text, place integer)
LANGUAGE sql STABLE AS $$
    SELECT min(t.key), t.name, min(t.place) FROM (
        SELECT ta.short_name AS key, ta.name, ta.position AS place
        FROM unnest(technique_ids) named (technique)
        CROSS JOIN LATERAL (SELECT te.version, te.tactics FROM attack_versions v
            JOIN techniques te ON te.version = v.version AND te.external_id = named.technique
            ORDER BY v.rank DESC LIMIT 1) known
        JOIN tactics ta ON ta.version = known.version AND ta.short_name = ANY (known.tactics)
        UNION ALL
        SELECT tactic.short_name, tactic.name COLLATE "default", 1000 + tactic.position
        FROM terms technique
        JOIN term_parents p ON p.term_id = technique.id
        JOIN terms tactic ON tactic.id = p.parent_id
        WHERE technique.kind = 'technique' AND technique.short_name = ANY (technique_ids)
    ) t GROUP BY t.name ORDER BY 3, 2
$$;

-- What a plan said at each save, and which version each of its procedures had then. Written once.
CREATE TABLE test_plan_versions (
    test_plan_id    uuid NOT NULL REFERENCES test_plans,
    n               integer NOT NULL,
    body            jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      uuid REFERENCES people,
    PRIMARY KEY (test_plan_id, n)
);
INSERT INTO test_plan_versions
SELECT t.id, t.version, jsonb_build_object('title', t.title, 'description', t.description, 'tags', to_jsonb(t.tags),
        'procedures', coalesce((SELECT jsonb_agg(jsonb_build_object('id', p.id, 'version', p.current_version, 'name',
            p.name) ORDER BY tp.position) FROM test_plan_procedures tp JOIN library_procedures p
            ON p.id = tp.procedure_id WHERE tp.test_plan_id = t.id), '[]')),
    t.updated_at, CASE WHEN t.version = 1 THEN t.created_by END
FROM test_plans t;
CREATE INDEX test_plans_tags ON test_plans USING gin (tags);

-- The version of the plan that an engagement was made from; none where that is not known.
ALTER TABLE engagements ADD COLUMN test_plan_version integer;
CREATE INDEX engagements_plan ON engagements (test_plan_id) WHERE test_plan_id IS NOT NULL;

ALTER TABLE assets ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
ALTER TABLE reports ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
ALTER TABLE findings ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
CREATE INDEX assets_tags ON assets USING gin (tags);
CREATE INDEX reports_tags ON reports USING gin (tags);
CREATE INDEX findings_tags ON findings USING gin (tags);

ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding', 'repository', 'client', 'asset', 'term'));

SELECT audit.watch(name) FROM unnest(ARRAY['term_parents', 'test_plan_versions']) name;
