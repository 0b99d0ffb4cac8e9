//! What does not belong into the log and was laid aside by the database's owner: which row, why, when, and
//! the signature of the log's key. Verification then tells of it as a note instead of a fault.

use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::kernel::event::record::Place;

/// What the canonical bytes of a record begin with.
const CANONICAL: &[u8] = b"tyrian set aside 1";

crate::text_enum! {
    /// What kind of thing was laid aside.
    pub enum AsideKind {
        Seal => "seal", "Seal";
        /// The number that an event is said to have.
        Number => "number", "Number";
        /// A leaf kept for an event that was archived.
        Leaf => "leaf", "Leaf";
        Event => "event", "Event";
    }
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Seal(i64),
    Number(Place),
    Leaf(i64),
    Event(Place),
}

impl Subject {
    /// Reads one as it is typed; none where `which` does not fit `kind`.
    pub fn parse(kind: AsideKind, which: &str) -> Option<Self> {
        Some(match kind {
            AsideKind::Seal => Self::Seal(which.parse().ok()?),
            AsideKind::Leaf => Self::Leaf(which.parse().ok()?),
            AsideKind::Number => Self::Number(which.parse().ok()?),
            AsideKind::Event => Self::Event(which.parse().ok()?),
        })
    }
    pub fn kind(&self) -> AsideKind {
        match self {
            Self::Seal(_) => AsideKind::Seal,
            Self::Number(_) => AsideKind::Number,
            Self::Leaf(_) => AsideKind::Leaf,
            Self::Event(_) => AsideKind::Event,
        }
    }
    /// As it is typed and stored.
    pub fn which(&self) -> String {
        match self {
            Self::Seal(number) | Self::Leaf(number) => number.to_string(),
            Self::Number(place) | Self::Event(place) => place.to_string(),
        }
    }
    /// The event that it is about.
    pub fn event(&self) -> Option<Place> {
        match self {
            Self::Number(place) | Self::Event(place) => Some(*place),
            Self::Seal(_) | Self::Leaf(_) => None,
        }
    }
    /// As a sentence begins with it.
    pub fn name(&self) -> String {
        match self {
            Self::Seal(number) => format!("Seal {number}"),
            Self::Leaf(number) => format!("The leaf kept for event number {number}"),
            Self::Number(place) => format!("The number of {},", place.name().replacen("The", "the", 1)),
            Self::Event(place) => place.name() + ",",
        }
    }
    /// What the command line takes after `tyrian audit set-aside`.
    pub fn typed(&self) -> String {
        format!("{} {}", self.kind().as_str(), self.which())
    }
}

/// A record of something laid aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub subject: Subject,
    /// The row that was moved out of the log, as JSON of the database's; none where it stays.
    pub moved: Option<String>,
    pub reason: String,
    pub at: DateTime<Utc>,
    pub key: [u8; 32],
    pub signature: [u8; 64],
}

impl SetAside {
    /// A record signed with the log's key.
    pub fn sign(
        key: &SigningKey,
        subject: Subject,
        moved: Option<String>,
        reason: String,
        at: DateTime<Utc>,
    ) -> Self {
        let public = key.verifying_key().to_bytes();
        let mut made = Self { subject, moved, reason, at, key: public, signature: [0; 64] };
        made.signature = key.sign(&made.signed_bytes()).to_bytes();
        made
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let (kind, which) = (self.subject.kind().as_str(), self.subject.which());
        let mut bytes = CANONICAL.to_vec();
        for text in [kind, &which, self.moved.as_deref().unwrap_or_default(), &self.reason] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&self.at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// Whether a trusted key signed it.
    pub fn holds(&self, trusted: &[[u8; 32]]) -> bool {
        trusted.contains(&self.key)
            && VerifyingKey::from_bytes(&self.key).is_ok_and(|key| {
                key.verify_strict(&self.signed_bytes(), &Signature::from_bytes(&self.signature)).is_ok()
            })
    }

    /// What verification notes.
    pub fn note(&self) -> String {
        let reason = self.reason.trim_end_matches('.');
        let name = self.subject.name();
        format!("{name} was set aside on {}: {reason}.", self.at.format("%Y-%m-%d %H:%M:%S UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_was_signed_and_its_subject_is_read_as_it_is_written() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let trusted = [key.verifying_key().to_bytes()];
        let place = Place { at: DateTime::UNIX_EPOCH + chrono::TimeDelta::microseconds(17), id: 3 };
        for subject in [Subject::Seal(8), Subject::Number(place), Subject::Leaf(9), Subject::Event(place)] {
            assert_eq!(Subject::parse(subject.kind(), &subject.which()), Some(subject));
            let made = SetAside::sign(
                &key,
                subject,
                Some("{}".into()),
                "A row of a test.".into(),
                DateTime::UNIX_EPOCH,
            );
            assert!(made.holds(&trusted) && !made.holds(&[]));
            assert!(made.note().ends_with("was set aside on 1970-01-01 00:00:00 UTC: A row of a test."));
            assert!(!SetAside { reason: "Another".into(), ..made.clone() }.holds(&trusted));
            assert!(!SetAside { moved: None, ..made.clone() }.holds(&trusted));
            assert!(!SetAside { subject: Subject::Seal(1), ..made }.holds(&trusted));
        }
        assert_eq!(Subject::parse(AsideKind::Seal, "eight"), None);
    }
}
