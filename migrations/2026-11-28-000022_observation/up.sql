-- How long after its execution what blue has not seen, or only recorded, stays provisional, in minutes.
ALTER TABLE engagements
    ADD COLUMN observation_window text NOT NULL DEFAULT '0' CHECK (observation_window IN ('0', '15', '60', '1440'));

-- When blue's answer was recorded, or looked at again. What the engagement's activity no longer tells is unknown, and
-- then nothing is provisional.
ALTER TABLE procedures ADD COLUMN blue_answered_at timestamptz;
ALTER TABLE procedures DISABLE TRIGGER audited;
UPDATE procedures p SET blue_answered_at = (
    SELECT max(h.at) FROM field_history h
    WHERE h.subject_type = 'procedure' AND h.subject_id = p.id AND h.field = 'blue_outcome')
WHERE p.blue_outcome IS NOT NULL;
ALTER TABLE procedures ENABLE TRIGGER audited;

-- The prerequisites beside the body, as the steps of the other kinds are.
ALTER TABLE procedures
    ADD COLUMN prerequisite_ids text[] NOT NULL
        GENERATED ALWAYS AS (procedure_steps_of(body, 'prerequisite')) STORED;
