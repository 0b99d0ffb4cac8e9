//! The job: book an engagement, work it from both sides at once, submit it, read the report.

use super::Hand;
use crate::harness::TestApp;
use crate::harness::fixtures::{BEA, OWN, SAM};

const FIRST: &str = "Marker attachment arrives by mail";

/// Everything, by hands of one kind.
pub fn the_whole_job<H: Hand>(app: &TestApp, hand: impl Fn() -> H) {
    let engagement = book(app, &mut hand());
    let (mut red, mut blue) = (hand(), hand());
    work(app, &engagement, &mut red, &mut blue);
    finish(app, &engagement, &mut red, &mut blue);
}

/// The lead plans an engagement with three procedures; the path of its page.
fn book(app: &TestApp, lead: &mut impl Hand) -> String {
    lead.sign_in(&app.people.lead);
    lead.click("Engagements");
    lead.see("No engagements yet");
    lead.click("Start New Engagement");

    lead.see("Client");
    lead.choose("Client", OWN);
    lead.press("Next: Engagement Details");
    lead.see("Operators");
    lead.fill("Title", "Winter purple team");
    lead.fill("Description", "Mail to marker file, then what stays behind.");
    lead.fill("start_date", "2026-11-20");
    lead.fill("end_date", "2026-11-19");
    lead.check(&format!("{SAM} on the red team"));
    lead.check(&format!("{BEA} on the blue team"));
    lead.press("Next: Select Procedures");
    lead.see("before");
    lead.holds("Description", "Mail to marker file, then what stays behind.");
    lead.fill("end_date", "2026-11-27");
    lead.press("Next: Select Procedures");

    lead.see("Nothing selected yet");
    lead.press(&format!("Add {FIRST}"));
    lead.see("Selected 1");
    let names = second_and_third(app);
    for (n, name) in names.iter().enumerate() {
        lead.fill("Search the library", name);
        lead.press("Filter");
        lead.press(&format!("Add {name}"));
        lead.see(&format!("Selected {}", n + 2));
    }
    lead.press(&format!("Move {} up", names[1]));
    lead.press("Next: Finalize");

    lead.see("ATT&CK coverage");
    lead.see("Winter purple team");
    lead.see("Sam Rook");
    lead.press("Create Engagement");
    lead.see("In Progress");
    lead.see("0 of 3");
    lead.see(OWN);
    let path = lead.path();
    lead.stores(app, "SELECT title || ': ' || status FROM engagements", &["Winter purple team: in_progress"]);
    lead.stores(app, "SELECT name FROM procedures ORDER BY position", &[FIRST, &names[1], &names[0]]);
    lead.stores(app, "SELECT status FROM reports", &["draft"]);
    lead.press_sign_out();
    path.split('?').next().unwrap().to_owned()
}

/// Two more procedures of the starter library, by name.
fn second_and_third(app: &TestApp) -> [String; 2] {
    let names = app.texts(&format!(
        "SELECT name FROM library_procedures WHERE name <> '{FIRST}' \
            AND name NOT LIKE '%''%' ORDER BY name LIMIT 2"
    ));
    [names[0].clone(), names[1].clone()]
}

/// Red and blue on the first procedure at the same moment.
fn work(app: &TestApp, engagement: &str, red: &mut impl Hand, blue: &mut impl Hand) {
    red.sign_in(&app.people.standard);
    blue.sign_in(&app.people.second);
    for hand in [&mut *red as &mut dyn Hand, &mut *blue as &mut dyn Hand] {
        hand.open(engagement);
        hand.click(FIRST);
        hand.see("1 of 3");
    }

    // Red starts: status, time and a log entry at once.
    red.press("Start");
    red.holds("status", "in_progress");
    red.holds_something("executed_at");
    red.press("Done: step 1");
    red.see("1 of 4 done");
    red.fill("Attack source", "ws-014, 192.0.2.14");
    red.fill("red_notes", "Sent at nine, **delivered** at once.");
    red.choose("red_outcome", "Partial Success");
    red.save();
    red.see_not("Unsaved changes");
    red.see("Saved");

    // It appears on blue's open page; what blue is typing stays.
    blue.fill("blue_notes", "Gateway log searched");
    blue_looks(blue);
    blue.holds("attack_source", "ws-014, 192.0.2.14");
    blue.fill("blue_notes", "Gateway log searched");
    blue.choose("blue_outcome", "Alerted, Not Prevented");
    blue.fill("detected_at", "2026-11-20T09:04:10");
    blue.fill("Attack source", "blue's word");
    blue.save();
    blue.see_not("changed on both sides");
    blue.see("Saved");

    // Both changed one field: red sees both values and chooses.
    red.fill("Attack source", "ws-014, corrected");
    red.fill("red_notes", "Sent at nine, **delivered** at once, opened at ten past.");
    red.save();
    // Without scripts red's page is as old as its last load; with them blue's word has arrived beside the
    // field.
    red.see("Attack source changed on both sides");
    red.see("blue's word");
    red.holds("attack_source", "ws-014, corrected");
    red.stores(
        app,
        "SELECT attack_source || ' / ' || red_notes FROM procedures WHERE position = 1",
        &["blue's word / Sent at nine, **delivered** at once, opened at ten past."],
    );
    red.press("Keep mine");
    red.see_not("changed on both sides");
    red.holds("attack_source", "ws-014, corrected");
    red.stores(app, "SELECT attack_source FROM procedures WHERE position = 1", &["ws-014, corrected"]);

    // A log entry and a file, each stored at once.
    red.press("Add red entry");
    red.fill("Red log entry", "The recipient opened the archive.");
    red.press("Add entry");
    red.see("The recipient opened the archive.");
    red.attach("Red", "gateway.log", "text/plain", b"accepted 2026-11-20 09:00:00\n");
    red.see("gateway.log");
    red.see_not("Sending gateway.log");
    red.stores(
        app,
        "SELECT file_name || ' ' || team || ' ' || size FROM attachments",
        &["gateway.log red 29"],
    );
}

/// Others' saves are on the page: by themselves with scripts, after a reload without.
fn blue_looks(blue: &mut impl Hand) {
    blue.look_again();
}

/// The rest of the runbook, the submission, the report.
fn finish(app: &TestApp, engagement: &str, red: &mut impl Hand, blue: &mut impl Hand) {
    red.choose("status", "Completed");
    red.choose("severity", "High");
    red.save_and_next();
    red.see("2 of 3");
    red.next();
    red.see("3 of 3");
    red.choose("status", "Not Applicable");
    red.save();
    red.see("Say why the procedure is Not Applicable.");
    red.holds("status", "not_applicable");
    red.fill("not_applicable_reason", "The client runs no such service.");
    red.save();
    red.see_not("Unsaved changes");
    red.click("Close");
    red.see("2 of 3");
    red.click("Submit Engagement");
    red.see("Submitting cannot be reversed.");
    red.see("66 %");
    red.check("incomplete");
    red.press("Submit Engagement");

    red.see("Report: Draft");
    red.see("Winter purple team");
    red.see(OWN);
    red.see("High");
    red.click("Print");
    red.see("ws-014, corrected");
    red.see("Partial Success");
    red.see("Alerted, Not Prevented");
    red.see("The recipient opened the archive.");
    red.see("The client runs no such service.");
    red.see("Sam Rook");
    red.stores(app, "SELECT count(*) FROM report_revisions", &["1"]);
    red.stores(app, "SELECT count(*) FROM findings", &["1"]);

    // Nobody writes any more, whatever stands on an open page; what was typed is not lost.
    blue.fill("blue_notes", "One more thing");
    blue.save();
    blue.see("submitted");
    blue.holds("blue_notes", "One more thing");
    blue.stores(app, "SELECT blue_notes FROM procedures WHERE position = 1", &["Gateway log searched"]);
    red.open(engagement);
    red.see("Submitted");
    red.see_not("Submit Engagement");
}

/// Whatever the answer to a save is, what was typed stays in the form.
pub fn a_refused_save_leaves_what_was_typed(app: &TestApp, mut red: impl Hand) {
    use diesel::connection::SimpleConnection;
    let e = app.engagement(1);
    red.sign_in(&app.people.standard);
    red.open(&e.procedure_path(0));
    red.fill("red_notes", "An hour of notes");
    red.fill("value.recipient", "test-mailbox@alder.example");
    red.press("Set inputs");
    red.see("To: test-mailbox@alder.example");
    red.holds("red_notes", "An hour of notes");
    let take = format!(
        "SET session_replication_role = replica; DELETE FROM client_access WHERE person_id = '{}'",
        app.people.standard.id
    );
    app.superuser().batch_execute(&take).unwrap();
    red.press("Save");
    red.see("Not here");
    red.holds("red_notes", "An hour of notes");
}
