//! `GET /library/techniques/matrix`: of a release or an own methodology, with the latest outcomes.

use std::collections::HashSet;

use actix_web::HttpResponse;
use serde::Deserialize;

use super::views::{Answered, Count, Heat, Matrix, arrange, heat};
use crate::engagements::store::approval::list_client_names;
use crate::kernel::authz::Permission;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::web::permit::{Permit, ReadLibrary};
use crate::kernel::web::{Query, Section};
use crate::library::store::matrix::{list_own_matrix, list_release_matrix, list_sources};
use crate::procedures::store::runbook::list_latest;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// A release, or the id of an own methodology; the newest release when empty.
    methodology: String,
    /// A client whose outcomes alone count; all that the reader sees when empty.
    client: String,
}

pub async fn show(permit: Permit<ReadLibrary>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let visible = permit.viewer().rights.clients_with(Permission::EngagementRead);
    let chosen = asked.client.parse().ok();
    let of = if asked.client.is_empty() { visible.clone() } else { visible.only(chosen) };
    if !asked.client.is_empty() && of.is_empty() {
        return Err(Error::NotFound);
    }
    let wanted = asked.methodology.clone();
    let (sources, source, (columns, placed), latest, clients) = permit
        .read(move |conn| {
            let sources = list_sources(conn)?;
            let source = if wanted.is_empty() {
                sources.first()
            } else {
                sources.iter().find(|source| source.key == wanted)
            };
            let source = source.cloned().ok_or(Error::NotFound)?;
            let matrix = match source.methodology {
                Some(methodology) => list_own_matrix(conn, shelf, methodology)?,
                None => list_release_matrix(conn, shelf, &source.key)?,
            };
            // Who reads no engagement has no outcomes to see.
            let (latest, clients) = if visible.is_empty() {
                (Vec::new(), Vec::new())
            } else {
                (list_latest(conn, &of)?, list_client_names(conn, &visible)?)
            };
            Ok((sources, source, matrix, latest, clients))
        })
        .await?;
    let heat = heat(&latest);
    let all: HashSet<&str> = placed.iter().map(|one| one.id.as_str()).collect();
    let tops: Vec<&str> =
        placed.iter().filter(|one| one.above.is_none()).map(|one| one.id.as_str()).collect();
    let count = |level: Heat| {
        let is_it = |id: &&&str| heat.get(**id).is_some_and(|answered: &Answered| answered.heat == level);
        Count { heat: level, techniques: tops.iter().filter(is_it).count() }
    };
    let counts: Vec<Count> = Heat::ALL.into_iter().map(count).collect();
    let tested: usize = counts.iter().map(|count| count.techniques).sum();
    let view = Matrix {
        frame: permit.frame(Section::Library, "Matrix").crumb("Library", "/library/procedures"),
        is_newest: sources.first() == Some(&source),
        is_own: source.methodology.is_some(),
        techniques: tops.len(),
        subtechniques: all.len() - tops.len(),
        untested: tops.len() - tested,
        covered: placed.iter().filter(|one| one.above.is_none() && one.procedures > 0).count(),
        counts,
        tactics: arrange(columns, &placed, &heat),
        sources,
        source,
        client: asked.client,
        clients,
    };
    permit.page(&view)
}
