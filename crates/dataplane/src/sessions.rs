//! The administrator's sessions, which are never cut: `bpf/spared.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::abi::put;
use crate::error::Error;
use crate::plane::Plane;
use crate::proven::address;

/// `SESSIONS_MAX`: more sessions than this are not noted.
pub(crate) const SESSIONS_MAX: usize = 256;
/// Octets of `struct session`.
const KEY: usize = 40;

/// An established TCP connection to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// The other end.
    pub remote: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

impl Session {
    /// The established connections to these ports of this network namespace, and the one over which this process is spoken to
    /// (`SSH_CONNECTION`). Those of the lowest addresses where there are more than 256.
    pub fn look(ports: &[u16]) -> Vec<Self> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
        let tables = tables.iter().flatten();
        let established = tables.flat_map(|table| table.lines()).filter_map(established);
        let mut sessions: Vec<Self> = established.filter(|s| ports.contains(&s.local.port())).collect();
        let ours = std::env::var("SSH_CONNECTION").ok().and_then(|text| ssh(&text));
        sessions.sort_unstable();
        sessions.dedup();
        sessions.retain(|session| Some(*session) != ours);
        sessions.truncate(SESSIONS_MAX - 1);
        sessions.extend(ours);
        sessions
    }

    /// `struct session`.
    fn key(&self) -> [u8; KEY] {
        let mut out = [0; KEY];
        let [src_high, src_low, family] = address(self.remote.ip());
        let [dst_high, dst_low, _] = address(self.local.ip());
        for (at, word) in [(0, src_high), (8, src_low), (16, dst_high), (24, dst_low)] {
            put(&mut out, at, &word.to_ne_bytes());
        }
        put(&mut out, 32, &self.remote.port().to_ne_bytes());
        put(&mut out, 34, &self.local.port().to_ne_bytes());
        put(&mut out, 36, &u32::try_from(family).unwrap_or(0).to_ne_bytes());
        out
    }
}

impl Plane {
    /// Notes these sessions in place of those noted before.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn set_sessions(&self, sessions: &[Session]) -> Result<(), Error> {
        let noted = self.maps.get("sessions")?;
        let wanted: Vec<[u8; KEY]> = sessions.iter().take(SESSIONS_MAX).map(Session::key).collect();
        let known = noted.keys(SESSIONS_MAX).map_err(Error::system("reading the sessions"))?;
        for gone in known.iter().filter(|known| !wanted.iter().any(|key| key == known.as_slice())) {
            noted.remove(gone).map_err(Error::system("forgetting a session"))?;
        }
        for key in &wanted {
            noted.set(key, &[0; 8]).map_err(Error::system("noting a session"))?;
        }
        let ports = sessions.iter().fold(0u64, |bits, session| bits | 1 << (session.local.port() & 63));
        self.maps.write("session_ports", 0, &ports.to_ne_bytes())
    }
}

/// `CLIENT PORT SERVER PORT`.
fn ssh(text: &str) -> Option<Session> {
    let mut words = text.split_whitespace();
    let mut end = || Some(SocketAddr::new(plain(words.next()?.parse().ok()?), words.next()?.parse().ok()?));
    let (remote, local) = (end()?, end()?);
    (remote.is_ipv4() == local.is_ipv4()).then_some(Session { remote, local })
}

/// A line of `/proc/net/tcp` or `tcp6` of a connection that is established: number, local end, remote end, state 01.
fn established(line: &str) -> Option<Session> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote) = (words.next()?, words.next()?);
    (words.next()? == "01").then_some(())?;
    Some(Session { remote: end(remote)?, local: end(local)? })
}

/// `0100007F:0016`: words of 32 bits as this processor has them, and a port.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let octets = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            plain(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into())
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

/// IPv4 where it came through an IPv6 socket.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(remote: &str, local: &str) -> Session {
        Session { remote: remote.parse().unwrap(), local: local.parse().unwrap() }
    }

    #[test]
    fn established_connections_are_read_from_both_tables() {
        for (line, wanted) in [
            (
                "   0: 0A0200C0:0016 010200C0:D431 01 00000000:00000000 02:000A",
                Some(session("192.0.2.1:54321", "192.0.2.10:22")),
            ),
            ("   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:0000", None),
            (
                "   2: B80D0120000000000000000007000000:0016 B80D0120000000000000000001000000:8000 01 0",
                Some(session("[2001:db8::1]:32768", "[2001:db8::7]:22")),
            ),
            (
                "   3: 0000000000000000FFFF00000A0200C0:0016 0000000000000000FFFF0000010200C0:8000 01 0",
                Some(session("192.0.2.1:32768", "192.0.2.10:22")),
            ),
            ("  sl  local_address rem_address   st tx_queue rx_queue", None),
            ("   4: 0A0200C0 010200C0 01", None),
            ("", None),
        ] {
            // Written as a little-endian machine has them.
            assert!(cfg!(target_endian = "big") || established(line) == wanted, "{line}");
        }
        assert_eq!(ssh("192.0.2.1 54321 192.0.2.10 22"), Some(session("192.0.2.1:54321", "192.0.2.10:22")));
        assert_eq!(
            ssh("::ffff:192.0.2.1 54321 192.0.2.10 22"),
            Some(session("192.0.2.1:54321", "192.0.2.10:22"))
        );
        assert_eq!(ssh("192.0.2.1 54321 192.0.2.10"), None);
    }
}
