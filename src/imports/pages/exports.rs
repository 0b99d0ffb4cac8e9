//! What leaves the library as a file: `/test-plans/{id}.yaml`, `/test-plans/{id}/layer.json`,
//! `/library/layer.json` and `/library/repositories/{repository}/archive.zip`. Each export is an event.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::imports::{layers, plextrac, repository};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{RepositoryId, TestPlanId};
use crate::kernel::web::download;
use crate::kernel::web::permit::{Permit, ReadLibrary, ReadTestPlan};
use crate::kernel::web::turns::EXPORTS;
use crate::library::store::exchange::get_stored;

const YAML: &str = "application/yaml; charset=utf-8";
const JSON: &str = "application/json";
const ZIP: &str = "application/zip";

pub async fn plan_yaml(permit: Permit<ReadTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let (plan, known) = permit.read(move |conn| plextrac::store::read_plan(conn, shelf, id)).await?;
    let name = format!("{}.yaml", plextrac::store::export_name(&plan));
    if permit.head {
        return Ok(download(YAML, &name, String::new()));
    }
    let event = plextrac::store::export_event(&plan);
    permit.write(move |tx| tx.audited((), event)).await?;
    let text = plextrac::write(&plextrac::convert::file_of(&plan, &known));
    Ok(download(YAML, &name, text))
}

pub async fn plan_layer(permit: Permit<ReadTestPlan>, id: web::Path<TestPlanId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let (plan, layer) = permit.read(move |conn| layers::plan_layer(conn, shelf, id)).await?;
    if !permit.head {
        let event = layers::export_event(&format!("the test plan “{}”", plan.title)).subject(
            "test_plan",
            plan.id.0,
            &plan.title,
        );
        permit.write(move |tx| tx.audited((), event)).await?;
    }
    Ok(download(JSON, "layer.json", layer.to_json()?))
}

pub async fn library_layer(permit: Permit<ReadLibrary>) -> Result<HttpResponse> {
    let shelf = permit.shelf();
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let organisation = permit.viewer().organisation.name.clone();
    let layer = permit.read(move |conn| layers::library_layer(conn, shelf, &organisation)).await?;
    if !permit.head {
        let event = layers::export_event("the library");
        permit.write(move |tx| tx.audited((), event)).await?;
    }
    Ok(download(JSON, "layer.json", layer.to_json()?))
}

pub async fn archive(permit: Permit<ReadLibrary>, id: web::Path<RepositoryId>) -> Result<HttpResponse> {
    let (id, shelf) = (id.into_inner(), permit.shelf());
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let (stored, archive) = permit
        .read(move |conn| {
            let stored = get_stored(conn, shelf, id)?;
            let archive = repository::store::read_archive(conn, &stored)?;
            Ok((stored, archive))
        })
        .await?;
    let name = format!("{}.zip", stored.prefix);
    if permit.head {
        return Ok(download(ZIP, &name, String::new()));
    }
    let archive = Arc::new(archive);
    let noted = Arc::clone(&archive);
    permit.write(move |tx| repository::store::note_export(tx, &stored, &noted)).await?;
    // Some megabytes are packed: not on a thread that answers pages.
    let packed =
        web::block(move || repository::zip(&archive)).await.map_err(|e| Error::Internal(e.into()))?;
    Ok(download(ZIP, &name, packed.map_err(|e| Error::Internal(e.into()))?))
}
