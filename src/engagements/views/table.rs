//! The procedures table: its rows and cells, the inline editor, and the progress in the head.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::engagements::domain::RunbookState;
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::web::filters;
use crate::kernel::web::frame::initials;
use crate::procedures::domain::{Field, Sides, Turn};
use crate::procedures::queue::Queue;
use crate::procedures::store::runbook::{Assignments, Corrections, ProcedureRow};
use crate::procedures::views::page::{state_class, url_in};
use crate::settings::domain::Outcome;

/// A value of a procedure as its cell shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// `state`, `sev` or `outcome`.
    pub kind: &'static str,
    /// Class, level or tone.
    pub tone: &'static str,
    pub label: String,
}

/// The four fields that are edited in the table.
pub const INLINE: [Field; 4] = [Field::Status, Field::RedOutcome, Field::BlueOutcome, Field::Severity];

impl Mark {
    /// The mark of one of [`INLINE`].
    pub fn of(row: &ProcedureRow, field: Field, outcomes: &[Outcome]) -> Self {
        let answer = |key: &Option<String>| match key {
            None => Self { kind: "outcome", tone: "unanswered", label: "Unanswered".into() },
            Some(key) => match outcomes.iter().find(|o| o.key == *key) {
                Some(outcome) => Self { kind: "outcome", tone: outcome.tone(), label: outcome.label.clone() },
                None => Self { kind: "outcome", tone: "none", label: key.clone() },
            },
        };
        match field {
            Field::RedOutcome => answer(&row.red_outcome),
            Field::BlueOutcome => answer(&row.blue_outcome),
            Field::Severity => match row.severity {
                Some(severity) => {
                    Self { kind: "sev", tone: severity.as_str(), label: severity.label().into() }
                }
                None => Self { kind: "sev", tone: "", label: "No finding".into() },
            },
            _ => Self { kind: "state", tone: state_class(row.status), label: row.status.label().into() },
        }
    }
}

/// A cell of the table.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Form name of the field.
    pub field: &'static str,
    /// Heading in card form, where the mark does not speak for itself.
    pub label: &'static str,
    pub mark: Mark,
    /// Whether it is a button.
    pub editable: bool,
    /// What the report says instead, where it was put right there.
    pub corrected: Option<String>,
    /// Whether everything is prepared for it to begin.
    pub ready: bool,
    /// When blue looks again, where its answer is provisional: "10:14".
    pub look_again: Option<String>,
}

/// A row of the table.
pub struct Line {
    pub key: String,
    pub position: i32,
    pub technique: String,
    pub more: usize,
    pub href: String,
    pub name: String,
    pub cells: Vec<Cell>,
    pub people: Drawn,
    /// Whose turn it is; empty for nobody's.
    pub turn: String,
}

/// Avatars in one row.
const AVATARS: usize = 4;

/// How many of each team are drawn: half of them each, and what one team leaves is the other's.
fn shares(red: usize, blue: usize) -> (usize, usize) {
    let of_red = red.min(AVATARS - blue.min(AVATARS / 2));
    (of_red, blue.min(AVATARS - of_red))
}

/// Who applies to a procedure, as its row shows them.
#[derive(Template)]
#[template(path = "engagements/_avatars.html")]
struct Avatars<'a> {
    /// Team, initials, name.
    people: Vec<(&'static str, String, &'a str)>,
    more: usize,
}

/// [`Avatars`] as they were drawn.
#[derive(Clone)]
pub struct Drawn(Rc<str>);

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Drawn {}

/// Draws who applies to each row. Nearly all rows have the operators of the engagement, which are drawn once.
pub struct Faces<'a> {
    operators: &'a Assignments,
    common: OnceCell<Drawn>,
}

impl<'a> Faces<'a> {
    pub fn new(operators: &'a Assignments) -> Self {
        Self { operators, common: OnceCell::new() }
    }

    fn of(&self, procedure: ProcedureId) -> askama::Result<Drawn> {
        if self.operators.has_own(procedure) {
            return self.draw(procedure);
        }
        match self.common.get() {
            Some(drawn) => Ok(drawn.clone()),
            None => {
                let drawn = self.draw(procedure)?;
                Ok(self.common.get_or_init(|| drawn).clone())
            }
        }
    }

    fn draw(&self, procedure: ProcedureId) -> askama::Result<Drawn> {
        let [red, blue] = [Team::Red, Team::Blue].map(|team| {
            let of = self.operators.of(procedure, team);
            of.map(|o| (team.as_str(), initials(&o.name), o.name.as_str())).collect::<Vec<_>>()
        });
        let (of_red, of_blue) = shares(red.len(), blue.len());
        let more = red.len() + blue.len() - of_red - of_blue;
        let people = red.into_iter().take(of_red).chain(blue.into_iter().take(of_blue)).collect();
        Ok(Drawn(Avatars { people, more }.render()?.into()))
    }
}

/// Now, in the engagement's zone.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub at: DateTime<Utc>,
    pub zone: Tz,
}

/// "Red", "Red, cleanup", "Blue", "Blue from 10:14", or nothing.
pub fn turn_word(row: &ProcedureRow, now: Now) -> String {
    // Of what both have answered only the cleanup is left to red.
    let is_cleanup = row.waiting_on.is_none() && row.red_outcome.is_some() && row.blue_outcome.is_some();
    let word = match row.turn {
        Turn::Red if is_cleanup => "Red, cleanup",
        Turn::Red => "Red",
        Turn::Blue => "Blue",
        Turn::Both => "Red and blue",
        Turn::Nobody => "",
    };
    let later = row.look_again.filter(|at| *at > now.at && row.waiting_on.is_none());
    match (later.map(|at| show::soon(at, now.at, now.zone)), word) {
        (None, _) => word.to_owned(),
        (Some(at), "") => format!("Blue from {at}"),
        (Some(at), _) => format!("{word}, blue from {at}"),
    }
}

impl Line {
    /// Notes what the report puts right beside each outcome.
    pub fn correct(&mut self, procedure: ProcedureId, corrections: &Corrections) {
        for (field, team) in [(Field::RedOutcome, Team::Red), (Field::BlueOutcome, Team::Blue)] {
            for cell in self.cells.iter_mut().filter(|cell| cell.field == field.name()) {
                cell.corrected = corrections.get(&(procedure, team)).cloned();
            }
        }
    }

    /// A row as the table shows it.
    ///
    /// # Errors
    /// When its avatars cannot be drawn.
    pub fn new(
        row: &ProcedureRow,
        engagement: EngagementId,
        outcomes: &[Outcome],
        faces: &Faces<'_>,
        (sides, queue): (Sides, Option<Queue>),
        now: Now,
    ) -> askama::Result<Self> {
        let cells = INLINE
            .iter()
            .map(|field| Cell {
                field: field.name(),
                label: match field {
                    Field::RedOutcome => "Red",
                    Field::BlueOutcome => "Blue",
                    _ => "",
                },
                mark: Mark::of(row, *field, outcomes),
                editable: sides.may_write(*field),
                corrected: None,
                ready: *field == Field::Status && row.ready,
                look_again: row
                    .look_again
                    .filter(|_| *field == Field::BlueOutcome)
                    .map(|at| show::soon(at, now.at, now.zone)),
            })
            .collect();
        Ok(Self {
            key: row.id.short_key(),
            position: row.position,
            technique: row.technique_ids.first().cloned().unwrap_or_default(),
            more: row.technique_ids.len().saturating_sub(1),
            href: url_in(engagement, row.id, queue),
            name: row.name.clone(),
            cells,
            people: faces.of(row.id)?,
            turn: turn_word(row, now),
        })
    }
}

#[derive(Template)]
#[template(path = "engagements/_procedures.html")]
pub struct Procedures {
    pub url: String,
    /// Filter links: value, label, how many.
    pub chips: Vec<(&'static str, &'static str, usize)>,
    /// The filter that is on, as addresses name it.
    pub show: &'static str,
    pub rows: Vec<Line>,
    /// How many there are without the filter.
    pub total: usize,
    /// Whether procedures can be added, removed and ordered.
    pub plans: bool,
}

impl Procedures {
    fn is_on(&self, value: &str) -> bool {
        self.show == value
    }
}

/// One cell after a save, and whatever else of its row and the head changed with it.
#[derive(Template)]
#[template(path = "engagements/_cell.html")]
pub struct CellShown {
    pub key: String,
    pub cell: Cell,
    /// Whether it was saved just now.
    pub saved: bool,
    /// Whose turn it is now.
    pub turn: String,
    /// The head's progress, where it may have changed.
    pub progress: Option<Meter>,
}

/// Progress in the head.
#[derive(Debug, Clone, Template)]
#[template(path = "engagements/_meter.html")]
pub struct Meter {
    pub done: u32,
    pub total: u32,
    /// Percent; none without procedures.
    pub percent: Option<u32>,
    pub words: String,
    pub submitted: bool,
    /// At 100 % and not submitted.
    pub unsubmitted: bool,
}

impl HtmlSafe for Meter {}

impl Meter {
    pub fn new(rows: &[ProcedureRow], submitted: bool) -> Self {
        let progress = crate::procedures::domain::Progress::of(rows.iter().map(|row| row.status));
        let state = RunbookState::of(progress, submitted);
        let waiting = |team: Team| rows.iter().filter(|row| row.turn.is_of(team)).count();
        let mut words = progress.label();
        if progress.total > 0 {
            words.push_str(" procedures completed");
        }
        for (n, side) in [(waiting(Team::Red), "red"), (waiting(Team::Blue), "blue")] {
            if n > 0 && !submitted {
                words.push_str(&format!(" · {n} waiting on {side}"));
            }
        }
        Self {
            done: progress.done,
            total: progress.total,
            percent: progress.percent(),
            words,
            submitted: state == RunbookState::Submitted,
            unsubmitted: state == RunbookState::NotSubmitted,
        }
    }
}

/// An option of an inline editor.
#[derive(Debug, Clone)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub title: String,
}

/// The control that replaces a value.
#[derive(Template)]
#[template(path = "engagements/_editor.html")]
pub struct Editor {
    pub url: String,
    /// "Red outcome of 4 Read LSASS memory"
    pub label: String,
    pub choices: Vec<Choice>,
    pub value: String,
    /// The saved one, where another is shown.
    pub saved: Option<String>,
    /// The version that the shown value came from.
    pub base: i32,
    /// Reason of Not Applicable, where it is asked for.
    pub reason: Option<String>,
    /// Why it is not saved.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_teams_have_their_faces() {
        assert_eq!([shares(9, 5), shares(9, 1), shares(1, 9)], [(2, 2), (3, 1), (1, 3)]);
        assert_eq!(
            [shares(9, 0), shares(0, 9), shares(2, 1), shares(0, 0)],
            [(4, 0), (0, 4), (2, 1), (0, 0)]
        );
    }
}
