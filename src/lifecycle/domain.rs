//! The lifecycle of an engagement: six statuses, one pure table of transitions, and when a start date is
//! reached. People, the report and the hourly job all go through [`EngagementStatus::apply`].

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use crate::kernel::base::text::{LONG_TEXT_BYTES, check_text};

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
    /// Somebody asks for an engagement: only what is not there yet can be requested, see
    /// [`EngagementStatus::on_request`].
    Request,
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
    Cancel { reason: String },
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
    pub from: EngagementStatus,
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

    /// Whether a report may move on to `to`: one step forward, or from review back to Draft. It leaves Draft
    /// only after its runbook is submitted, or when the engagement has no procedures. Staying where it is is
    /// no fault.
    pub fn check_move(self, to: Self, submitted: bool, has_procedures: bool) -> Result<(), Refusal> {
        if self == to {
            return Ok(());
        }
        if self == Self::Draft && !submitted && has_procedures {
            return Err(Refusal::new(
                "The report leaves Draft only after its runbook is submitted. Submit the engagement first.",
            ));
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
            Some(next) => {
                Refusal::new(format!("A report in {self} cannot move to {to}. Its next step is {next}."))
            }
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

    /// The status that a request starts with, whatever its dates; `None` is the engagement that is not there
    /// yet.
    ///
    /// # Errors
    /// A [`Refusal`] for an engagement that is there already.
    pub fn on_request(existing: Option<Self>) -> Result<Self, Refusal> {
        match existing {
            None => Ok(Self::Pending),
            Some(Self::Pending) => {
                Err(Refusal::new("This engagement is requested already. It waits for approval."))
            }
            Some(status) => {
                Err(Refusal(format!("Only a new engagement can be requested. This one is {status}.")))
            }
        }
    }

    /// The status that belongs to a report's status.
    pub fn for_report(report: ReportStatus, facts: &Facts) -> Self {
        match report {
            ReportStatus::Draft => Self::on_create(facts),
            ReportStatus::Published => Self::Complete,
            _ => Self::InReview,
        }
    }

    /// The status that the next write finds: what time has brought counts, though no job has stored it yet.
    /// Only a Scheduled engagement whose start has come moves by itself. A request never does.
    pub fn as_of(self, starts_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        if self == Self::Scheduled && starts_at.is_none_or(|start| start <= now) {
            Self::InProgress
        } else {
            self
        }
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
            Command::Request => {
                Self::on_request(Some(self)).and_then(|to| moved(to, "It was requested.".into()))
            }
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
            _ if self == Self::Canceled => {
                Err(Refusal::new("This engagement is Canceled, and that is final."))
            }
            Command::Approve if self == Self::Pending => {
                moved(Self::on_create(facts), "The request was approved.".into())
            }
            Command::Decline { reason } if self == Self::Pending => {
                let reason = check_reason(reason).map_err(Refusal)?;
                moved(Self::Canceled, format!("The request was declined: {reason}"))
            }
            Command::Approve | Command::Decline { .. } => Err(Refusal(format!(
                "Only a request can be approved or declined. This engagement is {self}."
            ))),
            Command::Cancel { .. } if self == Self::Complete => {
                Err(Refusal::new("A Complete engagement cannot be canceled. Take its report back first."))
            }
            Command::Cancel { reason } => {
                let reason = check_reason(reason).map_err(Refusal)?;
                moved(Self::Canceled, format!("Canceled: {reason}"))
            }
            Command::StartNow if self == Self::Scheduled => Ok(Transition {
                from: self,
                to: Self::InProgress,
                reason: "It was started before its date.".into(),
                starts_now: true,
            }),
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
                    "Dates can be changed while an engagement is Pending, Scheduled or In Progress. This \
                        one is {self}."
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
    check_text("The reason", false, &reason, LONG_TEXT_BYTES, true)
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

/// The first instant of a local day. On a day whose midnight was skipped it is the end of the gap, on one
/// with two midnights the first of them; for a day that a zone left out altogether it is the first instant
/// after it.
pub fn starts_at(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(first) = zone.from_local_datetime(&midnight).earliest() {
        return first.to_utc();
    }
    GapInfo::new(&midnight, &zone).and_then(|gap| gap.end).map_or_else(
        // Unreachable with the zone data there is, and a day later is the honest answer to a gap without an
        // end.
        || (midnight + Days::new(1)).and_utc(),
        |end| end.to_utc(),
    )
}

#[cfg(test)]
mod tests;
