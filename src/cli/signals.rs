//! Ctrl+C and SIGTERM, from the first moment of a command on. What a command has begun ends in order, the
//! private PostgreSQL with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::kernel::db::embedded;

/// How a server is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: answers that are under way are finished.
    Graceful,
    /// Ctrl+C.
    Now,
}

/// Whoever is told of a signal; nobody as long as the process is to end at once.
type Listener = Arc<Mutex<Option<watch::Sender<Option<Stop>>>>>;

/// A signal is ending the process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Never comes back where a signal is ending the process: what the command says of a database that went away
/// under it is of no use to anybody, and its exit code would be the wrong one.
pub fn wait_while_ending() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// The signals of this process.
pub struct Signals(Listener);

impl Signals {
    /// Takes the signals over: from now on each leaves the private PostgreSQL and ends the process, until
    /// [`Signals::hand_over`].
    ///
    /// # Errors
    /// When the system does not let a thread or a handler be made.
    pub fn take() -> std::io::Result<Self> {
        let listener = Listener::default();
        let (ready, is_ready) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let told = listener.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async move {
                let made = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
                let (Ok(mut interrupt), Ok(mut terminate)) = made else {
                    return;
                };
                let _ = ready.send(());
                loop {
                    let (stop, code) = tokio::select! {
                        _ = interrupt.recv() => (Stop::Now, 130),
                        _ = terminate.recv() => (Stop::Graceful, 143),
                    };
                    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    match told.as_ref() {
                        Some(server) => drop(server.send_replace(Some(stop))),
                        None => {
                            ENDING.store(true, Ordering::SeqCst);
                            embedded::leave_all();
                            std::process::exit(code);
                        }
                    }
                }
            });
        })?;
        is_ready.recv().map_err(|_| std::io::Error::other("signals cannot be listened to"))?;
        Ok(Self(listener))
    }

    /// From now on a signal is for the server, which ends the process itself.
    pub fn hand_over(&self) -> watch::Receiver<Option<Stop>> {
        let (sender, receiver) = watch::channel(None);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }
}
