//! Placeholders in commands: `#{name}`. They are filled for reading and copying; Tyrian never runs a command.

use std::collections::BTreeSet;

/// Longest placeholder name, in bytes.
pub const NAME_BYTES: usize = 100;

/// A part of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A placeholder with its value.
    Filled {
        name: String,
        /// What stands in its place.
        value: String,
    },
    /// A placeholder without a value.
    Missing {
        name: String,
    },
}

pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Splits a command into its text and its placeholders' names.
fn split(command: &str) -> Vec<Result<&str, &str>> {
    let mut parts = Vec::new();
    let (mut text_from, mut at) = (0, 0);
    while let Some(found) = command[at..].find("#{") {
        let open = at + found;
        at = open + 2;
        let name = command[at..].find('}').map(|close| &command[at..at + close]);
        let Some(name) = name.filter(|name| is_name(name)) else {
            continue;
        };
        if text_from < open {
            parts.push(Err(&command[text_from..open]));
        }
        parts.push(Ok(name));
        at += name.len() + 1;
        text_from = at;
    }
    if text_from < command.len() {
        parts.push(Err(&command[text_from..]));
    }
    parts
}

/// The placeholder names of a command, once each, in order.
pub fn names(command: &str) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    split(command).into_iter().filter_map(Result::ok).filter(|name| seen.insert(*name)).collect()
}

/// Fills a command. A value is put in as it is: placeholders inside it are not filled again.
pub fn fill(command: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Vec<Piece> {
    split(command)
        .into_iter()
        .map(|part| match part {
            Err(text) => Piece::Text(text.to_owned()),
            Ok(name) => match resolve(name) {
                Some(value) => Piece::Filled { name: name.to_owned(), value },
                None => Piece::Missing { name: name.to_owned() },
            },
        })
        .collect()
}

/// The exact text that the copy button copies; a missing placeholder stays as it was written.
pub fn exact_text(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Filled { value, .. } => value.clone(),
            Piece::Missing { name } => format!("#{{{name}}}"),
        })
        .collect()
}
