//! Measures what the schedule promises: that the sweep costs what is due and not what is there, that it
//! leaves other pages quick, and the month view and the dashboard. Run it with `cargo bench --bench
//! schedule`.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Browser, Stand, heading, milliseconds, people};
use diesel::prelude::*;
use tyrian::jobs::find;
use tyrian::kernel::app::App;
use tyrian::kernel::base::ids::ClientId;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::kernel::job::{Trigger, run};

const PAGES: usize = 400;

fn main() {
    let scratch = std::env::temp_dir().join(format!("tyrian-schedule-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    pages(&scratch.join("pages"));
    // The sweeps lay a million rows, which takes a minute: TYRIAN_BENCH=pages leaves them out.
    if std::env::var("TYRIAN_BENCH").as_deref() != Ok("pages") {
        sweeps(&scratch.join("sweeps"));
    }
    let _ = std::fs::remove_dir_all(&scratch);
}

/// Runs a statement as an act, so that the audited tables take it.
fn lay(app: &App, statements: &[String]) {
    app.db
        .write_blocking(&Actor::command(), |tx| {
            // Millions of rows take longer than a request may.
            diesel::sql_query("SET LOCAL statement_timeout = 0").execute(tx.conn)?;
            for statement in statements {
                diesel::sql_query(statement).execute(tx.conn)?;
            }
            tx.audited((), Event::new(Kind::DemoSeeded, "Laid data to measure"))
        })
        .expect("data");
}

/// `n` engagements of a client, each a day after the one before it from `first` on, each with its report and
/// its activity.
fn engagements(app: &App, client: ClientId, n: usize, status: &str, first: &str, days: usize) {
    let made = format!(
        "WITH made AS (INSERT INTO engagements (id, client_id, title, status, start_date, end_date, \
            starts_at, time_zone, attack_version, created_at)
            SELECT gen_random_uuid(), '{client}', 'Engagement ' || i, '{status}', d, d + 4, d::timestamp AT \
            TIME ZONE 'UTC', 'UTC',
                (SELECT version FROM attack_versions ORDER BY rank DESC LIMIT 1), now()
            FROM generate_series(1, {n}) i, LATERAL (SELECT {first} + (i % {days})::int AS d) dated \
            RETURNING id),
         active AS (INSERT INTO engagement_activity (engagement_id, at, by_name) SELECT id, now(), 'Bench' \
         FROM made)
         INSERT INTO reports (id, engagement_id, client_id, title, created_at, updated_at)
            SELECT gen_random_uuid(), id, '{client}', 'Report', now(), now() FROM made"
    );
    lay(app, &[made]);
}

fn pages(directory: &std::path::Path) {
    let stand = Stand::start(directory, &[]);
    let (_, client) = people(&stand.app);
    engagements(&stand.app, client, 500, "scheduled", "date_trunc('month', current_date)::date", 28);
    let operators = "INSERT INTO engagement_operators (engagement_id, person_id, team)
        SELECT e.id, a.person_id, CASE WHEN row_number() OVER (PARTITION BY e.id \
        ORDER BY a.person_id) % 2 = 0 THEN 'red' ELSE 'blue' END
        FROM engagements e JOIN client_access a ON a.client_id = e.client_id";
    lay(&stand.app, &[operators.to_owned()]);
    let mut browser = Browser::sign_in(&stand.base);
    heading();
    browser.measure("month view, 500 engagements in it", "/schedule");
    browser.measure("the same as a list", "/schedule?view=list");
    browser.measure("the same as availability", "/schedule?view=availability");
    // 200 engagements in progress with 50 procedures each, half of them answered.
    lay(
        &stand.app,
        &[
            "UPDATE engagements SET status = 'in_progress', start_date = current_date - 3, starts_at = \
                now() - interval '3 days', end_date = current_date + 9
             WHERE id IN (SELECT id FROM engagements ORDER BY id LIMIT 200)"
                .into(),
            "INSERT INTO procedures (id, engagement_id, client_id, position, body, name, technique_ids, \
                status, red_outcome, blue_outcome, updated_at)
             SELECT gen_random_uuid(), e.id, e.client_id, i, v.body, 'Procedure ' || i, '{T1059}', CASE \
             WHEN i % 2 = 0 THEN 'completed' ELSE 'not_started' END,
                CASE WHEN i % 2 = 0 THEN 'success' END, CASE WHEN i % 2 = 0 THEN 'logged' END, now()
             FROM engagements e, generate_series(1, 50) i, (SELECT body FROM library_procedure_versions \
             LIMIT 1) v WHERE e.status = 'in_progress'"
                .into(),
        ],
    );
    analyze(&stand.app);
    browser.measure("dashboard, 200 engagements, 10,000 procedures", "/");
    stand.stop();
}

/// Statistics, as autovacuum would have gathered them by the time a table has a million rows.
fn analyze(app: &App) {
    app.db
        .write_unaudited_blocking("statistics", |conn| {
            diesel::sql_query("ANALYZE").execute(conn)?;
            Ok(())
        })
        .expect("statistics");
}

fn sweeps(directory: &std::path::Path) {
    let stand = Stand::start(directory, &[]);
    let (_, client) = people(&stand.app);
    let job = find("schedule-transitions").expect("the job");
    let sweep = || {
        let begun = Instant::now();
        let done = run(&stand.app.reach(), job, Trigger::ByHand, None).expect("a sweep");
        (done.moved, begun.elapsed().as_secs_f64() * 1_000.0)
    };
    for round in 0..10 {
        engagements(&stand.app, client, 100_000, "scheduled", &format!("current_date + {}", 30 + round), 300);
    }
    analyze(&stand.app);
    let (moved, none) = sweep();
    assert_eq!(moved, 0);
    println!("sweep, 1,000,000 engagements, none due        {none:>10.1} ms");
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            engagements(&stand.app, client, 100, "scheduled", "current_date - 3", 3);
            let (moved, took) = sweep();
            assert_eq!(moved, 100);
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "sweep, 1,000,000 engagements, 100 due         {:>10.1} ms median of five, {:.1} – {:.1}",
        times[2], times[0], times[4]
    );
    engagements(&stand.app, client, 100_000, "scheduled", "current_date - 3", 3);
    let browser = Browser::sign_in(&stand.base);
    let page = || {
        let begun = Instant::now();
        assert_eq!(browser.get("/schedule/requests", "br").0, 200);
        begun.elapsed()
    };
    let mut calm: Vec<Duration> = (0..PAGES).map(|_| page()).collect();
    let calm = milliseconds(&mut calm, 0.95);
    let over = AtomicBool::new(false);
    let mut meanwhile = Vec::new();
    let (moved, took) = std::thread::scope(|scope| {
        let sweeping = scope.spawn(|| {
            let done = sweep();
            over.store(true, Ordering::Release);
            done
        });
        while !over.load(Ordering::Acquire) {
            meanwhile.push(page());
        }
        sweeping.join().expect("a sweep")
    });
    assert_eq!(moved, 100_000);
    println!("sweep, 1,100,500 engagements, 100,000 due     {:>10.2} s", took / 1_000.0);
    let (pages, busy) = (meanwhile.len(), milliseconds(&mut meanwhile, 0.95));
    println!(
        "another page meanwhile ({pages})              p95 {busy:>10.2} ms, calm {calm:.2} ms, {:.1} times",
        busy / calm
    );
    stand.stop();
}
