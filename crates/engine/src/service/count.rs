//! What a span shows of a service.

use std::collections::BTreeSet;

use base::units::{PacketCount, PacketRate};
use base::{Span, Timestamp};

use super::{Kind, Known, Question, Services};

/// What was seen of a service in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// In how long.
    pub span: Span,
    /// Peers that were served.
    pub peers: u64,
    /// Of these, known ones.
    pub known: u64,
    /// Known peers that asked to connect, as many as were sure to have asked.
    pub syn: u64,
    /// Of these, accepted.
    pub syn_ack: u64,
    /// Of these, those whose connection went on.
    pub connected: u64,
    /// Requests of known peers, as many as were really seen.
    pub requests: u64,
    /// Of these, answered.
    pub answers: u64,
    /// All packets that came to it, estimated.
    pub load: PacketRate,
    /// Records that one example of what own hosts send stands for, about: where it grows, fewer of those served are seen.
    pub each: f64,
}

/// A sum of weights, and how many independent observations it is worth.
#[derive(Clone, Copy, Default)]
struct Sum {
    all: f64,
    squares: f64,
}

impl Sum {
    #[expect(clippy::cast_precision_loss, reason = "packets of a few seconds")]
    fn add(&mut self, packets: u64) {
        self.all += packets as f64;
        self.squares += (packets as f64).powi(2);
    }

    fn observations(self) -> f64 {
        if self.squares > 0.0 { self.all * self.all / self.squares } else { 0.0 }
    }

    /// The share that `part` is of this, at most 1.
    fn share(self, part: Self) -> f64 {
        if self.all > 0.0 { (part.all / self.all).min(1.0) } else { 0.0 }
    }
}

pub(super) fn count(
    services: &Services,
    asked: &Question,
    known: &Known,
    (from, to): (Timestamp, Timestamp),
) -> Served {
    let span = to.since(from);
    let (mut syn, mut syn_ack, mut requests, mut answers) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    let (mut peers, mut accepted, mut connected) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut load, mut sent) = (0_u64, (0_u64, 0_u64));
    for page in services.pages(from, to) {
        sent = (sent.0 + page.sent.0, sent.1 + page.sent.1);
        for talk in page.talks.iter().filter(|talk| asked.is_about(talk.host)) {
            let pair = (talk.host, talk.peer);
            if talk.received {
                load = load.saturating_add(talk.packets);
            }
            if talk.kind.serves() {
                peers.insert(pair);
            }
            if !known.peers.contains(&pair) {
                continue;
            }
            match talk.kind {
                Kind::Syn => syn.add(talk.packets),
                Kind::SynAck => {
                    syn_ack.add(talk.packets);
                    accepted.insert(pair);
                }
                Kind::Connected => {
                    connected.insert(pair);
                }
                Kind::Request => requests.add(talk.packets),
                Kind::Answer => answers.add(talk.packets),
                Kind::Other => {}
            }
        }
    }
    let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let accept = syn.share(syn_ack);
    let (asking, accepting) = if accepted.is_empty() {
        (rounded(syn.observations()), 0)
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a count of peers")]
        let all = accepted.len() as f64 / if accept > 0.0 { accept } else { 1.0 };
        (rounded(all.min(syn.observations().max(accepted.len() as f64))), whole(accepted.len()))
    };
    let observed = match (requests.observations(), answers.observations()) {
        (asked, answered) if answered > 0.0 => asked.min(answered / requests.share(answers).max(0.01)),
        (asked, _) => asked,
    };
    #[expect(clippy::cast_precision_loss, reason = "examples of a few seconds")]
    let each = if sent.0 > 0 { sent.1 as f64 / 256.0 / sent.0 as f64 } else { 1.0 };
    Served {
        span,
        peers: whole(peers.len()),
        known: whole(peers.intersection(&known.peers).count()),
        syn: asking,
        syn_ack: accepting,
        connected: whole(accepted.intersection(&connected).count()),
        requests: rounded(observed),
        answers: rounded(observed * requests.share(answers)),
        load: PacketCount(load).per(span).unwrap_or_default(),
        each,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, never negative")]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}
