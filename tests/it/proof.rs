//! The proof of the audit log: it holds whatever the app does, and names whatever somebody else did.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use tyrian::audit::proof::inclusion;
use tyrian::audit::proof::seal::{KeyFiles, Seal};
use tyrian::audit::proof::sealer::Sealer;
use tyrian::audit::proof::store::verify::Against;
use tyrian::audit::proof::verify::{Halt, Report, Verified, Wrong};
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::db::embedded::{APP, Cluster, Durability, OWNER, ROLES, SEALER, installed};
use tyrian::kernel::db::migrate::migrate;
use tyrian::kernel::db::{Db, PoolSize};
use tyrian::kernel::event::domain::{Actor, Event, Kind};

use crate::harness::database::{connect, scratch};
use crate::harness::{self, TestApp, texts};

fn files(app: &TestApp) -> KeyFiles {
    KeyFiles::of(&app.app.config)
}

fn judged(
    db: &Db,
    files: &KeyFiles,
    kept: Vec<(String, Seal)>,
    archives: &std::path::Path,
) -> Result<Report, String> {
    let against = Against { kept, head: None, ..Against::of(files, archives).unwrap() };
    harness::verified(db, &against)
}

/// As `tyrian audit verify` does it.
fn verified(app: &TestApp) -> Result<Verified, String> {
    app.verify().map(|report| report.verified)
}

fn day(month: u32, day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, month, day, hour, 0, 0).unwrap()
}

/// Forgets what the template database brought along: its events have the real time.
fn begin_anew(app: &TestApp) {
    app.superuser().batch_execute("TRUNCATE audit.events").unwrap();
}

fn write(app: &TestApp, from: usize, count: usize) {
    let event = |n: usize| {
        Event::new(Kind::ClientUpdated, format!("Changed the client number {n}"))
            .subject("client", app.clients.own.0, format!("Number {n}"))
            .client(app.clients.own)
            .detail(serde_json::json!({ "n": n, "text": "a\u{202e}\"\\\n\u{1b}" }))
    };
    for n in from..from + count {
        app.db.write_blocking(&Actor::command(), |tx| tx.audited((), event(n))).unwrap();
    }
}

#[test]
fn numbers_have_no_gap_and_everything_holds() {
    let app = TestApp::spawn();
    app.seal();
    write(&app, 0, 1_203);
    app.seal();
    let done = verified(&app).unwrap();
    assert_eq!(done.events, app.count("SELECT count(*) FROM audit.events"));
    assert_eq!(done.unsealed, 0);
    assert_eq!(
        app.count("SELECT count(DISTINCT number) FROM audit.sealed"),
        app.count("SELECT max(number) FROM audit.sealed")
    );
    assert_eq!(app.count("SELECT max(last_number - first_number + 1) FROM audit.seals"), 500);
    write(&app, 0, 3);
    let done = verified(&app).unwrap();
    assert_eq!(done.unsealed, 3, "what is not sealed yet is no fault");
}

#[test]
fn a_few_events_wait_and_are_sealed_when_they_have_waited() {
    use tyrian::audit::proof::store::seal::Turn;
    let app = TestApp::spawn();
    begin_anew(&app);
    app.set_audit_clock(day(11, 20, 9));
    write(&app, 0, 3);
    let sealer = app.sealer();
    assert!(!matches!(sealer.turn(TimeDelta::seconds(2)).unwrap(), Turn::Sealed(..)));
    app.set_audit_clock(day(11, 20, 9) + TimeDelta::seconds(2));
    app.seal();
    assert_eq!(app.count("SELECT last_number FROM audit.seals"), 3);
}

#[test]
fn an_event_of_a_long_transaction_is_sealed_though_others_came_before_and_after() {
    use diesel::prelude::*;
    let app = TestApp::spawn();
    app.seal();
    let mut slow = app.as_app();
    slow.batch_execute("BEGIN").unwrap();
    let sql = "INSERT INTO audit.events (kind, category, outcome, actor_kind, actor_name, sentence) \
        VALUES ('job.run', 'system', 'success', 'system', 'System', 'Slow')";
    diesel::sql_query(sql).execute(&mut slow).unwrap();
    write(&app, 0, 5);
    app.sealer().seal_all().unwrap();
    assert!(verified(&app).is_ok());
    slow.batch_execute("COMMIT").unwrap();
    write(&app, 5, 5);
    app.seal();
    verified(&app).unwrap();
}

#[test]
fn no_false_alarm_under_32_writers() {
    use diesel::prelude::*;
    let app = TestApp::spawn();
    app.seal();
    let urls: Vec<String> = vec![app.database.app_url(); 32];
    std::thread::scope(|scope| {
        let writers: Vec<_> = urls
            .iter()
            .enumerate()
            .map(|(w, url)| {
                scope.spawn(move || {
                    let mut conn = connect(url);
                    for n in 0..25 {
                        // Some commit at once, some late, some never.
                        let end = match (w + n) % 9 {
                            0 => "SELECT pg_sleep(0.02); COMMIT",
                            1 => "ROLLBACK",
                            _ => "COMMIT",
                        };
                        conn.batch_execute("BEGIN").unwrap();
                        diesel::sql_query(
                            "INSERT INTO audit.events (kind, category, outcome, actor_kind, \
                            actor_name, sentence) SELECT 'job.run', 'system', 'success', 'system', \
                            'System', 'Ran ' || n FROM generate_series(1, 1 + $1 % 3) n",
                        )
                        .bind::<diesel::sql_types::Integer, _>(n as i32)
                        .execute(&mut conn)
                        .unwrap();
                        conn.batch_execute(end).unwrap();
                    }
                })
            })
            .collect();
        let sealers: Vec<_> = (0..2)
            .map(|_| {
                let sealer = app.sealer();
                scope.spawn(move || (0..60).for_each(|_| drop(sealer.turn(TimeDelta::zero()).unwrap())))
            })
            .collect();
        let mut rounds = 0;
        while writers.iter().any(|writer| !writer.is_finished()) || rounds < 5 {
            let against = files(&app).trusted().unwrap();
            assert!(!against.is_empty());
            judged(&app.db, &files(&app), Vec::new(), &app.app.config.audit_archives()).unwrap();
            rounds += 1;
        }
        sealers.into_iter().for_each(|sealer| sealer.join().unwrap());
    });
    app.seal();
    let done = verified(&app).unwrap();
    assert_eq!(done.events, app.count("SELECT count(*) FROM audit.events"));
}

/// What a superuser could do to the log, and what it has to be called.
struct Tamper {
    sql: String,
    wrong: &'static [Wrong],
}

const COLUMNS: &str = "at, id, transaction_id, kind, category, outcome, reason, actor_kind, actor_id, \
    actor_name, actor_email, on_behalf_of, subject_type, subject_id, subject_label, about_person, \
    client_id, engagement_id, address, user_agent, request_id, sentence, detail, search_values";

/// The n-th way, at a random event `a`, another one `b`, and seal `s` of those that are still here.
fn tamper(way: usize, a: i64, b: i64, s: i64) -> Tamper {
    let event = |n: i64| format!("(at, id) = (SELECT at, id FROM audit.sealed WHERE number = {n})");
    let place = |n: i64| format!("SELECT at, id FROM audit.sealed WHERE number = {n}");
    let change = |set: &str| format!("UPDATE audit.events SET {set} WHERE {}", event(a));
    let copy = |at: &str, transaction: &str| {
        let columns = COLUMNS.replacen(
            "at, id, transaction_id",
            &format!("{at}, nextval('audit.event_order'), {transaction}"),
            1,
        );
        format!("INSERT INTO audit.events ({COLUMNS}) SELECT {columns} FROM audit.events WHERE {}", event(a))
    };
    use Wrong::*;
    let (sql, wrong): (String, &'static [Wrong]) = match way % 20 {
        0 => (change("sentence = sentence || '.'"), &[Changed]),
        1 => (change("actor_name = 'Somebody else'"), &[Changed]),
        2 => (change("detail = detail || '{\"n\": -1}'"), &[Changed]),
        3 => (change("client_id = NULL, outcome = 'failure'"), &[Changed]),
        4 => (change("transaction_id = '3'::xid8"), &[Changed]),
        // Moved in time: gone where it was, and slipped in where it is.
        5 => (change("at = at + interval '1 second'"), &[Removed, SlippedIn]),
        6 => (format!("DELETE FROM audit.events WHERE {}", event(a)), &[Removed]),
        7 => (
            format!(
                "DELETE FROM audit.events WHERE {}; DELETE FROM audit.sealed WHERE number = {a}",
                event(a)
            ),
            &[Removed],
        ),
        8 => (copy("at", "transaction_id"), &[SlippedIn]),
        9 => (copy("at - interval '5 hours'", "pg_current_xact_id()"), &[SlippedIn]),
        10 => (
            format!(
                "{}; INSERT INTO audit.sealed SELECT e.at, e.id, {a}, sha256('x') FROM audit.events e \
                ORDER BY e.id DESC LIMIT 1",
                copy("at", "transaction_id")
            ),
            &[SlippedIn],
        ),
        11 if a != b => (
            format!(
                "CREATE TEMP TABLE x ON COMMIT DROP AS \
                SELECT at, id, {a} + {b} - number AS number, leaf FROM audit.sealed \
                WHERE number IN ({a}, {b});
                 DELETE FROM audit.sealed WHERE number IN ({a}, {b}); INSERT INTO audit.sealed SELECT * \
                 FROM x"
            ),
            &[Reordered],
        ),
        12 if a != b => (
            format!(
                "UPDATE audit.events e SET sentence = o.sentence, subject_label = o.subject_label, \
                detail = o.detail
                 FROM audit.events o WHERE (e.at, e.id) IN ({}) AND (o.at, o.id) IN ({})",
                place(a),
                place(b)
            ),
            &[Changed],
        ),
        13 => (
            format!(
                "DELETE FROM audit.events WHERE (at, id) IN (SELECT at, id FROM audit.sealed \
                WHERE number >= (SELECT first_number FROM audit.seals WHERE number = {s}));
                 DELETE FROM audit.sealed WHERE number >= (SELECT first_number FROM audit.seals \
                 WHERE number = {s}); DELETE FROM audit.seals WHERE number >= {s}"
            ),
            &[Truncated],
        ),
        14 => (format!("DELETE FROM audit.seals WHERE number >= {s}"), &[Truncated]),
        15 => (format!("DELETE FROM audit.seals WHERE number = {s} - 1"), &[SealBroken]),
        16 => (format!("UPDATE audit.seals SET root = sha256('x') WHERE number = {s}"), &[SealBroken]),
        17 => (format!("UPDATE audit.sealed SET leaf = sha256('x') WHERE number = {a}"), &[SealBroken]),
        18 => (
            format!(
                "{}; UPDATE audit.sealed SET leaf = sha256('x') WHERE number = {a}",
                change("sentence = 'Nothing'")
            ),
            &[Changed],
        ),
        19 => ("TRUNCATE audit.events, audit.sealed".to_owned(), &[Truncated, Removed]),
        _ => ("TRUNCATE audit.events".to_owned(), &[Removed]),
    };
    Tamper { sql, wrong }
}

#[test]
fn two_hundred_tampers_are_found_and_rightly_named() {
    let app = TestApp::spawn();
    begin_anew(&app);
    // A month that will be archived, then what is still shown.
    app.set_audit_clock(day(3, 10, 9));
    write(&app, 0, 20);
    app.seal();
    app.set_audit_clock(day(11, 20, 9));
    tyrian::kernel::job::run(
        &app.app.reach(),
        tyrian::jobs::find("audit-refresh").unwrap(),
        tyrian::kernel::job::Trigger::Tick,
        None,
    )
    .unwrap();
    assert_eq!(app.count("SELECT count(*) FROM pg_tables WHERE tablename = 'events_2026_03'"), 0);
    for round in 0..6 {
        app.set_audit_clock(day(11, 20, 10) + TimeDelta::seconds(round));
        write(&app, 100 + round as usize * 10, 3 + round as usize);
        app.seal();
    }
    verified(&app).unwrap();
    let (first, last) = (21, app.count("SELECT max(number) FROM audit.sealed"));
    let (first_seal, last_seal) = (
        app.count("SELECT number FROM audit.seals WHERE first_number > 21 ORDER BY 1 LIMIT 1"),
        app.count("SELECT max(number) FROM audit.seals"),
    );
    let mut conn = app.superuser();
    let saved: &[(&str, &str)] = &[
        ("events", COLUMNS),
        ("sealed", "at, id, number, leaf"),
        (
            "seals",
            "number, first_number, last_number, root, previous, at, cluster, through_transaction, \
                through_id, public_key, signature",
        ),
    ];
    for (table, columns) in saved {
        conn.batch_execute(&format!(
            "CREATE TABLE audit.saved_{table} AS SELECT {columns} FROM audit.{table}"
        ))
        .unwrap();
    }
    let restore = |conn: &mut PgConnection| {
        for (table, columns) in saved {
            conn.batch_execute(&format!(
                "TRUNCATE audit.{table}; INSERT INTO audit.{table} ({columns}) \
                SELECT * FROM audit.saved_{table}"
            ))
            .unwrap();
        }
    };
    // A fixed sequence: what fails once fails again.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |low: i64, high: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((state >> 33) as i64) % (high - low + 1)
    };
    let archive: PathBuf = app.app.config.audit_archives().join("events-2026-03.jsonl.zst");
    let whole = std::fs::read(&archive).unwrap();
    let mut found = 0;
    for way in 0..200 {
        if way % 21 == 20 {
            // The archive itself: bytes changed, cut, or the file gone.
            match way % 3 {
                0 => std::fs::remove_file(&archive).unwrap(),
                1 => std::fs::write(&archive, &whole[..random(1, whole.len() as i64 - 1) as usize]).unwrap(),
                _ => {
                    let mut other = whole.clone();
                    other[random(0, whole.len() as i64 - 1) as usize] ^= 1;
                    std::fs::write(&archive, other).unwrap();
                }
            }
            let said = verified(&app).unwrap_err();
            assert!(said.starts_with("Archive"), "way {way}: {said}");
            std::fs::write(&archive, &whole).unwrap();
            found += 1;
            continue;
        }
        let tamper = tamper(way, random(first, last), random(first, last), random(first_seal, last_seal));
        conn.batch_execute(&format!("BEGIN; {}; COMMIT", tamper.sql))
            .unwrap_or_else(|e| panic!("{}: {e}", tamper.sql));
        let said = verified(&app).expect_err(&tamper.sql);
        assert!(
            tamper.wrong.iter().any(|wrong| said.starts_with(&format!("{wrong:?}:"))),
            "way {way}, {}: {said}",
            tamper.sql
        );
        restore(&mut conn);
        found += 1;
    }
    verified(&app).unwrap();
    println!("{found} tampers found and rightly named");
}

#[test]
fn a_forged_log_with_another_key_and_a_kept_seal_that_is_gone_are_told() {
    let app = TestApp::spawn();
    write(&app, 0, 5);
    app.seal();
    let kept = files(&app).head().unwrap().unwrap();
    // Everything anew, signed by somebody else: consistent in itself.
    app.superuser().batch_execute("TRUNCATE audit.sealed, audit.seals").unwrap();
    let elsewhere = app.app.config.data_dir.join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let thief = KeyFiles::new(&elsewhere, None);
    Sealer::new(app.app.sealing.clone(), thief.clone(), false).unwrap().seal_all().unwrap();
    let archives = app.app.config.audit_archives();
    let said = judged(&app.db, &files(&app), Vec::new(), &archives).unwrap_err();
    assert!(said.contains("not among the trusted ones"), "{said}");
    let said = judged(&app.db, &thief, vec![("kept in a safe".into(), kept)], &archives).unwrap_err();
    assert!(
        said.contains("Seal 1 is broken: it is not the one kept in a safe")
            || said.contains("The log is truncated"),
        "{said}"
    );
}

#[test]
fn a_log_that_is_rewritten_while_it_runs_is_not_sealed_anew_in_silence() {
    let app = TestApp::spawn();
    write(&app, 0, 5);
    app.seal();
    app.superuser()
        .batch_execute(
            "TRUNCATE audit.seals, audit.sealed; UPDATE audit.events SET sentence = 'Nothing' \
            WHERE sentence LIKE '%number 3'",
        )
        .unwrap();
    app.seal();
    assert_eq!(app.events("audit_log.restored"), 1);
    let outcome = judged(&app.db, &files(&app), Vec::new(), &app.app.config.audit_archives()).unwrap();
    assert!(outcome.notes[0].contains("cut off, rewritten or restored"), "{:?}", outcome.notes);
}

#[test]
fn a_loss_that_cannot_be_put_right_is_told_once_and_nothing_is_sealed_meanwhile() {
    let app = TestApp::spawn();
    write(&app, 0, 5);
    app.seal();
    let head = app.app.config.data_dir.join("audit.head");
    // No seal, and none can take its place.
    std::fs::remove_file(&head).unwrap();
    std::fs::create_dir_all(head.join("x")).unwrap();
    let sealer = app.sealer();
    let seals = app.count("SELECT count(*) FROM audit.seals");
    for _ in 0..3 {
        assert!(sealer.turn(TimeDelta::zero()).is_err());
    }
    assert_eq!((app.events("audit_log.restored"), app.count("SELECT count(*) FROM audit.seals")), (1, seals));
    std::fs::remove_dir_all(&head).unwrap();
    app.seal();
    verified(&app).unwrap();
}

#[test]
fn events_of_another_cluster_are_sealed_first_and_raise_no_alarm() {
    let app = TestApp::spawn();
    begin_anew(&app);
    app.set_audit_clock(day(11, 20, 9));
    write(&app, 0, 3);
    app.seal();
    // As a restored dump has them: of transactions that this cluster will not begin for long, and hours old.
    app.superuser()
        .batch_execute(&format!(
            "UPDATE audit.seals SET cluster = cluster + 1;
             INSERT INTO audit.events (at, transaction_id, kind, category, outcome, actor_kind, actor_name, \
             sentence)
             SELECT timestamptz '{}' + n * interval '1 second', (1000000000000 + n)::text::xid8, 'job.run', \
             'system', 'success', 'system', 'System', 'Ran' FROM generate_series(1, 3) n",
            day(11, 20, 9)
        ))
        .unwrap();
    app.set_audit_clock(day(11, 20, 15));
    write(&app, 3, 3);
    // The seal's cluster is signed, so the other one cannot be feigned beyond the order.
    let order = "SELECT sentence FROM audit.events e JOIN audit.sealed s ON s.at = e.at AND s.id = e.id \
        ORDER BY number";
    for _ in 0..600 {
        // The head is another seal now; that is told, and not what is looked at here.
        app.sealer().seal_all().unwrap();
        if app.count("SELECT (SELECT count(*) FROM audit.events) - (SELECT count(*) FROM audit.sealed)") == 0
        {
            break;
        }
        app.superuser().batch_execute("SELECT pg_sleep(0.05)").unwrap();
    }
    let sentences = app.texts(order);
    assert_eq!(sentences[3..6], ["Ran", "Ran", "Ran"], "{sentences:?}");
}

/// A cluster that this test has for itself, removed at the end.
struct OwnCluster(Cluster, PathBuf);

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.0.stop_always();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

/// The programs of every version of PostgreSQL that is installed, and of those that TYRIAN_POSTGRES names.
fn servers() -> Vec<PathBuf> {
    let named = std::env::var_os("TYRIAN_POSTGRES").unwrap_or_default();
    let places = installed().into_iter().chain(std::env::split_paths(&named));
    // A directory of links to one of them is no other version.
    let real = |place: PathBuf| Some(place.join("initdb").canonicalize().ok()?.parent()?.to_owned());
    let mut all: Vec<PathBuf> =
        places.filter_map(real).filter(|place| place.join("pg_restore").exists()).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn after_a_restore_into_a_new_cluster_sealing_goes_on_and_nothing_is_alarmed() {
    for (n, bin) in servers().into_iter().enumerate() {
        println!("{}", bin.display());
        restored_into(bin, &format!("restored-{}-{n}", std::process::id()));
    }
}

fn restored_into(bin: PathBuf, name: &str) {
    let app = TestApp::spawn();
    write(&app, 0, 5);
    app.seal();
    write(&app, 5, 3);
    let place = scratch().join(name);
    let own = OwnCluster(Cluster::start_with(bin, &place, Durability::Fast).unwrap(), place.clone());
    own.0.ensure_database("restored").unwrap();
    let dump = place.join("dump");
    let run = |tool: &str, arguments: &[&str]| {
        let done = std::process::Command::new(own.0.tool(tool)).args(arguments).output().unwrap();
        assert!(done.status.success(), "{tool}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run("pg_dump", &["-Fc", "-f", dump.to_str().unwrap(), &app.database.superuser_url()]);
    run("pg_restore", &["-d", &own.0.superuser_url("restored"), dump.to_str().unwrap()]);
    let db =
        Db::open(&own.0.url(APP, "restored"), PoolSize { connections: 2, wait_seconds: 3 }, Clock::machine())
            .unwrap();
    let sealing = Db::open(
        &own.0.url(SEALER, "restored"),
        PoolSize { connections: 2, wait_seconds: 3 },
        Clock::machine(),
    )
    .unwrap();
    let sealer = Sealer::new(sealing, files(&app), false).unwrap();
    sealer.begin().unwrap();
    let mut conn = connect(&own.0.superuser_url("restored"));
    let left = "SELECT count(*) FROM audit.events e WHERE NOT EXISTS (SELECT FROM audit.sealed s \
        WHERE s.at = e.at AND s.id = e.id)";
    for _ in 0..600 {
        sealer.seal_all().unwrap();
        if texts(&mut conn, left) == ["0"] {
            break;
        }
        conn.batch_execute("SELECT pg_sleep(0.05)").unwrap();
    }
    let kept = files(&app).head().unwrap().map(|head| ("kept beside the key".to_owned(), head));
    let outcome =
        judged(&db, &files(&app), kept.into_iter().collect(), &app.app.config.audit_archives()).unwrap();
    assert_eq!(
        (outcome.verified.events.to_string(), outcome.verified.unsealed),
        (texts(&mut conn, "SELECT count(*) FROM audit.events")[0].clone(), 0)
    );
    assert!(outcome.notes[0].contains("in another database cluster"), "{:?}", outcome.notes);
    // And on from there.
    db.write_blocking(&Actor::command(), |tx| tx.audited((), Event::new(Kind::JobRun, "Ran"))).unwrap();
    sealer.seal_all().unwrap();
    judged(&db, &files(&app), Vec::new(), &app.app.config.audit_archives()).unwrap();
}

/// The log that the release before sealed, in every version of PostgreSQL: it migrates there, holds, and is
/// sealed on.
#[test]
fn a_log_of_the_release_before_holds_in_every_version_of_postgresql() {
    let released = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kernel/released");
    for (n, bin) in servers().into_iter().enumerate() {
        println!("{}", bin.display());
        let place = scratch().join(format!("released-{}-{n}", std::process::id()));
        let own = OwnCluster(Cluster::start_with(bin, &place, Durability::Fast).unwrap(), place.clone());
        own.0.ensure_database("released").unwrap();
        let restored = std::process::Command::new(own.0.tool("pg_restore"))
            .args(["--no-owner", "--role", OWNER, "--exit-on-error", "-d", &own.0.superuser_url("released")])
            .arg(released.join("1e43135.dump"))
            .output()
            .unwrap();
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        migrate(&own.0.url(OWNER, "released"), ROLES).unwrap();
        connect(&own.0.url(OWNER, "released"))
            .batch_execute("SELECT audit.make_month(current_date)")
            .unwrap();
        let data = place.join("files");
        std::fs::create_dir_all(&data).unwrap();
        for file in ["pub", "head"] {
            let kept = released.join(format!("1e43135.{file}"));
            std::fs::copy(kept, data.join(format!("audit.{file}"))).unwrap();
        }
        let open = |role| {
            let size = PoolSize { connections: 2, wait_seconds: 3 };
            Db::open(&own.0.url(role, "released"), size, Clock::machine()).unwrap()
        };
        let (db, files) = (open(APP), KeyFiles::new(&data, None));
        let verified = || {
            let archives = data.join("audit-archives");
            harness::verified(&db, &Against::of(&files, &archives).unwrap()).unwrap()
        };
        assert!(verified().verified.events >= 221);
        let sealer = Sealer::new(open(SEALER), files.clone(), false).unwrap();
        sealer.begin().unwrap();
        sealer.seal_all().unwrap();
        let report = verified();
        assert!(report.notes.iter().any(|n| n.contains("in another database cluster")), "{:?}", report.notes);
        assert!(report.notes.iter().any(|n| n.contains("is sealed with another key")), "{:?}", report.notes);
        assert_eq!(report.keys.len(), 2);
    }
}

#[test]
fn a_restored_log_says_so_and_goes_on() {
    let app = TestApp::spawn();
    write(&app, 0, 5);
    app.seal();
    let mut conn = app.superuser();
    conn.batch_execute(
        "CREATE TABLE audit.copy AS SELECT * FROM audit.seals; CREATE TABLE audit.copy2 AS \
        SELECT * FROM audit.sealed",
    )
    .unwrap();
    write(&app, 5, 5);
    app.seal();
    let newest = files(&app).head().unwrap().unwrap();
    // Back to the copy, as a restore of last night's backup would be.
    conn.batch_execute(
        "DELETE FROM audit.events WHERE (at, id) NOT IN (SELECT at, id \
        FROM audit.copy2); TRUNCATE audit.seals, audit.sealed; INSERT INTO audit.seals SELECT * \
        FROM audit.copy; INSERT INTO audit.sealed SELECT * FROM audit.copy2",
    )
    .unwrap();
    let said = verified(&app).unwrap_err();
    assert!(said.starts_with("Truncated") && said.contains(&format!("seal {}", newest.number)), "{said}");
    app.sealer().begin().unwrap();
    app.seal();
    assert_eq!(app.events("audit_log.restored"), 1);
    app.sealer().begin().unwrap();
    assert_eq!(app.events("audit_log.restored"), 1, "told once");
    verified(&app).unwrap();
    let outcome = judged(&app.db, &files(&app), Vec::new(), &app.app.config.audit_archives()).unwrap();
    assert!(outcome.notes[0].contains("restored from an older copy"), "{:?}", outcome.notes);
}

#[test]
fn exports_carry_their_proof_and_any_change_in_them_is_told() {
    let app = TestApp::spawn();
    write(&app, 0, 30);
    app.seal();
    write(&app, 30, 30);
    app.seal();
    let mut browser = app.browser(&app.people.administrator);
    let export = browser.get("/admin/audit-log.jsonl?category=clients&proof=1").text();
    let trusted = files(&app).trusted().unwrap();
    let check = |export: &str| {
        inclusion::check(export.as_bytes(), &trusted, |_| {}).map_err(|halt| match halt {
            Halt::Fault(fault) => fault.sentence,
            Halt::Error(error) => format!("{error:#}"),
        })
    };
    let proved = check(&export).unwrap();
    assert!(proved.events >= 60 && proved.complete, "{proved:?}");
    assert_eq!(proved.head, tyrian::kernel::base::hex::hex(&files(&app).head().unwrap().unwrap().digest()));
    for (from, to) in [
        ("number 7", "number 8"),
        ("\"n\": 7", "\"n\": 8"),
        ("\"success\"", "\"failure\""),
        ("\\u202e", "\\u202d"),
        ("\"transaction_id\":", "\"transaction_id\":1"),
    ] {
        assert!(export.contains(from), "{from}");
        let said = check(&export.replacen(from, to, 1)).unwrap_err();
        assert!(said.contains("changed"), "{said}");
    }
    let without: String = export
        .lines()
        .filter(|line| !line.contains("\"seal\":{\"number\":2,"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(check(&without).is_err());
    assert!(check(&export.replacen("\"proof\":", "\"prof\":", 1)).is_err());
    let fewer: String = export.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(check(&fewer).unwrap_err().contains("its end tells of"));
    assert!(
        check(&format!(" {export}")).is_err()
            && check(&format!("{{}}\n{export}")).is_err()
            && check(&format!("{export}{{}}\n")).is_err()
    );
    // Also of everything: what is not sealed yet, such as the event of this export, is left out.
    assert!(check(&browser.get("/admin/audit-log.jsonl?proof=1").text()).unwrap().events > 60);
    // One event alone.
    let place = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.events \
            WHERE sentence LIKE '%number 7'",
    );
    let one = browser.get(&format!("/admin/audit-log.jsonl?event={}&proof=1", place[0])).text();
    assert_eq!(check(&one).unwrap().events, 1);
    browser.open(&format!("/admin/audit-log?open={}", place[0])).see("Download it with its proof");
}
