//! Assets as pasted lines: "name, kind, criticality, address", one asset a line, as they stand in a
//! spreadsheet or in somebody's notes.

use std::collections::BTreeSet;

use crate::clients::domain::{AssetKind, AssetText, Criticality, TypedAsset};
use crate::kernel::base::error::Error;
use crate::kernel::base::text_enum::TextEnum;

/// The most lines that are read at once.
pub const LINES: usize = 500;

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in what was pasted, from 1.
    pub number: usize,
    /// As it was pasted.
    pub raw: String,
    /// The asset, or why it is none.
    pub read: Result<AssetText, String>,
}

/// Reads pasted lines; empty ones are passed over. `taken` holds the lower-cased names that the client has.
pub fn read(pasted: &str, taken: &BTreeSet<String>) -> Vec<Line> {
    let mut taken = taken.clone();
    let mut lines = Vec::new();
    for (place, raw) in pasted.lines().enumerate().filter(|(_, raw)| !raw.trim().is_empty()) {
        let read = if lines.len() < LINES {
            read_line(raw).and_then(|asset| {
                if taken.insert(asset.name.to_lowercase()) {
                    Ok(asset)
                } else {
                    Err("There is an asset of this name already, at the client or in a line above."
                        .to_owned())
                }
            })
        } else {
            Err(format!("At most {LINES} lines are read at once. Paste this one afterwards."))
        };
        lines.push(Line { number: place + 1, raw: raw.to_owned(), read });
    }
    lines
}

fn read_line(raw: &str) -> Result<AssetText, String> {
    let separator = ['\t', ',', ';'].into_iter().find(|sign| raw.contains(*sign)).unwrap_or(',');
    let cells = cells(raw, separator);
    if cells.len() > 4 {
        return Err(format!(
            "This line has {} parts, and an asset has four: name, kind, criticality, address. Put a part \
                that has a comma itself in quotes.",
            cells.len()
        ));
    }
    let cell = |n: usize| cells.get(n).map(String::as_str).unwrap_or_default();
    let typed = TypedAsset {
        name: cell(0).to_owned(),
        kind: word::<AssetKind>(cell(1), AssetKind::General, "kind")?,
        criticality: word::<Criticality>(cell(2), Criticality::Medium, "criticality")?,
        address: cell(3).to_owned(),
        description: String::new(),
        tags: String::new(),
    };
    typed.check().map_err(|error| match error {
        Error::Invalid(errors) => errors.0.into_values().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    })
}

/// The parts of a line; one that is in quotes may hold the separator.
fn cells(raw: &str, separator: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for sign in raw.chars() {
        match sign {
            '"' => quoted = !quoted,
            sign if sign == separator && !quoted => cells.push(String::new()),
            sign => cells.last_mut().into_iter().for_each(|cell| cell.push(sign)),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The stored value of a word that people write in any case, by its label or as it is stored.
fn word<E: TextEnum + 'static>(typed: &str, missing: E, what: &str) -> Result<String, String> {
    if typed.is_empty() {
        return Ok(missing.as_str().to_owned());
    }
    let is_it = |known: &&E| {
        known.label().eq_ignore_ascii_case(typed)
            || known.as_str().eq_ignore_ascii_case(&typed.replace(' ', "_"))
    };
    E::ALL.iter().find(is_it).map(|known| known.as_str().to_owned()).ok_or_else(|| {
        let all: Vec<&str> = E::ALL.iter().map(|known| known.label()).collect();
        format!("“{typed}” is no {what}. Choose one of {}.", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(lines: &[Line]) -> Vec<Option<&str>> {
        lines.iter().map(|line| line.read.as_ref().err().map(String::as_str)).collect()
    }

    #[test]
    fn lines_are_read_as_people_write_them() {
        let lines = read(
            "web01, Server, high, 10.0.0.1\n\n  db01;server;Critical\ncore\tnetwork device\t\t10.0.0.254\n\
                \"Payroll, old\", application\nlonely",
            &BTreeSet::new(),
        );
        assert_eq!(faults(&lines), [None; 5]);
        let read: Vec<AssetText> = lines.iter().map(|line| line.read.clone().unwrap()).collect();
        assert_eq!((read[0].kind, read[0].criticality), (AssetKind::Server, Criticality::High));
        assert_eq!(read[1].criticality, Criticality::Critical);
        assert_eq!((read[2].kind, read[2].address.as_str()), (AssetKind::NetworkDevice, "10.0.0.254"));
        assert_eq!(read[3].name, "Payroll, old");
        assert_eq!((read[4].kind, read[4].criticality), (AssetKind::General, Criticality::Medium));
        assert_eq!(lines[1].number, 3, "as it was pasted");
    }

    #[test]
    fn a_line_that_is_none_says_why() {
        let taken = BTreeSet::from(["web01".to_owned()]);
        let lines = read("WEB01\nweb02, toaster\na, server, high, b, c\nweb03\nWeb03\n, server", &taken);
        let told = faults(&lines);
        assert!(told[0].unwrap().contains("already"));
        assert!(told[1].unwrap().starts_with("“toaster” is no kind. Choose one of Server, "));
        assert!(told[2].unwrap().contains("5 parts"));
        assert_eq!(told[3], None);
        assert!(told[4].unwrap().contains("already"), "twice in one paste");
        assert_eq!(told[5], Some("Give the asset a name."));
        let many = read(&"x\n".repeat(LINES + 1), &BTreeSet::new());
        assert!(many[LINES].read.as_ref().unwrap_err().contains("At most"));
    }
}
