//! `/engagements/{id}/layer.json`: how an engagement went, as a layer of the ATT&CK Navigator.

use actix_web::{HttpResponse, web};

use crate::engagements::store::layer::{engagement_layer, export_event};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::web::download;
use crate::kernel::web::permit::{Permit, ReadEngagement};
use crate::kernel::web::turns::EXPORTS;

pub async fn show(permit: Permit<ReadEngagement>, id: web::Path<EngagementId>) -> Result<HttpResponse> {
    let (id, visible, now) = (id.into_inner(), permit.visible(), permit.app.clock.now());
    let _turn = EXPORTS.take(permit.viewer().id.0).await?;
    let own = permit.clone();
    let (head, layer) = permit
        .read(move |conn| {
            let found = engagement_layer(conn, id, &visible, now)?;
            own.check(found.0.own.client_id)?;
            Ok(found)
        })
        .await?;
    if !permit.head {
        let event = export_event(&head);
        permit.write(move |tx| tx.audited((), event)).await?;
    }
    Ok(download("application/json", "layer.json", layer.to_json()?))
}
