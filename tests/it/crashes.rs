//! The app and PostgreSQL are killed in the middle of writes, again and again: what was acknowledged is there
//! with its event, no event is there without its act, and the log goes on proving itself. `TYRIAN_ROUNDS=100`
//! makes a long run of it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tyrian::audit::proof::sealer::Sealer;
use tyrian::audit::proof::store::verify::Against;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::db::embedded::{APP, Cluster, Durability, OWNER};
use tyrian::kernel::db::migrate::Roles;
use tyrian::kernel::db::{Db, PoolSize};

use crate::harness::app::config;
use crate::harness::browser::Browser;
use crate::harness::database::{connect, scratch};
use crate::harness::fixtures::{PASSWORD, settle};
use crate::harness::process::Process;
use crate::harness::{texts, verified};

struct Over<'a>(&'a AtomicBool);
impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Crashes {
    cluster: Cluster,
    place: PathBuf,
    email: String,
    client: tyrian::kernel::base::ids::ClientId,
}

impl Drop for Crashes {
    fn drop(&mut self) {
        self.cluster.stop_always();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

impl Crashes {
    fn new() -> Self {
        let place = scratch().join(format!("crashes-{}", std::process::id()));
        let cluster = Cluster::start(&place, Durability::Durable).unwrap();
        cluster.ensure_database("crashes").unwrap();
        tyrian::kernel::db::migrate::migrate(
            &cluster.url(OWNER, "crashes"),
            Roles { app: APP, sealer: None },
        )
        .unwrap();
        let clock = Clock::machine();
        let db = Db::open(
            &cluster.url(APP, "crashes"),
            PoolSize { connections: 2, wait_seconds: 3 },
            clock.clone(),
        )
        .unwrap();
        let mut config = config(&place.join("data"));
        config.secret = "5".repeat(64).into();
        let app = tyrian::server::assemble(config, db, None, clock).unwrap();
        tyrian::server::prepare(&app).unwrap();
        let (clients, people) = settle(&app);
        Self { cluster, place, email: people.lead.email, client: clients.own }
    }

    fn serve(&self) -> Process {
        Process::on(&self.cluster.url(APP, "crashes"), None, self.place.join("data"))
    }

    fn kill_postgres(&self) {
        let mut conn = connect(&self.cluster.superuser_url("crashes"));
        let data = texts(&mut conn, "SELECT setting FROM pg_settings WHERE name = 'data_directory'");
        let mut pids = texts(&mut conn, "SELECT pid FROM pg_stat_activity");
        let file = std::fs::read_to_string(PathBuf::from(&data[0]).join("postmaster.pid")).unwrap();
        // The parent first, so that it starts no child anew.
        pids.insert(0, file.lines().next().unwrap().to_owned());
        let _ = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("kill -9 {}", pids.join(" ")))
            .stderr(std::process::Stdio::null())
            .status();
        for _ in 0..50 {
            if Cluster::start(&self.place, Durability::Durable).is_ok() {
                return;
            }
        }
        panic!("PostgreSQL does not start again");
    }

    fn db(&self) -> Db {
        Db::open(
            &self.cluster.url(APP, "crashes"),
            PoolSize { connections: 2, wait_seconds: 3 },
            Clock::machine(),
        )
        .unwrap()
    }

    /// What is acknowledged is there, and acts and events are the same ones.
    fn check(&self, acknowledged: &[String]) {
        let mut conn = connect(&self.cluster.superuser_url("crashes"));
        let there = texts(&mut conn, "SELECT name FROM assets WHERE name LIKE 'Crash %'");
        let there: std::collections::HashSet<_> = there.into_iter().collect();
        let lost: Vec<_> = acknowledged.iter().filter(|name| !there.contains(*name)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let odd = texts(
            &mut conn,
            "SELECT coalesce(c.name, e.subject_label) FROM (SELECT * FROM assets WHERE name LIKE 'Crash %') c
             FULL JOIN (SELECT * FROM audit.events WHERE kind = 'asset.created' \
             AND subject_label LIKE 'Crash %') e ON e.subject_id = c.id
             WHERE c.id IS NULL OR e.id IS NULL",
        );
        assert!(odd.is_empty(), "an act without its event, or the other way round: {odd:?}");
    }

    fn verify(&self) -> i64 {
        let files = tyrian::audit::proof::seal::KeyFiles::new(&self.place.join("data"), None);
        let archives = self.place.join("data/audit-archives");
        let against = Against::of(&files, &archives).unwrap();
        verified(&self.db(), &against).unwrap_or_else(|said| panic!("{said}")).verified.events
    }
}

#[test]
fn whatever_is_killed_acknowledged_acts_have_their_events_and_the_log_proves_itself() {
    let rounds: usize = std::env::var("TYRIAN_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let crashes = Crashes::new();
    let acknowledged = Mutex::new(Vec::new());
    let mut process = crashes.serve();
    let mut browser = Browser::new(&process.base);
    browser
        .open("/sign-in")
        .fill("E-mail", &crashes.email)
        .fill("Password", PASSWORD)
        .press("Sign in")
        .expect(200);
    let session = browser.session().unwrap();
    for round in 0..rounds {
        let over = AtomicBool::new(false);
        let wrote = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let form = format!("/clients/{}/assets/new", crashes.client);
                    let (base, cookie) = (process.base.clone(), session.clone());
                    let (acknowledged, over, wrote) = (&acknowledged, &over, &wrote);
                    scope.spawn(move || {
                        let mut browser = Browser::new(&base);
                        browser.carry(&cookie);
                        for n in 0.. {
                            let name = format!("Crash {round} {writer} {n}");
                            let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                let answer = browser.post(
                                    &form,
                                    &[("name", &name), ("kind", "server"), ("criticality", "high")],
                                );
                                (answer.status, answer.header("location").to_owned())
                            }));
                            match answer {
                                Ok((303, to)) if to.starts_with("/clients/") => {
                                    acknowledged.lock().unwrap().push(name);
                                    wrote.fetch_add(1, Ordering::Relaxed);
                                }
                                Ok((status, to)) if !over.load(Ordering::Relaxed) && status < 500 => {
                                    panic!("{status} {to}")
                                }
                                // Killed, or without its database: it was not acknowledged.
                                _ if over.load(Ordering::Relaxed) => return,
                                _ => std::thread::yield_now(),
                            }
                            if over.load(Ordering::Relaxed) {
                                return;
                            }
                        }
                    })
                })
                .collect();
            // Also when something fails here: the writers must not write for ever.
            let _over = Over(&over);
            let enough = 8 + (round * 37) % 50;
            while wrote.load(Ordering::Relaxed) < enough {
                std::thread::yield_now();
                assert!(writers.iter().any(|writer| !writer.is_finished()), "nobody can write");
            }
            if round % 2 == 0 {
                process.kill();
            } else {
                crashes.kill_postgres();
            }
        });
        if round % 2 == 0 {
            process = crashes.serve();
        }
        crashes.check(&acknowledged.lock().unwrap());
        crashes.verify();
    }
    drop(process);
    let files = tyrian::audit::proof::seal::KeyFiles::new(&crashes.place.join("data"), None);
    let sealer = Sealer::new(crashes.db(), files, false).unwrap();
    sealer.begin().unwrap();
    let all: i64 = {
        let mut conn = connect(&crashes.cluster.superuser_url("crashes"));
        sealer.seal_all().unwrap();
        texts(&mut conn, "SELECT count(*) FROM audit.events")[0].parse().unwrap()
    };
    assert_eq!(crashes.verify(), all, "everything is sealed");
    println!("{rounds} rounds, {} acknowledged acts, {all} events", acknowledged.lock().unwrap().len());
}
