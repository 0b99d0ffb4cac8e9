//! What the benchmarks share: an application on a durable embedded database behind a real server, a browser
//! that counts and times, and the line that tells it.
#![expect(dead_code, reason = "each benchmark takes what it needs")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use clap::Parser;
use diesel::prelude::*;
use tyrian::accounts::{domain::hash_password, store};
use tyrian::kernel::app::App;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::base::ids::{ClientId, EngagementId, PersonId};
use tyrian::kernel::config::{Config, Options};
use tyrian::kernel::db::STATEMENTS;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::server;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const REQUESTS: usize = 400;
const WARM_UP: usize = 40;
pub const PASSWORD: &str = "a long enough passphrase";

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    options: Options,
}

/// A running application with a database of its own.
pub struct Stand {
    pub app: App,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    pub cluster: Option<tyrian::kernel::db::embedded::Cluster>,
    handle: ServerHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Stand {
    /// Boots it in a directory, with more flags where wanted, and serves it with two workers.
    pub fn start(directory: &Path, flags: &[&str]) -> Self {
        let place = directory.display().to_string();
        let flags = [&["bench", "--data-dir", &place, "--listen", "127.0.0.1:0"], flags].concat();
        let config = Config::check(&Flags::parse_from(flags).options).expect("a configuration");
        let booted = server::boot(config, Clock::machine()).expect("a database");
        let (app, served) = (booted.app.clone(), booted.app.clone());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (send, receive) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let running = server::serve(served, listener, 2).expect("a server");
                send.send(running.handle()).expect("the handle");
                running.await
            })
        });
        let handle = receive.recv().expect("the handle");
        Self { app, base, cluster: booted.cluster, handle, thread }
    }

    /// A connection as the cluster's superuser.
    pub fn superuser(&self) -> PgConnection {
        let url = self.cluster.as_ref().expect("the embedded cluster").superuser_url(server::DATABASE);
        PgConnection::establish(&url).expect("a superuser")
    }

    /// Ends it, and its database.
    pub fn stop(self) {
        actix_web::rt::System::new().block_on(self.handle.stop(true));
        self.thread.join().expect("the server's thread").expect("an orderly end");
        drop(self.app);
        if let Some(cluster) = self.cluster {
            cluster.stop_always();
        }
    }
}

/// A share of sorted times, in milliseconds.
pub fn milliseconds(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1_000.0
}

/// A team lead and three operators at one client.
pub fn people(app: &App) -> (PersonId, ClientId) {
    let hash = hash_password(PASSWORD).expect("a hash");
    let client = ClientId::new();
    let person = app.db.write_blocking(&Actor::command(), |tx| {
        let new = store::NewPerson {
            name: "Bench Lead",
            email: "lead@tyrian.example",
            password_hash: Some(&hash),
            roles: &["team_lead"],
        };
        let (person, made) = store::insert_person(tx, &new, None)?;
        diesel::sql_query(
            "INSERT INTO clients (id, name, created_at, updated_at) \
            VALUES ($1, 'Bench Client', now(), now())",
        )
        .bind::<diesel::sql_types::Uuid, _>(client.0)
        .execute(tx.conn)?;
        let mut events = vec![made];
        for (name, email) in [
            ("Mika Example", "mika@tyrian.example"),
            ("Ines Example", "ines@tyrian.example"),
            ("Sam Example", "sam@tyrian.example"),
        ] {
            let new = store::NewPerson { name, email, password_hash: Some(&hash), roles: &["standard_user"] };
            let (operator, made) = store::insert_person(tx, &new, None)?;
            events.extend([
                made,
                store::give_access(tx, client, "Bench Client", operator, name, "standard_user", None)?,
            ]);
        }
        let given = store::give_access(tx, client, "Bench Client", person, "Bench Lead", "team_lead", None)?;
        events.push(given);
        tx.audited_all(person, &events)
    });
    (person.expect("people"), client)
}

/// A browser that counts and times.
pub struct Browser {
    agent: ureq::Agent,
    base: String,
    cookie: String,
}

impl Browser {
    /// Signs the team lead in.
    pub fn sign_in(base: &str) -> Self {
        let (agent, cookie) = sign_in(base);
        Self { agent, base: base.to_owned(), cookie: cookie.expect("a session") }
    }

    /// Status and bytes of a page.
    pub fn get(&self, path: &str, encoding: &str) -> (u16, usize) {
        self.answer(path, encoding, "full")
    }

    fn answer(&self, path: &str, encoding: &str, kind: &str) -> (u16, usize) {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("hx-request-type", kind)
            .header("accept-encoding", encoding);
        let mut answer = request.call().expect("an answer");
        let bytes = answer.body_mut().read_to_vec().expect("a body").len();
        (answer.status().as_u16(), bytes)
    }

    /// The text of a page.
    pub fn text(&self, path: &str) -> String {
        let request = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        request.call().expect("an answer").body_mut().read_to_string().expect("a text")
    }

    /// A request as it goes over a connection, after a line with the server's address.
    pub fn request(&self, path: &str) -> String {
        let address = self.base.trim_start_matches("http://");
        format!("{address}\nGET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\n\r\n", self.cookie)
    }

    /// Status of a posted form.
    pub fn post(&self, path: &str, body: &str) -> u16 {
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let mut answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .send(body)
            .expect("an answer");
        let _ = answer.body_mut().read_to_vec();
        answer.status().as_u16()
    }

    /// Uploads a file; where the answer leads.
    pub fn upload(&self, path: &str, name: &str, bytes: &[u8]) -> String {
        let head =
            format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let body = [head.as_bytes(), bytes, b"\r\n--x--\r\n"].concat();
        let request = self.agent.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        let mut answer = request.send(&body[..]).expect("an answer");
        let _ = answer.body_mut().read_to_vec();
        let to = answer.headers().get("location").and_then(|to| to.to_str().ok());
        to.expect("a page to go to").to_owned()
    }

    /// Tells statements, bytes and times of a page.
    pub fn measure(&mut self, name: &str, path: &str) {
        self.measure_kind(name, path, "full");
    }

    /// The same of what htmx asks for, such as the results of a search while somebody types.
    pub fn measure_part(&mut self, name: &str, path: &str) {
        self.measure_kind(name, path, "partial");
    }

    fn measure_kind(&mut self, name: &str, path: &str, kind: &str) {
        let (status, bytes) = self.answer(path, "identity", kind);
        assert_eq!(status, 200, "{path}");
        let (_, wire) = self.answer(path, "br", kind);
        let (times, statements) =
            self.repeat(|browser, _| assert_eq!(browser.answer(path, "br", kind).0, 200));
        line(name, statements, bytes, wire, times);
    }

    /// Tells statements and times of a save.
    pub fn measure_saves(&mut self, name: &str, path: &str) {
        let (times, statements) = self.repeat(|browser, n| {
            assert_eq!(browser.post(path, &format!("version=2147483647&attack_source=host-{n}")), 303);
        });
        line(name, statements, 0, 0, times);
    }

    fn repeat(&mut self, act: impl Fn(&Self, usize)) -> (Vec<Duration>, f64) {
        (0..WARM_UP).for_each(|n| act(self, n + REQUESTS));
        let before = STATEMENTS.load(Ordering::Relaxed);
        let times = (0..REQUESTS)
            .map(|n| {
                let begun = Instant::now();
                act(self, n);
                begun.elapsed()
            })
            .collect();
        (times, (STATEMENTS.load(Ordering::Relaxed) - before) as f64 / REQUESTS as f64)
    }
}

/// Posts the team lead's password; the session's cookie, where the answer has one.
pub fn sign_in(base: &str) -> (ureq::Agent, Option<String>) {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build(),
    );
    let body = format!("email=lead%40tyrian.example&password={}&next=", PASSWORD.replace(' ', "+"));
    let answer = agent
        .post(format!("{base}/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .send(body)
        .expect("an answer");
    let mut cookies = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = cookies.find(|cookie| cookie.starts_with("tyrian-") && !cookie.contains("-device="));
    let session = session.map(str::to_owned);
    (agent, session)
}

/// The heading of [`line`]'s columns.
pub fn heading() {
    println!(
        "{:<44} {:>10} {:>10} {:>9} {:>9} {:>9}",
        "", "statements", "bytes", "on wire", "p50 ms", "p95 ms"
    );
}

fn line(name: &str, statements: f64, bytes: usize, wire: usize, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| {
        times[((times.len() as f64 * share) as usize).min(times.len() - 1)].as_secs_f64() * 1_000.0
    };
    println!("{name:<44} {statements:>10.2} {bytes:>10} {wire:>9} {:>9.2} {:>9.2}", at(0.5), at(0.95));
}

/// An engagement in progress with `n` procedures, the starter library's over and over, half of them answered.
pub fn engagement(app: &App, client: ClientId, person: PersonId, n: i32) -> EngagementId {
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
            Event::new(Kind::EngagementCreated, "Created an engagement to measure").engagement(client, id),
        )
    });
    made.expect("an engagement")
}

pub fn first_procedure(app: &App, engagement: EngagementId) -> uuid::Uuid {
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

/// The program itself, as one types it.
pub fn tyrian(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tyrian"));
    command
        .arg("--data-dir")
        .arg(directory)
        .env("TYRIAN_LOG", "warn")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A server of its own process.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub base: String,
}

impl Server {
    /// Starts `tyrian serve` and waits until it answers.
    pub fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let address = format!("127.0.0.1:{port}");
        let child = tyrian(directory)
            .args(["--listen", &address, "serve"])
            .stdout(Stdio::null())
            .spawn()
            .expect("the server");
        let mut server = Self { child, base: format!("http://{address}") };
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

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    }

    pub fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
