//! Gates: pages that ask for something first, and lead back to where somebody wanted to be.

use actix_web::http::Method;
use actix_web::{HttpRequest, web};

use crate::kernel::app::App;
use crate::kernel::base::network::origin;
use crate::kernel::web::ctx::is_partial;

/// The address of a gate, with the page to which it leads back.
pub(super) fn address_of(request: &HttpRequest, gate: &str) -> String {
    let wanted = if request.method() == Method::GET && !is_partial(request) {
        request.uri().path_and_query().map(|p| p.as_str().to_owned())
    } else {
        page_behind(request)
    };
    match wanted.filter(|p| p != "/") {
        Some(path) => format!("{gate}?{}", serde_html_form::to_string([("next", path)]).unwrap_or_default()),
        None => gate.to_owned(),
    }
}

/// The page from which a fragment was asked for or a form sent: there the draft is offered. A foreign page is
/// none of ours.
fn page_behind(request: &HttpRequest) -> Option<String> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (_, rest) = text("HX-Current-URL").or_else(|| text("Referer"))?.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/')?);
    // A proxy may have put its own name into Host.
    let base = request.app_data::<web::Data<App>>().and_then(|app| app.config.base_url.clone());
    let page = text("HX-Current-URL").or_else(|| text("Referer"))?;
    let is_ours = Some(host) == text("Host")
        || base.is_some_and(|base| {
            page.strip_suffix(path).and_then(|start| origin(start).ok()).is_some_and(|from| from == base)
        });
    is_ours.then(|| path.split('#').next().unwrap_or(path).to_owned())
}
