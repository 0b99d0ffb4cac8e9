//! Signing in and out, one-time links, passwords.

use tyrian::accounts::domain::LinkPurpose;

use crate::harness::TestApp;
use crate::harness::fixtures::PASSWORD;

#[test]
fn a_person_signs_in_and_out() {
    let app = TestApp::spawn();
    let mut browser = app.visitor();
    browser.open("/account").expect(200).see("Sign in");
    browser.fill("E-mail", &app.people.lead.email).fill("Password", PASSWORD).press("Sign in");
    assert_eq!(browser.path(), "/account", "back where they wanted to go");
    browser.expect(200).see("Lea Winter");
    browser.press("Sign out");
    browser.expect(200).see("You are signed out.");
    browser.open("/account").see("Sign in");
    assert_eq!((app.events("session.started"), app.events("session.ended")), (1, 1));
}

#[test]
fn the_answer_is_the_same_for_known_and_unknown_accounts() {
    let app = TestApp::spawn();
    let mut answers = Vec::new();
    for email in [app.people.lead.email.as_str(), "nobody@tyrian.example"] {
        let mut browser = app.visitor();
        browser.open("/sign-in").fill("E-mail", email).fill("Password", "not the password").press("Sign in");
        browser.expect(422);
        assert_eq!(browser.value("E-mail"), email, "what was typed stays");
        assert_eq!(browser.value("Password"), "");
        answers.push(browser.text());
    }
    assert_eq!(answers[0], answers[1]);
    let log = app.texts(
        "SELECT sentence || ' ' || search_values FROM audit.events \
        WHERE kind = 'session.refused' ORDER BY id",
    );
    assert_eq!(log.len(), 2);
    assert!(log[0].contains(&app.people.lead.email));
    assert!(!log[1].contains("nobody"), "a name that is no account's never enters the log");
}

#[test]
fn the_first_link_makes_the_administrator_once() {
    let app = TestApp::spawn_empty();
    let link = tyrian::server::first_link(&app.app).unwrap().expect("nobody has an account yet");
    let path = link.strip_prefix(&app.base).unwrap();
    let mut first = app.visitor();
    first.open(path).expect(200).see("Set up Tyrian");
    first
        .fill("Name", "Ada Marlow")
        .fill("E-mail", "ada@tyrian.example")
        .fill("Password", "short")
        .press("Create account");
    first.expect(422).see("Use at least 12 characters");
    assert_eq!(first.value("Name"), "Ada Marlow", "what was typed stays");
    first.fill("Password", PASSWORD).press("Create account");
    first.see("You are signed in.");
    first.open("/account").see("Ada Marlow").see("Administrator");

    let mut late = app.visitor();
    late.open(path).expect(422).see("used already");
    let answer = late.post(path, &[("name", "Eve"), ("email", "eve@tyrian.example"), ("password", PASSWORD)]);
    assert_eq!(answer.status, 422);
    assert_eq!(app.count("SELECT count(*) FROM people"), 1);
    assert!(
        tyrian::server::first_link(&app.app).unwrap().is_none(),
        "no second link once somebody has an account"
    );
}

#[test]
fn a_link_expires_and_a_newer_one_replaces_it() {
    let app = TestApp::spawn();
    let link = || {
        tyrian::accounts::pages::sign_in::make_link(
            &app.app,
            LinkPurpose::Reset,
            Some(app.people.lead.id),
            24,
        )
        .unwrap()
    };
    let (older, newer) = (link(), link());
    let mut browser = app.visitor();
    browser.open(older.strip_prefix(&app.base).unwrap()).expect(422);
    browser.open(newer.strip_prefix(&app.base).unwrap()).expect(200).see("Choose a new password");
    app.pass(chrono::TimeDelta::hours(25));
    browser.open(newer.strip_prefix(&app.base).unwrap()).expect(422).see("expired");
}

#[test]
fn changing_the_password_ends_every_other_session() {
    let app = TestApp::spawn();
    let mut here = app.sign_in(&app.people.standard);
    let mut there = app.sign_in(&app.people.standard);
    let mut other = app.browser(&app.people.lead);
    let stolen = here.session().unwrap();
    here.open("/account")
        .fill("current", "wrong password!")
        .fill("password", "a sentence nobody guesses")
        .press("Change password");
    here.expect(422).see("This is not your current password");
    here.fill("current", PASSWORD).fill("password", "a sentence nobody guesses").press("Change password");
    here.expect(200).see("Your password is changed.");
    here.open("/account").see("Sam Rook");
    there.open("/account").see_not("Sam Rook");
    other.open("/account").see("Lea Winter");
    let mut thief = app.visitor();
    thief.carry(&stolen);
    thief.open("/account").see_not("Sam Rook");
    assert_eq!(app.events("password.changed"), 1);
}

#[test]
fn a_session_ends_after_half_an_hour_of_nothing_and_after_twelve_hours_whatever() {
    let app = TestApp::spawn();
    let mut idle = app.browser(&app.people.lead);
    idle.open("/account").see("Lea Winter");
    app.pass(chrono::TimeDelta::minutes(31));
    idle.open("/account").see("Sign in");

    let mut busy = app.browser(&app.people.lead);
    for _ in 0..(12 * 60 / 20 - 1) {
        app.pass(chrono::TimeDelta::minutes(20));
        busy.open("/account").see("Lea Winter");
    }
    app.pass(chrono::TimeDelta::minutes(20));
    busy.open("/account").see("Sign in");
}

#[test]
fn a_planted_session_id_opens_nothing_after_sign_in() {
    let app = TestApp::spawn();
    let mut browser = app.visitor();
    browser.open("/sign-in");
    let before = browser.session();
    browser.fill("E-mail", &app.people.lead.email).fill("Password", PASSWORD).press("Sign in");
    let after = browser.session();
    assert!(after.is_some() && before != after);
}

#[test]
fn a_disabled_account_cannot_go_on() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.standard);
    browser.open("/account").see("Sam Rook");
    app.db
        .write_blocking(&tyrian::kernel::event::domain::Actor::command(), |tx| {
            let account = tyrian::accounts::store::get_account(tx.conn, app.people.standard.id)?;
            tyrian::accounts::users::store::disable(tx, everything(), account.id)
        })
        .unwrap();
    browser.open("/account").see("Sign in");
    browser.fill("E-mail", &app.people.standard.email).fill("Password", PASSWORD).press("Sign in");
    browser.expect(422);
}

fn link_of(
    app: &TestApp,
    purpose: LinkPurpose,
    person: Option<tyrian::kernel::base::ids::PersonId>,
) -> String {
    let address = tyrian::accounts::pages::sign_in::make_link(&app.app, purpose, person, 24).unwrap();
    address[address.find("/link/").unwrap()..].to_owned()
}

#[test]
fn a_disabled_account_cannot_let_itself_in_by_an_old_link() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let before = link_of(&app, LinkPurpose::Reset, Some(person.id));
    let account = app.db.read_blocking(|conn| tyrian::accounts::store::get_account(conn, person.id)).unwrap();
    app.db
        .write_blocking(&tyrian::kernel::event::domain::Actor::command(), |tx| {
            tyrian::accounts::users::store::disable(tx, everything(), account.id)
        })
        .unwrap();
    let after = link_of(&app, LinkPurpose::Reset, Some(person.id));
    for link in [before, after] {
        let mut b = app.visitor();
        assert_eq!(b.get(&link).status, 422);
        assert_eq!(b.post(&link, &[("password", "a long enough sentence")]).status, 422);
    }
    assert_eq!(app.texts(&format!("SELECT status FROM people WHERE id = '{}'", person.id)), ["disabled"]);
}

#[test]
fn the_first_administrators_link_ends_when_somebody_has_an_account() {
    let app = TestApp::spawn_empty();
    let link = link_of(&app, LinkPurpose::FirstAdministrator, None);
    assert_eq!(app.visitor().get(&link).status, 200);
    tyrian_people(&app);
    let typed = [("name", "Eve"), ("email", "eve@tyrian.example"), ("password", "a long enough sentence")];
    assert_eq!(app.visitor().post(&link, &typed).status, 422);
    assert_eq!(app.count("SELECT count(*) FROM people WHERE name = 'Eve'"), 0);
}

fn tyrian_people(app: &TestApp) {
    crate::harness::fixtures::settle(&app.app);
}

fn everything() -> tyrian::kernel::authz::policy::PermissionSet {
    tyrian::kernel::authz::Permission::ALL.iter().copied().collect()
}
