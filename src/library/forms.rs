//! What the library's lists are filtered by, as their addresses say it.

use serde::{Deserialize, Serialize};

use super::editor;
use super::store::Search;
use super::store::attack::TechniqueSearch;
use crate::kernel::base::ids::LibraryProcedureId;
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
    /// Id of a repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// Cursor of the row before the page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Cursor of the row after the page.
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
            repository: editor::repository(&self.repository),
            after: read_cursor(&self.after),
            before: read_cursor(&self.before),
        }
    }
    /// Whether anything is filtered.
    pub fn any(&self) -> bool {
        [&self.q, &self.tactic, &self.technique, &self.platform, &self.repository]
            .iter()
            .any(|value| !value.is_empty())
    }
}

/// A cursor in a URL: the id, a tilde, the name that the list is ordered by. One that cannot be read is none.
fn read_cursor(text: &str) -> Option<(String, LibraryProcedureId)> {
    let (id, name) = text.split_once('~')?;
    Some((name.to_owned(), id.parse().ok()?))
}

pub fn write_cursor((name, id): (String, LibraryProcedureId)) -> String {
    format!("{id}~{name}")
}

/// Filters of the techniques, as the URL keeps them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct TechniqueFilter {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
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
        let bound = |text: &String| (!text.is_empty()).then(|| text.clone());
        let status = match self.status.as_str() {
            "all" => None,
            word => Some(word.parse().unwrap_or(TechniqueStatus::Live)),
        };
        TechniqueSearch {
            version: version.to_owned(),
            q: self.q.clone(),
            tactic: self.tactic.clone(),
            status,
            after: bound(&self.after),
            before: bound(&self.before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_url() {
        let cursor = ("a~b 100 %".to_owned(), LibraryProcedureId::new());
        assert_eq!(read_cursor(&write_cursor(cursor.clone())), Some(cursor));
        assert_eq!(read_cursor("x~y"), None);
    }
}
