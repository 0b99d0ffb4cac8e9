-- A draft of any form is known by where it posts to; those of procedures, wizards and approvals by their thing.
ALTER TABLE drafts
    ADD COLUMN place text NOT NULL DEFAULT '' CHECK (octet_length(place) <= 400),
    DROP CONSTRAINT drafts_pkey,
    ADD PRIMARY KEY (person_id, subject_type, subject_id, place, tab),
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check
        CHECK (subject_type IN ('procedure', 'wizard', 'test_plan', 'approval', 'form')),
    ADD CONSTRAINT drafts_place_of_forms CHECK ((subject_type = 'form') = (place <> ''));

-- A status follows the work unless somebody chose it. Nobody chose one where nothing was done yet; all others that are
-- stored today count as chosen.
ALTER TABLE procedures ADD COLUMN status_by_hand boolean NOT NULL DEFAULT false;

-- The steps of a kind, beside the body, so that neither a status nor a turn reads it.
CREATE FUNCTION procedure_steps_of(body jsonb, kind text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(step ->> 'id'), '{}') FROM jsonb_array_elements(body -> 'steps') step
    WHERE step ->> 'kind' = $2
$$;
ALTER TABLE procedures
    ADD COLUMN step_ids text[] NOT NULL GENERATED ALWAYS AS (procedure_steps_of(body, 'step')) STORED,
    ADD COLUMN cleanup_ids text[] NOT NULL GENERATED ALWAYS AS (procedure_steps_of(body, 'cleanup')) STORED;

ALTER TABLE procedures DISABLE TRIGGER audited;
UPDATE procedures p SET status_by_hand = true
WHERE status <> 'not_started' OR red_outcome IS NOT NULL OR blue_outcome IS NOT NULL OR executed_at IS NOT NULL
    OR EXISTS (SELECT FROM step_ticks t WHERE t.procedure_id = p.id AND t.step_id = ANY (p.step_ids))
    OR EXISTS (SELECT FROM log_entries l WHERE l.procedure_id = p.id AND l.removed_at IS NULL);
ALTER TABLE procedures ENABLE TRIGGER audited;
