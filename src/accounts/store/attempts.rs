//! Attempts that are counted: passwords and codes of an account, and everything that comes from one network.
//! An attempt is claimed in the database before anything is looked at, so that restarts, several processes
//! and a burst of requests see one count: of two hundred attempts at once no more than five are tried.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Integer, Text, Timestamptz};

use crate::kernel::base::error::Result;
use crate::kernel::base::query::prelude::*;
use crate::kernel::db::schema::attempt_counts;

/// Failures of an account, or of a known device, until it is locked (ASVS 5.0, 6.3.1).
pub const FAILURES: i32 = 5;
/// Attempts of one network in the window: a whole office signs in from one.
pub const NETWORK_ATTEMPTS: i32 = 60;
/// The window in which they count, and the first lock.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// No lock is longer, however many went before.
const LONGEST_MINUTES: i32 = 60;

/// Claims an attempt; `false` when the subject is locked, or has used up its attempts.
///
/// # Errors
/// When the database refuses.
pub fn claim(conn: &mut PgConnection, subject: &str, limit: i32, now: DateTime<Utc>) -> Result<bool> {
    // sql_query: check and count in one statement, whatever else runs at this moment.
    let claimed = diesel::sql_query(
        "INSERT INTO attempt_counts AS c (subject, attempts, since) VALUES ($1, 1, $3)
         ON CONFLICT (subject) DO UPDATE SET
            attempts = CASE WHEN c.since <= $4 THEN 1 ELSE c.attempts + 1 END,
            since = CASE WHEN c.since <= $4 THEN $3 ELSE c.since END,
            lockouts = CASE WHEN c.since <= $3 - interval '1 day' THEN 0 ELSE c.lockouts END
         WHERE (c.locked_until IS NULL OR c.locked_until <= $3) AND (c.attempts < $2 OR c.since <= $4)",
    )
    .bind::<Text, _>(subject)
    .bind::<Integer, _>(limit)
    .bind::<Timestamptz, _>(now)
    .bind::<Timestamptz, _>(now - WINDOW)
    .execute(conn)?;
    Ok(claimed == 1)
}

/// Notes that a claimed attempt failed; the time until which that locks the subject, where it was one too
/// many. Each lock is twice as long as the one before, up to an hour.
///
/// # Errors
/// When the database refuses.
pub fn fail(conn: &mut PgConnection, subject: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = Timestamptz)]
        locked_until: DateTime<Utc>,
    }
    // sql_query: the lock's length follows from the row itself.
    let locked: Option<Locked> = diesel::sql_query(
        "UPDATE attempt_counts SET lockouts = lockouts + 1,
            locked_until = $2 + make_interval(mins => least(15 * power(2, least(lockouts, 8))::int, $4))
         WHERE subject = $1 AND attempts >= $3 AND (locked_until IS NULL OR locked_until <= $2) \
         RETURNING locked_until",
    )
    .bind::<Text, _>(subject)
    .bind::<Timestamptz, _>(now)
    .bind::<Integer, _>(FAILURES)
    .bind::<Integer, _>(LONGEST_MINUTES)
    .get_result(conn)
    .optional()?;
    Ok(locked.map(|row| row.locked_until))
}

/// Forgets what was counted: somebody proved who they are, or an administrator unlocked them.
///
/// # Errors
/// When the database refuses.
pub fn forget(conn: &mut PgConnection, subjects: &[String]) -> Result<usize> {
    Ok(diesel::delete(attempt_counts::table.filter(attempt_counts::subject.eq_any(subjects)))
        .execute(conn)?)
}

/// Gives a network its attempt back: it was no failure.
///
/// # Errors
/// When the database refuses.
pub fn give_back(conn: &mut PgConnection, subject: &str) -> Result<()> {
    diesel::update(attempt_counts::table.find(subject).filter(attempt_counts::attempts.gt(0)))
        .set(attempt_counts::attempts.eq(attempt_counts::attempts - 1))
        .execute(conn)?;
    Ok(())
}

/// Which of these are locked, and until when.
pub fn locked(
    conn: &mut PgConnection,
    subjects: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<(String, DateTime<Utc>)>> {
    let rows: Vec<(String, Option<DateTime<Utc>>)> = attempt_counts::table
        .filter(attempt_counts::subject.eq_any(subjects).and(attempt_counts::locked_until.gt(now)))
        .select((attempt_counts::subject, attempt_counts::locked_until))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(subject, until)| Some((subject, until?))).collect())
}

/// What of accounts and their devices is locked, and until when; networks are not.
///
/// # Errors
/// When the database refuses.
pub fn list_locked(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>> {
    let rows: Vec<(String, Option<DateTime<Utc>>)> = attempt_counts::table
        .filter(attempt_counts::locked_until.gt(now))
        .select((attempt_counts::subject, attempt_counts::locked_until))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(subject, until)| Some((subject, until?))).collect())
}

/// Removes what no longer counts; part of the `session-sweep` job.
///
/// # Errors
/// When the database refuses.
pub fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<usize> {
    let old = attempt_counts::since.lt(now - TimeDelta::days(2));
    let free = attempt_counts::locked_until.is_null().or(attempt_counts::locked_until.lt(now));
    Ok(diesel::delete(attempt_counts::table.filter(old.and(free))).execute(conn)?)
}
