//! What an import would do, as rows that are kept, shown and later taken back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::domain::ImportError;
use crate::library::changes::Counts;
use crate::library::compare::{Field, text_of};

crate::text_enum! {
    /// How far an import is.
    pub enum ImportState {
        /// Uploaded; nobody has looked at it yet.
        Waiting => "waiting", "Waiting";
        Checking => "checking", "Being checked";
        Ready => "ready", "Ready to apply";
        /// It cannot be read.
        Failed => "failed", "Cannot be read";
        Applied => "applied", "Applied";
        Discarded => "discarded", "Discarded";
        Undone => "undone", "Undone";
    }
}

impl ImportState {
    /// Whether the check is still to come or to end.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Waiting | Self::Checking)
    }

    /// Whether somebody still has to say what becomes of it.
    pub fn is_open(self) -> bool {
        self.is_under_way() || matches!(self, Self::Ready | Self::Failed)
    }
}

crate::text_enum! {
    /// What an import says of one object. The labels head the tables of a preview, in this order.
    pub enum Verdict {
        /// Why the file cannot be read.
        Fault => "fault", "Faults";
        Refused => "refused", "Refused";
        /// Changed here and in the source.
        Conflict => "conflict", "Conflicts";
        Changed => "changed", "Changed";
        Added => "added", "Added";
        Withdrawn => "withdrawn", "Withdrawn";
        /// In the library and not in the source; or changed in both, and nothing of the source was taken.
        Kept => "kept", "Kept";
        Warning => "warning", "Warnings";
        /// Written so that the next import knows of it, and told nowhere.
        Noted => "noted", "Noted";
        // Of a release of ATT&CK, compared with the one before.
        Came => "came", "New since the release before";
        Left => "left", "No longer in use since the release before";
        Renamed => "renamed", "Renamed since the release before";
        Moved => "moved", "Moved between tactics since the release before";
    }
}

impl Verdict {
    /// Whether it says what the import would change in the library.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Conflict | Self::Changed | Self::Added | Self::Withdrawn)
    }
}

/// The longest text of a field that a preview keeps, in characters.
const SHOWN_MAX: usize = 4_000;

/// One row of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub verdict: Verdict,
    /// Under which the source knows the object.
    pub key: String,
    /// What people call it.
    pub label: String,
    pub detail: Detail,
    /// The library's procedure, where it has one.
    pub subject: Option<Uuid>,
    /// What stood before; only of what was applied.
    pub before: Option<Value>,
    /// Whether it had gone from the library, and counts as added whatever is chosen in its conflicts.
    pub returns: bool,
}

impl Change {
    pub fn new(verdict: Verdict, key: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            verdict,
            key: key.into(),
            label: label.into(),
            detail: Detail::default(),
            subject: None,
            before: None,
            returns: false,
        }
    }

    /// A row that tells of a place in the file.
    pub fn placed(verdict: Verdict, place: &ImportError) -> Self {
        let label = place.object.clone().unwrap_or_else(|| place.file.clone());
        let detail = Detail { place: Some(place.clone()), ..Detail::default() };
        Self { detail, ..Self::new(verdict, "", label) }
    }

    pub fn saying(mut self, sentence: impl Into<String>) -> Self {
        self.detail.sentence = sentence.into();
        self
    }
}

/// What a row has beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<ImportError>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ShownField>,
}

/// A field that the import would change, or that both sides changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownField {
    pub key: String,
    pub label: String,
    pub ours: String,
    pub theirs: String,
    pub is_conflict: bool,
}

impl From<&Field> for ShownField {
    fn from(field: &Field) -> Self {
        Self {
            key: field.key.clone(),
            label: field.label(),
            ours: cut(text_of(&field.ours)),
            theirs: cut(text_of(&field.theirs)),
            is_conflict: field.is_conflict(),
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// What an import would change, by what people call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    pub counts: Counts,
    /// Everything that is told, in the order of [`Verdict`].
    pub changes: Vec<Change>,
    /// How many objects the library has of what the import may withdraw.
    pub stored: usize,
}

impl Preview {
    /// The labels of one verdict.
    pub fn labels(&self, verdict: Verdict) -> Vec<String> {
        self.changes.iter().filter(|change| change.verdict == verdict).map(|c| c.label.clone()).collect()
    }

    pub fn sort(&mut self) {
        let place = |verdict| Verdict::ALL.iter().position(|known| *known == verdict);
        self.changes.sort_by_key(|change| place(change.verdict));
    }

    /// A digest of everything that would be changed and how: two previews of one file differ in it when the
    /// library has changed between them.
    pub fn outline(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for change in self.changes.iter().filter(|change| change.verdict.is_change()) {
            for text in [change.verdict.as_str(), &change.key, &change.label] {
                hash.update(text);
                hash.update([0]);
            }
            for field in &change.detail.fields {
                for text in [&field.key, &field.ours, &field.theirs] {
                    hash.update(text);
                    hash.update([0]);
                }
            }
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_differs_when_what_would_be_changed_does() {
        let preview = |label: &str, ours: &str| {
            let mut change = Change::new(Verdict::Changed, "a", label);
            change.detail.fields = vec![ShownField { ours: ours.into(), ..ShownField::default() }];
            let told = Change::new(Verdict::Warning, "", ours);
            Preview { changes: vec![change, told], ..Preview::default() }
        };
        let outline = preview("Alpha", "id").outline();
        assert_eq!(outline, preview("Alpha", "id").outline());
        assert_ne!(outline, preview("Alpha", "w").outline());
        assert_ne!(outline, preview("Beta", "id").outline());
        let mut more = preview("Alpha", "id");
        more.changes.push(Change::new(Verdict::Warning, "", "More"));
        assert_eq!(outline, more.outline(), "a warning changes nothing");
    }

    #[test]
    fn rows_stand_in_the_order_of_what_matters() {
        let rows = [Verdict::Kept, Verdict::Added, Verdict::Refused];
        let mut preview = Preview {
            changes: rows.map(|verdict| Change::new(verdict, "", "")).to_vec(),
            ..Preview::default()
        };
        preview.sort();
        let order: Vec<_> = preview.changes.iter().map(|change| change.verdict).collect();
        assert_eq!(order, [Verdict::Refused, Verdict::Added, Verdict::Kept]);
    }
}
