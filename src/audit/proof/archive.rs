//! Archives: one month of events as JSON Lines under zstd. After the events, in the order of time, come the
//! leaves of other months' events in shared batches, the seals, and an end that says how many there are; so
//! an archive proves itself.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::audit::proof::merkle::Digest;
use crate::audit::proof::seal::Seal;
use crate::kernel::base::hex::{hex, random_hex};
use crate::kernel::event::record::Record;

/// How hard zstd tries: its own middle, and faster than the disk.
const LEVEL: i32 = 3;

/// An archive that is being written, beside the place where it will lie.
pub struct Writer {
    out: zstd::Encoder<'static, Hashing<BufWriter<File>>>,
    beside: PathBuf,
    path: PathBuf,
    events: i64,
}

struct Hashing<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

impl Writer {
    /// Begins an archive at `path`.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn begin(path: &Path) -> anyhow::Result<Self> {
        if let Some(directory) = path.parent() {
            crate::kernel::base::private::directory(directory)?;
        }
        let beside = path.with_extension(format!("new-{}", random_hex(6)));
        let file =
            File::create(&beside).with_context(|| format!("{} cannot be written", beside.display()))?;
        let out = zstd::Encoder::new(Hashing { inner: BufWriter::new(file), digest: Sha256::new() }, LEVEL)?;
        Ok(Self { out, beside, path: path.to_owned(), events: 0 })
    }

    /// Adds an event with its number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn event(&mut self, event: &Record, number: i64) -> anyhow::Result<()> {
        self.events += 1;
        Ok(writeln!(self.out, "{}", event.to_line(Some(number), None)?)?)
    }

    /// Adds the leaf of another month's event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leaf(&mut self, number: i64, leaf: &Digest) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{}", json!({ "leaf": { "number": number, "leaf": hex(leaf) } }))?)
    }

    /// Adds a seal.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn seal(&mut self, seal: &Seal) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{}", json!({ "seal": seal }))?)
    }

    /// Ends it: it is on the disk, under its name, when this returns its digest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> anyhow::Result<Digest> {
        writeln!(self.out, "{}", json!({ "end": { "events": self.events, "complete": true } }))?;
        let Hashing { inner, digest } = self.out.finish()?;
        inner.into_inner().map_err(|e| e.into_error())?.sync_all()?;
        fs::rename(&self.beside, &self.path)
            .with_context(|| format!("{} cannot be written", self.path.display()))?;
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(digest.finalize().into())
    }
}

/// Whether the file of an archive is there and is the one that was recorded; else the sentence that tells.
///
/// # Errors
/// That sentence.
pub fn check_digest(path: &Path, recorded: &[u8]) -> Result<(), String> {
    let name = path.display();
    let mut file = File::open(path).map_err(|_| format!("The archive {name} is missing."))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => digest.update(&buffer[..read]),
            Err(e) => return Err(format!("The archive {name} cannot be read: {e}.")),
        }
    }
    if digest.finalize().as_slice() == recorded {
        Ok(())
    } else {
        Err(format!("The archive {name} was changed: it is not the one whose digest was recorded."))
    }
}

/// The events of an archive with their numbers.
///
/// # Errors
/// When it cannot be opened; each event when it cannot be read, and the last when the archive has no end.
pub fn events(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<(Record, i64)>>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut lines = BufReader::new(zstd::Decoder::new(file)?).lines();
    let mut read = 0i64;
    let mut over = false;
    Ok(std::iter::from_fn(move || {
        loop {
            if over {
                return None;
            }
            let line = match lines.next() {
                Some(Ok(line)) => line,
                Some(Err(e)) => {
                    over = true;
                    return Some(Err(e.into()));
                }
                None => {
                    over = true;
                    return Some(Err(anyhow::anyhow!("an archive without its end")));
                }
            };
            if line.starts_with("{\"at\"") {
                read += 1;
                return Some(Record::from_line(&line).and_then(|(event, number, _)| {
                    Ok((event, number.context("an archived event without its number")?))
                }));
            }
            if line.starts_with("{\"end\"") {
                over = true;
                if let Err(e) = check_end(&line, read) {
                    return Some(Err(e));
                }
            }
        }
    }))
}

fn check_end(line: &str, read: i64) -> anyhow::Result<()> {
    let end: serde_json::Value = serde_json::from_str(line)?;
    if end["end"]["events"] != json!(read) {
        bail!("an archive whose end tells of another number of events");
    }
    Ok(())
}
