//! `spillway evidence build`: a bag of an attack that is over.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base::{Prefix, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::capture::Capture;
use crate::cli::Context;
use crate::cmd::replay;
use crate::config::{Config, veiled_for_others};
use crate::daemon::clock::Clock;
use crate::dossier::recorders::{Recorders, Scope};
use crate::evidence::recorder::Recorded;
use crate::evidence::stamp::Authority;
use crate::evidence::{Annotating, Comments, Payload, Sealing, files, key, seal};
use crate::output::{self, Format};

/// Seal what is known of an attack and its packets into a bag
///
/// FOLDER is what `replay --dossier` wrote of an attack, or at least has its attack.json; sources.jsonl and stix.json go in where
/// they are there. Packets to and from its targets, from its start to its end, are taken from the captures.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The attack's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A capture that has the attack
    #[arg(long, value_name = "FILE", required = true)]
    capture: PathBuf,
    /// Where the bag goes [default: FOLDER/evidence]
    #[arg(long, value_name = "BAG")]
    bag: Option<PathBuf>,
    /// Configuration in force: goes into the bag without its secrets, says who seals it, and has the key in its state folder
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The key that signs, made where there is none; without it and --config the bag is not signed
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A time stamping authority (RFC 3161), like http://tsa.example.net/tsr
    #[arg(long, value_name = "URL")]
    tsa: Option<Authority>,
    /// Why it is kept
    #[arg(long, value_name = "TEXT", default_value = "evidence of an attack")]
    reason: String,
}

/// Of attack.json, what is needed here.
#[derive(Deserialize)]
struct Attack {
    id: String,
    targets: Vec<Prefix>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    text: String,
}

/// Of a line of sources.jsonl.
#[derive(Deserialize)]
struct Source {
    address: IpAddr,
    verdict: String,
    confidence: f64,
    #[serde(default)]
    reasons: Vec<String>,
    packets: u64,
    asn: Option<u32>,
    country: Option<String>,
}

/// Octets of a file beside the capture.
const FILE_MAX: u64 = 1 << 30;

/// Builds and prints.
pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let config = args.config.as_deref().map(replay::load).transpose()?;
    let attack_file = args.folder.join("attack.json");
    let attack_json = read(&attack_file)?.with_context(|| format!("{}: missing", attack_file.display()))?;
    let attack: Attack = serde_json::from_slice(&attack_json)
        .with_context(|| format!("{}: not an attack as `replay` writes it", attack_file.display()))?;
    let sources_file = args.folder.join("sources.jsonl");
    let lines = read(&sources_file)?.unwrap_or_default();
    let sources = sources(&lines).with_context(|| sources_file.display().to_string())?;
    let bag = args.bag.clone().unwrap_or_else(|| args.folder.join("evidence"));
    let recorded = record(&args, &attack, &bag, config.as_ref(), context)?;

    let mut comments = Comments::default();
    for one in sources.values() {
        let place = comments.text(files::comment(&one.verdict, one.confidence, &one.reasons));
        comments.say(one.address, place);
    }
    let reporter = config.as_ref().map(|config| config.evidence.reporter.clone()).unwrap_or_default();
    let key = args.key.clone().or_else(|| config.as_ref().map(|config| key::path(&config.state_dir)));
    let signer = key.map(|path| key::load_or_make(&path, &key::name(&reporter))).transpose()?;
    let authority =
        args.tsa.as_ref().or_else(|| config.as_ref().and_then(|config| config.evidence.authority.as_ref()));
    let rules: String = attack.rules.iter().map(|rule| format!("{}\n", rule.text)).collect();
    let mut kept = vec![
        ("data/attack.json".to_owned(), attack_json),
        ("data/sources.csv".to_owned(), table(&sources)),
        ("data/rules.txt".to_owned(), rules.into_bytes()),
    ];
    let veil = |config: &Config| veiled_for_others(&config.written.0).into_bytes();
    kept.extend(config.as_ref().map(|config| ("data/config.toml".to_owned(), veil(config))));
    let stix = read(&args.folder.join("stix.json"))?;
    kept.extend(stix.map(|octets| ("metadata/stix.json".to_owned(), octets)));
    let (packets, left_out) = (recorded.packets, recorded.left_out);
    let at = Clock::start().now();
    let digest = seal(
        Annotating::start(recorded, at, comments)?.wait()?,
        &Sealing {
            id: attack.id.clone(),
            organisation: reporter.organisation,
            contact: reporter.contact,
            reason: args.reason,
            at,
            files: kept,
            there: Vec::new(),
            signer: signer.as_ref(),
            authority,
        },
    )?;
    let mut out = output::stdout();
    let sealed = json!({
        "bag": bag,
        "id": attack.id,
        "packets": packets,
        "left_out": left_out,
        "seal": ledger::text::hex(&digest),
        "signed_by": signer.as_ref().map(|signer| signer.verifier().to_string()),
        "stamped": authority.is_some(),
    });
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &sealed)?,
        Format::Jsonl => output::line(&mut out, &sealed)?,
        Format::Text => writeln!(out, "sealed {}: {packets} packets of attack {}", bag.display(), attack.id)?,
    }
    Ok(out.flush()?)
}

/// Packets to and from the targets while the attack ran.
fn record(
    args: &Args,
    attack: &Attack,
    bag: &Path,
    config: Option<&Config>,
    context: &Context,
) -> anyhow::Result<Recorded> {
    let mut capture = Capture::open(&args.capture)?;
    let scope = Scope { targets: attack.targets.clone(), from: attack.started_at, until: attack.ended_at };
    let file = args.capture.file_name().unwrap_or_default().to_string_lossy();
    let mut recorders = Recorders::default();
    let named = config.and_then(|config| config.privacy.payload.as_ref());
    let payload = Payload::new(attack.rules.iter().map(|rule| rule.text.as_str()), named);
    recorders.open(bag, scope, (&file, Some(1)), payload, Clock::start().now())?;
    while let Some(packet) = capture.next()? {
        if context.interrupt.asked() {
            return Err(anyhow!("interrupted; remove {} and call again", bag.display()));
        }
        if let Some(parsed) = packet.parse() {
            recorders.packet(&packet, &parsed)?;
        }
    }
    recorders.finish()?.pop().context("a bag that was opened")
}

fn sources(lines: &[u8]) -> anyhow::Result<BTreeMap<IpAddr, Source>> {
    let mut sources = BTreeMap::new();
    for (at, line) in lines.split(|octet| *octet == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let one: Source = serde_json::from_slice(line).with_context(|| format!("line {}", at + 1))?;
        sources.insert(one.address, one);
    }
    Ok(sources)
}

fn table(sources: &BTreeMap<IpAddr, Source>) -> Vec<u8> {
    let mut text = "address,verdict,confidence,reasons,packets,asn,country\r\n".to_owned();
    for one in sources.values() {
        let asn = one.asn.map(|asn| asn.to_string()).unwrap_or_default();
        let country = one.country.as_deref().unwrap_or_default();
        let reasons = one.reasons.join(" ");
        text.push_str(&format!(
            "{},{},{},{reasons},{},{asn},{country}\r\n",
            one.address, one.verdict, one.confidence, one.packets
        ));
    }
    text.into_bytes()
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Ok(about) if about.len() > FILE_MAX => Err(anyhow!("{}: too long", path.display())),
        _ => std::fs::read(path).map(Some).with_context(|| format!("{}: cannot be read", path.display())),
    }
}
