//! Migrations go up, down and up again, and a process refuses a schema that is not its own.

use std::process::Command;

use diesel::connection::SimpleConnection;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::db::embedded::{OWNER, ROLES};
use tyrian::kernel::db::migrate::{Standing, migrate, revert_last, standing};

use crate::harness::database::{TestDatabase, cluster, connect, scratch};
use crate::harness::fixtures::Person;
use crate::harness::{TestApp, app};

fn dump(database: &TestDatabase) -> String {
    let url = database.superuser_url();
    let output = Command::new(cluster().tool("pg_dump"))
        .args(["--schema-only", "--no-comments", "-d", &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Newer versions of pg_dump put a random word into every dump.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn up_down_and_up_again_give_the_same_schema() {
    let database = TestDatabase::empty();
    let applied = migrate(&database.owner_url(), ROLES).unwrap();
    assert!(applied >= 6);
    let first = dump(&database);
    for _ in 0..applied {
        revert_last(&database.owner_url()).unwrap();
    }
    let mut conn = connect(&database.superuser_url());
    let left = crate::harness::texts(
        &mut conn,
        "SELECT schemaname || '.' || tablename FROM pg_tables \
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    );
    assert_eq!(left, ["public.__diesel_schema_migrations"], "down leaves nothing behind");
    assert_eq!(migrate(&database.owner_url(), ROLES).unwrap(), applied);
    assert_eq!(first, dump(&database));
    assert_eq!(migrate(&database.owner_url(), ROLES).unwrap(), 0, "a second run has nothing to do");
    assert_eq!(first, dump(&database), "and changes nothing");
}

#[test]
fn several_processes_migrate_at_once() {
    let database = TestDatabase::empty();
    let url = database.owner_url();
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&url, ROLES).unwrap())).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|n| **n > 0).count(), 1, "one of them did it all: {applied:?}");
}

#[test]
fn a_schema_of_another_version_is_refused_with_a_sentence() {
    let app = TestApp::spawn();
    assert_eq!(standing(&mut app.as_app()).unwrap(), Standing::Current);
    let boot = || {
        let mut config = app::config(&scratch().join("data").join(app.database.name()));
        config.database_url = Some(app.database.app_url());
        config.sealer_database_url = Some(app.database.sealer_url());
        tyrian::server::boot(config, Clock::standing_at(app::start())).map(drop)
    };
    boot().unwrap();

    app.owner()
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .unwrap();
    assert_eq!(standing(&mut app.as_app()).unwrap(), Standing::Newer);
    assert!(boot().unwrap_err().to_string().contains("migrated by a newer version"));

    app.owner()
        .batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'")
        .unwrap();
    revert_last(&app.database.owner_url()).unwrap();
    assert_eq!(standing(&mut app.as_app()).unwrap(), Standing::Older(1));
    assert!(boot().unwrap_err().to_string().contains("run `tyrian migrate`"));
}

/// The release before this one, with its demo data and a log that it sealed.
const BEFORE: &str = "1e43135";

#[test]
fn a_database_of_the_release_before_migrates_its_pages_open_and_its_log_holds() {
    let released = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kernel/released");
    let database = TestDatabase::empty();
    let restored = Command::new(cluster().tool("pg_restore"))
        .args(["--no-owner", "--role", OWNER, "--exit-on-error", "-d", &database.superuser_url()])
        .arg(released.join(format!("{BEFORE}.dump")))
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(migrate(&database.owner_url(), ROLES).unwrap() >= 1);
    // Its months end where the release made them.
    connect(&database.owner_url()).batch_execute("SELECT audit.make_month(current_date)").unwrap();
    let app = TestApp::on(database);
    app.clock.set(chrono::DateTime::parse_from_rfc3339("2026-11-28T08:00:00Z").unwrap().to_utc());
    std::fs::create_dir_all(&app.app.config.data_dir).unwrap();
    for file in ["pub", "head"] {
        let kept = released.join(format!("{BEFORE}.{file}"));
        std::fs::copy(kept, app.app.config.data_dir.join(format!("audit.{file}"))).unwrap();
    }
    let person = |email: &str| {
        let id = app.texts(&format!("SELECT id FROM people WHERE email = '{email}'"));
        Person { id: id[0].parse().unwrap(), name: email.into(), email: email.into() }
    };
    let mut browser = app.browser(&person("marit@tyrian.example"));
    let mut pages: Vec<String> =
        ["/", "/engagements", "/schedule", "/reports", "/clients", "/library/procedures", "/test-plans"]
            .into_iter()
            .chain([
                "/admin",
                "/admin/users",
                "/admin/roles",
                "/admin/access",
                "/admin/audit-log",
                "/admin/jobs",
                "/account",
            ])
            .map(str::to_owned)
            .collect();
    pages.extend(
        app.texts("SELECT '/engagements/' || id || '?open=all' FROM engagements WHERE deleted_at IS NULL"),
    );
    pages.extend(app.texts("SELECT '/reports/' || id FROM reports"));
    pages.extend(app.texts("SELECT '/clients/' || id FROM clients"));
    pages.extend(app.texts(
        "SELECT '/engagements/' || engagement_id || '/procedures/' || p.id FROM procedures p \
            JOIN engagements e ON e.id = p.engagement_id
         WHERE e.deleted_at IS NULL ORDER BY p.id LIMIT 40",
    ));
    for page in pages {
        browser.open(&page).expect(200);
    }
    // The key was the release's own; its newest seal and list of keys are here.
    let report = app.verify().unwrap();
    assert!(report.verified.events >= 221, "{report:?}");
    let odd: Vec<_> =
        report.notes.iter().filter(|note| !note.contains("after the oldest of its events")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}
