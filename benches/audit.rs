//! Measures what the audit log promises among millions of events: search through the whole HTTP stack beside
//! the same statements alone, writing with and without an event, sealing under load, export, verification,
//! and the drop of a month. `cargo bench --bench audit` lays 5,000,000 events over five months; `-- --events
//! 20000000` lays as many as it says.

mod common;

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Months, NaiveDate, Utc};
use common::{PASSWORD, Stand, milliseconds, sign_in};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tyrian::accounts::{domain::hash_password, store as accounts};
use tyrian::audit::log::query::Asked;
use tyrian::audit::log::search::{Reach, search};
use tyrian::audit::log::store::retention as retention_store;
use tyrian::audit::proof::inclusion;
use tyrian::audit::proof::seal::KeyFiles;
use tyrian::audit::proof::sealer::Sealer;
use tyrian::audit::proof::store::verify::{Against, verify};
use tyrian::kernel::app::App;
use tyrian::kernel::authz::Visible;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::base::ids::ClientId;
use tyrian::kernel::db::Db;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::kernel::event::months;

/// Events of one transaction while they are laid.
const CHUNK: i64 = 100_000;
const REQUESTS: usize = 200;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let events: i64 = args
        .iter()
        .position(|arg| arg == "--events")
        .and_then(|at| args.get(at + 1)?.parse().ok())
        .unwrap_or(5_000_000);
    let scratch = std::env::temp_dir().join(format!("tyrian-audit-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let stand = Stand::start(&scratch, &[]);
    let app = &stand.app;
    administrator(app);
    lay(&stand, events);
    let cookie = sign_in(&stand.base).1.expect("a session");
    // TYRIAN_BENCH=drop leaves out everything before it, TYRIAN_BENCH=search everything behind, and
    // TYRIAN_BENCH=verify everything else.
    let only = std::env::var("TYRIAN_BENCH").unwrap_or_default();
    if only == "verify" {
        verification(app);
        stand.stop();
        let _ = std::fs::remove_dir_all(&scratch);
        return;
    }
    if only != "drop" {
        many_filters(&stand, "analysed", 0);
        a_month_after(&stand, events);
        writing(app);
        searches(&stand, &cookie);
    }
    if only == "search" {
        stand.stop();
        let _ = std::fs::remove_dir_all(&scratch);
        return;
    }
    if only != "drop" {
        load(app);
        export(&stand, &cookie);
        verification(app);
    }
    drop_a_month(&stand, &cookie);
    stand.stop();
    let _ = std::fs::remove_dir_all(&scratch);
}

fn administrator(app: &App) {
    let hash = hash_password(PASSWORD).expect("a hash");
    let made = app.db.write_blocking(&Actor::command(), |tx| {
        let new = accounts::NewPerson {
            name: "Bench Lead",
            email: "lead@tyrian.example",
            password_hash: Some(&hash),
            roles: &["administrator"],
        };
        let (_, made) = accounts::insert_person(tx, &new, None)?;
        tx.audited((), made)
    });
    made.expect("an administrator");
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

fn texts(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    diesel::sql_query(sql).load::<Text>(conn).expect(sql).into_iter().map(|row| row.text).collect()
}

/// Fills the months that are shown. The indexes are made afterwards, as one would restore them; the rows are
/// sealed by the product's own sealer.
fn lay(stand: &Stand, events: i64) {
    let begun = Instant::now();
    let mut conn = stand.superuser();
    // Statistics are made where this benchmark says so, and not meanwhile.
    for setting in ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"] {
        conn.batch_execute(setting).expect("a setting");
    }
    // What the start wrote bears the time of now, and would stand before what is older.
    conn.batch_execute("TRUNCATE audit.events").expect("emptied");
    let floor: DateTime<Utc> = months::get_floor(&mut conn).expect("the floor");
    for month in 0..5 {
        let month = floor.date_naive() + Months::new(month);
        conn.batch_execute(&format!("SELECT audit.make_month('{month}')")).expect("a month");
    }
    let indexes = texts(
        &mut conn,
        "SELECT indexrelid::regclass || '|' || pg_get_indexdef(indexrelid) AS text FROM pg_index \
            WHERE indrelid = 'audit.events'::regclass AND NOT indisprimary",
    );
    for index in &indexes {
        conn.batch_execute(&format!("DROP INDEX {}", index.split('|').next().expect("a name")))
            .expect("dropped");
    }
    conn.batch_execute(
        "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; \
        SET max_parallel_maintenance_workers = 0",
    )
    .expect("set");
    let mut laid = 0;
    while laid < events {
        let next = CHUNK.min(events - laid);
        let at = format!("timestamptz '{floor}' + (now() - timestamptz '{floor}') * (n::float8 / {events})");
        insert(&mut conn, laid + 1, laid + next, &at);
        laid += next;
    }
    println!("laid {events} events in {:.0} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    for index in &indexes {
        // A partitioned index is told with ONLY, which would leave its partitions without.
        let (name, definition) = index.split_once('|').expect("a definition");
        let one = Instant::now();
        conn.batch_execute(&definition.replace(" ON ONLY ", " ON ")).expect("an index");
        println!("  {name:<28} {:>6.1} s", one.elapsed().as_secs_f64());
    }
    println!("indexed in {:.0} s", begun.elapsed().as_secs_f64());
    many_filters(stand, "just filled, without statistics", 0);
    let begun = Instant::now();
    conn.batch_execute("VACUUM ANALYZE audit.events").expect("statistics");
    println!("analysed in {:.0} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let seals = sealer(&stand.app).seal_all().expect("sealed");
    let took = begun.elapsed().as_secs_f64();
    println!(
        "sealed in {took:.0} s: {seals} seals, {:.0} events a second by one sealer",
        events as f64 / took
    );
    conn.batch_execute("VACUUM ANALYZE audit.sealed").expect("statistics");
    conn.batch_execute("CHECKPOINT").expect("a checkpoint");
}

/// Sentences, names and shares as an installation of forty people with a dozen engagements writes them. `at`
/// tells the time of the event `n`.
fn insert(conn: &mut PgConnection, first: i64, last: i64, at: &str) {
    conn.batch_execute(&format!(
        "INSERT INTO audit.events (at, kind, category, outcome, reason, actor_kind, actor_id, \
                actor_name, actor_email, subject_type, subject_id,
                 subject_label, client_id, engagement_id, address, user_agent, request_id, sentence, \
                 detail, search_values)
             SELECT at, kind, category, CASE WHEN kind = 'session.refused' THEN 'failure' \
             ELSE 'success' END, CASE WHEN kind = 'session.refused' THEN 'wrong_credentials' END,
                 'person', md5('person' || p)::uuid, 'Operator ' || p || ' Example', 'operator' || p || \
                 '@tyrian.example', 'procedure', md5('subject' || (n % 4000))::uuid,
                 'Procedure ' || (n % 4000), md5('client' || (n % 12))::uuid, md5('engagement' || (n % \
                 60))::uuid, '10.' || n % 7 || '.' || n % 200 || '.' || p,
                 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36', \
                 md5('request' || n)::uuid,
                 CASE kind WHEN 'procedure.saved' THEN 'Saved ' || technique || ' ' || tool || ' on HL-WS-' \
                 || lpad((n % 900)::text, 3, '0') || ': red outcome, status'
                           WHEN 'step.ticked' THEN 'Ticked step ' || n % 9 || ' of ' || technique || ' ' || \
                           tool
                           WHEN 'log_entry.added' THEN 'Added a log entry to ' || technique || ' ' || tool
                           WHEN 'session.started' THEN 'Signed in'
                           WHEN 'session.refused' THEN 'Sign-in refused: wrong credentials'
                           WHEN 'password.changed' THEN 'Changed their own password'
                           WHEN 'engagement.updated' THEN 'Changed the engagement Harbour ' || n % 60 || \
                           CASE WHEN n % 25000 = 16 THEN ' after auth.lockout' ELSE '' END
                           ELSE 'Moved the report of Harbour ' || n % 60 || ' to Review' END,
                 jsonb_build_object('fields', jsonb_build_object('attack_source', \
                 jsonb_build_object('before', '', 'after', 'HL-WS-' || n % 900),
                     'red_notes', jsonb_build_object('before_chars', n % 300, 'after_chars', n % 500))),
                 'HL-WS-' || n % 900
             FROM (SELECT n, 1 + (n * 7919) % 40 AS p,
                     {at} AS at,
                     (array_fill('procedure.saved'::text, ARRAY[8])
                         || ARRAY['step.ticked', 'step.ticked', 'step.ticked', 'log_entry.added',
                             'log_entry.added', 'session.started', 'session.started', 'session.refused',
                             'engagement.updated', 'report.moved', 'procedure.saved',
                             'password.changed'])[1 + n % 20] AS kind,
                     (array_fill('procedures'::text, ARRAY[13])
                         || ARRAY['sign_in', 'sign_in', 'sign_in', 'engagements', 'reports', 'procedures',
                             'password'])[1 + n % 20] AS category,
                     'T1' || lpad((n % 599)::text, 3, '0') || '.00' || n % 8 AS technique,
                     (ARRAY['wevtutil', 'mimikatz', 'rundll32', 'schtasks', 'certutil', 'psexec',
                         'regsvr32', 'bitsadmin'])[1 + (n / 3) % 8] AS tool
                   FROM generate_series({first}::bigint, {last}::bigint) n) laid"
    ))
    .expect("events");
}

fn sealer(app: &App) -> Sealer {
    Sealer::new(app.sealing.clone(), KeyFiles::of(&app.config), false).expect("a sealer")
}

fn agent() -> ureq::Agent {
    ureq::Agent::new_with_config(
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build(),
    )
}

fn timed(count: usize, mut act: impl FnMut()) -> Vec<Duration> {
    (0..count / 10).for_each(|_| act());
    let time = |act: &mut dyn FnMut()| {
        let begun = Instant::now();
        act();
        begun.elapsed()
    };
    (0..count).map(|_| time(&mut act)).collect()
}

fn searches(stand: &Stand, cookie: &str) {
    let mut conn = stand.superuser();
    let today = Utc::now_date();
    let back = |days| today - chrono::Days::new(days);
    let deep = texts(
        &mut conn,
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id AS text FROM (SELECT at, id \
            FROM audit.events ORDER BY at DESC, id DESC OFFSET 1000000 LIMIT 1) e",
    );
    let deep = deep.first().map_or_else(String::new, |place| format!("before={place}"));
    let asked = [
        ("newest page", String::new(), "5"),
        ("a million rows deep", deep, "1.3 times"),
        ("30 days, a common word", format!("from={}&to={today}&q=saved", back(30)), "20"),
        ("120 days, a rare word", format!("from={}&to={today}&q=auth.lockout", back(120)), "170"),
        ("120 days, two words", format!("from={}&to={today}&q=rundll32+hl-ws-404", back(120)), "170"),
        ("120 days, no match", format!("from={}&to={today}&q=zzyzxq", back(120)), "170"),
        ("30 days, password, its category", format!("from={}&q=password&category=password", back(30)), ""),
        ("120 days, one user", format!("from={}&user={}", back(120), md5_person(&mut conn)), ""),
    ];
    println!(
        "\n{:<36} {:>9} {:>9} {:>9} {:>9} {:>9}  asked",
        "", "HTTP p50", "p95", "SQL p50", "p95", "rest p95"
    );
    let agent = agent();
    let mut own = stand.app.db.connect().expect("a connection");
    let reach = Reach { clients: None, zone: chrono_tz::UTC, now: Clock::machine().now() };
    for (name, query, limit) in asked {
        let url = format!("{}/admin/audit-log?{query}", stand.base);
        let mut http = timed(REQUESTS, || {
            let mut answer = agent
                .get(&url)
                .header("cookie", cookie)
                .header("accept-encoding", "identity")
                .call()
                .expect("an answer");
            assert_eq!(answer.status().as_u16(), 200);
            answer.body_mut().read_to_vec().expect("a body");
        });
        let (filter, _) = Asked::of(&query).read();
        let mut sql = timed(REQUESTS, || {
            search(&mut own, &reach, &filter).expect("a page").page.expect("in time");
        });
        let [h50, h95, s50, s95] = [
            milliseconds(&mut http, 0.5),
            milliseconds(&mut http, 0.95),
            milliseconds(&mut sql, 0.5),
            milliseconds(&mut sql, 0.95),
        ];
        println!("{name:<36} {h50:>9.2} {h95:>9.2} {s50:>9.2} {s95:>9.2} {:>9.2}  {limit}", h95 - s95);
    }
}

/// A month goes by in which nobody makes statistics.
fn a_month_after(stand: &Stand, events: i64) {
    let mut conn = stand.superuser();
    let later = texts(&mut conn, "SELECT (now() + interval '28 days')::text AS text").remove(0);
    conn.batch_execute(&format!("SELECT audit.make_month('{later}'::timestamptz::date)")).expect("a month");
    let more = events / 5;
    insert(
        &mut conn,
        events + 1,
        events + more,
        &format!("now() + interval '28 days' * ((n - {events})::float8 / {more})"),
    );
    many_filters(stand, "a month later", 28);
    conn.batch_execute("DELETE FROM audit.events WHERE at > now()").expect("deleted");
    conn.batch_execute("VACUUM ANALYZE audit.events").expect("statistics");
}

/// A hundred filters of one and two words, short, rare, common and absent, over 30 and 120 days, of a user, a
/// client and a category: how long the page takes of which the median of three is the worst.
fn many_filters(stand: &Stand, when: &str, days: u64) {
    let mut own = stand.app.db.connect().expect("a connection");
    let now = Clock::machine().now() + chrono::TimeDelta::days(days as i64);
    let reach = Reach { clients: None, zone: chrono_tz::UTC, now };
    let mut conn = stand.superuser();
    let request = texts(&mut conn, "SELECT md5('request77777')::uuid::text AS text").remove(0);
    let words = [
        "saved",
        "harbour",
        "auth.lockout",
        "zzyzxq",
        "hl",
        "zq",
        "10.3.17.5",
        &request,
        "rundll32+hl-ws-404",
        "saved+zzyzxq",
    ];
    let (user, client) =
        (md5_person(&mut conn), texts(&mut conn, "SELECT md5('client7')::uuid::text AS text"));
    let client: ClientId = client[0].parse().expect("an id");
    let narrowed =
        ["", "&category=procedures", "&category=password", &format!("&user={user}"), "of a client"];
    let mut taken = Vec::new();
    for words in words {
        for narrowed in narrowed {
            for back in [30, 120] {
                let from = now.date_naive() - chrono::Days::new(back);
                let of_client = narrowed == "of a client";
                let rest = if of_client { "" } else { narrowed };
                let (filter, _) = Asked::of(&format!("from={from}&q={words}{rest}")).read();
                let reach = Reach { clients: of_client.then(|| Visible::found(client)), ..reach.clone() };
                let mut times: Vec<Duration> = (0..3)
                    .map(|_| {
                        let begun = Instant::now();
                        search(&mut own, &reach, &filter).expect("a page").page.expect("in time");
                        begun.elapsed()
                    })
                    .collect();
                taken.push((milliseconds(&mut times, 0.5), format!("{words} {narrowed} {back} days")));
            }
        }
    }
    taken.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("\n{} filters, {when}: the worst (asked 200)", taken.len());
    for (took, what) in taken.iter().take(6) {
        println!("  {took:>8.1} ms  {what}");
    }
    println!("  {:>8.1} ms  the median", taken[taken.len() / 2].0);
}

fn md5_person(conn: &mut PgConnection) -> String {
    texts(conn, "SELECT md5('person7')::uuid::text AS text").remove(0)
}

/// A save that is audited beside the same save that is not.
fn writing(app: &App) {
    let bare = || {
        app.db.write_unaudited_blocking("bench", |conn| Ok(touch(conn)?)).expect("a save");
    };
    let event = || {
        Event::new(Kind::ProcedureSaved, "Saved T1059.001 wevtutil on HL-WS-014: red outcome, status")
            .changes([("attack_source", "", "HL-WS-014", false)])
    };
    let audited = || {
        app.db
            .write_blocking(&Actor::command(), |tx| {
                touch(tx.conn)?;
                tx.audited((), event())
            })
            .expect("a save");
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        without.extend(timed(40, bare));
        with.extend(timed(40, audited));
    }
    let (a, b) = (milliseconds(&mut without, 0.5), milliseconds(&mut with, 0.5));
    println!("a save without its event p50 {a:.2} ms, with it {b:.2} ms: {:.2} ms more (asked 1)", b - a);
}

/// A row that is written durably and belongs to nobody.
fn touch(conn: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO refusal_counts AS c (address, minute, refused) VALUES ('bench', '2020-01-01', 1)
         ON CONFLICT (address, minute) DO UPDATE SET refused = c.refused + 1",
    )
    .execute(conn)
}

/// Eight writers at 2,000 acts a second together, while the sealer runs as it does in the server.
fn load(app: &App) {
    const WRITERS: u64 = 8;
    const SECONDS: u64 = 15;
    const RATE: u64 = 2_000;
    sealer(app).seal_all().expect("sealed");
    let before = count(&app.db, "SELECT count(*) FROM audit.events");
    let first_seal = count(&app.db, "SELECT coalesce(max(number), 0) FROM audit.seals");
    let over = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);
    let times = Mutex::new(Vec::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let turn = sealer(app).turn(chrono::TimeDelta::milliseconds(1_300)).expect("a turn");
                if !matches!(turn, tyrian::audit::proof::store::seal::Turn::Sealed(_, true)) {
                    std::thread::park_timeout(Duration::from_millis(500));
                }
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (acknowledged, times) = (&acknowledged, &times);
                scope.spawn(move || {
                    let mut own = Vec::new();
                    let each = Duration::from_nanos(1_000_000_000 * WRITERS / RATE);
                    let mut n = 0u32;
                    while begun.elapsed() < Duration::from_secs(SECONDS) {
                        let due = each * n;
                        if let Some(wait) = due.checked_sub(begun.elapsed()) {
                            std::thread::park_timeout(wait);
                        }
                        let started = Instant::now();
                        let event = Event::new(Kind::ProcedureSaved, format!("Saved load {writer} {n}"));
                        app.db
                            .write_blocking(&Actor::command(), |tx| tx.audited((), event))
                            .expect("a write");
                        own.push(started.elapsed());
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        n += 1;
                    }
                    times.lock().expect("times").append(&mut own);
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
        // The last ones are sealed as they would be.
        std::thread::park_timeout(Duration::from_secs(3));
        over.store(true, Ordering::Relaxed);
        sealing.thread().unpark();
    });
    let wrote = acknowledged.load(Ordering::Relaxed);
    let rate = wrote as f64 / SECONDS as f64;
    let mut times = times.into_inner().expect("times");
    let there = count(&app.db, "SELECT count(*) FROM audit.events") - before;
    let lag = |share: f64| {
        count(
            &app.db,
            &format!(
                "SELECT (percentile_cont({share}) WITHIN GROUP (ORDER BY extract(epoch \
                    FROM s.at - d.at)) * 1000)::bigint
                 FROM audit.seals s JOIN audit.sealed d ON d.number BETWEEN s.first_number \
                 AND s.last_number WHERE s.number > {first_seal}"
            ),
        )
    };
    println!(
        "\n{rate:.0} audited writes a second by {WRITERS} writers (asked {RATE}), p50 {:.2} ms, p95 {:.2} \
            ms; acknowledged {wrote}, in the log {there}",
        milliseconds(&mut times, 0.5),
        milliseconds(&mut times, 0.95)
    );
    println!("sealing lag p50 {} ms, p99 {} ms (asked 3000)", lag(0.5), lag(0.99));
}

fn count(db: &Db, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let mut conn = db.connect().expect("a connection");
    diesel::sql_query(format!("SELECT ({sql})::bigint AS n")).get_result::<Row>(&mut conn).expect(sql).n
}

fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The newest million or so, by the days that hold them; read as a slow disk would not.
fn export(stand: &Stand, cookie: &str) {
    println!();
    let total = count(&stand.app.db, "SELECT count(*) FROM audit.events");
    let days = 140 * 1_000_000 / total.max(1_000_000);
    let from = Utc::now_date() - chrono::Days::new(days as u64);
    for (name, path) in [("CSV", "csv"), ("JSON Lines", "jsonl"), ("JSON Lines with proof", "jsonl?proof=1")]
    {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}/admin/audit-log.{path}{separator}from={from}", stand.base);
        let before = resident();
        let begun = Instant::now();
        let mut answer = agent()
            .get(&url)
            .header("cookie", cookie)
            .header("accept-encoding", "identity")
            .call()
            .expect("an answer");
        let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 1 << 16];
        let (mut bytes, mut rows, mut peak, mut tail) = (0u64, 0u64, before, Vec::new());
        loop {
            let read = body.read(&mut buffer).expect("bytes");
            if read == 0 {
                break;
            }
            rows += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
            bytes += read as u64;
            peak = peak.max(resident());
            tail = buffer[..read].to_vec();
        }
        let took = begun.elapsed().as_secs_f64();
        let end = String::from_utf8_lossy(&tail).contains("complete");
        println!(
            "export as {name}: {rows} lines, {} MB in {took:.1} s, {:.0} rows a second (asked 100000); grew \
                by {:.1} MB (asked 20); complete: {end}",
            bytes >> 20,
            rows as f64 / took,
            (peak - before) as f64 / 1024.0
        );
    }
    let checked = agent()
        .get(format!("{}/admin/audit-log.jsonl?proof=1&q=password", stand.base))
        .header("cookie", cookie)
        .call();
    let text =
        checked.expect("an answer").body_mut().with_config().limit(u64::MAX).read_to_vec().expect("a body");
    let begun = Instant::now();
    let trusted = KeyFiles::of(&stand.app.config).trusted().expect("keys");
    match inclusion::check(text.as_slice(), &trusted, |_| {}) {
        Ok(proved) => {
            println!(
                "an export of {} events proved in {:.1} s without the database",
                proved.events,
                begun.elapsed().as_secs_f64()
            )
        }
        Err(_) => println!("AN EXPORT WAS NOT PROVED"),
    }
}

fn verification(app: &App) {
    sealer(app).seal_all().expect("sealed");
    let archives = app.config.audit_archives();
    let files = KeyFiles::of(&app.config);
    let against = Against::of(&files, &archives).expect("keys");
    let begun = Instant::now();
    let connect = || app.db.connect().expect("a connection");
    let outcome = verify(connect(), connect(), &against, &mut |_| {}).expect("a log that can be read");
    assert!(outcome.holds(), "{:?}", outcome.faults);
    let took = begun.elapsed().as_secs_f64();
    println!(
        "\nverified {} events in {} seals in {took:.1} s: {:.0} events a second (asked 200000)",
        outcome.verified.events,
        outcome.verified.seals,
        outcome.verified.events as f64 / took
    );
}

/// The oldest whole month goes while somebody reads and somebody writes.
fn drop_a_month(stand: &Stand, cookie: &str) {
    let app = &stand.app;
    let mut conn = stand.superuser();
    let month: NaiveDate = months::get_floor(&mut conn).expect("the floor").date_naive() + Months::new(1);
    let month = chrono::Datelike::with_day(&month, 1).expect("a month");
    let later = month + Months::new(6);
    let name = month.format("%Y-%m");
    let rows = count(
        &app.db,
        &format!(
            "SELECT count(*) FROM audit.events WHERE at >= '{month}' AND at < '{}'",
            month + Months::new(1)
        ),
    );
    conn.batch_execute(&format!(
        "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT \
            timestamptz ''{later}'''"
    ))
    .expect("a clock");
    conn.batch_execute(&format!("SELECT audit.make_month('{later}')")).expect("a month");
    let path = app.config.audit_archives().join(format!("events-{name}.jsonl.zst"));
    let begun = Instant::now();
    let archived = retention_store::archive(&mut app.db.connect().expect("a connection"), month, &path)
        .expect("an archive");
    let took = begun.elapsed().as_secs_f64();
    let size = std::fs::metadata(&path).map_or(0, |file| file.len()) >> 20;
    println!("\narchived {rows} events in {took:.1} s, read back and compared: {size} MB");
    let over = AtomicBool::new(false);
    let (reads, writes) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            let agent = agent();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let url = format!("{}/admin/audit-log", stand.base);
                let mut answer = agent.get(&url).header("cookie", cookie).call().expect("an answer");
                answer.body_mut().read_to_vec().expect("a body");
                reads.lock().expect("times").push(begun.elapsed());
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                app.db
                    .write_blocking(&Actor::command(), |tx| tx.audited((), Event::new(Kind::JobRun, "Ran")))
                    .expect("a write");
                writes.lock().expect("times").push(begun.elapsed());
            }
        });
        std::thread::park_timeout(Duration::from_secs(1));
        let mut took = None;
        let record = app.sealing.write_blocking(&Actor::system(), |tx| {
            retention_store::record(tx.conn, month, &format!("events-{name}.jsonl.zst"), &archived)?;
            tx.audited((), Event::new(Kind::MonthArchived, "Archived"))
        });
        record.expect("recorded");
        for attempt in 1..=25 {
            let begun = Instant::now();
            let dropped = app.sealing.write_blocking(&Actor::system(), |tx| {
                retention_store::drop_month(tx.conn, month)?;
                tx.audited((), Event::new(Kind::MonthDropped, "Dropped"))
            });
            if dropped.is_ok() {
                took = Some((begun.elapsed(), attempt));
                break;
            }
            std::thread::park_timeout(Duration::from_millis(400));
        }
        std::thread::park_timeout(Duration::from_secs(1));
        over.store(true, Ordering::Relaxed);
        took
    });
    let (took, attempt) = took.expect("dropped");
    let worst = |times: &Mutex<Vec<Duration>>| milliseconds(&mut times.lock().expect("times"), 1.0);
    println!(
        "dropped {rows} events in {:.0} ms at attempt {attempt} (asked 1000); the slowest page meanwhile \
            {:.0} ms, the slowest write {:.0} ms (asked 500)",
        took.as_secs_f64() * 1_000.0,
        worst(&reads),
        worst(&writes)
    );
}

trait Today {
    fn now_date() -> NaiveDate;
}
impl Today for Utc {
    fn now_date() -> NaiveDate {
        tyrian::kernel::base::clock::Clock::machine().now().date_naive()
    }
}
