//! The list of findings across reports.

use askama::Template;

use crate::kernel::base::ids::ClientId;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::procedures::domain::Severity;
use crate::reports::content::{FindingSort, FindingState};
use crate::reports::store::FindingRow;

/// A finding in the list.
pub struct Line {
    pub row: FindingRow,
    /// Whether it should be done by now.
    pub overdue: bool,
    pub due: Option<String>,
    /// Whether this person keeps its remediation.
    pub may_remediate: bool,
}

/// The filter as it was asked for, by the names of its parameters.
#[derive(Debug, Clone, Default)]
pub struct FindingsAsked {
    pub q: String,
    pub client: String,
    pub severity: String,
    pub state: String,
    pub mine: bool,
    pub overdue: bool,
}

#[derive(Template)]
#[template(path = "reports/findings.html", blocks = ["results"])]
pub struct Findings {
    pub frame: Frame,
    pub lines: Vec<Line>,
    /// How many there are.
    pub count: String,
    pub asked: FindingsAsked,
    pub sort: FindingSort,
    /// Clients to choose from.
    pub clients: Vec<(ClientId, String)>,
    /// Query of the next page.
    pub next: Option<String>,
    /// Whether this is not the first page.
    pub later: bool,
    /// Query of the first page under the same filter.
    pub first: String,
}

impl Findings {
    fn is_client(&self, id: &ClientId) -> bool {
        self.asked.client == id.to_string()
    }
    /// Whether more than the state, which is narrowed from the start, narrows the list.
    fn is_narrowed(&self) -> bool {
        let asked = &self.asked;
        !(asked.q.is_empty() && asked.client.is_empty() && asked.severity.is_empty())
            || asked.mine
            || asked.overdue
    }
}
