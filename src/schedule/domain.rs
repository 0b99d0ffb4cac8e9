//! The lifecycle of an engagement: six statuses, one pure table of transitions, and when a start date is reached.
//! People, the report and the hourly job all go through [`EngagementStatus::apply`].

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

crate::text_enum! {
    /// Where an engagement stands in the schedule.
    pub enum EngagementStatus {
        Pending => "pending", "Pending";
        Scheduled => "scheduled", "Scheduled";
        InProgress => "in_progress", "In Progress";
        InReview => "in_review", "In Review";
        Complete => "complete", "Complete";
        Canceled => "canceled", "Canceled";
    }
}

crate::text_enum! {
    /// Where an engagement's report stands; always shown as "Report: …".
    pub enum ReportStatus {
        Draft => "draft", "Draft";
        ReadyForReview => "ready_for_review", "Ready for Review";
        InReview => "in_review", "In Review";
        Approved => "approved", "Approved";
        Published => "published", "Published";
    }
}

/// The sentence for an end date before its start date.
pub const END_BEFORE_START: &str = "The end lies before the start. Choose a later end.";

/// Longest reason for declining or canceling, in characters.
pub const REASON_CHARS: usize = 500;

/// A rule said no; the sentence says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal with this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// What a transition is judged from, read from the locked rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The moment of judgement.
    pub now: DateTime<Utc>,
    /// The first instant of the start date in the engagement's zone; `None` without a start date.
    pub starts_at: Option<DateTime<Utc>>,
    /// The report's status before the command; `None` without a report.
    pub report: Option<ReportStatus>,
    /// Whether any outcome, time, note, log entry, tick or attachment exists.
    pub anything_recorded: bool,
    /// Whether the runbook is submitted.
    pub submitted: bool,
    /// Whether the runbook holds a procedure.
    pub has_procedures: bool,
}

impl Facts {
    /// Whether the start date is today, past or empty.
    pub fn started(&self) -> bool {
        self.starts_at.is_none_or(|start| start <= self.now)
    }
}

/// What somebody, or the clock, wants of an engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A request is approved; its Draft report is made with it.
    Approve,
    /// A request is declined.
    Decline {
        /// Why, for the person who asked.
        reason: String,
    },
    /// The dates or the zone changed; the facts carry the new start.
    Reschedule,
    /// Somebody starts before the date.
    StartNow,
    /// The engagement is terminated.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Time went by: the hourly job, or a write that looks first. Never refused.
    TimePassed,
    /// The report moves to this status.
    ReportMoved(ReportStatus),
    /// The report goes back to Draft, from Published too.
    ReportTakenBack,
}

/// An accepted command. It may leave the status as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The status before.
    pub from: EngagementStatus,
    /// The status after.
    pub to: EngagementStatus,
    /// Why, as a sentence for the audit event.
    pub reason: String,
    /// The start date becomes today, so that what runs never looks as if it lay ahead.
    pub starts_now: bool,
}

impl Transition {
    /// Whether the status moved.
    pub fn changed(&self) -> bool {
        self.from != self.to
    }
}

impl ReportStatus {
    /// Whether the report is in one of its three review stages.
    pub fn is_in_review(self) -> bool {
        matches!(self, Self::ReadyForReview | Self::InReview | Self::Approved)
    }

    /// Whether a report may move on to `to`: one step forward, or from review back to Draft. It leaves Draft only after
    /// its runbook is submitted, or when the engagement has no procedures. Staying where it is is no fault.
    pub fn check_move(self, to: Self, submitted: bool, has_procedures: bool) -> Result<(), Refusal> {
        if self == to {
            return Ok(());
        }
        if self == Self::Draft && !submitted && has_procedures {
            return Err(Refusal::new("The report leaves Draft only after its runbook is submitted. Submit the engagement first."));
        }
        let forward = match self {
            Self::Draft => Some(Self::ReadyForReview),
            Self::ReadyForReview => Some(Self::InReview),
            Self::InReview => Some(Self::Approved),
            Self::Approved => Some(Self::Published),
            Self::Published => None,
        };
        if forward == Some(to) || (to == Self::Draft && self.is_in_review()) {
            return Ok(());
        }
        Err(match forward {
            Some(next) => Refusal::new(format!("A report in {self} cannot move to {to}. Its next step is {next}.")),
            None => Refusal::new("A published report stays published. Take it back to change it."),
        })
    }
}

impl EngagementStatus {
    /// The status that Create sets: Scheduled, or In Progress when the start date is today, past or empty.
    /// A request starts as Pending instead, whatever its dates.
    pub fn on_create(facts: &Facts) -> Self {
        if facts.started() { Self::InProgress } else { Self::Scheduled }
    }

    /// The status that belongs to a report's status.
    pub fn for_report(report: ReportStatus, facts: &Facts) -> Self {
        match report {
            ReportStatus::Draft => Self::on_create(facts),
            ReportStatus::Published => Self::Complete,
            _ => Self::InReview,
        }
    }

    /// The status that the next write finds: what time has brought counts, though no job has stored it yet. Only a
    /// Scheduled engagement whose start has come moves by itself. A request never does.
    pub fn as_of(self, starts_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        if self == Self::Scheduled && starts_at.is_none_or(|start| start <= now) { Self::InProgress } else { self }
    }

    /// What the passing of time asks for.
    pub fn due(self, facts: &Facts) -> Option<Command> {
        (self.as_of(facts.starts_at, facts.now) != self).then_some(Command::TimePassed)
    }

    /// Whether to show "start date passed": a request whose start has come before anybody approved it.
    pub fn overdue_request(self, facts: &Facts) -> bool {
        self == Self::Pending && facts.starts_at.is_some() && facts.started()
    }

    /// Judges a command. What changes nothing is an accepted [`Transition`] from a status to itself.
    ///
    /// # Errors
    /// A [`Refusal`] whose sentence says why the command does not fit this status.
    pub fn apply(self, command: &Command, facts: &Facts) -> Result<Transition, Refusal> {
        let moved = |to, reason: String| Ok(Transition { from: self, to, reason, starts_now: false });
        match command {
            Command::TimePassed => match self.due(facts) {
                Some(_) => moved(Self::InProgress, "The start date was reached.".into()),
                None => moved(self, "Nothing was due.".into()),
            },
            Command::ReportMoved(to) => {
                let report = facts.report.ok_or_else(no_report)?;
                report.check_move(*to, facts.submitted, facts.has_procedures)?;
                if report == *to {
                    return moved(self, format!("The report stayed in {to}."));
                }
                self.follow_report(*to, facts)
            }
            Command::ReportTakenBack => match facts.report.ok_or_else(no_report)? {
                ReportStatus::Draft => moved(self, "The report stayed in Draft.".into()),
                _ => self.follow_report(ReportStatus::Draft, facts),
            },
            _ if self == Self::Canceled => Err(Refusal::new("This engagement is Canceled, and that is final.")),
            Command::Approve if self == Self::Pending => moved(Self::on_create(facts), "The request was approved.".into()),
            Command::Decline { reason } if self == Self::Pending => {
                let reason = check_reason(reason).map_err(Refusal)?;
                moved(Self::Canceled, format!("The request was declined: {reason}"))
            }
            Command::Approve | Command::Decline { .. } => {
                Err(Refusal(format!("Only a request can be approved or declined. This engagement is {self}.")))
            }
            Command::Cancel { .. } if self == Self::Complete => {
                Err(Refusal::new("A Complete engagement cannot be canceled. Take its report back first."))
            }
            Command::Cancel { reason } => {
                let reason = check_reason(reason).map_err(Refusal)?;
                moved(Self::Canceled, format!("Canceled: {reason}"))
            }
            Command::StartNow if self == Self::Scheduled => {
                Ok(Transition { from: self, to: Self::InProgress, reason: "It was started before its date.".into(), starts_now: true })
            }
            Command::StartNow => Err(Refusal(match self {
                Self::Pending => "This engagement is a request. Approve it first.".into(),
                _ => format!("Only a Scheduled engagement can be started. This one is {self}."),
            })),
            Command::Reschedule => self.reschedule(facts),
        }
    }

    fn reschedule(self, facts: &Facts) -> Result<Transition, Refusal> {
        if facts.submitted {
            return Err(Refusal::new("This runbook is submitted: its dates can no longer be changed."));
        }
        let to = match self {
            Self::Pending => Self::Pending,
            Self::Scheduled => Self::on_create(facts),
            Self::InProgress if !facts.anything_recorded => Self::on_create(facts),
            Self::InProgress => Self::InProgress,
            Self::InReview | Self::Complete | Self::Canceled => {
                return Err(Refusal(format!(
                    "Dates can be changed while an engagement is Pending, Scheduled or In Progress. This one is {self}."
                )));
            }
        };
        let reason = match (self, to) {
            (Self::Scheduled, Self::InProgress) => "The start was moved to a date that has come.",
            (Self::InProgress, Self::Scheduled) => "The start was moved ahead.",
            _ => "The dates were changed.",
        };
        Ok(Transition { from: self, to, reason: reason.into(), starts_now: false })
    }

    fn follow_report(self, report: ReportStatus, facts: &Facts) -> Result<Transition, Refusal> {
        let to = match self {
            Self::Canceled => Self::Canceled,
            _ => Self::for_report(report, facts),
        };
        Ok(Transition {
            from: self,
            to,
            reason: match report {
                ReportStatus::Draft => "The report went back to Draft.".into(),
                _ => format!("The report moved to {report}."),
            },
            starts_now: false,
        })
    }
}

fn no_report() -> Refusal {
    Refusal::new("This engagement has no report yet. It is made when the request is approved.")
}

/// The reason for declining or canceling, trimmed.
///
/// # Errors
/// A sentence when it is empty, too long, or holds a control character.
pub fn check_reason(raw: &str) -> Result<String, String> {
    let reason = raw.trim().replace("\r\n", "\n");
    if reason.is_empty() {
        return Err("Give a reason. It is kept and cannot be changed.".into());
    }
    let length = reason.chars().count();
    if length > REASON_CHARS {
        return Err(format!("The reason is {length} characters; the limit is {REASON_CHARS}. Shorten it."));
    }
    if reason.chars().any(|c| c.is_control() && c != '\n') {
        return Err("The reason contains a control character. Remove it.".into());
    }
    Ok(reason)
}

/// Whether a start and an end fit each other; either may be empty.
///
/// # Errors
/// [`END_BEFORE_START`].
pub fn valid_dates(start: Option<NaiveDate>, end: Option<NaiveDate>) -> Result<(), &'static str> {
    match (start, end) {
        (Some(start), Some(end)) if end < start => Err(END_BEFORE_START),
        _ => Ok(()),
    }
}

/// The first instant of a local day. On a day whose midnight was skipped it is the end of the gap, on one with two
/// midnights the first of them; for a day that a zone left out altogether it is the first instant after it.
pub fn starts_at(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(first) = zone.from_local_datetime(&midnight).earliest() {
        return first.to_utc();
    }
    GapInfo::new(&midnight, &zone).and_then(|gap| gap.end).map_or_else(
        // Unreachable with the zone data there is, and a day later is the honest answer to a gap without an end.
        || (midnight + Days::new(1)).and_utc(),
        |end| end.to_utc(),
    )
}

#[cfg(test)]
mod tests {
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
        let mut all =
            vec![Approve, Decline { reason: reason() }, Reschedule, StartNow, Cancel { reason: reason() }, TimePassed, ReportTakenBack];
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

    /// The table of product.md, written once more and another way: `None` is a refusal.
    fn expected(status: S, command: &Command, f: &Facts) -> Option<S> {
        let ahead = f.starts_at.is_some_and(|start| start > f.now);
        let draft = if ahead { S::Scheduled } else { S::InProgress };
        let may_leave = f.submitted || !f.has_procedures;
        match (status, command) {
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
                (R::Draft, R::ReadyForReview) | (R::ReadyForReview, R::InReview) | (R::InReview, R::Approved) => Some(S::InReview),
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
        assert_eq!(seen, 6 * 12 * 6 * 16);
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
        #[test]
        fn canceled_is_final(commands in prop::collection::vec((prop::sample::select(commands()), any_facts()), 1..20)) {
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

        // Whatever people, the report and the clock do, and in whatever order, status and report keep to the mapping.
        #[test]
        fn status_and_report_keep_to_the_mapping(
            request: bool,
            start in -3i64..4,
            has_procedures: bool,
            steps in prop::collection::vec((0usize..15, -3i64..4), 0..40),
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
                    12 => facts.now += chrono::TimeDelta::seconds(1),
                    13 if status == S::InProgress && !facts.submitted => facts.anything_recorded = true,
                    14 if status == S::InProgress => facts.submitted = true,
                    13 | 14 => {}
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
        fn the_day_begins_where_it_begins(zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]), day in 0i64..25_000) {
            let date = NaiveDate::from_ymd_opt(1985, 1, 1).expect("a date") + Days::new(day.unsigned_abs());
            let start = starts_at(date, zone);
            let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
            prop_assert!(local(start) >= date);
            prop_assert!(local(start - chrono::TimeDelta::seconds(1)) < date);
            prop_assert!(start <= starts_at(date + Days::new(1), zone));
        }
    }
}
