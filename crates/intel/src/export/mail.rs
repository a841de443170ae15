//! A report as a mail (RFC 6522, RFC 5965, in the profile of X-ARF): for people, for feedback loops, for programs.

use base::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::xarf::Report;
use crate::dossier::Reporter;
use ledger::text::{base64, from_base64, hex};

/// The mail of one report, with lines that end in CR LF.
///
/// `to` is the recipient, `at` the time that stands in it. `None` where an address has a character that could begin a line
/// of its own.
pub fn write(report: &Report, reporter: &Reporter, to: &str, at: Timestamp) -> Option<Vec<u8>> {
    let json = report.value.to_string();
    let id = report.value.get("report_id").and_then(Value::as_str)?;
    let letter =
        Letter { json: json.as_bytes(), id, subject: &report.subject, text: &report.text, reporter, to, at };
    letter.write()
}

/// The mail of a report that stands in a file: its octets go as they are, and `said` behind what it says for people.
///
/// `None` where it is no report of XARF v4, where it does not say who reports, and as for [`write`].
pub fn forward(report: &[u8], said: &str, to: &str, at: Timestamp) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(report).ok()?;
    let text = |place: &str| value.pointer(place).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("/xarf_version").filter(|version| version.starts_with("4."))?;
    let reporter = Reporter {
        organisation: text("/reporter/org").unwrap_or_default().to_owned(),
        contact: text("/reporter/contact")?.to_owned(),
        domain: text("/reporter/domain")?.to_owned(),
    };
    let subject = format!("{}: {}", text("/type")?.replace('_', " "), text("/source_identifier")?);
    let seen = text("/evidence/0/content_type")
        .filter(|kind| *kind == "text/plain")
        .and_then(|_| from_base64(text("/evidence/0/payload")?))
        .and_then(|octets| String::from_utf8(octets).ok());
    let parts = [text("/description"), seen.as_deref(), Some(said)];
    let told = parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    let id = text("/report_id")?;
    Letter { json: report, id, subject: &subject, text: &told, reporter: &reporter, to, at }.write()
}

/// What a mail is made of.
struct Letter<'a> {
    json: &'a [u8],
    id: &'a str,
    subject: &'a str,
    text: &'a str,
    reporter: &'a Reporter,
    to: &'a str,
    at: Timestamp,
}

impl Letter<'_> {
    fn write(&self) -> Option<Vec<u8>> {
        let Self { json, id, subject, text, reporter, to, at } = self;
        let digest = hex(&Sha256::digest(json));
        // it cannot stand in the parts: they are base64 or lines that begin otherwise
        let boundary = format!("=_xarf_{}", digest.get(..32)?);
        let plain = |text: &str| text.bytes().all(|octet| (0x20..0x7f).contains(&octet) && octet != b'<');
        if ![*to, &reporter.contact, &reporter.domain, *id].into_iter().all(plain) {
            return None;
        }
        let mut mail = String::new();
        let mut line = |text: &str| {
            mail.push_str(text);
            mail.push_str("\r\n");
        };
        line(&format!("From: {}", reporter.contact));
        line(&format!("To: {to}"));
        line(&format!("Subject: {}", encoded(&format!("[XARF] {subject}"))));
        line(&format!("Date: {}", date(*at)));
        line(&format!("Message-ID: <{id}@{}>", reporter.domain));
        line("Auto-Submitted: auto-generated");
        line("X-XARF: PLAIN");
        line("MIME-Version: 1.0");
        line("Content-Type: multipart/report; report-type=feedback-report;");
        line(&format!(" boundary=\"{boundary}\""));
        line("");
        line(&format!("--{boundary}"));
        line("Content-Type: text/plain; charset=utf-8");
        line("Content-Transfer-Encoding: base64");
        line("");
        wrapped(&base64(text.replace('\n', "\r\n").as_bytes()), &mut line);
        line(&format!("--{boundary}"));
        line("Content-Type: message/feedback-report");
        line("");
        line("Feedback-Type: xarf");
        line("User-Agent: Spillway");
        line("Version: 1");
        line("");
        line(&format!("--{boundary}"));
        line("Content-Type: application/json; charset=utf-8; name=\"xarf.json\"");
        line("Content-Disposition: attachment; filename=\"xarf.json\"");
        line("Content-Transfer-Encoding: base64");
        line("");
        wrapped(&base64(json), &mut line);
        line(&format!("--{boundary}--"));
        Some(mail.into_bytes())
    }
}

/// Lines of 76 characters (RFC 2045 §6.8).
fn wrapped(text: &str, line: &mut impl FnMut(&str)) {
    let mut rest = text;
    while let Some((front, behind)) = rest.split_at_checked(76) {
        line(front);
        rest = behind;
    }
    line(rest);
}

/// A header's text; encoded words (RFC 2047) where it is more than ASCII.
fn encoded(text: &str) -> String {
    if text.bytes().all(|octet| (0x20..0x7f).contains(&octet)) {
        return text.to_owned();
    }
    // a word has at most 75 characters, and characters stay whole
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes()))).collect();
    words.join("\r\n ")
}

/// RFC 5322 §3.3, in UTC: `Wed, 28 Apr 2021 10:30:21 +0000`.
fn date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let part = |range: core::ops::Range<usize>| text.get(range).unwrap_or_default();
    let week = usize::try_from(at.secs() / 86_400 % 7).unwrap_or(0);
    let month = part(5..7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    let (week, month) = (DAYS.get(week).unwrap_or(&"Thu"), MONTHS.get(month).unwrap_or(&"Jan"));
    format!("{week}, {} {month} {} {} +0000", part(8..10), part(0..4), part(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_subjects_have_the_form_of_mail() {
        let at: Timestamp = "2021-04-28T10:30:21Z".parse().unwrap();
        assert_eq!(date(at), "Wed, 28 Apr 2021 10:30:21 +0000");
        assert_eq!(encoded("plain"), "plain");
        assert_eq!(encoded("é"), "=?utf-8?B?w6k=?=");
    }
}
