//! How far all goes: a mode for all, and the panic button.

use super::*;

fn general(mode: Option<ModeWord>) -> Order {
    Order::General { mode, hold: None, reason: "why".into() }
}

/// Above the file, below what is narrower, over a restart, and until the file says something else.
#[test]
fn a_mode_for_all_stands_above_the_file_until_the_file_says_another() {
    let folder = Folder::new("general");
    let desk = folder.desk();
    let mode = |desk: &Desk, of: &str| desk.now().mode(&prefix(of));
    assert!(refused(&desk, general(None)).contains("which says suggest"));
    let made = desk.take("alice", general(Some(ModeWord::Enforce))).unwrap();
    assert_eq!(
        (&made["kind"], &made["was"], &made["file"]),
        (&json!("general"), &json!("suggest"), &json!("suggest"))
    );
    let notes = made["notes"].to_string();
    assert!(notes.contains("filters in the kernel on none0"), "{notes}");
    assert!(notes.contains("2001:db8:5::/48 observe"), "{notes}");
    for (of, is) in [
        ("198.18.1.1", Mode::Enforce),
        ("2001:db8:1::1", Mode::Enforce),
        ("198.18.7.7", Mode::Enforce),
        ("2001:db8:5::5", Mode::Observe),
        // a part of it says less
        ("2001:db8::/32", Mode::Observe),
    ] {
        assert_eq!(mode(&desk, of), is, "{of}");
    }
    let value = desk.take("x", Order::Show { prefix: prefix("198.18.1.1") }).unwrap();
    assert_eq!(value["values"]["mode"]["from"]["name"], "alice");
    drop(desk);
    let desk = folder.desk();
    assert_eq!(mode(&desk, "198.18.1.1"), Mode::Enforce);
    assert!(desk.now().is_earnest());
    let (stand, why) = desk.now().stand();
    assert!(stand == Mode::Enforce && why.unwrap().contains("the file says suggest"));
    // one mode for all at a time
    desk.take("bob", general(Some(ModeWord::Observe))).unwrap();
    assert_eq!((mode(&desk, "198.18.1.1"), mode(&desk, "198.18.7.7")), (Mode::Observe, Mode::Enforce));
    desk.take("bob", general(None)).unwrap();
    assert_eq!(mode(&desk, "198.18.1.1"), Mode::Suggest);
    desk.take("bob", general(Some(ModeWord::Observe))).unwrap();
    // another mode in the file ends it, and it does not come back with the old one
    desk.adapt(&config(&FILE.replace("mode = \"suggest\"", "mode = \"enforce\"")), 1);
    assert_eq!(mode(&desk, "198.18.1.1"), Mode::Enforce);
    desk.adapt(&config(FILE), 1);
    assert_eq!(mode(&desk, "198.18.1.1"), Mode::Suggest);
    drop(desk);
    assert_eq!(mode(&folder.desk(), "198.18.1.1"), Mode::Suggest);
}

#[test]
fn after_the_panic_button_nothing_acts_for_anybody_until_a_person_says_so() {
    let folder = Folder::new("panic");
    let desk = folder.desk();
    desk.take("alice", Order::MakeRule(made("dst 198.18.7.7 proto udp -> drop"))).unwrap();
    desk.take(
        "alice",
        Order::Mode {
            prefix: prefix("2001:db8:7::/48"),
            mode: Some(ModeWord::Enforce),
            hold: None,
            reason: "why".into(),
        },
    )
    .unwrap();
    let before = desk.now().stamp();
    let panic = || Order::Panic { reason: "wrong target".into() };
    let first = desk.take("bob", panic()).unwrap();
    assert_eq!(desk.take("carol", panic()).unwrap()["id"], first["id"], "once is enough");
    let quiet = |desk: &Desk| {
        let view = desk.now();
        for of in ["198.18.7.7", "2001:db8:7::7", "198.18.1.1"] {
            assert_eq!(view.mode(&prefix(of)), Mode::Observe, "{of}");
        }
        assert!(!view.is_earnest() && view.rules().next().is_none());
        assert!(view.stand().1.unwrap().contains("panic off"));
    };
    quiet(&desk);
    assert_ne!(desk.now().stamp(), before);
    drop(desk);
    let desk = folder.desk();
    quiet(&desk);
    desk.take("bob", Order::Resume { reason: "found".into() }).unwrap();
    desk.take("bob", Order::Resume { reason: "again".into() }).unwrap();
    assert_eq!(desk.now().mode(&prefix("198.18.7.7")), Mode::Enforce);
    assert_eq!(desk.now().rules().count(), 1, "what a person asked for goes on while its time lasts");
}
