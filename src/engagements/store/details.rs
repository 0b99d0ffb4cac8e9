//! Engagement Details: saved field by field, so that two people who edit them lose nothing.

use chrono::NaiveDate;
use chrono_tz::Tz;
use diesel::prelude::*;

use super::plan::{Planning, begin};
use super::show::Own;
use crate::engagements::domain::{DetailField, check_detail};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::kernel::base::text::parse_tags;
use crate::kernel::base::times;
use crate::kernel::db::schema::{engagement_operators, engagements, people, reports};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::Kind;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::lifecycle::domain::{Command, starts_at, valid_dates};
use crate::lifecycle::store::apply;
use crate::procedures::merge::{Change, Conflict, Posted};
use crate::procedures::store::history::{self, Subject};

/// A detail as it was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    pub field: DetailField,
    pub raw: String,
    /// The version that its shown value came from.
    pub base: i32,
}

/// What a save did.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    pub accepted: Vec<Change>,
    /// What was not, because somebody else changed it too.
    pub conflicts: Vec<Conflict>,
    /// Operators whose own dates no longer lay within the engagement's and were cleared.
    pub cleared: Vec<String>,
}

impl Own {
    /// The canonical value of a detail: what history keeps and the merge compares.
    pub fn detail(&self, field: DetailField) -> String {
        let day = |date: Option<NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
        match field {
            DetailField::Title => self.title.clone(),
            DetailField::Description => self.description.clone(),
            DetailField::Tags => self.tags.join(", "),
            DetailField::StartDate => day(self.start_date),
            DetailField::EndDate => day(self.end_date),
            DetailField::TimeZone => self.time_zone.to_string(),
            DetailField::Objective => self.objective.clone(),
            DetailField::Scope => self.scope.clone(),
            DetailField::AccessInfo => self.access_info.clone(),
            DetailField::SpecialInstructions => self.special_instructions.clone(),
        }
    }

    /// Takes a canonical value that `check_detail` has passed.
    fn set(&mut self, field: DetailField, value: &str) -> Result<()> {
        let day = || times::parse_date(value).map_err(|sentence| Error::field(field.as_str(), sentence));
        match field {
            DetailField::Title => self.title = value.to_owned(),
            DetailField::Description => self.description = value.to_owned(),
            DetailField::Tags => {
                self.tags = parse_tags(value).map_err(|sentence| Error::field(field.as_str(), sentence))?
            }
            DetailField::StartDate => self.start_date = day()?,
            DetailField::EndDate => self.end_date = day()?,
            DetailField::TimeZone => {
                self.time_zone =
                    times::zone(value).map_err(|sentence| Error::field(field.as_str(), sentence))?.into()
            }
            DetailField::Objective => self.objective = value.to_owned(),
            DetailField::Scope => self.scope = value.to_owned(),
            DetailField::AccessInfo => self.access_info = value.to_owned(),
            DetailField::SpecialInstructions => self.special_instructions = value.to_owned(),
        }
        Ok(())
    }
}

/// Saves typed details. What conflicts is not stored and comes back with both values; everything else is. A
/// changed start or zone moves the first instant, and the lifecycle judges it.
///
/// # Errors
/// [`Error::Invalid`] with a sentence for each field that does not hold (nothing is stored),
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Refused`] by the editing rule.
pub fn save_details(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    typed: &[Typed],
) -> Result<Audited<Saved>> {
    let mut planning = begin(tx, permit, id)?;
    let saved = write_details(tx, &mut planning, typed)?;
    planning.finish(tx, saved)
}

/// The same on an engagement that is locked already; its events join those of `planning`.
pub(super) fn write_details(tx: &mut WriteTx<'_>, planning: &mut Planning, typed: &[Typed]) -> Result<Saved> {
    let id = planning.locked.id;
    let posted = check(typed)?;
    let mut own: Own = engagements::table.find(id.0).select(Own::as_select()).first(tx.conn)?;
    let values: Vec<(&str, String)> =
        DetailField::ALL.iter().map(|field| (field.as_str(), own.detail(*field))).collect();
    let outcome = history::save(tx, Subject("engagement", id.0), own.version, &posted, &values)?;
    for change in &outcome.accepted {
        own.set(
            change
                .field
                .parse()
                .map_err(|e: crate::kernel::base::text_enum::UnknownValue| Error::Internal(e.into()))?,
            &change.new,
        )?;
    }
    valid_dates(own.start_date, own.end_date)
        .map_err(|sentence| Error::field(DetailField::EndDate.as_str(), sentence))?;
    if !outcome.accepted.is_empty() {
        store(tx, &mut own)?;
        if let Some(title) =
            outcome.accepted.iter().find(|change| change.field == DetailField::Title.as_str())
        {
            // The Draft bears the engagement's title until somebody gives it another or writes in it.
            let same = reports::engagement_id
                .eq(own.id.0)
                .and(reports::version.eq(1))
                .and(reports::title.eq(&title.old));
            diesel::update(reports::table.filter(same))
                .set((reports::title.eq(&own.title), reports::updated_at.eq(tx.now())))
                .execute(tx.conn)?;
        }
        let names: Vec<String> = outcome
            .accepted
            .iter()
            .map(|c| {
                c.field.parse::<DetailField>().map_or_else(|_| c.field.clone(), |f| f.label().to_lowercase())
            })
            .collect();
        let long = |field: &str| !["title", "tags", "start_date", "end_date", "time_zone"].contains(&field);
        planning.locked.title.clone_from(&own.title);
        let event = planning
            .event(Kind::EngagementUpdated, format!("Changed “{}”: {}", own.title, names.join(", ")))
            .changes(
                outcome
                    .accepted
                    .iter()
                    .map(|c| (c.field.as_str(), c.old.as_str(), c.new.as_str(), long(&c.field))),
            );
        planning.events.push(event);
        if outcome.accepted.iter().any(|c| ["start_date", "time_zone"].contains(&c.field.as_str())) {
            planning.locked.facts.starts_at = own.starts_at;
            planning.locked.time_zone.clone_from(&own.time_zone);
            let actor = tx.actor();
            planning.events.extend(apply(tx, &mut planning.locked, &Command::Reschedule, actor)?);
        }
    }
    let moved = outcome.accepted.iter().any(|c| ["start_date", "end_date"].contains(&c.field.as_str()));
    let cleared =
        if moved { clear_periods(tx, planning, (own.start_date, own.end_date))? } else { Vec::new() };
    Ok(Saved { accepted: outcome.accepted, conflicts: outcome.conflicts, cleared })
}

/// Own dates of operators that the engagement moved away from are cleared: they take part in all of it until
/// somebody sets others. Gives their names.
fn clear_periods(
    tx: &mut WriteTx<'_>,
    planning: &mut Planning,
    dates: (Option<NaiveDate>, Option<NaiveDate>),
) -> Result<Vec<String>> {
    let id = planning.locked.id;
    let own: Vec<(PersonId, String, Option<NaiveDate>, Option<NaiveDate>)> = engagement_operators::table
        .inner_join(people::table)
        .filter(engagement_operators::engagement_id.eq(id.0))
        .order(people::name)
        .select((people::id, people::name, engagement_operators::starts_on, engagement_operators::ends_on))
        .load(tx.conn)?;
    let outside = |day: &Option<NaiveDate>| {
        day.is_some_and(|day| {
            dates.0.is_some_and(|start| day < start) || dates.1.is_some_and(|end| day > end)
        })
    };
    let gone: Vec<_> = own.into_iter().filter(|(_, _, from, to)| outside(from) || outside(to)).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let of = engagement_operators::engagement_id.eq(id.0).and(
        engagement_operators::person_id.eq_any(gone.iter().map(|(person, ..)| person.0).collect::<Vec<_>>()),
    );
    diesel::update(engagement_operators::table.filter(of))
        .set((
            engagement_operators::starts_on.eq(None::<NaiveDate>),
            engagement_operators::ends_on.eq(None::<NaiveDate>),
        ))
        .execute(tx.conn)?;
    let mut names: Vec<String> = gone.into_iter().map(|(_, name, ..)| name).collect();
    names.dedup();
    let sentence =
        format!("Cleared own dates that no longer lay within the engagement’s: {}", names.join(", "));
    planning.events.push(planning.event(Kind::OperatorsChanged, sentence));
    Ok(names)
}

fn check(typed: &[Typed]) -> Result<Vec<Posted>> {
    let mut errors = FieldErrors::default();
    let mut posted = Vec::with_capacity(typed.len());
    for one in typed {
        match check_detail(one.field, &one.raw) {
            Ok(value) => posted.push(Posted { field: one.field.as_str().to_owned(), value, base: one.base }),
            Err(sentence) => errors.add(one.field.as_str(), sentence),
        }
    }
    // Both dates as typed; once more after the merge, when another's start may meet this one's end.
    let day = |field: DetailField| {
        posted.iter().find(|p| p.field == field.as_str()).and_then(|p| p.value.parse().ok())
    };
    if let Err(sentence) = valid_dates(day(DetailField::StartDate), day(DetailField::EndDate)) {
        errors.add(DetailField::EndDate.as_str(), sentence);
    }
    errors.done()?;
    Ok(posted)
}

fn store(tx: &mut WriteTx<'_>, own: &mut Own) -> Result<()> {
    let zone: Tz = own.zone();
    own.starts_at = own.start_date.map(|date| starts_at(date, zone));
    own.version += 1;
    diesel::update(engagements::table.find(own.id.0))
        .set((
            engagements::title.eq(&own.title),
            engagements::description.eq(&own.description),
            engagements::tags.eq(&own.tags),
            engagements::start_date.eq(own.start_date),
            engagements::end_date.eq(own.end_date),
            engagements::time_zone.eq(&own.time_zone),
            engagements::starts_at.eq(own.starts_at),
            engagements::objective.eq(&own.objective),
            engagements::scope.eq(&own.scope),
            engagements::access_info.eq(&own.access_info),
            engagements::special_instructions.eq(&own.special_instructions),
            engagements::version.eq(own.version),
        ))
        .execute(tx.conn)?;
    Ok(())
}
