//! Passwords, one-time links and the rules of a person's details. Pure but for the random numbers.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::hex::random_hex;
use crate::kernel::base::text::{LONG_TEXT_BYTES, check_text, check_visible};

crate::text_enum! {
    /// What a one-time link is for.
    pub enum LinkPurpose {
        FirstAdministrator => "first_administrator", "First administrator";
        Invitation => "invitation", "Invitation";
        Reset => "reset", "New password";
    }
}

crate::text_enum! {
    /// Whether an account is in use.
    pub enum AccountStatus {
        Active => "active", "Active";
        /// Made, and without a password yet.
        Invited => "invited", "Invited";
        Disabled => "disabled", "Disabled";
    }
}

/// Shortest password, in characters (NIST SP 800-63B: length counts, composition rules do not).
pub const PASSWORD_MIN: usize = 12;
/// Longest password, in characters; longer ones are refused before hashing.
pub const PASSWORD_MAX: usize = 256;

/// Guesses, as a power of ten, below which a password counts as one that is tried first: what withstands a
/// guesser who stole the hashes for a while (zxcvbn's third of four steps).
const GUESSES: f64 = 10.0;

/// Passwords of 12 characters and more among the million most used of those that were breached and published:
/// the first four bytes of the SHA-256 of each in lower case, in order. docs/SECURITY.md says where the list
/// is from.
static BREACHED: &[u8] = include_bytes!("breached.bin");

/// Sentences that every guesser knows, without their spaces.
const FAMOUS: [&str; 6] = [
    "correcthorsebatterystaple",
    "thequickbrownfoxjumpsoverthelazydog",
    "tobeornottobethatisthequestion",
    "maytheforcebewithyou",
    "iamyourfatherluke",
    "allyourbasearebelongtous",
];

/// Whether a password was breached or is famous, as it stands or without what people put around such a one;
/// one in fifty thousand others is taken for it.
fn is_known(password: &str) -> bool {
    use sha2::{Digest, Sha256};
    let (prefixes, _) = BREACHED.as_chunks::<4>();
    let breached = |text: &str| {
        let digest = Sha256::digest(text);
        prefixes.binary_search_by(|prefix| prefix.as_slice().cmp(&digest[..4])).is_ok()
    };
    let lower = password.to_lowercase();
    let letters: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let bare = letters.trim_matches(char::is_numeric);
    breached(&lower) || breached(&letters) || FAMOUS.contains(&bare)
}

/// Says what is wrong with a new password, if anything. There are no composition rules: length counts, and
/// that it is neither common nor made of the person's, the product's or the organisation's name (ASVS 5.0,
/// 6.2.1 to 6.2.12).
pub fn check_password(password: &str, name: &str, email: &str, organisation: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < PASSWORD_MIN {
        return Err(format!("Use at least {PASSWORD_MIN} characters; this has {length}."));
    }
    if length > PASSWORD_MAX {
        return Err(format!("Use at most {PASSWORD_MAX} characters."));
    }
    let mut own: Vec<&str> = vec!["tyrian", name, email, organisation];
    own.extend(name.split_whitespace().chain(organisation.split_whitespace()).chain(email.split(['@', '.'])));
    let lower = password.to_lowercase();
    // What is left without the guessable part must still be long enough to be worth something.
    let names = own.iter().map(|word| word.to_lowercase()).filter(|word| word.chars().count() > 2);
    let bare = names.fold(lower, |left, word| left.replace(&word, ""));
    if bare.chars().count() < PASSWORD_MIN / 2 {
        return Err("This is little more than a name of yours, the product's or the organisation's. Choose \
            something else."
            .into());
    }
    if is_known(password) {
        return Err(
            "This password is known from elsewhere, such as a published breach, and is tried first. \
            Choose something else."
                .into(),
        );
    }
    // It looks at the beginning: a long sentence is not weaker for its end, and judging one takes time.
    let head: String = password.chars().take(64).collect();
    if zxcvbn::zxcvbn(&head, &own).guesses_log10() < GUESSES {
        return Err(
            "This is among the passwords that are tried first. Choose something else, a sentence for \
            instance."
                .into(),
        );
    }
    Ok(())
}

/// Checks a name and an e-mail address as typed.
pub fn check_person(name: &str, email: &str, errors: &mut FieldErrors) {
    if name.trim().is_empty() {
        errors.add("name", "Type a name.");
    } else if name.chars().count() > 100 {
        errors.add("name", "Use at most 100 characters.");
    } else if let Err(sentence) =
        check_text("The name", false, name, LONG_TEXT_BYTES, false).and_then(|name| check_visible(&name))
    {
        errors.add("name", sentence);
    }
    let email = email.trim();
    let parts: Vec<&str> = email.split('@').collect();
    let plausible = parts.len() == 2
        && parts.iter().all(|p| !p.is_empty())
        && email.len() <= 254
        && !email.contains(char::is_whitespace);
    if !plausible {
        errors.add("email", "Type an e-mail address, such as ines@client.example.");
    }
}

/// Argon2id with 19 MiB and two passes: OWASP's first recommendation.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

/// Hashes a password; about 20 ms of one core.
///
/// # Errors
/// Only when the machine gives no random numbers.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    Ok(argon2()
        .hash_password(password.as_bytes())
        .map_err(|e| anyhow::anyhow!("hashing failed: {e}"))?
        .to_string())
}

/// Whether the password belongs to the hash. Without a hash a dummy is verified, so that an unknown account
/// takes as long.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    static DUMMY: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| hash_password(&random_hex(16)).unwrap_or_default());
    let known = hash.is_some();
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(&DUMMY)) else { return false };
    argon2().verify_password(password.as_bytes(), &parsed).is_ok() && known
}

/// A browser and system in words, such as "Firefox on Linux", from what a browser says of itself.
pub fn device(user_agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

/// Whether a hash was made with other parameters than today's.
pub fn is_outdated(hash: &str) -> bool {
    !hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_judged_by_length_and_guessability() {
        let judge = |p: &str| check_password(p, "Ines Otero", "ines@tyrian.example", "Quillfen Foods");
        assert!(judge("correct horse battery").is_ok());
        assert!(judge("short one").is_err());
        assert!(judge(&"x1y2z3".repeat(50)).is_err());
        assert!(judge("ines otero 12").is_err());
        for common in [
            "aaaaaaaaaaaabb",
            "password1234",
            "passwordpassword",
            "qwertyuiop12",
            "123456789012",
            "iloveyou1234",
            "quillfen2026!",
            // Found too weak by somebody who attacked this.
            "correcthorsebatterystaple",
            "Liverpool2024!!",
            "football2026foot",
            // Published after breaches, and of no pattern.
            "PolniyPizdec0211",
            "mailcreated5240",
        ] {
            assert!(judge(common).is_err(), "{common}");
        }
        assert!(judge("ein ganz langer Satz ohne Ziffern").is_ok(), "no composition rules");
    }

    #[test]
    fn a_hash_fits_its_password_only() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify_password("correct horse battery", Some(&hash)));
        assert!(!verify_password("correct horse batterz", Some(&hash)));
        assert!(!verify_password("anything at all", None));
    }
}
