//! Routers that tell what their peers tell them (BMP, RFC 7854): they connect to us, and no BGP session is needed.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::learn::Feed;
use wire::bmp::{self, Message, Peer};

use super::learned::Learned;

/// Routers at once.
const ROUTERS_MAX: usize = 64;
/// Peers of one router.
const PEERS_MAX: usize = 1024;

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
    messages: AtomicU64,
    faults: AtomicU64,
    turned_away: AtomicU64,
}

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Routers that are connected.
    pub routers: usize,
    /// Messages.
    pub messages: u64,
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
            messages: AtomicU64::new(0),
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
            messages: of(&self.shared.messages),
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
    waiting: Vec<u8>,
    feeds: BTreeMap<Peer, Feed>,
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
                router.forget(learned);
            }
            stays
        });
        if knocks {
            accept(listener, shared, &mut routers);
        }
        shared.routers.store(routers.len(), Ordering::Relaxed);
    }
    routers.iter_mut().for_each(|router| router.forget(learned));
}

fn accept(listener: &TcpListener, shared: &Shared, routers: &mut Vec<Router>) {
    match listener.accept() {
        Ok(_) if routers.len() >= ROUTERS_MAX => {
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        Ok((stream, from)) if stream.set_nonblocking(true).is_ok() => {
            tracing::info!(router = %from, "a router tells its peers' routes");
            routers.push(Router { stream, from, waiting: Vec::new(), feeds: BTreeMap::new() });
        }
        Ok(_) | Err(_) => {}
    }
}

impl Router {
    /// Reads what is there; `false`: it is over.
    fn readable(&mut self, shared: &Shared, learned: &Learned) -> bool {
        let mut buffer = vec![0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => self.waiting.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(cause) => {
                return matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            }
        }
        let waiting = std::mem::take(&mut self.waiting);
        let mut taken = 0;
        let stays = loop {
            match bmp::frame(waiting.get(taken..).unwrap_or_default()) {
                Ok(None) => break true,
                Ok(Some((kind, body, length))) => {
                    taken += length;
                    shared.messages.fetch_add(1, Ordering::Relaxed);
                    match bmp::read(kind, body) {
                        Ok(Message::Termination) => break false,
                        Ok(message) => self.take(message, shared, learned),
                        Err(fault) => {
                            shared.faults.fetch_add(1, Ordering::Relaxed);
                            tracing::debug!(router = %self.from, %fault, "a BMP message cannot be read");
                        }
                    }
                }
                Err(fault) => {
                    shared.faults.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(router = %self.from, %fault, "this is not BMP; the connection is closed");
                    break false;
                }
            }
        };
        // A message that is not whole is at most as long as one may be.
        self.waiting = waiting.get(taken..).unwrap_or_default().to_vec();
        stays
    }

    fn take(&mut self, message: Message, shared: &Shared, learned: &Learned) {
        match message {
            Message::Initiation { name, description } => {
                tracing::info!(router = %self.from, name = %printable(&name), description = %printable(&description),
                    "the monitored router has a name");
            }
            // A session that begins has told nothing yet. Before or after the policy is said of routes alone (RFC 7854 §4.2).
            Message::PeerUp { peer, .. } | Message::PeerDown { peer, .. } => {
                for post_policy in [false, true] {
                    if let Some(feed) = self.feeds.remove(&Peer { post_policy, ..peer }) {
                        learned.with(|routes| routes.forget(feed));
                    }
                }
            }
            Message::Routes { peer, update } => {
                let feed = match self.feeds.get(&peer) {
                    Some(feed) => *feed,
                    None if self.feeds.len() >= PEERS_MAX => {
                        shared.turned_away.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    None => *self.feeds.entry(peer).or_insert_with(|| learned.feed()),
                };
                learned.with(|routes| routes.take(feed, &update));
            }
            Message::Termination | Message::Other(_) => {}
        }
    }

    fn forget(&mut self, learned: &Learned) {
        for feed in std::mem::take(&mut self.feeds).into_values() {
            learned.with(|routes| routes.forget(feed));
        }
    }
}

/// Without what would change a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
