//! What somebody may see and change of the library, as a value.

use crate::kernel::base::ids::PersonId;

/// The library as one person has it: private repositories are known to their viewers and editors alone, and
/// managed and private ones are written by their editors. [`super::Rights`] make it, and the library's store
/// asks for it wherever it reads or writes, so that a procedure of a repository that somebody does not know
/// of is simply not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelf {
    reader: Option<PersonId>,
    edits: bool,
}

impl Shelf {
    pub(super) fn of(reader: PersonId, edits: bool) -> Self {
        Self { reader: Some(reader), edits }
    }

    /// As somebody has it who had the right to bring something in, for what is prepared in their absence.
    /// What is written asks for their rights anew.
    pub fn of_maker(reader: PersonId) -> Self {
        Self::of(reader, true)
    }

    /// All of it: for what the product itself does, at its start, in jobs and at the command line.
    pub fn whole() -> Self {
        Self { reader: None, edits: true }
    }

    /// Who looks; nobody where all of it is meant.
    pub fn reader(self) -> Option<PersonId> {
        self.reader
    }

    /// Whether the right to change the library is held at all.
    pub fn edits(self) -> bool {
        self.edits
    }
}
