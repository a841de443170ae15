//! SYNs from forged addresses at a rate: a third of them from honest clients' own addresses and their neighbours'.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{LinkAddr, MsgFlags, MultiHeaders, sendmmsg};
use sim::rng::Rng;
use spillway::lab::{Site, Thread, inside, packet_socket};
use wire::emit::packet::{Ethernet, Extra, ethernet};
use wire::packet::{Headers, Tcp, flags};

use crate::arena::{Arena, PORT, client, keep_to};

/// Frames that take turns.
const FRAMES: usize = 6 * 1_024;
/// Frames in a system call.
const BATCH: usize = 32;

/// A flood, as long as this lives.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    began: Instant,
    thread: Option<Thread<()>>,
}

impl Flood {
    /// Begins with so many SYNs a second, over both families in turn.
    pub(crate) fn start(arena: &Arena, rate: u32) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let name = arena.network.interface(Site::Attackers);
        let mac = arena.network.router_mac(Site::Attackers).unwrap();
        let frames = frames(mac);
        let (asked, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let send = move || send(&name, &frames, rate, &asked, &counter);
        let thread = inside(&arena.network, Site::Attackers, send).unwrap();
        Self { stop, sent, began: Instant::now(), thread: Some(thread) }
    }

    /// SYNs a second that were sent so far.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        let sent = self.sent.load(Ordering::Relaxed) as f64;
        sent / self.began.elapsed().as_secs_f64()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn frames(router: [u8; 6]) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(4);
    let link = Ethernet { src: [2, 0, 0, 0, 0, 1], dst: router, vlan: None };
    (0..FRAMES)
        .map(|n| {
            let over_ipv6 = n % 2 == 1;
            let near = n % 6 < 2;
            let src: IpAddr = match (near, over_ipv6) {
                // clients, and the rest of their networks
                (true, _) if rng.chance(0.5) => client(rng.u32(), over_ipv6),
                (true, false) => Ipv4Addr::new(198, 19, 7, rng.u8()).into(),
                (true, true) => Ipv6Addr::new(0x2001, 0xdb8, 0xcc, 0, 0, 0, rng.u16(), rng.u16()).into(),
                (false, false) => Ipv4Addr::from(rng.range(0x0100_0000, 0xdfff_ffff)).into(),
                (false, true) => {
                    Ipv6Addr::new(0x2a00, rng.u16(), rng.u16(), rng.u16(), 0, 0, rng.u16(), rng.u16()).into()
                }
            };
            let dst = if over_ipv6 { Site::Server.v6(2) } else { Site::Server.v4(2) };
            let headers = Headers {
                src,
                dst,
                protocol: 6,
                length: if over_ipv6 { 60 } else { 40 },
                ttl: 60,
                ports: Some((rng.range16(1_024, u16::MAX), PORT)),
                tcp: Some(Tcp { flags: flags::SYN, window: 64_240, options_len: 0 }),
                payload_len: Some(0),
                ..Headers::NOTHING
            };
            let mut frame = Vec::new();
            let extra = Extra { seq: rng.u32(), ..Extra::default() };
            ethernet(&mut frame, &link, &headers, extra, &[], usize::MAX);
            frame
        })
        .collect()
}

fn send(interface: &str, frames: &[Vec<u8>], rate: u32, stop: &AtomicBool, sent: &AtomicU64) {
    keep_to(true);
    let socket = packet_socket(interface).unwrap();
    let slices: Vec<[IoSlice<'_>; 1]> = frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, None);
    let began = Instant::now();
    let mut at = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = began.elapsed().as_secs_f64() * f64::from(rate);
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        if (sent.load(Ordering::Relaxed) as f64) < due {
            let batch = &slices[at..at + BATCH];
            let to = [None; BATCH];
            let done = sendmmsg(socket.as_raw_fd(), &mut headers, batch, to, [], MsgFlags::empty());
            let done = done.map_or(0, |results| results.count());
            sent.fetch_add(done as u64, Ordering::Relaxed);
            at = (at + BATCH) % (FRAMES - BATCH);
        } else {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
