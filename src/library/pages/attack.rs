//! `/library/tactics`, `/library/techniques`, one technique, `/library/methodologies`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::TermId;
use crate::kernel::base::keyset::{At, LOADED, Page, ROWS};
use crate::kernel::base::show;
use crate::kernel::web::permit::{Permit, ReadLibrary};
use crate::kernel::web::{Query, Section};
use crate::library::forms::{TechniqueFilter, url};
use crate::library::store::attack::{self};
use crate::library::store::terms::{
    count_own_techniques, find_own_technique, list_named, list_outline, list_own_tactics,
    search_own_techniques,
};
use crate::library::store::{self, Search};
use crate::library::terms::{TermKind, is_attacks};
use crate::library::views::terms::Outline;
use crate::library::views::{self};

/// Procedures that a technique's page lists; the rest is a link away.
const PROCEDURES: i64 = 25;

/// Which release to show.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    version: String,
}

/// The release asked for, or the newest. One that is not stored is not found.
fn pick(releases: &[attack::Release], wanted: &str) -> Result<String> {
    let found = if wanted.is_empty() {
        releases.first()
    } else {
        releases.iter().find(|release| release.version == wanted)
    };
    found.map(|release| release.version.clone()).ok_or(Error::NotFound)
}

pub async fn tactics(permit: Permit<ReadLibrary>, Query(wanted): Query<Wanted>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let (releases, version, tactics, outline) = permit
        .read(move |conn| {
            let releases = attack::list_releases(conn)?;
            let version = pick(&releases, &wanted.version)?;
            let tactics = attack::list_tactic_rows(conn, shelf, &version)?;
            Ok((releases, version, tactics, list_outline(conn, shelf)?))
        })
        .await?;
    let frame = permit.frame(Section::Library, "Tactics").crumb("Library", "/library/procedures");
    let may_edit = permit.may(Permission::LibraryEdit);
    let outline = Outline(outline);
    permit.page(&views::Tactics { frame, releases, version, tactics, outline, may_edit })
}

pub async fn techniques(
    permit: Permit<ReadLibrary>,
    Query(filters): Query<TechniqueFilter>,
) -> Result<HttpResponse> {
    let (asked, shelf) = (filters.clone(), permit.shelf());
    let methodology: Option<TermId> = filters.methodology.parse().ok();
    let (releases, version, tactics, rows, count, own) = permit
        .read(move |conn| {
            let releases = attack::list_releases(conn)?;
            let version = pick(&releases, &asked.version)?;
            let search = asked.search(&version);
            let own = list_named(conn, TermKind::Methodology)?;
            if let Some(id) = methodology {
                let tactics = list_own_tactics(conn, id)?;
                let rows = search_own_techniques(conn, shelf, Some(id), &search, LOADED)?;
                let count = count_own_techniques(conn, Some(id), &search)?;
                return Ok((releases, version, tactics, rows, count, own));
            }
            let tactics = store::list_tactics(conn, &version)?;
            let rows = attack::search_techniques(conn, shelf, &search, LOADED)?;
            let count = attack::count_techniques(conn, &search)?;
            Ok((releases, version, tactics, rows, count, own))
        })
        .await?;
    let page = Page::cut(rows, &At::<String>::read(&filters.after, &filters.before), ROWS);
    let link = |at: &At<String>| {
        let (after, before) = at.written();
        url("/library/techniques", &TechniqueFilter { after, before, ..filters.clone() })
    };
    let (earlier, later) = page.links(|row| row.external_id.clone(), link);
    let view = views::Techniques {
        frame: permit.frame(Section::Library, "Techniques").crumb("Library", "/library/procedures"),
        is_newest: methodology.is_some()
            || releases.first().is_some_and(|release| release.version == version),
        own,
        releases,
        version,
        tactics,
        found: show::counted(usize::try_from(count).unwrap_or_default(), "technique", "techniques"),
        filters,
        rows: page.rows,
        earlier,
        later,
    };
    if permit.partial { permit.page(&view.as_results()) } else { permit.page(&view) }
}

pub async fn technique(
    permit: Permit<ReadLibrary>,
    id: web::Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    // An id that reads like ATT&CK's is never one's own, so the look-up is for the others.
    if !is_attacks(&id) {
        let asked = id.clone();
        if let Some(own) = permit.read(move |conn| find_own_technique(conn, &asked)).await? {
            return super::terms::technique(&permit, own).await;
        }
    }
    let (technique, subtechniques, procedures, count) = permit
        .read(move |conn| {
            let version = Some(wanted.version.as_str()).filter(|version| !version.is_empty());
            let technique = attack::get_technique(conn, version, &id)?;
            let mut subtechniques = attack::list_subtechniques(conn, shelf, &technique.version, &id)?;
            // They stand on their parent's page: its name before each would say nothing.
            subtechniques.iter_mut().for_each(|row| row.parent = None);
            let search = Search { technique: id.clone(), ..Search::default() };
            let procedures = store::search(conn, shelf, &search, PROCEDURES)?;
            let count = store::count(conn, shelf, &search, 10_000)?;
            Ok((technique, subtechniques, procedures, count))
        })
        .await?;
    let mut frame = permit
        .frame(Section::Library, format!("{} {}", technique.external_id, technique.name))
        .crumb("Library", "/library/procedures")
        .crumb("Techniques", "/library/techniques");
    if let (Some(id), Some(name)) = (&technique.parent_id, &technique.parent) {
        frame = frame.crumb(name, views::technique_url(id, &technique));
    }
    permit.page(&views::TechniquePage { frame, technique, subtechniques, hits: procedures, count })
}

pub async fn methodologies(permit: Permit<ReadLibrary>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let (methodologies, releases, outline) = permit
        .read(move |conn| {
            let known = (attack::list_methodologies(conn)?, attack::list_release_sizes(conn)?);
            Ok((known.0, known.1, list_outline(conn, shelf)?))
        })
        .await?;
    let frame = permit.frame(Section::Library, "Methodologies").crumb("Library", "/library/procedures");
    let zone = permit.viewer().organisation.zone();
    let may_edit = permit.may(Permission::LibraryEdit);
    let outline = Outline(outline);
    permit.page(&views::Methodologies { frame, methodologies, releases, outline, may_edit, zone })
}
