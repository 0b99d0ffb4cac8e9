-- The audit log comes first: every later table hangs its constraint trigger on it.
-- Append-only data cannot be rewritten, so the table has its final columns from here on.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA audit;

-- The clock of every event. Only the owner can replace it, as tests do.
CREATE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT clock_timestamp()';

CREATE SEQUENCE audit.event_order AS bigint;

CREATE TABLE audit.events (
    at              timestamptz NOT NULL DEFAULT audit.now(),
    id              bigint      NOT NULL DEFAULT nextval('audit.event_order'),
    transaction_id  xid8        NOT NULL DEFAULT pg_current_xact_id(),
    kind            text        NOT NULL,
    category        text        NOT NULL,
    outcome         text        NOT NULL CHECK (outcome IN ('success', 'failure')),
    reason          text,
    actor_kind      text        NOT NULL CHECK (actor_kind IN ('person', 'system', 'command', 'anonymous')),
    actor_id        uuid,
    actor_name      text        NOT NULL,
    actor_email     text,
    on_behalf_of    uuid,
    subject_type    text,
    subject_id      uuid,
    subject_label   text,
    about_person    uuid,
    client_id       uuid,
    engagement_id   uuid,
    address         text,
    user_agent      text,
    request_id      uuid,
    sentence        text        NOT NULL,
    detail          jsonb       NOT NULL DEFAULT '{}',
    search_values   text        NOT NULL DEFAULT '',
    search          text        GENERATED ALWAYS AS (lower(
                        sentence || ' ' || actor_name || ' ' || coalesce(actor_email, '') || ' '
                        || coalesce(address, '') || ' ' || search_values)) STORED,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE INDEX events_search ON audit.events USING gin (search gin_trgm_ops) WITH (fastupdate = on);
CREATE INDEX events_engagement ON audit.events (engagement_id, at DESC, id DESC) WHERE engagement_id IS NOT NULL;
CREATE INDEX events_client ON audit.events (client_id, at DESC, id DESC) WHERE client_id IS NOT NULL;
CREATE INDEX events_subject ON audit.events (subject_type, subject_id, at DESC, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX events_actor ON audit.events (actor_id, at DESC, id DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX events_about ON audit.events (about_person, at DESC, id DESC) WHERE about_person IS NOT NULL;
CREATE INDEX events_category ON audit.events (category, at DESC, id DESC);
CREATE INDEX events_order ON audit.events (id);

-- What was archived before its month was dropped.
CREATE TABLE audit.archives (
    month       date PRIMARY KEY,
    file_name   text NOT NULL,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    events      bigint NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The oldest instant still shown: the first of this month minus 120 days, in UTC.
CREATE FUNCTION audit.floor() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT (date_trunc('month', audit.now() AT TIME ZONE 'UTC') - interval '120 days') AT TIME ZONE 'UTC'
$$;

-- Makes the partition of one UTC month, once. Only this function can, since the app's role owns nothing.
CREATE FUNCTION audit.make_month(wanted date) RETURNS boolean
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

-- Drops a month that lies wholly below the floor by the database's clock and whose archive is recorded.
CREATE FUNCTION audit.drop_month(wanted date) RETURNS boolean
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

-- An event marks its transaction as audited; the constraint trigger of every audited table asks for the mark at
-- commit. The mark is the transaction's own id, so that a value left behind in the session proves nothing.
CREATE FUNCTION audit.mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tyrian.audited', pg_current_xact_id()::text, true);
    RETURN NULL;
END $$;
CREATE TRIGGER mark AFTER INSERT ON audit.events FOR EACH ROW EXECUTE FUNCTION audit.mark();

CREATE FUNCTION audit.require_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('tyrian.audited', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'a change to % without its audit event', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

-- audit.watch('clients') makes a table refuse, at commit, any change that came without an event.
CREATE FUNCTION audit.watch(watched text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON %I
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event()', watched);
END $$;

SELECT audit.make_month(((audit.now() AT TIME ZONE 'UTC')::date + make_interval(months => n))::date) FROM generate_series(0, 3) n;
