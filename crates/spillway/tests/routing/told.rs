//! What real routers and caches tell us: over BGP, BMP and the RPKI to Router protocol.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base::Prefix;
use spillway::routing::{Learned, Monitor, Rpki, Speaker};
use steer::bgp::step::State;
use steer::ownership::Ownership;
use steer::rails::Class;

use super::daemons::{Daemon, Kind, Options};
use super::{OUR_AS, blackhole, neighbor, started, status, wait};
use crate::support::free_port;

fn a(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A real RPKI cache (StayRTR) with payloads of its own.
pub(super) struct Cache {
    pub(super) address: SocketAddr,
    payloads: PathBuf,
    child: Option<Child>,
}

impl Cache {
    /// With these ROAs: prefix, greatest length, AS. It does not run yet.
    pub(super) fn new(roas: &[(&str, u8, u32)]) -> Option<Self> {
        if !Path::new("/usr/bin/stayrtr").exists() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "stayrtr is missing");
            eprintln!("skipped: stayrtr is not installed; `scripts/setup` does it");
            return None;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let name = format!("spillway-rtr-{}-{}.json", std::process::id(), address.port());
        let payloads = std::env::temp_dir().join(name);
        let roa = |(prefix, most, asn): &(&str, u8, u32)| serde_json::json!({"prefix": prefix, "maxLength": most, "asn": format!("AS{asn}"), "ta": "test"});
        let roas: Vec<serde_json::Value> = roas.iter().map(roa).collect();
        std::fs::write(&payloads, serde_json::json!({ "roas": roas }).to_string()).unwrap();
        Some(Self { address, payloads, child: None })
    }

    pub(super) fn start(&mut self) {
        let child = Command::new("/usr/bin/stayrtr")
            .args(["-bind", &self.address.to_string(), "-checktime=false", "-metrics.addr", "", "-cache"])
            .arg(&self.payloads)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    pub(super) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_file(&self.payloads);
    }
}

/// A daemon tells over BMP what our own speaker announced to it.
fn a_monitored_daemon_tells(kind: Kind) {
    let learned = Arc::new(Learned::default());
    let monitor = Monitor::start((Ipv4Addr::LOCALHOST, 0).into(), learned.clone()).unwrap();
    let options = Options { bmp: Some(monitor.address().port()), ..Options::default() };
    let Some(daemon) = Daemon::start(kind, options) else { return };
    let speaker = started(neighbor(daemon.port), &daemon);
    speaker.announce("peer", blackhole("198.51.100.7/32")).unwrap();
    speaker.announce("peer", blackhole("2001:db8:1::7/128")).unwrap();
    for (addr, prefix) in [("198.51.100.7", "198.51.100.7/32"), ("2001:db8:1::7", "2001:db8:1::7/128")] {
        wait("the route comes back over BMP", || learned.origin(a(addr)).prefix == Some(p(prefix)));
        assert_eq!(learned.origin(a(addr)).origins, [OUR_AS], "{}", kind.name());
    }
    let heard = monitor.heard();
    assert_eq!((heard.routers, heard.faults, heard.turned_away), (1, 0, 0), "{heard:?}");
    // The session ends, and its routes with it.
    drop(speaker);
    wait("the routes are forgotten", || learned.knowledge().prefixes == 0);
    drop(daemon);
    wait("the router is gone", || monitor.heard().routers == 0);
}

#[test]
fn gobgpd_tells_its_peers_routes_over_bmp() {
    a_monitored_daemon_tells(Kind::Gobgp);
}

#[test]
fn frr_tells_its_peers_routes_over_bmp() {
    a_monitored_daemon_tells(Kind::Frr);
}

#[test]
fn what_a_neighbour_announces_is_kept_where_it_shall_be() {
    let Some(daemon) = Daemon::start(Kind::Gobgp, Options::default()) else { return };
    let learned = Arc::new(Learned::default());
    let one = super::Neighbor { learned: Some(learned.clone()), ..neighbor(daemon.port) };
    let speaker = Speaker::start(vec![one]).unwrap();
    wait("a session", || status(&speaker).state == State::Established);
    daemon.gobgp_add(&["203.0.113.0/24", "aspath", "64500,64501"]);
    daemon.gobgp_add(&["203.0.113.128/25", "aspath", "64500,64502"]);
    daemon.gobgp_add(&["2001:db8:77::/48", "-a", "ipv6", "nexthop", "2001:db8::1"]);
    wait("the routes", || learned.knowledge().prefixes == 3);
    let origin = learned.origin(a("203.0.113.200"));
    assert_eq!((origin.prefix, origin.origins), (Some(p("203.0.113.128/25")), vec![64_502]));
    assert_eq!(origin.routed, Some(true));
    assert_eq!(learned.origin(a("203.0.113.1")).origins, [64_501]);
    assert_eq!(learned.origin(a("192.0.2.1")).routed, None, "a few routes are not the Internet");
    drop(daemon);
    wait("the routes are forgotten", || learned.knowledge().prefixes == 0);
}

#[test]
fn a_real_cache_is_asked_by_a_thread_of_ours() {
    let Some(mut cache) = Cache::new(&[("198.51.100.0/24", 24, OUR_AS), ("2001:db8:1::/48", 128, OUR_AS)])
    else {
        return;
    };
    // It begins after us: we dial again.
    let rpki = Rpki::start(&[cache.address]).unwrap();
    assert_eq!(rpki.vrps(), None);
    cache.start();
    wait("payloads", || rpki.status().first().and_then(|status| status.payloads) == Some(2));
    let rail = Ownership { vrps: rpki.vrps(), asn: OUR_AS, ..Ownership::default() };
    assert_eq!(rail.check(p("2001:db8:1::7/128"), Class::Blackhole), Ok(()));
    assert!(rail.check(p("198.51.100.7/32"), Class::Blackhole).is_err());
    // A cache that dies takes nothing back; what it told holds for the time that it gave.
    cache.stop();
    assert!(rpki.vrps().is_some());
}
