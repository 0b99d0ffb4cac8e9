//! Pages of a list by keyset: what comes after, or before, the row at which another page ended.

use serde::Serialize;

use crate::kernel::base::error::{Error, Result};

/// Rows of one page.
pub const ROWS: usize = 50;

/// One page of rows and whether there is more on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Whether rows come before the first.
    pub earlier: bool,
    /// Whether rows come after the last.
    pub later: bool,
}

impl<T> Page<T> {
    /// Cuts what was loaded, at most one row more than [`ROWS`] and in the list's order, down to a page.
    /// `after` and `before` say whether the query had such a bound.
    pub fn cut(mut rows: Vec<T>, after: bool, before: bool) -> Self {
        let more = rows.len() > ROWS;
        if before && !after {
            if more {
                rows.remove(0);
            }
            return Self { rows, earlier: more, later: true };
        }
        rows.truncate(ROWS);
        Self { rows, earlier: after, later: more }
    }
}

/// A path with its query.
///
/// # Errors
/// When the query cannot be written.
pub fn url(path: &str, query: &impl Serialize) -> Result<String> {
    let query = serde_html_form::to_string(query).map_err(|e| Error::Internal(e.into()))?;
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_neighbours() {
        let rows: Vec<usize> = (0..=ROWS).collect();
        let first = Page::cut(rows.clone(), false, false);
        assert_eq!((first.rows.len(), first.earlier, first.later), (ROWS, false, true));
        let back = Page::cut(rows, false, true);
        assert_eq!((back.rows[0], back.earlier, back.later), (1, true, true));
        let last = Page::cut(vec![1], true, false);
        assert_eq!((last.earlier, last.later), (true, false));
    }
}
