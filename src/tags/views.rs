//! Pages of tags.

use askama::Template;

use super::store::TagUse;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::web::{Frame, filters};

#[derive(Template)]
#[template(path = "tags/list.html", blocks = ["results"])]
pub struct Tags {
    pub frame: Frame,
    pub q: String,
    pub tags: Vec<TagUse>,
}

#[derive(Template)]
#[template(path = "tags/rename.html")]
pub struct Rename {
    pub frame: Frame,
    pub tag: TagUse,
    /// The new name as typed.
    pub typed: String,
    /// What bears the new name already: saving merges the two.
    pub there: Option<TagUse>,
    pub errors: FieldErrors,
}
