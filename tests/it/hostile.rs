//! What somebody tries who does not follow the links.

use uuid::Uuid;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::Plan;

fn never_ours(status: u16, what: &str) {
    assert!(status < 500, "{what}: {status}");
}

#[test]
fn the_wizard_gives_nothing_of_a_client_at_which_the_person_does_not_plan() {
    let app = TestApp::spawn();
    let foreign =
        app.plan(app.clients.foreign, &Plan { title: "Quiet harbour", procedures: 2, ..Plan::default() });
    let own = app.plan(app.clients.own, &Plan { title: "Loud harbour", procedures: 2, ..Plan::default() });
    for (person, client, engagement) in
        [(&app.people.lead, app.clients.foreign, foreign.id), (&app.people.analyst, app.clients.own, own.id)]
    {
        let mut b = app.browser(person);
        let draft = format!("/engagements/new/{}", Uuid::now_v7());
        let (client, engagement) = (client.to_string(), engagement.to_string());
        for word in ["step-2", "back", "next", "stay"] {
            let fields = [
                ("client", client.as_str()),
                ("source", "earlier"),
                ("earlier", engagement.as_str()),
                ("do", word),
            ];
            let answer = b.post(&format!("{draft}?step=1"), &fields);
            never_ours(answer.status, word);
            assert!(!answer.text().contains("harbour"), "{word}");
        }
        for step in ["1", "2", "3", "4"] {
            assert!(
                !b.get(&format!("{draft}?step={step}")).text().contains("harbour"),
                "step {step} of {}",
                person.name
            );
        }
        assert_eq!(app.count("SELECT count(*) FROM drafts WHERE fields::text LIKE '%harbour%'"), 0);
    }
}

fn post(b: &mut Browser, path: &str, fields: &[(&str, String)]) {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    never_ours(b.post(path, &fields).status, path);
}

#[test]
fn an_engagement_starts_from_one_of_its_own_client_only() {
    let app = TestApp::spawn();
    let foreign =
        app.plan(app.clients.foreign, &Plan { title: "Quiet harbour", ..Plan::default() }).id.to_string();
    let own = app.engagement(1).id.to_string();
    let mut b = app.browser(&app.people.lead);
    let client = app.clients.own.to_string();
    let before = app.count("SELECT count(*) FROM engagements");
    for forged in [foreign, Uuid::now_v7().to_string()] {
        let draft = format!("/engagements/new/{}", Uuid::now_v7());
        let first = format!("{draft}?step=1");
        let from = |earlier: &str, word: &str| {
            [
                ("client", client.clone()),
                ("source", "earlier".into()),
                ("earlier", earlier.to_owned()),
                ("do", word.to_owned()),
            ]
        };
        post(&mut b, &first, &from(&own, "next"));
        b.post(&format!("{draft}?step=2"), &[("title", "Again"), ("time_zone", "UTC"), ("do", "next")]);
        post(&mut b, &first, &from(&forged, "stay"));
        let answer = b.post(&format!("{draft}?step=4"), &[("do", "create")]);
        assert_eq!(answer.status, 422);
        assert_eq!(app.count("SELECT count(*) FROM engagements"), before);
    }
}

#[test]
fn broken_cursors_and_bytes_in_addresses_are_no_fault_of_ours() {
    let app = TestApp::spawn();
    app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    let id = Uuid::now_v7();
    for number in
        [i64::MAX, i64::MIN, -8_000_000_000_000_000_000, 9_000_000_000_000_000, -300_000_000_000_000_000]
    {
        let report = format!("/reports?after={number}.{id}");
        never_ours(b.get(&report).status, &report);
        for side in ["after", "before"] {
            for sort in ["activity", "start", "title"] {
                let list = format!("/engagements?sort={sort}&{side}={number}.{id}");
                never_ours(b.get(&list).status, &list);
            }
        }
    }
    for path in
        ["/engagements", "/reports", "/clients", "/library/procedures", "/library/techniques", "/test-plans"]
    {
        for query in
            ["q=%00", "q=a%00b&tag=%00", "tactic=%00&platform=%00&technique=%00", "client=%00", "q=%FF%FE"]
        {
            let address = format!("{path}?{query}");
            never_ours(b.get(&address).status, &address);
        }
    }
}

#[test]
fn drafts_take_no_null_characters() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut b = app.browser(&app.people.lead);
    let kept = b.post(&format!("{}/draft", e.procedure_path(0)), &[("red_notes", "a\0b"), ("version", "1")]);
    assert_eq!(kept.status, 422);
    let (draft, client) = (format!("/engagements/new/{}", Uuid::now_v7()), app.clients.own.to_string());
    b.post(&format!("{draft}?step=1"), &[("client", &client), ("do", "next")]);
    let typed = b.post(
        &format!("{draft}?step=2"),
        &[("title", "Har\0bour"), ("time_zone", "UTC"), ("scope", "All quays"), ("do", "next")],
    );
    assert_eq!(typed.status, 422);
    assert!(typed.text().contains("All quays"));
    never_ours(
        b.post(
            &format!("{draft}?step=1"),
            &[("client", &client), ("plan_q", "\0"), ("source", "plan"), ("do", "stay")],
        )
        .status,
        "plan_q",
    );
}

#[test]
fn a_null_character_in_what_is_searched_for_is_no_fault_of_ours() {
    let app = TestApp::spawn();
    let mut visitor = app.visitor();
    never_ours(visitor.post("/sign-in", &[("email", "a\0b"), ("password", "x")]).status, "/sign-in");
    let mut b = app.browser(&app.people.lead);
    never_ours(
        b.post("/test-plans/new", &[("title", "x"), ("q", "\0"), ("do", "search")]).status,
        "/test-plans/new",
    );
}
