//! Lists of others, as text: addresses and networks of which somebody says that they are bots, that they reflect, or that many
//! people share them.
//!
//! ```text
//! # an address or a prefix a line; what stands behind a comma, a semicolon or a space is left aside
//! 192.0.2.7
//! 2001:db8:7::/48, seen yesterday
//! ```
//!
//! Or a table (RFC 4180) whose first line names its columns, one of them [`COLUMNS`].

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base::Prefix;
use base::prefix::PrefixTable;
use serde::Deserialize;

/// Addresses and networks of one list at most.
const ENTRIES_MAX: usize = 1 << 21;
/// Columns of a table that may hold the address, the best first.
const COLUMNS: [&str; 6] = ["ip", "src_ip", "source.ip", "address", "ip_address", "network"];
/// Columns that are looked at.
const COLUMNS_MAX: usize = 256;
/// Octets of a line that are shown of it.
const SHOWN_MAX: usize = 60;

/// What a list says of those on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Infected hosts: sinkholes, honeypots, partners.
    Bot,
    /// Open services that answer whoever asks in somebody's name.
    Reflector,
    /// Addresses that many people share: resolvers, CGNAT, VPN and Tor exits.
    Shared,
}

impl Kind {
    /// As configurations and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Reflector => "reflector",
            Self::Shared => "shared",
        }
    }

    /// The shortest prefix that may stand on such a list, of IPv4 and IPv6: of each address in it the list says so.
    const fn widest(self, v4: bool) -> u8 {
        match (self, v4) {
            (Self::Bot | Self::Reflector, true) => 16,
            (Self::Bot | Self::Reflector, false) => 32,
            (Self::Shared, true) => 8,
            (Self::Shared, false) => 20,
        }
    }
}

/// A list that was read.
#[derive(Clone, Debug)]
pub struct List {
    /// As its operator calls it; stands in what is told of those on it.
    pub name: Arc<str>,
    /// What it says.
    pub kind: Kind,
    /// Lines that said what another one had said.
    pub repeated: usize,
    entries: usize,
    table: PrefixTable<()>,
}

/// A line that cannot be used; the list is not, then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {what}; write one address or prefix a line, or name the column with a first line like `ip,…`"
)]
pub struct Unlisted {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl List {
    /// From the text of a file.
    ///
    /// # Errors
    /// The first line that cannot be read, or is too much.
    pub fn read(name: &str, kind: Kind, text: &str) -> Result<Self, Unlisted> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut all: Vec<Prefix> = Vec::new();
        let mut column = None;
        let mut first = true;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if std::mem::take(&mut first) {
                column = named_column(line);
                if column.is_some() {
                    continue;
                }
            }
            let wrong = |what: String| Unlisted { line: number + 1, what };
            if all.len() >= ENTRIES_MAX {
                return Err(wrong(format!("more than {ENTRIES_MAX} entries")));
            }
            let told = match column {
                Some(at) => fields(line).nth(at).unwrap_or_default(),
                None => first_word(line),
            };
            all.push(entry(&told, kind).map_err(wrong)?);
        }
        let lines = all.len();
        // Tables take what is sorted fast.
        all.sort_unstable();
        all.dedup();
        let entries = all.len();
        let table = PrefixTable::new(all.into_iter().map(|prefix| (prefix, ())));
        Ok(Self { name: name.into(), kind, repeated: lines - entries, entries, table })
    }

    /// Whether an address stands on it, or its network does.
    pub fn has(&self, address: IpAddr) -> bool {
        self.table.longest(address.to_canonical()).is_some()
    }

    /// Different addresses and networks on it.
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Whether nobody is on it.
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// Several lists.
#[derive(Clone, Debug, Default)]
pub struct Lists(pub Vec<Arc<List>>);

/// What lists say of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// One says that it is a bot.
    pub bot: bool,
    /// One says that it reflects.
    pub reflector: bool,
    /// One says that many people share it.
    pub shared: bool,
    /// Names of the lists on which it stands, sorted.
    pub names: Vec<Arc<str>>,
}

impl Lists {
    /// What they say of an address.
    pub fn of(&self, address: IpAddr) -> Listed {
        let mut listed = Listed::default();
        for list in self.0.iter().filter(|list| list.has(address)) {
            match list.kind {
                Kind::Bot => listed.bot = true,
                Kind::Reflector => listed.reflector = true,
                Kind::Shared => listed.shared = true,
            }
            listed.names.push(Arc::clone(&list.name));
        }
        listed.names.sort_unstable();
        listed
    }
}

/// Where the address stands in a table whose columns this line names; `None`: it names none.
fn named_column(line: &str) -> Option<usize> {
    if entry(&first_word(line), Kind::Shared).is_ok() {
        return None;
    }
    let names: Vec<String> = fields(line).map(|name| name.to_ascii_lowercase()).collect();
    COLUMNS.iter().find_map(|column| names.iter().position(|name| name == column))
}

fn entry(told: &str, kind: Kind) -> Result<Prefix, String> {
    let prefix = match told.parse::<IpAddr>() {
        Ok(address) => Prefix::host(address.to_canonical()),
        Err(_) => {
            told.parse().map_err(|_| format!("`{}` is neither an address nor a prefix", shown(told)))?
        }
    };
    let widest = kind.widest(prefix.is_ipv4());
    if prefix.bits() < widest {
        let kind = kind.name();
        return Err(format!("{prefix} is too wide for a list of kind {kind}: /{widest} at most"));
    }
    Ok(prefix)
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}

/// What stands before the first mark that ends an entry, without its quotes.
fn first_word(line: &str) -> Cow<'_, str> {
    let end = |c: char| matches!(c, ',' | ';' | '#') || c.is_whitespace();
    Cow::Borrowed(line.split(end).next().unwrap_or_default().trim_matches('"'))
}

/// Fields of a line of a table, without their quotes.
fn fields(line: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let end = text.find(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (field, behind) =
            end.map_or((text, None), |end| (text.get(..end).unwrap_or_default(), text.get(end + 1..)));
        rest = behind;
        let field = field.trim();
        let inner = field.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
        Some(inner.map_or(Cow::Borrowed(field), |inner| Cow::Owned(inner.replace("\"\"", "\""))))
    })
    .take(COLUMNS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> List {
        List::read("made-up", Kind::Bot, text).unwrap()
    }

    #[test]
    fn addresses_and_prefixes_of_both_families_are_read_one_a_line() {
        let list = read(
            "# of a partner\n192.0.2.7\n\n; more\n198.51.100.0/24 ; SBL1\n2001:db8:7::/48, since May\n\"192.0.2.9\",x\n192.0.2.7\n::ffff:192.0.2.11\n192.0.2.12 # once",
        );
        for (address, on) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.2.8", false),
            ("192.0.2.9", true),
            ("192.0.2.11", true),
            ("192.0.2.12", true),
            ("198.51.100.200", true),
            ("198.51.101.0", false),
            ("2001:db8:7:ffff::1", true),
            ("2001:db8:8::1", false),
        ] {
            assert_eq!(list.has(address.parse().unwrap()), on, "{address}");
        }
        assert_eq!((list.len(), list.repeated), (6, 1));
        assert!(read("").is_empty());
    }

    #[test]
    fn a_table_names_the_column_that_holds_the_address() {
        let list = read(
            "\u{feff}\"timestamp\",\"severity\",\"ip\",\"asn_name\"\n\"2026-11-26 01:02:03\",\"medium\",\"192.0.2.7\",\"EXAMPLE, Ltd\"\n2026-11-26,\"a \"\"b\"\", c\",2001:db8::7,\n",
        );
        assert!(list.has("192.0.2.7".parse().unwrap()) && list.has("2001:db8::7".parse().unwrap()));
        assert_eq!(list.len(), 2);
        assert!(read("192.0.2.8,ip\n").has("192.0.2.8".parse().unwrap()), "the first line has an address");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_told_with_its_place() {
        for (kind, line, why) in [
            (Kind::Bot, "example.com", "line 2: `example.com` is neither an address nor a prefix"),
            (Kind::Bot, "192.0.2.0/33", "neither"),
            (Kind::Bot, "192.0.2.1/24", "neither"),
            (Kind::Bot, ",192.0.2.1", "`` is neither"),
            (Kind::Bot, "0.0.0.0/0", "0.0.0.0/0 is too wide for a list of kind bot: /16 at most"),
            (Kind::Reflector, "2001::/31", "/32 at most"),
            (Kind::Shared, "::/0", "::/0 is too wide for a list of kind shared: /20 at most"),
            (Kind::Shared, "100.0.0.0/7", "/8 at most"),
        ] {
            let wrong = List::read("x", kind, &format!("192.0.2.1\n{line}\n")).unwrap_err().to_string();
            assert!(wrong.contains(why) && wrong.contains("line 2"), "{wrong}");
        }
        assert!(List::read("x", Kind::Shared, "100.64.0.0/10").is_ok());
    }

    #[test]
    fn a_list_has_a_cap() {
        let lines: String = (0..=ENTRIES_MAX)
            .map(|n| format!("{}\n", IpAddr::from(u32::try_from(n).unwrap().to_be_bytes())))
            .collect();
        let wrong = List::read("x", Kind::Bot, &lines).unwrap_err();
        assert_eq!((wrong.line, wrong.what.contains("more than 2097152 entries")), (ENTRIES_MAX + 1, true));
    }

    #[test]
    fn each_list_is_named_that_has_an_address() {
        let list = |name: &str, kind, text: &str| Arc::new(List::read(name, kind, text).unwrap());
        let lists = Lists(vec![
            list("sinkhole", Kind::Bot, "192.0.2.0/24"),
            list("exits", Kind::Shared, "192.0.2.7\n198.51.100.1"),
        ]);
        let listed = lists.of(IpAddr::from([192, 0, 2, 7]));
        assert!(listed.bot && listed.shared && !listed.reflector);
        assert_eq!(listed.names.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["exits", "sinkhole"]);
        assert_eq!(lists.of(IpAddr::from([203, 0, 113, 1])), Listed::default());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|[\n\",;#:./0-9a-f]){0,200}") {
            let _ = List::read("x", Kind::Shared, &text);
        }
    }
}
