//! Rules that are read off the sources: what may stand where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn files(directory: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(path: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, out) } else { out.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(directory), &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .map(|path| {
            (
                path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

/// The part of a source file before its tests.
pub fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// The same without comments.
pub fn code(text: &str) -> String {
    product(text).lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Everything that is written without an event, and why that is no act of a person.
pub(super) const UNAUDITED: &[&str] = &[
    "src/accounts/pages/drafts.rs: draft of a form",
    "src/accounts/pages/notices.rs: notices",
    "src/accounts/pages/own.rs: session in use",
    "src/accounts/pages/own.rs: shortcuts",
    "src/accounts/pages/own.rs: sign-in attempt",
    "src/accounts/pages/own.rs: theme",
    "src/accounts/pages/sign_in.rs: one-time link",
    "src/accounts/pages/sign_in.rs: sign-in attempt",
    "src/accounts/session.rs: session changed",
    "src/accounts/session.rs: session ended",
    "src/accounts/session.rs: session in use",
    "src/accounts/session.rs: session made",
    "src/accounts/store/secret_key.rs: fingerprint of the secret key",
    "src/accounts/sweep.rs: old drafts and counts",
    "src/audit/log/store/retention.rs: audit partitions",
    "src/audit/proof/sealer.rs: audit seal",
    "src/audit/proof/verification.rs: audit verification",
    "src/engagements/pages/approval.rs: approval draft",
    "src/engagements/pages/show.rs: section state",
    "src/engagements/pages/wizard.rs: wizard draft",
    "src/imports/pages/uploads.rs: import bookkeeping",
    "src/imports/store/runs.rs: import bookkeeping",
    "src/kernel/job/store.rs: job bookkeeping",
    "src/procedures/pages/page.rs: draft",
];

#[test]
fn the_unaudited_writers_are_these() {
    let mut found = BTreeSet::new();
    for (path, text) in files("src", ".rs") {
        for call in product(&text).split(".write_unaudited").skip(1) {
            let call = call.strip_prefix("_blocking").unwrap_or(call);
            let reason = call.split('"').nth(1).unwrap();
            found.insert(format!("{path}: {reason}"));
        }
    }
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), UNAUDITED);
}

#[test]
fn sql_stays_in_the_stores() {
    let signs = [
        "sql_query(",
        "diesel::insert_into",
        "diesel::update(",
        "diesel::delete(",
        ".get_result(conn",
        ".load(conn",
        ".load(tx.conn",
        "batch_execute(",
    ];
    for (path, text) in files("src", ".rs") {
        let at_home = path.contains("/store")
            || path.starts_with("src/kernel/db/")
            || path.starts_with("src/kernel/event/")
            || path == "src/kernel/merge/history.rs"
            || ["src/kernel/drafts.rs", "src/kernel/refusals.rs"].contains(&path.as_str())
            || path == "src/health.rs"
            || ["src/kernel/live.rs", "src/kernel/merge/history.rs"].contains(&path.as_str());
        for sign in signs {
            assert!(at_home || !product(&text).contains(sign), "{path}: {sign} outside a store");
        }
    }
}

/// Each statement in plain SQL has a comment in its own function: why the query builder would not do.
#[test]
fn plain_sql_says_why() {
    let (mut statements, mut silent) = (0, Vec::new());
    for (path, text) in files("src", ".rs") {
        let text = product(&text);
        for (at, _) in text.match_indices("sql_query(") {
            let before = &text[..at];
            let line = before.rsplit('\n').next().unwrap();
            let lock = text[at..].starts_with("sql_query(\"SELECT pg_advisory");
            if lock || line.contains("//") || path == "src/kernel/db/migrate.rs" {
                continue;
            }
            statements += 1;
            let function = before.rfind("fn ").unwrap_or_default();
            if !before[function..].contains("sql_query: ") {
                silent.push(format!("{path}:{}", before.lines().count()));
            }
        }
    }
    println!("statements in plain SQL: {statements}, each with its reason");
    assert_eq!(silent, Vec::<String>::new(), "plain SQL, and no comment in its function says why");
}

/// What calls itself pure and is not so yet; it only shrinks.
const NOT_PURE_YET: &[&str] = &["src/library/editor.rs: ::store"];

/// Every `domain.rs`, and every file whose head says that it is pure, knows no server, database, template or
/// clock.
#[test]
fn what_is_pure_stays_pure() {
    let impure = [
        "actix",
        "diesel",
        "askama",
        "crate::kernel::db",
        "crate::kernel::web",
        "crate::kernel::app",
        "crate::kernel::base::clock",
        "std::fs",
        "std::net::Tcp",
        "::store",
        "_store",
        "::pages",
        "_pages",
        "::views",
    ];
    let (mut pure, mut found) = (0, BTreeSet::new());
    for (path, text) in files("src", ".rs") {
        let head = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        let says_so = head.split(|c: char| !c.is_alphabetic()).any(|word| word.eq_ignore_ascii_case("pure"));
        if !says_so && !path.ends_with("/domain.rs") && !path.contains("/domain/") {
            continue;
        }
        pure += 1;
        let code = code(&text);
        found
            .extend(impure.iter().filter(|word| code.contains(**word)).map(|word| format!("{path}: {word}")));
    }
    println!("pure files: {pure}, of them not so yet: {}", found.len());
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), NOT_PURE_YET);
}

/// A case that a property test failed on once is kept under `tests/` and tried again, wherever the test
/// moves.
#[test]
fn what_property_tests_found_is_tried_again() {
    for (path, text) in files("src", ".rs") {
        let code = text.lines().map(str::trim).collect::<Vec<_>>();
        for (number, _) in code.iter().enumerate().filter(|(_, line)| **line == "proptest! {") {
            assert!(
                code[number + 1].starts_with("#![proptest_config(")
                    && code[number + 1].contains("proptests::config()"),
                "{path}:{}: without kernel::base::proptests::config(), failures are kept at the top level",
                number + 2
            );
        }
    }
    for (path, _) in files("tests/proptest-regressions", ".txt") {
        let source = path.replace("tests/proptest-regressions", "src").replace(".txt", ".rs");
        let text = fs::read_to_string(root().join(&source)).unwrap_or_default();
        assert!(text.contains("proptest! {"), "{path} belongs to {source}, which has no property test");
    }
    assert!(!root().join("proptest-regressions").exists(), "it belongs under tests/");
}

#[test]
fn templates_carry_no_scripts_handlers_or_styles() {
    for (path, text) in files("templates", ".html") {
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            for sign in [
                "hx-on",
                "\"js:",
                "'js:",
                "javascript:",
                " style=\"",
                " style='",
                "<style",
                "hx-vals='js",
                "hx-headers='js",
            ] {
                assert!(!lower.contains(sign), "{path}:{}: {sign}", number + 1);
            }
            if path != "templates/layout.html" {
                assert!(!lower.contains("<script"), "{path}:{}: a script", number + 1);
            }
            let handler = lower.match_indices(" on").any(|(at, _)| {
                let word: String = lower[at + 3..].chars().take_while(char::is_ascii_alphabetic).collect();
                let after = &lower[at + 3 + word.len()..];
                !word.is_empty() && (after.starts_with("=\"") || after.starts_with("='"))
            });
            assert!(!handler, "{path}:{}: an inline handler", number + 1);
            let trigger = lower
                .split("hx-trigger=")
                .skip(1)
                .any(|rest| rest.trim_start_matches('"').split('"').next().unwrap_or_default().contains('['));
            assert!(!trigger, "{path}:{}: a filter in hx-trigger is evaluated as script", number + 1);
        }
    }
}

/// What passes a template unescaped stands in `unescaped.txt`: fields that hold cleaned Markdown, and parts
/// drawn by other templates. `TYRIAN_UPDATE_UNESCAPED=1` writes it anew: look at each line that is new.
#[test]
fn what_passes_unescaped_was_looked_at() {
    let mut found = BTreeSet::new();
    for (path, text) in files("templates", ".html") {
        for part in text.split("{{").skip(1) {
            let expression = part.split("}}").next().unwrap().trim_matches('-').trim();
            if let Some((value, _)) = expression.split_once("|safe") {
                found.insert(format!("{path}: {}\n", value.trim()));
            }
        }
    }
    let found: String = found.into_iter().collect();
    let file = root().join("tests/it/kernel/unescaped.txt");
    if std::env::var_os("TYRIAN_UPDATE_UNESCAPED").is_some() {
        fs::write(&file, &found).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), found);
}

#[test]
fn vendored_files_are_the_ones_that_were_looked_at() {
    let list = fs::read_to_string(root().join("static/vendor/VENDOR.md")).unwrap();
    let mut checked = BTreeSet::new();
    for line in list.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (file, pinned) = (cells[1], cells[5]);
        let digest = Sha256::digest(fs::read(root().join("static/vendor").join(file)).unwrap());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, pinned, "{file}");
        checked.insert(file.to_owned());
    }
    for entry in fs::read_dir(root().join("static/vendor")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let told = checked.contains(&name) || name.starts_with("LICENSE") || name == "VENDOR.md";
        assert!(told, "static/vendor/{name} is not in VENDOR.md");
    }
}

/// Prints how long the lines of templates and scripts are, and holds templates to what a screen shows.
#[test]
fn templates_have_lines_that_can_be_read() {
    for (kind, directory, ending, most) in
        [("templates", "templates", ".html", 120), ("scripts", "static", ".js", usize::MAX)]
    {
        let (mut lines, mut columns, mut longest) = (0, 0, (0, String::new()));
        for (path, text) in files(directory, ending) {
            if path.contains("/vendor/") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let length = line.chars().count();
                assert!(length <= most, "{path}:{}: {length} columns", number + 1);
                lines += 1;
                columns += length;
                longest = longest.max((length, format!("{path}:{}", number + 1)));
            }
        }
        println!(
            "{kind}: {lines} lines of {:.1} columns on average, {} at most ({})",
            columns as f64 / lines as f64,
            longest.0,
            longest.1
        );
    }
}

/// `SELECT *` would read what nobody asked for, and break a prepared statement when a column is added.
#[test]
fn statements_name_their_columns() {
    for (path, text) in files("src", ".rs") {
        for line in code(&text).lines() {
            let all = line.split("SELECT ").skip(1).any(|rest| {
                let first = rest.split([' ', ',', ')']).next().unwrap();
                first == "*" || first.ends_with(".*")
            });
            assert!(!all, "{path}: {line}");
        }
    }
}

/// A name that is not there would be drawn as nothing.
#[test]
fn every_icon_is_in_the_sprite() {
    let sprite = fs::read_to_string(root().join("static/icons.svg")).unwrap();
    let mut named = BTreeSet::new();
    for (path, text) in files("templates", ".html") {
        for (at, _) in text.match_indices("\"|icon") {
            let name = text[..at].rsplit('"').next().unwrap();
            assert!(sprite.contains(&format!("id=\"i-{name}\"")), "{path}: there is no icon {name}");
            named.insert(name.to_owned());
        }
    }
    assert!(named.len() > 20, "{named:?}");
}

/// In a template that has blocks and extends no other, askama draws a call with a body twice, also one within
/// a macro that it imports: once where it stands, and once beside everything.
#[test]
fn a_part_with_blocks_calls_no_macro_with_a_body() {
    let all: BTreeMap<String, String> = files("templates", ".html")
        .into_iter()
        .map(|(path, text)| (path.trim_start_matches("templates/").to_owned(), text))
        .collect();
    let has =
        |text: &str, word: &str| ["{% ", "{%- "].iter().any(|open| text.contains(&format!("{open}{word} ")));
    let parts = all.iter().filter(|(path, text)| {
        // Drawn by those that extend it.
        has(text, "block") && !has(text, "extends") && *path != "layout.html"
    });
    for (part, _) in parts {
        let (mut seen, mut next) = (BTreeSet::new(), vec![part.clone()]);
        while let Some(path) = next.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let text = &all[&path];
            assert!(!has(text, "call"), "{path}, which {part} draws, calls a macro with a body");
            next.extend(
                text.split("import \"").skip(1).filter_map(|rest| Some(rest.split('"').next()?.into())),
            );
        }
    }
}

#[test]
fn every_handler_of_the_table_stands_in_a_page_file() {
    let table = fs::read_to_string(root().join("src/routes.rs")).unwrap();
    for line in
        table.lines().map(str::trim).filter(|line| line.starts_with("get \"") || line.starts_with("post \""))
    {
        let handler = line.split("=> ").nth(1).unwrap();
        assert!(handler.contains("pages::") || handler.starts_with("assets::"), "{handler}");
    }
}
