//! The floors of the house: a file imports from lower floors alone, on one floor nothing imports sideways,
//! and inside a room no files import each other in a circle. Read off every `use` and every path in the
//! sources and templates, without exceptions: what two rooms need lies below both. `cargo nextest run --test
//! it floors --no-capture` prints the numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{files, product};

/// Rooms from the ground up, a floor a line, as paths below `src/`. The room of a file is the longest that
/// its path begins with.
pub(super) const FLOORS: &[&[&str]] = &[
    &["kernel/base"],
    &["kernel/event"],
    &["kernel/db", "kernel/authz", "kernel/config.rs"],
    &["kernel/live.rs", "kernel/merge", "kernel/job", "kernel/drafts.rs", "kernel/refusals.rs"],
    &["kernel/app.rs"],
    &["kernel/web"],
    &["lifecycle"],
    &["settings"],
    &["accounts", "library"],
    &["audit"],
    &["clients", "imports"],
    &["procedures"],
    &["engagements"],
    &["schedule"],
    &["reports"],
    &["demo", "admin", "dashboard", "harvest", "tags", "coverage"],
    &["routes.rs", "health.rs", "metrics.rs", "jobs.rs"],
    &["server.rs"],
    &["cli"],
    &["main.rs", "lib.rs", "kernel/mod.rs"],
];

/// A room and its floor.
fn room_of(file: &str) -> (&'static str, usize) {
    let rooms =
        FLOORS.iter().enumerate().flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)));
    let found = rooms
        .filter(|(room, _)| file == *room || file.starts_with(&format!("{room}/")))
        .max_by_key(|(room, _)| room.len());
    found.unwrap_or_else(|| panic!("src/{file} stands on no floor: give it one"))
}

/// The paths of crate modules that a text names, each as its segments: those of `use` with their braces
/// opened, and those in the midst of code.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let text: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' || before == '$' {
                continue;
            }
            open(&text[at..], Vec::new(), &mut found);
        }
    }
    found.into_iter().filter_map(|path| absolute(&path, module)).collect()
}

/// Opens one path, braces and all.
fn open(text: &str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut rest = text;
    loop {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rest = &rest[word.len()..];
        if !word.is_empty() {
            path.push(word);
        }
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                for part in parts(&after[1..]) {
                    open(part.trim(), path.clone(), found);
                }
                return;
            }
            Some(after) if after.starts_with(|c: char| c.is_alphabetic() || c == '_') => rest = after,
            _ => {
                found.push(path);
                return;
            }
        }
    }
}

/// The parts of a brace's inside, up to the one that closes it.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&text[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// A path from the crate's root.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let mut from = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (from, rest) = (Vec::new(), &path[1..]),
        _ => {
            while let Some(word) = rest.first().filter(|word| *word == "super" || *word == "self") {
                if word == "super" {
                    from.pop()?;
                }
                rest = &rest[1..];
            }
        }
    }
    from.extend(rest.iter().cloned());
    Some(from)
}

/// The modules of a source file.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
        module.pop();
    }
    module
}

/// What each file imports of the others.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources: BTreeMap<String, String> = files("src", ".rs")
        .into_iter()
        .map(|(path, text)| (path.trim_start_matches("src/").to_owned(), text))
        .collect();
    let by_module: BTreeMap<Vec<String>, String> =
        sources.keys().map(|file| (module_of(file), file.clone())).collect();
    let file_of =
        |path: &[String]| (1..=path.len()).rev().find_map(|length| by_module.get(&path[..length]).cloned());
    // A template belongs to the files that draw it.
    let drawn = |template: &str| -> Vec<String> {
        sources.iter().filter(|(_, text)| text.contains(template)).map(|(file, _)| file.clone()).collect()
    };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in &sources {
        let reached = paths(product(text), &module_of(file));
        found.insert(
            file.clone(),
            reached.iter().filter_map(|path| file_of(path)).filter(|other| other != file).collect(),
        );
    }
    for (path, text) in files("templates", ".html") {
        let reached: Vec<String> = paths(&text, &[]).iter().filter_map(|path| file_of(path)).collect();
        for file in drawn(&format!("\"{}\"", path.trim_start_matches("templates/"))) {
            let own = found.entry(file.clone()).or_default();
            own.extend(reached.iter().filter(|other| **other != file).cloned());
        }
    }
    found
}

/// Groups of files that reach each other.
fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = next.pop() {
            for other in graph.get(&file).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|file| (file, reach(file))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (file, seen) in &reached {
        if !seen.contains(*file) || found.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        found.push(
            seen.iter()
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(*file)))
                .cloned()
                .collect(),
        );
    }
    found
}

#[test]
fn floors() {
    let graph = imports();
    let mut found = BTreeSet::new();
    for (file, others) in &graph {
        let (room, floor) = room_of(file);
        for (other, theirs) in others.iter().map(|other| room_of(other)).filter(|(other, _)| *other != room) {
            if theirs >= floor && room != "lib.rs" && room != "main.rs" && room != "kernel/mod.rs" {
                found.insert(format!("{file} imports {other}"));
            }
        }
    }
    let circles = circles(&graph);
    println!("files: {}, imports: {}", graph.len(), graph.values().map(BTreeSet::len).sum::<usize>());
    println!("imports upwards or sideways, a file and a room each: {}", found.len());
    println!(
        "circles among files: {}, with {} files",
        circles.len(),
        circles.iter().map(BTreeSet::len).sum::<usize>()
    );
    for circle in &circles {
        let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
        circle.iter().for_each(|file| *rooms.entry(room_of(file).0).or_default() += 1);
        println!("  {} files: {rooms:?}: {circle:?}", circle.len());
    }
    assert!(found.is_empty(), "move the name down, or hand the thing in as a value: {found:#?}");
    assert!(circles.is_empty(), "files of one room import each other in a circle: {circles:#?}");
}

#[test]
fn paths_are_read_however_they_are_written() {
    let text = "use crate::kernel::{base::{ids, times as t}, web::Form};\nuse super::store;\nfn f() { \
        crate::audit::x() } // crate::no::y";
    let module = ["reports", "pages", "edit"].map(str::to_owned);
    let found: BTreeSet<String> = paths(text, &module).iter().map(|path| path.join("/")).collect();
    let wanted =
        ["audit/x", "kernel/base/ids", "kernel/base/times", "kernel/web/Form", "reports/pages/store"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), wanted);
}
