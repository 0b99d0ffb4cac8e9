//! Engagements as people plan, submit and cancel them: what is typed stays when the world changed meanwhile.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::lifecycle::domain::EngagementStatus;

use crate::harness::TestApp;
use crate::harness::browser::fields_of;
use crate::harness::fixtures::{LONG, Plan};

#[test]
fn details_typed_while_somebody_cancels_stay_on_the_page() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/edit", e.path())).expect(200);
    let form = fields_of(lead.html(), "main form");
    let typed: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| {
            (name.as_str(), if name == "scope" { "Nine hosts on the quay" } else { value.as_str() })
        })
        .collect();
    app.browser(&app.people.lead)
        .post(&format!("{}/cancellation", e.path()), &[("reason", "The client moved")]);
    assert_eq!(app.texts("SELECT status FROM engagements"), ["canceled"]);
    let answer = lead.post(&format!("{}/edit", e.path()), &typed);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("Nine hosts on the quay"), "what was typed is still there");
    assert!(answer.text().contains("Nothing is saved."), "{}", answer.text());
    assert_eq!(app.texts("SELECT scope FROM engagements"), [LONG.as_str()]);
}

/// What a refused form shows holds a colleague's tick from meanwhile, so that the next save keeps it.
#[test]
fn a_colleagues_tick_survives_a_refused_save_of_operators() {
    let app = TestApp::spawn();
    let e = app.engagement(0);
    let path = format!("{}/operators", e.path());
    let [standard, second] = [&app.people.standard, &app.people.second].map(|person| person.id.to_string());
    let (mut one, mut two) = (app.browser(&app.people.lead), app.browser(&app.people.lead));
    // From a page that showed nobody, while a colleague adds somebody.
    let nobody = "SET session_replication_role = replica; DELETE FROM engagement_operators";
    app.superuser().batch_execute(nobody).unwrap();
    assert_eq!(two.post(&path, &[("blue", &second)]).status, 303);
    let (from, had) = (format!("from.{standard}"), format!("had_from.{standard}"));
    let refused = one.post(&path, &[("red", &standard), (&from, "no day"), (&had, "")]);
    assert_eq!(refused.status, 422);
    let form = fields_of(&refused.text(), "#operators form");
    assert_eq!((form["had_blue"].as_str(), form["blue"].as_str()), (second.as_str(), second.as_str()));
    let day = [("red", standard.as_str()), ("blue", &second), ("had_blue", &second)];
    assert_eq!(one.post(&path, &day).status, 303);
    assert_eq!(app.count("SELECT count(*) FROM engagement_operators"), 2);
}

#[test]
fn operators_ticked_stay_ticked_when_one_has_no_access() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    let (standard, custom, outsider) = (app.people.standard.id, app.people.custom.id, app.people.outsider.id);
    let before = app.count("SELECT count(*) FROM engagement_operators");
    let (s, c, o) = (standard.to_string(), custom.to_string(), outsider.to_string());
    // Those of blue whom the page showed are unticked, and two others ticked.
    let shown = app.texts("SELECT person_id FROM engagement_operators WHERE team = 'blue'");
    let mut ticks = vec![("had_red", &s), ("red", &s), ("blue", &c), ("blue", &o)];
    ticks.extend(shown.iter().map(|person| ("had_blue", person)));
    let ticks: Vec<(&str, &str)> = ticks.iter().map(|(name, person)| (*name, person.as_str())).collect();
    let answer = lead.post(&format!("{}/operators", e.path()), &ticks);
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert!(page.contains("has no access to this client"), "{page}");
    let boxes = scraper::Html::parse_document(&page);
    let checked: Vec<String> = boxes
        .select(&crate::harness::browser::selector("input[type=checkbox][name=blue][checked]"))
        .filter_map(|b| b.attr("value").map(str::to_owned))
        .collect();
    assert_eq!(checked, [c]);
    assert_eq!(app.count("SELECT count(*) FROM engagement_operators"), before, "nothing is saved");
}

#[test]
fn an_operator_who_lost_access_can_be_kept_while_others_change() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    // The audit triggers ask the app's role alone for an event.
    let taken = format!(
        "SET session_replication_role = replica; DELETE FROM client_access WHERE person_id = '{}'",
        app.people.standard.id
    );
    app.superuser().batch_execute(&taken).unwrap();
    let mut lead = app.browser(&app.people.lead);
    let (s, c) = (app.people.standard.id.to_string(), app.people.custom.id.to_string());
    let answer = lead.post(&format!("{}/operators", e.path()), &[("had_red", &s), ("red", &s), ("blue", &c)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[test]
fn the_arrow_that_moved_a_procedure_keeps_the_focus() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/procedures/order", e.path())).expect(200);
    let third = e.procedures[2].to_string();
    let order: Vec<String> = e.procedures.iter().map(ToString::to_string).collect();
    let up = |order: &[String], lead: &mut crate::harness::browser::Browser| {
        let mut form: Vec<(&str, &str)> = order.iter().map(|id| ("order", id.as_str())).collect();
        form.push(("up", &third));
        let moved = lead.post(&format!("{}/procedures/order", e.path()), &form);
        assert_eq!(moved.status, 303);
        let next = moved.header("location").to_owned();
        lead.open(&next).expect(200);
    };
    up(&order, &mut lead);
    assert_eq!(lead.attribute("[autofocus]", "name").as_deref(), Some("up"));
    assert_eq!(lead.attribute("[autofocus]", "value").as_deref(), Some(third.as_str()));
    up(&[order[0].clone(), order[2].clone(), order[1].clone()], &mut lead);
    assert_eq!(
        lead.attribute("[autofocus]", "name").as_deref(),
        Some("down"),
        "it is the first now: its up is disabled"
    );
}

#[test]
fn an_addition_of_nothing_says_so_where_the_focus_is() {
    let app = TestApp::spawn();
    let e = app.engagement(0);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/procedures/add", e.path())).press("Add the ticked ones").expect(422);
    assert!(lead.has(".notice[role=alert][data-focus]"), "{}", lead.text());
}

#[test]
fn what_is_due_counts_before_the_hourly_job_has_been_there() {
    let app = TestApp::spawn();
    let start = app.clock.now().date_naive() + TimeDelta::days(1);
    let e = app.plan(
        app.clients.own,
        &Plan { status: EngagementStatus::Scheduled, start: Some(start), ..Plan::default() },
    );
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.path()).expect(200).see("Scheduled");
    assert_eq!(lead.get(&format!("{}/submit", e.path())).status, 422);
    app.pass(TimeDelta::days(1));
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.path()).expect(200).see("In Progress").see_not("Scheduled");
    assert_eq!(lead.get(&format!("{}/submit", e.path())).status, 200);
    assert_eq!(app.texts("SELECT status FROM engagements"), ["scheduled"], "reading writes nothing");
}

#[test]
fn two_submits_at_once_make_one_report() {
    let app = TestApp::spawn();
    for round in 0..5 {
        let e = app.engagement(2);
        let path = format!("{}/submit", e.path());
        let mut both = [app.browser(&app.people.lead), app.browser(&app.people.lead)];
        let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
            let threads: Vec<_> = both
                .iter_mut()
                .map(|b| {
                    let path = &path;
                    scope.spawn(move || {
                        let answer = b.post(path, &[("incomplete", "yes")]);
                        (answer.status, answer.header("location").to_owned())
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let report = format!("/reports/{}", e.report);
        assert_eq!(
            answers,
            [(303, report.clone()), (303, report)],
            "round {round}: both land on the one report"
        );
        let of = |table: &str, column: &str, id: &str| {
            app.count(&format!("SELECT count(*) FROM {table} WHERE {column} = '{id}'"))
        };
        assert_eq!(of("reports", "engagement_id", &e.id.to_string()), 1);
        assert_eq!(of("report_revisions", "report_id", &e.report.to_string()), 1);
        let submitted =
            "SELECT count(*) FROM audit.events WHERE kind = 'engagement.submitted' AND engagement_id";
        assert_eq!(app.count(&format!("{submitted} = '{}'", e.id)), 1, "one event");
    }
}

#[test]
fn a_file_over_the_limit_is_refused_and_leaves_nothing() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let limit: i64 = app.count("SELECT attachment_bytes FROM settings");
    assert_eq!(limit, 50 * 1024 * 1024);
    let mut b = app.browser(&app.people.standard);
    b.open(&format!("{}/attachments/new?team=red", e.procedure_path(0))).expect(200);
    b.attach(
        "file",
        "capture.pcap",
        "application/octet-stream",
        &vec![7; usize::try_from(limit).unwrap() + 1],
    )
    .fill("Title", "The capture");
    b.press("Attach");
    assert_eq!(b.status(), 413, "{}", b.text());
    b.see("50 MiB");
    assert_eq!(b.value("Title"), "The capture");
    assert_eq!(app.count("SELECT count(*) FROM attachments"), 0);
    let left = walk(&app.app.config.attachments());
    assert!(left.is_empty(), "{left:?}");

    b.open(&format!("{}/attachments/new?team=red", e.procedure_path(0))).expect(200);
    b.attach("file", "capture.pcap", "application/octet-stream", &vec![7; usize::try_from(limit).unwrap()])
        .press("Attach");
    b.expect(200).see("capture.pcap");
    assert_eq!(
        app.count("SELECT count(*) FROM attachments WHERE size = 52428800"),
        1,
        "just at the limit it fits"
    );
}

fn walk(place: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Nobody can open what holds the client and its asset, so the sentences say until when it is kept.
#[test]
fn what_a_deleted_engagement_holds_says_until_when() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let (client, asset) = (e.client, app.asset(e.client, "ohm-srv-01"));
    let mut lead = app.browser(&app.people.lead);
    let used = lead.post(&format!("{}/assets", e.procedure_path(0)), &[("asset", &asset.to_string())]);
    assert_eq!(used.status, 303);
    let asset_path = format!("/clients/{client}/assets/{asset}/delete");
    lead.open(&asset_path).expect(200).see("it is used in 1 procedure. What was tested stays known.");
    assert_eq!(lead.post(&format!("{}/delete", e.path()), &[]).status, 303);

    let sentence = "it is used in 1 procedure of a deleted engagement, which is kept until 20 Dec 2026. What";
    lead.open(&asset_path).expect(200).see(sentence);
    let refused = lead.post(&asset_path, &[]);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains(sentence), "{}", refused.text());
    let client_path = format!("/clients/{client}/delete");
    lead.open(&client_path).expect(200).see("1 deleted engagement (kept until 20 Dec 2026)");
    let refused = lead.post(&client_path, &[]);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("the client stays at least until 20 Dec 2026."), "{}", refused.text());
}
