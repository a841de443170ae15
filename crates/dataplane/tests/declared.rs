//! Which ways back may be declared: none that would come back, and no more than there is room for.

use std::net::IpAddr;

use base::Prefix;
use dataplane::returning::{Kind, PREFIXES_MAX, Return, Returning};
use dataplane::{Clock, Error, Plane, Policy};

use crate::agreement::{frame, plane};
use crate::elsewhere::inside;
use crate::make::Packet;
use crate::returning::{REMOTE, address, declared, policy, prefix, roads, ways};

const PASS: u32 = 2;
const REDIRECT: u32 = 4;

#[test]
fn ways_back_that_would_come_back_or_cannot_be_are_refused_and_the_old_set_stays() {
    let Some(plane) = plane() else { return };
    let good = ways(Kind::Gre, false)[0];
    plane.install(&policy(Returning { ways: vec![good], ..Returning::default() }, "")).unwrap();
    let refused = |ways: Vec<Return>, discard: Vec<Prefix>| -> String {
        let returning = Returning { ways, discard, ..Returning::default() };
        plane.install(&policy(returning, "")).unwrap_err().to_string()
    };
    let inside = Return { remote: address("203.0.113.200"), ..good };
    assert!(
        refused(vec![inside], vec![])
            .contains("203.0.113.200 lies within the diverted prefix 203.0.113.0/24")
    );
    let other = Return { prefix: prefix("10.9.0.0/16"), remote: address("192.0.2.9"), ..good };
    let why = refused(vec![good, other], vec![]);
    assert!(why.contains("end 10.9.1.2 lies within the diverted prefix 10.9.0.0/16"), "{why}");
    assert!(refused(vec![good], vec![prefix("192.0.2.0/24")]).contains("end 192.0.2.1 lies within"));
    assert!(refused(vec![good, good], vec![]).contains("203.0.113.0/24 is declared twice"));
    let mixed = Return { remote: address(REMOTE[1]), ..good };
    assert!(refused(vec![mixed], vec![]).contains("of different families"));
    assert!(refused(vec![Return { mtu: Some(575), ..good }], vec![]).contains("576 to 65511 are possible"));
    let six = ways(Kind::Ipip, true)[1];
    assert!(refused(vec![Return { mtu: Some(1279), ..six }], vec![]).contains("1280 to 65495 are possible"));
    assert!(
        refused(vec![Return { remote: address("224.0.0.5"), ..good }], vec![]).contains("cannot be the end")
    );
    let many = (0..=u16::try_from(PREFIXES_MAX).unwrap()).map(|n| {
        let [high, low] = n.to_be_bytes();
        Prefix::host(IpAddr::from([100, 64, high, low]))
    });
    assert!(refused(vec![], many.collect()).contains("513 declared prefixes, 512 at most"));
    let lengths = (16..=24).map(|length| Prefix::of(address("100.64.0.0"), length));
    assert!(
        refused(vec![], lengths.collect())
            .contains("the declared IPv4 prefixes have 9 different lengths, 8 at most")
    );
    assert_eq!(plane.returning().unwrap().unwrap().ways, [good], "what was in force stays");

    let without = Plane::load_but(Clock::Kernel, dataplane::Buffers::One, &["give_back"]).unwrap();
    let back = policy(Returning { ways: vec![good], ..Returning::default() }, "");
    assert!(matches!(without.install(&back), Err(Error::LackingReturn { program: "give_back", .. })));
    without.install(&Policy { returning: None, ..back }).unwrap();
}

#[test]
fn as_many_prefixes_as_fit_take_turns_and_keep_their_counters() {
    if !inside("declared::as_many_prefixes_as_fit_take_turns_and_keep_their_counters") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let hosts = |from: usize| {
        let host = move |n: usize| {
            let [high, low] = u16::try_from(from + n).unwrap().to_be_bytes();
            Return { prefix: Prefix::host(IpAddr::from([100, 64, high, low])), ..ways(Kind::Gre, false)[0] }
        };
        Returning { ways: (0..PREFIXES_MAX).map(host).collect(), ..Returning::default() }
    };
    let send = |low: u8| {
        let packet = Packet { dst: IpAddr::from([100, 64, 1, low]), ..declared(false) };
        plane.answer(&frame(&packet.bytes())).unwrap().0
    };
    // Half of them stay each time.
    for (turn, from) in [0, PREFIXES_MAX / 2, PREFIXES_MAX, 0].into_iter().enumerate() {
        plane.install(&policy(hosts(from), "")).unwrap();
        assert_eq!(plane.returning().unwrap().unwrap().ways.len(), PREFIXES_MAX, "turn {turn}");
        let there = from <= 256;
        assert_eq!(send(3), if there { REDIRECT } else { PASS }, "turn {turn}");
        let seen: u64 = plane.returned().unwrap().iter().map(|one| one.packets).sum();
        assert_eq!(seen, [1, 2, 0, 1][turn], "kept while declared, forgotten after, turn {turn}");
    }
}
