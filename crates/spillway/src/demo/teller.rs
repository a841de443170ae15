//! Who tells the story. What the world does is told in words; every number comes from the daemon.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Context as _;
use base::units::{BitRate, PacketRate};
use base::{Prefix, Span};
use engine::report::{Attack, Severity};
use serde::{Deserialize, Serialize};

use super::Options;
use super::border::Tally;
use super::http::{get, metric};
use super::repertoire::REPERTOIRE;
use super::script::{Deed, Script};
use crate::companion::Daemon;
use crate::output::{Format, Paint};
use crate::progress::grouped;

/// The teller and what he has told so far.
#[derive(Debug)]
pub(super) struct Teller {
    options: Options,
    attacks: bool,
    deeds: Vec<Deed>,
    /// By id: what was told of it.
    told: BTreeMap<String, Told>,
    /// What stands at the border, by number, as it was told.
    announced: BTreeMap<u64, String>,
    /// Whether the last line on the terminal is the one that is written over.
    status: bool,
    live: bool,
    looks: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    severity: Option<Severity>,
    target: String,
    vectors: Vec<String>,
    filtered: bool,
    over: bool,
}

/// `/api/v1/attacks`.
#[derive(Debug, Deserialize)]
struct Attacks {
    items: Vec<Attack>,
}

/// `/api/v1/mitigations`.
#[derive(Debug, Deserialize)]
struct Mitigations {
    items: Vec<Mitigation>,
}

#[derive(Debug, Deserialize)]
struct Mitigation {
    id: Option<u64>,
    class: String,
    what: String,
    state: String,
}

/// What `/metrics` says of the intake.
#[derive(Clone, Copy, Debug, Serialize)]
struct Intake {
    flows: u64,
    datagrams: u64,
    socket_drops: u64,
}

/// How one deed of the world came out.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    deed: &'a Deed,
    /// Ids of the attacks that the daemon reported for it.
    found: Vec<&'a str>,
    /// Whether one of them names its vector.
    named: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    synthetic: bool,
    seed: u64,
    intake: Intake,
    attacks: &'a [Attack],
    world: &'a [Outcome<'a>],
    /// Ids of attacks that nothing in the world explains.
    unexplained: &'a [&'a str],
    /// What its border did with packets to the attacked, in the world's own truth.
    border: Tally,
}

/// Plain output gets a line of status so many looks apart; a terminal has a line that moves.
const LOOKS_APART: u64 = 20;

impl Teller {
    pub(super) fn new(options: &Options, script: &Script) -> anyhow::Result<Self> {
        Ok(Self {
            options: *options,
            attacks: script.attacks(),
            deeds: script.deeds(),
            told: BTreeMap::new(),
            announced: BTreeMap::new(),
            status: false,
            live: std::io::stdout().is_terminal(),
            looks: 0,
        })
    }

    /// What this is and what it is not.
    pub(super) fn opening(&mut self) -> anyhow::Result<()> {
        let paint = self.options.paint;
        self.say(&paint.bold("Spillway, a demonstration."))?;
        self.say("All traffic is synthetic: a seeded world of customers, seen by four border routers that sample it. No packet leaves")?;
        self.say("this machine. The daemon is the real one, fed with live sFlow over loopback; each number below is read from its API.")?;
        self.say("Its rules go to those routers over BGP, which filter by them.")?;
        let seed = self.options.seed;
        self.say(
            &paint.dim(format!("World {seed}; DEMO_SEED=… gives another one, with other victims and rates.")),
        )?;
        if !self.attacks {
            self.say(&paint.dim("Attacks are switched off: nothing should be reported."))?;
        }
        self.say("")
    }

    pub(super) fn serving(&mut self, daemon: &Daemon, login: &str) -> anyhow::Result<()> {
        self.link(login)?;
        let api = self.options.paint.cyan(format!("{}/api/v1/attacks", daemon.api()));
        self.daemon(&format!("serving; ask {api} yourself"))
    }

    /// The world does something.
    pub(super) fn act(&mut self, text: &str) -> anyhow::Result<()> {
        let head = self.options.paint.dim("world    ");
        self.say(&format!("{head} {text}"))
    }

    /// Why the world does not do what somebody typed.
    pub(super) fn refuse(&mut self, why: &str) -> anyhow::Result<()> {
        self.act(&format!("no: {why}"))
    }

    /// Another link.
    pub(super) fn link(&mut self, login: &str) -> anyhow::Result<()> {
        self.daemon(&format!("the dashboard, logged in once: {}", self.options.paint.cyan(login)))
    }

    /// Asks the daemon and tells what is new.
    pub(super) fn look(&mut self, api: &str) -> anyhow::Result<()> {
        let attacks = attacks(api)?;
        for attack in &attacks {
            self.news(attack)?;
        }
        self.routers(api)?;
        self.looks += 1;
        if self.options.format == Format::Text && (self.live || self.looks.is_multiple_of(LOOKS_APART)) {
            let line = status(intake(api)?, &attacks);
            if self.live {
                // Over the line before, without a new one.
                let mut out = std::io::stdout();
                write!(out, "\r\u{1b}[K{}", self.options.paint.dim(&line))?;
                out.flush()?;
                self.status = true;
            } else {
                self.daemon(&line)?;
            }
        }
        Ok(())
    }

    /// How it came out: what the world did beside what the daemon says.
    pub(super) fn summary(
        &mut self,
        api: &str,
        border: Tally,
        broken_off: Option<Duration>,
    ) -> anyhow::Result<()> {
        let attacks = attacks(api)?;
        let intake = intake(api)?;
        let mut deeds = std::mem::take(&mut self.deeds);
        // What did not come to pass cannot be missed.
        deeds.retain(|deed| broken_off.is_none_or(|at| deed.from < at));
        let outcomes: Vec<Outcome<'_>> = deeds.iter().map(|deed| outcome(deed, &attacks)).collect();
        let explained = |id: &str| outcomes.iter().any(|o| o.deed.attack && o.found.contains(&id));
        let real = attacks.iter().filter(|attack| attack.severity == Severity::Attack);
        let unexplained: Vec<&str> = real.map(|a| a.id.as_str()).filter(|id| !explained(id)).collect();
        if self.options.format != Format::Text {
            let document = Document {
                synthetic: true,
                seed: self.options.seed,
                intake,
                attacks: &attacks,
                world: &outcomes,
                unexplained: &unexplained,
                border,
            };
            let mut out = std::io::stdout();
            match self.options.format {
                Format::Jsonl => crate::output::line(&mut out, &document)?,
                _ => crate::output::document(&mut out, &document)?,
            }
            return Ok(out.flush()?);
        }
        let paint = self.options.paint;
        self.say("")?;
        self.say(&paint.bold(if broken_off.is_some() { "Summary (broken off)" } else { "Summary" }))?;
        self.say(&format!("  {}", status(intake, &attacks)))?;
        for outcome in &outcomes {
            self.say(&verdict(outcome, &attacks, paint))?;
            for attack in attacks.iter().filter(|attack| outcome.found.contains(&attack.id.as_str())) {
                self.filters(attack)?;
            }
        }
        for attack in attacks.iter().filter(|attack| unexplained.contains(&attack.id.as_str())) {
            let what = format!(
                "the daemon reports {} on {}, which the world did not do",
                vectors(attack),
                attack.target
            );
            self.say(&format!("  {} {what}", paint.red("false   ")))?;
        }
        if let Some(stopped) = border.attack.share() {
            let honest = border.honest.share().map_or_else(|| "none".to_owned(), percent);
            let what = format!(
                "while the daemon's rules stood at the border, it dropped {} of the attacks' packets, and {honest} of the honest ones to the same hosts",
                percent(stopped)
            );
            self.say(&format!("  {} {what}", paint.green("stopped ")))?;
        }
        if !self.attacks && unexplained.is_empty() {
            self.say(&format!("  {} the daemon reports no attack", paint.green("quiet   ")))?;
        }
        self.say(&paint.dim("  Synthetic traffic, once more: it shows how the parts work together, not how good detection is."))
    }

    /// The story is over, the daemon stays for a look.
    pub(super) fn stay(&mut self, daemon: &Daemon) -> anyhow::Result<()> {
        let paint = self.options.paint;
        self.say("")?;
        let goes_on = if self.attacks { "from calm to the next attack and back" } else { "in peace" };
        self.say(&format!(
            "The world goes on, {goes_on}, and the daemon runs, for you to look around. {} ends both.",
            paint.bold("Ctrl-C")
        ))?;
        self.keys()?;
        for path in ["/api/v1/attacks", "/metrics"] {
            self.say(&format!("  {}", paint.cyan(format!("curl -s {}{path}", daemon.api()))))?;
        }
        self.say(&format!(
            "  {}",
            paint.dim(format!("its folder, removed at the end: {}", daemon.folder().display()))
        ))
    }

    /// What can be typed.
    pub(super) fn keys(&mut self) -> anyhow::Result<()> {
        let paint = self.options.paint;
        let keys =
            |(at, act): (usize, &super::repertoire::Act)| format!("{} {}", paint.bold(at + 1), act.name);
        let acts: Vec<String> = REPERTOIRE.iter().enumerate().map(keys).collect();
        self.say("What happens next is up to you, here or on the dashboard's first page. Type a number or a name, and Enter:")?;
        self.say(&format!("  {}", acts.join("  ")))?;
        self.say(&format!(
            "  {} another link to log in  {} these lines  {} the end",
            paint.bold("l"),
            paint.bold("?"),
            paint.bold("q")
        ))
    }

    /// The end of what went on.
    pub(super) fn goodbye(&mut self) -> anyhow::Result<()> {
        self.say("")?;
        self.say("The world ends, and the daemon with it. Nothing of them is left.")
    }

    /// What is new about an attack.
    fn news(&mut self, attack: &Attack) -> anyhow::Result<()> {
        let paint = self.options.paint;
        let now = Told {
            severity: Some(attack.severity),
            target: attack.target.to_string(),
            vectors: attack.vectors.iter().map(|vector| vector.name.clone()).collect(),
            filtered: !attack.rules.is_empty(),
            over: attack.ended_at.is_some(),
        };
        let before = self.told.insert(attack.id.clone(), now.clone());
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        let first = before.is_none();
        let before = before.unwrap_or_default();
        let word = match attack.severity {
            Severity::Attack => paint.red("ATTACK"),
            Severity::Suspicious => paint.yellow("suspicious"),
        };
        if first || before.severity != now.severity {
            let delay = attack.detected_at.since(attack.started_at);
            self.daemon(&format!(
                "{word} on {}: {}, {} after its first packet",
                paint.bold(attack.target),
                vectors(attack),
                seconds(delay)
            ))?;
            self.more(&format!("{}, {}", size(attack), sources(attack)))?;
        } else if before.target != now.target || before.vectors != now.vectors {
            self.daemon(&format!(
                "{word} on {}: now {}; {}",
                paint.bold(attack.target),
                vectors(attack),
                size(attack)
            ))?;
        }
        // Filters follow the attack as it shows more of itself; they are told when they come, and in the summary.
        if now.filtered && !before.filtered {
            self.filters(attack)?;
        }
        if now.over && !before.over {
            self.daemon(&format!(
                "over: {} on {}; it peaked at {}",
                vectors(attack),
                attack.target,
                size(attack)
            ))?;
        }
        Ok(())
    }

    /// What is new at the border, by the daemon's word.
    fn routers(&mut self, api: &str) -> anyhow::Result<()> {
        let body = get(api, "/api/v1/mitigations")?;
        let told = serde_json::from_str::<Mitigations>(&body);
        let items = told.context("/api/v1/mitigations is not as promised")?.items;
        let active = items.into_iter().filter(|one| one.state == "active");
        let now: BTreeMap<u64, String> =
            active.filter_map(|one| Some((one.id?, format!("{} {}", one.class, one.what)))).collect();
        let before = std::mem::replace(&mut self.announced, now.clone());
        let paint = self.options.paint;
        for (id, what) in now.iter().filter(|(id, _)| !before.contains_key(id)) {
            self.daemon(&format!("told the border, as its mitigation {id}: {}", paint.cyan(what)))?;
        }
        for id in before.keys().filter(|id| !now.contains_key(id)) {
            self.daemon(&format!("took mitigation {id} back from the border"))?;
        }
        Ok(())
    }

    fn filters(&mut self, attack: &Attack) -> anyhow::Result<()> {
        let paint = self.options.paint;
        for rule in &attack.rules {
            let price = match &rule.collateral {
                Some(price) => format!(
                    "would hit {} of honest packets, with 95 % confidence at most {}",
                    percent(price.packets),
                    percent(price.packets_upper95)
                ),
                None => "its price is not known yet".into(),
            };
            self.more(&format!("filter: {}", paint.cyan(&rule.text)))?;
            self.more(&format!("        {}", paint.dim(price)))?;
        }
        Ok(())
    }

    fn daemon(&mut self, text: &str) -> anyhow::Result<()> {
        let head = self.options.paint.bold("spillway ");
        self.say(&format!("{head} {text}"))
    }

    fn more(&mut self, text: &str) -> anyhow::Result<()> {
        self.say(&format!("          {text}"))
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        if self.options.format != Format::Text {
            return Ok(());
        }
        let mut out = std::io::stdout();
        if std::mem::take(&mut self.status) {
            write!(out, "\r\u{1b}[K")?;
        }
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }
}

fn attacks(api: &str) -> anyhow::Result<Vec<Attack>> {
    let body = get(api, "/api/v1/attacks")?;
    let mut attacks =
        serde_json::from_str::<Attacks>(&body).context("/api/v1/attacks is not as promised")?.items;
    attacks.sort_by(|a, b| (a.detected_at, &a.id).cmp(&(b.detected_at, &b.id)));
    Ok(attacks)
}

fn intake(api: &str) -> anyhow::Result<Intake> {
    let text = get(api, "/metrics")?;
    let count = |name: &str| {
        let value = metric(&text, name).with_context(|| format!("/metrics has no {name}"))?;
        anyhow::Ok(sim::rng::round(value))
    };
    Ok(Intake {
        flows: count("spillway_ingest_flows_total")?,
        datagrams: count("spillway_ingest_datagrams_total")?,
        socket_drops: count("spillway_ingest_socket_drops_total")?,
    })
}

fn outcome<'a>(deed: &'a Deed, attacks: &'a [Attack]) -> Outcome<'a> {
    let touches = |attack: &Attack| {
        let hits = |prefix: &Prefix| prefix.covers(&deed.target) || deed.target.covers(prefix);
        attack.severity == Severity::Attack && attack.targets.iter().any(hits)
    };
    let found: Vec<&Attack> = attacks.iter().filter(|attack| touches(attack)).collect();
    let named = found.iter().any(|a| a.vectors.iter().any(|v| Some(&v.name) == deed.vector.as_ref()));
    Outcome { deed, found: found.iter().map(|attack| attack.id.as_str()).collect(), named }
}

fn verdict(outcome: &Outcome<'_>, attacks: &[Attack], paint: Paint) -> String {
    let deed = outcome.deed;
    let found = attacks.iter().find(|attack| outcome.found.first() == Some(&attack.id.as_str()));
    let (mark, text) = match (deed.attack, found) {
        (true, Some(attack)) => {
            let delay = seconds(attack.detected_at.since(attack.started_at));
            let name =
                if outcome.named { vectors(attack) } else { format!("but called {}", vectors(attack)) };
            (
                paint.green("found   "),
                format!("{} on {}: {name}, after {delay}, {}", deed.name, attack.target, size(attack)),
            )
        }
        (true, None) => (paint.red("missed  "), format!("{} on {}", deed.name, deed.target)),
        (false, Some(_)) => {
            (paint.red("wrong   "), format!("{} on {} is called an attack", deed.name, deed.target))
        }
        (false, None) => {
            (paint.green("left be "), format!("{} on {}: no attack, no filter", deed.name, deed.target))
        }
    };
    format!("  {mark} {text}")
}

fn status(intake: Intake, attacks: &[Attack]) -> String {
    let real = attacks.iter().filter(|attack| attack.severity == Severity::Attack).count();
    let found = match real {
        0 => "no attack".into(),
        1 => "1 attack".into(),
        n => format!("{n} attacks"),
    };
    format!(
        "{} flow samples read from {} datagrams, {} lost; {found}",
        grouped(intake.flows),
        grouped(intake.datagrams),
        grouped(intake.socket_drops)
    )
}

fn vectors(attack: &Attack) -> String {
    let names: Vec<&str> = attack.vectors.iter().map(|vector| vector.name.as_str()).collect();
    if names.is_empty() { "of no kind that it knows".into() } else { names.join(" and ") }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(attack: &Attack) -> String {
    format!("{}, {}", PacketRate(attack.peak_pps as f64), BitRate(attack.peak_bps as f64))
}

fn sources(attack: &Attack) -> String {
    let nature = format!("{:?}", attack.sources.nature).to_lowercase();
    format!("sources seen so far: {} ({nature})", grouped(attack.sources.count))
}

fn seconds(span: Span) -> String {
    format!("{:.2} s", span.as_secs_f64())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
