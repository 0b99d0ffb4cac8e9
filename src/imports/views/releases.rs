//! Two releases of ATT&CK beside each other, and procedures whose technique is in use no longer.

use askama::Template;

use crate::imports::releases::{Altered, Differences, Fate};
use crate::imports::store::releases::{Mapping, told};
use crate::kernel::base::show;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::store::attack::Release;

#[derive(Template)]
#[template(path = "imports/releases.html")]
pub struct Releases {
    pub frame: Frame,
    pub releases: Vec<Release>,
    pub from: String,
    pub to: String,
    /// None where there is one release alone.
    pub differences: Option<Differences>,
    pub mappings: Vec<Mapping>,
    /// Whether the person may re-tag.
    pub may_retag: bool,
    pub problem: Option<String>,
}

impl Releases {
    /// Those with one successor, which a tick confirms.
    fn ready(&self) -> Vec<(&Mapping, &(String, String))> {
        let ready = self.mappings.iter().filter(|mapping| matches!(mapping.fate, Fate::Became(_)));
        ready.filter_map(|mapping| Some((mapping, mapping.heirs.first()?))).collect()
    }
    /// Those with several, of which somebody has to choose one.
    fn open(&self) -> Vec<&Mapping> {
        self.mappings.iter().filter(|mapping| matches!(mapping.fate, Fate::Open(_))).collect()
    }
    /// Those that keep what they name.
    fn left(&self) -> Vec<&Mapping> {
        let left = |mapping: &&Mapping| matches!(mapping.fate, Fate::Gone | Fate::Unknown | Fate::InUse);
        self.mappings.iter().filter(left).collect()
    }
    /// Why nothing can be ticked; none where something can.
    fn why_closed(&self) -> Option<&'static str> {
        let has_heirs = |mapping: &&Mapping| matches!(mapping.fate, Fate::Became(_) | Fate::Open(_));
        let mut named = self.mappings.iter().filter(has_heirs).peekable();
        if named.peek().is_none() {
            Some(
                "No release that the library holds says what takes their place, so there is nothing to \
                    re-tag. Import one that does, or edit the procedures; until then they keep what they \
                    name.",
            )
        } else if !self.may_retag {
            Some("Who may import and edit the library re-tags them.")
        } else if named.all(|mapping| mapping.open == 0) {
            Some("They stand in repositories that you do not write in: their editors re-tag them.")
        } else {
            None
        }
    }
    /// Id of the section, its heading, and what it lists.
    fn altered<'d>(&self, found: &'d Differences) -> Vec<(&'static str, &'static str, &'d [Altered])> {
        vec![("renamed", "Renamed", &found.renamed), ("moved", "Moved between tactics", &found.moved)]
    }
    fn fate(&self, fate: &Fate) -> String {
        told(fate)
    }
    fn procedures(&self, count: &i64) -> String {
        show::counted(usize::try_from(*count).unwrap_or_default(), "procedure", "procedures")
    }
    fn sum(&self) -> String {
        let Some(found) = &self.differences else { return String::new() };
        format!(
            "{} added, {} withdrawn, {} renamed, {} moved between tactics",
            found.added.len(),
            found.withdrawn.len(),
            found.renamed.len(),
            found.moved.len()
        )
    }
}
