//! What the procedure pages show.

pub mod assets;
pub mod attachments;
pub mod logs;
pub mod page;
pub mod parts;
pub mod place;
pub mod queue;
pub mod steps;

use askama::Template;

use crate::kernel::web::Frame;
use crate::kernel::web::filters;

/// Somebody in the picker of operators.
pub struct Pick {
    pub id: String,
    pub name: String,
    /// Role at the client; none without access.
    pub role: Option<String>,
    /// Whether the procedure names them, as the form has it and as it is stored.
    pub ticked: bool,
    pub had: bool,
}

/// One side of the picker.
pub struct PickSide {
    /// red or blue: form field and CSS class.
    pub class: &'static str,
    pub label: &'static str,
    /// The engagement's operators, who apply while the procedure names nobody.
    pub inherited: String,
    /// Whether they apply now.
    pub inherits: bool,
    /// Everybody who could be ticked.
    pub people: Vec<Pick>,
}

#[derive(Template)]
#[template(path = "procedures/operators.html")]
pub struct Operators {
    pub frame: Frame,
    pub position: i32,
    pub name: String,
    /// Why it could not be saved.
    pub problem: Option<String>,
    pub sides: Vec<PickSide>,
    pub back: String,
}

/// A field as others saved it.
pub struct Fresh {
    pub name: &'static str,
    pub value: String,
    pub by: String,
    pub at: String,
}

/// What an open page asks for after somebody else saved.
#[derive(Template)]
#[template(path = "procedures/_fresh.html")]
pub struct FreshPage {
    /// The version that the values are of.
    pub version: i32,
    pub fields: Vec<Fresh>,
    /// The parts that are stored at once, as HTML: where each goes, and what it is. They morph in place.
    pub parts: Vec<(String, String)>,
}
