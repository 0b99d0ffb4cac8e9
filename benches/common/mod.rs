//! What the benchmarks share: an application on a durable embedded database behind a real server, a browser
//! that counts and times, and the line that tells it.
#![expect(dead_code, reason = "each benchmark takes what it needs")]

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use clap::Parser;
use diesel::prelude::*;
use tyrian::accounts::{domain::hash_password, store};
use tyrian::kernel::app::App;
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::base::ids::{ClientId, PersonId};
use tyrian::kernel::config::{Config, Options};
use tyrian::kernel::db::STATEMENTS;
use tyrian::kernel::event::domain::Actor;
use tyrian::server;

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
            name: "Bench \
            Lead",
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
            (
                "Sam \
                Example",
                "sam@tyrian.example",
            ),
        ] {
            let new = store::NewPerson { name, email, password_hash: Some(&hash), roles: &["standard_user"] };
            let (operator, made) = store::insert_person(tx, &new, None)?;
            events.extend([
                made,
                store::give_access(
                    tx,
                    client,
                    "Bench \
                Client",
                    operator,
                    name,
                    "standard_user",
                    None,
                )?,
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
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build(),
        );
        let body = format!("email=lead%40tyrian.example&password={}&next=", PASSWORD.replace(' ', "+"));
        let answer = agent
            .post(format!("{base}/sign-in"))
            .header("content-type", "application/x-www-form-urlencoded")
            .send(body)
            .expect("a sign-in");
        let mut cookies = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = cookies
            .find(|cookie| cookie.starts_with("tyrian-") && !cookie.contains("-device="))
            .expect("a session")
            .to_owned();
        Self { agent, base: base.to_owned(), cookie }
    }

    /// Status and bytes of a page.
    pub fn get(&self, path: &str, encoding: &str) -> (u16, usize) {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("accept-encoding", encoding);
        let mut answer = request.call().expect("an answer");
        let bytes = answer.body_mut().read_to_vec().expect("a body").len();
        (answer.status().as_u16(), bytes)
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

    /// Tells statements, bytes and times of a page.
    pub fn measure(&mut self, name: &str, path: &str) {
        let (status, bytes) = self.get(path, "identity");
        assert_eq!(status, 200, "{path}");
        let (_, wire) = self.get(path, "br");
        let (times, statements) = self.repeat(|browser, _| assert_eq!(browser.get(path, "br").0, 200));
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
