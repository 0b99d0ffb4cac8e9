//! What the procedure page is made of, as the stores gave it.

use chrono::{DateTime, Utc};

use crate::kernel::web::permit::Viewer;
use crate::procedures::domain::Sides;
use crate::procedures::store::page::{InputValues, Shown, Technique, Tick};
use crate::procedures::store::runbook::Assignments;
use crate::settings::domain::Outcome;

/// Everything the page is made of.
pub struct Parts<'a> {
    /// The row and what surrounds it.
    pub shown: &'a Shown,
    pub outcomes: &'a [Outcome],
    /// Operators of engagement and procedure.
    pub operators: &'a Assignments,
    pub ticks: &'a [Tick],
    pub inputs: &'a InputValues,
    /// Techniques, as the pinned release names them.
    pub techniques: &'a [Technique],
    /// What the person may write now.
    pub sides: Sides,
    /// Whether the person may tick prerequisites.
    pub prepares: bool,
    /// Whether the person may change the operators.
    pub plans: bool,
    /// Why nothing can be written, where that is so.
    pub closed: Option<String>,
    pub now: DateTime<Utc>,
    pub viewer: &'a Viewer,
}
