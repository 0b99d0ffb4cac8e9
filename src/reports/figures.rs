//! The report's numbers: outcomes, coverage and times, each with what it was counted from.

use super::domain::{FrozenOutcome, Procedure, Runbook};
use crate::engagements::domain::{self as engagements, BlueAnswer, CoverageRow, Covered};
use crate::engagements::glance::{Answered, Doubt, Glance, asks_blue};
pub use crate::engagements::glance::{Share, Times};
use crate::kernel::base::team::Team;
use crate::procedures::domain::{ProcedureStatus, Severity};

/// How often an outcome was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The outcome; none: unanswered.
    pub outcome: Option<FrozenOutcome>,
    /// Of all procedures but those of status Not Applicable, and, of blue's, those that red did not attempt.
    pub share: Share,
}

/// All figures of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Procedures in all, Not Applicable ones among them.
    pub procedures: usize,
    pub completed: usize,
    pub not_applicable: usize,
    /// Stopped, of those that blue scored.
    pub prevented: Share,
    /// Alerted, of those that blue scored.
    pub alerted: Share,
    /// Neither stopped nor alerted, but recorded.
    pub only_logged: Share,
    pub missed: Share,
    /// How many ask for blue's outcome: neither Not Applicable nor not attempted by red.
    pub asked_of_blue: usize,
    /// Without blue's outcome, of those.
    pub unanswered: usize,
    pub detect: Times,
    pub respond: Times,
    /// How often each red outcome was given; unanswered last.
    pub red: Vec<Given>,
    /// How often each blue outcome was given; unanswered last.
    pub blue: Vec<Given>,
    /// Findings by severity, the most severe first; those without a finding are left out.
    pub severities: Vec<(Severity, usize)>,
    /// By tactic, in matrix order, without those that have no procedure.
    pub coverage: Vec<CoverageRow>,
    /// Procedures that contradict themselves.
    pub doubts: Vec<Doubt>,
}

impl Figures {
    pub fn of(runbook: &Runbook) -> Self {
        let all = &runbook.procedures;
        let with = |status| all.iter().filter(|p| p.status == status).count();
        let scored: Vec<&FrozenOutcome> =
            answers(all).filter(|outcome| outcome.meaning.score.is_some()).collect();
        let share = |is: fn(&FrozenOutcome) -> bool| Share {
            part: scored.iter().filter(|o| is(o)).count(),
            whole: scored.len(),
        };
        let observed: Vec<_> = all.iter().filter(|p| asks(p, Team::Blue)).map(Procedure::observed).collect();
        let (detect, respond) = Times::of_all(&observed);
        Self {
            procedures: all.len(),
            completed: with(ProcedureStatus::Completed),
            not_applicable: with(ProcedureStatus::NotApplicable),
            prevented: share(|o| o.meaning.prevented),
            alerted: share(|o| o.meaning.alerted),
            only_logged: share(|o| o.meaning.only_logged()),
            missed: share(|o| o.meaning.unseen()),
            asked_of_blue: observed.len(),
            unanswered: all.iter().filter(|p| is_unanswered(p)).count(),
            detect,
            respond,
            red: given(all, Team::Red),
            blue: given(all, Team::Blue),
            severities: severities(all),
            coverage: coverage(runbook),
            doubts: Doubt::list(&answered(runbook)),
        }
    }
}

impl Figures {
    /// Both times with their headings.
    pub fn times(&self) -> [(&'static str, &Times); 2] {
        [("Median time to detect", &self.detect), ("Median time to respond", &self.respond)]
    }
}

/// Outcomes at a glance.
pub fn glance(runbook: &Runbook) -> Glance {
    let tactics = runbook.tactics.iter().map(|t| (t.key.as_str(), t.name.as_str()));
    Glance::of(tactics, &answered(runbook))
}

fn answered(runbook: &Runbook) -> Vec<Answered> {
    let answered = |p: &Procedure| Answered {
        id: p.id,
        position: p.position,
        name: p.name.clone(),
        tactics: p.tactics.clone(),
        red: p.red_outcome.as_ref().map(|o| o.meaning),
        observed: p.observed(),
        assets: p.asset_answers(),
        not_applicable: p.status == ProcedureStatus::NotApplicable,
    };
    runbook.procedures.iter().map(answered).collect()
}

/// Whether a procedure asks something of a team, so that its answer counts.
fn asks(procedure: &Procedure, team: Team) -> bool {
    let not_applicable = procedure.status == ProcedureStatus::NotApplicable;
    match team {
        Team::Red => !not_applicable,
        Team::Blue => asks_blue(not_applicable, procedure.red_outcome.as_ref().map(|red| red.meaning)),
    }
}

fn answers(all: &[Procedure]) -> impl Iterator<Item = &FrozenOutcome> {
    all.iter().filter(|p| asks(p, Team::Blue)).filter_map(|p| p.blue_outcome.as_ref())
}

fn is_unanswered(procedure: &Procedure) -> bool {
    asks(procedure, Team::Blue) && procedure.blue_outcome.is_none()
}

fn given(all: &[Procedure], team: Team) -> Vec<Given> {
    let asked = || all.iter().filter(|p| asks(p, team));
    let of_team =
        |p: &Procedure| if team == Team::Red { p.red_outcome.clone() } else { p.blue_outcome.clone() };
    let mut counts: Vec<(Option<FrozenOutcome>, usize)> = Vec::new();
    for outcome in asked().map(of_team) {
        match counts
            .iter_mut()
            .find(|(known, _)| known.as_ref().map(|o| &o.key) == outcome.as_ref().map(|o| &o.key))
        {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome, 1)),
        }
    }
    // The best result for the defenders first, then by how often; what is not answered stands apart, at the
    // end.
    counts.sort_by_key(|(outcome, count)| {
        let score = outcome.as_ref().and_then(|o| o.meaning.score).unwrap_or(-1);
        (outcome.is_none(), std::cmp::Reverse(score), std::cmp::Reverse(*count))
    });
    counts
        .into_iter()
        .map(|(outcome, part)| Given { outcome, share: Share { part, whole: asked().count() } })
        .collect()
}

fn severities(all: &[Procedure]) -> Vec<(Severity, usize)> {
    let count = |severity: &Severity| all.iter().filter(|p| p.severity == Some(*severity)).count();
    Severity::ALL
        .iter()
        .rev()
        .map(|severity| (*severity, count(severity)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn coverage(runbook: &Runbook) -> Vec<CoverageRow> {
    let tactics: Vec<_> = runbook
        .tactics
        .iter()
        .map(|t| engagements::Tactic { key: t.key.clone(), name: t.name.clone() })
        .collect();
    let covered: Vec<_> =
        runbook.procedures.iter().map(|p| Covered { tactics: p.tactics.clone(), blue: answer(p) }).collect();
    engagements::coverage(&tactics, &covered).into_iter().filter(|row| row.procedures > 0).collect()
}

fn answer(procedure: &Procedure) -> BlueAnswer {
    if !asks(procedure, Team::Blue) {
        return BlueAnswer::NotApplicable;
    }
    match &procedure.blue_outcome {
        None => BlueAnswer::Unanswered,
        Some(outcome) => match outcome.meaning.score.and_then(|score| u8::try_from(score).ok()) {
            Some(score) => BlueAnswer::Scored { score, flags: outcome.meaning },
            None => BlueAnswer::NotApplicable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::domain::tests::{procedure, runbook};
    use super::*;
    use crate::settings::domain::Meaning;
    use chrono::{TimeZone, Utc};

    fn blue(key: &str, score: Option<i32>, flags: (bool, bool, bool)) -> Option<FrozenOutcome> {
        let (prevented, alerted, logged) = flags;
        Some(FrozenOutcome {
            key: key.into(),
            label: key.into(),
            meaning: Meaning { score, prevented, alerted, logged, ..Meaning::default() },
        })
    }

    #[test]
    fn every_share_knows_its_whole_and_the_unanswered_stand_apart() {
        let done = ProcedureStatus::Completed;
        let figures = Figures::of(&runbook(vec![
            Procedure {
                status: done,
                blue_outcome: blue("both", Some(100), (true, true, true)),
                ..procedure(1)
            },
            Procedure {
                status: done,
                blue_outcome: blue("none", Some(0), (false, false, false)),
                ..procedure(2)
            },
            Procedure { status: done, blue_outcome: blue("na", None, (false, false, false)), ..procedure(3) },
            Procedure { status: done, ..procedure(4) },
            Procedure { status: ProcedureStatus::NotApplicable, ..procedure(5) },
        ]));
        assert_eq!(figures.prevented, Share { part: 1, whole: 2 });
        assert_eq!(figures.missed, Share { part: 1, whole: 2 });
        assert_eq!((figures.unanswered, figures.completed, figures.not_applicable), (1, 4, 1));
        assert_eq!(figures.blue.last().unwrap().outcome, None);
        assert_eq!(figures.blue.last().unwrap().share, Share { part: 1, whole: 4 });
        assert_eq!(Share { part: 0, whole: 0 }.shown(), "–");
        assert_eq!(figures.coverage.len(), 1);
    }

    #[test]
    fn what_red_did_not_attempt_stands_outside_blues_shares() {
        let never_run = Some(FrozenOutcome {
            key: "not_attempted".into(),
            label: "Not Attempted".into(),
            meaning: Meaning { attempted: false, ..Meaning::default() },
        });
        let logged = || blue("logged", Some(30), (false, false, true));
        let figures = Figures::of(&runbook(vec![
            Procedure { blue_outcome: blue("both", Some(100), (true, true, true)), ..procedure(1) },
            Procedure { red_outcome: never_run.clone(), blue_outcome: logged(), ..procedure(2) },
            Procedure { red_outcome: never_run, ..procedure(3) },
        ]));
        assert_eq!(figures.prevented, Share { part: 1, whole: 1 });
        assert_eq!(figures.only_logged, Share { part: 0, whole: 1 });
        assert_eq!(figures.unanswered, 0);
        assert_eq!(figures.blue.len(), 1);
        assert_eq!(figures.blue[0].share, Share { part: 1, whole: 1 });
        assert_eq!(figures.red.iter().map(|given| given.share.part).sum::<usize>(), 3);
        assert_eq!(figures.coverage[0].scored, 1);
    }

    #[test]
    fn a_time_before_its_beginning_is_left_out_and_said_so() {
        let at = |minute| Utc.with_ymd_and_hms(2026, 11, 21, 14, minute, 0).single();
        let alerted = || blue("alerted", Some(60), (false, true, true));
        let figures = Figures::of(&runbook(vec![
            Procedure {
                executed_at: at(10),
                detected_at: at(14),
                responded_at: at(20),
                blue_outcome: alerted(),
                ..procedure(1)
            },
            Procedure {
                executed_at: at(10),
                detected_at: at(9),
                responded_at: at(20),
                blue_outcome: alerted(),
                ..procedure(2)
            },
            Procedure { executed_at: at(10), ..procedure(3) },
            Procedure {
                executed_at: at(10),
                detected_at: at(11),
                blue_outcome: blue("none", Some(0), (false, false, false)),
                ..procedure(4)
            },
        ]));
        assert_eq!((figures.detect.n, figures.detect.contradict, figures.detect.not_alerted), (1, 1, 1));
        assert_eq!(figures.detect.median.as_deref(), Some("4 min"));
        assert_eq!((figures.respond.n, figures.respond.contradict), (1, 1), "nor does its response count");
        assert_eq!(figures.doubts.iter().map(|doubt| doubt.position).collect::<Vec<_>>(), [2]);
    }
}
