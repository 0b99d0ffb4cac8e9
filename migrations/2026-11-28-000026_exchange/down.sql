ALTER TABLE test_plans DROP COLUMN imported_digest, DROP COLUMN written_from;
ALTER TABLE library_procedures DROP COLUMN written_from, DROP COLUMN origin;
