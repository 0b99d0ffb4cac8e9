//! What bears tags, and a new name for one. Pure.

use crate::kernel::base::show::counted;
use crate::kernel::base::text::parse_tags;

crate::text_enum! {
    /// What bears tags; the label is that of several.
    pub enum Bearer {
        Procedure => "procedure", "library procedures";
        Term => "term", "techniques, tactics and methodologies";
        Plan => "plan", "test plans";
        Client => "client", "clients";
        Asset => "asset", "assets";
        Engagement => "engagement", "engagements";
        Report => "report", "reports";
        Finding => "finding", "findings";
    }
}

impl Bearer {
    /// "1 engagement", "3 findings".
    pub fn counted(self, number: &i64) -> String {
        let one = match self {
            Self::Procedure => "library procedure",
            Self::Term => "technique, tactic or methodology",
            Self::Plan => "test plan",
            Self::Client => "client",
            Self::Asset => "asset",
            Self::Engagement => "engagement",
            Self::Report => "report",
            Self::Finding => "finding",
        };
        counted(usize::try_from(*number).unwrap_or_default(), one, self.label())
    }

    /// The list of what bears a tag, up to the tag itself; none where there is no such list.
    pub fn list(self) -> Option<&'static str> {
        match self {
            Self::Procedure => Some("/library/procedures?tag="),
            Self::Plan => Some("/test-plans?q="),
            Self::Client => Some("/clients?tag="),
            Self::Engagement => Some("/engagements?tag="),
            Self::Report => Some("/reports?q="),
            Self::Finding => Some("/findings?state=all&q="),
            Self::Term | Self::Asset => None,
        }
    }
}

/// The one tag that somebody typed as a new name.
///
/// # Errors
/// A sentence for beside the field.
pub fn one_tag(typed: &str) -> Result<String, String> {
    let mut tags = parse_tags(typed)?;
    match (tags.pop(), tags.is_empty()) {
        (Some(tag), true) => Ok(tag),
        (None, _) => Err("Type the name that it shall have.".into()),
        (Some(_), false) => Err("A comma separates tags. Type one name without it.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_is_one_tag() {
        assert_eq!(one_tag(" Red  Team "), Ok("red  team".to_owned()));
        for (typed, said) in [("", "Type the name"), (" , ", "Type the name"), ("a, b", "A comma")] {
            assert!(one_tag(typed).unwrap_err().starts_with(said), "{typed}");
        }
    }
}
