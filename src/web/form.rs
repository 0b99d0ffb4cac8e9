//! Forms and queries. actix's own extractors cannot read repeated fields, so the body is read here.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The largest form that is read, in bytes. Fields have their own, smaller limits with a sentence beside the field; this
/// one leaves room to give a megabyte of notes back to who typed it.
pub const FORM_BYTES: usize = 4 * 1024 * 1024;

/// How long a form may take to arrive.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// A posted form.
pub struct Form<T>(pub T);

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Bytes::from_request(req, payload);
        Box::pin(async move {
            // Rights are judged when the head is there: what comes later must not come much later.
            let body = tokio::time::timeout(BODY_TIME, body)
                .await
                .map_err(|_| Error::Refused("The form took too long to arrive. Send it again.".into()))?;
            let body = body.map_err(|e| match e.as_response_error().status_code().as_u16() {
                413 => Error::TooLarge("This form is larger than 4 MB. Shorten what you typed.".into()),
                _ => Error::Refused("The form did not arrive whole. Send it again.".into()),
            })?;
            parse(&body).map(Form)
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = req.query_string();
        // No text of the database can hold it, so nothing is found by it.
        if query.contains("%00") {
            return std::future::ready(Err(Error::Refused("This address holds a character that no text can have. Take it out.".into())));
        }
        std::future::ready(parse(query.as_bytes()).map(Query))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_html_form::from_bytes(bytes).map_err(|e| {
        tracing::info!(error = %e, "a form that cannot be read");
        Error::Malformed("This form has a field that does not belong to it, or lacks one. Reload the page and try again.".into())
    })
}

/// The fields of a form whose names are not known beforehand, in the order they came.
pub type Pairs = Vec<(String, String)>;

/// A field of a form that merges: its value, and the version that it came from (`base.<field>`, or `version` for a field
/// without one). A choice in a conflict moves the base to the version that was shown as theirs.
pub fn merging(pairs: &Pairs, name: &str) -> Option<(String, i32)> {
    let find = |name: &str| pairs.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let number = |name: &str| find(name).and_then(|value| value.parse::<i32>().ok());
    let raw = find(name)?.to_owned();
    let base = number(&format!("base.{name}")).unwrap_or_else(|| number("version").unwrap_or(0));
    let theirs = || number(&format!("theirs.{name}")).unwrap_or(base);
    if find("take") == Some(name) {
        return Some((find(&format!("value.{name}")).unwrap_or_default().to_owned(), theirs()));
    }
    Some(if find("keep") == Some(name) { (raw, theirs()) } else { (raw, base) })
}
