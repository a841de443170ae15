//! The table of a running system: its rules end in the kernel, whoever is dead by then.
//!
//! nftables has no rules with an end, but sets whose elements have one. Each rule with a lease has a number, and asks
//! first whether that is in the set `leases`. What is looked up has to be read from the packet: of its mark every bit is
//! replaced by the number's. The dead-man switch is such an element too, in the set `alive`: who has a lease asks for both.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base::Span;

use super::{FRAGMENTS, Out, compile, numbered};
use crate::rule::Rule;

/// What the table of a running system came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// For `nft -f`: replaces the table as a whole.
    pub file: String,
    /// Rules that nftables cannot say, by id, and why; they are not in force.
    pub unsaid: Vec<(String, String)>,
}

/// The table for packets that come in by these interfaces. `patience`: without [`alive`] for so long no rule with a lease
/// acts; those without one were made by hand, and stay.
pub fn running(rules: &[Rule], interfaces: &[String], patience: Option<Span>) -> Running {
    let Out { chains, walk, later, unsaid, .. } = compile(rules, Some(Leased { switch: patience.is_some() }));
    let names: Vec<String> = interfaces.iter().map(|name| format!("\"{name}\"")).collect();
    let elsewhere = format!("\t\tiifname != {{ {} }} accept\n", names.join(", "));
    let file = format!(
        "table inet spillway\ndelete table inet spillway\ntable inet spillway {{\n\
         \tset leases {{\n\t\ttype mark; flags timeout;{}\n\t}}\n\
         \tset alive {{\n\t\ttype mark; flags timeout;{}\n\t}}\n{chains}\
         \tchain later_fragments {{\n{later}\t}}\n\
         \tchain prerouting {{\n\t\ttype filter hook prerouting priority -450; policy accept;\n\
         {elsewhere}{FRAGMENTS}{walk}\t}}\n}}\n",
        elements(&held(rules)),
        elements(&patience.map(|patience| (1, patience)).into_iter().collect::<Vec<_>>()),
    );
    Running { file, unsaid }
}

/// Commands that give the rules of the table their leases anew, from now on. They must be those it was made of.
pub fn leases(rules: &[Rule]) -> String {
    renewal("leases", &held(rules))
}

/// Commands that say that whoever made the rules lives.
pub fn alive(patience: Span) -> String {
    renewal("alive", &[(1, patience)])
}

/// Numbers of rules with leases.
fn held(rules: &[Rule]) -> Vec<(u32, Span)> {
    numbered(rules).filter_map(|(number, rule)| Some((number, rule.lease?))).collect()
}

/// In one transaction: an element that is there would keep its old end.
fn renewal(set: &str, held: &[(u32, Span)]) -> String {
    let flush = format!("flush set inet spillway {set}\n");
    match held {
        [] => flush,
        held => format!("{flush}add element inet spillway {set} {{ {} }}\n", list(held)),
    }
}

fn elements(held: &[(u32, Span)]) -> String {
    if held.is_empty() { String::new() } else { format!(" elements = {{ {} }}", list(held)) }
}

fn list(held: &[(u32, Span)]) -> String {
    let one = |(number, span): &(u32, Span)| {
        // A lease shorter than a second is none; nftables would take 0 for no end at all.
        let seconds = span.nanos().div_ceil(1_000_000_000).max(1);
        format!("{number:#x} timeout {seconds}s")
    };
    held.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How leases are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leased {
    /// There is a dead-man switch.
    switch: bool,
}

impl Leased {
    /// Holds while the number is in the set, and somebody lives.
    pub(super) fn guard(self, number: u32) -> String {
        let alive = if self.switch { "meta mark & 0x0 | 0x1 @alive " } else { "" };
        format!("{alive}meta mark & 0x0 | {number:#x} @leases ")
    }
}
