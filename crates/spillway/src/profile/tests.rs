//! What profiles say, and that all of them become rules.

use rules::{Action, parse};

use super::reflectors::{reflectors, table};
use super::{FILES, Place, REFLECTORS, find, names};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

#[test]
fn each_profile_becomes_rules_for_both_families() {
    assert_eq!(names().len(), FILES.len() + 1);
    for name in names() {
        for at in ["192.0.2.0/24", "2001:db8::/32", "192.0.2.1:9000", "[2001:db8::1]:9000"] {
            let place = place(at);
            let text = if name == REFLECTORS {
                reflectors("p", &place).unwrap()
            } else {
                let profile = find(name).unwrap();
                assert!(!profile.title.is_empty() && !profile.source.is_empty());
                profile.text("p", &place).unwrap()
            };
            let rules = parse::rules(&text).unwrap_or_else(|e| panic!("{name}: {e:?}\n{text}"));
            assert!(
                rules.iter().all(|rule| rule.matches.dst == Some(place.dst)),
                "{name} says only what it is asked"
            );
            assert!(rules.len() >= 3, "{name}");
            if place.port.is_some() {
                assert!(text.lines().all(|line| line.contains("dst-port 9000")), "{text}");
            }
        }
    }
    let unknown = find("wireguart").unwrap_err().to_string();
    assert!(unknown.contains("wireguard"), "{unknown}");
}

#[test]
fn places_are_read_with_and_without_a_port() {
    assert_eq!(place("192.0.2.1").port, None);
    assert_eq!(place("192.0.2.1:53").port, Some(53));
    assert_eq!(place("2001:db8::/32").port, None);
    assert_eq!(place("[2001:db8::/32]:53"), Place { dst: "2001:db8::/32".parse().unwrap(), port: Some(53) });
    assert_eq!(place("[2001:db8::1]").port, None);
    for wrong in ["192.0.2.1:99999", "[2001:db8::1]53", "here"] {
        assert!(wrong.parse::<Place>().unwrap_err().contains("PREFIX:PORT"), "{wrong}");
    }
}

#[test]
fn lengths_are_of_payload_in_files_and_of_packets_in_rules() {
    let profile = find("wireguard").unwrap();
    let four = profile.text("w", &place("192.0.2.1")).unwrap();
    assert!(four.contains("length 176 payload 0:01000000") && four.contains("length >=60"), "{four}");
    assert!(profile.text("w", &place("2001:db8::1")).unwrap().contains("length 196 payload 0:01000000"));
}

#[test]
fn every_reflecting_protocol_that_is_detected_has_a_preset_on_its_ports() {
    let table = table().unwrap();
    assert_eq!(table.len(), detect::class::REFLECTORS.len());
    for known in detect::class::REFLECTORS {
        let preset =
            table.iter().find(|preset| preset.name == known.name).unwrap_or_else(|| panic!("{}", known.name));
        let ports: Vec<String> = known
            .ports
            .iter()
            .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
            .collect();
        assert_eq!(preset.ports, ports.join(","), "{}", known.name);
    }
    let rules = parse::rules(&reflectors("r", &place("192.0.2.1")).unwrap()).unwrap();
    let dropped = rules.iter().filter(|rule| rule.action == Action::Drop).count();
    assert!(dropped >= 20 && rules.iter().any(|rule| rule.id == "r-ntp-2"), "{dropped}");
}
