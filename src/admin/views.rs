//! Pages of the administration.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::store::Run;
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

/// A way into a part of the administration.
pub struct Card {
    pub icon: &'static str,
    pub href: &'static str,
    pub name: &'static str,
    pub about: &'static str,
}

#[derive(Template)]
#[template(path = "admin/index.html")]
pub struct Index {
    pub frame: Frame,
    /// What this person may open.
    pub cards: Vec<Card>,
}

impl Index {
    /// The cards under their headings; a heading without one is left out.
    fn groups(&self) -> Vec<(&'static str, Vec<&Card>)> {
        let (own, security): (Vec<&Card>, Vec<&Card>) =
            self.cards.iter().partition(|card| ["Settings", "Tags", "Jobs"].contains(&card.name));
        let groups = [("Security & User Management", security), ("This installation", own)];
        groups.into_iter().filter(|(_, cards)| !cards.is_empty()).collect()
    }
}

/// A run as a row.
pub struct RunRow(pub Run);

impl RunRow {
    fn took(&self) -> String {
        match self.0.finished_at {
            None => "Not finished".into(),
            Some(end) => show::took(end - self.0.started_at),
        }
    }
    fn left_over(&self) -> impl Iterator<Item = &str> {
        self.0.left_over.lines()
    }
    fn moved(&self) -> String {
        match (self.0.moved, self.0.skipped) {
            (Some(moved), Some(skipped)) if skipped > 0 => format!("{moved}, {skipped} skipped"),
            (Some(moved), _) => moved.to_string(),
            (None, _) => "–".into(),
        }
    }
}

/// A job with its last runs.
pub struct JobCard {
    pub name: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// Its cron expression, in UTC.
    pub schedule: &'static str,
    /// When it fires next.
    pub next: Option<DateTime<Utc>>,
    /// Since when it has not succeeded, where that is too long.
    pub late: Option<DateTime<Utc>>,
    /// The newest first.
    pub runs: Vec<RunRow>,
}

impl JobCard {
    /// The cron expressions that are in use, in words.
    fn schedule_words(&self) -> String {
        match self.schedule.split(' ').collect::<Vec<_>>()[..] {
            ["*", "*", "*", "*", "*"] => "Every minute".to_owned(),
            ["0", "*", "*", "*", "*"] => "Every hour".to_owned(),
            [minute, hour, "*", "*", "*"]
                if minute.len() <= 2 && hour.bytes().all(|b| b.is_ascii_digit()) =>
            {
                format!("Every day at {hour:0>2}:{minute:0>2} UTC")
            }
            [minutes, "*", "*", "*", "*"] => match minutes.strip_prefix("*/") {
                Some(every) => format!("Every {every} minutes"),
                None => "By its expression".to_owned(),
            },
            _ => "By its expression".to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/jobs.html")]
pub struct Jobs {
    pub frame: Frame,
    pub jobs: Vec<JobCard>,
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

impl Jobs {
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::seconds(*at, self.zone)
    }
    fn ago(&self, at: &DateTime<Utc>) -> String {
        show::relative(*at, self.now).unwrap_or_else(|| self.at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_in_use_has_words() {
        for job in crate::jobs::JOBS {
            let card = JobCard {
                name: job.name,
                title: job.title,
                about: job.about,
                schedule: job.schedule,
                next: None,
                late: None,
                runs: Vec::new(),
            };
            assert!(card.schedule_words().starts_with("Every "), "{}", job.schedule);
        }
    }
}
