//! What an import of our own formats would do or did: the values that the command line prints and a page
//! shows.

use std::collections::HashSet;

use uuid::Uuid;

use super::domain::ImportError;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::PersonId;
use crate::kernel::db::{Audited, WriteTx};
use crate::kernel::event::domain::Event;
use crate::library::changes::{Changes, Counts, Missing};
use crate::library::compare::Field;

/// What both sides changed differently. Ours stands until somebody takes theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Identity of the procedure, or id of the test plan.
    pub id: Uuid,
    pub label: String,
    pub fields: Vec<Field>,
}

/// Conflicts in which theirs is taken, by [`Conflict::id`] and the field's key; ours stays in all others.
pub type Takes = HashSet<(Uuid, String)>;

/// A test plan is one field in a conflict: half of one order and half of another would be nobody's plan.
pub const WHOLE_PLAN: &str = "test plan";

/// Where an import goes, and what becomes of what is missing or changed on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct How {
    /// Prefix of a repository of one's own; none for the one that the source names.
    pub repository: Option<String>,
    pub missing: Missing,
    pub takes: Takes,
    /// Who may write in a repository that the import makes; none for who imports.
    pub editor: Option<PersonId>,
}

impl Default for How {
    fn default() -> Self {
        Self { repository: None, missing: Missing::Keep, takes: Takes::new(), editor: None }
    }
}

/// What was written: the event is none where that was nothing.
pub(crate) struct Done {
    pub outcome: Outcome,
    pub event: Option<Event>,
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
