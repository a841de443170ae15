//! What exporters told of an attack without its packets (NetFlow, IPFIX), a JSON line each: `data/flows.jsonl`. Names are those of
//! `spillway decode`, `at` is when it was heard.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base::Timestamp;
use serde::{Deserialize, Serialize};
use telemetry::Record;
use wire::Headers;
use wire::packet::Tcp;

/// The file in a bag.
pub(super) const FLOWS: &str = "data/flows.jsonl";
/// Octets of a line at most; ours are far shorter.
const LINE_MAX: usize = 4096;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// When it was heard.
    pub(crate) at: Timestamp,
    /// Who told.
    pub(crate) exporter: IpAddr,
    /// Interface it came in by, by ifIndex.
    pub(crate) input_if: Option<u32>,
    /// Interface it left by.
    output_if: Option<u32>,
    /// N of 1:N; `null` where nobody told.
    pub(crate) sampling_rate: Option<u32>,
    start: Timestamp,
    end: Timestamp,
    src: IpAddr,
    dst: IpAddr,
    src_port: Option<u16>,
    dst_port: Option<u16>,
    ip_protocol: u8,
    tcp_flags: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    /// As exported, before scaling.
    packets: u64,
    bytes: u64,
}

impl Row {
    /// Of a record.
    pub(crate) fn of(record: &Record, exporter: IpAddr) -> Self {
        let headers = &record.headers;
        Self {
            at: record.at,
            exporter,
            input_if: record.input_if,
            output_if: record.output_if,
            sampling_rate: record.sampling.rate,
            start: record.start,
            end: record.end,
            src: headers.src,
            dst: headers.dst,
            src_port: headers.ports.map(|(src, _)| src),
            dst_port: headers.ports.map(|(_, dst)| dst),
            ip_protocol: headers.protocol,
            tcp_flags: headers.tcp.map(|tcp| tcp.flags),
            icmp_type: headers.icmp.map(|(kind, _)| kind),
            icmp_code: headers.icmp.map(|(_, code)| code),
            packets: record.packets,
            bytes: record.bytes,
        }
    }

    /// What its packets have in common.
    pub(crate) fn headers(&self) -> Headers {
        Headers {
            src: self.src,
            dst: self.dst,
            protocol: self.ip_protocol,
            length: u32::try_from(self.bytes / self.packets.max(1)).unwrap_or(u32::MAX),
            ports: self.src_port.zip(self.dst_port),
            icmp: self.icmp_type.zip(self.icmp_code),
            tcp: self.tcp_flags.map(|flags| Tcp { flags, window: 0, options_len: 0 }),
            ..Headers::NOTHING
        }
    }

    /// Packets and octets that it stands for.
    pub(crate) fn scaled(&self) -> (u64, u64) {
        let rate = u64::from(self.sampling_rate.unwrap_or(1).max(1));
        (self.packets.saturating_mul(rate), self.bytes.saturating_mul(rate))
    }
}

/// The open file; there is none before the first line.
pub(super) struct Flows {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    pub(super) rows: u64,
}

impl Flows {
    /// Of a new bag.
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join(FLOWS), file: None, rows: 0 }
    }

    /// Of a bag that was left open: `seen` is shown each line; what was cut off in the middle is left off. Octets that stay.
    pub(super) fn resume(folder: &Path, mut seen: impl FnMut(&Row)) -> anyhow::Result<(Self, u64)> {
        let mut flows = Self::new(folder);
        if !flows.path.is_file() {
            return Ok((flows, 0));
        }
        let failed = || format!("{}: cannot be read", flows.path.display());
        let mut reader = BufReader::new(File::open(&flows.path).with_context(failed)?);
        let (mut line, mut octets) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).with_context(failed)?;
            let row = serde_json::from_slice::<Row>(&line).ok().filter(|_| read <= LINE_MAX);
            let Some(row) = row.filter(|_| line.ends_with(b"\n")) else { break };
            seen(&row);
            octets += u64::try_from(read).unwrap_or(0);
            flows.rows += 1;
        }
        let file = OpenOptions::new().write(true).open(&flows.path).with_context(failed)?;
        file.set_len(octets).with_context(failed)?;
        Ok((flows, octets))
    }

    /// Octets of a line.
    pub(super) fn line(row: &Row) -> anyhow::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Appends one.
    pub(super) fn put(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let failed = || format!("{}: cannot be written", self.path.display());
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().create(true).append(true).open(&self.path);
                self.file.insert(BufWriter::with_capacity(1 << 16, file.with_context(failed)?))
            }
        };
        self.rows += 1;
        file.write_all(line).with_context(failed)
    }

    /// Brings all to the file.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        let failed = || format!("{}: cannot be written", self.path.display());
        self.file.as_mut().map_or(Ok(()), |file| file.flush()).with_context(failed)
    }

    /// Likewise, and to the disk.
    pub(super) fn finish(mut self) -> anyhow::Result<u64> {
        self.flush()?;
        if let Some(file) = &self.file {
            file.get_ref()
                .sync_all()
                .with_context(|| format!("{}: cannot be written", self.path.display()))?;
        }
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u8) -> Row {
        Row {
            at: Timestamp::from_secs(1_790_000_000),
            exporter: "192.0.2.1".parse().unwrap(),
            input_if: Some(7),
            output_if: None,
            sampling_rate: Some(1000),
            start: Timestamp::from_secs(1_789_999_990),
            end: Timestamp::from_secs(1_790_000_000),
            src: IpAddr::from([203, 0, 113, n]),
            dst: "2001:db8::7".parse().unwrap(),
            src_port: Some(53),
            dst_port: Some(4000),
            ip_protocol: 17,
            tcp_flags: None,
            icmp_type: None,
            icmp_code: None,
            packets: 3,
            bytes: 4500,
        }
    }

    #[test]
    fn rows_that_were_whole_are_there_after_a_cut_at_any_octet() {
        let folder = std::env::temp_dir().join(format!("spillway-flows-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let rows: Vec<Row> = (0..3).map(row).collect();
        let lines: Vec<Vec<u8>> = rows.iter().map(|row| Flows::line(row).unwrap()).collect();
        let whole = lines.concat();
        for cut in 0..=whole.len() {
            std::fs::write(folder.join(FLOWS), &whole[..cut]).unwrap();
            let mut seen = Vec::new();
            let (mut flows, octets) = Flows::resume(&folder, |row| seen.push(row.clone())).unwrap();
            let kept = lines
                .iter()
                .scan(0, |end, line| {
                    *end += line.len();
                    Some(*end)
                })
                .filter(|end| *end <= cut)
                .count();
            assert_eq!(seen, rows[..kept], "{cut}");
            assert_eq!(usize::try_from(octets).unwrap(), lines[..kept].concat().len());
            flows.put(&lines[2]).unwrap();
            assert_eq!(flows.finish().unwrap(), u64::try_from(kept + 1).unwrap());
            assert_eq!(
                std::fs::read(folder.join(FLOWS)).unwrap(),
                [lines[..kept].concat(), lines[2].clone()].concat()
            );
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
