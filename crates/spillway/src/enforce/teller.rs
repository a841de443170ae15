//! Local packets as telemetry: what the programs of an interface tell becomes sFlow, as any exporter would send it.
//!
//! So sampling rates, losses and silence mean what they mean for every exporter, and nothing behind it is special.

use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dataplane::{Attachment, Listener, Told};
use wire::emit::sflow::{Datagram, FlowSample, Header};

/// Between two looks into the ring.
const TURN: Duration = Duration::from_millis(10);
/// Packets in one datagram: less than 64 KiB. The kernel lets ten datagrams wait.
const SAMPLES_MAX: u32 = 256;
/// Likewise over a network, whose packets are not cut for it.
const SAMPLES_FAR: u32 = 7;
/// Without packets a datagram is sent all the same: nobody is silent.
const ALIVE: Duration = Duration::from_secs(1);
/// How often pins are looked at anew: programs may have been replaced.
const REOPEN: Duration = Duration::from_secs(1);

/// Under which address the packets of an interface are told: in 100::/64, where nobody sends from (RFC 6666).
pub(crate) fn address(place: usize) -> IpAddr {
    let place = u16::try_from(place + 1).unwrap_or(u16::MAX);
    IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, place))
}

/// Who sent a datagram of ours: the agent that its header names.
pub(crate) fn sender(datagram: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = datagram.get(8..24)?.try_into().ok()?;
    Some(IpAddr::V6(octets.into()))
}

/// Datagrams that found no room because whoever reads them was busy.
pub(crate) type Refused = Arc<AtomicU64>;

/// Tells of packets until it is dropped.
#[derive(Debug)]
pub(crate) struct Teller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    /// In a thread of its own, with what ends it.
    pub(crate) fn start(work: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("teller".to_owned()).spawn(move || work(&watched));
        Self { stop, thread: thread.ok() }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// Tells of the packets of interfaces until it is stopped.
pub(crate) fn run(interfaces: &[String], out: &UnixDatagram, stop: &AtomicBool, refused: &Refused) {
    let agents = interfaces.iter().enumerate();
    let agents = agents.map(|(place, name)| Agent::new(place, name.clone(), address(place), SAMPLES_MAX));
    // The reader is never waited for: what it does not take is lost and counted.
    let _ = out.set_nonblocking(true);
    turn(agents.collect(), &|datagram| out.send(datagram), stop, refused);
}

/// Likewise, of one interface to whom a socket is connected with: an exporter at the socket's own address.
pub(crate) fn run_far(interface: &str, out: &UdpSocket, stop: &AtomicBool, refused: &Refused) {
    let own = out.local_addr().map_or_else(|_| address(0), |own| own.ip());
    let _ = out.set_nonblocking(true);
    let agent = Agent::new(0, interface.to_owned(), own, SAMPLES_FAR);
    turn(vec![agent], &|datagram| out.send(datagram), stop, refused);
}

fn turn(
    mut agents: Vec<Agent>,
    out: &dyn Fn(&[u8]) -> io::Result<usize>,
    stop: &AtomicBool,
    refused: &Refused,
) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        for agent in &mut agents {
            agent.turn(begun, &mut |datagram| {
                if out(&datagram).is_err() {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(TURN.saturating_sub(begun.elapsed()));
    }
}

/// The sFlow agent of one interface.
struct Agent {
    name: String,
    address: IpAddr,
    /// Samples in one datagram at most.
    most: u32,
    index: u32,
    ear: Option<Ear>,
    opened: Option<Instant>,
    started: Instant,
    sent: Option<Instant>,
    datagrams: u32,
    samples: u32,
    pool: u32,
}

struct Ear {
    attachment: Attachment,
    listener: Listener,
    program: u32,
}

impl Agent {
    fn new(place: usize, name: String, address: IpAddr, most: u32) -> Self {
        let index = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let started = Instant::now();
        Self {
            name,
            address,
            most,
            index,
            ear: None,
            opened: None,
            started,
            sent: None,
            datagrams: 0,
            samples: 0,
            pool: 0,
        }
    }

    fn turn(&mut self, now: Instant, send: &mut impl FnMut(Vec<u8>)) {
        if self.opened.is_none_or(|at| now.duration_since(at) >= REOPEN) {
            self.opened = Some(now);
            self.look();
        }
        let Some(mut ear) = self.ear.take() else { return };
        let mut datagram: Option<Datagram> = None;
        let most = self.most;
        let heard = ear.listener.turn(ear.attachment.plane(), |told| {
            let open = datagram.take();
            let mut filling = match open {
                Some(open) => open,
                None => self.begin(now),
            };
            self.put(&mut filling, told);
            if filling.samples() >= most {
                self.sent = Some(now);
                send(filling.finish());
            } else {
                datagram = Some(filling);
            }
        });
        let quiet = self.sent.is_none_or(|at| now.duration_since(at) >= ALIVE);
        let last = datagram.or_else(|| quiet.then(|| self.begin(now)));
        if let Some(last) = last {
            self.sent = Some(now);
            send(last.finish());
        }
        if heard.is_ok() {
            self.ear = Some(ear);
        }
    }

    /// Opens the ring of the programs that are there now.
    fn look(&mut self) {
        let Ok(Some(attachment)) = Attachment::open(&self.name) else {
            self.ear = None;
            return;
        };
        let Ok(program) = attachment.program() else { return };
        if self.ear.as_ref().is_some_and(|ear| ear.program == program.id) {
            return;
        }
        self.ear = Listener::open(attachment.plane()).ok().map(|listener| Ear {
            attachment,
            listener,
            program: program.id,
        });
    }

    fn begin(&mut self, now: Instant) -> Datagram {
        self.datagrams = self.datagrams.wrapping_add(1);
        let uptime = now.duration_since(self.started).as_millis();
        Datagram::new(&Header {
            agent: self.address,
            sub_agent: 0,
            sequence: self.datagrams,
            uptime: u32::try_from(uptime).unwrap_or(u32::MAX),
        })
    }

    fn put(&mut self, datagram: &mut Datagram, told: Told<'_>) {
        self.samples = self.samples.wrapping_add(1);
        self.pool = self.pool.wrapping_add(told.rate);
        datagram.flow(&FlowSample {
            sequence: self.samples,
            source: self.index,
            rate: told.rate,
            pool: self.pool,
            drops: 0,
            input: self.index,
            output: 0,
            // With the four octets of FCS that no program sees.
            frame_length: told.length.saturating_add(4),
            header: told.frame,
        });
    }
}
