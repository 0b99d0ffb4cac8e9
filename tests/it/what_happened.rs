//! That what the log says is true, and found under the words that people look for.

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::{PASSWORD, SAM};

fn sentences(app: &TestApp, kind: &str) -> Vec<String> {
    app.texts(&format!("SELECT sentence FROM audit.events WHERE kind = '{kind}' ORDER BY id"))
}

/// The rows of the log that this browser is shown for an address: the user's column and the sentence.
fn rows(b: &mut Browser, address: &str) -> Vec<String> {
    b.open(address).expect(200).texts(".event > .head")
}

#[test]
fn a_failed_sign_in_names_the_account_and_no_mistyped_name_is_stored() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut visitor = app.visitor();
    visitor.post("/sign-in", &[("email", person.email.as_str()), ("password", "not the password")]);
    visitor.post("/sign-in", &[("email", "hunter2@nowhere.example"), ("password", "not the password")]);
    assert_eq!(
        sentences(&app, "session.refused"),
        [format!("Sign-in for {SAM} failed: wrong credentials"), "Sign-in failed: wrong credentials".into()]
    );
    let mut admin = app.browser(&app.people.administrator);
    let found = rows(&mut admin, "/admin/audit-log?q=wrong+credentials");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("(no account)"), "where there is none: {}", found[0]);
    assert!(found[1].contains("not signed in") && !found[1].contains("(no account)"), "{}", found[1]);
    let csv = admin.get("/admin/audit-log.csv?q=wrong+credentials").text();
    assert_eq!(
        (csv.matches(", not signed in").count(), csv.matches("(no account)").count()),
        (1, 1),
        "{csv}"
    );
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE events::text LIKE '%hunter2%'"), 0);
}

#[test]
fn an_event_of_before_shows_its_person_and_keeps_its_words() {
    let app = TestApp::spawn();
    let person = app.people.standard.clone();
    app.db
        .write_blocking(&tyrian::kernel::event::domain::Actor::anonymous(), |tx| {
            use tyrian::kernel::event::domain::{Event, Kind};
            let old =
                Event::failed(Kind::SessionRefused, "wrong_credentials", "Sign-in failed: wrong credentials")
                    .subject("person", person.id.0, "Lee Lead")
                    .about(person.id);
            tx.audited((), old)
        })
        .unwrap();
    let mut admin = app.browser(&app.people.administrator);
    let found = rows(&mut admin, "/admin/audit-log?q=wrong+credentials");
    assert!(found[0].starts_with("Lee Lead not signed in"), "{found:?}");
    assert!(found[0].contains("Sign-in failed: wrong credentials"), "{found:?}");
}

#[test]
fn a_first_password_is_no_change_and_the_category_narrows_to_those_who_changed_one() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/users/new").fill("Name", "Nia Berg").fill("E-mail", "nia@tyrian.example");
    admin.press("Create and make the link").expect(200);
    let link = admin.texts("#link").remove(0);
    let link = link[link.find("/link/").unwrap()..].to_owned();
    let mut nia = app.visitor();
    nia.open(&link).see("Nia Berg");
    assert_eq!(nia.value("E-mail"), "nia@tyrian.example");
    nia.fill("Password", "a long enough sentence").press("Set password").expect(200);
    assert_eq!(sentences(&app, "password.chosen"), ["Chose a first password"]);
    assert_eq!(app.events("password.changed"), 0);

    let mut sam = app.sign_in(&app.people.standard);
    sam.post("/account/password", &[("current", PASSWORD), ("password", "another sentence entirely")]);
    let found = rows(&mut admin, "/admin/audit-log?q=password&category=password");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("Changed own password"), "{found:?}");
    admin.open("/admin/audit-log?q=password");
    let chips = admin.texts(".chip");
    assert!(chips.contains(&"Password 1".to_owned()), "{chips:?}");
    assert!(chips.contains(&"Users 1".to_owned()), "the first one: {chips:?}");
}

#[test]
fn the_set_up_link_made_the_administrator() {
    let app = TestApp::spawn_empty();
    let link = tyrian::accounts::pages::sign_in::make_link(
        &app.app,
        tyrian::accounts::domain::LinkPurpose::FirstAdministrator,
        None,
        1,
    )
    .unwrap();
    let path = link[link.find("/link/").unwrap()..].to_owned();
    let mut ada = app.visitor();
    ada.open(&path).fill("Name", "Ada Boss").fill("E-mail", "ada@tyrian.example");
    ada.fill("Password", "a long enough sentence").press("Create account").expect(200);
    assert_eq!(sentences(&app, "user.created"), ["The set-up link made the administrator Ada Boss"]);
    assert_eq!(sentences(&app, "password.chosen"), ["Chose a first password"]);
}

#[test]
fn refusals_are_told_in_words() {
    let app = TestApp::spawn();
    let mut bare = app.browser(&app.people.analyst);
    assert_eq!(bare.get("/admin/settings").status, 403);
    assert_eq!(bare.get("/library/procedures").status, 403);
    assert_eq!(sentences(&app, "access.refused"), ["Was refused Settings", "Was refused Library"]);
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/audit-log?q=refused");
    assert!(!admin.text().contains("Refused Was refused"), "said once");
    // What was asked for stays known.
    let found = rows(&mut admin, "/admin/audit-log?q=/admin/settings");
    assert_eq!(found.len(), 1, "{found:?}");

    let mut sam = app.sign_in(&app.people.standard);
    sam.open("/account/two-factor").fill("Code", "000000").press("Set up").expect(422);
    assert_eq!(
        app.texts("SELECT sentence FROM audit.events WHERE reason = 'wrong_code'"),
        ["Typed a wrong code while setting up a second factor"]
    );
}

#[test]
fn every_address_has_words() {
    for row in tyrian::routes::TABLE.iter().copied().flatten() {
        let named = tyrian::kernel::web::places::place(row.path).is_some() || row.path == "/";
        assert!(named, "{} has no name in the log", row.path);
    }
}

#[test]
fn short_values_stand_in_the_sentence_of_a_save() {
    let app = TestApp::spawn();
    let mut admin = app.sign_in(&app.people.administrator);
    let person = &app.people.second;
    admin.open(&format!("/admin/users/{}", person.id)).fill("E-mail", "new@tyrian.example").press("Save");
    let told = sentences(&app, "user.updated").remove(0);
    assert!(told.ends_with(&format!(": email {} → new@tyrian.example", person.email)), "{told}");
}

#[test]
fn a_locked_account_says_so_in_the_list_and_is_filtered_by() {
    let app = TestApp::spawn();
    let mut visitor = app.visitor();
    for _ in 0..5 {
        visitor.post("/sign-in", &[("email", app.people.standard.email.as_str()), ("password", "wrong")]);
        visitor.post("/sign-in", &[("email", "nobody@nowhere.example"), ("password", "wrong")]);
    }
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/users?status=locked").expect(200);
    assert_eq!(admin.texts("tbody tr").len(), 1);
    assert!(admin.texts("tbody .pill")[0].starts_with("Locked until "), "{:?}", admin.texts("tbody .pill"));
    admin.open("/admin/users?status=active").see("Locked until");
    assert!(admin.get("/admin/users.csv?status=locked").text().contains("Locked until "));
    app.pass(chrono::TimeDelta::minutes(16));
    admin.open("/admin/users?status=locked").see("No user fits");
}

#[test]
fn addresses_of_the_log_carry_only_what_narrows_it() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let partial = ("HX-Request-Type", "partial");
    let asked = "/admin/audit-log?from=&to=&q=password&user=&jump=";
    let typed = admin.send("GET", asked, &[partial, ("HX-Source", "form#filters")], b"");
    assert_eq!(typed.header("hx-replace-url"), "/admin/audit-log?q=password");
    let picked = admin.send("GET", asked, &[partial, ("HX-Source", "select#user")], b"");
    assert_eq!(picked.header("hx-push-url"), "/admin/audit-log?q=password");
    let chip = admin.send("GET", "/admin/audit-log?q=password", &[partial, ("HX-Source", "a")], b"");
    assert_eq!(chip.header("hx-push-url"), "");
}

#[test]
fn exports_differ_in_name_and_the_keys_can_be_fetched() {
    let app = TestApp::spawn();
    app.seal();
    let mut admin = app.browser(&app.people.administrator);
    let plain = admin.get("/admin/audit-log.jsonl").header("content-disposition").to_owned();
    let proved = admin.get("/admin/audit-log.jsonl?proof=1").header("content-disposition").to_owned();
    assert!(plain.contains("audit-log-") && proved.contains("audit-log-with-proof-"), "{plain} {proved}");
    let keys = admin.get("/admin/audit-log/audit.pub");
    assert_eq!(keys.status, 200);
    let text = keys.text();
    assert!(
        text.lines().all(|line| line.len() == 64 && line.chars().all(|c| c.is_ascii_hexdigit())),
        "{text}"
    );
}

#[test]
fn the_id_on_a_page_of_a_refusal_leads_to_its_event() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let href = {
        lead.open("/admin/settings").expect(403);
        lead.attribute("main a[href*=audit-log]", "href").expect("a lead reads the log")
    };
    let mut admin = app.browser(&app.people.administrator);
    let found = rows(&mut admin, &href);
    assert!(found.len() == 1 && found[0].contains("Was refused Settings"), "{found:?}");
    let mut analyst = app.browser(&app.people.analyst);
    analyst.open("/admin/settings").expect(403).see("name it to an administrator");
}
