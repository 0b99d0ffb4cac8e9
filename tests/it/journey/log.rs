//! Looking something up in the audit log.

use chrono::{DateTime, TimeDelta, Utc};
use fantoccini::key::Key;

use super::Hand;
use super::chromium::Chromium;
use crate::harness::TestApp;
use crate::harness::fixtures::{PASSWORD, Person};

/// Lets somebody change their own password at a time of the log's clock.
fn change_password(app: &TestApp, person: &Person, at: DateTime<Utc>) {
    app.set_audit_clock(at);
    let mut browser = app.browser(person);
    browser
        .open("/account")
        .fill("Current password", PASSWORD)
        .fill("New password", "five words about a ferry")
        .press("Change password");
    browser.see("Your password is changed");
}

/// Who changed a password in the last 30 days? Exactly those, whatever else speaks of passwords.
pub fn who_changed_a_password<H: Hand>(app: &TestApp, open: impl Fn() -> H) {
    let now = app.clock.now();
    let (lead, analyst, administrator) = (&app.people.lead, &app.people.analyst, &app.people.administrator);
    change_password(app, analyst, now - TimeDelta::days(31));
    change_password(app, lead, now - TimeDelta::days(30));
    app.set_audit_clock(now);
    // What must not be found: a failed sign-in, and a category's name.
    let mut other = open();
    other.open("/sign-in");
    other.enter(&administrator.email, "not the password");
    other.see("Wrong e-mail or password");
    let mut hand = open();
    hand.sign_in(administrator);
    hand.open("/admin");
    hand.click("Audit log");
    hand.fill("Start date", &(now - TimeDelta::days(30)).format("%Y-%m-%d").to_string());
    hand.fill("Search", "password");
    hand.apply();
    hand.click("Password");
    hand.see(": 1 event");
    hand.see(&lead.email);
    hand.see_not(&analyst.email);
    hand.fill("Start date", &(now - TimeDelta::days(31)).format("%Y-%m-%d").to_string());
    hand.apply();
    hand.see("2 events");
    hand.see(&analyst.email);
}

/// A word, a row, Back: list, filter and focus are where they were.
pub fn back_is_where_one_was(app: &TestApp, mut hand: Chromium) {
    let administrator = &app.people.administrator;
    hand.sign_in(administrator);
    hand.open("/admin/audit-log");
    hand.type_in("/");
    hand.see_focus("#q");
    hand.type_in("signed");
    hand.see_address("q=signed");
    hand.key(Key::Down);
    hand.see_focus("#events > li:first-child > [data-row]");
    hand.key(Key::Enter);
    hand.see("Exact time");
    hand.back();
    hand.see_not("Exact time");
    hand.holds("Search", "signed");
    hand.see_focus("#events > li:first-child > [data-row]");
    hand.forward();
    hand.see("Exact time");
}
