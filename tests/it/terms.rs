//! A team's own methodologies, tactics and techniques; the matrix of either kind.

use tyrian::imports::atomics::Atomics;
use tyrian::imports::store::apply_atomics;
use tyrian::kernel::authz::Shelf;
use tyrian::kernel::base::ids::LibraryProcedureId;
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::Actor;
use tyrian::kernel::web::measure;
use tyrian::library::changes::Missing;
use tyrian::library::domain::{ProcedureBody, Step};
use tyrian::library::repository::Part;
use tyrian::library::store::repositories::{PartChange, RepositoryText, insert_repository};
use tyrian::library::store::writing::insert_procedure;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::{OWN, Person, hostile};

const MATRIX: &str = "/library/techniques/matrix";

/// Makes a methodology with one tactic and one technique by the forms; gives the methodology's address.
pub fn own_methodology(browser: &mut Browser) -> String {
    browser.open("/library/methodologies").expect(200).see("None yet").click("New methodology");
    browser.fill("Name", hostile!("Web attacks")).fill("Short name", "Web").fill("Tags", "Web, web, Apps");
    browser.press("Create methodology").expect(200).see("created.").see("No tactics yet");
    let path = browser.path().to_owned();
    browser.click("New tactic").fill("Name", "Session theft").fill("Short name", "Session Theft");
    browser.press("Create tactic").expect(200).see("Session theft").see("session-theft");
    browser.click("New technique under Session theft").fill("Name", "Cookie replay").fill("Id", "web-t1");
    browser.press("Create technique").expect(200).see("WEB-T1").see("Session theft");
    path
}

/// A procedure that names a technique of ATT&CK and one's own.
fn procedure(app: &TestApp, key: &str, ids: &[&str]) -> String {
    let body = serde_json::json!({
        "name": format!("Names {}", ids.join(" and ")), "description": "", "technique_ids": ids,
        "steps": [{"id": "s1", "kind": "step", "description": "Do it."}],
    });
    let procedures = vec![(key.to_owned(), serde_json::from_value(body).unwrap())];
    let atomics = Atomics { procedures, ..Atomics::default() };
    apply_atomics(&app.db, &Actor::command(), &atomics, Missing::Keep).unwrap();
    app.texts(&format!("SELECT id::text FROM library_procedures WHERE source_key = '{key}'")).remove(0)
}

#[test]
fn own_terms_are_made_used_and_deleted_when_nothing_uses_them() {
    let app = TestApp::spawn();
    let mut browser = app.sign_in(&app.people.standard);
    let methodology = own_methodology(&mut browser);
    assert_eq!(
        app.texts("SELECT array_to_string(tags, ',') FROM terms WHERE kind = 'methodology' AND key IS NULL"),
        ["web,apps"]
    );

    // An id of one's own never reads like ATT&CK's, and is taken once.
    browser.open("/library/techniques/new").fill("Name", "Other").fill("Id", "T1003.001");
    browser
        .check("Session theft")
        .press("Create technique")
        .expect(422)
        .see("reads like an id of MITRE ATT&CK");
    browser.fill("Id", "WEB-T1").press("Create technique").expect(422).see("Another one has this already");
    browser.fill("Id", "WEB-T2").uncheck("Session theft").press("Create technique").expect(422);
    browser.see("Choose at least one that it belongs to.");
    assert_eq!(browser.value("Name"), "Other", "what was typed stays");
    browser.check("Session theft").press("Create technique").expect(200).see("WEB-T2");
    browser.open("/library/tactics/new").fill("Name", "Mine").fill("Short name", "Credential Access");
    browser.check("Web attacks");
    browser.press("Create tactic").expect(422).see("A tactic of MITRE ATT&CK has this short name");

    // Procedures name it beside ATT&CK's.
    let id = procedure(&app, "own", &["T1539", "WEB-T1"]);
    browser.open(&format!("/library/procedures/{id}")).expect(200).see("Cookie replay").see("Session theft");
    browser.see("Steal Web Session Cookie");
    browser.open("/library/techniques/WEB-T1").expect(200).see("Names T1539 and WEB-T1");
    browser.open(&methodology).see("Cookie replay").see("1");
    browser.open("/library/tactics").see("Your own").see("Session theft");
    browser
        .open("/library/techniques")
        .choose("Methodology", "Web attacks")
        .press("Filter")
        .see("2 techniques");

    // An import and a new release take it for what it is.
    procedure(&app, "odd", &["ODD-T1"]);
    browser.open("/library/releases").expect(200).see("ODD-T1").see_not("WEB-T1");

    // What is used stays, and its page names what uses it.
    browser.open("/library/techniques/WEB-T1").click("Delete").see("It cannot be deleted").see("Names T1539");
    let term = browser.path().replace("/delete", "");
    assert_eq!(browser.post(&format!("{term}/delete"), &[]).status, 409);
    browser.open(&format!("{term}/edit")).fill("Id", "WEB-T9").press("Save").expect(422);
    browser.see("WEB-T1 is what 1 library procedure names it by, so the id stays.");
    browser
        .fill("Id", "WEB-T1")
        .fill("Name", "Replay of cookies")
        .press("Save")
        .expect(200)
        .see("Replay of cookies");
    browser.open(&methodology).click("Delete").see("1 tactic").see("Session theft");

    browser
        .open("/library/techniques/WEB-T2")
        .click("Delete")
        .press("Delete technique")
        .expect(200)
        .see("deleted.");
    browser.open("/library/techniques/WEB-T2").expect(404);
    assert_eq!(["term.created", "term.updated", "term.deleted"].map(|kind| app.events(kind)), [4, 1, 1]);

    // ATT&CK's are nobody's to change.
    let attack = app.texts("SELECT id::text FROM terms WHERE key IS NOT NULL").remove(0);
    browser.open(&format!("/library/terms/{attack}/edit")).expect(404);
    app.browser(&app.people.auditor).open(&methodology).expect(200).see_not("New tactic");
    app.browser(&app.people.auditor).open(&format!("{term}/edit")).expect(403);
    app.browser(&app.people.analyst).open(&methodology).expect(403);
}

#[test]
fn two_who_edit_one_term_lose_nothing() {
    let app = TestApp::spawn();
    let mut mine = app.browser(&app.people.standard);
    own_methodology(&mut mine);
    mine.open("/library/techniques/WEB-T1").click("Edit");
    let edit = mine.path().to_owned();
    let mut theirs = app.browser(&app.people.lead);
    theirs
        .open(&edit)
        .fill("Name", "Their name")
        .fill("Description", "Their words")
        .press("Save")
        .expect(200);
    mine.fill("Name", "My name")
        .fill("Tags", "mine")
        .press("Save")
        .expect(409)
        .see("Name changed on both sides.");
    mine.see("Their name");
    assert_eq!(mine.value("Name"), "My name");
    mine.press("Keep mine").expect(200).see("My name").see("Their words").see("mine");
}

#[test]
fn every_picker_filters_by_methodology_and_covers_own_tactics() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let methodology = own_methodology(&mut browser);
    procedure(&app, "own", &["WEB-T1"]);
    let id = methodology.rsplit('/').next().unwrap();
    browser.open(&format!("/library/procedures?methodology={id}")).expect(200).see("1 procedure");
    browser.open("/library/procedures?methodology=attack-enterprise").see_not("Names WEB-T1");
    browser.open("/library/procedures?tactic=session-theft").see("Names WEB-T1");
    browser.open("/test-plans/new").choose("Methodology", "Web attacks").press("Filter");
    browser.press_in("#picker section", "Add ").see("1 of 16 tactics").see("Session theft 1");
    browser.fill("Title", "Web").press("Save").expect(200).see("Session theft");
    // The editor of a procedure finds own techniques by name and by id.
    browser.open("/library/procedures/new").fill("Techniques", "cookie").press("Find").expect(200);
    browser.see("WEB-T1").see("T1539");
    browser.fill("Techniques", "web-t1").press("Find").expect(200);
    assert!(browser.has("input[name=technique][value='WEB-T1']"), "whoever types the whole id wants it");
    // So do the wizard and the page that adds to an engagement.
    let engagement = app.engagement(1);
    browser.open(&format!("/engagements/{}/procedures/add", engagement.id));
    browser.choose("Methodology", "Web attacks").press("Filter").expect(200);
    browser.see("Names WEB-T1").see_not("Marker attachment");
}

#[test]
fn what_stands_under_an_own_tactic_counts_in_glance_and_report() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    own_methodology(&mut browser);
    let id = procedure(&app, "own", &["WEB-T1"]);
    let engagement = app.engagement(1);
    let added = browser
        .post(&format!("/engagements/{}/procedures/add", engagement.id), &[("id", &format!("library-{id}"))]);
    assert_eq!(added.status, 303);
    let tactics = "SELECT array_to_string(tactics, ',') FROM procedures WHERE name = 'Names WEB-T1'";
    assert_eq!(app.texts(tactics), ["session-theft"]);
    browser.open(&format!("/engagements/{}/sections/outcomes", engagement.id)).expect(200);
    browser.see("Session theft");
    // What it is counted under keeps its short name, and its name is free.
    let tactic = app.texts("SELECT id::text FROM terms WHERE kind = 'tactic'").remove(0);
    let edit = format!("/library/terms/{tactic}/edit");
    browser.open(&edit).fill("Short name", "theft").press("Save").expect(422);
    browser.see("1 procedure elsewhere is counted under session-theft, so the short name stays.");
    browser.open(&edit).fill("Name", "Theft of sessions").press("Save").expect(200);
    browser.open(&edit).fill("Name", "Session theft").press("Save").expect(200);
    let submitted = browser.post(&format!("/engagements/{}/submit", engagement.id), &[("incomplete", "on")]);
    assert_eq!(submitted.status, 303, "{}", submitted.text());
    let frozen = "SELECT body -> 'tactics' -> -1 ->> 'name' FROM report_revisions";
    assert_eq!(app.texts(frozen), ["Session theft"]);
}

/// Statements that answers of the matrix sent so far.
fn statements() -> u64 {
    measure::statements().with_label_values(&["GET", MATRIX, "2xx"]).get()
}

#[test]
fn the_matrix_is_small_and_shows_the_latest_outcomes_of_whom_the_reader_sees() {
    let app = TestApp::spawn();
    let own = app.submitted(app.clients.own);
    let mut browser = app.browser(&app.people.lead);
    let before = statements();
    browser.open(MATRIX).expect(200).see("Credential Access").see("sub-techniques").see("Logged");
    let sent = statements() - before;
    println!("matrix: {sent} statements");
    assert!(sent <= 6, "{sent} statements");
    assert!(browser.has(".matrix [data-heat='l']"));
    for coding in ["gzip", "br"] {
        let answer = browser.send("GET", MATRIX, &[("accept-encoding", coding)], b"");
        println!("matrix: {} bytes as {coding}", answer.body.len());
        assert_eq!(answer.header("content-encoding"), coding);
        assert!(answer.body.len() <= 20 * 1024, "{} bytes as {coding}", answer.body.len());
    }
    let technique = app
        .texts(&format!(
            "SELECT technique_ids[1] FROM procedures WHERE engagement_id = '{}' ORDER BY position",
            own.id
        ))
        .remove(0);
    assert!(browser.has(&format!(".matrix a[href='/library/techniques/{technique}']")));

    // A later answer takes the place of the earlier one.
    let again = app.engagement(1);
    let fields = [
        ("version", "1"),
        ("red_outcome", "success"),
        ("blue_outcome", "prevented_alerted"),
        ("executed_at", "2026-11-20T07:30:00"),
        ("detected_at", "2026-11-20T07:40:00"),
    ];
    let saved = app.browser(&app.people.lead).post(&again.procedure_path(0), &fields);
    assert_eq!(saved.status, 303, "{}", saved.text());
    browser.open(MATRIX).expect(200);
    assert!(browser.has(".matrix [data-heat='p']") && !browser.has(".matrix [data-heat='l']"));

    let of = |client: &str| format!("{MATRIX}?client={client}");
    browser.open(&of(&app.clients.own.to_string())).expect(200).see("Prevented");
    browser.open(&of(&app.clients.foreign.to_string())).expect(404);
    let mut outsider = app.browser(&app.people.outsider);
    outsider.open(MATRIX).expect(200);
    assert!(!outsider.has(".matrix [data-heat]"), "outcomes of other clients are nobody's business");
    let mut auditor = app.browser(&app.people.auditor);
    auditor.open(MATRIX).expect(200).see_not("No answer");
    browser.open(&format!("{MATRIX}?methodology=3.0")).expect(404);
}

#[test]
fn an_own_methodology_has_a_matrix_of_its_own() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    let methodology = own_methodology(&mut browser);
    procedure(&app, "own", &["WEB-T1"]);
    browser.open(&methodology).click("Matrix").expect(200).see("Session theft").see("Cookie replay");
    assert_eq!(browser.texts(".matrix li b"), ["1"]);
    browser.see_not("The MITRE Corporation");
}

/// A private repository with one procedure; the lead edits, the Standard User views, everybody else is a
/// stranger to it.
fn private_procedure(app: &TestApp) -> LibraryProcedureId {
    let text = RepositoryText {
        name: "Quiet corner".into(),
        prefix: "QUIET".into(),
        description: String::new(),
        kind: "private".into(),
    };
    let part = |person: &Person, part| PartChange { person: person.id, had: None, chosen: Some(part) };
    let parts = [part(&app.people.lead, Part::Editor), part(&app.people.standard, Part::Viewer)];
    let write = |tx: &mut WriteTx<'_>| insert_repository(tx, Shelf::whole(), &text, &parts);
    let shelf = app.db.write_blocking(&Actor::command(), write).unwrap();
    let step = Step { id: "s".into(), description: "Zanzibar".into(), ..Step::default() };
    let body = ProcedureBody {
        name: "Zanzibar trick".into(),
        technique_ids: vec!["WEB-T1".into(), "T1539".into()],
        tags: vec!["zanzibar tag".into()],
        platforms: vec!["beos".into()],
        steps: vec![step],
        ..ProcedureBody::default()
    };
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), shelf, body);
    app.db.write_blocking(&Actor::command(), write).unwrap().0
}

#[test]
fn a_private_procedure_is_known_to_its_viewers_and_editors_alone() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let methodology = own_methodology(&mut lead);
    let key = methodology.rsplit('/').next().unwrap().to_owned();
    let secret = private_procedure(&app);
    let mut fields = vec![("title", "Plan of the corner"), ("version", "0"), ("do", "save")];
    let (id, known) = (secret.to_string(), procedure(&app, "known", &["T1003.008"]));
    fields.extend([("chosen", known.as_str()), ("chosen", id.as_str())]);
    let plan = lead.post("/test-plans/new", &fields).header("location").to_owned();
    lead.open(&plan).click("Start engagement").choose("Client", OWN);
    lead.press("Next: Engagement Details").press("Next: Select Procedures").press("Next: Finalize");
    lead.press("Create Engagement").expect(200);
    let engagement = lead.path().to_owned();

    let names = [
        format!("/library/procedures?methodology={key}"),
        "/library/procedures?tactic=session-theft".to_owned(),
        "/library/techniques/WEB-T1".to_owned(),
        plan.clone(),
        format!("{plan}/versions/1"),
        format!("{plan}/edit"),
        format!("/test-plans/new?from={}", plan.rsplit('/').next().unwrap()),
        "/test-plans/new".to_owned(),
    ];
    let in_matrix = |browser: &mut Browser| {
        browser.open(&format!("{MATRIX}?methodology={key}")).expect(200);
        browser.texts(".matrix li b")
    };
    for insider in [&app.people.lead, &app.people.standard] {
        let mut browser = app.browser(insider);
        for path in &names[..6] {
            browser.open(path).expect(200).see("Zanzibar trick");
        }
        assert_eq!(in_matrix(&mut browser), ["1"]);
        browser.open(&format!("{plan}/versions")).see("2");
        browser.open(&format!("{engagement}/origins")).expect(200);
        assert!(browser.has(&format!("a[href^='/library/procedures/{id}']")));
        assert!(browser.send("GET", "/tags.json", &[], b"").text().contains("zanzibar tag"));
        browser.open(&methodology).see("1");
    }
    // The second lead has the same rights and is a stranger to the repository, as the administrator is.
    for stranger in [&app.people.second, &app.people.administrator] {
        let mut browser = app.browser(stranger);
        for path in &names {
            browser.open(path).expect(200).see_not("Zanzibar").see_not("Quiet corner").see_not("beos");
        }
        assert_eq!(in_matrix(&mut browser), Vec::<String>::new());
        browser.open(&format!("{plan}/versions"));
        assert_eq!(browser.texts("td[data-label='Procedures']"), ["1"]);
        assert!(!browser.send("GET", "/tags.json", &[], b"").text().contains("zanzibar"));
        // What uses an own technique counts, so that it is not deleted below them; it has no name.
        browser.open("/library/techniques/WEB-T1").click("Delete").expect(200);
        browser.see("2 procedures elsewhere").see_not("Zanzibar");
    }
    app.browser(&app.people.administrator).open("/admin/tags").expect(200).see_not("zanzibar");
    let mut second = app.browser(&app.people.second);
    second.open(&format!("{engagement}/origins")).expect(200);
    assert!(!second.has(&format!("a[href^='/library/procedures/{id}']")));
    // A stranger's save and their way back to an older version keep what they do not know of.
    second.open(&format!("{plan}/edit")).fill("Title", "Renamed").press("Save").expect(200);
    second.open(&format!("{plan}/versions/1")).press("Restore version 1").expect(200);
    second.see("Version 1 restored.").see_not("no longer there");
    lead.open(&plan).see("Plan of the corner").see("Zanzibar trick");
}
