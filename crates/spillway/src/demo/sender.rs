//! The routers of the world: their datagrams, sent at their time over loopback.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use base::{Span, Timestamp};
use sim::Event;
use sim::exporter::{Fleet, Format, Settings};

use super::border::{Border, Guarded, address};
use super::script::{ROUTERS, SAMPLING, Script};

/// The thread that sends.
#[derive(Debug)]
pub(super) struct Sender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// A wish to stop is seen after this at the latest.
const NAP: Duration = Duration::from_millis(50);

impl Sender {
    /// Begins to send to `collector`; the world begins now, behind this border, and takes more `events` while it goes on.
    pub(super) fn start(
        script: &Script,
        collector: SocketAddr,
        events: Receiver<Event>,
        border: Border,
    ) -> anyhow::Result<Self> {
        let start = now();
        let sockets = (0..ROUTERS).map(socket).collect::<anyhow::Result<Vec<_>>>()?;
        let routers = (0..ROUTERS).map(|n| settings(n, start, script.seed)).collect();
        let world = script.world(start);
        let end = world.end();
        let fleet = Fleet::over(Guarded::new(world, border, SAMPLING), start, end, routers);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("world".into())
            .spawn(move || send(fleet, &events, &sockets, collector, &asked))
            .context("cannot start a thread")?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// An error when it cannot send any more.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.thread.take_if(|thread| thread.is_finished()) {
            Some(thread) => thread.join().map_err(|_| anyhow!("the world broke down"))?,
            None => Ok(()),
        }
    }

    /// Ends it.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What went wrong in it does not matter any more.
            let _ = thread.join();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end();
    }
}

fn send(
    mut fleet: Fleet<Guarded>,
    events: &Receiver<Event>,
    sockets: &[UdpSocket],
    to: SocketAddr,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    while let Some(sent) = fleet.next() {
        for event in events.try_iter() {
            fleet.packets_mut().add(event);
        }
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let early = Duration::from_nanos(sent.at.since(now()).nanos());
            if early.is_zero() {
                break;
            }
            std::thread::sleep(early.min(NAP));
        }
        if let Some(socket) = sockets.get(usize::from(sent.router)) {
            socket.send_to(&sent.bytes, to).with_context(|| format!("cannot send flow export to {to}"))?;
        }
    }
    Ok(())
}

/// From its own address, where the system lets it.
fn socket(router: u16) -> anyhow::Result<UdpSocket> {
    UdpSocket::bind((address(router), 0))
        .or_else(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("cannot open a UDP socket on loopback")
}

fn settings(router: u16, start: Timestamp, seed: u64) -> Settings {
    let boot = start.minus(Span::from_secs(86_400));
    let settings = Settings::new(Format::Sflow, SAMPLING, boot);
    Settings { address: address(router), seed: seed ^ u64::from(router), ..settings }
}

/// The world's clock is this machine's.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
