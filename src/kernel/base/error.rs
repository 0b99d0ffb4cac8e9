//! The one error type. Handlers and stores return it; the edge (`web::edge`) renders it as a page or a
//! fragment with a sentence, a way on and the request id, and logs the cause once.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use diesel::result::{DatabaseErrorKind, Error as Diesel};

use super::harmless::harmless;

/// What is wrong with a form: field name → sentence. Shown beside each field, answered as 422.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub BTreeMap<String, String>);

impl FieldErrors {
    pub fn one(field: &str, sentence: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, sentence);
        errors
    }
    /// Adds a sentence; the first one of a field stays. What it repeats of the text that was typed may hold
    /// characters that are not seen or turn what stands beside them: they are made visible.
    pub fn add(&mut self, field: &str, sentence: impl Into<String>) {
        let sentence = || harmless(&sentence.into()).into_owned();
        self.0.entry(field.to_owned()).or_insert_with(sentence);
    }
    /// The sentence of a field, for a template.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// `Ok` when nothing is wrong.
    pub fn done(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

/// Everything that can stop a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not for this person: 404, and nobody can tell which.
    #[error("not found")]
    NotFound,
    /// The person can see it but may not do this: 403 and an event.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The person must set up a second factor before anything else: its page.
    #[error("a second factor is due")]
    SecondFactorDue,
    /// The last proof of who the person is lies too far back for this: the page that asks for the password.
    #[error("a new proof is needed")]
    ProofNeeded,
    /// Nobody is signed in: the sign-in page.
    #[error("not signed in")]
    Unauthenticated,
    /// A form with faults: 422 with what was typed.
    #[error("invalid form: {0:?}")]
    Invalid(FieldErrors),
    /// A rule says no, in a sentence: 422.
    #[error("refused: {0}")]
    Refused(String),
    /// A form that no page of ours posts, in a sentence: 422 and an event.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Somebody else was quicker: 409 with what happened.
    #[error("conflict: {0}")]
    Conflict(String),
    /// It was here, and what it needs is lost on this server, in a sentence: 410.
    #[error("gone: {0}")]
    Gone(String),
    /// More than the limit says: 413.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The database, or a place in line for it, is not to be had now: 503 with Retry-After.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// As much of this work as the server does at once is under way: 503 with Retry-After.
    #[error("busy: {0}")]
    Busy(&'static str),
    /// Sent to a name that is not this installation's: 421.
    #[error("sent to another name")]
    Misdirected,
    /// A fault of ours: 500.
    #[error("internal: {0:#}")]
    Internal(anyhow::Error),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unauthenticated | Self::SecondFactorDue | Self::ProofNeeded => StatusCode::UNAUTHORIZED,
            Self::Invalid(_) | Self::Refused(_) | Self::Malformed(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Gone(_) => StatusCode::GONE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable(_) | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A form fault at one field.
    pub fn field(field: &str, sentence: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::one(field, sentence))
    }

    fn same_moment() -> Self {
        Self::Conflict(
            "Somebody changed this at the same moment. Look at it again, then repeat your change.".into(),
        )
    }

    /// The name of the violated constraint, where the database refused a change.
    pub fn constraint(error: &Diesel) -> Option<&str> {
        match error {
            Diesel::DatabaseError(_, info) => info.constraint_name(),
            _ => None,
        }
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        match &error {
            Diesel::NotFound => Self::NotFound,
            Diesel::BrokenTransactionManager => Self::Unavailable("the connection broke".into()),
            Diesel::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => {
                    Self::Unavailable(info.message().to_owned())
                }
                // What a new row belongs to was deleted between the check and the insert.
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ForeignKeyViolation => {
                    Self::same_moment()
                }
                // diesel has no kind of its own for these two.
                _ if ["deadlock detected", "canceling statement due to lock timeout"]
                    .contains(&info.message()) =>
                {
                    Self::same_moment()
                }
                // libpq reports a server that went away as an error without a code.
                DatabaseErrorKind::Unknown
                    if [
                        "server closed the connection",
                        "terminating connection",
                        "could not connect",
                        "no connection to the server",
                        "the database system is",
                    ]
                    .iter()
                    .any(|sign| info.message().contains(sign)) =>
                {
                    Self::Unavailable(info.message().to_owned())
                }
                // What no column can hold reaches the database only where a search or a sign-in was typed by
                // hand.
                _ if [
                    "invalid byte sequence for encoding",
                    "unsupported Unicode escape sequence",
                    "timestamp out of range",
                ]
                .iter()
                .any(|sign| info.message().starts_with(sign)) =>
                {
                    Self::Refused(
                        "What was sent holds a character or a number that no text here can have. \
                        Take it out."
                            .into(),
                    )
                }
                _ => Self::Internal(error.into()),
            },
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) => Self::Internal(other),
        }
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl actix_web::ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }
    // The body is written at the edge, which knows who asks and whether for a page or a fragment.
    fn error_response(&self) -> actix_web::HttpResponse {
        actix_web::HttpResponse::new(self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_repeats_what_was_typed_with_its_hidden_characters_made_visible() {
        let errors = FieldErrors::one("date", "“2026\u{1b}[2J\u{202e}” is not a date.");
        assert_eq!(errors.get("date"), Some("“2026⟨U+001B⟩[2J⟨U+202E⟩” is not a date."));
    }
}
