//! Forms and queries. actix's own extractors cannot read repeated fields, so the body is read here: no more
//! of it than the row of the route table says, and large ones one after another, off the threads that answer
//! pages.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::kernel::base::error::{Error, Result};
pub use crate::kernel::base::pairs::Pairs;
use crate::kernel::base::pairs::not_ours;
use crate::kernel::base::show;
use crate::kernel::web::ctx::Known;
use crate::kernel::web::turns::{Turn, Turns};

/// The most that the form of a row may hold. Fields have their own, smaller limits with a sentence beside the
/// field; this leaves room to give a megabyte of notes back to who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormLimit {
    /// Bytes of the body.
    pub bytes: usize,
    /// Fields, each with its value.
    pub pairs: usize,
}

impl FormLimit {
    /// A few words: sign-in, buttons, ticks of one row.
    pub const WORDS: Self = Self { bytes: 16 << 10, pairs: 64 };
    /// Long texts, such as the notes of a procedure or a report's narrative.
    pub const TEXTS: Self = Self { bytes: 4 << 20, pairs: 500 };
    /// A row for each of 1,000 procedures, or eight fields for each of 500 people, and long texts beside
    /// them.
    pub const LISTS: Self = Self { bytes: 4 << 20, pairs: 5_000 };
}

/// How long a form may take to arrive.
pub(super) const BODY_TIME: Duration = Duration::from_secs(60);

/// A form of more bytes is large: it waits for its turn, and is parsed off the threads that answer pages.
const LARGE: usize = 64 << 10;

/// Large forms in memory at once, for everybody and for each person.
static LARGE_FORMS: LazyLock<Turns> = LazyLock::new(|| Turns::new("large forms", 16, 2));

pub struct Form<T>(pub T);

pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let limit = req.extensions().get::<FormLimit>().copied().unwrap_or(FormLimit::WORDS);
            // Rights are judged when the head is there: what comes later must not come much later.
            let arrived = tokio::time::timeout(BODY_TIME, arrive(&req, payload, limit.bytes)).await;
            let body = arrived
                .map_err(|_| Error::Refused("The form took too long to arrive. Send it again.".into()))??;
            if body.iter().filter(|byte| **byte == b'&').count() >= limit.pairs {
                return Err(Error::TooLarge(format!(
                    "This form has more than {} fields. Send it in smaller parts.",
                    limit.pairs
                )));
            }
            if body.len() <= LARGE {
                return parse(&body).map(Form);
            }
            web::block(move || parse(&body).map(Form)).await.map_err(|e| Error::Internal(e.into()))?
        })
    }
}

/// The whole body. A large one takes a turn, which ends with the request.
pub(super) async fn arrive(req: &HttpRequest, mut payload: Payload, limit: usize) -> Result<Vec<u8>> {
    let too_large = || {
        Error::TooLarge(format!(
            "This form is larger than {}. Shorten what you typed.",
            show::size(limit as i64)
        ))
    };
    let announced = req
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(0).min(LARGE));
    let mut turn: Option<Turn> = None;
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|_| Error::Refused("The form did not arrive whole. Send it again.".into()))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
        // A request that has a turn by now does not wait for another one.
        if body.len() > LARGE && turn.is_none() && !req.extensions().contains::<Turn>() {
            let who = Known::viewer_of(req).map_or_else(uuid::Uuid::nil, |viewer| viewer.id.0);
            turn = Some(LARGE_FORMS.take(who).await?);
        }
    }
    if let Some(turn) = turn {
        req.extensions_mut().insert(turn);
    }
    Ok(body)
}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = req.query_string();
        // No text of the database can hold it, so nothing is found by it.
        if query.contains("%00") {
            return std::future::ready(Err(Error::Refused(
                "This address holds a character that no text can have. Take it out.".into(),
            )));
        }
        std::future::ready(parse(query.as_bytes()).map(Query))
    }
}

/// The parser's own words name what was typed: the process's log gets the kind of the fault alone, from the
/// edge.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_html_form::from_bytes(bytes).map_err(|_| not_ours())
}
