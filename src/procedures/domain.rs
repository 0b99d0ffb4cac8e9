//! The procedure page's words and rules: whose turn it is, who may write which side, what a field accepts,
//! and what the times say.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::kernel::authz::WriteRule;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::{LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text};
use crate::kernel::base::times;
use crate::kernel::merge::MergeField;
use crate::lifecycle::domain::{EngagementStatus, Refusal};
use crate::settings::domain::Meaning;

crate::text_enum! {
    /// How far a procedure is.
    pub enum ProcedureStatus {
        NotStarted => "not_started", "Not Started";
        InProgress => "in_progress", "In Progress";
        Completed => "completed", "Completed";
        NotApplicable => "not_applicable", "Not Applicable";
    }
}

crate::text_enum! {
    /// The severity of a finding; a procedure without one has no finding.
    pub enum Severity {
        Informational => "informational", "Informational";
        Low => "low", "Low";
        Medium => "medium", "Medium";
        High => "high", "High";
        Critical => "critical", "Critical";
    }
}

crate::text_enum! {
    /// Whose turn it is on a procedure, where somebody chose it.
    pub enum WaitingOn {
        Red => "red", "Red team";
        Blue => "blue", "Blue team";
        Nobody => "nobody", "Nobody";
    }
}

crate::text_enum! {
    /// Whose turn it is on a procedure.
    pub enum Turn {
        Red => "red", "Red team";
        Blue => "blue", "Blue team";
        /// Both sides owe something.
        Both => "both", "Red and blue team";
        Nobody => "nobody", "Nobody";
    }
}

impl Turn {
    /// Whether it is this team's, alone or with the other.
    pub fn is_of(self, team: Team) -> bool {
        match team {
            Team::Red => matches!(self, Self::Red | Self::Both),
            Team::Blue => matches!(self, Self::Blue | Self::Both),
        }
    }
}

impl Turn {
    /// The same without blue's part.
    pub fn without_blue(self) -> Self {
        match self {
            Self::Both => Self::Red,
            Self::Blue => Self::Nobody,
            other => other,
        }
    }
}

impl From<WaitingOn> for Turn {
    fn from(chosen: WaitingOn) -> Self {
        match chosen {
            WaitingOn::Red => Self::Red,
            WaitingOn::Blue => Self::Blue,
            WaitingOn::Nobody => Self::Nobody,
        }
    }
}

crate::text_enum! {
    /// How long after its execution an answer that is none yet stays provisional: alerts and records arrive
    /// late. Stored in minutes.
    #[derive(Default)]
    pub enum ObservationWindow {
        #[default]
        Closed => "0", "None";
        QuarterHour => "15", "15 minutes";
        Hour => "60", "1 hour";
        Day => "1440", "24 hours";
    }
}

impl ObservationWindow {
    fn length(self) -> Option<TimeDelta> {
        match self {
            Self::Closed => None,
            Self::QuarterHour => Some(TimeDelta::minutes(15)),
            Self::Hour => Some(TimeDelta::hours(1)),
            Self::Day => Some(TimeDelta::days(1)),
        }
    }

    /// When blue looks again: the end of the window of a procedure executed at `executed`, where blue's
    /// answer of `answered` says that nothing was seen or that it was only recorded. None where the answer
    /// stands: it was given at the end or later, or says that an alert was raised or the act prevented.
    pub fn look_again(
        self,
        executed: Option<DateTime<Utc>>,
        answered: Option<DateTime<Utc>>,
        blue: Option<Meaning>,
    ) -> Option<DateTime<Utc>> {
        let end = executed?.checked_add_signed(self.length()?)?;
        let blue = blue?;
        let may_change = blue.score.is_some() && !blue.prevented && !blue.alerted;
        (may_change && answered? < end).then_some(end)
    }
}

crate::text_enum! {
    /// The fields of the procedure page's form, by the names they post under.
    pub enum Field {
        Status => "status", "Status";
        NotApplicableReason => "not_applicable_reason", "Reason for Not Applicable";
        Severity => "severity", "Finding severity";
        WaitingOn => "waiting_on", "Waiting on";
        Recommendation => "recommendation", "Recommendation";
        AttackSource => "attack_source", "Attack source";
        RedOutcome => "red_outcome", "Red outcome";
        RedNotes => "red_notes", "Red notes";
        ExecutedAt => "executed_at", "Executed at";
        BlueOutcome => "blue_outcome", "Blue outcome";
        BlueNotes => "blue_notes", "Blue notes";
        DetectedAt => "detected_at", "Detected at";
        DetectedBy => "detected_by", "Detected by";
        AlertReference => "alert_reference", "Alert reference";
        RespondedAt => "responded_at", "Responded at";
    }
}

/// Which side a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Red,
    Blue,
    /// Either side's: each hands over.
    Both,
    /// Whoever plans: what they decide is nobody's side.
    Planning,
}

impl Field {
    /// The name it posts under.
    pub fn name(self) -> &'static str {
        self.as_str()
    }

    /// The side that writes it.
    pub fn side(self) -> Side {
        match self {
            Self::AttackSource | Self::RedOutcome | Self::RedNotes | Self::ExecutedAt => Side::Red,
            Self::BlueOutcome
            | Self::BlueNotes
            | Self::DetectedAt
            | Self::DetectedBy
            | Self::AlertReference
            | Self::RespondedAt => Side::Blue,
            Self::WaitingOn => Side::Both,
            Self::Status | Self::NotApplicableReason | Self::Severity | Self::Recommendation => {
                Side::Planning
            }
        }
    }

    /// Whether it holds a time.
    pub fn is_time(self) -> bool {
        matches!(self, Self::ExecutedAt | Self::DetectedAt | Self::RespondedAt)
    }

    /// Whether it holds one of a list of values.
    pub fn is_choice(self) -> bool {
        matches!(self, Self::Status | Self::Severity | Self::WaitingOn | Self::RedOutcome | Self::BlueOutcome)
    }

    /// The limit, in bytes of UTF-8.
    pub fn max_bytes(self) -> usize {
        if self.is_long() { LONG_TEXT_BYTES } else { SHORT_TEXT_BYTES }
    }
}

impl MergeField for Field {
    fn is_long(self) -> bool {
        matches!(self, Self::Recommendation | Self::RedNotes | Self::BlueNotes)
    }
}

/// What was done on a procedure, as far as its status and whose turn it is follow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Whether a time of execution stands there.
    pub executed: bool,
    /// Whether a step was ticked; prerequisites may be ticked before it begins.
    pub stepped: bool,
    /// Whether the log has an entry.
    pub logged: bool,
    pub red_answered: bool,
    /// Whether red's answer says that it was not attempted.
    pub not_attempted: bool,
    pub blue_answered: bool,
    /// Whether a cleanup step is not ticked.
    pub cleanup_left: bool,
    /// When blue looks again, where its answer is provisional (see [`ObservationWindow::look_again`]).
    pub look_again: Option<DateTime<Utc>>,
}

impl Done {
    /// The status that follows from the work. What was not attempted never completes by itself: it wants Not
    /// Applicable with a reason, or a later try.
    pub fn status(self) -> ProcedureStatus {
        let answered = self.red_answered && self.blue_answered;
        let finished = !self.cleanup_left && self.look_again.is_none();
        if answered && finished && !self.not_attempted {
            ProcedureStatus::Completed
        } else if self.executed || self.stepped || self.logged || self.red_answered || self.blue_answered {
            ProcedureStatus::InProgress
        } else {
            ProcedureStatus::NotStarted
        }
    }

    /// Whose turn it is at `now`. A choice by hand holds until an outcome changes (see [`by_hand_after`]). A
    /// provisional answer comes back to blue at the end of the window, and asks nothing of it before.
    pub fn turn(self, status: ProcedureStatus, by_hand: Option<WaitingOn>, now: DateTime<Utc>) -> Turn {
        if let Some(chosen) = by_hand {
            return chosen.into();
        }
        if status == ProcedureStatus::NotApplicable || self.not_attempted {
            return Turn::Nobody;
        }
        let looks_again = self.look_again.is_some_and(|at| at <= now);
        let red = !self.red_answered || self.blue_answered && self.cleanup_left;
        let blue = !self.blue_answered && (self.red_answered || self.executed) || looks_again;
        match (red, blue) {
            (true, true) => Turn::Both,
            (true, false) => Turn::Red,
            (false, true) => Turn::Blue,
            (false, false) => Turn::Nobody,
        }
    }
}

/// Whether a status was chosen by hand, after a save. A choice holds until an outcome changes; only Not
/// Applicable stays.
pub fn chosen_after(before: bool, status: ProcedureStatus, chosen: bool, outcome_changed: bool) -> bool {
    chosen || before && (status == ProcedureStatus::NotApplicable || !outcome_changed)
}

/// The choice by hand after a save: one made in this save (`chosen`) holds, an older one ends when an outcome
/// changed.
pub fn by_hand_after(
    before: Option<WaitingOn>,
    chosen: Option<Option<WaitingOn>>,
    outcome_changed: bool,
) -> Option<WaitingOn> {
    match chosen {
        Some(choice) => choice,
        None if outcome_changed => None,
        None => before,
    }
}

impl ProcedureStatus {
    /// Whether it counts as done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::NotApplicable)
    }
}

/// How much of a runbook is done: (Completed + Not Applicable) of all procedures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Completed and Not Applicable procedures.
    pub done: u32,
    pub total: u32,
}

impl Progress {
    /// Counts the statuses of a runbook's procedures.
    pub fn of(statuses: impl IntoIterator<Item = ProcedureStatus>) -> Self {
        statuses.into_iter().fold(Self::default(), |sum, status| Self {
            done: sum.done + u32::from(status.is_done()),
            total: sum.total + 1,
        })
    }

    /// Percent, rounded down; `None` without procedures.
    pub fn percent(self) -> Option<u32> {
        let percent = (u64::from(self.done) * 100).checked_div(u64::from(self.total))?;
        u32::try_from(percent).ok()
    }

    /// "3 of 13", or "No procedures yet".
    pub fn label(self) -> String {
        match self.total {
            0 => "No procedures yet".into(),
            total => format!("{} of {total}", self.done),
        }
    }

    /// Whether every procedure is done, and there is one.
    pub fn complete(self) -> bool {
        self.total > 0 && self.done >= self.total
    }
}

/// A person's rights at a client that decide which side they write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteRights {
    pub write_red: bool,
    pub write_blue: bool,
    /// May write blue where assigned to it (a client's Analyst).
    pub write_blue_assigned: bool,
    /// A lead is both sides.
    pub lead: bool,
    /// May plan: status by hand, Not Applicable, severity, recommendation.
    pub plan: bool,
}

/// The sides that somebody may write on one procedure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides {
    pub red: bool,
    pub blue: bool,
    /// What belongs to both sides: whose turn it is, the assets. Not a client's Analyst, who writes blue
    /// alone and hands over to red with a note.
    pub shared: bool,
    /// What whoever plans decides.
    pub planning: bool,
}

impl Sides {
    /// Everything, as a lead has it.
    pub const ALL: Self = Self { red: true, blue: true, shared: true, planning: true };

    /// The words by which a page tells which of them it shows as controls, and back.
    pub fn words(self) -> String {
        let words =
            [(self.red, "red"), (self.blue, "blue"), (self.shared, "shared"), (self.planning, "planning")];
        words.into_iter().filter(|(held, _)| *held).map(|(_, word)| word).collect::<Vec<_>>().join(",")
    }

    /// Reads what [`Sides::words`] wrote.
    pub fn of_words(words: &str) -> Self {
        let has = |wanted: &str| words.split(',').any(|word| word == wanted);
        Self { red: has("red"), blue: has("blue"), shared: has("shared"), planning: has("planning") }
    }

    /// Whether this field may be written.
    pub fn may_write(self, field: Field) -> bool {
        match field.side() {
            Side::Red => self.red,
            Side::Blue => self.blue,
            Side::Both => self.shared,
            Side::Planning => self.planning,
        }
    }

    /// Whether an entry or attachment of a team may be changed by somebody: by its author or a lead, and only
    /// while they write that side.
    pub fn may_change(self, team: Team, is_author_or_lead: bool) -> bool {
        is_author_or_lead && self.may_write_team(team)
    }

    /// Whether this team's logs, attachments and (red) ticks may be written.
    pub fn may_write_team(self, team: Team) -> bool {
        match team {
            Team::Red => self.red,
            Team::Blue => self.blue,
        }
    }

    /// Whether anything may be written.
    pub fn any(self) -> bool {
        self.red || self.blue
    }
}

/// Which sides somebody writes: everyone with the right writes both, or under [`WriteRule::OwnSide`] only the
/// side one is assigned to; leads are both. A client's Analyst writes blue alone, where assigned.
pub fn sides(rights: WriteRights, assigned_red: bool, assigned_blue: bool, rule: WriteRule) -> Sides {
    let free = rights.lead || rule == WriteRule::Everyone;
    let red = rights.write_red && (free || assigned_red);
    let of_blue = rights.write_blue && (free || assigned_blue);
    let blue = of_blue || (rights.write_blue_assigned && assigned_blue);
    Sides { red, blue, shared: red || of_blue, planning: rights.plan && (red || blue) }
}

/// The outcome keys that a form may post: the active ones, and a retired one that this procedure already
/// holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutcomeKeys<'a> {
    pub red: &'a [&'a str],
    pub blue: &'a [&'a str],
}

/// Checks a posted field and gives its canonical value, the one that is stored and compared. An empty
/// optional field is "" (no finding, waiting on from the outcomes, unanswered, no time). A time was typed in
/// `zone` and becomes an [`times::instant`].
///
/// # Errors
/// A sentence for beside the field.
pub fn check_field(field: Field, raw: &str, outcomes: &OutcomeKeys<'_>, zone: Tz) -> Result<String, String> {
    let chosen = raw.trim();
    let outcome = |keys: &[&str], team: &str| {
        if chosen.is_empty() || keys.contains(&chosen) {
            return Ok(chosen.to_owned());
        }
        Err(format!("This is not one of the {team} outcomes. Choose one from the list."))
    };
    let one_of = |known: bool, what: &str| {
        if known {
            return Ok(chosen.to_owned());
        }
        Err(format!("This is not {what}. Choose one from the list."))
    };
    match field {
        Field::Status => one_of(chosen.parse::<ProcedureStatus>().is_ok(), "a procedure status"),
        Field::Severity if chosen.is_empty() || chosen == "none" => Ok(String::new()),
        Field::Severity => one_of(chosen.parse::<Severity>().is_ok(), "a finding severity"),
        Field::WaitingOn if chosen.is_empty() => Ok(String::new()),
        Field::WaitingOn => one_of(chosen.parse::<WaitingOn>().is_ok(), "a team to wait on"),
        Field::RedOutcome => outcome(outcomes.red, "red"),
        Field::BlueOutcome => outcome(outcomes.blue, "blue"),
        Field::ExecutedAt | Field::DetectedAt | Field::RespondedAt if chosen.is_empty() => Ok(String::new()),
        Field::ExecutedAt | Field::DetectedAt | Field::RespondedAt => {
            times::parse(chosen, zone).map(times::instant)
        }
        Field::NotApplicableReason
        | Field::Recommendation
        | Field::AttackSource
        | Field::RedNotes
        | Field::BlueNotes
        | Field::DetectedBy
        | Field::AlertReference => {
            let plural = matches!(field, Field::RedNotes | Field::BlueNotes);
            check_text(field.label(), plural, raw, field.max_bytes(), field.is_long())
        }
    }
}

/// Not Applicable asks for a reason.
///
/// # Errors
/// A sentence for beside the reason.
pub fn check_together(status: ProcedureStatus, reason: &str) -> Result<(), &'static str> {
    if status == ProcedureStatus::NotApplicable && reason.trim().is_empty() {
        return Err("Say why the procedure is Not Applicable.");
    }
    Ok(())
}

const SUBMITTED: &str = "This runbook is submitted and can no longer be edited.";

/// Whether outcomes, logs, steps and attachments may be written: In Progress and not submitted.
///
/// # Errors
/// A refusal that says what would open it.
pub fn working_allowed(status: EngagementStatus, submitted: bool) -> Result<(), Refusal> {
    if submitted {
        return Err(Refusal::new(SUBMITTED));
    }
    let open = match status {
        EngagementStatus::InProgress => return Ok(()),
        EngagementStatus::Pending => "It can be worked on once it is approved and has started.",
        EngagementStatus::Scheduled => "It can be worked on once it has started.",
        EngagementStatus::InReview => "It can be worked on while its report is a Draft.",
        EngagementStatus::Complete => "Its results are final.",
        EngagementStatus::Canceled => "Its results stay as they are.",
    };
    Err(Refusal(format!("This engagement is {status}. {open}")))
}

/// Whether details, procedures, operators and inputs may be changed: Pending, Scheduled or In Progress, and
/// not submitted.
///
/// # Errors
/// A refusal that says what would open it.
pub fn planning_allowed(status: EngagementStatus, submitted: bool) -> Result<(), Refusal> {
    match status {
        EngagementStatus::Pending | EngagementStatus::Scheduled if !submitted => Ok(()),
        _ => working_allowed(status, submitted),
    }
}

/// Something saved that does not fit together. It is shown, never refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The detection lies before the execution.
    DetectedBeforeExecuted,
    /// The response lies before the detection.
    RespondedBeforeDetected,
    /// Red reached its whole objective where blue says it was prevented.
    SuccessButPrevented,
    /// Red says that a control stopped it, blue that none did.
    StoppedButNotPrevented,
    /// Red never ran it, and blue's answer counts.
    NotAttemptedButAnswered,
    /// A time of detection on an outcome that no alert was raised with. No contradiction: it may say when
    /// somebody found records.
    DetectedWithoutAlert,
    /// Detection and execution lie whole hours apart, give or take [`ZONE_SLACK`]. No contradiction: it may
    /// be so, but mostly one side read its clock in another zone.
    WholeHoursApart,
}

/// How far from whole hours two times may lie to be asked about (product rule: two minutes).
const ZONE_SLACK: i64 = 120;
/// No two zones lie further apart, in hours.
const ZONES_APART: i64 = 26;

impl Warning {
    /// What to show beside the field.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::DetectedBeforeExecuted => {
                "Detected before it was executed: left out of the figures until one of the times is mended."
            }
            Self::RespondedBeforeDetected => {
                "Responded before it was detected: left out of the figures until one of the times is mended."
            }
            Self::SuccessButPrevented => {
                "Red says it succeeded, blue says it was prevented. Check which is right."
            }
            Self::StoppedButNotPrevented => {
                "Red says a control stopped it, blue says it was not prevented. Check which is right."
            }
            Self::NotAttemptedButAnswered => {
                "Red did not attempt it, yet blue's answer counts. Check which is right."
            }
            Self::DetectedWithoutAlert => {
                "Detected at is given, but no alert was raised: left out of the times to detect and to \
                    respond."
            }
            Self::WholeHoursApart => {
                "Whole hours from the execution: check that both times were read in the same time zone."
            }
        }
    }

    /// The field that it stands beside.
    pub fn field(self) -> Field {
        match self {
            Self::DetectedBeforeExecuted | Self::DetectedWithoutAlert | Self::WholeHoursApart => {
                Field::DetectedAt
            }
            Self::RespondedBeforeDetected => Field::RespondedAt,
            Self::SuccessButPrevented | Self::StoppedButNotPrevented | Self::NotAttemptedButAnswered => {
                Field::BlueOutcome
            }
        }
    }
}

/// What both teams say of a procedure, or of one asset of it.
pub type Answers = (Option<Meaning>, Option<Meaning>);

/// Whether both teams' answers contradict each other, by the one rule of every page and figure. It asks flags
/// alone: a renamed or an added outcome contradicts like any other.
fn contradiction((red, blue): Answers) -> Option<Warning> {
    let (red, blue) = (red?, blue?);
    let counts = blue.score.is_some();
    if red.reached_all() && blue.prevented {
        Some(Warning::SuccessButPrevented)
    } else if red.prevented && counts && !blue.prevented {
        Some(Warning::StoppedButNotPrevented)
    } else if !red.attempted && counts {
        Some(Warning::NotAttemptedButAnswered)
    } else {
        None
    }
}

/// The times of a procedure, and what blue's answer means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    pub executed: Option<DateTime<Utc>>,
    pub detected: Option<DateTime<Utc>>,
    pub responded: Option<DateTime<Utc>>,
    /// None while blue has not answered.
    pub blue: Option<Meaning>,
}

impl Observed {
    /// Whether an alert was raised: nothing else is a detection, in any figure.
    fn alerted(&self) -> bool {
        self.blue.is_some_and(|blue| blue.alerted)
    }

    /// A detected-at on an answer without an alert.
    pub fn detected_without_alert(&self) -> bool {
        self.detected.is_some() && self.blue.is_some_and(|blue| !blue.alerted)
    }

    /// Time to detect (detected − executed) and time to respond (responded − detected), of what was alerted;
    /// what is missing or negative is left out. Of an alert that was raised before the execution nobody knows
    /// which of the two times is wrong, so neither counts.
    pub fn spans(&self) -> (Option<TimeDelta>, Option<TimeDelta>) {
        let between = |from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>| {
            let length = to? - from?;
            (length >= TimeDelta::zero()).then_some(length)
        };
        let is_doubtful = self.detected.zip(self.executed).is_some_and(|(alert, run)| alert < run);
        if !self.alerted() || is_doubtful {
            return (None, None);
        }
        (between(self.executed, self.detected), between(self.detected, self.responded))
    }

    fn is_whole_hours_apart(&self) -> bool {
        let Some((detected, executed)) = self.detected.zip(self.executed) else { return false };
        let apart = (detected - executed).num_seconds().abs();
        let hours = (apart + 1_800) / 3_600;
        (1..=ZONES_APART).contains(&hours) && (apart - hours * 3_600).abs() <= ZONE_SLACK
    }

    fn warnings(&self) -> impl Iterator<Item = Warning> {
        let before = |later: Option<DateTime<Utc>>, earlier: Option<DateTime<Utc>>| {
            later.zip(earlier).is_some_and(|(l, e)| l < e)
        };
        let found = [
            (before(self.detected, self.executed), Warning::DetectedBeforeExecuted),
            (before(self.responded, self.detected), Warning::RespondedBeforeDetected),
            (self.detected_without_alert(), Warning::DetectedWithoutAlert),
            (self.is_whole_hours_apart(), Warning::WholeHoursApart),
        ];
        found.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning)
    }
}

/// What does not fit together on a procedure: its times, and the answers of both teams where they are given.
/// Answers by asset are compared asset by asset, never across two of them; then the procedure's own pair sums
/// up different assets and says nothing.
pub fn warnings(observed: Observed, red: Option<Meaning>, assets: &[Answers]) -> Vec<Warning> {
    let by_asset = assets.iter().any(|(red, blue)| red.is_some() || blue.is_some());
    let mut found: Vec<Warning> = observed.warnings().collect();
    if by_asset {
        found.extend(assets.iter().find_map(|answers| contradiction(*answers)));
    } else {
        found.extend(contradiction((red, observed.blue)));
    }
    found
}

impl Warning {
    /// Whether something here cannot be true; the others only say what a figure leaves out.
    pub fn is_contradiction(self) -> bool {
        !matches!(self, Self::DetectedWithoutAlert | Self::WholeHoursApart)
    }
}

/// Durations summed up, never as a mean alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The middle one; between two, their midpoint.
    pub median: TimeDelta,
    /// The 90th percentile by nearest rank: the shortest that at least nine tenths do not exceed.
    pub p90: TimeDelta,
    pub n: usize,
}

impl Summary {
    /// `None` without durations.
    pub fn of(durations: &[TimeDelta]) -> Option<Self> {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let n = sorted.len();
        let (low, high) = (sorted.get(n.checked_sub(1)? / 2)?, sorted.get(n / 2)?);
        Some(Self { median: *low + (*high - *low) / 2, p90: *sorted.get((n * 9).div_ceil(10) - 1)?, n })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EngagementStatus as E, ProcedureStatus as P, *};

    const KEYS: OutcomeKeys<'static> =
        OutcomeKeys { red: &["success", "partial_success"], blue: &["no_evidence", "logged"] };

    fn check(field: Field, raw: &str) -> Result<String, String> {
        check_field(field, raw, &KEYS, Tz::Europe__Lisbon)
    }

    fn at(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(1_795_000_000 + seconds, 0)
    }

    fn now() -> DateTime<Utc> {
        at(0).expect("a time")
    }

    fn done(red_answered: bool, blue_answered: bool) -> Done {
        Done { red_answered, blue_answered, ..Done::default() }
    }

    #[test]
    fn whose_turn() {
        let executed = |red, blue| Done { executed: true, ..done(red, blue) };
        for status in [P::NotStarted, P::InProgress, P::Completed] {
            for (done, turn) in [
                (done(false, false), Turn::Red),
                (done(false, true), Turn::Red),
                (done(true, false), Turn::Blue),
                (done(true, true), Turn::Nobody),
                (executed(false, false), Turn::Both),
                (executed(false, true), Turn::Red),
                (executed(true, false), Turn::Blue),
                (executed(true, true), Turn::Nobody),
                (Done { cleanup_left: true, ..done(true, true) }, Turn::Red),
                (Done { cleanup_left: true, ..done(true, false) }, Turn::Blue),
                (Done { not_attempted: true, ..done(true, false) }, Turn::Nobody),
                (Done { look_again: at(1), ..executed(true, true) }, Turn::Nobody),
                (Done { look_again: at(0), ..executed(true, true) }, Turn::Blue),
                (Done { look_again: at(0), ..executed(false, true) }, Turn::Both),
                (Done { look_again: at(0), cleanup_left: true, ..executed(true, true) }, Turn::Both),
                (Done { look_again: at(1), cleanup_left: true, ..executed(true, true) }, Turn::Red),
            ] {
                assert_eq!(done.turn(status, None, now()), turn, "{done:?}");
                for hand in WaitingOn::ALL {
                    assert_eq!(done.turn(status, Some(*hand), now()), Turn::from(*hand));
                }
            }
        }
        assert_eq!(executed(false, false).turn(P::NotApplicable, None, now()), Turn::Nobody);
        assert!(Turn::Both.is_of(Team::Red) && Turn::Both.is_of(Team::Blue) && !Turn::Red.is_of(Team::Blue));
    }

    #[test]
    fn a_status_follows_the_work() {
        let begun = [
            Done { executed: true, ..Done::default() },
            Done { stepped: true, ..Done::default() },
            Done { logged: true, ..Done::default() },
            done(true, false),
            done(false, true),
            Done { cleanup_left: true, ..done(true, true) },
            Done { not_attempted: true, ..done(true, true) },
            Done { look_again: at(0), ..done(true, true) },
        ];
        for work in begun {
            assert_eq!(work.status(), P::InProgress, "{work:?}");
        }
        assert_eq!(done(true, true).status(), P::Completed);
        let untouched = Done { cleanup_left: true, ..Done::default() };
        assert_eq!(untouched.status(), P::NotStarted, "an unticked cleanup is no work");
    }

    #[test]
    fn what_blue_has_not_seen_yet_is_provisional() {
        use ObservationWindow::{Closed, Day, Hour, QuarterHour};
        let nothing = Some(scored(0, false));
        let logged = Some(Meaning { logged: true, ..scored(30, false) });
        let unscored = Some(Meaning::default());
        let minutes = |n: i64| at(n * 60);
        for (window, executed, answered, blue, again) in [
            (Hour, minutes(0), minutes(10), nothing, minutes(60)),
            (Hour, minutes(0), minutes(10), logged, minutes(60)),
            (QuarterHour, minutes(0), minutes(14), nothing, minutes(15)),
            (Day, minutes(0), minutes(1_439), nothing, minutes(1_440)),
            (Hour, minutes(0), minutes(60), nothing, None),
            (Hour, minutes(0), minutes(61), nothing, None),
            (Hour, minutes(0), minutes(-5), nothing, minutes(60)),
            (Closed, minutes(0), minutes(10), nothing, None),
            (Closed, minutes(0), minutes(-5), nothing, None),
            (Hour, minutes(0), minutes(10), alerted(), None),
            (Hour, minutes(0), minutes(10), Some(scored(90, true)), None),
            (Hour, minutes(0), minutes(10), unscored, None),
            (Hour, minutes(0), minutes(10), None, None),
            (Hour, None, minutes(10), nothing, None),
            (Hour, minutes(0), None, nothing, None),
        ] {
            let found = window.look_again(executed, answered, blue);
            assert_eq!(found, again, "{window} {executed:?} {answered:?} {blue:?}");
        }
    }

    #[test]
    fn a_status_by_hand_holds_until_an_outcome_changes() {
        assert!(chosen_after(true, P::Completed, false, false));
        assert!(!chosen_after(true, P::Completed, false, true));
        assert!(chosen_after(true, P::NotApplicable, false, true), "only Not Applicable stays");
        assert!(chosen_after(false, P::InProgress, true, true));
        assert!(!chosen_after(false, P::InProgress, false, false));
    }

    #[test]
    fn a_choice_by_hand_holds_until_an_outcome_changes() {
        let (red, blue) = (Some(WaitingOn::Red), Some(WaitingOn::Blue));
        assert_eq!(by_hand_after(red, None, false), red);
        assert_eq!(by_hand_after(red, None, true), None);
        assert_eq!(by_hand_after(red, Some(blue), true), blue);
        assert_eq!(by_hand_after(red, Some(None), false), None);
    }

    #[test]
    fn progress_counts_and_rounds_down() {
        let of = |done, total| Progress { done, total };
        assert_eq!(Progress::of([P::Completed, P::NotApplicable, P::InProgress, P::NotStarted]), of(2, 4));
        for (progress, percent, label, complete) in [
            (of(0, 0), None, "No procedures yet", false),
            (of(0, 3), Some(0), "0 of 3", false),
            (of(3, 13), Some(23), "3 of 13", false),
            (of(199, 200), Some(99), "199 of 200", false),
            (of(2, 2), Some(100), "2 of 2", true),
        ] {
            assert_eq!(progress.percent(), percent);
            assert_eq!(progress.label(), label);
            assert_eq!(progress.complete(), complete);
        }
    }

    #[test]
    fn who_writes_which_side() {
        let standard = WriteRights { write_red: true, write_blue: true, ..WriteRights::default() };
        let lead = WriteRights { lead: true, ..standard };
        let analyst = WriteRights { write_blue_assigned: true, ..WriteRights::default() };
        let reader = WriteRights { lead: true, ..WriteRights::default() };
        use WriteRule::{Everyone, OwnSide};
        for (rights, red, blue, rule, expected) in [
            (standard, false, false, Everyone, (true, true)),
            (standard, false, false, OwnSide, (false, false)),
            (standard, true, false, OwnSide, (true, false)),
            (standard, false, true, OwnSide, (false, true)),
            (standard, true, true, OwnSide, (true, true)),
            (lead, false, false, OwnSide, (true, true)),
            (analyst, false, false, Everyone, (false, false)),
            (analyst, true, false, Everyone, (false, false)),
            (analyst, true, true, Everyone, (false, true)),
            (analyst, false, true, OwnSide, (false, true)),
            (reader, true, true, Everyone, (false, false)),
        ] {
            let sides = sides(rights, red, blue, rule);
            assert_eq!((sides.red, sides.blue), expected, "{rights:?} {red} {blue} {rule}");
        }
    }

    #[test]
    fn sides_open_their_fields() {
        let (red, blue) = (Sides { red: true, ..Sides::default() }, Sides { blue: true, ..Sides::default() });
        let (shared, planning) =
            (Sides { shared: true, ..Sides::default() }, Sides { planning: true, ..Sides::default() });
        for field in Field::ALL {
            assert_eq!(red.may_write(*field), field.side() == Side::Red);
            assert_eq!(blue.may_write(*field), field.side() == Side::Blue);
            assert_eq!(shared.may_write(*field), field.side() == Side::Both);
            assert_eq!(planning.may_write(*field), field.side() == Side::Planning);
            assert!(Sides::ALL.may_write(*field) && !Sides::default().may_write(*field));
        }
        let analyst = WriteRights { write_blue_assigned: true, ..WriteRights::default() };
        assert_eq!(sides(analyst, false, true, WriteRule::Everyone), blue, "blue's own and nothing else");
        assert_eq!(sides(analyst, true, false, WriteRule::Everyone), Sides::default());
        assert_eq!(Sides::of_words(&Sides::ALL.words()), Sides::ALL);
        assert_eq!(Sides::of_words(&blue.words()), blue);
        assert!(red.may_write_team(Team::Red) && !red.may_write_team(Team::Blue));
        assert!(blue.may_write_team(Team::Blue) && !blue.may_write_team(Team::Red));
    }

    #[test]
    fn choices() {
        for (field, good, bad) in [
            (Field::Status, "not_applicable", ""),
            (Field::Status, " completed ", "done"),
            (Field::Severity, "high", "High"),
            (Field::WaitingOn, "nobody", "red team"),
            (Field::RedOutcome, "success", "no_evidence"),
            (Field::BlueOutcome, "no_evidence", "success"),
        ] {
            assert_eq!(check(field, good).as_deref(), Ok(good.trim()));
            let sentence = check(field, bad).expect_err(bad);
            assert!(sentence.ends_with("Choose one from the list."), "{sentence}");
        }
        for field in Field::ALL.iter().filter(|field| **field != Field::Status) {
            assert_eq!(check(*field, "  ").as_deref(), Ok(""), "{field}");
        }
        assert_eq!(check(Field::Severity, "none").as_deref(), Ok(""));
    }

    #[test]
    fn texts() {
        assert_eq!(check(Field::RedNotes, "\r\n  a\r\nb\rc\t \r\n").as_deref(), Ok("  a\nb\nc"));
        assert_eq!(check(Field::AttackSource, " HL-WS-014 ").as_deref(), Ok("HL-WS-014"));
        assert_eq!(
            check(Field::BlueNotes, &"x".repeat(70_000)),
            Err("Blue notes are 70,000 bytes; the limit is 65,536. Shorten the text.".into())
        );
        assert_eq!(
            check(Field::DetectedBy, &"ä".repeat(251)),
            Err("Detected by is 502 bytes; the limit is 500. Shorten the text.".into())
        );
        assert_eq!(
            check(Field::RedNotes, "a\u{0}b"),
            Err("Red notes contain the character NUL (U+0000) in line 1, which cannot be stored. Remove it."
                .into())
        );
        assert_eq!(
            check(Field::AlertReference, "a\nb"),
            Err("Alert reference contains a line break. Write one line.".into())
        );
        assert!(check(Field::RedNotes, &"x".repeat(LONG_TEXT_BYTES)).is_ok());
        assert_eq!(check(Field::DetectedBy, "a\tb").as_deref(), Ok("a\tb"));
    }

    #[test]
    fn times_become_instants() {
        assert_eq!(check(Field::ExecutedAt, "21 Nov 2026, 14:11").as_deref(), Ok("2026-11-21T14:11:00Z"));
        assert!(check(Field::DetectedAt, "2026-03-29T01:30").is_err(), "skipped in Lisbon");
        assert!(check(Field::RespondedAt, "soon").is_err());
    }

    #[test]
    fn not_applicable_wants_a_reason() {
        assert!(check_together(P::NotApplicable, " ").is_err());
        assert_eq!(check_together(P::NotApplicable, "No such host"), Ok(()));
        assert_eq!(check_together(P::Completed, ""), Ok(()));
    }

    #[test]
    fn the_editing_rule() {
        for status in E::ALL {
            let working = *status == E::InProgress;
            let planning = working || matches!(status, E::Pending | E::Scheduled);
            assert_eq!(working_allowed(*status, false).is_ok(), working, "{status}");
            assert_eq!(planning_allowed(*status, false).is_ok(), planning, "{status}");
            for refused in [working_allowed(*status, true), planning_allowed(*status, true)] {
                assert_eq!(refused, Err(Refusal::new(SUBMITTED)));
            }
        }
    }

    fn scored(score: i32, prevented: bool) -> Meaning {
        Meaning { score: Some(score), prevented, ..Meaning::default() }
    }

    fn alerted() -> Option<Meaning> {
        Some(Meaning { alerted: true, ..scored(60, false) })
    }

    #[test]
    fn answers_contradict_by_one_rule() {
        let success = Meaning { succeeded: true, ..Meaning::default() };
        let partial = Meaning { partial: true, ..success };
        let stopped = Meaning { prevented: true, ..Meaning::default() };
        let never_run = Meaning { attempted: false, ..Meaning::default() };
        let not_applicable = Meaning::default();
        for (red, blue, expected) in [
            (success, scored(90, true), Some(Warning::SuccessButPrevented)),
            (partial, scored(90, true), None),
            (success, scored(60, false), None),
            (stopped, scored(60, false), Some(Warning::StoppedButNotPrevented)),
            (stopped, scored(90, true), None),
            (stopped, not_applicable, None),
            (never_run, scored(0, false), Some(Warning::NotAttemptedButAnswered)),
            (never_run, not_applicable, None),
            (Meaning::default(), scored(0, false), None),
        ] {
            assert_eq!(contradiction((Some(red), Some(blue))), expected, "{red:?} {blue:?}");
        }
        assert_eq!(contradiction((None, Some(scored(90, true)))), None);
    }

    #[test]
    fn answers_of_different_assets_never_contradict() {
        let success = Some(Meaning { succeeded: true, ..Meaning::default() });
        let prevented = Some(scored(90, true));
        let times = Observed { blue: prevented, ..Observed::default() };
        let across = [(success, Some(scored(0, false))), (Some(Meaning::default()), prevented)];
        assert_eq!(warnings(times, success, &across), []);
        assert_eq!(warnings(times, success, &[(success, prevented)]), [Warning::SuccessButPrevented]);
        assert_eq!(warnings(times, success, &[(None, None)]), [Warning::SuccessButPrevented]);
    }

    #[test]
    fn what_does_not_fit_is_warned_about_and_left_out() {
        let of = |executed, detected, responded, blue| Observed { executed, detected, responded, blue };
        let prevented = Some(Meaning { alerted: true, ..scored(100, true) });
        let success = Some(Meaning { succeeded: true, ..Meaning::default() });
        assert_eq!(
            warnings(of(at(10), at(5), at(4), prevented), success, &[]),
            [Warning::DetectedBeforeExecuted, Warning::RespondedBeforeDetected, Warning::SuccessButPrevented]
        );
        assert_eq!(warnings(of(at(1), at(1), at(2), prevented), None, &[]), []);
        assert_eq!(warnings(of(None, at(1), None, None), success, &[]), []);
        let seconds = |n| Some(TimeDelta::seconds(n));
        assert_eq!(of(at(0), at(58), at(60), alerted()).spans(), (seconds(58), seconds(2)));
        assert_eq!(of(at(10), at(5), at(6), alerted()).spans(), (None, None));
        assert_eq!(of(None, at(5), None, alerted()).spans(), (None, None));
        assert_eq!(of(at(5), at(5), at(4), alerted()).spans(), (seconds(0), None));
    }

    #[test]
    fn only_an_alert_is_a_detection() {
        let found = Observed {
            executed: at(0),
            detected: at(5),
            responded: at(9),
            blue: Some(Meaning { logged: true, ..scored(30, false) }),
        };
        assert_eq!(found.spans(), (None, None));
        assert_eq!(warnings(found, None, &[]), [Warning::DetectedWithoutAlert]);
        assert!(!Warning::DetectedWithoutAlert.is_contradiction());
        let unanswered = Observed { blue: None, ..found };
        assert_eq!((unanswered.spans(), warnings(unanswered, None, &[])), ((None, None), vec![]));
    }

    #[test]
    fn summaries() {
        let of = |seconds: &[i64]| {
            let all: Vec<_> = seconds.iter().map(|s| TimeDelta::seconds(*s)).collect();
            Summary::of(&all).map(|s| (s.median.num_seconds(), s.p90.num_seconds(), s.n))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7, 1)));
        assert_eq!(of(&[30, 10]), Some((20, 30, 2)));
        assert_eq!(of(&[10, 1, 9, 2, 8, 3, 7, 4, 6, 5]), Some((5, 9, 10)));
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        // What was stored posts back unchanged: no save of an untouched form is a change.
        #[test]
        fn canonical_values_are_their_own(index in 0..Field::ALL.len(), raw in "[a-z\r\n\t ä]{0,30}") {
            let field = Field::ALL[index];
            if let Ok(value) = check(field, &raw) {
                prop_assert_eq!(check(field, &value), Ok(value.clone()));
                prop_assert_eq!(check(field, &value.replace('\n', "\r\n")), Ok(value));
            }
        }

        #[test]
        fn percent_is_100_only_when_all_are_done(done in 0u32..=500, more in 0u32..=500) {
            let progress = Progress { done, total: done + more };
            prop_assert_eq!(progress.percent() == Some(100), progress.complete());
            prop_assert_eq!(progress.complete(), more == 0 && done > 0);
        }

        #[test]
        fn the_median_never_exceeds_the_90th_percentile(
            seconds in prop::collection::vec(0i64..100_000, 1..50),
        ) {
            let all: Vec<_> = seconds.iter().map(|s| TimeDelta::seconds(*s)).collect();
            let summary = Summary::of(&all).expect("not empty");
            prop_assert!(summary.median <= summary.p90);
            prop_assert!(all.iter().filter(|d| **d <= summary.p90).count() * 10 >= all.len() * 9);
        }
    }

    #[test]
    fn times_that_lie_whole_hours_apart_are_asked_about() {
        let asked = |seconds: i64| {
            let observed =
                Observed { executed: at(0), detected: at(seconds), blue: alerted(), ..Observed::default() };
            warnings(observed, None, &[]).contains(&Warning::WholeHoursApart)
        };
        for seconds in [3_600, 5 * 3_600 + 40, 5 * 3_600 - 120, -3_600, 26 * 3_600] {
            assert!(asked(seconds), "{seconds}");
        }
        for seconds in [0, 60, 3_600 - 121, 3_600 + 121, 5 * 3_600 + 1_800, 27 * 3_600] {
            assert!(!asked(seconds), "{seconds}");
        }
        assert!(!Warning::WholeHoursApart.is_contradiction());
    }
}
