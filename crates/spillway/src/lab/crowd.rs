//! Many connections from many addresses: with a request each, a crowd; without, a flood of handshakes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::honest::{Request, dial, visit};
use super::inside::{Thread, inside};
use super::network::{Network, Site};
use super::server::PORT;

/// Connections at the same time.
const THREADS: u32 = 16;
/// Of each.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// A page is loaded, each time by another visitor.
    Visit,
    /// It is closed as soon as it stands.
    Hang,
}

/// The connections, as long as this lives.
#[derive(Debug)]
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread<()>>,
}

impl Crowd {
    /// Begins with so many connections a second.
    pub(super) fn start(network: &Network, site: Site, deed: Deed, rate: u32) -> anyhow::Result<Self> {
        let mut crowd = Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new() };
        let pace = Duration::from_secs(1) * THREADS / rate.max(1);
        for n in 0..THREADS {
            let stop = Arc::clone(&crowd.stop);
            crowd.threads.push(inside(network, site, move || go_on(site, deed, n, pace, &stop))?);
        }
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Nothing of it is counted here.
            let _ = thread.join();
        }
    }
}

fn go_on(site: Site, deed: Deed, thread: u32, pace: Duration, stop: &AtomicBool) {
    let mut next = Instant::now() + pace * thread / THREADS;
    let mut turn = 2 * thread;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        // Whether it comes through is seen by the honest clients.
        let _ = match deed {
            // Others than those who come every day.
            Deed::Visit => visit(turn ^ 1 << 31, [Site::Server.v4(2), Site::Server.v6(2)], PATIENCE),
            Deed::Hang => hang(site, turn),
        };
        turn = turn.wrapping_add(if turn.is_multiple_of(2) { 1 } else { 2 * THREADS - 1 });
        next = (next + pace).max(Instant::now());
    }
}

fn hang(site: Site, turn: u32) -> std::io::Result<()> {
    let (from, to) = if turn.is_multiple_of(2) {
        (site.v4(2), Site::Server.v4(2))
    } else {
        (site.v6(2), Site::Server.v6(2))
    };
    dial(&Request {
        from: SocketAddr::new(from, 0),
        to: SocketAddr::new(to, PORT),
        mss: None,
        patience: PATIENCE,
    })
    .map(drop)
}
