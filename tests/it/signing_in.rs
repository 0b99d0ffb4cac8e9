//! Ways in: locks, known devices, second factors, sessions, proofs.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::accounts::two_factor::TotpSecret;

use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser};
use crate::harness::fixtures::{PASSWORD, Person, SAM};
use crate::harness::process::Process;

const WRONG: &str = "Wrong e-mail or password, or the account is locked for a while.";

fn attempt(b: &mut Browser, email: &str, password: &str) -> Answer {
    b.post("/sign-in", &[("email", email), ("password", password)])
}

fn signs_in(b: &mut Browser, person: &Person) -> bool {
    attempt(b, &person.email, PASSWORD).status == 303
}

#[test]
fn five_failures_lock_the_account_and_the_lock_doubles() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut b = app.visitor();
    for minutes in [15, 30, 60, 60] {
        for n in 0..5 {
            let answer = attempt(&mut b, &person.email, "not the password");
            assert_eq!((answer.status, answer.text().contains(WRONG)), (422, true), "attempt {n}");
        }
        assert!(!signs_in(&mut b, person), "locked: the right password is not even tried");
        app.pass(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        assert!(!signs_in(&mut b, person), "still locked after just under {minutes} minutes");
        app.pass(TimeDelta::seconds(2));
    }
    assert!(signs_in(&mut b, person));
    assert_eq!(app.events("session.locked_out"), 4);
    let told =
        app.texts("SELECT sentence FROM audit.events WHERE kind = 'session.locked_out' ORDER BY id LIMIT 1");
    assert_eq!(told, [format!("Locked the account of {SAM} for 15 minutes after 5 failed attempts")]);
    assert!(
        app.texts("SELECT DISTINCT reason FROM audit.events WHERE kind = 'session.refused' ORDER BY 1")
            == ["locked", "wrong_credentials"]
    );
    // The right one forgets what was counted.
    for _ in 0..4 {
        attempt(&mut b, &person.email, "not the password");
    }
    assert!(signs_in(&mut app.visitor(), person));
}

#[test]
fn old_failures_do_not_count() {
    let app = TestApp::spawn();
    let mut b = app.visitor();
    for _ in 0..3 {
        for _ in 0..4 {
            attempt(&mut b, &app.people.standard.email, "not the password");
        }
        app.pass(TimeDelta::minutes(16));
    }
    assert!(signs_in(&mut b, &app.people.standard));
    assert_eq!(app.events("session.locked_out"), 0);
}

#[test]
fn unknown_disabled_and_invited_accounts_answer_alike() {
    let app = TestApp::spawn();
    let mut b = app.visitor();
    let known = attempt(&mut b, &app.people.standard.email, "not the password").text();
    let unknown = attempt(&mut b, "nobody@tyrian.example", "not the password").text();
    let plain =
        |text: &str| text.replace(&app.people.standard.email, "").replace("nobody@tyrian.example", "");
    let without_ids =
        |text: String| text.split_whitespace().filter(|word| word.len() < 200).collect::<Vec<_>>().join(" ");
    assert_eq!(without_ids(plain(&known)), without_ids(plain(&unknown)));
    let told = app.texts(
        "SELECT coalesce(search_values, '') || detail::text || sentence FROM audit.events \
        WHERE kind = 'session.refused'",
    );
    assert!(
        !told.iter().any(|text| text.contains("nobody@")),
        "a typed name that is no account's never enters the log"
    );
    for _ in 0..6 {
        attempt(&mut b, "nobody@tyrian.example", "not the password");
    }
    assert_eq!(app.events("session.locked_out"), 0);
}

#[test]
fn a_stranger_does_not_lock_the_owner_out_of_a_device_they_know() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut owner = app.visitor();
    assert!(signs_in(&mut owner, person));
    let mut stranger = app.visitor();
    for _ in 0..6 {
        attempt(&mut stranger, &person.email, "not the password");
    }
    let mut elsewhere = app.visitor();
    assert!(!signs_in(&mut elsewhere, person), "locked for everybody else");
    assert!(signs_in(&mut owner, person), "the owner's own device is not");
    for _ in 0..5 {
        attempt(&mut owner, &person.email, "not the password");
    }
    assert!(!signs_in(&mut owner, person), "it has its own five");
    // Another account's device helps nobody.
    let mut other = app.visitor();
    assert!(signs_in(&mut other, &app.people.second));
    assert!(!signs_in(&mut other, person));
}

#[test]
fn a_network_has_its_limit_too() {
    let app = TestApp::spawn();
    let mut b = app.visitor();
    let mut full = 0;
    for n in 0..70 {
        let answer = attempt(&mut b, &format!("somebody{n}@tyrian.example"), "not the password");
        full += usize::from(answer.status == 429);
    }
    assert_eq!(full, 10, "sixty are looked at");
    assert_eq!(attempt(&mut b, &app.people.lead.email, PASSWORD).status, 429);
    app.pass(TimeDelta::minutes(16));
    assert!(signs_in(&mut b, &app.people.lead));
    // One by one up to twenty a minute, then together.
    assert_eq!(
        app.count("SELECT count(*) FROM audit.events WHERE kind IN ('session.refused', 'attempts.refused')"),
        20
    );
    assert_eq!(tyrian::kernel::refusals::sum_up(&app.db, app.clock.now()).unwrap(), 1);
    assert_eq!(tyrian::kernel::refusals::sum_up(&app.db, app.clock.now()).unwrap(), 0, "twice is once");
    let told = app.texts("SELECT sentence FROM audit.events WHERE kind = 'refusals.counted'");
    assert!(told[0].starts_with("Refused 51 more attempts from 127.0.0.1 "), "{told:?}");
}

#[test]
fn of_two_hundred_wrong_attempts_at_once_on_two_processes_five_are_tried() {
    let app = TestApp::spawn();
    let processes = [Process::serve(&app, "first"), Process::serve(&app, "second")];
    let email = app.people.standard.email.clone();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|n| {
                let (email, base) = (&email, &processes[n % 2].base);
                scope.spawn(move || {
                    let mut b = Browser::new(base);
                    (0..10).map(|_| attempt(&mut b, email, "not the password").status).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(statuses.len(), 200);
    assert!(statuses.iter().all(|status| [422, 429].contains(status)), "{statuses:?}");
    assert_eq!(app.count("SELECT attempts FROM attempt_counts WHERE subject LIKE 'account:%'"), 5);
    let looked = app.count("SELECT count(*) FROM audit.events WHERE reason = 'wrong_credentials'");
    println!(
        "200 wrong attempts at once against two processes: 5 tried, {looked} of them recorded one by one"
    );
    assert!(looked <= 5, "{looked}");
    assert_eq!(app.events("session.locked_out"), 1);
}

/// Sets a second factor up through the pages; gives the secret and the recovery codes.
fn enrol(app: &TestApp, b: &mut Browser) -> (TotpSecret, Vec<String>) {
    b.open("/account/two-factor").expect(200);
    let secret = TotpSecret::from_words(&b.texts("#words")[0]).unwrap();
    b.fill("Code", "000000").press("Set up").expect(422).see("This is not the code of now.");
    assert_eq!(b.texts("#words"), [secret.words()], "the same secret stays on the page");
    let code = secret.code_at(app.clock.now().timestamp());
    b.fill("Code", &code).press("Set up").expect(200).see("They are shown this once");
    let codes: Vec<String> = b.texts("#codes")[0].split_whitespace().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

#[test]
fn a_second_factor_is_asked_and_no_code_works_twice() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut b = app.sign_in(person);
    let (secret, codes) = enrol(&app, &mut b);
    let stored = app.texts("SELECT encode(totp_secret, 'hex') FROM people WHERE totp_secret IS NOT NULL");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].len(), 2 * (12 + 20 + 16), "nonce, secret, tag: nothing in the clear");

    app.pass(TimeDelta::seconds(60));
    let mut c = app.sign_in(person);
    assert_eq!(c.path(), "/sign-in/code");
    assert_eq!(c.get("/account").status, 303, "half a sign-in opens nothing");
    let code = secret.code_at(app.clock.now().timestamp());
    c.open("/sign-in/code").fill("Code", &code).press("Sign in").expect(200);
    c.open("/account").see("Sam Rook");

    let mut d = app.sign_in(person);
    assert_eq!(d.post("/sign-in/code", &[("code", &code)]).status, 422, "the same code again");
    assert_eq!(d.post("/sign-in/code", &[("code", &codes[3].to_uppercase())]).status, 303, "a recovery code");
    d.open("/account").see("Sam Rook").see("9 recovery codes are left");
    let mut e = app.sign_in(person);
    assert_eq!(e.post("/sign-in/code", &[("code", &codes[3])]).status, 422, "each once");
    assert_eq!(app.events("two_factor.enrolled"), 1);
    let told = app.texts("SELECT detail::text || sentence || coalesce(search_values, '') FROM audit.events");
    assert!(!told.iter().any(|text| codes.iter().any(|code| text.contains(code.as_str()))
        || text.contains(&secret.words().replace(' ', ""))));
}

#[test]
fn of_two_requests_with_one_code_one_gets_in() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let (secret, _) = enrol(&app, &mut app.sign_in(person));
    for round in 0..4 {
        app.pass(TimeDelta::seconds(60));
        let code = secret.code_at(app.clock.now().timestamp());
        let mut both = [app.sign_in(person), app.sign_in(person)];
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = both
                .iter_mut()
                .map(|b| scope.spawn(|| b.post("/sign-in/code", &[("code", &code)]).status))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let mut sorted = statuses.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [303, 422], "round {round}");
    }
}

#[test]
fn wrong_codes_lock_too_and_a_pending_sign_in_ends() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let (secret, _) = enrol(&app, &mut app.sign_in(person));
    app.pass(TimeDelta::seconds(60));
    let mut b = app.sign_in(person);
    for _ in 0..5 {
        assert_eq!(b.post("/sign-in/code", &[("code", "000000")]).status, 422);
    }
    let code = secret.code_at(app.clock.now().timestamp());
    assert_eq!(b.post("/sign-in/code", &[("code", &code)]).status, 422, "locked: not looked at");
    assert_eq!(app.events("session.locked_out"), 1);
    app.pass(TimeDelta::minutes(16));
    let code = secret.code_at(app.clock.now().timestamp());
    let late = b.post("/sign-in/code", &[("code", &code)]);
    assert_eq!(
        (late.status, late.header("location")),
        (303, "/sign-in"),
        "five minutes after the password it starts again"
    );
}

#[test]
fn a_required_second_factor_comes_before_anything_else() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/settings").expect(200);
    let mut form = crate::harness::browser::fields_of(admin.html(), "main form");
    form.insert("two_factor_rule".into(), "everyone".into());
    let typed: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(admin.post("/admin/settings", &typed).status, 303);
    admin.open("/admin/settings").expect(200).see("Your organisation asks for a second factor");
    let mut lead = app.browser(&app.people.lead);
    for path in ["/", "/engagements", "/clients", "/account"] {
        let answer = lead.get(path);
        assert!(
            answer.header("location").starts_with("/account/two-factor"),
            "{path}: {} {}",
            answer.status,
            answer.header("location")
        );
    }
    enrol(&app, &mut lead);
    lead.open("/engagements").expect(200);
}

#[test]
fn sensitive_acts_ask_for_the_password_again() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.administrator);
    b.open("/account/two-factor").expect(200).see("Set up a second factor");
    app.pass(TimeDelta::minutes(16));
    let asked = b.get("/admin/roles/new");
    assert_eq!(asked.header("location"), "/account/proof?next=%2Fadmin%2Froles%2Fnew");
    b.open("/admin/roles/new").expect(200).see("Your password again");
    b.fill("Password", "not the password").press("Go on").expect(422);
    b.fill("Password", PASSWORD).press("Go on").expect(200);
    assert_eq!(b.path(), "/admin/roles/new");
    assert_eq!(app.events("session.proved"), 1);
    // A form that nobody proved for changes nothing.
    app.pass(TimeDelta::minutes(16));
    assert_eq!(b.post("/admin/roles/new", &[("name", "Sneaky")]).status, 401);
    assert_eq!(app.count("SELECT count(*) FROM roles WHERE name = 'Sneaky'"), 0);
}

#[test]
fn sessions_are_listed_and_ended() {
    let app = TestApp::spawn();
    let mut here = app.sign_in(&app.people.standard);
    let mut there = app.sign_in(&app.people.standard);
    let mut third = app.sign_in(&app.people.standard);
    here.open("/account").expect(200).see("this one");
    assert_eq!(here.texts("#sessions tbody tr").len(), 3);
    let ends: Vec<String> = scraper::Html::parse_document(here.html())
        .select(&crate::harness::browser::selector("#sessions td form"))
        .filter_map(|f| f.attr("action").map(str::to_owned))
        .collect();
    assert_eq!(ends.len(), 2);
    assert_eq!(here.post(&ends[0], &[]).status, 303);
    let alive = [&mut there, &mut third]
        .into_iter()
        .filter_map(|b| (b.get("/account").status == 200).then_some(()))
        .count();
    assert_eq!(alive, 1);
    // Nobody ends another person's.
    let mut lead = app.browser(&app.people.lead);
    lead.post(&ends[1], &[]);
    let alive = [&mut there, &mut third]
        .into_iter()
        .filter_map(|b| (b.get("/account").status == 200).then_some(()))
        .count();
    assert_eq!(alive, 1);
    here.open("/account").press("End all others").see("The other session is ended.");
    assert_eq!(there.get("/account").status + third.get("/account").status, 606);
    assert_eq!(app.events("session.ended_elsewhere"), 2);
    assert!(app.texts("SELECT user_agent FROM sessions WHERE address IS NOT NULL").len() == 1);
}

#[test]
fn requests_that_nobody_makes_keep_no_session_alive() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let fresh = format!("{}/fresh", e.procedure_path(0));
    let mut b = app.browser(&app.people.lead);
    for _ in 0..4 {
        app.pass(TimeDelta::minutes(9));
        b.get_fragment(&fresh);
        b.get("/account/idle");
    }
    assert_eq!(b.get("/account").status, 303, "half an hour of nothing but the page's own requests");
    let mut c = app.browser(&app.people.lead);
    for _ in 0..4 {
        app.pass(TimeDelta::minutes(9));
        assert_eq!(c.post("/account/stay", &[]).status, 303);
    }
    assert_eq!(c.get("/account").status, 200, "an answered warning does");
    app.pass(TimeDelta::minutes(10));
    let left = c.get("/account/idle").text();
    assert_eq!(left, "{\"left\":1200}");
}

#[test]
fn ended_sessions_are_swept_with_an_event_each() {
    let app = TestApp::spawn();
    app.browser(&app.people.lead);
    app.browser(&app.people.standard);
    app.pass(TimeDelta::minutes(31));
    let sweep = tyrian::jobs::find("session-sweep").unwrap();
    for _ in 0..2 {
        tyrian::kernel::job::run(&app.app.reach(), sweep, tyrian::kernel::job::Trigger::Command, None)
            .unwrap();
    }
    assert_eq!(app.count("SELECT count(*) FROM sessions"), 0);
    assert_eq!(app.events("session.expired"), 2);
}

#[test]
fn changed_rights_act_at_once_and_change_the_sessions_secret() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.standard);
    b.open("/clients").see("Alder Savings");
    let before = b.session().unwrap();
    let (client, person) = (app.clients.own, app.people.standard.id);
    app.db
        .write_blocking(&tyrian::kernel::event::domain::Actor::command(), |tx| {
            tyrian::accounts::access::store::take(tx, person, client)
        })
        .unwrap();
    b.open("/clients").expect(200).see_not("Alder Savings");
    assert_ne!(b.session().unwrap(), before);
    let mut old = app.visitor();
    old.carry(&before);
    assert_eq!(old.get("/clients").status, 303, "the old secret opens nothing");
    // The end stays where it was.
    assert_eq!(
        app.count("SELECT count(*) FROM sessions WHERE expires_at <= created_at + interval '12 hours'"),
        1
    );
}

#[test]
fn a_tampered_cookie_is_no_session() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.standard);
    let cookie = b.session().unwrap();
    let (head, tail) = cookie.split_at(cookie.len() / 2);
    let changed = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
    b.carry(&changed);
    assert_eq!(b.get("/account").status, 303);
}

#[test]
fn a_hash_under_older_parameters_is_replaced_at_sign_in() {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let app = TestApp::spawn();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8 * 1024, 1, 1, None).unwrap());
    let hash = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let person = app.people.standard.id;
    use diesel::connection::SimpleConnection;
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica; UPDATE people \
            SET password_hash = '{hash}' WHERE id = '{person}'"
        ))
        .unwrap();
    assert!(signs_in(&mut app.visitor(), &app.people.standard));
    let now = app.texts(&format!("SELECT password_hash FROM people WHERE id = '{person}'"));
    assert!(now[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now:?}");
    assert!(signs_in(&mut app.visitor(), &app.people.standard));
}

#[test]
fn a_request_whose_body_comes_after_its_right_is_gone_writes_nothing() {
    use std::io::{Read, Write};
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let b = app.browser(&app.people.standard);
    let body = "version=1&attack_source=too+late";
    let mut slow = std::net::TcpStream::connect(app.base.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {}\r\ncontent-type: \
            application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        e.procedure_path(0),
        b.session().unwrap(),
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..body.len() - 1]).unwrap();
    // The head is judged once its session was touched; another request behind it proves that the server went
    // on.
    app.visitor().get("/healthz");
    let person = app.people.standard.id;
    let everything = tyrian::kernel::authz::Permission::ALL.iter().copied().collect();
    let command = tyrian::kernel::event::domain::Actor::command();
    app.db
        .write_blocking(&command, |tx| tyrian::accounts::users::store::disable(tx, everything, person))
        .unwrap();
    slow.write_all(&body.as_bytes()[body.len() - 1..]).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    // To the sign-in, or, where the head was read after that as well, with what was posted held on the page.
    let is_refused = ["HTTP/1.1 303", "HTTP/1.1 401"].iter().any(|status| answer.starts_with(status));
    assert!(is_refused, "{answer}");
    assert_eq!(app.texts("SELECT attack_source FROM procedures"), [""], "nothing is written");
}

#[test]
fn an_ended_session_does_not_come_back_by_its_renewal() {
    let app = TestApp::spawn();
    let person = app.people.standard.id;
    let mut b = app.browser(&app.people.standard);
    let mark = |sql: &str| {
        use diesel::connection::SimpleConnection;
        app.superuser().batch_execute(sql).unwrap();
    };
    mark("UPDATE sessions SET renew = true");
    b.open("/account").expect(200);
    assert_eq!(app.count("SELECT count(*) FROM sessions"), 1, "renewed in place");
    mark(&format!("UPDATE sessions SET renew = true WHERE person_id = '{person}'"));
    mark("DELETE FROM sessions");
    assert_eq!(b.get("/account").status, 303);
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE person_id IS NOT NULL"), 0);
}

#[test]
fn an_account_that_changed_meanwhile_lets_nobody_in() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let (secret, _) = enrol(&app, &mut app.sign_in(person));
    app.pass(TimeDelta::seconds(60));
    let mut waiting = app.sign_in(person);
    let hash = tyrian::accounts::domain::hash_password("a new long sentence").unwrap();
    let command = tyrian::kernel::event::domain::Actor::command();
    app.db
        .write_blocking(&command, |tx| tyrian::accounts::store::set_password(tx, person.id, &hash, false))
        .unwrap();
    let code = secret.code_at(app.clock.now().timestamp());
    assert_eq!(
        waiting.post("/sign-in/code", &[("code", &code)]).status,
        422,
        "the old password is worth nothing any more"
    );
    // And what was verified against an older row is not recorded.
    let old = app.db.read_blocking(|conn| tyrian::accounts::store::get_account(conn, person.id)).unwrap();
    let newer = tyrian::accounts::domain::hash_password("yet another sentence").unwrap();
    app.db
        .write_blocking(&command, |tx| tyrian::accounts::store::set_password(tx, person.id, &newer, false))
        .unwrap();
    let entry = tyrian::accounts::store::sign_in::Entry { how: "password", ..Default::default() };
    let late = app.db.write_blocking(&command, |tx| {
        tyrian::accounts::store::sign_in::record_sign_in(tx, &old, &entry, &[7; 32])
    });
    assert!(late.is_err());
}

#[test]
fn a_lock_on_a_known_device_is_shown_and_unlocked() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut laptop = app.visitor();
    assert!(signs_in(&mut laptop, person));
    for _ in 0..5 {
        attempt(&mut laptop, &person.email, "not the password");
    }
    assert!(!signs_in(&mut laptop, person));
    let mut admin = app.browser(&app.people.administrator);
    admin
        .open(&format!("/admin/users/{}", person.id))
        .see("Locked until")
        .press("Unlock")
        .see("Account unlocked.");
    assert!(signs_in(&mut laptop, person));
}

#[test]
fn a_full_network_keeps_nobody_from_a_device_they_know() {
    let app = TestApp::spawn();
    let mut laptop = app.visitor();
    assert!(signs_in(&mut laptop, &app.people.standard));
    let mut stranger = app.visitor();
    for n in 0..61 {
        attempt(&mut stranger, &format!("somebody{n}@tyrian.example"), "not the password");
    }
    assert_eq!(attempt(&mut stranger, &app.people.lead.email, PASSWORD).status, 429);
    assert!(signs_in(&mut laptop, &app.people.standard));
}

#[test]
fn what_is_refused_at_the_gate_is_recorded() {
    let app = TestApp::spawn();
    let mut b = app.visitor();
    b.get(&format!("/link/{}", "0".repeat(48)));
    assert_eq!(app.events("link.refused"), 1);
    b.set_cookie(&app.app.keys.cookies.session, "made-up");
    b.get("/account");
    assert_eq!(app.events("cookie.refused"), 1);
    let mut user = app.browser(&app.people.standard);
    user.post("/account/password", &[("current", PASSWORD), ("password", "passwordpassword")]);
    user.post("/account/theme", &[("theme", "dark"), ("extra", "1")]);
    user.post("/account/theme", &[("theme", "dark"), ("theme", "light")]);
    let reasons = app.texts("SELECT reason FROM audit.events WHERE kind = 'access.refused' ORDER BY id");
    assert_eq!(reasons, ["refused_password", "malformed", "malformed"]);
}

#[test]
fn two_installations_on_one_host_leave_each_others_cookies_alone() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.standard);
    // A browser sends the cookies of a host to each of its ports.
    let foreign = tyrian::kernel::app::Keys::derive(b"another installation's secret, as long", false);
    assert_ne!(foreign.cookies.session, app.app.keys.cookies.session);
    b.set_cookie(&foreign.cookies.session, "theirs");
    b.set_cookie(&foreign.cookies.message, "theirs");
    b.open("/account").see("Sam");
    assert_eq!(b.cookie(&foreign.cookies.session), Some("theirs"));
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE kind = 'cookie.refused'"), 0);
    let node = tyrian::kernel::app::Keys::derive(b"another installation's secret, as long", false);
    assert_eq!(node.cookies.session, foreign.cookies.session, "its nodes have the same");
}

/// Without scripts no draft is kept before a form is sent: the answer holds it, and sends it again.
#[test]
fn what_is_posted_after_the_session_ended_is_held_by_the_answer() {
    let app = TestApp::spawn();
    let path = app.engagement(1).procedure_path(0);
    let mut b = app.browser(&app.people.standard);
    b.open(&path).fill("red_notes", "Typed <b>before</b> the session ended");
    app.superuser().batch_execute("SET session_replication_role = replica; DELETE FROM sessions").unwrap();
    b.press("Save").expect(401).see("You are signed out").see("Typed <b>before</b> the session ended");
    assert_eq!(b.attribute("form", "action").as_deref(), Some(path.as_str()));
    let elsewhere = app.browser(&app.people.standard);
    b.carry(&elsewhere.session().unwrap());
    b.press("Send it again").expect(200).see("Saved");
    assert_eq!(app.texts("SELECT red_notes FROM procedures"), ["Typed <b>before</b> the session ended"]);

    // A secret is never written into a page, and a stranger's form is not read at all.
    app.superuser().batch_execute("SET session_replication_role = replica; DELETE FROM sessions").unwrap();
    let secret = b.post("/account/password", &[("current", "x"), ("new_password", "Geheim 1234 abcd")]);
    assert_eq!((secret.status, secret.text().contains("Geheim")), (303, false));
    let stranger = Browser::new(&app.base).post(&path, &[("red_notes", "hello")]);
    assert_eq!((stranger.status, stranger.text().contains("hello")), (303, false));
}

/// The same where a proof is asked for: ticks alone are enough to be held.
#[test]
fn what_is_posted_before_a_proof_is_held_by_the_answer() {
    let app = TestApp::spawn();
    let mut b = app.browser(&app.people.administrator);
    let roles = format!("SELECT count(*) FROM person_roles WHERE person_id = '{}'", app.people.standard.id);
    let before = app.count(&roles);
    b.open(&format!("/admin/users/{}", app.people.standard.id)).check("Auditor");
    app.pass(TimeDelta::minutes(16));
    b.press("Save roles").expect(401).see("Your password again").see("Nothing is saved yet.");
    let back = format!("/account/proof?next=%2Fadmin%2Fusers%2F{}", app.people.standard.id);
    assert_eq!(b.attribute("[data-gate]", "data-gate"), Some(back));
    assert_eq!(app.count(&roles), before);
    let mut elsewhere = Browser::new(&app.base);
    elsewhere.carry(&b.session().unwrap());
    elsewhere.open("/account/proof").fill("Password", PASSWORD).press("Go on").expect(200);
    // A proof renews the session's secret.
    b.carry(&elsewhere.session().unwrap());
    b.press("Send it again").expect(200);
    assert_eq!(app.count(&roles), before + 1);
    // What holds nothing is not worth a page of its own.
    app.pass(TimeDelta::minutes(16));
    let empty = b.post("/admin/roles/new", &[("name", "")]);
    assert_eq!((empty.status, empty.header("location")), (303, "/account/proof"));
}

/// Long texts, and the texts of a form with files, whose names are told.
#[test]
fn long_forms_and_forms_with_files_are_held_too() {
    let app = TestApp::spawn();
    let path = app.engagement(1).procedure_path(0);
    let end = || {
        app.superuser()
            .batch_execute("SET session_replication_role = replica; DELETE FROM sessions")
            .unwrap();
    };
    let mut b = app.browser(&app.people.standard);
    let long = "Every step of the night, written down. ".repeat(8_000);
    assert!(long.len() > 300_000);
    b.open(&path).fill("red_notes", long.trim());
    end();
    b.press("Save").expect(401).see("You are signed out");
    b.carry(&app.browser(&app.people.standard).session().unwrap());
    // More than may be saved: whoever typed it is told so by the form, which still holds it.
    b.press("Send it again").expect(422).see("Shorten the text.");
    assert_eq!(b.value("red_notes"), long.trim());
    b.fill("red_notes", "In short").press("Save").expect(200);
    assert_eq!(app.texts("SELECT red_notes FROM procedures"), ["In short"]);

    let mut b = app.browser(&app.people.analyst);
    b.open("/schedule/request")
        .choose("Client", crate::harness::fixtures::OWN)
        .fill("Title", "Pier at night")
        .fill("Scope", "Everything behind the gate")
        .fill("start_date", "2026-12-01")
        .attach_all("file", &[("plan.pdf", b"%PDF-1.7"), ("gate.txt", b"gate")]);
    end();
    b.press("Send request")
        .expect(401)
        .see("Choose again: plan.pdf, gate.txt")
        .see("Everything behind the gate");
    b.carry(&app.browser(&app.people.analyst).session().unwrap());
    b.attach_all("Choose again", &[("plan.txt", b"by the pier")]).press("Send it again").expect(200);
    let stored = "SELECT title || ' ' || scope || ' ' || (SELECT count(*) FROM attachments)
        FROM engagements WHERE title = 'Pier at night'";
    assert_eq!(app.texts(stored), ["Pier at night Everything behind the gate 1"]);
}
