//! What tools, botnets and reflecting services send, as data: `rules/tools.toml` and `rules/reflectors.toml`.

use serde::Deserialize;
use wire::packet::{GRE, ICMP, ICMP6, TCP, UDP, flags};

use crate::packet::{Packet, Segment, options_of, origin};
use crate::pattern::Pattern;
use crate::shape::looks_random;

const TOOLS: &str = include_str!("../rules/tools.toml");
const REFLECTORS: &str = include_str!("../rules/reflectors.toml");
/// Rules of one kind at most; their place fits an octet.
const RULES_MAX: usize = 200;

/// All rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In the order of the file; the first that holds names the packet.
    pub tools: Vec<Tool>,
    /// In the order of the file.
    pub reflectors: Vec<Reflector>,
    /// Answer of each reflecting port: index of the reflector + 1.
    by_port: Vec<u8>,
}

/// A rule file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct RuleError {
    /// Which.
    pub file: String,
    /// What is wrong with it, and the remedy.
    pub what: String,
}

/// What kind of sender a rule knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody runs it on purpose.
    Tool,
    /// Looks for hosts.
    Scanner,
    /// Runs on hosts of others.
    Botnet,
}

/// What one tool's packets have in common.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Stands in findings.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it runs by its owner's will.
    pub kind: Kind,
    /// How rarely anything else sends the same, 0 to 1.
    pub confidence: f64,
    /// Who measured or published it.
    pub source: String,
    form: Form,
}

#[derive(Clone, Debug, Default)]
struct Form {
    protocol: Option<u8>,
    flags: Option<u16>,
    origin: Option<u8>,
    dont: Option<bool>,
    behind: Vec<u32>,
    window: Vec<u16>,
    options: Option<u64>,
    mss: Option<[u16; 2]>,
    scale: Option<u8>,
    id: Option<Id>,
    seq: Option<Word>,
    ack: Option<Word>,
    dst_ports: Vec<u16>,
    payload: Option<Pattern>,
    random: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Masscan,
    Is(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Dst,
    Zero,
}

/// A protocol whose answers prove that their sender was asked.
#[derive(Clone, Debug)]
pub struct Reflector {
    /// NAME of `udp-amplification-NAME`.
    pub name: String,
    /// Where the form of its answers is written down.
    pub source: String,
    /// How rarely anything else that comes from its ports has this form, 0 to 1.
    pub confidence: f64,
    ports: Vec<[u16; 2]>,
    proofs: Vec<Pattern>,
    check: Option<Check>,
    least: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Check {
    Ramp,
    Text,
}

impl Rules {
    /// Those that come with the program.
    pub fn embedded() -> Result<Self, RuleError> {
        Self::read(TOOLS, REFLECTORS)
    }

    /// From the texts of both files.
    pub fn read(tools: &str, reflectors: &str) -> Result<Self, RuleError> {
        let bad = |file: &str, what: String| RuleError { file: file.into(), what };
        let tools: ToolFile = toml::from_str(tools).map_err(|e| bad("tools.toml", e.to_string()))?;
        let reflectors: ReflectorFile =
            toml::from_str(reflectors).map_err(|e| bad("reflectors.toml", e.to_string()))?;
        if tools.tool.len() > RULES_MAX || reflectors.reflector.len() > RULES_MAX {
            return Err(bad("rules", format!("more than {RULES_MAX} rules of one kind; merge some")));
        }
        let tools: Vec<Tool> = tools
            .tool
            .into_iter()
            .map(ToolLine::rule)
            .collect::<Result<_, _>>()
            .map_err(|e| bad("tools.toml", e))?;
        let reflectors: Vec<Reflector> = reflectors
            .reflector
            .into_iter()
            .map(ReflectorLine::rule)
            .collect::<Result<_, _>>()
            .map_err(|e| bad("reflectors.toml", e))?;
        let mut by_port = vec![0; 1 << 16];
        for (number, reflector) in (1u8..).zip(&reflectors) {
            for [from, to] in &reflector.ports {
                if let Some(slots) = by_port.get_mut(usize::from(*from)..=usize::from(*to)) {
                    slots.fill(number);
                }
            }
        }
        Ok(Self { tools, reflectors, by_port })
    }

    /// Place of the first tool whose packets look like this one.
    pub fn tool(&self, packet: &Packet<'_>) -> Option<usize> {
        let segment = packet.segment();
        self.tool_of(packet, segment.as_ref())
    }

    #[inline]
    pub(crate) fn tool_of(&self, packet: &Packet<'_>, segment: Option<&Segment>) -> Option<usize> {
        if !packet.single || packet.headers.fragment.is_later() {
            return None;
        }
        self.tools.iter().position(|tool| tool.form.holds(packet, segment))
    }

    /// The protocol that reflects from this port, by its name.
    pub fn reflects(&self, port: u16) -> Option<&str> {
        let at = usize::from(self.by_port.get(usize::from(port))?.checked_sub(1)?);
        self.reflectors.get(at).map(|reflector| reflector.name.as_str())
    }

    /// Place of the reflecting protocol whose valid answer this packet is.
    #[inline]
    pub fn reflector(&self, packet: &Packet<'_>) -> Option<usize> {
        if packet.headers.protocol != UDP {
            return None;
        }
        let port = packet.headers.src_port()?;
        let at = usize::from(self.by_port.get(usize::from(port))?.checked_sub(1)?);
        let reflector = self.reflectors.get(at)?;
        reflector.answers(packet.payload, packet.headers.payload_len).then_some(at)
    }
}

impl Form {
    #[inline]
    fn holds(&self, packet: &Packet<'_>, segment: Option<&Segment>) -> bool {
        let h = packet.headers;
        let tcp = h.tcp;
        let v4 = h.src.is_ipv4();
        self.protocol.is_none_or(|p| p == h.protocol || (p == ICMP && h.protocol == ICMP6))
            && self.flags.is_none_or(|f| tcp.is_some_and(|tcp| tcp.flags & TOLD == f))
            && (self.window.is_empty() || tcp.is_some_and(|tcp| self.window.contains(&tcp.window)))
            && self.origin.is_none_or(|o| origin(h.ttl) == o)
            && self.dont.is_none_or(|dont| !v4 || h.fragment.dont == dont)
            && (self.behind.is_empty()
                || self.behind.contains(&h.length.saturating_sub(if v4 { 20 } else { 40 })))
            && (self.dst_ports.is_empty() || h.dst_port().is_some_and(|port| self.dst_ports.contains(&port)))
            && self.id.is_none_or(|id| id.holds(packet, segment))
            && self.seq.is_none_or(|word| segment.is_some_and(|s| word.holds(s.seq, packet)))
            && self.ack.is_none_or(|word| segment.is_some_and(|s| word.holds(s.ack, packet)))
            && self.scale.is_none_or(|scale| segment.is_some_and(|s| s.scale == Some(scale)))
            && self.mss.is_none_or(|[least, most]| {
                segment.and_then(|s| s.mss).is_some_and(|mss| (least..=most).contains(&mss))
            })
            && self.options.is_none_or(|options| segment.is_some_and(|s| s.options == options))
            && self.payload.as_ref().is_none_or(|pattern| pattern.holds(packet.payload))
            && (!self.random || looks_random(packet.payload))
    }

    /// Independent things it asks for.
    fn asks(&self) -> usize {
        [
            self.flags.is_some(),
            self.origin.is_some(),
            self.dont.is_some(),
            !self.behind.is_empty(),
            !self.window.is_empty(),
            self.options.is_some(),
            self.mss.is_some(),
            self.scale.is_some(),
            self.id.is_some(),
            self.seq.is_some(),
            self.ack.is_some(),
            !self.dst_ports.is_empty(),
            self.payload.is_some(),
            self.random,
            self.protocol.is_some(),
        ]
        .into_iter()
        .filter(|asked| *asked)
        .count()
    }
}

/// The flags that a rule tells apart.
const TOLD: u16 = flags::SYN | flags::ACK | flags::RST | flags::FIN | flags::PSH;

impl Id {
    fn holds(self, packet: &Packet<'_>, segment: Option<&Segment>) -> bool {
        let Some(id) = packet.id() else { return false };
        match self {
            Self::Is(value) => id == value,
            Self::Masscan => {
                let (std::net::IpAddr::V4(dst), Some(segment), Some(port)) =
                    (packet.headers.dst, segment, packet.headers.dst_port())
                else {
                    return false;
                };
                let word = dst.to_bits() ^ u32::from(port) ^ segment.seq;
                u32::from(id) == word & 0xffff
            }
        }
    }
}

impl Word {
    fn holds(self, value: u32, packet: &Packet<'_>) -> bool {
        match (self, packet.headers.dst) {
            (Self::Zero, _) => value == 0,
            (Self::Dst, std::net::IpAddr::V4(dst)) => value == dst.to_bits(),
            (Self::Dst, std::net::IpAddr::V6(_)) => false,
        }
    }
}

impl Reflector {
    fn answers(&self, payload: &[u8], whole: Option<u32>) -> bool {
        // What the capture cut off is taken for there.
        let long = whole.is_none_or(|len| usize::try_from(len).is_ok_and(|len| len >= self.least));
        long && match self.check {
            Some(Check::Ramp) => {
                payload.len() >= 8
                    && payload.windows(2).take(16).all(|pair| matches!(pair, [a, b] if next(*a) == *b))
            }
            Some(Check::Text) => payload.len() >= 8 && payload.iter().take(32).all(|o| printable(*o)),
            None => self.proofs.iter().any(|proof| proof.holds(payload)),
        }
    }
}

/// RFC 864: the printing characters in order, and round again.
const fn next(octet: u8) -> u8 {
    match octet {
        0x20..=0x7d => octet + 1,
        0x7e => 0x20,
        _ => 0,
    }
}

const fn printable(octet: u8) -> bool {
    matches!(octet, 0x20..=0x7e | b'\r' | b'\n' | b'\t')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolFile {
    tool: Vec<ToolLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReflectorFile {
    reflector: Vec<ReflectorLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolLine {
    id: String,
    name: String,
    kind: Kind,
    confidence: f64,
    source: String,
    protocol: Option<String>,
    flags: Option<String>,
    origin: Option<u8>,
    dont: Option<bool>,
    #[serde(default)]
    behind: Vec<u32>,
    #[serde(default)]
    window: Vec<u16>,
    options: Option<String>,
    mss: Option<[u16; 2]>,
    scale: Option<u8>,
    #[serde(rename = "id_field")]
    ip_id: Option<IdLine>,
    seq: Option<Word>,
    ack: Option<Word>,
    #[serde(default)]
    dst_ports: Vec<u16>,
    payload: Option<String>,
    #[serde(default)]
    random: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum IdLine {
    Number(u16),
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReflectorLine {
    name: String,
    source: String,
    confidence: f64,
    ports: Vec<[u16; 2]>,
    #[serde(default)]
    proofs: Vec<String>,
    check: Option<Check>,
    least: usize,
}

impl ToolLine {
    fn rule(self) -> Result<Tool, String> {
        let id = self.id;
        let named = |what: String| format!("rule {id}: {what}");
        let form = Form {
            protocol: self.protocol.map(|name| protocol(&name)).transpose().map_err(named)?,
            flags: self.flags.map(|names| flag_bits(&names)).transpose().map_err(named)?,
            origin: self.origin,
            dont: self.dont,
            behind: self.behind,
            window: self.window,
            options: self.options.map(|text| options(&text)).transpose().map_err(named)?,
            mss: self.mss,
            scale: self.scale,
            id: self.ip_id.map(IdLine::rule).transpose().map_err(named)?,
            seq: self.seq,
            ack: self.ack,
            dst_ports: self.dst_ports,
            payload: self.payload.map(|text| text.parse()).transpose().map_err(named)?,
            random: self.random,
        };
        if form.asks() < 2 {
            return Err(named("asks for fewer than two independent things; add one".into()));
        }
        if self.source.is_empty() || !(0.0..=1.0).contains(&self.confidence) {
            return Err(named("needs a source and a confidence of 0 to 1".into()));
        }
        let (name, kind, confidence, source) = (self.name, self.kind, self.confidence, self.source);
        Ok(Tool { id, name, kind, confidence, source, form })
    }
}

impl IdLine {
    fn rule(self) -> Result<Id, String> {
        match self {
            Self::Number(value) => Ok(Id::Is(value)),
            Self::Name(name) if name == "masscan" => Ok(Id::Masscan),
            Self::Name(name) => {
                Err(format!("id_field = \"{name}\" is unknown; write \"masscan\" or a number"))
            }
        }
    }
}

impl ReflectorLine {
    fn rule(self) -> Result<Reflector, String> {
        let proofs =
            self.proofs.iter().map(|text| text.parse()).collect::<Result<Vec<Pattern>, _>>().map_err(
                |e| {
                    let name = &self.name;
                    format!("reflector {name}: {e}")
                },
            )?;
        if proofs.is_empty() && self.check.is_none() {
            return Err(format!("reflector {}: has neither proofs nor a check; add one", self.name));
        }
        if self.source.is_empty() || !(0.0..=1.0).contains(&self.confidence) {
            return Err(format!("reflector {}: needs a source and a confidence of 0 to 1", self.name));
        }
        let Self { name, source, confidence, ports, check, least, .. } = self;
        Ok(Reflector { name, source, confidence, ports, proofs, check, least })
    }
}

fn protocol(name: &str) -> Result<u8, String> {
    match name {
        "tcp" => Ok(TCP),
        "udp" => Ok(UDP),
        "icmp" => Ok(ICMP),
        "gre" => Ok(GRE),
        _ => Err(format!("protocol \"{name}\" is unknown; write tcp, udp, icmp or gre")),
    }
}

fn options(text: &str) -> Result<u64, String> {
    options_of(text).ok_or_else(|| {
        format!("options \"{text}\" are unknown; write mss, ws, sok, sack, ts, nop, oNUMBER, joined by commas, or -")
    })
}

fn flag_bits(names: &str) -> Result<u16, String> {
    names.split('+').try_fold(0, |bits, name| {
        Ok(bits
            | match name {
                "syn" => flags::SYN,
                "ack" => flags::ACK,
                "rst" => flags::RST,
                "fin" => flags::FIN,
                "psh" => flags::PSH,
                _ => {
                    return Err(format!(
                        "flag \"{name}\" is unknown; write syn, ack, rst, fin, psh, joined by +"
                    ));
                }
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_come_with_the_program_are_read() {
        let rules = Rules::embedded().unwrap();
        assert!(rules.tools.len() >= 12 && rules.reflectors.len() >= 31);
        assert!(rules.tools.iter().all(|tool| !tool.source.is_empty()));
    }

    #[test]
    fn a_rule_of_one_invariant_or_of_an_unknown_word_is_refused_with_its_name() {
        let line = |more: &str| {
            format!("[[tool]]\nid=\"x\"\nname=\"X\"\nkind=\"tool\"\nconfidence=0.5\nsource=\"s\"\n{more}")
        };
        for (more, says) in [
            ("window=[1]", "two independent"),
            ("window=[1]\nflags=\"sin\"", "flag \"sin\""),
            ("window=[1]\nprotocol=\"tpc\"", "protocol \"tpc\""),
            ("window=[1]\npayload=\"4\"", "OFFSET:HEX"),
            ("window=[1]\nid_field=\"zmap\"", "masscan"),
            ("widow=[1]", "unknown field"),
        ] {
            let told = Rules::read(&line(more), "reflector = []").unwrap_err().to_string();
            assert!(told.contains(says) && told.starts_with("tools.toml"), "{told}");
        }
    }
}
