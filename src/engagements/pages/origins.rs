//! `GET /engagements/{id}/origins`: the plan's version and the library versions that it was made from.

use actix_web::{HttpResponse, web};

use crate::engagements::store::origins::list_origin_rows;
use crate::engagements::store::show::get_head;
use crate::engagements::views::origins::Origins;
use crate::kernel::authz::Permission as P;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::web::Section;
use crate::kernel::web::permit::{Permit, ReadEngagement};

pub async fn show(permit: Permit<ReadEngagement>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let (id, visible, shelf) = (path.into_inner(), permit.visible(), permit.shelf());
    let (head, rows) = permit
        .read(move |conn| Ok((get_head(conn, id, &visible)?, list_origin_rows(conn, id, &visible, shelf)?)))
        .await?;
    permit.check(head.own.client_id)?;
    let frame = permit
        .frame(Section::Engagements, "Library versions")
        .crumb("Engagements", "/engagements")
        .crumb(&head.own.title, format!("/engagements/{id}"));
    permit.page(&Origins {
        frame,
        own: head.own,
        rows,
        reads_library: permit.may(P::LibraryRead),
        reads_plans: permit.may(P::TestPlanRead),
    })
}
