//! What the library's lists are filtered by, as their addresses say it.

use serde::{Deserialize, Serialize};

use super::editor;
use super::store::Search;
use super::store::attack::TechniqueSearch;
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
    /// Key of a methodology.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub methodology: String,
    /// Id of a repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// Place of the row before the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Place of the row after the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before: String,
}

impl ProcedureFilter {
    pub fn search(&self) -> Search {
        Search {
            q: self.q.clone(),
            tactic: self.tactic.clone(),
            technique: self.technique.clone(),
            platform: self.platform.clone(),
            methodology: self.methodology.clone(),
            repository: editor::repository(&self.repository),
            at: At::read(&self.after, &self.before),
        }
    }
    /// Whether anything is filtered.
    pub fn any(&self) -> bool {
        [&self.q, &self.tactic, &self.technique, &self.platform, &self.methodology, &self.repository]
            .iter()
            .any(|value| !value.is_empty())
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
