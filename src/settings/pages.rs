//! The organisation's settings.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::forms::{ListsForm, OutcomeForm, SettingsForm, is_of_lists};
use super::store::{self, NewOutcome, OutcomeText};
use super::views::Show;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::team::Team;
use crate::kernel::merge::shown::{self, Shown, brought_up};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{ManageSettings, Permit};
use crate::kernel::web::{Form, Section, redirect_with};

pub async fn show(permit: Permit<ManageSettings>) -> Result<HttpResponse> {
    permit.proved()?;
    let page = page(&permit, None, FieldErrors::default(), None).await?;
    permit.page(&page)
}

async fn page(
    permit: &Permit<ManageSettings>,
    typed: Option<SettingsForm>,
    errors: FieldErrors,
    problem: Option<String>,
) -> Result<Show> {
    let (stored, outcomes) = permit.read(|conn| Ok((store::get(conn)?, store::list_outcomes(conn)?))).await?;
    let own = SettingsForm::of(&stored);
    let shown = Shown::of(&own)?.text();
    let typed = SettingsForm { shown, version: stored.version, ..typed.unwrap_or(own) };
    let frame = permit.frame(Section::Admin, "Settings").crumb("Administration", "/admin");
    let lists = ListsForm::of(&outcomes);
    Ok(Show { frame, typed, lists, moved: None, new_outcome: OutcomeForm::default(), errors, problem })
}

pub async fn save(permit: Permit<ManageSettings>, Form(typed): Form<SettingsForm>) -> Result<HttpResponse> {
    permit.proved()?;
    let stored = permit.read(store::get).await?;
    let (typed, asked) = brought_up(typed, &SettingsForm::of(&stored), label)?;
    let saved = match asked.map_or_else(|| typed.check(), Err) {
        Ok(wanted) => permit.write(move |tx| store::save(tx, &wanted)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(true) => Ok(redirect_with("/admin/settings", "Settings saved.")),
        Ok(false) => Ok(redirect_with("/admin/settings", "Nothing changed.")),
        Err(error) => again(&permit, Some(typed), None, error).await,
    }
}

/// What people call a field of the settings, or of an outcome: `definition.logged`.
fn label(field: &str) -> String {
    match field {
        "organisation_name" => return "Organisation".to_owned(),
        "classification" => return "Classification of reports".to_owned(),
        _ => {}
    }
    let (field, of) = field.split_once('.').unwrap_or((field, ""));
    let mut words = field.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if of.is_empty() { words } else { format!("{words} of {}", of.replace('_', " ")) }
}

/// The page again, with the settings or the outcome (by its key; none for a new one) as typed.
async fn again(
    permit: &Permit<ManageSettings>,
    typed: Option<SettingsForm>,
    outcome: Option<(Option<String>, OutcomeForm)>,
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
            for shown in page.lists.lines.iter_mut().filter(|shown| shown.key == key) {
                (shown.label, shown.definition) = (typed.label.clone(), typed.definition.clone());
            }
        }
        Some((None, typed)) => page.new_outcome = typed,
        None => {}
    }
    permit.html(status, page.render()?)
}

pub async fn save_outcome(
    permit: Permit<ManageSettings>,
    path: web::Path<String>,
    Form(typed): Form<OutcomeForm>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let key = path.into_inner();
    let kept = key.clone();
    let saved = match typed.words() {
        Ok((label, definition)) => {
            let wanted = OutcomeText { label, definition, offered: typed.offered.is_some() };
            permit.write(move |tx| store::save_outcome(tx, &key, &wanted)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with("/admin/settings#outcomes", "Outcome saved.")),
        Err(Error::Invalid(errors)) if errors.get("label").is_some() => {
            let why = errors.get("label").unwrap_or_default().to_owned();
            again(&permit, None, Some((Some(kept), typed)), Error::Refused(why)).await
        }
        Err(error) => again(&permit, None, Some((Some(kept), typed)), error).await,
    }
}

/// `POST /admin/settings/lists`: both outcome lists at once; the arrows move a line and save nothing yet.
pub async fn save_lists(permit: Permit<ManageSettings>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    permit.proved()?;
    pairs.only(is_of_lists)?;
    let stored = permit.read(store::list_outcomes).await?;
    let mut typed = ListsForm::read(&pairs, &stored);
    let moves =
        pairs.last("do").and_then(|wants| wants.split_once(':')).map(|(verb, key)| (verb == "down", key));
    if let Some((down, key)) = moves {
        typed.shift(key, down);
        let mut page = page(&permit, None, FieldErrors::default(), None).await?;
        (page.lists, page.moved) = (typed, Some((down, key.to_owned())));
        return permit.html(StatusCode::OK, page.render()?);
    }
    let mut asked = None;
    let now = ListsForm::of(&stored);
    if let Some(shown) = Shown::read(&typed.shown).filter(|_| typed.seen != now.seen) {
        let met = shown::meet(&shown, &Shown::of_pairs(now.pairs()), &Shown::of_pairs(typed.pairs()), &[]);
        asked = (!met.theirs.is_empty()).then(|| shown::asked(&met.theirs, label));
        let brought: Pairs = met.form.pairs().collect();
        typed = ListsForm { seen: now.seen, shown: now.shown, ..ListsForm::read(&brought, &stored) };
    }
    let saved = match asked.map_or_else(|| typed.check(), Err) {
        Ok(wanted) => {
            let seen = typed.seen.clone();
            permit.write(move |tx| store::save_lists(tx, &seen, &wanted)).await
        }
        Err(error) => Err(error),
    };
    let (status, errors, problem) = match saved {
        Ok(true) => return Ok(redirect_with("/admin/settings#outcomes", "Outcome lists saved.")),
        Ok(false) => return Ok(redirect_with("/admin/settings#outcomes", "Nothing changed.")),
        Err(Error::Invalid(errors)) => {
            let problem = errors.get("label").map(str::to_owned);
            (StatusCode::UNPROCESSABLE_ENTITY, errors, problem)
        }
        Err(Error::Refused(why)) => (StatusCode::UNPROCESSABLE_ENTITY, FieldErrors::default(), Some(why)),
        Err(Error::Conflict(why)) => (StatusCode::CONFLICT, FieldErrors::default(), Some(why)),
        Err(other) => return Err(other),
    };
    let mut page = page(&permit, None, errors, problem).await?;
    page.lists = typed;
    permit.html(status, page.render()?)
}

pub async fn add_outcome(
    permit: Permit<ManageSettings>,
    Form(typed): Form<OutcomeForm>,
) -> Result<HttpResponse> {
    permit.proved()?;
    let team: Team = typed.team.parse().map_err(|_| Error::NotFound)?;
    let saved = match typed.words() {
        Ok((label, definition)) => {
            let new = NewOutcome { team, label, definition, meaning: typed.meaning(team) };
            permit.write(move |tx| store::add_outcome(tx, &new)).await
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
