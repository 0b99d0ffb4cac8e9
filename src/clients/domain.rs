//! What a client and an asset are made of, and which texts they take. Pure.

use chrono::{Days, NaiveDate};
use serde::Deserialize;

use crate::kernel::base::error::{Error, FieldErrors};
use crate::kernel::base::show;
use crate::kernel::base::text::{
    LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text, check_visible, parse_tags, split_tags,
};
use crate::kernel::merge::MergeField;
use crate::kernel::merge::record::Columns;

crate::text_enum! {
    /// What an asset is.
    pub enum AssetKind {
        Server => "server", "Server";
        Workstation => "workstation", "Workstation";
        NetworkDevice => "network_device", "Network Device";
        Application => "application", "Application";
        CloudResource => "cloud_resource", "Cloud Resource";
        Identity => "identity", "Identity";
        General => "general", "General";
    }
}

crate::text_enum! {
    /// How much depends on an asset.
    pub enum Criticality {
        Critical => "critical", "Critical";
        High => "high", "High";
        Medium => "medium", "Medium";
        Low => "low", "Low";
        Informational => "informational", "Informational";
    }
}

/// Longest name of a client or an asset, in characters.
pub const NAME_CHARS: usize = 120;

crate::text_enum! {
    /// The fields of a client, by the names they post under.
    pub enum ClientField {
        Name => "name", "Name";
        Description => "description", "Description";
        Contacts => "contacts", "Contacts";
        Tags => "tags", "Tags";
    }
}

impl MergeField for ClientField {
    fn is_long(self) -> bool {
        matches!(self, Self::Description | Self::Contacts)
    }
}

crate::text_enum! {
    /// The fields of an asset, by the names they post under.
    pub enum AssetField {
        Name => "name", "Name";
        Kind => "kind", "Kind";
        Criticality => "criticality", "Criticality";
        Address => "address", "Address";
        Description => "description", "Description";
        Tags => "tags", "Tags";
    }
}

impl MergeField for AssetField {
    fn is_long(self) -> bool {
        self == Self::Description
    }
}

/// Checks one field of a client and gives its canonical value: tags as "a, b".
///
/// # Errors
/// A sentence for beside the field.
pub fn check_client(field: ClientField, raw: &str) -> Result<String, String> {
    match field {
        ClientField::Name => check_name(raw, "Give the client a name."),
        ClientField::Description => check_text("The description", false, raw, LONG_TEXT_BYTES, true),
        ClientField::Contacts => check_text("The contacts", true, raw, LONG_TEXT_BYTES, true),
        ClientField::Tags => Ok(parse_tags(raw)?.join(", ")),
    }
}

/// Checks one field of an asset and gives its canonical value.
///
/// # Errors
/// A sentence for beside the field.
pub fn check_asset(field: AssetField, raw: &str) -> Result<String, String> {
    let listed = |known: bool, what: &str| {
        if known { Ok(raw.to_owned()) } else { Err(format!("Choose a {what} from the list.")) }
    };
    match field {
        AssetField::Name => check_name(raw, "Give the asset a name."),
        AssetField::Kind => listed(raw.parse::<AssetKind>().is_ok(), "kind"),
        AssetField::Criticality => listed(raw.parse::<Criticality>().is_ok(), "criticality"),
        AssetField::Address => check_text("The address", false, raw, SHORT_TEXT_BYTES, false),
        AssetField::Description => check_text("The description", false, raw, LONG_TEXT_BYTES, true),
        AssetField::Tags => Ok(parse_tags(raw)?.join(", ")),
    }
}

/// A canonical value of an asset's field as people read it.
pub fn read_asset(field: AssetField, value: &str) -> String {
    let label = match field {
        AssetField::Kind => value.parse().ok().map(AssetKind::label),
        AssetField::Criticality => value.parse().ok().map(Criticality::label),
        _ => None,
    };
    label.unwrap_or(value).to_owned()
}

/// A client as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TypedClient {
    pub name: String,
    /// Markdown.
    pub description: String,
    /// Markdown: whom to call.
    pub contacts: String,
    /// Separated by commas.
    pub tags: String,
}

crate::merge_columns! {
    TypedClient: ClientField {
        Name => name;
        Description => description;
        Contacts => contacts;
        Tags => tags;
    }
}

/// A client's texts, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientText {
    pub name: String,
    /// Markdown.
    pub description: String,
    /// Markdown.
    pub contacts: String,
    /// Trimmed, lower-cased, each once.
    pub tags: Vec<String>,
}

impl TypedClient {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a sentence for each field.
    pub fn check(&self) -> Result<ClientText, Error> {
        let mut errors = FieldErrors::default();
        let mut text = |field| keep(&mut errors, field, check_client(field, &self.get(field)));
        let (name, description) = (text(ClientField::Name), text(ClientField::Description));
        let (contacts, tags) = (text(ClientField::Contacts), text(ClientField::Tags));
        errors.done()?;
        Ok(ClientText { name, description, contacts, tags: split_tags(&tags).collect() })
    }
}

/// An asset as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedAsset {
    #[serde(default)]
    pub name: String,
    /// Stored value of [`AssetKind`].
    #[serde(default)]
    pub kind: String,
    /// Stored value of [`Criticality`].
    #[serde(default)]
    pub criticality: String,
    /// Host name, address, URL, account: one line.
    #[serde(default)]
    pub address: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// Separated by commas.
    #[serde(default)]
    pub tags: String,
}

impl Default for TypedAsset {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: AssetKind::Server.as_str().into(),
            criticality: Criticality::Medium.as_str().into(),
            address: String::new(),
            description: String::new(),
            tags: String::new(),
        }
    }
}

crate::merge_columns! {
    TypedAsset: AssetField {
        Name => name;
        Kind => kind;
        Criticality => criticality;
        Address => address;
        Description => description;
        Tags => tags;
    }
}

/// An asset's fields, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetText {
    pub name: String,
    pub kind: AssetKind,
    pub criticality: Criticality,
    /// One line.
    pub address: String,
    /// Markdown.
    pub description: String,
    /// Trimmed, lower-cased, each once.
    pub tags: Vec<String>,
}

impl TypedAsset {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a sentence for each field.
    pub fn check(&self) -> Result<AssetText, Error> {
        let mut errors = FieldErrors::default();
        let mut text = |field| keep(&mut errors, field, check_asset(field, &self.get(field)));
        let (name, kind) = (text(AssetField::Name), text(AssetField::Kind));
        let (criticality, address) = (text(AssetField::Criticality), text(AssetField::Address));
        let (description, tags) = (text(AssetField::Description), text(AssetField::Tags));
        errors.done()?;
        Ok(AssetText {
            name,
            kind: kind.parse().unwrap_or(AssetKind::General),
            criticality: criticality.parse().unwrap_or(Criticality::Medium),
            address,
            description,
            tags: split_tags(&tags).collect(),
        })
    }
}

/// For how many days a deleted engagement is kept.
const DELETED_DAYS: u64 = 30;

/// The last day on which an engagement that was deleted on `day` is kept.
pub fn kept_until(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(DELETED_DAYS)).unwrap_or(day)
}

/// What hangs on a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hanging {
    /// Its engagements, deleted ones included.
    pub engagements: i64,
    /// How many of them are deleted.
    pub deleted: i64,
    /// The last day on which one of those is kept.
    pub kept_until: Option<NaiveDate>,
    pub reports: i64,
    pub assets: i64,
}

impl Hanging {
    /// Why the client cannot be deleted, and what to do; none when nothing hangs on it.
    pub fn sentence(self) -> Option<String> {
        let mut parts = Vec::new();
        let open = self.engagements - self.deleted;
        parts.extend(several(open, "engagement", "engagements"));
        if let Some(deleted) = several(self.deleted, "deleted engagement", "deleted engagements") {
            parts.push(format!("{deleted} (kept until {})", day(self.kept_until)));
        }
        parts.extend(several(self.reports, "report", "reports"));
        parts.extend(several(self.assets, "asset", "assets"));
        let what = join(&parts)?;
        let way_on = match (self.deleted > 0, open + self.reports + self.assets > 0) {
            (false, _) => "Delete that first.".to_owned(),
            (true, false) => format!("The client stays at least until {}.", day(self.kept_until)),
            (true, true) => format!(
                "Delete what is not deleted yet; the client stays at least until {}.",
                day(self.kept_until)
            ),
        };
        Some(format!("This client cannot be deleted while something belongs to it: {what}. {way_on}"))
    }
}

/// What uses an asset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssetUses {
    /// Procedures of engagements that people can open.
    pub procedures: i64,
    /// Procedures of deleted engagements.
    pub deleted: i64,
    /// The last day on which one of those engagements is kept.
    pub kept_until: Option<NaiveDate>,
    pub findings: i64,
}

impl AssetUses {
    /// Why the asset cannot be deleted; none when nothing uses it.
    pub fn sentence(self) -> Option<String> {
        let mut parts = Vec::new();
        parts.extend(several(self.procedures, "procedure", "procedures"));
        parts.extend(several(self.findings, "finding", "findings"));
        if let Some(deleted) = several(self.deleted, "procedure", "procedures") {
            let until = day(self.kept_until);
            parts.push(format!("{deleted} of a deleted engagement, which is kept until {until}"));
        }
        let what = join(&parts)?;
        Some(format!("This asset cannot be deleted: it is used in {what}. What was tested stays known."))
    }
}

fn several(n: i64, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn day(day: Option<NaiveDate>) -> String {
    day.map(show::date).unwrap_or_default()
}

/// "a", "a and b", "a, b and c".
fn join(parts: &[String]) -> Option<String> {
    let (last, first) = parts.split_last()?;
    Some(if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) })
}

fn keep<F: MergeField>(errors: &mut FieldErrors, field: F, checked: Result<String, String>) -> String {
    checked.unwrap_or_else(|sentence| {
        errors.add(field.as_str(), sentence);
        String::new()
    })
}

fn check_name(raw: &str, missing: &str) -> Result<String, String> {
    let name = check_text("The name", false, raw, LONG_TEXT_BYTES, false)?;
    check_visible(&name)?;
    let length = name.chars().count();
    match length {
        0 => Err(missing.to_owned()),
        1..=NAME_CHARS => Ok(name),
        _ => Err(format!("The name is {length} characters; the limit is {NAME_CHARS}. Shorten it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_a_name_and_plain_texts() {
        let typed = TypedClient {
            name: " Harbor Light ".into(),
            tags: "Retail, retail,PCI ".into(),
            ..TypedClient::default()
        };
        let text = typed.check().unwrap();
        assert_eq!(
            (text.name.as_str(), text.tags),
            ("Harbor Light", vec!["retail".to_owned(), "pci".to_owned()])
        );
        let Err(Error::Invalid(errors)) =
            (TypedClient { name: " ".into(), description: "a\u{0}".into(), ..TypedClient::default() })
                .check()
        else {
            panic!("refused")
        };
        assert!(errors.get("name").is_some() && errors.get("description").is_some());
        assert!((TypedClient { name: "x".repeat(121), ..TypedClient::default() }).check().is_err());
    }

    #[test]
    fn an_asset_takes_known_kinds_only() {
        let typed = TypedAsset { name: "HL-WS-014".into(), ..TypedAsset::default() };
        assert_eq!(typed.check().unwrap().kind, AssetKind::Server);
        let Err(Error::Invalid(errors)) = (TypedAsset { kind: "toaster".into(), ..typed.clone() }).check()
        else {
            panic!("refused")
        };
        assert!(errors.get("kind").is_some() && errors.get("criticality").is_none());
        assert!((TypedAsset { address: "a\nb".into(), ..typed }).check().is_err());
    }

    #[test]
    fn what_hangs_on_a_client_is_named() {
        assert_eq!(Hanging::default().sentence(), None);
        let kept_until = Some(kept_until(NaiveDate::from_ymd_opt(2026, 11, 28).unwrap()));
        let hanging = Hanging { engagements: 3, deleted: 1, kept_until, reports: 1, assets: 4 };
        assert_eq!(
            hanging.sentence().unwrap(),
            "This client cannot be deleted while something belongs to it: 2 engagements, 1 deleted \
                engagement (kept until 28 Dec 2026), 1 report and 4 assets. Delete what is not deleted yet; \
                the client stays at least until 28 Dec 2026."
        );
        let deleted = Hanging { engagements: 1, deleted: 1, kept_until, ..Hanging::default() };
        assert_eq!(
            deleted.sentence().unwrap(),
            "This client cannot be deleted while something belongs to it: 1 deleted engagement (kept until \
                28 Dec 2026). The client stays at least until 28 Dec 2026."
        );
        let plain = Hanging { assets: 1, ..Hanging::default() };
        assert!(plain.sentence().unwrap().ends_with(": 1 asset. Delete that first."));
        assert_eq!(AssetUses::default().sentence(), None);
        let uses = AssetUses { procedures: 1, deleted: 3, kept_until, findings: 2 };
        assert_eq!(
            uses.sentence().unwrap(),
            "This asset cannot be deleted: it is used in 1 procedure, 2 findings and 3 procedures of a \
                deleted engagement, which is kept until 28 Dec 2026. What was tested stays known."
        );
    }
}
