//! A seal: numbers, the Merkle root of its batch, the digest of the seal before it, the time, and a
//! signature. And the keys: a file outside the database that signs, and a list of public keys that are
//! trusted.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::audit::proof::merkle::Digest;
use crate::kernel::base::hex::{hex, random_hex, unhex};
use crate::kernel::config::Config;

/// What the canonical bytes of a seal begin with.
const CANONICAL: &[u8] = b"tyrian seal 1";

/// No batch of any version is larger by far.
const MOST_EVENTS: i64 = 1_000_000;

/// A seal over one batch of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Its number, from 1 on without a gap.
    pub number: i64,
    /// Number of its first event.
    pub first: i64,
    /// Number of its last event.
    pub last: i64,
    /// Merkle root over the leaves of its events.
    pub root: Digest,
    /// Digest of the seal before it; zeros before the first.
    pub previous: Digest,
    /// When it was made, by the database's clock.
    pub at: DateTime<Utc>,
    /// System identifier of the cluster in which its transactions were counted.
    pub cluster: i64,
    /// The transaction up to which events are sealed, in that cluster.
    pub through_transaction: i64,
    /// And the event within it.
    pub through_id: i64,
    /// The key it is signed with.
    pub key: [u8; 32],
    /// Ed25519 over everything above.
    pub signature: [u8; 64],
}

impl Seal {
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = CANONICAL.to_vec();
        for number in [self.number, self.first, self.last] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.root);
        bytes.extend_from_slice(&self.previous);
        for number in [self.at.timestamp_micros(), self.cluster, self.through_transaction, self.through_id] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// What the next seal names it by.
    pub fn digest(&self) -> Digest {
        Sha256::new().chain_update(self.signed_bytes()).chain_update(self.signature).finalize().into()
    }

    /// Whether the signature is that of its key.
    pub fn is_signed(&self) -> bool {
        VerifyingKey::from_bytes(&self.key).is_ok_and(|key| {
            key.verify_strict(&self.signed_bytes(), &Signature::from_bytes(&self.signature)).is_ok()
        })
    }

    /// How many events it seals.
    pub fn events(&self) -> i64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The sentence of what is wrong with it as the successor of `before`; none where nothing is.
    pub fn fault_after(&self, before: Option<&Self>, trusted: &[[u8; 32]]) -> Option<String> {
        let (number, last, digest) =
            before.map_or((0, 0, [0; 32]), |seal| (seal.number, seal.last, seal.digest()));
        if self.number != number.saturating_add(1) {
            return Some(format!(
                "Seal {} is missing: seal {number} is followed by seal {}.",
                number.saturating_add(1),
                self.number
            ));
        }
        self.own_fault(trusted).or_else(|| self.link_fault(last, &digest))
    }

    fn link_fault(&self, last: i64, digest: &Digest) -> Option<String> {
        if self.previous != *digest {
            Some(format!("Seal {} is broken: it does not name the seal before it.", self.number))
        } else if self.first != last.saturating_add(1) || self.last < self.first {
            Some(format!(
                "Seal {} is broken: its events do not begin after those of the seal before it.",
                self.number
            ))
        } else {
            None
        }
    }

    /// Whether a seal may be made on top of it: it follows `before`, whoever signed it. What does not is a
    /// row that somebody wrote into the table.
    pub fn is_sound_after(&self, before: Option<&Self>) -> bool {
        let (number, last, digest) =
            before.map_or((0, 0, [0; 32]), |seal| (seal.number, seal.last, seal.digest()));
        self.number.checked_sub(1) == Some(number)
            && last.checked_add(1) == Some(self.first)
            && self.events() <= MOST_EVENTS
            && self.link_fault(last, &digest).is_none()
    }

    /// The sentence of what is wrong with its signature.
    pub fn own_fault(&self, trusted: &[[u8; 32]]) -> Option<String> {
        if !self.is_signed() {
            Some(format!("Seal {} is broken: its signature does not fit what it says.", self.number))
        } else if !trusted.contains(&self.key) {
            Some(format!(
                "Seal {} is broken: it is signed by the key {}, which is not among the trusted ones.",
                self.number,
                hex(&self.key)
            ))
        } else {
            None
        }
    }
}

/// A seal as files hold it.
#[derive(Serialize, Deserialize)]
struct Written {
    number: i64,
    first: i64,
    last: i64,
    root: String,
    previous: String,
    at: String,
    cluster: i64,
    through_transaction: i64,
    through_id: i64,
    key: String,
    signature: String,
}

impl Serialize for Seal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            number: self.number,
            first: self.first,
            last: self.last,
            root: hex(&self.root),
            previous: hex(&self.previous),
            at: self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            cluster: self.cluster,
            through_transaction: self.through_transaction,
            through_id: self.through_id,
            key: hex(&self.key),
            signature: hex(&self.signature),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Seal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = Written::deserialize(deserializer)?;
        let bytes = |text: &str| {
            unhex::<32>(text).ok_or_else(|| D::Error::custom("64 hexadecimal digits are wanted"))
        };
        Ok(Self {
            number: written.number,
            first: written.first,
            last: written.last,
            root: bytes(&written.root)?,
            previous: bytes(&written.previous)?,
            at: DateTime::parse_from_rfc3339(&written.at).map_err(D::Error::custom)?.to_utc(),
            cluster: written.cluster,
            through_transaction: written.through_transaction,
            through_id: written.through_id,
            key: bytes(&written.key)?,
            signature: unhex::<64>(&written.signature)
                .ok_or_else(|| D::Error::custom("128 hexadecimal digits are wanted"))?,
        })
    }
}

/// The files beside the database: the key that signs, the list of keys that are trusted, and the newest seal.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    key: PathBuf,
    trusted: PathBuf,
    head: PathBuf,
    /// What was told when the newest seal was last found lost.
    lost: PathBuf,
    /// Where earlier versions kept the list and the newest seal, wherever the key was.
    earlier: PathBuf,
}

/// What is kept beside the key of the newest seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    Seal(Box<Seal>),
    /// A word of the key that it has sealed nothing yet.
    Nothing,
    Missing,
    /// The sentence that says why.
    Unreadable(String),
}

/// The newest seal was found lost, and an event of the log told of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Loss {
    /// Digest of the seal, 64 hexadecimal digits; the event's detail bears it.
    pub seal: String,
    /// The event's sentence, as it stands in the log.
    pub sentence: String,
    pub found: DateTime<Utc>,
}

impl Kept {
    /// The seal, where one is kept.
    pub fn seal(&self) -> Option<&Seal> {
        if let Self::Seal(seal) = self { Some(seal) } else { None }
    }
}

impl KeyFiles {
    /// Those of an installation.
    pub fn of(config: &Config) -> Self {
        Self::at(&config.data_dir, config.audit_key_file.as_deref(), config.audit_head_file.as_deref())
    }
    /// Those in a data directory; the key itself may lie elsewhere.
    pub fn new(data_dir: &Path, key: Option<&Path>) -> Self {
        Self::at(data_dir, key, None)
    }
    /// The key and the newest seal may each lie elsewhere; the list of keys is beside the newest seal, and
    /// that beside the key where nothing else is said.
    pub fn at(data_dir: &Path, key: Option<&Path>, head: Option<&Path>) -> Self {
        let key = key.map_or_else(|| data_dir.join("audit.key"), Path::to_owned);
        let head = head.map_or_else(|| key.with_extension("head"), Path::to_owned);
        Self {
            key,
            trusted: head.with_extension("pub"),
            lost: head.with_extension("lost"),
            head,
            earlier: data_dir.to_owned(),
        }
    }

    /// Where the newest seal is kept.
    pub fn head_path(&self) -> &Path {
        &self.head
    }

    /// Whether there is a key, or a list of keys that were there.
    pub fn is_any_key(&self) -> bool {
        self.key.exists() || self.trusted().is_ok_and(|keys| !keys.is_empty())
    }

    /// Whether what is to be written beside the key can be.
    ///
    /// # Errors
    /// A sentence that names the file and the way out.
    pub fn check_writable(&self) -> anyhow::Result<()> {
        let advice = "the audit log keeps its newest seal and the list of its keys there. Let the server's \
            account write there, or name another place with TYRIAN_AUDIT_HEAD_FILE";
        let beside = beside(&self.head);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
            .and_then(|_| fs::remove_file(&beside))
            .with_context(|| format!("{} cannot be written: {advice}", self.head.display()))?;
        if self.trusted.exists() {
            fs::OpenOptions::new()
                .append(true)
                .open(&self.trusted)
                .with_context(|| format!("{} cannot be written: {advice}", self.trusted.display()))?;
        }
        Ok(())
    }

    /// What an earlier version left in the data directory, where newest seal and list of keys lie elsewhere
    /// now and are not there yet: pairs of from and to.
    pub fn to_take_over(&self) -> Vec<(PathBuf, PathBuf)> {
        if self.head.exists() || self.trusted.exists() {
            return Vec::new();
        }
        let pairs = [("audit.head", &self.head), ("audit.pub", &self.trusted), ("audit.lost", &self.lost)];
        let pairs = pairs.map(|(name, to)| (self.earlier.join(name), to.clone()));
        pairs.into_iter().filter(|(from, to)| from != to && from.is_file()).collect()
    }

    /// Moves them; whole at the new place before they are gone at the old one.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn take_over(&self) -> anyhow::Result<()> {
        let pairs = self.to_take_over();
        for (from, to) in &pairs {
            let text = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
            write_whole(to, &text)?;
        }
        for (from, _) in &pairs {
            fs::remove_file(from).with_context(|| format!("{} cannot be removed", from.display()))?;
        }
        Ok(())
    }

    /// The key, made on the first call. A key that is new here says beside itself that it has sealed nothing
    /// yet: a key alone is then one whose newest seal is gone.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn signing_key(&self) -> anyhow::Result<SigningKey> {
        let made = !self.key.exists();
        if made {
            // Whole before it has its name: another process may be looking for it.
            let beside = beside(&self.key);
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)
                .with_context(|| format!("{} cannot be written", self.key.display()))?;
            file.write_all(random_hex(32).as_bytes())?;
            file.sync_all()?;
            let named = fs::hard_link(&beside, &self.key);
            fs::remove_file(&beside)?;
            match named {
                // Another process made it a moment ago.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.with_context(|| format!("{} cannot be written", self.key.display()))?,
            }
        }
        let text = fs::read_to_string(&self.key)
            .with_context(|| format!("{} cannot be read", self.key.display()))?;
        let Some(secret) = unhex::<32>(text.trim()) else {
            bail!("{} must hold 64 hexadecimal digits", self.key.display())
        };
        let key = SigningKey::from_bytes(&secret);
        if made && !self.head.exists() && self.trusted()?.is_empty() {
            self.keep_nothing(&key)?;
        }
        Ok(key)
    }

    /// Adds a key to those whose seals count.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn trust(&self, key: &[u8; 32]) -> anyhow::Result<()> {
        let mut list = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.trusted)
            .with_context(|| format!("{} cannot be written", self.trusted.display()))?;
        writeln!(list, "{}", hex(key))
            .with_context(|| format!("{} cannot be written", self.trusted.display()))
    }

    /// The keys whose seals count.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn trusted(&self) -> anyhow::Result<Vec<[u8; 32]>> {
        read_keys(&self.trusted)
    }

    /// The same as the file has them, one in each line.
    ///
    /// # Errors
    /// As [`KeyFiles::trusted`].
    pub fn trusted_text(&self) -> anyhow::Result<String> {
        Ok(self.trusted()?.iter().map(|key| hex(key) + "\n").collect())
    }

    /// What is kept beside the key.
    pub fn kept(&self) -> Kept {
        let text = match fs::read_to_string(&self.head) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Kept::Missing,
            Err(e) => return Kept::Unreadable(format!("{} cannot be read: {e}", self.head.display())),
        };
        match serde_json::from_str::<Seal>(&text) {
            Ok(seal) if seal.number != 0 => Kept::Seal(Box::new(seal)),
            // Whoever has no key cannot say that nothing was sealed.
            Ok(seal) if seal.is_signed() => Kept::Nothing,
            _ => Kept::Unreadable(format!("{} is no seal", self.head.display())),
        }
    }

    /// The newest seal that was made from here.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn head(&self) -> anyhow::Result<Option<Seal>> {
        match self.kept() {
            Kept::Seal(seal) => Ok(Some(*seal)),
            Kept::Nothing | Kept::Missing => Ok(None),
            Kept::Unreadable(sentence) => bail!(sentence),
        }
    }

    /// Keeps the newest seal. Written beside and renamed, so that there is always a whole one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_head(&self, seal: &Seal) -> anyhow::Result<()> {
        write_whole(&self.head, serde_json::to_string(seal)?.as_bytes())
    }

    /// What was told when the newest seal was last found lost.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn loss(&self) -> anyhow::Result<Option<Loss>> {
        let text = match fs::read_to_string(&self.lost) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("{} cannot be read", self.lost.display())),
        };
        let loss = serde_json::from_str(&text);
        Ok(Some(loss.with_context(|| format!("{} says nothing of a seal", self.lost.display()))?))
    }

    /// Keeps what is told of a loss, so that whoever owns the database alone cannot take the word back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_loss(&self, loss: &Loss) -> anyhow::Result<()> {
        write_whole(&self.lost, serde_json::to_string(loss)?.as_bytes())
    }

    /// Where that is kept.
    pub fn lost_path(&self) -> &Path {
        &self.lost
    }

    /// The public half of the key, where it can be read from here.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        self.key.exists().then(|| self.signing_key().ok()).flatten().map(|key| key.verifying_key().to_bytes())
    }

    /// Keeps the key's word that nothing is sealed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_nothing(&self, key: &SigningKey) -> anyhow::Result<()> {
        self.keep_head(&nothing(key))
    }
}

/// Writes a file beside its place and renames it.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = beside(path);
    let mut file =
        fs::File::create(&beside).with_context(|| format!("{} cannot be written", beside.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path).with_context(|| {
        let _ = fs::remove_file(&beside);
        format!("{} cannot be written", path.display())
    })
}

/// A name beside a file that no other process has.
fn beside(path: &Path) -> PathBuf {
    path.with_extension(format!("new-{}", random_hex(6)))
}

/// Reads a list of public keys, one in each line.
///
/// # Errors
/// When the file cannot be read, or a line is no key.
pub fn read_keys(path: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(|| format!("{} cannot be read", path.display())),
    };
    let key = |line: &str| {
        unhex::<32>(line).with_context(|| {
            format!("{} holds a line that is no key of 64 hexadecimal digits", path.display())
        })
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(key).collect()
}

/// What a key signs before its first seal: a seal with the number 0 over no event.
fn nothing(key: &SigningKey) -> Seal {
    let mut seal = Seal {
        number: 0,
        first: 0,
        last: 0,
        root: [0; 32],
        previous: [0; 32],
        at: DateTime::UNIX_EPOCH,
        cluster: 0,
        through_transaction: 0,
        through_id: 0,
        key: key.verifying_key().to_bytes(),
        signature: [0; 64],
    };
    seal.signature = key.sign(&seal.signed_bytes()).to_bytes();
    seal
}

/// Makes the seal after `before` over a batch.
pub fn make(
    key: &SigningKey,
    before: Option<&Seal>,
    leaves: &[Digest],
    at: DateTime<Utc>,
    cluster: i64,
    through: (i64, i64),
) -> Seal {
    let first = before.map_or(0, |seal| seal.last) + 1;
    let mut seal = Seal {
        number: before.map_or(0, |seal| seal.number) + 1,
        first,
        last: first + leaves.len() as i64 - 1,
        root: crate::audit::proof::merkle::root(leaves),
        previous: before.map_or([0; 32], Seal::digest),
        at,
        cluster,
        through_transaction: through.0,
        through_id: through.1,
        key: key.verifying_key().to_bytes(),
        signature: [0; 64],
    };
    seal.signature = key.sign(&seal.signed_bytes()).to_bytes();
    seal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::proof::merkle::leaf;

    fn chain() -> (SigningKey, Vec<Seal>) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut seals: Vec<Seal> = Vec::new();
        for n in 1..=4i64 {
            let leaves: Vec<Digest> = (0..n).map(|i| leaf(&i.to_be_bytes())).collect();
            let seal = make(&key, seals.last(), &leaves, DateTime::UNIX_EPOCH, 5, (n, n));
            seals.push(seal);
        }
        (key, seals)
    }

    fn fault(seals: &[Seal], trusted: &[[u8; 32]]) -> Option<String> {
        let mut before = None;
        seals.iter().find_map(|seal| {
            let fault = seal.fault_after(before, trusted);
            before = Some(seal);
            fault
        })
    }

    #[test]
    fn a_chain_holds_and_whatever_is_changed_in_it_breaks_it() {
        let (key, seals) = chain();
        let trusted = [key.verifying_key().to_bytes()];
        assert_eq!(fault(&seals, &trusted), None);
        assert!(fault(&seals, &[]).unwrap().contains("not among the trusted"));
        let changes: [fn(&mut Seal); 7] = [
            |seal| seal.root[0] ^= 1,
            |seal| seal.previous[0] ^= 1,
            |seal| seal.last += 1,
            |seal| seal.at += chrono::TimeDelta::seconds(1),
            |seal| seal.through_id += 1,
            |seal| seal.key[0] ^= 1,
            |seal| seal.signature[0] ^= 1,
        ];
        for change in changes {
            let mut seals = seals.clone();
            change(&mut seals[2]);
            assert!(fault(&seals, &trusted).unwrap().starts_with("Seal 3 is broken"));
        }
        let without: Vec<Seal> = seals.iter().filter(|seal| seal.number != 3).cloned().collect();
        assert!(fault(&without, &trusted).unwrap().starts_with("Seal 3 is missing"));
        // Signed anew by somebody with another key.
        let thief = SigningKey::from_bytes(&[8; 32]);
        let mut seals = seals;
        seals[3] = make(&thief, Some(&seals[2]), &[leaf(b"x")], DateTime::UNIX_EPOCH, 5, (9, 9));
        assert!(fault(&seals, &trusted).unwrap().contains("not among the trusted"));
    }

    #[test]
    fn files_hold_seals_and_keys() {
        let place = std::env::temp_dir().join(format!("tyrian-seal-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let files = KeyFiles::new(&place, None);
        assert_eq!(files.kept(), Kept::Missing);
        let key = files.signing_key().unwrap();
        assert_eq!(files.signing_key().unwrap(), key);
        assert_eq!((files.kept(), files.head().unwrap()), (Kept::Nothing, None));
        assert!(files.trusted().unwrap().is_empty(), "a key is trusted once that is said");
        files.trust(&key.verifying_key().to_bytes()).unwrap();
        assert_eq!(files.trusted().unwrap(), [key.verifying_key().to_bytes()]);
        let seal = make(&key, None, &[leaf(b"x")], DateTime::UNIX_EPOCH, 5, (9, 9));
        files.keep_head(&seal).unwrap();
        assert_eq!(files.head().unwrap(), Some(seal.clone()));
        // Nobody without the key says that nothing was sealed.
        let word = serde_json::to_string(&Seal { number: 0, ..seal.clone() }).unwrap();
        fs::write(place.join("audit.head"), word).unwrap();
        assert!(matches!(files.kept(), Kept::Unreadable(_)));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn head_and_list_lie_beside_the_key_or_where_they_are_told_to_and_are_taken_over_once() {
        let place = std::env::temp_dir().join(format!("tyrian-seal-places-{}", std::process::id()));
        let (data, keys, state) = (place.join("data"), place.join("keys"), place.join("state"));
        for directory in [&data, &keys, &state] {
            fs::create_dir_all(directory).unwrap();
        }
        let key = SigningKey::from_bytes(&[7; 32]);
        let seal = make(&key, None, &[leaf(b"x")], DateTime::UNIX_EPOCH, 5, (9, 9));
        let before = KeyFiles::new(&data, None);
        before.keep_head(&seal).unwrap();
        before.trust(&seal.key).unwrap();
        assert!(before.to_take_over().is_empty());
        let beside = KeyFiles::new(&data, Some(&keys.join("audit.key")));
        assert_eq!(beside.head_path(), keys.join("audit.head"));
        assert_eq!(beside.to_take_over().len(), 2);
        beside.take_over().unwrap();
        assert_eq!((beside.head().unwrap(), beside.trusted().unwrap()), (Some(seal.clone()), vec![seal.key]));
        assert_eq!((before.kept(), before.trusted().unwrap().len()), (Kept::Missing, 0));
        // One that lies there later does not come in its place.
        before.keep_head(&seal).unwrap();
        assert!(beside.to_take_over().is_empty());
        let named = KeyFiles::at(&data, Some(&keys.join("audit.key")), Some(&state.join("newest")));
        named.check_writable().unwrap();
        named.trust(&seal.key).unwrap();
        assert!(state.join("newest.pub").exists());
        let nowhere = KeyFiles::at(&data, None, Some(&place.join("missing/audit.head")));
        let said = nowhere.check_writable().unwrap_err().to_string();
        assert!(said.contains("TYRIAN_AUDIT_HEAD_FILE"), "{said}");
        fs::remove_dir_all(&place).unwrap();
    }
}
