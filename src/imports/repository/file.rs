//! What an archive holds.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::library::domain::{ContentDigest, ProcedureBody, RepositoryType};
use crate::library::terms::TermKind;

/// A repository with its procedures and the test plans that need no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    pub head: Head,
    /// Sorted by their numbers.
    pub procedures: Vec<Procedure>,
    /// Sorted by their titles.
    pub plans: Vec<TestPlan>,
    /// A team's own ones that the procedures' techniques stand under, sorted by their short names.
    pub methodologies: Vec<Methodology>,
}

/// A methodology of a team's own, with everything that stands under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Methodology {
    pub id: Uuid,
    /// Digest of what the file was written from.
    pub written_from: ContentDigest,
    pub content: MethodologyFields,
}

/// What a methodology says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodologyFields {
    pub name: String,
    pub short_name: String,
    pub description: String,
    pub tags: Vec<String>,
    /// In the order of its matrix.
    pub tactics: Vec<Term>,
    /// In the order of their ids, so that exports are equal bytes.
    pub techniques: Vec<Term>,
}

impl MethodologyFields {
    /// Equal digests mean the same methodology.
    pub fn digest(&self) -> ContentDigest {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(json).into()
    }
}

/// A tactic or technique of a methodology.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    pub id: Uuid,
    pub name: String,
    /// Of a technique, what procedures name it by.
    pub short_name: String,
    pub description: String,
    pub tags: Vec<String>,
    /// Of a technique, the tactics of the same methodology, in their order; of a tactic none.
    pub tactics: Vec<Uuid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub name: String,
    pub prefix: String,
    pub kind: RepositoryType,
    pub description: String,
    /// No procedure has had this number or a higher one.
    pub next_number: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// The same wherever the procedure goes.
    pub identity: Uuid,
    pub number: i32,
    /// Digest of the version that the writer had last exchanged: what both sides know.
    pub written_from: ContentDigest,
    pub is_retired: bool,
    /// Where it was taken from, with its licence; empty for one's own.
    pub origin: String,
    pub body: ProcedureBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPlan {
    pub id: Uuid,
    pub written_from: ContentDigest,
    pub content: PlanFields,
}

/// What a test plan says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFields {
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    /// Identities of procedures of the same archive, in order.
    pub procedures: Vec<Uuid>,
}

impl PlanFields {
    /// Equal digests mean the same plan.
    pub fn digest(&self) -> ContentDigest {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(json).into()
    }
}

/// The id that people see, such as `HLF-12`.
pub fn code(prefix: &str, number: i32) -> String {
    format!("{prefix}-{number}")
}

/// Prefixes are 3 to 8 capital letters or digits.
pub fn is_prefix(text: &str) -> bool {
    (3..=8).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The key under which a file has the short name.
pub(super) fn short_key(kind: TermKind) -> &'static str {
    if kind == TermKind::Technique { "id" } else { "short_name" }
}
