//! One exchange with a server: UDP, and TCP where a message does not fit.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use steer::dnsdiversion::{Address, Seen, Trouble, message};
use wire::dns::{MESSAGE_MAX, Message, Name, UDP_MAX};

use super::sign;
use crate::config::DnsZone;
use crate::daemon::clock::Clock;

/// How long an answer may take; the core tries again, later each time.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What a name has now.
pub(super) fn look(zone: &DnsZone, name: &Name) -> Result<Seen, Trouble> {
    let mut answers = Vec::new();
    for question in message::questions(&zone.zone.zone, name) {
        answers.push(ask(zone, question)?);
    }
    message::seen(name, &answers)
}

/// Changes it from this to that.
pub(super) fn update(zone: &DnsZone, name: &Name, from: &[Address], to: &[Address]) -> Result<(), Trouble> {
    message::updated(&ask(zone, message::update(&zone.zone.zone, name, from, to))?)
}

fn ask(zone: &DnsZone, mut message: Message) -> Result<Message, Trouble> {
    message.id = u16::from_be_bytes(sys::random::octets().map_err(|cause| unreachable(&cause))?);
    let time = Clock::start().now().secs();
    let (octets, mac) = sign::signed(zone, &message, time)?;
    let bound = (message.id, mac.as_slice());
    if octets.len() <= UDP_MAX {
        let answer = udp(zone, bound, &octets)?;
        if !answer.truncated {
            return Ok(answer);
        }
    }
    tcp(zone, bound, &octets)
}

fn udp(zone: &DnsZone, bound: (u16, &[u8]), octets: &[u8]) -> Result<Message, Trouble> {
    let any: IpAddr =
        if zone.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).map_err(|cause| unreachable(&cause))?;
    // Connected: the kernel lets nobody else's packets in.
    socket.connect(zone.server).map_err(|cause| unreachable(&cause))?;
    socket.send(octets).map_err(|cause| unreachable(&cause))?;
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = vec![0; MESSAGE_MAX];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::NoAnswer);
        }
        socket.set_read_timeout(Some(left)).map_err(|cause| unreachable(&cause))?;
        let length = socket.recv(&mut buffer).map_err(|cause| unreachable(&cause))?;
        let received = buffer.get(..length).unwrap_or_default();
        if let Some(answer) = sign::answer(zone, bound, received, Clock::start().now().secs()) {
            return answer;
        }
    }
}

fn tcp(zone: &DnsZone, bound: (u16, &[u8]), octets: &[u8]) -> Result<Message, Trouble> {
    let whole = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&zone.server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), octets].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    let answer = whole().map_err(|cause| unreachable(&cause))?;
    let foreign = || Err(Trouble::Malformed("it answers another question".to_owned()));
    sign::answer(zone, bound, &answer, Clock::start().now().secs()).unwrap_or_else(foreign)
}

fn unreachable(cause: &io::Error) -> Trouble {
    match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::NoAnswer,
        _ => Trouble::Unreachable(cause.to_string()),
    }
}
