//! The edge of the server's network: of what goes to and comes from the server it samples every so many packets and tells the
//! daemon by sFlow, and it can write what it sees into a capture. It listens before any filter, as a carrier's router would,
//! and does not see what attackers ask of reflectors.

use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use base::Timestamp;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvmsg, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;
use sim::rng::Rng;
use wire::emit::sflow::{Datagram, FlowSample, Header};

use super::inside::{Thread, inside};
use super::network::{Network, Site};
use crate::capture::{Packet, Writer};

/// Of so many packets one is told.
pub(super) const RATE: u32 = 20;
/// Octets of a packet that are told, and written.
const SNAP: usize = 256;
/// Samples in a datagram.
const SAMPLES: u32 = 5;
/// A datagram waits at most so long.
const HOLD: Duration = Duration::from_millis(100);
/// Packets that a capture holds; later ones are not written.
const CAPTURE_MAX: u64 = 400_000;
/// `LINKTYPE_ETHERNET`.
const ETHERNET: u32 = 1;
/// `PACKET_OUTGOING`, of `linux/if_packet.h`.
const OUTGOING: u8 = 4;
/// Octets that the kernel keeps while we are busy.
const BUFFER: usize = 8 << 20;

/// The routers, as long as this lives.
#[derive(Debug)]
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread<anyhow::Result<()>>>,
    capture: Option<Arc<Mutex<Recording>>>,
}

/// A capture being written.
struct Recording {
    writer: Writer,
    packets: u64,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("packets", &self.packets).finish_non_exhaustive()
    }
}

/// What one of them needs.
struct Agent {
    taps: OwnedFd,
    /// Where datagrams go.
    to: Option<UdpSocket>,
    capture: Option<Arc<Mutex<Recording>>>,
    /// The number of its interface, from 1.
    index: u32,
    /// Whose packets.
    site: Site,
    stop: Arc<AtomicBool>,
}

impl Sampler {
    /// Begins to listen; `collector` is an address on the server's loopback.
    pub(super) fn start(
        network: &Network,
        collector: Option<SocketAddr>,
        capture: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let recording = |path| Writer::create(path).map(|writer| Recording { writer, packets: 0 });
        let capture = capture.map(recording).transpose()?.map(|one| Arc::new(Mutex::new(one)));
        let mut sampler = Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new(), capture };
        for (index, site) in (1..).zip(Site::LEAVES) {
            let name = network.interface(site);
            let taps = inside(network, site, move || packet_socket(&name))?.join()??;
            let to = match collector {
                None => None,
                Some(collector) => {
                    let connect = move || {
                        // Each agent has its own address on loopback.
                        let own = Ipv4Addr::new(127, 0, 1, u8::try_from(index).unwrap_or(u8::MAX));
                        let socket = UdpSocket::bind((own, 0))?;
                        socket.connect(collector)?;
                        std::io::Result::Ok(socket)
                    };
                    Some(inside(network, Site::Server, connect)?.join()?.context("cannot reach the daemon")?)
                }
            };
            let (capture, stop) = (sampler.capture.clone(), Arc::clone(&sampler.stop));
            let agent = Agent { taps, to, capture, index, site, stop };
            sampler.threads.push(inside(network, site, move || listen(&agent))?);
        }
        Ok(sampler)
    }

    /// Ends it, and brings the capture to its file.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join()??;
        }
        match self.capture.take().map(Arc::try_unwrap) {
            None => Ok(()),
            Some(Ok(recording)) => {
                recording.into_inner().unwrap_or_else(PoisonError::into_inner).writer.finish()
            }
            Some(Err(_)) => Err(anyhow!("the capture is still being written")),
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Who wanted to know has called `finish`.
            let _ = thread.join();
        }
    }
}

/// A packet socket on an interface of this namespace; it hears everything, and may send whole frames.
///
/// # Errors
/// When there is no such interface, or without root.
pub fn packet_socket(interface: &str) -> anyhow::Result<OwnedFd> {
    let mut all = nix::ifaddrs::getifaddrs().context("cannot list interfaces")?;
    let address = all
        .find_map(|one| {
            let address = one.address.filter(|_| one.interface_name == interface)?;
            address.as_link_addr().copied()
        })
        .with_context(|| format!("{interface}: no such interface"))?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
        .context("cannot open a packet socket")?;
    setsockopt(&fd, sockopt::RcvBufForce, &BUFFER)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(0, 50_000))?;
    bind(fd.as_raw_fd(), &address).with_context(|| format!("{interface}: cannot listen"))?;
    Ok(fd)
}

fn listen(agent: &Agent) -> anyhow::Result<()> {
    let boot = Instant::now();
    let mut rng = Rng::part(u64::from(agent.index), 0x1ab);
    let (mut until, mut pool, mut sent, mut samples) = (rng.gap(RATE), 0u32, 0u32, 0u32);
    let (mut held, mut since): (Option<Datagram>, _) = (None, boot);
    let mut buffer = [0; SNAP];
    while !agent.stop.load(Ordering::Relaxed) {
        let got = receive(&agent.taps, &mut buffer)?;
        if let Some((frame, length)) = got.filter(|(frame, length)| is_seen(agent.site, frame, *length)) {
            write(agent, frame, length)?;
            pool = pool.wrapping_add(1);
            if until > 0 {
                until -= 1;
            } else {
                until = rng.gap(RATE);
                samples += 1;
                let datagram = held.get_or_insert_with(|| {
                    since = Instant::now();
                    sent += 1;
                    let uptime = u32::try_from(boot.elapsed().as_millis()).unwrap_or(u32::MAX);
                    let agent = Ipv4Addr::new(127, 0, 1, u8::try_from(agent.index).unwrap_or(u8::MAX));
                    Datagram::new(&Header { agent: agent.into(), sub_agent: 0, sequence: sent, uptime })
                });
                datagram.flow(&FlowSample {
                    sequence: samples,
                    source: agent.index,
                    rate: RATE,
                    pool,
                    drops: 0,
                    input: agent.index,
                    output: 0,
                    frame_length: length.saturating_add(4),
                    header: frame.get(..frame.len().min(128)).unwrap_or(frame),
                });
            }
        }
        if held.as_ref().is_some_and(|held| held.samples() >= SAMPLES || since.elapsed() > HOLD)
            && let Some(datagram) = held.take()
            && let Some(socket) = &agent.to
        {
            // A daemon that has ended is told by its own check.
            let _ = socket.send(&datagram.finish());
        }
    }
    Ok(())
}

/// The next frame that goes out, cut, and its length; `None` after a while without.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8; SNAP]) -> anyhow::Result<Option<(&'a [u8], u32)>> {
    let (captured, length, direction) = {
        let mut slices = [IoSliceMut::new(buffer)];
        match recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, None, MsgFlags::MSG_TRUNC) {
            Ok(got) => (got.bytes.min(SNAP), got.bytes, got.address.map(|address| address.pkttype())),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(None),
            Err(error) => return Err(error).context("an interface of the lab is gone"),
        }
    };
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let frame = buffer.get(..captured).unwrap_or(&[]);
    Ok((direction == Some(OUTGOING)).then_some((frame, length)))
}

/// Whether a packet passes the edge of the server's network.
fn is_seen(from: Site, frame: &[u8], length: u32) -> bool {
    let Ok(parsed) = wire::packet::parse(wire::packet::Link::Ethernet, frame, length) else { return false };
    from == Site::Server || Site::Server.networks().iter().any(|network| network.contains(parsed.headers.dst))
}

/// What the clock on the wall says.
pub(super) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn write(agent: &Agent, frame: &[u8], length: u32) -> anyhow::Result<()> {
    let Some(capture) = &agent.capture else { return Ok(()) };
    let mut recording = capture.lock().unwrap_or_else(PoisonError::into_inner);
    if recording.packets >= CAPTURE_MAX {
        return Ok(());
    }
    recording.packets += 1;
    let packet = Packet {
        number: recording.packets,
        at: wall(),
        link: wire::packet::Link::Ethernet,
        link_number: ETHERNET,
        original_len: length,
        interface: 0,
        bytes: frame,
    };
    recording.writer.write(&packet)
}
