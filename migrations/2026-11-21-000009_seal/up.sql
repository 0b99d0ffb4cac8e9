-- Seals over the audit log, how long it is kept, and what stops its months from being dropped.
ALTER TABLE settings
    ADD COLUMN audit_days integer NOT NULL DEFAULT 120 CHECK (audit_days BETWEEN 120 AND 3660),
    ADD COLUMN legal_hold boolean NOT NULL DEFAULT false;

-- A seal closes a batch: the events with the numbers first_number to last_number, in the order of (transaction, id).
-- `through` is where the next batch begins in that order; it means something within one cluster alone.
CREATE TABLE audit.seals (
    number              bigint PRIMARY KEY CHECK (number > 0),
    first_number        bigint NOT NULL CHECK (first_number > 0),
    last_number         bigint NOT NULL CHECK (last_number >= first_number),
    root                bytea NOT NULL CHECK (octet_length(root) = 32),
    previous            bytea NOT NULL CHECK (octet_length(previous) = 32),
    at                  timestamptz NOT NULL,
    cluster             bigint NOT NULL,
    through_transaction bigint NOT NULL,
    through_id          bigint NOT NULL,
    public_key          bytea NOT NULL CHECK (octet_length(public_key) = 32),
    signature           bytea NOT NULL CHECK (octet_length(signature) = 64)
);
CREATE INDEX seals_last ON audit.seals (last_number);

-- The number of each sealed event and the leaf that it was in its batch. Partitioned and dropped with the events.
CREATE TABLE audit.sealed (
    at     timestamptz NOT NULL,
    id     bigint NOT NULL,
    number bigint NOT NULL,
    leaf   bytea NOT NULL CHECK (octet_length(leaf) = 32),
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX sealed_number ON audit.sealed (number);

-- Leaves of dropped events whose batch reaches into a month that is still here: its proofs need them.
CREATE TABLE audit.boundary_leaves (
    number bigint PRIMARY KEY,
    leaf   bytea NOT NULL CHECK (octet_length(leaf) = 32)
);

-- The sealer goes by transactions, not by time.
CREATE INDEX events_transaction ON audit.events (transaction_id, id);
-- Searches combine several words: the planner needs to know the rare ones.
ALTER TABLE audit.events ALTER COLUMN search SET STATISTICS 500;

CREATE FUNCTION audit.days() RETURNS integer LANGUAGE sql STABLE AS 'SELECT greatest(120, max(audit_days)) FROM public.settings';

CREATE OR REPLACE FUNCTION audit.floor() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT (date_trunc('month', audit.now() AT TIME ZONE 'UTC') - make_interval(days => audit.days())) AT TIME ZONE 'UTC'
$$;

CREATE OR REPLACE FUNCTION audit.make_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    month text := to_char(first, 'YYYY_MM');
    low timestamptz := first::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (first + interval '1 month')::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF first > (audit.now() AT TIME ZONE 'UTC')::date + 200 THEN
        RAISE EXCEPTION 'the month % lies too far ahead', first;
    END IF;
    IF to_regclass('audit.events_' || month) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.events_' || month) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.events FOR VALUES FROM (%L) TO (%L)', 'events_' || month, low, high);
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.sealed FOR VALUES FROM (%L) TO (%L)', 'sealed_' || month, low, high);
    RETURN true;
END $$;

-- Drops a month that lies wholly below the floor by the database's clock, that is sealed and whose archive is recorded.
CREATE OR REPLACE FUNCTION audit.drop_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    month text := to_char(first, 'YYYY_MM');
    found bigint;
    numbered bigint;
BEGIN
    IF (SELECT bool_or(legal_hold) FROM public.settings) THEN
        RAISE EXCEPTION 'a legal hold keeps every month';
    END IF;
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > audit.floor() THEN
        RAISE EXCEPTION 'the month % is still shown', first;
    END IF;
    IF NOT EXISTS (SELECT FROM audit.archives WHERE archives.month = first) THEN
        RAISE EXCEPTION 'the month % has no recorded archive', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.events_' || month) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT (SELECT count(*) FROM audit.%I), (SELECT count(*) FROM audit.%I)', 'events_' || month, 'sealed_' || month)
        INTO found, numbered;
    IF found <> numbered OR found <> (SELECT events FROM audit.archives WHERE archives.month = first) THEN
        RAISE EXCEPTION 'the month % has % events, of which % are sealed; its archive tells otherwise', first, found, numbered;
    END IF;
    EXECUTE format('DROP TABLE audit.%I, audit.%I', 'events_' || month, 'sealed_' || month);
    RETURN true;
END $$;

-- Records the archive of a month that is due: the app's role cannot write the table itself, so a row there always had as
-- many sealed events behind it as it tells of.
CREATE FUNCTION audit.record_archive(wanted date, file text, sha256 bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    month text := to_char(first, 'YYYY_MM');
    numbered bigint;
BEGIN
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > audit.floor() THEN
        RAISE EXCEPTION 'the month % is still shown', first;
    END IF;
    IF file <> 'events-' || to_char(first, 'YYYY-MM') || '.jsonl.zst' THEN
        RAISE EXCEPTION 'an archive of % has another name', first;
    END IF;
    EXECUTE format('SELECT count(*) FROM audit.%I', 'sealed_' || month) INTO numbered;
    INSERT INTO audit.archives (month, file_name, digest, events) VALUES (first, file, sha256, numbered) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS first, right(c.relname, 7) AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit.events'::regclass
    LOOP
        EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.sealed FOR VALUES FROM (%L) TO (%L)', 'sealed_' || made.month,
            made.first::timestamp AT TIME ZONE 'UTC', (made.first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    END LOOP;
END $$;
