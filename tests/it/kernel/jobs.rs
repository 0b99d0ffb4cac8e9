//! Jobs: safe to run twice, kept as rows, each engagement moved exactly once.

use chrono::{NaiveDate, TimeDelta};
use tyrian::jobs::find;
use tyrian::kernel::base::error::Error;
use tyrian::kernel::job::{Done, Job, Jobs, Ran, Trigger, run};
use tyrian::lifecycle::domain::EngagementStatus;

use crate::harness::TestApp;
use crate::harness::fixtures::Plan;

fn on(day: &str) -> NaiveDate {
    day.parse().unwrap()
}

#[test]
fn what_is_due_moves_once_with_one_event_each() {
    let app = TestApp::spawn();
    let plan = |title: &'static str, day| Plan {
        title,
        procedures: 1,
        status: EngagementStatus::Scheduled,
        start: Some(on(day)),
    };
    for (title, day) in
        [("Due long ago", "2026-11-01"), ("Due today", "2026-11-20"), ("Tomorrow", "2026-11-21")]
    {
        app.plan(app.clients.own, &plan(title, day));
    }
    let job = find("schedule-transitions").unwrap();
    let moved: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved))
            .collect();
        all.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(moved, 2, "four runs at once move each exactly once");
    assert_eq!(run(&app.app.reach(), job, Trigger::Tick, None).unwrap().moved, 0);
    assert_eq!(
        app.texts("SELECT title || ' ' || status FROM engagements ORDER BY title"),
        ["Due long ago in_progress", "Due today in_progress", "Tomorrow scheduled"]
    );
    assert_eq!(app.events("engagement.moved"), 2);
    assert_eq!(
        app.texts("SELECT DISTINCT actor_kind FROM audit.events WHERE kind = 'engagement.moved'"),
        ["system"]
    );
    assert_eq!(
        run(&app.app.reach(), job, Trigger::Command, Some(app.clock.now() + TimeDelta::days(1)))
            .unwrap()
            .moved,
        1
    );
    assert_eq!(
        app.count(
            "SELECT count(*) FROM job_runs WHERE job = 'schedule-transitions' \
            AND finished_at IS NOT NULL AND failure IS NULL"
        ),
        6
    );
}

#[test]
fn every_job_runs_twice_without_harm() {
    let app = TestApp::spawn();
    for job in tyrian::jobs::JOBS {
        run(&app.app.reach(), job, Trigger::ByHand, None).unwrap();
        let again = run(&app.app.reach(), job, Trigger::ByHand, None).unwrap();
        assert_eq!(again.moved, 0, "{}", job.name);
    }
}

/// One that goes on until the process is about to end, and one that is done at once.
const ENDLESS_AND_SHORT: &[Job] = &[
    Job {
        name: "endless",
        title: "Endless",
        schedule: "0 0 1 1 *",
        about: "",
        long: true,
        run: |reach, _| {
            while !reach.stopping.is_told() {
                std::thread::yield_now();
            }
            Err(Error::Unavailable("the server was stopping".into()))
        },
    },
    Job {
        name: "short",
        title: "Short",
        schedule: "0 0 1 1 *",
        about: "",
        long: false,
        run: |_, _| Ok(Done { moved: 1, ..Done::default() }),
    },
];

#[test]
fn a_long_job_keeps_no_other_waiting_and_ends_with_the_process() {
    let app = TestApp::spawn_empty();
    actix_web::rt::System::new().block_on(async {
        // Begun at the start, as everything.
        let jobs = Jobs::start(ENDLESS_AND_SHORT, app.app.reach());
        assert!(matches!(jobs.run_now("short", None).await, Ok(Ran::Done(Done { moved: 1, .. }))));
        assert!(matches!(jobs.run_now("endless", None).await, Ok(Ran::Begun)));
        assert!(matches!(jobs.run_now("short", None).await, Ok(Ran::Done(_))));
        // Not stopped: what runs in the background hears of the end whichever way it comes.
    });
    assert_eq!(app.count("SELECT count(*) FROM job_runs WHERE job = 'endless' AND failure IS NOT NULL"), 2);
    assert_eq!(app.count("SELECT count(*) FROM job_runs WHERE job = 'short' AND failure IS NULL"), 3);
}

#[test]
fn ended_sessions_and_old_drafts_are_swept() {
    let app = TestApp::spawn();
    let mut browser = app.browser(&app.people.lead);
    browser.open("/account").see("Lea Winter");
    app.pass(TimeDelta::hours(13));
    let done = run(&app.app.reach(), find("session-sweep").unwrap(), Trigger::Tick, None).unwrap();
    assert!(done.moved >= 1);
    assert_eq!(app.count("SELECT count(*) FROM sessions WHERE expires_at <= now()"), 0);
}
