//! How long the log is kept: what is due is archived and dropped, nothing else, and a hold stops it.

use chrono::{DateTime, TimeZone, Utc};
use diesel::connection::SimpleConnection;
use tyrian::audit::log::query::Filter;
use tyrian::audit::log::request::{ExportRequest, Format};
use tyrian::audit::log::store::matching::Scope;
use tyrian::audit::log::store::search::WALKED;
use tyrian::audit::proof::seal::KeyFiles;
use tyrian::jobs::find;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::kernel::job::{Done, Trigger, run};

use crate::harness::TestApp;

fn at(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 12, 0, 0).unwrap()
}

fn write(app: &TestApp, sentence: &str) {
    app.db
        .write_blocking(&Actor::command(), |tx| tx.audited((), Event::new(Kind::JobRun, sentence)))
        .unwrap();
}

fn refresh(app: &TestApp) -> Done {
    run(&app.app.reach(), find("audit-refresh").unwrap(), Trigger::Tick, None).unwrap()
}

fn months(app: &TestApp) -> Vec<String> {
    app.texts(
        "SELECT right(relname, 7) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
        WHERE i.inhparent = 'audit.events'::regclass ORDER BY 1",
    )
}

/// A log with an event in each of these months, sealed.
fn with_months(months: &[(i32, u32)]) -> TestApp {
    let app = TestApp::spawn();
    app.superuser().batch_execute("TRUNCATE audit.events").unwrap();
    for (year, month) in months {
        app.set_audit_clock(at(*year, *month, 15));
        write(&app, &format!("Ran in {year}-{month:02}"));
        write(&app, &format!("Ran again in {year}-{month:02}"));
        app.seal();
    }
    app
}

#[test]
fn the_floor_is_the_first_of_the_month_less_120_days() {
    let app = TestApp::spawn_empty();
    // Month ends, a leap day, and the nights on which clocks change.
    for (now, floor) in [
        ("2026-11-20 09:00", "2026-07-04"),
        ("2026-11-01 00:00", "2026-07-04"),
        ("2026-10-31 23:59", "2026-06-03"),
        ("2028-02-29 12:00", "2027-10-04"),
        ("2028-07-01 00:00", "2028-03-03"),
        ("2026-03-29 01:30", "2025-11-01"),
        ("2027-01-01 00:00", "2026-09-03"),
    ] {
        app.owner()
            .batch_execute(&format!(
                "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT \
                    timestamptz ''{now}:00+00'''"
            ))
            .unwrap();
        assert_eq!(
            app.texts("SELECT to_char(audit.floor() AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
            [floor],
            "{now}"
        );
    }
    app.superuser()
        .batch_execute("SET session_replication_role = replica; UPDATE settings SET audit_days = 365")
        .unwrap();
    assert_eq!(app.texts("SELECT to_char(audit.floor() AT TIME ZONE 'UTC', 'YYYY-MM-DD')"), ["2026-01-01"]);
}

#[test]
fn whole_months_below_the_floor_are_archived_and_dropped_and_the_rest_stays() {
    let app = with_months(&[(2026, 5), (2026, 6), (2026, 7), (2026, 10)]);
    app.set_audit_clock(at(2026, 11, 1));
    app.clock.set(at(2026, 11, 1));
    let done = refresh(&app);
    assert_eq!(done.skipped, 0, "{:?}", done.left_over);
    // The floor is 4 July: July is shown in part and stays whole.
    let kept = months(&app);
    assert!(!kept.iter().any(|month| ["2026_05", "2026_06"].contains(&month.as_str())), "{kept:?}");
    assert!(kept.contains(&"2026_07".to_owned()));
    assert_eq!((app.events("audit_month.archived"), app.events("audit_month.dropped")), (2, 2));
    for month in ["2026-05", "2026-06"] {
        assert!(app.app.config.audit_archives().join(format!("events-{month}.jsonl.zst")).exists());
    }
    assert_eq!(app.count("SELECT sum(events) FROM audit.archives"), 4);
    assert_eq!(refresh(&app), Done::default(), "twice is once");
}

#[test]
fn after_months_of_downtime_only_what_is_needed_is_made_and_what_is_due_is_dropped() {
    let app = with_months(&[(2025, 11), (2025, 12)]);
    app.set_audit_clock(at(2028, 2, 29));
    app.superuser().batch_execute("DROP TABLE audit.events_2028_02, audit.sealed_2028_02").unwrap();
    app.clock.set(at(2028, 2, 29));
    let done = refresh(&app);
    assert_eq!(done.skipped, 0, "{:?}", done.left_over);
    assert_eq!(months(&app), ["2028_02", "2028_03", "2028_04", "2028_05"]);
    assert_eq!(
        app.texts("SELECT month FROM audit.archives ORDER BY 1 LIMIT 2"),
        ["2025-11-01", "2025-12-01"]
    );
}

#[test]
fn a_batch_that_reaches_over_the_turn_of_a_month_still_proves_what_is_left_of_it() {
    let app = with_months(&[]);
    app.set_audit_clock(Utc.with_ymd_and_hms(2026, 6, 30, 23, 59, 59).unwrap());
    for n in 0..3 {
        write(&app, &format!("Ran before midnight {n}"));
    }
    app.set_audit_clock(Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap());
    for n in 0..4 {
        write(&app, &format!("Ran after midnight {n}"));
    }
    app.seal();
    assert_eq!(app.count("SELECT count(*) FROM audit.seals"), 1, "one batch over both months");
    app.set_audit_clock(at(2026, 11, 1));
    app.clock.set(at(2026, 11, 1));
    let done = refresh(&app);
    assert_eq!(done.skipped, 0, "{:?}", done.left_over);
    assert!(!months(&app).contains(&"2026_06".to_owned()) && months(&app).contains(&"2026_07".to_owned()));
    assert_eq!(app.count("SELECT count(*) FROM audit.boundary_leaves"), 3);
    app.seal();
    let verified = || app.verify();
    verified().unwrap();
    // July is shown from the 4th on; what is proved here is the part of the batch that is still a row.
    let mut conn = app.db.connect().unwrap();
    let mut export = Vec::new();
    let wanted = ExportRequest {
        scope: Scope { clients: None, from: None, to: None, walked: WALKED },
        filter: Filter::default(),
        event: None,
        proof: true,
        format: Format::Jsonl,
        zone: chrono_tz::UTC,
    };
    let ended = tyrian::audit::log::export::write(&mut conn, &wanted, &mut |chunk| {
        export.extend(chunk);
        true
    });
    assert_eq!(ended.cut, None);
    // Its transaction ends with it.
    drop(conn);
    let trusted = KeyFiles::of(&app.app.config).trusted().unwrap();
    let Ok(proved) = tyrian::audit::proof::inclusion::check(export.as_slice(), &trusted, |_| {}) else {
        panic!("not proved")
    };
    assert!(proved.complete && proved.events >= 4);
    // Whoever changes the leaves that are kept for that is told.
    app.superuser()
        .batch_execute("UPDATE audit.boundary_leaves SET leaf = sha256('x') WHERE number = 2")
        .unwrap();
    assert!(verified().unwrap_err().contains("leaf kept for"), "told");
    app.superuser().batch_execute("DELETE FROM audit.boundary_leaves WHERE number = 2").unwrap();
    assert!(verified().unwrap_err().contains("leaf kept for"), "told");
    // And an archive that is gone together with its record is named for what it is.
    app.superuser().batch_execute("TRUNCATE audit.boundary_leaves, audit.archives").unwrap();
    assert!(verified().unwrap_err().contains("archive of June 2026 is missing"), "{:?}", verified());
}

#[test]
fn a_legal_hold_keeps_everything() {
    let app = with_months(&[(2026, 5)]);
    app.set_audit_clock(at(2026, 11, 1));
    let mut browser = app.browser(&app.people.administrator);
    browser.open("/admin/settings").check("Legal hold").press("Save settings").see("Settings saved");
    let done = refresh(&app);
    assert!(done.left_over[0].contains("legal hold"), "{done:?}");
    assert!(months(&app).contains(&"2026_05".to_owned()));
    assert!(
        app.as_sealer()
            .batch_execute("SELECT audit.drop_month('2026-05-01')")
            .unwrap_err()
            .to_string()
            .contains("legal hold")
    );
    browser
        .open("/admin/settings")
        .uncheck("Legal hold")
        .fill("The audit log is shown for at least this many days", "119");
    browser.press("Save settings").see("between 120 and 3660");
    browser
        .fill("The audit log is shown for at least this many days", "120")
        .press("Save settings")
        .see("Settings saved");
    let done = refresh(&app);
    assert!(done.left_over[0].contains("less than an hour ago"), "{done:?}");
    app.set_audit_clock(at(2026, 11, 1) + chrono::TimeDelta::minutes(61));
    assert_eq!(refresh(&app).skipped, 0);
    assert!(!months(&app).contains(&"2026_05".to_owned()));
}

#[test]
fn what_is_not_sealed_is_not_dropped_and_what_was_changed_is_told() {
    let app = with_months(&[(2026, 5)]);
    write(&app, "Not sealed");
    app.set_audit_clock(at(2026, 11, 1));
    let done = refresh(&app);
    assert!(done.left_over[0].contains("not every event of the month is sealed"), "{done:?}");
    app.seal();
    app.superuser()
        .batch_execute("UPDATE audit.events SET sentence = 'Other' WHERE sentence LIKE 'Ran again%'")
        .unwrap();
    let done = refresh(&app);
    assert!(done.left_over[0].contains("is not what was sealed"), "{done:?}");
    assert!(months(&app).contains(&"2026_05".to_owned()));
}

#[test]
fn a_drop_that_was_interrupted_after_its_archive_goes_on_and_nodes_do_it_once() {
    let app = with_months(&[(2026, 4), (2026, 5)]);
    app.set_audit_clock(at(2026, 11, 1));
    // Somebody reads the log for long: the drop gives way and the archive stays.
    let mut reader = app.as_app();
    reader.batch_execute("BEGIN; SELECT count(*) FROM audit.events").unwrap();
    let held = std::thread::scope(|scope| {
        let job = scope.spawn(|| refresh(&app));
        job.join().unwrap()
    });
    assert!(held.left_over.iter().any(|line| line.contains("archived, and dropped another day")), "{held:?}");
    assert_eq!(app.events("audit_month.archived"), 1, "months go in their order");
    reader.batch_execute("COMMIT").unwrap();
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| refresh(&app))).collect();
        nodes.into_iter().for_each(|node| drop(node.join().unwrap()));
    });
    refresh(&app);
    assert_eq!((app.events("audit_month.archived"), app.events("audit_month.dropped")), (2, 2));
    assert!(!months(&app).iter().any(|month| month.as_str() < "2026_07"));
}
