//! `/library/releases`: two releases of ATT&CK beside each other, and re-tagging procedures.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::imports::forms::TwoReleases;
use crate::imports::store::releases::{compare_releases, list_mappings, retag};
use crate::imports::views::releases::Releases;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::show;
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::{Action, ImportLibrary, Permit, ReadLibrary};
use crate::kernel::web::{Form, Query, Section, redirect_with};
use crate::library::store::attack::list_releases;

pub async fn show(permit: Permit<ReadLibrary>, Query(asked): Query<TwoReleases>) -> Result<HttpResponse> {
    let view = view(&permit, asked).await?;
    permit.page(&view)
}

async fn view<A: Action>(permit: &Permit<A>, asked: TwoReleases) -> Result<Releases> {
    let shelf = permit.shelf();
    let (releases, from, to, differences, mappings) = permit
        .read(move |conn| {
            let releases = list_releases(conn)?;
            let known = |wanted: &str| releases.iter().find(|release| release.version == wanted);
            let newest = releases.first().map(|release| release.version.clone()).unwrap_or_default();
            let to = if asked.to.is_empty() {
                newest
            } else {
                known(&asked.to).ok_or(Error::NotFound)?.version.clone()
            };
            // The one before it, where none was asked for.
            let earlier = releases.iter().skip_while(|release| release.version != to).nth(1);
            let from = match (asked.from.is_empty(), earlier) {
                (false, _) => known(&asked.from).ok_or(Error::NotFound)?.version.clone(),
                (true, Some(earlier)) => earlier.version.clone(),
                (true, None) => to.clone(),
            };
            let differences = if from == to { None } else { Some(compare_releases(conn, &from, &to)?) };
            let mappings = list_mappings(conn, shelf)?;
            Ok((releases, from, to, differences, mappings))
        })
        .await?;
    Ok(Releases {
        frame: permit.frame(Section::Library, "ATT&CK releases").crumb("Library", "/library/procedures"),
        releases,
        from,
        to,
        differences,
        mappings,
        may_retag: permit.may(P::LibraryImport) && permit.may(P::LibraryEdit),
        problem: None,
    })
}

/// `POST /library/releases`: re-tags for each mapping that was ticked, `map=T1562.001:T1685`.
pub async fn update(permit: Permit<ImportLibrary>, Form(pairs): Form<Pairs>) -> Result<HttpResponse> {
    pairs.only(|name| name == "map")?;
    if !permit.may(P::LibraryEdit) {
        return Err(Error::Forbidden(String::new()));
    }
    let wanted: Vec<(String, String)> = pairs
        .all("map")
        .filter_map(|map| map.split_once(':'))
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    let done = if wanted.is_empty() {
        Err(Error::Refused("Tick the techniques to re-tag.".into()))
    } else {
        let shelf = permit.shelf();
        permit.write(move |tx| retag(tx, shelf, &wanted)).await
    };
    match done {
        Ok(done) => {
            let told: Vec<String> = done
                .iter()
                .map(|(from, to, n)| {
                    format!("{from} → {to}, {}", show::counted(*n, "procedure", "procedures"))
                })
                .collect();
            Ok(redirect_with("/library/releases", &format!("Re-tagged: {}.", told.join("; "))))
        }
        Err(Error::Refused(why) | Error::Conflict(why)) => {
            let view = Releases { problem: Some(why), ..view(&permit, TwoReleases::default()).await? };
            permit.html(StatusCode::UNPROCESSABLE_ENTITY, view.render()?)
        }
        Err(other) => Err(other),
    }
}
