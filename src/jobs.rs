//! The table of jobs: what the server does by itself, and when.

use crate::audit::proof::verification;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::job::{Done, Job};

pub const JOBS: &[Job] = &[
    Job {
        name: "schedule-transitions",
        title: "Start what is scheduled",
        schedule: "0 * * * *",
        about: "Moves each scheduled engagement whose start date has come to In Progress.",
        long: false,
        run: |reach, now| crate::lifecycle::store::sweep(&reach.db, &reach.actor(), now),
    },
    Job {
        name: "audit-refresh",
        title: "Keep the audit log’s months",
        schedule: "10 0 * * *",
        about: "Makes the audit log's months ahead; archives and drops those that are no longer shown.",
        long: false,
        run: crate::audit::log::retention::refresh,
    },
    Job {
        name: "session-sweep",
        title: "Clear ended sessions and old drafts",
        schedule: "*/20 * * * *",
        about: "Removes sessions that have ended and drafts older than 14 days.",
        long: false,
        run: |reach, now| crate::accounts::sweep::sweep(&reach.db, now),
    },
    Job {
        name: "refusal-floods",
        title: "Count refused attempts",
        schedule: "* * * * *",
        about: "Records how many attempts were refused beyond those that have events of their own.",
        long: false,
        run: |reach, now| {
            Ok(Done { moved: crate::kernel::refusals::sum_up(&reach.db, now)?, ..Done::default() })
        },
    },
    Job {
        name: "import-checks",
        title: "Check uploaded files",
        schedule: "* * * * *",
        about: "Checks files that were uploaded to the library and that no other process looks at.",
        long: false,
        run: |reach, now| crate::imports::check::check_waiting(&reach.db, &reach.attachments, now),
    },
    Job {
        name: "import-sweep",
        title: "Clear forgotten imports",
        schedule: "50 3 * * *",
        about: "Discards imports that lay open for seven days, and deletes files that no import needs.",
        long: false,
        run: |reach, now| crate::imports::check::sweep(&reach.db, &reach.attachments, now),
    },
    Job {
        name: "attachment-sweep",
        title: "Clear removed files",
        schedule: "40 3 * * *",
        about: "Deletes uploads that were never finished and files of attachments removed 30 days ago.",
        long: false,
        run: |reach, now| crate::procedures::sweep::sweep(&reach.db, &reach.attachments, now),
    },
    Job {
        name: verification::JOB,
        title: "Verify the audit log",
        schedule: verification::SCHEDULE,
        about: "Verifies the whole audit log with its archives; tells of the first thing that does not hold.",
        long: true,
        run: verification::nightly,
    },
];

/// A job by its name.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub fn find(name: &str) -> Result<&'static Job> {
    JOBS.iter().find(|job| job.name == name).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;
    use crate::kernel::job::{late_since, next_run};

    #[test]
    fn every_schedule_can_be_read_and_the_main_one_is_hourly() {
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 14, 5, 0).unwrap();
        for job in JOBS {
            assert!(next_run(job, at).is_some(), "{}", job.name);
        }
        let hourly = find("schedule-transitions").unwrap();
        assert_eq!(next_run(hourly, at).unwrap(), Utc.with_ymd_and_hms(2026, 11, 21, 15, 0, 0).unwrap());
    }

    #[test]
    fn a_job_is_late_after_two_intervals_without_success() {
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 14, 5, 0).unwrap();
        let hourly = find("schedule-transitions").unwrap();
        let ago = |minutes| Some(at - chrono::TimeDelta::minutes(minutes));
        assert_eq!(late_since(hourly, ago(120), at), None);
        assert_eq!(late_since(hourly, ago(121), at), ago(121));
        assert_eq!(late_since(hourly, None, at), None, "it has not run yet");
        assert_eq!(late_since(find("audit-refresh").unwrap(), ago(121), at), None);
    }
}
