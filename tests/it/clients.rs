//! Two people who edit one client or one asset lose nothing.

use crate::harness::TestApp;
use crate::harness::fixtures::SAM;

#[test]
fn what_two_people_write_in_a_client_is_kept() {
    let app = TestApp::spawn();
    let page = format!("/clients/{}/edit", app.clients.own);
    let (mut one, mut two) = (app.browser(&app.people.lead), app.browser(&app.people.lead));
    one.open(&page).fill("Description", "").fill("Contacts", "").fill("Tags", "").press("Save").expect(200);
    one.open(&page);
    two.open(&page);
    one.fill("Contacts", "Ines at night").press("Save").expect(200).see("Client saved.");
    two.fill("Tags", "retail").press("Save").expect(200).see("Client saved.");
    let own = format!("FROM clients WHERE id = '{}'", app.clients.own);
    let stored = || app.texts(&format!("SELECT contacts || ' / ' || tags::text {own}"));
    assert_eq!(stored(), ["Ines at night / {retail}"], "each wrote a field of their own");

    one.open(&page);
    two.open(&page);
    one.fill("Description", "Ferries").fill("Tags", "retail, sea").press("Save").expect(200);
    two.fill("Description", "Ships").fill("Contacts", "Jonas by day").press("Save").expect(409);
    two.see("Description changed on both sides.").see("Ferries").see("Everything else is saved");
    assert_eq!(two.value("Description"), "Ships", "what was typed stays");
    assert_eq!(stored(), ["Jonas by day / {retail,sea}"]);
    // A third save in between conflicts again: a choice is made of what was shown.
    one.open(&page).fill("Description", "Ferries and a yard").press("Save").expect(200);
    two.press("Keep mine").expect(409).see("Ferries and a yard");
    two.press("Keep mine").expect(200).see("Client saved.");
    assert_eq!(app.texts(&format!("SELECT description {own}")), ["Ships"]);
    let told = app.texts("SELECT detail::text FROM audit.events WHERE kind = 'client.updated'");
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(!told.concat().contains("Ferries"), "long texts never enter the log: {told:?}");
}

#[test]
fn what_two_people_write_in_an_asset_is_kept() {
    let app = TestApp::spawn();
    let id = app.asset(app.clients.own, "HL-FS-01");
    let page = format!("/clients/{}/assets/{id}", app.clients.own);
    let (mut one, mut two) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    one.open(&page).fill("Description", "").press("Save").expect(200);
    one.open(&page);
    two.open(&page);
    two.fill("Address", "10.20.1.10")
        .choose("Criticality", "Low")
        .press("Save")
        .expect(200)
        .see("Asset saved.");
    one.fill("Description", "File server").choose("Criticality", "Critical").press("Save").expect(409);
    one.see(&format!("{SAM} saved another value")).see("Low").see("Critical");
    let stored =
        || app.texts("SELECT address || ' / ' || description || ' / ' || criticality FROM assets").remove(0);
    assert_eq!(stored(), "10.20.1.10 / File server / low");
    one.press("Take").expect(200).see("Asset saved.");
    assert_eq!(stored(), "10.20.1.10 / File server / low");
    one.open(&page).fill("Name", " ").press("Save").expect(422).see("Give the asset a name.");
    let taken = app.asset(app.clients.own, "HL-FS-02");
    one.open(&format!("/clients/{}/assets/{taken}", app.clients.own)).fill("Name", "HL-FS-01");
    one.press("Save").expect(422).see("This client has an asset of this name already");
    assert_eq!(one.value("Name"), "HL-FS-01");
    let events = app.texts("SELECT detail::text FROM audit.events WHERE kind = 'asset.updated'");
    assert!(events.concat().contains("\"Low\""), "kinds and criticalities are told in words: {events:?}");
    // Lines without an asset are refused with a word.
    let lines = format!("/clients/{}/assets/lines", app.clients.own);
    one.open(&lines).fill("Assets", "  \n\n").press("Create assets").expect(422);
    one.see("There is no asset in these lines.");
    assert_eq!(one.attribute("#lines", "aria-invalid").as_deref(), Some("true"));
    let strange = one.post(&page, &[("version", "1"), ("owner", "me")]);
    assert_eq!(strange.status, 422);
}
