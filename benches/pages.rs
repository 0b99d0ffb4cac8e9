//! Measures what the product promises: statements, bytes and time of the heaviest pages, of a save with its
//! event on the durable database, of the first and a later start, of idle memory, and of the imports where
//! TYRIAN_DATA names a folder with `attack/` and `atomic-red-team/`. Run it with `cargo bench --bench pages`.

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Browser, Server, Stand, engagement, first_procedure, heading, people, tyrian};
use diesel::connection::SimpleConnection;
use tyrian::imports::atomics::Atomics;
use tyrian::imports::store::apply_atomics;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::changes::Missing;
use tyrian::library::domain::{ProcedureBody, Step};

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
    browser.measure(
        "Navigator layer of 1,000 procedures",
        &format!("/engagements/{}/layer.json", engagements[1].1),
    );
    let procedure = first_procedure(&stand.app, engagements[0].1);
    let path = format!("/engagements/{}/procedures/{procedure}", engagements[0].1);
    let notes = "What the team saw, in full sentences. ".repeat(27);
    browser.post(&path, &format!("version=2147483647&red_notes={0}&blue_notes={0}", notes.replace(' ', "+")));
    browser.measure("procedure page, notes of 1 KB", &path);
    browser.measure_saves("saving it, event included", &path);
    stand.superuser().batch_execute("ALTER TABLE procedures DISABLE TRIGGER USER").expect("without");
    browser.measure_saves("the same without the deferred trigger", &path);
    stand.superuser().batch_execute("ALTER TABLE procedures ENABLE TRIGGER USER").expect("with");
    browser.measure("engagements list", "/engagements");
    library(&stand.app, 10_000);
    browser.measure("matrix, 10,000 procedures", "/library/techniques/matrix");
    browser.measure("library list, 10,000 procedures", "/library/procedures");
    for (name, query) in [
        ("its search, two words", "q=shadow+secrets"),
        ("its search, a word of every command", "q=invoke"),
        ("its search, an id", "q=atomic-7777"),
        ("its search with filters", "q=dump&platform=linux&used=never&sort=id"),
    ] {
        browser.measure(name, &format!("/library/procedures?{query}"));
        browser.measure_part("  while somebody types", &format!("/library/procedures?{query}"));
    }
    stand.stop();
}

/// Fills a repository with procedures as long as those of Atomic Red Team.
fn library(app: &tyrian::kernel::app::App, n: usize) {
    const VERBS: [&str; 7] = ["Dump", "Read", "Copy", "List", "Delete", "Encrypt", "Send"];
    const NOUNS: [&str; 11] = [
        "secrets",
        "shadow file",
        "registry hive",
        "tickets",
        "browser data",
        "keys",
        "logs",
        "shares",
        "mail",
        "memory",
        "history",
    ];
    let body = |n: usize| {
        let name = format!("{} the {} of host {n}", VERBS[n % 7], NOUNS[n % 11]);
        let line =
            format!("Invoke-Thing -Target #{{host}} -Path C:\\Temp\\{n}.dmp -Mode {}\n", NOUNS[n % 11]);
        let step = Step {
            id: "s".to_owned(),
            description: "Run the command.".to_owned(),
            command: Some(line.repeat(12)),
            executor: Some(if n.is_multiple_of(2) { "powershell" } else { "sh" }.to_owned()),
            ..Step::default()
        };
        ProcedureBody {
            description: format!("Shows whether {name} is seen. ").repeat(4),
            technique_ids: vec![["T1003.008", "T1059.001", "T1087"][n % 3].to_owned()],
            platforms: vec![if n.is_multiple_of(2) { "windows" } else { "linux" }.to_owned()],
            steps: vec![step],
            name,
            ..ProcedureBody::default()
        }
    };
    let procedures = (0..n).map(|n| (format!("bench-{n}"), body(n))).collect();
    let atomics = Atomics { procedures, ..Atomics::default() };
    apply_atomics(&app.db, &Actor::command(), &atomics, Missing::Keep).expect("a full library");
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
