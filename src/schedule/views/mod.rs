//! Pages of the schedule.

use askama::Template;
use chrono::{Datelike, Days, NaiveDate, Weekday};
use chrono_tz::Tz;

use super::availability::{Booked, Row};
use super::calendar::{Bar, Span, Week};
use super::filter::{Filter, View};
use super::store::bookings::{Booking, Choices, Counts};
use crate::engagements::store::show::Head;
use crate::kernel::base::ids::{ClientId, EngagementId, PersonId, TestPlanId};
use crate::kernel::base::show;
use crate::kernel::base::team::Team;
use crate::kernel::web::filters;
use crate::kernel::web::{Frame, markdown};
use crate::lifecycle::domain::EngagementStatus;
use crate::procedures::domain::Progress;
use crate::procedures::store::runbook::Operator;

/// What a view holds.
pub enum Body {
    Calendar(Calendar),
    /// One day of the calendar.
    Day(Day),
    List(List),
    Availability(Availability),
}

pub struct Calendar {
    /// Monday to Sunday each.
    pub weeks: Vec<Week>,
    /// What the bars stand for.
    pub bookings: Vec<Booking>,
}

/// One day of the calendar.
pub struct Day {
    pub day: NaiveDate,
    /// What takes it up.
    pub bookings: Vec<Booking>,
}

pub struct List {
    /// This page of them.
    pub rows: Vec<Booking>,
    /// Where the next page goes on.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub later: bool,
}

pub struct Grid {
    pub days: Vec<NaiveDate>,
}

impl Grid {
    /// From one day to another.
    pub fn of(first: NaiveDate, last: NaiveDate) -> Self {
        Self {
            days: std::iter::successors(Some(first), |day| Some(*day + Days::new(1)))
                .take_while(|day| *day <= last)
                .collect(),
        }
    }
}

pub struct Availability {
    pub grid: Grid,
    pub rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "schedule/show.html", blocks = ["schedule"])]
pub struct Schedule {
    pub frame: Frame,
    pub filter: Filter,
    /// What the filters offer.
    pub choices: Choices,
    /// How many there are of each status.
    pub counts: Counts,
    pub body: Body,
    /// The engagement that is looked at.
    pub drawer: Option<Drawer>,
    /// The engagement whose drawer was just closed.
    pub closed: Option<EngagementId>,
    /// Whether the person may request.
    pub may_request: bool,
    /// Whether they may start engagements.
    pub may_create: bool,
    /// Whether they may approve requests.
    pub may_approve: bool,
    /// Today in the organisation's zone.
    pub today: NaiveDate,
    pub zone: Tz,
}

impl Schedule {
    fn heading(&self) -> String {
        match (self.filter.day, self.filter.view, self.filter.span) {
            (_, View::List, _) => String::new(),
            (Some(day), ..) => show::date(day),
            (None, _, Span::Month) => self.filter.on.format("%B %Y").to_string(),
            (None, _, Span::Week) => {
                let (first, last) = Span::Week.days(self.filter.on);
                show::dates(Some(first), Some(last))
            }
        }
    }
    fn count(&self, status: &EngagementStatus) -> i64 {
        self.counts.by_status.iter().filter(|(of, _)| of == status).map(|(_, n)| n).sum()
    }
    fn all(&self) -> i64 {
        self.counts.by_status.iter().map(|(_, n)| n).sum()
    }
    /// "12 engagements", for who cannot see that the view changed.
    fn shown(&self) -> String {
        let n = self.filter.status.map_or_else(|| self.all(), |status| self.count(&status));
        show::counted(usize::try_from(n).unwrap_or_default(), "engagement", "engagements")
    }
    fn is_status(&self, status: &EngagementStatus) -> bool {
        self.filter.status == Some(*status)
    }
    fn is_client(&self, id: &ClientId) -> bool {
        self.filter.client == Some(*id)
    }
    fn is_operator(&self, id: &PersonId) -> bool {
        self.filter.operator == Some(*id)
    }
    fn is_plan(&self, id: &TestPlanId) -> bool {
        self.filter.plan == Some(*id)
    }
    fn of_status(&self, status: &EngagementStatus) -> String {
        self.filter.of_status(&Some(*status))
    }
    fn previous(&self) -> String {
        self.filter.around(&self.filter.span.step(self.filter.on, true))
    }
    fn next(&self) -> String {
        self.filter.around(&self.filter.span.step(self.filter.on, false))
    }
    /// Class of a day's cell: today, of another month, of the weekend.
    fn day_class(&self, day: &NaiveDate) -> String {
        let other = self.filter.span == Span::Month
            && self.filter.view == View::Calendar
            && day.month() != self.filter.on.month();
        let parts = [
            (*day == self.today, "today"),
            (other, "off"),
            (matches!(day.weekday(), Weekday::Sat | Weekday::Sun), "weekend"),
            (day.weekday() == Weekday::Mon, "monday"),
        ];
        parts.iter().filter(|(on, _)| *on).map(|(_, class)| *class).collect::<Vec<_>>().join(" ")
    }
    fn long_day(&self, day: &NaiveDate) -> String {
        day.format("%A %-d %B %Y").to_string()
    }
    fn day_name(&self, day: &NaiveDate) -> String {
        day.format("%a").to_string()
    }
    /// Whether its drawer stands open.
    fn is_open(&self, booking: &Booking) -> bool {
        self.drawer.as_ref().is_some_and(|drawer| drawer.head.own.id == booking.id)
    }
    fn statuses(&self) -> &'static [EngagementStatus] {
        &[EngagementStatus::Pending, EngagementStatus::Scheduled, EngagementStatus::InProgress]
    }
    fn drawer_url(&self, booking: &Booking) -> String {
        format!("/schedule/{}?{}", booking.id, self.filter.query())
    }
    fn bar_class(&self, bar: &Bar, booking: &Booking) -> String {
        let sides = match (bar.before, bar.after) {
            (true, true) => " before after",
            (true, false) => " before",
            (false, true) => " after",
            (false, false) => "",
        };
        format!("{} c{} s{} r{}{sides}", booking.status.class(), bar.from, bar.span, bar.lane)
    }
    fn was_open(&self, booking: &Booking) -> bool {
        self.closed == Some(booking.id)
    }
    fn initials(&self, booking: &Booking) -> String {
        booking
            .operators
            .iter()
            .take(5)
            .map(|name| crate::kernel::web::frame::initials(name))
            .collect::<Vec<_>>()
            .join(" ")
    }
    fn dates(&self, booking: &Booking) -> String {
        show::dates(booking.start_date, booking.end_date)
    }
    fn day_url(&self, day: &NaiveDate) -> String {
        self.filter.on_day(Some(*day))
    }
    fn span_url(&self) -> String {
        self.filter.on_day(None)
    }
    fn more(&self, week: &Week, n: &usize) -> usize {
        week.more[*n]
    }
    fn over_week(&self) -> bool {
        self.filter.span == Span::Week
    }
    /// "Mon 23 Nov: A (Scheduled); B (Pending)" for a cell of the availability.
    fn cell_title(&self, day: &NaiveDate, booked: &[Booked]) -> String {
        let told = booked.iter().map(|one| format!("{} ({})", one.title, one.word()));
        format!("{}: {}", day.format("%a %-d %b"), told.collect::<Vec<_>>().join("; "))
    }
    fn load(&self, row: &Row) -> String {
        format!("{} of {} days", row.booked(), row.days.len())
    }
}

/// One engagement, beside the view.
#[derive(Template)]
#[template(path = "schedule/_drawer.html")]
pub struct Drawer {
    pub head: Head,
    pub operators: Vec<Operator>,
    /// How much of it is done.
    pub progress: Progress,
    /// Whether this person may approve or decline it.
    pub may_approve: bool,
    /// Whether they may start it before its date, change its dates, cancel it.
    pub may_start: bool,
    pub may_edit: bool,
    pub may_cancel: bool,
    /// Whether they may read its report.
    pub may_report: bool,
    /// A request whose start has passed.
    pub overdue: bool,
    /// The view behind it.
    pub back: String,
}

impl Drawer {
    fn class(&self) -> &'static str {
        self.head.own.status.class()
    }
    fn dates(&self) -> String {
        let dates = show::dates(self.head.own.start_date, self.head.own.end_date);
        if dates.is_empty() { "No dates".to_owned() } else { dates }
    }
    fn names(&self, team: &str) -> String {
        let team = if team == "red" { Team::Red } else { Team::Blue };
        let names: Vec<&str> =
            self.operators.iter().filter(|o| o.team == team).map(|o| o.name.as_str()).collect();
        if names.is_empty() { "Nobody assigned".to_owned() } else { names.join(", ") }
    }
    fn about(&self) -> String {
        let own = &self.head.own;
        let text = [&own.objective, &own.description, &own.scope].into_iter().find(|text| !text.is_empty());
        text.map(|text| markdown::render(text)).unwrap_or_default()
    }
}
