//! Every row of the route table, asked for by every kind of person, as a page and as a fragment, with an id
//! of their own client, of a foreign one and of none; compared with `matrix/`. `TYRIAN_UPDATE_MATRIX=1`
//! writes it anew: read the diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use tyrian::kernel::authz::Shelf;
use tyrian::kernel::base::ids::{AssetId, ClientId};
use tyrian::kernel::db::WriteTx;
use tyrian::kernel::event::domain::Actor;
use tyrian::kernel::web::measure;
use tyrian::kernel::web::route::{Access, Row};
use tyrian::library::domain::{ProcedureBody, Step};
use tyrian::library::repository::Part;
use tyrian::library::store::plans::{PlanContent, insert_plan};
use tyrian::library::store::repositories::{PartChange, RepositoryText, insert_repository};
use tyrian::library::store::terms;
use tyrian::library::store::writing::{insert_copy, insert_procedure, tag};
use tyrian::library::terms::{TermKind, TermText};
use tyrian::server::rows;
use uuid::Uuid;

use super::edge::assert_headers;
use crate::harness::TestApp;
use crate::harness::browser::{Answer, Browser};
use crate::harness::fixtures::{
    ANN, Engagement, LONG, OWN, People, Person, Plan, client_like, hostile, plan_engagement,
};

/// The most statements of any page, the lookup of its session among them.
const PAGE_STATEMENTS: u64 = 12;

/// What the placeholders of a path stand for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Target {
    /// Of the client that most people have access to.
    Own,
    /// Of the client that only the outsider has access to.
    Foreign,
    Missing,
}

/// A client with everything that ids can name.
pub(super) struct Things {
    pub(super) ids: BTreeMap<&'static str, String>,
}

/// Rows that a fresh target is made for at every call, because calls change it.
fn changes(row: &Row) -> bool {
    row.method == "post"
}

impl Things {
    /// Everything that any path names.
    pub(super) fn make(app: &TestApp, people: &People, like: ClientId) -> Self {
        Self::of(app, people, like, |_| true)
    }

    /// What a row's path names, and what that hangs on.
    pub(super) fn make_for(app: &TestApp, people: &People, like: ClientId, row: &Row) -> Self {
        Self::of(app, people, like, |name| row.path.contains(name))
    }

    fn of(app: &TestApp, people: &People, like: ClientId, named: impl Fn(&str) -> bool) -> Self {
        let client = client_like(&app.app, &format!("{OWN} {}", Uuid::now_v7()), like);
        let engagement =
            plan_engagement(&app.app, client, &Plan { procedures: 2, ..Plan::default() }, people);
        let asset = app.asset(client, hostile!("mail01"));
        let step = app
            .texts(&format!(
                "SELECT body->'steps'->0->>'id' FROM procedures WHERE id = '{}'",
                engagement.procedures[0]
            ))
            .remove(0);
        let mut ids = BTreeMap::from([
            ("client", client.to_string()),
            ("asset", asset.to_string()),
            ("spare", app.asset(client, hostile!("spare01")).to_string()),
            ("id", engagement.id.to_string()),
            ("engagement", engagement.id.to_string()),
            ("pid", engagement.procedures[0].to_string()),
            ("step", step),
            ("user", people.custom.id.to_string()),
            ("person", people.custom.id.to_string()),
        ]);
        if ["{entry}", "{attachment}", "{asset}"].into_iter().any(&named) {
            ids.extend(parts(app, &engagement, asset, app.worker(client)));
        }
        if named("{report}") {
            let reported = app.submitted(client);
            ids.insert("report", reported.report.to_string());
            ids.insert("reported", reported.procedures[0].to_string());
            let finding = format!("SELECT id FROM findings WHERE report_id = '{}'", reported.report);
            ids.insert("finding", app.texts(&finding).remove(0));
        }
        Self { ids }
    }

    /// The same names, of nothing.
    fn missing(&self) -> Self {
        Self { ids: self.ids.keys().map(|name| (*name, Uuid::now_v7().to_string())).collect() }
    }
}

/// Log entry, attachment and asset of the first procedure, as their author adds them on its page.
fn parts(
    app: &TestApp,
    engagement: &Engagement,
    asset: AssetId,
    author: &Person,
) -> BTreeMap<&'static str, String> {
    let (mut browser, at) = (app.browser(author), engagement.procedure_path(0));
    let entry = [("team", "red"), ("text", LONG.as_str()), ("starts_at", "2026-11-20T08:00:00")];
    let file = format!(
        "--x\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\n{}\r\n--x\r\ncontent-disposition: \
        form-data; name=\"file\"; filename=\"{}\"\r\n\r\nx\r\n--x--\r\n",
        hostile!("Shot"),
        "<x-typed> 'x-typed &amp;.png"
    );
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("origin", app.base.as_str())];
    let answers = [
        browser.post(&format!("{at}/logs"), &entry),
        browser.send("POST", &format!("{at}/attachments?team=red"), &headers, file.as_bytes()),
        browser.post(&format!("{at}/assets"), &[("asset", &asset.to_string())]),
    ];
    for answer in answers {
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
    let id = |table: &str| {
        let of = format!("SELECT id FROM {table} WHERE procedure_id = '{}'", engagement.procedures[0]);
        app.texts(&of).remove(0)
    };
    let log = id("log_entries");
    BTreeMap::from([("log", log.clone()), ("entry", log), ("attachment", id("attachments"))])
}

/// Ids that belong to no client.
pub(super) fn common(app: &TestApp) -> BTreeMap<&'static str, String> {
    let first = |sql: &str| app.texts(sql).into_iter().next().unwrap_or_else(|| Uuid::nil().to_string());
    let (methodology, tactic) = own_terms(app);
    let (shelf, shelved) = private_shelf(app);
    BTreeMap::from([
        ("import", import_into(app, &shelf)),
        ("copy", copy_in(app, &shelf)),
        ("shelf", shelf),
        ("shelved", shelved),
        ("plan", first("SELECT id FROM test_plans ORDER BY title LIMIT 1")),
        ("procedure", first("SELECT id FROM library_procedures ORDER BY name LIMIT 1")),
        ("technique", "T1059".to_owned()),
        ("tactic", "TA0002".to_owned()),
        ("repository", first("SELECT id FROM repositories ORDER BY name LIMIT 1")),
        ("path", "app.css".to_owned()),
        ("token", "0".repeat(48)),
        ("word", "tick".to_owned()),
        ("side", "red".to_owned()),
        ("team", "red".to_owned()),
        ("section", "overview".to_owned()),
        ("job", "session-sweep".to_owned()),
        ("name", "session-sweep".to_owned()),
        ("draft", Uuid::now_v7().to_string()),
        ("field", "status".to_owned()),
        ("session", Uuid::nil().to_string()),
        ("role", first("SELECT id FROM roles WHERE key = 'auditor'")),
        ("outcome", "success".to_owned()),
        ("act", "two-factor".to_owned()),
        ("noted", "over".to_owned()),
        ("n", "1".to_owned()),
        ("part", "timeline".to_owned()),
        ("methodology", methodology),
        ("term", tactic),
    ])
}

/// Forms that a row's handler can read, so that the right is judged and not the form. Without an entry the
/// form is empty.
const FORMS: &[(&str, &[(&str, &str)])] = &[
    ("/sign-in", &[("email", "nobody@tyrian.example"), ("password", "wrong wrong wrong")]),
    ("/account/password", &[("current", "wrong"), ("password", "a sentence nobody guesses")]),
    ("/account/theme", &[("theme", "dark")]),
    ("/account/shortcuts", &[("shortcuts", "true")]),
    ("/sign-in/code", &[("code", "000000")]),
    ("/account/proof", &[("password", "wrong wrong wrong")]),
    ("/account/two-factor", &[("sealed", "00"), ("code", "000000")]),
    (
        "/admin/settings",
        &[
            ("organisation_name", ""),
            ("time_zone", "UTC"),
            ("idle_minutes", "30"),
            ("two_factor_rule", "optional"),
            ("write_rule", "everyone"),
            ("approval_rule", "anyone"),
            ("audit_days", "120"),
            ("version", "1"),
        ],
    ),
    ("/admin/settings/outcomes", &[("team", "red"), ("label", "")]),
    ("/admin/settings/outcomes/{outcome}", &[("label", "")]),
    ("/admin/users/new", &[("name", ""), ("email", "")]),
    ("/admin/users/{user}", &[("name", ""), ("email", ""), ("version", "1")]),
    ("/admin/roles/new", &[("name", "")]),
    ("/admin/roles/{role}", &[("name", "")]),
    ("/library/methodologies/new", &[("name", "Own {once}"), ("short_name", "{once}")]),
    ("/library/tactics/new", &[("name", ""), ("version", "0")]),
    ("/library/techniques/new", &[("name", ""), ("version", "0")]),
    ("/library/terms/{term}/edit", &[("name", "Another name"), ("version", "1"), ("parents", "")]),
    ("/clients/new", &[("name", "New client {once}")]),
    ("/clients/{client}/edit", &[("name", "Renamed client {once}"), ("version", "1")]),
    ("/clients/{client}/assets/new", &[("name", "web01"), ("kind", "server"), ("criticality", "high")]),
    (
        "/library/repositories/new",
        &[("name", "New repository {once}"), ("prefix", "{short}"), ("type", "open")],
    ),
    ("/library/repositories/{shelf}/edit", &[("version", "1"), ("description", "Another one")]),
    (
        "/library/repositories/{shelf}/copy",
        &[("name", "Copy {once}"), ("prefix", "{short}"), ("type", "open")],
    ),
    ("/library/repositories/{shelf}/delete", &[("with_procedures", "yes")]),
    (
        "/library/procedures/{shelved}/edit",
        &[
            ("version", "1"),
            ("name", "Another name"),
            ("step", "s"),
            ("step.s.kind", "step"),
            ("step.s.description", "Do it otherwise"),
            ("do", "save"),
        ],
    ),
    ("/library/procedures/{shelved}/restoration", &[("version", "1"), ("seen", "1")]),
    ("/library/procedures/ticked", &[("do", "retire")]),
    ("/engagements/{id}/sections", &[("overview", "open")]),
    ("/engagements/{id}/procedures/{pid}/cell/{field}", &[("value", "in_progress"), ("base", "1")]),
    ("/engagements/{id}/edit", &[("version", "1"), ("title", "Another title")]),
    ("/engagements/{id}/cancellation", &[("reason", "Called off by the client")]),
    ("/engagements/{engagement}/submit", &[("incomplete", "on")]),
    ("/engagements/{id}/procedures/{pid}", &[("version", "1"), ("blue_notes", "Seen")]),
    ("/engagements/{id}/declination", &[("reason", "Not this year")]),
    ("/engagements/{id}/approval", &[("do", "approve")]),
    ("/library/copies/{copy}", &[("version", "1"), ("origin_version", "2")]),
    ("/reports/{report}/edit", &[("version", "1"), ("title", "Another title")]),
    ("/reports/{report}/move", &[("from", "draft"), ("to", "ready_for_review")]),
    (
        "/reports/{report}/findings/{finding}",
        &[("version", "1"), ("title", "Another title"), ("severity", "low")],
    ),
    ("/reports/{report}/findings/{finding}/place", &[("to", "down")]),
    ("/reports/{report}/findings/{finding}/remediation", &[("version", "1"), ("state", "fixed")]),
    (
        "/reports/{report}/procedures/{pid}/correction",
        &[("team", "blue"), ("outcome", "no_evidence"), ("reason", "Found later")],
    ),
    (
        "/engagements/{id}/procedures/{pid}/logs",
        &[("team", "blue"), ("text", "Seen"), ("starts_at", "2026-11-20T08:00:00")],
    ),
    (
        "/engagements/{id}/procedures/{pid}/logs/{entry}",
        &[("text", "Ran it again"), ("starts_at", "2026-11-20T08:00:00"), ("version", "1")],
    ),
    ("/engagements/{id}/attachments/{attachment}/edit", &[("title", "Shot 2"), ("version", "1")]),
    (
        "/engagements/{id}/procedures/{pid}/assets/create",
        &[("name", "db01"), ("kind", "server"), ("criticality", "low")],
    ),
    (
        "/clients/{client}/assets/{asset}",
        &[("name", "web02"), ("kind", "server"), ("criticality", "high"), ("version", "1")],
    ),
];

/// What an address asks besides its path.
const QUERIES: &[(&str, &str)] = &[
    ("/engagements/{id}/procedures/{pid}/logs/new", "?team=blue"),
    ("/engagements/{id}/procedures/{pid}/attachments", "?team=blue"),
    ("/engagements/{id}/procedures/{pid}/attachments/new", "?team=blue"),
    ("/engagements/{id}/cell", "?field=status"),
    ("/reports/{report}/move", "?to=ready_for_review"),
    ("/reports/{report}/procedures/{pid}/correction", "?team=blue"),
];

/// Placeholders of a path, by their names.
fn placeholders(path: &'static str) -> Vec<&'static str> {
    path.split('{').skip(1).map(|part| part.split('}').next().unwrap().split(':').next().unwrap()).collect()
}

/// Whether what a path names belongs to a client.
fn is_clients(path: &'static str, things: &Things) -> bool {
    placeholders(path).iter().any(|name| things.ids.contains_key(name))
}

pub(super) fn filled(row: &Row, things: &Things, common: &BTreeMap<&'static str, String>) -> String {
    let mut path = String::new();
    for (n, part) in row.path.split('{').enumerate() {
        if n == 0 {
            path.push_str(part);
            continue;
        }
        let (name, rest) = part.split_once('}').unwrap();
        let name = name.split(':').next().unwrap();
        let value = alias(row.path, name, things).or_else(|| common.get(of_nobody(row.path, name)));
        path.push_str(
            value.unwrap_or_else(|| panic!("{}: the matrix does not know what {{{name}}} is", row.path)),
        );
        path.push_str(rest);
    }
    path.push_str(QUERIES.iter().find(|(known, _)| *known == row.path).map_or("", |(_, query)| query));
    path
}

/// `{id}` is the thing that the path is about.
fn alias<'a>(path: &str, name: &str, things: &'a Things) -> Option<&'a String> {
    let meant = match (path.split('/').nth(1)?, name) {
        ("admin", "access") => "client",
        ("reports", "pid") => "reported",
        ("clients", "id") => "client",
        // Nothing hangs on it, so that deleting it is judged by the right alone.
        ("clients", "asset") => "spare",
        ("test-plans" | "library", _) => return None,
        ("engagements", "procedure") => "pid",
        _ => name,
    };
    things.ids.get(meant)
}

/// The name in [`common`] of an `{id}` that belongs to no client.
fn of_nobody(path: &'static str, name: &'static str) -> &'static str {
    match (path, name) {
        (path, "id") if path.starts_with("/test-plans") => "plan",
        (path, "id") if path.starts_with("/library/procedures") => "procedure",
        (path, "id") if path.starts_with("/library/techniques") => "technique",
        (path, "id") if path.starts_with("/library/repositories") => "repository",
        _ => name,
    }
}

/// A methodology of one's own and its tactic, under which a technique stands: in use, so that deleting it is
/// refused and it stays for the next who asks.
fn own_terms(app: &TestApp) -> (String, String) {
    let there =
        app.texts("SELECT id::text FROM terms WHERE short_name IN ('Own', 'own-tactic') ORDER BY kind");
    if let [methodology, tactic] = &there[..] {
        return (methodology.clone(), tactic.clone());
    }
    let made = |kind: TermKind, short_name: &str, parents: Vec<Uuid>| {
        let text = TermText {
            name: format!("{} {}", hostile!("Term"), short_name),
            short_name: short_name.to_owned(),
            description: LONG.chars().take(2_000).collect(),
            parents,
            tags: vec![hostile!("term").to_lowercase()],
        };
        app.db.write_blocking(&Actor::command(), |tx| terms::insert(tx, kind, &text)).unwrap()
    };
    let methodology = made(TermKind::Methodology, "Own", Vec::new());
    let tactic = made(TermKind::Tactic, "own-tactic", vec![methodology.0]);
    made(TermKind::Technique, "OWN-T1", vec![tactic.0]);
    (methodology.to_string(), tactic.to_string())
}

/// A test plan that may be changed and deleted.
pub(super) fn plan(app: &TestApp) -> String {
    let first = app.texts("SELECT id FROM library_procedures ORDER BY name LIMIT 1").remove(0);
    let content = PlanContent {
        title: format!("{} {}", hostile!("Plan"), Uuid::now_v7()),
        description: LONG.clone(),
        tags: vec![hostile!("plan").to_owned()],
        procedures: vec![first.parse().unwrap()],
    };
    let id =
        app.db.write_blocking(&Actor::command(), |tx| insert_plan(tx, Shelf::whole(), &content)).unwrap();
    id.to_string()
}

/// A private repository whose editor is the lead and whose viewer the Standard User, and a procedure in it:
/// everybody else is a stranger to both.
pub(super) fn private_shelf(app: &TestApp) -> (String, String) {
    let text = RepositoryText {
        name: format!("{} {}", hostile!("Shelf"), Uuid::now_v7()),
        prefix: Uuid::now_v7().simple().to_string()[24..].to_uppercase(),
        description: hostile!("About it").to_owned(),
        kind: "private".to_owned(),
    };
    let part = |person: &Person, part| PartChange { person: person.id, had: None, chosen: Some(part) };
    let parts = [part(&app.people.lead, Part::Editor), part(&app.people.standard, Part::Viewer)];
    let write = |tx: &mut WriteTx<'_>| insert_repository(tx, Shelf::whole(), &text, &parts);
    let shelf = app.db.write_blocking(&Actor::command(), write).unwrap();
    let step = Step {
        id: "s".to_owned(),
        description: hostile!("Do it").to_owned(),
        command: Some("run #{it}".to_owned()),
        ..Step::default()
    };
    let body =
        ProcedureBody { name: hostile!("Private").to_owned(), steps: vec![step], ..ProcedureBody::default() };
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), shelf, body);
    let (shelved, _) = app.db.write_blocking(&Actor::command(), write).unwrap();
    (shelf.to_string(), shelved.to_string())
}

/// An import that goes into a private repository, uploaded by its editor and checked.
pub(super) fn import_into(app: &TestApp, shelf: &str) -> String {
    let number = u32::from_str_radix(&Uuid::now_v7().simple().to_string()[24..], 16).unwrap();
    let file = crate::imports::tests("T1003", &[(hostile!("Alpha"), "id", number)]);
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"repository\"\r\n\r\n{shelf}\r\n--x\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"T1003.yaml\"\r\n\r\n{file}\r\n--x--\r\n"
    );
    let mut lead = app.browser(&app.people.lead);
    let headers = [("content-type", "multipart/form-data; boundary=x"), ("origin", app.base.as_str())];
    let answer = lead.send("POST", "/library/import", &headers, body.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.text());
    let page = answer.header("location").to_owned();
    crate::imports::until_checked(lead.open(&page));
    page.rsplit('/').next().unwrap().to_owned()
}

/// A copy whose original has changed since, both in a private repository.
pub(super) fn copy_in(app: &TestApp, shelf: &str) -> String {
    let shelf = shelf.parse().unwrap();
    let body = |name: &str| {
        let step = Step { id: "s".to_owned(), command: Some("run".to_owned()), ..Step::default() };
        ProcedureBody { name: name.to_owned(), steps: vec![step], ..ProcedureBody::default() }
    };
    let write = |tx: &mut WriteTx<'_>| insert_procedure(tx, Shelf::whole(), shelf, body("Original"));
    let (original, _) = app.db.write_blocking(&Actor::command(), write).unwrap();
    let copied = Some((original, 1));
    let write = |tx: &mut WriteTx<'_>| insert_copy(tx, Shelf::whole(), shelf, body("Copy"), copied);
    let (copy, _) = app.db.write_blocking(&Actor::command(), write).unwrap();
    let write = |tx: &mut WriteTx<'_>| tag(tx, Shelf::whole(), &[original], &["newer".to_owned()], true);
    app.db.write_blocking(&Actor::command(), write).unwrap();
    copy.to_string()
}

/// One word for an answer.
fn word(answer: &Answer) -> String {
    let location = answer.header("location");
    match answer.status {
        303 if location.starts_with("/sign-in") => "sign-in".into(),
        401 if answer.header("hx-redirect").starts_with("/sign-in") => "sign-in".into(),
        status => status.to_string(),
    }
}

pub(super) fn ask(browser: &mut Browser, row: &Row, path: &str, fragment: bool) -> Answer {
    let headers: &[(&str, &str)] =
        if fragment { &[("HX-Request", "true"), ("HX-Request-Type", "partial")] } else { &[] };
    if row.method == "get" {
        // A stream of events never ends: its head is the answer.
        return if row.path.ends_with("/events") {
            browser.head_of(path, headers)
        } else {
            browser.send("GET", path, headers, b"")
        };
    }
    let fields = FORMS.iter().find(|(known, _)| *known == row.path).map_or(&[][..], |(_, fields)| fields);
    // Names must differ from call to call.
    let once = Uuid::now_v7().to_string();
    let short = once.split('-').next_back().unwrap()[4..].to_uppercase();
    let fields: Vec<(&str, String)> = fields
        .iter()
        .map(|(name, value)| (*name, value.replace("{once}", &once).replace("{short}", &short)))
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post_with(path, &fields, headers)
}

/// Whether an actor can see the target's client; whoever cannot changes nothing there.
fn has_access(actor: &str, target: Target) -> bool {
    match target {
        Target::Own => !["anonymous", "administrator", "auditor", "outsider", "bare"].contains(&actor),
        Target::Foreign => actor == "outsider",
        Target::Missing => false,
    }
}

struct Matrix<'a> {
    app: &'a TestApp,
    common: BTreeMap<&'static str, String>,
    actors: Vec<(&'static str, Option<&'a Person>)>,
    standing: BTreeMap<Target, Things>,
    /// Bodies that must not tell a foreign id from one that never was.
    told: BTreeMap<String, String>,
    /// The most statements that a call of each row sent.
    statements: BTreeMap<(&'static str, &'static str), u64>,
}

impl Matrix<'_> {
    fn browser(&self, person: Option<&Person>) -> Browser {
        person.map_or_else(|| self.app.visitor(), |person| self.app.browser(person))
    }

    /// `actor=page/fragment` for every actor.
    fn line(&mut self, row: &'static Row, target: Target) -> String {
        let mut line = String::new();
        for (actor, person) in self.actors.clone() {
            let mut words = Vec::new();
            for fragment in [false, true] {
                if changes(row) && row.path.starts_with("/test-plans/{id}") {
                    self.common.insert("plan", plan(self.app));
                }
                if changes(row) && row.path.contains("{shel") {
                    let (shelf, shelved) = private_shelf(self.app);
                    self.common.extend([("shelf", shelf), ("shelved", shelved)]);
                }
                if changes(row) && row.path.contains("{import}") {
                    let import = import_into(self.app, &self.common["shelf"]);
                    if row.path.ends_with("/undo") {
                        let mut lead = self.app.browser(&self.app.people.lead);
                        lead.post(&format!("/library/imports/{import}/apply"), &[]);
                    }
                    self.common.insert("import", import);
                }
                if changes(row) && row.path.contains("{copy}") {
                    self.common.insert("copy", copy_in(self.app, &self.common["shelf"]));
                }
                let fresh;
                let things = if target == Target::Missing {
                    fresh = self.standing[&Target::Own].missing();
                    &fresh
                } else if changes(row) && has_access(actor, target) && !placeholders(row.path).is_empty() {
                    let like =
                        if target == Target::Own { self.app.clients.own } else { self.app.clients.foreign };
                    fresh = Things::make_for(self.app, &self.app.people, like, row);
                    &fresh
                } else {
                    &self.standing[&target]
                };
                let path = filled(row, things, &self.common);
                let before = statements(row);
                let answer = ask(&mut self.browser(person), row, &path, fragment);
                let sent = statements(row) - before;
                let most = self.statements.entry((row.method, row.path)).or_default();
                *most = sent.max(*most);
                let what = format!("{} {} as {actor}", row.method, row.path);
                assert_headers(&what, &answer);
                assert!(
                    answer.status != 500 && answer.status != 503,
                    "{what}, {target:?}: {}",
                    answer.text()
                );
                self.compare(&what, target, actor, fragment, &path, &answer);
                words.push(word(&answer));
            }
            words.dedup();
            let _ = write!(line, " {actor}={}", words.join("/"));
        }
        line
    }

    /// Without access to its client a thing answers exactly as if it were not there.
    fn compare(
        &mut self,
        what: &str,
        target: Target,
        actor: &str,
        fragment: bool,
        path: &str,
        answer: &Answer,
    ) {
        if has_access(actor, target) || path.contains("/assets/app.css") {
            return;
        }
        // Ids of the request and in the address differ by nature.
        let ids: BTreeSet<&str> = path.split('/').filter(|part| part.len() == 36).collect();
        let text = answer.text();
        let mut words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
        words.retain(|word| word.len() != 36 && !ids.contains(word));
        let told = format!("{} {}", word(answer), words.join(" "));
        let known = self.told.entry(format!("{what} {fragment}")).or_insert_with(|| told.clone());
        assert_eq!(*known, told, "{what}: a foreign id and one that does not exist are told apart");
    }
}

/// Statements that all calls of a row sent so far, as `/metrics` tells them.
fn statements(row: &Row) -> u64 {
    let method = row.method.to_uppercase();
    let of = |status| measure::statements().with_label_values(&[method.as_str(), row.path, status]).get();
    ["2xx", "3xx", "4xx", "5xx"].into_iter().map(of).sum()
}

/// The parts in which the table is asked, each by a test of its own, so that they run side by side.
fn part_of(row: &Row) -> &'static str {
    match row.path {
        path if path.starts_with("/engagements/{id}/procedures/{pid}") => "procedures",
        path if path.starts_with("/engagements") => "engagements",
        _ => "others",
    }
}

fn every_route_answers_every_actor_as_the_matrix_says(part: &str) {
    let app = TestApp::spawn_with_jobs();
    let mut actors = vec![("anonymous", None)];
    actors.extend(app.people.all().into_iter().map(|(name, person)| (name, Some(person))));
    let standing = BTreeMap::from([
        (Target::Own, Things::make(&app, &app.people, app.clients.own)),
        (Target::Foreign, Things::make(&app, &app.people, app.clients.foreign)),
    ]);
    let mut matrix = Matrix {
        app: &app,
        common: common(&app),
        actors,
        standing,
        told: BTreeMap::new(),
        statements: BTreeMap::new(),
    };
    let mut text = String::from(
        "# What every row of the route table answers every kind of person: page, and after a slash the \
            fragment where it differs.\n\
         # own, foreign, missing: whose id stands in the path. Written by `TYRIAN_UPDATE_MATRIX=1 cargo \
         test --test it matrix`.\n",
    );
    for row in rows().filter(|row| part_of(row) == part) {
        let _ = writeln!(text, "\n{} {} ({:?})", row.method.to_uppercase(), row.path, row.access);
        let of_nobody = row.path.starts_with("/library")
            || row.path.starts_with("/test-plans")
            || row.path.starts_with("/admin");
        let targets: &[Target] = if !of_nobody && is_clients(row.path, &matrix.standing[&Target::Own]) {
            &[Target::Own, Target::Foreign, Target::Missing]
        } else {
            &[Target::Own]
        };
        for target in targets {
            let name =
                if targets.len() == 1 { "any" } else { ["own", "foreign", "missing"][*target as usize] };
            let line = matrix.line(row, *target);
            let _ = writeln!(text, "  {name:<8}{line}");
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/kernel/matrix/{part}.txt"));
    if std::env::var_os("TYRIAN_UPDATE_MATRIX").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    for (kept, now) in kept.lines().zip(text.lines()) {
        assert_eq!(kept, now, "the route table answers otherwise than {} says", file.display());
    }
    assert_eq!(
        kept.lines().count(),
        text.lines().count(),
        "rows were added to or taken from the route table"
    );
    within_budget(part, &matrix.statements);
}

/// The statements of each row against the checked-in budget. `TYRIAN_UPDATE_MATRIX=1` writes that anew, too:
/// a number that rises needs its reason.
fn within_budget(part: &str, sent: &BTreeMap<(&'static str, &'static str), u64>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/kernel/matrix/{part}.budget"));
    if std::env::var_os("TYRIAN_UPDATE_MATRIX").is_some() {
        let line = |((method, path), most): (&(&str, &str), &u64)| format!("{most:>3} {method} {path}\n");
        std::fs::write(&file, sent.iter().map(line).collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let budget: BTreeMap<(&str, &str), u64> = text
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let most = words.next().unwrap().parse().unwrap();
            ((words.next().unwrap(), words.next().unwrap()), most)
        })
        .collect();
    let rows: Vec<_> = sent.keys().copied().collect();
    assert_eq!(budget.keys().copied().collect::<Vec<_>>(), rows, "{}", file.display());
    for (row, most) in sent {
        assert!(*most <= budget[row], "{row:?} sends {most} statements, and its budget is {}", budget[row]);
        assert!(row.0 != "get" || *most <= PAGE_STATEMENTS, "{row:?} sends {most} statements");
    }
}

#[test]
fn routes_of_a_procedure_answer_every_actor_as_the_matrix_says() {
    every_route_answers_every_actor_as_the_matrix_says("procedures");
}

#[test]
fn routes_of_an_engagement_answer_every_actor_as_the_matrix_says() {
    every_route_answers_every_actor_as_the_matrix_says("engagements");
}

#[test]
fn every_other_route_answers_every_actor_as_the_matrix_says() {
    every_route_answers_every_actor_as_the_matrix_says("others");
}

#[test]
fn an_id_of_another_client_below_ones_own_is_not_found() {
    let app = TestApp::spawn();
    let own = Things::make(&app, &app.people, app.clients.own);
    let foreign = Things::make(&app, &app.people, app.clients.foreign);
    let (common, missing) = (common(&app), own.missing());
    let history = || {
        app.count(&format!("SELECT count(*) FROM field_history WHERE subject_id = '{}'", foreign.ids["pid"]))
    };
    let before = history();
    let mut compared = 0;
    for row in rows() {
        let below: Vec<&str> = placeholders(row.path)
            .into_iter()
            .filter(|name| own.ids.contains_key(name) && *name != "step")
            .collect();
        let Some((last, [_, ..])) = below.split_last() else { continue };
        let real = match *last {
            "asset" if row.path.starts_with("/clients") => "spare",
            "pid" if row.path.starts_with("/reports") => "reported",
            last => last,
        };
        let mixed = |from: &Things| {
            let mut ids = own.ids.clone();
            ids.insert(real, from.ids[real].clone());
            filled(row, &Things { ids }, &common)
        };
        let mut browser = app.browser(&app.people.lead);
        let answers =
            [mixed(&foreign), mixed(&missing)].map(|path| ask(&mut browser, row, &path, false).status);
        assert!(
            answers[0] == answers[1] && [404, 303, 409].contains(&answers[0]),
            "{} {}: {answers:?}",
            row.method,
            row.path
        );
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
    assert_eq!(history(), before, "nothing was written there");
}

#[test]
fn only_what_must_be_is_open_to_anybody() {
    let open: Vec<String> = rows()
        .filter(|row| matches!(row.access, Access::Public | Access::Machine))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    let expected = [
        "get /healthz",
        "get /readyz",
        "get /assets/{path:.*}",
        "get /sign-in",
        "post /sign-in",
        "get /sign-in/code",
        "post /sign-in/code",
        "get /link/{token}",
        "post /link/{token}",
    ];
    assert_eq!(open, expected);
}

#[test]
fn no_row_stands_twice() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert((row.method, row.path)), "{} {} stands twice", row.method, row.path);
    }
}

#[test]
fn a_refusal_by_right_is_an_event() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.analyst);
    assert_eq!(browser.get("/clients/new").status, 403);
    assert_eq!(
        app.texts(
            "SELECT sentence || ', ' || actor_name || ', ' || outcome FROM audit.events \
            WHERE kind = 'access.refused'"
        ),
        [format!("Was refused New client, {ANN}, failure")]
    );
}
