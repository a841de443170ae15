//! Rules that people make.

use super::*;

#[test]
fn a_rule_by_hand_spares_the_never_list_and_the_ways_in() {
    let folder = Folder::new("rules");
    let desk = folder.desk();
    let refuse = |rule: &str| refused(&desk, Order::MakeRule(made(rule)));
    for (rule, says) in [
        ("proto udp -> drop", "needs a destination"),
        ("dst 192.0.2.1/32 -> drop", "not inside `networks`"),
        ("dst 198.18.9.7/32 -> drop", "never-list"),
        ("dst 198.18.0.0/16 proto udp -> drop", "never-list"),
        ("dst 2001:db8:9::1/128 -> drop", "never-list"),
        ("dst 198.18.7.7/32 src 203.0.113.53/32 -> drop", "never-list"),
        ("dst 198.18.7.7/32 -> redirect 198.18.1.1", "passes, drops or limits"),
        ("dst 198.18.7.7/32 proto tpc -> drop", "the rule,"),
        ("a dst 198.18.7.7/32 -> drop\nb dst 198.18.7.8/32 -> drop", "one rule at a time"),
    ] {
        assert!(refuse(rule).contains(says), "{rule}: {}", refuse(rule));
    }
    let long = order::Made { hold: Some(2 * 86_400), ..made("dst 198.18.7.7/32 proto udp -> drop") };
    assert!(refused(&desk, Order::MakeRule(long)).contains("at most 1d"));
    // The connection over which somebody asks, of either family.
    for (rule, ssh) in [
        ("dst 198.18.7.7/32 proto tcp dst-port 22 -> drop", "203.0.113.9 50000 198.18.7.7 22"),
        ("dst 198.18.7.7/32 -> rate 10pps", "203.0.113.9 50000 198.18.7.7 2222"),
        ("dst 2001:db8:7::/48 proto tcp -> drop", "2001:db8:aaaa::9 50000 2001:db8:7::7 22"),
    ] {
        let own = order::Made { ssh: Some(ssh.into()), ..made(rule) };
        assert!(refused(&desk, Order::MakeRule(own)).contains("administered"), "{rule}");
        let other = order::Made { dry_run: true, ..made(rule) };
        assert!(desk.take("alice", Order::MakeRule(other)).is_ok(), "{rule}");
    }
    let from = Some("203.0.113.9".parse().unwrap());
    let api =
        order::Made { from, ..made("dst 198.18.7.7/32 src 203.0.113.0/24 proto tcp dst-port 8646 -> drop") };
    assert!(refused(&desk, Order::MakeRule(api)).contains("203.0.113.9"));
    assert_eq!(desk.now().rules().count(), 0, "what was refused, and what was only asked, holds nothing");
    // A narrow one holds to its end, a wide one reverts unless it is confirmed.
    let narrow = desk
        .take("alice", Order::MakeRule(made("dst 198.18.7.7/32 proto udp src-port 123 -> drop")))
        .unwrap();
    assert_eq!((&narrow["rule"], &narrow["confirm_by"]), (&json!("m1"), &Value::Null));
    let wide =
        desk.take("alice", Order::MakeRule(made("dst 2001:db8:7::/48 proto udp -> rate 100pps"))).unwrap();
    assert!(
        wide["confirm_by"].is_string() && wide["notes"][0].as_str().unwrap().contains("reverts"),
        "{wide}"
    );
    let soon = desk.view(desk.now().now.plus(Span::from_secs(301)));
    assert_eq!(soon.rules().count(), 1);
    let confirm = |id: &str| Order::ConfirmRule { id: id.into(), reason: "all is well".into() };
    desk.take("alice", confirm("m2")).unwrap();
    assert_eq!(desk.view(desk.now().now.plus(Span::from_secs(301))).rules().count(), 2);
    assert!(refused(&desk, confirm("m2")).contains("waits for nobody"));
    assert!(refused(&desk, confirm("m9")).starts_with("there is no rule m9"));
    let noted = desk.take(
        "alice",
        Order::MakeRule(order::Made { dry_run: true, ..made("dst 198.18.7.7/32 proto tcp -> drop") }),
    );
    assert!(noted.unwrap()["notes"].to_string().contains("never to be dropped"));
    desk.take("alice", Order::TakeBack { rule: "m1".into(), hold: None, reason: "over".into() }).unwrap();
    assert_eq!(folder.desk().now().rules().count(), 1);
}

#[test]
fn rules_by_hand_act_in_every_mode_and_end_when_they_were_said_to() {
    let folder = Folder::new("hand");
    let desk = folder.desk();
    desk.take("alice", Order::MakeRule(made("dst 2001:db8:5::1/128 proto udp -> drop"))).unwrap();
    let now = desk.now();
    let (choice, _) =
        chosen(&now, "198.18.200.1/32", "r dst 198.18.200.1/32 proto udp src-port 53 -> drop for 1m");
    assert!(choice.wanted.by_hand.contains("m1") && !choice.wanted.dry.contains("m1"), "{choice:?}");
    let lease = choice.wanted.rules[0].lease.unwrap();
    assert!(lease <= Span::from_secs(600) && lease > Span::from_secs(590), "{lease}");
    // Half-way its lease is half as long: nothing renews it.
    let later = desk.view(now.now.plus(Span::from_secs(300)));
    let (_, rule) = later.rules().next().unwrap();
    assert!(rule.lease.unwrap() <= Span::from_secs(300));
}

#[test]
fn a_rule_by_hand_is_extended_from_now_and_goes_on_waiting_for_a_person() {
    let folder = Folder::new("extend");
    let desk = folder.desk();
    let made = desk.take("alice", Order::MakeRule(made("dst 198.18.1.0/28 proto udp -> drop"))).unwrap();
    let extend = |id: &str, hold| Order::ExtendRule { id: id.into(), hold, reason: "goes on".into() };
    let id = made["rule"].as_str().unwrap();
    let longer = desk.take("bob", extend(id, 7_200)).unwrap();
    assert_eq!((&longer["rule"], &longer["owner"]), (&made["rule"], &json!("alice")));
    assert_eq!(longer["until"], made["until"], "unconfirmed, it reverts when it would have");
    desk.take("bob", Order::ConfirmRule { id: id.into(), reason: "well".into() }).unwrap();
    let rules = desk.take("x", Order::Rules).unwrap();
    assert!(rules["items"][0]["until"].as_str().unwrap() > made["until"].as_str().unwrap(), "{rules}");
    assert!(refused(&desk, extend(id, 0)).contains("at most"));
    assert!(refused(&desk, extend(id, 1_000_000)).contains("at most"));
    assert!(refused(&desk, extend("abc", 60)).contains("there is no rule abc"));
}
