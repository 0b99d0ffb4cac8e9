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
}

impl Content {
    pub fn kind(&self) -> ImportKind {
        match self {
            Self::Attack(_) => ImportKind::Attack,
            Self::Atomics(_) => ImportKind::Atomics,
        }
    }

    /// Objects that were left out.
    pub fn refused(&self) -> &[ImportError] {
        match self {
            Self::Attack(attack) => &attack.refused,
            Self::Atomics(atomics) => &atomics.refused,
        }
    }

    /// What to know of objects that are taken, and of files that were not looked into.
    pub fn warnings(&self) -> Vec<ImportError> {
        match self {
            Self::Attack(attack) => attack.warnings.clone(),
            Self::Atomics(atomics) => {
                let skipped = atomics.skipped.iter();
                let left_out =
                    skipped.map(|skipped| ImportError::file(&skipped.file, skipped.reason.clone()));
                left_out.chain(atomics.warnings.iter().cloned()).collect()
            }
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
        Found::Json(ImportKind::Attack) => Ok(Content::Attack(attack::parse(name, &bytes)?)),
        Found::BundleInZip(entry) => {
            let (inner, bundle) = unpacked(name, &bytes, entry)?;
            Ok(Content::Attack(attack::parse(&inner, &bundle)?))
        }
        Found::Zip => {
            Ok(Content::Atomics(atomics::parse(&archive::Source::Zip { name: name.to_owned(), bytes })?))
        }
        Found::Yaml(ImportKind::Atomics) => {
            Ok(Content::Atomics(atomics::parse(&archive::Source::File { name: name.to_owned(), bytes })?))
        }
        Found::Json(kind) | Found::Yaml(kind) => Err(ImportError::file(
            name,
            format!("it reads like this: {kind}; Tyrian does not read those yet"),
        )
        .into()),
    }
}

fn unknown(name: &str) -> ImportError {
    ImportError::file(
        name,
        "it is nothing that Tyrian reads. It takes the STIX bundle of MITRE ATT&CK (JSON), the tests of \
            Atomic Red Team (a folder as zip, or one technique file)",
    )
}

/// What a file is, as far as its first look tells.
enum Found {
    /// A zip of technique files, or one that its reader refuses.
    Zip,
    /// A zip that holds a bundle and no YAML; the entry's place.
    BundleInZip(usize),
    Json(ImportKind),
    Yaml(ImportKind),
}

fn detect(name: &str, bytes: &[u8]) -> Result<Option<Found>, Faults> {
    if bytes.starts_with(b"PK") {
        return Ok(Some(bundle_in(bytes).map_or(Found::Zip, Found::BundleInZip)));
    }
    let lower = name.to_lowercase();
    if lower.ends_with(".zip") {
        return Err(ImportError::file(name, "it is called a zip and is none").into());
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"{") || text.starts_with(b"[") || lower.ends_with(".json") {
        let keys = top_keys(text);
        let has = |key: &str| keys.iter().any(|known| known == key);
        return Ok(if has("attack_technique") || has("atomic_tests") {
            Some(Found::Yaml(ImportKind::Atomics))
        } else if has("techniques") && has("versions") {
            Some(Found::Json(ImportKind::Layer))
        } else {
            // Also what breaks before its first key: the reader of bundles says where.
            Some(Found::Json(ImportKind::Attack))
        });
    }
    let is_yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
    let at_edge = |key: &str| {
        text.split(|byte| *byte == b'\n').any(|line| {
            let line = line.trim_ascii_end();
            line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
        })
    };
    if at_edge("attack_technique") || at_edge("atomic_tests") {
        return Ok(Some(Found::Yaml(ImportKind::Atomics)));
    }
    if at_edge("testPlan") || at_edge("runbook") || at_edge("methodology") {
        return Ok(Some(Found::Yaml(ImportKind::TestPlan)));
    }
    // What it lacks to be one says more than that it is none.
    Ok(is_yaml.then_some(Found::Yaml(ImportKind::Atomics)))
}

/// The entry with the bundle of a zip that holds one JSON file and no YAML.
fn bundle_in(bytes: &[u8]) -> Option<usize> {
    if archive::has_too_many_entries(bytes) {
        return None;
    }
    let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut json = None;
    for at in 0..archive.len() {
        let name = archive.name_for_index(at)?.ok()?.to_lowercase();
        let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
        if file.starts_with('.') || name.contains("__macosx/") {
            continue;
        }
        if file.ends_with(".yaml") || file.ends_with(".yml") {
            return None;
        }
        if file.ends_with(".json") && json.replace(at).is_some() {
            return None;
        }
    }
    json
}

/// An entry's name and content, under the limits of every import.
fn unpacked(name: &str, bytes: &[u8], entry: usize) -> Result<(String, Vec<u8>), ImportError> {
    let unreadable = |error: zip::result::ZipError| {
        ImportError::file(name, format!("it is not a zip that can be read ({error})"))
    };
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
