//! Vectors by the names that people type.

use crate::error::usage;

/// The interface's name of a vector: itself, or without what every one of its kind begins with (`syn-flood`, `ntp`,
/// `ntp-amplification`).
///
/// # Errors
/// There is none; the error names those there are.
pub(crate) fn resolve(asked: &str) -> anyhow::Result<String> {
    let bare = asked.strip_suffix("-amplification").unwrap_or(asked);
    let names = [
        asked.to_owned(),
        format!("tcp-{asked}"),
        format!("udp-{asked}"),
        format!("{asked}-flood"),
        format!("udp-amplification-{bare}"),
    ];
    let known: Vec<String> = sim::aimed::vectors().collect();
    let found = names.into_iter().find(|name| known.contains(name));
    found.ok_or_else(|| {
        let plain: Vec<&str> =
            known.iter().map(String::as_str).filter(|name| !name.starts_with(REFLECTED)).collect();
        let reflected: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix(REFLECTED)).collect();
        usage(format!(
            "there is no attack `{asked}` to simulate; there are {}, and {REFLECTED}NAME with NAME one of {}",
            plain.join(", "),
            reflected.join(", ")
        ))
    })
}

const REFLECTED: &str = "udp-amplification-";

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn an_attack_goes_by_its_name_and_by_what_people_call_it() {
        for (asked, name) in [
            ("tcp-syn-flood", "tcp-syn-flood"),
            ("syn-flood", "tcp-syn-flood"),
            ("udp-flood", "udp-flood"),
            ("fragment-flood", "udp-fragment-flood"),
            ("icmp", "icmp-flood"),
            ("ntp", "udp-amplification-ntp"),
            ("ntp-amplification", "udp-amplification-ntp"),
            ("udp-amplification-memcached", "udp-amplification-memcached"),
        ] {
            assert_eq!(resolve(asked).unwrap(), name, "{asked}");
        }
        for asked in ["ping-of-death", "scan", "", "udp-amplification-"] {
            let said = resolve(asked).unwrap_err().to_string();
            assert!(said.contains("tcp-syn-flood") && said.contains("ntp"), "{asked}: {said}");
        }
    }
}
