//! Measures imports: how long files that are refused take and how much memory, each in a process of its own;
//! and, where TYRIAN_DATA names a folder with `attack/` and `atomic-red-team/`, how long the web takes from
//! the upload to the preview, to apply, and a second time. Run it with `cargo bench --bench imports`.

#[expect(dead_code, reason = "the tests read what is said of each")]
#[path = "../tests/it/harness/bad_files.rs"]
mod bad_files;
mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use common::{Browser, Server, Stand, people};
use zip::write::{SimpleFileOptions, ZipWriter};

/// What a refusal may take at most.
const SECONDS: f64 = 1.0;
const MEGABYTES: f64 = 200.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != "--case").collect();
    if let [_, name, path] = &arguments[..] {
        return one(name, Path::new(path));
    }
    let scratch = std::env::temp_dir().join(format!("tyrian-imports-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    println!("{:<36} {:>10} {:>10}", "refused", "seconds", "MB");
    let this = std::env::current_exe().expect("this program");
    for bad in bad_files::refused() {
        let path = scratch.join("bad");
        std::fs::write(&path, &bad.bytes).expect("a file");
        let output = Command::new(&this).args(["--case", bad.name]).arg(&path).output().expect("a case");
        let told = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = told.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [seconds, megabytes] = numbers[..] else { panic!("{}: {told}", bad.what) };
        let over = if seconds > SECONDS || megabytes > MEGABYTES { "   over the limit" } else { "" };
        println!("{:<36} {seconds:>10.3} {megabytes:>10.1}{over}", bad.what);
    }
    if let Some(data) = std::env::var_os("TYRIAN_DATA").map(PathBuf::from) {
        web(&scratch.join("web"), &data);
    }
    let _ = std::fs::remove_dir_all(&scratch);
}

/// Reads one bad file, and says how long that took and how much memory this process had at most.
fn one(name: &str, path: &Path) {
    let begun = Instant::now();
    let bytes = std::fs::read(path).expect("the file");
    let refused = tyrian::imports::source::read(name, bytes).is_err();
    let seconds = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = most.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    assert!(refused, "{name} was taken");
    println!("{seconds:.4} {:.1}", kilobytes / 1024.0);
}

fn web(scratch: &Path, data: &Path) {
    // People first, in a process that ends: the server then is one of its own, so that its memory is its own.
    let stand = Stand::start(scratch, &[]);
    people(&stand.app);
    stand.stop();
    let mut server = Server::start(scratch);
    let browser = Browser::sign_in(&server.base);
    println!("\n{:<36} {:>10} {:>10} {:>10}", "through the web", "preview s", "apply s", "MB");
    let atomics = zipped(&data.join("atomic-red-team/atomics"));
    let bundle = std::fs::read(data.join("attack/enterprise-attack-18.1.json")).expect("the bundle");
    for (name, bytes) in [("atomics.zip", &atomics), ("enterprise-attack-18.1.json", &bundle)] {
        for run in ["first", "second"] {
            let begun = Instant::now();
            let page = browser.upload("/library/import", name, bytes);
            let text = loop {
                let text = browser.text(&page);
                if !text.contains("<progress") {
                    break text;
                }
            };
            let preview = begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            let status = browser.post(&format!("{page}/apply"), "");
            let applied = begun.elapsed().as_secs_f64();
            let counts = text.split("added ").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or("?");
            println!(
                "{:<36} {preview:>10.2} {applied:>10.2} {:>10.1}   {status}, added {}",
                format!("{name}, {run} run"),
                server.resident_megabytes(),
                counts.trim()
            );
        }
    }
    server.stop();
}

/// A zip of every file of a folder of folders.
fn zipped(folder: &Path) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for technique in std::fs::read_dir(folder).expect("the atomics").flatten() {
        let Ok(files) = std::fs::read_dir(technique.path()) else { continue };
        for file in files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "yaml")) {
            let name = format!(
                "atomics/{}/{}",
                technique.file_name().to_string_lossy(),
                file.file_name().to_string_lossy()
            );
            zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(&std::fs::read(file.path()).expect("a file")).expect("its bytes");
        }
    }
    zip.finish().expect("a zip").into_inner()
}
