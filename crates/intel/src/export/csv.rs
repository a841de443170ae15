//! Sources as a table (RFC 4180).

use core::fmt::Write as _;

use super::{Document, Format, Shared, share};
use crate::dossier::Dossier;
use crate::finding::{Class, Finding};

/// Sources that may be told of, one a line.
pub const FORMAT: Format = Format { name: "csv", write };

const HEAD: &str = "address,verdict,confidence,reasons,packets,bytes,first,last,source_port,ip_protocol,reflects,tool,asn,prefix,country\r\n";

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let rows = shared.sources.iter().map(|one| one.finding());
    vec![Document { path: "sources.csv".into(), bytes: table(rows).into_bytes() }]
}

/// All sources with what is said of them, for the evidence itself, which is never handed out by a program.
pub fn complete(dossier: &Dossier) -> Vec<u8> {
    table(&dossier.findings).into_bytes()
}

fn table<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let mut text = HEAD.to_owned();
    for one in findings {
        let reasons: Vec<_> = one.reasons.iter().map(|reason| format!("{reason:?}")).collect();
        let shown = |value: Option<String>| value.unwrap_or_default();
        // A string takes whatever is written to it.
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            one.address,
            word(one.class),
            share::rounded(one.confidence),
            reasons.join(" "),
            one.packets,
            one.bytes,
            one.first,
            one.last,
            shown(one.ports.map(|(source, _)| source.to_string())),
            one.ip_protocol,
            field(one.reflects.as_deref()),
            field(one.tool.as_deref()),
            shown(one.asn.map(|asn| asn.to_string())),
            shown(one.prefix.map(|prefix| prefix.to_string())),
            field(one.country.as_deref()),
        );
    }
    text
}

/// A class as documents write it.
pub const fn word(class: Class) -> &'static str {
    match class {
        Class::Spoofed => "spoofed",
        Class::Real => "real",
        Class::Reflector => "reflector",
        Class::Bot => "bot",
        Class::Legitimate => "legitimate",
        Class::Unknown => "unknown",
    }
}

/// A text that may have a comma or a quote in it.
fn field(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_comma_does_not_make_a_column() {
        assert_eq!(super::field(Some("a,\"b\"")), "\"a,\"\"b\"\"\"");
        assert_eq!(super::field(None), "");
    }
}
