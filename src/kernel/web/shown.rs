//! What a reader would not see is made visible in everything that is answered as HTML, wherever it came from:
//! a name, a title, a log entry. No template has to think of it. What a form sends back and what a button
//! copies stays exact.

use std::borrow::Cow;

use crate::kernel::base::harmless::marked;

/// Attributes whose value is what somebody typed, for a form or a script, and not for a reader.
const EXACT_ATTRIBUTES: &[&str] = &["value", "data-initial", "data-value"];

/// The attribute of an element whose text is copied or compared, and never read.
const EXACT: &str = "data-exact";

/// A page or fragment as templates drew it, with each hidden character in it shown as ⟨U+202E⟩.
pub fn shown(html: String) -> String {
    if matches!(marked(&html), Cow::Borrowed(_)) {
        return html;
    }
    let mut out = String::with_capacity(html.len() + 256);
    let mut rest = html.as_str();
    loop {
        let (text, tag) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        out.push_str(&marked(text));
        if tag.is_empty() {
            return out;
        }
        let (exact, after) = through_tag(tag, &mut out);
        rest = match exact {
            // Nothing of its own name stands in such an element.
            Some(name) => {
                let (text, end) = after.split_at(after.find(&format!("</{name}")).unwrap_or(after.len()));
                out.push_str(text);
                end
            }
            None => after,
        };
    }
}

/// Writes one tag; the name of the element where its text has to stay exact, and what comes after the tag.
fn through_tag<'a>(tag: &'a str, out: &mut String) -> (Option<&'a str>, &'a str) {
    let name_end =
        tag[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(tag.len(), |at| at + 1);
    let name = &tag[1..name_end];
    let mut exact = name == "textarea";
    let mut rest = tag;
    while let Some(at) = rest.find(['"', '>']) {
        let (before, from) = rest.split_at(at);
        exact |= before.split_ascii_whitespace().any(|word| word == EXACT);
        out.push_str(before);
        rest = from;
        if let Some(after) = from.strip_prefix('>') {
            out.push('>');
            return (exact.then_some(name), after);
        }
        let Some(length) = from[1..].find('"') else { break };
        let value = &from[1..=length];
        let attribute = before.trim_end_matches('=').rsplit(|c: char| c.is_ascii_whitespace()).next();
        let stays = attribute.is_some_and(|attribute| EXACT_ATTRIBUTES.contains(&attribute));
        out.push('"');
        out.push_str(&if stays { Cow::Borrowed(value) } else { marked(value) });
        out.push('"');
        rest = &from[length + 2..];
    }
    // No tag of ours lacks its end.
    out.push_str(&marked(rest));
    (None, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_marked_and_what_is_sent_or_copied_is_not() {
        let of = |html: &str| shown(html.to_owned());
        assert_eq!(
            of("<title>Q3 \u{202e}gnp</title><a href=\"/x\" title=\"a\u{200b}\">b\u{ad}</a>"),
            "<title>Q3 ⟨U+202E⟩gnp</title><a href=\"/x\" title=\"a⟨U+200B⟩\">b⟨U+00AD⟩</a>"
        );
        for exact in [
            "<input name=\"a\" value=\"\u{202e}>\" data-initial=\"\u{1b}\">",
            "<textarea name=\"a\">\n\u{202e}\t\u{b}</textarea>",
            "<code id=\"c\" data-exact>\u{202e}</code>",
            "<span hidden data-exact>a &#60;b \u{feff}</span>",
            "<p>plain · “text” — 李明</p>",
        ] {
            assert_eq!(of(exact), exact);
        }
        assert_eq!(
            of("<textarea>\u{202e}</textarea>\u{202e}<b>\u{3164}"),
            "<textarea>\u{202e}</textarea>⟨U+202E⟩<b>⟨U+3164⟩"
        );
        assert_eq!(of("\u{200b}<b title=\"x"), "⟨U+200B⟩<b title=\"x");
    }
}
