//! `/library/procedures`: the list and what is done to ticked rows, one procedure, its versions, restoring
//! one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId};
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::base::text::parse_tags;
use crate::kernel::web::markdown::prepare;
use crate::kernel::web::permit::{EditLibrary, Permit, ReadLibrary};
use crate::kernel::web::{Form, Query, Section, redirect, redirect_with};
use crate::library::forms::{ProcedureFilter, url};
use crate::library::store::attack::list_named;
use crate::library::store::plans::list_plans_with;
use crate::library::store::procedures::{Hit, HitCursor, get_procedure};
use crate::library::store::shelf::may_write_procedure;
use crate::library::store::writing::{
    VersionLine, changed_parts, copy_to, list_versions, move_to, restore_version, retire, tag,
};
use crate::library::store::{self, Choices, Search};
use crate::library::views;
use crate::library::writing::differences::differences;

/// Counting further would cost more than it tells.
const COUNTED: i64 = 1_001;

/// Versions that their list shows.
const VERSIONS: i64 = 200;

/// `GET /library`: it begins with its procedures.
pub async fn home(_permit: Permit<ReadLibrary>) -> HttpResponse {
    redirect("/library/procedures")
}

pub async fn list(
    permit: Permit<ReadLibrary>,
    Query(filters): Query<ProcedureFilter>,
) -> Result<HttpResponse> {
    answer(&permit, filters, None, StatusCode::OK).await
}

async fn answer<A: crate::kernel::web::permit::Action>(
    permit: &Permit<A>,
    filters: ProcedureFilter,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse> {
    let search = filters.search(permit.visible());
    let (at, shelf) = (search.at.clone(), permit.shelf());
    let partial = permit.partial && problem.is_none();
    let reads_plans = permit.may(P::TestPlanRead);
    let (hits, count, choices) = permit
        .read(move |conn| {
            let count = store::count(conn, shelf, &search, COUNTED)?;
            let search = Search { finds_much: count == COUNTED, ..search.clone() };
            let hits = store::search(conn, shelf, &search, LOADED)?;
            // A fragment holds the results alone.
            let choices =
                if partial { Choices::default() } else { store::list_choices(conn, shelf, reads_plans)? };
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
        here: url("/library/procedures", &filters),
        filters,
        choices,
        may_edit: shelf.edits(),
        problem,
        hits: page.rows,
        earlier,
        later,
    };
    permit.html(status, if partial { view.as_results().render()? } else { view.render()? })
}

fn found(count: i64) -> String {
    show::counted_to(count, COUNTED - 1, "procedure", "procedures")
}

/// What is done to ticked rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticked {
    #[serde(default)]
    id: Vec<LibraryProcedureId>,
    #[serde(rename = "do")]
    act: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    repository: String,
    /// The list that was shown.
    #[serde(default)]
    back: String,
}

pub async fn act(permit: Permit<EditLibrary>, Form(ticked): Form<Ticked>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let Ticked { mut id, act, tags, repository, back } = ticked;
    id.sort_unstable();
    id.dedup();
    let back = if back.starts_with("/library/procedures") { back } else { "/library/procedures".to_owned() };
    let of = |n: usize| show::counted(n, "procedure", "procedures");
    let refused = |why: &str| Err(Error::Refused(why.to_owned()));
    let target = || {
        repository.parse::<RepositoryId>().map_err(|_| Error::Refused("Choose a repository first.".into()))
    };
    let done = async {
        if id.is_empty() {
            return refused("Tick at least one procedure, then choose what is to be done.");
        }
        match act.as_str() {
            "tag" | "untag" => {
                let tags = parse_tags(&tags).map_err(Error::Refused)?;
                if tags.is_empty() {
                    return refused("Type a tag first.");
                }
                let adds = act == "tag";
                let n = permit.write(move |tx| tag(tx, shelf, &id, &tags, adds)).await?;
                Ok(format!("{} {}.", of(n), if adds { "tagged" } else { "untagged" }))
            }
            "copy" => {
                let target = target()?;
                let n = permit.write(move |tx| copy_to(tx, shelf, &id, target)).await?;
                Ok(format!("{} copied.", of(n)))
            }
            "move" => {
                let target = target()?;
                let n = permit.write(move |tx| move_to(tx, shelf, &id, target)).await?;
                Ok(format!("{} moved.", of(n)))
            }
            "retire" | "reinstate" => {
                let retires = act == "retire";
                let n = permit.write(move |tx| retire(tx, shelf, &id, retires)).await?;
                Ok(format!("{} {}.", of(n), if retires { "retired" } else { "in use again" }))
            }
            _ => Err(crate::kernel::base::pairs::not_ours()),
        }
    };
    match done.await {
        Ok(message) => Ok(redirect_with(&back, &message)),
        Err(Error::Refused(why)) => {
            let query = back.split_once('?').map_or("", |(_, query)| query);
            let filters = serde_html_form::from_str(query).unwrap_or_default();
            answer(&permit, filters, Some(why), StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(other) => Err(other),
    }
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
    let (procedure, techniques, plans, origin, may_write) = permit
        .read(move |conn| {
            let procedure = get_procedure(conn, shelf, id, wanted.version)?;
            let techniques = list_named(conn, &procedure.body.technique_ids)?;
            let plans = reads_plans.then(|| list_plans_with(conn, id)).transpose()?;
            let may_write = shelf.edits() && may_write_procedure(conn, shelf, id)?;
            // What it is a copy of is named to whoever knows of that.
            let origin = match procedure.copied_from {
                Some((from, version)) => store::list_hits(conn, shelf, &[from])?.pop().zip(Some(version)),
                None => None,
            };
            Ok((procedure, techniques, plans, origin, may_write))
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
        .crumb(&procedure.repository_name, format!("/library/repositories/{}", procedure.repository));
    permit.page(&views::ProcedurePage::new(
        frame,
        procedure,
        techniques,
        plans,
        origin,
        may_write,
        permit.viewer().organisation.zone(),
    ))
}

/// Two versions to compare.
#[derive(Debug, Deserialize)]
pub struct Compared {
    from: Option<i32>,
    to: Option<i32>,
}

pub async fn versions(
    permit: Permit<ReadLibrary>,
    id: web::Path<LibraryProcedureId>,
    Query(compared): Query<Compared>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let to = compared.to;
    let (procedure, lines, pair, may_write) = permit
        .read(move |conn| {
            let procedure = get_procedure(conn, shelf, id, None)?;
            let lines = list_versions(conn, id, VERSIONS)?;
            let to = to.unwrap_or(procedure.current);
            let pair = match compared.from.or_else(|| (to > 1).then_some(to - 1)) {
                Some(from) => Some((
                    get_procedure(conn, shelf, id, Some(from))?,
                    get_procedure(conn, shelf, id, Some(to))?,
                )),
                None => None,
            };
            let may_write = shelf.edits() && may_write_procedure(conn, shelf, id)?;
            Ok((procedure, lines, pair, may_write))
        })
        .await?;
    let zone = permit.viewer().organisation.zone();
    let told = lines.iter().enumerate().map(|(at, line): (usize, &VersionLine)| {
        let changed = lines.get(at + 1).map(|before| changed_parts(&before.body, &line.body).join(", "));
        views::VersionView {
            n: line.n,
            at: line.at,
            by: line.by.clone(),
            changed: changed.unwrap_or_default(),
            is_first: line.n == 1,
        }
    });
    let compared = pair.map(|(from, to)| views::Comparison {
        from: from.version,
        to: to.version,
        differences: differences(&from.body, &to.body),
    });
    permit.page(&views::VersionsPage {
        frame: permit
            .frame(Section::Library, "Versions")
            .crumb("Library", "/library/procedures")
            .crumb(&procedure.repository_name, format!("/library/repositories/{}", procedure.repository))
            .crumb(&procedure.body.name, format!("/library/procedures/{id}")),
        versions: told.collect(),
        compared,
        may_write,
        zone,
        procedure,
    })
}

/// Which version becomes the newest again, and which one was the newest then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    version: i32,
    seen: i32,
}

pub async fn restore(
    permit: Permit<EditLibrary>,
    id: web::Path<LibraryProcedureId>,
    Form(restored): Form<Restored>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let Restored { version, seen } = restored;
    permit.write(move |tx| restore_version(tx, shelf, id, version, seen)).await?;
    Ok(redirect_with(&format!("/library/procedures/{id}"), &format!("Version {version} restored.")))
}
