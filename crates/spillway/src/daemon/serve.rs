//! The HTTP thread: connections in, bounded in number and patience; TLS where it listens elsewhere than on loopback.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::Peer;
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::certificate::Tls;

/// Requests under way at the end get this long.
const GRACE: Duration = Duration::from_millis(300);
/// Connections at a time; who comes then waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// A handshake has to be over in this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// And the head of a request has to be there; a connection without one is closed.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Octets that are sent and that nobody acknowledges end a connection after so long.
const SILENT_MAX: Duration = Duration::from_secs(30);
/// A system that is out of descriptors is asked again after so long.
const AGAIN: Duration = Duration::from_millis(100);

/// A running HTTP server; dropping it ends it.
#[derive(Debug)]
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Serves on this listener.
    pub(super) fn start(listener: TcpListener, tls: Option<&Tls>, parts: api::Parts) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .context("cannot start the HTTP server")?;
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::clone(&tls.server)));
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
                let (end, ending) = watch::channel(());
                tokio::select! {
                    () = accept(listener, acceptor, api::router(parts), (&room, ending)) => {}
                    _ = stopped => {}
                }
                // Whoever asked for this end hears what came of it.
                drop(end);
                let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
                let _ = timeout(GRACE, room.acquire_many(all)).await;
                Ok::<_, std::io::Error>(())
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

async fn accept(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    (room, ending): (&Arc<Semaphore>, watch::Receiver<()>),
) {
    loop {
        let Ok(place) = Arc::clone(room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::debug!(%cause, "a connection to the API");
                sleep(AGAIN).await;
                continue;
            }
        };
        let (tls, router, ending) = (tls.clone(), router.clone(), ending.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, peer, tls, router, ending).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    ending: watch::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(SILENT_MAX));
    let Some(tls) = tls else { return talk(stream, peer, router, ending).await };
    match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, peer, router, ending).await,
        Ok(Err(cause)) => tracing::debug!(%peer, %cause, "no TLS"),
        Err(_) => tracing::debug!(%peer, "no TLS in time"),
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Router,
    mut ending: watch::Receiver<()>,
) {
    let serve = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let mut router = router.clone();
        async move { Ok::<_, Infallible>(unfailing(router.call(request.map(Body::new)).await)) }
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), serve)
    );
    let over = tokio::select! {
        over = served.as_mut() => over,
        _ = ending.changed() => {
            // What is under way is answered, and nothing more is asked.
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(cause) = over {
        tracing::debug!(%peer, %cause, "a connection to the API");
    }
}

fn unfailing<T>(answer: Result<T, Infallible>) -> T {
    let Ok(answer) = answer;
    answer
}
