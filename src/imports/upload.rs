//! A file on its way into the library: streamed into the storage, never whole in memory.

use std::sync::LazyLock;

use actix_multipart::Multipart;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::archive::FILE_MAX;
use super::check;
use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{ImportId, PersonId};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::incoming::{ARRIVING, Arriving, Staging, broken, next};
use crate::kernel::web::turns::Turns;

/// Fields beside the file; each is short.
const FIELDS: &[&str] = &["repository", "withdraw"];
const FIELD_MAX: usize = 200;
/// The longest file name that is kept, in characters.
const NAME_MAX: usize = 200;

/// Files that are being received at once, for everybody and for each person.
static RECEIVING: LazyLock<Turns> = LazyLock::new(|| Turns::new("imports", 8, 2));

/// A file that has arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub id: ImportId,
    pub file_name: String,
    pub size: i64,
}

/// Reads the form: what was chosen beside the file, and the file, in storage.
///
/// # Errors
/// (In the second value) a sentence; nothing is stored then.
pub async fn receive(app: &App, mut form: Multipart, who: PersonId) -> (Pairs, Result<Arrived>) {
    let mut typed = Pairs::default();
    let _turn = match RECEIVING.take(who.0).await {
        Ok(turn) => turn,
        Err(busy) => return (typed, Err(busy)),
    };
    let until = Instant::now() + ARRIVING;
    let mut arrived: Option<Arrived> = None;
    let refused = loop {
        let mut field = match form.next().await {
            None => match arrived {
                Some(arrived) => return (typed, Ok(arrived)),
                None => break Error::field("file", "Choose a file."),
            },
            // Fused: a field that is asked again after its end panics.
            Some(Ok(field)) => field.fuse(),
            Some(Err(fault)) => break broken(&fault),
        };
        let name = field.get_ref().name().unwrap_or_default().to_owned();
        let taken = match name.as_str() {
            "file" if arrived.is_none() => file(app, (&mut field, until)).await.map(|file| arrived = file),
            "file" => Err(Error::field("file", "Choose one file. A folder comes as a zip.")),
            known if FIELDS.contains(&known) && typed.get(known).is_none() => {
                text((&mut field, until)).await.map(|value| typed.push(name, value))
            }
            _ => Err(Error::Refused(
                "This form has a field that does not belong to it. Reload the page and try again.".into(),
            )),
        };
        if let Err(error) = taken {
            break error;
        }
    };
    if let Some(arrived) = arrived {
        check::forget(&app.config.attachments(), arrived.id);
    }
    (typed, Err(refused))
}

async fn text((field, until): Arriving<'_>) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next(field, until).await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > FIELD_MAX {
            return Err(Error::TooLarge("A field of this form is too long.".into()));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One file; none for the part that a browser sends when no file was chosen.
async fn file(app: &App, (field, until): Arriving<'_>) -> Result<Option<Arrived>> {
    let claimed =
        field.get_ref().content_disposition().and_then(|d| d.get_filename()).unwrap_or_default().to_owned();
    let id = ImportId::new();
    let mut staging = Staging::new(app, check::place(id));
    let mut size = 0_i64;
    let stopped = loop {
        let chunk = match next(field, until).await {
            None => break None,
            Some(Ok(chunk)) => chunk,
            Some(Err(stopped)) => break Some(stopped),
        };
        size += chunk.len() as i64;
        if size as u64 > FILE_MAX {
            let sentence = format!("{} is larger than 64 MiB. Nothing was stored.", file_name(&claimed));
            break Some(Error::field("file", sentence));
        }
        if let Err(fault) = staging.write(&chunk).await {
            break Some(fault);
        }
    };
    match stopped {
        None if size == 0 && claimed.is_empty() => Ok(None),
        None if size == 0 => Err(Error::field("file", format!("{} is empty.", file_name(&claimed)))),
        None => {
            staging.complete().await?;
            Ok(Some(Arrived { id, file_name: file_name(&claimed), size }))
        }
        Some(error) => {
            staging.abort().await;
            Err(error)
        }
    }
}

/// The last part of the name, without what would act in a terminal.
fn file_name(claimed: &str) -> String {
    let claimed = claimed.replace("%22", "\"").replace("%0D", "_").replace("%0A", "_");
    let last = claimed.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    if name.trim().is_empty() { "file".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_the_last_part_is_the_name() {
        for (claimed, name) in [
            ("C:\\Users\\mika\\atomics.zip", "atomics.zip"),
            ("../../etc/passwd", "passwd"),
            ("a\u{1b}b.zip", "ab.zip"),
            ("", "file"),
        ] {
            assert_eq!(file_name(claimed), name);
        }
    }
}
