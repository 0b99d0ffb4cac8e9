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

/// Puts a procedure into the plan that the editor shows.
fn choose(browser: &mut Browser, q: &str) {
    browser.fill("Search", q).press("Filter").expect(200);
    browser.press_in("#picker section", "Add ").expect(200);
}

#[test]
fn two_who_edit_one_plan_lose_nothing() {
    let app = TestApp::spawn();
    let [a, b] = ["a", "b"].map(|key| procedure(&app, key, "First"));
    for key in ["cyan", "dune"] {
        procedure(&app, key, "First");
    }
    let mut mine = app.browser(&app.people.lead);
    let plan = save(&mut mine, "/test-plans/new", "Quarterly", "0", &[&a, &b]);
    let edit = format!("{plan}/edit");
    let mut theirs = app.browser(&app.people.standard);
    theirs.open(&edit).fill("Title", "Their title").fill("Tags", "theirs");
    choose(&mut theirs, "cyan");
    mine.open(&edit).fill("Title", "My title").fill("Description", "My words").fill("Tags", "mine");
    choose(&mut mine, "dune");
    mine.press("Remove Procedure b");
    theirs.press("Save").expect(200).see("“Their title” saved.");

    mine.press("Save").expect(409).see("Title changed on both sides.").see("Their title");
    assert_eq!(mine.value("Title"), "My title", "what was typed stays");
    let stored = |what: &str| app.texts(&format!("SELECT {what} FROM test_plans WHERE key IS NULL"));
    assert_eq!(stored("title || ': ' || description"), ["Their title: My words"], "the rest is saved");
    assert_eq!(stored("array_to_string(tags, ',')"), ["mine,theirs"]);
    let together = ["Procedure a", "Procedure cyan", "Procedure dune"];
    let mut chosen = mine.texts("#picker ol li a");
    chosen.sort();
    assert_eq!(chosen, together, "what came is there, what one took out is gone");
    mine.press("Keep mine").expect(200).see("“My title” saved.");
    let mut chosen = mine.texts("td.title > a");
    chosen.sort();
    assert_eq!(chosen, together);
    assert_eq!(app.events("test_plan.updated"), 3);

    // Theirs is taken; and a text that a third one changed meanwhile conflicts again.
    theirs.open(&edit).fill("Description", "Their words");
    mine.open(&edit).fill("Description", "My other words").press("Save").expect(200);
    theirs.press("Save").expect(409).see("Description changed on both sides.");
    mine.open(&edit).fill("Description", "My last words").press("Save").expect(200);
    theirs.press("Keep mine").expect(409).see("My last words");
    let first = app.people.lead.name.split_whitespace().next().unwrap().to_owned();
    theirs.press(&format!("Take {first}’s")).expect(200);
    assert_eq!(stored("description"), ["My last words"]);

    // Whoever takes out what the other left alone, and the other the rest: a plan of nothing is none.
    theirs.open(&edit).press("Remove Procedure a").press("Remove Procedure cyan");
    mine.open(&edit).press("Remove Procedure dune").press("Save").expect(200);
    theirs.press("Save").expect(422).see("so that none is left. Choose at least one.");
}

#[test]
fn deleting_what_a_running_engagement_was_made_from_changes_nothing_there() {
    let app = TestApp::spawn();
    let mut browser = app.sign_in(&app.people.lead);
    browser.open("/library/repositories/new").fill("Name", "Harbour lab").fill("Prefix", "hlf");
    browser.check("Managed").press("Create repository").expect(200);
    let shelf = browser.path().to_owned();
    browser.click("New procedure").choose("Repository", "Harbour lab").fill("Name", "Vault away");
    browser.fill("Text of step 1", "Send #{vault} to #{host}.").press("Save").expect(200);
    let id = browser.path().rsplit('/').next().unwrap().to_owned();
    let plan = save(&mut browser, "/test-plans/new", "Vault week", "0", &[&id]);
    save(&mut browser, "/test-plans/new", "Other week", "0", &[&id]);
    browser.open(&plan).click("Start engagement").choose("Client", OWN);
    browser.press("Next: Engagement Details").press("Next: Select Procedures").press("Next: Finalize");
    browser.press("Create Engagement").expect(200);
    let engagement = browser.path().to_owned();
    let procedures = "SELECT to_jsonb(p)::text FROM procedures p WHERE name = 'Vault away'";
    let row = "SELECT to_jsonb(e)::text FROM engagements e WHERE test_plan_id IS NOT NULL";
    let before = [app.texts(procedures), app.texts(row)];
    assert!(before.iter().all(|rows| rows.len() == 1), "{before:?}");

    browser.open(&format!("{plan}/delete")).press("Delete test plan").expect(200);
    browser.open(&format!("{shelf}/delete")).see("Other week").check("Delete the procedures too");
    browser.press("Delete repository").expect(200);
    assert_eq!([app.texts(procedures), app.texts(row)], before);
    browser.open(&engagement).expect(200).see("Vault away");
    browser.open(&format!("{engagement}/origins")).expect(200).see("Vault away").see("Vault week");
    // The other plan lost it, and that is a version of it like any other.
    assert_eq!(app.count("SELECT version FROM test_plans WHERE title = 'Other week'"), 2);
    let without = "SELECT count(*) FROM test_plans t WHERE NOT EXISTS (SELECT FROM test_plan_versions v \
        WHERE v.test_plan_id = t.id AND v.n = t.version)";
    assert_eq!(app.count(without), 0);
    let path = app.texts("SELECT id::text FROM procedures WHERE name = 'Vault away'").remove(0);
    browser.open(&format!("{engagement}/procedures/{path}")).expect(200).see("vault").see("host");
}
