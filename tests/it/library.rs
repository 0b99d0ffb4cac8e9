//! The library: starter content, imports by digest, search, and test plans by a client without scripts.

use tyrian::imports::atomics::Atomics;
use tyrian::imports::attack::Attack;
use tyrian::imports::preview::Verdict;
use tyrian::imports::store::{apply_atomics, apply_attack, preview_atomics, preview_attack};
use tyrian::kernel::authz::Shelf;
use tyrian::kernel::base::error::Error;
use tyrian::kernel::base::keyset::At;
use tyrian::kernel::event::domain::Actor;
use tyrian::library::changes::{Counts, Missing};
use tyrian::library::domain::{
    AttackRelease, ProcedureBody, Step, StepKind, TacticFact, TechniqueFact, TechniqueStatus,
};
use tyrian::library::store::{Search, count, highest_version, search, seed_starter};

use crate::harness::TestApp;
use crate::harness::browser::Browser;

fn counts(added: usize, changed: usize, withdrawn: usize, unchanged: usize) -> Counts {
    Counts { added, changed, withdrawn, unchanged, refused: 0, kept: 0 }
}

fn technique(id: &str, status: TechniqueStatus) -> TechniqueFact {
    TechniqueFact {
        external_id: id.into(),
        name: format!("Technique {id}"),
        description: "Runs <code>x</code> <script>alert(1)</script>.(Citation: Nobody)".into(),
        url: format!("https://attack.mitre.org/techniques/{}", id.replace('.', "/")),
        platforms: vec!["Windows".into()],
        tactics: vec!["execution".into()],
        is_subtechnique: id.contains('.'),
        status,
        revoked_by: (status == TechniqueStatus::Revoked).then(|| "T9001".to_owned()),
        successors: Vec::new(),
    }
}

fn release(version: &str) -> Attack {
    let tactic = TacticFact {
        external_id: "TA0002".into(),
        short_name: "execution".into(),
        name: "Execution".into(),
        description: "Run code.".into(),
        url: String::new(),
        position: 0,
    };
    let techniques = vec![
        technique("T9001", TechniqueStatus::Live),
        technique("T9001.001", TechniqueStatus::Live),
        technique("T9002", TechniqueStatus::Revoked),
    ];
    let release = AttackRelease {
        version: version.into(),
        domain: "enterprise-attack".into(),
        tactics: vec![tactic],
        techniques,
    };
    Attack { release, groups: Vec::new(), refused: Vec::new(), warnings: Vec::new() }
}

fn body(name: &str, command: &str) -> ProcedureBody {
    let step = Step {
        id: "s1".into(),
        kind: StepKind::Step,
        description: "Run it.".into(),
        success_criteria: None,
        command: Some(command.into()),
        check_command: None,
        executor: Some("sh".into()),
        ..Step::default()
    };
    ProcedureBody {
        name: name.into(),
        description: "Part of a test.".into(),
        technique_ids: vec!["T1003.008".into()],
        platforms: vec!["linux".into()],
        inputs: Vec::new(),
        steps: vec![step],
        ..ProcedureBody::default()
    }
}

fn atomics(procedures: &[(&str, ProcedureBody)]) -> Atomics {
    Atomics {
        procedures: procedures.iter().map(|(key, body)| ((*key).to_owned(), body.clone())).collect(),
        ..Atomics::default()
    }
}

#[test]
fn the_starter_library_is_there_once() {
    let app = TestApp::spawn_empty();
    seed_starter(&app.db).unwrap();
    seed_starter(&app.db).unwrap();
    assert_eq!(app.count("SELECT count(*) FROM techniques WHERE version = '19.1'"), 697);
    assert_eq!(app.count("SELECT count(*) FROM tactics WHERE version = '19.1'"), 15);
    assert!(app.count("SELECT count(*) FROM library_procedures") >= 25);
    assert_eq!(app.count("SELECT count(*) FROM test_plans"), 3);
    assert_eq!(app.events("library.imported"), 1);
}

#[test]
fn a_release_comes_beside_the_others_and_the_second_time_changes_nothing() {
    let app = TestApp::spawn();
    let command = Actor::command();
    let mut release = release("20.0");
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(), counts(4, 0, 0, 0));
    let events = app.events("library.imported");
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(), counts(0, 0, 0, 4));
    assert_eq!(app.events("library.imported"), events, "nothing changed, so nothing happened");
    assert_eq!(app.db.read_blocking(highest_version).unwrap(), "20.0");
    assert_eq!(
        app.count("SELECT count(*) FROM techniques WHERE version = '19.1'"),
        697,
        "the other release stays"
    );

    release.release.techniques[0].name = "Renamed".into();
    let gone = release.release.techniques.remove(1);
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(), counts(0, 1, 1, 2));
    assert_eq!(
        app.texts("SELECT status FROM techniques WHERE version = '20.0' AND external_id = 'T9001.001'"),
        ["deprecated"]
    );
    assert_eq!(
        apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(),
        counts(0, 0, 0, 3),
        "what was withdrawn is not withdrawn again"
    );
    release.release.techniques.push(gone);
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(), counts(1, 0, 0, 3));
    assert_eq!(
        app.texts("SELECT status FROM techniques WHERE version = '20.0' AND external_id = 'T9001.001'"),
        ["live"]
    );

    let mut browser = app.browser(&app.people.auditor);
    browser
        .open("/library/techniques/T9002")
        .expect(200)
        .see("Revoked in MITRE ATT&CK 20.0")
        .see("T9001 Renamed");
    browser.see("The MITRE Corporation").see_not("Citation");
    assert!(!browser.has("main script") && browser.has("main code"));
    browser.open("/library/techniques").expect(200).see("2 techniques");
    browser.choose("Status", "All").press("Filter").see("3 techniques").see("Revoked");
    browser
        .choose("Release", "ATT&CK 19.1")
        .choose("Status", "Live")
        .fill("Search", "lsass")
        .press("Filter")
        .see("OS Credential Dumping: LSASS Memory");
    browser.open("/library/techniques/T1003.001").expect(200).see("19.1");
}

#[test]
fn what_a_bundle_does_not_hold_stays_unless_it_is_asked_for() {
    let app = TestApp::spawn();
    let command = Actor::command();
    let mut release = release("20.0");
    apply_attack(&app.db, &command, &release, Missing::Keep).unwrap();
    release.release.techniques.truncate(1);
    let kept = Counts { kept: 2, ..counts(0, 0, 0, 2) };
    assert_eq!(preview_attack(&app.db, &release, Missing::Keep).unwrap().counts, kept);
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Keep).unwrap(), kept);
    assert_eq!(
        app.count("SELECT count(*) FROM techniques WHERE version = '20.0' AND status = 'deprecated'"),
        0
    );
    let preview = preview_attack(&app.db, &release, Missing::Withdraw).unwrap();
    assert_eq!(
        preview.labels(Verdict::Withdrawn),
        ["T9001.001 Technique T9001.001", "T9002 Technique T9002"]
    );
}

#[test]
fn two_tactics_may_swap_their_short_names_and_none_takes_one_that_stays() {
    let app = TestApp::spawn();
    let command = Actor::command();
    let mut release = release("20.0");
    let tactic = |id: &str, short_name: &str| TacticFact {
        external_id: id.into(),
        short_name: short_name.into(),
        name: format!("Tactic {id}"),
        description: String::new(),
        url: String::new(),
        position: 0,
    };
    release.release.tactics = vec![tactic("TA0002", "execution"), tactic("TA0003", "persistence")];
    apply_attack(&app.db, &command, &release, Missing::Keep).unwrap();
    release.release.tactics = vec![tactic("TA0002", "persistence"), tactic("TA0003", "execution")];
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Keep).unwrap(), counts(0, 2, 0, 3));
    assert_eq!(
        app.texts("SELECT short_name FROM tactics WHERE version = '20.0' ORDER BY external_id"),
        ["persistence", "execution"]
    );

    release.release.tactics = vec![tactic("TA0002", "persistence"), tactic("TA0108", "execution")];
    let refused = apply_attack(&app.db, &command, &release, Missing::Keep);
    let sentence = "TA0108 (Tactic TA0108) has the short name execution, which TA0003 (Tactic TA0003) has";
    assert!(matches!(&refused, Err(Error::Refused(said)) if said.starts_with(sentence)), "{refused:?}");
    assert_eq!(apply_attack(&app.db, &command, &release, Missing::Withdraw).unwrap(), counts(1, 0, 1, 4));
}

#[test]
fn a_refused_test_keeps_its_earlier_copy_and_the_same_again_changes_nothing() {
    let app = TestApp::spawn();
    let command = Actor::command();
    let both = atomics(&[("a", body("Alpha", "id")), ("b", body("Beta", "id"))]);
    apply_atomics(&app.db, &command, &both, Missing::Keep).unwrap();
    let events = app.events("library.imported");
    let refusing = Atomics { refused_keys: vec!["b".into()], ..atomics(&[("a", body("Alpha", "id"))]) };
    for missing in [Missing::Keep, Missing::Withdraw] {
        let kept = Counts { kept: 1, ..counts(0, 0, 0, 1) };
        assert_eq!(preview_atomics(&app.db, &refusing, missing).unwrap().counts, kept);
        assert_eq!(apply_atomics(&app.db, &command, &refusing, missing).unwrap(), kept);
    }
    assert_eq!(app.events("library.imported"), events);
    let preview =
        preview_atomics(&app.db, &atomics(&[("a", body("Alpha", "w"))]), Missing::Withdraw).unwrap();
    assert_eq!(
        (preview.labels(Verdict::Changed), preview.labels(Verdict::Withdrawn)),
        (vec!["T1003.008 Alpha (a)".to_owned()], vec!["Beta (b)".to_owned()],)
    );
}

#[test]
fn another_domain_is_refused_and_writes_nothing() {
    let app = TestApp::spawn();
    let mut foreign = release("20.0");
    foreign.release.domain = "mobile-attack".into();
    let refused = apply_attack(&app.db, &Actor::command(), &foreign, Missing::Keep);
    assert!(matches!(refused, Err(Error::Refused(sentence)) if sentence.contains("mobile-attack")));
    assert_eq!(app.count("SELECT count(*) FROM attack_versions"), 1);
}

#[test]
fn a_changed_test_gets_a_version_and_a_vanished_one_stays_where_it_is_used() {
    let app = TestApp::spawn();
    let command = Actor::command();
    let (a, b) = (body("Alpha", "id"), body("Beta", "printf '\u{202E}' #{x}"));
    assert_eq!(
        apply_atomics(&app.db, &command, &atomics(&[("a", a.clone()), ("b", b.clone())]), Missing::Withdraw)
            .unwrap(),
        counts(2, 0, 0, 0)
    );
    assert_eq!(
        apply_atomics(&app.db, &command, &atomics(&[("a", a.clone()), ("b", b.clone())]), Missing::Withdraw)
            .unwrap(),
        counts(0, 0, 0, 2)
    );
    let changed = body("Alpha", "id -a");
    assert_eq!(
        apply_atomics(&app.db, &command, &atomics(&[("a", changed)]), Missing::Withdraw).unwrap(),
        counts(0, 1, 1, 0)
    );

    let versions = "SELECT body #>> '{steps,0,command}' FROM library_procedure_versions v \
            JOIN library_procedures p ON p.id = v.procedure_id
        WHERE p.source_key = 'a' ORDER BY n";
    assert_eq!(app.texts(versions), ["id", "id -a"]);
    let beta = app.texts("SELECT id::text FROM library_procedures WHERE source_key = 'b'").remove(0);
    let mut browser = app.browser(&app.people.standard);
    browser.open(&format!("/library/procedures/{beta}")).expect(200).see("Withdrawn on").see("⟨U+202E⟩");
    assert_eq!(
        browser.texts("[aria-hidden] code"),
        ["printf '\u{202E}' #{x}"],
        "the copy button's text is exact"
    );
    browser.open("/library/procedures?q=Beta").see("0 procedures");
    let alpha = app.texts("SELECT id::text FROM library_procedures WHERE source_key = 'a'").remove(0);
    browser
        .open(&format!("/library/procedures/{alpha}"))
        .see("id -a")
        .click("Show version 1")
        .see("This is version 1.");

    assert_eq!(
        apply_atomics(&app.db, &command, &atomics(&[("a", a), ("b", b)]), Missing::Withdraw).unwrap(),
        counts(1, 1, 0, 0)
    );
    assert_eq!(app.count("SELECT count(*) FROM library_procedures WHERE withdrawn_at IS NOT NULL"), 0);
    assert_eq!(
        app.count("SELECT current_version FROM library_procedures WHERE source_key = 'b'"),
        1,
        "it came back as it was"
    );
}

#[test]
fn the_search_takes_words_ids_and_filters_and_pages_both_ways() {
    let app = TestApp::spawn();
    let many: Vec<(String, ProcedureBody)> =
        (0..120).map(|n| (format!("k{n}"), body(&format!("Selfsame name 100 % {}", n / 2), "id"))).collect();
    let many = Atomics { procedures: many, ..Atomics::default() };
    apply_atomics(&app.db, &Actor::command(), &many, Missing::Keep).unwrap();
    let found = |q: &str| {
        app.db
            .read_blocking(|conn| {
                count(conn, Shelf::whole(), &Search { q: q.into(), ..Search::default() }, 1000)
            })
            .unwrap()
    };
    assert_eq!(found("selfsame NAME"), 120);
    assert_eq!(found("selfsame 100 %"), 120);
    assert_eq!((found("atomic-120"), found("start-7")), (1, 1), "the ids of procedures are found");
    assert!(found("whoami") > 0, "and the commands of their steps");
    assert_eq!(found("100_%"), 0, "an underscore is no wildcard");
    assert!(found("T1003") >= 120, "a technique includes its sub-techniques");
    let tactic = Search {
        tactic: "credential-access".into(),
        platform: "linux".into(),
        q: "selfsame name".into(),
        ..Search::default()
    };
    assert_eq!(app.db.read_blocking(|conn| count(conn, Shelf::whole(), &tactic, 1000)).unwrap(), 120);

    let page = |at| {
        let wanted = Search { q: "selfsame name".into(), at, ..Search::default() };
        app.db.read_blocking(move |conn| search(conn, Shelf::whole(), &wanted, 50)).unwrap()
    };
    let (first, mut seen) = (page(At::First), Vec::new());
    let mut rows = first.clone();
    while let Some(last) = rows.last() {
        seen.extend(rows.iter().map(|hit| hit.id));
        rows = page(At::After(last.cursor()));
    }
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(
        (seen.len(), unique.len()),
        (120, 120),
        "nothing twice and nothing left out where names are equal"
    );
    let second = page(At::After(first[49].cursor()));
    let mut back = page(At::Before(second[0].cursor()));
    back.reverse();
    assert_eq!(back, first, "read against the order");

    let mut browser = app.browser(&app.people.lead);
    browser
        .open("/library/procedures")
        .fill("Search", "selfsame name")
        .press("Filter")
        .expect(200)
        .see("120 procedures")
        .see("50 shown of 120");
    browser.click("Next").see("50 shown").click("Next").see("20 shown").click("Previous").see("50 shown");
    assert_eq!(browser.value("Search"), "selfsame name");
    browser.open("/library/procedures?q=no+such+thing").see("No procedure matches");
    for path in
        ["/library/tactics", "/library/repositories", "/library/methodologies", "/library/techniques/T1059"]
    {
        browser.open(path).expect(200);
    }
    browser.open("/library/tactics?version=3.0").expect(404);
}

/// Chooses what a search finds first.
fn choose(browser: &mut Browser, q: &str) {
    browser.fill("Search", q).press("Filter");
    browser.press_in("#picker section", "Add ");
}

#[test]
fn a_test_plan_is_made_changed_and_deleted_without_scripts() {
    let app = TestApp::spawn();
    let mut browser = app.sign_in(&app.people.standard);
    browser.open("/test-plans").expect(200).see("Ransomware rehearsal").click("New Test Plan");
    browser.fill("Title", "Quarterly check").fill("Tags", "Quarterly, Windows");
    for q in ["encoded powershell", "scheduled task", "beacon"] {
        choose(&mut browser, q);
        browser.expect(200);
        assert_eq!(browser.value("Title"), "Quarterly check", "what was typed stays");
    }
    let chosen = browser.texts("#picker ol li a");
    assert_eq!(chosen.len(), 3);
    browser.press(&format!("Move {} up", chosen[2])).press(&format!("Remove {}", chosen[0]));
    browser.press("Save").expect(200).see("Test plan “Quarterly check” created.");
    assert_eq!(browser.texts("td.title > a"), [chosen[2].clone(), chosen[1].clone()]);
    browser.see("quarterly").see("Start engagement");
    let plan = browser.path().to_owned();

    let mut other = app.browser(&app.people.lead);
    other.open(&format!("{plan}/edit")).fill("Description", "Theirs");
    browser
        .open(&format!("{plan}/edit"))
        .fill("Title", "Renamed")
        .press("Save")
        .expect(200)
        .see("“Renamed” saved.");
    other.press("Save").expect(200).see("“Renamed” saved.").see("Theirs");
    assert_eq!(app.events("test_plan.updated"), 2);
    other.open(&format!("{plan}/edit")).press("Save").expect(200);
    assert_eq!(app.events("test_plan.updated"), 2, "a save that changes nothing is no event");

    browser
        .open(&format!("{plan}/edit"))
        .fill("Title", "ransomware REHEARSAL")
        .press("Save")
        .expect(422)
        .see("exists already");
    browser
        .fill("Title", " ")
        .fill("Description", &"x".repeat(70_000))
        .press("Save")
        .expect(422)
        .see("Give the test plan a title.")
        .see("the limit is 65,536");
    assert_eq!(browser.value("Description").len(), 70_000);
    for hit in browser.texts("#picker ol li a") {
        browser.press(&format!("Remove {hit}"));
    }
    browser.fill("Title", "Empty").press("Save").expect(422).see("Choose at least one procedure.");

    browser
        .open(&format!("{plan}/delete"))
        .see("The procedures stay in the library")
        .press("Delete test plan")
        .see("Test plan deleted.");
    browser.open(&plan).expect(404);
    assert_eq!(app.events("test_plan.deleted"), 1);
    let mut auditor = app.browser(&app.people.auditor);
    auditor.open("/test-plans").expect(200).see_not("New Test Plan");
    auditor.open("/test-plans/new").expect(403);
    // A plan tells what is coming: the client's own people do not read it.
    app.browser(&app.people.analyst).open("/test-plans").expect(403);
}

#[test]
fn a_procedure_that_does_not_exist_or_a_foreign_field_stores_nothing() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.standard);
    let unknown = uuid::Uuid::now_v7().to_string();
    let answer = browser.post("/test-plans/new", &[("title", "T"), ("chosen", &unknown), ("do", "save")]);
    assert_eq!(answer.status, 422);
    assert_eq!(browser.post("/test-plans/new", &[("title", "T"), ("key", "x"), ("do", "save")]).status, 422);
    assert_eq!(app.count("SELECT count(*) FROM test_plans"), 3);
}

#[test]
fn test_plans_that_hold_a_procedure_are_told_to_whoever_may_read_them() {
    let app = TestApp::spawn();
    let id = app.texts("SELECT procedure_id::text FROM test_plan_procedures LIMIT 1").remove(0);
    let path = format!("/library/procedures/{id}");
    app.browser(&app.people.lead).open(&path).expect(200).see("Used in test plans");
    app.browser(&app.people.custom).open(&path).expect(200).see_not("Used in test plans");
}
