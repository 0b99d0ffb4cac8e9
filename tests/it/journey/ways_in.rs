//! In, locked out, in again, and out.

use chrono::TimeDelta;
use tyrian::accounts::two_factor::TotpSecret;

use super::Hand;
use super::chromium::Chromium;
use crate::harness::TestApp;
use crate::harness::fixtures::{OWN, PASSWORD};

fn code(app: &TestApp, secret: &TotpSecret) -> String {
    secret.code_at(app.clock.now().timestamp())
}

/// From the invitation to a first sign-in with a second factor, a lock and its end, and a right taken away.
pub fn the_ways_in<H: Hand>(app: &TestApp, open: impl Fn() -> H) {
    let mut admin = open();
    admin.sign_in(&app.people.administrator);
    admin.open("/admin/users");
    admin.click("New user");
    admin.fill("Name", "Nia Berg");
    admin.fill("E-mail", "nia@tyrian.example");
    admin.choose("First client", "Alder Savings");
    admin.choose("Role there", "Team Lead");
    admin.press("Create and make the link");
    admin.see("Invitation for Nia Berg");
    let link = admin.read("#link");
    admin.click("Done");
    admin.see("Team Lead at Alder Savings");
    let user = admin.path();

    let mut nia = open();
    nia.open(&link[link.find("/link/").unwrap()..]);
    nia.fill("Password", "passwordpassword");
    nia.press("Set password");
    nia.see("tried first");
    nia.fill("Password", "four words and a ferry");
    nia.press("Set password");
    nia.see("You are signed in.");
    nia.open("/account");
    nia.click("Set up a second factor");
    nia.see("Type the six digits");
    let secret = TotpSecret::from_words(&nia.read("#words")).unwrap();
    nia.fill("Code", &code(app, &secret));
    nia.press("Set up");
    nia.see("They are shown this once");
    nia.click("I have kept them");
    nia.see("10 recovery codes are left");
    nia.press_sign_out();

    app.pass(TimeDelta::minutes(1));
    nia.enter("nia@tyrian.example", "four words and a ferry");
    nia.see("Second factor");
    nia.fill("Code", "000000");
    nia.press("Sign in");
    nia.see("This is not the code of now");
    nia.fill("Code", &code(app, &secret));
    nia.press("Sign in");
    nia.see("Nia Berg");
    nia.open("/clients");
    nia.see("Alder Savings");

    // A stranger locks her out everywhere but on the device that she knows; an administrator unlocks.
    let mut stranger = open();
    for _ in 0..5 {
        stranger.open("/sign-in");
        stranger.see_not("Wrong e-mail or password");
        stranger.enter("nia@tyrian.example", "not the password");
        stranger.see("Wrong e-mail or password");
    }
    let mut elsewhere = open();
    elsewhere.open("/sign-in");
    elsewhere.enter("nia@tyrian.example", "four words and a ferry");
    elsewhere.see("or the account is locked for a while.");
    admin.open(&user);
    admin.see("Locked until");
    admin.press("Unlock");
    admin.see("Account unlocked.");
    elsewhere.enter("nia@tyrian.example", "four words and a ferry");
    elsewhere.see("Second factor");

    // A right that is taken away acts on the next click.
    admin.open(&user);
    admin.click("Take access to Alder Savings");
    admin.see("no longer sees the client");
    admin.press("Take access");
    admin.see(&format!("Nia Berg no longer sees {OWN}."));
    nia.open("/clients");
    nia.see_not("Alder Savings");
}

/// The warning, answered and not; and the draft after signing in again.
pub fn the_session_warns(app: &TestApp, mut hand: Chromium) {
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    hand.sign_in(&app.people.standard);
    hand.open(&path);
    hand.fill("red_notes", "Seven words that nobody has saved yet");
    hand.see("draft kept");
    app.pass(TimeDelta::minutes(28) + TimeDelta::seconds(30));
    hand.wake();
    hand.see("You will be signed out in");
    hand.press("Stay signed in");
    hand.see_not("You will be signed out in");
    app.pass(TimeDelta::minutes(29));
    hand.wake();
    hand.see("You will be signed out in 60 seconds");
    hand.holds("red_notes", "Seven words that nobody has saved yet");
    app.pass(TimeDelta::minutes(2));
    hand.wake();
    hand.see("Sign in");
    hand.enter(&app.people.standard.email, PASSWORD);
    hand.see("Unsaved draft from");
    assert!(hand.path().starts_with(&path), "back on the page: {}", hand.path());
    hand.click("Restore");
    hand.holds("red_notes", "Seven words that nobody has saved yet");
}
