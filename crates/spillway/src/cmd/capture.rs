//! `spillway capture`: samples of what the kernel programs drop and pass.

mod pcapng;
mod session;
mod text;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use dataplane::{Class, Sample, attachment};

use crate::cli::Context;
use crate::output::{self, Format};
use session::Session;

/// Show or write samples of the packets that the kernel programs drop and pass, with rule, verdict and sampling rate
///
/// Packets are sampled one in so many, within a budget for each class; the rate in force is with each sample, so that
/// counts can be scaled up. Of passed packets only the headers are kept. Works without the daemon.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway capture --dropped -w dropped.pcapng --seconds 10
  spillway capture --dropped --rule 9f3ac1d2 -w rule.pcapng
  spillway capture --passed --interface eth0 --budget 20")]
pub struct Args {
    /// Packets that ended here, their first 128 octets [default: both]
    #[arg(long)]
    dropped: bool,
    /// Packets that went on, their headers only [default: both]
    #[arg(long)]
    passed: bool,
    /// The interface [default: the one that has programs]
    #[arg(long, value_name = "INTERFACE")]
    interface: Option<String>,
    /// Only packets that this rule decides
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Write a pcapng file in place of lines
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End after so many seconds [default: at Ctrl-C]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// End after so many samples
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Samples a second at most, of each class
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    budget: u32,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let interface = interface(args.interface.as_deref())?;
    let both = !args.dropped && !args.passed;
    let budget = |wanted: bool| if wanted || both { args.budget } else { 0 };
    let budget = [budget(args.dropped), budget(args.passed)];
    context.interrupt.listen()?;
    // Before a file is made.
    session::open(&interface)?;
    let mut sink = sink(&args, &interface, context)?;
    let mut session = Session::new(interface.clone(), budget, args.rule.clone());
    let mut left = args.count.unwrap_or(u64::MAX);
    let limit = args.seconds.map(Duration::from_secs);
    while left > 0 {
        let more = session.round(&context.interrupt, limit, &mut |sample| {
            if left > 0 {
                left -= 1;
                sink.take(sample)?;
            }
            Ok(left > 0)
        })?;
        sink.flush()?;
        if !more {
            break;
        }
    }
    sink.finish()?;
    for (class, meter) in
        Class::ALL.into_iter().zip(session.sums()).zip(budget).filter(|(_, b)| *b > 0).map(|(m, _)| m)
    {
        eprintln!(
            "spillway: {}: {} samples of {} packets; {} beyond the budget, {} lost because they were read too slowly",
            class.as_str(),
            meter.taken,
            meter.offered,
            meter.over,
            meter.lost
        );
    }
    Ok(())
}

/// The interface asked for, or the only one.
fn interface(asked: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = asked {
        super::dataplane::check_name(name)?;
        return Ok(name.to_owned());
    }
    let mut all = attachment::interfaces()?;
    match all.len() {
        0 => anyhow::bail!("nothing is attached; `spillway dataplane attach INTERFACE` does it"),
        1 => Ok(all.remove(0)),
        _ => Err(crate::error::usage(format!("say which with --interface: {}", all.join(", ")))),
    }
}

/// Where samples go.
trait Sink {
    fn take(&mut self, sample: &Sample) -> anyhow::Result<()>;
    fn flush(&mut self) -> anyhow::Result<()>;
    fn finish(self: Box<Self>) -> anyhow::Result<()>;
}

fn sink(args: &Args, interface: &str, context: &Context) -> anyhow::Result<Box<dyn Sink>> {
    let clock = session::Clock::now();
    if let Some(path) = &args.write {
        return Ok(Box::new(pcapng::File::create(path, interface, clock)?));
    }
    Ok(Box::new(Lines { out: output::stdout(), format: context.format(Format::Text), clock }))
}

/// One line a sample on standard output.
struct Lines<W> {
    out: W,
    format: Format,
    clock: session::Clock,
}

impl<W: Write> Sink for Lines<W> {
    fn take(&mut self, sample: &Sample) -> anyhow::Result<()> {
        let line = text::Line::of(sample, self.clock);
        match self.format {
            Format::Json | Format::Jsonl => output::line(&mut self.out, &line)?,
            Format::Text => writeln!(self.out, "{line}")?,
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.out.flush().context("standard output")
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<()> {
        self.flush()
    }
}
