//! Identifiers: UUIDv7, one type for each kind of thing, so that a client's id is never taken for an asset's.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, AsExpression, FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; later ones sort after earlier ones.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self { Self(Uuid::now_v7()) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Ok(Self(text.parse()?)) }
        }
        impl ToSql<diesel::sql_types::Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <Uuid as ToSql<diesel::sql_types::Uuid, Pg>>::to_sql(&self.0, out)
            }
        }
        impl FromSql<diesel::sql_types::Uuid, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self(<Uuid as FromSql<diesel::sql_types::Uuid, Pg>>::from_sql(bytes)?))
            }
        }
    )+};
}

ids! {
    /// A person with an account.
    PersonId;
    RoleId;
    ClientId;
    AssetId;
    /// A repository of library procedures.
    RepositoryId;
    /// A procedure of the library.
    LibraryProcedureId;
    TestPlanId;
    /// A methodology, tactic or technique of one's own.
    TermId;
    EngagementId;
    /// A procedure of an engagement.
    ProcedureId;
    LogEntryId;
    /// An attachment; also its key in the blob store.
    AttachmentId;
    ReportId;
    FindingId;
    /// A run of a job.
    JobRunId;
    /// A file that was brought to the library; also its place in the blob store.
    ImportId;
    /// A draft of something that has no row of its own yet, such as the wizard's.
    DraftId;
}

impl ProcedureId {
    /// The random tail of the id: enough to tell the procedures of one engagement apart, and short, because
    /// pages with two hundred of them carry each several times.
    pub fn short_key(self) -> String {
        self.0.simple().to_string().split_off(20)
    }
}
