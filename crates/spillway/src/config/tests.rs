//! Files that are right, and a table of files that are not.

use super::*;

const SMALLEST: &str = "networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("f.toml"), text)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_smallest_useful_file_has_three_lines() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.listen.addresses, [("sflow", "127.0.0.1:6343".parse().unwrap())]);
    assert!(config.api.listen.ip().is_loopback());
}

#[test]
fn what_the_starter_shows_as_default_is_the_default() {
    let text = starter(&["198.51.100.0/24".parse().unwrap()]);
    let shown: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
        .map(|l| format!("{l}\n"))
        .collect();
    let debug = |text: &str| format!("{:?}", parse(text).unwrap());
    assert_eq!(debug(&text), debug(&shown));
}

#[test]
fn every_key_of_the_interface_is_taken() {
    let config = parse(
        r#"
networks = ["198.18.0.0/16", "2001:db8::/32"]
state_dir = "/tmp/s"
mode = "enforce"
compat = "fastnetmon"
compat_prefixes = true
[listen]
sflow = "127.0.0.1:6343"
netflow = "127.0.0.1:2055"
ipfix = "[::1]:4739"
[api]
listen = "127.0.0.1:0"
[exporters."192.0.2.1"]
sampling = 1000
[exporters."192.0.2.2"]
sampling = "1:512"
[exporters."192.0.2.2".interfaces]
17 = { name = "transit-1", role = "external", speed = "100 Gbps" }
[notify.exec]
path = "/bin/true"
[detection]
floor = "low"
"#,
    )
    .unwrap();
    assert_eq!(config.listen.addresses.len(), 3);
    assert_eq!(config.compat, Some(Compat::Fastnetmon));
    assert!(config.compat_prefixes);
    let rates: Vec<_> = config.exporters.iter().map(|(_, section)| section.telemetry().sampling).collect();
    assert_eq!(rates, [Some(1000), Some(512)]);
    let speeds: Vec<_> = config.telemetry().speeds.into_iter().collect();
    assert_eq!(speeds, [(([192, 0, 2, 2].into(), 17), 100_000_000_000)]);
}

#[test]
fn groups_customers_and_the_budget_come_to_the_engine() {
    let more = r#"
[detection]
budget = "2 per day"
[groups.default]
incoming = { packets = "20 kpps", bits = "1 Gbps" }
[groups.web]
networks = ["198.18.1.0/24", "198.18.0.0/16"]
incoming = { tcp_packets = "5 kpps", udp_bits = "10 Mbps", icmp_packets = "1 kpps", syn_packets = "2 kpps" }
outgoing = { fragment_packets = "100 pps" }
[customers.ada]
networks = ["198.18.7.0/24"]
"#;
    let settings = parse(&format!("{SMALLEST}{more}")).unwrap().engine();
    assert_eq!(settings.budget, base::Span::from_secs(43_200));
    assert_eq!(settings.customers, [("ada".to_owned(), vec!["198.18.7.0/24".parse().unwrap()])]);
    let [default, web] = settings.groups.as_slice() else { panic!("{:?}", settings.groups) };
    assert_eq!((default.incoming.pps, default.incoming.bps), (Some(20e3), Some(1e9)));
    assert_eq!(default.outgoing, engine::settings::Limits::default());
    assert_eq!((web.name.as_str(), web.networks.len()), ("web", 2));
    assert_eq!((web.incoming.tcp.pps, web.incoming.udp.bps), (Some(5e3), Some(10e6)));
    assert_eq!((web.incoming.icmp.pps, web.incoming.syn.pps), (Some(1e3), Some(2e3)));
    assert_eq!((web.incoming.pps, web.outgoing.fragment.pps), (None, Some(100.0)));
}

#[test]
fn the_default_budget_is_the_engines() {
    let budget = parse(SMALLEST).unwrap().engine().budget;
    assert_eq!(budget, engine::Settings::of(engine::Profile::Daemon).budget);
}

#[test]
fn compat_may_stand_beside_the_path() {
    let text = format!("{SMALLEST}[notify.exec]\npath = \"/bin/true\"\ncompat = \"fastnetmon\"\n");
    assert_eq!(parse(&text).unwrap().compat, Some(Compat::Fastnetmon));
}

/// What is added to the smallest file (at its top), and the line that must come out.
const WRONG: &[(&str, &str)] = &[
    ("netwroks = []\n", "f.toml:1:1: unknown key `netwroks`; did you mean `networks`?"),
    ("mode = \"observ\"\n", "f.toml:1:8: `mode`: `observ` is not known here; did you mean `observe`?"),
    ("mode = 3\n", "f.toml:1:8: "),
    ("compat = \"fastnetmon\"\n", "f.toml:1:10: `compat` needs a program to call"),
    ("state_dir = [\n", "f.toml:"),
];

/// What is added behind the smallest file (from its fourth line on), and what must come out.
const WRONG_SECTIONS: &[(&str, &str)] = &[
    ("netflw = \"127.0.0.1:2055\"\n", "f.toml:4:1: unknown key `netflw`; did you mean `netflow`?"),
    (
        "netflow = \"127.0.0.1\"\n",
        "f.toml:4:11: `listen.netflow`: `127.0.0.1` is not an address with its port; write it like",
    ),
    (
        "netflow = 2055\n",
        "f.toml:4:11: `listen.netflow`: invalid type: integer `2055`, expected an address with its port, like \"192.0.2.10:6343\"",
    ),
    ("netflow = \"127.0.0.1:6343\"\n", "f.toml:4:11: 127.0.0.1:6343 is taken by `sflow`"),
    (
        "receive_buffer = 16000000\n",
        "f.toml:4:18: `listen.receive_buffer`: invalid type: integer `16000000`, expected a size with its unit, like \"16 MiB\"",
    ),
    ("workers = 0\n", "f.toml:4:11: workers must be 1 to 64"),
    (
        "allow = [\"192.0.2.1/24\"]\n",
        "f.toml:4:9: `listen.allow`: `192.0.2.1/24` has bits set behind its prefix length; did you mean 192.0.2.0/24?",
    ),
    (
        "[rules]\nlease = 900\n",
        "f.toml:5:9: `rules.lease`: invalid type: integer `900`, expected a length of time with its unit, like \"15m\"",
    ),
    (
        "[rules]\nlease = \"900\"\n",
        "f.toml:5:9: `rules.lease`: not a length of time; write a whole number with its unit, like 15m",
    ),
    (
        "[api]\nlisten = \"0.0.0.0:80\"\nanonymous = \"viewer\"\n",
        "f.toml:6:13: anonymous = \"viewer\" is for plain loopback alone",
    ),
    ("[apo]\n", "f.toml:4:2: unknown key `apo`; did you mean `api`?"),
    (
        "[exporters.\"router1\"]\nsampling = 1\n",
        "f.toml:4:12: `router1` is not an address; write [exporters.\"192.0.2.1\"]",
    ),
    (
        "[exporters.\"192.0.2.1\"]\nsampling = 0\n",
        "f.toml:5:12: invalid value: integer `0`, expected a sampling rate",
    ),
    ("[exporters.\"192.0.2.1\"]\nsampling = -1\n", "f.toml:5:12: "),
    (
        "[detection]\nfloor = \"high\"\n",
        "f.toml:5:9: `detection.floor`: `high` is not known here; known here: default, low",
    ),
    (
        "[detection]\nbudget = 1\n",
        "f.toml:5:10: `detection.budget`: invalid type: integer `1`, expected a number of false alarms and its time, like \"1 per week\"",
    ),
    (
        "[detection]\nbudget = \"weekly\"\n",
        "f.toml:5:10: `detection.budget`: `weekly` is not a number of false alarms and its time; write 1 to 1000, like \"1 per week\"",
    ),
    ("[detection]\nquiet = \"5s\"\n", "f.toml:5:9: quiet must be 10s to 1h"),
    ("[detection]\nbudget = \"0 per day\"\n", "f.toml:5:10: `detection.budget`: `0 per day` is not a number"),
    (
        "[groups.web]\nnetworks = [\"198.18.1.0/24\"]\nincoming = { packets = 20000 }\n",
        "f.toml:6:24: `groups.web.incoming.packets`: invalid type: integer `20000`, expected a rate with its unit, like \"20 kpps\"",
    ),
    (
        "[groups.default]\nincoming = { bits = \"20 kpps\" }\n",
        "f.toml:5:21: `groups.default.incoming.bits`: `20 kpps` is not a rate with its unit; write it like \"2 Gbps\"",
    ),
    (
        "[groups.default]\nincoming = { packets = \"0 pps\" }\n",
        "f.toml:5:24: `groups.default.incoming.packets`: a limit of `0 pps` cannot be kept to; leave the key out for no limit",
    ),
    (
        "[groups.default]\nincoming = { udp_packet = \"1 kpps\" }\n",
        "f.toml:5:14: unknown key `udp_packet`; did you mean `udp_packets`?",
    ),
    ("[groups.web]\n", "f.toml:4:9: the group `web` has no networks; add a line like networks = ["),
    (
        "[groups.default]\nnetworks = [\"198.18.1.0/24\"]\n",
        "f.toml:4:9: the group `default` is everything that no other group names; remove its networks",
    ),
    (
        "[groups.a]\nnetworks = [\"198.18.1.0/24\"]\n[groups.b]\nnetworks = [\"198.18.1.0/24\"]\n",
        "f.toml:7:13: 198.18.1.0/24 of group b overlaps 198.18.1.0/24 of group a in line 5; a prefix has one group",
    ),
    (
        "[groups.a]\nnetworks = [\"203.0.113.0/24\"]\n",
        "f.toml:5:13: 203.0.113.0/24 of group a is not inside `networks`; add it there too",
    ),
    (
        "[dataplane]\ninterfaces = [\"a/b\"]\n",
        "f.toml:5:15: `a/b` is not the name of an interface; see `ip link`",
    ),
    ("[dataplane]\ninterfaces = [\"a\", \"a\"]\n", "f.toml:5:20: a stands here twice; remove one of them"),
    (
        "[dataplane]\nengine = \"tc\"\n",
        "f.toml:5:10: `dataplane.engine`: `tc` is not known here; known here: xdp, nftables",
    ),
    (
        "[dataplane]\nchallenge = \"hots\"\n",
        "f.toml:5:13: `dataplane.challenge`: `hots` is not known here; did you mean `host`?",
    ),
    (
        "[dataplane]\nengine = \"nftables\"\nchallenge = true\n",
        "f.toml:6:13: nftables cannot challenge a source; set engine to \"xdp\", or challenge to \"off\"",
    ),
    ("[dataplane]\nrules_max = 0\n", "f.toml:5:13: rules_max must be 1 to 16384"),
    (
        "[dataplane]\ncollateral_max = 5.0\n",
        "f.toml:5:18: collateral_max is a share of honest traffic; write 0.0 to 1.0",
    ),
    (
        "[dataplane]\ndead_man_after = 60\n",
        "f.toml:5:18: `dataplane.dead_man_after`: invalid type: integer `60`, expected a length of time with its unit",
    ),
    (
        "[dataplane]\ndead_man = \"drop\"\n",
        "f.toml:5:12: `dataplane.dead_man`: `drop` is not known here; known here: dry-run, keep",
    ),
    ("[dataplane]\ndead_man_after = \"2s\"\n", "f.toml:5:18: dead_man_after must be at least 3s"),
    ("[privacy]\nattacks = \"0s\"\n", "f.toml:5:11: attacks must be 1d to 3653d"),
    (
        "[privacy]\nevidence = 30\n",
        "f.toml:5:12: `privacy.evidence`: invalid type: integer `30`, expected a length of time",
    ),
    ("[privacy]\nkeys = \"91d\"\n", "f.toml:5:8: keys that live for 91d open nothing after 90d"),
    ("[privacy]\nkeys = \"1h\"\n", "f.toml:5:8: keys must be 1d to 3653d"),
    ("[privacy]\nkeyz = \"30d\"\n", "f.toml:5:1: unknown key `keyz`; did you mean `keys`?"),
    ("[privacy]\npurpose = \"x\"\n", "f.toml:5:11: payload is kept only where both"),
    (
        "[privacy]\npurpose = \"x\"\nlegal_basis = \" \"\n",
        "f.toml:6:15: is empty; name it, or leave both keys out",
    ),
    ("[dataplane]\nrules = \"/nonexistent\"\n", "f.toml:5:9: /nonexistent cannot be read"),
    ("[notify.exec]\npath = \"/nonexistent/x\"\n", "f.toml:5:8: /nonexistent/x is not a program"),
    ("[notify.exec]\n", "f.toml:4:1: missing key `path`; add a line like path = "),
    (
        "[customers.\"a\"]\nnetworks = [\"198.18.1.0/24\"]\n[customers.\"b\"]\nnetworks = [\"198.18.1.128/25\"]\n",
        "f.toml:7:13: 198.18.1.128/25 of customer b overlaps 198.18.1.0/24 of customer a in line 5; a prefix has one owner",
    ),
    (
        "[customers.\"a\"]\nnetworks = [\"203.0.113.0/24\"]\n",
        "f.toml:5:13: 203.0.113.0/24 of customer a is not inside `networks`",
    ),
];

#[test]
fn each_mistake_has_its_place_and_its_remedy() {
    let cases = WRONG
        .iter()
        .map(|(text, line)| (format!("{text}{SMALLEST}"), line))
        .chain(WRONG_SECTIONS.iter().map(|(text, line)| (format!("{SMALLEST}{text}"), line)));
    let mut failed = Vec::new();
    for (text, expected) in cases {
        let found = parse(&text).map_or_else(|line| line, |_| "no complaint".to_owned());
        if !found.starts_with(expected) {
            failed.push(format!("{text}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn networks_have_one_owner_and_are_not_empty() {
    let with = |networks: &str| parse(&SMALLEST.replace("\"198.18.0.0/16\"", networks)).unwrap_err();
    assert!(with("").starts_with("f.toml:1:1: `networks` is empty"));
    assert_eq!(
        with("\"198.18.0.0/16\", \"198.18.7.0/24\""),
        "f.toml:1:30: 198.18.7.0/24 is already owned by 198.18.0.0/16 in line 1; remove one of them"
    );
    assert!(with("\"198.18.0.0/16\", \"198.18.0.0/16\"").contains("already owned"));
    assert!(with("\"198.18.0.0/33\"").contains("198.51.100.0/24"));
}

#[test]
fn missing_keys_are_named_with_an_example() {
    assert!(parse("").unwrap_err().starts_with("f.toml:1:1: missing key `networks`; add a line like"));
    let no_listen = parse("networks = [\"198.18.0.0/16\"]\n").unwrap_err();
    assert!(no_listen.contains("missing key `listen`; add a section [listen]"), "{no_listen}");
    let local = "networks = [\"198.18.0.0/16\"]\n[dataplane]\ninterfaces = [\"eth0\"]\n";
    assert_eq!(parse(local).unwrap().listen.addresses, [], "local packets are telemetry enough");
    assert!(parse(&format!("{local}engine = \"nftables\"\n")).unwrap_err().contains("missing key `listen`"));
    let empty = parse("networks = [\"198.18.0.0/16\"]\n[listen]\n").unwrap_err();
    assert!(empty.contains("[listen] names no address"), "{empty}");
}

#[test]
fn an_interface_with_a_cone_says_whose() {
    let of = |interface: &str| {
        parse(&format!("{SMALLEST}[exporters.\"192.0.2.1\".interfaces]\n17 = {{ {interface} }}\n"))
    };
    for wrong in ["cone = true", "name = \"cust-1\", asn = 0, cone = true"] {
        let said = of(wrong).unwrap_err();
        assert!(said.contains("interface `17` has `cone`") && said.contains("add `asn`"), "{said}");
    }
    for (right, cone) in [("asn = 64500, cone = true", true), ("cone = false", false), ("asn = 64500", false)]
    {
        assert_eq!(of(right).unwrap().exporters[0].1.interfaces["17"].cone(), cone, "{right}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest_one_however_deep_it_stands() {
    for (more, says) in [
        (
            "[exporters.\"192.0.2.1\".interfaces]\n17 = { nmae = \"x\" }\n",
            "unknown key `nmae`; did you mean `name`?",
        ),
        (
            "[groups.default]\nincoming = { packts = \"1 kpps\" }\n",
            "unknown key `packts`; did you mean `packets`?",
        ),
        (
            "[notify.noc]\nkind = \"webhook\"\nsecert = \"x\"\n",
            "unknown key `secert`; did you mean `secret`?",
        ),
        (
            "[notify.exec]\npath = \"/bin/true\"\ntimout = \"1s\"\n",
            "unknown key `timout`; did you mean `timeout`?",
        ),
        (
            "[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.peers.edge]\naddres = \"192.0.2.2\"\n",
            "unknown key `addres`; did you mean `address`?",
        ),
        (
            "[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.ladder.customers.ada]\nstpes = []\n",
            "unknown key `stpes`; did you mean `steps`?",
        ),
        ("[api.tls]\ncertifcate = \"/x\"\n", "unknown key `certifcate`; did you mean `certificate`?"),
    ] {
        let said = parse(&format!("{SMALLEST}{more}")).unwrap_err();
        assert!(said.contains(says), "{more}: {said}");
    }
}
