//! Forms at their greatest: what hostile ones cost, and that the largest honest ones fit.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use diesel::connection::SimpleConnection;
use tyrian::kernel::base::pairs::VISITS;
use tyrian::kernel::web::route::Row;
use tyrian::server::rows;

use super::matrix::{Things, common, filled};
use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser};
use crate::harness::fixtures::Plan;

/// Looks at fields, for each field that was sent, that no handler needs to take: one for each of its own
/// fields, and then some.
const LOOKS: u64 = 60;

/// As many fields as the row takes, of names that its handler might look for again and again.
fn hostile(row: &Row, share: usize) -> String {
    let mut body = String::new();
    for n in 0..(row.limit.pairs - 1) / share {
        let id = uuid::Uuid::from_u128(n as u128);
        let _ = match n % 8 {
            0 => write!(body, "value.{n}=1&"),
            1 => write!(body, "had.{n}=2&"),
            2 => write!(body, "from.{id}=1&"),
            3 => write!(body, "red={id}&"),
            4 => write!(body, "had_red={id}&"),
            5 => write!(body, "order=library-{id}&"),
            6 => write!(body, "base.title={n}&"),
            _ => write!(body, "title={n}&"),
        };
        if body.len() + 64 > row.limit.bytes {
            break;
        }
    }
    body.pop();
    body
}

fn send(browser: &mut Browser, path: &str, body: &str) -> Answer {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    if path.starts_with("http") {
        headers.push(("origin", path));
    }
    browser.send("POST", path, &headers, body.as_bytes())
}

/// As many fields as the row takes, all of names that its handler knows.
fn known(row: &Row, share: usize) -> String {
    let names: &[&str] = match row.path.rsplit('/').next().unwrap_or_default() {
        "operators" if row.path.contains("{pid}") => &["red", "blue"],
        "operators" => &["red", "blue", "had_red", "had_blue", "from.", "to.", "had_from.", "had_to."],
        "approval" => &["red", "blue", "had_red", "had_blue", "from.", "to.", "had_from.", "had_to."],
        "inputs" => &["value.", "had."],
        "order" => &["order"],
        "add" => &["id"],
        "assets" => &["asset"],
        "roles" => &["role", "had"],
        "{draft}" => &["red", "blue", "order"],
        "edit" if row.path.contains("test-plans") => &["chosen"],
        "{pid}" => &["value.", "had."],
        _ => return hostile(row, share),
    };
    let mut body = String::new();
    for n in 0..(row.limit.pairs - 1) / share {
        let (id, name) = (uuid::Uuid::from_u128((n / names.len()) as u128), names[n % names.len()]);
        let _ = match name {
            "value." => write!(body, "value.n{}=1&", n / 2),
            "had." => write!(body, "had.n{}=2&", n / 2),
            "id" => write!(body, "id=library-{id}&"),
            name if name.ends_with('.') => write!(body, "{name}{id}=2026-11-28&"),
            name => write!(body, "{name}={id}&"),
        };
        if body.len() + 64 > row.limit.bytes {
            break;
        }
    }
    body.pop();
    body
}

#[test]
fn no_form_costs_more_than_its_length_whoever_sends_it() {
    let app = TestApp::spawn();
    let things = Things::make(&app, &app.people, app.clients.own);
    let names = common(&app);
    let mut worst = (0, "");
    for row in rows().filter(|row| row.method == "post") {
        let path = filled(row, &things, &names);
        for (person, works) in
            [(None, false), (Some(&app.people.bare), false), (Some(&app.people.lead), true)]
        {
            let mut browser = person.map_or_else(|| app.visitor(), |person| app.browser(person));
            for body in [4, 1].into_iter().flat_map(|share| [hostile(row, share), known(row, share)]) {
                let pairs = body.split('&').count() as u64;
                let before = VISITS.load(Ordering::Relaxed);
                let started = std::time::Instant::now();
                let answer = send(&mut browser, &path, &body);
                let took = started.elapsed();
                let looks = VISITS.load(Ordering::Relaxed) - before;
                let what = format!(
                    "{} with {pairs} fields as {:?}: {}",
                    row.path,
                    person.map(|p| &p.name),
                    answer.status
                );
                if took > std::time::Duration::from_millis(100) {
                    println!("{} ms: {what}", took.as_millis());
                }
                assert!(answer.status < 500, "{what}: {}", answer.text());
                assert!(looks <= pairs * LOOKS + 1_000, "{what}: {looks} looks at fields");
                if looks / pairs > worst.0 {
                    worst = (looks / pairs, row.path);
                }
                // Whoever has no right there is told by the head: the fields were not even taken apart.
                if !works && row.path.starts_with("/engagements/") {
                    assert_eq!(looks, 0, "{what}: {looks} looks at fields of somebody without rights");
                }
            }
        }
    }
    println!("the most looks at a field: {} ({})", worst.0, worst.1);
}

#[test]
fn more_than_a_row_takes_is_refused_with_a_sentence() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let e = app.engagement(1);
    let many = "red=x&".repeat(5_001);
    let answer = send(&mut lead, &format!("{}/operators", e.path()), &many);
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("more than 5000 fields"), "{}", answer.text());
    let long = format!("email=a&password={}", "x".repeat(17 << 10));
    let answer = send(&mut app.visitor(), "/sign-in", &long);
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("larger than 16 KiB"));
    // An ended session's long text is drained, kept nowhere, and its browser gets the answer.
    let text = format!("version=1&red_notes={}", "x".repeat(3 << 20));
    let answer = send(&mut app.visitor(), &e.procedure_path(0), &text);
    assert_eq!((answer.status, answer.header("location").split('?').next()), (303, Some("/sign-in")));
    for (path, body) in [
        ("/sign-in", "email=a&password=b&is_admin=1"),
        ("/engagements/new/01a220c9-05f4-7707-a17f-df18ae8387bf?step=2", "owner=x"),
    ] {
        assert_eq!(send(&mut lead, path, body).status, 422, "{path}: a field that does not belong to it");
    }
}

#[test]
fn the_largest_honest_forms_fit() {
    let app = TestApp::spawn();
    let e = app.plan(app.clients.own, &Plan { procedures: 1_000, ..Plan::default() });
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO people (id, name, email, status, created_at)
                SELECT gen_random_uuid(), 'Person ' || n, 'person' || n || '@tyrian.example', 'active', \
                now() FROM generate_series(1, 500) n;
             INSERT INTO client_access (client_id, person_id, role_id, given_at)
                SELECT '{}', p.id, r.id, now() FROM people p, roles r WHERE p.name LIKE 'Person %' \
                AND r.key = 'standard_user'",
            app.clients.own
        ))
        .unwrap();
    let mut lead = app.browser(&app.people.lead);
    let form = |pairs: &[(String, String)]| serde_html_form::to_string(pairs).unwrap();
    let pair = |name: &str, value: &dyn std::fmt::Display| (name.to_owned(), value.to_string());

    let mut order: Vec<_> = e.procedures.iter().rev().map(|id| pair("order", id)).collect();
    order.push(pair("up", &e.procedures[0]));
    assert_eq!(send(&mut lead, &format!("{}/procedures/order", e.path()), &form(&order)).status, 303);

    let people = app.texts("SELECT id FROM people WHERE name LIKE 'Person %'");
    let mut operators = Vec::new();
    for id in &people {
        for name in ["red", "blue", "had_red", "had_blue"] {
            operators.push(pair(name, id));
        }
        for name in ["from", "to", "had_from", "had_to"] {
            operators.push((format!("{name}.{id}"), String::new()));
        }
    }
    assert_eq!(operators.len(), 4_000);
    assert_eq!(send(&mut lead, &format!("{}/operators", e.path()), &form(&operators)).status, 303);

    let names = app.texts(&format!(
        "SELECT DISTINCT m[1] FROM procedures, regexp_matches(body::text, '#\\{{([A-Za-z0-9_.-]+)\\}}', \
            'g') m WHERE engagement_id = '{}'",
        e.id
    ));
    let inputs: Vec<_> = names
        .iter()
        .flat_map(|name| {
            [pair(&format!("value.{name}"), &"v".repeat(1_900)), pair(&format!("had.{name}"), &"")]
        })
        .collect();
    assert_eq!(send(&mut lead, &format!("{}/inputs", e.path()), &form(&inputs)).status, 303);

    let texts = ["red_notes", "blue_notes", "recommendation"].map(|name| pair(name, &"ä".repeat(32_000)));
    let body = format!("version=99&{}", form(&texts));
    assert!(body.len() > 500_000);
    assert_eq!(send(&mut lead, &e.procedure_path(0), &body).status, 303);
}
