//! `spillway decode`: what exporters say, line by line.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use base::Timestamp;
use base::map::Seed;
use serde::Serialize;
use telemetry::Collector;
use telemetry::collector::Settings;
use telemetry::stats::Stats;
use telemetry::told::{Format as Export, Told};

use crate::card::moment;
use crate::cli::Context;
use crate::output::{self, Format, Paint};
use crate::progress::grouped;
use crate::replay::Feed;
use crate::replay::feed::FILE_EXPORTER;

/// Print the flow records and packet samples in sFlow, NetFlow and IPFIX export
///
/// Reads UDP payloads on any port from pcap and pcapng (the format is recognised by content), or raw datagram files
/// (*.dat, one datagram each; those of one call are one exporter in the order given). Packets and bytes are printed as
/// exported, before scaling.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway decode export.pcap
  spillway decode templates.dat data.dat -o jsonl
  tcpdump -i eth0 -w - udp port 2055 | spillway decode - -o jsonl")]
pub struct Args {
    /// Captures (pcap, pcapng; - is standard input) or raw export datagrams (*.dat)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Decodes.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let format = context.format(Format::Jsonl);
    let mut out = output::stdout();
    let mut printer = Printer { format, paint: Paint::stdout(), lines: 0 };
    let mut collector = Collector::new(Settings::default(), Seed::default());
    let mut feed = Feed::packets_of(&args.files, &context.interrupt)?;
    let all = feed.datagrams(|datagram| {
        let mut written = Ok(());
        collector.datagram(datagram.at, datagram.exporter, datagram.payload, &mut |told, _| {
            if written.is_ok() {
                written = printer.flow(&mut out, told);
            }
        });
        Ok(written?)
    });
    all?;
    printer.end(&mut out, &Summary::of(&collector.stats()))?;
    out.flush()?;
    feed.end()
}

/// One line, its keys as the interface fixes them.
#[derive(Serialize)]
struct Flow {
    record: &'static str,
    format: &'static str,
    exporter: Exporter,
    domain: u32,
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
    ip_protocol: Option<u8>,
    tcp_flags: Option<u16>,
    packets: Option<u64>,
    bytes: Option<u64>,
    sampling_rate: Option<u32>,
    sampling_source: &'static str,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    input_if: Option<u32>,
    output_if: Option<u32>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Exporter {
    Address(IpAddr),
    File(&'static str),
}

impl Flow {
    fn of(told: &Told) -> Self {
        let file = told.exporter == FILE_EXPORTER;
        // A sample's time is that of its capture, and a raw file has none.
        let time = |at: Option<Timestamp>| at.filter(|_| !(file && told.format == Export::Sflow5));
        Self {
            record: "flow",
            format: told.format.name(),
            exporter: if file { Exporter::File("file") } else { Exporter::Address(told.exporter) },
            domain: told.domain,
            src: told.src,
            dst: told.dst,
            src_port: told.src_port,
            dst_port: told.dst_port,
            ip_protocol: told.protocol,
            tcp_flags: told.tcp_flags,
            packets: told.packets,
            bytes: told.bytes,
            sampling_rate: told.sampling.rate,
            sampling_source: told.sampling.source.name(),
            start: time(told.start),
            end: time(told.end),
            input_if: told.input_if,
            output_if: told.output_if,
        }
    }
}

/// The last line.
#[derive(Serialize)]
struct Summary {
    record: &'static str,
    datagrams: u64,
    flows: u64,
    templates: u64,
    options_templates: u64,
    options_records: u64,
    buffered_bytes: u64,
    undecodable_bytes: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Summary {
    fn of(stats: &Stats) -> Self {
        Self {
            record: "summary",
            datagrams: stats.datagrams,
            flows: stats.flows,
            templates: stats.templates,
            options_templates: stats.options_templates,
            options_records: stats.options_records,
            buffered_bytes: stats.buffered_bytes,
            undecodable_bytes: stats.undecodable_bytes,
            faults: stats.faults.iter().collect(),
        }
    }
}

struct Printer {
    format: Format,
    paint: Paint,
    lines: u64,
}

impl Printer {
    fn flow(&mut self, out: &mut impl Write, told: &Told) -> std::io::Result<()> {
        self.lines += 1;
        let first = self.lines == 1;
        match self.format {
            Format::Jsonl => output::line(out, &Flow::of(told)),
            Format::Json => {
                out.write_all(if first { b"{\"records\":[\n" } else { b",\n" })?;
                Ok(serde_json::to_writer(out, &Flow::of(told))?)
            }
            Format::Text => {
                if first {
                    writeln!(out, "{}", self.paint.dim(HEADING))?;
                }
                text(out, told)
            }
        }
    }

    fn end(&self, out: &mut impl Write, summary: &Summary) -> std::io::Result<()> {
        match self.format {
            Format::Jsonl => output::line(out, summary),
            Format::Json => {
                out.write_all(if self.lines == 0 { b"{\"records\":[" } else { b"\n]" })?;
                out.write_all(if self.lines == 0 { b"],\"summary\":" } else { b",\"summary\":" })?;
                serde_json::to_writer(&mut *out, summary)?;
                out.write_all(b"}\n")
            }
            Format::Text => self.text_summary(out, summary),
        }
    }

    fn text_summary(&self, out: &mut impl Write, s: &Summary) -> std::io::Result<()> {
        let (datagrams, flows) = (grouped(s.datagrams), self.paint.bold(grouped(s.flows)));
        let (templates, options) = (s.templates, s.options_templates);
        writeln!(
            out,
            "{flows} flows in {datagrams} datagrams; {templates} templates, {options} options templates, {} options records",
            s.options_records
        )?;
        if s.buffered_bytes > 0 {
            let text = format!("{} bytes still wait for their template", grouped(s.buffered_bytes));
            writeln!(out, "{}", self.paint.yellow(text))?;
        }
        if s.undecodable_bytes > 0 {
            let text = format!("{} bytes were given up", grouped(s.undecodable_bytes));
            writeln!(out, "{}", self.paint.yellow(text))?;
        }
        for (name, n) in &s.faults {
            writeln!(out, "{}", self.paint.yellow(format!("fault {name}: {}", grouped(*n))))?;
        }
        Ok(())
    }
}

const HEADING: &str = "\
start                    proto  source                                    destination                                  packets        bytes  sampling";

fn text(out: &mut impl Write, told: &Told) -> std::io::Result<()> {
    let start = told.start.map_or_else(|| "-".into(), moment);
    let protocol = match told.protocol {
        Some(1) => "icmp".into(),
        Some(6) => "tcp".into(),
        Some(17) => "udp".into(),
        Some(58) => "icmp6".into(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    };
    let end = |addr: Option<IpAddr>, port: Option<u16>| match (addr, port) {
        (Some(IpAddr::V6(addr)), Some(port)) => format!("[{addr}]:{port}"),
        (Some(addr), Some(port)) => format!("{addr}:{port}"),
        (Some(addr), None) => addr.to_string(),
        (None, _) => "-".into(),
    };
    let (src, dst) = (end(told.src, told.src_port), end(told.dst, told.dst_port));
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    let sampling = told.sampling.rate.map_or_else(|| "unknown".into(), |n| format!("1:{n}"));
    let (packets, bytes) = (number(told.packets), number(told.bytes));
    writeln!(out, "{start:<24} {protocol:<6} {src:<41} {dst:<41} {packets:>10} {bytes:>12}  {sampling}")
}
