//! `bag-info.txt`.

/// What stands in `bag-info.txt`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The attack's id.
    pub id: String,
    /// Who sealed it.
    pub organisation: String,
    /// Where he is reached.
    pub contact: String,
    /// Why it was kept.
    pub reason: String,
    /// The day it was sealed: `2021-04-28`.
    pub day: String,
    /// The program and its version.
    pub software: String,
    /// Octets of the payload.
    pub octets: u64,
    /// Files of the payload.
    pub files: u64,
}

impl Info {
    /// As text.
    pub fn text(&self) -> String {
        let lines = [
            ("Source-Organization", &self.organisation),
            ("Contact-Email", &self.contact),
            ("External-Identifier", &self.id),
            ("Internal-Sender-Description", &self.reason),
            ("Bagging-Date", &self.day),
            ("Bag-Software-Agent", &self.software),
            ("Bag-Size", &format!("{} B", self.octets)),
            ("Payload-Oxum", &format!("{}.{}", self.octets, self.files)),
        ];
        let said = lines.into_iter().filter(|(_, value)| !value.is_empty());
        // a line break would begin another label
        said.map(|(label, value)| format!("{label}: {}\n", value.replace(['\r', '\n'], " "))).collect()
    }
}

/// The value of a label.
pub(super) fn value<'a>(text: &'a [u8], label: &str) -> Option<&'a str> {
    let text = core::str::from_utf8(text).ok()?;
    text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(": "))
}
