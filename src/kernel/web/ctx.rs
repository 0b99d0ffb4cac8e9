//! The context of a request: who asks, from where, for a page or a fragment; and the answers that handlers
//! give.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use diesel::PgConnection;

use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::network::Range;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::{Actor, ActorKind};
use crate::kernel::web::frame::{Frame, Section};
use crate::kernel::web::permit::Viewer;
use crate::kernel::web::shown::shown;

/// What the session of a request said, as the middleware that read it leaves it for the handlers.
#[derive(Clone)]
pub enum Known {
    /// Somebody is signed in.
    Viewer(Arc<Viewer>),
    /// The database was away: who asks cannot be told.
    Unavailable,
}

impl Known {
    /// Who is signed in, where that is known.
    pub fn viewer_of(req: &HttpRequest) -> Option<Arc<Viewer>> {
        match req.extensions().get::<Self>() {
            Some(Self::Viewer(viewer)) => Some(viewer.clone()),
            _ => None,
        }
    }
}

/// How long a proof of who somebody is lasts for sensitive acts.
const PROOF_LASTS: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Context of a request, whoever asks.
#[derive(Clone)]
pub struct Ctx {
    pub app: web::Data<App>,
    /// Who is signed in.
    pub viewer: Option<Arc<Viewer>>,
    /// The id under which the request is in the log.
    pub request_id: Option<Uuid>,
    /// Whether htmx asked for a fragment.
    pub partial: bool,
    /// Whether the head of the answer alone is asked for: then nothing is exported and no stream begins.
    pub head: bool,
    /// Whether it is a form that is answered.
    posted: bool,
    message: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    /// The name under which the request asked for us; the edge knows it.
    host: Option<String>,
}

impl Ctx {
    /// Reads the database; `f` may be run again, on another connection, when the first one was dead.
    ///
    /// # Errors
    /// As [`crate::kernel::db::Db::read`].
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl Fn(&mut PgConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.app.db.read(f).await
    }

    /// Writes as the person of this request, with an event.
    ///
    /// # Errors
    /// As [`crate::kernel::db::Db::write`].
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<Audited<T>> + Send + 'static,
    ) -> Result<T> {
        self.app.db.write(self.actor(), f).await
    }

    /// Reads the context; the viewer is what the session store loaded, in one statement, with the session.
    pub fn of(req: &HttpRequest) -> Result<Self> {
        let app = req
            .app_data::<web::Data<App>>()
            .cloned()
            .ok_or_else(|| Error::Internal(anyhow::anyhow!("no application state")))?;
        let viewer = match req.extensions().get::<Known>() {
            Some(Known::Viewer(viewer)) => Some(viewer.clone()),
            Some(Known::Unavailable) => {
                return Err(Error::Unavailable("the session could not be read".into()));
            }
            None => None,
        };
        let request_id = req.extensions().get::<tracing_actix_web::RequestId>().map(|id| **id);
        let text = |name| {
            req.headers()
                .get(name)
                .map(|v| String::from_utf8_lossy(v.as_bytes()).chars().take(300).collect::<String>())
        };
        Ok(Self {
            address: client_address(req, &app.config.trusted_proxies),
            user_agent: text(header::USER_AGENT),
            host: text(header::HOST),
            partial: is_partial(req),
            head: req.method() == Method::HEAD,
            posted: req.method() == Method::POST,
            message: req.cookie(&app.keys.cookies.message).map(|c| percent_decode(c.value())),
            request_id,
            viewer,
            app,
        })
    }

    /// The context of somebody whose acts are told and come by no request.
    pub fn told(app: App, viewer: Viewer, address: &str, user_agent: &str) -> Self {
        Self {
            app: web::Data::new(app),
            viewer: Some(Arc::new(viewer)),
            request_id: None,
            partial: false,
            head: false,
            posted: false,
            message: None,
            address: Some(address.to_owned()),
            user_agent: Some(user_agent.to_owned()),
            host: None,
        }
    }

    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        let mut actor = Actor::anonymous();
        if let Some(viewer) = &self.viewer {
            actor = Actor {
                kind: ActorKind::Person,
                id: Some(viewer.id),
                name: viewer.name.clone(),
                email: Some(viewer.email.clone()),
                session: Some(viewer.session),
                ..actor
            };
        }
        Actor {
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id,
            ..actor
        }
    }

    /// `Ok` when the person proved who they are in the last quarter of an hour, as passwords, second factors
    /// and roles ask.
    ///
    /// # Errors
    /// [`Error::ProofNeeded`], which leads to the page that asks for the password.
    pub fn proved(&self) -> Result<()> {
        let since = self.app.clock.now() - PROOF_LASTS;
        let proved = self.viewer.as_ref().and_then(|viewer| viewer.proved_at).is_some_and(|at| at >= since);
        if proved { Ok(()) } else { Err(Error::ProofNeeded) }
    }

    /// Where links shall lead: the address that people type, or where that is not set the one under which
    /// this request came, which works at least for whoever sent it.
    pub fn here(&self) -> String {
        match (&self.app.config.base_url, &self.host) {
            (None, Some(host)) if self.app.config.listen.ip().is_unspecified() => format!("http://{host}"),
            _ => self.app.config.address(),
        }
    }

    /// What the browser says of itself.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The frame of a page in this section of the product.
    pub fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        Frame::new(self.viewer.as_deref(), section, title.into(), self.message.clone(), self.request_id)
    }

    /// The client's network address, from `X-Forwarded-For` only behind a configured proxy.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Answers with a page.
    pub fn page(&self, template: &impl Template) -> Result<HttpResponse> {
        self.html(StatusCode::OK, template.render()?)
    }

    /// Sends whoever posted, by htmx or as a form, to `location` with a message that the page there shows
    /// once.
    pub fn go_with(&self, location: &str, message: &str) -> HttpResponse {
        if self.partial {
            carrying(HttpResponse::Ok().insert_header(("HX-Redirect", location)).finish(), message)
        } else {
            redirect_with(location, message)
        }
    }

    /// Answers with rendered HTML under a status.
    pub fn html(&self, status: StatusCode, body: String) -> Result<HttpResponse> {
        // A form that was saved leads elsewhere; a page that answers one shows it as unsaved.
        let body = if self.posted && !self.partial {
            body.replacen("data-posted=\"\"", &format!("data-posted=\"{}\"", status.as_u16()), 1)
        } else {
            body
        };
        let mut answer = HttpResponse::build(status);
        answer.content_type("text/html; charset=utf-8");
        let answer = answer.body(shown(body));
        Ok(if self.message.is_some() && !self.partial { carrying(answer, "") } else { answer })
    }
}

/// Whether htmx asked for a fragment. A restored history entry wants the whole page.
pub(crate) fn is_partial(req: &HttpRequest) -> bool {
    let has =
        |name: &str, value: &str| req.headers().get(name).is_some_and(|v| v.as_bytes() == value.as_bytes());
    has("HX-Request-Type", "partial") && !has("HX-History-Restore-Request", "true")
}

impl FromRequest for Ctx {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let ctx = Self::of(req);
        Box::pin(async { ctx })
    }
}

/// Sends the browser to `location` (a path of this app) after a form.
pub fn redirect(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// Why something was refused, as a code and a sentence, on an answer that shows the form again instead of the
/// error's page.
pub(crate) struct Refusal(pub &'static str, pub String);

/// Notes on an answer that shows a form again, instead of the error's page, why it was refused: the refusal
/// is recorded.
pub fn refusal_noted(mut answer: HttpResponse, reason: &'static str, why: impl Into<String>) -> HttpResponse {
    answer.extensions_mut().insert(Refusal(reason, why.into()));
    answer
}

/// As [`redirect`], with a message that the next page shows once.
pub fn redirect_with(location: &str, message: &str) -> HttpResponse {
    carrying(HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish(), message)
}

/// The message that an answer takes along to the next page; empty once it was shown. The edge makes the
/// cookie of it.
pub(crate) struct Message(String);

fn carrying(mut answer: HttpResponse, message: &str) -> HttpResponse {
    answer.extensions_mut().insert(Message(message.to_owned()));
    answer
}

impl Message {
    pub(crate) fn cookie(&self, name: String, https: bool) -> Cookie<'static> {
        let encoded = utf8_percent_encode(&self.0, NON_ALPHANUMERIC).to_string();
        let cookie =
            Cookie::build(name, encoded).path("/").http_only(true).secure(https).same_site(SameSite::Lax);
        let mut cookie = cookie.finish();
        if self.0.is_empty() {
            cookie.make_removal();
        }
        cookie
    }
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().chars().take(500).collect()
}

/// The peer, or behind configured proxies the last address in `X-Forwarded-For` that is not one of them.
fn client_address(req: &HttpRequest, proxies: &[Range]) -> Option<String> {
    let peer = req.peer_addr()?.ip();
    let peer = peer.to_canonical();
    let is_proxy = |ip: &std::net::IpAddr| proxies.iter().any(|range| range.contains(ip));
    if !is_proxy(&peer) {
        return Some(peer.to_string());
    }
    let forwarded = req
        .headers()
        .get_all("X-Forwarded-For")
        .filter_map(|v| v.to_str().ok())
        .collect::<Vec<_>>()
        .join(",");
    let read = |part: &str| {
        let alone = part.trim().parse::<std::net::IpAddr>().ok();
        alone
            .or_else(|| part.trim().parse::<std::net::SocketAddr>().ok().map(|with_port| with_port.ip()))
            .map(|ip| ip.to_canonical())
    };
    // From the right, the first that is no proxy of ours. What cannot be read ends the search: whatever
    // stands to its left was written by somebody else.
    let named = forwarded.split(',').rev().map(read).find(|ip| ip.is_none_or(|ip| !is_proxy(&ip))).flatten();
    Some(named.unwrap_or(peer).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_cookie() {
        let cookie = Message("“Ünïcode” & 100 % saved\n".into()).cookie("m".into(), true);
        assert_eq!(cookie.secure(), Some(true));
        assert_eq!(percent_decode(cookie.value()), "“Ünïcode” & 100 % saved\n");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn forwarded_addresses_count_only_behind_a_known_proxy() {
        let proxy: std::net::IpAddr = "10.0.0.1".parse().unwrap();
        let req = actix_web::test::TestRequest::default()
            .peer_addr("10.0.0.1:4000".parse().unwrap())
            .insert_header(("X-Forwarded-For", "198.51.100.7, 203.0.113.9"))
            .to_http_request();
        assert_eq!(client_address(&req, &[proxy.into()]).unwrap(), "203.0.113.9");
        assert_eq!(client_address(&req, &[]).unwrap(), "10.0.0.1");
    }
}
