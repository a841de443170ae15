//! Every question has the answer that a plain look at each sample gives, whatever statistics left out.

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};
use history::{Archive, Direction, Field, Filter, Measure, Question, Sample, Value, Work, ask, merge, walk};
use proptest::prelude::*;

use super::facts::{Folder, START, record, sample};

/// A filter whose meaning is looked up in a sample, without anything of the crate.
#[derive(Clone, Debug)]
enum Plain {
    Is(&'static str, Vec<String>, bool),
    Order(&'static str, &'static str, u64),
    Flags(u16),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

fn text_of(sample: &Sample<'_>, field: &str) -> Vec<Option<String>> {
    let is_in = sample.direction == Direction::In;
    let (target, foreign) = (Some(sample.target.to_string()), Some(sample.foreign.to_string()));
    let ports = [sample.target_port, sample.foreign_port].map(|port| port.map(|port| port.to_string()));
    let [target_port, foreign_port] = ports;
    let by = |one: Option<String>, other: Option<String>| vec![if is_in { one } else { other }];
    match field {
        "target" => vec![target],
        "foreign" => vec![foreign],
        "src" => by(foreign, target),
        "dst" => by(target, foreign),
        "host" => vec![target, foreign],
        "target-port" => vec![target_port],
        "src-port" => by(foreign_port, target_port),
        "dst-port" => by(target_port, foreign_port),
        "port" => vec![target_port, foreign_port],
        "proto" => vec![Some(sample.protocol.to_string())],
        "class" => vec![Some(sample.class.to_owned())],
        "country" => vec![sample.country.map(str::to_owned)],
        "attack" => vec![sample.attack.map(str::to_owned)],
        "customer" => vec![sample.customer.map(str::to_owned)],
        "direction" => vec![Some(sample.direction.name().to_owned())],
        "asn" => vec![sample.asn.map(|asn| asn.to_string())],
        "rate" => vec![sample.rate.map(|rate| rate.to_string())],
        "input-if" => vec![sample.input_if.map(|index| index.to_string())],
        "exporter" => vec![Some(sample.exporter.to_string())],
        "bytes" => vec![Some(sample.bytes.to_string())],
        "packets" => vec![Some(sample.packets.to_string())],
        other => panic!("{other}"),
    }
}

fn same(have: Option<&String>, value: &str) -> bool {
    match have {
        None => value == "none",
        Some(_) if value == "none" => false,
        Some(have) => match (value.parse::<Prefix>(), have.parse()) {
            (Ok(prefix), Ok(address)) => prefix.contains(address),
            _ => match value.strip_suffix('*') {
                Some(front) => have.starts_with(front),
                None => {
                    have == value.trim_matches('"')
                        || value == "udp" && have == "17"
                        || value == "tcp" && have == "6"
                }
            },
        },
    }
}

impl Plain {
    fn holds(&self, sample: &Sample<'_>) -> bool {
        match self {
            Self::Is(field, values, negated) => {
                let have = text_of(sample, field);
                have.iter().any(|have| values.iter().any(|value| same(have.as_ref(), value))) != *negated
            }
            Self::Order(field, sign, limit) => text_of(sample, field).iter().flatten().any(|have| {
                let have: u64 = have.parse().unwrap();
                match *sign {
                    "<" => have < *limit,
                    "<=" => have <= *limit,
                    ">" => have > *limit,
                    _ => have >= *limit,
                }
            }),
            Self::Flags(bits) => sample.tcp_flags.is_some_and(|flags| flags & bits == *bits),
            Self::Not(one) => !one.holds(sample),
            Self::And(a, b) => a.holds(sample) && b.holds(sample),
            Self::Or(a, b) => a.holds(sample) || b.holds(sample),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Is(field, values, negated) => match (values.as_slice(), negated) {
                ([one], false) => format!("{field} = {one}"),
                ([one], true) => format!("{field} != {one}"),
                (many, false) => format!("{field} in ({})", many.join(", ")),
                (many, true) => format!("{field} not in ({})", many.join(",")),
            },
            Self::Order(field, sign, limit) => format!("{field} {sign} {limit}"),
            Self::Flags(bits) => format!("tcp-flags has {bits}"),
            Self::Not(one) => format!("not ({})", one.text()),
            Self::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
        }
    }
}

const VALUES: [(&str, &[&str]); 18] = [
    (
        "target",
        &["198.51.100.0/27", "198.51.100.7", "2001:db8:0:3::/64", "0.0.0.0/0", "::/0", "2001:db8::/32"],
    ),
    ("foreign", &["198.51.101.0/24", "198.51.100.0/22", "2001:db8::/33", "::/0"]),
    ("src", &["198.51.100.0/24", "2001:db8:0:1::/64", "198.51.100.3"]),
    ("dst", &["198.51.100.0/28", "2001:db8:0:1::/64"]),
    ("host", &["198.51.100.5", "2001:db8:0:2::/64"]),
    ("target-port", &["53", "80", "none"]),
    ("src-port", &["53", "123", "none"]),
    ("dst-port", &["443", "none"]),
    ("port", &["53", "none"]),
    ("proto", &["udp", "tcp", "1", "250"]),
    ("class", &["tcp-syn", "udp-amplification-*", "udp*", "nothing", "z*"]),
    ("country", &["DE", "JP", "none", "B*"]),
    ("attack", &["0123456789abcdef", "none", "f*"]),
    ("customer", &["globex", "none", "\"globex\""]),
    ("direction", &["in", "out", "sideways"]),
    ("asn", &["64496", "64510", "none", "1"]),
    ("rate", &["1000", "none"]),
    ("exporter", &["198.51.100.0", "198.51.100.0/31", "::/0"]),
];

fn leaf() -> impl Strategy<Value = Plain> {
    let is = (0..VALUES.len(), proptest::collection::vec(0..6usize, 1..4), any::<bool>()).prop_map(
        |(at, picks, negated)| {
            let (field, values) = VALUES[at];
            let values = picks.into_iter().map(|pick| values[pick % values.len()].to_owned()).collect();
            Plain::Is(field, values, negated)
        },
    );
    let sign = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")];
    let limit = prop_oneof![
        Just(0u64),
        Just(1),
        Just(53),
        Just(443),
        Just(1_000),
        Just(5_001),
        Just(64_500),
        0..3_000_000u64
    ];
    let ordered = prop_oneof![
        Just("bytes"),
        Just("packets"),
        Just("src-port"),
        Just("asn"),
        Just("input-if"),
        Just("port")
    ];
    let order = (ordered, sign, limit).prop_map(|(field, sign, limit)| {
        // What a field cannot be is refused, not false.
        let limit = if field.ends_with("port") { limit.min(0xffff) } else { limit };
        Plain::Order(field, sign, limit)
    });
    prop_oneof![4 => is, 2 => order, 1 => (0..64u16).prop_map(Plain::Flags)]
}

fn plain() -> impl Strategy<Value = Plain> {
    leaf().prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Plain::Not(Box::new(one))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Plain::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Plain::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn value(sample: &Sample<'_>, field: &str) -> String {
    text_of(sample, field).remove(0).unwrap_or_default()
}

/// Groups and their octets, packets and samples.
fn added(samples: &[&Sample<'_>], by: &[&str]) -> BTreeMap<Vec<String>, (u64, u64, u64)> {
    let mut all: BTreeMap<Vec<String>, (u64, u64, u64)> = BTreeMap::new();
    for sample in samples {
        let sum = all.entry(by.iter().map(|field| value(sample, field)).collect()).or_default();
        *sum = (sum.0 + sample.bytes, sum.1 + sample.packets, sum.2 + 1);
    }
    all
}

fn check(seed: u64, filters: &[Plain], by: &[&'static str], is_merged: bool) {
    let folder = Folder::new();
    let samples: Vec<Sample<'_>> = (0..24_000).map(|number| sample(seed, number, 7_200)).collect();
    let (kept, fresh) = samples.split_at(21_000);
    let mut recorder = record(&folder, kept, 3);
    fresh.iter().for_each(|sample| recorder.push(sample));
    recorder.tick(START).unwrap();
    if is_merged {
        while merge(&folder.0, START.plus(Span::from_secs(100_000)), u64::MAX, &mut || false).unwrap().from
            > 0
        {}
    }
    let recent = recorder.recent();
    let archive = Archive { folder: &folder.0, recent: Some(&recent) };
    for (number, filter) in filters.iter().enumerate() {
        let text = filter.text();
        let parsed: Filter = text.parse().unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
        let from = START.plus(Span::from_secs(900 * number as u64));
        let to = START.plus(Span::from_secs(6_000));
        let wanted: Vec<&Sample<'_>> = samples
            .iter()
            .filter(|sample| sample.at >= from && sample.at < to && filter.holds(sample))
            .collect();
        let question = Question {
            filter: parsed.clone(),
            from,
            to,
            by: by.iter().map(|field| Field::named(field).unwrap()).collect(),
            step: None,
            top: usize::MAX,
            order: Measure::Bytes,
        };
        let mut never = || false;
        let answer = ask(archive, &question, &mut Work::until(&mut never)).unwrap();
        let found: BTreeMap<Vec<String>, (u64, u64, u64)> = answer
            .rows
            .iter()
            .map(|row| {
                let (names, sums) = row.split_at(by.len());
                let number = |value: &Value| value.to_string().parse::<u64>().unwrap();
                (
                    names.iter().map(ToString::to_string).collect(),
                    (number(&sums[0]), number(&sums[1]), number(&sums[2])),
                )
            })
            .collect();
        assert_eq!(found, added(&wanted, by), "{text} by {by:?}");
        assert_eq!(answer.total.samples, wanted.len() as u64, "{text}");
        // As they are, too, and not only as sums.
        let mut shown: Vec<String> = Vec::new();
        walk::<history::HistoryError>(
            archive,
            &parsed,
            (from, to),
            &mut Work::until(&mut never),
            &mut |sample| {
                shown.push(format!("{sample:?}"));
                Ok(())
            },
        )
        .unwrap();
        let mut plain: Vec<String> = wanted.iter().map(|sample| format!("{sample:?}")).collect();
        shown.sort();
        plain.sort();
        assert!(shown == plain, "{text}: {} samples, not {}", shown.len(), plain.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_question_has_the_answer_of_a_plain_look_at_each_sample(
        seed in any::<u64>(),
        filters in proptest::collection::vec(plain(), 6),
        by in prop_oneof![
            Just(vec![]), Just(vec!["src"]), Just(vec!["asn"]), Just(vec!["class", "direction"]),
            Just(vec!["dst-port"]), Just(vec!["target", "country", "proto"]), Just(vec!["customer"]), Just(vec!["attack", "exporter"]),
        ],
        is_merged in any::<bool>(),
    ) {
        check(seed, &filters, &by, is_merged);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z<>=!()\", 0-9./:*-]{0,60}") {
        let _ = text.parse::<Filter>();
    }
}

#[test]
fn a_series_has_a_row_for_each_step_and_its_sums_are_the_whole() {
    let folder = Folder::new();
    let samples: Vec<Sample<'_>> = (0..9_000).map(|number| sample(3, number, 7_200)).collect();
    let _recorder = record(&folder, &samples, 2);
    let question = Question {
        filter: Filter::ALL,
        from: START,
        to: START.plus(Span::from_secs(7_200)),
        by: vec![Field::named("class").unwrap()],
        step: Some(Span::from_secs(300)),
        top: 2,
        order: Measure::Packets,
    };
    let mut never = || false;
    let archive = Archive { folder: &folder.0, recent: None };
    let answer = ask(archive, &question, &mut Work::until(&mut never)).unwrap();
    assert_eq!(answer.columns, ["time", "class", "bytes", "packets", "samples"]);
    // Two classes by name and all others, in each of 24 steps.
    assert_eq!(answer.rows.len(), 24 * 3);
    let mut plain: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for sample in &samples {
        let step = Timestamp::from_secs(sample.at.secs() / 300 * 300);
        *plain.entry(step).or_default() += sample.packets;
    }
    let mut found: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for row in &answer.rows {
        let [Value::Time(at), _, _, Value::Number(packets), _] = row.as_slice() else { panic!("{row:?}") };
        *found.entry(*at).or_default() += packets;
    }
    assert_eq!(found, plain);
}
