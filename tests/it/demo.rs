//! The demo data as people get it: by `tyrian dev` and `tyrian seed demo`, on an empty log and on one that
//! has begun.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use tyrian::kernel::base::clock::Clock;

use crate::harness::browser::Browser;
use crate::harness::database::{TestDatabase, connect, scratch};
use crate::harness::process::{Process, tyrian};

/// An empty database, and a directory for the files of whoever runs on it.
pub struct Place {
    database: TestDatabase,
    directory: PathBuf,
    urls: [String; 3],
}

#[derive(diesel::QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Timestamptz)]
    first: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    events: i64,
}

impl Place {
    pub fn new(name: &str) -> Self {
        let database = TestDatabase::empty();
        let directory = scratch().join(format!("demo-{name}-{}", std::process::id()));
        let urls = [database.app_url(), database.sealer_url(), database.owner_url()];
        let place = Self { database, directory, urls };
        place.run(&["migrate"], true);
        place
    }

    fn environment(&self, owner: bool) -> Vec<(&str, &str)> {
        let [app, sealer, owners] = &self.urls;
        let mut all = vec![("DATABASE_URL", app.as_str()), ("TYRIAN_SEALER_DATABASE_URL", sealer.as_str())];
        if owner {
            all.push(("TYRIAN_OWNER_DATABASE_URL", owners.as_str()));
        }
        all
    }

    /// Runs a command to its end and returns what it printed.
    fn run(&self, arguments: &[&str], owner: bool) -> String {
        let done = tyrian(arguments, &self.directory, &self.environment(owner)).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
        said
    }

    pub fn start(&self, command: &str, owner: bool) -> Process {
        Process::start(command, self.directory.clone(), &self.environment(owner))
    }

    /// Every kind of event, how many there are, and when the first and the last was.
    fn kinds(&self) -> Vec<Counted> {
        diesel::sql_query(
            "SELECT kind, min(at) AS first, max(at) AS last, count(*) AS events FROM audit.events \
                GROUP BY kind ORDER BY kind",
        )
        .load(&mut connect(&self.database.superuser_url()))
        .unwrap()
    }

    fn count(&self, query: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let found = diesel::sql_query(query);
        found.get_result::<Count>(&mut connect(&self.database.superuser_url())).unwrap().count
    }

    /// Waits, on the database's side, until nothing of the log waits for a seal.
    fn until_sealed(&self) {
        for _ in 0..200 {
            if self.count(
                "SELECT count(*) FROM audit.events e NATURAL LEFT JOIN audit.sealed s WHERE s.id IS NULL",
            ) == 0
            {
                return;
            }
            self.count("SELECT count(pg_sleep(0.05))");
        }
        panic!("the log is not sealed");
    }

    #[track_caller]
    fn assert_holds(&self) {
        let said = self.run(&["audit", "verify"], false);
        assert!(said.starts_with("Everything holds: "), "{said}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn sign_in(server: &Process, name: &str) -> Browser {
    let mut browser = Browser::new(&server.base);
    browser.open("/sign-in");
    browser.fill("E-mail", &format!("{name}@tyrian.example")).fill("Password", &server.password);
    browser.press("Sign in");
    browser
}

#[test]
fn the_demos_log_spans_its_months_and_its_filters_find_something() {
    let place = Place::new("past");
    let server = place.start("dev", true);
    place.until_sealed();
    place.assert_holds();

    let now = Clock::machine().now();
    let kinds = place.kinds();
    let of = |kind: &str| kinds.iter().find(|one| one.kind == kind).unwrap_or_else(|| panic!("no {kind}"));
    // The start's own events lie in the past, too.
    assert!(now - of("library.imported").last > TimeDelta::days(110));
    assert!(now - of("role.created").last > TimeDelta::days(110));
    let months = "SELECT count(DISTINCT date_trunc('month', at)) FROM audit.events";
    assert!(place.count(months) >= 4);
    assert_eq!(place.count("SELECT count(*) FROM audit.events WHERE at < audit.floor() OR at > now()"), 0);
    let disordered = "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY transaction_id, id) AS back \
        FROM audit.events) e WHERE back";
    assert_eq!(place.count(disordered), 0, "told in the order of its times");

    let mut marit = sign_in(&server, "marit");
    for (kind, keyword, seen) in [
        ("session.started", "Signed in", "Signed in"),
        ("session.refused", "failed", "failed: wrong credentials"),
        ("password.changed", "password", "Changed own password"),
        ("password.reset", "one-time", "set a new password by a one-time link"),
        ("role.assigned", "Team Lead", "Gave Noor Haddad the role Team Lead"),
        ("access.given", "Quillfen", "access to Quillfen Foods as"),
        ("engagement.canceled", "Ticketing", "“Ticketing back end, Linux baseline”"),
        ("report.moved", "Review", "from Ready for Review to In Review"),
    ] {
        let day = of(kind).last.date_naive();
        let keyword = keyword.replace(' ', "+");
        marit.open(&format!("/admin/audit-log?from={day}&to={day}&q={keyword}")).expect(200).see(seen);
        let before = of("role.created").first.date_naive() - TimeDelta::days(1);
        marit
            .open(&format!("/admin/audit-log?from={before}&to={before}&q={keyword}"))
            .expect(200)
            .see_not(seen);
    }
    // Who changed a password in the last 30 days: the category shows them alone.
    let since = now.date_naive() - TimeDelta::days(30);
    marit.open(&format!("/admin/audit-log?from={since}&q=password&category=password")).expect(200);
    let found = marit.texts(".event > .head");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|row| row.contains("Changed own password")), "{found:?}");
    // Two people chose a severity at once; both choices are in its history.
    let disputed = "SELECT count(*) FROM field_history WHERE field = 'severity' AND value = 'medium' \
        AND subject_id = (SELECT subject_id FROM field_history WHERE field = 'severity' AND value = 'high' \
        ORDER BY at DESC LIMIT 1)";
    assert_eq!(place.count(disputed), 1);
    assert_eq!(place.count("SELECT count(*) FROM engagements"), 11);
    assert_eq!(
        place.count("SELECT count(*) FROM notices WHERE read_at IS NULL AND text LIKE '%requests%'"),
        4
    );
    let files = std::fs::read_dir(place.directory.join("attachments")).unwrap().count();
    assert_eq!(place.count("SELECT count(*) FROM attachments"), files as i64);
    drop(server);

    // Again: nothing is told twice, and the sign-ins are still those.
    let again = place.start("dev", true);
    assert_eq!(place.count("SELECT count(*) FROM audit.events WHERE kind = 'demo.seeded'"), 1);
    sign_in(&again, "noor").open("/").expect(200).see("Noor Haddad");
    place.until_sealed();
    place.assert_holds();
}

#[test]
fn without_the_owners_address_the_demo_is_told_in_the_present() {
    let place = Place::new("present");
    let begun = Clock::machine().now();
    let said = place.run(&["seed", "demo"], false);
    assert!(said.starts_with("Demo sign-ins; the password of all of them is "), "{said}");
    assert_told_since(&place, begun);
    let server = place.start("serve", false);
    place.until_sealed();
    place.assert_holds();
    drop(server);

    let refused = tyrian(&["seed", "demo"], &place.directory, &place.environment(false)).output().unwrap();
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("demo data only goes into an empty installation"), "{why}");
}

#[test]
fn where_a_seal_exists_the_demo_is_told_in_the_present() {
    let place = Place::new("sealed");
    let begun = Clock::machine().now();
    let server = place.start("serve", true);
    place.until_sealed();
    drop(server);
    assert!(place.count("SELECT count(*) FROM audit.seals") > 0);
    let server = place.start("dev", true);
    assert_told_since(&place, begun);
    sign_in(&server, "marit").open("/admin/audit-log?q=Team+Lead").expect(200).see("the role Team Lead");
    place.until_sealed();
    place.assert_holds();
}

#[track_caller]
fn assert_told_since(place: &Place, begun: DateTime<Utc>) {
    let kinds = place.kinds();
    assert!(kinds.iter().map(|one| one.events).sum::<i64>() > 400);
    let early: Vec<_> = kinds.iter().filter(|one| one.first < begun).map(|one| &one.kind).collect();
    assert!(early.is_empty(), "told before its time: {early:?}");
    // The rows say no other times than their events.
    let rows = "SELECT count(*) FROM (SELECT created_at AS at FROM people UNION ALL SELECT created_at \
        FROM engagements UNION ALL SELECT at FROM field_history UNION ALL SELECT uploaded_at \
        FROM attachments) r WHERE at < (SELECT min(at) FROM audit.events) - interval '1 second'";
    assert_eq!(place.count(rows), 0);
}
