//! Tags: one look, one list of suggestions, and the page where one is renamed or merged.

use crate::harness::TestApp;
use crate::harness::fixtures::hostile;

fn tags(app: &TestApp, table: &str) -> Vec<String> {
    app.texts(&format!("SELECT array_to_string(tags, ',') FROM {table} WHERE tags <> '{{}}' ORDER BY 1"))
}

#[test]
fn a_tag_is_renamed_and_merged_wherever_it_stands() {
    let app = TestApp::spawn();
    app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    let client = app.clients.own;
    lead.open(&format!("/clients/{client}/edit")).fill("Tags", "Old, Keep").press("Save").expect(200);
    lead.open(&format!("/clients/{client}/assets/new")).fill("Name", "db01").fill("Tags", "keep, old, new");
    lead.press("Create asset").expect(200).see("old");
    let report = app
        .texts(
            "SELECT id::text FROM reports WHERE engagement_id IN \
        (SELECT id FROM engagements WHERE submitted_at IS NOT NULL)",
        )
        .remove(0);
    lead.open(&format!("/reports/{report}/edit")).fill("Tags", "old").press("Save").expect(200);
    let finding = app.texts("SELECT id::text FROM findings").remove(0);
    lead.open(&format!("/reports/{report}/findings/{finding}"))
        .fill("Tags", "old, new")
        .press("Save")
        .expect(200);
    let plan = app.texts("SELECT id::text FROM test_plans ORDER BY title LIMIT 1").remove(0);
    lead.open(&format!("/test-plans/{plan}/edit")).fill("Tags", "old").press("Save").expect(200);

    // Suggestions are of what one sees.
    let offered = lead.send("GET", "/tags.json", &[], b"").text();
    assert!(offered.contains("\"old\"") && offered.contains("\"keep\""), "{offered}");
    let outside = app.browser(&app.people.outsider).send("GET", "/tags.json", &[], b"").text();
    assert!(!outside.contains("\"keep\""), "{outside}");

    // Who administers sees what their access shows, and renames everywhere.
    let mut browser = app.sign_in(&app.people.administrator);
    browser.open("/admin").click("Tags").expect(200).see("old").see("1 test plan");
    app.give_access(&app.people.administrator, client, "team_lead");
    browser.open("/admin/tags?q=old").see("1 client").see("1 asset").see("1 report").see("1 finding");
    browser.click("Rename or merge old").fill("New name", "Older, oldest").press("Rename").expect(422);
    browser.see("A comma separates tags.").fill("New name", hostile!("Aged")).press("Rename").expect(200);
    browser.see("in 5 places");
    let ancient = hostile!("Aged").to_lowercase();
    assert_eq!(tags(&app, "assets"), [format!("keep,{ancient},new")], "in its place");
    let versions = app.texts(&format!(
        "SELECT n::text || (body -> 'tags')::text FROM test_plan_versions \
            WHERE test_plan_id = '{plan}' ORDER BY n DESC LIMIT 1"
    ));
    assert!(versions[0].contains("ged <x"), "{versions:?}");

    // An edit from before meets the new name and does not bring back the old one.
    browser
        .open("/admin/tags?q=aged")
        .click("Rename or merge")
        .fill("New name", "NEW")
        .press("Rename")
        .expect(422);
    browser.see("is in use already").press("Merge").expect(200);
    assert_eq!(tags(&app, "assets"), ["keep,new"]);
    assert_eq!(tags(&app, "findings"), ["new"]);
    assert_eq!(["tag.renamed", "tag.merged"].map(|kind| app.events(kind)), [1, 1]);
    assert_eq!(
        app.texts(
            "SELECT value FROM field_history WHERE field = 'tags' \
            AND subject_type = 'finding' ORDER BY version"
        ),
        ["old, new".to_owned(), format!("{ancient}, new"), "new".to_owned()]
    );
    browser.open("/admin/tags/rename?tag=old").expect(404);
    app.browser(&app.people.lead).open("/admin/tags").expect(403);
}

#[test]
fn a_renamed_tag_of_a_procedure_is_its_next_version() {
    let app = TestApp::spawn();
    let body = serde_json::json!({
        "name": "Tagged", "description": "", "technique_ids": [], "tags": ["old", "new"],
        "steps": [{"id": "s1", "kind": "step", "description": "Do it."}],
    });
    let atomics = tyrian::imports::atomics::Atomics {
        procedures: vec![("tagged".to_owned(), serde_json::from_value(body).unwrap())],
        ..Default::default()
    };
    let command = tyrian::kernel::event::domain::Actor::command();
    tyrian::imports::store::apply_atomics(
        &app.db,
        &command,
        &atomics,
        tyrian::library::changes::Missing::Keep,
    )
    .unwrap();
    let mut browser = app.browser(&app.people.administrator);
    browser.open("/admin/tags/rename?tag=old").fill("New name", "new").press("Rename").expect(422);
    browser.press("Merge").expect(200).see("in 1 place");
    assert_eq!(
        app.texts(
            "SELECT v.n || ' ' || (v.body -> 'tags')::text FROM library_procedure_versions v \
            JOIN library_procedures p ON p.id = v.procedure_id WHERE p.source_key = 'tagged' ORDER BY v.n"
        ),
        ["1 [\"old\", \"new\"]", "2 [\"new\"]"]
    );
    assert_eq!(
        app.texts(
            "SELECT current_version || array_to_string(tags, ',') FROM library_procedures \
            WHERE source_key = 'tagged'"
        ),
        ["2new"]
    );
}
