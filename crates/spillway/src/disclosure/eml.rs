//! A disclosure as a mail (RFC 5322, RFC 2045): what is said, what is sent, and its proof.

use std::fmt::Write as _;

use ::ledger::disclosure::Bundle;
use ::ledger::text::base64;

/// Octets of base64 in a line (RFC 2045 §6.8).
const LINE: usize = 76;

/// The mail, without `From` and `Date`: the program that sends it knows those.
pub(super) fn mail(bundle: &Bundle<'_>, proof: &str, boundary: &str) -> String {
    let draft = bundle.draft();
    let id = &draft.id;
    let mut mail = String::new();
    let said = format!(
        "Disclosure {id}, ticket {}.\r\n\r\nPurpose: {}. Legal basis: {}. Jurisdiction: {}.\r\nTLP:{} PAP:{}. Keep it for {} days at most.\r\n\r\n\
         This message and what is attached stand in a transparency log: entry {} of {}.\r\n\
         Check it without a network: spillway ledger verify {id}.tlog-proof {id} --policy POLICY\r\n",
        draft.ticket,
        draft.purpose.word(),
        draft.basis.word(),
        draft.jurisdiction,
        draft.tlp.word().to_uppercase(),
        draft.pap.word().to_uppercase(),
        draft.retention_days,
        bundle.receipt().index(),
        bundle.receipt().origin(),
    );
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
