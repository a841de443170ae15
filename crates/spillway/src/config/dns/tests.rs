use std::path::Path;

use crate::config::Config;

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dns/key");
const TOP: &str = "networks = [\"198.51.100.0/22\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n[dns.main]\n";
const LINES: [&str; 6] = [
    "server = \"192.0.2.53\"",
    "zone = \"example.net\"",
    "names = [\"www.example.net\"]",
    "to = [\"203.0.113.80\", \"2001:db8::80\"]",
    "key_name = \"spillway\"",
    "key_file = \"@\"",
];

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("f.toml"), &text.replace('@', KEY))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_smallest_section_of_a_zone_is_taken_and_so_is_the_starters_example() {
    let smallest = format!("{TOP}{}\n", LINES.join("\n"));
    let starter = crate::config::starter(&["198.51.100.0/24".parse().unwrap()]);
    let example: String = starter
        .lines()
        .skip_while(|line| *line != "#   [dns.\"main\"]")
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{}\n", line.trim_start_matches("#   ").replace("/etc/spillway/dns.key", "@")))
        .collect();
    let example = TOP.replace("[dns.main]\n", "") + &example;
    for text in [&smallest, &example] {
        let config = parse(text).unwrap();
        let [one] = config.dns.as_slice() else { panic!("{:?}", config.dns) };
        assert_eq!(one.server, "192.0.2.53:53".parse().unwrap());
        assert_eq!((one.zone.ttl, one.zone.to.len()), (30, 2));
        assert_eq!(one.zone.lease_max, steer::dnsdiversion::LONGEST_ALONE);
        assert_eq!((one.algorithm, one.key.octets().len()), (super::Algorithm::Sha256, 32));
    }
    assert!(!format!("{:?}", parse(&smallest).unwrap().dns).contains("0123456789"), "no key is printed");
}

#[test]
fn each_mistake_about_names_has_its_place_and_its_remedy() {
    // Which line is written how, and what comes out.
    let wrong: &[(usize, &str, &str)] = &[
        (0, "server = \"ns1\"", "5:10: `ns1` is not the address of a DNS server; write it like"),
        (0, "sever = \"192.0.2.53\"", "5:1: unknown key `sever`; did you mean `server`?"),
        (1, "zone = \"*\"", "6:8: `*` is not the name of a host or a zone; write it like"),
        (2, "names = []", "7:9: names is empty; list the names that may be diverted"),
        (
            2,
            "names = [\"example.net\"]",
            "7:10: example.net. is the zone itself, whose SOA and NS are never touched",
        ),
        (2, "names = [\"www.example.org\"]", "7:10: www.example.org. does not lie in the zone example.net."),
        (2, "names = [\"www.example.net\", \"WWW.example.net.\"]", "7:29: www.example.net. is named twice"),
        (3, "to = []", "8:6: to is 1 to 16 different addresses of the absorber"),
        (3, "to = [\"203.0.113.80\", \"203.0.113.80\"]", "8:6: to is 1 to 16 different addresses"),
        (3, "to = [\"0.0.0.0\"]", "8:6: to is 1 to 16 different addresses"),
        (4, "key_name = \"spillway\"\nttl = \"2h\"", "10:7: ttl is whole seconds, \"1s\" to \"1h\""),
        (4, "key_name = \"spillway\"\nlease_max = \"25h\"", "10:13: lease_max is \"1s\" to \"1d\""),
        (5, "", "4:1: key_file is missing: the file with the TSIG key's secret in base64"),
        (5, "key_file = \"/nonexistent\"", "10:12: the key in /nonexistent cannot be used: "),
        (
            5,
            "key_env = \"SPILLWAY_NO_SUCH_VARIABLE\"",
            "10:11: the key in $SPILLWAY_NO_SUCH_VARIABLE cannot be used",
        ),
        (5, "key_file = \"@\"\nkey_env = \"X\"", "10:12: key_file and key_env are both there; keep one"),
        (
            5,
            "key_file = \"/dev/null\"",
            "10:12: the key in /dev/null cannot be used: it has to be the secret alone",
        ),
    ];
    let mut failed = Vec::new();
    for (line, text, expected) in wrong {
        let mut lines = LINES;
        lines[*line] = text;
        let found =
            parse(&format!("{TOP}{}\n", lines.join("\n"))).map_or_else(|line| line, |_| "none".to_owned());
        if !found.starts_with(&format!("f.toml:{expected}")) {
            failed.push(format!("{text}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
