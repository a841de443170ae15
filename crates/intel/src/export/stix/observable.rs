//! Observables (STIX 2.1 §6): there are as many as sources, so they are written from types and not from maps.
//!
//! Fields stand in the order of their names, as in all our documents.

use serde::Serialize;

/// An address, or the network of an IPv6 host.
#[derive(Debug, Serialize)]
pub(super) struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) belongs_to_refs: Option<[String; 1]>,
    pub(super) id: String,
    pub(super) object_marking_refs: [&'static str; 1],
    pub(super) spec_version: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) value: String,
}

/// A network, by its number.
#[derive(Debug, Serialize)]
pub(super) struct Network {
    pub(super) id: String,
    pub(super) number: u32,
    pub(super) object_marking_refs: [&'static str; 1],
    pub(super) spec_version: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// What an address sent.
#[derive(Debug, Serialize)]
pub(super) struct Traffic {
    pub(super) dst_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dst_ref: Option<String>,
    pub(super) end: String,
    pub(super) id: String,
    pub(super) is_active: bool,
    pub(super) object_marking_refs: [&'static str; 1],
    pub(super) protocols: [&'static str; 2],
    pub(super) spec_version: &'static str,
    pub(super) src_byte_count: u64,
    pub(super) src_packets: u64,
    pub(super) src_port: u16,
    pub(super) src_ref: String,
    pub(super) start: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// What names an address.
#[derive(Serialize)]
pub(super) struct AddressName<'a> {
    pub(super) value: &'a str,
}

/// What names a network.
#[derive(Serialize)]
pub(super) struct NetworkName {
    pub(super) number: u32,
}

/// What names traffic.
#[derive(Serialize)]
pub(super) struct TrafficName<'a> {
    pub(super) dst_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dst_ref: Option<&'a str>,
    pub(super) end: &'a str,
    pub(super) protocols: [&'static str; 2],
    pub(super) src_port: u16,
    pub(super) src_ref: &'a str,
    pub(super) start: &'a str,
}
