//! The script modules: how they are served, in which order a page starts them, how they hang together.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::files;
use crate::harness::TestApp;
use crate::harness::browser::Browser;

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// Every module by its name, with its text.
fn modules() -> BTreeMap<String, String> {
    files("static/js", ".js")
        .into_iter()
        .map(|(path, text)| (path.rsplit('/').next().unwrap().to_owned(), text))
        .collect()
}

/// The modules that a text imports, which must be beside it.
fn imports(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from "));
    lines
        .map(|line| {
            let path = line.split('\'').nth(1).unwrap_or_else(|| panic!("{name}: {line}"));
            path.strip_prefix("./")
                .unwrap_or_else(|| panic!("{name} imports from elsewhere: {line}"))
                .to_owned()
        })
        .collect()
}

/// `/assets/js/DIGEST/main.js` of the page that is shown.
fn entry(browser: &Browser) -> String {
    browser.attribute("script[type=module]", "src").expect("the page names no entry module")
}

#[test]
fn a_page_names_every_module_ahead_under_one_digest() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/account");
    let (folder, entry) =
        entry(&browser).rsplit_once('/').map(|(f, e)| (f.to_owned(), e.to_owned())).unwrap();
    assert_eq!(entry, "main.js");
    let digest = folder.strip_prefix("/assets/js/").unwrap();
    assert!(digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{folder}");
    let preloaded: BTreeSet<String> = browser
        .html()
        .split("<link rel=\"modulepreload\" href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let all: BTreeSet<String> = modules().into_keys().map(|name| format!("{folder}/{name}")).collect();
    assert_eq!(preloaded, all);
    for address in &all {
        let answer = browser.get(address);
        assert_eq!((answer.status, answer.header("cache-control")), (200, FOR_GOOD), "{address}");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8", "{address}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let tag = answer.header("etag").to_owned();
        assert_eq!(browser.send("GET", address, &[("if-none-match", &tag)], b"").status, 304);
    }
}

/// Otherwise a page of yesterday would mix modules of two releases, and a cache between would keep them so.
#[test]
fn another_digest_is_not_found_and_not_stored() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/account");
    let own = entry(&browser);
    let digest = own.split('/').nth(3).unwrap().to_owned();
    for address in [
        own.replace(&digest, "000000000000"),
        own.replace(&digest, &digest.to_uppercase().replace(char::is_numeric, "0")),
        own.replace("main.js", "nothing.js"),
        own.replace(&format!("{digest}/"), ""),
        "/assets/js/".to_owned(),
        "/assets/nothing.js".to_owned(),
    ] {
        let answer = browser.get(&address);
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{address}");
    }
}

/// Module scripts and deferred scripts run in the order of the document, so listeners stand when htmx starts.
#[test]
fn the_entry_stands_before_htmx() {
    let app = TestApp::spawn_empty();
    let mut browser = app.visitor();
    browser.open("/sign-in");
    let html = browser.html();
    let place = |part: &str| html.find(part).unwrap_or_else(|| panic!("{part} is not on the page"));
    assert!(place("<script type=\"module\"") < place("/assets/vendor/htmx.min.js"));
    assert!(!html.contains(" async"), "an async script runs whenever it comes");
    for script in html.split("<script ").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains("type=\"module\"") || tag.ends_with(" defer"), "{tag}");
    }
}

#[test]
fn modules_import_each_other_statically_and_in_no_circle() {
    let modules = modules();
    let graph: BTreeMap<&str, Vec<String>> =
        modules.iter().map(|(name, text)| (name.as_str(), imports(name, text))).collect();
    for (name, text) in &modules {
        assert!(!text.contains("import("), "{name}: a dynamic import is not preloaded");
        for wanted in &graph[name.as_str()] {
            assert!(modules.contains_key(wanted), "{name} imports {wanted}, which is not there");
        }
    }
    // Whatever is imported by nothing that is left goes; a circle never does.
    let mut left: BTreeSet<&str> = graph.keys().copied().collect();
    let mut tops = Vec::new();
    loop {
        let imported: BTreeSet<&str> =
            left.iter().flat_map(|name| graph[name].iter().map(String::as_str)).collect();
        let free: Vec<&str> = left.difference(&imported).copied().collect();
        if free.is_empty() {
            break;
        }
        if tops.is_empty() {
            tops.clone_from(&free);
        }
        left.retain(|name| !free.contains(name));
    }
    assert!(left.is_empty(), "modules in a circle: {left:?}");
    assert_eq!(tops, ["main.js"], "a module that the entry does not reach");
}

#[test]
fn modules_are_written_to_be_read() {
    for (name, text) in modules() {
        assert!(text.starts_with("// "), "{name} does not say what it is for");
        for (number, line) in text.lines().enumerate() {
            assert!(line.chars().count() <= 110, "{name}:{}: more than 110 columns", number + 1);
        }
    }
}
