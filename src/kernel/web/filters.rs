//! Filters of the templates, by `use crate::kernel::web::filters` beside a template's type: what recurs on
//! every page has a short name there, and no path into the sources.

use std::sync::LazyLock;

use askama::filters::{HtmlSafe, Safe};
use askama::{Result, Template, Values};

use super::assets;

static SPRITE: LazyLock<String> = LazyLock::new(|| assets::url("icons.svg"));

/// An icon of the sprite.
#[derive(Template)]
#[template(path = "components/icon.html")]
pub struct Icon<'a> {
    sprite: &'static str,
    name: &'a str,
}

impl HtmlSafe for Icon<'_> {}

/// `{{ "play"|icon }}`: the icon of this name.
#[askama::filter_fn]
pub fn icon<'a>(name: &'a str, _: &dyn Values) -> Result<Icon<'a>> {
    Ok(Icon { sprite: &SPRITE, name })
}

/// `{{ "favicon.svg"|asset }}`: the URL of a static file, with its digest.
#[askama::filter_fn]
pub fn asset(path: &str, _: &dyn Values) -> Result<String> {
    Ok(assets::url(path))
}

/// `{{ text|markdown }}`: what a person wrote, as safe HTML.
#[askama::filter_fn]
pub fn markdown(text: &str, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(super::markdown::render(text)))
}

/// A text that is copied as it is.
#[derive(Template)]
#[template(path = "components/exact.html")]
pub struct Exact<'a> {
    text: &'a str,
}

impl HtmlSafe for Exact<'_> {}

/// `{{ command|exact }}`: for what a button copies. An HTML parser turns CR LF into LF; a CR written as a
/// reference stays what it is.
#[askama::filter_fn]
pub fn exact<'a>(text: &'a str, _: &dyn Values) -> Result<Exact<'a>> {
    Ok(Exact { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_survives() {
        assert_eq!(Exact { text: "a <b>\r\n\rc\n" }.to_string(), "a &#60;b&#62;&#13;\n&#13;c\n");
    }

    #[test]
    fn an_icon_is_decoration() {
        let icon = Icon { sprite: &SPRITE, name: "play" }.to_string();
        assert!(icon.starts_with("<svg class=\"icon\" aria-hidden=\"true\">"), "{icon}");
        assert!(icon.contains("#i-play\""), "{icon}");
    }
}
