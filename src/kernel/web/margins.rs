//! What stands in the margins of printed pages. Chromium counts pages there, but knows no running texts: the
//! texts are written into a style sheet of the page's own, since elements that are fixed beside the page's
//! area land on its neighbours.

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::kernel::base::harmless::harmless;

/// First strong isolate, and its end.
const ISOLATED: char = '\u{2068}';
const ISOLATION_ENDS: char = '\u{2069}';

/// As much of a text as fits beside another.
const SHOWN: usize = 70;

/// The lines above and below every page but the first, which says them itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Margins {
    /// Above, at its left: what is printed.
    pub title: String,
    /// Beside it: who sends it.
    pub sender: String,
    /// Above, at its right: for whom.
    pub client: String,
    /// Below, at its left: who may read it.
    pub classification: String,
}

impl Margins {
    /// Page numbers and texts in the margin boxes that Chromium knows.
    pub fn sheet(&self) -> String {
        let boxes = [
            ("top-left", format!("{} \" \\0000b7  \" {}", quoted(&self.title), quoted(&self.sender))),
            ("top-right", quoted(&self.client)),
            ("bottom-left", quoted(&self.classification)),
            ("bottom-right", "counter(page) \" of \" counter(pages)".to_owned()),
        ];
        let boxes: String = boxes
            .iter()
            .map(|(place, content)| format!("  @{place} {{ content: {content}; {LOOK} }}\n"))
            .collect();
        let first = "@page :first {\n  @top-left { content: none }\n  @top-right { content: none }\n}\n";
        format!("@page {{\n{boxes}}}\n{first}")
    }

    /// The style sheet as an answer.
    pub fn respond(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/css; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(self.sheet())
    }
}

const LOOK: &str = "font: 8pt \"Inter Variable\", system-ui, sans-serif; color: #555";

/// A text as a CSS string: whatever is no plain letter or digit as its code, so that nothing ends the string.
/// Hidden characters are marked, and a name that runs the other way is isolated, as on every page. A code
/// takes the white space behind it for its end, so each brings a space of its own.
fn quoted(text: &str) -> String {
    let text = harmless(text);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    if !shown.is_ascii() {
        shown = format!("{ISOLATED}{shown}{ISOLATION_ENDS}");
    }
    let mut out = String::from("\"");
    for c in shown.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' => out.push(c),
            other => out.push_str(&format!("\\{:06x} ", u32::from(other))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_string() {
        assert_eq!(quoted("Q3 \"; } * {"), "\"Q3 \\000022 \\00003b  \\00007d  \\00002a  \\00007b \"");
        let marked = "\\0027e8 U\\00002b 000A\\0027e9 ";
        assert_eq!(quoted("a\\\n"), format!("\"\\002068 a\\00005c {marked}\\002069 \""));
        assert_eq!(quoted(""), "\"\"");
        assert!(quoted(&"x".repeat(200)).ends_with("x\\002026 \\002069 \""));
    }

    /// As a browser reads it: six digits and one white space are one character.
    fn read(string: &str) -> String {
        let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        let (mut out, mut rest) = (String::new(), inner);
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                out.push(c);
                continue;
            }
            out.push(char::from_u32(u32::from_str_radix(&rest[..6], 16).unwrap()).unwrap());
            rest = rest[6..].strip_prefix(' ').unwrap_or(&rest[6..]);
        }
        out
    }

    #[test]
    fn no_space_is_lost() {
        assert_eq!(read(&quoted("Ferries: a look, then more")), "Ferries: a look, then more");
        let long = format!("{} the end", "many words ".repeat(9));
        let margins = Margins { title: long, sender: "Tyrian".into(), ..Margins::default() };
        assert!(read(&quoted(&margins.title)).starts_with("\u{2068}many words many"));
        assert!(margins.sheet().contains("\" \\0000b7  \" \"Tyrian\""), "{}", margins.sheet());
        assert_eq!(read("\" \\0000b7  \""), " · ");
    }

    #[test]
    fn nothing_turns_the_line_around() {
        assert!(!quoted("Brk \u{202e}gnp").contains("\\00202e"));
        let name = quoted("شركة");
        assert!(name.starts_with("\"\\002068 ") && name.ends_with("\\002069 \""), "{name}");
    }

    #[test]
    fn every_page_says_what_it_is_and_its_number() {
        let margins = Margins {
            title: "Rehearsal".into(),
            sender: "Lanternworks".into(),
            client: "Harbour".into(),
            classification: "Secret".into(),
        };
        let sheet = margins.sheet();
        for said in [
            "\"Rehearsal\" \" \\0000b7  \" \"Lanternworks\"",
            "\"Harbour\"",
            "\"Secret\"",
            "counter(page) \" of \" counter(pages)",
        ] {
            assert!(sheet.contains(said), "{said} in {sheet}");
        }
    }
}
