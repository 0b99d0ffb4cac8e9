//! A team's own methodologies, tactics and techniques: `/library/methodologies/{id}`, the forms under
//! `…/new`, `/library/terms/{id}/edit` and `/delete`. An own technique's page is [`technique`], at ATT&CK's
//! address.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::TermId;
use crate::kernel::merge::form::{Editing, is_ours, typed, unsaved};
use crate::kernel::merge::record::{Saved, Typed};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{EditLibrary, Permit, ReadLibrary};
use crate::kernel::web::{Form, Frame, Query, Section, redirect_with};
use crate::library::store::terms::{self as store, Named, Own};
use crate::library::store::{Search, count, search};
use crate::library::terms::{TermField, TermKind, TermText};
use crate::library::views::terms::{DeleteTerm, MethodologyPage, Outline, OwnTechnique, TermForm};

/// Procedures that a technique's page lists; the rest is a link away.
const PROCEDURES: i64 = 25;

pub async fn methodology(permit: Permit<ReadLibrary>, id: web::Path<TermId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let (own, outline) =
        permit.read(move |conn| Ok((store::get_own(conn, id)?, store::list_outline(conn, shelf)?))).await?;
    if own.kind != TermKind::Methodology {
        return Err(Error::NotFound);
    }
    prepare([own.text.description.as_str()], permit.viewer().id.0).await?;
    let frame = permit
        .frame(Section::Library, &own.text.name)
        .crumb("Library", "/library/procedures")
        .crumb("Methodologies", "/library/methodologies");
    let may_edit = permit.may(Permission::LibraryEdit);
    permit.page(&MethodologyPage { frame, own, outline: Outline(outline), may_edit })
}

/// The page of an own technique.
pub(super) async fn technique(permit: &Permit<ReadLibrary>, own: Own) -> Result<HttpResponse> {
    let (shelf, id, parents) = (permit.shelf(), own.text.short_name.clone(), own.text.parents.clone());
    let (outline, hits, count) = permit
        .read(move |conn| {
            let search_of = Search { technique: id.clone(), ..Search::default() };
            Ok((
                store::list_outline(conn, shelf)?,
                search(conn, shelf, &search_of, PROCEDURES)?,
                count(conn, shelf, &search_of, 10_000)?,
            ))
        })
        .await?;
    prepare([own.text.description.as_str()], permit.viewer().id.0).await?;
    let outline = Outline(outline);
    let named = |kind: TermKind, ids: &[TermId]| -> Vec<Named> {
        let of = outline.of_kind(kind).into_iter().filter(|term| ids.contains(&term.id));
        of.map(|term| Named { id: term.id, name: term.name.clone(), short_name: term.short_name.clone() })
            .collect()
    };
    let tactics: Vec<TermId> = parents.into_iter().map(TermId).collect();
    let above: Vec<TermId> = outline
        .of_kind(TermKind::Tactic)
        .into_iter()
        .filter(|tactic| tactics.contains(&tactic.id))
        .flat_map(|tactic| tactic.parents.clone())
        .collect();
    let under = format!("{}.", own.text.short_name);
    let below: Vec<TermId> = outline
        .of_kind(TermKind::Technique)
        .into_iter()
        .filter(|technique| technique.short_name.starts_with(&under))
        .map(|technique| technique.id)
        .collect();
    let frame = permit
        .frame(Section::Library, format!("{} {}", own.text.short_name, own.text.name))
        .crumb("Library", "/library/procedures")
        .crumb("Techniques", "/library/techniques");
    permit.page(&OwnTechnique {
        frame,
        tactics: named(TermKind::Tactic, &tactics),
        methodologies: named(TermKind::Methodology, &above),
        below: named(TermKind::Technique, &below),
        own,
        hits,
        count,
        may_edit: permit.may(Permission::LibraryEdit),
    })
}

/// What a new term is to stand under.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Under {
    under: String,
}

type Edit = Permit<EditLibrary>;

/// The methodologies or tactics that a term of this kind can belong to.
async fn parents(permit: &Edit, kind: TermKind) -> Result<Vec<Named>> {
    match kind.above() {
        Some(above) => permit.read(move |conn| store::list_named(conn, above)).await,
        None => Ok(Vec::new()),
    }
}

fn frame(permit: &Edit, title: &str) -> Frame {
    permit
        .frame(Section::Library, title)
        .crumb("Library", "/library/procedures")
        .crumb("Methodologies", "/library/methodologies")
}

/// Where the form of a new one is.
fn new_url(kind: TermKind) -> String {
    format!("/library/{}/new", kind.plural())
}

/// Where a term is shown.
fn url(own: &Own) -> String {
    match own.kind {
        TermKind::Methodology => format!("/library/methodologies/{}", own.id),
        TermKind::Tactic => match own.text.parents.first() {
            Some(parent) => format!("/library/methodologies/{parent}#tactic-{}", own.id),
            None => "/library/methodologies".to_owned(),
        },
        TermKind::Technique => format!("/library/techniques/{}", own.text.short_name),
    }
}

async fn form(
    permit: &Edit,
    kind: TermKind,
    own: Option<&Own>,
    text: &TermText,
    editing: Editing<TermField>,
) -> Result<TermForm> {
    let choices = parents(permit, kind).await?;
    let value = |field: TermField| editing.value(field, text.get(field));
    let chosen = value(TermField::Parents);
    let title = match own {
        Some(own) => format!("Edit {}", own.text.name),
        None => format!("New {}", kind.noun()),
    };
    Ok(TermForm {
        frame: frame(permit, &title),
        action: own.map_or_else(|| new_url(kind), |own| format!("/library/terms/{}/edit", own.id)),
        cancel: own.map_or_else(|| "/library/methodologies".to_owned(), url),
        delete: own.map(|own| format!("/library/terms/{}/delete", own.id)),
        kind,
        name: value(TermField::Name),
        short_name: value(TermField::ShortName),
        description: value(TermField::Description),
        tags: value(TermField::Tags),
        parents: choices
            .into_iter()
            .map(|one| {
                let on = chosen.split(',').any(|id| id == one.id.to_string());
                (one.id, one.name, on)
            })
            .collect(),
        editing: Editing { version: own.map_or(0, |own| own.version), ..editing },
    })
}

async fn new(permit: Edit, kind: TermKind, under: Under) -> Result<HttpResponse> {
    let text = TermText { parents: under.under.parse().into_iter().collect(), ..TermText::default() };
    permit.page(&form(&permit, kind, None, &text, Editing::default()).await?)
}

pub async fn new_methodology(permit: Edit) -> Result<HttpResponse> {
    new(permit, TermKind::Methodology, Under::default()).await
}

pub async fn new_tactic(permit: Edit, Query(under): Query<Under>) -> Result<HttpResponse> {
    new(permit, TermKind::Tactic, under).await
}

pub async fn new_technique(permit: Edit, Query(under): Query<Under>) -> Result<HttpResponse> {
    new(permit, TermKind::Technique, under).await
}

/// The fields as typed; the ticks of the parents are one field.
fn typed_of(kind: TermKind, pairs: &Pairs) -> Vec<Typed<TermField>> {
    let mut single: Pairs = pairs.iter().filter(|(name, _)| *name != "parents").collect();
    if kind.above().is_some() {
        single.push("parents", pairs.all("parents").collect::<Vec<_>>().join(","));
    }
    typed(&single, TermField::ALL)
}

async fn create(permit: Edit, kind: TermKind, pairs: Pairs) -> Result<HttpResponse> {
    pairs.only(is_ours::<TermField>)?;
    let typed = typed_of(kind, &pairs);
    let made = match store::checked(kind, &typed) {
        Ok(text) => {
            let stored = text.clone();
            let made = permit.write(move |tx| store::insert(tx, kind, &stored)).await;
            made.map(|id| Own { id, kind, text, version: 1 })
        }
        Err(error) => Err(error),
    };
    let own = match made {
        Ok(own) => own,
        Err(error) => {
            let refused: Result<Saved<TermField>> = Err(error);
            let zone = permit.viewer().organisation.zone();
            let Some((status, editing)) = unsaved(refused, typed, zone, |_, value| value.to_owned())? else {
                return Err(Error::NotFound);
            };
            let page = form(&permit, kind, None, &TermText::default(), editing).await?;
            return permit.html(status, page.render()?);
        }
    };
    Ok(redirect_with(&url(&own), &format!("{} “{}” created.", kind.label(), own.text.name)))
}

pub async fn create_methodology(permit: Edit, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    create(permit, TermKind::Methodology, pairs).await
}

pub async fn create_tactic(permit: Edit, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    create(permit, TermKind::Tactic, pairs).await
}

pub async fn create_technique(permit: Edit, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    create(permit, TermKind::Technique, pairs).await
}

async fn get(permit: &Edit, id: TermId) -> Result<Own> {
    permit.read(move |conn| store::get_own(conn, id)).await
}

pub async fn edit(permit: Edit, id: web::Path<TermId>) -> Result<HttpResponse> {
    let own = get(&permit, id.into_inner()).await?;
    permit.page(&form(&permit, own.kind, Some(&own), &own.text, Editing::default()).await?)
}

pub async fn update(permit: Edit, id: web::Path<TermId>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    let id = id.into_inner();
    pairs.only(is_ours::<TermField>)?;
    let own = get(&permit, id).await?;
    let typed = typed_of(own.kind, &pairs);
    let fields = typed.clone();
    let saved = permit.write(move |tx| store::save_term(tx, id, &fields)).await;
    let names = parents(&permit, own.kind).await?;
    let read = |field: TermField, value: &str| match field {
        TermField::Parents => {
            let is_in = |one: &&Named| value.split(',').any(|id| id == one.id.to_string());
            names.iter().filter(is_in).map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
        }
        _ => value.to_owned(),
    };
    let zone = permit.viewer().organisation.zone();
    let own = get(&permit, id).await?;
    match unsaved(saved, typed, zone, read)? {
        None => Ok(redirect_with(&url(&own), &format!("{} saved.", own.kind.label()))),
        Some((status, editing)) => {
            let page = form(&permit, own.kind, Some(&own), &own.text, editing).await?;
            permit.html(status, page.render()?)
        }
    }
}

async fn delete_page(permit: &Edit, own: Own) -> Result<DeleteTerm> {
    let (shelf, asked) = (permit.shelf(), own.clone());
    let uses = permit.read(move |conn| store::find_uses(conn, shelf, &asked)).await?;
    let frame = frame(permit, &format!("Delete {}", own.text.name));
    Ok(DeleteTerm { frame, back: url(&own), own, uses })
}

pub async fn delete_form(permit: Edit, id: web::Path<TermId>) -> Result<HttpResponse> {
    let own = get(&permit, id.into_inner()).await?;
    permit.page(&delete_page(&permit, own).await?)
}

pub async fn delete(permit: Edit, id: web::Path<TermId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    match permit.write(move |tx| store::delete_term(tx, shelf, id)).await {
        Ok(own) => {
            let to = match own.kind {
                TermKind::Tactic => url(&own),
                _ => "/library/methodologies".to_owned(),
            };
            let to = to.split('#').next().unwrap_or_default().to_owned();
            Ok(redirect_with(&to, &format!("{} “{}” deleted.", own.kind.label(), own.text.name)))
        }
        // The page says what uses it now.
        Err(Error::Refused(_)) => {
            let own = get(&permit, id).await?;
            permit.html(StatusCode::CONFLICT, delete_page(&permit, own).await?.render()?)
        }
        Err(other) => Err(other),
    }
}
