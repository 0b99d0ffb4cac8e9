//! The edge: the outermost layer. Answers under the installation's own names only, puts on security headers,
//! refuses forms and downloads that foreign pages asked for, renders every error as a page or a fragment with
//! a sentence, a way on and the request id, and reads to its end what a refused request still sends.

use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::{Stream, StreamExt};

use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::base::harmless::harmless;
use crate::kernel::base::logging::without_quotes;
use crate::kernel::base::network::origin;
use crate::kernel::event::domain::{Event, Kind};
use crate::kernel::refusals as flood;
use crate::kernel::web::ctx::{Ctx, Known, Message, Refusal, is_partial};
use crate::kernel::web::filters;
use crate::kernel::web::frame::{Frame, Section};
use crate::kernel::web::gates::address_of;
use crate::kernel::web::kept::Typed;
use crate::kernel::web::places;
use crate::kernel::web::shown::shown;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "web/error.html", blocks = ["main"])]
struct ErrorPage {
    frame: Frame,
    heading: &'static str,
    sentence: String,
    way_on: (&'static str, &'static str),
    /// Whether the reader may look the request up in the audit log.
    reads_log: bool,
    /// What was typed into the form that it answers.
    typed: Vec<String>,
}

pub async fn edge(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let partial = is_partial(req.request());
    let is_asset = req.path().starts_with("/assets/");
    let rest = Rest(Rc::new(RefCell::new(req.take_payload())));
    req.set_payload(Payload::Stream { payload: Box::pin(Rest(rest.0.clone())) });
    let answered = if is_known_host(&req) {
        next.call(req).await.map(ServiceResponse::map_into_boxed_body)
    } else {
        let (request, _) = req.into_parts();
        let answer = rendered(&request, &Error::Misdirected);
        Ok(ServiceResponse::new(request, answer))
    };
    rest.read_on().await;
    let answered = match answered {
        Ok(answer) => answer,
        // Middleware inside failed without an answer of its own. The request is gone with it, so the page is
        // a bare one.
        Err(fault) => {
            tracing::error!(cause = without_quotes(&fault.to_string()), "a middleware failed");
            return Err(Bare { partial, away: true }.into());
        }
    };
    Ok(with_headers(render(answered).await, is_asset))
}

/// How much of a body is read and thrown away after a refusal, in bytes, and for how long. A browser that is
/// still sending would lose the answer with its connection; one that never ends is cut off.
const READ_ON: usize = 64 << 20;
const READ_ON_TIME: Duration = Duration::from_secs(60);

/// A request's body, shared by the handler that reads it and the edge that reads what is left: whoever is not
/// signed in, or sends too much, is told by the head alone and still gets to read it.
struct Rest(Rc<RefCell<Payload>>);

impl Stream for Rest {
    type Item = Result<web::Bytes, PayloadError>;
    fn poll_next(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

impl Rest {
    async fn read_on(mut self) {
        let all = async {
            let mut left = READ_ON;
            while let Some(Ok(chunk)) = self.next().await {
                left = left.saturating_sub(chunk.len());
                if left == 0 {
                    return;
                }
            }
        };
        // Whoever is not through by then loses the answer.
        let _ = tokio::time::timeout(READ_ON_TIME, all).await;
    }
}

/// Whether the request was sent to a name of this installation: the one people type, or this machine's own.
/// Without it a page of somebody else's name that leads to our address (DNS rebinding) would be read as ours
/// by the browser.
fn is_known_host(req: &ServiceRequest) -> bool {
    let Some(host) = req.headers().get(header::HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let is_address =
        name.parse::<IpAddr>().is_ok() || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let base = req.app_data::<web::Data<App>>().and_then(|app| app.config.base_url.clone());
    let is_own = base.is_some_and(|base| {
        let asked = base.split_once("://").map(|(scheme, _)| format!("{scheme}://{host}"));
        asked.and_then(|asked| origin(&asked).ok()) == Some(base)
    });
    // What asks whether we live names us as its network does, and reads nothing of anybody.
    let is_probe = matches!(req.path(), "/healthz" | "/readyz");
    is_address
        || is_probe
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || is_own
}

fn is_signed_in(req: &HttpRequest) -> bool {
    Known::viewer_of(req).is_some()
}

/// The answer where even the request is lost.
#[derive(Debug, thiserror::Error)]
#[error("the request could not be served")]
struct Bare {
    partial: bool,
    away: bool,
}

impl actix_web::ResponseError for Bare {
    fn status_code(&self) -> StatusCode {
        if self.away { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR }
    }
    fn error_response(&self) -> HttpResponse {
        let error = Error::Unavailable(String::new());
        let frame = Frame::new(None, Section::Gate, String::new(), None, None);
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type("text/html; charset=utf-8");
        answer
            .insert_header((header::RETRY_AFTER, "5"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
        answer.body(body(&error, frame, Typed::default(), self.partial).unwrap_or_default())
    }
}

/// The middleware that refuses what foreign pages ask for; inside the sessions, so that the event says whose
/// browser it was.
pub async fn same_origin(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if foreign(&req) || foreign_download(&req) {
        return Ok(refuse_origin(req).await);
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// Forms are taken from our own pages only: Origin, or Sec-Fetch-Site where a browser leaves Origin out.
fn foreign(req: &ServiceRequest) -> bool {
    if matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name| req.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site != "same-origin" && site != "none";
    }
    let Some(sent) = text(header::ORIGIN) else { return false };
    let own = req.app_data::<web::Data<App>>().and_then(|app| app.config.base_url.clone());
    let host = text(header::HOST).unwrap_or_default();
    // What we serve ourselves is plain HTTP. A proxy that adds TLS is told by the address people type.
    let own = own.or_else(|| origin(&format!("http://{host}")).ok());
    own.is_none() || origin(sent).ok() != own
}

/// Exports take time and write an event: a page elsewhere may not set them going. A link that was followed is
/// `cross-site` too, but nobody links to a file of ours from elsewhere.
fn foreign_download(req: &ServiceRequest) -> bool {
    let site = req.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let is_export = req.path().ends_with(".csv") || req.path().ends_with(".jsonl");
    is_export && site.is_some_and(|site| site != "same-origin" && site != "none")
}

async fn refuse_origin(req: ServiceRequest) -> ServiceResponse<BoxBody> {
    let (request, _) = req.into_parts();
    if let Some(app) = request.app_data::<web::Data<App>>().cloned() {
        let actor = Ctx::of(&request)
            .map(|ctx| ctx.actor())
            .unwrap_or_else(|_| crate::kernel::event::domain::Actor::anonymous());
        let what = if request.method() == Method::GET { "a download" } else { "a form" };
        let event = Event::failed(
            Kind::OriginRefused,
            "foreign_origin",
            format!("Refused {what} that came from a foreign origin"),
        );
        let written = app.db.write(actor, |tx| flood::record(tx, (), &[event])).await;
        if let Err(fault) = written {
            tracing::error!(cause = without_quotes(&fault.to_string()), "the refusal could not be recorded");
        }
    }
    let answer = rendered(&request, &Error::Forbidden(from_elsewhere(&request)));
    ServiceResponse::new(request, answer)
}

/// Mostly it is a proxy or a second address, and not an attack: what to set, or where to go.
fn from_elsewhere(request: &HttpRequest) -> String {
    let base = request.app_data::<web::Data<App>>().and_then(|app| app.config.base_url.clone());
    let way_on = match base {
        Some(base) => format!("Tyrian takes forms from {base} alone: open it there."),
        None => {
            "Where a proxy stands before Tyrian, whoever runs it sets TYRIAN_BASE_URL to the address that \
            people type."
                .to_owned()
        }
    };
    format!("This form did not come from a page of this installation. {way_on}")
}

async fn render(answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let kept = answer.response().extensions().get::<Refusal>().map(|refusal| (refusal.0, refusal.1.clone()));
    if let Some(why) = kept {
        record_refusal(answer.request(), why.0, why.1).await;
        return answer;
    }
    let found = answer.response().error().and_then(|e| e.as_error::<Error>());
    let error = match found {
        Some(error) => error,
        None if answer.status() == StatusCode::NOT_FOUND && empty(&answer) => &Error::NotFound,
        None if answer.status().is_server_error() && empty(&answer) => {
            &Error::Unavailable("an empty answer".into())
        }
        None if answer.status().is_client_error() && empty(&answer) => &Error::NotFound,
        None => return answer,
    };
    let request = answer.request().clone();
    match error {
        Error::Internal(cause) => {
            tracing::error!(cause = without_quotes(&format!("{cause:#}")), "internal fault")
        }
        Error::Unavailable(cause) => tracing::warn!(cause = without_quotes(cause), "unavailable"),
        Error::Busy(what) => tracing::warn!(what, "busy"),
        // The file's name is what somebody typed.
        Error::Gone(_) => tracing::error!("the file of an attachment is missing"),
        // The kind alone: its sentence may hold what was typed.
        // Those of strangers are a kind of their own: however many, they leave room for the lines of people
        // who work.
        other if is_signed_in(&request) => tracing::info!(status = other.status().as_u16(), "refused"),
        other => tracing::info!(status = other.status().as_u16(), "refused, not signed in"),
    }
    match error {
        Error::Forbidden(what) => record_refusal(&request, "no_right", what.clone()).await,
        Error::Malformed(what) if request.method() == Method::POST => {
            record_refusal(&request, "malformed", what.clone()).await
        }
        _ => {}
    }
    let mut page = rendered(&request, error);
    // A session that was renewed goes on under its new secret whatever the answer is.
    for cookie in answer.headers().get_all(header::SET_COOKIE) {
        page.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    ServiceResponse::new(request, page)
}

fn empty(answer: &ServiceResponse<BoxBody>) -> bool {
    matches!(answer.response().body().size(), BodySize::None | BodySize::Sized(0))
}

async fn record_refusal(request: &HttpRequest, reason: &'static str, what: String) {
    let Ok(ctx) = Ctx::of(request) else { return };
    let mut event = Event::failed(Kind::AccessRefused, reason, places::refusal(request, reason));
    // A link's address is its secret.
    let path = if request.path().starts_with("/link/") { "/link/…" } else { request.path() };
    event = event
        .detail(serde_json::json!({ "why": what, "method": request.method().as_str(), "address": path }));
    event.search_values = path.to_owned();
    let written = ctx.write(|tx| flood::record(tx, (), &[event])).await;
    if let Err(fault) = written {
        tracing::error!(cause = without_quotes(&fault.to_string()), "the refusal could not be recorded");
    }
}

fn rendered(request: &HttpRequest, error: &Error) -> HttpResponse {
    match error {
        Error::Unauthenticated => return to_gate(request, "/sign-in"),
        Error::ProofNeeded => return to_gate(request, "/account/proof"),
        Error::SecondFactorDue => return to_gate(request, "/account/two-factor"),
        _ => {}
    }
    let partial = is_partial(request);
    let frame = match Ctx::of(request) {
        Ok(ctx) => ctx.frame(Section::Gate, String::new()),
        Err(_) => Frame::new(
            None,
            Section::Gate,
            String::new(),
            None,
            request.extensions().get::<tracing_actix_web::RequestId>().map(|id| **id),
        ),
    };
    let typed = request.extensions().get::<Typed>().cloned().unwrap_or_default();
    let mut answer = HttpResponse::build(error.status());
    answer.content_type("text/html; charset=utf-8");
    if matches!(error, Error::Unavailable(_) | Error::Busy(_)) {
        answer.insert_header((header::RETRY_AFTER, "5"));
    }
    answer.body(body(error, frame, typed, partial).unwrap_or_else(|_| "The page could not be drawn.".into()))
}

/// After signing in, or whatever `gate` asks for, the person comes back to the page they wanted. A fragment
/// cannot show such a form: the browser is sent there as a whole.
fn to_gate(request: &HttpRequest, gate: &str) -> HttpResponse {
    let location = address_of(request, gate);
    if is_partial(request) || request.headers().contains_key("HX-Request") {
        return HttpResponse::Unauthorized().insert_header(("HX-Redirect", location)).finish();
    }
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

fn body(error: &Error, mut frame: Frame, Typed(typed): Typed, partial: bool) -> askama::Result<String> {
    let (heading, sentence, way_on) = words(error);
    frame.title = heading.to_owned();
    // It may repeat what was typed, or a name.
    let sentence = harmless(&sentence).into_owned();
    let reads_log = frame.reads_log;
    let page = ErrorPage { frame, heading, sentence, way_on, reads_log, typed };
    Ok(shown(if partial { page.as_main().render()? } else { page.render()? }))
}

fn words(error: &Error) -> (&'static str, String, (&'static str, &'static str)) {
    let home = ("Go to the dashboard", "/");
    match error {
        Error::NotFound => {
            ("Not here", "There is nothing at this address, or you have no access to it.".into(), home)
        }
        Error::Forbidden(why) => {
            let why = if why.is_empty() {
                "Your role does not allow this. Ask a team lead or an administrator."
            } else {
                why
            };
            ("Not allowed", why.to_owned(), home)
        }
        Error::Unauthenticated | Error::SecondFactorDue | Error::ProofNeeded => {
            ("Sign in", "Sign in to go on.".into(), ("Sign in", "/sign-in"))
        }
        Error::Invalid(errors) => ("Not saved", errors.0.values().next().cloned().unwrap_or_default(), home),
        Error::Refused(why) | Error::Malformed(why) => ("Not done", why.clone(), home),
        Error::Conflict(why) => ("Changed meanwhile", why.clone(), home),
        Error::Gone(why) => ("The file is missing", why.clone(), home),
        Error::TooLarge(why) => ("Too large", why.clone(), home),
        Error::Unavailable(_) => (
            "The database is away",
            "Tyrian cannot reach its database right now. Nothing was changed. Try again in a few seconds; \
                what you typed is still in your browser, one step back."
                .into(),
            ("Try again", ""),
        ),
        Error::Busy(what) => (
            "Busy",
            format!(
                "As many {what} as this server works on at once are under way. Nothing was changed. Try \
                again in a few seconds."
            ),
            ("Try again", ""),
        ),
        Error::Misdirected => (
            "Not this address",
            "This Tyrian is not set up for the name in your browser's address bar. Whoever runs it sets \
                TYRIAN_BASE_URL to the address that people type."
                .into(),
            home,
        ),
        Error::Internal(_) => (
            "This did not work",
            "Something went wrong on our side and has been logged. Nothing was changed.".into(),
            home,
        ),
    }
}

fn with_headers(mut answer: ServiceResponse<BoxBody>, is_asset: bool) -> ServiceResponse<BoxBody> {
    let https = answer.request().app_data::<web::Data<App>>().is_some_and(|app| app.config.is_https());
    let name = answer
        .request()
        .app_data::<web::Data<App>>()
        .map(|app| app.keys.cookies.message.clone())
        .unwrap_or_default();
    let message = answer.response().extensions().get::<Message>().map(|message| message.cookie(name, https));
    if let Some(cookie) = message
        && let Err(fault) = answer.response_mut().add_cookie(&cookie)
    {
        tracing::warn!(cause = %fault, "a message is lost");
    }
    let is_fault = answer.status().is_client_error() || answer.status().is_server_error();
    let headers = answer.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    if https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    // An asset says itself how long it is kept. That there is none must not be kept at all: browsers and
    // caches would go on saying so after the release that brings it.
    if !is_asset || is_fault {
        set(header::CACHE_CONTROL, "no-store");
        set(header::VARY, "HX-Request-Type, HX-History-Restore-Request");
    }
    answer
}
