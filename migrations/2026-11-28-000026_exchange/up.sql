-- What travels with a procedure between installations: where it was first taken from, with its licence, and the
-- digest that the archive named as known to both sides when it was last read.
ALTER TABLE library_procedures
    ADD COLUMN origin text NOT NULL DEFAULT '',
    ADD COLUMN written_from bytea CHECK (octet_length(written_from) = 32);

-- The same of a test plan, and the digest of what the last import wrote: a plan keeps no versions to compare with.
ALTER TABLE test_plans
    ADD COLUMN written_from bytea CHECK (octet_length(written_from) = 32),
    ADD COLUMN imported_digest bytea CHECK (octet_length(imported_digest) = 32);
