//! SQL of the organisation's settings and its outcome lists.

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
    let changed: Vec<_> = changes.into_iter().filter(|(_, old, new)| old != new).collect();
    let names: Vec<String> = changed.iter().map(|(name, ..)| name.replace('_', " ")).collect();
    let event = Event::new(Kind::SettingsChanged, format!("Changed the settings: {}", names.join(", ")))
        .changes(changed.into_iter().map(|(name, old, new)| (name, old, new, false)));
    tx.audited(true, event)
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
/// [`Error::NotFound`] for an unknown key, [`Error::Refused`] for the last one of its team that is offered.
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
        .execute(tx.conn)?;
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
    let event =
        Event::new(Kind::OutcomesChanged, format!("Changed the {} outcome {}", before.team, wanted.label))
            .changes(
                changes
                    .into_iter()
                    .filter(|(_, old, new)| old != new)
                    .map(|(name, old, new)| (name, old, new, false)),
            );
    tx.audited((), event)
}

#[derive(Debug, Clone)]
pub struct NewOutcome {
    /// Whose list it goes into.
    pub team: Team,
    pub label: String,
    pub definition: String,
    pub meaning: Meaning,
}

/// Adds an outcome at the end of its list; its key is made from the label.
///
/// # Errors
/// [`Error::Invalid`] when an outcome with such a key is there.
pub fn add_outcome(tx: &mut WriteTx<'_>, new: &NewOutcome) -> Result<Audited<()>> {
    let words: String =
        new.label.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let key = words.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    let taken = || {
        Error::field(
            "label",
            "An outcome with this name is there already, or the name has no letter. Choose another.",
        )
    };
    if key.is_empty() {
        return Err(taken());
    }
    let last: Option<i32> = outcomes::table
        .filter(outcomes::team.eq(new.team))
        .select(diesel::dsl::max(outcomes::position))
        .first(tx.conn)?;
    let added = diesel::insert_into(outcomes::table)
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
        ))
        .on_conflict_do_nothing()
        .execute(tx.conn)?;
    if added == 0 {
        return Err(taken());
    }
    tx.audited((), Event::new(Kind::OutcomesChanged, format!("Added the {} outcome {}", new.team, new.label)))
}
