//! The matrix as a page: columns of techniques, and the heat of each.

use std::collections::HashMap;

use askama::Template;

use crate::kernel::base::ids::ClientId;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::store::matrix::{Column, Placed, Source};
use crate::procedures::store::runbook::LatestAnswers;

/// What the newest answers on a technique come to, the weakest first. "Detected" means alerted; prevented and
/// logged are told apart from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heat {
    Missed,
    Logged,
    Alerted,
    Prevented,
}

impl Heat {
    pub const ALL: [Self; 4] = [Self::Prevented, Self::Alerted, Self::Logged, Self::Missed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Missed => "Missed",
            Self::Logged => "Logged",
            Self::Alerted => "Alerted",
            Self::Prevented => "Prevented",
        }
    }

    /// What style sheets colour it by: a letter, because a page has hundreds.
    pub fn key(self) -> &'static str {
        match self {
            Self::Missed => "m",
            Self::Logged => "l",
            Self::Alerted => "a",
            Self::Prevented => "p",
        }
    }

    fn of(answers: &LatestAnswers) -> Self {
        match (answers.prevented, answers.alerted, answers.logged) {
            (true, ..) => Self::Prevented,
            (_, true, _) => Self::Alerted,
            (.., true) => Self::Logged,
            _ => Self::Missed,
        }
    }
}

/// The newest answers on a technique: the weakest of them, and how many are that weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    pub heat: Heat,
    pub weak: i64,
    pub all: i64,
}

impl Answered {
    fn with(self, heat: Heat, n: i64) -> Self {
        let all = self.all + n;
        match heat.cmp(&self.heat) {
            std::cmp::Ordering::Less => Self { heat, weak: n, all },
            std::cmp::Ordering::Equal => Self { weak: self.weak + n, all, ..self },
            std::cmp::Ordering::Greater => Self { all, ..self },
        }
    }

    /// "Missed", "Missed 1 of 3"
    pub fn words(self) -> String {
        if self.all == 1 {
            self.heat.word().to_owned()
        } else {
            format!("{} {} of {}", self.heat.word(), self.weak, self.all)
        }
    }
}

/// The heat of each technique: one above sub-techniques has theirs too.
pub fn heat(latest: &[LatestAnswers]) -> HashMap<String, Answered> {
    let mut answered: HashMap<String, Answered> = HashMap::new();
    for answers in latest {
        let heat = Heat::of(answers);
        let above = answers.technique.split('.').next().unwrap_or_default();
        let both =
            [Some(answers.technique.as_str()), Some(above).filter(|above| *above != answers.technique)];
        for id in both.into_iter().flatten() {
            answered
                .entry(id.to_owned())
                .and_modify(|known| *known = known.with(heat, answers.n))
                .or_insert(Answered { heat, weak: answers.n, all: answers.n });
        }
    }
    answered
}

/// A technique in its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub id: String,
    pub name: String,
    pub procedures: i64,
    pub answered: Option<Answered>,
    pub below: Vec<Cell>,
}

/// A tactic with its techniques.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tactic {
    pub key: String,
    pub name: String,
    pub cells: Vec<Cell>,
}

/// The matrix. A technique stands in each of its columns, with those of its sub-techniques that stand there
/// too; a sub-technique whose parent does not stand there stands for itself.
pub fn arrange(columns: Vec<Column>, placed: &[Placed], heat: &HashMap<String, Answered>) -> Vec<Tactic> {
    let cell = |one: &Placed| Cell {
        id: one.id.clone(),
        name: one.name.clone(),
        procedures: one.procedures,
        answered: heat.get(&one.id).copied(),
        below: Vec::new(),
    };
    let tactic = |column: Column| {
        let here: Vec<&Placed> = placed.iter().filter(|one| one.columns.contains(&column.key)).collect();
        let is_here =
            |id: &Option<String>| id.as_ref().is_some_and(|id| here.iter().any(|one| one.id == *id));
        let mut cells: Vec<Cell> =
            here.iter().filter(|one| !is_here(&one.above)).map(|one| cell(one)).collect();
        for one in here.iter().filter(|one| is_here(&one.above)) {
            if let Some(parent) = cells.iter_mut().find(|cell| Some(&cell.id) == one.above.as_ref()) {
                parent.below.push(cell(one));
            }
        }
        for cell in &mut cells {
            cell.below.sort_by(|a, b| a.id.cmp(&b.id));
        }
        Tactic { key: column.key, name: column.name, cells }
    };
    columns.into_iter().map(tactic).collect()
}

/// How many techniques came to this.
pub struct Count {
    pub heat: Heat,
    pub techniques: usize,
}

#[derive(Template)]
#[template(path = "coverage/matrix.html")]
pub struct Matrix {
    pub frame: Frame,
    pub sources: Vec<Source>,
    pub source: Source,
    /// Whether it is of the newest release.
    pub is_newest: bool,
    /// Whether it is of an own methodology.
    pub is_own: bool,
    pub tactics: Vec<Tactic>,
    /// Techniques, each once, without sub-techniques.
    pub techniques: usize,
    pub subtechniques: usize,
    /// How many of the techniques have a procedure.
    pub covered: usize,
    pub counts: Vec<Count>,
    /// How many of the techniques have no answer.
    pub untested: usize,
    /// The client chosen; empty for all.
    pub client: String,
    /// Clients whose engagements the reader sees.
    pub clients: Vec<(ClientId, String)>,
}

impl Matrix {
    /// What comes behind the address of a technique.
    fn version(&self) -> String {
        if self.is_newest || self.is_own { String::new() } else { format!("?version={}", self.source.key) }
    }
    fn is_client(&self, id: &ClientId) -> bool {
        self.client == id.to_string()
    }
    fn below(&self, cell: &Cell) -> String {
        match cell.below.len() {
            1 => "1 sub-technique".into(),
            number => format!("{number} sub-techniques"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(technique: &str, flags: (bool, bool, bool), n: i64) -> LatestAnswers {
        let (prevented, alerted, logged) = flags;
        LatestAnswers { technique: technique.into(), prevented, alerted, logged, n }
    }

    fn placed(id: &str, columns: &[&str]) -> Placed {
        Placed {
            id: id.into(),
            name: format!("Technique {id}"),
            columns: columns.iter().map(|key| (*key).to_owned()).collect(),
            above: id.split_once('.').map(|(above, _)| above.to_owned()),
            procedures: 1,
            is_own: false,
        }
    }

    #[test]
    fn the_weakest_answer_gives_the_heat_and_counts_its_like() {
        let heat = heat(&[
            answers("T1.001", (false, false, false), 1),
            answers("T1.001", (true, true, true), 2),
            answers("T1.002", (false, false, false), 2),
            answers("T2", (false, true, true), 1),
            answers("T3", (true, false, true), 1),
            answers("T4", (false, false, true), 1),
        ]);
        assert_eq!(heat["T1.001"].words(), "Missed 1 of 3");
        assert_eq!(heat["T1"].words(), "Missed 3 of 5");
        assert_eq!(["T2", "T3", "T4"].map(|id| heat[id].words()), ["Alerted", "Prevented", "Logged"]);
    }

    #[test]
    fn a_technique_stands_in_each_of_its_columns_with_what_stands_there_below_it() {
        let columns = ["a", "b"].map(|key| Column { key: key.into(), name: key.to_uppercase() }).to_vec();
        let placed = [
            placed("T1", &["a", "b"]),
            placed("T1.002", &["a"]),
            placed("T1.001", &["a"]),
            placed("T2.001", &["b"]),
        ];
        let matrix = arrange(columns, &placed, &HashMap::new());
        let ids = |tactic: &Tactic| tactic.cells.iter().map(|cell| cell.id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&matrix[0]), ids(&matrix[1])),
            (vec!["T1".into()], vec!["T1".into(), "T2.001".into()])
        );
        let below = |tactic: &Tactic| tactic.cells[0].below.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        assert_eq!(below(&matrix[0]), ["T1.001", "T1.002"]);
        assert!(below(&matrix[1]).is_empty());
    }
}
