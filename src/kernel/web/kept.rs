//! What somebody posted that was not taken, and that no form shows again: their session had ended, a proof
//! was asked for, what they wrote on was deleted meanwhile, a right was taken away. The answer holds what
//! they typed. After a sign-in or a proof it can be sent again; the server keeps nothing of it, since nobody
//! says whose it is.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use actix_multipart::Multipart;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use futures_util::{Stream, StreamExt, stream};
use uuid::Uuid;

use crate::kernel::app::App;
use crate::kernel::base::error::Error;
use crate::kernel::web::ctx::{Ctx, is_partial};
use crate::kernel::web::filters;
use crate::kernel::web::form::{BODY_TIME, FormLimit, arrive};
use crate::kernel::web::frame::{Frame, Section};
use crate::kernel::web::gates::address_of;

/// The most text that is held, in bytes, whatever more the form's route would take. A page of it has it
/// twice, once to be sent again and once to be read, so this is some ten mebibytes of memory for a request;
/// large ones wait for their turn as those of people who are signed in do.
const KEPT: usize = 2 << 20;

/// So much of the files that come along is read and thrown away, in bytes, to reach the fields behind them.
const PASSED_BY: usize = 64 << 20;

/// Field names that a page of ours writes for itself.
const OWN: [&str; 4] = ["version", "zone", "tab", "then"];

/// Fields whose names hold one of these words are secrets: they are typed again, never written into a page.
const SECRETS: [&str; 2] = ["password", "code"];

/// What stands between a form and its being taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    SignIn,
    Proof,
    SecondFactor,
}

impl Gate {
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Unauthenticated => Some(Self::SignIn),
            Error::ProofNeeded => Some(Self::Proof),
            Error::SecondFactorDue => Some(Self::SecondFactor),
            _ => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::SignIn => "/sign-in",
            Self::Proof => "/account/proof",
            Self::SecondFactor => "/account/two-factor",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::SignIn => "You are signed out",
            Self::Proof => "Your password again",
            Self::SecondFactor => "A second factor first",
        }
    }

    /// Why nothing is saved yet.
    fn why(self) -> &'static str {
        match self {
            Self::SignIn => "Your session ended before this was saved.",
            Self::Proof => "This asks for a proof of who you are. Nothing is saved yet.",
            Self::SecondFactor => "This asks for a second factor. Nothing is saved yet.",
        }
    }

    /// What to do in another tab.
    fn act(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::Proof => "give your password",
            Self::SecondFactor => "set up a second factor",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::SignIn => "Sign in in another tab",
            Self::Proof => "Give your password in another tab",
            Self::SecondFactor => "Set up a second factor in another tab",
        }
    }
}

/// A field for files, with the names of those that were chosen.
struct Chosen {
    field: String,
    names: Vec<String>,
}

/// A form as it came.
#[derive(Default)]
struct Sent {
    /// Names and values.
    fields: Vec<(String, String)>,
    files: Vec<Chosen>,
}

#[derive(Template)]
#[template(path = "web/kept.html", blocks = ["gate"])]
struct KeptPage {
    frame: Frame,
    gate: Gate,
    /// The gate's address, which leads back to the form's own page.
    back: String,
    /// Where the form was sent to.
    action: String,
    is_multipart: bool,
    sent: Sent,
}

impl KeptPage {
    fn typed(&self) -> Vec<&str> {
        typed(&self.sent.fields).collect()
    }

    /// Whether there is anything to send again: a tick counts, what the page wrote for itself does not.
    fn holds_something(&self) -> bool {
        let holds = |(name, value): &(String, String)| !is_own(name) && !value.trim().is_empty();
        self.sent.fields.iter().any(holds) || self.sent.files.iter().any(|chosen| !chosen.names.is_empty())
    }
}

fn is_own(name: &str) -> bool {
    OWN.contains(&name) || name.starts_with("base.") || name.starts_with("had.")
}

/// What was typed, without what the page itself had written into its form, or offered there.
fn typed(fields: &[(String, String)]) -> impl Iterator<Item = &str> {
    let says = |value: &str| !value.trim().is_empty() && value != "on" && Uuid::try_parse(value).is_err();
    fields.iter().filter(move |(name, value)| !is_own(name) && says(value)).map(|(_, value)| value.as_str())
}

/// What was typed into a form that is answered by the page of an error, for that page.
#[derive(Clone, Default)]
pub struct Typed(pub Vec<String>);

/// A body on its way to the handler. Most forms are refused by their head alone; then all of it is still to
/// come.
#[derive(Clone)]
struct Passing(Rc<RefCell<Body>>);

struct Body {
    rest: Payload,
    ended: bool,
    /// What the handler has read; nothing is copied. None of a form with files, or of one that is too large.
    seen: Option<Vec<Bytes>>,
    size: usize,
}

impl Passing {
    fn new(rest: Payload, is_multipart: bool) -> Self {
        let seen = (!is_multipart).then(Vec::new);
        Self(Rc::new(RefCell::new(Body { rest, ended: false, seen, size: 0 })))
    }

    /// All of it from the beginning; none where that is gone.
    fn whole(self) -> Option<Payload> {
        let seen = {
            let mut body = self.0.borrow_mut();
            let is_unread = body.size == 0;
            // From here on it is not held twice.
            body.seen.take().or(is_unread.then(Vec::new))?
        };
        let whole = stream::iter(seen.into_iter().map(Ok)).chain(self);
        Some(Payload::Stream { payload: Box::pin(whole) })
    }
}

impl Stream for Passing {
    type Item = Result<Bytes, PayloadError>;
    fn poll_next(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let body = &mut *self.0.borrow_mut();
        if body.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut body.rest).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                body.size += chunk.len();
                if body.size > KEPT {
                    body.seen = None;
                } else if let Some(seen) = &mut body.seen {
                    seen.push(chunk.clone());
                }
            }
            Poll::Ready(_) => body.ended = true,
            Poll::Pending => {}
        }
        polled
    }
}

/// The middleware; inside the sessions, so that it is known who is signed in.
pub async fn kept(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(is_multipart) = may_be_kept(&req) else {
        return Ok(next.call(req).await?.map_into_boxed_body());
    };
    let passing = Passing::new(req.take_payload(), is_multipart);
    req.set_payload(Payload::Stream { payload: Box::pin(passing.clone()) });
    let answer = next.call(req).await?.map_into_boxed_body();
    let Some(found) = answer.response().error().and_then(|error| error.as_error::<Error>()) else {
        return Ok(answer);
    };
    let gate = Gate::of(found);
    if is_multipart && gate.is_none() {
        return Ok(answer);
    }
    let request = answer.request().clone();
    let reading =
        async { if is_multipart { parts(&request, passing).await } else { pairs(&request, passing).await } };
    let Some(sent) = tokio::time::timeout(BODY_TIME, reading).await.ok().flatten() else {
        return Ok(answer);
    };
    let Some(gate) = gate else {
        let typed = typed(&sent.fields).map(str::to_owned).collect();
        request.extensions_mut().insert(Typed(typed));
        return Ok(answer);
    };
    match page(&request, gate, is_multipart, sent) {
        Some(page) => Ok(ServiceResponse::new(request, page)),
        None => Ok(answer),
    }
}

/// Whether it is a form that is sent as a whole page by a browser that has or had a session, and whether one
/// with files. A form that htmx sends stays on its page as it is.
fn may_be_kept(req: &ServiceRequest) -> Option<bool> {
    let kind = req.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let is_multipart = kind.starts_with("multipart/form-data");
    let is_form = is_multipart || kind.starts_with("application/x-www-form-urlencoded");
    let had_session = req
        .app_data::<Data<App>>()
        .is_some_and(|app| req.request().cookie(&app.keys.cookies.session).is_some());
    let is_kept = *req.method() == Method::POST
        && is_form
        && had_session
        && !is_partial(req.request())
        && !req.headers().contains_key("HX-Request");
    is_kept.then_some(is_multipart)
}

/// The fields of a form without files, as far as its route would have taken them; none where a secret is
/// among them.
async fn pairs(request: &HttpRequest, passing: Passing) -> Option<Sent> {
    let route = request.extensions().get::<FormLimit>().map_or(FormLimit::WORDS.bytes, |limit| limit.bytes);
    let body = arrive(request, passing.whole()?, route.min(KEPT)).await.ok()?;
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(&body).ok()?;
    (!fields.iter().any(|(name, _)| is_secret(name))).then_some(Sent { fields, files: Vec::new() })
}

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|word| name.contains(word))
}

/// The texts of a form with files, and what its files are called; none where a secret is among them. What
/// does not arrive, or is too large, leaves what came before it.
async fn parts(request: &HttpRequest, passing: Passing) -> Option<Sent> {
    let mut form = Multipart::new(request.headers(), passing.whole()?);
    let (mut sent, mut held, mut passed_by) = (Sent::default(), 0, 0);
    while let Some(Ok(mut part)) = form.next().await {
        let disposition = part.content_disposition();
        let name = disposition.and_then(|one| one.get_name()).unwrap_or_default().to_owned();
        let file = disposition.and_then(|one| one.get_filename()).map(str::to_owned);
        if is_secret(&name) {
            return None;
        }
        let mut text = Vec::new();
        while let Some(Ok(chunk)) = part.next().await {
            if file.is_some() {
                passed_by += chunk.len();
            } else {
                held += chunk.len();
                text.extend_from_slice(&chunk);
            }
            if held > KEPT {
                return Some(sent);
            }
            if passed_by > PASSED_BY {
                break;
            }
        }
        match file {
            None => sent.fields.push((name, String::from_utf8_lossy(&text).into_owned())),
            Some(file) => {
                let names = Some(file).filter(|file| !file.is_empty());
                match sent.files.iter_mut().find(|chosen| chosen.field == name) {
                    Some(chosen) => chosen.names.extend(names),
                    None => sent.files.push(Chosen { field: name, names: names.into_iter().collect() }),
                }
            }
        }
        if passed_by > PASSED_BY {
            break;
        }
    }
    Some(sent)
}

/// The page that holds the form; none where there is nothing to hold.
fn page(request: &HttpRequest, gate: Gate, is_multipart: bool, sent: Sent) -> Option<HttpResponse> {
    let ctx = Ctx::of(request).ok()?;
    let action = request.uri().path_and_query()?.as_str().to_owned();
    let frame = ctx.frame(Section::Gate, gate.heading());
    let back = address_of(request, gate.path());
    let page = KeptPage { frame, gate, back, action, is_multipart, sent };
    if !page.holds_something() {
        return None;
    }
    ctx.html(StatusCode::UNAUTHORIZED, page.render().ok()?).ok()
}
