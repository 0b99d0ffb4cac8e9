//! A runbook as it stands, for paper. Its procedures are drawn as a report draws them.

use askama::Template;

use super::Show;
use crate::kernel::web::filters;
use crate::procedures::inputs::InputRow;

#[derive(Template)]
#[template(path = "reports/runbook.html")]
pub struct Printed {
    pub page: Show,
    pub inputs: Vec<InputRow>,
    /// Address of the engagement.
    pub url: String,
    /// What the operators need beside the report's own texts, each under its name.
    pub texts: [(&'static str, String); 2],
}

impl Printed {
    fn used(&self, input: &InputRow) -> String {
        input.used_by.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl std::ops::Deref for Printed {
    type Target = Show;

    fn deref(&self) -> &Show {
        &self.page
    }
}
