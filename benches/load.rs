//! Measures what one machine carries: requests a second and processor time of the pages that people use most,
//! over sixteen connections in three rounds, with the client in a process of its own; how much of the
//! database's time is planning; what a stopped database holds up; and what many big pages at once leave in
//! memory. Run it with `cargo bench --bench load`; `-- --seconds 3` makes the rounds shorter.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use common::{Browser, Server, Stand, engagement, first_procedure, milliseconds, people, sign_in};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;
/// Pages that are asked for at the same time.
const AT_ONCE: usize = 128;
/// Sign-ins at the same time. What is beyond their limit is told to come back.
const SIGN_INS: usize = 16;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let seconds = value("--seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(10);
    if let Some(request) = value("--client") {
        return client(request, seconds);
    }
    let scratch = std::env::temp_dir().join(format!("tyrian-load-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    measure(&scratch, seconds);
    let _ = std::fs::remove_dir_all(&scratch);
}

fn measure(directory: &Path, seconds: u64) {
    let (pages, large, database) = prepare(directory);
    let mut server = Server::start(directory);
    let browser = Browser::sign_in(&server.base);
    println!(
        "{:<40} {:>9} {:>8} {:>8} {:>9} {:>9} {:>8} {:>9}",
        "", "bytes", "gzip", "req/s", "p50 ms", "p95 ms", "cpu ms", "planning"
    );
    let watched = Database::new(&database);
    let asset = asset(&browser);
    let pages =
        [("a file under /assets, with the cookie".to_owned(), asset.clone())].into_iter().chain(pages);
    for (name, path) in pages {
        let (status, bytes) = browser.get(&path, "identity");
        assert_eq!(status, 200, "{path}");
        let (_, wire) = browser.get(&path, "gzip");
        let request = browser.request(&path);
        drive(&request, 1);
        watched.reset();
        let before = processor_seconds(server.id()) + watched.processor_seconds();
        let mut rounds: Vec<Driven> = (0..ROUNDS).map(|_| drive(&request, seconds)).collect();
        let spent = processor_seconds(server.id()) + watched.processor_seconds() - before;
        let answered: u64 = rounds.iter().map(|round| round.answered).sum();
        rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let middle = &rounds[ROUNDS / 2];
        println!(
            "{name:<40} {bytes:>9} {wire:>8} {:>8.0} {:>9.2} {:>9.2} {:>8.2} {:>8.1}%",
            middle.rate,
            middle.p50,
            middle.p95,
            spent * 1_000.0 / answered as f64,
            watched.planning() * 100.0
        );
    }
    stopped(&server, &browser, &watched, &asset);
    server.stop();
    memory(directory, &large);
}

/// Lays the data and has the database count its planning.
fn prepare(directory: &Path) -> (Vec<(String, String)>, String, String) {
    let stand = Stand::start(directory, &[]);
    let (person, client) = people(&stand.app);
    let [small, large, submitted] = [200, 1_000, 200].map(|n| engagement(&stand.app, client, person, n));
    for _ in 0..197 {
        engagement(&stand.app, client, person, 3);
    }
    let browser = Browser::sign_in(&stand.base);
    browser.post(&format!("/engagements/{submitted}/submit"), "incomplete=1");
    let cluster = stand.cluster.as_ref().expect("the embedded cluster");
    let database = cluster.superuser_url(tyrian::server::DATABASE);
    let mut conn = PgConnection::establish(&database).expect("a superuser");
    conn.batch_execute("CREATE EXTENSION pg_stat_statements").expect("the extension");
    // The second is unknown until the first is in force, so ALTER SYSTEM would not have it.
    let counted = "shared_preload_libraries = pg_stat_statements\npg_stat_statements.track_planning = on\n";
    let file = std::fs::OpenOptions::new().append(true).open(directory.join("postgres/postgresql.conf"));
    file.expect("the cluster's settings").write_all(counted.as_bytes()).expect("settings");
    conn.batch_execute("VACUUM ANALYZE").expect("statistics");
    let report =
        text(&mut conn, &format!("SELECT id::text AS text FROM reports WHERE engagement_id = '{submitted}'"));
    let procedure = |of| format!("/engagements/{of}/procedures/{}", first_procedure(&stand.app, of));
    let pages = [
        ("procedure page among 200", procedure(small)),
        ("procedure page among 1,000", procedure(large)),
        ("engagements list", "/engagements".to_owned()),
        ("engagement page, 200 procedures", format!("/engagements/{small}")),
        ("engagement page, 1,000 procedures", format!("/engagements/{large}")),
        ("report of 200 procedures", format!("/reports/{report}")),
        ("dashboard", "/".to_owned()),
        ("schedule", "/schedule".to_owned()),
        ("library", "/library/procedures".to_owned()),
        ("clients", "/clients".to_owned()),
    ];
    let pages = pages.map(|(name, path)| (name.to_owned(), path)).into();
    drop(conn);
    stand.stop();
    (pages, format!("/engagements/{large}"), database)
}

/// The style sheet, as a page names it.
fn asset(browser: &Browser) -> String {
    let page = browser.text("/engagements");
    let from = page.find("/assets/app.css").expect("a style sheet");
    page[from..].split('"').next().expect("an address").to_owned()
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

fn text(conn: &mut PgConnection, sql: &str) -> String {
    diesel::sql_query(sql).get_result::<Text>(conn).expect(sql).text
}

/// The database behind the server, seen from outside.
struct Database {
    url: String,
    /// Process of the whole cluster.
    postmaster: u32,
}

impl Database {
    fn new(url: &str) -> Self {
        let mut conn = PgConnection::establish(url).expect("a superuser");
        let pid = text(&mut conn, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS text");
        Self { url: url.to_owned(), postmaster: pid.parse().expect("a process") }
    }

    fn reset(&self) {
        let mut conn = PgConnection::establish(&self.url).expect("a superuser");
        conn.batch_execute("SELECT pg_stat_statements_reset()").expect("reset");
    }

    /// The part of planning in the time that it spent on statements.
    fn planning(&self) -> f64 {
        let mut conn = PgConnection::establish(&self.url).expect("a superuser");
        let share = text(
            &mut conn,
            "SELECT coalesce(sum(total_plan_time) / nullif(sum(total_plan_time + total_exec_time), 0), 0)
                ::text AS text FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'",
        );
        share.parse().expect("a number")
    }

    fn processes(&self) -> Vec<u32> {
        let children = children().remove(&self.postmaster).unwrap_or_default();
        [self.postmaster].into_iter().chain(children).collect()
    }

    fn processor_seconds(&self) -> f64 {
        self.processes().into_iter().map(processor_seconds).sum()
    }

    fn signal(&self, signal: &str) {
        for process in self.processes() {
            let _ = Command::new("kill").args([signal, &process.to_string()]).status();
        }
    }
}

/// The processes of this machine by their parent.
fn children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let parent = stat(id).and_then(|fields| fields.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(id);
        }
    }
    children
}

/// The fields of `/proc/…/stat` behind the name.
fn stat(process: u32) -> Option<Vec<String>> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(line.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Processor time that a process has used, in seconds.
fn processor_seconds(process: u32) -> f64 {
    let ticks =
        |fields: &[String], at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    stat(process).map_or(0.0, |fields| (ticks(&fields, 11) + ticks(&fields, 12)) / 100.0)
}

/// What one round of a client saw.
struct Driven {
    answered: u64,
    /// Answers a second.
    rate: f64,
    p50: f64,
    p95: f64,
}

/// Runs the client in a process of its own.
fn drive(request: &str, seconds: u64) -> Driven {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--client", request, "--seconds", &seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("a client");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [answered, rate, p50, p95] = numbers[..] else { panic!("the client said {said:?}") };
    Driven { answered: answered as u64, rate, p50, p95 }
}

/// Sends one request again and again over each connection. The first line names the server.
fn client(request: &str, seconds: u64) {
    let (address, request) = request.split_once('\n').expect("an address");
    let begin = Barrier::new(CONNECTIONS + 1);
    let (times, took) = std::thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Client::open(address);
                    let mut times = Vec::new();
                    begin.wait();
                    let until = Instant::now() + Duration::from_secs(seconds);
                    while Instant::now() < until {
                        let begun = Instant::now();
                        assert_eq!(connection.ask(request), 200, "{request}");
                        times.push(begun.elapsed());
                    }
                    times
                })
            })
            .collect();
        begin.wait();
        let begun = Instant::now();
        let times: Vec<Duration> =
            connections.into_iter().flat_map(|one| one.join().expect("a connection")).collect();
        (times, begun.elapsed())
    });
    let mut times = times;
    let rate = times.len() as f64 / took.as_secs_f64();
    println!("{} {rate} {} {}", times.len(), milliseconds(&mut times, 0.5), milliseconds(&mut times, 0.95));
}

/// A connection that is kept open.
struct Client {
    reader: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Client {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        Self { reader: BufReader::with_capacity(1 << 16, stream), body: Vec::new() }
    }

    /// Sends the request and reads the whole answer; its status.
    fn ask(&mut self, request: &str) -> u16 {
        self.reader.get_mut().write_all(request.as_bytes()).expect("a request");
        let mut line = String::new();
        let (mut status, mut length, mut chunked) = (0, 0, false);
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a header");
            let header = line.trim_end().to_ascii_lowercase();
            if status == 0 {
                status = header.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a status");
            } else if let Some(bytes) = header.strip_prefix("content-length:") {
                length = bytes.trim().parse().expect("a length");
            } else if header.starts_with("transfer-encoding:") {
                chunked = header.contains("chunked");
            } else if header.is_empty() {
                break;
            }
        }
        while chunked {
            line.clear();
            self.reader.read_line(&mut line).expect("a chunk");
            let bytes = usize::from_str_radix(line.trim(), 16).expect("a size");
            self.take(bytes + 2);
            chunked = bytes > 0;
        }
        self.take(length);
        status
    }

    fn take(&mut self, bytes: usize) {
        self.body.resize(bytes, 0);
        self.reader.read_exact(&mut self.body).expect("a body");
    }
}

/// While every process of the database stands still, what needs none of it answers.
fn stopped(server: &Server, browser: &Browser, database: &Database, asset: &str) {
    database.signal("-STOP");
    let address = server.base.trim_start_matches("http://");
    for path in [asset.to_owned(), "/healthz".to_owned()] {
        let begun = Instant::now();
        let status = Client::open(address).ask(browser.request(&path).split_once('\n').expect("a request").1);
        println!(
            "database stopped: {:<22} {status} after {:.1} ms",
            path.split('?').next().unwrap_or_default(),
            begun.elapsed().as_secs_f64() * 1_000.0
        );
    }
    database.signal("-CONT");
}

/// What the process holds after many big pages at once and after sign-ins at once.
fn memory(directory: &Path, path: &str) {
    let mut server = Server::start(directory);
    let browser = Browser::sign_in(&server.base);
    println!("memory, idle                              {:>8.1} MB", server.resident_megabytes());
    let request = browser.request(path);
    let (address, request) = request.split_once('\n').expect("an address");
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| assert_eq!(Client::open(address).ask(request), 200));
        }
    });
    println!("memory, just after {AT_ONCE} pages at once        {:>8.1} MB", server.resident_megabytes());
    rest(60);
    println!("memory, a minute later                    {:>8.1} MB", server.resident_megabytes());
    std::thread::scope(|scope| {
        for _ in 0..SIGN_INS {
            scope.spawn(|| drop(sign_in(&server.base)));
        }
    });
    println!("memory, just after {SIGN_INS} sign-ins at once     {:>8.1} MB", server.resident_megabytes());
    rest(60);
    println!("memory, a minute later                    {:>8.1} MB", server.resident_megabytes());
    server.stop();
}

fn rest(seconds: u64) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_secs(seconds));
}
