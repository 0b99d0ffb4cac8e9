//! A time zone as a column holds it: its IANA name.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use chrono_tz::Tz;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time zone of a row. A name that this build does not know is an error where it is read, and never some
/// other zone: the name was checked when it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Zone(Tz);

impl Zone {
    /// The zone to calculate with.
    pub fn tz(self) -> Tz {
        self.0
    }
    /// Its IANA name, such as `Europe/Lisbon`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl From<Tz> for Zone {
    fn from(zone: Tz) -> Self {
        Self(zone)
    }
}

impl Display for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone is called “{0}”")]
pub struct UnknownZone(String);

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone(name.chars().take(60).collect()))
    }
}

impl FromSql<Text, Pg> for Zone {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Pg>>::from_sql(bytes)?.parse()?)
    }
}

impl ToSql<Text, Pg> for Zone {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(self.name(), out)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_its_name() {
        let zone: Zone = "Europe/Lisbon".parse().unwrap();
        assert_eq!((zone.tz(), zone.to_string().as_str()), (Tz::Europe__Lisbon, "Europe/Lisbon"));
        assert_eq!(serde_json::to_value(zone).unwrap(), "Europe/Lisbon");
        assert_eq!(serde_json::from_value::<Zone>("Europe/Lisbon".into()).unwrap(), zone);
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        assert_eq!(
            "Mars/Base".parse::<Zone>().unwrap_err().to_string(),
            "no time zone is called “Mars/Base”"
        );
    }
}
