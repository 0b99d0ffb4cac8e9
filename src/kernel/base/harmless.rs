//! Recorded text made harmless: whatever it holds, it is shown and exported as characters that do nothing.

use std::borrow::Cow;

/// Whether a character moves, hides or turns text instead of showing something: controls, and the marks of
/// writing direction and of no width (Unicode's bidirectional and default-ignorable formats, as in "Trojan
/// Source").
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether a reader would not see this character, or would see something else because of it, where it stands
/// between these two. Joiners and variation selectors belong to the writing of Persian, of India's languages
/// and of emoji: there they are letters like others. Line breaks and tabs are left to who asks.
pub fn hides(before: Option<char>, c: char, after: Option<char>) -> bool {
    match c {
        '\n' | '\t' | '\r' => false,
        '\u{200c}' | '\u{200d}' => !(before.is_some_and(joins) && after.is_some_and(joins)),
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            !(before.is_some_and(|c| c >= '\u{a9}' && !hides(None, c, None)) || after == Some('\u{20e3}'))
        }
        c => acts(c) || is_blank(c) || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'),
    }
}

/// Letters of scripts that use joiners, and emoji.
fn joins(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{2190}'..='\u{2bff}'
            | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fe0f}' | '\u{fe70}'..='\u{fefc}'
            | '\u{1f000}'..='\u{1faff}'
    ) && !acts(c)
}

/// Characters that fonts draw as nothing, or as a blank that is no blank to a computer.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{ffa0}' | '\u{e0080}'..='\u{e0fff}'
    )
}

/// Whether nothing of the text can be seen: an invisible name is no name.
pub fn is_invisible(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || hides(None, c, None) || matches!(c, '\u{fe00}'..='\u{fe0f}'))
}

/// Whether the text holds letters that are written from right to left: beside others it has to stand apart.
pub fn runs_left(text: &str) -> bool {
    text.chars().any(is_left_running)
}

/// Letters of the blocks that Unicode gives to scripts written from right to left.
pub fn is_left_running(c: char) -> bool {
    matches!(
        c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
    )
}

/// How a hidden character is shown, everywhere: ⟨U+202E⟩.
pub fn mark(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

/// The text with each hidden character shown as [`mark`] has it; line breaks and tabs stay.
pub fn marked(text: &str) -> Cow<'_, str> {
    marked_where(text, |byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t' | b'\r'), hides)
}

/// As [`marked`], for one line: a line break or tab is shown as well.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let hidden = |before, c, after| matches!(c, '\n' | '\t' | '\r') || hides(before, c, after);
    marked_where(text, |byte| matches!(byte, b' '..=b'~'), hidden)
}

/// Every page goes through here, and nearly all of it is plain: those bytes, each a character that is never
/// hidden, are passed over without a look at what stands beside them.
fn marked_where(
    text: &str,
    plain: impl Fn(u8) -> bool,
    hidden: impl Fn(Option<char>, char, Option<char>) -> bool,
) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(passed) = find_first_not(&text.as_bytes()[at..], &plain) {
        let (before, rest) = text.split_at(at + passed);
        let mut rest = rest.chars();
        let Some(c) = rest.next() else { break };
        at = before.len() + c.len_utf8();
        if hidden(before.chars().next_back(), c, rest.next()) {
            shown.push_str(&before[kept..]);
            shown.push_str(&mark(c));
            kept = at;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[kept..]);
    Cow::Owned(shown)
}

/// Where the first byte stands that is not plain. A block is looked at as a whole, which processors do with
/// many bytes at once.
fn find_first_not(bytes: &[u8], plain: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 64;
    let is_plain = |block: &[u8]| block.iter().fold(true, |all, &byte| all & plain(byte));
    let start = BLOCK * bytes.chunks(BLOCK).position(|block| !is_plain(block))?;
    bytes[start..].iter().position(|&byte| !plain(byte)).map(|within| start + within)
}

/// JSON as the database writes it, with such characters escaped: it stays the same value, on one line, and no
/// terminal takes it for an order.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(acts) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            let mut units = [0u16; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_hides_is_marked_in_one_way() {
        assert_eq!(harmless("a\u{1b}[2J\nb\tc"), "a⟨U+001B⟩[2J⟨U+000A⟩b⟨U+0009⟩c");
        assert_eq!(marked("a\u{1b}[2J\nb\tc\r\n"), "a⟨U+001B⟩[2J\nb\tc\r\n");
        assert_eq!(harmless("safe\u{202e}exe"), "safe⟨U+202E⟩exe");
        assert_eq!(
            marked("a\u{ad}\u{3164}\u{e0041}\u{2066}\u{85}"),
            "a⟨U+00AD⟩⟨U+3164⟩⟨U+E0041⟩⟨U+2066⟩⟨U+0085⟩"
        );
        assert_eq!(harmless("Ünïcode ✓ 李明 شركة"), "Ünïcode ✓ 李明 شركة");
        let long = "A plain line.\n".repeat(20);
        assert_eq!(marked(&format!("{long}\u{202e}{long}")), format!("{long}⟨U+202E⟩{long}"));
    }

    #[test]
    fn joiners_that_write_words_are_letters() {
        for word in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}💻", "⚠\u{fe0f}", "1\u{fe0f}\u{20e3}"]
        {
            assert_eq!(marked(word), word);
        }
        assert_eq!(marked("ad\u{200d}min\u{fe0f}"), "ad⟨U+200D⟩min⟨U+FE0F⟩");
    }

    #[test]
    fn an_invisible_name_is_none() {
        for name in
            ["", " \u{a0}", "\u{200b}", "\u{3164}", "\u{2800}", "\u{e0041}\u{e007f}", "\u{202e} \u{fe0f}"]
        {
            assert!(is_invisible(name), "{name:?}");
        }
        assert!(!is_invisible("\u{202e}x") && !is_invisible("李"));
    }

    #[test]
    fn json_stays_the_same_value() {
        assert_eq!(harmless_json("{\"a\": \"x\u{202e}y\u{e0001}\"}"), "{\"a\": \"x\\u202ey\\udb40\\udc01\"}");
    }

    fn text() -> impl Strategy<Value = String> {
        ".*([\u{200b}-\u{206f}\u{7f}-\u{a0}\u{3164}\u{feff}]|a){0,6}"
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn passing_over_what_is_plain_passes_over_nothing_else(text in text(), plain in 0_usize..200) {
            let text = format!("{}{text}é{text}", "a".repeat(plain));
            let all: Vec<char> = text.chars().collect();
            let each = all.iter().enumerate().map(|(n, &c)| {
                let before = n.checked_sub(1).map(|before| all[before]);
                if hides(before, c, all.get(n + 1).copied()) { mark(c) } else { c.to_string() }
            });
            prop_assert_eq!(marked(&text), each.collect::<String>());
        }

        #[test]
        fn nothing_acts_afterwards(text in text()) {
            let left = harmless(&text).chars().any(|c| hides(Some('漢'), c, Some('ن')));
            prop_assert!(!left, "{}", harmless(&text));
            let json = serde_json::to_string(&text).unwrap();
            let safe = harmless_json(&json);
            prop_assert!(!safe.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
            prop_assert_eq!(harmless_json(&safe), safe.as_ref());
        }
    }
}
