//! Words that people see, forms post and tables store, kept in one place: an enum whose variants carry the
//! stored value and the label. The table's CHECK repeats the stored values; a test compares the two.

/// A stored or posted word that the enum does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{value}” is not one of the known values of {what}")]
pub struct UnknownValue {
    pub what: &'static str,
    /// What was given instead.
    pub value: String,
}

/// What every enum of [`text_enum!`](crate::text_enum) says of itself, for code that works with any of them.
pub trait TextEnum:
    Copy + std::fmt::Debug + Eq + Ord + std::hash::Hash + std::str::FromStr<Err = UnknownValue> + 'static
{
    /// Every value, in the order people expect.
    const ALL: &'static [Self];
    /// The stored and posted value.
    fn as_str(self) -> &'static str;
    /// The word people see.
    fn label(self) -> &'static str;
}

/// Declares an enum stored as TEXT. `Variant => "stored", "Label";`
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$vmeta:meta])* $variant:ident => $stored:literal, $label:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name { $($(#[$vmeta])* #[doc = $label] $variant,)+ }

        impl $name {
            /// Every value, in the order people expect.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The stored and posted value.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $stored,)+ } }
            /// The word people see.
            pub fn label(self) -> &'static str { match self { $(Self::$variant => $label,)+ } }
        }
        impl $crate::kernel::base::text_enum::TextEnum for $name {
            const ALL: &'static [Self] = $name::ALL;
            fn as_str(self) -> &'static str { $name::as_str(self) }
            fn label(self) -> &'static str { $name::label(self) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.label()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::kernel::base::text_enum::UnknownValue;
            fn from_str(value: &str) -> Result<Self, Self::Err> {
                match value {
                    $($stored => Ok(Self::$variant),)+
                    _ => Err($crate::kernel::base::text_enum::UnknownValue {
                        what: stringify!($name),
                        value: value.chars().take(60).collect(),
                    }),
                }
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let value = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                value.parse().map_err(serde::de::Error::custom)
            }
        }
        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                let word = self.as_str();
                <str as diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg>>::to_sql(word, out)
            }
        }
        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                use diesel::sql_types::Text;
                let word: String = diesel::deserialize::FromSql::<Text, _>::from_sql(bytes)?;
                Ok(word.parse()?)
            }
        }
    };
}
