-- Puts back what was there before: the functions as they were, and the mark.
DROP FUNCTION audit.record_archive(date, text, bytea, bytea, bigint);
DROP FUNCTION audit.month_root(text);
ALTER TABLE audit.archives DROP COLUMN root;
DROP TRIGGER note_loosening ON settings;
DROP FUNCTION audit.note_loosening();
ALTER TABLE settings DROP COLUMN retention_loosened_at;

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

CREATE FUNCTION audit.mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tyrian.audited', pg_current_xact_id()::text, true);
    RETURN NULL;
END $$;
CREATE TRIGGER mark AFTER INSERT ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.mark();

CREATE OR REPLACE FUNCTION audit.require_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('tyrian.audited', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'a change to % without its audit event', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
