//! The procedure page: saving, the merge through HTTP, rights by side, drafts, ticks, Start, bad input.

use diesel::connection::SimpleConnection;

use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser, fields_of};
use crate::harness::fixtures::Engagement;

fn text(app: &TestApp, sql: &str) -> String {
    app.texts(sql).pop().unwrap_or_default()
}

fn count(app: &TestApp, sql: &str) -> i64 {
    app.count(sql)
}

/// A change behind the app's back.
fn change(app: &TestApp, sql: &str) {
    use diesel::connection::SimpleConnection;
    app.superuser()
        .batch_execute(&format!("SET session_replication_role = replica; {sql}"))
        .expect("the change");
}

fn field(app: &TestApp, e: &Engagement, column: &str) -> String {
    app.texts(&format!(
        "SELECT coalesce({column}::text, '') FROM procedures WHERE id = '{}'",
        e.procedures[0]
    ))
    .remove(0)
}

#[test]
fn a_save_stores_every_field_with_one_event() {
    let app = TestApp::spawn();
    let e = app.engagement(2);
    let mut b = app.browser(&app.people.lead);
    b.open(&e.procedure_path(0)).expect(200);
    b.choose("Status", "In Progress");
    b.fill("Attack source", "HL-WS-014");
    b.fill("red_notes", "Dump written.");
    b.choose("red_outcome", "Success");
    b.fill("executed_at", "2026-11-20T08:15:30");
    b.press("Save").expect(200).see("Saved.");
    assert_eq!(b.value("Attack source"), "HL-WS-014");
    assert_eq!(b.value("executed_at"), "2026-11-20T08:15:30");
    assert_eq!(count(&app, "SELECT count(*) FROM audit.events WHERE kind = 'procedure.saved'"), 1);
    let detail = app.texts("SELECT detail::text FROM audit.events WHERE kind = 'procedure.saved'").remove(0);
    assert!(!detail.contains("Dump written"), "note texts never enter the log: {detail}");
    assert!(detail.contains("HL-WS-014"));
    b.press("Save").expect(200);
    assert_eq!(
        count(&app, "SELECT count(*) FROM audit.events WHERE kind = 'procedure.saved'"),
        1,
        "a save that changes nothing is no event"
    );
}

#[test]
fn fields_of_two_people_merge_and_a_field_of_both_conflicts() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let (mut red, mut blue) = (app.browser(&app.people.standard), app.browser(&app.people.second));
    red.open(&path).expect(200);
    blue.open(&path).expect(200);
    red.fill("Attack source", "from red").fill("red_notes", "red words");
    red.press("Save").see("Saved.");
    blue.fill("blue_notes", "blue words").fill("Attack source", "from blue");
    blue.press("Save")
        .expect(409)
        .see("Attack source changed on both sides")
        .see("from red")
        .see("from blue");
    assert_eq!(blue.text().matches("Everything else is saved.").count(), 1, "told once");
    assert_eq!(blue.value("Attack source"), "from blue", "what was typed stays");
    assert_eq!(field(&app, &e, "blue_notes"), "blue words", "the other fields are saved");
    assert_eq!(field(&app, &e, "red_notes"), "red words", "what only the other side changed merges");
    assert_eq!(field(&app, &e, "attack_source"), "from red");
    // Pressing Save again without choosing must not turn into an overwrite.
    blue.press("Save").expect(409);
    assert_eq!(field(&app, &e, "attack_source"), "from red");
    // A third save meanwhile: choosing starts from the value that was shown, so it conflicts again.
    red.open(&path).fill("Attack source", "third");
    red.press("Save").see("Saved.");
    blue.press("Keep mine").expect(409).see("third");
    blue.press("Keep mine").expect(200).see("Saved.");
    assert_eq!(field(&app, &e, "attack_source"), "from blue");
}

#[test]
fn taking_theirs_leaves_their_value() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let (mut one, mut two) = (app.browser(&app.people.standard), app.browser(&app.people.lead));
    one.open(&e.procedure_path(0));
    two.open(&e.procedure_path(0));
    one.fill("Attack source", "one").press("Save");
    two.fill("Attack source", "two").press("Save").expect(409);
    let name = one_button(&two, "Take ");
    two.press(&name).expect(200);
    assert_eq!(two.value("Attack source"), "one");
    assert_eq!(field(&app, &e, "attack_source"), "one");
}

fn one_button(browser: &crate::harness::browser::Browser, start: &str) -> String {
    browser.texts("button").into_iter().find(|t| t.starts_with(start)).expect("a button")
}

#[test]
fn bad_input_is_refused_beside_the_field_and_nothing_is_saved() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    let path = e.procedure_path(0);
    let version = "1";
    let big = "n".repeat(1024 * 1024);
    let bad: [(&str, &str, &str); 5] = [
        ("red_outcome", "triumph", "outcome"),
        ("red_notes", &big, "65,536"),
        ("blue_notes", "nothing \u{0} here", "the character nul"),
        ("status", "finished", "status"),
        ("executed_at", "yesterday", "time"),
    ];
    for (name, value, told) in bad {
        let answer = b.post(&path, &[("version", version), ("attack_source", "kept words"), (name, value)]);
        assert_eq!(answer.status, 422, "{name}");
        let text = answer.text().to_lowercase();
        assert!(text.contains(told), "{name}: {told}");
        assert!(String::from_utf8_lossy(&answer.body).contains("kept words"), "{name}: what was typed stays");
    }
    b.post(&path, &[("version", version), ("status", "not_applicable")]);
    assert_eq!(field(&app, &e, "status"), "not_started", "Not Applicable asks for a reason");
    assert_eq!(field(&app, &e, "attack_source"), "");
    assert_eq!(b.post(&path, &[("version", version), ("superuser", "1")]).status, 422, "an unknown field");
    assert_eq!(
        b.post(&path, &[("version", version), ("red_notes", "a"), ("red_notes", "b")]).status,
        422,
        "a field twice"
    );
    assert_eq!(count(&app, "SELECT count(*) FROM audit.events WHERE kind = 'procedure.saved'"), 0);
}

#[test]
fn detected_before_executed_is_saved_and_warned_about() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    b.open(&e.procedure_path(0))
        .fill("executed_at", "2026-11-20T08:00:00")
        .fill("detected_at", "2026-11-20T07:59:00");
    b.press("Save")
        .expect(200)
        .see("Saved.")
        .see("Detected before it was executed")
        .see_not("Time to detect");
}

#[test]
fn an_analyst_writes_blue_where_assigned_and_nothing_else() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut assigned = app.browser(&app.people.blue_analyst);
    assigned.open(&path).expect(200);
    assert!(assigned.has("[name=blue_notes]") && !assigned.has("[name=red_notes]"));
    assigned.fill("blue_notes", "seen by the client").press("Save").expect(200).see("Saved.");
    assert_eq!(assigned.post(&path, &[("version", "9"), ("red_notes", "forged")]).status, 403);
    assert_eq!(assigned.post(&format!("{path}/start"), &[]).status, 403);
    assert_eq!(assigned.post(&format!("{path}/steps/s1/tick"), &[]).status, 403);
    assert_eq!(field(&app, &e, "red_notes"), "");
    let mut reader = app.browser(&app.people.analyst);
    reader.open(&path).expect(200).see("seen by the client");
    assert!(!reader.has("[name=blue_notes]"));
    assert_eq!(reader.post(&path, &[("version", "9"), ("blue_notes", "forged")]).status, 403);
    assert_eq!(field(&app, &e, "blue_notes"), "seen by the client");
}

#[test]
fn with_the_own_side_rule_each_writes_the_side_they_are_assigned_to() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    change(&app, &format!("UPDATE engagements SET write_rule = 'own_side' WHERE id = '{}'", e.id));
    let mut red = app.browser(&app.people.standard);
    red.open(&e.procedure_path(0)).expect(200);
    assert!(red.has("[name=red_notes]") && !red.has("[name=blue_notes]"));
    assert_eq!(red.post(&e.procedure_path(0), &[("version", "1"), ("blue_notes", "x")]).status, 403);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&e.procedure_path(0));
    assert!(lead.has("[name=red_notes]") && lead.has("[name=blue_notes]"), "leads are both");
}

#[test]
fn a_foreign_procedure_is_as_absent_as_one_that_never_was() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut outsider = app.browser(&app.people.outsider);
    let never = format!("/engagements/{}/procedures/{}", uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let request = without_request(outsider.get(&e.procedure_path(0)).text());
    assert_eq!(outsider.get(&e.procedure_path(0)).status, 404);
    assert_eq!(request, without_request(outsider.get(&never).text()));
    assert_eq!(outsider.post(&e.procedure_path(0), &[("version", "1"), ("red_notes", "x")]).status, 404);
    assert_eq!(outsider.post(&format!("{}/draft", e.procedure_path(0)), &[("version", "1")]).status, 404);
    assert_eq!(outsider.get(&format!("{}/events", e.path())).status, 404);
}

/// The page without its request id, which differs each time.
fn without_request(text: String) -> String {
    text.split_whitespace().filter(|word| !word.contains("<code>")).collect::<Vec<_>>().join(" ")
}

#[test]
fn start_sets_status_and_time_once_and_ticks_keep_who() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.standard);
    b.open(&e.procedure_path(0)).fill("Attack source", "typed before").press("Start").expect(200);
    assert_eq!(field(&app, &e, "status"), "in_progress");
    assert_eq!(
        field(&app, &e, "attack_source"),
        "typed before",
        "without scripts the button saves the fields first"
    );
    assert_ne!(field(&app, &e, "executed_at"), "");
    assert_eq!(count(&app, "SELECT count(*) FROM log_entries"), 1);
    assert_eq!(b.post(&format!("{}/start", e.procedure_path(0)), &[]).status, 422, "it was started before");
    assert_eq!(count(&app, "SELECT count(*) FROM log_entries"), 1);
    let step = b.attribute("button.box", "value").expect("a step");
    assert!(step.starts_with("tick/"));
    b.open(&e.procedure_path(0));
    let tick = format!("{}/steps/{}/tick", e.procedure_path(0), step.trim_start_matches("tick/"));
    assert_eq!(b.post(&tick, &[]).status, 303);
    assert_eq!(b.post(&tick, &[]).status, 303, "ticking twice is one tick");
    assert_eq!(count(&app, "SELECT count(*) FROM step_ticks"), 1);
    assert_eq!(count(&app, "SELECT count(*) FROM audit.events WHERE kind = 'step.ticked'"), 1);
    assert_eq!(b.post(&format!("{}/steps/nope/tick", e.procedure_path(0)), &[]).status, 404);
}

#[test]
fn a_draft_is_offered_again_and_gone_after_a_save() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let draft = format!("{}/draft", e.procedure_path(0));
    let mut b = app.browser(&app.people.standard);
    let kept = b.post(&draft, &[("version", "1"), ("red_notes", "half a thought"), ("tab", "one")]);
    assert!(kept.text().contains("draft kept"));
    b.post(&draft, &[("version", "1"), ("red_notes", "half a thought more"), ("tab", "one")]);
    b.open(&e.procedure_path(0)).see("Unsaved draft from").click("Restore");
    assert_eq!(b.value("red_notes"), "half a thought more");
    assert_eq!(field(&app, &e, "red_notes"), "", "a draft is nobody else's");
    b.press("Save").expect(200);
    assert_eq!(count(&app, "SELECT count(*) FROM drafts"), 0);
    b.open(&e.procedure_path(0)).see_not("Unsaved draft");
    b.post(&draft, &[("version", "2"), ("red_notes", "to be thrown away"), ("tab", "one")]);
    b.open(&e.procedure_path(0)).press("Discard").expect(200).see_not("Unsaved draft");
}

#[test]
fn a_restored_draft_conflicts_with_what_was_saved_meanwhile() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.standard);
    b.post(
        &format!("{}/draft", e.procedure_path(0)),
        &[("version", "1"), ("attack_source", "drafted"), ("tab", "one")],
    );
    let mut other = app.browser(&app.people.lead);
    other.open(&e.procedure_path(0)).fill("Attack source", "saved meanwhile").press("Save");
    b.open(&e.procedure_path(0)).click("Restore");
    assert_eq!(b.value("Attack source"), "drafted");
    b.press("Save").expect(409).see("saved meanwhile");
}

#[test]
fn what_is_not_in_progress_cannot_be_worked_on() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    b.open(&e.procedure_path(0));
    change(&app, &format!("UPDATE engagements SET submitted_at = now() WHERE id = '{}'", e.id));
    b.fill("red_notes", "too late").press("Save").expect(422).see("submitted");
    assert_eq!(b.value("red_notes"), "too late", "what was typed stays");
    assert_eq!(field(&app, &e, "red_notes"), "");
    b.open(&e.procedure_path(0)).expect(200);
    assert!(!b.has("[name=red_notes]"), "the page offers nothing to write");
    assert_eq!(b.post(&format!("{}/start", e.procedure_path(0)), &[]).status, 422);
}

#[test]
fn operators_of_a_procedure_win_over_the_engagements() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = format!("{}/operators", e.procedure_path(0));
    let mut lead = app.browser(&app.people.lead);
    lead.open(&path).expect(200);
    let id = app.people.second.id.to_string();
    assert_eq!(lead.post(&path, &[("red", &id)]).status, 303);
    assert_eq!(count(&app, "SELECT count(*) FROM procedure_operators"), 1);
    assert_eq!(
        lead.post(&path, &[("red", &app.people.outsider.id.to_string())]).status,
        422,
        "no access to the client"
    );
    assert_eq!(app.browser(&app.people.analyst).post(&path, &[("red", &id)]).status, 403);
    assert_eq!(lead.post(&path, &[("had_red", &id)]).status, 303);
    assert_eq!(count(&app, "SELECT count(*) FROM procedure_operators"), 0);
}

#[test]
fn two_people_tick_operators_of_a_procedure_and_both_ticks_stay() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = format!("{}/operators", e.procedure_path(0));
    let (mut one, mut two) = (app.browser(&app.people.lead), app.browser(&app.people.lead));
    let [second, standard] = [&app.people.second, &app.people.standard].map(|person| person.id.to_string());
    // Each from a page that showed nobody.
    assert_eq!(one.post(&path, &[("red", &second)]).status, 303);
    assert_eq!(two.post(&path, &[("red", &standard), ("blue", &standard)]).status, 303);
    assert_eq!(count(&app, "SELECT count(*) FROM procedure_operators"), 3);
    // Of what a page showed, what is no longer ticked goes.
    let shown = one.open(&path).html().matches("name=\"had_red\"").count();
    assert_eq!(shown, 2, "the page says whom it showed");
    let had = [("had_red", second.as_str()), ("had_red", standard.as_str()), ("red", standard.as_str())];
    assert_eq!(one.post(&path, &had).status, 303);
    assert_eq!(
        app.texts("SELECT team || ' ' || person_id FROM procedure_operators ORDER BY team"),
        [format!("blue {standard}"), format!("red {standard}")]
    );
}

fn set_zone(app: &TestApp, e: &Engagement, zone: &str) {
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{}/edit", e.path())).expect(200);
    let mut form = fields_of(lead.html(), "main form");
    form.insert("time_zone".into(), zone.to_owned());
    let typed: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(lead.post(&format!("{}/edit", e.path()), &typed).status, 303);
}

fn post_form(b: &mut Browser, path: &str, form: &std::collections::BTreeMap<String, String>) -> Answer {
    let typed: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    b.post(path, &typed)
}

const EXECUTED: &str =
    "SELECT to_char(executed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM procedures";

#[test]
fn a_changed_zone_moves_no_time_of_an_open_page() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    set_zone(&app, &e, "Europe/Berlin");
    let mut b = app.browser(&app.people.standard);
    b.open(&path).expect(200).fill("Executed at (Europe/Berlin)", "2026-11-20T14:00:00").press("Save");
    assert_eq!(app.texts(EXECUTED), ["2026-11-20 13:00:00"]);
    b.open(&path).expect(200);
    let mut open = fields_of(b.html(), "#procedure");
    assert_eq!(open["executed_at"], "2026-11-20T14:00:00");
    set_zone(&app, &e, "UTC");

    open.insert("red_notes".into(), "Only the notes".into());
    assert_eq!(post_form(&mut b, &path, &open).status, 303);
    assert_eq!(app.texts(EXECUTED), ["2026-11-20 13:00:00"], "the time stays where it was");
    // And a time typed on that page means the zone that the page showed.
    open.insert("detected_at".into(), "2026-11-20T14:10:00".into());
    open.insert("executed_at".into(), "2026-11-20T14:01:00".into());
    assert_eq!(post_form(&mut b, &path, &open).status, 303);
    assert_eq!(app.texts(EXECUTED), ["2026-11-20 13:01:00"]);
    b.open(&path).expect(200);
    assert_eq!(
        fields_of(b.html(), "#procedure")["detected_at"],
        "2026-11-20T13:10:00",
        "told in the new zone now"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM audit.events WHERE kind = 'procedure.saved'"),
        3,
        "no conflict, no noise"
    );
}

#[test]
fn a_draft_typed_in_another_zone_is_offered_in_todays() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    set_zone(&app, &e, "Europe/Berlin");
    let mut b = app.browser(&app.people.standard);
    b.open(&path).expect(200);
    let mut typed = fields_of(b.html(), "#procedure");
    typed.insert("executed_at".into(), "2026-11-20T14:00:00".into());
    assert_eq!(post_form(&mut b, &format!("{path}/draft"), &typed).status, 200);
    set_zone(&app, &e, "UTC");
    b.open(&format!("{path}?draft=restore")).expect(200);
    assert_eq!(b.value("Executed at (UTC)"), "2026-11-20T13:00:00");
}

#[test]
fn a_detection_in_the_hour_that_comes_twice_is_the_one_after_the_execution() {
    let app = TestApp::spawn();
    let e = app.engagement(2);
    let path = e.procedure_path(0);
    set_zone(&app, &e, "America/New_York");
    let mut b = app.browser(&app.people.lead);
    b.open(&path).fill("executed_at", "2026-11-01T01:50").press("Save").expect(200);
    b.fill("detected_at", "2026-11-01T01:10").choose("blue_outcome", "Alerted, Not Prevented");
    b.press("Save").expect(200).see_not("Detected before it was executed").see("Time to detect 20 min");
    b.press("Save").expect(200).see("Time to detect 20 min");
    // Both in one save mean the same.
    b.open(&e.procedure_path(1)).choose("blue_outcome", "Alerted, Not Prevented");
    b.fill("executed_at", "2026-11-01T01:50").fill("detected_at", "2026-11-01T01:10");
    b.fill("responded_at", "2026-11-01T01:20").press("Save").expect(200);
    b.see_not("before it was").see("Time to detect 20 min").see("time to respond 10 min");
    let alert = [("version", "99"), ("detected_at", "2026-11-01T05:05:00Z")];
    assert_eq!(b.post(&path, &alert).status, 303);
    b.open(&path).see("Detected before it was executed");
}

#[test]
fn the_second_pass_of_a_repeated_hour_stays_the_second() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    set_zone(&app, &e, "Europe/Berlin");
    // 2026-10-25 01:30 UTC is the second 02:30 of that night.
    app.clock.set("2026-10-25T01:30:00Z".parse().unwrap());
    let mut b = app.browser(&app.people.standard);
    b.open(&path).expect(200).press("Start");
    assert_eq!(app.texts(EXECUTED), ["2026-10-25 01:30:00"]);
    b.open(&path).expect(200).fill("Attack source", "10.0.0.5").press("Save");
    assert_eq!(app.texts(EXECUTED), ["2026-10-25 01:30:00"], "a save of something else keeps the instant");
}

#[test]
fn an_analyst_sets_no_input_of_reds_commands() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let mut blue = app.browser(&app.people.blue_analyst);
    for n in 0..3 {
        let answer =
            blue.post(&format!("{}/inputs", e.procedure_path(n)), &[("value.remote_host", "evil.example")]);
        assert_eq!(answer.status, 403);
    }
    assert_eq!(app.count("SELECT count(*) FROM procedure_inputs"), 0);
    assert_eq!(app.events("access.refused"), 3);
}

#[test]
fn an_input_that_somebody_else_set_is_not_replaced_unseen() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let with_inputs = (0..3).find(|n| {
        let mut b = app.browser(&app.people.standard);
        b.open(&e.procedure_path(*n));
        b.has("#inputs input[name^='value.']")
    });
    let path = e.procedure_path(with_inputs.expect("a procedure with inputs"));
    let mut a = app.browser(&app.people.standard);
    a.open(&path);
    let name = a.attribute("#inputs input[name^='value.']", "name").unwrap();
    let mut b = app.browser(&app.people.lead);
    let inputs = format!("{path}/inputs");
    assert_eq!(a.post(&inputs, &[(&name, "first")]).status, 303);
    let refused = b.post(&inputs, &[(&name, "second")]);
    assert_eq!(refused.status, 422);
    let html = refused.text();
    assert!(html.contains("“first”") && html.contains("value=\"second\""), "both values are in sight");
    assert_eq!(app.texts("SELECT value FROM procedure_inputs"), ["first"]);
    let had = name.replace("value.", "had.");
    assert_eq!(b.post(&inputs, &[(&name, "second"), (&had, "first")]).status, 303, "and knowingly it is");
    // With scripts the whole form around the button comes along.
    let whole = |app: &TestApp, b: &mut Browser, value: &str, url: &str| {
        let mut typed = fields_of(b.open(&path).expect(200).html(), "#procedure");
        typed.insert(name.clone(), value.to_owned());
        let typed: Vec<_> = typed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = b.post_with(url, &typed, &[("HX-Request", "true"), ("HX-Request-Type", "partial")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        app.texts("SELECT value FROM procedure_inputs")
    };
    assert_eq!(whole(&app, &mut b, "third", &inputs), ["third"]);
    assert_eq!(
        whole(&app, &mut b, "fourth", &format!("{path}/start")),
        ["third"],
        "Start leaves what is typed alone"
    );
    assert_eq!(whole(&app, &mut b, "second", &inputs), ["second"]);
    // A fault beside the field, the block whole.
    let long = "x".repeat(3_000);
    let refused = b.post_with(
        &inputs,
        &[(&name, &long), (&had, "second")],
        &[("HX-Request", "true"), ("HX-Request-Type", "partial")],
    );
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("id=\"steps\"") && refused.text().contains(&long));
}

#[test]
fn a_reader_sees_what_others_save_in_fields_that_they_do_not_write() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut red = app.browser(&app.people.standard);
    red.open(&path).expect(200).fill("Attack source", "10.0.0.5").press("Save");
    let fresh = app.browser(&app.people.blue_analyst).get_fragment(&format!("{path}/fresh")).text();
    assert!(
        fresh.contains("hx-target=\"#f-attack_source\"")
            && fresh.contains("<p class=\"written\">10.0.0.5</p>"),
        "{fresh}"
    );
    let own = red.get_fragment(&format!("{path}/fresh?sides=red,blue")).text();
    assert!(!own.contains("#f-attack_source"), "who writes it merges it into the form");
}

#[test]
fn refused_edits_that_keep_the_form_are_recorded() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut blue = app.browser(&app.people.blue_analyst);
    assert_eq!(
        blue.post(&format!("{path}/cell/red_outcome"), &[("value", "success"), ("base", "1")]).status,
        403
    );
    assert_eq!(app.events("access.refused"), 1);
    let answer = blue.post(
        &path,
        &[("version", "1"), ("zone", "UTC"), ("red_notes", "Nine words that must not be lost here")],
    );
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("Nine words that must not be lost here"));
    assert_eq!(app.events("access.refused"), 2);
}

#[test]
fn an_address_that_names_nothing_gets_a_page() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.lead);
    let answer = b.get("/engagements/abc");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("Go to the dashboard"));
}

#[test]
fn after_a_lost_session_a_form_leads_back_to_its_page() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut b = app.visitor();
    let host = app.base.trim_start_matches("http://").to_owned();
    let answer = b.post_with(&path, &[("version", "1")], &[("Referer", &format!("http://{host}{path}"))]);
    assert_eq!(answer.status, 303);
    let next = answer.header("location").to_owned();
    assert!(next.starts_with("/sign-in?next=%2Fengagements%2F"), "{next}");
    let foreign = b.post_with(
        &path,
        &[("version", "1")],
        &[("Referer", "http://evil.example/x"), ("Origin", &app.base)],
    );
    assert_eq!(foreign.header("location"), "/sign-in");
}

#[test]
fn a_draft_left_in_another_tab_stays_until_it_is_restored_or_discarded() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut b = app.browser(&app.people.standard);
    b.open(&path).expect(200);
    let page = fields_of(b.html(), "#procedure");
    let mut left = page.clone();
    left.insert("red_notes".into(), "OLD long unsaved words".into());
    left.insert("tab".into(), "first".into());
    assert_eq!(post_form(&mut b, &format!("{path}/draft"), &left).status, 200);
    b.open(&path).see("Unsaved draft from").see(": Red notes.");
    // Typing on without choosing keeps a draft of its own, and saving it takes only that one away.
    let mut typed = page.clone();
    typed.insert("attack_source".into(), "10.0.0.5".into());
    typed.insert("tab".into(), "second".into());
    let kept = post_form(&mut b, &format!("{path}/draft"), &typed);
    assert!(!kept.text().contains("another tab"), "{}", kept.text());
    assert_eq!(post_form(&mut b, &path, &typed).status, 303);
    b.open(&path).see("Unsaved draft from");
    b.click("Restore").expect(200);
    assert_eq!(b.value("red_notes"), "OLD long unsaved words");
    assert_eq!(
        fields_of(b.html(), "#procedure")["tab"],
        "first",
        "the page goes on as the tab whose draft it was"
    );
    b.press("Save").expect(200).see_not("Unsaved draft from");
    assert_eq!(count(&app, "SELECT count(*) FROM drafts"), 0);
    assert_eq!(field(&app, &e, "attack_source"), "10.0.0.5");
    // Discarded, it is gone.
    assert_eq!(post_form(&mut b, &format!("{path}/draft"), &left).status, 200);
    left.insert("red_notes".into(), "Other words".into());
    assert_eq!(post_form(&mut b, &format!("{path}/draft"), &left).status, 200);
    b.open(&path)
        .see("Unsaved draft from")
        .press("Discard")
        .see("Draft discarded.")
        .see_not("Unsaved draft from");
}

#[test]
fn two_tabs_that_both_keep_drafts_are_told() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = format!("{}/draft", e.procedure_path(0));
    let mut b = app.browser(&app.people.standard);
    let mut keep =
        |tab: &str, text: &str| b.post(&path, &[("version", "1"), ("red_notes", text), ("tab", tab)]).text();
    assert!(!keep("a", "one").contains("another tab"));
    app.pass(chrono::TimeDelta::seconds(2));
    assert!(!keep("b", "two").contains("another tab"));
    app.pass(chrono::TimeDelta::seconds(2));
    assert!(keep("a", "three").contains("another tab"));
}

#[test]
fn without_scripts_set_inputs_saves_the_fields_too() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let mut b = app.browser(&app.people.standard);
    assert!(
        (0..3).any(|n| b.open(&e.procedure_path(n)).has("#inputs input[name^='value.']")),
        "a procedure with inputs"
    );
    let name = b.attribute("#inputs input[name^='value.']", "name").unwrap();
    b.fill("red_notes", "typed too").fill(&name, "one value").press("Set inputs").expect(200);
    assert_eq!(b.value("red_notes"), "typed too");
    assert_eq!(app.texts("SELECT value FROM procedure_inputs"), ["one value"]);
    b.fill("red_notes", "typed again").fill(&name, &"x".repeat(3_000)).press("Save").expect(422);
    assert_eq!(
        (b.value("red_notes").as_str(), b.value(&name).len()),
        ("typed again", 3_000),
        "all of it is still there"
    );
}

#[test]
fn controls_with_words_in_them_are_never_replaced() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut b = app.browser(&app.people.standard);
    b.open(&path).expect(200);
    let asked = b.attribute("#fresh", "hx-get").unwrap();
    assert!(asked.ends_with("/fresh?sides=red,blue,shared,planning"), "{asked}");
    app.browser(&app.people.lead).post(&format!("{}/submit", e.path()), &[("incomplete", "on")]);
    let fresh = b.get_fragment(&asked).text();
    assert!(!fresh.contains("hx-target=\"#f-"), "the work is closed, but the words on the page stay");
}

/// Gives every procedure these steps.
fn steps(app: &TestApp, steps: &str) {
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             UPDATE procedures SET body = jsonb_set(body, '{{steps}}', '{steps}')"
        ))
        .unwrap();
}

/// A status that nobody chose follows the work; one by hand holds until an outcome changes.
#[test]
fn a_status_follows_the_work() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    // Without a cleanup that would have to be ticked.
    steps(&app, "[]");
    let mut b = app.browser(&app.people.lead);
    let path = e.procedure_path(0);
    let mut save = |fields: &[(&str, &str)]| {
        let version = text(&app, "SELECT version::text FROM procedures");
        let fields: Vec<(&str, &str)> =
            [("version", version.as_str())].iter().chain(fields).copied().collect();
        assert_eq!(b.post(&path, &fields).status, 303);
        text(&app, "SELECT status FROM procedures")
    };
    assert_eq!(save(&[("red_notes", "only words")]), "not_started", "notes are no work yet");
    assert_eq!(save(&[("executed_at", "2026-11-20T07:00:00")]), "in_progress");
    assert_eq!(save(&[("executed_at", "")]), "not_started");
    assert_eq!(save(&[("red_outcome", "success")]), "in_progress");
    assert_eq!(save(&[("blue_outcome", "logged")]), "completed");
    assert_eq!(save(&[("blue_outcome", "")]), "in_progress", "a derived Completed is taken back");
    assert_eq!(save(&[("blue_outcome", "logged"), ("red_outcome", "not_attempted")]), "in_progress");
    assert_eq!(save(&[("red_outcome", "success")]), "completed");
    // By hand.
    assert_eq!(save(&[("status", "in_progress")]), "in_progress");
    assert_eq!(save(&[("red_notes", "more words")]), "in_progress", "a choice by hand holds");
    assert_eq!(save(&[("red_outcome", "partial_success")]), "completed", "until an outcome changes");
    let reason = ("not_applicable_reason", "Out of scope");
    assert_eq!(save(&[("status", "not_applicable"), reason]), "not_applicable");
    assert_eq!(save(&[("red_outcome", "success")]), "not_applicable", "only Not Applicable stays");
}

/// Ticks of steps and log entries start a procedure; an unticked cleanup keeps it from being completed.
#[test]
fn a_status_follows_ticks_and_entries() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let of_each_kind = r#"[{"id":"p","kind":"prerequisite","description":"there"},
        {"id":"s","kind":"step","description":"run"},{"id":"c","kind":"cleanup","description":"clean"}]"#;
    steps(&app, of_each_kind);
    let mut b = app.browser(&app.people.lead);
    let path = e.procedure_path(0);
    let status = || text(&app, "SELECT status FROM procedures");
    b.post(&format!("{path}/steps/p/tick"), &[]);
    assert_eq!(status(), "not_started", "a prerequisite is no start");
    b.post(&format!("{path}/steps/s/tick"), &[]);
    assert_eq!(status(), "in_progress");
    b.post(&format!("{path}/steps/s/untick"), &[]);
    assert_eq!(status(), "not_started");
    let version = text(&app, "SELECT version::text FROM procedures");
    let both = [("version", version.as_str()), ("red_outcome", "success"), ("blue_outcome", "logged")];
    b.post(&path, &both);
    assert_eq!(status(), "in_progress", "cleanup is left");
    b.open(&format!("{}?show=red", e.path())).see("Marker attachment arrives").see("Red, cleanup");
    b.open(&path).see("Waiting on red team.").see("Cleanup is not ticked yet");
    assert!(b.get_fragment(&format!("{path}/fresh")).text().contains("Cleanup is not ticked yet"));
    b.post(&format!("{path}/steps/c/tick"), &[]);
    assert_eq!(status(), "completed");
    b.open(&path).see_not("Cleanup is not ticked yet").see_not("Waiting on red team.");
    b.post(&format!("{path}/steps/c/untick"), &[]);
    assert_eq!(status(), "in_progress");
    let saved =
        "SELECT count(*) FROM audit.events WHERE kind = 'procedure.saved' AND sentence LIKE '%: status %'";
    assert!(count(&app, saved) >= 4, "each change of the status is told");
}

/// Start asks whether a time of execution is there, and takes no choice of status away.
#[test]
fn start_follows_the_time_of_execution() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.standard);
    let path = e.procedure_path(0);
    b.open(&path).choose("red_outcome", "Success").press("Save").expect(200).see("In Progress");
    b.open(&path).press("Start").expect(200);
    assert_ne!(text(&app, "SELECT coalesce(executed_at::text, '') FROM procedures"), "");
    b.open(&path).see_not("sets the time and makes a log entry");
    let again = b.post(&format!("{path}/start"), &[]);
    assert_eq!(again.status, 422);
    assert!(again.text().contains("A time of execution stands here already"), "{}", again.text());
}

/// A page that was opened from a filter stays inside it, and its end says what waits elsewhere.
#[test]
fn a_queue_keeps_its_filter_to_its_end() {
    let app = TestApp::spawn();
    let (e, other) = (app.engagement(4), app.engagement(1));
    let mut b = app.browser(&app.people.standard);
    b.open(&format!("{}?show=mine", e.path())).click("View");
    let within = |n: usize| format!("{}?queue=mine", e.procedure_path(n));
    // From the second on, round the end, back to the first.
    b.open(&within(1)).see("2 of 4 waiting on you");
    for (n, next) in [(1, Some(2)), (2, Some(3)), (3, Some(0)), (0, None)] {
        assert_eq!(b.path(), within(n));
        b.choose("red_outcome", "Success").press("Save and next").expect(200);
        if let Some(next) = next {
            assert_eq!(b.path(), within(next), "after {n}");
        }
    }
    assert_eq!(b.path(), format!("{}/queue?queue=mine", e.path()));
    b.see("Nothing is waiting on you").see("Waiting on you elsewhere").see("1 waiting");
    let first = format!("{}?queue=mine", other.procedure_path(0));
    b.open(&within(1)).click("Close");
    assert_eq!(b.path(), format!("{}?show=mine", e.path()));
    b.open(&format!("{}/queue?queue=mine", other.path())).click("Continue");
    assert_eq!(b.path(), first);
}

/// Nothing waits where no work is allowed.
#[test]
fn turns_pause_where_no_work_is_allowed() {
    let app = TestApp::spawn();
    let e = app.engagement(2);
    let mut b = app.browser(&app.people.lead);
    b.open(&e.path()).see("waiting on red").see("Waiting on red");
    b.post(&format!("{}/cancellation", e.path()), &[("reason", "The client asked for it")]);
    b.open(&e.path()).see_not("waiting on red").see_not("Waiting on red");
}
