//! nftables: what we write, that `nft` loads it, and that the kernel counts what the evaluator decides.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rules::compile::nftables;
use rules::{Rule, parse};

use crate::kernel::{Trial, kernel, namespace, trials};
use crate::make::parsed;
use crate::tool;

fn body(text: &str) -> Vec<String> {
    let file = nftables::file(&parse::rules(text).unwrap());
    file.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_rule_is_a_line_with_its_counter_and_id() {
    let lines = body(
        "b @2 dst 2001:db8::/32 proto icmp6 icmp-type 128 -> pass\n\
         a @1 dst 198.51.100.7/32 proto udp src-port 53,123 length >=468 -> drop",
    );
    assert_eq!(
        lines,
        [
            "# Spillway: load with `nft -f`; remove with `nft delete table inet spillway`.",
            "table inet spillway",
            "delete table inet spillway",
            "table inet spillway {",
            "chain later_fragments {",
            "}",
            "chain prerouting {",
            "type filter hook prerouting priority -450; policy accept;",
            "ip frag-off & 0x1fff != 0 goto later_fragments",
            "meta nfproto ipv6 frag frag-off != 0 goto later_fragments",
            "meta nfproto ipv4 ip daddr 198.51.100.7 meta l4proto 17 th sport { 53, 123 } meta length 468-4294967295 counter drop comment \"a\"",
            "meta nfproto ipv6 ip6 daddr 2001:db8::/32 meta l4proto 58 icmpv6 type 128 counter accept comment \"b\"",
            "}",
            "}",
        ]
    );
}

#[test]
fn a_rate_counts_all_that_it_decides_and_what_is_below_goes_on() {
    let lines = body(
        "a @1 proto udp -> rate 1000pps\nb @2 proto tcp -> rate 8Mbps\nc @3 -> rate 0.5pps\nd @4 -> rate 0pps",
    );
    for wanted in [
        "counter limit rate over 1000/second burst 100 packets drop comment \"a\"",
        "counter limit rate over 1000000 bytes/second drop comment \"b\"",
        "counter limit rate over 30/minute burst 1 packets drop comment \"c\"",
        "counter drop comment \"d\"",
        "meta l4proto 17 goto r1",
        "meta l4proto 6 goto r2",
        "goto r3",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
    }
}

#[test]
fn what_cannot_be_said_is_an_error_and_nothing_is_widened_by_its_absence() {
    let lines = body(
        "c @1 dst 198.51.100.7/32 proto tcp -> challenge\nr @2 proto gre -> redirect 192.0.2.1\n\
         far @3 dst 198.51.100.7/32 payload 240:00 -> pass\nall @4 dst 198.51.100.0/24 -> drop\n\
         six @5 dst 2001:db8::/32 -> drop\next @6 proto 139 -> drop\n\
         own @7 proto 132 -> rate 5pps per source\nseen @8 proto 133 -> drop sample 1/9\n\
         shape @9 proto tcp tcp-options mss,nop -> pass\nbare @9 tcp-options none -> pass",
    );
    for wanted in [
        "# c: error: nftables cannot challenge a source",
        "# r: error: nftables cannot lead packets to another next hop",
        "# far: error: nftables reaches 235 octets into the payload, and the rule asks for 241",
        "# all: error: it would also act on packets that `far` decides before it, and nftables cannot say `far`",
        "# ext: error: nftables takes IPv6 extension header 139 for the upper-layer protocol",
        "# own: error: rates per source or destination need a table in nftables, which spoofed packets fill",
        "# seen: error: nftables takes no samples with what became of the packet",
        "# shape: error: nftables cannot compare the order of TCP options",
        "meta l4proto 132 accept",
        "meta l4proto 6 @th,96,8 < 0x60 counter accept comment \"bare\"",
        // What is to be challenged or led away is not left to a later rule.
        "meta nfproto ipv4 ip daddr 198.51.100.7 meta l4proto 6 accept",
        "meta l4proto 47 accept",
        "meta nfproto ipv6 ip6 daddr 2001:db8::/32 goto r5",
        "counter drop comment \"six\"",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
    }
}

#[test]
fn a_rule_that_no_packet_meets_is_there_and_counts_nothing() {
    let lines = body("a @1 proto icmp dst-port 53 -> drop");
    assert!(lines.iter().any(|line| line == "counter drop comment \"a\""));
    assert!(!lines.iter().any(|line| line.contains("goto r")));
}

/// Generated rules on generated packets near their edges: fragments, extension headers, options, both families.
#[test]
fn the_kernel_counts_what_the_evaluator_decides() {
    if !namespace() {
        return;
    }
    // More of them, for a long run: `RULES_TRIALS=2000 cargo test -p rules kernel_counts`. Beside our own programs, a
    // hundred thousand pairs are asked in `dataplane`.
    let count = std::env::var("RULES_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let trials = trials(count, 250);
    let pairs: Vec<(&[Rule], &[Vec<u8>])> =
        trials.iter().map(|t| (t.rules.as_slice(), t.packets.as_slice())).collect();
    let found = kernel(&pairs, "nft-agreement");
    assert_eq!(found.len(), trials.len());
    let mut decided = 0;
    for (trial, (total, counters)) in trials.iter().zip(found) {
        assert_eq!(total, 250, "every packet reaches the hook");
        let expected = trial.expected(&trial.packets);
        decided += expected.values().sum::<u64>();
        if counters != expected {
            panic!("{}", first_difference(trial));
        }
    }
    assert!(decided > 1000, "the packets hardly meet the rules: {decided}");
}

/// The packet on which they differ, found by sending each alone.
fn first_difference(trial: &Trial) -> String {
    let singles: Vec<(&[Rule], &[Vec<u8>])> =
        trial.packets.iter().map(|p| (trial.rules.as_slice(), core::slice::from_ref(p))).collect();
    for (packet, (_, found)) in trial.packets.iter().zip(kernel(&singles, "nft-difference")) {
        let expected = trial.expected(core::slice::from_ref(packet));
        if found != expected {
            let rules: Vec<String> = trial.rules.iter().map(Rule::to_string).collect();
            return format!(
                "{}\n{}\n{:?}\nexpected {expected:?}\nfound {found:?}",
                rules.join("\n"),
                nftables::file(&trial.rules),
                parsed(packet).headers
            );
        }
    }
    "together they differ, alone they do not".into()
}

/// Sends datagrams to ports of the loopback interface in a namespace of its own while leases end, and prints how many
/// packets each rule had decided by each second. Nobody touches the table meanwhile, except where a file is named.
const WAIT: &str = r"
import json,socket,subprocess,sys,time
def nft(*a): return subprocess.run(['nft',*a],check=True,capture_output=True,text=True).stdout
subprocess.run(['ip','link','set','lo','up'],check=True)
nft('-f',sys.argv[1]); s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); begun=time.time(); later=sys.argv[2:]
for step in range(7):
    while time.time()-begun<step: time.sleep(0.01)
    if step==3 and later: nft('-f',later[0])
    before=json.loads(nft('-j','list','table','inet','spillway'))
    for port in (5,6,7):
        for _ in range(10): s.sendto(b'x',('127.0.0.1',port))
    after=json.loads(nft('-j','list','table','inet','spillway'))
    def counts(t):
        rules=[i['rule'] for i in t['nftables'] if 'comment' in i.get('rule',{})]
        return {r['comment']:sum(e['counter']['packets'] for e in r['expr'] if 'counter' in e) for r in rules}
    a,b=counts(before),counts(after)
    print(json.dumps({k:b[k]-a[k] for k in b}),flush=True)
";

#[test]
fn a_lease_ends_in_the_kernel_without_anybody() {
    if !namespace() {
        return;
    }
    let folder = tool::folder("nft-leases");
    let rules = parse::rules(
        "long dst 127.0.0.1/32 proto udp dst-port 5 -> drop for 1h\n\
         short dst 127.0.0.1/32 proto udp dst-port 6 -> drop for 2s\n\
         ever dst 127.0.0.1/32 proto udp dst-port 7 -> drop\n",
    )
    .unwrap();
    let lo = ["lo".to_owned()];
    let second = |seconds| Some(base::Span::from_secs(seconds));
    let run = |patience, later: Option<String>, interfaces: &[String]| {
        let (file, more) = (folder.join("a.nft"), folder.join("b.nft"));
        let running = nftables::running(&rules, interfaces, patience);
        assert_eq!(running.unsaid, []);
        fs::write(&file, running.file).unwrap();
        let mut command = Command::new("unshare");
        command.args(["-n", "python3", "-c", WAIT]).arg(file);
        if let Some(later) = later {
            fs::write(&more, later).unwrap();
            command.arg(more);
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let lines = String::from_utf8(out.stdout).unwrap();
        let parse = |line: &str| serde_json::from_str::<BTreeMap<String, u64>>(line).unwrap();
        lines.lines().map(parse).collect::<Vec<_>>()
    };
    let decided = |seconds: &[BTreeMap<String, u64>], id: &str| {
        seconds.iter().map(|second| second[id]).collect::<Vec<_>>()
    };
    // A busy machine stretches the seconds; what follows what does not change.
    let turns = |mut decided: Vec<u64>| {
        decided.dedup();
        decided
    };
    let seconds = run(None, None, &lo);
    assert_eq!(decided(&seconds, "long"), [10; 7]);
    assert_eq!(decided(&seconds, "ever"), [10; 7]);
    assert_eq!(turns(decided(&seconds, "short")), [10, 0]);
    // Renewed when it was over already, it acts again, and ends again.
    let short = decided(&run(None, Some(nftables::leases(&rules)), &lo), "short");
    assert_eq!(turns(short), [10, 0, 10, 0]);
    // The dead-man switch ends all that have a lease; a sign of life brings them back for a while.
    let alive = nftables::alive(base::Span::from_secs(2));
    let seconds = run(second(2), Some(alive), &lo);
    assert_eq!(turns(decided(&seconds, "long")), [10, 0, 10, 0]);
    assert_eq!(decided(&seconds, "ever"), [10; 7], "made by hand, it stays");
    let elsewhere = run(None, None, &["eth9".to_owned()]);
    assert_eq!(decided(&elsewhere, "long"), [0; 7], "packets of other interfaces are left alone");
    let _ = fs::remove_dir_all(&folder);
}
