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

/// The text with each such character made visible: ␛ for an escape, ⟨U+202E⟩ for an override.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            // The control pictures stand in the order of the controls.
            '\0'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => shown.push('␡'),
            c if acts(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
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
    fn orders_become_pictures() {
        assert_eq!(harmless("a\u{1b}[2J\nb"), "a␛[2J␊b");
        assert_eq!(harmless("safe\u{202e}exe"), "safe⟨U+202E⟩exe");
        assert_eq!(harmless("Ünïcode ✓"), "Ünïcode ✓");
        assert_eq!(harmless_json("{\"a\": \"x\u{202e}y\u{e0001}\"}"), "{\"a\": \"x\\u202ey\\udb40\\udc01\"}");
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn nothing_acts_afterwards(text in ".*") {
            prop_assert!(!harmless(&text).chars().any(acts));
            let json = serde_json::to_string(&text).unwrap();
            let safe = harmless_json(&json);
            prop_assert!(!safe.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
            prop_assert_eq!(harmless_json(&safe), safe.as_ref());
        }
    }
}
