//! A BGP peer that counts: it answers the handshake, and tells when which number of routes had come.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use wire::bgp::{Capability, Family, Kind, Open, Update, frame, keepalive};

use crate::PEER_AS;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Receiver(TcpListener);

/// A session that is up.
pub(crate) struct Session {
    /// Since when.
    pub(crate) up: Instant,
    counted: Inbox<(Instant, usize)>,
    stream: TcpStream,
}

impl Receiver {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The next who dials, up to the handshake's end.
    pub(crate) fn accept(&mut self) -> anyhow::Result<Session> {
        let (mut stream, _) = self.0.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut capabilities: Vec<Capability> = Family::ALL.map(Capability::Multiprotocol).to_vec();
        capabilities.push(Capability::FourOctetAs(PEER_AS));
        let open = Open { asn: PEER_AS, hold_time: 90, id: Ipv4Addr::new(192, 0, 2, 2), capabilities };
        stream.write_all(&open.write())?;
        let mut waiting = Vec::new();
        let mut answered = false;
        // Their OPEN, then their KEEPALIVE; ours goes last, and with it the session is up.
        while take(&mut waiting, Kind::Keepalive)?.is_none() {
            if !answered && take(&mut waiting, Kind::Open)?.is_some() {
                stream.write_all(&keepalive())?;
                answered = true;
                continue;
            }
            read(&mut stream, &mut waiting)?;
        }
        let up = Instant::now();
        let (sender, counted) = channel();
        let mut reading = stream.try_clone()?;
        std::thread::spawn(move || {
            while let Ok(count) = routes(&mut waiting) {
                if (count > 0 && sender.send((Instant::now(), count)).is_err())
                    || read(&mut reading, &mut waiting).is_err()
                {
                    return;
                }
            }
        });
        Ok(Session { up, counted, stream })
    }
}

impl Session {
    /// When the last of so many routes had come.
    pub(crate) fn routes(&self, wanted: usize) -> anyhow::Result<Instant> {
        self.routes_beyond(wanted).map(|(at, _)| at)
    }

    /// Likewise, and how many had come by then.
    pub(crate) fn routes_beyond(&self, wanted: usize) -> anyhow::Result<(Instant, usize)> {
        let mut count = 0;
        loop {
            let (at, more) = self.counted.recv_timeout(PATIENCE).context("the routes did not come")?;
            count += more;
            if count >= wanted {
                return Ok((at, count));
            }
        }
    }

    /// What the sender says at the start is over.
    pub(crate) fn quiet(&self) -> anyhow::Result<()> {
        std::thread::sleep(Duration::from_millis(200));
        anyhow::ensure!(self.counted.try_recv().is_err(), "routes that nobody announced");
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn read(stream: &mut TcpStream, waiting: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut buffer = [0; 65536];
    let count = stream.read(&mut buffer)?;
    anyhow::ensure!(count > 0, "the sender closed the connection");
    waiting.extend_from_slice(buffer.get(..count).unwrap_or_default());
    Ok(())
}

/// The first message, where it is whole and of this kind.
fn take(waiting: &mut Vec<u8>, kind: Kind) -> anyhow::Result<Option<()>> {
    let message = frame(waiting).map_err(|why| anyhow::anyhow!("{why}"))?;
    let Some(length) = message.filter(|message| message.kind == kind).map(|message| message.length) else {
        return Ok(None);
    };
    waiting.drain(..length);
    Ok(Some(()))
}

/// How many routes the whole messages announce; rules of FlowSpec by their length octets.
fn routes(waiting: &mut Vec<u8>) -> anyhow::Result<usize> {
    let (mut at, mut count) = (0, 0);
    while let Some(message) =
        frame(waiting.get(at..).unwrap_or_default()).map_err(|why| anyhow::anyhow!("{why}"))?
    {
        at += message.length;
        if message.kind == Kind::Update {
            let update = Update::read(message.body, true).map_err(|why| anyhow::anyhow!("{why}"))?;
            count += update.announced.len() + rules(message.body);
        }
    }
    waiting.drain(..at);
    Ok(count)
}

/// Rules in the `MP_REACH_NLRI` of FlowSpec, which our speaker puts first and with an extended length where it is long.
fn rules(body: &[u8]) -> usize {
    let Some([0, 0, _, _, flags, 14, rest @ ..]) = body.get(..) else { return 0 };
    let header = if flags & 0x10 == 0 { 1 } else { 2 };
    let length = rest.iter().take(header).fold(0, |length, octet| length << 8 | usize::from(*octet));
    // AFI, SAFI 133, a next hop without octets, reserved.
    let Some([0, _, 133, 0, 0, nlri @ ..]) = rest.get(header..header + length) else { return 0 };
    let mut left = nlri;
    let mut count = 0;
    while let Some((length, rest)) = left.split_first() {
        left = rest.get(usize::from(*length)..).unwrap_or_default();
        count += 1;
    }
    count
}
