//! Handlers of clients.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::domain::TypedClient;
use super::views::{ClientForm, Conflict, Delete, List, Show, client_differences, show_members};
use super::{assets, store};
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::ClientId;
use crate::kernel::event::about::{About, list_about};
use crate::kernel::event::views::Activity;
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
        errors,
        conflict: None,
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
    let (id, visible) = (path.into_inner(), permit.visible());
    let client = permit.read(move |conn| store::get(conn, id, &visible)).await?;
    permit.check(id)?;
    let name = client.name.clone();
    let typed = TypedClient {
        tags: client.tags.join(", "),
        name: client.name,
        description: client.description,
        contacts: client.contacts,
        version: client.version,
    };
    permit.page(&edit_form(&permit, (id, &name), typed, FieldErrors::default(), None))
}

fn edit_form(
    permit: &Permit<EditClient>,
    (id, name): (ClientId, &str),
    typed: TypedClient,
    errors: FieldErrors,
    conflict: Option<Conflict>,
) -> ClientForm {
    ClientForm {
        frame: permit
            .frame(Section::Clients, "Edit client")
            .crumb("Clients", "/clients")
            .crumb(name, format!("/clients/{id}")),
        action: format!("/clients/{id}/edit"),
        cancel: format!("/clients/{id}"),
        button: "Save",
        typed,
        errors,
        conflict,
    }
}

pub async fn update(
    permit: Permit<EditClient>,
    path: web::Path<ClientId>,
    Form(typed): Form<TypedClient>,
) -> Result<HttpResponse> {
    let (id, visible, version) = (path.into_inner(), permit.visible(), typed.version);
    permit.check(id)?;
    let saved = match typed.check() {
        Ok(text) => permit.write(move |tx| store::save(tx, id, &visible, &text, version)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(redirect_with(&format!("/clients/{id}"), "Client saved.")),
        Err(Error::Invalid(errors)) => {
            let visible = permit.visible();
            let stored = permit.read(move |conn| store::get(conn, id, &visible)).await?;
            let page = edit_form(&permit, (id, &stored.name), typed, errors, None);
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(Error::Conflict(sentence)) => {
            let visible = permit.visible();
            let stored = permit.read(move |conn| store::get(conn, id, &visible)).await?;
            let theirs = client_differences(&stored, &typed);
            // The form goes on from the stored version: saving again is then a decision, made with both
            // values in sight.
            let typed = TypedClient { version: stored.version, ..typed };
            let conflict = Some(Conflict { sentence, theirs });
            let page = edit_form(&permit, (id, &stored.name), typed, FieldErrors::default(), conflict);
            permit.html(StatusCode::CONFLICT, page.render()?)
        }
        Err(other) => Err(other),
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
