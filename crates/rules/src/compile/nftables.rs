//! A file for `nft -f`: one base chain ahead of defragmentation, so that fragments are seen as they come.
//!
//! Each rule has exactly one line with a counter and its id. A rule that nftables has to ask in several ways (two
//! families, a list of flag tests) gets a chain of its own, and every way goes there.
//!
//! Fragments other than the first go to a chain of their own, without the rules that ask for the header behind IP:
//! kernel 6.18 was seen to read `th` of such an IPv6 fragment from the IPv6 header.

mod running;
mod terms;

use running::Leased;
pub use running::{Running, alive, leases, running};
pub use terms::ways;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::family::Family;
use crate::limit::BURST_SECONDS;
use crate::order;
use crate::overlap;
use crate::rule::{Action, Per, Rule};

/// nftables takes whole numbers per second, minute, hour or day.
const PERIODS: [(&str, f64); 4] = [("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86_400.0)];
/// The kernel charges each packet a whole number of nanoseconds.
const PACKETS_MAX: f64 = 1e9;

/// The complete file. It replaces the table as a whole.
pub fn file(rules: &[Rule]) -> String {
    let Out { errors, chains, walk, later, .. } = compile(rules, None);
    format!(
        "# Spillway: load with `nft -f`; remove with `nft delete table inet spillway`.\n{errors}\
         table inet spillway\ndelete table inet spillway\ntable inet spillway {{\n{chains}\
         \tchain later_fragments {{\n{later}\t}}\n\
         \tchain prerouting {{\n\t\ttype filter hook prerouting priority -450; policy accept;\n\
         {FRAGMENTS}{walk}\t}}\n}}\n"
    )
}

/// Where fragments other than the first go.
const FRAGMENTS: &str = "\t\tip frag-off & 0x1fff != 0 goto later_fragments\n\
                         \t\tmeta nfproto ipv6 frag frag-off != 0 goto later_fragments\n";

/// Rules in the order in which they decide, each with its number.
fn numbered(rules: &[Rule]) -> impl Iterator<Item = (u32, &Rule)> {
    let mut deciding: Vec<&Rule> = rules.iter().collect();
    deciding.sort_by(|a, b| order::rules(a, b));
    (1u32..).zip(deciding)
}

/// The lines of all rules; `leased`: each with a lease asks first whether that holds.
fn compile(rules: &[Rule], leased: Option<Leased>) -> Out {
    let mut out = Out { leased, ..Out::default() };
    let mut unsaid: Vec<&Rule> = Vec::new();
    for (number, rule) in numbered(rules) {
        let ways = ways(&rule.matches).and_then(|ways| {
            beside(rule, &unsaid)?;
            Ok(ways)
        });
        match ways {
            Ok(ways) => out.rule(number, rule, &ways),
            Err(reason) => {
                out.error(rule, &reason);
                unsaid.push(rule);
            }
        }
    }
    out
}

/// Whether the rule would mean the same behind rules that are not in the file.
fn beside(rule: &Rule, unsaid: &[&Rule]) -> Result<(), String> {
    let spares = |other: &&&Rule| {
        let harsher = other.action != Action::Drop && rule.action != Action::Pass;
        let share = |family| overlap::may_share(&rule.matches, &other.matches, family);
        harsher && Family::ALL.into_iter().any(share)
    };
    match unsaid.iter().find(spares) {
        Some(other) => Err(format!(
            "it would also act on packets that `{0}` decides before it, and nftables cannot say `{0}`",
            other.id
        )),
        None => Ok(()),
    }
}

/// The file under construction.
#[derive(Default)]
struct Out {
    leased: Option<Leased>,
    /// What the rule at hand asks first.
    guard: String,
    errors: String,
    /// Ids of rules that are not as they were written.
    unsaid: Vec<(String, String)>,
    chains: String,
    walk: String,
    later: String,
}

impl Out {
    fn error(&mut self, rule: &Rule, reason: &str) {
        self.errors.push_str(&format!("# {}: error: {reason}\n", rule.id));
        self.unsaid.push((rule.id.clone(), reason.to_string()));
    }

    fn rule(&mut self, number: u32, rule: &Rule, ways: &[String]) {
        let id = &rule.id;
        if rule.sample.is_some() {
            return self.spare(rule, ways, "nftables takes no samples with what became of the packet");
        }
        if rule.per != Per::Rule {
            return self.spare(
                rule,
                ways,
                "rates per source or destination need a table in nftables, which spoofed packets fill",
            );
        }
        let leased = self.leased.filter(|_| rule.lease.is_some());
        self.guard = leased.map_or_else(String::new, |leased| leased.guard(number));
        let verdict = match rule.action {
            Action::Pass => format!("counter accept comment \"{id}\""),
            Action::Drop => format!("counter drop comment \"{id}\""),
            Action::RatePackets(rate) | Action::RateBits(rate) if rate <= 0.0 => {
                format!("counter drop comment \"{id}\"")
            }
            Action::RatePackets(rate) => match whole(rate).filter(|_| rate <= PACKETS_MAX) {
                None => return self.spare(rule, ways, "nftables limits to at most 1Gpps"),
                Some((count, period)) => {
                    let burst = libm::fmax(libm::floor(rate * BURST_SECONDS), 1.0);
                    let limit = format!("limit rate over {count}/{period} burst {burst} packets");
                    format!("counter {limit} drop comment \"{id}\"\n\t\taccept")
                }
            },
            Action::RateBits(rate) => match whole(rate / 8.0) {
                None => return self.spare(rule, ways, "nftables limits to at most 144Gbps"),
                Some((count, period)) => {
                    let limit = format!("limit rate over {count} bytes/{period}");
                    format!("counter {limit} drop comment \"{id}\"\n\t\taccept")
                }
            },
            Action::Challenge(_) => return self.spare(rule, ways, "nftables cannot challenge a source"),
            Action::Redirect(_) => {
                return self.spare(rule, ways, "nftables cannot lead packets to another next hop");
            }
            Action::Tunnel(..) => return self.spare(rule, ways, "nftables cannot put packets into a tunnel"),
        };
        match ways {
            [way] if !verdict.contains('\n') && places(rule).count() == 1 => self.line(rule, way, &verdict),
            _ => {
                self.chains.push_str(&format!("\tchain r{number} {{\n\t\t{verdict}\n\t}}\n"));
                for way in ways {
                    self.line(rule, way, &format!("goto r{number}"));
                }
            }
        }
    }

    /// A rule whose match can be said but not its action: its packets go on, so that no later rule takes them.
    fn spare(&mut self, rule: &Rule, ways: &[String], reason: &str) {
        self.error(rule, reason);
        for way in ways {
            self.line(rule, way, "accept");
        }
    }

    fn line(&mut self, rule: &Rule, way: &str, verdict: &str) {
        let blank = if way.is_empty() { "" } else { " " };
        let line = format!("\t\t{}{way}{blank}{verdict}\n", self.guard);
        for place in places(rule) {
            match place {
                Place::Walk => self.walk.push_str(&line),
                Place::Later => self.later.push_str(&line),
            }
        }
    }
}

/// Where a rule can meet packets.
#[derive(Clone, Copy)]
enum Place {
    /// Whole packets and first fragments.
    Walk,
    /// All other fragments.
    Later,
}

fn places(rule: &Rule) -> impl Iterator<Item = Place> {
    let m = &rule.matches;
    let only_later = m.fragment.is_some_and(|f| !f.none && !f.first && !f.dont);
    let never_later = overlap::needs_transport(m) || m.fragment.is_some_and(|f| !f.is && !f.last && !f.dont);
    let places = [(!only_later, Place::Walk), (!never_later, Place::Later)];
    places.into_iter().filter(|(there, _)| *there).map(|(_, place)| place)
}

/// A rate as a whole number per period. Where no period makes it whole, the longest that the kernel can count in is
/// taken and the number rounded up. `None` above what the kernel can count at all.
fn whole(rate: f64) -> Option<(f64, &'static str)> {
    // The kernel multiplies the number by the nanoseconds of the period, in 64 bits.
    let fits = |count: f64, seconds: f64| count >= 1.0 && count * seconds * 1e9 < 1.8e19;
    let counts = || PERIODS.iter().map(|(name, seconds)| (rate * seconds, *seconds, *name));
    let exact = counts().find(|(count, seconds, _)| libm::floor(*count) >= *count && fits(*count, *seconds));
    let rounded =
        || counts().map(|(count, seconds, name)| (libm::fmax(libm::ceil(count), 1.0), seconds, name));
    let longest = || rounded().rfind(|(count, seconds, _)| fits(*count, *seconds));
    exact.or_else(longest).map(|(count, _, name)| (count, name))
}
