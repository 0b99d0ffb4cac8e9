//! SQL of job runs.

use chrono::{DateTime, Utc};

use super::{Done, Trigger};
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::JobRunId;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::Db;
use crate::kernel::db::schema::job_runs;

/// How many runs of each job are kept.
const RUNS_KEPT: i64 = 200;

pub(super) fn begin(db: &Db, job: &str, trigger: Trigger, at: DateTime<Utc>) -> Result<JobRunId> {
    let id = JobRunId::new();
    db.write_unaudited_blocking("job bookkeeping", |conn| {
        diesel::insert_into(job_runs::table)
            .values((
                job_runs::id.eq(id),
                job_runs::job.eq(job),
                job_runs::trigger.eq(trigger),
                job_runs::started_at.eq(at),
            ))
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
        let (moved, skipped, failure) = match done {
            Ok(done) => (Some(done.moved as i32), Some(done.skipped as i32), done.wrong.clone()),
            Err(cause) => (None, None, Some(cause.to_string())),
        };
        let (said, left_over) = match done {
            Ok(done) => (done.said.as_str(), done.left_over.join("\n")),
            Err(_) => ("", String::new()),
        };
        diesel::update(job_runs::table.find(id))
            .set((
                job_runs::finished_at.eq(at),
                job_runs::moved.eq(moved),
                job_runs::skipped.eq(skipped),
                job_runs::failure.eq(failure),
                job_runs::left_over.eq(left_over),
                job_runs::said.eq(said),
            ))
            .execute(conn)?;
        Ok(())
    })
}

#[derive(QueryableByName)]
struct Since {
    #[diesel(sql_type = diesel::sql_types::Text)]
    job: String,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    since: DateTime<Utc>,
}

/// For each job that ever ran: when its last successful run began or, without one, the first run that is
/// known.
pub fn list_since(conn: &mut PgConnection) -> Result<Vec<(String, DateTime<Utc>)>> {
    // sql_query: two aggregates of each job in one pass.
    let rows: Vec<Since> = diesel::sql_query(
        "SELECT job, coalesce(max(started_at) FILTER (WHERE finished_at IS NOT NULL \
            AND failure IS NULL), min(started_at)) AS since
         FROM job_runs GROUP BY job",
    )
    .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.job, row.since)).collect())
}
