//! What the library's lists are filtered by, as their addresses say it.

use serde::{Deserialize, Serialize};

use super::editor;
use super::store::Search;
use super::store::attack::TechniqueSearch;
use super::store::procedures::Used;
use crate::kernel::authz::Visible;
use crate::kernel::base::keyset::At;
use crate::library::domain::TechniqueStatus;

/// Filters of the list, as the URL keeps them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ProcedureFilter {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
    /// Short name of a tactic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tactic: String,
    /// External id of a technique.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub technique: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub executor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// Key of a methodology.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub methodology: String,
    /// Id of a repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// `plan`, `engagement`, `never`, or the id of a test plan.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub used: String,
    /// A [`State`](super::store::procedures::State): those in use when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// A [`Sort`](super::store::procedures::Sort): by name when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sort: String,
    /// Place of the row before the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Place of the row after the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before: String,
}

impl ProcedureFilter {
    /// What it looks for; engagements at `clients` count as uses.
    pub fn search(&self, clients: Visible) -> Search {
        Search {
            q: self.q.clone(),
            tactic: self.tactic.clone(),
            technique: self.technique.clone(),
            platform: self.platform.clone(),
            executor: self.executor.clone(),
            tag: self.tag.trim().to_lowercase(),
            methodology: self.methodology.clone(),
            repository: editor::repository(&self.repository),
            used: Used::of_text(&self.used),
            clients,
            state: self.state.parse().unwrap_or_default(),
            sort: self.sort.parse().unwrap_or_default(),
            at: At::read(&self.after, &self.before),
            ..Search::default()
        }
    }
    /// Whether anything is filtered.
    pub fn any(&self) -> bool {
        let Self {
            q, tactic, technique, platform, executor, tag, methodology, repository, used, state, ..
        } = self;
        [q, tactic, technique, platform, executor, tag, methodology, repository, used, state]
            .iter()
            .any(|value| !value.is_empty())
    }
    /// How many of the filters that stand folded are set.
    pub fn more(&self) -> usize {
        let folded = [&self.executor, &self.tag, &self.methodology, &self.used, &self.state];
        folded.iter().filter(|value| !value.is_empty()).count()
    }
}

/// A list's address with its filters.
pub fn url(path: &str, filters: &impl Serialize) -> String {
    match serde_html_form::to_string(filters) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// Filters of the techniques, as the URL keeps them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct TechniqueFilter {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
    /// Id of an own methodology; ATT&CK when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub methodology: String,
    /// Short name of a tactic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tactic: String,
    /// A [`TechniqueStatus`], live where it is none, or `all`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The release; the newest when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Id of the row before the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Id of the row after the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before: String,
}

impl TechniqueFilter {
    pub fn search(&self, version: &str) -> TechniqueSearch {
        let status = match self.status.as_str() {
            "all" => None,
            word => Some(word.parse().unwrap_or(TechniqueStatus::Live)),
        };
        TechniqueSearch {
            version: version.to_owned(),
            q: self.q.clone(),
            tactic: self.tactic.clone(),
            status,
            at: At::read(&self.after, &self.before),
        }
    }
}
