//! How soon, how surely and at what price attacks are found: `cargo xtask evaluate` runs this.
//!
//! An examiner outside the floors. It makes worlds whose truth it knows and takes recordings whose truth is known, lets
//! routers tell of them, and drives the engine through its public door only. What stands in EVALUATION.md is written here.

mod archive;
mod event;
mod feed;
mod judge;
mod page;
mod peer;
mod plan;
mod poisson;
mod pool;
mod price;
mod quantile;
mod quiet;
mod recorded;
mod resources;
mod trial;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::hash::Mixer;
use peers::{Outcome, sheet};

use crate::archive::Archive;
use crate::page::{Part, Peer, Rows};
use crate::plan::{Job, Row};

const HELP: &str = "\
cargo xtask evaluate [--quick] [--only NAME]… [--without-peer] [--again] [--write]
  --quick         few worlds, no peer; fails when an attack is missed outright or peace is disturbed
  --only NAME     a part of the work (delays, feeds, vectors, quiet, recorded, resources, fastnetmon), or one event,
                  vector or recording; parts of the page whose other results are kept from before are written, too
  --without-peer  does not start FastNetMon; what it gave before still stands in the tables
  --again         does not take results that this build has given before
  --write         puts the parts that are complete into EVALUATION.md";

struct Options {
    quick: bool,
    write: bool,
    again: bool,
    peer: bool,
    only: Vec<String>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((first, rest)) if first == peer::INSIDE => peer::inside(rest),
        Some((first, rest)) if first == resources::INSIDE => resources::inside(rest),
        _ => match options(&args) {
            Ok(options) => evaluate(&options),
            Err(why) => {
                eprintln!("evaluate: {why}\n{HELP}");
                return ExitCode::from(2);
            }
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("evaluate: {why}");
            ExitCode::FAILURE
        }
    }
}

fn options(args: &[String]) -> Outcome<Options> {
    let mut options = Options { quick: false, write: false, again: false, peer: true, only: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--write" => options.write = true,
            "--again" => options.again = true,
            "--without-peer" => options.peer = false,
            "--only" => options.only.push(args.next().ok_or("--only wants a name")?.clone()),
            other => return Err(format!("'{other}' is not known")),
        }
    }
    Ok(options)
}

fn evaluate(options: &Options) -> Outcome {
    let peer: Peer =
        if options.quick { Err("the quick run has no time for it".into()) } else { peer::available() };
    let mut jobs = if options.quick { plan::quick() } else { plan::full(peer.is_ok()) };
    if options.quick && !options.only.is_empty() {
        jobs.retain(|job| wanted(options, job));
    }
    if let Some(unknown) = options.only.iter().find(|name| !known(name, &jobs)) {
        return Err(format!("nothing is called '{unknown}'; the parts are {}", plan::PARTS.join(", ")));
    }
    let runner = Runner::new(options, &peer)?;
    let mut rows = runner.all(&jobs)?;
    if let (Ok(_), Some(pps)) = (&peer, page::best(&rows)) {
        jobs.extend(plan::best(pps));
        rows.0.extend(runner.all(&plan::best(pps))?.0);
    }
    show(options, &jobs, &rows, &peer)?;
    match page::broken(&rows).as_slice() {
        [] => Ok(()),
        broken if options.quick => Err(format!("broken:\n  {}", broken.join("\n  "))),
        broken => {
            eprintln!("not as it has to be:\n  {}", broken.join("\n  "));
            Ok(())
        }
    }
}

/// Prints, and writes, the parts for which every result is there.
fn show(options: &Options, jobs: &[Job], rows: &Rows, peer: &Peer) -> Outcome {
    let mut quick = String::new();
    for part in page::PARTS {
        // a peer's holes are said in its cells
        let count = |of: &mut dyn Iterator<Item = &Job>| {
            of.filter(|job| part.of.contains(&job.part()) && !matches!(job, Job::Duel(_))).count()
        };
        let (planned, there) = (count(&mut jobs.iter()), count(&mut rows.0.iter().map(|(job, _)| job)));
        let duels = rows.0.iter().any(|(job, _)| matches!(job, Job::Duel(_)));
        let told = part.name == "fastnetmon" && !options.quick && (duels || peer.is_err());
        if planned == 0 && !told {
            continue;
        }
        if there < planned {
            eprintln!("{}: {} of {planned} results are missing, not shown", part.name, planned - there);
            continue;
        }
        let text = (part.write)(rows, peer);
        println!("## {}\n\n{}", part.name, text.trim_end());
        println!();
        if part.fixed {
            quick.push_str(&format!(
                "#### {}\n\n{}\n\n",
                part.name,
                text.trim().replace("\n### ", "\n##### ")
            ));
        }
        if options.write && !options.quick {
            sheet::replace(&sheet_file(), part.name, &command(part), &text)?;
        }
    }
    if options.write && options.quick && options.only.is_empty() {
        sheet::replace(&sheet_file(), "quick", "cargo xtask evaluate --quick --write", &quick)?;
    }
    Ok(())
}

fn command(part: &Part) -> String {
    let only: String = part.of.iter().map(|of| format!(" --only {of}")).collect();
    format!("cargo xtask evaluate{only} --write")
}

/// How the work is done.
struct Runner<'a> {
    options: &'a Options,
    archive: Option<Archive>,
    build: String,
    /// Results of the peer depend on its version and on what it is sent, not on our build.
    peer: String,
}

/// The peer sleeps most of the time.
const PEER_THREADS: usize = 6;

impl<'a> Runner<'a> {
    fn new(options: &'a Options, peer: &Peer) -> Outcome<Self> {
        let archive =
            if options.quick { None } else { Some(Archive::open(&folder().join("results.jsonl"))?) };
        let peer = match peer {
            Ok(version) => format!("fastnetmon {version}, worlds {:016x}", peer::worlds()),
            Err(_) => String::new(),
        };
        Ok(Self { options, archive, build: build()?, peer })
    }

    /// Results of all these jobs that are wanted or known.
    fn all(&self, jobs: &[Job]) -> Outcome<Rows> {
        let kept = |job: &Job| {
            let fresh = self.options.again && wanted(self.options, job);
            self.archive.as_ref().filter(|_| !fresh)?.get(self.build_of(job), &job.key()).cloned()
        };
        let mut rows: Vec<(usize, Row)> =
            jobs.iter().enumerate().filter_map(|(at, job)| Some((at, kept(job)?))).collect();
        let known: std::collections::BTreeSet<usize> = rows.iter().map(|(at, _)| *at).collect();
        let open = |peer: bool| -> Vec<(usize, &Job)> {
            jobs.iter()
                .enumerate()
                .filter(|(at, job)| {
                    wanted(self.options, job) && !known.contains(at) && matches!(job, Job::Duel(_)) == peer
                })
                .collect()
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for (work, threads) in [(open(false), cores), (open(true), PEER_THREADS)] {
            let done = pool::over(
                &work,
                threads,
                |(_, job)| (std::time::Instant::now(), job.run(), std::time::Instant::now()),
                |ended, (_, job), (from, result, to)| {
                    let took = to.duration_since(*from).as_secs_f64();
                    eprintln!("[{ended}/{}] {} {took:.1} s", work.len(), job.key());
                    if let (Some(archive), Ok(row)) = (&self.archive, result) {
                        archive.put(self.build_of(job), &job.key(), row);
                    }
                },
            );
            for ((at, job), (_, result, _)) in work.iter().zip(done) {
                match result {
                    Ok(row) => rows.push((*at, row)),
                    // a peer that does not start leaves a hole, said aloud
                    Err(why) if matches!(job, Job::Duel(_)) => eprintln!("left out: {why}"),
                    Err(why) => return Err(why),
                }
            }
        }
        rows.sort_by_key(|(at, _)| *at);
        Ok(Rows(rows.into_iter().filter_map(|(at, row)| Some((jobs.get(at)?.clone(), row))).collect()))
    }

    fn build_of(&self, job: &Job) -> &str {
        if matches!(job, Job::Duel(_)) { &self.peer } else { &self.build }
    }
}

/// Whether this run is to do it.
fn wanted(options: &Options, job: &Job) -> bool {
    if matches!(job, Job::Duel(_)) && !options.peer {
        return false;
    }
    options.only.is_empty() || options.only.iter().any(|name| name == job.part() || name == job.about())
}

fn known(name: &str, jobs: &[Job]) -> bool {
    plan::PARTS.contains(&name) || jobs.iter().any(|job| job.about() == name)
}

/// This program, engine and all, in one number.
fn build() -> Outcome<String> {
    let bytes = std::env::current_exe().and_then(std::fs::read).map_err(|e| e.to_string())?;
    Ok(format!("{:016x}", digest(Mixer::new(1), &bytes).finish()))
}

/// Octets as one number.
fn digest(mixer: Mixer, bytes: &[u8]) -> Mixer {
    let words =
        bytes.chunks(8).map(|chunk| chunk.iter().fold(0u64, |word, octet| word << 8 | u64::from(*octet)));
    words.fold(mixer, Mixer::with)
}

/// Where results are kept and peers have their files.
fn folder() -> PathBuf {
    root().join("target/evaluation")
}

fn sheet_file() -> PathBuf {
    root().join("EVALUATION.md")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place_on_the_page() {
        let page = std::fs::read_to_string(sheet_file()).unwrap();
        for part in page::PARTS {
            let mark = format!("<!-- begin {}, written by `{}` -->", part.name, command(part));
            assert!(page.contains(&mark), "{mark}");
        }
    }
}
