//! What a report shows and what its figures mean: evidence that outlives its engagement, contradictions,
//! findings across reports, the printed page.

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::Engagement;

/// The smallest picture that is one.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

fn publish(browser: &mut Browser, e: &Engagement) {
    for (from, to) in [
        ("draft", "ready_for_review"),
        ("ready_for_review", "in_review"),
        ("in_review", "approved"),
        ("approved", "published"),
    ] {
        let fields = [("from", from), ("to", to), ("comment", "")];
        assert_eq!(
            browser.post(&format!("/reports/{}/move", e.report), &fields).status,
            303,
            "{from} → {to}"
        );
    }
}

/// A submitted engagement whose finding shows a picture.
fn with_picture(app: &TestApp) -> (Engagement, String) {
    let e = app.engagement(2);
    let mut lead = app.browser(&app.people.lead);
    let fields = [
        ("version", "1"),
        ("severity", "high"),
        ("red_outcome", "success"),
        ("red_notes", "The share was open."),
        ("attack_source", "HL-WS-014"),
        ("recommendation", "Close the share."),
        ("executed_at", "2026-11-20T07:00:00"),
        ("blue_outcome", "no_evidence"),
        ("detected_at", "2026-11-20T07:10:00"),
    ];
    assert_eq!(lead.post(&e.procedure_path(0), &fields).status, 303);
    lead.open(&format!("{}/attachments/new?team=red", e.procedure_path(0)))
        .attach("file", "shot.png", "image/png", PICTURE)
        .check("in_finding")
        .press("Attach")
        .expect(200);
    let file = app.texts("SELECT id FROM attachments").remove(0);
    (e, file)
}

fn submit(lead: &mut Browser, e: &Engagement) {
    assert_eq!(lead.post(&format!("{}/submit", e.path()), &[("incomplete", "yes")]).status, 303);
}

#[test]
fn a_published_report_keeps_its_evidence_whatever_becomes_of_its_engagement() {
    let app = TestApp::spawn();
    let (e, file) = with_picture(&app);
    let (mut lead, mut analyst) = (app.browser(&app.people.lead), app.browser(&app.people.analyst));
    submit(&mut lead, &e);
    let of_report = format!("/reports/{}/attachments/{file}", e.report);
    assert_eq!(lead.get(&of_report).status, 200);
    assert_eq!(analyst.get(&of_report).status, 404, "a draft is not there for them");
    publish(&mut lead, &e);
    assert_eq!(analyst.get(&of_report).status, 200);
    assert_eq!(app.browser(&app.people.outsider).get(&of_report).status, 404);
    let other = format!("/reports/{}/attachments/{}", e.report, e.report);
    assert_eq!(lead.get(&other).status, 404, "it shows no such file");

    let delete = format!("{}/delete", e.path());
    lead.open(&delete).see("Its published report stays with its evidence");
    lead.press("Delete engagement").expect(422).see("Type it as it stands above.");
    assert_eq!(lead.post(&delete, &[("title", &e.title)]).status, 303);
    for reader in [&mut lead, &mut analyst] {
        assert_eq!(reader.get(&of_report).status, 200);
        reader.open(&format!("/reports/{}", e.report));
        assert!(reader.has(&format!("img[src='{of_report}']")), "{}", reader.html());
    }
    assert_eq!(lead.get(&format!("{}/attachments/{file}", e.path())).status, 404);
}

#[test]
fn a_file_that_a_report_shows_is_never_swept() {
    let app = TestApp::spawn();
    let (e, file) = with_picture(&app);
    submit(&mut app.browser(&app.people.lead), &e);
    use diesel::connection::SimpleConnection;
    let removed = format!(
        "ALTER TABLE attachments DISABLE TRIGGER ALL;
         UPDATE attachments SET removed_at = now() - interval '1 year' WHERE id = '{file}';
         ALTER TABLE attachments ENABLE TRIGGER ALL;"
    );
    app.superuser().batch_execute(&removed).unwrap();
    let blobs = [file.parse().unwrap()];
    let unneeded = |app: &TestApp| {
        let since = app.clock.now();
        app.db
            .read_blocking(move |conn| {
                tyrian::procedures::store::attachments::list_unneeded(conn, &blobs, since)
            })
            .unwrap()
    };
    assert!(unneeded(&app).is_empty(), "the report shows it");
    app.superuser()
        .batch_execute(
            "ALTER TABLE report_revisions DISABLE TRIGGER ALL; UPDATE report_revisions SET body = '{}';
             ALTER TABLE report_revisions ENABLE TRIGGER ALL;
             ALTER TABLE finding_attachments DISABLE TRIGGER ALL; DELETE FROM finding_attachments;
             ALTER TABLE finding_attachments ENABLE TRIGGER ALL;",
        )
        .unwrap();
    assert_eq!(unneeded(&app).len(), 1);
}

#[test]
fn a_file_that_is_missing_is_said_so() {
    let app = TestApp::spawn();
    let (e, file) = with_picture(&app);
    let folder = app.app.config.attachments();
    std::fs::remove_file(folder.join(&file)).unwrap();
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/attachments/{file}", e.path()))
        .expect(410)
        .see("“shot.png” is missing on this server")
        .see(&file);
    let ready = app.visitor().get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("attachments: the folder is missing or empty"), "{}", ready.text());
}

#[test]
fn contradictions_are_listed_by_one_rule_before_submitting_and_after() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let mut lead = app.browser(&app.people.lead);
    let answers = [
        ("success", "prevented_alerted"),
        ("partial_success", "prevented_alerted"),
        ("blocked_by_control", "no_evidence"),
    ];
    for (n, (red, blue)) in answers.into_iter().enumerate() {
        let fields = [("version", "1"), ("red_outcome", red), ("blue_outcome", blue)];
        assert_eq!(lead.post(&e.procedure_path(n), &fields).status, 303);
    }
    let (prevented, stopped) =
        ("Red says it succeeded, blue says it was prevented.", "Red says a control stopped it");
    lead.open(&e.procedure_path(0)).see(prevented);
    lead.open(&e.procedure_path(1)).see_not(prevented);
    lead.open(&format!("{}/submit", e.path())).see(prevented).see(stopped).see("Partial Success");
    lead.open(&format!("{}?open=outcomes", e.path())).see("2 procedures contradict themselves").see(stopped);
    submit(&mut lead, &e);
    lead.open(&format!("/reports/{}", e.report)).see("2 procedures contradict themselves").see(prevented);
}

#[test]
fn a_report_counts_as_detected_only_what_was_alerted() {
    let app = TestApp::spawn();
    let (e, _) = with_picture(&app);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.procedure_path(0)).see("no alert was raised: left out of the times");
    submit(&mut lead, &e);
    lead.open(&format!("/reports/{}", e.report)).see("n = 0, 1 left out: not alerted").see("Logged only");
}

#[test]
fn publishing_tells_whom_it_concerns_and_findings_stand_across_reports() {
    let app = TestApp::spawn();
    let (e, _) = with_picture(&app);
    let (mut lead, mut analyst) = (app.browser(&app.people.lead), app.browser(&app.people.analyst));
    submit(&mut lead, &e);
    analyst.open("/findings").see("Nothing of this is left");
    publish(&mut lead, &e);
    for person in [&app.people.analyst, &app.people.standard] {
        app.browser(person).open("/").see("is Published.");
    }
    analyst.open("/findings").see("Nobody").see("No date").click("Update");
    let finding = app.texts("SELECT id FROM findings").remove(0);
    let remedy = format!("/reports/{}/findings/{finding}/remediation", e.report);
    analyst.open(&remedy).fill("Owner", "The network people").fill("due_on", "2026-01-10").press("Save");
    analyst.open("/findings?overdue=1").see("The network people").see("10 Jan 2026, overdue");
    analyst.open("/findings?mine=1").see("Nothing found");
    analyst.open("/findings?severity=low").see("Nothing found");
    analyst.open("/findings?severity=high&sort=severity").see("The network people");
    app.browser(&app.people.outsider).open("/findings").see_not("The network people");
}

#[test]
fn everything_to_print_holds_what_its_name_says_and_nothing_of_another_client() {
    let app = TestApp::spawn();
    let (e, _) = with_picture(&app);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.procedure_path(0));
    let steps = lead.texts("#steps code");
    assert!(!steps.is_empty());
    lead.open(&format!("{}/edit", e.path()))
        .fill("Access info", "By the VPN of the port")
        .fill("Special instructions", "Ring the bridge first")
        .fill("Tags", "winter")
        .press("Save")
        .expect(200);
    lead.open(&format!("{}?open=inputs", e.path()));
    let inputs = lead.texts("#inputs td[data-label=Defaults]");
    let unfilled = lead.texts("#inputs mark.unfilled").len();
    assert!(!inputs.is_empty());
    lead.open(&format!("{}/print", e.path()));
    assert_eq!(lead.texts("#inputs td[data-label=Defaults]"), inputs, "what they ran with");
    assert_eq!(lead.texts("#inputs mark.unfilled").len(), unfilled);
    lead.see("By the VPN of the port").see("Ring the bridge first").see("winter");
    for command in &steps {
        lead.see(command);
    }
    for text in ["The share was open.", "HL-WS-014", "Close the share.", "shot.png", "20 Nov 2026, 07:00:00"]
    {
        lead.see(text);
    }
    assert!(!lead.has("article input") && !lead.has("article select"));
    lead.see_not("Other bookings");
    let sheet = lead.get(&format!("{}/margins.css", e.path()));
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(sheet.text().contains("counter(pages)") && sheet.text().contains("\"Confidential\""));
}

#[test]
fn a_report_says_who_may_read_it() {
    let app = TestApp::spawn();
    let (e, _) = with_picture(&app);
    let mut lead = app.browser(&app.people.lead);
    submit(&mut lead, &e);
    let report = format!("/reports/{}", e.report);
    lead.open(&format!("{report}?open=all")).see("Confidential").see("Change outcome…").see("not published");
    lead.open(&format!("{report}/edit")).fill("Classification", "TLP:AMBER }").press("Save").expect(200);
    lead.see("TLP:AMBER }");
    let sheet = lead.get(&format!("{report}/margins.css")).text();
    assert!(sheet.contains("TLP\\00003a AMBER \\00007d "), "{sheet}");
    publish(&mut lead, &e);
    lead.open(&report).see("Revision 1, published").see("Approved");
}

#[test]
fn a_canceled_engagement_has_no_report_and_a_submitted_one_says_where_it_stands() {
    let app = TestApp::spawn();
    let (canceled, submitted) = (app.engagement(1), app.submitted(app.clients.own));
    let mut lead = app.browser(&app.people.lead);
    assert_eq!(lead.post(&format!("{}/cancellation", canceled.path()), &[("reason", "Not now")]).status, 303);
    lead.open(&format!("{}?open=report", canceled.path())).see("there is no report").see_not("Report: Draft");
    lead.open("/schedule?view=list&status=canceled").see_not("Report: Draft");
    lead.open("/engagements").see(&submitted.title).see("report in Draft");
}
