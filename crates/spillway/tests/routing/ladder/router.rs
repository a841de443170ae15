//! A router that tells of its traffic by sFlow: peace to several hosts, and a flood when it is asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use wire::Headers;
use wire::emit::packet::{Ethernet, Extra, ethernet};
use wire::emit::sflow::{Datagram, FlowSample, Header};

/// N of 1:N.
const RATE: u32 = 1000;
/// Between two datagrams.
const PACE: Duration = Duration::from_millis(20);
/// Samples of the flood in a datagram: 500,000 packets a second.
const FLOOD: u32 = 10;
/// `output` of a packet that the router discarded (sFlow version 5, format 1, reason 258: an access list).
const DISCARDED: u32 = 1 << 30 | 258;

/// What it does with the flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::routing) enum Flood {
    /// There is none.
    None,
    /// It goes on to the target.
    Forwarded,
    /// It is filtered, and told of all the same.
    Discarded,
}

/// A running router; it ends with the test.
pub(in crate::routing) struct Router {
    flood: Arc<AtomicU8>,
    to: Arc<Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// Tells this collector.
    pub(in crate::routing) fn start(to: SocketAddr) -> Self {
        let (flood, stop) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        let to = Arc::new(Mutex::new(to));
        let mine = (Arc::clone(&flood), Arc::clone(&to), Arc::clone(&stop));
        let thread = std::thread::spawn(move || tell(&mine.0, &mine.1, &mine.2));
        Self { flood, to, stop, thread: Some(thread) }
    }

    /// From now on.
    pub(in crate::routing) fn flood(&self, flood: Flood) {
        self.flood.store(flood as u8, Ordering::Relaxed);
    }

    /// Another collector.
    pub(in crate::routing) fn tell(&self, to: SocketAddr) {
        *self.to.lock().unwrap() = to;
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn tell(flood: &AtomicU8, to: &Mutex<SocketAddr>, stop: &AtomicBool) {
    // From where the daemons speak BGP: it is the router that acts.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (mut sequence, mut samples) = (0u32, 0u32);
    while !stop.load(Ordering::Relaxed) {
        sequence += 1;
        let agent = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let header = Header { agent, sub_agent: 0, sequence, uptime: sequence * 20 };
        let mut datagram = Datagram::new(&header);
        let mut add = |headers: &Headers, output: u32| {
            samples += 1;
            let mut frame = Vec::new();
            let whole = ethernet(&mut frame, &Ethernet::default(), headers, Extra::default(), &[], 128);
            datagram.flow(&FlowSample {
                sequence: samples,
                source: 1,
                rate: RATE,
                pool: samples.wrapping_mul(RATE),
                drops: 0,
                input: 1,
                output,
                frame_length: whole + 4,
                header: &frame,
            });
        };
        let host = u8::try_from(sequence % 20).unwrap();
        add(&packet([203, 0, 113, host], [198, 51, 100, 100 + host], (40_000, 443), 600), 2);
        let output = match flood.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(2),
            _ => Some(DISCARDED),
        };
        for place in 0..output.map_or(0, |_| FLOOD) {
            let [_, _, a, b] = (sequence * FLOOD + place).wrapping_mul(0x9e37_79b1).to_be_bytes();
            add(&packet([11, 7, a, b], [198, 51, 100, 7], (123, 5000), 468), output.unwrap_or(2));
        }
        let to = *to.lock().unwrap();
        let _ = socket.send_to(&datagram.finish(), to);
        std::thread::sleep(PACE);
    }
}

fn packet(src: [u8; 4], dst: [u8; 4], ports: (u16, u16), length: u32) -> Headers {
    Headers {
        src: src.into(),
        dst: dst.into(),
        protocol: 17,
        length,
        ttl: 55,
        ports: Some(ports),
        payload_len: Some(length - 28),
        ..Headers::NOTHING
    }
}
