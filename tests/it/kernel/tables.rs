//! The homes of the tables: for each, the folders of `src/` that write it, with what they do. A table that
//! two folders write has no one home yet, and its line shows it. `TYRIAN_UPDATE_TABLES=1` writes the list
//! anew: look at each line that is new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::sources::{code, files, root};

/// The table of an expression such as `engagements::table.find(id)` or `schema::engagements::table`.
fn named(expression: &str) -> Option<&str> {
    let (path, _) = expression.trim_start_matches(['&', ' ', '\n']).split_once("::table")?;
    let whole = path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    whole.then(|| path.rsplit("::").next().unwrap())
}

/// What a name stands for: a table under another name, or a query kept in a variable.
fn meant<'a>(before: &'a str, name: &'a str) -> Option<&'a str> {
    let alias = format!(" as {name};");
    if let Some(at) = before.find(&alias) {
        return before[..at].rsplit("::").next();
    }
    let bound = format!("let {name} =");
    let at = before.rfind(&bound)?;
    named(before[at + bound.len()..].trim_start())
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    &text[..end]
}

/// What a source file writes: verbs and tables.
fn writes(path: &str, text: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (call, verb) in
        [("insert_into(", "insert"), ("diesel::update(", "update"), ("diesel::delete(", "delete")]
    {
        for (at, _) in text.match_indices(call) {
            let inside = text[at + call.len()..].trim_start();
            let table = match named(inside.split(')').next().unwrap()) {
                Some(table) => meant(&text[..at], table).unwrap_or(table),
                None => meant(&text[..at], word(inside))
                    .unwrap_or_else(|| panic!("{path}: which table does {call}{} write?", word(inside))),
            };
            found.push((verb, table.to_owned()));
        }
    }
    // Line ends of literals are joined with a backslash.
    let flat = text.replace("\\\n", " ");
    let flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    for (start, verb) in [("INSERT INTO ", "insert"), ("UPDATE ", "update"), ("DELETE FROM ", "delete")] {
        for (at, _) in flat.match_indices(start) {
            let rest = &flat[at + start.len()..];
            let table = word(rest);
            // Neither `FOR UPDATE` and `DO UPDATE SET` nor the names of rights.
            let is_write =
                verb != "update" || rest.split(' ').take(3).any(|next| next == "SET") && table != "SET";
            if is_write && !table.is_empty() && table.chars().all(|c| !c.is_uppercase()) {
                found.push((verb, table.rsplit('.').next().unwrap().to_owned()));
            }
        }
    }
    found
}

/// The folder that a file belongs to: a slice, or a part of the kernel.
fn folder(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches("src/").split('/').collect();
    let depth = if parts[0] == "kernel" || parts.len() > 2 && parts[0] == "audit" { 2 } else { 1 };
    parts[..depth].join("/").trim_end_matches(".rs").to_owned()
}

#[test]
fn each_table_is_written_by_these_folders() {
    let schemas = files("src", "schema.rs");
    let mut tables: BTreeMap<String, BTreeMap<String, BTreeSet<&'static str>>> = BTreeMap::new();
    for (_, text) in &schemas {
        for table in text.split("diesel::table! {").skip(1) {
            let name = word(table.trim_start());
            tables.insert(name.rsplit('.').next().unwrap().to_owned(), BTreeMap::new());
        }
    }
    for (path, text) in files("src", ".rs") {
        for (verb, table) in writes(&path, &code(&text)) {
            let writers =
                tables.get_mut(&table).unwrap_or_else(|| panic!("{path} writes {table}: no such table"));
            writers.entry(folder(&path)).or_default().insert(verb);
        }
    }
    let line = |(table, writers): (&String, &BTreeMap<String, BTreeSet<&str>>)| {
        let each = |(folder, verbs): (&String, &BTreeSet<&str>)| {
            format!("{folder} ({})", verbs.iter().copied().collect::<Vec<_>>().join(" "))
        };
        let writers: Vec<String> = writers.iter().map(each).collect();
        let writers = if writers.is_empty() { "the database alone".to_owned() } else { writers.join(", ") };
        format!("{table}: {writers}\n")
    };
    let text: String = tables.iter().map(line).collect();
    let homes = |of: &dyn Fn(usize) -> bool| tables.values().filter(|writers| of(writers.len())).count();
    println!("tables: {}", tables.len());
    println!("written by one folder: {}", homes(&|count| count == 1));
    println!("written by several: {}", homes(&|count| count > 1));
    let told = root().join("tests/it/kernel/tables.txt");
    if std::env::var_os("TYRIAN_UPDATE_TABLES").is_some() {
        fs::write(&told, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&told).unwrap_or_default(), text, "tables.txt says who writes what today");
}

#[test]
fn writes_are_read_however_they_are_written() {
    let text = "use crate::kernel::db::schema::person_sections as s;
        fn f() { diesel::insert_into(s::table).values(x); diesel::update(\n schema::roles::table.find(1));
        let gone = notices::table.filter(y); diesel::delete(gone);
        sql_query(\"WITH a AS (INSERT INTO audit.sealed (at) SELECT 1) UPDATE \\\n people p SET name = ''\");
        sql_query(\"SELECT 1 FOR UPDATE\"); sql_query(\"GRANT SELECT, UPDATE, DELETE ON ALL TABLES\"); }";
    let found: Vec<String> =
        writes("x", text).iter().map(|(verb, table)| format!("{verb} {table}")).collect();
    let wanted =
        ["insert person_sections", "update roles", "delete notices", "insert sealed", "update people"];
    assert_eq!(found, wanted);
}
