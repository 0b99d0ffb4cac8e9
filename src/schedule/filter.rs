//! What a view of the schedule shows, as its address says it. Pure.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Deserialize;

use super::calendar::Span;
use crate::kernel::base::ids::{ClientId, PersonId, TestPlanId};
use crate::kernel::base::times;
use crate::lifecycle::domain::EngagementStatus;

crate::text_enum! {
    /// The views of the schedule.
    #[derive(Default)]
    pub enum View {
        #[default]
        Calendar => "calendar", "Calendar";
        List => "list", "List";
        Availability => "availability", "Availability";
    }
}

/// The address as typed. What cannot be read is left out; the rest applies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    view: String,
    span: String,
    on: String,
    day: String,
    client: String,
    operator: String,
    plan: String,
    status: String,
    /// Where a page of the list goes on.
    pub after: String,
    /// The engagement whose drawer was just closed: the focus returns to it.
    pub closed: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub view: View,
    pub span: Span,
    pub on: NaiveDate,
    /// One day alone, behind "+3 more".
    pub day: Option<NaiveDate>,
    pub client: Option<ClientId>,
    pub operator: Option<PersonId>,
    pub plan: Option<TestPlanId>,
    pub status: Option<EngagementStatus>,
}

impl Asked {
    /// Reads the address; without a day it is around today.
    pub fn read(&self, today: NaiveDate) -> Filter {
        let day = |text: &str| times::parse_date(text).ok().flatten();
        Filter {
            view: self.view.parse().unwrap_or_default(),
            span: self.span.parse().unwrap_or_default(),
            on: day(&self.on).unwrap_or(today),
            day: day(&self.day),
            client: self.client.parse().ok(),
            operator: self.operator.parse().ok(),
            plan: self.plan.parse().ok(),
            status: self.status.parse().ok(),
        }
    }
}

impl Filter {
    /// Whether anything is filtered.
    pub fn narrows(&self) -> bool {
        self.client.is_some() || self.operator.is_some() || self.plan.is_some() || self.status.is_some()
    }

    /// The first and the last day that are shown: one day; whole weeks in a calendar; the month itself where
    /// days are columns.
    pub fn days(&self) -> (NaiveDate, NaiveDate) {
        match (self.day, self.view, self.span) {
            (Some(day), ..) => (day, day),
            (None, View::Availability, Span::Month) => {
                let first = self.on.with_day(1).unwrap_or(self.on);
                (first, first + Months::new(1) - Days::new(1))
            }
            (None, _, span) => span.days(self.on),
        }
    }

    /// The query that shows this; what is as it would be anyway is left out.
    pub fn query(&self) -> String {
        let word = |value: String, usual: &str| if value == usual { String::new() } else { value };
        let parts = [
            ("view", word(self.view.as_str().to_owned(), View::default().as_str())),
            ("span", word(self.span.as_str().to_owned(), Span::default().as_str())),
            ("on", self.on.to_string()),
            ("day", self.day.map(|day| day.to_string()).unwrap_or_default()),
            ("client", self.client.map(|id| id.to_string()).unwrap_or_default()),
            ("operator", self.operator.map(|id| id.to_string()).unwrap_or_default()),
            ("plan", self.plan.map(|id| id.to_string()).unwrap_or_default()),
            ("status", self.status.map(|status| status.as_str().to_owned()).unwrap_or_default()),
        ];
        let given: Vec<String> = parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        given.join("&")
    }

    pub fn url(&self) -> String {
        format!("/schedule?{}", self.query())
    }

    /// The same in another view.
    pub fn in_view(&self, view: &View) -> String {
        Self { view: *view, day: None, ..self.clone() }.url()
    }
    /// The same around another day.
    pub fn around(&self, on: &NaiveDate) -> String {
        Self { on: *on, day: None, ..self.clone() }.url()
    }
    /// The same over another span.
    pub fn over(&self, span: &Span) -> String {
        Self { span: *span, day: None, ..self.clone() }.url()
    }
    /// The same of another status, or of all.
    pub fn of_status(&self, status: &Option<EngagementStatus>) -> String {
        Self { status: *status, ..self.clone() }.url()
    }
    /// One day of it.
    pub fn on_day(&self, day: Option<NaiveDate>) -> String {
        Self { day, ..self.clone() }.url()
    }
    /// The same without any filter.
    pub fn widened(&self) -> String {
        Self { client: None, operator: None, plan: None, status: None, ..self.clone() }.url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_what_it_shows() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let filter = Filter {
            view: View::List,
            span: Span::Week,
            on: today,
            day: Some(today),
            client: Some(ClientId::new()),
            operator: None,
            plan: Some(TestPlanId::new()),
            status: Some(EngagementStatus::InReview),
        };
        let asked: Asked = serde_html_form::from_str(&filter.query()).unwrap();
        assert_eq!(asked.read(today), filter);
        assert!(filter.narrows());
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let asked: Asked =
            serde_html_form::from_str("view=x&on=2026-02-30&client=1&status=done&operator=").unwrap();
        let filter = asked.read(today);
        assert_eq!(
            (filter.view, filter.on, filter.client, filter.status),
            (View::Calendar, today, None, None)
        );
        assert_eq!(filter.url(), "/schedule?on=2026-11-21");
    }
}
