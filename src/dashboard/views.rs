//! The dashboard's page.

use askama::Template;
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use super::store::{COUNTED, Engagement, FirstHour, ToReview, Watch};
use crate::accounts::store::notices::Notice;
use crate::audit::proof::store::seal::Progress;
use crate::engagements::domain::RunbookState;
use crate::engagements::store::approval::Request;
use crate::kernel::authz::Permission as P;
use crate::kernel::authz::policy::Rights;
use crate::kernel::base::ids::EngagementId;
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::event::record::Record;
use crate::kernel::event::views::EventRow;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::lifecycle::domain::{EngagementStatus, ReportStatus};
use crate::procedures::queue;
use crate::procedures::store::runbook::Waiting;

/// How many procedures of a queue are named.
const NAMED: usize = 3;
/// Seconds after which an event without a seal is told.
const LATE_SECONDS: i64 = 120;
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
    /// Why there is nothing of any client; none where the person has access to one.
    pub no_clients: Option<NoClients>,
    /// The first hour's steps, until they are done or put away.
    pub first_hour: Option<Vec<Step>>,
    /// Jobs that have not done what they should, and since when.
    pub late_jobs: Vec<(&'static str, String)>,
    /// What waits on the person, by engagement.
    pub queues: Vec<Queue>,
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
    /// For whoever keeps the settings, until it was put away.
    pub first_hour: Option<FirstHour>,
    /// Whether there is any client at all; asked for whoever keeps the settings alone.
    pub any_client: Option<bool>,
    /// For whoever reads the whole audit log.
    pub watch: Option<Watched>,
}

/// What is told to whoever reads the whole audit log.
pub struct Watched {
    pub counts: Watch,
    /// The newest failed sign-ins.
    pub failed: Vec<Record>,
    /// How far sealing is; none where it is not asked for.
    pub sealing: Option<Progress>,
}

/// Why somebody sees no client, and so what they can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoClients {
    /// They make clients, and there is none.
    CreateFirst,
    /// They make clients; whether there are others is not theirs to know.
    CreateOne,
    /// There are some, and they may give themselves access.
    GiveAccess,
    /// They wait for somebody who gives access.
    Ask,
    /// Their work lies elsewhere.
    NoNeed,
}

impl NoClients {
    /// None where there is access to a client.
    pub fn of(rights: &Rights, loaded: &Loaded) -> Option<Self> {
        if !rights.clients.is_empty() {
            None
        } else if rights.may(P::ClientCreate) && loaded.any_client == Some(false) {
            Some(Self::CreateFirst)
        } else if rights.may(P::AccessManage) {
            Some(Self::GiveAccess)
        } else if rights.may(P::ClientCreate) {
            Some(Self::CreateOne)
        } else if rights.promises(P::EngagementRead) || !rights.may(P::AuditLogRead) {
            Some(Self::Ask)
        } else {
            Some(Self::NoNeed)
        }
    }
}

/// A step of the first hour.
pub struct Step {
    pub done: bool,
    pub words: &'static str,
    pub why: &'static str,
    /// Where it is done; empty where that is not possible yet.
    pub href: String,
    /// Whether it is noted by hand when it is done.
    pub by_hand: bool,
}

/// The first hour's steps; none once all are done.
pub fn steps(hour: &FirstHour, two_factor: bool, rights: &Rights) -> Vec<Step> {
    let step =
        |done, words, why, href: &str| Step { done, words, why, href: href.to_owned(), by_hand: false };
    let plan = match hour.plan {
        Some(plan) if rights.may_anywhere(P::EngagementPlan) => format!("/engagements/new?plan={plan}"),
        _ => String::new(),
    };
    vec![
        step(hour.named, "Name and time zone", "Dates and reports speak in them.", "/admin/settings"),
        step(
            two_factor,
            "A second factor for you",
            "Yours is the account that opens all.",
            "/account/two-factor",
        ),
        step(
            hour.has_client,
            "The first client",
            "Engagements, reports and assets belong to one.",
            "/clients/new",
        ),
        step(
            hour.has_team,
            "Invite the team",
            "Each gets a link; roles and access go with it.",
            "/admin/users/new",
        ),
        step(
            hour.has_engagement,
            "Try the plan “First-hour detection check”",
            "A few harmless procedures show what is logged and who is told.",
            &plan,
        ),
        Step {
            by_hand: true,
            ..step(
                hour.keys_kept,
                "Keep a copy of audit.pub elsewhere",
                "It proves later that nobody rewrote the log, this server included.",
                "/admin/audit-log/audit.pub",
            )
        },
    ]
}

/// What waits on the person in one engagement.
pub struct Queue {
    pub id: EngagementId,
    pub title: String,
    pub client: String,
    /// The engagement itself, where it is among those that the page looks at.
    pub engagement: Option<Engagement>,
    pub first: Vec<Waiting>,
    /// How many wait on each side.
    pub red: usize,
    pub blue: usize,
}

impl Queue {
    fn next(&self) -> String {
        self.first.first().map(url_of).unwrap_or_default()
    }
    fn rest(&self) -> usize {
        (self.red + self.blue).saturating_sub(self.first.len())
    }
}

/// Where a procedure that waits is opened: inside of what waits on the person.
fn url_of(waiting: &Waiting) -> String {
    crate::procedures::views::page::url_in(waiting.engagement, waiting.id, Some(queue::Queue::Mine))
}

/// What waits, by engagement, in the order in which it waits.
pub fn queues(waiting: &[Waiting], engagements: &[Engagement]) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    for one in waiting {
        let place = queues.iter().position(|queue| queue.id == one.engagement).unwrap_or_else(|| {
            queues.push(Queue {
                id: one.engagement,
                title: one.engagement_title.clone(),
                client: one.client.clone(),
                engagement: engagements.iter().find(|e| e.id == one.engagement).cloned(),
                first: Vec::new(),
                red: 0,
                blue: 0,
            });
            queues.len() - 1
        });
        let queue = &mut queues[place];
        match one.side {
            Team::Red => queue.red += 1,
            Team::Blue => queue.blue += 1,
        }
        if queue.first.len() < NAMED {
            queue.first.push(one.clone());
        }
    }
    queues
}

/// "ends tomorrow", "ended 2 days ago", with whether that is late.
fn ending(engagement: &Engagement, today: NaiveDate) -> Option<(String, bool)> {
    let days = (engagement.end_date? - today).num_days();
    Some(match days {
        0 => ("ends today".to_owned(), false),
        1 => ("ends tomorrow".to_owned(), false),
        2..=7 => (format!("ends in {days} days"), false),
        -1 => ("ended yesterday".to_owned(), !engagement.submitted),
        ..-1 => (format!("ended {} days ago", -days), !engagement.submitted),
        _ => (format!("ends {}", show::date(engagement.end_date?)), false),
    })
}

impl Dashboard {
    /// What waits on the person in all.
    fn waiting(&self) -> usize {
        self.loaded.waiting.len()
    }
    fn open_steps(&self) -> usize {
        self.first_hour.iter().flatten().filter(|step| !step.done).count()
    }
    fn ending(&self, engagement: &Engagement) -> Option<(String, bool)> {
        ending(engagement, self.today)
    }
    fn failed<'a>(&self, event: &'a Record) -> EventRow<'a> {
        let href = format!("/admin/audit-log?open={}", event.place());
        EventRow::new(event, self.zone, Some(href), false).elsewhere()
    }
    fn counted(&self, count: &i64) -> String {
        if *count < COUNTED { count.to_string() } else { "1,000+".to_owned() }
    }
    /// The log over the last days, with this besides.
    fn log(&self, query: &str) -> String {
        let from = self.today - Days::new(7);
        format!("/admin/audit-log?from={from}&{query}")
    }
    fn sealed(&self, sealing: &Progress) -> String {
        match (sealing.number, sealing.at) {
            (Some(number), Some(at)) => format!("Seal {number}, {}", self.at(&at)),
            _ => "No seal yet".to_owned(),
        }
    }
    /// Seconds for which the oldest event waits for its seal, where that is too long.
    fn unsealed(&self, sealing: &Progress) -> Option<i64> {
        let seconds = (sealing.now - sealing.waiting_since?).num_seconds();
        (seconds > LATE_SECONDS).then_some(seconds / 60)
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
            ReportStatus::ReadyForReview => "Begin the review",
            ReportStatus::InReview => "Approve it, or send it back",
            _ => "Publish it",
        }
    }
    fn url(&self, waiting: &Waiting) -> String {
        url_of(waiting)
    }
    /// Whether blue has answered, and looks again.
    fn is_provisional(&self, waiting: &Waiting) -> bool {
        waiting.side == Team::Blue && waiting.look_again.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let told = |days| ending(&engagement("e", InProgress, -9, days, false), today).unwrap();
        assert_eq!(told(-2), ("ended 2 days ago".to_owned(), true));
        assert_eq!(told(1), ("ends tomorrow".to_owned(), false));
        assert!(!ending(&engagement("e", InProgress, -9, -2, true), today).unwrap().1, "its work is done");
    }
}
