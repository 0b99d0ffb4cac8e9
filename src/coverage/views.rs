//! The matrix as a page.

use askama::Template;

use super::domain::{Cell, Heat, Tactic};
use crate::kernel::base::ids::ClientId;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::store::matrix::Source;

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
    /// "5 sub-techniques"
    fn below(&self, cell: &Cell) -> String {
        match cell.below.len() {
            1 => "1 sub-technique".into(),
            number => format!("{number} sub-techniques"),
        }
    }
}
