//! Sources as a table (RFC 4180).
//!
//! Readers find columns by the names in the first line, so what came later stands behind the others: the lists that name a source,
//! and how far the line may go. A line before the names, or a comment, would be a source to most readers.

use core::fmt::Write as _;

use super::{Document, Format, Shared, Tlp, share};
use crate::dossier::Dossier;
use crate::finding::{Class, Finding};

/// Sources that may be told of, one a line.
pub const FORMAT: Format = Format { name: "csv", write };

const HEAD: &str = "address,verdict,confidence,reasons,packets,bytes,first,last,source_port,ip_protocol,reflects,tool,asn,prefix,country,lists";

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let rows = shared.sources.iter().map(|one| one.finding());
    vec![Document { path: "sources.csv".into(), bytes: table(rows, Some(shared.terms.tlp)).into_bytes() }]
}

/// All sources with what is said of them, for the evidence itself, which is never handed out by a program: it has no label.
pub fn complete(dossier: &Dossier) -> Vec<u8> {
    table(&dossier.findings, None).into_bytes()
}

fn table<'a>(findings: impl IntoIterator<Item = &'a Finding>, tlp: Option<Tlp>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(if tlp.is_some() { ",tlp\r\n" } else { "\r\n" });
    for one in findings {
        row(&mut text, one);
        if let Some(tlp) = tlp {
            text.push(',');
            text.push_str(tlp.name());
        }
        text.push_str("\r\n");
    }
    text
}

/// There may be a hundred thousand of them, so nothing is made for one field alone. A string takes whatever is written to it.
fn row(text: &mut String, one: &Finding) {
    let _ = write!(text, "{},{},{},", one.address, word(one.class), share::rounded(one.confidence));
    for (place, reason) in one.reasons.iter().enumerate() {
        let _ = write!(text, "{}{reason:?}", if place == 0 { "" } else { " " });
    }
    let _ = write!(text, ",{},{},{},{},", one.packets, one.bytes, one.first, one.last);
    if let Some((source, _)) = one.ports {
        let _ = write!(text, "{source}");
    }
    let _ = write!(text, ",{},", one.ip_protocol);
    field(text, one.reflects.as_deref());
    text.push(',');
    field(text, one.tool.as_deref());
    text.push(',');
    if let Some(asn) = one.asn {
        let _ = write!(text, "{asn}");
    }
    text.push(',');
    if let Some(prefix) = one.prefix {
        let _ = write!(text, "{prefix}");
    }
    text.push(',');
    field(text, one.country.as_deref());
    text.push(',');
    for (place, list) in one.lists.iter().enumerate() {
        let _ = write!(text, "{}{list}", if place == 0 { "" } else { " " });
    }
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
fn field(out: &mut String, text: Option<&str>) {
    let text = text.unwrap_or_default();
    if text.contains([',', '"', '\r', '\n']) {
        let _ = write!(out, "\"{}\"", text.replace('"', "\"\""));
    } else {
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_comma_does_not_make_a_column() {
        for (text, shown) in [(Some("a,\"b\""), "\"a,\"\"b\"\"\""), (Some("a b"), "a b"), (None, "")] {
            let mut out = String::new();
            super::field(&mut out, text);
            assert_eq!(out, shown);
        }
    }
}
