//! What is asked of a DNS server, and what it answers: queries, dynamic updates (RFC 2136), transaction signatures (RFC 8945).

mod name;
pub mod tsig;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use name::{BadName, Name};
pub use tsig::Tsig;

use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// Octets of a message at most (RFC 1035 §4.2.2).
pub const MESSAGE_MAX: usize = 65_535;
/// Octets that a server takes over UDP without more ado (RFC 1035 §4.2.1).
pub const UDP_MAX: usize = 512;
/// Records and questions of a message that are read at most; the rest is a fault.
const ENTRIES_MAX: usize = 1024;

/// Types (RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 8945 §4.2).
pub mod kind {
    /// An address of IPv4.
    pub const A: u16 = 1;
    /// Another name.
    pub const CNAME: u16 = 5;
    /// Where a zone begins.
    pub const SOA: u16 = 6;
    /// An address of IPv6.
    pub const AAAA: u16 = 28;
    /// A transaction's signature.
    pub const TSIG: u16 = 250;
}

/// Classes (RFC 1035 §3.2.4, RFC 2136 §1.3).
pub mod class {
    /// The Internet.
    pub const IN: u16 = 1;
    /// None; in an update: this record goes, or there must be none such.
    pub const NONE: u16 = 254;
    /// Any; in an update: all of the type go, or there must be one.
    pub const ANY: u16 = 255;
}

/// Response codes (RFC 1035 §4.1.1, RFC 2136 §2.2).
pub mod rcode {
    /// It is done.
    pub const NOERROR: u8 = 0;
    /// The server could not read it.
    pub const FORMERR: u8 = 1;
    /// The server failed.
    pub const SERVFAIL: u8 = 2;
    /// There is no such name.
    pub const NXDOMAIN: u8 = 3;
    /// The server does not know how.
    pub const NOTIMP: u8 = 4;
    /// The server does not want to.
    pub const REFUSED: u8 = 5;
    /// A name is there that should not.
    pub const YXDOMAIN: u8 = 6;
    /// Records are there that should not.
    pub const YXRRSET: u8 = 7;
    /// Records are not there that should.
    pub const NXRRSET: u8 = 8;
    /// The server is not the zone's, or does not know who asks.
    pub const NOTAUTH: u8 = 9;
    /// A name lies outside of the zone.
    pub const NOTZONE: u8 = 10;

    /// Its name in the RFCs.
    pub const fn name(code: u8) -> &'static str {
        match code {
            NOERROR => "NOERROR",
            FORMERR => "FORMERR",
            SERVFAIL => "SERVFAIL",
            NXDOMAIN => "NXDOMAIN",
            NOTIMP => "NOTIMP",
            REFUSED => "REFUSED",
            YXDOMAIN => "YXDOMAIN",
            YXRRSET => "YXRRSET",
            NXRRSET => "NXRRSET",
            NOTAUTH => "NOTAUTH",
            NOTZONE => "NOTZONE",
            _ => "an unknown response code",
        }
    }
}

/// What is asked for (RFC 1035 §4.1.1, RFC 2136 §1.3).
pub mod opcode {
    /// Records.
    pub const QUERY: u8 = 0;
    /// A change.
    pub const UPDATE: u8 = 5;
}

/// A question; in an update, the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of this name.
    pub name: Name,
    /// Records of this type.
    pub kind: u16,
    /// Of this class.
    pub class: u16,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Cname(Name),
    /// Where a zone begins.
    Soa(Soa),
    /// Nothing: what an update says of all records of this type.
    Nothing(u16),
    /// Octets of another type.
    Other(u16, Vec<u8>),
}

impl Data {
    /// The type.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => kind::A,
            Self::Address(IpAddr::V6(_)) => kind::AAAA,
            Self::Cname(_) => kind::CNAME,
            Self::Soa(_) => kind::SOA,
            Self::Nothing(kind) | Self::Other(kind, _) => *kind,
        }
    }
}

/// Where a zone begins (RFC 1035 §3.3.13); times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The primary server.
    pub mname: Name,
    /// Whom to write to.
    pub rname: Name,
    /// Of the zone's version.
    pub serial: u32,
    /// Until a secondary asks again.
    pub refresh: u32,
    /// Until it asks again after it failed.
    pub retry: u32,
    /// Until it lets go.
    pub expire: u32,
    /// How long it is remembered that something does not exist, at most (RFC 2308 §4).
    pub minimum: u32,
}

/// A record; in an update, a prerequisite or a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of this name.
    pub name: Name,
    /// Of this class.
    pub class: u16,
    /// How long others may remember it, seconds.
    pub ttl: u32,
    /// What it holds.
    pub data: Data,
}

/// A message (RFC 1035 §4); in an update the sections are zone, prerequisites, changes (RFC 2136 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// To tell answers apart.
    pub id: u16,
    /// It is an answer.
    pub response: bool,
    /// What is asked for; four bits.
    pub opcode: u8,
    /// The server is the zone's own.
    pub authoritative: bool,
    /// There is more than fits.
    pub truncated: bool,
    /// How it went; four bits.
    pub rcode: u8,
    /// Questions, or the zone.
    pub question: Vec<Question>,
    /// Answers, or prerequisites.
    pub answer: Vec<Record>,
    /// Who else knows, or changes.
    pub authority: Vec<Record>,
    /// What else may help; a signature is not kept here.
    pub additional: Vec<Record>,
}

/// A message as it came: its signature, and where that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The message.
    pub message: Message,
    /// The signature, which is not checked here, and its first octet.
    pub tsig: Option<(Tsig, usize)>,
}

/// Reads a message.
///
/// # Errors
/// When it is not one, whole and alone.
pub fn read(octets: &[u8]) -> Result<Read, Fault> {
    let mut reader = Reader::new(octets);
    let id = reader.u16("ID")?;
    let flags = reader.u16("flags")?;
    let mut counts = [0; 4];
    for count in &mut counts {
        *count = reader.u16("COUNT")?;
    }
    let entries = counts.iter().map(|count| usize::from(*count)).sum();
    if entries > ENTRIES_MAX {
        return Err(Fault::Length { what: "COUNT", found: entries });
    }
    let [questions, answers, authorities, additionals] = counts;
    let mut question = Vec::new();
    for _ in 0..questions {
        let name = Name::read(octets, &mut reader)?;
        question.push(Question { name, kind: reader.u16("QTYPE")?, class: reader.u16("QCLASS")? });
    }
    let answer = records(octets, &mut reader, answers)?;
    let authority = records(octets, &mut reader, authorities)?;
    let mut additional = Vec::new();
    let mut signature = None;
    for _ in 0..additionals {
        if signature.is_some() {
            // RFC 8945 §5.2: it is the last.
            return Err(Fault::Value { what: "TYPE after TSIG", found: u64::from(kind::TSIG) });
        }
        let at = reader.position();
        match record(octets, &mut reader)? {
            // RFC 8945 §4.2: both are constants, and the MAC is of these.
            Record { class, ttl, data: Data::Other(kind::TSIG, _), .. }
                if (class, ttl) != (class::ANY, 0) =>
            {
                return Err(Fault::Value {
                    what: "TSIG CLASS and TTL",
                    found: u64::from(class) << 32 | u64::from(ttl),
                });
            }
            Record { name, data: Data::Other(kind::TSIG, rdata), .. } => {
                signature = Some((Tsig::read(name, &rdata)?, at));
            }
            other => additional.push(other),
        }
    }
    if !reader.is_empty() {
        return Err(Fault::Length { what: "message", found: octets.len() });
    }
    let bits = |shift: u32| u8::try_from(flags >> shift & 0xf).unwrap_or_default();
    let message = Message {
        id,
        response: flags & 0x8000 != 0,
        opcode: bits(11),
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        rcode: bits(0),
        question,
        answer,
        authority,
        additional,
    };
    Ok(Read { message, tsig: signature })
}

fn records<'a>(octets: &'a [u8], reader: &mut Reader<'a>, count: u16) -> Result<Vec<Record>, Fault> {
    // Grows as records come, never by what the count claims.
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(record(octets, reader)?);
    }
    Ok(all)
}

fn record<'a>(octets: &'a [u8], reader: &mut Reader<'a>) -> Result<Record, Fault> {
    let name = Name::read(octets, reader)?;
    let kind = reader.u16("TYPE")?;
    let class = reader.u16("CLASS")?;
    let ttl = reader.u32("TTL")?;
    let length = reader.u16("RDLENGTH")?;
    let mut rdata = reader.sub("RDATA", usize::from(length))?;
    let rdata = &mut rdata;
    let data = match kind {
        _ if length == 0 => Data::Nothing(kind),
        kind::A => Data::Address(Ipv4Addr::from(rdata.array::<4>("ADDRESS")?).into()),
        kind::AAAA => Data::Address(Ipv6Addr::from(rdata.array::<16>("ADDRESS")?).into()),
        kind::CNAME => Data::Cname(Name::read(octets, rdata)?),
        kind::SOA => Data::Soa(Soa {
            mname: Name::read(octets, rdata)?,
            rname: Name::read(octets, rdata)?,
            serial: rdata.u32("SERIAL")?,
            refresh: rdata.u32("REFRESH")?,
            retry: rdata.u32("RETRY")?,
            expire: rdata.u32("EXPIRE")?,
            minimum: rdata.u32("MINIMUM")?,
        }),
        _ => Data::Other(kind, rdata.bytes("RDATA", usize::from(length))?.to_vec()),
    };
    if rdata.is_empty() {
        Ok(Record { name, class, ttl, data })
    } else {
        Err(Fault::Length { what: "RDLENGTH", found: usize::from(length) })
    }
}

impl Message {
    /// As octets, names whole; what has no place in a message of [`MESSAGE_MAX`] octets is the caller's to leave out.
    pub fn write(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let flags = flag(self.response, 0x8000)
            | u16::from(self.opcode & 0xf) << 11
            | flag(self.authoritative, 0x0400)
            | flag(self.truncated, 0x0200)
            | u16::from(self.rcode & 0xf);
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.u16(self.id).u16(flags).u16(clip(self.question.len()));
        for section in [&self.answer, &self.authority, &self.additional] {
            writer.u16(clip(section.len()));
        }
        for Question { name, kind, class } in &self.question {
            writer.bytes(name.octets()).u16(*kind).u16(*class);
        }
        for record in self.answer.iter().chain(&self.authority).chain(&self.additional) {
            let rdata = rdata(&record.data);
            writer.bytes(record.name.octets()).u16(record.data.kind()).u16(record.class).u32(record.ttl);
            writer.u16(clip(rdata.len())).bytes(&rdata);
        }
        out
    }
}

fn rdata(data: &Data) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    match data {
        Data::Address(address) => drop(writer.addr(*address)),
        Data::Cname(name) => drop(writer.bytes(name.octets())),
        Data::Soa(soa) => {
            writer.bytes(soa.mname.octets()).bytes(soa.rname.octets());
            for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
                writer.u32(number);
            }
        }
        Data::Nothing(_) => {}
        Data::Other(_, octets) => drop(writer.bytes(octets)),
    }
    out
}

fn clip(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
