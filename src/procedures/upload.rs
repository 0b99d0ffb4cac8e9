//! Files on their way in: streamed part by part into staging, hashed on the way, never whole in memory.
//! Whatever is refused leaves nothing behind.

use std::sync::LazyLock;

use actix_multipart::{Field, Multipart};
use futures_util::StreamExt;
use futures_util::stream::Fuse;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::ids::{AttachmentId, PersonId};
use crate::kernel::web::form::Pairs;
pub use crate::kernel::web::incoming::storage;
use crate::kernel::web::incoming::{ARRIVING, Arriving, Staging, broken, next};
use crate::kernel::web::turns::Turns;
use crate::procedures::evidence::{
    FILES_AT_ONCE, FileName, LeftOut, MAGIC_BYTES, file_name, media_type, renamed, told,
};
use crate::procedures::store::attachments::Arrived;

/// The most text of one form that is read, in bytes: more than the limits that the page names, so that what
/// was typed comes back with a sentence and not cut.
const TEXT: usize = 2 << 20;

/// Where an upload is staged until its row is about to be written.
pub fn staged(id: AttachmentId) -> Path {
    Path::from(format!("tmp/{id}"))
}

/// Where an attachment's content is kept.
pub fn kept(id: AttachmentId) -> Path {
    Path::from(id.to_string())
}

/// What a form with files may hold.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Names of the fields beside the files.
    pub fields: &'a [&'a str],
    /// Whether a form without a file is a fault.
    pub some_file: bool,
    /// Largest file, in bytes.
    pub limit: i64,
}

/// The files of a form, staged.
#[derive(Debug, Default)]
pub struct Received {
    pub files: Vec<Arrived>,
    /// Those that could not be taken.
    left_out: Vec<LeftOut>,
}

impl Received {
    /// What people have to know of the files beside that they are there; empty where all is as they sent it.
    pub fn told(&self) -> String {
        let names = self.files.iter().filter_map(|file| Some((file.came_as.as_deref()?, &*file.file_name)));
        let sentences = [told(&self.left_out), renamed(names)];
        sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Forms with files that are being received at once, for everybody and for each person.
static RECEIVING: LazyLock<Turns> = LazyLock::new(|| Turns::new("uploads", 64, 4));

/// Reads a form with files: what was typed beside them, and the files, staged. What comes after a refusal is
/// read by the edge, and kept nowhere.
///
/// # Errors
/// (In the second value) a sentence where no file could be taken, for a file too many, or for a field that is
/// not wanted; nothing is staged then. Of several files those that can be taken are.
pub async fn receive(
    app: &App,
    mut form: Multipart,
    wanted: Wanted<'_>,
    who: PersonId,
) -> (Pairs, Result<Received>) {
    let mut typed = Pairs::default();
    let mut files = Received::default();
    let _turn = match RECEIVING.take(who.0).await {
        Ok(turn) => turn,
        Err(busy) => return (typed, Err(busy)),
    };
    let until = Instant::now() + ARRIVING;
    let refused = loop {
        let mut field = match form.next().await {
            None if files.files.is_empty() && !files.left_out.is_empty() => {
                break LeftOut::all(&files.left_out);
            }
            None if files.files.is_empty() && wanted.some_file => {
                break Error::field("file", "Choose a file.");
            }
            None => return (typed, Ok(files)),
            // Fused: a field that is asked again after its end panics.
            Some(Ok(field)) => field.fuse(),
            Some(Err(fault)) => break broken(&fault),
        };
        if let Err(error) = take(app, (&mut field, until), wanted, &mut typed, &mut files).await {
            break error;
        }
    };
    discard(app, &files.files).await;
    (typed, Err(refused))
}

async fn take(
    app: &App,
    (field, until): Arriving<'_>,
    wanted: Wanted<'_>,
    typed: &mut Pairs,
    files: &mut Received,
) -> Result<()> {
    let name = field.get_ref().name().unwrap_or_default().to_owned();
    match name.as_str() {
        known if wanted.fields.contains(&known) && typed.get(known).is_none() => {
            let left = TEXT - typed.iter().map(|(_, value)| value.len()).sum::<usize>();
            let value = text((field, until), left).await?;
            typed.push(name, value);
        }
        "file" if files.files.len() + files.left_out.len() >= FILES_AT_ONCE => {
            return Err(Error::field(
                "file",
                format!(
                    "These are more than {FILES_AT_ONCE} files. Nothing was stored. Attach them in smaller \
                        groups."
                ),
            ));
        }
        "file" => match file(app, (field, until), wanted.limit).await? {
            Some(Ok(arrived)) => files.files.push(arrived),
            Some(Err(left_out)) => files.left_out.push(left_out),
            None => {}
        },
        _ => {
            return Err(Error::Refused(
                "This form has a field that does not belong to it. Reload the page and try again.".into(),
            ));
        }
    }
    Ok(())
}

async fn text((field, until): Arriving<'_>, limit: usize) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next(field, until).await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > limit {
            return Err(Error::TooLarge("What you typed is larger than 2 MiB. Shorten it.".into()));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One file into staging; none for the part that a browser sends when no file was chosen.
async fn file(
    app: &App,
    (field, until): Arriving<'_>,
    limit: i64,
) -> Result<Option<std::result::Result<Arrived, LeftOut>>> {
    let claimed =
        field.get_ref().content_disposition().and_then(|d| d.get_filename()).unwrap_or_default().to_owned();
    let FileName { name, changed_from } = file_name(&claimed);
    let id = AttachmentId::new();
    let mut staging = Staging::new(app, staged(id));
    let (mut first, mut hash, mut size) = (Vec::new(), Sha256::new(), 0_i64);
    let mut too_large = false;
    let stopped = loop {
        let chunk = match next(field, until).await {
            None => break None,
            Some(Ok(chunk)) => chunk,
            Some(Err(stopped)) => break Some(stopped),
        };
        size += chunk.len() as i64;
        if size > limit {
            too_large = true;
            // The files behind it are wanted: what is too much of this one is read and thrown away.
            match read_over(field, until).await {
                Ok(()) => break None,
                Err(stopped) => break Some(stopped),
            }
        }
        first.extend_from_slice(&chunk[..chunk.len().min(MAGIC_BYTES - first.len().min(MAGIC_BYTES))]);
        hash.update(&chunk);
        if let Err(fault) = staging.write(&chunk).await {
            break Some(fault);
        }
    };
    match stopped {
        None if size == 0 && claimed.is_empty() => return Ok(None),
        None if size == 0 => return Ok(Some(Err(LeftOut::Empty(name)))),
        None if too_large => {
            staging.abort().await;
            return Ok(Some(Err(LeftOut::TooLarge(name, limit))));
        }
        None => staging.complete().await?,
        Some(error) => {
            staging.abort().await;
            return Err(error);
        }
    }
    Ok(Some(Ok(Arrived {
        id,
        media_type: media_type(&first, &name),
        file_name: name,
        came_as: changed_from,
        size,
        sha256: hash.finalize().into(),
    })))
}

/// How much of a file over the limit is read for the sake of those behind it, in bytes.
const READ_OVER: usize = 256 << 20;

async fn read_over(field: &mut Fuse<Field>, until: Instant) -> Result<()> {
    let mut left = READ_OVER;
    while let Some(chunk) = next(field, until).await {
        left = left.checked_sub(chunk?.len()).ok_or_else(|| {
            Error::TooLarge(
                "One of the files is far over the limit. Nothing was stored. Attach the others without it."
                    .into(),
            )
        })?;
    }
    Ok(())
}

/// Moves staged files to where their rows will look for them. Done before the rows are committed: a row
/// without its file would be a hole in the evidence, a file without its row is swept.
///
/// # Errors
/// When the storage refuses; nothing of the files is left then.
pub async fn keep(app: &App, files: &[Arrived]) -> Result<()> {
    for file in files {
        if let Err(fault) = app.blobs.rename(&staged(file.id), &kept(file.id)).await {
            discard(app, files).await;
            return Err(storage(fault));
        }
    }
    Ok(())
}

/// Deletes files that will have no row, staged or kept.
pub async fn discard(app: &App, files: &[Arrived]) {
    for file in files {
        for path in [staged(file.id), kept(file.id)] {
            match app.blobs.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(fault) => tracing::warn!(%path, cause = %fault, "a refused upload is left to the sweep"),
            }
        }
    }
}
