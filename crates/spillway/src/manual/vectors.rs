//! Attack vectors, from the table of the detector and the vocabulary of the exports.

use detect::class::{Class, GAME_PORTS, REFLECTORS};
use detect::vector::NAMES;
use intel::export::words::technique;

const HEAD: &str = "# Attack vectors\n\n\
    The names that attacks have, everywhere: in `replay`, the API, notifications and exports. An attack may have several at once, each with \
    its share. That an attack is spread over many hosts (carpet bombing) is said by its target being a prefix. Beside each stands what it is \
    called in MITRE ATT&CK and CAPEC, as the exports say it.\n\n\
    | vector | what it is | ATT&CK | CAPEC |\n|---|---|---|---|\n";

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    for name in NAMES.iter().copied().chain(["udp-amplification-NAME"]) {
        let called = technique(name);
        out.push_str(&format!(
            "| `{name}` | {} | {} | {} |\n",
            api::meaning(name),
            called.attack,
            called.capec
        ));
    }
    out.push_str(
        "\n## Reflecting protocols\n\nNAME in `udp-amplification-NAME`, by the port that the answers come from. A port alone proves nothing: \
         the detector also looks at how many senders there are, whether the target asked them, and what their packets look like.\n\n\
         | NAME | ports |\n|---|---|\n",
    );
    for reflector in &REFLECTORS {
        out.push_str(&format!("| `{}` | {} |\n", reflector.name, ports(reflector.ports)));
    }
    out.push_str(&format!("| `game` | {} (servers of games that answer queries) |\n", ports(&GAME_PORTS)));
    out.push_str("| `other` | any: many senders with one source port that is none of the above |\n");
    let classes: Vec<String> = (0..detect::class::COUNT)
        .filter_map(|at| u8::try_from(at).ok())
        .map(Class)
        .filter(|class| class.reflector().is_none())
        .map(|class| format!("`{}`", class.name()))
        .collect();
    out.push_str(&format!(
        "\n## Classes of packets\n\nTraffic is counted in disjoint classes, each of which a FlowSpec rule can say: {}, and the answers of each \
         reflecting protocol. Baselines and floors are per class.\n",
        classes.join(", ")
    ));
    out
}

fn ports(ranges: &[(u16, u16)]) -> String {
    let range = |(from, to): &(u16, u16)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}
