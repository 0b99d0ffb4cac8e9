-- Labels that were told apart stay so.
CREATE OR REPLACE FUNCTION procedure_inputs_of(body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
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
ALTER TABLE procedures DROP COLUMN inputs;
ALTER TABLE procedures ADD COLUMN inputs jsonb NOT NULL GENERATED ALWAYS AS (procedure_inputs_of(body)) STORED;
DROP INDEX outcomes_label;
DROP FUNCTION label_key(text);
