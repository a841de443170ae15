//! The beam search: from a shape to the conjunction of facts that is worth most.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use rules::Match;
use rules::collateral::{self, Tally};
use wire::packet::{ICMP, ICMP6};

use super::bits::Bits;
use super::fact::{Ask, Fact, NUMERIC, Slot};
use super::harvest;
use super::row::{Answer, Row, Unknown, holds};
use super::shape::{Kind, Segment, Shape};
use super::work::{self, Work};

/// Facts of a shape that are tried at most; the first offered stay.
pub(crate) const ITEMS_MAX: usize = 96;
/// Conjunctions carried from one depth to the next.
pub(crate) const WIDTH: usize = 12;
/// Facts of a conjunction at most.
pub(crate) const DEPTH: usize = 5;

/// Weight of the share of honest packets lost, and of honest peers hit, against the share of the attack covered.
const BETA: f64 = 4.0;
/// What harming anyone at all costs.
const HARM: f64 = 0.05;
/// What breaking the bound costs: conjunctions that do are only a way to better ones.
const UNFAIR: f64 = 0.2;
/// The pull of each fully tight fact.
const TIGHT: f64 = 0.05;
/// Covering more of a shape than this is worth nothing: the last few may be honest, and a rule stretched to hold them
/// says less about the attack.
const NEARLY: f64 = 0.975;
/// What a narrowed rule still covers of its shape.
const STILL: f64 = 0.97;
/// Fewer honest samples of a shape than this say little about it.
const THIN: usize = 30;

/// Everything that is looked at.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) attack: Vec<Row>,
    /// Of the targets, then of hosts like them.
    pub(crate) benign: Vec<Row>,
    /// How likely the targets are of each kind of host.
    kinds: Vec<f64>,
    /// The targets' own honest rows, and how many.
    own: (Bits, usize),
    /// For each benign row the number of its peer.
    peer_of: Vec<usize>,
    pub(crate) peers: usize,
    /// Peers of the targets themselves.
    own_peers: usize,
    pub(crate) collateral_max: f64,
    /// Share of the attack rows that is attack.
    pub(crate) attack_share: f64,
    pub(super) work: Work,
}

/// Attack rows of one shape.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    /// Attack rows not covered yet.
    pub(crate) left: Bits,
    /// Honest rows of (or feared to be of) the shape.
    pub(crate) benign: Bits,
}

/// Whether this honest row is not looked at when facts are made: every second one of other hosts.
pub(crate) const fn is_kept_back(at: usize, row: &Row) -> bool {
    row.kin.is_some() && at % 2 == 1
}

/// A possible rule.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(crate) matches: Match,
    /// Attack rows it covers, of those not covered before.
    pub(crate) attack: Bits,
    /// Honest rows it hits.
    pub(crate) benign: Bits,
    /// Within the collateral that is left.
    pub(crate) fair: bool,
    /// Whether some of its values were chosen with an eye on honest packets.
    pub(crate) fitted: bool,
}

/// Which of a shape's facts: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u128);

impl Facts {
    const NONE: Self = Self(0);

    const fn with(self, at: usize) -> Self {
        Self(self.0 | 1 << at)
    }

    const fn holds(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Those of `items`, in the order in which they were offered.
    fn of(self, items: &[Item]) -> impl Iterator<Item = &Item> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let at = usize::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
            left &= left - 1;
            items.get(at)
        })
    }

    /// By number, then by the order in which they were offered: whoever has the first that is not in both.
    fn order(self, other: Self) -> Ordering {
        let differ = self.0 ^ other.0;
        let first = differ & differ.wrapping_neg();
        let by_first = if differ == 0 {
            Ordering::Equal
        } else if self.0 & first != 0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        self.0.count_ones().cmp(&other.0.count_ones()).then(by_first)
    }
}

#[derive(Clone, Debug)]
struct State {
    facts: Facts,
    attack: Bits,
    benign: Bits,
    score: f64,
    fair: bool,
}

/// A conjunction that could be grown from one of the beam.
#[derive(Clone, Copy)]
struct Step {
    facts: Facts,
    from: usize,
    at: usize,
    score: f64,
    fair: bool,
}

struct Item {
    fact: Fact,
    attack: Bits,
    benign: Bits,
}

/// Rows of one side, by what they answer to the questions about each number that is asked for.
struct Columns<'a> {
    of: &'a Bits,
    rows: &'a [Row],
    unknown: Unknown,
    answers: Vec<(Slot, Vec<Answer>)>,
}

impl<'a> Columns<'a> {
    fn of(facts: &[Fact], of: &'a Bits, rows: &'a [Row], unknown: Unknown) -> Self {
        let asked = NUMERIC.into_iter().filter(|slot| facts.iter().any(|fact| fact.slot == *slot));
        let column = |slot| of.iter().filter_map(|i| Some(Answer::of(slot, rows.get(i)?, unknown))).collect();
        let answers = asked.map(|slot| (slot, column(slot))).collect();
        Self { of, rows, unknown, answers }
    }

    /// Those for which a fact holds.
    fn ask(&self, fact: &Fact) -> Bits {
        let mut bits = Bits::empty(self.rows.len());
        let column = self.answers.iter().find(|(slot, _)| *slot == fact.slot);
        if let (Ask::Numbers(numbers), Some((_, answers))) = (&fact.ask, column) {
            for (i, _) in self.of.iter().zip(answers).filter(|(_, answer)| answer.is_in(numbers)) {
                bits.set(i);
            }
            return bits;
        }
        let m = fact.matches();
        for i in self.of.iter() {
            if self.rows.get(i).is_some_and(|r| holds(&m, r, self.unknown)) {
                bits.set(i);
            }
        }
        bits
    }
}

impl Arena {
    pub(crate) fn new(
        attack: Vec<Row>,
        (benign, kinds): (Vec<Row>, Vec<f64>),
        collateral_max: f64,
        attack_share: f64,
        work: Work,
    ) -> Self {
        work.spend(attack.len() + benign.len(), work::ROW);
        let distinct = |rows: &mut dyn Iterator<Item = &Row>| {
            let mut peers: Vec<u128> = rows.map(|r| r.peer).collect();
            peers.sort_unstable();
            peers.dedup();
            peers
        };
        let addresses = distinct(&mut benign.iter());
        let peer_of =
            benign.iter().map(|r| addresses.binary_search(&r.peer).unwrap_or_else(|at| at)).collect();
        let own = Bits::of(benign.len(), |i| benign.get(i).is_some_and(|r| r.kin.is_none()));
        let own_peers = distinct(&mut benign.iter().filter(|r| r.kin.is_none())).len();
        let (own, peers) = ((own.clone(), own.count()), addresses.len());
        Self { attack, benign, kinds, own, peer_of, peers, own_peers, collateral_max, attack_share, work }
    }

    /// The kinds of host of whom there are rows, with nothing counted yet.
    pub(crate) fn kinds(&self) -> Vec<collateral::Kin> {
        let kin =
            self.kinds.iter().map(|weight| collateral::Kin { weight: *weight, tally: Tally::default() });
        kin.collect()
    }

    /// Distinct peers among honest rows.
    pub(crate) fn peers_in(&self, benign: &Bits) -> usize {
        let mut seen = Bits::empty(self.peers);
        self.work.spend(benign.count(), work::PEER);
        for peer in benign.iter().filter_map(|i| self.peer_of.get(i)) {
            seen.set(*peer);
        }
        seen.count()
    }

    /// Whether losing these honest rows besides those harmed already is within bounds: shares of what was seen, so that
    /// little evidence allows none.
    fn is_fair(&self, benign: &Bits, harmed: &Bits) -> bool {
        let bound = |n: usize| self.collateral_max * n as f64;
        let count = benign.count();
        if count == 0 {
            return true;
        }
        if count as f64 > bound(self.benign.len()) {
            return false;
        }
        let lost = benign.or(harmed);
        let of_own = lost.and(&self.own.0);
        // What was seen of the targets themselves counts by itself, too: others do not water it down.
        lost.count() as f64 <= bound(self.benign.len())
            && of_own.count() as f64 <= bound(self.own.1)
            && self.peers_in(&lost) as f64 <= bound(self.peers)
            && self.peers_in(&of_own) as f64 <= bound(self.own_peers)
    }

    /// The best rule for what is left of `cell`, when `harmed` honest rows are lost already: the best fair one, else
    /// the best of all, of those that could be looked at.
    pub(crate) fn best(&self, cell: &Cell, harmed: &Bits) -> Option<Pick> {
        let rows: Vec<&Row> = cell.left.iter().filter_map(|i| self.attack.get(i)).collect();
        let of_cell = || cell.benign.iter().filter_map(|i| Some((i, self.benign.get(i)?)));
        // Facts are made around half of the other hosts' packets, and judged by all: values chosen because nobody honest was
        // seen with them are only worth something when the next honest packets do not have them either.
        let seen = of_cell().filter(|(i, row)| !is_kept_back(*i, row));
        let seen: Vec<&Row> = seen.map(|(_, row)| row).collect();
        let honest = of_cell().count();
        if rows.is_empty() || self.work.is_spent() {
            return None;
        }
        let words = (self.attack.len() + 2 * self.benign.len()) / 64;
        let items = self.items(cell, &rows, &seen);
        let total = self.attack.len() as f64;
        let size = rows.len() as f64 / total;
        let rate = |facts: Facts, attack: usize, benign: &Bits| {
            let (mut tight, mut cost) = (0.0, 0.0);
            for item in facts.of(&items) {
                tight += item.fact.tight;
                cost += item.fact.cost();
            }
            let tight = TIGHT * f64::min(tight, cell.shape.tight_enough());
            let covered = (attack as f64 / total).min(NEARLY * self.attack_share * size);
            let lost = benign.count();
            let fair = self.is_fair(benign, harmed);
            let harm = if lost == 0 {
                0.0
            } else {
                // Peers cost time to count, and where the bound is broken they decide nothing.
                let peers = if fair { self.peers_in(benign) as f64 / self.peers as f64 } else { 0.0 };
                let unfair = if fair { 0.0 } else { UNFAIR };
                BETA * (lost as f64 / self.benign.len() as f64 + peers) + (HARM + unfair) * size
            };
            (covered * (1.0 + tight) - cost * size - harm, fair)
        };
        let (score, fair) = rate(Facts::NONE, rows.len(), &cell.benign);
        let root =
            State { facts: Facts::NONE, attack: cell.left.clone(), benign: cell.benign.clone(), score, fair };
        let (mut fairest, mut any) = (root.clone(), root.clone());
        let mut beam = vec![root];
        for _ in 0..DEPTH {
            let mut next: Vec<Step> = Vec::new();
            let mut lost = Bits::default();
            for (from, state) in beam.iter().enumerate() {
                let used: Vec<Slot> = state.facts.of(&items).map(|i| i.fact.slot).collect();
                let before = beam.get(..from).unwrap_or(&[]);
                for (at, item) in items.iter().enumerate().filter(|(_, i)| !used.contains(&i.fact.slot)) {
                    if self.work.is_spent() {
                        break;
                    }
                    // Most conjunctions can be grown from several others; the first one does.
                    let facts = state.facts.with(at);
                    if before.iter().any(|other| facts.holds(other.facts)) {
                        continue;
                    }
                    self.work.spend(words, work::WORD);
                    let count = state.attack.count_and(&item.attack);
                    if count * 50 < rows.len() || count < 2 {
                        continue;
                    }
                    self.work.spend(1, work::WEIGH);
                    lost.become_and(&state.benign, &item.benign);
                    let (score, fair) = rate(facts, count, &lost);
                    next.push(Step { facts, from, at, score, fair });
                }
            }
            let by_worth = |a: &Step, b: &Step| order((a.score, a.facts), (b.score, b.facts));
            let best_fair = next.iter().filter(|step| step.fair).min_by(|a, b| by_worth(a, b)).copied();
            if next.len() > WIDTH {
                next.select_nth_unstable_by(WIDTH - 1, by_worth);
                next.truncate(WIDTH);
            }
            next.sort_unstable_by(by_worth);
            let grown = |step: &Step| {
                let (state, item) = (beam.get(step.from)?, items.get(step.at)?);
                Some(State {
                    facts: step.facts,
                    attack: state.attack.and(&item.attack),
                    benign: state.benign.and(&item.benign),
                    score: step.score,
                    fair: step.fair,
                })
            };
            let better = |state: &State, than: &State| {
                order((state.score, state.facts), (than.score, than.facts)) == Ordering::Less
            };
            if let Some(state) = best_fair.as_ref().and_then(grown)
                && (!fairest.fair || better(&state, &fairest))
            {
                fairest = state;
            }
            let wide: Vec<State> = next.iter().filter_map(grown).collect();
            if let Some(state) = wide.first().filter(|s| better(s, &any)) {
                any = state.clone();
            }
            if wide.is_empty() {
                break;
            }
            beam = wide;
        }
        let mut chosen = if fairest.fair { fairest } else { any };
        self.narrow(cell, &items, honest, &mut chosen);
        Some(self.pick(cell, &items, &chosen))
    }

    fn items(&self, cell: &Cell, rows: &[&Row], honest: &[&Row]) -> Vec<Item> {
        self.work.spend(rows.len() + honest.len(), work::HARVEST);
        let mut facts = harvest::facts(rows, honest);
        facts.retain(|f| cell.shape.own.is_none() || f.slot != Slot::Source);
        facts.truncate(ITEMS_MAX);
        self.work.spend((NUMERIC.len() + facts.len()) * (rows.len() + honest.len()), work::ASK);
        let sides =
            [(&cell.left, &self.attack, Unknown::Misses), (&cell.benign, &self.benign, Unknown::Matches)];
        let columns = sides.map(|(of, rows, unknown)| Columns::of(&facts, of, rows, unknown));
        facts
            .into_iter()
            .map(|fact| {
                let [attack, benign] = columns.each_ref().map(|columns| columns.ask(&fact));
                Item { fact, attack, benign }
            })
            .collect()
    }

    /// Where little is known of honest traffic and the rule looks like it, a length, window or TTL that the whole attack
    /// shares, early and late, is worth asking even though FlowSpec cannot say all of them.
    fn narrow(&self, cell: &Cell, items: &[Item], honest: usize, state: &mut State) {
        let count = state.attack.count();
        if honest >= THIN || count < 50 || !looks_honest(cell, items, state) {
            return;
        }
        let least = STILL * self.attack_share * cell.left.count() as f64;
        for slot in telling(cell.shape.kind) {
            if state.facts.of(items).any(|i| i.fact.slot == *slot) {
                continue;
            }
            let best = items
                .iter()
                .enumerate()
                .filter(|(_, i)| i.fact.slot == *slot && i.fact.tight > 0.96)
                .filter(|(_, i)| {
                    let kept = state.attack.and(&i.attack);
                    let early = state.attack.first(count / 2);
                    let (before, all) = (kept.count_and(&early) as f64, kept.count() as f64);
                    let drift = before / (count / 2) as f64 - (all - before) / (count - count / 2) as f64;
                    all >= least && drift.abs() < 0.03
                })
                .max_by(|a, b| a.1.fact.tight.total_cmp(&b.1.fact.tight).then(b.0.cmp(&a.0)));
            if let Some((at, item)) = best {
                state.attack = state.attack.and(&item.attack);
                state.benign = state.benign.and(&item.benign);
                state.facts = state.facts.with(at);
                return;
            }
        }
    }

    fn pick(&self, cell: &Cell, items: &[Item], state: &State) -> Pick {
        let mut matches = cell.shape.matches();
        for item in state.facts.of(items) {
            item.fact.put(&mut matches);
        }
        // Without a question about the transport header the rule would also hold fragments, which are another shape.
        let transport = matches.tcp_flags.is_some()
            || matches.src_port.is_some()
            || matches.dst_port.is_some()
            || matches.icmp_type.is_some()
            || matches.icmp_code.is_some()
            || matches.payload.is_some();
        if cell.shape.kind == Kind::Plain && !transport {
            let rows = || state.attack.iter().filter_map(|i| self.attack.get(i)).map(|r| r.fragment);
            if rows().all(|f| f.is_some()) {
                let first = rows().flatten().any(|f| f.more);
                matches.fragment = Some(rules::Fragments { none: true, first, ..Default::default() });
            }
        }
        let fitted = state.facts.of(items).any(|item| item.fact.is_fitted());
        Pick { matches, attack: state.attack.clone(), benign: state.benign.clone(), fair: state.fair, fitted }
    }
}

/// What tells a generator from honest stacks, the most telling and best expressible first. Honest resets have window 0
/// as well.
const fn telling(kind: Kind) -> &'static [Slot] {
    match kind {
        Kind::Tcp(Segment::Rst) => &[Slot::Ttl],
        Kind::Tcp(Segment::Syn | Segment::SynAck) => &[Slot::Window, Slot::Ttl],
        Kind::Tcp(_) => &[Slot::Length, Slot::Window, Slot::Ttl],
        Kind::Plain => &[Slot::Length, Slot::Ttl],
        // Each reflector has its own distance, and its path its own fragment size.
        Kind::Later => &[],
    }
}

/// Best first; equal ones by fewer facts, then by the order in which they were offered.
fn order(a: (f64, Facts), b: (f64, Facts)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.order(b.1))
}

/// Whether honest packets of common stacks have this shape: opening segments carry options, others need none.
fn looks_honest(cell: &Cell, items: &[Item], state: &State) -> bool {
    let facts = || state.facts.of(items).map(|i| &i.fact);
    if facts().any(|f| f.slot == Slot::Source) {
        return false;
    }
    match cell.shape.kind {
        Kind::Tcp(Segment::Odd) => false,
        Kind::Tcp(Segment::Syn | Segment::SynAck) => {
            !facts().any(|f| f.slot == Slot::Length)
                || facts().any(|f| match &f.ask {
                    Ask::Numbers(n) if f.slot == Slot::Length => {
                        n.0.iter().any(|r| r.from <= 80 && r.to >= 48)
                    }
                    _ => false,
                })
        }
        Kind::Tcp(_) => true,
        // Errors and echoes are what hosts send all the time.
        Kind::Plain if matches!(cell.shape.protocol, ICMP | ICMP6) => true,
        Kind::Later | Kind::Plain => facts().map(|f| f.tight).sum::<f64>() < 1.5,
    }
}
