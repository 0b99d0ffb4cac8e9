//! Manage operators of one procedure.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{EngagementId, PersonId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::merge::set::SetChange;
use crate::kernel::web::permit::{Permit, PlanEngagement};
use crate::kernel::web::{Form, Section, redirect_with};
use crate::procedures::store::runbook::list_operators;
use crate::procedures::store::{page, parts};
use crate::procedures::views::page::url;
use crate::procedures::views::{Operators, Pick, PickSide};

type Ids = web::Path<(EngagementId, ProcedureId)>;

pub async fn edit(permit: Permit<PlanEngagement>, path: Ids) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    permit.page(&picker(&permit, engagement, procedure, None, None).await?)
}

type Ticks = SetChange<(PersonId, Team)>;

async fn picker(
    permit: &Permit<PlanEngagement>,
    engagement: EngagementId,
    procedure: ProcedureId,
    problem: Option<String>,
    refused: Option<&Ticks>,
) -> Result<Operators> {
    let visible = permit.visible();
    let (shown, operators, people) = permit
        .read(move |conn| {
            let shown = page::get(conn, engagement, procedure, &visible)?;
            Ok((
                shown,
                list_operators(conn, engagement, Some(procedure), &visible)?,
                page::list_candidates(conn, engagement, procedure)?,
            ))
        })
        .await?;
    permit.check(shown.engagement.client_id)?;
    let own: BTreeSet<(PersonId, Team)> =
        operators.iter().filter(|o| o.is_own()).map(|o| (o.person_id, o.team)).collect();
    let ticked = refused.map_or_else(|| own.clone(), |change| change.on(own.iter().copied()));
    let side = |team: Team| {
        let of_engagement: Vec<(PersonId, &str)> = operators
            .iter()
            .filter(|o| !o.is_own() && o.team == team)
            .map(|o| (o.person_id, o.name.as_str()))
            .collect();
        let names: Vec<&str> = of_engagement.iter().map(|(_, name)| *name).collect();
        let names_none = |ticks: &BTreeSet<(PersonId, Team)>| !ticks.iter().any(|(_, side)| *side == team);
        // Who works on it now is ticked: those whom it names itself, and else the engagement's.
        let inherits = names_none(&own);
        let inherited = |id: PersonId| of_engagement.iter().any(|(person, _)| *person == id);
        let shows_inherited = inherits && names_none(&ticked);
        let pick = |c: &page::Candidate| Pick {
            id: c.id.to_string(),
            name: c.name.clone(),
            role: c.role.clone(),
            ticked: if shows_inherited { inherited(c.id) } else { ticked.contains(&(c.id, team)) },
            had: if inherits { inherited(c.id) } else { own.contains(&(c.id, team)) },
        };
        PickSide {
            class: team.as_str(),
            label: team.label(),
            inherited: if names.is_empty() { "nobody".to_owned() } else { names.join(", ") },
            inherits,
            people: people.iter().map(pick).collect(),
        }
    };
    Ok(Operators {
        frame: permit
            .frame(Section::Engagements, "Manage operators")
            .crumb("Engagements", "/engagements")
            .crumb(&shown.engagement.title, format!("/engagements/{engagement}"))
            .crumb(&shown.procedure.name, url(engagement, procedure)),
        position: shown.procedure.position,
        name: shown.procedure.name,
        problem,
        sides: vec![side(Team::Red), side(Team::Blue)],
        back: url(engagement, procedure),
    })
}

/// Ticks, and as they were shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticked {
    #[serde(default)]
    red: Vec<PersonId>,
    #[serde(default)]
    blue: Vec<PersonId>,
    #[serde(default)]
    had_red: Vec<PersonId>,
    #[serde(default)]
    had_blue: Vec<PersonId>,
    /// Sides whose ticks were shown as the engagement's.
    #[serde(default)]
    inherits: Vec<Team>,
}

/// What changes on a side. Where the engagement's operators were shown, ticks that were left alone change
/// nothing, and any others are all the procedure's own.
fn side_change(
    had: Vec<PersonId>,
    ticked: Vec<PersonId>,
    inherits: bool,
) -> (BTreeSet<PersonId>, BTreeSet<PersonId>) {
    let (had, ticked): (BTreeSet<_>, BTreeSet<_>) = (had.into_iter().collect(), ticked.into_iter().collect());
    match (inherits, had == ticked) {
        (_, true) => (BTreeSet::new(), BTreeSet::new()),
        (true, false) => (BTreeSet::new(), ticked),
        (false, false) => (had, ticked),
    }
}

pub async fn update(
    permit: Permit<PlanEngagement>,
    path: Ids,
    Form(ticked): Form<Ticked>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let of = |red: BTreeSet<PersonId>, blue: BTreeSet<PersonId>| {
        let red = red.into_iter().map(|person| (person, Team::Red));
        red.chain(blue.into_iter().map(|person| (person, Team::Blue)))
    };
    let is_inherited = |team| ticked.inherits.contains(&team);
    let (red_inherits, blue_inherits) = (is_inherited(Team::Red), is_inherited(Team::Blue));
    let (had_red, red) = side_change(ticked.had_red, ticked.red, red_inherits);
    let (had_blue, blue) = side_change(ticked.had_blue, ticked.blue, blue_inherits);
    let change = Ticks::between(of(had_red, had_blue), of(red, blue));
    let (write, refused) = (permit.clone(), change.clone());
    match permit.write(move |tx| parts::save_operators(tx, &write, engagement, procedure, &change)).await {
        Ok(()) => Ok(redirect_with(&url(engagement, procedure), "Operators saved.")),
        Err(Error::Refused(why)) => {
            let page = picker(&permit, engagement, procedure, Some(why), Some(&refused)).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}
