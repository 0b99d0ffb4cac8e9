ALTER TABLE procedures DROP COLUMN cleanup_ids, DROP COLUMN step_ids, DROP COLUMN status_by_hand;
DROP FUNCTION procedure_steps_of(jsonb, text);
DELETE FROM drafts WHERE subject_type = 'form';
ALTER TABLE drafts
    DROP CONSTRAINT drafts_place_of_forms,
    DROP CONSTRAINT drafts_pkey,
    DROP COLUMN place,
    ADD PRIMARY KEY (person_id, subject_type, subject_id, tab),
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check CHECK (subject_type IN ('procedure', 'wizard', 'test_plan', 'approval'));
