//! Outcomes at a glance: both teams' outcomes by tactic, times to detect and to respond, and the two cases
//! that deserve a second look. Pure; the engagement and its report count alike.

use chrono::TimeDelta;

use crate::kernel::base::ids::ProcedureId;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::procedures::domain::{Answers, Observed, Summary, Warning, warnings};
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
    /// Rounded to whole percent; `None` of nothing.
    pub fn percent(&self) -> Option<usize> {
        (self.part * 200 + self.whole).checked_div(self.whole * 2)
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
    pub contradict: usize,
    /// How many were left out, because no alert was raised.
    pub not_alerted: usize,
}

impl Times {
    /// Times to detect and times to respond, of everything that was alerted.
    pub fn of_all(all: &[Observed]) -> (Self, Self) {
        let both = |from: fn(&Observed) -> bool| all.iter().filter(move |o| from(o));
        let detected = |o: &Observed| o.executed.is_some() && o.detected.is_some();
        let responded = |o: &Observed| o.detected.is_some() && o.responded.is_some();
        let of = |known: fn(&Observed) -> bool, span: fn(&Observed) -> Option<TimeDelta>| {
            let spans: Vec<TimeDelta> = both(known).filter_map(span).collect();
            let not_alerted = both(known).filter(|o| o.detected_without_alert()).count();
            let alerted = both(known).filter(|o| o.blue.is_some_and(|blue| blue.alerted)).count();
            Self { contradict: alerted - spans.len(), not_alerted, ..Self::of(&spans) }
        };
        (of(detected, |o| o.spans().0), of(responded, |o| o.spans().1))
    }

    fn of(spans: &[TimeDelta]) -> Self {
        let summary = Summary::of(spans);
        Self {
            median: summary.as_ref().map(|s| show::duration(s.median)),
            p90: summary.as_ref().map(|s| show::duration(s.p90)),
            n: spans.len(),
            contradict: 0,
            not_alerted: 0,
        }
    }

    /// What it was counted from: "n = 3, 90th percentile 31 min, 1 left out: not alerted".
    pub fn counted(&self) -> String {
        let mut said = vec![format!("n = {}", self.n)];
        said.extend(self.p90.as_ref().map(|p90| format!("90th percentile {p90}")));
        for (n, why) in [(self.contradict, "times contradict"), (self.not_alerted, "not alerted")] {
            if n > 0 {
                said.push(format!("{n} left out: {why}"));
            }
        }
        said.join(", ")
    }
}

/// A procedure as far as the glance goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub id: ProcedureId,
    pub position: i32,
    pub name: String,
    /// Keys of its tactics.
    pub tactics: Vec<String>,
    /// What red's answer means.
    pub red: Option<Meaning>,
    /// What blue answered, and the times.
    pub observed: Observed,
    /// Both teams' own answers on each asset.
    pub assets: Vec<Answers>,
    /// Whether it is of status Not Applicable: then nobody owes an answer, and none that is there counts.
    pub not_applicable: bool,
}

/// Whether a procedure asks something of blue, so that its answer counts in blue's figures: not where it is
/// Not Applicable, and not where red did not attempt it.
pub fn asks_blue(not_applicable: bool, red: Option<Meaning>) -> bool {
    !not_applicable && red.is_none_or(|red| red.attempted)
}

impl Answered {
    fn asks_blue(&self) -> bool {
        asks_blue(self.not_applicable, self.red)
    }

    /// What was observed, as far as it counts.
    fn counted(&self) -> Observed {
        if self.asks_blue() { self.observed } else { Observed::default() }
    }

    /// What does not fit together on it.
    pub fn warnings(&self) -> Vec<Warning> {
        warnings(self.observed, self.red, &self.assets)
    }
}

/// A procedure that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub id: ProcedureId,
    pub position: i32,
    pub name: String,
    pub warnings: Vec<Warning>,
}

impl Doubt {
    /// Those of these procedures that contradict themselves.
    pub fn list(all: &[Answered]) -> Vec<Self> {
        let doubt = |p: &Answered| {
            let warnings: Vec<_> = p.warnings().into_iter().filter(|w| w.is_contradiction()).collect();
            (!warnings.is_empty()).then(|| Self {
                id: p.id,
                position: p.position,
                name: p.name.clone(),
                warnings,
            })
        };
        all.iter().filter_map(doubt).collect()
    }
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
    /// Procedures that contradict themselves.
    pub doubts: Vec<Doubt>,
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
            red: counts(&of, Team::Red, |p| !p.not_applicable, |p| p.red),
            blue: counts(&of, Team::Blue, Answered::asks_blue, |p| p.observed.blue),
        };
        let mut rows: Vec<Row> = tactics
            .iter()
            .map(|(key, name)| {
                row(name, all.iter().filter(|p| p.tactics.iter().any(|tactic| tactic == key)).collect())
            })
            .collect();
        rows.push(row("No tactic", all.iter().filter(|p| !known(p)).collect()));
        rows.retain(|row| row.procedures > 0);
        let observed: Vec<Observed> = all.iter().map(Answered::counted).collect();
        let (detect, respond) = Times::of_all(&observed);
        let blue = |is: fn(Meaning) -> bool| observed.iter().filter(move |o| o.blue.is_some_and(is));
        let alerted: Vec<TimeDelta> = observed.iter().filter_map(|o| o.spans().0).collect();
        Self {
            rows,
            detect,
            respond,
            silent: Share {
                part: blue(|f| f.prevented && !f.alerted).count(),
                whole: blue(|f| f.prevented).count(),
            },
            late: Share { part: alerted.iter().filter(|span| **span > LATE).count(), whole: alerted.len() },
            procedures: all.len(),
            doubts: Doubt::list(all),
        }
    }
}

/// One team's answers by tone; nothing is counted where nothing is asked.
fn counts(
    of: &[&Answered],
    team: Team,
    is_asked: fn(&Answered) -> bool,
    answer: fn(&Answered) -> Option<Meaning>,
) -> Counts {
    let mut counts = Counts::default();
    for procedure in of {
        let tone = match answer(procedure) {
            _ if !is_asked(procedure) => "none",
            Some(meaning) => meaning.tone(team),
            None => "unanswered",
        };
        counts[TONES.iter().position(|known| *known == tone).unwrap_or(4)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    fn flags(prevented: bool, alerted: bool) -> Meaning {
        Meaning { score: Some(100), prevented, alerted, logged: true, ..Meaning::default() }
    }

    fn answered(blue: Option<Meaning>, minutes: Option<i64>) -> Answered {
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 14, 0, 0).unwrap();
        Answered {
            id: ProcedureId::new(),
            position: 1,
            name: "Encoded command".into(),
            tactics: vec!["execution".into()],
            red: Some(Meaning { succeeded: true, partial: true, ..Meaning::default() }),
            observed: Observed {
                executed: Some(at),
                detected: minutes.map(|minutes| at + TimeDelta::minutes(minutes)),
                responded: None,
                blue,
            },
            assets: Vec::new(),
            not_applicable: false,
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
        assert_eq!((glance.detect.n, glance.detect.contradict), (3, 1));
        assert_eq!(glance.doubts.len(), 1, "detected before it was executed");
        assert_eq!(glance.rows.len(), 1, "a tactic without procedures has no row");
        assert_eq!(glance.rows[0].blue, [2, 3, 0, 0, 0, 1]);
        assert_eq!(glance.rows[0].red, [0, 0, 0, 6, 0, 0]);
    }

    #[test]
    fn only_what_was_alerted_has_a_time_to_detect() {
        let no_evidence = Meaning { score: Some(0), ..Meaning::default() };
        let all = [answered(Some(no_evidence), Some(4)), answered(Some(flags(false, true)), Some(6))];
        let glance = Glance::of([("execution", "Execution")], &all);
        assert_eq!((glance.detect.n, glance.detect.not_alerted), (1, 1));
        assert_eq!(glance.detect.median.as_deref(), Some("6 min"));
        assert_eq!(glance.detect.counted(), "n = 1, 90th percentile 6 min, 1 left out: not alerted");
    }

    #[test]
    fn shares_are_rounded_and_say_what_of() {
        let share = |part, whole| Share { part, whole };
        assert_eq!(share(2, 3).shown(), "67 %");
        assert_eq!(share(1, 3).shown(), "33 %");
        assert_eq!(share(1, 200).shown(), "1 %");
        assert_eq!(share(0, 0).shown(), "–");
        assert_eq!(share(2, 3).words(), "2 of 3");
    }

    #[test]
    fn what_was_not_attempted_or_is_not_applicable_stands_outside_blues_figures() {
        let never_run = Some(Meaning { attempted: false, ..Meaning::default() });
        let blue = || answered(Some(flags(true, true)), Some(4));
        let all = [
            blue(),
            Answered { red: never_run, ..blue() },
            Answered { red: never_run, ..answered(None, None) },
            Answered { not_applicable: true, ..blue() },
        ];
        let glance = Glance::of([("execution", "Execution")], &all);
        assert_eq!(glance.rows[0].blue, [1, 0, 0, 0, 3, 0]);
        assert_eq!(glance.rows[0].red, [0, 0, 0, 1, 3, 0]);
        assert_eq!((glance.detect.n, glance.silent.whole, glance.late.whole), (1, 1, 1));
    }

    #[test]
    fn not_applicable_is_not_unanswered_and_no_tactic_has_its_row() {
        let none = Answered { red: None, not_applicable: true, tactics: Vec::new(), ..answered(None, None) };
        let glance = Glance::of([("execution", "Execution")], &[none]);
        assert_eq!(glance.rows[0].name, "No tactic");
        assert_eq!(glance.rows[0].blue, [0, 0, 0, 0, 1, 0]);
    }
}
