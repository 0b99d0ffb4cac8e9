//! Measures what the product promises: statements, bytes and time of the heaviest pages, of a save with its
//! event on the durable database, of the first and a later start, of idle memory, and of the imports where
//! TYRIAN_DATA names a folder with `attack/` and `atomic-red-team/`. Run it with `cargo bench --bench pages`.

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Browser, Server, Stand, engagement, first_procedure, heading, people, tyrian};
use diesel::connection::SimpleConnection;

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
    stand.stop();
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
