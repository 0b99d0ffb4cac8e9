//! A file that cannot be read: see what is wrong, mend it, import it, and undo that.

use super::Hand;
use crate::harness::TestApp;

const BROKEN: &str = "attack_technique: T1003\natomic_tests:\n- name: Say hello\n  executor:\n    name: sh\n\
    \x20   command: [echo, hello]\n";

const MENDED: &str = "attack_technique: T1003\natomic_tests:\n- name: Say hello\n  auto_generated_guid: \
    aaaaaaaa-0000-4000-8000-000000000001\n  executor:\n    name: sh\n    command: echo hello\n- executor:\n\
    \x20   name: sh\n    command: echo nobody\n";

/// The whole way, by one hand.
pub fn a_broken_file_is_mended(app: &TestApp, lead: &mut impl Hand) {
    lead.sign_in(&app.people.lead);
    lead.click("Library");
    lead.see("Procedures to plan engagements from");
    lead.click("Import");
    lead.see("Import a file");
    lead.choose_file("file", "T1003.yaml", BROKEN.as_bytes());
    lead.press("Upload and check");
    lead.see("The file cannot be read, and nothing was written.");
    lead.see("test 1 \"Say hello\"");
    assert_eq!(lead.read("#fault td[data-label=Field]"), "executor.command");
    assert_eq!(lead.read("#fault td[data-label=Line]"), "6");
    lead.click("Upload again");
    lead.see("Import a file");
    lead.choose_file("file", "T1003.yaml", MENDED.as_bytes());
    lead.press("Upload and check");
    lead.see("Ready to apply");
    assert_eq!(lead.read("#refused td[data-label=Why]"), "its name is missing");
    lead.press("Apply");
    lead.see("Imported: added 1, changed 0, withdrawn 0, unchanged 0, refused 1.");
    lead.click("Show its procedures");
    lead.see("Say hello");
    lead.click("Import");
    lead.click("T1003.yaml");
    lead.see("Undo this import");
    lead.click("Undo this import…");
    lead.see("Nothing uses what it brought");
    lead.press("Undo import");
    lead.see("Import undone.");
}
