//! What every importer shares: errors that name their place, the comparison with what is stored,
//! and a reader that remembers where it is.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::library::domain::{Piece, visible};

/// What is wrong, and where: why a file was refused as a whole (nothing of it is written then), why one
/// object was left out, or what to know of one that is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct ImportError {
    pub file: String,
    /// `objects[17] (attack-pattern--…)`, `test 3 "Name"`; none when the file itself is at fault.
    pub object: Option<String>,
    /// `name`, `executor.elevation_required`
    pub field: Option<String>,
    /// Counted from 1.
    pub line: Option<usize>,
    /// What is wrong, without its place, without a capital and without a full stop.
    pub sentence: String,
}

/// What a parser says of one value, in words of people.
pub fn plain_words(said: &str) -> String {
    let expected = |what: &str| format!("{what} is expected here");
    if let Some((found, wanted)) =
        said.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("{}, and it is {found}", expected(wanted));
    }
    let known = [
        ("expected sequence start", expected("a list")),
        ("expected mapping start", expected("a group of names with values")),
        ("expected string scalar", expected("text")),
        ("unexpected character", "a character stands here that YAML does not allow".to_owned()),
        ("unsupported tag", "it has a tag (a word with “!” before it), and none is known here".to_owned()),
        ("EOF while parsing", "it ends before it is whole".to_owned()),
        ("expected value", expected("a value")),
        ("key must be a string", expected("a name in quotes")),
        ("expected `:`", expected("a colon")),
        ("expected `,`", expected("a comma or the end")),
        ("trailing comma", "nothing follows the comma".to_owned()),
        ("trailing characters", "more stands behind its end".to_owned()),
        ("control character (", "a control character stands in a text, which JSON does not allow".to_owned()),
        ("invalid escape", "a backslash stands before a sign that it cannot stand before".to_owned()),
        ("surrogate", "a text holds half of a character (a surrogate alone)".to_owned()),
        ("invalid number", "it is no number".to_owned()),
        ("number out of range", "the number is too large".to_owned()),
        ("invalid unicode code point", "the text is not UTF-8".to_owned()),
    ];
    let found = known.into_iter().find(|(word, _)| said.contains(word));
    found.map_or_else(|| said.to_owned(), |(_, sentence)| sentence)
}

impl ImportError {
    /// An error about the file itself.
    pub fn file(file: &str, sentence: impl Into<String>) -> Self {
        Self { file: file.to_owned(), sentence: sentence.into(), ..Self::default() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file))?;
        if let Some(object) = &self.object {
            write!(f, ", {}", printable(object))?;
        }
        if let Some(field) = &self.field {
            write!(f, ", field {}", printable(field))?;
        }
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}.", printable(&self.sentence))
    }
}

/// Everything for which a source was refused as a whole; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<ImportError>);

impl From<ImportError> for Faults {
    fn from(fault: ImportError) -> Self {
        Self(vec![fault])
    }
}

/// One fault a line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

/// A file of a source that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub file: String,
    /// Without a capital and without a full stop.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", printable(&self.file), printable(&self.reason))
    }
}

/// Why a text with one is refused, wherever it is read.
pub(super) const BYTE_ORDER_MARK: &str = "it begins with a byte-order mark; save it as UTF-8 without one";

/// The longest id of a source, in characters: it is a key, or stands in an index.
pub(super) const ID_MAX: usize = 100;
/// The longest name, in characters: lists are sorted by it.
pub(super) const NAME_MAX: usize = 500;

/// Whether a text has more characters than it may have.
pub(super) fn is_longer(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_some()
}

/// Longer texts of a file are cut in messages.
const MESSAGE_MAX: usize = 300;

/// Text of a hostile file, safe for one line on a terminal: hidden characters are spelled out.
pub fn printable(text: &str) -> String {
    let mut chars = text.chars();
    let mut head: String = chars.by_ref().take(MESSAGE_MAX).collect();
    if chars.next().is_some() {
        head.push('…');
    }
    let mut out = String::with_capacity(head.len());
    for piece in visible(&head) {
        match piece {
            Piece::Text(text) => out.push_str(&text.replace(['\n', '\r', '\t'], " ")),
            Piece::Hidden(code) => out.push_str(&code),
        }
    }
    out
}

/// The longest text of one field, in bytes: what a form of Tyrian accepts for a field.
pub const TEXT_MAX: usize = 64 * 1024;
/// The most elements of one list or map.
const ELEMENTS_MAX: usize = 250_000;

enum Key {
    Field(Cow<'static, str>),
    Index(usize),
}

struct Part {
    key: Key,
    label: Option<String>,
}

/// Where a read is. A part is taken off only when its value was read, so after an error the trail
/// still ends at the culprit.
#[derive(Default)]
pub(super) struct Trail(RefCell<Vec<Part>>);

impl Trail {
    fn enter(&self, key: Key) {
        self.0.borrow_mut().push(Part { key, label: None });
    }

    fn leave(&self) {
        self.0.borrow_mut().pop();
    }

    fn label(&self, label: &str) {
        if let Some(part) = self.0.borrow_mut().last_mut() {
            part.label = Some(label.to_owned());
        }
    }

    pub fn enter_field(&self, name: &'static str) {
        self.enter(Key::Field(Cow::Borrowed(name)));
    }

    pub fn read_field<'de, M: MapAccess<'de>, T: Tracked<'de>>(
        &self,
        name: &'static str,
        labels: bool,
        map: &mut M,
    ) -> Result<Option<T>, M::Error> {
        self.enter_field(name);
        let value = map.next_value_seed(Seed::<Option<T>>::new(self))?;
        self.leave();
        if labels && let Some(label) = value.as_ref().and_then(Tracked::as_label) {
            self.label(label);
        }
        Ok(value)
    }

    pub fn skip_field<'de, M: MapAccess<'de>>(&self, name: String, map: &mut M) -> Result<(), M::Error> {
        self.enter(Key::Field(Cow::Owned(name)));
        map.next_value::<IgnoredAny>()?;
        self.leave();
        Ok(())
    }

    /// The innermost-named list element with its label, and the field below it.
    pub fn place(&self) -> (Option<(usize, Option<String>)>, Option<String>) {
        let parts = self.0.borrow();
        let first_index = parts.iter().position(|part| matches!(part.key, Key::Index(_)));
        let mut object = None;
        let mut field = String::new();
        for (at, part) in parts.iter().enumerate() {
            match &part.key {
                Key::Index(index) if Some(at) == first_index => {
                    object = Some((*index, part.label.clone()));
                    field.clear();
                }
                Key::Index(index) => field.push_str(&format!("[{index}]")),
                Key::Field(name) if field.is_empty() => field.push_str(name),
                Key::Field(name) => field.push_str(&format!(".{name}")),
            }
        }
        (object, (!field.is_empty()).then_some(field))
    }
}

/// A value that is read along a [`Trail`].
pub(super) trait Tracked<'de>: Sized {
    fn read<D: Deserializer<'de>>(source: D, trail: &Trail) -> Result<Self, D::Error>;

    fn as_label(&self) -> Option<&str> {
        None
    }
}

pub(super) struct Seed<'t, T>(&'t Trail, PhantomData<T>);

impl<'t, T> Seed<'t, T> {
    fn new(trail: &'t Trail) -> Self {
        Self(trail, PhantomData)
    }
}

impl<'de, T: Tracked<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<T, D::Error> {
        T::read(source, self.0)
    }
}

fn checked<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.len() > TEXT_MAX {
        return Err(E::custom(format!(
            "the text has {} bytes, more than the {TEXT_MAX} that a field may have",
            text.len()
        )));
    }
    // PostgreSQL's text and jsonb cannot hold U+0000, so it is refused here, where it has a place.
    if text.contains('\0') {
        return Err(E::custom("the text holds the character U+0000"));
    }
    Ok(())
}

impl<'de> Tracked<'de> for String {
    fn read<D: Deserializer<'de>>(source: D, _: &Trail) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = String;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
                checked(text)?;
                Ok(text.to_owned())
            }
            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<String, E> {
                checked(&text)?;
                Ok(text)
            }
        }
        source.deserialize_string(Text)
    }

    fn as_label(&self) -> Option<&str> {
        Some(self)
    }
}

impl<'de> Tracked<'de> for bool {
    fn read<D: Deserializer<'de>>(source: D, _: &Trail) -> Result<Self, D::Error> {
        serde::Deserialize::deserialize(source)
    }
}

impl<'de, T: Tracked<'de>> Tracked<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(source: D, trail: &Trail) -> Result<Self, D::Error> {
        struct Maybe<'t, T>(&'t Trail, PhantomData<T>);
        impl<'de, T: Tracked<'de>> Visitor<'de> for Maybe<'_, T> {
            type Value = Option<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
                T::read(source, self.0).map(Some)
            }
        }
        source.deserialize_option(Maybe(trail, PhantomData))
    }
}

impl<'de, T: Tracked<'de>> Tracked<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(source: D, trail: &Trail) -> Result<Self, D::Error> {
        struct List<'t, T>(&'t Trail, PhantomData<T>);
        impl<'de, T: Tracked<'de>> Visitor<'de> for List<'_, T> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                loop {
                    self.0.enter(Key::Index(list.len()));
                    let next = seq.next_element_seed(Seed::<T>::new(self.0))?;
                    self.0.leave();
                    match next {
                        Some(_) if list.len() == ELEMENTS_MAX => {
                            return Err(A::Error::custom(too_many()));
                        }
                        Some(value) => list.push(value),
                        None => return Ok(list),
                    }
                }
            }
        }
        source.deserialize_seq(List(trail, PhantomData))
    }
}

fn too_many() -> String {
    format!("there are more than {ELEMENTS_MAX} elements")
}

/// A map whose keys are data, in the order of the file.
pub(super) struct Entries<T>(pub Vec<(String, T)>);

impl<'de, T: Tracked<'de>> Tracked<'de> for Entries<T> {
    fn read<D: Deserializer<'de>>(source: D, trail: &Trail) -> Result<Self, D::Error> {
        struct Map<'t, T>(&'t Trail, PhantomData<T>);
        impl<'de, T: Tracked<'de>> Visitor<'de> for Map<'_, T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key_seed(Seed::<String>::new(self.0))? {
                    self.0.enter(Key::Field(Cow::Owned(name.clone())));
                    let value = map.next_value_seed(Seed::<T>::new(self.0))?;
                    self.0.leave();
                    if entries.len() == ELEMENTS_MAX {
                        return Err(A::Error::custom(too_many()));
                    }
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }
        source.deserialize_map(Map(trail, PhantomData))
    }
}

/// Declares a struct that reads itself along a [`Trail`]: required fields before the semicolon,
/// optional ones (absent or null) after it, unknown keys skipped. `labelled` names the field whose
/// text identifies the object in a message.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident $(labelled $label:literal)? {
        $($rkey:literal => $rfield:ident: $rty:ty,)* ;
        $($okey:literal => $ofield:ident: $oty:ty,)*
    }) => {
        $(#[$meta])*
        struct $name {
            $($rfield: $rty,)*
            $($ofield: Option<$oty>,)*
        }

        impl<'de> $crate::imports::domain::Tracked<'de> for $name {
            fn read<D: serde::Deserializer<'de>>(
                source: D,
                trail: &$crate::imports::domain::Trail,
            ) -> Result<Self, D::Error> {
                struct Fields<'t>(&'t $crate::imports::domain::Trail);
                impl<'de> serde::de::Visitor<'de> for Fields<'_> {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a map")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        use serde::de::Error as _;
                        const LABELS: &[&str] = &[$($label)?];
                        $(let mut $rfield: Option<$rty> = None;)*
                        $(let mut $ofield: Option<$oty> = None;)*
                        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                            match key.as_ref() {
                                $($rkey if $rfield.is_none() => {
                                    $rfield = self.0.read_field($rkey, LABELS.contains(&$rkey), &mut map)?;
                                })*
                                $($okey if $ofield.is_none() => {
                                    $ofield = self.0.read_field($okey, LABELS.contains(&$okey), &mut map)?;
                                })*
                                known if [$($rkey,)* $($okey,)*].contains(&known) => {
                                    return Err(A::Error::custom(format!("the key {known} comes twice")));
                                }
                                _ => self.0.skip_field(key.into_owned(), &mut map)?,
                            }
                        }
                        Ok($name {
                            $($rfield: match $rfield {
                                Some(value) => value,
                                None => {
                                    self.0.enter_field($rkey);
                                    return Err(A::Error::custom(concat!("its ", $rkey, " is missing")));
                                }
                            },)*
                            $($ofield,)*
                        })
                    }
                }
                source.deserialize_map(Fields(trail))
            }
        }
    };
}
pub(super) use record;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parser_says_is_said_in_words() {
        for (said, words) in [
            ("invalid type: integer `5`, expected text", "text is expected here, and it is integer `5`"),
            ("unexpected event: expected sequence start", "a list is expected here"),
            ("expected mapping start", "a group of names with values is expected here"),
            ("EOF while parsing a list", "it ends before it is whole"),
            ("expected `,` or `}`", "a comma or the end is expected here"),
            ("something else", "something else"),
        ] {
            assert_eq!(plain_words(said), words);
        }
    }

    #[test]
    fn an_error_names_its_place_and_cannot_steer_a_terminal() {
        let error = ImportError {
            file: "T1003.yaml".to_owned(),
            object: Some("test 2 \"a\u{1b}[2Jb\"".to_owned()),
            field: Some("name".to_owned()),
            line: Some(7),
            sentence: "it\nis missing".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "T1003.yaml, test 2 \"a⟨U+001B⟩[2Jb\", field name, line 7: it is missing."
        );
    }
}
