ALTER TABLE library_procedures DROP COLUMN search;
ALTER TABLE library_procedures ALTER COLUMN name TYPE text COLLATE "default";
ALTER TABLE library_procedures ADD COLUMN search text GENERATED ALWAYS AS (lower(name || ' ' || description)) STORED;
CREATE INDEX library_procedures_search ON library_procedures USING gin (search gin_trgm_ops);
ALTER TABLE reports ALTER COLUMN title TYPE text COLLATE "default";
ALTER TABLE engagements ALTER COLUMN title TYPE text COLLATE "default";
ALTER TABLE test_plans ALTER COLUMN title TYPE text COLLATE "default";
ALTER TABLE repositories ALTER COLUMN name TYPE text COLLATE "default";
ALTER TABLE methodologies ALTER COLUMN name TYPE text COLLATE "default";
ALTER TABLE assets ALTER COLUMN name TYPE text COLLATE "default";
ALTER TABLE clients ALTER COLUMN name TYPE text COLLATE "default";
ALTER TABLE roles ALTER COLUMN name TYPE text COLLATE "default";
-- The trigger that wants an event names the column: it steps aside.
DO $$
DECLARE
    definition text;
BEGIN
    SELECT pg_get_triggerdef(oid) INTO STRICT definition
        FROM pg_trigger WHERE tgrelid = 'people'::regclass AND tgname = 'audited';
    DROP TRIGGER audited ON people;
    ALTER TABLE people ALTER COLUMN name TYPE text COLLATE "default";
    EXECUTE definition;
END $$;
DROP COLLATION names;
