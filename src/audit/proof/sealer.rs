//! The sealer: every half second it looks whether 500 events are settled, or fewer have waited long enough,
//! and seals them. Any number of nodes may run one; the database lets one at a time.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::audit::proof::merkle::Digest;
use crate::audit::proof::seal::{Kept, KeyFiles, Loss, Seal};
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
    told: Arc<Mutex<Told>>,
}

/// What was said already, so that it is said once.
#[derive(Default)]
struct Told {
    /// That the key is new here, where it was.
    key: bool,
    /// What was lost: the newest seal that was known.
    lost: Option<Digest>,
    /// The row that stands on top of the seals and is none.
    nonsense: Option<i64>,
    /// Whether the clock stands behind the newest seal.
    behind: bool,
}

impl Sealer {
    /// One that signs with the key of these files, which it makes where there is none; what earlier versions
    /// left in the data directory is taken over. With `feed` it prints each event to stdout as a line of
    /// OCSF.
    ///
    /// # Errors
    /// When the key cannot be read or made, or what is to be kept beside it cannot be written.
    pub fn new(db: Db, files: KeyFiles, feed: bool) -> anyhow::Result<Self> {
        files.check_writable()?;
        let moved = files.to_take_over();
        if !moved.is_empty() {
            let places: Vec<String> =
                moved.iter().map(|(from, to)| format!("{} from {}", to.display(), from.display())).collect();
            let event = Event::new(
                Kind::HeadTakenOver,
                format!("Took over the audit log's newest seal and keys: {}", places.join(", ")),
            );
            db.write_blocking(&Actor::system(), |tx| tx.audited((), event))?;
            files.take_over()?;
        }
        Ok(Self { db, key: Arc::new(files.signing_key()?), files, feed, told: Arc::default() })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, event: &Event) -> Result<()> {
        self.db.write_blocking(&Actor::system(), |tx| tx.audited((), event.clone()))?;
        tracing::warn!("{}", event.sentence);
        Ok(())
    }

    /// A key that is not on the list of trusted ones gets there, and an event says so. Only the very first
    /// key of a log that has no seal is none of news where nothing `begins`. Whether it is that first one.
    fn settle_key(&self, begins: bool) -> Result<bool> {
        let mut told = self.told();
        if told.key {
            return Ok(false);
        }
        let public = self.key.verifying_key().to_bytes();
        let trusted = self.files.trusted().map_err(Error::Internal)?;
        if trusted.contains(&public) {
            told.key = true;
            return Ok(false);
        }
        let last = self.db.read_blocking(|conn| Ok(store::get_end(conn, None)?.sound))?;
        let before = last.as_ref().map(|seal| seal.key).or(trusted.last().copied());
        let number = last.as_ref().map_or(0, |seal| seal.number);
        let sentence = match before {
            Some(before) if before == public => {
                format!("Found the key of the audit log, {}, missing on the list of its keys", hex(&public))
            }
            Some(before) => format!(
                "Found another key to seal the audit log with, {}; until seal {number} it was {}",
                hex(&public),
                hex(&before)
            ),
            None => format!("Began to seal the audit log with the key {}", hex(&public)),
        };
        if before.is_some() || begins {
            let detail =
                json!({ "key": hex(&public), "before": before.map(|key| hex(&key)), "last_seal": number });
            self.write(&Event::new(Kind::KeyTrusted, sentence).detail(detail))?;
        }
        self.files.trust(&public).map_err(Error::Internal)?;
        told.key = true;
        Ok(before.is_none())
    }

    /// Where the newest seal that was made from here is gone or another, where what is kept of it is, or
    /// where the log is in another cluster, that becomes an event of the log itself, and sealing goes on from
    /// what there is. So does a key that was not there before.
    ///
    /// # Errors
    /// When the database or the file cannot be written.
    pub fn begin(&self) -> Result<()> {
        let first = self.settle_key(true)?;
        self.look(first)
    }

    fn look(&self, first: bool) -> Result<()> {
        let kept = self.files.kept();
        let (holds, end, standing) = self.db.read_blocking(|conn| {
            let end = store::get_end(conn, kept.seal())?;
            Ok((store::holds(conn, &kept, &end)?, end, store::get_standing(conn)?))
        })?;
        if let Some(number) = end.nonsense {
            self.tell_nonsense(number)?;
        }
        let last = end.sound;
        if first && kept == Kept::Missing && last.is_none() {
            // A key that was given before the first start.
            return self.files.keep_nothing(&self.key).map_err(Error::Internal);
        }
        let moved = last.as_ref().is_some_and(|seal| seal.cluster != standing.cluster);
        if holds && !moved {
            return Ok(());
        }
        self.tell_loss(&kept, last.as_ref(), holds)?;
        match last {
            Some(last) => self.files.keep_head(&last).map_err(Error::Internal),
            None => self.files.keep_nothing(&self.key).map_err(Error::Internal),
        }
    }

    /// Writes that event, once for each seal that was found lost: should the file not take the newest seal
    /// there is, the next turn finds the same again.
    fn tell_loss(&self, kept: &Kept, last: Option<&Seal>, holds: bool) -> Result<()> {
        let of = kept.seal().or(last).map_or([0; 32], Seal::digest);
        if self.told().lost == Some(of) {
            return Ok(());
        }
        let number = last.map_or(0, |seal| seal.number);
        let sentence = match kept {
            _ if holds => {
                format!("Found the audit log in another database cluster, whole up to seal {number}")
            }
            Kept::Seal(head) => format!(
                "Found the audit log cut off, rewritten or restored from an older copy: it ends with seal \
                    {number}, and seal {} had been made",
                head.number
            ),
            Kept::Nothing => format!(
                "Found the newest seal beside the key put back to the beginning; the audit log ends with \
                    seal \
                    {number}"
            ),
            Kept::Missing => format!(
                "Found the newest seal beside the key missing; the audit log ends with seal {number}, and \
                    nothing \
                    tells whether it was cut off, rewritten or restored from an older copy"
            ),
            Kept::Unreadable(_) => format!(
                "Found the newest seal beside the key unreadable; the audit log ends with seal {number}"
            ),
        };
        let known = kept.seal().map(|head| json!({ "number": head.number, "sha256": hex(&head.digest()) }));
        let detail = json!({ "last_seal": number, "kept_seal": known, "lost": hex(&of) });
        self.write(&Event::new(Kind::LogRestored, sentence.as_str()).detail(detail))?;
        // The event is not sealed yet: who owns the database could take it away until then.
        let loss = Loss { seal: hex(&of), sentence, found: self.db.clock().now() };
        self.files.keep_loss(&loss).map_err(Error::Internal)?;
        self.told().lost = Some(of);
        Ok(())
    }

    fn tell_nonsense(&self, number: i64) -> Result<()> {
        if self.told().nonsense == Some(number) {
            return Ok(());
        }
        self.write(
            &Event::new(
                Kind::SealRefused,
                format!(
                    "Found a row in the place of seal {number} that is no seal; nothing is sealed until \
                        `tyrian \
                        audit set-aside seal {number}` lays it aside"
                ),
            )
            .detail(json!({ "seal": number })),
        )?;
        self.told().nonsense = Some(number);
        Ok(())
    }

    /// Says once that the database's clock was set back behind the newest seal.
    fn tell_clock(&self, before: &Seal, seal: &Seal) -> Result<()> {
        let behind = seal.at < before.at;
        if std::mem::replace(&mut self.told().behind, behind) || !behind {
            return Ok(());
        }
        let sentence = format!(
            "Found the database's clock set back: seal {} is of {}, and seal {} before it of {}",
            seal.number,
            seal.at.format("%Y-%m-%d %H:%M:%S UTC"),
            before.number,
            before.at.format("%Y-%m-%d %H:%M:%S UTC")
        );
        self.write(&Event::new(Kind::ClockSetBack, sentence))
    }

    /// One turn: seals a batch that is full, or whose oldest event has waited for `wait`. Whoever rewrites a
    /// log that runs must not get it sealed anew in silence: the turn begins by finding the newest seal as it
    /// was made.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn turn(&self, wait: TimeDelta) -> Result<Turn> {
        let first = self.settle_key(false)?;
        let kept = self.files.kept();
        if matches!(kept, Kept::Missing | Kept::Unreadable(_)) {
            self.look(first)?;
            return Ok(Turn::Lost);
        }
        let turn = self.db.write_unaudited_blocking("audit seal", |conn| {
            store::seal_next(conn, &self.key, &kept, wait, &mut |events| {
                if self.feed {
                    print(events);
                }
            })
        })?;
        match &turn {
            Turn::Sealed(seal, _) => {
                self.keep(seal);
                if let Some(before) = kept.seal() {
                    self.tell_clock(before, seal)?;
                }
            }
            Turn::Lost => self.look(false)?,
            Turn::Nonsense(number) => self.tell_nonsense(*number)?,
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
                Turn::Busy | Turn::Waiting | Turn::Nonsense(_) => return Ok(made),
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
