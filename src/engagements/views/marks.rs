//! Small marks that several pages share: status classes, outcome tones, times, sizes, links.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

pub use crate::engagements::glance::tone;
use crate::engagements::store::show::Outcome;
use crate::kernel::base::times;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};

/// CSS class of an engagement's status.
pub fn status_class(status: EngagementStatus) -> &'static str {
    match status {
        EngagementStatus::Pending => "pending",
        EngagementStatus::Scheduled => "scheduled",
        EngagementStatus::InProgress => "progress",
        EngagementStatus::InReview => "review",
        EngagementStatus::Complete => "complete",
        EngagementStatus::Canceled => "canceled",
    }
}

/// CSS class of a report's status.
pub fn report_class(status: ReportStatus) -> &'static str {
    match status {
        ReportStatus::Draft => "draft",
        ReportStatus::ReadyForReview => "ready",
        ReportStatus::InReview => "review",
        ReportStatus::Approved => "approved",
        ReportStatus::Published => "published",
    }
}

/// Tone of an outcome; see [`tone`].
pub fn outcome_tone(outcome: &Outcome) -> &'static str {
    tone(outcome.team, &outcome.key, outcome.succeeded, outcome.score)
}

/// An instant for `<time>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    pub iso: String,
    /// "3 min ago" within a day, otherwise the date and time.
    pub text: String,
    /// The exact time with its zone, as a title.
    pub title: String,
}

impl When {
    /// Relative within the last day.
    pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> Self {
        let text = times::relative(at, now).unwrap_or_else(|| times::display(at, zone));
        Self { text, ..Self::exact(at, zone) }
    }
    /// Always the date and time.
    pub fn exact(at: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            iso: at.to_rfc3339(),
            text: times::display(at, zone),
            title: format!("{} {}", times::display_seconds(at, zone), zone.name()),
        }
    }
}

/// "16 – 27 Nov 2026", "from 16 Nov 2026", "until 27 Nov 2026", or nothing.
pub fn dates(start: Option<NaiveDate>, end: Option<NaiveDate>) -> String {
    match (start, end) {
        (Some(start), Some(end)) if start == end => times::display_date(start),
        (Some(start), Some(end)) if start.format("%Y-%m").to_string() == end.format("%Y-%m").to_string() => {
            format!("{} – {}", start.format("%-d"), times::display_date(end))
        }
        (Some(start), Some(end)) if start.format("%Y").to_string() == end.format("%Y").to_string() => {
            format!("{} – {}", start.format("%-d %b"), times::display_date(end))
        }
        (Some(start), Some(end)) => format!("{} – {}", times::display_date(start), times::display_date(end)),
        (Some(start), None) => format!("from {}", times::display_date(start)),
        (None, Some(end)) => format!("until {}", times::display_date(end)),
        (None, None) => String::new(),
    }
}

/// "812 B", "48 KB", "18 MB".
pub fn size(bytes: i64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// "1 procedure", "13 procedures".
pub fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// A path with these parameters, empty ones left out.
pub fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let given: Vec<&(&str, &str)> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_html_form::to_string(&given) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// Names of time zones to choose from: one for each place, and UTC.
pub fn zones() -> &'static [&'static str] {
    static ZONES: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
        const AREAS: [&str; 9] = [
            "Africa/",
            "America/",
            "Antarctica/",
            "Asia/",
            "Atlantic/",
            "Australia/",
            "Europe/",
            "Indian/",
            "Pacific/",
        ];
        let places = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        std::iter::once("UTC")
            .chain(places.filter(|name| AREAS.iter().any(|area| name.starts_with(area))))
            .collect()
    });
    &ZONES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procedures::domain::Team;

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    #[test]
    fn dates_say_no_more_than_needed() {
        assert_eq!(dates(day("2026-11-16"), day("2026-11-27")), "16 – 27 Nov 2026");
        assert_eq!(dates(day("2026-10-30"), day("2026-11-27")), "30 Oct – 27 Nov 2026");
        assert_eq!(dates(day("2026-12-30"), day("2027-01-03")), "30 Dec 2026 – 3 Jan 2027");
        assert_eq!(dates(day("2026-12-30"), day("2026-12-30")), "30 Dec 2026");
        assert_eq!(dates(day("2026-12-30"), None), "from 30 Dec 2026");
        assert_eq!(dates(None, None), "");
    }

    #[test]
    fn tones_follow_score_and_success() {
        let outcome = |team, succeeded, score| Outcome {
            key: "x".into(),
            team,
            label: String::new(),
            definition: String::new(),
            succeeded,
            score,
            retired_at: None,
        };
        assert_eq!(outcome_tone(&outcome(Team::Blue, false, Some(100))), "good");
        assert_eq!(outcome_tone(&outcome(Team::Blue, false, Some(60))), "info");
        assert_eq!(outcome_tone(&outcome(Team::Blue, false, Some(30))), "warn");
        assert_eq!(outcome_tone(&outcome(Team::Blue, false, Some(0))), "bad");
        assert_eq!(outcome_tone(&outcome(Team::Blue, false, None)), "none");
        assert_eq!(outcome_tone(&outcome(Team::Red, true, None)), "bad");
    }

    #[test]
    fn links_leave_out_what_is_empty() {
        assert_eq!(link("/engagements", &[("q", "a&b"), ("tag", "")]), "/engagements?q=a%26b");
        assert_eq!(link("/engagements", &[("q", "")]), "/engagements");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([size(812), size(48_200), size(18_432_000)], ["812 B", "48 KB", "18.4 MB"]);
    }
}
