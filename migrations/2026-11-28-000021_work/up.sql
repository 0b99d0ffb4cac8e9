-- A draft of any form is known by where it posts to; those of procedures, wizards and approvals by their thing.
ALTER TABLE drafts
    ADD COLUMN place text NOT NULL DEFAULT '' CHECK (octet_length(place) <= 400),
    DROP CONSTRAINT drafts_pkey,
    ADD PRIMARY KEY (person_id, subject_type, subject_id, place, tab),
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check
        CHECK (subject_type IN ('procedure', 'wizard', 'test_plan', 'approval', 'form')),
    ADD CONSTRAINT drafts_place_of_forms CHECK ((subject_type = 'form') = (place <> ''));
