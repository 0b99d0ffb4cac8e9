//! The database goes away: a page that says so, for everybody, and it comes back by itself.

use std::net::TcpListener;

use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::db::embedded::{APP, Cluster, Durability, OWNER, ROLES};
use tyrian::kernel::db::{Db, PoolSize};

use crate::harness::app::{Server, config, start};
use crate::harness::browser::{Answer, Browser};
use crate::harness::database::scratch;
use crate::harness::fixtures::{planted_session, settle};

use super::edge::assert_headers;

/// A cluster that this test may stop, removed at the end.
struct OwnCluster(Cluster, std::path::PathBuf);

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.0.stop_always();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

#[track_caller]
fn assert_away(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), "5");
    assert!(answer.text().contains("Tyrian cannot reach its database right now"), "{}", answer.text());
    assert_headers("outage", answer);
}

fn until_it_answers(browser: &mut Browser, path: &str) -> Answer {
    // Every attempt waits for a connection inside the app, up to its limit; no sleep is needed between them.
    for _ in 0..60 {
        let answer = browser.get(path);
        if answer.status != 503 {
            return answer;
        }
    }
    panic!("the app did not recover");
}

#[test]
fn an_outage_is_told_to_everybody_and_heals_by_itself() {
    let place = scratch().join(format!("outage-{}", std::process::id()));
    let own = OwnCluster(Cluster::start(&place, Durability::Fast).unwrap(), place.clone());
    own.0.ensure_database("outage").unwrap();
    tyrian::kernel::db::migrate::migrate(&own.0.url(OWNER, "outage"), ROLES).unwrap();
    let clock = Clock::standing_at(start());
    let db = Db::open(&own.0.url(APP, "outage"), PoolSize { connections: 2, wait_seconds: 1 }, clock.clone())
        .unwrap();
    let app = tyrian::server::assemble(config(&place.join("data")), db, None, clock).unwrap();
    tyrian::server::prepare(&app).unwrap();
    let (_, people) = settle(&app);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut server = Server::start(app.clone(), listener, false);

    let mut lead = Browser::new(&base);
    lead.carry(&planted_session(&app, people.lead.id));
    lead.open("/account").expect(200).see("Lea Winter");

    for crash in [false, true] {
        if crash {
            own.0.crash()
        } else {
            own.0.stop_always()
        }
        let mut visitor = Browser::new(&base);
        assert_away(&lead.get("/account"));
        assert_away(&lead.get("/clients"));
        assert_away(&lead.post("/account/theme", &[("theme", "dark")]));
        let fragment = lead.get_fragment("/account");
        assert_away(&fragment);
        assert!(!fragment.text().contains("<html"), "a fragment stays one");
        assert_away(&visitor.post("/sign-in", &[("email", "a@b.example"), ("password", "x")]));
        assert_eq!(visitor.get("/sign-in").status, 200, "the form itself needs no database");
        assert_eq!(visitor.get("/healthz").status, 200, "the process is up");
        let ready = visitor.get("/readyz");
        assert_eq!((ready.status, ready.text().as_str()), (503, "database: away\n"));

        // It runs on; `own` ends it.
        let _goes_on = std::mem::ManuallyDrop::new(Cluster::start(&place, Durability::Fast).unwrap());
        let answer = until_it_answers(&mut lead, "/account");
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("Lea Winter"), "still signed in");
        assert_eq!(until_it_answers(&mut visitor, "/readyz").status, 200);
    }
    server.stop();
    drop(app);
}
