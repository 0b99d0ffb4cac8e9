//! Pages of repositories.

use askama::Template;

use crate::kernel::authz::Shelf;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::show;
use crate::kernel::merge::form::Editing;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::domain::RepositoryType;
use crate::library::repository::{Part, RepositoryField};
use crate::library::store::Repository;
use crate::library::store::repositories::{Member, RepositoryText, Uses};

#[derive(Template)]
#[template(path = "library/repositories.html")]
pub struct Repositories {
    pub frame: Frame,
    pub repositories: Vec<Repository>,
    pub shelf: Shelf,
}

impl Repositories {
    fn has_atomics(&self) -> bool {
        self.repositories.iter().any(|repository| repository.key.as_deref() == Some("atomic-red-team"))
    }
}

#[derive(Template)]
#[template(path = "library/repository.html")]
pub struct RepositoryPage {
    pub frame: Frame,
    pub repository: Repository,
    pub may_write: bool,
    /// Whether the person may make repositories.
    pub may_copy: bool,
}

/// Somebody in the form, with what they may do as it was shown and as it is chosen.
pub struct MemberLine {
    pub member: Member,
    pub had: String,
    pub part: Option<Part>,
    pub is_me: bool,
}

impl MemberLine {
    fn is(&self, part: &str) -> bool {
        self.part.map_or("", Part::as_str) == part
    }
}

#[derive(Template)]
#[template(path = "library/repository_form.html")]
pub struct RepositoryForm {
    pub frame: Frame,
    /// What the form does, where its title does not say it.
    pub about: Option<String>,
    pub action: String,
    pub back: String,
    pub button: &'static str,
    pub text: RepositoryText,
    /// The version that is edited; none for a new one.
    pub version: Option<i32>,
    pub editing: Editing<RepositoryField>,
    pub members: Vec<MemberLine>,
}

impl RepositoryForm {
    fn types(&self) -> [RepositoryType; 3] {
        RepositoryType::OWN
    }
    fn is_type(&self, kind: &RepositoryType) -> bool {
        self.text.kind == kind.as_str()
    }
}

#[derive(Template)]
#[template(path = "library/repository_delete.html")]
pub struct DeleteRepository {
    pub frame: Frame,
    pub repository: Repository,
    pub uses: Uses,
    /// Whether test plans may be named.
    pub reads_plans: bool,
    pub errors: FieldErrors,
}

impl DeleteRepository {
    fn count(n: &i64, one: &str, many: &str) -> String {
        show::counted(usize::try_from(*n).unwrap_or_default(), one, many)
    }
    fn plans(&self) -> String {
        show::counted(self.uses.plans.len(), "test plan", "test plans")
    }
}
