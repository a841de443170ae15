//! Honest visitors: page loads at an even pace from ever new addresses of both families, each with its outcome.

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

use super::inside::Thread;
use super::namespace::Namespace;
use super::network::visitor;
use super::server::{PICTURES, PORT};

/// A connection that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Who asks, from which port; 0 is any.
    pub from: SocketAddr,
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
    bind(fd.as_raw_fd(), &SockaddrStorage::from(request.from))?;
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
/// Page loads a second, of all together, where one server is asked.
pub(super) const RATE: u32 = 100;
/// A client gives up after this.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_000);
/// Outcomes that are kept, of hours at this rate; later ones are not.
const OUTCOMES_MAX: usize = 1 << 20;
/// No answer that visitors ask for is longer.
const ANSWER_MAX: usize = 1 << 16;

impl Honest {
    /// From this namespace they begin to ask a server, by its two addresses, so many times a second.
    pub(super) fn start(from: &Namespace, server: [IpAddr; 2], rate: u32) -> anyhow::Result<Self> {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let mut honest = Self { stop, threads: Vec::new(), seen };
        for n in 0..THREADS {
            let (stop, seen) = (Arc::clone(&honest.stop), Arc::clone(&honest.seen));
            let pace = Duration::from_secs(1) * u32::from(THREADS) / rate.max(1);
            honest.threads.push(from.inside(move || ask_on(n, (server, pace), &stop, &seen))?);
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

fn ask_on(
    thread: u8,
    (server, pace): ([IpAddr; 2], Duration),
    stop: &AtomicBool,
    seen: &Mutex<Vec<Outcome>>,
) {
    let mut next = Instant::now() + pace * u32::from(thread) / u32::from(THREADS);
    let mut turn = 2 * u32::from(thread);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let at = Instant::now();
        let answered = visit(turn, server, PATIENCE).is_ok();
        let outcome = Outcome { at, took: at.elapsed(), answered };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < OUTCOMES_MAX {
            seen.push(outcome);
        }
        drop(seen);
        // Families take turns, and no number comes twice.
        turn = turn.wrapping_add(if turn.is_multiple_of(2) { 1 } else { 2 * u32::from(THREADS) - 1 });
        // Who waited in vain does not catch up.
        next = (next + pace).max(Instant::now());
    }
}

/// A visitor, by number over IPv4 or IPv6 in turn, loads a page with what belongs to it, and goes.
pub(super) fn visit(number: u32, [v4, v6]: [IpAddr; 2], patience: Duration) -> io::Result<()> {
    let over_ipv6 = !number.is_multiple_of(2);
    let to = if over_ipv6 { v6 } else { v4 };
    let from = visitor(number, over_ipv6);
    let until = Instant::now() + patience;
    let mut stream = dial(&Request {
        from: SocketAddr::new(from, 0),
        to: SocketAddr::new(to, PORT),
        mss: None,
        patience,
    })?;
    let picture = format!("/picture{}", number / 2 % PICTURES);
    for path in ["/", "/style.css", &picture] {
        // In one piece, as browsers send it.
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes())?;
        answer(&mut stream, until)?;
    }
    Ok(())
}

/// Reads an answer with its length in the header to its end.
fn answer(stream: &mut TcpStream, until: Instant) -> io::Result<()> {
    let (mut whole, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let got = stream.read(&mut part)?;
        whole.extend(part.iter().take(got));
        if got == 0 || whole.len() > ANSWER_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if whole.len() >= length(&whole).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// Of an answer with its header, once that is there whole.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(answer.get(..head)?).ok()?;
    let body = text.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    Some(head + 4 + body.trim().parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_its_header_says() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), Some(43));
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), None);
    }

    #[test]
    fn visitors_do_not_come_back_soon() {
        for over_ipv6 in [false, true] {
            let mut seen: Vec<IpAddr> = (0..10_000).map(|n| visitor(n, over_ipv6)).collect();
            seen.sort_unstable();
            seen.dedup();
            assert!(seen.len() > 9_900, "{}", seen.len());
        }
    }
}
