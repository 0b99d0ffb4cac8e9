//! Measures what one attacker costs everybody else: hostile forms, half-sent bodies, forms with files, a log
//! full of long entries; the attack's own time, the server's memory, and what another person's page takes
//! meanwhile. Run it with `cargo bench --bench attack`; `TYRIAN_BINARY=PATH` attacks another build, such as
//! the release before.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A form-urlencoded body's kind.
const FORM: &str = "application/x-www-form-urlencoded";
/// How long an attack may last before it is given up and told so.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    child: Child,
    base: String,
    password: String,
    place: PathBuf,
}

impl Server {
    /// The demo, on a data directory of its own.
    fn start() -> Self {
        let binary = std::env::var_os("TYRIAN_BINARY")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_tyrian")), PathBuf::from);
        let place = std::env::temp_dir().join(format!("tyrian-attack-{}", std::process::id()));
        let mut child = Command::new(&binary)
            .arg("dev")
            .env("TYRIAN_DATA_DIR", &place)
            .env("TYRIAN_LISTEN", free_address())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server");
        let lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
        let (mut base, mut password) = (String::new(), String::new());
        for line in lines {
            if let Some(address) = line.strip_prefix("Tyrian is at ") {
                base = address.to_owned();
            } else if let Some((_, word)) = line.split_once("password of all of them is ") {
                password = word.trim().to_owned();
            } else if line.contains("sam@tyrian.example") {
                break;
            }
        }
        println!("{} at {base}", binary.display());
        Self { child, base, password, place }
    }

    /// Resident memory, in MB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() / 1024
    }

    fn sign_in(&self, name: &str) -> Person {
        let body = format!("email={name}%40tyrian.example&password={}", self.password);
        let answer = agent()
            .post(format!("{}/sign-in", self.base))
            .header("content-type", FORM)
            .send(body)
            .expect("an answer");
        let cookies =
            answer.headers().get_all("set-cookie").iter().filter_map(|c| c.to_str().ok()?.split(';').next());
        let cookie = cookies.filter(|cookie| cookie.starts_with("tyrian")).collect::<Vec<_>>().join("; ");
        Person { base: self.base.clone(), cookie, agent: agent() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // In order, so that its database ends with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE));
    ureq::Agent::new_with_config(config.build())
}

/// Somebody who is signed in.
struct Person {
    base: String,
    cookie: String,
    agent: ureq::Agent,
}

impl Person {
    fn get(&self, path: &str) -> Option<(u16, usize, Duration)> {
        let begun = Instant::now();
        let mut answer =
            self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).call().ok()?;
        let bytes = answer.body_mut().with_config().limit(256 << 20).read_to_vec().ok()?.len();
        Some((answer.status().as_u16(), bytes, begun.elapsed()))
    }

    fn text(&self, path: &str) -> String {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .call()
            .expect("a page");
        answer.body_mut().with_config().limit(256 << 20).read_to_string().unwrap_or_default()
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Option<(u16, Duration)> {
        let begun = Instant::now();
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("content-type", kind);
        let mut answer = request.send(body).ok()?;
        let _ = answer.body_mut().with_config().limit(256 << 20).read_to_vec();
        Some((answer.status().as_u16(), begun.elapsed()))
    }
}

/// Another person's times while an attack lasts.
fn meanwhile<T>(other: &Person, path: &str, attack: impl FnOnce() -> T) -> (T, String) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut times = Vec::new();
            let mut lost = 0;
            while !over.load(Ordering::Relaxed) && times.len() < 20_000 {
                match other.get(path) {
                    Some((200, _, took)) => times.push(took),
                    _ => lost += 1,
                }
            }
            times.sort();
            let p95 = times.get(times.len() * 95 / 100).copied().unwrap_or(PATIENCE);
            format!("{} pages of others, p95 {:.1} ms, {lost} lost", times.len(), p95.as_secs_f64() * 1e3)
        });
        let done = attack();
        over.store(true, Ordering::Relaxed);
        (done, watcher.join().expect("the watcher"))
    })
}

fn told(done: Option<(u16, Duration)>) -> String {
    done.map_or_else(
        || format!("no answer in {} s", PATIENCE.as_secs()),
        |(status, took)| format!("{status} in {:.3} s", took.as_secs_f64()),
    )
}

fn main() {
    let server = Server::start();
    let (sam, noor) = (server.sign_in("sam"), server.sign_in("noor"));
    println!("idle: {} MB", server.memory());
    let (_, calm) = meanwhile(&noor, "/engagements", || wait(Duration::from_secs(2)));
    println!("calm: {calm}");
    for pairs in [4_999, 10_000, 20_000, 40_000] {
        hostile_form(&sam, &noor, pairs);
    }
    half_sent(&server, &noor);
    forms_with_files(&server, &sam, &noor);
    long_entries(&sam, &noor);
    println!("in the end: {} MB", server.memory());
    // Last: where it holds a worker for minutes, nothing that comes after could be measured.
    hostile_form(&sam, &noor, 280_000);
}

/// Waits on a channel that nobody writes to: sleeping is forbidden to code that should wait for the thing
/// itself.
fn wait(time: Duration) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// H1: pairs of hostile names to an address that does not exist, by somebody without a right there.
fn hostile_form(sam: &Person, noor: &Person, pairs: usize) {
    let nothing = "00000000-0000-7000-8000-000000000000";
    let path = format!("/engagements/{nothing}/procedures/{nothing}/inputs");
    let body: String = (0..pairs).map(|n| format!("value.{n}=1&")).collect();
    let body = body.trim_end_matches('&');
    let (done, others) = meanwhile(noor, "/healthz", || sam.post(&path, FORM, body.as_bytes()));
    println!("H1, {pairs} pairs, {} bytes: {}; {others}", body.len(), told(done));
}

/// M8: strangers who send most of a body and stop.
fn half_sent(server: &Server, noor: &Person) {
    let before = server.memory();
    let address = server.base.trim_start_matches("http://");
    let (open, others) = meanwhile(noor, "/engagements", || {
        let body = vec![b'x'; 3_900_000];
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nhost: {address}\r\ncontent-type: {FORM}\r\ncontent-length: \
                4000000\r\n\r\n"
        );
        let mut open = Vec::new();
        for _ in 0..150 {
            let Ok(mut stream) = TcpStream::connect(address) else { continue };
            let _ = stream.set_write_timeout(Some(Duration::from_secs(2)));
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            open.push(stream);
        }
        wait(Duration::from_secs(1));
        open
    });
    println!(
        "M8, {} half-sent bodies of 3.9 MB by strangers: {before} -> {} MB; {others}",
        open.len(),
        server.memory()
    );
}

/// M8: the same field four hundred times.
fn forms_with_files(server: &Server, sam: &Person, noor: &Person) {
    let before = server.memory();
    let mut body = Vec::new();
    let part = vec![b'x'; (2 << 20) - 1];
    for _ in 0..400 {
        body.extend_from_slice(b"--x\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\n");
        body.extend_from_slice(&part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    let most = std::sync::atomic::AtomicU64::new(before);
    let over = AtomicBool::new(false);
    let (done, others) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(server.memory(), Ordering::Relaxed);
                wait(Duration::from_millis(5));
            }
        });
        let done = meanwhile(noor, "/engagements", || {
            sam.post("/schedule/request", "multipart/form-data; boundary=x", &body)
        });
        over.store(true, Ordering::Relaxed);
        done
    });
    let most = most.load(Ordering::Relaxed);
    println!("M8, 400 parts of 2 MiB by an analyst: {}; {before} -> {most} MB at most; {others}", told(done));
}

/// M12: a log of long entries, and everybody who looks at it.
fn long_entries(sam: &Person, noor: &Person) {
    let Some(path) = procedure_of(sam) else {
        return println!("M12: the demo has no procedure that sam writes");
    };
    let text = "%26".repeat(64_000);
    let (stored, others) = meanwhile(noor, "/engagements", || {
        let entry = format!("team=blue&starts_at=2026-11-28T04%3A00%3A00&text={text}");
        (0..60)
            .filter(|_| {
                sam.post(&format!("{path}/logs"), FORM, entry.as_bytes())
                    .is_some_and(|(status, _)| status == 303)
            })
            .count()
    });
    println!("M12, {stored} entries of 64 kB: {others}");
    for what in [
        path.clone(),
        format!("{path}/fresh"),
        format!("{}?open=timeline", path.split("/procedures").next().unwrap_or_default()),
    ] {
        let (times, others) =
            meanwhile(noor, "/healthz", || (0..5).filter_map(|_| sam.get(&what)).collect::<Vec<_>>());
        let mut took: Vec<Duration> = times.iter().map(|(.., took)| *took).collect();
        took.sort();
        let (median, bytes) = (
            took.get(took.len() / 2).copied().unwrap_or(PATIENCE),
            times.last().map_or(0, |(_, bytes, _)| *bytes),
        );
        let what = if what.contains("fresh") {
            "fresh"
        } else if what.contains("timeline") {
            "timeline"
        } else {
            "page"
        };
        println!("M12, {what}: {bytes} bytes, median {:.0} ms; {others}", median.as_secs_f64() * 1e3);
    }
}

/// A procedure on which sam can add a blue entry.
fn procedure_of(sam: &Person) -> Option<String> {
    let after = |html: &str, sign: &str, is: fn(&char) -> bool| -> Vec<String> {
        html.split(sign).skip(1).map(|rest| rest.chars().take_while(is).collect()).collect()
    };
    let is_id = |c: &char| c.is_ascii_hexdigit() || *c == '-';
    let entry = "team=blue&text=Seen&starts_at=2026-11-28T04%3A00%3A00";
    for id in after(&sam.text("/engagements"), "href=\"/engagements/", is_id) {
        for procedure in after(&sam.text(&format!("/engagements/{id}")), &format!("{id}/procedures/"), is_id)
            .into_iter()
            .take(20)
        {
            let path = format!("/engagements/{id}/procedures/{procedure}");
            if sam
                .post(&format!("{path}/logs"), FORM, entry.as_bytes())
                .is_some_and(|(status, _)| status == 303)
            {
                return Some(path);
            }
        }
    }
    None
}
