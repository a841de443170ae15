//! Own hosts that ask very many others, or very many ports, and hardly get an answer: outgoing scans. What comes in is the
//! noise of the Internet and no attack.

use alloc::format;
use alloc::string::ToString;

use crate::evidence::Terms;

/// The vector's fixed name.
pub const NAME: &str = "scan";

/// Answers to one SYN, of those who talk to what is there and of those who try what may be there.
const ANSWERED: (f64, f64) = (0.7, 0.1);
/// Missing answers say all they can when they are so unlikely, in nats: thirty SYNs without any.
const SURE: f64 = 18.0;

/// What one own host asked of foreign ones lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking {
    /// SYNs per second.
    pub rate: f64,
    /// What is harmless.
    pub floor: f64,
    /// SYNs looked at.
    pub examples: u64,
    /// Of these, different pairs of address and port.
    pub places: u64,
    /// Different addresses.
    pub hosts: u64,
    /// Different ports.
    pub ports: u64,
    /// Share of the commonest port.
    pub port_top: f64,
    /// SYN-ACKs that came back, for one SYN.
    pub answered: f64,
    /// Packets in open connections that it sends, for one SYN.
    pub carried_on: f64,
}

/// What speaks for and against a scan.
#[expect(clippy::cast_precision_loss, reason = "shares of counts")]
pub fn judge(a: &Asking) -> Terms {
    let mut terms = Terms::default();
    let over = a.rate / a.floor.max(1.0);
    terms.say(
        match over {
            over if over < 1.0 => -6.0,
            // Hardly more than what is harmless says hardly anything.
            over if over < 2.0 => 1.0,
            _ => 3.0 + libm::log(over).min(4.0),
        },
        format!("an own host asks for {:.0} connections/s, {over:.1} times what is harmless", a.rate),
    );
    let fresh = a.places as f64 / a.examples.max(1) as f64;
    if fresh >= 0.5 {
        terms.say(3.0, format!("{} SYNs to {} places: it seldom asks twice", a.examples, a.places));
    } else {
        terms.say(-8.0, format!("{} SYNs to {} places only", a.examples, a.places));
    }
    let weight = match a.answered {
        // A few samples miss a few answers by chance: the ratio of the likelihoods, both numbers being Poisson's.
        share if share < 0.2 => {
            let (honest, scan) = ANSWERED;
            let nats = a.examples as f64 * (honest - scan - share * libm::log(honest / scan));
            4.0 * (nats / SURE).clamp(0.0, 1.0)
        }
        share if share > 0.5 => -8.0,
        _ => 0.0,
    };
    terms.say(weight, format!("{:.0} % are answered", a.answered.min(1.0) * 100.0));
    if a.carried_on >= 5.0 {
        terms.say(-4.0, format!("{:.0} packets in open connections to one SYN: many users", a.carried_on));
    } else if a.carried_on < 1.0 {
        terms.say(1.0, "it hardly talks otherwise".to_string());
    }
    if a.port_top >= 0.8 && a.hosts > 1 {
        terms.say(1.5, format!("{:.0} % to one port of {} hosts", a.port_top * 100.0, a.hosts));
    } else if a.hosts * 10 <= a.ports {
        terms.say(1.5, format!("{} ports of {} hosts", a.ports, a.hosts));
    }
    terms
}
