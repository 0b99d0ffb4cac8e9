//! No change without its event, and no event that can be changed.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tyrian::kernel::base::error::Error;
use tyrian::kernel::event::domain::{Actor, Event, Kind};

use crate::harness::TestApp;
use crate::harness::fixtures::{LEA, OWN};

/// Tables whose rows are no act of a person: everything else refuses a change without its event.
const UNWATCHED: &[&str] = &[
    "__diesel_schema_migrations",
    "attempt_counts",
    "audit_verifications",
    "drafts",
    "engagement_activity",
    "exchanged_texts",
    "job_runs",
    "known_devices",
    "library_import_changes",
    "library_imports",
    "notices",
    "one_time_links",
    "person_sections",
    "recovery_codes",
    "refusal_counts",
    "secret_key",
    "sessions",
];

fn rename(conn: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query("UPDATE clients SET name = 'Renamed' WHERE name = $1")
        .bind::<diesel::sql_types::Text, _>(OWN)
        .execute(conn)
}

#[test]
fn every_table_but_the_listed_ones_is_watched() {
    let app = TestApp::spawn_empty();
    let unwatched = app.texts(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
            AND c.relkind IN ('r', 'p')
         AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
             WHERE t.tgrelid = c.oid AND f.proname = 'require_event' AND t.tgdeferrable \
             AND t.tginitdeferred AND t.tgenabled = 'O')
         ORDER BY 1",
    );
    assert_eq!(unwatched, UNWATCHED);
}

#[test]
fn a_change_without_an_event_is_not_committed() {
    let app = TestApp::spawn();
    let lied = app.db.write_blocking(&Actor::command(), |tx| {
        rename(tx.conn)?;
        Ok(tx.unchanged(()))
    });
    assert!(
        matches!(&lied, Err(Error::Internal(cause)) if format!("{cause:#}").contains("without its audit \
            event")),
        "{lied:?}"
    );
    let unaudited = app.db.write_unaudited_blocking("a lie", |conn| Ok(rename(conn)?));
    assert!(unaudited.is_err());
    assert!(rename(&mut app.as_app()).is_err(), "nor past the app");
    assert!(rename(&mut app.owner()).is_err(), "nor by the owner");
    assert_eq!(app.count(&format!("SELECT count(*) FROM clients WHERE name = $name${OWN}$name$")), 1);
}

#[test]
fn an_event_of_an_earlier_transaction_proves_nothing() {
    let app = TestApp::spawn();
    let mut conn = app.as_app();
    conn.transaction(|conn| {
        diesel::sql_query(
            "INSERT INTO audit.events (kind, category, outcome, actor_kind, actor_name, \
            sentence) VALUES ('job.run', 'system', 'success', 'system', 'System', 'Ran')",
        )
        .execute(conn)
    })
    .unwrap();
    assert!(rename(&mut conn).is_err());
}

#[test]
fn a_change_and_its_event_commit_together_or_not_at_all() {
    let app = TestApp::spawn();
    let before = app.count("SELECT count(*) FROM audit.events");
    let failed: tyrian::kernel::base::error::Result<()> = app.db.write_blocking(&Actor::command(), |tx| {
        rename(tx.conn)?;
        tx.audited((), Event::new(Kind::ClientUpdated, "Renamed the client"))?;
        Err(Error::Refused("No.".into()))
    });
    assert!(failed.is_err());
    assert_eq!(app.count("SELECT count(*) FROM audit.events"), before);
    assert_eq!(app.count("SELECT count(*) FROM clients WHERE name = 'Renamed'"), 0);
    let empty = app.db.write_blocking(&Actor::command(), |tx| tx.audited_all((), &[]));
    assert!(empty.is_err(), "no events are no audit");
}

#[test]
fn reading_connections_cannot_write() {
    let app = TestApp::spawn();
    let written = app.db.read_blocking(|conn| Ok(diesel::sql_query("DELETE FROM sessions").execute(conn)?));
    assert!(format!("{:?}", written.unwrap_err()).contains("read-only"));
}

/// What the app's own role may not do, whoever takes it over.
const FORBIDDEN: &[&str] = &[
    "UPDATE audit.events SET sentence = 'Nothing happened'",
    "UPDATE audit.events SET at = at - interval '1 year'",
    "DELETE FROM audit.events",
    "TRUNCATE audit.events",
    "DROP TABLE audit.events CASCADE",
    "ALTER TABLE audit.events DISABLE TRIGGER ALL",
    "ALTER TABLE audit.events ADD COLUMN x text",
    "INSERT INTO audit.events (at, kind, category, outcome, actor_kind, actor_name, sentence) \
        VALUES (now() - interval '1 day', 'job.run', 'system', 'success', 'system', 'System', 'Ran')",
    "INSERT INTO audit.events (id, kind, category, outcome, actor_kind, actor_name, sentence) \
        VALUES (1, 'job.run', 'system', 'success', 'system', 'System', 'Ran')",
    "INSERT INTO audit.events (transaction_id, kind, category, outcome, actor_kind, actor_name, sentence) \
        VALUES ('1', 'job.run', 'system', 'success', 'system', 'System', 'Ran')",
    "SELECT setval('audit.event_order', 1)",
    "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT timestamptz \
        ''2020-01-01'''",
    "CREATE OR REPLACE FUNCTION audit.require_event() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN \
        NULL; END'",
    "INSERT INTO audit.archives (month, file_name, digest, events) \
        VALUES ('2020-01-01', 'x', sha256('x'), 0)",
    "UPDATE audit.seals SET root = sha256('x')",
    "DELETE FROM audit.seals",
    "TRUNCATE audit.sealed",
    "UPDATE audit.sealed SET number = 0",
    "DELETE FROM audit.boundary_leaves",
    "UPDATE audit.archives SET events = 0",
    "DELETE FROM audit.archives",
    "INSERT INTO audit.seals SELECT * FROM audit.seals",
    "INSERT INTO audit.sealed (at, id, number, leaf) VALUES (now(), 1, 1, sha256('x'))",
    "INSERT INTO audit.boundary_leaves (number, leaf) VALUES (1, sha256('x'))",
    "SELECT audit.record_archive('2020-01-01', 'events-2020-01.jsonl.zst', sha256('x'), sha256('x'), 0)",
    "SELECT audit.drop_month('2020-01-01')",
    "DELETE FROM settings",
    "INSERT INTO settings DEFAULT VALUES",
    "CREATE TEMPORARY TABLE mine (x int)",
    "SELECT audit.watch('sessions')",
    "ALTER TABLE clients DISABLE TRIGGER audited",
    "DROP TRIGGER audited ON clients",
    "SET session_replication_role = replica",
    "UPDATE field_history SET value = ''",
    "DELETE FROM field_history",
    "UPDATE report_revisions SET body = '{}'",
    "DELETE FROM report_revisions",
    "UPDATE library_procedure_versions SET body = '{}'",
    "DELETE FROM library_procedure_versions",
    "UPDATE __diesel_schema_migrations SET version = '1'",
    "CREATE TABLE public.mine (x int)",
    "CREATE TABLE audit.mine (x int)",
];

#[test]
fn the_apps_role_can_add_events_and_read_them_and_nothing_else() {
    let app = TestApp::spawn();
    let mut statements: Vec<String> = FORBIDDEN.iter().map(|s| (*s).to_owned()).collect();
    let partitions = app.texts(
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'audit.events'::regclass ORDER BY 1",
    );
    assert!(partitions.len() >= 4, "this month and three ahead");
    for partition in &partitions {
        statements.extend([
            format!("SELECT count(*) FROM {partition}"),
            format!(
                "INSERT INTO {partition} (kind, category, outcome, actor_kind, actor_name, sentence) \
                VALUES ('job.run', 'system', 'success', 'system', 'System', 'Ran')"
            ),
            format!("UPDATE {partition} SET sentence = ''"),
            format!("DELETE FROM {partition}"),
            format!("TRUNCATE {partition}"),
            format!("ALTER TABLE audit.events DETACH PARTITION {partition}"),
            format!("DROP TABLE {partition}"),
        ]);
    }
    let mut conn = app.as_app();
    for statement in statements {
        let said = conn.transaction(|conn| conn.batch_execute(&statement));
        let cause = said.expect_err(&statement).to_string();
        assert!(
            cause.contains("permission denied") || cause.contains("must be owner"),
            "{statement}: {cause}"
        );
    }
    assert!(app.count("SELECT count(*) FROM audit.events") > 0);
}

#[test]
fn months_are_made_once_and_dropped_only_below_the_floor_with_an_archive() {
    let app = TestApp::spawn_empty();
    let mut conn = app.as_app();
    let made = |conn: &mut PgConnection, month: &str| {
        diesel::sql_query(format!("SELECT audit.make_month('{month}')"))
            .execute(conn)
            .map_err(|e| e.to_string())
    };
    made(&mut conn, "2020-02-01").unwrap();
    made(&mut conn, "2020-02-15").unwrap();
    assert!(made(&mut conn, "2999-01-01").unwrap_err().contains("too far ahead"));
    let mut sealer = app.as_sealer();
    let mut asks = |sql: &str| diesel::sql_query(sql).execute(&mut sealer).map_err(|e| e.to_string());
    let none = "sha256('')";
    assert!(asks("SELECT audit.drop_month(current_date)").unwrap_err().contains("still shown"));
    assert!(asks("SELECT audit.drop_month('2020-02-01')").unwrap_err().contains("no recorded archive"));
    let mut record = |month: &str, file: &str, root: &str, events: i64| {
        asks(&format!("SELECT audit.record_archive('{month}', '{file}', sha256('x'), {root}, {events})"))
    };
    assert!(record("2020-02-01", "../a.zst", none, 0).unwrap_err().contains("another name"));
    assert!(record("2999-01-01", "x", none, 0).unwrap_err().contains("still shown"));
    assert!(
        record("2020-02-01", "events-2020-02.jsonl.zst", none, 1)
            .unwrap_err()
            .contains("does not hold what was sealed")
    );
    assert!(
        record("2020-02-01", "events-2020-02.jsonl.zst", "sha256('x')", 0)
            .unwrap_err()
            .contains("does not hold what was sealed")
    );
    record("2020-02-01", "events-2020-02.jsonl.zst", none, 0).unwrap();
    let mut asks = |sql: &str| diesel::sql_query(sql).execute(&mut sealer).map_err(|e| e.to_string());
    asks("SELECT audit.drop_month('2020-02-01')").unwrap();
    assert_eq!(app.count("SELECT count(*) FROM pg_tables WHERE tablename = 'events_2020_02'"), 0);
}

#[test]
fn events_carry_the_databases_time_and_order() {
    use chrono::{TimeZone, Utc};
    let app = TestApp::spawn();
    app.set_audit_clock(Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap());
    app.clock.set(Utc.with_ymd_and_hms(2031, 1, 1, 0, 0, 0).unwrap());
    app.db.write_blocking(&Actor::command(), |tx| tx.audited((), Event::new(Kind::JobRun, "Ran"))).unwrap();
    let at = app.texts(
        "SELECT at AT TIME ZONE 'UTC' FROM audit.events WHERE kind = 'job.run' ORDER BY id DESC LIMIT 1",
    );
    assert_eq!(at, ["2026-07-01 00:00:00"], "the app's clock has no say");
}

#[test]
fn an_event_says_who_from_where_and_under_which_request() {
    let app = TestApp::spawn();
    let mut browser = app.visitor();
    browser
        .open("/sign-in")
        .fill("E-mail", &app.people.lead.email)
        .fill("Password", crate::harness::fixtures::PASSWORD)
        .press("Sign in");
    let row = app.texts(
        "SELECT actor_name || '|' || actor_email || '|' || address || '|' || (request_id IS NOT NULL) || \
            '|' || category
         FROM audit.events WHERE kind = 'session.started'",
    );
    assert_eq!(row, [format!("{LEA}|{}|127.0.0.1|true|sign_in", app.people.lead.email)]);
}
