-- The history of clients and assets goes: the older state has no word for it.
ALTER TABLE field_history DISABLE TRIGGER audited;
DELETE FROM field_history WHERE subject_type IN ('client', 'asset');
ALTER TABLE field_history ENABLE TRIGGER audited;
ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding', 'repository'));
