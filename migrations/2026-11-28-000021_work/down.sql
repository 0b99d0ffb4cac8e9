DELETE FROM drafts WHERE subject_type = 'form';
ALTER TABLE drafts
    DROP CONSTRAINT drafts_place_of_forms,
    DROP CONSTRAINT drafts_pkey,
    DROP COLUMN place,
    ADD PRIMARY KEY (person_id, subject_type, subject_id, tab),
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check CHECK (subject_type IN ('procedure', 'wizard', 'test_plan', 'approval'));
