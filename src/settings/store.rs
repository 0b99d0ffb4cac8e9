//! SQL of the organisation's settings and its outcome lists.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use super::domain::{ApprovalRule, Meaning, Outcome, TwoFactorRule};
use crate::kernel::authz::WriteRule;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::base::zone::Zone;
use crate::kernel::db::schema::{outcomes, settings};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};

/// The settings that people change.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = settings, check_for_backend(diesel::pg::Pg))]
pub struct Settings {
    /// Name of the organisation, on pages and in authenticators.
    pub organisation_name: String,
    pub time_zone: Zone,
    /// Minutes without use after which a session ends.
    pub idle_minutes: i32,
    pub two_factor_rule: TwoFactorRule,
    pub write_rule: WriteRule,
    pub approval_rule: ApprovalRule,
    /// Days for which the audit log is shown at least.
    pub audit_days: i32,
    /// Whether no month of the audit log may be dropped.
    pub legal_hold: bool,
    /// Who may read a report, as each of its pages says; empty says nothing.
    pub classification: String,
    /// Rises with every change.
    pub version: i32,
}

pub fn get(conn: &mut PgConnection) -> Result<Settings> {
    Ok(settings::table.select(Settings::as_select()).first(conn)?)
}

/// Saves the settings. Nothing changed is no save.
///
/// # Errors
/// [`Error::Conflict`] when somebody saved since `wanted.version` was shown.
pub fn save(tx: &mut WriteTx<'_>, wanted: &Settings) -> Result<Audited<bool>> {
    let before: Settings = settings::table.select(Settings::as_select()).for_update().first(tx.conn)?;
    if before == (Settings { version: before.version, ..wanted.clone() }) {
        return Ok(tx.unchanged(false));
    }
    if before.version != wanted.version {
        return Err(Error::Conflict(
            "Somebody saved the settings since you opened them. What you typed is still here.".into(),
        ));
    }
    diesel::update(settings::table)
        .set(&Settings { version: wanted.version + 1, ..wanted.clone() })
        .execute(tx.conn)?;
    let (old, new) = (before.idle_minutes.to_string(), wanted.idle_minutes.to_string());
    let (days_before, days_after) = (before.audit_days.to_string(), wanted.audit_days.to_string());
    let held = |held: bool| if held { "on" } else { "off" };
    let changes = [
        ("organisation_name", before.organisation_name.as_str(), wanted.organisation_name.as_str()),
        ("time_zone", before.time_zone.name(), wanted.time_zone.name()),
        ("idle_minutes", &old, &new),
        ("two_factor_rule", before.two_factor_rule.as_str(), wanted.two_factor_rule.as_str()),
        ("write_rule", before.write_rule.as_str(), wanted.write_rule.as_str()),
        ("approval_rule", before.approval_rule.as_str(), wanted.approval_rule.as_str()),
        ("audit_days", &days_before, &days_after),
        ("legal_hold", held(before.legal_hold), held(wanted.legal_hold)),
        ("classification", before.classification.as_str(), wanted.classification.as_str()),
    ];
    let changed = changes.into_iter().filter(|(_, old, new)| old != new);
    let event = Event::new(Kind::SettingsChanged, "Changed the settings")
        .telling(changed.map(|(name, old, new)| (name, old, new, false)));
    tx.audited(true, event)
}

/// What is noted of the first hour's checklist; its other steps show in what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstHour {
    /// A copy of the log's public keys is kept elsewhere.
    KeysKept,
    /// The checklist is put away.
    Over,
}

/// Notes it, once.
///
/// # Errors
/// When the database refuses.
pub fn note_first_hour(tx: &mut WriteTx<'_>, noted: FirstHour) -> Result<Audited<()>> {
    let now = tx.now();
    let changed = match noted {
        FirstHour::KeysKept => diesel::update(settings::table.filter(settings::keys_kept_at.is_null()))
            .set(settings::keys_kept_at.eq(now))
            .execute(tx.conn)?,
        FirstHour::Over => diesel::update(settings::table.filter(settings::first_hour_over_at.is_null()))
            .set(settings::first_hour_over_at.eq(now))
            .execute(tx.conn)?,
    };
    if changed == 0 {
        return Ok(tx.unchanged(()));
    }
    let sentence = match noted {
        FirstHour::KeysKept => "Noted that a copy of audit.pub is kept elsewhere",
        FirstHour::Over => "Put the checklist of the first hour away",
    };
    tx.audited((), Event::new(Kind::SettingsChanged, sentence))
}

/// The columns of an [`Outcome`].
#[derive(Queryable, Selectable)]
#[diesel(table_name = outcomes, check_for_backend(diesel::pg::Pg))]
struct OutcomeRow {
    key: String,
    team: Team,
    label: String,
    definition: String,
    succeeded: bool,
    partial: bool,
    attempted: bool,
    score: Option<i32>,
    prevented: bool,
    alerted: bool,
    logged: bool,
    retired_at: Option<DateTime<Utc>>,
}

impl From<OutcomeRow> for Outcome {
    fn from(row: OutcomeRow) -> Self {
        let OutcomeRow { key, team, label, definition, retired_at, .. } = row;
        let OutcomeRow { succeeded, partial, attempted, score, prevented, alerted, logged, .. } = row;
        let meaning = Meaning { succeeded, partial, attempted, score, prevented, alerted, logged };
        Self { key, team, label, definition, meaning, retired_at }
    }
}

fn load<'a>(conn: &mut PgConnection, rows: outcomes::BoxedQuery<'a, diesel::pg::Pg>) -> Result<Vec<Outcome>> {
    let rows: Vec<OutcomeRow> = rows.select(OutcomeRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(Outcome::from).collect())
}

/// Both lists, in order.
pub fn list_outcomes(conn: &mut PgConnection) -> Result<Vec<Outcome>> {
    load(conn, outcomes::table.order((outcomes::team, outcomes::position)).into_boxed())
}

/// A team's outcomes in their order: those that can be chosen, and `held` where a retired one is still in
/// use.
pub fn list_choices(conn: &mut PgConnection, team: Team, held: Option<&str>) -> Result<Vec<Outcome>> {
    let offered = outcomes::table
        .filter(
            outcomes::team
                .eq(team)
                .and(outcomes::retired_at.is_null().or(outcomes::key.eq(held.unwrap_or_default()))),
        )
        .order(outcomes::position);
    load(conn, offered.into_boxed())
}

/// How an outcome shall read.
#[derive(Debug, Clone)]
pub struct OutcomeText {
    pub label: String,
    pub definition: String,
    /// Whether it can be chosen.
    pub offered: bool,
}

/// Changes an outcome's words, retires it or offers it again. What was recorded with it keeps it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown key, [`Error::Refused`] for the last one of its team that is offered,
/// [`Error::Invalid`] when another one of the team has this name.
pub fn save_outcome(tx: &mut WriteTx<'_>, key: &str, wanted: &OutcomeText) -> Result<Audited<()>> {
    // The whole list: two people must not retire the last two at the same moment.
    outcomes::table.order(outcomes::key).select(outcomes::key).for_update().load::<String>(tx.conn)?;
    let before: OutcomeRow = outcomes::table.find(key).select(OutcomeRow::as_select()).first(tx.conn)?;
    let before = Outcome::from(before);
    let retired_at = if wanted.offered { None } else { before.retired_at.or(Some(tx.now())) };
    if (&before.label, &before.definition, before.retired_at)
        == (&wanted.label, &wanted.definition, retired_at)
    {
        return Ok(tx.unchanged(()));
    }
    diesel::update(outcomes::table.find(key))
        .set((
            outcomes::label.eq(&wanted.label),
            outcomes::definition.eq(&wanted.definition),
            outcomes::retired_at.eq(retired_at),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    let left: i64 = outcomes::table
        .filter(outcomes::team.eq(before.team).and(outcomes::retired_at.is_null()))
        .count()
        .get_result(tx.conn)?;
    if left == 0 {
        return Err(Error::Refused("Each team needs an outcome to choose. Offer another one first.".into()));
    }
    let state = |retired: bool| if retired { "retired" } else { "offered" };
    let changes = [
        ("label", before.label.as_str(), wanted.label.as_str()),
        ("definition", before.definition.as_str(), wanted.definition.as_str()),
        ("state", state(before.retired_at.is_some()), state(!wanted.offered)),
    ];
    let event = Event::new(
        Kind::OutcomesChanged,
        format!("Changed the {} outcome {}", before.team.as_str(), wanted.label),
    )
    .telling(
        changes
            .into_iter()
            .filter(|(_, old, new)| old != new)
            .map(|(name, old, new)| (name, old, new, false)),
    );
    tx.audited((), event)
}

/// An outcome as the form of both lists wants it; where it stands among them is its place.
#[derive(Debug, Clone)]
pub struct OutcomeWanted {
    pub key: String,
    pub team: Team,
    pub label: String,
    pub definition: String,
    pub meaning: Meaning,
    pub offered: bool,
}

/// What the lists are, as one word: a form that was drawn from others is told.
pub fn seen(outcomes: &[Outcome]) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{outcomes:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Saves both lists at once: words, meaning, score, order, and which are offered. What was recorded and
/// submitted keeps what it meant. Tells whether anything changed.
///
/// # Errors
/// [`Error::Conflict`] when the lists are not those that were seen, [`Error::Refused`] where a team has
/// nothing to choose.
pub fn save_lists(tx: &mut WriteTx<'_>, was: &str, wanted: &[OutcomeWanted]) -> Result<Audited<bool>> {
    outcomes::table.order(outcomes::key).select(outcomes::key).for_update().load::<String>(tx.conn)?;
    let before = list_outcomes(tx.conn)?;
    if seen(&before) != was {
        return Err(Error::Conflict(
            "Somebody changed the outcome lists since you opened them. What you typed is still here: save \
                again to put it in their place."
                .into(),
        ));
    }
    // Two outcomes may take each other's names: until both have theirs, each has one that is nobody's.
    let is_renamed =
        |one: &&OutcomeWanted| before.iter().any(|old| old.key == one.key && old.label != one.label);
    let renamed: Vec<&str> = wanted.iter().filter(is_renamed).map(|one| one.key.as_str()).collect();
    if renamed.len() > 1 {
        diesel::update(outcomes::table.filter(outcomes::key.eq_any(&renamed)))
            .set(outcomes::label.eq(outcomes::key.concat(" is being renamed")))
            .execute(tx.conn)?;
    }
    let mut events = Vec::new();
    for team in [Team::Red, Team::Blue] {
        let of_team: Vec<&OutcomeWanted> = wanted.iter().filter(|one| one.team == team).collect();
        if !of_team.iter().any(|one| one.offered) {
            return Err(Error::Refused("Each team needs an outcome to choose. Offer one.".into()));
        }
        for one in &of_team {
            let Some(old) = before.iter().find(|old| old.key == one.key) else { continue };
            let retired_at = if one.offered { None } else { old.retired_at.or(Some(tx.now())) };
            let Some(event) = outcome_changed(old, one) else { continue };
            diesel::update(outcomes::table.find(&one.key))
                .set((
                    outcomes::label.eq(&one.label),
                    outcomes::definition.eq(&one.definition),
                    outcomes::succeeded.eq(one.meaning.succeeded),
                    outcomes::partial.eq(one.meaning.partial),
                    outcomes::attempted.eq(one.meaning.attempted),
                    outcomes::prevented.eq(one.meaning.prevented),
                    outcomes::alerted.eq(one.meaning.alerted),
                    outcomes::logged.eq(one.meaning.logged),
                    outcomes::score.eq(one.meaning.score),
                    outcomes::retired_at.eq(retired_at),
                ))
                .execute(tx.conn)
                .map_err(taken)?;
            events.push(event);
        }
        let old: Vec<&str> = before.iter().filter(|o| o.team == team).map(|o| o.key.as_str()).collect();
        if old != of_team.iter().map(|one| one.key.as_str()).collect::<Vec<_>>() {
            for (place, one) in (1i32..).zip(&of_team) {
                diesel::update(outcomes::table.find(&one.key))
                    .set(outcomes::position.eq(place))
                    .execute(tx.conn)?;
            }
            let sentence = format!("Put the {} outcomes into another order", team.as_str());
            let order: Vec<&str> = of_team.iter().map(|one| one.label.as_str()).collect();
            let event = Event::new(Kind::OutcomesChanged, sentence);
            events.push(event.detail(serde_json::json!({ "order": order })));
        }
    }
    if events.is_empty() { Ok(tx.unchanged(false)) } else { tx.audited_all(true, &events) }
}

/// The event of an outcome that is to change.
fn outcome_changed(old: &Outcome, new: &OutcomeWanted) -> Option<Event> {
    let state = |offered: bool| if offered { "offered" } else { "retired" };
    let score = |meaning: &Meaning| meaning.score.map(|score| score.to_string()).unwrap_or_default();
    let (old_score, new_score) = (score(&old.meaning), score(&new.meaning));
    let (old_flags, new_flags) = (old.meaning.flags(old.team), new.meaning.flags(new.team));
    let changes = [
        ("label", old.label.as_str(), new.label.as_str()),
        ("definition", old.definition.as_str(), new.definition.as_str()),
        ("means", old_flags.as_str(), new_flags.as_str()),
        ("score", old_score.as_str(), new_score.as_str()),
        ("state", state(old.is_offered()), state(new.offered)),
    ];
    let changed: Vec<_> = changes
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(f, old, new)| (f, old, new, false))
        .collect();
    let sentence = format!("Changed the {} outcome {}", old.team.as_str(), new.label);
    (!changed.is_empty()).then(|| Event::new(Kind::OutcomesChanged, sentence).telling(changed))
}

/// Labels are told apart by `label_key` in the database: case, blanks and what nobody sees make no
/// difference.
fn taken(fault: diesel::result::Error) -> Error {
    match Error::constraint(&fault) {
        Some("outcomes_label") => Error::field(
            "label",
            "An outcome of this team has this name already, perhaps a retired one. Choose another.",
        ),
        _ => fault.into(),
    }
}

#[derive(Debug, Clone)]
pub struct NewOutcome {
    /// Whose list it goes into.
    pub team: Team,
    pub label: String,
    pub definition: String,
    pub meaning: Meaning,
}

/// Adds an outcome at the end of its list. Its key says nothing: labels are in any script, and change.
///
/// # Errors
/// [`Error::Invalid`] when the team has an outcome of this name.
pub fn add_outcome(tx: &mut WriteTx<'_>, new: &NewOutcome) -> Result<Audited<()>> {
    let key = format!("o_{}", uuid::Uuid::now_v7().simple());
    let last: Option<i32> = outcomes::table
        .filter(outcomes::team.eq(new.team))
        .select(diesel::dsl::max(outcomes::position))
        .first(tx.conn)?;
    diesel::insert_into(outcomes::table)
        .values((
            outcomes::key.eq(&key),
            outcomes::team.eq(new.team),
            outcomes::label.eq(&new.label),
            outcomes::definition.eq(&new.definition),
            outcomes::position.eq(last.unwrap_or(0) + 1),
            outcomes::succeeded.eq(new.meaning.succeeded),
            outcomes::partial.eq(new.meaning.partial),
            outcomes::attempted.eq(new.meaning.attempted),
            outcomes::prevented.eq(new.meaning.prevented),
            outcomes::alerted.eq(new.meaning.alerted),
            outcomes::logged.eq(new.meaning.logged),
            outcomes::score.eq(new.meaning.score),
        ))
        .execute(tx.conn)
        .map_err(taken)?;
    tx.audited(
        (),
        Event::new(Kind::OutcomesChanged, format!("Added the {} outcome {}", new.team.as_str(), new.label)),
    )
}
