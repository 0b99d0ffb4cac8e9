//! Users, roles, client access and settings as administrators keep them.

use std::collections::BTreeMap;

use tyrian::kernel::base::ids::RoleId;

use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser, fields_of};
use crate::harness::fixtures::{ADA, BEN, OWN, PASSWORD, SAM};

fn role(app: &TestApp, key: &str) -> String {
    app.texts(&format!("SELECT id FROM roles WHERE key = '{key}'")).remove(0)
}

fn post(b: &mut Browser, path: &str, form: &BTreeMap<String, String>) -> Answer {
    let typed: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    b.post(path, &typed)
}

/// The path of the one-time link that a page shows.
fn link_on(b: &Browser) -> String {
    let address = b.texts("#link").remove(0);
    address[address.find("/link/").expect("a link")..].to_owned()
}

/// A cell of a CSV file that needs its quotes.
fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

#[test]
fn a_user_is_invited_signs_in_and_works_with_the_roles_given() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/users").expect(200).click("New user");
    admin
        .fill("Name", "Nia Berg")
        .fill("E-mail", "nia@tyrian.example")
        .press("Create and make the link")
        .expect(200)
        .see("Invitation for Nia Berg");
    let first = link_on(&admin);
    admin.click("Done").expect(200).see("Nia Berg").see("Invited").see("Sees no client.");
    let path = admin.path().to_owned();
    let roles: Vec<(&str, String)> =
        vec![("role", role(&app, "standard_user")), ("role", role(&app, "auditor"))];
    let typed: Vec<(&str, &str)> = roles.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(admin.post(&format!("{path}/roles"), &typed).status, 303);
    let (id, client, lead) =
        (path.rsplit('/').next().unwrap().to_owned(), app.clients.own.to_string(), role(&app, "team_lead"));
    assert_eq!(
        admin
            .post("/admin/access", &[("person", &id), ("client", &client), ("role", &lead), ("back", &path)])
            .status,
        303
    );
    admin
        .open(&path)
        .see("Alder Savings")
        .see("Ada Marlow")
        .see("Team Lead at Alder Savings")
        .see("Read the whole audit log");

    // Whoever made the first link may have been allowed less than she may do now.
    assert_eq!(app.visitor().get(&first).status, 422, "a link ends when rights grow");
    admin.press("Make an invitation link").expect(200);
    let link = link_on(&admin);

    let mut nia = app.visitor();
    nia.open(&link).expect(200).see("Welcome to Tyrian");
    for (weak, why) in [
        ("short", "at least 12"),
        ("passwordpassword", "tried first"),
        ("niaberg-tyrian", "little more than a name"),
    ] {
        nia.fill("Password", weak).press("Set password").expect(422).see(why);
    }
    nia.fill("Password", "a long enough sentence").press("Set password").expect(200);
    nia.open("/clients").see("Alder Savings");
    assert_eq!(app.visitor().get(&link).status, 422, "a link works once");
    let kinds =
        "SELECT kind FROM audit.events WHERE about_person = '{id}' AND kind NOT LIKE 'session%' ORDER BY id";
    let told = app.texts(&kinds.replace("{id}", &id));
    assert_eq!(
        told,
        [
            "user.created",
            "user.invited",
            "role.assigned",
            "role.assigned",
            "access.given",
            "user.invited",
            "password.chosen"
        ]
    );
    let secrets = app.texts("SELECT detail::text || sentence FROM audit.events");
    assert!(
        !secrets
            .iter()
            .any(|text| text.contains(link.trim_start_matches("/link/")) || text.contains("long enough"))
    );
}

#[test]
fn nobody_takes_the_last_administrator_out() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let path = format!("/admin/users/{}", app.people.administrator.id);
    let administrator = role(&app, "administrator");
    assert_eq!(admin.post(&format!("{path}/disable"), &[]).status, 422);
    assert_eq!(admin.post(&format!("{path}/delete"), &[]).status, 422);
    assert_eq!(admin.post(&format!("{path}/roles"), &[("had", &administrator)]).status, 422);
    admin.open(&path).expect(200).see("Active");
    // Two of them, each taking the other out at the same moment: one stays.
    for round in 0..5 {
        let lead = app.people.lead.id;
        let other = format!("/admin/users/{lead}");
        admin.post(&format!("{other}/enable"), &[]);
        assert_eq!(admin.post(&format!("{other}/roles"), &[("role", &administrator)]).status, 303);
        let mut second = app.browser(&app.people.lead);
        let (mine, theirs) = (format!("{other}/disable"), format!("{path}/disable"));
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let a = scope.spawn(|| admin.post(&mine, &[]).status);
            let b = scope.spawn(|| second.post(&theirs, &[]).status);
            vec![a.join().unwrap(), b.join().unwrap()]
        });
        let left = app.count(
            "SELECT count(*) FROM people p JOIN person_roles pr ON pr.person_id = p.id \
                JOIN roles r ON r.id = pr.role_id
             WHERE r.key = 'administrator' AND p.status = 'active'",
        );
        assert!(left >= 1, "round {round}: {statuses:?}");
        let everything = tyrian::kernel::authz::Permission::ALL.iter().copied().collect();
        for id in [app.people.administrator.id, lead] {
            let command = tyrian::kernel::event::domain::Actor::command();
            app.db
                .write_blocking(&command, |tx| tyrian::accounts::users::store::enable(tx, everything, id))
                .unwrap();
        }
        admin = app.browser(&app.people.administrator);
        admin.post(&format!("{other}/roles"), &[("had", &administrator)]);
    }
}

#[test]
fn a_disabled_user_is_out_at_once_and_comes_back_enabled() {
    let app = TestApp::spawn();
    let (mut admin, mut user) = (app.browser(&app.people.administrator), app.browser(&app.people.standard));
    user.open("/clients").expect(200);
    let path = format!("/admin/users/{}", app.people.standard.id);
    admin.open(&path).press("Disable").see("Their sessions are ended.");
    user.open("/clients").see("Sign in");
    assert_eq!(app.sign_in(&app.people.standard).path(), "/sign-in");
    assert_eq!(admin.post(&format!("{path}/link"), &[]).status, 422, "no link for a disabled account");
    admin.open(&path).press("Enable").see("User enabled.").see("Active");
    app.sign_in(&app.people.standard).open("/clients").see("Alder Savings");
    assert_eq!((app.events("user.disabled"), app.events("user.enabled")), (1, 1));
}

#[test]
fn a_locked_account_is_shown_and_unlocked() {
    let app = TestApp::spawn();
    let mut stranger = app.visitor();
    for _ in 0..5 {
        stranger.post("/sign-in", &[("email", &app.people.standard.email), ("password", "not the password")]);
    }
    let mut admin = app.browser(&app.people.administrator);
    admin
        .open(&format!("/admin/users/{}", app.people.standard.id))
        .see("Locked until")
        .press("Unlock")
        .see("Account unlocked.");
    admin.see_not("Locked until");
    app.sign_in(&app.people.standard).open("/account").see("Sam Rook");
    assert_eq!(app.events("session.unlocked"), 1);
}

#[test]
fn a_deleted_user_leaves_their_name_and_nothing_else() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut user = app.browser(&app.people.standard);
    user.open(&e.procedure_path(0)).fill("Attack source", "10.0.0.5").press("Save").expect(200);
    let mut admin = app.browser(&app.people.administrator);
    admin
        .open(&format!("/admin/users/{}", app.people.standard.id))
        .click("Delete")
        .expect(200)
        .see("The name stays readable");
    admin.press("Delete user").expect(200).see(&format!("“{SAM}” is deleted.")).see_not("sam.rook@");
    user.open("/clients").see("Sign in");
    app.browser(&app.people.lead).open(&format!("{}?open=activity", e.path())).see("Sam Rook");
    assert_eq!(
        app.count(&format!(
            "SELECT count(*) FROM client_access WHERE person_id = '{}'",
            app.people.standard.id
        )),
        0
    );
    // The address is free again.
    admin
        .open("/admin/users/new")
        .fill("Name", "Sam Rook")
        .fill("E-mail", &app.people.standard.email)
        .press("Create and make the link")
        .expect(200);
}

#[test]
fn users_are_found_and_exported() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/users?q=rook").expect(200).see("Sam Rook").see_not("Lea Winter");
    admin
        .open(&format!("/admin/users?client={}", app.clients.foreign))
        .see("Otis Farr")
        .see_not("Lea Winter");
    admin.open(&format!("/admin/users?role={}", role(&app, "auditor"))).see("Abe Stone").see_not("Otis Farr");
    admin.open("/admin/users?two_factor=with").see("Nobody found");
    let csv = admin.get("/admin/users.csv?two_factor=without&q=rook");
    assert!(csv.header("content-disposition").contains("users.csv"));
    let text = csv.text();
    assert_eq!(text.lines().count(), 2);
    let line = format!("{},sam.rook@tyrian.example,Standard User,1,Active,,no", quoted(SAM));
    assert!(text.contains(&line), "{text}");
    assert_eq!(app.events("users.exported"), 1);
}

#[test]
fn a_user_that_two_people_edit_keeps_what_the_second_typed() {
    let app = TestApp::spawn();
    let path = format!("/admin/users/{}", app.people.standard.id);
    let mut a = app.browser(&app.people.administrator);
    a.open(&path).expect(200);
    let mut form = fields_of(a.html(), "form[data-guard]");
    form.insert("name".into(), "Sam Rook the first".into());
    assert_eq!(post(&mut a, &path, &form).status, 303);
    form.insert("name".into(), "Sam Rook the second".into());
    let late = post(&mut a, &path, &form);
    assert_eq!(late.status, 409);
    assert!(late.text().contains("Sam Rook the second"));
    form.insert("version".into(), "2".into());
    form.insert("email".into(), app.people.lead.email.clone());
    assert_eq!(post(&mut a, &path, &form).status, 422, "an address belongs to one account");
    let strange =
        a.post(&path, &[("name", "x"), ("email", "x@y.example"), ("version", "2"), ("status", "active")]);
    assert_eq!(strange.status, 422, "a field that the form does not have");
}

#[test]
fn roles_are_copied_changed_and_deleted_when_nobody_holds_them() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let built_in = role(&app, "standard_user");
    assert_eq!(
        admin.post(&format!("/admin/roles/{built_in}"), &[("name", "Mine"), ("version", "1")]).status,
        303,
        "its name is no field"
    );
    assert_eq!(app.texts(&format!("SELECT name FROM roles WHERE id = '{built_in}'")), ["Standard User"]);
    admin.open(&format!("/admin/roles/new?copy={built_in}")).expect(200);
    assert_eq!(admin.value("Name"), "Copy of Standard User");
    admin.fill("Name", "Red operator").press("Save").expect(200).see("Role created.");
    let path = admin.path().to_owned();
    let copied = "SELECT count(*) FROM role_permissions WHERE role_id = ";
    let id: RoleId = path.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(app.count(&format!("{copied} '{id}'")), app.count(&format!("{copied} '{built_in}'")));
    admin
        .open("/admin/roles/new")
        .fill("Name", "red OPERATOR")
        .press("Save")
        .expect(422)
        .see("Another role has this name.");
    let unknown = admin.post("/admin/roles/new", &[("name", "Strange"), ("permission", "rule.all")]);
    assert_eq!(unknown.status, 422);
    assert!(unknown.text().contains("not known"));
    // Given to somebody, it acts on the next click and cannot be deleted.
    let person = app.people.bare.id;
    let role_id = id.to_string();
    assert_eq!(
        admin
            .post(
                "/admin/access",
                &[
                    ("person", &person.to_string()),
                    ("client", &app.clients.own.to_string()),
                    ("role", &role_id)
                ]
            )
            .status,
        303
    );
    let mut bare = app.browser(&app.people.bare);
    bare.open("/engagements/new").expect(200);
    let refused = admin.post(&format!("{path}/delete"), &[]);
    assert_eq!(refused.status, 422);
    admin.open(&path).expect(200);
    let mut form: Vec<(String, String)> =
        vec![("name".into(), "Red operator".into()), ("version".into(), "1".into())];
    form.push(("permission".into(), "engagement.read".into()));
    let typed: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(admin.post(&path, &typed).status, 303);
    assert_eq!(bare.get("/engagements/new").status, 403, "a right taken away acts on the next click");
    let removal = format!("/admin/access/{person}/{}/removal", app.clients.own);
    admin.open(&removal).expect(200).press("Take access").expect(200).see("no longer sees");
    admin.open(&path).click("Delete").press("Delete role").expect(200).see("“Red operator” is deleted.");
    assert_eq!(
        // Five come with the product, one with the fixtures.
        (app.events("role.created") - 6, app.events("role.updated"), app.events("role.deleted")),
        (1, 1, 1)
    );
}

#[test]
fn nobody_reaches_rights_that_they_lack_through_users_or_roles() {
    let app = TestApp::spawn();
    // A help desk: it keeps users and roles, and nothing else.
    let mut admin = app.browser(&app.people.administrator);
    let desk =
        ["user.manage", "user.read", "role.manage", "role.read", "library.read"].map(|p| ("permission", p));
    let form: Vec<(&str, &str)> = [("name", "Help desk")].into_iter().chain(desk).collect();
    assert_eq!(admin.post("/admin/roles/new", &form).status, 303);
    let desk = app.texts("SELECT id FROM roles WHERE name = 'Help desk'").remove(0);
    let helper = format!("/admin/users/{}", app.people.bare.id);
    let standard = role(&app, "standard_user");
    assert_eq!(admin.post(&format!("{helper}/roles"), &[("role", &desk), ("had", &standard)]).status, 303);
    let mut helper_browser = app.browser(&app.people.bare);
    let administrator = format!("/admin/users/{}", app.people.administrator.id);
    for act in ["link", "disable", "delete", "sessions", "two-factor"] {
        assert_eq!(helper_browser.post(&format!("{administrator}/{act}"), &[]).status, 403, "{act}");
    }
    assert_eq!(
        helper_browser
            .post(&administrator, &[("name", "A"), ("email", "mine@tyrian.example"), ("version", "1")])
            .status,
        403
    );
    assert_eq!(
        helper_browser.post(&format!("{helper}/roles"), &[("role", &role(&app, "administrator"))]).status,
        403
    );
    let wider =
        helper_browser.post("/admin/roles/new", &[("name", "Wider"), ("permission", "audit_log.read")]);
    assert_eq!(wider.status, 422);
    assert!(wider.text().contains("You do not hold this right yourself"));
    let member = format!("/admin/users/{}/link", app.people.custom.id);
    assert_eq!(
        helper_browser.post(&member, &[]).status,
        403,
        "whoever becomes somebody else sees their clients"
    );
    let typed = [("name", "Zoe Quay"), ("email", "zoe@tyrian.example")];
    assert_eq!(helper_browser.post("/admin/users/new", &typed).status, 200);
    let zoe = app.texts("SELECT id FROM people WHERE name = 'Zoe Quay'").remove(0);
    let link = format!("/admin/users/{zoe}/link");
    assert_eq!(helper_browser.post(&link, &[]).status, 200, "who may do less is theirs to help");
}

#[test]
fn access_says_who_gave_it_and_is_exported() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let (person, client) = (app.people.bare.id.to_string(), app.clients.own.to_string());
    assert_eq!(
        admin
            .post(
                "/admin/access",
                &[("person", &person), ("client", &client), ("role", &role(&app, "analyst"))]
            )
            .status,
        303
    );
    let refused = admin.post("/admin/access", &[("person", &person), ("client", ""), ("role", "")]);
    assert_eq!(refused.status, 422);
    admin.open(&format!("/admin/access?client={client}&q=plain")).expect(200);
    let shown = admin.texts("#results").join(" ");
    assert!(
        ["Ben Plain", "Analyst", "Ada Marlow"].iter().all(|word| shown.contains(word))
            && !shown.contains("Lea Winter"),
        "{shown}"
    );
    let csv = admin.get("/admin/access.csv?q=plain").text();
    let [own, ben, ada] = [OWN, BEN, ADA].map(quoted);
    assert!(csv.contains(&format!("{own},{ben},ben.plain@tyrian.example,Analyst,{ada},2026-")), "{csv}");
    app.browser(&app.people.auditor)
        .open("/admin/access")
        .expect(200)
        .see("Ben Plain")
        .see_not("Give access");
    app.browser(&app.people.lead).open(&format!("/clients/{client}")).see("Ben Plain").see("Ada Marlow");
    assert_eq!(
        admin
            .post(
                "/admin/access",
                &[("person", &person), ("client", &client), ("role", &role(&app, "team_lead"))]
            )
            .status,
        303
    );
    assert_eq!(app.events("access.changed"), 1);
    // An administrator may give themselves access, and that is an event like any other.
    let own = app.people.administrator.id.to_string();
    assert_eq!(admin.get(&format!("/clients/{client}")).status, 404);
    assert_eq!(
        admin
            .post(
                "/admin/access",
                &[("person", &own), ("client", &client), ("role", &role(&app, "administrator"))]
            )
            .status,
        303
    );
    assert_eq!(admin.get(&format!("/clients/{client}")).status, 200);
    assert_eq!(app.events("access.given") - 7, 2);
}

#[test]
fn settings_are_checked_saved_and_act() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/settings").expect(200);
    let good = fields_of(admin.html(), "main form");
    for (field, bad) in [
        ("time_zone", "Mars/Base"),
        ("idle_minutes", "4"),
        ("idle_minutes", "soon"),
        ("organisation_name", " "),
        ("two_factor_rule", "nobody"),
        ("write_rule", "x"),
    ] {
        let mut form = good.clone();
        form.insert(field.into(), bad.into());
        let answer = post(&mut admin, "/admin/settings", &form);
        assert_eq!(answer.status, 422, "{field}={bad}");
    }
    let mut form = good.clone();
    form.insert("organisation_name".into(), "Quillfen Foods".into());
    form.insert("idle_minutes".into(), "10".into());
    form.insert("time_zone".into(), "Europe/Lisbon".into());
    assert_eq!(post(&mut admin, "/admin/settings", &form).status, 303);
    assert_eq!(post(&mut admin, "/admin/settings", &form).status, 303, "nothing changed is no conflict");
    form.insert("idle_minutes".into(), "20".into());
    assert_eq!(post(&mut admin, "/admin/settings", &form).status, 409, "a stale form");
    assert_eq!(app.events("settings.changed"), 1);
    let told = app.texts("SELECT sentence FROM audit.events WHERE kind = 'settings.changed'");
    assert_eq!(
        told,
        ["Changed the settings: organisation name Tyrian → Quillfen Foods, time zone UTC → Europe/Lisbon, \
            idle minutes 30 → 10"]
    );
    app.pass(chrono::TimeDelta::minutes(11));
    admin.open("/admin/settings").see("Sign in");
}

#[test]
fn outcome_lists_grow_and_retire() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut admin = app.browser(&app.people.administrator);
    let mut red = app.browser(&app.people.standard);
    // A flag has one name, in the lists and in the form for another.
    admin.open("/admin/settings");
    let names = |css: &str| {
        let mut names: Vec<String> = admin.texts(css);
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(names("#new-outcome fieldset .check"), names("#outcomes .flags .check"));
    assert_eq!(admin.texts("#new-outcome .of-red .check").len(), 4);
    assert_eq!(admin.texts("main .button.primary").len(), 1);
    red.open(&e.procedure_path(0))
        .choose("red_outcome", "Failed (no control involved)")
        .press("Save")
        .expect(200);
    assert_eq!(
        admin
            .post(
                "/admin/settings/outcomes/failed",
                &[("label", "Failed"), ("definition", "It did not work.")]
            )
            .status,
        303
    );
    assert_eq!(
        admin
            .post(
                "/admin/settings/outcomes",
                &[("team", "red"), ("label", "Ran by chance"), ("succeeded", "1")]
            )
            .status,
        303
    );
    assert_eq!(
        admin.post("/admin/settings/outcomes", &[("team", "red"), ("label", "ran BY chance")]).status,
        422
    );
    red.open(&e.procedure_path(0)).expect(200);
    let offered = red.texts("#red_outcome option");
    assert!(
        offered.contains(&"Ran by chance".to_owned()) && offered.contains(&"Failed".to_owned()),
        "the held one stays: {offered:?}"
    );
    let mut other = app.engagement(1);
    other.title.clear();
    red.open(&other.procedure_path(0));
    assert!(!red.texts("#red_outcome option").contains(&"Failed".to_owned()), "a retired one is not offered");
    let chance = app.texts("SELECT key FROM outcomes WHERE label = 'Ran by chance'").remove(0);
    for key in ["success", "partial_success", "blocked_by_control", "not_attempted"] {
        assert_eq!(admin.post(&format!("/admin/settings/outcomes/{key}"), &[("label", key)]).status, 303);
    }
    assert_eq!(
        admin.post(&format!("/admin/settings/outcomes/{chance}"), &[("label", "Ran by chance")]).status,
        422,
        "one must be left"
    );
}

#[test]
fn a_reset_link_ends_sessions_and_asks_the_second_factor() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    let mut user = app.sign_in(person);
    user.open("/account/two-factor").expect(200);
    let secret = tyrian::accounts::two_factor::TotpSecret::from_words(&user.texts("#words")[0]).unwrap();
    user.fill("Code", &secret.code_at(app.clock.now().timestamp())).press("Set up").expect(200);
    let mut admin = app.browser(&app.people.administrator);
    admin
        .open(&format!("/admin/users/{}", person.id))
        .press("Make a link for a new password")
        .expect(200)
        .see("New password for Sam Rook");
    let link = link_on(&admin);
    app.pass(chrono::TimeDelta::seconds(60));
    let mut b = app.visitor();
    b.open(&link).fill("Password", "another long sentence").press("Set password");
    assert_eq!(b.path(), "/sign-in/code", "a link alone does not get past the second factor");
    user.open("/account").see("Sign in");
    b.fill("Code", &secret.code_at(app.clock.now().timestamp())).press("Sign in").expect(200);
    assert_eq!(
        app.visitor().post("/sign-in", &[("email", &person.email), ("password", PASSWORD)]).status,
        422
    );
    admin = app.browser(&app.people.administrator);
    admin
        .open(&format!("/admin/users/{}", person.id))
        .click("Reset second factor")
        .press("Reset second factor")
        .see("The second factor is reset.");
    assert_eq!(app.events("two_factor.reset"), 1);
}

#[test]
fn both_outcome_lists_are_saved_at_once() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    admin.open("/admin/settings").expect(200);
    let form = fields_of(admin.html(), "#outcomes");
    assert!(form.contains_key("label.logged") && form.contains_key("score.logged"), "{form:?}");
    admin.fill("Score of Logged, 0 to 100", "35").fill("Name of Failed (no control involved)", "Failed");
    admin.press("Move Partial Success up").expect(200).see("The new order is not saved yet.");
    assert_eq!(admin.value("Score of Logged, 0 to 100"), "35", "what was typed stays");
    assert_eq!(
        app.count("SELECT score::bigint FROM outcomes WHERE key = 'logged'"),
        30,
        "nothing is saved yet"
    );
    admin.press("Save outcome lists").expect(200).see("Outcome lists saved.");
    assert_eq!(
        app.texts("SELECT key FROM outcomes WHERE team = 'red' ORDER BY position LIMIT 2"),
        ["partial_success", "success"]
    );
    assert_eq!(
        app.texts("SELECT sentence FROM audit.events WHERE kind = 'outcomes.changed' ORDER BY id"),
        [
            "Changed the red outcome Failed: label Failed (no control involved) → Failed",
            "Put the red outcomes into another order",
            "Changed the blue outcome Logged: score 30 → 35",
        ]
    );
    admin.press("Save outcome lists").expect(200).see("Nothing changed.");

    admin
        .fill("Score of Logged, 0 to 100", "101")
        .press("Save outcome lists")
        .expect(422)
        .see("from 0 to 100");
    admin.fill("Score of Logged, 0 to 100", "35").fill("Name of Logged", "No evidence");
    admin.press("Save outcome lists").expect(422).see("has an outcome “No Evidence” already");

    // Two outcomes take each other's names.
    admin.open("/admin/settings").fill("Name of Failed", "Success").fill("Name of Success", "Failed");
    admin.press("Save outcome lists").expect(200).see("Outcome lists saved.");
    assert_eq!(
        app.texts("SELECT label FROM outcomes WHERE key IN ('failed', 'success') ORDER BY key"),
        ["Success", "Failed"]
    );

    // Somebody else was quicker: told, and what was typed stays.
    let mut other = app.browser(&app.people.administrator);
    admin.open("/admin/settings").fill("Score of Logged, 0 to 100", "40");
    other.open("/admin/settings").fill("Score of No Evidence, 0 to 100", "5").press("Save outcome lists");
    admin.press("Save outcome lists").expect(200).see("Outcome lists saved.");
    let scores = "SELECT score FROM outcomes WHERE key IN ('logged', 'no_evidence') ORDER BY key";
    assert_eq!(app.texts(scores), ["40", "5"], "each changed what they changed");
    // The same one: told what the other saved, and saved over it only by who has seen that.
    admin.open("/admin/settings").fill("Score of Logged, 0 to 100", "41");
    other.open("/admin/settings").fill("Score of Logged, 0 to 100", "42").press("Save outcome lists");
    admin.press("Save outcome lists").expect(409).see("They have Score of logged: “42”.");
    assert_eq!(admin.value("Score of Logged, 0 to 100"), "41");
    admin.press("Save outcome lists").expect(200);
    assert_eq!(app.texts(scores), ["41", "5"]);
}

/// Two administrators have one form open.
#[test]
fn what_two_save_in_one_form_is_brought_together() {
    let app = TestApp::spawn();
    let people = &app.people;
    let pair = || (app.browser(&people.administrator), app.browser(&people.administrator));
    let (mut a, mut b) = pair();
    let user = format!("/admin/users/{}", people.standard.id);
    b.open(&user);
    a.open(&user).fill("Name", "Ada Rook").press("Save").expect(200);
    b.fill("E-mail", "ada@tyrian.example").press("Save").expect(200).see("User saved.");
    let said = format!("SELECT name || ' ' || email FROM people WHERE id = '{}'", people.standard.id);
    assert_eq!(app.texts(&said), ["Ada Rook ada@tyrian.example"]);
    b.open(&user).fill("Name", "Ada B");
    a.open(&user).fill("Name", "Ada A").press("Save").expect(200);
    b.press("Save").expect(409).see("They have Name: “Ada A”. What you typed stands in the form");
    assert_eq!(b.value("Name"), "Ada B");
    // A third save between asks again.
    a.open(&user).fill("Name", "Ada C").press("Save").expect(200);
    b.press("Save").expect(409).see("They have Name: “Ada C”.");
    b.press("Save").expect(200).see("User saved.");
    assert_eq!(app.texts(&said), ["Ada B ada@tyrian.example"]);

    b.open("/admin/settings");
    a.open("/admin/settings").fill("Organisation", "Quillfen Foods").press("Save settings").expect(200);
    b.fill("Classification of reports", "For their eyes")
        .press("Save settings")
        .expect(200)
        .see("Settings saved.");
    let said = "SELECT organisation_name || ' ' || classification FROM settings";
    assert_eq!(app.texts(said), ["Quillfen Foods For their eyes"]);
    b.open("/admin/settings").fill("Organisation", "Theirs").check("Legal hold");
    a.open("/admin/settings").fill("Organisation", "Ours").press("Save settings").expect(200);
    b.press("Save settings").expect(409).see("They have Organisation: “Ours”.");
    b.press("Save settings").expect(200);
    assert_eq!(app.texts("SELECT organisation_name || legal_hold::text FROM settings"), ["Theirstrue"]);

    let id = app.texts("SELECT id FROM roles WHERE NOT built_in ORDER BY name LIMIT 1").remove(0);
    let role = format!("/admin/roles/{id}");
    let form = |browser: &mut Browser| {
        browser.open(&role);
        let held = |name: &str| browser.attribute(&format!("[name={name}]"), "value").unwrap();
        (held("version"), held("shown"))
    };
    let names = format!("SELECT permission FROM role_permissions WHERE role_id = '{id}' ORDER BY permission");
    let before = app.texts(&names);
    let (first, second) = (form(&mut a), form(&mut b));
    let post = |browser: &mut Browser, (version, shown): &(String, String), more: &str, description: &str| {
        let mut fields = vec![("name", "Shared"), ("description", description), ("version", version)];
        fields.push(("shown", shown));
        fields.extend(before.iter().map(|right| ("permission", right.as_str())));
        fields.push(("permission", more));
        browser.post(&role, &fields).status
    };
    let new: Vec<&str> = ["user.read", "access.read", "job.run", "setting.manage"]
        .into_iter()
        .filter(|right| before.iter().all(|held| held != right))
        .collect();
    assert_eq!(post(&mut a, &first, new[0], ""), 303);
    assert_eq!(post(&mut b, &second, new[1], ""), 303);
    let held = app.texts(&names);
    assert!(held.contains(&new[0].to_owned()) && held.contains(&new[1].to_owned()), "{held:?}");
    assert_eq!(held.len(), before.len() + 2);
    // A save that meets another is no right that was missing.
    let third = form(&mut b);
    a.open(&role).fill("Description", "One").press("Save").expect(200);
    b.open(&role);
    assert_eq!(post(&mut b, &third, new[0], "Two"), 409);
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE category = 'refused'"), 0);
}
