//! What PostgreSQL reads and plans once, and connections that die between two uses.

use std::cell::Cell;
use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Text};
use tyrian::kernel::base::error::Error;
use tyrian::kernel::base::query::prelude::*;
use tyrian::kernel::db::{Db, PoolSize};
use tyrian::kernel::event::domain::{Actor, Event, Kind};
use tyrian::server::rows;

use super::matrix::{Things, ask, common, filled, plan};
use super::sources::files;
use crate::harness::TestApp;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Statement {
    #[diesel(sql_type = Text)]
    statement: String,
    #[diesel(sql_type = BigInt)]
    generic_plans: i64,
}

/// What is prepared on a connection.
fn prepared(conn: &mut PgConnection) -> Vec<Statement> {
    let query = "SELECT statement, generic_plans FROM pg_prepared_statements";
    diesel::sql_query(query).load_anew(conn).unwrap()
}

#[test]
fn plain_sql_is_kept_by_its_text_and_gives_its_own_answer() {
    let app = TestApp::spawn_empty();
    let found = app.db.read_blocking(|conn| {
        let mut sums = Vec::new();
        for text in ["SELECT $1 + 1 AS n", "SELECT $1 + 2 AS n", "SELECT $1 + 1 AS n"] {
            sums.push(diesel::sql_query(text).bind::<BigInt, _>(10).get_result::<Number>(conn)?.n);
        }
        let kept = prepared(conn).into_iter().filter(|one| one.statement.starts_with("SELECT $1 + "));
        Ok((sums, kept.count()))
    });
    assert_eq!(found.unwrap(), (vec![11, 12, 11], 2));
}

/// Every row of the route table, asked for by somebody who may do everything. Each statement that its
/// connections then hold was planned for any value, and asking again for other things adds none: their texts
/// are few.
#[test]
fn what_routes_send_is_planned_for_any_value_and_has_few_texts() {
    let app = TestApp::spawn_on_one_connection();
    let kept = || -> BTreeMap<String, i64> {
        let read = app.db.read_blocking(|conn| Ok(prepared(conn))).unwrap();
        let written = app.db.write_unaudited_blocking("test", |conn| Ok(prepared(conn))).unwrap();
        read.into_iter().chain(written).map(|one| (one.statement, one.generic_plans)).collect()
    };
    let mut texts = Vec::new();
    for _ in 0..2 {
        for row in rows().filter(|row| !row.path.ends_with("/events") && row.path != "/sign-out") {
            let mut common = common(&app);
            common.insert("plan", plan(&app));
            let things = Things::make_for(&app, &app.people, app.clients.own, row);
            let person =
                if row.path.starts_with("/admin") { &app.people.administrator } else { &app.people.lead };
            ask(&mut app.browser(person), row, &filled(row, &things, &common), false);
        }
        texts.push(kept());
    }
    let anew: Vec<&String> =
        texts[1].iter().filter(|(_, generic)| **generic == 0).map(|(text, _)| text).collect();
    assert!(anew.is_empty(), "planned for each value anew: {anew:#?}");
    let more: Vec<&String> = texts[1].keys().filter(|text| !texts[0].contains_key(*text)).collect();
    assert!(more.is_empty(), "another text each time: {more:#?}");
    assert!(texts[1].len() > 200, "{}", texts[1].len());
    println!("{} statements are prepared on the two connections", texts[1].len());
}

/// Where statements are sent that are not prepared, and why.
const ANEW: &[(&str, &str)] = &[
    ("src/accounts/roles/store.rs", "as many rows as a role has rights"),
    ("src/accounts/store/factors.rs", "as many rows as there are recovery codes, seldom"),
    ("src/accounts/store/mod.rs", "the first start"),
    ("src/accounts/store/notices.rs", "as many rows as people are told"),
    ("src/audit/log/store/retention.rs", "as many rows as a month has seals at its edges"),
    ("src/audit/log/store/search.rs", "a search wants a plan for its own words and dates"),
    ("src/engagements/store/create.rs", "as many rows as operators and inputs were chosen"),
    ("src/engagements/store/plan.rs", "as many rows as inputs were typed"),
    ("src/engagements/store/show.rs", "one section, or all"),
    ("src/imports/store/runs.rs", "rows of a preview, in chunks"),
    ("src/kernel/base/query.rs", "what prepares them"),
    ("src/kernel/db/cursor.rs", "a cursor is declared by a statement that takes no parameters"),
    ("src/kernel/db/embedded.rs", "the start of a cluster"),
    ("src/kernel/db/migrate.rs", "migrations"),
    ("src/kernel/db/mod.rs", "settings of a connection"),
    ("src/kernel/event/store.rs", "more events at once than a form makes"),
    ("src/library/store/curated.rs", "chunks of an import"),
    ("src/library/store/exchange.rs", "as many rows as an archive brings"),
    ("src/library/store/plans.rs", "as many rows as a plan has procedures"),
    ("src/library/store/repositories.rs", "as many rows as people were chosen"),
    ("src/library/store/rows.rs", "chunks of an import"),
    ("src/library/store/seed.rs", "the first start"),
    ("src/library/store/tags.rs", "as many rows as procedures bear a tag"),
    ("src/library/store/terms.rs", "as many rows as parents were ticked"),
    ("src/library/store/undo.rs", "as many rows as test plans that are put back hold procedures"),
    ("src/library/store/writing.rs", "as many rows as procedures were ticked or copied"),
    ("src/procedures/store/assets.rs", "as many rows as assets were added"),
    ("src/procedures/store/attachments.rs", "as many rows as files came"),
    ("src/procedures/store/parts.rs", "as many rows as inputs or operators were changed"),
    ("src/reports/store/edit.rs", "as many rows as were chosen for a finding"),
    ("src/reports/store/moves.rs", "as many rows as reviewers were asked"),
    ("src/reports/store/submit.rs", "as many rows as a runbook has findings"),
];

#[test]
fn what_is_sent_anew_says_why() {
    let sources = files("src", "rs");
    let anew: Vec<&str> = sources
        .iter()
        .filter(|(_, text)| ["_anew(", "diesel::prelude"].iter().any(|sign| text.contains(sign)))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(anew, ANEW.iter().map(|(path, _)| *path).collect::<Vec<_>>());
}

/// The server ends every connection of the app, as a restart or a network does.
fn end_connections(app: &TestApp) {
    app.texts(
        "SELECT pg_terminate_backend(pid, 5000)::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'tyrian'",
    );
}

#[test]
fn a_dead_connection_is_found_when_it_is_used_and_nobody_notices() {
    let app = TestApp::spawn_empty();
    let db =
        Db::open(&app.database.app_url(), PoolSize { connections: 3, wait_seconds: 3 }, app.clock.clone());
    let db = db.unwrap();
    let one = || {
        db.read_blocking(|conn| {
            Ok(diesel::select(diesel::dsl::sql::<BigInt>("1::int8")).get_result::<i64>(conn)?)
        })
    };
    assert_eq!(one().unwrap(), 1);
    for _ in 0..3 {
        end_connections(&app);
        assert_eq!(one().unwrap(), 1, "a read is run again");
        end_connections(&app);
        let told = |name: &str| Event::new(Kind::JobRun, name);
        db.write_blocking(&Actor::system(), |tx| tx.audited((), told("Ran")))
            .expect("a write whose BEGIN failed");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE kind = 'job.run'"), 3);
}

#[test]
fn a_write_that_has_begun_is_never_run_again() {
    let app = TestApp::spawn_empty();
    let runs = Cell::new(0);
    let ended = app.db.write_blocking(&Actor::system(), |tx| {
        runs.set(runs.get() + 1);
        end_connections(&app);
        tx.audited((), Event::new(Kind::JobRun, "Ran"))
    });
    assert!(matches!(ended, Err(Error::Unavailable(_))), "{ended:?}");
    assert_eq!(runs.get(), 1);
    let again = app.db.write_blocking(&Actor::system(), |tx| tx.audited((), Event::new(Kind::JobRun, "Ran")));
    again.expect("the next finds a connection that lives");
    assert_eq!(app.count("SELECT count(*) FROM audit.events WHERE kind = 'job.run'"), 1);
}
