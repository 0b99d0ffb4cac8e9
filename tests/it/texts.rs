//! Texts that people type and paste: evidence is shown as it came, names in every language stand where they
//! belong, and whatever hides is seen.

use scraper::{ElementRef, Html};
use tyrian::imports::atomics::Atomics;
use tyrian::imports::store::apply_atomics;
use tyrian::kernel::base::harmless::is_left_running;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::changes::Missing;
use tyrian::library::domain::{Input, ProcedureBody, Step, StepKind};

use crate::harness::TestApp;
use crate::harness::fixtures::{Plan, client_like};

/// What a terminal shows, and Markdown would change.
const PASTED: &str = "\
    \\\\HL-FS-01\\C$\\_out\\*.dmp and CORP\\_svc_sql\n# whoami\n  __init__ *pw* &copy;\n1986. started\n3. \
    third\nwww.evil.example\n> C:\\temp\\[x]\\!a\\#1";

fn pasted_and_hidden() -> String {
    format!("{PASTED}\n\u{b}\u{1b}[31m\u{85}\u{200b}end")
}

/// The same as pages show it.
fn shown() -> String {
    format!("{PASTED}\n⟨U+000B⟩⟨U+001B⟩[31m⟨U+0085⟩⟨U+200B⟩end")
}

fn typed(html: &str) -> Vec<String> {
    let document = Html::parse_document(html);
    let selector = scraper::Selector::parse(".typed").unwrap();
    document.select(&selector).map(|element| element.text().collect::<String>()).collect()
}

#[test]
fn evidence_is_shown_as_it_was_typed_wherever_it_is_shown() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let path = e.procedure_path(0);
    let pasted = pasted_and_hidden();
    let mut lead = app.browser(&app.people.lead);
    let notes =
        [("version", "1"), ("red_notes", &*pasted), ("blue_notes", &*pasted), ("red_outcome", "success")];
    assert_eq!(lead.post(&path, &notes).status, 303);
    let entry = [("team", "red"), ("text", &*pasted), ("starts_at", "2026-11-20T08:00:00")];
    assert_eq!(lead.post(&format!("{path}/logs"), &entry).status, 303);
    let stored = app.texts("SELECT text FROM log_entries WHERE author_id IS NOT NULL").remove(0);
    assert_eq!(stored, pasted);
    lead.open(&path);
    // In the form it is what was typed, to the character.
    assert_eq!(lead.value("red_notes"), pasted);
    lead.see("Shown as typed, up to 64 KiB");
    let entry = app.texts("SELECT id FROM log_entries").remove(0);
    for page in [path.clone(), format!("{path}/logs/{entry}/removal"), format!("{}?open=timeline", e.path())]
    {
        let texts = typed(&lead.get(&page).text());
        assert!(texts.contains(&shown()), "{page}: {texts:?}");
    }
    // Who only reads sees the notes as the form has them.
    let texts = typed(&app.browser(&app.people.analyst).get(&path).text());
    assert_eq!(texts.iter().filter(|text| **text == shown()).count(), 3, "{texts:?}");

    assert_eq!(lead.post(&format!("{}/submit", e.path()), &[("incomplete", "1")]).status, 303);
    for page in [path, format!("/reports/{}?open=all", e.report)] {
        let texts = typed(&lead.get(&page).text());
        assert_eq!(texts.iter().filter(|text| **text == shown()).count(), 3, "{page}: {texts:?}");
    }
}

#[test]
fn names_turn_nothing_around_them_and_hide_nothing() {
    const CLIENT: &str = "שלום 2026";
    const TITLE: &str = "عنوان 27 \u{202e}gnp.exe \u{3164}\u{e0041}\u{2066}";
    let app = TestApp::spawn();
    let client = client_like(&app.app, CLIENT, app.clients.own);
    let e = app.plan(client, &Plan { title: TITLE, procedures: 1, ..Plan::default() });
    app.asset(client, "خادم 3");
    let mut lead = app.browser(&app.people.lead);
    for page in [
        "/".to_owned(),
        "/clients".to_owned(),
        format!("/clients/{client}"),
        "/engagements".to_owned(),
        e.path(),
        format!("{}?open=all", e.path()),
        e.procedure_path(0),
        "/schedule?view=list".to_owned(),
        "/schedule".to_owned(),
        format!("{}/edit", e.path()),
        format!("{}/submit", e.path()),
        format!("/reports/{}", e.report),
        "/reports".to_owned(),
    ] {
        let answer = lead.get(&page);
        assert_eq!(answer.status, 200, "{page}");
        let html = answer.text();
        assert!(html.contains(CLIENT) || html.contains("عنوان"), "{page} shows neither");
        if html.contains("عنوان") {
            assert!(html.contains("⟨U+202E⟩gnp.exe ⟨U+3164⟩⟨U+E0041⟩⟨U+2066⟩"), "{page}");
        }
        let loose = loose(&html);
        assert!(loose.is_empty(), "{page}: {loose:?}");
    }
    lead.open(&format!("{}/edit", e.path()));
    assert_eq!(lead.value("title"), TITLE, "a form gives back what is stored");
}

#[test]
fn messages_turn_nothing_around_the_names_in_them() {
    const CLIENT: &str = "שלום 2026";
    const TITLE: &str = "عنوان 27";
    let app = TestApp::spawn();
    let client = client_like(&app.app, CLIENT, app.clients.own);
    let e = app.plan(client, &Plan { title: TITLE, procedures: 2, ..Plan::default() });
    app.asset(client, "خادم 3");
    let asset = app.texts("SELECT id::text FROM assets WHERE name = 'خادم 3'").remove(0);
    let mut lead = app.browser(&app.people.lead);
    let mut said = |path: &str, fields: &[(&str, &str)], word: &str| {
        let answer = lead.post(path, fields);
        let html = if answer.status == 303 {
            lead.get(answer.header("location").split('#').next().unwrap()).text()
        } else {
            answer.text()
        };
        assert!(html.contains(word), "{path}: {html}");
        let loose = loose(&html);
        assert!(loose.is_empty(), "{path}: {loose:?}");
    };
    let asset_path = format!("/clients/{client}/assets/{asset}");
    said(&format!("{asset_path}/delete"), &[], "Asset “<bdi>خادم 3</bdi>” deleted.");
    said(
        &format!("/clients/{client}/assets/lines"),
        &[("lines", "خادم, كرسي")],
        "“<bdi>كرسي</bdi>” is no kind",
    );
    said(&format!("{}/delete", e.path()), &[("title", TITLE)], "“<bdi>عنوان 27</bdi>” deleted.");
}

/// Texts that run from right to left and do not stand apart from others in their line.
fn loose(html: &str) -> Vec<String> {
    let document = Html::parse_document(html);
    let texts = document.tree.nodes().filter_map(|node| Some((node, node.value().as_text()?)));
    let of_left = texts.filter(|(_, text)| text.chars().any(is_left_running));
    of_left
        .filter(|(node, _)| {
            !node.ancestors().filter_map(ElementRef::wrap).any(|around| {
                matches!(around.value().name(), "bdi" | "title" | "option" | "textarea")
                    || around.attr("dir") == Some("auto")
            })
        })
        .map(|(_, text)| text.trim().to_owned())
        .collect()
}

#[test]
fn an_invisible_name_is_refused_everywhere() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    let mut admin = app.browser(&app.people.administrator);
    for hidden in ["\u{200b}", "\u{3164}\u{2800}", "\u{e0041}"] {
        let asked = [
            lead.post("/clients/new", &[("name", hidden)]),
            lead.post(
                &format!("/clients/{}/assets/new", app.clients.own),
                &[("name", hidden), ("kind", "server")],
            ),
            lead.post(&format!("{}/edit", e.path()), &[("title", hidden), ("version", "1")]),
            admin.post("/admin/roles/new", &[("name", hidden)]),
            admin.post("/admin/users/new", &[("name", hidden), ("email", "x@tyrian.example")]),
            admin.post("/admin/settings/outcomes", &[("team", "blue"), ("label", hidden)]),
        ];
        for answer in asked {
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert!(answer.text().contains("can be seen"), "{}", answer.text());
        }
    }
}

#[test]
fn files_keep_their_names_and_one_bad_one_loses_no_other() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let new = format!("{}/attachments/new?team=red", e.procedure_path(0));
    let mut sam = app.browser(&app.people.standard);
    let names =
        [".bash_history", ".env", "...hidden", "report.pdf.", "trail. ", "a\u{202e}gnp.exe", "\u{200b}.txt"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, b"x".as_slice())).collect();
    sam.open(&new)
        .attach_all("Files", &files)
        .press("Attach")
        .expect(200)
        .see("Attached.")
        .see_not("Not stored");
    assert_eq!(app.texts("SELECT file_name FROM attachments ORDER BY uploaded_at, id"), names);
    for (name, id) in names.iter().zip(app.texts("SELECT id::text FROM attachments ORDER BY uploaded_at, id"))
    {
        let answer = sam.get(&format!("{}/attachments/{id}", e.path()));
        let encoded =
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        let disposition = answer.header("content-disposition").replace("%2E", ".").replace("%5F", "_");
        let encoded = encoded.replace("%2E", ".").replace("%5F", "_");
        assert!(disposition.ends_with(&format!("filename*=UTF-8''{encoded}")), "{name:?}: {disposition}");
        let page = sam.get(&format!("{}/attachments/{id}/removal", e.path())).text();
        assert!(!page.contains("<strong>") && !page.contains("mailto:"), "{page}");
    }
    let said = app.texts("SELECT sentence FROM audit.events WHERE kind = 'attachment.added' ORDER BY id");
    assert!(said[0].contains("“.bash_history”"), "{said:?}");

    sam.open(&new)
        .attach_all("Files", &[("a.png", b"a"), ("empty.log", b""), ("b%0D.png", b"b")])
        .press("Attach")
        .expect(200)
        .see("Attached. Not stored: “empty.log” (empty). “b⟨U+000D⟩.png” is kept as “b_.png”.");
    assert_eq!(app.count("SELECT count(*) FROM attachments"), 9);
    // The drop zone says it as well.
    let boundary = "multipart/form-data; boundary=x";
    let part = |name: &str, text: &str| {
        format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = format!("{}{}--x--\r\n", part("c.txt", ""), part("d.txt", "d"));
    let headers = [("content-type", boundary), ("HX-Request", "true"), ("HX-Request-Type", "partial")];
    let answer =
        sam.send("POST", &format!("{}/attachments?team=red", e.procedure_path(0)), &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("Not stored: “c.txt” (empty)."), "{}", answer.text());
    assert_eq!(app.count("SELECT count(*) FROM attachments"), 10);
    sam.open(&new)
        .attach_all("Files", &[("one", b""), ("two", b"")])
        .press("Attach")
        .expect(422)
        .see("Nothing was stored. Not stored: “one” (empty), “two” (empty).");
}

#[test]
fn a_large_file_among_others_is_named_and_the_others_are_stored() {
    let app = TestApp::spawn();
    let e = app.engagement(1);
    let large = vec![b'x'; (50 << 20) + 1];
    let mut sam = app.browser(&app.people.standard);
    sam.open(&format!("{}/attachments/new?team=red", e.procedure_path(0)))
        .attach_all("Files", &[("big.bin", &large), ("small.txt", b"s")])
        .press("Attach")
        .expect(200)
        .see("Not stored: “big.bin” (larger than 50 MiB, the limit for one file).");
    assert_eq!(app.texts("SELECT file_name FROM attachments"), ["small.txt"]);
}

#[test]
fn checks_and_texts_are_filled_and_copied_as_commands_are() {
    let app = TestApp::spawn();
    let step = |id: &str, kind, text: &str, command: Option<&str>, check: Option<&str>| Step {
        id: id.into(),
        kind,
        description: text.into(),
        success_criteria: Some("#{target} is read".into()),
        command: command.map(str::to_owned),
        check_command: check.map(str::to_owned),
        executor: Some("sh".into()),
        ..Step::default()
    };
    let body = ProcedureBody {
        name: "Read".into(),
        description: "Reads #{target} below PathToAtomicsFolder\\..\\x.".into(),
        technique_ids: vec!["T1003.008".into()],
        platforms: vec!["linux".into()],
        inputs: vec![Input {
            name: "target".into(),
            description: String::new(),
            kind: "path".into(),
            default: Some("/etc/_a_*".into()),
        }],
        steps: vec![
            step(
                "p",
                StepKind::Prerequisite,
                "#{target} must exist",
                None,
                Some("test -f #{target} \u{202e}"),
            ),
            step("m", StepKind::Step, "Copy #{target} to #{where}", None, None),
            step("s", StepKind::Step, "Run it", Some("cat #{target}"), None),
        ],
        ..ProcedureBody::default()
    };
    let made = Atomics { procedures: vec![("read".into(), body)], ..Atomics::default() };
    apply_atomics(&app.db, &Actor::command(), &made, Missing::Keep).unwrap();
    let id = app.texts("SELECT id::text FROM library_procedures WHERE source_key = 'read'").remove(0);
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    assert_eq!(
        lead.post(&format!("{}/procedures/add", e.path()), &[("id", &format!("library-{id}"))]).status,
        303
    );
    let path = format!(
        "{}/procedures/{}",
        e.path(),
        app.texts("SELECT id::text FROM procedures WHERE name = 'Read'").remove(0)
    );
    lead.open(&path)
        .see("Reads /etc/_a_* below PathToAtomicsFolder\\..\\x.")
        .see("/etc/_a_* must exist")
        .see("Copy /etc/_a_* to #{where}")
        .see("test -f /etc/_a_*")
        .see("Success: /etc/_a_* is read")
        .see("1 input not filled in");
    let exact = |css: &str| {
        let document = Html::parse_document(lead.html());
        let selector = scraper::Selector::parse(css).unwrap();
        document.select(&selector).map(|element| element.text().collect::<String>()).collect::<Vec<_>>()
    };
    assert_eq!(exact("#check-p"), ["test -f /etc/_a_* \u{202e}"]);
    assert_eq!(exact("#cmd-m"), ["Copy /etc/_a_* to #{where}"]);
    assert_eq!(exact("#cmd-p"), ["/etc/_a_* must exist"]);
    assert_eq!(exact("#cmd-s"), ["cat /etc/_a_*"]);
    for id in ["check-p", "cmd-m", "cmd-p", "cmd-s"] {
        assert!(lead.has(&format!("[data-copy='#{id}']")), "{id}");
    }
    // The report says what was read at work.
    assert_eq!(lead.post(&format!("{}/submit", e.path()), &[("incomplete", "1")]).status, 303);
    lead.open(&format!("/reports/{}?open=all", e.report))
        .see("Reads /etc/_a_* below PathToAtomicsFolder\\..\\x.")
        .see_not("#{target}");
}

#[test]
fn outcomes_take_names_of_every_language_and_are_told_apart() {
    let app = TestApp::spawn();
    let mut admin = app.browser(&app.people.administrator);
    let add = |admin: &mut crate::harness::browser::Browser, team: &str, label: &str| {
        admin.post("/admin/settings/outcomes", &[("team", team), ("label", label)])
    };
    for label in
        ["検知済み", "Обнаружено", "Blocked ä", "Blocked ö", "80 %", "80 +", "Success", "Failed", "شوهد", "✓"]
    {
        assert_eq!(add(&mut admin, "blue", label).status, 303, "{label}");
    }
    for label in ["Logged", "Not Applicable"] {
        assert_eq!(add(&mut admin, "red", label).status, 303, "{label}");
    }
    let keys = app.texts("SELECT DISTINCT key FROM outcomes WHERE key LIKE 'o\\_%'");
    assert_eq!(keys.len(), 12);
    for label in ["logged", " LOGGED ", "No\u{a0} evidence", "Logged\u{200b}", "Ｌogged", "обнаружено"]
    {
        let answer = add(&mut admin, "blue", label);
        assert_eq!(answer.status, 422, "{label}");
        assert!(answer.text().contains("An outcome of this team has this name already"), "{label}");
    }
    let key = app.texts("SELECT key FROM outcomes WHERE label = 'Blocked ä'").remove(0);
    let path = format!("/admin/settings/outcomes/{key}");
    for (label, status) in [("Logged", 422), ("\u{200b}", 422), ("blocked Ä", 303)] {
        assert_eq!(admin.post(&path, &[("label", label), ("offered", "1")]).status, status, "{label}");
    }
    // What was chosen keeps its key, whatever it is called.
    let e = app.engagement(1);
    let mut lead = app.browser(&app.people.lead);
    let saved = lead.post(&e.procedure_path(0), &[("version", "1"), ("blue_outcome", &key)]);
    assert_eq!(saved.status, 303);
    lead.open(&e.path()).see("blocked Ä");
}

#[test]
fn names_have_one_order_as_people_expect_it() {
    const NAMES: [&str; 7] = ["Å", "acme", "Älva", "DC2", "DC10", "Zeta", "李明"];
    let app = TestApp::spawn();
    let collated = app.texts(
        "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c \
         WHERE c.table_schema = 'public' AND c.collation_name = 'names' ORDER BY 1",
    );
    assert_eq!(
        collated,
        [
            "assets.name",
            "clients.name",
            "engagements.title",
            "library_procedures.name",
            "people.name",
            "reports.title",
            "repositories.name",
            "roles.name",
            "terms.name",
            "test_plans.title",
        ]
    );
    let mut shuffled = NAMES;
    shuffled.reverse();
    shuffled.swap(1, 4);
    for name in shuffled {
        let client = client_like(&app.app, name, app.clients.own);
        app.plan(client, &Plan { title: name, procedures: 0, ..Plan::default() });
        app.asset(app.clients.own, name);
    }
    let mut lead = app.browser(&app.people.lead);
    for (page, css) in [
        ("/clients".to_owned(), "td.title a"),
        ("/engagements?sort=title&dir=asc".to_owned(), "td.title a"),
        ("/engagements".to_owned(), "select[name=client] option"),
        ("/schedule".to_owned(), "select[name=client] option"),
        (format!("/clients/{}", app.clients.own), "#assets td.title > a"),
    ] {
        let shown = lead.open(&page).texts(css);
        let own: Vec<&str> =
            shown.iter().map(|text| text.trim()).filter(|text| NAMES.contains(text)).collect();
        assert_eq!(own, NAMES, "{page}: {shown:?}");
    }
}
