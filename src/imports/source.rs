//! What a file is, by its name and its content, and reading it with the reader of its kind: the one way in,
//! for the command line and for what is uploaded. Nothing here touches the database.

use std::fmt;
use std::io::{Cursor, Read};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use zip::ZipArchive;

use super::archive::{self, FILE_MAX};
use super::atomics::{self, Atomics};
use super::attack::{self, Attack};
use super::domain::{Faults, ImportError};
use super::layer::{self, ImportedLayer};
use super::plextrac::{self, store::ReadPlan};
use super::repository::{self, ReadArchive};

crate::text_enum! {
    /// What an import brings.
    pub enum ImportKind {
        Attack => "attack", "MITRE ATT&CK";
        Atomics => "atomics", "Atomic Red Team tests";
        TestPlan => "test_plan", "Test plan";
        Layer => "layer", "ATT&CK Navigator layer";
        Archive => "archive", "Repository archive";
    }
}

/// A source that was read and checked; nothing of it is compared with the library yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Attack(Attack),
    Atomics(Atomics),
    /// A test plan of PlexTrac.
    Plan(ReadPlan),
    Layer(ImportedLayer),
    Archive(Box<ReadArchive>),
}

impl Content {
    pub fn kind(&self) -> ImportKind {
        match self {
            Self::Attack(_) => ImportKind::Attack,
            Self::Atomics(_) => ImportKind::Atomics,
            Self::Plan(_) => ImportKind::TestPlan,
            Self::Layer(_) => ImportKind::Layer,
            Self::Archive(_) => ImportKind::Archive,
        }
    }
}

/// Reads a file of any kind that is known.
///
/// # Errors
/// What it is not, or everything that is wrong with it and where.
pub fn read(name: &str, bytes: Vec<u8>) -> Result<Content, Faults> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(archive::too_large(name, FILE_MAX).into());
    }
    if bytes.is_empty() {
        return Err(ImportError::file(name, "it is empty").into());
    }
    let Some(found) = detect(name, &bytes)? else { return Err(unknown(name).into()) };
    match found {
        Found::Text(kind) => read_text(name, bytes, kind),
        Found::Zip => {
            Ok(Content::Atomics(atomics::parse(&archive::Source::Zip { name: name.to_owned(), bytes })?))
        }
        Found::ArchiveInZip => read_archive(&archive::Source::Zip { name: name.to_owned(), bytes }),
        Found::OneInZip(entry) => {
            let (inner, text) = unpacked(name, &bytes, entry)?;
            match detect(&inner, &text)? {
                Some(Found::Text(kind)) if kind != ImportKind::Atomics => read_text(&inner, text, kind),
                // Where it lies in the zip says more of a technique file.
                _ => Ok(Content::Atomics(atomics::parse(&archive::Source::Zip {
                    name: name.to_owned(),
                    bytes,
                })?)),
            }
        }
    }
}

/// Reads what is no zip.
fn read_text(name: &str, bytes: Vec<u8>, kind: ImportKind) -> Result<Content, Faults> {
    match kind {
        ImportKind::Attack => Ok(Content::Attack(attack::parse(name, &bytes)?)),
        ImportKind::Layer => Ok(Content::Layer(layer::read(name, &bytes)?)),
        ImportKind::TestPlan => read_plan(name, &bytes),
        ImportKind::Atomics => {
            Ok(Content::Atomics(atomics::parse(&archive::Source::File { name: name.to_owned(), bytes })?))
        }
        ImportKind::Archive => Err(ImportError::file(
            name,
            "it is one file of a repository archive; upload the folder that it lies in, as a zip",
        )
        .into()),
    }
}

/// Reads a test plan of PlexTrac.
///
/// # Errors
/// Everything that is wrong with it and where.
pub fn read_plan(name: &str, bytes: &[u8]) -> Result<Content, Faults> {
    let read = plextrac::read(name, bytes)?;
    let (plan, more) = plextrac::convert::imported(name, &read.file);
    let warnings = [read.warnings, more].concat();
    Ok(Content::Plan(ReadPlan { file_name: name.to_owned(), plan, warnings }))
}

/// Reads a repository archive.
///
/// # Errors
/// Everything that is wrong with it and where.
pub fn read_archive(source: &archive::Source) -> Result<Content, Faults> {
    Ok(Content::Archive(Box::new(repository::read(source)?)))
}

fn unknown(name: &str) -> ImportError {
    ImportError::file(
        name,
        "it is nothing that Tyrian reads. It takes the STIX bundle of MITRE ATT&CK (JSON), the tests of \
            Atomic Red Team (a folder as zip, or one technique file), a test plan of PlexTrac (YAML), a \
            layer of the ATT&CK Navigator (JSON) and a repository archive (a folder as zip)",
    )
}

/// What a file is, as far as its first look tells.
enum Found {
    /// A zip of technique files, or one that its reader refuses.
    Zip,
    /// A zip with a `repository.yaml`.
    ArchiveInZip,
    /// A zip that holds one file that could be of any kind; the entry's place.
    OneInZip(usize),
    Text(ImportKind),
}

fn detect(name: &str, bytes: &[u8]) -> Result<Option<Found>, Faults> {
    if bytes.starts_with(b"PK") {
        return Ok(Some(in_zip(bytes).unwrap_or(Found::Zip)));
    }
    let lower = name.to_lowercase();
    if lower.ends_with(".zip") {
        return Err(ImportError::file(name, "it is called a zip and is none").into());
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"{") || text.starts_with(b"[") || lower.ends_with(".json") {
        return Ok(Some(Found::Text(of_json(text))));
    }
    let is_yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
    let at_edge = |key: &str| {
        text.split(|byte| *byte == b'\n').any(|line| {
            let line = line.trim_ascii_end();
            line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
        })
    };
    Ok(if at_edge("attack_technique") || at_edge("atomic_tests") {
        Some(Found::Text(ImportKind::Atomics))
    } else if ["testPlan", "runbook", "methodologies", "methodology"].into_iter().any(at_edge) {
        Some(Found::Text(ImportKind::TestPlan))
    } else if is_yaml && (at_edge("written_from") || at_edge("next_number")) {
        Some(Found::Text(ImportKind::Archive))
    } else {
        // What it lacks to be a technique file says more than that it is none.
        is_yaml.then_some(Found::Text(ImportKind::Atomics))
    })
}

fn of_json(text: &[u8]) -> ImportKind {
    // The Navigator also saves several layers as one list.
    let is_list = text.starts_with(b"[");
    let keys = top_keys(text.strip_prefix(b"[").unwrap_or(text));
    let has = |key: &str| keys.iter().any(|known| known == key);
    if has("attack_technique") || has("atomic_tests") {
        ImportKind::Atomics
    } else if has("testPlan") || has("runbook") {
        ImportKind::TestPlan
    } else if has("techniques") && (has("versions") || has("domain")) || is_list && has("domain") {
        ImportKind::Layer
    } else {
        // Also what breaks before its first key: the reader of bundles says where.
        ImportKind::Attack
    }
}

/// What a zip holds, by the names of its entries; none where technique files are to be looked for.
fn in_zip(bytes: &[u8]) -> Option<Found> {
    if archive::has_too_many_entries(bytes) {
        return None;
    }
    let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let (mut yaml, mut json) = (Vec::new(), Vec::new());
    for at in 0..archive.len() {
        let name = archive.name_for_index(at)?.ok()?.to_lowercase();
        let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
        if file.starts_with('.') || name.contains("__macosx/") {
            continue;
        }
        if file == "repository.yaml" {
            return Some(Found::ArchiveInZip);
        }
        if file.ends_with(".yaml") || file.ends_with(".yml") {
            yaml.push(at);
        }
        if file.ends_with(".json") {
            json.push(at);
        }
    }
    match (&yaml[..], &json[..]) {
        ([one], []) | ([], [one]) => Some(Found::OneInZip(*one)),
        _ => None,
    }
}

/// An entry's name and content, under the limits of every import.
fn unpacked(name: &str, bytes: &[u8], entry: usize) -> Result<(String, Vec<u8>), ImportError> {
    let unreadable = |_| ImportError::file(name, archive::NO_ZIP);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    let entry = archive.by_index(entry).map_err(unreadable)?;
    let inner = archive::safe_name(name, entry.name_raw())?;
    let compressed = entry.compressed_size();
    let mut content = Vec::new();
    entry
        .take(FILE_MAX + 1)
        .read_to_end(&mut content)
        .map_err(|error| ImportError::file(name, format!("it cannot be unpacked ({error})")))?;
    if content.len() as u64 > FILE_MAX {
        return Err(archive::too_large(&inner, FILE_MAX));
    }
    if archive::is_bomb(content.len() as u64, compressed) {
        return Err(archive::bomb(name, &inner));
    }
    Ok((inner, content))
}

/// The keys of a JSON object, up to its first fault. Values are skipped without being kept, however deep.
fn top_keys(text: &[u8]) -> Vec<String> {
    struct Keys<'k>(&'k mut Vec<String>);
    impl<'de> Visitor<'de> for Keys<'_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if self.0.len() < 64 {
                    self.0.push(key);
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let mut keys = Vec::new();
    let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Keys(&mut keys));
    keys
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::zip_of;
    use super::*;

    const TESTS: &str =
        "attack_technique: T1105\natomic_tests:\n- name: One\n  executor: {name: sh, command: id}\n";
    const BUNDLE: &str = r#"{"type":"bundle","objects":[{"type":"attack-pattern","id":"attack-pattern--1",
        "name":"One","external_references":[{"source_name":"mitre-attack","external_id":"T1001"}]}]}"#;

    fn kind(name: &str, bytes: &[u8]) -> Result<ImportKind, String> {
        read(name, bytes.to_vec()).map(|content| content.kind()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_file_is_known_by_what_it_holds_whatever_it_is_called() {
        let windows = zip_of(&[("atomics\\T1105\\T1105.yml", TESTS.as_bytes())]);
        let zipped = zip_of(&[("enterprise-attack-18.1.json", BUNDLE.as_bytes()), ("LICENSE.txt", b"x")]);
        for (name, bytes, expected) in [
            ("T1105.yaml", TESTS.as_bytes(), ImportKind::Atomics),
            ("t1105.YML", TESTS.as_bytes(), ImportKind::Atomics),
            ("notes.txt", TESTS.as_bytes(), ImportKind::Atomics),
            ("tests.zip", &windows, ImportKind::Atomics),
            ("download", &windows, ImportKind::Atomics),
            ("enterprise-attack-18.1.json", BUNDLE.as_bytes(), ImportKind::Attack),
            ("bundle.zip", &zipped, ImportKind::Attack),
        ] {
            assert_eq!(kind(name, bytes), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_is_none_of_them_is_told_so() {
        for (name, bytes, sentence) in [
            ("photo.png", &b"\x89PNG"[..], "photo.png: it is nothing that Tyrian reads."),
            ("tests.zip", b"not one", "tests.zip: it is called a zip and is none."),
            ("a.yaml", b"a: 1\n", "a.yaml: it is no technique file"),
            ("a.json", b"", "a.json: it is empty."),
            ("a.json", b"[1]", "a.json, line 1: "),
        ] {
            let said = kind(name, bytes).unwrap_err();
            assert!(said.starts_with(sentence.trim_end_matches('.')), "{said}");
        }
    }
}
