-- What the app's own role can do is what the README says of it. It may not become the owner through a function of the
-- owner's, change an audited table without an event, or make months of the log go before they are archived.

-- A function that runs as its owner names pg_temp last: unnamed, it is searched first for types and tables, and whoever
-- may make temporary objects decides what `text` means. Its types are qualified all the same. Time zone and date style
-- are fixed, because bounds are written as text and read back.
CREATE OR REPLACE FUNCTION audit.make_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
    first pg_catalog.date := date_trunc('month', wanted)::pg_catalog.date;
    suffix pg_catalog.text := to_char(first, 'YYYY_MM');
    low pg_catalog.timestamptz := first::timestamp AT TIME ZONE 'UTC';
    high pg_catalog.timestamptz := (first + interval '1 month')::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF first > (audit.now() AT TIME ZONE 'UTC')::pg_catalog.date + 200 THEN
        RAISE EXCEPTION 'the month % lies too far ahead', first;
    END IF;
    IF to_regclass('audit.events_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.events_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.events FOR VALUES FROM (%L) TO (%L)', 'events_' || suffix, low, high);
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.sealed FOR VALUES FROM (%L) TO (%L)', 'sealed_' || suffix, low, high);
    RETURN true;
END $$;

-- The constraint trigger of every audited table asks, for each changed row, whether an event of this transaction stands in
-- the log. It used to ask for a mark in a setting of the session, which any role may set. The first question names a day,
-- and is planned for that day: with ten years of months it then costs and locks no more than with one. The second is
-- for an event whose time the owner named.
CREATE OR REPLACE FUNCTION audit.require_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    since pg_catalog.timestamptz := audit.now() - interval '1 day';
BEGIN
    IF NOT EXISTS (SELECT FROM audit.events WHERE transaction_id = pg_current_xact_id() AND at >= since) THEN
        IF NOT EXISTS (SELECT FROM audit.events WHERE transaction_id = pg_current_xact_id()) THEN
            RAISE EXCEPTION 'a change to % without its audit event', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER mark ON audit.events;
DROP FUNCTION audit.mark();

-- When the period of the log was last shortened, or its legal hold lifted: nothing is dropped in the hour after.
ALTER TABLE settings ADD COLUMN retention_loosened_at timestamptz;
CREATE FUNCTION audit.note_loosening() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.retention_loosened_at := CASE
        WHEN NEW.audit_days < OLD.audit_days OR (OLD.legal_hold AND NOT NEW.legal_hold) THEN audit.now()
        ELSE OLD.retention_loosened_at
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER note_loosening BEFORE UPDATE ON settings FOR EACH ROW EXECUTE FUNCTION audit.note_loosening();

-- Root of the Merkle tree over the leaves of the month's events, in the order of their numbers. Archives recorded by
-- earlier versions have none until they are read again.
ALTER TABLE audit.archives ADD COLUMN root bytea CHECK (octet_length(root) = 32);

-- The tree is that of RFC 9162, section 2.1, built from the left: `peaks` holds the roots of its complete subtrees, one
-- for each bit of the number of leaves.
CREATE FUNCTION audit.month_root(suffix text, OUT root bytea, OUT events bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    peaks pg_catalog.bytea[] := '{}';
    node pg_catalog.bytea;
    complete bigint;
BEGIN
    events := 0;
    FOR node IN EXECUTE format('SELECT leaf FROM audit.%I ORDER BY number', 'sealed_' || suffix) LOOP
        complete := events;
        WHILE complete % 2 = 1 LOOP
            node := sha256('\x01'::pg_catalog.bytea || peaks[cardinality(peaks)] || node);
            peaks := trim_array(peaks, 1);
            complete := complete / 2;
        END LOOP;
        peaks := peaks || node;
        events := events + 1;
    END LOOP;
    IF events = 0 THEN
        root := sha256(''::pg_catalog.bytea);
        RETURN;
    END IF;
    root := peaks[cardinality(peaks)];
    FOR place IN REVERSE cardinality(peaks) - 1 .. 1 LOOP
        root := sha256('\x01'::pg_catalog.bytea || peaks[place] || root);
    END LOOP;
END $$;

DROP FUNCTION audit.record_archive(date, text, bytea);

-- Records the archive of a month that is due. `read_root` and `read_events` are what the file gave when it was read back:
-- they must be what the month's leaves give here.
CREATE FUNCTION audit.record_archive(wanted date, file text, sha256 bytea, read_root bytea, read_events bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
    first pg_catalog.date := date_trunc('month', wanted)::pg_catalog.date;
    sealed_root pg_catalog.bytea;
    sealed_events bigint;
BEGIN
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > audit.floor() THEN
        RAISE EXCEPTION 'the month % is still shown', first;
    END IF;
    IF file <> 'events-' || to_char(first, 'YYYY-MM') || '.jsonl.zst' THEN
        RAISE EXCEPTION 'an archive of % has another name', first;
    END IF;
    SELECT m.root, m.events INTO sealed_root, sealed_events FROM audit.month_root(to_char(first, 'YYYY_MM')) m;
    IF sealed_events IS DISTINCT FROM read_events OR sealed_root IS DISTINCT FROM read_root THEN
        RAISE EXCEPTION 'the archive of % does not hold what was sealed', first;
    END IF;
    INSERT INTO audit.archives AS a (month, file_name, digest, events, root)
        VALUES (first, file, sha256, sealed_events, sealed_root)
        ON CONFLICT (month) DO UPDATE SET root = excluded.root
            WHERE a.root IS NULL AND a.digest = excluded.digest AND a.events = excluded.events;
    RETURN FOUND;
END $$;

-- Drops a month that lies wholly below the floor by the database's clock, that is sealed and whose archive was compared
-- with its seals; never under a legal hold, nor within the hour after one was lifted or the period shortened.
CREATE OR REPLACE FUNCTION audit.drop_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
    first pg_catalog.date := date_trunc('month', wanted)::pg_catalog.date;
    suffix pg_catalog.text := to_char(first, 'YYYY_MM');
    found bigint;
    numbered bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM public.settings WHERE NOT legal_hold) THEN
        RAISE EXCEPTION 'a legal hold keeps every month';
    END IF;
    IF EXISTS (SELECT FROM public.settings WHERE retention_loosened_at > audit.now() - interval '1 hour') THEN
        RAISE EXCEPTION 'the period was shortened or a legal hold lifted less than an hour ago';
    END IF;
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > audit.floor() THEN
        RAISE EXCEPTION 'the month % is still shown', first;
    END IF;
    IF NOT EXISTS (SELECT FROM audit.archives WHERE month = first AND root IS NOT NULL) THEN
        RAISE EXCEPTION 'the month % has no recorded archive', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.events_' || suffix) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT (SELECT count(*) FROM audit.%I), (SELECT count(*) FROM audit.%I)', 'events_' || suffix, 'sealed_' || suffix)
        INTO found, numbered;
    IF found <> numbered OR found <> (SELECT events FROM audit.archives WHERE month = first) THEN
        RAISE EXCEPTION 'the month % has % events, of which % are sealed; its archive tells otherwise', first, found, numbered;
    END IF;
    EXECUTE format('DROP TABLE audit.%I, audit.%I', 'events_' || suffix, 'sealed_' || suffix);
    RETURN true;
END $$;
