//! The HTTP thread.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use store::Reader;
use tokio::sync::oneshot;

use super::source::Source;

/// Requests under way at the end get this long.
const GRACE: Duration = Duration::from_millis(300);

/// A running HTTP server; dropping it ends it.
#[derive(Debug)]
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Serves on this listener.
    pub(super) fn start(listener: TcpListener, source: Arc<Source>, history: Reader) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .context("cannot start the HTTP server")?;
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let serving = axum::serve(listener, api::router(source, history));
                tokio::select! {
                    ended = serving => ended,
                    _ = stopped => Ok(()),
                }
            });
            if let Err(cause) = served {
                tracing::error!(%cause, "the HTTP server ended");
            }
            runtime.shutdown_timeout(GRACE);
        };
        let thread = std::thread::Builder::new().name("api".to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
