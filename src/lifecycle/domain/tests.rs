//! The table of the six statuses, exhaustively, and what must hold in whatever order people, the report and
//! the clock act.

use proptest::prelude::*;

use super::{Command::*, EngagementStatus as S, ReportStatus as R, *};

const NOW: i64 = 1_795_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("in range")
}

/// Facts by: the start lies ahead, the report, anything recorded, submitted, has procedures.
fn facts(ahead: bool, report: Option<R>, recorded: bool, submitted: bool, any: bool) -> Facts {
    Facts {
        now: at(NOW),
        starts_at: Some(at(if ahead { NOW + 1 } else { NOW })),
        report,
        anything_recorded: recorded,
        submitted,
        has_procedures: any,
    }
}

fn commands() -> Vec<Command> {
    let reason = || "The window closed.".to_owned();
    let mut all = vec![
        Approve,
        Decline { reason: reason() },
        Reschedule,
        StartNow,
        Cancel { reason: reason() },
        TimePassed,
        ReportTakenBack,
        Request,
    ];
    all.extend(R::ALL.iter().map(|status| ReportMoved(*status)));
    all
}

fn every_facts() -> Vec<Facts> {
    let reports = [None].into_iter().chain(R::ALL.iter().copied().map(Some));
    let flags = |n: u8| [n & 1 > 0, n & 2 > 0, n & 4 > 0, n & 8 > 0];
    reports
        .flat_map(|report| (0..16).map(move |n| (report, flags(n))))
        .map(|(report, [a, r, s, p])| facts(a, report, r, s, p))
        .collect()
}

/// The table of the six statuses, written once more and another way: `None` is a refusal.
fn expected(status: S, command: &Command, f: &Facts) -> Option<S> {
    let ahead = f.starts_at.is_some_and(|start| start > f.now);
    let draft = if ahead { S::Scheduled } else { S::InProgress };
    let may_leave = f.submitted || !f.has_procedures;
    match (status, command) {
        (_, Request) => None,
        (S::Scheduled, TimePassed) => Some(draft),
        (_, TimePassed) => Some(status),
        (S::Canceled, Approve | Decline { .. } | Reschedule | StartNow | Cancel { .. }) => None,
        (S::Pending, Approve) => Some(draft),
        (S::Pending, Decline { .. }) => Some(S::Canceled),
        (_, Approve | Decline { .. }) => None,
        (S::Complete, Cancel { .. }) => None,
        (_, Cancel { .. }) => Some(S::Canceled),
        (S::Scheduled, StartNow) => Some(S::InProgress),
        (_, StartNow) => None,
        (_, Reschedule) if f.submitted => None,
        (S::Pending, Reschedule) => Some(S::Pending),
        (S::Scheduled, Reschedule) => Some(draft),
        (S::InProgress, Reschedule) if f.anything_recorded => Some(S::InProgress),
        (S::InProgress, Reschedule) => Some(draft),
        (S::InReview | S::Complete, Reschedule) => None,
        (_, ReportMoved(to)) => match (f.report?, *to) {
            (from, to) if from == to => Some(status),
            (R::Draft, R::ReadyForReview) if !may_leave => None,
            (R::ReadyForReview | R::InReview | R::Approved, R::Draft) => Some(draft),
            (R::Draft, R::ReadyForReview) | (R::ReadyForReview, R::InReview) | (R::InReview, R::Approved) => {
                Some(S::InReview)
            }
            (R::Approved, R::Published) => Some(S::Complete),
            _ => None,
        }
        .map(|to| if status == S::Canceled { status } else { to }),
        (_, ReportTakenBack) => match f.report? {
            _ if status == S::Canceled => Some(status),
            R::Draft => Some(status),
            _ => Some(draft),
        },
    }
}

#[test]
fn every_status_command_and_fact_agrees_with_the_table() {
    let mut seen = 0;
    for status in S::ALL {
        for command in commands() {
            for facts in every_facts() {
                let result = status.apply(&command, &facts);
                let to = result.as_ref().ok().map(|t| t.to);
                assert_eq!(to, expected(*status, &command, &facts), "{status:?} {command:?} {facts:?}");
                match result {
                    Ok(t) => {
                        assert_eq!(t.from, *status);
                        assert!(t.reason.ends_with('.'));
                        assert_eq!(t.starts_now, command == StartNow);
                    }
                    Err(refusal) => assert!(refusal.0.ends_with('.'), "{refusal}"),
                }
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6 * 13 * 6 * 16);
}

#[test]
fn create_and_due_go_by_the_start() {
    for (starts_at, created, due) in [
        (None, S::InProgress, true),
        (Some(at(NOW - 1)), S::InProgress, true),
        (Some(at(NOW)), S::InProgress, true),
        (Some(at(NOW + 1)), S::Scheduled, false),
    ] {
        let facts = Facts { starts_at, ..facts(false, Some(R::Draft), false, false, true) };
        assert_eq!(S::on_create(&facts), created);
        for status in S::ALL {
            let expected = (due && *status == S::Scheduled).then_some(TimePassed);
            assert_eq!(status.due(&facts), expected);
        }
    }
}

#[test]
fn a_request_whose_date_passed_says_so_and_never_starts() {
    let passed = facts(false, None, false, false, false);
    assert!(S::Pending.overdue_request(&passed));
    assert_eq!(S::Pending.due(&passed), None);
    assert!(!S::Scheduled.overdue_request(&passed));
    assert!(!S::Pending.overdue_request(&Facts { starts_at: None, ..passed }));
}

#[test]
fn only_what_is_not_there_yet_can_be_requested() {
    assert_eq!(S::on_request(None), Ok(S::Pending));
    for status in S::ALL {
        assert!(S::on_request(Some(*status)).is_err());
    }
}

#[test]
fn a_reason_is_wanted() {
    let facts = facts(true, Some(R::Draft), false, false, true);
    for reason in ["", "  \r\n ", "a\u{0}b", &"x".repeat(501)] {
        let reason = reason.to_owned();
        assert!(S::Scheduled.apply(&Cancel { reason }, &facts).is_err());
    }
    assert_eq!(check_reason("  moved\r\non ").as_deref(), Ok("moved\non"));
}

#[test]
fn dates() {
    let day = |d| NaiveDate::from_ymd_opt(2026, 11, d);
    assert_eq!(valid_dates(day(3), day(2)), Err(END_BEFORE_START));
    for (start, end) in [(day(2), day(2)), (day(2), day(3)), (None, day(1)), (day(1), None)] {
        assert_eq!(valid_dates(start, end), Ok(()));
    }
}

#[test]
fn first_instant_of_days_with_odd_midnights() {
    for (zone, date, instant) in [
        (Tz::UTC, "2026-11-21", "2026-11-21T00:00:00Z"),
        (Tz::Pacific__Kiritimati, "2026-11-21", "2026-11-20T10:00:00Z"),
        // The day that Kiritimati left out when it moved across the date line.
        (Tz::Pacific__Kiritimati, "1994-12-31", "1994-12-31T10:00:00Z"),
        // Clocks go from 00:00 to 01:00: the day begins at 01:00.
        (Tz::Africa__Cairo, "2026-04-24", "2026-04-23T22:00:00Z"),
        (Tz::Africa__Cairo, "2026-04-25", "2026-04-24T21:00:00Z"),
        // Clocks go from 24:00 back to 23:00: 23:00 comes twice, midnight once.
        (Tz::Africa__Cairo, "2026-10-30", "2026-10-29T22:00:00Z"),
        (Tz::Asia__Beirut, "2026-03-29", "2026-03-28T22:00:00Z"),
        (Tz::Asia__Beirut, "2026-10-25", "2026-10-24T22:00:00Z"),
        // Clocks go from 01:00 back to 00:00: two midnights, the first counts.
        (Tz::America__Havana, "2026-11-01", "2026-11-01T04:00:00Z"),
        (Tz::America__Havana, "2026-03-08", "2026-03-08T05:00:00Z"),
    ] {
        let date: NaiveDate = date.parse().expect("a date");
        let expected: DateTime<Utc> = instant.parse().expect("an instant");
        assert_eq!(starts_at(date, zone), expected, "{zone} {date}");
    }
}

fn any_facts() -> impl Strategy<Value = Facts> {
    prop::sample::select(every_facts())
}

proptest! {
    #![proptest_config(crate::kernel::base::proptests::config())]
    #[test]
    fn canceled_is_final(
        commands in prop::collection::vec((prop::sample::select(commands()), any_facts()), 1..20),
    ) {
        for (command, facts) in commands {
            if let Ok(transition) = S::Canceled.apply(&command, &facts) {
                prop_assert_eq!(transition.to, S::Canceled);
            }
        }
    }

    #[test]
    fn sweeping_twice_is_sweeping_once(status in prop::sample::select(S::ALL), facts in any_facts()) {
        let sweep = |status: S| match status.due(&facts) {
            Some(command) => status.apply(&command, &facts).map(|t| (t.to, true)),
            None => Ok((status, false)),
        };
        let (once, _) = sweep(status).expect("what is due is never refused");
        let (twice, moved) = sweep(once).expect("what is due is never refused");
        prop_assert_eq!(once, twice);
        prop_assert!(!moved);
    }

    #[test]
    fn complete_reopens_only_when_the_report_is_taken_back(
        commands in prop::collection::vec((prop::sample::select(commands()), any_facts()), 1..20),
    ) {
        for (command, facts) in commands {
            // A Complete engagement's report is published: that is what Complete means.
            let facts = Facts { report: Some(R::Published), ..facts };
            if let Ok(transition) = S::Complete.apply(&command, &facts) {
                prop_assert!(transition.to == S::Complete || command == ReportTakenBack, "{command:?}");
            }
        }
    }

    // Whatever people, the report and the clock do, and in whatever order, status and report keep to the
    // mapping.
    #[test]
    fn status_and_report_keep_to_the_mapping(
        request: bool,
        start in -3i64..4,
        has_procedures: bool,
        steps in prop::collection::vec((0usize..16, -3i64..4), 0..40),
    ) {
        let mut facts = Facts {
            starts_at: Some(at(NOW + start)),
            report: (!request).then_some(R::Draft),
            ..facts(true, None, false, false, has_procedures)
        };
        let mut status = if request { S::Pending } else { S::on_create(&facts) };
        let commands = commands();
        for (step, shift) in steps {
            match step {
                13 => facts.now += chrono::TimeDelta::seconds(1),
                14 if status == S::InProgress && !facts.submitted => facts.anything_recorded = true,
                15 if status == S::InProgress => facts.submitted = true,
                14 | 15 => {}
                n => {
                    let command = &commands[n];
                    let mut judged = facts;
                    if *command == Reschedule {
                        judged.starts_at = Some(at(NOW + shift));
                    }
                    let Ok(transition) = status.apply(command, &judged) else { continue };
                    facts = judged;
                    status = transition.to;
                    match command {
                        Approve => facts.report = Some(R::Draft),
                        ReportMoved(to) => facts.report = Some(*to),
                        ReportTakenBack => facts.report = Some(R::Draft),
                        _ => {}
                    }
                    if transition.starts_now {
                        facts.starts_at = Some(facts.now);
                    }
                }
            }
            let fits = match (facts.report, status) {
                (_, S::Canceled) | (None, S::Pending) => true,
                (Some(R::Draft), S::Scheduled) => true,
                (Some(R::Draft), S::InProgress) => facts.started() || facts.anything_recorded,
                (Some(R::ReadyForReview | R::InReview | R::Approved), S::InReview) => true,
                (Some(R::Published), S::Complete) => true,
                _ => false,
            };
            prop_assert!(fits, "{:?} with report {:?}", status, facts.report);
        }
    }

    // No instant of the day comes before its start, in any zone there is.
    #[test]
    fn the_day_begins_where_it_begins(
        zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        day in 0i64..25_000,
    ) {
        let date = NaiveDate::from_ymd_opt(1985, 1, 1).expect("a date") + Days::new(day.unsigned_abs());
        let start = starts_at(date, zone);
        let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        prop_assert!(local(start) >= date);
        prop_assert!(local(start - chrono::TimeDelta::seconds(1)) < date);
        prop_assert!(start <= starts_at(date + Days::new(1), zone));
    }
}
