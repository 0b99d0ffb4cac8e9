//! An engagement's details as a form, the state of its runbook, and its coverage by tactic.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::kernel::base::text::{LONG_TEXT_BYTES, check_text, check_title, parse_tags, split_tags};
use crate::kernel::base::times;
use crate::kernel::merge::MergeField;
use crate::lifecycle::domain::{self as schedule, EngagementStatus};
use crate::procedures::domain::{ObservationWindow, Progress};
use crate::settings::domain::Meaning;

crate::text_enum! {
    /// The fields of Engagement Details, by the names they post under. They share the field-by-field merge.
    pub enum DetailField {
        Title => "title", "Title";
        Description => "description", "Description";
        Tags => "tags", "Tags";
        StartDate => "start_date", "Start date";
        EndDate => "end_date", "End date";
        TimeZone => "time_zone", "Time zone";
        ObservationWindow => "observation_window", "Observation window";
        Objective => "objective", "Objective";
        Scope => "scope", "Scope";
        AccessInfo => "access_info", "Access info";
        SpecialInstructions => "special_instructions", "Special instructions";
    }
}

impl MergeField for DetailField {
    fn is_long(self) -> bool {
        matches!(
            self,
            Self::Description | Self::Objective | Self::Scope | Self::AccessInfo | Self::SpecialInstructions
        )
    }
}

crate::text_enum! {
    /// When blue sees a procedure of an engagement. The column is there; nothing reads it yet.
    pub enum Reveal {
        Always => "always", "Always";
        OnStart => "on_start", "When it starts";
        ByHand => "by_hand", "By hand";
    }
}

/// Engagement Details as the form posts them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewEngagement {
    pub title: String,
    pub description: String,
    /// Separated by commas.
    pub tags: String,
    /// "2026-11-21" or empty.
    pub start_date: String,
    /// "2026-11-21" or empty.
    pub end_date: String,
    pub time_zone: String,
    /// In minutes; empty for none.
    pub observation_window: String,
    pub objective: String,
    pub scope: String,
    pub access_info: String,
    pub special_instructions: String,
}

/// Engagement Details that passed their checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// One line, not empty.
    pub title: String,
    pub description: String,
    /// Trimmed, lower-cased, each once.
    pub tags: Vec<String>,
    /// The first day, in `time_zone`.
    pub start_date: Option<NaiveDate>,
    /// The last day, not before the first.
    pub end_date: Option<NaiveDate>,
    pub time_zone: Tz,
    pub observation_window: ObservationWindow,
    pub objective: String,
    pub scope: String,
    pub access_info: String,
    pub special_instructions: String,
}

crate::merge_columns! {
    Details: DetailField {
        Title => title;
        Description => description;
        Tags => tags;
        StartDate => start_date;
        EndDate => end_date;
        TimeZone => time_zone;
        ObservationWindow => observation_window;
        Objective => objective;
        Scope => scope;
        AccessInfo => access_info;
        SpecialInstructions => special_instructions;
    }
}

impl Details {
    /// The first instant of the start date, for the column that due engagements are found by.
    pub fn starts_at(&self) -> Option<DateTime<Utc>> {
        Some(schedule::starts_at(self.start_date?, self.time_zone))
    }
}

impl NewEngagement {
    /// What was posted for a field.
    pub fn get(&self, field: DetailField) -> &str {
        match field {
            DetailField::Title => &self.title,
            DetailField::Description => &self.description,
            DetailField::Tags => &self.tags,
            DetailField::StartDate => &self.start_date,
            DetailField::EndDate => &self.end_date,
            DetailField::TimeZone => &self.time_zone,
            DetailField::ObservationWindow => &self.observation_window,
            DetailField::Objective => &self.objective,
            DetailField::Scope => &self.scope,
            DetailField::AccessInfo => &self.access_info,
            DetailField::SpecialInstructions => &self.special_instructions,
        }
    }

    /// Checks every field, and the dates against each other.
    ///
    /// # Errors
    /// A sentence for each faulty field, in the form's order.
    pub fn check(&self) -> Result<Details, Vec<(DetailField, String)>> {
        let mut faults = Vec::new();
        let mut text = |field| {
            check_detail(field, self.get(field)).unwrap_or_else(|sentence| {
                faults.push((field, sentence));
                String::new()
            })
        };
        let title = text(DetailField::Title);
        let description = text(DetailField::Description);
        let tags = text(DetailField::Tags);
        let start_date = text(DetailField::StartDate).parse().ok();
        let end_date = text(DetailField::EndDate).parse().ok();
        let time_zone = text(DetailField::TimeZone).parse().unwrap_or(Tz::UTC);
        let observation_window = text(DetailField::ObservationWindow).parse().unwrap_or_default();
        let objective = text(DetailField::Objective);
        let scope = text(DetailField::Scope);
        let access_info = text(DetailField::AccessInfo);
        let special_instructions = text(DetailField::SpecialInstructions);
        if let Err(sentence) = schedule::valid_dates(start_date, end_date) {
            faults.push((DetailField::EndDate, sentence.to_owned()));
            faults.sort_by_key(|(field, _)| *field);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Details {
            title,
            description,
            tags: split_tags(&tags).collect(),
            start_date,
            end_date,
            time_zone,
            observation_window,
            objective,
            scope,
            access_info,
            special_instructions,
        })
    }
}

/// Checks one field of the details and gives its canonical value, the one that is stored and compared: tags
/// as "a, b", dates as "2026-11-21" or empty, the zone's name.
///
/// # Errors
/// A sentence for beside the field.
pub fn check_detail(field: DetailField, raw: &str) -> Result<String, String> {
    match field {
        DetailField::Title => check_title("engagement", raw),
        DetailField::Tags => Ok(parse_tags(raw)?.join(", ")),
        DetailField::StartDate | DetailField::EndDate => {
            Ok(times::parse_date(raw)?.map_or_else(String::new, |date| date.to_string()))
        }
        DetailField::TimeZone => Ok(times::zone(raw)?.name().to_owned()),
        DetailField::ObservationWindow if raw.trim().is_empty() => {
            Ok(ObservationWindow::default().as_str().to_owned())
        }
        DetailField::ObservationWindow => match raw.trim().parse::<ObservationWindow>() {
            Ok(window) => Ok(window.as_str().to_owned()),
            Err(_) => Err("This is not an observation window. Choose one from the list.".into()),
        },
        DetailField::Description | DetailField::Objective | DetailField::Scope | DetailField::AccessInfo => {
            check_text(field.label(), false, raw, LONG_TEXT_BYTES, true)
        }
        DetailField::SpecialInstructions => check_text(field.label(), true, raw, LONG_TEXT_BYTES, true),
    }
}

/// Where a runbook stands: derived, never stored, never shown as a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunbookState {
    /// Being worked on: the bar.
    Open(Progress),
    /// At 100 %, and "Not Submitted" under the bar.
    NotSubmitted,
    /// The green check mark.
    Submitted,
}

impl RunbookState {
    pub fn of(progress: Progress, submitted: bool) -> Self {
        match (submitted, progress.complete()) {
            (true, _) => Self::Submitted,
            (false, true) => Self::NotSubmitted,
            (false, false) => Self::Open(progress),
        }
    }
}

/// The status that Create sets: Scheduled, or In Progress when the start date is today in `zone`, past or
/// empty.
pub fn status_on_create(start: Option<NaiveDate>, zone: Tz, now: DateTime<Utc>) -> EngagementStatus {
    EngagementStatus::on_create(&schedule::Facts {
        now,
        starts_at: start.map(|date| schedule::starts_at(date, zone)),
        report: None,
        anything_recorded: false,
        submitted: false,
        has_procedures: false,
    })
}

/// A column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tactic {
    /// What procedures name it by.
    pub key: String,
    pub name: String,
}

/// What blue answered, as far as coverage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlueAnswer {
    /// Nothing yet; never the same as no evidence.
    Unanswered,
    /// An outcome without a score: nothing to see for blue.
    NotApplicable,
    /// An outcome with a score from 0 to 100.
    Scored {
        score: u8,
        /// Its flags; none of them is "we looked and found nothing".
        flags: Meaning,
    },
}

/// A procedure as far as coverage goes. One of status Not Applicable counts as [`BlueAnswer::NotApplicable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Keys of its tactics; it counts once under each.
    pub tactics: Vec<String>,
    pub blue: BlueAnswer,
}

/// Coverage under one tactic. `procedures = unanswered + not_applicable + scored`; the flags may overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoverageRow {
    /// The tactic's key; empty for procedures without a known tactic.
    pub key: String,
    pub name: String,
    pub procedures: u32,
    /// Those that blue has not answered.
    pub unanswered: u32,
    /// Those without a score.
    pub not_applicable: u32,
    /// Those with a score.
    pub scored: u32,
    pub score_sum: u32,
    pub prevented: u32,
    pub alerted: u32,
    /// Recorded, and neither stopped nor told.
    pub only_logged: u32,
    /// Neither stopped, told nor recorded.
    pub missed: u32,
}

impl CoverageRow {
    /// The mean score of what is scored, rounded; `None` when nothing is. Show it with `scored`,
    /// `procedures` and `unanswered`.
    pub fn score(&self) -> Option<u32> {
        (self.score_sum * 2 + self.scored).checked_div(self.scored * 2)
    }

    fn count(&mut self, blue: BlueAnswer) {
        self.procedures += 1;
        match blue {
            BlueAnswer::Unanswered => self.unanswered += 1,
            BlueAnswer::NotApplicable => self.not_applicable += 1,
            BlueAnswer::Scored { score, flags } => {
                self.scored += 1;
                self.score_sum += u32::from(score);
                self.prevented += u32::from(flags.prevented);
                self.alerted += u32::from(flags.alerted);
                self.only_logged += u32::from(flags.only_logged());
                self.missed += u32::from(flags.unseen());
            }
        }
    }
}

/// Coverage by tactic, in the tactics' order, empty ones included; procedures without a known tactic come
/// last under "No tactic".
pub fn coverage(tactics: &[Tactic], procedures: &[Covered]) -> Vec<CoverageRow> {
    let row = |key: &str, name: &str| CoverageRow {
        key: key.to_owned(),
        name: name.to_owned(),
        ..CoverageRow::default()
    };
    let mut rows: Vec<_> = tactics.iter().map(|t| row(&t.key, &t.name)).collect();
    let mut none = row("", "No tactic");
    for procedure in procedures {
        let mut known = false;
        for row in &mut rows {
            if procedure.tactics.contains(&row.key) {
                row.count(procedure.blue);
                known = true;
            }
        }
        if !known {
            none.count(procedure.blue);
        }
    }
    if none.procedures > 0 {
        rows.push(none);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form() -> NewEngagement {
        NewEngagement {
            title: " Credential access drill ".into(),
            tags: "Q4, red Team,, q4 ".into(),
            start_date: "2026-11-21".into(),
            end_date: "2026-11-25".into(),
            time_zone: "Europe/Lisbon".into(),
            scope: "One site.\r\nNo servers.".into(),
            ..NewEngagement::default()
        }
    }

    fn fault(change: impl FnOnce(&mut NewEngagement)) -> Vec<(DetailField, String)> {
        let mut form = form();
        change(&mut form);
        form.check().expect_err("a fault")
    }

    #[test]
    fn details_pass() {
        let details = form().check().expect("fine");
        assert_eq!(details.title, "Credential access drill");
        assert_eq!(details.tags, ["q4", "red team"]);
        assert_eq!(details.scope, "One site.\nNo servers.");
        assert_eq!(details.time_zone, Tz::Europe__Lisbon);
        assert_eq!(details.starts_at(), "2026-11-21T00:00:00Z".parse().ok());
        let open = NewEngagement { start_date: String::new(), end_date: String::new(), ..form() };
        assert_eq!(open.check().expect("fine").starts_at(), None);
    }

    #[test]
    fn faults_stand_beside_their_fields() {
        for (faults, field, sentence) in [
            (fault(|f| f.title = " ".into()), DetailField::Title, "Give the engagement a title."),
            (
                fault(|f| f.title = "ä".repeat(201)),
                DetailField::Title,
                "The title is 201 characters; the limit is 200. Shorten it.",
            ),
            (
                fault(|f| f.title = "a\0b".into()),
                DetailField::Title,
                "The title contains the character NUL (U+0000), which cannot be stored. Remove it.",
            ),
            (
                fault(|f| f.end_date = "2026-11-20".into()),
                DetailField::EndDate,
                "The end lies before the start. Choose a later end.",
            ),
            (
                fault(|f| f.start_date = "soon".into()),
                DetailField::StartDate,
                "This is not a date. Write it like 2026-11-21.",
            ),
            (
                fault(|f| f.time_zone = "Mars/Base".into()),
                DetailField::TimeZone,
                "This time zone is not known. Choose one from the list, such as Europe/Lisbon.",
            ),
            (
                fault(|f| f.description = "x".repeat(65_537)),
                DetailField::Description,
                "Description is 65,537 bytes; the limit is 65,536. Shorten the text.",
            ),
            (
                fault(|f| f.special_instructions = "\u{0}".into()),
                DetailField::SpecialInstructions,
                "Special instructions contain the character NUL (U+0000) in line 1, which cannot be stored. \
                    Remove it.",
            ),
        ] {
            assert_eq!(faults, [(field, sentence.to_owned())]);
        }
        let three = fault(|f| {
            f.title.clear();
            f.end_date = "2020-01-01".into();
            f.scope = "\u{0}".into();
        });
        let fields: Vec<_> = three.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, [DetailField::Title, DetailField::EndDate, DetailField::Scope]);
    }

    #[test]
    fn runbook_states() {
        let of = |done, total, submitted| RunbookState::of(Progress { done, total }, submitted);
        assert_eq!(of(0, 0, false), RunbookState::Open(Progress { done: 0, total: 0 }));
        assert_eq!(of(3, 13, false), RunbookState::Open(Progress { done: 3, total: 13 }));
        assert_eq!(of(13, 13, false), RunbookState::NotSubmitted);
        assert_eq!(of(3, 13, true), RunbookState::Submitted);
    }

    #[test]
    fn create_goes_by_the_zones_own_date() {
        let now: DateTime<Utc> = "2026-11-21T11:00:00Z".parse().expect("an instant");
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d);
        for (start, zone, status) in [
            (None, Tz::UTC, EngagementStatus::InProgress),
            (day(20), Tz::UTC, EngagementStatus::InProgress),
            (day(21), Tz::UTC, EngagementStatus::InProgress),
            (day(22), Tz::UTC, EngagementStatus::Scheduled),
            // It is already the 22nd on Kiritimati, and still the 21st's eve nowhere but west of it.
            (day(22), Tz::Pacific__Kiritimati, EngagementStatus::InProgress),
            (day(21), Tz::Pacific__Niue, EngagementStatus::InProgress),
            (day(22), Tz::Pacific__Niue, EngagementStatus::Scheduled),
        ] {
            assert_eq!(status_on_create(start, zone, now), status, "{start:?} {zone}");
        }
    }

    fn covered(tactics: &[&str], blue: BlueAnswer) -> Covered {
        Covered { tactics: tactics.iter().map(|t| (*t).to_owned()).collect(), blue }
    }

    fn scored(score: u8, prevented: bool, alerted: bool, logged: bool) -> BlueAnswer {
        let flags = Meaning { prevented, alerted, logged, ..Meaning::default() };
        BlueAnswer::Scored { score, flags }
    }

    fn tactics() -> Vec<Tactic> {
        ["execution", "persistence", "impact"]
            .map(|key| Tactic { key: key.into(), name: key.to_uppercase() })
            .to_vec()
    }

    #[test]
    fn coverage_counts_the_unanswered_apart() {
        let rows = coverage(
            &tactics(),
            &[
                covered(&["execution", "persistence"], scored(100, true, true, true)),
                covered(&["execution"], scored(0, false, false, false)),
                covered(&["execution"], scored(60, false, true, true)),
                covered(&["execution"], BlueAnswer::Unanswered),
                covered(&["execution"], BlueAnswer::NotApplicable),
                covered(&["unknown"], BlueAnswer::Unanswered),
            ],
        );
        assert_eq!(
            rows[0],
            CoverageRow {
                key: "execution".into(),
                name: "EXECUTION".into(),
                procedures: 5,
                unanswered: 1,
                not_applicable: 1,
                scored: 3,
                score_sum: 160,
                prevented: 1,
                alerted: 2,
                only_logged: 0,
                missed: 1,
            }
        );
        assert_eq!(rows[0].score(), Some(53));
        assert_eq!((rows[1].procedures, rows[1].score()), (1, Some(100)));
        assert_eq!((rows[2].procedures, rows[2].score()), (0, None));
        assert_eq!((rows[3].name.as_str(), rows[3].unanswered), ("No tactic", 1));
        assert_eq!(coverage(&tactics(), &[]).len(), 3);
    }

    #[test]
    fn logged_is_what_did_no_more_and_a_score_is_rounded() {
        let answers = [
            covered(&["impact"], scored(30, false, false, true)),
            covered(&["impact"], scored(60, false, true, true)),
            covered(&["impact"], scored(100, true, true, true)),
        ];
        let row = &coverage(&tactics(), &answers)[2];
        assert_eq!((row.only_logged, row.alerted, row.score()), (1, 2, Some(63)), "190 of 3");
        assert_eq!(coverage(&tactics(), &answers[1..])[2].score(), Some(80));
        let two_thirds = CoverageRow { scored: 3, score_sum: 200, ..CoverageRow::default() };
        assert_eq!(two_thirds.score(), Some(67));
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn coverage_adds_up(answers in prop::collection::vec((0usize..4, 0u8..=100, 0u8..8), 0..40)) {
            let keys = ["execution", "persistence", "impact", "unknown"];
            let procedures: Vec<_> = answers
                .iter()
                .map(|(tactic, score, flags)| {
                    let blue = match flags {
                        0 => BlueAnswer::Unanswered,
                        1 => BlueAnswer::NotApplicable,
                        f => scored(*score, f & 1 > 0, f & 2 > 0, f & 4 > 0),
                    };
                    covered(&[keys[*tactic]], blue)
                })
                .collect();
            let rows = coverage(&tactics(), &procedures);
            let total: u32 = rows.iter().map(|row| row.procedures).sum();
            prop_assert_eq!(total as usize, procedures.len());
            for row in rows {
                prop_assert_eq!(row.procedures, row.unanswered + row.not_applicable + row.scored);
                prop_assert!(row.score().is_none_or(|score| score <= 100));
            }
        }

        // What was stored posts back unchanged.
        #[test]
        fn canonical_details_are_their_own(index in 0..DetailField::ALL.len(), raw in "[A-Za-zİ,\r\n\t \
            ]{0,30}") {
            let field = DetailField::ALL[index];
            if let Ok(value) = check_detail(field, &raw) {
                prop_assert_eq!(check_detail(field, &value), Ok(value));
            }
        }
    }
}
