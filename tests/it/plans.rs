//! Versions of test plans, what changed since one was last used, and which versions an engagement was made
//! from.

use tyrian::imports::atomics::Atomics;
use tyrian::imports::store::apply_atomics;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::changes::Missing;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::OWN;

/// Writes a procedure of the library, a next version where it is there already.
fn procedure(app: &TestApp, key: &str, description: &str) -> String {
    let body = serde_json::json!({
        "name": format!("Procedure {key}"), "description": description, "technique_ids": ["T1003.008"],
        "steps": [{"id": "s1", "kind": "step", "description": "Do it."}],
    });
    let procedures = vec![(key.to_owned(), serde_json::from_value(body).unwrap())];
    let atomics = Atomics { procedures, ..Atomics::default() };
    apply_atomics(&app.db, &Actor::command(), &atomics, Missing::Keep).unwrap();
    app.texts(&format!("SELECT id::text FROM library_procedures WHERE source_key = '{key}'")).remove(0)
}

fn save(browser: &mut Browser, path: &str, title: &str, version: &str, procedures: &[&str]) -> String {
    let mut fields = vec![("title", title), ("version", version), ("do", "save")];
    fields.extend(procedures.iter().map(|id| ("chosen", *id)));
    let answer = browser.post(path, &fields);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").to_owned()
}

#[test]
fn every_save_of_a_plan_is_kept_and_an_older_one_comes_back() {
    let app = TestApp::spawn();
    let [a, b] = ["a", "b"].map(|key| procedure(&app, key, "First"));
    let mut browser = app.browser(&app.people.lead);
    let plan = save(&mut browser, "/test-plans/new", "Quarterly", "0", &[&a, &b]);
    procedure(&app, "a", "Second");
    save(&mut browser, &format!("{plan}/edit"), "Yearly", "1", &[&a]);
    browser
        .open(&plan)
        .click("Version 2")
        .expect(200)
        .see("title, 1 procedure removed, 1 procedure in a newer version");
    browser.see("The first version that is kept");
    browser.click("Version 1").expect(200).see("Quarterly").see("Procedure b");
    browser.see("What restoring it would change");
    browser
        .press("Restore version 1")
        .expect(200)
        .see("Version 1 restored.")
        .see("Quarterly")
        .see("Procedure b");
    assert_eq!(
        app.count(
            "SELECT count(*) FROM test_plan_versions v JOIN test_plans t ON t.id = v.test_plan_id \
        WHERE t.title = 'Quarterly'"
        ),
        3,
        "it is a save of its own"
    );
    assert_eq!(app.events("test_plan.updated"), 2);
    browser.open(&format!("{plan}/versions/9")).expect(404);
    let mut auditor = app.browser(&app.people.auditor);
    auditor.open(&format!("{plan}/versions/1")).expect(200).see_not("Restore version");
    assert_eq!(auditor.post(&format!("{plan}/versions/1/restoration"), &[]).status, 403);
    // What is written once is never written again.
    assert_eq!(
        app.texts(
            "SELECT body ->> 'title' FROM test_plan_versions v JOIN test_plans t ON t.id = v.test_plan_id \
            WHERE t.title = 'Quarterly' ORDER BY n"
        ),
        ["Quarterly", "Yearly", "Quarterly"]
    );
}

#[test]
fn a_plan_is_copied_from_its_row() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.standard);
    browser.open("/test-plans").click("Copy Ransomware rehearsal").expect(200);
    assert_eq!(browser.value("Title"), "Copy of Ransomware rehearsal");
    let chosen = browser.texts("#picker ol li a");
    assert!(!chosen.is_empty());
    browser.press("Save").expect(200).see("“Copy of Ransomware rehearsal” created.");
    assert_eq!(browser.texts("td.title > a"), chosen);
    browser.open("/test-plans").click("Edit Ransomware rehearsal").expect(200);
    browser.open("/test-plans").click("Delete Ransomware rehearsal").expect(200).see("The procedures stay");
    app.browser(&app.people.auditor).open("/test-plans").see_not("Copy Ransomware rehearsal");
}

#[test]
fn a_start_takes_the_newest_versions_and_tells_what_changed_since_the_last() {
    let app = TestApp::spawn();
    let [a, b, c] = ["a", "b", "c"].map(|key| procedure(&app, key, "First"));
    let mut browser = app.browser(&app.people.lead);
    let plan = save(&mut browser, "/test-plans/new", "Quarterly", "0", &[&a, &b]);
    browser.open(&plan).see_not("Last used on");
    let start = |browser: &mut Browser| {
        browser
            .open(&plan)
            .click("Start engagement")
            .choose("Client", OWN)
            .press("Next: Engagement Details")
            .expect(200);
        browser.press("Next: Select Procedures").press("Next: Finalize").expect(200);
    };
    start(&mut browser);
    browser.see_not("Last used on").press("Create Engagement").expect(200);
    let engagement = browser.path().to_owned();
    browser.open(&plan).see("Last used on").see("Nothing changed since.");

    procedure(&app, "a", "Second");
    save(&mut browser, &format!("{plan}/edit"), "Quarterly", "1", &[&a, &c]);
    browser.open(&plan).see("version 1 → 2").see("Added: Procedure c").see("Removed: Procedure b");
    start(&mut browser);
    browser.see("version 1 → 2").press("Create Engagement").expect(200);
    let later = browser.path().to_owned();
    browser.open(&plan).see("Nothing changed since.");

    browser
        .open(&format!("{engagement}/origins"))
        .expect(200)
        .see("Made from the test plan Quarterly, version 1.");
    browser.see("Of 1 procedure the library has a newer version.").see("Version 2");
    browser.open(&format!("{later}/origins")).see("version 2").see("All of them are the newest.");
    // Clients of others are nobody's business.
    let mut outsider = app.browser(&app.people.outsider);
    outsider.open(&plan).expect(200).see_not("Last used on");
    outsider.open(&format!("{engagement}/origins")).expect(404);
}
