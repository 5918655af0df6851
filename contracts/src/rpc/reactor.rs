//! A thread of our own that waits for sockets, so that the chain can be used from any code, asynchronous or not.

use std::future::Future;
use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use super::RpcError;

/// One thread that drives requests.
#[derive(Debug)]
pub(super) struct Reactor(Option<Runtime>);

impl Reactor {
    pub fn start() -> Result<Self, RpcError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("narrows-rpc")
            .enable_all()
            .build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|error| RpcError::Start(error.to_string()))
    }

    /// Waits for `future` on this thread while the other drives it. Blocks; inside asynchronous code it holds up that
    /// code's thread and nothing else.
    ///
    /// # Panics
    /// When the future does.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.0.as_ref().expect("the runtime goes when the reactor is dropped");
        runtime.spawn(async move {
            // The other end waits until this has happened.
            let _ = sender.send(future.await);
        });
        receiver.recv().expect("a request does not panic")
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        // Waiting for its threads would panic inside asynchronous code.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_and_drops_inside_asynchronous_code() {
        let outer = Builder::new_current_thread().enable_all().build().expect("a runtime");
        outer.block_on(async {
            let reactor = Reactor::start().expect("a reactor");
            let answer = reactor.run(async {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                7
            });
            assert_eq!(answer, 7);
            drop(reactor);
        });
    }

    #[test]
    fn many_threads_may_use_one() {
        let reactor = Reactor::start().expect("a reactor");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let reactor = &reactor;
                scope.spawn(move || assert_eq!(reactor.run(async move { number }), number));
            }
        });
    }
}
