//! Pages that plan an engagement: details, procedures, cancel, delete.

use askama::Template;

use super::wizard::LibraryPane;
use crate::engagements::domain::{DetailField, NewEngagement};
use crate::engagements::store::plan::Losses;
use crate::kernel::merge::form::Editing;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "engagements/edit.html")]
pub struct Edit {
    pub frame: Frame,
    pub url: String,
    /// What the fields show.
    pub details: NewEngagement,
    /// The rest of the form.
    pub editing: Editing<DetailField>,
}

#[derive(Template)]
#[template(path = "engagements/add.html", blocks = ["step"])]
pub struct Add {
    pub frame: Frame,
    pub url: String,
    pub library: LibraryPane,
    pub problem: Option<String>,
}

impl Add {
    /// Ticked hits that the page does not list.
    fn elsewhere(&self) -> Vec<&String> {
        self.library
            .ticked
            .iter()
            .filter(|id| !self.library.hits.iter().any(|hit| hit.value == **id))
            .collect()
    }
}

/// A row of the order.
pub struct OrderLine {
    pub id: String,
    pub position: i32,
    pub name: String,
    pub technique: String,
    /// Which of its arrows has the focus, `up` or `down`.
    pub focus: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "engagements/order.html")]
pub struct Order {
    pub frame: Frame,
    pub url: String,
    pub rows: Vec<OrderLine>,
}

/// A page that asks before something is lost.
#[derive(Template)]
#[template(path = "engagements/confirm.html")]
pub struct Confirm {
    pub frame: Frame,
    pub heading: String,
    /// Sentences before the button.
    pub lead: String,
    /// What goes, each in a line.
    pub goes: Vec<String>,
    /// What stays, in a sentence.
    pub stays: String,
    /// Where the form goes.
    pub action: String,
    /// Word on the button.
    pub button: &'static str,
    pub back: String,
    /// The title as typed, where it has to be typed.
    pub title: Option<String>,
    /// Reason as typed, where one is asked for.
    pub reason: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// What goes with a procedure, in words.
pub fn losses(losses: Losses) -> Vec<String> {
    let line = |n: i64, one: &str, many: &str| {
        (n > 0).then(|| crate::kernel::base::show::counted(n.unsigned_abs() as usize, one, many))
    };
    [
        line(losses.saves, "saved change of its fields", "saved changes of its fields"),
        line(losses.ticks, "ticked step", "ticked steps"),
        line(losses.entries, "log entry", "log entries"),
        line(losses.files, "attachment", "attachments"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_named_and_what_is_not_there_is_not() {
        assert_eq!(
            losses(Losses { entries: 1, files: 0, ticks: 2, saves: 0 }),
            ["2 ticked steps", "1 log entry"]
        );
    }
}
