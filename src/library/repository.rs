//! What a repository is made of, and which texts it takes. Pure.

use crate::kernel::base::text::{check_text, check_visible};
use crate::kernel::merge::MergeField;
use crate::library::domain::RepositoryType;

/// Where the tests of Atomic Red Team are from, for the list of licences.
pub const ATOMIC_RED_TEAM: &str =
    "Atomic Red Team, https://github.com/redcanaryco/atomic-red-team, MIT License";

/// Where the procedures of a repository with this key, which the product or an importer owns, are from.
pub fn origin_of(key: &str) -> &str {
    match key {
        "atomic-red-team" => ATOMIC_RED_TEAM,
        "starter" => "Tyrian Starter, Apache License 2.0",
        other => other,
    }
}

crate::text_enum! {
    /// The fields of a repository, by the names that its form posts and its history keeps.
    pub enum RepositoryField {
        Name => "name", "Name";
        Prefix => "prefix", "Prefix";
        Description => "description", "Description";
        Type => "type", "Type";
    }
}

impl MergeField for RepositoryField {
    fn is_long(self) -> bool {
        self == Self::Description
    }
}

/// Longest name, in characters.
pub const NAME_CHARS: usize = 120;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS: usize = 350;

/// The canonical value of a field as it was typed.
///
/// # Errors
/// A sentence for beside the field.
pub fn check(field: RepositoryField, raw: &str) -> Result<String, String> {
    match field {
        RepositoryField::Name => {
            let name = check_text("The name", false, raw, NAME_CHARS * 4, false)?;
            check_visible(&name)?;
            match name.chars().count() {
                0 => Err("Give the repository a name.".to_owned()),
                1..=NAME_CHARS => Ok(name),
                length => {
                    Err(format!("The name is {length} characters; the limit is {NAME_CHARS}. Shorten it."))
                }
            }
        }
        RepositoryField::Prefix => {
            let prefix = raw.trim().to_ascii_uppercase();
            let fits = (3..=8).contains(&prefix.len())
                && prefix.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            if fits {
                Ok(prefix)
            } else {
                Err("A prefix is 3 to 8 letters from A to Z, or digits, such as HLF.".to_owned())
            }
        }
        RepositoryField::Description => {
            let description = check_text("The description", false, raw, DESCRIPTION_CHARS * 4, true)?;
            let length = description.chars().count();
            if length > DESCRIPTION_CHARS {
                return Err(format!(
                    "The description is {length} characters; the limit is {DESCRIPTION_CHARS}. Shorten it."
                ));
            }
            Ok(description)
        }
        RepositoryField::Type => match raw.parse() {
            Ok(RepositoryType::Curated) => {
                Err("Curated repositories are kept by imports. Choose another type.".to_owned())
            }
            Ok(kind) => Ok(kind.as_str().to_owned()),
            Err(_) => Err("Choose a type.".to_owned()),
        },
    }
}

impl RepositoryType {
    /// What the type means, for the form.
    pub fn about(self) -> &'static str {
        match self {
            Self::Open => "everyone who may read the library reads it, everyone who may change it writes",
            Self::Managed => "everyone who may read the library reads it, its editors write",
            Self::Private => "only its viewers and editors know of it, its editors write",
            Self::Curated => "kept by an importer, read-only, copying allowed",
        }
    }

    /// Whether only those who are named as its editors write in it.
    pub fn has_editors(self) -> bool {
        matches!(self, Self::Managed | Self::Private)
    }

    /// Those that a person can choose.
    pub const OWN: [Self; 3] = [Self::Open, Self::Managed, Self::Private];
}

/// What somebody may do in a repository beyond reading what everybody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Viewer,
    Editor,
}

impl Part {
    /// As a form posts it; empty for neither.
    pub fn of_text(text: &str) -> Option<Self> {
        match text {
            "view" => Some(Self::Viewer),
            "edit" => Some(Self::Editor),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "view",
            Self::Editor => "edit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_typed_in_any_case_and_kept_in_capitals() {
        assert_eq!(check(RepositoryField::Prefix, " hlf2 ").as_deref(), Ok("HLF2"));
        for wrong in ["", "HL", "HLF-1", "NINELONGS", "ÄÖÜ", "H L F"] {
            assert!(check(RepositoryField::Prefix, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_makes_a_curated_repository_by_hand() {
        assert!(check(RepositoryField::Type, "curated").is_err());
        assert!(check(RepositoryField::Type, "anything").is_err());
        assert_eq!(check(RepositoryField::Type, "private").as_deref(), Ok("private"));
        assert!(check(RepositoryField::Name, " \u{200b} ").is_err(), "a name that nobody sees");
        assert!(check(RepositoryField::Description, &"é".repeat(351)).is_err());
        assert!(check(RepositoryField::Description, &"é".repeat(350)).is_ok());
    }
}
