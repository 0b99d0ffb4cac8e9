//! Measures what signing in promises: that unknown and known accounts cannot be told apart by time, and that
//! a burst of sign-ins leaves the other pages quick. Run it with `cargo bench --bench sign_in`.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{PASSWORD, Stand, milliseconds};
use tyrian::accounts::{domain::hash_password, store};
use tyrian::kernel::event::domain::Actor;

const TRIES: usize = 50;
const PAGES: usize = 400;
const BURSTS: usize = 7;

fn main() {
    let scratch = std::env::temp_dir().join(format!("tyrian-sign-in-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    // Behind a proxy of ours, every attempt comes from a network of its own.
    let stand = Stand::start(&scratch, &["--trusted-proxies", "127.0.0.1"]);
    let hash = hash_password(PASSWORD).expect("a hash");
    for n in 0..2 * TRIES {
        let email = format!("known{n}@tyrian.example");
        let new = store::NewPerson {
            name: "Known Example",
            email: &email,
            password_hash: Some(&hash),
            roles: &["team_lead"],
        };
        stand
            .app
            .db
            .write_blocking(&Actor::command(), |tx| {
                let (id, event) = store::insert_person(tx, &new, None)?;
                tx.audited(id, event)
            })
            .expect("a person");
    }
    known_and_unknown(&stand.base);
    bursts(&stand.base);
    stand.stop();
    let _ = std::fs::remove_dir_all(&scratch);
}

fn agent() -> ureq::Agent {
    ureq::Agent::new_with_config(
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build(),
    )
}

/// Status, session cookie and duration of an attempt from a network of its own.
fn attempt(
    agent: &ureq::Agent,
    base: &str,
    email: &str,
    password: &str,
    from: usize,
) -> (u16, String, Duration) {
    let body = format!("email={}&password={}&next=", email.replace('@', "%40"), password.replace(' ', "+"));
    let begun = Instant::now();
    let mut answer = agent
        .post(format!("{base}/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", format!("192.0.{}.{}", from / 250, from % 250))
        .send(body)
        .expect("an answer");
    let _ = answer.body_mut().read_to_vec();
    let took = begun.elapsed();
    let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|c| c.to_str().ok());
    let session = cookies
        .filter_map(|c| c.split(';').next())
        .find(|c| c.starts_with("tyrian-") && !c.contains("-device="))
        .unwrap_or_default()
        .to_owned();
    (answer.status().as_u16(), session, took)
}

fn known_and_unknown(base: &str) {
    let agent = agent();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..TRIES {
        // Taken in turns, so that whatever else the machine does meets both alike.
        let one = attempt(&agent, base, &format!("known{n}@tyrian.example"), "not the password", n);
        let other =
            attempt(&agent, base, &format!("nobody{n}@tyrian.example"), "not the password", TRIES + n);
        assert_eq!((one.0, other.0), (422, 422));
        known.push(one.2);
        unknown.push(other.2);
    }
    let told = |times: &mut Vec<Duration>| {
        (milliseconds(times, 0.5), milliseconds(times, 0.25), milliseconds(times, 0.75))
    };
    let ((a, a25, a75), (b, b25, b75)) = (told(&mut known), told(&mut unknown));
    println!("wrong password, known account      median {a:.2} ms, quartiles {a25:.2} – {a75:.2}");
    println!("wrong password, unknown account    median {b:.2} ms, quartiles {b25:.2} – {b75:.2}");
    println!(
        "difference of the medians          {:.2} ms, spread within one {:.2} ms",
        (a - b).abs(),
        (a75 - a25).min(b75 - b25)
    );
}

fn bursts(base: &str) {
    let reader = agent();
    let (status, cookie, _) = attempt(&reader, base, "known0@tyrian.example", PASSWORD, 400);
    assert_eq!(status, 303);
    let page = || {
        let begun = Instant::now();
        let mut answer =
            reader.get(format!("{base}/engagements")).header("cookie", &cookie).call().expect("a page");
        let _ = answer.body_mut().read_to_vec();
        assert_eq!(answer.status().as_u16(), 200);
        begun.elapsed()
    };
    // One burst is over in a second, and its worst requests are few: the median of several says more.
    let mut times: Vec<f64> = (0..BURSTS).map(|n| burst(base, 500 + n * TRIES, &page)).collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{BURSTS} bursts, p95 busy to p95 calm       median {:.1} times, {:.1} – {:.1}",
        times[BURSTS / 2],
        times[0],
        times[BURSTS - 1]
    );
}

/// The p95 of a page during one burst of sign-ins, as a multiple of its p95 just before.
fn burst(base: &str, networks: usize, page: &impl Fn() -> Duration) -> f64 {
    let mut calm: Vec<Duration> = (0..PAGES).map(|_| page()).collect();
    let calm = milliseconds(&mut calm, 0.95);
    let finished_all = AtomicBool::new(false);
    let mut meanwhile = Vec::new();
    let took = std::thread::scope(|scope| {
        let begun = Instant::now();
        let signing: Vec<_> = (0..TRIES)
            .map(|n| {
                scope.spawn(move || {
                    attempt(
                        &agent(),
                        base,
                        &format!("known{}@tyrian.example", TRIES + n),
                        PASSWORD,
                        networks + n,
                    )
                    .0
                })
            })
            .collect();
        let done = &finished_all;
        let finished = scope.spawn(move || {
            let all: Vec<u16> = signing.into_iter().map(|thread| thread.join().expect("a sign-in")).collect();
            done.store(true, Ordering::Release);
            assert!(all.iter().all(|status| *status == 303), "{all:?}");
            begun.elapsed()
        });
        while !done.load(Ordering::Acquire) {
            meanwhile.push(page());
        }
        finished.join().expect("an end")
    });
    let pages = meanwhile.len();
    let busy = milliseconds(&mut meanwhile, 0.95);
    println!(
        "{TRIES} sign-ins at once in {:.0} ms: a page meanwhile ({pages}) p95 {busy:.2} ms, calm {calm:.2} \
            ms",
        took.as_secs_f64() * 1_000.0
    );
    busy / calm
}
