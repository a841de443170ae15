//! FlowSpec: the octets, what they mean to a reader of the RFC, and what ExaBGP makes of them.

use core::net::IpAddr;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rules::compile::flowspec::{FlowspecLine, lines};
use rules::{Action, Match, Per, Rule, compile::exabgp, eval, parse};
use wire::packet::Parsed;

use crate::make::{self, parsed};
use crate::tool;

fn compiled(text: &str) -> Vec<FlowspecLine> {
    lines(&parse::rules(text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
}

fn error(text: &str, id: &str) -> String {
    let line = compiled(text).into_iter().find(|line| line.id == id).unwrap();
    line.error.unwrap_or_else(|| panic!("{text}: no error"))
}

/// One row: a rule, the NLRI by hand from RFC 8955 §4 and RFC 8956 §3, the communities by RFC 8955 §7.
#[test]
fn octets_as_the_rfc_writes_them() {
    for (rule, nlri, communities) in [
        // RFC 8955 §4.3.1: packets to 192.0.2.0/24 and TCP port 25.
        ("dst 192.0.2.0/24 proto tcp port 25 -> drop", "0b0118c00002038106048119", "8006000000000000"),
        // RFC 8955 §4.3.2: to 192.0.2.0/24, from 203.0.113.0/24, port 137 to 139 or 8080.
        (
            "dst 192.0.2.0/24 src 203.0.113.0/24 port 137-139,8080 -> pass",
            "120118c000020218cb0071040389458b911f90",
            "",
        ),
        (
            "dst 192.0.2.0/24 length >=468,<=40,60-61 -> drop",
            "0f0118c000020a1301d40528033cc53d",
            "8006000000000000",
        ),
        (
            "dst 0.0.0.0/0 src-port 0 dst-port >=1024 -> rate 8Mbps",
            "0901000593040006 8100",
            "8006000049742400",
        ),
        (
            "dst 10.0.0.0/9 icmp-type 3,11 icmp-code <=4 -> rate 1000pps",
            "0c01090a0007010381 0b088504",
            "800c0000447a0000",
        ),
        ("dst 192.0.2.1/32 tcp-flags syn/syn+ack -> drop", "0b0120c0000201090102c210", "8006000000000000"),
        (
            "dst 192.0.2.1/32 tcp-flags none/fin+syn+rst,ack/ack -> drop",
            "0b0120c0000201090207 8110",
            "8006000000000000",
        ),
        ("dst 192.0.2.1/32 tcp-flags syn+ae/syn+ae -> drop", "0a0120c00002010991 0102", "8006000000000000"),
        ("dst 192.0.2.1/32 fragment is,first -> drop", "090120c00002010c8006", "8006000000000000"),
        ("dst 192.0.2.1/32 fragment none -> drop", "090120c00002010c8206", "8006000000000000"),
        (
            "dst 192.0.2.1/32 dscp 46 fragment last,dont -> redirect 192.0.2.9",
            "0c0120c00002010b812e0c8009",
            "010cc00002090000",
        ),
        ("dst 2001:db8::/33 proto icmp6 -> drop", "0b01210020010db800 038 13a", "8006000000000000"),
        (
            "dst 2001:db8::1/128 src ::/0 -> rate 0bps",
            "1601800020010db80000000000000000000000010 20000",
            "8006000000000000",
        ),
    ] {
        let found = compiled(&format!("x @1 {rule}"));
        assert_eq!(found.len(), 1, "{rule}");
        assert_eq!(found[0].error, None, "{rule}");
        assert_eq!(found[0].nlri.as_deref(), Some(nlri.replace(' ', "").as_str()), "{rule}");
        assert_eq!(found[0].ext_communities.join(" "), communities, "{rule}");
        assert!(found[0].ipv6_ext_communities.is_empty(), "{rule}");
    }
    let six = compiled("x @1 dst 2001:db8::/32 -> redirect 2001:db8::9");
    assert_eq!(six[0].ipv6_ext_communities, ["000c20010db80000000000000000000000090000"]);
    assert_eq!((six[0].ext_communities.len(), six[0].afi), (0, 2));
}

#[test]
fn a_long_nlri_has_two_length_octets() {
    let ports: Vec<String> = (0..90).map(|i| (1000 + i * 2).to_string()).collect();
    let line = compiled(&format!("x @1 dst 192.0.2.1/32 src-port {} -> drop", ports.join(",")));
    let nlri = line[0].nlri.clone().unwrap();
    assert!(nlri.starts_with("f1150120c0000201"), "{nlri}");
    assert_eq!(nlri.len(), 2 * (2 + 0x115));
    let ports: Vec<String> = (0..1000).map(|i| format!("{}-{}", 1000 + i * 3, 1001 + i * 3)).collect();
    let text = format!("x @1 dst 192.0.2.1/32 src-port {} -> drop", ports.join(","));
    assert_eq!(error(&text, "x"), "its NLRI would have 6007 octets of 4095; split the rule");
}

#[test]
fn the_keys_are_those_of_the_interface() {
    let json = serde_json::to_string(&compiled("x @1 dst 192.0.2.0/24 -> drop\ny @2 ttl 5 src ::/0 -> drop"))
        .unwrap();
    assert_eq!(
        json,
        r#"[{"id":"x","afi":1,"nlri":"050118c00002","ext_communities":["8006000000000000"],"ipv6_ext_communities":[],"error":null},"#
            .to_owned()
            + r#"{"id":"y","afi":2,"nlri":null,"ext_communities":[],"ipv6_ext_communities":[],"error":"FlowSpec cannot match ttl"}]"#
    );
}

#[test]
fn what_flowspec_cannot_say_is_an_error() {
    for (rule, wanted) in [
        (
            "dst 192.0.2.1/32 ttl 5 window 0 payload 0:00 -> drop",
            "FlowSpec cannot match ttl, window, payload",
        ),
        ("dst 192.0.2.1/32 -> challenge", "FlowSpec has no action that challenges a source"),
        ("dst 2001:db8::/32 fragment dont,is -> drop", "IPv6 has no `dont` fragment bit (RFC 8956 §3.7)"),
        (
            "src 192.0.2.1/32 proto udp -> drop",
            "a FlowSpec rule without `dst` would act on everybody's traffic; name the destination",
        ),
    ] {
        assert_eq!(error(&format!("x @1 {rule}"), "x"), wanted);
    }
    let both = compiled("x @1 proto udp -> drop");
    assert_eq!(both.iter().map(|line| line.afi).collect::<Vec<_>>(), [1, 2]);
    assert!(both.iter().all(|line| line.error.is_some() && line.nlri.is_none()));
}

#[test]
fn a_rule_that_the_rfc_would_let_overtake_is_an_error() {
    let wide_first = "wide @1 dst 198.51.100.0/24 proto udp -> pass\nnarrow @2 dst 198.51.100.7/32 -> drop";
    let overtakes = |other: &str| {
        format!(
            "RFC 8955 §5.1 lets it overtake `{other}`, which has precedence over it; give it a lower number or narrow it"
        )
    };
    assert_eq!(error(wide_first, "narrow"), overtakes("wide"));
    assert!(compiled(wide_first).iter().any(|line| line.id == "wide" && line.error.is_none()));
    for fine in [
        // The RFC's own order.
        "wide @2 dst 198.51.100.0/24 -> pass\nnarrow @1 dst 198.51.100.7/32 -> drop",
        "wide @1 dst 198.51.100.0/24 -> pass\nnarrow @1 dst 198.51.100.7/32 -> drop",
        // They never meet one packet.
        "wide @1 dst 198.51.100.0/24 proto tcp -> pass\nnarrow @2 dst 198.51.100.7/32 proto udp -> drop",
        "a @1 dst 198.51.100.8/32 -> pass\nb @2 dst 198.51.100.7/32 -> drop",
        "a @1 dst 198.51.100.7/32 src-port 123 -> pass\nb @2 dst 198.51.100.7/32 src-port 53 -> drop",
        "a @1 dst 198.51.100.0/24 tcp-flags syn/syn -> pass\nb @2 dst 198.51.100.7/32 tcp-flags none/syn -> drop",
        "a @1 dst 198.51.100.0/24 fragment is -> pass\nb @2 dst 198.51.100.7/32 src-port 53 -> drop",
        "a @1 dst 198.51.100.0/24 icmp-type 8 -> pass\nb @2 dst 198.51.100.7/32 proto udp -> drop",
        "a @1 dst 198.51.100.0/24 port 53 dst-port 80 -> pass\nb @2 dst 198.51.100.7/32 src-port 123 -> drop",
        // Who is not announced overtakes nobody, and is not overtaken.
        "a @1 dst 198.51.100.0/24 -> challenge\nb @2 dst 198.51.100.7/32 -> drop",
    ] {
        let errors: Vec<_> =
            compiled(fine).into_iter().filter(|l| l.error.is_some() && l.id != "a").collect();
        assert!(errors.is_empty(), "{fine}: {errors:?}");
    }
    assert_eq!(
        error("a @1 dst 192.0.2.1/32 -> pass\nb @2 dst 192.0.2.1/32 -> drop", "b"),
        "the same NLRI as `a`, which BGP would replace by this one"
    );
    assert_eq!(
        error("a @1 dst 192.0.2.1/32 ttl 5 -> pass\nb @2 dst 192.0.2.1/32 -> drop", "b"),
        "it would also act on packets that `a` passes before it, and FlowSpec cannot say `a`"
    );
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

/// What an NLRI means, read from the RFCs by a second hand: no code is shared with the crate.
fn router_matches(line: &FlowspecLine, packet: &Parsed<'_>) -> bool {
    let all = octets(line.nlri.as_deref().unwrap());
    let (length, mut rest) = if all[0] >= 0xf0 {
        (usize::from(all[0] & 15) << 8 | usize::from(all[1]), &all[2..])
    } else {
        (usize::from(all[0]), &all[1..])
    };
    assert_eq!(length, rest.len());
    let h = &packet.headers;
    if h.dst.is_ipv4() != (line.afi == 1) {
        return false;
    }
    let mut type_before = 0;
    while let Some((kind, body)) = rest.split_first() {
        assert!(*kind > type_before, "types rise");
        type_before = *kind;
        if *kind <= 2 {
            let bits = usize::from(body[0]);
            let octets = bits.div_ceil(8);
            let skip = if line.afi == 1 { 1 } else { 2 };
            let addr = if *kind == 1 { h.dst } else { h.src };
            let addr: Vec<u8> = match addr {
                IpAddr::V4(a) => a.octets().to_vec(),
                IpAddr::V6(a) => a.octets().to_vec(),
            };
            let bit = |octets: &[u8], i: usize| octets[i / 8] >> (7 - i % 8) & 1;
            let pattern = &body[skip..skip + octets];
            if (0..bits).any(|i| bit(pattern, i) != bit(&addr, i)) {
                return false;
            }
            rest = &body[skip + octets..];
            continue;
        }
        let later = h.fragment.offset != 0;
        let ports = h.ports.filter(|_| (h.protocol == 6 || h.protocol == 17) && !later);
        let icmp = h.icmp.filter(|_| h.protocol == if line.afi == 1 { 1 } else { 58 } && !later);
        let tcp = h.tcp.filter(|_| h.protocol == 6 && !later);
        let bitmask = *kind == 9 || *kind == 12;
        let values: Vec<u64> = match kind {
            3 => vec![u64::from(h.protocol)],
            4 => ports.iter().flat_map(|(s, d)| [u64::from(*s), u64::from(*d)]).collect(),
            5 => ports.iter().map(|(_, d)| u64::from(*d)).collect(),
            6 => ports.iter().map(|(s, _)| u64::from(*s)).collect(),
            7 => icmp.iter().map(|(kind, _)| u64::from(*kind)).collect(),
            8 => icmp.iter().map(|(_, code)| u64::from(*code)).collect(),
            9 => tcp.iter().map(|tcp| u64::from(tcp.flags)).collect(),
            10 => vec![u64::from(h.length)],
            11 => vec![u64::from(h.dscp)],
            12 => {
                let f = h.fragment;
                vec![
                    u64::from(f.dont)
                        | u64::from(later) << 1
                        | u64::from(!later && f.more) << 2
                        | u64::from(later && !f.more) << 3,
                ]
            }
            other => panic!("type {other}"),
        };
        // A disjunction of conjunctions; evaluated for each value the packet has.
        let (mut any, mut conjunction) = (vec![false; values.len()], vec![true; values.len()]);
        let mut body = body;
        loop {
            let op = body[0];
            let len = 1usize << (op >> 4 & 3);
            let wanted = body[1..=len].iter().fold(0u64, |sum, o| sum << 8 | u64::from(*o));
            body = &body[1 + len..];
            for (i, value) in values.iter().enumerate() {
                let holds = if bitmask {
                    let hit = if op & 1 != 0 { value & wanted == wanted } else { value & wanted != 0 };
                    hit != (op & 2 != 0)
                } else {
                    (op & 4 != 0 && *value < wanted)
                        || (op & 2 != 0 && *value > wanted)
                        || (op & 1 != 0 && *value == wanted)
                };
                conjunction[i] = holds && (op & 0x40 == 0 || conjunction[i]);
                // The conjunction ends where the next operator has no AND bit, or at the end of the list.
                let ends = op & 0x80 != 0 || body.first().is_some_and(|next| next & 0x40 == 0);
                any[i] |= ends && conjunction[i];
            }
            if op & 0x80 != 0 {
                break;
            }
        }
        if !any.iter().any(|hit| *hit) {
            return false;
        }
        rest = body;
    }
    true
}

fn sayable() -> impl Strategy<Value = Match> {
    (
        make::a_match(),
        proptest::sample::select(vec![
            "198.51.100.0/24",
            "198.51.100.7/32",
            "2001:db8::/32",
            "::/0",
            "0.0.0.0/0",
        ]),
    )
        .prop_map(|(m, dst)| {
            let dst: base::Prefix = dst.parse().unwrap();
            Match {
                dst: Some(dst),
                src: m.src.filter(|src| src.is_ipv4() == dst.is_ipv4()),
                ttl: None,
                window: None,
                payload: None,
                tcp_options: None,
                ..m
            }
        })
}

proptest! {
    #[test]
    fn the_octets_mean_what_the_rule_means(m in sayable(), packets in proptest::collection::vec(make::a_packet(), 30)) {
        let rule = Rule { id: "x".into(), precedence: 0, matches: m, action: Action::Drop, per: Per::Rule, sample: None, lease: None };
        let line = lines(core::slice::from_ref(&rule)).remove(0);
        if line.error.is_some() {
            prop_assert!(line.afi == 2 && rule.matches.fragment.unwrap().dont, "{line:?}");
            return Ok(());
        }
        for packet in packets {
            let bytes = packet.bytes();
            let p = parsed(&bytes);
            prop_assert_eq!(router_matches(&line, &p), eval::matches(&rule.matches, &p), "{} {:?}", rule, p.headers);
        }
    }

    /// A router that orders by §5.1 alone decides as the rules' own order does, over the rules that were said.
    #[test]
    fn no_rule_overtakes(rules in make::rule_set(8), packets in proptest::collection::vec(make::a_packet(), 30)) {
        let lines = lines(&rules);
        for afi in [1, 2] {
            let said = |rule: &&Rule| lines.iter().any(|l| l.id == rule.id && l.afi == afi && l.error.is_none());
            let mut ours: Vec<&Rule> = rules.iter().filter(said).collect();
            let mut routers = ours.clone();
            ours.sort_by(|a, b| rules::order::rules(a, b));
            routers.sort_by(|a, b| rules::order::flowspec(&a.matches, &b.matches));
            for packet in &packets {
                let bytes = packet.bytes();
                let p = parsed(&bytes);
                if p.headers.dst.is_ipv4() != (afi == 1) {
                    continue;
                }
                let first = |order: &[&Rule]| order.iter().find(|r| eval::matches(&r.matches, &p)).map(|r| r.id.clone());
                prop_assert_eq!(first(&ours), first(&routers));
            }
        }
    }
}

/// ExaBGP reads our text, makes the same octets of it, and reads our octets as something that it writes the same way.
#[test]
fn exabgp_agrees() {
    if !tool::there(&[
        &["exabgp", "--version"],
        &[
            "/usr/bin/python3",
            "-c",
            "import sys; sys.path.append('/usr/lib/python3/dist-packages'); import exabgp",
        ],
    ]) {
        return;
    }
    let mut runner = TestRunner::deterministic();
    let mut rules = Vec::new();
    for i in 0..300 {
        let mut rule = (sayable(), make::action())
            .prop_map(|(matches, action)| Rule {
                id: format!("r{i}"),
                precedence: 0,
                matches,
                action,
                per: Per::Rule,
                sample: None,
                lease: None,
            })
            .new_tree(&mut runner)
            .unwrap()
            .current();
        // ExaBGP has no lengths above 16 bits.
        if let Some(length) = &mut rule.matches.length {
            length.0.iter_mut().for_each(|r| r.from = r.from.min(0xffff));
            length.0.retain(|r| r.to <= 0xffff || r.to == u32::MAX);
            if length.0.is_empty() {
                rule.matches.length = None;
            }
        }
        rules.push(rule);
    }
    let folder = tool::folder("exabgp");
    let configuration = folder.join("exabgp.conf");
    fs::write(&configuration, exabgp::text(&rules)).unwrap();
    let said: Vec<FlowspecLine> = lines(&rules).into_iter().filter(|line| line.error.is_none()).collect();
    assert!(said.len() > 100, "{} rules can be said", said.len());

    let test = Command::new("exabgp").arg("--test").arg(&configuration).output().unwrap();
    let log = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success() && !log.contains("| error"), "{log}");

    let mut child = Command::new("/usr/bin/python3")
        .arg(tool::script("flowspec_oracle.py"))
        .arg(&configuration)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // ExaBGP 4.2 reads the two length octets of a long NLRI wrongly; those are left out of its decoding.
    let short = |line: &&FlowspecLine| !line.nlri.as_deref().unwrap().starts_with('f');
    let text: String =
        said.iter().filter(short).map(|l| format!("{} {}\n", l.afi, l.nlri.as_deref().unwrap())).collect();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let answer: serde_json::Value =
        serde_json::from_str(String::from_utf8(out.stdout).unwrap().lines().last().unwrap()).unwrap();
    let routes = answer["routes"].as_array().unwrap();
    let as_route = |line: &FlowspecLine| {
        serde_json::json!({"afi": line.afi, "nlri": line.nlri, "ext_communities": line.ext_communities,
            "ipv6_ext_communities": line.ipv6_ext_communities})
    };
    for line in &said {
        assert!(routes.contains(&as_route(line)), "{line:?} is not in ExaBGP's routes");
    }
    for route in routes {
        assert!(said.iter().any(|line| as_route(line) == *route), "{route} is only ExaBGP's");
    }
    for (line, decoded) in said.iter().filter(short).zip(answer["decoded"].as_array().unwrap()) {
        assert_eq!(line.nlri.as_deref(), decoded["nlri"].as_str(), "{line:?}: {decoded}");
    }
    let _ = fs::remove_dir_all(&folder);
}

/// What is written is read as what it was, octet for octet, and means the same.
#[test]
fn what_is_written_is_read_back() {
    let mut runner = TestRunner::deterministic();
    let mut read = 0;
    for _ in 0..2_000 {
        let rule = make::rule().new_tree(&mut runner).unwrap().current();
        for line in lines(std::slice::from_ref(&rule)) {
            let Some(nlri) = &line.nlri else { continue };
            let octets = octets(nlri);
            let mut flows = parse::flowspec::read(&octets, line.afi == 2);
            let flow = flows.next().unwrap();
            assert_eq!((flow.nlri, flows.next()), (octets.as_slice(), None));
            let again =
                Rule { matches: flow.matches.unwrap_or_else(|why| panic!("{rule}: {why}")), ..rule.clone() };
            let same =
                lines(std::slice::from_ref(&again)).into_iter().find(|other| other.afi == line.afi).unwrap();
            assert_eq!(same.nlri, line.nlri, "{rule} became {again}");
            read += 1;
        }
    }
    assert!(read > 200, "{read}");
}

/// One row: components by hand, and the match in the rule language, or why there is none.
#[test]
fn lists_of_others_mean_what_the_rfc_says() {
    for (octets, ipv6, expected) in [
        // not 80: below and above
        (&[1, 32, 192, 0, 2, 1, 5, 0x86, 80][..], false, "dst 192.0.2.1/32 dst-port 0-79,81-65535"),
        // above 10 and below 20, or 30
        (&[1, 32, 192, 0, 2, 1, 5, 2, 10, 0x44, 20, 0x81, 30], false, "dst 192.0.2.1/32 dst-port 11-19,30"),
        // a value of eight octets
        (&[1, 8, 10, 10, 0xb5, 0, 0, 0, 0, 0, 0, 1, 0], false, "dst 10.0.0.0/8 length <=256"),
        // any of SYN and FIN, in one operator
        (&[1, 8, 10, 9, 0x80, 3], false, "dst 10.0.0.0/8 tcp-flags fin/fin,syn/syn"),
        // not both: one of them is missing
        (&[1, 8, 10, 9, 0x83, 3], false, "dst 10.0.0.0/8 tcp-flags none/fin,none/syn"),
        (&[1, 8, 10, 3, 1, 6, 0x81, 17], false, "a list of protocols cannot be said by a rule"),
        (&[1, 104, 64, 1, 2, 3, 4, 5], true, "a prefix with an offset cannot be said by a rule"),
        (&[1, 8, 10, 12, 0x81, 6], false, "such a combination of fragment bits cannot be said by a rule"),
        (&[1, 8, 10, 200, 0x81, 6], false, "a component of another type cannot be said by a rule"),
        (&[3, 0x81, 6, 1, 8, 10], false, "the order of components is not as RFC 8955 has it"),
        (&[1, 33, 10, 0, 0, 0, 0], false, "a prefix is not as RFC 8955 has it"),
        (&[1, 8, 10, 5, 1, 80], false, "a list of operators is not as RFC 8955 has it"),
        (&[], false, "an NLRI without components is not as RFC 8955 has it"),
    ] {
        let nlri = [&[u8::try_from(octets.len()).unwrap()], octets].concat();
        let flow = parse::flowspec::read(&nlri, ipv6).next().unwrap();
        match flow.matches {
            Ok(matches) => {
                let wanted = parse::rules(&format!("x {expected} -> drop")).unwrap().remove(0);
                let rule = Rule { matches, ..wanted.clone() };
                assert_eq!(rule.to_string(), wanted.to_string(), "{octets:?}");
            }
            Err(why) => assert_eq!(why.to_string(), expected, "{octets:?}"),
        }
    }
    let cut = parse::flowspec::read(&[9, 1, 8, 10], false).next().unwrap();
    assert_eq!(cut.matches.unwrap_err().to_string(), "the length of the NLRI is not as RFC 8955 has it");
    assert_eq!(parse::flowspec::read(&[0xf0], false).count(), 1);
}
