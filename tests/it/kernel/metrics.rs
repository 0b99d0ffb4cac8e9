//! What `/metrics` says, and that it says it while the database is away.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::database::connect;
use crate::harness::process::Process;

/// The series and their values.
fn scrape(base: &str) -> BTreeMap<String, f64> {
    let answer = Browser::new(base).get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// A request that no client would send.
fn send_raw(base: &str, line: &str) {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line}\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn metrics_tell_of_requests_pools_jobs_sealing_and_the_database() {
    let app = TestApp::spawn();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let server = Process::with(&app, "metrics", &[("TYRIAN_METRICS_LISTEN", &free)]);
    let base = format!("http://{free}");

    let mut visitor = Browser::new(&server.base);
    for n in 0..20 {
        visitor.get(&format!("/clients/{n}?secret={n}"));
        visitor.get(&format!("/nothing/{n}"));
        send_raw(&server.base, &format!("METHOD{n} /sign-in HTTP/1.1"));
    }
    visitor.get("/sign-in");
    visitor.get("/sign-in");
    visitor.post("/sign-in", &[("email", "a@b.example"), ("password", "wrong")]);

    let found = scrape(&base);
    let requests = |method: &str, route: &str, status: &str| {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        found.get(&format!("tyrian_http_request_duration_seconds_count{labels}")).copied()
    };
    assert_eq!(requests("GET", "/sign-in", "2xx"), Some(2.0), "{found:#?}");
    assert_eq!(requests("POST", "/sign-in", "4xx"), Some(1.0), "{found:#?}");
    assert_eq!(requests("GET", "none", "4xx"), Some(20.0), "{found:#?}");
    let counts = found.keys().filter(|name| name.contains("_count{")).count();
    assert!(counts <= 8, "no series for each address or method: {found:#?}");
    assert!(!found.keys().any(|name| name.contains("secret") || name.contains("METHOD")));

    assert_eq!(found["tyrian_database_up"], 1.0);
    assert!(found["tyrian_statements_total"] > 0.0);
    for pool in ["read", "write"] {
        let of = |name: &str, more: &str| found[&format!("tyrian_pool_{name}{{pool=\"{pool}\"{more}}}")];
        assert!(of("connections", ",state=\"idle\"") + of("connections", ",state=\"busy\"") > 0.0);
        assert!(of("connections_limit", "") >= 1.0);
        assert_eq!(of("waiting", ""), 0.0);
    }
    assert!(found.contains_key("tyrian_audit_sealing_lag_seconds"));
    // The jobs of the start, one after the other.
    let job = |name: &str, found: &BTreeMap<String, f64>| {
        found.get(&format!("tyrian_job_last_run_{name}{{job=\"schedule-transitions\"}}")).copied()
    };
    let until = Instant::now() + Duration::from_secs(20);
    while job("succeeded", &scrape(&base)).is_none() && Instant::now() < until {}
    let found = scrape(&base);
    assert_eq!(job("succeeded", &found), Some(1.0), "{found:#?}");
    assert!(job("timestamp_seconds", &found).unwrap() > 1.7e9);
    assert!(job("duration_seconds", &found).unwrap() >= 0.0);

    // The database goes away.
    let name = app.database.name();
    connect(&app.database.superuser_url().replace(name, "postgres"))
        .batch_execute(&format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .unwrap();
    let asked = Instant::now();
    let away = scrape(&base);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(away["tyrian_database_up"], 0.0);
    assert!(away.keys().any(|name| name.starts_with("tyrian_http_request_duration_seconds_bucket")));
    assert!(!away.keys().any(|name| name.starts_with("tyrian_job") || name.starts_with("tyrian_audit")));
}
