//! What somebody posted that was not taken, and that no form shows again: their session had ended, what they
//! wrote on was deleted meanwhile, a right was taken away. The answer holds what they typed. After an ended
//! session it can be sent again after signing in; the server keeps nothing of it, since nobody says whose it
//! is.

use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use askama::Template;
use uuid::Uuid;

use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::web::ctx::{Ctx, is_partial};
use crate::kernel::web::filters;
use crate::kernel::web::form::{BODY_TIME, arrive};
use crate::kernel::web::frame::{Frame, Section};

/// The most that is held for somebody who is not signed in, in bytes.
const KEPT: usize = 256 << 10;

/// Field names that a page of ours writes for itself.
const OWN: [&str; 4] = ["version", "zone", "tab", "then"];

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
    fn typed(&self) -> impl Iterator<Item = &str> {
        typed(&self.fields)
    }
}

/// What was typed, without what the page itself had written into its form, or offered there.
fn typed(fields: &[(String, String)]) -> impl Iterator<Item = &str> {
    let is_own = |name: &str| OWN.contains(&name) || name.starts_with("base.") || name.starts_with("had.");
    let says = |value: &str| !value.trim().is_empty() && value != "on" && Uuid::try_parse(value).is_err();
    fields.iter().filter(move |(name, value)| !is_own(name) && says(value)).map(|(_, value)| value.as_str())
}

/// What was typed into a form that is answered by the page of an error, for that page.
#[derive(Clone, Default)]
pub struct Typed(pub Vec<String>);

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
    let Some(found) = answer.response().error().and_then(|error| error.as_error::<Error>()) else {
        return Ok(answer);
    };
    let Some(fields) = fields(&body) else { return Ok(answer) };
    if !matches!(found, Error::Unauthenticated) {
        let typed = typed(&fields).map(str::to_owned).collect();
        answer.request().extensions_mut().insert(Typed(typed));
        return Ok(answer);
    }
    match page(answer.request(), fields) {
        Some(page) => Ok(ServiceResponse::new(answer.into_parts().0, page)),
        None => Ok(answer),
    }
}

fn too_slow() -> Error {
    Error::Refused("The form took too long to arrive. Send it again.".into())
}

/// Whether it is a form of a moderate size, sent as a whole page by a browser that has or had a session. A
/// form that htmx sends stays on its page as it is.
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
}

/// The fields of a form; none where a secret is among them.
fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(body).ok()?;
    let is_secret = |name: &str| SECRETS.iter().any(|word| name.contains(word));
    (!fields.iter().any(|(name, _)| is_secret(name))).then_some(fields)
}

/// The page that holds the form; none where there is nothing to hold.
fn page(request: &actix_web::HttpRequest, fields: Vec<(String, String)>) -> Option<actix_web::HttpResponse> {
    let ctx = Ctx::of(request).ok()?;
    let action = request.uri().path_and_query()?.as_str().to_owned();
    let page = KeptPage { frame: ctx.frame(Section::Gate, "You are signed out"), action, fields };
    page.typed().next()?;
    ctx.html(StatusCode::UNAUTHORIZED, page.render().ok()?).ok()
}
