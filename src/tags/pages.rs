//! `/tags.json`, which fields of tags complete from, and `/admin/tags`: the list, and a new name for one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

use super::domain::one_tag;
use super::store::{self, Sight, TagUse};
use super::views::{Rename, Tags};
use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::show;
use crate::kernel::web::permit::{ManageSettings, Permit, SignedIn};
use crate::kernel::web::{Form, Query, Section, redirect_with};

pub async fn offered(ctx: SignedIn) -> Result<HttpResponse> {
    let sight = Sight::of(ctx.viewer());
    let tags = ctx.read(move |conn| store::list_offered(conn, &sight)).await?;
    Ok(HttpResponse::Ok().json(tags))
}

/// Search of the list.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    q: String,
}

pub async fn list(permit: Permit<ManageSettings>, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let (sight, q) = (Sight::of(permit.viewer()), wanted.q.clone());
    let tags = permit.read(move |conn| store::list_tags(conn, &sight, &q)).await?;
    let frame = permit.frame(Section::Admin, "Tags").crumb("Administration", "/admin");
    let view = Tags { frame, q: wanted.q, tags };
    if permit.partial { permit.html(StatusCode::OK, view.as_results().render()?) } else { permit.page(&view) }
}

#[derive(Debug, Deserialize)]
pub struct Chosen {
    #[serde(default)]
    tag: String,
}

pub async fn rename_form(
    permit: Permit<ManageSettings>,
    Query(chosen): Query<Chosen>,
) -> Result<HttpResponse> {
    let (sight, tag) = (Sight::of(permit.viewer()), chosen.tag);
    let tag = permit.read(move |conn| store::find_tag(conn, &sight, &tag)).await?.ok_or(Error::NotFound)?;
    let typed = tag.tag.clone();
    permit.page(&page(&permit, tag, typed, None, FieldErrors::default()))
}

fn page(
    permit: &Permit<ManageSettings>,
    tag: TagUse,
    typed: String,
    there: Option<TagUse>,
    errors: FieldErrors,
) -> Rename {
    let frame = permit
        .frame(Section::Admin, format!("Rename the tag {}", tag.tag))
        .crumb("Administration", "/admin")
        .crumb("Tags", "/admin/tags");
    Rename { frame, tag, typed, there, errors }
}

/// A new name for a tag.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    #[serde(default)]
    tag: String,
    #[serde(default)]
    name: String,
    /// The tag that it was agreed to be merged into.
    #[serde(default)]
    into: String,
}

pub async fn rename(permit: Permit<ManageSettings>, Form(new): Form<NewName>) -> Result<HttpResponse> {
    let (sight, from, to) = (Sight::of(permit.viewer()), new.tag.clone(), one_tag(&new.name));
    let (reader, wanted) = (sight.clone(), to.clone().ok());
    let (tag, there) = permit
        .read(move |conn| {
            let tag = store::find_tag(conn, &reader, &from)?.ok_or(Error::NotFound)?;
            let there = match wanted.as_ref().filter(|wanted| **wanted != from) {
                Some(wanted) => store::find_tag(conn, &reader, wanted)?,
                None => None,
            };
            Ok((tag, there))
        })
        .await?;
    let to = match to {
        Ok(to) => to,
        Err(sentence) => {
            let mut errors = FieldErrors::default();
            errors.add("name", sentence);
            let view = page(&permit, tag, new.name, None, errors);
            return permit.html(StatusCode::UNPROCESSABLE_ENTITY, view.render()?);
        }
    };
    if there.is_some() && new.into != to {
        let view = page(&permit, tag, to, there, FieldErrors::default());
        return permit.html(StatusCode::UNPROCESSABLE_ENTITY, view.render()?);
    }
    let (from, name) = (new.tag.clone(), to.clone());
    // As many as the page before has told of: how many others bear it, only who sees them is to know.
    let seen = usize::try_from(tag.total()).unwrap_or_default();
    permit.write(move |tx| store::rename(tx, &sight, &from, &name)).await?;
    let where_to = show::counted(seen, "place", "places");
    Ok(redirect_with("/admin/tags", &format!("“{}” is “{to}” now, in {where_to}.", new.tag)))
}
