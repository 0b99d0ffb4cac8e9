//! What somebody found who attacked the product, played again: each test names the number under which it was
//! found. The database role's attacks are in `kernel::app_role`, those on forms in `kernel::forms`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use tyrian::accounts::two_factor::TotpSecret;
use tyrian::kernel::db::embedded::{Cluster, Durability, OWNER};
use tyrian::kernel::event::domain::Actor;

use crate::harness::app::start;
use crate::harness::browser::Browser;
use crate::harness::database::{connect, scratch};
use crate::harness::fixtures::PASSWORD;
use crate::harness::process::Process;
use crate::harness::{TestApp, texts};

/// A request as bytes, for what no client of ours would send; the whole answer.
fn raw(base: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    // A server that refuses early may close before everything is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn role(app: &TestApp, key: &str) -> String {
    app.texts(&format!("SELECT id FROM roles WHERE key = '{key}'")).remove(0)
}

fn link_on(b: &Browser) -> String {
    let address = b.texts("#link").remove(0);
    address[address.find("/link/").expect("a link")..].to_owned()
}

/// M8: forms with files.
#[test]
fn a_form_with_files_takes_each_name_once_and_no_more_text_than_is_said() {
    let app = TestApp::spawn();
    let mut analyst = app.browser(&app.people.analyst);
    let multipart = |parts: &[(&str, String)]| {
        let mut body = String::new();
        for (name, value) in parts {
            body.push_str(&format!(
                "--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str("--x--\r\n");
        body
    };
    let mut send = |parts: &[(&str, String)]| {
        let body = multipart(parts);
        analyst.send(
            "POST",
            "/schedule/request",
            &[("content-type", "multipart/form-data; boundary=x")],
            body.as_bytes(),
        )
    };
    let many: Vec<_> = (0..40).map(|_| ("title", "x".repeat(1 << 20))).collect();
    let answer = send(&many);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("a field that does not belong to it"), "{}", answer.text());
    let long: Vec<_> =
        ["title", "objective", "scope"].iter().map(|name| (*name, "x".repeat(1 << 20))).collect();
    let answer = send(&long);
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("larger than 2 MiB"));
    assert_eq!(app.count("SELECT count(*) FROM engagements"), 0);
}

/// M12: entries without bound.
#[test]
fn a_log_is_bounded_and_a_page_shows_its_newest() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO log_entries (id, engagement_id, procedure_id, team, text, starts_at, author_id, \
             created_at, updated_at)
                SELECT gen_random_uuid(), '{}', '{}', 'blue', 'entry ' || lpad(n::text, 3, '0'), \
                timestamptz '2026-11-20' + n * interval '1 minute',
                    '{}', now(), now() FROM generate_series(1, 499) n",
            e.id, e.procedures[0], app.people.lead.id
        ))
        .unwrap();
    let mut b = app.browser(&app.people.blue_analyst);
    let path = e.procedure_path(0);
    b.open(&path)
        .expect(200)
        .see("entry 499")
        .see("entry 400")
        .see_not("entry 399")
        .see("Older entries (399)");
    b.click("Older entries (399)")
        .expect(200)
        .see("entry 399")
        .see("entry 300")
        .see_not("entry 299")
        .see_not("entry 400");
    b.see("Newest entries (100 newer)").click("Newest entries (100 newer)").see("entry 499");
    let mut timeline = app.browser(&app.people.lead);
    timeline
        .open(&format!("{}?open=timeline", e.path()))
        .see("entry 499")
        .see_not("entry 399")
        .click("Older entries (399)");
    timeline.see("entry 399").see_not("entry 499").see("Newest entries");
    timeline.open(&format!("{}?open=all", e.path())).see("entry 001").see("entry 499");
    let add = |b: &mut Browser, text: &str| {
        b.post(
            &format!("{path}/logs"),
            &[("team", "blue"), ("text", text), ("starts_at", "2026-11-20T09:00:00")],
        )
    };
    assert_eq!(add(&mut b, "the last one").status, 303);
    let refused = add(&mut b, "one too many");
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains("The log of this procedure is full")
            && refused.text().contains("one too many")
    );
    // By size as well, and then a page shows few.
    app.superuser()
        .batch_execute(
            "SET session_replication_role = replica; DELETE FROM log_entries WHERE text LIKE 'entry 0%';
             UPDATE log_entries SET text = text || repeat('word ', 12800) WHERE text LIKE 'entry 4%'",
        )
        .unwrap();
    assert_eq!(add(&mut b, "too long together").status, 422);
    let page = b.open(&path).expect(200).html().len();
    assert!(page < 2_500_000, "the page has {page} bytes");
    assert!(b.html().contains("entry 499") && !b.html().contains("entry 490"));
}

/// M12 and siblings: attachments, drafts and requests.
#[test]
fn attachments_drafts_and_requests_are_bounded_with_a_sentence() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO attachments (id, client_id, engagement_id, procedure_id, team, title, file_name, \
             media_type, size, sha256, uploaded_by, uploaded_at)
                SELECT gen_random_uuid(), '{}', '{}', '{}', 'blue', 'file ' || lpad(n::text, 3, '0'), 'x', \
                'text/plain', 1, sha256('x'), '{}',
                    timestamptz '2026-11-20' + n * interval '1 minute' FROM generate_series(1, 200) n;
             INSERT INTO drafts (person_id, subject_type, subject_id, tab, fields, updated_at)
                SELECT '{3}', 'procedure', gen_random_uuid(), 't', '{{}}', now() FROM generate_series(1, 199);
             INSERT INTO engagements (id, client_id, title, status, time_zone, attack_version, created_at, \
             requested_by, requested_at)
                SELECT gen_random_uuid(), '{0}', 'Asked', 'pending', 'UTC', '19.1', now(), '{3}', now() \
                FROM generate_series(1, 50)",
            app.clients.own, e.id, e.procedures[0], app.people.blue_analyst.id
        ))
        .unwrap();
    let mut b = app.browser(&app.people.blue_analyst);
    b.open(&path)
        .see("file 200")
        .see_not("file 100")
        .click("Older attachments (100)")
        .see("file 100")
        .see_not("file 101");
    let file =
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    let refused = b.send("POST", &format!("{path}/attachments?team=blue"), &kind, file.as_bytes());
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("A procedure holds 200 attachments"), "{}", refused.text());
    assert!(
        std::fs::read_dir(app.app.config.attachments().join("tmp"))
            .map_or(true, |mut left| left.next().is_none())
    );
    // An engagement lists them by the hundred too.
    let list = format!("{}?open=attachments", e.path());
    b.open(&list)
        .see("file 001")
        .see_not("file 101")
        .click("More attachments (100)")
        .see("file 101")
        .see("file 200")
        .see_not("file 100");
    b.click("First attachments").see("file 001");
    // And as many as their descriptions leave room for.
    app.superuser()
        .batch_execute(
            "SET session_replication_role = replica; UPDATE attachments \
            SET description = repeat('ab ', 21000) || 'the end'",
        )
        .unwrap();
    let page = b.open(&path).see("file 200").see_not("file 196").see("Older attachments (196)").html().len();
    assert!(page < 700_000, "{page}");
    let page = b.open(&list).see("ab ab").see_not("the end").html().len();
    assert!(page < 700_000, "{page}");

    let keep = |b: &mut Browser, tab: &str| {
        b.post(&format!("{path}/draft"), &[("version", "1"), ("blue_notes", "x"), ("tab", tab)])
    };
    assert_eq!(keep(&mut b, "own").status, 200);
    assert_eq!(keep(&mut b, "own").status, 200, "one that is there goes on");
    let kept = keep(&mut b, "another");
    assert_eq!(kept.status, 422);
    assert!(kept.text().contains("drafts that are not saved, as many as are kept"), "{}", kept.text());
    b.open("/schedule/request")
        .fill("Title", "Another")
        .choose("Client", "Alder Savings")
        .press("Send request");
    b.expect(409).see("requests of yours wait for an answer");
}

/// M3, L4, L17: the process's own log.
#[test]
fn nothing_that_somebody_sends_reaches_the_processs_log_and_nobody_can_fill_it() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let server = Process::with(&app, "logged", &[("TYRIAN_LOG", "info")]);
    let head = |kind: &str, length: usize| {
        format!(
            "POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\ncontent-length: \
                {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        (
            "application/json",
            "{\"email\":\"marit@tyrian.example\",\"password\":\"My-Real-Passw0rd!\"}".to_owned(),
        ),
        (form, "My-Other-Passw0rd!=1".to_owned()),
        (form, "a%0A2026-11-28T05:00:00Z  INFO tyrian::audit: forged line%1B[31mRED=1".to_owned()),
        (form, format!("{}=1", "A".repeat(3_900_000))),
        (form, format!("{}=1", "B".repeat(12_000))),
    ] {
        let answer = raw(&server.base, format!("{}{body}", head(kind, body.len())).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    for path in
        ["/link/SecretToken0123456789", "/clients?q=SecretSearch", "/SecretPath", "/sign-in?next=/SecretNext"]
    {
        raw(
            &server.base,
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").as_bytes(),
        );
    }
    for _ in 0..300 {
        raw(&server.base, b"GET / HTTP/9.9\r\nbad header\r\n\r\n");
        raw(
            &server.base,
            b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: \
            tyrian=foreign\r\nconnection: close\r\n\r\n",
        );
    }
    let said = server.said();
    for typed in [
        "Passw0rd",
        "forged",
        "AAAA",
        "BBBB",
        "SecretToken",
        "SecretSearch",
        "SecretPath",
        "SecretNext",
        "\u{1b}",
        "foreign",
    ] {
        assert!(!said.contains(typed), "{typed} in {said}");
    }
    assert!(said.lines().count() < 400, "{} lines", said.lines().count());
    assert!(said.len() < 100_000, "{} bytes", said.len());
    assert!(said.contains("refused") && said.contains("route=\"/sign-in\""), "{said}");
    // The id that an error page shows stands in the line that tells the cause: here an attachment whose file
    // is gone.
    let id = uuid::Uuid::now_v7();
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             INSERT INTO attachments (id, client_id, engagement_id, procedure_id, team, title, file_name, \
             media_type, size, sha256, uploaded_by, uploaded_at)
             VALUES ('{id}', '{}', '{}', '{}', 'blue', 'x', 'x', 'text/plain', 1, sha256('x'), '{}', now())",
            app.clients.own, e.id, e.procedures[0], app.people.lead.id
        ))
        .unwrap();
    let mut lead = Browser::new(&server.base);
    lead.open("/sign-in").fill("E-mail", &app.people.lead.email).fill("Password", PASSWORD).press("Sign in");
    lead.open(&format!("{}/attachments/{id}", e.path())).expect(410);
    let shown = lead.text();
    let request = shown.split("Request ").nth(1).unwrap().split(':').next().unwrap();
    let said = server.said();
    let line = said.lines().find(|line| line.contains(request)).expect("the request's line");
    assert!(line.contains("the file of an attachment is missing"), "{line}");
}

/// M4: a link that outlives its person's rank.
#[test]
fn links_end_when_rights_grow() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let fields = [("name", "Helpdesk"), ("permission", "user.manage"), ("permission", "user.read")];
    assert_eq!(admin.post("/admin/roles/new", &fields).status, 303);
    let helpdesk = app.texts("SELECT id FROM roles WHERE name = 'Helpdesk'").remove(0);
    let second = format!("/admin/users/{}", app.people.auditor.id);
    let auditor = role(&app, "auditor");
    assert_eq!(admin.post(&format!("{second}/roles"), &[("had", &auditor), ("role", &helpdesk)]).status, 303);
    let ben = format!("/admin/users/{}", app.people.bare.id);
    let standard = role(&app, "standard_user");
    assert_eq!(admin.post(&format!("{ben}/roles"), &[("had", &standard)]).status, 303);
    let opens = |link: &str| app.visitor().get(link).status;
    let made = |b: &mut Browser| {
        b.open(&ben).press("Make a link for a new password").expect(200);
        link_on(b)
    };
    let mut desk = app.browser(&app.people.auditor);
    let link = made(&mut desk);
    assert_eq!(opens(&link), 200);
    admin.open(&ben);
    let administrator = role(&app, "administrator");
    assert_eq!(admin.post(&format!("{ben}/roles"), &[("role", &administrator)]).status, 303);
    assert_eq!(opens(&link), 422, "his own role");
    admin.open(&ben).see("The link that was made for them has ended with it");
    assert_eq!(admin.post(&format!("{ben}/roles"), &[("had", &administrator)]).status, 303);

    let link = made(&mut desk);
    let client = app.clients.foreign.to_string();
    let access =
        [("person", app.people.bare.id.to_string()), ("client", client), ("role", role(&app, "team_lead"))];
    let access: Vec<(&str, &str)> = access.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(admin.post("/admin/access", &access).status, 303);
    assert_eq!(opens(&link), 422, "access to a client");

    // A role that grows while somebody holds it.
    let nia = app.people.second.id;
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica; DELETE FROM client_access WHERE person_id = '{nia}'"
        ))
        .unwrap();
    let seconds = format!("/admin/users/{nia}");
    assert_eq!(admin.post("/admin/roles/new", &[("name", "Small")]).status, 303);
    let small = app.texts("SELECT id FROM roles WHERE name = 'Small'").remove(0);
    assert_eq!(admin.post(&format!("{seconds}/roles"), &[("had", &standard), ("role", &small)]).status, 303);
    desk.open(&seconds).press("Make a link for a new password").expect(200);
    let link = link_on(&desk);
    let grown =
        [("name", "Small"), ("permission", "role.manage"), ("permission", "user.manage"), ("version", "1")];
    assert_eq!(admin.post(&format!("/admin/roles/{small}"), &grown).status, 303);
    assert_eq!(opens(&link), 422, "the role itself");
}

/// M5: the network's limit is given back only where it was taken.
#[test]
fn a_known_device_does_not_refill_the_limit_of_its_network() {
    let app = TestApp::spawn();
    let mut own = app.sign_in(&app.people.analyst);
    let device = own.device().unwrap();
    let mut tried = 0;
    for n in 0..90 {
        let mut guess = app.visitor();
        let email = format!("nobody{n}@tyrian.example");
        let answer = guess.post("/sign-in", &[("email", &email), ("password", "a wrong guess at it")]);
        tried += usize::from(answer.status == 422);
        let mut right = app.visitor();
        right.carry(&device);
        assert_eq!(
            right.post("/sign-in", &[("email", &app.people.analyst.email), ("password", PASSWORD)]).status,
            303
        );
    }
    assert!(tried <= 60, "{tried} guesses from one network were tried");
    own.open("/account").expect(200);
}

fn code(app: &TestApp, secret: &TotpSecret) -> String {
    secret.code_at(app.clock.now().timestamp())
}

fn enrol(app: &TestApp, b: &mut Browser) -> TotpSecret {
    b.open("/account/two-factor").expect(200);
    let secret = TotpSecret::from_words(&b.texts("#words")[0]).unwrap();
    b.fill("Code", &code(app, &secret)).press("Set up").expect(200).see("They are shown this once");
    secret
}

/// A second browser with the same cookies: a stolen session.
fn copy(app: &TestApp, b: &Browser) -> Browser {
    let mut stolen = app.visitor();
    stolen.carry(&b.session().unwrap());
    stolen
}

/// M6: a proof does not promote a copied cookie.
#[test]
fn a_proof_changes_the_sessions_secret_and_ends_the_others() {
    let app = TestApp::spawn();
    let admin = &app.people.administrator;
    let (mut own, mut other) = (app.sign_in(admin), app.sign_in(admin));
    app.pass(TimeDelta::minutes(16));
    own.open("/account").expect(200);
    let mut stolen = copy(&app, &own);
    stolen.open("/admin/settings").see("Your password again");
    own.open("/admin/settings")
        .see("Your password again")
        .fill("Password", PASSWORD)
        .press("Go on")
        .expect(200)
        .see("Settings");
    assert_eq!(stolen.get("/admin/settings").header("location"), "/sign-in?next=%2Fadmin%2Fsettings");
    assert_eq!(other.get("/account").status, 303, "and another device signs in again");
    own.open("/admin/settings").expect(200);
}

/// M7: a second factor, and the sessions that never showed it.
#[test]
fn a_second_factor_ends_older_sessions_and_goes_only_with_a_code() {
    let app = TestApp::spawn();
    let person = &app.people.lead;
    let (mut own, mut older) = (app.sign_in(person), app.sign_in(person));
    let mut stolen = copy(&app, &own);
    let secret = enrol(&app, &mut own);
    assert_eq!((older.get("/account").status, stolen.get("/account").status), (303, 303));
    app.pass(TimeDelta::minutes(1));

    // New codes: the same.
    let mut second = app.sign_in(person);
    second.fill("Code", &code(&app, &secret)).press("Sign in").expect(200);
    let mut stolen = copy(&app, &own);
    own.open("/account").press("Make new recovery codes").expect(200);
    assert_eq!((second.get("/account").status, stolen.get("/account").status), (303, 303));

    // Removal asks for the factor itself.
    assert_eq!(own.post("/account/two-factor/removal", &[]).status, 422);
    own.open("/account/two-factor/removal")
        .fill("Code", "000000")
        .press("Remove")
        .expect(422)
        .see("not the code of now");
    assert_eq!(app.count("SELECT count(*) FROM people WHERE totp_since IS NOT NULL"), 1);
    app.pass(TimeDelta::minutes(1));
    let mut stolen = copy(&app, &own);
    own.open("/account/two-factor/removal")
        .fill("Code", &code(&app, &secret))
        .press("Remove")
        .expect(200)
        .see("is removed");
    assert_eq!(stolen.get("/account").status, 303);
    assert_eq!(app.count("SELECT count(*) FROM people WHERE totp_since IS NOT NULL"), 0);

    // With a factor, a proof is both.
    let secret = enrol(&app, &mut own);
    app.pass(TimeDelta::minutes(16));
    own.open("/account/two-factor/removal")
        .see("Your password again")
        .fill("Password", PASSWORD)
        .fill("Code", "000000");
    own.press("Go on").expect(422).see("One of these is not yours");
    own.fill("Password", PASSWORD)
        .fill("Code", &code(&app, &secret))
        .press("Go on")
        .expect(200)
        .see("Remove the second factor?");
}

/// L9: a session that is renewed while its answer is an error.
#[test]
fn a_renewed_session_survives_whatever_the_answer_is() {
    let app = TestApp::spawn();
    let mut b = app.sign_in(&app.people.standard);
    for path in ["/nothing/here", "/admin/settings", "/clients"] {
        let before = b.session().unwrap();
        app.superuser().batch_execute("UPDATE sessions SET renew = true").unwrap();
        b.get(path);
        assert_ne!(b.session().unwrap(), before, "{path} renews");
        b.open("/account").expect(200).see("Sam Rook");
    }
}

/// L11: a stream of changes ends with its right.
#[test]
fn a_stream_ends_when_its_right_ends() {
    let app = TestApp::spawn();
    // What made the engagement lies too far back to be told again.
    app.set_audit_clock(start() - TimeDelta::hours(1));
    let e = app.engagement(1);
    app.set_audit_clock(start());
    let b = app.browser(&app.people.analyst);
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let head = format!(
        "GET {}/events HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncookie: {}\r\n\r\n",
        e.path(),
        b.session().unwrap()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut told = [0; 4096];
    assert!(stream.read(&mut told).unwrap() > 0, "the head");
    let mut lead = app.browser(&app.people.lead);
    let save = |lead: &mut Browser, text: &str| {
        lead.post(&e.procedure_path(0), &[("version", "99"), ("attack_source", text)]).status
    };
    assert_eq!(save(&mut lead, "first"), 303);
    let read = stream.read(&mut told).unwrap();
    assert!(String::from_utf8_lossy(&told[..read]).contains("event: engagement"), "while the right lasts");
    app.db
        .write_blocking(&Actor::command(), |tx| {
            tyrian::accounts::access::store::take(tx, app.people.analyst.id, app.clients.own)
        })
        .unwrap();
    assert_eq!(save(&mut lead, "second"), 303);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("event: engagement"), "nothing of what came after");
}

/// M9: files that other accounts of the machine could read.
#[test]
fn what_lies_in_the_data_directory_is_closed_to_others_and_old_modes_are_mended() {
    let app = TestApp::spawn();
    let place = scratch().join(format!("modes-{}", std::process::id()));
    std::fs::create_dir_all(place.join("attachments")).unwrap();
    std::fs::write(place.join("attachments/old"), "evidence").unwrap();
    for (path, mode) in
        [(place.clone(), 0o755), (place.join("attachments"), 0o755), (place.join("attachments/old"), 0o644)]
    {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = Process::on(&app.database.app_url(), Some(&app.database.sealer_url()), place.clone());
    app.visitor();
    assert_eq!(Browser::new(&server.base).get("/readyz").status, 200);
    let mode = |name: &str| std::fs::metadata(place.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("attachments"), mode("attachments/old")), (0o711, 0o700, 0o600));
    for made in ["audit.key", "audit.pub"] {
        assert_eq!(mode(made) & 0o077, 0, "{made}");
    }
    drop(server);
    std::fs::remove_dir_all(&place).unwrap();
}

/// L6, M9: the private cluster is used where it lies, and its socket where nobody else can put anything.
#[test]
fn a_cluster_below_the_data_directory_is_found_again_whatever_the_modes() {
    let place = scratch().join(format!("found-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let mark = |cluster: &Cluster| {
        cluster.ensure_database("found").unwrap();
        let mut conn = connect(&cluster.url(OWNER, "found"));
        conn.batch_execute("CREATE TABLE IF NOT EXISTS marks (n int); INSERT INTO marks VALUES (1)").unwrap();
        texts(&mut conn, "SELECT count(*) FROM marks").remove(0)
    };
    for (n, mode) in [(1, 0o755), (2, 0o700), (3, 0o711)] {
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
        let cluster = Cluster::start(&place, Durability::Fast).unwrap();
        assert_eq!(mark(&cluster), n.to_string(), "the same data under {mode:o}");
        // Only root's server runs as another account, which has to pass.
        let passed = if rustix::process::getuid().is_root() { 0o711 } else { mode & 0o711 };
        assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o777, passed);
        let url = cluster.url(OWNER, "found");
        let temporary = std::env::temp_dir().display().to_string();
        assert!(!url.contains(&format!("host={temporary}/")) || place.starts_with(&temporary), "{url}");
        cluster.stop_always();
    }
    std::fs::remove_dir_all(&place).unwrap();
}

/// M11: what a client's analyst writes.
#[test]
fn an_analyst_on_blue_writes_blue_and_hands_over_and_nothing_else() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let (path, id) = (e.procedure_path(0), e.procedures[0]);
    let stored = |column: &str| {
        app.texts(&format!("SELECT coalesce({column}::text, '') FROM procedures WHERE id = '{id}'")).remove(0)
    };
    let mut sam = app.browser(&app.people.blue_analyst);
    let all = ["status", "severity", "waiting_on", "recommendation", "not_applicable_reason"];
    let before: Vec<String> = all.iter().map(|column| stored(column)).collect();
    for (field, value) in [
        ("status", "completed"),
        ("status", "not_applicable"),
        ("severity", "low"),
        ("recommendation", "Nothing to see"),
        ("waiting_on", "nobody"),
        ("waiting_on", "red"),
        ("not_applicable_reason", "Not for us"),
        ("red_outcome", "failed"),
        ("attack_source", "elsewhere"),
        ("red_notes", "mine"),
        ("executed_at", "2026-11-20T08:00:00"),
    ] {
        let mut typed = vec![("version", "99"), (field, value)];
        if value == "not_applicable" {
            typed.push(("not_applicable_reason", "Not for us"));
        }
        let answer = sam.post(&path, &typed);
        assert_eq!(answer.status, 403, "{field}");
        if ["status", "severity"].contains(&field) {
            assert_eq!(
                sam.post(&format!("{path}/cell/{field}"), &[("value", value), ("base", "99")]).status,
                403,
                "{field} in the table"
            );
        }
    }
    let after: Vec<String> = all.iter().map(|column| stored(column)).collect();
    assert_eq!(before, after);
    assert_eq!(
        sam.post(
            &path,
            &[("version", "99"), ("blue_notes", "Seen in the proxy log"), ("blue_outcome", "logged")]
        )
        .status,
        303
    );
    assert_eq!(stored("blue_outcome"), "logged");

    // Assets: outcomes of blue on those that are there; none are added, removed or named in the finding.
    let (one, two) = (app.asset(app.clients.own, "web01"), app.asset(app.clients.own, "web02"));
    let mut lead = app.browser(&app.people.lead);
    assert_eq!(sam.post(&format!("{path}/assets"), &[("asset", &one.to_string())]).status, 403);
    for asset in [one, two] {
        assert_eq!(lead.post(&format!("{path}/assets"), &[("asset", &asset.to_string())]).status, 303);
    }
    assert_eq!(sam.post(&format!("{path}/assets/{one}"), &[("blue_outcome", "no_evidence")]).status, 303);
    assert_eq!(sam.post(&format!("{path}/assets/{one}"), &[("red_outcome", "failed")]).status, 403);
    assert_eq!(sam.post(&format!("{path}/assets/{two}"), &[("in_finding", "1")]).status, 403);
    assert_eq!(sam.post(&format!("{path}/assets/{two}/removal"), &[]).status, 403);
    sam.open(&format!("{path}/assets/{one}")).see_not("Include in finding").see_not("Remove from procedure");

    // Handing over takes a note, and is blue's word in the log.
    sam.open(&path).see("Hand over to red");
    assert!(!sam.has("#start button"));
    sam.press("Hand over to red").expect(422).see("Say in a line what red should look at.");
    sam.fill("Note for red", "Run it again, the sensor was down")
        .fill("blue_notes", "typed meanwhile")
        .press("Hand over to red")
        .expect(200);
    assert_eq!(
        (stored("waiting_on"), stored("blue_notes")),
        ("red".to_owned(), "typed meanwhile".to_owned())
    );
    sam.see("Handed over to red: Run it again, the sensor was down");
    // Whoever is on red alone, or has the pulldown, has no such button.
    app.browser(&app.people.lead).open(&path).see_not("Hand over to red");
    for closed in ["/library/procedures", "/library/techniques", "/test-plans"] {
        assert_eq!(sam.get(closed).status, 403, "{closed}");
    }
    sam.open("/schedule/request").see("If you have a test plan in mind, name it in the objective.");
}

/// M11: words of a side that one no longer writes.
#[test]
fn entries_and_files_of_a_side_that_one_no_longer_writes_are_not_ones_own_to_change() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let mut sam = app.browser(&app.people.standard);
    let entry = [("team", "red"), ("text", "Ran it"), ("starts_at", "2026-11-20T08:00:00")];
    assert_eq!(sam.post(&format!("{path}/logs"), &entry).status, 303);
    sam.open(&format!("{path}/attachments/new?team=red"))
        .attach("Files", "shot.txt", "text/plain", b"seen")
        .press("Attach")
        .expect(200);
    let entry = app.texts("SELECT id FROM log_entries").remove(0);
    let file = app.texts("SELECT id FROM attachments").remove(0);
    app.superuser()
        .batch_execute(&format!(
            "SET session_replication_role = replica;
             UPDATE client_access SET role_id = '{}' WHERE person_id = '{1}'; DELETE \
             FROM engagement_operators WHERE person_id = '{1}';
             INSERT INTO engagement_operators (engagement_id, person_id, team) VALUES ('{2}', '{1}', 'blue')",
            role(&app, "analyst"),
            app.people.standard.id,
            e.id
        ))
        .unwrap();
    let edit = [("text", "REWRITTEN"), ("starts_at", "2026-11-20T08:00:00"), ("version", "1")];
    assert_eq!(sam.post(&format!("{path}/logs/{entry}"), &edit).status, 403);
    assert_eq!(sam.post(&format!("{path}/logs/{entry}/removal"), &[]).status, 403);
    assert_eq!(sam.get(&format!("{path}/logs/{entry}")).status, 403);
    let files = format!("{}/attachments/{file}", e.path());
    assert_eq!(sam.post(&format!("{files}/edit"), &[("title", "Other"), ("version", "1")]).status, 403);
    assert_eq!(sam.post(&format!("{files}/removal"), &[]).status, 403);
    // What a colleague of one's own side attached is theirs, too, and so is whether it goes into the finding.
    let mut lead = app.browser(&app.people.lead);
    lead.open(&format!("{path}/attachments/new?team=blue"))
        .attach("Files", "alert.txt", "text/plain", b"seen")
        .press("Attach")
        .expect(200);
    let alert = app.texts("SELECT id FROM attachments WHERE team = 'blue'").remove(0);
    let change = [("title", "Other"), ("in_finding", "on"), ("version", "1")];
    assert_eq!(sam.post(&format!("{}/attachments/{alert}/edit", e.path()), &change).status, 403);
    sam.open(&format!("{path}/attachments/new?team=blue"))
        .attach("Files", "own.txt", "text/plain", b"seen")
        .press("Attach")
        .expect(200);
    let own = app.texts("SELECT id FROM attachments WHERE team = 'blue' AND title = 'own.txt'").remove(0);
    assert_eq!(sam.post(&format!("{}/attachments/{own}/edit", e.path()), &change).status, 303);
    assert_eq!(app.texts("SELECT text FROM log_entries WHERE removed_at IS NULL"), ["Ran it"]);
    assert_eq!(
        app.count("SELECT count(*) FROM attachments WHERE removed_at IS NULL AND title = 'shot.txt'"),
        1
    );
}

/// L1: bookings at other clients.
#[test]
fn other_bookings_are_shown_to_who_plans_alone() {
    let app = TestApp::spawn();
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 20);
    let plan = |client, title| {
        app.plan(
            client,
            &crate::harness::fixtures::Plan { title, procedures: 1, start: day, ..Default::default() },
        )
    };
    let e = plan(app.clients.own, "Ours");
    app.give_access(&app.people.standard, app.clients.foreign, "standard_user");
    plan(app.clients.foreign, "Theirs");
    let open = format!("{}?open=operators", e.path());
    app.browser(&app.people.lead).open(&open).see("Another client");
    app.browser(&app.people.blue_analyst)
        .open(&open)
        .see("Sam Rook")
        .see_not("Another client")
        .see_not("bookings");
    let section = app
        .browser(&app.people.blue_analyst)
        .get_fragment(&format!("{}/sections/operators", e.path()))
        .text();
    assert!(section.contains("Sam Rook") && !section.contains("Another client"), "{section}");
}

/// L3, L8, L12, L14: headers, cookies, origins and names.
#[test]
fn https_names_and_foreign_pages() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    // What it prints is the address that people type: the one it listens on is chosen here.
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let server = Process::with(
        &app,
        "https",
        &[("TYRIAN_BASE_URL", "https://tyrian.example"), ("TYRIAN_LISTEN", &listen)],
    );
    let ask = |method: &str, path: &str, headers: &str| {
        raw(
            &listen,
            format!("{method} {path} HTTP/1.1\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
    };
    let page = ask("GET", "/sign-in", "host: tyrian.example\r\n");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("strict-transport-security: max-age=31536000; includeSubDomains"), "{page}");
    assert!(
        ask("GET", "/sign-in", "host: tyrian.example:443\r\n").starts_with("HTTP/1.1 200"),
        "the usual port"
    );
    for host in ["10.0.0.7:8080", "tyrian-pod:8080"] {
        assert!(
            ask("GET", "/healthz", &format!("host: {host}\r\n")).starts_with("HTTP/1.1 200"),
            "a check as {host}"
        );
    }
    for host in ["evil.example", "tyrian.example.evil.example", "127.0.0.1.evil.example:8080"] {
        let answer = ask("GET", "/sign-in", &format!("host: {host}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("TYRIAN_BASE_URL"), "{host}: {answer}");
    }
    for origin in ["http://tyrian.example", "https://tyrian.example:444"] {
        let answer = ask("POST", "/sign-in", &format!("host: tyrian.example\r\norigin: {origin}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{origin}: {answer}");
    }
    // Its jobs, by the machine's clock, end the sessions of a test.
    drop(server);
    // Without an address of its own it serves plain HTTP, so a form from https is a foreign one.
    let mut lead = app.browser(&app.people.lead);
    let https = app.base.replace("http://", "https://");
    assert_eq!(lead.post_with("/account/theme", &[("theme", "dark")], &[("origin", &https)]).status, 403);
    assert_eq!(lead.send("GET", "/", &[("host", "rebound.example")], b"").status, 421);

    let mut admin = app.browser(&app.people.administrator);
    for export in ["/admin/audit-log.csv", "/admin/audit-log.jsonl", "/admin/users.csv", "/admin/access.csv"]
    {
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                admin.send("GET", export, &[("sec-fetch-site", site)], b"").status,
                403,
                "{export} from {site}"
            );
        }
        assert_eq!(
            admin.send("GET", export, &[("sec-fetch-site", "same-origin")], b"").status,
            200,
            "{export}"
        );
    }
    lead.open(&format!("{}/attachments/new?team=red", e.procedure_path(0)))
        .attach("Files", "a.txt", "text/plain", b"seen")
        .press("Attach");
    let file = app.texts("SELECT id FROM attachments").remove(0);
    assert_eq!(lead.get(&format!("{}/attachments/{file}", e.path())).header("cache-control"), "no-store");
}
