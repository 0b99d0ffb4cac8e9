//! A tour of the whole product: every address and every state that looks different, so that each template is
//! drawn at least once, each block that is answered alone as well, and a part that htmx fetches is the same
//! as in the page that it stands on.
//!
//! A template counts as drawn when some of its own text, which no other template has, stands in an answer.

use std::collections::BTreeMap;

use diesel::connection::SimpleConnection;
use scraper::{ElementRef, Html};
use tyrian::accounts::two_factor::TotpSecret;
use tyrian::engagements::views::sections::Part;
use tyrian::kernel::base::ids::ProcedureId;
use tyrian::kernel::web::route::Row;
use tyrian::server::rows;

use super::matrix::{Things, ask, common, filled, plan, private_shelf};
use super::sources::files;
use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser, selector};
use crate::harness::fixtures::{OWN, PASSWORD, Person, Plan, hostile};
use crate::harness::pages::is_page;

/// Templates without a text of their own: what only they draw, and where.
const SHARED: &[(&str, &str, &str)] = &[
    // Why there is nothing yet, in words that stand in two templates.
    ("components/_no_clients.html", "get /", "Noclient"),
    // Nothing but fields, which the macros draw.
    ("clients/form.html", "get /clients/new", "<labelfor=\"contacts\">"),
    // An outcome's pill, which the engagement's page draws by itself.
    ("components/outcome.html", "get /reports/{report}", "<spanclass=\"outcome\"data-tone=\""),
    // Links to the pages of a list, without words of their own.
    ("components/pager.html", "get /admin/audit-log", "<navclass=\"pager\"aria-label=\"Pages\">"),
    // What went wrong, which another page says at more length by itself.
    (
        "components/notice.html",
        "post /engagements/{id}/procedures/add",
        "<divclass=\"noticebad\"role=\"alert\"tabindex=\"-1\"data-focus>",
    ),
    // A command: its own longer text marks hidden characters, which the starter library has none of.
    ("library/_command.html", "get /library/procedures/", "<mark>#{"),
    // A name that runs from right to left.
    ("components/name.html", "get /admin/users", "<bdi>CusTomas"),
    // What an act did: nothing but the sentence.
    ("components/sentence.html", "get /clients/{client}", "<p>Clientsaved.</p>"),
    // What comes beside a saved form, for another place of the page.
    (
        "components/beside.html",
        "post /engagements/{id}/procedures/{pid}",
        "<hx-partialhx-target=\"#bar\"hx-swap=\"outerHTML\">",
    ),
    // What is opened, which the page with everything open draws as well.
    ("reports/opened.html", "get /reports/{report}/procedures/{n}", "<h4>Redteam</h4>"),
    // Tags, without words of their own.
    ("components/tags.html", "get /test-plans", "<aclass=\"tagword\"href=\"/test-plans?q="),
    ("tags/_where.html", "get /admin/tags", "<aclass=\"link\"href=\"/test-plans?q="),
    ("crumbs.html", "get /clients/new", "<navclass=\"crumbs\"aria-label=\"Breadcrumb\">"),
    // A mark of the table, which a cell answers alone as well.
    ("engagements/_mark.html", "get /engagements/{id}", "<spanclass=\"outcome\"data-tone=\""),
    // A section's switch, which stands on the page first.
    (
        "engagements/_toggle.html",
        "post /engagements/{id}/sections",
        "/sections\"hx-trigger=\"clickfrom:'previoussummary'\"",
    ),
    // A field that somebody reads, as the form draws it.
    ("procedures/_fresh_field.html", "get /engagements/", "<hx-partialhx-target=\"#f-"),
    // The page around a form that is a template of its own.
    (
        "procedures/log_entry.html",
        "get /engagements/{id}/procedures/{pid}/logs/new",
        "<headerclass=\"top\"><div>",
    ),
];

/// Forms that htmx puts into the procedure's page: they send to a part of it, and have the same fields with
/// the same values as on their own page, no more and no fewer.
const INLINE: &[&str] = &[
    "/engagements/{id}/procedures/{pid}/logs/new",
    "/engagements/{id}/procedures/{pid}/logs/{entry}",
    "/engagements/{id}/procedures/{pid}/assets/new",
    "/engagements/{id}/procedures/{pid}/assets/{asset}",
];

/// The fields and buttons of a part, or of what stands in a page's `main`, with their values.
fn fields(html: &str) -> Vec<String> {
    let within = if is_page(html) { "main " } else { "" };
    let controls = ["input", "select", "textarea", "button"].map(|name| format!("{within}{name}")).join(", ");
    let document = if is_page(html) { Html::parse_document(html) } else { Html::parse_fragment(html) };
    let field = |control: ElementRef<'_>| {
        let [name, kind, value] =
            ["name", "type", "value"].map(|part| control.attr(part).unwrap_or_default());
        let text: String = control.text().collect();
        format!("{} {kind} {name}={value}{}", control.value().name(), squeezed(&text))
    };
    document.select(&selector(&controls)).map(field).collect()
}

/// Without blanks, so that it matters to nobody how a template is laid out.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The texts between a template's expressions, without blanks.
fn literals(source: &str) -> Vec<String> {
    let (mut texts, mut rest) = (Vec::new(), source);
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        texts.push(squeezed(&rest[..at]));
        let close = match &rest[at..at + 2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = rest[at..].find(close).map_or(rest.len(), |end| at + end + 2);
        rest = &rest[end..];
    }
    texts.push(squeezed(rest));
    // Shorter ones, and those without a tag, people may type as well.
    texts.retain(|text| text.len() >= 12 && text.contains('<'));
    texts
}

/// Without any text that tells them apart: the unit tests of `kernel/web/markdown.rs` (a text too extreme to
/// render) and of `kernel/web/filters.rs` (a text to copy) draw them.
const EXTREME: &[&str] = &["components/as_typed.html", "components/exact.html"];

/// A thing that must be drawn, and the texts of which one proves it.
struct Wanted {
    name: String,
    proofs: Vec<String>,
    /// Whether only an answer that is no whole page counts.
    alone: bool,
    /// How the only request begins whose answers count, where that matters.
    route: Option<&'static str>,
}

/// Every template, and every block that is drawn alone.
fn wanted() -> Vec<Wanted> {
    let templates: BTreeMap<String, String> = files("templates", ".html")
        .into_iter()
        .map(|(path, text)| (path.strip_prefix("templates/").unwrap().to_owned(), text))
        .collect();
    let all: BTreeMap<&str, Vec<String>> =
        templates.iter().map(|(path, text)| (path.as_str(), literals(text))).collect();
    let whole = all.values().flatten().cloned().collect::<Vec<_>>().join("\n");
    let (mut wanted, mut alike) = (Vec::new(), Vec::new());
    for (path, texts) in all.iter().filter(|(path, _)| !EXTREME.contains(path)) {
        if let Some((_, route, proof)) = SHARED.iter().find(|(known, ..)| known == path) {
            wanted.push(Wanted {
                name: (*path).to_owned(),
                proofs: vec![(*proof).to_owned()],
                alone: false,
                route: Some(route),
            });
            continue;
        }
        let own = texts.join("\n");
        let is_own =
            |text: &&String| whole.matches(text.as_str()).count() == own.matches(text.as_str()).count();
        let proofs: Vec<String> = texts.iter().filter(is_own).cloned().collect();
        if proofs.is_empty() {
            alike.push(path);
        }
        wanted.push(Wanted { name: (*path).to_owned(), proofs, alone: false, route: None });
    }
    assert!(alike.is_empty(), "without a text of its own, say in SHARED where it is drawn: {alike:?}");
    for (source, text) in files("src", ".rs") {
        for part in text.split("#[template(path = \"").skip(1) {
            let (path, rest) = part.split_once('"').unwrap();
            assert!(templates.contains_key(path), "{source}: {path} is not there");
            let blocks =
                rest.split(")]").next().unwrap().split_once("blocks = [").map_or("", |(_, list)| list);
            for block in blocks.split('"').skip(1).step_by(2) {
                let proofs = literals(&block_of(&templates, path, block));
                assert!(!proofs.is_empty(), "{path}#{block} has no text");
                wanted.push(Wanted { name: format!("{path}#{block}"), proofs, alone: true, route: None });
            }
        }
    }
    wanted
}

/// A block's source, with what it includes.
fn block_of(templates: &BTreeMap<String, String>, path: &str, block: &str) -> String {
    let source = &templates[path];
    let start =
        source.find(&format!("block {block} ")).unwrap_or_else(|| panic!("{path} has no block {block}"));
    let (mut depth, mut end) = (0, source.len());
    for (at, _) in source[start..].match_indices("block ") {
        let at = start + at;
        if source[..at].ends_with("end") {
            depth -= 1;
        } else {
            depth += 1;
        }
        if depth == 0 {
            end = at;
            break;
        }
    }
    let body = source[start..end].split_once("%}").unwrap().1;
    let mut whole = body.to_owned();
    for included in body.split("include \"").skip(1) {
        whole.push_str("{{ }}");
        whole.push_str(&templates[included.split('"').next().unwrap()]);
    }
    whole
}

struct Tour<'a> {
    app: &'a TestApp,
    wanted: Vec<Wanted>,
    /// Parts that differ from their page.
    differ: Vec<String>,
    compared: usize,
    answers: usize,
}

impl Tour<'_> {
    fn look(&mut self, route: &str, html: &str) {
        self.answers += 1;
        let (page, text) = (is_page(html), squeezed(html));
        self.wanted.retain(|wanted| {
            (wanted.alone && page)
                || wanted.route.is_some_and(|only| !route.to_lowercase().starts_with(only))
                || !wanted.proofs.iter().any(|proof| text.contains(proof))
        });
    }

    fn look_at(&mut self, row: &Row, answer: &Answer) {
        if answer.header("content-type").starts_with("text/html") && !(300..400).contains(&answer.status) {
            self.look(&format!("{} {}", row.method, row.path), &answer.text());
        }
    }

    /// What a browser is shown until it is put away.
    fn shown(&mut self, mut browser: Browser, walk: impl FnOnce(&mut Browser)) {
        browser.keep();
        walk(&mut browser);
        for (asked, html) in browser.kept() {
            self.look(&asked, &html);
        }
    }

    fn person(&mut self, person: &Person, walk: impl FnOnce(&mut Browser)) {
        self.shown(self.app.browser(person), walk);
    }

    /// A part that is fetched alone stands in its page, word for word, or has the same fields.
    fn compare(&mut self, row: &Row, page: &Answer, part: &Answer) {
        let shows =
            |answer: &Answer| answer.status == 200 && answer.header("content-type").starts_with("text/html");
        let (whole, alone) = (page.text(), part.text());
        if !shows(page) || !shows(part) || !is_page(&whole) || is_page(&alone) {
            return;
        }
        let same = if INLINE.contains(&row.path) {
            !fields(&alone).is_empty() && fields(&alone) == fields(&whole)
        } else {
            squeezed(&whole).contains(&squeezed(&alone))
        };
        self.compared += 1;
        if !same {
            self.differ.push(row.path.to_owned());
        }
    }

    /// Every address, as a page and alone; with a form that its handler reads, and with an empty one.
    fn every_row(&mut self, person: &Person, toured: impl Fn(&Row) -> bool) {
        let app = self.app;
        let standing = Things::make(app, &app.people, app.clients.own);
        let common = common(app);
        let mut browser = app.browser(person);
        for row in rows().filter(|row| toured(row)) {
            if row.method == "get" {
                let path = filled(row, &standing, &common);
                let answers = [false, true].map(|part| ask(&mut browser, row, &path, part));
                answers.iter().for_each(|answer| self.look_at(row, answer));
                self.compare(row, &answers[0], &answers[1]);
            } else if row.path != "/sign-out" {
                for part in [false, true] {
                    let things = Things::make_for(app, &app.people, app.clients.own, row);
                    let path = filled(row, &things, &common);
                    let empty = browser.post(&path, &[]);
                    self.look_at(row, &empty);
                    let answer = ask(&mut browser, row, &path, part);
                    self.look_at(row, &answer);
                }
            }
        }
    }
}

#[test]
fn every_template_is_drawn_and_a_part_is_the_same_as_in_its_page() {
    let app = TestApp::spawn_with_jobs();
    let mut tour = Tour { app: &app, wanted: wanted(), differ: Vec::new(), compared: 0, answers: 0 };
    let all = tour.wanted.len();
    tour.every_row(&app.people.lead, |row| !row.path.starts_with("/admin"));
    tour.every_row(&app.people.administrator, |row| row.path.starts_with("/admin"));
    ways_in(&mut tour);
    nothing_yet(&mut tour);
    wizard(&mut tour);
    sections(&mut tour);
    news(&mut tour);
    procedure(&mut tour);
    requests(&mut tour);
    report(&mut tour);
    imported(&mut tour);
    library(&mut tour);
    shelf(&mut tour);
    println!("{} answers drew {} of {all} templates and blocks", tour.answers, all - tour.wanted.len());
    let missing: Vec<&str> = tour.wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    assert_eq!(missing, Vec::<&str>::new(), "never drawn");
    assert_eq!(tour.differ, Vec::<String>::new(), "the part differs from what stands in its page");
    assert!(tour.compared >= 15, "{} parts compared with their pages", tour.compared);
}

/// Signing in, the second factor, and an invitation.
fn ways_in(tour: &mut Tour<'_>) {
    let app = tour.app;
    // Posted after the session ended, without scripts.
    let standard = app.browser(&app.people.standard);
    tour.shown(standard, |b| {
        let path = app.engagement(1).procedure_path(0);
        b.open(&path).fill("red_notes", "Typed before the session ended");
        app.superuser()
            .batch_execute("SET session_replication_role = replica; DELETE FROM sessions")
            .unwrap();
        b.press("Save").expect(401);
    });
    let visitor = app.visitor();
    tour.shown(visitor, |b| {
        b.open("/sign-in").fill("E-mail", &app.people.second.email).fill("Password", "wrong");
        b.press("Sign in").expect(422);
        b.fill("E-mail", &app.people.second.email).fill("Password", PASSWORD).press("Sign in").expect(200);
        b.open("/account/two-factor").expect(200);
        let secret = TotpSecret::from_words(&b.texts("#words")[0]).unwrap();
        b.fill("Code", "000000").press("Set up").expect(422);
        let code = secret.code_at(app.clock.now().timestamp());
        b.fill("Code", &code).press("Set up").expect(200).see("They are shown this once");
        b.open("/account").expect(200);
        b.open("/account/two-factor/removal").expect(200);
    });
    let visitor = app.sign_in(&app.people.second);
    tour.shown(visitor, |b| {
        b.open("/sign-in/code").fill("Code", "000000").press("Sign in").expect(422);
    });
    let mut link = String::new();
    tour.person(&app.people.administrator, |b| {
        b.open("/admin/users/new").fill("Name", hostile!("Nia Berg")).fill("E-mail", "nia@tyrian.example");
        b.press("Create and make the link").expect(200);
        link = b.texts("#link")[0].clone();
        b.open("/admin/users?q=nobody-is-called-that").expect(200);
    });
    let path = link.split_once("/link/").unwrap().1.to_owned();
    let visitor = app.visitor();
    tour.shown(visitor, |b| {
        b.open(&format!("/link/{path}")).expect(200);
    });
}

/// What somebody sees who has nothing to see.
fn nothing_yet(tour: &mut Tour<'_>) {
    for person in [&tour.app.people.bare, &tour.app.people.outsider] {
        tour.person(person, |b| {
            for path in ["/", "/clients", "/engagements", "/schedule", "/schedule?view=list", "/reports"] {
                b.open(path);
            }
            b.open("/nowhere").expect(404);
        });
    }
}

/// Plans an engagement from its first step to its last, each step as a page and alone.
fn wizard(tour: &mut Tour<'_>) {
    let lead = &tour.app.people.lead;
    let first = tour.app.texts("SELECT name FROM library_procedures ORDER BY name LIMIT 1").remove(0);
    tour.person(lead, |b| {
        let alone = |b: &mut Browser| {
            let path = b.path().to_owned();
            b.get_fragment(&path);
        };
        b.open("/engagements/new").expect(200);
        alone(b);
        b.press("Next: Engagement Details").expect(422);
        b.choose("Client", OWN).press("Next: Engagement Details").expect(200);
        alone(b);
        b.press("Next: Select Procedures").expect(422);
        b.fill("Title", hostile!("Winter purple team")).press("Next: Select Procedures").expect(200);
        b.press(&format!("Add {first}")).expect(200);
        alone(b);
        b.press("Next: Finalize").expect(200);
        alone(b);
        b.press("Create Engagement").expect(200);
    });
}

/// A technique of one's own; a test plan that was used and changed since, and what an older version differs
/// in.
fn library(tour: &mut Tour<'_>) {
    let app = tour.app;
    let id = plan(app);
    let others = app.texts("SELECT id::text FROM library_procedures ORDER BY name DESC LIMIT 1").remove(0);
    tour.person(&app.people.lead, |b| {
        b.open("/library/techniques/OWN-T1").expect(200);
        b.open(&format!("/engagements/new?plan={id}")).choose("Client", OWN);
        b.press("Next: Engagement Details")
            .press("Next: Select Procedures")
            .press("Next: Finalize")
            .expect(200);
        b.press("Create Engagement").expect(200);
        let fields = [
            ("title", hostile!("Plan, changed")),
            ("version", "1"),
            ("chosen", others.as_str()),
            ("do", "save"),
        ];
        assert_eq!(b.post(&format!("/test-plans/{id}/edit"), &fields).status, 303);
        b.open(&format!("/test-plans/{id}")).expect(200).see("Last used on");
        b.open(&format!("/test-plans/{id}/versions")).expect(200);
        b.open(&format!("/test-plans/{id}/versions/1")).expect(200);
        b.open(&format!("/test-plans/{id}/versions/2")).expect(200);
    });
    let tag = app.texts("SELECT tags[1] FROM test_plans WHERE tags <> '{}' LIMIT 1").remove(0);
    tour.person(&app.people.administrator, |b| {
        b.open(&format!("/admin/tags/rename?tag={tag}")).expect(200).see("Rename a tag");
    });
}

/// The engagement's page with all its sections, each section alone, and the control in place of a value.
fn sections(tour: &mut Tour<'_>) {
    let app = tour.app;
    let ids = Things::make(app, &app.people, app.clients.own).ids;
    let (engagement, procedure) = (&ids["id"], ids["pid"].parse::<ProcedureId>().unwrap());
    let key = procedure.short_key();
    let report = app.texts(&format!("SELECT id FROM reports WHERE engagement_id = '{engagement}'")).remove(0);
    tour.person(&app.people.lead, |b| {
        b.open(&format!("/engagements/{engagement}?open=all")).expect(200);
        for part in Part::ALL {
            b.get_fragment(&format!("/engagements/{engagement}/sections/{}", part.as_str()));
        }
        b.get_fragment(&format!("/engagements/{engagement}/cell?status={key}"));
        // Nothing is logged, nothing submitted yet.
        b.open(&format!("{}?open=all", app.engagement(1).path())).expect(200);
        b.open(&format!("/reports/{report}?open=all")).expect(200);
    });
}

/// Files that go into the library, one that does not, and what comes of them there.
fn imported(tour: &mut Tour<'_>) {
    use crate::imports::{bundle, copied, repository, tests, upload};
    let app = tour.app;
    let own = repository(app, "OWN", "open", &[]);
    tour.person(&app.people.lead, |b| {
        upload(b, "broken.yaml", b"attack_technique: [", "").see("Cannot be read");
        let file = tests("T9001", &[(hostile!("Alpha"), "id", 1), ("Beta", "w", 2)]);
        upload(b, "first.yaml", file.as_bytes(), "").press("Apply").expect(200);
        let page = b.path().to_owned();
        b.get_fragment(&page);
        b.open(&format!("{page}/undo")).expect(200);
        copied(app, &own, "Beta");
        let changed = tests("T9001", &[("Beta", "id -u", 2)]);
        upload(b, "second.yaml", changed.as_bytes(), "").press("Apply").expect(200);
        b.open("/library/copies").click("Compare OWN-1").expect(200);
        let heirs = [("T9011", "One", "stealth", ""), ("T9012", "Two", "stealth", "")];
        let old = bundle("30.0", &[("T9001", "Old", "execution", "")], &[]);
        let new = [&[("T9001", "Old", "execution", r#","revoked":true"#)], &heirs[..]].concat();
        let new = bundle("31.0", &new, &[("T9001", "T9011"), ("T9001", "T9012")]);
        for release in [old, new] {
            upload(b, "release.json", release.as_bytes(), "").press("Apply").expect(200);
        }
        b.open("/library/releases").expect(200);
    });
}

/// The editor of a library procedure with its parts alone, two versions, and what an engagement gives back.
fn shelf(tour: &mut Tour<'_>) {
    let app = tour.app;
    let (_, shelved) = private_shelf(app);
    let at = format!("/library/procedures/{shelved}");
    let mut browser = app.browser(&app.people.lead);
    let alone = [("HX-Request", "true"), ("HX-Request-Type", "partial")];
    for (act, technique) in
        [("look", ""), ("preview", ""), ("find", "shadow"), ("reference", ""), ("add:step", ""), ("save", "")]
    {
        let form = [
            ("version", "1"),
            ("name", "Written anew"),
            ("technique", "T1059"),
            ("technique_q", technique),
            ("step", "s"),
            ("step.s.kind", "step"),
            ("step.s.description", "Do #{it} on #{host}"),
            ("do", act),
        ];
        let answer = browser.post_with(&format!("{at}/edit"), &form, &alone);
        tour.look("post /library/procedures/{shelved}/edit", &answer.text());
    }
    let ids = Things::make(app, &app.people, app.clients.own).ids;
    let procedure = format!("/engagements/{}/procedures/{}", ids["id"], ids["pid"]);
    browser.post(&procedure, &[("version", "1"), ("recommendation", "Keep 10.9.8.7 apart.")]);
    tour.person(&app.people.lead, |b| {
        b.open(&format!("{at}/versions")).expect(200);
        b.open(&format!("{at}/edit")).expect(200);
        b.open(&format!("{procedure}/library")).expect(200).see("10.9.8.7");
    });
}

/// What an open audit log hears of new events.
fn news(tour: &mut Tour<'_>) {
    let app = tour.app;
    tour.person(&app.people.administrator, |b| {
        b.open("/admin/audit-log?category=clients").expect(200);
        let asks = b.attribute("#news", "hx-get").unwrap();
        app.asset(app.clients.own, hostile!("files01"));
        b.get_fragment(&asks);
    });
}

/// Two people on one procedure: a draft, what both wrote, and what others saved meanwhile.
fn procedure(tour: &mut Tour<'_>) {
    let app = tour.app;
    let e = app.engagement(2);
    let path = e.procedure_path(0);
    let typed = hostile!("from red");
    tour.person(&app.people.standard, |b| {
        b.open(&path).expect(200);
        b.fill("Attack source", typed).fill("red_notes", typed).choose("red_outcome", "Success");
        b.choose("blue_outcome", "Prevented and Alerted");
        b.fill("executed_at", "2026-11-20T07:00:00").fill("detected_at", "2026-11-20T07:10:00");
        b.press("Save").expect(200);
    });
    tour.person(&app.people.analyst, |b| {
        b.get_fragment(&format!("{path}/fresh"));
    });
    tour.person(&app.people.lead, |b| {
        b.open(&format!("{}?open=outcomes", e.path())).see("contradicts itself");
    });
    let (mut one, mut two) = (app.browser(&app.people.standard), app.browser(&app.people.lead));
    one.open(&path);
    two.keep();
    two.open(&path);
    one.fill("Attack source", hostile!("one")).press("Save").expect(200);
    two.fill("Attack source", hostile!("two")).press("Save").expect(409);
    for (asked, html) in two.kept() {
        tour.look(&asked, &html);
    }
    let lead = &app.people.lead;
    let (mut one, mut two) = (app.browser(&app.people.lead), app.browser(&app.people.custom));
    one.open(&format!("{}/edit", e.path()));
    two.keep();
    two.open(&format!("{}/edit", e.path()));
    one.fill("Objective", hostile!("one")).press("Save").expect(200);
    two.fill("Objective", hostile!("two")).press("Save").expect(409);
    for (asked, html) in two.kept() {
        tour.look(&asked, &html);
    }
    let client = app.clients.own;
    tour.person(lead, |b| {
        let place = "/account/drafts?place=/clients/new%23new";
        assert_eq!(b.post(&format!("{place}&tab=one"), &[("name", hostile!("typed"))]).status, 200);
        b.get_fragment(place);
        b.open(&format!("{}/queue?queue=mine", e.path()));
        for (contacts, status) in [(hostile!("At night"), 303), (hostile!("By day"), 409)] {
            let typed = [("contacts", contacts), ("version", "1")];
            assert_eq!(b.post(&format!("/clients/{client}/edit"), &typed).status, status);
            if status == 303 {
                b.open(&format!("/clients/{client}"));
            }
        }
    });
}

/// A request, its approval step by step, and the views of the schedule.
fn requests(tour: &mut Tour<'_>) {
    let app = tour.app;
    tour.person(&app.people.analyst, |b| {
        b.open("/schedule/request").choose("Client", OWN).press("Send request").expect(422);
        b.fill("Title", "New hall").fill("start_date", "2026-11-25").press("Send request").expect(200);
    });
    let id = app.texts("SELECT id FROM engagements WHERE title = 'New hall'").remove(0);
    app.plan(app.clients.own, &Plan { start: "2026-11-18".parse().ok(), ..Plan::default() });
    tour.person(&app.people.lead, |b| {
        b.open("/schedule/requests").expect(200);
        b.open(&format!("/engagements/{id}/approval")).expect(200);
        for _ in 0..3 {
            b.press("Next").expect(200);
        }
        b.press("Schedule & create report").expect(200);
        for view in ["calendar", "list", "availability", "calendar&day=2026-11-25"] {
            b.open(&format!("/schedule?view={view}")).expect(200);
            b.get_fragment(&format!("/schedule?view={view}"));
        }
        b.get_fragment(&format!("/schedule/{id}"));
        b.open(&format!("/schedule/{id}")).expect(200);
    });
}

/// A report on its way, with what both people wrote into it.
fn report(tour: &mut Tour<'_>) {
    let app = tour.app;
    let e = app.submitted(app.clients.own);
    let path = format!("/reports/{}", e.report);
    let (mut one, mut two) = (app.browser(&app.people.standard), app.browser(&app.people.lead));
    two.keep();
    one.open(&format!("{path}/edit"));
    two.open(&format!("{path}/edit"));
    one.fill("Conclusion", hostile!("one")).press("Save").expect(200);
    two.fill("Conclusion", hostile!("two")).press("Save").expect(409);
    two.press("Keep mine").expect(200);
    two.open(&format!("{path}/edit")).press("Preview").expect(200);
    two.open(&format!("{path}?open=all")).expect(200);
    two.get_fragment(&format!("{path}/sections/outcomes"));
    two.get_fragment(&format!("{path}/sections/timeline"));
    two.get_fragment(&format!("{path}/sections/procedures"));
    two.get_fragment(&format!("{path}/procedures/1"));
    for (asked, html) in two.kept() {
        tour.look(&asked, &html);
    }
}
