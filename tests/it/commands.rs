//! Every command of `tyrian` as people type it: what it prints, how it ends, and the sentence with which it
//! refuses. Each line goes through a shell, in a directory of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::{Connection, PgConnection, RunQueryDsl};
use tyrian::accounts::store::factors;
use tyrian::accounts::two_factor::TotpSecret;
use tyrian::kernel::db::embedded::{Cluster, Durability};
use tyrian::kernel::event::domain::Actor;

use crate::harness::TestApp;
use crate::harness::browser::Browser;
use crate::harness::database::{TestDatabase, scratch};
use crate::kernel::sources::root;

/// A terminal: a working directory, and what is set in the environment.
struct Terminal {
    place: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// What a command said and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Terminal {
    fn new(name: &str) -> Self {
        let place = scratch().join(format!("commands-{name}-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        Self { place, environment: Vec::new() }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// As on a server with a database of its own.
    fn on(name: &str, database: &TestDatabase) -> Self {
        Self::new(name)
            .set("DATABASE_URL", database.app_url())
            .set("TYRIAN_SEALER_DATABASE_URL", database.sealer_url())
            .set("TYRIAN_SECRET_KEY", "5".repeat(64))
            .set("TYRIAN_BASE_URL", "https://tyrian.example")
    }

    fn command(&self, program: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_tyrian")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        let ours = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("TYRIAN_") || name == "DATABASE_URL"
        });
        for name in ours {
            command.env_remove(name);
        }
        command.current_dir(&self.place).env("PATH", path).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    fn type_line(&self, line: &str) -> Said {
        let done = self.command("sh").args(["-c", line]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// A line that succeeds; what it printed.
    #[track_caller]
    fn works(&self, line: &str) -> String {
        let said = self.type_line(line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        said.out
    }

    /// A line that fails with this exit code and this sentence, and prints no result.
    #[track_caller]
    fn fails(&self, line: &str, code: i32, sentence: &str) {
        let said = self.type_line(line);
        assert_eq!(said.code, code, "{line}: {said:?}");
        assert!(said.err.contains(sentence), "{line}: “{sentence}” in {said:?}");
        assert_eq!(said.out, "", "{line}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// A command that goes on until it is told to stop.
struct Running(Child);

impl Running {
    /// Starts it and reads its lines until one begins like this.
    fn until(terminal: &Terminal, command: &str, awaited: &str) -> (Self, Vec<String>) {
        let mut child = terminal
            .command("tyrian")
            .arg(command)
            .env("TYRIAN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Vec::new();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in out.by_ref() {
            lines.push(line);
            if lines.last().unwrap().starts_with(awaited) {
                break;
            }
        }
        // Whoever takes stdout has to read it.
        std::thread::spawn(move || out.for_each(drop));
        assert!(lines.last().is_some_and(|line| line.starts_with(awaited)), "{awaited}: {lines:?}");
        (Self(child), lines)
    }

    /// As Ctrl+C does (INT), or a service manager (TERM); the exit code.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let after = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.trim().is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let terminal = Terminal::new("help");
    let mut known = BTreeSet::new();
    for command in listed(&terminal.works("tyrian help")) {
        let below = listed(&terminal.works(&format!("tyrian {command} --help")));
        known.extend(below.iter().map(|part| format!("{command} {part}")));
        if below.is_empty() {
            known.insert(command);
        }
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut told = BTreeSet::new();
    for line in readme.lines().filter(|line| line.starts_with("| `tyrian ")) {
        // One row may name several: "`tyrian user add`, `reset-link`, `disable`".
        let cell = line.split(" | ").next().unwrap();
        let mut first = "";
        for typed in cell.split('`').skip(1).step_by(2) {
            let typed = typed.strip_prefix("tyrian ").unwrap_or(typed);
            let words: Vec<&str> = typed
                .split(' ')
                .take_while(|word| word.chars().all(|c| c.is_lowercase() || c == '-'))
                .collect();
            match words[..] {
                [group, part] => {
                    first = group;
                    told.insert(format!("{group} {part}"));
                }
                [part] if !first.is_empty() => drop(told.insert(format!("{first} {part}"))),
                [alone] => drop(told.insert(alone.to_owned())),
                _ => panic!("{line}"),
            }
        }
    }
    println!("commands: {}", known.iter().cloned().collect::<Vec<_>>().join(", "));
    assert_eq!(told, known);
    assert_eq!(terminal.works("tyrian --version"), format!("tyrian {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_typed_wrong_is_refused_with_a_usage_line() {
    let terminal = Terminal::new("wrong");
    for (line, sentence) in [
        ("tyrian", "Usage: tyrian"),
        ("tyrian sreve", "a similar subcommand exists: 'serve'"),
        ("tyrian serve now", "unexpected argument 'now'"),
        ("tyrian seed", "Usage: tyrian seed"),
        ("tyrian user add --name 'Mira Sol'", "--email <EMAIL>"),
        ("tyrian user reset-link", "<EMAIL>"),
        ("tyrian user reset-factor", "<EMAIL>"),
        ("tyrian user disable", "<EMAIL>"),
        ("tyrian import attack", "<FILE>"),
        ("tyrian import atomics", "<SOURCE>"),
        ("tyrian import atomics --yes x", "--withdraw"),
        ("tyrian import test-plan", "<FILE>"),
        ("tyrian import repository --yes x", "--withdraw"),
        ("tyrian export layer", "--engagement <ENGAGEMENT>"),
        ("tyrian export layer --library --test-plan x", "invalid value 'x'"),
        ("tyrian export test-plan 12", "invalid value '12'"),
        ("tyrian audit verify --seals x", "--seal"),
        ("tyrian audit export --format xml", "csv or jsonl"),
        ("tyrian audit export --from 2026-13-01", "invalid value '2026-13-01'"),
        ("tyrian jobs run", "<NAME>"),
        ("tyrian jobs run session-sweep --at yesterday", "invalid value 'yesterday'"),
    ] {
        terminal.fails(line, 2, sentence);
    }
    assert!(!terminal.place.join("var").exists(), "nothing was started");
}

#[test]
fn faults_of_the_configuration_are_listed_at_once() {
    let terminal =
        Terminal::new("configuration").set("TYRIAN_LISTEN", "nowhere").set("TYRIAN_TIME_ZONE", "Lisbon");
    for command in ["serve", "dev", "migrate", "seed demo", "jobs list", "audit verify"] {
        let line = format!("tyrian {command}");
        terminal.fails(&line, 1, "tyrian: the configuration does not hold:\n  TYRIAN_LISTEN “nowhere”");
        terminal.fails(&line, 1, "\n  TYRIAN_TIME_ZONE “Lisbon” is no zone of the IANA list");
    }
}

#[test]
fn without_its_database_a_command_says_so() {
    let terminal = Terminal::new("away")
        .set("DATABASE_URL", "postgresql:///tyrian?host=/nowhere&user=tyrian_app")
        .set("TYRIAN_LISTEN", "127.0.0.1:0")
        .set("TYRIAN_SECRET_KEY", "5".repeat(64));
    std::thread::scope(|all| {
        for line in [
            "tyrian serve",
            "tyrian dev",
            "tyrian seed demo",
            "tyrian user add --name 'Mira Sol' --email mira@tyrian.example",
            "tyrian user reset-link mira@tyrian.example",
            "tyrian user disable mira@tyrian.example",
            "tyrian audit verify",
            "tyrian audit export",
            "tyrian jobs run session-sweep",
        ] {
            let terminal = &terminal;
            all.spawn(move || terminal.fails(line, 1, "tyrian: the database cannot be reached: "));
        }
    });
    terminal.fails("tyrian migrate", 1, "tyrian: TYRIAN_OWNER_DATABASE_URL is required beside DATABASE_URL");
    let owner = "TYRIAN_OWNER_DATABASE_URL='postgresql:///tyrian?host=/nowhere&user=tyrian_owner'";
    terminal.fails(&format!("{owner} tyrian migrate"), 1, "tyrian: ");
    let jobs = terminal.works("tyrian jobs list");
    assert!(
        jobs.lines().all(|line| line.split_whitespace().count() > 7),
        "name, schedule and sentence: {jobs}"
    );
    assert!(jobs.starts_with("schedule-transitions   0 * * * *"), "{jobs}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    terminal.fails(
        &format!("TYRIAN_LISTEN={listen} tyrian serve"),
        1,
        &format!("tyrian: cannot listen on {listen}: Address already in use"),
    );
}

#[test]
fn migrate_brings_an_empty_database_up_once() {
    let database = TestDatabase::empty();
    let terminal = Terminal::on("migrate", &database);
    let migrations = fs::read_dir(root().join("migrations")).unwrap().count();
    terminal.fails(
        "tyrian jobs run session-sweep",
        1,
        &format!("tyrian: the database lacks {migrations} migrations of this version: run `tyrian migrate`"),
    );
    let migrate = format!("TYRIAN_OWNER_DATABASE_URL='{}' tyrian migrate", database.owner_url());
    assert_eq!(terminal.works(&migrate), format!("{migrations} migrations applied\n"));
    assert_eq!(terminal.works(&migrate), "0 migrations applied\n");
    assert_eq!(terminal.works("tyrian jobs run session-sweep"), "0 moved\n");
}

#[test]
fn user_adds_disables_and_makes_links() {
    let app = TestApp::spawn();
    let terminal = Terminal::on("user", &app.database);
    let add = "tyrian user add --name 'Mira Sol' --email mira@tyrian.example --role team_lead";
    let link = terminal.works(add);
    let token = link.trim_end().strip_prefix("https://tyrian.example/link/").expect(&link);
    assert!(token.len() == 48 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{link}");
    let told = "SELECT count(*) FROM audit.events WHERE sentence = 'Created the user Mira Sol'";
    assert_eq!(app.count(told), 1);
    terminal.fails(add, 1, "tyrian: An account with this e-mail address exists already.");
    terminal.fails(
        "tyrian user add --name Tor --email tor@tyrian.example --role boss",
        1,
        "tyrian: there is no role “boss”",
    );
    terminal.fails("tyrian user add --name '' --email tor", 1, "tyrian: Type an e-mail address");
    let reset = terminal.works("tyrian user reset-link mira@tyrian.example");
    assert!(reset.starts_with("https://tyrian.example/link/") && reset != link, "{reset}");
    assert_eq!(terminal.works("tyrian user disable MIRA@tyrian.example"), "Mira Sol can no longer sign in\n");
    assert_eq!(app.texts("SELECT status FROM people WHERE name = 'Mira Sol'"), ["disabled"]);
    for command in ["reset-link", "disable"] {
        terminal.fails(
            &format!("tyrian user {command} nobody@tyrian.example"),
            1,
            "tyrian: no account has the e-mail address nobody@tyrian.example",
        );
    }
}

#[test]
fn jobs_run_once_as_of_any_time() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("jobs", &app.database);
    for line in terminal.works("tyrian jobs list").lines() {
        let name = line.split(' ').next().unwrap();
        let done = terminal.works(&format!("tyrian jobs run {name}"));
        assert!(done.ends_with(" moved\n"), "{name}: {done}");
        assert!(name != "audit-verify" || done.starts_with("Nothing is sealed yet.\n"), "{done}");
    }
    assert_eq!(terminal.works("tyrian jobs run schedule-transitions --at 2030-01-01T00:00:00Z"), "0 moved\n");
    assert_eq!(app.count("SELECT count(*) FROM job_runs WHERE trigger = 'command'"), 9);
    terminal.fails(
        "tyrian jobs run spring-clean",
        1,
        "tyrian: there is no job “spring-clean”; `tyrian jobs list` names them",
    );
}

#[test]
fn the_audit_log_is_exported_and_verified() {
    let app = TestApp::spawn();
    app.seal();
    let terminal = Terminal::on("audit", &app.database);
    terminal.fails(
        "tyrian audit verify",
        1,
        "tyrian: there is no list of trusted keys: give one with --keys",
    );
    // Where the sealer's files are.
    let keys = app.app.config.data_dir.display().to_string();
    let terminal = terminal.set("TYRIAN_DATA_DIR", &keys);
    let verified = terminal.works("tyrian audit verify");
    assert!(verified.starts_with("Everything holds: "), "{verified}");
    assert!(verified.contains("\nThe newest is seal "), "{verified}");
    terminal.works(&format!("cp {keys}/audit.head kept && tyrian audit verify --seal kept"));
    terminal.fails("tyrian audit verify --seal lost", 1, "tyrian: lost cannot be read: ");
    terminal.fails("tyrian audit verify --keys lost", 1, "tyrian: lost cannot be read: ");
    terminal.fails("echo '{}' > kept; tyrian audit verify --seal kept", 1, "tyrian: kept is no seal: ");

    let rows = terminal.works("tyrian audit export --format csv");
    assert!(rows.lines().count() > 2, "a heading and events: {rows}");
    assert_eq!(app.events("audit_log.exported"), 1);
    let none = terminal.works("tyrian audit export --from 2031-01-01 --to 2031-01-31");
    assert_eq!(none.lines().count(), 1, "the end alone: {none}");
    terminal.fails(
        "tyrian audit export --from 2031-02-01 --to 2031-01-01",
        1,
        "tyrian: --from lies after --to",
    );
    terminal.fails("tyrian audit export --format csv --proof", 1, "tyrian: only jsonl carries proofs");

    app.seal();
    terminal.works("tyrian audit export --proof > export.jsonl");
    terminal.works(&format!("cp {keys}/audit.pub ."));
    // On another machine: no database, no data directory, no configuration.
    let check = "env -u DATABASE_URL -u TYRIAN_SECRET_KEY -u TYRIAN_SEALER_DATABASE_URL \
        TYRIAN_DATA_DIR=nowhere tyrian audit verify --keys audit.pub --export";
    let verified = terminal.works(&format!("{check} export.jsonl"));
    assert!(
        verified.contains("events lead to seals") && !terminal.place.join("nowhere").exists(),
        "{verified}"
    );
    terminal.fails(&format!("{check} lost.jsonl"), 1, "tyrian: lost.jsonl cannot be read: ");
    let forge = "sed '1s/\"sentence\":\"/&Not /' export.jsonl > forged.jsonl; \
        cmp -s export.jsonl forged.jsonl && exit 9;";
    terminal.fails(&format!("{forge} {check} forged.jsonl"), 1, "tyrian: the audit log does not hold. ");
}

#[test]
fn imports_say_what_changed_and_where_a_fault_is() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("import", &app.database);
    let before = app.events("library.imported");
    let bundle = r#"{"type":"bundle","objects":[
{"type":"x-mitre-tactic","id":"x-mitre-tactic--1","name":"Execution","x_mitre_shortname":"execution",
"external_references":[{"source_name":"mitre-attack","external_id":"TA0002"}]},
{"type":"x-mitre-matrix","id":"m","external_references":[{"source_name":"mitre-attack",
"external_id":"enterprise-attack"}],"tactic_refs":["x-mitre-tactic--1"]},
{"type":"attack-pattern","id":"attack-pattern--1","name":"Invented","kill_chain_phases":
[{"kill_chain_name":"mitre-attack","phase_name":"execution"}],"external_references":
[{"source_name":"mitre-attack","external_id":"T9001","url":"https://attack.mitre.org/techniques/T9001"}]}
]}"#;
    fs::write(terminal.place.join("enterprise-attack-99.1.json"), bundle).unwrap();
    fs::write(terminal.place.join("enterprise-attack-99.2.json"), &bundle[..bundle.len() - 4]).unwrap();
    let import = "tyrian import attack enterprise-attack-99.1.json";
    assert_eq!(
        terminal.works(import),
        "Read MITRE ATT&CK 99.1: 1 tactics, 1 techniques, 0 revoked, 0 deprecated\n\
        added 2, changed 0, withdrawn 0, unchanged 0, refused 0\n"
    );
    let again = terminal.works(import);
    assert!(again.ends_with("added 0, changed 0, withdrawn 0, unchanged 2, refused 0\n"), "{again}");
    terminal.fails(
        "tyrian import attack enterprise-attack-99.2.json",
        1,
        "tyrian: enterprise-attack-99.2.json, ",
    );
    terminal.fails("tyrian import attack lost.json", 1, "tyrian: lost.json: it cannot be read");

    let test = "attack_technique: T9001\ndisplay_name: Invented\natomic_tests:\n- name: Say hello\n  \
        auto_generated_guid: aaaaaaaa-0000-4000-8000-000000000001\n  description: Says it.\n  \
        supported_platforms: [linux]\n  executor: {name: sh, command: echo hello}\n";
    let folder = terminal.place.join("atomics/T9001");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("T9001.yaml"), test).unwrap();
    assert_eq!(
        terminal.works("tyrian import atomics ."),
        "Read 1 tests of Atomic Red Team\nNot looked at: 2 other files, not YAML or hidden\n\
        added 1, changed 0, withdrawn 0, unchanged 0, refused 0\n"
    );
    terminal.fails("tyrian import atomics lost.zip", 1, "tyrian: lost.zip: it cannot be read");
    assert_eq!(app.events("library.imported"), before + 2, "what changes nothing leaves no event");
}

#[test]
fn the_library_goes_out_and_in_on_the_command_line() {
    let app = TestApp::spawn();
    let terminal = Terminal::on("exchange", &app.database);
    let plan = app.texts("SELECT id::text FROM test_plans ORDER BY title LIMIT 1").remove(0);
    terminal.works(&format!("tyrian export test-plan {plan} > plan.yaml"));
    let again = terminal.works("tyrian import test-plan plan.yaml");
    assert!(again.ends_with(", refused 0\n") && again.contains("added 0, changed 0, withdrawn 0"), "{again}");
    let yaml = fs::read_to_string(terminal.place.join("plan.yaml")).unwrap();
    fs::write(terminal.place.join("broken.yaml"), yaml.replace("runbook: *ref_0", "runbook: {}")).unwrap();
    terminal.fails("tyrian import test-plan broken.yaml", 1, "field runbook, line ");

    let engagement = app.engagement(2);
    let layer = terminal.works(&format!("tyrian export layer --engagement {}", engagement.id));
    assert!(layer.contains("\"layer\": \"4.5\""), "{layer}");
    fs::write(terminal.place.join("layer.json"), layer).unwrap();
    let wanted = terminal.works("tyrian import layer layer.json --dry-run");
    assert!(wanted.contains("Nothing was written: this was a dry run"), "{wanted}");
    terminal.fails(
        &format!("tyrian export layer --engagement {plan}"),
        1,
        "there is no engagement with this id",
    );
    terminal.fails("tyrian export repository nowhere out", 1, "there is no repository with this prefix");

    let wrote = terminal.works("tyrian export repository start out");
    assert!(wrote.starts_with("Wrote out: ") && wrote.contains(", 3 test plans\n"), "{wrote}");
    fs::write(terminal.place.join("out/procedures/old.yaml"), "x").unwrap();
    let wrote = terminal.works("tyrian export repository START out");
    assert!(wrote.contains("Removed 1 file"), "{wrote}");
    fs::create_dir(terminal.place.join("mine")).unwrap();
    fs::write(terminal.place.join("mine/notes.txt"), "x").unwrap();
    terminal.fails("tyrian export repository START mine", 1, "is not empty and holds no archive of START");
    terminal.fails("tyrian import repository mine", 1, "it holds no repository.yaml");
    let import = "tyrian import repository out";
    let said = terminal.type_line(import);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("START is curated here"), "{said:?}");
    assert!(said.err.contains("name one with --repository PREFIX."), "{said:?}");
    let head = terminal.place.join("out/repository.yaml");
    let text = fs::read_to_string(&head).unwrap();
    fs::write(&head, text.replace("START", "COPY").replace("name: ", "name: Copy of ")).unwrap();
    for entry in fs::read_dir(terminal.place.join("out/procedures")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("id: START-", "id: COPY-")).unwrap();
    }
    fs::remove_dir_all(terminal.place.join("out/test-plans")).unwrap();
    let dry = terminal.works(&format!("{import} --dry-run"));
    assert!(dry.contains("Would add: COPY-1 ") && dry.contains("this was a dry run"), "{dry}");
    let done = terminal.works(import);
    let count = app.count(
        "SELECT count(*) FROM library_procedures p JOIN repositories r ON r.id = p.repository_id \
        WHERE r.prefix = 'START'",
    );
    assert!(
        done.ends_with(&format!("added {count}, changed 0, withdrawn 0, unchanged 0, refused 0\n")),
        "{done}"
    );
    let again = terminal.works(import);
    assert!(
        again.ends_with(&format!("added 0, changed 0, withdrawn 0, unchanged {count}, refused 0\n")),
        "{again}"
    );
    assert_eq!(app.events("repository.exported"), 2);
}

/// A technique file of tests with these names and numbers.
fn technique_file(technique: &str, tests: &[(&str, u32)]) -> String {
    let mut yaml = format!("attack_technique: {technique}\natomic_tests:\n");
    for (name, number) in tests {
        yaml += &format!("- name: {name}\n  auto_generated_guid: aaaaaaaa-0000-4000-8000-{number:012}\n");
        yaml += "  executor: {name: sh, command: id}\n";
    }
    yaml
}

#[test]
fn an_import_takes_nothing_away_unasked() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("withdraw", &app.database);
    let names: Vec<String> = (0..12).map(|number| format!("Test {number}")).collect();
    let all: Vec<_> = (0u32..).zip(&names).map(|(number, name)| (name.as_str(), number)).collect();
    fs::create_dir_all(terminal.place.join("all/lateral")).unwrap();
    fs::write(terminal.place.join("all/lateral/many.yml"), technique_file("T9001", &all)).unwrap();
    let own = technique_file("T9001", &[("Own", 99)]) + "- name: Idle\n  executor: {name: sh}\n";
    fs::write(terminal.place.join("T9001.yaml"), own).unwrap();
    fs::write(terminal.place.join("index.yaml"), "impact:\n  T9001:\n    atomic_tests: []\n").unwrap();
    let there = || app.count("SELECT count(*) FROM library_procedures WHERE withdrawn_at IS NULL");
    let starter = there();

    let tried = terminal.works("tyrian import atomics --dry-run all");
    assert!(tried.contains("Would add: T9001 Test 3 (aaaaaaaa-0000-4000-8000-000000000003)\n"), "{tried}");
    assert!(
        tried.ends_with(
            "Nothing was written: this was a dry run\n\
            added 12, changed 0, withdrawn 0, unchanged 0, refused 0\n"
        ),
        "{tried}"
    );
    assert_eq!(there(), starter);
    terminal.works("tyrian import atomics all");
    assert_eq!(
        terminal.works("tyrian import atomics T9001.yaml"),
        "Read 2 tests of Atomic Red Team\n\
        Refused: T9001.yaml, test 2 \"Idle\", field executor, line 7: its executor has neither a command nor \
        steps.\nWarning: T9001: No release of ATT&CK that the library holds has it. 1 test names it and is \
        kept: Own.\n\
        12 tests of the library are not in this import: they stay; with --withdraw they are retired\n\
        added 1, changed 0, withdrawn 0, unchanged 0, refused 1\n"
    );
    assert_eq!(there(), starter + 13);

    let asked = terminal.type_line("tyrian import atomics --withdraw T9001.yaml");
    assert_eq!(asked.code, 1);
    let sentence = "tyrian: This import retires 12 of the 13 tests of the library. Nothing was written.";
    assert!(asked.err.starts_with(sentence), "{asked:?}");
    assert_eq!(there(), starter + 13);
    let done = terminal.works("tyrian import atomics --withdraw --yes T9001.yaml");
    assert!(done.ends_with("added 0, changed 0, withdrawn 12, unchanged 1, refused 1\n"), "{done}");
    let again = terminal.works("tyrian import atomics --withdraw T9001.yaml");
    assert!(again.ends_with("added 0, changed 0, withdrawn 0, unchanged 1, refused 1\n"), "{again}");

    let back = terminal.works("tyrian import atomics .");
    assert!(back.contains("Left out: index.yaml: it is an index of tests, not a technique file;"), "{back}");
    assert!(back.ends_with("added 12, changed 0, withdrawn 0, unchanged 1, refused 1\n"), "{back}");
    terminal.fails("tyrian import atomics index.yaml", 1, "tyrian: index.yaml: it is an index of tests");
    for help in ["tyrian import attack --help", "tyrian import atomics --help"] {
        assert!(terminal.works(help).contains("stays"), "{help} says what stays");
    }
}

#[test]
fn a_dry_run_counts_what_was_changed_on_both_sides_as_the_import_does() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("conflict", &app.database);
    crate::imports::repository(&app, "OWN", "open", &[]);
    let file = terminal.place.join("T9001.yaml");
    fs::write(&file, technique_file("T9001", &[("Alpha", 1), ("Beta", 2)])).unwrap();
    terminal.works("tyrian import atomics --repository OWN T9001.yaml");
    crate::imports::edit(&app, "Alpha", r#"{"name": "Ours"}"#);
    fs::write(&file, technique_file("T9001", &[("Theirs", 1), ("Gamma", 2)])).unwrap();
    let counts = "\nadded 0, changed 1, withdrawn 0, unchanged 0, refused 0\n";
    let tried = terminal.works("tyrian import atomics --repository OWN --dry-run T9001.yaml");
    assert!(tried.contains("\nWould change: T9001 Gamma (") && tried.ends_with(counts), "{tried}");
    assert!(
        tried.contains("\nWould keep: T9001 Theirs (") && !tried.contains("not in this import"),
        "{tried}"
    );
    let done = terminal.works("tyrian import atomics --repository OWN T9001.yaml");
    assert!(done.contains("\nConflict: T9001 Theirs (") && done.ends_with(counts), "{done}");
}

#[test]
fn demo_data_goes_into_an_empty_installation_alone() {
    let database = TestDatabase::new();
    let terminal = Terminal::on("seed", &database);
    let said = terminal.works("tyrian seed demo");
    assert!(said.contains("@tyrian.example"), "the sign-ins: {said}");
    terminal.fails("tyrian seed demo", 1, "tyrian: somebody has an account here already");
}

/// Waits until the server whose first line this is answers.
#[track_caller]
fn answers(line: &str) {
    let base = line.strip_prefix("Tyrian is at ").expect(line);
    assert!(base.starts_with("http://127.0.0.1:"), "{line}");
    assert_eq!(Browser::new(base).get("/healthz").status, 200);
}

#[test]
fn serve_brings_its_own_database_and_ends_when_told() {
    let terminal = Terminal::new("serve");
    let (server, lines) = Running::until(&terminal, "serve", "  http");
    assert!(lines[1].starts_with("Nobody has an account yet."), "{lines:?}");
    assert!(lines[2].contains("/link/"), "{lines:?}");
    answers(&lines[0]);
    assert_eq!(server.stop("TERM"), Some(0));
}

#[test]
fn dev_prints_the_sign_ins_and_ends_with_ctrl_c() {
    let terminal = Terminal::new("dev");
    let (server, lines) = Running::until(&terminal, "dev", "Demo sign-ins");
    answers(&lines[0]);
    assert_eq!(server.stop("INT"), Some(0));
}

/// Where a private cluster for this directory keeps its process id while it runs.
fn pid_file(directory: &Path) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let cluster = Cluster::start(directory, Durability::Durable).unwrap();
    let mut conn = PgConnection::establish(&cluster.superuser_url("postgres")).unwrap();
    #[derive(diesel::QueryableByName)]
    struct Directory {
        #[diesel(sql_type = diesel::sql_types::Text)]
        data_directory: String,
    }
    let found: Directory = diesel::sql_query("SHOW data_directory").get_result(&mut conn).unwrap();
    PathBuf::from(found.data_directory).join("postmaster.pid")
}

#[test]
fn ctrl_c_during_the_start_ends_the_private_database_too() {
    let terminal = Terminal::new("early");
    let pid = pid_file(&terminal.place.join("var"));
    assert!(!pid.exists(), "nobody uses it");
    // The moment in which the database is up and the server does not listen yet.
    let server = terminal
        .command("tyrian")
        .arg("serve")
        .env("TYRIAN_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let given_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !pid.exists() && std::time::Instant::now() < given_up {
        std::thread::yield_now();
    }
    assert_eq!(Running(server).stop("INT"), Some(130));
    assert!(!pid.exists(), "PostgreSQL goes on running");

    // The moment of the first lines.
    let (server, _) = Running::until(&terminal, "serve", "Tyrian is at");
    assert!(matches!(server.stop("INT"), Some(0 | 130)));
    assert!(!pid.exists(), "PostgreSQL goes on running");
}

#[test]
fn a_lost_secret_key_is_told_and_can_be_replaced_on_purpose() {
    let terminal = Terminal::new("lost-key");
    let key = terminal.place.join("var/secret.key");
    let any = "tyrian jobs run session-sweep";
    terminal.works(any);
    let first = fs::read_to_string(&key).unwrap();
    fs::remove_file(&key).unwrap();
    for command in [any, "tyrian serve", "tyrian user reset-link mira@tyrian.example"] {
        let serving = format!("TYRIAN_LISTEN=127.0.0.1:0 {command}");
        terminal.fails(&serving, 1, "tyrian: the secret key is not there: ./var/secret.key is missing. ");
        assert!(!key.exists(), "no new one stands in the way of the backup's");
    }
    fs::write(&key, &first).unwrap();
    terminal.works(any);
    fs::write(&key, "6".repeat(64)).unwrap();
    terminal.fails(any, 1, "tyrian: this is not the secret key that the database was made with. ");
    terminal.works("tyrian audit export");

    fs::remove_file(&key).unwrap();
    let adopted = terminal.works("tyrian secret-key adopt");
    assert!(adopted.starts_with("From now on the database goes with this secret key."), "{adopted}");
    terminal.works(any);
    let again = terminal.works("tyrian secret-key adopt");
    assert!(again.contains("nothing to adopt"), "{again}");
    assert!(terminal.works("tyrian audit export").contains("Went on with another secret key"));
}

#[test]
fn a_second_factor_that_nobody_can_use_any_more_is_taken_off() {
    let app = TestApp::spawn();
    let (person, email) = (app.people.lead.id, app.people.lead.email.clone());
    let secret = TotpSecret::generate();
    let code = secret.code_at(app.clock.now().timestamp());
    app.db
        .write_blocking(&Actor::command(), |tx| factors::enrol(tx, &app.app.keys, person, &secret, &code))
        .unwrap();
    // Its secret was sealed under another key than this one, and no fingerprint was kept yet.
    let terminal = Terminal::on("factor", &app.database);
    let link = format!("tyrian user reset-link {email}");
    terminal.fails(&link, 1, "tyrian: this is not the secret key that the database was made with. ");
    let adopted = terminal.works("tyrian secret-key adopt");
    assert!(adopted.contains(&format!("`tyrian user reset-factor {email}` takes it off")), "{adopted}");
    let linked = terminal.type_line(&link);
    assert!(linked.err.contains("The second factor is asked for as before;"), "{linked:?}");
    let done = terminal.works(&format!("tyrian user reset-factor {email}"));
    assert!(done.contains("signs in with the password alone from now on"), "{done}");
    terminal.fails(
        &format!("tyrian user reset-factor {email}"),
        1,
        "tyrian: There is no second factor to take away.",
    );
    assert_eq!((app.events("two_factor.reset"), app.events("secret_key.adopted")), (1, 1));

    // This server still goes with the key before.
    let told = app.visitor().get("/readyz");
    assert_eq!(told.status, 503);
    assert!(told.text().contains("secret key: not the one the database was made with"), "{}", told.text());
}

#[test]
fn a_lead_is_disabled_where_there_is_no_administrator_at_all() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("no-administrator", &app.database);
    for (name, role) in [("lena", "team_lead"), ("ada", "administrator")] {
        let made = format!("tyrian user add --name '{name}' --email {name}@tyrian.example --role {role}");
        terminal.works(&made);
    }
    let done = terminal.works("tyrian user disable lena@tyrian.example");
    assert_eq!(done, "lena can no longer sign in\n");
    // Invited only: she was no active administrator either.
    terminal.works("tyrian user disable ada@tyrian.example");
}

#[test]
fn a_missing_list_of_keys_is_named_as_what_is_missing() {
    let app = TestApp::spawn_empty();
    let terminal = Terminal::on("keys", &app.database);
    fs::write(terminal.place.join("empty.pub"), "# nothing\n").unwrap();
    fs::write(terminal.place.join("export.jsonl"), "").unwrap();
    for more in ["", " --export export.jsonl"] {
        let verify = format!("tyrian audit verify{more} --keys");
        terminal.fails(&format!("{verify} lost.pub"), 1, "tyrian: lost.pub cannot be read: ");
        terminal.fails(&format!("{verify} empty.pub"), 1, "tyrian: empty.pub holds no key: ");
    }
}
