//! Requests and answers: the context of a request, forms, the page frame, assets, the edge that renders what
//! went wrong.

pub mod assets;
pub mod ctx;
pub mod edge;
pub mod filters;
pub mod form;
pub mod frame;
pub mod markdown;
pub mod owner;
pub mod permit;
pub mod turns;

pub use ctx::{Ctx, redirect, redirect_with, refusal_noted};
pub use form::{Form, Query};
pub use frame::{Crumb, Frame, Section};
pub use permit::{Permit, Viewer};

/// Another part of the page that an answer brings along, for the element of this id.
#[derive(askama::Template)]
#[template(path = "components/beside.html")]
struct Beside<'a> {
    target: &'a str,
    html: &'a str,
}

/// A part that a template drew, as what htmx puts in the place of the element `target`, beside the answer's
/// own.
///
/// # Errors
/// When the template fails.
pub fn beside(target: &str, html: &str) -> askama::Result<String> {
    askama::Template::render(&Beside { target, html })
}

/// The samples of a slice's views under their names. One that does not render is empty, which fails their
/// test.
pub fn rendered<const N: usize>(
    views: [(&'static str, askama::Result<String>); N],
) -> Vec<(&'static str, String)> {
    views.into_iter().map(|(name, html)| (name, html.unwrap_or_default())).collect()
}
