//! Templates and sampling over a restart: a byte string with version and checksum, for the daemon to keep on disk.
//!
//! Everything in it was once checked on its way in and is checked again on its way back: a damaged file gives nothing,
//! one of another version gives nothing, and a hostile one gives no more than a datagram could.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use base::Timestamp;
use base::hash::Mixer;
use base::prefix::{narrow, wide};
use wire::Reader;

use crate::exporter::Exporter;
use crate::sampling::{Announced, Scope};
use crate::store::{self, Allowance};
use crate::told::Format;

const MAGIC: [u8; 4] = *b"SPWT";
const VERSION: u16 = 1;

/// Why a template store was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It does not begin like one.
    NotAStore,
    /// It was written by a version that writes differently.
    Version {
        /// Which one.
        found: u16,
    },
    /// The checksum disagrees: it was cut or changed.
    Damaged,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAStore => f.write_str("this is no template store"),
            Self::Version { found } => {
                write!(f, "template store of version {found}, but version {VERSION} is written here")
            }
            Self::Damaged => {
                f.write_str("the template store is damaged; it is safe to delete, exporters repeat theirs")
            }
        }
    }
}

impl core::error::Error for ImportError {}

fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut mixer = Mixer::new(u64::from(VERSION)).with(bytes.len() as u64);
    for word in words {
        mixer = mixer.with(u64::from_be_bytes(*word));
    }
    for octet in rest {
        mixer = mixer.with(u64::from(*octet));
    }
    mixer.finish()
}

const TEMPLATE: u8 = 1;
const RATE: u8 = 2;

/// Writes what exporters told of themselves.
pub(crate) fn export<'a>(exporters: impl Iterator<Item = &'a Exporter>) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend(VERSION.to_be_bytes());
    for exporter in exporters {
        let address = wide(exporter.address).to_be_bytes();
        for (format, domain, id, template) in exporter.store.iter() {
            out.push(TEMPLATE);
            out.extend(address);
            out.push(if format == Format::Ipfix { 10 } else { 9 });
            out.extend(domain.to_be_bytes());
            out.extend(id.to_be_bytes());
            out.extend(template.count.to_be_bytes());
            out.extend(template.scopes.unwrap_or(u16::MAX).to_be_bytes());
            out.extend(u16::try_from(template.fields.len()).unwrap_or(0).to_be_bytes());
            out.extend(&*template.fields);
        }
        for (domain, scope, rate) in exporter.rates.iter() {
            let (kind, id) = match scope {
                Scope::Domain => (0, 0),
                Scope::Sampler(id) => (1, id),
                Scope::Interface(index) => (2, u64::from(index)),
            };
            out.push(RATE);
            out.extend(address);
            out.extend(domain.to_be_bytes());
            out.push(kind);
            out.extend(id.to_be_bytes());
            out.extend(rate.to_be_bytes());
        }
    }
    let sum = checksum(&out);
    out.extend(sum.to_be_bytes());
    out
}

/// Takes the parts of a store that its checksum vouches for.
pub(crate) fn open(bytes: &[u8]) -> Result<Reader<'_>, ImportError> {
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or(ImportError::NotAStore)?;
    let mut r = Reader::new(body);
    if r.array::<4>("magic") != Ok(MAGIC) {
        return Err(ImportError::NotAStore);
    }
    let version = r.u16("version").map_err(|_| ImportError::NotAStore)?;
    if version != VERSION {
        return Err(ImportError::Version { found: version });
    }
    if checksum(body) != u64::from_be_bytes(*sum) {
        return Err(ImportError::Damaged);
    }
    Ok(r)
}

/// One entry of a store.
pub(crate) struct Entry<'a> {
    pub(crate) exporter: IpAddr,
    what: What<'a>,
}

enum What<'a> {
    Template { key: (Format, u32), id: u16, count: u16, scopes: Option<u16>, fields: &'a [u8] },
    Rate { domain: u32, scope: Scope, rate: u32 },
}

/// The next entry.
pub(crate) fn next<'a>(r: &mut Reader<'a>) -> Result<Option<Entry<'a>>, wire::Fault> {
    if r.is_empty() {
        return Ok(None);
    }
    let kind = r.u8("entry kind")?;
    let exporter = narrow(u128::from_be_bytes(r.array("exporter")?));
    let what = if kind == TEMPLATE {
        let format = if r.u8("format")? == 10 { Format::Ipfix } else { Format::Netflow9 };
        let domain = r.u32("domain")?;
        let id = r.u16("template id")?;
        let count = r.u16("field count")?;
        let scopes = r.u16("scope count")?;
        let len = usize::from(r.u16("length")?);
        let scopes = (scopes != u16::MAX).then_some(scopes);
        What::Template { key: (format, domain), id, count, scopes, fields: r.bytes("fields", len)? }
    } else {
        let domain = r.u32("domain")?;
        let kind = r.u8("scope kind")?;
        let id = r.u64("scope id")?;
        let scope = match (kind, u32::try_from(id)) {
            (1, _) => Scope::Sampler(id),
            (2, Ok(index)) => Scope::Interface(index),
            _ => Scope::Domain,
        };
        What::Rate { domain, scope, rate: r.u32("rate")? }
    };
    Ok(Some(Entry { exporter, what }))
}

/// Gives an entry back to its exporter.
pub(crate) fn apply(entry: &Entry<'_>, exporter: &mut Exporter, at: Timestamp) {
    match entry.what {
        What::Template { key, id, count, scopes, fields } => {
            let template = store::stored(id, count, scopes, fields, key.0);
            let counted = (exporter.stats.templates, exporter.stats.options_templates);
            // A refusal needs no word: the exporter will say it again, and then it is counted.
            let _ = exporter.store.define(key, &template, at, &mut exporter.stats, &mut Allowance::new());
            (exporter.stats.templates, exporter.stats.options_templates) = counted;
        }
        What::Rate { domain, scope, rate } => {
            let announced = if rate == 0 { Announced::Zero } else { Announced::Rate(rate) };
            exporter.rates.announce(domain, scope, announced);
        }
    }
}
