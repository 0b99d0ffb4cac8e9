//! Pages of requests and their approval.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::engagements::approval::{Draft, STEPS};
use crate::engagements::domain::DetailField;
use crate::engagements::store::approval::Request;
use crate::engagements::store::sections::File;
use crate::engagements::store::show::Head;
use crate::engagements::views::sections::Choosable;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::{ClientId, TestPlanId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::base::times;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::kernel::web::form::Pairs;

#[derive(Template)]
#[template(path = "engagements/request.html")]
pub struct RequestForm {
    pub frame: Frame,
    /// Clients that may be asked for.
    pub clients: Vec<(ClientId, String)>,
    pub plans: Vec<(TestPlanId, String)>,
    /// Whether the person reads test plans.
    pub reads_plans: bool,
    pub typed: Pairs,
    /// Largest file, in words.
    pub limit: String,
    pub errors: FieldErrors,
    /// Why nothing was sent.
    pub problem: Option<String>,
}

impl RequestForm {
    fn get(&self, name: &str) -> &str {
        self.typed.get(name).unwrap_or_default()
    }
    fn error(&self, name: &str) -> Option<&str> {
        self.errors.get(name)
    }
    fn is(&self, name: &str, value: &impl ToString) -> bool {
        self.get(name) == value.to_string()
    }
}

#[derive(Template)]
#[template(path = "engagements/requests.html")]
pub struct Queue {
    pub frame: Frame,
    pub requests: Vec<Request>,
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

impl Queue {
    fn dates(&self, request: &Request) -> String {
        show::dates(request.start_date, request.end_date)
    }
    fn overdue(&self, request: &Request) -> bool {
        request.starts_at.is_some_and(|start| start <= self.now)
    }
    fn at(&self, at: &DateTime<Utc>) -> String {
        show::relative(*at, self.now).unwrap_or_else(|| show::time(*at, self.zone))
    }
}

#[derive(Template)]
#[template(path = "engagements/approval.html")]
pub struct ApprovalPage {
    pub frame: Frame,
    pub head: Head,
    /// From 1 to 4.
    pub step: usize,
    /// What was typed so far.
    pub draft: Draft,
    pub requested_by: Option<String>,
    /// Procedures of its test plan.
    pub planned: i64,
    /// Files that came with it.
    pub files: Vec<File>,
    /// Who can be an operator.
    pub people: Vec<Choosable>,
    /// Today in the typed zone.
    pub today: NaiveDate,
    pub errors: FieldErrors,
    pub problem: Option<String>,
}

impl ApprovalPage {
    fn is_step(&self, n: &usize) -> bool {
        self.step == *n
    }
    /// The details of this step as they are rendered.
    fn had(&self) -> Vec<(&'static str, String)> {
        STEPS[self.step - 1].iter().map(|field| (field.as_str(), self.draft.get(*field).to_owned())).collect()
    }
    /// The ticks as they are rendered.
    fn had_operators(&self) -> Vec<(&'static str, String)> {
        if self.step != 4 {
            return Vec::new();
        }
        let name = |team| if team == Team::Red { "had_red" } else { "had_blue" };
        self.draft.operators.iter().map(|(person, team)| (name(*team), person.to_string())).collect()
    }
    /// Whether nothing is missing, so that it can be approved as it is. A start that has passed is asked
    /// about beside the button.
    fn is_whole(&self) -> bool {
        (1..=4).all(|step| self.draft.faults(step, self.today).0.keys().all(|field| field == "past"))
    }
    /// Whom it asks for on a side: "Tor Lind, Mika Berg".
    fn side(&self, red: bool) -> String {
        let on = self.people.iter().filter(|p| if red { p.red } else { p.blue });
        let names: Vec<&str> = on.map(|p| p.name.as_str()).collect();
        if names.is_empty() { "nobody yet".to_owned() } else { names.join(", ") }
    }
    /// Other bookings of its operators in its dates.
    fn clashes(&self) -> Vec<String> {
        let on = self.people.iter().filter(|p| p.red || p.blue);
        on.flat_map(|p| p.bookings.iter().map(move |booking| format!("{}: {booking}", p.name))).collect()
    }
    fn is_before(&self, n: &usize) -> bool {
        *n < self.step
    }
    fn at_step(&self, n: usize) -> bool {
        self.step == n
    }
    fn has_plan(&self) -> bool {
        self.planned > 0
    }
    fn url(&self) -> String {
        format!("/engagements/{}/approval", self.head.own.id)
    }
    fn steps(&self) -> [(usize, &'static str); 4] {
        [(1, "Details"), (2, "Report"), (3, "Dates"), (4, "Operators")]
    }
    fn get(&self, name: &str) -> &str {
        name.parse::<DetailField>().map_or("", |field| self.draft.get(field))
    }
    fn error(&self, name: &str) -> Option<&str> {
        self.errors.get(name)
    }
    fn file_url(&self, file: &File) -> String {
        format!("/engagements/{}/attachments/{}", self.head.own.id, file.id)
    }
    /// "It started 3 days ago", where the typed start has passed or there is none.
    fn passed(&self) -> Option<String> {
        let Some(start) = times::parse_date(self.draft.get(DetailField::StartDate)).ok().flatten() else {
            return Some("It has no start date".into());
        };
        match (self.today - start).num_days() {
            ..=0 => None,
            1 => Some("It started yesterday".into()),
            days => Some(format!("It started {days} days ago")),
        }
    }
    fn start_line(&self) -> String {
        match times::parse_date(self.draft.get(DetailField::StartDate)).ok().flatten() {
            Some(start) if start > self.today => {
                format!("It will be Scheduled, and In Progress from {} on.", show::date(start))
            }
            Some(_) => "It will be In Progress at once: its start date has come.".into(),
            None => "It will be In Progress at once: it has no start date.".into(),
        }
    }
    fn period(&self) -> String {
        let day = |field| times::parse_date(self.draft.get(field)).ok().flatten();
        show::dates(day(DetailField::StartDate), day(DetailField::EndDate))
    }
}
