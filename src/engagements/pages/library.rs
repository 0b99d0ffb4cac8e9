//! The library pane: filters and hits, for the wizard and for adding procedures.

use diesel::PgConnection;
use serde::Deserialize;

use crate::engagements::views::wizard::{HitLine, LibraryPane};
use crate::engagements::wizard::Chosen;
use crate::kernel::authz::Shelf;
use crate::kernel::base::error::Result;
use crate::kernel::base::ids::LibraryProcedureId;
use crate::kernel::base::keyset::{At, Page};
use crate::kernel::web::link;
use crate::library::store::procedures::HitCursor;
use crate::library::store::{self, Choices, Hit, Search};

/// Hits on one page.
const HITS: i64 = 50;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filters {
    /// The wizard's step, which rides along.
    pub step: String,
    q: String,
    tactic: String,
    technique: String,
    platform: String,
    methodology: String,
    repository: String,
    after: String,
    /// Hits ticked so far, which ride along from search to search.
    id: Vec<String>,
}

/// What the pane is made of.
pub struct Found {
    choices: Choices,
    hits: Vec<Hit>,
}

impl Filters {
    fn search(&self) -> Search {
        Search {
            q: self.q.clone(),
            tactic: self.tactic.clone(),
            technique: self.technique.clone(),
            platform: self.platform.clone(),
            methodology: self.methodology.clone(),
            repository: self.repository.parse().ok(),
            at: At::read(&self.after, ""),
            ..Search::default()
        }
    }

    /// The same filters at a step of the wizard.
    pub fn at_step(self, step: u8) -> Self {
        Self { step: step.to_string(), ..self }
    }

    /// The page with these filters.
    pub fn pane_url(&self, action: &str) -> String {
        let pairs = [
            ("step", self.step.as_str()),
            ("q", &self.q),
            ("tactic", &self.tactic),
            ("technique", &self.technique),
            ("platform", &self.platform),
            ("methodology", &self.methodology),
            ("repository", &self.repository),
            ("after", &self.after),
        ];
        link(action, &pairs)
    }

    /// Searches, and loads what the filters offer.
    pub fn find(&self, conn: &mut PgConnection, shelf: Shelf) -> Result<Found> {
        Ok(Found {
            choices: store::list_choices(conn, shelf, false)?,
            hits: store::search(conn, shelf, &self.search(), HITS + 1)?,
        })
    }

    /// The pane; `taken` says which hits are in already.
    pub fn pane(
        self,
        action: String,
        found: Found,
        taken: impl Fn(LibraryProcedureId) -> bool,
    ) -> LibraryPane {
        let page = Page::cut(found.hits, &At::<HitCursor>::read(&self.after, ""), HITS as usize);
        let mut pane = LibraryPane {
            action,
            keep: if self.step.is_empty() { Vec::new() } else { vec![("step", self.step)] },
            q: self.q,
            tactic: self.tactic,
            technique: self.technique,
            platform: self.platform,
            methodology: self.methodology,
            repository: self.repository,
            methodologies: found.choices.methodologies.into_iter().map(|m| (m.key, m.name)).collect(),
            tactics: found.choices.tactics.into_iter().map(|t| (t.key, t.name)).collect(),
            platforms: found.choices.platforms,
            repositories: found.choices.repositories.into_iter().map(|r| (r.key, r.name)).collect(),
            ticked: self.id,
            hits: page.rows.iter().map(|hit| HitLine::new(hit, taken(hit.id))).collect(),
            more: None,
        };
        let (_, more) = page.links(Hit::cursor, |at| {
            let (after, _) = at.written();
            let params: Vec<(&str, &str)> =
                pane.params().into_iter().chain([("after", after.as_str())]).collect();
            link(&pane.action, &params)
        });
        pane.more = more;
        pane
    }
}

/// Whether a selection holds a procedure of the library.
pub fn holds(chosen: &[Chosen], id: LibraryProcedureId) -> bool {
    chosen.contains(&Chosen::Library(id))
}
