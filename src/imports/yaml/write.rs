//! Writes YAML whose bytes are the same each time and whose differences are those of the content: keys in the
//! order in which they are given, long texts as literal blocks, a line for each line. What a literal block
//! cannot hold (a carriage return, a character that nobody sees) stands in quotes with escapes, so that a
//! review shows it and a tool that normalises line ends does not lose it.

use crate::kernel::base::harmless::acts;

/// A document while it is written.
#[derive(Default)]
pub struct Writer {
    out: String,
    /// Columns before the next key.
    indent: usize,
    /// The next key begins an element of a list.
    dash: bool,
    /// Whether the document holds no tab at all: some readers refuse any. Else one may stand in a literal
    /// block.
    without_tabs: bool,
}

/// Two columns a level.
const STEP: usize = 2;

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes no tab at all.
    pub fn without_tabs() -> Self {
        Self { without_tabs: true, ..Self::default() }
    }

    pub fn finish(self) -> String {
        self.out
    }

    /// A line as it is, such as a comment.
    pub fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn begin(&mut self) {
        if self.dash {
            self.out.push_str(&" ".repeat(self.indent.saturating_sub(STEP)));
            self.out.push_str("- ");
            self.dash = false;
        } else {
            self.out.push_str(&" ".repeat(self.indent));
        }
    }

    fn key(&mut self, key: &str) {
        self.begin();
        self.out.push_str(key);
        self.out.push(':');
    }

    /// What YAML reads by itself: a number, `true`, `null`, an alias.
    pub fn bare(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push(' ');
        self.out.push_str(value);
        self.out.push('\n');
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.bare(key, if value { "true" } else { "false" });
    }

    /// A short text on the line of its key.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.out.push(' ');
        let short = one_line(text);
        match short {
            Some(scalar) => self.out.push_str(&scalar),
            None => self.quoted(text, self.indent + STEP),
        }
        self.out.push('\n');
    }

    pub fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.bare(key, "null"),
        }
    }

    /// A long text: as a literal block where that holds it byte for byte.
    pub fn block(&mut self, key: &str, text: &str) {
        if text.is_empty() || !is_literal(text, !self.without_tabs) {
            return self.text(key, text);
        }
        self.key(key);
        let body = text.trim_end_matches('\n');
        let chomping = match text.len() - body.len() {
            0 => "-",
            1 => "",
            _ => "+",
        };
        // The first line would be taken for the measure of the others.
        let indicator = if body.starts_with([' ', '\t', '\n']) { "2" } else { "" };
        self.out.push_str(" |");
        self.out.push_str(indicator);
        self.out.push_str(chomping);
        self.out.push('\n');
        let margin = " ".repeat(self.indent + STEP);
        let lines = text.strip_suffix('\n').unwrap_or(text);
        for line in lines.split('\n') {
            if !line.is_empty() {
                self.out.push_str(&margin);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    /// A list of short texts.
    pub fn texts<'t>(&mut self, key: &str, texts: impl IntoIterator<Item = &'t str>) {
        self.key(key);
        let mut any = false;
        let margin = " ".repeat(self.indent + STEP);
        for text in texts {
            if !any {
                self.out.push('\n');
            }
            any = true;
            self.out.push_str(&margin);
            self.out.push_str("- ");
            match one_line(text) {
                Some(scalar) => self.out.push_str(&scalar),
                None => self.quoted(text, self.indent + 2 * STEP),
            }
            self.out.push('\n');
        }
        if !any {
            self.out.push_str(" []\n");
        }
    }

    /// A list of maps; `each` writes the keys of one.
    pub fn list<T>(&mut self, key: &str, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.key(key);
        if items.is_empty() {
            self.out.push_str(" []\n");
            return;
        }
        self.out.push('\n');
        self.indent += 2 * STEP;
        for item in items {
            self.dash = true;
            each(self, item);
            self.dash = false;
        }
        self.indent -= 2 * STEP;
    }

    /// A map; `label` stands behind the colon, such as an anchor.
    pub fn map(&mut self, key: &str, label: &str, inside: impl FnOnce(&mut Self)) {
        self.key(key);
        self.out.push_str(label);
        self.out.push('\n');
        self.indent += STEP;
        inside(self);
        self.indent -= STEP;
    }

    /// In quotes, a line for each line of the text.
    fn quoted(&mut self, text: &str, margin: usize) {
        self.out.push('"');
        let mut rest = text.chars().peekable();
        let mut begins = false;
        while let Some(c) = rest.next() {
            if begins && c == ' ' {
                self.out.push_str("\\ ");
                begins = false;
                continue;
            }
            begins = false;
            match c {
                '\\' => self.out.push_str("\\\\"),
                '"' => self.out.push_str("\\\""),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                '\n' => {
                    self.out.push_str("\\n");
                    if rest.peek().is_some() {
                        self.out.push_str("\\\n");
                        self.out.push_str(&" ".repeat(margin));
                        begins = true;
                    }
                }
                c if is_shown(c) => self.out.push(c),
                c if u32::from(c) <= 0xffff => self.out.push_str(&format!("\\u{:04X}", u32::from(c))),
                c => self.out.push_str(&format!("\\U{:08X}", u32::from(c))),
            }
        }
        self.out.push('"');
    }
}

/// Whether a character may stand in a file as itself: YAML prints it, and a reader sees it.
fn is_shown(c: char) -> bool {
    !acts(c) && !matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}')
}

/// A text as one line, without quotes where nobody would take it for anything else; none when it holds
/// something to be escaped.
fn one_line(text: &str) -> Option<String> {
    if is_plain(text) {
        return Some(text.to_owned());
    }
    if text.is_empty() || !text.chars().all(is_shown) {
        return None;
    }
    if text.contains(['"', '\\']) {
        return Some(format!("'{}'", text.replace('\'', "''")));
    }
    Some(format!("\"{text}\""))
}

/// What every reader of YAML, of whatever age, takes for this text.
fn is_plain(text: &str) -> bool {
    let word = text.to_lowercase();
    let is_other = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(&word.as_str());
    text.starts_with(|c: char| c.is_alphabetic())
        && !text.ends_with(' ')
        && !is_other
        && text.chars().all(|c| is_shown(c) && (c.is_alphanumeric() || " _./()@+-".contains(c)))
}

/// Whether a literal block holds the text byte for byte with every reader.
fn is_literal(text: &str, tabs: bool) -> bool {
    let lines = || text.strip_suffix('\n').unwrap_or(text).split('\n');
    let is_blank = |line: &str| !line.is_empty() && line.trim_matches([' ', '\t']).is_empty();
    text.chars().all(|c| c == '\n' || (c == '\t' && tabs) || is_shown(c))
        && text.chars().any(|c| !c.is_whitespace())
        // Readers disagree on lines of blanks before and behind the content.
        && lines().find(|line| !line.is_empty()).is_none_or(|line| !is_blank(line))
        && lines().next_back().is_none_or(|line| !is_blank(line))
        && text.trim_end_matches('\n').split('\n').next_back().is_none_or(|line| !is_blank(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::{Value, no_tag, parse};
    use super::*;

    fn written(texts: &[String], tabs: bool) -> String {
        let mut writer = if tabs { Writer::new() } else { Writer::without_tabs() };
        writer.list("list", texts, |writer, text| {
            writer.block("block", text);
            writer.text("text", text);
            writer.texts("texts", [text.as_str(), "x"]);
            writer.map("map", "", |writer| writer.block("deep", text));
        });
        writer.bare("end", "1");
        writer.finish()
    }

    fn check(texts: &[String], tabs: bool) {
        let yaml = written(texts, tabs);
        let root = parse("f.yaml", yaml.as_bytes(), no_tag).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let map = root.as_map().unwrap();
        let Value::List(list) = &map[0].1.value else { panic!("a list") };
        for (text, node) in texts.iter().zip(list) {
            let fields = node.as_map().unwrap();
            let text = Some(text.as_str());
            assert_eq!(fields[0].1.as_text(), text, "{yaml}");
            assert_eq!(fields[1].1.as_text(), text, "{yaml}");
            assert_eq!(fields[2].1.as_list().unwrap()[0].as_text(), text, "{yaml}");
            assert_eq!(fields[3].1.as_map().unwrap()[0].1.as_text(), text, "{yaml}");
        }
        assert_eq!(map[1].0, "end");
    }

    #[test]
    fn long_texts_are_blocks_and_the_rest_is_escaped_line_by_line() {
        let mut writer = Writer::new();
        writer.block("command", "a: \"b\"\n\n  c\t# d\n");
        writer.block("last", "two\nlines");
        writer.block("more", "x\n\n");
        writer.block("windows", "dir\r\n  x\r\n");
        writer.block("turned", "a\u{202e}b");
        writer.text("name", "Überprüfung (1)");
        writer.text("number", "12");
        writer.text("word", "No");
        writer.text("path", r#"C:\x "y" 'z'"#);
        writer.texts("none", []);
        assert_eq!(
            writer.finish(),
            "command: |\n  a: \"b\"\n\n    c\t# d\nlast: |-\n  two\n  lines\nmore: |+\n  x\n\n\
            windows: \"dir\\r\\n\\\n  \\  x\\r\\n\"\nturned: \"a\\u202Eb\"\nname: Überprüfung (1)\n\
            number: \"12\"\nword: \"No\"\npath: 'C:\\x \"y\" ''z'''\nnone: []\n"
        );
    }

    #[test]
    fn awkward_texts_are_read_as_they_were_written() {
        let texts: Vec<String> = [
            "",
            " ",
            "\n",
            "\n\n",
            "\t",
            " a",
            "\ta",
            "a ",
            "a\n ",
            " \na",
            "\n a\n",
            "\n\na",
            "a\n\n\n",
            "a\n  \nb",
            "a\r",
            "\r\n",
            "a\r\nb\r\n",
            "---",
            "--- a\n...\n",
            "- a\n- b",
            "# a",
            "a # b",
            "a: b",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'",
            "\"",
            "\\",
            "a'b\"c\\",
            "null",
            "~",
            "0x1f",
            "1e3",
            ".inf",
            "2001-01-01",
            "=",
            "<<",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{202e}abc",
            "\u{200d}",
            "👩‍💻",
            "\u{fffe}",
            "a\u{7f}b",
            "[a]",
            "{a}",
            "|",
            ">",
            "a\n\tb\n\t\n",
            "\n\n  a\nb",
            "a\n\u{a0}\n",
        ]
        .map(str::to_owned)
        .to_vec();
        check(&texts, true);
        check(&texts, false);
        assert!(!written(&texts, false).contains('\t'));
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn any_text_is_read_as_it_was_written(
            texts in prop::collection::vec("([a-z #:'\"\\\\\n\r\t\u{202e}é-]|[ \
                \n]{1,4}|[^\u{0}]){0,40}", 1..4)
        ) {
            check(&texts, true);
            check(&texts, false);
        }
    }
}
