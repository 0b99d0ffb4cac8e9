//! Outcomes at a glance as a picture made here, with the same numbers in a table beside it.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::engagements::glance::{Counts, Doubt, Glance, TONES, Times};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::web::filters;

/// Width of the picture's bars, in its own units.
const WIDTH: usize = 400;
/// Height of a tactic's row.
const ROW: usize = 44;

/// What the tones of red's answers are called; two of the six are blue's alone. What was not applicable was
/// not run either.
pub const OF_RED: [&str; 6] =
    ["Stopped by a control", "", "", "Succeeded, in whole or in part", "Failed or not run", "Unanswered"];

/// What the tones of blue's answers are called.
pub const OF_BLUE: [&str; 6] =
    ["Prevented", "Alerted, not prevented", "Logged only", "No evidence", "Nothing to score", "Unanswered"];

/// The tones that a team's answers can have, each with its name.
pub fn legend(team: Team) -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = if team == Team::Red { OF_RED } else { OF_BLUE };
    TONES.into_iter().zip(names).filter(|(_, name)| !name.is_empty())
}

/// A piece of a bar.
pub struct Piece {
    pub tone: &'static str,
    pub x: usize,
    pub width: usize,
    pub n: usize,
}

/// Outcomes at a glance.
#[derive(Template)]
#[template(path = "engagements/_glance.html")]
pub struct GlanceView {
    pub glance: Glance,
    /// Whether the times stand here; a report has them among its results.
    pub times: bool,
    /// Address of the engagement, whose procedures doubts lead to; empty where they stand on the same page.
    pub base: String,
}

impl HtmlSafe for GlanceView {}

impl GlanceView {
    fn height(&self) -> usize {
        self.glance.rows.len() * ROW
    }
    fn top(&self, n: &usize) -> usize {
        n * ROW
    }
    /// A row's pieces, the row with the most procedures as wide as the picture.
    fn pieces(&self, counts: &Counts) -> Vec<Piece> {
        let most = self.glance.rows.iter().map(|row| row.procedures).max().unwrap_or_default();
        pieces(counts, most)
    }
    fn doubtful(&self, doubt: &Doubt) -> String {
        match self.base.as_str() {
            "" => format!("#p{}", doubt.position),
            base => format!("{base}/procedures/{}", doubt.id),
        }
    }
    /// "Prevented: 3; Logged only: 1", for whoever cannot see the bar.
    fn told(&self, counts: &Counts, red: bool) -> String {
        let names = if red { OF_RED } else { OF_BLUE };
        let said =
            counts.iter().zip(names).filter(|(n, _)| **n > 0).map(|(n, name)| format!("{name}:\u{a0}{n}"));
        said.collect::<Vec<_>>().join("; ")
    }
    fn legends(&self) -> [(Team, Vec<(&'static str, &'static str)>); 2] {
        [Team::Red, Team::Blue].map(|team| (team, legend(team).collect()))
    }
    fn both(&self) -> [(&'static str, &Times); 2] {
        [("Median time to detect", &self.glance.detect), ("Median time to respond", &self.glance.respond)]
    }
    fn late_after(&self) -> String {
        show::duration(crate::engagements::glance::LATE)
    }
}

/// Pieces of a bar: each as wide as its share of the `most` that a row holds, which is [`WIDTH`]; whole
/// units, none lost.
fn pieces(counts: &Counts, most: usize) -> Vec<Piece> {
    let (mut pieces, mut before) = (Vec::new(), 0);
    for (n, tone) in counts.iter().zip(TONES).filter(|(n, _)| **n > 0) {
        let edge = |n: usize| n * WIDTH / most.max(1);
        let x = edge(before);
        before += n;
        pieces.push(Piece { tone, x, width: edge(before) - x, n: *n });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::domain::Meaning;

    #[test]
    fn every_tone_that_an_answer_can_have_has_a_name() {
        let ticks = [false, true];
        for team in Team::ALL {
            for (succeeded, prevented, alerted, logged) in ticks
                .into_iter()
                .flat_map(|s| ticks.map(|p| (s, p)))
                .flat_map(|(s, p)| ticks.into_iter().flat_map(move |a| ticks.map(move |l| (s, p, a, l))))
            {
                for score in [None, Some(0), Some(30), Some(60), Some(100)] {
                    let meaning =
                        Meaning { succeeded, score, prevented, alerted, logged, ..Meaning::default() };
                    let tone = meaning.tone(*team);
                    let name = legend(*team).find(|(known, _)| *known == tone).map(|(_, name)| name);
                    let name = name.unwrap_or_else(|| panic!("{team:?} {tone}"));
                    if *team == Team::Blue {
                        assert_eq!(name == "Prevented", score.is_some() && prevented, "{meaning:?}");
                        assert_eq!(name == "Nothing to score", score.is_none(), "{meaning:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_bar_is_full_and_without_gaps() {
        let bar = pieces(&[1, 1, 0, 1, 0, 0], 3);
        let mut edge = 0;
        for piece in &bar {
            assert_eq!(piece.x, edge);
            edge += piece.width;
        }
        assert_eq!((edge, bar.len()), (WIDTH, 3));
        assert!(pieces(&Counts::default(), 0).is_empty());
    }

    #[test]
    fn a_bar_is_as_long_as_its_row_has_procedures() {
        let length =
            |counts: &Counts, most| pieces(counts, most).iter().map(|piece| piece.width).sum::<usize>();
        assert_eq!(length(&[1, 0, 0, 1, 0, 0], 8), WIDTH / 4);
        assert_eq!(length(&[8, 0, 0, 0, 0, 0], 8), WIDTH);
    }
}
