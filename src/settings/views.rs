//! The settings' page.

use askama::Template;

use super::forms::{ListsForm, OutcomeForm, OutcomeLine, SettingsForm};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "settings/show.html")]
pub struct Show {
    pub frame: Frame,
    /// As typed, or as stored.
    pub typed: SettingsForm,
    /// Both outcome lists, as typed or as stored.
    pub lists: ListsForm,
    /// The line whose arrow was pressed, and whether that was the one down.
    pub moved: Option<(bool, String)>,
    /// A new outcome as typed.
    pub new_outcome: OutcomeForm,
    pub errors: FieldErrors,
    /// Why nothing was saved.
    pub problem: Option<String>,
}

impl Show {
    fn of(&self, team: &Team) -> Vec<&OutcomeLine> {
        self.lists.lines.iter().filter(|line| line.team == *team).collect()
    }
    fn id(&self, field: &str, line: &OutcomeLine) -> String {
        format!("{field}-{}", line.key)
    }
    fn fault(&self, field: &str, line: &OutcomeLine) -> Option<&str> {
        self.errors.get(&format!("{field}.{}", line.key))
    }
    fn is_moved(&self, line: &OutcomeLine, down: bool) -> bool {
        self.moved.as_ref().is_some_and(|(was_down, key)| *was_down == down && *key == line.key)
    }
    /// The flags of a team: field, word, whether it holds.
    fn flags(&self, line: &OutcomeLine) -> Vec<(&'static str, &'static str, bool)> {
        let m = line.meaning;
        match line.team {
            Team::Red => vec![
                ("succeeded", "Succeeded", m.succeeded),
                ("partial", "In part", m.partial),
                ("attempted", "Attempted", m.attempted),
                ("prevented", "Stopped by a control", m.prevented),
            ],
            Team::Blue => vec![
                ("prevented", "Prevented", m.prevented),
                ("alerted", "Alerted", m.alerted),
                ("logged", "Logged", m.logged),
            ],
        }
    }
    fn zones(&self) -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}
