//! A disclosure as a mail (RFC 5322, RFC 2045): what is said, what is sent, and its proof.
//!
//! A report in XARF goes as programs of abuse desks await it (`intel::export::mail`): three parts, of which the first, for
//! people, has the proof.

use std::fmt::Write as _;

use ::ledger::disclosure::Bundle;
use ::ledger::text::base64;
use base::Timestamp;

/// Octets of base64 in a line (RFC 2045 §6.8).
const LINE: usize = 76;

/// What one saves the proof of a report as.
const PROOF: &str = "report.tlog-proof";

/// The mail. Of a report it is whole; anything else is without `From` and `Date`: the program that sends it knows those.
pub(super) fn mail(bundle: &Bundle<'_>, proof: &str, boundary: &str, now: Timestamp) -> Vec<u8> {
    let draft = bundle.draft();
    let said = said(
        bundle,
        &format!(
            "Save what follows as {PROOF}, to the end of this text, and check the report without a network: \
             spillway ledger verify {PROOF} xarf.json --policy POLICY\n\n{proof}"
        ),
    );
    if let Some(report) = intel::export::mail::forward(bundle.payload(), &said, &draft.recipient, now) {
        return report;
    }
    mixed(bundle, proof, boundary).into_bytes()
}

/// What it is, under which terms, and how one checks it.
fn said(bundle: &Bundle<'_>, check: &str) -> String {
    let draft = bundle.draft();
    format!(
        "Disclosure {}, ticket {}.\n\nPurpose: {}. Legal basis: {}. Jurisdiction: {}.\nTLP:{} PAP:{}. Keep it for {} days at most.\n\n\
         This message and what is attached stand in a transparency log: entry {} of {}.\n{check}",
        draft.id,
        draft.ticket,
        draft.purpose.word(),
        draft.basis.word(),
        draft.jurisdiction,
        draft.tlp.word().to_uppercase(),
        draft.pap.word().to_uppercase(),
        draft.retention_days,
        bundle.receipt().index(),
        bundle.receipt().origin(),
    )
}

fn mixed(bundle: &Bundle<'_>, proof: &str, boundary: &str) -> String {
    let draft = bundle.draft();
    let id = &draft.id;
    let mut mail = String::new();
    let said = said(
        bundle,
        &format!("Check it without a network: spillway ledger verify {id}.tlog-proof {id} --policy POLICY\n"),
    )
    .replace('\n', "\r\n");
    // A string takes whatever is written to it.
    let _ = write!(
        mail,
        "To: {}\r\nSubject: [TLP:{}] {} {id}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n",
        header(&draft.recipient),
        draft.tlp.word().to_uppercase(),
        draft.purpose.word(),
    );
    let _ = write!(
        mail,
        "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        lines(said.as_bytes())
    );
    for (name, content) in [(id.clone(), bundle.payload()), (format!("{id}.tlog-proof"), proof.as_bytes())] {
        let _ = write!(
            mail,
            "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}",
            lines(content)
        );
    }
    let _ = write!(mail, "--{boundary}--\r\n");
    mail
}

/// In one header line nobody begins another.
fn header(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn lines(content: &[u8]) -> String {
    let text = base64(content);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE * 2 + 2);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push_str("\r\n");
        rest = after;
    }
    lines
}
