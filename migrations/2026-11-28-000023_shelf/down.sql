ALTER TABLE field_history DISABLE TRIGGER audited;
DELETE FROM field_history WHERE subject_type = 'repository';
ALTER TABLE field_history ENABLE TRIGGER audited;
ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding'));

DROP TABLE attack_groups;

ALTER TABLE procedures DISABLE TRIGGER audited;
UPDATE procedures SET origin_id = NULL, origin_version = NULL
    WHERE origin_id IS NOT NULL AND NOT EXISTS (SELECT FROM library_procedures l WHERE l.id = origin_id);
ALTER TABLE procedures ENABLE TRIGGER audited;
ALTER TABLE procedures ADD CONSTRAINT procedures_origin_id_fkey FOREIGN KEY (origin_id) REFERENCES library_procedures;

ALTER TABLE library_procedures
    DROP COLUMN number,
    DROP COLUMN tags,
    DROP COLUMN executors,
    DROP COLUMN retired_at,
    DROP COLUMN identity,
    DROP COLUMN copied_from,
    DROP COLUMN copied_version,
    DROP COLUMN imported_version,
    DROP COLUMN edit_version,
    DROP COLUMN search,
    ADD COLUMN search text GENERATED ALWAYS AS (lower(name || ' ' || description)) STORED;
CREATE INDEX library_procedures_search ON library_procedures USING gin (search gin_trgm_ops);

DROP TABLE repository_people;
ALTER TABLE repositories DROP COLUMN prefix, DROP COLUMN next_number, DROP COLUMN created_by;
