//! Methodologies, tactics and techniques of a team's own, beside ATT&CK's: what each is made of and what its
//! fields take. Pure.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::base::text::{
    LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text, check_visible, parse_tags, split_tags,
};
use crate::kernel::merge::{MergeField, set};

crate::text_enum! {
    /// What a term is; the label is a heading's.
    pub enum TermKind {
        Methodology => "methodology", "Methodology";
        Tactic => "tactic", "Tactic";
        Technique => "technique", "Technique";
    }
}

crate::text_enum! {
    /// The fields of a term, by the names they post under. They share the field-by-field merge.
    pub enum TermField {
        Name => "name", "Name";
        ShortName => "short_name", "Short name";
        Description => "description", "Description";
        Parents => "parents", "Belongs to";
        Tags => "tags", "Tags";
    }
}

impl MergeField for TermField {
    fn is_long(self) -> bool {
        matches!(self, Self::Description | Self::Parents)
    }

    fn is_set(self) -> bool {
        self == Self::Parents
    }
}

/// Longest name, in characters.
const NAME_CHARS: usize = 120;
/// Longest short name, in characters.
const SHORT_CHARS: usize = 40;

impl TermKind {
    pub fn noun(self) -> &'static str {
        self.as_str()
    }

    /// What it stands under; a methodology stands under nothing.
    pub fn above(self) -> Option<Self> {
        match self {
            Self::Methodology => None,
            Self::Tactic => Some(Self::Methodology),
            Self::Technique => Some(Self::Tactic),
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            Self::Methodology => "methodologies",
            Self::Tactic => "tactics",
            Self::Technique => "techniques",
        }
    }

    /// What the short name is to people.
    pub fn short_label(self) -> &'static str {
        if self == Self::Technique { "Id" } else { "Short name" }
    }

    pub fn short_hint(self) -> &'static str {
        match self {
            Self::Methodology => "As lists show it: Web, OT",
            Self::Tactic => "Small letters, digits and hyphens: web-recon. Lists are filtered by it",
            Self::Technique => {
                "What procedures name it by: HLF-T1, or HLF-T1.1 below that. Ids like T1003 are ATT&CK’s"
            }
        }
    }

    /// The canonical value of a field as typed.
    ///
    /// # Errors
    /// A sentence for beside the field.
    pub fn check(self, field: TermField, raw: &str) -> Result<String, String> {
        match field {
            TermField::Name => {
                let name = check_text("The name", false, raw, LONG_TEXT_BYTES, false)?;
                check_visible(&name)?;
                match name.chars().count() {
                    0 => Err(format!("Give the {} a name.", self.noun())),
                    1..=NAME_CHARS => Ok(name),
                    length => Err(format!(
                        "The name is {length} characters; the limit is {NAME_CHARS}. Shorten it."
                    )),
                }
            }
            TermField::ShortName => self.check_short(raw),
            TermField::Description => check_text("The description", false, raw, LONG_TEXT_BYTES, true),
            TermField::Parents => parents(raw),
            TermField::Tags => Ok(parse_tags(raw)?.join(", ")),
        }
    }

    fn check_short(self, raw: &str) -> Result<String, String> {
        let what = if self == Self::Technique { "The id" } else { "The short name" };
        let short = check_text(what, false, raw, SHORT_TEXT_BYTES, false)?;
        check_visible(&short)?;
        if short.is_empty() {
            let word = self.short_label().to_lowercase();
            let article = if self == Self::Technique { "an" } else { "a" };
            return Err(format!("Give the {} {article} {word}.", self.noun()));
        }
        let length = short.chars().count();
        if length > SHORT_CHARS {
            return Err(format!("{what} is {length} characters; the limit is {SHORT_CHARS}. Shorten it."));
        }
        match self {
            Self::Methodology => Ok(short),
            Self::Tactic => {
                let short = short.to_lowercase().replace([' ', '_'], "-");
                if is_joined(&short, &['-'], |c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
                    Ok(short)
                } else {
                    Err("A tactic’s short name is small letters and digits, joined by hyphens: web-recon."
                        .into())
                }
            }
            Self::Technique => {
                let short = short.to_uppercase();
                if is_attacks(&short) {
                    return Err(format!(
                        "{short} reads like an id of MITRE ATT&CK, which gives its own. Begin with letters \
                            of yours: HLF-{short}."
                    ));
                }
                if is_joined(&short, &['-', '.', '_'], |c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
                    Ok(short)
                } else {
                    Err("An id is letters and digits, joined by hyphens, dots or underscores: HLF-T1.".into())
                }
            }
        }
    }
}

/// Whether a text is parts of such characters, joined by one of these signs each.
fn is_joined(text: &str, joints: &[char], is_part: impl Fn(char) -> bool) -> bool {
    text.split(joints).all(|part| !part.is_empty() && part.chars().all(&is_part))
}

/// Whether an id reads like one of ATT&CK's: `T1003`, `T1003.001`, `TA0001`. The table has the same rule.
pub fn is_attacks(id: &str) -> bool {
    let Some(rest) = id.strip_prefix('T') else { return false };
    let rest = rest.strip_prefix('A').unwrap_or(rest);
    let (number, sub) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number.len() == 4 && digits(number) && digits(sub)
}

/// Ids as they were ticked, sorted and separated by commas.
fn parents(raw: &str) -> Result<String, String> {
    let parsed: Result<Vec<Uuid>, _> = set::keys(raw).map(str::parse).collect();
    let mut ids =
        parsed.map_err(|_| "One of the chosen is not known. Reload the page and choose again.".to_owned())?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","))
}

/// A term as it is stored, or about to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermText {
    pub name: String,
    pub short_name: String,
    pub description: String,
    pub parents: Vec<Uuid>,
    pub tags: Vec<String>,
}

impl TermText {
    pub fn get(&self, field: TermField) -> String {
        match field {
            TermField::Name => self.name.clone(),
            TermField::ShortName => self.short_name.clone(),
            TermField::Description => self.description.clone(),
            TermField::Parents => self.parents.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","),
            TermField::Tags => self.tags.join(", "),
        }
    }

    /// Takes a canonical value.
    pub fn set(&mut self, field: TermField, value: &str) {
        match field {
            TermField::Name => self.name = value.to_owned(),
            TermField::ShortName => self.short_name = value.to_owned(),
            TermField::Description => self.description = value.to_owned(),
            TermField::Parents => {
                self.parents = set::keys(value).filter_map(|id| id.parse().ok()).collect();
                self.parents.sort_unstable();
            }
            TermField::Tags => self.tags = split_tags(value).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_id_never_reads_like_one_of_attacks() {
        for id in ["T1003", "t1003.001", "TA0001", "T1003.1"] {
            let said = TermKind::Technique.check(TermField::ShortName, id).unwrap_err();
            assert!(said.contains("reads like an id of MITRE ATT&CK"), "{id}: {said}");
        }
        for (typed, id) in
            [("hlf-t1", "HLF-T1"), ("T100", "T100"), ("HLF-T1.1", "HLF-T1.1"), ("T10031", "T10031")]
        {
            assert_eq!(TermKind::Technique.check(TermField::ShortName, typed).as_deref(), Ok(id));
        }
        for id in ["HLF T1", "HLF--T1", "-A", "A.", "Ä1"] {
            assert!(TermKind::Technique.check(TermField::ShortName, id).is_err(), "{id}");
        }
    }

    #[test]
    fn short_names_are_what_they_are_used_for() {
        let of = |kind: TermKind, typed: &str| kind.check(TermField::ShortName, typed);
        assert_eq!(of(TermKind::Tactic, "Web Recon").as_deref(), Ok("web-recon"));
        assert!(of(TermKind::Tactic, "web--recon").is_err());
        assert_eq!(of(TermKind::Methodology, "OT / ICS").as_deref(), Ok("OT / ICS"));
        assert!(of(TermKind::Methodology, " ").unwrap_err().starts_with("Give the methodology a short name"));
        assert!(of(TermKind::Technique, "").unwrap_err().starts_with("Give the technique an id"));
    }

    #[test]
    fn a_term_holds_what_its_fields_say() {
        let id = Uuid::now_v7();
        let mut text = TermText::default();
        let values = [
            (TermField::Name, "Reading".to_owned()),
            (TermField::ShortName, "reading".to_owned()),
            (TermField::Description, "Long".to_owned()),
            (TermField::Parents, id.to_string()),
            (TermField::Tags, "a, b".to_owned()),
        ];
        for (field, value) in &values {
            text.set(*field, value);
        }
        for (field, value) in &values {
            assert_eq!(text.get(*field), *value);
        }
    }
}
