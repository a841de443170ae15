//! What it costs to take packets out of tunnels and to give back what passes: in a namespace of its own, with a way to the owner.

use std::os::fd::AsFd;
use std::process::Command;

use anyhow::ensure;
use dataplane::decap::Decap;
use dataplane::returning::{Kind, Return, Returning};
use dataplane::{Plane, Policy};

use crate::driver::Driver;
use crate::measure::policy;
use crate::mix::rules;

/// Octets of all frames here.
const FRAME: usize = 128;

/// An IP header before octets of this protocol.
fn ip(six: bool, protocol: u8, ends: [[u8; 16]; 2], inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap_or(0);
    let mut b = Vec::new();
    if six {
        b.extend([0x60, 0, 0, 0]);
        b.extend(length.to_be_bytes());
        b.extend([protocol, 64]);
        ends.iter().for_each(|end| b.extend(end));
    } else {
        b.extend([0x45, 0]);
        b.extend((length + 20).to_be_bytes());
        b.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
        ends.iter().for_each(|end| b.extend(end.iter().take(4)));
    }
    b.extend(inner);
    b
}

fn end(six: bool, octets: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    let [a, b, c, d] = octets;
    if six {
        out = [0x20, 1, 0xd, 0xb8, a, b, 0, 0, 0, 0, 0, 0, 0, 0, c, d];
    } else {
        out.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
    }
    out
}

/// Datagrams to a declared prefix from many sources, bare or in a peer's tunnel.
fn frames(six: bool, tunnel: Option<Kind>) -> Vec<Vec<u8>> {
    let one = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let (ip_front, outer) = if six { (40, 40) } else { (20, 20) };
        let front = match tunnel {
            None => 0,
            Some(Kind::Ipip) => outer,
            Some(Kind::Gre) => outer + 4,
        };
        let mut udp = vec![0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 0];
        udp.resize(FRAME - 14 - front - ip_front, 0);
        let mut packet = ip(six, 17, [end(six, [198, high, low, 1]), end(six, [203, 0, 113, low])], &udp);
        let ends = [end(six, [198, 18, 0, 9]), end(six, [192, 0, 2, 1])];
        packet = match tunnel {
            None => packet,
            Some(Kind::Ipip) => ip(six, if six { 41 } else { 4 }, ends, &packet),
            Some(Kind::Gre) => {
                let kind: [u8; 4] = if six { [0, 0, 0x86, 0xdd] } else { [0, 0, 8, 0] };
                ip(six, 47, ends, &[&kind[..], &packet].concat())
            }
        };
        let kind: [u8; 2] = if six { [0x86, 0xdd] } else { [8, 0] };
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind, &packet].concat()
    };
    (0..4096).map(one).collect()
}

/// The rows, inside.
pub(crate) fn inside() -> anyhow::Result<()> {
    for line in [
        "link set lo up",
        "link add far type veth peer name end",
        "address add 10.9.1.1/24 dev far",
        "address add fd00:a::1/64 dev far nodad",
        "link set far up",
        "link set end up",
        "neighbour add 10.9.1.2 lladdr 02:00:00:00:00:99 dev far",
        "neighbour add fd00:a::2 lladdr 02:00:00:00:00:99 dev far",
    ] {
        ensure!(Command::new("ip").args(line.split(' ')).status()?.success(), "ip {line}");
    }
    for version in ["ipv4", "ipv6"] {
        std::fs::write(format!("/proc/sys/net/{version}/conf/lo/forwarding"), "1")?;
    }
    let driver = Driver::load()?;
    let drop = sys::bpf::load_xdp(&[[0xb7, 0, 0, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]], "drop")
        .map_err(|e| anyhow::anyhow!("{}", e.cause))?;
    let floor = driver.run_carried(drop.as_fd(), &frames(false, None))?;
    println!("frames of 128 octets written anew and dropped at once|{floor}|");
    let plane = Plane::load()?;
    let (text, _) = rules(1000);
    for (rules, policy) in [("no rule", Policy::default()), ("1000 rules, none matches", policy(&text)?)] {
        for (family, six, kind) in
            [("IPv4, GRE over IPv4", false, Kind::Gre), ("IPv6, IP over IPv6", true, Kind::Ipip)]
        {
            let decap = Decap {
                peers: vec!["198.18.0.0/24".parse()?, "2001:db8:c612::/48".parse()?],
                locals: vec!["192.0.2.1".parse()?, "2001:db8:c000::201".parse()?],
            };
            let (prefix, local, remote) = if six {
                ("2001:db8:cb00::/48", "2001:db8:c000::201", "fd00:a::2")
            } else {
                ("203.0.113.0/24", "192.0.2.1", "10.9.1.2")
            };
            let way = Return {
                prefix: prefix.parse()?,
                kind,
                local: local.parse()?,
                remote: remote.parse()?,
                mtu: None,
                via: None,
            };
            let returning = Some(Returning { ways: vec![way], ..Returning::default() });
            let bare = frames(six, None);
            let wrapped = frames(six, Some(kind));
            plane.install(&policy)?;
            let plain = driver.run_carried(plane.entry(), &bare)?;
            plane.install(&Policy { decap: Some(decap.clone()), ..policy.clone() })?;
            let opened = driver.run_carried(plane.entry(), &wrapped)?;
            let before = returned(&plane)?;
            plane.install(&Policy { returning: returning.clone(), ..policy.clone() })?;
            let back = driver.run_carried(plane.entry(), &bare)?;
            plane.install(&Policy { decap: Some(decap), returning, ..policy.clone() })?;
            let both = driver.run_carried(plane.entry(), &wrapped)?;
            println!(
                "{rules}, {family}: plain; out of a tunnel; given back; both|{plain}; {opened}; {back}; {both}|{} for both",
                plain + 60
            );
            ensure!(returned(&plane)? - before >= 7_200_000, "not all went back: {:?}", plane.returned()?);
        }
    }
    Ok(())
}

fn returned(plane: &Plane) -> anyhow::Result<u64> {
    let all = plane.leaves()?;
    Ok(all.iter().find(|tally| tally.place == "returned").map_or(0, |tally| tally.packets))
}
