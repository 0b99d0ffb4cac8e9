//! A team's own procedure: written with two commands and three inputs, put into a test plan.

use super::Hand;
use crate::harness::TestApp;

/// Everything, by one hand.
pub fn a_procedure_is_written_and_planned(app: &TestApp, lead: &mut impl Hand) {
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
    lead.open("/test-plans/new");
    lead.fill("Title", "Vault week");
    lead.fill("Search", "vault");
    lead.press("Filter");
    lead.press("Add Send the vault away");
    lead.see("1 chosen");
    lead.save();
    lead.see("Vault week");
    lead.see("Send the vault away");
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
