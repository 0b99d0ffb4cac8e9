//! Migrations go up, down and up again, and a process refuses a schema that is not its own.

use std::process::Command;

use diesel::connection::SimpleConnection;
use tyrian::clock::Clock;
use tyrian::db::embedded::APP;
use tyrian::db::migrate::{Standing, migrate, revert_last, standing};

use crate::harness::database::{TestDatabase, cluster, connect, scratch};
use crate::harness::{TestApp, app};

fn dump(database: &TestDatabase) -> String {
    let url = database.superuser_url();
    let output = Command::new(cluster().tool("pg_dump")).args(["--schema-only", "--no-comments", "-d", &url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Newer versions of pg_dump put a random word into every dump.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")).collect::<Vec<_>>().join("\n")
}

#[test]
fn up_down_and_up_again_give_the_same_schema() {
    let database = TestDatabase::empty();
    let applied = migrate(&database.owner_url(), APP).unwrap();
    assert!(applied >= 6);
    let first = dump(&database);
    for _ in 0..applied {
        revert_last(&database.owner_url()).unwrap();
    }
    let mut conn = connect(&database.superuser_url());
    let left = crate::harness::texts(
        &mut conn,
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    );
    assert_eq!(left, ["public.__diesel_schema_migrations"], "down leaves nothing behind");
    assert_eq!(migrate(&database.owner_url(), APP).unwrap(), applied);
    assert_eq!(first, dump(&database));
    assert_eq!(migrate(&database.owner_url(), APP).unwrap(), 0, "a second run has nothing to do");
    assert_eq!(first, dump(&database), "and changes nothing");
}

#[test]
fn several_processes_migrate_at_once() {
    let database = TestDatabase::empty();
    let url = database.owner_url();
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&url, APP).unwrap())).collect();
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
        tyrian::server::boot(config, Clock::standing_at(app::start())).map(drop)
    };
    boot().unwrap();

    app.owner().batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").unwrap();
    assert_eq!(standing(&mut app.as_app()).unwrap(), Standing::Newer);
    assert!(boot().unwrap_err().to_string().contains("migrated by a newer version"));

    app.owner().batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'").unwrap();
    revert_last(&app.database.owner_url()).unwrap();
    assert_eq!(standing(&mut app.as_app()).unwrap(), Standing::Older(1));
    assert!(boot().unwrap_err().to_string().contains("run `tyrian migrate`"));
}
