//! The test plan form: what was typed, and what each of its buttons does to it. Pure; nothing is stored
//! before Save.

use std::collections::{BTreeMap, HashSet};

use crate::kernel::base::error::{Error, FieldErrors, Result};
use crate::kernel::base::ids::{LibraryProcedureId, RepositoryId, TestPlanId};
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::text::parse_tags;
use crate::kernel::base::text::{check_text, check_visible};
use crate::kernel::merge::Version;
use crate::library::planning::{Bases, PROCEDURES, PlanContent, PlanField};
use crate::library::store::plans::Plan;
use crate::library::store::procedures::{Hit, Search};

/// Longest title, in bytes.
const TITLE_BYTES: usize = 200;
/// Longest description, in bytes.
const DESCRIPTION_BYTES: usize = 65_536;
/// How many procedures the library side shows, and how many more each time.
pub const STEP: usize = 15;
/// Most that it shows; beyond that a search is the way.
const SHOWN: usize = 300;

/// What the form's button asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Show the library as filtered now.
    Search,
    /// Show more of it.
    More,
    /// Put a procedure at the end.
    Add(LibraryProcedureId),
    Remove(LibraryProcedureId),
    Up(LibraryProcedureId),
    Down(LibraryProcedureId),
    Save,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanForm {
    pub title: String,
    pub description: String,
    /// Tags as typed, separated by commas.
    pub tags: String,
    /// What it is written from.
    pub bases: Bases,
    /// Chosen procedures in order.
    pub chosen: Vec<LibraryProcedureId>,
    pub search: Search,
    /// How many procedures the library side shows.
    pub shown: usize,
}

impl PlanForm {
    /// The form of a stored plan.
    pub fn of(plan: &Plan, hits: &[Hit]) -> Self {
        Self {
            title: plan.title.clone(),
            description: plan.description.clone(),
            tags: plan.tags.join(", "),
            bases: Bases { version: plan.version, ..Bases::default() },
            chosen: hits.iter().map(|hit| hit.id).collect(),
            search: Search::default(),
            shown: STEP,
        }
    }

    /// The form of a new plan that says the same.
    pub fn copy(self) -> Self {
        let mut title = format!("Copy of {}", self.title);
        while title.len() > TITLE_BYTES {
            title.pop();
        }
        Self { title, bases: Bases::default(), ..self }
    }

    pub fn new() -> Self {
        Self { shown: STEP, ..Self::default() }
    }

    /// Reads a posted form and its button.
    ///
    /// # Errors
    /// [`Error::Refused`] for a field that does not belong to it.
    pub fn read(pairs: Pairs) -> Result<(Self, Command)> {
        let foreign = || {
            Error::Refused(
                "This form has a field that does not belong to it. Reload the page and try again.".into(),
            )
        };
        let mut form = Self::new();
        let mut command = Command::Search;
        let mut chosen = HashSet::new();
        let mut theirs: BTreeMap<PlanField, Version> = BTreeMap::new();
        let mut kept: Option<PlanField> = None;
        for (name, value) in pairs {
            // A conflict's buttons: `keep` posts the text from the version that was shown as theirs, so that
            // a third save conflicts again; `take` leaves it out.
            if let Some((of, field)) = name.split_once('.') {
                let field: PlanField = field.parse().map_err(|_| foreign())?;
                let version: Version = value.parse().map_err(|_| foreign())?;
                match of {
                    "base" => form.bases.of.insert(field, version),
                    "theirs" => theirs.insert(field, version),
                    _ => return Err(foreign()),
                };
                continue;
            }
            match name.as_str() {
                "title" => form.title = value,
                "description" => form.description = value,
                "tags" => form.tags = value,
                "version" => form.bases.version = value.parse().map_err(|_| foreign())?,
                "keep" | "take" => {
                    let field = value.parse().map_err(|_| foreign())?;
                    command = Command::Save;
                    if name == "keep" {
                        kept = Some(field);
                    } else {
                        form.bases.left.insert(field);
                    }
                }
                "shown" => form.shown = value.parse().unwrap_or(STEP).clamp(STEP, SHOWN),
                "chosen" => {
                    let id = value.parse().map_err(|_| foreign())?;
                    if chosen.insert(id) {
                        form.chosen.push(id);
                    }
                }
                "q" => form.search.q = value,
                "tactic" => form.search.tactic = value,
                "platform" => form.search.platform = value,
                "methodology" => form.search.methodology = value,
                "repository" => form.search.repository = repository(&value),
                "order" => {}
                "do" => command = read_command(&value).ok_or_else(foreign)?,
                _ => return Err(foreign()),
            }
        }
        if let Some((field, version)) = kept.and_then(|field| Some((field, *theirs.get(&field)?))) {
            form.bases.of.insert(field, version);
        }
        Ok((form, command))
    }

    /// Takes back a text that is not saved, with the version that it was written from.
    pub fn take_back(&mut self, typed: &Self, field: PlanField, base: Version) {
        match field {
            PlanField::Title => self.title.clone_from(&typed.title),
            PlanField::Description => self.description.clone_from(&typed.description),
        }
        self.bases.of.insert(field, base);
    }

    fn add(&mut self, id: LibraryProcedureId) {
        if !self.chosen.contains(&id) {
            self.chosen.push(id);
        }
    }

    /// Does what a button asks for; Save is the caller's.
    pub fn apply(&mut self, command: &Command) {
        match command {
            Command::Search | Command::Save => {}
            Command::More => self.shown = (self.shown + STEP).min(SHOWN),
            Command::Add(id) => self.add(*id),
            Command::Remove(id) => self.chosen.retain(|chosen| chosen != id),
            Command::Up(id) => {
                if let Some(at) = self.position(*id).filter(|at| *at > 0) {
                    self.chosen.swap(at, at - 1);
                }
            }
            Command::Down(id) => {
                if let Some(at) = self.position(*id).filter(|at| at + 1 < self.chosen.len()) {
                    self.chosen.swap(at, at + 1);
                }
            }
        }
    }

    fn position(&self, id: LibraryProcedureId) -> Option<usize> {
        self.chosen.iter().position(|chosen| *chosen == id)
    }

    /// What is to be stored.
    ///
    /// # Errors
    /// Field by field, a sentence for each fault.
    pub fn check(&self) -> Result<PlanContent, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut take = |field: &str, checked: std::result::Result<String, String>| {
            checked.unwrap_or_else(|sentence| {
                errors.add(field, sentence);
                String::new()
            })
        };
        let title = take("title", check_text("The title", false, &self.title, TITLE_BYTES, false));
        let description = take(
            "description",
            check_text("The description", false, &self.description, DESCRIPTION_BYTES, true),
        );
        if title.is_empty() {
            errors.add("title", "Give the test plan a title.");
        } else if let Err(sentence) = check_visible(&title) {
            errors.add("title", sentence);
        }
        let tags = parse_tags(&self.tags).unwrap_or_else(|sentence| {
            errors.add("tags", sentence);
            Vec::new()
        });
        if self.chosen.is_empty() {
            errors.add("chosen", "Choose at least one procedure.");
        } else if self.chosen.len() > PROCEDURES {
            errors.add("chosen", format!("A test plan holds at most {PROCEDURES} procedures. Remove some."));
        }
        if errors.is_empty() {
            Ok(PlanContent { title, description, tags, procedures: self.chosen.clone() })
        } else {
            Err(errors)
        }
    }
}

/// The id of a filter's repository; anything else is "all of them".
pub fn repository(value: &str) -> Option<RepositoryId> {
    value.parse().ok()
}

fn read_command(value: &str) -> Option<Command> {
    let (word, id) = value.split_once(':').unwrap_or((value, ""));
    let id = || id.parse().ok();
    Some(match word {
        "search" => Command::Search,
        "more" => Command::More,
        "save" => Command::Save,
        "add" => Command::Add(id()?),
        "remove" => Command::Remove(id()?),
        "up" => Command::Up(id()?),
        "down" => Command::Down(id()?),
        _ => return None,
    })
}

/// Where a plan's form is posted.
pub fn action(plan: Option<TestPlanId>) -> String {
    plan.map_or_else(|| "/test-plans/new".to_owned(), |id| format!("/test-plans/{id}/edit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(pairs: &[(&str, &str)]) -> (PlanForm, Command) {
        PlanForm::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
            .unwrap()
    }

    #[test]
    fn buttons_move_and_keep_what_was_typed() {
        let (a, b) = (LibraryProcedureId::new(), LibraryProcedureId::new());
        let (a_text, b_text) = (a.to_string(), b.to_string());
        let (mut form, command) = posted(&[
            ("title", " Ransom "),
            ("chosen", &a_text),
            ("chosen", &b_text),
            ("chosen", &a_text),
            ("do", &format!("up:{b}")),
        ]);
        form.apply(&command);
        assert_eq!(form.chosen, [b, a]);
        form.apply(&command);
        assert_eq!(form.chosen, [b, a], "the first stays first");
        form.apply(&Command::Down(b));
        form.apply(&Command::Down(b));
        assert_eq!(form.chosen, [a, b]);
        form.apply(&Command::Remove(a));
        form.apply(&Command::Add(b));
        assert_eq!(form.chosen, [b]);
        assert_eq!(form.title, " Ransom ");
        assert_eq!(form.check().unwrap().title, "Ransom");
    }

    #[test]
    fn faults_stand_beside_their_fields() {
        let (form, _) = posted(&[("title", "  "), ("description", "\u{0}")]);
        let errors = form.check().unwrap_err();
        assert!(["title", "description", "chosen"].iter().all(|field| errors.get(field).is_some()));
    }

    #[test]
    fn a_foreign_field_or_button_is_refused() {
        let pair = |name: &str, value: &str| Pairs::from_iter([(name.to_owned(), value.to_owned())]);
        assert!(PlanForm::read(pair("owner", "x")).is_err());
        assert!(PlanForm::read(pair("do", "add:x")).is_err());
        assert!(PlanForm::read(pair("do", "launch")).is_err());
    }
}
