//! Outcomes at a glance as a picture made here, with the same numbers in a table beside it.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::engagements::glance::{Counts, Glance, TONES};
use crate::kernel::base::show;
use crate::kernel::web::filters;

/// Width of the picture's bars, in its own units.
const WIDTH: usize = 400;
/// Height of a tactic's row.
const ROW: usize = 44;

/// What each tone is called.
pub const NAMES: [(&str, &str); 6] = [
    ("Failed or blocked", "Prevented"),
    ("", "Alerted, not prevented"),
    ("", "Logged"),
    ("Success", "No evidence"),
    ("Nothing to tell", "Not applicable"),
    ("Unanswered", "Unanswered"),
];

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
}

impl HtmlSafe for GlanceView {}

impl GlanceView {
    fn height(&self) -> usize {
        self.glance.rows.len() * ROW
    }
    fn top(&self, n: &usize) -> usize {
        n * ROW
    }
    fn pieces(&self, counts: &Counts) -> Vec<Piece> {
        pieces(counts)
    }
    /// "Blue: Prevented 3, Logged 1", for whoever cannot see the bar.
    fn told(&self, counts: &Counts, red: bool) -> String {
        let said = counts.iter().zip(NAMES).filter(|(n, _)| **n > 0).map(|(n, (of_red, of_blue))| {
            let name = if red && !of_red.is_empty() { of_red } else { of_blue };
            format!("{name} {n}")
        });
        said.collect::<Vec<_>>().join(", ")
    }
    fn late_after(&self) -> String {
        show::duration(crate::engagements::glance::LATE)
    }
}

/// Pieces of a bar of [`WIDTH`]: each as wide as its share, whole units, none lost.
fn pieces(counts: &Counts) -> Vec<Piece> {
    let whole: usize = counts.iter().sum();
    let (mut pieces, mut before) = (Vec::new(), 0);
    for (n, tone) in counts.iter().zip(TONES).filter(|(n, _)| **n > 0) {
        let edge = |n: usize| n * WIDTH / whole;
        let x = edge(before);
        before += n;
        pieces.push(Piece { tone, x, width: edge(before) - x, n: *n });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_and_without_gaps() {
        let bar = pieces(&[1, 1, 0, 1, 0, 0]);
        let mut edge = 0;
        for piece in &bar {
            assert_eq!(piece.x, edge);
            edge += piece.width;
        }
        assert_eq!((edge, bar.len()), (WIDTH, 3));
        assert!(pieces(&Counts::default()).is_empty());
    }
}
