-- A word together with a category, a client or a person is one question to one index: of two indexes PostgreSQL would
-- ask the one that it guesses to be better. What is not the word stands there as an expression, so that this index alone
-- answers it and no plan can turn to another.
CREATE EXTENSION IF NOT EXISTS btree_gin;
DROP INDEX audit.events_search;
CREATE INDEX events_search ON audit.events USING gin
    (search gin_trgm_ops, (category || ''), (client_id::text), (actor_id::text), (about_person::text))
    WITH (fastupdate = on);

-- What the search of the audit log finds beside words: the request of an error page, the thing that an event is about
-- whatever its kind, and a file by its SHA-256.
CREATE INDEX events_request ON audit.events (request_id) WHERE request_id IS NOT NULL;
DROP INDEX audit.events_subject;
CREATE INDEX events_subject ON audit.events (subject_id, at DESC, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX events_digest ON audit.events ((detail ->> 'sha256') text_pattern_ops)
    WHERE (detail ->> 'sha256') IS NOT NULL;

-- The placeholders of a procedure's commands and their defaults, beside the body: the engagement's page tells how many
-- have no value, and would read every body for it. `names` in src/library/placeholders.rs says the same of one text.
CREATE FUNCTION procedure_inputs_of(body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'names', coalesce((
            SELECT jsonb_agg(DISTINCT found[1])
            FROM jsonb_array_elements(body -> 'steps') step,
                unnest(ARRAY[step ->> 'description', step ->> 'check_command', step ->> 'command']) command,
                regexp_matches(command, '#\{([A-Za-z0-9_.-]{1,100})\}', 'g') found), '[]'),
        'defaults', coalesce((
            SELECT jsonb_object_agg(argument ->> 'name', argument ->> 'default')
            FROM jsonb_array_elements(body -> 'inputs') argument
            WHERE argument ->> 'name' IS NOT NULL AND argument ->> 'default' IS NOT NULL), '{}'))
$$;
ALTER TABLE procedures ADD COLUMN inputs jsonb NOT NULL GENERATED ALWAYS AS (procedure_inputs_of(body)) STORED;
