ALTER TABLE job_runs DROP COLUMN left_over;
ALTER TABLE settings DROP COLUMN approval_rule;
DELETE FROM drafts WHERE subject_type = 'approval';
ALTER TABLE drafts
    DROP CONSTRAINT drafts_subject_type_check,
    ADD CONSTRAINT drafts_subject_type_check CHECK (subject_type IN ('procedure', 'wizard', 'test_plan'));
DELETE FROM field_history WHERE subject_type = 'finding';
ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check CHECK (subject_type IN ('procedure', 'engagement', 'report'));
DROP TABLE outcome_corrections, report_publications, report_moves, report_reviewers, notices;
ALTER TABLE reports DROP COLUMN executive_summary, DROP COLUMN approach, DROP COLUMN observations, DROP COLUMN conclusion;
DROP INDEX procedures_progress;
DROP INDEX engagements_pending;
ALTER TABLE engagements DROP COLUMN requested_by, DROP COLUMN requested_at;
