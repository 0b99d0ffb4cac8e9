//! Dependencies are used: each crate of `Cargo.toml` is named in the sources that it is for.

use std::collections::BTreeSet;
use std::fs;

use super::sources::{files, root};

/// The crates of a section such as `[dependencies]`.
fn section<'a>(manifest: &'a str, name: &str) -> BTreeSet<&'a str> {
    let after = manifest.split_once(&format!("\n[{name}]\n")).unwrap().1;
    let lines = after.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()).collect()
}

/// Whether a source names a crate: as the start of a path, in a `use`, or to rename it.
fn names(text: &str, krate: &str) -> bool {
    text.match_indices(krate).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let after = &text[at + krate.len()..];
        !before.is_alphanumeric()
            && before != '_'
            && (after.starts_with("::")
                || after.starts_with("!")
                || after.starts_with(" as ")
                || after.starts_with(';'))
    })
}

#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let sources = |folders: &[&str]| -> Vec<String> {
        let all = folders.iter().flat_map(|folder| files(folder, ".rs"));
        all.map(|(_, text)| {
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
        })
        .collect()
    };
    let (product, tests) = (sources(&["src"]), sources(&["src", "tests", "benches"]));
    let mut unused = BTreeSet::new();
    let mut checked = 0;
    for (name, texts) in [("dependencies", &product), ("dev-dependencies", &tests)] {
        for krate in section(&manifest, name) {
            checked += 1;
            if !texts.iter().any(|text| names(text, &krate.replace('-', "_"))) {
                unused.insert(krate);
            }
        }
    }
    println!("dependencies: {checked}, of them unused: {}", unused.len());
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn a_crate_is_named_in_code_alone() {
    assert!(names("use zip::ZipArchive;", "zip") && names("x(zstd::Encoder)", "zstd"));
    assert!(!names("let gzip::x", "zip") && !names("a.zip(b)", "zip") && !names("unzip()", "zip"));
}
