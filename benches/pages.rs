//! Measures what the product promises: statements, bytes and time of the heaviest pages, of a save with its
//! event on the durable database, of the first and a later start, of idle memory, and of the imports where
//! TYRIAN_DATA names a folder with `attack/` and `atomic-red-team/`. Run it with `cargo bench --bench pages`.

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Browser, Stand, heading, people};
use diesel::prelude::*;
use tyrian::kernel::app::App;
use tyrian::kernel::base::ids::{ClientId, EngagementId, PersonId};
use tyrian::kernel::event::domain::{Actor, Event, Kind};

fn main() {
    let scratch = std::env::temp_dir().join(format!("tyrian-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    pages(&scratch.join("pages"));
    starts(&scratch.join("starts"));
    let _ = std::fs::remove_dir_all(&scratch);
}

fn pages(directory: &Path) {
    let stand = Stand::start(directory, &[]);
    let (person, client) = people(&stand.app);
    let engagements = [200, 1_000].map(|n| (n, engagement(&stand.app, client, person, n)));
    let mut browser = Browser::sign_in(&stand.base);
    heading();
    for (n, id) in engagements {
        browser.measure(&format!("engagement page, {n} procedures"), &format!("/engagements/{id}"));
    }
    let procedure = first_procedure(&stand.app, engagements[0].1);
    let path = format!("/engagements/{}/procedures/{procedure}", engagements[0].1);
    let notes = "What the team saw, in full sentences. ".repeat(27);
    browser.post(&path, &format!("version=2147483647&red_notes={0}&blue_notes={0}", notes.replace(' ', "+")));
    browser.measure("procedure page, notes of 1 KB", &path);
    browser.measure_saves("saving it, event included", &path);
    browser.measure("engagements list", "/engagements");
    stand.stop();
}

/// An engagement in progress with `n` procedures, the starter library's over and over, half of them answered.
fn engagement(app: &App, client: ClientId, person: PersonId, n: i32) -> EngagementId {
    use diesel::sql_types::{Integer, Text, Uuid};
    let id = EngagementId::new();
    let made = app.db.write_blocking(&Actor::command(), |tx| {
        diesel::sql_query(
            "INSERT INTO engagements (id, client_id, title, status, time_zone, start_date, starts_at, \
                attack_version, created_at, created_by)
             VALUES ($1, $2, $4, 'in_progress', 'Europe/Lisbon', current_date, now(), (SELECT version \
             FROM attack_versions ORDER BY rank DESC LIMIT 1), now(), $3)",
        )
        .bind::<Uuid, _>(id.0)
        .bind::<Uuid, _>(client.0)
        .bind::<Uuid, _>(person.0)
        .bind::<Text, _>(format!("Engagement with {n} procedures"))
        .execute(tx.conn)?;
        for statement in [
            "INSERT INTO engagement_activity (engagement_id, at, by_name) VALUES ($1, now(), 'Bench Lead')",
            "INSERT INTO reports (id, engagement_id, client_id, title, created_at, updated_at) \
                SELECT gen_random_uuid(), id, client_id, title, now(), now() FROM engagements WHERE id = $1",
        ] {
            diesel::sql_query(statement).bind::<Uuid, _>(id.0).execute(tx.conn)?;
        }
        diesel::sql_query(
            "INSERT INTO engagement_operators (engagement_id, person_id, team) \
            SELECT $1, person_id, CASE WHEN row_number() OVER (ORDER BY person_id) % 2 = 0
                THEN 'red' ELSE 'blue' END FROM client_access WHERE client_id = (SELECT client_id \
                FROM engagements WHERE id = $1)",
        )
        .bind::<Uuid, _>(id.0)
        .execute(tx.conn)?;
        diesel::sql_query(
            "WITH library AS (SELECT row_number() OVER (ORDER BY p.id) - 1 AS k, count(*) OVER () AS of, \
                p.*, v.body FROM library_procedures p
                JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version)
             INSERT INTO procedures (id, engagement_id, client_id, position, origin_id, origin_version, \
             body, name, technique_ids, tactics, status,
                red_outcome, blue_outcome, severity, executed_at, detected_at, updated_at)
             SELECT gen_random_uuid(), $1, $2, i, l.id, l.current_version, l.body, l.name, l.technique_ids,
                coalesce((SELECT t.tactics FROM techniques t WHERE t.external_id = l.technique_ids[1] \
                ORDER BY t.version DESC LIMIT 1), '{}'),
                CASE WHEN i % 2 = 0 THEN 'completed' ELSE 'not_started' END, CASE \
                WHEN i % 2 = 0 THEN 'success' END,
                CASE WHEN i % 2 = 0 THEN 'logged' END, CASE \
                WHEN i % 4 = 0 THEN 'high' END, now() - interval '1 hour', now(), now()
             FROM generate_series(1, $3) i JOIN library l ON l.k = i % l.of",
        )
        .bind::<Uuid, _>(id.0)
        .bind::<Uuid, _>(client.0)
        .bind::<Integer, _>(n)
        .execute(tx.conn)?;
        tx.audited(
            id,
            Event::new(
                Kind::EngagementCreated,
                "Created an engagement to \
            measure",
            )
            .engagement(client, id),
        )
    });
    made.expect("an engagement")
}

fn first_procedure(app: &App, engagement: EngagementId) -> uuid::Uuid {
    use tyrian::kernel::db::schema::procedures;
    app.db
        .read_blocking(|conn| {
            Ok(procedures::table
                .filter(procedures::engagement_id.eq(engagement.0))
                .order(procedures::position)
                .select(procedures::id)
                .first(conn)?)
        })
        .expect("a procedure")
}

fn starts(directory: &Path) {
    let first = Instant::now();
    let mut server = Server::start(directory);
    println!("first start on an empty directory            {:>8.2} s", first.elapsed().as_secs_f64());
    server.stop();
    let later = Instant::now();
    let mut server = Server::start(directory);
    println!("later start                                  {:>8.2} s", later.elapsed().as_secs_f64());
    // Long enough for the jobs that run at start to be over.
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_secs(5));
    println!("resident memory, idle                        {:>8.1} MB", server.resident_megabytes());
    if let Some(data) = std::env::var_os("TYRIAN_DATA").map(PathBuf::from) {
        for (what, path) in [
            ("attack", data.join("attack/enterprise-attack-18.1.json")),
            ("atomics", data.join("atomic-red-team")),
        ] {
            for run in ["first", "second"] {
                let begun = Instant::now();
                let output = tyrian(directory).args(["import", what]).arg(&path).output().expect("an import");
                let said = String::from_utf8_lossy(&output.stdout);
                println!(
                    "import {what}, {run} run {:>25.2} s   {}",
                    begun.elapsed().as_secs_f64(),
                    said.lines().last().unwrap_or_default()
                );
            }
        }
    }
    server.stop();
}

fn tyrian(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tyrian"));
    command
        .arg("--data-dir")
        .arg(directory)
        .env("TYRIAN_LOG", "warn")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

struct Server {
    child: Child,
}

impl Server {
    /// Starts `tyrian serve` and waits until it answers.
    fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let address = format!("127.0.0.1:{port}");
        let child = tyrian(directory)
            .args(["--listen", &address, "serve"])
            .stdout(Stdio::null())
            .spawn()
            .expect("the server");
        let mut server = Self { child };
        let agent =
            ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if agent
                .get(format!("http://{address}/sign-in"))
                .call()
                .is_ok_and(|answer| answer.status() == 200)
            {
                return server;
            }
            std::thread::yield_now();
        }
        server.stop();
        panic!("the server did not answer");
    }

    fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    }

    fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
