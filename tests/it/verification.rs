//! The verification that the server makes by itself, the page that shows it, and the ways to check the log
//! from outside: a program in another language, and the tools of any system.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::audit::proof::store::verification::{Verification, insert, list_last, save_progress};
use tyrian::audit::proof::verification::{JOB, PAGE, WORK};
use tyrian::jobs::find;
use tyrian::kernel::base::error::Result;
use tyrian::kernel::base::hex::hex;
use tyrian::kernel::db::claim::Claim;
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::kernel::job::{Done, Trigger, run};

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::kernel::sources::root;

fn verify(app: &TestApp, trigger: Trigger) -> Result<Done> {
    run(&app.app.reach(), find(JOB).unwrap(), trigger, None)
}

fn write(app: &TestApp, count: usize) {
    for n in 0..count {
        let event = Event::new(Kind::JobRun, format!("Ran number {n}"))
            .detail(serde_json::json!({ "n": n, "text": "a\u{202e}\"\\\n\u{1b}\u{e0041}é" }));
        app.db.write_blocking(&Actor::command(), |tx| tx.audited((), event)).unwrap();
    }
}

/// A log with a few seals.
fn sealed() -> TestApp {
    let app = TestApp::spawn();
    write(&app, 5);
    app.seal();
    write(&app, 5);
    app.seal();
    app
}

/// As somebody with the rights of a superuser could.
fn change(app: &TestApp, number: i64, set: &str) {
    app.superuser()
        .batch_execute(&format!(
            "UPDATE audit.events SET sentence = {set} WHERE (at, id) = (SELECT at, id FROM audit.sealed \
            WHERE number = {number})"
        ))
        .unwrap();
}

fn notices(app: &TestApp, person: impl std::fmt::Display) -> i64 {
    app.count(&format!(
        "SELECT count(*) FROM notices WHERE person_id = '{person}' AND read_at IS NULL AND href = '{PAGE}'"
    ))
}

fn head(app: &TestApp) -> String {
    let files = tyrian::audit::proof::seal::KeyFiles::of(&app.app.config);
    hex(&files.head().unwrap().unwrap().digest())
}

/// A digest as the page groups it.
fn grouped(page: &Browser, css: &str) -> String {
    page.texts(css)[0].replace(' ', "")
}

#[test]
fn the_nightly_run_says_what_it_found_and_the_page_shows_it_to_auditors() {
    let app = sealed();
    let done = verify(&app, Trigger::Tick).unwrap();
    let (events, seals) =
        (app.count("SELECT max(number) FROM audit.sealed"), app.count("SELECT max(number) FROM audit.seals"));
    let said = format!("Everything holds: {events} events in {seals} seals, verified in ");
    assert!(done.said.starts_with(&said) && done.wrong.is_none(), "{done:?}");
    let mut auditor = app.browser(&app.people.auditor);
    auditor.open(PAGE).expect(200).see(&format!("{events} events in {seals} seals"));
    auditor.see("Nothing: every event is sealed.").see_not("Verify now").see("In use");
    assert_eq!(auditor.texts(".verdict"), ["Everything holds"]);
    assert_eq!(grouped(&auditor, "#newest-digest"), head(&app));
    assert!(!auditor.has("#verification[hx-trigger]"), "nothing runs");
    // What comes after the newest seal waits, and is counted.
    write(&app, 3);
    auditor.open(PAGE).see("3 events, the oldest since").see_not("That is long");
    let mut administrator = app.browser(&app.people.administrator);
    administrator.open("/admin/jobs").see(&said);
    administrator.open("/admin/audit-log").click("Proof").expect(200).see("Verify now");
    for other in [&app.people.lead, &app.people.standard] {
        assert_eq!(app.browser(other).get(PAGE).status, 403);
    }
    let ready = app.visitor().get("/readyz").text();
    assert!(ready.contains("audit verification: everything held at "), "{ready}");
}

#[test]
fn a_fault_is_an_event_each_time_and_a_notice_once_and_told_everywhere() {
    let app = sealed();
    verify(&app, Trigger::Tick).unwrap();
    change(&app, 3, "sentence || '.'");
    let done = verify(&app, Trigger::Command).unwrap();
    let wrong = done.wrong.unwrap();
    assert!(wrong.starts_with("The audit log does not hold. The event of "), "{wrong}");
    assert!(wrong.ends_with("number 3, was changed after it was sealed."), "{wrong}");
    assert_eq!(
        app.texts("SELECT category FROM audit.events WHERE kind = 'audit_log.fault_found'"),
        ["system"]
    );
    assert_eq!(app.texts("SELECT failure FROM job_runs WHERE failure IS NOT NULL").concat(), wrong);
    // Whoever may read all of the log hears of it, and nobody else.
    let told = [&app.people.administrator, &app.people.auditor];
    for person in told {
        assert_eq!(notices(&app, person.id), 1);
        app.browser(person).open("/").see(&wrong).click(&wrong).expect(200).see("The log does not hold");
    }
    assert_eq!(app.count("SELECT count(*) FROM notices"), 2);
    let mut page = app.browser(&app.people.auditor);
    page.open(PAGE).see("number 3, was changed after it was sealed.");
    assert_eq!(page.texts(".verdict"), ["The log does not hold"]);
    assert_eq!(page.texts("td .state"), ["Holds", "In use"], "the one before, and the key");
    let ready = app.visitor().get("/readyz");
    assert!(ready.text().contains("audit verification: THE LOG DID NOT HOLD at "), "{}", ready.text());
    assert!(!ready.text().contains("number 3"), "anybody may ask there");
    // The same fault again: an event, and no second notice. Another one is news.
    verify(&app, Trigger::Command).unwrap();
    assert_eq!((app.events("audit_log.fault_found"), notices(&app, app.people.auditor.id)), (2, 1));
    assert_eq!(app.count("SELECT count(*) FROM notices"), 2);
    change(&app, 2, "'Nothing'");
    verify(&app, Trigger::Command).unwrap();
    assert_eq!((app.count("SELECT count(*) FROM notices"), notices(&app, app.people.auditor.id)), (4, 1));
}

#[test]
fn a_log_that_holds_again_says_so_and_its_notices_are_over() {
    let app = sealed();
    change(&app, 3, "sentence || '.'");
    verify(&app, Trigger::Tick).unwrap().wrong.unwrap();
    assert_eq!((notices(&app, app.people.auditor.id), app.events("audit_log.verified")), (1, 0));
    change(&app, 3, "left(sentence, -1)");
    verify(&app, Trigger::Command).unwrap();
    assert_eq!((notices(&app, app.people.auditor.id), app.events("audit_log.verified")), (0, 1));
    verify(&app, Trigger::Command).unwrap();
    assert_eq!(app.events("audit_log.verified"), 1, "that everything holds is no news");
}

#[test]
fn by_its_schedule_it_runs_once_a_night_and_whoever_asks_gets_it_anew() {
    let app = sealed();
    let rows = || app.count("SELECT count(*) FROM audit_verifications");
    verify(&app, Trigger::Start).unwrap();
    assert_eq!(verify(&app, Trigger::Tick).unwrap().said, "The audit log was verified already.");
    assert_eq!(rows(), 1);
    verify(&app, Trigger::ByHand).unwrap();
    assert_eq!(rows(), 2);
    app.pass(TimeDelta::days(1));
    verify(&app, Trigger::Tick).unwrap();
    assert_eq!(rows(), 3);
    app.pass(TimeDelta::days(3));
    app.browser(&app.people.auditor).open(PAGE).see("That was more than two days ago");
}

#[test]
fn one_process_verifies_at_a_time_and_the_page_shows_how_far_it_came() {
    let app = sealed();
    verify(&app, Trigger::Start).unwrap();
    app.pass(TimeDelta::minutes(1));
    let claim = || Claim::take(app.db.connect().unwrap(), WORK).unwrap();
    let elsewhere = claim().unwrap();
    assert!(claim().is_none());
    let said = verify(&app, Trigger::ByHand).unwrap().said;
    assert_eq!(said, "Another process is verifying the audit log.");
    let one = Verification::begun(app.clock.now());
    app.db
        .write_unaudited_blocking("test", |conn| {
            insert(conn, &one)?;
            save_progress(conn, one.id, 4)
        })
        .unwrap();
    let mut page = app.browser(&app.people.administrator);
    page.open(PAGE).see("Verifying since").see("4 of about").see_not("Verify now");
    assert_eq!(page.texts(".verdict"), ["Everything holds"], "what the last one found");
    let polled = page.attribute("#verification", "hx-get").unwrap();
    assert!(page.get_fragment(&polled).text().contains("Verifying since"));
    // It gave its claim back, or its process is gone.
    drop(elsewhere);
    page.open(PAGE).see("did not come to its end").see("Verify now");
    verify(&app, Trigger::ByHand).unwrap();
    page.open(PAGE).see_not("did not come to its end");
}

#[test]
fn it_ends_when_the_process_does_and_is_made_up_for() {
    let app = sealed();
    let reach = app.app.reach();
    reach.stopping.tell();
    run(&reach, find(JOB).unwrap(), Trigger::Tick, None).unwrap_err();
    let kept = app.db.read_blocking(|conn| list_last(conn, app.clock.now(), 1)).unwrap().remove(0);
    let why = "It was stopped before its end, because the server was stopping.";
    assert_eq!((kept.obstacle.as_deref(), kept.fault.as_deref()), (Some(why), None));
    app.browser(&app.people.auditor).open(PAGE).see("It is not known whether the log holds").see(why);
    let done = verify(&app, Trigger::Start).unwrap();
    assert!(done.said.starts_with("Everything holds"), "{done:?}");
    // One that is stopped makes nobody forget what was found before.
    change(&app, 3, "sentence || '.'");
    verify(&app, Trigger::ByHand).unwrap().wrong.unwrap();
    app.pass(TimeDelta::minutes(1));
    run(&reach, find(JOB).unwrap(), Trigger::ByHand, None).unwrap_err();
    let mut page = app.browser(&app.people.auditor);
    page.open(PAGE).see("came to no result.");
    assert_eq!(page.texts(".verdict"), ["The log does not hold"]);
}

#[test]
fn an_administrator_verifies_from_the_page_and_stays_there() {
    let app = TestApp::spawn_with_jobs();
    write(&app, 5);
    app.seal();
    let mut page = app.browser(&app.people.administrator);
    page.open(PAGE).press("Verify now").expect(200).see("Everything holds: ").see("verified in");
    assert_eq!(page.path(), PAGE);
    assert_eq!(app.events("job.run"), 7, "five that were written, one at the start, and this act");
    for elsewhere in ["https://elsewhere.example/", "//elsewhere.example"] {
        let answer = page.post(&format!("/admin/jobs/{JOB}/run"), &[("back", elsewhere)]);
        assert_eq!(answer.header("location"), "/");
    }
    assert_eq!(app.browser(&app.people.auditor).post(&format!("/admin/jobs/{JOB}/run"), &[]).status, 403);
}

#[test]
fn keys_that_nobody_trusts_and_archives_that_are_gone_are_shown() {
    let app = TestApp::spawn();
    app.superuser().batch_execute("TRUNCATE audit.events").unwrap();
    app.set_audit_clock(app.clock.now() - TimeDelta::days(250));
    write(&app, 4);
    app.seal();
    app.set_audit_clock(app.clock.now());
    run(&app.app.reach(), find("audit-refresh").unwrap(), Trigger::Tick, None).unwrap();
    write(&app, 2);
    app.seal();
    let mut page = app.browser(&app.people.auditor);
    page.open(PAGE)
        .see("March 2026")
        .see("events-2026-03.jsonl.zst")
        .see_not("Missing")
        .see_not("Not trusted");
    let recorded = app.texts("SELECT encode(digest, 'hex') FROM audit.archives WHERE month = '2026-03-01'");
    let shown: Vec<String> =
        page.texts("td[data-label='SHA-256'] .grouped").iter().map(|text| text.replace(' ', "")).collect();
    assert!(shown.contains(&recorded[0]), "{shown:?}");
    // The clock that a test moved is another definition than the log's own.
    let clock = "CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS \
        'SELECT clock_timestamp()'";
    app.owner().batch_execute(clock).unwrap();
    let done = verify(&app, Trigger::ByHand).unwrap();
    assert!(done.said.starts_with("Everything holds"), "archives are verified too: {done:?}");
    std::fs::remove_file(app.app.config.audit_archives().join("events-2026-03.jsonl.zst")).unwrap();
    std::fs::write(app.app.config.data_dir.join("audit.pub"), format!("{}\n", "ab".repeat(32))).unwrap();
    page.open(PAGE)
        .see("Missing")
        .see("One of the files is missing on this server")
        .see("Not trusted: it is not on the list");
    page.see("Signed nothing yet").see("which is not among the trusted ones. Do not keep it");
    std::fs::write(app.app.config.data_dir.join("audit.pub"), "no key\n").unwrap();
    page.open(PAGE).expect(200).see("The list of trusted keys cannot be read").see_not("Not trusted");
}

/// Whether a program is there; where it is not, its test says so and does nothing. `bin/test` installs them.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("NOT TESTED: {program} is not installed");
    }
    found
}

/// An export of everything with proof and the list of keys, in files.
fn exported(app: &TestApp, place: &Path) -> (PathBuf, PathBuf) {
    std::fs::create_dir_all(place).unwrap();
    let mut auditor = app.browser(&app.people.auditor);
    let (export, keys) = (place.join("export.jsonl"), place.join("audit.pub"));
    std::fs::write(&export, auditor.get("/admin/audit-log.jsonl?proof=1").text()).unwrap();
    std::fs::write(&keys, auditor.get("/admin/audit-log/audit.pub").text()).unwrap();
    (export, keys)
}

#[test]
fn a_program_in_another_language_proves_an_export_and_names_what_was_changed() {
    if !has("python3") {
        return;
    }
    let app = sealed();
    // Every kind of field, and texts that are hard to write.
    app.browser(&app.people.lead).get("/admin/users.csv");
    app.engagement(2);
    app.seal();
    let (export, keys) = exported(&app, &app.app.config.data_dir.join("python"));
    let text = std::fs::read_to_string(&export).unwrap();
    let check = |text: &str| {
        std::fs::write(&export, text).unwrap();
        let program = root().join("docs/verify_export.py");
        let done = Command::new("python3").arg(program).args([&export, &keys]).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.code(), said)
    };
    let events = text.lines().filter(|line| line.starts_with("{\"at\"")).count();
    let (code, said) = check(&text);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&format!("Everything holds: {events} events lead to seals 1 to ")), "{said}");
    assert!(said.contains(&head(&app)), "{said}");
    assert!(!said.contains("Note:"), "{said}");
    // One letter, one digit, one word, one hidden character, and what the proof itself says.
    for (from, to) in [
        ("Ran number 3", "Ran number 4"),
        ("\"n\": 3", "\"n\": 4"),
        ("\"success\"", "\"failure\""),
        ("\\u202e", "\\u202d"),
        ("\"transaction_id\":", "\"transaction_id\":1"),
    ] {
        assert!(text.contains(from), "{from}");
        let (code, said) = check(&text.replacen(from, to, 1));
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.starts_with("The export does not hold. The event of ") && said.contains("changed"),
            "{said}"
        );
    }
    let line = text.lines().find(|line| line.contains("Ran number 3")).unwrap();
    let id = line.split("\"id\":").nth(1).unwrap().split(',').next().unwrap();
    let (_, said) = check(&text.replacen("Ran number 3", "Ran number 4", 1));
    assert!(said.contains(&format!("id {id} ")), "names the event: {said}");
    for (from, to, why) in [
        ("\"signature\":\"", "\"signature\":\"00", "its signature does not fit what it says"),
        ("{\"seal\":{\"number\":2,", "{\"seal\":{\"number\":3,", "does not fit"),
        ("\"proof\":{", "\"prof\":{", "fields that no event has"),
        ("{\"end\":{\"events\":", "{\"end\":{\"events\":1", "its end tells of"),
    ] {
        let (code, said) = check(&text.replacen(from, to, 1));
        assert!(code == Some(1) || code == Some(2), "{said}");
        assert!(said.contains(why), "{why}: {said}");
    }
    let without: String = text
        .lines()
        .filter(|line| !line.contains("{\"number\":2,"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(check(&without).1.contains("Seal 2 is missing"), "{:?}", check(&without));
    let fewer: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(check(&fewer).1.contains("its end tells of"));
    let cut: String =
        text.lines().filter(|line| !line.starts_with("{\"end\"")).map(|line| format!("{line}\n")).collect();
    assert!(check(&cut).1.contains("does not say that it is complete"));
    // Another key than the ones that are trusted.
    std::fs::write(&keys, format!("# of somebody else\n{}\n", "ab".repeat(32))).unwrap();
    assert!(check(&text).1.contains("is not among the trusted ones"));
}

/// `docs/AUDIT.md` verifies one event by hand, with the tools of any system. What it types is typed here, and
/// gives what it says.
#[test]
fn what_the_documentation_does_by_hand_gives_what_it_says() {
    if !has("openssl") || !has("bash") {
        return;
    }
    let page = std::fs::read_to_string(root().join("docs/AUDIT.md")).unwrap();
    let by_hand = page.split("\n## By hand\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let typed: Vec<&str> =
        by_hand.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches("sh")).collect();
    assert!(typed.len() >= 5, "{typed:?}");
    let place = crate::harness::database::scratch().join(format!("by-hand-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let done = Command::new("bash").args(["-e", "-c", &typed.concat()]).current_dir(&place).output().unwrap();
    let _ = std::fs::remove_dir_all(&place);
    let said = String::from_utf8_lossy(&done.stdout).replace("  -", "");
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    // What each block prints stands behind it as a comment.
    let told: Vec<&str> =
        typed.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("# → ")).collect();
    assert_eq!(said.lines().map(str::trim).collect::<Vec<_>>(), told);
    // And the product makes the same of the event.
    let line = by_hand.lines().find(|line| line.trim_start().starts_with("{\"at\"")).unwrap().trim();
    let (event, ..) = tyrian::kernel::event::record::Record::from_line(line).unwrap();
    let mut bytes = Vec::new();
    event.canonical(&mut bytes);
    assert_eq!(hex(&tyrian::audit::proof::merkle::leaf(&bytes)), told[0]);
}
