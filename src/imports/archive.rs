//! Reads what people bring as a folder, a zip or a single file, and finds the technique files of Atomic Red
//! Team in it. Nothing is ever unpacked to disk, and no link is followed out of the folder. What looks like a
//! technique file and is none is named.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::domain::{ImportError, Skipped};
use crate::kernel::base::show::counted;

/// The largest file an import reads, in bytes; of a zip, its compressed size.
pub const FILE_MAX: u64 = 64 * MIB;
/// The largest technique file, in bytes. The largest real one has 80 KB.
const TECHNIQUE_FILE_MAX: u64 = 4 * MIB;
/// All YAML files that one import looks into together, in bytes.
const TEXT_TOTAL_MAX: u64 = 64 * MIB;
/// What a zip may say that it unpacks to, in bytes, whether or not it is read.
const UNPACKED_MAX: u64 = 512 * MIB;
const ENTRIES_MAX: usize = 50_000;
/// Folders in folders; the real repository has five.
const DEPTH_MAX: usize = 16;
/// Deflate cannot do better than 1032:1, and text written by people stays far below this.
const RATIO_MAX: u64 = 200;
/// Small entries may be as regular as they like.
const RATIO_FROM: u64 = 256 * 1024;
const NAME_MAX: usize = 1024;

const MIB: u64 = 1024 * 1024;

const LINK: &str = "it is a symbolic link, and links are not followed";
const INDEX: &str = "it is an index of tests, not a technique file; import the folder of the technique files";
const NO_TESTS: &str = "it is no technique file: it has neither attack_technique nor atomic_tests";
const OUTSIDE: &str = "it lies outside the folder atomics";

/// Where a set of Atomic Red Team tests comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The repository, its `atomics` folder, a technique's folder, or one with technique files anywhere in
    /// it.
    Folder(PathBuf),
    Zip {
        name: String,
        bytes: Vec<u8>,
    },
    File {
        name: String,
        bytes: Vec<u8>,
    },
}

impl Source {
    /// A folder stays a path; a file is read, up to [`FILE_MAX`], and taken for a zip unless it is YAML.
    ///
    /// # Errors
    /// When the path cannot be read or the file is too large.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let (name, bytes) = (file_name(path), read_file(path)?);
        if bytes.starts_with(b"PK") || name.to_lowercase().ends_with(".zip") {
            return Ok(Self::Zip { name, bytes });
        }
        if yaml_stem(&name).is_some() {
            return Ok(Self::File { name, bytes });
        }
        Err(ImportError::file(&name, "it is neither a folder nor a zip nor a YAML file"))
    }
}

/// Reads a whole file, up to [`FILE_MAX`].
///
/// # Errors
/// When it cannot be read, is not an ordinary file or is too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ImportError> {
    read_ordinary(path, &path.display().to_string(), FILE_MAX)
}

/// The last part of a path, for messages.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// One technique file, in the order in which it is to be read.
#[derive(Debug)]
pub(super) struct TechniqueFile {
    /// `atomics/T1003.001/T1003.001.yaml`
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What a source holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted by name, so that two reads of one source give one order.
    pub files: Vec<TechniqueFile>,
    /// YAML files and links that were left out, sorted by name.
    pub skipped: Vec<Skipped>,
    /// Entries that nobody would take for a technique file: not YAML, or hidden.
    pub others: usize,
    /// Bytes that were read, up to [`TEXT_TOTAL_MAX`].
    total: u64,
}

impl Found {
    fn skip(&mut self, file: &str, reason: impl Into<String>) {
        self.skipped.push(Skipped { file: file.to_owned(), reason: reason.into() });
    }

    /// Keeps the file, read up to its limit and a byte, if it is a technique's. One whose place says so is
    /// kept whatever it holds, so that the fault in it is told.
    fn take(&mut self, name: String, bytes: Vec<u8>, place: Place) -> Result<(), ImportError> {
        let is_large = bytes.len() as u64 > TECHNIQUE_FILE_MAX;
        if place == Place::Technique && is_large {
            return Err(too_large(&name, TECHNIQUE_FILE_MAX));
        }
        self.total += bytes.len() as u64;
        if self.total > TEXT_TOTAL_MAX {
            let sentence = format!("the YAML files together are larger than {} MiB", TEXT_TOTAL_MAX / MIB);
            return Err(ImportError::file(&name, sentence));
        }
        if place == Place::Unsaid {
            let large = is_large.then(|| larger_than(TECHNIQUE_FILE_MAX));
            if let Some(reason) = large.or_else(|| no_technique_file(&bytes).map(str::to_owned)) {
                self.skip(&name, reason);
                return Ok(());
            }
        }
        self.files.push(TechniqueFile { name, bytes });
        Ok(())
    }

    /// Reads the technique files of what was opened. `own`: the technique that the folder itself is named by.
    fn gather(&mut self, opened: &mut Opened<'_>, own: Option<&str>) -> Result<(), ImportError> {
        let has_atomics = opened.names.iter().any(|name| yaml_stem(name).is_some() && is_below_atomics(name));
        for name in opened.names.clone() {
            let verdict = match own {
                Some(own) if !name.contains('/') => judge(&format!("{own}/{name}"), has_atomics),
                _ => judge(&name, has_atomics),
            };
            match verdict {
                Verdict::Other => self.others += 1,
                Verdict::Skip(reason) => self.skip(&name, reason),
                Verdict::Read(place) => {
                    let bytes = opened.read(&name, TECHNIQUE_FILE_MAX)?;
                    self.take(name, bytes, place)?;
                }
            }
        }
        Ok(())
    }
}

/// Why a zip cannot be opened.
pub(super) const NO_ZIP: &str = "it is not a zip that can be read, or only a part of it arrived";

/// All technique files of the source.
pub(super) fn technique_files(source: &Source) -> Result<Found, ImportError> {
    let (place, mut found) = match source {
        Source::Folder(root) => (root.display().to_string(), from_folder(root)?),
        Source::Zip { name, bytes } => (name.clone(), from_zip(name, bytes)?),
        Source::File { name, bytes } => return from_file(name, bytes),
    };
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    found.skipped.sort_by(|a, b| a.file.cmp(&b.file));
    if found.files.is_empty() {
        let mut sentence =
            "it holds no technique file; one is expected at atomics/T1003/T1003.yaml, say".to_owned();
        if found.skipped.iter().any(|file| is_of_repository(&file.file)) {
            sentence =
                "it looks like the archive of a repository, and its repository.yaml is missing".to_owned();
        } else if let Some(first) = found.skipped.first() {
            sentence = format!("{sentence}. Of {}: {}", first.file, first.reason);
            if found.skipped.len() > 1 {
                let more = counted(found.skipped.len() - 1, "more file was", "more files were");
                sentence = format!("{sentence} ({more} left out)");
            }
        }
        return Err(ImportError::file(&place, sentence));
    }
    Ok(found)
}

fn from_file(name: &str, bytes: &[u8]) -> Result<Found, ImportError> {
    if bytes.len() as u64 > TECHNIQUE_FILE_MAX {
        let reason = if is_index(name) { INDEX.to_owned() } else { larger_than(TECHNIQUE_FILE_MAX) };
        return Err(ImportError::file(name, reason));
    }
    if let Some(reason) = no_technique_file(bytes) {
        return Err(ImportError::file(name, reason));
    }
    let files = vec![TechniqueFile { name: name.to_owned(), bytes: bytes.to_owned() }];
    Ok(Found { files, ..Found::default() })
}

/// `T1003` and `T1003.001`
fn is_technique(name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = name.strip_prefix(['T', 't']) else {
        return false;
    };
    match rest.split_once('.') {
        Some((parent, sub)) => digits(parent, 4) && digits(sub, 3),
        None => digits(rest, 4),
    }
}

/// The file's name without its ending, where that is YAML's.
fn yaml_stem(file: &str) -> Option<&str> {
    let (stem, ending) = file.rsplit_once('.')?;
    (ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml")).then_some(stem)
}

/// The technique that a file is named after.
pub(super) fn technique_of(name: &str) -> Option<String> {
    let stem = yaml_stem(name.rsplit('/').next()?)?;
    is_technique(stem).then(|| stem.to_uppercase())
}

/// A procedure's file in an archive of a repository: `HLF/procedures/HLF-12-name.yaml`.
fn is_of_repository(path: &str) -> bool {
    let Some((folders, file)) = path.rsplit_once('/') else { return false };
    folders.rsplit('/').next() == Some("procedures") && yaml_stem(file).is_some()
}

/// `index.yaml` and `windows-index.yaml`, which the project makes of its technique files.
fn is_index(file: &str) -> bool {
    yaml_stem(file).is_some_and(|stem| {
        let stem = stem.to_lowercase();
        stem == "index" || stem.ends_with("-index")
    })
}

/// What a file's place says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `T1003/T1003.yaml`: a technique file, or one with a fault.
    Technique,
    /// YAML whose text has to tell.
    Unsaid,
}

/// What is to become of an entry, by its path alone.
enum Verdict {
    Read(Place),
    Skip(&'static str),
    Other,
}

fn is_hidden(part: &str) -> bool {
    part.starts_with('.') || part == "__MACOSX"
}

fn is_below_atomics(name: &str) -> bool {
    let mut folders = name.rsplit('/');
    folders.next();
    folders.any(|folder| folder == "atomics")
}

/// `has_atomics`: the source has an `atomics` folder, so that what lies elsewhere belongs to the project and
/// not to its tests.
fn judge(name: &str, has_atomics: bool) -> Verdict {
    let parts: Vec<_> = name.split('/').collect();
    let Some((file, folders)) = parts.split_last() else {
        return Verdict::Other;
    };
    let Some(stem) = yaml_stem(file).filter(|_| !parts.iter().any(|part| is_hidden(part))) else {
        return Verdict::Other;
    };
    if is_technique(stem) && folders.last().is_some_and(|folder| is_technique(folder)) {
        return Verdict::Read(Place::Technique);
    }
    if is_index(file) {
        return Verdict::Skip(INDEX);
    }
    if has_atomics && !is_below_atomics(name) {
        return Verdict::Skip(OUTSIDE);
    }
    Verdict::Read(Place::Unsaid)
}

/// Why a YAML file is none of a technique, by the keys at its left edge; none when it is one, perhaps with
/// faults.
fn no_technique_file(bytes: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("it is not UTF-8 text");
    };
    let is_key = |line: &str| {
        let line = line.trim_start_matches(['\u{feff}', '{', '"', '\'']);
        line.starts_with("attack_technique") || line.starts_with("atomic_tests")
    };
    if text.lines().any(is_key) {
        return None;
    }
    let is_below = |line: &str| line.trim_start().starts_with("atomic_tests:");
    Some(if text.lines().any(is_below) { INDEX } else { NO_TESTS })
}

fn link_refused(name: &str) -> ImportError {
    ImportError::file(name, LINK)
}

fn io_error(name: &str, error: &io::Error) -> ImportError {
    ImportError::file(name, format!("it cannot be read ({error})"))
}

fn larger_than(limit: u64) -> String {
    format!("it is larger than {} MiB", limit / MIB)
}

pub(super) fn too_large(name: &str, limit: u64) -> ImportError {
    ImportError::file(name, larger_than(limit))
}

/// Reads at most one byte more than the limit, whatever the size was said to be.
fn read_limited(reader: impl Read, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
    let bytes = read_up_to(reader, name, limit)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(name, limit));
    }
    Ok(bytes)
}

/// As [`read_limited`]; one byte more than the limit says that there are more.
fn read_up_to(reader: impl Read, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| io_error(name, &error))?;
    Ok(bytes)
}

fn open_ordinary(path: &Path, name: &str) -> Result<fs::File, ImportError> {
    let found = fs::metadata(path).map_err(|error| io_error(name, &error))?;
    // A pipe or a device would never end.
    if !found.is_file() {
        return Err(ImportError::file(name, "it is not an ordinary file"));
    }
    fs::File::open(path).map_err(|error| io_error(name, &error))
}

fn read_ordinary(path: &Path, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
    let file = open_ordinary(path, name)?;
    // One that says that it is too large is not read first.
    if file.metadata().is_ok_and(|found| found.len() > limit) {
        return Err(too_large(name, limit));
    }
    read_limited(file, name, limit)
}

/// Everything below a folder that is not hidden.
struct Tree {
    /// Whether a link of this name is a fault.
    matters: fn(&str) -> bool,
    /// Names with `/` between folders, and the paths that they stand for.
    files: Vec<(String, PathBuf)>,
    links: Vec<String>,
    hidden: usize,
    seen: usize,
}

impl Tree {
    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), ImportError> {
        let place = if prefix.is_empty() { folder.display().to_string() } else { prefix.to_owned() };
        if depth > DEPTH_MAX {
            let sentence = format!("it is nested deeper than {DEPTH_MAX} folders");
            return Err(ImportError::file(&place, sentence));
        }
        for entry in fs::read_dir(folder).map_err(|error| io_error(&place, &error))? {
            self.seen += 1;
            if self.seen > ENTRIES_MAX {
                return Err(too_many_entries(&place));
            }
            let entry = entry.map_err(|error| io_error(&place, &error))?;
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = if prefix.is_empty() { own.clone() } else { format!("{prefix}/{own}") };
            let kind = entry.file_type().map_err(|error| io_error(&name, &error))?;
            if is_hidden(&own) {
                self.hidden += 1;
            } else if kind.is_symlink() {
                if (self.matters)(&own) {
                    return Err(link_refused(&name));
                }
                self.links.push(name);
            } else if kind.is_dir() {
                self.walk(&entry.path(), &name, depth + 1)?;
            } else {
                self.files.push((name, entry.path()));
            }
        }
        Ok(())
    }
}

/// A folder or a zip whose entries are known by name and not read yet. What it holds may be hostile: names
/// are checked and sizes added up before anything is unpacked.
pub(super) struct Opened<'s> {
    place: String,
    /// Names of ordinary files, with `/` between folders, in a fixed order, so that the first fault is the
    /// same everywhere.
    pub names: Vec<String>,
    /// Links of a folder that nobody asked to follow.
    links: Vec<String>,
    /// Hidden entries of a folder.
    hidden: usize,
    entries: Entries<'s>,
}

enum Entries<'s> {
    Folder(HashMap<String, PathBuf>),
    Zip(ZipArchive<Cursor<&'s [u8]>>, HashMap<String, Packed>),
}

struct Packed {
    index: usize,
    /// Its size in the archive, in bytes.
    compressed: u64,
    is_encrypted: bool,
}

impl<'s> Opened<'s> {
    /// `matters`: whether a link of this name, which is never followed, is a fault.
    pub fn folder(root: &Path, matters: fn(&str) -> bool) -> Result<Self, ImportError> {
        let mut tree = Tree { matters, files: Vec::new(), links: Vec::new(), hidden: 0, seen: 0 };
        tree.walk(root, "", 0)?;
        tree.files.sort();
        Ok(Self {
            place: root.display().to_string(),
            names: tree.files.iter().map(|(name, _)| name.clone()).collect(),
            links: tree.links,
            hidden: tree.hidden,
            entries: Entries::Folder(tree.files.into_iter().collect()),
        })
    }

    pub fn zip(archive_name: &str, bytes: &'s [u8]) -> Result<Self, ImportError> {
        if bytes.len() as u64 > FILE_MAX {
            return Err(too_large(archive_name, FILE_MAX));
        }
        if has_too_many_entries(bytes) {
            return Err(too_many_entries(archive_name));
        }
        let unreadable = |_| ImportError::file(archive_name, NO_ZIP);
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
        let twice = || Err(ImportError::file(archive_name, "two of its entries have the same name"));
        if archive.has_duplicate_names() {
            return twice();
        }
        let mut entries = Vec::new();
        let mut unpacked = 0u64;
        for index in 0..archive.len() {
            let entry = archive.by_index_data(index).map_err(unreadable)?;
            let name = safe_name(archive_name, entry.name_raw())?;
            if entry.is_symlink() {
                return Err(in_archive(archive_name, &name, LINK));
            }
            unpacked = unpacked.saturating_add(entry.size());
            if unpacked > UNPACKED_MAX {
                return Err(ImportError::file(
                    archive_name,
                    format!("it unpacks to more than {} MiB", UNPACKED_MAX / MIB),
                ));
            }
            if entry.is_file() && !name.ends_with('/') {
                let (compressed, is_encrypted) = (entry.compressed_size(), entry.encrypted());
                entries.push((name, Packed { index, compressed, is_encrypted }));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return twice();
        }
        Ok(Self {
            place: archive_name.to_owned(),
            names: entries.iter().map(|(name, _)| name.clone()).collect(),
            links: Vec::new(),
            hidden: 0,
            entries: Entries::Zip(archive, entries.into_iter().collect()),
        })
    }

    /// Reads one of [`Opened::names`] up to a limit and one byte more, which says that there are more.
    pub fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, ImportError> {
        match &mut self.entries {
            Entries::Folder(paths) => match paths.get(name) {
                Some(path) => read_up_to(open_ordinary(path, name)?, name, limit),
                None => Err(ImportError::file(name, "it is not there")),
            },
            Entries::Zip(archive, entries) => match entries.get(name) {
                Some(packed) => unpack(archive, &self.place, name, packed, limit),
                None => Err(ImportError::file(name, "it is not there")),
            },
        }
    }
}

fn unpack(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    archive_name: &str,
    name: &str,
    packed: &Packed,
    limit: u64,
) -> Result<Vec<u8>, ImportError> {
    if packed.is_encrypted {
        return Err(in_archive(archive_name, name, "it is encrypted"));
    }
    let entry = archive
        .by_index(packed.index)
        .map_err(|error| in_archive(archive_name, name, &format!("it cannot be read ({error})")))?;
    // Sizes in a header may lie, so the limits hold for the bytes that come out.
    let bytes = read_up_to(entry, name, limit)?;
    if is_bomb(bytes.len() as u64, packed.compressed) {
        return Err(bomb(archive_name, name));
    }
    Ok(bytes)
}

/// A link of such a name stands where a technique file would.
fn is_atomic_link(name: &str) -> bool {
    yaml_stem(name).is_some() || name == "atomics" || is_technique(name)
}

fn from_folder(root: &Path) -> Result<Found, ImportError> {
    let mut opened = Opened::folder(root, is_atomic_link)?;
    let mut found = Found { others: opened.hidden, ..Found::default() };
    for link in &opened.links {
        found.skip(link, LINK);
    }
    // A folder of one technique is a place as good as one in `atomics`.
    let own = root.canonicalize().map(|root| file_name(&root)).unwrap_or_default();
    let own = is_technique(&own).then_some(own);
    found.gather(&mut opened, own.as_deref())?;
    Ok(found)
}

fn from_zip(archive_name: &str, bytes: &[u8]) -> Result<Found, ImportError> {
    let mut found = Found::default();
    found.gather(&mut Opened::zip(archive_name, bytes)?, None)?;
    Ok(found)
}

fn too_many_entries(place: &str) -> ImportError {
    ImportError::file(place, format!("it has more than {ENTRIES_MAX} entries"))
}

/// The reader of zips keeps a record for each entry, so they are counted before it is asked.
pub(super) fn has_too_many_entries(bytes: &[u8]) -> bool {
    let headers = bytes.windows(4).filter(|window| window == b"PK\x01\x02");
    headers.take(ENTRIES_MAX + 1).count() > ENTRIES_MAX
}

/// Whether an entry unpacks to more than text written by people ever does.
pub(super) fn is_bomb(unpacked: u64, compressed: u64) -> bool {
    unpacked > RATIO_FROM && unpacked > compressed.saturating_mul(RATIO_MAX)
}

pub(super) fn bomb(archive: &str, entry: &str) -> ImportError {
    in_archive(archive, entry, &format!("it unpacks to more than {RATIO_MAX} times its size"))
}

fn in_archive(archive: &str, entry: &str, sentence: &str) -> ImportError {
    ImportError { object: Some(format!("entry {entry}")), ..ImportError::file(archive, sentence) }
}

/// The entry's name with `/` between folders, which some Windows tools write as `\`. Refused when it would
/// leave the folder it is unpacked to, on any system.
pub(super) fn safe_name(archive: &str, raw: &[u8]) -> Result<String, ImportError> {
    let name = String::from_utf8_lossy(raw).into_owned();
    let refuse = |sentence: &str| Err(in_archive(archive, &name, sentence));
    if name.len() > NAME_MAX || name.is_empty() || name.chars().any(char::is_control) {
        return refuse("its name is empty, too long or holds control characters");
    }
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with(['/', '\\']) || drive {
        return refuse("its path is absolute");
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return refuse("its path leads out of the archive");
    }
    Ok(name.replace('\\', "/"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
        let source = Source::Zip { name: "tests.zip".to_owned(), bytes: bytes.to_vec() };
        technique_files(&source)
            .map(|found| found.files.into_iter().map(|file| file.name).collect())
            .map_err(|error| error.to_string())
    }

    /// A technique file as far as this module looks into one.
    const TESTS: &[u8] = b"---\nattack_technique: T1105\natomic_tests: []\n";

    /// What is read, and what is left out with its reason.
    fn sorted_out(source: &Source) -> (Vec<String>, Vec<String>, usize) {
        let found = technique_files(source).unwrap();
        (
            found.files.into_iter().map(|file| file.name).collect(),
            found.skipped.iter().map(ToString::to_string).collect(),
            found.others,
        )
    }

    #[test]
    fn technique_files_are_found_at_the_top_and_below_atomics() {
        let zip = zip_of(&[
            ("repo-master/atomics/T1003.001/T1003.001.yaml", b""),
            ("repo-master/atomics/T1003.001/src/T1003.yaml", b""),
            ("repo-master/atomics/Indexes/index.yaml", b""),
            ("atomics/T1003/T1003.md", b""),
            ("T1002/T1002.yaml", b""),
        ]);
        assert_eq!(
            names(&zip).unwrap(),
            ["T1002/T1002.yaml", "repo-master/atomics/T1003.001/T1003.001.yaml"]
        );
        assert!(names(&zip_of(&[("a.txt", b"")])).unwrap_err().contains("no technique file"));
    }

    #[test]
    fn a_zip_made_on_windows_is_read() {
        let zip = zip_of(&[
            ("atomics\\T1027\\T1027.yaml", TESTS),
            ("atomics/T1105/T1105.yaml", TESTS),
            ("atomics\\T1105\\src\\", b""),
        ]);
        assert_eq!(names(&zip).unwrap(), ["atomics/T1027/T1027.yaml", "atomics/T1105/T1105.yaml"]);
        let twice = zip_of(&[("atomics\\T1105\\T1105.yaml", TESTS), ("atomics/T1105/T1105.yaml", TESTS)]);
        assert!(names(&twice).unwrap_err().contains("same name"));
    }

    #[test]
    fn every_way_to_lay_out_technique_files_is_read_and_what_is_left_out_is_named() {
        let zip = zip_of(&[
            ("T1105.yaml", TESTS),
            ("T1105/T1105.yml", TESTS),
            ("T1106/t1106.YAML", TESTS),
            ("lateral/one.yaml", TESTS),
            ("json/two.yml", b"{\"attack_technique\": \"T1\", \"atomic_tests\": []}"),
            ("T1610/src/T1610.yaml", b"apiVersion: v1\n"),
            ("Indexes/index.yaml", b"impact:\n  T1485:\n    atomic_tests: []\n"),
            ("made/all.yaml", b"impact:\n  T1485:\n    atomic_tests: []\n"),
            ("utf16.yaml", b"\xff\xfea\0"),
            ("T1105/T1105.md", b"# T1105"),
            (".github/workflows/test.yml", b"on: push\n"),
            ("__MACOSX/T1105/._T1105.yaml", b"\0\x05"),
        ]);
        let (files, skipped, others) = sorted_out(&Source::Zip { name: "z.zip".to_owned(), bytes: zip });
        assert_eq!(
            files,
            ["T1105.yaml", "T1105/T1105.yml", "T1106/t1106.YAML", "json/two.yml", "lateral/one.yaml"]
        );
        assert_eq!(
            skipped,
            [
                format!("Indexes/index.yaml: {INDEX}."),
                format!("T1610/src/T1610.yaml: {NO_TESTS}."),
                format!("made/all.yaml: {INDEX}."),
                "utf16.yaml: it is not UTF-8 text.".to_owned(),
            ]
        );
        assert_eq!(others, 3);
    }

    #[test]
    fn beside_a_folder_of_atomics_the_projects_own_files_are_no_tests() {
        let zip = zip_of(&[
            ("red/atomics/T1105/T1105.yaml", TESTS),
            ("red/atomics/lateral/one.yaml", TESTS),
            ("red/project/template.yaml", TESTS),
        ]);
        let (files, skipped, _) = sorted_out(&Source::Zip { name: "z.zip".to_owned(), bytes: zip });
        assert_eq!(files, ["red/atomics/T1105/T1105.yaml", "red/atomics/lateral/one.yaml"]);
        assert_eq!(skipped, [format!("red/project/template.yaml: {OUTSIDE}.")]);
    }

    #[test]
    fn a_file_alone_is_read_and_an_index_is_called_one() {
        let alone = |name: &str, bytes: &[u8]| {
            let source = Source::File { name: name.to_owned(), bytes: bytes.to_vec() };
            technique_files(&source).map(|found| found.files.len()).map_err(|error| error.to_string())
        };
        assert_eq!(alone("T1105.yaml", TESTS), Ok(1));
        assert_eq!(alone("mine.YML", TESTS), Ok(1));
        let index = b"impact:\n  T1485:\n    atomic_tests: []\n";
        assert_eq!(alone("index.yaml", index), Err(format!("index.yaml: {INDEX}.")));
        assert_eq!(alone("notes.yaml", b"a: 1\n"), Err(format!("notes.yaml: {NO_TESTS}.")));
        let only_index = names(&zip_of(&[("Indexes/index.yaml", index)])).unwrap_err();
        assert!(only_index.contains("no technique file") && only_index.contains(INDEX), "{only_index}");
    }

    #[test]
    fn paths_that_leave_the_archive_are_refused() {
        for name in ["../evil", "a/../../evil", "a\\..\\evil", "/etc/evil", "\\\\host\\evil", "C:\\evil"] {
            let error = names(&zip_of(&[(name, b"x")])).unwrap_err();
            assert!(error.contains("its path"), "{name}: {error}");
            assert!(error.starts_with("tests.zip, entry "), "{error}");
        }
    }

    #[test]
    fn a_link_in_a_zip_is_refused() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("atomics/T1003/T1003.yaml", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let error = names(&zip.finish().unwrap().into_inner()).unwrap_err();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![b' '; 3 * MIB as usize];
        let error = names(&zip_of(&[("T1003/T1003.yaml", &zeros)])).unwrap_err();
        assert!(error.contains("200 times"), "{error}");

        let mut lying = zip_of(&[("notes.txt", b"x"), ("T1003/T1003.yaml", b"x")]);
        let header = lying.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        lying[header + 24..header + 28].copy_from_slice(&(600u32 << 20).to_le_bytes());
        let error = names(&lying).unwrap_err();
        assert!(error.contains("more than 512 MiB"), "{error}");

        let many = b"PK\x01\x02".repeat(ENTRIES_MAX + 1);
        assert!(names(&many).unwrap_err().contains("50000 entries"));
        assert!(names(b"not a zip").unwrap_err().contains("not a zip"));
    }

    #[cfg(unix)]
    #[test]
    fn an_archive_without_its_first_file_is_known_for_what_it_is() {
        assert!(is_of_repository("HLF/procedures/HLF-12-name.yaml"));
        assert!(!is_of_repository("HLF-12.yaml") && !is_of_repository("HLF/procedures/README.md"));
    }

    #[test]
    fn links_in_a_folder_are_refused() {
        let root = std::env::temp_dir().join(format!("tyrian-atomics-{}", std::process::id()));
        let technique = root.join("atomics/T1003");
        fs::create_dir_all(&technique).unwrap();
        fs::write(root.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("secret"), technique.join("T1003.yaml")).unwrap();
        let source = Source::open(&root).unwrap();
        let error = technique_files(&source).unwrap_err().to_string();
        fs::remove_file(technique.join("T1003.yaml")).unwrap();
        fs::write(technique.join("T1003.yaml"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("secret"), technique.join("notes")).unwrap();
        let (files, skipped, _) = sorted_out(&source);
        // The technique's own folder is a source as well.
        fs::remove_file(technique.join("notes")).unwrap();
        let (own, ..) = sorted_out(&Source::open(&technique).unwrap());
        fs::remove_dir_all(&root).unwrap();
        assert!(error.starts_with("atomics/T1003/T1003.yaml: it is a symbolic link"), "{error}");
        assert_eq!(files, ["atomics/T1003/T1003.yaml"]);
        assert_eq!(skipped, [format!("atomics/T1003/notes: {LINK}.")]);
        assert_eq!(own, ["T1003.yaml"]);
    }
}
