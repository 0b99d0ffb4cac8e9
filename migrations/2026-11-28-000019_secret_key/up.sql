-- Which secret key the database goes with: a fingerprint from which nobody can tell the key. One row, or none
-- before the first start.
CREATE TABLE secret_key (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    set_at      timestamptz NOT NULL
);
