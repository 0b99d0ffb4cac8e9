//! What leaves the library and comes in again: PlexTrac's test plans, Navigator layers, repository archives.

use std::collections::{BTreeMap, HashMap};

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use tyrian::imports::archive::Source;
use tyrian::imports::layers;
use tyrian::imports::outcome::{How, Outcome, Takes, Touched};
use tyrian::imports::plextrac::convert::{file_of, imported};
use tyrian::imports::plextrac::file::TestPlanFile;
use tyrian::imports::plextrac::store::{ReadPlan, apply_plan, preview_plan, read_plan};
use tyrian::imports::preview::Verdict;
use tyrian::imports::repository::file::{
    Archive, Head, Methodology, MethodologyFields, PlanFields, Procedure, Term, TestPlan,
};
use tyrian::imports::repository::store::{apply_archive, note_export, preview_archive, read_archive};
use tyrian::imports::repository::{ReadArchive, read, zip};
use tyrian::imports::{layer, plextrac};
use tyrian::kernel::authz::{Rights, Shelf};
use tyrian::kernel::base::error::{Error, Result};
use tyrian::kernel::base::ids::TestPlanId;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::changes::Missing;
use tyrian::library::domain::{Expected, Input, ProcedureBody, Reference, RepositoryType, Step, StepKind};
use tyrian::library::store::exchange::{find_by_prefix, list_members};
use tyrian::library::store::terms::insert as insert_term;
use tyrian::library::terms::{TermField, TermKind, TermText};
use uuid::Uuid;

use crate::harness::TestApp;
use crate::imports::save;

fn reading<T>(app: &TestApp, f: impl Fn(&mut PgConnection) -> Result<T>) -> T {
    app.db.read_blocking(f).unwrap()
}

/// A repository here, packed as its page hands it out.
pub fn packed(app: &TestApp, prefix: &str) -> Vec<u8> {
    let (stored, archive) = reading(app, |conn| {
        let stored = find_by_prefix(conn, Shelf::whole(), prefix)?.ok_or(Error::NotFound)?;
        let archive = read_archive(conn, &stored)?;
        Ok((stored, archive))
    });
    app.db.write_blocking(&Actor::command(), |tx| note_export(tx, &stored, &archive)).unwrap();
    zip(&archive).unwrap()
}

pub fn unpacked(bytes: &[u8]) -> ReadArchive {
    read(&Source::Zip { name: "archive.zip".to_owned(), bytes: bytes.to_vec() }).unwrap()
}

fn how(app: &TestApp) -> How {
    How { editor: Some(app.people.lead.id), ..How::default() }
}

fn bring(app: &TestApp, read: &ReadArchive, how: &How) -> Outcome {
    app.db.write_blocking(&Actor::command(), |tx| apply_archive(tx, Shelf::whole(), read, how)).unwrap()
}

fn line(outcome: &Outcome) -> String {
    outcome.counts().to_string()
}

pub fn body(name: &str, command: &str) -> ProcedureBody {
    ProcedureBody {
        name: name.into(),
        description: "What it is.".into(),
        technique_ids: vec!["T1003.008".into()],
        platforms: vec!["linux".into()],
        steps: vec![Step {
            id: "s1".into(),
            description: "Run it.".into(),
            command: Some(command.into()),
            executor: Some("sh".into()),
            ..Step::default()
        }],
        ..ProcedureBody::default()
    }
}

pub fn archive(prefix: &str, bodies: Vec<ProcedureBody>) -> ReadArchive {
    let procedures: Vec<Procedure> = (1i32..)
        .zip(bodies)
        .map(|(number, body)| Procedure {
            identity: Uuid::now_v7(),
            number,
            written_from: body.digest(),
            is_retired: false,
            origin: String::new(),
            body,
        })
        .collect();
    let content = PlanFields {
        title: format!("Plan of {prefix}"),
        description: "In order.".into(),
        tags: vec!["quarterly".into()],
        procedures: procedures.iter().rev().map(|procedure| procedure.identity).collect(),
    };
    let head = Head {
        name: format!("Repository {prefix}"),
        prefix: prefix.to_owned(),
        kind: RepositoryType::Open,
        description: "Ours.".into(),
        next_number: 1 + i32::try_from(procedures.len()).unwrap(),
    };
    let plans = vec![TestPlan { id: Uuid::now_v7(), written_from: content.digest(), content }];
    ReadArchive {
        archive: Archive { head, procedures, plans, methodologies: Vec::new() },
        places: HashMap::new(),
        refused: Vec::new(),
        warnings: Vec::new(),
        held: Vec::new(),
    }
}

/// Texts as people and attackers write them.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z ,.#:-]{0,30}",
        "([a-z \t\r\n\"'\\\\#{}|<>&*!%@é漢-]|\u{202e}|\u{200b}|[ \n]{1,3}){0,60}",
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let maybe = || prop::option::of(any_text());
    let kind = prop_oneof![Just(StepKind::Prerequisite), Just(StepKind::Step), Just(StepKind::Cleanup)];
    (kind, any_text(), maybe(), maybe(), maybe(), maybe(), any::<bool>(), maybe()).prop_map(
        |(kind, description, success_criteria, command, check_command, executor, elevated, platform)| Step {
            id: String::new(),
            kind,
            description,
            success_criteria,
            command,
            check_command,
            executor,
            elevated,
            platform,
        },
    )
}

fn any_body() -> impl Strategy<Value = ProcedureBody> {
    let words = || prop::collection::vec("[a-zA-Z][a-z0-9 .:-]{0,10}", 0..4);
    let input = ("[a-z_]{1,8}", any_text(), "[a-z]{1,6}", prop::option::of(any_text()))
        .prop_map(|(name, description, kind, default)| Input { name, description, kind, default });
    let expected = (any::<[bool; 3]>(), prop::option::of(0..500i32), any_text()).prop_map(
        |([prevented, alerted, logged], minutes, sentence)| Expected {
            prevented,
            alerted,
            logged,
            minutes,
            sentence,
        },
    );
    let reference = (any_text(), any_text()).prop_map(|(title, address)| Reference { title, address });
    (
        ("[a-zA-Z\u{202e}\"'#:-][a-z :#\"é-]{0,20}x", any_text(), words(), words(), words(), words()),
        prop::collection::vec(input, 0..3),
        prop::collection::vec(any_step(), 1..4),
        any_text(),
        expected,
        prop::collection::vec(reference, 0..2),
    )
        .prop_map(
            |(
                (name, description, technique_ids, platforms, tags, emulates),
                inputs,
                mut steps,
                recommendation,
                expected,
                references,
            )| {
                for (n, step) in steps.iter_mut().enumerate() {
                    step.id = format!("x{n}");
                }
                ProcedureBody {
                    name,
                    description,
                    technique_ids,
                    platforms,
                    inputs,
                    steps,
                    recommendation,
                    tags,
                    expected,
                    references,
                    emulates,
                }
            },
        )
}

/// Two methodologies that share a tactic and a technique, with texts of all kinds, as a form would take them.
fn own_methodologies(runner: &mut TestRunner, case: usize) -> Vec<Methodology> {
    let mut term = |kind: TermKind, short_name: String, tactics: &[Uuid]| {
        let text = any_text().new_tree(runner).unwrap().current();
        let name = format!("x {}", text.replace(['\n', '\r'], " "));
        Term {
            id: Uuid::now_v7(),
            name: kind.check(TermField::Name, &name).unwrap(),
            short_name: kind.check(TermField::ShortName, &short_name).unwrap(),
            description: kind.check(TermField::Description, &text).unwrap(),
            tags: vec![format!("tag {case}"), "a: b".to_owned()],
            tactics: tactics.to_vec(),
        }
    };
    let [a, b, c] = ["zz", "mm", "aa"].map(|name| term(TermKind::Tactic, format!("{name}-{case}"), &[]));
    let shared = term(TermKind::Technique, format!("OWN{case}-1"), &[a.id, c.id]);
    let there = Term { tactics: vec![c.id], ..shared.clone() };
    let other = term(TermKind::Technique, format!("OWN{case}-2"), &[b.id]);
    let mut methodology = |short: &str, tactics: Vec<Term>, techniques: Vec<Term>| {
        let head = term(TermKind::Methodology, format!("{short} {case}"), &[]);
        let content = MethodologyFields {
            name: head.name,
            short_name: head.short_name,
            description: head.description,
            tags: head.tags,
            tactics,
            techniques,
        };
        Methodology { id: head.id, written_from: content.digest(), content }
    };
    vec![
        methodology("OT / ICS", vec![a, c.clone()], vec![shared]),
        methodology("Web", vec![b, c], vec![there, other]),
    ]
}

#[test]
fn own_methodologies_come_with_the_repository_and_what_is_here_stays() {
    let (from, to) = (TestApp::spawn(), TestApp::spawn());
    own_terms(&from);
    let mut named = body("Names it", "id");
    named.technique_ids = vec!["WSTG-ATHN-01".into()];
    bring(&from, &archive("HLF", vec![named, body("Two", "w")]), &how(&from));
    let read = unpacked(&packed(&from, "HLF"));
    let shorts: Vec<&str> =
        read.archive.methodologies.iter().map(|own| own.content.short_name.as_str()).collect();
    assert_eq!(shorts, ["APPS", "WSTG / Web"]);

    // Each term is a row of the preview; the whole of it is one event.
    let events = to.events("library.imported");
    let done = bring(&to, &read, &how(&to));
    assert_eq!(line(&done), "added 10, changed 0, withdrawn 0, unchanged 0, refused 0");
    assert!(done.changes.added.contains(&"technique WSTG-ATHN-01 “Weak sign-in”".to_owned()));
    assert_eq!(to.events("library.imported"), events + 1);
    let outline = "SELECT t.id || t.kind || t.name || t.short_name || t.description || t.tags::text
            || coalesce((SELECT string_agg(parent_id::text, ',' ORDER BY parent_id) FROM term_parents
                WHERE term_id = t.id), '') AS line
         FROM terms t WHERE key IS NULL ORDER BY 1";
    assert_eq!(to.texts(outline), from.texts(outline));
    let first = "SELECT count(*) FROM field_history WHERE subject_type = 'term' AND field = 'name'";
    assert_eq!(to.count(first), 7, "the fields have a first version, as those made by hand");
    let again = bring(&to, &read, &how(&to));
    assert!(again.counts().changes_nothing() && again.touched.is_empty(), "{again:?}");
    assert_eq!(to.events("library.imported"), events + 1);

    // Changed here alone, it stays without a word; what only the file has comes.
    to.superuser()
        .batch_execute(
            "SET session_replication_role = replica;
             UPDATE terms SET name = 'Our sign-in', tags = '{ours}' WHERE short_name = 'web-sign-in';
             DELETE FROM term_parents p USING terms t WHERE t.short_name = 'APP-F1' AND t.id = p.term_id;
             DELETE FROM terms WHERE short_name = 'APP-F1';
             DELETE FROM term_parents p USING terms t, terms up WHERE t.id = p.term_id AND up.id = p.parent_id
                AND t.short_name = 'WSTG-ATHN-01' AND up.short_name = 'web-session';",
        )
        .unwrap();
    let preview = reading(&to, |conn| preview_archive(conn, Shelf::whole(), &read, &How::default()));
    let done = bring(&to, &read, &how(&to));
    assert_eq!(done, preview, "the preview said what is done");
    assert_eq!(line(&done), "added 1, changed 1, withdrawn 0, unchanged 8, refused 0");
    let told = |verdict| done.touched.iter().filter(move |told| told.verdict == verdict).collect::<Vec<_>>();
    assert_eq!(told(Verdict::Kept), Vec::<&Touched>::new());
    let [changed] = &told(Verdict::Changed)[..] else { panic!("{:?}", done.touched) };
    assert_eq!(changed.label, "technique WSTG-ATHN-01 “Weak sign-in”");
    assert_eq!(to.texts("SELECT name FROM terms WHERE short_name = 'web-sign-in'"), ["Our sign-in"]);
    let version = to.count("SELECT version FROM terms WHERE short_name = 'APP-F1'");
    assert_eq!(version, 2, "deleted and back, it goes on where its history ends");
    let again = bring(&to, &read, &how(&to));
    assert!(again.counts().changes_nothing(), "{again:?}");

    // Who may not edit the library brings none in.
    let reader = Rights::default().shelf(to.people.auditor.id);
    let refused = to
        .db
        .write_blocking(&Actor::command(), |tx| apply_archive(tx, reader, &read, &how(&to)))
        .unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_) | Error::Refused(_)), "{refused:?}");
}

#[test]
fn a_term_of_an_archive_that_clashes_is_refused_by_itself_with_its_place() {
    let (from, to) = (TestApp::spawn(), TestApp::spawn());
    own_terms(&from);
    let mut named = body("Names it", "id");
    named.technique_ids = vec!["WSTG-ATHN-01".into()];
    bring(&from, &archive("HLF", vec![named, body("Two", "w")]), &how(&from));
    let bytes = packed(&from, "HLF");
    // Another methodology here has the short name of one, and a tactic and a technique of it those of others.
    let insert = |kind, short_name: &str, parents: &[Uuid]| {
        let text = TermText {
            name: "Other".into(),
            short_name: short_name.into(),
            parents: parents.to_vec(),
            ..TermText::default()
        };
        to.db.write_blocking(&Actor::command(), |tx| insert_term(tx, kind, &text)).unwrap().0
    };
    let methodology = insert(TermKind::Methodology, "apps", &[]);
    let tactic = insert(TermKind::Tactic, "web-session", &[methodology]);
    insert(TermKind::Technique, "APP-F1", &[tactic]);
    let done = bring(&to, &unpacked(&bytes), &how(&to));
    let refused: Vec<String> = done.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "{refused:#?}");
    assert!(
        refused[0].starts_with(
            "HLF/methodologies/apps.yaml, methodology “Applications”, field short_name, line 4: "
        ) && refused[0].ends_with("another methodology here has this short name; rename one of them."),
        "{}",
        refused[0]
    );
    assert!(
        refused[1].starts_with(
            "HLF/methodologies/wstg-web.yaml, tactic web-session “Session”, field short_name, line "
        ),
        "{}",
        refused[1]
    );
    let mut came = to.texts("SELECT short_name FROM terms WHERE key IS NULL AND name <> 'Other'");
    came.sort();
    assert_eq!(came, ["WSTG / Web", "WSTG-ATHN-01", "web-sign-in"], "what does not clash came in");
    assert_eq!(
        to.count(
            "SELECT count(*) FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
        WHERE r.prefix = 'HLF'"
        ),
        2
    );
}

#[test]
fn any_library_goes_out_and_into_an_empty_one_and_out_again_with_equal_bytes() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let from = TestApp::spawn();
    for case in 0..6 {
        let prefix = format!("CASE{case}");
        let bodies = prop::collection::vec(any_body(), 1..9).new_tree(&mut runner).unwrap().current();
        let mut made = archive(&prefix, bodies);
        made.archive.head.kind =
            [RepositoryType::Open, RepositoryType::Managed, RepositoryType::Private][case % 3];
        made.archive.procedures[0].is_retired = case % 2 == 0;
        made.archive.methodologies = own_methodologies(&mut runner, case);
        made.archive.procedures[0].body.technique_ids =
            vec![format!("OWN{case}-1"), "T1003".to_owned(), format!("OWN{case}-2")];
        made.archive.procedures[0].written_from = made.archive.procedures[0].body.digest();
        made.archive.procedures[0].origin = "Atomic Red Team: “MIT”, https://a.example".to_owned();
        bring(&from, &made, &how(&from));
        // Edited since it came: what both sides know is older than what is written.
        edit_here(&from, &prefix, |body| body.description.push_str("\nEdited."));
        let first = packed(&from, &prefix);
        assert_eq!(packed(&from, &prefix), first, "two exports of one state");
        let to = TestApp::spawn();
        let read = unpacked(&first);
        assert_eq!((read.refused.len(), read.warnings.len()), (0, 0), "{:?}", read.warnings);
        let contents = |own: &Methodology| (own.id, own.content.clone());
        assert_eq!(
            read.archive.methodologies.iter().map(contents).collect::<Vec<_>>(),
            made.archive.methodologies.iter().map(contents).collect::<Vec<_>>(),
        );
        bring(&to, &read, &how(&to));
        assert!(packed(&to, &prefix) == first, "case {case}: the second export differs");
        let again = bring(&to, &read, &how(&to));
        assert!(line(&again).starts_with("added 0, changed 0, withdrawn 0"), "{}", line(&again));
    }
}

#[test]
fn the_curated_library_goes_out_too_and_says_where_it_came_from() {
    let from = TestApp::spawn();
    let first = packed(&from, "START");
    let read = unpacked(&first);
    assert!(read.archive.procedures.iter().all(|p| p.origin == "Tyrian Starter, Apache License 2.0"));
    assert_eq!(read.archive.plans.len(), 3);
    let to = TestApp::spawn();
    let refused = to
        .db
        .write_blocking(&Actor::command(), |tx| apply_archive(tx, Shelf::whole(), &read, &how(&to)))
        .unwrap_err();
    assert!(matches!(refused, Error::Refused(sentence) if sentence.contains("START is curated here")));
    let mut renamed = read;
    renamed.archive.head.prefix = "COPY".to_owned();
    renamed.archive.head.name = "A copy".to_owned();
    renamed.archive.plans.clear();
    let done = bring(&to, &renamed, &how(&to));
    assert_eq!(done.changes.added.len(), renamed.archive.procedures.len());
}

/// Changes one procedure of an installation as somebody would in git: out, edited, in again.
fn edit_in_git(app: &TestApp, prefix: &str, change: impl Fn(&mut ProcedureBody)) {
    let mut read = unpacked(&packed(app, prefix));
    change(&mut read.archive.procedures[0].body);
    let done = bring(app, &read, &how(app));
    assert_eq!((done.changes.changed.len(), done.conflicts.len()), (1, 0), "{done:?}");
}

/// Saves a next version of a repository's first procedure.
pub fn edit_here(app: &TestApp, prefix: &str, change: impl Fn(&mut ProcedureBody)) {
    let mut body = unpacked(&packed(app, prefix)).archive.procedures.remove(0).body;
    change(&mut body);
    let of = |what: &str| {
        let sql = format!(
            "SELECT {what} FROM library_procedures p JOIN repositories r ON r.id = p.repository_id
             WHERE r.prefix = '{prefix}' ORDER BY p.number LIMIT 1"
        );
        app.texts(&sql).remove(0)
    };
    save(app, of("p.id").parse().unwrap(), of("p.current_version").parse().unwrap(), &body);
}

#[test]
fn two_installations_share_a_repository_both_ways() {
    let (a, b) = (TestApp::spawn(), TestApp::spawn());
    bring(&a, &archive("HLF", vec![body("One", "id"), body("Two", "w")]), &how(&a));
    let done = bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    assert_eq!(line(&done), "added 3, changed 0, withdrawn 0, unchanged 0, refused 0");
    assert_eq!(packed(&a, "HLF"), packed(&b, "HLF"));
    let first = unpacked(&packed(&a, "HLF"));

    // What B changes comes to A, and what A changes after that goes to B; in git as in the library.
    edit_here(&b, "HLF", |body| body.steps[0].command = Some("id -a".into()));
    let done = bring(&a, &unpacked(&packed(&b, "HLF")), &how(&a));
    assert_eq!(line(&done), "added 0, changed 1, withdrawn 0, unchanged 2, refused 0");
    edit_here(&a, "HLF", |body| body.steps[0].command = Some("id -u".into()));
    edit_in_git(&a, "HLF", |body| body.name = "First".into());
    let done = bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    assert_eq!(line(&done), "added 0, changed 1, withdrawn 0, unchanged 2, refused 0");
    assert!(done.conflicts.is_empty());

    // Different fields merge; the same field is a conflict, and ours stands.
    edit_here(&a, "HLF", |body| body.description = "As A has it.".into());
    edit_here(&b, "HLF", |body| {
        body.description = "As B has it.".into();
        body.tags = vec!["from b".into()];
    });
    let theirs = unpacked(&packed(&b, "HLF"));
    let preview = reading(&a, |conn| preview_archive(conn, Shelf::whole(), &theirs, &How::default()));
    let [conflict] = &preview.conflicts[..] else { panic!("{preview:?}") };
    let keys: Vec<&str> = conflict.fields.iter().map(|field| field.key.as_str()).collect();
    assert_eq!((conflict.label.as_str(), keys), ("HLF-1 First", vec!["description"]));
    let id = conflict.id;
    let done = bring(&a, &theirs, &how(&a));
    assert_eq!(done.conflicts, preview.conflicts, "the preview said what is done");
    let now = unpacked(&packed(&a, "HLF")).archive.procedures.remove(0).body;
    assert_eq!((now.description.as_str(), now.tags), ("As A has it.", vec!["from b".to_owned()]));
    let events = a.events("library.imported");
    let again = bring(&a, &theirs, &how(&a));
    assert!(again.conflicts.is_empty(), "what was settled is not asked again");
    assert_eq!(a.events("library.imported"), events, "and nothing is written");

    // B takes A's, which was written from B's.
    let theirs = unpacked(&packed(&a, "HLF"));
    let done = bring(&b, &theirs, &how(&b));
    assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
    assert_eq!(unpacked(&packed(&b, "HLF")).archive.procedures[0].body.description, "As A has it.");

    // Theirs is taken where somebody says so.
    edit_here(&a, "HLF", |body| body.description = "A again.".into());
    edit_here(&b, "HLF", |body| body.description = "B again.".into());
    let takes = Takes::from_iter([(id.to_string(), Some("description".to_owned()))]);
    bring(&a, &unpacked(&packed(&b, "HLF")), &How { takes, ..how(&a) });
    assert_eq!(unpacked(&packed(&a, "HLF")).archive.procedures[0].body.description, "B again.");

    // A third, who still has the first state, takes nobody's work away.
    let mut newer = unpacked(&packed(&b, "HLF"));
    newer.archive.plans[0].content.description = "Newer.".into();
    bring(&a, &newer, &how(&a));
    let before = packed(&a, "HLF");
    let done = bring(&a, &first, &how(&a));
    assert_eq!(line(&done), "added 0, changed 0, withdrawn 0, unchanged 3, refused 0");
    assert_eq!(packed(&a, "HLF"), before);
    assert_eq!(unpacked(&before).archive.plans[0].content.description, "Newer.");
}

/// The fields of the one conflict, by their keys.
fn asked(outcome: &Outcome) -> Vec<&str> {
    let [conflict] = &outcome.conflicts[..] else { panic!("{outcome:?}") };
    conflict.fields.iter().map(|field| field.key.as_str()).collect()
}

#[test]
fn a_test_plan_that_both_sides_changed_merges_by_field() {
    let (a, b) = (TestApp::spawn(), TestApp::spawn());
    bring(&a, &archive("HLF", vec![body("One", "id"), body("Two", "w")]), &how(&a));
    bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    let edit = format!("/test-plans/{}/edit", unpacked(&packed(&a, "HLF")).archive.plans[0].id);
    let edited = |app: &TestApp, fields: &[(&str, &str)]| {
        let mut browser = app.browser(&app.people.lead);
        browser.open(&edit);
        for (field, text) in fields {
            browser.fill(field, text);
        }
        browser.press("Save").expect(200);
    };
    edited(&a, &[("Title", "Week of A"), ("Description", "As A has it.")]);
    edited(&b, &[("Description", "As B has it."), ("Tags", "from b")]);
    let theirs = unpacked(&packed(&b, "HLF"));
    let preview = reading(&a, |conn| preview_archive(conn, Shelf::whole(), &theirs, &How::default()));
    assert_eq!(asked(&preview), ["description"]);
    let done = bring(&a, &theirs, &how(&a));
    assert_eq!(done, preview, "the preview said what is done");
    let plan = |app: &TestApp| unpacked(&packed(app, "HLF")).archive.plans.remove(0).content;
    let said = plan(&a);
    assert_eq!((said.title.as_str(), said.description.as_str()), ("Week of A", "As A has it."));
    assert_eq!(said.tags, ["from b"]);
    let events = a.events("library.imported");
    let again = bring(&a, &theirs, &how(&a));
    assert!(again.conflicts.is_empty() && again.counts().changes_nothing(), "{again:?}");
    assert_eq!(a.events("library.imported"), events, "what was settled is not asked again");

    // A's was written from B's: it needs nobody. And B's own later word comes to A.
    let done = bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    assert_eq!((done.conflicts.len(), plan(&b)), (0, plan(&a)));
    edited(&b, &[("Description", "B once more.")]);
    let done = bring(&a, &unpacked(&packed(&b, "HLF")), &how(&a));
    assert_eq!((done.conflicts.len(), plan(&a).description.as_str()), (0, "B once more."));
}

#[test]
fn own_terms_that_both_sides_changed_merge_by_field() {
    let (a, b) = (TestApp::spawn(), TestApp::spawn());
    own_terms(&a);
    let mut named = body("Names it", "id");
    named.technique_ids = vec!["WSTG-ATHN-01".into()];
    bring(&a, &archive("HLF", vec![named]), &how(&a));
    let old = unpacked(&packed(&a, "HLF"));
    bring(&b, &old, &how(&b));
    let edited = |app: &TestApp, fields: &[(&str, &str)]| {
        let id = app.texts("SELECT id FROM terms WHERE short_name = 'WSTG-ATHN-01'").remove(0);
        let mut browser = app.browser(&app.people.lead);
        browser.open(&format!("/library/terms/{id}/edit"));
        for (field, text) in fields {
            browser.fill(field, text);
        }
        browser.press("Save").expect(200);
    };
    let says = |app: &TestApp| {
        let sql = "SELECT name || ' / ' || description || ' / ' || array_to_string(tags, ', ')
            FROM terms WHERE short_name = 'WSTG-ATHN-01'";
        app.texts(sql).remove(0)
    };

    // What B changes comes to A, and what A changes after that goes to B.
    edited(&b, &[("Description", "As B has it."), ("Tags", "web")]);
    let done = bring(&a, &unpacked(&packed(&b, "HLF")), &how(&a));
    assert_eq!((done.changes.changed.len(), done.conflicts.len()), (1, 0), "{done:?}");
    assert_eq!(says(&a), "Weak sign-in / As B has it. / web");
    edited(&a, &[("Name", "Sign-in that is weak")]);
    let done = bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    assert_eq!((says(&b), done.conflicts.len()), (says(&a), 0));
    assert_eq!(packed(&a, "HLF"), packed(&b, "HLF"));

    // Different fields merge; the same field is a conflict, and ours stands.
    edited(&a, &[("Description", "A again.")]);
    edited(&b, &[("Description", "B again."), ("Tags", "web, from b")]);
    let theirs = unpacked(&packed(&b, "HLF"));
    let done = bring(&a, &theirs, &how(&a));
    assert_eq!(asked(&done), ["description"]);
    assert_eq!(says(&a), "Sign-in that is weak / A again. / web, from b");
    let again = bring(&a, &theirs, &how(&a));
    assert!(again.conflicts.is_empty() && again.counts().changes_nothing(), "{again:?}");
    // B takes A's, and who still has the first state takes nothing away.
    let done = bring(&b, &unpacked(&packed(&a, "HLF")), &how(&b));
    assert_eq!((says(&b), done.conflicts.len()), (says(&a), 0), "{done:?}");
    let before = says(&b);
    let done = bring(&b, &old, &how(&b));
    assert_eq!((says(&b), done.conflicts.len()), (before, 0), "{done:?}");

    // Theirs is taken where somebody says so.
    edited(&a, &[("Name", "A's name")]);
    edited(&b, &[("Name", "B's name")]);
    bring(&a, &unpacked(&packed(&b, "HLF")), &How { takes: Takes::everywhere(), ..how(&a) });
    assert_eq!(says(&a), "B's name / A again. / web, from b");
}

#[test]
fn numbers_that_clash_give_the_newcomer_the_next() {
    let app = TestApp::spawn();
    bring(&app, &archive("HLF", vec![body("One", "id")]), &how(&app));
    let other = archive("HLF", vec![body("Another", "w")]);
    let done = bring(&app, &other, &how(&app));
    assert_eq!(done.notes, ["HLF-1 is taken here, so “Another” becomes HLF-2."]);
    assert_eq!(done.changes.kept, ["HLF-1 One"]);
    let [refused] = &done.refused[..] else { panic!("its plan has the title of the one that is here") };
    assert_eq!(refused.object.as_deref(), Some("Plan of HLF"));
    assert_eq!(
        app.texts(
            "SELECT prefix || '-' || number FROM library_procedures p JOIN repositories r \
            ON r.id = p.repository_id WHERE prefix = 'HLF' ORDER BY number"
        ),
        ["HLF-1", "HLF-2"]
    );
    assert_eq!(app.count("SELECT next_number FROM repositories WHERE prefix = 'HLF'"), 3);
    let withdraw = How { missing: Missing::Withdraw, ..how(&app) };
    let done = bring(&app, &other, &withdraw);
    assert_eq!(done.changes.withdrawn, ["HLF-1 One"]);
}

/// Two methodologies of one's own that share a tactic, with one technique under two of them and one that no
/// procedure names.
fn own_terms(app: &TestApp) {
    let insert = |kind, name: &str, short_name: &str, parents: &[Uuid]| {
        let mut parents = parents.to_vec();
        parents.sort();
        let text = TermText {
            name: name.into(),
            short_name: short_name.into(),
            description: format!("On\t{name} \u{202e}|\n\n- and \"why\": #"),
            parents,
            tags: vec!["own".into(), "no".into()],
        };
        app.db.write_blocking(&Actor::command(), |tx| insert_term(tx, kind, &text)).unwrap().0
    };
    let web = insert(TermKind::Methodology, "Web testing", "WSTG / Web", &[]);
    let apps = insert(TermKind::Methodology, "Applications", "APPS", &[]);
    let sign_in = insert(TermKind::Tactic, "Sign-in", "web-sign-in", &[web, apps]);
    let session = insert(TermKind::Tactic, "Session", "web-session", &[web]);
    let crash = insert(TermKind::Tactic, "Crash", "app-crash", &[apps]);
    insert(TermKind::Technique, "Weak sign-in", "WSTG-ATHN-01", &[sign_in, session]);
    insert(TermKind::Technique, "Fuzzing", "APP-F1", &[crash]);
}

/// A plan with procedures of two methodologies and of none.
fn mixed(app: &TestApp) -> TestPlanId {
    let mut own = body("Own <b>way</b>", "printf 'x\ty' |\r\n cat \u{202e}");
    own.technique_ids = vec!["WSTG-ATHN-01".into(), "T1078".into()];
    own.tags = vec!["web".into()];
    own.expected = Expected { alerted: true, minutes: Some(15), ..Expected::default() };
    let mut bare = body("Bare", "id");
    bare.description = String::new();
    bare.technique_ids = Vec::new();
    bare.platforms = Vec::new();
    let read = archive("MIX", vec![own, bare, body("ATT&CK's", "id")]);
    bring(app, &read, &how(app));
    TestPlanId(read.archive.plans[0].id)
}

/// The file of [`mixed`].
pub fn mixed_plan(app: &TestApp) -> TestPlanFile {
    let id = mixed(app);
    let (plan, known) = reading(app, |conn| read_plan(conn, Shelf::whole(), id));
    file_of(&plan, &known)
}

#[test]
fn exported_test_plans_are_read_back_equal_and_clean() {
    let app = TestApp::spawn();
    let mixed = mixed(&app);
    let plans: Vec<TestPlanId> = app
        .texts("SELECT id::text FROM test_plans WHERE key IS NOT NULL ORDER BY title")
        .iter()
        .map(|id| id.parse().unwrap())
        .chain([mixed, mixed])
        .collect();
    assert_eq!(plans.len(), 5);
    for (at, id) in plans.into_iter().enumerate() {
        let is_owned = at == 4;
        if is_owned {
            own_terms(&app);
        }
        let (plan, known) = reading(&app, |conn| read_plan(conn, Shelf::whole(), id));
        let file = file_of(&plan, &known);
        let text = plextrac::write(&file);
        let read = plextrac::read("plan.yaml", text.as_bytes()).unwrap();
        assert_eq!(read.warnings, [], "clean");
        assert_eq!(read.file, file, "equal");
        assert!(!text.contains('\t') && text.matches("&ref_0").count() == 1);
        let (again, warnings) = imported("plan.yaml", &read.file);
        assert_eq!(warnings, []);
        assert_eq!(
            (&again.title, &again.description, &again.tags),
            (&plan.title, &plan.description, &plan.tags)
        );
        let bodies: Vec<_> = again.order.iter().map(|at| again.procedures[*at].body.clone()).collect();
        let stored: Vec<_> = plan.procedures.iter().map(|procedure| procedure.body.clone()).collect();
        assert_eq!(bodies, stored, "what stands in the texts is found again");
        let methodologies: Vec<_> = file.methodologies.iter().map(|m| m.name.as_str()).collect();
        if is_owned {
            assert_eq!(
                methodologies,
                ["MITRE ATT&CK 19.1", "Other techniques", "Applications", "Web testing"],
                "each of the terms' own, and the one of those that have none"
            );
            let own = file.techniques.iter().find(|technique| technique.short_name == "WSTG-ATHN-01");
            let own = own.unwrap();
            assert_eq!((own.name.as_str(), own.is_editable), ("Weak sign-in", true));
            let above: Vec<_> =
                file.tactics.iter().filter(|tactic| own.parents.contains(&tactic.id)).collect();
            let names: Vec<_> = above.iter().map(|tactic| tactic.short_name.as_str()).collect();
            assert_eq!(names, ["web-sign-in", "web-session"], "in their order");
            assert_eq!((above[0].parents.len(), above[1].parents.len()), (2, 1));
            assert_eq!(above[0].source_key.as_deref(), Some("tyrian"));
        } else if id == mixed {
            assert_eq!(methodologies, ["MITRE ATT&CK 19.1", "Other techniques"]);
        }
        for tactic in &file.tactics {
            assert!(tactic.parents.iter().all(|id| file.methodologies.iter().any(|m| m.id == *id)));
        }
        for technique in &file.techniques {
            assert!(technique.parents.iter().all(|id| file.tactics.iter().any(|t| t.id == *id)));
        }
        // Brought in where it came from, it changes nothing.
        let read = ReadPlan { file_name: "plan.yaml".into(), plan: again, warnings: Vec::new() };
        let done = reading(&app, |conn| preview_plan(conn, Shelf::whole(), &read, &How::default()));
        assert!(done.counts().changes_nothing() && done.conflicts.is_empty(), "{done:?}");
    }
}

#[test]
fn a_test_plan_of_another_installation_comes_with_its_procedures_once() {
    let (from, to) = (TestApp::spawn(), TestApp::spawn());
    let id = mixed(&from);
    let (plan, known) = reading(&from, |conn| read_plan(conn, Shelf::whole(), id));
    let read = plextrac::read("plan.yaml", plextrac::write(&file_of(&plan, &known)).as_bytes()).unwrap();
    let (own, _) = imported("plan.yaml", &read.file);
    let read = ReadPlan { file_name: "plan.yaml".into(), plan: own, warnings: Vec::new() };
    let apply = |read: &ReadPlan, how: &How| {
        to.db.write_blocking(&Actor::command(), |tx| apply_plan(tx, Shelf::whole(), read, how)).unwrap()
    };
    let done = apply(&read, &How::default());
    assert_eq!(line(&done), "added 4, changed 0, withdrawn 0, unchanged 0, refused 0");
    let events = to.events("library.imported");
    let again = apply(&read, &How::default());
    assert_eq!(line(&again), "added 0, changed 0, withdrawn 0, unchanged 4, refused 0");
    assert_eq!(to.events("library.imported"), events);
    assert_eq!(
        to.texts(
            "SELECT DISTINCT prefix FROM library_procedures p JOIN repositories r ON r.id = p.repository_id \
            WHERE source_key LIKE 'plextrac:%'"
        ),
        ["MIX"]
    );
    let plan = to.texts("SELECT id::text FROM test_plans WHERE key LIKE 'plextrac:%'").remove(0);
    let members = reading(&to, |conn| list_members(conn, Shelf::whole(), plan.parse().unwrap()));
    let bodies: Vec<ProcedureBody> = members.iter().map(|member| member.body().unwrap()).collect();
    let stored: Vec<ProcedureBody> =
        read.plan.order.iter().map(|at| read.plan.procedures[*at].body.clone()).collect();
    assert_eq!(bodies, stored);

    // A newer file changes what nobody has touched here.
    let mut newer = read.clone();
    newer.plan.procedures[0].body.description = "Newer.".into();
    let done = apply(&newer, &How::default());
    assert_eq!(line(&done), "added 0, changed 1, withdrawn 0, unchanged 3, refused 0");
    let named = How { repository: Some("nowhere".into()), ..How::default() };
    let refused = to.db.read_blocking(|conn| preview_plan(conn, Shelf::whole(), &read, &named)).unwrap_err();
    assert!(matches!(refused, Error::Refused(sentence) if sentence.contains("NOWHERE")));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn layers_hold_an_entry_for_each_tactic_and_come_back_as_a_plan() {
    let app = TestApp::spawn();
    let engagement = app.engagement(3);
    let mut lead = app.browser(&app.people.lead);
    let plan = app.texts("SELECT id::text FROM test_plans ORDER BY title LIMIT 1").remove(0);
    let mut tactics: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in app.texts("SELECT external_id || ' ' || array_to_string(tactics, ',') FROM techniques") {
        let (id, names) = pair.split_once(' ').unwrap();
        tactics.insert(id.to_owned(), names.split(',').map(str::to_owned).collect());
    }
    let exports = app.events("layer.exported");
    for path in [
        format!("{}/layer.json", engagement.path()),
        format!("/test-plans/{plan}/layer.json"),
        "/library/layer.json".to_owned(),
    ] {
        let answer = lead.get(&path);
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{path}");
        assert!(answer.header("content-disposition").contains("layer.json"));
        let layer = json(&answer.text());
        assert_eq!(layer["versions"]["attack"], "19.1");
        assert_eq!(layer["versions"]["layer"], "4.5");
        let mut drawn: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in layer["techniques"].as_array().unwrap() {
            let of = drawn.entry(entry["techniqueID"].as_str().unwrap().to_owned()).or_default();
            of.push(entry["tactic"].as_str().unwrap().to_owned());
        }
        assert!(!drawn.is_empty());
        for (id, mut of) in drawn {
            let mut wanted = tactics[&id].clone();
            wanted.sort();
            of.sort();
            assert_eq!(of, wanted, "{path}: {id}");
        }
        let read = layer::read("layer.json", answer.text().as_bytes()).unwrap();
        assert!(!read.techniques.is_empty() && read.warnings.is_empty());
    }
    assert_eq!(app.events("layer.exported"), exports + 3);
    assert_eq!(lead.send("HEAD", "/library/layer.json", &[], b"").status, 200);
    assert_eq!(app.events("layer.exported"), exports + 3, "a HEAD exports nothing");

    let wanted = r#"{"name":"Wanted","domain":"enterprise-attack","techniques":[
        {"techniqueID":"T1566","score":1},{"techniqueID":"T1204.002","score":1},
        {"techniqueID":"T9999","score":1}]}"#;
    let read = layer::read("wanted.json", wanted.as_bytes()).unwrap();
    let apply = || {
        app.db.write_blocking(&Actor::command(), |tx| layers::apply_layer(tx, Shelf::whole(), &read)).unwrap()
    };
    let done = apply();
    assert_eq!(done.changes.added, ["test plan “Wanted”"]);
    assert!(
        done.notes.iter().any(|note| note == "This technique is covered by no procedure: T9999."),
        "{:?}",
        done.notes
    );
    assert_eq!(line(&apply()), "added 0, changed 0, withdrawn 0, unchanged 1, refused 0");
    let techniques = app.texts(
        "SELECT DISTINCT unnest(p.technique_ids) AS t FROM test_plan_procedures tp JOIN test_plans t \
            ON t.id = tp.test_plan_id JOIN library_procedures p ON p.id = tp.procedure_id \
            WHERE t.title = 'Wanted' ORDER BY t",
    );
    assert!(techniques.contains(&"T1566.001".to_owned()) && techniques.contains(&"T1204.002".to_owned()));
}

#[test]
fn the_scores_of_a_layer_are_blues_and_the_weakest_counts() {
    let app = TestApp::spawn();
    let engagement = app.engagement(2);
    let mut lead = app.browser(&app.people.lead);
    let path = engagement.procedure_path(0);
    lead.open(&path).expect(200);
    let answer = lead
        .post(&path, &[("version", "2147483647"), ("red_outcome", "success"), ("blue_outcome", "logged")]);
    assert!(answer.status < 400, "{}", answer.text());
    let layer = json(&lead.get(&format!("{}/layer.json", engagement.path())).text());
    let technique = app
        .texts(&format!("SELECT technique_ids[1] FROM procedures WHERE id = '{}'", engagement.procedures[0]))
        .remove(0);
    let entries: Vec<&Value> = layer["techniques"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["techniqueID"] == technique.as_str())
        .collect();
    assert!(!entries.is_empty());
    for entry in entries {
        assert_eq!(entry["score"], 30, "{entry}");
        assert!(entry["comment"].as_str().unwrap().contains("blue Logged"));
    }
    let legend: Vec<&str> =
        layer["legendItems"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert!(legend.contains(&"Logged (30)"), "{legend:?}");
    let mut stranger = app.browser(&app.people.outsider);
    assert_eq!(stranger.get(&format!("{}/layer.json", engagement.path())).status, 404);
}

#[test]
fn a_private_repository_leaves_with_those_who_know_of_it_alone() {
    let app = TestApp::spawn();
    let mut made = archive("SECRET", vec![body("Hidden", "id"), body("Too", "w")]);
    made.archive.head.kind = RepositoryType::Private;
    let nobody = app
        .db
        .write_blocking(&Actor::command(), |tx| apply_archive(tx, Shelf::whole(), &made, &How::default()))
        .unwrap_err();
    assert!(matches!(nobody, Error::Refused(sentence) if sentence.contains("--editor EMAIL")));
    bring(&app, &made, &how(&app));
    let id = app.texts("SELECT id::text FROM repositories WHERE prefix = 'SECRET'").remove(0);
    let path = format!("/library/repositories/{id}/archive.zip");
    let mut lead = app.browser(&app.people.lead);
    let answer = lead.get(&path);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/zip"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"SECRET.zip\"");
    assert_eq!(app.events("repository.exported"), 1);
    let mut standard = app.browser(&app.people.standard);
    assert_eq!(standard.get(&path).status, 404);
    let plan = made.archive.plans[0].id;
    let yaml = standard.get(&format!("/test-plans/{plan}.yaml"));
    assert!(yaml.status == 404 || !yaml.text().contains("Hidden"), "{}", yaml.text());
    assert!(!standard.get("/library/layer.json").text().contains("SECRET-"));
    let yaml = lead.get(&format!("/test-plans/{plan}.yaml"));
    assert!(yaml.text().contains("name: Hidden") && app.events("test_plan.exported") > 0);
    let foreign = app.db.read_blocking(|conn| {
        preview_archive(conn, Shelf::whole(), &made, &How { takes: Takes::new(), ..How::default() })
    });
    assert!(foreign.is_ok());
}
