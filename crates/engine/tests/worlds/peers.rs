//! A host that is not known goes by its peers.

use std::net::IpAddr;

use base::map::Seed;
use base::{Prefix, Span, Timestamp};
use engine::report::Severity;
use engine::settings::Group;
use engine::{Engine, Input, Output, Profile, Settings, Shard};

use crate::world::datagram;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Packets/s of a busy host, far above what is harmless to a quiet one.
const BUSY: u64 = 6_000;

/// Who gets how many packets/s of UDP without an answer, and from which second on.
type Script = Vec<(IpAddr, u64, u64)>;

fn host(net: u8, number: u8) -> IpAddr {
    [198, 18, net, number].into()
}

/// Hosts of a /24 from the beginning: so many busy ones, and quiet ones.
fn net(net: u8, busy: u8, pps: u64, quiet: u8) -> Script {
    let busy_ones = (0..busy).map(|n| (host(net, n), pps, 0));
    busy_ones.chain((0..quiet).map(|n| (host(net, 100 + n), 40, 0))).collect()
}

/// Hosts that are called attacked in two minutes, of which the first is followed by a restart if asked for.
fn attacked(script: &Script, groups: Vec<Group>, restart: bool) -> Vec<IpAddr> {
    let networks = vec!["198.18.0.0/15".parse().unwrap()];
    let settings = Settings { networks, groups, ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (record, mut told, mut number) = (datagram(), Vec::new(), 0u32);
    for tick in 0u64..480 {
        let until = START.plus(settings.tick.times(tick + 1));
        for (place, (host, pps, _)) in (0u64..).zip(script).filter(|(_, (_, _, from))| tick >= 4 * from) {
            // One of a thousand packets, evenly.
            let samples = |tick: u64| (pps * tick + 250 * (place % 16)) / 4_000;
            for n in 0..samples(tick + 1) - samples(tick) {
                number += 1;
                let mut one = record;
                (one.headers.src, one.headers.dst) =
                    (IpAddr::from((0xcb00_0000 + number).to_be_bytes()), *host);
                one.at = until.minus(Span::from_millis(1 + (place + 7 * n) % 240));
                (one.start, one.end) = (one.at, one.at);
                shard.record(&one);
            }
        }
        engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        while let Some(Output::Attack { attack, .. }) = engine.poll_output() {
            told.extend((attack.severity == Severity::Attack).then(|| attack.target.addr()));
        }
        if restart && tick == 200 {
            engine = Engine::restore(settings.clone(), Seed::new(2), &engine.snapshot()).unwrap();
        }
    }
    told.sort_unstable();
    told.dedup();
    told
}

#[test]
fn what_most_peers_have_is_no_attack_on_a_new_one_and_more_is() {
    let mut script = net(1, 14, BUSY, 6);
    script.extend(net(2, 0, 0, 20));
    // A new host like its peers, one among quiet ones, and one with far more than its peers.
    script.extend([(host(1, 50), BUSY, 61), (host(2, 50), BUSY, 61), (host(1, 60), 8 * BUSY, 90)]);
    for restart in [false, true] {
        let told = attacked(&script, Vec::new(), restart);
        assert_eq!(told, [host(1, 60), host(2, 50)], "restart: {restart}");
    }
}

#[test]
fn loud_members_do_not_blind_their_peers() {
    let mut script = net(1, 1, 60_000, 19);
    script.extend(net(2, 8, 60_000, 30));
    // So many that everybody is used to it, but nobody is granted more than a few floors.
    script.extend(net(3, 30, 60_000, 2));
    let fresh = [(host(1, 50), BUSY, 61), (host(2, 50), BUSY, 61), (host(3, 50), 30_000, 61)];
    script.extend(fresh);
    assert_eq!(attacked(&script, Vec::new(), false), fresh.map(|(host, ..)| host));
}

#[test]
fn the_hosts_of_a_group_are_peers_wherever_they_are() {
    // One in each /24.
    let mut script: Script = (0..12).map(|n| (host(n, 7), BUSY, 0)).collect();
    script.push((host(20, 7), BUSY, 61));
    let networks = (0..32).map(|n| Prefix::host(host(n, 7))).collect();
    let group = Group { name: "games".into(), networks, ..Group::default() };
    assert_eq!(attacked(&script, vec![group], false), [] as [IpAddr; 0]);
    assert_eq!(attacked(&script, Vec::new(), false), [host(20, 7)]);
}
