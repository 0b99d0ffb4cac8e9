//! HEAD answers as GET does, without a body, and does nothing that the head does not need.

use tyrian::server::rows;

use super::matrix::{Things, common, filled};
use crate::harness::TestApp;

#[test]
fn head_answers_as_get_without_a_body() {
    let app = TestApp::spawn();
    let things = Things::make(&app, &app.people, app.clients.own);
    let common = common(&app);
    for person in [&app.people.lead, &app.people.administrator] {
        for row in rows().filter(|row| row.method == "get" && !row.path.ends_with("/events")) {
            let path = filled(row, &things, &common);
            let get = app.browser(person).send("GET", &path, &[], b"");
            let head = app.browser(person).send("HEAD", &path, &[], b"");
            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert!(head.body.is_empty(), "{path}: {} bytes", head.body.len());
        }
    }
}

#[test]
fn head_of_an_export_exports_nothing() {
    let app = TestApp::spawn();
    let events = || app.count("SELECT count(*) FROM audit.events WHERE kind LIKE '%.exported'");
    let mut admin = app.browser(&app.people.administrator);
    for path in ["/admin/audit-log.csv", "/admin/audit-log.jsonl", "/admin/users.csv", "/admin/access.csv"] {
        let before = events();
        let head = admin.send("HEAD", path, &[], b"");
        assert_eq!(head.status, 200, "{path}");
        assert!(head.header("content-disposition").contains("attachment"), "{path}");
        assert_eq!(events(), before, "{path}");
        admin.send("GET", path, &[], b"");
        assert_eq!(events(), before + 1, "{path}");
    }
}

#[test]
fn head_of_a_stream_ends() {
    let app = TestApp::spawn();
    let things = Things::make(&app, &app.people, app.clients.own);
    let row = rows().find(|row| row.path.ends_with("{id}/events")).unwrap();
    let path = filled(row, &things, &common(&app));
    let head = app.browser(&app.people.lead).send("HEAD", &path, &[], b"");
    assert_eq!((head.status, head.header("content-type")), (200, "text/event-stream"));
    assert!(head.body.is_empty());
}

#[test]
fn other_methods_are_told_what_a_path_answers() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    for (method, path, allowed) in [
        ("PUT", "/clients", "GET, HEAD"),
        ("DELETE", "/clients/new", "GET, HEAD, POST"),
        ("OPTIONS", "/sign-out", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PUT", &e.path(), "GET, HEAD"),
    ] {
        let answer = lead.send(method, path, &[], b"");
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
    }
    assert_eq!(lead.send("PUT", "/nowhere", &[], b"").status, 404);
}

/// A refused form leaves its address in the browser's bar; Enter there leads to the page of the form.
#[test]
fn the_address_of_a_form_leads_to_its_page() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    for (path, page) in [
        ("/admin/settings/outcomes".to_owned(), "/admin/settings".to_owned()),
        ("/sign-out".to_owned(), "/".to_owned()),
        (format!("{}/start", e.procedure_path(0)), e.procedure_path(0)),
        (format!("{}/inputs", e.procedure_path(0)), e.procedure_path(0)),
    ] {
        let answer = lead.get(&path);
        assert_eq!((answer.status, answer.header("location")), (303, &*page), "{path}");
    }
    // No GET acts on the way.
    assert_eq!(lead.get(&e.path()).status, 200);
}
