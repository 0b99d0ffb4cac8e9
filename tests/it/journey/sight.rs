//! What stays in sight while a page is scrolled hides nothing of it.

use fantoccini::key::Key;
use serde_json::json;

use super::Hand;
use super::chromium::Chromium;
use crate::harness::TestApp;
use crate::harness::fixtures::Plan;

/// A title of two lines, a long table, and the keyboard's way through it.
pub fn what_stays_in_sight_hides_nothing(app: &TestApp, mut lead: Chromium) {
    let words = "Ransomware and data theft across both plants, the web shop and the partners";
    let title = format!("{words}, {words}");
    let e = app.plan(app.clients.own, &Plan { title: &title, procedures: 24, ..Plan::default() });
    lead.sign_in(&app.people.lead);
    lead.open(&format!("{}?open=procedures", e.path()));
    lead.narrow(1300, 800);
    let below = "const head = document.querySelector('#rows thead th');
        if (!head) return null;
        scrollTo(0, 700);
        const bar = document.querySelector('.bar').getBoundingClientRect();
        return scrollY > 500 && bar.top === 0 && bar.height > 110
            && Math.abs(head.getBoundingClientRect().top - bar.bottom) <= 1;";
    lead.until("the table's head right below the bar", below, &[]);
    let first = "document.querySelector('#rows td.title a').focus();
        return document.activeElement.matches('td.title a');";
    lead.until("the first row's link has the focus", first, &[]);
    let free = "const it = document.activeElement.getBoundingClientRect();
        const over = document.elementFromPoint(it.left + it.width / 2, it.top + it.height / 2);
        return document.activeElement.contains(over);";
    for size in [(1300, 800), (720, 450), (390, 844)] {
        lead.narrow(size.0, size.1);
        for _ in 0..12 {
            lead.key(Key::Tab);
            lead.until(&format!("what has the focus can be seen at {size:?}"), free, &[]);
        }
    }
    lead.until(
        "nothing reaches out of the page",
        "return document.documentElement.scrollWidth <= arguments[0];",
        &[json!(390)],
    );
}
