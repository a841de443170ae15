//! What the brain and its absorbers say to each other.

use steer::absorb::word::{Ask, Back, Declared, Hold, Kind, Load, Reason, Report, Tell, Traffic, VERSION};
use steer::absorb::{Frames, Site, write};

use super::Target;
use crate::measure::{Outcome, within};

pub(super) const TARGET: Target = Target { name: "absorb", seeds, run };

/// A document of two octets an entry may become entries of a hundred, and the site remembers what it takes.
fn most(input: &[u8]) -> u64 {
    256 * 1024 + 256 * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

fn run(input: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut decoded = 0;
    let mut site = Site::new("site", declared());
    let mut frames = Frames::default();
    frames.push(input);
    let now = base::Timestamp::from_secs(1);
    loop {
        match within(most(input), || frames.take::<Ask>()) {
            Ok(Some(ask)) => {
                decoded += 1;
                again(&ask);
                let _ = within(most(input), || site.handle(now, "brain", ask));
                let _ = site.settle(Ok(()));
                assert!(site.prefixes().count() <= declared().held, "more is held than may be");
                assert!(site.rules(now).len() <= declared().rules, "more rules than there is room");
            }
            Ok(None) => break,
            Err(fault) => {
                outcome = outcome.with(fault.name());
                break;
            }
        }
    }
    let mut frames = Frames::default();
    frames.push(input);
    while let Ok(Some(tell)) = within(most(input), || frames.take::<Tell>()) {
        decoded += 1;
        again(&tell);
    }
    Outcome { faults: outcome.faults, ..Outcome::of(decoded) }
}

/// What was read is written so that it reads the same.
fn again<T>(message: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let mut frames = Frames::default();
    frames.push(&write(message).expect("what came in a frame fits one"));
    assert_eq!(
        frames.take::<T>().expect("it was written by us").as_ref(),
        Some(message),
        "written otherwise"
    );
}

fn declared() -> Declared {
    Declared {
        kind: Kind::Scrub,
        prefixes: vec![(prefix("198.51.100.0/24"), Back::Gre), (prefix("2001:db8::/32"), Back::Routed)],
        capacity: Load { bps: 1_000_000, pps: 1000 },
        rules: 4,
        held: 3,
        counts: true,
    }
}

fn prefix(text: &str) -> base::Prefix {
    text.parse().expect("a seed is a prefix")
}

fn seeds() -> Vec<Vec<u8>> {
    let place = prefix("198.51.100.0/24");
    let rules = vec!["r dst 198.51.100.7/32 proto udp -> drop".to_owned()];
    let asks = [
        Ask::Hello { version: VERSION, name: "brain".to_owned() },
        Ask::Take { number: 1, prefix: place, rules, expects: Load { bps: 1, pps: 1 }, lease: 60 },
        Ask::Renew { number: 2, lease: 60, holds: vec![(place, "00".to_owned())] },
        Ask::Release { number: 3, prefix: place },
    ];
    let hold = Hold { prefix: place, digest: "00".to_owned(), left_ms: 7 };
    let report = Report {
        prefixes: vec![(place, Traffic::default())],
        rules: vec![("r".to_owned(), 5, 3)],
        ..Report::default()
    };
    let tells = [
        Tell::Welcome { version: VERSION, name: "site".to_owned(), declared: declared(), holds: vec![hold] },
        Tell::Taken { number: 1, prefix: place, digest: "00".to_owned(), lease: 60 },
        Tell::Refused { number: 1, prefix: place, why: Reason::Full, text: "full".to_owned() },
        Tell::Holds { number: 2, holds: Vec::new() },
        Tell::Ended { prefix: place },
        Tell::Report(report),
        Tell::Wrong { text: "no".to_owned() },
    ];
    let asked = asks.iter().filter_map(|ask| write(ask).ok());
    let told = tells.iter().filter_map(|tell| write(tell).ok());
    let all: Vec<Vec<u8>> = asks.iter().filter_map(|ask| write(ask).ok()).collect();
    asked.chain(told).chain([all.concat()]).collect()
}
