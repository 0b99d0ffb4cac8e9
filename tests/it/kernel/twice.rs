//! Rules that stand twice, in Rust for what is drawn and in SQL for what is filtered and counted: both are
//! fed the same cases and must give the same answers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use tyrian::dashboard::store::list_engagements;
use tyrian::engagements::store::list::{Search, Sort, list};
use tyrian::kernel::authz::Visible;
use tyrian::kernel::base::ids::{EngagementId, PersonId, ProcedureId};
use tyrian::kernel::base::keyset::At;
use tyrian::kernel::base::team::Team;
use tyrian::kernel::base::text::like;
use tyrian::library::placeholders::names;
use tyrian::lifecycle::domain::{EngagementStatus, starts_at};
use tyrian::procedures::domain::{Done, ObservationWindow, ProcedureStatus, Progress, Turn, WaitingOn};
use tyrian::procedures::store::runbook::{Me, get_progress, list_operators, list_procedures, list_waiting};
use tyrian::schedule::store::bookings::{Wanted, list_page};
use tyrian::settings::store::list_outcomes;

use crate::harness::TestApp;
use crate::harness::fixtures::Plan;

/// Changes rows without the event that the app would have to write.
fn set(app: &TestApp, sql: &str) {
    app.superuser().batch_execute(&format!("SET session_replication_role = replica; {sql}")).unwrap();
}

fn literal(word: Option<&str>) -> String {
    word.map_or_else(|| "NULL".to_owned(), |word| format!("'{word}'"))
}

/// `Done::turn` for a procedure's page, the column of the engagement's table, and the dashboard's list of
/// what waits on a person.
#[test]
fn whose_turn_it_is() {
    let app = TestApp::spawn();
    let mut cases = Vec::new();
    for bits in 0..32u8 {
        let is = |bit: u8| bits & 1 << bit != 0;
        let red_answered = is(0);
        let done = Done {
            red_answered,
            blue_answered: is(1),
            executed: is(2),
            cleanup_left: is(3),
            not_attempted: red_answered && is(4),
            ..Done::default()
        };
        for status in ProcedureStatus::ALL {
            for by_hand in [None].into_iter().chain(WaitingOn::ALL.iter().copied().map(Some)) {
                cases.push((*status, done, by_hand));
            }
        }
    }
    let engagement = app.engagement(cases.len());
    let mut turns: BTreeMap<Turn, BTreeSet<ProcedureId>> = BTreeMap::new();
    let mut sql = String::new();
    for (id, (status, done, by_hand)) in engagement.procedures.iter().zip(&cases) {
        turns.entry(done.turn(*status, *by_hand, app.clock.now())).or_default().insert(*id);
        let red = if done.not_attempted { "not_attempted" } else { "success" };
        let cleanup = r#"[{"id":"c","kind":"cleanup"}]"#;
        sql.push_str(&format!(
            "UPDATE procedures SET status = '{}', red_outcome = {}, blue_outcome = {}, waiting_on = {}, \
                executed_at = {}, body = jsonb_set(body, '{{steps}}', '{}') WHERE id = '{id}';",
            status.as_str(),
            literal(done.red_answered.then_some(red)),
            literal(done.blue_answered.then_some("prevented_alerted")),
            literal(by_hand.map(WaitingOn::as_str)),
            literal(done.executed.then_some("2026-11-21T10:00:00Z")),
            if done.cleanup_left { cleanup } else { "[]" },
        ));
    }
    set(&app, &sql);
    let rows = app
        .db
        .read_blocking(|conn| {
            list_procedures(conn, engagement.id, &Visible::found(app.clients.own), app.clock.now())
        })
        .unwrap();
    for row in &rows {
        assert!(turns[&row.turn].contains(&row.id), "{row:?}");
    }
    let waiting = |person: PersonId| -> BTreeSet<ProcedureId> {
        let clients = Visible::found(app.clients.own);
        let me = Me { person, clients: &clients, red_at: &[], blue_at: &[], now: app.clock.now() };
        let rows = app.db.read_blocking(|conn| list_waiting(conn, &me)).unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    let counts: Vec<usize> = turns.values().map(BTreeSet::len).collect();
    println!("cases: {}, waiting on red, blue, both and nobody: {counts:?}", cases.len());
    let of = |team: Team| -> BTreeSet<ProcedureId> {
        turns.iter().filter(|(turn, _)| turn.is_of(team)).flat_map(|(_, ids)| ids).copied().collect()
    };
    let (red, blue) = (of(Team::Red), of(Team::Blue));
    // The dashboard looks at so many rows; the cases are fewer than that for each person.
    assert!(counts.iter().all(|count| *count > 0) && red.union(&blue).count() < 500);
    assert_eq!(waiting(app.people.standard.id), red, "the operator of the red team");
    assert_eq!(waiting(app.people.second.id), blue, "the operator of the blue team");
    assert_eq!(waiting(app.people.lead.id), red.union(&blue).copied().collect(), "an operator of both");
}

/// `ObservationWindow::look_again` and the turn that follows from it, before the end of the window, at it and
/// after it.
#[test]
fn when_blue_looks_again() {
    let app = TestApp::spawn();
    let executed = app.clock.now();
    let outcomes = app.db.read_blocking(list_outcomes).unwrap();
    let answers = outcomes.iter().filter(|outcome| outcome.team == Team::Blue).map(Some).chain([None]);
    let mut cases = Vec::new();
    for blue in answers {
        for answered in [None, Some(-5), Some(0), Some(14), Some(15), Some(60), Some(1_440)] {
            for red in [None, Some("success"), Some("not_attempted")] {
                cases.push((blue, answered.map(|n| executed + TimeDelta::minutes(n)), red));
            }
        }
    }
    let made = app.engagement(cases.len());
    let mut sql = format!(
        "UPDATE procedures SET body = jsonb_set(body, '{{steps}}', '[]') WHERE engagement_id = '{}';",
        made.id
    );
    for (id, (blue, answered, red)) in made.procedures.iter().zip(&cases) {
        let answered = answered.map(|at| at.to_rfc3339());
        sql.push_str(&format!(
            "UPDATE procedures SET status = 'in_progress', executed_at = '{}', blue_outcome = {}, \
                blue_answered_at = {}, red_outcome = {} WHERE id = '{id}';",
            executed.to_rfc3339(),
            literal(blue.map(|blue| blue.key.as_str())),
            literal(answered.as_deref()),
            literal(*red),
        ));
    }
    set(&app, &sql);
    let clients = Visible::found(app.clients.own);
    let mut provisional = 0;
    for window in ObservationWindow::ALL {
        set(&app, &format!("UPDATE engagements SET observation_window = '{}'", window.as_str()));
        for minutes in [0, 14, 15, 59, 60, 1_440] {
            let now = executed + TimeDelta::minutes(minutes);
            let rows = app.db.read_blocking(|conn| list_procedures(conn, made.id, &clients, now)).unwrap();
            let blue = &app.people.second;
            let me = Me { person: blue.id, clients: &clients, red_at: &[], blue_at: &[], now };
            let waiting: BTreeSet<ProcedureId> = app
                .db
                .read_blocking(|conn| list_waiting(conn, &me))
                .unwrap()
                .iter()
                .map(|row| row.id)
                .collect();
            for (row, (blue, answered, red)) in rows.iter().zip(&cases) {
                let not_attempted = *red == Some("not_attempted");
                let again = window.look_again(Some(executed), *answered, blue.map(|blue| blue.meaning));
                let again = again.filter(|_| !not_attempted);
                let done = Done {
                    executed: true,
                    red_answered: red.is_some(),
                    not_attempted,
                    blue_answered: blue.is_some(),
                    look_again: again,
                    ..Done::default()
                };
                let turn = done.turn(ProcedureStatus::InProgress, None, now);
                assert_eq!((row.look_again, row.turn), (again, turn), "{window} {now} {row:?}");
                assert_eq!(waiting.contains(&row.id), turn.is_of(Team::Blue), "{window} {now} {row:?}");
                provisional += usize::from(again.is_some());
            }
        }
    }
    assert!(provisional > 100, "{provisional}");
}

/// `Assignments::of` for a runbook that is read, and the dashboard's list: for each team a procedure's own
/// operators count, or where it names none the engagement's, or where there are none whoever may write that
/// side.
#[test]
fn who_applies_as_operator() {
    let app = TestApp::spawn();
    let (me, other) = (app.people.standard.id, app.people.second.id);
    let choices: [&[PersonId]; 4] = [&[], &[me], &[other], &[me, other]];
    let clients = Visible::found(app.clients.own);
    let mut wanted = BTreeSet::new();
    let mut asked = 0;
    for of_engagement in choices {
        for team in Team::ALL {
            let made = app.engagement(choices.len());
            let (id, word) = (made.id, team.as_str());
            let mut sql = format!("DELETE FROM engagement_operators WHERE engagement_id = '{id}';");
            for person in of_engagement {
                sql.push_str(&format!(
                    "INSERT INTO engagement_operators (engagement_id, person_id, team) \
                        VALUES ('{id}', '{person}', '{word}');"
                ));
            }
            for (procedure, own) in made.procedures.iter().zip(choices) {
                sql.push_str(&format!(
                    "UPDATE procedures SET waiting_on = '{word}' WHERE id = '{procedure}';"
                ));
                for person in own {
                    sql.push_str(&format!(
                        "INSERT INTO procedure_operators (procedure_id, person_id, team) \
                            VALUES ('{procedure}', '{person}', '{word}');"
                    ));
                }
            }
            set(&app, &sql);
            let all = app.db.read_blocking(|conn| list_operators(conn, id, None, &clients)).unwrap();
            for procedure in &made.procedures {
                let one = app
                    .db
                    .read_blocking(|conn| list_operators(conn, id, Some(*procedure), &clients))
                    .unwrap();
                let mut who = all.of(*procedure, *team).peekable();
                assert_eq!(
                    one.of(*procedure, *team).collect::<Vec<_>>(),
                    all.of(*procedure, *team).collect::<Vec<_>>(),
                    "read for the whole runbook and for one procedure"
                );
                let free = who.peek().is_none() && *team == Team::Red;
                if free || who.any(|operator| operator.person_id == me) {
                    wanted.insert(*procedure);
                }
                asked += 1;
            }
        }
    }
    let me = Me { person: me, clients: &clients, red_at: &clients, blue_at: &[], now: app.clock.now() };
    let rows = app.db.read_blocking(|conn| list_waiting(conn, &me)).unwrap();
    let waiting: BTreeSet<_> = rows.into_iter().map(|row| row.id).collect();
    println!("procedures: {asked}, waiting on one person: {}", waiting.len());
    assert_eq!(waiting, wanted);
}

/// Nothing of a runbook is read for somebody who does not see its client.
#[test]
fn a_runbook_is_read_for_who_sees_its_client() {
    let app = TestApp::spawn();
    let made = app.engagement(2);
    for (client, found) in [(app.clients.own, true), (app.clients.foreign, false)] {
        let clients = Visible::found(client);
        let (rows, operators, progress) = app
            .db
            .read_blocking(|conn| {
                Ok((
                    list_procedures(conn, made.id, &clients, app.clock.now())?,
                    list_operators(conn, made.id, None, &clients)?,
                    get_progress(conn, made.id, &clients)?,
                ))
            })
            .unwrap();
        assert_eq!((rows.len(), progress.total), if found { (2, 2) } else { (0, 0) });
        assert_eq!(!operators.is_empty(), found);
    }
}

/// `Progress::of` for a runbook that is read, and the counts of the engagement list and the dashboard.
#[test]
fn how_much_of_a_runbook_is_done() {
    use ProcedureStatus as S;
    let app = TestApp::spawn();
    let mut mixes: Vec<Vec<S>> = vec![vec![], S::ALL.to_vec(), [S::ALL, S::ALL, &[S::Completed]].concat()];
    mixes.extend(S::ALL.iter().map(|status| vec![*status]));
    mixes.push(vec![S::Completed, S::NotApplicable, S::Completed]);
    let mut wanted: BTreeMap<EngagementId, Progress> = BTreeMap::new();
    for statuses in &mixes {
        let made = app.engagement(statuses.len());
        for (id, status) in made.procedures.iter().zip(statuses) {
            set(&app, &format!("UPDATE procedures SET status = '{}' WHERE id = '{id}'", status.as_str()));
        }
        wanted.insert(made.id, Progress::of(statuses.iter().copied()));
    }
    let clients = Visible::found(app.clients.own);
    let on_dashboard = app.db.read_blocking(|conn| list_engagements(conn, &clients, 100)).unwrap();
    let on_dashboard: BTreeMap<_, _> = on_dashboard.into_iter().map(|row| (row.id, row.progress())).collect();
    let in_list = app.db.read_blocking(|conn| list(conn, &clients, &search(None, app.clock.now()), 100));
    let in_list: BTreeMap<_, _> =
        in_list.unwrap().rows.into_iter().map(|(row, _, progress)| (row.id, progress)).collect();
    println!("runbooks: {}", mixes.len());
    assert_eq!(on_dashboard, wanted, "the dashboard");
    assert_eq!(in_list, wanted, "the list of engagements");
}

fn search(status: Option<EngagementStatus>, now: DateTime<Utc>) -> Search {
    Search {
        q: String::new(),
        client: None,
        status,
        now,
        operator: None,
        tag: String::new(),
        sort: Sort::Title,
        descending: false,
        at: At::First,
    }
}

/// `EngagementStatus::as_of` for one engagement, and the filters of the engagement list and the schedule:
/// what time has brought counts to the microsecond, whether or not the hourly job has been there.
#[test]
fn which_status_counts_at_a_moment() {
    let app = TestApp::spawn();
    let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let start = starts_at(day, chrono_tz::UTC);
    let mut made: Vec<(EngagementId, EngagementStatus, Option<DateTime<Utc>>)> = Vec::new();
    for status in EngagementStatus::ALL {
        for day in [Some(day), None] {
            // What is scheduled has a date.
            if (*status, day) == (EngagementStatus::Scheduled, None) {
                continue;
            }
            let begun =
                if day.is_some() { EngagementStatus::Scheduled } else { EngagementStatus::InProgress };
            let id = app.plan(app.clients.own, &Plan { status: begun, start: day, ..Plan::default() }).id;
            let reason = (*status == EngagementStatus::Canceled).then_some("No time.");
            set(
                &app,
                &format!(
                    "UPDATE engagements SET status = '{}', cancel_reason = {} WHERE id = '{id}'",
                    status.as_str(),
                    literal(reason)
                ),
            );
            made.push((id, *status, day.map(|_| start)));
        }
    }
    let clients = Visible::found(app.clients.own);
    let mut asked = 0;
    for now in [start - TimeDelta::microseconds(1), start, start + TimeDelta::microseconds(1)] {
        for status in [None].into_iter().chain(EngagementStatus::ALL.iter().copied().map(Some)) {
            let counts = made.iter().map(|(id, own, start)| (*id, own.as_of(*start, now)));
            let wanted: BTreeMap<_, _> =
                counts.filter(|(_, counts)| status.is_none_or(|status| status == *counts)).collect();
            let listed =
                app.db.read_blocking(|conn| list(conn, &clients, &search(status, now), 100)).unwrap();
            let listed: BTreeMap<_, _> =
                listed.rows.into_iter().map(|(row, ..)| (row.id, row.status)).collect();
            let view = Wanted {
                at: clients.clone(),
                client: None,
                operator: None,
                plan: None,
                status,
                plans: false,
                reads_reports: Visible::default(),
                now,
            };
            let booked = app.db.read_blocking(|conn| list_page(conn, &view, None, 100)).unwrap();
            let booked: BTreeMap<_, _> = booked.into_iter().map(|row| (row.id, row.status)).collect();
            assert_eq!(
                listed.keys().collect::<Vec<_>>(),
                wanted.keys().collect::<Vec<_>>(),
                "{status:?} {now}"
            );
            assert_eq!(listed, wanted, "the list of engagements, {status:?} at {now}");
            assert_eq!(booked, wanted, "the schedule, {status:?} at {now}");
            asked += wanted.len();
        }
    }
    println!("engagements: {}, answers compared: {asked}", made.len());
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// `like` finds exactly the texts that hold the part, whatever characters of a pattern are in either.
#[test]
fn what_a_search_for_a_part_finds() {
    let app = TestApp::spawn_empty();
    let mut conn = app.superuser();
    let texts =
        ["", "%", "_", "\\", "a", "ab", "100%", "100", "a_b", "axb", "a\\b", "\\%", "%_\\", "'", "ä%", "\n%"];
    for text in texts {
        for part in texts {
            let row: Found = diesel::sql_query("SELECT $1 LIKE $2 AS found")
                .bind::<Text, _>(text)
                .bind::<Text, _>(like(part))
                .get_result(&mut conn)
                .unwrap();
            assert_eq!(row.found, text.contains(part), "{part:?} in {text:?}");
        }
    }
    println!("texts and parts: {}", texts.len() * texts.len());
}

/// Which placeholders a command has, told by the page and kept by the database beside the procedure's body.
#[test]
fn which_placeholders_a_command_has() {
    let app = TestApp::spawn_empty();
    let mut conn = app.superuser();
    let long = format!("#{{{}}}", "n".repeat(100));
    let longer = format!("#{{{}}}", "n".repeat(101));
    let commands = [
        "",
        "#{a}",
        "#{a} #{a}",
        "#{a.b-c_9} x #{Z}",
        "#{}",
        "#{a b}",
        "#{a #{b}}",
        "#{a",
        "##{c}",
        "#{ä}",
        "#{a}{b}",
        "\\#{d}\n#{e}",
        "$#{f}$",
        &long,
        &longer,
    ];
    for command in commands {
        let body = serde_json::json!({
            "description": command,
            "steps": [{ "description": "", "command": command }, { "success_criteria": command }],
            "inputs": [{ "name": "a", "default": "" }, { "name": "Z" }, { "name": "b", "default": null }],
        });
        let found = diesel::sql_query("SELECT procedure_inputs_of($1)::text AS text")
            .bind::<diesel::sql_types::Jsonb, _>(&body)
            .get_result::<Kept>(&mut conn)
            .unwrap();
        let found: serde_json::Value = serde_json::from_str(&found.text).unwrap();
        let named: BTreeSet<&str> =
            found["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(named, names(command).into_iter().collect(), "{command:?}");
        assert_eq!(found["defaults"], serde_json::json!({ "a": "" }));
    }
    println!("commands: {}", commands.len());
}

#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    text: String,
}
