//! Conversations with RPKI caches (RFC 8210), all in one thread. The rail asks what they tell.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{Span, Timestamp};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::ownership::{Client, Output, Settings, Vrps};

use super::link::{Link, Seen, Way};

/// For how long a cache may acknowledge nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStatus {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it told; `None`: nothing that holds now.
    pub payloads: Option<usize>,
    /// Conversations that ended because of what the cache sent.
    pub faults: u64,
}

/// The caches, the most trusted first.
#[derive(Debug)]
pub struct Rpki {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    caches: Mutex<Vec<(SocketAddr, Client)>>,
    wake: EventFd,
    stop: AtomicBool,
    /// The cores' time counts from an arbitrary moment, and never goes back.
    began: Instant,
}

impl Rpki {
    /// Begins to speak with them.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor.
    pub fn start(addresses: &[SocketAddr]) -> io::Result<Self> {
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared =
            Shared { caches: Mutex::default(), wake, stop: AtomicBool::new(false), began: Instant::now() };
        let now = shared.now();
        let caches =
            addresses.iter().map(|address| (*address, Client::new(now, Settings::default()))).collect();
        let shared = Arc::new(Shared { caches: Mutex::new(caches), ..shared });
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("rpki".into()).spawn(move || theirs.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What the first cache that knows anything tells; `None`: none does, or not any more.
    pub fn vrps(&self) -> Option<Arc<Vrps>> {
        self.shared.lock().iter().find_map(|(_, cache)| cache.vrps().cloned())
    }

    /// How they are.
    pub fn status(&self) -> Vec<CacheStatus> {
        let status = |(address, cache): &(SocketAddr, Client)| CacheStatus {
            address: *address,
            payloads: cache.vrps().map(|vrps| vrps.len()),
            faults: cache.faults,
        };
        self.shared.lock().iter().map(status).collect()
    }
}

impl Drop for Rpki {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.shared.wake.write(1);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_secs(1_000_000).plus(Span::from_nanos(passed))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(SocketAddr, Client)>> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut links: Vec<Option<Link>> = self.lock().iter().map(|_| None).collect();
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.now();
            let next = {
                let mut caches = self.lock();
                for ((address, cache), link) in caches.iter_mut().zip(&mut links) {
                    cache.handle_timeout(now);
                    carry_out(now, *address, cache, link);
                }
                caches.iter().filter_map(|(_, cache)| cache.poll_timeout()).min()
            };
            let seen = self.wait(next, &mut links);
            let now = self.now();
            let mut caches = self.lock();
            for (((address, cache), link), seen) in caches.iter_mut().zip(&mut links).zip(seen) {
                for seen in seen {
                    match seen {
                        Seen::Connected => cache.connected(now),
                        Seen::Octets(octets) => cache.receive(now, &octets),
                        Seen::Closed => {
                            *link = None;
                            cache.disconnected(now);
                        }
                    }
                }
                carry_out(now, *address, cache, link);
            }
        }
    }

    /// Waits until something came; nothing is locked meanwhile.
    fn wait(&self, next: Option<Timestamp>, links: &mut [Option<Link>]) -> Vec<Vec<Seen>> {
        let now = self.now();
        let pause =
            next.map_or(Duration::from_secs(60), |next| Duration::from_nanos(next.since(now).nanos()));
        let millis = u16::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
        let ready: Vec<PollFlags> = {
            let mut polled = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
            for link in links.iter().flatten() {
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, link.wants_to_write());
                polled.push(PollFd::new(link.fd(), flags));
            }
            let _ = poll(&mut polled, PollTimeout::from(millis));
            polled.iter().skip(1).map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect()
        };
        let mut ready = ready.into_iter();
        links
            .iter_mut()
            .map(|link| link.as_mut().map_or_else(Vec::new, |link| look(link, ready.next())))
            .collect()
    }
}

fn look(link: &mut Link, ready: Option<PollFlags>) -> Vec<Seen> {
    let ready = ready.unwrap_or(PollFlags::empty());
    let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
    let mut seen = Vec::new();
    if ready.intersects(PollFlags::POLLOUT | ended) {
        seen.extend(link.writable());
    }
    if ready.intersects(PollFlags::POLLIN | ended) && seen.last() != Some(&Seen::Closed) {
        seen.extend(link.readable());
    }
    seen
}

fn carry_out(now: Timestamp, address: SocketAddr, cache: &mut Client, link: &mut Option<Link>) {
    while let Some(output) = cache.poll_output() {
        let done = match output {
            Output::Connect => {
                let way = Way { to: address, from: None, md5: None, hops: None, patience: PATIENCE };
                Link::dial(&way).map(|dialled| *link = Some(dialled))
            }
            Output::Send(octets) => link.as_mut().map_or(Ok(()), |link| link.send(&octets)),
            Output::Close(why) => {
                tracing::warn!(%address, why, "the conversation with the RPKI cache ended");
                *link = None;
                Ok(())
            }
            Output::Changed => Ok(()),
        };
        if let Err(cause) = done {
            tracing::warn!(%address, %cause, "cannot speak with the RPKI cache");
            *link = None;
            cache.disconnected(now);
        }
    }
}
