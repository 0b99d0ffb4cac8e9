//! Planning: procedures, operators and inputs of an engagement that is not yet submitted.

use chrono::NaiveDate;
use diesel::dsl::max;
use diesel::sql_types::{Array, BigInt, Integer, Uuid as SqlUuid};
use serde_json::json;
use uuid::Uuid;

use super::create::{Chosen, Target, check_operators, copy_procedures, insert_operators};
use crate::engagements::periods::OwnPeriod;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{EngagementId, LibraryProcedureId, PersonId, ProcedureId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::{
    attachments, engagement_inputs, engagement_operators, engagements, people, procedures,
};
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::lifecycle::domain::valid_dates;
use crate::lifecycle::store::{Locked, lock_engagement, touch};
use crate::procedures::domain::planning_allowed;
use crate::procedures::inputs::{TypedInput, check_seen};

/// An engagement locked for planning, and the events so far.
pub(super) struct Planning {
    pub locked: Locked,
    pub events: Vec<Event>,
}

/// Locks an engagement, applies what is due to it and asks the editing rule.
pub(super) fn begin(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
) -> Result<Planning> {
    let (locked, due) = lock_engagement(tx, id, &permit.visible())?;
    permit.check(locked.client)?;
    planning_allowed(locked.status, locked.facts.submitted).map_err(|refusal| Error::Refused(refusal.0))?;
    Ok(Planning { locked, events: due.into_iter().collect() })
}

impl Planning {
    /// An event about this engagement.
    pub fn event(&self, kind: Kind, sentence: impl Into<String>) -> Event {
        Event::new(kind, sentence)
            .subject("engagement", self.locked.id.0, &self.locked.title)
            .engagement(self.locked.client, self.locked.id)
    }

    /// Notes the activity and writes the events; nothing of that when nothing happened.
    pub fn finish<T>(self, tx: &mut WriteTx<'_>, value: T) -> Result<Audited<T>> {
        if self.events.is_empty() {
            return Ok(tx.unchanged(value));
        }
        let name = tx.actor().name.clone();
        touch(tx.conn, self.locked.id, tx.now(), &name)?;
        tx.audited_all(value, &self.events)
    }
}

/// Copies procedures of the library behind the last one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Refused`] by the editing rule, [`Error::Invalid`] when
/// one of the procedures is no longer there.
pub fn add_procedures(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    chosen: &[Chosen],
) -> Result<Audited<usize>> {
    let mut planning = begin(tx, permit, id)?;
    if chosen.is_empty() {
        return planning.finish(tx, 0);
    }
    let attack_version: String =
        engagements::table.find(id).select(engagements::attack_version).first(tx.conn)?;
    let after: Option<i32> = procedures::table
        .filter(procedures::engagement_id.eq(id))
        .select(max(procedures::position))
        .first(tx.conn)?;
    let target = Target {
        engagement: id,
        client: planning.locked.client,
        shelf: permit.shelf(),
        attack_version: &attack_version,
        after: after.unwrap_or(0),
    };
    let added = copy_procedures(tx, &target, chosen)?;
    let names: Vec<String> = procedures::table
        .filter(procedures::id.eq_any(&added))
        .order(procedures::position)
        .select(procedures::name)
        .load(tx.conn)?;
    let sentence = match names.as_slice() {
        [one] => format!("Added the procedure “{one}”"),
        _ => format!("Added {} procedures", names.len()),
    };
    let event = planning.event(Kind::ProceduresAdded, sentence).detail(json!({ "procedures": names }));
    planning.events.push(event);
    planning.finish(tx, added.len())
}

/// Library procedures that an engagement holds copies of.
pub fn list_origins(conn: &mut PgConnection, id: EngagementId) -> Result<Vec<LibraryProcedureId>> {
    let origins: Vec<Option<LibraryProcedureId>> = procedures::table
        .filter(procedures::engagement_id.eq(id).and(procedures::origin_id.is_not_null()))
        .select(procedures::origin_id)
        .load(conn)?;
    Ok(origins.into_iter().flatten().collect())
}

/// What goes with a procedure.
#[derive(Debug, Clone, Copy, Default, QueryableByName)]
pub struct Losses {
    #[diesel(sql_type = BigInt)]
    pub entries: i64,
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    #[diesel(sql_type = BigInt)]
    pub ticks: i64,
    /// Saves of its fields.
    #[diesel(sql_type = BigInt)]
    pub saves: i64,
}

/// Counts what goes with a procedure.
pub fn get_losses(conn: &mut PgConnection, procedure: ProcedureId) -> Result<Losses> {
    // sql_query: four counts in one statement.
    Ok(diesel::sql_query(
        "SELECT (SELECT count(*) FROM log_entries WHERE procedure_id = $1 AND removed_at IS NULL) AS entries,
            (SELECT count(*) FROM attachments WHERE procedure_id = $1 AND removed_at IS NULL) AS files,
            (SELECT count(*) FROM step_ticks WHERE procedure_id = $1) AS ticks,
            (SELECT count(*) FROM field_history WHERE subject_type = 'procedure' AND subject_id = $1 \
            AND version > 1) AS saves",
    )
    .bind::<SqlUuid, _>(procedure)
    .get_result(conn)?)
}

/// Removes a procedure with everything recorded on it; those behind it move up.
///
/// # Errors
/// As [`add_procedures`].
pub fn remove_procedure(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    procedure: ProcedureId,
) -> Result<Audited<String>> {
    let mut planning = begin(tx, permit, id)?;
    let (name, position): (String, i32) = procedures::table
        .find(procedure)
        .filter(procedures::engagement_id.eq(id))
        .select((procedures::name, procedures::position))
        .for_update()
        .first(tx.conn)?;
    // The files themselves go with the sweep that finds blobs without a row.
    diesel::delete(attachments::table.filter(attachments::procedure_id.eq(procedure))).execute(tx.conn)?;
    diesel::update(procedures::table.filter(procedures::variant_of.eq(procedure)))
        .set(procedures::variant_of.eq(None::<Uuid>))
        .execute(tx.conn)?;
    diesel::delete(procedures::table.find(procedure)).execute(tx.conn)?;
    diesel::update(
        procedures::table.filter(procedures::engagement_id.eq(id).and(procedures::position.gt(position))),
    )
    .set(procedures::position.eq(procedures::position - 1))
    .execute(tx.conn)?;
    let event = planning
        .event(Kind::ProcedureRemoved, format!("Removed procedure {position} “{name}”"))
        .subject("procedure", procedure.0, &name);
    planning.events.push(event);
    planning.finish(tx, name)
}

/// Puts the procedures of an engagement in this order.
///
/// # Errors
/// As [`add_procedures`], and [`Error::Conflict`] when the order does not name exactly its procedures.
pub fn reorder(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    order: &[ProcedureId],
) -> Result<Audited<()>> {
    let mut planning = begin(tx, permit, id)?;
    let before: Vec<ProcedureId> = procedures::table
        .filter(procedures::engagement_id.eq(id))
        .order(procedures::position)
        .select(procedures::id)
        .load(tx.conn)?;
    if before == order {
        return planning.finish(tx, ());
    }
    let sorted = |ids: &[ProcedureId]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    if sorted(&before) != sorted(order) {
        return Err(Error::Conflict(
            "Somebody added or removed a procedure meanwhile. Look at the new list, then order it again."
                .into(),
        ));
    }
    // sql_query: every place in one statement; the unique places are checked at commit.
    diesel::sql_query(
        "UPDATE procedures p SET position = o.place \
        FROM unnest($1::uuid[], $2::int[]) AS o(id, place) WHERE p.id = o.id",
    )
    .bind::<Array<SqlUuid>, _>(order)
    .bind::<Array<Integer>, _>((1..).take(order.len()).collect::<Vec<i32>>())
    .execute(tx.conn)?;
    let event = planning.event(Kind::ProceduresReordered, "Changed the order of the procedures");
    planning.events.push(event);
    planning.finish(tx, ())
}

/// Sets own dates of operators, on both of their teams.
fn set_periods(
    conn: &mut PgConnection,
    id: EngagementId,
    periods: &[OwnPeriod],
    (start, end): (Option<NaiveDate>, Option<NaiveDate>),
) -> Result<()> {
    let mut errors = FieldErrors::default();
    for own in periods {
        let early = own.from.zip(start).is_some_and(|(from, start)| from < start)
            || own.to.zip(start).is_some_and(|(to, start)| to < start);
        let late = own.from.zip(end).is_some_and(|(from, end)| from > end)
            || own.to.zip(end).is_some_and(|(to, end)| to > end);
        if let Err(sentence) = valid_dates(own.from, own.to) {
            errors.add(&format!("from.{}", own.person), sentence);
        } else if early || late {
            errors.add(
                &format!("from.{}", own.person),
                "These days lie outside of the engagement’s. Choose days within it.",
            );
        }
    }
    errors.done()?;
    for own in periods {
        let of =
            engagement_operators::engagement_id.eq(id).and(engagement_operators::person_id.eq(own.person));
        diesel::update(engagement_operators::table.filter(of))
            .set((engagement_operators::starts_on.eq(own.from), engagement_operators::ends_on.eq(own.to)))
            .execute(conn)?;
    }
    Ok(())
}

/// Adds and takes out operators, and sets own dates.
///
/// # Errors
/// As [`add_procedures`], and [`Error::Invalid`] for somebody without access to the client.
pub fn save_operators(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    added: &[(PersonId, Team)],
    removed: &[(PersonId, Team)],
    dates: &[OwnPeriod],
) -> Result<Audited<()>> {
    let mut planning = begin(tx, permit, id)?;
    change_operators(tx, &mut planning, added, removed, dates)?;
    planning.finish(tx, ())
}

/// The same on an engagement that is locked already.
pub(super) fn change_operators(
    tx: &mut WriteTx<'_>,
    planning: &mut Planning,
    added: &[(PersonId, Team)],
    removed: &[(PersonId, Team)],
    dates: &[OwnPeriod],
) -> Result<()> {
    let id = planning.locked.id;
    check_operators(tx.conn, planning.locked.client, added)?;
    insert_operators(tx.conn, id, added)?;
    let period = engagements::table
        .find(id)
        .select((engagements::start_date, engagements::end_date))
        .first(tx.conn)?;
    set_periods(tx.conn, id, dates, period)?;
    for team in Team::ALL.iter().copied() {
        let gone: Vec<Uuid> =
            removed.iter().filter(|(_, of)| *of == team).map(|(person, _)| person.0).collect();
        diesel::delete(
            engagement_operators::table.filter(
                engagement_operators::engagement_id
                    .eq(id)
                    .and(engagement_operators::team.eq(team))
                    .and(engagement_operators::person_id.eq_any(gone)),
            ),
        )
        .execute(tx.conn)?;
    }
    let now: Vec<(String, Team)> = engagement_operators::table
        .inner_join(people::table)
        .filter(engagement_operators::engagement_id.eq(id))
        .order((engagement_operators::team.desc(), people::name))
        .select((people::name, engagement_operators::team))
        .load(tx.conn)?;
    let names = |team: Team| {
        now.iter().filter(|(_, of)| *of == team).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    let (red, blue) = (names(Team::Red), names(Team::Blue));
    let said = |names: &[&str]| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    if !added.is_empty() || !removed.is_empty() || !dates.is_empty() {
        let event = planning
            .event(
                Kind::OperatorsChanged,
                format!("Changed the operators. Red: {}. Blue: {}.", said(&red), said(&blue)),
            )
            .detail(json!({ "red": red, "blue": blue }));
        planning.events.push(event);
    }
    Ok(())
}

/// Sets inputs; an empty value takes one away.
///
/// # Errors
/// As [`add_procedures`], and [`Error::Invalid`] for an input that somebody else set since the form was
/// shown.
pub fn save_inputs(
    tx: &mut WriteTx<'_>,
    permit: &Permit<PlanEngagement>,
    id: EngagementId,
    typed: &[TypedInput],
) -> Result<Audited<usize>> {
    let mut planning = begin(tx, permit, id)?;
    let stored: Vec<(String, String)> = engagement_inputs::table
        .filter(engagement_inputs::engagement_id.eq(id))
        .select((engagement_inputs::name, engagement_inputs::value))
        .load(tx.conn)?;
    check_seen(typed, &stored.into_iter().collect()).map_err(Error::Invalid)?;
    let (set, emptied): (Vec<_>, Vec<_>) = typed.iter().partition(|one| !one.value.is_empty());
    let gone: Vec<&str> = emptied.iter().map(|one| one.name.as_str()).collect();
    diesel::delete(
        engagement_inputs::table
            .filter(engagement_inputs::engagement_id.eq(id).and(engagement_inputs::name.eq_any(gone))),
    )
    .execute(tx.conn)?;
    let rows: Vec<_> = set
        .iter()
        .map(|one| {
            (
                engagement_inputs::engagement_id.eq(id),
                engagement_inputs::name.eq(&one.name),
                engagement_inputs::value.eq(&one.value),
            )
        })
        .collect();
    diesel::insert_into(engagement_inputs::table)
        .values(rows)
        .on_conflict((engagement_inputs::engagement_id, engagement_inputs::name))
        .do_update()
        .set(engagement_inputs::value.eq(diesel::upsert::excluded(engagement_inputs::value)))
        .execute_anew(tx.conn)?;
    if !typed.is_empty() {
        let names: Vec<&str> = typed.iter().map(|one| one.name.as_str()).collect();
        // Values stay out of the log: a password for a test account is a common input.
        let event = planning
            .event(Kind::InputsChanged, format!("Changed the inputs {}", names.join(", ")))
            .detail(json!({ "inputs": names }));
        planning.events.push(event);
    }
    planning.finish(tx, typed.len())
}
