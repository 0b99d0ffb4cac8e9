//! The sealer: every half second it looks whether 500 events are settled, or fewer have waited long enough, and seals them.
//! Any number of nodes may run one; the database lets one at a time.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::pg::PgConnection;
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::domain::{Actor, Event, Kind};
use super::merkle::hex;
use super::record::Record;
use super::seal::{KeyFiles, Seal};
use super::seal_store::{self as store, Turn};
use crate::db::Db;
use crate::error::{Error, Result};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long fewer than a full batch wait; with the look and the work that makes about two seconds.
const WAIT: TimeDelta = TimeDelta::milliseconds(1_300);

/// Seals a log; cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    db: Db,
    key: Arc<SigningKey>,
    files: KeyFiles,
    feed: bool,
}

impl Sealer {
    /// One that signs with the key of these files, which it makes where there is none. With `feed` it prints each event to
    /// stdout as a line of OCSF.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn new(db: Db, files: KeyFiles, feed: bool) -> anyhow::Result<Self> {
        Ok(Self { db, key: Arc::new(files.signing_key()?), files, feed })
    }

    /// Whether the newest seal that was made from here is still in the log as it was made. The file is written after the
    /// commit, so it is never ahead of a log that nobody touched.
    fn holds_head(&self, conn: &mut PgConnection) -> Result<bool> {
        match self.files.head() {
            Ok(None) => Ok(true),
            Ok(Some(head)) => Ok(store::find_seal(conn, head.number)?.is_some_and(|seal| seal.digest() == head.digest())),
            // A file that cannot be read says nothing: that is told like a loss.
            Err(_) => Ok(false),
        }
    }

    /// Where the newest seal that was made from here is gone or another, or the log is in another cluster, that becomes an
    /// event of the log itself, and sealing goes on from what there is.
    ///
    /// # Errors
    /// When the database or the file cannot be written.
    pub fn begin(&self) -> Result<()> {
        let (holds, last, standing) =
            self.db.read_blocking(|conn| Ok((self.holds_head(conn)?, store::find_last(conn)?, store::get_standing(conn)?)))?;
        let moved = last.as_ref().is_some_and(|seal| seal.cluster != standing.cluster);
        if holds && !moved {
            return Ok(());
        }
        let number = last.as_ref().map_or(0, |seal| seal.number);
        let head = self.files.head().ok().flatten();
        let sentence = match &head {
            _ if holds => format!("Found the audit log in another database cluster, whole up to seal {number}"),
            Some(head) => format!(
                "Found the audit log cut off, rewritten or restored from an older copy: it ends with seal {number}, and seal {} had been made",
                head.number
            ),
            None => format!("Found the newest seal beside the key unreadable; the audit log ends with seal {number}"),
        };
        let kept = head.map(|head| json!({ "number": head.number, "sha256": hex(&head.digest()) }));
        let event = Event::new(Kind::LogRestored, sentence).detail(json!({ "last_seal": number, "kept_seal": kept }));
        self.db.write_blocking(&Actor::system(), |tx| tx.audited((), event.clone()))?;
        tracing::warn!(last_seal = number, "{}", event.sentence);
        match last {
            Some(last) => self.files.keep_head(&last).map_err(Error::Internal),
            None => self.files.forget_head().map_err(Error::Internal),
        }
    }

    /// One turn: seals a batch that is full, or whose oldest event has waited for `wait`.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn turn(&self, wait: TimeDelta) -> Result<Turn> {
        // In every turn: who rewrites a log that runs must not get it sealed anew in silence.
        if !self.db.read_blocking(|conn| self.holds_head(conn))? {
            self.begin()?;
        }
        let turn = self.db.write_unaudited_blocking("audit seal", |conn| {
            store::seal_next(conn, &self.key, wait, &mut |events| {
                if self.feed {
                    print(events);
                }
            })
        })?;
        if let Turn::Sealed(seal, _) = &turn {
            self.keep(seal);
        }
        Ok(turn)
    }

    fn keep(&self, seal: &Seal) {
        if let Err(cause) = self.files.keep_head(seal) {
            tracing::error!(%cause, "the newest seal is not kept beside its key");
        }
    }

    /// Seals all that is settled now; the number of seals made.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn seal_all(&self) -> Result<usize> {
        let mut made = 0;
        while let Turn::Sealed(_, more) = self.turn(TimeDelta::zero())? {
            made += 1;
            if !more {
                break;
            }
        }
        Ok(made)
    }

    /// Seals for as long as the process runs.
    pub async fn run(self) {
        let mut begun = false;
        let mut failing = false;
        loop {
            let sealer = self.clone();
            let first = !begun;
            let done = actix_web::web::block(move || {
                if first {
                    sealer.begin()?;
                }
                sealer.turn(WAIT)
            });
            let more = match done.await.unwrap_or_else(|e| Err(Error::Internal(e.into()))) {
                Ok(turn) => {
                    (begun, failing) = (true, false);
                    matches!(turn, Turn::Sealed(_, true))
                }
                Err(cause) => {
                    // Once, not twice a second: a database that is away is told by `/readyz`.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%cause, "events wait to be sealed");
                    }
                    false
                }
            };
            if !more {
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

/// One line for each event. Whoever reads them may go away: then they are in the log alone.
fn print(events: &[Record]) {
    let lines: String = events.iter().map(|event| super::ocsf::line(event) + "\n").collect();
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}
