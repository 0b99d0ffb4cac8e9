//! Measures what bad and large files of our own formats cost: seconds and memory beyond what the file itself
//! takes. At most one second and 200 MB each. Run it with `cargo bench --bench formats`.

use std::io::{Cursor, Write};
use std::time::Instant;

use tyrian::imports::archive::Source;
use tyrian::imports::plextrac::convert::{
    KnownTactic, KnownTechnique, LibraryPlan, LibraryProcedure, LibraryRepository, Origin, file_of, imported,
};
use tyrian::imports::repository::file::{Archive, Head, Procedure};
use tyrian::imports::{layer, plextrac, repository};
use tyrian::library::domain::{ProcedureBody, RepositoryType, Step};
use uuid::Uuid;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What any of them may take at most.
const SECONDS: f64 = 1.0;
const MEGABYTES: f64 = 200.0;

fn main() {
    println!("{:<44} {:>9} {:>9}   what was said", "", "seconds", "MB");
    bad_yaml();
    bad_layers();
    bad_archives();
    large();
}

/// A line of `/proc/self/status`, in MB.
fn memory(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn measure(name: &str, act: impl FnOnce() -> String) {
    // The peak counts from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS");
    let begun = Instant::now();
    let said = act();
    let taken = begun.elapsed();
    let first: String = said.lines().next().unwrap_or_default().chars().take(90).collect();
    let (seconds, megabytes) = (taken.as_secs_f64(), (memory("VmHWM") - before).max(0.0));
    let over = if seconds > SECONDS || megabytes > MEGABYTES { "over the limit: " } else { "" };
    println!("{name:<44} {seconds:>9.3} {megabytes:>9.1}   {over}{first}");
}

fn plan(bytes: &[u8]) -> String {
    match plextrac::read("plan.yaml", bytes) {
        Ok(plan) => format!("{} procedures", plan.file.procedures.len()),
        Err(faults) => faults.to_string(),
    }
}

fn bomb() -> String {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{alias}]\n");
    }
    bomb
}

fn bad_yaml() {
    for (name, text) in [
        ("test plan: alias bomb", bomb()),
        ("test plan: nested 10,000 deep, flow", format!("a: {}", "[".repeat(10_000))),
        ("test plan: nested 10,000 deep, block", format!("a:\n{}x", "- ".repeat(10_000))),
        ("test plan: 15 MiB of one key", format!("a: {}", "x".repeat(15 << 20))),
        ("test plan: 15 MiB of list", format!("a: [{}]", "x,".repeat(7 << 20))),
        ("test plan: 65 MiB", "x".repeat(65 << 20)),
        ("test plan: U+0000", "a: \0".to_owned()),
        ("test plan: byte-order mark", "\u{feff}a: 1".to_owned()),
        ("test plan: unknown tag", "a: !x 1".to_owned()),
    ] {
        measure(name, || plan(text.as_bytes()));
    }
    measure("test plan: invalid UTF-8", || plan(b"a: \xff"));
}

fn bad_layers() {
    let read = |bytes: &[u8]| match layer::read("layer.json", bytes) {
        Ok(layer) => format!("{} techniques", layer.techniques.len()),
        Err(fault) => fault.to_string(),
    };
    let head = "{\"name\":\"n\",\"domain\":\"enterprise-attack\",\"techniques\":";
    for (name, text) in [
        ("layer: nested 10,000 deep", format!("{head}{}", "[".repeat(10_000))),
        ("layer: 15 MiB of techniques", format!("{head}[{}", "{\"techniqueID\":\"T1001\"},".repeat(650_000))),
        ("layer: 65 MiB", "x".repeat(65 << 20)),
    ] {
        measure(name, || read(text.as_bytes()));
    }
}

fn zip_of(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::write::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(bytes).expect("bytes");
    }
    zip.finish().expect("a zip").into_inner()
}

fn read_archive(bytes: Vec<u8>) -> String {
    match repository::read(&Source::Zip { name: "archive.zip".to_owned(), bytes }) {
        Ok(read) => format!("{} procedures", read.archive.procedures.len()),
        Err(faults) => faults.to_string(),
    }
}

const HEAD: &[u8] =
    b"format: tyrian-repository\nversion: 1\nname: N\nprefix: ABC\ntype: open\nnext_number: 1\n";

fn bad_archives() {
    let with =
        |name: &'static str, bytes: Vec<u8>| zip_of(&[("repository.yaml", HEAD.to_vec()), (name, bytes)]);
    for (name, bytes) in [
        ("archive: zip bomb", with("procedures/a.yaml", vec![b' '; 400 << 20])),
        ("archive: alias bomb", with("procedures/a.yaml", bomb().into_bytes())),
        ("archive: nested 10,000 deep", with("procedures/a.yaml", "[".repeat(10_000).into_bytes())),
        ("archive: path out of it", with("../a.yaml", b"x".to_vec())),
        ("archive: 60,000 entries", b"PK\x01\x02".repeat(60_000)),
        ("archive: 65 MiB", vec![0; 65 << 20]),
    ] {
        measure(name, || read_archive(bytes));
    }
}

fn body(n: usize) -> ProcedureBody {
    ProcedureBody {
        name: format!("Procedure {n}"),
        description: "What it is, in some sentences that somebody wrote. ".repeat(8),
        technique_ids: vec![format!("T{}", 1000 + n % 600)],
        platforms: vec!["windows".to_owned()],
        steps: (1..4)
            .map(|step| Step {
                id: format!("s{step}"),
                description: "Run it.".to_owned(),
                command: Some("Get-ChildItem -Recurse | Where-Object { $_.Length -gt 1 }\n".repeat(12)),
                executor: Some("powershell".to_owned()),
                ..Step::default()
            })
            .collect(),
        ..ProcedureBody::default()
    }
}

fn large() {
    let procedures: Vec<Procedure> = (1..=1_800usize)
        .map(|n| {
            let body = body(n);
            Procedure {
                identity: Uuid::from_u128(n as u128),
                number: i32::try_from(n).expect("small"),
                written_from: body.digest(),
                is_retired: false,
                origin: String::new(),
                body,
            }
        })
        .collect();
    let head = Head {
        name: "Large".to_owned(),
        prefix: "LARGE".to_owned(),
        kind: RepositoryType::Open,
        description: String::new(),
        next_number: 1_801,
    };
    let archive = Archive { head, procedures, plans: Vec::new(), methodologies: Vec::new() };
    let mut packed = Vec::new();
    measure("archive of 1,800 procedures, written", || {
        packed = repository::zip(&archive).expect("a zip");
        format!("{} KB", packed.len() / 1024)
    });
    measure("archive of 1,800 procedures, read", || read_archive(packed));
    let library = LibraryPlan {
        id: Uuid::from_u128(1),
        title: "Large".to_owned(),
        procedures: (1..=500usize)
            .map(|n| LibraryProcedure {
                identity: Uuid::from_u128(n as u128),
                code: format!("LARGE-{n}"),
                repository: LibraryRepository {
                    id: Uuid::from_u128(7),
                    name: "Large".to_owned(),
                    prefix: "LARGE".to_owned(),
                    description: "D".to_owned(),
                    kind: "open".to_owned(),
                },
                body: body(n),
            })
            .collect(),
        ..LibraryPlan::default()
    };
    let known: Vec<KnownTechnique> = (0..600)
        .map(|n| KnownTechnique {
            external_id: format!("T{}", 1000 + n),
            name: format!("Technique {n}"),
            origin: Origin::Release("19.1".to_owned()),
            tactics: vec![KnownTactic {
                external_id: "TA0002".to_owned(),
                name: "Execution".to_owned(),
                ..KnownTactic::default()
            }],
            ..KnownTechnique::default()
        })
        .collect();
    let mut text = String::new();
    measure("test plan of 500 procedures, written", || {
        text = plextrac::write(&file_of(&library, &known));
        format!("{} KB", text.len() / 1024)
    });
    measure("test plan of 500 procedures, read", || match plextrac::read("plan.yaml", text.as_bytes()) {
        Ok(plan) => format!("{} procedures", imported("plan.yaml", &plan.file).0.procedures.len()),
        Err(faults) => faults.to_string(),
    });
}
