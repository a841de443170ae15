//! BGP messages: read one by one, and as a peer that says them to an established session.

use std::net::Ipv4Addr;

use base::Timestamp;
use steer::bgp::session::{Farewell, Output};
use steer::bgp::step::State;
use steer::bgp::{Dialect, Input, Session, Settings};
use wire::bgp::traffic::Traffic;
use wire::bgp::{Family, Frame, Handling, Kind, Notification, Open, Update, frame, keepalive};

use super::Target;
use crate::measure::{Outcome, within};
use crate::seeds;

pub(super) const TARGET: Target = Target { name: "bgp", seeds: seeds::bgp, run };

const LOCAL_AS: u32 = 65010;
const PEER_AS: u32 = 65020;

/// The first octet says whether AS numbers have four octets, the rest is the stream.
fn run(input: &[u8]) -> Outcome {
    let Some((first, stream)) = input.split_first() else { return Outcome::of(0) };
    let four = first & 1 == 0;
    // A default route takes one octet, and forty when it is read; lists grow by doubling.
    let most = 96 * 1024 + 128 * u64::try_from(stream.len()).unwrap_or(u64::MAX);
    let read = within(most, || messages(stream, four));
    within(most, || session(stream));
    read
}

/// What stands in the stream, up to what ends the session.
fn messages(mut stream: &[u8], four: bool) -> Outcome {
    let (mut count, mut outcome) = (0, Outcome::of(0));
    loop {
        match frame(stream) {
            Ok(Some(message)) => {
                count += 1;
                stream = stream.get(message.length..).unwrap_or_default();
                outcome = one(outcome, message, four);
            }
            Ok(None) => break,
            Err(why) => {
                assert!(matches!(why.code, 1), "{why}");
                outcome = outcome.with("header");
                break;
            }
        }
    }
    Outcome { decoded: Outcome::of(count).decoded, ..outcome }
}

fn one(outcome: Outcome, message: Frame<'_>, four: bool) -> Outcome {
    match message.kind {
        Kind::Open => match Open::read(message.body) {
            Ok(open) => {
                assert!(!open.families().is_empty() && open.asn > 0);
                let whole = open.write();
                assert!(Open::read(whole.get(wire::bgp::HEADER..).unwrap_or_default()).is_ok());
                outcome.with(if open.graceful_restart().is_some() { "restarts" } else { "open" })
            }
            Err(why) => {
                assert_eq!(why.code, 2, "{why}");
                outcome.with("refused open")
            }
        },
        Kind::Update => match Update::read(message.body, four) {
            Ok(update) => {
                let _ = (update.attributes.origin_as(), Traffic::all(&update.attributes));
                let routes = update.announced.len() + update.withdrawn.len();
                assert!(routes <= message.body.len());
                for flows in &update.flowspec {
                    let read = rules::parse::flowspec::read(&flows.octets, flows.family.afi == 2);
                    let octets: usize = read.map(|flow| flow.nlri.len()).sum();
                    assert_eq!(octets, flows.octets.len(), "each octet is of one route");
                }
                outcome.with(match update.handling {
                    Handling::Fine => "update",
                    Handling::AttributeDiscard(_) => "attribute discard",
                    Handling::TreatAsWithdraw(_) => "treat as withdraw",
                    Handling::DisableFamily(..) => "disable family",
                })
            }
            Err(why) => {
                assert_eq!(why.code, 3, "{why}");
                outcome.with("refused update")
            }
        },
        Kind::Notification => {
            let why = Notification::read(message.body);
            let text = why.map(|why| why.to_string()).unwrap_or_default();
            assert!(!text.chars().any(char::is_control), "{text}");
            outcome.with("notification")
        }
        Kind::RouteRefresh => match wire::bgp::route_refresh(message.body) {
            Some(_) => outcome.with("refresh"),
            None => outcome.with("refresh unknown"),
        },
        Kind::Keepalive => outcome.with("keepalive"),
    }
}

/// An established session hears the stream. It goes on, or ends with a NOTIFICATION of one of the sides.
fn session(stream: &[u8]) {
    let now = Timestamp::from_secs(1_000_000);
    let mut session = Session::new(settings(), false);
    session.handle(now, Input::Start);
    session.handle(now, Input::Connected);
    session.handle(now, Input::Received(&seeds::open(PEER_AS)));
    session.handle(now, Input::Received(&keepalive()));
    while session.poll_output().is_some() {}
    assert_eq!(session.state(), State::Established);
    let (mut ended, mut said) = (false, false);
    for piece in stream.chunks(1000) {
        session.handle(now, Input::Received(piece));
        while let Some(output) = session.poll_output() {
            match output {
                Output::Down(_) => ended = true,
                Output::Send(octets) => said |= octets.get(18) == Some(&3),
                _ => {}
            }
        }
    }
    assert_eq!(session.state() == State::Established, !ended);
    assert!(!ended || said || notifies(stream), "it ended without a reason");
}

/// Whether the peer ends it by its own word.
fn notifies(mut stream: &[u8]) -> bool {
    while let Ok(Some(message)) = frame(stream) {
        if message.kind == Kind::Notification {
            return true;
        }
        stream = stream.get(message.length..).unwrap_or_default();
    }
    false
}

fn settings() -> Settings {
    Settings {
        local_as: LOCAL_AS,
        peer_as: PEER_AS,
        id: Ipv4Addr::new(192, 0, 2, 1),
        families: Family::ALL.to_vec(),
        hold_time: 90,
        patience: 0,
        restart_time: Some(120),
        on_stop: Farewell::Withdraw,
        dialect: Dialect::default(),
    }
}
