-- Clients and assets merge field by field like everything that two people may write.
ALTER TABLE field_history
    DROP CONSTRAINT field_history_subject_type_check,
    ADD CONSTRAINT field_history_subject_type_check
        CHECK (subject_type IN ('procedure', 'engagement', 'report', 'finding', 'repository', 'client', 'asset'));
