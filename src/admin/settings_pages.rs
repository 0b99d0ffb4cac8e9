//! The organisation's settings.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::settings_store::{self as store, NewOutcome, OutcomeText, Settings};
use super::views::SettingsPage;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::text::check_text;
use crate::kernel::base::times;
use crate::kernel::web::permit::{ManageSettings, Permit};
use crate::kernel::web::{Form, Section, redirect_with};
use crate::procedures::domain::{Team, WriteRule};
use crate::reports::workflow::ApprovalRule;

pub async fn show(permit: Permit<ManageSettings>) -> Result<HttpResponse> {
    permit.proved()?;
    let page = page(&permit, None, FieldErrors::default(), None).await?;
    permit.page(&page)
}

async fn page(
    permit: &Permit<ManageSettings>,
    typed: Option<Typed>,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<SettingsPage> {
    let (stored, outcomes) =
        permit.app.db.read(|conn| Ok((store::get(conn)?, store::list_outcomes(conn)?))).await?;
    let typed = typed.unwrap_or_else(|| Typed {
        organisation_name: stored.organisation_name.clone(),
        time_zone: stored.time_zone.clone(),
        idle_minutes: stored.idle_minutes.to_string(),
        two_factor_rule: stored.two_factor_rule.clone(),
        write_rule: stored.write_rule.clone(),
        approval_rule: stored.approval_rule.clone(),
        audit_days: stored.audit_days.to_string(),
        legal_hold: stored.legal_hold.then(|| "1".to_owned()),
        version: stored.version,
    });
    let frame = permit.frame(Section::Admin, "Settings").crumb("Administration", "/admin");
    Ok(SettingsPage { frame, typed, outcomes, new_outcome: TypedOutcome::default(), errors, problem })
}

/// The settings as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    pub(super) organisation_name: String,
    pub(super) time_zone: String,
    pub(super) idle_minutes: String,
    pub(super) two_factor_rule: String,
    pub(super) write_rule: String,
    pub(super) approval_rule: String,
    pub(super) audit_days: String,
    #[serde(default)]
    pub(super) legal_hold: Option<String>,
    pub(super) version: i32,
}

impl Typed {
    fn check(&self) -> Result<Settings> {
        let mut errors = FieldErrors::default();
        let organisation_name = check_text("The name", false, &self.organisation_name, 200, false)
            .unwrap_or_else(|sentence| {
                errors.add("organisation_name", sentence);
                String::new()
            });
        if organisation_name.is_empty() {
            errors.add("organisation_name", "Give the organisation a name.");
        }
        let zone = times::zone(&self.time_zone).map_err(|sentence| errors.add("time_zone", sentence));
        let idle = self.idle_minutes.trim().parse::<i32>().ok().filter(|minutes| (5..=720).contains(minutes));
        if idle.is_none() {
            errors.add("idle_minutes", "Give a number of minutes between 5 and 720.");
        }
        if !["optional", "everyone"].contains(&self.two_factor_rule.as_str()) {
            errors.add("two_factor_rule", "Choose one of the two.");
        }
        if self.write_rule.parse::<WriteRule>().is_err() {
            errors.add("write_rule", "Choose one of the two.");
        }
        if self.approval_rule.parse::<ApprovalRule>().is_err() {
            errors.add("approval_rule", "Choose one of the two.");
        }
        let days = self.audit_days.trim().parse::<i32>().ok().filter(|days| (120..=3_660).contains(days));
        if days.is_none() {
            errors.add("audit_days", "Give a number of days between 120 and 3660.");
        }
        errors.done()?;
        Ok(Settings {
            organisation_name,
            time_zone: zone.map(|zone| zone.name().to_owned()).unwrap_or_default(),
            idle_minutes: idle.unwrap_or_default(),
            two_factor_rule: self.two_factor_rule.clone(),
            write_rule: self.write_rule.clone(),
            approval_rule: self.approval_rule.clone(),
            audit_days: days.unwrap_or_default(),
            legal_hold: self.legal_hold.is_some(),
            version: self.version,
        })
    }
}

pub async fn save(permit: Permit<ManageSettings>, Form(typed): Form<Typed>) -> Result<HttpResponse> {
    permit.proved()?;
    let saved = match typed.check() {
        Ok(wanted) => permit.app.db.write(permit.actor(), move |tx| store::save(tx, &wanted)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(true) => Ok(redirect_with("/admin/settings", "Settings saved.")),
        Ok(false) => Ok(redirect_with("/admin/settings", "Nothing changed.")),
        Err(error) => again(&permit, Some(typed), None, error).await,
    }
}

/// The page again, with the settings or the outcome (by its key; none for a new one) as typed.
async fn again(
    permit: &Permit<ManageSettings>,
    typed: Option<Typed>,
    outcome: Option<(Option<String>, TypedOutcome)>,
    error: Error,
) -> Result<HttpResponse> {
    let status: StatusCode = error.status();
    let (errors, problem) = match error {
        Error::Invalid(errors) => {
            let problem = errors.get("outcome").map(str::to_owned);
            (errors, problem)
        }
        Error::Refused(why) | Error::Conflict(why) => (FieldErrors::default(), Some(why)),
        other => return Err(other),
    };
    let mut page = page(permit, typed, errors, problem).await?;
    match outcome {
        Some((Some(key), typed)) => {
            for shown in page.outcomes.iter_mut().filter(|shown| shown.key == key) {
                (shown.label, shown.definition) = (typed.label.clone(), typed.definition.clone());
            }
        }
        Some((None, typed)) => page.new_outcome = typed,
        None => {}
    }
    permit.html(status, page.render()?)
}

/// An outcome's words as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedOutcome {
    #[serde(default)]
    pub(super) team: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) definition: String,
    #[serde(default)]
    pub(super) offered: Option<String>,
    #[serde(default)]
    pub(super) succeeded: Option<String>,
    #[serde(default)]
    pub(super) prevented: Option<String>,
    #[serde(default)]
    pub(super) alerted: Option<String>,
    #[serde(default)]
    pub(super) logged: Option<String>,
}

impl TypedOutcome {
    fn words(&self) -> Result<(String, String)> {
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

pub async fn save_outcome(
    permit: Permit<ManageSettings>,
    path: web::Path<String>,
    Form(typed): Form<TypedOutcome>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let key = path.into_inner();
    let kept = key.clone();
    let saved = match typed.words() {
        Ok((label, definition)) => {
            let wanted = OutcomeText { label, definition, offered: typed.offered.is_some() };
            permit.app.db.write(permit.actor(), move |tx| store::save_outcome(tx, &key, &wanted)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with("/admin/settings#outcomes", "Outcome saved.")),
        Err(error) => again(&permit, None, Some((Some(kept), typed)), error).await,
    }
}

pub async fn add_outcome(
    permit: Permit<ManageSettings>,
    Form(typed): Form<TypedOutcome>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let team: Team = typed.team.parse().map_err(|_| Error::NotFound)?;
    let (red, blue) = (team == Team::Red, team == Team::Blue);
    let saved = match typed.words() {
        Ok((label, definition)) => {
            let new = NewOutcome {
                team,
                label,
                definition,
                succeeded: red && typed.succeeded.is_some(),
                prevented: blue && typed.prevented.is_some(),
                alerted: blue && typed.alerted.is_some(),
                logged: blue && typed.logged.is_some(),
            };
            permit.app.db.write(permit.actor(), move |tx| store::add_outcome(tx, &new)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with("/admin/settings#outcomes", "Outcome added.")),
        Err(Error::Invalid(errors)) if errors.get("label").is_some() => {
            let why = errors.get("label").unwrap_or_default().to_owned();
            again(&permit, None, Some((None, typed)), Error::Refused(why)).await
        }
        Err(error) => again(&permit, None, Some((None, typed)), error).await,
    }
}
