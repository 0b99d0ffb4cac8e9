//! The dashboard's page.

use askama::Template;
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use super::store::{Engagement, ToReview};
use crate::accounts::store::notices::Notice;
use crate::engagements::domain::RunbookState;
use crate::engagements::store::approval::Request;
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::store::runbook::Waiting;

/// How many procedures the queue shows.
const SHOWN: usize = 12;
/// How many days ahead "this week" looks.
const AHEAD: u64 = 7;

/// Something that begins or ends soon.
pub struct Due {
    pub engagement: Engagement,
    pub what: &'static str,
    pub on: NaiveDate,
}

impl Due {
    fn day(&self, today: &NaiveDate) -> String {
        match (self.on - *today).num_days() {
            0 => "today".into(),
            1 => "tomorrow".into(),
            -1 => "yesterday".into(),
            _ => show::date(self.on),
        }
    }
}

/// What starts or ends within a week, and what should have ended; in order of time.
pub fn week(engagements: &[Engagement], today: NaiveDate) -> Vec<Due> {
    let last = today + Days::new(AHEAD);
    let mut due: Vec<Due> = Vec::new();
    for engagement in engagements {
        let mut add = |what, on| due.push(Due { engagement: engagement.clone(), what, on });
        match (engagement.status, engagement.start_date, engagement.end_date) {
            (EngagementStatus::Scheduled, Some(start), _) if start <= last => add("Starts", start),
            (EngagementStatus::InProgress, _, Some(end)) if engagement.submitted || end > last => {}
            (EngagementStatus::InProgress, _, Some(end)) if end < today => add("Ended", end),
            (EngagementStatus::InProgress, _, Some(end)) => add("Ends", end),
            _ => {}
        }
    }
    due.sort_by(|a, b| (a.on, &a.engagement.title).cmp(&(b.on, &b.engagement.title)));
    due
}

#[derive(Template)]
#[template(path = "dashboard/show.html")]
pub struct Dashboard {
    pub frame: Frame,
    /// Whether the person has access to any client.
    pub has_clients: bool,
    /// Whether they may start an engagement somewhere.
    pub may_plan: bool,
    /// Whether they may request one somewhere.
    pub may_request: bool,
    /// What the page is made of.
    pub loaded: Loaded,
    /// What begins and ends.
    pub week: Vec<Due>,
    pub now: DateTime<Utc>,
    /// Today in the organisation's zone.
    pub today: NaiveDate,
    pub zone: Tz,
}

/// What the dashboard is made of.
#[derive(Default)]
pub struct Loaded {
    /// Procedures that wait on the person.
    pub waiting: Vec<Waiting>,
    /// Requests that they may approve.
    pub requests: Vec<Request>,
    /// Reports that wait on them.
    pub reviews: Vec<ToReview>,
    pub notices: Vec<Notice>,
    /// Scheduled and running engagements.
    pub engagements: Vec<Engagement>,
}

impl Dashboard {
    fn first(&self) -> impl Iterator<Item = &Waiting> {
        self.loaded.waiting.iter().take(SHOWN)
    }
    fn rest(&self) -> usize {
        self.loaded.waiting.len().saturating_sub(SHOWN)
    }
    fn running(&self) -> Vec<&Engagement> {
        self.loaded.engagements.iter().filter(|e| e.status == EngagementStatus::InProgress).collect()
    }
    fn state(&self, engagement: &Engagement) -> RunbookState {
        RunbookState::of(engagement.progress(), engagement.submitted)
    }
    fn date(&self, date: &NaiveDate) -> String {
        show::date(*date)
    }
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::relative(*at, self.now).unwrap_or_else(|| show::time(*at, self.zone))
    }
    fn period(&self, request: &Request) -> String {
        crate::kernel::base::show::dates(request.start_date, request.end_date)
    }
    fn overdue(&self, request: &Request) -> bool {
        request.starts_at.is_some_and(|start| start <= self.now)
    }
    /// What the next step on a report is.
    fn step(&self, report: &ToReview) -> &'static str {
        match report.status {
            ReportStatus::ReadyForReview => "to review",
            ReportStatus::InReview => "in review",
            _ => "to publish",
        }
    }
    fn url(&self, waiting: &Waiting) -> String {
        let mine = Some(crate::procedures::queue::Queue::Mine);
        crate::procedures::views::page::url_in(waiting.engagement, waiting.id, mine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::base::ids::EngagementId;
    use crate::procedures::store::runbook::ProgressColumns;

    #[test]
    fn the_week_holds_what_starts_ends_and_should_have_ended() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let engagement = |title: &str, status, start: i64, end: i64, submitted| Engagement {
            id: EngagementId::new(),
            title: title.into(),
            client: String::new(),
            status,
            starts_at: None,
            start_date: Some(today + chrono::TimeDelta::days(start)),
            end_date: Some(today + chrono::TimeDelta::days(end)),
            submitted,
            counted: ProgressColumns::default(),
        };
        use EngagementStatus::{InProgress, Scheduled};
        let due = week(
            &[
                engagement("starts", Scheduled, 3, 30, false),
                engagement("far", Scheduled, 8, 9, false),
                engagement("ends", InProgress, -3, 7, false),
                engagement("late", InProgress, -9, -1, false),
                engagement("submitted", InProgress, -9, -1, true),
                engagement("long", InProgress, -9, 8, false),
            ],
            today,
        );
        let told: Vec<_> = due.iter().map(|d| (d.engagement.title.as_str(), d.what)).collect();
        assert_eq!(told, [("late", "Ended"), ("starts", "Starts"), ("ends", "Ends")]);
        assert_eq!(due[0].day(&today), "yesterday");
    }
}
