//! What scripts add to pages that work without them, as far as the other journeys do not pass by it.

use fantoccini::key::Key;
use serde_json::json;

use super::Hand;
use super::chromium::Chromium;
use super::losses::{AWAY, BACK, end_sessions, sign_in_elsewhere};
use crate::harness::TestApp;

/// Scripts: every request waits for `release()`, and a file is chosen for a side, by its name.
const HOLD: &str = "const whole = window.fetch, held = new Promise((go) => { window.release = go; });
    window.fetch = (...request) => held.then(() => whole(...request));
    return true;";
const CHOOSE: &str = "const [side, name] = arguments, chosen = new DataTransfer();
    const input = document.querySelector(`[data-drop=${side}] input[type=file]`);
    chosen.items.add(new File([name], name, { type: 'text/plain' }));
    input.files = chosen.files;
    return input.dispatchEvent(new Event('change', { bubbles: true }));";

/// Rows change places by the pointer. The browser's own dragging cannot be played, so the events of one are.
pub fn rows_are_dragged(app: &TestApp, mut lead: Chromium) {
    let e = app.engagement(3);
    lead.sign_in(&app.people.lead);
    lead.open(&format!("{}/procedures/order", e.path()));
    let names = app.texts("SELECT name FROM procedures ORDER BY position");
    let drag = "const rows = [...document.querySelectorAll('[data-sortable] > [data-id]')];
        const [first, , last] = rows, { bottom } = last.getBoundingClientRect();
        const send = (el, kind, at) =>
    el.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, ...at }));
        first.querySelector('.grip').dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
        if (!first.draggable) return null;
        send(first, 'dragstart');
        const taken = !send(last, 'dragover', { clientY: bottom - 1 });
        const order = [...first.parentElement.children].map((row) => rows.indexOf(row)).join();
        send(first, 'dragend');
        return taken && !first.draggable ? order : null;";
    assert_eq!(lead.until("a drag", drag, &[]), json!("1,2,0"));
    // The order is sent by itself, and the page comes anew with the first arrow of its new first row dead.
    lead.until(
        "the new order",
        "return document.querySelector('[data-sortable] li button:disabled')?.getAttribute('aria-label') \
            === arguments[0];",
        &[json!(format!("Move {} up", names[1]))],
    );
    lead.stores(
        app,
        "SELECT name FROM procedures ORDER BY position",
        &[names[1].as_str(), &names[2], &names[0]],
    );
}

/// One tick for all, and commands that are copied.
pub fn ticks_and_copies(app: &TestApp, mut lead: Chromium) {
    let e = app.engagement(1);
    lead.sign_in(&app.people.lead);
    lead.open(&format!("{}/procedures/add", e.path()));
    lead.check("Tick all");
    let ticked = "const all = [...document.querySelectorAll('td.tick input')];
        return all.length > 1 && all.every((box) => box.checked);";
    lead.until("all ticked", ticked, &[]);
    lead.open(&e.procedure_path(0));
    // The word stands there for a moment: who looks late has missed it.
    let witness = "window.told = [];
        const look = () => {
            const told = document.querySelector('[data-copied]')?.dataset.copied;
            if (told && document.querySelector('#live').textContent === told) window.told.push(told);
        };
        const all = { attributes: true, characterData: true, childList: true, subtree: true };
        new MutationObserver(look).observe(document.body, all);
        return true;";
    lead.until("a witness", witness, &[]);
    lead.press("Copy");
    lead.until(
        "the word that it is copied",
        "const word = /^(Copied|Selected)( · one input is not filled in)?$/;
            return window.told.some((told) => word.test(told));",
        &[],
    );
    lead.until("the button again", "return !document.querySelector('[data-copied]');", &[]);
}

/// Files that are dropped on a side, and those that are pasted into its notes.
pub fn files_are_dropped_and_pasted(app: &TestApp, mut red: Chromium) {
    let e = app.engagement(1);
    red.sign_in(&app.people.lead);
    red.open(&e.procedure_path(0));
    let drop = "const files = new DataTransfer(), zone = document.querySelector('[data-drop=blue]');
        files.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
        const send = (kind, more) => zone.dispatchEvent(
            new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files, ...more }));
        if (send('dragover') || !zone.classList.contains('over')) return null;
        send('dragleave', { relatedTarget: document.body });
        if (zone.classList.contains('over')) return null;
        send('dragover');
        return !send('drop') && !zone.classList.contains('over');";
    red.until("a drop", drop, &[]);
    red.see("dropped.txt");
    red.see_not("Sending");
    let paste = "const clipboardData = new DataTransfer(), notes = field('red_notes');
        clipboardData.items.add(new File(['pasted'], 'pasted.png', { type: 'image/png' }));
        const paste = new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData });
            return !notes.dispatchEvent(paste);";
    red.until("a paste", paste, &[]);
    red.see("pasted.png");
    red.see_not("Sending");
    red.stores(
        app,
        "SELECT team || ' ' || file_name FROM attachments ORDER BY file_name",
        &["blue dropped.txt", "red pasted.png"],
    );
}

/// Three choices before the first has arrived, on both sides: none is lost, and each is shown.
pub fn files_chosen_meanwhile_wait_their_turn(app: &TestApp, mut red: Chromium) {
    let e = app.engagement(1);
    red.sign_in(&app.people.lead);
    red.open(&e.procedure_path(0));
    red.until("answers that are held back", HOLD, &[]);
    let chosen = [("red", "1.txt"), ("red", "2.txt"), ("blue", "3.txt"), ("red", "4.txt")];
    for (side, name) in chosen {
        red.until("a choice", CHOOSE, &[json!(side), json!(name)]);
    }
    red.see("Sending 3 files");
    red.see("Sending 3.txt");
    red.until("answers again", "window.release(); return true;", &[]);
    for (_, name) in chosen {
        red.see(name);
    }
    red.see_not("Sending");
    red.stores(
        app,
        "SELECT team || ' ' || file_name FROM attachments ORDER BY file_name",
        &chosen.map(|(side, name)| format!("{side} {name}")).each_ref().map(String::as_str),
    );
}

/// What did not arrive goes again: when the network is back, after signing in, and at a press; and what was
/// chosen meanwhile goes too.
pub fn files_that_did_not_arrive_go_again(app: &TestApp, mut red: Chromium) {
    let me = &app.people.lead;
    let e = app.engagement(1);
    red.sign_in(me);
    red.open(&e.procedure_path(0));
    red.until("no network", AWAY, &[]);
    red.until("a choice", CHOOSE, &[json!("red"), json!("cellar.txt")]);
    red.see("the server cannot be reached: cellar.txt");
    red.until("a choice", CHOOSE, &[json!("red"), json!("stairs.txt")]);
    red.see("the server cannot be reached: cellar.txt and stairs.txt");
    red.until("the network is back", BACK, &[]);
    red.until("the browser says so", "window.dispatchEvent(new Event('online')); return true;", &[]);
    red.see_not("cannot be reached");
    red.see_not("Sending");
    red.until("no network", AWAY, &[]);
    red.until("a choice", CHOOSE, &[json!("blue"), json!("lift.txt")]);
    red.see("the server cannot be reached: lift.txt");
    red.until("the network is back", BACK, &[]);
    red.press("Try again");
    red.see_not("cannot be reached");
    red.see_not("Sending");
    end_sessions(app);
    red.until("a choice", CHOOSE, &[json!("blue"), json!("signed out.txt")]);
    red.see("Signed out");
    sign_in_elsewhere(&red, me);
    red.wake();
    red.see_not("Signed out");
    red.see_not("Sending");
    red.stores(
        app,
        "SELECT team || ' ' || file_name FROM attachments ORDER BY file_name",
        &["red cellar.txt", "blue lift.txt", "blue signed out.txt", "red stairs.txt"],
    );
}

/// Enter in a search that stands in a larger form searches, and the focus stays in it.
pub fn enter_in_a_search_stays_in_it(app: &TestApp, mut lead: Chromium) {
    lead.sign_in(&app.people.lead);
    lead.open("/library/procedures/new");
    lead.fill("technique_q", "T1059.003");
    lead.key(Key::Enter);
    lead.see("Windows Command Shell");
    lead.see_focus("#technique_q");
    lead.open("/test-plans/new");
    lead.fill("q", "T1003");
    lead.key(Key::Enter);
    lead.see_focus("#filters [name=q]");
    lead.until("no other page", "return location.pathname === '/test-plans/new';", &[]);
}

/// A value of the table becomes a control and a value again: Escape restores, Enter saves, leaving saves.
pub fn values_are_edited_in_their_cells(app: &TestApp, mut lead: Chromium) {
    let e = app.engagement(1);
    let severity = "SELECT coalesce(severity, '-') FROM procedures";
    let open = |lead: &mut Chromium| {
        let find = "const cell = document.querySelector('button[form=cells][name=severity]');
            cell?.click(); return cell !== null;";
        lead.until("the severity's cell", find, &[]);
        lead.see_focus("form[data-inline] select");
    };
    lead.sign_in(&app.people.lead);
    lead.open(&e.path());
    let before = app.texts(severity);
    open(&mut lead);
    lead.type_in("H");
    lead.key(Key::Escape);
    lead.see_focus("button[form=cells][name=severity]");
    lead.stores(app, severity, &before.iter().map(String::as_str).collect::<Vec<_>>());
    open(&mut lead);
    lead.type_in("H");
    lead.key(Key::Enter);
    lead.see_focus("button[form=cells][name=severity]");
    lead.stores(app, severity, &["high"]);
    open(&mut lead);
    lead.type_in("L");
    lead.type_in(&char::from(Key::Tab).to_string());
    lead.until("the cell's value", "return !document.querySelector('form[data-inline]');", &[]);
    lead.see("Low");
    lead.stores(app, severity, &["low"]);
}

/// A form that keeps no draft warns before it is left, until it holds what is saved.
pub fn leaving_asks_first(app: &TestApp, mut lead: Chromium) {
    let leaves = "return window.dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    let signed_out = "document.dispatchEvent(new CustomEvent('tyrian:leave', { cancelable: true }))";
    lead.sign_in(&app.people.lead);
    lead.open(&format!("/clients/{}/edit", app.clients.own));
    lead.until("nothing to lose", &format!("{leaves} === true;"), &[]);
    lead.fill("Name", "Alder Savings and Loans");
    lead.until("a warning", &format!("{leaves} === false && !{signed_out};"), &[]);
    lead.fill("Name", crate::harness::fixtures::OWN);
    lead.until("no warning", &format!("{leaves} === true;"), &[]);
    lead.fill("Name", "Alder Savings and Loans");
    lead.save();
    lead.see("Client saved.");
    lead.stores(app, "SELECT count(*) FROM clients WHERE name = 'Alder Savings and Loans'", &["1"]);
}

/// What somebody else saves fills what one has not touched and marks what one has; keys that are pressed
/// while a save is under way stay, as unsaved.
pub fn nothing_typed_is_lost(app: &TestApp, mut red: Chromium, mut blue: Chromium) {
    let path = app.engagement(1).procedure_path(0);
    red.sign_in(&app.people.standard);
    blue.sign_in(&app.people.second);
    red.open(&path);
    blue.open(&path);
    red.fill("red_notes", "Mine, half written");
    blue.fill("Attack source", "192.0.2.7");
    blue.save();
    blue.see("Saved");
    red.holds("attack_source", "192.0.2.7");
    red.fill("Attack source", "192.0.2.8");
    blue.fill("Attack source", "192.0.2.9");
    blue.save();
    red.see(&format!("{} saved another value at", app.people.second.name));
    red.holds("attack_source", "192.0.2.8");
    red.holds("red_notes", "Mine, half written");
    // The same value is no other one: the mark goes.
    red.fill("Attack source", "192.0.2.9");
    blue.fill("blue_notes", "Seen");
    blue.save();
    red.holds("blue_notes", "Seen");

    let slow = "const quick = window.fetch;
        window.fetch = async (...asked) => {
            const answer = await quick(...asked);
            await new Promise((go) => { window.arrive = go; });
            return answer;
        };
        return true;";
    red.until("a slow network", slow, &[]);
    red.fill("red_notes", "Mine, sent");
    red.save();
    red.until("an answer under way", "return window.arrive !== undefined;", &[]);
    red.fill("red_notes", "Mine, sent, and more");
    red.until("its arrival", "window.arrive(); return true;", &[]);
    red.see("Saved");
    red.holds("red_notes", "Mine, sent, and more");
    red.see("Unsaved changes");
    red.stores(app, "SELECT red_notes FROM procedures", &["Mine, sent"]);
}

/// A small form beside the large one is sent by its own keys, and Now writes the time of the engagement.
pub fn a_log_entry_by_keys(app: &TestApp, mut red: Chromium) {
    let e = app.engagement(1);
    red.sign_in(&app.people.standard);
    red.open(&e.procedure_path(0));
    red.press("Add red entry");
    red.see_focus("textarea[name=text]");
    red.type_in("Sent by the keys alone");
    red.press("Start: now");
    red.holds_something("starts_at");
    red.fill("Red log entry", "Sent by the keys alone");
    red.save_and_next();
    red.see_not("Add entry");
    red.see("Sent by the keys alone");
    red.see_focus("[data-key=log]");
    red.stores(app, "SELECT count(*) FROM log_entries WHERE text = 'Sent by the keys alone'", &["1"]);
    assert!(red.path().starts_with(&e.procedure_path(0)), "still here: {}", red.path());
}
