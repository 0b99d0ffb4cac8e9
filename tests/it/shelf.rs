//! A team's own library: repositories and who knows of them, procedures and their versions, what engagements
//! give back; by a client without scripts and by the store.

use tyrian::kernel::authz::Shelf;
use tyrian::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::domain::{Input, ProcedureBody, Step};
use tyrian::library::repository::Part;
use tyrian::library::store::plans::{PlanContent, insert_plan};
use tyrian::library::store::repositories::{PartChange, RepositoryText, insert_repository};
use tyrian::library::store::shelf::list_writable;
use tyrian::library::store::writing::insert_procedure;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::{Person, Plan, hostile, plan_engagement};

/// A repository with its viewers and editors.
pub fn repository(
    app: &TestApp,
    name: &str,
    prefix: &str,
    kind: &str,
    people: &[(&Person, Part)],
) -> RepositoryId {
    let text = RepositoryText {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        description: String::new(),
        kind: kind.to_owned(),
    };
    let parts: Vec<PartChange> = people
        .iter()
        .map(|(person, part)| PartChange { person: person.id, had: None, chosen: Some(*part) })
        .collect();
    let write = |tx: &mut WriteTx<'_>| insert_repository(tx, Shelf::whole(), &text, &parts);
    app.db.write_blocking(&Actor::command(), write).unwrap()
}

fn body(name: &str, command: &str) -> ProcedureBody {
    let step = Step {
        id: "s".to_owned(),
        description: "Run it.".to_owned(),
        command: Some(command.to_owned()),
        executor: Some("sh".to_owned()),
        ..Step::default()
    };
    ProcedureBody {
        name: name.to_owned(),
        technique_ids: vec!["T1003.008".to_owned()],
        platforms: vec!["beos".to_owned()],
        steps: vec![step],
        ..ProcedureBody::default()
    }
}

fn procedure(app: &TestApp, repository: RepositoryId, body: ProcedureBody) -> LibraryProcedureId {
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), repository, body);
    app.db.write_blocking(&Actor::command(), write).unwrap().0
}

#[test]
fn a_private_repository_is_known_to_its_viewers_and_editors_alone() {
    let app = TestApp::spawn();
    let people = &app.people;
    let shelf = repository(
        &app,
        "Quiet corner",
        "QUIET",
        "private",
        &[(&people.lead, Part::Editor), (&people.second, Part::Viewer)],
    );
    let secret = procedure(&app, shelf, body("Zanzibar trick", "zanzibar --now"));
    let content = PlanContent {
        title: "Plan of the corner".to_owned(),
        procedures: vec![secret],
        ..PlanContent::default()
    };
    let plan =
        app.db.write_blocking(&Actor::command(), |tx| insert_plan(tx, Shelf::whole(), &content)).unwrap();
    let places = [
        "/library/procedures?q=zanzibar".to_owned(),
        "/library/procedures".to_owned(),
        "/library/repositories".to_owned(),
        "/library/techniques/T1003.008".to_owned(),
        format!("/test-plans/{plan}"),
        "/test-plans/new".to_owned(),
    ];
    for insider in [&people.lead, &people.second] {
        let mut browser = app.browser(insider);
        browser.open(&format!("/library/procedures/{secret}")).expect(200).see("Zanzibar trick");
        browser.open(&format!("/library/procedures/{secret}?version=1")).expect(200);
        browser.open("/library/procedures?q=zanzibar").see("QUIET-1").see("1 procedure");
        browser.open(&format!("/test-plans/{plan}")).see("Zanzibar trick");
        browser.open("/library/procedures?platform=beos").see("1 procedure");
    }
    for stranger in [&people.standard, &people.administrator] {
        let mut browser = app.browser(stranger);
        for path in ["", "?version=1", "/edit", "/versions", "/uses"] {
            browser.open(&format!("/library/procedures/{secret}{path}")).expect(404);
        }
        for path in ["", "/edit", "/copy", "/delete"] {
            browser.open(&format!("/library/repositories/{shelf}{path}")).expect(404);
        }
        for path in &places {
            browser.open(path).expect(200).see_not("Zanzibar").see_not("Quiet corner").see_not("beos");
        }
        browser.open("/library/procedures?q=zanzibar").see("No procedure matches");
    }
    // Nor does a name that is refused tell of it.
    repository(&app, "QUIET corner", "CORNER", "open", &[]);
    // Who knows of both tells them apart wherever one is chosen.
    let mut lead = app.browser(&people.lead);
    for path in ["/library/procedures", "/library/procedures/new", "/test-plans/new"] {
        lead.open(path).see("Quiet corner (QUIET)").see("QUIET corner (CORNER)");
    }
    // A viewer reads, and does not write.
    let mut viewer = app.browser(&people.second);
    viewer.open(&format!("/library/procedures/{secret}/edit")).expect(403);
    viewer.open(&format!("/library/repositories/{shelf}/edit")).expect(403);
}

#[test]
fn who_does_not_know_of_a_procedure_neither_copies_it_nor_takes_it_out_of_a_plan() {
    let app = TestApp::spawn();
    let people = &app.people;
    let shelf = repository(&app, "Quiet corner", "QUIET", "private", &[(&people.lead, Part::Editor)]);
    let secret = procedure(&app, shelf, body("Zanzibar trick", "zanzibar"));
    let open = repository(&app, "Open shelf", "OPEN", "open", &[]);
    let known = procedure(&app, open, body("Known trick", "known"));
    let content = PlanContent {
        title: "Mixed plan".to_owned(),
        procedures: vec![secret, known],
        ..PlanContent::default()
    };
    let plan =
        app.db.write_blocking(&Actor::command(), |tx| insert_plan(tx, Shelf::whole(), &content)).unwrap();
    let mut browser = app.browser(&people.standard);
    browser.open(&format!("/test-plans/{plan}/edit")).fill("Title", "Renamed plan").press("Save").expect(200);
    let held = format!(
        "SELECT procedure_id FROM test_plan_procedures WHERE test_plan_id = '{plan}' ORDER BY position"
    );
    assert_eq!(app.texts(&held), [secret.to_string(), known.to_string()], "it stays where it stood");
    let answer = browser.post(
        "/library/procedures/ticked",
        &[("id", &secret.to_string()), ("do", "copy"), ("repository", &open.to_string())],
    );
    assert_eq!(answer.status, 404);
    let engagement = plan_engagement(&app.app, app.clients.own, &Plan::default(), people);
    let answer = browser.post(
        &format!("/engagements/{}/procedures/add", engagement.id),
        &[("id", &format!("library-{secret}"))],
    );
    assert_ne!(answer.status, 303, "nothing that is not known is copied");
    assert_eq!(app.count("SELECT count(*) FROM procedures WHERE name = 'Zanzibar trick'"), 0);
}

#[test]
fn a_repository_is_made_changed_copied_and_deleted_without_scripts() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/library/repositories").click("New repository").expect(200);
    browser.fill("Name", hostile!("Harbour lab")).fill("Prefix", "hl").press("Create repository").expect(422);
    browser.see("A prefix is 3 to 8 letters");
    browser
        .fill("Prefix", "start")
        .press("Create repository")
        .expect(422)
        .see("Another repository has this prefix");
    browser.fill("Prefix", "hlf").press("Create repository").expect(200).see("Repository created").see("HLF");
    let id = app.texts("SELECT id FROM repositories WHERE prefix = 'HLF'").remove(0);
    let shelf: RepositoryId = id.parse().unwrap();
    procedure(&app, shelf, body("One", "one"));
    procedure(&app, shelf, body("Two", "two"));
    browser.click("Edit").fill("Prefix", "HLX").press("Save").expect(200).see("Repository saved");
    browser.open("/library/procedures?q=hlx-2").see("HLX-2").see("1 procedure");
    browser.open(&format!("/library/repositories/{id}/copy")).fill("Prefix", "HLC").press("Copy repository");
    browser.expect(200).see("Repository copied");
    assert_eq!(
        app.count(
            "SELECT count(*) FROM library_procedures c JOIN library_procedures o ON o.id = c.copied_from \
            WHERE c.copied_version = 1 AND c.name = o.name AND c.identity = c.id"
        ),
        2
    );
    browser.open(&format!("/library/repositories/{id}/delete")).see("2 procedures");
    let answer = browser.post(&format!("/library/repositories/{id}/delete"), &[]);
    assert_eq!(answer.status, 422, "not without its procedures being named");
    browser.open(&format!("/library/repositories/{id}/delete")).check("Delete the procedures too");
    browser.press("Delete repository").expect(200).see("deleted");
    assert_eq!(
        app.count(&format!("SELECT count(*) FROM library_procedures WHERE repository_id = '{id}'")),
        0
    );
    assert_eq!(app.count("SELECT count(*) FROM repositories WHERE prefix = 'HLC'"), 1);
}

#[test]
fn deleting_what_an_engagement_was_made_from_changes_nothing_there() {
    let app = TestApp::spawn();
    let shelf = repository(&app, "Lab", "LAB", "open", &[]);
    let made = procedure(&app, shelf, body("Made here", "made"));
    let engagement = plan_engagement(&app.app, app.clients.own, &Plan::default(), &app.people);
    let mut browser = app.browser(&app.people.lead);
    let add = browser.post(
        &format!("/engagements/{}/procedures/add", engagement.id),
        &[("id", &format!("library-{made}"))],
    );
    assert_eq!(add.status, 303, "{}", add.text());
    let rows = "SELECT row_to_json(p)::text FROM procedures p ORDER BY id";
    let before = app.texts(rows);
    browser.open(&format!("/library/repositories/{shelf}/delete")).see("They keep their own copies");
    browser.check("Delete the procedures too").press("Delete repository").expect(200);
    assert_eq!(app.texts(rows), before);
    let copy = app.texts("SELECT id FROM procedures WHERE name = 'Made here'").remove(0);
    browser.open(&format!("/engagements/{}/procedures/{copy}", engagement.id)).expect(200).see("made");
}

/// Who writes on something that another deletes meanwhile keeps what they typed, and reads that it is not
/// saved.
#[test]
fn what_was_typed_stays_in_sight_where_what_it_belongs_to_is_gone() {
    let app = TestApp::spawn();
    let shelf = repository(&app, "Lab", "LAB", "open", &[]);
    let made = procedure(&app, shelf, body("Made here", "made"));
    let mut writer = app.browser(&app.people.lead);
    writer.open(&format!("/library/procedures/{made}/edit"));
    writer.fill("Name", hostile!("A better name")).fill("Recommendation", "Watch <b>closely</b>.");
    let mut other = app.browser(&app.people.administrator);
    other.open(&format!("/library/repositories/{shelf}/delete")).check("Delete the procedures too");
    other.press("Delete repository").expect(200);
    writer.press("Save").expect(404).see("Not here").see("Nothing was saved").see("What you typed");
    writer.see(hostile!("A better name")).see("Watch <b>closely</b>.").see_not(&shelf.to_string());
}

/// Opens the editor of a new procedure in a repository of this prefix.
fn editor(app: &TestApp, person: &Person) -> (Browser, RepositoryId) {
    let shelf = repository(app, "Lab", "LAB", "open", &[]);
    let mut browser = app.browser(person);
    browser.open(&format!("/library/procedures/new?repository={shelf}")).expect(200);
    (browser, shelf)
}

#[test]
fn a_procedure_is_written_without_scripts_and_faults_stand_beside_their_fields() {
    let app = TestApp::spawn();
    let (mut browser, _) = editor(&app, &app.people.lead);
    browser.press("Save").expect(422).see("Give the procedure a name").see("Say what this step does");
    browser
        .fill("Name", hostile!("Read the vault"))
        .fill("Command of step 1", "cat #{vault} | nc #{host} #{port}");
    browser.fill("Techniques", "shadow").press("Find").expect(200).see("T1003.008");
    browser.press("T1003.008").expect(200).see("vault").see("port");
    let stored = "SELECT count(*) FROM library_procedures WHERE name LIKE '%vault%'";
    assert_eq!(app.count(stored), 0, "nothing is stored before Save");
    browser.press("Save").expect(200).see("LAB-1 created").see("T1003.008");
    assert_eq!(app.count(stored), 1);
    browser.click("Edit").expect(200).press("Prerequisite").expect(200);
    browser.press("Save").expect(422).see("Say what this step does");
    assert_eq!(app.count("SELECT current_version FROM library_procedures WHERE name LIKE '%vault%'"), 1);
}

/// The form that a page of the editor would post, with changes.
fn form(version: i32, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [
        ("version", version.to_string()),
        ("name", "Read".to_owned()),
        ("step", "s".to_owned()),
        ("step.s.kind", "step".to_owned()),
        ("step.s.description", "Run it.".to_owned()),
        ("step.s.command", "cat #{file}".to_owned()),
        ("step.s.executor", "sh".to_owned()),
        ("technique", "T1003.008".to_owned()),
        ("other_platforms", "beos".to_owned()),
        ("do", "save".to_owned()),
    ];
    let mut form: Vec<(String, String)> =
        base.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in pairs {
        match form.iter_mut().find(|(known, _)| known == name) {
            Some(pair) => pair.1 = (*value).to_owned(),
            None => form.push(((*name).to_owned(), (*value).to_owned())),
        }
    }
    form
}

fn post(browser: &mut Browser, path: &str, form: &[(String, String)]) -> (u16, String) {
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post(path, &pairs);
    (answer.status, answer.text())
}

#[test]
fn what_was_typed_for_a_repository_that_went_stays_in_the_form() {
    let app = TestApp::spawn();
    let shelf = repository(&app, "Lab", "LAB", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    let gone = uuid::Uuid::now_v7().to_string();
    for (target, status) in [(gone, 422), (shelf.to_string(), 303)] {
        let typed = form(0, &[("repository", &target), ("recommendation", "Typed for an hour")]);
        let (answered, text) = post(&mut browser, "/library/procedures/new", &typed);
        assert_eq!(answered, status, "{text}");
        assert!(status == 303 || text.contains("Typed for an hour") && text.contains("Choose another."));
    }
}

/// The focus stays on the step that was moved, also where it cannot be moved any further.
#[test]
fn a_moved_step_keeps_the_focus_at_the_top() {
    let app = TestApp::spawn();
    repository(&app, "Lab", "LAB", "open", &[]);
    let mut browser = app.browser(&app.people.lead);
    let typed = form(0, &[("do", "up:s")]);
    let (status, text) = post(&mut browser, "/library/procedures/new", &typed);
    assert_eq!(status, 200);
    let at = text.find("value=\"up:s\"").unwrap();
    let button = &text[at..at + text[at..].find('>').unwrap()];
    assert!(button.contains("data-focus") && button.contains("aria-disabled"), "{button}");
    assert!(!button.contains(" disabled"), "{button}");
}

#[test]
fn two_editors_of_one_procedure_lose_no_word() {
    let app = TestApp::spawn();
    let shelf = repository(&app, "Lab", "LAB", "open", &[]);
    let id = procedure(&app, shelf, body("Read", "cat #{file}"));
    let path = format!("/library/procedures/{id}/edit");
    let (mut lead, mut other) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    let stored = || {
        let sql = format!(
            "SELECT v.body FROM library_procedures p JOIN library_procedure_versions v \
                ON v.procedure_id = p.id AND v.n = p.current_version WHERE p.id = '{id}'"
        );
        serde_json::from_str::<ProcedureBody>(&app.texts(&sql).remove(0)).unwrap()
    };
    let theirs = form(1, &[("step.s.success_criteria", "It prints"), ("description", "By the lead")]);
    assert_eq!(post(&mut lead, &path, &theirs).0, 303);
    // Written from version 1 too: what each alone changed stands beside the other's.
    let mine =
        form(1, &[("step.s.command", "cat -v #{file}"), ("tags", "mine"), ("recommendation", "Log it")]);
    assert_eq!(post(&mut other, &path, &mine).0, 303);
    let both = stored();
    assert_eq!((both.description.as_str(), both.recommendation.as_str()), ("By the lead", "Log it"));
    assert_eq!(both.steps[0].success_criteria.as_deref(), Some("It prints"));
    assert_eq!(both.steps[0].command.as_deref(), Some("cat -v #{file}"));
    assert_eq!(both.inputs[0].name, "file", "an input is found where it is named");

    // The same text from the same version: both values are shown, and the rest is saved.
    let late = form(2, &[("step.s.command", "less #{file}"), ("sentence", "An alert")]);
    let (status, page) = post(&mut lead, &path, &late);
    assert_eq!(status, 409);
    assert!(page.contains("less #{file}") && page.contains("cat -v #{file}"), "both stand side by side");
    assert_eq!(stored().steps[0].command.as_deref(), Some("cat -v #{file}"));
    assert_eq!(stored().expected.sentence, "An alert");
    let version = app.count(
        "SELECT max(n) FROM library_procedure_versions v JOIN library_procedures p \
        ON p.id = v.procedure_id WHERE p.name = 'Read'",
    );
    let mut kept = form(
        version as i32,
        &[
            ("step.s.command", "less #{file}"),
            ("base.step.s.command", "2"),
            ("theirs.step.s.command", "3"),
            ("step.s.success_criteria", "It prints"),
            ("description", "By the lead"),
            ("tags", "mine"),
            ("recommendation", "Log it"),
            ("sentence", "An alert"),
            ("input", "file"),
            ("input.file.kind", "string"),
            ("keep", "step.s.command"),
        ],
    );
    kept.retain(|(name, _)| name != "do");
    let (status, page) = post(&mut lead, &path, &kept);
    assert_eq!(status, 303, "{page}");
    assert_eq!(stored().steps[0].command.as_deref(), Some("less #{file}"));

    // The versions are there, differ, and an older one comes back as a new one.
    lead.open(&format!("/library/procedures/{id}/versions")).expect(200).see("Version 1").see("less #{file}");
    let restored = lead.post(
        &format!("/library/procedures/{id}/restoration"),
        &[("version", "1"), ("seen", &(version + 1).to_string())],
    );
    assert_eq!(restored.status, 303);
    assert_eq!(stored(), body("Read", "cat #{file}"));
    let stale =
        lead.post(&format!("/library/procedures/{id}/restoration"), &[("version", "2"), ("seen", "1")]);
    assert_eq!(stale.status, 409);
}

#[test]
fn ticked_rows_are_tagged_copied_moved_and_retired() {
    let app = TestApp::spawn();
    let lab = repository(&app, "Lab", "LAB", "open", &[]);
    let attic = repository(&app, "Attic", "ATTIC", "open", &[]);
    let ids: Vec<String> =
        (1..=3).map(|n| procedure(&app, lab, body(&format!("Trick {n}"), "trick")).to_string()).collect();
    let mut browser = app.browser(&app.people.lead);
    let mut act = |of: &[&String], pairs: &[(&str, &str)]| {
        let mut form: Vec<(&str, &str)> = of.iter().map(|id| ("id", id.as_str())).collect();
        form.extend(pairs);
        browser.post("/library/procedures/ticked", &form).status
    };
    let attic = attic.to_string();
    assert_eq!(act(&[&ids[0], &ids[1]], &[("do", "tag"), ("tags", "Night, crown")]), 303);
    assert_eq!(act(&[&ids[1]], &[("do", "untag"), ("tags", "crown")]), 303);
    assert_eq!(
        app.texts(
            "SELECT array_to_string(tags, ' ') FROM library_procedures WHERE name LIKE 'Trick%' \
        ORDER BY name"
        ),
        ["night crown", "night", ""]
    );
    assert_eq!(act(&[&ids[0]], &[("do", "move"), ("repository", &attic)]), 303);
    assert_eq!(act(&[&ids[1]], &[("do", "copy"), ("repository", &attic)]), 303);
    assert_eq!(act(&[&ids[2]], &[("do", "retire")]), 303);
    assert_eq!(act(&[], &[("do", "retire")]), 422);
    assert_eq!(act(&[&ids[0]], &[("do", "copy")]), 422, "to which repository?");
    let numbers = "SELECT r.prefix || '-' || p.number || ' ' || p.name FROM library_procedures p \
        JOIN repositories r ON r.id = p.repository_id WHERE p.name LIKE 'Trick%' ORDER BY 1";
    assert_eq!(app.texts(numbers), ["ATTIC-1 Trick 1", "ATTIC-2 Trick 2", "LAB-2 Trick 2", "LAB-3 Trick 3"]);
    let mut reader = app.browser(&app.people.lead);
    reader.open("/library/procedures?q=trick&tag=night").see("3 procedures");
    reader.open("/library/procedures?q=trick").see("3 procedures").see_not("Trick 3");
    reader.open("/library/procedures?q=trick&state=retired").see("1 procedure").see("Trick 3");
    reader.open("/library/procedures?q=attic-1").see("Trick 1");
    reader.open("/library/procedures?q=trick&sort=id").expect(200).see("ATTIC-1");
    reader.open("/library/procedures?q=trick&used=never&executor=sh&sort=changed").see("3 procedures");
    reader.open("/library/procedures?q=trick&used=plan").see("No procedure matches");
    // A number is never given out again.
    let next = procedure(&app, lab, body("Trick 4", "trick"));
    assert_eq!(app.count(&format!("SELECT number FROM library_procedures WHERE id = '{next}'")), 4);
}

/// The list offers targets by SQL, and a write is judged in Rust.
#[test]
fn the_targets_of_the_list_are_what_may_be_written_in() {
    let app = TestApp::spawn();
    let people = &app.people;
    for (n, kind) in ["open", "managed", "private"].into_iter().enumerate() {
        for (part, who) in [("none", &people.second), ("editor", &people.lead), ("viewer", &people.lead)] {
            let part_of = if part == "viewer" { Part::Viewer } else { Part::Editor };
            let prefix = format!("{}{n}X", &part[..3]).to_uppercase();
            repository(&app, &format!("{kind} {part}"), &prefix, kind, &[(who, part_of)]);
        }
    }
    for person in [&people.lead, &people.second, &people.standard, &people.administrator] {
        let mut browser = app.browser(person);
        browser.open("/library/procedures").expect(200);
        let offered = browser.texts("#ticked option");
        let writable: Vec<String> = app
            .db
            .read_blocking(|conn| {
                let rights = tyrian::kernel::authz::Rights {
                    own: [tyrian::kernel::authz::Permission::LibraryEdit].into_iter().collect(),
                    ..Default::default()
                };
                Ok(list_writable(conn, rights.shelf(person.id))?.into_iter().map(|(_, name)| name).collect())
            })
            .unwrap();
        let mut offered: Vec<String> = offered.into_iter().skip(1).collect();
        let mut writable = writable;
        offered.sort();
        writable.sort();
        assert_eq!(offered, writable, "{}", person.email);
        assert!(writable.len() >= 3, "everybody writes in the open ones");
    }
}

#[test]
fn what_was_worked_becomes_a_library_procedure_without_what_is_the_clients() {
    let app = TestApp::spawn();
    let lab = repository(&app, "Lab", "LAB", "open", &[]);
    let origin = procedure(
        &app,
        lab,
        ProcedureBody {
            inputs: vec![Input { name: "host".to_owned(), kind: "string".to_owned(), ..Input::default() }],
            ..body("Copy it", "scp #{host}")
        },
    );
    let engagement = plan_engagement(&app.app, app.clients.own, &Plan::default(), &app.people);
    app.asset(app.clients.own, "vault-07");
    let mut browser = app.browser(&app.people.lead);
    let add = browser.post(
        &format!("/engagements/{}/procedures/add", engagement.id),
        &[("id", &format!("library-{origin}"))],
    );
    assert_eq!(add.status, 303, "{}", add.text());
    let copy = app.texts("SELECT id FROM procedures WHERE name = 'Copy it'").remove(0);
    let at = format!("/engagements/{}/procedures/{copy}", engagement.id);
    let saved =
        browser.post(&at, &[("version", "1"), ("recommendation", "Keep vault-07 away from 10.9.8.7.")]);
    assert_eq!(saved.status, 303, "{}", saved.text());
    browser.open(&format!("{at}/library")).expect(200).see("vault-07").see("10.9.8.7").see("an asset");
    browser.fill("Name", " ").press("Save in the library").expect(422).see("Give the procedure a name.");
    assert!(browser.texts(".crumbs").concat().contains("Copy it"), "the way back is called as before");
    let target = lab.to_string();
    let mut fields = vec![("as", "version"), ("name", "Copy it"), ("by.vault-07", "#{host}")];
    let answer = browser.post(&format!("{at}/library"), &fields);
    assert_eq!(answer.status, 422, "an address is left undecided");
    assert_eq!(
        app.count(&format!("SELECT current_version FROM library_procedures WHERE id = '{origin}'")),
        1
    );
    fields.push(("stays", "10.9.8.7"));
    assert_eq!(browser.post(&format!("{at}/library"), &fields).status, 303);
    let now = app.texts(&format!(
        "SELECT body ->> 'recommendation' FROM library_procedure_versions \
            WHERE procedure_id = '{origin}' AND n = 2"
    ));
    assert_eq!(now, ["Keep #{host} away from 10.9.8.7."]);
    // A name that is typed here is looked through as well.
    let own = app.texts(&format!("SELECT name FROM clients WHERE id = '{}'", app.clients.own)).remove(0);
    let named = format!("Copy it for {own}");
    let fields =
        [("as", "new"), ("name", named.as_str()), ("repository", target.as_str()), ("by.vault-07", "x")];
    let answer = browser.post(&format!("{at}/library"), &fields);
    assert_eq!(answer.status, 422, "the client's name is left undecided");
    assert!(answer.text().contains("the client"), "{}", answer.text());
    let fields =
        [("as", "new"), ("name", "Copy it anew"), ("repository", target.as_str()), ("by.vault-07", "x")];
    assert_eq!(
        browser.post(&format!("{at}/library"), &fields).status,
        303,
        "the address is the library's now"
    );
    assert_eq!(app.count("SELECT count(*) FROM library_procedures WHERE name = 'Copy it anew'"), 1);
    browser.open(&format!("/library/procedures/{origin}/uses")).expect(200).see_not("Nowhere yet");

    // The engagement as a test plan.
    let path = format!("/engagements/{}/test-plan", engagement.id);
    browser.open(&path).expect(200).see("Copy it");
    let answer = browser.post(&path, &[("title", "What we did")]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(
        app.count(
            "SELECT count(*) FROM test_plan_procedures t JOIN test_plans p ON p.id = t.test_plan_id \
            WHERE p.title = 'What we did'"
        ),
        app.count(&format!(
            "SELECT count(DISTINCT origin_id) FROM procedures WHERE engagement_id = '{}'",
            engagement.id
        ))
    );
    let mut outsider = app.browser(&app.people.bare);
    outsider
        .open(&format!("/library/procedures/{origin}/uses"))
        .expect(200)
        .see("Nowhere yet")
        .see_not(&engagement.title);
    outsider.open(&path).expect(404);
    outsider.open(&format!("{at}/library")).expect(404);
}
