//! Many connections from many addresses: with a request each, a crowd; without, a flood of handshakes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::honest::{Request, dial, fetch};
use super::inside::{Thread, inside};
use super::network::{CLIENTS, Network, Site};
use super::server::PORT;

/// Connections at the same time.
const THREADS: u32 = 16;
/// Of each.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// A page is asked for, and read.
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
    /// Begins with so many connections a second, from a site with the clients' number of addresses.
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
    let mut turn = thread;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let last = match site {
            Site::Clients => 3 + u8::try_from(turn / 2 % u32::from(CLIENTS)).unwrap_or(0),
            _ => 2,
        };
        let (from, to) = if turn.is_multiple_of(2) {
            (site.v4(last), Site::Server.v4(2))
        } else {
            (site.v6(last), Site::Server.v6(2))
        };
        let request = Request { from, to: SocketAddr::new(to, PORT), mss: None, patience: PATIENCE };
        // Whether it comes through is seen by the honest clients.
        let _ = match deed {
            Deed::Visit => fetch(&request, "/"),
            Deed::Hang => dial(&request).map(drop),
        };
        turn = turn.wrapping_add(THREADS + 1);
        next = (next + pace).max(Instant::now());
    }
}
