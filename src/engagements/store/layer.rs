//! An engagement as a layer of the ATT&CK Navigator.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::show::{Head, get_head};
use crate::imports::layer::{Layer, LayerContent, LegendItem, Mark, Metadata, UNSCORED, color_of, layer};
use crate::imports::layers::places;
use crate::kernel::authz::Visible;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{ClientId, EngagementId};
use crate::kernel::base::query::prelude::*;
use crate::kernel::base::team::Team;
use crate::kernel::db::schema::engagements;
use crate::kernel::event::domain::{Event, Kind};
use crate::procedures::store::runbook::{ProcedureRow, list_procedures};
use crate::settings::domain::Outcome;
use crate::settings::store::list_outcomes;

/// The layer of an engagement of one of these clients, for the release that it was made with. A technique has
/// the weakest of its procedures' scores: what was missed once is not covered.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`]
pub fn engagement_layer(
    conn: &mut PgConnection,
    id: EngagementId,
    visible: &Visible,
    now: DateTime<Utc>,
) -> Result<(Head, Layer)> {
    let head = get_head(conn, id, visible)?;
    let procedures = list_procedures(conn, id, visible, now)?;
    let outcomes = list_outcomes(conn)?;
    let places = places(conn, &head.own.attack_version)?;
    let content = LayerContent {
        name: head.own.title.clone(),
        description: format!(
            "{}, {}. Score: what blue saw, from 0 to 100.",
            head.client_name, head.own.title
        ),
        attack: head.own.attack_version.clone(),
        marks: marks(&procedures, &outcomes),
        legend: legend(&outcomes),
    };
    Ok((head, layer(content, &places)))
}

/// The client of an engagement that was not deleted, for who may see every client: the command line.
///
/// # Errors
/// [`crate::kernel::base::error::Error::NotFound`]
pub fn client_of(conn: &mut PgConnection, id: EngagementId) -> Result<ClientId> {
    Ok(engagements::table
        .find(id)
        .filter(engagements::deleted_at.is_null())
        .select(engagements::client_id)
        .first(conn)?)
}

fn find<'o>(outcomes: &'o [Outcome], team: Team, key: Option<&str>) -> Option<&'o Outcome> {
    let key = key?;
    outcomes.iter().find(|outcome| outcome.team == team && outcome.key == key)
}

fn label(outcome: Option<&Outcome>) -> &str {
    outcome.map_or("Unanswered", |outcome| outcome.label.as_str())
}

fn marks(procedures: &[ProcedureRow], outcomes: &[Outcome]) -> BTreeMap<String, Mark> {
    let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
    for procedure in procedures {
        let red = find(outcomes, Team::Red, procedure.red_outcome.as_deref());
        let blue = find(outcomes, Team::Blue, procedure.blue_outcome.as_deref());
        let line =
            format!("{}. {}: red {}, blue {}", procedure.position, procedure.name, label(red), label(blue));
        // What was not tried says nothing of blue.
        let tried = red.is_none_or(|red| red.meaning.attempted);
        let score = blue.filter(|_| tried).and_then(|blue| blue.meaning.score);
        let score = score.and_then(|score| u8::try_from(score).ok());
        for technique in &procedure.technique_ids {
            let mark = marks.entry(technique.clone()).or_default();
            mark.score = match (mark.score, score) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if !mark.comment.is_empty() {
                mark.comment.push('\n');
            }
            mark.comment.push_str(&line);
            mark.metadata.push(Metadata {
                name: format!("Procedure {}", procedure.position),
                value: format!("{}: {}", label(blue), procedure.status.label()),
            });
        }
    }
    marks
}

/// Blue's outcomes that count, and what has no score.
fn legend(outcomes: &[Outcome]) -> Vec<LegendItem> {
    let scored = outcomes.iter().filter(|outcome| outcome.team == Team::Blue).filter_map(|outcome| {
        let score = u8::try_from(outcome.meaning.score?).ok()?;
        Some(LegendItem { label: format!("{} ({score})", outcome.label), color: color_of(score) })
    });
    let unscored =
        LegendItem { label: "Unanswered, or without a score".to_owned(), color: UNSCORED.to_owned() };
    scored.chain([unscored]).collect()
}

/// The event of an export.
pub fn export_event(head: &Head) -> Event {
    let own = &head.own;
    Event::new(Kind::LayerExported, format!("Exported a Navigator layer of “{}”", own.title))
        .subject("engagement", own.id.0, &own.title)
        .engagement(own.client_id, own.id)
        .detail(json!({ "format": "navigator 4.5", "attack": own.attack_version }))
}
