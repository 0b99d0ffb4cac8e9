//! The dashboard's page.

use askama::Template;
use chrono::{Days, NaiveDate};

use super::store::{Engagement, Waiting};
use crate::engagements::domain::RunbookState;
use crate::procedures::times;
use crate::schedule::domain::EngagementStatus;
use crate::web::Frame;

/// How many procedures the queue shows.
const SHOWN: usize = 12;
/// How many days ahead "this week" looks.
const AHEAD: u64 = 7;

/// Something that begins or ends soon.
pub struct Due {
    /// The engagement.
    pub engagement: Engagement,
    /// What happens.
    pub what: &'static str,
    /// When.
    pub on: NaiveDate,
}

impl Due {
    fn day(&self, today: &NaiveDate) -> String {
        match (self.on - *today).num_days() {
            0 => "today".into(),
            1 => "tomorrow".into(),
            -1 => "yesterday".into(),
            _ => times::display_date(self.on),
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

/// `/`
#[derive(Template)]
#[template(path = "dashboard/show.html")]
pub struct Dashboard {
    /// The frame.
    pub frame: Frame,
    /// Whether the person has access to any client.
    pub has_clients: bool,
    /// Whether they may start an engagement somewhere.
    pub may_plan: bool,
    /// What waits on them.
    pub waiting: Vec<Waiting>,
    /// Scheduled and running engagements.
    pub engagements: Vec<Engagement>,
    /// What begins and ends.
    pub week: Vec<Due>,
    /// Today in the organisation's zone.
    pub today: NaiveDate,
}

impl Dashboard {
    fn first(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().take(SHOWN)
    }
    fn rest(&self) -> usize {
        self.waiting.len().saturating_sub(SHOWN)
    }
    fn running(&self) -> Vec<&Engagement> {
        self.engagements.iter().filter(|e| e.status == EngagementStatus::InProgress).collect()
    }
    fn state(&self, engagement: &Engagement) -> RunbookState {
        RunbookState::of(engagement.progress(), engagement.submitted)
    }
    fn date(&self, date: &NaiveDate) -> String {
        times::display_date(*date)
    }
    fn url(&self, waiting: &Waiting) -> String {
        crate::procedures::views::page::url(waiting.engagement, waiting.id)
    }
}

/// Every view of the slice, for the samples test.
pub fn samples() -> Vec<(&'static str, String)> {
    use crate::ids::{EngagementId, ProcedureId};
    use crate::procedures::domain::{ProcedureStatus, Team};
    let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap_or_default();
    let evil = || "<script>alert(1)</script>".to_owned();
    let engagement = |status, submitted, done| Engagement {
        id: EngagementId::new(),
        title: evil(),
        client: evil(),
        status,
        start_date: Some(today),
        end_date: Some(today),
        submitted,
        total: 3,
        done,
    };
    let engagements = vec![
        engagement(EngagementStatus::InProgress, false, 1),
        engagement(EngagementStatus::InProgress, false, 3),
        engagement(EngagementStatus::InProgress, true, 3),
        engagement(EngagementStatus::Scheduled, false, 0),
    ];
    let waiting = Waiting {
        id: ProcedureId::new(),
        engagement: EngagementId::new(),
        engagement_title: evil(),
        client: evil(),
        position: 4,
        name: evil(),
        status: ProcedureStatus::InProgress,
        side: Team::Blue,
    };
    let page = |has_clients, engagements: Vec<Engagement>, waiting| Dashboard {
        frame: Frame::sample("Dashboard"),
        has_clients,
        may_plan: true,
        week: week(&engagements, today),
        engagements,
        waiting,
        today,
    };
    crate::web::rendered([
        ("show", page(true, engagements, vec![waiting]).render()),
        ("quiet", page(true, Vec::new(), Vec::new()).render()),
        ("no clients", page(false, Vec::new(), Vec::new()).render()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EngagementId;

    #[test]
    fn the_week_holds_what_starts_ends_and_should_have_ended() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let engagement = |title: &str, status, start: i64, end: i64, submitted| Engagement {
            id: EngagementId::new(),
            title: title.into(),
            client: String::new(),
            status,
            start_date: Some(today + chrono::TimeDelta::days(start)),
            end_date: Some(today + chrono::TimeDelta::days(end)),
            submitted,
            total: 0,
            done: 0,
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
