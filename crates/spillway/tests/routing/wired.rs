//! What routers and RPKI caches tell, configured in the daemon: asked by every order, and by `route origin`.

use serde_json::{Value, json};

use super::daemons::{Daemon, Kind, Options};
use super::desk::{House, WHY, peer, with};
use super::told::Cache;
use super::{OUR_AS, wait};
use crate::support::free_port;

#[test]
fn what_the_rpki_gives_to_another_is_refused_before_it_is_sent() {
    let Some(router) = Daemon::start(Kind::Gobgp, Options::default()) else { return };
    let roas = [
        ("198.51.100.0/24", 32, 64_999),
        ("198.51.101.0/24", 32, OUR_AS),
        ("198.51.102.0/24", 24, OUR_AS),
        ("2001:db8:1::/48", 128, OUR_AS),
    ];
    let Some(mut cache) = Cache::new(&roas) else { return };
    let rpki = format!("[routing.rpki]\ncaches = [\"{}\"]\nstrict = true\n", cache.address);
    let house = House::new("rpki", "", &(peer("upstream", router.port, "") + &rpki));
    let daemon = house.start();
    house.up();
    let refuses = |address: &str, expected: &str| {
        let line = house.route(&with(&["blackhole", address], WHY)).unwrap_err();
        assert!(line.contains(expected), "{address}\n  said     {line}\n  expected {expected}");
    };
    let told = || house.route(&["status"]).unwrap()["caches"][0]["payloads"].clone();
    assert_eq!(told(), Value::Null);
    refuses("198.51.101.7", "the RPKI cache tells nothing: see that it runs, or end `strict`");
    cache.start();
    wait("payloads", || told() == 4);
    refuses("198.51.100.7", "its ROAs name other ASes: make one for ours, or correct `networks`");
    refuses("198.51.102.7", "raise the ROA's maxLength");
    refuses("198.51.103.7", "make a ROA for it, or end `strict`");
    refuses("2001:db8:2::7", "make a ROA for it, or end `strict`");
    house.route(&with(&["blackhole", "198.51.101.7"], WHY)).unwrap();
    house.route(&with(&["blackhole", "2001:db8:1::7"], WHY)).unwrap();
    let both = ["198.51.101.7/32", "2001:db8:1::7/128"];
    wait("what may go", || router.view().blackholes == both);
    assert_eq!(house.history().iter().filter(|event| *event == "refused").count(), 5);
    assert_eq!(daemon.sum("spillway_rpki_payloads"), 4.0);
    assert_eq!(daemon.sum("spillway_rpki_cache_tells"), 1.0);
    // A reload hears them otherwise; what holds is let be.
    house.reload(&daemon, "strict = true", "blackholes_unvalidated = true");
    wait("the cache is asked anew", || {
        told() == 4 && house.route(&with(&["blackhole", "198.51.102.7", "--dry-run"], WHY)).is_ok()
    });
    refuses("198.51.100.7", "its ROAs name other ASes");
    house.up();
    wait("what held holds", || router.view().blackholes == both);
    // A cache that dies takes nothing back for the time that it gave.
    cache.stop();
    refuses("198.51.100.7", "its ROAs name other ASes");
}

#[test]
fn whose_an_address_is_can_be_asked_of_the_daemon() {
    let port = free_port();
    let options = Options { bmp: Some(port), ..Options::default() };
    let Some(router) = Daemon::start(Kind::Gobgp, options) else { return };
    let house = House::new("origin", "", &peer("upstream", router.port, "learn = true"));
    let text = std::fs::read_to_string(&house.config).unwrap();
    let text = text.replace("[listen]\n", &format!("[listen]\nbmp = \"127.0.0.1:{port}\"\n"));
    std::fs::write(&house.config, text).unwrap();
    let daemon = house.start();
    house.up();
    let origin = |address: &str| {
        let found = house.route(&["origin", address]).unwrap();
        (found["prefix"].clone(), found["origins"].clone(), found["routed"].clone())
    };
    let known = |prefix: &str, asn: u32| (json!(prefix), json!([asn]), json!(true));
    let nothing = (Value::Null, json!([]), Value::Null);
    // Over the session.
    router.gobgp_add(&["203.0.113.0/24", "aspath", "64500,64501"]);
    router.gobgp_add(&["203.0.113.128/25", "aspath", "64500,64502"]);
    router.gobgp_add(&["2001:db8:77::/48", "-a", "ipv6", "nexthop", "2001:db8::1"]);
    wait("the routes", || house.route(&["status"]).unwrap()["prefixes"] == 3);
    assert_eq!(origin("203.0.113.200"), known("203.0.113.128/25", 64_502));
    assert_eq!(origin("203.0.113.1"), known("203.0.113.0/24", 64_501));
    assert_eq!(origin("2001:db8:77::1").0, "2001:db8:77::/48");
    assert_eq!(origin("192.0.2.9"), nothing, "a few routes are not the Internet");
    // Over BMP: our own announcements come back from the router.
    house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
    wait("our own route", || origin("198.51.100.7") == known("198.51.100.7/32", OUR_AS));
    let status = house.route(&["status"]).unwrap();
    assert_eq!((&status["routers"], &status["faults"]), (&json!(1), &json!(0)), "{status}");
    assert_eq!(daemon.sum("spillway_learned_prefixes"), 4.0);
    assert_eq!(daemon.sum("spillway_bmp_routers"), 1.0);
    // Without `learn`, a reload forgets what the session told.
    house.reload(&daemon, "learn = true", "learn = false");
    wait("what the session told is forgotten", || origin("203.0.113.200") == nothing);
    wait("BMP is heard again", || origin("198.51.100.7") == known("198.51.100.7/32", OUR_AS));
    assert_eq!(origin("203.0.113.200"), nothing);
}
