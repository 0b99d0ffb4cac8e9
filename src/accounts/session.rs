//! Sessions in PostgreSQL, behind actix-session. Loading one also loads the person, their rights and the
//! organisation's settings in the same statement. They are no part of the session's own values: the store
//! leaves what it found in the [`Found`] of its request, which [`found`] opened around the sessions'
//! middleware and [`handed_over`] takes inside it. A database that is away does not fail the load: pages turn
//! it into a 503 with a sentence.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_session::{Session, SessionExt, SessionStatus};
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::CookieJar;
use actix_web::cookie::time::Duration;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use chrono::{DateTime, Utc};

use crate::accounts::store;
use crate::kernel::app::{App, Keys};
use crate::kernel::base::error::Error;
use crate::kernel::base::hex::random_hex;
use crate::kernel::base::logging::without_quotes;
use crate::kernel::db::Db;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::refusals as flood;
use crate::kernel::web::Ctx;
use crate::kernel::web::ctx::Known;

/// What the store found of the session of one request, and what it is to do when the session is written.
#[derive(Default)]
struct Found {
    known: Option<Known>,
    last_use: LastUse,
    /// The next write gives the session a new secret.
    renews: bool,
}

#[derive(Clone, Copy, Default)]
struct LastUse {
    /// The person's rights changed: the session goes on under a new secret.
    renew: bool,
    /// It was noted a while ago.
    is_stale: bool,
}

tokio::task_local! {
    /// The session middleware calls the store within the task of its request, with keys and values alone.
    static FOUND: RefCell<Found>;
}

/// The outermost of the session's middleware: opens the [`Found`] of a request.
pub async fn found(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    FOUND.scope(RefCell::default(), next.call(req)).await.map(ServiceResponse::map_into_boxed_body)
}

/// The innermost of them: hands what was found to whoever answers the request.
pub async fn handed_over(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Found { known, last_use, .. } = FOUND.with(RefCell::take);
    req.extensions_mut().insert(last_use);
    if let Some(known) = known {
        req.extensions_mut().insert(known);
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// Key of when the session was given its present secret.
const RENEWED_AT: &str = "renewed_at";

type State = HashMap<String, String>;

pub struct Sessions {
    db: Db,
    keys: Arc<Keys>,
}

impl Sessions {
    /// A store on this database. Only keyed hashes of session ids reach it.
    pub fn new(db: Db, keys: Arc<Keys>) -> Self {
        Self { db, keys }
    }
}

fn to_anyhow(error: Error) -> anyhow::Error {
    anyhow::Error::new(error)
}

/// Requests that no person makes: they keep no session alive.
fn is_quiet(req: &ServiceRequest) -> bool {
    let path = req.path();
    let by_itself = path.ends_with("/events") || path.ends_with("/fresh") || path == "/account/idle";
    by_itself || req.headers().contains_key("Tyrian-Quiet")
}

/// The middleware, inside the sessions: notes that a session is in use, at most once a minute, and gives it a
/// new secret after its person's rights have changed.
pub async fn in_use(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let (person, renew, stale) = {
        let extensions = req.extensions();
        let person = match extensions.get::<Known>() {
            Some(Known::Viewer(viewer)) => Some(viewer.session),
            _ => None,
        };
        let last_use = extensions.get::<LastUse>().copied().unwrap_or_default();
        (person, last_use.renew, last_use.is_stale)
    };
    note_tampering(&req).await;
    let session = req.get_session();
    let mut renews = false;
    let mut renewed_at = DateTime::UNIX_EPOCH;
    if let Some((id, app)) = person.zip(req.app_data::<actix_web::web::Data<App>>().cloned()) {
        let (now, touch) = (app.clock.now(), stale && !is_quiet(&req));
        renewed_at = now;
        let noted = app.db.write_unaudited("session in use", move |conn| {
            if touch {
                store::touch_session(conn, id, now)?;
            }
            // Of the requests that find the mark, one renews.
            if renew { store::claim_renewal(conn, id) } else { Ok(false) }
        });
        if touch || renew {
            renews = noted.await.unwrap_or_else(|cause| {
                tracing::warn!(
                    cause = without_quotes(&cause.to_string()),
                    "a session's use could not be noted"
                );
                false
            });
        }
    }
    let answer = next.call(req).await?.map_into_boxed_body();
    if renews && session.status() != SessionStatus::Purged {
        renew_secret(&session, renewed_at);
    }
    Ok(answer)
}

/// A session cookie that this installation did not make, or that was changed since, is no session, and is
/// recorded.
async fn note_tampering(req: &ServiceRequest) {
    let Some(app) = req.app_data::<actix_web::web::Data<App>>().cloned() else { return };
    let name = app.keys.cookies.session.as_str();
    let Some(cookie) = req.cookie(name) else { return };
    let mut jar = CookieJar::new();
    jar.add_original(cookie.into_owned());
    if jar.private(&app.keys.cookie).get(name).is_some() {
        return;
    }
    let actor = Ctx::of(req.request()).map(|ctx| ctx.actor()).unwrap_or_else(|_| Actor::anonymous());
    let event = Event::failed(
        Kind::CookieRefused,
        "tampered",
        "Refused a session cookie that this installation did not make",
    );
    if let Err(cause) = app.db.write(actor, |tx| flood::record(tx, (), &[event])).await {
        tracing::warn!(cause = without_quotes(&cause.to_string()), "a refused cookie could not be recorded");
    }
}

/// Lets a session go on under a new secret. It is the same session, with the same end: one that was ended
/// meanwhile stays so.
pub fn renew_secret(session: &Session, now: DateTime<Utc>) {
    FOUND.with(|found| found.borrow_mut().renews = true);
    // A session without a changed value is not written.
    let _ = session.insert(RENEWED_AT, now);
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let hash = self.keys.hash(key.as_ref());
        let now = self.db.clock().now();
        let loaded = match self.db.read(move |conn| store::find_session(conn, &hash, now)).await {
            Ok(loaded) => loaded,
            Err(Error::Unavailable(cause)) => {
                tracing::warn!(cause = without_quotes(&cause), "a session could not be read");
                FOUND.with(|found| found.borrow_mut().known = Some(Known::Unavailable));
                return Ok(Some(HashMap::new()));
            }
            Err(other) => return Err(LoadError::Other(to_anyhow(other))),
        };
        let Some(session) = loaded else { return Ok(None) };
        FOUND.with(|found| {
            let mut found = found.borrow_mut();
            found.known = session.viewer.map(|viewer| Known::Viewer(Arc::new(viewer)));
            found.last_use = LastUse { renew: session.renew, is_stale: session.is_stale };
        });
        Ok(Some(session.state))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = random_hex(32);
        let hash = self.keys.hash(&key);
        let now = self.db.clock().now();
        self.db
            .write_unaudited("session made", move |conn| store::insert_session(conn, &hash, &state, now))
            .await
            .map_err(|e| SaveError::Other(to_anyhow(e)))?;
        SessionKey::try_from(key).map_err(|e| SaveError::Other(e.into()))
    }

    async fn update(&self, key: SessionKey, state: State, _: &Duration) -> Result<SessionKey, UpdateError> {
        let hash = self.keys.hash(key.as_ref());
        let fresh = FOUND.with(|found| found.borrow().renews).then(|| random_hex(32));
        let new_hash = fresh.as_ref().map_or(hash, |fresh| self.keys.hash(fresh));
        self.db
            .write_unaudited("session changed", move |conn| {
                store::update_session(conn, &hash, &new_hash, &state)
            })
            .await
            .map_err(|e| UpdateError::Other(to_anyhow(e)))?;
        match fresh {
            Some(fresh) => SessionKey::try_from(fresh).map_err(|e| UpdateError::Other(e.into())),
            None => Ok(key),
        }
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let hash = self.keys.hash(key.as_ref());
        self.db
            .write_unaudited("session ended", move |conn| store::delete_session(conn, &hash))
            .await
            .map_err(to_anyhow)
    }
}
