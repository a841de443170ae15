//! One TCP connection to a router, without blocking.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Network control, as routers mark it themselves: a full uplink drops it last (RFC 4594 §3.1).
const CLASS_SELECTOR_6: u32 = 0xc0;
/// Octets that wait to be sent. A peer that reads nothing for so long is gone.
const UNSENT_MAX: usize = 16 << 20;

/// How to reach a router.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Where it listens.
    pub(super) to: SocketAddr,
    /// Our address, where it matters.
    pub(super) from: Option<IpAddr>,
    /// Key of RFC 2385.
    pub(super) md5: Option<Vec<u8>>,
    /// Hops to it at most, for the protection of RFC 5082.
    pub(super) hops: Option<u8>,
    /// For how long nothing may be acknowledged. Sent again each second, the kernel's own fifteen tries are over in fifteen
    /// seconds, which a full uplink outlasts.
    pub(super) patience: Duration,
}

/// A connection, made or in the making.
#[derive(Debug)]
pub(super) struct Link {
    socket: Socket,
    connected: bool,
    unsent: Vec<u8>,
    /// For IPv6 or not: what comes with less is not heard. From the handshake's end on, for many routers answer a SYN before
    /// they know whose it is, and with their usual TTL.
    least_ttl: Option<(bool, u8)>,
    patience: Duration,
}

/// What a look at the socket came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It stands since now.
    Connected,
    /// It ended or failed.
    Closed,
    /// Octets came.
    Octets(Vec<u8>),
}

/// Whether the peer has closed its side too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// Nothing more will come.
    Yes,
    /// Not yet.
    NotYet,
}

impl Link {
    /// Begins to connect.
    pub(super) fn dial(way: &Way) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(way.to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let ipv6 = way.to.is_ipv6();
        let marked =
            if ipv6 { socket.set_tclass_v6(CLASS_SELECTOR_6) } else { socket.set_tos_v4(CLASS_SELECTOR_6) };
        if let Err(cause) = marked {
            tracing::warn!(peer = %way.to, %cause, "the session goes unmarked: a full uplink may drop it");
        }
        if let Err(cause) = sys::tcp::stay_persistent(socket.as_fd()) {
            tracing::debug!(peer = %way.to, %cause, "what a full uplink drops is sent again ever more seldom");
        }
        if way.hops.is_some() {
            if ipv6 {
                socket.set_unicast_hops_v6(255)?;
            } else {
                socket.set_ttl_v4(255)?;
            }
        }
        if let Some(key) = &way.md5 {
            sys::tcp::sign_md5(socket.as_fd(), way.to, key)?;
        }
        if let Some(from) = way.from {
            socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
        }
        match socket.connect(&SockAddr::from(way.to)) {
            Err(cause) if cause.raw_os_error() != Some(nix::libc::EINPROGRESS) => return Err(cause),
            _ => {}
        }
        let least_ttl = way.hops.map(|hops| (ipv6, 255 - hops.saturating_sub(1)));
        Ok(Self { socket, connected: false, unsent: Vec::new(), least_ttl, patience: way.patience })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether it waits to be writable.
    pub(super) fn wants_to_write(&self) -> bool {
        !self.connected || !self.unsent.is_empty()
    }

    /// After the socket became writable.
    pub(super) fn writable(&mut self) -> Option<Seen> {
        if !self.connected {
            if !matches!(self.socket.take_error(), Ok(None)) {
                return Some(Seen::Closed);
            }
            if let Some((ipv6, ttl)) = self.least_ttl
                && let Err(cause) = sys::tcp::least_ttl(self.socket.as_fd(), ipv6, ttl)
            {
                tracing::warn!(%cause, "the session cannot be held to its TTL");
                return Some(Seen::Closed);
            }
            if let Err(cause) = self.socket.set_tcp_user_timeout(Some(self.patience)) {
                tracing::warn!(%cause, "a full uplink may end the session within seconds");
            }
            self.connected = true;
            return Some(Seen::Connected);
        }
        self.flush().err().map(|_| Seen::Closed)
    }

    /// After the socket became readable.
    pub(super) fn readable(&mut self) -> Option<Seen> {
        let mut buffer = [0; 65536];
        match self.socket.read(&mut buffer) {
            Ok(0) => Some(Seen::Closed),
            Ok(count) => Some(Seen::Octets(buffer.get(..count).unwrap_or_default().to_vec())),
            Err(cause) if is_later(&cause) => None,
            Err(_) => Some(Seen::Closed),
        }
    }

    /// Sends, or keeps for later.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.unsent.len() + octets.len() > UNSENT_MAX {
            return Err(io::Error::other("the peer reads nothing"));
        }
        self.unsent.extend_from_slice(octets);
        self.flush()
    }

    /// Whether the peer cannot have read all that was said.
    pub(super) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
            || sys::tcp::unacknowledged(self.socket.as_fd()).is_ok_and(|octets| octets > 0)
    }

    /// Says nothing more; what is unsent goes first. A NOTIFICATION that is followed by a reset would be lost, so the
    /// connection is read until the peer has closed it too.
    pub(super) fn finish(&mut self) -> Finished {
        if self.flush().is_err() {
            return Finished::Yes;
        }
        if self.unsent.is_empty() && self.connected {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        match self.readable() {
            _ if !self.connected => Finished::Yes,
            Some(Seen::Closed) => Finished::Yes,
            _ => Finished::NotYet,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connected && !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(cause) if is_later(&cause) => break,
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }
}

fn is_later(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
