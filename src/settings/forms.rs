//! What the settings' page posts.

use serde::Deserialize;

use super::domain::{ApprovalRule, Meaning, TwoFactorRule};
use super::store::Settings;
use crate::kernel::authz::WriteRule;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::team::Team;
use crate::kernel::base::text::check_text;
use crate::kernel::base::times;
use crate::kernel::base::zone::Zone;

/// The settings as typed.
#[derive(Debug, Clone, Default, Deserialize)]
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
}

impl SettingsForm {
    pub fn check(&self) -> Result<Settings> {
        let mut errors = FieldErrors::default();
        let organisation_name = check_text("The name", false, &self.organisation_name, 200, false)
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
    pub not_attempted: Option<String>,
    #[serde(default)]
    pub prevented: Option<String>,
    #[serde(default)]
    pub alerted: Option<String>,
    #[serde(default)]
    pub logged: Option<String>,
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
                attempted: self.not_attempted.is_none(),
                ..Meaning::default()
            },
            Team::Blue => Meaning {
                prevented: self.prevented.is_some(),
                alerted: self.alerted.is_some(),
                logged: self.logged.is_some(),
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
        Ok((label, definition))
    }
}
