//! Static files, in the binary. The style sheet's parts are joined into one at the start; every URL carries
//! the digest of what it names, so that browsers may keep it for good.
//!
//! Script modules import each other by relative paths, which carry no digest. So one digest over all of them
//! stands in the path before their names: a change to one changes the address of each, and an address with
//! another digest does not exist, rather than mixing modules of two releases.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::hex::hex;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

struct Asset {
    bytes: Vec<u8>,
    mime: &'static str,
    digest: String,
    /// Its own address, under which it may be kept for good.
    url: String,
}

/// Cascade order. Each part names its own layer; the order here is that of reading.
const STYLE_PARTS: &[&str] =
    &["tokens", "base", "layout", "components", "pages", "library", "schedule", "utilities", "print"];

/// Folder of the script modules.
const MODULES: &str = "js/";

/// Every asset by its path below `/assets/`.
static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let mut assets = HashMap::new();
    for path in Files::iter().filter(|path| is_served_as_it_is(path)) {
        if let Some(file) = Files::get(&path) {
            assets.insert(path.to_string(), Asset::new(&path, file.data.into_owned()));
        }
    }
    assets.extend(modules());
    let mut style = String::new();
    for part in STYLE_PARTS {
        if let Some(file) = Files::get(&format!("css/{part}.css")) {
            style.push_str(&String::from_utf8_lossy(&file.data));
            style.push('\n');
        }
    }
    // What the style sheet itself names gets its digest too.
    for (path, asset) in &assets {
        style = style.replace(&format!("/assets/{path}"), &asset.url);
    }
    assets.insert("app.css".into(), Asset::new("app.css", style.into_bytes()));
    assets
});

/// Style sheets and modules are put together, and what is written for people stays in the sources.
fn is_served_as_it_is(path: &str) -> bool {
    let is_put_together = path.starts_with("css/") || path.starts_with(MODULES);
    !is_put_together && !path.ends_with(".md") && !path.contains("LICENSE")
}

/// The script modules, each by its path with the digest of them all.
fn modules() -> Vec<(String, Asset)> {
    let mut files: Vec<(String, Vec<u8>)> = Files::iter()
        .filter(|path| path.starts_with(MODULES))
        .filter_map(|path| Some((path.to_string(), Files::get(&path)?.data.into_owned())))
        .collect();
    files.sort();
    let mut sum = Sha256::new();
    for (path, bytes) in &files {
        // A name or an end that moves changes the digest too.
        sum.update(path.len().to_be_bytes());
        sum.update(path);
        sum.update(bytes.len().to_be_bytes());
        sum.update(bytes);
    }
    let digest = short_hex(&sum.finalize());
    let folder = format!("{MODULES}{digest}/");
    let served = |(path, bytes): (String, Vec<u8>)| {
        let served = path.replacen(MODULES, &folder, 1);
        let url = format!("/assets/{served}");
        (served, Asset { url, ..Asset::new(&path, bytes) })
    };
    files.into_iter().map(served).collect()
}

impl Asset {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        let digest = short_hex(&Sha256::digest(&bytes));
        let url = format!("/assets/{path}?v={digest}");
        Self { bytes, mime: mime(path), digest, url }
    }
}

/// Enough of a digest to tell one content from another.
fn short_hex(digest: &[u8]) -> String {
    hex(&digest[..6])
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
        Some(asset) => asset.url.clone(),
        None => format!("/assets/{path}"),
    }
}

/// URLs of all script modules, by name.
pub fn module_urls() -> Vec<String> {
    let modules = ASSETS.iter().filter(|(path, _)| path.starts_with(MODULES));
    let mut urls: Vec<String> = modules.map(|(_, asset)| asset.url.clone()).collect();
    urls.sort();
    urls
}

/// `GET /assets/{path}`: kept for good under the address with its digest, asked for again otherwise.
pub async fn serve(req: HttpRequest, path: web::Path<String>) -> Result<HttpResponse> {
    let asset = ASSETS.get(path.as_str()).ok_or(Error::NotFound)?;
    let tag = format!("\"{}\"", asset.digest);
    if req.headers().get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes()) {
        return Ok(HttpResponse::NotModified().finish());
    }
    let kept = if req.uri().path_and_query().is_some_and(|asked| *asked == *asset.url) {
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
