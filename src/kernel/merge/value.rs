//! How a column is told as text, for the form and the history, and read back.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::kernel::base::text::parse_tags;
use crate::kernel::base::text_enum::TextEnum;
use crate::kernel::base::times;
use crate::kernel::base::zone::Zone;

/// A value with a canonical text, the one that is compared. Empty is none.
pub trait Value: Sized {
    fn to_text(&self) -> String;

    /// Reads a canonical text.
    ///
    /// # Errors
    /// A sentence for what is none.
    fn of_text(text: &str) -> Result<Self, String>;
}

impl Value for String {
    fn to_text(&self) -> String {
        self.clone()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl<T: TextEnum> Value for T {
    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|unknown: T::Err| unknown.to_string())
    }
}

impl<T: Value> Value for Option<T> {
    fn to_text(&self) -> String {
        self.as_ref().map(T::to_text).unwrap_or_default()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::of_text(text).map(Some) }
    }
}

impl Value for NaiveDate {
    fn to_text(&self) -> String {
        self.to_string()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("“{text}” is not a date."))
    }
}

impl Value for DateTime<Utc> {
    fn to_text(&self) -> String {
        times::instant(*self)
    }
    fn of_text(text: &str) -> Result<Self, String> {
        times::parse(text, Tz::UTC)
    }
}

impl Value for Tz {
    fn to_text(&self) -> String {
        self.name().to_owned()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        times::zone(text)
    }
}

impl Value for Zone {
    fn to_text(&self) -> String {
        self.to_string()
    }
    fn of_text(text: &str) -> Result<Self, String> {
        Ok(times::zone(text)?.into())
    }
}

impl Value for Vec<String> {
    fn to_text(&self) -> String {
        self.join(", ")
    }
    fn of_text(text: &str) -> Result<Self, String> {
        parse_tags(text)
    }
}
