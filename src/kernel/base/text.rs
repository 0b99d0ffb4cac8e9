//! Texts that people type: their limits, and how they are kept, compared and counted.

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
/// the sentence ("Red notes", plural; "The title", not); with `lines` false it must be one line.
///
/// # Errors
/// A sentence when it is over `max_bytes` or holds a control character.
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
    match text.chars().find(|c| c.is_control() && !(lines && matches!(c, '\n' | '\t'))) {
        None => Ok(text.to_owned()),
        Some('\n') => Err(format!("{subject} {contains} a line break. Write one line.")),
        Some(c) => {
            Err(format!("{subject} {contains} a control character (U+{:04X}). Remove it.", u32::from(c)))
        }
    }
}

/// A title, one line, of something named by `what`: "report".
///
/// # Errors
/// A sentence when it is empty or too long.
pub fn check_title(what: &str, raw: &str) -> Result<String, String> {
    let title = check_text("The title", false, raw, LONG_TEXT_BYTES, false)?;
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
/// A sentence when one is too long, there are too many, or one holds a control character.
pub fn parse_tags(raw: &str) -> Result<Vec<String>, String> {
    let text = check_text("The tags", true, raw, LONG_TEXT_BYTES, false)?;
    let mut tags: Vec<String> = Vec::new();
    for tag in split_tags(&text) {
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
    }
}
