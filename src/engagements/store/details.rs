//! Engagement Details: saved field by field, so that two people who edit them lose nothing.

use chrono::NaiveDate;

use super::plan::{Planning, begin};
use super::show::Own;
use crate::engagements::domain::{DetailField, check_detail};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::{engagement_operators, engagements, people, reports};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::Kind;
use crate::kernel::merge::history::{Subject, SubjectKind};
use crate::kernel::merge::record::{Misfit, Record, Saved, Typed, save};
use crate::kernel::merge::{Change, Posted, Version};
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::lifecycle::domain::{Command, starts_at, valid_dates};
use crate::lifecycle::store::apply;
use crate::procedures::domain::ObservationWindow;
use crate::procedures::store::save::follow_window;
use crate::procedures::store::work::Planned;

/// What a save did.
#[derive(Debug, Clone, Default)]
pub struct SavedDetails {
    pub fields: Saved<DetailField>,
    /// Operators whose own dates no longer lay within the engagement's and were cleared.
    pub cleared: Vec<String>,
}

crate::merge_columns! {
    Own: DetailField {
        Title => title;
        Description => description;
        Tags => tags;
        StartDate => start_date;
        EndDate => end_date;
        TimeZone => time_zone;
        ObservationWindow => observation_window;
        Objective => objective;
        Scope => scope;
        AccessInfo => access_info;
        SpecialInstructions => special_instructions;
    }
}

/// Both dates of an engagement.
fn check_dates(start: Option<NaiveDate>, end: Option<NaiveDate>) -> Result<(), Misfit<DetailField>> {
    valid_dates(start, end).map_err(|sentence| (DetailField::EndDate, sentence))
}

impl Record for Own {
    fn subject(&self) -> Subject {
        Subject(SubjectKind::Engagement, self.id.0)
    }

    fn version(&self) -> Version {
        self.version
    }

    fn initial(&self, field: DetailField) -> &'static str {
        // Engagements that are older than the setting have no history of it.
        if field == DetailField::ObservationWindow { ObservationWindow::Closed.as_str() } else { "" }
    }

    fn check(&self, field: DetailField, raw: &str) -> Result<String, String> {
        check_detail(field, raw)
    }

    fn check_typed(&self, posted: &[Posted<DetailField>]) -> Result<(), Misfit<DetailField>> {
        let day =
            |field| posted.iter().find(|posted| posted.field == field).and_then(|p| p.value.parse().ok());
        check_dates(day(DetailField::StartDate), day(DetailField::EndDate))
    }

    fn check_whole(&self) -> Result<(), Misfit<DetailField>> {
        check_dates(self.start_date, self.end_date)
    }

    fn store(
        &mut self,
        tx: &mut WriteTx<'_>,
        version: Version,
        _changes: &[Change<DetailField>],
    ) -> Result<()> {
        self.starts_at = self.start_date.map(|date| starts_at(date, self.zone()));
        self.version = version;
        diesel::update(engagements::table.find(self.id.0))
            .set((
                engagements::title.eq(&self.title),
                engagements::description.eq(&self.description),
                engagements::tags.eq(&self.tags),
                engagements::start_date.eq(self.start_date),
                engagements::end_date.eq(self.end_date),
                engagements::time_zone.eq(&self.time_zone),
                engagements::starts_at.eq(self.starts_at),
                engagements::observation_window.eq(self.observation_window),
                engagements::objective.eq(&self.objective),
                engagements::scope.eq(&self.scope),
                engagements::access_info.eq(&self.access_info),
                engagements::special_instructions.eq(&self.special_instructions),
                engagements::version.eq(version),
            ))
            .execute(tx.conn)?;
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
    typed: &[Typed<DetailField>],
) -> Result<Audited<SavedDetails>> {
    let mut planning = begin(tx, permit, id)?;
    let saved = write_details(tx, &mut planning, typed)?;
    planning.finish(tx, saved)
}

/// The same on an engagement that is locked already; its events join those of `planning`.
pub(super) fn write_details(
    tx: &mut WriteTx<'_>,
    planning: &mut Planning,
    typed: &[Typed<DetailField>],
) -> Result<SavedDetails> {
    let mut own: Own =
        engagements::table.find(planning.locked.id.0).select(Own::as_select()).first(tx.conn)?;
    let fields = save(tx, &mut own, typed, |_| Ok(()))?;
    let changed = |field| fields.change(field).is_some();
    if let Some(title) = fields.change(DetailField::Title) {
        // The Draft bears the engagement's title until somebody gives it another or writes in it.
        let same = reports::engagement_id
            .eq(own.id.0)
            .and(reports::version.eq(1))
            .and(reports::title.eq(&title.old));
        diesel::update(reports::table.filter(same))
            .set((reports::title.eq(&own.title), reports::updated_at.eq(tx.now())))
            .execute(tx.conn)?;
    }
    if fields.changes() {
        planning.locked.title.clone_from(&own.title);
        let event = planning
            .event(Kind::EngagementUpdated, format!("Changed “{}”", own.title))
            .telling(fields.accepted.iter().map(Change::detail));
        planning.events.push(event);
    }
    if changed(DetailField::StartDate) || changed(DetailField::TimeZone) {
        planning.locked.facts.starts_at = own.starts_at;
        planning.locked.time_zone.clone_from(&own.time_zone);
        let actor = tx.actor();
        planning.events.extend(apply(tx, &mut planning.locked, &Command::Reschedule, actor)?);
    }
    if changed(DetailField::ObservationWindow) {
        let planned = Planned {
            engagement: own.id,
            client: own.client_id,
            zone: own.zone(),
            window: own.observation_window,
        };
        planning.events.extend(follow_window(tx, &planned)?);
    }
    let cleared = if changed(DetailField::StartDate) || changed(DetailField::EndDate) {
        clear_periods(tx, planning, (own.start_date, own.end_date))?
    } else {
        Vec::new()
    };
    Ok(SavedDetails { fields, cleared })
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
