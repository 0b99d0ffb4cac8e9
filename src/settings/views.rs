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
        let (fields, holds) = match line.team {
            Team::Red => {
                let fields = vec!["succeeded", "partial", "attempted", "prevented"];
                (fields, [m.succeeded, m.partial, m.attempted, m.prevented].to_vec())
            }
            Team::Blue => {
                (vec!["prevented", "alerted", "logged"], [m.prevented, m.alerted, m.logged].to_vec())
            }
        };
        let named = fields.into_iter().zip(words(line.team)).zip(holds);
        named.map(|((field, word), holds)| (field, *word, holds)).collect()
    }
    /// The same of the new outcome. Most of what red does is attempted.
    fn new_flags(&self, team: &Team) -> Vec<(&'static str, &'static str, bool)> {
        let new = &self.new_outcome;
        let ticks = match team {
            Team::Red => vec![
                ("succeeded", new.succeeded.is_some()),
                ("partial", new.partial.is_some()),
                ("attempted", new.attempted.is_some() || new.label.is_empty()),
                ("stopped", new.stopped.is_some()),
            ],
            Team::Blue => vec![
                ("prevented", new.prevented.is_some()),
                ("alerted", new.alerted.is_some()),
                ("logged", new.logged.is_some()),
            ],
        };
        ticks.into_iter().zip(words(*team)).map(|((field, holds), word)| (field, *word, holds)).collect()
    }
    fn zones(&self) -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}

/// What the flags of a team's answers are called, in the lists and in the form for another.
fn words(team: Team) -> &'static [&'static str] {
    match team {
        Team::Red => &["Succeeded", "In part", "Attempted", "Stopped by a control"],
        Team::Blue => &["Prevented", "Alerted", "Logged"],
    }
}
