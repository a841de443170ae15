//! MaxMind DB files and table dumps: what they say, and that damage is told.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use intel::Enrich;
use intel::enrich::{Files, Mmdb, Position, Rib, Table};
use serde_json::Value;
use sim::dump::{record, sequence};

fn data() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = std::env::var_os("SPILLWAY_TEST_DATA").map_or(default, PathBuf::from).join("intel/mmdb");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("skipped: no files at {}; set SPILLWAY_TEST_DATA", dir.display());
    None
}

fn open(file: &Path) -> Mmdb {
    Mmdb::open(std::fs::read(file).unwrap()).unwrap()
}

/// A small file, made here: one network per line, with a country or a number.
pub(crate) struct Made {
    /// Left and right of each node: another node, nothing, or data.
    nodes: Vec<[Option<Leaf>; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Leaf {
    Node(usize),
    Data(usize),
}

impl Made {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![[None; 2]], data: Vec::new() }
    }

    fn text(out: &mut Vec<u8>, text: &str) {
        assert!(text.len() < 29);
        out.push(2 << 5 | u8::try_from(text.len()).unwrap());
        out.extend(text.as_bytes());
    }

    /// `{"country": {"iso_code": …}, "autonomous_system_number": …}` for an IPv4 network.
    pub(crate) fn add(&mut self, network: &str, country: &str, asn: u32) {
        let at = self.data.len();
        self.data.push(7 << 5 | 2);
        Self::text(&mut self.data, "country");
        self.data.push(7 << 5 | 1);
        Self::text(&mut self.data, "iso_code");
        Self::text(&mut self.data, country);
        Self::text(&mut self.data, "autonomous_system_number");
        self.data.push(6 << 5 | 4);
        self.data.extend(asn.to_be_bytes());
        let prefix: base::Prefix = network.parse().unwrap();
        let IpAddr::V4(first) = prefix.addr() else { panic!("IPv4") };
        let mut node = 0;
        for bit in 0..prefix.bits() {
            let side = usize::from(first.to_bits() >> (31 - bit) & 1 == 1);
            if bit + 1 == prefix.bits() {
                self.nodes[node][side] = Some(Leaf::Data(at));
            } else if let Some(Leaf::Node(next)) = self.nodes[node][side] {
                node = next;
            } else {
                self.nodes.push([None; 2]);
                let next = self.nodes.len() - 1;
                self.nodes[node][side] = Some(Leaf::Node(next));
                node = next;
            }
        }
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        let count = u32::try_from(self.nodes.len()).unwrap();
        let mut out = Vec::new();
        for record in self.nodes.iter().flatten() {
            let value = match record {
                None => count,
                Some(Leaf::Node(node)) => u32::try_from(*node).unwrap(),
                Some(Leaf::Data(at)) => count + 16 + u32::try_from(*at).unwrap(),
            };
            out.extend(&value.to_be_bytes()[1..]);
        }
        out.extend([0; 16]);
        out.extend(&self.data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        out.push(7 << 5 | 5);
        for (name, value) in [
            ("node_count", count),
            ("record_size", 24),
            ("ip_version", 4),
            ("binary_format_major_version", 2),
        ] {
            Self::text(&mut out, name);
            out.push(6 << 5 | 4);
            out.extend(value.to_be_bytes());
        }
        Self::text(&mut out, "database_type");
        Self::text(&mut out, "Made-Here");
        out
    }
}

#[test]
fn a_file_made_here_says_what_was_put_in_and_nothing_else() {
    let mut made = Made::new();
    made.add("198.18.0.0/15", "ZZ", 64_500);
    made.add("93.184.216.0/24", "NL", 64_501);
    let files = Files { databases: vec![Mmdb::open(made.file()).unwrap().into()], ..Files::default() };
    let place = files.place("93.184.216.34".parse().unwrap());
    assert_eq!((place.country.as_deref(), place.asn, place.prefix), (Some("NL"), Some(64_501), None));
    // Nobody has a special-purpose address, whatever a file says.
    assert_eq!(files.place("198.18.0.1".parse().unwrap()), intel::Place::default());
    assert_eq!(files.place("93.184.217.1".parse().unwrap()), intel::Place::default());
    assert_eq!(files.place("2606:2800::1".parse().unwrap()), intel::Place::default());
}

#[test]
fn a_table_of_ones_own_comes_first_and_says_where_own_networks_are() {
    let mut made = Made::new();
    made.add("93.184.216.0/24", "NL", 64_501);
    let table = "93.184.216.0/25,,QM,Sampleton,51.5,9.1\n198.18.64.0/18,,QM,Mockville,48.1,11.6\n";
    let files = Files {
        databases: vec![Mmdb::open(made.file()).unwrap().into()],
        tables: vec![Table::read(table).unwrap().into()],
        ..Files::default()
    };
    let place = files.place("93.184.216.34".parse().unwrap());
    assert_eq!((place.country.as_deref(), place.asn), (Some("QM"), Some(64_501)));
    assert_eq!(place.position, Position::of(51.5, 9.1));
    let other = files.place("93.184.216.200".parse().unwrap());
    assert_eq!((other.country.as_deref(), other.position), (Some("NL"), None));
    // an own network may be a special one; as a source it is nowhere
    assert_eq!(files.place("198.18.64.1".parse().unwrap()), intel::Place::default());
    let own = ["198.18.0.0/16", "2001:db8::/32"].map(|text| text.parse().unwrap());
    let sites: Vec<_> =
        files.sites(&own).into_iter().map(|(prefix, place)| (prefix.to_string(), place.city)).collect();
    assert_eq!(sites, [("198.18.64.0/18".to_owned(), Some("Mockville".to_owned()))]);
}

#[test]
fn the_makers_test_files_say_what_their_sources_say() {
    let Some(data) = data() else { return };
    let (mut asked, mut placed) = (0, 0);
    for name in ["GeoLite2-ASN-Test", "GeoLite2-City-Test", "GeoLite2-Country-Test"] {
        let database = open(&data.join(name).with_extension("mmdb"));
        let source = std::fs::read_to_string(data.join(name).with_extension("json")).unwrap();
        let networks: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&source).unwrap();
        let networks: Vec<(&String, &Value)> = networks.iter().flatten().collect();
        for (network, value) in &networks {
            let prefix: base::Prefix = network.parse().unwrap();
            // A more specific network may say something else of the first address.
            let finest = networks.iter().map(|(n, _)| n.parse::<base::Prefix>().unwrap());
            let finest = finest.filter(|p| p.contains(prefix.addr())).map(|p| p.bits()).max();
            if finest != Some(prefix.bits()) {
                continue;
            }
            let place = database.place(prefix.addr());
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(String::from);
            assert_eq!(place.country, text("/country/iso_code"), "{name} {network}");
            assert_eq!(place.city, text("/city/names/en"), "{name} {network}");
            let degrees = |name: &str| value.pointer(&format!("/location/{name}")).and_then(Value::as_f64);
            let told = degrees("latitude").zip(degrees("longitude"));
            let position = told.and_then(|(latitude, longitude)| Position::of(latitude, longitude));
            assert_eq!(place.position, position, "{name} {network}");
            placed += usize::from(position.is_some());
            let asn = value.get("autonomous_system_number").and_then(Value::as_u64);
            assert_eq!(place.asn.map(u64::from), asn, "{name} {network}");
            asked += 1;
        }
    }
    assert!(asked > 500 && placed > 50, "{asked} {placed}");
    assert!(open(&data.join("MaxMind-DB-test-ipv6-28.mmdb")).nodes() > 0);
}

#[test]
fn a_corrupt_file_is_refused_with_the_place_and_the_reason() {
    if let Some(data) = data() {
        let broken = std::fs::read(data.join("MaxMind-DB-test-broken-pointers-24.mmdb")).unwrap();
        let told = Mmdb::open(broken).unwrap_err();
        assert!(told.at > 0 && !told.what.is_empty(), "{told}");
    }
    let mut made = Made::new();
    made.add("93.184.216.0/24", "NL", 64_501);
    let whole = made.file();
    for cut in 0..whole.len() {
        // A cut within the last text of the metadata leaves everything that is needed.
        if let Err(told) = Mmdb::open(whole[..cut].to_vec()) {
            assert!(told.to_string().contains(" at octet "), "{told}");
        } else {
            panic!("cut at {cut} of {}", whole.len());
        }
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        if let Ok(database) = Mmdb::open(damaged) {
            // What could still be read answers without a fault.
            let _ = database.place("93.184.216.34".parse().unwrap());
        }
    }
}

/// A record with one entry whose path is `[64500, asn]`.
fn rib_record(prefix: &base::Prefix, asn: u32) -> Vec<u8> {
    record(*prefix, &[vec![sequence(&[64_500, asn])]])
}

#[test]
fn routes_tell_network_and_prefix_and_come_before_databases() {
    let mut made = Made::new();
    made.add("93.184.216.0/24", "NL", 1);
    let routes = ["93.184.216.0/22", "93.184.216.0/24", "2606:2800::/32"]
        .map(|prefix| rib_record(&prefix.parse().unwrap(), 64_700))
        .concat();
    let rib = Rib::read(&routes, []).unwrap();
    assert_eq!(rib.len(), 3);
    let files = Files {
        databases: vec![Mmdb::open(made.file()).unwrap().into()],
        routes: vec![rib.into()],
        ..Files::default()
    };
    let place = files.place("93.184.216.34".parse().unwrap());
    assert_eq!((place.asn, place.prefix), (Some(64_700), "93.184.216.0/24".parse().ok()));
    assert_eq!(place.country.as_deref(), Some("NL"));
    assert_eq!(files.place("2606:2800::1".parse().unwrap()).asn, Some(64_700));
    // Three routes are not the Internet: what they do not have may be routed.
    assert!(!files.knows_all_routes(true));
}

#[test]
fn a_dump_that_is_no_table_or_is_damaged_is_refused() {
    let says = |octets: &[u8]| Rib::read(octets, []).unwrap_err().to_string();
    assert!(says(b"\x1f\x8b\x08\0").contains("gunzip"));
    assert!(says(&[0, 0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 0]).contains("TABLE_DUMP_V2"));
    assert!(says(b"").contains("no routes"));
    let mut record = rib_record(&"93.184.216.0/24".parse().unwrap(), 1);
    record.pop();
    assert!(says(&record).contains("at octet 0"));
}
