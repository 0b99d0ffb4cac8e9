//! The edge: headers, foreign origins, errors as pages and fragments, limits, static files.

use crate::harness::TestApp;
use crate::harness::browser::Answer;
use crate::harness::fixtures::LEA;
use diesel::connection::SimpleConnection;

/// What every answer must carry.
#[track_caller]
pub fn assert_headers(what: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(part) || policy.contains("sandbox"), "{what}: {part} is not in “{policy}”");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
}

#[test]
fn a_form_from_a_foreign_origin_is_refused_with_an_event() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let foreign: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    ];
    for (n, headers) in foreign.iter().enumerate() {
        let answer = browser.post_with("/sign-out", &[], headers);
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.text().contains("did not come from a page of this installation"));
        assert_headers("refused origin", &answer);
        assert_eq!(app.events("origin.refused"), i64::try_from(n + 1).unwrap());
    }
    let who = app.texts(
        "SELECT DISTINCT actor_name || ' ' || outcome || ' ' || category FROM audit.events \
        WHERE kind = 'origin.refused'",
    );
    assert_eq!(who, [format!("{LEA} failure refused")]);
    browser.open("/account").see("Lea Winter");
    let own = browser.post_with("/sign-out", &[], &[("sec-fetch-site", "same-origin")]);
    assert_eq!(own.status, 303);
}

#[test]
fn links_from_elsewhere_are_followed() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let answer = browser.send(
        "GET",
        "/account",
        &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")],
        b"",
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn an_unknown_address_is_a_page_with_a_way_on() {
    let app = TestApp::spawn();
    for mut browser in [app.visitor(), app.browser(&app.people.lead)] {
        browser.open("/nothing/here").expect(404).see("Not here").see("Request");
        assert!(browser.has("a[href='/']"));
        let wrong_method = browser.post("/healthz", &[]);
        assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, "GET, HEAD"));
        assert_headers("wrong method", &wrong_method);
    }
    let mut browser = app.browser(&app.people.lead);
    let fragment = browser.get_fragment("/nothing/here");
    assert_eq!(fragment.status, 404);
    assert!(
        !fragment.text().contains("<html") && fragment.text().contains("Not here"),
        "{}",
        fragment.text()
    );
}

#[test]
fn a_fragment_without_a_session_sends_the_whole_page_to_sign_in() {
    let app = TestApp::spawn();
    let mut visitor = app.visitor();
    let page = visitor.get("/clients?q=a&tag=b");
    assert_eq!((page.status, page.header("location")), (303, "/sign-in?next=%2Fclients%3Fq%3Da%26tag%3Db"));
    let fragment = visitor.get_fragment("/clients");
    assert_eq!((fragment.status, fragment.header("hx-redirect")), (401, "/sign-in"));
    let posted = visitor.post("/account/theme", &[("theme", "dark")]);
    assert_eq!(
        (posted.status, posted.header("location")),
        (303, "/sign-in"),
        "a POST cannot be repeated by a link"
    );
}

#[test]
fn forms_that_are_too_large_or_not_ours_get_a_sentence() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let large = browser.post("/clients/new", &[("name", "x"), ("description", &"x".repeat(5 << 20))]);
    assert_eq!(large.status, 413);
    assert!(large.text().contains("larger than 4 MiB"));
    let large = browser.post("/account/password", &[("current", &"x".repeat(20 << 10)), ("password", "x")]);
    assert_eq!(large.status, 413);
    assert!(large.text().contains("larger than 16 KiB"));
    let foreign =
        browser.post("/account/password", &[("current", "x"), ("password", "y"), ("is_admin", "true")]);
    assert_eq!(foreign.status, 422);
    assert!(foreign.text().contains("a field that does not belong to it"));
    let broken = browser.send(
        "POST",
        "/account/password",
        &[("content-type", "application/x-www-form-urlencoded")],
        b"%ff%fe=%00&&&=",
    );
    assert_eq!(broken.status, 422);
}

#[test]
fn static_files_are_kept_for_good_under_their_digest() {
    let app = TestApp::spawn_empty();
    let mut browser = app.visitor();
    browser.open("/sign-in");
    let style = browser.attribute("link[rel=stylesheet]", "href").unwrap();
    let answer = browser.get(&style);
    assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    let tag = answer.header("etag").to_owned();
    assert_eq!(browser.send("GET", &style, &[("if-none-match", &tag)], b"").status, 304);
    let bare = browser.get("/assets/app.css");
    assert_eq!((bare.status, bare.header("cache-control")), (200, "no-cache"));
    assert_eq!(browser.get("/assets/app.css?v=000000000000").header("cache-control"), "no-cache");
    for outside in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/css/base.css",
        "/assets/vendor/VENDOR.md",
    ] {
        assert_eq!(browser.get(outside).status, 404, "{outside}");
    }
    assert_eq!(browser.get("/sign-in").header("cache-control"), "no-store");
}

#[test]
fn every_asset_that_a_page_names_is_served() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/account");
    let html = browser.html().to_owned();
    let named: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(named.len() > 4);
    for path in named {
        assert_eq!(browser.get(path.split('#').next().unwrap()).status, 200, "{path}");
    }
}

#[test]
fn health_and_readiness_answer_anybody() {
    let app = TestApp::spawn_empty();
    let mut visitor = app.visitor();
    assert_eq!(visitor.get("/healthz").text(), "ok\n");
    let ready = visitor.get("/readyz");
    let told = ready.text();
    assert_eq!(ready.status, 200);
    assert!(
        told.starts_with(
            "database: reachable\nschema: current\naudit partitions: made ahead\njobs: on \
            time\naudit sealing: no seal yet"
        ),
        "{told}"
    );
    app.superuser()
        .batch_execute(
            "DO $$ BEGIN EXECUTE format('DROP TABLE audit.events_%1$s, \
        audit.sealed_%1$s', to_char(now() + interval '1 month', 'YYYY_MM')); END $$",
        )
        .unwrap();
    let told = visitor.get("/readyz");
    assert_eq!(told.status, 503);
    assert!(told.text().contains("the next month is missing"), "{}", told.text());
}

#[test]
fn theme_and_shortcuts_are_kept() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/account").expect(200);
    browser.press("Dark");
    browser.expect(200);
    assert_eq!(browser.attribute("html", "data-theme").as_deref(), Some("dark"));
    browser.press("Switch single-letter shortcuts off").expect(200);
    assert_eq!(browser.attribute("html", "data-shortcuts").as_deref(), Some("off"));
    browser.press("Switch single-letter shortcuts on").expect(200);
    assert!(!browser.has("html[data-shortcuts]"));
}

#[test]
fn pages_travel_compressed_when_the_browser_can() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    for coding in ["br", "gzip"] {
        let answer = browser.send("GET", "/account", &[("accept-encoding", coding)], b"");
        assert_eq!(answer.header("content-encoding"), coding);
    }
}
