//! The ways in which somebody with more rights than the app can tamper with the log, each by its name and
//! with the sentence that `tyrian audit verify` has for it; and what looks like one of them and is none.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::audit::proof::seal::{Kept, KeyFiles};
use tyrian::audit::proof::sealer::Sealer;
use tyrian::audit::proof::store::definitions;
use tyrian::audit::proof::store::seal::Turn;
use tyrian::audit::proof::store::verify::Against;
use tyrian::audit::proof::verify::{Report, Wrong};
use tyrian::kernel::db::embedded::APP;
use tyrian::kernel::db::migrate::{Roles, migrate};
use tyrian::kernel::db::{Db, PoolSize};
use tyrian::kernel::event::domain::{Actor, Event, Kind};

use crate::harness::database::{TestDatabase, cluster};
use crate::harness::{TestApp, process, verified};

fn write(app: &TestApp, count: usize) {
    for n in 0..count {
        let event = Event::new(Kind::ClientUpdated, format!("Changed the client number {n}"))
            .subject("client", app.clients.own.0, format!("Number {n}"))
            .detail(serde_json::json!({ "n": n }));
        app.db.write_blocking(&Actor::command(), |tx| tx.audited((), event)).unwrap();
    }
}

/// A log of four seals, the last three of four events each, that holds.
fn log() -> TestApp {
    let app = TestApp::spawn();
    app.seal();
    for _ in 0..3 {
        write(&app, 4);
        app.seal();
    }
    assert_eq!(odd(&app.verify().unwrap()), [""; 0]);
    app
}

/// What it notes, but for events of the template that are older than a day.
fn odd(report: &Report) -> Vec<&str> {
    report
        .notes
        .iter()
        .map(String::as_str)
        .filter(|note| !note.contains("after the oldest of its events"))
        .collect()
}

/// Seals everything, also what no transaction of this cluster wrote.
fn seal_all(app: &TestApp) {
    for _ in 0..600 {
        app.sealer().seal_all().unwrap();
        let left = "SELECT (SELECT count(*) FROM audit.events) - (SELECT count(*) FROM audit.sealed)";
        if app.count(left) == 0 {
            return;
        }
        app.superuser().batch_execute("SELECT pg_sleep(0.05)").unwrap();
    }
    panic!("events stay unsealed");
}

fn files(app: &TestApp) -> KeyFiles {
    KeyFiles::of(&app.app.config)
}

/// The number of the event that is `back` before the last one.
fn number(back: i64) -> String {
    format!("(SELECT max(number) - {back} FROM audit.sealed)")
}

/// That it is this event.
fn event(back: i64) -> String {
    format!("(at, id) = (SELECT at, id FROM audit.sealed WHERE number = {})", number(back))
}

const COLUMNS: &str = "kind, category, outcome, actor_kind, actor_name, sentence, detail, search_values";

/// Another event like one of the last, with these values of `at, id, transaction_id`.
fn copy(place: &str) -> String {
    format!(
        "INSERT INTO audit.events (at, id, transaction_id, {COLUMNS}) SELECT {place}, {COLUMNS} FROM \
            audit.events \
            WHERE {}",
        event(2)
    )
}

/// Whoever owns the cluster does this.
fn superuser(app: &TestApp, sql: &str) {
    app.superuser().batch_execute(&format!("BEGIN; {sql}; COMMIT")).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// Does it to a log that holds: the first fault is of this kind, and one of the sentences says this.
fn named(wrong: Wrong, sentence: &str, tamper: impl FnOnce(&TestApp)) {
    let app = log();
    tamper(&app);
    let said = app.verify().expect_err("not found out");
    println!("{said}");
    assert!(said.starts_with(&format!("{wrong:?}: ")), "{said}");
    assert!(said.contains(sentence), "{said}");
}

macro_rules! ways {
    ($($name:ident, $wrong:ident, $sentence:literal, $tamper:expr;)+) => {
        $(#[test] fn $name() { named(Wrong::$wrong, $sentence, $tamper) })+
    };
}

/// What verification compares with is what the migrations make; TYRIAN_UPDATE_DEFINITIONS=1 writes it anew.
#[test]
fn the_definitions_are_those_of_a_fresh_database() {
    let app = TestApp::spawn_empty();
    let found = definitions::written(&definitions::list(&mut app.as_app()).unwrap());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/audit/proof/store/definitions.txt");
    if std::env::var_os("TYRIAN_UPDATE_DEFINITIONS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        found == kept,
        "functions, triggers or columns changed: TYRIAN_UPDATE_DEFINITIONS=1 cargo nextest run --test it \
            the_definitions_are writes src/audit/proof/store/definitions.txt anew; read its diff"
    );
}

// What was done to events and their numbers.
ways! {
    an_event_is_changed, Changed, ", was changed after it was sealed.", |app| {
        superuser(app, &format!("UPDATE audit.events SET sentence = 'Nothing' WHERE {}", event(2)));
    };
    an_event_and_its_leaf_are_changed, Changed, ", was changed after it was sealed.", |app| {
        superuser(app, &format!("UPDATE audit.events SET sentence = 'Nothing' WHERE {}; \
            UPDATE audit.sealed SET leaf = sha256('x') WHERE number = {}", event(2), number(2)));
    };
    details_are_swapped, Changed, ", was changed after it was sealed.", |app| {
        superuser(app, &format!("UPDATE audit.events e SET detail = o.detail FROM audit.events o \
            WHERE (e.at, e.id) IN (SELECT at, id FROM audit.sealed WHERE number = {}) \
            AND (o.at, o.id) IN (SELECT at, id FROM audit.sealed WHERE number = {})", number(2), number(1)));
    };
    an_event_with_an_id_below_one, SlippedIn, "the database gives no such id.", |app| {
        superuser(app, &copy("audit.now() - interval '4 minutes', -6, pg_current_xact_id()"));
    };
    an_event_with_an_id_below_one_is_sealed, SlippedIn, "the database gives no such id.", |app| {
        superuser(app, &copy("audit.now() - interval '4 minutes', -6, pg_current_xact_id()"));
        app.seal();
    };
    an_event_is_removed, Removed, ", was removed after it was sealed.", |app| {
        superuser(app, &format!("DELETE FROM audit.events WHERE {}", event(2)));
    };
    an_event_is_removed_with_its_number, Removed, "was removed, and its number with it.", |app| {
        superuser(app, &format!("DELETE FROM audit.events WHERE {}; DELETE FROM audit.sealed WHERE number \
            = {}",
            event(2), number(2)));
    };
    a_number_is_removed, SlippedIn, "it has no number, and everything up to its transaction was \
        sealed.", |app| {
        superuser(app, &format!("DELETE FROM audit.sealed WHERE number = {}", number(2)));
    };
    an_event_is_slipped_in, SlippedIn, "it has no number, and everything up to its transaction was \
        sealed.", |app| {
        superuser(app, &copy("at, nextval('audit.event_order'), transaction_id"));
    };
    an_event_is_slipped_in_with_a_number, SlippedIn, "another event has that number.", |app| {
        superuser(app, &format!("{}; INSERT INTO audit.sealed SELECT e.at, e.id, {}, sha256('x') \
            FROM audit.events e ORDER BY e.id DESC LIMIT 1",
            copy("at, nextval('audit.event_order'), transaction_id"), number(1)));
    };
    an_event_is_given_a_number_that_no_seal_reaches, SlippedIn, "no seal reaches that number", |app| {
        superuser(app, &format!("{}; INSERT INTO audit.sealed SELECT e.at, e.id, {}, sha256('x') \
            FROM audit.events e ORDER BY e.id DESC LIMIT 1",
            copy("audit.now(), nextval('audit.event_order'), pg_current_xact_id()"), number(-1)));
    };
    an_event_is_dated_back_two_hours, SlippedIn, "dated back behind events that are.", |app| {
        superuser(app, &copy("at - interval '2 hours', nextval('audit.event_order'), pg_current_xact_id()"));
    };
    an_event_is_dated_back_fifty_minutes, Time, "is dated back: its id was given after that of", |app| {
        superuser(app, &copy("at - interval '50 minutes', nextval('audit.event_order'), \
            pg_current_xact_id()"));
        app.seal();
    };
    an_event_is_dated_back_and_not_sealed_yet, Time, "whose time is 50 minutes later.", |app| {
        superuser(app, &copy("at - interval '50 minutes', nextval('audit.event_order'), \
            pg_current_xact_id()"));
    };
    an_event_is_dated_ahead, Time, "is dated ahead: seal", |app| {
        superuser(app, &copy("at + interval '2 hours', nextval('audit.event_order'), pg_current_xact_id()"));
        app.seal();
    };
    a_transaction_cannot_be, SlippedIn, "names the transaction 999999999999, which the database has not \
        begun", |app| {
        superuser(app, &copy("audit.now(), nextval('audit.event_order'), '999999999999'::xid8"));
    };
    numbers_are_swapped, Reordered, "was reordered: another event was sealed with that number.", |app| {
        superuser(app, &format!("CREATE TEMP TABLE x ON COMMIT DROP AS \
            SELECT at, id, 2 * {0} - 1 - number AS number, leaf FROM audit.sealed WHERE number IN ({0}, \
            {0} - 1); \
            DELETE FROM audit.sealed WHERE (at, id) IN (SELECT at, id FROM x); \
            INSERT INTO audit.sealed SELECT * FROM x", number(0)));
    };
    leaves_are_swapped, SealBroken, "the event itself is whole.", |app| {
        superuser(app, &format!("CREATE TEMP TABLE x ON COMMIT DROP AS SELECT number, leaf FROM \
            audit.sealed; \
            UPDATE audit.sealed s SET leaf = x.leaf FROM x \
            WHERE s.number IN ({0}, {0} - 1) AND x.number = 2 * {0} - 1 - s.number", number(0)));
    };
    an_event_is_moved_to_another_month, Removed, ", was removed after it was sealed.", |app| {
        superuser(app, &format!("UPDATE audit.events SET at = at + interval '1 month' WHERE {}", event(2)));
    };
}

// What was done to seals, and to what is kept beside the key.
ways! {
    the_end_is_cut_off, Truncated, "kept beside the key, is gone. It was cut off", cut_off;
    the_end_is_cut_off_and_the_newest_seal_unlinked, Head, "audit.head is missing", |app| {
        cut_off(app);
        std::fs::remove_file(files(app).head_path()).unwrap();
    };
    the_newest_seal_is_unlinked, Head, "an end that was cut off, or a log that was rewritten whole", |app| {
        std::fs::remove_file(files(app).head_path()).unwrap();
    };
    the_newest_seal_is_put_back_to_the_beginning, Head, "says that nothing was sealed yet", |app| {
        std::fs::remove_file(files(app).head_path()).unwrap();
        files(app).keep_nothing(&files(app).signing_key().unwrap()).unwrap();
    };
    all_seals_are_removed, Truncated, "The seals end before", |app| {
        superuser(app, "DELETE FROM audit.seals");
    };
    all_seals_and_numbers_are_removed, Truncated, "it ends with seal 0", |app| {
        superuser(app, "DELETE FROM audit.seals; DELETE FROM audit.sealed");
    };
    all_seals_and_numbers_are_removed_and_the_newest_unlinked, Head, "The log ends with no seal.", |app| {
        superuser(app, "DELETE FROM audit.seals; DELETE FROM audit.sealed");
        std::fs::remove_file(files(app).head_path()).unwrap();
    };
    a_seal_is_removed, SealBroken, "Seal 3 is missing: seal 2 is followed by seal 4.", |app| {
        superuser(app, "DELETE FROM audit.seals WHERE number = 3");
    };
    a_seal_is_changed, SealBroken, "Seal 3 is broken: its signature does not fit what it says.", |app| {
        superuser(app, "UPDATE audit.seals SET root = sha256('x') WHERE number = 3");
    };
    a_seal_is_forged, SealBroken, "Seal 5 is broken: its signature does not fit what it says.", nonsense_seal;
    the_clock_was_set_back_twenty_minutes, Definition, "Seal 5 is dated back: it was made at", |app| {
        superuser(app, "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE \
            AS 'SELECT clock_timestamp() - interval ''20 minutes'''");
        write(app, 3);
        app.seal();
        assert_eq!(app.events("audit_clock.set_back"), 1);
    };
    the_clock_was_three_days_ahead_and_put_back, Time, "Seal 6 is dated back", |app| {
        let now = |sql: &str| superuser(app, &format!("CREATE OR REPLACE FUNCTION audit.now() RETURNS \
            timestamptz \
            LANGUAGE sql STABLE AS '{sql}'"));
        now("SELECT clock_timestamp() + interval ''3 days''");
        write(app, 1);
        app.seal();
        now("SELECT pg_catalog.clock_timestamp()");
        write(app, 1);
        app.seal();
    };
}

fn cut_off(app: &TestApp) {
    superuser(
        app,
        "DELETE FROM audit.events WHERE (at, id) IN (SELECT at, id FROM audit.sealed \
            WHERE number >= (SELECT first_number FROM audit.seals WHERE number = 3)); \
         DELETE FROM audit.sealed WHERE number >= (SELECT first_number FROM audit.seals WHERE number = 3); \
         DELETE FROM audit.seals WHERE number >= 3",
    );
}

/// A row that anybody who may write seals could write.
fn nonsense_seal(app: &TestApp) {
    app.as_sealer()
        .batch_execute(
            "INSERT INTO audit.seals SELECT number + 1, last_number + 1, last_number + 9, sha256('x'), \
                previous, \
                now(), cluster, through_transaction + 9, through_id, public_key, signature \
                FROM audit.seals ORDER BY number DESC LIMIT 1",
        )
        .unwrap();
}

// What was done to that which the log hangs on.
ways! {
    a_month_is_detached, Definition, "events_", |app| {
        superuser(app, &format!("ALTER TABLE audit.events DETACH PARTITION audit.{}", this_month(app)));
    };
    months_are_renamed, Definition, "takes other times than those of", |app| {
        let (this, next) = (this_month(app), months(app).pop().unwrap());
        superuser(app, &format!("ALTER TABLE audit.{this} RENAME TO x; \
            ALTER TABLE audit.{next} RENAME TO {this}; ALTER TABLE audit.x RENAME TO {next}"));
    };
    a_month_is_renamed, Definition, "is called events_old: it was renamed", |app| {
        superuser(app, &format!("ALTER TABLE audit.{} RENAME TO events_old", months(app)[0]));
    };
    row_security_hides_events, Definition, "The table audit.events was given row security", |app| {
        superuser(app, "ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY");
    };
    row_security_hides_events_and_numbers, Definition, "The table audit.sealed was given row \
        security", |app| {
        superuser(app, "ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY; \
            ALTER TABLE audit.sealed ENABLE ROW LEVEL SECURITY");
    };
    the_search_column_is_computed_no_more, Definition, "no longer computes it from the events", |app| {
        superuser(app, "ALTER TABLE audit.events ALTER COLUMN search DROP EXPRESSION");
    };
    the_search_column_is_computed_otherwise, Definition, "is not found by what it says", |app| {
        superuser(app, &format!("ALTER TABLE audit.events DROP COLUMN search; \
            ALTER TABLE audit.events ADD COLUMN search text GENERATED ALWAYS AS (CASE WHEN id = {} THEN '' \
            ELSE \
            lower(sentence || ' ' || actor_name || ' ' || coalesce(actor_email, '') || ' ' || \
            coalesce(address, '') || ' ' || search_values) END) STORED",
            app.count("SELECT max(id) FROM audit.events")));
    };
    the_search_column_is_gone, Definition, "The column search of audit.events is gone.", |app| {
        superuser(app, "ALTER TABLE audit.events DROP COLUMN search");
    };
    the_floor_is_lifted, Definition, "The function audit.floor() was replaced or changed (its source", |app| {
        superuser(app, "CREATE OR REPLACE FUNCTION audit.floor() RETURNS timestamptz LANGUAGE sql STABLE \
            AS 'SELECT now()'");
    };
    the_clock_is_replaced, Definition, "The function audit.now() was replaced or changed (its source", |app| {
        superuser(app, "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE \
            AS 'SELECT clock_timestamp() - interval ''1 second'''");
    };
    the_question_for_events_is_emptied, Definition, "The function audit.require_event()", |app| {
        superuser(app, "CREATE OR REPLACE FUNCTION audit.require_event() RETURNS trigger LANGUAGE plpgsql \
            SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan \
            AS 'BEGIN RETURN NULL; END'");
    };
    a_function_runs_as_another, Definition, "audit.make_month(date) was replaced or changed (its runs \
        as", |app| {
        superuser(app, "ALTER FUNCTION audit.make_month(date) SECURITY INVOKER");
    };
    a_function_belongs_to_another, Definition, "audit.drop_month(date) was replaced or changed (its \
        owner", |app| {
        superuser(app, "ALTER FUNCTION audit.drop_month(date) OWNER TO tyrian_app");
    };
    a_function_finds_other_names, Definition, "audit.drop_month(date) was replaced or changed (its \
        settings", |app| {
        superuser(app, "ALTER FUNCTION audit.drop_month(date) SET search_path = public, pg_catalog");
    };
    a_function_stands_in_front_of_another, Definition, "audit.make_month(text) is none of Tyrian's", |app| {
        superuser(app, "CREATE FUNCTION audit.make_month(wanted text) RETURNS boolean LANGUAGE sql AS \
            'SELECT true'");
    };
    a_trigger_is_switched_off, Definition, "The trigger audited on public.people was switched off.", |app| {
        superuser(app, "ALTER TABLE people DISABLE TRIGGER audited");
    };
    a_trigger_is_gone, Definition, "The trigger audited on public.clients is gone.", |app| {
        superuser(app, "DROP TRIGGER audited ON clients");
    };
    a_trigger_asks_at_updates_alone, Definition, "The trigger audited on public.clients was replaced", |app| {
        superuser(app, "DROP TRIGGER audited ON clients; CREATE CONSTRAINT TRIGGER audited AFTER UPDATE ON \
            clients \
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event()");
    };
    a_trigger_rewrites_events, Definition, "The trigger rewrite on audit.events is none of Tyrian's", |app| {
        superuser(app, "CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN NEW.sentence := ''x''; RETURN NEW; END'; CREATE TRIGGER rewrite BEFORE INSERT ON \
            audit.events \
            FOR EACH ROW EXECUTE FUNCTION rewrite()");
    };
    a_rule_swallows_events, Definition, "The table audit.events was replaced or changed (its rules", |app| {
        superuser(app, "CREATE RULE swallow AS ON INSERT TO audit.events DO INSTEAD NOTHING");
    };
    events_get_another_time, Definition, "The default of an event's time was changed", |app| {
        superuser(app, "ALTER TABLE audit.events ALTER COLUMN at SET DEFAULT audit.now() - interval '9 \
            minutes'");
    };
    a_trigger_watches_other_columns, Definition, "audited on public.people was replaced or changed (its \
        columns)", |app| {
        // As many as before.
        superuser(app, "DROP TRIGGER audited ON people; CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR \
            DELETE OR UPDATE OF id, name, theme, shortcuts, created_at, last_sign_in_at, \
            password_changed_at, deleted_at, version, totp_secret, totp_since, totp_step ON people \
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event()");
    };
    a_trigger_swallows_changes, Definition, "The trigger swallow on public.clients is none of \
        Tyrian's", swallow;
    a_trigger_passes_for_postgresqls_own, Definition, "The trigger swallow on public.clients is none of \
        Tyrian's", |app| {
        swallow(app);
        superuser(app, "UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 'swallow'");
    };
    a_trigger_passes_for_a_constraints_own, Definition, "The trigger swallow on public.clients is none of \
        Tyrian's", |app| {
        swallow(app);
        superuser(app, "UPDATE pg_trigger SET tgisinternal = true, tgconstraint = (SELECT oid \
            FROM pg_constraint WHERE confrelid = 'clients'::regclass LIMIT 1) WHERE tgname = 'swallow'");
    };
    a_table_is_said_to_have_no_triggers, Definition, "The table public.clients is said to have no \
        triggers", |app| {
        superuser(app, "UPDATE pg_class SET relhastriggers = false WHERE oid = 'clients'::regclass");
    };
    a_log_is_said_to_have_no_months, Definition, "audit.events was replaced or changed (its partitions \
        act)", |app| {
        superuser(app, "UPDATE pg_class SET relhassubclass = false WHERE oid = 'audit.events'::regclass");
    };
    a_table_has_heirs, Definition, "The table public.clients was given heirs (public.clients_old)", |app| {
        superuser(app, "CREATE TABLE clients_old () INHERITS (clients)");
    };
    a_rule_swallows_changes, Definition, "The table public.clients was replaced or changed (its \
        rules)", |app| {
        superuser(app, "CREATE RULE swallow AS ON UPDATE TO clients DO INSTEAD NOTHING");
    };
    row_security_hides_clients, Definition, "The table public.clients was given row security", |app| {
        superuser(app, "ALTER TABLE clients ENABLE ROW LEVEL SECURITY");
    };
    a_month_is_unlogged, Definition, "was made unlogged: a crash empties it.", |app| {
        superuser(app, &format!("ALTER TABLE audit.{} SET UNLOGGED", this_month(app)));
    };
    months_are_detached, Definition, "is no partition of the log: it was detached.", |app| {
        let (this, sealed) = (this_month(app), this_month(app).replace("events", "sealed"));
        superuser(app, &format!("ALTER TABLE audit.events DETACH PARTITION audit.{this}; \
            ALTER TABLE audit.sealed DETACH PARTITION audit.{sealed}"));
    };
    a_column_is_added, Definition, "The column weight of audit.events is none of Tyrian's", |app| {
        superuser(app, "ALTER TABLE audit.events ADD COLUMN weight integer DEFAULT 3");
    };
    a_column_has_a_type_of_the_same_name, Definition, "The column reason of audit.events was replaced or \
        changed (its type)", |app| {
        superuser(app, "CREATE SCHEMA evil; CREATE DOMAIN evil.text AS pg_catalog.text; \
            ALTER TABLE audit.events ALTER COLUMN reason TYPE evil.text");
    };
    searches_fold_letters_otherwise, Definition, "The column sentence of audit.events was replaced or \
        changed (its collation)", |app| {
        superuser(app, "ALTER TABLE audit.events DROP COLUMN search; \
            ALTER TABLE audit.events ALTER COLUMN sentence TYPE text COLLATE \"tr-x-icu\"; \
            ALTER TABLE audit.events ADD COLUMN search text COLLATE \"tr-x-icu\" GENERATED ALWAYS AS (lower( \
            (sentence || ' ' || actor_name || ' ' || coalesce(actor_email, '') || ' ' || \
            coalesce(address, '') || ' ' || search_values) COLLATE \"tr-x-icu\")) STORED");
    };
    a_function_is_given_to_an_extension, Definition, "audit.make_month(text) is none of Tyrian's", |app| {
        superuser(app, "CREATE FUNCTION audit.make_month(wanted text) RETURNS boolean LANGUAGE sql AS \
            'SELECT true'; ALTER EXTENSION pg_trgm ADD FUNCTION audit.make_month(text)");
    };
    a_function_of_the_log_is_given_to_an_extension, Definition, "public.label_key(text) was replaced or \
        changed (its extension)", |app| {
        superuser(app, "ALTER EXTENSION pg_trgm ADD FUNCTION label_key(text)");
    };
    a_function_has_another_body_than_its_source, Definition, "audit.floor() was replaced or changed (its \
        body)", |app| {
        superuser(app, "CREATE FUNCTION other() RETURNS timestamptz LANGUAGE sql STABLE RETURN \
            now() + interval '9 years'; UPDATE pg_proc SET prosqlbody = (SELECT prosqlbody FROM pg_proc \
            WHERE oid = 'other()'::regprocedure) WHERE oid = 'audit.floor()'::regprocedure");
    };
    postgresqls_own_comparison_is_replaced, Definition, "The function pg_catalog.xid8eq(xid8,xid8) is no \
        longer PostgreSQL's own", |app| {
        superuser(app, "CREATE OR REPLACE FUNCTION pg_catalog.xid8eq(xid8, xid8) RETURNS boolean \
            LANGUAGE sql IMMUTABLE STRICT AS 'SELECT true'");
    };
    an_operator_runs_another_function, Definition, "The operator pg_catalog.=(xid8,xid8) is no longer \
        PostgreSQL's own", |app| {
        superuser(app, "UPDATE pg_operator SET oprcode = 'xid8ne'::regproc \
            WHERE oid = '=(xid8,xid8)'::regoperator");
    };
    a_role_acts_as_another, Definition, "The role tyrian_app was given role = tyrian_app: it acts as \
        another", |app| {
        let database = app.database.name();
        superuser(app, &format!("ALTER ROLE tyrian_app IN DATABASE {database} SET role = 'tyrian_app'"));
    };
    a_role_finds_other_names, Definition, "The role tyrian_app was given search_path = evil, \
        pg_catalog", |app| {
        let database = app.database.name();
        superuser(app, &format!("ALTER ROLE tyrian_app IN DATABASE {database} SET search_path = evil, \
            pg_catalog"));
    };
    triggers_do_not_run_for_a_role, Definition, "the triggers that ask for events do not run", |app| {
        let database = app.database.name();
        superuser(app, &format!("ALTER ROLE tyrian_app IN DATABASE {database} \
            SET session_replication_role = 'replica'"));
    };
}

fn swallow(app: &TestApp) {
    superuser(
        app,
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
            CREATE TRIGGER swallow BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
}

/// Does all of this to one log: each is named by its own sentence.
fn each_named(ways: &[(&str, &str)]) {
    let app = log();
    let this = this_month(&app);
    let months =
        |text: &str| text.replace("{events}", &this).replace("{sealed}", &this.replace("events", "sealed"));
    for (sql, _) in ways {
        superuser(&app, &months(sql));
    }
    let said = app.verify().expect_err("not found out");
    println!("{said}");
    for (sql, sentence) in ways {
        assert!(said.contains(&months(sentence)), "{sql}: {said}");
    }
}

#[test]
fn a_month_that_lies_elsewhere_is_looked_at_there() {
    each_named(&[
        (
            "CREATE SCHEMA hidden; ALTER TABLE audit.{events} SET SCHEMA hidden",
            "The partition {events} was moved: it lies in the schema hidden",
        ),
        (
            "CREATE FUNCTION hidden.rewrite() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                CREATE TRIGGER rewrite BEFORE INSERT ON hidden.{events} FOR EACH ROW \
                EXECUTE FUNCTION hidden.rewrite()",
            "The trigger rewrite on {events} is none of Tyrian's",
        ),
    ]);
}

#[test]
fn triggers_that_ask_otherwise() {
    let made = |table: &str, when: &str| {
        format!(
            "DROP TRIGGER audited ON {table}; CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR UPDATE OR \
                DELETE ON {table} {when} EXECUTE FUNCTION audit.require_event()"
        )
    };
    let at_once = made("clients", "NOT DEFERRABLE FOR EACH ROW");
    let not_at_the_end = made("findings", "DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW");
    let sometimes = made("reports", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (false)");
    each_named(&[
        (&at_once, "audited on public.clients was replaced or changed (its deferrable, deferred)"),
        (&not_at_the_end, "audited on public.findings was replaced or changed (its deferred)"),
        (&sometimes, "audited on public.reports was replaced or changed (its when)"),
        (
            "ALTER TABLE engagements ENABLE REPLICA TRIGGER audited",
            "audited on public.engagements was replaced or changed (its enabled)",
        ),
    ]);
}

#[test]
fn defaults_that_give_something_else() {
    each_named(&[
        (
            "ALTER TABLE audit.events ALTER COLUMN at SET DEFAULT CASE WHEN \
                current_setting('transaction_read_only') = 'on' THEN audit.now() \
                ELSE audit.now() - interval '20 seconds' END",
            "The default of an event's time was changed",
        ),
        (
            "ALTER TABLE audit.events ALTER COLUMN id SET DEFAULT - nextval('audit.event_order')",
            "The column id of audit.events was replaced or changed (its default)",
        ),
        (
            "ALTER TABLE audit.events ALTER COLUMN transaction_id SET DEFAULT '5'::xid8",
            "The column transaction_id of audit.events was replaced or changed (its default)",
        ),
        (
            "ALTER TABLE audit.events ALTER COLUMN detail SET DEFAULT '{\"n\": 1}'",
            "The column detail of audit.events was replaced or changed (its default)",
        ),
        (
            "ALTER TABLE audit.events ALTER COLUMN search_values SET DEFAULT 'x'",
            "The column search_values of audit.events was replaced or changed (its default)",
        ),
        (
            "ALTER TABLE audit.events ALTER COLUMN reason SET DEFAULT 'x'",
            "The column reason of audit.events was replaced or changed (its default)",
        ),
        (
            "ALTER TABLE audit.archives ALTER COLUMN archived_at SET DEFAULT 'epoch'",
            "The column archived_at of audit.archives was replaced or changed (its default)",
        ),
        (
            "ALTER SEQUENCE audit.event_order INCREMENT -1 MINVALUE -9 CACHE 50 CYCLE",
            "The sequence audit.event_order was replaced or changed (its ahead, around, least, step)",
        ),
    ]);
}

#[test]
fn indexes_and_constraints_that_do_not_hold() {
    each_named(&[
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit.events_search'::regclass",
            "The index events_search on audit.events was replaced or changed (its valid)",
        ),
        (
            "UPDATE pg_index SET indisready = false WHERE indexrelid = 'audit.sealed_number'::regclass",
            "The index sealed_number on audit.sealed was replaced or changed (its ready)",
        ),
        (
            "UPDATE pg_index SET indislive = false WHERE indexrelid = (SELECT i.inhrelid FROM pg_inherits i \
                JOIN pg_index x ON x.indexrelid = i.inhrelid \
                WHERE i.inhparent = 'audit.events_client'::regclass \
                AND x.indrelid = 'audit.{events}'::regclass)",
            "The index events_client on {events} was replaced or changed (its live)",
        ),
        ("DROP INDEX audit.events_about", "The index events_about on audit.events is gone."),
        (
            "CREATE FUNCTION peek(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; \
                CREATE INDEX peeking ON audit.events (peek(kind))",
            "The index peeking on audit.events is none of Tyrian's",
        ),
        (
            "ALTER TABLE audit.seals DROP CONSTRAINT seals_pkey",
            "The constraint seals_pkey on audit.seals is gone.",
        ),
        (
            "ALTER TABLE audit.seals DROP CONSTRAINT seals_check, ADD CONSTRAINT seals_check CHECK \
                (last_number <> first_number) NOT VALID",
            "The constraint seals_check on audit.seals was replaced or changed (its condition, valid)",
        ),
        (
            "ALTER TABLE audit.{events} ADD CONSTRAINT signed_in CHECK (category <> 'sign_in') NOT VALID; \
                UPDATE pg_constraint SET convalidated = true WHERE conname = 'signed_in'",
            "The constraint signed_in on {events} is none of Tyrian's",
        ),
    ]);
}

#[test]
fn functions_with_other_attributes() {
    each_named(&[
        ("ALTER FUNCTION audit.floor() LEAKPROOF", "audit.floor() was replaced or changed (its leakproof)"),
        ("ALTER FUNCTION audit.days() IMMUTABLE", "audit.days() was replaced or changed (its volatility)"),
        ("ALTER FUNCTION audit.now() PARALLEL SAFE", "audit.now() was replaced or changed (its parallel)"),
        (
            "ALTER FUNCTION audit.make_month(date) STRICT",
            "make_month(date) was replaced or changed (its strict)",
        ),
    ]);
}

#[test]
fn rights_that_are_too_many() {
    each_named(&[
        (
            "GRANT UPDATE, DELETE, TRUNCATE ON audit.events TO tyrian_app",
            "Rights too many: tyrian_app may change or empty audit.events.",
        ),
        (
            "GRANT INSERT ON audit.{sealed} TO tyrian_app",
            "Rights too many: tyrian_app may write audit.{sealed}.",
        ),
        (
            "GRANT EXECUTE ON FUNCTION audit.drop_month(date) TO PUBLIC",
            "Rights too many: everybody may run audit.drop_month(date).",
        ),
        (
            "GRANT INSERT ON audit.seals TO tyrian_app",
            "Rights too many: tyrian_app and tyrian_sealer may seal; one role does.",
        ),
        ("GRANT DELETE ON audit.seals TO pg_monitor", "Rights too many: pg_monitor may delete audit.seals."),
        (
            "GRANT UPDATE (sentence) ON audit.events TO pg_monitor",
            "Rights too many: pg_monitor may update audit.events.",
        ),
        ("ALTER TABLE clients OWNER TO tyrian_app", "Rights too many: tyrian_app owns clients."),
    ]);
}

/// What is done beside the log, or to read it, is nobody's fault.
#[test]
fn what_an_administrator_may_do_is_no_fault() {
    let app = log();
    let database = app.database.name();
    superuser(
        &app,
        &format!(
            "ALTER DATABASE {database} SET search_path = \"$user\", public, extensions; \
             ALTER DATABASE {database} SET quote_all_identifiers = on; \
             ALTER DATABASE {database} SET DateStyle = 'German, DMY'; \
             ALTER DATABASE {database} SET TimeZone = 'Asia/Kathmandu'; \
             ALTER DATABASE {database} SET IntervalStyle = 'sql_standard'; \
             ALTER ROLE tyrian_app IN DATABASE {database} SET search_path = '\"$user\", public, extensions'; \
             GRANT SELECT ON ALL TABLES IN SCHEMA audit TO pg_monitor; \
             CREATE INDEX by_outcome ON audit.events (outcome); \
             CREATE TABLE audit_figures (day date PRIMARY KEY, events bigint); \
             CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER count_up BEFORE INSERT ON audit_figures FOR EACH ROW EXECUTE FUNCTION count_up()"
        ),
    );
    let report = app.verify().unwrap();
    assert_eq!(
        odd(&report),
        [
            "The role tyrian_app was given search_path = \"\"\"$user\"\", public, extensions\"; Tyrian's own \
                connections do not go by it.",
            "The database was given search_path = \"$user\", public, extensions; Tyrian's own connections do \
                not go by it."
        ]
    );
}

/// Without a role that seals, the app's has its rights; and the owner may look, too.
#[test]
fn fewer_roles_are_no_fault() {
    let app = log();
    let alone = Roles { app: APP, sealer: None };
    migrate(&app.database.owner_url(), alone).unwrap();
    assert_eq!(odd(&app.verify().unwrap()), [""; 0]);
    let size = PoolSize { connections: 1, wait_seconds: 3 };
    let db = Db::open(&app.database.owner_url(), size, app.clock.clone()).unwrap();
    let archives = app.app.config.audit_archives();
    let report = verified(&db, &app.against(&archives)).unwrap();
    assert!(odd(&report)[0].contains("The role tyrian_owner, by which this asks, owns the log"));
}

/// A copy of another owner's, without any right that was given.
#[test]
fn a_copy_without_owners_and_rights_holds() {
    let app = log();
    let copy = TestDatabase::empty();
    let dump = app.app.config.data_dir.join("dump");
    let file = dump.to_str().unwrap();
    let run = |tool: &str, arguments: &[&str]| {
        let done = std::process::Command::new(cluster().tool(tool)).args(arguments).output().unwrap();
        assert!(done.status.success(), "{tool}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run("pg_dump", &["-Fc", "-f", file, &app.database.superuser_url()]);
    run("pg_restore", &["--no-owner", "--no-privileges", "-d", &copy.superuser_url(), file]);
    let size = PoolSize { connections: 1, wait_seconds: 3 };
    let db = Db::open(&copy.superuser_url(), size, app.clock.clone()).unwrap();
    let archives = app.app.config.audit_archives();
    let report = verified(&db, &app.against(&archives)).unwrap();
    assert_eq!(odd(&report).len(), 1, "that its owner looks: {:?}", report.notes);
}

fn months(app: &TestApp) -> Vec<String> {
    app.texts(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
            WHERE i.inhparent = 'audit.events'::regclass ORDER BY 1",
    )
}

fn this_month(app: &TestApp) -> String {
    app.texts("SELECT DISTINCT tableoid::regclass FROM audit.events")[0].replace("audit.", "")
}

/// The log rewritten whole while nothing ran, and the newest seal unlinked: the server seals it anew, says
/// so, and verification repeats it for ever.
#[test]
fn a_log_that_was_rewritten_whole_is_sealed_anew_with_a_word() {
    let app = log();
    superuser(
        &app,
        &format!(
            "UPDATE audit.events SET sentence = 'Nothing' WHERE {}; DELETE FROM audit.seals; \
                DELETE FROM audit.sealed",
            event(2)
        ),
    );
    std::fs::remove_file(files(&app).head_path()).unwrap();
    app.sealer().begin().unwrap();
    app.seal();
    assert_eq!(app.events("audit_log.restored"), 1);
    let report = app.verify().unwrap();
    assert!(report.notes[0].contains("Found the newest seal beside the key missing"), "{:?}", report.notes);
    // And the same where it happens to a log that runs.
    superuser(&app, "DELETE FROM audit.seals; DELETE FROM audit.sealed");
    std::fs::remove_file(files(&app).head_path()).unwrap();
    app.seal();
    assert_eq!(app.events("audit_log.restored"), 2);
    app.verify().unwrap();
}

/// The event that tells of a loss waits some moments for its seal. Whoever takes it away until then has not
/// taken away what lies beside the key.
#[test]
fn a_loss_whose_event_is_taken_away_before_it_is_sealed_is_named() {
    let app = log();
    cut_off(&app);
    let sealer = app.sealer();
    assert!(matches!(sealer.turn(TimeDelta::days(1)).unwrap(), Turn::Lost));
    assert_eq!(app.events("audit_log.restored"), 1);
    superuser(&app, "DELETE FROM audit.events WHERE kind = 'audit_log.restored'");
    seal_all(&app);
    let said = app.verify().unwrap_err();
    assert!(said.contains("Removed: An event was removed: on 2"), "{said}");
    assert!(
        said.contains("“Found the audit log cut off, rewritten or restored from an older copy"),
        "{said}"
    );
    assert!(said.contains("audit.lost says, and that event is gone."), "{said}");
}

/// What the app's role can write into the log is no order for the terminal of whoever verifies it.
#[test]
fn what_somebody_wrote_into_the_log_is_shown_and_not_obeyed() {
    let app = log();
    app.as_app()
        .batch_execute(
            "INSERT INTO audit.events (kind, category, outcome, actor_kind, actor_name, sentence, detail, \
                search_values) \
             SELECT 'audit_log.restored', category, outcome, actor_kind, actor_name, \
                E'x\\x1b[8m\\nEverything holds', '{}', search_values FROM audit.events LIMIT 1",
        )
        .unwrap();
    app.seal();
    let notes = app.verify().unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("x⟨U+001B⟩[8m⟨U+000A⟩Everything holds.")), "{notes:?}");
}

/// A key that lies here and did not seal last is told: whoever owns the database may have sealed anew.
#[test]
fn another_key_than_the_one_that_sealed_last_is_a_note() {
    let app = log();
    std::fs::write(app.app.config.data_dir.join("audit.key"), "11".repeat(32)).unwrap();
    let report = app.verify().unwrap();
    assert!(report.notes.iter().any(|note| note.starts_with("Seal 4 was made with the key ")), "{report:?}");
}

/// A seal of a year that no calendar here reaches is named, told and laid aside as any other.
#[test]
fn a_seal_of_the_year_290000_stops_nothing_but_sealing() {
    let app = log();
    nonsense_seal(&app);
    superuser(&app, "UPDATE audit.seals SET at = '290000-01-01' WHERE number = 5");
    write(&app, 2);
    assert!(matches!(app.sealer().turn(TimeDelta::zero()).unwrap(), Turn::Nonsense(5)));
    assert!(app.verify().unwrap_err().contains("Seal 5 is "));
    let ready = app.visitor().get("/readyz").text();
    assert!(ready.contains("database: reachable") && ready.contains("sealing: seal 4 "), "{ready}");
    set_aside(&app, "seal", "5", "Of no time");
}

#[test]
fn a_missing_head_is_no_fault_of_a_restored_copy() {
    let app = log();
    std::fs::remove_file(files(&app).head_path()).unwrap();
    let archives = app.app.config.audit_archives();
    let mut against = app.against(&archives);
    against.head = None;
    app.verify_against(&against).unwrap();
}

#[test]
fn a_new_key_is_an_event_and_a_note() {
    let app = log();
    let first = app.verify().unwrap().keys;
    assert_eq!((first.len(), first[0].first_seal, first[0].last_seal), (1, 1, 4));
    std::fs::remove_file(app.app.config.data_dir.join("audit.key")).unwrap();
    let sealer = app.sealer();
    sealer.begin().unwrap();
    sealer.begin().unwrap();
    assert_eq!(app.events("audit_key.trusted"), 1);
    app.seal();
    let report = app.verify().unwrap();
    assert_eq!((report.keys.len(), report.keys[1].first_seal), (2, 5));
    assert!(
        report.notes.iter().any(|note| note.contains("From seal 5") && note.contains(&report.keys[1].key)),
        "{:?}",
        report.notes
    );
    // Whoever begins to seal without that word, as no server does, has to say it all the same.
    std::fs::remove_file(app.app.config.data_dir.join("audit.key")).unwrap();
    write(&app, 1);
    app.seal();
    assert_eq!(app.events("audit_key.trusted"), 2);
}

#[test]
fn the_first_key_is_an_event_and_says_beside_itself_that_it_sealed_nothing() {
    let app = TestApp::spawn();
    let sealer = app.sealer();
    assert_eq!(files(&app).kept(), Kept::Nothing);
    assert_eq!(app.verify().unwrap().verified.seals, 0);
    sealer.begin().unwrap();
    assert_eq!(app.events("audit_key.trusted"), 1);
    app.verify().unwrap();
    app.seal();
    assert_eq!(app.events("audit_key.trusted"), 1);
    assert_eq!(odd(&app.verify().unwrap()), [""; 0]);
}

/// Where sealing has a role of its own, the app's cannot poison the log.
#[test]
fn the_apps_role_writes_no_seal_no_number_no_leaf_and_lays_nothing_aside() {
    let app = log();
    for sql in [
        "INSERT INTO audit.seals SELECT number + 1, last_number + 1, last_number + 1, root, previous, at, \
            cluster, \
            through_transaction, through_id, public_key, signature FROM audit.seals WHERE number = 4",
        "INSERT INTO audit.sealed SELECT at, id, 5000, sha256('x') FROM audit.events LIMIT 1",
        "INSERT INTO audit.boundary_leaves VALUES (2, sha256('x'))",
        "INSERT INTO audit.set_aside (kind, subject, reason, at, public_key, signature) \
            VALUES ('seal', '4', 'Nothing', now(), '', '')",
    ] {
        let said = app.as_app().batch_execute(sql).unwrap_err().to_string();
        assert!(said.contains("permission denied"), "{said}");
    }
    app.verify().unwrap();
}

#[test]
fn a_seal_that_is_none_stops_sealing_with_a_word_and_can_be_set_aside() {
    let app = log();
    nonsense_seal(&app);
    write(&app, 2);
    let sealer = app.sealer();
    for _ in 0..3 {
        assert!(matches!(sealer.turn(TimeDelta::zero()).unwrap(), Turn::Nonsense(5)));
    }
    assert_eq!(app.events("audit_seal.refused"), 1);
    let report = set_aside(&app, "seal", "5", "Somebody tried the role that seals");
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.starts_with("Seal 5 was set aside on ") && n.ends_with("the role that seals.")),
        "{:?}",
        report.notes
    );
    assert_eq!(app.events("audit_log.set_aside"), 1);
    // What holds stays.
    let said = try_aside(&app, "seal", "5", "Again").unwrap_err();
    assert!(said.contains("Seal 5 holds: there is nothing to set aside"), "{said}");
    // Nobody but the owner, and not without the key: a row in that table counts for nothing.
    assert!(app.as_sealer().batch_execute("DELETE FROM audit.set_aside").is_err());
    superuser(
        &app,
        "INSERT INTO audit.set_aside (kind, subject, reason, at, public_key, signature) \
            SELECT kind, subject, 'Nothing happened', at, public_key, signature FROM audit.set_aside",
    );
    assert!(app.verify().unwrap_err().contains("is not signed by a key of this log"));
}

/// The release before made the next seals on top of such a row.
#[test]
fn a_seal_that_is_none_amid_the_others_can_be_set_aside() {
    use tyrian::audit::proof::merkle::leaf;
    use tyrian::audit::proof::seal::make;
    use tyrian::audit::proof::store::seal::{find_last, get_standing};
    let app = log();
    nonsense_seal(&app);
    write(&app, 1);
    let mut conn = app.superuser();
    let (last, standing) = (find_last(&mut conn).unwrap().unwrap(), get_standing(&mut conn).unwrap());
    let record: tyrian::kernel::event::record::Record = {
        use diesel::prelude::*;
        use tyrian::kernel::event::schema::events;
        events::table.order(events::id.desc()).select(SelectableHelper::as_select()).first(&mut conn).unwrap()
    };
    let mut bytes = Vec::new();
    record.canonical(&mut bytes);
    let key = files(&app).signing_key().unwrap();
    let through = (record.transaction_id, record.id);
    let seal = make(&key, Some(&last), &[leaf(&bytes)], standing.now, standing.cluster, through);
    let hex = tyrian::kernel::base::hex::hex;
    superuser(
        &app,
        &format!(
            "INSERT INTO audit.seals VALUES ({}, {}, {}, '\\x{}', '\\x{}', '{}', {}, {}, {}, '\\x{}', \
                '\\x{}'); \
                INSERT INTO audit.sealed SELECT at, id, {}, '\\x{}' FROM audit.events ORDER BY id DESC \
                LIMIT 1",
            seal.number,
            seal.first,
            seal.last,
            hex(&seal.root),
            hex(&seal.previous),
            seal.at.to_rfc3339(),
            seal.cluster,
            seal.through_transaction,
            seal.through_id,
            hex(&seal.key),
            hex(&seal.signature),
            seal.first,
            hex(&leaf(&bytes))
        ),
    );
    files(&app).keep_head(&seal).unwrap();
    assert!(app.verify().unwrap_err().contains("Seal 5 is broken"));
    set_aside(&app, "seal", "5", "A row of nonsense");
    write(&app, 2);
    app.seal();
    app.verify().unwrap();
}

#[test]
fn a_number_that_somebody_gave_can_be_set_aside_and_its_event_is_sealed_after_all() {
    let app = log();
    write(&app, 1);
    app.as_sealer()
        .batch_execute(
            "INSERT INTO audit.sealed SELECT at, id, 5000, sha256('x') FROM audit.events ORDER BY id DESC \
                LIMIT 1",
        )
        .unwrap();
    write(&app, 1);
    app.sealer().seal_all().unwrap();
    let said = app.verify().unwrap_err();
    assert!(said.contains("no seal reaches that number"), "{said}");
    let place = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.sealed WHERE number = \
            5000",
    );
    set_aside(&app, "number", &place[0], "Written with the role that seals");
    app.seal();
    assert_eq!(app.verify().unwrap().verified.unsealed, 0);
    // One of the log's own is not taken away.
    let own = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.sealed WHERE number = 3",
    );
    assert!(try_aside(&app, "number", &own[0], "No").unwrap_err().contains("holds"));
}

#[test]
fn an_event_that_can_never_be_sealed_is_told_and_can_be_set_aside() {
    let app = log();
    superuser(&app, &copy("audit.now(), nextval('audit.event_order'), '999999999999'::xid8"));
    let ready = app.visitor().get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("1 event can never be sealed as it is"), "{}", ready.text());
    let place = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.events \
            WHERE transaction_id = '999999999999'",
    );
    let report = set_aside(&app, "event", &place[0], "Slipped in by a superuser");
    assert_eq!(report.verified.unsealed, 0, "sealed after all, so that it cannot change any more");
    assert!(!app.visitor().get("/readyz").text().contains("never be sealed"));
}

#[test]
fn a_leaf_that_no_proof_needs_can_be_set_aside() {
    let app = log();
    app.as_sealer().batch_execute("INSERT INTO audit.boundary_leaves VALUES (2, sha256('x'))").unwrap();
    let said = app.verify().unwrap_err();
    assert!(said.contains("The leaf kept for event number 2 belongs to no event"), "{said}");
    set_aside(&app, "leaf", "2", "Written with the role that seals");
    assert_eq!(app.count("SELECT count(*) FROM audit.boundary_leaves"), 0);
    assert!(try_aside(&app, "leaf", "2", "Again").unwrap_err().contains("There is no such leaf"));
}

/// As `tyrian audit set-aside` does it, on the owner's address; verification then holds.
fn set_aside(app: &TestApp, kind: &str, which: &str, reason: &str) -> Report {
    try_aside(app, kind, which, reason).unwrap();
    seal_all(app);
    app.verify().unwrap()
}

/// The program as it runs beside this database, with the files of this log.
fn tyrian(app: &TestApp, arguments: &[&str]) -> std::process::Command {
    let (app_url, sealer, owner) =
        (app.database.app_url(), app.database.sealer_url(), app.database.owner_url());
    let environment = [
        ("DATABASE_URL", app_url.as_str()),
        ("TYRIAN_SEALER_DATABASE_URL", &sealer),
        ("TYRIAN_OWNER_DATABASE_URL", &owner),
    ];
    process::tyrian(arguments, &app.app.config.data_dir, &environment)
}

fn try_aside(app: &TestApp, kind: &str, which: &str, reason: &str) -> Result<(), String> {
    let output = tyrian(app, &["audit", "set-aside", kind, which, "--reason", reason]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// A key of its own place takes the newest seal and the list of keys with it, once and with a word; a place
/// that cannot be written stops the start.
#[test]
fn newest_seal_and_keys_move_beside_the_key_and_have_to_be_writable() {
    let app = log();
    let data = app.app.config.data_dir.clone();
    let place = data.join("keys");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::rename(data.join("audit.key"), place.join("audit.key")).unwrap();
    let moved = KeyFiles::new(&data, Some(&place.join("audit.key")));
    let seal = files(&app).head().unwrap();
    let sealer = || Sealer::new(app.app.sealing.clone(), moved.clone(), false);
    sealer().unwrap().begin().unwrap();
    sealer().unwrap().begin().unwrap();
    assert_eq!(app.events("audit_log.taken_over"), 1);
    assert_eq!((moved.head().unwrap(), data.join("audit.head").exists()), (seal, false));
    assert_eq!((app.events("audit_log.restored"), app.events("audit_key.trusted")), (0, 0));
    let archives = app.app.config.audit_archives();
    app.verify_against(&Against::of(&moved, &archives).unwrap()).unwrap();
    let output = tyrian(&app, &["serve"])
        .env("TYRIAN_LISTEN", "127.0.0.1:0")
        .env("TYRIAN_AUDIT_HEAD_FILE", data.join("nowhere/audit.head"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("TYRIAN_AUDIT_HEAD_FILE"), "{said}");
}
