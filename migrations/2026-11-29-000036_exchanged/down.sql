ALTER TABLE terms DROP COLUMN imported_digest, DROP COLUMN written_from;
DROP TABLE exchanged_texts;
