//! The process's own log on stderr. Whoever can reach the server can make it write here, so no line holds
//! what somebody typed, a line is one line, and no kind of line can fill the disk. Each line of a request
//! names its id, the one that error pages show.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Span, Subscriber};
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::filter::{EnvFilter, FilterExt};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged unless `TYRIAN_LOG` says otherwise.
const DEFAULT: &str = "warn,tyrian=info";
/// Lines of one kind, that is from one place in the sources, in each minute.
const LINES: u32 = 60;
/// Longest line, in characters.
const LONGEST: usize = 2_000;

pub fn start() {
    let asked = EnvFilter::try_from_env("TYRIAN_LOG").unwrap_or_else(|_| DEFAULT.into());
    let lines = tracing_subscriber::fmt::layer().compact().with_ansi(false).with_writer(Clean);
    tracing_subscriber::registry().with(lines.with_filter(asked.and(Bounded::default()))).init();
    // A panic's own words may hold the text that was being cut.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, backtrace = %std::backtrace::Backtrace::capture(), "panicked");
    }));
}

/// The span around each request: its id, method and row of the route table. Never the address itself, which
/// may be a one-time link or hold what was searched for.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(|id| id.to_string()).unwrap_or_default();
        let route = request.match_pattern().unwrap_or_default();
        // Of the highest level, so that a filter that shows a line shows the request it belongs to.
        tracing::error_span!(target: "tyrian", "request", %id, method = %request.method(), route)
    }
    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, actix_web::Error>) {}
}

/// What databases of any language quote with.
const QUOTES: [char; 6] = ['"', '“', '”', '„', '«', '»'];

/// The words of a fault that are ours or the database's. From the first quote to the last they are cut out,
/// because databases and parsers quote what they were given; the name of a constraint, table or column stays,
/// where nothing else is quoted.
pub fn without_quotes(fault: &str) -> String {
    let (Some(first), Some(last)) = (fault.find(QUOTES), fault.rfind(QUOTES)) else {
        return fault.to_owned();
    };
    if quotes_names_alone(fault) {
        return fault.to_owned();
    }
    let rest: String = if last > first { fault[last..].chars().skip(1).collect() } else { String::new() };
    format!("{}\"…\"{rest}", &fault[..first])
}

fn quotes_names_alone(fault: &str) -> bool {
    let parts: Vec<&str> = fault.split('"').collect();
    let (outside, mut inside) = (parts.iter().step_by(2), parts.iter().skip(1).step_by(2));
    let is_of_ours = |before: &&str| {
        ["constraint ", "table ", "relation ", "column "].iter().any(|kind| before.ends_with(kind))
    };
    let is_name =
        |quoted: &&str| quoted.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    // An even number of parts is a quote that nobody closes.
    parts.len() % 2 == 1
        && outside.take(parts.len() / 2).all(is_of_ours)
        && inside.all(is_name)
        && !fault.contains(&QUOTES[1..])
}

/// Lets through so many lines of each kind in a minute, and then says how many it left out.
#[derive(Default)]
struct Bounded(Mutex<HashMap<Identifier, Kind>>);

struct Kind {
    since: Instant,
    lines: u32,
}

impl Bounded {
    fn passes(&self, of: &Metadata<'_>, now: Instant) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(of.callsite()).or_insert(Kind { since: now, lines: 0 });
        if now.duration_since(kind.since) >= Duration::from_secs(60) {
            if kind.lines > LINES {
                // Not by the way of all lines, which is the one we are on.
                let _ = writeln!(
                    io::stderr(),
                    "left out {} more lines of {} in a minute",
                    kind.lines - LINES,
                    of.target()
                );
            }
            *kind = Kind { since: now, lines: 0 };
        }
        kind.lines = kind.lines.saturating_add(1);
        kind.lines <= LINES
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Bounded {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }
    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.passes(event.metadata(), Instant::now())
    }
}

/// Writes whole lines to stderr, without anything that a terminal or a reader of lines would obey.
#[derive(Clone, Copy)]
struct Clean;

impl<'a> MakeWriter<'a> for Clean {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Clean {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(clean(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn clean(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 1);
    let text = line.strip_suffix('\n').unwrap_or(line);
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        match c {
            c if c.is_control() => out.extend(c.escape_unicode()),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                out.extend(c.escape_unicode())
            }
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_obeyed_by_nothing() {
        let forged = clean("a\n2026-11-28T05:00:00Z  INFO tyrian::audit: forged\u{1b}[31m\u{202e}\r\n");
        assert_eq!(forged.matches('\n').count(), 1);
        assert!(
            !forged.contains('\u{1b}') && !forged.contains('\r') && !forged.contains('\u{202e}'),
            "{forged}"
        );
        assert!(clean(&"A".repeat(3_900_000)).len() < 2_100);
    }

    #[test]
    fn what_a_fault_quotes_is_cut_out_and_names_stay() {
        assert_eq!(
            without_quotes("invalid input syntax for type uuid: \"My-Real-Passw0rd!\""),
            "invalid input syntax for type uuid: \"…\""
        );
        let of_ours = "duplicate key value violates unique constraint \"people_email\"";
        assert_eq!(without_quotes(of_ours), of_ours);
        let of_two = "update on table \"clients\" violates foreign key constraint \"assets_client_id_fkey\" \
            on table \"assets\"";
        assert_eq!(without_quotes(of_two), of_two);
        assert_eq!(without_quotes("invalid input: \"a\"secret\"b\" at 3"), "invalid input: \"…\" at 3");
        assert_eq!(without_quotes("invalid value: \"my_secret_1\""), "invalid value: \"…\"");
        assert_eq!(without_quotes("ungültiger Wert: „geheim“"), "ungültiger Wert: \"…\"");
        assert_eq!(without_quotes("half \"open"), "half \"…\"");
    }

    #[test]
    fn one_kind_of_line_does_not_fill_the_log() {
        #[derive(Default)]
        struct Counts(std::sync::Arc<std::sync::atomic::AtomicU32>);
        impl<S: Subscriber> Layer<S> for Counts {
            fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let seen = Counts::default();
        let count = seen.0.clone();
        let subscriber = tracing_subscriber::registry().with(seen.with_filter(Bounded::default()));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1_000 {
                tracing::info!("one kind");
            }
            tracing::info!("another kind");
        });
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), LINES + 1);
    }
}
