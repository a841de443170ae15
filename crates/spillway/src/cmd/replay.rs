//! `spillway replay`: a recording through the engine of the daemon.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base::Prefix;
use base::map::Seed;
use engine::Settings;
use engine::report::Attack;
use engine::settings::Profile;
use intel::enrich::Files;
use intel::export::Tlp;
use serde::Serialize;

use crate::capture::Writer;
use crate::capture::content::Content;
use crate::card;
use crate::cli::Context;
use crate::config::Config;
use crate::dossier::places::{self, Home};
use crate::dossier::{Folders, Seat, lists};
use crate::error::usage;
use crate::output::{self, Format, Paint};
use crate::progress::grouped;
use crate::replay::search::{Cut, packets, search};
use crate::replay::stats::Stats;
use crate::replay::verdict::{Apply, Verdicts};
use crate::replay::{Feed, Findings, Item};

/// Shards at most; each has its own tables.
const SHARDS_MAX: u64 = 256;

/// Find the attacks in a capture, derive filters and count what they do
///
/// Reads packets or flow export (told apart by content) through the engine of the daemon, on the capture's own clock.
/// The result depends on the input and the options alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway replay capture.pcap
  spillway replay capture.pcap --protect 192.0.2.0/24 -o jsonl
  spillway replay capture.pcap --apply whole --passed clean.pcapng --dropped attack.pcapng")]
pub struct Args {
    /// Captures (pcap, pcapng) or raw export datagrams (*.dat), in order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Own network, may be repeated; without one the victims are found by themselves
    #[arg(long, value_name = "PREFIX")]
    protect: Vec<Prefix>,
    /// Configuration file, for its networks and detection settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the derived rules act on the capture
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    apply: Apply,
    /// Write the packets that the rules let pass into this pcapng file
    #[arg(long, value_name = "FILE")]
    passed: Option<PathBuf>,
    /// Write the packets that the rules drop into this pcapng file
    #[arg(long, value_name = "FILE")]
    dropped: Option<PathBuf>,
    /// Seed of the hash tables; the result does not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Number of shards; the result does not depend on it
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SHARDS_MAX))]
    shards: u64,
    /// Write a folder per attack into this one: what it was, and a verdict on each of its sources
    #[arg(long, value_name = "DIR")]
    dossier: Option<PathBuf>,
    /// How far documents for others in it may go: clear, green, amber, amber+strict, red [default: the configuration's]
    #[arg(long, value_name = "LABEL", requires = "dossier")]
    tlp: Option<Tlp>,
    /// Write wall time, memory and packets per shard as JSON into this file
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Summary {
    event: &'static str,
    packets: u64,
    bytes: u64,
    passed_packets: u64,
    dropped_packets: u64,
    attacks: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    attacks: Vec<&'a Attack>,
    summary: &'a Summary,
}

/// Replays.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let started = Instant::now();
    args.check_outputs()?;
    let writes = args.passed.is_some() || args.dropped.is_some();
    let second = writes || args.apply != Apply::None || args.dossier.is_some();
    let mut feed = Feed::open(&args.files, if second { 2 } else { 1 }, &context.interrupt)?;
    if writes && feed.content() == Content::FlowExport {
        return Err(usage("--passed and --dropped need packets, and this is flow export; leave them out"));
    }
    let config = args.config.as_deref().map(load).transpose()?;
    if let Some(config) = &config {
        feed.exporters(config.telemetry());
    }
    let settings = args.settings(config.as_ref());
    let format = context.format(Format::Jsonl);
    let mut out = output::stdout();

    let cut = Cut { shards: usize::try_from(args.shards).unwrap_or(1), seed: Seed::new(args.seed) };
    let mut findings = Findings::default();
    let found = search(&mut feed, &settings, cut, |at, attack| {
        if format == Format::Jsonl {
            output::line(&mut out, &attack)?;
        }
        findings.note(at, attack);
        Ok(())
    })?;
    out.flush()?;
    let detect_seconds = started.elapsed().as_secs_f64();
    let mut summary = Summary {
        event: "summary",
        packets: found.packets,
        bytes: found.bytes,
        passed_packets: found.packets,
        dropped_packets: 0,
        attacks: findings.attack_count(),
    };
    if second {
        let known = config.as_ref().map(|config| config.intel.clone()).unwrap_or_default();
        let mut places = places::open(&known, &config.as_ref().map(Home::of).unwrap_or_default())?;
        places.own.extend(&args.protect);
        places.lists = lists::open(&known.lists)?;
        apply(&args, &mut feed, &findings, (&settings, &places, config.as_ref()), &mut summary)?;
    }
    match format {
        Format::Jsonl => output::line(&mut out, &summary)?,
        Format::Json => {
            output::document(
                &mut out,
                &Document { attacks: findings.attacks().collect(), summary: &summary },
            )?;
        }
        Format::Text => text(&mut out, &args, &findings, &summary)?,
    }
    out.flush()?;
    if let Some(path) = &args.stats {
        Stats::new(started, detect_seconds, found.packets, found.packets_per_shard).write(path)?;
    }
    feed.end()
}

/// The configuration; what is wrong with it is one line.
pub(super) fn load(path: &Path) -> anyhow::Result<Config> {
    Config::load(path).map_err(|problems| match problems.as_slice() {
        [] => anyhow::Error::msg(format!("{}: is not valid", path.display())),
        [one] => anyhow::Error::msg(one.to_string()),
        [first, more @ ..] => anyhow::Error::msg(format!("{first} (and {} more)", more.len())),
    })
}

/// The second pass.
fn apply(
    args: &Args,
    feed: &mut Feed,
    findings: &Findings,
    (settings, places, config): (&Settings, &Files, Option<&Config>),
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut verdicts = Verdicts::new(args.apply, findings, settings.install_delay)?;
    let file = args.files.first().and_then(|file| file.file_name()).unwrap_or_default().to_string_lossy();
    let mut folders = match &args.dossier {
        Some(root) => Some(Folders::open(root, findings, &file, Seat::of(config)?.labelled(args.tlp))?),
        None => None,
    };
    let open = |path: &Option<PathBuf>| path.as_deref().map(Writer::create).transpose();
    let (mut passed, mut dropped) = (open(&args.passed)?, open(&args.dropped)?);
    summary.passed_packets = 0;
    let mut going = true;
    let passed_through = feed.pass("applying the rules:", |item| {
        anyhow::ensure!(going, "a bag cannot be written");
        let weight = packets(&item);
        if let Some(folders) = &mut folders {
            going = folders.take(&item);
        }
        let passes = match &item {
            Item::Packet(_, None) | Item::Health(..) => true,
            Item::Packet(packet, Some(parsed)) => verdicts.passes(packet.at, parsed)?,
            Item::Record(record, _) => verdicts.passes_record(record)?,
        };
        *(if passes { &mut summary.passed_packets } else { &mut summary.dropped_packets }) += weight;
        let file = if passes { &mut passed } else { &mut dropped };
        match (item, file) {
            (Item::Packet(packet, _), Some(file)) => file.write(packet),
            _ => Ok(()),
        }
    });
    // Why a bag cannot be written, whoever writes it tells.
    if !going || passed_through.is_ok() {
        folders.map_or(Ok(()), |folders| folders.conclude(places))?;
    }
    passed_through?;
    [passed, dropped].into_iter().flatten().try_for_each(Writer::finish)
}

impl Args {
    /// The daemon's settings, but the profile of captures: it has no harm floor.
    fn settings(&self, config: Option<&Config>) -> Settings {
        let profile = Profile::Capture;
        let mut settings = config.map_or_else(|| Settings::of(profile), |config| config.engine_as(profile));
        settings.networks.extend(&self.protect);
        settings
    }

    /// Never write over what is being read.
    fn check_outputs(&self) -> anyhow::Result<()> {
        let real = |path: &Path| path.canonicalize().ok();
        let inputs: Vec<PathBuf> = self.files.iter().filter_map(|f| real(f)).collect();
        let outputs = [&self.passed, &self.dropped, &self.stats];
        for (i, output) in outputs.iter().enumerate() {
            let Some(output) = output else { continue };
            let name = output.display();
            if real(output).is_some_and(|path| inputs.contains(&path)) {
                return Err(usage(format!("{name}: is also an input; choose another name for the output")));
            }
            if outputs.iter().skip(i + 1).any(|other| other.as_ref() == Some(output)) {
                return Err(usage(format!("{name}: named for two outputs; give each its own file")));
            }
        }
        Ok(())
    }
}

fn text(out: &mut impl Write, args: &Args, findings: &Findings, summary: &Summary) -> std::io::Result<()> {
    let paint = Paint::stdout();
    for attack in findings.attacks() {
        writeln!(out, "{}", card::attack(attack, paint))?;
    }
    let found = match summary.attacks {
        0 => paint.green("no attack"),
        1 => paint.bold("1 attack"),
        n => paint.bold(format!("{n} attacks")),
    };
    let bytes = base::units::ByteCount(summary.bytes);
    writeln!(out, "{} packets, {bytes}: {found}", grouped(summary.packets))?;
    if args.apply != Apply::None {
        let (passed, dropped) = (grouped(summary.passed_packets), grouped(summary.dropped_packets));
        writeln!(out, "The rules drop {} and pass {passed} packets", paint.bold(dropped))?;
    } else if findings.attacks().any(|a| !a.rules.is_empty()) {
        writeln!(out, "{}", paint.dim("To see what the rules would do: add --apply whole"))?;
    }
    Ok(())
}
