//! What the pages of imports ask and post.

use serde::{Deserialize, Serialize};

use super::preview::Verdict;
use super::store::runs::Takes;
use crate::kernel::base::error::Result;
use crate::kernel::web::form::Pairs;

/// Which page of the history.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HistoryPage {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before: String,
}

/// Which rows of a preview: the first of each kind, or those of one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    show: String,
    after: Option<i32>,
}

impl Shown {
    pub fn only(&self) -> Option<(Verdict, i32)> {
        Some((self.show.parse().ok()?, self.after.unwrap_or(-1)))
    }
}

/// Whether what the file does not hold is withdrawn.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CheckForm {
    pub withdraw: Option<String>,
}

/// What somebody agreed to.
#[derive(Debug, Clone, Default)]
pub struct ApplyForm {
    /// Where theirs is taken in a conflict.
    pub takes: Takes,
    /// Whether much may be withdrawn.
    pub withdraws_much: bool,
}

impl ApplyForm {
    /// `take=17` takes everything of the row at 17, `take=17:name` its name.
    ///
    /// # Errors
    /// For a field that no page of ours posts.
    pub fn read(pairs: &Pairs) -> Result<Self> {
        pairs.only(|name| matches!(name, "take" | "withdraw_much"))?;
        let takes = pairs.all("take").filter_map(|take| match take.split_once(':') {
            Some((at, field)) => Some((at.parse().ok()?, Some(field.to_owned()))),
            None => Some((take.parse().ok()?, None)),
        });
        Ok(Self { takes: Takes(takes.collect()), withdraws_much: pairs.get("withdraw_much").is_some() })
    }

    pub fn takes(&self, position: i32, field: Option<&str>) -> bool {
        self.takes.0.iter().any(|(at, taken)| *at == position && taken.as_deref() == field)
    }
}

/// Which two releases stand beside each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TwoReleases {
    pub from: String,
    pub to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_takes_whole_rows_and_single_fields() {
        let pairs: Pairs = serde_html_form::from_str("take=3&take=4:step:s1&take=x&withdraw_much=1").unwrap();
        let form = ApplyForm::read(&pairs).unwrap();
        assert!(form.takes(3, None) && form.takes(4, Some("step:s1")) && form.withdraws_much);
        assert!(!form.takes(4, None));
        let foreign: Pairs = serde_html_form::from_str("give=3").unwrap();
        assert!(ApplyForm::read(&foreign).is_err());
    }
}
