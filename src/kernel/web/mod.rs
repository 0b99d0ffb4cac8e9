//! Requests and answers: the context of a request, forms, the page frame, assets, the edge that renders what went wrong.

pub mod assets;
pub mod ctx;
pub mod edge;
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

/// The samples of a slice's views under their names. One that does not render is empty, which fails their test.
pub fn rendered<const N: usize>(views: [(&'static str, askama::Result<String>); N]) -> Vec<(&'static str, String)> {
    views.into_iter().map(|(name, html)| (name, html.unwrap_or_default())).collect()
}
