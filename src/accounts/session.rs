//! Sessions in PostgreSQL, behind actix-session. Loading one also loads the person, their rights and the
//! organisation's settings in the same statement, and hands them over as a value that is never stored. A
//! database that is away does not fail the load: it leaves a mark that pages turn into a 503 with a sentence.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_session::{Session, SessionExt, SessionStatus};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::CookieJar;
use actix_web::cookie::time::Duration;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::accounts::store;
use crate::kernel::app::{App, Keys};
use crate::kernel::base::error::Error;
use crate::kernel::base::hex::random_hex;
use crate::kernel::base::logging::without_quotes;
use crate::kernel::db::Db;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::refusals as flood;
use crate::kernel::web::Ctx;
use crate::kernel::web::permit::{UNAVAILABLE, VIEWER, Viewer};

/// Key that says that rights changed: the session goes on under a new secret. Never stored.
pub(crate) const RENEW: &str = "renew";
/// Key that tells the store to change the secret. Never stored.
const RENEWED: &str = "renewed";
/// Key that says that the last use was noted a while ago. Never stored.
pub(crate) const STALE: &str = "stale";

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

fn stored(mut state: State) -> State {
    for passing in [VIEWER, UNAVAILABLE, RENEW, RENEWED, STALE] {
        state.remove(passing);
    }
    state
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
    if req.path().starts_with("/assets/") {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    note_tampering(&req).await;
    let session = req.get_session();
    let says = |key: &str| session.get::<bool>(key).ok().flatten().unwrap_or(false);
    let (renew, stale) = (says(RENEW), says(STALE));
    let person = session.get::<Viewer>(VIEWER).ok().flatten().map(|viewer| viewer.session);
    let mut renews = false;
    if let Some((id, app)) = person.zip(req.app_data::<actix_web::web::Data<App>>().cloned()) {
        let (now, touch) = (app.clock.now(), stale && !is_quiet(&req));
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
        renew_secret(&session);
    }
    Ok(answer)
}

/// A session cookie that this installation did not make, or that was changed since, is no session, and is
/// recorded.
async fn note_tampering(req: &ServiceRequest) {
    let Some(app) = req.app_data::<actix_web::web::Data<App>>().cloned() else { return };
    let https = app.config.is_https();
    let Some(cookie) = req.cookie(cookie_name(https)) else { return };
    let mut jar = CookieJar::new();
    jar.add_original(cookie.into_owned());
    if jar.private(&app.keys.cookie).get(cookie_name(https)).is_some() {
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

/// Name of the session's cookie; behind https it can be set by no other host and no other path.
pub fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-tyrian" } else { "tyrian" }
}

/// Lets a session go on under a new secret. It is the same session, with the same end: one that was ended
/// meanwhile stays so.
pub fn renew_secret(session: &Session) {
    // The store reads it when it is told of the change.
    let _ = session.insert(RENEWED, true);
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let hash = self.keys.hash(key.as_ref());
        let now = self.db.clock().now();
        let loaded = match self.db.read(move |conn| store::find_session(conn, &hash, now)).await {
            Ok(loaded) => loaded,
            Err(Error::Unavailable(cause)) => {
                tracing::warn!(cause = without_quotes(&cause), "a session could not be read");
                return Ok(Some(HashMap::from([(UNAVAILABLE.to_owned(), "true".to_owned())])));
            }
            Err(other) => return Err(LoadError::Other(to_anyhow(other))),
        };
        let Some(session) = loaded else { return Ok(None) };
        let mut state = session.state;
        for (key, _) in
            [(STALE, session.is_stale), (RENEW, session.renew)].into_iter().filter(|(_, said)| *said)
        {
            state.insert(key.to_owned(), "true".to_owned());
        }
        if let Some(viewer) = session.viewer {
            let json = serde_json::to_string(&viewer).map_err(|e| LoadError::Deserialization(e.into()))?;
            state.insert(VIEWER.to_owned(), json);
        }
        Ok(Some(state))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = random_hex(32);
        let hash = self.keys.hash(&key);
        let now = self.db.clock().now();
        let state = stored(state);
        self.db
            .write_unaudited("session made", move |conn| store::insert_session(conn, &hash, &state, now))
            .await
            .map_err(|e| SaveError::Other(to_anyhow(e)))?;
        SessionKey::try_from(key).map_err(|e| SaveError::Other(e.into()))
    }

    async fn update(&self, key: SessionKey, state: State, _: &Duration) -> Result<SessionKey, UpdateError> {
        let hash = self.keys.hash(key.as_ref());
        let fresh = state.contains_key(RENEWED).then(|| random_hex(32));
        let new_hash = fresh.as_ref().map_or(hash, |fresh| self.keys.hash(fresh));
        let state = stored(state);
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
