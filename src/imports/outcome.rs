//! What an import of our own formats would do or did: the values that the command line prints and a page
//! shows.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::domain::ImportError;
use super::preview::Verdict;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::{PersonId, RepositoryId};
use crate::kernel::base::query::prelude::PgConnection;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::Event;
use crate::library::changes::{Changes, Counts, Missing};
use crate::library::compare::Field;
use crate::library::store::incoming::Before;
use crate::library::store::undo::{MethodologyBefore, PlanBefore, TermBefore};

/// What both sides changed differently. Ours stands until somebody takes theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Identity of the procedure, or id of the test plan or term.
    pub id: Uuid,
    pub label: String,
    pub fields: Vec<Field>,
}

/// Where theirs is taken in conflicts; ours stays in all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takes {
    everywhere: bool,
    /// Keys of what is in conflict, each with that of a field, or for all of its fields.
    chosen: HashSet<(String, Option<String>)>,
}

impl Takes {
    /// Of a choice that nobody made: in every conflict ours stays.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn everywhere() -> Self {
        Self { everywhere: true, ..Self::default() }
    }

    /// Whether theirs is taken of a field.
    pub fn takes(&self, key: &str, field: &str) -> bool {
        let has = |field: Option<&str>| self.chosen.contains(&(key.to_owned(), field.map(str::to_owned)));
        self.everywhere || has(None) || has(Some(field))
    }
}

impl FromIterator<(String, Option<String>)> for Takes {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(chosen: I) -> Self {
        Self { everywhere: false, chosen: chosen.into_iter().collect() }
    }
}

/// Asked before anything is written: what an import would do, as it was compared; an error stops it.
pub(crate) type Agree<'a> = dyn FnMut(&mut PgConnection, &Outcome) -> Result<()> + 'a;

/// Where somebody imports, which says how they choose another repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Surface {
    #[default]
    Web,
    CommandLine,
}

impl Surface {
    /// How one of one's own is chosen, as the end of a sentence.
    pub fn elsewhere(self) -> &'static str {
        match self {
            Self::Web => "upload it again and choose one under “Procedures go to”",
            Self::CommandLine => "name one with --repository PREFIX",
        }
    }
}

/// Where an import goes, and what becomes of what is missing or changed on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct How {
    /// Prefix of a repository of one's own; none for the one that the source names.
    pub repository: Option<String>,
    pub missing: Missing,
    pub takes: Takes,
    /// Who may write in a repository that the import makes; none for who imports.
    pub editor: Option<PersonId>,
    pub surface: Surface,
}

impl Default for How {
    fn default() -> Self {
        Self {
            repository: None,
            missing: Missing::Keep,
            takes: Takes::new(),
            editor: None,
            surface: Surface::default(),
        }
    }
}

/// What was written: the event is none where that was nothing.
#[derive(Default)]
pub(crate) struct Done {
    pub outcome: Outcome,
    pub event: Option<Event>,
    /// Where procedures went, if that is one place.
    pub repository: Option<RepositoryId>,
    pub acts: Vec<Act>,
}

/// What was done to one object, so that it can be taken back.
pub(crate) struct Act {
    /// As [`Touched::key`].
    pub key: String,
    /// The procedure; none for a test plan or a term.
    pub subject: Option<Uuid>,
    pub before: Value,
}

/// How the rows of test plans, of terms and of what was noted of methodologies are told from those of
/// procedures.
pub(crate) const TEST_PLAN: &str = "test_plan";
pub(crate) const TERM: &str = "term";
pub(crate) const METHODOLOGY: &str = "methodology";

impl Act {
    pub fn procedure(key: impl ToString, id: Uuid, before: &Before) -> Result<Self> {
        Ok(Self { key: key.to_string(), subject: Some(id), before: serde_json::to_value(before)? })
    }

    pub fn plan(key: impl ToString, before: &PlanBefore) -> Result<Self> {
        Ok(Self { key: key.to_string(), subject: None, before: json!({ TEST_PLAN: before }) })
    }

    pub fn term(before: &TermBefore) -> Self {
        Self { key: before.id.to_string(), subject: None, before: json!({ TERM: before }) }
    }

    /// The methodology as a term has a row of its own.
    pub fn methodology(before: &MethodologyBefore) -> Self {
        let key = format!("{METHODOLOGY} {}", before.id);
        Self { key, subject: None, before: json!({ METHODOLOGY: before }) }
    }
}

/// What becomes of one object of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    pub verdict: Verdict,
    /// The same each time that the source is compared; in a conflict, [`Conflict::id`].
    pub key: String,
    pub label: String,
    /// The fields that change, that both sides changed, or that stay as they are here.
    pub fields: Vec<Field>,
    /// What is to know of it beside that.
    pub sentence: String,
    /// As [`super::preview::Change::returns`].
    pub returns: bool,
}

impl Touched {
    pub fn new(verdict: Verdict, key: impl ToString, label: &str) -> Self {
        Self {
            verdict,
            key: key.to_string(),
            label: label.to_owned(),
            fields: Vec::new(),
            sentence: String::new(),
            returns: false,
        }
    }

    pub fn returning(mut self, returns: bool) -> Self {
        self.returns = returns;
        self
    }

    pub fn saying(mut self, sentence: String) -> Self {
        self.sentence = sentence;
        self
    }

    pub fn with(mut self, fields: Vec<Field>) -> Self {
        self.fields = fields;
        self
    }
}

impl Done {
    /// Writes the event, if there is one.
    pub fn audit(self, tx: &mut WriteTx<'_>) -> Result<Audited<Outcome>> {
        match self.event {
            Some(event) => tx.audited(self.outcome, event),
            None => Ok(tx.unchanged(self.outcome)),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// By what people call it.
    pub changes: Changes,
    /// The same row by row; what stays as it is has none.
    pub touched: Vec<Touched>,
    pub conflicts: Vec<Conflict>,
    /// Whole sentences about what could not stay as the source has it.
    pub notes: Vec<String>,
    pub refused: Vec<ImportError>,
    pub warnings: Vec<ImportError>,
}

impl Outcome {
    pub fn counts(&self) -> Counts {
        self.changes.counts(self.refused.len())
    }
}
