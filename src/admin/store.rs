//! SQL of the jobs page.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::job::Trigger;

/// A run of a job.
#[derive(Debug, Clone, QueryableByName)]
pub struct Run {
    #[diesel(sql_type = Text)]
    pub job: String,
    #[diesel(sql_type = Text)]
    pub trigger: Trigger,
    #[diesel(sql_type = Timestamptz)]
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs, or after a crash.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
    /// How many rows it moved.
    #[diesel(sql_type = Nullable<Integer>)]
    pub moved: Option<i32>,
    /// How many it left.
    #[diesel(sql_type = Nullable<Integer>)]
    pub skipped: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub failure: Option<String>,
    /// What it left and why, a line each.
    #[diesel(sql_type = Text)]
    pub left_over: String,
    /// What it said of itself.
    #[diesel(sql_type = Text)]
    pub said: String,
}

/// The last runs of each job, the newest first.
pub fn list_last_runs(conn: &mut PgConnection, jobs: &[&str], of_each: i64) -> Result<Vec<Run>> {
    // sql_query: the newest few of each job, by one index probe for each.
    Ok(diesel::sql_query(
        "SELECT r.job, r.trigger, r.started_at, r.finished_at, r.moved, r.skipped, r.failure, r.left_over, \
            r.said
         FROM unnest($1::text[]) WITH ORDINALITY AS wanted (job, place)
         CROSS JOIN LATERAL (
            SELECT job, trigger, started_at, finished_at, moved, skipped, failure, left_over, said
            FROM job_runs WHERE job = wanted.job ORDER BY started_at DESC LIMIT $2) r
         ORDER BY wanted.place, r.started_at DESC",
    )
    .bind::<Array<Text>, _>(jobs)
    .bind::<BigInt, _>(of_each)
    .load(conn)?)
}
