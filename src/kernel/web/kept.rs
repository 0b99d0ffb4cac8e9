//! What somebody posted after their session had ended, without scripts that keep a draft before: the answer
//! holds it, to be sent again after signing in. The server keeps nothing of it, since nobody says whose it
//! is.

use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use askama::Template;

use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::web::ctx::{Ctx, Known, is_partial};
use crate::kernel::web::filters;
use crate::kernel::web::form::{BODY_TIME, arrive};
use crate::kernel::web::frame::{Frame, Section};

/// The most that is held for somebody who is not signed in, in bytes.
const KEPT: usize = 256 << 10;

/// Fields whose names hold one of these words are secrets: they are typed again, never written into a page.
const SECRETS: [&str; 2] = ["password", "code"];

#[derive(Template)]
#[template(path = "web/kept.html", blocks = ["gate"])]
struct KeptPage {
    frame: Frame,
    /// Where the form was sent to.
    action: String,
    /// Names and values as they came.
    fields: Vec<(String, String)>,
}

impl KeptPage {
    /// What was typed, without what the page itself had written into its form.
    fn typed(&self) -> impl Iterator<Item = &str> {
        let own = |name: &str| {
            let own = ["version", "zone", "tab", "then"].contains(&name);
            own || name.starts_with("base.") || name.starts_with("had.")
        };
        let typed = self.fields.iter().filter(move |(name, value)| !own(name) && !value.trim().is_empty());
        typed.map(|(_, value)| value.as_str())
    }
}

/// The middleware; inside the sessions, so that it is known who is signed in.
pub async fn kept(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !may_be_kept(&req) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let payload = req.take_payload();
    let body = tokio::time::timeout(BODY_TIME, arrive(req.request(), payload, KEPT)).await;
    let body = match body.unwrap_or_else(|_| Err(too_slow())) {
        Ok(body) => Bytes::from(body),
        Err(why) => return Ok(req.error_response(why)),
    };
    req.set_payload(Payload::from(body.clone()));
    let answer = next.call(req).await?.map_into_boxed_body();
    let found = answer.response().error().and_then(|error| error.as_error::<Error>());
    if !matches!(found, Some(Error::Unauthenticated)) {
        return Ok(answer);
    }
    match page(answer.request(), &body) {
        Some(page) => Ok(ServiceResponse::new(answer.into_parts().0, page)),
        None => Ok(answer),
    }
}

fn too_slow() -> Error {
    Error::Refused("The form took too long to arrive. Send it again.".into())
}

/// Whether it is a form of a moderate size, from a browser that had a session, and nobody is signed in.
fn may_be_kept(req: &ServiceRequest) -> bool {
    let text = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let is_form =
        text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let had_session = req
        .app_data::<Data<App>>()
        .is_some_and(|app| req.request().cookie(&app.keys.cookies.session).is_some());
    *req.method() == Method::POST
        && is_form
        && had_session
        && length.is_some_and(|length| length <= KEPT)
        && !is_partial(req.request())
        && !req.headers().contains_key("HX-Request")
        && Known::viewer_of(req.request()).is_none()
}

/// The page that holds the form; none where there is nothing to hold, or where a secret is among it.
fn page(request: &actix_web::HttpRequest, body: &[u8]) -> Option<actix_web::HttpResponse> {
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(body).ok()?;
    let is_secret = |name: &str| SECRETS.iter().any(|word| name.contains(word));
    if fields.is_empty() || fields.iter().any(|(name, _)| is_secret(name)) {
        return None;
    }
    let ctx = Ctx::of(request).ok()?;
    let action = request.uri().path_and_query()?.as_str().to_owned();
    let page = KeptPage { frame: ctx.frame(Section::Gate, "You are signed out"), action, fields };
    page.typed().next()?;
    ctx.html(StatusCode::UNAUTHORIZED, page.render().ok()?).ok()
}
