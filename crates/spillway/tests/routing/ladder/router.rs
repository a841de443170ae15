//! A router that tells of its traffic by sFlow: peace to several hosts, and a flood when it is asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use wire::Headers;
use wire::emit::packet::{Ethernet, Extra, ethernet};
use wire::emit::sflow::{Datagram, FlowSample, Header};

/// N of 1:N.
const RATE: u32 = 1000;
/// Of what the target serves: 2,500 requests a second.
const SERVED_RATE: u32 = 50;
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
    /// Queries from forged addresses, which go on to the target and are answered.
    Queries,
    /// The same, filtered, and told of all the same.
    QueriesDiscarded,
}

/// How the target serves a hundred clients, who each ask every two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::routing) enum Service {
    /// Nobody asks.
    None,
    /// They are answered.
    Answered,
    /// Their requests do not come through.
    Cut,
}

/// A running router; it ends with the test.
pub(in crate::routing) struct Router {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    flood: AtomicU8,
    /// Samples of a datagram of the flood of another target.
    second: AtomicU32,
    service: AtomicU8,
    told: AtomicU32,
    stop: AtomicBool,
    to: Mutex<SocketAddr>,
    v6: bool,
}

impl Router {
    /// Tells this collector.
    pub(in crate::routing) fn start(to: SocketAddr) -> Self {
        Self::of(to, false, Service::None)
    }

    /// The flood's target, and so its service, is of this family.
    pub(in crate::routing) fn of(to: SocketAddr, v6: bool, service: Service) -> Self {
        let state = Arc::new(State {
            flood: AtomicU8::new(0),
            second: AtomicU32::new(0),
            service: AtomicU8::new(service as u8),
            told: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            to: Mutex::new(to),
            v6,
        });
        let mine = Arc::clone(&state);
        let thread = std::thread::spawn(move || tell(&mine));
        Self { state, thread: Some(thread) }
    }

    /// From now on.
    pub(in crate::routing) fn flood(&self, flood: Flood) {
        self.state.flood.store(flood as u8, Ordering::Relaxed);
    }

    /// A flood of another target, of so many samples in a datagram, 50,000 packets a second each.
    pub(in crate::routing) fn flood_second(&self, samples: u32) {
        self.state.second.store(samples, Ordering::Relaxed);
    }

    /// From now on.
    pub(in crate::routing) fn serve(&self, service: Service) {
        self.state.service.store(service as u8, Ordering::Relaxed);
    }

    /// Waits until it has told so much.
    pub(in crate::routing) fn has_told(&self, datagrams: u32) {
        while self.state.told.load(Ordering::Relaxed) < datagrams {
            std::thread::sleep(PACE);
        }
    }

    /// Waits until it has told so much more.
    pub(in crate::routing) fn has_told_more(&self, datagrams: u32) {
        self.has_told(self.state.told.load(Ordering::Relaxed) + datagrams);
    }

    /// Another collector.
    pub(in crate::routing) fn tell(&self, to: SocketAddr) {
        *self.state.to.lock().unwrap() = to;
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Samples of one datagram.
struct Samples<'a> {
    datagram: Datagram,
    count: &'a mut u32,
}

impl Samples<'_> {
    fn add(&mut self, headers: &Headers, output: u32, rate: u32) {
        *self.count += 1;
        let mut frame = Vec::new();
        let whole = ethernet(&mut frame, &Ethernet::default(), headers, Extra::default(), &[], 128);
        self.datagram.flow(&FlowSample {
            sequence: *self.count,
            source: 1,
            rate,
            pool: self.count.wrapping_mul(rate),
            drops: 0,
            input: 1,
            output,
            frame_length: whole + 4,
            header: &frame,
        });
    }
}

fn tell(state: &State) {
    // From where the daemons speak BGP: it is the router that acts.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (mut sequence, mut count) = (0u32, 0u32);
    while !state.stop.load(Ordering::Relaxed) {
        sequence += 1;
        let agent = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let header = Header { agent, sub_agent: 0, sequence, uptime: sequence * 20 };
        let mut samples = Samples { datagram: Datagram::new(&header), count: &mut count };
        let host = u8::try_from(sequence % 20).unwrap();
        let beside =
            packet([203, 0, 113, host].into(), [198, 51, 100, 100 + host].into(), (40_000, 443), 600);
        samples.add(&beside, 2, RATE);
        serve(state, sequence, &mut samples);
        flood(state, sequence, &mut samples);
        let to = *state.to.lock().unwrap();
        let _ = socket.send_to(&samples.datagram.finish(), to);
        state.told.store(sequence, Ordering::Relaxed);
        std::thread::sleep(PACE);
    }
}

/// One client asks.
fn serve(state: &State, sequence: u32, samples: &mut Samples<'_>) {
    let service = state.service.load(Ordering::Relaxed);
    if service == Service::Answered as u8 {
        let (client, target) = (client(state.v6, sequence % 100), target(state.v6));
        samples.add(&packet(client, target, (40_000, 53), 80), 2, SERVED_RATE);
        samples.add(&packet(target, client, (53, 40_000), 180), 1, SERVED_RATE);
    }
}

fn flood(state: &State, sequence: u32, samples: &mut Samples<'_>) {
    for place in 0..state.second.load(Ordering::Relaxed) {
        let forged = forged(state.v6, sequence.wrapping_mul(31) + place);
        samples.add(&packet(forged, second(state.v6), (123, 5000), 468), 2, RATE);
    }
    let target = target(state.v6);
    for place in 0..FLOOD {
        let forged = forged(state.v6, sequence * FLOOD + place);
        let reflected = packet(forged, target, (123, 5000), 468);
        let asked = Headers { ttl: 241, ..packet(forged, target, (33_333, 53), 71) };
        match state.flood.load(Ordering::Relaxed) {
            1 => samples.add(&reflected, 2, RATE),
            2 => samples.add(&reflected, DISCARDED, RATE),
            3 => {
                samples.add(&asked, 2, RATE);
                samples.add(&packet(target, forged, (53, 33_333), 180), 1, RATE);
            }
            4 => samples.add(&asked, DISCARDED, RATE),
            _ => {}
        }
    }
}

/// Of the network beside the first one's.
fn second(v6: bool) -> IpAddr {
    if v6 { "2001:db8:2::7" } else { "198.51.101.7" }.parse().unwrap()
}

fn target(v6: bool) -> IpAddr {
    if v6 { "2001:db8:1::7" } else { "198.51.100.7" }.parse().unwrap()
}

/// One of the hundred; of IPv6, each in a network of its own.
fn client(v6: bool, number: u32) -> IpAddr {
    let number = u8::try_from(number).unwrap();
    if v6 { [0x2001, 0xdb9, 0, number.into(), 0, 0, 0, 1].into() } else { [192, 0, 2, number].into() }
}

fn forged(v6: bool, number: u32) -> IpAddr {
    let [c, d, a, b] = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let words = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    if v6 { [0x2a00, words[0], words[1], 0, 0, 0, 0, 9].into() } else { [11, 7, a, b].into() }
}

fn packet(src: IpAddr, dst: IpAddr, ports: (u16, u16), length: u32) -> Headers {
    let header = if src.is_ipv6() { 48 } else { 28 };
    Headers {
        src,
        dst,
        protocol: 17,
        length,
        ttl: 55,
        ports: Some(ports),
        payload_len: Some(length - header),
        ..Headers::NOTHING
    }
}
