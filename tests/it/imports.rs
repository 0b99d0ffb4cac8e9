//! Imports in the web: a file is uploaded, checked, shown, applied or discarded, and taken back; procedures
//! that were changed here keep what was changed; releases of ATT&CK beside each other.

use std::fmt::Write as _;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::imports::archive::Source;
use tyrian::imports::{atomics, check};
use tyrian::kernel::authz::Shelf;
use tyrian::kernel::base::ids::{ImportId, LibraryProcedureId};
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::domain::ProcedureBody;
use tyrian::library::repository::Part;
use tyrian::library::store::writing::{add_version, insert_copy};

use crate::harness::TestApp;
use crate::harness::bad_files;
use crate::harness::browser::Browser;
use crate::harness::fixtures::Person;
use crate::shelf;

/// A technique file of tests with these names, commands and numbers.
pub fn tests(technique: &str, tests: &[(&str, &str, u32)]) -> String {
    let mut yaml = format!("attack_technique: {technique}\natomic_tests:\n");
    for (name, command, number) in tests {
        write!(
            yaml,
            "- name: {name}\n  auto_generated_guid: aaaaaaaa-0000-4000-8000-{number:012}\n  description: \
            What it does.\n  supported_platforms: [linux]\n  executor:\n    name: sh\n    \
            command: {command}\n"
        )
        .unwrap();
    }
    yaml
}

/// Uploads a file into the repository that is called so; the page of its import is then shown, and its check
/// is over.
pub fn upload<'b>(browser: &'b mut Browser, name: &str, bytes: &[u8], goal: &str) -> &'b mut Browser {
    browser.open("/library/import").expect(200).attach("file", name, "application/octet-stream", bytes);
    if !goal.is_empty() {
        browser.choose("Procedures go to", goal);
    }
    browser.press("Upload and check");
    until_checked(browser)
}

/// Asks for the page of an import until its check is over.
pub fn until_checked(browser: &mut Browser) -> &mut Browser {
    let path = browser.path().to_owned();
    for _ in 0..10_000 {
        if !browser.has("#import progress") {
            return browser;
        }
        browser.open(&path);
    }
    panic!("{path}: the check does not end");
}

/// A repository of a team's own, called `Own PREFIX`; where somebody has to write it and nobody is named, the
/// administrator does.
pub fn repository(app: &TestApp, prefix: &str, kind: &str, editors: &[&Person]) -> String {
    let mut parts: Vec<_> = editors.iter().map(|editor| (*editor, Part::Editor)).collect();
    if parts.is_empty() && kind != "open" {
        parts.push((&app.people.administrator, Part::Editor));
    }
    shelf::repository(app, &format!("Own {prefix}"), prefix, kind, &parts).to_string()
}

/// Changes fields of a procedure here, as somebody does who saves it: the next version says them.
pub fn edit(app: &TestApp, name: &str, set: &str) {
    let of = |what: &str| {
        let sql = format!(
            "SELECT {what} FROM library_procedure_versions v JOIN library_procedures p
                ON p.id = v.procedure_id AND p.current_version = v.n WHERE p.name = '{name}'"
        );
        app.texts(&sql).remove(0)
    };
    let mut body: serde_json::Value = serde_json::from_str(&of("body::text")).unwrap();
    let set: serde_json::Map<String, serde_json::Value> = serde_json::from_str(set).unwrap();
    body.as_object_mut().unwrap().extend(set);
    let body: ProcedureBody = serde_json::from_value(body).unwrap();
    save(app, of("p.id").parse().unwrap(), of("v.n").parse().unwrap(), &body);
}

/// Saves what a procedure says from now on; `seen` is its newest version.
pub fn save(app: &TestApp, id: LibraryProcedureId, seen: i32, body: &ProcedureBody) {
    let write = |tx: &mut WriteTx<'_>| add_version(tx, Shelf::whole(), id, seen, body, "");
    app.db.write_blocking(&Actor::command(), write).unwrap();
}

/// A copy of a procedure, in its first version, in another repository.
pub fn copied(app: &TestApp, repository: &str, name: &str) -> String {
    let of = |what: &str| {
        let sql = format!(
            "SELECT {what} FROM library_procedure_versions v JOIN library_procedures p
                ON p.id = v.procedure_id WHERE p.name = '{name}' AND v.n = 1"
        );
        app.texts(&sql).remove(0)
    };
    let mut body: ProcedureBody = serde_json::from_str(&of("body::text")).unwrap();
    body.name = "Copy".to_owned();
    let (original, repository) = (of("p.id").parse().unwrap(), repository.parse().unwrap());
    let write =
        |tx: &mut WriteTx<'_>| insert_copy(tx, Shelf::whole(), repository, body.clone(), Some((original, 1)));
    app.db.write_blocking(&Actor::command(), write).unwrap().0.to_string()
}

fn commands(app: &TestApp, name: &str) -> Vec<String> {
    app.texts(&format!(
        "SELECT body #>> '{{steps,0,command}}' FROM library_procedure_versions v
            JOIN library_procedures p ON p.id = v.procedure_id WHERE p.name = '{name}' ORDER BY n"
    ))
}

#[test]
fn an_upload_is_checked_shown_and_applied_and_the_second_time_changes_nothing() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.standard);
    let file = tests("T1003", &[("Alpha", "id", 1), ("Beta", "w", 2)]);
    let before = app.count("SELECT count(*) FROM library_procedures");
    upload(&mut browser, "T1003.yaml", file.as_bytes(), "")
        .see("Ready to apply")
        .see("added 2, changed 0, withdrawn 0, unchanged 0, refused 0")
        .see("T1003 Alpha (aaaaaaaa-0000-4000-8000-000000000001)");
    assert_eq!(app.count("SELECT count(*) FROM library_procedures"), before, "nothing is written yet");
    assert_eq!((app.events("import.uploaded"), app.events("library.imported")), (1, 1));
    let page = browser.path().to_owned();
    browser.press("Apply").expect(200).see("Imported: added 2, changed 0").see("Applied");
    assert_eq!(app.events("library.imported"), 2);
    assert_eq!(app.count("SELECT count(*) FROM library_procedures"), before + 2);
    assert_eq!(browser.post(&format!("{page}/apply"), &[]).status, 422, "once");

    upload(&mut browser, "again.yml", file.as_bytes(), "").see("The library holds all of it already.");
    browser.press("Apply").see("unchanged 2");
    assert_eq!(app.events("library.imported"), 2, "nothing changed, so nothing happened");
    browser.open("/library/import").see("T1003.yaml").see("again.yml").see("Atomic Red Team tests");
    // Its page survives, for whoever comes back.
    browser.open(&page).see("Applied").see("Show its procedures");
    assert_eq!(app.browser(&app.people.auditor).get(&page).status, 403);
}

#[test]
fn a_broken_file_names_its_faults_and_the_mended_one_goes_in() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let broken =
        "attack_technique: T1003\natomic_tests:\n- name: Alpha\n  executor: {name: sh, command: [id]}\n";
    upload(&mut browser, "T1003.yaml", broken.as_bytes(), "")
        .see("Cannot be read")
        .see("test 1 \"Alpha\"")
        .see("executor.command");
    assert_eq!(browser.texts("#fault td[data-label=Line]"), ["4"]);
    assert!(!browser.has("form[action$='/apply']"), "there is nothing to apply");
    browser.click("Upload again").see("Import a file");
    let mended =
        tests("T1003", &[("Alpha", "id", 1)]) + "- executor: {name: sh, command: id}\n- name: Idle\n";
    upload(&mut browser, "T1003.yaml", mended.as_bytes(), "").see("refused 2");
    let told = |browser: &Browser, of: &str| browser.texts(&format!("#refused td[data-label={of}]"));
    assert_eq!(told(&browser, "Why"), ["its name is missing", "its executor is missing"]);
    assert_eq!(told(&browser, "Field"), ["name", "executor"]);
    assert_eq!(told(&browser, "Line"), ["10", "11"]);
    browser.press("Apply").see("Imported: added 1, changed 0, withdrawn 0, unchanged 0, refused 2.");
}

#[test]
fn an_import_is_discarded_and_its_file_goes() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "T1003.yaml", tests("T1003", &[("Alpha", "id", 1)]).as_bytes(), "");
    let folder = app.app.config.attachments().join("imports");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    browser.press("Discard").see("Import discarded. Nothing of it was written.").see("Discarded");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(app.events("import.discarded"), 1);
}

#[test]
fn without_a_file_or_with_too_large_a_one_nothing_is_kept() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/library/import").press("Upload and check").expect(422).see("Choose a file.");
    browser.attach("file", "empty.zip", "application/zip", b"").press("Upload and check");
    browser.expect(422).see("empty.zip is empty.");
    let large = vec![b' '; 65 << 20];
    browser.attach("file", "large.json", "application/json", &large).press("Upload and check");
    browser.expect(422).see("large.json is larger than 64 MiB. Nothing was stored.");
    let kept = std::fs::read_dir(app.app.config.attachments().join("imports")).map_or(0, Iterator::count);
    assert_eq!((kept, app.count("SELECT count(*) FROM library_imports")), (0, 0));
}

#[test]
fn the_same_set_goes_into_an_own_repository_beside_the_curated_one() {
    let app = TestApp::spawn();
    repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    let file = tests("T1003", &[("Alpha", "id", 1), ("Beta", "w", 2)]);
    upload(&mut browser, "T1003.yaml", file.as_bytes(), "").press("Apply").expect(200);
    upload(&mut browser, "T1003.yaml", file.as_bytes(), "Own OWN (OWN)").see("added 2").press("Apply");
    assert_eq!(
        app.texts(
            "SELECT r.prefix || '-' || p.number FROM library_procedures p
             JOIN repositories r ON r.id = p.repository_id WHERE p.name = 'Beta' ORDER BY 1"
        ),
        ["ATOMIC-2", "OWN-2"]
    );
}

#[test]
fn what_was_changed_here_stays_and_what_both_changed_is_chosen_field_by_field() {
    let app = TestApp::spawn();
    repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    let set = |command: &str, name: &str| {
        tests("T1003", &[("Alpha", command, 1), ("Beta", command, 2), (name, "uptime", 3)])
    };
    upload(&mut browser, "T1003.yaml", set("id", "Gamma").as_bytes(), "Own OWN (OWN)").press("Apply");
    edit(&app, "Alpha", r#"{"recommendation": "Ours."}"#);
    edit(&app, "Beta", r#"{"description": "Ours.", "technique_ids": ["T1555"]}"#);
    // Untouched here: changed. Changed here alone: kept. Changed on both sides: a conflict.
    upload(&mut browser, "T1003.yaml", set("id", "Gamma").as_bytes(), "Own OWN (OWN)")
        .see("The library holds all of it already.");
    let theirs = set("id -u", "Delta").replace("What it does.", "Theirs.").replace("T1003", "T1110");
    upload(&mut browser, "T1003.yaml", theirs.as_bytes(), "Own OWN (OWN)").see("changed 3");
    assert_eq!(browser.texts("fieldset legend"), ["T1110 Beta (aaaaaaaa-0000-4000-8000-000000000002)"]);
    assert_eq!(
        browser.texts("fieldset .sides h3"),
        ["Description: here", "Description: in the file", "Techniques: here", "Techniques: in the file",]
    );
    browser.check("Take this one");
    browser.press("Apply").see("changed 3");
    let now = |name: &str, what: &str| {
        app.texts(&format!(
            "SELECT body ->> '{what}' FROM library_procedure_versions v JOIN library_procedures p
                ON p.id = v.procedure_id AND v.n = p.current_version WHERE p.name = '{name}'"
        ))
        .remove(0)
    };
    assert_eq!(now("Alpha", "recommendation"), "Ours.", "what only we changed stays");
    assert_eq!(now("Alpha", "technique_ids"), r#"["T1110"]"#, "what only they changed comes");
    assert_eq!(now("Beta", "description"), "Theirs.");
    assert_eq!(now("Beta", "technique_ids"), r#"["T1555"]"#, "ours, for nobody chose theirs");
    assert_eq!(commands(&app, "Beta").last().unwrap(), "id -u");
    assert_eq!(now("Delta", "name"), "Delta");
    // The conflict is over: the same file again changes nothing.
    upload(&mut browser, "T1003.yaml", theirs.as_bytes(), "Own OWN (OWN)")
        .see("changed 0, withdrawn 0, unchanged 3");
}

#[test]
fn ours_that_stays_gets_no_version_and_is_counted_as_kept() {
    let app = TestApp::spawn();
    repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    let set = |name: &str, more: &str| tests("T1003", &[(name, "id", 1), ("Beta", more, 2)]);
    let first = set("Alpha", "w");
    upload(&mut browser, "a.yaml", first.as_bytes(), "Own OWN (OWN)").press("Apply");
    edit(&app, "Alpha", r#"{"name": "Ours", "description": "Ours."}"#);
    let versions = |of: &str| {
        app.texts(&format!(
            "SELECT v.n FROM library_procedure_versions v JOIN library_procedures p ON p.id = v.procedure_id
             WHERE p.source_key = 'aaaaaaaa-0000-4000-8000-00000000000{of}' AND v.n > 0 ORDER BY v.n"
        ))
    };
    let names = ["Theirs", "Theirs again", "Theirs at last"];
    for (n, name) in names.iter().enumerate() {
        let theirs = set(name, &format!("uptime -{n}"));
        upload(&mut browser, "a.yaml", theirs.as_bytes(), "Own OWN (OWN)").see("changed 2");
        assert_eq!(browser.texts("fieldset legend").len(), 1);
        browser.press("Apply").see("Imported: added 0, changed 1, withdrawn 0, unchanged 0");
        browser.see("What stands here was kept.");
        assert_eq!(browser.texts("#changed td.title").len(), 1, "as many as were counted");
        assert_eq!(browser.texts("#kept td.title").len(), 1);
        assert_eq!(versions("1"), ["1", "2"], "the import’s, and the one that somebody made");
        let beta: Vec<String> = (1..n + 3).map(|n| n.to_string()).collect();
        assert_eq!(versions("2"), beta);
        let page = browser.path().to_owned();
        upload(&mut browser, "a.yaml", theirs.as_bytes(), "Own OWN (OWN)")
            .see("changed 0, withdrawn 0, unchanged 2")
            .press("Discard");
        browser.open(&page);
    }
    browser.click("Undo this import…").press("Undo import").expect(200).see("Import undone.");
    upload(&mut browser, "a.yaml", set(names[2], "uptime -2").as_bytes(), "Own OWN (OWN)").see("changed 2");
    assert_eq!(browser.texts("fieldset legend").len(), 1, "asked again, as before");

    // An import of which nothing at all is taken is applied too, and asks once.
    let alone = tests("T1003", &[("Alone", "id", 1)]);
    upload(&mut browser, "b.yaml", alone.as_bytes(), "Own OWN (OWN)").see("changed 1").press("Apply");
    browser.expect(200).see("Imported: added 0, changed 0, withdrawn 0, unchanged 0").see("was kept");
    upload(&mut browser, "b.yaml", alone.as_bytes(), "Own OWN (OWN)").see("changed 0").press("Discard");
    assert_eq!(versions("1"), ["1", "2"]);
    let kept =
        app.texts("SELECT id FROM library_imports ORDER BY created_at DESC, id DESC LIMIT 2").remove(1);

    // No page shows what was noted, and nobody restores it.
    let sql = "SELECT p.id || ' ' || v.n FROM library_procedures p JOIN library_procedure_versions v
        ON v.procedure_id = p.id WHERE p.name = 'Ours' AND v.n < 0 ORDER BY v.n";
    let noted = app.texts(sql);
    let (id, n) = noted[0].split_once(' ').unwrap();
    browser.open(&format!("/library/procedures/{id}/versions")).expect(200).see_not("Theirs").see_not(n);
    for path in
        [format!("?version={n}"), format!("/versions?from={n}&to=2"), format!("/versions?from=1&to={n}")]
    {
        assert_eq!(browser.get(&format!("/library/procedures/{id}{path}")).status, 404, "{path}");
    }
    let restored = [("version", n), ("seen", "2")];
    assert_eq!(browser.post(&format!("/library/procedures/{id}/restoration"), &restored).status, 404);

    // What is merged is one version, and the same file then changes nothing.
    let mixed = tests("T1110", &[("Other", "id", 1)]);
    upload(&mut browser, "c.yaml", mixed.as_bytes(), "Own OWN (OWN)").see("changed 1").press("Apply");
    browser.see("changed 1");
    assert_eq!(versions("1"), ["1", "2", "3"], "one, for theirs is noted");
    browser.open(&format!("/library/procedures/{id}")).expect(200).see("Ours.").see("T1110");
    upload(&mut browser, "c.yaml", mixed.as_bytes(), "Own OWN (OWN)").see("changed 0").press("Discard");

    // Taken back one by one; what was left as it was may be changed meanwhile.
    let merged =
        app.texts("SELECT id FROM library_imports WHERE file_name = 'c.yaml' ORDER BY created_at, id");
    browser.open(&format!("/library/imports/{}/undo", merged[0])).press("Undo import").expect(200);
    edit(&app, "Ours", r#"{"recommendation": "Later."}"#);
    browser
        .open(&format!("/library/imports/{kept}/undo"))
        .press("Undo import")
        .expect(200)
        .see("Import undone.");
    browser.open(&format!("/library/procedures/{id}")).expect(200).see("Later.");
    upload(&mut browser, "b.yaml", alone.as_bytes(), "Own OWN (OWN)").see("changed 1").see("Conflicts");
}

#[test]
fn what_the_library_has_changed_since_the_preview_is_not_overwritten_unseen() {
    let app = TestApp::spawn();
    repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "a.yaml", tests("T1003", &[("Alpha", "id", 1)]).as_bytes(), "Own OWN (OWN)");
    browser.press("Apply");
    upload(&mut browser, "a.yaml", tests("T1110", &[("Alpha", "w", 1)]).as_bytes(), "Own OWN (OWN)");
    edit(&app, "Alpha", r#"{"technique_ids": ["T1555"]}"#);
    browser.press("Apply").see("The library has changed since this import was checked.");
    until_checked(&mut browser).see("Conflicts");
    assert_eq!(commands(&app, "Alpha"), ["id", "id"]);
    browser.press("Apply").see("changed 1");
    assert_eq!(commands(&app, "Alpha").last().unwrap(), "w");
}

#[test]
fn much_is_withdrawn_only_when_somebody_says_so() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let names: Vec<String> = (0..12).map(|n| format!("Test {n}")).collect();
    let all: Vec<_> = (0u32..).zip(&names).map(|(n, name)| (name.as_str(), "id", n)).collect();
    upload(&mut browser, "all.yaml", tests("T1003", &all).as_bytes(), "").press("Apply");
    let one = tests("T1003", &all[..1]);
    upload(&mut browser, "one.yaml", one.as_bytes(), "").see("kept 11");
    browser.press("Withdraw what the file does not hold (11)");
    until_checked(&mut browser).see("withdrawn 11");
    browser.press("Apply").expect(422).see("This import withdraws 11 of 12.");
    browser.check("Withdraw 11 of 12").press("Apply").see("withdrawn 11");
    assert_eq!(
        app.count(
            "SELECT count(*) FROM library_procedures WHERE name LIKE 'Test %' AND withdrawn_at IS NULL"
        ),
        1
    );
}

#[test]
fn the_last_import_is_undone_while_nothing_uses_it() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let first = tests("T1003", &[("Alpha", "id", 1), ("Beta", "w", 2)]);
    upload(&mut browser, "first.yaml", first.as_bytes(), "").press("Apply");
    let of_first = browser.path().to_owned();
    let second = tests("T1003", &[("Alpha", "id -u", 1), ("Gamma", "uptime", 3)]);
    upload(&mut browser, "second.yaml", second.as_bytes(), "");
    browser.press("Withdraw what the file does not hold (1)");
    until_checked(&mut browser).press("Apply").see("added 1, changed 1, withdrawn 1");
    let of_second = browser.path().to_owned();
    browser.open(&format!("{of_first}/undo")).see("A later import went to the same place.");
    assert_eq!(browser.post(&format!("{of_first}/undo"), &[]).status, 422);

    // Something uses it: it is named.
    let gamma = app.texts("SELECT id FROM library_procedures WHERE name = 'Gamma'").remove(0);
    let fields = [("title", "Night shift"), ("chosen", gamma.as_str()), ("do", "save")];
    assert_eq!(browser.post("/test-plans/new", &fields).status, 303);
    browser.open(&format!("{of_second}/undo")).see("ATOMIC-3 Gamma: the test plan Night shift holds it.");
    assert_eq!(browser.post(&format!("{of_second}/undo"), &[]).status, 422);
    let plan = app.texts("SELECT id FROM test_plans WHERE title = 'Night shift'").remove(0);
    assert_eq!(browser.post(&format!("/test-plans/{plan}/delete"), &[]).status, 303);

    browser.open(&of_second).click("Undo this import…").press("Undo import").see("Import undone.");
    assert_eq!(commands(&app, "Alpha"), ["id", "id -u", "id"], "history stays");
    assert_eq!(
        app.texts(
            "SELECT name FROM library_procedures WHERE withdrawn_at IS NULL AND source_key LIKE 'aaaa%'
                ORDER BY 1"
        ),
        ["Alpha", "Beta"]
    );
    assert_eq!(app.events("import.undone"), 1);
    // As before it: the first file again changes nothing, and now the first one is the last.
    upload(&mut browser, "first.yaml", first.as_bytes(), "").see("unchanged 2, refused 0");
    browser.press("Discard");
    browser.open(&of_first).click("Undo this import…").press("Undo import").see("Import undone.");
}

#[test]
fn a_private_repository_is_no_goal_and_no_history_for_strangers() {
    let app = TestApp::spawn();
    repository(&app, "HID", "private", &[&app.people.lead]);
    repository(&app, "MAN", "managed", &[]);
    let (mut lead, mut stranger) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    let file = tests("T1003", &[("Alpha", "id", 1)]);
    upload(&mut lead, "T1003.yaml", file.as_bytes(), "Own HID (HID)");
    let page = lead.path().to_owned();
    for path in [&page, &format!("{page}/undo"), &format!("{page}/events")] {
        assert_eq!(stranger.get(path).status, 404, "{path}");
    }
    for act in ["apply", "discard", "check", "undo"] {
        assert_eq!(stranger.post(&format!("{page}/{act}"), &[]).status, 404, "{act}");
    }
    stranger.open("/library/import").see_not("Own HID").see_not("T1003.yaml").see_not("Own MAN");
    lead.open("/library/import").see("Own HID").see_not("Own MAN");
    let hidden = app.texts("SELECT id FROM repositories WHERE prefix = 'HID'").remove(0);
    stranger.open("/library/import").attach("file", "a.yaml", "text/yaml", file.as_bytes());
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"repository\"\r\n\r\n{hidden}\r\n--x\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a.yaml\"\r\n\r\n{file}\r\n--x--\r\n"
    );
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("origin", app.base.as_str())];
    assert_eq!(stranger.send("POST", "/library/import", &headers, body.as_bytes()).status, 422);
    lead.open(&page).press("Apply").see("added 1");
}

#[test]
fn copies_of_what_an_import_changed_are_listed_compared_and_taken_over() {
    let app = TestApp::spawn();
    let own = repository(&app, "OWN", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "a.yaml", tests("T1003", &[("Alpha", "id", 1)]).as_bytes(), "").press("Apply");
    let copy = copied(&app, &own, "Alpha");
    browser.open("/library/copies").see("Every copy is as new as its original");
    let file = tests("T1003", &[("Alpha", "id -u", 1)]);
    upload(&mut browser, "a.yaml", file.as_bytes(), "").press("Apply").see("1 copy elsewhere");
    browser.open("/library/copies").see("OWN-1 Copy").see("ATOMIC-1").click("Compare OWN-1");
    browser.see("Step 1: in the original, taken over").see("id -u").press("Take over").expect(200);
    assert_eq!(commands(&app, "Copy"), ["id", "id -u"]);
    assert_eq!(app.events("library_procedure.taken_over"), 1);
    browser.open("/library/copies").see("Every copy is as new as its original");
    assert_eq!(browser.get(&format!("/library/copies/{copy}")).status, 404);
}

/// A bundle of techniques: id, name, tactic, more.
pub fn bundle(version: &str, techniques: &[(&str, &str, &str, &str)], relations: &[(&str, &str)]) -> String {
    let mut objects =
        vec![format!(r#"{{"type":"x-mitre-collection","id":"c","x_mitre_version":"{version}"}}"#)];
    for (at, tactic) in ["execution", "stealth"].iter().enumerate() {
        objects.push(format!(
            r#"{{"type":"x-mitre-tactic","id":"x-mitre-tactic--{at}","name":"Tactic {tactic}",
            "x_mitre_shortname":"{tactic}","external_references":
            [{{"source_name":"mitre-attack","external_id":"TA000{at}"}}]}}"#
        ));
    }
    for (id, name, tactic, more) in techniques {
        objects.push(format!(
            r#"{{"type":"attack-pattern","id":"attack-pattern--{id}","name":"{name}","external_references":
            [{{"source_name":"mitre-attack","external_id":"{id}"}}],"kill_chain_phases":
            [{{"kill_chain_name":"mitre-attack","phase_name":"{tactic}"}}]{more}}}"#
        ));
    }
    for (from, to) in relations {
        objects.push(format!(
            r#"{{"type":"relationship","id":"r-{from}-{to}","relationship_type":"revoked-by",
            "source_ref":"attack-pattern--{from}","target_ref":"attack-pattern--{to}"}}"#
        ));
    }
    objects.push(
        r#"{"type":"intrusion-set","id":"g","name":"Invented Otter","external_references":
        [{"source_name":"mitre-attack","external_id":"G9001"}]}"#
            .to_owned(),
    );
    format!("{{\"type\":\"bundle\",\"objects\":[\n{}\n]}}", objects.join(",\n"))
}

#[test]
fn a_new_release_says_what_it_changes_and_procedures_are_retagged_on_confirmation() {
    let app = TestApp::spawn();
    let engagement = app.engagement(1);
    let mut browser = app.browser(&app.people.lead);
    let file = tests("T9001", &[("Alpha", "id", 1), ("Beta", "w", 2)]);
    let others = tests("T9002", &[("Gamma", "who", 3)]);
    upload(&mut browser, "a.yaml", file.as_bytes(), "").see(
        "No release of ATT&CK that the library holds has it. 2 tests name it and are kept: Alpha, Beta.",
    );
    browser.press("Apply");
    upload(&mut browser, "b.yaml", others.as_bytes(), "").press("Apply");
    upload(&mut browser, "c.yaml", tests("T9999", &[("Delta", "who", 4)]).as_bytes(), "").press("Apply");
    let old = bundle(
        "30.0",
        &[
            ("T9001", "One", "execution", ""),
            ("T9002", "Two", "execution", ""),
            ("T9003", "Three", "execution", ""),
        ],
        &[],
    );
    upload(&mut browser, "enterprise-attack-30.0.json", old.as_bytes(), "")
        .see("MITRE ATT&CK")
        .press("Apply");
    assert_eq!(app.texts("SELECT name FROM attack_groups WHERE version = '30.0'"), ["Invented Otter"]);
    let revoked = r#","revoked":true"#;
    let new = bundle(
        "31.0",
        &[
            ("T9001", "One", "execution", revoked),
            ("T9002", "Two", "execution", revoked),
            ("T9003", "Renamed", "stealth", ""),
            ("T9011", "Heir", "stealth", ""),
            ("T9012", "Other heir", "stealth", ""),
        ],
        &[("T9001", "T9011"), ("T9002", "T9011"), ("T9002", "T9012")],
    );
    upload(&mut browser, "new.json", new.as_bytes(), "");
    assert_eq!(browser.texts("#renamed td[data-label='To know']"), ["Called Three in ATT&CK 30.0."]);
    assert_eq!(
        browser.texts("#moved td[data-label='To know']"),
        ["Under Tactic execution in ATT&CK 30.0, now under Tactic stealth."]
    );
    assert_eq!(
        browser.texts("#left td[data-label='To know']"),
        [
            "In use in ATT&CK 30.0. T9011 takes its place.",
            "In use in ATT&CK 30.0. T9011 and T9012 take its place: somebody has to choose.",
        ]
    );
    browser.press("Apply").click("Compare releases and re-tag");
    browser.see("2 added, 2 withdrawn, 1 renamed, 1 moved between tactics");
    browser.see("T9011 Heir").see("Open: one of several").see("No release that the library holds has it.");
    assert_eq!(
        app.texts(&format!("SELECT attack_version FROM engagements WHERE id = '{}'", engagement.id)),
        ["19.1"],
        "a running engagement keeps its release"
    );
    browser.check("Re-tag T9001 as T9011").press("Re-tag the ticked");
    browser.expect(200).see("Re-tagged: T9001 → T9011, 2 procedures.");
    assert_eq!(
        app.texts("SELECT array_to_string(technique_ids, ',') FROM library_procedures WHERE name = 'Alpha'"),
        ["T9011"]
    );
    assert_eq!(app.events("library_procedures.retagged"), 1);
    // The importer knows what it brought: the same file changes nothing, and nothing is tagged back.
    upload(&mut browser, "a.yaml", file.as_bytes(), "").see("changed 0, withdrawn 0, unchanged 2");
    // Of several somebody chooses one, and no more.
    let both = [("map", "T9002:T9011"), ("map", "T9002:T9012")];
    assert_eq!(browser.post("/library/releases", &both).status, 422);
    assert_eq!(browser.post("/library/releases", &[("map", "T9999:T9011")]).status, 422, "nobody said so");
    browser.open("/library/releases").check("T9012").press("Re-tag the ticked");
    browser.see("Re-tagged: T9002 → T9012, 1 procedure.");
    // Of what is left nothing takes the place.
    assert!(!browser.has("#mappings button"));
    browser.see("so there is nothing to re-tag");
}

#[test]
fn a_release_is_undone_unless_an_engagement_pins_it() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let old = bundle("30.0", &[("T9001", "One", "execution", "")], &[]);
    upload(&mut browser, "old.json", old.as_bytes(), "").press("Apply");
    let brought = browser.path().to_owned();
    let changed =
        bundle("30.0", &[("T9001", "Another", "execution", ""), ("T9002", "Two", "execution", "")], &[]);
    upload(&mut browser, "new.json", changed.as_bytes(), "").see("added 1, changed 1").press("Apply");
    browser.click("Undo this import…").press("Undo import").see("Import undone.");
    assert_eq!(
        app.texts("SELECT external_id || ' ' || name FROM techniques WHERE version = '30.0'"),
        ["T9001 One"]
    );
    app.engagement(1);
    browser.open(&format!("{brought}/undo")).see("1 engagement use ATT&CK 30.0.");
    assert_eq!(browser.post(&format!("{brought}/undo"), &[]).status, 422);
}

#[test]
fn a_check_that_nobody_finished_is_taken_over_and_what_lies_open_is_swept() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    upload(&mut browser, "a.yaml", tests("T1003", &[("Alpha", "id", 1)]).as_bytes(), "");
    let page = browser.path().to_owned();
    let id: ImportId = page.rsplit('/').next().unwrap().parse().unwrap();
    let stalled = format!(
        "UPDATE library_imports SET state = 'checking', claimed_at = '2026-11-20T09:00:00Z', progress = 60,
            doing = 'Comparing it with the library' WHERE id = '{id}'"
    );
    app.superuser().batch_execute(&stalled).unwrap();
    browser.open(&page).see("Comparing it with the library").see("Refresh");
    assert!(browser.has("progress[value='60']"));
    let check = |app: &TestApp| {
        check::check_waiting(&app.db, &app.app.config.attachments(), app.clock.now()).unwrap().moved
    };
    assert_eq!(check(&app), 0, "somebody may still be at it");
    app.pass(TimeDelta::minutes(6));
    assert_eq!(check(&app), 1);
    browser.open(&page).see("Ready to apply");
    // The sweep goes by the age of the file, which is of today.
    let sweep =
        |app: &TestApp| check::sweep(&app.db, &app.app.config.attachments(), app.clock.now()).unwrap().moved;
    assert_eq!(sweep(&app), 0);
    app.clock.set(chrono::DateTime::<chrono::Utc>::from(std::time::UNIX_EPOCH) + TimeDelta::days(365 * 70));
    assert_eq!(sweep(&app), 2, "the row and its file");
}

#[test]
fn bad_files_are_refused_with_their_place_and_write_nothing() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let there = || {
        app.count(
            "SELECT (SELECT count(*) FROM library_procedures) + (SELECT count(*) FROM techniques)
                + (SELECT count(*) FROM repositories)",
        )
    };
    let before = there();
    for bad in bad_files::refused() {
        let (page, what) = if bad.bytes.len() > 64 << 20 {
            browser.open("/library/import").attach("file", bad.name, "text/plain", &bad.bytes);
            (browser.press("Upload and check").text(), bad.what)
        } else {
            upload(&mut browser, bad.name, &bad.bytes, "").see("Cannot be read");
            (browser.text(), bad.what)
        };
        let cells = browser.texts("#fault td").join(" ");
        for told in bad.told {
            // On the page the file, the object and the line have cells of their own.
            let parts = told.split(", ").map(|part| part.trim_start_matches("line "));
            for part in parts {
                assert!(page.contains(part), "{what}: {part} is not in {cells}");
            }
        }
    }
    assert_eq!(there(), before);
    assert_eq!(app.events("library.imported"), 1, "the starter library's own");
}

#[test]
fn a_technique_file_that_says_too_little_is_refused_by_itself_and_withdraws_nothing() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let file = |technique: &str, name: &str, number: u32| tests(technique, &[(name, "id", number)]);
    let zip = |files: &[String]| {
        let entries: Vec<(String, &[u8])> = (1..)
            .zip(files)
            .map(|(n, text)| (format!("atomics/T100{n}/T100{n}.yaml"), text.as_bytes()))
            .collect();
        let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        bad_files::zip_of(&entries)
    };
    let (one, two, three) = (file("T1001", "A", 1), file("T1002", "B", 2), file("T1003", "C", 3));
    upload(&mut browser, "all.zip", &zip(&[one.clone(), two.clone(), three]), "")
        .press("Apply")
        .see("added 3");
    let nameless = one.replace("attack_technique: T1001", "display_name: Nameless");
    let (empty, newer) = ("attack_technique: T1002\n".to_owned(), file("T1003", "D", 3));
    upload(&mut browser, "broken.zip", &zip(&[nameless, empty, newer]), "").see("changed 1").see("refused 2");
    let told = |browser: &Browser, of: &str| browser.texts(&format!("#refused td[data-label={of}]"));
    assert_eq!(told(&browser, "Why"), ["its attack_technique is missing", "its atomic_tests are missing"]);
    assert_eq!(told(&browser, "Field"), ["attack_technique", "atomic_tests"]);
    assert_eq!(told(&browser, "Line"), ["1", "1"]);
    browser.press("Withdraw what the file does not hold (2)");
    until_checked(&mut browser).see("withdrawn 0").press("Apply");
    browser.see("Imported: added 0, changed 1, withdrawn 0, unchanged 0, refused 2.");
}

#[test]
fn what_is_odd_and_harmless_is_taken_and_told() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let twice = tests("T1003", &[("Alpha", "id", 1), ("Beta", "w", 1)]);
    upload(&mut browser, "twice.yaml", twice.as_bytes(), "").see("added 1").see("refused 1");
    assert_eq!(browser.texts("#refused td[data-label=Line]"), ["11"]);
    let stranger = tests("T4242", &[("Gamma", "id", 3)]);
    upload(&mut browser, "stranger.yaml", stranger.as_bytes(), "")
        .see("added 1")
        .see("No release of ATT&CK that the library holds has it. 1 test names it and is kept: Gamma.");
    browser.press("Apply").see("Imported: added 1");
    let windows = bad_files::zip_of(&[("atomics\\T1003\\T1003.yml", twice.as_bytes())]);
    upload(&mut browser, "windows.zip", &windows, "").see("added 1").see("refused 1");
    let release = bundle("40.0", &[("T9001", "One", "execution", "")], &[]);
    let zipped = bad_files::zip_of(&[("enterprise-attack-40.0.json", release.as_bytes())]);
    upload(&mut browser, "release.zip", &zipped, "").see("MITRE ATT&CK").see("40.0");
}

/// What real files of Atomic Red Team have that no made one would: each by a small one made like it.
#[test]
fn peculiar_files_look_as_they_must() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let test = |name: &str, number: u32, more: &str| {
        format!("- name: {name}\n  auto_generated_guid: aaaaaaaa-0000-4000-8000-{number:012}\n{more}")
    };
    let mut yaml = "attack_technique: T1027\ndisplay_name: Not to be trusted\natomic_tests:\n".to_owned();
    // 1. Lines that end as on Windows, inside a command: kept to the letter.
    yaml += &test(
        "Windows lines",
        1,
        "  executor:\n    name: command_prompt\n    command: \"echo a\\r\\necho b\\r\\n\"\n",
    );
    // 2. Text that runs the other way: marked where it is shown, exact where it is copied.
    yaml +=
        &test("Right to left", 2, "  executor:\n    name: powershell\n    command: \"dir \\u202Egnp.exe\"\n");
    // 3. Markup in a description: text, never markup.
    yaml += &test(
        "Markup",
        3,
        "  description: 'Opens <script>alert(1)</script> in <b>HTA</b>'\n  executor: {name: sh, \
            command: id}\n",
    );
    // 4. A default of null: an input without one; and 5. one that is a number, to the letter.
    yaml += &test(
        "Defaults",
        4,
        "  input_arguments:\n    none: {description: Nothing, type: String, default: null}\n    port: \
            {type: Integer, default: 0080}\n  executor: {name: sh, command: 'nc #{none} #{port}'}\n",
    );
    // 6. No cleanup, said as null; 7. steps by hand.
    yaml += &test(
        "By hand",
        5,
        "  executor:\n    name: manual\n    cleanup_command: null\n    steps: |\n      1. Open it\n      \
            2. Close it\n",
    );
    // 8. Letters of every script.
    yaml += &test("Größe 検知", 6, "  executor: {name: bash, command: 'echo Größe 検知'}\n");
    // And ninety tests in one file.
    for number in 10..94 {
        yaml += &test(&format!("One of many {number}"), number, "  executor: {name: sh, command: id}\n");
    }
    upload(&mut browser, "T1027.yaml", yaml.as_bytes(), "").see("added 90").press("Apply");
    let page = |browser: &mut Browser, name: &str| {
        let id = app.texts(&format!("SELECT id FROM library_procedures WHERE name = '{name}'")).remove(0);
        browser.open(&format!("/library/procedures/{id}")).expect(200);
    };
    assert_eq!(commands(&app, "Windows lines"), ["echo a\r\necho b\r\n"]);
    page(&mut browser, "Right to left");
    browser.see("⟨U+202E⟩");
    assert_eq!(browser.texts("[aria-hidden] code"), ["dir \u{202e}gnp.exe"], "what is copied is exact");
    page(&mut browser, "Markup");
    assert!(!browser.has("main script"));
    let inputs = app.texts(
        "SELECT i ->> 'name' || ' ' || (i ->> 'kind') || ' ' || coalesce(i ->> 'default', '-')
         FROM library_procedure_versions v JOIN library_procedures p ON p.id = v.procedure_id,
            jsonb_array_elements(body -> 'inputs') i WHERE p.name = 'Defaults'",
    );
    assert_eq!(inputs, ["none string -", "port integer 0080"]);
    page(&mut browser, "By hand");
    browser.see("Open it").see_not("Clean up");
    page(&mut browser, "Größe 検知");
    assert_eq!(commands(&app, "Größe 検知"), ["echo Größe 検知"]);
}

/// The real files that the small ones above are made like: they are nobody's to copy here.
#[test]
#[ignore = "needs TYRIAN_DATA, the folder that holds atomic-red-team/"]
fn the_real_files_read_as_they_must() {
    let data = std::env::var_os("TYRIAN_DATA").expect("TYRIAN_DATA");
    let folder = std::path::Path::new(&data).join("atomic-red-team/atomics");
    let read = |technique: &str| {
        let path = folder.join(technique).join(format!("{technique}.yaml"));
        let bytes = std::fs::read(path).unwrap();
        let read = atomics::parse(&Source::File { name: format!("{technique}.yaml"), bytes }).unwrap();
        assert_eq!(read.refused, [], "{technique}");
        read.procedures.into_iter().map(|(_, body)| body).collect::<Vec<_>>()
    };
    let commands = |bodies: &[ProcedureBody]| {
        let steps = bodies.iter().flat_map(|body| &body.steps);
        steps.filter_map(|step| step.command.clone()).collect::<String>()
    };
    // Lines of the file that end as on Windows are the file's, not the commands'.
    for (technique, tests) in [("T1070.008", 6), ("T1134.002", 2), ("T1505.005", 2), ("T1542.001", 1)] {
        let bodies = read(technique);
        assert_eq!(bodies.len(), tests, "{technique}");
        assert!(!commands(&bodies).contains('\r') && !commands(&bodies).is_empty(), "{technique}");
    }
    // An override in a step by hand stays in it, to the letter.
    let obfuscated = read("T1027");
    assert_eq!(obfuscated.len(), 11);
    assert!(serde_json::to_string(&obfuscated).unwrap().contains('\u{202e}'));
    // Markup stands in commands and descriptions to the letter.
    for technique in ["T1218.005", "T1659"] {
        let bodies = read(technique);
        assert!(serde_json::to_string(&bodies).unwrap().contains("<script"), "{technique}");
    }
    assert_eq!(read("T1112").len(), 90);
    let adfind = read("T1016");
    let inputs = adfind.iter().flat_map(|body| &body.inputs);
    assert!(inputs.clone().any(|input| input.name == "optional_args" && input.default.is_none()));
}
