//! A monitoring station (RFC 7854): what one router tells over BMP becomes routes, without a session with anybody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wire::bgp::Update;
use wire::bmp::{Message, Peer, Tlv, frame};
use wire::reader::Fault;

use super::{Feed, Routes};

/// Peers of one router whose routes are kept; those of further ones are left out and counted in [`Station::left_out`].
const PEERS_MAX: usize = 32;
/// Characters kept of the router's name.
const NAME_MAX: usize = 64;

/// Peers are told apart by these: address, and whether their routes are those before or behind the import policy.
type Key = (IpAddr, bool);

/// One router's stream.
#[derive(Debug, Default)]
pub struct Station {
    buffer: Vec<u8>,
    feeds: BTreeMap<Key, Feed>,
    name: Option<String>,
    /// Messages that were damaged.
    pub faults: u64,
    /// Updates of peers for which there is no room.
    pub left_out: u64,
    /// Messages that teach nothing of the Internet: of peers in VRFs, and of what is sent to peers.
    pub passed_over: u64,
}

impl Station {
    /// The router sent this.
    ///
    /// # Errors
    /// When the stream cannot be followed any more: close it, and call [`Self::closed`].
    pub fn receive(&mut self, octets: &[u8], routes: &mut Routes) -> Result<(), Fault> {
        self.buffer.extend_from_slice(octets);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        while let Some(one) = frame(rest)? {
            rest = rest.get(one.length..).unwrap_or_default();
            match Message::read(&one) {
                Ok(message) => self.take(&message, routes),
                Err(_) => self.faults += 1,
            }
        }
        self.buffer = rest.to_vec();
        Ok(())
    }

    /// The connection ended: what the router told is forgotten.
    pub fn closed(&mut self, routes: &mut Routes) {
        self.buffer = Vec::new();
        for feed in std::mem::take(&mut self.feeds).into_values() {
            routes.forget(feed);
        }
    }

    /// What the router calls itself.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Peers whose routes are kept.
    pub fn peers(&self) -> usize {
        self.feeds.len()
    }

    fn take(&mut self, message: &Message<'_>, routes: &mut Routes) {
        match message {
            Message::Initiation(tlvs) => {
                let name = tlvs.flatten().find(|tlv| tlv.kind == Tlv::SYS_NAME);
                self.name = name.map(|tlv| {
                    let text = String::from_utf8_lossy(tlv.value);
                    text.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
                });
            }
            Message::RouteMonitoring(peer, body) => self.update(peer, body, routes),
            // Before or behind the policy is said of routes alone (RFC 7854 §4.2): FRR ends both in one word.
            Message::PeerDown(peer, _) => {
                for post_policy in [false, true] {
                    let gone = self.feeds.remove(&(peer.address, post_policy));
                    gone.into_iter().for_each(|feed| routes.forget(feed));
                }
            }
            Message::PeerUp(..)
            | Message::Statistics(..)
            | Message::Termination(_)
            | Message::Mirroring(_)
            | Message::Other(_) => {}
        }
    }

    fn update(&mut self, peer: &Peer, body: &[u8], routes: &mut Routes) {
        if !matches!(peer.kind, Peer::GLOBAL | Peer::LOCAL_RIB) || peer.outgoing {
            self.passed_over += 1;
            return;
        }
        let Ok(update) = Update::read(body, !peer.two_octet_as) else {
            self.faults += 1;
            return;
        };
        let key = key(peer);
        let feed = match self.feeds.get(&key) {
            Some(feed) => *feed,
            None => {
                let fresh = (self.feeds.len() < PEERS_MAX).then(|| routes.open()).flatten();
                let Some(feed) = fresh else {
                    self.left_out += 1;
                    return;
                };
                self.feeds.insert(key, feed);
                feed
            }
        };
        routes.update(feed, &update);
    }
}

const fn key(peer: &Peer) -> Key {
    (peer.address, peer.post_policy)
}
