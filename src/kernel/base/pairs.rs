//! The fields of a form whose names are not known beforehand. Pure.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer};

use crate::kernel::base::error::{Error, Result};

/// Fields of forms that were looked at since the start, however often. A test holds it against the size of
/// forms: work that grows with the square of a form is somebody else's waiting.
pub static VISITS: AtomicU64 = AtomicU64::new(0);

fn visit() {
    VISITS.fetch_add(1, Ordering::Relaxed);
}

/// The fields of a form whose names are not known beforehand, in the order they came, found by name at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    list: Vec<(String, String)>,
    places: HashMap<String, Vec<usize>>,
}

impl Pairs {
    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        visit();
        self.places.get(name).and_then(|places| places.first()).map(|place| self.list[*place].1.as_str())
    }

    /// The last value of a name.
    pub fn last(&self, name: &str) -> Option<&str> {
        visit();
        self.places.get(name).and_then(|places| places.last()).map(|place| self.list[*place].1.as_str())
    }

    /// Whether the name came with this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|one| one == value)
    }

    /// Every value of a name, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let places = self.places.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().inspect(|_| visit()).map(|place| self.list[*place].1.as_str())
    }

    /// What comes after `prefix` in the names that begin with it, beside the values.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().inspect(|_| visit()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.places.entry(name.clone()).or_default().push(self.list.len());
        self.list.push((name, value.into()));
    }

    /// `Ok` when every name is one that the form has.
    ///
    /// # Errors
    /// [`Error::Malformed`] for any other.
    pub fn only(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        if self.places.keys().inspect(|_| visit()).all(|name| known(name)) { Ok(()) } else { Err(not_ours()) }
    }
}

impl IntoIterator for Pairs {
    type Item = (String, String);
    type IntoIter = std::iter::Inspect<std::vec::IntoIter<(String, String)>, fn(&(String, String))>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().inspect(|_| visit())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut made = Self::default();
        pairs.into_iter().for_each(|(name, value)| made.push(name, value));
        made
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<(String, String)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// The fault of a form that no page of ours posts.
pub fn not_ours() -> Error {
    Error::Malformed(
        "This form has a field that does not belong to it, or lacks one. Reload the page and try again."
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_in_their_order() {
        let pairs: Pairs = serde_html_form::from_bytes(b"a=1&b=2&a=3&base.a=4&had.x+y=5").unwrap();
        assert_eq!((pairs.get("a"), pairs.last("a"), pairs.get("c")), (Some("1"), Some("3"), None));
        assert_eq!(pairs.all("a").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(pairs.under("had.").collect::<Vec<_>>(), [("x y", "5")]);
        assert!(pairs.has("b", "2") && !pairs.has("b", "1"));
        assert!(pairs.only(|name| name.len() < 3).is_err());
        assert!(pairs.only(|name| name.contains(['a', 'b']) || name.starts_with("had.")).is_ok());
    }
}
