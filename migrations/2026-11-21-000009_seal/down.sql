CREATE OR REPLACE FUNCTION audit.floor() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT (date_trunc('month', audit.now() AT TIME ZONE 'UTC') - interval '120 days') AT TIME ZONE 'UTC'
$$;

CREATE OR REPLACE FUNCTION audit.make_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    partition text := 'events_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first > (audit.now() AT TIME ZONE 'UTC')::date + 200 THEN
        RAISE EXCEPTION 'the month % lies too far ahead', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.' || partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.events FOR VALUES FROM (%L) TO (%L)',
        partition, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION audit.drop_month(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    partition text := 'events_' || to_char(first, 'YYYY_MM');
BEGIN
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > audit.floor() THEN
        RAISE EXCEPTION 'the month % is still shown', first;
    END IF;
    IF NOT EXISTS (SELECT FROM audit.archives WHERE month = first) THEN
        RAISE EXCEPTION 'the month % has no recorded archive', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tyrian.audit.months'));
    IF to_regclass('audit.' || partition) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE audit.%I', partition);
    RETURN true;
END $$;

DROP FUNCTION audit.record_archive(date, text, bytea);
DROP FUNCTION audit.days();
ALTER TABLE audit.events ALTER COLUMN search SET STATISTICS -1;
DROP INDEX audit.events_transaction;
DROP TABLE audit.boundary_leaves, audit.sealed, audit.seals;
ALTER TABLE settings DROP COLUMN audit_days, DROP COLUMN legal_hold;
