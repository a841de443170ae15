//! The text form.

use base::Span;
use proptest::prelude::*;
use rules::{Action, Flags, Fragments, Numbers, Payload, Range, Rule, parse};

use crate::make;

fn rule(line: &str) -> Rule {
    line.parse().unwrap_or_else(|e| panic!("{line}: {e}"))
}

fn message(text: &str) -> String {
    parse::rules(text).unwrap_err()[0].to_string()
}

#[test]
fn every_part_is_read() {
    let r = rule(
        "ntp @10 dst 198.51.100.7/32 src 0.0.0.0/0 proto udp src-port 53,123 dst-port >=1024 port 468-1500 \
         icmp-type 3 icmp-code <=4 tcp-flags syn/syn+ack,none/fin+syn+rst length >=468,<=40 dscp 46 \
         fragment is,first ttl 54 window 1024 payload 4:17000003/ff0000ff -> rate 8Mbps for 15m # why",
    );
    assert_eq!((r.id.as_str(), r.precedence, r.lease), ("ntp", 10, Some(Span::from_secs(900))));
    assert_eq!(r.action, Action::RateBits(8e6));
    let m = r.matches;
    assert_eq!(m.protocol, Some(17));
    assert_eq!(m.src_port, Some(Numbers::of([53, 123])));
    assert_eq!(m.dst_port, Some(Numbers::range(1024, 65535)));
    assert_eq!(m.port, Some(Numbers::range(468, 1500)));
    assert_eq!(m.icmp_code, Some(Numbers::range(0, 4)));
    assert_eq!(m.tcp_flags, Some(vec![Flags { value: 2, mask: 0x12 }, Flags { value: 0, mask: 7 }]));
    assert_eq!(m.length, Some(Numbers(vec![Range { from: 468, to: u32::MAX }, Range { from: 0, to: 40 }])));
    assert_eq!(m.fragment, Some(Fragments { is: true, first: true, ..Fragments::default() }));
    assert_eq!(
        m.payload,
        Some(Payload { offset: 4, value: vec![0x17, 0, 0, 3], mask: vec![0xff, 0, 0, 0xff] })
    );
}

#[test]
fn comments_blank_lines_and_windows_line_ends_do_no_harm() {
    let text = "\u{feff}# a file\r\n\r\n  a @1 dst 192.0.2.1 -> drop # end\r\n\tb -> pass\n";
    let rules = parse::rules(text).unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].to_string(), "a @1 dst 192.0.2.1/32 -> drop");
    assert_eq!(rules[1].to_string(), "b @0 -> pass");
    assert_eq!(parse::rules("").unwrap(), []);
}

#[test]
fn a_rule_may_have_the_name_of_a_part() {
    for line in ["ttl @1 ttl 5 -> drop", "dst @0 -> pass", "port @3 port 0 -> drop", "drop @1 -> drop"] {
        assert_eq!(rule(line).to_string(), line);
    }
    assert_eq!(rule("length -> drop").id, "length");
}

#[test]
fn actions_read_as_they_are_written() {
    for text in [
        "pass",
        "drop",
        "rate 1000pps",
        "rate 0pps",
        "rate 0.5pps",
        "rate 8Mbps",
        "rate 1500kbps",
        "challenge",
        "challenge above 500pps for 15m",
        "redirect 192.0.2.9",
        "redirect 2001:db8::9",
        "rate 1000pps per source",
        "rate 8Mbps per destination",
        "tunnel gre 192.0.2.9",
        "tunnel ipip 2001:db8::9",
        "drop sample 1/100",
        "rate 1000pps per source sample 1/1 for 15m",
    ] {
        let line = format!("x @1 -> {text}");
        assert_eq!(rule(&line).to_string(), line);
    }
    assert_eq!(rule("x @1 -> rate 20kpps").action, Action::RatePackets(20_000.0));
    assert_eq!(rule("x @1 -> rate 2Gbps for 1h").to_string(), "x @1 -> rate 2Gbps for 1h");
}

#[test]
fn every_error_names_its_place_and_the_remedy() {
    for (text, wanted) in [
        ("x @1 dts 1.2.3.4 -> drop", "line 1, column 6: `dts` is not a part of a match; did you mean `dst`?"),
        (
            "x @1 dest-port 5 -> drop",
            "line 1, column 6: `dest-port` is not a part of a match; did you mean `dst-port`?",
        ),
        ("x -> dorp", "line 1, column 6: `dorp` is not an action; did you mean `drop`?"),
        (
            "x -> explode",
            "line 1, column 6: `explode` is not an action; known are: pass, drop, rate, challenge, redirect, tunnel",
        ),
        (
            "\n\nx @1 dst 10.0.0.1/24 -> drop",
            "line 3, column 10: `10.0.0.1/24` has bits set behind its prefix length; did you mean 10.0.0.0/24?",
        ),
        ("x @1 dst", "line 1, column 9: the line ends where a prefix should stand"),
        (
            "x @1 proto udp",
            "line 1, column 15: the line ends where `-> ACTION`, like `-> drop`, should stand",
        ),
        (
            "x @1 -> challenge above 0.5pps",
            "line 1, column 25: `0.5pps` is no whole rate of packets; write one from 1pps to 10000000pps",
        ),
        ("x @1 -> challenge above", "line 1, column 24: the line ends where a rate like 500pps should stand"),
        ("x @1 -> drop now", "line 1, column 14: `now` stands behind the end of the rule; remove it"),
        (
            "x @1 -> rate 1000",
            "line 1, column 14: `1000` is not a rate with its unit; write it like 1000pps, 20kpps, 8Mbps or 2Gbps",
        ),
        (
            "x @1 -> drop for 15",
            "line 1, column 18: `15` is not a length of time; write a whole number with its unit, like 15m, 90s or 250ms",
        ),
        (
            "x @1 src-port 53, 123 -> drop",
            "line 1, column 18: an empty place in a list; write it without blanks, like 53,123",
        ),
        ("x @1 src-port 53,99999 -> drop", "line 1, column 18: 99999 is too large; the largest is 65535"),
        ("x @1 length 1500-468 -> drop", "line 1, column 13: `1500-468` runs backwards; write 468-1500"),
        (
            "x @1 length >468 -> drop",
            "line 1, column 13: `>468` is not a number or a range; write it like 53, 468-1500, >=468 or <=40",
        ),
        (
            "x @1 proto tpc -> drop",
            "line 1, column 12: `tpc` is no protocol known by name; write tcp, udp, icmp, icmp6, gre or its number",
        ),
        ("x @1 proto 256 -> drop", "line 1, column 12: protocol 256 does not exist; the largest is 255"),
        (
            "x @1 tcp-flags syn -> drop",
            "line 1, column 16: `syn` lacks the mask; write which flags are looked at, like syn/syn or syn/syn+ack",
        ),
        (
            "x @1 tcp-flags syn/ack -> drop",
            "line 1, column 16: `syn/ack` asks for flags that its mask leaves out; add them to the mask",
        ),
        (
            "x @1 payload 0:123 -> drop",
            "line 1, column 14: `0:123` is not OFFSET:HEX or OFFSET:HEX/MASK, like 0:17000003",
        ),
        (
            "x @1 payload 0:1234/ff -> drop",
            "line 1, column 14: the mask has 1 octets and the value 2; make them equally long",
        ),
        (
            "x -> drop per source",
            "line 1, column 11: only a rate is counted per source or destination; remove it",
        ),
        (
            "x -> rate 5pps per host",
            "line 1, column 20: `host` is not something that a rate is counted for; known are: source, destination",
        ),
        (
            "x -> drop sample 100",
            "line 1, column 18: `100` is no share of packets; write it like 1/100, at most 1/1000000000",
        ),
        (
            "x -> tunnel gree 192.0.2.1",
            "line 1, column 13: `gree` is not a kind of tunnel; did you mean `gre`?",
        ),
        (
            "x tcp-options mss,wscale -> drop",
            "line 1, column 19: `wscale` is no TCP option known by name; write none, eol, nop, mss, ws, sackok, sack, ts, tfo or its number",
        ),
        ("x tcp-options eol,nop -> drop", "line 1, column 15: `eol` ends the options; put nothing behind it"),
        (
            "x tcp-options 1,1,1,1,1,1,1,1,1,1,1,1,1 -> drop",
            "line 1, column 15: more than 12 TCP options; no stack sends so many",
        ),
        (
            "x @1 fragment df -> drop",
            "line 1, column 15: `df` is no kind of fragment; known are none, is, first, last, dont",
        ),
        (
            "x @1 dst 10.0.0.1 dst 10.0.0.2 -> drop",
            "line 1, column 19: `dst` stands here a second time; remove one",
        ),
        (
            "x @1 dst 10.0.0.1 src ::1 -> drop",
            "line 1, column 19: src ::1/128 and dst 10.0.0.1/32 are of different families; no packet has both",
        ),
        (
            "x @-1 -> drop",
            "line 1, column 3: `@-1` is no precedence; write a whole number up to 4294967295, like @100",
        ),
        (
            "@1 dst 10.0.0.1 -> drop",
            "line 1, column 1: a rule begins with its id; write one in front of `@1`",
        ),
        ("dst 10.0.0.1 -> drop", "line 1, column 1: a rule begins with its id; write one in front of `dst`"),
        (
            "a @1 -> drop\nb @1 -> drop\na @2 -> pass",
            "line 3, column 1: the id `a` is taken by line 1; give each rule an id of its own",
        ),
    ] {
        assert_eq!(message(text), wanted, "{text}");
    }
}

#[test]
fn all_errors_are_told_and_a_flood_of_them_is_cut() {
    assert_eq!(parse::rules("a -> x\nb -> drop\nc -> y").unwrap_err().len(), 2);
    assert_eq!(parse::rules(&"a -> x\n".repeat(1000)).unwrap_err().len(), 20);
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(rule in make::rule()) {
        let text = rule.to_string();
        prop_assert_eq!(text.parse::<Rule>().map_err(|e| format!("{text}: {e}")), Ok(rule.clone()));
        let matches = rule.matches.to_string();
        prop_assert_eq!(matches.parse(), Ok(rule.matches));
    }

    #[test]
    fn noise_gives_a_message_and_no_panic(text in "\\PC{0,80}", words in proptest::collection::vec(
        proptest::sample::select(vec!["x", "@1", "dst", "10.0.0.0/8", "port", "1-", ">=", "tcp-flags", "syn/", "->", "rate", "for", "payload", "0:", "é#", "\n"]), 0..12)) {
        let _ = parse::rules(&text);
        let _ = parse::rules(&words.join(" "));
    }
}
