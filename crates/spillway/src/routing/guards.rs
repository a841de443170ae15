//! The rails that a configuration makes: what is ours, and what is never announced because something depends on it.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use base::Prefix;
use rules::{Match, Numbers};
use steer::rails::{Lifeline, Rails};

use super::near::Near;
use crate::config::{Config, Routing};

/// What rails are made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guards {
    own: Vec<Prefix>,
    never: Vec<(Prefix, String)>,
    lifelines: Vec<Lifeline>,
}

impl Guards {
    /// As the configuration has it.
    pub(crate) fn of(config: &Config, routing: &Routing) -> Self {
        let mut guards = Self { own: config.networks.clone(), never: Vec::new(), lifelines: Vec::new() };
        for (list, key) in [(&routing.never, "routing.never"), (&config.rules.never, "rules.never")] {
            for prefix in list {
                guards.never(*prefix, format!("{prefix} (`{key}`)"));
                let matches = Match { dst: Some(*prefix), ..Match::default() };
                guards.lifelines.push(Lifeline { matches, what: format!("packets to {prefix} (`{key}`)") });
            }
        }
        guards.host(IpAddr::V4(routing.router_id), "our router id");
        for router in &routing.routers {
            let name = &router.name;
            guards.host(router.address.ip(), &format!("the peer {name}"));
            for said in [&router.blackhole, &router.diversion] {
                for hop in [said.next_hops.0, said.next_hops.1].into_iter().flatten() {
                    guards.host(hop, &format!("a next hop at {name}"));
                }
            }
            for one in &router.absorber_hops {
                guards.host(one.hop, &format!("the absorber of {}", one.prefix));
            }
            if let Some(local) = router.local.or_else(|| way_to(router.address)) {
                guards.host(local, &format!("our end of the session with {name}"));
                guards.session(router.address, local, name);
            }
        }
        for absorber in &routing.controls.all {
            // A name is looked up where it is dialled.
            if let Ok(address) = absorber.address.parse::<SocketAddr>() {
                guards.host(address.ip(), &format!("the absorber {}", absorber.name));
            }
        }
        for (key, address) in &config.listen.addresses {
            if !address.ip().is_unspecified() {
                guards.host(address.ip(), &format!("our `listen.{key}`"));
                let matches = Match {
                    dst: Some(Prefix::host(address.ip())),
                    protocol: Some(17),
                    dst_port: Some(Numbers::of([u32::from(address.port())])),
                    ..Match::default()
                };
                guards.lifelines.push(Lifeline { matches, what: format!("flow export to `listen.{key}`") });
            }
        }
        if let Some(address) = config.listen.bmp.filter(|address| !address.ip().is_unspecified()) {
            guards.host(address.ip(), "our `listen.bmp`");
        }
        for cache in routing.rpki.iter().flat_map(|rpki| &rpki.caches) {
            guards.host(cache.ip(), "an RPKI cache");
        }
        for dns in &config.dns {
            guards.host(dns.server.ip(), &format!("the server of [dns.{}]", dns.zone.section));
        }
        for (exporter, _) in &config.exporters {
            guards.host(*exporter, "an exporter of ours");
        }
        guards
    }

    /// The rails, but for what `Near` knows.
    pub(crate) fn rails(&self, routing: &Routing) -> Rails {
        Rails::new(
            self.own.clone(),
            routing.diversion.clone(),
            self.never.clone(),
            self.lifelines.clone(),
            routing.limits.clone(),
        )
    }

    /// What is never announced now, and what it is, for people.
    pub(crate) fn list(&self) -> Vec<String> {
        self.never.iter().cloned().chain(Near::look().never).map(|(_, what)| what).collect()
    }

    fn never(&mut self, prefix: Prefix, what: String) {
        if !self.never.iter().any(|(known, _)| *known == prefix) {
            self.never.push((prefix, what));
        }
    }

    fn host(&mut self, address: IpAddr, what: &str) {
        self.never(Prefix::host(address), format!("{address} ({what})"));
    }

    /// Packets of the session itself, in both directions.
    fn session(&mut self, peer: SocketAddr, local: IpAddr, name: &str) {
        let matches = Match {
            dst: Some(Prefix::host(local)),
            src: Some(Prefix::host(peer.ip())),
            protocol: Some(6),
            src_port: Some(Numbers::of([u32::from(peer.port())])),
            ..Match::default()
        };
        self.lifelines.push(Lifeline { matches, what: format!("the BGP session with {name}") });
        let matches = Match {
            dst: Some(Prefix::host(peer.ip())),
            protocol: Some(6),
            dst_port: Some(Numbers::of([u32::from(peer.port())])),
            ..Match::default()
        };
        self.lifelines.push(Lifeline { matches, what: format!("the BGP session with {name}") });
    }
}

/// From which of our addresses the kernel would reach it; nothing is sent.
fn way_to(peer: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
