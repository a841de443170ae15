//! Sections that are right, and a table of those that are not.

use std::path::Path;

use steer::rails::Class;
use wire::bgp::Family;

use crate::config::Config;

const TOP: &str =
    "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n";
const ROUTING: &str = "[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n";
const PEER: &str = "[routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"blackhole\"]\nnext_hop = \"192.0.2.1\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("f.toml"), text)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_smallest_section_has_the_defaults_of_the_rails() {
    let routing = parse(&[TOP, ROUTING, PEER].concat()).unwrap().routing.unwrap();
    assert_eq!(routing.limits, steer::rails::Limits::default());
    assert_eq!(routing.approvals, steer::book::Approvals::default());
    let [router] = routing.routers.as_slice() else { panic!("{routing:?}") };
    assert_eq!(router.address, "192.0.2.2:179".parse().unwrap());
    assert_eq!(router.families, [Family::IPV4]);
    assert_eq!(router.carries, [Class::Blackhole]);
    assert_eq!(router.blackhole.communities, [0xffff_029a, 0xffff_ff01]);
    assert_eq!((router.restart_time, router.hold_time, router.patience), (Some(120), 90, 900));
    assert_eq!(router.pacing, steer::bgp::Pacing::default());
}

#[test]
fn the_example_of_the_starter_is_taken() {
    let starter = crate::config::starter(&["198.51.100.0/24".parse().unwrap()]);
    let section: String = starter
        .lines()
        .skip_while(|line| *line != "#   [routing]")
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.contains("md5_file"))
        .map(|line| format!("{}\n", line.trim_start_matches("#   ")))
        .collect();
    let routing = parse(&format!("{TOP}{section}")).unwrap().routing.unwrap();
    assert_eq!((routing.routers[0].name.as_str(), routing.routers[0].profile.name), ("upstream", "bird"));
    assert_eq!(routing.limits, steer::rails::Limits::default());
    assert_eq!(routing.confirm, steer::confirm::MINUTES);
    let ladder = routing.ladder.unwrap();
    let hold = steer::hold::Settings::default();
    assert_eq!((ladder.hold, ladder.hold_max), (hold.first, hold.longest));
    assert_eq!((ladder.links.len(), ladder.steps.as_slice()), (1, &steer::ladder::Step::ALL[..]));
}

/// What stands for the section, and what must come out.
const WRONG: &[(&str, &str)] = &[
    ("[routing]\nrouter_id = \"192.0.2.1\"\n", "f.toml:4:1: missing key `asn`; add a line like asn = 64512"),
    ("[routing]\nasn = 64512\n", "f.toml:4:1: missing key `router_id`; add a line like router_id"),
    ("@", "f.toml:5:7: [routing] names no peer; add a section [routing.peers.NAME]"),
    ("@asm = 3\n", "f.toml:7:1: unknown key `asm`; did you mean `asn`?"),
    ("[routing]\nasn = 0\nrouter_id = \"192.0.2.1\"\n#", "f.toml:5:7: 0 is no number of an AS"),
    ("@lease = \"25h\"\n#", "f.toml:7:9: lease must be above 0 and at most lease_max"),
    ("@lease_max = \"48h\"\n#", "f.toml:7:13: lease_max must be above 0 and at most"),
    (
        "@blackhole_ipv4 = 24\n#",
        "f.toml:7:18: blackhole_ipv4 is the shortest blackhole that is announced; write 25 to 32",
    ),
    ("@blackholed_share = 2.0\n#", "f.toml:7:20: blackholed_share is a share"),
    ("@dead_man_after = \"1s\"\n#", "f.toml:7:18: dead_man_after must be at least 5s"),
    ("@diversion = [\"203.0.113.0/24\"]\n#", "f.toml:7:14: 203.0.113.0/24 does not lie within `networks`"),
    (
        "@diversion = [\"198.51.100.0/16\"]\n#",
        "f.toml:7:13: `routing.diversion`: `198.51.100.0/16` has bits set",
    ),
    (
        "@[routing.approvals]\nblackhole = 0\n",
        "f.toml:8:13: `routing.approvals.blackhole`: invalid value: integer `0`, expected \"automatic\", or the number of persons",
    ),
    (
        "@[routing.approvals]\nblackhole = \"none\"\n",
        "f.toml:8:13: `routing.approvals.blackhole`: invalid value: string \"none\", expected \"automatic\"",
    ),
    (
        "@[routing.peers.up]\nasn = 64500\ncarries = []\n",
        "f.toml:7:1: missing key `address`; add a line like address",
    ),
    (
        "@[routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\n",
        "f.toml:7:1: missing key `carries`; add a line like carries",
    ),
    (
        "@[routing.peers.\"a b\"]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"flowspec\"]\n",
        "f.toml:7:16: `a b` is no name of a peer",
    ),
    ("@[routing.peers.up]\naddress = \"router\"\n", "f.toml:8:11: `router` is not the address of a router"),
    (
        "@[routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"blackhole\"]\n",
        "f.toml:7:16: peer `up` carries blackholes, but no next hop is known",
    ),
    (
        "@[routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"rtbh\"]\n",
        "f.toml:10:12: `routing.peers.up.carries`: `rtbh` is not known here; known here: blackhole",
    ),
    (
        "!families = [\"ipv4\", \"ipv6\"]\n",
        "f.toml:7:16: peer `up` has no next hop for a blackhole of IPv6; add blackhole_next_hop6 = \"100::1\"",
    ),
    ("!next_hop6 = \"::\"\n", "f.toml:12:13: next_hop6: :: is no address; write the address"),
    ("!next_hop6 = \"fe80::1\"\n", "f.toml:12:13: next_hop6: fe80::1 is known on its link alone"),
    (
        "!diversion_next_hop = \"255.255.255.255\"\n",
        "f.toml:12:22: diversion_next_hop: 255.255.255.255 is no address of one host",
    ),
    ("!profile = \"cisco\"\n", "f.toml:12:11: `cisco` is no profile of a router; known here: bird, frr"),
    (
        "!blackhole_communities = [\"666\"]\n",
        "f.toml:12:26: `routing.peers.up.blackhole_communities`: `666` is not a community; write it like",
    ),
    (
        "!on_stop = \"keep\"\non_crash = \"withdraw\"\n",
        "f.toml:12:11: on_stop = \"keep\" needs on_crash = \"keep\"",
    ),
    ("!on_stop = \"stay\"\n", "f.toml:12:11: `routing.peers.up.on_stop`: `stay` is not known here"),
    ("!hold_time = \"2s\"\n", "f.toml:12:13: hold_time is whole seconds, \"3s\" to \"65535s\""),
    ("!patience = \"19h\"\n", "f.toml:12:12: patience is whole seconds, \"0s\" to \"65535s\""),
    ("!restart_time = \"2h\"\n", "f.toml:12:16: restart_time is whole seconds"),
    ("!md5_file = \"/nonexistent\"\n", "f.toml:12:12: the key in /nonexistent cannot be used"),
    (
        "!md5_env = \"SPILLWAY_NO_SUCH_VARIABLE\"\n",
        "f.toml:12:11: the key in $SPILLWAY_NO_SUCH_VARIABLE cannot be used",
    ),
    ("!ttl_security_hops = 0\n", "f.toml:12:21: ttl_security_hops counts from 1"),
    ("!next_hop6 = \"192.0.2.1\"\n", "f.toml:12:13: next_hop6 has to be an IPv6 address"),
    ("![routing.ladder]\nhold = \"0s\"\n", "f.toml:13:8: hold must be at least 1s"),
    ("![routing.ladder]\nhold_max = \"1m\"\n", "f.toml:13:12: hold_max must not be below hold, which is 5m"),
    (
        "![routing.ladder]\nsteps = [\"rtbh\"]\n",
        "f.toml:13:10: `routing.ladder.steps`: `rtbh` is not known here; known here: kernel",
    ),
    (
        "![routing.ladder.customers.acme]\nmode = \"suggest\"\n",
        "f.toml:12:27: there is no customer and no group `acme`; known here: none",
    ),
    ("![routing.links.x]\n", "f.toml:12:1: missing key `capacity`"),
    (
        "![routing.links.x]\ncapacity = \"1 Gbps\"\npeers = [\"down\"]\n",
        "f.toml:14:10: there is no peer `down`; known here: up",
    ),
    (
        "![routing.absorbers.x]\ncapacity = \"1 Gbps\"\nprefix = \"198.51.100.0/24\"\n",
        "f.toml:14:10: 198.51.100.0/24 is not provisioned for diversion: name it in `routing.diversion`",
    ),
    (
        "![routing.peers.twin]\naddress = \"192.0.2.2:179\"\nasn = 64500\ncarries = [\"flowspec\"]\n",
        "f.toml:7:16: peer `up` has the address of peer `twin`; keep one of them",
    ),
    ("![routing.rpki]\ncaches = []\n", "f.toml:12:1: [routing.rpki] names 1 to 8 caches"),
    (
        "![routing.rpki]\ncaches = [\"rpki\"]\n",
        "f.toml:13:11: `routing.rpki.caches`: `rpki` is not an address with its port",
    ),
    (
        "![routing.rpki]\ncaches = [\"[::1]:323\", \"[::1]:323\"]\n",
        "f.toml:13:24: [::1]:323 stands here twice; keep one",
    ),
    ("![routing.rpki]\ncaches = [\"0.0.0.0:0\"]\n", "f.toml:13:11: 0.0.0.0:0 is not where a cache listens"),
    (
        "![routing.drill]\nspare = [\"203.0.113.9\"]\n",
        "f.toml:13:10: 203.0.113.9/32 does not lie within `networks`",
    ),
    (
        "![routing.drill]\nspare = [\"2001:db8::/64\"]\n",
        "f.toml:13:10: 2001:db8::/64: a blackhole announcement is /128 to /128",
    ),
    (
        "![routing.drill]\ndiversion = [\"198.51.100.0/24\"]\n",
        "f.toml:13:14: 198.51.100.0/24 is not provisioned for diversion",
    ),
    ("![routing.drill]\nprobe = []\n", "f.toml:13:9: probe names no program; write it like"),
    (
        "![routing.drill]\nprobe = [\"ping\", \"{address}\"]\n",
        "f.toml:13:9: `ping` is no program with its whole path; write it like",
    ),
    (
        "![routing.drill]\nprobe = [\"/bin/true\"]\n",
        "f.toml:13:9: probe does not say where the address stands",
    ),
];

#[test]
fn each_mistake_about_routers_has_its_place_and_its_remedy() {
    let mut failed = Vec::new();
    let bmp = TOP.replace("[listen]\n", "[listen]\nbmp = \"127.0.0.1:11019\"\n");
    let alone = parse(&bmp).unwrap_err();
    assert!(alone.starts_with("f.toml:3:7: bmp needs a section [routing]"), "{alone}");
    for (text, expected) in WRONG {
        // `@` stands for the section, `!` for the section and a peer, `#` for a peer after it.
        let mut whole =
            format!("{TOP}{text}").replace('@', ROUTING).replace('!', &format!("{ROUTING}{PEER}"));
        if let Some(front) = whole.strip_suffix('#') {
            whole = format!("{front}{PEER}");
        }
        let found = parse(&whole).map_or_else(|line| line, |_| "no complaint".to_owned());
        if !found.starts_with(expected) {
            failed.push(format!("{whole}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// What stands for the section of an absorber, and what must come out.
const UNFIT: &[(&str, &str)] = &[
    ("fingerprint = \"@\"\n", "f.toml:13:20: `fingerprint` needs `control`"),
    ("control = \"192.0.2.9:8647\"\n", "f.toml:13:20: `control` needs `fingerprint`"),
    ("control = \"192.0.2.9\"\nfingerprint = \"@\"\n", "f.toml:16:11: `192.0.2.9` is no host with its port"),
    ("control = \"192.0.2.9:1\"\nfingerprint = \"md5:0\"\n", "f.toml:17:15: `md5:0` is no fingerprint"),
    (
        "control = \"192.0.2.9:1\"\nfingerprint = \"@\"\nlease = \"60s\"\n",
        "f.toml:18:9: lease must be 130s to 1h: routers may lead traffic there for 2m",
    ),
    (
        "control = \"192.0.2.9:1\"\nfingerprint = \"@\"\nsilence = \"1s\"\n",
        "f.toml:18:11: silence must be at least 2s",
    ),
    ("next_hop = \"2001:db8::9\"\n", "f.toml:16:12: 2001:db8::9 cannot be the next hop of 198.51.100.0/24"),
    (
        "next_hop = \"192.0.2.9\"\ncontrol = \"192.0.2.9:1\"\nfingerprint = \"@\"\n[routing.absorbers.y]\ncapacity = \"1 Gbps\"\n\
         prefix = \"198.51.100.0/24\"\nnext_hop = \"192.0.2.8\"\ncontrol = \"192.0.2.9:1\"\nfingerprint = \"@\"\n",
        "f.toml:21:10: absorber `x` has 198.51.100.0/24 already",
    ),
    (
        "next_hop = \"192.0.2.9\"\n[routing.absorbers.y]\ncapacity = \"1 Gbps\"\nprefix = \"198.51.100.0/24\"\n",
        "f.toml:19:10: several absorbers take 198.51.100.0/24: each needs its own `next_hop`",
    ),
];

#[test]
fn each_mistake_about_absorbers_has_its_place_and_its_remedy() {
    let key = format!("sha256:{}", "0a".repeat(32));
    let whole = |text: &str| {
        let routing = format!("{ROUTING}diversion = [\"198.51.100.0/24\"]\n");
        let peer = PEER.replace("[\"blackhole\"]", "[\"diversion\"]");
        let front = "[routing.absorbers.x]\ncapacity = \"1 Gbps\"\nprefix = \"198.51.100.0/24\"\n";
        parse(&format!("{TOP}{routing}{peer}{front}{text}").replace('@', &key))
    };
    let mut failed = Vec::new();
    for (text, expected) in UNFIT {
        let found = whole(text).map_or_else(|line| line, |_| "no complaint".to_owned());
        if !found.starts_with(expected) {
            failed.push(format!("{text}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let good = whole("control = \"scrub.example.net:8647\"\nfingerprint = \"@\"\n").unwrap().routing.unwrap();
    let [control] = good.controls.all.as_slice() else { panic!("{:?}", good.controls) };
    // Graceful restart is 120 s by default: what is at the absorber outlives it.
    assert_eq!(
        (control.name.as_str(), control.lease, control.charges.len()),
        ("x", base::Span::from_secs(130), 1)
    );
}
