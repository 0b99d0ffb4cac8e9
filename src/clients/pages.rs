//! Handlers of clients.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::domain::{ClientField, TypedClient};
use super::store::Client;
use super::views::{ClientForm, Delete, List, Show, show_members};
use super::{assets, store};
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::ClientId;
use crate::kernel::event::about::{About, list_about};
use crate::kernel::event::views::Activity;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::Columns;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{CreateClient, EditClient, Permit, ReadClient};
use crate::kernel::web::{Form, Query, Section, redirect_with};

/// Events that Activity shows.
const EVENTS: i64 = 20;

/// Filter of the list.
#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    tag: String,
}

pub async fn list(permit: Permit<ReadClient>, Query(filter): Query<Filter>) -> Result<HttpResponse> {
    let visible = permit.clients();
    let (q, tag) = (filter.q.clone(), filter.tag.trim().to_lowercase());
    let clients = permit.read(move |conn| store::list(conn, &visible, &q, &tag)).await?;
    let page = List {
        frame: permit.frame(Section::Clients, "Clients"),
        clients,
        q: filter.q,
        tag: filter.tag,
        may_create: permit.may(Permission::ClientCreate),
        zone: permit.viewer().organisation.zone(),
    };
    if permit.partial { permit.html(StatusCode::OK, page.as_results().render()?) } else { permit.page(&page) }
}

pub async fn new(permit: Permit<CreateClient>) -> Result<HttpResponse> {
    permit.page(&new_form(&permit, TypedClient::default(), FieldErrors::default()))
}

fn new_form(permit: &Permit<CreateClient>, typed: TypedClient, errors: FieldErrors) -> ClientForm {
    ClientForm {
        frame: permit.frame(Section::Clients, "New client").crumb("Clients", "/clients"),
        action: "/clients/new".into(),
        cancel: "/clients".into(),
        button: "Create client",
        typed,
        editing: Editing { errors, ..Editing::default() },
    }
}

pub async fn create(permit: Permit<CreateClient>, Form(typed): Form<TypedClient>) -> Result<HttpResponse> {
    let saved = match typed.check() {
        Ok(text) => {
            let held = permit.clone();
            permit.write(move |tx| store::insert(tx, &held, &text)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(id) => Ok(redirect_with(&format!("/clients/{id}"), "Client created. You are its first member.")),
        Err(Error::Invalid(errors)) => {
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, new_form(&permit, typed, errors).render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn show(permit: Permit<ReadClient>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    let reads_engagements = permit.may_at(Permission::EngagementRead, id);
    let reads_log = permit.viewer().rights.may(Permission::AuditLogRead)
        || permit.may_at(Permission::AuditLogReadClient, id);
    let (client, assets, members, engagements, events) = permit
        .read(move |conn| {
            let client = store::get(conn, id, &visible)?;
            let engagements = if reads_engagements { store::list_engagements(conn, id)? } else { Vec::new() };
            let events = if reads_log { list_about(conn, About::Client(id), EVENTS)? } else { Vec::new() };
            Ok((client, assets::store::list(conn, id)?, store::list_members(conn, id)?, engagements, events))
        })
        .await?;
    permit.check(id)?;
    let zone = permit.viewer().organisation.zone();
    permit.page(&Show {
        frame: permit.frame(Section::Clients, &client.name).crumb("Clients", "/clients"),
        members: show_members(members, zone),
        may_edit: permit.may_at(Permission::ClientEdit, id),
        may_edit_assets: permit.may_at(Permission::AssetEdit, id),
        may_give_access: permit.viewer().rights.may(Permission::AccessManage),
        may_give_here: permit.may_at(Permission::AccessGive, id),
        may_plan: permit.may_at(Permission::EngagementPlan, id),
        reads_engagements,
        activity: reads_log.then(|| Activity { rows: events, reads_log, zone, ..Activity::default() }),
        client,
        assets,
        engagements,
        zone,
    })
}

pub async fn edit(permit: Permit<EditClient>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let client = get(&permit, path.into_inner()).await?;
    permit.page(&edit_form(&permit, &client, Editing::default()))
}

async fn get(permit: &Permit<EditClient>, id: ClientId) -> Result<Client> {
    let visible = permit.visible();
    let client = permit.read(move |conn| store::get(conn, id, &visible)).await?;
    permit.check(id)?;
    Ok(client)
}

fn edit_form(permit: &Permit<EditClient>, client: &Client, editing: Editing<ClientField>) -> ClientForm {
    let url = format!("/clients/{}", client.id);
    let value = |field| editing.value(field, client.get(field));
    ClientForm {
        frame: permit
            .frame(Section::Clients, "Edit client")
            .crumb("Clients", "/clients")
            .crumb(&client.name, &url),
        action: format!("{url}/edit"),
        cancel: url,
        button: "Save",
        typed: TypedClient {
            name: value(ClientField::Name),
            description: value(ClientField::Description),
            contacts: value(ClientField::Contacts),
            tags: value(ClientField::Tags),
        },
        editing: Editing { version: client.version, ..editing },
    }
}

pub async fn update(
    permit: Permit<EditClient>,
    path: web::Path<ClientId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    permit.check(id)?;
    pairs.only(is_ours::<ClientField>)?;
    let typed = typed(&pairs, ClientField::ALL);
    let fields = typed.clone();
    let saved = permit.write(move |tx| store::save(tx, id, &visible, &fields)).await;
    let zone = permit.viewer().organisation.zone();
    match unsaved(saved, typed, zone, |_, value| value.to_owned())? {
        None => Ok(redirect_with(&format!("/clients/{id}"), "Client saved.")),
        Some((status, editing)) => {
            let client = get(&permit, id).await?;
            permit.html(status, edit_form(&permit, &client, editing).render()?)
        }
    }
}

pub async fn delete_page(permit: Permit<EditClient>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    let (client, hanging, members) = permit
        .read(move |conn| {
            Ok((
                store::get(conn, id, &visible)?,
                store::find_hanging(conn, id)?,
                store::list_members(conn, id)?,
            ))
        })
        .await?;
    permit.check(id)?;
    permit.page(&Delete {
        frame: permit
            .frame(Section::Clients, "Delete client")
            .crumb("Clients", "/clients")
            .crumb(&client.name, format!("/clients/{id}")),
        heading: format!("Delete {}?", client.name),
        goes: format!(
            "The client goes, with the access of {}. This cannot be undone.",
            people(members.len())
        ),
        hanging: hanging.sentence(),
        action: format!("/clients/{id}/delete"),
        cancel: format!("/clients/{id}"),
        button: "Delete client",
    })
}

fn people(n: usize) -> String {
    if n == 1 { "1 person".into() } else { format!("{n} people") }
}

pub async fn delete(permit: Permit<EditClient>, path: web::Path<ClientId>) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    permit.check(id)?;
    let name = permit.write(move |tx| store::delete(tx, id, &visible)).await?;
    Ok(redirect_with("/clients", &format!("Client “{name}” deleted.")))
}
