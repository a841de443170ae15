//! Honest clients: requests at an even pace from many addresses of both families, each with its outcome.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::inside::{Thread, inside};
use super::network::{CLIENTS, Network, Site};
use super::server::PORT;

/// A connection that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Who asks.
    pub from: IpAddr,
    /// Whom.
    pub to: SocketAddr,
    /// Largest segment in octets that is offered, where it is not what the interface allows.
    pub mss: Option<u32>,
    /// For connecting, and for each read and write.
    pub patience: Duration,
}

/// Opens a connection from an address of this namespace.
///
/// # Errors
/// When it does not stand in time.
pub fn dial(request: &Request) -> io::Result<TcpStream> {
    let family = if request.to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let patience = i64::try_from(request.patience.as_micros()).unwrap_or(i64::MAX);
    let patience = TimeVal::new(patience / 1_000_000, patience % 1_000_000);
    setsockopt(&fd, sockopt::SendTimeout, &patience)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &patience)?;
    if let Some(mss) = request.mss {
        setsockopt(&fd, sockopt::TcpMaxSeg, &mss)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(request.from, 0)))?;
    connect(fd.as_raw_fd(), &SockaddrStorage::from(request.to))?;
    Ok(TcpStream::from(fd))
}

/// How one request came out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// When it began.
    pub(super) at: Instant,
    pub(super) took: Duration,
    pub(super) answered: bool,
}

/// The clients, as long as this lives.
#[derive(Debug)]
pub(super) struct Honest {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread<()>>,
    seen: Arc<Mutex<Vec<Outcome>>>,
}

/// Who ask at the same time.
const THREADS: u8 = 8;
/// Requests a second, of all together.
const RATE: u32 = 100;
/// A client gives up after this.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_000);
/// Outcomes that are kept, of hours at this rate; later ones are not.
const OUTCOMES_MAX: usize = 1 << 20;

impl Honest {
    /// Begins to ask.
    pub(super) fn start(network: &Network) -> anyhow::Result<Self> {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let mut honest = Self { stop, threads: Vec::new(), seen };
        for n in 0..THREADS {
            let (stop, seen) = (Arc::clone(&honest.stop), Arc::clone(&honest.seen));
            honest.threads.push(inside(network, Site::Clients, move || ask_on(n, &stop, &seen))?);
        }
        Ok(honest)
    }

    /// Requests that began between two instants and have an outcome by now.
    pub(super) fn between(&self, from: Instant, to: Instant) -> Vec<Outcome> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|outcome| outcome.at >= from && outcome.at < to).copied().collect()
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // What it has seen is told already.
            let _ = thread.join();
        }
    }
}

fn ask_on(thread: u8, stop: &AtomicBool, seen: &Mutex<Vec<Outcome>>) {
    let pace = Duration::from_secs(1) * u32::from(THREADS) / RATE;
    let mut next = Instant::now() + pace * u32::from(thread) / u32::from(THREADS);
    let mut turn = u32::from(thread);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let at = Instant::now();
        let answered = ask(turn).is_ok();
        let outcome = Outcome { at, took: at.elapsed(), answered };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < OUTCOMES_MAX {
            seen.push(outcome);
        }
        drop(seen);
        turn = turn.wrapping_add(u32::from(THREADS) + 1);
        // Who waited in vain does not catch up.
        next = (next + pace).max(Instant::now());
    }
}

/// One request, from one of the clients' addresses, over IPv4 and IPv6 in turn.
fn ask(turn: u32) -> io::Result<()> {
    let last = 3 + u8::try_from(turn / 2 % u32::from(CLIENTS)).unwrap_or(0);
    let (from, to) = if turn.is_multiple_of(2) {
        (Site::Clients.v4(last), Site::Server.v4(2))
    } else {
        (Site::Clients.v6(last), Site::Server.v6(2))
    };
    let request = Request { from, to: SocketAddr::new(to, PORT), mss: None, patience: PATIENCE };
    fetch(&request, "/")
}

/// Asks for a page and reads it to its end.
pub(super) fn fetch(request: &Request, path: &str) -> io::Result<()> {
    let until = Instant::now() + request.patience;
    let mut stream = dial(request)?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let (mut answer, mut octets) = ([0; 4096], 0);
    loop {
        let got = stream.read(&mut answer)?;
        if got == 0 {
            break;
        }
        octets += got;
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    if octets > 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
