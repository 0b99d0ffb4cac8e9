//! What the app's own database role could do in the hands of whoever takes it over: the attacks that worked
//! once, each played again, and a walk over the catalogs against a checked-in list.

use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tyrian::kernel::db::embedded::{APP, OWNER, ROLES, SEALER};
use tyrian::kernel::db::migrate::{Roles, excess, migrate};

use crate::harness::app::start;
use crate::harness::database::{TestDatabase, connect};
use crate::harness::{TestApp, texts};

/// An event as the app's role may write one.
const EVENT: &str = "INSERT INTO audit.events (kind, category, outcome, actor_kind, actor_name, sentence)
    VALUES ('settings.updated', 'settings', 'success', 'system', 'System', 'Changed the settings')";

fn refused(conn: &mut PgConnection, sql: &str) -> String {
    conn.batch_execute(&format!("ROLLBACK; {sql}")).expect_err(sql).to_string()
}

#[test]
fn names_of_the_callers_own_mean_nothing_inside_functions_of_the_owner() {
    let app = TestApp::spawn_empty();
    let shadow = "
        CREATE FUNCTION pg_temp.evil(v pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF current_user <> 'tyrian_app' AND current_user <> 'tyrian_sealer' THEN
                EXECUTE 'GRANT ALL ON audit.events TO tyrian_app';
            END IF;
            RETURN true;
        END $$;
        CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.evil(value));
        CREATE DOMAIN pg_temp.bytea AS pg_catalog.bytea CHECK (pg_temp.evil(value::pg_catalog.text));
        CREATE DOMAIN pg_temp.date AS pg_catalog.date CHECK (pg_temp.evil(value::pg_catalog.text));
        CREATE DOMAIN pg_temp.timestamptz AS pg_catalog.timestamptz CHECK \
        (pg_temp.evil(value::pg_catalog.text));
        CREATE TEMPORARY TABLE archives (month pg_catalog.date, root pg_catalog.bytea);";
    let cause = refused(&mut app.as_app(), &format!("BEGIN; {shadow}"));
    assert!(cause.contains("permission denied to create temporary"), "{cause}");
    // Even where the database lets everybody make such names, they are not what the functions mean.
    app.superuser()
        .batch_execute(&format!("GRANT TEMPORARY ON DATABASE {} TO {APP}, {SEALER}", app.database.name()))
        .unwrap();
    app.owner().batch_execute("SELECT audit.make_month('2020-02-01')").unwrap();
    let calls = [
        (app.as_app(), "SELECT audit.make_month('2026-12-01')"),
        (app.as_app(), "SELECT audit.make_month((now() + interval '5 months')::pg_catalog.date)"),
        (
            app.as_sealer(),
            "SELECT audit.record_archive('2020-02-01', 'events-2020-02.jsonl.zst', sha256('x'), sha256(''), \
                0)",
        ),
        (app.as_sealer(), "SELECT audit.drop_month('2020-02-01')"),
    ];
    for (mut conn, call) in calls {
        conn.batch_execute(shadow).unwrap();
        // It succeeds: a call that was refused would take back what it was tricked into.
        conn.batch_execute(call).unwrap_or_else(|e| panic!("{call}: {e}"));
        let granted = texts(&mut conn, "SELECT has_table_privilege('tyrian_app', 'audit.events', 'DELETE')");
        assert_eq!(granted, ["false"], "{call}");
    }
    let unsafe_ones = app.texts(
        "SELECT oid::regprocedure FROM pg_proc WHERE prosecdef \
            AND pronamespace IN ('audit'::regnamespace, 'public'::regnamespace)
            AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c = 'search_path=pg_catalog, pg_temp')",
    );
    assert_eq!(unsafe_ones, Vec::<String>::new(), "functions that run as their owner name pg_temp last");
}

#[test]
fn no_mark_stands_for_an_event() {
    let app = TestApp::spawn();
    let change = "UPDATE settings SET organisation_name = 'Sneaky'";
    let mut conn = app.as_app();
    let attempts = [
        format!(
            "BEGIN; SELECT set_config('tyrian.audited', pg_current_xact_id()::text, true); {change}; COMMIT"
        ),
        // An event that was there when the question was asked, and is no more.
        format!(
            "BEGIN; {change}; SAVEPOINT s; {EVENT}; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s; COMMIT"
        ),
        format!("BEGIN; SAVEPOINT s; {EVENT}; ROLLBACK TO s; {change}; COMMIT"),
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; SET LOCAL search_path = pg_catalog; \
         UPDATE public.settings SET organisation_name = 'x'; COMMIT"
            .to_owned(),
        "BEGIN; DELETE FROM clients; COMMIT".to_owned(),
    ];
    for attempt in attempts {
        let cause = refused(&mut conn, &attempt);
        assert!(cause.contains("without its audit event"), "{attempt}: {cause}");
    }
    conn.batch_execute(&format!("ROLLBACK; BEGIN; {EVENT}; {change}; COMMIT")).unwrap();
    assert_eq!(
        app.texts("SELECT organisation_name FROM settings"),
        ["Sneaky"],
        "with an event it is a change like any other"
    );
}

#[test]
fn no_month_goes_without_its_archive_and_none_within_an_hour_of_a_loosened_setting() {
    let app = TestApp::spawn();
    app.set_audit_clock(start());
    app.owner().batch_execute("SELECT audit.make_month('2020-05-01')").unwrap();
    let mut conn = app.as_app();
    let keep = |days: i32, hold: bool| {
        format!("BEGIN; {EVENT}; UPDATE settings SET audit_days = {days}, legal_hold = {hold}; COMMIT;")
    };
    conn.batch_execute(&keep(3660, true)).unwrap();
    conn.batch_execute(&keep(120, false)).unwrap();
    for call in [
        "SELECT audit.record_archive('2020-05-01', 'events-2020-05.jsonl.zst', decode(repeat('00', 32), \
            'hex'), sha256(''), 0)",
        "SELECT audit.drop_month('2020-05-01')",
    ] {
        assert!(refused(&mut conn, call).contains("permission denied"), "{call}");
    }
    let mut sealer = app.as_sealer();
    sealer
        .batch_execute(
            "SELECT audit.record_archive('2020-05-01', 'events-2020-05.jsonl.zst', \
        sha256('x'), sha256(''), 0)",
        )
        .unwrap();
    assert!(refused(&mut sealer, "SELECT audit.drop_month('2020-05-01')").contains("less than an hour ago"));
    // Whoever changes the settings does not choose when that was.
    let lie = format!("BEGIN; {EVENT}; UPDATE settings SET retention_loosened_at = NULL; COMMIT");
    conn.batch_execute(&lie).unwrap();
    assert!(refused(&mut sealer, "SELECT audit.drop_month('2020-05-01')").contains("less than an hour ago"));
    app.set_audit_clock(start() + chrono::TimeDelta::minutes(61));
    sealer.batch_execute("SELECT audit.drop_month('2020-05-01')").unwrap();
    assert_eq!(app.count("SELECT count(*) FROM pg_tables WHERE tablename = 'events_2020_05'"), 0);
}

/// Every right of the two roles on what is ours, and every one that everybody has, one a line.
const RIGHTS: &str = "
    SELECT r.rolname || ' table ' || n.nspname || '.' || c.relname || ': ' || string_agg(p, ' ' ORDER BY p)
    FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
    WHERE r.rolname = ANY(ROLES) AND n.nspname IN ('public', 'audit') \
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND c.relname !~ '^(events|sealed)_[0-9]{4}_[0-9]{2}$' AND has_table_privilege(r.oid, c.oid, p)
    GROUP BY r.rolname, n.nspname, c.relname
    UNION ALL
    SELECT DISTINCT r.rolname || ' month of the log: ' || p
    FROM pg_roles r, pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', \
    'REFERENCES', 'TRIGGER']) p
    WHERE r.rolname = ANY(ROLES) AND c.relname ~ '^(events|sealed)_[0-9]{4}_[0-9]{2}$' \
    AND has_table_privilege(r.oid, c.oid, p)
    UNION ALL
    SELECT r.rolname || ' columns ' || c.relname || ': ' || p || ' ' || string_agg(a.attname, ' ' \
    ORDER BY a.attnum)
    FROM pg_roles r, pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
    AND a.attnum > 0, unnest(ARRAY['INSERT', 'UPDATE']) p
    WHERE r.rolname = ANY(ROLES) AND c.relnamespace IN ('public'::regnamespace, 'audit'::regnamespace) \
    AND c.relkind IN ('r', 'p')
        AND has_column_privilege(r.oid, c.oid, a.attnum, p) AND NOT has_table_privilege(r.oid, c.oid, p)
    GROUP BY r.rolname, c.relname, p
    UNION ALL
    SELECT r.rolname || ' sequence ' || n.nspname || '.' || c.relname || ': ' || string_agg(p, ' ' ORDER BY p)
    FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(ARRAY['USAGE', \
    'SELECT', 'UPDATE']) p
    WHERE r.rolname = ANY(ROLES) AND n.nspname IN ('public', 'audit') AND c.relkind = 'S' \
    AND has_sequence_privilege(r.oid, c.oid, p)
    GROUP BY r.rolname, n.nspname, c.relname
    UNION ALL
    SELECT r.rolname || ' function ' || f.oid::regprocedure || CASE WHEN f.prosecdef THEN ', as its owner' \
    ELSE '' END
    FROM pg_roles r, pg_proc f LEFT JOIN pg_depend d ON d.objid = f.oid AND d.deptype = 'e'
    WHERE r.rolname = ANY(ROLES) AND f.pronamespace IN ('public'::regnamespace, 'audit'::regnamespace) \
    AND d.objid IS NULL
        AND has_function_privilege(r.oid, f.oid, 'EXECUTE')
    UNION ALL
    SELECT r.rolname || ' schema ' || n.nspname || ': ' || p \
    FROM pg_roles r, pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) p
    WHERE r.rolname = ANY(ROLES) AND n.nspname IN ('public', 'audit') \
    AND has_schema_privilege(r.oid, n.oid, p)
    UNION ALL
    SELECT r.rolname || ' database: ' || p FROM pg_roles r, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) p
    WHERE r.rolname = ANY(ROLES) AND has_database_privilege(r.oid, current_database(), p)
    UNION ALL
    SELECT r.rolname || ' member of ' || g.rolname FROM pg_roles r, pg_roles g
    WHERE r.rolname = ANY(ROLES) AND g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'MEMBER')
    UNION ALL
    SELECT r.rolname || ' owns ' || c.oid::regclass FROM pg_roles r JOIN pg_class c ON c.relowner = r.oid \
    WHERE r.rolname = ANY(ROLES)
    ORDER BY 1";

#[test]
fn the_roles_hold_the_rights_of_the_list_and_no_other() {
    let app = TestApp::spawn_empty();
    let sql = RIGHTS.replace("ROLES", &format!("ARRAY['{APP}', '{SEALER}']"));
    let found = app.texts(&sql).join("\n") + "\n";
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kernel/app_role.txt");
    if std::env::var_os("TYRIAN_BLESS").is_some() {
        std::fs::write(&place, &found).unwrap();
    }
    let listed = std::fs::read_to_string(&place).unwrap();
    assert!(
        found == listed,
        "the rights differ from {}; TYRIAN_BLESS=1 writes them anew. Now:\n{found}",
        place.display()
    );
}

#[test]
fn migrate_takes_what_earlier_versions_gave_and_names_what_it_cannot_take() {
    let database = TestDatabase::empty();
    let dba = || connect(&database.superuser_url());
    // Everything the app's role could have been given by hand or by an earlier version.
    migrate(&database.owner_url(), ROLES).unwrap();
    dba()
        .batch_execute(&format!(
            "GRANT ALL ON ALL TABLES IN SCHEMA public, audit TO {APP}; GRANT UPDATE (sentence) ON \
                audit.events TO {APP};
             GRANT ALL ON ALL FUNCTIONS IN SCHEMA audit TO PUBLIC; GRANT ALL ON SCHEMA audit TO {APP};
             GRANT TEMPORARY ON DATABASE {} TO PUBLIC; GRANT ALL ON SEQUENCE audit.event_order TO {APP}",
            database.name()
        ))
        .unwrap();
    migrate(&database.owner_url(), ROLES).unwrap();
    assert_eq!(excess(&mut dba(), ROLES).unwrap(), Vec::<String>::new());
    let may = |what: &str| texts(&mut dba(), &format!("SELECT {what}"))[0].clone();
    assert_eq!(may(&format!("has_any_column_privilege('{APP}', 'audit.events', 'UPDATE')")), "false");
    assert_eq!(may(&format!("has_database_privilege('{APP}', current_database(), 'TEMPORARY')")), "false");
    // Without a role of its own the app's does the sealer's work.
    let alone = Roles { app: APP, sealer: None };
    migrate(&database.owner_url(), alone).unwrap();
    assert_eq!(may(&format!("has_table_privilege('{APP}', 'audit.seals', 'INSERT')")), "true");
    assert!(excess(&mut dba(), ROLES).unwrap().iter().any(|fault| fault.contains("may write audit.seals")));
    // The role that sealed until now reads the log, and no more.
    assert_eq!(may(&format!("has_table_privilege('{SEALER}', 'audit.seals', 'INSERT')")), "false");
    assert_eq!(may(&format!("has_any_column_privilege('{SEALER}', 'audit.events', 'INSERT')")), "false");
    assert_eq!(
        may(&format!("has_function_privilege('{SEALER}', 'audit.drop_month(date)', 'EXECUTE')")),
        "false"
    );
    migrate(&database.owner_url(), ROLES).unwrap();
    // A database that belongs to somebody else: its owner alone can take the right away.
    dba()
        .batch_execute(&format!(
            "ALTER DATABASE {} OWNER TO postgres; GRANT TEMPORARY ON DATABASE {0} TO PUBLIC; GRANT ALL ON \
                SCHEMA public TO {OWNER}",
            database.name()
        ))
        .unwrap();
    let fault = migrate(&database.owner_url(), ROLES).unwrap_err().to_string();
    assert!(
        fault.contains(&format!(
            "{APP} may make temporary objects: as owner of the database REVOKE TEMPORARY"
        )),
        "{fault}"
    );
    dba().batch_execute(&format!("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", database.name())).unwrap();
    migrate(&database.owner_url(), ROLES).unwrap();
    let as_owner =
        migrate(&database.owner_url(), Roles { app: OWNER, sealer: None }).unwrap_err().to_string();
    assert!(as_owner.contains("may become, the role tyrian_owner"), "{as_owner}");
}

#[test]
fn the_way_to_a_role_that_seals_is_told() {
    let app = TestApp::spawn();
    let mut browser = app.visitor();
    browser.open("/readyz").see("audit role: the app's own cannot seal, archive or drop");
    let run = |sealer: bool, command: &[&str]| {
        let mut tyrian = Command::new(env!("CARGO_BIN_EXE_tyrian"));
        tyrian
            .args(command)
            .env("DATABASE_URL", app.database.app_url())
            .env("TYRIAN_OWNER_DATABASE_URL", app.database.owner_url());
        tyrian.env("TYRIAN_SECRET_KEY", "5".repeat(64)).env("TYRIAN_DATA_DIR", &app.app.config.data_dir);
        if sealer {
            tyrian.env("TYRIAN_SEALER_DATABASE_URL", app.database.sealer_url());
        }
        let output = tyrian.output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    app.seal();
    let said = run(true, &["audit", "verify"]);
    assert!(said.contains("Everything holds") && !said.contains("the app's own role seals"), "{said}");
    let said = run(false, &["audit", "verify"]);
    assert!(said.contains("Set TYRIAN_SEALER_DATABASE_URL, or migrate again without it"), "{said}");
    let said = run(false, &["migrate"]);
    assert!(said.contains("0 migrations applied"), "{said}");
    let said = run(false, &["audit", "verify"]);
    assert!(said.contains("Note: the app's own role seals, archives and drops"), "{said}");
    browser.open("/readyz").see("audit role: the app's own seals, archives and drops");
}
