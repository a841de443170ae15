//! From what was watched to the dossier.

use base::prefix::{narrow, wide};

use crate::dossier::{Dossier, Incident, Reporter, VectorFacts};
use crate::enrich::Enrich;
use crate::finding::{Class, Finding, Reason};
use crate::forgery::Opinion;
use crate::observe::Observer;
use crate::tally::ratio;
use crate::vector::Vector;
use crate::verdict::Judge;

/// What an attack's sources are, taken together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nature {
    /// One of them, or several.
    pub class: NatureClass,
    /// How sure, 0 to 1.
    pub confidence: f64,
}

/// See [`Nature`]; the names are those of interface.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatureClass {
    /// Forged addresses.
    Spoofed,
    /// Servers that answered forged requests.
    Reflectors,
    /// Hosts that send under their own address, bots among them.
    Real,
    /// Several of these.
    Mixed,
    /// Not to be told.
    Unknown,
}

impl NatureClass {
    /// As documents name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spoofed => "spoofed",
            Self::Reflectors => "reflectors",
            Self::Real => "real",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl Observer {
    /// The dossier of what was seen so far. `incident` tells what detection knows; its vectors, packets and sources are
    /// filled in here.
    pub fn conclude(&self, mut incident: Incident, reporter: Reporter, enrich: &dyn Enrich) -> Dossier {
        let sources = self.sources.sorted();
        // A line of somebody else's would name a neighbour who is not there.
        let told = incident.ingress.len() == self.entries.len();
        let behind = incident.ingress.iter().map(|way| way.asn.filter(|_| told && way.cone)).collect();
        let judge = Judge::new(self, enrich, &sources, behind);
        let mut findings: Vec<Finding> = Vec::with_capacity(sources.len());
        let judged = sources.iter().filter_map(|(address, source)| judge.judge(narrow(*address), source));
        findings.extend(judged);
        let total: u64 = self.vectors.iter().map(|vector| vector.packets).sum();
        incident.vectors = self
            .vectors
            .iter()
            .zip(judge.opinions())
            .map(|(vector, opinion)| self.facts(vector, opinion, total))
            .collect();
        if told {
            self.ways_in(&mut incident, &findings);
        }
        incident.packets = total;
        incident.bytes = self.vectors.iter().map(|vector| vector.bytes).sum();
        incident.source_count = self.source_count(&findings, incident.source_count);
        Dossier { incident, findings, reporter }
    }

    /// Packets by way in, and of them those whose source is nobody's address.
    fn ways_in(&self, incident: &mut Incident, findings: &[Finding]) {
        for (told, (_, packets)) in incident.ingress.iter_mut().zip(&self.entries) {
            (told.packets, told.forged) = (*packets, 0);
        }
        let nobodys = [Reason::B1, Reason::B2, Reason::B3];
        for finding in findings.iter().filter(|finding| finding.class == Class::Spoofed) {
            let way = self.sources.seen(wide(finding.address)).and_then(|source| source.entry.checked_sub(1));
            let told = way.and_then(|way| incident.ingress.get_mut(usize::from(way)));
            if let Some(told) = told.filter(|_| nobodys.iter().any(|why| finding.reasons.contains(why))) {
                told.forged += finding.packets;
            }
        }
    }

    /// Without honest clients, and exact while all sources are remembered; beyond that what detection counted, as long as that
    /// is exact and of as many (it does not see what routers drop), or an estimate.
    fn source_count(&self, findings: &[Finding], detected: u64) -> u64 {
        let count = |wanted: fn(&&Finding) -> bool| {
            u64::try_from(findings.iter().filter(wanted).count()).unwrap_or(u64::MAX)
        };
        let honest = count(|finding| finding.class == Class::Legitimate && finding.packets > 0);
        let estimate = self.distinct.count();
        let saw_all = detected.saturating_mul(100 + ESTIMATE_OFF) >= estimate.saturating_mul(100);
        let all = if self.sources.dropped == 0 {
            count(|finding| finding.packets > 0)
        } else if (1..=DETECTED_EXACT).contains(&detected) && saw_all {
            return detected;
        } else {
            estimate
        };
        all.saturating_sub(honest)
    }

    fn facts(&self, vector: &Vector, opinion: &Opinion, total: u64) -> VectorFacts {
        let mut shapes: Vec<(String, u64)> = vector
            .forms
            .ranked()
            .into_iter()
            .filter_map(|(form, packets)| Some((self.forms.get(usize::from(form))?.text(), packets)))
            .collect();
        shapes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let named = |packets: &u64| ratio(*packets, vector.packets) >= NAMED;
        let tools = vector.tools.ranked().into_iter().filter(|(_, packets)| named(packets));
        let tools = tools.filter_map(|(tool, packets)| {
            let tool = self.rules.tools.get(usize::from(tool))?;
            Some((tool.id.clone(), tool.name.clone(), packets))
        });
        VectorFacts {
            name: vector.name.clone(),
            share: ratio(vector.packets, total),
            packets: vector.packets,
            bytes: vector.bytes,
            ip_protocol: vector.protocol.ranked().first().map_or(0, |(protocol, _)| *protocol),
            started: vector.started.unwrap_or_default(),
            last: vector.last,
            src_ports: vector.src_ports.counts(),
            dst_ports: vector.dst_ports.counts(),
            tcp_flags: vector.flags.counts(),
            ttls: vector.ttls.counts(),
            lengths: vector.lengths.clone().into_counts(),
            fragment_offsets: vector.offsets.clone().into_counts(),
            icmp_types: vector.icmp.counts(),
            dns_questions: vector.questions.clone().into_counts(),
            spoofed: opinion.share,
            shapes,
            tools: tools.collect(),
        }
    }
}

/// Of a vector's packets, so many name a tool: random fields hit a rule now and then.
const NAMED: f64 = 0.001;

/// Percent that an estimate of sources is above the truth at most: its error, and honest ones that nothing has proven yet.
const ESTIMATE_OFF: u64 = 5;

/// So many sources detection counts one by one (interface.md).
const DETECTED_EXACT: u64 = 1_000_000;

/// Of the packets whose senders are known, so many make a nature; of all, so many have to be known.
const MOST: f64 = 0.9;
const KNOWN: f64 = 0.5;

impl Dossier {
    /// What the sources of the attack are, taken together, by their packets.
    pub fn nature(&self) -> Nature {
        let mut packets = [0u64; 3];
        let mut sure = [0.0f64; 3];
        let mut unknown = 0;
        for finding in &self.findings {
            let place = match finding.class {
                Class::Spoofed => 0,
                Class::Reflector => 1,
                Class::Real | Class::Bot => 2,
                Class::Unknown => {
                    unknown += finding.packets;
                    continue;
                }
                Class::Legitimate => continue,
            };
            #[expect(clippy::cast_precision_loss, reason = "a weight")]
            let weight = finding.packets as f64;
            if let (Some(packets), Some(sure)) = (packets.get_mut(place), sure.get_mut(place)) {
                *packets += finding.packets;
                *sure += weight * finding.confidence;
            }
        }
        let known: u64 = packets.iter().sum();
        if ratio(known, known + unknown) < KNOWN {
            return Nature { class: NatureClass::Unknown, confidence: 0.0 };
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let confidence = sure.iter().sum::<f64>() / known.max(1) as f64 * ratio(known, known + unknown);
        let classes = [NatureClass::Spoofed, NatureClass::Reflectors, NatureClass::Real];
        let most = packets.iter().zip(classes).find(|(packets, _)| ratio(**packets, known) >= MOST);
        Nature { class: most.map_or(NatureClass::Mixed, |(_, class)| class), confidence }
    }
}
