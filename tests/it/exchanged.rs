//! Test plans, layers and archives through the web: recognised, shown, applied, taken back.

use diesel::connection::SimpleConnection;
use tyrian::imports::plextrac;
use tyrian::imports::repository::file::Archive;
use tyrian::imports::repository::zip;
use tyrian::kernel::authz::Shelf;
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::domain::RepositoryType;
use tyrian::library::repository::Part;
use tyrian::library::store::writing::{insert_copy, insert_procedure, tag};

use crate::exchange::{archive, body, edit_here, mixed_plan, packed, unpacked};
use crate::harness::TestApp;
use crate::harness::bad_files::zip_of;
use crate::harness::browser::Browser;
use crate::imports::{until_checked, upload};
use crate::shelf;

const ONLY_LIVE: &str = "SELECT r.prefix || '-' || p.number || ' ' || p.name FROM library_procedures p
     JOIN repositories r ON r.id = p.repository_id
     WHERE p.withdrawn_at IS NULL AND p.retired_at IS NULL AND r.prefix = ";

fn live(app: &TestApp, prefix: &str) -> Vec<String> {
    app.texts(&format!("{ONLY_LIVE}'{prefix}' ORDER BY p.number"))
}

fn plans(app: &TestApp) -> Vec<String> {
    app.texts("SELECT title FROM test_plans WHERE deleted_at IS NULL ORDER BY title")
}

#[test]
fn an_archive_is_shown_applied_and_taken_back() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let before = plans(&app);
    let made = archive("HLF", vec![body("One", "id"), body("Two", "w")]);
    let file = zip(&made.archive).unwrap();
    upload(&mut browser, "HLF.zip", &file, "")
        .see("Repository archive")
        .see("The repository that it names")
        .see("added 3, changed 0, withdrawn 0, unchanged 0, refused 0")
        .see("HLF-2 Two")
        .see("test plan “Plan of HLF”");
    assert!(live(&app, "HLF").is_empty(), "nothing is written yet");
    let events = app.events("library.imported");
    let first = browser.path().to_owned();
    browser.press("Apply").see("Imported: added 3").see("Repository HLF").click("Show its procedures");
    browser.see("HLF-1").see("HLF-2");
    assert_eq!(app.events("library.imported"), events + 1);
    assert_eq!(live(&app, "HLF"), ["HLF-1 One", "HLF-2 Two"]);

    upload(&mut browser, "again.zip", &file, "").see("The library holds all of it already.");
    browser.press("Apply").see("unchanged 3").see_not("Undo this import");
    assert_eq!(app.events("library.imported"), events + 1, "nothing changed, so nothing happened");
    let again = browser.path().to_owned();
    browser.open(&format!("{again}/undo")).see("It changed nothing, so there is nothing to undo.");

    // Taken back, it is gone from every list; brought again, it is back under its numbers.
    browser.open(&first).click("Undo this import…").see("Nothing uses what it brought").press("Undo import");
    browser.expect(200).see("Import undone.");
    assert!(live(&app, "HLF").is_empty());
    assert_eq!(plans(&app), before);
    upload(&mut browser, "HLF.zip", &file, "").see("added 3").press("Apply").see("Imported: added 3");
    assert_eq!(live(&app, "HLF"), ["HLF-1 One", "HLF-2 Two"]);
    upload(&mut browser, "HLF.zip", &file, "").see("unchanged 3").press("Discard");
}

#[test]
fn what_both_sides_of_an_archive_changed_is_chosen_field_by_field_and_taken_back() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let made = archive("HLF", vec![body("One", "id"), body("Two", "w"), body("Three", "who")]);
    upload(&mut browser, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 4");
    let shared = unpacked(&packed(&app, "HLF")).archive;
    edit_here(&app, "HLF", |body| {
        body.description = "Ours.".into();
        body.recommendation = "Ours too.".into();
    });
    let mut theirs: Archive = shared;
    theirs.procedures[0].body.description = "Theirs.".into();
    theirs.procedures[0].body.recommendation = "Theirs too.".into();
    theirs.procedures[0].body.tags = vec!["theirs".into()];
    theirs.procedures[1].body.name = "Second".into();
    theirs.procedures.remove(2);
    theirs.plans.clear();
    let file = zip(&theirs).unwrap();
    upload(&mut browser, "HLF.zip", &file, "")
        .see("added 0, changed 2, withdrawn 0, unchanged 0, refused 0, kept 1");
    assert_eq!(browser.texts("fieldset legend"), ["HLF-1 One"]);
    assert_eq!(browser.texts("#changed td.title"), ["HLF-2 Second"]);
    assert_eq!(browser.texts("#kept td.title"), ["HLF-3 Three"]);
    assert_eq!(
        browser.texts("fieldset .sides h3"),
        [
            "Description: here",
            "Description: in the file",
            "Recommendation: here",
            "Recommendation: in the file"
        ]
    );
    browser.press("Withdraw what the file does not hold (1)");
    until_checked(&mut browser).see("withdrawn 1").check("Take this one");
    browser.press("Apply").see("Imported: added 0, changed 2, withdrawn 1");
    let applied = browser.path().to_owned();
    let now = || unpacked(&packed(&app, "HLF")).archive.procedures.remove(0).body;
    assert_eq!(
        (now().description.as_str(), now().recommendation.as_str(), now().tags),
        ("Theirs.", "Ours too.", vec!["theirs".to_owned()]),
        "the one that was ticked, ours, and what only they changed"
    );
    assert_eq!(live(&app, "HLF"), ["HLF-1 One", "HLF-2 Second"]);
    // What was settled is not asked again, and the undo of it is whole.
    upload(&mut browser, "HLF.zip", &file, "").see("changed 0, withdrawn 0, unchanged 2").press("Discard");
    browser.open(&applied).click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    assert_eq!((now().description.as_str(), now().tags.len()), ("Ours.", 0));
    assert_eq!(live(&app, "HLF"), ["HLF-1 One", "HLF-2 Two", "HLF-3 Three"]);
    upload(&mut browser, "HLF.zip", &file, "").see("changed 2").see("kept 1");
    assert_eq!(browser.texts("fieldset legend"), ["HLF-1 One"], "the same question as before");
}

#[test]
fn what_both_sides_of_a_plan_changed_is_chosen_field_by_field_with_names() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let made = archive("HLF", vec![body("One", "id"), body("Two", "w")]);
    upload(&mut browser, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 3");
    let plan = made.archive.plans[0].id;
    let shared = unpacked(&packed(&app, "HLF")).archive;
    browser.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Plan of ours").press("Save").expect(200);
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             UPDATE test_plan_procedures SET position = 10 - position WHERE test_plan_id = '{plan}';
             UPDATE test_plan_procedures SET position = position - 7 WHERE test_plan_id = '{plan}';"
        ))
        .unwrap();
    let mut theirs = shared;
    theirs.plans[0].content.procedures.pop();
    theirs.plans[0].content.description = "As they have it.".to_owned();
    let file = zip(&theirs).unwrap();
    upload(&mut browser, "HLF.zip", &file, "").see("changed 1");
    assert_eq!(browser.texts("fieldset legend"), ["test plan “Plan of HLF”"]);
    let sides = browser.texts("fieldset .typed");
    assert_eq!(sides, ["HLF-1 One, HLF-2 Two", "HLF-2 Two"], "the title is ours alone, and is not asked");
    browser.press("Apply").expect(200);
    let said = || {
        let content = unpacked(&packed(&app, "HLF")).archive.plans.remove(0).content;
        (content.title, content.description, content.procedures.len())
    };
    let ours = ("Plan of ours".to_owned(), "As they have it.".to_owned(), 2);
    assert_eq!(said(), ours);
    browser.click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    assert_eq!((said().1.as_str(), said().2), ("In order.", 2));
    upload(&mut browser, "HLF.zip", &file, "").check("Take this one").press("Apply").expect(200);
    assert_eq!(said(), (ours.0, ours.1, 1), "their list was taken");
}

#[test]
fn an_archive_is_not_taken_back_while_something_uses_it() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let made = archive("HLF", vec![body("One", "id"), body("Two", "w")]);
    upload(&mut browser, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 3");
    let page = browser.path().to_owned();
    let one = app.texts("SELECT id FROM library_procedures WHERE name = 'One'").remove(0);
    let fields = [("title", "Night shift"), ("chosen", one.as_str()), ("do", "save")];
    assert_eq!(browser.post("/test-plans/new", &fields).status, 303);
    let plan = made.archive.plans[0].id;
    browser.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Ours now").press("Save").expect(200);
    browser
        .open(&format!("{page}/undo"))
        .see("HLF-1 One: the test plan Night shift holds it.")
        .see("Test plan Ours now: it was changed since.")
        .see_not("the test plan Ours now holds it");
    assert_eq!(browser.post(&format!("{page}/undo"), &[]).status, 422);
}

#[test]
fn a_test_plan_of_plextrac_is_shown_applied_and_taken_back() {
    let (from, app) = (TestApp::spawn(), TestApp::spawn());
    let yaml = plextrac::write(&mixed_plan(&from));
    let mut browser = app.browser(&app.people.lead);
    let before = plans(&app);
    upload(&mut browser, "plan.yaml", yaml.as_bytes(), "")
        .see("Test plan")
        .see("added 4, changed 0, withdrawn 0, unchanged 0, refused 0")
        .see("Plan of MIX")
        .see("becomes a new one here, with the prefix MIX.");
    let page = browser.path().to_owned();
    browser.press("Apply").see("Imported: added 4");
    assert_eq!(live(&app, "MIX").len(), 3);
    upload(&mut browser, "plan.yaml", yaml.as_bytes(), "").see("The library holds all of it already.");
    browser.press("Discard");
    let zipped = zip_of(&[("export/plan.yaml", yaml.as_bytes())]);
    upload(&mut browser, "plan.zip", &zipped, "")
        .see("The library holds all of it already.")
        .press("Discard");
    browser.open(&page).click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    assert_eq!((live(&app, "MIX").len(), plans(&app)), (0, before));
    upload(&mut browser, "plan.yaml", yaml.as_bytes(), "").see("added 4").press("Apply").see("added 4");
    assert_eq!(live(&app, "MIX").len(), 3);

    // A fault is told with its place, and a newer file changes what nobody has touched.
    let broken = yaml.replace("runbook: *ref_0", "runbook: {}");
    upload(&mut browser, "plan.yaml", broken.as_bytes(), "").see("Cannot be read");
    assert_eq!(browser.texts("#fault td[data-label=Field]"), ["runbook"]);
    assert!(!browser.texts("#fault td[data-label=Line]").is_empty());
    browser.press("Discard");
    let newer = yaml.replace("What it is.", "What it became.");
    upload(&mut browser, "plan.yaml", newer.as_bytes(), "").see("added 0, changed 2");
}

#[test]
fn an_archive_names_the_licence_of_tests_wherever_they_went() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let own = crate::imports::repository(&app, "OWN", "open", &[]);
    let [two, three] = ["TWO", "TRI"].map(|prefix| crate::imports::repository(&app, prefix, "open", &[]));
    let file = crate::imports::tests("T1003", &[("Alpha", "id", 1)]);
    upload(&mut browser, "a.yaml", file.as_bytes(), "Own OWN (OWN)").press("Apply").see("added 1");
    let write = |tx: &mut WriteTx<'_>| {
        insert_procedure(tx, Shelf::whole(), own.parse().unwrap(), body("Our own", "id"))
    };
    app.db.write_blocking(&Actor::command(), write).unwrap();
    let copy = |browser: &mut Browser, name: &str, from: &str, to: &str| {
        let id = app
            .texts(&format!(
                "SELECT p.id FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
                 WHERE p.name = '{name}' AND r.prefix = '{from}'"
            ))
            .remove(0);
        let fields = [("id", id.as_str()), ("do", "copy"), ("repository", to)];
        assert_eq!(browser.post("/library/procedures/ticked", &fields).status, 303);
    };
    for name in ["Alpha", "Our own"] {
        copy(&mut browser, name, "OWN", &two);
        copy(&mut browser, name, "TWO", &three);
    }
    let starter = app.texts(
        "SELECT p.name FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
         WHERE r.prefix = 'START' AND p.number = 1",
    );
    copy(&mut browser, &starter[0].replace('\'', "''"), "START", &two);
    copy(&mut browser, &starter[0].replace('\'', "''"), "TWO", &three);
    let origins = |prefix: &str| {
        let procedures = unpacked(&packed(&app, prefix)).archive.procedures;
        procedures.into_iter().map(|one| one.origin).collect::<Vec<_>>()
    };
    let atomic = "Atomic Red Team, https://github.com/redcanaryco/atomic-red-team, MIT License";
    assert_eq!(origins("OWN"), [atomic, ""]);
    let all = [atomic, "", "Tyrian Starter, Apache License 2.0"];
    assert_eq!(origins("TWO"), all);
    assert_eq!(origins("TRI"), all);
    // The originals go, and what they were stays known.
    app.superuser()
        .batch_execute(
            "SET session_replication_role = replica;
             UPDATE library_procedures SET copied_from = NULL",
        )
        .unwrap();
    assert_eq!(origins("TRI"), all);
}

#[test]
fn where_a_file_cannot_go_the_page_says_how_to_choose_another_place() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let curated = packed(&app, "START");
    let mut named = archive("HLF", vec![body("One", "id")]);
    crate::imports::repository(&app, "OWN", "open", &[]);
    named.archive.head.name = "Own OWN".to_owned();
    let mut hidden = archive("HID", vec![body("One", "id")]);
    hidden.archive.head.name = "Another".to_owned();
    crate::imports::repository(&app, "HID", "private", &[]);
    for (file, why) in [
        (curated, "START is curated here, and you do not write in it."),
        (zip(&named.archive).unwrap(), "Another repository here is called Own OWN."),
        (zip(&hidden.archive).unwrap(), "Another repository here has the prefix HID."),
    ] {
        upload(&mut browser, "a.zip", &file, "")
            .see(why)
            .see("upload it again and choose one under “Procedures go to”.")
            .see_not("--repository");
    }
}

/// A file of the older version.
const VERSION_1: &str = "title: Old plan\nversion: 1\nmethodology: &ref_0\n  id: m1\n  name: ATT&CK\n  \
    description: d\n  shortName: ATTACK\n  depth: 0\ntactics:\n  - &ref_1\n    id: t1\n    name: \
    Execution\n    shortName: TA0002\n    depth: 0\n    parents:\n      - *ref_0\n      - *ref_0\n    \
    categories: !<tag:yaml.org,2002:js/undefined> ''\ntechniques:\n  - &ref_2\n    id: q1\n    name: \
    Shell\n    shortName: T1059\n    depth: 1\n    parents: [*ref_1]\nprocedures:\n  - id: p1\n    name: \
    Run\n    shortName: P1\n    description: <p>How &amp; why</p>\n    depth: 2\n    parents: [*ref_2, \
    *ref_2]\n    executionSteps:\n      - <p>One <strong>two</strong></p><p><img src=\"x\"></p>\n";

#[test]
fn a_test_plan_of_version_1_comes_in_too_and_into_a_repository_of_ones_choice() {
    let app = TestApp::spawn();
    let own = crate::imports::repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "old.yml", VERSION_1.as_bytes(), "Own OWN (OWN)")
        .see("added 2")
        .see("1 image that is left out");
    browser.press("Apply").see("Imported: added 2");
    assert_eq!(live(&app, "OWN"), ["OWN-1 Run"]);
    browser.open(&format!("/library/procedures?repository={own}")).see("OWN-1");
    upload(&mut browser, "old.yml", VERSION_1.as_bytes(), "Own OWN (OWN)").see("unchanged 2");
    let own = VERSION_1.replace("name: ATT&CK", "name: Crane method").replace("id: p1", "id: p2");
    upload(&mut browser, "own.yml", own.as_bytes(), "Own OWN (OWN)")
        .see("The methodology “Crane method” is not in the library and does not come with a test plan.");
}

#[test]
fn a_layer_comes_in_as_a_plan_and_is_taken_back_until_it_is_used() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let layer = r#"{"name":"Wanted","versions":{"attack":"19","navigator":"5","layer":"4.5"},
        "domain":"enterprise-attack","techniques":[{"techniqueID":"T1566","score":1},
        {"techniqueID":"T9999","score":1}]}"#;
    upload(&mut browser, "wanted.json", layer.as_bytes(), "")
        .see("ATT&CK Navigator layer")
        .see("Test plans")
        .see("added 1")
        .see("that cover it.")
        .see("This technique is covered by no procedure: T9999.");
    browser.press("Apply").see("Imported: added 1");
    let page = browser.path().to_owned();
    assert!(plans(&app).contains(&"Wanted".to_owned()));
    upload(&mut browser, "wanted.json", layer.as_bytes(), "").see("unchanged 1").press("Discard");
    browser.open(&page).click("Undo this import…").press("Undo import").see("Import undone.");
    assert!(!plans(&app).contains(&"Wanted".to_owned()));
    upload(&mut browser, "wanted.json", layer.as_bytes(), "").see("added 1").press("Apply");
    let page = browser.path().to_owned();
    let engagement = app.engagement(1);
    let used = format!(
        "UPDATE engagements SET test_plan_id = (SELECT id FROM test_plans WHERE title = 'Wanted'
            AND deleted_at IS NULL) WHERE id = '{}'",
        engagement.id
    );
    app.superuser().batch_execute(&format!("SET session_replication_role = replica; {used}")).unwrap();
    browser.open(&format!("{page}/undo")).see("Test plan Wanted: 1 engagement was made from it.");
    assert_eq!(browser.post(&format!("{page}/undo"), &[]).status, 422);
    let nothing = layer.replace("T1566", "T9998").replace("Wanted", "Unmet");
    upload(&mut browser, "unmet.json", nothing.as_bytes(), "").see("refused 1");
    assert_eq!(
        browser.texts("#refused td[data-label=Why]"),
        ["no procedure of the library covers any of its techniques"]
    );
}

#[test]
fn an_archive_of_a_private_repository_is_its_makers_and_its_readers_alone() {
    let app = TestApp::spawn();
    let (mut lead, mut stranger) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    let mut made = archive("HID", vec![body("Zanzibar trick", "zanzibar"), body("Two", "w")]);
    made.archive.head.kind = RepositoryType::Private;
    made.archive.plans.clear();
    let file = zip(&made.archive).unwrap();
    upload(&mut lead, "hidden.zip", &file, "").see("Zanzibar trick");
    let page = lead.path().to_owned();
    let closed = |stranger: &mut crate::harness::browser::Browser| {
        for path in [&page, &format!("{page}/undo"), &format!("{page}/events")] {
            assert_eq!(stranger.get(path).status, 404, "{path}");
        }
        for act in ["apply", "discard", "check", "undo"] {
            assert_eq!(stranger.post(&format!("{page}/{act}"), &[]).status, 404, "{act}");
        }
        stranger.open("/library/import").see_not("hidden.zip").see_not("Repository HID");
        stranger.open("/library/copies").see_not("Zanzibar");
        stranger.open("/library/releases").see_not("Zanzibar").see_not("HID");
    };
    closed(&mut stranger);
    lead.open(&page).press("Apply").see("Imported: added 2");
    closed(&mut stranger);
    // The same archive from somebody who does not know of it goes nowhere, and is not told why.
    upload(&mut stranger, "mine.zip", &file, "").see_not("HID-1 is taken").see("has the prefix HID.");
    assert_eq!(live(&app, "HID").len(), 2);
}

#[test]
fn copies_and_unknown_techniques_of_a_private_repository_are_listed_to_those_who_know_of_it() {
    let app = TestApp::spawn();
    let people = &app.people;
    let readers = [(&people.lead, Part::Editor), (&people.second, Part::Viewer)];
    let hidden = shelf::repository(&app, "Quiet corner", "QUIET", "private", &readers);
    let open = shelf::repository(&app, "Open shelf", "OPEN", "open", &[]);
    let mut secret = body("Zanzibar trick", "zanzibar");
    secret.technique_ids = vec!["T4242".into()];
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), hidden, secret.clone());
    let (original, _) = app.db.write_blocking(&Actor::command(), write).unwrap();
    // A copy of it that everybody sees, and one that nobody else does.
    for goal in [open, hidden] {
        let copied = Some((original, 1));
        let write =
            |tx: &mut WriteTx<'_>| insert_copy(tx, Shelf::whole(), goal, body("Later copy", "id"), copied);
        app.db.write_blocking(&Actor::command(), write).unwrap();
    }
    let write = |tx: &mut WriteTx<'_>| tag(tx, Shelf::whole(), &[original], &["newer".to_owned()], true);
    app.db.write_blocking(&Actor::command(), write).unwrap();
    let copies = app.texts(&format!("SELECT id FROM library_procedures WHERE copied_from = '{original}'"));
    for reader in [&people.lead, &people.second] {
        let mut browser = app.browser(reader);
        browser.open("/library/copies").expect(200).see("OPEN-1").see("QUIET-2").see("QUIET-1");
        browser.open("/library/releases").expect(200).see("T4242");
    }
    for stranger in [&people.standard, &people.administrator] {
        let mut browser = app.browser(stranger);
        browser.open("/library/copies").expect(200).see_not("QUIET").see("Every copy is as new");
        browser.open("/library/releases").expect(200).see_not("T4242");
        for id in &copies {
            assert_eq!(browser.get(&format!("/library/copies/{id}")).status, 404);
            assert_eq!(browser.post(&format!("/library/copies/{id}"), &[]).status, 404);
        }
        assert_eq!(browser.get(&format!("/library/repositories/{hidden}/archive.zip")).status, 404);
        let layer = browser.get("/library/layer.json").text();
        assert!(!layer.contains("Zanzibar") && !layer.contains("QUIET"));
    }
}

#[test]
fn a_technique_of_ones_own_is_known_and_another_is_kept_and_told() {
    let app = TestApp::spawn();
    let mut browser = app.sign_in(&app.people.standard);
    crate::terms::own_methodology(&mut browser);
    let mut known = body("One", "id");
    known.technique_ids = vec!["WEB-T1".into(), "WEB-T9".into(), "T4242".into()];
    let made = archive("HLF", vec![known, body("Two", "w")]);
    upload(&mut browser, "HLF.zip", &zip(&made.archive).unwrap(), "").see("added 3");
    assert_eq!(browser.texts("#warning td.title"), ["T4242", "WEB-T9"]);
    browser.see("1 procedure names it and is kept: One.").press("Apply").expect(200);
    browser.open("/library/releases").expect(200).see("T4242").see("WEB-T9").see_not("WEB-T1");
}

#[test]
fn own_methodologies_of_an_archive_are_shown_as_added_and_asked() {
    let (from, app) = (TestApp::spawn(), TestApp::spawn());
    crate::terms::own_methodology(&mut from.sign_in(&from.people.standard));
    let mut named = body("One", "id");
    named.technique_ids = vec!["WEB-T1".into()];
    let made = archive("HLF", vec![named, body("Two", "w")]);
    let mut there = from.browser(&from.people.lead);
    upload(&mut there, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 3");
    let file = packed(&from, "HLF");

    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "HLF.zip", &file, "").see("added 6").see("tactic session-theft “Session theft”");
    assert!(!browser.has("#warning"), "its technique is no stranger");
    browser.press("Apply").see("Imported: added 6");
    let applied = browser.path().to_owned();
    browser.open("/library/techniques/WEB-T1").expect(200).see("Cookie replay").click("Edit");
    browser.fill("Name", "Replay of ours").press("Save").expect(200);
    upload(&mut browser, "again.zip", &file, "").see("The library holds all of it already.").press("Discard");
    // What the file changed too is asked.
    let mut theirs = unpacked(&file).archive;
    theirs.methodologies[0].content.techniques[0].name = "Replay of theirs".to_owned();
    upload(&mut browser, "theirs.zip", &zip(&theirs).unwrap(), "").see("Conflicts");
    assert_eq!(browser.texts("fieldset legend"), ["technique WEB-T1 “Replay of theirs”"]);
    assert_eq!(browser.texts("fieldset .typed"), ["Replay of ours", "Replay of theirs"]);
    browser.press("Discard");

    // Undone, the procedures are gone; what was changed here since stays, with what it stands under.
    browser.open(&applied).click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    assert!(live(&app, "HLF").is_empty());
    browser.open("/library/techniques/WEB-T1").expect(200).see("Replay of ours");
    upload(&mut browser, "HLF.zip", &file, "").see("added 3").press("Discard");
}

#[test]
fn an_undone_archive_takes_its_methodologies_back_unless_something_names_them() {
    let (from, app) = (TestApp::spawn(), TestApp::spawn());
    crate::terms::own_methodology(&mut from.sign_in(&from.people.standard));
    let mut named = body("One", "id");
    named.technique_ids = vec!["WEB-T1".into()];
    let made = archive("HLF", vec![named.clone()]);
    upload(&mut from.browser(&from.people.lead), "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply");
    let file = packed(&from, "HLF");
    let own = || app.count("SELECT count(*) FROM terms WHERE key IS NULL");

    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "HLF.zip", &file, "").press("Apply").see("Imported: added 5");
    assert_eq!(own(), 3);
    browser.click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    assert_eq!(own(), 0, "they go, the last first");
    upload(&mut browser, "HLF.zip", &file, "").see("added 5").press("Apply").see("Imported: added 5");
    assert_eq!(own(), 3, "and come again");

    // Changed in the file alone, a term is taken, and says again what it said when that is undone.
    let mut theirs = unpacked(&packed(&app, "HLF")).archive;
    theirs.methodologies[0].content.techniques[0].name = "Cookie reuse".to_owned();
    theirs.methodologies[0].content.description = "What the web has.".to_owned();
    let theirs = zip(&theirs).unwrap();
    upload(&mut browser, "HLF.zip", &theirs, "").see("changed 2");
    let changed = browser.texts("#changed td.title");
    assert!(changed[0].starts_with("methodology “") && changed[1] == "technique WEB-T1 “Cookie reuse”");
    browser.press("Apply").see("Imported: added 0, changed 2");
    let applied = browser.path().to_owned();
    browser.open("/library/techniques/WEB-T1").expect(200).see("Cookie reuse");
    upload(&mut browser, "HLF.zip", &theirs, "").see("The library holds all of it already.").press("Discard");
    browser.open(&applied).click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    browser.open("/library/techniques/WEB-T1").expect(200).see("Cookie replay");

    // Something else names it: it stays.
    let open = shelf::repository(&app, "Open shelf", "OPEN", "open", &[]);
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), open, named.clone());
    app.db.write_blocking(&Actor::command(), write).unwrap();
    let first =
        app.texts("SELECT id FROM library_imports WHERE state = 'applied' ORDER BY created_at, id LIMIT 1");
    browser.open(&format!("/library/imports/{}/undo", first[0])).press("Undo import").expect(200);
    assert!(live(&app, "HLF").is_empty());
    assert_eq!(own(), 3);
}

#[test]
fn a_plan_of_an_archive_whose_title_is_taken_is_refused_in_the_preview_with_its_line() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let made = archive("HLF", vec![body("One", "id")]);
    upload(&mut browser, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 2");
    let plan = made.archive.plans[0].id;
    browser.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Ours").press("Save").expect(200);
    let one = app.texts("SELECT id FROM library_procedures WHERE name = 'One'").remove(0);
    let fields = [("title", "Taken"), ("chosen", one.as_str()), ("do", "save")];
    assert_eq!(browser.post("/test-plans/new", &fields).status, 303);
    let mut theirs = made.archive;
    theirs.plans[0].content.title = "Taken".to_owned();
    upload(&mut browser, "HLF.zip", &zip(&theirs).unwrap(), "").see("refused 1").see_not("Conflicts");
    let told = |of: &str| browser.texts(&format!("#refused td[data-label={of}]"));
    assert_eq!(told("File"), ["HLF/test-plans/taken.yaml"]);
    assert_eq!((told("Field"), told("Line")), (vec!["title".to_owned()], vec!["3".to_owned()]));
    assert_eq!(told("Why"), ["another test plan here has this title; rename one of them"]);
}

#[test]
fn an_archive_into_a_repository_that_one_only_reads_says_so() {
    let app = TestApp::spawn();
    crate::imports::repository(&app, "MAN", "managed", &[]);
    let mut browser = app.browser(&app.people.standard);
    let made = archive("MAN", vec![body("One", "id"), body("Two", "w")]);
    upload(&mut browser, "MAN.zip", &zip(&made.archive).unwrap(), "").see("you do not write in it");
    let one = b"format: tyrian-repository\nversion: 1\nname: One\nprefix: ONE\nnext_number: 1\n";
    upload(&mut browser, "repository.yaml", one, "").see("one file of a repository archive");
}

/// A test plan with a procedure of a private repository between two that everybody knows; its id.
fn plan_with_a_hidden_one(app: &TestApp) -> String {
    let people = &app.people;
    let hidden = shelf::repository(app, "Quiet corner", "QGA", "private", &[(&people.lead, Part::Editor)]);
    let open = shelf::repository(app, "Open shelf", "OPEN", "open", &[]);
    let add = |repository, name: &str| {
        let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), repository, body(name, "id"));
        app.db.write_blocking(&Actor::command(), write).unwrap().0.to_string()
    };
    let chosen = [add(open, "First"), add(hidden, "Zanzibar trick"), add(open, "Last")];
    let mut fields = vec![("title", "Night shift"), ("do", "save")];
    fields.extend(chosen.iter().map(|id| ("chosen", id.as_str())));
    assert_eq!(app.browser(&people.lead).post("/test-plans/new", &fields).status, 303);
    app.texts("SELECT id FROM test_plans WHERE title = 'Night shift'").remove(0)
}

/// The procedures of a plan, whoever knows of them.
fn listed(app: &TestApp, plan: &str) -> Vec<String> {
    app.texts(&format!(
        "SELECT p.name FROM test_plan_procedures tp JOIN library_procedures p ON p.id = tp.procedure_id
         WHERE tp.test_plan_id = '{plan}' ORDER BY tp.position"
    ))
}

#[test]
fn what_a_reader_does_not_know_of_is_no_difference_of_a_plan_and_stays_in_it() {
    let app = TestApp::spawn();
    let plan = plan_with_a_hidden_one(&app);
    let all = ["First", "Zanzibar trick", "Last"];
    let mut stranger = app.browser(&app.people.standard);
    let yaml = stranger.get(&format!("/test-plans/{plan}.yaml")).text();
    assert!(!yaml.contains("Zanzibar"));
    upload(&mut stranger, "plan.yaml", yaml.as_bytes(), "")
        .see("The library holds all of it already.")
        .see("added 0, changed 0")
        .see_not("Conflicts");
    stranger.press("Apply").expect(200);
    assert_eq!(listed(&app, &plan), all);

    // Changed here and in the file: neither side tells of it, and theirs leaves it where it stands.
    let other = yaml.replace("Night shift", "Day shift");
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Late shift").press("Save").expect(200);
    upload(&mut stranger, "plan.yaml", other.as_bytes(), "").see("Conflicts").see("changed 1");
    let hidden = app.texts("SELECT identity FROM library_procedures WHERE name = 'Zanzibar trick'").remove(0);
    stranger.see_not(&hidden).see_not("Zanzibar").check("Take this one").press("Apply").expect(200);
    assert!(plans(&app).contains(&"Day shift".to_owned()), "theirs was taken");
    assert_eq!(listed(&app, &plan), all, "but for what they do not know of");
    let said = stranger.text();
    assert!(!said.contains(&hidden), "{said}");
}

#[test]
fn an_archive_leaves_in_a_plan_what_its_bringer_does_not_know_of() {
    let app = TestApp::spawn();
    let (mut lead, mut stranger) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    let made = archive("HLF", vec![body("One", "id"), body("Two", "w")]);
    upload(&mut stranger, "HLF.zip", &zip(&made.archive).unwrap(), "").press("Apply").see("added 3");
    let plan = made.archive.plans[0].id.to_string();
    let shared = unpacked(&packed(&app, "HLF")).archive;
    let private = shelf::repository(&app, "Quiet", "QGA", "private", &[(&app.people.lead, Part::Editor)]);
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), private, body("Secret", "id"));
    let (secret, _) = app.db.write_blocking(&Actor::command(), write).unwrap();
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO test_plan_procedures (test_plan_id, position, procedure_id)
                VALUES ('{plan}', 3, '{secret}')"
        ))
        .unwrap();
    upload(&mut stranger, "HLF.zip", &zip(&shared).unwrap(), "").see("changed 0").press("Discard");
    let mut theirs = shared;
    theirs.plans[0].content.procedures.reverse();
    upload(&mut stranger, "HLF.zip", &zip(&theirs).unwrap(), "").see("changed 1").see_not("Conflicts");
    stranger.press("Apply").expect(200);
    assert_eq!(listed(&app, &plan), ["One", "Secret", "Two"], "behind what it stood behind");
    lead.open(&format!("/test-plans/{plan}")).expect(200).see("Secret");
}

#[test]
fn what_only_the_file_of_a_plan_changed_is_no_conflict() {
    let app = TestApp::spawn();
    let plan = plan_with_a_hidden_one(&app);
    let mut browser = app.browser(&app.people.lead);
    let yaml = browser.get(&format!("/test-plans/{plan}.yaml")).text();
    let other =
        yaml.replace("title: Night shift", "title: Day shift").replace("What it is.", "What it became.");
    assert_ne!(other, yaml);
    upload(&mut browser, "plan.yaml", other.as_bytes(), "").see("changed 4").see_not("Conflicts");
    browser.press("Apply").see("changed 4");
    assert!(plans(&app).contains(&"Day shift".to_owned()));
    upload(&mut browser, "plan.yaml", other.as_bytes(), "").see("unchanged 4").press("Discard");
    // The file as it left takes nothing of that away.
    upload(&mut browser, "plan.yaml", yaml.as_bytes(), "").see("unchanged 4").press("Discard");

    // What was changed here since the file was written is asked, and no version is made of ours that stays.
    let yaml = browser.get(&format!("/test-plans/{plan}.yaml")).text();
    browser.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Late shift").press("Save").expect(200);
    let versions = || app.count("SELECT count(*) FROM test_plan_versions");
    let other = yaml.replace("title: Day shift", "title: Early shift");
    upload(&mut browser, "plan.yaml", other.as_bytes(), "").see("Conflicts");
    let before = versions();
    browser.press("Apply").expect(200).see("changed 0").see("What stands here was kept.");
    assert_eq!(versions(), before);
    assert!(plans(&app).contains(&"Late shift".to_owned()));
    upload(&mut browser, "plan.yaml", other.as_bytes(), "").see("unchanged 4").press("Discard");
}
