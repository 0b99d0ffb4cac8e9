//! Texts that people type: their limits, and how they are kept, compared and counted.

use super::harmless::is_invisible;
use super::show::thousands;

/// Limit of a long text, in bytes of UTF-8.
pub const LONG_TEXT_BYTES: usize = 65_536;

/// Limit of a one-line text, in bytes of UTF-8.
pub const SHORT_TEXT_BYTES: usize = 500;

/// Longest title, in characters.
pub const TITLE_CHARS: usize = 200;

/// The most tags of one thing.
pub const TAGS: usize = 20;

/// Longest tag, in characters.
pub const TAG_CHARS: usize = 40;

/// Checks a text and gives its canonical form: line ends as `\n`, nothing blank around it. `subject` begins
/// the sentence ("Red notes", plural; "The title", not); with `lines` false it must be one line. Control
/// characters stay as they came, all but the one that the database cannot keep: pages mark what hides.
///
/// # Errors
/// A sentence when it is over `max_bytes`, holds a NUL, or is of several lines where one is asked for.
pub fn check_text(
    subject: &str,
    plural: bool,
    raw: &str,
    max_bytes: usize,
    lines: bool,
) -> Result<String, String> {
    let text = raw.replace("\r\n", "\n").replace('\r', "\n");
    let text = if lines {
        // The first line keeps its indent: in Markdown it may be code.
        text.trim_end().trim_start_matches('\n')
    } else {
        text.trim()
    };
    if text.len() > max_bytes {
        let are = if plural { "are" } else { "is" };
        return Err(format!(
            "{subject} {are} {} bytes; the limit is {}. Shorten the text.",
            thousands(text.len()),
            thousands(max_bytes)
        ));
    }
    let contains = if plural { "contain" } else { "contains" };
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        let place = if lines { format!(" in line {line}") } else { String::new() };
        return Err(format!(
            "{subject} {contains} the character NUL (U+0000){place}, which cannot be stored. Remove it."
        ));
    }
    if !lines && text.contains('\n') {
        return Err(format!("{subject} {contains} a line break. Write one line."));
    }
    Ok(text.to_owned())
}

/// The sentence where a name can be seen by nobody, such as one of zero-width spaces.
pub const INVISIBLE: &str = "Nothing of this name can be seen. Type one with letters or digits.";

/// `Ok` where something of a name can be seen; an empty one is left to who asks.
///
/// # Errors
/// [`INVISIBLE`].
pub fn check_visible(name: &str) -> Result<(), String> {
    if !name.is_empty() && is_invisible(name) { Err(INVISIBLE.to_owned()) } else { Ok(()) }
}

/// A title, one line, of something named by `what`: "report".
///
/// # Errors
/// A sentence when it is empty or too long.
pub fn check_title(what: &str, raw: &str) -> Result<String, String> {
    let title = check_text("The title", false, raw, LONG_TEXT_BYTES, false)?;
    check_visible(&title)?;
    let length = title.chars().count();
    match length {
        0 => Err(format!("Give the {what} a title.")),
        1..=TITLE_CHARS => Ok(title),
        _ => Err(format!("The title is {length} characters; the limit is {TITLE_CHARS}. Shorten it.")),
    }
}

/// Tags as people type them, "Red team, Q4 ": trimmed, lower-cased, each once, in the order given.
///
/// # Errors
/// A sentence when one is too long, there are too many, or one cannot be seen.
pub fn parse_tags(raw: &str) -> Result<Vec<String>, String> {
    let text = check_text("The tags", true, raw, LONG_TEXT_BYTES, false)?;
    let mut tags: Vec<String> = Vec::new();
    for tag in split_tags(&text) {
        check_visible(&tag).map_err(|_| "A tag consists of invisible characters. Remove it.".to_owned())?;
        if tag.chars().count() > TAG_CHARS {
            let start: String = tag.chars().take(20).collect();
            return Err(format!("The tag “{start}…” is longer than {TAG_CHARS} characters. Shorten it."));
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > TAGS {
            return Err(format!("There can be at most {TAGS} tags. Remove some."));
        }
    }
    Ok(tags)
}

pub fn split_tags(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty())
}

/// A part of a text as a pattern of LIKE, in which it stands for itself.
pub fn like(part: &str) -> String {
    format!("%{}%", like_literal(part))
}

/// The text itself as a part of a pattern of LIKE.
pub fn like_literal(part: &str) -> String {
    part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_itself() {
        assert_eq!(like(r"100%_\"), r"%100\%\_\\%");
    }

    #[test]
    fn tags_have_limits() {
        assert_eq!(parse_tags(" , "), Ok(vec![]));
        assert!(parse_tags(&"x".repeat(41)).is_err());
        assert_eq!(parse_tags(&"Ä".repeat(40)), Ok(vec!["ä".repeat(40)]));
        let many = |n: usize| (0..n).map(|i| format!("t{i}")).collect::<Vec<_>>().join(",");
        assert_eq!(parse_tags(&many(20)).map(|tags| tags.len()), Ok(20));
        assert!(parse_tags(&many(21)).is_err());
        assert!(parse_tags("a\u{0}").is_err());
        assert!(parse_tags("a, \u{200b}").is_err());
    }

    #[test]
    fn a_text_is_kept_as_it_came() {
        for text in ["a\u{b}b", "\u{1b}[31mred", "x\u{85}y", "z\u{200b}\u{202e}", "a\tb", "\u{fffe}"] {
            for lines in [true, false] {
                assert_eq!(check_text("It", false, text, 100, lines).as_deref(), Ok(text));
            }
        }
        let nul = check_text("Red notes", true, "one\ntw\0o", 100, true).unwrap_err();
        assert_eq!(
            nul,
            "Red notes contain the character NUL (U+0000) in line 2, which cannot be stored. Remove it."
        );
        assert!(check_text("The title", false, "a\nb", 100, false).is_err());
    }

    #[test]
    fn an_invisible_title_is_no_title() {
        assert_eq!(check_title("report", "\u{200b}\u{3164}"), Err(INVISIBLE.to_owned()));
        assert_eq!(check_title("report", " \u{202e}x "), Ok("\u{202e}x".to_owned()));
    }
}
