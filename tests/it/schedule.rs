//! The schedule: how engagements map to dates, through HTTP, requests and approvals, the job on several
//! processes, and what bad input gets.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tyrian::jobs::find;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::kernel::job::{Trigger, run};
use tyrian::lifecycle::domain::{EngagementStatus, starts_at};

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::{ANN, BEA, Engagement, OWN, Plan, SAM};
use crate::harness::process::Process;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn status(app: &TestApp, id: &str) -> String {
    app.texts(&format!(
        "SELECT coalesce(r.status, 'none') || ' → ' || e.status FROM engagements e LEFT \
            JOIN reports r ON r.engagement_id = e.id WHERE e.id = '{id}'"
    ))
    .remove(0)
}

/// Requests an engagement by the form; its id.
fn request(app: &TestApp, browser: &mut Browser, title: &str, start: &str) -> String {
    browser
        .open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", title)
        .fill("start_date", start)
        .press("Send request")
        .see(title);
    app.texts(&format!("SELECT id FROM engagements WHERE title = '{title}'")).remove(0)
}

/// Goes through the four steps without changing anything.
fn approve(browser: &mut Browser, id: &str) {
    browser.open(&format!("/engagements/{id}/approval")).expect(200);
    for _ in 0..3 {
        browser.press("Next").expect(200);
    }
    browser.press("Schedule & create report").expect(200);
}

fn move_report(browser: &mut Browser, report: &str, from: &str, to: &str) -> u16 {
    let comment = if to == "draft" { "Mend the summary" } else { "" };
    browser
        .post(&format!("/reports/{report}/move"), &[("from", from), ("to", to), ("comment", comment)])
        .status
}

#[test]
fn every_row_of_the_mapping_through_http() {
    let app = TestApp::spawn();
    let (mut analyst, mut lead) = (app.browser(&app.people.analyst), app.browser(&app.people.lead));

    // (none) → Pending: requested, not approved.
    let id = request(&app, &mut analyst, "Winter check", "2026-11-25");
    assert_eq!(status(&app, &id), "none → pending");
    // Draft → Scheduled: approved, starts later.
    approve(&mut lead, &id);
    assert_eq!(status(&app, &id), "draft → scheduled");
    // Draft → In Progress: moved by the hourly job when the start date is reached.
    app.clock.set(starts_at(day("2026-11-25"), chrono_tz::UTC) - TimeDelta::seconds(1));
    let job = find("schedule-transitions").unwrap();
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, 0);
    app.pass(TimeDelta::seconds(1));
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, 1);
    assert_eq!(status(&app, &id), "draft → in_progress");
    assert_eq!(
        app.texts(
            "SELECT actor_kind FROM audit.events WHERE kind = 'engagement.moved' ORDER BY id DESC LIMIT 1"
        ),
        ["system"]
    );

    // The report's three stages → In Review.
    let mut lead = app.browser(&app.people.lead);
    let report = app.texts(&format!("SELECT id FROM reports WHERE engagement_id = '{id}'")).remove(0);
    for (from, to, expected) in [
        ("draft", "ready_for_review", "ready_for_review → in_review"),
        ("ready_for_review", "in_review", "in_review → in_review"),
        ("in_review", "approved", "approved → in_review"),
        ("approved", "published", "published → complete"),
        // Taken back → In Progress, and once more to the end.
        ("published", "draft", "draft → in_progress"),
        ("draft", "ready_for_review", "ready_for_review → in_review"),
        ("ready_for_review", "draft", "draft → in_progress"),
    ] {
        assert_eq!(move_report(&mut lead, &report, from, to), 303, "{from} → {to}");
        assert_eq!(status(&app, &id), expected);
    }
    // Back to Draft with the start ahead → Scheduled.
    lead.open(&format!("/engagements/{id}/edit")).fill("start_date", "2026-12-09").press("Save").expect(200);
    assert_eq!(status(&app, &id), "draft → scheduled", "moved ahead with nothing recorded");
    assert_eq!(move_report(&mut lead, &report, "draft", "ready_for_review"), 303);
    assert_eq!(move_report(&mut lead, &report, "ready_for_review", "draft"), 303);
    assert_eq!(status(&app, &id), "draft → scheduled");
    // Canceled: terminated, whatever the report does.
    lead.open(&format!("/engagements/{id}/cancellation"))
        .fill("reason", "The client moved")
        .press("Cancel engagement")
        .expect(200);
    assert_eq!(status(&app, &id), "draft → canceled");

    // (none) → Canceled: declined.
    let declined = request(&app, &mut lead, "Declined check", "2026-11-28");
    lead.open(&format!("/engagements/{declined}/declination"))
        .fill("reason", "No room")
        .press("Decline request")
        .expect(200);
    assert_eq!(status(&app, &declined), "none → canceled");
    // Draft → In Progress at once: approved on its start date.
    let at_once = request(&app, &mut lead, "At once", "2026-11-25");
    approve(&mut lead, &at_once);
    assert_eq!(status(&app, &at_once), "draft → in_progress");
}

#[test]
fn an_analyst_requests_with_files_and_is_told_what_became_of_it() {
    let app = TestApp::spawn();
    let (mut analyst, mut lead) = (app.browser(&app.people.analyst), app.browser(&app.people.lead));
    analyst.open("/schedule").click("Request engagement").expect(200);
    analyst.choose("Client", OWN).fill("Objective", "See what the new hall sees");
    analyst
        .attach("Files", "plan.txt", "text/plain", b"hall a, hall b")
        .press("Send request")
        .expect(422)
        .see("Give the engagement a title.");
    assert_eq!(analyst.value("Objective"), "See what the new hall sees");
    assert_eq!(app.count("SELECT count(*) FROM engagements"), 0);
    analyst
        .fill("Title", "New hall")
        .fill("start_date", "2026-12-01")
        .fill("end_date", "2026-11-30")
        .press("Send request")
        .expect(422);
    analyst.see("The end lies before the start.").fill("end_date", "2026-12-03");
    analyst
        .attach("Files", "plan.txt", "text/plain", b"hall a, hall b")
        .press("Send request")
        .expect(200)
        .see("Pending");
    assert_eq!(app.texts("SELECT file_name || ' ' || size FROM attachments"), ["plan.txt 14"]);
    let id = app.texts("SELECT id FROM engagements").remove(0);

    // Whoever may approve is told, sees the file and the queue; nobody else has one.
    lead.open("/").see(&format!("{ANN} requests “New hall”")).see("Requests to approve");
    lead.open("/schedule/requests")
        .see("New hall")
        .see("Ann Field")
        .click("Approve… New hall")
        .see("plan.txt");
    assert_eq!(analyst.get("/schedule/requests").status, 403);
    lead.press("Next").fill("Report title", "What the new hall sees").press("Next").press("Next");
    lead.check(&format!("{SAM} on the red team")).check(&format!("{BEA} on the blue team"));
    lead.fill(&format!("from.{}", app.people.standard.id), "2026-12-02")
        .press("Schedule & create report")
        .expect(200)
        .see("Scheduled");
    assert_eq!(app.texts("SELECT title || ' ' || status FROM reports"), ["What the new hall sees draft"]);
    assert_eq!(
        app.texts(
            "SELECT p.name || ' ' || o.team || ' ' || coalesce(o.starts_on::text, '-') \
            FROM engagement_operators o JOIN people p ON p.id = o.person_id ORDER BY 1"
        ),
        [format!("{BEA} blue -"), format!("{SAM} red 2026-12-02")]
    );
    // Requester and operators have a notice, the approver none of their own act.
    analyst.open("/").see("“New hall” was approved and is Scheduled.");
    app.browser(&app.people.standard).open("/").see("You are on the red team of “New hall”, 2 – 3 Dec 2026.");
    assert_eq!(
        app.count(&format!(
            "SELECT count(*) FROM notices WHERE person_id = '{}' AND text LIKE '%approved%'",
            app.people.lead.id
        )),
        0
    );
    analyst.press("Mark all as read").see_not("was approved");
    assert_eq!(app.events("engagement.requested"), 1);
    assert_eq!(app.texts(&format!("SELECT status FROM engagements WHERE id = '{id}'")), ["scheduled"]);
}

#[test]
fn a_second_click_on_the_request_makes_no_second_one() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    lead.open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", "Once")
        .press("Send request")
        .expect(200);
    let id = app.texts("SELECT id FROM engagements").remove(0);
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--x\r\ncontent-disposition: \
            form-data; name=\"client\"\r\n\r\n{}\r\n--x\r\ncontent-disposition: form-data; \
            name=\"title\"\r\n\r\nOnce\r\n--x\r\ncontent-disposition: form-data; \
            name=\"time_zone\"\r\n\r\nUTC\r\n--x--\r\n",
        app.clients.own
    );
    let origin = app.base.clone();
    let again = lead.send(
        "POST",
        "/schedule/request",
        &[("content-type", "multipart/form-data; boundary=x"), ("origin", &origin)],
        body.as_bytes(),
    );
    assert_eq!((again.status, again.header("location")), (303, format!("/engagements/{id}").as_str()));
    assert_eq!(app.count("SELECT count(*) FROM engagements"), 1);
}

#[test]
fn approving_twice_and_approving_what_was_canceled_tell_what_happened() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let id = request(&app, &mut lead, "Twice", "2026-11-25");
    approve(&mut lead, &id);
    let again = lead.post(&format!("/engagements/{id}/approval?step=4"), &[("do", "approve")]);
    assert_eq!(again.status, 409);
    assert!(again.text().contains("the engagement is Scheduled"), "{}", again.text());
    assert_eq!(app.count("SELECT count(*) FROM reports"), 1);
    let late = lead.post(&format!("/engagements/{id}/declination"), &[("reason", "Late")]);
    assert_eq!(late.status, 409);
    assert!(late.text().contains("Late"), "the reason stays");
    assert!(
        late.text().contains("Only a request can be approved or declined. This engagement is Scheduled.")
    );
}

#[test]
fn approving_and_canceling_at_the_same_moment_leaves_one_of_them() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..12 {
        let id = request(&app, &mut lead, &format!("Race {round}"), "2026-11-25");
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let (app, id) = (&app, &id);
            let approves = scope.spawn(move || {
                app.browser(&app.people.lead)
                    .post(&format!("/engagements/{id}/approval?step=4"), &[("do", "approve")])
                    .status
            });
            let cancels = scope.spawn(move || {
                app.browser(&app.people.lead)
                    .post(&format!("/engagements/{id}/cancellation"), &[("reason", "Off")])
                    .status
            });
            [approves, cancels].into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let ended = status(&app, &id);
        seen.insert(ended.clone());
        match ended.as_str() {
            // Cancel came second: it cancels what was approved.
            "draft → canceled" => assert_eq!(answers, [303, 303]),
            "none → canceled" => assert_eq!(answers, [409, 303], "the approval is told"),
            other => panic!("{other}: {answers:?}"),
        }
    }
    println!("approving and canceling at once ended as {seen:?}");
}

#[test]
fn a_request_that_changed_meanwhile_is_looked_at_again_and_nothing_typed_is_lost() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let id = request(&app, &mut lead, "Stale", "2026-11-25");
    lead.open(&format!("/engagements/{id}/approval")).fill("Scope", "Nine hosts").press("Next");
    app.browser(&app.people.standard)
        .open(&format!("/engagements/{id}/edit"))
        .fill("Objective", "Theirs")
        .press("Save")
        .expect(200);
    lead.press("Next").expect(409).see("Somebody changed this request since you opened it: Objective.");
    assert_eq!(
        (lead.value("Scope"), lead.value("Objective")),
        ("Nine hosts".to_owned(), "Theirs".to_owned())
    );
    approve(&mut lead, &id);
    assert_eq!(app.texts("SELECT scope || ' / ' || objective FROM engagements"), ["Nine hosts / Theirs"]);
}

#[test]
fn a_tab_from_before_a_change_overwrites_nothing() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let id = request(&app, &mut lead, "Old tab", "2026-11-25");
    // No draft yet: the page alone knows what it showed.
    lead.open(&format!("/engagements/{id}/approval"));
    let mut standard = app.browser(&app.people.standard);
    standard
        .open(&format!("/engagements/{id}/edit"))
        .fill("Scope", "Not the ferries")
        .press("Save")
        .expect(200);
    lead.press("Next").expect(409).see("Somebody changed this request since you opened it.");
    // Somebody plans operators while the approval is open; they are neither unticked nor forgotten.
    standard
        .open(&format!("/engagements/{id}?open=operators"))
        .check(&format!("{BEA} on the blue team"))
        .press("Save operators")
        .expect(200);
    lead.press("Next").expect(409).see("Operators");
    lead.press("Next").expect(200).fill("Report title", "For the board").press("Next").press("Next");
    lead.check(&format!("{SAM} on the red team"))
        .press("Schedule & create report")
        .expect(200)
        .see("Scheduled");
    assert_eq!(app.texts("SELECT scope FROM engagements"), ["Not the ferries"]);
    assert_eq!(
        app.texts("SELECT p.name FROM engagement_operators o JOIN people p ON p.id = o.person_id ORDER BY 1"),
        [BEA, SAM]
    );
    let told = app.texts("SELECT sentence FROM audit.events WHERE kind = 'operators.changed' ORDER BY id");
    assert_eq!(*told.last().unwrap(), format!("Changed the operators. Red: {SAM}. Blue: {BEA}."));
    // The title that was chosen stays when something else is edited.
    standard.open(&format!("/engagements/{id}/edit")).fill("Description", "Words").press("Save").expect(200);
    assert_eq!(app.texts("SELECT title FROM reports"), ["For the board"]);
}

#[test]
fn another_request_under_the_same_form_is_not_swallowed() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let origin = app.base.clone();
    let send = |lead: &mut Browser, id: &str, title: &str| {
        let fields =
            [("id", id), ("client", &app.clients.own.to_string()), ("title", title), ("time_zone", "UTC")];
        let part = |(name, value): &(&str, &str)| {
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body: String = fields.iter().map(part).chain(["--x--\r\n".to_owned()]).collect();
        lead.send(
            "POST",
            "/schedule/request",
            &[("content-type", "multipart/form-data; boundary=x"), ("origin", &origin)],
            body.as_bytes(),
        )
    };
    let id = tyrian::kernel::base::ids::EngagementId::new().to_string();
    assert_eq!(send(&mut lead, &id, "First").status, 303);
    let second = send(&mut lead, &id, "Second");
    assert_eq!(second.status, 409);
    assert!(
        second.text().contains("Second") && second.text().contains("Nothing is sent yet"),
        "{}",
        second.text()
    );
    assert_eq!(send(&mut lead, &id, "First").status, 303, "the very same again finds the first");
    assert_eq!(app.texts("SELECT title FROM engagements"), ["First"]);
}

#[test]
fn nobody_learns_what_another_client_runs() {
    use diesel::connection::SimpleConnection;
    let app = TestApp::spawn();
    let plan =
        |client| app.plan(client, &Plan { procedures: 0, start: Some(day("2026-11-20")), ..Plan::default() });
    app.give_access(&app.people.standard, app.clients.foreign, "standard_user");
    let (own, foreign) = (plan(app.clients.own), plan(app.clients.foreign));
    let with_plan = format!(
        "SET session_replication_role = replica; UPDATE engagements SET test_plan_id = (SELECT id \
            FROM test_plans ORDER BY title LIMIT 1) WHERE id IN ('{}', '{}')",
        own.id, foreign.id
    );
    app.superuser().batch_execute(&with_plan).unwrap();
    let test_plan = app.texts("SELECT id FROM test_plans ORDER BY title LIMIT 1").remove(0);
    let of = |person, query: &str| {
        app.browser(person).open(&format!("/schedule?view=availability{query}")).html().to_owned()
    };
    assert!(of(&app.people.lead, "").contains("Another client"), "a planner learns that somebody is booked");
    assert!(
        !of(&app.people.lead, &format!("&plan={test_plan}")).contains("Another client"),
        "but not for which plan"
    );
    assert!(!of(&app.people.lead, "&status=in_progress").contains("Another client"));
    assert!(!of(&app.people.analyst, "").contains("Another client"));
    // Nor where a report stands that is not theirs to read.
    let mut analyst = app.browser(&app.people.analyst);
    analyst.open("/schedule?view=list").see("Autumn purple team").see_not("Report: Draft");
    app.browser(&app.people.lead).open("/schedule?view=list").see("Report: Draft");
}

#[test]
fn what_waits_on_me_is_found_behind_any_number_that_waits_on_others() {
    use diesel::connection::SimpleConnection;
    let app = TestApp::spawn();
    let e = app.engagement(1);
    // Six hundred that red has answered, and the last one that it has not.
    let laid = format!(
        "SET session_replication_role = replica;
         UPDATE procedures SET position = 1000, name = 'The one for red';
         INSERT INTO procedures (id, engagement_id, client_id, position, body, name, red_outcome, updated_at)
         SELECT gen_random_uuid(), '{}', '{}', i, body, 'Answered ' || i, 'success', now() \
         FROM procedures, generate_series(1, 600) i",
        e.id, e.client
    );
    app.superuser().batch_execute(&laid).unwrap();
    app.browser(&app.people.standard).open("/").see("The one for red").see_not("Answered 1 ");
    app.browser(&app.people.second).open("/").see("Answered 1");
}

#[test]
fn bad_dates_and_strangers_are_told_beside_the_field_and_nothing_is_half_done() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let id = request(&app, &mut lead, "Dates", "2026-11-17");
    lead.open(&format!("/engagements/{id}/approval?step=3"))
        .see("It started 3 days ago: In Progress at once");
    lead.press("Next").expect(422).see("The start date has passed.");
    lead.check("past")
        .fill("end_date", "2026-11-16")
        .press("Next")
        .expect(422)
        .see("The end lies before the start.");
    lead.fill("end_date", "2026-11-27").press("Next").expect(200);
    // Own dates outside the engagement's, and somebody without access.
    let sam = app.people.standard.id;
    lead.check(&format!("{SAM} on the red team"))
        .fill(&format!("from.{sam}"), "2026-11-28")
        .press("Schedule & create report")
        .expect(422);
    lead.see("These days lie outside of the engagement’s.");
    let outsider = app.people.outsider.id.to_string();
    let refused =
        lead.post(&format!("/engagements/{id}/approval?step=4"), &[("do", "approve"), ("red", &outsider)]);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("has no access to this client"), "{}", refused.text());
    assert_eq!(status(&app, &id), "none → pending");
    assert_eq!(app.count("SELECT count(*) FROM engagement_operators"), 0);
    lead.open(&format!("/engagements/{id}/approval?step=4"))
        .press("Schedule & create report")
        .expect(200)
        .see("In Progress");
}

#[test]
fn the_test_plans_procedures_come_with_the_approval() {
    let app = TestApp::spawn();
    let plan = app.texts("SELECT title FROM test_plans ORDER BY title LIMIT 1").remove(0);
    let wanted = app.count(
        "SELECT count(*) FROM test_plan_procedures WHERE test_plan_id = (SELECT id \
            FROM test_plans ORDER BY title LIMIT 1)",
    );
    let mut lead = app.browser(&app.people.lead);
    lead.open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", "From a plan")
        .choose("Test plan", &plan)
        .press("Send request");
    let id = app.texts("SELECT id FROM engagements").remove(0);
    assert_eq!(app.count("SELECT count(*) FROM procedures"), 0);
    lead.open(&format!("/engagements/{id}/approval?step=3"))
        .see("It has no start date: In Progress at once")
        .press("Next")
        .expect(422);
    lead.see("Without a start date it starts at once.").check("past").press("Next").expect(200);
    approve(&mut lead, &id);
    assert_eq!(app.count("SELECT count(*) FROM procedures"), wanted);
}

#[test]
fn own_dates_that_the_engagement_moved_away_from_are_cleared_and_told() {
    let app = TestApp::spawn();
    let e = app.plan(
        app.clients.own,
        &Plan { status: EngagementStatus::Scheduled, start: Some(day("2026-12-01")), ..Plan::default() },
    );
    let mut lead = app.browser(&app.people.lead);
    let sam = app.people.standard.id;
    lead.open(&format!("{}?open=operators", e.path()))
        .fill(&format!("from.{sam}"), "2026-12-02")
        .press("Save operators")
        .expect(200);
    assert_eq!(app.count("SELECT count(*) FROM engagement_operators WHERE starts_on IS NOT NULL"), 1);
    lead.open(&format!("{}/edit", e.path())).fill("start_date", "2026-12-08").press("Save").expect(200);
    lead.see(&format!("Own dates no longer fit and were cleared: “{SAM}”."));
    assert_eq!(app.count("SELECT count(*) FROM engagement_operators WHERE starts_on IS NOT NULL"), 0);
}

#[test]
fn a_clock_that_jumps_back_moves_nothing_back() {
    let app = TestApp::spawn();
    let plan =
        Plan { status: EngagementStatus::Scheduled, start: Some(day("2026-11-20")), ..Plan::default() };
    let e = app.plan(app.clients.own, &plan);
    let job = find("schedule-transitions").unwrap();
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, 1);
    app.pass(TimeDelta::days(-3));
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, 0);
    assert_eq!(status(&app, &e.id.to_string()), "draft → in_progress");
}

/// Engagements due at `at` or not, in several zones around a change of the clocks.
fn in_zones(app: &TestApp) -> Vec<(Engagement, DateTime<Utc>)> {
    // Every zone's clocks change within the three days; Kiritimati has none, and is a day ahead of nearly
    // everybody.
    let zones = [
        (chrono_tz::UTC, "2026-10-31"),
        (chrono_tz::Africa::Cairo, "2026-10-30"),
        (chrono_tz::Asia::Beirut, "2026-10-31"),
        (chrono_tz::America::Havana, "2026-11-01"),
        (chrono_tz::Pacific::Kiritimati, "2026-11-01"),
    ];
    let mut made = Vec::new();
    for (zone, around) in zones {
        for shift in -2..=2 {
            let date = day(around) + TimeDelta::days(shift);
            let plan = Plan {
                title: zone.name(),
                procedures: 0,
                status: EngagementStatus::Scheduled,
                start: Some(date),
            };
            let e = app.plan(app.clients.own, &plan);
            let at = starts_at(date, zone);
            app.db
                .write_blocking(&Actor::command(), |tx| {
                    use diesel::prelude::*;
                    use tyrian::kernel::db::schema::engagements;
                    diesel::update(engagements::table.find(e.id.0))
                        .set((engagements::time_zone.eq(zone.name()), engagements::starts_at.eq(at)))
                        .execute(tx.conn)?;
                    tx.audited((), Event::new(Kind::DemoSeeded, "Laid test data"))
                })
                .unwrap();
            made.push((e, at));
        }
    }
    made
}

#[test]
fn seventy_two_hours_of_downtime_over_a_change_of_the_clocks_are_put_right_by_one_run() {
    let app = TestApp::spawn();
    let down: DateTime<Utc> = "2026-10-29T12:30:00Z".parse().unwrap();
    app.clock.set(down);
    let all = in_zones(&app);
    let job = find("schedule-transitions").unwrap();
    let before = all.iter().filter(|(_, at)| *at <= down).count();
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, before);
    // Nobody runs for three days; then one run at the start.
    let up = down + TimeDelta::hours(72);
    app.clock.set(up);
    let due = all.iter().filter(|(_, at)| *at > down && *at <= up).count();
    assert!(due > 10, "{due}");
    assert_eq!(run(&app.app.reach(), job, Trigger::Start, None).unwrap().moved, due);
    for (e, at) in &all {
        let expected = if *at <= up { "draft → in_progress" } else { "draft → scheduled" };
        assert_eq!(status(&app, &e.id.to_string()), expected, "{} {at}", e.title);
    }
    assert_eq!(
        app.count("SELECT count(*) FROM audit.events WHERE kind = 'engagement.moved'"),
        (before + due) as i64,
        "each once"
    );
    // By date in the engagement's own zone: the same calendar day begins at other instants.
    let of = |zone: &str, date: &str| starts_at(day(date), zone.parse().unwrap());
    assert!(
        of("Pacific/Kiritimati", "2026-11-01") < of("UTC", "2026-11-01")
            && of("UTC", "2026-11-01") < of("America/Havana", "2026-11-01")
    );
}

#[test]
fn a_date_whose_midnight_does_not_exist_counts_as_that_date() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    // In Cairo the clocks go from 00:00 to 01:00 on 24 April 2026: the day begins at 22:00 UTC of the day
    // before.
    lead.open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", "Gap")
        .fill("start_date", "2026-04-24");
    lead.fill("Time zone", "Africa/Cairo").press("Send request").expect(200);
    assert_eq!(
        app.texts("SELECT to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM engagements"),
        ["2026-04-23 22:00"]
    );
}

/// Ten thousand scheduled engagements whose start has come.
fn lay_due(app: &TestApp, n: i64) {
    use diesel::prelude::*;
    let client = app.clients.own;
    app.db
        .write_blocking(&Actor::command(), |tx| {
            diesel::sql_query(
                "INSERT INTO attack_versions (version, rank, domain, imported_at) \
                VALUES ('19.1', 19001, 'enterprise-attack', now()) ON CONFLICT DO NOTHING",
            )
            .execute(tx.conn)?;
            diesel::sql_query(format!(
                "WITH made AS (INSERT INTO engagements (id, client_id, title, status, start_date, \
                    starts_at, time_zone, attack_version, created_at)
                    SELECT gen_random_uuid(), '{client}', 'Due ' || i, 'scheduled', '2026-01-05', \
                    '2026-01-05T00:00:00Z', 'UTC', '19.1', now()
                    FROM generate_series(1, {n}) i RETURNING id)
                 INSERT INTO engagement_activity (engagement_id, at, by_name) SELECT id, now(), 'System' \
                 FROM made"
            ))
            .execute(tx.conn)?;
            tx.audited((), Event::new(Kind::DemoSeeded, "Laid test data"))
        })
        .unwrap();
}

fn move_on_processes(processes: usize) {
    let app = TestApp::spawn();
    lay_due(&app, 10_000);
    // Every process runs the job as it starts; they come up at nearly the same moment.
    let mut all: Vec<Process> = std::thread::scope(|scope| {
        let app = &app;
        let starting: Vec<_> = (0..processes)
            .map(|n| scope.spawn(move || Process::serve(app, &format!("sweep{processes}-{n}"))))
            .collect();
        starting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let moved = || app.count("SELECT count(*) FROM engagements WHERE status = 'in_progress'");
    let wait = |enough: &dyn Fn(i64) -> bool| {
        // Bounded: a sweep of ten thousand takes seconds.
        for _ in 0..1_200 {
            let n = moved();
            if enough(n) {
                return n;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        panic!("only {} moved", moved());
    };
    let at_the_kill = wait(&|n| n > 0);
    all[0].kill();
    let end = wait(&|n| n == 10_000);
    assert_eq!(end, 10_000);
    println!("{processes} processes, one killed after {at_the_kill} of 10,000: all moved");
    let (events, engagements) = (
        app.count("SELECT count(*) FROM audit.events WHERE kind = 'engagement.moved'"),
        app.count("SELECT count(DISTINCT engagement_id) FROM audit.events WHERE kind = 'engagement.moved'"),
    );
    assert_eq!((events, engagements), (10_000, 10_000), "each exactly once, each with exactly one event");
    assert_eq!(app.count("SELECT count(*) FROM engagements WHERE version <> 2"), 0);
}

#[test]
fn two_processes_move_ten_thousand_exactly_once_though_one_is_killed() {
    move_on_processes(2);
}

#[test]
fn four_processes_move_ten_thousand_exactly_once_though_one_is_killed() {
    move_on_processes(4);
}

#[test]
fn a_row_that_the_database_refuses_is_left_and_told_and_the_others_move() {
    use diesel::connection::SimpleConnection;
    let app = TestApp::spawn();
    let plan = |title| Plan {
        title,
        procedures: 0,
        status: EngagementStatus::Scheduled,
        start: Some(day("2026-11-01")),
    };
    for title in ["Fine", "Broken", "Fine too"] {
        app.plan(app.clients.own, &plan(title));
    }
    app.owner()
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this \
                row is broken'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON engagements FOR EACH ROW \
             WHEN (OLD.title = 'Broken') EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    let by_hand = tyrian::kernel::job::Reach { by: Some(app.people.administrator.id), ..app.app.reach() };
    let done = run(&by_hand, find("schedule-transitions").unwrap(), Trigger::ByHand, None).unwrap();
    assert_eq!((done.moved, done.skipped, done.left_over.len()), (2, 1, 1));
    let whose = app.texts(
        "SELECT DISTINCT on_behalf_of FROM audit.events WHERE kind = 'engagement.moved' \
        AND actor_kind = 'system'",
    );
    assert_eq!(whose, [app.people.administrator.id.to_string()], "the log says who told the job to run");
    assert_eq!(app.texts("SELECT title FROM engagements WHERE status = 'scheduled'"), ["Broken"]);
    assert_eq!(app.events("engagement.moved"), 2);
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/jobs").see("Left: “Broken”").see("this row is broken").see("2, 1 skipped");
}

#[test]
fn a_job_that_does_not_succeed_for_two_intervals_shows_on_its_page_and_in_readyz() {
    let app = TestApp::spawn();
    run(&app.app.reach(), find("schedule-transitions").unwrap(), Trigger::Tick, None).unwrap();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/jobs").see_not("Not succeeded since").see("Next run");
    assert!(app.visitor().get("/readyz").text().contains("jobs: on time"));
    app.pass(TimeDelta::minutes(121));
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/jobs").see("Not succeeded since");
    let ready = app.visitor().get("/readyz");
    assert_eq!(ready.status, 200, "a late job makes no server unfit");
    assert!(
        ready.text().contains("job schedule-transitions: not succeeded since 2026-11-20T09:00:00Z"),
        "{}",
        ready.text()
    );
}

#[test]
fn the_views_show_what_their_address_says() {
    let app = TestApp::spawn();
    let plan = |title, status, start| Plan { title, procedures: 0, status, start: Some(day(start)) };
    app.plan(app.clients.own, &plan("Booked", EngagementStatus::Scheduled, "2026-11-24"));
    app.plan(app.clients.own, &plan("Running", EngagementStatus::InProgress, "2026-11-18"));
    app.plan(app.clients.foreign, &plan("Foreign", EngagementStatus::Scheduled, "2026-11-24"));
    for n in 0..5 {
        app.plan(
            app.clients.own,
            &plan(["A", "B", "C", "D", "E"][n], EngagementStatus::Scheduled, "2026-11-26"),
        );
    }
    let mut lead = app.browser(&app.people.lead);
    lead.open("/schedule")
        .see("November 2026")
        .see("Booked")
        .see("Running")
        .see_not("Foreign")
        .see("All 7")
        .see("+2 more");
    lead.click("+2 more").see("Thursday 26 November 2026").see("Back to the month");
    assert_eq!(lead.texts("tbody tr").len(), 5);
    lead.open("/schedule?status=in_progress").see("Running").see_not("Booked").see("6");
    lead.open("/schedule?view=list&status=scheduled").see("Booked").see_not("Running");
    lead.open(&format!("/schedule?view=list&operator={}", app.people.bare.id)).see("Nothing found");
    lead.open("/schedule?view=availability").see("Sam Rook").see("with a clash");
    // What the clock has brought counts before the job has been there.
    app.clock.set("2026-11-24T00:10:00Z".parse().unwrap());
    let mut lead = app.browser(&app.people.lead);
    lead.open("/schedule?view=list&status=in_progress").see("Booked").see("Running");
    assert_eq!(app.texts("SELECT status FROM engagements WHERE title = 'Booked'"), ["scheduled"]);
    // A broken address shows the rest.
    lead.open("/schedule?view=calendar&on=2026-02-31&client=x&status=y").expect(200).see("November 2026");
}

#[test]
fn the_drawer_is_a_fragment_and_a_page_of_its_own() {
    let app = TestApp::spawn();
    let e = app.plan(
        app.clients.own,
        &Plan { status: EngagementStatus::Scheduled, start: Some(day("2026-11-24")), ..Plan::default() },
    );
    let mut lead = app.browser(&app.people.lead);
    let path = format!("/schedule/{}?span=week&on=2026-11-24", e.id);
    let fragment = lead.get_fragment(&path);
    assert!(
        fragment.text().starts_with("<aside") || fragment.text().contains("<aside class=\"drawer"),
        "{}",
        fragment.text()
    );
    assert!(!fragment.text().contains("<html"));
    lead.open(&path)
        .expect(200)
        .see("Autumn purple team")
        .see("Sam Rook")
        .see("Open engagement")
        .see("23 – 29 Nov 2026");
    lead.click("Close").see_not("Open engagement").see("23 – 29 Nov 2026");
    assert_eq!(app.browser(&app.people.outsider).get(&path).status, 404);
}
