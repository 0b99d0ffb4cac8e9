//! Handlers of a client's assets.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::lines::Line;
use super::store;
use crate::clients::domain::{AssetField, TypedAsset, read_asset};
use crate::clients::store as clients;
use crate::clients::views::{AssetForm, AssetLines, Delete};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AssetId, ClientId};
use crate::kernel::base::show;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::Columns;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{EditAsset, Permit};
use crate::kernel::web::{Form, Frame, Section, redirect_with};

pub async fn new(permit: Permit<EditAsset>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let (client, visible) = (path.into_inner(), permit.visible());
    permit.read(move |conn| clients::get(conn, client, &visible)).await?;
    permit.check(client)?;
    let page = form(&permit, client, None, TypedAsset::default(), Editing::default()).await?;
    permit.page(&page)
}

/// Pasted lines, and what is to be done with them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pasted {
    #[serde(default)]
    lines: String,
    /// `fine` creates those that are fine where others are not.
    #[serde(default, rename = "do")]
    act: String,
}

/// `GET /clients/{client}/assets/lines`: many assets at once.
pub async fn lines(permit: Permit<EditAsset>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let (client, visible) = (path.into_inner(), permit.visible());
    permit.read(move |conn| clients::get(conn, client, &visible)).await?;
    permit.check(client)?;
    let page = lines_page(&permit, client, String::new(), Vec::new(), 0).await?;
    permit.page(&page)
}

async fn lines_page(
    permit: &Permit<EditAsset>,
    client: ClientId,
    pasted: String,
    read: Vec<Line>,
    created: usize,
) -> Result<AssetLines> {
    Ok(AssetLines {
        frame: frame(permit, "Paste assets", client).await?,
        action: format!("/clients/{client}/assets/lines"),
        cancel: format!("/clients/{client}#assets"),
        pasted,
        read,
        created,
        fault: None,
    })
}

pub async fn create_lines(
    permit: Permit<EditAsset>,
    path: web::Path<ClientId>,
    Form(typed): Form<Pasted>,
) -> Result<HttpResponse> {
    let (client, visible) = (path.into_inner(), permit.visible());
    permit.check(client)?;
    let (pasted, all) = (typed.lines.clone(), typed.act != "fine");
    let read = permit.write(move |tx| store::create_lines(tx, client, &visible, &pasted, all)).await?;
    let faults = read.iter().filter(|line| line.read.is_err()).count();
    let fine = read.len() - faults;
    if faults == 0 && fine > 0 {
        let told = format!("{} created.", show::counted(fine, "asset", "assets"));
        return Ok(redirect_with(&format!("/clients/{client}#assets"), &told));
    }
    // What was created is no more in the field; what was not still is.
    let (left, created) = if all {
        (typed.lines, 0)
    } else {
        let left = read.iter().filter(|line| line.read.is_err()).map(|line| line.raw.as_str());
        (left.collect::<Vec<_>>().join("\n"), fine)
    };
    let mut page = lines_page(&permit, client, left, read, created).await?;
    if page.read.is_empty() {
        page.fault = Some("There is no asset in these lines. Write one a line.");
    }
    permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
}

async fn frame(permit: &Permit<EditAsset>, title: &str, client: ClientId) -> Result<Frame> {
    let visible = permit.visible();
    let name = permit.read(move |conn| Ok(clients::get(conn, client, &visible)?.name)).await?;
    let frame = permit.frame(Section::Clients, title).crumb("Clients", "/clients");
    Ok(frame.crumb(name, format!("/clients/{client}")))
}

async fn form(
    permit: &Permit<EditAsset>,
    client: ClientId,
    asset: Option<AssetId>,
    typed: TypedAsset,
    editing: Editing<AssetField>,
) -> Result<AssetForm> {
    let (title, button) =
        if asset.is_some() { ("Edit asset", "Save") } else { ("New asset", "Create asset") };
    let own = asset.map_or_else(|| "new".to_owned(), |id| id.to_string());
    Ok(AssetForm {
        frame: frame(permit, title, client).await?,
        action: format!("/clients/{client}/assets/{own}"),
        cancel: format!("/clients/{client}#assets"),
        delete: asset.map(|id| format!("/clients/{client}/assets/{id}/delete")),
        button,
        typed,
        errors: editing.errors.clone(),
        editing,
    })
}

pub async fn create(
    permit: Permit<EditAsset>,
    path: web::Path<ClientId>,
    Form(typed): Form<TypedAsset>,
) -> Result<HttpResponse> {
    let (client, visible) = (path.into_inner(), permit.visible());
    permit.check(client)?;
    let saved = match typed.check() {
        Ok(text) => permit.write(move |tx| store::create(tx, client, &visible, &text)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with(&format!("/clients/{client}#assets"), "Asset created.")),
        Err(Error::Invalid(errors)) => {
            let editing = Editing { errors, ..Editing::default() };
            let page = form(&permit, client, None, typed, editing).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn edit(permit: Permit<EditAsset>, path: web::Path<(ClientId, AssetId)>) -> Result<HttpResponse> {
    let (client, id) = path.into_inner();
    permit.page(&edit_form(&permit, client, id, Editing::default()).await?)
}

async fn edit_form(
    permit: &Permit<EditAsset>,
    client: ClientId,
    id: AssetId,
    editing: Editing<AssetField>,
) -> Result<AssetForm> {
    let visible = permit.visible();
    let asset = permit.read(move |conn| store::get(conn, client, id, &visible)).await?;
    permit.check(client)?;
    let value = |field| editing.value(field, asset.get(field));
    let typed = TypedAsset {
        name: value(AssetField::Name),
        kind: value(AssetField::Kind),
        criticality: value(AssetField::Criticality),
        address: value(AssetField::Address),
        description: value(AssetField::Description),
        tags: value(AssetField::Tags),
    };
    form(permit, client, Some(id), typed, Editing { version: asset.version, ..editing }).await
}

pub async fn update(
    permit: Permit<EditAsset>,
    path: web::Path<(ClientId, AssetId)>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let ((client, id), visible) = (path.into_inner(), permit.visible());
    permit.check(client)?;
    pairs.only(is_ours::<AssetField>)?;
    let typed = typed(&pairs, AssetField::ALL);
    let fields = typed.clone();
    let saved = permit.write(move |tx| store::save(tx, client, id, &visible, &fields)).await;
    let zone = permit.viewer().organisation.zone();
    match unsaved(saved, typed, zone, read_asset)? {
        None => Ok(redirect_with(&format!("/clients/{client}#assets"), "Asset saved.")),
        Some((status, editing)) => {
            permit.html(status, edit_form(&permit, client, id, editing).await?.render()?)
        }
    }
}

pub async fn delete_page(
    permit: Permit<EditAsset>,
    path: web::Path<(ClientId, AssetId)>,
) -> Result<HttpResponse> {
    let ((client, id), visible) = (path.into_inner(), permit.visible());
    let (asset, uses) = permit
        .read(move |conn| Ok((store::get(conn, client, id, &visible)?, store::find_uses(conn, id)?)))
        .await?;
    permit.check(client)?;
    permit.page(&Delete {
        frame: frame(&permit, "Delete asset", client).await?,
        heading: format!("Delete {}?", asset.name),
        goes: "The asset goes, with its address and description. This cannot be undone.".into(),
        hanging: uses.sentence(),
        action: format!("/clients/{client}/assets/{id}/delete"),
        cancel: format!("/clients/{client}/assets/{id}"),
        button: "Delete asset",
    })
}

pub async fn delete(permit: Permit<EditAsset>, path: web::Path<(ClientId, AssetId)>) -> Result<HttpResponse> {
    let ((client, id), visible) = (path.into_inner(), permit.visible());
    permit.check(client)?;
    let name = permit.write(move |tx| store::delete(tx, client, id, &visible)).await?;
    Ok(redirect_with(&format!("/clients/{client}#assets"), &format!("Asset “{name}” deleted.")))
}
