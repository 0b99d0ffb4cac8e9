//! What could take what was typed: a session that ends, a proof that is asked for, a network that goes away.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use fantoccini::key::Key;
use serde_json::json;

use super::Hand;
use super::chromium::Chromium;
use crate::harness::TestApp;
use crate::harness::fixtures::{OWN, PASSWORD, Person};

/// Scripts: no request reaches the server, and every request does again.
pub const AWAY: &str =
    "window.whole ??= window.fetch; window.fetch = () => Promise.reject(new TypeError('away')); return true;";
pub const BACK: &str = "window.fetch = window.whole; return true;";

/// Another device ends every session.
pub fn end_sessions(app: &TestApp) {
    app.superuser().batch_execute("SET session_replication_role = replica; DELETE FROM sessions").unwrap();
}

/// Signs in in another tab: it has the same cookies.
pub fn sign_in_elsewhere(hand: &Chromium, person: &Person) {
    let script = "if (window.entered === undefined) {
            window.entered = false;
            const body = new URLSearchParams({ next: '/', email: arguments[0], password: arguments[1] });
            fetch('/sign-in', { method: 'POST', body }).then(({ ok }) => { window.entered = ok; });
        }
        return window.entered;";
    hand.until("signed in in another tab", script, &[json!(person.email), json!(PASSWORD)]);
}

pub fn a_session_that_ends_takes_nothing(app: &TestApp, mut red: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    let me = &app.people.standard;
    red.sign_in(me);
    red.open(&path);
    red.fill("red_notes", "Kept in time");
    red.see("draft kept");
    end_sessions(app);
    red.fill("red_notes", "Kept in time, and typed on");
    // The draft learns of it first, by itself.
    red.see("You are signed out.");
    red.key(Key::Escape);
    red.save();
    red.see("Signed out");
    red.until("Save stays usable", "return !document.querySelector('[data-key=save]').disabled;", &[]);
    assert!(red.path().starts_with(&path));
    sign_in_elsewhere(&red, me);
    red.wake();
    red.see_not("You are signed out.");
    red.see("draft kept");
    red.save();
    red.see("Saved");
    red.holds("red_notes", "Kept in time, and typed on");
    red.stores(app, "SELECT red_notes FROM procedures", &["Kept in time, and typed on"]);
}

/// A form that is posted as a whole page: nothing leaves before its draft is kept.
pub fn a_form_outlives_its_session_and_a_proof(app: &TestApp, mut admin: Chromium) {
    let me = &app.people.administrator;
    admin.sign_in(me);
    admin.open("/clients/new");
    end_sessions(app);
    admin.fill("Name", "Bramble Foods");
    admin.press("Create client");
    admin.see("You are signed out.");
    admin.holds("Name", "Bramble Foods");
    sign_in_elsewhere(&admin, me);
    admin.wake();
    admin.see_not("You are signed out.");
    admin.press("Create client");
    admin.see("Client created.");
    admin.open("/clients/new");
    admin.holds("Name", "");
    admin.until("no draft is left", "return !document.querySelector('[data-draft-of]');", &[]);
    admin.stores(app, "SELECT count(*) FROM drafts", &["0"]);

    // What both sides changed stands on the page: the draft of it is not offered once more.
    let made = app.texts("SELECT id FROM clients WHERE name = 'Bramble Foods'").remove(0);
    let client = format!("/clients/{made}/edit");
    admin.open(&client);
    app.browser(me).open(&client).fill("Name", "Theirs").press("Save").expect(200);
    admin.fill("Name", "Mine");
    admin.save();
    admin.see("changed on both sides");
    admin.until("no draft is offered", "return !document.querySelector('[data-draft-of]');", &[]);
    admin.press("Keep mine");
    admin.see("Client saved.");
    admin.until("no draft is left", "return !document.querySelector('[data-draft-of]');", &[]);
    admin.stores(app, "SELECT count(*) FROM drafts", &["0"]);

    admin.open("/admin/roles/new");
    admin.fill("Name", "Night shift");
    admin.fill("Description", "Three paragraphs");
    app.pass(TimeDelta::minutes(20));
    admin.press("Save");
    admin.see("Your password again");
    admin.fill("Password", PASSWORD);
    admin.press("Go on");
    admin.see("Unsaved draft from");
    admin.see("“Three paragraphs”");
    admin.press("Restore");
    admin.holds("Description", "Three paragraphs");
    admin.holds("Name", "Night shift");
}

/// Ticks alone, in a small form beside the page's own.
pub fn a_small_form_outlives_a_proof(app: &TestApp, mut admin: Chromium) {
    admin.sign_in(&app.people.administrator);
    admin.open(&format!("/admin/users/{}", app.people.standard.id));
    admin.check("Auditor");
    admin.see("draft kept");
    app.pass(TimeDelta::minutes(20));
    admin.press("Save roles");
    admin.see("Your password again");
    admin.fill("Password", PASSWORD);
    admin.press("Go on");
    admin.see("Unsaved draft from");
    admin.press("Restore");
    admin.press("Save roles");
    admin.see_not("Unsaved draft from");
    let holds = format!(
        "SELECT count(*) FROM person_roles r JOIN roles o ON o.id = r.role_id
            WHERE r.person_id = '{}' AND o.name = 'Auditor'",
        app.people.standard.id
    );
    admin.stores(app, &holds, &["1"]);
}

pub fn a_network_that_goes_away_takes_nothing(app: &TestApp, mut red: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    red.sign_in(&app.people.standard);
    red.open(&path);
    red.until("no network", AWAY, &[]);
    red.fill("red_notes", "Typed in the cellar");
    red.see("draft not kept");
    red.save();
    red.see("Not saved");
    red.until("the network is back", BACK, &[]);
    red.until("the browser says so", "window.dispatchEvent(new Event('online')); return true;", &[]);
    red.see("draft kept");
    red.save();
    red.see("Saved");
    red.stores(app, "SELECT red_notes FROM procedures", &["Typed in the cellar"]);
    red.until("no network", AWAY, &[]);
    red.fill("red_notes", "Typed in the lift");
    red.save();
    red.see("Not saved");
    red.until("the network is back", BACK, &[]);
    red.press("Try again");
    red.see_not("Not saved");
    red.see_not("Saving…");
    red.stores(app, "SELECT red_notes FROM procedures", &["Typed in the lift"]);
}

/// One procedure by the keyboard alone, from the page's opening to the next one: how many keys are travel and
/// not text.
pub fn red_by_keyboard(app: &TestApp, mut red: Chromium) {
    let e = app.engagement(2);
    red.sign_in(&app.people.standard);
    red.open(&e.procedure_path(0));
    red.see("Save and next");
    let mut keys = 0;
    let mut press = |red: &Chromium, key: &str| {
        red.type_in(key);
        keys += 1;
    };
    let tab = char::from(Key::Tab).to_string();
    press(&red, "s");
    red.see_focus("#red_outcome");
    // A letter chooses from the list.
    press(&red, "S");
    press(&red, &char::from(Key::Escape).to_string());
    press(&red, "c");
    press(&red, "x");
    red.see_focus(".box");
    press(&red, "r");
    red.see_focus("#red_outcome");
    press(&red, &char::from(Key::Escape).to_string());
    // Past the time of execution, which Start has set: a time alone is seven stops.
    press(&red, "a");
    red.see_focus("#attack_source");
    red.type_in("198.51.100.7");
    press(&red, &tab);
    red.see_focus("#red_notes");
    red.type_in("Ran as planned");
    red.save_and_next();
    keys += 1;
    red.see_address(&e.procedures[1].to_string());
    println!("keys of travel for one procedure: {keys}");
    assert!(keys <= 20, "{keys}");
    red.stores(app, "SELECT red_outcome FROM procedures WHERE position = 1", &["success"]);
    red.stores(app, "SELECT attack_source FROM procedures WHERE position = 1", &["198.51.100.7"]);
}

/// The first field of blue on a phone, from the top of the page.
pub fn blue_on_a_phone(app: &TestApp, mut blue: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    blue.sign_in(&app.people.blue_analyst);
    blue.open(&path);
    blue.narrow(390, 844);
    let at = "const blue = document.querySelector('#blue_outcome');
        return blue ? Math.round(blue.getBoundingClientRect().top + scrollY) : null;";
    let pixels = blue.until("the blue outcome", at, &[]).as_u64().unwrap();
    println!("the blue outcome lies {pixels} px down at 390 px");
    assert!(pixels <= 600, "{pixels}");
}

/// The page says "Saved" of earlier saves too: nothing is left to be saved, and nothing is on its way.
fn is_saved(hand: &mut Chromium) {
    hand.see_not("Unsaved changes");
    hand.see_not("Saving…");
    hand.see("Saved");
}

/// Whoever types on while a save is refused goes on in the field, and no letter acts; a time is pasted as the
/// alert's own tool writes it; without a network every act says so.
pub fn what_goes_on_while_something_is_refused(app: &TestApp, mut red: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    red.sign_in(&app.people.lead);
    red.open(&path);
    red.choose("status", "Not Applicable");
    red.save();
    red.see("Say why the procedure is Not Applicable.");
    red.see_focus("#not_applicable_reason");
    red.type_in("skipped by agreement");
    red.holds("not_applicable_reason", "skipped by agreement");
    red.save();
    is_saved(&mut red);
    let stored = "SELECT not_applicable_reason || ' ' || (executed_at IS NULL)::text FROM procedures";
    red.stores(app, stored, &["skipped by agreement true"]);

    red.open(&path);
    let paste = "const input = document.querySelector('#detected_at');
        const clipboardData = new DataTransfer();
        clipboardData.setData('text/plain', arguments[0]);
        input.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
        return input.value;";
    let shown = red.until("a time of its own field", paste, &[json!("2026-11-05 07:11:09")]);
    assert_eq!(shown, "2026-11-05T07:11:09");
    let shown = red.until("an instant", paste, &[json!("2026-11-01T06:12:33Z")]);
    assert_eq!(shown, "2026-11-01T06:12:33Z");
    red.save();
    is_saved(&mut red);
    let stored = "SELECT to_char(detected_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM procedures";
    red.stores(app, stored, &["2026-11-01 06:12:33"]);
    // Another keyboard's letter on the same key, and Caps Lock.
    red.fill("red_notes", "Typed in Cyrillic");
    let ctrl_s = "document.dispatchEvent(new KeyboardEvent('keydown',
            { key: arguments[0], code: 'KeyS', ctrlKey: true, bubbles: true, cancelable: true }));
        return true;";
    red.until("Ctrl+S", ctrl_s, &[json!("ы")]);
    is_saved(&mut red);
    red.stores(app, "SELECT red_notes FROM procedures", &["Typed in Cyrillic"]);

    red.open("/engagements");
    red.until("no network", AWAY, &[]);
    red.fill("q", "zzz");
    red.see("the server cannot be reached");
}

/// Whether the browser asks before the page is left.
fn asks_first(hand: &Chromium, asks: bool) {
    let leaves =
        "return window.dispatchEvent(new Event('beforeunload', { cancelable: true })) !== arguments[0];";
    hand.until(if asks { "a question" } else { "no question" }, leaves, &[json!(asks)]);
}

/// A page that answers a refused form: what stands in it is unsaved, and stays a draft.
pub fn a_refused_form_stays_unsaved(app: &TestApp, mut admin: Chromium) {
    let drafts = "SELECT count(*) FROM drafts";
    admin.sign_in(&app.people.administrator);
    admin.open("/clients/new");
    admin.fill("Name", OWN);
    admin.fill("Description", "Two evenings of talk");
    admin.press("Create client");
    admin.see("Not saved");
    admin.see("look at the marked fields");
    admin.holds("Description", "Two evenings of talk");
    admin.until("dirty", "return document.querySelector('form[data-guard]').matches('[data-dirty]');", &[]);
    admin.until("no draft is offered", "return !document.querySelector('[data-draft-of]');", &[]);
    asks_first(&admin, true);
    admin.stores(app, drafts, &["1"]);
    admin.fill("Name", "Bramble Foods");
    admin.see("Unsaved changes");
    admin.see_not("Not saved");
    admin.see("draft kept");
    admin.stores(app, drafts, &["1"]);
    // However often it is pressed, it is posted once: a second one would find the name taken.
    let thrice = "const save = document.querySelector('[data-key=save]');
        for (let n = 0; n < 3; n += 1) save.click();
        return true;";
    admin.until("three clicks", thrice, &[]);
    admin.see("Client created.");
    admin.stores(app, drafts, &["0"]);
    admin.stores(app, "SELECT count(*) FROM clients WHERE name = 'Bramble Foods'", &["1"]);

    // Ticks of a list are chosen again at once.
    admin.open("/library/procedures");
    admin.until(
        "a tick",
        "const box = document.querySelector('td.tick input'); box?.click(); return !!box;",
        &[],
    );
    asks_first(&admin, false);
}

/// Script: whatever is posted and is no draft is answered by something else, under a status.
const ELSEWHERE: &str = "const [status, body] = arguments;
    window.whole ??= window.fetch;
    window.fetch = (to, how) => how?.method === 'POST' && !String(to).includes('/draft')
        ? Promise.resolve(new Response(body, { status, headers: { 'Content-Type': 'text/html' } }))
        : window.whole(to, how);
    return true;";
const PROXY: &str =
    "<!doctype html><html><head><title>Proxy</title></head><body><h1>By the proxy</h1></body></html>";

/// No answer that was not made for the form takes its place, whatever its status.
pub fn an_answer_for_another_form_takes_nothing(app: &TestApp, mut red: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    red.sign_in(&app.people.standard);
    red.open(&path);
    red.fill("red_notes", "Typed before the proxy");
    for (status, body) in [
        (400, ""),
        (408, PROXY),
        (421, PROXY),
        (422, PROXY),
        (429, PROXY),
        (431, ""),
        (502, PROXY),
        (200, PROXY),
    ] {
        red.until("another answer", ELSEWHERE, &[json!(status), json!(body)]);
        red.save();
        red.see("Not saved");
        red.see_not("Saving…");
        red.see_not("By the proxy");
        red.holds("red_notes", "Typed before the proxy");
        red.until("Save stays usable", "return !document.querySelector('[data-key=save]').disabled;", &[]);
    }
    red.see("draft kept");
    red.see("Not saved");
    red.until("the server answers", BACK, &[]);
    // An answer of ours that is not the form: its own sentence is the reason.
    let strange = "const form = document.querySelector('#procedure');
        form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'strange' }));
        return true;";
    red.until("a field of no form", strange, &[]);
    red.save();
    red.until(
        "the reason beside Save",
        "return document.querySelector('[data-state-of=procedure]').textContent.includes(arguments[0]);",
        &[json!("does not belong to it")],
    );
    red.holds("red_notes", "Typed before the proxy");
    red.until("its end", "document.querySelector('[name=strange]').remove(); return true;", &[]);
    red.press("Try again");
    red.see_not("Not saved");
    is_saved(&mut red);
    red.stores(app, "SELECT red_notes FROM procedures", &["Typed before the proxy"]);
}

/// Values of a procedure's inputs are typed text like any other.
pub fn inputs_are_kept(app: &TestApp, mut red: Chromium) {
    let e = app.engagement(3);
    red.sign_in(&app.people.standard);
    let input = "#inputs input[name^='value.']";
    let has = "if (!document.querySelector('#steps')) return null;
        return { has: document.querySelector(arguments[0]) !== null };";
    let n = (0..3).find(|n| {
        red.open(&e.procedure_path(*n));
        red.until("the steps", has, &[json!(input)])["has"] == true
    });
    assert!(n.is_some(), "a procedure with inputs");
    let name = red.until("its name", "return document.querySelector(arguments[0]).name;", &[json!(input)]);
    let name = name.as_str().unwrap().to_owned();
    red.until(
        "it is open",
        "document.querySelector('#steps').open = document.querySelector('#inputs').open = true; return true;",
        &[],
    );
    red.fill(&name, "HL-FS-07");
    red.see("Unsaved changes");
    asks_first(&red, true);
    red.see("draft kept");
    // A tick draws the steps anew.
    red.until("a tick", "document.querySelector('#steps .box').click(); return true;", &[]);
    red.until("ticked", "return document.querySelector('#steps .box[aria-checked=true]') !== null;", &[]);
    red.holds(&name, "HL-FS-07");
    // All of it is kept, so the page is left for the sign-in, which leads back to it.
    end_sessions(app);
    red.save();
    red.see_address("/sign-in");
    red.enter(&app.people.standard.email, PASSWORD);
    red.see("Unsaved draft");
    red.see("Inputs");
    red.stores(app, "SELECT count(*) FROM procedure_inputs", &["0"]);
    red.click("Restore");
    red.holds(&name, "HL-FS-07");
    red.see("Unsaved changes");
    red.save();
    is_saved(&mut red);
    asks_first(&red, false);
    red.stores(app, "SELECT value FROM procedure_inputs", &["HL-FS-07"]);
    red.stores(app, "SELECT count(*) FROM drafts", &["0"]);
}

/// A value that is chosen in its cell waits for the sign-in, and is then saved by itself.
pub fn a_cell_outlives_its_session(app: &TestApp, mut lead: Chromium) {
    let e = app.engagement(1);
    let me = &app.people.lead;
    lead.sign_in(me);
    lead.open(&e.path());
    let find = "const cell = document.querySelector('button[form=cells][name=severity]');
        cell?.click(); return cell !== null;";
    lead.until("the severity's cell", find, &[]);
    lead.see_focus("form[data-inline] select");
    end_sessions(app);
    lead.type_in("H");
    lead.key(Key::Enter);
    lead.see("You are signed out.");
    assert!(lead.path().starts_with(&e.path()));
    sign_in_elsewhere(&lead, me);
    lead.wake();
    lead.see_not("You are signed out.");
    lead.stores(app, "SELECT coalesce(severity, '-') FROM procedures", &["high"]);
}
