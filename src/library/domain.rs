//! What the library holds: procedures with their steps, and the facts of an ATT&CK release.
//!
//! A [`ProcedureBody`] is written once as `library_procedure_versions.body` and copied into an
//! engagement's procedure, so its field names are a stored format: renaming one needs a migration.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::kernel::base::harmless::{hides, mark};

/// SHA-256 of an object's canonical JSON; equal digests mean "nothing changed".
pub type ContentDigest = [u8; 32];

/// A procedure as the library stores it and as an engagement copies it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcedureBody {
    pub name: String,
    pub description: String,
    /// ATT&CK external ids (`T1003.001`), kept even when no imported release knows them.
    pub technique_ids: Vec<String>,
    #[serde(default)]
    pub platforms: Vec<String>,
    #[serde(default)]
    pub inputs: Vec<Input>,
    pub steps: Vec<Step>,
    /// Markdown; what to do about a finding.
    #[serde(default)]
    pub recommendation: String,
    // What came later is left out where it is empty: the digest of a body that lacks it stays what it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What a good defence does here.
    #[serde(default, skip_serializing_if = "Expected::is_empty")]
    pub expected: Expected,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// External ids of ATT&CK groups (`G0016`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emulates: Vec<String>,
}

/// What is expected from blue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expected {
    pub prevented: bool,
    pub alerted: bool,
    pub logged: bool,
    /// The alert comes at most so many minutes after the execution.
    pub minutes: Option<i32>,
    /// One sentence beside the ticks.
    pub sentence: String,
}

impl Expected {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where more is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    #[serde(default)]
    pub title: String,
    pub address: String,
}

impl Reference {
    /// Whether its address is one that a page links: a source may say anything.
    pub fn is_linked(&self) -> bool {
        self.address.starts_with("https://") || self.address.starts_with("http://")
    }
}

/// An input of a procedure, filled in where a command says `#{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Lower case: `string`, `path`, `url`, `integer`, `float` or whatever the source said.
    pub kind: String,
    #[serde(default)]
    pub default: Option<String>,
}

/// One step of a procedure. Tyrian shows its commands and never runs them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Unique within the procedure and the same after each import, because ticks hang on it.
    pub id: String,
    pub kind: StepKind,
    pub description: String,
    #[serde(default)]
    pub success_criteria: Option<String>,
    /// The exact text that the copy button copies.
    #[serde(default)]
    pub command: Option<String>,
    /// For a prerequisite: succeeds when it is already met.
    #[serde(default)]
    pub check_command: Option<String>,
    /// `powershell`, `command_prompt`, `sh`, `bash`, `manual` or whatever the source said.
    #[serde(default)]
    pub executor: Option<String>,
    #[serde(default)]
    pub elevated: bool,
    /// Where it runs, when that is narrower than the procedure's platforms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Prerequisite,
    #[default]
    Step,
    Cleanup,
}

impl StepKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Prerequisite => "Prerequisite",
            Self::Step => "Step",
            Self::Cleanup => "Cleanup",
        }
    }
}

impl ProcedureBody {
    pub fn digest(&self) -> ContentDigest {
        digest_of(self)
    }

    /// The executors of its steps, each once, in alphabetical order: what the library filters by.
    pub fn executors(&self) -> Vec<String> {
        let named = self.steps.iter().filter_map(|step| step.executor.as_deref());
        named
            .filter(|name| !name.is_empty())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// What the library's search reads, lower-cased, a part a line: the id first, then name, description,
    /// tags and the commands.
    pub fn search_text(&self, id: &str) -> String {
        let tags = self.tags.join(" ");
        let commands = self.steps.iter().flat_map(|step| [&step.check_command, &step.command]).flatten();
        let parts = [id, &self.name, &self.description, &tags].into_iter();
        let parts: Vec<&str> = parts.chain(commands.map(String::as_str)).collect();
        parts.join("\n").to_lowercase()
    }

    /// Names written as `#{name}` in the description and the steps, each once, in the order in which they are
    /// read. Texts count as commands do: a manual step carries its commands there.
    pub fn placeholders(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let of_steps = self.steps.iter().flat_map(|step| {
            [
                Some(&step.description),
                step.check_command.as_ref(),
                step.command.as_ref(),
                step.success_criteria.as_ref(),
            ]
        });
        std::iter::once(&self.description)
            .chain(of_steps.flatten())
            .flat_map(|text| placeholders_in(text))
            .filter(|name| seen.insert(*name))
            .map(str::to_owned)
            .collect()
    }
}

/// Names longer than this are text that happens to hold `#{`, not placeholders.
const PLACEHOLDER_MAX: usize = 100;

fn placeholders_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("#{").skip(1).filter_map(|rest| {
        let name = &rest[..rest.find('}')?];
        let plain = !name.is_empty()
            && name.len() <= PLACEHOLDER_MAX
            && !name.contains(|c: char| c == '{' || c.is_control());
        plain.then_some(name)
    })
}

/// The types here serialise their fields in one fixed order, without maps or floats, which makes
/// the compact JSON canonical: a body read back from `jsonb` has the digest it was stored with.
fn digest_of<T: Serialize>(value: &T) -> ContentDigest {
    let json = serde_json::to_vec(value).expect("text, flags and lists always serialise");
    Sha256::digest(json).into()
}

/// The tactics and techniques of one ATT&CK release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttackRelease {
    /// `18.1`
    pub version: String,
    /// `enterprise-attack`
    pub domain: String,
    /// In the order of the matrix.
    pub tactics: Vec<TacticFact>,
    /// In the order of their external ids.
    pub techniques: Vec<TechniqueFact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TacticFact {
    /// `TA0006`
    pub external_id: String,
    /// `credential-access`; what [`TechniqueFact::tactics`] names.
    pub short_name: String,
    pub name: String,
    pub description: String,
    pub url: String,
    /// 0 is the leftmost column of the matrix.
    pub position: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TechniqueFact {
    /// `T1003.001`
    pub external_id: String,
    pub name: String,
    pub description: String,
    pub url: String,
    /// Sorted: releases list the same platforms in different orders.
    pub platforms: Vec<String>,
    /// Short names, in the order of the matrix; one that no tactic of the release bears is kept.
    pub tactics: Vec<String>,
    pub is_subtechnique: bool,
    pub status: TechniqueStatus,
    /// External id of the successor, where the release names one.
    pub revoked_by: Option<String>,
    /// External ids of the successors, sorted, where the release names several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<String>,
}

/// Who uses techniques, as a release names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupFact {
    /// `G0016`
    pub external_id: String,
    pub name: String,
    pub description: String,
    pub url: String,
}

crate::text_enum! {
    /// What a release says of a technique.
    pub enum TechniqueStatus {
        Live => "live", "Live";
        Revoked => "revoked", "Revoked";
        Deprecated => "deprecated", "Deprecated";
    }
}

crate::text_enum! {
    /// Whose a repository is, and who may change it.
    pub enum RepositoryType {
        Open => "open", "Open";
        Managed => "managed", "Managed";
        Private => "private", "Private";
        /// An importer's or the binary's.
        Curated => "curated", "Curated";
    }
}

impl TacticFact {
    pub fn digest(&self) -> ContentDigest {
        digest_of(self)
    }
}

impl TechniqueFact {
    pub fn digest(&self) -> ContentDigest {
        digest_of(self)
    }
}

impl GroupFact {
    pub fn digest(&self) -> ContentDigest {
        digest_of(self)
    }
}

/// Orders release versions: `19.1` is 19001, so that 9.0 stays below 18.1. What is not a number
/// counts as 0.
pub fn version_rank(version: &str) -> i32 {
    let mut parts = version.split('.').map(|part| part.parse::<u16>().map_or(0, i32::from));
    let major = parts.next().unwrap_or(0);
    let minor = parts.next().unwrap_or(0);
    major * 1000 + minor.min(999)
}

/// Sorts without regard to case and drops repetitions.
pub fn sorted_platforms(mut platforms: Vec<String>) -> Vec<String> {
    platforms.sort_by_key(|platform| platform.to_lowercase());
    platforms.dedup();
    platforms
}

#[derive(Deserialize)]
struct StarterAttack {
    version: String,
    tactics: Vec<StarterTactic>,
    techniques: Vec<StarterTechnique>,
}

#[derive(Deserialize)]
struct StarterTactic {
    id: String,
    #[serde(alias = "shortname")]
    short_name: String,
    name: String,
}

#[derive(Deserialize)]
struct StarterTechnique {
    id: String,
    name: String,
    tactics: Vec<String>,
    #[serde(default)]
    platforms: Vec<String>,
}

impl AttackRelease {
    /// Reads the facts that the binary carries: ids, names, tactics and platforms, all of them live.
    ///
    /// # Errors
    /// When the text is not JSON of that shape.
    pub fn from_starter_json(json: &str) -> Result<Self, serde_json::Error> {
        let starter: StarterAttack = serde_json::from_str(json)?;
        let tactics = (0i32..)
            .zip(starter.tactics)
            .map(|(position, tactic)| TacticFact {
                url: format!("https://attack.mitre.org/tactics/{}", tactic.id),
                external_id: tactic.id,
                short_name: tactic.short_name,
                name: tactic.name,
                description: String::new(),
                position,
            })
            .collect();
        let mut techniques: Vec<_> = starter
            .techniques
            .into_iter()
            .map(|technique| TechniqueFact {
                url: format!("https://attack.mitre.org/techniques/{}", technique.id.replace('.', "/")),
                is_subtechnique: technique.id.contains('.'),
                external_id: technique.id,
                name: technique.name,
                description: String::new(),
                platforms: sorted_platforms(technique.platforms),
                tactics: technique.tactics,
                status: TechniqueStatus::Live,
                revoked_by: None,
                successors: Vec::new(),
            })
            .collect();
        techniques.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        let mut release =
            Self { version: starter.version, domain: "enterprise-attack".to_owned(), tactics, techniques };
        release.order_tactics();
        Ok(release)
    }

    /// Puts the tactics of each technique into the order of the matrix, unknown ones last, so that
    /// two sources of the same facts give the same digests.
    pub fn order_tactics(&mut self) {
        let tactics = &self.tactics;
        let position = |name: &String| {
            tactics.iter().position(|tactic| tactic.short_name == *name).unwrap_or(usize::MAX)
        };
        for technique in &mut self.techniques {
            technique.tactics.sort_by(|a, b| position(a).cmp(&position(b)).then_with(|| a.cmp(b)));
            technique.tactics.dedup();
        }
    }
}

/// A procedure of the starter library; `key` is its identity across versions of the binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarterProcedure {
    pub key: String,
    #[serde(flatten)]
    pub body: ProcedureBody,
}

/// A test plan of the starter library; `procedures` holds keys of [`StarterProcedure`] in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarterPlan {
    pub key: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tags: Vec<String>,
    pub procedures: Vec<String>,
}

/// A stretch of text for a page: plain, or one character that a reader would not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// `⟨U+202E⟩`
    Hidden(String),
}

/// Splits text so that a page can show what a terminal would obey and an eye would miss. Line feeds, tabs and
/// the carriage return of a CRLF stay text. The exact text is copied from elsewhere, never from these pieces.
pub fn visible(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut before) = (0, None);
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let after = rest.peek().map(|(_, after)| *after);
        if hides(before, c, after) || (c == '\r' && after != Some('\n')) {
            if start < at {
                pieces.push(Piece::Text(&text[start..at]));
            }
            pieces.push(Piece::Hidden(mark(c)));
            start = at + c.len_utf8();
        }
        before = Some(c);
    }
    if start < text.len() {
        pieces.push(Piece::Text(&text[start..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> ProcedureBody {
        serde_json::from_str(
            r##"{"name":"Read the shadow file","description":"","technique_ids":["T1003.008"],
            "inputs":[{"name":"target","kind":"path","default":"/etc/shadow"}],
            "steps":[{"id":"p1","kind":"prerequisite","description":"#{tool} is there",
                      "check_command":"which #{tool}"},
                     {"id":"s1","kind":"step","description":"","executor":"sh","elevated":true,
                      "command":"#{tool} #{target} > #{out file} # {no} #{} #{a\nb} #{open"}]}"##,
        )
        .unwrap()
    }

    #[test]
    fn placeholders_come_once_in_reading_order() {
        assert_eq!(body().placeholders(), ["tool", "target", "out file"]);
    }

    #[test]
    fn a_digest_survives_storage_and_sees_each_change() {
        let stored = serde_json::to_value(body()).unwrap();
        let again: ProcedureBody = serde_json::from_value(stored).unwrap();
        assert_eq!(again.digest(), body().digest());
        let mut changed = body();
        changed.steps[1].elevated = false;
        assert_ne!(changed.digest(), body().digest());
    }

    #[test]
    fn a_body_without_the_later_fields_has_the_digest_it_was_stored_with() {
        let stored = "83ed8a393d0857808ae65763856a93c1f3001c9975e3f99a212624a4fd368ca4";
        let hex: String = body().digest().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, stored);
        let later = |change: fn(&mut ProcedureBody)| {
            let mut body = body();
            change(&mut body);
            let again: ProcedureBody = serde_json::from_value(serde_json::to_value(&body).unwrap()).unwrap();
            assert_eq!(again, body);
            body.digest()
        };
        for digest in [
            later(|body| body.tags = vec!["crown jewels".to_owned()]),
            later(|body| body.expected.alerted = true),
            later(|body| {
                let address = "https://tyrian.example".to_owned();
                body.references = vec![Reference { address, ..Reference::default() }];
            }),
            later(|body| body.emulates = vec!["G0016".to_owned()]),
            later(|body| body.steps[0].platform = Some("windows".to_owned())),
        ] {
            assert_ne!(digest, body().digest());
        }
    }

    #[test]
    fn the_search_reads_id_name_description_tags_and_commands() {
        let mut body = body();
        body.tags = vec!["hosts".to_owned()];
        assert_eq!(
            body.search_text("HLF-12"),
            "hlf-12\nread the shadow file\n\nhosts\nwhich #{tool}\n\
                #{tool} #{target} > #{out file} # {no} #{} #{a\nb} #{open"
        );
        assert_eq!(body.executors(), ["sh"]);
    }

    #[test]
    fn releases_rank_by_number_and_not_by_text() {
        assert_eq!(version_rank("19.1"), 19_001);
        assert!(version_rank("9.0") < version_rank("18.1"));
        assert!(version_rank("18") < version_rank("18.1"));
        assert_eq!(version_rank("next"), 0);
    }

    #[test]
    fn starter_facts_become_a_release() {
        let release = AttackRelease::from_starter_json(
            r#"{"version":"19.1",
            "tactics":[{"id":"TA0002","short_name":"execution","name":"Execution"},
                       {"id":"TA0003","short_name":"persistence","name":"Persistence"}],
            "techniques":[{"id":"T1053.005","name":"Scheduled Task",
                           "tactics":["persistence","execution"],"platforms":["Windows"]},
                          {"id":"T1053","name":"Scheduled Task/Job","tactics":["execution"],
                           "platforms":["macOS","Linux","Linux"]}]}"#,
        )
        .unwrap();
        assert_eq!(release.tactics[1].position, 1);
        let [parent, child] = &release.techniques[..] else {
            panic!("two techniques");
        };
        assert_eq!(parent.platforms, ["Linux", "macOS"]);
        assert!(child.is_subtechnique && !parent.is_subtechnique);
        assert_eq!(child.tactics, ["execution", "persistence"]);
        assert_eq!(child.url, "https://attack.mitre.org/techniques/T1053/005");
    }

    #[test]
    fn starter_procedures_flatten_their_body() {
        let json = r#"{"key":"shadow","name":"N","description":"","technique_ids":[],"steps":[]}"#;
        let procedure: StarterProcedure = serde_json::from_str(json).unwrap();
        assert_eq!((procedure.key.as_str(), procedure.body.name.as_str()), ("shadow", "N"));
    }

    #[test]
    fn hidden_characters_are_named_and_the_rest_is_kept() {
        let hidden = |code: &str| Piece::Hidden(format!("⟨{code}⟩"));
        assert_eq!(
            visible("a\u{202e}b\u{1b}[2J"),
            [Piece::Text("a"), hidden("U+202E"), Piece::Text("b"), hidden("U+001B"), Piece::Text("[2J")]
        );
        assert_eq!(visible("\u{200b}"), [hidden("U+200B")]);
        assert_eq!(visible("x\r\ny\tz é 漢 ⚠️"), [Piece::Text("x\r\ny\tz é 漢 ⚠️")]);
        assert_eq!(visible("x\ry").len(), 3);
        assert!(visible("").is_empty());
    }
}
