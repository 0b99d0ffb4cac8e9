//! `/engagements/{id}/print`: a runbook as it stands, whole, as text for paper.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::shown;
use crate::engagements::store::show::list_inputs;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::web::margins::Margins;
use crate::kernel::web::permit::{Permit, ReadEngagement, ReadReport};
use crate::kernel::web::turns::aside;
use crate::reports::content::Content;
use crate::reports::store::{self, Workflow};
use crate::reports::views::printed::Printed;

pub async fn show(permit: Permit<ReadEngagement>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    let (head, book, inputs, paper) = permit
        .read(move |conn| {
            let (head, paper) = store::get_head_of(conn, id, &visible)?;
            let inputs = list_inputs(conn, id, &paper.inputs)?;
            let book = store::collect(conn, id, &visible, ("", chrono::DateTime::UNIX_EPOCH))?;
            Ok((head, book, inputs, paper))
        })
        .await?;
    permit.check(head.client)?;
    let content = Content {
        cover: paper.cover,
        title: head.engagement_title.clone(),
        narrative: Vec::new(),
        findings: Vec::new(),
        corrections: Vec::new(),
    };
    let reader = Permit::<ReadReport>::of(&permit)?;
    let (title, url) = (head.engagement_title.clone(), format!("/engagements/{id}"));
    let mut page = shown(&reader, head, book, content, Vec::new(), Workflow::default());
    page.frame = permit
        .frame(crate::kernel::web::Section::Engagements, "Everything, to print")
        .crumb("Engagements", "/engagements")
        .crumb(title, &url);
    (page.open, page.may_edit, page.may_remediate) = (true, false, false);
    page.files = url.clone();
    page.whole = true;
    let texts = [("Access info", paper.access_info), ("Special instructions", paper.special_instructions)];
    let printed = Printed { page, inputs, url, texts };
    let html = aside(permit.viewer().id.0, move || Ok(printed.render()?)).await?;
    permit.html(actix_web::http::StatusCode::OK, html)
}

/// `GET /engagements/{id}/margins.css`: the lines of its printed pages.
pub async fn margins(permit: Permit<ReadEngagement>, path: web::Path<EngagementId>) -> Result<HttpResponse> {
    let (id, visible) = (path.into_inner(), permit.visible());
    let (head, paper) = permit.read(move |conn| store::get_head_of(conn, id, &visible)).await?;
    permit.check(head.client)?;
    let margins = Margins {
        title: head.engagement_title,
        sender: paper.cover.organisation,
        client: head.client_name,
        classification: paper.cover.classification,
    };
    Ok(margins.respond())
}
