//! What the daemon and its privileged helper say to each other: one JSON document a packet, through a pair of sockets that
//! keeps packets apart (`SOCK_SEQPACKET`) and that nobody else can open.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt,
};
use nix::sys::time::TimeVal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Both ends must speak the same one. They are the same binary, until somebody replaces it between two starts.
pub(crate) const VERSION: u32 = 4;
/// Octets of one packet at most: less than what a socket takes by default.
const PACKET_MAX: usize = 1 << 16;
/// Rules in one packet: as many as fit, however long they are.
pub(crate) const PART: usize = 64;
/// Addresses in one packet: an IPv6 address has 39 characters at most, two quotes and a comma.
pub(crate) const SOURCES: usize = 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub(crate) enum Request {
    /// Read the configuration anew and begin.
    Hello {
        /// Of who asks.
        version: u32,
    },
    /// Rules of the next set, as text with their leases.
    Part {
        /// One each.
        rules: Vec<String>,
        /// What they are.
        kind: Kind,
    },
    /// Allowed sources of the next set.
    Allow {
        /// Each.
        allow: Vec<dataplane::Allow>,
    },
    /// The parts since the last set are the set.
    Apply {
        /// See [`super::Wanted::earnest`].
        earnest: bool,
    },
    /// What has the kernel?
    Actual,
    /// Who has proven himself?
    Proven,
    /// Whoever decides lives. Answered with what was told.
    Beat,
}

/// What the rules of a part are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kind {
    /// See [`super::Wanted::dry`].
    pub(crate) dry: bool,
    /// See [`super::Wanted::by_hand`].
    pub(crate) by_hand: bool,
    /// See [`super::Wanted::instead`].
    pub(crate) instead: bool,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(crate) enum Reply {
    /// It is done.
    Done,
    /// It is not.
    Refused {
        /// Why.
        error: String,
    },
    /// Rules in the kernel: id, packets decided, packets dropped, octets decided.
    Actual {
        /// Each.
        rules: Vec<(String, u64, u64, u64)>,
        /// Another packet follows.
        more: bool,
    },
    /// Sources that have proven themselves.
    Proven {
        /// Each.
        sources: Vec<IpAddr>,
        /// Another packet follows.
        more: bool,
    },
    /// Local packets told as telemetry, and lost.
    Told {
        /// Told.
        told: u64,
        /// Lost.
        lost: u64,
        /// What was counted beside rules.
        counted: super::Counted,
    },
}

/// A request or a reply with its number; a reply has the number of its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbered<T> {
    /// Its number.
    pub(crate) number: u64,
    /// What is said.
    pub(crate) said: T,
}

/// Two ends.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Nobody is waited for longer than this.
pub(crate) fn patience(end: &impl AsFd, time: Duration) -> io::Result<()> {
    let time = TimeVal::new(i64::try_from(time.as_secs()).unwrap_or(i64::MAX), 0);
    setsockopt(end, sockopt::ReceiveTimeout, &time)?;
    Ok(setsockopt(end, sockopt::SendTimeout, &time)?)
}

/// Says something.
pub(crate) fn say<T: Serialize>(end: &OwnedFd, number: u64, said: T) -> io::Result<()> {
    let octets = serde_json::to_vec(&Numbered { number, said })?;
    if octets.len() > PACKET_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a packet for the helper is too long"));
    }
    loop {
        match send(end.as_raw_fd(), &octets, MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Hears something; `None` when the other end is gone.
pub(crate) fn hear<T: DeserializeOwned>(end: &OwnedFd) -> io::Result<Option<Numbered<T>>> {
    // One octet more than is allowed, to see that it is too long.
    let mut octets = vec![0; PACKET_MAX + 1];
    let length = loop {
        match recv(end.as_raw_fd(), &mut octets, MsgFlags::empty()) {
            Ok(length) => break length,
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    if length == 0 {
        return Ok(None);
    }
    let packet = octets.get(..length).filter(|_| length <= PACKET_MAX);
    let packet =
        packet.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the packet is too long"))?;
    Ok(Some(serde_json::from_slice(packet)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_and_an_end_is_the_end() {
        let (here, there) = pair().unwrap();
        let said = Request::Part { rules: vec!["r proto udp -> drop".to_owned()], kind: Kind::default() };
        say(&here, 7, said.clone()).unwrap();
        assert_eq!(hear::<Request>(&there).unwrap(), Some(Numbered { number: 7, said }));
        let long = Request::Part { rules: vec!["r".repeat(PACKET_MAX)], kind: Kind::default() };
        assert!(say(&here, 8, long).unwrap_err().to_string().contains("too long"));
        send(here.as_raw_fd(), b"{\"number\":1,\"said\":{\"do\":\"shell\"}}", MsgFlags::empty()).unwrap();
        assert!(hear::<Request>(&there).is_err(), "nothing else can be asked for");
        patience(&there, Duration::from_secs(1)).unwrap();
        drop(here);
        assert_eq!(hear::<Request>(&there).unwrap(), None);
    }
}
