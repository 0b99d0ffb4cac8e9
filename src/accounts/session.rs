//! Sessions in PostgreSQL, behind actix-session. Loading one also loads the person, their rights and the organisation's
//! settings in the same statement, and hands them over as a value that is never stored. A database that is away does not
//! fail the load: it leaves a mark that pages turn into a 503 with a sentence.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;

use crate::accounts::{domain, store};
use crate::app::Keys;
use crate::authz::permit::{UNAVAILABLE, VIEWER};
use crate::db::Db;
use crate::error::Error;

/// Key of the signed-in person's id in the session.
pub const PERSON: &str = "person";
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
    state.remove(VIEWER);
    state.remove(UNAVAILABLE);
    state
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
        if session.is_stale {
            // At most once a minute for each session, so that an idle one can be told from one in use.
            let touched = self.db.write_unaudited("session in use", move |conn| store::touch_session(conn, &hash, now)).await;
            if let Err(cause) = touched {
                tracing::warn!(%cause, "a session's last use could not be kept");
            }
        }
        let mut state = session.state;
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
