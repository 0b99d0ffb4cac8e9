//! Filters of the templates, by `use crate::kernel::web::filters` beside a template's type: what recurs on
//! every page has a short name there, and no path into the sources.

use std::borrow::Cow;
use std::sync::LazyLock;

use askama::filters::{HtmlSafe, Safe};
use askama::{Result, Template, Values};

use super::assets;
use crate::kernel::base::harmless::{harmless, runs_left};

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

/// What somebody is called, or something: on one line, apart from what stands beside it.
#[derive(Template)]
#[template(path = "components/name.html")]
pub struct Name<'a> {
    text: Cow<'a, str>,
    /// Whether it would turn around what stands beside it.
    apart: bool,
}

impl HtmlSafe for Name<'_> {}

/// `{{ client.name|name }}`: a name, a title or a label that people chose, where text is. A name that runs
/// from right to left turns nothing around it; what would not be seen in it is marked.
#[askama::filter_fn]
pub fn name<'a>(text: &'a str, _: &dyn Values) -> Result<Name<'a>> {
    Ok(Name { text: harmless(text), apart: runs_left(text) })
}

/// A sentence of the product's own, with what people are called in it between “ and ”.
#[derive(Template)]
#[template(path = "components/sentence.html")]
pub struct Sentence<'a> {
    /// What stands between the names, and the names.
    parts: Vec<Name<'a>>,
}

impl HtmlSafe for Sentence<'_> {}

/// `{{ message|sentence }}`: what an act did or why it was refused. A name in it that runs from right to left
/// turns nothing around it.
#[askama::filter_fn]
pub fn sentence<'a>(text: &'a str, _: &dyn Values) -> Result<Sentence<'a>> {
    Ok(Sentence::new(text))
}

impl<'a> Sentence<'a> {
    fn new(text: &'a str) -> Self {
        let parts = text.split_inclusive('“').flat_map(|part| match part.find('”') {
            Some(end) => vec![&part[..end], &part[end..]],
            None => vec![part],
        });
        Self { parts: parts.map(|part| Name { text: harmless(part), apart: runs_left(part) }).collect() }
    }
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
    fn a_name_turns_nothing_around_it() {
        let name = |text| Name { text: harmless(text), apart: runs_left(text) }.to_string();
        assert_eq!(name("Acme <x>"), "Acme &#60;x&#62;");
        assert_eq!(name("شركة 2026"), "<bdi>شركة 2026</bdi>");
        assert_eq!(name("a\tb\u{202e}"), "a⟨U+0009⟩b⟨U+202E⟩");
    }

    #[test]
    fn a_name_in_a_sentence_turns_nothing_around_it() {
        let told = |text| Sentence::new(text).to_string();
        assert_eq!(told("Client “Acme <x>” deleted."), "Client “Acme &#60;x&#62;” deleted.");
        assert_eq!(
            told("“شركة 2026” and “B”, “خادم”: 3"),
            "“<bdi>شركة 2026</bdi>” and “B”, “<bdi>خادم</bdi>”: 3"
        );
        assert_eq!(told("a ” b “ خادم"), "a ” b “<bdi> خادم</bdi>");
    }

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
