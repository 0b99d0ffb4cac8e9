//! `/library/procedures`, `/library/repositories` and one procedure.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::kernel::authz::{Permission as P, Shelf};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{Permit, ReadLibrary};
use crate::kernel::web::{Query, Section};
use crate::library::forms::{ProcedureFilter, url};
use crate::library::store::attack::list_named;
use crate::library::store::plans::list_plans_with;
use crate::library::store::procedures::get_procedure;
use crate::library::store::procedures::{Hit, HitCursor};
use crate::library::store::terms::list_filterable;
use crate::library::store::{self};
use crate::library::terms::TermKind;
use crate::library::views::{self};

/// Counting further would cost more than it tells.
const COUNTED: i64 = 10_001;

pub async fn list(
    permit: Permit<ReadLibrary>,
    Query(filters): Query<ProcedureFilter>,
) -> Result<HttpResponse> {
    let search = filters.search();
    let (at, shelf) = (search.at.clone(), permit.shelf());
    let partial = permit.partial;
    let (hits, count, choices) = permit
        .read(move |conn| {
            let hits = store::search(conn, shelf, &search, LOADED)?;
            let count = store::count(conn, shelf, &search, COUNTED)?;
            // A fragment holds the results alone.
            let choices = if partial { views::Choices::default() } else { choices(conn, shelf)? };
            Ok((hits, count, choices))
        })
        .await?;
    let page = Page::cut(hits, &at, ROWS);
    let link = |at: &At<HitCursor>| {
        let (after, before) = at.written();
        url("/library/procedures", &ProcedureFilter { after, before, ..filters.clone() })
    };
    let (earlier, later) = page.links(Hit::cursor, link);
    let view = views::Procedures {
        frame: permit.frame(Section::Library, "Procedures").crumb("Library", "/library/procedures"),
        found: found(count),
        filters,
        choices,
        hits: page.rows,
        earlier,
        later,
    };
    if partial { permit.page(&view.as_results()) } else { permit.page(&view) }
}

fn found(count: i64) -> String {
    if count >= COUNTED {
        return format!(
            "{}+ procedures",
            crate::kernel::base::show::thousands(usize::try_from(COUNTED - 1).unwrap_or_default())
        );
    }
    show::counted(usize::try_from(count).unwrap_or_default(), "procedure", "procedures")
}

/// What the library can be filtered by.
pub(super) fn choices(conn: &mut diesel::PgConnection, shelf: Shelf) -> Result<views::Choices> {
    let (methodologies, tactics) =
        list_filterable(conn)?.into_iter().partition(|one| one.kind == TermKind::Methodology);
    Ok(views::Choices {
        methodologies,
        tactics,
        platforms: store::list_platforms(conn, shelf)?,
        repositories: store::list_repositories(conn, shelf)?,
    })
}

/// Which version of a procedure to show.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    version: Option<i32>,
}

pub async fn one(
    permit: Permit<ReadLibrary>,
    id: web::Path<LibraryProcedureId>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let reads_plans = permit.may(P::TestPlanRead);
    let (procedure, techniques, plans) = permit
        .read(move |conn| {
            let procedure = get_procedure(conn, shelf, id, wanted.version)?;
            let techniques = list_named(conn, &procedure.body.technique_ids)?;
            let plans = reads_plans.then(|| list_plans_with(conn, id)).transpose()?;
            Ok((procedure, techniques, plans))
        })
        .await?;
    let body = &procedure.body;
    let texts = [&body.description, &body.recommendation]
        .into_iter()
        .chain(body.steps.iter().map(|step| &step.description));
    prepare(texts.map(String::as_str), permit.viewer().id.0).await?;
    let frame = permit
        .frame(Section::Library, &procedure.body.name)
        .crumb("Library", "/library/procedures")
        .crumb("Procedures", "/library/procedures");
    permit.page(&views::ProcedurePage::new(
        frame,
        procedure,
        techniques,
        plans,
        permit.viewer().organisation.zone(),
    ))
}

pub async fn repositories(permit: Permit<ReadLibrary>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let repositories = permit.read(move |conn| store::list_repositories(conn, shelf)).await?;
    let frame = permit.frame(Section::Library, "Repositories").crumb("Library", "/library/procedures");
    permit.page(&views::Repositories { frame, repositories })
}
