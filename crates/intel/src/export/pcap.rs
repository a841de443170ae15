//! Sample packets of one source as a small capture, to be attached to a report.

use core::net::IpAddr;

use wire::packet::{self, Headers, Link};

use crate::dossier::Incident;
use crate::finding::{Finding, Sample};

/// Octets behind a UDP header that a report shows: the head of a protocol's answer, nothing that it tells, which may be addresses.
const PAYLOAD_MAX: usize = 12;
/// Link type: the packets begin with their IP header.
const RAW: u32 = 101;
/// A classic capture whose times are nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;

/// The samples of a source whose header says that it sent them, cut; `None` where there is none.
///
/// Packets with options, extension headers or another packet inside may hold further addresses: such a packet is cut at its
/// header, or left out.
pub(crate) fn of(incident: &Incident, finding: &Finding) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    for word in [MAGIC, 0x0004_0002, 0, 0, 65_535, RAW] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    let head = file.len();
    for (sample, _) in sent(incident, finding) {
        let Some(kept) = cut(&sample.octets, finding.address) else { continue };
        let seconds = u32::try_from(sample.at.secs()).unwrap_or(u32::MAX);
        let nanos = u32::try_from(sample.at.nanos() % 1_000_000_000).unwrap_or(0);
        let len = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        for word in [seconds, nanos, len, sample.length.max(len)] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(kept);
    }
    (file.len() > head).then_some(file)
}

/// Samples whose headers say that this source sent them to what was attacked.
pub(crate) fn sent<'a>(
    incident: &'a Incident,
    finding: &'a Finding,
) -> impl Iterator<Item = (&'a Sample, Headers)> {
    finding.samples.iter().filter_map(|sample| {
        let headers = packet::parse(Link::Ip, &sample.octets, sample.length).ok()?.headers;
        let to_target = incident.targets.iter().any(|target| target.contains(headers.dst));
        (to_target && headers.src == finding.address).then_some((sample, headers))
    })
}

fn cut(octets: &[u8], source: IpAddr) -> Option<&[u8]> {
    let (protocol, header, fragment) = match (octets.first()? >> 4, source) {
        (4, IpAddr::V4(source)) => {
            let fragment = u16::from_be_bytes([*octets.get(6)?, *octets.get(7)?]) & 0x1fff != 0;
            let plain = *octets.first()? == 0x45 && octets.get(12..16)? == source.octets();
            plain.then_some((*octets.get(9)?, 20, fragment))?
        }
        (6, IpAddr::V6(source)) => {
            (octets.get(8..24)? == source.octets()).then_some((*octets.get(6)?, 40, false))?
        }
        _ => return None,
    };
    // IPv6 with extension headers counts as a protocol that is not known: cut behind the fixed header
    let known = match (protocol, fragment) {
        (_, true) => 0,
        (6, false) => {
            let offset = usize::from(octets.get(header + 12).unwrap_or(&0x50) >> 4) * 4;
            offset.clamp(20, 60)
        }
        (17, false) => 8 + PAYLOAD_MAX,
        (1 | 58, false) => 8,
        _ => 0,
    };
    octets.get(..octets.len().min(header + known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quotes_others_is_cut_before_the_quote() {
        let source = IpAddr::from([192, 0, 2, 1]);
        let mut icmp = vec![0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
        icmp.extend([3, 3, 0, 0, 0, 0, 0, 0, 0x45]);
        icmp.resize(56, 7);
        assert_eq!(cut(&icmp, source).map(<[u8]>::len), Some(28));
        icmp[9] = 47;
        assert_eq!(cut(&icmp, source).map(<[u8]>::len), Some(20));
        icmp[9] = 17;
        icmp[0] = 0x46;
        assert_eq!(cut(&icmp, source), None, "options");
        icmp[0] = 0x45;
        icmp[15] = 2;
        assert_eq!(cut(&icmp, source), None, "somebody else's");
    }
}
