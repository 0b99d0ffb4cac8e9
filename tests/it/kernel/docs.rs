//! What README and docs say of the sources is so: paths that they name are there, functions are in the files
//! that they are said to be in, the floors are those of the test, and pictures are the ones that are shown.

use std::collections::BTreeSet;
use std::fs;

use super::floors::FLOORS;
use super::sources::{UNAUDITED, files, root};

/// Folders and files of the root whose names in a code span are paths.
const PLACES: &[&str] = &[
    "src/",
    "templates/",
    "static/",
    "migrations/",
    "tests/",
    "benches/",
    "bin/",
    "docs/",
    "packaging/",
    ".ci/",
];
const ROOT_FILES: &[&str] = &["CHANGELOG.md", "Cargo.toml", "askama.toml", "diesel.toml", ".clippy.toml"];

/// The README shows a picture at about two thirds of its width, and people clone it.
const PICTURE_WIDTH: u32 = 1280;
const PICTURE_BYTES: u64 = 150 * 1024;

/// README, CHANGELOG and everything under `docs/`.
fn pages() -> Vec<(String, String)> {
    let own = ["README.md", "CHANGELOG.md"]
        .map(|name| (name.to_owned(), fs::read_to_string(root().join(name)).unwrap()));
    own.into_iter().chain(files("docs", ".md")).collect()
}

/// The text outside of fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

fn is_path(span: &str) -> bool {
    let whole = span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    whole && (PLACES.iter().any(|place| span.starts_with(place)) || ROOT_FILES.contains(&span))
}

#[test]
fn every_path_that_docs_name_is_there() {
    let (mut named, mut missing) = (0, BTreeSet::new());
    for (page, text) in pages() {
        for span in prose(&text).split('`').skip(1).step_by(2).filter(|span| is_path(span)) {
            named += 1;
            if !root().join(span).exists() {
                missing.insert((page.clone(), span.trim_end_matches('/').to_owned()));
            }
        }
    }
    println!("paths named: {named}");
    assert!(missing.is_empty(), "named, and not there: {missing:?}");
}

/// `` `name` in `path` `` is said of what the file declares.
#[test]
fn what_docs_say_is_in_a_file_is_in_it() {
    let mut found = 0;
    for (page, text) in pages() {
        let spans: Vec<&str> = text.split('`').collect();
        for three in
            spans.windows(3).skip(1).step_by(2).filter(|three| three[1] == " in " && is_path(three[2]))
        {
            let (name, path) = (three[0], three[2]);
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name {
                continue;
            }
            let file =
                fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{page}: {path}: {e}"));
            let declares = ["fn", "struct", "enum", "trait", "const", "static", "macro_rules!"]
                .iter()
                .any(|word| file.contains(&format!("{word} {name}")))
                // What a macro makes of a list.
                || file.contains(&format!("{name} => "));
            assert!(declares, "{page}: {path} declares no `{name}`");
            found += 1;
        }
    }
    println!("names looked up: {found}");
    assert!(found > 15, "{found}");
}

#[test]
fn the_floors_are_told_as_they_are() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let told: Vec<BTreeSet<String>> = text
        .lines()
        .filter(|line| {
            line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|line| {
            let rooms = line.split('|').nth(2).unwrap();
            rooms
                .split('`')
                .skip(1)
                .step_by(2)
                .map(|room| room.trim_start_matches("src/").to_owned())
                .collect()
        })
        .collect();
    // The last one is the crate's own files.
    let floors: Vec<BTreeSet<String>> = FLOORS[..FLOORS.len() - 1]
        .iter()
        .map(|rooms| rooms.iter().map(|room| (*room).to_owned()).collect())
        .collect();
    assert_eq!(told, floors, "the floors of docs/ARCHITECTURE.md, from the ground up");
}

#[test]
fn every_reason_for_a_write_without_an_event_is_told() {
    let text = fs::read_to_string(root().join("docs/CONTRIBUTING.md")).unwrap();
    for reason in UNAUDITED.iter().map(|line| line.split(": ").nth(1).unwrap()) {
        assert!(
            text.contains(&format!("\"{reason}\"")),
            "docs/CONTRIBUTING.md does not tell of \"{reason}\""
        );
    }
}

#[test]
fn commands_that_docs_name_are_there() {
    for (page, text) in pages() {
        for bench in text.split("--bench ").skip(1) {
            let name: String = bench.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(root().join(format!("benches/{name}.rs")).exists(), "{page}: --bench {name}");
        }
    }
}

#[test]
fn the_readmes_pictures_are_there_and_modest() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let named: BTreeSet<&str> = text
        .split("docs/pictures/")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next().unwrap())
        .collect();
    assert_eq!(named.len(), 2, "a light one and a dark one");
    let kept: BTreeSet<String> = fs::read_dir(root().join("docs/pictures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(named.iter().copied().eq(kept.iter().map(String::as_str)), "named {named:?}, kept {kept:?}");
    for name in named {
        let bytes = fs::read(root().join("docs/pictures").join(name)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{name} is no PNG");
        let width = u32::from_be_bytes(bytes[16..20].try_into().unwrap());
        assert_eq!(width, PICTURE_WIDTH, "{name}");
        assert!(bytes.len() as u64 <= PICTURE_BYTES, "{name}: {} bytes", bytes.len());
    }
}
