//! Texts that people type: their limits, and how they are kept, compared and counted.

/// Limit of a long text, in bytes of UTF-8.
pub const LONG_TEXT_BYTES: usize = 65_536;

/// Limit of a one-line text, in bytes of UTF-8.
pub const SHORT_TEXT_BYTES: usize = 500;

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

pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A part of a text as a pattern of LIKE, in which it stands for itself.
pub fn like(part: &str) -> String {
    format!("%{}%", part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_itself() {
        assert_eq!(like(r"100%_\"), r"%100\%\_\\%");
    }
}
