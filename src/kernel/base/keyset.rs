//! Paging by keyset: a page begins after, or ends before, the row at which another page ended. Rows that come
//! or go meanwhile shift nothing, and the last page costs no more than the first.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::times;

/// Rows of one page.
pub const ROWS: usize = 50;
/// Rows to load for one page: one more, which says whether the list goes on.
pub const LOADED: i64 = ROWS as i64 + 1;

/// What a list is sorted by, as an address has it.
pub trait Key: Sized {
    fn written(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl Key for String {
    fn written(&self) -> String {
        self.clone()
    }
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// Microseconds since 1970, as exact as the database.
impl Key for DateTime<Utc> {
    fn written(&self) -> String {
        self.timestamp_micros().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        times::from_cursor(text.parse().ok()?)
    }
}

/// The place of a row in a sorted list: what the list is sorted by and, for rows with the same value, its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<K, I> {
    pub key: K,
    pub id: I,
}

impl<K: Key, I: Display> Display for Cursor<K, I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.key.written(), self.id)
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACursor;

impl<K: Key, I: Display + FromStr> FromStr for Cursor<K, I> {
    type Err = NotACursor;
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        // No id holds a dot; a key may.
        let (key, id) = text.rsplit_once('.').ok_or(NotACursor)?;
        let cursor = Self { key: Key::read(key).ok_or(NotACursor)?, id: id.parse().map_err(|_| NotACursor)? };
        // Only what we would write ourselves: no signs, no leading zeros.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NotACursor) }
    }
}

/// Where a page lies in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum At<C> {
    #[default]
    First,
    After(C),
    Before(C),
}

impl<C> From<Option<C>> for At<C> {
    fn from(after: Option<C>) -> Self {
        after.map_or(Self::First, Self::After)
    }
}

impl<C: FromStr> At<C> {
    /// What an address asks for; what cannot be read is the first page.
    pub fn read(after: &str, before: &str) -> Self {
        let cursor = |text: &str| if text.is_empty() { None } else { text.parse().ok() };
        match cursor(after) {
            Some(cursor) => Self::After(cursor),
            None => cursor(before).map_or(Self::First, Self::Before),
        }
    }
}

impl<C> At<C> {
    /// The row at which the page begins or ends.
    pub fn cursor(&self) -> Option<&C> {
        match self {
            Self::First => None,
            Self::After(cursor) | Self::Before(cursor) => Some(cursor),
        }
    }
    /// Whether the rows are to be read against the list's order.
    pub fn is_backwards(&self) -> bool {
        matches!(self, Self::Before(_))
    }
}

impl<C: Display> At<C> {
    /// The parameters `after` and `before` of an address, of which one at least is empty.
    pub fn written(&self) -> (String, String) {
        match self {
            Self::First => (String::new(), String::new()),
            Self::After(cursor) => (cursor.to_string(), String::new()),
            Self::Before(cursor) => (String::new(), cursor.to_string()),
        }
    }
}

/// One page of rows and whether there is more on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub rows: Vec<T>,
    /// Whether rows come before the first.
    pub earlier: bool,
    /// Whether rows come after the last.
    pub later: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), earlier: false, later: false }
    }
}

impl<T> Page<T> {
    /// Cuts what was loaded, at most one row more than `limit` and as it was read, down to a page.
    pub fn cut<C>(mut rows: Vec<T>, at: &At<C>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        match at {
            At::First => Self { rows, earlier: false, later: more },
            At::After(_) => Self { rows, earlier: true, later: more },
            At::Before(_) => {
                rows.reverse();
                Self { rows, earlier: more, later: true }
            }
        }
    }

    /// Addresses of the pages before and after, where there are any.
    pub fn links<C>(
        &self,
        cursor: impl Fn(&T) -> C,
        link: impl Fn(&At<C>) -> String,
    ) -> (Option<String>, Option<String>) {
        let before = self.rows.first().filter(|_| self.earlier);
        let after = self.rows.last().filter(|_| self.later);
        (before.map(|row| link(&At::Before(cursor(row)))), after.map(|row| link(&At::After(cursor(row)))))
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(f).collect(), earlier: self.earlier, later: self.later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named = Cursor<String, i64>;

    #[test]
    fn a_page_knows_its_neighbours() {
        let rows: Vec<usize> = (0..=ROWS).collect();
        let first = Page::cut(rows.clone(), &At::<Named>::First, ROWS);
        assert_eq!((first.rows.len(), first.earlier, first.later), (ROWS, false, true));
        let place = Named { key: "k".into(), id: 1 };
        let against = rows.into_iter().rev().collect();
        let back = Page::cut(against, &At::Before(place.clone()), ROWS);
        assert_eq!((back.rows[0], back.rows[ROWS - 1], back.earlier, back.later), (1, ROWS, true, true));
        let last = Page::cut(vec![1], &At::After(place), ROWS);
        assert_eq!((last.earlier, last.later), (true, false));
    }

    #[test]
    fn a_cursor_survives_its_address() {
        let named = Named { key: "a.b 100 %".into(), id: 7 };
        assert_eq!(named.to_string().parse(), Ok(named));
        let timed = Cursor { key: DateTime::from_timestamp_micros(1_500_000).unwrap(), id: 7 };
        assert_eq!(timed.to_string(), "1500000.7");
        assert_eq!("1500000.7".parse(), Ok(timed));
    }

    #[test]
    fn what_cannot_be_read_is_the_first_page() {
        for text in ["", "x", "x.y", "x.07", "x.+7", "7.x."] {
            assert_eq!(At::<Named>::read(text, ""), At::First, "{text}");
            assert_eq!(At::<Named>::read("", text), At::First, "{text}");
        }
        let after = At::<Named>::read("x.7", "y.8");
        assert_eq!(after.written(), ("x.7".into(), String::new()), "after has precedence");
        for text in ["+1.7", "01.7", "9223372036854775807.7"] {
            assert!(text.parse::<Cursor<DateTime<Utc>, i64>>().is_err(), "{text}");
        }
    }
}
