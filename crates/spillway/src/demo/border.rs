//! The border of the world: what its four routers filter, told by the daemon over real BGP.
//!
//! One route server listens for them on loopback and speaks with our own session; FlowSpec and blackholes, for IPv4 and IPv6. Each
//! packet of the world is asked about ([`Border::drops`]) before routers sample it. What was dropped is counted with the truth
//! that only the world knows; the daemon has to find out by what it is told.

mod session;
mod table;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use serde::Serialize;
use sim::{Event, Nature, Packet, World};

use table::Table;

/// The AS of all of them.
pub(super) const ASN: u32 = 64_512;
/// Seconds of silence after which a session is over; a third of it apart, each says that it lives.
pub(super) const HOLD_SECS: u16 = 9;

/// Shared by the session, and by the world.
#[derive(Clone, Debug)]
pub(super) struct Border(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    table: Table,
    tally: Tally,
}

/// Packets to addresses that a filter stood for, in the world's own truth.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// FlowSpec rules that came, all in all.
    pub(super) rules: u64,
    /// Routes of FlowSpec that could not be read, or asked for what these routers cannot do.
    pub(super) unread: u64,
    pub(super) attack: Met,
    pub(super) honest: Met,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Met {
    pub(super) passed: u64,
    pub(super) dropped: u64,
}

impl Met {
    /// 0 to 1; `None`: there were none.
    #[expect(clippy::cast_precision_loss, reason = "a share that is shown")]
    pub(super) fn share(self) -> Option<f64> {
        let all = self.passed + self.dropped;
        (all > 0).then(|| self.dropped as f64 / all as f64)
    }
}

impl Border {
    /// Listens for the daemon; each packet of the world stands for `thin`. The address is where.
    pub(super) fn listen(thin: u32) -> anyhow::Result<(Self, SocketAddr)> {
        let own = SocketAddr::new(address(0), 0);
        let listener = TcpListener::bind(own)
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("cannot listen for BGP on loopback")?;
        let at = listener.local_addr().context("cannot listen for BGP on loopback")?;
        let inner = Inner { table: Table::new(thin), tally: Tally::default() };
        let border = Self(Arc::new(Mutex::new(inner)));
        let mine = border.clone();
        let serve = move || session::serve(&listener, &mine);
        std::thread::Builder::new().name("border".into()).spawn(serve).context("cannot start a thread")?;
        Ok((border, at))
    }

    /// What it did so far.
    pub(super) fn tally(&self) -> Tally {
        self.inner().tally
    }

    /// Whether a filter stops this packet.
    fn drops(&self, thin: u64, packet: &Packet) -> bool {
        let mut inner = self.inner();
        let Inner { table, tally } = &mut *inner;
        let Some(dropped) = table.judge(packet) else { return false };
        let met = match packet.truth.nature {
            Nature::Attack => &mut tally.attack,
            Nature::Benign | Nature::Answer => &mut tally.honest,
        };
        let count = if dropped { &mut met.dropped } else { &mut met.passed };
        *count = count.saturating_add(thin);
        dropped
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each router has its own address on loopback.
pub(super) fn address(router: u16) -> IpAddr {
    let [_, low] = router.saturating_add(1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, low))
}

/// A world behind its border.
#[derive(Debug)]
pub(super) struct Guarded {
    world: World,
    border: Border,
    thin: u64,
}

impl Guarded {
    /// Packets of this world meet this border's filters.
    pub(super) fn new(world: World, border: Border, thin: u32) -> Self {
        Self { world, border, thin: thin.into() }
    }

    /// One more event. A script that is full after months takes no more; the story goes on without.
    pub(super) fn add(&mut self, event: Event) {
        self.world.add(event);
    }
}

impl Iterator for Guarded {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        let packet = self.world.next()?;
        Some(Packet { dropped: self.border.drops(self.thin, &packet), ..packet })
    }
}
