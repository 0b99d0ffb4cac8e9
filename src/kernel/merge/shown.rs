//! Forms that are saved whole and keep no history: what a form showed comes back with it, so that of two who
//! save it each changes what they changed. A value that both changed is asked; a set takes both.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kernel::base::error::{Error, Result};

/// The field of a form that holds what it showed.
pub const SHOWN: &str = "shown";
/// The field that holds the version it was drawn from.
const VERSION: &str = "version";

/// The values of a form by its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown(BTreeMap<String, Vec<String>>);

/// What becomes of a form when somebody else saved since it was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// What is saved, or asked.
    pub form: Shown,
    /// Fields that both changed, with what the other saved; the form has what was typed.
    pub theirs: Vec<(String, String)>,
}

impl Shown {
    pub fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            if name != SHOWN && name != VERSION {
                fields.entry(name).or_default().push(value);
            }
        }
        Self(fields)
    }

    /// The fields of a form as it would be posted.
    ///
    /// # Errors
    /// When it is none, which it always is.
    pub fn of<F: Serialize>(form: &F) -> Result<Self> {
        let text = serde_html_form::to_string(form).map_err(|e| Error::Internal(e.into()))?;
        let pairs: Vec<(String, String)> =
            serde_html_form::from_str(&text).map_err(|e| Error::Internal(e.into()))?;
        Ok(Self::of_pairs(pairs))
    }

    /// As it stands in the form's hidden field.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Reads that field; none where somebody wrote anything else into it.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    pub fn pairs(self) -> impl Iterator<Item = (String, String)> {
        let each = |(name, values): (String, Vec<String>)| values.into_iter().map(move |v| (name.clone(), v));
        self.0.into_iter().flat_map(each)
    }

    /// The form again, as of this version.
    ///
    /// # Errors
    /// When its fields are not those of the form.
    pub fn form<F: DeserializeOwned>(self, version: i32) -> Result<F> {
        let pairs: Vec<(String, String)> =
            self.pairs().chain([(VERSION.to_owned(), version.to_string())]).collect();
        let text = serde_html_form::to_string(&pairs).map_err(|e| Error::Internal(e.into()))?;
        serde_html_form::from_str(&text).map_err(|e| Error::Internal(e.into()))
    }

    fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A form that is saved whole.
pub trait WholeForm: Serialize + DeserializeOwned {
    /// Fields whose values are ticks.
    const SETS: &'static [&'static str];

    fn version(&self) -> i32;

    /// What the form's hidden field holds.
    fn shown(&self) -> &str;
}

/// Brings a form that was posted to what is stored now, where somebody saved since it was drawn; `label` says
/// what people call a field.
///
/// Beside the form stands the error for what both changed: the form is to be shown again then.
///
/// # Errors
/// When the form is none, which it always is.
pub fn brought_up<F: WholeForm>(
    typed: F,
    now: &F,
    label: impl Fn(&str) -> String,
) -> Result<(F, Option<Error>)> {
    if typed.version() == now.version() {
        return Ok((typed, None));
    }
    // Whoever sends no such field is told by the version alone.
    let Some(shown) = Shown::read(typed.shown()) else { return Ok((typed, None)) };
    let met = meet(&shown, &Shown::of(now)?, &Shown::of(&typed)?, F::SETS);
    let asked = (!met.theirs.is_empty()).then(|| asked(&met.theirs, label));
    Ok((met.form.form(now.version())?, asked))
}

/// The sentence over a form in which both changed something.
pub fn asked(theirs: &[(String, String)], label: impl Fn(&str) -> String) -> Error {
    let said: Vec<String> = theirs
        .iter()
        .map(|(name, value)| match value.as_str() {
            "" => format!("{}: nothing", label(name)),
            value => format!("{}: “{value}”", label(name)),
        })
        .collect();
    Error::Conflict(format!(
        "Somebody saved this while you had it open, and changed what you changed. They have {}. What you \
            typed stands in the form: save again to put it in its place. Everything else was brought \
            together.",
        said.join(", ")
    ))
}

/// Brings what was typed in a form that showed `shown` to what stands there now. `sets`: fields whose values
/// are ticks.
pub fn meet(shown: &Shown, now: &Shown, typed: &Shown, sets: &[&str]) -> Met {
    let names: BTreeSet<&String> = shown.0.keys().chain(now.0.keys()).chain(typed.0.keys()).collect();
    let mut met = Met { form: Shown::default(), theirs: Vec::new() };
    for name in names {
        let (was, stands, mine) = (shown.values(name), now.values(name), typed.values(name));
        let values = if sets.contains(&name.as_str()) {
            let mut values: Vec<String> =
                stands.iter().filter(|one| mine.contains(one) || !was.contains(one)).cloned().collect();
            values.extend(mine.iter().filter(|one| !was.contains(one) && !stands.contains(one)).cloned());
            values
        } else if mine == was {
            stands.to_vec()
        } else {
            if stands != was && stands != mine {
                met.theirs.push((name.clone(), stands.join(", ")));
            }
            mine.to_vec()
        };
        if !values.is_empty() {
            met.form.0.insert(name.clone(), values);
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Shown {
        Shown::of_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn each_changes_what_they_changed() {
        let shown = form(&[("name", "A"), ("text", "one"), ("right", "read"), ("right", "write")]);
        let now = form(&[("name", "B"), ("text", "one"), ("right", "read"), ("right", "run"), ("held", "1")]);
        let typed = form(&[("name", "A"), ("text", "two"), ("right", "write"), ("right", "plan")]);
        let met = meet(&shown, &now, &typed, &["right"]);
        let wanted =
            form(&[("name", "B"), ("text", "two"), ("right", "run"), ("right", "plan"), ("held", "1")]);
        assert_eq!(met, Met { form: wanted, theirs: Vec::new() });
    }

    #[test]
    fn what_both_changed_differently_is_asked() {
        let shown = form(&[("name", "A"), ("held", "1")]);
        let met = meet(&shown, &form(&[("name", "B"), ("held", "1")]), &form(&[("name", "C")]), &[]);
        assert_eq!(met.form, form(&[("name", "C")]));
        assert_eq!(met.theirs, [("name".to_owned(), "B".to_owned())]);
        // Saved once more, it was seen: theirs goes.
        let now = form(&[("name", "B"), ("held", "1")]);
        assert!(meet(&now, &now, &met.form, &[]).theirs.is_empty());
    }

    #[test]
    fn it_comes_back_as_it_left() {
        let shown = form(&[("name", "\"A\" & ü"), ("right", "read"), ("right", "write")]);
        assert_eq!(Shown::read(&shown.text()), Some(shown.clone()));
        assert_eq!(Shown::of_pairs(shown.clone().pairs()), shown);
        assert_eq!(Shown::read("what"), None);
    }
}
