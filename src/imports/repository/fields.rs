//! Fields that the files of an archive have in common.

use uuid::Uuid;

use crate::imports::domain::{ID_MAX, is_longer};
use crate::imports::yaml::read::Object;
use crate::library::domain::ContentDigest;

pub(super) fn line_of(object: &Object<'_, '_>, key: &str) -> usize {
    object.find(key).map_or(object.line(), |node| node.line)
}

pub(super) fn short_texts(object: &Object<'_, '_>, key: &str) -> Vec<String> {
    let texts = object.texts(key);
    for (text, line) in &texts {
        if text.is_empty() || is_longer(text, ID_MAX) {
            object.fault(key, *line, format!("a word is empty or has more than {ID_MAX} characters"));
        }
    }
    texts.into_iter().map(|(text, _)| text).collect()
}

pub(super) fn uuid(object: &Object<'_, '_>, key: &str) -> Option<Uuid> {
    let text = object.required_text(key);
    object.find(key)?;
    let read = text.parse().ok();
    if read.is_none() {
        object.fault(key, line_of(object, key), format!("{text} is no UUID"));
    }
    read
}

pub(super) fn digest(object: &Object<'_, '_>, key: &str) -> Option<ContentDigest> {
    let text = object.text(key)?;
    let bytes: Option<Vec<u8>> = (text.len() == 64 && text.is_ascii())
        .then(|| (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()).collect())
        .flatten();
    let read = bytes.and_then(|bytes| bytes.try_into().ok());
    if read.is_none() {
        object.fault(key, line_of(object, key), "it is no SHA-256: 64 digits from 0 to f");
    }
    read
}
