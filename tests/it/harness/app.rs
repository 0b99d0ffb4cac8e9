//! A whole application for one test: a database of its own, a real HTTP server on a port of its own, a clock
//! that the test moves, and people of every kind.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, TimeZone, Utc};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use tyrian::audit::proof::seal::KeyFiles;
use tyrian::audit::proof::sealer::Sealer;
use tyrian::audit::proof::store::verify::{Against, verify};
use tyrian::audit::proof::verify::{Fault, Report};
use tyrian::kernel::app::App;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::config::Config;
use tyrian::kernel::db::{Db, PoolSize};

use super::browser::Browser;
use super::database::{TestDatabase, connect, scratch};
use super::fixtures::{Clients, People, Person};

/// Where the clock of every test stands at first: Friday, 20 November 2026, 09:00 UTC.
pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap()
}

/// Configuration of a test's application, with its files in `place`.
pub fn config(place: &Path) -> Config {
    Config {
        database_url: None,
        owner_database_url: None,
        sealer_database_url: None,
        data_dir: place.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        metrics_listen: None,
        base_url: None,
        secret: "0123456789abcdef".repeat(4).into(),
        secret_made: None,
        audit_key_file: None,
        audit_head_file: None,
        trusted_proxies: Vec::new(),
        time_zone: "UTC".into(),
    }
}

/// A running application. Everything it made is gone when it is dropped.
pub struct TestApp {
    /// The application's state, as its handlers see it.
    pub app: App,
    pub db: Db,
    /// Its clock; [`Clock::set`] moves it.
    pub clock: Clock,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    /// One person of every kind.
    pub people: People,
    /// Two clients: the one that people have access to, and a foreign one.
    pub clients: Clients,
    /// Whether the clock of the audit log is no longer the database's.
    moved_clock: AtomicBool,
    // Declared in the order in which they have to go.
    server: Server,
    place: PathBuf,
    pub database: TestDatabase,
}

impl TestApp {
    /// Starts one with people and clients.
    pub fn spawn() -> Self {
        let mut app = Self::spawn_empty();
        (app.clients, app.people) = super::fixtures::settle(&app.app);
        app
    }

    /// As [`TestApp::spawn`], with the jobs of a real process: each ran once, as at every start.
    pub fn spawn_with_jobs() -> Self {
        let mut app = Self::make(true);
        (app.clients, app.people) = super::fixtures::settle(&app.app);
        // Whoever asks for one is answered after those of the start.
        let answer = app.browser(&app.people.administrator).post("/admin/jobs/session-sweep/run", &[]).status;
        assert_eq!(answer, 303);
        app
    }

    /// Starts one as it is after the very first start: nobody has an account.
    pub fn spawn_empty() -> Self {
        Self::make(false)
    }

    /// Starts one on a database that has everything already.
    pub fn on(database: TestDatabase) -> Self {
        Self::start(database, false)
    }

    /// As [`TestApp::spawn`], with a single connection to read and a single one to write.
    pub fn spawn_on_one_connection() -> Self {
        let mut app = Self::start_with(TestDatabase::new(), false, 1);
        (app.clients, app.people) = super::fixtures::settle(&app.app);
        app
    }

    fn make(jobs: bool) -> Self {
        Self::start(TestDatabase::new(), jobs)
    }

    fn start(database: TestDatabase, jobs: bool) -> Self {
        Self::start_with(database, jobs, 4)
    }

    fn start_with(database: TestDatabase, jobs: bool, connections: u32) -> Self {
        let clock = Clock::standing_at(start());
        let db =
            Db::open(&database.app_url(), PoolSize { connections, wait_seconds: 3 }, clock.clone()).unwrap();
        let place = scratch().join("data").join(database.name());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = config(&place);
        config.listen = listener.local_addr().unwrap();
        let base = format!("http://{}", config.listen);
        let sealing =
            Db::open(&database.sealer_url(), PoolSize { connections: 2, wait_seconds: 3 }, clock.clone())
                .unwrap();
        let app = tyrian::server::assemble(config, db.clone(), Some(sealing), clock.clone()).unwrap();
        let server = Server::start(app.clone(), listener, jobs);
        Self {
            app,
            db,
            clock,
            base,
            people: People::default(),
            clients: Clients::default(),
            moved_clock: AtomicBool::new(false),
            server,
            place,
            database,
        }
    }

    /// Somebody who is not signed in.
    pub fn visitor(&self) -> Browser {
        Browser::new(&self.base)
    }

    /// A browser in which this person is signed in already.
    pub fn browser(&self, person: &Person) -> Browser {
        let mut browser = self.visitor();
        browser.carry(&super::fixtures::planted_session(&self.app, person.id));
        browser
    }

    /// A browser in which this person signed in by the form.
    pub fn sign_in(&self, person: &Person) -> Browser {
        let mut browser = self.visitor();
        browser.open("/sign-in");
        browser.fill("E-mail", &person.email);
        browser.fill("Password", super::fixtures::PASSWORD);
        browser.press("Sign in");
        browser
    }

    /// Moves the clock on.
    pub fn pass(&self, time: chrono::TimeDelta) {
        self.clock.set(self.clock.now() + time);
    }

    /// Lets events be written at `at`: only the owner can replace the database's clock of the audit log.
    pub fn set_audit_clock(&self, at: DateTime<Utc>) {
        self.moved_clock.store(true, Ordering::Relaxed);
        let at = at.to_rfc3339();
        self.owner()
            .batch_execute(&format!(
                "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT \
                    timestamptz ''{at}''';
                 SELECT audit.make_month(timestamptz '{at}'::date)"
            ))
            .unwrap();
    }

    /// What `tyrian audit verify` holds the log against; a clock that the test moved is no fault.
    pub fn against<'a>(&self, archives: &'a Path) -> Against<'a> {
        let replaced: &[&str] =
            if self.moved_clock.load(Ordering::Relaxed) { &["function audit.now()"] } else { &[] };
        Against { replaced, ..Against::of(&KeyFiles::of(&self.app.config), archives).unwrap() }
    }

    /// Verifies the log as the command does; every fault's kind and sentence.
    pub fn verify(&self) -> Result<Report, String> {
        let archives = self.app.config.audit_archives();
        self.verify_against(&self.against(&archives))
    }

    /// The same, held against something else.
    pub fn verify_against(&self, against: &Against<'_>) -> Result<Report, String> {
        verified(&self.db, against)
    }

    /// A connection as the app's own role.
    pub fn as_app(&self) -> PgConnection {
        connect(&self.database.app_url())
    }
    /// A connection as the role that seals.
    pub fn as_sealer(&self) -> PgConnection {
        connect(&self.database.sealer_url())
    }
    /// A connection as the schema's owner.
    pub fn owner(&self) -> PgConnection {
        connect(&self.database.owner_url())
    }
    /// A connection as the cluster's superuser.
    pub fn superuser(&self) -> PgConnection {
        connect(&self.database.superuser_url())
    }

    /// A single number from the database.
    pub fn count(&self, sql: &str) -> i64 {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        diesel::sql_query(format!("SELECT ({sql})::bigint AS n"))
            .get_result::<Row>(&mut self.superuser())
            .unwrap()
            .n
    }

    /// The texts that a query with one text column gives.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        super::texts(&mut self.superuser(), sql)
    }

    /// A sealer of this application's log, as `serve` has one.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.app.sealing.clone(), KeyFiles::of(&self.app.config), false).unwrap()
    }

    /// Seals everything, in as few batches as it goes. Other tests' transactions in the same cluster hold the
    /// horizon back for moments: what is not settled yet is waited for first.
    pub fn seal(&self) {
        let unsettled = "SELECT count(*) FROM audit.events \
            WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())";
        for _ in 0..600 {
            if self.count(unsettled) == 0 {
                self.sealer().seal_all().unwrap();
                let left = self.count(
                    "SELECT (SELECT count(*) FROM audit.events) - (SELECT count(*) FROM audit.sealed)",
                );
                if left == 0 {
                    return;
                }
            }
            self.superuser().batch_execute("SELECT pg_sleep(0.05)").unwrap();
        }
        panic!("events stay unsealed");
    }

    /// How many events of a kind were written.
    pub fn events(&self, kind: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM audit.events WHERE kind = '{kind}'"))
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.stop();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

/// Verifies a log; what is wrong, a line each with its kind.
pub fn verified(db: &Db, against: &Against<'_>) -> Result<Report, String> {
    let report = verify(db.connect().unwrap(), db.connect().unwrap(), against, &mut |_| {})
        .map_err(|error| format!("{error:#}"))?;
    if report.holds() {
        return Ok(report);
    }
    let line = |fault: &Fault| format!("{:?}: {}", fault.wrong, fault.sentence);
    Err(report.faults.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// An HTTP server on a thread of its own.
pub struct Server {
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `app` on a bound listener, with or without its jobs.
    pub fn start(app: App, listener: TcpListener, jobs: bool) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let mut app = app;
                app.live = tyrian::kernel::live::Live::default();
                actix_web::rt::spawn(
                    app.live.clone().poll(app.db.clone(), std::time::Duration::from_millis(200)),
                );
                if jobs {
                    app.jobs = tyrian::kernel::job::Jobs::start(tyrian::jobs::JOBS, app.reach());
                }
                let server = tyrian::server::serve(app, listener, 1).unwrap();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { handle: receiver.recv().unwrap(), thread: Some(thread) }
    }

    /// Stops it at once and waits for the end.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The order goes out with the call; the thread's end is the answer.
            drop(self.handle.stop(false));
            let _ = thread.join();
        }
    }
}
