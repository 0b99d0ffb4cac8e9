//! Answers that the browser saves as a file.

use actix_web::HttpResponse;

/// An answer that is saved under this name; what a header cannot hold becomes a dash.
pub fn download(
    content_type: &'static str,
    name: &str,
    body: impl Into<actix_web::web::Bytes>,
) -> HttpResponse {
    let safe: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .collect();
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{safe}\"")))
        .body(body.into())
}
