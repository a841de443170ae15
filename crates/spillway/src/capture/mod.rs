//! Captures: pcap and pcapng in, pcapng out.
//!
//! The framing of both formats is [`pcap_file`]'s; this module adds what a person with a damaged or odd file needs:
//! reading in one buffer whatever the file's length, link types, clocks per interface, and errors that name the place.
//! It does not know what the packets mean.

mod chunk;
pub mod content;
pub mod datagram;
pub mod fault;
pub mod link;
mod past;
mod pcap;
mod pcapng;
pub mod reader;
pub mod reassembly;
mod sink;
pub mod writer;

pub use fault::CaptureError;
pub(crate) use reader::is_magic;
pub use reader::{Capture, Packet};
pub use writer::Writer;
