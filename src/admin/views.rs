//! Pages of the administration.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::settings_pages::{Typed, TypedOutcome};
use super::settings_store::Outcome;
use super::store::Run;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::times;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

/// A way into a part of the administration.
pub struct Card {
    pub icon: &'static str,
    pub href: &'static str,
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
}

#[derive(Template)]
#[template(path = "admin/settings.html")]
pub struct SettingsPage {
    pub frame: Frame,
    /// As typed, or as stored.
    pub typed: Typed,
    pub outcomes: Vec<Outcome>,
    /// A new outcome as typed.
    pub new_outcome: TypedOutcome,
    pub errors: FieldErrors,
    /// Why nothing was saved.
    pub problem: Option<String>,
}

impl SettingsPage {
    fn zones(&self) -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
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
            self.cards.iter().partition(|card| ["Settings", "Jobs"].contains(&card.name));
        let groups = [("Security & User Management", security), ("This installation", own)];
        groups.into_iter().filter(|(_, cards)| !cards.is_empty()).collect()
    }
}

/// A run as a row.
pub struct RunRow(pub Run);

impl RunRow {
    fn trigger(&self) -> &str {
        match self.0.trigger.as_str() {
            "start" => "At start",
            "tick" => "On schedule",
            "by_hand" => "By hand",
            "command" => "Command line",
            other => other,
        }
    }
    fn took(&self) -> String {
        match self.0.finished_at {
            None => "Not finished".into(),
            Some(end) => match (end - self.0.started_at).num_milliseconds() {
                short @ ..1_000 => format!("{} ms", short.max(0)),
                _ => times::duration_words(end - self.0.started_at),
            },
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
        times::display_seconds(*at, self.zone)
    }
    fn ago(&self, at: &DateTime<Utc>) -> String {
        times::relative(*at, self.now).unwrap_or_else(|| self.at(at))
    }
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_778);
    let run = |failure: Option<&str>, finished| {
        RunRow(Run {
            job: "schedule-transitions".into(),
            trigger: "by_hand".into(),
            started_at: at,
            finished_at: finished,
            moved: failure.is_none().then_some(2),
            skipped: Some(1),
            failure: failure.map(str::to_owned),
            left_over: "<script>alert(1)</script>".into(),
        })
    };
    let job = JobCard {
        name: "schedule-transitions",
        about: "Moves what is due.",
        schedule: "0 * * * *",
        next: Some(at),
        late: Some(at),
        runs: vec![run(None, Some(at)), run(Some("<script>alert(1)</script>"), Some(at)), run(None, None)],
    };
    let never = JobCard {
        name: "session-sweep",
        about: "Sweeps.",
        schedule: "*/20 * * * *",
        next: None,
        late: None,
        runs: Vec::new(),
    };
    let card = Card { icon: "jobs", href: "/admin/jobs", name: "Jobs", about: "Jobs & runs." };
    let index = Index { frame: Frame::sample("Administration"), cards: vec![card] };
    let empty = Index { frame: Frame::sample("Administration"), cards: Vec::new() };
    let jobs = Jobs { frame: Frame::sample("Jobs"), jobs: vec![job, never], now: at, zone: chrono_tz::UTC };
    let hostile = || "<script>alert(1)</script>".to_owned();
    let typed = Typed {
        organisation_name: hostile(),
        time_zone: hostile(),
        idle_minutes: hostile(),
        audit_days: hostile(),
        ..Typed::default()
    };
    let outcome = Outcome {
        key: "x".into(),
        team: crate::procedures::domain::Team::Red,
        label: hostile(),
        definition: hostile(),
        retired_at: Some(at),
    };
    let settings = SettingsPage {
        frame: Frame::sample("Settings"),
        typed,
        outcomes: vec![outcome],
        new_outcome: TypedOutcome { label: hostile(), ..TypedOutcome::default() },
        errors: FieldErrors::one("time_zone", "Not known."),
        problem: Some("No.".into()),
    };
    crate::kernel::web::rendered([
        ("index", index.render()),
        ("index empty", empty.render()),
        ("jobs", jobs.render()),
        ("settings", settings.render()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_in_use_has_words() {
        for job in crate::jobs::JOBS {
            let card = JobCard {
                name: job.name,
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
