//! The approval of a request while it is being typed: what each step holds, what is wrong with it, and what becomes of it
//! when somebody changes the request meanwhile. Pure; the pages keep it as a draft on the server.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::domain::valid_dates;
use crate::engagements::domain::{DetailField, check_detail};
use crate::engagements::periods::{OwnDates, typed_periods};
use crate::error::FieldErrors;
use crate::ids::PersonId;
use crate::procedures::domain::Team;
use crate::procedures::times;
use crate::web::form::Pairs;

/// An approval that was begun.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// The engagement's version when it was last looked at.
    pub version: i32,
    /// Its details then.
    pub seen: BTreeMap<String, String>,
    /// Details as typed.
    pub details: BTreeMap<String, String>,
    /// Title of the report.
    pub report_title: String,
    /// Whether the test plan's procedures are copied.
    pub copies_plan: bool,
    /// Whether a start that has passed is meant so.
    pub past: bool,
    /// Operators.
    pub operators: Vec<(PersonId, Team)>,
    /// Own dates as typed.
    pub periods: OwnDates,
}

/// The details of each step.
pub const STEPS: [&[DetailField]; 4] = [
    &[
        DetailField::Title,
        DetailField::Description,
        DetailField::Objective,
        DetailField::Scope,
        DetailField::AccessInfo,
        DetailField::SpecialInstructions,
        DetailField::Tags,
    ],
    &[],
    &[DetailField::StartDate, DetailField::EndDate, DetailField::TimeZone],
    &[],
];

impl Draft {
    /// What the request says.
    pub fn of(version: i32, details: BTreeMap<String, String>, operators: Vec<(PersonId, Team)>) -> Self {
        Self {
            version,
            seen: details.clone(),
            report_title: details.get(DetailField::Title.as_str()).cloned().unwrap_or_default(),
            details,
            copies_plan: true,
            operators,
            ..Self::default()
        }
    }

    /// A detail as typed.
    pub fn get(&self, field: DetailField) -> &str {
        self.details.get(field.as_str()).map_or("", String::as_str)
    }

    /// A date as typed.
    pub fn day(&self, field: DetailField) -> Option<NaiveDate> {
        times::parse_date(self.get(field)).ok().flatten()
    }

    /// Takes over what a step posted.
    pub fn read(&mut self, step: usize, pairs: &Pairs) {
        let find = |name: &str| pairs.iter().find(|(field, _)| field == name).map(|(_, value)| value.replace('\0', ""));
        for field in STEPS[step - 1] {
            if let Some(value) = find(field.as_str()) {
                self.details.insert(field.as_str().to_owned(), value);
            }
        }
        match step {
            2 => {
                self.report_title = find("report_title").unwrap_or_default();
                self.copies_plan = find("copies_plan").is_some();
            }
            3 => self.past = find("past").is_some(),
            4 => {
                let of = |team: Team| {
                    let posted = pairs.iter().filter(move |(field, _)| field == team.as_str());
                    posted.filter_map(move |(_, value)| Some((value.parse::<PersonId>().ok()?, team)))
                };
                self.operators = of(Team::Red).chain(of(Team::Blue)).collect();
                self.periods = typed_periods(pairs);
            }
            _ => {}
        }
    }

    /// What is wrong with a step.
    pub fn faults(&self, step: usize, today: NaiveDate) -> FieldErrors {
        let mut errors = FieldErrors::default();
        for field in STEPS[step - 1] {
            if let Err(sentence) = check_detail(*field, self.get(*field)) {
                errors.add(field.as_str(), sentence);
            }
        }
        if step == 2
            && let Err(sentence) = crate::reports::content::NarrativeField::Title.check(&self.report_title)
        {
            errors.add("report_title", sentence);
        }
        if step == 3 {
            let start = self.day(DetailField::StartDate);
            if let Err(sentence) = valid_dates(start, self.day(DetailField::EndDate)) {
                errors.add(DetailField::EndDate.as_str(), sentence);
            }
            if !self.past && start.is_some_and(|start| start < today) {
                errors.add("past", "The start date has passed. Tick that it starts at once, or choose a later start.");
            }
        }
        errors
    }

    /// Follows a request that somebody changed since it was looked at: what was not typed over takes the new value. Gives
    /// the labels of what changed, and of those of them that stay as typed here.
    pub fn follow(&mut self, version: i32, now: &BTreeMap<String, String>) -> (Vec<&'static str>, Vec<&'static str>) {
        let (mut changed, mut kept) = (Vec::new(), Vec::new());
        for field in DetailField::ALL {
            let key = field.as_str().to_owned();
            let now = now.get(&key).cloned().unwrap_or_default();
            let seen = self.seen.get(&key).cloned().unwrap_or_default();
            if now == seen {
                continue;
            }
            changed.push(field.label());
            if self.get(*field) == seen {
                self.details.insert(key.clone(), now.clone());
            } else {
                kept.push(field.label());
            }
            self.seen.insert(key, now);
        }
        self.version = version;
        (changed, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> BTreeMap<String, String> {
        [("title", "Drill"), ("start_date", "2026-11-18"), ("time_zone", "UTC"), ("scope", "Mail")]
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value.to_owned()))
            .collect()
    }

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, n).unwrap()
    }

    #[test]
    fn a_past_start_is_asked_about_once() {
        let mut draft = Draft::of(1, request(), Vec::new());
        assert!(draft.faults(3, day(21)).get("past").is_some());
        assert!(draft.faults(3, day(18)).is_empty(), "today is not past");
        draft.read(3, &vec![("past".into(), "yes".into()), ("end_date".into(), "2026-11-17".into())]);
        let faults = draft.faults(3, day(21));
        assert_eq!((faults.get("past"), faults.get("end_date").is_some()), (None, true));
    }

    #[test]
    fn what_others_changed_arrives_and_what_was_typed_stays() {
        let mut draft = Draft::of(1, request(), Vec::new());
        draft.read(1, &vec![("title".into(), "My drill".into())]);
        let mut now = request();
        now.insert("title".into(), "Their drill".into());
        now.insert("scope".into(), "Mail and web".into());
        let (changed, kept) = draft.follow(2, &now);
        assert_eq!((changed, kept), (vec!["Title", "Scope"], vec!["Title"]));
        assert_eq!((draft.get(DetailField::Title), draft.get(DetailField::Scope), draft.version), ("My drill", "Mail and web", 2));
        assert_eq!(draft.follow(2, &now), (Vec::new(), Vec::new()), "told once");
    }

    #[test]
    fn a_step_takes_its_own_fields_and_no_others() {
        let mut draft = Draft::of(1, request(), Vec::new());
        draft.read(2, &vec![("title".into(), "x".into()), ("report_title".into(), "R".into())]);
        assert_eq!((draft.get(DetailField::Title), draft.report_title.as_str(), draft.copies_plan), ("Drill", "R", false));
        assert!(draft.faults(2, day(1)).is_empty());
        draft.report_title.clear();
        assert!(draft.faults(2, day(1)).get("report_title").is_some());
    }
}
