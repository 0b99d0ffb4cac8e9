//! What of a worked procedure is the client's: values that inputs had, names, addresses, people. Pure.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::library::domain::ProcedureBody;
use crate::library::placeholders::{Piece, fill};

/// Shorter values and names would be found in every other word.
const SHORTEST: usize = 3;

/// A name of the client's, and what it is the name of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub term: String,
    /// "an asset", "a person"
    pub what: String,
}

/// The names with what people shorten them to: the first words of a client's, the words of a person's.
pub fn with_short_forms(names: Vec<Name>) -> Vec<Name> {
    let mut all = names.clone();
    for Name { term, what } in names {
        let words: Vec<&str> = term.split_whitespace().collect();
        let short: Vec<String> = match what.as_str() {
            "the client" if words.len() > 1 => {
                (1..words.len()).map(|count| words[..count].join(" ")).collect()
            }
            "a person" if words.len() > 1 => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => Vec::new(),
        };
        let long_enough = short.into_iter().filter(|term| term.chars().count() > SHORTEST);
        all.extend(long_enough.map(|term| Name { term, what: what.clone() }));
    }
    // Where one stands in another, the whole is what is found.
    all.sort_by_key(|name| std::cmp::Reverse(name.term.len()));
    all
}

/// A name that a text holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub term: String,
    pub what: String,
    /// The texts that hold it, each once.
    pub places: Vec<String>,
}

/// Every text of a body by what people call it, each through `change`.
fn texts(body: &ProcedureBody, mut change: impl FnMut(&str, &str) -> String) -> ProcedureBody {
    let mut body = body.clone();
    let mut all = |place: &str, text: &mut String| *text = change(place, text);
    all("name", &mut body.name);
    all("description", &mut body.description);
    all("recommendation", &mut body.recommendation);
    all("expected from blue", &mut body.expected.sentence);
    body.tags.iter_mut().for_each(|tag| all("tags", tag));
    for reference in &mut body.references {
        all("references", &mut reference.title);
        all("references", &mut reference.address);
    }
    for (n, step) in (1..).zip(&mut body.steps) {
        all(&format!("text of step {n}"), &mut step.description);
        let others = [
            ("success", &mut step.success_criteria),
            ("command", &mut step.command),
            ("check", &mut step.check_command),
        ];
        for (place, text) in others {
            if let Some(text) = text {
                all(&format!("{place} of step {n}"), text);
            }
        }
    }
    for input in &mut body.inputs {
        let place = format!("input {}", input.name);
        all(&place, &mut input.description);
        if let Some(default) = &mut input.default {
            all(&place, default);
        }
    }
    body
}

/// Whether a name stands at a place by itself and not in the midst of a word.
fn stands_alone(text: &str, at: usize, length: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    !before.is_some_and(joins) && !after.is_some_and(joins)
}

/// Puts `by` in the place of `term` wherever that stands by itself outside of placeholders.
fn replaced(text: &str, term: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in fill(text, &|_| None) {
        let piece = match piece {
            Piece::Missing { name } | Piece::Filled { name, .. } => {
                out.push_str(&format!("#{{{name}}}"));
                continue;
            }
            Piece::Text(text) => text,
        };
        let mut rest = 0;
        for at in positions(&piece, term) {
            if at < rest {
                continue;
            }
            out.push_str(&piece[rest..at]);
            out.push_str(by);
            rest = at + term.len();
        }
        out.push_str(&piece[rest..]);
    }
    out
}

/// Where a name stands by itself, whatever the case of its ASCII letters.
fn positions(text: &str, term: &str) -> Vec<usize> {
    let (text_low, term_low) = (text.to_ascii_lowercase(), term.to_ascii_lowercase());
    text_low
        .match_indices(&term_low)
        .map(|(at, _)| at)
        .filter(|at| stands_alone(text, *at, term.len()))
        .collect()
}

/// A body in which the values that inputs had became their names again.
pub fn generalised(body: &ProcedureBody, values: &[(String, String)]) -> ProcedureBody {
    let mut values: Vec<&(String, String)> =
        values.iter().filter(|(_, value)| value.trim().chars().count() >= SHORTEST).collect();
    // A value may hold another.
    values.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), name.clone()));
    values.dedup_by(|a, b| a.1 == b.1);
    texts(body, |place, text| {
        // What an input is called when nobody fills it in stays; a name and a tag have no placeholders.
        if matches!(place, "name" | "tags") || place.starts_with("input ") {
            return text.to_owned();
        }
        values.iter().fold(text.to_owned(), |text, (name, value)| {
            replaced(&text, value.trim(), &format!("#{{{name}}}"))
        })
    })
}

/// What of a client's a body holds: its names, and whatever reads like an address or an account. What `known`
/// holds too, the body that it came from, is no client's.
pub fn found(body: &ProcedureBody, names: &[Name], known: Option<&ProcedureBody>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut note = |term: &str, what: &str, place: &str| match all
        .iter_mut()
        .find(|one| one.term.eq_ignore_ascii_case(term))
    {
        Some(one) if !one.places.iter().any(|known| known == place) => one.places.push(place.to_owned()),
        Some(_) => {}
        None => {
            all.push(Found { term: term.to_owned(), what: what.to_owned(), places: vec![place.to_owned()] })
        }
    };
    texts(body, |place, text| {
        let mut left = text.to_owned();
        for name in names.iter().filter(|name| name.term.trim().chars().count() >= SHORTEST) {
            let term = name.term.trim();
            let places = positions(&left, term);
            if !places.is_empty() {
                note(term, &name.what, place);
            }
            for at in places {
                left.replace_range(at..at + term.len(), &" ".repeat(term.len()));
            }
        }
        for (term, what) in looks(text) {
            note(&term, what, place);
        }
        text.to_owned()
    });
    let before: HashSet<String> = known.map(|known| words_of(known, &all)).unwrap_or_default();
    all.retain(|one| !before.contains(&one.term.to_lowercase()));
    all
}

/// Those of the found terms that another body holds.
fn words_of(body: &ProcedureBody, all: &[Found]) -> HashSet<String> {
    let mut held = HashSet::new();
    texts(body, |_, text| {
        for one in all {
            if !positions(text, &one.term).is_empty() {
                held.insert(one.term.to_lowercase());
            }
        }
        text.to_owned()
    });
    held
}

/// What reads like an address, a host or an account.
fn looks(text: &str) -> Vec<(String, &'static str)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '@' | '\\' | '$');
    let mut seen = Vec::new();
    for word in text.split(|c: char| !is_part(c)) {
        let word = word.trim_matches(['.', ':', '-']);
        if word.len() < SHORTEST {
            continue;
        }
        let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
        let address = word.parse::<IpAddr>().or_else(|_| host.parse::<IpAddr>());
        if let Ok(address) = address {
            if !address.is_loopback() && !address.is_unspecified() {
                seen.push((address.to_string(), "an address"));
            }
        } else if let Some((before, domain)) = word.split_once('@') {
            // As in "/user:svc@corp.example".
            let user = before.rsplit(':').next().unwrap_or_default();
            if !user.is_empty() && domain.contains('.') {
                seen.push((format!("{user}@{domain}"), "an e-mail address or account"));
            }
        } else if let Some(rest) = word.strip_prefix("\\\\") {
            let host = rest.split('\\').next().unwrap_or_default();
            if host.len() >= SHORTEST {
                seen.push((host.to_owned(), "a host"));
            }
        }
    }
    seen
}

/// A body with other words in the place of what was found.
pub fn with_replaced(body: &ProcedureBody, replacements: &[(String, String)]) -> ProcedureBody {
    texts(body, |_, text| {
        replacements.iter().fold(text.to_owned(), |text, (term, by)| replaced(&text, term, by))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::domain::{Input, Step};

    fn body(command: &str) -> ProcedureBody {
        ProcedureBody {
            name: "Copy the dump".to_owned(),
            description: "Copies it from HL-FS-01.".to_owned(),
            steps: vec![Step { id: "s".to_owned(), command: Some(command.to_owned()), ..Step::default() }],
            inputs: vec![Input {
                name: "host".to_owned(),
                kind: "string".to_owned(),
                default: Some("server".to_owned()),
                ..Input::default()
            }],
            ..ProcedureBody::default()
        }
    }

    fn command(body: &ProcedureBody) -> &str {
        body.steps[0].command.as_deref().unwrap_or_default()
    }

    #[test]
    fn values_become_the_names_of_their_inputs_again() {
        let values = [
            ("host".to_owned(), "HL-FS-01".to_owned()),
            ("share".to_owned(), "HL-FS-01.corp.example".to_owned()),
            ("port".to_owned(), "80".to_owned()),
        ];
        let made =
            generalised(&body("copy \\\\hl-fs-01\\c$ #{host} HL-FS-01.corp.example 80 XHL-FS-01"), &values);
        assert_eq!(command(&made), "copy \\\\#{host}\\c$ #{host} #{share} 80 XHL-FS-01");
        assert_eq!(made.description, "Copies it from #{host}.");
        assert_eq!(made.inputs[0].default.as_deref(), Some("server"), "the library's own default stays");
    }

    #[test]
    fn what_is_the_clients_is_found_with_its_places() {
        let names = [
            Name { term: "Harbour Line".to_owned(), what: "the client".to_owned() },
            Name { term: "HL-FS-01".to_owned(), what: "an asset".to_owned() },
        ];
        let text =
            "ping 10.1.2.3:443; net use \\\\fs07\\c$ /user:svc@corp.example # harbour line 127.0.0.1 1.2.3";
        let all = found(&body(text), &names, None);
        let told: Vec<(&str, &str)> = all.iter().map(|one| (one.term.as_str(), one.what.as_str())).collect();
        assert_eq!(
            told,
            [
                ("HL-FS-01", "an asset"),
                ("Harbour Line", "the client"),
                ("10.1.2.3", "an address"),
                ("fs07", "a host"),
                ("svc@corp.example", "an e-mail address or account"),
            ]
        );
        assert_eq!(all[0].places, ["description"]);
        assert_eq!(all[2].places, ["command of step 1"]);
        // What its origin says already is no client's.
        let origin = body("ping 10.1.2.3");
        assert!(found(&body(text), &[], Some(&origin)).iter().all(|one| one.term != "10.1.2.3"));
    }

    #[test]
    fn short_forms_of_a_name_are_found_and_the_whole_before_its_parts() {
        let name = |term: &str, what: &str| Name { term: term.to_owned(), what: what.to_owned() };
        let names = with_short_forms(vec![
            name("Harbour Lights Ferries", "the client"),
            name("Tor Vale", "a person"),
        ]);
        let told = |text: &str| -> Vec<String> {
            found(&body(text), &names, None).into_iter().map(|one| one.term).collect()
        };
        assert_eq!(told("at Harbour Lights, asked Vale"), ["Harbour Lights", "Vale"]);
        assert_eq!(told("at Harbour Lights Ferries, by Tor Vale"), ["Harbour Lights Ferries", "Tor Vale"]);
    }

    #[test]
    fn other_words_stand_in_its_place() {
        let made = with_replaced(&body("ping fs07 #{fs07}"), &[("fs07".to_owned(), "#{host}".to_owned())]);
        assert_eq!(command(&made), "ping #{host} #{fs07}");
    }
}
