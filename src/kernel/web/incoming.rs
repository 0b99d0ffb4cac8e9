//! A file on its way in, part by part into storage: what every form with files shares. A part of at most a
//! mebibyte is all that a running upload holds in memory.

use std::time::Duration;

use actix_multipart::{Field, MultipartError};
use actix_web::web;
use futures_util::StreamExt;
use futures_util::stream::Fuse;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload};
use tokio::time::Instant;

use crate::kernel::app::App;
use crate::kernel::base::error::{Error, Result};

/// How much is written to storage at once, in bytes.
const PART: usize = 1 << 20;

/// How long a sender may be silent.
const STALLED: Duration = Duration::from_secs(60);

/// How long one form with files may take to arrive: whoever sends a byte a minute holds a turn, too.
pub const ARRIVING: Duration = Duration::from_secs(3_600);

/// A field of a form, and when the whole form must have arrived.
pub type Arriving<'a> = (&'a mut Fuse<Field>, Instant);

/// The next bytes of a part; a sender that has stopped is given up.
pub async fn next(field: &mut Fuse<Field>, until: Instant) -> Option<Result<web::Bytes>> {
    match tokio::time::timeout_at(until.min(Instant::now() + STALLED), field.next()).await {
        Ok(chunk) => Some(chunk?.map_err(|fault| broken(&fault))),
        Err(_) => Some(Err(Error::Refused(
            "The file stopped arriving. Nothing was stored. Attach it again.".into(),
        ))),
    }
}

/// What is told of a form that did not arrive whole.
pub fn broken(fault: &MultipartError) -> Error {
    // Its own words may quote what was sent.
    let kind = match fault {
        MultipartError::Incomplete => "incomplete",
        MultipartError::Payload(_) => "cut off",
        _ => "malformed",
    };
    tracing::info!(kind, "an upload did not arrive whole");
    Error::Refused("The file did not arrive whole. Nothing was stored. Attach it again.".into())
}

/// A fault of the attachment storage.
pub fn storage(fault: object_store::Error) -> Error {
    Error::Internal(anyhow::Error::new(fault).context("the attachment storage"))
}

/// A file that is being written to storage. Dropped without [`Staging::complete`] it leaves at most what the
/// sweep finds.
pub struct Staging<'a> {
    app: &'a App,
    place: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    part: Vec<u8>,
}

impl<'a> Staging<'a> {
    /// Nothing is made before there is something to write.
    pub fn new(app: &'a App, place: Path) -> Self {
        Self { app, place, upload: None, part: Vec::with_capacity(PART) }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.part.extend_from_slice(bytes);
        if self.part.len() < PART {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.part, Vec::with_capacity(PART));
        self.put(part).await
    }

    async fn put(&mut self, part: Vec<u8>) -> Result<()> {
        if self.upload.is_none() {
            let options = PutMultipartOptions::default();
            let upload = self.app.blobs.put_multipart_opts(&self.place, options).await.map_err(storage)?;
            self.upload = Some(upload);
        }
        match &mut self.upload {
            Some(upload) if !part.is_empty() => {
                upload.put_part(PutPayload::from(part)).await.map_err(storage)
            }
            _ => Ok(()),
        }
    }

    /// Writes what is left; the file is then in its place.
    ///
    /// # Errors
    /// When the storage refuses; what was written is taken back.
    pub async fn complete(mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.part);
        let done = match self.put(rest).await {
            Ok(()) => match &mut self.upload {
                Some(upload) => upload.complete().await.map(|_| ()).map_err(storage),
                None => Ok(()),
            },
            fault => fault,
        };
        if done.is_err() {
            self.abort().await;
        }
        done
    }

    /// Takes back what was written.
    pub async fn abort(self) {
        if let Some(mut upload) = self.upload {
            // What cannot be taken back now, the sweep finds.
            let _ = upload.abort().await;
        }
    }
}
