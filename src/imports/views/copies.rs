//! Copies whose original has changed, and the page of one.

use askama::Template;

use crate::imports::store::copies::Behind;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::library::compare::{Compared, Field, text_of};

#[derive(Template)]
#[template(path = "imports/copies.html")]
pub struct Copies {
    pub frame: Frame,
    pub copies: Vec<Behind>,
    /// Whether there are more than are listed.
    pub more: bool,
}

#[derive(Template)]
#[template(path = "imports/copy.html")]
pub struct Copy {
    pub frame: Frame,
    pub copy: Behind,
    pub compared: Compared,
    /// Keys of the fields that were ticked, where the form comes back.
    pub taken: Vec<String>,
    pub problem: Option<String>,
}

impl Copy {
    fn theirs(&self) -> Vec<&Field> {
        self.compared.fields.iter().filter(|field| field.is_theirs()).collect()
    }
    fn conflicts(&self) -> Vec<&Field> {
        self.compared.conflicts().collect()
    }
    fn takes(&self, field: &Field) -> bool {
        self.taken.contains(&field.key)
    }
    fn ours_told(&self, field: &Field) -> String {
        text_of(&field.ours)
    }
    fn theirs_told(&self, field: &Field) -> String {
        text_of(&field.theirs)
    }
}
