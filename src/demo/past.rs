//! The demo's past: the same database as its owner, under a clock that stands where the story is.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::store::is_log_empty;
use crate::audit::log::store::retention::make_audit_months;
use crate::kernel::app::App;
use crate::kernel::base::clock::Clock;
use crate::kernel::db::{Db, PoolSize};

/// Days from the first act to today. The log shows at least 120 days before the first of this month: what was
/// told before that would be archived within the hour.
pub const DAYS: i64 = 118;

/// So many days from the day of `end`, at this time of UTC.
pub fn day(end: DateTime<Utc>, offset: i64, hour: u32, minute: u32) -> DateTime<Utc> {
    let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
    (end.date_naive() + TimeDelta::days(offset)).and_time(time).and_utc()
}

/// The application as it stood before anybody used it, with a clock that the story moves. None without the
/// owner's address, who alone may say when an event was, and where the log has begun.
///
/// # Errors
/// When the database is not to be had.
pub fn past(app: &App, owner: Option<&str>) -> anyhow::Result<Option<App>> {
    let Some(owner) = owner else { return Ok(None) };
    if !app.db.read_blocking(is_log_empty)? {
        return Ok(None);
    }
    let clock = Clock::standing_at(day(app.clock.now(), -DAYS, 7, 30));
    let db = Db::open_as_owner(owner, PoolSize::SEALING, clock.clone())?;
    make_audit_months(&db, clock.now())?;
    Ok(Some(App { sealing: db.clone(), db, clock, ..app.clone() }))
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, TimeZone};

    use super::*;

    /// `audit.floor()` of an installation that keeps its log as short as it may.
    #[test]
    fn the_story_begins_above_the_floor_and_within_the_months_that_are_made() {
        for date in 0..366 {
            let end = Utc.with_ymd_and_hms(2027, 1, 1, 0, 5, 0).unwrap() + TimeDelta::days(date);
            let begin = day(end, -DAYS, 7, 30);
            let first = end.date_naive().with_day(1).unwrap().and_time(NaiveTime::MIN).and_utc();
            assert!(begin > first - TimeDelta::days(120), "{end}");
            let months = |at: DateTime<Utc>| at.year() * 12 + at.month() as i32;
            assert!(months(end) - months(begin) <= 4, "{end}");
        }
    }
}
