//! Requests, measured: how many of each route came to what, and how long they took.

use std::sync::LazyLock;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

use crate::kernel::db::counting;

/// Until the answer begins: what a person waits for. Of a page that is all of it, of an export its first
/// line.
static REQUESTS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let about = HistogramOpts::new(
        "tyrian_http_request_duration_seconds",
        "Requests by route and class of their status, and the seconds until their answers began.",
    );
    let buckets = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
    HistogramVec::new(about.buckets(buckets), &["method", "route", "status"])
        .unwrap_or_else(|fault| unreachable!("{fault}"))
});

static STATEMENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let about =
        Opts::new("tyrian_http_statements_total", "Statements that requests sent, by route and status.");
    IntCounterVec::new(about, &["method", "route", "status"]).unwrap_or_else(|fault| unreachable!("{fault}"))
});

/// Statements of every request so far, by its labels.
pub fn statements() -> &'static IntCounterVec {
    &STATEMENTS
}

/// Every request so far, by its labels.
pub fn requests() -> &'static HistogramVec {
    &REQUESTS
}

/// A layer that measures each request. Labels are those of the route table, never of what was asked: whoever
/// tries a million addresses or methods makes no series more.
///
/// # Errors
/// What the layers inside return.
pub async fn measure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    };
    let begun = Instant::now();
    let (answer, sent) = counting(next.call(request)).await;
    let status = match &answer {
        Ok(answer) => answer.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let labels = [method, route.as_str(), class(status)];
    REQUESTS.with_label_values(&labels).observe(begun.elapsed().as_secs_f64());
    STATEMENTS.with_label_values(&labels).inc_by(sent);
    answer
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
