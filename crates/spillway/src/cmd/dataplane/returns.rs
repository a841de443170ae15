//! Ways back, as people write them: `PREFIX=gre:LOCAL>REMOTE[,mtu=OCTETS][,via=ADDRESS]`.

use std::net::IpAddr;

use base::Prefix;
use dataplane::returning::{Kind, Return, Returned, Returning, Undeclared};
use serde::Serialize;

/// What an attach says of ways back.
#[derive(Debug, clap::Args)]
pub(super) struct Ways {
    /// Give back what no rule drops: packets to this prefix go into a tunnel (gre or ipip) from an address of this machine to
    /// their owner's, in this pass and without a tunnel device. `mtu`: octets of the longest packet within it [default: as the
    /// route says]; `via`: the next hop [default: likewise]
    #[arg(long = "return", value_name = "PREFIX=KIND:LOCAL>REMOTE[,mtu=N][,via=ADDRESS]", value_parser = way)]
    returns: Vec<Return>,
    /// Count, sample and drop all packets to this prefix
    #[arg(long, value_name = "PREFIX")]
    discard: Vec<Prefix>,
    /// What comes out of a tunnel to a destination of which neither `--return` nor `--discard` speaks
    #[arg(long, value_enum, value_name = "WHAT", default_value = "drop")]
    undeclared: Else,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Else {
    /// Counted and dropped, where there are ways back
    Drop,
    /// Forwarded by the kernel's routes
    Pass,
}

impl Ways {
    /// What they say; `None` where nothing goes back.
    pub(super) fn returning(&self) -> Option<Returning> {
        if self.returns.is_empty() && self.discard.is_empty() {
            return None;
        }
        let undeclared = match self.undeclared {
            Else::Drop => Undeclared::Drop,
            Else::Pass => Undeclared::Pass,
        };
        let (ways, discard) = (self.returns.clone(), self.discard.clone());
        Some(Returning { ways, discard, undeclared, ..Returning::default() })
    }
}

fn way(text: &str) -> Result<Return, String> {
    const FORM: &str = "write it as in 192.0.2.0/24=gre:198.51.100.1>203.0.113.9,mtu=1400";
    let form = |what: &str| format!("{what}; {FORM}");
    let (prefix, rest) = text.split_once('=').ok_or_else(|| form("there is no `=`"))?;
    let (kind, rest) = rest.split_once(':').ok_or_else(|| form("there is no kind of tunnel"))?;
    let kind = match kind {
        "gre" => Kind::Gre,
        "ipip" => Kind::Ipip,
        other => return Err(form(&format!("`{other}` is no kind of tunnel, gre and ipip are"))),
    };
    let mut parts = rest.split(',');
    let ends = parts.next().unwrap_or_default();
    let (local, remote) = ends.split_once('>').ok_or_else(|| form("there is no `>` between the two ends"))?;
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| form(&format!("`{text}` is no address")));
    let prefix: Prefix = prefix.parse().map_err(|e| form(&format!("{e}")))?;
    let mut way =
        Return { prefix, kind, local: address(local)?, remote: address(remote)?, mtu: None, via: None };
    for part in parts {
        match part.split_once('=') {
            Some(("mtu", octets)) => {
                let number = || form(&format!("`{octets}` is no number of octets"));
                way.mtu = Some(octets.parse().map_err(|_| number())?);
            }
            Some(("via", hop)) => way.via = Some(address(hop)?),
            _ => return Err(form(&format!("`{part}` is neither mtu=OCTETS nor via=ADDRESS"))),
        }
    }
    Ok(way)
}

/// A declared prefix, for `status`.
#[derive(Serialize)]
pub(super) struct Declared {
    prefix: Prefix,
    /// `null`: nothing goes back.
    way: Option<Way>,
    returned_packets: u64,
    returned_bytes: u64,
    dropped_packets: u64,
    dropped_bytes: u64,
    discarded_packets: u64,
    discarded_bytes: u64,
    too_big_packets: u64,
    told_packets: u64,
    no_way_packets: u64,
    expired_packets: u64,
    looped_packets: u64,
    clamped_packets: u64,
    handed_packets: u64,
    sent_packets: u64,
}

#[derive(Serialize)]
struct Way {
    kind: &'static str,
    local: IpAddr,
    remote: IpAddr,
    mtu: Option<u16>,
    via: Option<IpAddr>,
}

/// Declared prefixes and what became of their packets.
pub(super) fn declared(plane: &dataplane::Plane) -> Result<Vec<Declared>, dataplane::Error> {
    let ways = plane.returning()?.map_or_else(Vec::new, |returning| returning.ways);
    let one = |of: Returned| Declared {
        prefix: of.prefix,
        way: ways.iter().find(|way| way.prefix == of.prefix).map(|way| Way {
            kind: way.kind.as_str(),
            local: way.local,
            remote: way.remote,
            mtu: way.mtu,
            via: way.via,
        }),
        returned_packets: of.packets,
        returned_bytes: of.octets,
        dropped_packets: of.dropped,
        dropped_bytes: of.dropped_octets,
        discarded_packets: of.discarded,
        discarded_bytes: of.discarded_octets,
        too_big_packets: of.too_big,
        told_packets: of.told,
        no_way_packets: of.no_way,
        expired_packets: of.expired,
        looped_packets: of.looped,
        clamped_packets: of.clamped,
        handed_packets: of.handed,
        sent_packets: of.sent,
    };
    Ok(plane.returned()?.into_iter().map(one).collect())
}

/// One of them, as a line.
pub(super) fn text(out: &mut impl std::io::Write, one: &Declared) -> std::io::Result<()> {
    match &one.way {
        Some(way) => {
            write!(
                out,
                "  {} back by {} to {}: {} packets, {} bytes",
                one.prefix, way.kind, way.remote, one.returned_packets, one.returned_bytes
            )?;
        }
        None => write!(
            out,
            "  {} discarded: {} packets, {} bytes",
            one.prefix, one.discarded_packets, one.discarded_bytes
        )?,
    }
    for (what, packets) in [
        ("dropped before", one.dropped_packets),
        ("too big", one.too_big_packets),
        ("too big and told", one.told_packets),
        ("without a way", one.no_way_packets),
        ("expired", one.expired_packets),
        ("in a loop", one.looped_packets),
        ("for the kernel to cut", one.handed_packets),
    ] {
        if packets > 0 {
            write!(out, "; {packets} {what}")?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_back_are_read_as_they_are_written() {
        let read = way("2001:db8::/48=ipip:2001:db8:1::1>2001:db8:2::2,via=fe80::1,mtu=1380").unwrap();
        assert_eq!(read.kind, Kind::Ipip);
        assert_eq!(
            (read.prefix.to_string(), read.local.to_string()),
            ("2001:db8::/48".into(), "2001:db8:1::1".into())
        );
        assert_eq!(
            (read.remote.to_string(), read.mtu, read.via),
            ("2001:db8:2::2".into(), Some(1380), "fe80::1".parse().ok())
        );
        assert_eq!(way("192.0.2.0/24=gre:198.51.100.1>203.0.113.9").unwrap().mtu, None);
        for (text, wanted) in [
            ("192.0.2.0/24", "there is no `=`"),
            ("192.0.2.0/24=203.0.113.9", "no kind of tunnel"),
            ("192.0.2.0/24=vxlan:198.51.100.1>203.0.113.9", "`vxlan` is no kind of tunnel"),
            ("192.0.2.0/24=gre:203.0.113.9", "no `>` between"),
            ("192.0.2.0/24=gre:198.51.100.1>router", "`router` is no address"),
            ("192.0.2.0/24=gre:198.51.100.1>203.0.113.9,mtu=big", "`big` is no number"),
            ("192.0.2.0/24=gre:198.51.100.1>203.0.113.9,ttl=3", "`ttl=3` is neither"),
        ] {
            let why = way(text).unwrap_err();
            assert!(why.contains(wanted) && why.contains("write it as in"), "{text}: {why}");
        }
    }
}
