//! The second factor: time-based codes (RFC 6238: SHA-1, six digits, 30 seconds, one step of tolerance) and
//! recovery codes. Pure but for the random numbers.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::{Color, QrCode};
use rand::Rng;
use totp_rs::{Builder, Secret, Totp};

use crate::kernel::base::hex::random_hex;
use crate::kernel::base::ids::PersonId;

/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;
/// Modules of white around a QR code, as the standard asks.
const QUIET: usize = 4;

/// What the address of a secret may not hold as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A secret of a second factor, in the clear.
#[derive(Clone)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A new one: 160 bits, as RFC 4226 recommends.
    pub fn generate() -> Self {
        let mut bytes = vec![0u8; 20];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The secret encrypted for storing. It opens only for the same person.
    ///
    /// # Errors
    /// Never in practice: the cipher's limit lies far above 20 bytes.
    pub fn seal(&self, key: &[u8; 32], person: PersonId) -> anyhow::Result<Vec<u8>> {
        let mut nonce = [0u8; 12];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: &self.0, aad: person.0.as_bytes() };
        let sealed = Aes256Gcm::new(key.into())
            .encrypt(Nonce::from_slice(&nonce), payload)
            .map_err(|_| anyhow::anyhow!("sealing failed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a sealed secret; none when it was sealed for somebody else, under another key, or changed since.
    pub fn open(sealed: &[u8], key: &[u8; 32], person: PersonId) -> Option<Self> {
        let (nonce, sealed) = sealed.split_at_checked(12)?;
        let payload = Payload { msg: sealed, aad: person.0.as_bytes() };
        Aes256Gcm::new(key.into()).decrypt(Nonce::from_slice(nonce), payload).ok().map(Self)
    }

    fn totp(&self) -> Totp {
        Builder::new().with_secret(Secret::from(self.0.clone())).with_skew(1).build_noncompliant()
    }

    /// The step whose code this is, around `now` in seconds since 1970; none for a wrong code.
    pub fn step_of(&self, code: &str, now: i64) -> Option<i64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        i64::try_from(self.totp().check(&code, u64::try_from(now).ok()?)?).ok()
    }

    /// The code of `now`, in seconds since 1970: what an authenticator shows, for tests.
    pub fn code_at(&self, now: i64) -> String {
        self.totp().generate(now.unsigned_abs()).to_string()
    }

    /// For typing it into an authenticator by hand, in groups of four.
    pub fn words(&self) -> String {
        let text = Secret::from(self.0.clone()).to_base32();
        text.as_bytes()
            .chunks(4)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The secret from its words; none for anything else.
    pub fn from_words(words: &str) -> Option<Self> {
        let text: String = words.chars().filter(|c| !c.is_whitespace()).collect();
        Some(Self(Secret::try_from_base32(text).ok()?.as_ref().to_vec()))
    }

    /// The address that authenticators read from the QR code.
    pub fn address(&self, issuer: &str, account: &str) -> String {
        let encoded = |text| utf8_percent_encode(text, ENCODED);
        let secret = Secret::from(self.0.clone()).to_base32();
        format!("otpauth://totp/{0}:{1}?secret={secret}&issuer={0}", encoded(issuer), encoded(account))
    }
}

/// A QR code as the path of an SVG and the length of its sides.
///
/// # Errors
/// When the text is too long for one.
pub fn qr_path(text: &str) -> anyhow::Result<(usize, String)> {
    use std::fmt::Write;
    let code = QrCode::new(text)?;
    let width = code.width();
    let mut path = String::new();
    for (at, module) in code.to_colors().into_iter().enumerate() {
        if module == Color::Dark {
            write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET)?;
        }
    }
    Ok((width + 2 * QUIET, path))
}

/// Hexadecimal digits of a recovery code: 112 bits, so that a fast keyed hash is enough for keeping it (ASVS
/// 5.0, 6.5.2).
const CODE_DIGITS: usize = 28;
/// Those of the codes that earlier versions made; they are taken until they are used or replaced.
const OLD_CODE_DIGITS: usize = 12;

/// New recovery codes, such as "4f2a-91c0-7be3-…", in groups of four.
pub fn new_recovery_codes() -> Vec<String> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let hex = random_hex(CODE_DIGITS / 2);
            hex.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join("-")
        })
        .collect()
}

/// A recovery code as it is hashed, whatever way it was typed; none for what cannot be one.
pub fn recovery_code(typed: &str) -> Option<String> {
    let code: String =
        typed.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    [CODE_DIGITS, OLD_CODE_DIGITS].contains(&code.len()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_rfc_6238() {
        // The RFC's own secret; its table has eight digits, of which six are the end.
        let secret = TotpSecret(b"12345678901234567890".to_vec());
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(secret.code_at(at), code);
            assert_eq!(secret.step_of(code, at), Some(at / 30));
            assert_eq!(secret.step_of(code, at + 30), Some(at / 30), "one step late");
            assert_eq!(secret.step_of(code, at + 90), None);
        }
        assert_eq!(secret.step_of("287 082", 59), Some(1));
        assert_eq!(secret.step_of("", 59), None);
    }

    #[test]
    fn a_sealed_secret_opens_for_its_person_only() {
        let (secret, key, person) = (TotpSecret::generate(), [7; 32], PersonId::new());
        let sealed = secret.seal(&key, person).unwrap();
        assert_eq!(TotpSecret::open(&sealed, &key, person).unwrap().0, secret.0);
        assert!(TotpSecret::open(&sealed, &key, PersonId::new()).is_none());
        assert!(TotpSecret::open(&sealed, &[8; 32], person).is_none());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(TotpSecret::open(&changed, &key, person).is_none());
        assert!(TotpSecret::open(&sealed[..5], &key, person).is_none());
        assert_ne!(secret.seal(&key, person).unwrap(), sealed, "a nonce is never used twice");
    }

    #[test]
    fn a_secret_can_be_typed_by_hand() {
        let secret = TotpSecret::generate();
        assert_eq!(TotpSecret::from_words(&secret.words()).unwrap().0, secret.0);
        let address = secret.address("Harbour & Sons", "ines@tyrian.example");
        assert!(
            address.starts_with("otpauth://totp/Harbour%20%26%20Sons:ines@tyrian.example?secret="),
            "{address}"
        );
        let (side, path) = qr_path(&address).unwrap();
        assert!(side > 30 && path.starts_with('M'));
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let codes = new_recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert_eq!(recovery_code(&codes[0].to_uppercase().replace('-', " ")), recovery_code(&codes[0]));
        assert_eq!(recovery_code("123456"), None);
    }
}
