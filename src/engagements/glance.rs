//! Outcomes at a glance: both teams' outcomes by tactic, times to detect and to respond, and the two cases
//! that deserve a second look. Pure; the engagement and its report count alike.

use chrono::{DateTime, TimeDelta, Utc};

use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::procedures::domain::{Summary, times_to};
use crate::settings::domain::Meaning;

/// From when on an alert is late: an hour after the procedure was executed. The 1-10-60 rule of the field
/// gives a whole response that long; an alert that takes it leaves nothing for the rest.
pub const LATE: TimeDelta = TimeDelta::hours(1);

/// Tones from the defender's best to what nobody answered, in the order in which bars stack them.
pub const TONES: [&str; 6] = ["good", "info", "warn", "bad", "none", "unanswered"];

/// A part of a whole: never a percentage without both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub part: usize,
    pub whole: usize,
}

impl Share {
    /// Rounded down; `None` of nothing.
    pub fn percent(&self) -> Option<usize> {
        (self.part * 100).checked_div(self.whole)
    }
    /// "3 of 12"
    pub fn words(&self) -> String {
        format!("{} of {}", self.part, self.whole)
    }
    /// "25 %", or a dash of nothing.
    pub fn shown(&self) -> String {
        self.percent().map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))
    }
}

/// Times from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// "4 min 12 s"; none without a time.
    pub median: Option<String>,
    /// "31 min"; none without a time.
    pub p90: Option<String>,
    pub n: usize,
    /// How many were left out, because one lies before the other.
    pub left_out: usize,
}

impl Times {
    /// Sums up these spans.
    pub fn of(spans: &[TimeDelta], left_out: usize) -> Self {
        let summary = Summary::of(spans);
        Self {
            median: summary.as_ref().map(|s| show::duration(s.median)),
            p90: summary.as_ref().map(|s| show::duration(s.p90)),
            n: spans.len(),
            left_out,
        }
    }
}

/// A procedure as far as the glance goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Keys of its tactics.
    pub tactics: Vec<String>,
    /// What each team's answer means.
    pub red: Option<Meaning>,
    pub blue: Option<Meaning>,
    /// Whether it is of status Not Applicable: then nobody owes an answer.
    pub not_applicable: bool,
    /// When red ran it.
    pub executed_at: Option<DateTime<Utc>>,
    /// When the first alert was raised.
    pub detected_at: Option<DateTime<Utc>>,
    /// When somebody acted on it.
    pub responded_at: Option<DateTime<Utc>>,
}

/// How many procedures of each tone, in the order of [`TONES`].
pub type Counts = [usize; 6];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the tactic.
    pub name: String,
    pub procedures: usize,
    pub red: Counts,
    pub blue: Counts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// By tactic, in matrix order, those with a procedure. A procedure counts under each of its tactics.
    pub rows: Vec<Row>,
    pub detect: Times,
    pub respond: Times,
    /// Prevented without an alert, of those that blue prevented.
    pub silent: Share,
    /// Alerted later than [`LATE`] after execution, of the alerted ones whose times are known.
    pub late: Share,
    pub procedures: usize,
}

impl Glance {
    /// Counts procedures under tactics (key and name, in matrix order).
    pub fn of<'a>(tactics: impl IntoIterator<Item = (&'a str, &'a str)>, all: &[Answered]) -> Self {
        let tactics: Vec<(&str, &str)> = tactics.into_iter().collect();
        let known =
            |p: &Answered| p.tactics.iter().any(|key| tactics.iter().any(|(tactic, _)| tactic == key));
        let row = |name: &str, of: Vec<&Answered>| Row {
            name: name.to_owned(),
            procedures: of.len(),
            red: counts(&of, Team::Red, |p| p.red),
            blue: counts(&of, Team::Blue, |p| p.blue),
        };
        let mut rows: Vec<Row> = tactics
            .iter()
            .map(|(key, name)| {
                row(name, all.iter().filter(|p| p.tactics.iter().any(|tactic| tactic == key)).collect())
            })
            .collect();
        rows.push(row("No tactic", all.iter().filter(|p| !known(p)).collect()));
        rows.retain(|row| row.procedures > 0);
        let spans: Vec<_> =
            all.iter().map(|p| times_to(p.executed_at, p.detected_at, p.responded_at)).collect();
        let (detect, respond): (Vec<_>, Vec<_>) = (
            spans.iter().filter_map(|span| span.0).collect(),
            spans.iter().filter_map(|span| span.1).collect(),
        );
        let with = |both: fn(&Answered) -> bool| all.iter().filter(|p| both(p)).count();
        let detectable = with(|p| p.executed_at.is_some() && p.detected_at.is_some());
        let respondable = with(|p| p.detected_at.is_some() && p.responded_at.is_some());
        let blue =
            |is: fn(Meaning) -> bool| all.iter().zip(&spans).filter(move |(p, _)| p.blue.is_some_and(is));
        let alerted: Vec<TimeDelta> = blue(|flags| flags.alerted).filter_map(|(_, span)| span.0).collect();
        Self {
            rows,
            detect: Times::of(&detect, detectable - detect.len()),
            respond: Times::of(&respond, respondable - respond.len()),
            silent: Share {
                part: blue(|f| f.prevented && !f.alerted).count(),
                whole: blue(|f| f.prevented).count(),
            },
            late: Share { part: alerted.iter().filter(|span| **span > LATE).count(), whole: alerted.len() },
            procedures: all.len(),
        }
    }
}

fn counts(of: &[&Answered], team: Team, answer: impl Fn(&Answered) -> Option<Meaning>) -> Counts {
    let mut counts = Counts::default();
    for procedure in of {
        let tone = match answer(procedure) {
            Some(meaning) => meaning.tone(team),
            None if procedure.not_applicable => "none",
            None => "unanswered",
        };
        counts[TONES.iter().position(|known| *known == tone).unwrap_or(4)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn flags(prevented: bool, alerted: bool) -> Meaning {
        Meaning { score: Some(100), prevented, alerted, logged: true, ..Meaning::default() }
    }

    fn answered(blue: Option<Meaning>, minutes: Option<i64>) -> Answered {
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 14, 0, 0).unwrap();
        Answered {
            tactics: vec!["execution".into()],
            red: Some(Meaning { succeeded: true, ..Meaning::default() }),
            blue,
            not_applicable: false,
            executed_at: Some(at),
            detected_at: minutes.map(|minutes| at + TimeDelta::minutes(minutes)),
            responded_at: None,
        }
    }

    #[test]
    fn prevented_but_silent_and_alerted_but_late_are_counted_of_what_they_are_part_of() {
        let all = [
            answered(Some(flags(true, false)), None),
            answered(Some(flags(true, true)), Some(4)),
            answered(Some(flags(false, true)), Some(61)),
            answered(Some(flags(false, true)), Some(60)),
            answered(Some(flags(false, true)), Some(-3)),
            answered(None, None),
        ];
        let glance = Glance::of([("execution", "Execution"), ("impact", "Impact")], &all);
        assert_eq!(glance.silent, Share { part: 1, whole: 2 });
        assert_eq!(glance.late, Share { part: 1, whole: 3 }, "a detection before the execution says nothing");
        assert_eq!((glance.detect.n, glance.detect.left_out), (3, 1));
        assert_eq!(glance.rows.len(), 1, "a tactic without procedures has no row");
        assert_eq!(glance.rows[0].blue, [5, 0, 0, 0, 0, 1]);
        assert_eq!(glance.rows[0].red, [0, 0, 0, 6, 0, 0]);
    }

    #[test]
    fn not_applicable_is_not_unanswered_and_no_tactic_has_its_row() {
        let none = Answered {
            blue: None,
            red: None,
            not_applicable: true,
            tactics: Vec::new(),
            ..answered(None, None)
        };
        let glance = Glance::of([("execution", "Execution")], &[none]);
        assert_eq!(glance.rows[0].name, "No tactic");
        assert_eq!(glance.rows[0].blue, [0, 0, 0, 0, 1, 0]);
    }
}
