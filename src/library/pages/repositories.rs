//! `/library/repositories`: list, one, the form, people, copy, deletion.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::kernel::authz::{Permission, Shelf};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{PersonId, RepositoryId};
use crate::kernel::base::show;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Action, EditLibrary, Permit, ReadLibrary};
use crate::kernel::web::{Form, Frame, Section, redirect_with};
use crate::library::domain::RepositoryType;
use crate::library::repository::{Part, RepositoryField};
use crate::library::store::repositories::{
    PartChange, Repository, RepositoryText, copy_repository, delete_repository, find_uses, get_repository,
    insert_repository, list_members, list_repositories, save_repository,
};
use crate::library::views::repositories::{
    DeleteRepository, MemberLine, Repositories, RepositoryForm, RepositoryPage,
};

fn frame<A: Action>(permit: &Permit<A>, title: &str) -> Frame {
    permit
        .frame(Section::Library, title)
        .crumb("Library", "/library/procedures")
        .crumb("Repositories", "/library/repositories")
}

pub async fn list(permit: Permit<ReadLibrary>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let repositories = permit.read(move |conn| list_repositories(conn, shelf)).await?;
    let frame = permit.frame(Section::Library, "Repositories").crumb("Library", "/library/procedures");
    permit.page(&Repositories { frame, repositories, shelf })
}

pub async fn show(permit: Permit<ReadLibrary>, id: web::Path<RepositoryId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let repository = permit.read(move |conn| get_repository(conn, shelf, id)).await?;
    let frame = frame(&permit, &repository.name);
    let may_write = repository.may_write(shelf);
    permit.page(&RepositoryPage { frame, may_write, may_copy: shelf.edits(), repository })
}

/// A repository that the person may change.
async fn open(permit: &Permit<EditLibrary>, id: RepositoryId) -> Result<Repository> {
    let shelf = permit.shelf();
    let repository = permit.read(move |conn| get_repository(conn, shelf, id)).await?;
    if repository.may_write(shelf) { Ok(repository) } else { Err(Error::Forbidden(String::new())) }
}

pub async fn new(permit: Permit<EditLibrary>) -> Result<HttpResponse> {
    let text = RepositoryText { kind: RepositoryType::Open.as_str().to_owned(), ..RepositoryText::default() };
    let page = new_form(&permit, text, None, FieldErrors::default(), &[]).await?;
    permit.page(&page)
}

async fn new_form(
    permit: &Permit<EditLibrary>,
    text: RepositoryText,
    from: Option<Repository>,
    errors: FieldErrors,
    chosen: &[PartChange],
) -> Result<RepositoryForm> {
    let of = from.is_none();
    let members = if of { members(permit, None, chosen).await? } else { Vec::new() };
    let (title, action, back, button) = match &from {
        Some(from) => (
            format!("Copy {}", from.name),
            format!("/library/repositories/{}/copy", from.id),
            format!("/library/repositories/{}", from.id),
            "Copy repository",
        ),
        None => (
            "New repository".to_owned(),
            "/library/repositories/new".to_owned(),
            "/library/repositories".to_owned(),
            "Create repository",
        ),
    };
    let about = from.as_ref().map(|from| {
        format!(
            "Makes a repository of your own with copies of {}. Each remembers what it was copied from.",
            show::counted(usize::try_from(from.procedures).unwrap_or_default(), "procedure", "procedures")
        )
    });
    let mut frame = frame(permit, &title);
    if let Some(from) = &from {
        frame = frame.crumb(&from.name, back.clone());
    }
    Ok(RepositoryForm {
        frame,
        about,
        action,
        back,
        button,
        text,
        version: None,
        editing: Editing { errors, ..Editing::default() },
        members,
    })
}

/// Whom the form offers: everybody who reads the library.
async fn members(
    permit: &Permit<EditLibrary>,
    repository: Option<RepositoryId>,
    chosen: &[PartChange],
) -> Result<Vec<MemberLine>> {
    let me = permit.viewer().id;
    let members = permit.read(move |conn| list_members(conn, repository)).await?;
    let chosen: HashMap<PersonId, Option<Part>> =
        chosen.iter().map(|change| (change.person, change.chosen)).collect();
    let line = |member: crate::library::store::repositories::Member| {
        let part = chosen.get(&member.id).map_or(Part::of_text(&member.part), |part| *part);
        MemberLine { is_me: member.id == me, had: member.part.clone(), part, member }
    };
    Ok(members.into_iter().map(line).filter(|line| repository.is_some() || !line.is_me).collect())
}

/// Reads what was chosen for each person, beside what was shown.
fn parts(pairs: &Pairs) -> Result<Vec<PartChange>> {
    let had: HashMap<&str, &str> = pairs.under("had.").collect();
    pairs
        .under("person.")
        .map(|(id, chosen)| {
            let person =
                id.parse().map_err(|_| Error::Refused("One of these people is not known.".into()))?;
            let had = had.get(id).copied().unwrap_or_default();
            Ok(PartChange { person, had: Part::of_text(had), chosen: Part::of_text(chosen) })
        })
        .collect()
}

fn text(pairs: &Pairs) -> RepositoryText {
    let of = |name: &str| pairs.get(name).unwrap_or_default().to_owned();
    RepositoryText {
        name: of("name"),
        prefix: of("prefix"),
        description: of("description"),
        kind: of("type"),
    }
}

fn is_field(name: &str) -> bool {
    is_ours::<RepositoryField>(name) || name.starts_with("person.") || name.starts_with("had.")
}

pub async fn create(permit: Permit<EditLibrary>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    pairs.only(is_field)?;
    let (text, parts, shelf) = (text(&pairs), parts(&pairs)?, permit.shelf());
    let (typed, chosen) = (text.clone(), parts.clone());
    match permit.write(move |tx| insert_repository(tx, shelf, &text, &parts)).await {
        Ok(id) => Ok(redirect_with(&format!("/library/repositories/{id}"), "Repository created.")),
        Err(Error::Invalid(errors)) => {
            let page = new_form(&permit, typed, None, errors, &chosen).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn edit(permit: Permit<EditLibrary>, id: web::Path<RepositoryId>) -> Result<HttpResponse> {
    let repository = open(&permit, id.into_inner()).await?;
    let page = edit_form(&permit, repository, Editing::default(), &[]).await?;
    permit.page(&page)
}

async fn edit_form(
    permit: &Permit<EditLibrary>,
    stored: Repository,
    editing: Editing<RepositoryField>,
    chosen: &[PartChange],
) -> Result<RepositoryForm> {
    let members = members(permit, Some(stored.id), chosen).await?;
    let back = format!("/library/repositories/{}", stored.id);
    let value = |field: RepositoryField, stored: &str| editing.value(field, stored.to_owned());
    Ok(RepositoryForm {
        frame: frame(permit, "Edit repository").crumb(&stored.name, back.clone()),
        about: None,
        action: format!("{back}/edit"),
        back,
        button: "Save",
        text: RepositoryText {
            name: value(RepositoryField::Name, &stored.name),
            prefix: value(RepositoryField::Prefix, &stored.prefix),
            description: value(RepositoryField::Description, &stored.description),
            kind: value(RepositoryField::Type, stored.kind.as_str()),
        },
        version: Some(stored.version),
        editing,
        members,
    })
}

pub async fn update(
    permit: Permit<EditLibrary>,
    id: web::Path<RepositoryId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    pairs.only(is_field)?;
    let (fields, parts) = (typed(&pairs, RepositoryField::ALL), parts(&pairs)?);
    let (posted, chosen) = (fields.clone(), parts.clone());
    let saved = permit.write(move |tx| save_repository(tx, shelf, id, &fields, &parts)).await;
    let zone = permit.viewer().organisation.zone();
    let read = |field: RepositoryField, value: &str| match field {
        RepositoryField::Type => {
            value.parse().map_or(value.to_owned(), |kind: RepositoryType| kind.to_string())
        }
        _ => value.to_owned(),
    };
    match unsaved(saved, posted, zone, read)? {
        None => Ok(redirect_with(&format!("/library/repositories/{id}"), "Repository saved.")),
        Some((status, editing)) => {
            let stored = open(&permit, id).await?;
            let page = edit_form(&permit, stored, editing, &chosen).await?;
            permit.html(status, page.render()?)
        }
    }
}

pub async fn copy_form(permit: Permit<EditLibrary>, id: web::Path<RepositoryId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let from = permit.read(move |conn| get_repository(conn, shelf, id)).await?;
    let text = RepositoryText {
        name: format!("Copy of {}", from.name),
        prefix: String::new(),
        description: from.description.clone(),
        kind: RepositoryType::Open.as_str().to_owned(),
    };
    let page = new_form(&permit, text, Some(from), FieldErrors::default(), &[]).await?;
    permit.page(&page)
}

pub async fn copy(
    permit: Permit<EditLibrary>,
    id: web::Path<RepositoryId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    pairs.only(is_field)?;
    let text = text(&pairs);
    let typed = text.clone();
    match permit.write(move |tx| copy_repository(tx, shelf, id, &text)).await {
        Ok(made) => Ok(redirect_with(&format!("/library/repositories/{made}"), "Repository copied.")),
        Err(Error::Invalid(errors)) => {
            let from = permit.read(move |conn| get_repository(conn, shelf, id)).await?;
            let page = new_form(&permit, typed, Some(from), errors, &[]).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}

pub async fn delete_form(permit: Permit<EditLibrary>, id: web::Path<RepositoryId>) -> Result<HttpResponse> {
    let page = deletion(&permit, id.into_inner(), FieldErrors::default()).await?;
    permit.page(&page)
}

async fn deletion(
    permit: &Permit<EditLibrary>,
    id: RepositoryId,
    errors: FieldErrors,
) -> Result<DeleteRepository> {
    let repository = open(permit, id).await?;
    let visible = permit.visible();
    let uses = permit.read(move |conn| find_uses(conn, id, &visible)).await?;
    Ok(DeleteRepository {
        frame: frame(permit, &format!("Delete {}", repository.name))
            .crumb(&repository.name, format!("/library/repositories/{id}")),
        repository,
        reads_plans: permit.may(Permission::TestPlanRead),
        uses,
        errors,
    })
}

/// Whether the procedures may go with their repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    #[serde(default)]
    with_procedures: String,
}

pub async fn delete(
    permit: Permit<EditLibrary>,
    id: web::Path<RepositoryId>,
    Form(confirmed): Form<Confirmed>,
) -> Result<HttpResponse> {
    let (id, shelf): (RepositoryId, Shelf) = (id.into_inner(), permit.shelf());
    let with = confirmed.with_procedures == "yes";
    match permit.write(move |tx| delete_repository(tx, shelf, id, with)).await {
        Ok(name) => Ok(redirect_with("/library/repositories", &format!("Repository “{name}” deleted."))),
        Err(Error::Invalid(errors)) => {
            let page = deletion(&permit, id, errors).await?;
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, page.render()?)
        }
        Err(other) => Err(other),
    }
}
