//! What the settings' page posts.

use serde::{Deserialize, Serialize};

use super::domain::{ApprovalRule, Meaning, Outcome, TwoFactorRule};
use super::store::{OutcomeWanted, Settings, seen};
use crate::kernel::authz::WriteRule;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::{check_text, check_visible};
use crate::kernel::base::times;
use crate::kernel::base::zone::Zone;
use crate::kernel::merge::shown::{SHOWN, Shown, WholeForm};

/// The settings as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsForm {
    pub organisation_name: String,
    pub time_zone: String,
    pub idle_minutes: String,
    pub two_factor_rule: String,
    pub write_rule: String,
    pub approval_rule: String,
    pub audit_days: String,
    #[serde(default)]
    pub legal_hold: Option<String>,
    pub classification: String,
    pub version: i32,
    #[serde(default, skip_serializing)]
    pub shown: String,
}

impl WholeForm for SettingsForm {
    const SETS: &'static [&'static str] = &[];

    fn version(&self) -> i32 {
        self.version
    }

    fn shown(&self) -> &str {
        &self.shown
    }
}

impl SettingsForm {
    pub fn of(stored: &Settings) -> Self {
        Self {
            organisation_name: stored.organisation_name.clone(),
            time_zone: stored.time_zone.to_string(),
            idle_minutes: stored.idle_minutes.to_string(),
            two_factor_rule: stored.two_factor_rule.as_str().to_owned(),
            write_rule: stored.write_rule.as_str().to_owned(),
            approval_rule: stored.approval_rule.as_str().to_owned(),
            audit_days: stored.audit_days.to_string(),
            legal_hold: stored.legal_hold.then(|| "1".to_owned()),
            classification: stored.classification.clone(),
            version: stored.version,
            shown: String::new(),
        }
    }

    pub fn check(&self) -> Result<Settings> {
        let mut errors = FieldErrors::default();
        let organisation_name = check_text("The name", false, &self.organisation_name, 200, false)
            .and_then(|name| check_visible(&name).map(|()| name))
            .unwrap_or_else(|sentence| {
                errors.add("organisation_name", sentence);
                String::new()
            });
        if organisation_name.is_empty() {
            errors.add("organisation_name", "Give the organisation a name.");
        }
        let classification = check_text("The classification", false, &self.classification, 200, false)
            .unwrap_or_else(|sentence| {
                errors.add("classification", sentence);
                String::new()
            });
        let zone = times::zone(&self.time_zone).map_err(|sentence| errors.add("time_zone", sentence));
        let idle = self.idle_minutes.trim().parse::<i32>().ok().filter(|minutes| (5..=720).contains(minutes));
        if idle.is_none() {
            errors.add("idle_minutes", "Give a number of minutes between 5 and 720.");
        }
        let two_factor_rule = self.two_factor_rule.parse::<TwoFactorRule>();
        let write_rule = self.write_rule.parse::<WriteRule>();
        let approval_rule = self.approval_rule.parse::<ApprovalRule>();
        for (field, known) in [
            ("two_factor_rule", two_factor_rule.is_ok()),
            ("write_rule", write_rule.is_ok()),
            ("approval_rule", approval_rule.is_ok()),
        ] {
            if !known {
                errors.add(field, "Choose one of the two.");
            }
        }
        let days = self.audit_days.trim().parse::<i32>().ok().filter(|days| (120..=3_660).contains(days));
        if days.is_none() {
            errors.add("audit_days", "Give a number of days between 120 and 3660.");
        }
        let (Ok(two_factor_rule), Ok(write_rule), Ok(approval_rule), Some(idle_minutes), Some(audit_days)) =
            (two_factor_rule, write_rule, approval_rule, idle, days)
        else {
            return Err(Error::Invalid(errors));
        };
        errors.done()?;
        Ok(Settings {
            organisation_name,
            time_zone: zone.map(Zone::from).unwrap_or_default(),
            idle_minutes,
            two_factor_rule,
            write_rule,
            approval_rule,
            audit_days,
            legal_hold: self.legal_hold.is_some(),
            classification,
            version: self.version,
        })
    }
}

/// An outcome's words as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeForm {
    #[serde(default)]
    pub team: String,
    pub label: String,
    #[serde(default)]
    pub definition: String,
    #[serde(default)]
    pub offered: Option<String>,
    #[serde(default)]
    pub succeeded: Option<String>,
    #[serde(default)]
    pub partial: Option<String>,
    #[serde(default)]
    pub stopped: Option<String>,
    #[serde(default)]
    pub attempted: Option<String>,
    #[serde(default)]
    pub prevented: Option<String>,
    #[serde(default)]
    pub alerted: Option<String>,
    #[serde(default)]
    pub logged: Option<String>,
    /// Blue: 0 to 100, or nothing.
    #[serde(default)]
    pub score: String,
}

impl OutcomeForm {
    /// What the ticks of this team say.
    pub fn meaning(&self, team: Team) -> Meaning {
        match team {
            Team::Red => Meaning {
                // A part of the objective was reached as well.
                succeeded: self.succeeded.is_some() || self.partial.is_some(),
                partial: self.partial.is_some(),
                prevented: self.stopped.is_some(),
                attempted: [&self.attempted, &self.succeeded, &self.partial]
                    .iter()
                    .any(|tick| tick.is_some()),
                ..Meaning::default()
            },
            Team::Blue => Meaning {
                prevented: self.prevented.is_some(),
                alerted: self.alerted.is_some(),
                logged: self.logged.is_some(),
                score: check_score(&self.score).unwrap_or_default(),
                ..Meaning::default()
            },
        }
    }

    pub fn words(&self) -> Result<(String, String)> {
        let check = |what: &str, raw: &str| {
            check_text(what, false, raw, 200, false).map_err(|sentence| Error::field("outcome", sentence))
        };
        let (label, definition) =
            (check("The name of the outcome", &self.label)?, check("The definition", &self.definition)?);
        if label.is_empty() {
            return Err(Error::field("outcome", "Give the outcome a name."));
        }
        check_score(&self.score).map_err(|sentence| Error::field("outcome", sentence))?;
        check_visible(&label).map_err(|sentence| Error::field("outcome", sentence))?;
        Ok((label, definition))
    }
}

/// A score as typed; nothing is an answer that does not count.
fn check_score(typed: &str) -> Result<Option<i32>, String> {
    match typed.trim() {
        "" => Ok(None),
        number => {
            match number.parse::<i32>() {
                Ok(score) if (0..=100).contains(&score) => Ok(Some(score)),
                _ => Err("A score is a number from 0 to 100, or nothing where the answer does not count."
                    .to_owned()),
            }
        }
    }
}

/// An outcome as it stands in the form of both lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeLine {
    pub key: String,
    pub team: Team,
    pub label: String,
    pub definition: String,
    pub score: String,
    pub meaning: Meaning,
    pub offered: bool,
}

impl OutcomeLine {
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            key: outcome.key.clone(),
            team: outcome.team,
            label: outcome.label.clone(),
            definition: outcome.definition.clone(),
            score: outcome.meaning.score.map(|score| score.to_string()).unwrap_or_default(),
            meaning: outcome.meaning,
            offered: outcome.is_offered(),
        }
    }
}

/// Both lists as typed.
#[derive(Debug, Clone, Default)]
pub struct ListsForm {
    /// What the lists were when the form was drawn: as one word, and what the form showed of them.
    pub seen: String,
    pub shown: String,
    /// In their order, red before blue.
    pub lines: Vec<OutcomeLine>,
}

impl ListsForm {
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut lines: Vec<OutcomeLine> = outcomes.iter().map(OutcomeLine::of).collect();
        lines.sort_by_key(|line| line.team != Team::Red);
        let form = Self { seen: seen(outcomes), shown: String::new(), lines };
        Self { shown: Shown::of_pairs(form.pairs()).text(), ..form }
    }

    /// The form as it is posted.
    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.lines.iter().flat_map(|line| {
            let OutcomeLine { key, label, definition, score, meaning, .. } = line;
            let texts = [("label", label), ("definition", definition), ("score", score)];
            let ticks = [
                ("offered", line.offered),
                ("succeeded", meaning.succeeded),
                ("partial", meaning.partial),
                ("attempted", meaning.attempted),
                ("prevented", meaning.prevented),
                ("alerted", meaning.alerted),
                ("logged", meaning.logged),
            ];
            let ticks = ticks.into_iter().filter(|(_, is)| *is).map(|(field, _)| (field, "1".to_owned()));
            let fields = texts.into_iter().map(|(field, text)| (field, text.clone())).chain(ticks);
            let named = fields.map(|(field, value)| (format!("{field}.{key}"), value)).collect::<Vec<_>>();
            [("order".to_owned(), key.clone())].into_iter().chain(named)
        })
    }

    /// What was posted over what is stored: an outcome that the form did not have stays as it is, at the end.
    pub fn read(pairs: &Pairs, outcomes: &[Outcome]) -> Self {
        let order: Vec<&str> = pairs.all("order").collect();
        let mut lines = Self::of(outcomes).lines;
        lines.sort_by_key(|line| {
            let place = order.iter().position(|key| *key == line.key).unwrap_or(usize::MAX);
            (line.team != Team::Red, place)
        });
        for line in &mut lines {
            let find = |field: &str| pairs.get(&format!("{field}.{}", line.key)).map(str::to_owned);
            let Some(label) = find("label") else { continue };
            let ticked = |field: &str| find(field).is_some();
            line.offered = ticked("offered");
            line.meaning = match line.team {
                Team::Red => Meaning {
                    // In part is a way to succeed.
                    succeeded: ticked("succeeded") || ticked("partial"),
                    partial: ticked("partial"),
                    attempted: ticked("attempted"),
                    prevented: ticked("prevented"),
                    ..line.meaning
                },
                Team::Blue => Meaning {
                    prevented: ticked("prevented"),
                    alerted: ticked("alerted"),
                    logged: ticked("logged"),
                    ..line.meaning
                },
            };
            line.definition = find("definition").unwrap_or_default();
            line.score = find("score").unwrap_or_default();
            line.label = label;
        }
        let text = |field| pairs.get(field).unwrap_or_default().to_owned();
        Self { seen: text("seen"), shown: text(SHOWN), lines }
    }

    /// Moves an outcome by one place within its team.
    pub fn shift(&mut self, key: &str, down: bool) {
        let Some(at) = self.lines.iter().position(|line| line.key == key) else { return };
        let to = if down { at + 1 } else { at.wrapping_sub(1) };
        if self.lines.get(to).is_some_and(|other| other.team == self.lines[at].team) {
            self.lines.swap(at, to);
        }
    }

    /// Checks every line; faults stand beside `label.KEY` and `score.KEY`.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<Vec<OutcomeWanted>> {
        let mut errors = FieldErrors::default();
        let mut wanted: Vec<OutcomeWanted> = Vec::new();
        for line in &self.lines {
            let typed = OutcomeForm {
                label: line.label.clone(),
                definition: line.definition.clone(),
                ..OutcomeForm::default()
            };
            let (label, definition) = match typed.words() {
                Ok(words) => words,
                Err(Error::Invalid(faults)) => {
                    errors.add(&format!("label.{}", line.key), faults.get("outcome").unwrap_or_default());
                    continue;
                }
                Err(other) => return Err(other),
            };
            let same = |other: &OutcomeWanted| {
                other.team == line.team && other.label.to_lowercase() == label.to_lowercase()
            };
            if wanted.iter().any(same) {
                errors.add(
                    &format!("label.{}", line.key),
                    format!("This team has an outcome “{label}” already. Choose another name."),
                );
            }
            let score = check_score(&line.score).unwrap_or_else(|sentence| {
                errors.add(&format!("score.{}", line.key), sentence);
                None
            });
            let meaning = Meaning { score, ..line.meaning };
            let (key, team, offered) = (line.key.clone(), line.team, line.offered);
            wanted.push(OutcomeWanted { key, team, label, definition, meaning, offered });
        }
        errors.done()?;
        Ok(wanted)
    }
}

/// Whether a name is one that the form of the lists posts.
pub fn is_of_lists(name: &str) -> bool {
    let fields = [
        "label",
        "definition",
        "score",
        "offered",
        "succeeded",
        "partial",
        "attempted",
        "prevented",
        "alerted",
        "logged",
    ];
    match name.split_once('.') {
        Some((field, _)) => fields.contains(&field),
        None => matches!(name, "seen" | "order" | "do" | SHOWN),
    }
}
