//! Ways in of those who administer this machine: a rule that a person makes does not cut them.

use std::net::{IpAddr, SocketAddr};

use base::Prefix;
use dataplane::Session;
use rules::{Action, Match, Numbers, Rule};

/// SSH, at its usual port.
const SSH: u16 = 22;
const TCP: u8 = 6;

/// Connections that are not to be cut: established ones to SSH and to the API, and those of who asks.
pub(crate) fn ways(api: u16, from: Option<IpAddr>, ssh: Option<&str>) -> Vec<Match> {
    let mut ways: Vec<Match> = Session::look(&[SSH, api])
        .into_iter()
        .map(|session| way(session.remote, Some(session.local)))
        .collect();
    let of_caller = ssh.and_then(|text| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [remote, remote_port, local, local_port] = words.as_slice() else { return None };
        let end = |address: &str, port: &str| {
            Some(SocketAddr::new(address.parse::<IpAddr>().ok()?.to_canonical(), port.parse().ok()?))
        };
        Some(way(end(remote, remote_port)?, end(local, local_port)))
    });
    ways.extend(of_caller);
    if let Some(from) = from.map(|from| from.to_canonical()).filter(|from| !from.is_loopback()) {
        // whatever port of theirs comes next
        ways.push(Match {
            dst_port: Some(Numbers::of([api.into()])),
            src: Some(Prefix::host(from)),
            protocol: Some(TCP),
            ..Match::default()
        });
    }
    ways
}

fn way(remote: SocketAddr, local: Option<SocketAddr>) -> Match {
    Match {
        src: Some(Prefix::host(remote.ip())),
        dst: local.map(|local| Prefix::host(local.ip())),
        protocol: Some(TCP),
        src_port: Some(Numbers::of([remote.port().into()])),
        dst_port: local.map(|local| Numbers::of([local.port().into()])),
        ..Match::default()
    }
}

/// The way in that a rule would cut or slow down.
///
/// # Errors
/// Which, and the remedy.
pub(crate) fn spares(rule: &Rule, ways: &[Match]) -> Result<(), String> {
    if rule.action == Action::Pass {
        return Ok(());
    }
    match ways.iter().find(|way| rules::overlap::shares(way, &rule.matches)) {
        None => Ok(()),
        Some(way) => {
            let src = way.src.map_or_else(String::new, |src| src.addr().to_string());
            Err(format!(
                "it would hit a connection from {src} over which this machine is administered: leave that out with a more precise rule, or come from elsewhere"
            ))
        }
    }
}
