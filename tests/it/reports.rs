//! The report's way from Draft to Published: steps, narrative, findings, corrections, remediation, taking
//! back.

use crate::harness::TestApp;
use crate::harness::browser::{Browser, fields_of};
use crate::harness::fixtures::{DRILL, Engagement, LEA, Plan};

fn step(browser: &mut Browser, e: &Engagement, from: &str, to: &str, comment: &str) -> u16 {
    browser
        .post(&format!("/reports/{}/move", e.report), &[("from", from), ("to", to), ("comment", comment)])
        .status
}

fn publish(browser: &mut Browser, e: &Engagement) {
    for (from, to) in [
        ("draft", "ready_for_review"),
        ("ready_for_review", "in_review"),
        ("in_review", "approved"),
        ("approved", "published"),
    ] {
        assert_eq!(step(browser, e, from, to, ""), 303, "{from} → {to}");
    }
}

#[test]
fn a_report_leaves_draft_only_after_its_runbook_is_submitted() {
    let app = TestApp::spawn();
    let (open, empty) = (app.engagement(1), app.engagement(0));
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("/reports/{}", open.report)).see("Not submitted yet").see_not("Send for review");
    assert_eq!(step(&mut lead, &open, "draft", "ready_for_review", ""), 422);
    let page = lead.get(&format!("/reports/{}/edit", open.report));
    assert_eq!(page.status, 422);
    assert!(page.text().contains("Submit the engagement first."));
    // Without procedures there is nothing to submit.
    lead.open(&format!("/reports/{}", empty.report))
        .see("Report: Draft")
        .click("Send for review")
        .press("Send for review")
        .see("In Review");
    assert_eq!(
        app.texts(&format!("SELECT status FROM engagements WHERE id = '{}'", empty.id)),
        ["in_review"]
    );
}

#[test]
fn each_step_takes_its_right_and_a_stale_page_is_told() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let (mut standard, mut lead) = (app.browser(&app.people.standard), app.browser(&app.people.lead));
    // An editor sends for review, and reviews nothing.
    standard
        .open(&format!("/reports/{}", e.report))
        .see("Send for review")
        .see("Edit text")
        .click("Send for review");
    standard.check("Lea Winter").press("Send for review").expect(200).see("Report: Ready for Review");
    standard.see_not("Start review");
    assert_eq!(step(&mut standard, &e, "ready_for_review", "in_review", ""), 403);
    lead.open("/").see(&format!("The report “{DRILL}” waits for your review.")).see("Reports waiting on you");
    assert_eq!(step(&mut lead, &e, "ready_for_review", "in_review", ""), 303);
    let stale = lead
        .post(&format!("/reports/{}/move", e.report), &[("from", "ready_for_review"), ("to", "in_review")]);
    assert_eq!(stale.status, 409);
    assert!(stale.text().contains("Somebody moved this report to In Review meanwhile."));
    // Back to Draft wants a comment; whoever sent it is told and reads it.
    lead.open(&format!("/reports/{}/move?to=draft", e.report))
        .press("Back to Draft")
        .expect(422)
        .see("Say what has to be mended");
    lead.fill("comment", "The summary is missing.")
        .press("Back to Draft")
        .expect(200)
        .see("Report: Draft")
        .see(&format!("Back to Draft by {LEA}: The summary is missing."));
    standard.open("/").see(&format!("The report “{DRILL}” is Draft: The summary is missing."));
    assert_eq!(step(&mut lead, &e, "draft", "published", ""), 422, "no step is left out");
    publish(&mut lead, &e);
    assert_eq!(app.texts("SELECT status FROM engagements"), ["complete"]);
    assert_eq!(app.count("SELECT count(*) FROM report_moves"), 7);
}

#[test]
fn an_author_does_not_approve_their_own_when_the_setting_says_so() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    let mut admin = app.browser(&app.people.administrator);
    admin
        .open("/admin/settings")
        .check("Other eyes than the author’s")
        .press("Save settings")
        .expect(200)
        .see("Settings saved.");
    lead.open(&format!("/reports/{}/edit", e.report))
        .fill("Conclusion", "Test again in spring.")
        .press("Save")
        .expect(200);
    assert_eq!(step(&mut lead, &e, "draft", "ready_for_review", ""), 303);
    assert_eq!(step(&mut lead, &e, "ready_for_review", "in_review", ""), 303);
    let refused =
        lead.post(&format!("/reports/{}/move", e.report), &[("from", "in_review"), ("to", "approved")]);
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains("You wrote in this report, so somebody else approves it."),
        "{}",
        refused.text()
    );
    assert_eq!(app.texts("SELECT status FROM reports"), ["in_review"]);
    admin
        .open("/admin/settings")
        .check("Everyone with the right to review")
        .press("Save settings")
        .see("Settings saved.");
    assert_eq!(step(&mut lead, &e, "in_review", "approved", ""), 303);
}

#[test]
fn two_people_on_the_narrative_lose_nothing() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let path = format!("/reports/{}/edit", e.report);
    let (mut lead, mut standard) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    lead.open(&path).expect(200);
    standard.open(&path).expect(200);
    standard
        .fill("Approach", "From one laptop.")
        .fill("Conclusion", "Theirs")
        .press("Save")
        .expect(200)
        .see("Text saved.");
    // Different fields merge; what both wrote is shown with both values, and nothing typed is lost.
    lead.fill("Executive summary", "Held, mostly.").fill("Conclusion", "Mine").press("Save").expect(409);
    lead.see("Conclusion changed on both sides").see("Theirs");
    assert_eq!(
        (lead.value("Conclusion"), lead.value("Approach")),
        ("Mine".to_owned(), "From one laptop.".to_owned())
    );
    let stored =
        || app.texts("SELECT executive_summary || ' / ' || approach || ' / ' || conclusion FROM reports");
    assert_eq!(stored(), ["Held, mostly. / From one laptop. / Theirs"]);
    lead.press("Save").expect(409);
    lead.press("Keep mine").expect(200);
    assert_eq!(stored(), ["Held, mostly. / From one laptop. / Mine"]);
    // Whoever leaves the title as an older page showed it does not change it back.
    let old = fields_of(standard.open(&path).html(), "main form");
    lead.open(&path).fill("Title", "Drill of the quay").press("Save").expect(200);
    let mut again: Vec<(&str, &str)> =
        old.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    again.retain(|(name, _)| *name != "observations");
    again.push(("observations", "Quiet nights"));
    assert_eq!(standard.post(&path, &again).status, 303);
    assert_eq!(
        app.texts("SELECT title || ' / ' || observations FROM reports"),
        ["Drill of the quay / Quiet nights"]
    );
}

#[test]
fn the_preview_saves_nothing() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    let path = format!("/reports/{}/edit", e.report);
    lead.open(&path)
        .fill("Approach", "From **one** laptop <script>x</script>")
        .press("Preview")
        .expect(200)
        .see("Preview, not saved");
    assert!(lead.html().contains("<strong>one</strong>") && !lead.html().contains("<script>x"));
    assert_eq!(lead.value("Approach"), "From **one** laptop <script>x</script>");
    assert_eq!(app.texts("SELECT approach FROM reports"), [""]);
    let fragment = lead.post_with(
        &path,
        &[("approach", "*so*"), ("do", "preview"), ("version", "1")],
        &[("HX-Request", "true"), ("HX-Request-Type", "partial")],
    );
    assert!(fragment.text().contains("<em>so</em>") && !fragment.text().contains("<html"));
}

#[test]
fn findings_are_added_edited_ordered_and_removed_in_draft() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let asset = app.asset(app.clients.own, "mail01");
    let foreign = app.asset(app.clients.foreign, "other01");
    let mut lead = app.browser(&app.people.lead);
    let report = format!("/reports/{}", e.report);
    lead.open(&report)
        .click("Add finding")
        .fill("Description", "Nobody reads it.")
        .press("Add finding")
        .expect(422)
        .see("Give the finding a title.");
    assert_eq!(lead.value("Description"), "Nobody reads it.");
    let (form, at) = (fields_of(lead.html(), "main form"), lead.path().to_owned());
    lead.fill("Title", "Alerts at night")
        .choose("Severity", "Critical")
        .check("mail01")
        .press("Add finding")
        .expect(200)
        .see("Alerts at night");
    // The same form once more: a double click adds no second one.
    let mut again: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let asset = asset.to_string();
    again.retain(|(name, _)| !["title", "severity"].contains(name));
    again.extend([("title", "Alerts at night"), ("severity", "critical"), ("assets", asset.as_str())]);
    assert_eq!(lead.post(&at, &again).status, 303);
    let order = || app.texts("SELECT title FROM findings ORDER BY position, id");
    assert_eq!(order().len(), 2);
    assert_eq!(order()[1], "Alerts at night");
    lead.open(&report).press("Move Alerts at night up").expect(200);
    assert_eq!(order()[0], "Alerts at night");
    assert_eq!(
        app.texts("SELECT a.name FROM finding_assets f JOIN assets a ON a.id = f.asset_id"),
        ["mail01"]
    );
    // Another client's asset is not one of the choices, whatever is posted.
    let id = app.texts("SELECT id FROM findings WHERE title = 'Alerts at night'").remove(0);
    let foreign = foreign.to_string();
    let refused = lead.post(
        &format!("{report}/findings/{id}"),
        &[("version", "1"), ("title", "Alerts at night"), ("severity", "low"), ("assets", &foreign)],
    );
    assert_eq!(refused.status, 422);
    assert_eq!(
        app.texts("SELECT severity FROM findings WHERE title = 'Alerts at night'"),
        ["critical"],
        "nothing half done"
    );
    lead.open(&format!("{report}/findings/{id}"))
        .fill("Recommendation", "Route them to the night desk.")
        .press("Save")
        .expect(200);
    lead.see("Route them to the night desk.");
    lead.click("Remove Alerts at night").press("Remove finding").expect(200);
    assert_eq!(order().len(), 1);
    let kinds = app.texts("SELECT DISTINCT kind FROM audit.events WHERE kind LIKE 'finding%' ORDER BY 1");
    assert_eq!(kinds, ["finding.created", "finding.removed", "finding.updated", "findings.reordered"]);
}

#[test]
fn two_people_tick_assets_of_a_finding_and_both_ticks_stay() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    for name in ["mail01", "files01", "night01"] {
        app.asset(app.clients.own, name);
    }
    let (mut lead, mut standard) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    lead.open(&format!("/reports/{}", e.report))
        .click("Add finding")
        .fill("Title", "Alerts at night")
        .check("mail01")
        .press("Add finding")
        .expect(200);
    let id = app.texts("SELECT id FROM findings WHERE title = 'Alerts at night'").remove(0);
    let path = format!("/reports/{}/findings/{id}", e.report);
    lead.open(&path).expect(200);
    standard.open(&path).uncheck("mail01").check("files01").press("Save").expect(200);
    lead.check("night01").fill("Description", "Nobody reads them.").press("Save").expect(200);
    assert_eq!(
        app.texts("SELECT a.name FROM finding_assets f JOIN assets a ON a.id = f.asset_id ORDER BY a.name"),
        ["files01", "night01"],
        "of a set what each changed counts"
    );
}

#[test]
fn an_outcome_is_corrected_with_a_reason_and_the_frozen_one_stays_visible() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    let path = format!("/reports/{}/procedures/{}/correction", e.report, e.procedures[0]);
    lead.open(&format!("{path}?team=blue"))
        .see("Logged")
        .choose("Outcome that counts", "Alerted, Not Prevented");
    lead.press("Correct outcome").expect(422).see("Give a reason.");
    lead.fill("Reason", "The alert was in the other queue.").press("Correct outcome").expect(200);
    lead.see(&format!("corrected by {LEA}, frozen as Logged: The alert was in the other queue."))
        .see("Alerted, Not Prevented");
    assert_eq!(
        app.texts("SELECT blue_outcome FROM procedures WHERE blue_outcome IS NOT NULL"),
        ["logged"],
        "the runbook stays frozen"
    );
    // A page that showed the frozen value does not overwrite the correction.
    let stale = lead
        .post(&path, &[("team", "blue"), ("outcome", "no_evidence"), ("reason", "Old tab"), ("seen", "")]);
    assert_eq!(stale.status, 409);
    let same =
        lead.open(&format!("{path}?team=blue")).fill("Reason", "Again").press("Correct outcome").status();
    assert_eq!(same, 422, "it counts already");
    // The app itself can neither change nor remove what was said.
    use diesel::connection::SimpleConnection;
    for statement in [
        "UPDATE outcome_corrections SET reason = 'x'",
        "DELETE FROM outcome_corrections",
        "UPDATE report_moves SET comment = 'x'",
    ] {
        assert!(app.as_app().batch_execute(statement).is_err(), "{statement}");
    }
}

#[test]
fn what_is_published_is_frozen_and_taking_back_makes_a_new_revision() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let report = format!("/reports/{}", e.report);
    let (mut lead, mut analyst) = (app.browser(&app.people.lead), app.browser(&app.people.analyst));
    lead.open(&format!("{report}/edit")).fill("Conclusion", "First words.").press("Save").expect(200);
    assert_eq!(analyst.get(&report).status, 404, "a draft does not exist for them");
    publish(&mut lead, &e);
    analyst.open(&report).expect(200).see("First words.").see_not("History").see_not("Take back");
    let refused = lead.post(&format!("{report}/edit"), &[("version", "2"), ("conclusion", "Other words")]);
    assert_eq!(refused.status, 409);
    assert!(
        refused.text().contains("A published report is frozen.") && refused.text().contains("Other words"),
        "what was typed is still there"
    );
    let finding = app.texts("SELECT id FROM findings").remove(0);
    assert_eq!(lead.get(&format!("{report}/findings/{finding}")).status, 422);

    lead.open(&report).click("Take back").press("Take back").expect(422);
    lead.fill("comment", "A wrong name in it.")
        .press("Take back")
        .expect(200)
        .see("Report: Draft")
        .see("In Progress");
    assert_eq!(analyst.get(&report).status, 404);
    assert_eq!(app.events("report.taken_back"), 1);
    lead.open(&format!("{report}/edit")).fill("Conclusion", "Second words.").press("Save").expect(200);
    lead.open(&format!("{report}/revisions/1"))
        .see("Revision 1, as it was published")
        .see("First words.")
        .see_not("Second words.");
    lead.see("Taken back: A wrong name in it.");
    publish(&mut lead, &e);
    analyst.open(&report).see("Second words.");
    assert_eq!(
        app.texts("SELECT n || ' ' || (content ->> 'title') FROM report_publications ORDER BY n"),
        [format!("1 {DRILL}"), format!("2 {DRILL}")]
    );
    use diesel::connection::SimpleConnection;
    assert!(
        app.as_app().batch_execute("UPDATE report_publications SET content = '{}'").is_err(),
        "only inserted"
    );
}

#[test]
fn remediation_is_kept_after_publishing_by_the_clients_people_too() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let (mut lead, mut analyst) = (app.browser(&app.people.lead), app.browser(&app.people.analyst));
    publish(&mut lead, &e);
    analyst.open(&format!("/reports/{}", e.report)).see("Open").click("Update");
    analyst
        .choose("State", "In Remediation")
        .fill("Owner", "Workplace team")
        .fill("Due", "2026-02-30")
        .press("Save")
        .expect(422);
    analyst.see("This is not a date.");
    analyst
        .fill("Due", "2026-11-19")
        .press("Save")
        .expect(200)
        .see("In Remediation")
        .see("Owner: Workplace team")
        .see("overdue");
    // Another side's owner meanwhile is a conflict, the state is not.
    let id = app.texts("SELECT id FROM findings").remove(0);
    let path = format!("/reports/{}/findings/{id}/remediation", e.report);
    let old = [("version", "1"), ("state", "fixed"), ("owner", "Mail team"), ("due_on", "2026-11-19")];
    let answer = lead.post(&path, &old);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("Owner changed on both sides"), "{}", answer.text());
    assert_eq!(app.texts("SELECT owner FROM findings"), ["Workplace team"]);
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE kind = 'finding.remediated'"), 1);
    // The published text did not move.
    assert_eq!(app.texts("SELECT status FROM reports"), ["published"]);
}

#[test]
fn a_report_with_a_deleted_engagement_stands_still() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    assert_eq!(lead.post(&format!("{}/delete", e.path()), &[]).status, 303);
    let sends = [("from", "draft"), ("to", "ready_for_review"), ("comment", "Have a look")];
    let refused = lead.post(&format!("/reports/{}/move", e.report), &sends);
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains("so the report stays as it is") && refused.text().contains("Have a look"),
        "{}",
        refused.text()
    );
    lead.open(&format!("/reports/{}", e.report)).see_not("Send for review").see_not("Edit text");
    // To the client's people it does not exist, deleted or not.
    assert_eq!(
        app.browser(&app.people.analyst).post(&format!("/reports/{}/move", e.report), &sends).status,
        404
    );
}

#[test]
fn what_is_typed_into_a_finding_that_is_gone_becomes_a_new_one() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let (mut lead, mut standard) = (app.browser(&app.people.lead), app.browser(&app.people.standard));
    let id = app.texts("SELECT id FROM findings").remove(0);
    let path = format!("/reports/{}/findings/{id}", e.report);
    lead.open(&path).fill("Description", "Long words");
    assert_eq!(standard.post(&format!("{path}/removal"), &[]).status, 303);
    lead.press("Save").expect(409).see("Somebody removed this finding.");
    assert_eq!(lead.value("Description"), "Long words");
    let title = lead.value("Title");
    lead.press("Add finding").expect(200).see("Long words");
    assert_eq!(app.texts("SELECT title FROM findings"), [title]);
    // The form that added it, typed over and sent again, adds nothing under the same id and loses nothing.
    lead.open(&format!("/reports/{}/findings/new", e.report));
    let action = lead.attribute("main form", "action").unwrap();
    let first = [("version", "0"), ("title", "One"), ("severity", "low")];
    assert_eq!(lead.post(&action, &first).status, 303);
    let over = lead.post(&action, &[("version", "0"), ("title", "Two"), ("severity", "low")]);
    assert_eq!(over.status, 409);
    assert!(
        over.text().contains("Two") && over.text().contains("added its finding already"),
        "{}",
        over.text()
    );
    assert_eq!(lead.post(&format!("{action}/removal"), &[]).status, 303);
    assert_eq!(lead.post(&action, &first).status, 409, "its history is known: no fault of ours");
}

#[test]
fn whoever_keeps_the_remediation_is_no_author() {
    let app = TestApp::spawn();
    let e = app.submitted(app.clients.own);
    let mut lead = app.browser(&app.people.lead);
    let id = app.texts("SELECT id FROM findings").remove(0);
    let kept = [("version", "1"), ("state", "fixed"), ("owner", "Night desk"), ("due_on", "")];
    assert_eq!(lead.post(&format!("/reports/{}/findings/{id}/remediation", e.report), &kept).status, 303);
    let is_author = |person| {
        app.db.read_blocking(|conn| tyrian::reports::store::is_author(conn, e.report, person)).unwrap()
    };
    assert!(!is_author(app.people.lead.id));
    assert_eq!(
        lead.post(&format!("/reports/{}/edit", e.report), &[("version", "1"), ("approach", "x")]).status,
        303
    );
    assert!(is_author(app.people.lead.id));
}

/// What is closed is fetched when it is opened, and reads the same with everything open.
#[test]
fn a_long_report_shows_its_procedures_when_they_are_asked_for() {
    let app = TestApp::spawn();
    let plan = Plan { title: "Long drill", procedures: 51, ..Plan::default() };
    let e = app.plan(app.clients.own, &plan);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/submit", e.path())).check("incomplete").press("Submit Engagement");
    let report = format!("/reports/{}", e.report);
    let last = lead.get_fragment(&format!("{report}/procedures/51")).text();
    assert!(last.contains("Red team"), "{last}");
    lead.open(&report).see("Show the procedures").see("Printed as it stands on the screen");
    let page = lead.get(&report).text();
    assert!(!page.contains("id=\"p51\"") && page.contains("href=\"?open=all#p51\""));
    assert!(lead.get_fragment(&format!("{report}/sections/procedures")).text().contains("id=\"p51\""));
    let whole = lead.get(&format!("{report}?open=all")).text();
    assert!(whole.contains("id=\"p51\"") && whole.contains("href=\"#p51\"") && !whole.contains("hx-get"));
    for missing in ["procedures/52", "procedures/0", "sections/nothing"] {
        assert_eq!(lead.get_fragment(&format!("{report}/{missing}")).status, 404, "{missing}");
    }
    let section = lead.get(&format!("{report}/sections/timeline"));
    assert_eq!(
        (section.status, section.header("location")),
        (303, format!("{report}?open=all#entries").as_str())
    );
}
