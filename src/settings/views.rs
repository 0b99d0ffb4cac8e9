//! The settings' page.

use askama::Template;

use super::domain::Outcome;
use super::forms::{OutcomeForm, SettingsForm};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "settings/show.html")]
pub struct Show {
    pub frame: Frame,
    /// As typed, or as stored.
    pub typed: SettingsForm,
    pub outcomes: Vec<Outcome>,
    /// A new outcome as typed.
    pub new_outcome: OutcomeForm,
    pub errors: FieldErrors,
    /// Why nothing was saved.
    pub problem: Option<String>,
}

impl Show {
    fn zones(&self) -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}
