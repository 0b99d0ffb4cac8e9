//! Handlers of a procedure's assets.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::place::{self, Ids};
use crate::clients::domain::TypedAsset;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{AssetId, EngagementId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::web::permit::{Action, Permit, ReadEngagement, WriteProcedure};
use crate::kernel::web::{Form, Query, redirect, redirect_with};
use crate::procedures::store::assets::{self, Own};
use crate::procedures::store::place::Head;
use crate::procedures::store::work::{self, Work};
use crate::procedures::views::assets::{AddAssets, Assets, EditAsset, Side};
use crate::settings::domain::Outcome;
use crate::settings::store::list_choices;

type AssetIds = web::Path<(EngagementId, ProcedureId, AssetId)>;

/// `GET …/assets`: the card, for htmx; everybody else goes to the procedure's page.
pub async fn list(permit: Permit<ReadEngagement>, path: Ids) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    if permit.partial {
        card(&permit, engagement, procedure, None).await
    } else {
        Ok(redirect(&back(engagement, procedure)))
    }
}

async fn card<A: Action>(
    permit: &Permit<A>,
    engagement: EngagementId,
    procedure: ProcedureId,
    saved: Option<&'static str>,
) -> Result<HttpResponse> {
    let (head, assets) = place::read(permit, engagement, procedure, |conn, head| {
        assets::list_for_procedure(conn, head.procedure)
    })
    .await?;
    let view = Assets::new(&place::of(permit, &head), assets);
    permit.page(&match saved {
        Some(word) => view.saved(word),
        None => view,
    })
}

fn back(engagement: EngagementId, procedure: ProcedureId) -> String {
    format!("/engagements/{engagement}/procedures/{procedure}#assets")
}

/// Search of the picker.
#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    part: String,
    /// Those ticked so far.
    #[serde(default)]
    asset: Vec<AssetId>,
}

pub async fn new(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Query(search): Query<Search>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let page = picker(
        &permit,
        engagement,
        procedure,
        (search.q, search.asset),
        TypedAsset::default(),
        FieldErrors::default(),
    )
    .await?;
    let body = match (permit.partial, search.part.as_str()) {
        (true, "candidates") => page.as_candidates().render()?,
        (true, _) => page.as_form().render()?,
        (false, _) => page.render()?,
    };
    permit.html(StatusCode::OK, body)
}

async fn picker(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    (q, ticked): (String, Vec<AssetId>),
    typed: TypedAsset,
    errors: FieldErrors,
) -> Result<AddAssets> {
    let (words, chosen) = (q.clone(), ticked.clone());
    let read = move |conn: &mut diesel::PgConnection, head: &Head| {
        works(head)?;
        if !head.sides.shared {
            return Err(Error::Forbidden(assets::NOT_SHARED.into()));
        }
        assets::list_candidates(conn, head.client, head.procedure, &words, &chosen)
    };
    let (head, candidates) = place::read(permit, engagement, procedure, read).await?;
    Ok(AddAssets {
        frame: place::frame(permit, &head, "Add assets"),
        url: place::of(permit, &head).url(),
        procedure: place::named(&head),
        candidates,
        q,
        ticked,
        creates: permit.may_at(P::AssetEdit, head.client),
        typed,
        errors,
        inline: permit.partial,
    })
}

fn works(head: &Head) -> Result<()> {
    match &head.closed {
        Some(closed) => Err(Error::Refused(closed.clone())),
        None if head.sides.any() => Ok(()),
        None => Err(Error::Forbidden("You are not assigned to a side of this procedure.".into())),
    }
}

async fn write(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    change: impl FnOnce(&mut WriteTx<'_>, &mut Work) -> Result<()> + Send + 'static,
) -> Result<()> {
    let held = permit.clone();
    let write = move |tx: &mut WriteTx<'_>| -> Result<Audited<()>> {
        let mut work = work::begin(tx, &held, engagement, procedure)?;
        change(tx, &mut work)?;
        work.finish(tx, ())
    };
    permit.write(write).await
}

async fn done(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    word: &'static str,
) -> Result<HttpResponse> {
    if permit.partial {
        card(permit, engagement, procedure, Some(word)).await
    } else {
        Ok(redirect_with(&back(engagement, procedure), &format!("{word}.")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    #[serde(default)]
    asset: Vec<AssetId>,
}

pub async fn add(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(chosen): Form<Chosen>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let added =
        write(&permit, engagement, procedure, move |tx, work| assets::add(tx, work, &chosen.asset)).await;
    match added {
        Ok(()) => done(&permit, engagement, procedure, "Assets added").await,
        Err(error) => pick_again(&permit, engagement, procedure, TypedAsset::default(), error).await,
    }
}

pub async fn create(
    permit: Permit<WriteProcedure>,
    path: Ids,
    Form(typed): Form<TypedAsset>,
) -> Result<HttpResponse> {
    let (engagement, procedure) = path.into_inner();
    let created = match typed.check() {
        Ok(text) => {
            let held = permit.clone();
            let change = move |tx: &mut WriteTx<'_>, work: &mut Work| {
                if !held.may_at(P::AssetEdit, work.client) {
                    return Err(Error::Forbidden("Your role at this client does not create assets.".into()));
                }
                assets::create(tx, work, &text)
            };
            write(&permit, engagement, procedure, change).await
        }
        Err(error) => Err(error),
    };
    match created {
        Ok(()) => done(&permit, engagement, procedure, "Asset created and added").await,
        Err(error) => pick_again(&permit, engagement, procedure, typed, error).await,
    }
}

async fn pick_again(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    typed: TypedAsset,
    error: Error,
) -> Result<HttpResponse> {
    let Error::Invalid(errors) = error else { return Err(error) };
    let page = picker(permit, engagement, procedure, Default::default(), typed, errors).await?;
    permit.html(
        StatusCode::UNPROCESSABLE_ENTITY,
        if permit.partial { page.as_form().render()? } else { page.render()? },
    )
}

pub async fn edit(permit: Permit<WriteProcedure>, path: AssetIds) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    let page = form(&permit, engagement, procedure, id, None).await?;
    permit.html(StatusCode::OK, if permit.partial { page.as_form().render()? } else { page.render()? })
}

async fn form(
    permit: &Permit<WriteProcedure>,
    engagement: EngagementId,
    procedure: ProcedureId,
    id: AssetId,
    typed: Option<Own>,
) -> Result<EditAsset> {
    let read = move |conn: &mut diesel::PgConnection, head: &Head| {
        works(head)?;
        let all = assets::list_for_procedure(conn, head.procedure)?;
        let several = all.len() > 1;
        let asset = all.into_iter().find(|a| a.id == id).ok_or(Error::NotFound)?;
        let mut choices = Vec::new();
        for team in [Team::Red, Team::Blue] {
            let held = if team == Team::Red { asset.red.as_ref() } else { asset.blue.as_ref() }
                .map(|o| o.key.clone());
            if head.sides.may_write_team(team) && (several || held.is_some()) {
                choices.push((team, list_choices(conn, team, held.as_deref())?));
            }
        }
        Ok((asset, choices))
    };
    let (head, (asset, choices)) = place::read(permit, engagement, procedure, read).await?;
    let shown = Own::of(&asset);
    let typed = typed.unwrap_or_else(|| shown.clone());
    Ok(EditAsset {
        frame: place::frame(permit, &head, &asset.name),
        url: place::of(permit, &head).url(),
        procedure: place::named(&head),
        sides: choices.into_iter().map(|(team, choices)| side(team, choices, &typed, &shown)).collect(),
        chooses: head.sides.shared,
        asset,
        typed,
        shown,
        errors: FieldErrors::default(),
        problem: None,
        inline: permit.partial,
    })
}

fn side(team: Team, choices: Vec<Outcome>, typed: &Own, shown: &Own) -> Side {
    match team {
        Team::Red => Side {
            name: "red_outcome",
            was: "was_red",
            team,
            choices,
            chosen: typed.red.clone(),
            shown: shown.red.clone(),
        },
        Team::Blue => Side {
            name: "blue_outcome",
            was: "was_blue",
            team,
            choices,
            chosen: typed.blue.clone(),
            shown: shown.blue.clone(),
        },
    }
}

/// An asset's own outcomes as typed, and as they were shown.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedOwn {
    #[serde(default)]
    red_outcome: String,
    #[serde(default)]
    was_red: String,
    #[serde(default)]
    blue_outcome: String,
    #[serde(default)]
    was_blue: String,
    #[serde(default)]
    in_finding: Option<String>,
    #[serde(default)]
    was_in_finding: Option<String>,
}

pub async fn update(
    permit: Permit<WriteProcedure>,
    path: AssetIds,
    Form(typed): Form<TypedOwn>,
) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    let shown = Own { red: typed.was_red, blue: typed.was_blue, in_finding: typed.was_in_finding.is_some() };
    let now =
        Own { red: typed.red_outcome, blue: typed.blue_outcome, in_finding: typed.in_finding.is_some() };
    let kept = now.clone();
    let saved =
        write(&permit, engagement, procedure, move |tx, work| assets::save(tx, work, id, &shown, &now)).await;
    let error = match saved {
        Ok(()) => return done(&permit, engagement, procedure, "Asset saved").await,
        Err(error) => error,
    };
    let status = error.status();
    let mut page = form(&permit, engagement, procedure, id, Some(kept)).await?;
    match error {
        Error::Invalid(errors) => page.errors = errors,
        Error::Conflict(sentence) => page.problem = Some(sentence),
        other => return Err(other),
    }
    permit.html(status, if permit.partial { page.as_form().render()? } else { page.render()? })
}

/// `POST …/assets/{asset}/removal`: the asset stays the client's; adding it again takes one click.
pub async fn remove(permit: Permit<WriteProcedure>, path: AssetIds) -> Result<HttpResponse> {
    let (engagement, procedure, id) = path.into_inner();
    write(&permit, engagement, procedure, move |tx, work| assets::remove(tx, work, id)).await?;
    done(&permit, engagement, procedure, "Asset removed").await
}
