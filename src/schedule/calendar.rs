//! The calendar's geometry: which days a month or a week shows, and where each engagement's bar lies in them.
//! Pure.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use crate::lifecycle::domain::EngagementStatus;

/// How many bars a day of the month shows before "+3 more".
pub const MONTH_LANES: usize = 3;
/// How many a day of the week shows.
pub const WEEK_LANES: usize = 14;

crate::text_enum! {
    /// How much time a view shows.
    #[derive(Default)]
    pub enum Span {
        #[default]
        Month => "month", "Month";
        Week => "week", "Week";
    }
}

impl Span {
    /// The first and the last day that the grid around `on` shows: whole weeks from Monday.
    pub fn days(self, on: NaiveDate) -> (NaiveDate, NaiveDate) {
        let (first, last) = match self {
            Self::Month => {
                let first = on.with_day(1).unwrap_or(on);
                (first, first + Months::new(1) - Days::new(1))
            }
            Self::Week => (on, on),
        };
        (first.week(Weekday::Mon).first_day(), last.week(Weekday::Mon).last_day())
    }

    /// A day in the span before, or after.
    pub fn step(self, on: NaiveDate, back: bool) -> NaiveDate {
        let first = on.with_day(1).unwrap_or(on);
        match (self, back) {
            (Self::Month, true) => first - Months::new(1),
            (Self::Month, false) => first + Months::new(1),
            (Self::Week, true) => on - Days::new(7),
            (Self::Week, false) => on + Days::new(7),
        }
    }
}

/// The days that an engagement takes up; none without any date. One without an end lasts, while it is In
/// Progress, until today, otherwise for its first day: nobody knows more.
pub fn taken(
    status: EngagementStatus,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    today: NaiveDate,
) -> Option<(NaiveDate, NaiveDate)> {
    match (start, end) {
        (Some(start), Some(end)) => Some((start, end)),
        (Some(start), None) if status == EngagementStatus::InProgress => Some((start, start.max(today))),
        (Some(start), None) => Some((start, start)),
        (None, Some(end)) => Some((end, end)),
        (None, None) => None,
    }
}

/// A piece of an engagement's bar within one week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Which engagement, by its place in the list.
    pub of: usize,
    /// From 1 downwards.
    pub lane: usize,
    /// First day, 1 is Monday.
    pub from: usize,
    pub span: usize,
    /// Whether it began in an earlier week.
    pub before: bool,
    /// Whether it goes on in a later one.
    pub after: bool,
}

/// A week of the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    /// Monday to Sunday.
    pub days: [NaiveDate; 7],
    pub bars: Vec<Bar>,
    /// For each day how many found no lane.
    pub more: [usize; 7],
}

/// Lays bars into the weeks from `first` to `last`. Within a week the earlier start comes first, then the
/// longer one; an engagement has one lane in a week, so a bar never jumps.
pub fn weeks(
    first: NaiveDate,
    last: NaiveDate,
    taken: &[Option<(NaiveDate, NaiveDate)>],
    lanes: usize,
) -> Vec<Week> {
    let mondays = std::iter::successors(Some(first), |monday| Some(*monday + Days::new(7)));
    mondays.take_while(|monday| *monday <= last).map(|monday| week(monday, taken, lanes)).collect()
}

fn week(monday: NaiveDate, taken: &[Option<(NaiveDate, NaiveDate)>], lanes: usize) -> Week {
    let days: [NaiveDate; 7] = std::array::from_fn(|n| monday + Days::new(n as u64));
    let sunday = days[6];
    let mut pieces: Vec<(usize, NaiveDate, NaiveDate)> = taken
        .iter()
        .enumerate()
        .filter_map(|(of, days)| days.map(|(start, end)| (of, start, end)))
        .filter(|(_, start, end)| *start <= sunday && *end >= monday)
        .collect();
    pieces.sort_by_key(|(of, start, end)| (*start, std::cmp::Reverse(*end), *of));
    let place = |day: NaiveDate| (day.clamp(monday, sunday) - monday).num_days() as usize;
    let mut free_from = vec![0; lanes];
    let (mut bars, mut more) = (Vec::new(), [0; 7]);
    for (of, start, end) in pieces {
        let (from, to) = (place(start), place(end));
        match free_from.iter().position(|free| *free <= from) {
            Some(lane) => {
                free_from[lane] = to + 1;
                bars.push(Bar {
                    of,
                    lane: lane + 1,
                    from: from + 1,
                    span: to - from + 1,
                    before: start < monday,
                    after: end > sunday,
                });
            }
            None => more[from..=to].iter_mut().for_each(|n| *n += 1),
        }
    }
    Week { days, bars, more }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_is_shown_in_whole_weeks() {
        assert_eq!(Span::Month.days(day("2026-11-21")), (day("2026-10-26"), day("2026-12-06")));
        assert_eq!(Span::Month.days(day("2027-02-03")), (day("2027-02-01"), day("2027-02-28")));
        assert_eq!(Span::Week.days(day("2026-11-22")), (day("2026-11-16"), day("2026-11-22")));
        assert_eq!(Span::Month.step(day("2026-01-31"), false), day("2026-02-01"));
        assert_eq!(Span::Month.step(day("2026-01-31"), true), day("2025-12-01"));
        assert_eq!(Span::Week.step(day("2026-01-03"), true), day("2025-12-27"));
    }

    #[test]
    fn open_ends_are_told_by_what_is_known() {
        use EngagementStatus::{InProgress, Scheduled};
        let (start, today) = (day("2026-11-16"), day("2026-11-21"));
        assert_eq!(taken(InProgress, Some(start), None, today), Some((start, today)));
        assert_eq!(taken(InProgress, Some(today), None, start), Some((today, today)));
        assert_eq!(taken(Scheduled, Some(start), None, today), Some((start, start)));
        assert_eq!(taken(Scheduled, None, Some(today), today), Some((today, today)));
        assert_eq!(taken(Scheduled, None, None, today), None);
    }

    #[test]
    fn a_bar_spans_weeks_and_says_so() {
        let one = [Some((day("2026-11-20"), day("2026-11-24")))];
        let laid = weeks(day("2026-11-16"), day("2026-11-29"), &one, 3);
        let bars: Vec<_> = laid.iter().map(|week| week.bars[0]).collect();
        assert_eq!(bars[0], Bar { of: 0, lane: 1, from: 5, span: 3, before: false, after: true });
        assert_eq!(bars[1], Bar { of: 0, lane: 1, from: 1, span: 2, before: true, after: false });
    }

    #[test]
    fn what_finds_no_lane_is_counted_on_each_of_its_days() {
        let all =
            [Some((day("2026-11-16"), day("2026-11-22"))), Some((day("2026-11-17"), day("2026-11-18")))];
        let laid = weeks(day("2026-11-16"), day("2026-11-22"), &all, 1);
        assert_eq!(laid[0].bars.len(), 1);
        assert_eq!(laid[0].more, [0, 1, 1, 0, 0, 0, 0]);
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        // Every day of every engagement is either under a bar or counted, and no two bars lie on each other.
        #[test]
        fn every_day_is_shown_once(
            spans in prop::collection::vec((0u64..60, 0u64..30), 0..40),
            lanes in 1usize..6,
        ) {
            let zero = day("2026-10-12");
            let at = |days: u64| zero + Days::new(days);
            let taken: Vec<_> = spans.iter().map(|(from, long)| Some((at(*from), at(from + long)))).collect();
            let (first, last) = Span::Month.days(day("2026-11-21"));
            for week in weeks(first, last, &taken, lanes) {
                for (n, today) in week.days.iter().enumerate() {
                    let shown = |(start, end): &&(NaiveDate, NaiveDate)| start <= today && end >= today;
                    let here = taken.iter().flatten().filter(shown).count();
                    let covers = |bar: &&Bar| (bar.from..bar.from + bar.span).contains(&(n + 1));
                    let over: Vec<_> = week.bars.iter().filter(covers).collect();
                    prop_assert_eq!(here, over.len() + week.more[n]);
                    let mut used: Vec<_> = over.iter().map(|bar| bar.lane).collect();
                    used.sort_unstable();
                    used.dedup();
                    prop_assert_eq!(used.len(), over.len());
                    prop_assert!(used.iter().all(|lane| *lane <= lanes));
                }
            }
        }
    }
}
