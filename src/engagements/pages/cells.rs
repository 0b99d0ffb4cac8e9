//! Inline edits in the table of procedures. They go through the procedure page's own write path.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::show::{around, procedures_of};
use crate::engagements::store::show as store;
use crate::engagements::views::show::Loaded;
use crate::engagements::views::table::{
    Cell, CellShown, Choice, Editor, Faces, INLINE, Line, Meter, Now, turn_word,
};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::merge::record::{Saved, Typed};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Permit, ReadEngagement, WriteProcedure};
use crate::kernel::web::{Form, Query, redirect, refusal_noted};
use crate::procedures::domain::{Field, ProcedureStatus, Severity};
use crate::procedures::store::runbook::{ProcedureRow, get_procedure_by_key, list_operators};
use crate::procedures::store::save::save_fields;
use crate::procedures::store::work::begin;
use crate::settings::domain::Outcome;
use crate::settings::store::list_outcomes;

type Ids = web::Path<(EngagementId, ProcedureId, String)>;

fn inline(name: &str) -> Result<Field> {
    let field: Field = name.parse().map_err(|_| Error::NotFound)?;
    if INLINE.contains(&field) { Ok(field) } else { Err(Error::NotFound) }
}

fn url(engagement: EngagementId, procedure: ProcedureId, field: Field) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}/cell/{}", field.name())
}

/// `GET /engagements/{id}/cell?{field}={key}`: the control in place of a value. Without scripts the
/// procedure's page.
pub async fn edit(
    permit: Permit<ReadEngagement>,
    path: web::Path<EngagementId>,
    Query(asked): Query<Pairs>,
) -> Result<HttpResponse> {
    let engagement = path.into_inner();
    let (name, key) = asked.into_iter().next().ok_or(Error::NotFound)?;
    let field = inline(&name)?;
    let (visible, wanted, now) = (permit.visible(), key.clone(), permit.app.clock.now());
    let (client, row, outcomes) = permit
        .read(move |conn| {
            let head = store::get_head(conn, engagement, &visible)?;
            Ok((
                head.own.client_id,
                get_procedure_by_key(conn, engagement, &wanted, &visible, now)?,
                list_outcomes(conn)?,
            ))
        })
        .await?;
    permit.check(client)?;
    if !permit.partial {
        return Ok(redirect(&format!("/engagements/{engagement}/procedures/{}#f-{}", row.id, field.name())));
    }
    let body = editor(engagement, &row, field, &outcomes).render()?;
    let mut answer = permit.html(StatusCode::OK, body)?;
    // The button stands in a form of the whole table: the answer says which cell it is for.
    let target = format!("#p-{} td:has(> [name={}])", row.id.short_key(), field.name());
    let target = target.parse().map_err(|_| Error::NotFound)?;
    answer.headers_mut().insert(actix_web::http::header::HeaderName::from_static("hx-retarget"), target);
    Ok(answer)
}

fn value(row: &ProcedureRow, field: Field) -> String {
    match field {
        Field::RedOutcome => row.red_outcome.clone().unwrap_or_default(),
        Field::BlueOutcome => row.blue_outcome.clone().unwrap_or_default(),
        Field::Severity => row.severity.map(Severity::as_str).unwrap_or_default().to_owned(),
        _ => row.status.as_str().to_owned(),
    }
}

fn choices(field: Field, held: &str, outcomes: &[Outcome]) -> Vec<Choice> {
    let choice = |value: &str, label: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        title: String::new(),
    };
    let answers = |team: Team| {
        let shown = outcomes.iter().filter(|o| o.team == team && (o.retired_at.is_none() || o.key == held));
        let own = shown.map(|o| Choice { title: o.definition.clone(), ..choice(&o.key, &o.label) });
        [choice("", "Unanswered")].into_iter().chain(own).collect()
    };
    match field {
        Field::RedOutcome => answers(Team::Red),
        Field::BlueOutcome => answers(Team::Blue),
        Field::Severity => [choice("", "No finding")]
            .into_iter()
            .chain(Severity::ALL.iter().map(|s| choice(s.as_str(), s.label())))
            .collect(),
        _ => ProcedureStatus::ALL.iter().map(|s| choice(s.as_str(), s.label())).collect(),
    }
}

fn editor(engagement: EngagementId, row: &ProcedureRow, field: Field, outcomes: &[Outcome]) -> Editor {
    let value = value(row, field);
    Editor {
        url: url(engagement, row.id, field),
        label: format!("{} of {} {}", field.label(), row.position, row.name),
        choices: choices(field, &value, outcomes),
        value,
        saved: None,
        base: row.version,
        reason: None,
        error: None,
    }
}

/// What the answers below are made of.
async fn load(
    permit: &Permit<ReadEngagement>,
    engagement: EngagementId,
    procedure: ProcedureId,
) -> Result<(Loaded, ProcedureRow)> {
    let (visible, now) = (permit.visible(), permit.app.clock.now());
    let loaded = permit
        .read(move |conn| {
            let head = store::get_head(conn, engagement, &visible)?.as_of(now);
            Ok(Loaded {
                outcomes: list_outcomes(conn)?,
                procedures: procedures_of(conn, &head, &visible, now)?,
                operators: list_operators(conn, engagement, None, &visible)?,
                ..Loaded::of(head)
            })
        })
        .await?;
    permit.check(loaded.head.own.client_id)?;
    let row = loaded.procedures.iter().find(|row| row.id == procedure).cloned().ok_or(Error::NotFound)?;
    Ok((loaded, row))
}

fn shown(
    permit: &Permit<ReadEngagement>,
    loaded: &Loaded,
    row: &ProcedureRow,
    field: Field,
    saved: bool,
) -> Result<HttpResponse> {
    let around = around(permit, loaded, None);
    let sides = around.writer.sides_of(row, &loaded.operators);
    let now = Now { at: permit.app.clock.now(), zone: loaded.head.own.zone() };
    let faces = Faces::new(&loaded.operators);
    let line = Line::new(row, loaded.head.own.id, &loaded.outcomes, &faces, (sides, None), now)?;
    let cell: Cell = line.cells.into_iter().find(|cell| cell.field == field.name()).ok_or(Error::NotFound)?;
    let progress = saved.then(|| Meter::new(&loaded.procedures, loaded.head.own.submitted_at.is_some()));
    let shown = CellShown { key: line.key, cell, saved, turn: turn_word(row, now), progress };
    permit.html(StatusCode::OK, shown.render()?)
}

/// `GET /engagements/{id}/procedures/{pid}/cell/{field}`: the value again, after Escape.
pub async fn value_of(permit: Permit<ReadEngagement>, path: Ids) -> Result<HttpResponse> {
    let (engagement, procedure, name) = path.into_inner();
    let field = inline(&name)?;
    if !permit.partial {
        return Ok(redirect(&format!("/engagements/{engagement}/procedures/{procedure}#f-{name}")));
    }
    let (loaded, row) = load(&permit, engagement, procedure).await?;
    shown(&permit, &loaded, &row, field, false)
}

/// A value chosen in the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    value: String,
    base: i32,
    #[serde(default)]
    reason: Option<String>,
}

pub async fn save(
    permit: Permit<WriteProcedure>,
    reading: Permit<ReadEngagement>,
    path: Ids,
    Form(chosen): Form<Chosen>,
) -> Result<HttpResponse> {
    let (engagement, procedure, name) = path.into_inner();
    let field = inline(&name)?;
    let saved = store_value(&permit, engagement, procedure, field, &chosen).await;
    if let Err(error @ (Error::NotFound | Error::Unavailable(_) | Error::Internal(_))) = saved {
        return Err(error);
    }
    if !permit.partial && saved.is_ok() {
        return Ok(redirect(&format!("/engagements/{engagement}#procedures")));
    }
    let (loaded, row) = load(&reading, engagement, procedure).await?;
    let refused = match saved {
        Ok(saved) => match saved.conflicts.first() {
            None => return shown(&reading, &loaded, &row, field, true),
            Some(conflict) => {
                let by = conflict.theirs_by.as_deref().unwrap_or("Somebody");
                let label = |value: &str| {
                    choices(field, value, &loaded.outcomes)
                        .into_iter()
                        .find(|c| c.value == value)
                        .map(|c| c.label)
                };
                let theirs = label(&conflict.theirs).unwrap_or_default();
                let sentence = format!(
                    "{by} chose “{theirs}” meanwhile. Save yours over it with Enter, or press Escape to \
                        keep theirs."
                );
                (StatusCode::CONFLICT, conflict.theirs_version, sentence)
            }
        },
        Err(error) => (error.status(), chosen.base, sentence(&error)),
    };
    let (status, base, error) = refused;
    let asks_reason =
        chosen.value == ProcedureStatus::NotApplicable.as_str() && status == StatusCode::UNPROCESSABLE_ENTITY;
    let now = editor(engagement, &row, field, &loaded.outcomes);
    let again = Editor {
        saved: Some(now.value.clone()),
        value: chosen.value,
        base,
        reason: asks_reason.then(|| chosen.reason.unwrap_or_default()),
        error: Some(error),
        ..now
    };
    if status == StatusCode::FORBIDDEN {
        let why = again.error.clone().unwrap_or_default();
        return Ok(refusal_noted(reading.html(status, again.render()?)?, "no_right", why));
    }
    reading.html(status, again.render()?)
}

async fn store_value(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    field: Field,
    chosen: &Chosen,
) -> Result<Saved<Field>> {
    let mut typed = vec![Typed { field, raw: chosen.value.clone(), base: chosen.base }];
    if let Some(reason) = &chosen.reason {
        typed.push(Typed { field: Field::NotApplicableReason, raw: reason.clone(), base: chosen.base });
    }
    let own = permit.clone();
    permit
        .write(move |tx| {
            let mut work = begin(tx, &own, engagement, procedure)?;
            let (sides, zone) = (work.sides, work.zone);
            let saved = save_fields(tx, &mut work, sides, &typed, zone)?;
            work.finish(tx, saved)
        })
        .await
}

/// What stands beside the control.
fn sentence(error: &Error) -> String {
    match error {
        Error::Invalid(errors) => errors.0.values().next().cloned().unwrap_or_default(),
        Error::Refused(sentence) | Error::Conflict(sentence) => sentence.clone(),
        Error::Forbidden(sentence) if !sentence.is_empty() => sentence.clone(),
        _ => "You may not change this value. Ask a lead of this engagement.".into(),
    }
}
