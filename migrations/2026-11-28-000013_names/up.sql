-- One order of names everywhere, as people expect it and the same on every server, whatever locale the cluster was made
-- with: letters before case and accents, and numbers by their value. It belongs to the columns, so that every list, page
-- and index of them has it.
CREATE COLLATION names (provider = icu, locale = 'und-u-kn-true');
-- The trigger that wants an event names the column: it steps aside.
DO $$
DECLARE
    definition text;
BEGIN
    SELECT pg_get_triggerdef(oid) INTO STRICT definition
        FROM pg_trigger WHERE tgrelid = 'people'::regclass AND tgname = 'audited';
    DROP TRIGGER audited ON people;
    ALTER TABLE people ALTER COLUMN name TYPE text COLLATE names;
    EXECUTE definition;
END $$;
ALTER TABLE roles ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE clients ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE assets ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE methodologies ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE repositories ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE test_plans ALTER COLUMN title TYPE text COLLATE names;
ALTER TABLE engagements ALTER COLUMN title TYPE text COLLATE names;
ALTER TABLE reports ALTER COLUMN title TYPE text COLLATE names;
-- A column that others are made of cannot change: the one that is searched is made anew.
ALTER TABLE library_procedures DROP COLUMN search;
ALTER TABLE library_procedures ALTER COLUMN name TYPE text COLLATE names;
ALTER TABLE library_procedures
    ADD COLUMN search text COLLATE "default" GENERATED ALWAYS AS (lower((name || ' ' || description) COLLATE "default")) STORED;
CREATE INDEX library_procedures_search ON library_procedures USING gin (search gin_trgm_ops);
