//! Rules of attachments: file names, media types, sizes. Pure. What an uploader claims about a file is never
//! believed.

use serde::Deserialize;

use crate::kernel::base::error::{Error, FieldErrors};
use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::show;
use crate::kernel::base::text::{LONG_TEXT_BYTES, SHORT_TEXT_BYTES, check_text};

/// Attachments of one procedure, both teams' together.
pub const ATTACHMENTS: i64 = 200;

/// How many files one form may carry.
pub const FILES_AT_ONCE: usize = 20;

/// How many of a file's first bytes [`media_type`] wants to see.
pub const MAGIC_BYTES: usize = 16;

/// Longest file name, in bytes: what file systems take.
const NAME_BYTES: usize = 200;

/// The name under which a file is kept: without path, control characters and what reorders text, never empty.
pub fn file_name(claimed: &str) -> String {
    // Browsers write these three so in a form's file names (WHATWG, multipart/form-data encoding).
    let claimed = claimed.replace("%22", "\"").replace("%0D", "").replace("%0A", "");
    let last = claimed.rsplit(['/', '\\']).next().unwrap_or_default();
    let hidden = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{202a}'..='\u{202e}'
                    | '\u{2066}'..='\u{2069}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'
                    | '\u{2029}'
                    | '\u{feff}'
            )
    };
    let clean: String = last.chars().filter(|c| !hidden(*c)).collect();
    let clean = clean.trim().trim_matches('.').trim();
    if clean.is_empty() {
        return "file".to_owned();
    }
    if clean.len() <= NAME_BYTES {
        return clean.to_owned();
    }
    // The extension says what the file is: it stays.
    let extension = clean.rsplit_once('.').map(|(_, e)| e).filter(|e| e.len() <= 16).unwrap_or_default();
    let room = NAME_BYTES - extension.len() - 1;
    let end = (0..=room).rev().find(|i| clean.is_char_boundary(*i)).unwrap_or_default();
    if extension.is_empty() { clean[..end].to_owned() } else { format!("{}.{extension}", &clean[..end]) }
}

/// The media type under which a file is served: images by their first bytes, text by a list of extensions,
/// else bytes.
pub fn media_type(first: &[u8], name: &str) -> &'static str {
    const TEXT: &[&str] = &[
        "txt", "log", "md", "csv", "json", "jsonl", "xml", "yaml", "yml", "ps1", "sh", "py", "bat", "ini",
        "conf", "kql", "spl", "yar",
    ];
    match first {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => {
            let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
            if TEXT.contains(&extension.as_str()) {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            }
        }
    }
}

/// Whether a media type is one that pages show as a picture.
pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, "image/png" | "image/jpeg" | "image/gif" | "image/webp")
}

/// The sentence of a file over the limit.
pub fn too_large(name: &str, limit: i64) -> String {
    format!(
        "“{name}” is larger than {}, the limit for one file. Nothing was stored. Compress it, or attach the \
            part that matters.",
        show::size(limit)
    )
}

/// The sentence of a file without content.
pub fn empty(name: &str) -> String {
    format!("“{name}” is empty. Nothing was stored. Choose a file with content.")
}

/// What is said about an attachment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedAttachment {
    /// One line; empty means the file's name.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub description: String,
    /// Ticked when the finding shall show it.
    #[serde(default)]
    pub in_finding: Option<String>,
    /// The version that was shown; none for a new one.
    #[serde(default)]
    pub version: i32,
}

/// What is said about an attachment, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachmentText {
    /// One line; empty means the file's name.
    pub title: String,
    pub description: String,
    /// Whether the finding shows it.
    pub in_finding: bool,
}

impl TypedAttachment {
    /// From a form with files.
    pub fn of(pairs: &Pairs) -> Self {
        let find = |name: &str| pairs.last(name).map(str::to_owned);
        Self {
            title: find("title").unwrap_or_default(),
            description: find("description").unwrap_or_default(),
            in_finding: find("in_finding"),
            version: 0,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a sentence for each field.
    pub fn check(&self) -> Result<AttachmentText, Error> {
        let mut errors = FieldErrors::default();
        let mut kept = |field: &str, checked: Result<String, String>| {
            checked.unwrap_or_else(|sentence| {
                errors.add(field, sentence);
                String::new()
            })
        };
        let title = kept("title", check_text("The title", false, &self.title, SHORT_TEXT_BYTES, false));
        let description = kept(
            "description",
            check_text("The description", false, &self.description, LONG_TEXT_BYTES, true),
        );
        errors.done()?;
        Ok(AttachmentText { title, description, in_finding: self.in_finding.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_paths_and_controls() {
        assert_eq!(file_name("console.png"), "console.png");
        assert_eq!(file_name("C:\\Users\\mk\\a b.txt"), "a b.txt");
        assert_eq!(file_name("dropped %22x%22.txt"), "dropped \"x\".txt");
        assert_eq!(file_name("../../etc/passwd"), "passwd");
        assert_eq!(file_name("a\r\nSet-Cookie: x\u{202e}gnp.exe"), "aSet-Cookie: xgnp.exe");
        for nothing in ["", "..", " . ", "/", "a/"] {
            assert_eq!(file_name(nothing), "file");
        }
        let long = file_name(&format!("{}.evtx", "ä".repeat(300)));
        assert!(long.len() <= NAME_BYTES && long.ends_with("ä.evtx"));
        assert!(file_name(&"x".repeat(900)).len() <= NAME_BYTES);
    }

    #[test]
    fn only_known_images_are_images() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n....", "x.txt"), "image/png");
        assert_eq!(media_type(&[0xff, 0xd8, 0xff, 0xe0], "x"), "image/jpeg");
        assert_eq!(media_type(b"GIF89a..", "x"), "image/gif");
        assert_eq!(media_type(b"RIFF\x01\x02\x03\x04WEBPVP8 ", "x"), "image/webp");
        assert_eq!(media_type(b"<svg onload=alert(1)>", "logo.svg"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.html"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.png"), "application/octet-stream");
        assert_eq!(media_type(b"<html>", "page.LOG"), "text/plain; charset=utf-8");
        assert_eq!(media_type(b"", "x"), "application/octet-stream");
    }
}
