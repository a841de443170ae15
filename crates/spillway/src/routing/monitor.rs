//! Routers that tell what their peers tell them (BMP, RFC 7854): they connect to us, and no BGP session is needed.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::learn::Station;

use super::learned::Learned;

/// Routers at once.
const ROUTERS_MAX: usize = 64;

/// The listener. Dropped, it forgets what it was told.
#[derive(Debug)]
pub struct Monitor {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    wake: EventFd,
    stop: AtomicBool,
    routers: AtomicUsize,
    faults: AtomicU64,
    turned_away: AtomicU64,
}

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Routers that are connected.
    pub routers: usize,
    /// Messages that could not be read, and streams that had to be closed.
    pub faults: u64,
    /// Routers and peers beyond what is taken at once.
    pub turned_away: u64,
}

impl Monitor {
    /// Listens.
    ///
    /// # Errors
    /// When the address cannot be had, or the system gives no thread.
    pub fn start(address: SocketAddr, learned: Arc<Learned>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            wake: EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            stop: AtomicBool::new(false),
            routers: AtomicUsize::new(0),
            faults: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        });
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("bmp".into())
            .spawn(move || run(&listener, &theirs, &learned))?;
        Ok(Self { address, shared, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was heard.
    pub fn heard(&self) -> Heard {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Heard {
            routers: self.shared.routers.load(Ordering::Relaxed),
            faults: of(&self.shared.faults),
            turned_away: of(&self.shared.turned_away),
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.shared.wake.write(1);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// A router that is connected.
struct Router {
    stream: TcpStream,
    from: SocketAddr,
    station: Station,
    /// Of these, what is counted already: faults, and what had no room.
    counted: (u64, u64),
}

fn run(listener: &TcpListener, shared: &Shared, learned: &Learned) {
    let mut routers: Vec<Router> = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let ready: Vec<bool> = {
            let mut polled = vec![
                PollFd::new(shared.wake.as_fd(), PollFlags::POLLIN),
                PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            ];
            polled.extend(routers.iter().map(|r| PollFd::new(r.stream.as_fd(), PollFlags::POLLIN)));
            let _ = poll(&mut polled, PollTimeout::NONE);
            polled.iter().skip(1).map(|fd| fd.any().unwrap_or(false)).collect()
        };
        let mut ready = ready.into_iter();
        let knocks = ready.next().unwrap_or(false);
        routers.retain_mut(|router| {
            if !ready.next().unwrap_or(false) {
                return true;
            }
            let stays = router.readable(shared, learned);
            if !stays {
                tracing::warn!(router = %router.from, "the monitored router is gone, and its routes with it");
                learned.with(|routes| router.station.closed(routes));
            }
            stays
        });
        if knocks {
            accept(listener, shared, &mut routers);
        }
        shared.routers.store(routers.len(), Ordering::Relaxed);
    }
    routers.iter_mut().for_each(|router| learned.with(|routes| router.station.closed(routes)));
}

fn accept(listener: &TcpListener, shared: &Shared, routers: &mut Vec<Router>) {
    match listener.accept() {
        Ok(_) if routers.len() >= ROUTERS_MAX => {
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        Ok((stream, from)) if stream.set_nonblocking(true).is_ok() => {
            tracing::info!(router = %from, "a router tells its peers' routes");
            routers.push(Router { stream, from, station: Station::default(), counted: (0, 0) });
        }
        Ok(_) | Err(_) => {}
    }
}

impl Router {
    /// Reads what is there; `false`: it is over.
    fn readable(&mut self, shared: &Shared, learned: &Learned) -> bool {
        let mut buffer = vec![0; 65_536];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(cause) => {
                return matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            }
        };
        let octets = buffer.get(..count).unwrap_or_default();
        let named = self.station.name().is_some();
        let followed = learned.with(|routes| self.station.receive(octets, routes));
        if let (false, Some(name)) = (named, self.station.name()) {
            tracing::info!(router = %self.from, name, "the monitored router has a name");
        }
        let now = (self.station.faults, self.station.left_out);
        shared.faults.fetch_add(now.0 - self.counted.0 + u64::from(followed.is_err()), Ordering::Relaxed);
        shared.turned_away.fetch_add(now.1 - self.counted.1, Ordering::Relaxed);
        self.counted = now;
        if let Err(fault) = &followed {
            tracing::warn!(router = %self.from, %fault, "this is not BMP; the connection is closed");
        }
        followed.is_ok()
    }
}
