//! Static files, in the binary. The style sheet's parts are joined into one at the start; every URL carries
//! the digest of what it names, so that browsers may keep it for good.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::kernel::base::error::{Error, Result};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

struct Asset {
    bytes: Vec<u8>,
    mime: &'static str,
    digest: String,
}

/// Cascade order. Each part names its own layer; the order here is that of reading.
const STYLE_PARTS: &[&str] =
    &["tokens", "base", "layout", "components", "pages", "schedule", "utilities", "print"];

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let mut assets = HashMap::new();
    for path in
        Files::iter().filter(|p| !p.starts_with("css/") && !p.ends_with(".md") && !p.contains("LICENSE"))
    {
        if let Some(file) = Files::get(&path) {
            assets.insert(path.to_string(), Asset::new(file.data.into_owned(), mime(&path)));
        }
    }
    let mut style = String::new();
    for part in STYLE_PARTS {
        if let Some(file) = Files::get(&format!("css/{part}.css")) {
            style.push_str(&String::from_utf8_lossy(&file.data));
            style.push('\n');
        }
    }
    // What the style sheet itself names gets its digest too.
    for (path, asset) in &assets {
        style = style.replace(&format!("/assets/{path}"), &format!("/assets/{path}?v={}", asset.digest));
    }
    assets.insert("app.css".into(), Asset::new(style.into_bytes(), "text/css; charset=utf-8"));
    assets
});

impl Asset {
    fn new(bytes: Vec<u8>, mime: &'static str) -> Self {
        let digest = Sha256::digest(&bytes)[..6].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self { bytes, mime, digest }
    }
}

fn mime(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// URL of an asset, with its digest.
pub fn url(path: &str) -> String {
    match ASSETS.get(path) {
        Some(asset) => format!("/assets/{path}?v={}", asset.digest),
        None => format!("/assets/{path}"),
    }
}

/// `GET /assets/{path}`: kept for good when the digest in the URL is right, asked for again otherwise.
pub async fn serve(req: HttpRequest, path: web::Path<String>) -> Result<HttpResponse> {
    let asset = ASSETS.get(path.as_str()).ok_or(Error::NotFound)?;
    let tag = format!("\"{}\"", asset.digest);
    if req.headers().get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes()) {
        return Ok(HttpResponse::NotModified().finish());
    }
    let kept = if req.query_string() == format!("v={}", asset.digest) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, asset.mime))
        .insert_header((header::CACHE_CONTROL, kept))
        .insert_header((header::ETAG, tag))
        .body(asset.bytes.as_slice()))
}
