//! The sealer: every half second it looks whether 500 events are settled, or fewer have waited long enough,
//! and seals them. Any number of nodes may run one; the database lets one at a time.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::audit::proof::merkle::Digest;
use crate::audit::proof::seal::{KeyFiles, Seal};
use crate::audit::proof::store::seal::{self as store, Turn};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;
use crate::kernel::db::Db;
use crate::kernel::event::domain::{Actor, Event, Kind};
use crate::kernel::event::record::Record;

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
    told: Arc<Mutex<Option<Digest>>>,
}

impl Sealer {
    /// One that signs with the key of these files, which it makes where there is none. With `feed` it prints
    /// each event to stdout as a line of OCSF.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn new(db: Db, files: KeyFiles, feed: bool) -> anyhow::Result<Self> {
        Ok(Self { db, key: Arc::new(files.signing_key()?), files, feed, told: Arc::default() })
    }

    /// Where the newest seal that was made from here is gone or another, or the log is in another cluster,
    /// that becomes an event of the log itself, and sealing goes on from what there is.
    ///
    /// # Errors
    /// When the database or the file cannot be written.
    pub fn begin(&self) -> Result<()> {
        let head = self.files.head();
        let (holds, last, standing) = self.db.read_blocking(|conn| {
            let last = store::find_last(conn)?;
            let holds = match &head {
                Ok(head) => store::holds(conn, head.as_ref())?,
                // A file that cannot be read says nothing: that is told like a loss.
                Err(_) => false,
            };
            Ok((holds, last, store::get_standing(conn)?))
        })?;
        let moved = last.as_ref().is_some_and(|seal| seal.cluster != standing.cluster);
        if holds && !moved {
            return Ok(());
        }
        self.tell(head.ok().flatten().as_ref(), last.as_ref(), holds)?;
        match last {
            Some(last) => self.files.keep_head(&last).map_err(Error::Internal),
            None => self.files.forget_head().map_err(Error::Internal),
        }
    }

    /// Writes that event, once for each seal that was found lost: should the file not take the newest seal
    /// there is, the next turn finds the same again.
    fn tell(&self, head: Option<&Seal>, last: Option<&Seal>, holds: bool) -> Result<()> {
        let of = head.or(last).map_or([0; 32], Seal::digest);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == Some(of) {
            return Ok(());
        }
        let number = last.map_or(0, |seal| seal.number);
        let sentence = match head {
            _ if holds => {
                format!("Found the audit log in another database cluster, whole up to seal {number}")
            }
            Some(head) => format!(
                "Found the audit log cut off, rewritten or restored from an older copy: it ends with seal \
                    {number}, and seal {} had been made",
                head.number
            ),
            None => format!(
                "Found the newest seal beside the key unreadable; the audit log ends with seal {number}"
            ),
        };
        let kept = head.map(|head| json!({ "number": head.number, "sha256": hex(&head.digest()) }));
        let event =
            Event::new(Kind::LogRestored, sentence).detail(json!({ "last_seal": number, "kept_seal": kept }));
        self.db.write_blocking(&Actor::system(), |tx| tx.audited((), event.clone()))?;
        tracing::warn!(last_seal = number, "{}", event.sentence);
        *told = Some(of);
        Ok(())
    }

    /// One turn: seals a batch that is full, or whose oldest event has waited for `wait`. Whoever rewrites a
    /// log that runs must not get it sealed anew in silence: the turn begins by finding the newest seal as it
    /// was made.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn turn(&self, wait: TimeDelta) -> Result<Turn> {
        let Ok(head) = self.files.head() else {
            self.begin()?;
            return Ok(Turn::Lost);
        };
        let turn = self.db.write_unaudited_blocking("audit seal", |conn| {
            store::seal_next(conn, &self.key, head.as_ref(), wait, &mut |events| {
                if self.feed {
                    print(events);
                }
            })
        })?;
        match &turn {
            Turn::Sealed(seal, _) => self.keep(seal),
            Turn::Lost => self.begin()?,
            Turn::Busy | Turn::Waiting => {}
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
        loop {
            match self.turn(TimeDelta::zero())? {
                Turn::Sealed(_, more) => {
                    made += 1;
                    if !more {
                        return Ok(made);
                    }
                }
                Turn::Lost => {}
                Turn::Busy | Turn::Waiting => return Ok(made),
            }
        }
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
                    matches!(turn, Turn::Sealed(_, true) | Turn::Lost)
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
    let lines: String = events.iter().map(|event| crate::audit::log::ocsf::line(event) + "\n").collect();
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}
