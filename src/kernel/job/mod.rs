//! Jobs: one actor task per process with a mailbox (tick, run now, stop) and a cron expression for each job.
//! A job is a function of the database and the time that is safe to run twice; data decides what is due, not
//! the tick, so any number of processes may run it. Its runs are rows that the admin page shows. Which jobs
//! there are stands in `jobs`.

pub mod store;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;
use tokio::sync::{mpsc, oneshot};

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::logging::without_quotes;
use crate::kernel::config::Config;
use crate::kernel::db::Db;
use crate::kernel::event::domain::Actor;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// How many rows it moved, removed or made.
    pub moved: usize,
    /// How many it had to leave.
    pub skipped: usize,
    /// What it left and why, the first of them.
    pub left_over: Vec<String>,
    /// What it says of its run; empty where the numbers above say it all.
    pub said: String,
    /// What it found to be wrong: the run counts as failed, though it came to its end.
    pub wrong: Option<String>,
}

/// A job: its name, when it runs, what it does.
pub struct Job {
    /// Stable name, as in `tyrian jobs run NAME`.
    pub name: &'static str,
    /// What it does, in a few words, for people.
    pub title: &'static str,
    /// Cron expression, in UTC.
    pub schedule: &'static str,
    /// One sentence for the admin page.
    pub about: &'static str,
    /// Whether it takes long: it runs beside the others, and nobody waits for its end. It looks at
    /// [`Reach::stopping`] now and then.
    pub long: bool,
    pub run: fn(&Reach, DateTime<Utc>) -> Result<Done>,
}

/// What jobs may reach; cheap to clone.
#[derive(Clone)]
pub struct Reach {
    pub db: Db,
    /// The same database as the role that archives and drops months of the audit log.
    pub sealing: Db,
    /// The directory that holds the attachments.
    pub attachments: PathBuf,
    /// The directory that holds the audit log's archives.
    pub archives: PathBuf,
    /// Settings of this process.
    pub config: Arc<Config>,
    /// Who told it to run, where somebody did.
    pub by: Option<PersonId>,
    /// Whether somebody wants this run, and not only its schedule.
    pub asked: bool,
    /// Whether the process is about to end.
    pub stopping: Stopping,
}

/// Told once when the process is about to end; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells it when it goes, whichever way that is.
struct TellsAtItsEnd(Stopping);

impl Drop for TellsAtItsEnd {
    fn drop(&mut self) {
        self.0.tell();
    }
}

impl Reach {
    /// Who acts in a job's events.
    pub fn actor(&self) -> Actor {
        Actor { on_behalf_of: self.by, ..Actor::system() }
    }
}

crate::text_enum! {
    /// Why a run began.
    pub enum Trigger {
        Start => "start", "At start";
        Tick => "tick", "On schedule";
        /// Somebody on the admin page.
        ByHand => "by_hand", "By hand";
        Command => "command", "Command line";
    }
}

/// How far a run that somebody asked for came.
pub enum Ran {
    Done(Done),
    /// It takes long and goes on; its row tells of the end.
    Begun,
}

enum Message {
    RunNow(&'static Job, Option<PersonId>, oneshot::Sender<Result<Ran>>),
    Stop,
}

/// Every job of the product, and a handle to the process's actor; cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    table: &'static [Job],
    mailbox: mpsc::Sender<Message>,
    stopping: Stopping,
}

impl Jobs {
    /// Starts the actor on the current runtime: every job once, then by its schedule.
    pub fn start(table: &'static [Job], reach: Reach) -> Self {
        let (sender, mailbox) = mpsc::channel(16);
        let stopping = reach.stopping.clone();
        tokio::task::spawn_local(act(table, reach, mailbox));
        Self { table, mailbox: sender, stopping }
    }

    /// A handle whose actor never runs anything by itself, for tests and the command line.
    pub fn idle(table: &'static [Job]) -> Self {
        Self { table, mailbox: mpsc::channel(1).0, stopping: Stopping::default() }
    }

    /// Every job of the product, in the order of the admin page.
    pub fn all(&self) -> &'static [Job] {
        self.table
    }

    /// A job by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub fn find(&self, name: &str) -> Result<&'static Job> {
        self.table.iter().find(|job| job.name == name).ok_or(Error::NotFound)
    }

    /// Runs a job now, for somebody, and waits for it unless it takes long.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name, [`Error::Unavailable`] when the actor has stopped, or what
    /// the job says.
    pub async fn run_now(&self, name: &str, by: Option<PersonId>) -> Result<Ran> {
        let job = self.find(name)?;
        let (answer, done) = oneshot::channel();
        let stopped = |_| Error::Unavailable("the jobs of this process have stopped".into());
        self.mailbox.send(Message::RunNow(job, by, answer)).await.map_err(|e| stopped(e.to_string()))?;
        done.await.map_err(|e| stopped(e.to_string()))?
    }

    /// Asks the actor to stop after what it is doing, and what takes long to end early.
    pub async fn stop(&self) {
        self.stopping.tell();
        let _ = self.mailbox.send(Message::Stop).await;
    }
}

/// Runs a job once, on this thread, and keeps a row of it.
///
/// # Errors
/// What the job says; the row then holds it too.
pub fn run(reach: &Reach, job: &Job, trigger: Trigger, at: Option<DateTime<Utc>>) -> Result<Done> {
    let db = &reach.db;
    let started = db.clock().now();
    let id = store::begin(db, job.name, trigger, started)?;
    let asked = matches!(trigger, Trigger::ByHand | Trigger::Command);
    let done = (job.run)(&Reach { asked, ..reach.clone() }, at.unwrap_or(started));
    store::finish(db, id, db.clock().now(), &done)?;
    match &done {
        Ok(Done { wrong: Some(wrong), .. }) => {
            tracing::error!(job = job.name, wrong = without_quotes(wrong), "job found a fault")
        }
        Ok(Done { said, .. }) if !said.is_empty() => tracing::info!(job = job.name, "{said}"),
        // A job that runs each minute and finds nothing to do is no news.
        Ok(done) if done.moved == 0 && done.skipped == 0 => {
            tracing::debug!(job = job.name, "job done, nothing to do")
        }
        Ok(done) => tracing::info!(job = job.name, moved = done.moved, skipped = done.skipped, "job done"),
        Err(cause) => {
            tracing::error!(job = job.name, cause = without_quotes(&cause.to_string()), "job failed")
        }
    }
    done
}

/// When the schedule fires next after `after`.
pub fn next_run(job: &Job, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    next_of(job.schedule, after)
}

/// When a schedule fires next after `after`.
pub fn next_of(schedule: &str, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Cron::from_str(schedule).ok()?.find_next_occurrence(&after, false).ok()
}

/// How long a job may go without success, in intervals of its schedule.
const INTERVALS: i32 = 2;

/// Since when a job has not succeeded, where that is longer than two of its intervals: since its last success
/// or, where there was none, since the first run that is known.
pub fn late_since(job: &Job, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = next_run(job, now)?;
    let interval = next_run(job, next)? - next;
    since.filter(|since| now - *since > interval * INTERVALS)
}

/// How long whoever asks for a job that takes long waits for its end.
const MOMENT: Duration = Duration::from_secs(1);

async fn act(table: &'static [Job], reach: Reach, mut mailbox: mpsc::Receiver<Message>) {
    // The runtime waits at its end for what runs in the background.
    let _end = TellsAtItsEnd(reach.stopping.clone());
    for job in table {
        run_one(&reach, job, Trigger::Start).await;
    }
    let mut looked = reach.db.clock().now();
    loop {
        let now = reach.db.clock().now();
        // From the last look on, not from now: a tick that fell into a long run is still due. A clock that
        // went back looks anew.
        looked = looked.min(now);
        let due: Vec<(DateTime<Utc>, &Job)> =
            table.iter().filter_map(|job| Some((next_run(job, looked)?, job))).collect();
        let Some(first) = due.iter().map(|(at, _)| *at).min() else { return };
        // At most a minute at once: after the machine slept, or its clock jumped, the next look puts it
        // right.
        let wait = (first - now).to_std().unwrap_or_default().min(Duration::from_secs(60));
        tokio::select! {
            message = mailbox.recv() => match message {
                Some(Message::RunNow(job, by, answer)) => {
                    let reach = Reach { by, ..reach.clone() };
                    let run = in_background(reach, job, Trigger::ByHand);
                    let ran = if job.long {
                        // What is done in a moment is told at once.
                        let going_on = tokio::task::spawn_local(run);
                        match tokio::time::timeout(MOMENT, going_on).await {
                            Ok(Ok(ended)) => ended.map(Ran::Done),
                            Ok(Err(panicked)) => Err(Error::Internal(panicked.into())),
                            Err(_) => Ok(Ran::Begun),
                        }
                    } else {
                        run.await.map(Ran::Done)
                    };
                    let _ = answer.send(ran);
                }
                Some(Message::Stop) | None => return,
            },
            () = tokio::time::sleep(wait) => {
                let woken = reach.db.clock().now();
                looked = woken;
                for (at, job) in due {
                    if at <= woken {
                        run_one(&reach, job, Trigger::Tick).await;
                    }
                }
            }
        }
    }
}

/// Runs a job, and waits for its end unless it takes long. How it ended stands in its row.
async fn run_one(reach: &Reach, job: &'static Job, trigger: Trigger) {
    let run = in_background(reach.clone(), job, trigger);
    if job.long {
        drop(tokio::task::spawn_local(run));
    } else {
        let _ = run.await;
    }
}

async fn in_background(reach: Reach, job: &'static Job, trigger: Trigger) -> Result<Done> {
    actix_web::web::block(move || run(&reach, job, trigger, None))
        .await
        .map_err(|e| Error::Internal(e.into()))?
}
