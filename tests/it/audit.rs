//! The audit log's page: what it shows to whom, what its filters find, and that no address breaks it.

use std::io::{Read, Write};

use chrono::{DateTime, TimeZone, Utc};
use diesel::connection::SimpleConnection;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tyrian::audit::log::query::{Asked, Filter, Page};
use tyrian::audit::log::store::matching::Scope;
use tyrian::audit::log::store::search::{Found, WALKED, find_page};
use tyrian::kernel::base::ids::ClientId;
use tyrian::kernel::event::domain::{Actor, ActorKind, Event, Kind};

use crate::harness::TestApp;
use crate::harness::fixtures::Person;

fn actor(by: &Person) -> Actor {
    Actor {
        kind: ActorKind::Person,
        id: Some(by.id),
        name: by.name.clone(),
        email: Some(by.email.clone()),
        ..Actor::anonymous()
    }
}

/// Writes an event as this person.
fn act(app: &TestApp, by: &Person, event: Event) {
    app.db.write_blocking(&actor(by), |tx| tx.audited((), event.clone())).unwrap();
}

fn renamed(client: ClientId, to: &str) -> Event {
    Event::new(Kind::ClientUpdated, format!("Changed the client {to}"))
        .subject("client", client.0, to)
        .client(client)
}

#[test]
fn words_phrases_exclusions_and_signs_find_exactly_what_they_say() {
    let app = TestApp::spawn();
    let lead = &app.people.lead;
    for name in ["Blue Harbour 100%", "Harbour Blue", "Blue_Harbour", "Back\\slash"] {
        act(&app, lead, renamed(app.clients.own, name));
    }
    let mut browser = app.browser(&app.people.administrator);
    let mut found = |q: &str| {
        browser.open(&format!(
            "/admin/audit-log?category=clients&q={}",
            q.replace('%', "%25").replace('"', "%22").replace('\\', "%5C").replace(' ', "+")
        ));
        ["Blue Harbour 100%", "Harbour Blue", "Blue_Harbour", "Back\\slash"]
            .into_iter()
            .filter(|name| browser.text().contains(&format!("Changed the client {name}")))
            .collect::<Vec<_>>()
    };
    assert_eq!(found("BLUE harbour"), ["Blue Harbour 100%", "Harbour Blue", "Blue_Harbour"]);
    assert_eq!(found("\"blue harbour\""), ["Blue Harbour 100%"]);
    assert_eq!(found("harbour -blue_"), ["Blue Harbour 100%", "Harbour Blue"]);
    assert_eq!(found("harbour 100%"), ["Blue Harbour 100%"]);
    assert_eq!(found("harbour %%%"), [""; 0]);
    assert_eq!(found("back\\slash"), ["Back\\slash"]);
}

#[test]
fn short_words_addresses_ids_and_digests_are_found() {
    let app = TestApp::spawn();
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let request = "019a2b3c-4d5e-7000-8000-00000000abcd".parse().unwrap();
    let actor =
        Actor { address: Some("10.0.0.5".into()), request_id: Some(request), ..actor(&app.people.lead) };
    let named = |to: &str| renamed(app.clients.own, to).detail(serde_json::json!({ "sha256": digest }));
    app.db.write_blocking(&actor, |tx| tx.audited((), named("first 李明 “DC” on HL-E1"))).unwrap();
    act(&app, &app.people.lead, renamed(app.clients.own, "second, of 10.0.0.51"));
    let mut browser = app.browser(&app.people.administrator);
    let mut found = |q: &str| {
        let q = utf8_percent_encode(q, NON_ALPHANUMERIC);
        browser.open(&format!("/admin/audit-log?category=clients&q={q}"));
        let text = browser.text();
        ["first", "second"].map(|name| text.contains(&format!("Changed the client {name}")))
    };
    for q in
        ["李明", "李", "DC", "d", "e1", "hl", "019a2b3c-4d5e", &request.to_string(), digest, &digest[..16]]
    {
        assert_eq!(found(q), [true, false], "{q}");
    }
    // What has no digest, or no request, does not have this one.
    assert_eq!(found("changed -20261128 -deadbeef01"), [true, true]);
    assert_eq!(found(&format!("changed -{}", &digest[..16])), [false, true]);
    for q in ["10.0.0.5", "10.0", "10", "fi -zz"] {
        assert!(found(q)[0], "{q}");
    }
    assert_eq!(found("10.0.0.51"), [false, true]);
    for q in ["明", "l-e1x", "zq", "10.0.0.6", "019a2b3c-4d5f"] {
        assert_eq!(found(q), [false, false], "{q}");
    }
    assert_eq!(found(&app.clients.own.to_string()), [true, true], "the client's id");
    assert_eq!(found(&app.people.lead.id.to_string()), [true, true], "who did it");
}

/// The walk over the newest events and the question to the indexes give what one look at everything gives,
/// wherever the walk ends.
#[test]
fn a_search_finds_the_same_wherever_its_walk_ends() {
    let app = TestApp::spawn();
    for (month, day) in [(8, 3), (9, 1), (9, 30), (10, 15), (11, 2), (11, 19)] {
        app.set_audit_clock(Utc.with_ymd_and_hms(2026, month, day, 12, 0, 0).unwrap());
        let told: Vec<Event> = (0..30)
            .map(|n| {
                renamed(app.clients.own, &format!("{} e{n}", if n % 7 == 0 { "rare" } else { "common" }))
            })
            .collect();
        for (n, event) in told.into_iter().enumerate() {
            let who = if n % 3 == 0 { &app.people.lead } else { &app.people.administrator };
            act(&app, who, event);
        }
    }
    let lead = app.people.lead.id;
    let searches = ["", "q=rare", "q=common", "q=e1", "q=absent", "q=rare+-e7", "category=clients&q=changed"];
    for search in
        searches.into_iter().map(str::to_owned).chain([format!("user={lead}&q=rare"), format!("user={lead}")])
    {
        for page in ["", "&jump=2026-09-30", "&from=2026-09-01&to=2026-10-20"] {
            let (filter, _) = Asked::of(&format!("{search}{page}")).read();
            let filter = Filter { page: filter.page_in(chrono_tz::UTC), ..filter };
            let (from, to) = filter.instants(chrono_tz::UTC);
            let found = [1, 7, 50, WALKED].map(|walked| {
                let from = from.or(Some(DateTime::UNIX_EPOCH));
                let scope = Scope { clients: None, from, to, walked };
                let of = |filter: &Filter| {
                    app.db.read_blocking(|conn| find_page(conn, &scope, filter)).unwrap().unwrap()
                };
                let page = of(&filter);
                let back = page.rows.last().map(|last| of(&filter.at(Page::After(last.place()))));
                let ids = |found: &Found| found.rows.iter().map(|row| row.id).collect::<Vec<_>>();
                (ids(&page), page.count, page.older, page.newer, back.map(|back| ids(&back)))
            });
            assert!(found.iter().all(|one| *one == found[3]), "{search}{page}: {found:?}");
        }
    }
}

#[test]
fn dates_are_days_of_the_organisations_zone() {
    let app = TestApp::spawn();
    let lead = &app.people.lead;
    app.superuser()
        .batch_execute(
            "SET session_replication_role = replica; UPDATE settings SET time_zone = 'Pacific/Kiritimati'",
        )
        .unwrap();
    // 14 hours ahead: 10:00 UTC is the next day's first instant there.
    for (hour, name) in [(9, "before"), (10, "after")] {
        app.set_audit_clock(Utc.with_ymd_and_hms(2026, 11, 18, hour, 30, 0).unwrap());
        act(&app, lead, renamed(app.clients.own, name));
    }
    app.set_audit_clock(crate::harness::app::start());
    let mut browser = app.browser(&app.people.administrator);
    browser
        .open("/admin/audit-log?from=2026-11-19&to=2026-11-19")
        .see("Changed the client after")
        .see_not("Changed the client before");
    browser
        .open("/admin/audit-log?from=2026-11-18&to=2026-11-18")
        .see("Changed the client before")
        .see_not("Changed the client after");
    browser
        .open("/admin/audit-log?jump=2026-11-18")
        .see("Changed the client before")
        .see_not("Changed the client after");
    browser.see("Pacific/Kiritimati");
}

#[test]
fn a_team_lead_sees_their_own_clients_events_and_no_other() {
    let app = TestApp::spawn();
    act(&app, &app.people.lead, renamed(app.clients.own, "own"));
    act(&app, &app.people.lead, renamed(app.clients.foreign, "foreign"));
    act(&app, &app.people.lead, Event::new(Kind::SettingsChanged, "Changed the settings"));
    let mut lead = app.browser(&app.people.lead);
    lead.open("/admin/audit-log")
        .see("Changed the client own")
        .see_not("Changed the client foreign")
        .see_not("Changed the settings");
    lead.open("/admin").see("Audit log");
    let mut administrator = app.browser(&app.people.administrator);
    administrator
        .open("/admin/audit-log")
        .see("Changed the client own")
        .see("Changed the client foreign")
        .see("Changed the settings");
    app.browser(&app.people.analyst).open("/admin/audit-log").expect(403);
    app.visitor().open("/admin/audit-log?q=x").see("Sign in");
}

#[test]
fn pages_go_back_and_forth_without_gap_or_repetition() {
    let app = TestApp::spawn();
    let events: Vec<Event> = (0..120).map(|n| renamed(app.clients.own, &format!("number {n:03}."))).collect();
    // All in one transaction, many in one microsecond: the order breaks the tie.
    app.set_audit_clock(crate::harness::app::start());
    app.db.write_blocking(&Actor::command(), |tx| tx.audited_all((), &events)).unwrap();
    let mut browser = app.browser(&app.people.administrator);
    let numbers = |text: &str| -> Vec<usize> {
        text.match_indices("number ").filter_map(|(at, _)| text.get(at + 7..at + 10)?.parse().ok()).collect()
    };
    browser.open("/admin/audit-log?q=number");
    let first = numbers(&browser.text());
    browser.click("Older");
    let second = numbers(&browser.text());
    browser.click("Older");
    let third = numbers(&browser.text());
    assert_eq!([first.clone(), second.clone(), third].concat(), (0..120).rev().collect::<Vec<_>>());
    browser.see_not("Older").click("Newer");
    assert_eq!(numbers(&browser.text()), second);
    browser.click("Newer");
    assert_eq!(numbers(&browser.text()), first);
    browser.see("120 events");
}

#[test]
fn a_row_opens_to_everything_and_its_address_shows_it_later() {
    let app = TestApp::spawn();
    let event = renamed(app.clients.own, "opened")
        .changes([("name", "before", "opened", false), ("description", "a", "four", true)]);
    act(&app, &app.people.lead, event);
    let place = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.events \
        WHERE kind = 'client.updated'",
    );
    let address = format!("/admin/audit-log?open={}", place[0]);
    let mut browser = app.browser(&app.people.administrator);
    for text in ["client.updated", "Exact time", "4 characters", "before", &app.people.lead.id.to_string()] {
        browser.open(&address).see(text);
    }
    let later: Vec<Event> = (0..60).map(|n| renamed(app.clients.own, &format!("later {n}"))).collect();
    app.db.write_blocking(&Actor::command(), |tx| tx.audited_all((), &later)).unwrap();
    browser.open(&address).see("Changed the client opened").see("4 characters");
}

#[test]
fn bad_addresses_get_the_page_with_a_sentence_and_the_rest_applied() {
    let app = TestApp::spawn();
    act(&app, &app.people.lead, renamed(app.clients.own, "found"));
    let mut browser = app.browser(&app.people.administrator);
    let long = "x".repeat(10_000);
    for (address, sentence) in [
        ("from=2026-02-30&category=clients", "This is not a date"),
        ("from=2026-11-02&to=2026-11-01&category=clients", "The start date lies after the end date"),
        ("before=tampered&category=clients", "This address names no page of the log"),
        ("before=9999999999999999999.1&category=clients", "This address names no page of the log"),
        ("category=nothing&category=clients", "There is no such category"),
        ("user=1&category=clients", "There is no such user"),
        ("jump=x&category=clients", "This is not a date"),
        ("q=%25&category=clients", "A search needs a letter or a digit"),
        ("q=ab&q=f%00o&from=x&from=2026-02-30&category=clients", "This is not a date"),
        ("q=%ff%fe&jump=x&category=clients&%00=%00", "This is not a date"),
    ] {
        browser
            .open(&format!("/admin/audit-log?{address}"))
            .expect(200)
            .see(sentence)
            .see("Changed the client found");
    }
    browser
        .open(&format!("/admin/audit-log?category=clients&q={long}"))
        .expect(200)
        .see("at most 64 characters");
    browser
        .open("/admin/audit-log?q=found&category=library")
        .see("Without the search")
        .see("In every category")
        .see_not("Over all dates");
}

#[test]
fn recorded_text_is_shown_harmlessly() {
    let app = TestApp::spawn();
    act(&app, &app.people.lead, renamed(app.clients.own, "a\u{1b}[2J\u{202e}<b>\n=1+1"));
    let mut browser = app.browser(&app.people.administrator);
    browser.open("/admin/audit-log?category=clients").see("a⟨U+001B⟩[2J⟨U+202E⟩<b>⟨U+000A⟩=1+1");
}

#[test]
fn what_no_text_column_holds_is_recorded_all_the_same() {
    let app = TestApp::spawn();
    let event = renamed(app.clients.own, "nul \0 here").detail(serde_json::json!({ "a\0": ["b\0"] }));
    act(&app, &app.people.lead, event);
    let mut browser = app.browser(&app.people.administrator);
    browser.open("/admin/audit-log?category=clients").see("nul \u{fffd} here");
    // A browser may call itself anything, in any encoding.
    let body = format!("email={}&password=wrong&next=", app.people.lead.email.replace('@', "%40"));
    let host = app.base.trim_start_matches("http://");
    let mut head = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {host}\r\norigin: {}\r\nconnection: \
        close\r\ncontent-length: {}\r\ncontent-type: application/x-www-form-urlencoded\r\nuser-agent: \
        ",
        app.base,
        body.len()
    )
    .into_bytes();
    head.extend_from_slice(b"\xff\xfex\r\n\r\n");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.write_all(&[head, body.into_bytes()].concat()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(
        app.texts("SELECT user_agent FROM audit.events WHERE kind = 'session.refused'")
            == ["\u{fffd}\u{fffd}x"]
    );
}

#[test]
fn a_failed_sign_in_that_cannot_be_recorded_is_not_answered_as_one() {
    let app = TestApp::spawn();
    app.superuser().batch_execute("REVOKE INSERT ON audit.events FROM tyrian_app").unwrap();
    let answer = app
        .visitor()
        .post("/sign-in", &[("email", &app.people.lead.email), ("password", "wrong"), ("next", "")]);
    assert_eq!(answer.status, 503, "{}", answer.text());
}

#[test]
fn an_export_is_what_the_page_shows_safe_for_spreadsheets_and_an_event_before_its_first_byte() {
    let app = TestApp::spawn();
    for name in ["=1+1", "\u{ff1d}2+2", "plain \u{202e}\u{1b}[2J", "<b>bold</b>"] {
        let mut event = renamed(app.clients.own, name);
        event.sentence = name.to_owned();
        act(&app, &app.people.lead, event);
    }
    act(&app, &app.people.lead, renamed(app.clients.foreign, "foreign"));
    let mut administrator = app.browser(&app.people.administrator);
    let csv = administrator.get("/admin/audit-log.csv?category=clients&q=plain");
    assert!(csv.header("content-disposition").contains("audit-log-2026-11-20.csv"));
    let text = csv.text();
    assert!(text.contains("plain ⟨U+202E⟩⟨U+001B⟩[2J") && !text.contains("bold"), "{text}");
    assert!(text.trim_end().ends_with("End of the export,complete,1 events"), "{text}");
    let all = administrator.get("/admin/audit-log.csv?category=clients").text();
    assert!(all.contains(",'=1+1,") && all.contains(",'＝2+2,") && all.contains("<b>bold</b>"), "{all}");
    let lines = administrator.get("/admin/audit-log.jsonl?category=clients").text();
    assert_eq!(lines.lines().count(), 8, "five changes, the fixtures' two clients, and the end");
    assert!(!lines.contains('\u{202e}') && lines.contains("\\u202e"));
    assert!(lines.lines().last().unwrap().contains("\"complete\":true"));
    assert_eq!(app.events("audit_log.exported"), 3);
    let told = app.texts(
        "SELECT sentence || detail::text FROM audit.events \
        WHERE kind = 'audit_log.exported' ORDER BY id LIMIT 1",
    );
    assert!(told[0].contains("plain") && told[0].starts_with("Exported events as CSV"), "{told:?}");
    // The search reads sentences, not what others searched for.
    administrator.open("/admin/audit-log?q=plain&category=export").see("No event fits");
    // A team lead exports what they see; an analyst nothing.
    let lead = app.browser(&app.people.lead).get("/admin/audit-log.jsonl").text();
    assert!(lead.contains("bold") && !lead.contains("foreign"), "{lead}");
    let place = app.texts(
        "SELECT (extract(epoch FROM at) * 1000000)::bigint || '.' || id FROM audit.events \
            WHERE sentence LIKE '%foreign'",
    );
    let one = app
        .browser(&app.people.lead)
        .get(&format!("/admin/audit-log.jsonl?event={}&proof=1", place[0]))
        .text();
    assert!(one.contains("\"events\":0"), "{one}");
    app.browser(&app.people.lead)
        .open(&format!("/admin/audit-log?open={}", place[0]))
        .expect(200)
        .see_not("foreign");
    assert_eq!(app.browser(&app.people.analyst).get("/admin/audit-log.csv").status, 403);
    // An event that cannot be written stops the export before its first byte.
    app.superuser().batch_execute("REVOKE INSERT ON audit.events FROM tyrian_app").unwrap();
    assert_eq!(administrator.get("/admin/audit-log.csv").status, 500);
}

#[test]
fn what_was_done_stands_on_the_pages_it_was_done_to() {
    let app = TestApp::spawn();
    let lead = &app.people.lead;
    act(&app, lead, renamed(app.clients.own, "activity"));
    let mut browser = app.browser(lead);
    browser.open(&format!("/clients/{}", app.clients.own)).see("Activity").see("Changed the client activity");
    let row = browser.attribute("#activity [data-row]", "href").unwrap();
    browser.open(&row).expect(200).see("Exact time").see("Changed the client activity");
    let mut analyst = app.browser(&app.people.analyst);
    analyst.open(&format!("/clients/{}", app.clients.own)).expect(200).see_not("Changed the client activity");
    let mut administrator = app.browser(&app.people.administrator);
    administrator
        .open(&format!("/admin/users/{}", lead.id))
        .see("Changed the client activity")
        .click("In the audit log");
    administrator.see("Changed the client activity");
}

#[test]
fn what_is_done_to_a_report_before_it_is_published_shows_to_nobody_else() {
    let app = TestApp::spawn();
    let engagement = app.engagement(1);
    let event = |kind, sentence: &str| Event::new(kind, sentence).engagement(app.clients.own, engagement.id);
    act(&app, &app.people.lead, event(Kind::EngagementUpdated, "Changed the engagement in sight"));
    act(&app, &app.people.lead, event(Kind::FindingCreated, "Added the finding out of sight"));
    let page = format!("/engagements/{}", engagement.id);
    let mut lead = app.browser(&app.people.lead);
    lead.open(&page).see("Added the finding out of sight");
    lead.open(&format!("{page}?open=activity"))
        .see("Added the finding out of sight")
        .see("Changed the engagement in sight");
    let mut analyst = app.browser(&app.people.analyst);
    analyst.open(&page).expect(200).see("Changed the engagement in sight").see_not("out of sight");
    analyst
        .open(&format!("{page}?open=activity"))
        .see("Changed the engagement in sight")
        .see_not("out of sight");
    let fragment = analyst.get_fragment(&format!("{page}/sections/activity")).text();
    assert!(fragment.contains("in sight") && !fragment.contains("out of sight"), "{fragment}");
}

#[test]
fn what_came_since_is_counted_and_nothing_moves() {
    let app = TestApp::spawn();
    act(&app, &app.people.lead, renamed(app.clients.own, "first"));
    let mut browser = app.browser(&app.people.administrator);
    browser.open("/admin/audit-log?category=clients");
    let asks = browser.attribute("#news", "hx-get").unwrap();
    assert!(asks.starts_with("/admin/audit-log/fresh?"));
    browser.open(&asks).see_not("new event");
    act(&app, &app.people.lead, renamed(app.clients.own, "second"));
    act(&app, &app.people.lead, Event::new(Kind::SettingsChanged, "Changed the settings"));
    browser.open(&asks).see("1 new event");
}
