//! The database. Everything goes through [`Db`]: `read` on connections that cannot write, `write` with an
//! audit event. A write that returns without its event does not compile, and would not commit either
//! (`audit.require_event`).

pub mod claim;
pub mod cursor;
pub mod embedded;
pub mod migrate;
#[rustfmt::skip]
pub mod schema;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web;
use chrono::{DateTime, Utc};
use diesel::connection::{InstrumentationEvent, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::{
    ConnectionManager, CustomizeConnection, ManageConnection, Pool, PooledConnection, R2D2Connection,
};
use tokio::sync::Semaphore;

use crate::kernel::base::clock::Clock;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::event::domain::{Actor, Event};

/// Statements sent by requests since the start, without BEGIN, COMMIT, SET and pool checks. The benchmark
/// reads it.
pub static STATEMENTS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Statements that this thread sent for the caller whom it works for now.
    static SENT: Cell<u64> = const { Cell::new(0) };
}

tokio::task_local! {
    /// Statements of the request that this task answers.
    static ASKED: Cell<u64>;
}

/// Runs `f` and tells how many statements its reads and writes sent, counted as in [`STATEMENTS`].
pub async fn counting<T>(f: impl Future<Output = T>) -> (T, u64) {
    let counted = async {
        let value = f.await;
        (value, ASKED.with(Cell::get))
    };
    ASKED.scope(Cell::new(0), counted).await
}

/// How a pool is cut.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize {
    /// Connections in each of the two pools.
    pub connections: u32,
    /// How long a caller waits for one, in seconds.
    pub wait_seconds: u64,
}

impl PoolSize {
    /// For the sealer and the retention job, which take turns.
    pub const SEALING: Self = Self { connections: 2, wait_seconds: 3 };
}

impl Default for PoolSize {
    fn default() -> Self {
        Self { connections: 8, wait_seconds: 3 }
    }
}

/// Handle to the two pools; cheap to clone.
#[derive(Clone)]
pub struct Db {
    read: Lane,
    write: Lane,
    clock: Clock,
    url: Arc<str>,
    names_times: bool,
}

#[derive(Clone)]
struct Lane {
    pool: Pool<Manager>,
    /// Whether the next check-out asks its connection first.
    doubt: Arc<AtomicBool>,
    gate: Arc<Semaphore>,
    wait: Duration,
    /// How many callers stand before the gate.
    waiting: Arc<AtomicUsize>,
}

/// How a pool stands at this moment.
#[derive(Debug, Clone, Copy)]
pub struct PoolState {
    pub name: &'static str,
    /// The most connections that it makes.
    pub limit: u32,
    pub idle: u32,
    pub busy: u32,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

/// A write transaction: the connection, the actor and the time at which it began.
pub struct WriteTx<'c> {
    /// The connection inside its transaction.
    pub conn: &'c mut PgConnection,
    actor: &'c Actor,
    now: DateTime<Utc>,
    names_times: bool,
}

/// A value whose audit events stand in the same transaction. Only [`WriteTx::audited`] and
/// [`WriteTx::unchanged`] make one.
pub struct Audited<T>(T);

impl<T> Audited<T> {
    /// Another value under the same events.
    pub fn with<U>(self, value: U) -> Audited<U> {
        Audited(value)
    }
}

impl<'c> WriteTx<'c> {
    pub fn actor(&self) -> &'c Actor {
        self.actor
    }
    /// When the transaction began, by the app's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }
    /// Writes the event and hands the value on.
    ///
    /// # Errors
    /// When the event cannot be written; the whole transaction is then undone.
    pub fn audited<T>(&mut self, value: T, event: Event) -> Result<Audited<T>> {
        self.audited_all(value, &[event])
    }
    /// Writes several events in one statement and hands the value on.
    ///
    /// # Errors
    /// When they cannot be written, or when there are none.
    pub fn audited_all<T>(&mut self, value: T, events: &[Event]) -> Result<Audited<T>> {
        if events.is_empty() {
            return Err(Error::Internal(anyhow::anyhow!("a change without an event")));
        }
        let at = self.names_times.then_some(self.now);
        crate::kernel::event::store::insert(self.conn, self.actor, events, at)?;
        Ok(Audited(value))
    }
    /// For a save that changed nothing. Should it have changed something after all, the database refuses the
    /// commit.
    pub fn unchanged<T>(&self, value: T) -> Audited<T> {
        Audited(value)
    }
    /// A part of this transaction that somebody else does at a time of their own: the demo is one transaction
    /// of many people's acts.
    ///
    /// # Errors
    /// What `f` returns.
    pub fn part<T>(
        &mut self,
        actor: &Actor,
        now: DateTime<Utc>,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<Audited<T>>,
    ) -> Result<T> {
        let names_times = self.names_times;
        f(&mut WriteTx { conn: self.conn, actor, now, names_times }).map(|audited| audited.0)
    }
}

impl Db {
    /// Opens both pools without waiting for the server: a database that is away now may be back for the first
    /// request.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn open(url: &str, size: PoolSize, clock: Clock) -> anyhow::Result<Self> {
        let lane = |read_only: bool| -> Lane {
            let doubt = Arc::<AtomicBool>::default();
            let pool = Pool::builder()
                .max_size(size.connections)
                .min_idle(Some(1))
                .connection_timeout(Duration::from_secs(size.wait_seconds))
                .test_on_check_out(true)
                .error_handler(Box::new(Quiet))
                .connection_customizer(Box::new(Customize { read_only }))
                .build_unchecked(Manager {
                    made: ConnectionManager::new(with_network_limits(url)),
                    doubt: doubt.clone(),
                });
            Lane {
                pool,
                doubt,
                gate: Arc::new(Semaphore::new(size.connections as usize)),
                wait: Duration::from_secs(size.wait_seconds),
                waiting: Arc::default(),
            }
        };
        let url = with_network_limits(url).into();
        Ok(Self { read: lane(true), write: lane(false), clock, url, names_times: false })
    }

    /// Opens it on the owner's address. Its events bear the clock's time and not the database's: the column
    /// of the time is granted to no other role. For the demo's past, and for nothing that serves.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open_as_owner(url: &str, size: PoolSize, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self { names_times: true, ..Self::open(url, size, clock)? })
    }

    /// A connection of its own that cannot write and has no time limits, for reading that takes long:
    /// exports, verification, archives. The pools stay for requests.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is not to be had.
    pub fn connect(&self) -> Result<PgConnection> {
        let mut conn =
            PgConnection::establish(&self.url).map_err(|away| Error::Unavailable(away.to_string()))?;
        // Names mean what this program means by them, whatever a role or the database was set to.
        conn.batch_execute(
            "SET search_path = public, pg_temp; SET TIME ZONE 'UTC'; SET jit = off; \
                SET default_transaction_read_only = on",
        )?;
        Ok(conn)
    }

    /// How the two pools stand.
    pub fn pools(&self) -> [PoolState; 2] {
        [self.read.state("read"), self.write.state("write")]
    }

    /// The clock that writes are stamped with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs `f` on a connection whose transactions are read-only. Each statement sees what is committed when
    /// it starts. `f` may be run again: it changes nothing, and a connection can turn out to be dead.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Unavailable`] when the database or a connection is not to be had.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl Fn(&mut PgConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read.run(move |lane| lane.read(f)).await
    }

    /// Runs `f` in a transaction and commits when it returns. `f` must hand back an [`Audited`] value.
    ///
    /// # Errors
    /// What `f` returns (nothing is then written); [`Error::Unavailable`] when the database is not to be had.
    pub async fn write<T: Send + 'static>(
        &self,
        actor: Actor,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<Audited<T>> + Send + 'static,
    ) -> Result<T> {
        let (now, names_times) = (self.clock.now(), self.names_times);
        let write = move |conn: &mut PgConnection| {
            check_session(conn, &actor)?;
            f(&mut WriteTx { conn, actor: &actor, now, names_times }).map(|audited| audited.0)
        };
        self.write.run(move |lane| lane.write(write)).await
    }

    /// Runs `f` in a transaction without an event. Only for what is no act of a person: sessions, counters,
    /// drafts, section state, theme and the bookkeeping of jobs. `reason` says which; a test lists the
    /// callers.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_unaudited<T: Send + 'static>(
        &self,
        reason: &'static str,
        f: impl FnOnce(&mut PgConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        tracing::trace!(reason, "unaudited write");
        self.write.run(move |lane| lane.write(f)).await
    }

    /// As [`Db::write`], for the command line and jobs that already run on a thread that may block.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_blocking<T>(
        &self,
        actor: &Actor,
        f: impl FnOnce(&mut WriteTx<'_>) -> Result<Audited<T>>,
    ) -> Result<T> {
        let (now, names_times) = (self.clock.now(), self.names_times);
        self.write.write(|conn| f(&mut WriteTx { conn, actor, now, names_times }).map(|audited| audited.0))
    }

    /// As [`Db::read`], on the caller's thread.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub fn read_blocking<T>(&self, f: impl Fn(&mut PgConnection) -> Result<T>) -> Result<T> {
        self.read.read(f)
    }

    /// As [`Db::write_unaudited`], on the caller's thread.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_unaudited_blocking<T>(
        &self,
        reason: &'static str,
        f: impl FnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        tracing::trace!(reason, "unaudited write");
        self.write.write(f)
    }
}

/// Rights were read with the request's head. Whoever was signed out, disabled or given other rights since
/// then, however slowly the rest of the request came, writes nothing.
fn check_session(conn: &mut PgConnection, actor: &Actor) -> Result<()> {
    use schema::sessions;
    let Some(session) = actor.session else { return Ok(()) };
    let stands = sessions::table.filter(sessions::id.eq(session).and(sessions::renew.eq(false)));
    let stands: bool = diesel::select(diesel::dsl::exists(stands)).get_result(conn)?;
    if stands { Ok(()) } else { Err(Error::Unauthenticated) }
}

impl Lane {
    /// Does `f` on a thread that may block, once its turn has come.
    async fn run<T: Send + 'static>(&self, f: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        // Callers wait here, not on a thread of the blocking pool: a burst cannot fill it.
        let waiting = Waiting::join(&self.waiting);
        let permit = tokio::time::timeout(self.wait, self.gate.clone().acquire_owned())
            .await
            .map_err(|_| Error::Unavailable("every connection is busy".into()))?
            .map_err(|closed| Error::Unavailable(closed.to_string()))?;
        drop(waiting);
        let lane = self.clone();
        let done = web::block(move || {
            let _permit = permit;
            SENT.set(0);
            (f(&lane), SENT.get())
        });
        let (done, sent) = done.await.map_err(|panicked| Error::Internal(panicked.into()))?;
        // Nobody counts outside a request.
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + sent));
        done
    }

    fn state(&self, name: &'static str) -> PoolState {
        let state = self.pool.state();
        PoolState {
            name,
            limit: self.pool.max_size(),
            idle: state.idle_connections,
            busy: state.connections - state.idle_connections,
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Runs a read, and once more on another connection when the first turns out to be dead.
    fn read<T>(&self, f: impl Fn(&mut PgConnection) -> Result<T>) -> Result<T> {
        let mut pooled = self.check_out()?;
        match f(&mut pooled.conn) {
            Err(error) if self.found_dead(&error, &mut pooled) => {
                drop(pooled);
                f(&mut self.check_out()?.conn)
            }
            done => done,
        }
    }

    /// Runs a write in a transaction. It is tried again where the transaction could not begin, and only
    /// there: of anything later nobody knows how far it came.
    fn write<T>(&self, f: impl FnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let mut pooled = self.begin()?;
        let conn = &mut pooled.conn;
        let done = match f(conn) {
            Ok(value) => Transaction::commit_transaction(conn).map(|()| value).map_err(Error::from),
            Err(error) => {
                // Where even that fails the connection counts as broken, and leaves the pool.
                let _ = Transaction::rollback_transaction(conn);
                Err(error)
            }
        };
        if let Err(error) = &done {
            self.found_dead(error, &mut pooled);
        }
        done
    }

    /// A connection whose transaction has begun.
    fn begin(&self) -> Result<PooledConnection<Manager>> {
        let mut pooled = self.check_out()?;
        if let Err(error) = Transaction::begin_transaction(&mut pooled.conn) {
            let error = error.into();
            if !self.found_dead(&error, &mut pooled) {
                return Err(error);
            }
            pooled = self.check_out()?;
            Transaction::begin_transaction(&mut pooled.conn)?;
        }
        Ok(pooled)
    }

    fn check_out(&self) -> Result<PooledConnection<Manager>> {
        self.pool.get().map_err(|away| Error::Unavailable(away.to_string()))
    }

    /// Whether the error came of a dead connection. It then leaves the pool, and the others are doubted.
    fn found_dead(&self, error: &Error, pooled: &mut Pooled) -> bool {
        pooled.dead = matches!(error, Error::Unavailable(_)) && pooled.conn.ping().is_err();
        if pooled.dead {
            self.doubt.store(true, Ordering::Relaxed);
        }
        pooled.dead
    }
}

type Transaction = <PgConnection as Connection>::TransactionManager;

/// A connection in a pool.
struct Pooled {
    conn: PgConnection,
    /// Found dead when it was used.
    dead: bool,
}

/// Makes and judges a pool's connections. A check-out sends nothing: that a connection is dead shows when it
/// is used. After one was, the others are asked at their check-out, until one has answered.
struct Manager {
    made: ConnectionManager<PgConnection>,
    doubt: Arc<AtomicBool>,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        Ok(Pooled { conn: self.made.connect()?, dead: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        if self.doubt.load(Ordering::Relaxed) {
            self.made.is_valid(&mut pooled.conn)?;
            self.doubt.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.dead || self.made.has_broken(&mut pooled.conn)
    }
}

/// A caller before the gate, counted until it is through or gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(callers: &'a AtomicUsize) -> Self {
        callers.fetch_add(1, Ordering::Relaxed);
        Self(callers)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A dropped network must show within seconds, not after TCP's two hours.
fn with_network_limits(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!(
        "{url}{separator}connect_timeout=3&tcp_user_timeout=5000&keepalives_idle=10&keepalives_interval=5\
            &keepalives_count=2&application_name=tyrian"
    )
}

/// r2d2's own handler logs every failed attempt; a database that is away would flood the log. `/readyz` tells
/// it.
#[derive(Debug)]
struct Quiet;
impl<E: std::error::Error> diesel::r2d2::HandleError<E> for Quiet {
    fn handle_error(&self, error: E) {
        tracing::debug!(%error, "no connection to the database");
    }
}

#[derive(Debug)]
struct Customize {
    read_only: bool,
}

impl CustomizeConnection<Pooled, diesel::r2d2::Error> for Customize {
    fn on_acquire(&self, pooled: &mut Pooled) -> Result<(), diesel::r2d2::Error> {
        let conn = &mut pooled.conn;
        // Compiling a plan takes longer than any of our statements does, and so does planning for each value
        // anew. The search of the log, which is worth a plan for its own words, asks for one itself.
        let read_only = if self.read_only { "SET default_transaction_read_only = on;" } else { "" };
        conn.batch_execute(&format!(
            "SET search_path = public, pg_temp; SET TIME ZONE 'UTC'; SET jit = off; \
                SET plan_cache_mode = force_generic_plan; \
                SET statement_timeout = '30s'; \
                SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '10s'; {read_only}"
        ))
        .map_err(diesel::r2d2::Error::QueryError)?;
        conn.set_instrumentation(count as fn(InstrumentationEvent<'_>));
        Ok(())
    }
}

fn count(event: InstrumentationEvent<'_>) {
    if let InstrumentationEvent::StartQuery { query, .. } = event {
        let text = query.to_string();
        if !["BEGIN", "COMMIT", "ROLLBACK", "SET", "SELECT 1", "SAVEPOINT", "RELEASE"]
            .iter()
            .any(|plumbing| text.starts_with(plumbing))
        {
            STATEMENTS.fetch_add(1, Ordering::Relaxed);
            SENT.set(SENT.get() + 1);
        }
    }
}
