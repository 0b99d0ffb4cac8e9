//! From a request to a published report: the client's analyst asks, the lead approves, the clock starts it,
//! the runbook is submitted, the report goes through its review, and the analyst reads it.

use tyrian::jobs::find;
use tyrian::kernel::job::{Trigger, run};

use super::Hand;
use crate::harness::TestApp;
use crate::harness::fixtures::{BEA, OWN, SAM};

/// Everything, by hands of one kind.
pub fn from_request_to_complete<H: Hand>(app: &TestApp, hand: impl Fn() -> H) {
    ask(&mut hand());
    approve(&mut hand());
    // The start date comes, and with it the hourly job.
    app.clock.set("2026-11-24T00:00:00Z".parse().unwrap());
    assert_eq!(
        run(&app.app.reach(), find("schedule-transitions").unwrap(), Trigger::Tick, None).unwrap().moved,
        1
    );
    let mut lead = hand();
    submit(app, &mut lead);
    review(&mut lead);
    read(app, &mut hand());
}

fn ask(analyst: &mut impl Hand) {
    analyst.sign_in_as("ann.field@tyrian.example", "Ann Field");
    analyst.click("Schedule");
    analyst.see("November 2026");
    analyst.click("Request engagement");
    analyst.see("Request an engagement");
    analyst.choose("client", OWN);
    analyst.fill("Title", "Quay servers, first look");
    analyst.fill("start_date", "2026-11-24");
    analyst.fill("end_date", "2026-11-27");
    analyst.fill("Objective", "See what the new hall sees.");
    analyst.press("Send request");
    analyst.see("Requested. Whoever may approve it was told.");
    analyst.see("Pending");
}

fn approve(lead: &mut impl Hand) {
    lead.sign_in_as("lea.winter@tyrian.example", "Lea Winter");
    lead.see("Requests to approve");
    lead.click("Schedule");
    lead.see("Quay servers, first look");
    // The drawer tells of it without leaving the calendar; it has an address of its own.
    lead.click(&format!("Pending {OWN}: Quay servers, first look"));
    lead.see("Open engagement");
    assert!(lead.path().starts_with("/schedule/"), "{}", lead.path());
    lead.click("Approve…");
    lead.see("See what the new hall sees.");
    lead.press("Next");
    lead.fill("report_title", "Quay servers");
    lead.press("Next");
    lead.see("It will be Scheduled");
    lead.press("Next");
    lead.see("Other bookings in these dates");
    lead.check(&format!("{SAM} on the red team"));
    lead.check(&format!("{BEA} on the blue team"));
    lead.press("Schedule & create report");
    lead.see("Approved. It is Scheduled, and its report is made.");
}

fn submit(app: &TestApp, lead: &mut impl Hand) {
    lead.sign_in_as("lea.winter@tyrian.example", "Lea Winter");
    let engagement = app.texts("SELECT '/engagements/' || id FROM engagements").remove(0);
    lead.open(&engagement);
    lead.see("In Progress");
    lead.click("Submit Engagement");
    lead.check("incomplete");
    lead.press("Submit Engagement");
    lead.see("Report: Draft");
}

fn review(lead: &mut impl Hand) {
    lead.click("Edit text");
    lead.fill("Executive summary", "The new hall sees **as much** as the old one.");
    lead.press("Preview");
    lead.see("Preview, not saved");
    lead.save();
    lead.see("Text saved.");
    lead.see("The new hall sees as much as the old one.");
    lead.click("Add finding");
    lead.fill("Title", "Alerts at night wait until the morning");
    lead.choose("severity", "High");
    lead.fill("Recommendation", "Route them to the night desk.");
    lead.press("Add finding");
    lead.see("Finding added.");
    for (link, arrives) in [
        ("Send for review", "Report: Ready for Review. The engagement is In Review."),
        ("Start review", "Report: In Review. The engagement is In Review."),
        ("Approve", "Report: Approved. The engagement is In Review."),
        ("Publish", "Report: Published. The engagement is Complete."),
    ] {
        lead.click(link);
        lead.see("Report: ");
        lead.press(link);
        lead.see(arrives);
    }
}

fn read(app: &TestApp, analyst: &mut impl Hand) {
    analyst.sign_in_as("ann.field@tyrian.example", "Ann Field");
    analyst.see("“Quay servers, first look” was approved and is Scheduled.");
    analyst.click("Reports");
    analyst.click("Quay servers");
    analyst.see("The new hall sees as much as the old one.");
    analyst.see("Alerts at night wait until the morning");
    analyst.click("Update");
    analyst.choose("state", "In Remediation");
    analyst.fill("Owner", "Night desk");
    analyst.save();
    analyst.see("Remediation saved.");
    analyst.see("Owner: Night desk");
    analyst.stores(
        app,
        "SELECT e.status || ' ' || r.status FROM engagements e JOIN reports r ON r.engagement_id = e.id",
        &["complete published"],
    );
}
