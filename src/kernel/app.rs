//! What every request may reach: database, clock, configuration, secrets. One value, cheap to clone.

use std::sync::Arc;

use actix_web::cookie::Key;
use object_store::local::LocalFileSystem;

use crate::kernel::base::clock::Clock;
use crate::kernel::base::hex::hex;
use crate::kernel::config::Config;
use crate::kernel::db::Db;
use crate::kernel::job::{Jobs, Reach, Stopping};
use crate::kernel::live::Live;

#[derive(Clone)]
pub struct App {
    pub db: Db,
    /// The same database as the role that seals the audit log, and archives and drops its months.
    pub sealing: Db,
    pub clock: Clock,
    /// Settings of this process.
    pub config: Arc<Config>,
    /// Attachments, by their ids.
    pub blobs: Arc<LocalFileSystem>,
    /// Others' changes, as they happen.
    pub live: Live,
    /// The jobs actor of this process.
    pub jobs: Jobs,
    /// Keys made from the secret.
    pub keys: Arc<Keys>,
}

impl App {
    /// What jobs may reach of it.
    pub fn reach(&self) -> Reach {
        Reach {
            db: self.db.clone(),
            sealing: self.sealing.clone(),
            attachments: self.config.attachments(),
            archives: self.config.audit_archives(),
            config: self.config.clone(),
            by: None,
            asked: false,
            stopping: Stopping::default(),
        }
    }
}

/// Keys derived from `TYRIAN_SECRET_KEY`.
pub struct Keys {
    /// Signs and encrypts the session cookie.
    pub cookie: Key,
    /// Hashes session ids and one-time links before they are stored.
    pub hashing: [u8; 32],
    /// Encrypts the secrets of second factors.
    pub sealing: [u8; 32],
    /// Tells this secret from another without telling it: what the database keeps.
    pub fingerprint: [u8; 32],
    /// Names of the cookies.
    pub cookies: CookieNames,
}

/// Cookies of this installation. A browser sends the cookies of a host to each of its ports, so their names
/// carry a mark of the secret: two installations on one host leave each other's alone, and the nodes of one
/// have the same.
pub struct CookieNames {
    pub session: String,
    /// Carries one message over a redirect.
    pub message: String,
    /// A browser that somebody signed in with before.
    pub device: String,
}

impl CookieNames {
    /// Behind https no other host and no other path can set them.
    fn new(mark: &str, https: bool) -> Self {
        let name = |kind: &str| format!("{}tyrian-{mark}{kind}", if https { "__Host-" } else { "" });
        Self { session: name(""), message: name("-message"), device: name("-device") }
    }
}

impl Keys {
    /// Derives every key from the secret, which must have at least 32 bytes.
    pub fn derive(secret: &[u8], https: bool) -> Self {
        use hmac::{Hmac, KeyInit, Mac};
        let part = |label: &[u8]| -> [u8; 32] {
            // An HMAC takes a key of any length; the error type exists for other algorithms.
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret)
                .unwrap_or_else(|_| unreachable!("HMAC takes any key"));
            mac.update(label);
            mac.finalize().into_bytes().into()
        };
        let mut cookie = [0u8; 64];
        cookie[..32].copy_from_slice(&part(b"cookie 1"));
        cookie[32..].copy_from_slice(&part(b"cookie 2"));
        Self {
            cookie: Key::from(&cookie),
            hashing: part(b"hashing"),
            sealing: part(b"sealing"),
            fingerprint: part(b"fingerprint"),
            cookies: CookieNames::new(&hex(&part(b"cookie names")[..4]), https),
        }
    }

    /// Keyed hash of a secret that is stored only so.
    pub fn hash(&self, value: &str) -> [u8; 32] {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&self.hashing)
            .unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }
}
