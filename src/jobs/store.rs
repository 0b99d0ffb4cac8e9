//! SQL of job runs, and of the small jobs that belong to no slice.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Date};

use super::Done;
use crate::audit::domain::Actor;
use crate::db::Db;
use crate::db::schema::{drafts, job_runs};
use crate::error::{Error, Result};
use crate::ids::JobRunId;

/// How long a draft is kept after its last change, in days.
pub const DRAFT_DAYS: i64 = 14;
/// How many runs of each job are kept.
const RUNS_KEPT: i64 = 200;

pub(super) fn begin(db: &Db, job: &str, trigger: &str, at: DateTime<Utc>) -> Result<JobRunId> {
    let id = JobRunId::new();
    db.write_unaudited_blocking("job bookkeeping", |conn| {
        diesel::insert_into(job_runs::table)
            .values((job_runs::id.eq(id.0), job_runs::job.eq(job), job_runs::trigger.eq(trigger), job_runs::started_at.eq(at)))
            .execute(conn)?;
        let newest = job_runs::table
            .filter(job_runs::job.eq(job))
            .order(job_runs::started_at.desc())
            .offset(RUNS_KEPT)
            .select(job_runs::id)
            .load::<uuid::Uuid>(conn)?;
        diesel::delete(job_runs::table.filter(job_runs::id.eq_any(newest))).execute(conn)?;
        Ok(id)
    })
}

pub(super) fn finish(db: &Db, id: JobRunId, at: DateTime<Utc>, done: &Result<Done>) -> Result<()> {
    db.write_unaudited_blocking("job bookkeeping", |conn| {
        let (moved, skipped, failure, left_over) = match done {
            Ok(done) => (Some(done.moved as i32), Some(done.skipped as i32), None, done.left_over.join("\n")),
            Err(cause) => (None, None, Some(cause.to_string()), String::new()),
        };
        diesel::update(job_runs::table.find(id.0))
            .set((
                job_runs::finished_at.eq(at),
                job_runs::moved.eq(moved),
                job_runs::skipped.eq(skipped),
                job_runs::failure.eq(failure),
                job_runs::left_over.eq(left_over),
            ))
            .execute(conn)?;
        Ok(())
    })
}

/// A run as the admin page shows it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = job_runs)]
pub struct Run {
    /// The job's name.
    pub job: String,
    /// start, tick, by_hand or command.
    pub trigger: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs, or after a crash.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many rows it moved.
    pub moved: Option<i32>,
    /// What went wrong.
    pub failure: Option<String>,
}

/// The newest runs of all jobs.
pub fn list_runs(conn: &mut PgConnection, limit: i64) -> Result<Vec<Run>> {
    Ok(job_runs::table.order(job_runs::started_at.desc()).limit(limit).select(Run::as_select()).load(conn)?)
}

#[derive(QueryableByName)]
struct Since {
    #[diesel(sql_type = diesel::sql_types::Text)]
    job: String,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    since: DateTime<Utc>,
}

/// For each job that ever ran: when its last successful run began or, without one, the first run that is known.
///
/// # Errors
/// When the database is not to be had.
pub fn list_since(conn: &mut PgConnection) -> Result<Vec<(String, DateTime<Utc>)>> {
    // sql_query: two aggregates of each job in one pass.
    let rows: Vec<Since> = diesel::sql_query(
        "SELECT job, coalesce(max(started_at) FILTER (WHERE finished_at IS NOT NULL AND failure IS NULL), min(started_at)) AS since
         FROM job_runs GROUP BY job",
    )
    .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.job, row.since)).collect())
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = Bool)]
    made: bool,
}

/// Makes the partitions of this month and the three after it. It waits a moment for the lock, no longer: everybody who
/// writes an event would wait behind it, and a month that is missing today is made tomorrow.
pub(crate) fn make_audit_months(db: &Db, now: DateTime<Utc>) -> Result<Done> {
    let mut done = Done::default();
    for ahead in 0..4u32 {
        let month = now.date_naive() + chrono::Months::new(ahead);
        let made = db.write_unaudited_blocking("audit partitions", |conn| {
            conn.batch_execute("SET LOCAL lock_timeout = '150ms'")?;
            // sql_query: a function of the owner's, which diesel has no name for.
            Ok(diesel::sql_query("SELECT audit.make_month($1) AS made").bind::<Date, _>(month).get_result::<Made>(conn)?.made)
        });
        match made {
            Ok(made) => done.moved += usize::from(made),
            Err(Error::Unavailable(away)) => return Err(Error::Unavailable(away)),
            Err(cause) => {
                done.skipped += 1;
                done.left_over.push(format!("The audit log's {} is not made yet: {cause}.", month.format("%B %Y")));
            }
        }
    }
    Ok(done)
}

pub(super) fn sweep_sessions_and_drafts(db: &Db, now: DateTime<Utc>) -> Result<Done> {
    let ended = db.write_blocking(&Actor::system(), |tx| crate::accounts::store::sweep_sessions(tx, now))?;
    let old = db.write_unaudited_blocking("old drafts and counts", |conn| {
        let counts = crate::accounts::attempt_store::sweep(conn, now)?;
        let drafts = diesel::delete(drafts::table.filter(drafts::updated_at.lt(now - TimeDelta::days(DRAFT_DAYS)))).execute(conn)?;
        Ok(counts + drafts)
    })?;
    Ok(Done { moved: ended + old, ..Done::default() })
}
