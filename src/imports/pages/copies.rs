//! `/library/copies`: copies whose original has changed, and taking the change over.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::imports::store::copies::{get_behind, list_behind, take_over};
use crate::imports::views::copies::{Copies, Copy};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{EditLibrary, Permit};
use crate::kernel::web::{Form, Section, redirect_with};

/// How many copies the page lists.
const LISTED: usize = 200;

pub async fn list(permit: Permit<EditLibrary>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let mut copies = permit.read(move |conn| list_behind(conn, shelf, LISTED as i64 + 1)).await?;
    let more = copies.len() > LISTED;
    copies.truncate(LISTED);
    let frame = permit.frame(Section::Library, "Originals changed").crumb("Library", "/library/procedures");
    permit.page(&Copies { frame, copies, more })
}

pub async fn one(permit: Permit<EditLibrary>, path: web::Path<LibraryProcedureId>) -> Result<HttpResponse> {
    let view = view(&permit, path.into_inner()).await?;
    permit.page(&view)
}

async fn view(permit: &Permit<EditLibrary>, id: LibraryProcedureId) -> Result<Copy> {
    let shelf = permit.shelf();
    let (copy, compared) = permit.read(move |conn| get_behind(conn, shelf, id)).await?;
    let frame = permit
        .frame(Section::Library, format!("{} {}", copy.shown, copy.name))
        .crumb("Library", "/library/procedures")
        .crumb("Originals changed", "/library/copies");
    Ok(Copy { frame, copy, compared, taken: Vec::new(), problem: None })
}

pub async fn take(
    permit: Permit<EditLibrary>,
    path: web::Path<LibraryProcedureId>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    pairs.only(|name| matches!(name, "version" | "origin_version" | "take"))?;
    let (id, shelf) = (path.into_inner(), permit.shelf());
    let number = |name: &str| pairs.get(name).and_then(|n| n.parse().ok()).unwrap_or_default();
    let seen: (i32, i32) = (number("version"), number("origin_version"));
    let taken: Vec<String> = pairs.all("take").map(str::to_owned).collect();
    let takes = taken.clone();
    let done = permit
        .write(move |tx| take_over(tx, shelf, id, seen, &|field| takes.iter().any(|taken| taken == field)))
        .await;
    match done {
        Ok(()) => Ok(redirect_with(&format!("/library/procedures/{id}"), "Taken over from the original.")),
        Err(Error::Conflict(why)) => {
            let view = Copy { taken, problem: Some(why), ..view(&permit, id).await? };
            permit.html(StatusCode::CONFLICT, view.render()?)
        }
        Err(other) => Err(other),
    }
}
