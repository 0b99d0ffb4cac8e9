//! Pages of a team's own methodologies, tactics and techniques.

use askama::Template;

use crate::kernel::base::ids::TermId;
use crate::kernel::merge::form::Editing;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::store::Hit;
use crate::library::store::terms::{Named, Outlined, Own, Uses};
use crate::library::terms::{TermField, TermKind};

/// Own terms, each under what it belongs to.
pub struct Outline(pub Vec<Outlined>);

impl Outline {
    pub fn of_kind(&self, kind: TermKind) -> Vec<&Outlined> {
        self.0.iter().filter(|term| term.kind == kind).collect()
    }

    pub fn methodologies(&self) -> Vec<&Outlined> {
        self.of_kind(TermKind::Methodology)
    }

    pub fn tactics(&self) -> Vec<&Outlined> {
        self.of_kind(TermKind::Tactic)
    }

    /// What stands under a term.
    pub fn under(&self, id: &TermId) -> Vec<&Outlined> {
        self.0.iter().filter(|term| term.parents.contains(id)).collect()
    }

    /// Names of what a term belongs to.
    pub fn above(&self, term: &Outlined) -> Vec<&str> {
        self.0.iter().filter(|one| term.parents.contains(&one.id)).map(|one| one.name.as_str()).collect()
    }

    /// How many techniques stand under the tactics of a methodology, each once.
    pub fn techniques_of(&self, methodology: &TermId) -> usize {
        let tactics: Vec<TermId> = self.under(methodology).iter().map(|tactic| tactic.id).collect();
        self.of_kind(TermKind::Technique)
            .iter()
            .filter(|technique| technique.parents.iter().any(|parent| tactics.contains(parent)))
            .count()
    }
}

#[derive(Template)]
#[template(path = "library/methodology.html")]
pub struct MethodologyPage {
    pub frame: Frame,
    pub own: Own,
    pub outline: Outline,
    /// Whether the library may be changed.
    pub may_edit: bool,
}

#[derive(Template)]
#[template(path = "library/own_technique.html")]
pub struct OwnTechnique {
    pub frame: Frame,
    pub own: Own,
    pub tactics: Vec<Named>,
    /// The methodologies that those belong to.
    pub methodologies: Vec<Named>,
    /// Own techniques below it.
    pub below: Vec<Named>,
    /// The first procedures that name it or one of those.
    pub hits: Vec<Hit>,
    /// How many do in all.
    pub count: i64,
    /// Whether the library may be changed.
    pub may_edit: bool,
}

#[derive(Template)]
#[template(path = "library/term_form.html")]
pub struct TermForm {
    pub frame: Frame,
    /// Where the form is posted.
    pub action: String,
    pub cancel: String,
    /// The confirmation page of its deletion; none for a new one.
    pub delete: Option<String>,
    pub kind: TermKind,
    pub name: String,
    pub short_name: String,
    pub description: String,
    pub tags: String,
    /// What it can belong to: id, name and whether it does.
    pub parents: Vec<(TermId, String, bool)>,
    /// The rest of the form.
    pub editing: Editing<TermField>,
}

impl TermForm {
    fn above(&self) -> Option<TermKind> {
        self.kind.above()
    }
}

#[derive(Template)]
#[template(path = "library/term_delete.html")]
pub struct DeleteTerm {
    pub frame: Frame,
    pub own: Own,
    pub uses: Uses,
    pub back: String,
}

impl DeleteTerm {
    fn by(&self) -> String {
        self.uses.sentence(self.own.kind)
    }
}
