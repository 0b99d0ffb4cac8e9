//! Requests and answers: the context of a request, forms, the page frame, assets, the edge that renders what
//! went wrong.

pub mod assets;
pub mod ctx;
pub mod download;
pub mod edge;
pub mod filters;
pub mod form;
pub mod frame;
pub mod gates;
pub mod incoming;
pub mod kept;
pub mod literal;
pub mod margins;
pub mod markdown;
pub mod measure;
pub mod owner;
pub mod permit;
pub mod places;
pub mod route;
pub mod shown;
pub mod theme;
pub mod turns;

pub use ctx::{Ctx, redirect, redirect_with, refusal_noted};
pub use download::download;
pub use form::{Form, Query};
pub use frame::{Crumb, Frame, Section};
pub use permit::{Permit, Viewer};
pub use theme::Theme;

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

/// A path with these parameters, empty ones left out.
pub fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let given: Vec<&(&str, &str)> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_html_form::to_string(&given) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_leave_out_what_is_empty() {
        assert_eq!(link("/engagements", &[("q", "a&b"), ("tag", "")]), "/engagements?q=a%26b");
        assert_eq!(link("/engagements", &[("q", "")]), "/engagements");
    }
}
