ALTER TABLE field_history DISABLE TRIGGER audited;
DELETE FROM field_history WHERE subject_type = 'term';
ALTER TABLE field_history ENABLE TRIGGER audited;
ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding', 'repository', 'client', 'asset'));

ALTER TABLE findings DROP COLUMN tags;
ALTER TABLE reports DROP COLUMN tags;
ALTER TABLE assets DROP COLUMN tags;

DROP INDEX engagements_plan;
ALTER TABLE engagements DROP COLUMN test_plan_version;
DROP INDEX test_plans_tags;
DROP TABLE test_plan_versions;

DROP FUNCTION tactics_of(text[]);
DROP TABLE term_parents;
DROP INDEX terms_tags;
DROP INDEX terms_short_name;
ALTER TABLE terms DISABLE TRIGGER audited;
DELETE FROM terms WHERE kind <> 'methodology';
ALTER TABLE terms ENABLE TRIGGER audited;
ALTER TABLE terms
    DROP CONSTRAINT terms_technique,
    DROP CONSTRAINT terms_tactic,
    DROP CONSTRAINT terms_name,
    DROP COLUMN version,
    DROP COLUMN created_by,
    DROP COLUMN created_at,
    DROP COLUMN position,
    DROP COLUMN tags,
    DROP COLUMN kind;
ALTER TABLE terms RENAME CONSTRAINT terms_key_key TO methodologies_key_key;
ALTER TABLE terms RENAME CONSTRAINT terms_pkey TO methodologies_pkey;
ALTER TABLE terms RENAME TO methodologies;
