//! What holds for whom, and what people may decide.

use std::path::{Path, PathBuf};

use base::{Prefix, Span, Timestamp};
use engine::Mode;
use engine::report::Attack;
use serde_json::{Value, json};

use super::allow::Ceiling;
use super::layers::Layers;
use super::order::{self, Order};
use super::{Desk, View};
use crate::config::Config;
use crate::config::target::ModeWord;
use crate::enforce::choose::{Bounds, Choice};
use crate::ledger::Pen;

mod by_hand;
mod stance;

const FILE: &str = r#"
networks = ["198.18.0.0/16", "2001:db8::/32"]
mode = "suggest"
[listen]
sflow = "127.0.0.1:0"
[rules]
never = ["198.18.9.0/24", "2001:db8:9::/48", "203.0.113.53/32"]
[dataplane]
interfaces = ["none0"]
collateral_max = 0.04
[customers.acme]
networks = ["198.18.7.0/24", "2001:db8:7::/48"]
profile = "voice"
mode = "enforce"
[target."198.18.0.0/17"]
collateral_max = 0.03
multiple = 4.0
[target."198.18.7.7"]
profile = "ssh"
floor = "700 pps"
never_drop = ["proto tcp dst-port 2222"]
[target."2001:db8:5::/48"]
mode = "observe"
profile = "quic"
[[allow]]
source = "203.0.113.0/24"
destination = "198.18.7.0/24"
protocol = "tcp"
port = 443
owner = "acme"
reason = "monitoring"
"#;

fn config(text: &str) -> Config {
    Config::parse(Path::new("f"), text).unwrap()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-policy-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A desk as after a start of the daemon.
    fn desk(&self) -> Desk {
        let desk = Desk::default();
        desk.adapt(&config(FILE), 8646);
        desk.open(&self.0, Pen::default()).unwrap();
        desk
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refused(desk: &Desk, order: Order) -> String {
    desk.take("alice", order).unwrap_err()
}

fn made(rule: &str) -> order::Made {
    order::Made {
        rule: rule.into(),
        hold: Some(600),
        reason: "why".into(),
        dry_run: false,
        from: None,
        ssh: None,
    }
}

fn allow(source: &str, destination: &str) -> order::Allow {
    order::Allow {
        source: prefix(source),
        destination: prefix(destination),
        protocol: None,
        port: None,
        ceiling: None,
        hold: Some(600),
        reason: "why".into(),
        bounded: false,
    }
}

#[test]
fn each_value_says_where_it_comes_from_and_the_narrowest_says_most() {
    let desk = Desk::default();
    desk.adapt(&config(FILE), 1);
    let show = |text: &str| desk.take("x", Order::Show { prefix: prefix(text) }).unwrap();
    let of = |document: &Value, key: &str| {
        let one = &document["values"][key];
        (one["value"].clone(), one["from"]["kind"].as_str().unwrap().to_owned(), one["from"]["name"].clone())
    };
    let host = show("198.18.7.7");
    assert_eq!(of(&host, "floor_pps"), (json!(700.0), "target".into(), json!("198.18.7.7/32")));
    assert_eq!(
        of(&host, "never_drop"),
        (json!(["proto tcp dst-port 2222"]), "target".into(), json!("198.18.7.7/32"))
    );
    assert_eq!(of(&host, "multiple"), (json!(1.5), "profile".into(), json!("ssh")));
    assert_eq!(of(&host, "mode"), (json!("enforce"), "customer".into(), json!("acme")));
    assert_eq!(
        of(&host, "limit_pps"),
        (json!(20_000.0), "profile".into(), json!("voice")),
        "what the nearer one does not say"
    );
    assert_eq!((host["customer"].clone(), host["profile"]["name"].clone()), (json!("acme"), json!("ssh")));
    assert_eq!(host["allow"][0]["source"], "203.0.113.0/24");
    let near = show("198.18.1.1");
    assert_eq!(of(&near, "collateral_max"), (json!(0.03), "target".into(), json!("198.18.0.0/17")));
    assert_eq!(of(&near, "mode"), (json!("suggest"), "configuration".into(), Value::Null));
    let far = show("198.18.200.1");
    assert_eq!(of(&far, "collateral_max"), (json!(0.04), "configuration".into(), Value::Null));
    assert_eq!(of(&far, "profile"), (json!("default"), "built-in".into(), Value::Null));
    let v6 = show("2001:db8:5::1");
    assert_eq!(of(&v6, "mode"), (json!("observe"), "target".into(), json!("2001:db8:5::/48")));
    assert_eq!(of(&v6, "collateral_max"), (json!(0.03), "profile".into(), json!("quic")));
    // A wide prefix does no more than any part of it may.
    let wide = show("2001:db8::/32");
    assert!(wide["inside"].as_array().unwrap().iter().any(|one| one["mode"] == "observe"), "{wide}");
    assert_eq!(desk.now().mode(&prefix("2001:db8::/32")), Mode::Observe);
    // What the engine is told of thresholds.
    let tuning = Layers::of(&config(FILE)).tuning();
    assert!(tuning.contains(&(prefix("198.18.7.7/32"), Some(700.0), Some(1.5))), "{tuning:?}");
    assert!(tuning.contains(&(prefix("2001:db8:5::/48"), Some(5_000.0), Some(2.0))), "{tuning:?}");
}

#[test]
fn mistakes_in_targets_and_lists_are_told_with_place_and_remedy() {
    for (from, to, says) in [
        ("profile = \"voice\"", "profile = \"voise\"", "there is no profile `voise`; did you mean `voice`?"),
        ("profile = \"ssh\"", "profile = \"sshh\"", "did you mean `ssh`?"),
        ("[target.\"198.18.7.7\"]", "[target.\"192.0.2.1\"]", "not inside `networks`"),
        ("[target.\"198.18.7.7\"]", "[target.\"here\"]", "is not a prefix"),
        ("multiple = 4.0", "multiple = 0.5", "1.0 to 100.0"),
        ("\"proto tcp dst-port 2222\"", "\"prot tcp\"", "in the rule language"),
        ("floor = \"700 pps\"", "flor = \"700 pps\"", "did you mean `floor`?"),
        ("source = \"203.0.113.0/24\"", "source = \"0.0.0.0/0\"", "too wide"),
        ("destination = \"198.18.7.0/24\"", "destination = \"2001:db8::/32\"", "different families"),
        ("protocol = \"tcp\"\nport", "port", "needs its protocol"),
        ("reason = \"monitoring\"", "reason = \" \"", "needs an owner and a reason"),
        (
            "interfaces = [\"none0\"]",
            "interfaces = [\"none0\"]\nengine = \"nftables\"",
            "nftables holds no ceiling",
        ),
    ] {
        assert!(FILE.contains(from), "{from}");
        let found = Config::parse(Path::new("f"), &FILE.replace(from, to)).unwrap_err();
        assert!(
            found.iter().any(|problem| problem.to_string().contains(says) && problem.line.is_some()),
            "{to}: {found:?}"
        );
    }
}

#[test]
fn what_people_decided_is_there_again_after_a_crash_and_ends_by_itself() {
    let folder = Folder::new("kept");
    let desk = folder.desk();
    let mode =
        |mode, hold| Order::Mode { prefix: prefix("198.18.200.0/24"), mode, hold, reason: "why".into() };
    desk.take("alice", mode(Some(ModeWord::Enforce), Some(3_600))).unwrap();
    let allowed = desk.take("bob", Order::Allow(allow("2001:db8:ffff::/48", "2001:db8:7::1"))).unwrap();
    assert_eq!(allowed["ceiling"], "1000 pps");
    desk.take("bob", Order::MakeRule(made("dst 2001:db8:7::1/128 proto udp src-port 53 -> drop"))).unwrap();
    // Nobody closes anything: the next one finds what was answered.
    let again = folder.desk();
    let now = again.now();
    assert_eq!(now.mode(&prefix("198.18.200.7/32")), Mode::Enforce);
    let rules: Vec<String> = now.rules().map(|(_, rule)| rule.id).collect();
    assert_eq!((now.allowed().count(), rules), (2, vec!["m3".to_owned()]));
    let later = again.view(now.now.plus(Span::from_secs(601)));
    assert_eq!((later.allowed().count(), later.rules().count()), (1, 0));
    assert_ne!(later.stamp(), now.stamp());
    let shown = again.take("x", Order::Show { prefix: prefix("198.18.200.7") }).unwrap();
    let from = &shown["values"]["mode"]["from"];
    assert_eq!(
        (&from["kind"], &from["name"], &from["entry"]),
        (&json!("person"), &json!("alice"), &json!(1))
    );
    assert!(from["until"].is_string());
    // A second word replaces the first; taking it back leaves what the configuration says.
    again.take("bob", mode(Some(ModeWord::Observe), None)).unwrap();
    assert_eq!(again.now().mode(&prefix("198.18.200.7/32")), Mode::Observe);
    again.take("bob", mode(None, None)).unwrap();
    assert_eq!(again.now().mode(&prefix("198.18.200.7/32")), Mode::Suggest);
    assert!(refused(&again, mode(None, None)).starts_with("there is no mode of its own"));
    let outside = Order::Mode {
        prefix: prefix("192.0.2.1"),
        mode: Some(ModeWord::Enforce),
        hold: None,
        reason: "why".into(),
    };
    assert!(refused(&again, outside).contains("not inside `networks`"));
    assert!(refused(&again, mode(Some(ModeWord::Enforce), Some(0))).contains("1 second to a year"));
    assert!(
        refused(&again, Order::Disallow { id: 99, reason: "why".into() })
            .starts_with("there is no allowed source 99")
    );
    assert!(
        refused(&again, Order::Disallow { id: 3, reason: "why".into() })
            .starts_with("there is no allowed source 3")
    );
    assert!(refused(&again, Order::Disallow { id: 2, reason: " ".into() }).contains("needs a reason"));
    again.take("bob", Order::Disallow { id: 2, reason: "why".into() }).unwrap();
    assert_eq!(folder.desk().now().allowed().count(), 1);
}

#[test]
fn allowed_sources_are_capped_and_a_customer_gives_no_more_than_he_may() {
    let folder = Folder::new("allow");
    let desk = folder.desk();
    let refuse = |allow: order::Allow| refused(&desk, Order::Allow(allow));
    assert!(refuse(allow("203.0.113.9", "192.0.2.1")).contains("not inside `networks`"));
    assert!(refuse(allow("203.0.113.9", "2001:db8::1")).contains("different families"));
    assert!(refuse(allow("2000::/3", "2001:db8::1")).contains("/16 or longer"));
    let bounded = |ceiling: &str| order::Allow {
        ceiling: Some(ceiling.parse().unwrap()),
        bounded: true,
        ..allow("203.0.113.9", "198.18.7.1")
    };
    for much in ["none", "20 kpps", "1 Gbps"] {
        assert!(refuse(bounded(much)).contains("at most 10 kpps"), "{much}");
    }
    for _ in 0..8 {
        desk.take("acme", Order::Allow(bounded("10 kpps"))).unwrap();
    }
    assert!(refuse(bounded("10 kpps")).contains("8 entries already"));
    assert!("5 kppps".parse::<Ceiling>().unwrap_err().contains("5 kpps"));
    let checked = desk.take("x", Order::Allowed { source: Some(prefix("203.0.113.9")) }).unwrap();
    assert_eq!(checked["items"].as_array().unwrap().len(), 9, "those of the configuration beside");
}

/// An attack on a host with one rule of this text.
fn attack(target: &str, rule: &str) -> Attack {
    let document = json!({
        "event": "attack", "state": "active", "id": "a", "target": target, "targets": [target], "direction": "in",
        "severity": "attack", "started_at": "2027-01-01T00:00:00.000000000Z", "detected_at": "2027-01-01T00:00:00.250000000Z",
        "ended_at": null, "peak_pps": 1, "peak_bps": 1, "vectors": [],
        "sources": {"count": 1, "nature": "spoofed", "confidence": 1.0, "top": []},
        "rules": [{
            "id": "r", "text": rule, "action": "drop",
            "collateral": {"packets": 0.0, "bytes": 0.0, "peers": 0.0, "packets_upper95": 0.0, "bytes_upper95": 0.0, "peers_upper95": 0.0},
            "expires_at": "2027-01-01T00:15:00.000000000Z"
        }],
        "explain": [], "packets": 1, "bytes": 1
    });
    serde_json::from_value(document).unwrap()
}

fn chosen(view: &View, target: &str, rule: &str) -> (Choice, Attack) {
    let bounds = Bounds::of(&config(FILE));
    let mut attack = attack(target, rule);
    bounds.fit(&mut attack, view, Timestamp::from_secs(1), Vec::new);
    (bounds.choose(view, std::iter::once(&attack)), attack)
}

#[test]
fn profiles_and_modes_decide_what_becomes_of_a_rule() {
    let view = View::of(Layers::of(&config(FILE)));
    let choose = |target: &str, rule: &str| chosen(&view, target, rule).0;
    // Suggested everywhere, enforced for the customer, observed where a target says so.
    let suggested = choose("198.18.200.1/32", "r dst 198.18.200.1/32 proto udp src-port 53 -> drop for 1m");
    assert!(suggested.wanted.rules.len() == 1 && suggested.wanted.dry.contains("r"));
    let observed =
        choose("2001:db8:5::1/128", "r dst 2001:db8:5::1/128 proto udp src-port 53 -> drop for 1m");
    assert!(observed.wanted.rules.is_empty() && observed.spared["r"].contains("observe"));
    let rule = "r dst 198.18.7.9/32 proto udp src-port 19 -> drop for 1m";
    let (enforced, limited) = chosen(&view, "198.18.7.9/32", rule);
    assert!(enforced.wanted.dry.is_empty() && enforced.wanted.rules.len() == 1);
    // Telephony would rather limit, and says so wherever the rule is shown.
    assert!(
        limited.rules[0].text.contains("-> rate 20000pps") && limited.rules[0].action == "rate",
        "{limited:?}"
    );
    assert_eq!(enforced.wanted.rules[0].action, rules::Action::RatePackets(20_000.0));
    // What is never dropped is not.
    let spared = choose("2001:db8:5::1/128", "r dst 2001:db8:5::1/128 proto icmp6 -> drop for 1m");
    assert!(spared.wanted.rules.is_empty());
    let file = FILE.replace("mode = \"observe\"\n", "mode = \"enforce\"\n");
    let enforce = View::of(Layers::of(&config(&file)));
    let spared =
        chosen(&enforce, "2001:db8:5::1/128", "r dst 2001:db8:5::1/128 proto icmp6 -> drop for 1m").0;
    assert!(spared.wanted.rules.is_empty() && spared.spared["r"].contains("never dropped"), "{spared:?}");
    let other = chosen(
        &enforce,
        "2001:db8:5::1/128",
        "r dst 2001:db8:5::1/128 proto icmp6 icmp-type 128 -> drop for 1m",
    )
    .0;
    assert_eq!(other.wanted.rules.len(), 1);
    // Allowed sources come with every set.
    assert_eq!(enforced.wanted.allow.len(), 1);
    assert_eq!(enforced.wanted.allow[0].scope.port, Some(443));
}

#[test]
fn what_a_person_took_back_is_not_set_again_while_the_exception_holds() {
    let folder = Folder::new("back");
    let desk = folder.desk();
    let text = "r dst 198.18.7.9/32 proto udp src-port 53 length >=468 -> rate 20000pps for 1m";
    desk.know(
        Vec::new(),
        vec![super::desk::Live {
            id: "r".into(),
            text: text.into(),
            attack: "a".into(),
            target: prefix("198.18.7.9/32"),
            until: Timestamp::from_secs(9),
        }],
    );
    let back =
        |rule: &str, hold| Order::TakeBack { rule: rule.into(), hold, reason: "it hits the backup".into() };
    assert!(refused(&desk, back("other", None)).starts_with("there is no rule other"));
    assert_eq!(chosen(&desk.now(), "198.18.7.9/32", text).0.wanted.rules.len(), 1);
    let answer = desk.take("alice", back("r", None)).unwrap();
    assert_eq!(answer["exceptions"][0]["owner"], "alice");
    // Over a crash, too: neither this rule nor one a little wider, until an hour is over.
    let desk = folder.desk();
    let now = desk.now();
    let wider = "s dst 198.18.7.9/32 proto udp src-port 53 -> drop for 1m";
    for rule in [text, wider] {
        let (choice, attack) = chosen(&now, "198.18.7.9/32", rule);
        assert!(choice.wanted.rules.is_empty(), "{rule}");
        assert!(choice.spared[&attack.rules[0].id].contains("exception 1 holds until"), "{choice:?}");
    }
    // What hits other packets, or another target, is none of its business.
    for (target, rule) in [
        ("198.18.7.9/32", "s dst 198.18.7.9/32 proto udp src-port 123 -> drop for 1m"),
        ("198.18.7.10/32", "s dst 198.18.7.10/32 proto udp src-port 53 length >=468 -> drop for 1m"),
    ] {
        assert_eq!(chosen(&now, target, rule).0.wanted.rules.len(), 1, "{rule}");
    }
    let later = desk.view(now.now.plus(Span::from_secs(3_601)));
    assert_eq!(chosen(&later, "198.18.7.9/32", text).0.wanted.rules.len(), 1);
    let shown = desk.take("x", Order::Show { prefix: prefix("198.18.7.9") }).unwrap();
    assert_eq!(shown["exceptions"][0]["id"], 1);
    desk.take("bob", Order::EndException { id: 1, reason: "it was the attack".into() }).unwrap();
    assert_eq!(chosen(&desk.now(), "198.18.7.9/32", text).0.wanted.rules.len(), 1);
    // A step of the ladder likewise, for as long as somebody says.
    desk.step_back(
        "alice",
        (prefix("198.18.7.9/32"), "diversion"),
        "198.18.7.0/24".into(),
        Some(60),
        "too slow",
    )
    .unwrap();
    let now = desk.now();
    assert!(now.step_back(&prefix("198.18.7.9/32"), "diversion").is_some());
    assert!(now.step_back(&prefix("198.18.7.9/32"), "blackhole").is_none());
    let later = desk.view(now.now.plus(Span::from_secs(61)));
    assert!(later.step_back(&prefix("198.18.7.9/32"), "diversion").is_none());
}

#[test]
fn what_goes_to_routers_hits_nobody_who_is_allowed_and_absorbers_hear_whom_they_spare() {
    let text = "networks = [\"198.18.0.0/16\", \"2001:db8::/32\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n\
        [[allow]]\nsource = \"203.0.113.0/30\"\ndestination = \"198.18.7.0/24\"\nprotocol = \"udp\"\nowner = \"a\"\nreason = \"b\"\n\
        [[allow]]\nsource = \"2001:db8:ffff::/64\"\ndestination = \"2001:db8:7::/48\"\nceiling = \"none\"\nowner = \"a\"\nreason = \"b\"\n";
    let view = View::of(Layers::of(&config(text)));
    // Sources of every length around the allowed ones, in both families, with and without ports.
    let mut sent = 0;
    for (dst, src, bits) in
        [("198.18.7.7/32", "203.0.113.2", 0..=32), ("2001:db8:7::7/128", "2001:db8:ffff::9", 0..=128)]
    {
        for bits in bits {
            for rest in ["proto udp", "proto udp dst-port 53", "", "proto udp fragment is", "proto tcp"] {
                let src = Prefix::of(src.parse().unwrap(), bits);
                let rule = ::rules::parse::rules(&format!("r dst {dst} src {src} {rest} -> drop"))
                    .unwrap()
                    .remove(0);
                let Ok(pieces) = view.sendable(&rule) else { continue };
                for piece in &pieces {
                    sent += 1;
                    assert!(view.spared(piece).is_empty(), "{piece} hits who is allowed");
                    assert!(
                        super::spare::is_piece(&piece.id, "r") && !super::spare::is_piece(&piece.id, "q")
                    );
                }
            }
        }
    }
    assert!(sent > 200, "{sent}");
    let rules = ::rules::parse::rules(
        "r dst 198.18.7.7/32 proto udp -> drop\ns dst 2001:db8:7::7/128 -> drop\nt dst 198.18.8.1/32 -> drop",
    );
    let told: Vec<String> = view.exceptions_from(&rules.unwrap()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "allow-0-0 @0 dst 198.18.7.7/32 src 203.0.113.0/30 proto udp -> rate 1000pps",
            "allow-1-1 @0 dst 2001:db8:7::7/128 src 2001:db8:ffff::/64 -> pass",
        ]
    );
}
