//! The approval of a request while it is being typed: what each step holds, what is wrong with it, and what
//! becomes of it when somebody changes the request meanwhile. Pure; the pages keep it as a draft on the
//! server.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::engagements::domain::{DetailField, check_detail};
use crate::engagements::periods::{OwnDates, changed_as_typed as changed, ticked};
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::PersonId;
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::team::Team;
use crate::kernel::base::text::check_title;
use crate::kernel::base::times;
use crate::kernel::merge::set::SetChange;
use crate::lifecycle::domain::valid_dates;

/// An approval that was begun.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// The engagement's version when it was last looked at.
    pub version: i32,
    pub seen: BTreeMap<String, String>,
    pub details: BTreeMap<String, String>,
    /// Title of the report.
    pub report_title: String,
    /// Whether the test plan's procedures are copied.
    pub copies_plan: bool,
    /// Whether a start that has passed is meant so.
    pub past: bool,
    /// Operators when it was last looked at.
    pub seen_operators: Vec<(PersonId, Team)>,
    pub operators: Vec<(PersonId, Team)>,
    /// Own dates as typed, where they are not as they are stored.
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
    &[DetailField::StartDate, DetailField::EndDate, DetailField::TimeZone, DetailField::ObservationWindow],
    &[],
];

/// Whether a name is one that a step of the approval posts.
pub fn is_approval(name: &str) -> bool {
    let detail = |name: &str| name.parse::<DetailField>().is_ok();
    match name.split_once('.') {
        Some(("had", field)) => detail(field),
        Some((kind, person)) => {
            matches!(kind, "from" | "to" | "had_from" | "had_to") && person.parse::<PersonId>().is_ok()
        }
        None => {
            matches!(
                name,
                "version"
                    | "do"
                    | "report_title"
                    | "copies_plan"
                    | "past"
                    | "red"
                    | "blue"
                    | "had_red"
                    | "had_blue"
            ) || detail(name)
        }
    }
}

/// What has to be confirmed of a start: one that has passed, or none at all.
pub fn asks_at_once(start: Option<NaiveDate>, today: NaiveDate) -> Option<&'static str> {
    match start {
        Some(start) if start < today => {
            Some("The start date has passed. Tick that it starts at once, or choose a later start.")
        }
        Some(_) => None,
        None => Some("Without a start date it starts at once. Tick that, or choose a start."),
    }
}

impl Draft {
    /// What the request says.
    pub fn of(version: i32, details: BTreeMap<String, String>, operators: Vec<(PersonId, Team)>) -> Self {
        Self {
            version,
            seen: details.clone(),
            report_title: details.get(DetailField::Title.as_str()).cloned().unwrap_or_default(),
            details,
            copies_plan: true,
            seen_operators: operators.clone(),
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

    /// Takes over what a step posted: of the details only what is not as it was rendered (`had.<field>`), so
    /// that a tab which was opened before somebody changed the request does not put the old value back. Gives
    /// the labels of what was typed over a value that the tab had never shown.
    pub fn read(&mut self, step: usize, pairs: &Pairs) -> Vec<&'static str> {
        let find = |name: &str| pairs.get(name).map(|value| value.replace("\r\n", "\n").replace('\0', ""));
        let mut over = Vec::new();
        for field in STEPS[step - 1] {
            let (Some(value), had) = (find(field.as_str()), find(&format!("had.{}", field.as_str()))) else {
                continue;
            };
            if had.as_ref() == Some(&value) {
                continue;
            }
            let key = field.as_str().to_owned();
            if *field == DetailField::Title && self.report_title == self.get(DetailField::Title) {
                // The report bears the engagement's title until it gets another.
                self.report_title.clone_from(&value);
            }
            let before = self.details.insert(key, value).unwrap_or_default();
            if had.is_some_and(|had| had != before) {
                over.push(field.label());
            }
        }
        match step {
            2 => {
                self.report_title = find("report_title").unwrap_or_default();
                self.copies_plan = find("copies_plan").is_some();
            }
            3 => self.past = find("past").is_some(),
            4 => {
                // As with the details: what this person changed of what they saw.
                let change = SetChange::between(ticked(pairs, "had_"), ticked(pairs, ""));
                self.operators = change.on(self.operators.drain(..)).into_iter().collect();
                self.periods = changed(pairs);
            }
            _ => {}
        }
        over
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
            && let Err(sentence) = check_title("report", &self.report_title)
        {
            errors.add("report_title", sentence);
        }
        if step == 3 {
            let start = self.day(DetailField::StartDate);
            if let Err(sentence) = valid_dates(start, self.day(DetailField::EndDate)) {
                errors.add(DetailField::EndDate.as_str(), sentence);
            }
            if let Some(sentence) = asks_at_once(start, today).filter(|_| !self.past) {
                errors.add("past", sentence);
            }
        }
        errors
    }

    /// Follows a request that somebody changed since it was looked at: what was not typed over takes the new
    /// value. Gives the labels of what changed, and of those of them that stay as typed here.
    pub fn follow(
        &mut self,
        version: i32,
        now: &BTreeMap<String, String>,
        operators: &[(PersonId, Team)],
    ) -> (Vec<&'static str>, Vec<&'static str>) {
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
        let theirs = SetChange::between(self.seen_operators.iter().copied(), operators.iter().copied());
        if !theirs.is_empty() {
            changed.push("Operators");
            self.operators = theirs.on(self.operators.drain(..)).into_iter().collect();
            self.seen_operators = operators.to_vec();
        }
        self.version = version;
        (changed, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter().copied().collect()
    }

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
        draft.read(3, &pairs(&[("past", "yes"), ("end_date", "2026-11-17")]));
        let faults = draft.faults(3, day(21));
        assert_eq!((faults.get("past"), faults.get("end_date").is_some()), (None, true));
    }

    #[test]
    fn what_others_changed_arrives_and_what_was_typed_stays() {
        let mut draft = Draft::of(1, request(), Vec::new());
        draft.read(1, &pairs(&[("title", "My drill")]));
        let mut now = request();
        now.insert("title".into(), "Their drill".into());
        now.insert("scope".into(), "Mail and web".into());
        let (changed, kept) = draft.follow(2, &now, &[]);
        assert_eq!((changed, kept), (vec!["Title", "Scope"], vec!["Title"]));
        assert_eq!(
            (draft.get(DetailField::Title), draft.get(DetailField::Scope), draft.version),
            ("My drill", "Mail and web", 2)
        );
        assert_eq!(draft.follow(2, &now, &[]), (Vec::new(), Vec::new()), "told once");
    }

    #[test]
    fn a_tab_from_before_a_change_puts_no_old_value_back() {
        let posted = |scope: &str| pairs(&[("had.scope", "Mail"), ("scope", scope)]);
        let mut now = request();
        now.insert("scope".into(), "Not the ferries".into());
        let mut draft = Draft::of(2, now.clone(), Vec::new());
        assert_eq!(draft.read(1, &posted("Mail")), Vec::<&str>::new());
        assert_eq!(draft.get(DetailField::Scope), "Not the ferries");
        assert_eq!(draft.read(1, &posted("Mine")), ["Scope"], "typed over a value that the tab never showed");
        assert_eq!(draft.get(DetailField::Scope), "Mine");
    }

    #[test]
    fn operators_that_others_planned_meanwhile_stay() {
        let (mika, tor) = ((PersonId::new(), Team::Red), (PersonId::new(), Team::Red));
        let mut draft = Draft::of(1, request(), Vec::new());
        assert_eq!(draft.follow(1, &request(), &[mika]).0, ["Operators"]);
        draft.read(4, &pairs(&[("red", &tor.0.to_string())]));
        let mut both = vec![mika, tor];
        both.sort_unstable();
        assert_eq!(draft.operators, both, "she was not on the form, so she was not unticked");
        let (mika, tor_id) = (mika.0.to_string(), tor.0.to_string());
        draft.read(4, &pairs(&[("had_red", &mika), ("had_red", &tor_id), ("red", &tor_id)]));
        assert_eq!(draft.operators, [tor]);
    }

    #[test]
    fn a_step_takes_its_own_fields_and_no_others() {
        let mut draft = Draft::of(1, request(), Vec::new());
        draft.read(2, &pairs(&[("title", "x"), ("report_title", "R")]));
        assert_eq!(
            (draft.get(DetailField::Title), draft.report_title.as_str(), draft.copies_plan),
            ("Drill", "R", false)
        );
        assert!(draft.faults(2, day(1)).is_empty());
        draft.report_title.clear();
        assert!(draft.faults(2, day(1)).get("report_title").is_some());
    }
}
