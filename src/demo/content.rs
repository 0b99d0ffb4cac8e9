//! What the demo tells: plainly invented people and clients, in `content.json`. Times are relative to the day
//! of seeding.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::kernel::base::team::Team;
use crate::lifecycle::domain::EngagementStatus;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Clients with their assets.
    pub clients: Vec<Client>,
    pub people: Vec<Person>,
    /// Engagements, the newest first.
    pub engagements: Vec<Engagement>,
}

impl Content {
    /// Reads the story that is in the binary.
    ///
    /// # Errors
    /// When the file does not hold together.
    pub fn load() -> serde_json::Result<Self> {
        serde_json::from_str(include_str!("content.json"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// How the rest of the file names it.
    pub key: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub contacts: String,
    pub assets: Vec<Asset>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// How the rest of the file names it.
    pub key: String,
    pub name: String,
    pub kind: String,
    pub criticality: String,
    /// Host name or address.
    pub address: String,
    /// One or two sentences.
    pub description: String,
    #[serde(default)]
    pub tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// How the rest of the file names them.
    pub key: String,
    pub name: String,
    pub email: String,
    /// Keys of their own roles.
    pub roles: Vec<String>,
    /// Client key → role key.
    pub access: BTreeMap<String, String>,
}

/// Who operates, by side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operators {
    pub red: Vec<String>,
    pub blue: Vec<String>,
}

/// Where a finding's remediation stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remediation {
    pub state: String,
    /// Who sees to it.
    pub owner: String,
    /// Days from today to its due date.
    pub due_offset_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the engagement's column of that name")]
pub struct Engagement {
    pub client: String,
    pub title: String,
    /// Key of the starter test plan whose procedures it takes; otherwise `procedures` lists them.
    pub plan: Option<String>,
    pub procedures: Vec<String>,
    pub description: String,
    pub objective: String,
    pub scope: String,
    pub access_info: String,
    pub special_instructions: String,
    /// Key of who requested it, where it began as a request.
    #[serde(default)]
    pub requested_by: Option<String>,
    /// Chapters of its report, by the names of their fields.
    #[serde(default)]
    pub narrative: BTreeMap<String, String>,
    /// Where the remediation of its findings stands, in their order.
    #[serde(default)]
    pub remediation: Vec<Remediation>,
    pub tags: Vec<String>,
    /// Days from today to its start.
    pub start_offset_days: i64,
    /// Days from today to its end.
    pub end_offset_days: i64,
    pub time_zone: String,
    pub status: EngagementStatus,
    pub cancel_reason: Option<String>,
    pub submitted: bool,
    pub operators: Operators,
    pub inputs: BTreeMap<String, String>,
    /// Only procedures that somebody has touched.
    pub work: Vec<Work>,
}

/// What was done on a procedure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the procedure's column of that name")]
pub struct Work {
    /// Key of the starter procedure.
    pub procedure: String,
    pub status: String,
    pub not_applicable_reason: String,
    pub red_outcome: Option<String>,
    pub blue_outcome: Option<String>,
    pub attack_source: String,
    pub red_notes: String,
    /// Minutes from nine o'clock of the start date.
    pub executed_after_minutes: Option<i64>,
    /// Seconds from the execution; negative where a clock was wrong.
    pub detected_after_seconds: Option<i64>,
    /// Seconds from the detection.
    pub responded_after_seconds: Option<i64>,
    pub detected_by: String,
    pub alert_reference: String,
    pub blue_notes: String,
    pub severity: Option<String>,
    /// What the other side had chosen while red was writing; red then decided.
    #[serde(default)]
    pub disputed_severity: Option<String>,
    pub recommendation: String,
    pub assets: Vec<String>,
    pub ticked_steps: Vec<String>,
    pub logs: Vec<Log>,
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub team: Team,
    /// Key of its author.
    pub by: String,
    /// Minutes from the procedure's execution; may be negative.
    pub offset_minutes: i64,
    /// None: it has no end.
    pub duration_minutes: Option<i64>,
    pub text: String,
}

/// Screenshots, by their file names.
const PICTURES: &[(&str, &[u8])] = &[
    ("console.png", include_bytes!("pictures/console.png")),
    ("search-result.png", include_bytes!("pictures/search-result.png")),
    ("share-after.png", include_bytes!("pictures/share-after.png")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    pub team: Team,
    /// Key of who uploaded it.
    pub by: String,
    pub file_name: String,
    pub title: String,
    pub description: String,
    /// The file; of a picture nothing, its name says which.
    pub content: String,
    /// Whether it belongs to the finding.
    pub in_finding: bool,
}

impl Attachment {
    /// The file's bytes; none for a picture that is not there.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if !self.content.is_empty() {
            return Some(self.content.clone().into_bytes());
        }
        let (_, bytes) = PICTURES.iter().find(|(name, _)| *name == self.file_name)?;
        Some(bytes.to_vec())
    }
}
