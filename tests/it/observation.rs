//! What waits for its time: an answer before the observation window has ended, and what is prepared before
//! the start.

use chrono::{NaiveDate, TimeDelta};
use diesel::connection::SimpleConnection;
use tyrian::lifecycle::domain::EngagementStatus;

use crate::harness::TestApp;
use crate::harness::fixtures::{Engagement, Person, Plan};

const PREPARED: &str = r##"{"name": "Dump", "description": "", "technique_ids": [], "platforms": [],
    "inputs": [{"name": "tool", "description": "", "kind": "path", "default": null},
               {"name": "out", "description": "", "kind": "path", "default": "C:\\out"}],
    "steps": [
        {"id": "p", "kind": "prerequisite", "description": "The host is up"},
        {"id": "s", "kind": "step", "description": "Run it", "command": "#{tool} #{out}", "executor": "bash"}
    ], "recommendation": ""}"##;

fn set(app: &TestApp, sql: &str) {
    app.superuser().batch_execute(&format!("SET session_replication_role = replica; {sql}")).unwrap();
}

/// Gives every procedure of an engagement one body.
fn bodies(app: &TestApp, e: &Engagement, body: &str) {
    set(
        app,
        &format!(
            "UPDATE procedures SET name = 'Dump', body = $body${body}$body$ WHERE engagement_id = '{}'",
            e.id
        ),
    );
}

fn status(app: &TestApp, e: &Engagement) -> String {
    app.texts(&format!("SELECT status FROM procedures WHERE id = '{}'", e.procedures[0])).remove(0)
}

fn choose_window(app: &TestApp, e: &Engagement, window: &str) {
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/edit", e.path())).choose("Observation window", window);
    lead.press("Save").expect(200).see("Details saved.");
}

/// Red ran the first procedure at 09:00, and both sides answered.
fn answer(app: &TestApp, e: &Engagement, blue: &str) {
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.procedure_path(0)).fill("executed_at", "2026-11-20T09:00:00");
    lead.choose("red_outcome", "Success").choose("blue_outcome", blue).press("Save").expect(200);
}

/// What the queue page of an engagement says to somebody.
fn queue(app: &TestApp, person: &Person, e: &Engagement) -> String {
    let mut b = app.browser(person);
    b.open(&format!("{}/queue?queue=mine", e.path())).expect(200).text()
}

fn is_ready(app: &TestApp, person: &Person, page: &str) -> bool {
    app.browser(person).open(page).expect(200).has(".prepared")
}

#[test]
fn what_blue_has_not_seen_yet_comes_back_at_the_end_of_the_window() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    bodies(&app, &e, &PREPARED.replace("#{tool}", "tool"));
    choose_window(&app, &e, "1 hour");
    app.pass(TimeDelta::minutes(10));
    answer(&app, &e, "Logged");
    assert_eq!(status(&app, &e), "in_progress", "nothing provisional completes");

    let blue = &app.people.second;
    let mut b = app.browser(blue);
    b.open(&e.procedure_path(0))
        .see("Logged is provisional.")
        .see("observation window of 1 hour")
        .see("look again 10:00");
    b.see("Waiting on blue team from 10:00.").see_not("Looked again, it stands");
    b.open(&e.path()).see("provisional, look again 10:00").see("Blue from 10:00");
    assert!(queue(&app, blue, &e).contains("Nothing is waiting on you"));
    let early = b.post(&e.procedure_path(0), &[("version", "9"), ("then", "look-again")]);
    assert_eq!(early.status, 422, "{}", early.text());
    assert!(early.text().contains("Look again at 20 Nov 2026, 10:00 or later"), "{}", early.text());
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/submit", e.path())).see("provisional, look again 20 Nov 2026, 10:00");
    lead.see("1 Provisional");

    app.pass(TimeDelta::minutes(50));
    assert!(!queue(&app, blue, &e).contains("Nothing is waiting on you"));
    let mut b = app.browser(blue);
    b.open("/").see("Dump look again");
    b.open(&e.procedure_path(0)).see("Waiting on blue team.").press("Looked again, it stands").expect(200);
    b.see_not("provisional");
    assert_eq!(status(&app, &e), "completed");
    assert!(queue(&app, blue, &e).contains("Nothing is waiting on you"));
    let sentences = app.texts("SELECT sentence FROM audit.events ORDER BY id DESC LIMIT 3");
    let said = "Looked again at procedure 1 “Dump”: Logged stands";
    assert!(sentences.iter().any(|sentence| sentence == said), "{sentences:?}");
    let again = b.post(&e.procedure_path(0), &[("version", "9"), ("then", "look-again")]);
    assert_eq!(again.status, 422, "nothing is provisional any more");
}

#[test]
fn an_answer_that_stands_is_not_provisional() {
    let app = TestApp::spawn();
    for (blue, minutes, stands) in [
        ("Alerted, Not Prevented", 10, true),
        ("Prevented, Not Alerted", 10, true),
        ("No Evidence", 10, false),
        ("No Evidence", 60, true),
    ] {
        let e = app.engagement(1);
        bodies(&app, &e, &PREPARED.replace("#{tool}", "tool"));
        choose_window(&app, &e, "1 hour");
        app.clock.set(crate::harness::app::start() + TimeDelta::minutes(minutes));
        answer(&app, &e, blue);
        let expected = if stands { "completed" } else { "in_progress" };
        assert_eq!(status(&app, &e), expected, "{blue} after {minutes} minutes");
        app.clock.set(crate::harness::app::start());
    }
}

#[test]
fn statuses_follow_another_window_and_the_time_of_execution() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    bodies(&app, &e, &PREPARED.replace("#{tool}", "tool"));
    app.pass(TimeDelta::minutes(20));
    answer(&app, &e, "No Evidence");
    assert_eq!(status(&app, &e), "completed", "without a window an answer counts at once");
    choose_window(&app, &e, "1 hour");
    assert_eq!(status(&app, &e), "in_progress");
    choose_window(&app, &e, "15 minutes");
    assert_eq!(status(&app, &e), "completed");
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.procedure_path(0)).fill("executed_at", "2026-11-20T09:10:00").press("Save").expect(200);
    assert_eq!(status(&app, &e), "in_progress", "red ran it later than was said");
    choose_window(&app, &e, "None");
    assert_eq!(status(&app, &e), "completed");
    set(&app, &format!("UPDATE procedures SET status_by_hand = true WHERE id = '{}'", e.procedures[0]));
    choose_window(&app, &e, "24 hours");
    assert_eq!(status(&app, &e), "completed", "a choice by hand holds");
}

#[test]
fn the_window_is_one_of_four_and_two_people_merge_over_it() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    let refused = b.post(&format!("{}/edit", e.path()), &[("version", "1"), ("observation_window", "30")]);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("This is not an observation window"), "{}", refused.text());
    let first = b.post(&format!("{}/edit", e.path()), &[("version", "1"), ("observation_window", "60")]);
    assert_eq!(first.status, 303);
    let other = b.post(&format!("{}/edit", e.path()), &[("version", "1"), ("scope", "Mail")]);
    assert_eq!(other.status, 303, "another field merges");
    let both = b.post(&format!("{}/edit", e.path()), &[("version", "1"), ("observation_window", "15")]);
    assert_eq!(both.status, 409);
    assert!(both.text().contains("1 hour") && both.text().contains("15 minutes"), "{}", both.text());
    assert_eq!(app.texts("SELECT observation_window FROM engagements"), ["60"]);
    b.open(&format!("{}?open=overview", e.path())).see("Observation window 1 hour");
}

#[test]
fn prerequisites_are_ticked_before_the_start_and_all_of_it_makes_ready() {
    let app = TestApp::spawn();
    let plan = Plan {
        procedures: 1,
        status: EngagementStatus::Scheduled,
        start: NaiveDate::from_ymd_opt(2026, 11, 27),
        ..Plan::default()
    };
    let e = app.plan(app.clients.own, &plan);
    bodies(&app, &e, PREPARED);
    let (page, table) = (e.procedure_path(0), e.path());
    let operator = &app.people.standard;
    let ready = |person: &Person| (is_ready(&app, person, &page), is_ready(&app, person, &table));
    assert_eq!(ready(operator), (false, false));
    let mut red = app.browser(operator);
    red.open(&page).press("Done: step 1").expect(200).see("Done 20 Nov 2026");
    assert_eq!(status(&app, &e), "not_started");
    assert_eq!(ready(operator), (false, false), "an input is not filled");
    // The step itself is not open yet, and a client's Analyst prepares nothing.
    assert!(!red.open(&page).has("[aria-label='Done: step 2']"));
    let step = |name: &str, word: &str| format!("{page}/steps/{name}/{word}");
    assert_eq!(red.post(&step("s", "tick"), &[]).status, 422);
    let mut analyst = app.browser(&app.people.blue_analyst);
    assert_eq!(analyst.post(&step("p", "untick"), &[]).status, 403);
    assert!(!analyst.open(&page).has("button.box"));

    // Whoever plans may tick as well, and fills the inputs of the engagement.
    let mut planner = app.browser(&app.people.custom);
    assert!(planner.open(&page).has("button.box"));
    assert_eq!(planner.post(&step("p", "untick"), &[]).status, 303);
    assert_eq!(planner.post(&step("s", "tick"), &[]).status, 422);
    let inputs = [("value.tool", "C:\\tool.exe")];
    assert_eq!(planner.post(&format!("{table}/inputs"), &inputs).status, 303);
    assert_eq!(ready(operator), (false, false));
    assert_eq!(planner.post(&step("p", "tick"), &[]).status, 303);
    for person in [operator, &app.people.analyst] {
        assert_eq!(ready(person), (true, true));
    }

    app.clock.set(crate::harness::app::start() + TimeDelta::days(7));
    assert_eq!(ready(operator), (true, true), "it has begun, and nothing is executed");
    let mut red = app.browser(operator);
    red.open(&page).press("Start").expect(200);
    assert_eq!(ready(operator), (false, false));
}

#[test]
fn what_needs_no_preparation_is_not_marked() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let nothing = PREPARED.replace("prerequisite", "step").replace("\"default\": null", "\"default\": \"t\"");
    bodies(&app, &e, &nothing);
    let operator = &app.people.standard;
    assert!(!is_ready(&app, operator, &e.procedure_path(0)) && !is_ready(&app, operator, &e.path()));
}
