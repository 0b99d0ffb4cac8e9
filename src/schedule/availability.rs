//! Who is free when: operators by days, with load and clashes. Pure.

use chrono::{Days, NaiveDate};

use crate::kernel::base::ids::{EngagementId, PersonId};
use crate::lifecycle::domain::EngagementStatus;

/// A person's part in an engagement, on the days it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub person: PersonId,
    pub engagement: EngagementId,
    /// Its title, or that it is another client's.
    pub title: String,
    /// None of another client's, which stays theirs.
    pub status: Option<EngagementStatus>,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// What takes somebody's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub title: String,
    pub status: Option<EngagementStatus>,
}

impl Booked {
    /// Class of its colour.
    pub fn class(&self) -> &'static str {
        self.status.map_or("another", |status| status.class())
    }
    /// What it is, in a word.
    pub fn word(&self) -> &'static str {
        self.status.map_or("Booked elsewhere", EngagementStatus::label)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub person: PersonId,
    pub name: String,
    /// For each day what they are booked for; two are a clash.
    pub days: Vec<Vec<Booked>>,
}

impl Row {
    /// On how many days they are booked.
    pub fn booked(&self) -> usize {
        self.days.iter().filter(|day| !day.is_empty()).count()
    }
    /// On how many days they are booked more than once.
    pub fn clashes(&self) -> usize {
        self.days.iter().filter(|day| day.len() > 1).count()
    }
}

/// The days that somebody's own dates leave of an engagement's: within both.
pub fn within(
    engagement: (NaiveDate, NaiveDate),
    own: (Option<NaiveDate>, Option<NaiveDate>),
) -> Option<(NaiveDate, NaiveDate)> {
    let from = own.0.map_or(engagement.0, |own| own.max(engagement.0));
    let to = own.1.map_or(engagement.1, |own| own.min(engagement.1));
    (from <= to).then_some((from, to))
}

/// Rows for these people, in their order, over the days from `first` to `last`. Somebody on both teams of one
/// engagement is booked once.
pub fn rows(people: &[(PersonId, String)], parts: &[Part], first: NaiveDate, last: NaiveDate) -> Vec<Row> {
    let days: Vec<NaiveDate> = std::iter::successors(Some(first), |day| Some(*day + Days::new(1)))
        .take_while(|day| *day <= last)
        .collect();
    let row = |(person, name): &(PersonId, String)| {
        let own: Vec<&Part> = parts.iter().filter(|part| part.person == *person).collect();
        let on = |day: &NaiveDate| {
            let mut here: Vec<&&Part> =
                own.iter().filter(|part| part.from <= *day && part.to >= *day).collect();
            here.sort_by_key(|part| part.engagement);
            here.dedup_by_key(|part| part.engagement);
            here.into_iter().map(|part| Booked { title: part.title.clone(), status: part.status }).collect()
        };
        Row { person: *person, name: name.clone(), days: days.iter().map(on).collect() }
    };
    people.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, n).unwrap()
    }

    #[test]
    fn own_dates_stay_within_the_engagements() {
        assert_eq!(within((day(2), day(9)), (None, None)), Some((day(2), day(9))));
        assert_eq!(within((day(2), day(9)), (Some(day(1)), Some(day(4)))), Some((day(2), day(4))));
        assert_eq!(within((day(2), day(9)), (Some(day(5)), Some(day(30)))), Some((day(5), day(9))));
        assert_eq!(
            within((day(2), day(9)), (Some(day(10)), None)),
            None,
            "the engagement was moved away from them"
        );
    }

    #[test]
    fn a_booking_has_the_colour_of_its_status_and_another_clients_has_none() {
        let booked = |status| Booked { title: "A".into(), status };
        let scheduled = booked(Some(EngagementStatus::Scheduled));
        assert_eq!((scheduled.class(), scheduled.word()), ("scheduled", "Scheduled"));
        assert_eq!((booked(None).class(), booked(None).word()), ("another", "Booked elsewhere"));
    }

    #[test]
    fn two_engagements_on_a_day_clash_and_two_teams_of_one_do_not() {
        let (mika, tor) = (PersonId::new(), PersonId::new());
        let (a, b) = (EngagementId::new(), EngagementId::new());
        let part = |person, engagement, title: &str, from, to| Part {
            person,
            engagement,
            title: title.into(),
            status: Some(EngagementStatus::Scheduled),
            from: day(from),
            to: day(to),
        };
        let parts = [
            part(mika, a, "A", 2, 4),
            part(mika, a, "A", 2, 4),
            part(mika, b, "B", 4, 6),
            part(tor, b, "B", 9, 9),
        ];
        let rows = rows(&[(mika, "Mika".into()), (tor, "Tor".into())], &parts, day(2), day(8));
        assert_eq!((rows[0].booked(), rows[0].clashes()), (5, 1));
        let titles: Vec<&str> = rows[0].days[2].iter().map(|booked| booked.title.as_str()).collect();
        assert_eq!(titles, ["A", "B"]);
        assert_eq!((rows[1].booked(), rows[1].clashes()), (0, 0));
    }
}
