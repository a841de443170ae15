//! What the programs cost for one frame that meets no rule: `cost [RULES…]`.
use dataplane::{Plane, Policy};
use rules::{RuleSet, parse};

/// The mix of `knowledge/dataplane.md` 2b, by a small generator of its own.
fn mix(count: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % n
    };
    let mut text = String::new();
    for i in 0..count {
        let host = format!("203.0.{}.{}", next(64), next(256));
        let ports = [53, 123, 389, 1900, 11211, 161, 19, 17];
        let line = match next(100) {
            0..55 => format!("dst {host}/32 proto udp src-port {}", ports[next(8) as usize]),
            55..75 => {
                let (p, l) = (next(60000), 40 + next(1000));
                format!(
                    "dst {host}/32 proto udp dst-port {p}-{} length {l}-{}",
                    p + next(5000),
                    l + next(400)
                )
            }
            75..87 => format!(
                "dst {host}/32 proto tcp dst-port {} tcp-flags syn/syn+ack length {}",
                next(65536),
                40 + next(40)
            ),
            87..97 => format!(
                "dst 203.0.{}.0/24 src {}.{}.0.0/{}",
                next(64),
                1 + next(220),
                16 * next(16),
                12 + next(1)
            ),
            _ => format!(
                "src {}.{}.{}.0/24 tcp-flags {}",
                1 + next(220),
                next(256),
                next(256),
                ["syn/syn+ack", "ack/syn+ack", "rst/rst"][next(3) as usize]
            ),
        };
        text += &format!("r{i} {line} -> drop\n");
    }
    text
}

fn main() {
    let plane = Plane::load().unwrap();
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let ip = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 203, 0, 3, 77];
    frame.extend(ip);
    frame.extend([0xc0, 0x01, 0x10, 0xe1, 0, 26, 0, 0]);
    frame.resize(64, 0);
    let best =
        |plane: &Plane| (0..9).map(|_| plane.test_run(&frame, 500_000).unwrap().nanoseconds).min().unwrap();
    println!("no rules: {} ns", best(&plane));
    let own = Policy {
        protect: Some(vec!["203.1.0.0/16".parse().unwrap()]),
        block: vec!["9.9.9.9".parse().unwrap()],
        ..Policy::default()
    };
    plane.install(&own).unwrap();
    println!("unprotected destination: {} ns", best(&plane));
    let mut state = 1u64;
    let block: Vec<base::Prefix> = (0..1_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            base::Prefix::host(std::net::Ipv4Addr::from_bits((state >> 32) as u32).into())
        })
        .collect();
    let mut listed = frame.clone();
    let std::net::IpAddr::V4(first) = block[0].addr() else { return };
    listed[26..30].copy_from_slice(&first.octets());
    let begun = std::time::Instant::now();
    plane.install(&Policy { block: block.clone(), ..Policy::default() }).unwrap();
    println!("a million blocked in {:?}: miss {} ns", begun.elapsed(), best(&plane));
    let hit = (0..9).map(|_| plane.test_run(&listed, 500_000).unwrap().nanoseconds).min().unwrap();
    println!("  hit {hit} ns, {:?}", plane.trace(&listed).unwrap());
    for count in std::env::args().skip(1).filter_map(|a| a.parse().ok()) {
        let rules = parse::rules(&mix(count)).unwrap();
        let begun = std::time::Instant::now();
        let installed = plane.install(&Policy { rules: RuleSet::new(rules), ..Policy::default() }).unwrap();
        println!(
            "{count} rules: {} ns; {installed:?} in {:?}; {:?}",
            best(&plane),
            begun.elapsed(),
            plane.trace(&frame).unwrap()
        );
    }
}
