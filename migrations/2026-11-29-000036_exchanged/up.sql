-- What a test plan or a methodology said when it came from another installation or left for one: what both sides
-- may know, and what the next import is compared with. Its subject may be gone since, so nothing refers to it.
CREATE TABLE exchanged_texts (
    subject_id uuid NOT NULL,
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    body       jsonb NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (subject_id, digest)
);

-- Of a methodology, as of a test plan: what the last import said, and what its file was written from.
ALTER TABLE terms
    ADD COLUMN written_from bytea CHECK (octet_length(written_from) = 32),
    ADD COLUMN imported_digest bytea CHECK (octet_length(imported_digest) = 32);
