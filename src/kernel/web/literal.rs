//! What in a Markdown text is no Markdown: people paste paths, prompts, addresses and commands among prose,
//! whose characters mean themselves. Before a text is parsed, such characters are replaced by stand-ins
//! (noncharacters of Unicode, which no text holds), and afterwards put back. Pure.
//!
//! - A word with a backslash stays as it is, so that a backslash is never an escape.
//! - `_` and `&` mean themselves; emphasis is `*word*`, and `~` strikes out in pairs.
//! - `*` beside a slash, or before a dot and a letter, is a pattern of files.
//! - A line that begins with one `#` and a small letter or a path is a prompt; a heading begins otherwise.
//! - A number that does not count on, or is above 99, begins no list. `[+]:` defines nothing.

use std::collections::BTreeMap;

/// Characters with stand-ins, in the stand-ins' order.
const MEANT: [char; 10] = ['\\', '*', '_', '~', '#', '[', ']', '&', '.', ')'];

const FIRST: u32 = 0xfdd0;

fn stands_for(c: char) -> char {
    let place = MEANT.iter().position(|meant| *meant == c).and_then(|place| u32::try_from(place).ok());
    place.and_then(|place| char::from_u32(FIRST + place)).unwrap_or(c)
}

/// The text with stand-ins for what is no Markdown in it.
pub fn stand_in(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut numbers = Numbers::default();
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - body.len();
        out.push_str(&line[..indent]);
        let literal = if is_prompt(body) || defines(body) { 1 } else { numbers.literal(indent, body) };
        // What begins a line in Markdown is one character, or a number with one behind it.
        let head = body.len().min(literal);
        body[..head].chars().for_each(|c| out.push(stands_for(c)));
        words(&body[head..], &mut out);
    }
    out
}

fn is_prompt(line: &str) -> bool {
    line.strip_prefix("# ")
        .and_then(|command| command.trim_start().chars().next())
        .is_some_and(|c| c.is_lowercase() || matches!(c, '/' | '.' | '~' | '$'))
}

/// `[+]: done` would be taken out of the text as the address of a link.
fn defines(line: &str) -> bool {
    line.starts_with('[') && line.find("]:").is_some_and(|end| !line[..end].contains('\n'))
}

/// The last number of each list that may go on, by its indent.
#[derive(Default)]
struct Numbers {
    last: BTreeMap<usize, u32>,
    after_blank: bool,
}

impl Numbers {
    /// How many bytes of a line are a number that begins no list.
    fn literal(&mut self, indent: usize, line: &str) -> usize {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let ends = line[digits..].starts_with(['.', ')'])
            && line[digits + 1..].chars().next().is_none_or(char::is_whitespace);
        let number = line[..digits].parse::<u32>().ok().filter(|_| ends);
        let after_blank = std::mem::replace(&mut self.after_blank, line.trim().is_empty());
        let Some(number) = number else {
            if after_blank && !line.trim().is_empty() && !line.starts_with(['-', '*', '+']) && indent == 0 {
                self.last.clear();
            }
            return 0;
        };
        self.last.split_off(&(indent + 1));
        let counts_on = match self.last.get(&indent) {
            Some(1) => number <= 2,
            Some(last) => number == last + 1,
            None => number < 100,
        };
        if counts_on {
            self.last.insert(indent, number);
            return 0;
        }
        digits + 1
    }
}

fn words(line: &str, out: &mut String) {
    let mut rest = line;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        one(word, out);
        let blank = after.len() - after.trim_start().len();
        out.push_str(&after[..blank]);
        rest = &after[blank..];
    }
}

fn one(word: &str, out: &mut String) {
    if word.contains('\\') {
        word.chars().for_each(|c| out.push(stands_for(c)));
        return;
    }
    let pattern = is_pattern(word);
    let mut before = None;
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        let alone = before != Some('~') && rest.peek() != Some(&'~');
        out.push(match c {
            '_' | '&' => stands_for(c),
            '*' if pattern => stands_for(c),
            '~' if alone => stands_for(c),
            c => c,
        });
        before = Some(c);
    }
}

fn is_pattern(word: &str) -> bool {
    let dotted = |at: usize| word[at + 2..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*');
    word.contains("/*") || word.contains("*/") || word.match_indices("*.").any(|(at, _)| dotted(at))
}

/// The characters again, in HTML that was made of the text.
pub fn restore(html: String) -> String {
    put_back(html, "&amp;")
}

/// The characters again, in an address of the text that is no HTML yet.
pub fn restore_address(address: String) -> String {
    put_back(address, "&")
}

fn put_back(text: String, ampersand: &str) -> String {
    if !text.contains(|c: char| (FIRST..FIRST + 16).contains(&u32::from(c))) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let place = u32::from(c).checked_sub(FIRST).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| MEANT.get(place)) {
            Some('&') => out.push_str(ampersand),
            Some(meant) => out.push(*meant),
            None => out.push(c),
        }
    }
    out
}
