//! Turns at work that takes memory or time: so many at once for everybody, and fewer for each person, so that
//! nobody alone takes them all.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::kernel::base::error::{Error, Result};

/// Exports that are written at once, for everybody and for each person.
pub static EXPORTS: LazyLock<Turns> = LazyLock::new(|| Turns::new("exports", 3, 1));

/// Work on the processor that takes more than a few milliseconds, such as rendering long texts.
static RENDERINGS: LazyLock<Turns> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Turns::new("long pages", cores.max(2), (cores / 2).max(1))
});

/// Does such work off the threads that answer pages, when its turn comes.
///
/// # Errors
/// [`Error::Busy`] when no turn comes within seconds, and what the work says.
pub async fn aside<T: Send + 'static>(
    who: Uuid,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = RENDERINGS.take(who).await?;
    let done = actix_web::web::block(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(|panicked| Error::Internal(panicked.into()))?
}

/// How long somebody waits for a turn.
const WAIT: Duration = Duration::from_secs(10);

/// The turns at one kind of work in this process.
pub struct Turns {
    what: &'static str,
    all: Arc<Semaphore>,
    each: usize,
    people: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
}

/// A turn, for as long as it is held.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] (OwnedSemaphorePermit, OwnedSemaphorePermit));

impl Turns {
    /// `all` at once, of which a person has at most `each`; `what` they are, in the plural, for the sentence
    /// of who finds none.
    pub fn new(what: &'static str, all: usize, each: usize) -> Self {
        Self { what, all: Arc::new(Semaphore::new(all)), each, people: Mutex::default() }
    }

    /// The next turn of a person; whoever is nobody yet shares the turns of one.
    ///
    /// # Errors
    /// [`Error::Busy`] when none comes within seconds.
    pub async fn take(&self, who: Uuid) -> Result<Turn> {
        let (own, all) = (self.own(who), self.all.clone());
        // One's own first: who waits for that must not hold a place that others wait for.
        let both = async { Some((own.acquire_owned().await.ok()?, all.acquire_owned().await.ok()?)) };
        let taken = tokio::time::timeout(WAIT, both).await.ok().flatten();
        taken.map(Turn).ok_or(Error::Busy(self.what))
    }

    fn own(&self, who: Uuid) -> Arc<Semaphore> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds or awaits a turn holds the semaphore too.
        people.retain(|_, own| Arc::strong_count(own) > 1);
        people.entry(who).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn one_person_leaves_turns_to_others() {
        let turns = Turns::new("tests", 3, 2);
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let held = [turns.take(a).await.unwrap(), turns.take(a).await.unwrap()];
        assert!(
            tokio::time::timeout(Duration::from_millis(20), turns.take(a)).await.is_err(),
            "a third one waits"
        );
        let other = turns.take(b).await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_millis(20), turns.take(b)).await.is_err(),
            "and so does everybody"
        );
        drop((held, other));
        turns.take(a).await.unwrap();
        assert_eq!(turns.people.lock().unwrap().len(), 1, "who holds none is forgotten");
    }
}
