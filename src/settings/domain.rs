//! The words of the settings, and what an outcome of the lists means.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::kernel::base::team::Team;

crate::text_enum! {
    /// Who needs a second factor.
    pub enum TwoFactorRule {
        Optional => "optional", "Optional";
        Everyone => "everyone", "Required for everyone";
    }
}

crate::text_enum! {
    /// Who may approve a report; a setting of the organisation.
    pub enum ApprovalRule {
        Anyone => "anyone", "Everyone with the right to review";
        NotAuthor => "not_author", "Everyone with the right to review who did not write in it";
    }
}

/// An outcome of the lists. Its key never changes, because results name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub key: String,
    pub team: Team,
    pub label: String,
    pub definition: String,
    pub meaning: Meaning,
    /// Since when it can no longer be chosen.
    pub retired_at: Option<DateTime<Utc>>,
}

impl Outcome {
    pub fn tone(&self) -> &'static str {
        self.meaning.tone(self.team)
    }

    pub fn is_offered(&self) -> bool {
        self.retired_at.is_none()
    }
}

/// What an answer means, whatever it is called: the flags and the score of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// Red: it reached its objective, in whole or part.
    #[serde(default)]
    pub succeeded: bool,
    /// Red: it reached only a part of its objective.
    #[serde(default)]
    pub partial: bool,
    /// Red: it was run at all.
    #[serde(default = "yes")]
    pub attempted: bool,
    /// Blue: 0 to 100; none where the answer does not count.
    #[serde(default)]
    pub score: Option<i32>,
    /// A control stopped it: blue's word, or red's.
    #[serde(default)]
    pub prevented: bool,
    /// Blue: an alert was raised.
    #[serde(default)]
    pub alerted: bool,
    /// Blue: it left records.
    #[serde(default)]
    pub logged: bool,
}

fn yes() -> bool {
    true
}

impl Default for Meaning {
    fn default() -> Self {
        Self {
            succeeded: false,
            partial: false,
            attempted: true,
            score: None,
            prevented: false,
            alerted: false,
            logged: false,
        }
    }
}

impl Meaning {
    /// The tone of an answer, from the defender's side: what was stopped is good, what went unseen is bad. By
    /// what it says happened, so that a tone has one name everywhere; an answer without a score has none of
    /// blue's.
    pub fn tone(&self, team: Team) -> &'static str {
        match team {
            Team::Red if self.succeeded => "bad",
            Team::Red if self.prevented => "good",
            Team::Red => "none",
            Team::Blue if self.score.is_none() => "none",
            Team::Blue if self.prevented => "good",
            Team::Blue if self.alerted => "info",
            Team::Blue if self.logged => "warn",
            Team::Blue => "bad",
        }
    }

    /// What it says, in words: "prevented, alerted".
    pub fn flags(&self, team: Team) -> String {
        let all: &[(bool, &str)] = match team {
            Team::Red => &[
                (self.succeeded, "succeeded"),
                (self.partial, "in part"),
                (self.attempted, "attempted"),
                (self.prevented, "stopped by a control"),
            ],
            Team::Blue => {
                &[(self.prevented, "prevented"), (self.alerted, "alerted"), (self.logged, "logged")]
            }
        };
        let said: Vec<&str> = all.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        said.join(", ")
    }

    /// Whether red claims its whole objective.
    pub fn reached_all(&self) -> bool {
        self.succeeded && !self.partial
    }

    /// Whether it left records and did no more: nobody was told, nothing was stopped.
    pub fn only_logged(&self) -> bool {
        self.logged && !self.prevented && !self.alerted
    }

    /// Whether blue saw nothing of it.
    pub fn unseen(&self) -> bool {
        !(self.prevented || self.alerted || self.logged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_follow_the_flags_of_what_is_scored() {
        let blue = |score, [prevented, alerted, logged]: [bool; 3]| {
            Meaning { score, prevented, alerted, logged, ..Meaning::default() }.tone(Team::Blue)
        };
        let answers = [[true, true, true], [true, false, true], [false, true, true], [false, false, true]];
        assert_eq!(answers.map(|flags| blue(Some(50), flags)), ["good", "good", "info", "warn"]);
        assert_eq!(blue(Some(100), [false; 3]), "bad");
        assert_eq!(blue(None, [true; 3]), "none");
        assert_eq!(Meaning { succeeded: true, ..Meaning::default() }.tone(Team::Red), "bad");
        assert_eq!(Meaning { prevented: true, ..Meaning::default() }.tone(Team::Red), "good");
        assert_eq!(Meaning::default().tone(Team::Red), "none");
    }
}
