//! The first hour of an installation and of its people: what is still to be done, who comes in how, and what
//! a page says where nothing is there yet.

use tyrian::lifecycle::domain::EngagementStatus;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::fixtures::{OWN, PASSWORD, Plan};

fn role(app: &TestApp, key: &str) -> String {
    app.texts(&format!("SELECT id FROM roles WHERE key = '{key}'")).remove(0)
}

/// An installation with its first administrator, who came by the set-up link.
fn fresh() -> (TestApp, Browser) {
    let app = TestApp::spawn_empty();
    let link = tyrian::accounts::pages::sign_in::make_link(
        &app.app,
        tyrian::accounts::domain::LinkPurpose::FirstAdministrator,
        None,
        1,
    )
    .unwrap();
    let mut ada = app.visitor();
    ada.open(&link[link.find("/link/").unwrap()..]).fill("Name", "Ada Boss").fill("E-mail", "ada@t.example");
    ada.fill("Password", PASSWORD).press("Create account").expect(200);
    (app, ada)
}

#[test]
fn the_first_administrator_is_led_through_the_first_hour() {
    let (app, mut ada) = fresh();
    ada.open("/").see("The first hour 0 of 6").see("No client yet").see("becomes its first member");
    assert!(!ada.text().contains("An administrator gives it"), "she is the administrator");
    for entry in ["Engagements", "Test Plans", "Schedule", "Reports", "Library", "Clients", "Administration"]
    {
        assert!(ada.texts("#nav a").iter().any(|label| label == entry), "{entry} is in the rail");
    }
    ada.open("/schedule").expect(200).open("/schedule/requests").expect(200);
    ada.open("/admin/access").see("No client yet").see_not("fits all of these filters");

    ada.open("/").click("New client").fill("Name", "Alder Savings").press("Create client").expect(200);
    assert_eq!(ada.get("/admin/audit-log/audit.pub").status, 200);
    ada.open("/").see("1 of 6").press("It is kept").expect(200).see("2 of 6");
    ada.open("/admin/settings").fill("Organisation", "Quillfen Foods").press("Save settings").expect(200);
    ada.open("/").see("3 of 6").see("Quillfen Foods");
    app.visitor().open("/sign-in").see("Quillfen Foods").see("Forgot your password");
    ada.open("/").press("Put away").expect(200).see_not("The first hour");
    let told = app.texts("SELECT sentence FROM audit.events WHERE category = 'settings' ORDER BY id");
    assert!(told.contains(&"Noted that a copy of audit.pub is kept elsewhere".to_owned()), "{told:?}");
    assert!(told.contains(&"Put the checklist of the first hour away".to_owned()), "{told:?}");
}

#[test]
fn an_administrator_brings_a_colleague_in_with_access_in_two_loads() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let mut loads = 0;
    admin.open("/admin/users/new").expect(200);
    loads += 1;
    admin.fill("Name", "Nia Berg").fill("E-mail", "nia@tyrian.example").check("Standard User");
    admin.choose("First client", OWN).choose("Role there", "Standard User");
    admin.press("Create and make the link").expect(200).see("Invitation for Nia Berg");
    loads += 1;
    assert!(loads <= 2, "{loads} page loads");
    let link = admin.texts("#link").remove(0);
    let mut nia = app.visitor();
    nia.open(&link[link.find("/link/").unwrap()..]).fill("Password", "a long enough sentence");
    nia.press("Set password").expect(200);
    nia.open("/clients").see(OWN);
}

#[test]
fn a_lead_staffs_her_own_client_and_gives_no_more_than_she_holds() {
    let app = TestApp::spawn();
    let mut lead = app.sign_in(&app.people.lead);
    lead.open("/clients/new").fill("Name", "Harbour Lights").press("Create client").expect(200);
    let path = lead.path().to_owned();
    let client = path.rsplit('/').next().unwrap().to_owned();
    lead.open(&path).click("Give access").expect(200);
    let (standard, second) = (&app.people.standard, &app.people.second);
    lead.choose("Person", &standard.name).check("Standard User").press("Give access").expect(200);
    lead.see(&standard.name);
    app.browser(standard).open(&path).expect(200);

    // Once given, the role is an administrator's to change; and nobody else's client is hers.
    let give = |b: &mut Browser, client: &str, person: &str, role: &str| {
        b.post(&format!("/clients/{client}/access"), &[("person", person), ("role", role)]).status
    };
    let (analyst, admin_role) = (role(&app, "analyst"), role(&app, "administrator"));
    assert_eq!(give(&mut lead, &client, &standard.id.to_string(), &analyst), 422);
    let foreign = app.clients.foreign.to_string();
    assert_eq!(give(&mut lead, &foreign, &second.id.to_string(), &analyst), 404);
    // Whoever may do little gives nothing.
    let mut worker = app.sign_in(standard);
    assert_eq!(give(&mut worker, &client, &second.id.to_string(), &analyst), 403);
    // A role that may do more there than she is not offered, and not taken.
    let own = tyrian::kernel::authz::policy::ROLES.iter().find(|role| role.key == "analyst").unwrap();
    let own: tyrian::kernel::authz::policy::PermissionSet = own.permissions.iter().copied().collect();
    let refused = app.db.write_blocking(&tyrian::kernel::event::domain::Actor::system(), |tx| {
        tyrian::accounts::access::store::give_within(
            tx,
            own,
            second.id,
            client.parse().unwrap(),
            admin_role.parse().unwrap(),
        )
    });
    assert!(refused.is_err());
    assert_eq!(
        app.texts("SELECT sentence FROM audit.events WHERE kind = 'access.given' ORDER BY id DESC LIMIT 1"),
        [format!("Gave {} access to Harbour Lights as Standard User", standard.name)]
    );
}

#[test]
fn an_edited_team_lead_keeps_its_rights_through_the_migration() {
    // The migration itself, over a role that was never edited and one that was.
    let up = include_str!("../../migrations/2026-11-28-000015_access_give/up.sql");
    for (version, has) in [(1, 1), (2, 0)] {
        let app = TestApp::spawn();
        use diesel::connection::SimpleConnection;
        let mut owner = app.owner();
        owner
            .batch_execute(&format!(
                "ALTER TABLE role_permissions DISABLE TRIGGER audited;
                 ALTER TABLE roles DISABLE TRIGGER audited;
                 DELETE FROM role_permissions WHERE permission = 'access.give';
                 UPDATE roles SET version = {version} WHERE key = 'team_lead';
                 ALTER TABLE role_permissions ENABLE TRIGGER audited;
                 ALTER TABLE roles ENABLE TRIGGER audited;"
            ))
            .unwrap();
        owner.batch_execute(&format!("BEGIN; {up} COMMIT;")).unwrap();
        let held = app.count(
            "SELECT count(*) FROM role_permissions p JOIN roles r ON r.id = p.role_id
             WHERE r.key = 'team_lead' AND p.permission = 'access.give'",
        );
        assert_eq!(held, has, "version {version}");
        assert_eq!(app.events("role.updated"), has, "told where it was given");
    }
}

#[test]
fn assets_are_pasted_as_lines_and_a_bad_line_loses_nothing() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    let client = app.clients.own;
    lead.open(&format!("/clients/{client}#assets")).click("Paste lines").expect(200);
    let pasted = "paste01, Server, High, 10.20.1.10\npaste02, Toaster\npaste03";
    lead.fill("Assets", pasted).press("Create assets").expect(422);
    lead.see("Nothing was created").see("“Toaster” is no kind");
    assert_eq!(lead.value("Assets"), pasted);
    assert_eq!(app.count("SELECT count(*) FROM assets WHERE name LIKE 'paste%'"), 0);
    lead.press("Create the 2 that are fine").expect(422).see("2 assets created");
    assert_eq!(lead.value("Assets"), "paste02, Toaster");
    lead.fill("Assets", "paste02, application").press("Create assets").expect(200).see("1 asset created.");
    assert_eq!(
        app.texts(
            "SELECT name || ' ' || kind || ' ' || criticality FROM assets WHERE name LIKE 'paste%' ORDER BY 1"
        ),
        ["paste01 server high", "paste02 application medium", "paste03 general medium"]
    );
    assert_eq!(
        app.count(
            "SELECT count(*) FROM audit.events WHERE kind = 'asset.created' AND sentence LIKE '%paste%'"
        ),
        3
    );
}

#[test]
fn a_request_is_approved_as_asked_on_one_page() {
    let app = TestApp::spawn();
    let mut lead = app.browser(&app.people.lead);
    lead.open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", "As it is")
        .fill("start_date", "2026-11-25");
    lead.press("Send request").expect(200);
    let id = app.texts("SELECT id FROM engagements WHERE title = 'As it is'").remove(0);
    lead.open(&format!("/engagements/{id}/approval")).see("Approve as asked").press("Approve as asked");
    lead.expect(200);
    assert_eq!(app.texts("SELECT status FROM engagements WHERE title = 'As it is'"), ["scheduled"]);

    // A start that has passed is asked about on the same page.
    lead.open("/schedule/request")
        .choose("Client", OWN)
        .fill("Title", "Past")
        .fill("start_date", "2026-11-18");
    lead.press("Send request").expect(200);
    let id = app.texts("SELECT id FROM engagements WHERE title = 'Past'").remove(0);
    lead.open(&format!("/engagements/{id}/approval")).see("It started 2 days ago");
    lead.check("It started 2 days ago").press("Approve as asked").expect(200);
    assert_eq!(app.texts("SELECT status FROM engagements WHERE title = 'Past'"), ["in_progress"]);
}

#[test]
fn the_password_page_names_what_comes_next() {
    let app = TestApp::spawn();
    let mut admin = app.sign_in(&app.people.administrator);
    app.pass(chrono::TimeDelta::minutes(16));
    let person = &app.people.second;
    admin.open(&format!("/admin/users/{}/delete", person.id));
    assert!(admin.path().starts_with("/account/proof"), "{}", admin.path());
    admin.see("deleting a user").see(&person.name);
}

#[test]
fn the_dashboard_groups_what_waits_by_engagement() {
    let app = TestApp::spawn();
    let e = app.engagement(3);
    let mut red = app.browser(&app.people.standard);
    red.open("/").expect(200);
    let rows = red.texts("tr:has(.queue)");
    assert_eq!(rows.len(), 1, "one engagement, one row: {rows:?}");
    assert!(rows[0].contains("3 on red") && rows[0].contains("Continue"), "{rows:?}");
    assert!(red.has("tr:has(.queue) .pill"), "with its status");
    let href = red.attribute("tr:has(.queue) td.actions a", "href").unwrap();
    assert_eq!(href, format!("{}?queue=mine", e.procedure_path(0)));
}

#[test]
fn whoever_reads_the_whole_log_sees_what_to_watch() {
    let app = TestApp::spawn();
    let person = &app.people.standard;
    app.visitor().post("/sign-in", &[("email", person.email.as_str()), ("password", "not the password")]);
    let mut auditor = app.browser(&app.people.auditor);
    auditor.open("/").expect(200).see("Security, last 7 days").see("Failed sign-ins 1").see("Jobs");
    auditor.see("Sign-in for Sam Rook").see("failed: wrong credentials");
    assert!(!auditor.has("#nav a[href='/schedule']"), "no client's data is hers, now or later");
    auditor.see_not("No client");
    app.browser(&app.people.lead).open("/").see_not("Security, last 7 days");
}

#[test]
fn manage_operators_starts_from_those_who_work_on_it() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = format!("{}/operators", e.procedure_path(0));
    let mut lead = app.browser(&app.people.lead);
    lead.open(&path).expect(200);
    let ticked = lead.html().matches(" checked").count();
    let operators = app.count("SELECT count(*) FROM engagement_operators");
    assert_eq!(ticked as i64, operators, "the engagement's are ticked");
    lead.press("Save").expect(200);
    assert_eq!(
        app.count("SELECT count(*) FROM procedure_operators"),
        0,
        "left alone they stay the engagement's"
    );
    let (second, standard) = (app.people.second.id.to_string(), app.people.standard.id.to_string());
    let fields = [
        ("inherits", "red"),
        ("had_red", standard.as_str()),
        ("red", standard.as_str()),
        ("red", second.as_str()),
    ];
    assert_eq!(lead.post(&path, &fields).status, 303);
    assert_eq!(
        app.count("SELECT count(*) FROM procedure_operators WHERE team = 'red'"),
        2,
        "with one more they are all its own"
    );
}

#[test]
fn the_wizard_names_its_client_and_who_lacks_access() {
    let app = TestApp::spawn();
    let mut lead = app.sign_in(&app.people.lead);
    lead.open("/clients/new").fill("Name", "Harbour Lights").press("Create client").expect(200);
    lead.open("/engagements/new").choose("Client", "Harbour Lights").press("Next").expect(200);
    assert_eq!(lead.texts("header.top .sub"), ["for Harbour Lights"]);
    lead.see("Not here? People without access:").see("Give access");
    // Bookings are told for dates, and without any there are none.
    lead.see("no dates yet").see_not("Clash:");
    lead.fill("start_date", "2026-12-04").fill("end_date", "2026-12-02").press("Next").expect(422);
    lead.see("no dates yet");
}

#[test]
fn changed_dates_tell_of_new_clashes_and_finalize_repeats_them() {
    let app = TestApp::spawn();
    let day = |text: &str| Some(text.parse().unwrap());
    let booked = |title, start| {
        let plan = Plan { title, procedures: 0, status: EngagementStatus::Scheduled, start };
        app.plan(app.clients.own, &plan)
    };
    booked("Winter drill", day("2026-12-10"));
    let moved = booked("Spring drill", day("2026-12-20"));
    let mut lead = app.sign_in(&app.people.lead);
    lead.open(&format!("{}/edit", moved.path()))
        .fill("start_date", "2026-12-09")
        .fill("end_date", "2026-12-11");
    lead.press("Save").expect(200).see("Details saved. Clashes in the new dates:").see(": Winter drill");
    lead.open(&format!("{}/edit", moved.path())).fill("Tags", "cold").press("Save").expect(200);
    lead.see_not("Clashes in the new dates");

    lead.open("/engagements/new").choose("Client", OWN).press("Next").expect(200);
    lead.fill("Title", "Third").fill("start_date", "2026-12-10").fill("end_date", "2026-12-10");
    let box_of = format!("{} on the red team", app.people.standard.name);
    lead.check(&box_of).press("Next").expect(200).press("Next").expect(200);
    assert!(lead.text().contains("Clashes"), "Finalize says it again");
    lead.see(": Spring drill").see(": Winter drill");
}
