//! Sessions in PostgreSQL, behind actix-session. Loading one also loads the person, their rights and the organisation's
//! settings in the same statement, and hands them over as a value that is never stored. A database that is away does not
//! fail the load: it leaves a mark that pages turn into a 503 with a sentence.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_session::{SessionExt, SessionStatus};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::time::Duration;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::accounts::{domain, store};
use crate::app::{App, Keys};
use crate::authz::permit::{UNAVAILABLE, VIEWER, Viewer};
use crate::db::Db;
use crate::error::Error;

/// Key of the signed-in person's id in the session.
pub const PERSON: &str = "person";
/// Key of the time at which the person last proved who they are.
pub const PROVED: &str = "proved";
/// Key of a sign-in that waits for its second factor.
pub const PENDING: &str = "pending";
/// Keys of where the session began: network address and browser.
pub const ADDRESS: &str = "address";
/// See [`ADDRESS`].
pub const AGENT: &str = "agent";
/// Key of the session's end, whatever is done in it; it outlives a change of the session's secret.
pub const UNTIL: &str = "until";
/// Key that says that rights changed: the session goes on under a new secret. Never stored.
pub(crate) const RENEW: &str = "renew";
/// Key that says that the last use was noted a while ago. Never stored.
pub(crate) const STALE: &str = "stale";
/// Longest life of a session, in hours, whatever is done in it.
pub const ABSOLUTE_HOURS: i64 = 12;

type State = HashMap<String, String>;

/// The store.
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
    for passing in [VIEWER, UNAVAILABLE, RENEW, STALE] {
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

/// The middleware, inside the sessions: notes that a session is in use, at most once a minute, and gives it a new secret
/// after its person's rights have changed.
pub async fn in_use(req: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let session = req.get_session();
    let says = |key: &str| session.get::<bool>(key).ok().flatten().unwrap_or(false);
    let (renew, stale) = (says(RENEW), says(STALE));
    let person = session.get::<Viewer>(VIEWER).ok().flatten();
    if let Some(viewer) = person.filter(|_| stale && !is_quiet(&req))
        && let Some(app) = req.app_data::<actix_web::web::Data<App>>()
    {
        let now = app.clock.now();
        let touched = app.db.write_unaudited("session in use", move |conn| store::touch_session(conn, viewer.session, now)).await;
        if let Err(cause) = touched {
            tracing::warn!(%cause, "a session's last use could not be kept");
        }
    }
    let answer = next.call(req).await?.map_into_boxed_body();
    if renew && session.status() != SessionStatus::Purged {
        session.renew();
    }
    Ok(answer)
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let hash = self.keys.hash(key.as_ref());
        let now = self.db.clock().now();
        let loaded = match self.db.read(move |conn| store::find_session(conn, &hash, now)).await {
            Ok(loaded) => loaded,
            Err(Error::Unavailable(cause)) => {
                tracing::warn!(%cause, "a session could not be read");
                return Ok(Some(HashMap::from([(UNAVAILABLE.to_owned(), "true".to_owned())])));
            }
            Err(other) => return Err(LoadError::Other(to_anyhow(other))),
        };
        let Some(session) = loaded else { return Ok(None) };
        let mut state = session.state;
        for (key, _) in [(STALE, session.is_stale), (RENEW, session.renew)].into_iter().filter(|(_, said)| *said) {
            state.insert(key.to_owned(), "true".to_owned());
        }
        if let Some(viewer) = session.viewer {
            let json = serde_json::to_string(&viewer).map_err(|e| LoadError::Deserialization(e.into()))?;
            state.insert(VIEWER.to_owned(), json);
        }
        Ok(Some(state))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = domain::random_hex(32);
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
        let state = stored(state);
        self.db
            .write_unaudited("session changed", move |conn| store::update_session(conn, &hash, &state))
            .await
            .map_err(|e| UpdateError::Other(to_anyhow(e)))?;
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let hash = self.keys.hash(key.as_ref());
        self.db.write_unaudited("session ended", move |conn| store::delete_session(conn, &hash)).await.map_err(to_anyhow)
    }
}
