//! The end of a node: a signal asks for it, and what is under way may finish.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

/// How long what is under way may take after a signal. Whatever is cut then, the journal knows what stood.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether an end was asked for.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM. A second one ends the process at once, as does [`PATIENCE`].
    pub fn listen() -> Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let mut signals = Signals::new().context("signals cannot be listened to")?;
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("asked to stop: what is under way is finished first");
            // Nobody listens any more when the node is over already.
            let _ = sender.send(true);
            tokio::select! {
                () = signals.next() => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
            tracing::warn!("stopped in the middle of a step; the node resumes from its journal");
            std::process::exit(0);
        });
        Ok(Self(receiver))
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub async fn asked(&mut self) {
        // The sender goes with the process.
        let _ = self.0.wait_for(|asked| *asked).await;
    }

    /// Waits `pause`, or less when the end is asked for.
    pub async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = self.asked() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps, reason = "as on other systems")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
